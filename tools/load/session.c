/* SPDX-License-Identifier: BSD-3-Clause */
/* Which trials there are, and the wait for each. */
#include "session.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_launch.h>

#include "report.h"

#define TICK_NS 1000000
/* A link is asked this seldom, in ticks: some drivers make a system call of it. */
#define LINK_TICKS 10

static volatile sig_atomic_t signalled;
static const char by_signal[] = "signal", by_link[] = "link", by_memory[] = "memory";

static void take_signal(int number)
{
    (void)number;
    signalled = 1;
}

int spill_load_session_listen(struct spill_error *error)
{
    /* The second one finds the default. */
    struct sigaction action = {.sa_handler = take_signal, .sa_flags = (int)SA_RESETHAND};

    if (sigaction(SIGTERM, &action, NULL) != 0 || sigaction(SIGINT, &action, NULL) != 0 ||
        signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return spill_error_set(error, "signals can't be received: %s", strerror(errno));
    return 0;
}

static uint64_t cycles(uint64_t nanoseconds)
{
    return (uint64_t)((double)nanoseconds * (double)rte_get_tsc_hz() / 1e9);
}

/* A tick of the control thread. @return whether the run goes on */
static bool tick(struct spill_load_session *session)
{
    const struct timespec time = {.tv_nsec = TICK_NS};

    nanosleep(&time, NULL);
    if (signalled)
        spill_token_cancel(&session->bench->stop, by_signal);
    return !spill_token_cancelled(&session->bench->stop);
}

int spill_load_session_wait(struct spill_load_session *session, struct spill_error *error)
{
    const uint64_t wait_ns = session->bench->options->wait_ns;
    const uint64_t deadline = rte_rdtsc() + cycles(wait_ns);
    const struct spill_port *down;

    while ((down = spill_load_bench_down(session->bench)) != NULL && tick(session)) {
        if (rte_rdtsc() >= deadline)
            return spill_error_set(error,
                                   "port %s: %s has no link within --wait: is its peer "
                                   "there?",
                                   down->name, down->device.name);
    }
    return 0;
}

struct job {
    struct spill_load_line line;
    struct spill_load_trial *trial;
};

static int poll_ports(void *argument)
{
    struct job *job = argument;

    spill_load_trial_run(&job->line, job->trial);
    return 0;
}

/* Runs a trial on the polling lcore, and listens meanwhile. */
static void run_trial(struct spill_load_session *session, struct spill_load_trial *trial)
{
    struct spill_load_bench *bench = session->bench;
    struct job job = {
        .line = {.out = bench->ports[0].id,
                 .in = bench->ports[bench->port_count - 1].id,
                 .pool = bench->send_pool,
                 .traffic = bench->traffic,
                 .stop = &bench->stop,
                 .turns = &bench->turns,
                 .hz = rte_get_tsc_hz()},
        .trial = trial,
    };

    if (rte_eal_remote_launch(poll_ports, &job, bench->lcore) != 0)
        return;
    for (unsigned ticks = 1; rte_eal_get_lcore_state(bench->lcore) == RUNNING; ticks++) {
        tick(session);
        if (ticks % LINK_TICKS == 0 && spill_load_bench_down(bench) != NULL)
            spill_token_cancel(&bench->stop, by_link);
    }
    rte_eal_wait_lcore(bench->lcore);
}

/* A new trial, run and shown; NULL when there is no room or memory for it. */
static struct spill_load_trial *add_trial(struct spill_load_session *session, const char *purpose,
                                          double rate, double share)
{
    const struct spill_load_options *options = session->bench->options;
    struct spill_load_trial *trial = NULL;

    if (session->count < SPILL_LOAD_TRIALS_MAX)
        trial = spill_load_trial_create(options->class_count);
    if (trial == NULL) {
        spill_token_cancel(&session->bench->stop, by_memory);
        return NULL;
    }
    session->trials[session->count++] = trial;
    trial->purpose = purpose;
    trial->asked_rate = rate;
    trial->share = share;
    trial->duration = cycles(options->rfc2544 ? options->trial_ns : options->duration_ns);
    trial->warm_up = cycles(options->warm_up_ns);
    run_trial(session, trial);
    return trial;
}

static struct spill_load_outcome attempt(double rate, void *argument)
{
    struct spill_load_session *session = argument;
    const double loss = session->bench->options->loss;
    struct spill_load_trial *trial = add_trial(session, "search", rate, 0);
    struct spill_load_outcome outcome = {.stopped = true};

    if (trial == NULL)
        return outcome;
    outcome = (struct spill_load_outcome){
        .asked = trial->asked,
        .sent = spill_load_trial_sent(trial),
        .tx_full = trial->tx_full,
        .received = spill_load_trial_received(trial),
        .stopped = spill_token_cancelled(&session->bench->stop),
    };
    outcome.rate = spill_load_trial_rate(trial, outcome.sent, rte_get_tsc_hz());
    trial->passed = !outcome.stopped && spill_load_passes(&outcome, loss);
    spill_load_print_trial(session->bench->options, trial);
    return outcome;
}

static void show_trial(struct spill_load_session *session, const char *purpose, double rate,
                       double share)
{
    const struct spill_load_trial *trial = add_trial(session, purpose, rate, share);

    if (trial != NULL)
        spill_load_print_trial(session->bench->options, trial);
}

/* Where the search begins. */
static double highest_rate(struct spill_load_session *session)
{
    const struct spill_load_trial *trial;

    if (session->bench->options->most > 0)
        return session->bench->options->most;
    show_trial(session, "most", 0, 0);
    if (session->count == 0)
        return 0;
    trial = session->trials[0];
    return spill_load_trial_rate(trial, spill_load_trial_sent(trial), rte_get_tsc_hz());
}

static void run_search(struct spill_load_session *session)
{
    const struct spill_load_options *options = session->bench->options;
    const double highest = highest_rate(session);

    if (highest > 0 && !spill_token_cancelled(&session->bench->stop))
        session->found = spill_load_search(highest, options->loss, attempt, session);
    for (unsigned i = 0; i < options->latency_count && session->found.rate > 0; i++) {
        if (spill_token_cancelled(&session->bench->stop))
            break;
        show_trial(session, "latency", session->found.rate * options->latency_at[i],
                   options->latency_at[i]);
    }
}

int spill_load_session_run(struct spill_load_session *session, struct spill_error *error)
{
    const struct spill_load_options *options = session->bench->options;
    const char *reason;

    spill_load_print_heading();
    if (options->rfc2544)
        run_search(session);
    else
        show_trial(session, "load", options->rate, 0);
    reason = spill_token_reason(&session->bench->stop);
    session->end = reason != NULL ? reason : "done";
    if (options->rfc2544)
        spill_load_print_found(session);
    if (reason == by_link)
        return spill_error_set(error, "a link went down: the peer has left");
    if (reason == by_memory)
        return spill_error_set(error, "no memory for another trial");
    return 0;
}

void spill_load_session_free(struct spill_load_session *session)
{
    for (unsigned i = 0; i < session->count; i++)
        free(session->trials[i]);
}
