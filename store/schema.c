/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The tables are leat's own and may change with STORE_VERSION; the views are
 * for everybody.
 *
 * A batch holds the records of some moments of a run in one row, because a row
 * a record would cost ten times the time. Its records are JSON:
 *
 *     [[task, child or "name", attempt, state, started, ended, {...}], ...]
 *
 * A child has its index second and its task's name in the batch's names; a
 * task of its own has its name there. state is an enum plan_state: these
 * numbers are on disk. started counts from the batch's moment, ended from
 * started if that is known, else from the batch's moment; null: unknown. What
 * is rare comes in the object, which may be missing: v value, c cause, k key,
 * n children, x code, u cpu, m memory, w cwd.
 */
#include "store/schema.h"

const char schema_sql[] =
    "CREATE TABLE source ("
    "  id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, text TEXT NOT NULL);"
    "CREATE TABLE run ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, flow TEXT NOT NULL, name TEXT,"
    "  file TEXT, source INTEGER REFERENCES source(id), program TEXT,"
    "  cwd TEXT, params TEXT, options TEXT, output TEXT,"
    "  state TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER,"
    "  sessions INTEGER NOT NULL);"
    "CREATE INDEX run_name ON run(name) WHERE name IS NOT NULL;"
    "CREATE INDEX run_source ON run(source);"
    "CREATE TABLE batch ("
    "  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, at INTEGER NOT NULL,"
    "  names TEXT NOT NULL, records TEXT NOT NULL);"
    "CREATE INDEX batch_run ON batch(run);"
    "CREATE TABLE cache ("
    "  key TEXT NOT NULL UNIQUE, value TEXT NOT NULL, made INTEGER NOT NULL);"

    "CREATE VIEW runs AS "
    "SELECT r.id AS run, r.flow, r.name, r.state, r.started, r.ended,"
    "  r.params, r.output, r.options, r.sessions, r.file, r.program, r.cwd,"
    "  s.text AS source "
    "FROM run r LEFT JOIN source s ON s.id = r.source;"

    "CREATE VIEW attempts AS "
    "SELECT b.run AS run,"
    "  CASE json_type(r.value, '$[1]') WHEN 'text' THEN r.value ->> 1"
    "  ELSE json_extract(b.names, '$.\"' || (r.value ->> 0) || '\"') END"
    "  AS task,"
    "  CASE json_type(r.value, '$[1]') WHEN 'integer' THEN r.value ->> 1 END"
    "  AS child,"
    "  r.value ->> '$[6].k' AS key,"
    "  r.value ->> 2 AS attempt,"
    "  '[\"waiting\",\"ready\",\"running\",\"retrying\",\"paused\","
    "\"mapped\",\"succeeded\",\"cached\",\"skipped\",\"failed\","
    "\"timed-out\",\"crashed\",\"trigger-failed\",\"cancelled\"]'"
    "  ->> (r.value ->> 3) AS state,"
    "  r.value -> '$[6].v' AS value,"
    "  r.value ->> '$[6].c' AS cause,"
    "  r.value ->> '$[6].n' AS children,"
    "  r.value ->> '$[6].x' AS code,"
    "  b.at + (r.value ->> 4) AS started,"
    "  b.at + ifnull(r.value ->> 4, 0) + (r.value ->> 5) AS ended,"
    "  ifnull(r.value ->> '$[6].u', 0) AS cpu,"
    "  ifnull(r.value ->> '$[6].m', 0) AS memory,"
    "  r.value ->> '$[6].w' AS cwd,"
    "  r.value ->> 0 AS number,"
    /* A batch has fewer than 2^24 records. */
    "  (b.id << 24) + r.key AS record "
    "FROM batch b, json_each(b.records) r;"

    /* With max() alone, SQLite takes the other columns from the row of it. */
    "CREATE VIEW tasks AS "
    "SELECT run, task, child, key, attempt, state, value, cause, children,"
    "  code, started, ended, cpu, memory, cwd, number, max(record) AS record "
    "FROM attempts GROUP BY run, number, child;";
