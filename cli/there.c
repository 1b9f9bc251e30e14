/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/there.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

static const char mark[] = "leat: "; /* before an answer */

static const struct {
    const char *name; /* what a script there prints */
    const char *text;
    bool well, up;
} answers[THERE_COUNT] = {
    [THERE_JOINED] = {"joined", "joined", true, true},
    [THERE_RUNNING] = {"running", "runs", true, true},
    [THERE_WAITING] = {"waiting", "started, but does not reach the broker",
                       false, true},
    [THERE_STOPPED] = {"stopped", "stopped", true, false},
    [THERE_ABSENT] = {"absent", "no agent runs there", true, false},
    [THERE_COPIED] = {"copied", "copied", true, false},
    [THERE_MISSING] = {"missing",
                       "leat-agent is not installed there; --copy brings it",
                       false, false},
    [THERE_LIBRARIES] = {"libraries", "libraries are missing there", false,
                         false},
    [THERE_OTHER] = {"other",
                     "leat-agent is not installed there, and that is another "
                     "kind of machine than this",
                     false, false},
    [THERE_ENDED] = {"ended", "the agent ended at once", false, false},
    [THERE_STILL] = {"still",
                     "still has work and ends when that is done; stop it "
                     "again to end that, too",
                     true, true},
    [THERE_UNREACHED] = {"unreached", "not reached", false, false},
};

/* The last line that begins with the mark, behind it; or NULL. */
static const char *
find_answer(const char *text)
{
    const char *found = NULL;

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, mark, strlen(mark)) == 0)
            found = line + strlen(mark);
    }
    return found;
}

static enum there
read_word(const char *text, size_t n)
{
    for (int i = 0; i < THERE_UNREACHED; i++) {
        if (strlen(answers[i].name) == n &&
            memcmp(answers[i].name, text, n) == 0)
            return (enum there)i;
    }
    return THERE_UNREACHED;
}

/* The last line that says something, as a text of its own. */
static char *
last_line(const char *text)
{
    size_t n = strlen(text), from;

    while (n > 0 && strchr("\r\n ", text[n - 1]))
        n--;
    for (from = n; from > 0 && !strchr("\r\n", text[from - 1]);)
        from--;
    return mem_text(text + from, n - from);
}

void
there_read(struct host *self, const struct remote_host *remote)
{
    const char *text = find_answer(buf_str(&remote->out));
    size_t n = text ? strcspn(text, " \r\n") : 0;
    const char *rest = text ? text + n + strspn(text + n, " ") : "";
    size_t nrest = strcspn(rest, "\r\n");

    there_release(self);
    self->there =
        remote->ended_well && text ? read_word(text, n) : THERE_UNREACHED;
    while (nrest > 0 && rest[nrest - 1] == ' ')
        nrest--;
    self->rest = mem_text(rest, nrest);
    self->said = last_line(buf_str(&remote->errors));
    if (self->there == THERE_UNREACHED && self->said[0] == '\0') {
        free(self->said);
        self->said = mem_dup(remote->ended_well ? "its answer says nothing"
                                                : remote->text);
    }
}

void
there_release(struct host *self)
{
    free(self->rest);
    free(self->said);
    self->rest = self->said = NULL;
}

bool
there_is_well(enum there there)
{
    return answers[there].well;
}

bool
there_is_up(enum there there)
{
    return answers[there].up;
}

static bool
is_pid(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

void
there_put(const struct host *self, struct buf *out)
{
    utf8_escape(out, self->name, strlen(self->name));
    buf_printf(out, ": %s", answers[self->there].text);
    if (is_pid(self->rest)) {
        buf_printf(out, " (pid %s)", self->rest);
    } else if (self->rest[0] != '\0') {
        buf_text(out, ": ");
        utf8_escape(out, self->rest, strlen(self->rest));
    }
    if (!answers[self->there].well && self->said[0] != '\0') {
        buf_text(out, ": ");
        utf8_escape(out, self->said, strlen(self->said));
    }
    buf_char(out, '\n');
}

/* What came from there need not be UTF-8. */
static json_t *
safe_text(const char *text)
{
    struct buf out = {0};
    json_t *json;

    utf8_escape(&out, text, strlen(text));
    json = json_string(buf_str(&out));
    buf_release(&out);
    return json;
}

json_t *
there_to_json(const struct host *self)
{
    bool pid = is_pid(self->rest);

    return json_pack(
        "{s:o, s:s, s:o, s:o}", "host", safe_text(self->name), "state",
        answers[self->there].name, "pid",
        pid ? json_integer(strtoll(self->rest, NULL, 10)) : json_null(), "text",
        safe_text(pid             ? self->said
                  : self->rest[0] ? self->rest
                                  : self->said));
}
