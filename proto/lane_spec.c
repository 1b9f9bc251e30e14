/* SPDX-License-Identifier: MPL-2.0 */
#include "proto/lane_spec.h"

#include <string.h>

#include "base/utf8.h"
#include "flow/value.h"
#include "proto/items.h"
#include "proto/limits.h"
#include "proto/pack.h"

static int
pack_checked(struct buf *out, unsigned field, const char *text,
             const char *what, struct err *err)
{
    size_t n = text ? strlen(text) : 0;

    if (utf8_valid(text, n) != n)
        return err_set(err, ERR_INVALID,
                       "%s is not UTF-8 text: it can't be sent to an agent",
                       what);
    pack_bytes(out, field, text, n);
    return 0;
}

int
lane_spec_run(struct buf *out, const struct work_spec *spec, uint32_t place,
              struct err *err)
{
    struct buf params = {0};

    pack_unsigned(out, 1, place);
    pack_unsigned(out, 2, spec->run);
    if (spec->home && strlen(spec->home) > LIMIT_PATH_BYTES)
        return err_set(err, ERR_LIMIT,
                       "the path of the folder of the run is too long");
    if (pack_checked(out, 3, spec->flow, "the flow's name", err) < 0)
        return -1;
    if (json_object_size(spec->params) > 0)
        value_json(spec->params, &params);
    pack_buf(out, 4, &params);
    buf_release(&params);
    if (pack_checked(out, 5, spec->home, "the folder of the run", err) < 0)
        return -1;
    pack_bytes(out, 6, spec->program, spec->nprogram);
    pack_text(out, 7, spec->source_hash);
    return 0;
}

static void
pack_codes(struct buf *out, unsigned field, const struct flow_codes *codes)
{
    struct buf words = {0};

    if ((codes->bits[0] | codes->bits[1] | codes->bits[2] | codes->bits[3]) ==
        0)
        return;
    for (unsigned i = 0; i < 4; i++)
        pack_number(&words, codes->bits[i]);
    pack_buf(out, field, &words);
    buf_release(&words);
}

static int
pack_resource(struct buf *out, const struct flow_resource *resource,
              struct err *err)
{
    struct buf amount = {0};
    int rc;

    if (strlen(resource->name) > LIMIT_NAME_BYTES)
        return err_set(err, ERR_LIMIT,
                       "a resource's name has more than %d bytes",
                       LIMIT_NAME_BYTES);
    rc = pack_checked(&amount, 1, resource->name, "a resource's name", err);
    pack_double(&amount, 2, resource->amount);
    pack_buf(out, 14, &amount);
    buf_release(&amount);
    return rc;
}

static int
pack_resources(struct buf *out, const struct work_spec *spec, struct err *err)
{
    if (spec->nresource > LIMIT_LABELS)
        return err_set(err, ERR_LIMIT,
                       "it asks for %u resources; %u are the "
                       "most",
                       spec->nresource, LIMIT_LABELS);
    for (uint32_t i = 0; i < spec->nresource; i++) {
        if (pack_resource(out, &spec->resources[i], err) < 0)
            return -1;
    }
    return 0;
}

int
lane_spec_task(struct buf *out, const struct work_spec *spec, uint32_t place,
               size_t *nfield, struct err *err)
{
    unsigned flags = (spec->exclusive ? SPEC_EXCLUSIVE : 0u) |
                     (spec->at_most_once ? SPEC_AT_MOST_ONCE : 0u) |
                     (spec->creates ? SPEC_CREATES : 0u) |
                     (spec->handlers ? SPEC_HANDLERS : 0u);

    pack_unsigned(out, 1, place);
    pack_unsigned(out, 2, spec->task);
    if (pack_checked(out, 3, spec->name, "the task's name", err) < 0)
        return -1;
    pack_unsigned(out, 4, (unsigned)spec->kind);
    pack_unsigned(out, 5, (unsigned)spec->value);
    if (pack_checked(out, 6, spec->script, "the script", err) < 0 ||
        pack_checked(out, 7, spec->shell, "the shell", err) < 0 ||
        pack_checked(out, 8, spec->when, "`when`", err) < 0)
        return -1;
    pack_codes(out, 9, &spec->exit_skip);
    pack_codes(out, 10, &spec->exit_retry);
    pack_signed(out, 11, spec->timeout);
    pack_signed(out, 12, spec->grace);
    pack_unsigned(out, 13, flags);
    *nfield = 20 + (size_t)4 * spec->nresource;
    return pack_resources(out, spec, err);
}
