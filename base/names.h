/* SPDX-License-Identifier: MPL-2.0 */
/*
 * names - from a string to a small number.
 *
 * A hash table with open addressing. It borrows the strings: they must live,
 * unchanged, as long as the table. A struct names of zeroes is empty.
 */
#ifndef BASE_NAMES_H
#define BASE_NAMES_H

#include <stddef.h>
#include <stdint.h>

#define NAMES_NONE UINT32_MAX

struct names {
    struct names_slot *slots; /* private */
    size_t nslot;
    size_t n; /* names in the table */
};

void names_release(struct names *self);

/*
 * Add a name with its number; returns NAMES_NONE, or the number that the name
 * already has, which then stays.
 */
uint32_t names_add(struct names *self, const char *name, uint32_t number);

/* Take a name out, if it is there. */
void names_remove(struct names *self, const char *name);

/* The number of a name, or NAMES_NONE. */
uint32_t names_find(const struct names *self, const char *name);

/*
 * Of n candidates the one that a person who typed `name` most likely meant,
 * for "did you mean"; NULL if none is near (edit distance at most a third of
 * the length, rounded up, transpositions counted as one, and never all of it).
 */
const char *names_near(const char *name, const char *const *candidates,
                       size_t n);

#endif
