/* SPDX-License-Identifier: MPL-2.0 */
/*
 * each - a command and the inputs to run it for, in GNU parallel's manner.
 *
 *     COMMAND WORD... ::: INPUT... ::: INPUT... :::+ INPUT... :::: FILE...
 *
 * A row is what one execution of the command gets: an input of each source. All
 * combinations are made, the first source the slowest; a linked source goes in
 * step with the one before it.
 */
#ifndef CLI_EACH_H
#define CLI_EACH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define EACH_SOURCES 32

/* What stands for an input: {}, {2}, {.}, {3//}, {#} ... */
enum each_part {
    EACH_WHOLE,
    EACH_NO_ENDING, /* {.} */
    EACH_BASE,      /* {/} */
    EACH_FOLDER,    /* {//} */
    EACH_STEM,      /* {/.} */
    EACH_NUMBER,    /* {#}: of the row, from 1 */
    EACH_PART_COUNT
};

struct each_source {
    char **items; /* owned */
    size_t n;
    size_t cap;
    bool linked;
};

struct each {
    char **command; /* borrowed */
    size_t ncommand;
    bool shell; /* command is one word, a script */
    struct each_source sources[EACH_SOURCES];
    size_t nsource;
    size_t nrow;
};

/*
 * Read the words of a command line, and what they name: `end` ends the inputs
 * in files and standard input. Fails with ERR_INVALID or as reading a file
 * does. Release it in either case.
 */
int each_read(struct each *self, char **words, size_t nword, char end,
              struct err *err);
void each_release(struct each *self);

/* The input of a source in a row. */
const char *each_input(const struct each *self, size_t source, size_t row);

/* Add a part of an input. */
void each_put_part(enum each_part part, const char *input, size_t row,
                   struct buf *out);

/* A flow that runs the command for each row, as a flow file in JSON. */
json_t *each_flow(const struct each *self);

/* Add the command of a row as a line of shell. */
void each_show(const struct each *self, size_t row, struct buf *out);

#endif
