/* SPDX-License-Identifier: MPL-2.0 */
/*
 * read - from the nodes of a flow file to fields of the model.
 *
 * Private to the parser. Readers of one value return false after they have
 * reported what is wrong; *ret is then unchanged, and the caller goes on, so
 * that a file's errors are all found in one pass.
 */
#ifndef FLOW_READ_H
#define FLOW_READ_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/diag.h"
#include "flow/flow.h"
#include "flow/tmpl.h"
#include "flow/yaml.h"

/* A hidden task to be made by `first`, once all tasks of the file exist. */
struct read_merge {
    char *name;
    uint32_t *needs;
    uint32_t nneeds;
    bool mapped; /* wished for: stands in `each` */
    struct flow_place place;
};

struct reading {
    struct yaml yaml;
    struct flow *flow;
    struct diags *diags;
    struct read_merge *merges;
    size_t nmerge, cap_merge;
};

/* What keys are read into: a task, or (task NULL) the defaults. */
struct read_target {
    struct flow_task *task;
    struct flow_options *options; /* own ones; NULL: none needed so far */
};

typedef void read_fn(struct reading *self, const struct node *value,
                     void *into);

struct read_key {
    const char *name;
    size_t len;
    read_fn *read;
};

#define READ_KEY(name, fn)        \
    {                             \
        name, sizeof name - 1, fn \
    }

/* The keys that a mapping may have; `more` goes on where this one ends. */
struct read_table {
    const char *what; /* "a task", for messages */
    const struct read_key *keys;
    size_t n; /* at most 63 */
    const struct read_table *more;
};

/* Every option of tasks; into is a struct read_target. */
extern const struct read_table read_options_table;
read_fn read_resources, read_tags, read_where, read_env, read_cwd, read_shell;

/* The target's own options: a copy of the defaults, made when needed first. */
struct flow_options *read_own_options(struct reading *self,
                                      struct read_target *target);

/* ---- mappings and lists ---- */

/*
 * Read a mapping's keys, each by its row. Unknown keys are reported. *seen
 * (may be NULL) gets a bit for each row of the first table that was there, and
 * READ_UNKNOWN if there was another: then do not say that something lacks.
 */
#define READ_UNKNOWN (UINT64_C(1) << 63)

bool read_keys(struct reading *self, const struct node *map,
               const struct read_table *table, void *into, uint64_t *seen);

/* Call fn with every key and value of a mapping of names that users choose. */
typedef void read_entry_fn(struct reading *self, const struct node *key,
                           const struct node *value, void *into);
bool read_entries(struct reading *self, const struct node *map,
                  const char *what, read_entry_fn *fn, void *into);

/* Call fn for each item of a list; a scalar is a list of one. */
bool read_items(struct reading *self, const struct node *node, const char *what,
                read_fn *fn, void *into);

/* ---- one value ---- */

/* "expected WHAT, not ...", with what stands there. */
void read_expected(struct reading *self, const struct node *node,
                   const char *what);

/* A scalar that is not empty without quotes; else says "expected WHAT". */
bool read_is_scalar(struct reading *self, const struct node *node,
                    const char *what);
bool read_is(const struct reading *self, const struct node *node,
             const char *word);

/* Heap strings; *ret is freed first. */
char *read_copy(const struct reading *self, const struct node *node);
bool read_text(struct reading *self, const struct node *node, const char *what,
               char **ret);
/* A name by the rules of flow_name_is_valid. */
bool read_name(struct reading *self, const struct node *node, const char *what,
               char **ret);

bool read_bool(struct reading *self, const struct node *node, bool *ret);
bool read_int(struct reading *self, const struct node *node, int64_t min,
              int64_t max, int64_t *ret);
/* A decimal number; what: "a number from 0 to 1". */
bool read_float(struct reading *self, const struct node *node, const char *what,
                double *ret);
bool read_span(struct reading *self, const struct node *node, int64_t *ret);
/* One of n words; what: "trigger". */
bool read_choice(struct reading *self, const struct node *node,
                 const char *what, const char *const *words, size_t n,
                 size_t *ret);

/* A constant: dollar signs stand for themselves. NULL after an error. */
json_t *read_json(struct reading *self, const struct node *node);
/* A value with references; NULL after an error. */
struct tmpl *read_tmpl(struct reading *self, const struct node *node);
/* The same for a string: also 5 and true are texts. */
struct tmpl *read_text_tmpl(struct reading *self, const struct node *node,
                            const char *what);
/* Part of a scalar, where references have places. */
struct tmpl *read_part(struct reading *self, const struct node *node,
                       size_t from, size_t len);

/* A task by name, or UINT32_MAX after an error. */
uint32_t read_task_name(struct reading *self, const struct node *node,
                        const char *name);

/* ---- parts of a flow ---- */

void read_tasks(struct reading *self, const struct node *node, void *into);
void read_params(struct reading *self, const struct node *node, void *into);
read_fn read_each, read_with, read_first; /* into a struct read_target */

/* `first: [...]`: a reference to the hidden task it makes, or NULL. */
struct tmpl *read_merge(struct reading *self, const struct node *list,
                        const struct flow_task *task, const char *key,
                        bool mapped);
/* The value of a key of a mapping; NULL if it has none, or is none. */
const struct node *read_find(const struct reading *self, const struct node *map,
                             const char *key);
/* True, and an error: the task has its needs, or its branches, already. */
bool read_has_needs(struct reading *self, const struct flow_task *task,
                    const struct node *node);
/* {first: [...]} and nothing else: the list, else NULL. */
const struct node *read_only_key(const struct reading *self,
                                 const struct node *map, const char *key);

#endif
