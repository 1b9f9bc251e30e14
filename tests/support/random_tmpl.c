/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/random_tmpl.h"

#include <stdarg.h>
#include <stdio.h>

#include "tests/support/fate.h"
#include "tests/support/random_flow.h"

uint32_t
draw_roll(struct draw *w, uint32_t n)
{
    return dice_roll(w->dice, n);
}

bool
draw_one_in(struct draw *w, uint32_t n)
{
    return dice_one_in(w->dice, n);
}

const char *
draw_pick(struct draw *w, const char *const *of, size_t n)
{
    return of[draw_roll(w, (uint32_t)n)];
}

json_t *
draw_format(const char *fmt, ...)
{
    va_list args;
    json_t *text;

    va_start(args, fmt);
    text = json_vsprintf(fmt, args);
    va_end(args);
    return text;
}

/* ---- references ---- */

static const char *const paths[] = {"[0]", "[1]",  ".f",     ".f[0]",
                                    ".g",  ".h.k", "[0][0]", ".nope"};

/* Mostly one that leads somewhere. */
static const char *
draw_path(struct draw *w, const struct drawn *task)
{
    if (task->mapped)
        return draw_one_in(w, 3) ? paths[draw_roll(w, 2)] : "";
    if (task->kind == VALUE_LINES)
        return draw_one_in(w, 4) ? paths[0] : "";
    if (task->kind != VALUE_JSON || draw_one_in(w, 2))
        return draw_one_in(w, 20) ? ".nope" : "";
    return DRAW_PICK(w, paths);
}

/* What is between the braces: the name of something that can be seen. */
static void
draw_name(struct draw *w, char ret[40])
{
    static const char *const params[] = {"p0",      "p1",   "p1[0]", "p2",
                                         "p2.list", "p2.n", "p3",    "p-4"};
    static const char *const with[] = {"w0", "w1", "t0"};
    const char *key;
    json_t *each = json_object_get(w->task, "each");

    if (w->sees_each && each && !draw_one_in(w, 3)) {
        key = json_object_iter_key(json_object_iter(each));
        (void)snprintf(ret, 40, "%s%s", key,
                       draw_one_in(w, 8) ? paths[draw_roll(w, 8)] : "");
        return;
    }
    key = DRAW_PICK(w, with);
    if (w->sees_with &&
        json_object_get(json_object_get(w->task, "with"), key) &&
        draw_one_in(w, 2)) {
        (void)snprintf(ret, 40, "%s", key);
    } else if (w->t > 0 && !draw_one_in(w, 4)) {
        uint32_t u = draw_roll(w, w->t);

        (void)snprintf(ret, 40, "t%u%s", u, draw_path(w, &w->tasks[u]));
    } else {
        (void)snprintf(ret, 40, "%s", DRAW_PICK(w, params));
    }
}

json_t *
draw_ref(struct draw *w)
{
    char name[40];

    draw_name(w, name);
    return draw_format("${%s}", name);
}

json_t *
draw_text(struct draw *w)
{
    char name[40];

    draw_name(w, name);
    switch (draw_roll(w, 4)) {
    case 0:
        return draw_format("x${%s}", name);
    case 1:
        return draw_format("${p3} ${%s}, $$5", name);
    case 2:
        return draw_format("$x ${%s}\n", name);
    default:
        return draw_format("${%s}${p3}", name);
    }
}

json_t *
draw_constant(struct draw *w)
{
    static const char *const texts[] = {"a",    "b",    "$$",       "1",
                                        "null", "it's", "a: b # c", " x\n"};

    if (draw_one_in(w, 3))
        return json_string(DRAW_PICK(w, texts));
    return fate_value(w->dice, (enum fate_shape)draw_roll(w, FATE_SHAPE_COUNT));
}

json_t *
draw_template(struct draw *w, uint32_t depth)
{
    json_t *whole;

    switch (draw_roll(w, depth > 0 ? 6 : 4)) {
    case 0:
        return draw_constant(w);
    case 1:
        return draw_text(w);
    case 2:
    case 3:
        return draw_ref(w);
    case 4:
        whole = json_array();
        for (uint32_t n = draw_roll(w, 3); n > 0; n--)
            json_array_append_new(whole, draw_template(w, depth - 1));
        return whole;
    default:
        whole = json_object();
        for (uint32_t n = draw_roll(w, 3); n > 0; n--)
            json_object_set_new(whole, n == 2 ? "f" : "g h",
                                draw_template(w, depth - 1));
        return whole;
    }
}
