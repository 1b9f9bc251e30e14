/* SPDX-License-Identifier: MPL-2.0 */
/*
 * exec - run attempts: each a tree of processes of its own.
 *
 * One struct exec runs any number of attempts at once and never blocks but in
 * exec_wait. Everything is a descriptor in one epoll: pidfds, output pipes, one
 * timerfd. The local executor runs one at a time.
 *
 *   [RUNNING] --main process ends--> [DRAINING] --pipes closed or 250 ms-->
 *       | time-out, exec_cancel          ^            leftovers killed, done
 *       v                                |
 *   [TERM sent] --grace--> [KILL sent] --'
 *
 * An attempt has its own session, /dev/null or a value on stdin, no inherited
 * descriptor but 0, 1 and 2 and those it is passed, default signals (but for
 * real-time ones that the caller ignores since exec_new), no core file, and
 * exactly the environment given. It dies with the thread that started it
 * (PR_SET_PDEATHSIG). exec_new makes this process a subreaper, and sees to it
 * that SIGCHLD is not ignored, so that daemons that double-fork and setsid are
 * found and ended with their attempt; processes that the caller started itself
 * are never touched. The caller must not wait for children that are not its
 * own (waitpid(-1)): the attempt's exit status would be lost.
 *
 * What is left of an attempt when its main process ends has 250 ms to end as
 * well (so that `exec > >(tee log)` keeps its last lines); then it is sent
 * TERM, and 250 ms later KILL. The outcome stays that of the main process.
 */
#ifndef EXEC_EXEC_H
#define EXEC_EXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define EXEC_PASS_COUNT 2

enum exec_stream { EXEC_STDOUT, EXEC_STDERR, EXEC_STREAM_COUNT };

/* Why an attempt ended. */
enum exec_end {
    EXEC_EXITED,      /* with a code */
    EXEC_SIGNALED,    /* by a signal that leat did not send */
    EXEC_TIMED_OUT,   /* ended by its time-out */
    EXEC_CANCELLED,   /* ended by exec_cancel */
    EXEC_NOT_STARTED, /* the message says why: not found, not executable, ... */
    EXEC_OUTPUT_LIMIT, /* its value is past LIMIT_VALUE_BYTES */
    EXEC_END_COUNT
};

struct exec_usage {
    int64_t started; /* wall clock, microseconds */
    int64_t ended;
    int64_t cpu; /* user and system, of the whole reaped tree */
    /* Peak resident bytes of its largest process; 0: not known, as it is less
     * than what this process had, for which the kernel can't tell them apart.
     */
    int64_t memory;
};

struct exec_spec {
    /* A command: argv[0] is looked up in the PATH of envp ... */
    const char *const *argv; /* NULL-terminated */
    const char *const *envp; /* NULL-terminated */
    const char *cwd;         /* NULL: where the caller is */
    const void *input;       /* for stdin; NULL: /dev/null */
    size_t ninput;
    /*
     * ... or (argv NULL) a function, called in a forked child; what it adds to
     * `result` comes back in exec_done.result. It returns the exit code. If
     * it calls exit() itself, nothing comes back but the code.
     */
    int (*call)(void *arg, struct buf *result);
    void *arg;
    int64_t timeout;  /* microseconds; 0: none */
    int64_t grace;    /* from TERM to KILL */
    bool keep_stdout; /* collect all of stdout, as a value is made of it */
    /* Of a command: descriptors of the caller's, above 2, that become 3 and 4
     * there. 0 or less: none. */
    int pass[EXEC_PASS_COUNT];
    void *tag; /* the caller's, given back with everything */
};

struct exec_done {
    void *tag;
    enum exec_end end;
    int code;       /* EXITED: exit code; SIGNALED: the signal */
    bool core;      /* SIGNALED: dumped core */
    char *text;     /* one line for people: "exit code 3", "killed by signal 11
                   (Segmentation fault)", "timed out after 10 m 0 s", ... */
    struct buf out; /* keep_stdout: all of it; else its last lines */
    struct buf errors; /* the last LIMIT_OUTPUT_TAIL bytes of stderr */
    struct buf result; /* of a call */
    uint64_t noutput[EXEC_STREAM_COUNT]; /* bytes written by the attempt */
    uint64_t dropped[EXEC_STREAM_COUNT]; /* of those, not passed to on_output */
    unsigned leftovers; /* processes that had to be ended after the main one */
    struct exec_usage usage;
};

/*
 * Output as it comes, in pieces, from inside exec_wait. Past LIMIT_OUTPUT_BYTES
 * a stream is only counted; its last LIMIT_OUTPUT_TAIL bytes come at the end,
 * behind a line that says how many bytes were left out.
 */
typedef void exec_output_fn(void *ctx, void *tag, enum exec_stream stream,
                            const char *data, size_t n);

struct exec;

int exec_new(struct exec **ret, exec_output_fn *on_output, void *ctx,
             struct err *err);
/*
 * This process is a program of leat's: what it does with signals stays as it is
 * now, and if it has raised for itself what may be open (the soft limit),
 * `files` is for attempts; 0: what it has. Programs may count on 1024, as
 * select does.
 */
void exec_set_process(struct exec *self, uint64_t files);
/* Kills what still runs. */
void exec_destroy(struct exec **self_p);

/*
 * Start an attempt. The spec and what it points to need not outlive the call.
 * Fails only if the machine is short of something (ERR_UNAVAILABLE: processes,
 * descriptors, memory); a command that can't be started is an attempt that
 * ends with EXEC_NOT_STARTED.
 */
int exec_start(struct exec *self, const struct exec_spec *spec,
               struct err *err);

/* TERM, after its grace KILL, to the whole tree of the attempts with this tag
 * (NULL: all); KILL right away if `at_once`. */
void exec_cancel(struct exec *self, const void *tag, bool at_once);

/*
 * Stop (and go on) reading what attempts write: their pipes fill, and they wait
 * for room. So who can't pass output on as fast as it comes bounds what it
 * holds. Time-outs count on. An attempt whose main process ends meanwhile has
 * not ended, for its last output is still unread; what it has left behind has
 * its 250 ms from the end of the hold. May be called from inside on_output, of
 * which one more call with what is read already may come for each stream: the
 * tail, as an attempt that had ended before is handed out.
 */
void exec_hold(struct exec *self, bool hold);

/* Attempts that have not been handed out by exec_wait yet. */
size_t exec_running(const struct exec *self);

/* To poll for input elsewhere; exec_wait with timeout 0 then. */
int exec_fd(const struct exec *self);

/*
 * Wait up to `timeout` microseconds (negative: for ever) for something to
 * happen, and handle it. 1: *ret is an attempt that has ended, with its whole
 * tree (exec_done_release it); 0: none yet, also after a signal (EINTR).
 */
int exec_wait(struct exec *self, int64_t timeout, struct exec_done *ret);
void exec_done_release(struct exec_done *self);

#endif
