/* SPDX-License-Identifier: MPL-2.0 */
/*
 * capture - what C functions in this process print.
 *
 * From capture_new to capture_destroy descriptors 1 and 2 lead to unlinked
 * files; after each call what is in them is passed on, piece by piece. A pipe
 * would stop a function that prints more than it holds. If the process ends
 * meanwhile, by exit() or a signal of its own making, what is in them goes to
 * where the descriptors led before.
 */
#ifndef LIB_CAPTURE_H
#define LIB_CAPTURE_H

#include <stddef.h>

#include "base/err.h"

struct capture;

/* stream: 1 or 2. */
typedef void capture_fn(void *ctx, int stream, const char *data, size_t n);

int capture_new(struct capture **ret, struct err *err);
/* Puts 1 and 2 back. */
void capture_destroy(struct capture **self_p);

/*
 * Let 1 and 2 lead where they led before, for code that belongs to no task,
 * and back again.
 */
void capture_pause(struct capture *self);
void capture_resume(struct capture *self);

/* Also when this signal ends the process, what was printed goes to where 1 and 2
 * led before. */
void capture_heed(int sig);

/*
 * Pass on what was printed since the last time. Past LIMIT_OUTPUT_BYTES the
 * middle of a stream is left out, with a line that says how much.
 */
void capture_collect(struct capture *self, capture_fn *fn, void *ctx);

#endif
