/* SPDX-License-Identifier: MPL-2.0 */
#include "flow/run_impl.h"

/* xorshift64*: jitter needs no better, and a seed must repeat it. */
static double
random_unit(struct run *self)
{
    uint64_t x = self->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    self->random = x;
    return (double)((x * UINT64_C(2685821657736338717)) >> 11) * 0x1p-53;
}

int64_t
run_retry_delay(struct run *self, const struct flow_retry *retry,
                uint32_t attempt)
{
    double delay = (double)retry->delay;

    for (uint32_t i = 1; i < attempt && delay < 1e15; i++) {
        if (retry->backoff == 1)
            break;
        delay *= retry->backoff;
        if (retry->max > 0 && delay > (double)retry->max)
            break;
    }
    delay *= 1 + retry->jitter * (2 * random_unit(self) - 1);
    if (retry->max > 0 && delay > (double)retry->max)
        delay = (double)retry->max;
    return (int64_t)delay;
}

static unsigned
retry_class(enum plan_state state)
{
    if (state == PLAN_FAILED)
        return RETRY_FAILED;
    if (state == PLAN_TIMED_OUT)
        return RETRY_TIMEOUT;
    return state == PLAN_CRASHED ? RETRY_LOST : 0;
}

uint32_t
run_attempts_that_count(const struct run *self, struct plan_id id)
{
    uint32_t n = run_attempts(self, id);

    return self->goes_on ? n : n - run_attempts_before(self, id);
}

bool
run_may_retry(const struct run *self, struct plan_id id, enum plan_state state)
{
    const struct flow_options *options = self->flow->tasks[id.task].options;
    const struct flow_retry *retry = &options->retry;
    uint32_t attempt = run_attempts_that_count(self, id);

    if (self->cancelled || options->at_most_once || attempt > retry->times)
        return false;
    return state == PLAN_RETRYING || (retry_class(state) & retry->on) != 0;
}
