/* SPDX-License-Identifier: MPL-2.0 */
#include "flow/yaml_error.h"

#include <stdbool.h>
#include <string.h>

/* Which of libyaml's two places is where a person has to look. */
enum where { PROBLEM, CONTEXT };

static const struct row {
    const char *problem; /* part of libyaml's text */
    const char *context; /* likewise, or NULL: any */
    enum where where;
    const char *text;
    const char *help;
    /* CONTEXT: said of the problem's place if that is in the same line. */
    const char *near;
} rows[] = {
    {"cannot start any token", "next token", PROBLEM,
     "nothing can begin with this character here",
     "put quotes around a string that begins with it", NULL},
    {"mapping values are not allowed", NULL, PROBLEM,
     "a second `:` where a value stands",
     "put quotes around a value that holds `: `, or check the indentation",
     NULL},
    {"block sequence entries are not allowed", NULL, PROBLEM,
     "a list item `- ` can't stand here",
     "begin a list on a line of its own, or write it as [a, b]", NULL},
    {"mapping keys are not allowed", NULL, PROBLEM, "a key can't stand here",
     "check the indentation", NULL},
    {"could not find expected ':'", NULL, CONTEXT, "expected `:` after this",
     "a key is one line, has a `:` and a space behind it, and the keys of a "
     "mapping stand in one column",
     NULL},
    {"did not find expected key", NULL, PROBLEM,
     "expected a key of the mapping here",
     "the keys of one mapping stand in one column; put quotes around a value "
     "that goes on behind its closing quote",
     NULL},
    {"did not find expected '-' indicator", NULL, PROBLEM,
     "expected `- ` here, another item of the list",
     "the items of one list stand in one column", NULL},
    {"did not find expected ',' or '}'", NULL, CONTEXT,
     "this `{` is not closed, or a comma is missing in it",
     "put quotes around a value that holds any of , { } [ ]",
     "expected `,` or `}` here"},
    {"did not find expected ',' or ']'", NULL, CONTEXT,
     "this `[` is not closed, or a comma is missing in it",
     "put quotes around a value that holds any of , { } [ ]",
     "expected `,` or `]` here"},
    {"did not find expected node content", NULL, PROBLEM,
     "expected a value here", NULL, NULL},
    {"end of stream", NULL, CONTEXT, "this quote is not closed",
     "add the same quote at the end of the string", NULL},
    {"document indicator", NULL, CONTEXT, "this quote is not closed",
     "add the same quote at the end of the string", NULL},
    {"unknown escape character", NULL, PROBLEM,
     "no such escape in a string with \"...\"",
     "write \\\\ for a backslash, or use '...', which has no escapes", NULL},
    {"hexdecimal", NULL, PROBLEM, "expected hexadecimal digits in this escape",
     "\\x takes two, \\u four, \\U eight of them", NULL},
    {"invalid Unicode character", NULL, PROBLEM,
     "this escape is not a character",
     "instead of a pair such as \\ud83d\\ude00 write the character itself, or "
     "\\U0001f600",
     NULL},
    {"indentation indicator", NULL, PROBLEM,
     "the indentation of a block of text is 1 to 9", NULL, NULL},
    {"comment or line break", NULL, PROBLEM,
     "nothing more can stand in a line that ends with `|` or `>`",
     "the text begins on the next line", NULL},
    {"<document start>", NULL, PROBLEM,
     "the document has ended; nothing can follow here",
     "check the indentation and the brackets above", NULL},
    {"", "anchor", PROBLEM, "expected a name after `&`",
     "quote a string that begins with `&`", NULL},
    {"", "alias", PROBLEM, "expected a name after `*`",
     "quote a string that begins with `*`", NULL},
    {"", "directive", PROBLEM, "directives are not allowed in a flow file",
     "leave out the line that begins with `%`", NULL},
    {"directive", NULL, PROBLEM, "directives are not allowed in a flow file",
     "leave out the line that begins with `%`", NULL},
    {"YAML document", NULL, PROBLEM,
     "directives are not allowed in a flow file",
     "leave out the line that begins with `%`", NULL},
    {"", "tag", PROBLEM, "tags are not allowed in a flow file",
     "quote a string that begins with `!`", NULL},
    {"tag", NULL, PROBLEM, "tags are not allowed in a flow file",
     "quote a string that begins with `!`", NULL},
};

static const char *
or_empty(const char *text)
{
    return text ? text : "";
}

/* The first row that fits, or NULL. */
static const struct row *
find_row(const char *problem, const char *context)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strstr(problem, rows[i].problem) &&
            (!rows[i].context || strstr(context, rows[i].context)))
            return &rows[i];
    }
    return NULL;
}

const char *
yaml_error(const yaml_parser_t *parser, size_t *index, const char **help)
{
    const char *problem = or_empty(parser->problem);
    const struct row *row = find_row(problem, or_empty(parser->context));

    *help = row ? row->help : NULL;
    *index = parser->problem_mark.index;
    if (!row)
        return problem;
    if (row->where == PROBLEM || !parser->context)
        return row->text;
    if (row->near && parser->context_mark.line == parser->problem_mark.line)
        return row->near;
    *index = parser->context_mark.index;
    return row->text;
}

const char *
yaml_error_tab(const char **help)
{
    *help = "YAML is indented with spaces only";
    return "a tab where spaces indent";
}
