/* SPDX-License-Identifier: MPL-2.0 */
/*
 * err - what went wrong, for a program and for a person.
 *
 * A function that can fail takes a struct err as its last argument and
 * returns 0, or -1 with *err filled in. It does not log: whoever can answer
 * the failure decides whether it is worth a line.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err_code {
    ERR_NONE,
    ERR_INVALID,     /* the input breaks a rule; trying again cannot help */
    ERR_LIMIT,       /* a bound we chose was reached */
    ERR_NOT_FOUND,   /* what was named does not exist */
    ERR_UNAVAILABLE, /* a peer or a resource is away; trying again may help */
    ERR_DENIED,      /* not allowed to */
    ERR_IMPOSSIBLE,  /* asks for more than there will ever be */
    ERR_SYSTEM,      /* a system call failed; the message carries errno */
    ERR_CODE_COUNT
};

struct err {
    enum err_code code;
    char msg[480]; /* one line, no newline: what failed, and on what */
};

/* Fill in *err and return -1, so that failing is one statement. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a failed system call: ": " and strerror(errno) are added. */
int err_system(struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Put more context in front of the message of an error already set. */
int err_prefix(struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
