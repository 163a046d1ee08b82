-- src/statement/statement.sql: the history of statements.
--
-- The collector "statements" writes one row a snapshot: the ids of what
-- changed since the one before, and the increases of each counter as lists of
-- the same length (dbmaint_packed).  Ids are those of dbmaint_statements.
-- The functions that answer questions are in statement_report.sql.

CREATE TABLE dbmaint_statements (
    statement_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    query_id bigint NOT NULL,
    database_oid oid NOT NULL,
    user_oid oid NOT NULL,
    toplevel boolean NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    query text,
    truncated boolean NOT NULL DEFAULT false,
    UNIQUE (query_id, database_oid, user_oid, toplevel)
);
COMMENT ON TABLE dbmaint_statements IS
'The statements of the server that changed in some snapshot: what pg_stat_statements knows them by, and their texts, which reveal what other users run. Not dumped: the ids mean nothing elsewhere.';
COMMENT ON COLUMN dbmaint_statements.statement_id IS
'What the snapshots call the statement by.';
COMMENT ON COLUMN dbmaint_statements.query_id IS
'queryid of pg_stat_statements.';
COMMENT ON COLUMN dbmaint_statements.database_oid IS
'The database that the statement ran in; dbid of pg_stat_statements.';
COMMENT ON COLUMN dbmaint_statements.user_oid IS
'The user who ran it; userid of pg_stat_statements.';
COMMENT ON COLUMN dbmaint_statements.toplevel IS
'Whether a client ran it, and not a function.';
COMMENT ON COLUMN dbmaint_statements.first_seen_at IS
'The snapshot in which it changed first.';
COMMENT ON COLUMN dbmaint_statements.last_used_at IS
'A snapshot in which it changed, at most a week older than the last one.';
COMMENT ON COLUMN dbmaint_statements.query IS
'Its text, as pg_stat_statements normalized it, on one line and without line comments; characters that this database''s encoding does not have are question marks. NULL where it could not be read.';
COMMENT ON COLUMN dbmaint_statements.truncated IS
'Whether the text was longer than the 8 kB that are kept.';

COMMENT ON SEQUENCE dbmaint_statements_statement_id_seq IS
'Where dbmaint_statements.statement_id comes from.';

CREATE TABLE dbmaint_statement_snapshots (
    taken_at timestamptz NOT NULL,
    database_oid oid NOT NULL,
    previous_at timestamptz,
    known_counters bigint NOT NULL,
    statements int NOT NULL,
    incomplete boolean NOT NULL,
    was_reset boolean,
    evictions bigint,
    restarted int,
    vanished int,
    statement_ids dbmaint_packed,
    calls dbmaint_packed,
    total_exec_time_us dbmaint_packed,
    min_exec_time_us dbmaint_packed,
    max_exec_time_us dbmaint_packed,
    exec_deviation_us dbmaint_packed,
    plans dbmaint_packed,
    total_plan_time_us dbmaint_packed,
    min_plan_time_us dbmaint_packed,
    max_plan_time_us dbmaint_packed,
    plan_deviation_us dbmaint_packed,
    rows dbmaint_packed,
    shared_blks_hit dbmaint_packed,
    shared_blks_read dbmaint_packed,
    shared_blks_dirtied dbmaint_packed,
    shared_blks_written dbmaint_packed,
    local_blks_hit dbmaint_packed,
    local_blks_read dbmaint_packed,
    local_blks_dirtied dbmaint_packed,
    local_blks_written dbmaint_packed,
    temp_blks_read dbmaint_packed,
    temp_blks_written dbmaint_packed,
    shared_blk_read_time_us dbmaint_packed,
    shared_blk_write_time_us dbmaint_packed,
    local_blk_read_time_us dbmaint_packed,
    local_blk_write_time_us dbmaint_packed,
    temp_blk_read_time_us dbmaint_packed,
    temp_blk_write_time_us dbmaint_packed,
    wal_records dbmaint_packed,
    wal_fpi dbmaint_packed,
    wal_bytes dbmaint_packed,
    jit_functions dbmaint_packed,
    jit_generation_time_us dbmaint_packed,
    jit_inlining_count dbmaint_packed,
    jit_inlining_time_us dbmaint_packed,
    jit_optimization_count dbmaint_packed,
    jit_optimization_time_us dbmaint_packed,
    jit_emission_count dbmaint_packed,
    jit_emission_time_us dbmaint_packed,
    jit_deform_count dbmaint_packed,
    jit_deform_time_us dbmaint_packed,
    wal_buffers_full dbmaint_packed,
    parallel_workers_to_launch dbmaint_packed,
    parallel_workers_launched dbmaint_packed,
    generic_plan_calls dbmaint_packed,
    custom_plan_calls dbmaint_packed,
    PRIMARY KEY (database_oid, taken_at)
);
COMMENT ON TABLE dbmaint_statement_snapshots IS
'One row a snapshot of pg_stat_statements: the statements that ran since the snapshot before, and the increase of each counter, as lists of the same length. A list that is NULL stands for zeroes, or for a counter that the server does not have. dbmaint_statement_history has the rows. A minimum or maximum is known only where it changed in the interval, or where pg_stat_statements began to count the statement in it.';
COMMENT ON COLUMN dbmaint_statement_snapshots.taken_at IS
'When the snapshot was taken.';
COMMENT ON COLUMN dbmaint_statement_snapshots.database_oid IS
'The database whose sampler took the snapshot; rows that a copy of a database brought along have another one''s.';
COMMENT ON COLUMN dbmaint_statement_snapshots.previous_at IS
'When the snapshot before was taken; NULL where there was none since the server started, or the clock was set back.';
COMMENT ON COLUMN dbmaint_statement_snapshots.known_counters IS
'The counters that the server has, as bits in the order of the columns from calls on.';
COMMENT ON COLUMN dbmaint_statement_snapshots.statements IS
'How many statements changed: the length of the lists.';
COMMENT ON COLUMN dbmaint_statement_snapshots.incomplete IS
'Whether something that ran in the interval is not counted, since pg_stat_statements forgot it (reset, eviction, restart) or there was no snapshot before. What is counted did happen. Before PostgreSQL 17, a reset of a single statement that ran more often since than before it goes unnoticed.';
COMMENT ON COLUMN dbmaint_statement_snapshots.was_reset IS
'Whether pg_stat_statements was reset as a whole; NULL where there was no snapshot before.';
COMMENT ON COLUMN dbmaint_statement_snapshots.evictions IS
'How often pg_stat_statements dropped its least used entries to make room; NULL where there was no snapshot before.';
COMMENT ON COLUMN dbmaint_statement_snapshots.restarted IS
'Statements whose counters began anew in the interval; NULL where there was no snapshot before.';
COMMENT ON COLUMN dbmaint_statement_snapshots.vanished IS
'Statements of the snapshot before that are no longer counted; NULL where there was none.';
COMMENT ON COLUMN dbmaint_statement_snapshots.statement_ids IS
'The statements that changed, ascending; the other lists are in the same order. NULL where none did.';
COMMENT ON COLUMN dbmaint_statement_snapshots.calls IS
'Executions.';
COMMENT ON COLUMN dbmaint_statement_snapshots.total_exec_time_us IS
'Time of the executions, in microseconds.';
COMMENT ON COLUMN dbmaint_statement_snapshots.min_exec_time_us IS
'Shortest execution, in microseconds; 0 where it is not known (see the table).';
COMMENT ON COLUMN dbmaint_statement_snapshots.max_exec_time_us IS
'Longest execution, in microseconds; 0 where it is not known (see the table).';
COMMENT ON COLUMN dbmaint_statement_snapshots.exec_deviation_us IS
'Square root of the sum of squared deviations of the execution times from the interval''s mean, in microseconds; their standard deviation is this over sqrt(calls).';
COMMENT ON COLUMN dbmaint_statement_snapshots.plans IS
'Plannings; 0 unless pg_stat_statements.track_planning is on.';
COMMENT ON COLUMN dbmaint_statement_snapshots.total_plan_time_us IS
'Time of the plannings, in microseconds.';
COMMENT ON COLUMN dbmaint_statement_snapshots.min_plan_time_us IS
'Shortest planning, in microseconds; 0 where it is not known.';
COMMENT ON COLUMN dbmaint_statement_snapshots.max_plan_time_us IS
'Longest planning, in microseconds; 0 where it is not known.';
COMMENT ON COLUMN dbmaint_statement_snapshots.plan_deviation_us IS
'Square root of the sum of squared deviations of the planning times, in microseconds.';
COMMENT ON COLUMN dbmaint_statement_snapshots.rows IS
'Rows returned or changed.';
COMMENT ON COLUMN dbmaint_statement_snapshots.shared_blks_hit IS
'Shared blocks found in the buffer cache.';
COMMENT ON COLUMN dbmaint_statement_snapshots.shared_blks_read IS
'Shared blocks read from outside the buffer cache.';
COMMENT ON COLUMN dbmaint_statement_snapshots.shared_blks_dirtied IS
'Shared blocks dirtied.';
COMMENT ON COLUMN dbmaint_statement_snapshots.shared_blks_written IS
'Shared blocks written.';
COMMENT ON COLUMN dbmaint_statement_snapshots.local_blks_hit IS
'Blocks of temporary tables found in local buffers.';
COMMENT ON COLUMN dbmaint_statement_snapshots.local_blks_read IS
'Blocks of temporary tables read.';
COMMENT ON COLUMN dbmaint_statement_snapshots.local_blks_dirtied IS
'Blocks of temporary tables dirtied.';
COMMENT ON COLUMN dbmaint_statement_snapshots.local_blks_written IS
'Blocks of temporary tables written.';
COMMENT ON COLUMN dbmaint_statement_snapshots.temp_blks_read IS
'Blocks of temporary files read.';
COMMENT ON COLUMN dbmaint_statement_snapshots.temp_blks_written IS
'Blocks of temporary files written.';
COMMENT ON COLUMN dbmaint_statement_snapshots.shared_blk_read_time_us IS
'Time of reading shared blocks, in microseconds (before PostgreSQL 17 local ones, too); 0 unless track_io_timing is on.';
COMMENT ON COLUMN dbmaint_statement_snapshots.shared_blk_write_time_us IS
'Time of writing shared blocks, in microseconds (before PostgreSQL 17 local ones, too); 0 unless track_io_timing is on.';
COMMENT ON COLUMN dbmaint_statement_snapshots.local_blk_read_time_us IS
'Time of reading local blocks, in microseconds.';
COMMENT ON COLUMN dbmaint_statement_snapshots.local_blk_write_time_us IS
'Time of writing local blocks, in microseconds.';
COMMENT ON COLUMN dbmaint_statement_snapshots.temp_blk_read_time_us IS
'Time of reading temporary files, in microseconds.';
COMMENT ON COLUMN dbmaint_statement_snapshots.temp_blk_write_time_us IS
'Time of writing temporary files, in microseconds.';
COMMENT ON COLUMN dbmaint_statement_snapshots.wal_records IS
'WAL records written.';
COMMENT ON COLUMN dbmaint_statement_snapshots.wal_fpi IS
'Full page images written to WAL.';
COMMENT ON COLUMN dbmaint_statement_snapshots.wal_bytes IS
'WAL written, in bytes.';
COMMENT ON COLUMN dbmaint_statement_snapshots.jit_functions IS
'Functions compiled just in time.';
COMMENT ON COLUMN dbmaint_statement_snapshots.jit_generation_time_us IS
'Time of generating JIT code, in microseconds.';
COMMENT ON COLUMN dbmaint_statement_snapshots.jit_inlining_count IS
'Times that functions were inlined.';
COMMENT ON COLUMN dbmaint_statement_snapshots.jit_inlining_time_us IS
'Time of inlining, in microseconds.';
COMMENT ON COLUMN dbmaint_statement_snapshots.jit_optimization_count IS
'Times that JIT code was optimized.';
COMMENT ON COLUMN dbmaint_statement_snapshots.jit_optimization_time_us IS
'Time of optimizing JIT code, in microseconds.';
COMMENT ON COLUMN dbmaint_statement_snapshots.jit_emission_count IS
'Times that JIT code was emitted.';
COMMENT ON COLUMN dbmaint_statement_snapshots.jit_emission_time_us IS
'Time of emitting JIT code, in microseconds.';
COMMENT ON COLUMN dbmaint_statement_snapshots.jit_deform_count IS
'Tuple deform functions compiled.';
COMMENT ON COLUMN dbmaint_statement_snapshots.jit_deform_time_us IS
'Time of compiling tuple deform functions, in microseconds.';
COMMENT ON COLUMN dbmaint_statement_snapshots.wal_buffers_full IS
'Times that the WAL buffers were full.';
COMMENT ON COLUMN dbmaint_statement_snapshots.parallel_workers_to_launch IS
'Parallel workers planned.';
COMMENT ON COLUMN dbmaint_statement_snapshots.parallel_workers_launched IS
'Parallel workers launched.';
COMMENT ON COLUMN dbmaint_statement_snapshots.generic_plan_calls IS
'Executions with a generic plan.';
COMMENT ON COLUMN dbmaint_statement_snapshots.custom_plan_calls IS
'Executions with a custom plan.';

-- Each list is compressed apart, by lz4 where the server has it: it costs a
-- tenth of the server's own method, which is the choice elsewhere.  This runs
-- when the extension is created, by a superuser, in a schema that may be
-- somebody else's: each operator says that it is the server's.
DO $$
DECLARE
    list name;
BEGIN
    IF 'lz4' OPERATOR(pg_catalog.=) ANY (
           ARRAY(SELECT pg_catalog.unnest(s.enumvals) FROM pg_catalog.pg_settings AS s
                  WHERE s.name OPERATOR(pg_catalog.=) 'default_toast_compression')) THEN
        FOR list IN
            SELECT a.attname FROM pg_catalog.pg_attribute AS a
             WHERE a.attrelid OPERATOR(pg_catalog.=) '@extschema@.dbmaint_statement_snapshots'::pg_catalog.regclass
               AND a.atttypid OPERATOR(pg_catalog.=) '@extschema@.dbmaint_packed'::pg_catalog.regtype
        LOOP
            EXECUTE pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET COMPRESSION lz4', '@extschema@.dbmaint_statement_snapshots'::pg_catalog.regclass, list);
        END LOOP;
    END IF;
END
$$;

CREATE FUNCTION dbmaint_find_statements(
    at timestamptz, user_oids oid[], database_oids oid[], query_ids bigint[],
    toplevels boolean[], OUT n int, OUT statement_id int)
RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE @extschema@.dbmaint_statements AS s
       SET last_used_at = at
      FROM unnest(user_oids, database_oids, query_ids, toplevels)
           AS k(user_oid, database_oid, query_id, toplevel)
     WHERE s.query_id = k.query_id AND s.database_oid = k.database_oid
       AND s.user_oid = k.user_oid AND s.toplevel = k.toplevel
       AND s.last_used_at < at - interval '6 days';
    RETURN QUERY
    SELECT k.n::int, s.statement_id
      FROM unnest(user_oids, database_oids, query_ids, toplevels) WITH ORDINALITY
           AS k(user_oid, database_oid, query_id, toplevel, n)
      JOIN @extschema@.dbmaint_statements AS s
        ON s.query_id = k.query_id AND s.database_oid = k.database_oid
       AND s.user_oid = k.user_oid AND s.toplevel = k.toplevel;
END
$$;
COMMENT ON FUNCTION dbmaint_find_statements(timestamptz, oid[], oid[], bigint[], boolean[]) IS
'The ids of the statements that are known, by their position in the arrays; notes that they are in use at the time. The collector calls it.';

CREATE FUNCTION dbmaint_statements_without_text(
    OUT user_oid oid, OUT database_oid oid, OUT query_id bigint,
    OUT toplevel boolean)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.user_oid, s.database_oid, s.query_id, s.toplevel
      FROM @extschema@.dbmaint_statements AS s
     WHERE s.query IS NULL
     ORDER BY s.last_used_at DESC
     LIMIT 10000
$$;
COMMENT ON FUNCTION dbmaint_statements_without_text() IS
'Statements whose texts could not be read, at most 10,000. The collector calls it.';

CREATE FUNCTION dbmaint_store_statements(
    at timestamptz, user_oids oid[], database_oids oid[], query_ids bigint[],
    toplevels boolean[], texts text[], are_truncated boolean[])
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE @extschema@.dbmaint_statements AS s
       SET query = k.query, truncated = k.truncated
      FROM unnest(user_oids, database_oids, query_ids, toplevels, texts, are_truncated)
           AS k(user_oid, database_oid, query_id, toplevel, query, truncated)
     WHERE s.query_id = k.query_id AND s.database_oid = k.database_oid
       AND s.user_oid = k.user_oid AND s.toplevel = k.toplevel
       AND s.query IS NULL AND k.query IS NOT NULL;

    -- no row is offered that is there: its id would be taken, and lost
    INSERT INTO @extschema@.dbmaint_statements
           (query_id, database_oid, user_oid, toplevel, first_seen_at, last_used_at, query, truncated)
    SELECT k.query_id, k.database_oid, k.user_oid, k.toplevel, at, at, k.query, k.truncated
      FROM unnest(user_oids, database_oids, query_ids, toplevels, texts, are_truncated)
           AS k(user_oid, database_oid, query_id, toplevel, query, truncated)
     WHERE NOT EXISTS (SELECT FROM @extschema@.dbmaint_statements AS s
                        WHERE s.query_id = k.query_id AND s.database_oid = k.database_oid
                          AND s.user_oid = k.user_oid AND s.toplevel = k.toplevel)
        ON CONFLICT (query_id, database_oid, user_oid, toplevel) DO NOTHING
$$;
COMMENT ON FUNCTION dbmaint_store_statements(timestamptz, oid[], oid[], bigint[], boolean[], text[], boolean[]) IS
'Keeps statements that are new, and the texts of those that had none. The collector calls it.';

CREATE FUNCTION dbmaint_take_snapshot(
    at timestamptz DEFAULT clock_timestamp(), OUT taken_at timestamptz,
    OUT statements int, OUT incomplete boolean)
LANGUAGE C VOLATILE CALLED ON NULL INPUT
AS 'MODULE_PATHNAME', 'dbmaint_take_snapshot';
COMMENT ON FUNCTION dbmaint_take_snapshot(timestamptz) IS
'Takes a snapshot of pg_stat_statements now, between those of the sampler: returns its time, how many statements changed since the snapshot before, and whether something of the interval was lost. It writes, so it is for the superuser and whom he grants it.';

CREATE FUNCTION dbmaint_unpack_statements(
    from_at timestamptz, to_at timestamptz, statement_ids int[],
    OUT taken_at timestamptz, OUT previous_at timestamptz,
    OUT incomplete boolean, OUT statement_id int,
    OUT calls bigint, OUT total_exec_time_ms float8, OUT min_exec_time_ms float8,
    OUT max_exec_time_ms float8, OUT stddev_exec_time_ms float8, OUT plans bigint,
    OUT total_plan_time_ms float8, OUT min_plan_time_ms float8,
    OUT max_plan_time_ms float8, OUT stddev_plan_time_ms float8, OUT "rows" bigint,
    OUT shared_blks_hit bigint, OUT shared_blks_read bigint,
    OUT shared_blks_dirtied bigint, OUT shared_blks_written bigint,
    OUT local_blks_hit bigint, OUT local_blks_read bigint,
    OUT local_blks_dirtied bigint, OUT local_blks_written bigint,
    OUT temp_blks_read bigint, OUT temp_blks_written bigint,
    OUT shared_blk_read_time_ms float8, OUT shared_blk_write_time_ms float8,
    OUT local_blk_read_time_ms float8, OUT local_blk_write_time_ms float8,
    OUT temp_blk_read_time_ms float8, OUT temp_blk_write_time_ms float8,
    OUT wal_records bigint, OUT wal_fpi bigint, OUT wal_bytes bigint,
    OUT jit_functions bigint, OUT jit_generation_time_ms float8,
    OUT jit_inlining_count bigint, OUT jit_inlining_time_ms float8,
    OUT jit_optimization_count bigint, OUT jit_optimization_time_ms float8,
    OUT jit_emission_count bigint, OUT jit_emission_time_ms float8,
    OUT jit_deform_count bigint, OUT jit_deform_time_ms float8,
    OUT wal_buffers_full bigint, OUT parallel_workers_to_launch bigint,
    OUT parallel_workers_launched bigint, OUT generic_plan_calls bigint,
    OUT custom_plan_calls bigint)
RETURNS SETOF record
LANGUAGE C STABLE CALLED ON NULL INPUT ROWS 1000
AS 'MODULE_PATHNAME', 'dbmaint_unpack_statements';
COMMENT ON FUNCTION dbmaint_unpack_statements(timestamptz, timestamptz, int[]) IS
'The snapshots that were taken after from_at and not after to_at, as rows: one for each statement that changed, or only for those of the ids. Times are in milliseconds. NULL: a counter that the server does not have, or a minimum or maximum that is not known.';

CREATE FUNCTION dbmaint_total_statements(
    from_at timestamptz, to_at timestamptz, OUT statement_id int,
    OUT snapshots bigint,
    OUT calls bigint, OUT total_exec_time_ms float8, OUT min_exec_time_ms float8,
    OUT max_exec_time_ms float8, OUT stddev_exec_time_ms float8, OUT plans bigint,
    OUT total_plan_time_ms float8, OUT min_plan_time_ms float8,
    OUT max_plan_time_ms float8, OUT stddev_plan_time_ms float8, OUT "rows" bigint,
    OUT shared_blks_hit bigint, OUT shared_blks_read bigint,
    OUT shared_blks_dirtied bigint, OUT shared_blks_written bigint,
    OUT local_blks_hit bigint, OUT local_blks_read bigint,
    OUT local_blks_dirtied bigint, OUT local_blks_written bigint,
    OUT temp_blks_read bigint, OUT temp_blks_written bigint,
    OUT shared_blk_read_time_ms float8, OUT shared_blk_write_time_ms float8,
    OUT local_blk_read_time_ms float8, OUT local_blk_write_time_ms float8,
    OUT temp_blk_read_time_ms float8, OUT temp_blk_write_time_ms float8,
    OUT wal_records bigint, OUT wal_fpi bigint, OUT wal_bytes bigint,
    OUT jit_functions bigint, OUT jit_generation_time_ms float8,
    OUT jit_inlining_count bigint, OUT jit_inlining_time_ms float8,
    OUT jit_optimization_count bigint, OUT jit_optimization_time_ms float8,
    OUT jit_emission_count bigint, OUT jit_emission_time_ms float8,
    OUT jit_deform_count bigint, OUT jit_deform_time_ms float8,
    OUT wal_buffers_full bigint, OUT parallel_workers_to_launch bigint,
    OUT parallel_workers_launched bigint, OUT generic_plan_calls bigint,
    OUT custom_plan_calls bigint)
RETURNS SETOF record
LANGUAGE C STABLE CALLED ON NULL INPUT ROWS 5000
AS 'MODULE_PATHNAME', 'dbmaint_total_statements';
COMMENT ON FUNCTION dbmaint_total_statements(timestamptz, timestamptz) IS
'What each statement did in the snapshots that were taken after from_at and not after to_at, added up, and in how many of them it changed. Times are in milliseconds; the standard deviation is that of all executions. NULL: a counter that the server did not have, or a minimum or maximum that is not known.';

CREATE FUNCTION dbmaint_statement_history(
    query_id bigint, from_at timestamptz DEFAULT now() - interval '1 day',
    to_at timestamptz DEFAULT now(),
    OUT statement_database oid, OUT statement_user oid, OUT toplevel boolean,
    OUT taken_at timestamptz, OUT previous_at timestamptz,
    OUT incomplete boolean, OUT statement_id int,
    OUT calls bigint, OUT total_exec_time_ms float8, OUT min_exec_time_ms float8,
    OUT max_exec_time_ms float8, OUT stddev_exec_time_ms float8, OUT plans bigint,
    OUT total_plan_time_ms float8, OUT min_plan_time_ms float8,
    OUT max_plan_time_ms float8, OUT stddev_plan_time_ms float8, OUT "rows" bigint,
    OUT shared_blks_hit bigint, OUT shared_blks_read bigint,
    OUT shared_blks_dirtied bigint, OUT shared_blks_written bigint,
    OUT local_blks_hit bigint, OUT local_blks_read bigint,
    OUT local_blks_dirtied bigint, OUT local_blks_written bigint,
    OUT temp_blks_read bigint, OUT temp_blks_written bigint,
    OUT shared_blk_read_time_ms float8, OUT shared_blk_write_time_ms float8,
    OUT local_blk_read_time_ms float8, OUT local_blk_write_time_ms float8,
    OUT temp_blk_read_time_ms float8, OUT temp_blk_write_time_ms float8,
    OUT wal_records bigint, OUT wal_fpi bigint, OUT wal_bytes bigint,
    OUT jit_functions bigint, OUT jit_generation_time_ms float8,
    OUT jit_inlining_count bigint, OUT jit_inlining_time_ms float8,
    OUT jit_optimization_count bigint, OUT jit_optimization_time_ms float8,
    OUT jit_emission_count bigint, OUT jit_emission_time_ms float8,
    OUT jit_deform_count bigint, OUT jit_deform_time_ms float8,
    OUT wal_buffers_full bigint, OUT parallel_workers_to_launch bigint,
    OUT parallel_workers_launched bigint, OUT generic_plan_calls bigint,
    OUT custom_plan_calls bigint)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 300
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.database_oid, s.user_oid, s.toplevel, r.*
      FROM @extschema@.dbmaint_unpack_statements($2, $3,
               ARRAY(SELECT k.statement_id FROM @extschema@.dbmaint_statements AS k
                      WHERE k.query_id = $1 ORDER BY k.statement_id)) AS r
      JOIN @extschema@.dbmaint_statements AS s ON s.statement_id = r.statement_id
     ORDER BY r.taken_at, r.statement_id
$$;
COMMENT ON FUNCTION dbmaint_statement_history(bigint, timestamptz, timestamptz) IS
'What one query did in each snapshot that was taken after from_at and not after to_at: a row for each of its statements (by database, user, and top level or not) that changed. The columns are those of the view dbmaint_statement_history, which reads every statement and takes longer.';

CREATE VIEW dbmaint_statement_history AS
SELECT k.query_id, k.database_oid AS statement_database,
       k.user_oid AS statement_user, k.toplevel, r.*
  FROM dbmaint_statement_snapshots AS s
 CROSS JOIN LATERAL dbmaint_unpack_statements(
           s.taken_at OPERATOR(pg_catalog.-) interval '1 microsecond', s.taken_at,
           NULL::int[]) AS r
  LEFT JOIN dbmaint_statements AS k ON k.statement_id OPERATOR(pg_catalog.=) r.statement_id
 WHERE s.database_oid OPERATOR(pg_catalog.=)
       (SELECT d.oid FROM pg_catalog.pg_database AS d
         WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database());
COMMENT ON VIEW dbmaint_statement_history IS
'The snapshots of statements as rows: what each statement did since the snapshot before (previous_at), times in milliseconds. Ask for a range of taken_at; for one query, the function of the same name is faster. NULL: a counter that the server does not have, or a minimum or maximum that is not known. query_id is NULL where the statement''s entry was deleted.';

REVOKE ALL ON dbmaint_statements, dbmaint_statement_snapshots, dbmaint_statement_history FROM PUBLIC;
GRANT SELECT ON dbmaint_statements, dbmaint_statement_snapshots, dbmaint_statement_history TO pg_monitor;
REVOKE ALL ON FUNCTION
    dbmaint_find_statements(timestamptz, oid[], oid[], bigint[], boolean[]),
    dbmaint_statements_without_text(),
    dbmaint_store_statements(timestamptz, oid[], oid[], bigint[], boolean[], text[], boolean[]),
    dbmaint_take_snapshot(timestamptz),
    dbmaint_unpack_statements(timestamptz, timestamptz, int[]),
    dbmaint_total_statements(timestamptz, timestamptz),
    dbmaint_statement_history(bigint, timestamptz, timestamptz)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    dbmaint_unpack_statements(timestamptz, timestamptz, int[]),
    dbmaint_total_statements(timestamptz, timestamptz),
    dbmaint_statement_history(bigint, timestamptz, timestamptz)
TO pg_monitor;
