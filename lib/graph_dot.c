/* SPDX-License-Identifier: MPL-2.0 */
/* Pictures for other programs to lay out: Graphviz's DOT, and Mermaid. */
#include "lib/picture.h"

#include <string.h>

/* What stands in the place of a character of the text. */
struct escape {
    char c;
    const char *text;
};

static const struct escape dot_escapes[] = {
    {'"', "\\\""}, {'\\', "\\\\"}, {0, NULL}};

/* Mermaid's own entities, for all that its parser or HTML could take up. */
static const struct escape mermaid_escapes[] = {
    {'"', "#quot;"}, {'#', "#35;"},  {'&', "#amp;"}, {'<', "#lt;"},
    {'>', "#gt;"},   {'\\', "#92;"}, {'`', "#96;"},  {0, NULL}};

static void
add_escaped(struct buf *out, const char *text, const struct escape *escapes)
{
    for (const char *s = text; *s; s++) {
        const struct escape *e = escapes;

        while (e->c && e->c != *s)
            e++;
        if (e->c)
            buf_text(out, e->text);
        else
            buf_char(out, *s);
    }
}

/* A line of a box's text, escaped, after a line break unless it is the first.
 */
static void
add_line(struct buf *out, const char *text, const char *before,
         const struct escape *escapes)
{
    buf_text(out, before);
    add_escaped(out, text, escapes);
}

static void
add_label(struct buf *out, const struct picture *picture,
          const struct picture_box *box, const char *newline,
          const struct escape *escapes)
{
    struct buf status = {0};

    add_line(out, picture_label(box), "", escapes);
    if (box->each) {
        add_line(out, box->each, " [each ", escapes);
        buf_char(out, ']');
    }
    if (box->only)
        add_line(out, box->only, newline, escapes);
    if (picture->run) {
        picture_status(box, &status);
        add_line(out, buf_str(&status), newline, escapes);
    }
    buf_release(&status);
}

static void
dot_quote(struct buf *out, const char *text)
{
    buf_char(out, '"');
    add_escaped(out, text, dot_escapes);
    buf_char(out, '"');
}

static void
dot_box(struct buf *out, const struct picture *picture,
        const struct picture_box *box)
{
    buf_text(out, "    ");
    dot_quote(out, box->name);
    buf_text(out, " [label=\"");
    add_label(out, picture, box, "\\n", dot_escapes);
    buf_char(out, '"');
    if (box->merge)
        buf_text(out, ", shape=diamond, margin=0");
    else if (box->each)
        buf_text(out, ", peripheries=2");
    if (picture->run)
        buf_printf(out, ", fillcolor=\"%s\", color=\"%s\"",
                   picture_styles[box->state].fill,
                   picture_styles[box->state].line);
    if (box->note) {
        buf_text(out, ", tooltip=");
        dot_quote(out, box->note);
    }
    buf_text(out, "];\n");
}

static void
dot_line(struct buf *out, const struct picture *picture,
         const struct picture_line *line)
{
    buf_text(out, "    ");
    dot_quote(out, picture->boxes[line->from].name);
    buf_text(out, " -> ");
    dot_quote(out, picture->boxes[line->to].name);
    if (line->equal) {
        buf_text(out, " [label=\"= ");
        add_escaped(out, line->equal, dot_escapes);
        buf_text(out, "\"]");
    } else if (line->each) {
        buf_text(out, " [style=dashed, label=\"each\"]");
    }
    buf_text(out, ";\n");
}

void
graph_dot(const struct picture *picture, struct buf *out)
{
    buf_text(out, "digraph ");
    dot_quote(out, picture->name);
    buf_text(out, " {\n"
                  "    node [shape=box, style=\"rounded,filled\", "
                  "fillcolor=\"#f4f4f4\", color=\"#8c8c8c\", "
                  "fontname=\"sans-serif\"];\n"
                  "    edge [color=\"#8c8c8c\", fontname=\"sans-serif\"];\n");
    for (uint32_t i = 0; i < picture->nbox; i++)
        dot_box(out, picture, &picture->boxes[i]);
    for (size_t i = 0; i < picture->nline; i++)
        dot_line(out, picture, &picture->lines[i]);
    buf_text(out, "}\n");
}

/* A class for boxes in a state; a hyphen could be read as part of an arrow. */
static void
mermaid_class(struct buf *out, int state)
{
    for (const char *s = plan_state_names[state]; *s; s++)
        buf_char(out, *s == '-' ? '_' : *s);
}

/* Boxes are named by number: words like `end` would break the diagram. */
static void
mermaid_box(struct buf *out, const struct picture *picture, uint32_t number)
{
    const struct picture_box *box = &picture->boxes[number];
    const char *open = box->merge ? "{" : box->each ? "[[" : "[";
    const char *close = box->merge ? "}" : box->each ? "]]" : "]";

    buf_printf(out, "    t%u%s\"", number, open);
    add_label(out, picture, box, "<br>", mermaid_escapes);
    buf_printf(out, "\"%s", close);
    if (picture->run) {
        buf_text(out, ":::");
        mermaid_class(out, (int)box->state);
    }
    buf_char(out, '\n');
}

static void
mermaid_line(struct buf *out, const struct picture_line *line)
{
    buf_printf(out, "    t%u ", line->from);
    if (line->equal) {
        buf_text(out, "-->|\"= ");
        add_escaped(out, line->equal, mermaid_escapes);
        buf_text(out, "\"|");
    } else {
        buf_text(out, line->each ? "-.->|each|" : "-->");
    }
    buf_printf(out, " t%u\n", line->to);
}

/* The classes of the states that there are. */
static void
mermaid_classes(struct buf *out, const struct picture *picture)
{
    bool used[PLAN_STATE_COUNT] = {false};

    for (uint32_t i = 0; picture->run && i < picture->nbox; i++)
        used[picture->boxes[i].state] = true;
    for (int i = 0; i < PLAN_STATE_COUNT; i++) {
        if (!used[i])
            continue;
        buf_text(out, "    classDef ");
        mermaid_class(out, i);
        buf_printf(out, " fill:%s,stroke:%s,color:#1c1c1c\n",
                   picture_styles[i].fill, picture_styles[i].line);
    }
}

void
graph_mermaid(const struct picture *picture, struct buf *out)
{
    buf_text(out, "flowchart TD\n");
    for (uint32_t i = 0; i < picture->nbox; i++)
        mermaid_box(out, picture, i);
    for (size_t i = 0; i < picture->nline; i++)
        mermaid_line(out, &picture->lines[i]);
    mermaid_classes(out, picture);
}
