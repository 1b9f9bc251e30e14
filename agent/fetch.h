/* SPDX-License-Identifier: MPL-2.0 */
/*
 * fetch - gets programs of C flows from the broker, for the calls that wait
 * for them: one question at a time, over the session's control.
 *
 * What it is given is borrowed, for life.
 */
#ifndef AGENT_FETCH_H
#define AGENT_FETCH_H

#include <stdint.h>

#include "agent/attempts.h"
#include "agent/session.h"

struct fetch {
    struct agent_programs *programs; /* says what is wanted, keeps it */
    struct attempts *attempts;       /* is told what is here, or can't be had */
    struct session *session;
};

/* Ask for the next piece of what is wanted, if nothing is on its way. */
void fetch_ask(const struct fetch *self, int64_t now);
/* A Chunk or an Answer has come. */
void fetch_control(const struct fetch *self, const struct wire *wire);

#endif
