/* SPDX-License-Identifier: MPL-2.0 */
/*
 * runs - where runs are looked up: a store of this machine, or a broker's.
 *
 * The reading commands ask here and need not know which. Semantics are those of
 * store.h; what a broker answers with is checked like anything from outside.
 */
#ifndef LIB_RUNS_H
#define LIB_RUNS_H

#include "lib/client.h"
#include "store/history.h"
#include "store/store.h"

struct runs;

/* A store's, opened to read (or to write, for rm). */
int runs_of_store(struct runs **ret, const char *folder, enum store_mode mode,
                  struct err *err);
/* A broker's; takes the client over. */
struct runs *runs_of_broker(struct client **client_p);
void runs_close(struct runs **self_p);

/* NULL if they are a broker's. */
struct store *runs_store(struct runs *self);
/* NULL if they are a store's. */
struct client *runs_client(struct runs *self);

int runs_find(struct runs *self, const char *which, uint64_t *ret,
              struct err *err);
int runs_get(struct runs *self, uint64_t run, bool with_source,
             struct store_run *ret, struct err *err);
int runs_list(struct runs *self, size_t most, store_run_fn *fn, void *ctx,
              struct err *err);
int runs_history(struct runs *self, uint64_t run, struct history **ret,
                 struct err *err);
int runs_pieces(struct runs *self, uint64_t run, const struct plan_id *only,
                uint64_t *offset, store_piece_fn *fn, void *ctx,
                struct err *err);
int runs_remove(struct runs *self, uint64_t run, struct err *err);
int runs_prune(struct runs *self, size_t keep, int64_t age, size_t *removed,
               struct err *err);
/*
 * Wait until the run is at an end, or something new was written (`output`), or
 * `timeout` microseconds are over. A broker says when; a store is asked often.
 */
int runs_wait(struct runs *self, uint64_t run, bool output, uint64_t offset,
              int64_t timeout, struct err *err);

#endif
