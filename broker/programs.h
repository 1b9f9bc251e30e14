/* SPDX-License-Identifier: MPL-2.0 */
/*
 * programs - the programs of C flows that clients have sent, by hash.
 *
 * Files in a folder, named by their hash in hex; one that is not whole yet has
 * ".part" behind it, and can be gone on with. All of them together take no
 * more than LIMIT_PROGRAMS_BYTES: those not asked for the longest go first.
 */
#ifndef BROKER_PROGRAMS_H
#define BROKER_PROGRAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "proto/programs.h"

struct broker_programs;

/* Nothing is made before something is kept. */
struct broker_programs *broker_programs_new(const char *store);
void broker_programs_destroy(struct broker_programs **self_p);

/* It is whole, and counts as used now. */
bool broker_programs_has(struct broker_programs *self,
                         const unsigned char hash[PROGRAM_HASH]);
/* One comes; needed: hashes in a row, of what has to stay; *had: how much of it
 * is here already. ERR_UNAVAILABLE: there is no room. */
int broker_programs_offer(struct broker_programs *self,
                          const unsigned char hash[PROGRAM_HASH],
                          uint64_t bytes, const struct buf *needed,
                          uint64_t *had, struct err *err);
/* A piece of it, right behind what is here. The last one makes it whole:
 * ERR_INVALID if it is another program, which is forgotten. */
int broker_programs_write(struct broker_programs *self,
                          const unsigned char hash[PROGRAM_HASH],
                          uint64_t bytes, uint64_t offset, const void *data,
                          size_t n, struct err *err);
/* A piece, none at its end; *bytes: how much it is in all. ERR_NOT_FOUND. */
int broker_programs_read(struct broker_programs *self,
                         const unsigned char hash[PROGRAM_HASH],
                         uint64_t offset, size_t most, struct buf *out,
                         uint64_t *bytes, struct err *err);

#endif
