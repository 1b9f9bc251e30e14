/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Any bytes as a flow file: refused with errors that can be printed, or a flow
 * that can be written and read back.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "flow/file.h"
#include "tests/fuzz/fuzz.h"

static void
print(struct diags *diags)
{
    struct buf out = {0};

    diags_print(diags, &out, true);
    assert(out.len > 0);
    buf_release(&out);
    diags_release(diags);
}

static void
read_back(const struct flow *flow)
{
    json_t *json = flow_to_json(flow);
    char *text = flow_to_text(flow);
    struct flow *again = NULL;
    struct diags diags = {0};
    json_t *twice;
    int rc;

    rc = flow_parse("again", text, strlen(text), &again, &diags);
    if (rc < 0)
        abort();
    twice = flow_to_json(again);
    if (!json_equal(json, twice))
        abort();
    json_decref(twice);
    json_decref(json);
    free(text);
    flow_destroy(&again);
    diags_release(&diags);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct flow *flow = NULL;
    struct diags diags = {0};

    if (flow_parse("fuzz.yaml", n > 0 ? (const char *)data : "", n, &flow,
                   &diags) < 0) {
        print(&diags);
        return 0;
    }
    read_back(flow);
    flow_destroy(&flow);
    return 0;
}
