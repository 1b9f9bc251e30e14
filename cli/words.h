/* SPDX-License-Identifier: MPL-2.0 */
/*
 * words - states in the middle of a sentence.
 */
#ifndef CLI_WORDS_H
#define CLI_WORDS_H

#include "flow/plan.h"
#include "store/store.h"

/* "failed", "was skipped", "is waiting": what is said of a task ... */
const char *words_task(enum plan_state state);
/* ... and of a run. */
const char *words_run(enum store_run_state state);

#endif
