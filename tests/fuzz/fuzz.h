/* SPDX-License-Identifier: MPL-2.0 */
/*
 * fuzz - what libFuzzer, or our own replayer, calls with each input.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* The name is libFuzzer's, whatever our rule for names. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n); /* NOLINT */

#endif
