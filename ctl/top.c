/* SPDX-License-Identifier: BSD-3-Clause */
/* The live screen: a report each second, and what happened since the one before. */
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ncurses.h>

#include "command.h"
#include "control_socket.h"
#include "frame.h"
#include "instance.h"

#define INTERVAL_MS 1000
#define ASK_SECONDS 5

/* What top has of the program: two reports, the newer one behind the other. */
struct watch {
    const char *name;
    char path[PATH_MAX];
    json_t *before, *after;
};

static int look(struct watch *watch, struct spill_error *error)
{
    json_t *answer = spill_ctl_control_do(watch->path, "report", NULL, ASK_SECONDS, error);

    if (answer == NULL)
        return -1;
    json_decref(watch->before);
    watch->before = watch->after;
    watch->after = json_incref(json_object_get(answer, "report"));
    json_decref(answer);
    return 0;
}

/* --------------------------------------------------------------------------------- screen */

static void draw(const struct watch *watch)
{
    char *text = NULL, *rest, *line;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    bool heading = true;

    if (out == NULL)
        return;
    spill_ctl_frame_print(watch->before, watch->after, watch->name, (unsigned)LINES, out);
    fclose(out);
    erase();
    rest = text;
    for (int row = 0; row < LINES && (line = strsep(&rest, "\n")) != NULL; row++) {
        attrset(heading ? A_REVERSE : A_NORMAL);
        mvprintw(row, 0, "%-*.*s", heading ? COLS : 0, COLS, line);
        heading = line[0] == '\0';
    }
    refresh();
    free(text);
}

/* Until a key says so; others, as one that says that the screen has another size, have it drawn. */
static int watch_screen(struct watch *watch, struct spill_error *error)
{
    int key, status;

    setlocale(LC_ALL, "");
    initscr();
    cbreak();
    noecho();
    curs_set(0);
    keypad(stdscr, TRUE);
    timeout(INTERVAL_MS);
    do {
        draw(watch);
        key = getch();
        status = key == ERR ? look(watch, error) : 0;
    } while (status == 0 && key != 'q');
    endwin();
    return status;
}

/* ----------------------------------------------------------------------------------- text */

static int print_once(struct watch *watch, FILE *out, struct spill_error *error)
{
    usleep(INTERVAL_MS * 1000);
    if (look(watch, error) != 0)
        return -1;
    return spill_ctl_frame_print(watch->before, watch->after, watch->name, UINT_MAX, out) == 0
               ? 0
               : spill_error_set(error, "no memory");
}

enum spill_ctl_status spill_ctl_top(const struct spill_ctl_request *request, FILE *out,
                                    struct spill_error *error)
{
    const bool once = (request->given & SPILL_CTL_TAKES(ONCE)) != 0 || !isatty(STDOUT_FILENO);
    struct watch watch = {.name = request->values[SPILL_CTL_NAME]};
    int status = spill_ctl_instance_path(request, "control", watch.path, error);

    if (watch.name == NULL)
        watch.name = "spillway";
    if (status == 0)
        status = look(&watch, error);
    if (status == 0)
        status = once ? print_once(&watch, out, error) : watch_screen(&watch, error);
    json_decref(watch.before);
    json_decref(watch.after);
    return status == 0 ? SPILL_CTL_DONE : SPILL_CTL_FAILED;
}
