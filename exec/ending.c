/* SPDX-License-Identifier: MPL-2.0 */
#include "exec/ending.h"

#include <string.h>
#include <sys/wait.h>

#include "base/span.h"
#include "proto/limits.h"

#define CODE_LOST 255

static void
tell_exit(const struct ending *self, struct exec_done *done, struct buf *text)
{
    if (self->lost) {
        done->code = CODE_LOST;
        buf_text(text, "the exit status is not known: this program waits for "
                       "all its children somewhere else");
    } else if (WIFSIGNALED(self->status)) {
        done->end = EXEC_SIGNALED;
        done->code = WTERMSIG(self->status);
        done->core = WCOREDUMP(self->status);
        buf_printf(text, "killed by signal %d (%s)%s", done->code,
                   strsignal(done->code), done->core ? ", core dumped" : "");
    } else {
        done->code = WEXITSTATUS(self->status);
        buf_printf(text, "exit code %d", done->code);
    }
}

static void
tell_timeout(const struct ending *self, struct exec_done *done,
             struct buf *text)
{
    char span[SPAN_TEXT];

    (void)done;
    buf_printf(text, "timed out after %s", span_format(self->timeout, span));
}

static void
tell_cancel(const struct ending *self, struct exec_done *done, struct buf *text)
{
    (void)self;
    (void)done;
    buf_text(text, "cancelled");
}

static void
tell_limit(const struct ending *self, struct exec_done *done, struct buf *text)
{
    (void)self;
    (void)done;
    buf_printf(text,
               "its value is larger than %u MiB; write it to a file and give "
               "the file's name as the value",
               LIMIT_VALUE_BYTES >> 20);
}

typedef void tell_fn(const struct ending *self, struct exec_done *done,
                     struct buf *text);

static tell_fn *const tellers[EXEC_END_COUNT] = {
    [EXEC_EXITED] = tell_exit,
    [EXEC_TIMED_OUT] = tell_timeout,
    [EXEC_CANCELLED] = tell_cancel,
    [EXEC_OUTPUT_LIMIT] = tell_limit,
};

void
ending_tell(const struct ending *self, struct exec_done *done)
{
    struct buf text = {0};

    if (!tellers[done->end])
        return;
    tellers[done->end](self, done, &text);
    if (self->immortal)
        buf_printf(&text, "; process %d can't be killed", (int)self->immortal);
    done->text = buf_take(&text);
}
