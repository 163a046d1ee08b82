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
 * A day keeps apart those that did most; the others are added up under the id
 * 0.  Two years of every statement would be 100 MB.  Of indexes and tables
 * months keep all, see rollup_months.sql.
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
'One row a day (of UTC) of the history of indexes, kept for dbmaint.rollup_retention: those that changed, with the sums of the day''s snapshots; when its month has it, those that did most, and the sum of all others under the id 0, so that sums are those of all. dbmaint_index_daily has the rows.';
COMMENT ON COLUMN dbmaint_daily_indexes.idx_scan IS
'Increase over the day or month: scans begun on it.';
COMMENT ON COLUMN dbmaint_daily_indexes.idx_tup_read IS
'Increase over the day or month: index entries that its scans returned.';
COMMENT ON COLUMN dbmaint_daily_indexes.idx_tup_fetch IS
'Increase over the day or month: live table rows that plain scans of it fetched.';
COMMENT ON COLUMN dbmaint_daily_indexes.idx_blks_read IS
'Increase over the day or month: its blocks read from outside the buffer cache.';
COMMENT ON COLUMN dbmaint_daily_indexes.idx_blks_hit IS
'Increase over the day or month: its blocks found in the buffer cache.';
COMMENT ON COLUMN dbmaint_daily_indexes.index_bytes IS
'Its size at the last snapshot of the day or month that has it, in bytes.';
COMMENT ON COLUMN dbmaint_daily_indexes.grown_bytes IS
'By how much it grew over the day or month, in bytes; negative where it shrank.';

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
'One row a day (of UTC) of the history of tables, kept for dbmaint.rollup_retention: those that changed, with the sums of the day''s snapshots; when its month has it, those that did most, and the sum of all others under the id 0, so that sums are those of all. dbmaint_table_daily has the rows.';
COMMENT ON COLUMN dbmaint_daily_tables.seq_scan IS
'Increase over the day or month: sequential scans begun on it.';
COMMENT ON COLUMN dbmaint_daily_tables.seq_tup_read IS
'Increase over the day or month: live rows that sequential scans read.';
COMMENT ON COLUMN dbmaint_daily_tables.idx_scan IS
'Increase over the day or month: scans begun on its indexes.';
COMMENT ON COLUMN dbmaint_daily_tables.n_tup_ins IS
'Increase over the day or month: rows inserted.';
COMMENT ON COLUMN dbmaint_daily_tables.n_tup_upd IS
'Increase over the day or month: rows updated.';
COMMENT ON COLUMN dbmaint_daily_tables.n_tup_del IS
'Increase over the day or month: rows deleted.';
COMMENT ON COLUMN dbmaint_daily_tables.n_tup_hot_upd IS
'Increase over the day or month: rows updated without a new index entry.';
COMMENT ON COLUMN dbmaint_daily_tables.heap_blks_read IS
'Increase over the day or month: its blocks read from outside the buffer cache.';
COMMENT ON COLUMN dbmaint_daily_tables.heap_blks_hit IS
'Increase over the day or month: its blocks found in the buffer cache.';
COMMENT ON COLUMN dbmaint_daily_tables.vacuum_count IS
'Increase over the day or month: times it was vacuumed by hand.';
COMMENT ON COLUMN dbmaint_daily_tables.autovacuum_count IS
'Increase over the day or month: times autovacuum vacuumed it.';
COMMENT ON COLUMN dbmaint_daily_tables.analyze_count IS
'Increase over the day or month: times it was analyzed by hand.';
COMMENT ON COLUMN dbmaint_daily_tables.autoanalyze_count IS
'Increase over the day or month: times autovacuum analyzed it.';
COMMENT ON COLUMN dbmaint_daily_tables.n_live_tup IS
'Estimated live rows at the last snapshot of the day or month that has it; 0 where only its indexes changed.';
COMMENT ON COLUMN dbmaint_daily_tables.n_dead_tup IS
'Estimated dead rows at the last snapshot of the day or month that has it.';
COMMENT ON COLUMN dbmaint_daily_tables.table_bytes IS
'Its size without indexes and TOAST at the last snapshot of the day or month that has it, in bytes; 0 where only its indexes changed.';
COMMENT ON COLUMN dbmaint_daily_tables.toast_bytes IS
'Size of its TOAST table without that one''s index at the last snapshot of the day or month that has it, in bytes.';
COMMENT ON COLUMN dbmaint_daily_tables.grown_bytes IS
'By how much it grew over the day or month, in bytes; negative where it shrank.';

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
                        'The objects that changed, ascending, see dbmaint_objects; 0 stands for all that are not listed. The other lists are in the same order.') AS description
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

CREATE TABLE dbmaint_monthly_indexes (LIKE dbmaint_daily_indexes INCLUDING COMMENTS INCLUDING COMPRESSION);
ALTER TABLE dbmaint_monthly_indexes RENAME COLUMN day TO month;
ALTER TABLE dbmaint_monthly_indexes ADD PRIMARY KEY (database_oid, month);
COMMENT ON TABLE dbmaint_monthly_indexes IS
'One row a month (of UTC) of the history of indexes, kept for dbmaint.rollup_retention: every index that changed in it. A day is added two days after its end; dbmaint_index_monthly() has the rows, and the days that are not in it yet.';
COMMENT ON COLUMN dbmaint_monthly_indexes.month IS
'When the month began.';
CREATE TABLE dbmaint_monthly_tables (LIKE dbmaint_daily_tables INCLUDING COMMENTS INCLUDING COMPRESSION);
ALTER TABLE dbmaint_monthly_tables RENAME COLUMN day TO month;
ALTER TABLE dbmaint_monthly_tables ADD PRIMARY KEY (database_oid, month);
COMMENT ON TABLE dbmaint_monthly_tables IS
'One row a month (of UTC) of the history of tables, kept for dbmaint.rollup_retention: every table that changed, or was scanned by an index. A day is added two days after its end; dbmaint_table_monthly() has the rows, and the days that are not in it yet.';
COMMENT ON COLUMN dbmaint_monthly_tables.month IS
'When the month began.';

ALTER TABLE dbmaint_daily_indexes ADD COLUMN in_month boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN dbmaint_daily_indexes.in_month IS
'Whether dbmaint_monthly_indexes has the day, and the row only lists those that did most.';
ALTER TABLE dbmaint_daily_tables ADD COLUMN in_month boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN dbmaint_daily_tables.in_month IS
'Whether dbmaint_monthly_tables has the day, and the row only lists those that did most.';

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
               -- what a review names: 230 at most
               row_number() OVER (ORDER BY t.total_exec_time_ms DESC, t.statement_id) <= 100
               OR t.calls > 0 AND row_number() OVER (ORDER BY t.calls DESC, t.statement_id) <= 40
               OR t.shared_blks_read > 0 AND row_number() OVER (ORDER BY t.shared_blks_read DESC, t.statement_id) <= 30
               OR t.temp_blks_written > 0 AND row_number() OVER (ORDER BY t.temp_blks_written DESC, t.statement_id) <= 30
               OR t.wal_bytes > 0 AND row_number() OVER (ORDER BY t.wal_bytes DESC NULLS LAST, t.statement_id) <= 30 AS listed
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
'The row of dbmaint_daily_statements for the day that begins at the given time, from its snapshots: apart are the 100 statements that took most time, the 40 that ran most often, and the 30 that read or spilled most blocks or wrote most WAL. No row where there is no snapshot.';

CREATE FUNCTION dbmaint_total_index_day(day timestamptz)
RETURNS SETOF dbmaint_daily_indexes
LANGUAGE sql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    SELECT $1, t.database_oid, t.snapshots, t.observed_hours, t.complete,
           t.list[1], t.list[2], t.list[3], t.list[4], t.list[5], t.list[6], t.list[8], t.list[7], false
      FROM (SELECT max(s.database_oid) AS database_oid, count(*)::int AS snapshots,
                   sum(s.interval_ms) / 3600000 AS observed_hours, bool_and(s.complete) AS complete,
                   @extschema@.dbmaint_packed_total(s.object_ids,
                       CASE WHEN s.interval_ms IS NOT NULL
                            THEN ARRAY[s.idx_scan, s.idx_tup_read, s.idx_tup_fetch, s.idx_blks_read, s.idx_blks_hit, s.grown_bytes]
                            -- a first snapshot knows no increases
                            ELSE array_fill(NULL::@extschema@.dbmaint_packed, ARRAY[6]) END,
                       ARRAY[s.index_bytes]) AS list
              FROM (SELECT s.* FROM @extschema@.dbmaint_index_snapshots AS s
                     WHERE s.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                       AND s.taken_at > $1 AND s.taken_at <= $1 + interval '24 hours'
                     ORDER BY s.taken_at) AS s) AS t
     WHERE t.snapshots > 0
$$;
COMMENT ON FUNCTION dbmaint_total_index_day(timestamptz) IS
'The row of dbmaint_daily_indexes for the day that begins at the given time, with every index, from its snapshots. No row where there is none.';

CREATE FUNCTION dbmaint_total_table_scans(day timestamptz,
    OUT object_ids dbmaint_packed, OUT idx_scan dbmaint_packed)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    WITH me AS (
        SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()
    ), by_index AS MATERIALIZED (
        SELECT v.object_id::int AS object_id, v.idx_scan
          FROM (SELECT @extschema@.dbmaint_packed_total(s.object_ids, ARRAY[s.idx_scan], NULL::@extschema@.dbmaint_packed[]) AS list
                  FROM @extschema@.dbmaint_index_snapshots AS s, me
                 WHERE s.database_oid = me.oid AND s.interval_ms IS NOT NULL
                   AND s.taken_at > $1 AND s.taken_at <= $1 + interval '24 hours') AS t
         CROSS JOIN LATERAL ROWS FROM (@extschema@.dbmaint_unpack(t.list[1]), @extschema@.dbmaint_unpack(t.list[2])) AS v(object_id, idx_scan)
         WHERE v.idx_scan > 0
    ), by_table AS (
        SELECT t.object_id::bigint AS object_id, least(sum(x.idx_scan), 9223372036854775807)::bigint AS idx_scan
          FROM by_index AS x
          JOIN @extschema@.dbmaint_objects AS i ON i.kind = 'i' AND i.object_id = x.object_id
          -- of tables that had the same oid one after the other, the latest
          JOIN (SELECT o.relation_oid, max(o.object_id) AS object_id
                  FROM @extschema@.dbmaint_objects AS o, me
                 WHERE o.database_oid = me.oid AND o.kind = 't'
                 GROUP BY o.relation_oid) AS t ON t.relation_oid = i.table_oid
         WHERE i.database_oid = (SELECT me.oid FROM me)
         GROUP BY t.object_id
    )
    SELECT array_agg(t.object_id ORDER BY t.object_id)::@extschema@.dbmaint_packed,
           array_agg(t.idx_scan ORDER BY t.object_id)::@extschema@.dbmaint_packed
      FROM by_table AS t
$$;
COMMENT ON FUNCTION dbmaint_total_table_scans(timestamptz) IS
'The tables whose indexes were scanned on the day that begins at the given time, and how often, from the snapshots of indexes; NULL where none was. Part of dbmaint_total_table_day().';

CREATE FUNCTION dbmaint_total_table_day(day timestamptz)
RETURNS SETOF dbmaint_daily_tables
LANGUAGE sql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    SELECT $1, t.database_oid, t.snapshots, t.observed_hours, t.complete,
           t.list[1], t.list[2], t.list[3], t.list[4], t.list[5], t.list[6], t.list[7], t.list[8], t.list[9],
           t.list[10], t.list[11], t.list[12], t.list[13], t.list[14], t.list[16], t.list[17], t.list[18], t.list[19],
           t.list[15], false
      FROM (SELECT max(s.database_oid) AS database_oid, count(s.taken_at)::int AS snapshots,
                   sum(s.interval_ms) / 3600000 AS observed_hours, bool_and(s.complete) AS complete,
                   @extschema@.dbmaint_packed_total(s.object_ids, s.sums, s.lasts) AS list
              FROM (-- first: what it does not know is known by the snapshots
                    SELECT NULL::timestamptz AS taken_at, NULL::oid AS database_oid, NULL::float8 AS interval_ms,
                           NULL::boolean AS complete, x.object_ids,
                           ARRAY[NULL, NULL, x.idx_scan, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL] AS sums,
                           array_fill(NULL::@extschema@.dbmaint_packed, ARRAY[4]) AS lasts
                      FROM @extschema@.dbmaint_total_table_scans($1) AS x
                    UNION ALL
                    (SELECT s.taken_at, s.database_oid, s.interval_ms, s.complete, s.object_ids,
                            CASE WHEN s.interval_ms IS NOT NULL
                                 THEN ARRAY[s.seq_scan, s.seq_tup_read, NULL, s.n_tup_ins, s.n_tup_upd, s.n_tup_del, s.n_tup_hot_upd,
                                            s.heap_blks_read, s.heap_blks_hit, s.vacuum_count, s.autovacuum_count,
                                            s.analyze_count, s.autoanalyze_count, s.grown_bytes]
                                 ELSE array_fill(NULL::@extschema@.dbmaint_packed, ARRAY[14]) END,
                            ARRAY[s.n_live_tup, s.n_dead_tup, s.table_bytes, s.toast_bytes]
                       FROM @extschema@.dbmaint_table_snapshots AS s
                      WHERE s.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                        AND s.taken_at > $1 AND s.taken_at <= $1 + interval '24 hours'
                      ORDER BY s.taken_at)) AS s) AS t
     WHERE t.snapshots > 0
$$;
COMMENT ON FUNCTION dbmaint_total_table_day(timestamptz) IS
'The row of dbmaint_daily_tables for the day that begins at the given time, with every table, from its snapshots and, for idx_scan, from those of indexes. No row where there is none.';

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
        SELECT v.daily, v.snapshot, v.totals, v.closed
          -- the dearest last: if it takes too long, the others are made
          FROM (VALUES ('dbmaint_daily_pools', 'dbmaint_pool_snapshots', 'dbmaint_total_pool_day', 'false'),
                       ('dbmaint_daily_statements', 'dbmaint_statement_snapshots', 'dbmaint_total_statement_day', 'false'),
                       -- a day is added to its month once
                       ('dbmaint_daily_indexes', 'dbmaint_index_snapshots', 'dbmaint_total_index_day', 'd.in_month'),
                       ('dbmaint_daily_tables', 'dbmaint_table_snapshots', 'dbmaint_total_table_day', 'd.in_month')
               ) AS v(daily, snapshot, totals, closed)
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
                   AND NOT EXISTS (SELECT FROM %1$I.%3$I AS d WHERE d.database_oid = $1 AND d.day = s.day AND %4$s)
                   -- what would expire at once would be made for ever
                   AND s.day >= $4
                 ORDER BY s.day LIMIT $5)$q$, schema, kind.snapshot, kind.daily, kind.closed)
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
'Adds up the snapshots of pools, statements, indexes and tables of days that were over at the given time and are not rolled up with all their snapshots (and not in their months yet): at most most_days rows, oldest first; returns how many. Part of dbmaint_roll_up().';

REVOKE ALL ON dbmaint_daily_statements, dbmaint_daily_indexes, dbmaint_daily_tables,
    dbmaint_monthly_indexes, dbmaint_monthly_tables FROM PUBLIC;
GRANT SELECT ON dbmaint_daily_statements, dbmaint_daily_indexes, dbmaint_daily_tables,
    dbmaint_monthly_indexes, dbmaint_monthly_tables TO pg_monitor;
REVOKE ALL ON FUNCTION dbmaint_total_statement_day(timestamptz), dbmaint_total_index_day(timestamptz),
    dbmaint_total_table_scans(timestamptz), dbmaint_total_table_day(timestamptz),
    dbmaint_roll_up_totals(timestamptz, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_total_statement_day(timestamptz), dbmaint_total_index_day(timestamptz),
    dbmaint_total_table_scans(timestamptz), dbmaint_total_table_day(timestamptz) TO pg_monitor;
