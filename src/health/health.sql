/*
 * src/health/health.sql: one row a check, each check one function.
 *
 * dbmaint_check_<name>() gives exactly one row (value, status, target,
 * detail); dbmaint_health() walks the only list of names there is.  A new
 * check is one function, its name in that list, its comment and its grant;
 * sql/health_checks.sql fails when they disagree.
 *
 * Checks read the server's statistics views in function bodies, never in a
 * view of ours, and name only columns that 15 to 19 share; a column that came
 * later is read by name out of to_jsonb(row).  A check that cannot know says
 * "unknown" and what to do about it.  A check whose reader lacks a right
 * raises, and dbmaint_health() makes the row of it.
 *
 * A call of one of our own functions casts every argument to the parameter's
 * type: where others may create in our schema, a function of theirs that fits
 * the arguments better would be called instead.
 */

CREATE FUNCTION dbmaint_require_role(required name)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT pg_has_role(required, 'USAGE') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = format('role "%s" lacks the privileges of %s', current_user, required),
            HINT = format('GRANT pg_monitor TO %I;', current_user);
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_require_role(name) IS
'Raises insufficient_privilege with the GRANT to run unless the caller has the privileges of the role: statistics views show other users'' rows as NULL, and a number counted from those would be wrong.';

CREATE FUNCTION dbmaint_grade(measured float8, warning float8, critical float8,
    emergency float8)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN measured IS NULL THEN 'unknown'
        WHEN measured > emergency THEN 'emergency'
        WHEN measured > critical THEN 'critical'
        WHEN measured > warning THEN 'warning'
        ELSE 'ok'
    END
$$;
COMMENT ON FUNCTION dbmaint_grade(float8, float8, float8, float8) IS
'The health status of a number of which more is worse: the highest limit that it exceeds. A NULL limit does not apply; a NULL number is unknown.';

CREATE FUNCTION dbmaint_health(OUT check_name text, OUT value text, OUT status text,
    OUT target text, OUT detail text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '1s'
AS $$
DECLARE
    checks CONSTANT text[] := ARRAY[
        'database_size',
        'total_connections',
        'active_queries',
        'longest_running_query',
        'idle_in_transaction',
        'tables_needing_vacuum',
        'response_time',
        'cache_hit_ratio',
        'transaction_id_age',
        'blocked_sessions',
        'deadlocks',
        'temp_files',
        'checksum_failures',
        'stale_statistics',
        'replication_slots',
        'replication_lag',
        'archiving',
        'prepared_transactions',
        'invalid_indexes',
        'disk_space',
        'partitions',
        'sampler',
        'alerts',
        'pg_stat_statements',
        'pool_efficiency',
        'pool_waiting'
    ];
    home name;
    message text;
    hint text;
BEGIN
    SELECT n.nspname INTO STRICT home
    FROM pg_extension e
    JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE e.extname = 'dbmaint';

    FOREACH check_name IN ARRAY checks LOOP
        /* OTHERS leaves query_canceled alone: Ctrl-C ends the whole call */
        BEGIN
            EXECUTE format('SELECT c.value, c.status, c.target, c.detail FROM %I.%I() AS c',
                           home, 'dbmaint_check_' || check_name)
                INTO value, status, target, detail;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
            IF SQLSTATE = '42501' AND hint = '' THEN
                hint := format('GRANT pg_monitor TO %I;', current_user);
            END IF;
            value := NULL;
            status := 'unknown';
            target := NULL;
            detail := concat_ws(' ', 'The check failed: ' || message || '.', nullif(hint, ''));
        END;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION dbmaint_health() IS
'The state of this server and database, one row a check: its value, status (ok, warning, critical, emergency, unknown), target, and what to look at or do. A check that fails or waits a second for a lock becomes an unknown row and costs no other.';

REVOKE ALL ON FUNCTION dbmaint_require_role(name),
    dbmaint_grade(float8, float8, float8, float8), dbmaint_health() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_require_role(name),
    dbmaint_grade(float8, float8, float8, float8), dbmaint_health() TO pg_monitor;
