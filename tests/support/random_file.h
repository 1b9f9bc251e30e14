/* SPDX-License-Identifier: MPL-2.0 */
/*
 * random_file - flow files drawn by dice: the same text from the same seed.
 */
#ifndef SUPPORT_RANDOM_FILE_H
#define SUPPORT_RANDOM_FILE_H

#include <stdint.h>

#include "base/buf.h"

/* Add the text of a valid flow of 1 to 10 tasks, in YAML or JSON. */
void random_file(uint64_t *dice, struct buf *text);

#endif
