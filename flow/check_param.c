/* SPDX-License-Identifier: MPL-2.0 */
/*
 * check_param - what a parameter says about itself.
 */
#include <regex.h>

#include "base/mem.h"
#include "flow/check.h"
#include "flow/params.h"

static void
check_range(const struct flow_param *param, struct diags *diags)
{
    bool number = param->type == PARAM_INT || param->type == PARAM_FLOAT;

    if ((param->has_min || param->has_max) && !number)
        diags_add(diags, param->place, NULL,
                  "parameter `%s` of type %s can't have `min` or `max`",
                  param->name, param_type_names[param->type]);
    else if (param->has_min && param->has_max && param->min > param->max)
        diags_add(diags, param->place, NULL,
                  "parameter `%s`: `min` is above `max`", param->name);
}

static bool
check_pattern(const struct flow_param *param, struct diags *diags)
{
    char why[200];
    regex_t regex;
    int rc;

    if (!param->pattern)
        return true;
    if (param->type != PARAM_STRING && param->type != PARAM_PATH &&
        param->type != PARAM_ANY) {
        diags_add(diags, param->place, NULL,
                  "parameter `%s` of type %s can't have a `pattern`",
                  param->name, param_type_names[param->type]);
        return false;
    }
    rc = regcomp(&regex, param->pattern, REG_EXTENDED | REG_NOSUB);
    if (rc == 0) {
        regfree(&regex);
        return true;
    }
    (void)regerror(rc, &regex, why, sizeof why);
    diags_add(diags, param->place, NULL,
              "the pattern of parameter `%s` is no regular expression: %s",
              param->name, why);
    return false;
}

static void
check_choices(const struct flow_param *param, struct diags *diags)
{
    struct flow_param each = *param;
    size_t n = json_array_size(param->choices);

    each.choices = NULL;
    each.type = param->type == PARAM_LIST ? PARAM_JSON : param->type;
    for (size_t i = 0; i < n; i++) {
        struct err err;

        if (param_check(&each, json_array_get(param->choices, i), &err) < 0)
            diags_add(diags, param->place, NULL,
                      "choice %zu of parameter `%s`: %s", i + 1, param->name,
                      err.msg);
    }
}

void
check_param(const struct flow_param *param, struct diags *diags)
{
    struct err err;

    check_range(param, diags);
    if (!check_pattern(param, diags))
        return;
    check_choices(param, diags);
    if (param->fallback && param_check(param, param->fallback, &err) < 0)
        diags_add(diags, param->place, NULL,
                  "the default of parameter `%s`: "
                  "%s",
                  param->name, err.msg);
}
