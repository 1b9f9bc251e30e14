/* SPDX-License-Identifier: MPL-2.0 */
/*
 * config - what a user has settled: $XDG_CONFIG_HOME/leat/config.yaml.
 *
 * A flag goes before LEAT_*, that before the file, that before the default.
 */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"
#include "cli/term.h"

#define CONFIG_KEEP 1000 /* runs, unless said */

enum config_origin { FROM_DEFAULT, FROM_FILE, FROM_ENVIRONMENT, FROM_FLAG };

struct config {
    char *file;  /* where it is, or would be */
    char *store; /* the folder */
    enum config_origin store_from;
    char *broker; /* its address; NULL: runs are of this machine */
    enum config_origin broker_from;
    bool insecure;   /* addresses of other machines without encryption */
    uint64_t keep;   /* finished runs; 0: all */
    int64_t max_age; /* microseconds; 0: for ever */
    enum colour colour;
    json_t *resources; /* object: amounts by name */
    json_t *labels;    /* object: texts by name */
};

/*
 * Read the file and the environment. Every problem goes to `problems`, a line
 * each with its place; then -1. Release it in either case.
 */
int config_load(struct config *self, struct buf *problems);
void config_release(struct config *self);

void config_set_store(struct config *self, const char *folder,
                      enum config_origin from);

/* NULL: none. */
void config_set_broker(struct config *self, const char *address,
                       enum config_origin from);

/* "the default", "LEAT_STORE", ... */
const char *config_origin_name(enum config_origin origin);
const char *config_broker_origin(enum config_origin origin);

#endif
