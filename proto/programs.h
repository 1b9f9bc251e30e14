/* SPDX-License-Identifier: MPL-2.0 */
/*
 * programs - a folder of C flows' programs, as broker and agents keep them: files
 * that are named by their hash in hex. Others may be using the folder.
 */
#ifndef PROTO_PROGRAMS_H
#define PROTO_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/work.h"

#define PROGRAM_HASH WORK_PROGRAM_HASH /* bytes, BLAKE2b */

/* The file of a program in the folder; a heap string. */
char *programs_path(const char *folder, const unsigned char hash[PROGRAM_HASH]);

/* The hash of an open file, from its start; -1: it can't be read (errno). */
int programs_hash(int fd, unsigned char ret[PROGRAM_HASH]);

/*
 * Make room for so many bytes: together with what is kept they are to be no more
 * than LIMIT_PROGRAMS_BYTES. Those not used for the longest (by their time of
 * change) go first; those used in the last minute stay, for somebody may be
 * about to start them, and so do `needed`, hashes in a row. False: it was not
 * enough.
 */
bool programs_make_room(const char *folder, uint64_t bytes,
                        const unsigned char *needed, size_t nneeded);

#endif
