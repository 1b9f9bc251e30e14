/* SPDX-License-Identifier: MPL-2.0 */
#include "agent/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"
#include "proto/limits.h"

#define PATIENCE  (5 * SPAN_SECOND) /* for an answer; then it is asked again */
#define GOOD      SPAN_SECOND       /* for so long a look at a file holds */
#define FIRST_TAG (UINT64_C(1) << 62) /* others speak over control, too */

/* One that is wanted; the first of them is on its way. */
struct wanted {
    TAILQ_ENTRY(wanted) link;
    unsigned char hash[PROGRAM_HASH];
};

struct agent_programs {
    char *folder;
    unsigned char (*good)[PROGRAM_HASH]; /* looked at */
    size_t ngood, cap_good;
    char *last; /* the file that was looked at last, there then */
    unsigned char last_hash[PROGRAM_HASH];
    int64_t last_at;
    TAILQ_HEAD(, wanted) wanted;
    uint64_t tag; /* of the last question */
    bool asked;   /* ... which was not answered yet */
    int64_t asked_at;
    /* The first wanted: */
    int fd;         /* -1: not begun */
    char *part;     /* its file */
    uint64_t bytes; /* so far */
    crypto_generichash_state state;
};

struct agent_programs *
agent_programs_new(const char *folder)
{
    struct agent_programs *self = mem_alloc(1, sizeof *self);

    self->folder = mem_dup(folder);
    self->fd = -1;
    self->tag = FIRST_TAG;
    TAILQ_INIT(&self->wanted);
    return self;
}

/* Forget the one that is on its way. */
static void
drop_part(struct agent_programs *self)
{
    if (self->fd >= 0)
        (void)close(self->fd);
    self->fd = -1;
    if (self->part)
        (void)unlink(self->part);
    free(self->part);
    self->part = NULL;
    self->bytes = 0;
}

static void
drop_first(struct agent_programs *self)
{
    struct wanted *first = TAILQ_FIRST(&self->wanted);

    drop_part(self);
    self->asked = false;
    TAILQ_REMOVE(&self->wanted, first, link);
    free(first);
}

void
agent_programs_destroy(struct agent_programs **self_p)
{
    struct agent_programs *self = *self_p;

    if (!self)
        return;
    while (!TAILQ_EMPTY(&self->wanted))
        drop_first(self);
    free(self->good);
    free(self->last);
    free(self->folder);
    free(self);
    *self_p = NULL;
}

char *
agent_programs_folder(void)
{
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");

    if (cache && cache[0] == '/')
        return mem_printf("%s/leat/programs", cache);
    if (home && home[0] == '/')
        return mem_printf("%s/.cache/leat/programs", home);
    return mem_printf("/tmp/leat-%u/programs", (unsigned)geteuid());
}

/* ---- what is here ---- */

static bool
was_looked_at(const struct agent_programs *self,
              const unsigned char hash[PROGRAM_HASH])
{
    for (size_t i = 0; i < self->ngood; i++) {
        if (memcmp(self->good[i], hash, PROGRAM_HASH) == 0)
            return true;
    }
    return false;
}

static void
note_good(struct agent_programs *self, const unsigned char hash[PROGRAM_HASH])
{
    if (was_looked_at(self, hash))
        return;
    self->good = mem_grow(self->good, &self->cap_good, self->ngood + 1,
                          sizeof *self->good);
    memcpy(self->good[self->ngood++], hash, PROGRAM_HASH);
}

static bool
has_hash(const char *path, const unsigned char hash[PROGRAM_HASH])
{
    unsigned char found[PROGRAM_HASH];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool has = fd >= 0 && programs_hash(fd, found) == 0 &&
               memcmp(found, hash, sizeof found) == 0;

    if (fd >= 0)
        (void)close(fd);
    return has;
}

static bool
is_here(struct agent_programs *self, const char *path,
        const unsigned char hash[PROGRAM_HASH])
{
    if (access(path, F_OK) < 0)
        return false;
    if (!was_looked_at(self, hash) && !has_hash(path, hash)) {
        (void)unlink(path);
        return false;
    }
    note_good(self, hash);
    /* Where that does not help (noexec), starting it will say why. */
    if (access(path, X_OK) < 0)
        (void)chmod(path, 0700);
    (void)utimensat(AT_FDCWD, path, NULL, 0); /* used now */
    return true;
}

static void
want(struct agent_programs *self, const unsigned char hash[PROGRAM_HASH])
{
    struct wanted *wanted = NULL;

    TAILQ_FOREACH(wanted, &self->wanted, link) {
        if (memcmp(wanted->hash, hash, PROGRAM_HASH) == 0)
            return;
    }
    wanted = mem_alloc(1, sizeof *wanted);
    memcpy(wanted->hash, hash, PROGRAM_HASH);
    TAILQ_INSERT_TAIL(&self->wanted, wanted, link);
}

const char *
agent_programs_get(struct agent_programs *self,
                   const unsigned char hash[PROGRAM_HASH], int64_t now)
{
    char *path;

    /* A hundred thousand calls a second are of one program. */
    if (self->last && now - self->last_at < GOOD &&
        memcmp(self->last_hash, hash, PROGRAM_HASH) == 0)
        return self->last;
    path = programs_path(self->folder, hash);
    if (!is_here(self, path, hash)) {
        free(path);
        want(self, hash);
        return NULL;
    }
    free(self->last);
    self->last = path;
    memcpy(self->last_hash, hash, PROGRAM_HASH);
    self->last_at = now;
    return path;
}

/* ---- one that comes ---- */

bool
agent_programs_next(struct agent_programs *self, int64_t now,
                    struct agent_programs_ask *ask)
{
    const struct wanted *first = TAILQ_FIRST(&self->wanted);

    if (!first || (self->asked && now < self->asked_at + PATIENCE))
        return false;
    self->asked = true;
    self->asked_at = now;
    ask->tag = ++self->tag;
    ask->offset = self->bytes;
    memcpy(ask->hash, first->hash, sizeof ask->hash);
    return true;
}

void
agent_programs_again(struct agent_programs *self)
{
    self->asked = false;
}

static int
make_folders(const char *path, struct err *err)
{
    char *copy = mem_dup(path);
    int rc = 0;

    for (char *at = copy + 1; rc == 0; at++) {
        char was = *at;

        if (was != '/' && was != '\0')
            continue;
        *at = '\0';
        if (mkdir(copy, 0700) < 0 && errno != EEXIST)
            rc = err_system(err, "can't make the folder %s", copy);
        *at = was;
        if (was == '\0')
            break;
    }
    free(copy);
    return rc;
}

static int
begin(struct agent_programs *self, struct err *err)
{
    if (self->fd >= 0)
        return 0;
    if (make_folders(self->folder, err) < 0)
        return -1;
    self->part = mem_printf("%s/.part-XXXXXX", self->folder);
    self->fd = mkostemp(self->part, O_CLOEXEC);
    if (self->fd < 0) {
        free(self->part);
        self->part = NULL;
        return err_system(err, "can't make a file in %s", self->folder);
    }
    (void)crypto_generichash_init(&self->state, NULL, 0, PROGRAM_HASH);
    return 0;
}

static int
add(struct agent_programs *self, const void *data, size_t n, struct err *err)
{
    const char *at = data;
    size_t left = n;

    if (begin(self, err) < 0)
        return -1;
    if (self->bytes + n > LIMIT_PROGRAM_BYTES)
        return err_set(err, ERR_LIMIT, "the program is larger than %u MiB",
                       LIMIT_PROGRAM_BYTES >> 20);
    (void)crypto_generichash_update(&self->state, data, n);
    while (left > 0) {
        ssize_t done = write(self->fd, at, left);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_system(err, "can't write to %s", self->folder);
        at += done;
        left -= (size_t)done;
    }
    self->bytes += n;
    return 0;
}

/* All of it has come. */
static int
finish(struct agent_programs *self, struct err *err)
{
    const struct wanted *first = TAILQ_FIRST(&self->wanted);
    unsigned char found[PROGRAM_HASH];
    char *path;
    int rc = 0;

    if (begin(self, err) < 0)
        return -1;
    (void)crypto_generichash_final(&self->state, found, sizeof found);
    if (memcmp(found, first->hash, sizeof found) != 0)
        return err_set(err, ERR_INVALID,
                       "the program that came is not the one asked for");
    path = programs_path(self->folder, first->hash);
    /* More than that, if all were used just now. */
    (void)programs_make_room(self->folder, 0, NULL, 0);
    if (fchmod(self->fd, 0700) < 0 || rename(self->part, path) < 0)
        rc = err_system(err, "can't keep the program as %s", path);
    free(path);
    if (rc < 0)
        return -1;
    free(self->part);
    self->part = NULL;
    note_good(self, first->hash);
    return 0;
}

static enum agent_programs_step
end(struct agent_programs *self, int rc, unsigned char hash[PROGRAM_HASH])
{
    memcpy(hash, TAILQ_FIRST(&self->wanted)->hash, PROGRAM_HASH);
    drop_first(self);
    return rc == 0 ? PROGRAMS_HERE : PROGRAMS_FAILED;
}

static bool
is_ours(const struct agent_programs *self, uint64_t tag)
{
    return self->asked && tag == self->tag && !TAILQ_EMPTY(&self->wanted);
}

enum agent_programs_step
agent_programs_chunk(struct agent_programs *self, uint64_t tag, uint64_t offset,
                     const void *data, size_t n,
                     unsigned char hash[PROGRAM_HASH], struct err *err)
{
    if (!is_ours(self, tag) || offset != self->bytes)
        return PROGRAMS_NONE;
    self->asked = false;
    if (n == 0)
        return end(self, finish(self, err), hash);
    if (add(self, data, n, err) < 0)
        return end(self, -1, hash);
    return PROGRAMS_NONE;
}

enum agent_programs_step
agent_programs_answer(struct agent_programs *self, uint64_t tag,
                      enum err_code code, const char *text,
                      unsigned char hash[PROGRAM_HASH], struct err *err)
{
    if (!is_ours(self, tag))
        return PROGRAMS_NONE;
    self->asked = false;
    if (code != ERR_NONE) {
        (void)err_set(err, code, "%s", text);
        return end(self, -1, hash);
    }
    return end(self, finish(self, err), hash);
}
