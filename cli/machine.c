/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/machine.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/size.h"
#include "flow/value.h"

int
machine_amount(const char *name, size_t len, const char *text, double *ret)
{
    bool memory = len == strlen("memory") && memcmp(name, "memory", len) == 0;
    double amount;

    if ((memory ? size_read(text, &amount) : value_read_float(text, &amount)) <
            0 ||
        amount <= 0)
        return -1;
    *ret = amount;
    return 0;
}

/* The flag goes before the file: it is set later. */
static int
add_resource(json_t *all, const struct cli *cli, const char *text)
{
    const char *value = strchr(text, '=') + 1;
    double amount = 0;

    if (machine_amount(text, (size_t)(value - 1 - text), value, &amount) < 0)
        return cli_usage(cli,
                         "--resource wants NAME=AMOUNT, the amount a number "
                         "above 0 (memory=4GiB), not \"%s\"",
                         text);
    json_object_setn_new(all, text, (size_t)(value - 1 - text),
                         json_real(amount));
    return EXIT_OK;
}

int
machine_read(struct machine *self, const struct cli *cli,
             const struct args *args)
{
    json_t *resources = json_copy(cli->config.resources);
    json_t *labels = json_copy(cli->config.labels);
    const char *name;
    json_t *value;
    int code = EXIT_OK;

    self->named = json_pack("[o, o]", resources, labels);
    for (size_t i = 0; i < args->n && code == EXIT_OK; i++) {
        const char *text = args->list[i].text;

        if (args->list[i].opt == OPT_RESOURCE)
            code = add_resource(resources, cli, text);
        if (args->list[i].opt == OPT_LABEL)
            json_object_setn_new(labels, text, strcspn(text, "="),
                                 json_string(strchr(text, '=') + 1));
    }
    self->resources =
        mem_alloc(json_object_size(resources), sizeof *self->resources);
    json_object_foreach(resources, name, value) {
        self->resources[self->nresource++] =
            (struct local_resource){name, json_number_value(value)};
    }
    self->labels = mem_alloc(json_object_size(labels), sizeof *self->labels);
    json_object_foreach(labels, name, value) {
        self->labels[self->nlabel++] =
            mem_printf("%s=%s", name, json_string_value(value));
    }
    return code;
}

void
machine_release(struct machine *self)
{
    while (self->nlabel > 0)
        free(self->labels[--self->nlabel]);
    free(self->labels);
    free(self->resources);
    json_decref(self->named);
    *self = (struct machine){0};
}
