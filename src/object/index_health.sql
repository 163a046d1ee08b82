-- src/object/index_health.sql: how well each index does.
--
-- The runbooks judge an index by idx_tup_fetch / idx_tup_read.  A bitmap scan
-- counts in idx_tup_read but not in the index's idx_tup_fetch, and an
-- index-only scan fetches nothing, so that formula alone finds the best
-- indexes at fault.  It is shown as it is, and decides together with the hit
-- ratio of the index's blocks.

CREATE FUNCTION dbmaint_index_status(efficiency float8, hit_ratio float8,
    critical bool, OUT status text, OUT decided_by text)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    grades CONSTANT text[] := ARRAY['ok', 'warning', 'critical', 'emergency'];
    by_efficiency text;
    by_hits text;
BEGIN
    -- the runbook's limits: below 85 %, below 80 %, below 70 %
    by_efficiency := CASE WHEN efficiency < 70 THEN 'emergency' WHEN efficiency < 80 THEN 'critical'
                          WHEN efficiency < 85 THEN 'warning' WHEN efficiency IS NOT NULL THEN 'ok' END;
    by_hits := CASE WHEN hit_ratio < 0.70 THEN 'emergency' WHEN hit_ratio < 0.80 THEN 'critical'
                    WHEN hit_ratio < 0.85 THEN 'warning' WHEN hit_ratio IS NOT NULL THEN 'ok' END;

    IF by_efficiency IS NULL AND by_hits IS NULL THEN
        status := 'unknown';
        decided_by := 'traffic';
    ELSIF by_hits IS NULL THEN
        status := by_efficiency;
        decided_by := 'efficiency';
    ELSIF by_efficiency IS NULL OR by_efficiency = 'ok' AND by_hits <> 'ok' THEN
        status := by_hits;
        decided_by := 'hit_ratio';
    ELSIF by_hits = 'ok' AND by_efficiency <> 'ok' THEN
        -- its blocks are in the cache: bitmap and index-only scans, not trouble
        status := 'ok';
        decided_by := 'hit_ratio';
    ELSIF array_position(grades, by_hits) > array_position(grades, by_efficiency) THEN
        status := by_hits;
        decided_by := 'hit_ratio';
    ELSE
        status := by_efficiency;
        decided_by := 'efficiency';
    END IF;

    -- the limits are those of critical indexes
    IF NOT critical AND status IN ('critical', 'emergency') THEN
        status := 'warning';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_index_status(float8, float8, bool) IS
'The status of an index by the runbook''s limits, 85, 80 and 70 per cent, for its efficiency (in per cent) and its hit ratio (from 0 to 1), and which of the two decided: a low efficiency alone is no trouble, since bitmap and index-only scans make it low. NULL is not known. What is not critical gets no worse than a warning.';

CREATE FUNCTION dbmaint_index_bloat_ratio(index_oid oid)
RETURNS float8
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '10ms'
AS $$
DECLARE
    ratio float8;
BEGIN
    SELECT b.bloat_bytes::float8 / nullif(b.index_bytes, 0) INTO ratio
      FROM @extschema@.dbmaint_index_bloat(index_oid::regclass, 100, NULL::bigint) AS b;
    RETURN ratio;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;            -- locked, gone, or not what can be measured
END
$$;
COMMENT ON FUNCTION dbmaint_index_bloat_ratio(oid) IS
'Share of an index that a rebuild would free, from 0 to 1, by dbmaint_index_bloat() with 100 pages; NULL where that cannot tell';

CREATE FUNCTION dbmaint_index_health(
    lookback interval DEFAULT '1 day', with_bloat bool DEFAULT false,
    OUT schemaname text, OUT tablename text, OUT indexname text,
    OUT status text, OUT decided_by text, OUT advice text,
    OUT critical bool, OUT idx_scan bigint, OUT scans_per_hour float8,
    OUT idx_tup_read bigint, OUT idx_tup_fetch bigint,
    OUT index_efficiency float8, OUT hit_ratio float8,
    OUT index_bytes bigint, OUT grown_bytes bigint, OUT bloat_ratio float8,
    OUT last_used_at timestamptz, OUT valid bool, OUT constraint_type text,
    OUT counted_from timestamptz, OUT counted_by text)
RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    least_scans CONSTANT bigint := 100;
    least_blocks CONSTANT bigint := 1000;
    bloat_from_bytes CONSTANT bigint := 8 * 1024 * 1024;
    this_database CONSTANT oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    database_reset CONSTANT timestamptz := pg_stat_get_db_stat_reset_time(this_database);
    building CONSTANT oid[] := ARRAY(SELECT p.relid FROM pg_stat_progress_create_index AS p
                                      WHERE p.datid = this_database);
    covered_from timestamptz;
    covered_hours float8;
    from_at timestamptz;
    x record;
BEGIN
    IF lookback IS NULL OR lookback <= interval '0' THEN
        RAISE EXCEPTION 'lookback must be a positive interval'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'For example: dbmaint_index_health(''1 day'').';
    END IF;
    from_at := @extschema@.dbmaint_time_before(now(), lookback);

    SELECT min(s.taken_at - s.interval_ms * interval '1 ms'), sum(s.interval_ms) / 3600000
      INTO covered_from, covered_hours
      FROM @extschema@.dbmaint_index_snapshots AS s
     WHERE s.database_oid = this_database AND s.taken_at > from_at AND s.interval_ms > 0;

    FOR x IN
        WITH counted AS (
            SELECT s.index_oid, s.table_oid, s.last_idx_scan, s.idx_scan AS ever,
                   CASE WHEN covered_hours > 0 THEN coalesce(h.idx_scan, 0) ELSE s.idx_scan END AS scans,
                   CASE WHEN covered_hours > 0 THEN coalesce(h.idx_tup_read, 0) ELSE s.idx_tup_read END AS tuples,
                   CASE WHEN covered_hours > 0 THEN coalesce(h.idx_tup_fetch, 0) ELSE s.idx_tup_fetch END AS fetched,
                   CASE WHEN covered_hours > 0 THEN coalesce(h.idx_blks_read, 0) ELSE s.idx_blks_read END AS blks_read,
                   CASE WHEN covered_hours > 0 THEN coalesce(h.idx_blks_hit, 0) ELSE s.idx_blks_hit END AS blks_hit,
                   CASE WHEN covered_hours > 0 THEN coalesce(h.grown_bytes, 0) END AS grown,
                   greatest(database_reset, s.stats_reset) AS since
              FROM @extschema@.dbmaint_index_statistics() AS s
              LEFT JOIN @extschema@.dbmaint_index_totals(from_at, 'infinity'::timestamptz) AS h
                     ON covered_hours > 0 AND h.relation_oid = s.index_oid
        ), critical AS (
            SELECT u.index_oid
              FROM @extschema@.dbmaint_user_index() AS u
              JOIN @extschema@.dbmaint_critical_indexes() AS p(pattern)
                ON u.indexname LIKE p.pattern OR u.schemaname || '.' || u.indexname LIKE p.pattern
        )
        SELECT u.*, c.last_idx_scan, c.ever, c.scans, c.tuples, c.fetched, c.blks_read,
               c.blks_hit, c.grown, c.since, o.table_scans,
               u.index_oid IN (SELECT k.index_oid FROM critical AS k) AS is_critical
          FROM @extschema@.dbmaint_user_index() AS u
          JOIN counted AS c ON c.index_oid = u.index_oid
          -- what was read before it was there says nothing of it
          LEFT JOIN @extschema@.dbmaint_observed_use(
                        CASE WHEN covered_hours > 0 THEN from_at ELSE '-infinity'::timestamptz END) AS o
                 ON o.index_oid = u.index_oid
         ORDER BY u.schemaname, u.tablename, u.indexname
    LOOP
        schemaname := x.schemaname;
        tablename := x.tablename;
        indexname := x.indexname;
        critical := x.is_critical;
        idx_scan := x.scans;
        idx_tup_read := x.tuples;
        idx_tup_fetch := x.fetched;
        index_efficiency := x.fetched::float8 / nullif(x.tuples, 0) * 100;
        hit_ratio := x.blks_hit::float8 / nullif(x.blks_hit + x.blks_read, 0);
        index_bytes := x.bytes;
        grown_bytes := x.grown;
        last_used_at := x.last_idx_scan;
        valid := x.valid;
        constraint_type := x.constraint_type;
        counted_from := CASE WHEN covered_hours > 0 THEN covered_from ELSE x.since END;
        counted_by := CASE WHEN covered_hours > 0 THEN 'history' ELSE 'statistics' END;
        scans_per_hour := x.scans / CASE WHEN covered_hours > 0 THEN covered_hours
            ELSE nullif(extract(epoch FROM clock_timestamp() - x.since) / 3600, 0) END;
        bloat_ratio := NULL;
        IF with_bloat AND x.bytes >= bloat_from_bytes THEN
            bloat_ratio := @extschema@.dbmaint_index_bloat_ratio(x.index_oid);
        END IF;

        IF NOT x.valid AND x.table_oid = ANY (building) THEN
            status := 'ok';
            decided_by := 'validity';
            advice := 'It is being built.';
        ELSIF NOT x.valid THEN
            status := 'critical';
            decided_by := 'validity';
            advice := 'It is invalid: no query uses it, every write pays for it. See dbmaint_invalid_indexes().';
        ELSIF x.scans = 0 AND x.table_scans >= least_scans AND x.is_critical THEN
            status := 'emergency';
            decided_by := 'usage';
            advice := format('Not used, while its table was read %s times: look for what changed in the plans.', x.table_scans);
        ELSIF x.scans = 0 AND x.ever = 0 AND x.table_scans >= least_scans AND x.needed_by IS NULL THEN
            status := 'warning';
            decided_by := 'usage';
            advice := 'Never used while it was counted. See dbmaint_unused_indexes().';
        ELSIF x.scans < least_scans THEN
            status := 'unknown';
            decided_by := 'traffic';
            advice := format('%s scans are too few to judge it.', x.scans);
        ELSE
            SELECT g.status, g.decided_by INTO status, decided_by
              FROM @extschema@.dbmaint_index_status(
                       index_efficiency,
                       CASE WHEN x.blks_hit + x.blks_read >= least_blocks THEN hit_ratio END,
                       critical) AS g;
            advice := CASE
                WHEN status = 'ok' AND index_efficiency < 85 THEN
                    'Its efficiency is low because of bitmap or index-only scans: its blocks are found in the cache.'
                WHEN status = 'ok' THEN NULL
                WHEN decided_by = 'hit_ratio' THEN
                    'Its blocks are read from disk: it is larger than the cache has room for. Look at its bloat, then at shared_buffers.'
                WHEN decided_by = 'efficiency' THEN
                    'Its scans return many entries whose rows are dead or filtered: VACUUM (ANALYZE) its table, look at its bloat, then REINDEX INDEX CONCURRENTLY.'
            END;
        END IF;
        IF bloat_ratio >= 0.5 AND status IN ('ok', 'unknown') THEN
            status := 'warning';
            decided_by := 'bloat';
            advice := format('%s of it is bloat: REINDEX INDEX CONCURRENTLY %I.%I;',
                             pg_size_pretty((bloat_ratio * index_bytes)::bigint), schemaname, indexname);
        END IF;
        RETURN NEXT;
    END LOOP;

    -- a critical index that is not there at all
    FOR x IN
        SELECT p.pattern
          FROM @extschema@.dbmaint_critical_indexes() AS p(pattern)
         WHERE NOT EXISTS (SELECT FROM @extschema@.dbmaint_user_index() AS u
                            WHERE u.indexname LIKE p.pattern
                               OR u.schemaname || '.' || u.indexname LIKE p.pattern)
         ORDER BY 1
    LOOP
        schemaname := NULL; tablename := NULL; indexname := x.pattern;
        status := 'unknown'; decided_by := 'existence'; critical := true;
        advice := 'No index of this database has a name like this entry of dbmaint.critical_indexes.';
        idx_scan := NULL; scans_per_hour := NULL; idx_tup_read := NULL; idx_tup_fetch := NULL;
        index_efficiency := NULL; hit_ratio := NULL; index_bytes := NULL; grown_bytes := NULL;
        bloat_ratio := NULL; last_used_at := NULL; valid := NULL; constraint_type := NULL;
        counted_from := NULL; counted_by := NULL;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION dbmaint_index_health(interval, bool) IS
'Each index of user tables: what it did in the last lookback by the history (counted_by history; without a snapshot in that time by the server''s statistics, since counted_from), its status (ok, warning, critical, emergency, unknown), the signal that decided it (validity, usage, traffic, efficiency, hit_ratio, bloat, existence) and what to do. index_efficiency is the runbook''s idx_tup_fetch / idx_tup_read * 100, NULL where nothing was read; hit_ratio is from 0 to 1. Limits are 85, 80 and 70 per cent for the indexes of dbmaint.critical_indexes; others get a warning at most. An index with under 100 scans is not judged, but for one without any whose table was read 100 times since a snapshot first saw the index. last_used_at is NULL before PostgreSQL 16. bloat_ratio is measured if with_bloat is true, for indexes from 8 MB on. Temporary tables'' and extensions'' indexes are left out, and so are partitioned ones, whose partitions count.';

REVOKE ALL ON FUNCTION dbmaint_index_status(float8, float8, bool),
    dbmaint_index_bloat_ratio(oid), dbmaint_index_health(interval, bool) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_index_status(float8, float8, bool),
    dbmaint_index_bloat_ratio(oid), dbmaint_index_health(interval, bool) TO pg_monitor;
