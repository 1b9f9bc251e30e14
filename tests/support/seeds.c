/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/seeds.h"

#include <stdlib.h>

static uint64_t
number(const char *name, uint64_t fallback)
{
    const char *s = getenv(name);

    return s ? strtoull(s, NULL, 10) : fallback;
}

void
seeds_run(uint64_t n, void (*one)(uint64_t seed))
{
    if (getenv("SEED")) {
        one(number("SEED", 0));
        return;
    }
    n = number("SEEDS", n);
    for (uint64_t seed = 0; seed < n; seed++)
        one(seed);
}
