/* SPDX-License-Identifier: MPL-2.0 */
/*
 * report - how a run has ended, for people: in one line if it went well, else
 * what failed, where, why, what that kept from running, and what to type next.
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "base/buf.h"
#include "cli/watch.h"
#include "lib/local.h"

/* `elapsed` in microseconds. */
void report_put(const struct watch *watch, const struct local_result *result,
                int64_t elapsed, struct buf *out);

#endif
