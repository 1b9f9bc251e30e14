/* SPDX-License-Identifier: MPL-2.0 */
/*
 * there - what a host has answered about its agent, read and told.
 *
 * The scripts that run there print a line "leat: WORD REST"; what else comes,
 * as from a user's .bashrc, does not count.
 */
#ifndef CLI_THERE_H
#define CLI_THERE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "lib/remote.h"

enum there {
    THERE_JOINED,
    THERE_RUNNING,
    THERE_WAITING,
    THERE_STOPPED,
    THERE_ABSENT,
    THERE_COPIED,
    THERE_MISSING,
    THERE_LIBRARIES,
    THERE_OTHER,
    THERE_ENDED,
    THERE_STILL,
    THERE_UNREACHED, /* ssh or the script failed */
    THERE_COUNT
};

struct host {
    const char *name; /* as ssh takes it; borrowed */
    enum there there;
    char *rest; /* behind the first word: a pid, libraries */
    char *said; /* the last line that says why, or "" */
};

void there_read(struct host *self, const struct remote_host *remote);
void there_release(struct host *self);

/* Nothing needs to be done about it. */
bool there_is_well(enum there there);
/* An agent runs there now. */
bool there_is_up(enum there there);

/* A line for people. */
void there_put(const struct host *self, struct buf *out);
json_t *there_to_json(const struct host *self);

#endif
