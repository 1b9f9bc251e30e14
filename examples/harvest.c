/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Find text files at run time, count what is in each of them in a task of its
 * own, and report the longest; or all, if asked to. The report goes through a
 * step that fails now and then, as a network does.
 *
 *     harvest run -p folder=/usr/share/common-licenses -p report=longest
 */
#include <glob.h>
#include <leat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What there is to do is known only now: the flow is mapped over this list. */
static json_t *
find_files(leat_task *task)
{
    const char *folder = leat_string(task, "folder");
    json_t *files;
    glob_t found;
    char pattern[4096];

    (void)snprintf(pattern, sizeof pattern, "%s/*", folder);
    if (glob(pattern, GLOB_MARK, NULL, &found) != 0)
        leat_fail(task, "there is nothing in %s", folder);
    files = json_array();
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];

        if (path[strlen(path) - 1] != '/')
            json_array_append_new(files, json_string(path));
    }
    globfree(&found);
    return files;
}

/* One child a file; a file that can't be read is skipped, not a failure. */
static json_t *
count_lines(leat_task *task)
{
    const char *path = leat_string(task, "path");
    FILE *file = fopen(path, "re");
    json_int_t lines = 0, bytes = 0;

    if (!file)
        leat_skip(task, "%s can't be read", path);
    for (int c = getc(file); c != EOF; c = getc(file)) {
        bytes++;
        lines += c == '\n';
    }
    (void)fclose(file);
    return json_pack("{s:s, s:I, s:I}", "path", path, "lines", lines, "bytes",
                     bytes);
}

static json_int_t
lines_of(const json_t *file)
{
    return json_integer_value(json_object_get(file, "lines"));
}

/* The values of all children arrive as one list; the skipped ones as null. */
static json_t *
find_longest(leat_task *task)
{
    json_t *files = leat_array(task, "files");
    json_t *longest = json_null();

    for (size_t i = 0; i < json_array_size(files); i++) {
        json_t *file = json_array_get(files, i);

        if (lines_of(file) > lines_of(longest))
            longest = file;
    }
    return json_incref(longest);
}

static json_t *
list_all(leat_task *task)
{
    return json_incref(leat_array(task, "files"));
}

/* Asks for another attempt as often as the parameter says. */
static json_t *
send_report(leat_task *task)
{
    char *text;

    if (leat_task_attempt(task) <= leat_int(task, "failures"))
        leat_retry(task, "the line was busy");
    text = json_dumps(leat_json(task, "report"), JSON_INDENT(2));
    puts(text);
    free(text);
    return NULL;
}

LEAT_FLOW(harvest, flow)
{
    leat_ref folder = leat_parameter_with(
        flow, "folder", .type = LEAT_PATH, .help = "where to look for files",
        .fallback = json_string("/usr/share/common-licenses"));
    leat_ref report = leat_parameter_with(
        flow, "report", .type = LEAT_STRING, .help = "what to report",
        .choices = json_pack("[ss]", "longest", "all"),
        .fallback = json_string("longest"));
    leat_ref failures = leat_parameter_with(
        flow, "failures", .type = LEAT_INT, .min = LEAT_BOUND(0),
        .fallback = json_integer(1), .help = "how often sending fails");

    leat_ref files = leat_call(flow, find_files, {"folder", folder});
    leat_ref counted = leat_map(flow, count_lines, {"path", files});
    leat_ref longest = leat_call(flow, find_longest, {"files", counted});
    leat_ref all = leat_call(flow, list_all, {"files", counted});
    leat_ref chosen = leat_merge(flow, longest, all);
    leat_ref sent = leat_call(flow, send_report, {"report", chosen},
                              {"failures", failures});

    leat_switch(flow, report, {json_string("longest"), longest},
                {json_string("all"), all});
    /* A file that was skipped does not make them skip. */
    leat_options(longest, .skip_on_upstream_skip = LEAT_NO);
    leat_options(all, .skip_on_upstream_skip = LEAT_NO);
    leat_options(sent, .retry = 3, .retry_delay = "100ms", .retry_backoff = 2);
    leat_flow_set_output(flow, chosen);
}
