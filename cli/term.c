/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/term.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/utf8.h"

#define WIDTH_UNKNOWN 80
#define WIDTH_LEAST   20 /* narrower ones are taken for unknown */

static bool
wants_colour(const struct term *self)
{
    const char *no = getenv("NO_COLOR");
    const char *kind = getenv("TERM");

    if (no && no[0] != '\0')
        return false;
    return self->tty && kind && strcmp(kind, "dumb") != 0;
}

void
term_init(struct term *self, int fd, enum colour colour)
{
    *self = (struct term){.fd = fd, .tty = isatty(fd) == 1};
    self->colour =
        colour == COLOUR_AUTO ? wants_colour(self) : colour == COLOUR_ALWAYS;
    self->width = WIDTH_UNKNOWN;
    if (self->tty)
        term_resize(self);
}

void
term_resize(struct term *self)
{
    struct winsize size = {0};

    if (ioctl(self->fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= WIDTH_LEAST)
        self->width = size.ws_col;
}

static int
wait_writable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};

    return poll(&poll_fd, 1, -1) < 0 && errno != EINTR ? -1 : 0;
}

int
term_write(const struct term *self, const struct buf *text)
{
    size_t done = 0;

    while (done < text->len) {
        ssize_t n = write(self->fd, text->data + done, text->len - done);

        if (n >= 0)
            done += (size_t)n;
        else if (errno == EAGAIN && wait_writable(self->fd) < 0)
            return -1;
        else if (errno != EINTR && errno != EAGAIN)
            return -1;
    }
    return 0;
}

void
term_put(const struct term *self, struct buf *out, enum style style,
         const char *text)
{
    static const char *const codes[STYLE_COUNT] = {
        [STYLE_BOLD] = "1",   [STYLE_DIM] = "2",     [STYLE_RED] = "31",
        [STYLE_GREEN] = "32", [STYLE_YELLOW] = "33", [STYLE_CYAN] = "36"};
    bool styled = self->colour && codes[style];

    if (styled)
        buf_printf(out, "\033[%sm", codes[style]);
    utf8_escape(out, text, strlen(text));
    if (styled)
        buf_text(out, "\033[0m");
}

/* The longest start of valid text that takes at most so many columns. */
static size_t
fitting(const char *text, size_t len, size_t columns)
{
    size_t n = len;

    while (n > 0 && utf8_width(text, n) > columns) {
        n--;
        while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
    }
    return n;
}

void
term_put_cut(struct buf *out, const char *text, unsigned columns)
{
    struct buf safe = {0};

    /* Longer than any terminal is wide: no need to look at all of it. */
    utf8_escape(&safe, text, strnlen(text, 4096));
    if (utf8_width(buf_str(&safe), safe.len) <= columns) {
        buf_add(out, buf_str(&safe), safe.len);
    } else if (columns > 3) {
        buf_add(out, buf_str(&safe),
                fitting(buf_str(&safe), safe.len, columns - 3));
        buf_text(out, "...");
    }
    buf_release(&safe);
}

void
term_pad(struct buf *out, size_t has, size_t wants)
{
    for (; has < wants; has++)
        buf_char(out, ' ');
}

enum style
term_state_style(enum plan_state state)
{
    static const enum style styles[PLAN_STATE_COUNT] = {
        [PLAN_RUNNING] = STYLE_CYAN,     [PLAN_RETRYING] = STYLE_YELLOW,
        [PLAN_PAUSED] = STYLE_YELLOW,    [PLAN_SUCCEEDED] = STYLE_GREEN,
        [PLAN_CACHED] = STYLE_GREEN,     [PLAN_SKIPPED] = STYLE_YELLOW,
        [PLAN_FAILED] = STYLE_RED,       [PLAN_TIMED_OUT] = STYLE_RED,
        [PLAN_CRASHED] = STYLE_RED,      [PLAN_TRIGGER_FAILED] = STYLE_RED,
        [PLAN_CANCELLED] = STYLE_YELLOW,
    };

    return styles[state];
}
