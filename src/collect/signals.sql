-- src/collect/signals.sql: what alerts watch beside the samples.
--
-- Each function returns rows (metric, instance, value) for signals.c.  One
-- without an instance says that all instances of the metric that are there were
-- returned: alerts on others then resolve.  One without a value says that the
-- instance is there and its value not known: alerts on it wait.

CREATE FUNCTION dbmaint_signals_of_sessions(
    OUT metric text, OUT instance text, OUT value float8)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT m.metric, m.instance, m.value
      FROM (SELECT count(*) AS clients,
                   max(greatest(extract(epoch FROM clock_timestamp() - a.state_change), 0))
                       FILTER (WHERE a.state LIKE 'idle in transaction%' AND a.state_change IS NOT NULL) AS idle_s,
                   count(*) FILTER (WHERE a.state LIKE 'idle in transaction%' AND a.hidden) AS untold
              FROM @extschema@.dbmaint_client_sessions() AS a) AS s
     CROSS JOIN LATERAL (VALUES
           ('free_connections', '', (current_setting('max_connections')::int
                - current_setting('superuser_reserved_connections')::int
                - coalesce(current_setting('reserved_connections', true)::int, 0) - s.clients)::float8),
           -- where only sessions are that do not tell since when, an alert on
           -- one that did must not wait for them: there is no reading
           ('idle_in_transaction_ms', CASE WHEN s.idle_s IS NOT NULL OR s.untold = 0 THEN '' END,
            (1000 * coalesce(s.idle_s, 0))::float8)) AS m(metric, instance, value);

    RETURN QUERY
    SELECT 'longest_lock_wait_ms', '',
           (1000 * coalesce(max(greatest(extract(epoch FROM clock_timestamp() - l.waitstart), 0)), 0))::float8
      FROM pg_locks AS l WHERE NOT l.granted AND l.waitstart IS NOT NULL;

    RETURN QUERY
    SELECT 'prepared_transaction_age_ms', '',
           (1000 * coalesce(max(greatest(extract(epoch FROM clock_timestamp() - p.prepared), 0)), 0))::float8
      FROM pg_prepared_xacts AS p;
END
$$;
COMMENT ON FUNCTION dbmaint_signals_of_sessions() IS
'Part of dbmaint_signals(): connections, lock waits, idle and prepared transactions of the server';

CREATE FUNCTION dbmaint_signals_of_ids(
    OUT metric text, OUT instance text, OUT value float8)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH age AS (
        SELECT d.datname::text AS name, age(d.datfrozenxid)::float8 AS xid,
               mxid_age(d.datminmxid)::float8 AS multixact
          FROM pg_database AS d
    )
    SELECT m.metric, a.name, m.value
      FROM age AS a
     CROSS JOIN LATERAL (VALUES
           ('transaction_id_age_ratio', a.xid / 2147483648),
           ('multixact_id_age_ratio', a.multixact / 2147483648),
           ('freeze_overdue_ratio',
            greatest(a.xid / current_setting('autovacuum_freeze_max_age')::float8,
                     a.multixact / current_setting('autovacuum_multixact_freeze_max_age')::float8))) AS m(metric, value)
     UNION ALL
    SELECT m.metric, NULL, NULL
      FROM unnest(ARRAY['transaction_id_age_ratio', 'multixact_id_age_ratio', 'freeze_overdue_ratio']) AS m(metric)
$$;
COMMENT ON FUNCTION dbmaint_signals_of_ids() IS
'Part of dbmaint_signals(): how near each database is to running out of transaction and multixact ids';

CREATE FUNCTION dbmaint_signals_of_replication(
    OUT metric text, OUT instance text, OUT value float8)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    at_lsn CONSTANT pg_lsn := CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                                   ELSE pg_current_wal_lsn() END;
BEGIN
    /*
     * Who has replayed all is not behind, whatever the last measured lag was:
     * on a quiet primary that one stays.  Who does not replay, as pg_receivewal
     * and a standby that has only just connected, has no lag that is known.
     * Several standbys may have one name, and the worst one speaks for it.
     */
    RETURN QUERY
    SELECT m.metric, r.name, max(m.value)
      FROM (SELECT coalesce(nullif(s.application_name, ''), 'walsender') AS name,
                   CASE WHEN s.replay_lsn IS NOT NULL
                        THEN greatest(pg_wal_lsn_diff(at_lsn, s.replay_lsn), 0)::float8 END AS bytes,
                   (1000 * extract(epoch FROM s.replay_lag))::float8 AS ms
              FROM pg_stat_replication AS s WHERE s.state <> 'backup') AS r
     CROSS JOIN LATERAL (VALUES
           ('replication_lag_bytes', r.bytes),
           ('replication_lag_ms', CASE WHEN r.bytes = 0 THEN 0 WHEN r.bytes > 0 THEN r.ms END)) AS m(metric, value)
     GROUP BY m.metric, r.name;

    -- "synced" came with 17: a copy of the primary's slot, which nobody reads
    RETURN QUERY
    SELECT m.metric, s.slot_name::text, m.value
      FROM pg_replication_slots AS s
     CROSS JOIN LATERAL (VALUES
           ('slot_inactive', CASE WHEN s.active OR coalesce((to_jsonb(s) ->> 'synced')::boolean, false) THEN 0 ELSE 1 END::float8),
           ('slot_lost', CASE WHEN s.wal_status IN ('lost', 'unreserved') THEN 1 ELSE 0 END::float8),
           ('slot_retained_bytes', greatest(pg_wal_lsn_diff(at_lsn, s.restart_lsn), 0)::float8)) AS m(metric, value);

    -- a standby that went away is not well: its lag is unknown
    RETURN QUERY
    SELECT m.metric, NULL::text, NULL::float8
      FROM unnest(ARRAY['slot_inactive', 'slot_lost', 'slot_retained_bytes']) AS m(metric);
END
$$;
COMMENT ON FUNCTION dbmaint_signals_of_replication() IS
'Part of dbmaint_signals(): how far standbys and subscribers are behind, and what replication slots keep';

CREATE FUNCTION dbmaint_signals_of_archiving(
    OUT metric text, OUT instance text, OUT value float8)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('archive_mode') = 'off'
       OR current_setting('archive_mode') = 'on' AND pg_is_in_recovery() THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT 'archive_failing', '',
           CASE WHEN a.last_failed_time > coalesce(a.last_archived_time, '-infinity'::timestamptz) THEN 1 ELSE 0 END::float8
      FROM pg_stat_archiver AS a;
    RETURN QUERY
    SELECT 'archive_waiting_files', '', count(*)::float8
      FROM pg_ls_archive_statusdir() AS f WHERE f.name LIKE '%.ready';
END
$$;
COMMENT ON FUNCTION dbmaint_signals_of_archiving() IS
'Part of dbmaint_signals(): whether the archiver fails, and how much waits for it; no rows where WAL is not archived';

CREATE TABLE dbmaint_backups (
    backup_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    database_oid oid NOT NULL,
    ended_at timestamptz NOT NULL CHECK (isfinite(ended_at)),
    note text,
    noted_by text NOT NULL
);
CREATE INDEX dbmaint_backups_ended_at_idx ON dbmaint_backups (database_oid, ended_at);
COMMENT ON TABLE dbmaint_backups IS
'Backups that succeeded, as dbmaint_note_backup() was told.';
COMMENT ON COLUMN dbmaint_backups.backup_id IS
'Its number.';
COMMENT ON COLUMN dbmaint_backups.database_oid IS
'The database in which it was noted.';
COMMENT ON COLUMN dbmaint_backups.ended_at IS
'When it ended.';
COMMENT ON COLUMN dbmaint_backups.note IS
'What, where or how, for people.';
COMMENT ON COLUMN dbmaint_backups.noted_by IS
'The user who noted it.';
COMMENT ON SEQUENCE dbmaint_backups_backup_id_seq IS 'Numbers of backups.';

CREATE FUNCTION dbmaint_do_note_backup(ended_at timestamptz, note text)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    made bigint;
BEGIN
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_backups'::name);
    IF ended_at IS NULL OR NOT isfinite(ended_at) OR ended_at > clock_timestamp() + interval '1 minute' THEN
        RAISE EXCEPTION 'ended_at must be a time that is not in the future'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = format('It is %s.', coalesce(ended_at::text, 'NULL')),
                  HINT = 'Leave it out where the backup ended now.';
    END IF;
    INSERT INTO @extschema@.dbmaint_backups AS b (database_oid, ended_at, note, noted_by)
    SELECT d.oid, $1, $2, session_user FROM pg_database AS d WHERE d.datname = current_database()
    RETURNING b.backup_id INTO made;
    RETURN made;
END
$$;
COMMENT ON FUNCTION dbmaint_do_note_backup(timestamptz, text) IS
'Part of dbmaint_note_backup(), which runs it as the superuser.';

CREATE FUNCTION dbmaint_note_backup(ended_at timestamptz DEFAULT now(), note text DEFAULT NULL)
RETURNS bigint
LANGUAGE C VOLATILE CALLED ON NULL INPUT
AS 'MODULE_PATHNAME', 'dbmaint_run_granted';
COMMENT ON FUNCTION dbmaint_note_backup(timestamptz, text) IS
'Notes that a backup of this database succeeded, for the alert on its age: what makes backups calls it at its end, where no base backup with archived WAL tells by itself. Returns the number of the row in dbmaint_backups. May be granted.';

CREATE FUNCTION dbmaint_signals_of_backups(at timestamptz, home boolean,
    OUT metric text, OUT instance text, OUT value float8)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ended timestamptz := (SELECT max(b.ended_at) FROM @extschema@.dbmaint_backups AS b
                           WHERE b.ended_at <= dbmaint_signals_of_backups.at
                             AND b.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()));
BEGIN
    -- a base backup is of all databases, and one of them speaks for it
    IF ended IS NULL AND NOT home THEN
        RETURN;
    END IF;
    -- the end of a base backup leaves a backup history file, until the next one
    IF current_setting('archive_mode') <> 'off' THEN
        ended := greatest(ended, (SELECT max(f.modification) FROM pg_ls_archive_statusdir() AS f
                                   WHERE f.name ~ '\.backup\.(ready|done)$'));
    END IF;
    RETURN QUERY
    SELECT 'backup_age_hours', '', (greatest(extract(epoch FROM at - ended), 0) / 3600)::float8
     WHERE ended IS NOT NULL;
END
$$;
COMMENT ON FUNCTION dbmaint_signals_of_backups(timestamptz, boolean) IS
'Part of dbmaint_signals(): the age of the last backup, as dbmaint_note_backup() was told in this database or as base backups leave a trace among the WAL to be archived; no row where neither is known';

CREATE FUNCTION dbmaint_signals(at timestamptz, home boolean,
    OUT metric text, OUT instance text, OUT value float8)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT s.metric, s.instance, s.value FROM @extschema@.dbmaint_signals_of_backups($1, $2) AS s;
    IF NOT home THEN
        RETURN;
    END IF;
    PERFORM @extschema@.dbmaint_require_role('pg_read_all_stats'::name);
    RETURN QUERY SELECT s.metric, s.instance, s.value FROM @extschema@.dbmaint_signals_of_sessions() AS s;
    RETURN QUERY SELECT s.metric, s.instance, s.value FROM @extschema@.dbmaint_signals_of_ids() AS s;
    RETURN QUERY SELECT s.metric, s.instance, s.value FROM @extschema@.dbmaint_signals_of_replication() AS s;
    RETURN QUERY SELECT s.metric, s.instance, s.value FROM @extschema@.dbmaint_signals_of_archiving() AS s;
    RETURN QUERY
    SELECT 'damaged_pages', coalesce(d.datname::text, '(shared catalogs)'), d.checksum_failures::float8
      FROM pg_stat_database AS d
     WHERE d.checksum_failures IS NOT NULL;
END
$$;
COMMENT ON FUNCTION dbmaint_signals(timestamptz, boolean) IS
'What the collector "signals" reads at a time, but for backups in the home database alone: rows of metric (see dbmaint_series_metrics()), instance and value. NULL for the instance: all instances of the metric that are there were returned. NULL for the value: it is not known.';

CREATE FUNCTION dbmaint_object_signals(at timestamptz, home boolean,
    OUT metric text, OUT instance text, OUT value float8)
RETURNS SETOF record
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- a table's worst is worth an alert, a hundred thousand are not
    most CONSTANT int := 1000;
    analyze_threshold CONSTANT int := current_setting('autovacuum_analyze_threshold');
    counted_from CONSTANT timestamptz := coalesce(
        (SELECT d.stats_reset FROM pg_stat_database AS d WHERE d.datname = current_database()),
        pg_postmaster_start_time());
BEGIN
    -- the runbook's formula and its minimum
    RETURN QUERY
    SELECT 'dead_ratio_pct', format('%I.%I', t.schemaname, t.relname),
           100 * t.n_dead_tup::float8 / (t.n_live_tup + t.n_dead_tup)
      FROM pg_stat_user_tables AS t
     WHERE t.n_dead_tup > 1000
     ORDER BY 3 DESC LIMIT most;

    -- what autovacuum does not look at for is not worth an alert either
    RETURN QUERY
    SELECT 'statistics_age_days', format('%I.%I', t.schemaname, t.relname),
           (greatest(extract(epoch FROM dbmaint_object_signals.at - coalesce(greatest(t.last_analyze, t.last_autoanalyze), counted_from)), 0) / 86400)::float8
      FROM pg_stat_user_tables AS t
     WHERE t.n_mod_since_analyze > analyze_threshold
     ORDER BY 3 DESC LIMIT most;

    -- by the signal that decides in dbmaint_index_status()
    RETURN QUERY
    SELECT 'critical_index_efficiency', format('%I.%I', i.schemaname, i.indexname),
           CASE WHEN i.status = 'unknown' OR i.decided_by = 'validity' AND i.status = 'ok' THEN NULL
                WHEN i.decided_by IN ('usage', 'validity') THEN 0
                WHEN i.decided_by = 'hit_ratio' THEN 100 * i.hit_ratio
                ELSE i.index_efficiency END
      FROM @extschema@.dbmaint_index_health(interval '1 day', false) AS i
     WHERE i.critical AND i.schemaname IS NOT NULL
       AND EXISTS (SELECT FROM @extschema@.dbmaint_critical_indexes());

    RETURN QUERY
    SELECT 'sequence_used_ratio', s.instance, (s.used / s.limit_value)::float8
      FROM @extschema@.dbmaint_sequence_resources() AS s
     WHERE s.used IS NULL OR s.used >= s.limit_value / 2
     ORDER BY 3 DESC NULLS LAST LIMIT most;

    RETURN QUERY
    SELECT 'invalid_indexes', '', c.value::float8
      FROM @extschema@.dbmaint_check_invalid_indexes() AS c;

    -- by policy, whatever the key is: less than it wants, unless a job has yet to try
    -- and none failed of late;
    -- else what is told of monthly and shorter ranges is in good time; of a year's, too
    RETURN QUERY
    WITH planned AS MATERIALIZED (
        SELECT w.instance, w.premade,
               w.premade < p.premake AND NOT EXISTS (
                   SELECT FROM @extschema@.dbmaint_job_queue AS q
                    WHERE q.database_oid = @extschema@.dbmaint_current_database()
                      AND q.target_oid = w.parent AND q.kind = 'partition_create' AND q.message IS NULL
                      AND q.enqueued_at > dbmaint_object_signals.at - interval '15 minutes'
                      AND NOT EXISTS (
                          SELECT FROM @extschema@.dbmaint_job_attempts AS a
                           WHERE a.database_oid = q.database_oid AND a.target_oid = q.target_oid AND a.kind = q.kind
                             AND a.state <> 'done' AND a.ended_at > dbmaint_object_signals.at - interval '1 hour')) AS short
          FROM @extschema@.dbmaint_partition_work(dbmaint_object_signals.at) AS w
          JOIN @extschema@.dbmaint_partition_policies AS p ON p.parent = w.parent
    ), seen AS MATERIALIZED (
        SELECT p.instance, (p.ranges - p.begun)::float8 AS left_over,
               p.detail IS NOT NULL
               OR p.ends_at BETWEEN dbmaint_object_signals.at - greatest(p.last_width, interval '31 days')
                                AND dbmaint_object_signals.at + interval '62 days' AS ending
          FROM @extschema@.dbmaint_partition_resources() AS p
    )
    SELECT 'premade_partitions', coalesce(l.instance, s.instance),
           CASE WHEN l.premade IS NOT NULL THEN l.premade::float8 ELSE s.left_over END
      FROM planned AS l FULL JOIN seen AS s ON s.instance = l.instance
     WHERE CASE WHEN l.premade IS NOT NULL THEN l.short
                WHEN s.instance IS NOT NULL THEN s.ending
                ELSE true END
     ORDER BY 3 NULLS LAST, 2 LIMIT most;

    RETURN QUERY
    SELECT m.metric, NULL::text, NULL::float8
      FROM unnest(ARRAY['dead_ratio_pct', 'statistics_age_days', 'critical_index_efficiency',
                        'sequence_used_ratio', 'premade_partitions']) AS m(metric);
END
$$;
COMMENT ON FUNCTION dbmaint_object_signals(timestamptz, boolean) IS
'What the collector "object_signals" reads at a time, as rows like those of dbmaint_signals(): tables with dead tuples and old statistics, critical indexes, sequences that are half used up, tables whose partitions come to an end, or are fewer than a policy wants; at most 1,000 of a kind, the worst';

CREATE FUNCTION dbmaint_capacity_signals(at timestamptz, home boolean,
    OUT metric text, OUT instance text, OUT value float8)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'days_until_full', c.instance,
           (greatest(extract(epoch FROM c.exhausted_at - $1), 0) / 86400)::float8
      FROM @extschema@.dbmaint_capacity(interval '30 days', $1) AS c
     WHERE c.resource = 'disk' AND c.exhausted_at IS NOT NULL
     UNION ALL
    SELECT 'days_until_full', NULL, NULL
$$;
COMMENT ON FUNCTION dbmaint_capacity_signals(timestamptz, boolean) IS
'What the collector "capacity_signals" reads at a time, as rows like those of dbmaint_signals(): when disks will be full, by dbmaint_capacity()';

REVOKE ALL ON FUNCTION dbmaint_signals_of_sessions(), dbmaint_signals_of_ids(),
    dbmaint_signals_of_replication(), dbmaint_signals_of_archiving(),
    dbmaint_signals_of_backups(timestamptz, boolean),
    dbmaint_do_note_backup(timestamptz, text), dbmaint_note_backup(timestamptz, text),
    dbmaint_signals(timestamptz, boolean), dbmaint_object_signals(timestamptz, boolean),
    dbmaint_capacity_signals(timestamptz, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_signals_of_sessions(), dbmaint_signals_of_ids(),
    dbmaint_signals_of_replication(), dbmaint_signals_of_archiving(),
    dbmaint_signals_of_backups(timestamptz, boolean),
    dbmaint_signals(timestamptz, boolean), dbmaint_object_signals(timestamptz, boolean),
    dbmaint_capacity_signals(timestamptz, boolean) TO pg_monitor;
REVOKE ALL ON dbmaint_backups FROM PUBLIC;
GRANT SELECT ON dbmaint_backups TO pg_monitor;
REVOKE ALL ON SEQUENCE dbmaint_backups_backup_id_seq FROM PUBLIC;
