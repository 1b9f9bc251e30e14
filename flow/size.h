/* SPDX-License-Identifier: MPL-2.0 */
/*
 * size - amounts of memory as people write them: 512MiB, 4 GB, 1.5G, 1024.
 */
#ifndef FLOW_SIZE_H
#define FLOW_SIZE_H

/* Whole bytes: 0, or -1 if it is no such text. K, M, G, T: powers of 1024. */
int size_read(const char *text, double *ret);

#endif
