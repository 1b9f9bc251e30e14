/* SPDX-License-Identifier: MPL-2.0 */
/*
 * remote - a run that a broker carries out: a standing one, or one started for
 * this run together with its agent (-j).
 */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include "cli/cli.h"
#include "cli/watch.h"
#include "lib/client.h"
#include "lib/cluster.h"
#include "lib/runs.h"

enum remote_place {
    REMOTE_NOT,    /* in this process */
    REMOTE_SLOTS,  /* a cluster of this machine, for the run */
    REMOTE_BROKER, /* the configured one */
};

struct remote {
    const struct cli *cli;
    const struct args *args;
    enum remote_place place;
    struct cluster *cluster;
    struct runs *runs;   /* the broker's */
    uint64_t run;        /* 0: not begun */
    bool leave;          /* an interrupt only ends the following */
    struct watch *watch; /* that shows the run; borrowed */
};

/* What the command line and the configuration come to. */
enum remote_place remote_place(const struct cli *cli, const struct args *args);
/* How many slots -j asks for. */
uint32_t remote_slots(const struct args *args);

/* What can't be asked of a broker is told: 0, or what to exit with. */
int remote_check(const struct remote *self,
                 const struct local_request *request);

/* Reach the broker, or start one. Told, as above. */
int remote_open(struct remote *self, const struct local_request *request);

/* The run is stored and on its way when this returns: self->run. */
int remote_begin(struct remote *self, const struct local_request *request,
                 const char *program, struct err *err);

/* As local_run; the run has begun. */
int remote_follow(struct remote *self, const struct local_request *request,
                  bool quiet, struct local_result *ret, struct err *err);

/* Nothing more is asked of it: a temporary cluster begins to end. */
void remote_leave(struct remote *self);
/* The temporary cluster is gone when this returns. */
void remote_close(struct remote *self);

#endif
