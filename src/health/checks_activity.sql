/*
 * src/health/checks_activity.sql: health checks of what sessions do now.
 *
 * The asking session is left out: asking must not change the answer.
 */

CREATE FUNCTION dbmaint_note_hidden_sessions()
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT CASE WHEN count(*) > 0 THEN
                   format(' track_activities is off in %s other sessions, which do not tell since when'
                          ' they do what they do: set it to on.', count(*)) ELSE '' END
              FROM @extschema@.dbmaint_client_sessions() AS a
             WHERE a.hidden AND a.pid <> pg_backend_pid());
END
$$;
COMMENT ON FUNCTION dbmaint_note_hidden_sessions() IS
'A sentence on how many sessions have track_activities off, or an empty text where none has. Part of the health checks.';

CREATE FUNCTION dbmaint_check_total_connections(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    slots CONSTANT int := current_setting('max_connections');
    reserved CONSTANT int := current_setting('superuser_reserved_connections')::int
        + coalesce(current_setting('reserved_connections', true)::int, 0);
    /* the runbook's numbers or 80 and 90 %, whichever is reached first */
    warn_above CONSTANT int := least(480, floor(slots * 0.8));
    critical_above CONSTANT int := least(540, floor(slots * 0.9));
    connections int;
BEGIN
    PERFORM @extschema@.dbmaint_require_role('pg_read_all_stats'::name);
    SELECT count(*) INTO connections
    FROM pg_stat_activity a
    WHERE a.backend_type = 'client backend';

    value := connections;
    status := @extschema@.dbmaint_grade(connections::float8, warn_above::float8, critical_above::float8,
                                        (slots - reserved - 1)::float8);
    target := format('at most %s (critical above %s)', warn_above, critical_above);
    detail := format('%s %% of max_connections (%s, of which %s reserved) in use.',
                     round(100.0 * connections / slots, 1), slots, reserved);
    IF status <> 'ok' THEN
        detail := detail || ' Look for leaks in pg_stat_activity by usename and application_name;'
            ' put a pooler in front or end sessions that have been idle for over 10 minutes.';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_total_connections() IS
'Health check: client connections against max_connections (warning above 480 or 80 %, critical above 540 or 90 %, emergency when only reserved slots are left).';

CREATE FUNCTION dbmaint_check_active_queries(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    warn_above CONSTANT int := current_setting('max_connections')::int / 2;
    active int;
    waiting int;
BEGIN
    PERFORM @extschema@.dbmaint_require_role('pg_read_all_stats'::name);
    SELECT count(*),
        count(*) FILTER (WHERE a.wait_event_type IN ('Lock', 'LWLock', 'IO', 'BufferPin', 'Buffer'))
    INTO active, waiting
    FROM @extschema@.dbmaint_client_sessions() AS a
    WHERE a.state = 'active'
        AND a.pid <> pg_backend_pid();

    value := active;
    status := @extschema@.dbmaint_grade(active::float8, warn_above::float8, NULL::float8, NULL::float8);
    target := format('at most %s', warn_above);
    detail := format('%s of them waiting for a lock or for I/O (this session is not counted).', waiting);
    IF status <> 'ok' THEN
        detail := detail || ' Half of all connections are busy at once: look at wait_event in pg_stat_activity.';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_active_queries() IS
'Health check: client sessions executing now, without the asking one (warning above half of max_connections).';

CREATE FUNCTION dbmaint_check_longest_running_query(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    longest record;
    seconds numeric;
    note CONSTANT text := @extschema@.dbmaint_note_hidden_sessions();
BEGIN
    PERFORM @extschema@.dbmaint_require_role('pg_read_all_stats'::name);
    SELECT a.pid, a.username, a.database, a.query_start, bool_or(a.hidden) OVER () AS untold INTO longest
    FROM @extschema@.dbmaint_client_sessions() AS a
    WHERE a.state IN ('active', 'fastpath function call')
        AND a.pid <> pg_backend_pid()
    ORDER BY a.query_start
    LIMIT 1;

    target := 'at most 5 s (critical above 1 h)';
    IF longest.pid IS NULL THEN
        value := '0 s';
        status := 'ok';
        detail := 'No other session is executing a statement.' || note;
        RETURN;
    ELSIF longest.query_start IS NULL THEN
        status := 'unknown';
        detail := format('Process %s of user %s in database %s is executing a statement.', longest.pid,
                         longest.username, longest.database) || note;
        RETURN;
    END IF;
    seconds := greatest(extract(epoch FROM clock_timestamp() - longest.query_start), 0);
    value := round(seconds, 1) || ' s';
    status := @extschema@.dbmaint_grade(seconds::float8, 5::float8, 3600::float8, NULL::float8);
    detail := format('Process %s of user %s in database %s.', longest.pid, longest.username,
                     longest.database);
    IF status <> 'ok' THEN
        detail := detail || format(' See pg_stat_activity; pg_cancel_backend(%s) stops it.', longest.pid);
    ELSIF longest.untold THEN
        status := 'unknown';
    END IF;
    detail := detail || note;
END
$$;
COMMENT ON FUNCTION dbmaint_check_longest_running_query() IS
'Health check: how long the longest statement of a client session has been executing (warning above the runbook''s 5 seconds, critical above an hour).';

CREATE FUNCTION dbmaint_check_idle_in_transaction(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    sessions int;
    untold int;
    oldest_pid int;
    seconds numeric;
BEGIN
    PERFORM @extschema@.dbmaint_require_role('pg_read_all_stats'::name);
    SELECT count(*), count(*) FILTER (WHERE a.hidden), (array_agg(a.pid ORDER BY a.state_change))[1],
        extract(epoch FROM clock_timestamp() - min(a.state_change))
    INTO sessions, untold, oldest_pid, seconds
    FROM @extschema@.dbmaint_client_sessions() AS a
    WHERE a.state IN ('idle in transaction', 'idle in transaction (aborted)')
        AND a.pid <> pg_backend_pid();

    value := sessions;
    target := 'none for over 5 s (critical above 10 min)';
    status := @extschema@.dbmaint_grade(coalesce(seconds, 0)::float8, 5::float8, 600::float8, NULL::float8);
    IF sessions = 0 THEN
        detail := 'No session holds a transaction open without working in it.';
    ELSIF untold = sessions THEN
        detail := format('Process %s waits for its client.', oldest_pid);
    ELSE
        detail := format('Process %s has waited for its client for %s s.', oldest_pid,
                         round(seconds, 1));
    END IF;
    IF status <> 'ok' THEN
        detail := detail || format(' It holds its locks and keeps vacuum from cleaning:'
            ' correct the application, set idle_in_transaction_session_timeout,'
            ' or pg_terminate_backend(%s).', oldest_pid);
    ELSIF untold > 0 THEN
        status := 'unknown';
    END IF;
    detail := detail || @extschema@.dbmaint_note_hidden_sessions();
END
$$;
COMMENT ON FUNCTION dbmaint_check_idle_in_transaction() IS
'Health check: sessions idle in an open transaction (warning when one has been for over 5 seconds, critical over 10 minutes; unknown where one has track_activities off and no other is worse).';

CREATE FUNCTION dbmaint_check_blocked_sessions(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    sessions int;
    first_blocked record;
BEGIN
    PERFORM @extschema@.dbmaint_require_role('pg_read_all_stats'::name);
    WITH blocked AS MATERIALIZED (
        SELECT a.pid, pg_blocking_pids(a.pid) AS blockers,
            coalesce(extract(epoch FROM clock_timestamp() -
                (SELECT min(l.waitstart) FROM pg_locks l WHERE l.pid = a.pid AND NOT l.granted)), 0) AS seconds
        FROM pg_stat_activity a
        WHERE a.wait_event_type = 'Lock'
    )
    SELECT b.pid, b.blockers, b.seconds, count(*) OVER () AS sessions INTO first_blocked
    FROM blocked b
    WHERE cardinality(b.blockers) > 0
    ORDER BY b.seconds DESC
    LIMIT 1;
    sessions := coalesce(first_blocked.sessions, 0);

    value := sessions;
    target := 'none for over 1 s (critical above 60 s)';
    IF sessions = 0 THEN
        status := 'ok';
        detail := 'No session waits for a lock that another one holds.';
        RETURN;
    END IF;
    status := @extschema@.dbmaint_grade(first_blocked.seconds::float8, 1::float8, 60::float8, NULL::float8);
    detail := format('Process %s has waited %s s for process %s.', first_blocked.pid,
                     round(first_blocked.seconds, 1),
                     array_to_string(first_blocked.blockers, ', '));
    IF status <> 'ok' THEN
        detail := detail || ' See what the blocker does in pg_stat_activity;'
            ' pg_cancel_backend or pg_terminate_backend ends it.';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_blocked_sessions() IS
'Health check: sessions that wait for a lock held by another (warning when one has waited for over a second, critical over a minute).';

CREATE FUNCTION dbmaint_check_prepared_transactions(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    transactions int;
    oldest_gid text;
    oldest_database name;
    seconds numeric;
BEGIN
    target := 'none for over 5 s (critical above 10 min)';
    IF pg_is_in_recovery() THEN
        status := 'unknown';
        detail := 'This is a standby, where they do not show before promotion: ask the primary.';
        RETURN;
    END IF;
    SELECT count(*), (array_agg(p.gid ORDER BY p.prepared))[1],
        (array_agg(p.database ORDER BY p.prepared))[1],
        extract(epoch FROM clock_timestamp() - min(p.prepared))
    INTO transactions, oldest_gid, oldest_database, seconds
    FROM pg_prepared_xacts p;

    value := transactions;
    status := @extschema@.dbmaint_grade(coalesce(seconds, 0)::float8, 5::float8, 600::float8, NULL::float8);
    IF transactions = 0 THEN
        detail := 'No prepared transaction is waiting.';
    ELSE
        detail := format('%L in database %I has waited for %s s.', oldest_gid, oldest_database,
                         round(seconds, 1));
    END IF;
    IF status <> 'ok' THEN
        detail := detail || format(' It holds its locks across restarts and keeps vacuum from cleaning:'
            ' ask the transaction manager, then COMMIT PREPARED %L or ROLLBACK PREPARED %L in that database.',
            oldest_gid, oldest_gid);
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_prepared_transactions() IS
'Health check: prepared transactions that nobody finishes (warning when one is older than 5 seconds, critical over 10 minutes).';

CREATE FUNCTION dbmaint_check_deadlocks(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    all_time bigint;
    since timestamptz;
    last_hour bigint;
BEGIN
    SELECT d.deadlocks, d.stats_reset INTO all_time, since
    FROM pg_stat_database d
    WHERE d.datname = current_database();
    IF NOT pg_is_in_recovery() THEN
        SELECT sum(m.deadlocks) INTO last_hour
        FROM @extschema@.performance_metrics m
        WHERE m.database_oid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
            AND m."timestamp" > now() - interval '1 hour';
    END IF;

    target := 'none in the last hour (critical above 10)';
    detail := format('%s since %s.', all_time,
                     coalesce('the statistics were reset at ' || date_trunc('second', since),
                              'the statistics began'));
    /* none at all is none in the last hour, even where nothing is sampled */
    IF last_hour IS NULL AND all_time = 0 THEN
        last_hour := 0;
    END IF;
    value := last_hour;
    status := @extschema@.dbmaint_grade(last_hour::float8, 0::float8, 10::float8, NULL::float8);
    IF status = 'unknown' THEN
        detail := detail || ' How many are recent is known once dbmaint has sampled this database: see the check sampler.';
    ELSIF status <> 'ok' THEN
        detail := detail || ' The server log has both statements of each: make them lock in the same order.';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_deadlocks() IS
'Health check: deadlocks in this database in the last hour (warning from the first, critical above 10).';

REVOKE ALL ON FUNCTION dbmaint_note_hidden_sessions(), dbmaint_check_total_connections(), dbmaint_check_active_queries(),
    dbmaint_check_longest_running_query(), dbmaint_check_idle_in_transaction(),
    dbmaint_check_blocked_sessions(), dbmaint_check_prepared_transactions(),
    dbmaint_check_deadlocks() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_note_hidden_sessions(), dbmaint_check_total_connections(), dbmaint_check_active_queries(),
    dbmaint_check_longest_running_query(), dbmaint_check_idle_in_transaction(),
    dbmaint_check_blocked_sessions(), dbmaint_check_prepared_transactions(),
    dbmaint_check_deadlocks() TO pg_monitor;
