/* SPDX-License-Identifier: MPL-2.0 */
/*
 * hosts - where agents were started through ssh: $XDG_STATE_HOME/leat/hosts, a
 * line each: the broker's address and the host.
 */
#ifndef CLI_HOSTS_H
#define CLI_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct hosts {
    char **list;
    size_t n, cap;
};

void hosts_release(struct hosts *self);

/* Unless it is there already. ERR_INVALID: it can't be a host's name. */
int hosts_add(struct hosts *self, const char *host, struct err *err);

/* A file with one a line; empty lines and # comments do not count. */
int hosts_read(struct hosts *self, const char *file, struct err *err);

/* Those known for a broker. None if nothing is known. */
void hosts_recall(struct hosts *self, const char *broker);

/* From now on these are known for a broker, or (known[i] false) no more. */
int hosts_remember(const char *broker, const struct hosts *self,
                   const bool *known, struct err *err);

#endif
