/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/variables.h"

#include <stdlib.h>

#include "base/buf.h"
#include "flow/value.h"

static void
put_back(struct variables *self)
{
    const char *name;
    json_t *value;

    json_object_foreach(self->before, name, value) {
        if (json_is_string(value))
            (void)setenv(name, json_string_value(value), 1);
        else
            (void)unsetenv(name);
    }
    json_decref(self->before);
    json_decref(self->set);
    self->before = self->set = NULL;
}

static void
set_one(struct variables *self, const char *name, const json_t *value)
{
    const char *before = getenv(name);
    struct buf text = {0};

    (void)json_object_set_new(
        self->before, name, before ? json_string_nocheck(before) : json_null());
    value_text(value, &text);
    (void)setenv(name, buf_str(&text), 1);
    buf_release(&text);
}

void
variables_set(struct variables *self, json_t *variables)
{
    const char *name;
    json_t *value;

    if (variables == self->set ||
        (variables && self->set && json_equal(variables, self->set)))
        return;
    put_back(self);
    if (!variables)
        return;
    self->before = json_object();
    self->set = json_incref(variables);
    json_object_foreach(variables, name, value) {
        set_one(self, name, value);
    }
}
