/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/programs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

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
path_of(const struct broker_programs *self, const unsigned char *hash)
{
    return programs_path(self->folder, hash);
}

static char *
part_of(const struct broker_programs *self, const unsigned char *hash)
{
    char *path = path_of(self, hash);
    char *part = mem_printf("%s.part", path);

    free(path);
    return part;
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
    char *path = path_of(self, hash);
    bool has = size_of(path) >= 0;

    if (has)
        (void)utimensat(AT_FDCWD, path, NULL, 0);
    free(path);
    return has;
}

/* ---- coming ---- */

int
broker_programs_offer(struct broker_programs *self,
                      const unsigned char hash[PROGRAM_HASH], uint64_t bytes,
                      const struct buf *needed, uint64_t *had, struct err *err)
{
    char *part = part_of(self, hash);
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
    if (!programs_make_room(self->folder, bytes - *had,
                            (const unsigned char *)needed->data,
                            needed->len / PROGRAM_HASH))
        rc = err_set(err, ERR_UNAVAILABLE,
                     "the broker has no room for the program: those that it "
                     "has were used just now, or by runs that go on");
out:
    free(part);
    return rc;
}

/* All of it is here: is it what it was said to be? */
static int
finish(struct broker_programs *self, const unsigned char *hash, int fd,
       const char *part, struct err *err)
{
    unsigned char got[PROGRAM_HASH];
    char *path = path_of(self, hash);
    int rc = 0;

    if (programs_hash(fd, got) < 0)
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
    char *part = part_of(self, hash);
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
    char *path = path_of(self, hash);
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
