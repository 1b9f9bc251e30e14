/* SPDX-License-Identifier: MPL-2.0 */
/*
 * limits - every bound of leat, in one place.
 *
 * Constants only, so every folder may include this one header.
 */
#ifndef PROTO_LIMITS_H
#define PROTO_LIMITS_H

/* flow files */
#define LIMIT_FILE_BYTES   (256u << 20) /* of a whole flow file */
#define LIMIT_SCALAR_BYTES (1u << 20)   /* of one scalar: a script, a string */
#define LIMIT_DEPTH        32           /* of nesting, in YAML and in JSON */
#define LIMIT_NAME_BYTES   128          /* of a task's or parameter's name */
#define LIMIT_TASKS        4000000u     /* in a flow */
#define LIMIT_PARAMS       1000u        /* in a flow */
#define LIMIT_REFERENCES   65536u       /* of one task to others */
#define LIMIT_ERRORS       100u         /* reported for one file */

/* runs */
#define LIMIT_CHILDREN    16000000u   /* of one mapped task */
#define LIMIT_VALUE_BYTES (16u << 20) /* of one value, as JSON text */
#define LIMIT_RETRIES     10000u
#define LIMIT_KEY_BYTES   40 /* longer child names become an index */

/* attempts */
#define LIMIT_ENV_VALUE_BYTES (128u << 10) /* the kernel's MAX_ARG_STRLEN */
#define LIMIT_ENV_BYTES       (1u << 20)   /* arguments and environment */
#define LIMIT_OUTPUT_TAIL     (64u << 10)  /* last bytes kept, a stream */
#define LIMIT_OUTPUT_BYTES    (64u << 20)  /* kept on disk, a stream */
#define LIMIT_CAUSE_BYTES     400          /* of the text why it failed */
#define LIMIT_DRAIN_MS        250   /* for output after the process has ended */
#define LIMIT_GRACE_MS        10000 /* from TERM to KILL, unless said */
#define LIMIT_KILL_MS         30000 /* for what was sent KILL to be gone */

/* pictures of our own layout */
#define LIMIT_DRAWN_TASKS    2000u
#define LIMIT_DRAWN_LINES    100000u /* from one layer to the next */
#define LIMIT_DRAWN_CHILDREN 36u     /* one by one; more: counts */
#define LIMIT_DRAWN_BOXES    60u     /* in text; more: a list */

#endif
