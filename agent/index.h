/* SPDX-License-Identifier: MPL-2.0 */
/*
 * index - from a 64-bit key to the number of what is held.
 *
 * A hash table with open addressing; keys must be well mixed. A struct
 * agent_index of zeroes is empty.
 */
#ifndef AGENT_INDEX_H
#define AGENT_INDEX_H

#include <stdint.h>

#define AGENT_INDEX_NONE UINT32_MAX

struct agent_index {
    struct agent_index_slot *slots; /* private */
    uint32_t nslot;
    uint32_t n;
};

void agent_index_release(struct agent_index *self);
void agent_index_clear(struct agent_index *self);

/* Mix a number so that it can be a key: different ones stay different. */
uint64_t agent_index_mix(uint64_t x);

/* Returns the number that the key already has, which then stays, or NONE. */
uint32_t agent_index_add(struct agent_index *self, uint64_t key,
                         uint32_t number);
uint32_t agent_index_find(const struct agent_index *self, uint64_t key);
/* Take a key out if it has this number. */
void agent_index_remove(struct agent_index *self, uint64_t key,
                        uint32_t number);

#endif
