/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Any bytes, as everything in base takes them that reads text from outside.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/names.h"
#include "base/span.h"
#include "base/utf8.h"
#include "tests/fuzz/fuzz.h"

/* What was made safe is UTF-8, and safe: to do it again changes nothing. */
static void
escape(const char *text, size_t n)
{
    struct buf once = {0}, twice = {0};

    utf8_escape(&once, text, n);
    assert(utf8_valid(buf_str(&once), once.len) == once.len);
    utf8_escape(&twice, buf_str(&once), once.len);
    assert(strcmp(buf_str(&once), buf_str(&twice)) == 0);
    assert(utf8_width(buf_str(&once), once.len) <= 2 * once.len);
    buf_release(&once);
    buf_release(&twice);
}

static void
read_span(const char *text)
{
    char shown[SPAN_TEXT];
    int64_t span, again;

    if (span_parse(text, &span) == 0) {
        assert(span >= 0);
        assert(span_parse(span_format(span, shown), &again) == 0);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const known[] = {"timeout", "retry", "needs", "x"};
    char *text = mem_text((const char *)data, n);

    assert(utf8_valid(text, n) <= n);
    escape(text, n);
    read_span(text);
    (void)names_near(text, known, sizeof known / sizeof known[0]);
    free(text);
    return 0;
}
