/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/valgrind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <valgrind/valgrind.h>

void
not_under_valgrind(void)
{
    if (RUNNING_ON_VALGRIND)
        skip();
}
