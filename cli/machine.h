/* SPDX-License-Identifier: MPL-2.0 */
/*
 * machine - what this machine has, as config.yaml and the command line say.
 */
#ifndef CLI_MACHINE_H
#define CLI_MACHINE_H

#include <stddef.h>

#include "cli/cli.h"
#include "lib/local.h"

struct machine {
    struct local_resource *resources; /* names are of `named` */
    size_t nresource;
    char **labels; /* NAME=VALUE */
    size_t nlabel;
    json_t *named;
};

/*
 * How much the text says there is of a resource: a number above 0, of memory
 * with a unit. 0 or -1.
 */
int machine_amount(const char *name, size_t len, const char *text, double *ret);

/* Returns 0, or what to exit with; the problem is told. */
int machine_read(struct machine *self, const struct cli *cli,
                 const struct args *args);
void machine_release(struct machine *self);

#endif
