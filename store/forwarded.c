/* SPDX-License-Identifier: MPL-2.0 */
/*
 * forwarded - variables that were forwarded to the tasks of a run.
 *
 * Their values may be secrets. So they are in a table of their own, in which
 * nobody looks who only wants to see runs; a run's options have the names. The
 * table is made for the first of them, as it is not in every store; what it has
 * of a run goes with the run.
 */
#include "base/mem.h"
#include "flow/value.h"
#include "store/inside.h"

json_t *
store_forwarded_options(const json_t *options, const json_t *env)
{
    json_t *made =
        options ? json_copy((json_t *)(uintptr_t)options) : json_object();

    if (json_object_size(env) > 0)
        (void)json_object_set_new(made, "env", value_names(env));
    return made;
}

int
store_forwarded_put(struct store *self, uint64_t run, const json_t *env,
                    struct err *err)
{
    sqlite3_stmt *stmt;

    if (json_object_size(env) == 0)
        return 0;
    if (db_do(&self->db, DB_ENV_MAKE, err) < 0 ||
        db_do(&self->db, DB_ENV_FOLLOW, err) < 0)
        return -1;
    stmt = db_stmt(&self->db, DB_ENV_PUT, err);
    if (!stmt)
        return -1;
    db_bind_int(stmt, 1, (int64_t)run);
    db_bind_json(stmt, 2, env);
    return db_finish(&self->db, stmt, err);
}

int
store_run_env(struct store *self, uint64_t run, json_t **ret, struct err *err)
{
    json_t *env = NULL;
    sqlite3_stmt *stmt;
    bool there = false, row = false;
    int rc = 0;

    if (store_has_table(self, "env", &there, err) < 0)
        return -1;
    if (there) {
        stmt = db_stmt(&self->db, DB_ENV_GET, err);
        if (!stmt)
            return -1;
        db_bind_int(stmt, 1, (int64_t)run);
        if (db_next(&self->db, stmt, &row, err) < 0)
            return -1;
        if (row)
            rc = db_json(&self->db, stmt, 0, &env, err);
        (void)sqlite3_reset(stmt);
    }
    if (rc == 0)
        *ret = env ? env : json_object();
    return rc;
}
