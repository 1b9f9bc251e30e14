/* SPDX-License-Identifier: MPL-2.0 */
/*
 * file - files that a person names, read whole.
 */
#ifndef CLI_FILE_H
#define CLI_FILE_H

#include <stddef.h>

#include "base/err.h"

/*
 * Read a file, or standard input for "-", into a heap string with a NUL behind
 * it. Fails with ERR_NOT_FOUND, ERR_DENIED, ERR_LIMIT or ERR_SYSTEM.
 */
int file_read(const char *name, char **text, size_t *len, struct err *err);

/* Write a file anew. ERR_DENIED, ERR_NOT_FOUND (its folder), ERR_SYSTEM. */
int file_write(const char *name, const char *text, size_t len, struct err *err);

/* The name of a file in messages: "-" has one too. */
const char *file_name(const char *name);

#endif
