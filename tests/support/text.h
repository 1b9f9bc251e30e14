/* SPDX-License-Identifier: MPL-2.0 */
/* text - for fields of messages, which are not const. */
#ifndef SUPPORT_TEXT_H
#define SUPPORT_TEXT_H

#include <stdint.h>

static inline char *
text(const char *s)
{
    return (char *)(uintptr_t)s;
}

#endif
