/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/svg.h"

#include <string.h>

#include "base/utf8.h"
#include "lib/picture.h"

/* Tenths of pixels. */
static const int columns[SVG_SIZE_COUNT] = {
    [SVG_HEAD] = 110, [SVG_NAME] = 86, [SVG_SMALL] = 66, [SVG_TINY] = 62};

int
svg_fit(int width, enum svg_size size)
{
    return width * 10 / columns[size];
}

int
svg_width(const char *text, int most, enum svg_size size)
{
    int width = (int)utf8_width(text, strlen(text));

    return ((width < most ? width : most) * columns[size] + 9) / 10;
}

void
svg_escape(struct buf *out, const char *text)
{
    for (const char *s = text; *s; s++) {
        if (*s == '&')
            buf_text(out, "&amp;");
        else if (*s == '<')
            buf_text(out, "&lt;");
        else if (*s == '>')
            buf_text(out, "&gt;");
        else if (*s == '"')
            buf_text(out, "&quot;");
        else if (strncmp(s, "\xef\xbf\xbe", 3) == 0 ||
                 strncmp(s, "\xef\xbf\xbf", 3) == 0) {
            /* U+FFFE and U+FFFF are UTF-8, but no XML. */
            buf_text(out, "\ufffd");
            s += 2;
        } else {
            buf_char(out, *s);
        }
    }
}

void
svg_text(struct buf *out, int x, int y, const char *class, const char *text,
         int most)
{
    struct buf cut = {0};

    picture_cut(&cut, text, (size_t)most);
    buf_printf(out, "<text class=\"%s\" x=\"%d\" y=\"%d\">", class, x, y);
    svg_escape(out, buf_str(&cut));
    buf_text(out, "</text>\n");
    buf_release(&cut);
}

static const char sheet[] =
    ".leat { background: #fff; font-family: system-ui, \"Segoe UI\", Roboto, "
    "\"Helvetica Neue\", \"DejaVu Sans\", sans-serif; }\n"
    ".leat text { fill: #1c1e21; }\n"
    ".leat .head { font-size: 17px; font-weight: 600; }\n"
    ".leat .name { font-size: 13px; font-weight: 600; }\n"
    ".leat .small { font-size: 11px; fill: #454b52; }\n"
    ".leat .tiny { font-size: 10px; text-anchor: middle; }\n"
    ".leat .label { font-size: 11px; fill: #454b52; stroke: #fff; "
    "stroke-width: 4px; paint-order: stroke; }\n"
    ".leat .page { fill: #fff; }\n"
    ".leat .frame { stroke-width: 1.2; fill: #f4f6f8; stroke: #8c8c8c; }\n"
    ".leat .cell { stroke-width: 1; fill: #fff; }\n"
    ".leat .long .frame { stroke-width: 2.6; }\n"
    ".leat .line { fill: none; stroke: #7d858d; stroke-width: 1.3; }\n"
    ".leat .line.long { stroke: #30363c; stroke-width: 2.8; }\n"
    ".leat .line.each { stroke-dasharray: 5 4; }\n"
    ".leat .line.off { stroke-dasharray: 1.5 4; }\n"
    ".leat .arrow { fill: #7d858d; }\n"
    ".leat .skipped .frame, .leat .trigger-failed .frame "
    "{ stroke-dasharray: 4 3; }\n";

static const char dark_sheet[] =
    ".leat { background: #14171a; }\n"
    ".leat text { fill: #eceff1; }\n"
    ".leat .small { fill: #b9c0c7; }\n"
    ".leat .label { fill: #b9c0c7; stroke: #14171a; }\n"
    ".leat .page { fill: #14171a; }\n"
    ".leat .frame { fill: #22262a; }\n"
    ".leat .cell { fill: #14171a; }\n"
    ".leat .line.long { stroke: #dfe4e8; }\n";

static void
add_styles(struct buf *out)
{
    buf_text(out, sheet);
    for (int i = 0; i < PLAN_STATE_COUNT; i++) {
        const struct picture_style *style = &picture_styles[i];
        const char *name = plan_state_names[i];

        buf_printf(out, ".leat .%s .frame { fill: %s; stroke: %s; }\n", name,
                   style->fill, style->line);
        buf_printf(out, ".leat .%s > .cell { stroke: %s; }\n", name,
                   style->line);
        buf_printf(out, ".leat .%s > .strip { fill: %s; }\n", name,
                   style->line);
    }
    buf_text(out, "@media (prefers-color-scheme: dark) {\n");
    buf_text(out, dark_sheet);
    for (int i = 0; i < PLAN_STATE_COUNT; i++)
        buf_printf(out, ".leat .%s .frame { fill: %s; }\n", plan_state_names[i],
                   picture_styles[i].dark);
    buf_text(out, "}\n");
}

void
svg_begin(struct buf *out, int width, int height, const char *title)
{
    buf_printf(out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"leat\" "
               "role=\"img\" viewBox=\"0 0 %d %d\" width=\"%d\" "
               "height=\"%d\">\n<title>",
               width, height, width, height);
    svg_escape(out, title);
    buf_text(out, "</title>\n<style>\n");
    add_styles(out);
    buf_text(out, "</style>\n"
                  "<defs><marker id=\"leat-arrow\" viewBox=\"0 0 10 10\" "
                  "refX=\"5\" refY=\"9\" markerWidth=\"8\" markerHeight=\"8\" "
                  "markerUnits=\"userSpaceOnUse\" orient=\"0\">"
                  "<path class=\"arrow\" d=\"M0 0L10 0L5 10z\"/>"
                  "</marker></defs>\n");
    buf_printf(out, "<rect class=\"page\" width=\"%d\" height=\"%d\"/>\n",
               width, height);
}
