/* SPDX-License-Identifier: MPL-2.0 */
/*
 * attempts - what an agent's core has started, carried out: commands by a
 * carrier, C calls by workers, both for a call that has `when` or `creates`.
 *
 *   start --> a call: [FETCHING its program] --> [CALLED] --> ended
 *         '-> else: [CARRIED] --> ended
 *                      '-- a call's turn --> [FETCHING], [CALLED], [CARRIED]
 *
 * Attempts have the core's own numbers. One loop: a descriptor to poll, and
 * attempts_handle, from inside which the callbacks are made (and from start,
 * of what has begun or ended at once).
 */
#ifndef AGENT_ATTEMPTS_H
#define AGENT_ATTEMPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/programs.h"
#include "base/err.h"
#include "proto/items.h"

struct attempts;

struct attempts_calls {
    void (*began)(void *ctx, uint32_t own);
    void (*output)(void *ctx, const struct output *output); /* ticket: own */
    void (*ended)(void *ctx, const struct result *result);
    void (*not_begun)(void *ctx, uint32_t own);
    void *ctx;
};

/* programs: borrowed. */
int attempts_new(struct attempts **ret, uint32_t slots,
                 struct agent_programs *programs,
                 const struct attempts_calls *calls, struct err *err);
/* See exec_set_process; before anything is started. */
void attempts_set_files(struct attempts *self, uint64_t files);
/* Kills what runs; says nothing of it. */
void attempts_destroy(struct attempts **self_p);

/* As the core's effects. *work is borrowed until it has ended, or not begun. */
void attempts_start(struct attempts *self, uint32_t own, uint32_t slot,
                    const struct work *work, const uint32_t *gpus,
                    uint32_t ngpu);
void attempts_stop(struct attempts *self, uint32_t own, bool at_once);
void attempts_stop_all(struct attempts *self, bool at_once);

/* A program is here now, or (failed) can't be had: calls go on. */
void attempts_program(struct attempts *self,
                      const unsigned char hash[PROGRAM_HASH],
                      const char *failed);

/* Stop and go on reading what commands write and workers send. */
void attempts_hold(struct attempts *self, bool hold);

int attempts_fd(const struct attempts *self);
/* Also after start and stop: nothing is sent before. */
void attempts_handle(struct attempts *self, int64_t now, int64_t *until);

#endif
