/* SPDX-License-Identifier: MPL-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/which.h"

struct removing {
    const struct cli *cli;
    struct runs *runs;
    size_t removed;
    int code; /* of the first that could not be */
};

static void
fail(struct removing *self, const struct err *err)
{
    int code = cli_error(self->cli, err);

    if (self->code == EXIT_OK)
        self->code = code;
}

/* "3-7": both ends included. */
static bool
read_range(const char *text, uint64_t *from, uint64_t *to)
{
    size_t n = strspn(text, "0123456789");
    const char *second = text + n + 1;

    if (n == 0 || text[n] != '-' || second[0] == '\0' ||
        second[strspn(second, "0123456789")] != '\0')
        return false;
    errno = 0;
    *from = strtoull(text, NULL, 10);
    *to = strtoull(second, NULL, 10);
    return errno == 0;
}

struct range {
    uint64_t from, to;
    uint64_t *runs;
    size_t n, cap;
};

static bool
collect(void *ctx, const struct store_run *run)
{
    struct range *self = ctx;

    if (run->id >= self->from && run->id <= self->to) {
        self->runs =
            mem_grow(self->runs, &self->cap, self->n + 1, sizeof *self->runs);
        self->runs[self->n++] = run->id;
    }
    return run->id >= self->from;
}

static void
remove_run(struct removing *self, uint64_t run)
{
    struct err err;

    if (runs_remove(self->runs, run, &err) < 0)
        fail(self, &err);
    else
        self->removed++;
}

static void
remove_range(struct removing *self, const char *text, struct range *range)
{
    struct err err;

    if (runs_list(self->runs, 0, collect, range, &err) < 0)
        fail(self, &err);
    else if (range->n == 0)
        self->code =
            cli_fail(self->cli, EXIT_NOT_FOUND, "there are no runs %s", text);
    for (size_t i = 0; i < range->n; i++)
        remove_run(self, range->runs[i]);
    free(range->runs);
}

static void
remove_word(struct removing *self, const char *word)
{
    struct range range = {0};
    uint64_t run = 0;
    struct err err;

    if (read_range(word, &range.from, &range.to))
        remove_range(self, word, &range);
    else if (runs_find(self->runs, word, &run, &err) < 0)
        fail(self, &err);
    else
        remove_run(self, run);
}

static int
check(const struct cli *cli, const struct args *args)
{
    bool keep = args_has(args, OPT_KEEP);
    bool older = args_has(args, OPT_OLDER);

    if (args->nword == 0 && !keep && !older)
        return cli_usage(cli, "needs RUN..., --keep N or --older SPAN");
    if (args->nword > 0 && (keep || older))
        return cli_usage(cli, "takes RUN... or --keep and --older, not both");
    if ((keep && args_number(args, OPT_KEEP, 0) == 0) ||
        (older && args_number(args, OPT_OLDER, 0) == 0))
        return cli_usage(cli, "--keep and --older want more than 0");
    return EXIT_OK;
}

int
cmd_rm(struct cli *cli, const struct args *args)
{
    struct removing self = {.cli = cli};
    struct err err;
    int code = check(cli, args);

    if (code == EXIT_OK)
        code = which_open(cli, STORE_WRITE, &self.runs);
    if (code != EXIT_OK)
        return code;
    for (size_t i = 0; i < args->nword; i++)
        remove_word(&self, args->words[i]);
    if (args->nword == 0 &&
        runs_prune(self.runs, (size_t)args_number(args, OPT_KEEP, 0),
                   args_number(args, OPT_OLDER, 0), &self.removed, &err) < 0)
        fail(&self, &err);
    if (!args_has(args, OPT_QUIET) &&
        (self.removed > 0 || self.code == EXIT_OK))
        (void)cli_fail(cli, 0, "removed %zu run%s", self.removed,
                       self.removed == 1 ? "" : "s");
    runs_close(&self.runs);
    return self.code;
}
