/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/there.h"
#include "cli/there_script.h"

/* What a host says; NULL: its script has failed. */
static void
answer(struct host *host, const char *out, const char *errors)
{
    struct remote_host remote = {.name = "rack1", .ended_well = out != NULL};

    remote.text = mem_dup("exit code 255");
    buf_text(&remote.out, out ? out : "");
    buf_text(&remote.errors, errors);
    host->name = remote.name;
    there_read(host, &remote);
    remote_host_release(&remote);
}

static void
expect_line(const char *out, const char *errors, const char *line)
{
    struct host host = {0};
    struct buf text = {0};

    answer(&host, out, errors);
    there_put(&host, &text);
    assert_string_equal(buf_str(&text), line);
    buf_release(&text);
    there_release(&host);
}

static void
an_answer_becomes_a_line(void **state)
{
    (void)state;
    expect_line("leat: joined 12\n", "", "rack1: joined (pid 12)\n");
    expect_line("leat: absent\n", "", "rack1: no agent runs there\n");
    expect_line("leat: libraries a.so.1 b.so.2 \n", "",
                "rack1: libraries are missing there: a.so.1 b.so.2\n");
    expect_line("leat: ended\n", "one\ntwo\n",
                "rack1: the agent ended at once: two\n");
}

static void
what_else_a_host_says_does_not_count(void **state)
{
    (void)state;
    expect_line("joined 1\nleat: ended\nwelcome\nleat: running 7\r\nbye",
                "last login: never\n", "rack1: runs (pid 7)\n");
    expect_line("xleat: joined 1\n", "",
                "rack1: not reached: its answer says nothing\n");
    expect_line("", "", "rack1: not reached: its answer says nothing\n");
    expect_line("leat: unreached\n", "",
                "rack1: not reached: its answer says nothing\n");
    expect_line("leat: joine\n", "what?\n", "rack1: not reached: what?\n");
}

static void
a_failure_is_told_by_its_last_words(void **state)
{
    (void)state;
    expect_line(NULL, "debug\nssh: refused\r\n\n",
                "rack1: not reached: ssh: refused\n");
    expect_line(NULL, " \n", "rack1: not reached: exit code 255\n");
}

static void
nothing_from_there_reaches_the_terminal(void **state)
{
    (void)state;
    expect_line("leat: other \033[31mX\n", "",
                "rack1: leat-agent is not installed there, and that is another "
                "kind of machine than this: \\x1b[31mX\n");
    expect_line(NULL, "\033]0;x\a\n", "rack1: not reached: \\x1b]0;x\\x07\n");
}

static void
programs_get_it_as_json(void **state)
{
    struct host host = {0};
    json_t *json;

    (void)state;
    answer(&host, "leat: still 31\n", "");
    json = there_to_json(&host);
    assert_string_equal(json_string_value(json_object_get(json, "state")),
                        "still");
    assert_int_equal(json_integer_value(json_object_get(json, "pid")), 31);
    json_decref(json);
    answer(&host, NULL, "\xff\n");
    json = there_to_json(&host);
    assert_string_equal(json_string_value(json_object_get(json, "text")),
                        "\\xff");
    assert_true(json_is_null(json_object_get(json, "pid")));
    json_decref(json);
    there_release(&host);
}

/* It stands in a shell's text. */
static void
a_broker_s_address_is_a_safe_file_name(void **state)
{
    static const char key[] = "key=tcp______1__7100_..___x_____\n";
    struct buf script = {0};

    (void)state;
    there_script_ls(&script, "tcp://[::1]:7100/../$(x)'\"\n;");
    assert_int_equal(strncmp(buf_str(&script), key, strlen(key)), 0);
    buf_release(&script);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_becomes_a_line),
        cmocka_unit_test(what_else_a_host_says_does_not_count),
        cmocka_unit_test(a_failure_is_told_by_its_last_words),
        cmocka_unit_test(nothing_from_there_reaches_the_terminal),
        cmocka_unit_test(programs_get_it_as_json),
        cmocka_unit_test(a_broker_s_address_is_a_safe_file_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
