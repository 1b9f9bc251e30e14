/* SPDX-License-Identifier: MPL-2.0 */
/*
 * critical - the chain of tasks whose durations add up to most.
 *
 * What a run can't be faster than, however much is done at the same time.
 */
#ifndef LIB_CRITICAL_H
#define LIB_CRITICAL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/layout.h"
#include "lib/picture.h"

struct critical {
    bool *boxes, *lines; /* those of the picture that are on the chain */
    int64_t took;        /* all of it; 0: no chain of two tasks or more */
};

struct critical *critical_find(const struct picture *picture,
                               const struct layout *layout);
void critical_destroy(struct critical **self_p);

#endif
