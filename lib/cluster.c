/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/cluster.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/mem.h"
#include "base/span.h"
#include "proto/link.h"

#define READY_MS 10000 /* for the broker to come up */
#define END_MS   5000  /* for both to end by themselves */
#define TAIL     4096  /* bytes of the last words that are looked at */
#define FIRST_FD 10    /* ours are above those that the daemons get */

enum { BROKER, AGENT, NDAEMON };

static const char *const names[NDAEMON] = {
    [BROKER] = "leat-broker", [AGENT] = "leat-agent"};

struct daemon {
    pid_t pid; /* 0: not started, or waited for */
    int pidfd;
    int log; /* what it says; a file without a name */
};

struct cluster {
    char *folder;
    char *address;
    int lifeline; /* the writing end */
    struct daemon daemons[NDAEMON];
};

uint32_t
cluster_cores(void)
{
    cpu_set_t set;
    long n = 0;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        n = CPU_COUNT(&set);
    return n > 0 ? (uint32_t)n : 1;
}

/* ---- where the programs are ---- */

static char *
in_folder(const char *folder, size_t n, const char *name)
{
    char *path = mem_printf("%.*s/%s", (int)n, folder, name);

    if (access(path, X_OK) == 0)
        return path;
    free(path);
    return NULL;
}

static char *
beside(const char *name)
{
    char *self = realpath("/proc/self/exe", NULL);
    char *slash = self ? strrchr(self, '/') : NULL;
    char *found = NULL;
    char *other;

    if (slash) {
        *slash = '\0';
        found = in_folder(self, strlen(self), name);
        if (!found) {
            other = mem_printf("%s/../bin", self);
            found = in_folder(other, strlen(other), name);
            free(other);
        }
    }
    free(self);
    return found;
}

static char *
in_path(const char *name)
{
    const char *path = getenv("PATH");

    while (path && *path) {
        size_t n = strcspn(path, ":");
        char *found = n > 0 ? in_folder(path, n, name) : NULL;

        if (found)
            return found;
        path += n + (path[n] == ':');
    }
    return NULL;
}

int
cluster_program(char **ret, const char *name, struct err *err)
{
    const char *told = getenv("LEAT_BIN");
    char *found = told ? in_folder(told, strlen(told), name) : NULL;

    if (!found)
        found = beside(name);
    if (!found)
        found = in_path(name);
    if (!found) {
        (void)err_set(err, ERR_NOT_FOUND,
                      "%s is neither beside this program, nor in ../bin, in "
                      "LEAT_BIN or in PATH",
                      name);
        return -1;
    }
    *ret = found;
    return 0;
}

/* ---- the folder ---- */

/* What the broker is to make: so nothing is left if this process is ended
 * before there is one. */
static int
choose_folder(struct cluster *self, struct err *err)
{
    const char *places[] = {getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"),
                            "/tmp"};
    uint64_t name = 0;

    if (getrandom(&name, sizeof name, 0) < 0)
        return err_system(err, "can't get a random number");
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (!places[i] || places[i][0] != '/')
            continue;
        /* A socket's path has 107 bytes: "-return" and so on come to it. */
        self->folder = mem_printf("%s/leat-%016" PRIx64, places[i], name);
        if (strlen(self->folder) < 80 && access(places[i], W_OK | X_OK) == 0) {
            self->address = mem_printf("ipc://%s/broker", self->folder);
            return 0;
        }
        free(self->folder);
        self->folder = NULL;
    }
    return err_system(err, "can't make a folder in XDG_RUNTIME_DIR, TMPDIR or "
                           "/tmp");
}

/* ---- starting ---- */

/* A descriptor above those that a daemon gets. */
static int
lift(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);

    (void)close(fd);
    return high;
}

static int
make_pipe(int fds[2], struct err *err)
{
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_system(err, "can't make a pipe");
    fds[0] = lift(fds[0]);
    fds[1] = lift(fds[1]);
    if (fds[0] >= 0 && fds[1] >= 0)
        return 0;
    return err_system(err, "can't make a pipe");
}

static void
close_pipe(int fds[2])
{
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
        fds[i] = -1;
    }
}

/* A file without a name, so that nothing of it can be left. */
static int
open_log(const char *name, struct err *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC);

    if (fd >= 0)
        fd = lift(fd);
    if (fd < 0)
        (void)err_system(err, "can't make a file for what %s says", name);
    return fd;
}

/* Standard streams, the lifeline (3) and (4) where the broker says that it is
 * ready and the agent hears of it. */
static void
set_files(posix_spawn_file_actions_t *actions, int log, int lifeline, int ready)
{
    (void)posix_spawn_file_actions_init(actions);
    (void)posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY,
                                           0);
    (void)posix_spawn_file_actions_adddup2(actions, log, 1);
    (void)posix_spawn_file_actions_adddup2(actions, log, 2);
    (void)posix_spawn_file_actions_adddup2(actions, lifeline, 3);
    (void)posix_spawn_file_actions_adddup2(actions, ready, 4);
    (void)posix_spawn_file_actions_addclosefrom_np(actions, 5);
}

/* In a session of its own: Ctrl-C is ours to hear. */
static void
set_signals(posix_spawnattr_t *attr)
{
    sigset_t none, all;

    (void)posix_spawnattr_init(attr);
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    (void)sigdelset(&all, SIGKILL);
    (void)sigdelset(&all, SIGSTOP);
    (void)posix_spawnattr_setsigmask(attr, &none);
    (void)posix_spawnattr_setsigdefault(attr, &all);
    (void)posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK |
                                             POSIX_SPAWN_SETSIGDEF |
                                             POSIX_SPAWN_SETSID);
}

static int
start(struct cluster *self, int which, char **argv, int lifeline, int ready,
      struct err *err)
{
    struct daemon *daemon = &self->daemons[which];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    char *path = NULL;
    int code;

    if (cluster_program(&path, names[which], err) < 0)
        return -1;
    assert(path);
    daemon->log = open_log(names[which], err);
    if (daemon->log < 0) {
        free(path);
        return -1;
    }
    set_files(&actions, daemon->log, lifeline, ready);
    set_signals(&attr);
    code = posix_spawn(&daemon->pid, path, &actions, &attr, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attr);
    if (code != 0) {
        daemon->pid = 0;
        errno = code;
        (void)err_system(err, "can't start %s", path);
    } else {
        daemon->pidfd = pidfd_open(daemon->pid, 0);
    }
    free(path);
    return code == 0 ? 0 : -1;
}

/* Words of a command line, each on the heap. */
struct words {
    char **list;
    size_t n, cap;
};

static void
add_word(struct words *self, char *word)
{
    self->list =
        mem_grow(self->list, &self->cap, self->n + 2, sizeof *self->list);
    self->list[self->n++] = word;
    self->list[self->n] = NULL;
}

static void
words_release(struct words *self)
{
    while (self->n > 0)
        free(self->list[--self->n]);
    free(self->list);
}

static int
start_broker(struct cluster *self, const char *store, int lifeline, int ready,
             struct err *err)
{
    struct words words = {0};
    int rc;

    add_word(&words, mem_dup(names[BROKER]));
    add_word(&words, mem_printf("--bind=%s", self->address));
    if (store)
        add_word(&words, mem_printf("--store=%s", store));
    else
        add_word(&words, mem_printf("--store=%s/store", self->folder));
    add_word(&words, mem_dup("--lifeline=3"));
    add_word(&words, mem_printf("--temporary=%s", self->folder));
    add_word(&words, mem_dup("--ready-fd=4"));
    rc = start(self, BROKER, words.list, lifeline, ready, err);
    words_release(&words);
    return rc;
}

static int
start_agent(struct cluster *self, uint32_t slots,
            const struct local_request *request, int lifeline, int ready,
            struct err *err)
{
    struct words words = {0};
    int rc;

    add_word(&words, mem_dup(names[AGENT]));
    add_word(&words, mem_dup(self->address));
    add_word(&words, mem_printf("--slots=%" PRIu32, slots));
    add_word(&words, mem_dup("--lifeline=3"));
    add_word(&words, mem_dup("--start-fd=4"));
    for (size_t i = 0; i < request->nresource; i++)
        add_word(&words,
                 mem_printf("--resource=%s=%.17g", request->resources[i].name,
                            request->resources[i].amount));
    for (size_t i = 0; i < request->nlabel; i++)
        add_word(&words, mem_printf("--label=%s", request->labels[i]));
    rc = start(self, AGENT, words.list, lifeline, ready, err);
    words_release(&words);
    return rc;
}

/* ---- looking after them ---- */

/* Has it ended? Then it is waited for. */
static bool
has_ended(struct daemon *self, int *status)
{
    pid_t pid = self->pid ? waitpid(self->pid, status, WNOHANG) : 0;

    if (pid == 0)
        return false;
    if (pid < 0)
        *status = 0; /* the program does not want to know of its children */
    self->pid = 0;
    return true;
}

/* The last line that it wrote; "" if it wrote nothing. */
static void
last_words(const struct daemon *self, char *ret, size_t size)
{
    off_t end = lseek(self->log, 0, SEEK_END);
    char tail[TAIL + 1];
    ssize_t n = pread(self->log, tail, TAIL, end > TAIL ? end - TAIL : 0);
    char *line;

    while (n > 0 && tail[n - 1] == '\n')
        n--;
    tail[n > 0 ? n : 0] = '\0';
    line = strrchr(tail, '\n');
    line = line ? line + 1 : tail;
    (void)snprintf(ret, size, "%.*s", (int)size - 1, line);
}

static int
tell_end(const struct cluster *self, int which, int status, struct err *err)
{
    char words[320];

    last_words(&self->daemons[which], words, sizeof words);
    return err_set(err, ERR_SYSTEM, "%s %s %d%s%s", names[which],
                   WIFSIGNALED(status) ? "was ended by signal"
                                       : "has ended with exit status",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                   words[0] ? "; its last words: " : "", words);
}

int
cluster_check(struct cluster *self, struct err *err)
{
    for (int i = 0; i < NDAEMON; i++) {
        int status = 0;

        if (has_ended(&self->daemons[i], &status))
            return tell_end(self, i, status, err);
    }
    return 0;
}

/* Until the broker has said that it is ready, which stays to be read: the agent
 * sees it, too. */
static int
await_ready(struct cluster *self, int fd, struct err *err)
{
    struct daemon *broker = &self->daemons[BROKER];
    int64_t end = span_mono() + READY_MS * SPAN_MS;

    for (;;) {
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        int64_t left = (end - span_mono()) / SPAN_MS;

        if (left <= 0)
            return err_set(err, ERR_SYSTEM,
                           "leat-broker is not ready after %d s",
                           READY_MS / 1000);
        if (poll(&poller, 1, (int)left) <= 0)
            continue;
        if (poller.revents & POLLIN)
            return 0;
        break;
    }
    /* It has closed it: it is about to end. */
    while (span_mono() < end) {
        struct pollfd poller = {.fd = broker->pidfd, .events = POLLIN};

        (void)poll(&poller, 1, 100);
        if (cluster_check(self, err) < 0)
            return -1;
    }
    return err_set(err, ERR_SYSTEM, "leat-broker has not said it is ready");
}

int
cluster_start(struct cluster **ret, uint32_t slots, const char *store,
              const struct local_request *request, struct err *err)
{
    struct cluster *self = mem_alloc(1, sizeof *self);
    int lifeline[2] = {-1, -1};
    int ready[2] = {-1, -1};
    int rc = -1;

    self->lifeline = -1;
    for (int i = 0; i < NDAEMON; i++)
        self->daemons[i].pidfd = self->daemons[i].log = -1;
    if (choose_folder(self, err) < 0 || make_pipe(lifeline, err) < 0 ||
        make_pipe(ready, err) < 0)
        goto out;
    self->lifeline = lifeline[1];
    lifeline[1] = -1;
    if (start_broker(self, store, lifeline[0], ready[1], err) < 0)
        goto out;
    (void)close(ready[1]);
    ready[1] = -1;
    if (start_agent(self, slots > 0 ? slots : cluster_cores(), request,
                    lifeline[0], ready[0], err) < 0)
        goto out;
    link_begin();
    rc = await_ready(self, ready[0], err);
out:
    close_pipe(lifeline);
    close_pipe(ready);
    if (rc == 0)
        *ret = self;
    else
        cluster_stop(&self);
    return rc;
}

const char *
cluster_address(const struct cluster *self)
{
    return self->address;
}

/* ---- ending ---- */

static void
await_end(struct daemon *self, int64_t end)
{
    int status;

    while (self->pid > 0 && !has_ended(self, &status)) {
        struct pollfd poller = {.fd = self->pidfd, .events = POLLIN};
        int64_t left = (end - span_mono() + SPAN_MS - 1) / SPAN_MS;

        if (left <= 0) {
            (void)kill(self->pid, SIGKILL);
            (void)waitpid(self->pid, &status, 0);
            self->pid = 0;
            break;
        }
        (void)poll(&poller, 1, self->pidfd >= 0 ? (int)left : 10);
    }
    if (self->pidfd >= 0)
        (void)close(self->pidfd);
    if (self->log >= 0)
        (void)close(self->log);
}

void
cluster_leave(struct cluster *self)
{
    if (self->lifeline >= 0)
        (void)close(self->lifeline);
    self->lifeline = -1;
}

void
cluster_stop(struct cluster **self_p)
{
    struct cluster *self = *self_p;
    int64_t end = span_mono() + END_MS * SPAN_MS;

    if (!self)
        return;
    cluster_leave(self);
    for (int i = NDAEMON; i > 0; i--)
        await_end(&self->daemons[i - 1], end);
    folder_remove(self->folder);
    free(self->folder);
    free(self->address);
    free(self);
    *self_p = NULL;
}
