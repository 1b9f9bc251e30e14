/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/names.h"
#include "base/span.h"

const struct opt_spec opt_specs[OPT_COUNT] = {
    [OPT_HELP] = {'h', "help", KIND_NONE, NULL, "show this help"},
    [OPT_PARAM] = {'p', "param", KIND_PAIR, "NAME=VALUE",
                   "set a parameter of the flow"},
    [OPT_PARAMS] = {'P', "params", KIND_FILE, "FILE",
                    "read parameters from a YAML or JSON file"},
    [OPT_QUIET] = {'q', "quiet", KIND_NONE, NULL,
                   "print the result and nothing else"},
    [OPT_VERBOSE] = {'v', "verbose", KIND_NONE, NULL,
                     "say more: what starts, every child"},
    [OPT_JSON] = {0, "json", KIND_NONE, NULL, "print JSON for programs"},
    [OPT_NAME] = {0, "name", KIND_TEXT, "NAME", "give the run a name"},
    [OPT_STORE] = {0, "store", KIND_FOLDER, "DIR", "keep runs in this folder"},
    [OPT_ENV] = {0, "env", KIND_TEXT, "NAME[=VALUE]",
                 "pass a variable on to every task"},
    [OPT_TIMEOUT] = {0, "timeout", KIND_SPAN, "SPAN",
                     "end the run or the wait after this time (90s, 1h 30m)"},
    [OPT_NO_CACHE] = {0, "no-cache", KIND_NONE, NULL,
                      "execute what the cache has a value for"},
    [OPT_NO_STORE] = {0, "no-store", KIND_NONE, NULL,
                      "keep nothing of this run"},
    [OPT_LABEL] = {0, "label", KIND_PAIR, "NAME=VALUE",
                   "a label of the machine, for where:"},
    [OPT_RESOURCE] = {0, "resource", KIND_PAIR, "NAME=AMOUNT",
                      "what the machine has, for resources:"},
    [OPT_FORMAT] = {0, "format", KIND_FORMAT, "FORMAT",
                    "text, svg, dot or mermaid"},
    [OPT_OUTPUT] = {'o', "output", KIND_FILE, "FILE",
                    "write there; its ending tells the format"},
    [OPT_NUMBER] = {'n', "number", KIND_NUMBER, "N",
                    "show the N newest (default 20)"},
    [OPT_ALL] = {'a', "all", KIND_NONE, NULL, "show all"},
    [OPT_FOLLOW] = {'f', "follow", KIND_NONE, NULL,
                    "go on until the run has ended"},
    [OPT_ATTEMPT] = {0, "attempt", KIND_NUMBER, "N",
                     "only of the N-th attempt"},
    [OPT_RAW] = {0, "raw", KIND_NONE, NULL,
                 "the bytes as they were written, without names"},
    [OPT_FROM] = {0, "from", KIND_TASK, "TASK",
                  "execute this task and all that follows it again"},
    [OPT_WHY] = {0, "why", KIND_NONE, NULL,
                 "what a retry of the run would execute, and why"},
    [OPT_KEEP] = {0, "keep", KIND_NUMBER, "N", "remove all but the N newest"},
    [OPT_OLDER] = {0, "older", KIND_SPAN, "SPAN",
                   "remove what ended longer ago than this"},
    [OPT_DRY_RUN] = {0, "dry-run", KIND_NONE, NULL,
                     "print the commands, run nothing"},
    [OPT_TAG] = {0, "tag", KIND_NONE, NULL,
                 "begin each line with the command's name"},
    [OPT_NO_TAG] = {0, "no-tag", KIND_NONE, NULL,
                    "print lines as they were written"},
    [OPT_MAX_FAILS] = {0, "max-fails", KIND_NUMBER, "N",
                       "end the run when more than N have failed"},
    [OPT_RETRY] = {0, "retry", KIND_NUMBER, "N",
                   "try a command that fails N times more"},
    [OPT_LIMIT] = {0, "limit", KIND_SPAN, "SPAN",
                   "end a command that takes longer than this"},
    [OPT_NULL] = {'0', "null", KIND_NONE, NULL,
                  "inputs that are read end with a NUL, not a newline"},
    [OPT_SLOTS] = {'j', "slots", KIND_MAYBE, "N",
                   "N tasks at a time; without N as many as cores"},
    [OPT_BROKER] = {0, "broker", KIND_TEXT, "ADDRESS",
                    "ask the broker there: tcp://HOST[:PORT] or ipc://PATH"},
    [OPT_LOCAL] = {0, "local", KIND_NONE, NULL,
                   "here, even if a broker is configured"},
    [OPT_DETACH] = {'d', "detach", KIND_NONE, NULL,
                    "print the number of the run and leave it to the broker"},
    [OPT_NOW] = {0, "now", KIND_NONE, NULL,
                 "kill what runs, without the time that it has to end"},
    [OPT_WAIT] = {0, "wait", KIND_NUMBER, "N",
                  "until so many are ready for work"},
    [OPT_HOSTS] = {0, "hosts-file", KIND_FILE, "FILE",
                   "read hosts from a file, one a line"},
    [OPT_COPY] = {0, "copy", KIND_NONE, NULL,
                  "bring leat-agent where it is not installed"},
    [OPT_INSECURE] = {0, "insecure", KIND_NONE, NULL,
                      "though nothing there is encrypted"},
};

#define LONG_BASE 256 /* getopt's value of a long option, above any letter */
#define NO_OPT    OPT_COUNT

struct parser {
    const enum opt *allowed;
    bool stop;
    struct option longs[OPT_COUNT + 1];
    char letters[3 * OPT_COUNT + 3];
    const char *names[OPT_COUNT]; /* of those allowed */
    size_t n;
};

static void
prepare(struct parser *self, const enum opt *allowed, bool stop)
{
    char *to = self->letters;

    self->allowed = allowed;
    self->stop = stop;
    if (stop)
        *to++ = '+';
    *to++ = ':';
    for (size_t i = 0; allowed[i] != OPT_COUNT; i++) {
        const struct opt_spec *spec = &opt_specs[allowed[i]];

        self->names[self->n] = spec->name;
        self->longs[self->n++] = (struct option){
            .name = spec->name,
            .has_arg = spec->kind == KIND_MAYBE ? optional_argument
                       : spec->kind             ? required_argument
                                                : no_argument,
            .val = LONG_BASE + (int)allowed[i],
        };
        if (!spec->letter)
            continue;
        *to++ = spec->letter;
        if (spec->kind)
            *to++ = ':';
        if (spec->kind == KIND_MAYBE)
            *to++ = ':';
    }
    *to = '\0';
}

static enum opt
opt_of(const struct parser *self, int value)
{
    if (value >= LONG_BASE)
        return (enum opt)(value - LONG_BASE);
    for (size_t i = 0; value != 0 && i < self->n; i++) {
        if (opt_specs[self->allowed[i]].letter == value)
            return self->allowed[i];
    }
    return NO_OPT;
}

/* What getopt would not have, said for people. */
static int
refuse(const struct parser *self, int value, const char *word, struct err *err)
{
    char name[64] = "";
    const char *near;
    enum opt opt = opt_of(self, optopt);

    if (opt != NO_OPT && value == ':')
        return err_set(err, ERR_INVALID, "option --%s needs an argument: %s",
                       opt_specs[opt].name, opt_specs[opt].value);
    if (opt != NO_OPT)
        return err_set(err, ERR_INVALID, "option --%s takes no argument",
                       opt_specs[opt].name);
    if (optopt != 0)
        return err_set(err, ERR_INVALID, "unknown option -%c", optopt);
    word += strspn(word, "-");
    (void)strncat(name, word,
                  strcspn(word, "=") < 63 ? strcspn(word, "=") : 63);
    near = names_near(name, self->names, self->n);
    if (near)
        return err_set(err, ERR_INVALID,
                       "unknown option --%s (did you mean --%s?)", name, near);
    return err_set(err, ERR_INVALID, "unknown option --%s", name);
}

static int
read_number(const char *text, int64_t *ret)
{
    char *end = NULL;
    long long number;

    errno = 0;
    number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < 0)
        return -1;
    *ret = number;
    return 0;
}

static int
read_value(struct arg *arg, struct err *err)
{
    const struct opt_spec *spec = &opt_specs[arg->opt];

    if (!arg->text)
        return 0;
    if (spec->kind == KIND_NUMBER && read_number(arg->text, &arg->number) < 0)
        return err_set(err, ERR_INVALID,
                       "--%s wants a number, 0 or more, not \"%s\"", spec->name,
                       arg->text);
    if (spec->kind == KIND_MAYBE &&
        (read_number(arg->text, &arg->number) < 0 || arg->number == 0))
        return err_set(err, ERR_INVALID,
                       "-%c wants a number, 1 or more, or none at all, not "
                       "\"%s\"",
                       spec->letter, arg->text);
    if (spec->kind == KIND_SPAN && span_parse(arg->text, &arg->number) < 0)
        return err_set(err, ERR_INVALID,
                       "--%s wants a length of time as 90s, 5m or 1h 30m, not "
                       "\"%s\"",
                       spec->name, arg->text);
    if (spec->kind == KIND_PAIR &&
        (arg->text[0] == '=' || !strchr(arg->text, '=')))
        return err_set(err, ERR_INVALID, "--%s wants %s, not \"%s\"",
                       spec->name, spec->value, arg->text);
    return 0;
}

/*
 * As make does: a number behind -j belongs to it. So does what begins like one
 * and is no file, and is refused then; unless it may be a command, as 7z is.
 */
static bool
is_number(const struct parser *self, const char *word)
{
    size_t digits = strspn(word, "0123456789");

    return digits > 0 &&
           (word[digits] == '\0' || (!self->stop && !strpbrk(word, "./")));
}

static void
take_optional(const struct parser *self, struct arg *arg, int argc, char **argv)
{
    const char *next = optind < argc ? argv[optind] : "";

    if (arg->opt == NO_OPT || opt_specs[arg->opt].kind != KIND_MAYBE ||
        arg->text || !is_number(self, next))
        return;
    arg->text = next;
    arg->apart = true;
    optind++;
}

int
args_parse(struct args *ret, const enum opt *allowed, bool stop, int argc,
           char **argv, struct err *err)
{
    struct parser parser = {0};
    struct args args = {0};
    size_t cap = 0;
    int rc = -1;

    prepare(&parser, allowed, stop);
    optind = 0;
    for (;;) {
        int value;
        struct arg arg;

        value = getopt_long(argc, argv, parser.letters, parser.longs, NULL);
        if (value == -1)
            break;
        if (value == '?' || value == ':') {
            (void)refuse(&parser, value, argv[optind - 1], err);
            goto out;
        }
        arg = (struct arg){.opt = opt_of(&parser, value), .text = optarg};
        take_optional(&parser, &arg, argc, argv);
        if (read_value(&arg, err) < 0)
            goto out;
        args.list = mem_grow(args.list, &cap, args.n + 1, sizeof arg);
        args.list[args.n++] = arg;
    }
    args.words = argv + optind;
    args.nword = (size_t)(argc - optind);
    *ret = args;
    args.list = NULL;
    rc = 0;
out:
    free(args.list);
    return rc;
}

void
args_release(struct args *self)
{
    free(self->list);
    *self = (struct args){0};
}

const struct arg *
args_find(const struct args *self, enum opt opt)
{
    for (size_t i = self->n; i > 0; i--) {
        if (self->list[i - 1].opt == opt)
            return &self->list[i - 1];
    }
    return NULL;
}

bool
args_has(const struct args *self, enum opt opt)
{
    return args_find(self, opt) != NULL;
}

const char *
args_text(const struct args *self, enum opt opt)
{
    const struct arg *arg = args_find(self, opt);

    return arg ? arg->text : NULL;
}

int64_t
args_number(const struct args *self, enum opt opt, int64_t fallback)
{
    const struct arg *arg = args_find(self, opt);

    return arg ? arg->number : fallback;
}
