/* SPDX-License-Identifier: MPL-2.0 */
/*
 * options - what an agent is told, and what it finds out of its machine.
 */
#ifndef AGENT_OPTIONS_H
#define AGENT_OPTIONS_H

#include "agent/net.h"
#include "base/err.h"
#include "base/log.h"
#include "exec/host.h"

struct agent_options {
    struct agent_net_config net;
    enum log_level level;
    const char *cwd; /* to go to; or NULL; borrowed from argv or so */
    /* private: what net points to */
    struct host host;
    char *address, *name, *programs;
    struct flow_resource *resources;
    char **labels;
    struct settings *settings;
};

enum agent_options_do { AGENT_SERVE, AGENT_HELP, AGENT_VERSION };

/*
 * *what is what is asked for; with HELP only `help` is filled in. ERR_INVALID: a
 * flag, a variable or the file is wrong; ERR_DENIED: the broker's address takes
 * keys, or --insecure.
 */
int agent_options_read(struct agent_options *self, int argc, char **argv,
                       enum agent_options_do *what, struct buf *help,
                       struct err *err);
void agent_options_release(struct agent_options *self);

#endif
