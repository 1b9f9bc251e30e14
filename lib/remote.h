/* SPDX-License-Identifier: MPL-2.0 */
/*
 * remote - run a script on many hosts at once, through the user's own ssh.
 *
 * Users, ports, keys and jump hosts are ssh's business and its configuration's.
 * Nothing is asked for: a host that wants a password fails, and says so.
 */
#ifndef LIB_REMOTE_H
#define LIB_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct remote_host {
    const char *name;  /* as ssh takes it; borrowed */
    bool ended_well;   /* ssh and the script: exit status 0 */
    struct buf out;    /* what came on standard output */
    struct buf errors; /* the last of what came on standard error */
    char *text;        /* how it ended: "exit code 255" */
};

void remote_host_release(struct remote_host *self);

struct remote_script {
    const char *ssh;   /* command line, split at spaces; NULL: "ssh" */
    const char *shell; /* what ssh is to run there: "sh -s" */
    const void *input; /* for its standard input */
    size_t ninput;
    int64_t timeout; /* microseconds, for each host; 0: none */
};

/*
 * Run it on each host, at most LIMIT_REMOTE at once. `done` is called as each
 * ends. Fails only if nothing could be started at all.
 */
typedef void remote_done_fn(void *ctx, struct remote_host *host);
int remote_run(struct remote_host *hosts, size_t n,
               const struct remote_script *script, remote_done_fn *done,
               void *ctx, struct err *err);

#endif
