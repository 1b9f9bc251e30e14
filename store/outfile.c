/* SPDX-License-Identifier: MPL-2.0 */
#include "store/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/db.h"

/* A file begins with these 8 bytes; the last is the version. */
static const char magic[8] = {'l', 'e', 'a', 't', 'o', 'u', 't', 1};

/*
 * A piece: check, task, child, attempt, stream (low byte) and origin, length
 * (u32 each), wall clock (i64), all little endian; then the bytes. The check is
 * over the other fields
 * and can't be zero for zeroes, which is what a file system may leave where a
 * write was lost.
 */
#define HEAD      32u
#define PIECE_MAX (1u << 20) /* bytes; what a reader needs memory for */
#define PIECE_OUT ((256u << 10) - HEAD) /* what is written: travels whole */
#define READ_SIZE (128u << 10)

static void
put_u32(unsigned char *at, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(n >> (8 * i));
}

static uint32_t
get_u32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
           (uint32_t)at[3] << 24;
}

/* FNV-1a. */
static uint32_t
check_of(const unsigned char *head)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 4; i < HEAD; i++)
        hash = (hash ^ head[i]) * 16777619u;
    return hash;
}

static void
put_head(unsigned char *head, const struct store_piece *piece, size_t n)
{
    put_u32(head + 4, piece->id.task);
    put_u32(head + 8, piece->id.child);
    put_u32(head + 12, piece->attempt);
    put_u32(head + 16, (uint32_t)piece->stream | piece->origin << 8);
    put_u32(head + 20, (uint32_t)n);
    put_u32(head + 24, (uint32_t)(uint64_t)piece->when);
    put_u32(head + 28, (uint32_t)((uint64_t)piece->when >> 32));
    put_u32(head, check_of(head));
}

static bool
get_head(const unsigned char *head, struct store_piece *ret)
{
    uint32_t n = get_u32(head + 20);

    if (get_u32(head) != check_of(head) || n > PIECE_MAX)
        return false;
    *ret = (struct store_piece){
        .id = {get_u32(head + 4), get_u32(head + 8)},
        .attempt = get_u32(head + 12),
        .stream = head[16],
        .origin = get_u32(head + 16) >> 8,
        .when =
            (int64_t)((uint64_t)get_u32(head + 28) << 32 | get_u32(head + 24)),
        .data = (const char *)head + HEAD,
        .n = n,
    };
    return true;
}

static int
cannot(const char *what, const char *path, struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE, "can't %s %s: %s%s", what, path,
                   strerror(errno),
                   db_is_full(errno) ? "; free some space and try again" : "");
}

static struct flock
first_byte(void)
{
    return (struct flock){
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
}

pid_t
outfile_holder(int fd)
{
    struct flock lock = first_byte();

    /* Unlike F_GETLK this sees the locks of our own process too. */
    if (fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
        return 0;
    return lock.l_pid > 0 ? lock.l_pid : -1;
}

int
outfile_look(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC);
}

void
outfile_let_go(int fd)
{
    if (fd >= 0 && outfile_holder(fd) != getpid())
        (void)close(fd);
}

static int
take_lock(int fd, const char *path, bool shared, struct err *err)
{
    struct flock lock = first_byte();
    pid_t holder = outfile_holder(fd);

    if (holder == 0 && fcntl(fd, shared ? F_OFD_SETLK : F_SETLK, &lock) == 0)
        return 0;
    if (holder == 0 && errno != EAGAIN && errno != EACCES)
        return cannot("lock", path, err);
    if (holder <= 0)
        return err_set(err, ERR_UNAVAILABLE, "it is running elsewhere");
    return err_set(err, ERR_UNAVAILABLE, "it is running in process %ld",
                   (long)holder);
}

/* Open and lock; the folder is made when it is missed. */
static int
open_locked(struct outfile *self, const char *path, bool shared,
            struct err *err)
{
    int flags = O_RDWR | O_CREAT | O_CLOEXEC;
    int fd = open(path, flags, 0600);

    if (fd < 0 && errno == ENOENT) {
        char *folder = mem_text(path, (size_t)(strrchr(path, '/') - path));

        if (mkdir(folder, 0700) == 0 || errno == EEXIST)
            fd = open(path, flags, 0600);
        free(folder);
    }
    if (fd < 0)
        return cannot("write", path, err);
    if (take_lock(fd, path, shared, err) < 0) {
        outfile_let_go(fd);
        return -1;
    }
    *self = (struct outfile){.fd = fd, .path = mem_dup(path)};
    return 0;
}

int
outfile_claim(const char *path, bool shared, int *fd, struct err *err)
{
    int found = open(path, O_RDWR | O_CLOEXEC);

    if (found < 0)
        return errno == ENOENT ? 0 : cannot("write", path, err);
    if (take_lock(found, path, shared, err) < 0) {
        outfile_let_go(found);
        return -1;
    }
    *fd = found;
    return 0;
}

/* Make it a file without pieces. */
static int
empty(struct outfile *self, struct err *err)
{
    if (ftruncate(self->fd, 0) < 0 ||
        pwrite(self->fd, magic, sizeof magic, 0) != (ssize_t)sizeof magic)
        return cannot("write", self->path, err);
    self->end = sizeof magic;
    return 0;
}

int
outfile_create(struct outfile *self, const char *path, bool shared,
               struct err *err)
{
    struct outfile made = {.fd = -1};

    if (open_locked(&made, path, shared, err) < 0)
        return -1;
    if (empty(&made, err) < 0) {
        outfile_close(&made);
        return -1;
    }
    *self = made;
    return 0;
}

int
outfile_resume(struct outfile *self, const char *path, bool shared,
               store_piece_fn *fn, void *ctx, struct err *err)
{
    struct outfile made = {.fd = -1};
    uint64_t end = 0;

    if (open_locked(&made, path, shared, err) < 0)
        return -1;
    if (outfile_read(made.fd, path, NULL, &end, fn, ctx, err) < 0)
        goto failed;
    if (end == 0 && empty(&made, err) < 0)
        goto failed;
    if (end > 0 && ftruncate(made.fd, (off_t)end) < 0) {
        (void)cannot("write", path, err);
        goto failed;
    }
    if (end > 0)
        made.end = end;
    *self = made;
    return 0;
failed:
    outfile_close(&made);
    return -1;
}

void
outfile_close(struct outfile *self)
{
    (void)close(self->fd);
    free(self->path);
    *self = (struct outfile){.fd = -1};
}

/* What an iovec of a write wants: it has no const, and writes nothing. */
static void *
writable(const void *data)
{
    union {
        const void *in;
        void *out;
    } same = {.in = data};

    return same.out;
}

/* Both parts at the end; how many bytes of them got there. */
static size_t
write_parts(struct outfile *self, const unsigned char *head, const char *data,
            size_t n)
{
    size_t done = 0;

    while (done < HEAD + n) {
        size_t of_head = done < HEAD ? done : HEAD, of_data = done - of_head;
        struct iovec parts[] = {{writable(head + of_head), HEAD - of_head},
                                {writable(data + of_data), n - of_data}};
        ssize_t wrote = pwritev(self->fd, parts, 2, (off_t)(self->end + done));

        if (wrote > 0)
            done += (size_t)wrote;
        else if (wrote == 0 || errno != EINTR)
            break;
    }
    return done;
}

/* Whoever has read what is taken back will find the same there: it is written
 * again before anything else. */
static int
take_back(struct outfile *self, uint64_t end, struct err *err)
{
    int rc = cannot("write", self->path, err);

    self->end = end;
    /* If this fails too, readers ignore what is torn. */
    (void)!ftruncate(self->fd, (off_t)self->end);
    return rc;
}

int
outfile_append(struct outfile *self, const struct store_piece *piece,
               struct err *err)
{
    uint64_t end = self->end;
    size_t done = 0;

    while (done < piece->n) {
        size_t n = piece->n - done;
        unsigned char head[HEAD];

        if (n > PIECE_OUT)
            n = PIECE_OUT;
        put_head(head, piece, n);
        if (write_parts(self, head, piece->data + done, n) < HEAD + n)
            return take_back(self, end, err);
        self->end += HEAD + n;
        done += n;
    }
    return 0;
}

static bool
is_wanted(const struct store_piece *piece, const struct plan_id *only)
{
    return !only ||
           (piece->id.task == only->task &&
            (only->child == PLAN_WHOLE || piece->id.child == only->child));
}

/* The first bytes of a file; one that is too short has no pieces yet. */
static int
read_magic(int fd, const char *path, uint64_t *offset, struct err *err)
{
    char text[sizeof magic];
    ssize_t n = pread(fd, text, sizeof text, 0);

    if (n < 0)
        return cannot("read", path, err);
    if (n < (ssize_t)sizeof text)
        return 0;
    if (memcmp(text, magic, sizeof magic - 1) != 0)
        return err_set(err, ERR_INVALID,
                       "%s is damaged (it does not begin as an output file); "
                       "move it away to see the rest of the run",
                       path);
    if (text[7] != magic[7])
        return err_set(err, ERR_INVALID,
                       "%s was written by a newer leat (output version %d, "
                       "this one reads %d): update leat",
                       path, text[7], magic[7]);
    *offset = sizeof magic;
    return 0;
}

struct reading {
    unsigned char *data;
    size_t cap;
    size_t len;  /* bytes in data */
    size_t want; /* bytes that the next piece needs; 0: nothing is next */
};

/* Give all whole pieces away; how many bytes they were. */
static size_t
give_pieces(struct reading *self, const struct plan_id *only,
            store_piece_fn *fn, void *ctx, bool *more)
{
    size_t at = 0;

    self->want = 0;
    while (*more && self->len - at >= HEAD) {
        struct store_piece piece;

        if (!get_head(self->data + at, &piece))
            break;
        if (self->len - at < HEAD + piece.n) {
            self->want = HEAD + piece.n;
            break;
        }
        if (is_wanted(&piece, only) && !fn(ctx, &piece))
            *more = false;
        else
            at += HEAD + piece.n;
    }
    return at;
}

int
outfile_read(int fd, const char *path, const struct plan_id *only,
             uint64_t *offset, store_piece_fn *fn, void *ctx, struct err *err)
{
    struct reading in = {0};
    bool more = true;
    int rc = -1;

    if (*offset == 0 && read_magic(fd, path, offset, err) < 0)
        return -1;
    in.data = mem_grow(NULL, &in.cap, READ_SIZE, 1);
    while (more && *offset > 0) {
        ssize_t n = pread(fd, in.data, in.cap, (off_t)*offset);
        size_t done;

        if (n < 0) {
            (void)cannot("read", path, err);
            goto out;
        }
        in.len = (size_t)n;
        done = give_pieces(&in, only, fn, ctx, &more);
        *offset += done;
        if (done == 0 && in.want <= in.cap)
            break;
        in.data = mem_grow(in.data, &in.cap, in.want, 1);
    }
    rc = 0;
out:
    free(in.data);
    return rc;
}

/* How many of n bytes are whole pieces of at most `most` together, or one. */
static size_t
whole_pieces(const unsigned char *data, size_t n, size_t most, size_t *want)
{
    struct store_piece piece;
    size_t at = 0;

    *want = 0;
    while (n - at >= HEAD && get_head(data + at, &piece)) {
        size_t size = HEAD + piece.n;

        if (at > 0 && at + size > most)
            break;
        if (size > n - at) {
            *want = size;
            break;
        }
        at += size;
    }
    return at;
}

int
outfile_copy(int fd, const char *path, uint64_t *offset, size_t most,
             struct buf *out, bool *more, struct err *err)
{
    /* The head behind says whether there is more. */
    size_t room = most + HEAD, done = 0, want = 0;
    ssize_t n;

    if (*offset == 0 && read_magic(fd, path, offset, err) < 0)
        return -1;
    if (*offset == 0)
        return 0;
    for (;;) {
        struct store_piece next;
        char *at = buf_reserve(out, room);
        const unsigned char *data = (const unsigned char *)at;

        n = pread(fd, at, room, (off_t)*offset);
        if (n < 0)
            return cannot("read", path, err);
        done = whole_pieces(data, (size_t)n, most, &want);
        *more = (size_t)n - done >= HEAD && get_head(data + done, &next);
        if (done > 0 || want <= room)
            break;
        room = want + HEAD;
    }
    *more = *more && done > 0;
    *offset += done;
    buf_added(out, done);
    return 0;
}

int
outfile_parse(const char *data, size_t n, store_piece_fn *fn, void *ctx,
              struct err *err)
{
    const unsigned char *at = (const unsigned char *)data;

    while (n > 0) {
        struct store_piece piece;

        if (n < HEAD || !get_head(at, &piece) || n - HEAD < piece.n)
            return err_set(err, ERR_INVALID, "this is no output of a run");
        if (!fn(ctx, &piece))
            return 0;
        at += HEAD + piece.n;
        n -= HEAD + piece.n;
    }
    return 0;
}
