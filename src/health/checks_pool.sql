/*
 * src/health/checks_pool.sql: health checks of PgBouncer's pools.
 *
 * They judge the last reading: asking PgBouncer would make everybody who looks
 * at the health wait for one that hangs.
 */

CREATE FUNCTION dbmaint_last_pools(OUT problem text, OUT taken_at timestamptz)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    pooler record;
    pause CONSTANT interval := coalesce(current_setting('dbmaint.pool_interval', true), '1min')::interval;
BEGIN
    SELECT s.* INTO pooler FROM @extschema@.dbmaint_pool_status() AS s;
    SELECT max(s.taken_at) INTO taken_at
    FROM @extschema@.dbmaint_pool_snapshots s
    WHERE s.database_oid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
        AND s.taken_at > now() - greatest(3 * pause, interval '3 min') AND s.taken_at <= now();
    IF NOT pooler.configured THEN
        problem := 'No PgBouncer is configured: set dbmaint.pgbouncer_conninfo to its admin console and reload.'
            ' Without PgBouncer there is nothing to do.';
    ELSIF pooler.state NOT IN ('ok', 'not read yet') THEN
        problem := format('PgBouncer could not be read: %s.', concat_ws(': ', pooler.state, pooler.message))
            || concat(' ', pooler.advice)
            || coalesce(format(' It worked last at %s.', to_char(pooler.read_at, 'YYYY-MM-DD HH24:MI:SS TZ')), '');
    ELSIF taken_at IS NULL THEN
        problem := 'This database has no reading of the last minutes: they are taken in the home database'
            ' (dbmaint.home_database), every dbmaint.pool_interval; see the check sampler.';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_last_pools() IS
'When the last reading of PgBouncer was taken, if it is recent enough to be judged (three times dbmaint.pool_interval, 3 minutes at least), or why there is none, and what to do about it. Part of the health checks.';

CREATE FUNCTION dbmaint_check_pool_efficiency(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reading record;
    worst record;
    pools int;
    busy int;
BEGIN
    target := 'above 75 % (warning below 70 %, critical below 60 %, emergency below 50 %)';
    SELECT r.* INTO reading FROM @extschema@.dbmaint_last_pools() AS r;
    IF reading.problem IS NOT NULL THEN
        status := 'unknown';
        detail := reading.problem;
        RETURN;
    END IF;
    SELECT count(*), count(h.pool_efficiency) INTO pools, busy
    FROM @extschema@.dbmaint_pool_history h WHERE h.taken_at = reading.taken_at;
    SELECT h.* INTO worst
    FROM @extschema@.dbmaint_pool_history h
    WHERE h.taken_at = reading.taken_at AND h.pool_efficiency IS NOT NULL
    ORDER BY h.pool_efficiency, h.pool_name LIMIT 1;

    status := 'ok';
    IF busy = 0 THEN
        value := 'no traffic';
        detail := format('No server connection of the %s pools was active: there is nothing to judge.', pools);
        RETURN;
    END IF;
    value := round(worst.pool_efficiency::numeric, 1) || ' %';
    status := CASE WHEN worst.pool_efficiency < 50 THEN 'emergency' WHEN worst.pool_efficiency < 60 THEN 'critical'
        WHEN worst.pool_efficiency < 70 THEN 'warning' ELSE 'ok' END;
    detail := format('Pool %s, the lowest of %s with traffic: %s clients, %s waiting; servers: %s active, %s idle.'
        ' Idle clients put it above 100 %%; the use of the server connections is %s %%.',
        worst.pool_name, busy, worst.cl_active, coalesce(worst.cl_waiting::text, '?'), worst.sv_active,
        coalesce(worst.sv_idle::text, '?'), round(100 * worst.server_utilization::numeric, 1));
    IF status <> 'ok' THEN
        detail := detail || ' Server connections are busy without a client: look for long transactions and locks'
            ' (idle_in_transaction, blocked_sessions) and at the log of PgBouncer.';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_pool_efficiency() IS
'Health check: the runbook''s pool efficiency, 100 * cl_active / sv_active, of the pool with traffic that has the lowest, in the last reading of PgBouncer (warning below 70 %, critical below 60 %, emergency below 50 %).';

CREATE FUNCTION dbmaint_check_pool_waiting(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reading record;
    worst record;
    waiting numeric;
    exhausted int;
    pools int;
BEGIN
    target := 'no client waits (warning when one does, emergency when no server connection is free)';
    SELECT r.* INTO reading FROM @extschema@.dbmaint_last_pools() AS r;
    IF reading.problem IS NOT NULL THEN
        status := 'unknown';
        detail := reading.problem;
        RETURN;
    END IF;
    SELECT count(*), sum(h.cl_waiting), count(*) FILTER (WHERE h.exhausted) INTO pools, waiting, exhausted
    FROM @extschema@.dbmaint_pool_history h WHERE h.taken_at = reading.taken_at;
    IF pools > 0 AND waiting IS NULL THEN
        status := 'unknown';
        detail := 'This PgBouncer does not tell how many clients wait.';
        RETURN;
    END IF;
    value := format('%s waiting', coalesce(waiting, 0));
    IF coalesce(waiting, 0) = 0 THEN
        status := 'ok';
        detail := format('No client of the %s pools waits.', pools);
        RETURN;
    END IF;
    SELECT h.* INTO worst
    FROM @extschema@.dbmaint_pool_history h
    WHERE h.taken_at = reading.taken_at AND h.cl_waiting > 0
    ORDER BY h.exhausted DESC NULLS LAST, h.maxwait_ms DESC NULLS LAST, h.cl_waiting DESC LIMIT 1;
    status := CASE WHEN exhausted > 0 THEN 'emergency' ELSE 'warning' END;
    detail := format('Pool %s: %s clients wait, the first for %s ms; servers: %s active, %s idle, of %s.',
        worst.pool_name, worst.cl_waiting, coalesce(round(worst.maxwait_ms::numeric, 1)::text, '?'),
        worst.sv_active, worst.sv_idle, coalesce(worst.pool_size::text, '?'));
    IF worst.exhausted AND worst.sv_active::numeric + worst.sv_login >= worst.pool_size THEN
        detail := detail || format(' The pool is exhausted: end what keeps its connections (idle_in_transaction,'
            ' longest_running_query), or for now SELECT * FROM dbmaint_pool_command(''SET'', ''default_pool_size'', ''%s'').',
            2 * worst.pool_size::numeric);
    ELSIF worst.exhausted THEN
        detail := detail || ' It could have more server connections: PgBouncer does not get them (its log, total_connections,'
            ' max_db_connections), or is about to.';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_pool_waiting() IS
'Health check: clients that wait for a server connection in the last reading of PgBouncer (warning when there are some, emergency when a pool is exhausted: clients wait and no server connection is free).';

REVOKE ALL ON FUNCTION dbmaint_last_pools(), dbmaint_check_pool_efficiency(),
    dbmaint_check_pool_waiting() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_last_pools(), dbmaint_check_pool_efficiency(),
    dbmaint_check_pool_waiting() TO pg_monitor;
