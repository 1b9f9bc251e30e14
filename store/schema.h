/* SPDX-License-Identifier: MPL-2.0 */
/*
 * schema - tables and views of a store.
 */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#define SCHEMA_APPLICATION 0x6c656174 /* "leat", in the database's header */

/* Statements that make an empty database a store. */
extern const char schema_sql[];

#endif
