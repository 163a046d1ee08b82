-- src/history/daily_totals.sql: the days of statements, indexes and tables
-- read back, from rollup_totals.sql's rows where they are made.

CREATE FUNCTION dbmaint_days_of(
    kind anyelement, snapshots regclass, total_day regprocedure,
    from_at timestamptz, to_at timestamptz)
RETURNS SETOF anyelement
LANGUAGE plpgsql STABLE ROWS 30
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF snapshots IS NULL OR total_day IS NULL THEN
        RAISE EXCEPTION 'days are made of snapshots, by a function'
            USING ERRCODE = 'null_value_not_allowed',
                  HINT = 'Call dbmaint_statement_days(), dbmaint_index_days() or dbmaint_table_days().';
    END IF;
    RETURN QUERY EXECUTE format($q$
        WITH me AS (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
        SELECT d.* FROM %1$s AS d, me
         WHERE d.database_oid = me.oid AND d.day >= $1 AND d.day < $2
        UNION ALL
        SELECT t.*
          FROM (SELECT DISTINCT date_trunc('day', s.taken_at - interval '1 microsecond', 'UTC') AS day, s.database_oid
                  FROM %2$s AS s, me
                 WHERE s.database_oid = me.oid AND s.taken_at > $1 AND s.taken_at <= least($2, '200000-01-01 00:00:00+00') + interval '24 hours') AS r,
               LATERAL %3$s(r.day) AS t
         WHERE r.day >= $1 AND r.day < $2
           AND NOT EXISTS (SELECT FROM %1$s AS d
                            WHERE d.database_oid = r.database_oid AND d.day = r.day)$q$,
        pg_typeof(kind), snapshots, total_day::regproc)
      USING from_at, to_at;
END
$$;
COMMENT ON FUNCTION dbmaint_days_of(anyelement, regclass, regprocedure, timestamptz, timestamptz) IS
'The rows of a table of days (kind is a NULL of its row type) that began from one time until before another; of a day that is not rolled up yet (the present one), what total_day() makes of its snapshots so far. Part of dbmaint_statement_days() and its like.';

CREATE FUNCTION dbmaint_statement_days(from_at timestamptz, to_at timestamptz)
RETURNS SETOF dbmaint_daily_statements
LANGUAGE sql STABLE ROWS 30
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.* FROM @extschema@.dbmaint_days_of(
        NULL::@extschema@.dbmaint_daily_statements, '@extschema@.dbmaint_statement_snapshots'::regclass,
        '@extschema@.dbmaint_total_statement_day(timestamptz)'::regprocedure, $1, $2) AS d
$$;
COMMENT ON FUNCTION dbmaint_statement_days(timestamptz, timestamptz) IS
'The rows of dbmaint_daily_statements of the days that began from one time until before another; of a day that is not rolled up yet (the present one), what its snapshots give so far.';

CREATE FUNCTION dbmaint_index_days(from_at timestamptz, to_at timestamptz)
RETURNS SETOF dbmaint_daily_indexes
LANGUAGE sql STABLE ROWS 30
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.* FROM @extschema@.dbmaint_days_of(
        NULL::@extschema@.dbmaint_daily_indexes, '@extschema@.dbmaint_index_snapshots'::regclass,
        '@extschema@.dbmaint_total_index_day(timestamptz)'::regprocedure, $1, $2) AS d
$$;
COMMENT ON FUNCTION dbmaint_index_days(timestamptz, timestamptz) IS
'The rows of dbmaint_daily_indexes, as dbmaint_statement_days() gives those of statements; a day made on the spot lists every index.';

CREATE FUNCTION dbmaint_table_days(from_at timestamptz, to_at timestamptz)
RETURNS SETOF dbmaint_daily_tables
LANGUAGE sql STABLE ROWS 30
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.* FROM @extschema@.dbmaint_days_of(
        NULL::@extschema@.dbmaint_daily_tables, '@extschema@.dbmaint_table_snapshots'::regclass,
        '@extschema@.dbmaint_total_table_day(timestamptz)'::regprocedure, $1, $2) AS d
$$;
COMMENT ON FUNCTION dbmaint_table_days(timestamptz, timestamptz) IS
'The rows of dbmaint_daily_tables, as dbmaint_statement_days() gives those of statements; a day made on the spot lists every table.';

CREATE FUNCTION dbmaint_statement_daily(
    from_at timestamptz DEFAULT now() - interval '30 days', to_at timestamptz DEFAULT now(),
    OUT day timestamptz, OUT complete boolean, OUT observed_hours float8,
    OUT statement_id int, OUT query_id bigint, OUT query text,
    OUT database name, OUT username name, OUT calls bigint,
    OUT total_time_ms float8, OUT mean_time_ms float8, OUT max_time_ms float8,
    OUT "rows" bigint, OUT shared_blocks_hit bigint, OUT shared_blocks_read bigint,
    OUT cache_hit_ratio float8, OUT temp_blocks_written bigint, OUT wal_bytes bigint)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 3000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    SELECT d.day, d.complete, d.observed_hours, nullif(v.id, 0)::int, k.query_id, k.query, b.datname, u.rolname,
           coalesce(v.calls, 0), coalesce(v.us, 0) / 1000.0::float8,
           v.us / 1000.0::float8 / nullif(v.calls, 0), nullif(v.max_us, 0) / 1000.0::float8,
           coalesce(v."rows", 0), coalesce(v.hit, 0), coalesce(v.read, 0),
           v.hit::float8 / nullif(v.hit::float8 + v.read, 0), coalesce(v.temp, 0), coalesce(v.wal, 0)
      FROM @extschema@.dbmaint_statement_days($1, $2) AS d
     CROSS JOIN LATERAL ROWS FROM (
               @extschema@.dbmaint_unpack(d.statement_ids),
               @extschema@.dbmaint_unpack(d.calls),
               @extschema@.dbmaint_unpack(d.total_exec_time_us),
               @extschema@.dbmaint_unpack(d.max_exec_time_us),
               @extschema@.dbmaint_unpack(d."rows"),
               @extschema@.dbmaint_unpack(d.shared_blks_hit),
               @extschema@.dbmaint_unpack(d.shared_blks_read),
               @extschema@.dbmaint_unpack(d.temp_blks_written),
               @extschema@.dbmaint_unpack(d.wal_bytes)
           ) AS v(id, calls, us, max_us, "rows", hit, read, temp, wal)
      LEFT JOIN @extschema@.dbmaint_statements AS k ON k.statement_id = v.id
      LEFT JOIN pg_database AS b ON b.oid = k.database_oid
      LEFT JOIN pg_roles AS u ON u.oid = k.user_oid
     ORDER BY d.day, v.us DESC, v.id
$$;
COMMENT ON FUNCTION dbmaint_statement_daily(timestamptz, timestamptz) IS
'What each statement did on each day (of UTC) that began in the range, those first that took most time: one row for each of the day''s busiest, and one with a NULL statement_id for all others together. Times in milliseconds; max_time_ms is NULL where it is not known (see dbmaint_statement_snapshots). Kept for dbmaint.rollup_retention. Names are NULL where the database or user is no more, the query where its text was not kept.';

CREATE FUNCTION dbmaint_index_rows(d dbmaint_daily_indexes,
    OUT day timestamptz, OUT complete boolean, OUT observed_hours float8, OUT object_id int,
    OUT relation_oid oid, OUT schemaname text, OUT tablename text, OUT indexname text,
    OUT idx_scan bigint, OUT idx_tup_read bigint, OUT idx_tup_fetch bigint,
    OUT idx_blks_read bigint, OUT idx_blks_hit bigint, OUT index_bytes bigint,
    OUT grown_bytes bigint)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 200
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    SELECT d.day, d.complete, d.observed_hours, nullif(v.object_id, 0)::int, o.relation_oid, o.schemaname,
           o.tablename, o.indexname, coalesce(v.idx_scan, 0), coalesce(v.idx_tup_read, 0),
           coalesce(v.idx_tup_fetch, 0), coalesce(v.idx_blks_read, 0), coalesce(v.idx_blks_hit, 0),
           CASE WHEN v.object_id > 0 THEN coalesce(v.index_bytes, 0) END, coalesce(v.grown_bytes, 0)
      FROM ROWS FROM (
               @extschema@.dbmaint_unpack(d.object_ids),
               @extschema@.dbmaint_unpack(d.idx_scan),
               @extschema@.dbmaint_unpack(d.idx_tup_read),
               @extschema@.dbmaint_unpack(d.idx_tup_fetch),
               @extschema@.dbmaint_unpack(d.idx_blks_read),
               @extschema@.dbmaint_unpack(d.idx_blks_hit),
               @extschema@.dbmaint_unpack(d.index_bytes),
               @extschema@.dbmaint_unpack(d.grown_bytes)
           ) AS v(object_id, idx_scan, idx_tup_read, idx_tup_fetch, idx_blks_read, idx_blks_hit,
                index_bytes, grown_bytes)
      LEFT JOIN @extschema@.dbmaint_objects AS o
             ON o.database_oid = d.database_oid AND o.kind = 'i' AND o.object_id = v.object_id
     ORDER BY v.object_id
$$;
COMMENT ON FUNCTION dbmaint_index_rows(dbmaint_daily_indexes) IS
'A row of lists as rows, in the order of object_id. Part of dbmaint_index_daily() and dbmaint_index_monthly().';

CREATE FUNCTION dbmaint_index_daily(
    from_at timestamptz, to_at timestamptz DEFAULT now(),
    OUT day timestamptz, OUT complete boolean, OUT observed_hours float8, OUT object_id int,
    OUT relation_oid oid, OUT schemaname text, OUT tablename text, OUT indexname text,
    OUT idx_scan bigint, OUT idx_tup_read bigint, OUT idx_tup_fetch bigint,
    OUT idx_blks_read bigint, OUT idx_blks_hit bigint, OUT index_bytes bigint,
    OUT grown_bytes bigint)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 3000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT v.* FROM @extschema@.dbmaint_index_days($1, $2) AS d, LATERAL @extschema@.dbmaint_index_rows(d) AS v
     ORDER BY v.day, v.object_id NULLS FIRST
$$;
COMMENT ON FUNCTION dbmaint_index_daily(timestamptz, timestamptz) IS
'Totals of each index on each day (of UTC) that began in the range and had a snapshot in which it changed: increases over the day, its size at its end, and by how much it grew. Of days that are over for two days: of those that did most, and in a row with a NULL object_id of all others together; dbmaint_index_monthly() has each of them by month. complete is false where a sum may lack something. Kept for dbmaint.rollup_retention. Names are the latest ones that a snapshot saw.';

CREATE VIEW dbmaint_index_daily AS
SELECT d.*
  FROM dbmaint_index_daily('-infinity'::pg_catalog.timestamptz, 'infinity'::pg_catalog.timestamptz) AS d;
COMMENT ON VIEW dbmaint_index_daily IS
'Totals of each index on each day (of UTC), for as long as they are kept; the function of the same name reads a range only.';

CREATE FUNCTION dbmaint_table_rows(d dbmaint_daily_tables,
    OUT day timestamptz, OUT complete boolean, OUT observed_hours float8, OUT object_id int,
    OUT relation_oid oid, OUT schemaname text, OUT tablename text, OUT seq_scan bigint,
    OUT seq_tup_read bigint, OUT idx_scan bigint, OUT n_tup_ins bigint, OUT n_tup_upd bigint,
    OUT n_tup_del bigint, OUT n_tup_hot_upd bigint, OUT heap_blks_read bigint,
    OUT heap_blks_hit bigint, OUT vacuum_count bigint, OUT autovacuum_count bigint,
    OUT analyze_count bigint, OUT autoanalyze_count bigint, OUT n_live_tup bigint,
    OUT n_dead_tup bigint, OUT table_bytes bigint, OUT toast_bytes bigint, OUT grown_bytes bigint)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 200
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    SELECT d.day, d.complete, d.observed_hours, nullif(v.object_id, 0)::int, o.relation_oid, o.schemaname,
           o.tablename, coalesce(v.seq_scan, 0), coalesce(v.seq_tup_read, 0),
           coalesce(v.idx_scan, 0), coalesce(v.n_tup_ins, 0), coalesce(v.n_tup_upd, 0),
           coalesce(v.n_tup_del, 0), coalesce(v.n_tup_hot_upd, 0), coalesce(v.heap_blks_read, 0),
           coalesce(v.heap_blks_hit, 0), coalesce(v.vacuum_count, 0),
           coalesce(v.autovacuum_count, 0), coalesce(v.analyze_count, 0),
           coalesce(v.autoanalyze_count, 0), CASE WHEN v.object_id > 0 THEN coalesce(v.n_live_tup, 0) END,
           CASE WHEN v.object_id > 0 THEN coalesce(v.n_dead_tup, 0) END,
           CASE WHEN v.object_id > 0 THEN coalesce(v.table_bytes, 0) END,
           CASE WHEN v.object_id > 0 THEN coalesce(v.toast_bytes, 0) END, coalesce(v.grown_bytes, 0)
      FROM ROWS FROM (
               @extschema@.dbmaint_unpack(d.object_ids),
               @extschema@.dbmaint_unpack(d.seq_scan),
               @extschema@.dbmaint_unpack(d.seq_tup_read),
               @extschema@.dbmaint_unpack(d.idx_scan),
               @extschema@.dbmaint_unpack(d.n_tup_ins),
               @extschema@.dbmaint_unpack(d.n_tup_upd),
               @extschema@.dbmaint_unpack(d.n_tup_del),
               @extschema@.dbmaint_unpack(d.n_tup_hot_upd),
               @extschema@.dbmaint_unpack(d.heap_blks_read),
               @extschema@.dbmaint_unpack(d.heap_blks_hit),
               @extschema@.dbmaint_unpack(d.vacuum_count),
               @extschema@.dbmaint_unpack(d.autovacuum_count),
               @extschema@.dbmaint_unpack(d.analyze_count),
               @extschema@.dbmaint_unpack(d.autoanalyze_count),
               @extschema@.dbmaint_unpack(d.n_live_tup),
               @extschema@.dbmaint_unpack(d.n_dead_tup),
               @extschema@.dbmaint_unpack(d.table_bytes),
               @extschema@.dbmaint_unpack(d.toast_bytes),
               @extschema@.dbmaint_unpack(d.grown_bytes)
           ) AS v(object_id, seq_scan, seq_tup_read, idx_scan, n_tup_ins, n_tup_upd, n_tup_del,
                n_tup_hot_upd, heap_blks_read, heap_blks_hit, vacuum_count, autovacuum_count,
                analyze_count, autoanalyze_count, n_live_tup, n_dead_tup, table_bytes, toast_bytes,
                grown_bytes)
      LEFT JOIN @extschema@.dbmaint_objects AS o
             ON o.database_oid = d.database_oid AND o.kind = 't' AND o.object_id = v.object_id
     ORDER BY v.object_id
$$;
COMMENT ON FUNCTION dbmaint_table_rows(dbmaint_daily_tables) IS
'A row of lists as rows, in the order of object_id. Part of dbmaint_table_daily() and dbmaint_table_monthly().';

CREATE FUNCTION dbmaint_table_daily(
    from_at timestamptz, to_at timestamptz DEFAULT now(),
    OUT day timestamptz, OUT complete boolean, OUT observed_hours float8, OUT object_id int,
    OUT relation_oid oid, OUT schemaname text, OUT tablename text, OUT seq_scan bigint,
    OUT seq_tup_read bigint, OUT idx_scan bigint, OUT n_tup_ins bigint, OUT n_tup_upd bigint,
    OUT n_tup_del bigint, OUT n_tup_hot_upd bigint, OUT heap_blks_read bigint,
    OUT heap_blks_hit bigint, OUT vacuum_count bigint, OUT autovacuum_count bigint,
    OUT analyze_count bigint, OUT autoanalyze_count bigint, OUT n_live_tup bigint,
    OUT n_dead_tup bigint, OUT table_bytes bigint, OUT toast_bytes bigint, OUT grown_bytes bigint)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 3000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT v.* FROM @extschema@.dbmaint_table_days($1, $2) AS d, LATERAL @extschema@.dbmaint_table_rows(d) AS v
     ORDER BY v.day, v.object_id NULLS FIRST
$$;
COMMENT ON FUNCTION dbmaint_table_daily(timestamptz, timestamptz) IS
'Totals of each table on each day (of UTC) that began in the range and had a snapshot in which it or an index of it changed: increases over the day, what it was at its end, and by how much it and its TOAST table grew. Of days that are over for two days: of those that did most, and in a row with a NULL object_id of all others together; dbmaint_table_monthly() has each of them by month. complete is false where a sum may lack something. Kept for dbmaint.rollup_retention. Names are the latest ones that a snapshot saw.';

CREATE VIEW dbmaint_table_daily AS
SELECT d.*
  FROM dbmaint_table_daily('-infinity'::pg_catalog.timestamptz, 'infinity'::pg_catalog.timestamptz) AS d;
COMMENT ON VIEW dbmaint_table_daily IS
'Totals of each table on each day (of UTC), for as long as they are kept; the function of the same name reads a range only.';

REVOKE ALL ON dbmaint_index_daily, dbmaint_table_daily FROM PUBLIC;
GRANT SELECT ON dbmaint_index_daily, dbmaint_table_daily TO pg_monitor;
REVOKE ALL ON FUNCTION dbmaint_days_of(anyelement, regclass, regprocedure, timestamptz, timestamptz),
    dbmaint_statement_days(timestamptz, timestamptz),
    dbmaint_index_days(timestamptz, timestamptz), dbmaint_table_days(timestamptz, timestamptz),
    dbmaint_statement_daily(timestamptz, timestamptz),
    dbmaint_index_rows(dbmaint_daily_indexes), dbmaint_table_rows(dbmaint_daily_tables),
    dbmaint_index_daily(timestamptz, timestamptz), dbmaint_table_daily(timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_days_of(anyelement, regclass, regprocedure, timestamptz, timestamptz),
    dbmaint_statement_days(timestamptz, timestamptz),
    dbmaint_index_days(timestamptz, timestamptz), dbmaint_table_days(timestamptz, timestamptz),
    dbmaint_statement_daily(timestamptz, timestamptz),
    dbmaint_index_rows(dbmaint_daily_indexes), dbmaint_table_rows(dbmaint_daily_tables),
    dbmaint_index_daily(timestamptz, timestamptz), dbmaint_table_daily(timestamptz, timestamptz) TO pg_monitor;
