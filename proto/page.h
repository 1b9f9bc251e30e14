/* SPDX-License-Identifier: MPL-2.0 */
/*
 * page - what a worker shares with its agent, besides their socket.
 *
 * A memory file, the descriptor after the socket's. The worker says here which
 * call it makes, and keeps here what has ended and was not sent yet: after a
 * crash, or while a long call holds up what short ones have given, the agent
 * takes it from here. Each side checks what it reads: the other may be broken.
 *
 *   worker: began = now, current = ticket, wait while hold is set, call,
 *           add to plain or unsent; now and then flush:
 *           turn++ (odd), send all, nplain = filled = 0, turn++ (even)
 *   agent:  to end a call: hold = WAIT; current is still the one: END and kill,
 *           else GO, for it has just ended.
 *
 * The frames in unsent are whole Return frames; `session` in them counts frames
 * from 1, so that one that was taken from here is known when it comes again. A
 * frame made of plain has session 0; its tickets tell.
 */
#ifndef PROTO_PAGE_H
#define PROTO_PAGE_H

#include <stdatomic.h>
#include <stdint.h>

#include "proto/limits.h"

#define PAGE_VERSION 1u /* of this layout and of what goes over the socket */
#define PAGE_PLAIN   16384u

/* In the environment of a worker: the socket's number; the hash of its flow. */
#define PAGE_ENV      "LEAT_WORKER"
#define PAGE_ENV_FLOW "LEAT_WORKER_FLOW"

/* A success with nothing to tell. */
struct page_plain {
    uint32_t ticket;
    uint32_t took; /* microseconds */
    int64_t began; /* wall */
};

enum page_hold {
    PAGE_GO,
    PAGE_WAIT, /* begin no other call for a moment */
    PAGE_END,  /* end instead of beginning one */
};

struct page {
    uint32_t version;         /* the agent's, before anything else */
    _Atomic uint32_t serving; /* the worker's, once it serves */
    _Atomic uint32_t hold;    /* the agent's: enum page_hold */
    _Atomic uint32_t current; /* ticket of the call that is made; 0: none */
    _Atomic int64_t began;    /* wall: of current */
    _Atomic uint32_t turn;
    _Atomic uint32_t nplain;
    _Atomic uint32_t filled; /* bytes of unsent */
    struct page_plain plain[PAGE_PLAIN];
    char unsent[2 * LIMIT_FRAME_BYTES];
};

#endif
