/* SPDX-License-Identifier: MPL-2.0 */
/*
 * random_flow - flows drawn by dice: the same numbers from the same seed.
 */
#ifndef SUPPORT_RANDOM_FLOW_H
#define SUPPORT_RANDOM_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/support/reference.h"

/* A number that looks random, always the same for the same x. */
uint64_t dice_mix(uint64_t x);

/* The next number below n from a seed that moves on. */
uint32_t dice_roll(uint64_t *dice, uint32_t n);
bool dice_one_in(uint64_t *dice, uint32_t n);

/* Draw tasks, needs, keys and rules; no map has over REF_CHILDREN children. */
void random_flow(struct ref_flow *flow, uint64_t *dice);

#endif
