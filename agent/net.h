/* SPDX-License-Identifier: MPL-2.0 */
/*
 * net - the agent's edge: a loop between the core, what carries attempts out,
 * and the broker.
 *
 *   [RUNNING] --told to leave, idle--> [DRAINING] --nothing left--> ended
 *                                          '-- drain time over: attempts are
 *                                              ended; told again: at once
 */
#ifndef AGENT_NET_H
#define AGENT_NET_H

#include <stdint.h>

#include "base/err.h"
#include "proto/items.h"

struct agent_net_config {
    const char *address; /* of the broker, whole */
    struct agent_info info;
    const char *programs;          /* folder for programs of C flows */
    int64_t idle, lifetime, drain; /* microseconds; see agent_config */
    uint64_t files;                /* of attempts; see exec_set_process */
    int ready_fd;                  /* told once joined; -1: none */
    int lifeline;                  /* its end ends everything; -1: none */
    int start_fd; /* readable: there is a broker to look for; -1: there is */
};

/*
 * Serve until told to leave (SIGTERM or SIGINT, which must be blocked) or
 * refused. 0: it has left; -1: ERR_INVALID: the broker has another agent of
 * that name; ERR_DENIED: it speaks another version of the protocol.
 */
int agent_net_run(const struct agent_net_config *config, struct err *err);

#endif
