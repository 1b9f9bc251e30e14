/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/programs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "proto/limits.h"

#define HEX (2 * PROGRAM_HASH + 1)

struct broker_programs {
    char *folder;
};

struct broker_programs *
broker_programs_new(const char *store)
{
    struct broker_programs *self = mem_alloc(1, sizeof *self);

    self->folder = mem_printf("%s/programs", store);
    return self;
}

void
broker_programs_destroy(struct broker_programs **self_p)
{
    if (!*self_p)
        return;
    free((*self_p)->folder);
    free(*self_p);
    *self_p = NULL;
}

static char *
path_of(const struct broker_programs *self, const unsigned char *hash,
        const char *suffix)
{
    char hex[HEX];

    (void)sodium_bin2hex(hex, sizeof hex, hash, PROGRAM_HASH);
    return mem_printf("%s/%s%s", self->folder, hex, suffix);
}

/* Its size, or -1. */
static int64_t
size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : -1;
}

static int
cannot(const char *what, const char *path, struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE, "the broker can't %s %s: %s", what,
                   path, strerror(errno));
}

bool
broker_programs_has(struct broker_programs *self,
                    const unsigned char hash[PROGRAM_HASH])
{
    char *path = path_of(self, hash, "");
    bool has = size_of(path) >= 0;

    if (has)
        (void)utimensat(AT_FDCWD, path, NULL, 0);
    free(path);
    return has;
}

/* ---- room ---- */

struct kept {
    uint64_t bytes; /* all together */
    char *oldest;
    struct timespec used;
};

static bool
is_before(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec < b->tv_sec ||
           (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

static void
look_around(const struct broker_programs *self, struct kept *ret)
{
    DIR *dir = opendir(self->folder);
    const struct dirent *entry;

    *ret = (struct kept){0};
    while (dir && (entry = readdir(dir))) {
        char *path = mem_printf("%s/%s", self->folder, entry->d_name);
        struct stat st;

        if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
            ret->bytes += (uint64_t)st.st_size;
            if (!ret->oldest || is_before(&st.st_mtim, &ret->used)) {
                free(ret->oldest);
                ret->oldest = path;
                ret->used = st.st_mtim;
                path = NULL;
            }
        }
        free(path);
    }
    if (dir)
        (void)closedir(dir);
}

static void
make_room(const struct broker_programs *self, uint64_t bytes)
{
    bool removed = true;

    while (removed) {
        struct kept kept;

        look_around(self, &kept);
        removed = kept.oldest && kept.bytes + bytes > LIMIT_PROGRAMS_BYTES &&
                  unlink(kept.oldest) == 0;
        free(kept.oldest);
    }
}

/* ---- coming ---- */

int
broker_programs_offer(struct broker_programs *self,
                      const unsigned char hash[PROGRAM_HASH], uint64_t bytes,
                      uint64_t *had, struct err *err)
{
    char *part = path_of(self, hash, ".part");
    int64_t size;
    int rc = 0;

    if (broker_programs_has(self, hash)) {
        *had = bytes;
        goto out;
    }
    if (mkdir(self->folder, 0700) < 0 && errno != EEXIST) {
        rc = cannot("make", self->folder, err);
        goto out;
    }
    size = size_of(part);
    /* A whole one would not be asked for its last piece. */
    if (size >= 0 && (uint64_t)size >= bytes) {
        (void)unlink(part);
        size = 0;
    }
    *had = size > 0 ? (uint64_t)size : 0;
    make_room(self, bytes - *had);
out:
    free(part);
    return rc;
}

static int
hash_file(int fd, unsigned char ret[PROGRAM_HASH])
{
    crypto_generichash_state state;
    size_t size = (size_t)256 << 10;
    unsigned char *piece = mem_alloc(size, 1);
    off_t at = 0;
    ssize_t n;

    (void)crypto_generichash_init(&state, NULL, 0, PROGRAM_HASH);
    while ((n = pread(fd, piece, size, at)) > 0) {
        (void)crypto_generichash_update(&state, piece, (size_t)n);
        at += n;
    }
    (void)crypto_generichash_final(&state, ret, PROGRAM_HASH);
    free(piece);
    return n < 0 ? -1 : 0;
}

/* All of it is here: is it what it was said to be? */
static int
finish(struct broker_programs *self, const unsigned char *hash, int fd,
       const char *part, struct err *err)
{
    unsigned char got[PROGRAM_HASH];
    char *path = path_of(self, hash, "");
    int rc = 0;

    if (hash_file(fd, got) < 0)
        rc = cannot("read", part, err);
    else if (memcmp(got, hash, sizeof got) != 0)
        rc = err_set(err, ERR_INVALID,
                     "the program that came is not the one that was announced; "
                     "was it built anew meanwhile?");
    else if (fdatasync(fd) < 0 || fchmod(fd, 0500) < 0 ||
             rename(part, path) < 0)
        rc = cannot("write", path, err);
    if (rc < 0)
        (void)unlink(part);
    free(path);
    return rc;
}

static int
write_piece(int fd, const char *part, uint64_t offset, const char *data,
            size_t n, struct err *err)
{
    while (n > 0) {
        ssize_t wrote = pwrite(fd, data, n, (off_t)offset);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return cannot("write", part, err);
        data += wrote;
        n -= (size_t)wrote;
        offset += (uint64_t)wrote;
    }
    return 0;
}

int
broker_programs_write(struct broker_programs *self,
                      const unsigned char hash[PROGRAM_HASH], uint64_t bytes,
                      uint64_t offset, const void *data, size_t n,
                      struct err *err)
{
    char *part = path_of(self, hash, ".part");
    struct stat st;
    int fd = -1, rc = -1;

    /* Another client may have sent it meanwhile. */
    if (broker_programs_has(self, hash)) {
        rc = 0;
        goto out;
    }
    fd = open(part, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || fstat(fd, &st) < 0) {
        (void)cannot("write", part, err);
        goto out;
    }
    if ((uint64_t)st.st_size < offset) {
        (void)err_set(err, ERR_INVALID, "a piece of the program is missing");
        goto out;
    }
    if (write_piece(fd, part, offset, data, n, err) == 0)
        rc = offset + n < bytes ? 0 : finish(self, hash, fd, part, err);
out:
    if (fd >= 0)
        (void)close(fd);
    free(part);
    return rc;
}

/* ---- going ---- */

int
broker_programs_read(struct broker_programs *self,
                     const unsigned char hash[PROGRAM_HASH], uint64_t offset,
                     size_t most, struct buf *out, uint64_t *bytes,
                     struct err *err)
{
    char *path = path_of(self, hash, "");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    ssize_t n;
    int rc = -1;

    if (fd < 0 && errno == ENOENT) {
        (void)err_set(err, ERR_NOT_FOUND,
                      "the broker does not have the program any more");
        goto out;
    }
    if (fd < 0 || fstat(fd, &st) < 0) {
        (void)cannot("read", path, err);
        goto out;
    }
    n = pread(fd, buf_reserve(out, most), most, (off_t)offset);
    if (n < 0) {
        (void)cannot("read", path, err);
        goto out;
    }
    buf_added(out, (size_t)n);
    *bytes = (uint64_t)st.st_size;
    rc = 0;
out:
    if (fd >= 0)
        (void)close(fd);
    free(path);
    return rc;
}
