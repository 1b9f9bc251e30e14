/* SPDX-License-Identifier: MPL-2.0 */
#include "exec/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"

#define STAT_BYTES 1024
#define LIST_BYTES 4096

struct proc {
    pid_t pid;
    pid_t parent;
    pid_t session;
    unsigned long long start; /* tells it from a later one with its pid */
    bool ended;               /* a zombie */
    bool member;
};

struct procs {
    struct proc *list;
    size_t n;
    size_t cap;
};

rlim_t
tree_first_mark(void)
{
    struct rlimit limit;
    uint64_t number = 0;

    /* A limit that is in force may be meant: leave it alone. */
    if (getrlimit(RLIMIT_RTTIME, &limit) < 0 || limit.rlim_max != RLIM_INFINITY)
        return 0;
    if (getrandom(&number, sizeof number, 0) != sizeof number)
        number = (uint64_t)span_wall() << 20;
    return (rlim_t)1 << 61 | (number >> 3 & ~UINT64_C(0xffffffff));
}

bool
tree_is_childless(void)
{
    siginfo_t info;

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 &&
           errno == ECHILD;
}

/*
 * That a subreaper's orphans become children of its main thread is the order
 * of the kernel's list of threads (find_alive_thread, on all kernels that have
 * close_range).
 */
int
tree_open_children(void)
{
    if (gettid() != getpid())
        return -1;
    return open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
}

/* Nobody but us can take one off the list, and new ones come at its end. */
size_t
tree_count_children(int fd)
{
    char list[LIST_BYTES];
    size_t count = 0;
    off_t at = 0;
    ssize_t n;

    while ((n = pread(fd, list, sizeof list, at)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            count += list[i] == ' ';
        at += n;
    }
    return n < 0 ? SIZE_MAX : count;
}

bool
tree_has_ended_child(void)
{
    siginfo_t info = {0};

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 &&
           info.si_pid != 0;
}

static size_t
read_stat(pid_t pid, char text[STAT_BYTES])
{
    char path[32];
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    n = read(fd, text, STAT_BYTES - 1);
    (void)close(fd);
    n = n > 0 ? n : 0;
    text[n] = '\0';
    return (size_t)n;
}

/* Fields of a stat line that are used, and how many to read; see proc(5). */
enum { STAT_PARENT = 4, STAT_SESSION = 6, STAT_START = 22, STAT_COUNT };

/* False if it has gone. */
static bool
read_proc(pid_t pid, struct proc *ret)
{
    unsigned long long fields[STAT_COUNT] = {0};
    char text[STAT_BYTES];
    const char *state;
    char *at;

    if (read_stat(pid, text) == 0 || !(at = strrchr(text, ')')))
        return false; /* what stands before it may have any form */
    state = at + 1 + strspn(at + 1, " ");
    if (*state == '\0' || *state == 'X' || *state == 'x')
        return false;
    at += state + 1 - at;
    for (int i = STAT_PARENT; i < STAT_COUNT; i++)
        fields[i] = strtoull(at, &at, 10);
    *ret = (struct proc){
        .pid = pid,
        .parent = (pid_t)fields[STAT_PARENT],
        .session = (pid_t)fields[STAT_SESSION],
        .start = fields[STAT_START],
        .ended = *state == 'Z',
    };
    return true;
}

/* The next process that a reading of /proc comes to; 0: no more. */
static pid_t
next_pid(DIR *dir)
{
    const struct dirent *entry;

    while ((entry = readdir(dir))) {
        char *end;
        long pid = strtol(entry->d_name, &end, 10);

        if (pid > 0 && *end == '\0')
            return (pid_t)pid;
    }
    return 0;
}

static int
read_procs(struct procs *ret)
{
    DIR *dir = opendir("/proc");
    pid_t pid;

    if (!dir)
        return -1;
    while ((pid = next_pid(dir))) {
        ret->list =
            mem_grow(ret->list, &ret->cap, ret->n + 1, sizeof *ret->list);
        if (read_proc(pid, &ret->list[ret->n]))
            ret->n++;
    }
    (void)closedir(dir);
    return 0;
}

static rlim_t
mark_of(pid_t pid)
{
    struct rlimit limit;

    return prlimit(pid, RLIMIT_RTTIME, NULL, &limit) == 0 ? limit.rlim_cur : 0;
}

bool
tree_marks_read(struct tree_marks *self, rlim_t like)
{
    DIR *dir = opendir("/proc");
    pid_t pid;

    self->n = 0;
    if (!dir)
        return false;
    while ((pid = next_pid(dir))) {
        rlim_t mark = mark_of(pid);

        if (mark >> 32 != like >> 32)
            continue;
        self->list =
            mem_grow(self->list, &self->cap, self->n + 1, sizeof *self->list);
        self->list[self->n++] = mark;
    }
    (void)closedir(dir);
    return true;
}

bool
tree_marks_has(const struct tree_marks *self, rlim_t mark)
{
    for (size_t i = 0; i < self->n; i++) {
        if (self->list[i] == mark)
            return true;
    }
    return false;
}

void
tree_marks_release(struct tree_marks *self)
{
    free(self->list);
    *self = (struct tree_marks){0};
}

/* Once main is reaped its number may be used again, by a new session too. */
static bool
is_session_ours(const struct tree *self, const struct procs *procs)
{
    for (size_t i = 0; self->reaped && i < procs->n; i++) {
        if (procs->list[i].pid == self->main)
            return false;
    }
    return true;
}

static bool
is_member(const struct procs *procs, pid_t pid)
{
    for (size_t i = 0; i < procs->n; i++) {
        if (procs->list[i].pid == pid)
            return procs->list[i].member;
    }
    return false;
}

static void
find_members(const struct tree *self, struct procs *procs)
{
    bool by_session = is_session_ours(self, procs);
    pid_t here = getpid();
    bool more = false;

    for (size_t i = 0; i < procs->n; i++) {
        struct proc *p = &procs->list[i];

        p->member = p->pid != here &&
                    ((by_session && p->session == self->main) ||
                     (self->mark != 0 && mark_of(p->pid) == self->mark));
        more = more || p->member;
    }
    while (more) {
        more = false;
        for (size_t i = 0; i < procs->n; i++) {
            struct proc *p = &procs->list[i];

            if (!p->member && p->parent != here && p->pid != here &&
                is_member(procs, p->parent))
                p->member = more = true;
        }
    }
}

/* By a descriptor, so that no other process with its number is hit. */
static void
send_signal(const struct proc *p, int sig)
{
    struct proc now;
    int fd = pidfd_open(p->pid, 0);

    if (fd < 0 && errno == ESRCH)
        return;
    if (fd < 0) { /* no descriptor to be had: better than nothing */
        (void)kill(p->pid, sig);
        if (sig == SIGTERM)
            (void)kill(p->pid, SIGCONT);
        return;
    }
    if (read_proc(p->pid, &now) && now.start == p->start) {
        (void)pidfd_send_signal(fd, sig, NULL, 0);
        if (sig == SIGTERM) /* a stopped process must see it */
            (void)pidfd_send_signal(fd, SIGCONT, NULL, 0);
    }
    (void)close(fd);
}

static bool
reap(const struct proc *p, struct exec_usage *usage)
{
    struct rusage used;
    int status;

    if (wait4(p->pid, &status, WNOHANG | __WALL, &used) != p->pid)
        return false;
    tree_count(usage, &used);
    return true;
}

/* Without /proc: what has stayed in the first process group. */
static struct tree_found
sweep_group(const struct tree *self, int sig)
{
    bool alive = kill(-self->main, sig) == 0;

    return (struct tree_found){.alive = alive, .one = alive ? self->main : 0};
}

struct tree_found
tree_sweep(const struct tree *self, int sig, struct exec_usage *usage)
{
    struct tree_found found = {0};
    struct procs procs = {0};
    pid_t here = getpid();

    if (read_procs(&procs) < 0)
        return sweep_group(self, sig);
    find_members(self, &procs);
    for (size_t i = 0; i < procs.n; i++) {
        const struct proc *p = &procs.list[i];

        if (!p->member || (p->ended && p->parent != here))
            continue;
        /* One that can't be reaped yet has threads that are left. */
        if (p->ended && p->pid != self->main && reap(p, usage)) {
            found.reaped++;
            continue;
        }
        if (sig != 0)
            send_signal(p, sig);
        found.one = p->pid;
        found.alive++;
    }
    free(procs.list);
    return found;
}

void
tree_count(struct exec_usage *usage, const struct rusage *used)
{
    int64_t memory = (int64_t)used->ru_maxrss * 1024;

    usage->cpu += (used->ru_utime.tv_sec + used->ru_stime.tv_sec) * SPAN_SECOND;
    usage->cpu += used->ru_utime.tv_usec + used->ru_stime.tv_usec;
    if (memory > usage->memory)
        usage->memory = memory;
}
