/* SPDX-License-Identifier: MPL-2.0 */
#include "exec/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "exec/program.h"

/*
 * What runs in a vfork child shares this process's memory but has a stack that
 * the address sanitizer knows nothing of, and never returns from it.
 */
#define IN_CHILD __attribute__((no_sanitize_address))

#define STANDARD_SIGNALS 31

#define EXIT_CHILD 127 /* never seen: the parent reads the step instead */

enum step { STEP_NONE, STEP_STDIO, STEP_CHDIR, STEP_EXEC };

struct start {
    const struct spawn *spawn;
    const char *path;
    pid_t parent;
    /* Written by the child. */
    enum step step;
    int code; /* errno */
};

/*
 * Those from `first` on that are ignored now or, of standard ones, handled: to
 * set all back in each child is half of all its system calls. Of real-time
 * signals, for which this process has hardly a use, being ignored is all that
 * matters to a command: execve takes handlers away, and nobody sends one
 * before.
 */
static void
find_signals(sigset_t *signals, int first)
{
    struct sigaction action;

    for (int sig = first; sig <= SIGRTMAX; sig++) {
        if (sigaction(sig, NULL, &action) == 0 &&
            (action.sa_handler == SIG_IGN ||
             (sig < SIGRTMIN && action.sa_handler != SIG_DFL)))
            (void)sigaddset(signals, sig);
    }
}

void
spawn_init(struct spawn_context *self)
{
    (void)sigemptyset(&self->signals);
    for (int sig = 1; sig <= STANDARD_SIGNALS; sig++)
        (void)sigaddset(&self->signals, sig);
    find_signals(&self->signals, SIGRTMIN);
    self->stack = mem_alloc(1, SPAWN_STACK);
    (void)getrlimit(RLIMIT_CORE, &self->core);
    (void)getrlimit(RLIMIT_RTTIME, &self->rtime);
}

void
spawn_keep_signals(struct spawn_context *self)
{
    (void)sigemptyset(&self->signals);
    find_signals(&self->signals, 1);
}

void
spawn_release(struct spawn_context *self)
{
    free(self->stack);
    self->stack = NULL;
}

/* Also for signals that are ignored: execve would leave those so. */
IN_CHILD static void
reset_signals(const struct spawn *spawn)
{
    const sigset_t *signals = &spawn->context->signals;
    const int most = SIGRTMAX;
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    for (int sig = 1; sig <= most; sig++) {
        if (spawn->spec->call || sigismember(signals, sig) > 0)
            (void)sigaction(sig, &action, NULL);
    }
}

IN_CHILD static void
set_limits(const struct spawn *spawn)
{
    struct rlimit limit = spawn->context->core;

    limit.rlim_cur = 0;
    (void)setrlimit(RLIMIT_CORE, &limit);
    if (spawn->context->set_files)
        (void)setrlimit(RLIMIT_NOFILE, &spawn->context->files);
    if (spawn->mark) {
        limit = spawn->context->rtime;
        limit.rlim_cur = spawn->mark;
        (void)setrlimit(RLIMIT_RTTIME, &limit);
    }
}

IN_CHILD static int
failed(struct start *self, enum step step)
{
    self->step = step;
    self->code = errno;
    return -1;
}

/*
 * Put what is passed at 3 and on; they may be in each other's place. Returns
 * the first descriptor that is free, or -1.
 */
IN_CHILD static int
pass_descriptors(const int pass[EXEC_PASS_COUNT])
{
    int above[EXEC_PASS_COUNT];
    int next = 3;

    for (int i = 0; i < EXEC_PASS_COUNT; i++) {
        above[i] = pass[i] > 0 ? fcntl(pass[i], F_DUPFD, SPAWN_ABOVE) : -1;
        if (pass[i] > 0 && above[i] < 0)
            return -1;
    }
    for (int i = 0; i < EXEC_PASS_COUNT; i++) {
        if (above[i] < 0)
            (void)close(3 + i);
        else if (dup2(above[i], 3 + i) < 0)
            return -1;
        else
            next = 4 + i;
    }
    return next;
}

/* 0, 1, 2, those that are passed, and no others. */
IN_CHILD static int
set_descriptors(const struct spawn *spawn)
{
    int next;

    for (int fd = 0; fd < 3; fd++) {
        if (dup2(spawn->fds[fd], fd) < 0)
            return -1;
    }
    if (spawn->spec->call)
        next = dup2(spawn->result, 3) < 0 ? -1 : 4;
    else
        next = pass_descriptors(spawn->spec->pass);
    return next < 0 ? -1 : close_range((unsigned)next, ~0U, 0);
}

/* All that a command and a call have in common. */
IN_CHILD static int
set_up(struct start *self)
{
    const struct spawn *spawn = self->spawn;
    const char *cwd = spawn->spec->cwd;

    reset_signals(spawn);
    (void)setsid();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != self->parent)
        _exit(EXIT_CHILD); /* it died before it could be watched */
    if (set_descriptors(spawn) < 0)
        return failed(self, STEP_STDIO);
    if (cwd && chdir(cwd) < 0)
        return failed(self, STEP_CHDIR);
    set_limits(spawn);
    return 0;
}

IN_CHILD static void
unblock_signals(void)
{
    sigset_t none;

    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* execve takes what it does not change as char *const *. */
IN_CHILD static char *const *
unconst(const char *const *list)
{
    union {
        const char *const *in;
        char *const *out;
    } u = {list};

    return u.out;
}

IN_CHILD static int
run_command(void *arg)
{
    struct start *self = arg;
    const struct exec_spec *spec = self->spawn->spec;

    if (set_up(self) == 0) {
        unblock_signals();
        (void)execve(self->path, unconst(spec->argv), unconst(spec->envp));
        (void)failed(self, STEP_EXEC);
    }
    _exit(EXIT_CHILD);
}

static void
block_signals(sigset_t *old)
{
    sigset_t all;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, old);
}

static int
explain_start(int code, struct err *err)
{
    errno = code;
    (void)err_system(err, "can't start a process");
    err->code = ERR_UNAVAILABLE;
    return -1;
}

static int
explain(const struct start *self, struct err *err)
{
    const struct exec_spec *spec = self->spawn->spec;

    errno = self->code;
    if (self->step == STEP_CHDIR) {
        (void)err_system(err, "can't change to directory `%s`", spec->cwd);
        return -1;
    }
    if (self->step == STEP_EXEC)
        return program_explain(self->code, self->path, spec->argv, spec->envp,
                               spec->cwd, err);
    return explain_start(self->code, err);
}

static int
start_command(const struct spawn *self, struct spawned *ret, struct err *err)
{
    struct start start = {.spawn = self, .parent = getpid()};
    const struct exec_spec *spec = self->spec;
    char *path = NULL;
    int pidfd = -1;
    sigset_t old;
    pid_t pid;
    int code;

    if (program_find(spec->argv[0], spec->envp, spec->cwd, &path, err) < 0)
        return -1;
    start.path = path;
    block_signals(&old);
    /* No page tables to copy, so the cost does not grow with this process. */
    pid = clone(run_command, (char *)self->context->stack + SPAWN_STACK,
                CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &start, &pidfd);
    code = errno;
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (pid < 0) {
        (void)explain_start(code, err);
    } else if (start.step != STEP_NONE) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        (void)close(pidfd);
        pid = -1;
        (void)explain(&start, err);
    }
    free(path);
    if (pid < 0)
        return -1;
    *ret = (struct spawned){pid, pidfd};
    return 0;
}

/* What exit() does in a forked child: nothing of the parent's. */
static void
leave(int code, void *arg)
{
    (void)arg;
    (void)fflush(stdout);
    (void)fflush(stderr);
    _exit(code);
}

static void
send_result(const struct buf *result)
{
    size_t at = 0;

    while (at < result->len) {
        ssize_t n = write(3, result->data + at, result->len - at);

        if (n < 0 && errno != EINTR)
            return;
        if (n > 0)
            at += (size_t)n;
    }
}

static void __attribute__((noreturn)) run_call(struct start *self)
{
    const struct exec_spec *spec = self->spawn->spec;
    struct buf result = {0};
    int code;

    if (set_up(self) < 0) {
        (void)dprintf(STDERR_FILENO, "can't begin the call: %s\n",
                      strerror(self->code));
        _exit(EXIT_CHILD);
    }
    unblock_signals();
    (void)on_exit(leave, NULL);
    code = spec->call(spec->arg, &result);
    (void)fflush(stdout);
    (void)fflush(stderr);
    send_result(&result);
    _exit(code & 0xff);
}

static int
start_call(const struct spawn *self, struct spawned *ret, struct err *err)
{
    struct start start = {.spawn = self, .parent = getpid()};
    sigset_t old;
    int pidfd;
    pid_t pid;
    int code;

    /* The child could not hand this back. */
    if (self->spec->cwd && access(self->spec->cwd, X_OK) < 0) {
        (void)failed(&start, STEP_CHDIR);
        return explain(&start, err);
    }
    /* What is buffered here must not come out there. */
    (void)fflush(stdout);
    (void)fflush(stderr);
    block_signals(&old);
    pid = fork();
    if (pid == 0)
        run_call(&start);
    code = errno;
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (pid < 0)
        return explain_start(code, err);
    pidfd = pidfd_open(pid, 0);
    if (pidfd < 0) {
        code = errno;
        (void)kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        return explain_start(code, err);
    }
    *ret = (struct spawned){pid, pidfd};
    return 0;
}

int
spawn_start(const struct spawn *self, struct spawned *ret, struct err *err)
{
    return self->spec->argv ? start_command(self, ret, err)
                            : start_call(self, ret, err);
}
