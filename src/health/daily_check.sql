/*
 * src/health/daily_check.sql: the runbook's daily health check script as one
 * call, with its own limits and in its own order.
 *
 * The script compares strictly: a value at its limit passes.  Where it says
 * ALERT the status is critical, where it says WARNING it is warning.  Values
 * are shown rounded so that none crosses its limit by that: times and hit
 * ratios up, the efficiency of pools down.
 */

CREATE FUNCTION dbmaint_daily_check_response_time(OUT value float8, OUT status text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    samples bigint;
BEGIN
    SELECT avg(m.response_time_ms), count(*) INTO value, samples
      FROM @extschema@.performance_metrics AS m
     WHERE m.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
       AND m."timestamp" > now() - interval '15 minutes';
    status := CASE WHEN samples = 0 THEN 'unknown' WHEN value > 100 THEN 'critical' ELSE 'ok' END;
    detail := CASE WHEN samples = 0 THEN 'No sample in the last 15 minutes: see dbmaint_status().'
                   WHEN value IS NULL THEN 'No client statement ended in the last 15 minutes.'
                   WHEN value > 100 THEN format('Response time %s ms exceeds 100 ms threshold. Look at dbmaint_top_statements() and dbmaint_blocked().', round(ceil(100 * value::numeric) / 100, 2))
                   ELSE format('Mean of %s samples of the last 15 minutes.', samples) END;
END
$$;
COMMENT ON FUNCTION dbmaint_daily_check_response_time() IS
'Part of dbmaint_daily_check(): avg(response_time_ms) of the last 15 minutes against 100 ms';

CREATE FUNCTION dbmaint_daily_check_pools(OUT value float8, OUT status text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    pools bigint;
    worst text;
BEGIN
    SELECT count(*), min(h.pool_efficiency),
           string_agg(format('%s: %s %%', h.pool_name, trunc(h.pool_efficiency::numeric, 1)), ', ' ORDER BY h.pool_efficiency, h.pool_name)
               FILTER (WHERE h.pool_efficiency < 75)
      INTO pools, value, worst
      FROM @extschema@.dbmaint_pool_history AS h
     WHERE h.taken_at = (SELECT max(l.taken_at) FROM @extschema@.dbmaint_pool_snapshots AS l
                          WHERE l.taken_at > now() - interval '15 minutes'
                            AND l.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()));
    status := CASE WHEN pools = 0 THEN 'unknown' WHEN value < 75 THEN 'critical' ELSE 'ok' END;
    detail := CASE WHEN pools = 0 THEN 'No reading of PgBouncer in the last 15 minutes: set dbmaint.pgbouncer_conninfo, see dbmaint_pool_status(), and ask in the home database.'
                   WHEN value IS NULL THEN 'No pool has an active server connection.'
                   WHEN value < 75 THEN format('Connection pool efficiency below 75 %% threshold: %s. Look at dbmaint_pools().', left(worst, 500))
                   ELSE format('The lowest of %s pools, by the last reading.', pools) END;
END
$$;
COMMENT ON FUNCTION dbmaint_daily_check_pools() IS
'Part of dbmaint_daily_check(): the lowest 100 * cl_active / sv_active of the pools against 75 %, by the last reading; a pool without an active server connection has none';

CREATE FUNCTION dbmaint_daily_check_indexes(OUT named bigint, OUT issues bigint, OUT lowest_hit_percent float8,
    OUT below_85 text, OUT below_90 text, OUT missing text)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT count(*), count(*) FILTER (WHERE i.index_efficiency < 85), min(100 * i.hit_ratio),
           string_agg(format('%I', i.indexname), ', ' ORDER BY i.index_efficiency) FILTER (WHERE i.index_efficiency < 85),
           string_agg(format('%I', i.indexname), ', ' ORDER BY i.hit_ratio) FILTER (WHERE 100 * i.hit_ratio <= 90),
           string_agg(format('%I', i.indexname), ', ' ORDER BY i.indexname) FILTER (WHERE i.schemaname IS NULL)
      INTO named, issues, lowest_hit_percent, below_85, below_90, missing
      FROM @extschema@.dbmaint_index_health('1 day'::interval, false) AS i
     WHERE i.critical;
END
$$;
COMMENT ON FUNCTION dbmaint_daily_check_indexes() IS
'Part of dbmaint_daily_check(): the indexes of dbmaint.critical_indexes over the last day: how many, how many of them have idx_tup_fetch below 85 % of idx_tup_read, the lowest buffer hit ratio in per cent, and the names of those below a limit or not there';

CREATE FUNCTION dbmaint_daily_check(OUT check_name text, OUT value text,
    OUT "limit" text, OUT status text, OUT detail text)
RETURNS SETOF record
LANGUAGE plpgsql VOLATILE ROWS 5
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '1s'
AS $$
DECLARE
    answer record;
BEGIN
    check_name := 'response_time';
    "limit" := 'at most 100 ms';
    BEGIN
        SELECT * INTO answer FROM @extschema@.dbmaint_daily_check_response_time();
        value := round(ceil(100 * answer.value::numeric) / 100, 2) || ' ms'; status := answer.status; detail := answer.detail;
    EXCEPTION WHEN OTHERS THEN
        value := NULL; status := 'unknown'; detail := 'The check failed: ' || SQLERRM || '.';
    END;
    RETURN NEXT;

    check_name := 'connection_pool';
    "limit" := 'at least 75 %';
    BEGIN
        IF to_regclass('@extschema@.dbmaint_pool_history') IS NULL THEN
            value := NULL; status := 'unknown'; detail := 'PgBouncer is not read. Ask its admin console: SHOW POOLS.';
        ELSE
            SELECT * INTO answer FROM @extschema@.dbmaint_daily_check_pools();
            value := trunc(answer.value::numeric, 1) || ' %'; status := answer.status; detail := answer.detail;
        END IF;
    EXCEPTION WHEN OTHERS THEN
        value := NULL; status := 'unknown'; detail := 'The check failed: ' || SQLERRM || '.';
    END;
    RETURN NEXT;

    -- the script's limit for the count, then the target that it is for
    check_name := 'critical_indexes';
    "limit" := 'none below 85 % efficiency';
    BEGIN
        SELECT * INTO answer FROM @extschema@.dbmaint_daily_check_indexes();
        IF answer.named = 0 THEN
            value := NULL; status := 'unknown'; detail := 'Name the critical indexes in dbmaint.critical_indexes.';
        ELSE
            value := answer.issues;
            status := CASE WHEN answer.issues > 0 THEN 'warning' ELSE 'ok' END;
            detail := concat_ws(' ', CASE WHEN answer.issues > 0 THEN format('%s critical indexes performing below 85 %% efficiency: %s. See dbmaint_index_health().', answer.issues, left(answer.below_85, 500))
                                          ELSE format('%s critical indexes over the last day.', answer.named) END,
                                'Not there: ' || left(answer.missing, 500) || '.');
        END IF;
    EXCEPTION WHEN OTHERS THEN
        answer := NULL;
        value := NULL; status := 'unknown'; detail := 'The check failed: ' || SQLERRM || '.';
    END;
    RETURN NEXT;

    check_name := 'critical_index_hit_ratio';
    "limit" := 'above 90 %';
    IF status = 'unknown' THEN
        value := NULL;
    ELSE
        value := round(ceil(10 * answer.lowest_hit_percent::numeric) / 10, 1) || ' %';
        status := CASE WHEN value IS NULL THEN 'unknown' WHEN answer.lowest_hit_percent <= 90 THEN 'warning' ELSE 'ok' END;
        detail := CASE WHEN value IS NULL THEN 'No critical index was used in the last day.'
                       WHEN answer.lowest_hit_percent <= 90 THEN format('Read from outside the buffer cache: %s.', left(answer.below_90, 500))
                       ELSE 'The lowest of the critical indexes over the last day.' END;
    END IF;
    RETURN NEXT;

    check_name := 'completed';
    value := to_char(clock_timestamp(), 'YYYY-MM-DD HH24:MI:SS');
    "limit" := NULL; status := 'ok'; detail := 'Daily health check completed';
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION dbmaint_daily_check() IS
'The runbook''s daily health check script in one call, with its limits and in its order: the mean response time of the last 15 minutes (critical above 100 ms), the efficiency of the connection pools (critical below 75 %), the critical indexes with less than 85 % efficiency over the last day (warning if there are any), their target of above 90 % hit ratio, and the line with the time stamp. unknown where there is no source; detail says what to do.';

REVOKE ALL ON FUNCTION dbmaint_daily_check_response_time(), dbmaint_daily_check_pools(), dbmaint_daily_check_indexes(), dbmaint_daily_check() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_daily_check_response_time(), dbmaint_daily_check_pools(), dbmaint_daily_check_indexes(), dbmaint_daily_check() TO pg_monitor;
