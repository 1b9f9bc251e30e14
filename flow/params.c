/* SPDX-License-Identifier: MPL-2.0 */
#include "flow/params.h"

#include <assert.h>
#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "flow/value.h"

#define SHOWN 60 /* bytes of a value that a message shows */

static const char *const type_texts[PARAM_TYPE_COUNT] = {
    [PARAM_STRING] = "a string", [PARAM_INT] = "an integer",
    [PARAM_FLOAT] = "a number",  [PARAM_BOOL] = "true or false",
    [PARAM_PATH] = "a path",     [PARAM_LIST] = "a list",
    [PARAM_JSON] = "JSON",       [PARAM_ANY] = "any value",
};

/* ---- what is allowed ---- */

static void
add_number(struct buf *out, double number)
{
    if (number == floor(number) && fabs(number) < 1e15)
        buf_printf(out, "%.0f", number);
    else
        buf_printf(out, "%.15g", number);
}

static void
describe_range(const struct flow_param *param, struct buf *out)
{
    if (param->has_min) {
        buf_text(out, param->has_max ? " from " : " of at least ");
        add_number(out, param->min);
    }
    if (param->has_max) {
        buf_text(out, param->has_min ? " to " : " of at most ");
        add_number(out, param->max);
    }
}

static void
describe_choices(const struct flow_param *param, struct buf *out)
{
    size_t n = json_array_size(param->choices);

    if (n == 0)
        return;
    buf_text(out, param->type == PARAM_LIST ? " of " : ", ");
    buf_text(out, n > 1 && param->type != PARAM_LIST ? "one of " : "");
    for (size_t i = 0; i < n; i++) {
        buf_text(out, i > 0 ? ", `" : "`");
        value_brief(json_array_get(param->choices, i), SHOWN, out);
        buf_char(out, '`');
    }
}

void
param_describe(const struct flow_param *param, struct buf *out)
{
    assert(param->type < PARAM_TYPE_COUNT);
    buf_text(out, type_texts[param->type]);
    describe_range(param, out);
    describe_choices(param, out);
    if (param->pattern)
        buf_printf(out, " that matches %s", param->pattern);
}

/* The one message of this module: what is wrong, and what is allowed. */
static int
refuse(const struct flow_param *param, const char *shown, struct err *err)
{
    struct buf allowed = {0};
    int rc;

    param_describe(param, &allowed);
    rc = err_set(err, ERR_INVALID, "`%s` is not %s", shown, buf_str(&allowed));
    buf_release(&allowed);
    return rc;
}

static int
refuse_text(const struct flow_param *param, const char *text, struct err *err)
{
    size_t n = strlen(text);
    struct buf shown = {0};
    int rc;

    utf8_escape(&shown, text, n > SHOWN ? SHOWN : n);
    if (n > SHOWN)
        buf_text(&shown, "...");
    rc = refuse(param, buf_str(&shown), err);
    buf_release(&shown);
    return rc;
}

static int
refuse_value(const struct flow_param *param, const json_t *value,
             struct err *err)
{
    struct buf shown = {0};
    int rc;

    value_brief(value, SHOWN, &shown);
    rc = refuse(param, buf_str(&shown), err);
    buf_release(&shown);
    return rc;
}

/* ---- checking ---- */

static bool
has_type(const struct flow_param *param, const json_t *value)
{
    switch (param->type) {
    case PARAM_STRING:
        return json_is_string(value);
    case PARAM_INT:
        return json_is_integer(value);
    case PARAM_FLOAT:
        return json_is_number(value);
    case PARAM_BOOL:
        return json_is_boolean(value);
    case PARAM_PATH:
        return json_is_string(value) && json_string_length(value) > 0;
    case PARAM_LIST:
        return json_is_array(value);
    case PARAM_JSON:
    case PARAM_ANY:
    case PARAM_TYPE_COUNT:
        break;
    }
    return value != NULL;
}

static bool
is_in_range(const struct flow_param *param, const json_t *value)
{
    double number = json_number_value(value);

    if (!json_is_number(value))
        return true;
    return (!param->has_min || number >= param->min) &&
           (!param->has_max || number <= param->max);
}

static bool
is_choice(const json_t *choices, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(choices); i++) {
        if (value_equal(json_array_get(choices, i), value))
            return true;
    }
    return false;
}

static bool
is_chosen(const struct flow_param *param, const json_t *value)
{
    if (!param->choices)
        return true;
    if (param->type != PARAM_LIST)
        return is_choice(param->choices, value);
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!is_choice(param->choices, json_array_get(value, i)))
            return false;
    }
    return true;
}

/* The whole string has to match, as a form in a browser would have it. */
static bool
is_match(const struct flow_param *param, const json_t *value)
{
    char *whole;
    regex_t regex;
    bool match;

    if (!param->pattern || !json_is_string(value))
        return true;
    whole = mem_printf("^(%s)$", param->pattern);
    match = regcomp(&regex, whole, REG_EXTENDED | REG_NOSUB) == 0;
    free(whole);
    if (!match)
        return false;
    match = regexec(&regex, json_string_value(value), 0, NULL, 0) == 0;
    regfree(&regex);
    return match;
}

int
param_check(const struct flow_param *param, const json_t *value,
            struct err *err)
{
    if (has_type(param, value) && is_in_range(param, value) &&
        is_chosen(param, value) && is_match(param, value))
        return 0;
    return refuse_value(param, value, err);
}

/* ---- from text ---- */

static int
parse_words(const char *text, json_t **ret)
{
    json_t *list = json_array();

    while (*text) {
        size_t n = strcspn(text, ",");

        json_array_append_new(list, value_from_word(text, n));
        text += n + (text[n] == ',');
    }
    *ret = list;
    return 0;
}

static int
parse_bool(const char *text, json_t **ret)
{
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return -1;
    *ret = json_boolean(text[0] == 't');
    return 0;
}

static int
parse_text(enum param_type type, const char *text, json_t **ret,
           struct err *err)
{
    size_t n = strlen(text);

    switch (type) {
    case PARAM_INT:
        return value_parse(VALUE_INT, text, n, ret, err);
    case PARAM_FLOAT:
        return value_parse(VALUE_FLOAT, text, n, ret, err);
    case PARAM_BOOL:
        return parse_bool(text, ret);
    case PARAM_LIST:
        if (text[0] != '[')
            return parse_words(text, ret);
        return value_parse(VALUE_JSON, text, n, ret, err);
    case PARAM_JSON:
        return value_parse(VALUE_JSON, text, n, ret, err);
    case PARAM_ANY:
        if (value_parse(VALUE_JSON, text, n, ret, err) == 0)
            return 0;
        break;
    case PARAM_STRING:
    case PARAM_PATH:
    case PARAM_TYPE_COUNT:
        break;
    }
    *ret = json_stringn_nocheck(text, n);
    return 0;
}

int
param_parse(const struct flow_param *param, const char *text, json_t **ret,
            struct err *err)
{
    size_t n = strlen(text);
    json_t *value = NULL;

    if (utf8_valid(text, n) < n)
        return err_set(err, ERR_INVALID, "this is not UTF-8 text");
    if (parse_text(param->type, text, &value, err) < 0) {
        /* What a JSON parser has to say is worth more than "not JSON". */
        bool json = param->type == PARAM_JSON || param->type == PARAM_LIST;

        return json ? -1 : refuse_text(param, text, err);
    }
    if (param_check(param, value, err) < 0) {
        json_decref(value);
        return -1;
    }
    *ret = value;
    return 0;
}

/* ---- all of a run ---- */

static void
check_names(const struct flow *flow, const json_t *given, struct buf *problems)
{
    const char **names = mem_alloc(flow->nparam, sizeof *names);
    const char *name;
    json_t *value;

    for (size_t i = 0; i < flow->nparam; i++)
        names[i] = flow->params[i].name;
    json_object_foreach((json_t *)(uintptr_t)given, name, value) {
        const char *near;

        if (flow_find_param(flow, name) != UINT32_MAX)
            continue;
        near = names_near(name, names, flow->nparam);
        buf_text(problems, "the flow has no parameter `");
        utf8_escape(problems, name, strlen(name));
        if (near)
            buf_printf(problems, "`; did you mean `%s`?\n", near);
        else
            buf_printf(problems, "`%s\n",
                       flow->nparam > 0 ? "" : ": it has none at all");
    }
    free(names);
}

static void
add_missing(const struct flow_param *param, struct buf *problems)
{
    struct buf allowed = {0};

    param_describe(param, &allowed);
    buf_printf(problems, "parameter `%s` is required: %s", param->name,
               buf_str(&allowed));
    if (param->help) {
        buf_text(problems, " (");
        utf8_escape(problems, param->help, strlen(param->help));
        buf_char(problems, ')');
    }
    buf_char(problems, '\n');
    buf_release(&allowed);
}

static void
bind_one(const struct flow_param *param, json_t *value, json_t *bound,
         struct buf *problems)
{
    struct err err;

    if (!value)
        value = param->fallback;
    if (!value) {
        add_missing(param, problems);
        return;
    }
    if (param_check(param, value, &err) < 0)
        buf_printf(problems, "parameter `%s`: %s\n", param->name, err.msg);
    else if (param->type == PARAM_FLOAT && json_is_integer(value))
        json_object_set_new(bound, param->name,
                            json_real(json_number_value(value)));
    else
        json_object_set(bound, param->name, value);
}

int
params_bind(const struct flow *flow, const json_t *given, json_t **ret,
            struct buf *problems)
{
    size_t before = problems->len;
    json_t *bound = json_object();

    for (size_t i = 0; i < flow->nparam; i++)
        bind_one(&flow->params[i], json_object_get(given, flow->params[i].name),
                 bound, problems);
    check_names(flow, given, problems);
    if (problems->len > before) {
        json_decref(bound);
        return -1;
    }
    *ret = bound;
    return 0;
}
