/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

/* stderr is a file in memory while a test runs. */
struct fixture {
    int saved;
    int file;
    char text[2 * LOG_LINE];
};

static int
setup(void **state)
{
    struct fixture *t = calloc(1, sizeof *t);

    *state = t;
    (void)unsetenv("JOURNAL_STREAM");
    t->saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    t->file = memfd_create("stderr", MFD_CLOEXEC);
    return dup2(t->file, STDERR_FILENO) < 0 ? -1 : 0;
}

static int
teardown(void **state)
{
    struct fixture *t = *state;

    (void)unsetenv("JOURNAL_STREAM");
    log_init("leat", LOG_LEVEL_INFO);
    (void)dup2(t->saved, STDERR_FILENO);
    (void)close(t->saved);
    (void)close(t->file);
    free(t);
    return 0;
}

/* All that was written since the last call. */
static const char *
written(struct fixture *t)
{
    ssize_t n = pread(t->file, t->text, sizeof t->text - 1, 0);

    t->text[n > 0 ? n : 0] = '\0';
    assert_int_equal(ftruncate(t->file, 0), 0);
    (void)lseek(t->file, 0, SEEK_SET);
    return t->text;
}

/* What stands behind the time, which must be one. */
static const char *
after_time(const char *line)
{
    regex_t re;
    int rc;

    assert_int_equal(
        regcomp(&re,
                "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
                "\\.[0-9]{3}Z ",
                REG_EXTENDED | REG_NOSUB),
        0);
    rc = regexec(&re, line, 0, NULL, 0);
    regfree(&re);
    if (rc != 0)
        fail_msg("no time: %s", line);
    return line + strlen("2026-11-23T05:12:01.123Z ");
}

static void
an_event_is_a_line(void **state)
{
    log_init("broker", LOG_LEVEL_INFO);
    log_info("agent_up", "agent=%s slots=%d", "box", 8);
    assert_string_equal(after_time(written(*state)),
                        "info broker agent_up agent=box slots=8\n");
    log_error("stuck", "%s", "");
    assert_string_equal(after_time(written(*state)), "error broker stuck\n");
}

static void
what_is_above_the_level_is_left_out(void **state)
{
    log_init("agent", LOG_LEVEL_WARN);
    log_info("a", "n=%d", 1);
    log_debug("b", "n=%d", 2);
    assert_string_equal(written(*state), "");
    log_warn("c", "n=%d", 3);
    assert_string_equal(after_time(written(*state)), "warn agent c n=3\n");
    log_init("agent", LOG_LEVEL_DEBUG);
    log_debug("d", "n=%d", 4);
    assert_string_equal(after_time(written(*state)), "debug agent d n=4\n");
}

static void
the_journal_gets_a_priority_and_no_time(void **state)
{
    struct fixture *t = *state;
    char stream[48];
    struct stat st;

    assert_int_equal(fstat(t->file, &st), 0);
    (void)snprintf(stream, sizeof stream, "%llu:%llu",
                   (unsigned long long)st.st_dev,
                   (unsigned long long)st.st_ino);
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
    log_init("broker", LOG_LEVEL_DEBUG);
    log_error("a", "n=%d", 1);
    log_warn("b", "n=%d", 2);
    log_info("c", "n=%d", 3);
    log_debug("d", "n=%d", 4);
    assert_string_equal(written(t), "<3>broker a n=1\n<4>broker b n=2\n"
                                    "<6>broker c n=3\n<7>broker d n=4\n");
}

static void
another_ones_journal_is_not_ours(void **state)
{
    assert_int_equal(setenv("JOURNAL_STREAM", "1:1", 1), 0);
    log_init("broker", LOG_LEVEL_INFO);
    log_info("a", "n=%d", 1);
    assert_string_equal(after_time(written(*state)), "info broker a n=1\n");
}

static void
no_value_can_forge_a_line(void **state)
{
    log_init("broker", LOG_LEVEL_INFO);
    log_info("hello", "name=%s", "x\n2026 info broker fine\x1b[2J\xff ü");
    assert_string_equal(after_time(written(*state)),
                        "info broker hello name=x\\x0a2026 info broker "
                        "fine\\x1b[2J\\xff ü\n");
}

static void
too_long_a_line_is_cut(void **state)
{
    char big[2 * LOG_LINE];
    const char *line;

    memset(big, 'x', sizeof big);
    big[sizeof big - 1] = '\0';
    log_init("broker", LOG_LEVEL_INFO);
    log_info("big", "a=%s", big);
    line = written(*state);
    assert_int_equal(strlen(line), LOG_LINE);
    assert_string_equal(line + LOG_LINE - 6, "xx...\n");
    /* "ü" takes two bytes, which stay together whatever stands before. */
    for (size_t i = 0; i + 1 < sizeof big; i++)
        big[i] = i % 2 ? '\xbc' : '\xc3';
    for (int shift = 0; shift < 2; shift++) {
        log_info("big", "a=%s%s", shift ? "-" : "", big);
        line = written(*state);
        assert_in_range(strlen(line), LOG_LINE - 1, LOG_LINE);
        assert_string_equal(line + strlen(line) - 6, "ü...\n");
    }
}

static void
errno_is_preserved(void **state)
{
    log_init("broker", LOG_LEVEL_INFO);
    (void)close(STDERR_FILENO);
    errno = ENOENT;
    log_info("a", "n=%d", 1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(dup2(((struct fixture *)*state)->file, STDERR_FILENO),
                     STDERR_FILENO);
}

static void
a_text_is_quoted_if_it_must_be(void **state)
{
    static const struct {
        const char *text;
        const char *quoted;
    } cases[] = {
        {"box", "box"},         {"tcp://*:7800", "tcp://*:7800"},
        {"", "\"\""},           {"two words", "\"two words\""},
        {"a=b", "\"a=b\""},     {"say \"x\"", "\"say \\\"x\\\"\""},
        {"a\\b", "\"a\\\\b\""},
    };
    char to[LOG_QUOTED];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(log_quote(cases[i].text, to), cases[i].quoted);
}

static void
a_quoted_text_is_cut(void **state)
{
    char big[2 * LOG_QUOTED];
    char to[LOG_QUOTED];
    size_t n;

    (void)state;
    for (size_t len = LOG_QUOTED - 10; len < sizeof big; len++) {
        memset(big, len % 2 ? 'x' : '"', len);
        big[len] = '\0';
        n = strlen(log_quote(big, to));
        assert_in_range(n, LOG_QUOTED - 10, LOG_QUOTED - 1);
        if (n < len)
            assert_string_equal(to + n - 4, "...\"");
    }
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_event_is_a_line),
        TEST(what_is_above_the_level_is_left_out),
        TEST(the_journal_gets_a_priority_and_no_time),
        TEST(another_ones_journal_is_not_ours),
        TEST(no_value_can_forge_a_line),
        TEST(too_long_a_line_is_cut),
        TEST(errno_is_preserved),
        cmocka_unit_test(a_text_is_quoted_if_it_must_be),
        cmocka_unit_test(a_quoted_text_is_cut),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
