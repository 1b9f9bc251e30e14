/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/bar.h"

#include <inttypes.h>
#include <string.h>

#include "base/span.h"
#include "cli/term.h"

#define PICTURE_LEAST 10
#define PICTURE_MOST  30
#define NAME_LEAST    12 /* columns worth showing a name in */

int64_t
bar_left(const struct bar *self)
{
    if (self->done <= self->kept || self->elapsed < SPAN_SECOND ||
        self->done > self->total)
        return -1;
    return (int64_t)((double)self->elapsed / (double)(self->done - self->kept) *
                     (double)(self->total - self->done));
}

static void
put_times(const struct bar *self, struct buf *out)
{
    int64_t left = bar_left(self);
    /* Whole seconds: smaller parts of them would only flicker. */
    int64_t whole = self->elapsed - self->elapsed % SPAN_SECOND;
    char text[SPAN_TEXT];

    buf_printf(out, "  %s", whole > 0 ? span_format(whole, text) : "0 s");
    if (left < SPAN_SECOND)
        return;
    left -= left % SPAN_SECOND;
    buf_printf(out, ", about %s left", span_format(left, text));
}

static void
put_picture(const struct bar *self, unsigned columns, struct buf *out)
{
    uint64_t total = self->total > 0 ? self->total : 1;
    uint64_t done = self->done < total ? self->done : total;
    uint64_t full = done * (columns - 2) / total;

    buf_char(out, '[');
    for (uint64_t i = 0; i < columns - 2; i++)
        buf_char(out, i < full ? '#' : '-');
    buf_char(out, ']');
}

void
bar_put(const struct bar *self, unsigned width, struct buf *out)
{
    struct buf counts = {0}, times = {0};
    size_t room = width;
    size_t picture;

    buf_printf(&counts, "%" PRIu64 "/%" PRIu64 " ", self->done, self->total);
    if (self->failed > 0)
        buf_printf(&counts, "%" PRIu64 " failed ", self->failed);
    put_times(self, &times);

    room -= counts.len < room ? counts.len : room;
    if (times.len + PICTURE_LEAST + NAME_LEAST > room)
        buf_clear(&times);
    room -= times.len;
    picture = room > PICTURE_LEAST + NAME_LEAST ? room / 3 : 0;
    if (picture > 0 && picture < PICTURE_LEAST)
        picture = PICTURE_LEAST;
    if (picture > PICTURE_MOST)
        picture = PICTURE_MOST;
    room -= picture;

    term_put_cut(out, buf_str(&counts), width);
    if (picture > 0)
        put_picture(self, (unsigned)picture, out);
    buf_add(out, buf_str(&times), times.len);
    if (self->running && room > 2 + 3) {
        buf_text(out, picture > 0 ? "  " : "");
        term_put_cut(out, self->running, (unsigned)room - 2);
    }
    buf_release(&counts);
    buf_release(&times);
}
