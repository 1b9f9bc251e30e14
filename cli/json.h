/* SPDX-License-Identifier: MPL-2.0 */
/*
 * json - what --json prints: documents with the name and version of a schema.
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "flow/run.h"
#include "store/history.h"
#include "store/store.h"

/* A string of text from anywhere: what is not UTF-8 becomes U+FFFD. */
json_t *json_of_text(const char *text, size_t n);

/* "2026-11-23T14:05:09.123456Z"; null for 0. */
json_t *json_of_moment(int64_t wall);

/* What ls says of a run and show begins with. */
json_t *json_of_info(const struct store_run *info);

/* leat.run/1 */
json_t *json_of_history(const struct history *history);
/*
 * The same for a run that is not in a store: times are null. `info` says what
 * the run is.
 */
json_t *json_of_run(const struct run *run, const struct store_run *info);

#endif
