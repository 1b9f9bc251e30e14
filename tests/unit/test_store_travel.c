/* SPDX-License-Identifier: MPL-2.0 */
/* What goes from a store to who looks at it over the network. */
#include "tests/unit/store_box.h"

/* ---- batches that travel ---- */

struct got {
    struct buf text;
    uint64_t last;
    size_t n, most, longest;
    struct err err;
};

static bool
tell_record(void *ctx, const struct store_record *record)
{
    struct got *got = ctx;

    buf_printf(&got->text, "%s.%d=%s%s%s ", record->task, (int)record->id.child,
               plan_state_names[record->state], record->cause ? ":" : "",
               record->cause ? record->cause : "");
    return true;
}

static bool
take_batch(void *ctx, uint64_t number, const char *text, size_t n)
{
    struct got *got = ctx;

    assert_true(number > got->last);
    got->last = number;
    if (n > got->longest)
        got->longest = n;
    buf_text(&got->text, "| ");
    if (store_batch_records(text, n, tell_record, got, &got->err) < 0)
        fail_msg("%s", got->err.msg);
    return ++got->n < got->most;
}

static void
batches_come_from_a_number_on(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL), other = begin(box, NULL);
    struct got got = {.most = SIZE_MAX};
    struct store_record one = {
        .id = {0, PLAN_WHOLE}, .task = "a", .code = -1, .state = PLAN_RUNNING};

    assert_int_equal(
        store_batches(box->store, run, 0, take_batch, &got, &box->err), 0);
    assert_int_equal(got.n, 0);
    record(box, run, &one);
    record(box, other, &one);
    one = (struct store_record){.id = {1, 0},
                                .task = "m",
                                .code = -1,
                                .state = PLAN_FAILED,
                                .cause = "two\nlines"};
    record(box, run, &one);
    flush(box);
    assert_int_equal(
        store_batches(box->store, run, 0, take_batch, &got, &box->err), 0);
    assert_string_equal(buf_str(&got.text),
                        "| a.-1=running m.0=failed:two\nlines ");
    buf_clear(&got.text);
    one.state = PLAN_SUCCEEDED;
    one.cause = NULL;
    record(box, run, &one);
    flush(box);
    assert_int_equal(
        store_batches(box->store, run, got.last, take_batch, &got, &box->err),
        0);
    assert_string_equal(buf_str(&got.text), "| m.0=succeeded ");
    buf_clear(&got.text);
    got = (struct got){.most = 1, .text = got.text};
    assert_int_equal(
        store_batches(box->store, run, 0, take_batch, &got, &box->err), 0);
    assert_int_equal(got.n, 1);
    assert_int_equal(
        store_batches(box->store, 77, 0, take_batch, &got, &box->err), -1);
    assert_int_equal(box->err.code, ERR_NOT_FOUND);
    buf_release(&got.text);
}

static void
what_is_no_batch_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "\n",
        "\n\n",
        "1\n{}",
        "x\n{}\n[]",
        "1x\n{}\n[]",
        " 1\n{}\n[]",
        "1\n{}\n[[]]",
        "1\n{}\n[[0,\"a\",1]]",
        "1\n{}\n[[0,0,1,6,0,0]]",
        "99999999999999999999\n{}\n[]",
        "1\n{}\n[[0,\"a\",1,6,0,0]] ",
    };
    struct box *box = *state;
    struct got got = {.most = 1};
    const char nul[] = "1\n{}\n[[0,\"a\",1,6,0,0]\0]";

    for (size_t i = 0; i < COUNT(bad); i++) {
        if (store_batch_records(bad[i], strlen(bad[i]), tell_record, &got,
                                &box->err) == 0)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(box->err.code, ERR_INVALID);
    }
    assert_int_equal(
        store_batch_records(nul, sizeof nul - 1, tell_record, &got, &box->err),
        -1);
    buf_release(&got.text);
}

/* Small records and large ones in turn. */
static void
every_batch_fits_a_frame(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL);
    struct got got = {.most = SIZE_MAX};
    size_t n = (size_t)890 << 10;
    char *large = mem_alloc(n + 1, 1);
    json_t *value;

    memset(large, 'x', n);
    value = json_string(large);
    for (uint32_t k = 0; k < 4000; k++) {
        bool is_large = k % 1500 == 700;
        struct store_record one = {.id = {1, k},
                                   .task = "mapped",
                                   .code = -1,
                                   .attempt = 1,
                                   .state = PLAN_SUCCEEDED,
                                   .cause = "of a hundred bytes: .............."
                                            "..............................",
                                   .value = is_large ? value : NULL};

        record(box, run, &one);
    }
    flush(box);
    assert_int_equal(
        store_batches(box->store, run, 0, take_batch, &got, &box->err), 0);
    assert_true(got.longest > n);
    assert_true(got.longest < n + 1000);
    assert_sql(box, "SELECT count(*), count(DISTINCT child) FROM attempts",
               "4000|4000\n");
    json_decref(value);
    free(large);
    buf_release(&got.text);
}

/* ---- output that travels ---- */

static void
output_travels_in_whole_pieces(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL), offset = 0, end_at;
    struct heard heard = {.most = SIZE_MAX};
    struct buf out = {0};
    bool more = false;

    say(box, run, whole, 1, "one");
    say(box, run, whole, 2, "two");
    say(box, run, whole, 1, "three");
    /* Two pieces with their heads of 32 bytes. */
    assert_int_equal(
        store_output_raw(box->store, run, &offset, 70, &out, &more, &box->err),
        0);
    assert_true(more);
    assert_int_equal(out.len, 70);
    assert_int_equal(
        store_output_pieces(out.data, out.len, hear, &heard, &box->err), 0);
    assert_string_equal(buf_str(&heard.text), "4.-1.1.1:one 4.-1.1.2:two ");
    buf_clear(&heard.text);
    buf_clear(&out);
    /* One at least, whatever the bound. */
    assert_int_equal(
        store_output_raw(box->store, run, &offset, 1, &out, &more, &box->err),
        0);
    assert_false(more);
    assert_int_equal(
        store_output_pieces(out.data, out.len, hear, &heard, &box->err), 0);
    assert_string_equal(buf_str(&heard.text), "4.-1.1.1:three ");
    end_at = offset;
    buf_clear(&out);
    assert_int_equal(
        store_output_raw(box->store, run, &offset, 70, &out, &more, &box->err),
        0);
    assert_int_equal(offset, end_at);
    assert_int_equal(out.len, 0);
    assert_false(more);
    buf_release(&out);
    buf_release(&heard.text);
}

static void
a_large_write_becomes_pieces_that_travel(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL), offset = 0;
    size_t n = (size_t)3 << 20, got = 0, rounds = 0;
    char *data = mem_alloc(n + 1, 1);
    struct buf out = {0};
    bool more = true;

    memset(data, 'y', n);
    say(box, run, whole, 1, data);
    while (more) {
        buf_clear(&out);
        assert_int_equal(store_output_raw(box->store, run, &offset,
                                          (size_t)256 << 10, &out, &more,
                                          &box->err),
                         0);
        assert_true(out.len <= (size_t)256 << 10);
        got += out.len;
        rounds++;
    }
    assert_int_equal(rounds, 13);
    assert_int_equal(got, n + rounds * 32);
    buf_release(&out);
    free(data);
}

static void
what_is_no_output_is_refused(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, NULL), offset = 0;
    struct heard heard = {.most = SIZE_MAX};
    struct buf out = {0};
    bool more = false;

    say(box, run, whole, 1, "one");
    assert_int_equal(
        store_output_raw(box->store, run, &offset, 99, &out, &more, &box->err),
        0);
    for (size_t n = 1; n < out.len; n++)
        assert_int_equal(
            store_output_pieces(out.data, n, hear, &heard, &box->err), -1);
    out.data[5] ^= 1;
    assert_int_equal(
        store_output_pieces(out.data, out.len, hear, &heard, &box->err), -1);
    assert_int_equal(heard.text.len, 0);
    buf_release(&out);
    /* Of a run without output, and of none. */
    assert_int_equal(
        store_output_raw(box->store, 5, &offset, 99, &out, &more, &box->err),
        -1);
    assert_int_equal(box->err.code, ERR_NOT_FOUND);
    buf_release(&heard.text);
}

/* ---- rows ---- */

static void
a_row_travels_as_json(void **state)
{
    struct box *box = *state;
    uint64_t run = begin(box, "name");
    struct store_run in = {0}, out = {0};
    json_t *json, *again;

    end(box, run, STORE_CANCELLED);
    assert_int_equal(store_run_get(box->store, run, true, &in, &box->err), 0);
    in.output = json_pack("[i]", 3);
    in.options = json_pack("{s:b}", "broker", 1);
    json = store_run_to_json(&in);
    assert_int_equal(store_run_from_json(&out, json, &box->err), 0);
    assert_int_equal(out.id, run);
    assert_int_equal(out.state, STORE_CANCELLED);
    assert_string_equal(out.name, "name");
    assert_string_equal(out.source, in.source);
    assert_int_equal(out.source_len, in.source_len);
    assert_int_equal(out.ended, in.ended);
    assert_null(out.program);
    again = store_run_to_json(&out);
    assert_true(json_equal(json, again));
    json_decref(json);
    json_decref(again);
    store_run_release(&in);
    store_run_release(&out);
}

static void
a_row_that_makes_no_sense_is_refused(void **state)
{
    static const char *const bad[] = {
        "[]",
        "{}",
        "{\"run\":0,\"flow\":\"f\",\"state\":\"failed\"}",
        "{\"run\":-1,\"flow\":\"f\",\"state\":\"failed\"}",
        "{\"run\":1.5,\"flow\":\"f\",\"state\":\"failed\"}",
        "{\"run\":1,\"state\":\"failed\"}",
        "{\"run\":1,\"flow\":\"f\"}",
        "{\"run\":1,\"flow\":\"f\",\"state\":\"odd\"}",
        "{\"run\":1,\"flow\":\"f\\u0000\",\"state\":\"failed\"}",
        "{\"run\":1,\"flow\":[],\"state\":\"failed\"}",
        "{\"run\":1,\"flow\":\"f\",\"state\":\"failed\",\"params\":[]}",
        "{\"run\":1,\"flow\":\"f\",\"state\":\"failed\",\"sessions\":0}",
        "{\"run\":1,\"flow\":\"f\",\"state\":\"failed\",\"name\":1}",
    };
    struct box *box = *state;

    for (size_t i = 0; i < COUNT(bad); i++) {
        json_t *json = json_loads(bad[i], JSON_ALLOW_NUL, NULL);
        struct store_run out = {0};

        assert_non_null(json);
        if (store_run_from_json(&out, json, &box->err) == 0)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(box->err.code, ERR_INVALID);
        json_decref(json);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(batches_come_from_a_number_on),
        TEST(what_is_no_batch_is_refused),
        TEST(every_batch_fits_a_frame),
        TEST(output_travels_in_whole_pieces),
        TEST(a_large_write_becomes_pieces_that_travel),
        TEST(what_is_no_output_is_refused),
        TEST(a_row_travels_as_json),
        TEST(a_row_that_makes_no_sense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
