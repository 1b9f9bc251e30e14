/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/words.h"

const char *
words_task(enum plan_state state)
{
    static const char *const texts[PLAN_STATE_COUNT] = {
        [PLAN_WAITING] = "was not reached",
        [PLAN_READY] = "was not reached",
        [PLAN_RUNNING] = "has not ended",
        [PLAN_RETRYING] = "waits for its next attempt",
        [PLAN_PAUSED] = "waits to be let through",
        [PLAN_MAPPED] = "is mapped",
        [PLAN_SUCCEEDED] = "succeeded",
        [PLAN_CACHED] = "was cached",
        [PLAN_SKIPPED] = "was skipped",
        [PLAN_FAILED] = "failed",
        [PLAN_TIMED_OUT] = "timed out",
        [PLAN_CRASHED] = "crashed",
        [PLAN_TRIGGER_FAILED] = "was not run",
        [PLAN_CANCELLED] = "was cancelled",
    };

    return texts[state];
}

const char *
words_run(enum store_run_state state)
{
    static const char *const texts[STORE_RUN_STATE_COUNT] = {
        [STORE_RUNNING] = "is running", [STORE_SUCCEEDED] = "succeeded",
        [STORE_FAILED] = "failed",      [STORE_CANCELLED] = "was cancelled",
        [STORE_PAUSED] = "is paused",   [STORE_INTERRUPTED] = "was interrupted",
    };

    return texts[state];
}
