-- src/evidence/sections_subject.sql: evidence of the index, table, disk, slot,
-- standby or pool that a metric is of.

CREATE FUNCTION dbmaint_find_relation(instance text, kinds text)
RETURNS oid
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parts text[];
    found oid;
BEGIN
    BEGIN
        parts := parse_ident(instance);
    EXCEPTION WHEN OTHERS THEN
        parts := ARRAY[instance];
    END;
    SELECT max(c.oid) INTO found
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relname = parts[cardinality(parts)]
       AND (cardinality(parts) = 1 OR n.nspname = parts[cardinality(parts) - 1])
       AND strpos(kinds, c.relkind::text) > 0
    -- a name that tables of several schemas have says nothing
    HAVING count(*) = 1;
    RETURN found;
END
$$;
COMMENT ON FUNCTION dbmaint_find_relation(text, text) IS
'The relation of one of the kinds (letters of pg_class.relkind) that an instance names, as name or schema.name with quotes as SQL has them; NULL where there is none or more than one';

CREATE FUNCTION dbmaint_describe_table(table_oid oid)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    result jsonb;
    live bigint := pg_stat_get_live_tuples(table_oid);
    dead bigint := pg_stat_get_dead_tuples(table_oid);
    vacuumed_at timestamptz := greatest(pg_stat_get_last_vacuum_time(table_oid), pg_stat_get_last_autovacuum_time(table_oid));
BEGIN
    SELECT jsonb_strip_nulls(jsonb_build_object(
        'relation', @extschema@.dbmaint_relation_name(table_oid), 'live_tuples', live, 'dead_tuples', dead,
        'modified_since_analyze', pg_stat_get_mod_since_analyze(table_oid),
        'last_vacuum_at', vacuumed_at,
        'last_autovacuum_at', pg_stat_get_last_autovacuum_time(table_oid),
        'last_analyze_at', greatest(pg_stat_get_last_analyze_time(table_oid), pg_stat_get_last_autoanalyze_time(table_oid)),
        'autovacuum', CASE WHEN current_setting('autovacuum') = 'off' THEN 'off for the server'
                           WHEN EXISTS (SELECT FROM unnest(c.reloptions) AS o(option) WHERE o.option IN ('autovacuum_enabled=false', 'autovacuum_enabled=off', 'autovacuum_enabled=0', 'autovacuum_enabled=no'))
                           THEN 'off for the table' ELSE 'on' END,
        'options', left(array_to_string(c.reloptions, ', '), 200),
        'frozen_age', age(c.relfrozenxid), 'bytes', @extschema@.dbmaint_stored_bytes(table_oid),
        'being_vacuumed_by', (SELECT p.pid FROM pg_stat_progress_vacuum AS p WHERE p.relid = table_oid LIMIT 1)))
      INTO result
      FROM pg_class AS c WHERE c.oid = table_oid;
    RETURN result;
END
$$;
COMMENT ON FUNCTION dbmaint_describe_table(oid) IS
'What vacuum knows of a table: its rows, when it was vacuumed and analyzed, and its settings; opens it not';

CREATE FUNCTION dbmaint_subject_tables(metric text, instance text)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    named oid := @extschema@.dbmaint_find_relation(instance, 'rmp'::text);
BEGIN
    RETURN jsonb_build_object('tables', coalesce(
        (SELECT jsonb_agg(@extschema@.dbmaint_describe_table(t.oid::oid) ORDER BY t.place)
           FROM (SELECT c.oid, row_number() OVER (ORDER BY pg_stat_get_dead_tuples(c.oid) DESC, c.oid) AS place
                   FROM pg_class AS c
                  WHERE CASE WHEN named IS NOT NULL THEN c.oid = named
                             ELSE c.relkind IN ('r', 'm') AND pg_stat_get_dead_tuples(c.oid) > 0 END) AS t
          WHERE t.place <= 5), '[]'));
END
$$;
COMMENT ON FUNCTION dbmaint_subject_tables(text, text) IS
'Part of dbmaint_evidence_subject(): the table that the metric is of, else the five with most dead rows';

CREATE FUNCTION dbmaint_subject_index(metric text, instance text, since_at timestamptz, at timestamptz)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    named oid := @extschema@.dbmaint_find_relation(instance, 'iI'::text);
BEGIN
    RETURN jsonb_build_object('indexes', coalesce(
        (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                    'index', @extschema@.dbmaint_relation_name(i.indexrelid::oid),
                    'table', @extschema@.dbmaint_relation_name(i.indrelid::oid),
                    'valid', i.indisvalid, 'ready', i.indisready,
                    'bytes', @extschema@.dbmaint_stored_bytes(i.indexrelid::oid),
                    'scans', pg_stat_get_numscans(i.indexrelid),
                    'tuples_read', pg_stat_get_tuples_returned(i.indexrelid),
                    'tuples_fetched', pg_stat_get_tuples_fetched(i.indexrelid),
                    'scans_last_day', t.idx_scan, 'grown_bytes_last_day', t.grown_bytes)) ORDER BY i.indexrelid)
           FROM (SELECT x.* FROM pg_index AS x
                  WHERE CASE WHEN named IS NOT NULL THEN x.indexrelid = named ELSE NOT x.indisvalid END
                  ORDER BY x.indexrelid LIMIT 10) AS i
           LEFT JOIN LATERAL (SELECT g.idx_scan, g.grown_bytes
                                FROM @extschema@.dbmaint_index_totals($4 - interval '1 day', $4) AS g
                               WHERE g.relation_oid = i.indexrelid) AS t ON true), '[]'))
        || coalesce((SELECT jsonb_build_object('table', @extschema@.dbmaint_describe_table(i.indrelid::oid))
                       FROM pg_index AS i WHERE i.indexrelid = named), '{}');
END
$$;
COMMENT ON FUNCTION dbmaint_subject_index(text, text, timestamptz, timestamptz) IS
'Part of dbmaint_evidence_subject(): the index that the metric is of, and its table; else the invalid ones';

CREATE FUNCTION dbmaint_grown_relations(from_at timestamptz, to_at timestamptz,
    OUT relation text, OUT kind text, OUT grown_bytes bigint, OUT bytes bigint)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT @extschema@.dbmaint_relation_name(g.relation_oid::oid), g.kind, g.grown_bytes, @extschema@.dbmaint_stored_bytes(g.relation_oid::oid)
      FROM (SELECT t.relation_oid, 'table' AS kind, t.grown_bytes
              FROM @extschema@.dbmaint_table_totals($1, $2) AS t
            UNION ALL
            SELECT i.relation_oid, 'index', i.grown_bytes
              FROM @extschema@.dbmaint_index_totals($1, $2) AS i) AS g
     WHERE g.grown_bytes > 0
     ORDER BY g.grown_bytes DESC, g.relation_oid
     LIMIT 10
$$;
COMMENT ON FUNCTION dbmaint_grown_relations(timestamptz, timestamptz) IS
'The tables (with TOAST) and indexes of this database that grew most by the snapshots of a range, 10 at most; in bytes. The name is NULL where it was dropped meanwhile.';

CREATE FUNCTION dbmaint_retaining_slots()
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    written CONSTANT pg_lsn := CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END;
BEGIN
    RETURN coalesce((SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                'slot', s.slot_name, 'type', s.slot_type, 'active', s.active, 'wal_status', s.wal_status,
                'retained_bytes', s.retained)) ORDER BY s.retained DESC NULLS LAST, s.slot_name)
              FROM (SELECT r.slot_name, r.slot_type, r.active, r.wal_status,
                           greatest(pg_wal_lsn_diff(written, r.restart_lsn), 0)::bigint AS retained
                      FROM pg_replication_slots AS r
                     ORDER BY 5 DESC NULLS LAST, 1 LIMIT 10) AS s), '[]');
END
$$;
COMMENT ON FUNCTION dbmaint_retaining_slots() IS
'Part of dbmaint_evidence_subject(): replication slots and the WAL that each keeps, most first';

CREATE FUNCTION dbmaint_archiver_state()
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT jsonb_strip_nulls(jsonb_build_object('mode', current_setting('archive_mode'),
                'failed', a.failed_count, 'last_failed_at', a.last_failed_time,
                'last_archived_at', a.last_archived_time,
                'failing', CASE WHEN current_setting('archive_mode') <> 'off' THEN
                    a.last_failed_time > coalesce(a.last_archived_time, '-infinity'::timestamptz) END))
              FROM pg_stat_archiver AS a);
END
$$;
COMMENT ON FUNCTION dbmaint_archiver_state() IS
'Part of dbmaint_evidence_subject(): whether WAL is archived, and whether that fails';

CREATE FUNCTION dbmaint_subject_disk(metric text, instance text, since_at timestamptz, at timestamptz)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    from_at CONSTANT timestamptz := $3 - interval '1 day';
    relations CONSTANT jsonb := coalesce((SELECT jsonb_agg(jsonb_strip_nulls(to_jsonb(g)) ORDER BY g.grown_bytes DESC, g.relation)
                                            FROM @extschema@.dbmaint_grown_relations(from_at, $4) AS g), '[]');
    result jsonb := jsonb_build_object('from_at', from_at, 'relations', relations, 'relations_grown_bytes',
        (SELECT sum(t.grown_bytes) FROM @extschema@.dbmaint_grown_relations(from_at, $4) AS t));
    sizes jsonb;
BEGIN
    SELECT jsonb_build_object('database_bytes_before', (array_agg(m.database_size_bytes ORDER BY m."timestamp") FILTER (WHERE m.database_size_bytes IS NOT NULL))[1],
                              'database_bytes_now', (array_agg(m.database_size_bytes ORDER BY m."timestamp" DESC) FILTER (WHERE m.database_size_bytes IS NOT NULL))[1],
                              'free_bytes_before', (array_agg(m.disk_free_bytes ORDER BY m."timestamp") FILTER (WHERE m.disk_free_bytes IS NOT NULL))[1],
                              'free_bytes_now', (array_agg(m.disk_free_bytes ORDER BY m."timestamp" DESC) FILTER (WHERE m.disk_free_bytes IS NOT NULL))[1],
                              'wal_written_bytes', sum(m.wal_bytes), 'temp_written_bytes', sum(m.temp_bytes))
      INTO sizes
      FROM @extschema@.performance_metrics AS m
     WHERE m.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
       AND m."timestamp" > from_at AND m."timestamp" <= $4;
    result := jsonb_strip_nulls(result || sizes);
    IF NOT @extschema@.dbmaint_is_live($4) THEN
        RETURN result;
    END IF;
    RETURN result || jsonb_build_object('slots', @extschema@.dbmaint_retaining_slots(), 'archiver', @extschema@.dbmaint_archiver_state())
        || (SELECT jsonb_build_object('wal_bytes', coalesce(sum(w.size), 0)) FROM pg_ls_waldir() AS w)
        || (SELECT jsonb_build_object('temp_file_bytes', coalesce(sum(f.size), 0)) FROM pg_ls_tmpdir() AS f)
        || jsonb_build_object('max_wal_size_bytes', pg_size_bytes(current_setting('max_wal_size')));
END
$$;
COMMENT ON FUNCTION dbmaint_subject_disk(text, text, timestamptz, timestamptz) IS
'Part of dbmaint_evidence_subject(): what grew since a day before it was bad: relations of this database, WAL, what slots and the archiver keep of it, temporary files';

CREATE FUNCTION dbmaint_subject_replication()
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    written CONSTANT pg_lsn := CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END;
BEGIN
    RETURN jsonb_build_object(
        'slots', @extschema@.dbmaint_retaining_slots(), 'archiver', @extschema@.dbmaint_archiver_state(),
        'standbys', coalesce((SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                'application', r.application_name, 'pid', r.pid, 'state', r.state, 'sync_state', r.sync_state,
                'not_sent_bytes', greatest(pg_wal_lsn_diff(written, r.sent_lsn), 0),
                'not_flushed_bytes', greatest(pg_wal_lsn_diff(written, r.flush_lsn), 0),
                'not_replayed_bytes', greatest(pg_wal_lsn_diff(written, r.replay_lsn), 0),
                'replay_lag_ms', (extract(epoch FROM r.replay_lag) * 1000)::bigint)) ORDER BY r.replay_lsn NULLS FIRST, r.pid)
              FROM (SELECT a.* FROM pg_stat_replication AS a ORDER BY a.replay_lsn NULLS FIRST, a.pid LIMIT 10) AS r), '[]'));
END
$$;
COMMENT ON FUNCTION dbmaint_subject_replication() IS
'Part of dbmaint_evidence_subject(): standbys and how far each is behind, replication slots, the archiver';

CREATE FUNCTION dbmaint_subject_pools(instance text, since_at timestamptz, at timestamptz)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF to_regclass('@extschema@.dbmaint_pool_history') IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN jsonb_build_object('pools', coalesce((
        SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                   'pool', p.pool_name, 'cl_active', p.cl_active, 'cl_waiting', p.cl_waiting, 'sv_active', p.sv_active,
                   'sv_idle', p.sv_idle, 'pool_size', p.pool_size, 'exhausted', p.exhausted,
                   'maxwait_ms', @extschema@.dbmaint_brief(p.maxwait_ms::float8),
                   'pool_efficiency', @extschema@.dbmaint_brief(p.pool_efficiency::float8),
                   'avg_query_ms', @extschema@.dbmaint_brief(p.avg_query_ms::float8),
                   'avg_query_ms_before', (SELECT @extschema@.dbmaint_brief(avg(b.avg_query_ms)::float8)
                                             FROM @extschema@.dbmaint_pool_history AS b
                                            WHERE b.pool_name = p.pool_name AND b.taken_at > $2 - interval '10 minutes' AND b.taken_at <= $2)))
                   ORDER BY p.place)
          FROM (SELECT h.*, row_number() OVER (ORDER BY h.cl_waiting DESC NULLS LAST, h.cl_active DESC NULLS LAST, h.pool_name) AS place
                  FROM @extschema@.dbmaint_pool_history AS h
                 WHERE h.taken_at = (SELECT max(l.taken_at) FROM @extschema@.dbmaint_pool_snapshots AS l
                                      WHERE l.taken_at > $3 - interval '15 minutes' AND l.taken_at <= $3
                                        AND l.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()))
                   AND ($1 = '' OR h.pool_name = $1)) AS p
         WHERE p.place <= 10), '[]'));
END
$$;
COMMENT ON FUNCTION dbmaint_subject_pools(text, timestamptz, timestamptz) IS
'Part of dbmaint_evidence_subject(): the pool that the metric is of, else those in which most clients wait, by the last reading of a quarter of an hour; NULL where pools are not read';

CREATE FUNCTION dbmaint_evidence_subject(metric text, instance text, since_at timestamptz, at timestamptz)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    family CONSTANT text := @extschema@.dbmaint_metric_family($1);
BEGIN
    IF family = 'disk' THEN
        RETURN @extschema@.dbmaint_subject_disk($1, $2, $3, $4);
    ELSIF family = 'pool' THEN
        RETURN @extschema@.dbmaint_subject_pools($2, $3, $4);
    ELSIF NOT @extschema@.dbmaint_is_live($4) THEN
        RETURN NULL;
    END IF;
    RETURN CASE family
        WHEN 'vacuum' THEN @extschema@.dbmaint_subject_tables($1, $2)
        WHEN 'index' THEN @extschema@.dbmaint_subject_index($1, $2, $3, $4)
        WHEN 'replication' THEN @extschema@.dbmaint_subject_replication()
    END;
END
$$;
COMMENT ON FUNCTION dbmaint_evidence_subject(text, text, timestamptz, timestamptz) IS
'Evidence: what matters for the index, table, disk, standby or slot that the metric is of; NULL for other metrics';

REVOKE ALL ON FUNCTION dbmaint_find_relation(text, text), dbmaint_describe_table(oid),
    dbmaint_subject_tables(text, text), dbmaint_subject_index(text, text, timestamptz, timestamptz),
    dbmaint_grown_relations(timestamptz, timestamptz), dbmaint_retaining_slots(), dbmaint_archiver_state(),
    dbmaint_subject_disk(text, text, timestamptz, timestamptz), dbmaint_subject_replication(),
    dbmaint_subject_pools(text, timestamptz, timestamptz),
    dbmaint_evidence_subject(text, text, timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_find_relation(text, text), dbmaint_describe_table(oid),
    dbmaint_subject_tables(text, text), dbmaint_subject_index(text, text, timestamptz, timestamptz),
    dbmaint_grown_relations(timestamptz, timestamptz), dbmaint_retaining_slots(), dbmaint_archiver_state(),
    dbmaint_subject_disk(text, text, timestamptz, timestamptz), dbmaint_subject_replication(),
    dbmaint_subject_pools(text, timestamptz, timestamptz),
    dbmaint_evidence_subject(text, text, timestamptz, timestamptz) TO pg_monitor;
