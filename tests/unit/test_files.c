/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Every file of tests/data/good is a flow that can be written and read back;
 * every one of tests/data/bad gives exactly the errors of its .err file. Run
 * from the repository's root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "flow/file.h"
#include "proto/limits.h"

static void
read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rbe");
    size_t n;

    assert_non_null(f);
    do {
        n = fread(buf_reserve(out, BUFSIZ), 1, BUFSIZ, f);
        buf_added(out, n);
    } while (n > 0);
    (void)fclose(f);
}

/* Parse; the errors, if any, as they are printed. */
static struct flow *
parse(const char *name, const char *text, size_t len, struct buf *errors)
{
    struct diags diags = {0};
    struct flow *flow = NULL;
    int rc = flow_parse(name, text, len, &flow, &diags);

    assert_int_equal(rc == 0, diags.n == 0);
    assert_int_equal(rc == 0, flow != NULL);
    diags_print(&diags, errors, false);
    diags_release(&diags);
    return flow;
}

/* ---- a model as text ---- */

static void
dump_tmpl(struct buf *out, const char *name, const struct tmpl *tmpl)
{
    json_t *json = tmpl ? tmpl_to_json(tmpl) : NULL;
    char *text = json ? json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

    if (text)
        buf_printf(out, " %s/%d=%s", name, (int)tmpl->kind, text);
    if (tmpl && tmpl->kind == TMPL_REF)
        buf_printf(out, "(%d:%u)", (int)tmpl->ref->scope, tmpl->ref->index);
    free(text);
    json_decref(json);
}

static void
dump_json(struct buf *out, const char *name, const json_t *json)
{
    char *text = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);

    if (text)
        buf_printf(out, " %s=%s", name, text);
    free(text);
}

static void
dump_binds(struct buf *out, const char *what, const struct flow_bind *binds,
           uint32_t n)
{
    buf_printf(out, " %s:", what);
    for (uint32_t i = 0; i < n; i++)
        dump_tmpl(out, binds[i].name, binds[i].value);
}

static void
dump_options(struct buf *out, const struct flow_options *o)
{
    buf_printf(out, "\n  retry %u %" PRId64 " %g %" PRId64 " %g %u",
               o->retry.times, o->retry.delay, o->retry.backoff, o->retry.max,
               o->retry.jitter, o->retry.on);
    buf_printf(out, " timeout %" PRId64 " grace %" PRId64 " cache %" PRId64,
               o->timeout, o->grace, o->cache_for);
    for (int i = 0; i < 4; i++)
        buf_printf(out, " %" PRIx64 "/%" PRIx64, o->exit_skip.bits[i],
                   o->exit_retry.bits[i]);
    buf_printf(out, " trigger %d %g %g", (int)o->trigger, o->at_least,
               o->at_most);
    buf_printf(out, " %d %d %d %d %u", o->skip_on_skip, o->exclusive,
               o->at_most_once, o->priority, o->max_parallel);
    for (uint32_t i = 0; i < o->nresource; i++)
        buf_printf(out, " %s*%g", o->resources[i].name, o->resources[i].amount);
    for (uint32_t i = 0; i < o->ntag; i++)
        buf_printf(out, " #%s", o->tags[i]);
    dump_binds(out, "where", o->where, o->nwhere);
    dump_binds(out, "env", o->env, o->nenv);
    dump_tmpl(out, "cwd", o->cwd);
    buf_printf(out, " shell %s\n", o->shell ? o->shell : "-");
}

static void
dump_task(struct buf *out, const struct flow_task *t)
{
    buf_printf(out, "task %s %d %d %d%d%d%d%d%d script %s when %s", t->name,
               (int)t->kind, (int)t->value, t->hidden, t->mapped, t->zip,
               t->flatten, t->referred, t->has_value_kind,
               t->script ? t->script : "-", t->when ? t->when : "-");
    dump_tmpl(out, "argv", t->argv);
    dump_tmpl(out, "stdin", t->input);
    dump_tmpl(out, "creates", t->creates);
    for (uint32_t i = 0; i < t->neach; i++) {
        buf_printf(out, " each %s", t->each[i].name);
        dump_tmpl(out, "in", t->each[i].values);
        dump_tmpl(out, "from", t->each[i].from);
        dump_tmpl(out, "to", t->each[i].to);
    }
    dump_binds(out, "with", t->with, t->nwith);
    for (uint32_t i = 0; i < t->nneeds; i++)
        buf_printf(out, " needs %u", t->needs[i]);
    for (uint32_t i = 0; i < t->ncase; i++) {
        dump_tmpl(out, "of", t->cases[i].of);
        dump_json(out, "is", t->cases[i].is);
    }
    dump_options(out, t->options);
}

static char *
dump(const struct flow *flow)
{
    struct buf out = {0};

    buf_printf(&out, "%s: %s, %d %u\n", flow->name,
               flow->help ? flow->help : "-", flow->has_max_fails,
               flow->max_fails);
    for (size_t i = 0; i < flow->nparam; i++) {
        const struct flow_param *p = &flow->params[i];

        buf_printf(&out, "param %s %d %d %g %d %g %s %s", p->name, (int)p->type,
                   p->has_min, p->min, p->has_max, p->max,
                   p->pattern ? p->pattern : "-", p->help ? p->help : "-");
        dump_json(&out, "default", p->fallback);
        dump_json(&out, "choices", p->choices);
        buf_char(&out, '\n');
    }
    for (size_t i = 0; i < flow->nlimit; i++)
        buf_printf(&out, "limit %s %u\n", flow->limits[i].tag,
                   flow->limits[i].most);
    for (size_t i = 0; i < flow->nreference; i++)
        buf_printf(&out, "reference %u\n", flow->reference[i]);
    for (size_t i = 0; i < flow->ntask; i++)
        dump_task(&out, &flow->tasks[i]);
    dump_tmpl(&out, "output", flow->output);
    return buf_take(&out);
}

/* ---- good ---- */

static void
check_good(const char *path)
{
    struct buf text = {0}, errors = {0};
    struct flow *flow, *again;
    char *json_text, *before, *after;

    read_file(path, &text);
    flow = parse(path, text.data, text.len, &errors);
    assert_string_equal(buf_str(&errors), "");

    json_text = flow_to_text(flow);
    again = parse("again.json", json_text, strlen(json_text), &errors);
    assert_string_equal(buf_str(&errors), "");

    before = dump(flow);
    after = dump(again);
    assert_string_equal(before, after);

    free(before);
    free(after);
    free(json_text);
    flow_destroy(&flow);
    flow_destroy(&again);
    buf_release(&text);
    buf_release(&errors);
}

static size_t
for_each(const char *pattern, void (*check)(const char *path))
{
    glob_t found = {0};
    size_t n;

    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        check(found.gl_pathv[i]);
    n = found.gl_pathc;
    globfree(&found);
    return n;
}

static void
good_files_are_read_and_written_back(void **state)
{
    (void)state;
    assert_true(for_each("tests/data/good/*.yaml", check_good) > 10);
    assert_true(for_each("tests/data/good/*.json", check_good) > 1);
}

/* ---- bad ---- */

static void
check_bad(const char *path)
{
    struct buf text = {0}, errors = {0}, expected = {0};
    const char *name = strrchr(path, '/') + 1;
    const char *dot = strrchr(path, '.');
    char *err_path;
    struct flow *flow;

    assert_true(asprintf(&err_path, "%.*s.err", (int)(dot - path), path) > 0);
    read_file(path, &text);
    read_file(err_path, &expected);
    flow = parse(name, text.len > 0 ? text.data : "", text.len, &errors);
    assert_string_equal(buf_str(&errors), buf_str(&expected));
    assert_null(flow);
    free(err_path);
    buf_release(&text);
    buf_release(&errors);
    buf_release(&expected);
}

static void
bad_files_give_exactly_their_errors(void **state)
{
    (void)state;
    assert_true(for_each("tests/data/bad/*.yaml", check_bad) > 50);
    assert_true(for_each("tests/data/bad/*.json", check_bad) > 1);
}

/* ---- made here ---- */

static void
expect_bytes(const char *text, size_t len, const char *expected)
{
    struct buf errors = {0};

    assert_null(parse("x.yaml", text, len, &errors));
    assert_string_equal(buf_str(&errors), expected);
    buf_release(&errors);
}

static void
bytes_that_are_no_text_are_refused(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *expected;
    } rows[] = {
        {"", 0,
         "x.yaml: the file is empty; a flow needs `leat: 1` and "
         "`tasks`\n"},
        {"# only this\n", 12,
         "x.yaml: the file is empty; a flow needs `leat: 1` and `tasks`\n"},
        {"leat: 1\na\0b", 11,
         "x.yaml:2:2: byte 9 of the file is a NUL: this is not a text file\n"
         "    2 | a\\x00b\n"
         "      |  ^~~~\n"},
        {"\177ELF", 4,
         "x.yaml:1:1: byte 0 of the file is a control character, 0x7f\n"
         "    1 | \\x7fELF\n"
         "      | ^~~~\n"
         "help: in a string with \"...\" write it as an escape: \\e, \\x07\n"},
        {"leat: 1\nname: a\xff\n", 17,
         "x.yaml:2:8: byte 15 of the file, 0xff, is not UTF-8\n"
         "    2 | name: a\\xff\n"
         "      |        ^~~~\n"
         "help: flow files are UTF-8\n"},
        {"\xfe\xff\0l", 4,
         "x.yaml:1:1: byte 0 of the file, 0xfe, is not UTF-8\n"
         "    1 | \\xfe\\xff\\x00l\n"
         "      | ^~~~\n"
         "help: flow files are UTF-8\n"},
        {"help: \xc2\x81\n", 9,
         "x.yaml:1:7: byte 6 of the file begins a character that can't be in "
         "it\n"
         "    1 | help: \\xc2\\x81\n"
         "      |       ^~~~\n"
         "help: in a string with \"...\" write it as an escape: \\u0085, "
         "\\u2028, \\ufeff\n"},
        {"leat: 1\nhelp: \"\x1b[31m\"\n", 21,
         "x.yaml:2:8: byte 15 of the file is a control character, 0x1b\n"
         "    2 | help: \"\\x1b[31m\"\n"
         "      |        ^~~~\n"
         "help: in a string with \"...\" write it as an escape: \\e, \\x07\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_bytes(rows[i].text, rows[i].len, rows[i].expected);
}

static void
a_file_past_the_limit_is_refused_unread(void **state)
{
    (void)state;
    expect_bytes("leat: 1\n", (size_t)LIMIT_FILE_BYTES + 1,
                 "x.yaml: the file has 268435457 bytes; 268435456 are the "
                 "most\n");
}

static void
a_string_of_ten_megabytes_is_refused(void **state)
{
    struct buf text = {0}, errors = {0};

    (void)state;
    buf_text(&text, "leat: 1\ntasks:\n  a: { run: \"");
    memset(buf_reserve(&text, 10000000), 'x', 10000000);
    buf_added(&text, 10000000);
    buf_text(&text, "\" }\n");
    assert_null(parse("x.yaml", text.data, text.len, &errors));
    assert_non_null(strstr(
        errors.data,
        "x.yaml:3:13: this string has 10000000 bytes; 1048576 are the most\n"));
    assert_true(errors.len < 400);
    buf_release(&text);
    buf_release(&errors);
}

static void
repeat(struct buf *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_text(out, text);
}

static void
deep_nesting_is_refused_at_its_limit(void **state)
{
    struct buf text = {0}, errors = {0};
    struct flow *flow;

    (void)state;
    /* the flow itself is one level */
    buf_text(&text, "leat: 1\ntasks: { a: { run: x } }\noutput: ");
    repeat(&text, "[", LIMIT_DEPTH - 1);
    repeat(&text, "]", LIMIT_DEPTH - 1);
    flow = parse("x.yaml", text.data, text.len, &errors);
    assert_string_equal(buf_str(&errors), "");
    flow_destroy(&flow);

    buf_clear(&text);
    buf_text(&text, "leat: 1\noutput: ");
    repeat(&text, "[", 100000);
    assert_null(parse("x.yaml", text.data, text.len, &errors));
    assert_non_null(
        strstr(errors.data, "x.yaml:2:40: nested deeper than 32 levels\n"));
    buf_release(&text);
    buf_release(&errors);
}

static void
of_many_errors_the_first_hundred_are_shown(void **state)
{
    struct buf text = {0}, errors = {0};

    (void)state;
    buf_text(&text, "leat: 1\ntasks:\n");
    for (int i = 0; i < 1000; i++)
        buf_printf(&text, "  t%d: { run: x, argv: ['${nobody}'] }\n", i);
    assert_null(parse("x.yaml", text.data, text.len, &errors));
    assert_non_null(
        strstr(errors.data, "\n100 errors, and 900 more that are not shown\n"));
    buf_clear(&text);
    buf_clear(&errors);

    buf_text(&text, "leat: 1\ntasks:\n");
    for (int i = 0; i < 1000; i++)
        buf_printf(&text, "  t%d: { argv: ['${nobody}'] }\n", i);
    assert_null(parse("x.yaml", text.data, text.len, &errors));
    assert_non_null(
        strstr(errors.data, "\n100 errors, and 900 more that are not shown\n"));
    buf_release(&text);
    buf_release(&errors);
}

static void
a_long_circle_is_not_printed_whole(void **state)
{
    struct buf text = {0}, errors = {0};

    (void)state;
    buf_text(&text, "leat: 1\ntasks:\n");
    for (int i = 0; i < 50; i++)
        buf_printf(&text, "  t%d: { run: x, needs: t%d }\n", i, (i + 1) % 50);
    assert_null(parse("x.yaml", text.data, text.len, &errors));
    assert_non_null(strstr(errors.data, ": t0 -> t1 -> t2 -> "));
    assert_non_null(strstr(errors.data, " -> (30 more) -> t0\n"));
    buf_release(&text);
    buf_release(&errors);
}

static void
too_many_references_and_parameters_are_refused(void **state)
{
    struct buf text = {0}, errors = {0};

    (void)state;
    buf_text(&text, "leat: 1\ntasks:\n  a: { run: x }\n  b:\n    argv:\n");
    repeat(&text, "      - ${a}\n", LIMIT_REFERENCES + 1);
    assert_null(parse("x.yaml", text.data, text.len, &errors));
    assert_non_null(strstr(errors.data,
                           "x.yaml:4:3: task `b` refers to other tasks 65537 "
                           "times; 65536 are the most\n"));
    buf_clear(&text);
    buf_clear(&errors);

    buf_text(&text, "leat: 1\ntasks: { a: { run: x } }\nparams:\n");
    for (unsigned i = 0; i <= LIMIT_PARAMS; i++)
        buf_printf(&text, "  p%u: {}\n", i);
    assert_null(parse("x.yaml", text.data, text.len, &errors));
    assert_non_null(strstr(errors.data,
                           "x.yaml:4:3: 1001 parameters; 1000 are the most\n"));
    buf_release(&text);
    buf_release(&errors);
}

static void
colours_are_for_terminals_that_ask_for_them(void **state)
{
    static const char text[] = "leat: 1\ntusks: 1\n";
    struct diags diags = {0};
    struct flow *flow = NULL;
    struct buf out = {0};

    (void)state;
    assert_int_equal(
        flow_parse("a\x1b.yaml", text, sizeof text - 1, &flow, &diags), -1);
    diags_print(&diags, &out, true);
    assert_string_equal(out.data,
                        "\033[1ma\\x1b.yaml:2:1: \033[0m"
                        "unknown key `tusks` of a flow\n"
                        "    2 | tusks: 1\n"
                        "      | \033[1;31m^~~~~\033[0m\n"
                        "\033[36mhelp:\033[0m did you mean `tasks`?\n");
    buf_release(&out);
    diags_release(&diags);
}

static void
a_flow_is_named_after_its_file(void **state)
{
    static const struct {
        const char *file, *name;
    } rows[] = {
        {"nightly.yaml", "nightly"}, {"a/b.c/d-e.json", "d-e"},
        {"plain", "plain"},          {"-", "flow"},
        {"my flow.yaml", "flow"},    {".yaml", "flow"},
    };
    static const char text[] = "leat: 1\ntasks: { a: { run: x } }\n";

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf errors = {0};
        struct flow *flow = parse(rows[i].file, text, sizeof text - 1, &errors);

        assert_non_null(flow);
        assert_string_equal(flow->name, rows[i].name);
        assert_string_equal(flow->file, rows[i].file);
        assert_string_equal(flow->source, text);
        flow_destroy(&flow);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files_are_read_and_written_back),
        cmocka_unit_test(bad_files_give_exactly_their_errors),
        cmocka_unit_test(bytes_that_are_no_text_are_refused),
        cmocka_unit_test(a_file_past_the_limit_is_refused_unread),
        cmocka_unit_test(a_string_of_ten_megabytes_is_refused),
        cmocka_unit_test(deep_nesting_is_refused_at_its_limit),
        cmocka_unit_test(of_many_errors_the_first_hundred_are_shown),
        cmocka_unit_test(a_long_circle_is_not_printed_whole),
        cmocka_unit_test(too_many_references_and_parameters_are_refused),
        cmocka_unit_test(colours_are_for_terminals_that_ask_for_them),
        cmocka_unit_test(a_flow_is_named_after_its_file),
    };

    return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
