/* SPDX-License-Identifier: MPL-2.0 */
/*
 * cli - one use of the leat command, or of a program that is a flow in C.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "cli/config.h"
#include "cli/options.h"
#include "cli/term.h"
#include "lib/leat.h"

/* What a command of leat exits with. */
enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,      /* the run failed, was interrupted, or is paused */
    EXIT_USAGE = 2,       /* the command line is wrong */
    EXIT_INVALID = 3,     /* the flow or its parameters are */
    EXIT_NOT_FOUND = 4,   /* a file, run or task */
    EXIT_UNREACHABLE = 5, /* the store can't be used */
    EXIT_DENIED = 6,
    EXIT_CANCELLED = 7,  /* by somebody else */
    EXIT_IMPOSSIBLE = 8, /* asks for more than there is */
    EXIT_BUG = 70,
    EXIT_TIMED_OUT = 124,
    EXIT_SIGNAL = 128, /* and the signal's number */
};

#define CLI_WORDS_ANY SIZE_MAX

struct cli;

struct command {
    const char *name;
    const char *summary;  /* for the list of commands */
    const char *usage;    /* its words */
    const char *flow;     /* what a flow is to it, or NULL */
    const char *more;     /* what else there is to know, or NULL */
    const char *examples; /* lines; @ is the program's name */
    const enum opt *options;
    enum opt_kind words; /* what its words name */
    size_t least, most;  /* how many */
    bool takes_flow;     /* the first word is a flow: not in a C flow */
    bool only_leat;      /* not for a program that is a flow */
    bool stop;           /* what follows the first word are no options */
    bool passes;         /* all but --help is for another program */
    int (*run)(struct cli *cli, const struct args *args);
};

extern const struct command cli_commands[];
extern const size_t cli_ncommand;

struct cli {
    const char *name;     /* of the program, as people type it */
    leat_build_fn *build; /* the program is a flow; NULL: it is leat */
    const char *flow;     /* the name of that flow */
    const struct command *command;
    struct config config;
    struct buf place; /* " --broker ADDRESS": what a command that is told of
                         has to say, to be about the same runs */
    struct term out, err;
};

/* The command of that name, if this program has it; or NULL. */
const struct command *cli_find(const struct cli *self, const char *name);

/* Print "NAME: text" on stderr and return `code`. */
int cli_fail(const struct cli *self, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for an error, with the exit code for it. */
int cli_error(const struct cli *self, const struct err *err);
/* A wrong command line: says also where to read how it is right. */
int cli_usage(const struct cli *self, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Write a result on stdout: `code`, or what failing to write exits with. */
int cli_print(const struct cli *self, const struct buf *text, int code);
/* The same for a JSON document (taken over), indented. */
int cli_print_json(const struct cli *self, json_t *document, int code);

/* The help of one command, or of the program (NULL). */
void cli_help(const struct cli *self, const struct command *command,
              struct buf *out);

/* Print that. An unknown command is an error that is told. */
int cli_show_help(const struct cli *self, const char *name);

int cmd_agent(struct cli *cli, const struct args *args);
int cmd_agents(struct cli *cli, const struct args *args);
int cmd_broker(struct cli *cli, const struct args *args);
int cmd_cancel(struct cli *cli, const struct args *args);
int cmd_check(struct cli *cli, const struct args *args);
int cmd_completion(struct cli *cli, const struct args *args);
int cmd_drain(struct cli *cli, const struct args *args);
int cmd_each(struct cli *cli, const struct args *args);
int cmd_graph(struct cli *cli, const struct args *args);
int cmd_help(struct cli *cli, const struct args *args);
int cmd_logs(struct cli *cli, const struct args *args);
int cmd_ls(struct cli *cli, const struct args *args);
int cmd_plan(struct cli *cli, const struct args *args);
int cmd_retry(struct cli *cli, const struct args *args);
int cmd_rm(struct cli *cli, const struct args *args);
int cmd_run(struct cli *cli, const struct args *args);
int cmd_show(struct cli *cli, const struct args *args);
int cmd_value(struct cli *cli, const struct args *args);
int cmd_version(struct cli *cli, const struct args *args);
int cmd_wait(struct cli *cli, const struct args *args);
int cmd_watch(struct cli *cli, const struct args *args);
int cmd_why(struct cli *cli, const struct args *args);

#endif
