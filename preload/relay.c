/* SPDX-License-Identifier: BSD-3-Clause */
/* The thread that carries messages, and the sockets that it carries them for. */
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <linux/xfrm.h>

#include "xfrm/hello.h"

#define LINKS_MAX 64
#define OPEN_MAX  32 /* requests of a socket without their answer: more wait in the socketpair */
/* Between two tries to reach spillway; and at most, where it hangs up without having said a word.
 */
#define DIAL_MS      100
#define DIAL_MOST_MS 6400

struct link {
    bool used;
    ino_t inode; /* of the host's end */
    int inner;   /* our end */
    int outer;   /* to spillway; -1: it is away */
    uint32_t port, groups;
    bool told; /* of them, since we are connected */
    bool full; /* spillway does not take what is asked */
    uint32_t pause_ms;
    uint64_t dial_ms; /* not before, on CLOCK_MONOTONIC */
    uint32_t open_count;
    struct nlmsghdr open[OPEN_MAX + SPILL_XFRM_BATCH_MAX]; /* requests that are to be answered */
    size_t waiting_size; /* of an answer that the host has no room for; 0: none */
    uint8_t waiting[SPILL_XFRM_ANSWER_MAX];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all below */
static struct link links[LINKS_MAX];
static bool is_running;
static bool follows_forks;
bool spill_relay_forked; /* our thread is the parent's */
static int wake_up = -1; /* eventfd */
static uint32_t last_serial;
static uint8_t request[SPILL_XFRM_MESSAGE_MAX]; /* the thread's */

/* ------------------------------------------------------------------------------- requests */

static void forget_link(struct link *link)
{
    close(link->inner);
    if (link->outer >= 0)
        close(link->outer);
    explicit_bzero(link, sizeof(*link));
}

/* Answers a request in spillway's place. Returns false where the host has no room for it yet. */
static bool fail(const struct link *link, const struct nlmsghdr *header)
{
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
    } answer = {
        .header = {.nlmsg_len = sizeof(answer),
                   .nlmsg_type = NLMSG_ERROR,
                   .nlmsg_seq = header->nlmsg_seq,
                   .nlmsg_pid = link->port},
        .error = {.error = -EIO, .msg = *header},
    };

    return send(link->inner, &answer, sizeof(answer), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 ||
           (errno != EAGAIN && errno != ENOBUFS && errno != EINTR);
}

/* Answers what is open, as far as the host has room; the rest as soon as it has. */
static void fail_open(struct link *link)
{
    uint32_t failed = 0;

    while (failed < link->open_count && fail(link, &link->open[failed]))
        failed++;
    link->open_count -= failed;
    memmove(link->open, &link->open[failed], link->open_count * sizeof(link->open[0]));
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Spillway went away: what it was asked will not be answered by it. */
static void hang_up(struct link *link)
{
    close(link->outer);
    link->outer = -1;
    link->full = false;
    link->pause_ms = link->pause_ms == 0 ? DIAL_MS : 2 * link->pause_ms;
    if (link->pause_ms > DIAL_MOST_MS)
        link->pause_ms = DIAL_MOST_MS;
    link->dial_ms = now_ms() + link->pause_ms;
    fail_open(link);
}

/* Whether a request has an answer where it goes well. */
static bool is_answered(const struct nlmsghdr *asked)
{
    switch (asked->nlmsg_type) {
    case XFRM_MSG_GETSA:
    case XFRM_MSG_GETPOLICY:
    case XFRM_MSG_GETAE:
    case XFRM_MSG_GETSADINFO:
    case XFRM_MSG_GETSPDINFO:
    case XFRM_MSG_ALLOCSPI:
        return true;
    default:
        return (asked->nlmsg_flags & NLM_F_ACK) != 0;
    }
}

/* Notes the requests of a datagram. */
static void note_requests(struct link *link, size_t size)
{
    const struct nlmsghdr *header = (const struct nlmsghdr *)(const void *)request;
    size_t left = size;

    while (spill_xfrm_is_whole(header, left) &&
           link->open_count < sizeof(link->open) / sizeof(link->open[0])) {
        if (is_answered(header) || link->outer < 0)
            link->open[link->open_count++] = *header;
        header = spill_xfrm_next(header, &left);
    }
}

/* Whether a message is the last that is said to a request. */
static bool ends(const struct nlmsghdr *message, const struct nlmsghdr *asked)
{
    if (message->nlmsg_seq != asked->nlmsg_seq)
        return false;
    if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE)
        return true;
    return (message->nlmsg_flags & NLM_F_MULTI) == 0 && (asked->nlmsg_flags & NLM_F_ACK) == 0;
}

static void note_answers(struct link *link)
{
    const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)link->waiting;
    size_t left = link->waiting_size;
    uint32_t i;

    for (; spill_xfrm_is_whole(message, left); message = spill_xfrm_next(message, &left)) {
        for (i = 0; i < link->open_count && !ends(message, &link->open[i]); i++)
            continue;
        if (i < link->open_count)
            link->open[i] = link->open[--link->open_count];
    }
}

/* ------------------------------------------------------------------------------- carrying */

static const char *socket_path(void)
{
    const char *path = secure_getenv("SPILLWAY_XFRM");

    return path != NULL && path[0] != '\0' ? path : SPILL_XFRM_DEFAULT_PATH;
}

static void dial(struct link *link)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = socket_path();

    if (strlen(path) >= sizeof(address.sun_path))
        return;
    strcpy(address.sun_path, path);
    link->outer = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (link->outer < 0)
        return;
    link->told = false;
    if (connect(link->outer, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        close(link->outer);
        link->outer = -1;
    }
}

static void say_hello(struct link *link)
{
    const struct spill_xfrm_hello hello = {
        .header = {.nlmsg_len = sizeof(hello), .nlmsg_type = SPILL_XFRM_HELLO},
        .version = SPILL_XFRM_HELLO_VERSION,
        .port = link->port,
        .groups = link->groups,
    };

    if (send(link->outer, &hello, sizeof(hello), MSG_NOSIGNAL) == (ssize_t)sizeof(hello))
        link->told = true;
    else if (errno != EAGAIN)
        hang_up(link);
}

/* Whether spillway takes another request, of any size. */
static bool has_room(const struct link *link)
{
    struct pollfd polled = {.fd = link->outer, .events = POLLOUT};

    return poll(&polled, 1, 0) == 1;
}

/* The host has said something, or is done with its end. */
static void take_request(struct link *link)
{
    ssize_t size;

    link->full = link->outer >= 0 && !has_room(link);
    if (link->full)
        return;
    size = recv(link->inner, request, sizeof(request), MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) {
        forget_link(link);
        return;
    }
    if (size < (ssize_t)sizeof(struct nlmsghdr))
        return;
    note_requests(link, (size_t)size);
    if (link->outer >= 0 && send(link->outer, request, (size_t)size, MSG_NOSIGNAL) != size)
        hang_up(link);
    else if (link->outer < 0)
        fail_open(link);
    explicit_bzero(request, (size_t)size); /* it may have keys */
}

/* Gives the host what is there for it, as soon as it has room. */
static void hand_in(struct link *link)
{
    if (send(link->inner, link->waiting, link->waiting_size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
        errno == EAGAIN)
        return;
    note_answers(link);
    explicit_bzero(link->waiting, link->waiting_size);
    link->waiting_size = 0;
}

static void take_answer(struct link *link)
{
    const ssize_t size = recv(link->outer, link->waiting, sizeof(link->waiting), MSG_DONTWAIT);

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        hang_up(link);
        return;
    }
    link->pause_ms = 0;
    link->waiting_size = (size_t)size;
    hand_in(link);
}

/* What a link waits for. Two places: our end, and spillway's. */
static void expect(const struct link *link, struct pollfd polled[2])
{
    polled[0] = (struct pollfd){.fd = link->used ? link->inner : -1};
    polled[1] = (struct pollfd){.fd = link->used ? link->outer : -1};
    if (link->waiting_size > 0 || (link->outer < 0 && link->open_count > 0))
        polled[0].events = POLLOUT;
    else
        polled[1].events = POLLIN;
    /* What is asked after it was bound anew must not come before spillway knows. */
    if (link->outer >= 0 && (!link->told || link->full))
        polled[1].events |= POLLOUT;
    else if (link->open_count < OPEN_MAX)
        polled[0].events |= POLLIN;
}

static void carry(struct link *link, const struct pollfd polled[2])
{
    if (link->waiting_size > 0 && (polled[0].revents & POLLOUT) != 0)
        hand_in(link);
    if (link->outer < 0 && link->waiting_size == 0)
        fail_open(link);
    if (link->outer >= 0 && polled[1].fd == link->outer) {
        if ((polled[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && link->waiting_size == 0)
            take_answer(link);
        if (link->outer >= 0 && (polled[1].revents & POLLOUT) != 0) {
            link->full = false;
            if (!link->told)
                say_hello(link);
        }
    }
    /* Who has closed his end waits for no answer. */
    if (((polled[0].revents & POLLHUP) != 0 ||
         ((polled[0].revents & POLLIN) != 0 && link->open_count < OPEN_MAX)) &&
        (link->outer < 0 || link->told))
        take_request(link);
}

/* Fills in what is waited for. Returns whether spillway is to be reached for some. */
static bool prepare(struct pollfd *polled, int wake)
{
    bool is_away = false;

    polled[0] = (struct pollfd){.fd = wake, .events = POLLIN};
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        struct link *link = &links[i];

        /* What spillway was asked before it went away is answered first. */
        if (link->used && link->outer < 0 && link->open_count == 0 && now_ms() >= link->dial_ms)
            dial(link);
        if (link->used && link->outer >= 0 && !link->told)
            say_hello(link);
        is_away |= link->used && link->outer < 0;
        expect(link, &polled[1 + 2 * i]);
    }
    return is_away;
}

static void *relay(void *argument)
{
    static struct pollfd polled[1 + 2 * LINKS_MAX];
    const int wake = (int)(intptr_t)argument;
    uint64_t times;

    for (;;) {
        bool is_away;
        int count;

        pthread_mutex_lock(&lock);
        is_away = prepare(polled, wake);
        pthread_mutex_unlock(&lock);
        count = poll(polled, 1 + 2 * LINKS_MAX, is_away ? DIAL_MS : -1);
        if (count <= 0)
            continue;
        pthread_mutex_lock(&lock);
        if ((polled[0].revents & POLLIN) != 0 && read(wake, &times, sizeof(times)) < 0)
            polled[0].revents = 0;
        for (uint32_t i = 0; i < LINKS_MAX; i++) {
            if (links[i].used && links[i].inner == polled[1 + 2 * i].fd)
                carry(&links[i], &polled[1 + 2 * i]);
        }
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

/* ---------------------------------------------------------------------------- thread, forks */

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void after_fork_in_parent(void)
{
    pthread_mutex_unlock(&lock);
}

/* The child has our memory and descriptors, and no thread: it gets one when it uses a socket. The
 * connections are the parent's. */
static void after_fork_in_child(void)
{
    is_running = false;
    if (wake_up >= 0)
        close(wake_up);
    wake_up = -1;
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        spill_relay_forked |= links[i].used;
        if (links[i].used && links[i].outer >= 0)
            close(links[i].outer);
        links[i].outer = -1;
        links[i].open_count = 0;
        links[i].waiting_size = 0;
    }
    pthread_mutex_unlock(&lock);
}

static int start(void)
{
    sigset_t all, before;
    pthread_t thread;
    int status;

    if (is_running)
        return 0;
    if (!follows_forks &&
        pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) != 0)
        return -1;
    follows_forks = true;
    wake_up = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_up < 0)
        return -1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    status = pthread_create(&thread, NULL, relay, (void *)(intptr_t)wake_up);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (status != 0) {
        close(wake_up);
        wake_up = -1;
        errno = status;
        return -1;
    }
    pthread_detach(thread);
    is_running = true;
    spill_relay_forked = false;
    return 0;
}

static void wake(void)
{
    const uint64_t one = 1;

    if (wake_up >= 0 && write(wake_up, &one, sizeof(one)) < 0)
        return; /* it is woken as often as can be counted */
}

/* --------------------------------------------------------------------------------- sockets */

static struct link *find(int descriptor)
{
    struct stat status;

    if (fstat(descriptor, &status) != 0 || !S_ISSOCK(status.st_mode))
        return NULL;
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        if (links[i].used && links[i].inode == status.st_ino)
            return &links[i];
    }
    return NULL;
}

static struct link *free_link(void)
{
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        if (!links[i].used)
            return &links[i];
    }
    return NULL;
}

/* Of the first socket the process's id, as the kernel gives it; of others something else. */
static uint32_t choose_port(void)
{
    return (uint32_t)getpid() + (last_serial++ % 512 << 22);
}

static int open_link(struct link *link, int flags)
{
    struct stat status;
    int pair[2];

    /* Datagrams with their ends, and without addresses. */
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    if (fstat(pair[0], &status) != 0)
        goto failed;
    if ((flags & SOCK_CLOEXEC) == 0 && fcntl(pair[0], F_SETFD, 0) != 0)
        goto failed;
    if ((flags & SOCK_NONBLOCK) != 0 && fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0)
        goto failed;
    *link = (struct link){
        .used = true, .inode = status.st_ino, .inner = pair[1], .outer = -1, .port = choose_port()};
    return pair[0];
failed:
    close(pair[0]);
    close(pair[1]);
    return -1;
}

int spill_relay_socket(int flags)
{
    struct link *link;
    int descriptor = -1;

    pthread_mutex_lock(&lock);
    link = free_link();
    if (link == NULL)
        errno = EMFILE;
    else if (start() == 0)
        descriptor = open_link(link, flags);
    wake();
    pthread_mutex_unlock(&lock);
    return descriptor;
}

bool spill_relay_has(int descriptor)
{
    bool has;

    pthread_mutex_lock(&lock);
    has = last_serial > 0 && find(descriptor) != NULL;
    pthread_mutex_unlock(&lock);
    return has;
}

static void change(int descriptor, uint32_t port, uint32_t more, uint32_t kept)
{
    struct link *link;

    pthread_mutex_lock(&lock);
    link = find(descriptor);
    if (link != NULL) {
        if (port != 0)
            link->port = port;
        link->groups = (link->groups & kept) | more;
        link->told = false;
        wake();
    }
    pthread_mutex_unlock(&lock);
}

void spill_relay_bind(int descriptor, uint32_t port, uint32_t groups)
{
    change(descriptor, port, groups, 0);
}

void spill_relay_join(int descriptor, uint32_t group, bool joins)
{
    const uint32_t bit = UINT32_C(1) << (group - 1);

    change(descriptor, 0, joins ? bit : 0, ~bit);
}

void spill_relay_name(int descriptor, uint32_t *port, uint32_t *groups)
{
    const struct link *link;

    pthread_mutex_lock(&lock);
    link = find(descriptor);
    *port = link != NULL ? link->port : 0;
    *groups = link != NULL ? link->groups : 0;
    pthread_mutex_unlock(&lock);
}

void spill_relay_use(int descriptor)
{
    pthread_mutex_lock(&lock);
    if (!is_running && find(descriptor) != NULL && start() == 0)
        wake();
    pthread_mutex_unlock(&lock);
}
