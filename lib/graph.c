/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/graph.h"

#include <stddef.h>

#include "lib/picture.h"
#include "proto/limits.h"

const char *const graph_format_names[GRAPH_FORMAT_COUNT] = {
    [GRAPH_TEXT] = "text",
    [GRAPH_SVG] = "svg",
    [GRAPH_DOT] = "dot",
    [GRAPH_MERMAID] = "mermaid",
};

int
graph_draw(const struct flow *flow, const struct history *history,
           const struct graph_options *options, struct buf *out,
           struct err *err)
{
    bool laid_out =
        options->format == GRAPH_TEXT || options->format == GRAPH_SVG;
    struct picture *picture = NULL;
    int rc = 0;

    if (laid_out && flow->ntask > LIMIT_DRAWN_TASKS)
        return err_set(err, ERR_LIMIT,
                       "%zu tasks are too many to draw (at most %u): "
                       "graph --format dot gives them to Graphviz",
                       flow->ntask, LIMIT_DRAWN_TASKS);
    picture = picture_make(flow, history);
    if (options->format == GRAPH_TEXT)
        rc = graph_text(picture, options, out, err);
    else if (options->format == GRAPH_SVG)
        rc = graph_svg(picture, out, err);
    else if (options->format == GRAPH_DOT)
        graph_dot(picture, out);
    else
        graph_mermaid(picture, out);
    picture_destroy(&picture);
    return rc;
}
