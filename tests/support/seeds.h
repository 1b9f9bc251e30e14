/* SPDX-License-Identifier: MPL-2.0 */
/*
 * seeds - which seeds a random test runs: from the environment SEED=n just one,
 * SEEDS=n so many, from 0 on.
 */
#ifndef SUPPORT_SEEDS_H
#define SUPPORT_SEEDS_H

#include <stdint.h>

/* `n` of them unless told. */
void seeds_run(uint64_t n, void (*one)(uint64_t seed));

#endif
