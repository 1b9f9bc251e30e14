/* SPDX-License-Identifier: MPL-2.0 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/span.h"
#include "base/utf8.h"

#define CUT "..."

const char *const log_level_names[LOG_LEVEL_COUNT] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

/* Of syslog, which journald reads. */
static const int priorities[LOG_LEVEL_COUNT] = {
    [LOG_LEVEL_ERROR] = 3,
    [LOG_LEVEL_WARN] = 4,
    [LOG_LEVEL_INFO] = 6,
    [LOG_LEVEL_DEBUG] = 7,
};

/* Set once, by log_init. */
static struct {
    const char *who; /* borrowed */
    enum log_level level;
    bool journal;
} state = {"leat", LOG_LEVEL_INFO, false};

/*
 * The variable is DEVICE:INODE of a daemon's stderr, and children that have
 * another stderr inherit it: so look whether it is this one.
 */
static bool
is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char here[48];
    struct stat st;

    if (!stream || fstat(STDERR_FILENO, &st) < 0)
        return false;
    (void)snprintf(here, sizeof here, "%llu:%llu",
                   (unsigned long long)st.st_dev,
                   (unsigned long long)st.st_ino);
    return strcmp(stream, here) == 0;
}

void
log_init(const char *who, enum log_level level)
{
    state.who = who;
    state.level = level;
    state.journal = is_journal();
}

static void
add_start(struct buf *line, enum log_level level)
{
    int64_t now = span_wall();
    time_t seconds = (time_t)(now / SPAN_SECOND);
    char date[32] = "";
    struct tm tm;

    if (state.journal) {
        buf_printf(line, "<%d>%s ", priorities[level], state.who);
        return;
    }
    if (gmtime_r(&seconds, &tm))
        (void)strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    buf_printf(line, "%s.%03dZ %s %s ", date,
               (int)(now % SPAN_SECOND / SPAN_MS), log_level_names[level],
               state.who);
}

static void
cut(struct buf *line)
{
    size_t room = LOG_LINE - strlen(CUT "\n");

    if (line->len < LOG_LINE)
        return;
    while (room > 0 && (line->data[room] & 0xc0) == 0x80)
        room--; /* not inside a character */
    line->len = room;
    buf_text(line, CUT);
}

void
log_event(enum log_level level, const char *event, const char *fmt, ...)
{
    int saved = errno;
    char text[LOG_LINE + 1];
    struct buf line = {0};
    va_list ap;
    int n;

    if (level > state.level)
        return;
    va_start(ap, fmt);
    n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    add_start(&line, level);
    buf_text(&line, event);
    if (n > 0) {
        buf_char(&line, ' ');
        utf8_escape(&line, text, strlen(text));
    }
    cut(&line);
    buf_char(&line, '\n');
    /* Whoever reads it has gone, or not: nothing better can be done. */
    (void)!write(STDERR_FILENO, line.data, line.len);
    buf_release(&line);
    errno = saved;
}

const char *
log_quote(const char *text, char to[LOG_QUOTED])
{
    const size_t room = LOG_QUOTED - sizeof "\\\"" CUT;
    size_t n = strlen(text);
    char *at = to;

    if (n > 0 && n < LOG_QUOTED && strcspn(text, " \t\n\"\\=") == n)
        return memcpy(to, text, n + 1);
    *at++ = '"';
    for (; *text && (size_t)(at - to) < room; text++) {
        if (*text == '"' || *text == '\\')
            *at++ = '\\';
        *at++ = *text;
    }
    memcpy(at, *text ? CUT "\"" : "\"", *text ? sizeof CUT "\"" : 2);
    return to;
}
