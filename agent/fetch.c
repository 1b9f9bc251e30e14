/* SPDX-License-Identifier: MPL-2.0 */
#include "agent/fetch.h"

#include <stdlib.h>

#include <wire.pb-c.h>

#include "agent/programs.h"
#include "base/log.h"
#include "base/mem.h"

void
fetch_ask(const struct fetch *self, int64_t now)
{
    struct agent_programs_ask ask;
    Wire__Blob blob = WIRE__BLOB__INIT;

    if (!session_is_joined(self->session) ||
        !agent_programs_next(self->programs, now, &ask))
        return;
    blob.tag = ask.tag;
    blob.hash.data = ask.hash;
    blob.hash.len = sizeof ask.hash;
    blob.offset = ask.offset;
    (void)session_send(self->session, WIRE_BLOB, &blob.base);
}

static void
settle_program(const struct fetch *self, enum agent_programs_step step,
               const unsigned char *hash, const struct err *err)
{
    char quoted[LOG_QUOTED];
    char *why;

    if (step == PROGRAMS_HERE)
        attempts_program(self->attempts, hash, NULL);
    if (step != PROGRAMS_FAILED)
        return;
    log_warn("program_failed", "why=%s", log_quote(err->msg, quoted));
    why = mem_printf("can't get the flow's program: %s", err->msg);
    attempts_program(self->attempts, hash, why);
    free(why);
}

void
fetch_control(const struct fetch *self, const struct wire *wire)
{
    unsigned char hash[PROGRAM_HASH];
    enum agent_programs_step step;
    struct err err;

    if (wire->type == WIRE_CHUNK) {
        const Wire__Chunk *chunk = wire->as.chunk;

        step =
            agent_programs_chunk(self->programs, chunk->tag, chunk->offset,
                                 chunk->data.data, chunk->data.len, hash, &err);
    } else {
        const Wire__Answer *answer = wire->as.answer;

        step = agent_programs_answer(self->programs, answer->tag,
                                     (enum err_code)answer->code, answer->text,
                                     hash, &err);
    }
    settle_program(self, step, hash, &err);
}
