/* SPDX-License-Identifier: MPL-2.0 */
#include <string.h>

#include "base/span.h"
#include "broker/core_impl.h"

#define MEASURED_ENOUGH 3 /* results, before their mean is believed */
#define SHORT           (100 * SPAN_MS)

/* ---- how long they take ---- */

void
broker_class_measure(struct class *class, int64_t took)
{
    int64_t weight = class->nmeasured < 7 ? class->nmeasured + 1 : 8;

    class->mean = span_follow(class->mean, took, weight);
    class->nmeasured += class->nmeasured < UINT32_MAX;
}

bool
broker_class_is_short(const struct class *class)
{
    return class->nmeasured >= MEASURED_ENOUGH && class->mean < SHORT * 1000;
}

/* ---- how large they are ---- */

#define LOOKED_AT 64 /* parts of a value: the others will be like them */

/* About how long a value is as JSON, from the first of its parts. */
static int64_t
weigh(const json_t *value, int depth)
{
    json_t *writable = (json_t *)(uintptr_t)value;
    size_t n = json_array_size(value) + json_object_size(value);
    size_t looked = 0;
    int64_t bytes = 0;
    const char *key;
    json_t *part;

    if (!value)
        return 0;
    if (n == 0 || depth == 0)
        return 8 + (int64_t)json_string_length(value) + (int64_t)n * 16;
    for (; looked < json_array_size(value) && looked < LOOKED_AT; looked++)
        bytes += 1 + weigh(json_array_get(value, looked), depth - 1);
    if (json_is_object(value)) {
        json_object_foreach(writable, key, part) {
            bytes += 4 + (int64_t)strlen(key) + weigh(part, depth - 1);
            if (++looked == LOOKED_AT)
                break;
        }
    }
    bytes = looked > 0 ? bytes * (int64_t)n / (int64_t)looked : 0;
    /* Whatever there is more of does not matter, and could be too much. */
    return bytes < LIMIT_VALUE_BYTES ? bytes : LIMIT_VALUE_BYTES;
}

void
broker_class_weigh(struct class *class, const struct work *work)
{
    int64_t bytes;

    if (class->nsent++ % 16 != 0)
        return;
    bytes = (int64_t)work->nitem + weigh(work->own, 3) + weigh(work->argv, 3) +
            weigh(work->env, 2) + weigh(work->input, 3);
    if (bytes > class->bytes)
        class->bytes = bytes;
    else
        class->bytes += (bytes - class->bytes) / 8;
}
