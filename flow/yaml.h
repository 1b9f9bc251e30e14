/* SPDX-License-Identifier: MPL-2.0 */
/*
 * yaml - the text of a flow file as a tree of strings, lists and mappings.
 *
 * What is not in it: anchors, aliases, tags, directives, merge keys, a second
 * document, duplicate keys, keys that are not words. Each is an error. What a
 * scalar means is for the reader of the tree to say: only whether it stood
 * there without quotes is kept.
 */
#ifndef FLOW_YAML_H
#define FLOW_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "flow/diag.h"

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
    uint8_t kind;
    bool plain;     /* a scalar without quotes on one line */
    bool copied;    /* its text is not in the file as such: see side */
    bool duplicate; /* a key that the mapping already has: pass over it */
    bool cut;       /* a syntax error came before its end */
    uint32_t line;
    uint32_t col;
    uint32_t span; /* bytes it takes in the file, at least 1 */
    uint32_t text; /* where its text begins, in the file or the side buffer */
    uint32_t len;  /* bytes of text; items of a list; keys and values */
    uint32_t next; /* the sibling behind it; 0: none */
};

/* Nodes in the order they stand in the file: a first item follows its list. */
struct yaml {
    const char *text; /* borrowed */
    size_t len;
    struct node *nodes; /* [0] is the root */
    size_t n, cap;
    struct buf side; /* texts with escapes or folded lines */
    bool cut;        /* a syntax error ended it */
};

/*
 * Read a text. Every error goes to diags; after a syntax error the tree holds
 * what came before it. False if there is no tree at all.
 */
bool yaml_read(struct yaml *self, const char *text, size_t len,
               struct diags *diags);
void yaml_release(struct yaml *self);

/* The len bytes of a scalar; not ended by a NUL. */
const char *yaml_text(const struct yaml *self, const struct node *node);

/* First item of a list, or first key of a mapping; NULL if it is empty. */
const struct node *yaml_first(const struct node *node);
/* The item behind an item; behind a key its value, behind that a key. */
const struct node *yaml_next(const struct yaml *self, const struct node *node);

struct flow_place yaml_place(const struct node *node);

/* The place of the byte at an offset of a scalar's text, if it can be told. */
struct flow_place yaml_place_at(const struct node *node, size_t at,
                                size_t span);

#endif
