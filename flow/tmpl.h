/* SPDX-License-Identifier: MPL-2.0 */
/*
 * tmpl - a JSON value with references in it.
 *
 * A reference is ${name} or ${name.field[0]}: a name and a path, nothing
 * more. A string that is exactly one reference keeps the value's type; inside
 * a longer string it is its text (value_text). $$ stands for one dollar sign;
 * a $ that is not followed by { or $ is itself.
 */
#ifndef FLOW_TMPL_H
#define FLOW_TMPL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum ref_scope {
    REF_UNRESOLVED, /* only its name is known */
    REF_PARAM,      /* index: of the flow's parameters */
    REF_TASK,       /* index: of the flow's tasks */
    REF_EACH,       /* index: of the task's own each keys */
    REF_WITH,       /* index: of the task's own with bindings */
};

/* One step of a path: a field if name is set, else an element (0-based). */
struct ref_step {
    char *name;
    uint32_t index;
};

struct ref {
    enum ref_scope scope;
    uint32_t index;
    char *name; /* as written */
    struct ref_step *steps;
    uint32_t nstep;
    uint32_t offset; /* in bytes, of the "$" in the string it stands in */
    uint32_t line;   /* of the "$" in the flow file; 0: unknown */
    uint32_t col;
};

enum tmpl_kind {
    TMPL_CONST,  /* a value without references */
    TMPL_REF,    /* exactly one reference: keeps its type */
    TMPL_TEXT,   /* parts, joined as text */
    TMPL_LIST,   /* parts */
    TMPL_OBJECT, /* parts, each under its key */
};

struct tmpl {
    enum tmpl_kind kind;
    uint32_t npart;
    union {
        json_t *value;   /* TMPL_CONST; owned */
        struct ref *ref; /* TMPL_REF; owned */
        struct tmpl **parts;
    };
    char **keys; /* TMPL_OBJECT: npart of them */
};

/*
 * Read one string. On failure *err says what is wrong and *at is the offset of
 * the byte at fault ("${" without "}", an empty name, a bad path).
 */
int tmpl_parse(const char *text, size_t len, struct tmpl **ret, size_t *at,
               struct err *err);

/* Build by hand. What is passed in is taken over. */
struct tmpl *tmpl_const(json_t *value);
struct tmpl *tmpl_ref(enum ref_scope scope, uint32_t index, const char *name);
struct tmpl *tmpl_list(void);
struct tmpl *tmpl_object(void);
void tmpl_append(struct tmpl *self, struct tmpl **part_p);
void tmpl_set(struct tmpl *self, const char *key, struct tmpl **part_p);

struct tmpl *tmpl_copy(const struct tmpl *self);
void tmpl_destroy(struct tmpl **self_p);

/* Call fn for every reference inside, in the order written. */
typedef void tmpl_ref_fn(void *ctx, struct ref *ref);
void tmpl_each_ref(struct tmpl *self, tmpl_ref_fn *fn, void *ctx);

/* Is there a path in it, which may lead nowhere? */
bool tmpl_has_path(const struct tmpl *self);

/*
 * The value that a reference's name stands for, as a new (owned) reference;
 * NULL with *err set if there is none.
 */
typedef json_t *tmpl_lookup_fn(void *ctx, const struct ref *ref,
                               struct err *err);

/*
 * Evaluate. *ret is owned by the caller; values are shared, not copied, and
 * must not be changed. Fails with ERR_INVALID if a path leads nowhere ("`a` has
 * no field `x`; it has `y`, `z`"), or as the lookup does.
 */
int tmpl_eval(const struct tmpl *self, tmpl_lookup_fn *lookup, void *ctx,
              json_t **ret, struct err *err);

/* As a flow file would write it: the inverse of parsing, as a JSON value. */
json_t *tmpl_to_json(const struct tmpl *self);

#endif
