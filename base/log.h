/* SPDX-License-Identifier: MPL-2.0 */
/*
 * log - lines for whoever runs a daemon: journald, a terminal, a test.
 *
 *   2026-11-23T05:12:01.123Z info broker agent_up agent=box slots=8
 *
 * One line an event on stderr, its name first and stable: tests wait for it.
 * Where stderr is the journal (JOURNAL_STREAM names it) time is left out and
 * the level is a prefix <3>..<7> instead. Control characters and bytes that are
 * not UTF-8 are written as \xNN. A line is one write, so threads may log, too.
 * errno is preserved.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level {
    LOG_LEVEL_ERROR, /* someone must act */
    LOG_LEVEL_WARN,  /* we coped */
    LOG_LEVEL_INFO,  /* the life of runs and agents */
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_COUNT
};

extern const char *const log_level_names[LOG_LEVEL_COUNT];

/* Who speaks ("broker", borrowed), from which level on; until then "leat" and
 * INFO. Before there are threads. */
void log_init(const char *who, enum log_level level);

/* fmt gives "name=value name=value"; text with spaces is for log_quote. Of a
 * line over LOG_LINE bytes the end is left out, and says so by "...". */
void log_event(enum log_level level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define LOG_LINE   2048
#define LOG_QUOTED 256

/*
 * A text as one value: as it is if it is a plain word, else in quotes, with
 * \" and \\ for those inside, and "..." for what does not fit.
 */
const char *log_quote(const char *text, char to[LOG_QUOTED]);

#define log_error(...) log_event(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_event(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_event(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_event(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
