/* SPDX-License-Identifier: MPL-2.0 */
/*
 * cluster - a broker and an agent of this machine, for one run.
 *
 * Two processes over ipc in a private folder. Each holds the reading end of a
 * pipe whose writing end is here: when this process is gone, however it ended,
 * they end what runs, remove the folder, and end. They use the store of local
 * runs. What they say is kept, and told when one of them dies.
 */
#ifndef LIB_CLUSTER_H
#define LIB_CLUSTER_H

#include "base/err.h"
#include "lib/local.h"

struct cluster;

/*
 * Start one with so many slots (0: as many as cores), the store in `store`
 * (NULL: one of its own, gone with it), this machine's labels and resources as
 * in the request. Returns when the broker answers; the agent comes meanwhile.
 * ERR_NOT_FOUND: leat-broker or leat-agent is not where it should be: in
 * LEAT_BIN, beside this program, in ../bin, or in PATH.
 */
int cluster_start(struct cluster **ret, uint32_t slots, const char *store,
                  const struct local_request *request, struct err *err);
const char *cluster_address(const struct cluster *self);
/* ERR_SYSTEM if one of the two has ended: which, how, and its last words. */
int cluster_check(struct cluster *self, struct err *err);
/* Both begin to end; cluster_stop follows. */
void cluster_leave(struct cluster *self);
/* Ends both and waits for them: nothing is left. Takes NULL inside. */
void cluster_stop(struct cluster **self_p);

/* Where a daemon's program is, a heap string. ERR_NOT_FOUND as above. */
int cluster_program(char **ret, const char *name, struct err *err);

/* How many cores this process may use. */
uint32_t cluster_cores(void);

#endif
