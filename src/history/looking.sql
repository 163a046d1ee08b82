-- src/history/looking.sql: history for the eye: sparklines, and a screen for
-- psql's \watch.

CREATE FUNCTION dbmaint_sparkline("values" float8[], width int DEFAULT NULL)
RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_sparkline';
COMMENT ON FUNCTION dbmaint_sparkline(float8[], int) IS
'Draws numbers as a line of blocks, one a value, or as many as width where there are more values than that, each the mean of its share. The lowest block is the least of them, the full one the greatest; equal values are drawn in the middle, and zeroes lowest. NULL and NaN leave a gap, infinities are drawn full and lowest. In a database whose encoding is not UTF8 the blocks are _.-:=+*#.';

CREATE FUNCTION dbmaint_clip(string text, width int)
RETURNS text
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_clip';
COMMENT ON FUNCTION dbmaint_clip(text, int) IS
'Makes text exactly width columns of a terminal wide, by cutting it off or with blanks; control characters become blanks.';

CREATE FUNCTION dbmaint_show_number(number float8)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN number IS NULL OR number = 'NaN' OR abs(number) = 'Infinity' THEN '-'
        WHEN abs(number) >= 999.5e9 THEN to_char(number / 1e12, 'FM9999990') || 'T'
        WHEN abs(number) >= 999.5e6 THEN to_char(number / 1e9, 'FM990.0') || 'G'
        WHEN abs(number) >= 999.5e3 THEN to_char(number / 1e6, 'FM990.0') || 'M'
        WHEN abs(number) >= 9999.5 THEN to_char(number / 1e3, 'FM990.0') || 'k'
        WHEN abs(number) >= 99.5 OR number = round(number::numeric) THEN to_char(number, 'FM99990')
        WHEN abs(number) >= 9.95 THEN to_char(number, 'FM990.0')
        ELSE to_char(number, 'FM90.00')
    END
$$;
COMMENT ON FUNCTION dbmaint_show_number(float8) IS
'A number in at most six characters, with k, M, G or T for thousands; a dash where it is not known.';

CREATE FUNCTION dbmaint_top_waits_line(at timestamptz)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'last hour    ' || string_agg(format('%s %s %%', CASE WHEN w.wait_event = w.wait_event_type THEN w.wait_event
                                                  ELSE w.wait_event_type || ':' || w.wait_event END,
                                      round(100 * w.share_ratio)), '  ' ORDER BY w.share_ratio DESC, w.wait_event)
      FROM (SELECT p.* FROM @extschema@.dbmaint_wait_profile(at - interval '1 hour', at, NULL::bigint) AS p
             ORDER BY p.share_ratio DESC, p.wait_event LIMIT 5) AS w
$$;
COMMENT ON FUNCTION dbmaint_top_waits_line(timestamptz) IS
'Part of dbmaint_top(): what active sessions waited for most in the hour before, by the activity history (CPU: for nothing); NULL where that has nothing, as in a database that is not the home database.';

CREATE FUNCTION dbmaint_top_alerts_line(at timestamptz)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'alerts       ' || string_agg(format('%s %s: %s%s', upper(i.severity), i.metric || coalesce(' of ' || nullif(i.instance, ''), ''),
                                                @extschema@.dbmaint_show_duration($1 - i.since_at),
                                                CASE WHEN i.acknowledged_at <= $1 THEN ', acknowledged' END), '; '
                                         ORDER BY array_position(ARRAY['emergency', 'critical', 'warning'], i.severity), i.since_at)
      FROM @extschema@.dbmaint_incidents AS i
     WHERE i.fired_at <= $1 AND (i.resolved_at IS NULL OR i.resolved_at > $1)
       AND i.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
$$;
COMMENT ON FUNCTION dbmaint_top_alerts_line(timestamptz) IS
'Part of dbmaint_top(): the alerts that fired at a time, the worst first; NULL where none did.';

CREATE FUNCTION dbmaint_top_statements_lines(at timestamptz, lines int)
RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    home name;
    s record;
BEGIN
    -- a heading alone says nothing
    IF lines < 2 THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM @extschema@.dbmaint_statement_snapshots AS k
                WHERE k.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                  AND k.taken_at > at - interval '1 hour' AND k.taken_at <= at AND k.previous_at IS NOT NULL) THEN
        RETURN NEXT '   time   calls mean ms  statement (in the last hour)';
        FOR s IN
            SELECT t.* FROM @extschema@.dbmaint_top_statements(at - interval '1 hour', at, 'total_time'::text, NULL::int) AS t
             WHERE t.database = current_database() AND t.query IS NOT NULL
             ORDER BY t.total_time_ms DESC LIMIT lines - 1
        LOOP
            RETURN NEXT lpad(to_char(coalesce(s.percent_of_total, 0), 'FM990.0'), 5) || ' %'
                || lpad(@extschema@.dbmaint_show_number(s.calls::float8), 8)
                || lpad(@extschema@.dbmaint_show_number(s.mean_time_ms::float8), 8) || '  '
                || regexp_replace(s.query, '\s+', ' ', 'g');
        END LOOP;
        RETURN;
    END IF;
    -- of the past, pg_stat_statements knows nothing
    IF at < now() - interval '1 minute' THEN
        RETURN;
    END IF;

    -- the extension's own view, in whatever schema; a view of that name that
    -- is not the extension's is nothing to us
    SELECT n.nspname INTO home
      FROM pg_extension AS e
      JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
                         AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'
      JOIN pg_class AS c ON c.oid = d.objid AND c.relname = 'pg_stat_statements'
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE e.extname = 'pg_stat_statements'
       AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'total_exec_time');
    IF home IS NULL THEN
        RETURN NEXT 'pg_stat_statements is not installed in this database.';
        RETURN;
    END IF;
    RETURN NEXT '   time   calls mean ms  statement (since the last reset)';
    FOR s IN EXECUTE format($q$
        SELECT p.calls, p.total_exec_time / p.calls AS mean_ms, p.query,
               100 * p.total_exec_time / nullif(sum(p.total_exec_time) OVER (), 0) AS percent
          FROM %I.pg_stat_statements AS p
         WHERE p.dbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
           AND p.calls > 0
         ORDER BY p.total_exec_time DESC LIMIT $1$q$, home)
      USING lines - 1
    LOOP
        -- of others' statements, who may not read the texts sees no line
        CONTINUE WHEN s.query IS NULL OR s.query = '<insufficient privilege>';
        RETURN NEXT lpad(to_char(coalesce(s.percent, 0), 'FM990.0'), 5) || ' %'
            || lpad(@extschema@.dbmaint_show_number(s.calls::float8), 8)
            || lpad(@extschema@.dbmaint_show_number(s.mean_ms::float8), 8) || '  '
            || regexp_replace(s.query, '\s+', ' ', 'g');
    END LOOP;
EXCEPTION
    -- it is created but not preloaded
    WHEN object_not_in_prerequisite_state THEN
        RETURN NEXT 'pg_stat_statements is not in shared_preload_libraries.';
END
$$;
COMMENT ON FUNCTION dbmaint_top_statements_lines(timestamptz, int) IS
'Part of dbmaint_top(): the statements of this database that took most time in the hour before by the history of statements, or without one, for the present, since pg_stat_statements was reset; a heading, and one line each with its share of the time of all. None that the caller may not read; no lines where nothing is known.';

CREATE FUNCTION dbmaint_top(
    width int DEFAULT 80, height int DEFAULT 24, at timestamptz DEFAULT now())
RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    -- what psql puts around a column: two blanks; title, heading, rule, count
    room int := width - 2;
    lines_left int := height - 6;
    spark_width CONSTANT int := greatest(least(room - 58, 60), 8);
    me oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    -- the present has health, a time in the past only history
    present boolean := at IS NOT NULL AND at >= now() - interval '1 minute';
    r record;
    s record;
    h record;
    line text;
    lines text[];
BEGIN
    IF width IS NULL OR width NOT BETWEEN 60 AND 1000 OR height IS NULL OR height NOT BETWEEN 14 AND 1000
       OR at IS NULL OR NOT isfinite(at) THEN
        RAISE EXCEPTION 'a screen has 60 to 1000 columns and 14 to 1000 lines, and at is a time'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'For example: dbmaint_top(80, 24).';
    END IF;

    -- the last minute, and by the minute the hour
    SELECT sum(m.query_count) * 1000 / nullif(sum(m.sample_interval_ms), 0) AS queries_s,
           sum(m.response_time_ms * m.query_count) / nullif(sum(m.query_count), 0)::float8 AS mean,
           @extschema@.dbmaint_percentile(@extschema@.dbmaint_histogram_merge(m.latency_histogram), 0.50::float8) AS p50,
           @extschema@.dbmaint_percentile(@extschema@.dbmaint_histogram_merge(m.latency_histogram), 0.95::float8) AS p95,
           @extschema@.dbmaint_percentile(@extschema@.dbmaint_histogram_merge(m.latency_histogram), 0.99::float8) AS p99,
           max(m.max_ms) AS longest, sum(m.slow_query_count) AS slow, sum(m.failed_query_count) AS failed,
           sum(m.wal_bytes) * 1000.0 / nullif(sum(m.sample_interval_ms), 0) AS wal_s,
           sum(m.temp_bytes) * 1000.0 / nullif(sum(m.sample_interval_ms), 0) AS temp_s,
           sum(m.blocks_hit) * 100.0 / nullif(sum(m.blocks_hit) + sum(m.blocks_read), 0) AS hit_percent,
           sum(m.commits) * 1000.0 / nullif(sum(m.sample_interval_ms), 0) AS commits_s,
           (array_agg(m ORDER BY m."timestamp" DESC))[1] AS newest
      INTO r
      FROM @extschema@.performance_metrics AS m
     WHERE m.database_oid = me AND m."timestamp" > at - interval '1 minute' AND m."timestamp" <= at;
    SELECT array_agg(b.queries ORDER BY n) AS queries, array_agg(b.p95 ORDER BY n) AS p95,
           array_agg(b.connections ORDER BY n) AS connections, array_agg(b.waits ORDER BY n) AS waits,
           array_agg(b.cpu ORDER BY n) AS cpu, array_agg(b.wal ORDER BY n) AS wal
      INTO s
      FROM generate_series(1, 60) AS n,
           LATERAL (SELECT sum(m.query_count)::float8 AS queries,
                           @extschema@.dbmaint_percentile(@extschema@.dbmaint_histogram_merge(m.latency_histogram), 0.95::float8) AS p95,
                           avg(m.active_connections)::float8 AS connections,
                           avg(m.blocked_sessions + m.lwlock_waits + m.io_waits)::float8 AS waits,
                           avg(m.cpu_busy_ratio) AS cpu, sum(m.wal_bytes)::float8 AS wal
                      FROM @extschema@.performance_metrics AS m
                     WHERE m.database_oid = me
                       AND m."timestamp" > at - (61 - n) * interval '1 minute'
                       AND m."timestamp" <= at - (60 - n) * interval '1 minute') AS b;

    lines := ARRAY[
        format('%s  %s UTC  %s', current_database(),
               to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
               CASE WHEN (r.newest)."timestamp" IS NULL THEN 'no sample in the last minute'
                    ELSE format('last sample %s s ago', round(extract(epoch FROM at - (r.newest)."timestamp"))) END),
        format('throughput   %s/s  commits %s/s  slow %s  failed %s',
               @extschema@.dbmaint_show_number(r.queries_s::float8), @extschema@.dbmaint_show_number(r.commits_s::float8),
               @extschema@.dbmaint_show_number(r.slow::float8), @extschema@.dbmaint_show_number(r.failed::float8)),
        format('response ms  mean %s p50 %s p95 %s p99 %s max %s',
               @extschema@.dbmaint_show_number(r.mean::float8), @extschema@.dbmaint_show_number(r.p50::float8),
               @extschema@.dbmaint_show_number(r.p95::float8), @extschema@.dbmaint_show_number(r.p99::float8),
               @extschema@.dbmaint_show_number(r.longest::float8)),
        format('connections  %s of %s: %s active, %s in transaction',
               @extschema@.dbmaint_show_number((r.newest).total_connections::float8),
               @extschema@.dbmaint_show_number((r.newest).max_connections::float8),
               @extschema@.dbmaint_show_number((r.newest).active_connections::float8),
               @extschema@.dbmaint_show_number((r.newest).idle_in_transaction_connections::float8)),
        format('waits        lock %s  lwlock %s  io %s  client %s  other %s',
               @extschema@.dbmaint_show_number((r.newest).blocked_sessions::float8),
               @extschema@.dbmaint_show_number((r.newest).lwlock_waits::float8),
               @extschema@.dbmaint_show_number((r.newest).io_waits::float8),
               @extschema@.dbmaint_show_number((r.newest).client_waits::float8),
               @extschema@.dbmaint_show_number((r.newest).other_waits::float8)),
        format('storage      hit %s %%  WAL %sB/s  temp %sB/s',
               @extschema@.dbmaint_show_number(r.hit_percent::float8), @extschema@.dbmaint_show_number(r.wal_s::float8),
               @extschema@.dbmaint_show_number(r.temp_s::float8)),
        format('host         CPU %s %%  load %s  disk free %s %%',
               @extschema@.dbmaint_show_number((100 * (r.newest).cpu_busy_ratio)::float8),
               @extschema@.dbmaint_show_number((r.newest).load_1m::float8),
               @extschema@.dbmaint_show_number((100 * (r.newest).disk_free_ratio)::float8))];
    RETURN NEXT @extschema@.dbmaint_clip(lines[1], room);
    RETURN NEXT @extschema@.dbmaint_clip(@extschema@.dbmaint_clip(lines[2], room - spark_width - 1) || ' ' || @extschema@.dbmaint_sparkline(s.queries::float8[], spark_width), room);
    RETURN NEXT @extschema@.dbmaint_clip(@extschema@.dbmaint_clip(lines[3], room - spark_width - 1) || ' ' || @extschema@.dbmaint_sparkline(s.p95::float8[], spark_width), room);
    RETURN NEXT @extschema@.dbmaint_clip(@extschema@.dbmaint_clip(lines[4], room - spark_width - 1) || ' ' || @extschema@.dbmaint_sparkline(s.connections::float8[], spark_width), room);
    RETURN NEXT @extschema@.dbmaint_clip(@extschema@.dbmaint_clip(lines[5], room - spark_width - 1) || ' ' || @extschema@.dbmaint_sparkline(s.waits::float8[], spark_width), room);
    RETURN NEXT @extschema@.dbmaint_clip(@extschema@.dbmaint_clip(lines[6], room - spark_width - 1) || ' ' || @extschema@.dbmaint_sparkline(s.wal::float8[], spark_width), room);
    RETURN NEXT @extschema@.dbmaint_clip(@extschema@.dbmaint_clip(lines[7], room - spark_width - 1) || ' ' || @extschema@.dbmaint_sparkline(s.cpu::float8[], spark_width), room);
    lines_left := lines_left - 7;
    line := @extschema@.dbmaint_top_alerts_line(at);
    IF line IS NOT NULL THEN
        RETURN NEXT @extschema@.dbmaint_clip(line, room);
        lines_left := lines_left - 1;
    END IF;
    line := @extschema@.dbmaint_top_waits_line(at);
    IF line IS NOT NULL THEN
        RETURN NEXT @extschema@.dbmaint_clip(line, room);
        lines_left := lines_left - 1;
    END IF;
    IF NOT present THEN
        FOR line IN SELECT t.l FROM @extschema@.dbmaint_top_statements_lines(at, lines_left) AS t(l) LOOP
            RETURN NEXT @extschema@.dbmaint_clip(line, room);
        END LOOP;
        RETURN;
    END IF;

    -- what is not well, worst first, in at most a half of what is left
    lines := ARRAY(
        SELECT c.status || ': ' || c.check_name || coalesce(' ' || c.value, '') || coalesce(', target ' || c.target, '')
          FROM @extschema@.dbmaint_health() AS c
         WHERE c.status IN ('warning', 'critical', 'emergency')
         ORDER BY array_position(ARRAY['emergency', 'critical', 'warning'], c.status), c.check_name);
    IF cardinality(lines) = 0 THEN
        RETURN NEXT @extschema@.dbmaint_clip('health: nothing is wrong', room);
        lines_left := lines_left - 1;
    END IF;
    FOR i IN 1 .. least(cardinality(lines), greatest(lines_left / 2, 1)) LOOP
        RETURN NEXT @extschema@.dbmaint_clip(lines[i], room);
        lines_left := lines_left - 1;
    END LOOP;
    IF lines_left < 2 THEN
        RETURN;
    END IF;

    FOR line IN SELECT t.l FROM @extschema@.dbmaint_top_statements_lines(at, lines_left) AS t(l) LOOP
        RETURN NEXT @extschema@.dbmaint_clip(line, room);
    END LOOP;
END
$$;
COMMENT ON FUNCTION dbmaint_top(int, int, timestamptz) IS
'One screen for psql''s \watch, as lines: throughput, response times, connections, waits, storage and host of the last minute, each with a sparkline of the last hour (statements, p95, active connections, sessions that wait, WAL, CPU); the alerts that fire; what active sessions waited for in that hour, where the activity history has it (in the home database); then the health checks that are not ok, and the statements that took most time: in the last hour, or where the history of statements has nothing of it (in another database), since pg_stat_statements was reset. width and height are the terminal''s: a line is two columns narrower and there are six lines fewer, which psql takes. A dash is what is not known, as what another database reads for the server. With at in the past only the history is shown, as it was then.';

REVOKE ALL ON FUNCTION dbmaint_top_statements_lines(timestamptz, int),
    dbmaint_top_waits_line(timestamptz), dbmaint_top_alerts_line(timestamptz), dbmaint_top(int, int, timestamptz) FROM PUBLIC;
REVOKE ALL ON FUNCTION dbmaint_clip(text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_top_statements_lines(timestamptz, int),
    dbmaint_top_waits_line(timestamptz), dbmaint_top_alerts_line(timestamptz), dbmaint_top(int, int, timestamptz),
    dbmaint_clip(text, int) TO pg_monitor;
