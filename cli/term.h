/* SPDX-License-Identifier: MPL-2.0 */
/*
 * term - where words go: a terminal or something plainer.
 */
#ifndef CLI_TERM_H
#define CLI_TERM_H

#include <stdbool.h>

#include "base/buf.h"
#include "flow/plan.h"

enum colour { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

struct term {
    int fd;
    bool tty;
    bool colour;
    unsigned width; /* columns */
};

enum style {
    STYLE_PLAIN,
    STYLE_BOLD,
    STYLE_DIM,
    STYLE_RED,
    STYLE_GREEN,
    STYLE_YELLOW,
    STYLE_CYAN,
    STYLE_COUNT
};

/* AUTO: colours on a terminal, unless NO_COLOR is set or TERM is dumb. */
void term_init(struct term *self, int fd, enum colour colour);

/* Ask for the width again: it may change while a run goes on. */
void term_resize(struct term *self);

/* Write all of it: 0, or -1 with errno. */
int term_write(const struct term *self, const struct buf *text);

/* Add text from anywhere: escaped, and coloured if this terminal has colour. */
void term_put(const struct term *self, struct buf *out, enum style style,
              const char *text);

/* Add as much of the text as fits in `columns`, the rest as "...". */
void term_put_cut(struct buf *out, const char *text, unsigned columns);

/* Spaces that bring text of the width `has` to the width `wants`. */
void term_pad(struct buf *out, size_t has, size_t wants);

enum style term_state_style(enum plan_state state);

#endif
