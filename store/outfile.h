/* SPDX-License-Identifier: MPL-2.0 */
/*
 * outfile - the output of a run, and the lock that says it is alive.
 *
 * Private to the store. A file of framed pieces that is only appended to; what
 * is torn at its end (the process was killed, the disk was full) is no piece.
 *
 * The lock is a POSIX record lock, so that forked children don't keep a run
 * alive. Such locks are dropped when their process closes any descriptor of
 * the file; therefore a descriptor of a file that this process has locked
 * through another one is never closed (outfile_let_go).
 */
#ifndef STORE_OUTFILE_H
#define STORE_OUTFILE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "store/store.h"

struct outfile {
    int fd;
    char *path;
    uint64_t end; /* where the next piece goes */
};

/* `shared`: the lock is the descriptor's, not the process's; other descriptors
 * of the file can be closed then, but a forked child holds it too. */

/* A new file, locked. ERR_UNAVAILABLE if it is another process's. */
int outfile_create(struct outfile *self, const char *path, bool shared,
                   struct err *err);
/* An old file, locked, without what is torn; a new one if there is none. fn is
 * told of each piece (it returns true). */
int outfile_resume(struct outfile *self, const char *path, bool shared,
                   store_piece_fn *fn, void *ctx, struct err *err);
/* Only its lock, to remove it; *fd stays -1 if there is no such file. */
int outfile_claim(const char *path, bool shared, int *fd, struct err *err);
/* Unlocks. */
void outfile_close(struct outfile *self);

/* A piece of any size, or nothing; larger ones become several. */
int outfile_append(struct outfile *self, const struct store_piece *piece,
                   struct err *err);

/* As store_pieces, of an open file. */
int outfile_read(int fd, const char *path, const struct plan_id *only,
                 uint64_t *offset, store_piece_fn *fn, void *ctx,
                 struct err *err);

/* As store_output_raw, of an open file; and as store_output_pieces. */
int outfile_copy(int fd, const char *path, uint64_t *offset, size_t most,
                 struct buf *out, bool *more, struct err *err);
int outfile_parse(const char *data, size_t n, store_piece_fn *fn, void *ctx,
                  struct err *err);

/* For reading: a descriptor, or -1 with errno set. */
int outfile_look(const char *path);
void outfile_let_go(int fd);

/* The process that holds the lock; 0: none, -1: one we can't see. */
pid_t outfile_holder(int fd);

#endif
