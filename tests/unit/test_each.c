/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/each.h"

#define WORDS 16

/* A command line, which an each borrows; ~ is a space inside of a word. */
struct line {
    char text[200];
    char *words[WORDS];
    size_t n;
};

static void
split(struct line *self, const char *text)
{
    char *rest = self->text;

    *self = (struct line){0};
    assert_true(strlen(text) < sizeof self->text);
    memcpy(self->text, text, strlen(text));
    while (rest && self->n < WORDS)
        self->words[self->n++] = strsep(&rest, " ");
    for (size_t i = 0; i < strlen(text); i++) {
        if (self->text[i] == '~')
            self->text[i] = ' ';
    }
}

static int
read_line(struct each *each, struct line *line, const char *text,
          struct err *err)
{
    split(line, text);
    return each_read(each, line->words, line->n, '\n', err);
}

/* The only task of the flow that a command line makes, without its value. */
static char *
task_of(const char *text_line)
{
    struct line line;
    struct each each = {0};
    struct err err;
    json_t *flow, *task;
    char *text;

    assert_int_equal(read_line(&each, &line, text_line, &err), 0);
    flow = each_flow(&each);
    task = json_object_get(flow, "tasks");
    assert_int_equal(json_object_size(task), 1);
    json_object_del(json_object_iter_value(json_object_iter(task)), "value");
    text = json_dumps(task, JSON_COMPACT);
    json_decref(flow);
    each_release(&each);
    return text;
}

static void
makes(const char *line, const char *expected)
{
    char *text = task_of(line);

    assert_string_equal(text, expected);
    free(text);
}

static void
an_input_takes_the_place_of_braces(void **state)
{
    (void)state;
    makes("gzip -9 {} ::: a b",
          "{\"gzip\":{\"argv\":[\"gzip\",\"-9\",\"${arg}\"],"
          "\"each\":{\"arg\":[\"a\",\"b\"]}}}");
    makes("/bin/echo x{}y ::: a",
          "{\"echo\":{\"argv\":[\"/bin/echo\",\"x${arg}y\"],"
          "\"each\":{\"arg\":[\"a\"]}}}");
}

static void
without_braces_the_input_comes_last(void **state)
{
    (void)state;
    makes("wc ::: a",
          "{\"wc\":{\"argv\":[\"wc\",\"${arg}\"],\"each\":{\"arg\":[\"a\"]}}}");
}

static void
sources_are_combined_by_the_flow(void **state)
{
    (void)state;
    makes("echo {2} {1} ::: a b ::: c d",
          "{\"echo\":{\"argv\":[\"echo\",\"${arg2}\",\"${arg1}\"],"
          "\"each\":{\"arg1\":[\"a\",\"b\"],\"arg2\":[\"c\",\"d\"]}}}");
}

static void
all_braces_are_a_word_for_each_source(void **state)
{
    (void)state;
    makes("echo ::: a ::: b",
          "{\"echo\":{\"argv\":[\"echo\",\"${arg1}\",\"${arg2}\"],"
          "\"each\":{\"arg1\":[\"a\"],\"arg2\":[\"b\"]}}}");
}

static void
linked_sources_go_in_step(void **state)
{
    (void)state;
    makes("cp ::: a b :::+ c d",
          "{\"cp\":{\"argv\":[\"cp\",\"${arg1}\",\"${arg2}\"],\"zip\":true,"
          "\"each\":{\"arg1\":[\"a\",\"b\"],\"arg2\":[\"c\",\"d\"]}}}");
}

static void
parts_of_inputs_are_worked_out_before(void **state)
{
    (void)state;
    makes("x {.} {/} {//} {/.} {#} ::: d/a.b.c e",
          "{\"x\":{\"argv\":[\"x\",\"${arg_noext}\",\"${arg_base}\","
          "\"${arg_dir}\",\"${arg_stem}\",\"${seq}\"],\"zip\":true,"
          "\"each\":{\"arg\":[\"d/a.b.c\",\"e\"],"
          "\"arg_noext\":[\"d/a.b\",\"e\"],\"arg_base\":[\"a.b.c\",\"e\"],"
          "\"arg_dir\":[\"d\",\".\"],\"arg_stem\":[\"a.b\",\"e\"],"
          "\"seq\":[\"1\",\"2\"]}}}");
}

static void
a_dollar_sign_is_itself(void **state)
{
    (void)state;
    makes("echo $HOME {} ::: ${x}",
          "{\"echo\":{\"argv\":[\"echo\",\"$$HOME\",\"${arg}\"],"
          "\"each\":{\"arg\":[\"$${x}\"]}}}");
}

static void
what_is_no_replacement_is_left_alone(void **state)
{
    (void)state;
    makes("x {a} {3} {0} { {1#} {} ::: a",
          "{\"x\":{\"argv\":[\"x\",\"{a}\",\"{3}\",\"{0}\",\"{\",\"{1#}\","
          "\"${arg}\"],\"each\":{\"arg\":[\"a\"]}}}");
}

/* How a script names its input, wherever the braces stand. */
static void
scripts_get_inputs_as_variables(void **state)
{
    static const struct {
        const char *command, *script;
    } cases[] = {
        {"gzip~{}~&&~echo ::: a", "gzip \"${arg}\" && echo"},
        {"echo~\"<{}>\" ::: a", "echo \"<${arg}>\""},
        {"echo~'<{}>'~x ::: a", "echo '<'\"${arg}\"'>' x"},
        {"echo~\"$(wc~{})\"~{} ::: a", "echo \"$(wc \"${arg}\")\" \"${arg}\""},
        {"(cd~{};~echo~\"{}\") ::: a", "(cd \"${arg}\"; echo \"${arg}\")"},
        {"echo~\\\"~{} ::: a", "echo \\\" \"${arg}\""},
        {"sort~|~uniq ::: a", "sort | uniq \"${arg}\""},
        {"echo~$arg~$$ ::: a", "echo $arg $$ \"${arg}\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct each each = {0};
        struct line line;
        struct err err;
        json_t *flow, *task;

        assert_int_equal(read_line(&each, &line, cases[i].command, &err), 0);
        assert_true(each.shell);
        flow = each_flow(&each);
        task = json_object_get(flow, "tasks");
        task = json_object_iter_value(json_object_iter(task));
        assert_string_equal(json_string_value(json_object_get(task, "run")),
                            cases[i].script);
        json_decref(flow);
        each_release(&each);
    }
}

static void
rows_are_all_combinations_the_first_source_slowest(void **state)
{
    static const char *const rows[] = {"a c 1", "a d 2", "b c 1", "b d 2"};
    struct each each = {0};
    struct line line;
    struct buf out = {0};
    struct err err;

    (void)state;
    assert_int_equal(
        read_line(&each, &line, "x ::: a b ::: c d :::+ 1 2", &err), 0);
    assert_int_equal(each.nrow, 4);
    for (size_t row = 0; row < 4; row++) {
        buf_clear(&out);
        buf_printf(&out, "%s %s %s", each_input(&each, 0, row),
                   each_input(&each, 1, row), each_input(&each, 2, row));
        assert_string_equal(buf_str(&out), rows[row]);
    }
    buf_release(&out);
    each_release(&each);
}

static void
a_dry_run_shows_what_a_shell_would_be_given(void **state)
{
    struct each each = {0};
    struct line line;
    struct buf out = {0};
    struct err err;

    (void)state;
    assert_int_equal(read_line(&each, &line, "echo {} ::: it's~a", &err), 0);
    each_show(&each, 0, &out);
    assert_string_equal(buf_str(&out), "echo 'it'\\''s a'\n");
    buf_release(&out);
    each_release(&each);
}

static void
wrong_words_are_told(void **state)
{
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"::: a", "there is no command before :::"},
        {"x :::+ a", "the first source can't be linked to one before it"},
        {"x ::: a b :::+ c",
         "source 2 has 1 inputs, but the one it is linked to has 2"},
        {"x ::: a\xff", "the input a\\xff is not UTF-8 text"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct each each = {0};
        struct line line;
        struct err err = {0};

        assert_int_equal(read_line(&each, &line, cases[i].line, &err), -1);
        assert_string_equal(err.msg, cases[i].message);
        each_release(&each);
    }
}

static void
names_of_tasks_are_made_of_commands(void **state)
{
    static const struct {
        const char *command, *name;
    } cases[] = {
        {"/usr/bin/gzip", "gzip"}, {"./a.out", "a_out"},     {"7z", "_7z"},
        {"arg", "_arg"},           {"sort~-u~|~wc", "sort"}, {"dir/", "_"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[64], want[40];
        char *text;

        (void)snprintf(line, sizeof line, "%s ::: a", cases[i].command);
        text = task_of(line);
        (void)snprintf(want, sizeof want, "{\"%s\":", cases[i].name);
        assert_memory_equal(text, want, strlen(want));
        free(text);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_input_takes_the_place_of_braces),
        cmocka_unit_test(without_braces_the_input_comes_last),
        cmocka_unit_test(sources_are_combined_by_the_flow),
        cmocka_unit_test(all_braces_are_a_word_for_each_source),
        cmocka_unit_test(linked_sources_go_in_step),
        cmocka_unit_test(parts_of_inputs_are_worked_out_before),
        cmocka_unit_test(a_dollar_sign_is_itself),
        cmocka_unit_test(what_is_no_replacement_is_left_alone),
        cmocka_unit_test(scripts_get_inputs_as_variables),
        cmocka_unit_test(rows_are_all_combinations_the_first_source_slowest),
        cmocka_unit_test(a_dry_run_shows_what_a_shell_would_be_given),
        cmocka_unit_test(wrong_words_are_told),
        cmocka_unit_test(names_of_tasks_are_made_of_commands),
    };

    return cmocka_run_group_tests_name("each", tests, NULL, NULL);
}
