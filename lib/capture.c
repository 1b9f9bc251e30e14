/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "proto/limits.h"

#define PIECE       65536
#define COUNT_FATAL 5

/* What ends a process by a mistake of its own. */
static const int fatal[COUNT_FATAL] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE,
                                       SIGILL};

/*
 * Asking the kernel after every call whether something was written would cost
 * more than a short call itself. So the first page of each spool is mapped and
 * its first bytes set to some that no output begins with: as long as they are
 * still there, nothing was written.
 */
#define FIRST_PAGE 4096
#define UNTOUCHED  UINT64_C(0xfdfcfbfaf9f8c1ff)

struct stream {
    FILE *file;              /* stdout or stderr */
    int original;            /* what 1 or 2 was; -1 before */
    int spool;               /* what it is now */
    volatile uint64_t *page; /* its beginning, or NULL */
};

struct capture {
    struct stream streams[2];
    struct capture *outer; /* of a run inside a function of another run */
    pid_t pid;             /* a forked child has no part in it */
    struct sigaction before[COUNT_FATAL];
};

/* For those who end the process: see spill. */
static struct capture *volatile innermost;
static bool heeded; /* exit() is */

/* On disk rather than in memory: a function may print any amount. */
static int
open_spool(void)
{
    const char *tmp = getenv("TMPDIR");
    int fd =
        open(tmp && *tmp ? tmp : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    return fd >= 0 ? fd : memfd_create("leat output", MFD_CLOEXEC);
}

static int
make_empty(struct stream *s)
{
    if (lseek(s->spool, 0, SEEK_SET) < 0 || ftruncate(s->spool, FIRST_PAGE) < 0)
        return -1;
    *s->page = UNTOUCHED;
    return 0;
}

/* ---- a function that ends the process ---- */

/*
 * What it said last is most likely why: where a run would have passed it on it
 * goes to where 1 and 2 led before. Safe in a signal handler.
 */
static void
spill(void)
{
    char piece[1024];

    for (struct capture *c = innermost; c && c->pid == getpid(); c = c->outer) {
        for (int i = 0; i < 2; i++) {
            const struct stream *s = &c->streams[i];
            off_t end = lseek(s->spool, 0, SEEK_CUR);
            ssize_t n = 0;

            for (off_t at = 0; at < end; at += n) {
                size_t left = (size_t)(end - at);

                n = pread(s->spool, piece,
                          left < sizeof piece ? left : sizeof piece, at);
                if (n <= 0 || write(s->original, piece, (size_t)n) < n)
                    break;
            }
            (void)lseek(s->spool, 0, SEEK_SET);
        }
    }
}

static void
on_fatal(int sig)
{
    int error = errno;

    spill();
    errno = error;
    (void)raise(sig); /* by default now, when this returns */
}

static void
on_exit_of_process(void)
{
    if (!innermost || innermost->pid != getpid())
        return;
    (void)fflush(stdout);
    (void)fflush(stderr);
    spill();
}

void
capture_heed(int sig)
{
    struct sigaction action = {.sa_handler = on_fatal,
                               .sa_flags = (int)(SA_RESETHAND | SA_ONSTACK)};

    (void)sigaction(sig, &action, NULL);
}

static void
heed_ends(struct capture *self)
{
    self->pid = getpid();
    self->outer = innermost;
    innermost = self;
    for (int i = 0; i < COUNT_FATAL; i++) {
        (void)sigaction(fatal[i], NULL, &self->before[i]);
        if (self->before[i].sa_handler == SIG_DFL)
            capture_heed(fatal[i]);
    }
    if (!heeded)
        heeded = atexit(on_exit_of_process) == 0;
}

static void
heed_no_more(const struct capture *self)
{
    struct sigaction now;

    if (innermost != self)
        return;
    innermost = self->outer;
    for (int i = 0; i < COUNT_FATAL; i++) {
        if (sigaction(fatal[i], NULL, &now) == 0 && now.sa_handler == on_fatal)
            (void)sigaction(fatal[i], &self->before[i], NULL);
    }
}

/* ---- life ---- */

static int
redirect(struct stream *s, int fd)
{
    void *page;

    (void)fflush(s->file);
    s->spool = open_spool();
    if (s->spool < 0)
        return -1;
    page =
        mmap(NULL, FIRST_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, s->spool, 0);
    if (page == MAP_FAILED)
        return -1;
    s->page = page;
    if (make_empty(s) < 0)
        return -1;
    s->original = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return s->original < 0 ? -1 : dup2(s->spool, fd);
}

int
capture_new(struct capture **ret, struct err *err)
{
    struct capture *self = mem_alloc(1, sizeof *self);

    self->streams[0] = (struct stream){stdout, -1, -1, NULL};
    self->streams[1] = (struct stream){stderr, -1, -1, NULL};
    for (int i = 0; i < 2; i++) {
        if (redirect(&self->streams[i], i + 1) < 0) {
            (void)err_system(err, "can't collect what C functions print");
            capture_destroy(&self);
            return -1;
        }
    }
    heed_ends(self);
    *ret = self;
    return 0;
}

void
capture_destroy(struct capture **self_p)
{
    struct capture *self = *self_p;

    if (!self)
        return;
    heed_no_more(self);
    for (int i = 0; i < 2; i++) {
        struct stream *s = &self->streams[i];

        (void)fflush(s->file);
        if (s->original >= 0) {
            (void)dup2(s->original, i + 1);
            (void)close(s->original);
        }
        if (s->page)
            (void)munmap((void *)(uintptr_t)s->page, FIRST_PAGE);
        if (s->spool >= 0)
            (void)close(s->spool);
    }
    free(self);
    *self_p = NULL;
}

static void
lead(struct stream *s, int fd, int where)
{
    (void)fflush(s->file);
    (void)dup2(where, fd);
}

void
capture_pause(struct capture *self)
{
    for (int i = 0; i < 2; i++)
        lead(&self->streams[i], i + 1, self->streams[i].original);
}

void
capture_resume(struct capture *self)
{
    for (int i = 0; i < 2; i++)
        lead(&self->streams[i], i + 1, self->streams[i].spool);
}

static void
pass_on(int fd, int stream, off_t from, off_t to, capture_fn *fn, void *ctx)
{
    char *piece = mem_alloc(1, PIECE);

    while (from < to) {
        size_t want = to - from < PIECE ? (size_t)(to - from) : PIECE;
        ssize_t n = pread(fd, piece, want, from);

        if (n <= 0 && errno != EINTR)
            break;
        if (n > 0) {
            fn(ctx, stream, piece, (size_t)n);
            from += n;
        }
    }
    free(piece);
}

static void
collect(struct stream *s, int stream, capture_fn *fn, void *ctx)
{
    off_t end;

    if (__fpending(s->file) > 0)
        (void)fflush(s->file);
    else if (*s->page == UNTOUCHED)
        return;
    end = lseek(s->spool, 0, SEEK_CUR);
    if (end > LIMIT_OUTPUT_BYTES + LIMIT_OUTPUT_TAIL) {
        char mark[80];
        int n =
            snprintf(mark, sizeof mark, "\n[leat: %lld bytes left out]\n",
                     (long long)end - LIMIT_OUTPUT_BYTES - LIMIT_OUTPUT_TAIL);

        pass_on(s->spool, stream, 0, LIMIT_OUTPUT_BYTES, fn, ctx);
        fn(ctx, stream, mark, (size_t)n);
        pass_on(s->spool, stream, end - LIMIT_OUTPUT_TAIL, end, fn, ctx);
    } else {
        pass_on(s->spool, stream, 0, end, fn, ctx);
    }
    (void)make_empty(s);
    /* The function may have closed it, or led it elsewhere. */
    (void)dup2(s->spool, stream);
}

void
capture_collect(struct capture *self, capture_fn *fn, void *ctx)
{
    collect(&self->streams[0], 1, fn, ctx);
    collect(&self->streams[1], 2, fn, ctx);
}
