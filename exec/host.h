/* SPDX-License-Identifier: MPL-2.0 */
/*
 * host - what this machine has, and what it is called: the same for local runs
 * and for agents.
 */
#ifndef EXEC_HOST_H
#define EXEC_HOST_H

#include <sys/utsname.h>

struct host {
    struct utsname uts;
};

void host_init(struct host *self);

/* How much of a resource there is: "cpus" that this process may use, "memory"
 * in bytes, "gpus"; 0 of any other. */
double host_amount(const char *name);

/* "arch", "host", "os"; NULL for any other. */
const char *host_label(const struct host *self, const char *name);

/* The names that the above know, each ended by NULL. */
extern const char *const host_resources[];
extern const char *const host_labels[];

#endif
