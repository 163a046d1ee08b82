/*
 * src/health/checks_server.sql: health checks of the server's own machinery.
 *
 * Response time, replication, archiving, and whether anything measures.
 */

CREATE FUNCTION dbmaint_check_response_time(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    samples bigint;
    statements numeric;
    mean float8;
    p95 float8;
BEGIN
    target := 'mean at most 80 ms (critical above 95 ms, emergency above 110 ms)';
    IF pg_is_in_recovery() THEN
        status := 'unknown';
        detail := 'This is a standby, which keeps no history of its own: the rows in performance_metrics are the primary''s; ask there.';
        RETURN;
    END IF;
    SELECT count(*), sum(m.query_count),
        sum(m.response_time_ms * m.query_count) FILTER (WHERE m.query_count > 0)
            / nullif(sum(m.query_count) FILTER (WHERE m.response_time_ms IS NOT NULL), 0)::float8,
        @extschema@.dbmaint_percentile(@extschema@.dbmaint_histogram_merge(m.latency_histogram), 0.95::float8)
    INTO samples, statements, mean, p95
    FROM @extschema@.performance_metrics m
    WHERE m.database_oid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
        AND m."timestamp" > now() - interval '15 minutes';

    IF samples = 0 THEN
        status := 'unknown';
        detail := 'No sample in the last 15 minutes: see the check sampler.';
    ELSIF statements IS NULL THEN
        status := 'unknown';
        detail := 'The samples of the last 15 minutes hold no response times: dbmaint must be in'
            ' shared_preload_libraries and dbmaint.track_latency on.';
    ELSIF mean IS NULL THEN
        value := 'no statements';
        status := 'ok';
        detail := 'No client statement ended in the last 15 minutes.';
    ELSE
        value := concat_ws(', ', 'mean ' || round(mean::numeric, 2) || ' ms',
                           'p95 ' || round(p95::numeric, 2) || ' ms');
        status := @extschema@.dbmaint_grade(mean::float8, 80::float8, 95::float8, 110::float8);
        detail := format('%s statements in the last 15 minutes; the mean decides.', statements);
        IF status <> 'ok' THEN
            detail := detail || ' Look at blocked_sessions, longest_running_query and cache_hit_ratio,'
                ' then at the top of pg_stat_statements by total_exec_time.';
        ELSIF p95 > 80 THEN
            detail := detail || ' One statement in twenty is slower than the target: look at'
                ' pg_stat_statements by max_exec_time.';
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_response_time() IS
'Health check: mean and 95th percentile of the statements of the last 15 minutes, weighted by calls, against the runbook''s limits for the mean (warning above 80 ms, critical above 95, emergency above 110).';

CREATE FUNCTION dbmaint_check_replication_slots(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gigabyte CONSTANT numeric := 1024.0 ^ 3;
    at_lsn CONSTANT pg_lsn := CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
        ELSE pg_current_wal_lsn() END;
    slots int;
    inactive int;
    worst record;
BEGIN
    /*
     * "synced" came with 17: a slot copied from the primary is never active
     * on the standby.
     */
    WITH slot AS (
        SELECT s.slot_name, s.active, s.wal_status,
            coalesce((to_jsonb(s) ->> 'synced')::boolean, false) AS synced,
            greatest(pg_wal_lsn_diff(at_lsn, s.restart_lsn), 0) AS retained
        FROM pg_replication_slots s
    ), graded AS (
        SELECT *, CASE
                WHEN slot.wal_status IN ('lost', 'unreserved') THEN 3
                WHEN NOT slot.active AND NOT slot.synced AND slot.retained > 10 * gigabyte THEN 2
                WHEN NOT slot.active AND NOT slot.synced THEN 1
                WHEN slot.wal_status = 'extended' THEN 1
                ELSE 0
            END AS grade
        FROM slot
    )
    SELECT g.*, count(*) OVER () AS slots,
        count(*) FILTER (WHERE NOT g.active AND NOT g.synced) OVER () AS inactive
    INTO worst
    FROM graded g
    ORDER BY g.grade DESC, g.retained DESC NULLS LAST
    LIMIT 1;
    slots := coalesce(worst.slots, 0);
    inactive := coalesce(worst.inactive, 0);

    value := format('%s, %s inactive', slots, inactive);
    target := 'all active and keeping up (critical when lost or inactive with over 10 GB kept)';
    status := @extschema@.dbmaint_grade(coalesce(worst.grade, 0)::float8, 0::float8, 1::float8, NULL::float8);
    IF slots = 0 THEN
        detail := 'There are no replication slots.';
        RETURN;
    END IF;
    detail := format('%s: %s, keeps %s of WAL.', worst.slot_name,
                     CASE WHEN worst.wal_status IN ('lost', 'unreserved') THEN worst.wal_status
                     WHEN worst.active THEN 'active' WHEN worst.synced THEN 'synced' ELSE 'inactive' END,
                     coalesce(pg_size_pretty(worst.retained), 'nothing'));
    IF worst.grade = 3 THEN
        detail := detail || ' Its WAL is gone or about to be: rebuild its consumer and drop the slot,'
            ' or raise max_slot_wal_keep_size in time.';
    ELSIF worst.grade > 0 THEN
        detail := detail || format(' Start its consumer, or pg_drop_replication_slot(%L) before WAL fills the disk;'
            ' max_slot_wal_keep_size bounds it.', worst.slot_name);
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_replication_slots() IS
'Health check: replication slots that nobody reads and the WAL that they keep (warning when inactive, critical when lost, about to be, or inactive with over 10 GB).';

CREATE FUNCTION dbmaint_check_replication_lag(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gigabyte CONSTANT numeric := 1024.0 ^ 3;
    standbys int;
    name text;
    seconds numeric;
    bytes numeric;
BEGIN
    PERFORM @extschema@.dbmaint_require_role('pg_read_all_stats'::name);
    target := 'at most 30 s and 1 GB (critical above 5 min or 10 GB)';

    IF pg_is_in_recovery() THEN
        IF NOT EXISTS (SELECT FROM pg_stat_wal_receiver) THEN
            status := 'warning';
            detail := 'This standby receives no WAL: look at the primary, primary_conninfo and the server log'
                ' (as it should be where WAL comes from the archive alone).';
            RETURN;
        END IF;
        name := 'this standby';
        bytes := greatest(pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), 0);
        /* all replayed: the age of the last commit says only that the primary is quiet */
        seconds := CASE WHEN bytes = 0 THEN 0
            ELSE greatest(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0) END;
    ELSE
        /* a base backup is a walsender that replays nothing */
        SELECT count(*) OVER (), r.application_name || coalesce(' at ' || host(r.client_addr), ''),
            coalesce(extract(epoch FROM r.replay_lag), 0),
            greatest(pg_wal_lsn_diff(pg_current_wal_lsn(), r.replay_lsn), 0)
        INTO standbys, name, seconds, bytes
        FROM pg_stat_replication r
        WHERE r.state <> 'backup'
        ORDER BY 3 DESC, 4 DESC NULLS LAST
        LIMIT 1;
        IF standbys IS NULL THEN
            value := 'no standby';
            status := 'ok';
            detail := 'No standby or subscriber is connected (a missing one shows as an inactive slot if it has one).';
            RETURN;
        END IF;
    END IF;

    value := format('%s s, %s', round(seconds, 1), pg_size_pretty(coalesce(bytes, 0)));
    status := @extschema@.dbmaint_grade(greatest(
        CASE WHEN seconds > 300 THEN 2 WHEN seconds > 30 THEN 1 ELSE 0 END,
        CASE WHEN bytes > 10 * gigabyte THEN 2 WHEN bytes > gigabyte THEN 1 ELSE 0 END)::float8, 0::float8, 1::float8, NULL::float8);
    detail := format('The furthest behind is %s.', name);
    IF standbys IS NOT NULL THEN
        detail := detail || format(' %s connected.', standbys);
    END IF;
    IF status <> 'ok' THEN
        detail := detail || ' Look at write_lag, flush_lag and replay_lag in pg_stat_replication'
            ' and at long queries on the standby that hold replay back.';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_replication_lag() IS
'Health check: how far the slowest standby is behind, or on a standby how far it is itself (warning above 30 s or 1 GB, critical above 5 minutes or 10 GB).';

CREATE FUNCTION dbmaint_check_archiving(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    mode CONSTANT text := current_setting('archive_mode');
    archiver record;
    waiting bigint;
BEGIN
    target := 'on, the last attempt succeeded, at most 10 files waiting';
    value := mode;
    IF mode = 'off' THEN
        status := 'warning';
        detail := 'WAL is not archived, so there is no recovery to a point in time: set archive_mode = on'
            ' and archive_command, then restart.';
        RETURN;
    ELSIF mode = 'on' AND pg_is_in_recovery() THEN
        status := 'unknown';
        detail := 'This is a standby and archive_mode is not always: the primary archives, ask it.';
        RETURN;
    ELSIF current_setting('archive_command') IN ('', '(disabled)')
        AND current_setting('archive_library') = '' THEN
        status := 'critical';
        detail := 'Neither archive_command nor archive_library is set, so WAL piles up in pg_wal: set one and reload.';
        RETURN;
    END IF;

    SELECT a.last_archived_wal, a.last_archived_time, a.last_failed_wal, a.last_failed_time, a.failed_count
    INTO archiver
    FROM pg_stat_archiver a;
    SELECT count(*) INTO waiting
    FROM pg_ls_archive_statusdir() f
    WHERE f.name LIKE '%.ready';

    value := format('%s, %s files waiting', mode, waiting);
    IF archiver.last_failed_time > coalesce(archiver.last_archived_time, '-infinity') THEN
        status := 'critical';
        detail := format('%s failed at %s, %s failures in all: run archive_command by hand as the server''s user,'
            ' see the server log; WAL is kept until it succeeds.', archiver.last_failed_wal,
            date_trunc('second', archiver.last_failed_time), archiver.failed_count);
        RETURN;
    END IF;
    status := @extschema@.dbmaint_grade(waiting::float8, 10::float8, 100::float8, NULL::float8);
    detail := coalesce(format('Last archived %s at %s.', archiver.last_archived_wal,
                              date_trunc('second', archiver.last_archived_time)), '');
    IF archiver.last_archived_time IS NULL THEN
        detail := 'Nothing was archived yet: pg_switch_wal() tries it.';
    END IF;
    IF status <> 'ok' THEN
        detail := detail || ' It is slower than WAL is written: look at the archive''s network and disk.';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_archiving() IS
'Health check: WAL archiving (warning when off or over 10 files wait, critical when the last attempt failed or over 100 wait).';

CREATE FUNCTION dbmaint_check_sampler(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    /* NULL where the library is not preloaded */
    pause CONSTANT interval := current_setting('dbmaint.sample_interval', true)::interval;
    launcher text;
    sampler record;
    late interval;
    problem text;
BEGIN
    target := 'a sample every ' || coalesce(current_setting('dbmaint.sample_interval', true), '10s');
    SELECT s.state INTO launcher
    FROM @extschema@.dbmaint_status() s
    WHERE s.process = 'launcher';
    IF launcher IS NULL THEN
        status := 'unknown';
        detail := 'The library is not preloaded, so nothing is sampled: add dbmaint to shared_preload_libraries and restart.';
        RETURN;
    ELSIF pg_is_in_recovery() THEN
        status := 'unknown';
        detail := 'This is a standby: sampling starts when it is promoted; until then ask the primary.';
        RETURN;
    ELSIF current_setting('dbmaint.enabled', true)::boolean IS FALSE THEN
        status := 'unknown';
        detail := 'dbmaint.enabled is off, so nothing is sampled: set it on and reload.';
        RETURN;
    END IF;

    SELECT s.* INTO sampler
    FROM @extschema@.dbmaint_status() s
    WHERE s.process = 'sampler' AND s.database = current_database();
    /* no worker slot: what the last sampler left may look recent */
    IF launcher IN ('not running', 'no worker slot') THEN
        status := 'unknown';
        detail := format('The launcher''s state is "%s": raise max_worker_processes and restart; the server log tells why.', launcher);
        RETURN;
    ELSIF sampler.last_round_at IS NULL THEN
        status := 'unknown';
        detail := concat_ws(' ', 'This database was not sampled yet: wait one interval;'
            ' if that does not help, see dbmaint_status() and the setting dbmaint.databases.',
            'Last error: ' || sampler.last_error || '.');
        RETURN;
    END IF;

    /* after a failure the next turn is later than one interval on */
    late := clock_timestamp() - greatest(sampler.last_round_at + pause, nullif(sampler.next_due_at, 'infinity'));
    value := format('last sample %s s ago', greatest(round(extract(epoch FROM
        clock_timestamp() - sampler.last_round_at), 1), 0));
    status := CASE
        WHEN late > 3 * pause AND launcher = 'rotating' THEN 'warning'
        WHEN late > 3 * pause THEN 'critical'
        WHEN sampler.state = 'failing' THEN 'warning'
        ELSE 'ok' END;
    detail := format('It cost %s ms; %s rounds, %s errors.', round(sampler.last_round_cost_ms::numeric, 2),
                     sampler.rounds, sampler.errors);
    IF sampler.last_error IS NOT NULL THEN
        detail := detail || format(' Last error: %s.', sampler.last_error);
    END IF;
    IF status = 'warning' AND launcher = 'rotating' THEN
        detail := detail || ' The databases take turns: raise max_worker_processes and restart, or dbmaint.sample_interval.';
    ELSIF status = 'warning' THEN
        detail := detail || ' Its rounds fail: it tries again at ever longer intervals; the server log has the errors.';
    ELSIF status = 'critical' THEN
        detail := detail || format(' It is %s s late: see dbmaint_status() and the server log.',
                                   round(extract(epoch FROM late), 1));
    END IF;
    problem := @extschema@.dbmaint_home_problem();
    IF problem IS NOT NULL THEN
        status := 'critical';
        detail := problem || ' ' || detail;
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_sampler() IS
'Health check: when this database was last sampled, what that cost, and errors (warning when its rounds fail or databases wait for turns, critical when over 3 intervals late or when dbmaint.home_database names no database that is sampled; unknown where the library is not preloaded, sampling is off, or this is a standby).';

CREATE FUNCTION dbmaint_check_pg_stat_statements(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    /* the library makes its settings only when it is preloaded */
    preloaded CONSTANT boolean := EXISTS (SELECT FROM pg_settings g
        WHERE g.name = 'pg_stat_statements.max' AND g.context = 'postmaster');
    installed text;
    home name;
    available text;
BEGIN
    target := 'preloaded, and created in this database';
    SELECT e.extversion, n.nspname,
        (SELECT v.default_version FROM pg_available_extensions v WHERE v.name = e.extname)
    INTO installed, home, available
    FROM pg_extension e
    JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE e.extname = 'pg_stat_statements';

    value := installed;
    IF installed IS NULL AND NOT preloaded THEN
        status := 'unknown';
        detail := 'Statements are not measured one by one: add pg_stat_statements to shared_preload_libraries,'
            ' restart, then CREATE EXTENSION pg_stat_statements.';
    ELSIF installed IS NULL THEN
        status := 'unknown';
        detail := 'It is preloaded but not created in this database: CREATE EXTENSION pg_stat_statements.';
    ELSIF NOT preloaded THEN
        status := 'unknown';
        detail := 'It is created but not preloaded: add pg_stat_statements to shared_preload_libraries and restart.';
    ELSIF installed <> available THEN
        status := 'warning';
        detail := format('The server brings version %s: ALTER EXTENSION pg_stat_statements UPDATE.', available);
    ELSE
        status := 'ok';
        detail := format('In schema %I, for at most %s statements.', home,
                         current_setting('pg_stat_statements.max'));
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_pg_stat_statements() IS
'Health check: pg_stat_statements is preloaded, created in this database in whatever schema, and at the version that the server brings.';

REVOKE ALL ON FUNCTION dbmaint_check_response_time(), dbmaint_check_replication_slots(),
    dbmaint_check_replication_lag(), dbmaint_check_archiving(), dbmaint_check_sampler(),
    dbmaint_check_pg_stat_statements() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_check_response_time(), dbmaint_check_replication_slots(),
    dbmaint_check_replication_lag(), dbmaint_check_archiving(), dbmaint_check_sampler(),
    dbmaint_check_pg_stat_statements() TO pg_monitor;
