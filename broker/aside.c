/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>

#include "base/mem.h"
#include "broker/core_impl.h"

#define AT_ONCE (100 * SPAN_MS) /* an attempt that fails so soon */
#define STREAK  5               /* of them, and the agent is suspicious */
#define ASIDE   (30 * SPAN_SECOND)

/* ---- where everything fails ---- */

/*
 * Another agent is well enough to go on without this one, and tells that it is
 * not the tasks: something succeeded there meanwhile; or nothing ever did here,
 * and it does not fail likewise.
 */
static bool
others_do_better(const struct broker *self, const struct peer *peer)
{
    for (uint32_t p = 0; p < self->npeer; p++) {
        const struct peer *other = self->peers[p];

        if (!other || other == peer || !broker_peer_takes(other, false))
            continue;
        if (other->success_at >= peer->streak_since && other->success_at > 0)
            return true;
        if (peer->succeeded == 0 && other->streak == 0)
            return true;
    }
    return false;
}

void
broker_peer_judge(struct broker *self, struct peer *peer,
                  const struct ticket *t, const struct result *result,
                  int64_t now)
{
    bool at_once = result->ended - result->started < AT_ONCE;

    if (plan_state_is_success(result->state)) {
        peer->succeeded++;
        peer->success_at = now;
    }
    if (result->state != PLAN_FAILED || !at_once) {
        peer->streak = 0;
        peer->streak_varies = false;
        return;
    }
    if (peer->streak++ == 0) {
        peer->streak_since = now;
        peer->streak_run = t->life->id;
        peer->streak_task = t->id.task;
    }
    if (peer->streak_run != t->life->id || peer->streak_task != t->id.task)
        peer->streak_varies = true;
    if (peer->streak < STREAK || !peer->streak_varies ||
        peer->aside_until > 0 || !others_do_better(self, peer))
        return;
    peer->aside_until = now + ASIDE;
    free(peer->aside);
    peer->aside =
        mem_printf("the last %u attempts failed at once: %s", peer->streak,
                   result->cause ? result->cause : "no cause given");
    peer->streak = 0;
    peer->streak_varies = false;
    for (uint32_t i = peer->last; i != NO_TICKET; i = peer->tickets[i].before)
        broker_ticket_recall(self, peer, &peer->tickets[i]);
}
