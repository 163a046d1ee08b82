-- src/object/statistics.sql: the server's statistics of user tables and
-- indexes, the same columns on every version, and what the history adds up.
--
-- jit is off in what joins catalogs: estimates of set-returning functions are
-- high enough for it, and compiling takes a second.

CREATE FUNCTION dbmaint_index_statistics(
    OUT index_oid oid, OUT table_oid oid, OUT idx_scan bigint,
    OUT idx_tup_read bigint, OUT idx_tup_fetch bigint,
    OUT idx_blks_read bigint, OUT idx_blks_hit bigint,
    OUT last_idx_scan timestamptz, OUT stats_reset timestamptz)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    version CONSTANT int := current_setting('server_version_num');
BEGIN
    -- 16: last_idx_scan; 19: stats_reset
    IF version >= 190000 THEN
        RETURN QUERY SELECT s.indexrelid, s.relid, s.idx_scan, s.idx_tup_read, s.idx_tup_fetch,
                            b.idx_blks_read, b.idx_blks_hit, s.last_idx_scan, s.stats_reset
                       FROM pg_stat_user_indexes AS s
                       JOIN pg_statio_user_indexes AS b ON b.indexrelid = s.indexrelid;
    ELSIF version >= 160000 THEN
        RETURN QUERY SELECT s.indexrelid, s.relid, s.idx_scan, s.idx_tup_read, s.idx_tup_fetch,
                            b.idx_blks_read, b.idx_blks_hit, s.last_idx_scan, NULL::timestamptz
                       FROM pg_stat_user_indexes AS s
                       JOIN pg_statio_user_indexes AS b ON b.indexrelid = s.indexrelid;
    ELSE
        RETURN QUERY SELECT s.indexrelid, s.relid, s.idx_scan, s.idx_tup_read, s.idx_tup_fetch,
                            b.idx_blks_read, b.idx_blks_hit, NULL::timestamptz, NULL::timestamptz
                       FROM pg_stat_user_indexes AS s
                       JOIN pg_statio_user_indexes AS b ON b.indexrelid = s.indexrelid;
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_index_statistics() IS
'pg_stat_user_indexes and pg_statio_user_indexes, by oid; last_idx_scan is NULL before PostgreSQL 16, stats_reset (of the index alone) before 19';

CREATE FUNCTION dbmaint_table_statistics(
    OUT table_oid oid, OUT seq_scan bigint, OUT seq_tup_read bigint,
    OUT idx_scan bigint, OUT n_tup_ins bigint, OUT n_tup_upd bigint,
    OUT n_tup_del bigint, OUT n_tup_hot_upd bigint, OUT n_live_tup bigint,
    OUT n_dead_tup bigint, OUT n_mod_since_analyze bigint,
    OUT last_vacuum timestamptz, OUT last_autovacuum timestamptz,
    OUT last_analyze timestamptz, OUT last_autoanalyze timestamptz,
    OUT stats_reset timestamptz)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- 19: stats_reset
    IF current_setting('server_version_num')::int >= 190000 THEN
        RETURN QUERY SELECT s.relid, s.seq_scan, s.seq_tup_read, coalesce(s.idx_scan, 0),
                            s.n_tup_ins, s.n_tup_upd, s.n_tup_del, s.n_tup_hot_upd,
                            s.n_live_tup, s.n_dead_tup, s.n_mod_since_analyze,
                            s.last_vacuum, s.last_autovacuum, s.last_analyze,
                            s.last_autoanalyze, s.stats_reset
                       FROM pg_stat_user_tables AS s;
    ELSE
        RETURN QUERY SELECT s.relid, s.seq_scan, s.seq_tup_read, coalesce(s.idx_scan, 0),
                            s.n_tup_ins, s.n_tup_upd, s.n_tup_del, s.n_tup_hot_upd,
                            s.n_live_tup, s.n_dead_tup, s.n_mod_since_analyze,
                            s.last_vacuum, s.last_autovacuum, s.last_analyze,
                            s.last_autoanalyze, NULL::timestamptz
                       FROM pg_stat_user_tables AS s;
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_table_statistics() IS
'pg_stat_user_tables by oid; idx_scan is 0 where there is no index, stats_reset (of the table alone) is NULL before PostgreSQL 19';

CREATE FUNCTION dbmaint_user_index(
    OUT index_oid oid, OUT table_oid oid, OUT root_oid oid,
    OUT schemaname text, OUT tablename text, OUT indexname text,
    OUT relkind "char", OUT valid bool, OUT constraint_type text,
    OUT needed_by text, OUT bytes bigint)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    WITH RECURSIVE roots AS (
        SELECT c.oid AS index_oid, c.oid AS root_oid
          FROM pg_class AS c
         WHERE c.relkind = 'I' AND NOT c.relispartition
         UNION ALL
        SELECT h.inhrelid, r.root_oid
          FROM roots AS r
          JOIN pg_inherits AS h ON h.inhparent = r.index_oid
    )
    SELECT i.indexrelid, i.indrelid, coalesce(r.root_oid, i.indexrelid),
           n.nspname::text, t.relname::text, c.relname::text, c.relkind,
           i.indisvalid AND i.indisready AND i.indislive,
           CASE k.contype WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique' WHEN 'x' THEN 'exclusion' END,
           CASE WHEN k.contype IS NOT NULL THEN format('the constraint %I', k.conname)
                WHEN f.conname IS NOT NULL THEN format('the foreign key %I of %s', f.conname, f.conrelid::regclass)
                WHEN i.indisreplident AND t.relreplident = 'i' THEN 'the replica identity of its table'
                WHEN i.indisclustered THEN 'CLUSTER, which orders its table by it'
                WHEN i.indisunique THEN 'its uniqueness' END,
           @extschema@.dbmaint_relation_bytes(c.oid)
      FROM pg_index AS i
      JOIN pg_class AS c ON c.oid = i.indexrelid
      JOIN pg_class AS t ON t.oid = i.indrelid
      JOIN pg_namespace AS n ON n.oid = t.relnamespace
      LEFT JOIN roots AS r ON r.index_oid = i.indexrelid
      LEFT JOIN pg_constraint AS k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid
                                  AND k.contype IN ('p', 'u', 'x')
      LEFT JOIN LATERAL (SELECT d.conname, d.conrelid FROM pg_constraint AS d
                          WHERE k.contype IS NULL AND i.indisunique
                            AND d.conindid = i.indexrelid AND d.contype = 'f'
                          ORDER BY d.oid LIMIT 1) AS f ON true
     WHERE t.relkind IN ('r', 'm', 'p') AND t.relpersistence <> 't'
       AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'
       -- what belongs to an extension is the extension's business
       AND NOT EXISTS (SELECT FROM pg_depend AS d
                        WHERE d.classid = 'pg_class'::regclass AND d.objid = t.oid
                          AND d.objsubid = 0 AND d.deptype = 'e')
$$;
COMMENT ON FUNCTION dbmaint_user_index() IS
'The indexes of user tables that are neither temporary nor an extension''s: the topmost partitioned index it is attached to (or itself), whether it is valid, its constraint (primary key, unique, exclusion, or NULL), what needs it to be there (NULL: nothing but queries), and its size. Waits for no lock.';

CREATE FUNCTION dbmaint_index_totals(from_at timestamptz, to_at timestamptz,
    OUT relation_oid oid, OUT idx_scan bigint, OUT idx_tup_read bigint,
    OUT idx_tup_fetch bigint, OUT idx_blks_read bigint,
    OUT idx_blks_hit bigint, OUT grown_bytes bigint)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    SELECT h.relation_oid, sum(h.idx_scan)::bigint, sum(h.idx_tup_read)::bigint,
           sum(h.idx_tup_fetch)::bigint, sum(h.idx_blks_read)::bigint,
           sum(h.idx_blks_hit)::bigint, sum(h.grown_bytes)::bigint
      FROM @extschema@.dbmaint_index_history AS h
     WHERE h.taken_at > from_at AND h.taken_at <= to_at
       AND h.interval_ms IS NOT NULL
     GROUP BY h.relation_oid
$$;
COMMENT ON FUNCTION dbmaint_index_totals(timestamptz, timestamptz) IS
'What the snapshots after from_at, up to to_at, counted of each index, and by how much it grew; no row for an index that did nothing';

CREATE FUNCTION dbmaint_table_totals(from_at timestamptz, to_at timestamptz,
    OUT relation_oid oid, OUT seq_scan bigint, OUT seq_tup_read bigint,
    OUT idx_scan bigint, OUT n_tup_ins bigint, OUT n_tup_upd bigint,
    OUT n_tup_del bigint, OUT n_tup_hot_upd bigint,
    OUT heap_blks_read bigint, OUT heap_blks_hit bigint,
    OUT grown_bytes bigint)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    SELECT coalesce(t.relation_oid, i.table_oid), coalesce(t.seq_scan, 0),
           coalesce(t.seq_tup_read, 0), coalesce(i.idx_scan, 0),
           coalesce(t.n_tup_ins, 0), coalesce(t.n_tup_upd, 0),
           coalesce(t.n_tup_del, 0), coalesce(t.n_tup_hot_upd, 0),
           coalesce(t.heap_blks_read, 0), coalesce(t.heap_blks_hit, 0),
           coalesce(t.grown_bytes, 0)
      FROM (SELECT h.relation_oid, sum(h.seq_scan)::bigint AS seq_scan,
                   sum(h.seq_tup_read)::bigint AS seq_tup_read,
                   sum(h.n_tup_ins)::bigint AS n_tup_ins,
                   sum(h.n_tup_upd)::bigint AS n_tup_upd,
                   sum(h.n_tup_del)::bigint AS n_tup_del,
                   sum(h.n_tup_hot_upd)::bigint AS n_tup_hot_upd,
                   sum(h.heap_blks_read)::bigint AS heap_blks_read,
                   sum(h.heap_blks_hit)::bigint AS heap_blks_hit,
                   sum(h.grown_bytes)::bigint AS grown_bytes
              FROM @extschema@.dbmaint_table_history AS h
             WHERE h.taken_at > from_at AND h.taken_at <= to_at
               AND h.interval_ms IS NOT NULL
             GROUP BY h.relation_oid) AS t
      FULL JOIN (SELECT o.table_oid, sum(x.idx_scan)::bigint AS idx_scan
                   FROM @extschema@.dbmaint_index_totals(from_at, to_at) AS x
                   JOIN @extschema@.dbmaint_objects AS o
                     ON o.relation_oid = x.relation_oid AND o.kind = 'i'
                  WHERE o.database_oid = (SELECT d.oid FROM pg_database AS d
                                           WHERE d.datname = current_database())
                  GROUP BY o.table_oid) AS i
        ON i.table_oid = t.relation_oid
$$;
COMMENT ON FUNCTION dbmaint_table_totals(timestamptz, timestamptz) IS
'What the snapshots after from_at, up to to_at, counted of each table (idx_scan over all of its indexes), and by how much it and its TOAST table grew; no row for a table that did nothing';

CREATE FUNCTION dbmaint_observed_use(from_at timestamptz,
    OUT index_oid oid, OUT known_from timestamptz, OUT index_scans bigint,
    OUT table_scans bigint)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    WITH me AS MATERIALIZED (
        SELECT d.oid, (SELECT min(s.taken_at - coalesce(s.interval_ms, 0) * interval '1 ms')
                         FROM @extschema@.dbmaint_index_snapshots AS s
                        WHERE s.database_oid = d.oid AND s.taken_at > from_at) AS oldest
          FROM pg_database AS d WHERE d.datname = current_database()
    ), known AS MATERIALIZED (
        SELECT o.object_id, o.relation_oid, o.table_oid, greatest(o.first_seen_at, from_at) AS known_from
          FROM @extschema@.dbmaint_objects AS o, me
         WHERE o.database_oid = me.oid AND o.kind = 'i' AND o.last_seen_at IS NULL
    ), scans AS MATERIALIZED (
        SELECT s.taken_at, o.table_oid, NULL::int AS object_id, v.scans
          FROM me JOIN @extschema@.dbmaint_table_snapshots AS s ON s.database_oid = me.oid
         CROSS JOIN LATERAL ROWS FROM (@extschema@.dbmaint_unpack(s.object_ids), @extschema@.dbmaint_unpack(s.seq_scan)) AS v(id, scans)
          JOIN @extschema@.dbmaint_objects AS o ON o.database_oid = me.oid AND o.kind = 't' AND o.object_id = v.id
         WHERE s.taken_at > from_at AND s.interval_ms IS NOT NULL AND s.seq_scan IS NOT NULL AND v.scans > 0
         UNION ALL
        SELECT s.taken_at, o.table_oid, o.object_id, v.scans
          FROM me JOIN @extschema@.dbmaint_index_snapshots AS s ON s.database_oid = me.oid
         CROSS JOIN LATERAL ROWS FROM (@extschema@.dbmaint_unpack(s.object_ids), @extschema@.dbmaint_unpack(s.idx_scan)) AS v(id, scans)
          JOIN @extschema@.dbmaint_objects AS o ON o.database_oid = me.oid AND o.kind = 'i' AND o.object_id = v.id
         WHERE s.taken_at > from_at AND s.interval_ms IS NOT NULL AND s.idx_scan IS NOT NULL AND v.scans > 0
    ), reads AS (
        -- what was read before it was there says nothing of an index
        SELECT b.table_oid, b.known_from, sum(s.scans) AS scans
          FROM (SELECT DISTINCT k.table_oid, k.known_from FROM known AS k) AS b
          JOIN scans AS s ON s.table_oid = b.table_oid AND s.taken_at > b.known_from
         GROUP BY 1, 2
    ), uses AS (
        SELECT s.object_id, sum(s.scans) AS scans FROM scans AS s WHERE s.object_id IS NOT NULL GROUP BY 1
    )
    SELECT k.relation_oid, greatest(k.known_from, me.oldest), coalesce(u.scans, 0)::bigint, coalesce(r.scans, 0)::bigint
      FROM me CROSS JOIN known AS k
      LEFT JOIN reads AS r ON r.table_oid = k.table_oid AND r.known_from = k.known_from
      LEFT JOIN uses AS u ON u.object_id = k.object_id
$$;
COMMENT ON FUNCTION dbmaint_observed_use(timestamptz) IS
'Of each index that a snapshot has seen: how often the snapshots after from_at saw it scanned, and its table read (by sequential and index scans) since known_from, from when they count with the index there. What no snapshot has counted yet is missing.';

CREATE FUNCTION dbmaint_critical_indexes()
RETURNS SETOF text
LANGUAGE C STABLE
AS 'MODULE_PATHNAME', 'dbmaint_critical_indexes';
COMMENT ON FUNCTION dbmaint_critical_indexes() IS
'The entries of the setting dbmaint.critical_indexes: names of indexes, with or without a schema, or patterns of LIKE';

REVOKE ALL ON FUNCTION dbmaint_index_statistics(), dbmaint_table_statistics(),
    dbmaint_user_index(), dbmaint_index_totals(timestamptz, timestamptz),
    dbmaint_table_totals(timestamptz, timestamptz),
    dbmaint_observed_use(timestamptz), dbmaint_critical_indexes()
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_index_statistics(), dbmaint_table_statistics(),
    dbmaint_user_index(), dbmaint_index_totals(timestamptz, timestamptz),
    dbmaint_table_totals(timestamptz, timestamptz),
    dbmaint_observed_use(timestamptz), dbmaint_critical_indexes()
TO pg_monitor;
