/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "lib/local.h"

static const int watched[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};

#define NWATCHED (sizeof watched / sizeof watched[0])

/* A handler has no other way to know anything. */
static struct {
    int pipe[2];
    int say; /* -1: nothing is said */
    volatile sig_atomic_t count;
    volatile sig_atomic_t first;
    struct sigaction before[NWATCHED];
    struct sigaction before_pipe;
} state = {.pipe = {-1, -1}};

static void
say(const char *text)
{
    if (write(state.say, text, strlen(text)) < 0)
        return; /* nobody listens */
}

static void
on_signal(int signal)
{
    int saved = errno;

    state.count++;
    if (state.count == 1)
        state.first = signal;
    if (state.count == 1 && state.say >= 0)
        say(local_in_call ? "\ncancelling when the function in this process "
                            "returns; again ends it now\n"
                          : "\ncancelling; again kills\n");
    if (write(state.pipe[1], "", 1) < 0 || state.count > 2 ||
        (state.count > 1 && (local_in_call || state.say < 0)))
        _exit(128 + signal);
    errno = saved;
}

/* As many as it takes to kill; no more, which would leave a mess. */
static void
on_kill(int signal)
{
    (void)signal;
    while (state.count < 2)
        on_signal(SIGTERM);
}

int
signals_begin(const struct term *term, int *fd, struct err *err)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    if (pipe2(state.pipe, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_system(err, "can't make a pipe");
    state.say = term ? term->fd : -1;
    state.count = state.first = 0;
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < NWATCHED; i++)
        (void)sigaddset(&action.sa_mask, watched[i]);
    for (size_t i = 0; i < NWATCHED; i++) {
        (void)sigaction(watched[i], NULL, &state.before[i]);
        if (watched[i] == SIGUSR1)
            action.sa_handler = on_kill;
        /* nohup and a shell's background jobs want them ignored. */
        if (state.before[i].sa_handler != SIG_IGN)
            (void)sigaction(watched[i], &action, NULL);
    }
    /* A reader that goes away must not take the run with it. */
    (void)sigaction(SIGPIPE, &ignore, &state.before_pipe);
    *fd = state.pipe[0];
    return 0;
}

int
signals_first(void)
{
    return state.first;
}

void
signals_end(void)
{
    for (size_t i = 0; i < NWATCHED; i++)
        (void)sigaction(watched[i], &state.before[i], NULL);
    (void)sigaction(SIGPIPE, &state.before_pipe, NULL);
    (void)close(state.pipe[0]);
    (void)close(state.pipe[1]);
    state.pipe[0] = state.pipe[1] = -1;
}
