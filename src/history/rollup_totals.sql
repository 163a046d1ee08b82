/*
 * src/history/rollup_totals.sql: days of statements, indexes and tables, kept
 * long.
 *
 * One row a day of UTC, with the sums of the day's snapshots as lists of the
 * same length, as snapshots have them.  A snapshot belongs to the day of the
 * interval that it ends: one at midnight to the day before.
 *
 * A kind is a table dbmaint_daily_<kind>, a function that makes its row from
 * the snapshots of a day, one that gives the days of a range (made on the spot
 * where there is no row yet, so that both are the same), one that reads them
 * as rows, and its line in dbmaint_roll_up_totals().
 *
 * Of statements a day keeps apart those that did most; the others are added
 * up under the id 0.  Two years of every statement would be 100 MB.
 */

CREATE TABLE dbmaint_daily_statements (
    day timestamptz NOT NULL,
    database_oid oid NOT NULL,
    snapshots int NOT NULL,
    observed_hours float8,
    complete boolean NOT NULL,
    statement_ids dbmaint_packed NOT NULL,
    calls dbmaint_packed,
    total_exec_time_us dbmaint_packed,
    max_exec_time_us dbmaint_packed,
    rows dbmaint_packed,
    shared_blks_hit dbmaint_packed,
    shared_blks_read dbmaint_packed,
    temp_blks_written dbmaint_packed,
    wal_bytes dbmaint_packed,
    PRIMARY KEY (database_oid, day)
);
COMMENT ON TABLE dbmaint_daily_statements IS
'One row a day (of UTC) of the history of statements, kept for dbmaint.rollup_retention: the statements that did most, and the sum of all others under the id 0, so that sums are those of all. dbmaint_statement_daily() has the rows.';
COMMENT ON COLUMN dbmaint_daily_statements.day IS
'When the day began; it holds the snapshots after that and not after the next day''s begin.';
COMMENT ON COLUMN dbmaint_daily_statements.database_oid IS
'The database whose sampler took the snapshots; rows that a copy of a database brought along have another one''s.';
COMMENT ON COLUMN dbmaint_daily_statements.snapshots IS
'How many snapshots were added up.';
COMMENT ON COLUMN dbmaint_daily_statements.observed_hours IS
'Hours between the snapshots and those before them; NULL where that is not known.';
COMMENT ON COLUMN dbmaint_daily_statements.complete IS
'Whether all that ran in these hours is counted: false where a snapshot was incomplete.';
COMMENT ON COLUMN dbmaint_daily_statements.statement_ids IS
'The statements, ascending, see dbmaint_statements; 0 stands for all that are not listed. The other lists are in the same order.';
COMMENT ON COLUMN dbmaint_daily_statements.calls IS
'Executions.';
COMMENT ON COLUMN dbmaint_daily_statements.total_exec_time_us IS
'Time of the executions, in microseconds.';
COMMENT ON COLUMN dbmaint_daily_statements.max_exec_time_us IS
'Longest execution, in microseconds; 0 where it is not known (see dbmaint_statement_snapshots).';
COMMENT ON COLUMN dbmaint_daily_statements.rows IS
'Rows returned or changed.';
COMMENT ON COLUMN dbmaint_daily_statements.shared_blks_hit IS
'Shared blocks found in the buffer cache.';
COMMENT ON COLUMN dbmaint_daily_statements.shared_blks_read IS
'Shared blocks read from outside the buffer cache.';
COMMENT ON COLUMN dbmaint_daily_statements.temp_blks_written IS
'Blocks of temporary files written.';
COMMENT ON COLUMN dbmaint_daily_statements.wal_bytes IS
'WAL written, in bytes.';

CREATE TABLE dbmaint_daily_indexes (
    day timestamptz NOT NULL,
    database_oid oid NOT NULL,
    snapshots int NOT NULL,
    observed_hours float8,
    complete boolean NOT NULL,
    object_ids dbmaint_packed NOT NULL,
    idx_scan dbmaint_packed,
    idx_tup_read dbmaint_packed,
    idx_tup_fetch dbmaint_packed,
    idx_blks_read dbmaint_packed,
    idx_blks_hit dbmaint_packed,
    index_bytes dbmaint_packed,
    grown_bytes dbmaint_packed,
    PRIMARY KEY (database_oid, day)
);
COMMENT ON TABLE dbmaint_daily_indexes IS
'One row a day (of UTC) of the history of indexes, kept for dbmaint.rollup_retention: those that changed, with the sums of the day''s snapshots. dbmaint_index_daily has the rows.';
COMMENT ON COLUMN dbmaint_daily_indexes.idx_scan IS
'Increase over the day: scans begun on it.';
COMMENT ON COLUMN dbmaint_daily_indexes.idx_tup_read IS
'Increase over the day: index entries that its scans returned.';
COMMENT ON COLUMN dbmaint_daily_indexes.idx_tup_fetch IS
'Increase over the day: live table rows that plain scans of it fetched.';
COMMENT ON COLUMN dbmaint_daily_indexes.idx_blks_read IS
'Increase over the day: its blocks read from outside the buffer cache.';
COMMENT ON COLUMN dbmaint_daily_indexes.idx_blks_hit IS
'Increase over the day: its blocks found in the buffer cache.';
COMMENT ON COLUMN dbmaint_daily_indexes.index_bytes IS
'Its size at the day''s last snapshot that has it, in bytes.';
COMMENT ON COLUMN dbmaint_daily_indexes.grown_bytes IS
'By how much it grew over the day, in bytes; negative where it shrank.';

CREATE TABLE dbmaint_daily_tables (
    day timestamptz NOT NULL,
    database_oid oid NOT NULL,
    snapshots int NOT NULL,
    observed_hours float8,
    complete boolean NOT NULL,
    object_ids dbmaint_packed NOT NULL,
    seq_scan dbmaint_packed,
    seq_tup_read dbmaint_packed,
    idx_scan dbmaint_packed,
    n_tup_ins dbmaint_packed,
    n_tup_upd dbmaint_packed,
    n_tup_del dbmaint_packed,
    n_tup_hot_upd dbmaint_packed,
    heap_blks_read dbmaint_packed,
    heap_blks_hit dbmaint_packed,
    vacuum_count dbmaint_packed,
    autovacuum_count dbmaint_packed,
    analyze_count dbmaint_packed,
    autoanalyze_count dbmaint_packed,
    n_live_tup dbmaint_packed,
    n_dead_tup dbmaint_packed,
    table_bytes dbmaint_packed,
    toast_bytes dbmaint_packed,
    grown_bytes dbmaint_packed,
    PRIMARY KEY (database_oid, day)
);
COMMENT ON TABLE dbmaint_daily_tables IS
'One row a day (of UTC) of the history of tables, kept for dbmaint.rollup_retention: those that changed, with the sums of the day''s snapshots. dbmaint_table_daily has the rows.';
COMMENT ON COLUMN dbmaint_daily_tables.seq_scan IS
'Increase over the day: sequential scans begun on it.';
COMMENT ON COLUMN dbmaint_daily_tables.seq_tup_read IS
'Increase over the day: live rows that sequential scans read.';
COMMENT ON COLUMN dbmaint_daily_tables.idx_scan IS
'Increase over the day: scans begun on its indexes.';
COMMENT ON COLUMN dbmaint_daily_tables.n_tup_ins IS
'Increase over the day: rows inserted.';
COMMENT ON COLUMN dbmaint_daily_tables.n_tup_upd IS
'Increase over the day: rows updated.';
COMMENT ON COLUMN dbmaint_daily_tables.n_tup_del IS
'Increase over the day: rows deleted.';
COMMENT ON COLUMN dbmaint_daily_tables.n_tup_hot_upd IS
'Increase over the day: rows updated without a new index entry.';
COMMENT ON COLUMN dbmaint_daily_tables.heap_blks_read IS
'Increase over the day: its blocks read from outside the buffer cache.';
COMMENT ON COLUMN dbmaint_daily_tables.heap_blks_hit IS
'Increase over the day: its blocks found in the buffer cache.';
COMMENT ON COLUMN dbmaint_daily_tables.vacuum_count IS
'Increase over the day: times it was vacuumed by hand.';
COMMENT ON COLUMN dbmaint_daily_tables.autovacuum_count IS
'Increase over the day: times autovacuum vacuumed it.';
COMMENT ON COLUMN dbmaint_daily_tables.analyze_count IS
'Increase over the day: times it was analyzed by hand.';
COMMENT ON COLUMN dbmaint_daily_tables.autoanalyze_count IS
'Increase over the day: times autovacuum analyzed it.';
COMMENT ON COLUMN dbmaint_daily_tables.n_live_tup IS
'Estimated live rows at the day''s last snapshot that has it; 0 where only its indexes changed.';
COMMENT ON COLUMN dbmaint_daily_tables.n_dead_tup IS
'Estimated dead rows at the day''s last snapshot that has it.';
COMMENT ON COLUMN dbmaint_daily_tables.table_bytes IS
'Its size without indexes and TOAST at the day''s last snapshot that has it, in bytes; 0 where only its indexes changed.';
COMMENT ON COLUMN dbmaint_daily_tables.toast_bytes IS
'Size of its TOAST table without that one''s index at the day''s last snapshot that has it, in bytes.';
COMMENT ON COLUMN dbmaint_daily_tables.grown_bytes IS
'By how much it grew over the day, in bytes; negative where it shrank.';

-- what the three have in common; and lz4 where the server has it
-- Run by the superuser who creates the extension, in a schema that may be
-- somebody else's: each operator says that it is the server's.
DO $$
DECLARE
    c record;
    lz4 CONSTANT boolean := 'lz4' OPERATOR(pg_catalog.=) ANY (
        ARRAY(SELECT pg_catalog.unnest(s.enumvals) FROM pg_catalog.pg_settings AS s
               WHERE s.name OPERATOR(pg_catalog.=) 'default_toast_compression'));
BEGIN
    FOR c IN
        SELECT a.attrelid::pg_catalog.regclass AS relation, a.attname, a.atttypid,
               coalesce(pg_catalog.col_description('@extschema@.dbmaint_daily_statements'::pg_catalog.regclass, s.attnum),
                        'The objects that changed, ascending; see dbmaint_objects. The other lists are in the same order.') AS description
          FROM pg_catalog.pg_attribute AS a
          LEFT JOIN pg_catalog.pg_attribute AS s
            ON s.attrelid OPERATOR(pg_catalog.=) '@extschema@.dbmaint_daily_statements'::pg_catalog.regclass
               AND s.attname OPERATOR(pg_catalog.=) a.attname AND s.attnum OPERATOR(pg_catalog.<=) 5::pg_catalog.int2
         WHERE a.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2
           AND a.attrelid OPERATOR(pg_catalog.=) ANY (
                   ARRAY['@extschema@.dbmaint_daily_statements'::pg_catalog.regclass,
                         '@extschema@.dbmaint_daily_indexes'::pg_catalog.regclass,
                         '@extschema@.dbmaint_daily_tables'::pg_catalog.regclass]::pg_catalog.oid[])
    LOOP
        IF c.atttypid OPERATOR(pg_catalog.=) '@extschema@.dbmaint_packed'::pg_catalog.regtype AND lz4 THEN
            EXECUTE pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET COMPRESSION lz4', c.relation, c.attname);
        END IF;
        IF pg_catalog.col_description(c.relation, (SELECT a.attnum FROM pg_catalog.pg_attribute AS a
                                                    WHERE a.attrelid OPERATOR(pg_catalog.=) c.relation AND a.attname OPERATOR(pg_catalog.=) c.attname)) IS NULL THEN
            EXECUTE pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L', c.relation, c.attname, c.description);
        END IF;
    END LOOP;
END
$$;

-- History is not dumped: no pg_extension_config_dump here.

CREATE FUNCTION dbmaint_total_statement_day(day timestamptz)
RETURNS SETOF dbmaint_daily_statements
LANGUAGE sql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    WITH taken AS (
        SELECT s.database_oid, count(*)::int AS snapshots,
               extract(epoch FROM sum(s.taken_at - s.previous_at))::float8 / 3600 AS observed_hours,
               NOT bool_or(s.incomplete) AS complete
          FROM @extschema@.dbmaint_statement_snapshots AS s
         WHERE s.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
           AND s.taken_at > $1 AND s.taken_at <= $1 + interval '24 hours'
         GROUP BY s.database_oid
    ), ranked AS (
        SELECT t.statement_id, t.calls, least(round(t.total_exec_time_ms * 1000), 9.2e18::float8)::bigint AS exec_us,
               least(round(coalesce(t.max_exec_time_ms, 0) * 1000), 9.2e18::float8)::bigint AS max_us, t."rows",
               t.shared_blks_hit, t.shared_blks_read, t.temp_blks_written, coalesce(t.wal_bytes, 0) AS wal_bytes,
               -- what a review names: 300 at most
               row_number() OVER (ORDER BY t.total_exec_time_ms DESC, t.statement_id) <= 100
               OR t.calls > 0 AND row_number() OVER (ORDER BY t.calls DESC, t.statement_id) <= 50
               OR t.shared_blks_read > 0 AND row_number() OVER (ORDER BY t.shared_blks_read DESC, t.statement_id) <= 50
               OR t.temp_blks_written > 0 AND row_number() OVER (ORDER BY t.temp_blks_written DESC, t.statement_id) <= 50
               OR t.wal_bytes > 0 AND row_number() OVER (ORDER BY t.wal_bytes DESC NULLS LAST, t.statement_id) <= 50 AS listed
          FROM @extschema@.dbmaint_total_statements($1, $1 + interval '24 hours') AS t
    ), kept AS (
        SELECT CASE WHEN r.listed THEN r.statement_id ELSE 0 END::bigint AS id,
               least(sum(r.calls), 9223372036854775807)::bigint AS calls,
               least(sum(r.exec_us), 9223372036854775807)::bigint AS exec_us, max(r.max_us) AS max_us,
               least(sum(r."rows"), 9223372036854775807)::bigint AS "rows",
               least(sum(r.shared_blks_hit), 9223372036854775807)::bigint AS hit,
               least(sum(r.shared_blks_read), 9223372036854775807)::bigint AS read,
               least(sum(r.temp_blks_written), 9223372036854775807)::bigint AS temp,
               least(sum(r.wal_bytes), 9223372036854775807)::bigint AS wal
          FROM ranked AS r
         GROUP BY 1
    ), lists AS (
        SELECT coalesce(array_agg(k.id ORDER BY k.id), '{}'::bigint[])::@extschema@.dbmaint_packed AS ids,
               array_agg(k.calls ORDER BY k.id)::@extschema@.dbmaint_packed AS calls,
               array_agg(k.exec_us ORDER BY k.id)::@extschema@.dbmaint_packed AS exec_us,
               array_agg(k.max_us ORDER BY k.id)::@extschema@.dbmaint_packed AS max_us,
               array_agg(k."rows" ORDER BY k.id)::@extschema@.dbmaint_packed AS "rows",
               array_agg(k.hit ORDER BY k.id)::@extschema@.dbmaint_packed AS hit,
               array_agg(k.read ORDER BY k.id)::@extschema@.dbmaint_packed AS read,
               array_agg(k.temp ORDER BY k.id)::@extschema@.dbmaint_packed AS temp,
               array_agg(k.wal ORDER BY k.id)::@extschema@.dbmaint_packed AS wal
          FROM kept AS k
    )
    SELECT $1, t.database_oid, t.snapshots, t.observed_hours, t.complete,
           l.ids, l.calls, l.exec_us, l.max_us, l."rows", l.hit, l.read, l.temp, l.wal
      FROM taken AS t, lists AS l
$$;
COMMENT ON FUNCTION dbmaint_total_statement_day(timestamptz) IS
'The row of dbmaint_daily_statements for the day that begins at the given time, from its snapshots: apart are the 100 statements that took most time and the 50 that ran most often, read or spilled most blocks, or wrote most WAL. No row where there is no snapshot.';

CREATE FUNCTION dbmaint_total_index_day(day timestamptz)
RETURNS SETOF dbmaint_daily_indexes
LANGUAGE sql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    WITH taken AS (
        SELECT s.database_oid, count(*)::int AS snapshots,
               sum(s.interval_ms) / 3600000 AS observed_hours, bool_and(s.complete) AS complete
          FROM @extschema@.dbmaint_index_snapshots AS s
         WHERE s.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
           AND s.taken_at > $1 AND s.taken_at <= $1 + interval '24 hours'
         GROUP BY s.database_oid
    ), sums AS (
        SELECT h.object_id::bigint AS id, least(coalesce(sum(h.idx_scan), 0), 9223372036854775807)::bigint AS scans,
               least(coalesce(sum(h.idx_tup_read), 0), 9223372036854775807)::bigint AS tuples,
               least(coalesce(sum(h.idx_tup_fetch), 0), 9223372036854775807)::bigint AS fetched,
               least(coalesce(sum(h.idx_blks_read), 0), 9223372036854775807)::bigint AS read,
               least(coalesce(sum(h.idx_blks_hit), 0), 9223372036854775807)::bigint AS hit,
               (array_agg(h.index_bytes ORDER BY h.taken_at DESC))[1] AS bytes,
               coalesce(sum(h.grown_bytes), 0)::bigint AS grown
          FROM @extschema@.dbmaint_index_history AS h
         WHERE h.taken_at > $1 AND h.taken_at <= $1 + interval '24 hours'
         GROUP BY h.object_id
    ), lists AS (
        SELECT coalesce(array_agg(s.id ORDER BY s.id), '{}'::bigint[])::@extschema@.dbmaint_packed AS ids,
               array_agg(s.scans ORDER BY s.id)::@extschema@.dbmaint_packed AS scans,
               array_agg(s.tuples ORDER BY s.id)::@extschema@.dbmaint_packed AS tuples,
               array_agg(s.fetched ORDER BY s.id)::@extschema@.dbmaint_packed AS fetched,
               array_agg(s.read ORDER BY s.id)::@extschema@.dbmaint_packed AS read,
               array_agg(s.hit ORDER BY s.id)::@extschema@.dbmaint_packed AS hit,
               array_agg(s.bytes ORDER BY s.id)::@extschema@.dbmaint_packed AS bytes,
               array_agg(s.grown ORDER BY s.id)::@extschema@.dbmaint_packed AS grown
          FROM sums AS s
    )
    SELECT $1, t.database_oid, t.snapshots, t.observed_hours, t.complete,
           l.ids, l.scans, l.tuples, l.fetched, l.read, l.hit, l.bytes, l.grown
      FROM taken AS t, lists AS l
$$;
COMMENT ON FUNCTION dbmaint_total_index_day(timestamptz) IS
'The row of dbmaint_daily_indexes for the day that begins at the given time, from its snapshots. No row where there is none.';

CREATE FUNCTION dbmaint_total_table_day(day timestamptz)
RETURNS SETOF dbmaint_daily_tables
LANGUAGE sql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    WITH taken AS (
        SELECT s.database_oid, count(*)::int AS snapshots,
               sum(s.interval_ms) / 3600000 AS observed_hours, bool_and(s.complete) AS complete
          FROM @extschema@.dbmaint_table_snapshots AS s
         WHERE s.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
           AND s.taken_at > $1 AND s.taken_at <= $1 + interval '24 hours'
         GROUP BY s.database_oid
    ), by_index AS (
        SELECT t.object_id, sum(x.idx_scan) AS idx_scan
          FROM taken AS k
         CROSS JOIN LATERAL (SELECT v.object_id, sum(v.idx_scan) AS idx_scan
                               FROM @extschema@.dbmaint_index_snapshots AS s
                              CROSS JOIN LATERAL ROWS FROM (@extschema@.dbmaint_unpack(s.object_ids),
                                                            @extschema@.dbmaint_unpack(s.idx_scan)) AS v(object_id, idx_scan)
                              WHERE s.database_oid = k.database_oid AND s.interval_ms IS NOT NULL
                                AND s.taken_at > $1 AND s.taken_at <= $1 + interval '24 hours'
                              GROUP BY v.object_id) AS x
          JOIN @extschema@.dbmaint_objects AS i
            ON i.database_oid = k.database_oid AND i.kind = 'i' AND i.object_id = x.object_id
          -- of tables that had the same oid one after the other, the latest
          JOIN (SELECT o.database_oid, o.relation_oid, max(o.object_id) AS object_id
                  FROM @extschema@.dbmaint_objects AS o WHERE o.kind = 't'
                 GROUP BY o.database_oid, o.relation_oid) AS t
            ON t.database_oid = k.database_oid AND t.relation_oid = i.table_oid
         WHERE x.idx_scan > 0
         GROUP BY t.object_id
    ), sums AS (
        SELECT coalesce(h.object_id, i.object_id)::bigint AS id, h.*, i.idx_scan
          FROM (SELECT h.object_id,
                       sum(h.seq_scan) AS seq_scan, sum(h.seq_tup_read) AS seq_tup_read,
                       sum(h.n_tup_ins) AS n_tup_ins, sum(h.n_tup_upd) AS n_tup_upd,
                       sum(h.n_tup_del) AS n_tup_del, sum(h.n_tup_hot_upd) AS n_tup_hot_upd,
                       sum(h.heap_blks_read) AS heap_blks_read, sum(h.heap_blks_hit) AS heap_blks_hit,
                       sum(h.vacuum_count) AS vacuum_count, sum(h.autovacuum_count) AS autovacuum_count,
                       sum(h.analyze_count) AS analyze_count, sum(h.autoanalyze_count) AS autoanalyze_count,
                       (array_agg(h.n_live_tup ORDER BY h.taken_at DESC))[1] AS n_live_tup,
                       (array_agg(h.n_dead_tup ORDER BY h.taken_at DESC))[1] AS n_dead_tup,
                       (array_agg(h.table_bytes ORDER BY h.taken_at DESC))[1] AS table_bytes,
                       (array_agg(h.toast_bytes ORDER BY h.taken_at DESC))[1] AS toast_bytes,
                       sum(h.grown_bytes) AS grown_bytes
                  FROM @extschema@.dbmaint_table_history AS h
                 WHERE h.taken_at > $1 AND h.taken_at <= $1 + interval '24 hours'
                 GROUP BY h.object_id) AS h
          FULL JOIN by_index AS i ON i.object_id = h.object_id
    ), lists AS (
        SELECT coalesce(array_agg(s.id ORDER BY s.id), '{}'::bigint[])::@extschema@.dbmaint_packed AS ids,
               array_agg(least(coalesce(s.seq_scan, 0), 9223372036854775807)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS seq_scan,
               array_agg(least(coalesce(s.seq_tup_read, 0), 9223372036854775807)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS seq_tup_read,
               array_agg(least(coalesce(s.idx_scan, 0), 9223372036854775807)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS idx_scan,
               array_agg(least(coalesce(s.n_tup_ins, 0), 9223372036854775807)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS n_tup_ins,
               array_agg(least(coalesce(s.n_tup_upd, 0), 9223372036854775807)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS n_tup_upd,
               array_agg(least(coalesce(s.n_tup_del, 0), 9223372036854775807)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS n_tup_del,
               array_agg(least(coalesce(s.n_tup_hot_upd, 0), 9223372036854775807)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS n_tup_hot_upd,
               array_agg(least(coalesce(s.heap_blks_read, 0), 9223372036854775807)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS heap_blks_read,
               array_agg(least(coalesce(s.heap_blks_hit, 0), 9223372036854775807)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS heap_blks_hit,
               array_agg(coalesce(s.vacuum_count, 0)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS vacuum_count,
               array_agg(coalesce(s.autovacuum_count, 0)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS autovacuum_count,
               array_agg(coalesce(s.analyze_count, 0)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS analyze_count,
               array_agg(coalesce(s.autoanalyze_count, 0)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS autoanalyze_count,
               array_agg(coalesce(s.n_live_tup, 0) ORDER BY s.id)::@extschema@.dbmaint_packed AS n_live_tup,
               array_agg(coalesce(s.n_dead_tup, 0) ORDER BY s.id)::@extschema@.dbmaint_packed AS n_dead_tup,
               array_agg(coalesce(s.table_bytes, 0) ORDER BY s.id)::@extschema@.dbmaint_packed AS table_bytes,
               array_agg(coalesce(s.toast_bytes, 0) ORDER BY s.id)::@extschema@.dbmaint_packed AS toast_bytes,
               array_agg(coalesce(s.grown_bytes, 0)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS grown_bytes
          FROM sums AS s
    )
    SELECT $1, t.database_oid, t.snapshots, t.observed_hours, t.complete, l.*
      FROM taken AS t, lists AS l
$$;
COMMENT ON FUNCTION dbmaint_total_table_day(timestamptz) IS
'The row of dbmaint_daily_tables for the day that begins at the given time, from its snapshots and, for idx_scan, from those of indexes. No row where there is none.';

CREATE FUNCTION dbmaint_roll_up_totals(at timestamptz, most_days int)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    me oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    schema name := (SELECT n.nspname FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
                     WHERE t.oid = pg_typeof(NULL::@extschema@.dbmaint_daily_statements));
    today timestamptz := date_trunc('day', at, 'UTC');
    keep_from timestamptz := at - coalesce(current_setting('dbmaint.rollup_retention', true), '730d')::interval;
    look_from timestamptz;
    days timestamptz[];
    made bigint := 0;
    kind record;
BEGIN
    FOR kind IN
        SELECT v.daily, v.snapshot, v.totals
          -- the dearest last: if it takes too long, the others are made
          FROM (VALUES ('dbmaint_daily_pools', 'dbmaint_pool_snapshots', 'dbmaint_total_pool_day'),
                       ('dbmaint_daily_statements', 'dbmaint_statement_snapshots', 'dbmaint_total_statement_day'),
                       ('dbmaint_daily_indexes', 'dbmaint_index_snapshots', 'dbmaint_total_index_day'),
                       ('dbmaint_daily_tables', 'dbmaint_table_snapshots', 'dbmaint_total_table_day')
               ) AS v(daily, snapshot, totals)
    LOOP
        -- yesterday each time; all days when a new one is over
        EXECUTE format('SELECT CASE WHEN max(d.day) < $2 - interval ''24 hours'' OR max(d.day) IS NULL'
                       '            THEN ''-infinity'' ELSE $2 - interval ''24 hours'' END'
                       '  FROM %I.%I AS d WHERE d.database_oid = $1 AND d.day < $2', schema, kind.daily)
           INTO look_from USING me, today;
        -- more snapshots than were added up: some are new, or came late
        EXECUTE format($q$
            SELECT ARRAY(
                SELECT s.day
                  FROM (SELECT date_trunc('day', r.taken_at - interval '1 microsecond', 'UTC') AS day, count(*) AS snapshots
                          FROM %1$I.%2$I AS r
                         WHERE r.database_oid = $1 AND r.taken_at > $2 AND r.taken_at <= $3
                         GROUP BY 1) AS s
                 WHERE s.snapshots > coalesce((SELECT d.snapshots FROM %1$I.%3$I AS d
                                                WHERE d.database_oid = $1 AND d.day = s.day), 0)
                   -- what would expire at once would be made for ever
                   AND s.day >= $4
                 ORDER BY s.day LIMIT $5)$q$, schema, kind.snapshot, kind.daily)
           INTO days USING me, look_from, today, keep_from, most_days - made;
        EXECUTE format('DELETE FROM %I.%I AS d WHERE d.database_oid = $1 AND d.day = ANY ($2)', schema, kind.daily)
          USING me, days;
        EXECUTE format('INSERT INTO %1$I.%2$I SELECT t.* FROM unnest($1) AS o(day), LATERAL %1$I.%3$I(o.day) AS t'
                       ' ON CONFLICT DO NOTHING', schema, kind.daily, kind.totals)
          USING days;
        made := made + cardinality(days);
        EXIT WHEN made >= most_days;
    END LOOP;
    RETURN made;
END
$$;
COMMENT ON FUNCTION dbmaint_roll_up_totals(timestamptz, int) IS
'Adds up the snapshots of pools, statements, indexes and tables of days that were over at the given time and are not rolled up with all their snapshots: at most most_days rows, oldest first; returns how many. Part of dbmaint_roll_up().';

REVOKE ALL ON dbmaint_daily_statements, dbmaint_daily_indexes, dbmaint_daily_tables FROM PUBLIC;
GRANT SELECT ON dbmaint_daily_statements, dbmaint_daily_indexes, dbmaint_daily_tables TO pg_monitor;
REVOKE ALL ON FUNCTION dbmaint_total_statement_day(timestamptz), dbmaint_total_index_day(timestamptz),
    dbmaint_total_table_day(timestamptz), dbmaint_roll_up_totals(timestamptz, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_total_statement_day(timestamptz), dbmaint_total_index_day(timestamptz),
    dbmaint_total_table_day(timestamptz) TO pg_monitor;
