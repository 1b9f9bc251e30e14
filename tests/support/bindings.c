/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/bindings.h"

#include "flow/work.h"

int
bindings_get(struct run *run, json_t *params, struct plan_id id, json_t **ret,
             struct err *err)
{
    const struct work_spec spec = {.params = params};
    struct work work = {.spec = &spec};

    if (run_own(run, id, &work.own, err) < 0)
        return -1;
    *ret = work_bindings(&work);
    json_decref(work.own);
    return 0;
}
