/* SPDX-License-Identifier: MPL-2.0 */
#include "base/settings.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/names.h"
#include "base/settings_inner.h"
#include "base/span.h"
#include "base/utf8.h"

#define FILE_BYTES (256u << 10) /* that a file may have */
#define BLANK      " \t\r"

/* What is always understood; getopt's values of the long options. */
enum { LONG_HELP = 256, LONG_VERSION, LONG_CONFIG, LONG_TABLE };

/* Where a text comes from, and how to name that in an error. */
struct source {
    enum origin from;
    char *name;
};

/* ---- one value ---- */

static int
read_flag(const char *text, int64_t *ret)
{
    static const char *const yes[] = {"yes", "true", "on", "1"};
    static const char *const no[] = {"no", "false", "off", "0"};

    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcmp(text, yes[i]) != 0 && strcmp(text, no[i]) != 0)
            continue;
        *ret = strcmp(text, yes[i]) == 0;
        return 0;
    }
    return -1;
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
read_count(const char *text, int64_t *ret)
{
    return read_number(text, ret) < 0 || *ret == 0 ? -1 : 0;
}

typedef int read_fn(const char *text, int64_t *ret);

static const struct {
    read_fn *read; /* NULL: any text will do */
    const char *right;
} kinds[] = {
    [SETTING_FLAG] = {read_flag, "yes or no"},
    [SETTING_TEXT] = {NULL, NULL},
    [SETTING_NUMBER] = {read_number, "a number, 0 or more"},
    [SETTING_COUNT] = {read_count, "a number, 1 or more"},
    [SETTING_SPAN] = {span_parse, "a length of time as 90s, 5m or 1h 30m"},
    [SETTING_LIST] = {NULL, NULL},
};

static int
refuse(const struct source *source, const char *right, const char *text,
       struct err *err)
{
    struct buf shown = {0};

    utf8_escape(&shown, text, strlen(text));
    (void)err_set(err, ERR_INVALID, "%s wants %s, not \"%s\"", source->name,
                  right, buf_str(&shown));
    buf_release(&shown);
    return -1;
}

static void
add_element(struct value *value, const char *text, size_t n)
{
    value->list =
        mem_grow(value->list, &value->cap, value->n + 2, sizeof *value->list);
    value->list[value->n++] = mem_text(text, n);
    value->list[value->n] = NULL;
}

/* What stands between commas. */
static void
add_elements(struct value *value, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, ",");
        const char *next = text + n + (text[n] == ',');
        size_t skip = strspn(text, BLANK);

        skip = skip < n ? skip : n;
        text += skip;
        n -= skip;
        while (n > 0 && strchr(BLANK, text[n - 1]))
            n--;
        if (n > 0)
            add_element(value, text, n);
        text = next;
    }
}

/*
 * A setting is told by a source. It counts if no better source has told it, and
 * is checked either way.
 */
static int
take(struct settings *self, size_t i, const struct source *source,
     const char *text, struct err *err)
{
    const struct setting *setting = &self->table[i];
    struct value *value = &self->values[i];
    int64_t number = 0;

    if (kinds[setting->kind].read &&
        kinds[setting->kind].read(text, &number) < 0)
        return refuse(source, kinds[setting->kind].right, text, err);
    if (value->from < source->from)
        return 0;
    value->from = source->from;
    value->number = number;
    free(value->text);
    value->text = mem_dup(text);
    if (setting->kind == SETTING_LIST && source->from == FROM_FLAG)
        add_element(value, text, strlen(text));
    else if (setting->kind == SETTING_LIST)
        add_elements(value, text);
    return 0;
}

/* ---- flags ---- */

struct parser {
    struct option *longs;
    char *letters;
};

static void
prepare(struct parser *self, const struct setting *table, size_t n)
{
    struct buf letters = {0};

    self->longs = mem_alloc(n + 4, sizeof *self->longs);
    self->longs[0] = (struct option){"help", no_argument, NULL, LONG_HELP};
    self->longs[1] =
        (struct option){"version", no_argument, NULL, LONG_VERSION};
    self->longs[2] =
        (struct option){"config", required_argument, NULL, LONG_CONFIG};
    buf_text(&letters, ":h");
    for (size_t i = 0; i < n; i++) {
        bool alone = table[i].kind == SETTING_FLAG;

        self->longs[3 + i] = (struct option){
            .name = table[i].name,
            .has_arg = alone ? no_argument : required_argument,
            .val = LONG_TABLE + (int)i,
        };
        if (!table[i].letter)
            continue;
        buf_char(&letters, table[i].letter);
        if (!alone)
            buf_char(&letters, ':');
    }
    self->letters = buf_take(&letters);
}

/* From getopt's value of an option to its place in `longs`; -1: not there. */
static int
find_option(const struct settings *self, int value)
{
    if (value >= LONG_HELP)
        return value - LONG_HELP;
    if (value == 'h')
        return 0;
    for (size_t i = 0; value != 0 && i < self->n; i++) {
        if (self->table[i].letter == value)
            return (int)i + LONG_TABLE - LONG_HELP;
    }
    return -1;
}

static const char *
argument_of(const struct settings *self, int option)
{
    if (option < LONG_TABLE - LONG_HELP)
        return "FILE";
    return self->table[option - (LONG_TABLE - LONG_HELP)].value;
}

static const char *
near_name(const struct settings *self, const char *name, bool flag)
{
    const char **names = mem_alloc(self->n + 3, sizeof *names);
    const char *near;
    size_t n = 0;

    for (size_t i = 0; i < self->n; i++)
        names[n++] = self->table[i].name;
    if (flag) {
        names[n++] = "help";
        names[n++] = "version";
        names[n++] = "config";
    }
    near = names_near(name, names, n);
    free(names);
    return near;
}

/* What getopt would not have, said for people. */
static int
refuse_word(const struct settings *self, const struct parser *parser, int value,
            const char *word, struct err *err)
{
    int option = find_option(self, optopt);
    struct buf shown = {0};
    const char *near;
    char *name;

    if (option >= 0 && value == ':')
        return err_set(err, ERR_INVALID, "option --%s needs an argument: %s",
                       parser->longs[option].name, argument_of(self, option));
    if (option >= 0)
        return err_set(err, ERR_INVALID, "option --%s takes no argument",
                       parser->longs[option].name);
    if (optopt != 0)
        return err_set(err, ERR_INVALID, "unknown option -%c", optopt);
    word += strspn(word, "-");
    name = mem_text(word, strcspn(word, "="));
    utf8_escape(&shown, name, strlen(name));
    near = near_name(self, name, true);
    (void)err_set(err, ERR_INVALID,
                  near ? "unknown option --%s (did you mean --%s?)"
                       : "unknown option --%s",
                  buf_str(&shown), near);
    buf_release(&shown);
    free(name);
    return -1;
}

static int
take_flag(struct settings *self, int option, const char *text, struct err *err)
{
    size_t i = (size_t)(option - (LONG_TABLE - LONG_HELP));
    struct source source = {.from = FROM_FLAG};
    int rc;

    source.name = mem_printf("--%s", self->table[i].name);
    rc = take(self, i, &source, text ? text : "yes", err);
    free(source.name);
    return rc;
}

static int
read_flags(struct settings *self, int argc, char **argv, bool *help,
           bool *version, struct err *err)
{
    struct parser parser;
    int rc = -1;
    int value;

    prepare(&parser, self->table, self->n);
    optind = 0;
    while ((value = getopt_long(argc, argv, parser.letters, parser.longs,
                                NULL)) != -1) {
        if (value == '?' || value == ':') {
            (void)refuse_word(self, &parser, value, argv[optind - 1], err);
            goto out;
        }
        if (value == 'h' || value == LONG_HELP) {
            *help = true;
        } else if (value == LONG_VERSION) {
            *version = true;
        } else if (value == LONG_CONFIG) {
            free(self->file);
            self->file = mem_dup(optarg);
            self->named = true;
        } else if (take_flag(self, find_option(self, value), optarg, err) < 0) {
            goto out;
        }
    }
    self->nword = (size_t)(argc - optind);
    self->words = mem_alloc(self->nword + 1, sizeof *self->words);
    for (size_t i = 0; i < self->nword; i++)
        self->words[i] = argv[optind + (int)i];
    rc = 0;
out:
    free(parser.longs);
    free(parser.letters);
    return rc;
}

/* ---- environment and file ---- */

static int
read_environment(struct settings *self, struct err *err)
{
    for (size_t i = 0; i < self->n; i++) {
        const char *name = self->table[i].env;
        const char *text = name ? getenv(name) : NULL;
        struct source source = {.from = FROM_ENV};
        int rc;

        if (!text || text[0] == '\0')
            continue;
        source.name = mem_dup(name);
        rc = take(self, i, &source, text, err);
        free(source.name);
        if (rc < 0)
            return -1;
    }
    return 0;
}

static int
load_file(const struct settings *self, struct buf *text, struct err *err)
{
    int fd = open(self->file, O_RDONLY | O_CLOEXEC);
    ssize_t n = 1;

    if (fd < 0 && errno == ENOENT && !self->named)
        return 0;
    if (fd < 0)
        return err_system(err, "can't read %s", self->file);
    while (n > 0 && text->len <= FILE_BYTES) {
        n = read(fd, buf_reserve(text, FILE_BYTES), FILE_BYTES);
        if (n > 0)
            buf_added(text, (size_t)n);
        else if (n < 0 && errno == EINTR)
            n = 1;
    }
    if (n < 0)
        (void)err_system(err, "can't read %s", self->file);
    else if (n > 0)
        n = err_set(err, ERR_LIMIT, "%s is longer than %u bytes", self->file,
                    FILE_BYTES);
    (void)close(fd);
    return (int)n;
}

/* Where a value without quotes ends: at a comment, less the blanks before. */
static char *
end_of_plain(char *value)
{
    char *end = value;

    for (char *at = value; *at; at++) {
        if (*at == '#' && (at == value || strchr(BLANK, at[-1])))
            break;
        if (!strchr(BLANK, *at))
            end = at + 1;
    }
    return end;
}

/* The same of one in quotes, of which *value stands at the first; or NULL. */
static char *
end_of_quoted(char **value)
{
    char *end = strchr(*value + 1, **value);

    ++*value;
    return end && end[1 + strspn(end + 1, BLANK)] == '\0' ? end : NULL;
}

/*
 * Cut a line into name and value: "name: value", the value in quotes if it has
 * a comment's sign or blanks at its ends. An empty line has no name (NULL).
 * False: it is not of this form.
 */
static bool
cut_line(char *line, char **name, char **value)
{
    char *end;

    *name = NULL;
    line += strspn(line, BLANK);
    if (*line == '\0' || *line == '#')
        return true;
    end = line + strcspn(line, ":#" BLANK);
    *value = end + strspn(end, BLANK);
    if (end == line || **value != ':')
        return false;
    *name = line;
    *value += 1 + strspn(*value + 1, BLANK);
    *end = '\0';
    end = **value == '"' || **value == '\'' ? end_of_quoted(value)
                                            : end_of_plain(*value);
    if (end)
        *end = '\0';
    return end != NULL;
}

static int
unknown_name(const struct settings *self, const char *name, int line,
             struct err *err)
{
    const char *near = near_name(self, name, false);
    struct buf shown = {0};

    utf8_escape(&shown, name, strlen(name));
    (void)err_set(err, ERR_INVALID,
                  near ? "%s:%d: unknown setting `%s` (did you mean `%s`?)"
                       : "%s:%d: unknown setting `%s`",
                  self->file, line, buf_str(&shown), near);
    buf_release(&shown);
    return -1;
}

static int
take_line(struct settings *self, int number, char *line, struct err *err)
{
    struct source source = {.from = FROM_FILE};
    char *name, *value;
    size_t i = 0;
    int rc;

    if (!cut_line(line, &name, &value))
        return err_set(err, ERR_INVALID,
                       "%s:%d: a line is to be of the form name: value",
                       self->file, number);
    if (!name)
        return 0;
    while (i < self->n && strcmp(self->table[i].name, name) != 0)
        i++;
    if (i == self->n)
        return unknown_name(self, name, number, err);
    if (self->values[i].line > 0 && self->table[i].kind != SETTING_LIST)
        return err_set(err, ERR_INVALID,
                       "%s:%d: `%s` is given a second time, after line %d",
                       self->file, number, name, self->values[i].line);
    self->values[i].line = number;
    source.name = mem_printf("%s:%d: `%s`", self->file, number, name);
    rc = take(self, i, &source, value, err);
    free(source.name);
    return rc;
}

static int
read_file(struct settings *self, struct err *err)
{
    struct buf text = {0};
    char *line, *next;
    int number = 0;
    int rc = -1;

    if (self->file && load_file(self, &text, err) < 0)
        goto out;
    for (line = text.data; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (take_line(self, ++number, line, err) < 0)
            goto out;
    }
    rc = 0;
out:
    buf_release(&text);
    return rc;
}

/* ---- all together ---- */

void
settings_fall_back(struct settings *self, size_t i, const char *text)
{
    const struct source source = {.from = FROM_FALLBACK};
    struct err err;
    bool right = take(self, i, &source, text, &err) == 0;

    assert(right); /* the table is ours */
    (void)right;
}

int
settings_read(struct settings **ret, const struct setting *table, size_t n,
              const char *file, int argc, char **argv, bool *help,
              bool *version, struct err *err)
{
    struct settings *self = mem_alloc(1, sizeof *self);

    *help = *version = false;
    self->table = table;
    self->n = n;
    self->file = mem_dup(file);
    self->values = mem_alloc(n, sizeof *self->values);
    for (size_t i = 0; i < n; i++)
        self->values[i].from = FROM_NOWHERE;
    /* Who asks for help gets it, whatever else is wrong. */
    if (read_flags(self, argc, argv, help, version, err) < 0 ||
        ((read_environment(self, err) < 0 || read_file(self, err) < 0) &&
         !*help && !*version)) {
        settings_destroy(&self);
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        if (table[i].fallback)
            settings_fall_back(self, i, table[i].fallback);
    }
    *ret = self;
    return 0;
}

void
settings_destroy(struct settings **self_p)
{
    struct settings *self = *self_p;

    if (!self)
        return;
    for (size_t i = 0; i < self->n; i++) {
        struct value *value = &self->values[i];

        for (size_t j = 0; j < value->n; j++)
            free(value->list[j]);
        free(value->list);
        free(value->text);
    }
    free(self->values);
    free(self->words);
    free(self->file);
    free(self);
    *self_p = NULL;
}

bool
settings_flag(const struct settings *self, size_t i)
{
    assert(i < self->n && self->table[i].kind == SETTING_FLAG);
    return self->values[i].number != 0;
}

const char *
settings_text(const struct settings *self, size_t i)
{
    assert(i < self->n && self->table[i].kind != SETTING_LIST);
    return self->values[i].text;
}

int64_t
settings_number(const struct settings *self, size_t i)
{
    assert(i < self->n && kinds[self->table[i].kind].read);
    return self->values[i].number;
}

/* What has no const in it as if it had. */
static const char *const *
as_const(char **list)
{
    union {
        char **in;
        const char *const *out;
    } u = {list};

    return u.out;
}

const char *const *
settings_list(const struct settings *self, size_t i, size_t *n)
{
    assert(i < self->n && self->table[i].kind == SETTING_LIST);
    *n = self->values[i].n;
    return as_const(self->values[i].list);
}

const char *const *
settings_words(const struct settings *self, size_t *n)
{
    *n = self->nword;
    return self->words;
}
