/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Metrics over HTTP, for Prometheus: each GET /metrics asks the program, and is answered in
 * OpenMetrics or the format before it, as the client says. One thread serves, so the program is
 * asked by one at a time. Clients are bounded in number, memory and time.
 */
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "command.h"
#include "control_socket.h"
#include "instance.h"

#define LISTEN_AT      "127.0.0.1:9464"
#define CLIENTS_MAX    32
#define CLIENT_SECONDS 10
#define CLIENT_MEMORY  ((size_t)16 * 1024) /* bytes, of its request */
#define ASK_SECONDS    5

#define OPENMETRICS "application/openmetrics-text"

/* ------------------------------------------------------------------------------- answering */

/* @param text  from malloc(), given away */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
                              char *text)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    enum MHD_Result result = MHD_NO;

    if (response == NULL) {
        free(text);
        return MHD_NO;
    }
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES)
        result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_words(struct MHD_Connection *connection, unsigned status,
                                    const char *words)
{
    char *text;

    return asprintf(&text, "%s\n", words) < 0
               ? MHD_NO
               : answer(connection, status, "text/plain; charset=utf-8", text);
}

/* Named, and not with the quality 0. */
static bool accepts_openmetrics(const char *accept)
{
    const char *type = accept != NULL ? strstr(accept, OPENMETRICS) : NULL;
    const char *quality = type != NULL ? memmem(type, strcspn(type, ","), "q=", 2) : NULL;

    return type != NULL &&
           (quality == NULL || isdigit((unsigned char)quality[2 + strspn(quality + 2, "0.")]));
}

static enum MHD_Result answer_metrics(struct MHD_Connection *connection, const char *path)
{
    const char *accept =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    const bool open = accepts_openmetrics(accept);
    struct spill_error error = {.text = ""};
    json_t *told = spill_ctl_control_do(path, "metrics", open ? "openmetrics" : "prometheus",
                                        ASK_SECONDS, &error);
    const char *text = json_string_value(json_object_get(told, "text"));
    char *copy = text != NULL ? strdup(text) : NULL;

    json_decref(told);
    if (copy == NULL)
        return answer_words(connection, MHD_HTTP_SERVICE_UNAVAILABLE, error.text);
    return answer(connection, MHD_HTTP_OK,
                  open ? OPENMETRICS "; version=1.0.0; charset=utf-8"
                       : "text/plain; version=0.0.4; charset=utf-8",
                  copy);
}

/* Called with the head of a request, then with what else it sends, and at its end. */
static enum MHD_Result serve(void *path, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, const char *upload,
                             size_t *upload_size, void **state)
{
    const bool begins = *state == NULL, ends = !begins && *upload_size == 0;

    (void)version, (void)upload;
    *state = path;
    *upload_size = 0; /* what a GET sends is not looked at */
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_words(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "expected GET");
    if (!ends)
        return MHD_YES;
    if (strcmp(url, "/metrics") != 0)
        return answer_words(connection, MHD_HTTP_NOT_FOUND, "expected /metrics");
    return answer_metrics(connection, path);
}

/* ------------------------------------------------------------------------------- listening */

#define PORT_MAX 65535

static bool is_port(const char *text)
{
    char *end;
    const unsigned long number = strtoul(text, &end, 10);

    return isdigit((unsigned char)*text) && *end == '\0' && number > 0 && number <= PORT_MAX;
}

/* ADDRESS:PORT, or [ADDRESS]:PORT where the address has colons. */
static struct addrinfo *address_of(const char *listen, struct spill_error *error)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    const char *colon = strrchr(listen, ':');
    const size_t length = colon != NULL ? (size_t)(colon - listen) : 0;
    const bool brackets = length > 2 && listen[0] == '[' && colon[-1] == ']';
    struct addrinfo *address = NULL;
    char host[64];

    if (length > 0 && length < sizeof(host) && is_port(colon + 1)) {
        snprintf(host, sizeof(host), "%.*s", (int)length - 2 * brackets, listen + brackets);
        if (brackets == (strchr(host, ':') != NULL) &&
            getaddrinfo(host, colon + 1, &hints, &address) == 0)
            return address;
    }
    spill_error_set(
        error, "--listen '%s': expected ADDRESS:PORT, such as " LISTEN_AT " or [::1]:9464", listen);
    return NULL;
}

static struct MHD_Daemon *start(const struct addrinfo *address, char *path)
{
    const unsigned flags = MHD_USE_AUTO_INTERNAL_THREAD |
                           (address->ai_family == AF_INET6 ? MHD_USE_IPv6 : MHD_NO_FLAG);

    return MHD_start_daemon(flags, 0, NULL, NULL, serve, path, MHD_OPTION_SOCK_ADDR,
                            address->ai_addr, MHD_OPTION_CONNECTION_LIMIT, CLIENTS_MAX,
                            MHD_OPTION_CONNECTION_TIMEOUT, CLIENT_SECONDS,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, CLIENT_MEMORY, MHD_OPTION_END);
}

/* Blocked in all threads, before there is another one. */
static void wait_for_signal(const sigset_t *set)
{
    int signal;

    while (sigwait(set, &signal) != 0)
        continue;
}

enum spill_ctl_status spill_ctl_export(const struct spill_ctl_request *request, FILE *out,
                                       struct spill_error *error)
{
    const char *listen =
        request->values[SPILL_CTL_LISTEN] != NULL ? request->values[SPILL_CTL_LISTEN] : LISTEN_AT;
    struct MHD_Daemon *daemon;
    struct addrinfo *address;
    char path[PATH_MAX];
    sigset_t set;

    if (spill_ctl_instance_path(request, "control", path, error) != 0)
        return SPILL_CTL_FAILED;
    address = address_of(listen, error);
    if (address == NULL)
        return SPILL_CTL_USAGE;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    daemon = start(address, path);
    freeaddrinfo(address);
    if (daemon == NULL) {
        spill_error_set(error, "--listen '%s': %s", listen, strerror(errno));
        return SPILL_CTL_FAILED;
    }
    fprintf(out, "metrics of %s at http://%s/metrics\n", path, listen);
    fflush(out);
    wait_for_signal(&set);
    MHD_stop_daemon(daemon);
    return SPILL_CTL_DONE;
}
