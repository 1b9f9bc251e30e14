/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include <wire.pb-c.h>

#include "base/mem.h"
#include "proto/limits.h"
#include "proto/wire.h"
#include "proto/wire_check.h"
#include "proto/wire_scan.h"
#include "tests/support/sample.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void
every_type_comes_back_as_it_was_sent(void **state)
{
    struct sample *s = sample_new();
    struct buf frame = {0}, again = {0};
    struct err err;

    (void)state;
    for (unsigned type = 1; type < WIRE_TYPE_END; type++) {
        struct wire wire;
        size_t whole;

        buf_clear(&frame);
        buf_clear(&again);
        assert_int_equal(
            wire_encode(&frame, (enum wire_type)type, s->of[type], &err), 0);
        assert_int_equal(wire_frame_bytes(frame.data, frame.len, &whole, &err),
                         0);
        assert_int_equal(whole, frame.len);
        if (wire_decode(&wire, frame.data, frame.len, &err) < 0)
            fail_msg("%s: %s", wire_type_names[type], err.msg);
        assert_int_equal(wire.type, type);
        assert_int_equal(wire_encode(&again, wire.type, wire.as.base, &err), 0);
        assert_int_equal(again.len, frame.len);
        assert_memory_equal(again.data, frame.data, frame.len);
        wire_release(&wire);
        wire_release(&wire);
    }
    buf_release(&frame);
    buf_release(&again);
    free(s);
}

static void
frames_are_appended(void **state)
{
    struct sample *s = sample_new();
    struct buf frames = {0};
    struct wire wire;
    struct err err;
    size_t first;

    (void)state;
    assert_int_equal(wire_encode(&frames, WIRE_ASK, s->of[WIRE_ASK], &err), 0);
    first = frames.len;
    assert_int_equal(wire_encode(&frames, WIRE_LANE, s->of[WIRE_LANE], &err),
                     0);
    assert_int_equal(
        wire_decode(&wire, frames.data + first, frames.len - first, &err), 0);
    assert_int_equal(wire.type, WIRE_LANE);
    wire_release(&wire);
    buf_release(&frames);
    free(s);
}

static void
an_envelope_that_is_not_ours_is_refused(void **state)
{
    static const struct {
        size_t at;
        unsigned char byte;
        enum err_code code;
        const char *said;
    } rows[] = {
        {0, 'L', ERR_INVALID, "not a frame of leat"},
        {1, 't', ERR_INVALID, "not a frame of leat"},
        {2, 9, ERR_DENIED,
         "the peer speaks version 9 of the protocol, this is version 1"},
        {3, 0, ERR_INVALID, "a message of unknown type 0"},
        {3, 200, ERR_INVALID, "a message of unknown type 200"},
        {4, 99, ERR_INVALID, "a frame whose length is wrong"},
        {7, 1, ERR_INVALID, "a frame of 16777222 bytes; 1048564 are the most"},
        {8, 1, ERR_INVALID, "a damaged frame"},
        {15, 0xff, ERR_INVALID, "a damaged frame"},
    };
    struct sample *s = sample_new();
    struct buf frame = {0};
    struct wire wire;
    struct err err;

    (void)state;
    s->look.run = 77;
    s->look.batch = 88;
    s->look.records = 1;
    assert_int_equal(wire_encode(&frame, WIRE_LOOK, &s->look.base, &err), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        char was = frame.data[rows[i].at];

        frame.data[rows[i].at] = (char)rows[i].byte;
        err.msg[0] = '\0';
        assert_int_equal(wire_decode(&wire, frame.data, frame.len, &err), -1);
        assert_string_equal(err.msg, rows[i].said);
        assert_int_equal(err.code, rows[i].code);
        frame.data[rows[i].at] = was;
    }
    for (size_t n = 0; n < frame.len; n++)
        assert_int_equal(wire_decode(&wire, frame.data, n, &err), -1);
    buf_release(&frame);
    free(s);
}

static void
a_frame_that_is_still_coming_has_no_length(void **state)
{
    struct err err;
    size_t whole = 1;

    (void)state;
    assert_int_equal(wire_frame_bytes("lT", 2, &whole, &err), 0);
    assert_int_equal(whole, 0);
}

static void
a_message_past_the_bound_is_not_sent(void **state)
{
    Wire__Seen seen = WIRE__SEEN__INIT;
    struct buf frame = {0};
    struct err err;

    (void)state;
    seen.output.data = mem_alloc(LIMIT_FRAME_BYTES, 1);
    seen.output.len = LIMIT_FRAME_BYTES - WIRE_ENVELOPE;
    assert_int_equal(wire_encode(&frame, WIRE_SEEN, &seen.base, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(frame.len, 0);
    seen.output.len = LIMIT_FRAME_BYTES - WIRE_ENVELOPE - 4;
    assert_int_equal(wire_encode(&frame, WIRE_SEEN, &seen.base, &err), 0);
    assert_int_equal(frame.len, LIMIT_FRAME_BYTES);
    buf_release(&frame);
    free(seen.output.data);
}

/* Bytes that no encoder of ours writes. */
static void
malformed_messages_are_refused(void **state)
{
    static const struct {
        enum wire_type type;
        size_t n;
        const char *bytes, *said;
    } rows[] = {
        {WIRE_LOOK, 2, "\x78\x01", "Look: a field that is not known"},
        {WIRE_LOOK, 2, "\x00\x01", "Look: a field that is not known"},
        {WIRE_LOOK, 1, "\x80", "Look: cut off"},
        {WIRE_LOOK, 1, "\x08", "Look.tag: cut off"},
        {WIRE_LOOK, 12, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
         "Look.tag: cut off"},
        {WIRE_LOOK, 4, "\x08\x01\x08\x01", "Look.tag: there twice"},
        {WIRE_LOOK, 3, "\x0a\x01\x01", "Look.tag: of another type"},
        {WIRE_LOOK, 2, "\x0b\x0c", "Look.tag: of another type"},
        {WIRE_LOOK, 2, "\x0c\x0b", "Look.tag: of another type"},
        {WIRE_ASK, 3,
         "\x22\x05"
         "x",
         "Ask.text: cut off"},
        {WIRE_ASK, 3, "\x22\x01\xff", "Ask.text: not UTF-8 text"},
        {WIRE_ASK, 5,
         "\x22\x03"
         "a\0b",
         "Ask.text: not UTF-8 text"},
        {WIRE_SEEN, 12, "\x1a\x0a\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff",
         "Batch.text: cut off"},
        {WIRE_SEEN, 4, "\x1a\x02\x18\x01", "Batch: a field that is not known"},
        {WIRE_LANE, 3, "\x12\x01\x80", "Lane: malformed"},
        {WIRE_RETURN, 4, "\x52\x00\x52\x00", "Return.beat: there twice"},
        {WIRE_RETURN, 11, "\x52\x09\x21\x00\x00\x00\x00\x00\x00\xf8\x7f",
         "Beat.load: out of range"},
        {WIRE_RETURN, 4, "\x52\x02\x21\x00", "Beat.load: cut off"},
    };
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_string_equal(
            wrong_with(rows[i].type, rows[i].bytes, rows[i].n, &err),
            rows[i].said);
}

/* If nothing but its envelope is right, and it begins with that. */
static void
a_return_that_is_refused_says_whose_it_is(void **state)
{
    static const struct {
        enum wire_type type;
        size_t n;
        const char *bytes;
        uint64_t session;
    } rows[] = {
        {WIRE_RETURN, 3, "\x08\xac\x02", 300},
        {WIRE_RETURN, 5, "\x08\xac\x02\x78\x01", 300},
        {WIRE_RETURN, 2, "\x08\xac", 0},
        {WIRE_RETURN, 2, "\x10\x05", 0},
        {WIRE_RETURN, 1, "\x08", 0},
        {WIRE_RETURN, 0, "", 0},
        {WIRE_LANE, 2, "\x08\x05", 0},
    };
    struct buf frame = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        buf_clear(&frame);
        wrap(&frame, rows[i].type, rows[i].bytes, rows[i].n);
        assert_int_equal(wire_session(frame.data, frame.len), rows[i].session);
        frame.data[8] ^= 1; /* damaged */
        assert_int_equal(wire_session(frame.data, frame.len), 0);
    }
    buf_release(&frame);
}

/* Without gaps: the scan finds fields by their number. */
static void
check_numbers(const ProtobufCMessageDescriptor *type)
{
    for (unsigned i = 0; i < type->n_fields; i++) {
        assert_int_equal(type->fields[i].id, i + 1);
        if (type->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
            check_numbers(type->fields[i].descriptor);
    }
}

static void
fields_have_numbers_without_gaps(void **state)
{
    (void)state;
    for (unsigned type = 1; type < WIRE_TYPE_END; type++)
        check_numbers(wire_rows[type].type);
}

static void
small_frames_can_not_take_much_memory(void **state)
{
    size_t n = LIMIT_FRAME_BYTES - WIRE_ENVELOPE;
    unsigned char *data = mem_alloc(n, 1);
    struct err err;

    (void)state;
    for (size_t i = 0; i + 1 < n; i += 2)
        data[i] = 0x0a; /* an empty Spec */
    assert_string_equal(wrong_with(WIRE_LANE, data, n & ~(size_t)1, &err),
                        "Lane: too many fields");
    for (size_t i = 0; i + 1 < n; i += 2)
        data[i] = 0x32; /* a Result */
    assert_string_equal(wrong_with(WIRE_RETURN, data, 2 * 65536, &err),
                        "Return: takes too much memory");
    free(data);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_comes_back_as_it_was_sent),
        cmocka_unit_test(frames_are_appended),
        cmocka_unit_test(an_envelope_that_is_not_ours_is_refused),
        cmocka_unit_test(a_frame_that_is_still_coming_has_no_length),
        cmocka_unit_test(a_message_past_the_bound_is_not_sent),
        cmocka_unit_test(malformed_messages_are_refused),
        cmocka_unit_test(a_return_that_is_refused_says_whose_it_is),
        cmocka_unit_test(fields_have_numbers_without_gaps),
        cmocka_unit_test(small_frames_can_not_take_much_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
