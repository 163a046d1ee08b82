-- src/object/table_health.sql: how well each table is looked after.

CREATE FUNCTION dbmaint_table_bloat_ratio(table_oid oid)
RETURNS float8
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '10ms'
AS $$
DECLARE
    ratio float8;
BEGIN
    SELECT b.bloat_bytes::float8 / nullif(b.table_bytes, 0) INTO ratio
      FROM @extschema@.dbmaint_table_bloat(table_oid::regclass, 100, NULL::bigint) AS b;
    RETURN ratio;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;            -- locked, gone, or not what can be measured
END
$$;
COMMENT ON FUNCTION dbmaint_table_bloat_ratio(oid) IS
'Share of a table that a rewrite would free, from 0 to 1, by dbmaint_table_bloat() with 100 pages; NULL where that cannot tell';

CREATE FUNCTION dbmaint_table_health(
    lookback interval DEFAULT '1 day', with_bloat bool DEFAULT false,
    OUT schemaname text, OUT tablename text, OUT status text,
    OUT decided_by text, OUT advice text, OUT statement text,
    OUT total_bytes bigint, OUT table_bytes bigint, OUT index_bytes bigint,
    OUT toast_bytes bigint, OUT grown_bytes bigint,
    OUT live_tuples bigint, OUT dead_tuples bigint, OUT dead_ratio float8,
    OUT modified_since_analyze bigint, OUT last_vacuum timestamptz,
    OUT last_autovacuum timestamptz, OUT last_analyze timestamptz,
    OUT last_autoanalyze timestamptz, OUT freeze_age int,
    OUT multixact_age int, OUT inserted bigint, OUT updated bigint,
    OUT deleted bigint, OUT hot_ratio float8, OUT seq_scans bigint,
    OUT seq_tup_read bigint, OUT idx_scans bigint, OUT bloat_ratio float8,
    OUT counted_from timestamptz, OUT counted_by text)
RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    half_of_ids CONSTANT float8 := 2.0 ^ 30;
    bloat_from_bytes CONSTANT bigint := 8 * 1024 * 1024;
    freeze_limit CONSTANT float8 := 1.2 * current_setting('autovacuum_freeze_max_age')::float8;
    multixact_limit CONSTANT float8 := 1.2 * current_setting('autovacuum_multixact_freeze_max_age')::float8;
    analyze_threshold CONSTANT int := current_setting('autovacuum_analyze_threshold');
    standby CONSTANT bool := pg_is_in_recovery();
    this_database CONSTANT oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    database_reset CONSTANT timestamptz := pg_stat_get_db_stat_reset_time(this_database);
    covered_from timestamptz;
    from_at timestamptz;
    x record;
    ages float8;
    stale_after timestamptz;
BEGIN
    IF lookback IS NULL OR lookback <= interval '0' THEN
        RAISE EXCEPTION 'lookback must be a positive interval'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'For example: dbmaint_table_health(''1 day'').';
    END IF;
    from_at := @extschema@.dbmaint_time_before(now(), lookback);
    stale_after := now() - interval '7 days';

    SELECT min(s.taken_at - s.interval_ms * interval '1 ms')
      INTO covered_from
      FROM @extschema@.dbmaint_table_snapshots AS s
     WHERE s.database_oid = this_database AND s.taken_at > from_at AND s.interval_ms > 0;

    FOR x IN
        WITH sizes AS (
            SELECT i.indrelid, sum(@extschema@.dbmaint_relation_bytes(i.indexrelid))::bigint AS bytes
              FROM pg_index AS i GROUP BY 1
        )
        SELECT c.oid, n.nspname, c.relname, c.relkind, s.*,
               @extschema@.dbmaint_relation_bytes(c.oid) AS bytes,
               coalesce(z.bytes, 0) AS index_bytes,
               CASE WHEN c.reltoastrelid <> 0
                    THEN @extschema@.dbmaint_relation_bytes(c.reltoastrelid) + coalesce(tz.bytes, 0)
                    ELSE 0 END AS toast_bytes,
               CASE WHEN c.relfrozenxid <> '0' THEN
                    greatest(age(c.relfrozenxid), CASE WHEN t.relfrozenxid <> '0' THEN age(t.relfrozenxid) END) END AS xid_age,
               CASE WHEN c.relminmxid <> '0' THEN
                    greatest(mxid_age(c.relminmxid), CASE WHEN t.relminmxid <> '0' THEN mxid_age(t.relminmxid) END) END AS mxid_age,
               greatest(database_reset, s.stats_reset) AS since,
               h.seq_scan AS h_seq_scan, h.seq_tup_read AS h_seq_tup_read,
               h.idx_scan AS h_idx_scan, h.n_tup_ins AS h_ins, h.n_tup_upd AS h_upd,
               h.n_tup_del AS h_del, h.n_tup_hot_upd AS h_hot, h.grown_bytes AS h_grown
          FROM @extschema@.dbmaint_table_statistics() AS s
          JOIN pg_class AS c ON c.oid = s.table_oid
          JOIN pg_namespace AS n ON n.oid = c.relnamespace
          LEFT JOIN pg_class AS t ON t.oid = c.reltoastrelid AND c.reltoastrelid <> 0
          LEFT JOIN sizes AS z ON z.indrelid = c.oid
          LEFT JOIN sizes AS tz ON tz.indrelid = c.reltoastrelid
          LEFT JOIN @extschema@.dbmaint_table_totals(from_at, 'infinity'::timestamptz) AS h
                 ON covered_from IS NOT NULL AND h.relation_oid = c.oid
         WHERE c.relpersistence <> 't'
         ORDER BY n.nspname, c.relname
    LOOP
        schemaname := x.nspname;
        tablename := x.relname;
        table_bytes := x.bytes;
        index_bytes := x.index_bytes;
        toast_bytes := x.toast_bytes;
        total_bytes := x.bytes + x.index_bytes + x.toast_bytes;
        live_tuples := x.n_live_tup;
        dead_tuples := x.n_dead_tup;
        dead_ratio := x.n_dead_tup::float8 / nullif(x.n_live_tup + x.n_dead_tup, 0);
        modified_since_analyze := x.n_mod_since_analyze;
        last_vacuum := x.last_vacuum;
        last_autovacuum := x.last_autovacuum;
        last_analyze := x.last_analyze;
        last_autoanalyze := x.last_autoanalyze;
        freeze_age := x.xid_age;
        multixact_age := x.mxid_age;
        IF covered_from IS NOT NULL THEN
            counted_from := covered_from;
            counted_by := 'history';
            inserted := coalesce(x.h_ins, 0);
            updated := coalesce(x.h_upd, 0);
            deleted := coalesce(x.h_del, 0);
            hot_ratio := x.h_hot::float8 / nullif(x.h_upd, 0);
            seq_scans := coalesce(x.h_seq_scan, 0);
            seq_tup_read := coalesce(x.h_seq_tup_read, 0);
            idx_scans := coalesce(x.h_idx_scan, 0);
            grown_bytes := coalesce(x.h_grown, 0);
        ELSE
            counted_from := x.since;
            counted_by := 'statistics';
            inserted := x.n_tup_ins;
            updated := x.n_tup_upd;
            deleted := x.n_tup_del;
            hot_ratio := x.n_tup_hot_upd::float8 / nullif(x.n_tup_upd, 0);
            seq_scans := x.seq_scan;
            seq_tup_read := x.seq_tup_read;
            idx_scans := x.idx_scan;
            grown_bytes := NULL;
        END IF;
        bloat_ratio := NULL;
        IF with_bloat AND x.bytes >= bloat_from_bytes THEN
            bloat_ratio := @extschema@.dbmaint_table_bloat_ratio(x.oid);
        END IF;

        ages := greatest(x.xid_age, x.mxid_age);
        statement := NULL;
        IF ages > half_of_ids OR x.xid_age > freeze_limit OR x.mxid_age > multixact_limit THEN
            status := CASE WHEN ages > 1.5 * half_of_ids THEN 'emergency'
                           WHEN ages > half_of_ids THEN 'critical' ELSE 'warning' END;
            decided_by := 'freeze_age';
            advice := 'Autovacuum does not freeze it: end what holds it back (long transactions, prepared ones, slots), then vacuum it.';
            statement := format('VACUUM (FREEZE, VERBOSE) %I.%I;', schemaname, tablename);
        ELSIF standby THEN
            status := 'unknown';
            decided_by := 'standby';
            advice := 'A standby has no statistics of what was written: ask the primary.';
        ELSIF dead_ratio > 0.2 AND dead_tuples > 1000 THEN
            status := 'warning';
            decided_by := 'dead_ratio';
            advice := format('%s %% of its rows are dead; lower its autovacuum_vacuum_scale_factor if they come back.',
                             round((dead_ratio * 100)::numeric, 1));
            statement := format('VACUUM (ANALYZE) %I.%I;', schemaname, tablename);
        ELSIF greatest(x.last_analyze, x.last_autoanalyze) < stale_after AND x.n_mod_since_analyze > 0
              OR coalesce(x.last_analyze, x.last_autoanalyze) IS NULL
                 AND x.n_mod_since_analyze > analyze_threshold THEN
            status := 'warning';
            decided_by := 'analyze';
            advice := format('The planner does not know %s changes; lower its autovacuum_analyze_scale_factor if it happens again.',
                             x.n_mod_since_analyze);
            statement := format('ANALYZE %I.%I;', schemaname, tablename);
        ELSIF bloat_ratio >= 0.5 THEN
            status := 'warning';
            decided_by := 'bloat';
            advice := format('About %s are bloat. Plain VACUUM lets them be used again; to give them back, rewrite the table in a maintenance window (VACUUM FULL locks it, pg_repack does not).',
                             pg_size_pretty((bloat_ratio * table_bytes)::bigint));
            statement := format('VACUUM (ANALYZE) %I.%I;', schemaname, tablename);
        ELSIF x.relkind = 'p' AND coalesce(x.last_analyze, x.last_autoanalyze) IS NULL THEN
            status := 'warning';
            decided_by := 'analyze';
            advice := 'Autovacuum analyzes its partitions but never a partitioned table itself.';
            statement := format('ANALYZE %I.%I;', schemaname, tablename);
        ELSE
            status := 'ok';
            decided_by := NULL;
            advice := NULL;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION dbmaint_table_health(interval, bool) IS
'Each user table and materialized view: sizes in bytes (by the files, without a lock), rows live and dead, when it was vacuumed and analyzed, the age of its oldest transaction and multixact id, what it did in the last lookback by the history (counted_by history; without a snapshot in that time by the server''s statistics, since counted_from), its status (ok, warning, critical, emergency, unknown), the signal that decided it (freeze_age, dead_ratio, analyze, bloat, standby), what to do and the statement for it. Limits are the runbooks'': over 20 % dead of more than 1,000 dead rows; changed and analyzed over 7 days ago, or never; ids as in the health check transaction_id_age; half of it bloat, that a rewrite would free (measured if with_bloat is true, for tables from 8 MB on). dead_ratio and hot_ratio are from 0 to 1; ages are NULL for a partitioned table. Temporary tables are left out.';

CREATE FUNCTION dbmaint_autovacuum_activity(
    OUT pid int, OUT schemaname text, OUT tablename text, OUT started_by text,
    OUT phase text, OUT heap_blks_total bigint, OUT heap_blks_scanned bigint,
    OUT heap_blks_vacuumed bigint, OUT scanned_ratio float8,
    OUT running_ms float8)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p.pid, n.nspname::text, c.relname::text,
           CASE WHEN a.backend_type = 'autovacuum worker' THEN 'autovacuum' ELSE 'a session' END,
           p.phase, p.heap_blks_total, p.heap_blks_scanned, p.heap_blks_vacuumed,
           p.heap_blks_scanned::float8 / nullif(p.heap_blks_total, 0),
           extract(epoch FROM clock_timestamp() - a.xact_start)::float8 * 1000
      FROM pg_stat_progress_vacuum AS p
      LEFT JOIN pg_class AS c ON c.oid = p.relid
      LEFT JOIN pg_namespace AS n ON n.oid = c.relnamespace
      LEFT JOIN pg_stat_activity AS a ON a.pid = p.pid
     WHERE p.datid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
     ORDER BY a.xact_start
$$;
COMMENT ON FUNCTION dbmaint_autovacuum_activity() IS
'The VACUUMs that run in this database now, by autovacuum or by a session: their phase, how far they are in blocks, the share of the table scanned (from 0 to 1), and for how long they have been running in milliseconds';

REVOKE ALL ON FUNCTION dbmaint_table_bloat_ratio(oid),
    dbmaint_table_health(interval, bool), dbmaint_autovacuum_activity() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_table_bloat_ratio(oid),
    dbmaint_table_health(interval, bool), dbmaint_autovacuum_activity() TO pg_monitor;
