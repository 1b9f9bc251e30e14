/* SPDX-License-Identifier: MPL-2.0 */
/*
 * reader_ask - what people ask of the store.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "broker/reader_impl.h"
#include "flow/value.h"

#define LIST_BYTES ((size_t)256 << 10) /* of a frame's rows, about */
#define ROW_BYTES  ((size_t)16 << 10)  /* larger ones lack their values */

/* ---- ls ---- */

struct listing {
    struct broker_question *question;
    json_t *rows;
    size_t bytes;
};

/* A row for a list: its values only if they are small. */
static json_t *
list_row(const struct store_run *run, size_t *bytes)
{
    json_t *row = store_run_to_json(run);
    size_t n = json_dumpb(row, NULL, 0, JSON_COMPACT);

    if (n > ROW_BYTES) {
        (void)json_object_del(row, "output");
        (void)json_object_del(row, "params");
        (void)json_object_del(row, "options");
        n = ROW_BYTES;
    }
    *bytes = n;
    return row;
}

static bool
take_run(void *ctx, const struct store_run *run)
{
    struct listing *list = ctx;
    size_t bytes = 0;
    json_t *row = list_row(run, &bytes);

    if (list->bytes + bytes > LIST_BYTES) {
        broker_question_answer(list->question, 0, list->rows, true);
        (void)json_array_clear(list->rows);
        list->bytes = 0;
    }
    (void)json_array_append_new(list->rows, row);
    list->bytes += bytes;
    return true;
}

static int
list_runs(struct broker_reader *self, struct broker_question *question,
          struct err *err)
{
    struct listing list = {.question = question, .rows = json_array()};
    int rc =
        store_runs(self->store, (size_t)question->number, take_run, &list, err);

    if (rc == 0)
        broker_question_answer(question, 0, list.rows, false);
    else
        buf_clear(&question->frames);
    json_decref(list.rows);
    return rc;
}

static int
find_run(struct broker_reader *self, struct broker_question *question,
         struct err *err)
{
    uint64_t run = 0;

    if (store_find(self->store, question->text, &run, err) < 0)
        return -1;
    broker_question_answer(question, run, NULL, false);
    return 0;
}

/* ---- of a run that nobody has in hand ---- */

static int
say_why(struct broker_reader *self, struct broker_question *question,
        struct err *err)
{
    struct store_run run = {0};
    json_t *why;

    if (store_run_get(self->store, question->run, false, &run, err) < 0)
        return -1;
    why = json_array();
    if (question->text[0] != '\0')
        (void)json_array_append_new(
            why, json_sprintf("run %llu is %s: nothing of it waits",
                              (unsigned long long)run.id,
                              store_run_state_names[run.state]));
    broker_question_answer(question, 0, why, false);
    json_decref(why);
    store_run_release(&run);
    return 0;
}

static int
refuse_cancel(struct broker_reader *self, struct broker_question *question,
              struct err *err)
{
    struct store_run run = {0};

    if (store_run_get(self->store, question->run, false, &run, err) < 0)
        return -1;
    (void)err_set(err, ERR_INVALID,
                  run.state == STORE_RUNNING
                      ? "run %llu is %s, but not of this broker"
                      : "run %llu has ended already: %s",
                  (unsigned long long)run.id, store_run_state_names[run.state]);
    store_run_release(&run);
    return -1;
}

void
broker_reader_ask(struct broker_reader *self, struct broker_question *question)
{
    struct err err;
    int rc;

    if (question->what == ASK_FIND)
        rc = find_run(self, question, &err);
    else if (question->what == ASK_RUNS)
        rc = list_runs(self, question, &err);
    else if (question->what == ASK_CANCEL)
        rc = refuse_cancel(self, question, &err);
    else
        rc = say_why(self, question, &err);
    if (rc < 0)
        broker_question_fail(question, &err);
}
