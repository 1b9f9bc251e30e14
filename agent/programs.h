/* SPDX-License-Identifier: MPL-2.0 */
/*
 * programs - the programs of C flows that an agent has, by hash.
 *
 * Files in a folder, named by their hash in hex. One that is missing is asked
 * for over control, piece by piece, one program at a time; the edge does the
 * asking. All of them together take no more than LIMIT_PROGRAMS_BYTES: those
 * not used for the longest go first; a worker keeps what it runs. What is kept
 * is looked at (hashed) once, before it is used for the first time.
 *
 *   [unknown] --get--> [wanted] --pieces--> [here]
 *                          '-- refused, damaged --> [unknown], and told
 */
#ifndef AGENT_PROGRAMS_H
#define AGENT_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/programs.h"

struct agent_programs;

/* The folder is made when something is to be kept. */
struct agent_programs *agent_programs_new(const char *folder);
void agent_programs_destroy(struct agent_programs **self_p);
/* $XDG_CACHE_HOME/leat/programs, or what stands for it; a heap string. */
char *agent_programs_folder(void);

/* Its file, until the next call, if it is here; else NULL, and it is wanted. */
const char *agent_programs_get(struct agent_programs *self,
                               const unsigned char hash[PROGRAM_HASH],
                               int64_t now);

/* ---- for the edge ---- */

struct agent_programs_ask {
    uint64_t tag; /* comes back in the answer */
    unsigned char hash[PROGRAM_HASH];
    uint64_t offset;
};

/* What to ask for next; false: nothing, or an answer has to come first. */
bool agent_programs_next(struct agent_programs *self, int64_t now,
                         struct agent_programs_ask *ask);
/* The connection is a new one: what was asked for is asked for again. */
void agent_programs_again(struct agent_programs *self);

enum agent_programs_step {
    PROGRAMS_NONE,   /* not for us, or more of it is to come */
    PROGRAMS_HERE,   /* `hash` is here now */
    PROGRAMS_FAILED, /* it can't be had: *err */
};

/* A Chunk has come. `hash` is set but for NONE. */
enum agent_programs_step agent_programs_chunk(struct agent_programs *self,
                                              uint64_t tag, uint64_t offset,
                                              const void *data, size_t n,
                                              unsigned char hash[PROGRAM_HASH],
                                              struct err *err);
/* An Answer has come: the end of it (code 0), or why there is none. */
enum agent_programs_step agent_programs_answer(struct agent_programs *self,
                                               uint64_t tag, enum err_code code,
                                               const char *text,
                                               unsigned char hash[PROGRAM_HASH],
                                               struct err *err);

#endif
