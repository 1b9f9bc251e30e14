/* SPDX-License-Identifier: MPL-2.0 */
#include "flow/size.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/value.h"

static const struct {
    const char *name;
    double bytes;
} units[] = {
    {"", 1},          {"B", 1},        {"KB", 1e3},      {"MB", 1e6},
    {"GB", 1e9},      {"TB", 1e12},    {"KiB", 1 << 10}, {"MiB", 1 << 20},
    {"GiB", 1 << 30}, {"K", 1 << 10},  {"M", 1 << 20},   {"G", 1 << 30},
    {"T", 0x1p40},    {"TiB", 0x1p40},
};

int
size_read(const char *text, double *ret)
{
    size_t n = strspn(text, "0123456789.");
    char *number = mem_text(text, n);
    double amount = 0;
    bool ok = false;

    text += n;
    text += strspn(text, " ");
    if (value_read_float(number, &amount) == 0) {
        for (size_t i = 0; i < sizeof units / sizeof units[0] && !ok; i++) {
            ok = strcmp(text, units[i].name) == 0;
            amount *= ok ? units[i].bytes : 1;
        }
    }
    free(number);
    if (!ok)
        return -1;
    *ret = floor(amount);
    return 0;
}
