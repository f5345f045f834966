/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control sockets: who may connect, and how many at a time. Folder and mode of a socket keep
 * others away; that it is the same user is asked of the kernel besides.
 */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_eal.h>

#include "control/commands_client.h"
#include "control/listener.h"
#include "control/log.h"
#include "control/steps.h"
#include "control/watching.h"
#include "program.h"

#define CLIENTS_MAX 16
#define READERS_MAX 12 /* of them, who may not command: they keep nobody out who may */

struct spill_commands {
    struct spill_program *program;
    struct spill_listener configured, usual; /* where spillwayctl looks, who is not told where */
    struct spill_command_client clients[CLIENTS_MAX];
};

/* ------------------------------------------------------------------------------- accepting */

/* One too many is told so if it takes that at once. */
static void turn_away(int descriptor)
{
    static const char answer[] =
        "{\"version\": 1, \"done\": false, \"error\": \"too many clients at this moment\"}\n";
    ssize_t sent __rte_unused =
        send(descriptor, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);

    close(descriptor);
}

static void take_in(void *context, int descriptor, bool own)
{
    struct spill_commands *commands = context;
    const bool refused = !own && commands->program->options.control_group[0] == '\0';
    uint32_t i;

    for (i = 0; i < (own ? CLIENTS_MAX : READERS_MAX); i++) {
        if (commands->clients[i].descriptor < 0) {
            spill_command_client_open(
                &commands->clients[i], commands->program, descriptor, !own,
                refused ? "only root and its own user may command this spillway" : NULL);
            return;
        }
    }
    turn_away(descriptor);
}

/* --------------------------------------------------------------------------------- outcomes */

void spill_program_tell_reload_begun(struct spill_program *program, enum spill_reload_wish wish)
{
    static const enum spill_client_state waits[] = {[SPILL_WISH_RELOAD] =
                                                        SPILL_CLIENT_RELOAD_WANTED,
                                                    [SPILL_WISH_TRIAL] = SPILL_CLIENT_TRIAL_WANTED,
                                                    [SPILL_WISH_CHECK] = SPILL_CLIENT_CHECK_WANTED};
    struct spill_commands *commands = program->commands;

    for (uint32_t i = 0; commands != NULL && i < CLIENTS_MAX; i++) {
        struct spill_command_client *client = &commands->clients[i];

        if (client->descriptor >= 0 && client->state == waits[wish])
            client->state = SPILL_CLIENT_UNDER_WAY;
    }
}

void spill_program_tell_reload_over(struct spill_program *program,
                                    const struct spill_command_outcome *outcome)
{
    struct spill_commands *commands = program->commands;

    for (uint32_t i = 0; commands != NULL && i < CLIENTS_MAX; i++) {
        struct spill_command_client *client = &commands->clients[i];

        if (client->descriptor >= 0 && client->state == SPILL_CLIENT_UNDER_WAY)
            spill_command_client_tell(client, outcome);
    }
}

/* ------------------------------------------------------------------------ from when to when */

static int listen_at(struct spill_listener *listener, const char *path, struct spill_error *error)
{
    return spill_listener_open(listener, path, SOCK_STREAM, CLIENTS_MAX, error);
}

/* Lets the group connect, which the folder must let pass, too. */
static int open_to_group(const struct spill_listener *listener, const char *name,
                         struct spill_error *error)
{
    const struct group *group;

    if (name[0] == '\0')
        return 0;
    group = getgrnam(name);
    if (group == NULL)
        return spill_error_set(error, "control-group '%s': there is no such group", name);
    if (chown(listener->address.sun_path, (uid_t)-1, group->gr_gid) != 0 ||
        chmod(listener->address.sun_path, S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP) != 0)
        return spill_error_set(error, "control-group '%s': %s", name, strerror(errno));
    return 0;
}

static bool is_same_file(const char *path, const char *other)
{
    struct stat one, two;

    return stat(path, &one) == 0 && stat(other, &two) == 0 && one.st_dev == two.st_dev &&
           one.st_ino == two.st_ino;
}

/* Beside one that is configured this one's lack is no loss but for spillwayctl without --socket. */
static void listen_at_usual(struct spill_commands *commands, const char *given)
{
    struct spill_error error;
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/control", rte_eal_get_runtime_dir());
    if (given != NULL && is_same_file(path, given))
        return;
    if (listen_at(&commands->usual, path, &error) != 0)
        SPILL_LOG(WARNING, "%s: commands are not heard%s", error.text,
                  given != NULL ? " there" : "");
}

int spill_program_open_commands(struct spill_program *program, struct spill_error *error)
{
    const char *given = program->options.control_socket;
    struct spill_commands *commands = calloc(1, sizeof(*commands));

    if (commands == NULL)
        return spill_error_set(error, "no memory for the control socket");
    commands->program = program;
    commands->configured = commands->usual = (struct spill_listener){.what = "control-socket",
                                                                     .events = &program->events,
                                                                     .connected = take_in,
                                                                     .context = commands,
                                                                     .descriptor = -1};
    for (uint32_t i = 0; i < CLIENTS_MAX; i++)
        commands->clients[i].descriptor = -1;
    program->commands = commands;
    if (given != NULL &&
        (listen_at(&commands->configured, given, error) != 0 ||
         open_to_group(&commands->configured, program->options.control_group, error) != 0))
        return -1;
    listen_at_usual(commands, given);
    return 0;
}

/* Who waits for an outcome is told that there is none. */
static void end_client(struct spill_command_client *client)
{
    if (client->descriptor >= 0 && client->state != SPILL_CLIENT_ASKS &&
        client->state != SPILL_CLIENT_TAKES)
        spill_command_client_tell(client,
                                  &(struct spill_command_outcome){.error = "the program ends"});
    if (client->descriptor >= 0)
        spill_command_client_close(client);
}

void spill_program_close_commands(struct spill_program *program)
{
    struct spill_commands *commands = program->commands;

    if (commands == NULL)
        return;
    spill_watching_close(program);
    program->commands = NULL;
    spill_listener_close(&commands->configured);
    spill_listener_close(&commands->usual);
    for (uint32_t i = 0; i < CLIENTS_MAX; i++)
        end_client(&commands->clients[i]);
    free(commands);
}
