/*
 * src/history/report.sql: the weekly, monthly and quarterly review.
 *
 * The three are dbmaint_report() over another period.  It walks a list of
 * sections, each a function dbmaint_report_<section>() that gives figures; a
 * new section is one function, its name in that list, its comment and its
 * grant.  Every figure comes from dbmaint_metrics_by(), so that what samples
 * left behind in the roll-ups is as good as the samples; in report_totals.sql
 * from days of statements and indexes, which are as good as their snapshots.
 * Periods are whole days of UTC, as roll-ups are.
 *
 * A section says what it knows and nothing else: a figure that nobody
 * measured is NULL and "unknown".
 */

CREATE FUNCTION dbmaint_anomalies(
    from_at timestamptz, to_at timestamptz,
    k float8 DEFAULT 3, weeks int DEFAULT 12,
    OUT day date, OUT metric text, OUT unit text, OUT value float8,
    OUT median float8, OUT low float8, OUT high float8, OUT days_before int,
    OUT status text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    -- of fewer days neither median nor spread tells much
    least_days CONSTANT int := 4;
    -- makes the MAD of a normal distribution its standard deviation
    -- (Rousseeuw and Croux, 1993)
    normal CONSTANT float8 := 1.4826;
    -- where hardly anything varies, this share of the median still is normal
    least_share CONSTANT float8 := 0.1;
    -- half a day: a day that was measured in part says nothing about a whole
    least_measured_ms CONSTANT float8 := 43200000;
BEGIN
    IF from_at IS NULL OR to_at IS NULL OR k IS NULL OR NOT k > 0
       OR weeks IS NULL OR weeks NOT BETWEEN 1 AND 520 THEN
        RAISE EXCEPTION 'from_at and to_at must be times, k a positive number, and weeks from 1 to 520'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'For example: dbmaint_anomalies(now() - interval ''7 days'', now()).';
    END IF;
    RETURN QUERY
    WITH days AS MATERIALIZED (
        SELECT (m.hour AT TIME ZONE 'UTC')::date AS day, v.metric, v.unit, v.value
          FROM @extschema@.dbmaint_metrics_by('day'::text, date_trunc('day', greatest(from_at, '0001-01-01 00:00:00+00'), 'UTC') - make_interval(hours => 168 * weeks), to_at) AS m,
               LATERAL (VALUES
                   ('response_time_ms', 'ms', m.response_time_sum_ms / nullif(m.query_count, 0)),
                   ('p95_ms', 'ms', @extschema@.dbmaint_percentile(m.latency_histogram, 0.95::float8)),
                   ('query_count', '1', m.query_count::float8),
                   ('max_total_connections', '1', m.max_total_connections::float8),
                   ('wal_bytes', 'bytes', m.wal_bytes::float8)) AS v(metric, unit, value)
         WHERE m.sample_interval_ms >= least_measured_ms AND v.value IS NOT NULL)
    SELECT d.day, d.metric, d.unit, d.value, b.median,
           b.median - b.half, b.median + b.half, b.days,
           CASE WHEN b.days < least_days THEN 'unknown'
                WHEN abs(d.value - b.median) > b.half THEN 'anomaly'
                ELSE 'ok' END
      FROM days AS d,
           LATERAL (SELECT count(*)::int AS days,
                           percentile_cont(0.5) WITHIN GROUP (ORDER BY h.value) AS median
                      FROM days AS h
                     WHERE h.metric = d.metric AND h.day < d.day
                       AND h.day >= d.day - 7 * weeks AND (d.day - h.day) % 7 = 0) AS s,
           LATERAL (SELECT s.days, s.median,
                           greatest(k * normal * percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(h.value - s.median)),
                                    least_share * s.median) AS half
                      FROM days AS h
                     WHERE h.metric = d.metric AND h.day < d.day
                       AND h.day >= d.day - 7 * weeks AND (d.day - h.day) % 7 = 0) AS b
     WHERE d.day >= (from_at AT TIME ZONE 'UTC')::date
     ORDER BY d.day, d.metric;
END
$$;
COMMENT ON FUNCTION dbmaint_anomalies(timestamptz, timestamptz, float8, int) IS
'Days (of UTC) against their season: each day''s value beside the median of the same weekday in the weeks before it, and the band of k times the scaled median absolute deviation (at least a tenth of the median) around it. The status is ok, anomaly, or unknown where fewer than 4 such days were measured. Days of which less than half was measured are left out.';

CREATE TYPE dbmaint_report_figure AS (
    item text,
    unit text,
    value float8,
    previous float8,
    status text,
    detail text
);
COMMENT ON TYPE dbmaint_report_figure IS
'A figure of a section of the reviews: its value in the period and in the one before it. status and detail are NULL where there is nothing to judge by or to say.';

CREATE TYPE dbmaint_report_line AS (
    section text,
    item text,
    value float8,
    previous float8,
    change_ratio float8,
    unit text,
    status text,
    detail text
);
COMMENT ON TYPE dbmaint_report_line IS
'A line of the reviews, see dbmaint_report().';

CREATE FUNCTION dbmaint_require_periods(
    from_at timestamptz, to_at timestamptz, previous_from_at timestamptz)
RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF from_at IS NULL OR to_at IS NULL OR previous_from_at IS NULL
       OR NOT isfinite(from_at) OR NOT isfinite(to_at) OR NOT isfinite(previous_from_at)
       OR from_at >= to_at OR previous_from_at >= from_at THEN
        RAISE EXCEPTION 'a report needs a period and one before it'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'For example: dbmaint_weekly_report(''2026-01-05'').';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_require_periods(timestamptz, timestamptz, timestamptz) IS
'Raises an error unless from_at to to_at is a period, and previous_from_at to from_at one before it.';

CREATE FUNCTION dbmaint_report_measured(
    from_at timestamptz, to_at timestamptz, previous_from_at timestamptz, step text)
RETURNS SETOF dbmaint_report_figure
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    figure @extschema@.dbmaint_report_figure;
    this @extschema@.dbmaint_hourly_metrics;
    last @extschema@.dbmaint_hourly_metrics;
BEGIN
    PERFORM @extschema@.dbmaint_require_periods(from_at, to_at, previous_from_at);
    SELECT * INTO this FROM @extschema@.dbmaint_metrics_by(NULL::text, from_at, to_at);
    SELECT * INTO last FROM @extschema@.dbmaint_metrics_by(NULL::text, previous_from_at, from_at);
    figure.item := 'measured_ratio';
    figure.unit := 'ratio';
    figure.value := least(coalesce(this.sample_interval_ms, 0) / (1000 * extract(epoch FROM to_at - from_at)), 1);
    figure.previous := least(coalesce(last.sample_interval_ms, 0) / (1000 * extract(epoch FROM from_at - previous_from_at)), 1);
    figure.status := CASE WHEN figure.value = 0 THEN 'unknown' WHEN least(figure.value, figure.previous) < 0.9 THEN 'warning' ELSE 'ok' END;
    figure.detail := CASE
        WHEN figure.value = 0 THEN 'Not enough history: nothing was measured in this period.'
        WHEN figure.previous = 0 THEN 'Not enough history to compare with: nothing was measured in the period before.'
        WHEN figure.status = 'warning' THEN 'Sums of the two periods do not compare where their measured shares differ; means and ratios do.'
        ELSE 'Share of the period in which samples were taken.' END;
    RETURN NEXT figure;
END
$$;
COMMENT ON FUNCTION dbmaint_report_measured(timestamptz, timestamptz, timestamptz, text) IS
'Section of the reviews: how much of the period was measured (warning below nine tenths of it or of the one before).';

CREATE FUNCTION dbmaint_report_response_time(
    from_at timestamptz, to_at timestamptz, previous_from_at timestamptz, step text)
RETURNS SETOF dbmaint_report_figure
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- the runbook's: "<100ms average response time"
    target_ms CONSTANT float8 := 100;
    this @extschema@.dbmaint_hourly_metrics;
    last @extschema@.dbmaint_hourly_metrics;
BEGIN
    SELECT * INTO this FROM @extschema@.dbmaint_metrics_by(NULL::text, from_at, to_at);
    SELECT * INTO last FROM @extschema@.dbmaint_metrics_by(NULL::text, previous_from_at, from_at);
    RETURN QUERY
    SELECT v.* FROM (VALUES
        ('mean_ms', 'ms', this.response_time_sum_ms / nullif(this.query_count, 0),
         last.response_time_sum_ms / nullif(last.query_count, 0),
         @extschema@.dbmaint_grade((this.response_time_sum_ms / nullif(this.query_count, 0))::float8,
                                   80::float8, 95::float8, 110::float8),
         'Target: below 100 ms (warning above 80 ms, critical above 95 ms, emergency above 110 ms).'),
        ('p50_ms', 'ms', @extschema@.dbmaint_percentile(this.latency_histogram, 0.50::float8),
         @extschema@.dbmaint_percentile(last.latency_histogram, 0.50::float8), NULL, NULL),
        ('p95_ms', 'ms', @extschema@.dbmaint_percentile(this.latency_histogram, 0.95::float8),
         @extschema@.dbmaint_percentile(last.latency_histogram, 0.95::float8), NULL, NULL),
        ('p99_ms', 'ms', @extschema@.dbmaint_percentile(this.latency_histogram, 0.99::float8),
         @extschema@.dbmaint_percentile(last.latency_histogram, 0.99::float8), NULL, NULL),
        ('max_ms', 'ms', this.max_ms, last.max_ms, NULL, NULL),
        ('target_achieved_ratio', 'ratio',
         1 - @extschema@.dbmaint_histogram_count_above(this.response_time_histogram, target_ms)
             / nullif(@extschema@.dbmaint_histogram_count(this.response_time_histogram), 0)::float8,
         1 - @extschema@.dbmaint_histogram_count_above(last.response_time_histogram, target_ms)
             / nullif(@extschema@.dbmaint_histogram_count(last.response_time_histogram), 0)::float8,
         NULL, format('Share of the samples whose mean was below %s ms.', target_ms)),
        ('statements_within_target_ratio', 'ratio',
         1 - @extschema@.dbmaint_histogram_count_above(this.latency_histogram, target_ms)
             / nullif(@extschema@.dbmaint_histogram_count(this.latency_histogram), 0)::float8,
         1 - @extschema@.dbmaint_histogram_count_above(last.latency_histogram, target_ms)
             / nullif(@extschema@.dbmaint_histogram_count(last.latency_histogram), 0)::float8,
         NULL, format('Share of the statements that took less than %s ms.', target_ms))
        ) AS v(item, unit, value, previous, status, detail);
END
$$;
COMMENT ON FUNCTION dbmaint_report_response_time(timestamptz, timestamptz, timestamptz, text) IS
'Section of the reviews: mean and percentiles over all statements of the period, and the share of samples and of statements within the runbook''s target of 100 ms, right to the width of a histogram''s bucket.';

CREATE FUNCTION dbmaint_report_volume(
    from_at timestamptz, to_at timestamptz, previous_from_at timestamptz, step text)
RETURNS SETOF dbmaint_report_figure
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    day_ms CONSTANT float8 := 86400000;
    this @extschema@.dbmaint_hourly_metrics;
    last @extschema@.dbmaint_hourly_metrics;
    busiest record;
    busiest_before record;
BEGIN
    SELECT * INTO this FROM @extschema@.dbmaint_metrics_by(NULL::text, from_at, to_at);
    SELECT * INTO last FROM @extschema@.dbmaint_metrics_by(NULL::text, previous_from_at, from_at);
    SELECT m.hour, m.query_count INTO busiest
      FROM @extschema@.dbmaint_metrics_by('hour'::text, from_at, to_at) AS m
     ORDER BY m.query_count DESC NULLS LAST, m.hour LIMIT 1;
    SELECT m.hour, m.query_count INTO busiest_before
      FROM @extschema@.dbmaint_metrics_by('hour'::text, previous_from_at, from_at) AS m
     ORDER BY m.query_count DESC NULLS LAST, m.hour LIMIT 1;
    RETURN QUERY
    SELECT v.* FROM (VALUES
        ('query_count', '1', this.query_count::float8, last.query_count::float8, NULL, 'Statements that clients finished.'),
        ('queries_per_day', '1', this.query_count * day_ms / nullif(this.sample_interval_ms, 0),
         last.query_count * day_ms / nullif(last.sample_interval_ms, 0), NULL,
         'A day of measured time, so that periods of other lengths compare.'),
        ('peak_queries_per_hour', '1', busiest.query_count::float8, busiest_before.query_count::float8, NULL,
         'In the hour from ' || to_char(busiest.hour AT TIME ZONE 'UTC', 'FMDay YYYY-MM-DD HH24:MI') || ' UTC.'),
        ('slow_query_ratio', 'ratio', this.slow_query_count / nullif(this.query_count, 0)::float8,
         last.slow_query_count / nullif(last.query_count, 0)::float8, NULL,
         this.slow_query_count || ' statements took dbmaint.slow_query_threshold or longer.'),
        ('failed_query_ratio', 'ratio', this.failed_query_count / nullif(this.query_count + this.failed_query_count, 0)::float8,
         last.failed_query_count / nullif(last.query_count + last.failed_query_count, 0)::float8, NULL,
         this.failed_query_count || ' statements failed or were cancelled.'),
        ('rollback_ratio', 'ratio', this.rollbacks / nullif(this.commits + this.rollbacks, 0)::float8,
         last.rollbacks / nullif(last.commits + last.rollbacks, 0)::float8, NULL,
         this.rollbacks || ' transactions were rolled back.')
        ) AS v(item, unit, value, previous, status, detail);
END
$$;
COMMENT ON FUNCTION dbmaint_report_volume(timestamptz, timestamptz, timestamptz, text) IS
'Section of the reviews: how many statements, their growth, the busiest hour, and the shares of slow and failed statements and of rollbacks.';

CREATE FUNCTION dbmaint_report_connections(
    from_at timestamptz, to_at timestamptz, previous_from_at timestamptz, step text)
RETURNS SETOF dbmaint_report_figure
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    this @extschema@.dbmaint_hourly_metrics;
    last @extschema@.dbmaint_hourly_metrics;
    peak record;
BEGIN
    SELECT * INTO this FROM @extschema@.dbmaint_metrics_by(NULL::text, from_at, to_at);
    SELECT * INTO last FROM @extschema@.dbmaint_metrics_by(NULL::text, previous_from_at, from_at);
    SELECT m.hour, m.max_total_connections INTO peak
      FROM @extschema@.dbmaint_metrics_by('hour'::text, from_at, to_at) AS m
     ORDER BY m.max_total_connections DESC NULLS LAST, m.hour LIMIT 1;
    RETURN QUERY
    SELECT v.item, v.unit, v.value, v.previous, v.status,
           CASE WHEN v.value IS NULL AND this.sample_count > 0
                THEN 'Not measured in this database: ask in the home database (dbmaint.home_database).'
                ELSE v.detail END
      FROM (VALUES
        ('peak_connections', '1', this.max_total_connections::float8, last.max_total_connections::float8, NULL,
         'In the hour from ' || to_char(peak.hour AT TIME ZONE 'UTC', 'FMDay YYYY-MM-DD HH24:MI') || ' UTC.'),
        ('peak_connections_ratio', 'ratio', this.max_total_connections / nullif(this.max_connections, 0)::float8,
         last.max_total_connections / nullif(last.max_connections, 0)::float8,
         @extschema@.dbmaint_grade((this.max_total_connections / nullif(this.max_connections, 0)::float8)::float8,
                                   0.8::float8, 0.9::float8, NULL::float8),
         format('Share of max_connections (%s); warning above 0.8, critical above 0.9.', this.max_connections)),
        ('mean_connections', '1', this.avg_total_connections, last.avg_total_connections, NULL, NULL),
        ('peak_active_connections', '1', this.max_active_connections::float8, last.max_active_connections::float8, NULL, NULL),
        ('peak_idle_in_transaction', '1', this.max_idle_in_transaction_connections::float8,
         last.max_idle_in_transaction_connections::float8, NULL, NULL),
        ('peak_blocked_sessions', '1', this.max_blocked_sessions::float8, last.max_blocked_sessions::float8, NULL, NULL)
        ) AS v(item, unit, value, previous, status, detail);
END
$$;
COMMENT ON FUNCTION dbmaint_report_connections(timestamptz, timestamptz, timestamptz, text) IS
'Section of the reviews: connections of the server, their peak with its hour and its share of max_connections. The limits are the runbook''s 480 and 540 of 600.';

CREATE FUNCTION dbmaint_report_resources(
    from_at timestamptz, to_at timestamptz, previous_from_at timestamptz, step text)
RETURNS SETOF dbmaint_report_figure
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    this @extschema@.dbmaint_hourly_metrics;
    last @extschema@.dbmaint_hourly_metrics;
BEGIN
    SELECT * INTO this FROM @extschema@.dbmaint_metrics_by(NULL::text, from_at, to_at);
    SELECT * INTO last FROM @extschema@.dbmaint_metrics_by(NULL::text, previous_from_at, from_at);
    RETURN QUERY
    SELECT v.item, v.unit, v.value, v.previous, v.status,
           CASE WHEN v.value IS NULL AND v.cluster AND this.sample_count > 0
                THEN 'Not measured in this database: ask in the home database (dbmaint.home_database).'
                ELSE v.detail END
      FROM (VALUES
        ('cache_hit_ratio', 'ratio', this.blocks_hit / nullif(this.blocks_hit::float8 + this.blocks_read, 0),
         last.blocks_hit / nullif(last.blocks_hit::float8 + last.blocks_read, 0),
         @extschema@.dbmaint_grade((- this.blocks_hit / nullif(this.blocks_hit::float8 + this.blocks_read, 0))::float8,
                                   -0.9::float8, -0.8::float8, NULL::float8),
         'Warning below 0.9, critical below 0.8.', false),
        ('deadlocks', '1', this.deadlocks::float8, last.deadlocks::float8,
         @extschema@.dbmaint_grade(this.deadlocks::float8, 0::float8, NULL::float8, NULL::float8),
         CASE WHEN this.deadlocks > 0 THEN 'The server log has both statements of each.' END, false),
        ('temp_bytes', 'bytes', this.temp_bytes::float8, last.temp_bytes::float8, NULL,
         this.temp_files || ' temporary files.', false),
        ('checksum_failures', '1', this.checksum_failures::float8, last.checksum_failures::float8,
         CASE WHEN this.checksum_failures > 0 THEN 'emergency' WHEN this.checksum_failures = 0 THEN 'ok' END,
         CASE WHEN this.checksum_failures IS NULL THEN 'Not known where data checksums are off.' END, false),
        ('wal_bytes', 'bytes', this.wal_bytes::float8, last.wal_bytes::float8, NULL, NULL, true),
        ('checkpoints_requested_ratio', 'ratio',
         this.checkpoints_requested / nullif(this.checkpoints_requested + this.checkpoints_timed, 0)::float8,
         last.checkpoints_requested / nullif(last.checkpoints_requested + last.checkpoints_timed, 0)::float8, NULL,
         'Share of the checkpoints that did not begin on schedule: raise max_wal_size where it is high.', true),
        ('cpu_busy_ratio', 'ratio', this.avg_cpu_busy_ratio, last.avg_cpu_busy_ratio, NULL,
         'Mean of the host''s; its greatest was ' || round(this.max_cpu_busy_ratio::numeric, 2) || '.', true),
        ('load_1m', '1', this.avg_load_1m, last.avg_load_1m, NULL,
         'Mean of the host''s; its greatest was ' || round(this.max_load_1m::numeric, 2) || '.', true),
        ('min_memory_available_bytes', 'bytes', this.min_memory_available_bytes::float8,
         last.min_memory_available_bytes::float8, NULL,
         'Of ' || pg_size_pretty(this.max_memory_total_bytes) || '.', true)
        ) AS v(item, unit, value, previous, status, detail, cluster);
END
$$;
COMMENT ON FUNCTION dbmaint_report_resources(timestamptz, timestamptz, timestamptz, text) IS
'Section of the reviews: cache, deadlocks, temporary files, checksum failures, WAL, checkpoints, and the host''s CPU, load and memory.';

CREATE FUNCTION dbmaint_report_growth(
    from_at timestamptz, to_at timestamptz, previous_from_at timestamptz, step text)
RETURNS SETOF dbmaint_report_figure
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    this @extschema@.dbmaint_hourly_metrics;
    last @extschema@.dbmaint_hourly_metrics;
    earlier @extschema@.dbmaint_hourly_metrics;
BEGIN
    PERFORM @extschema@.dbmaint_require_periods(from_at, to_at, previous_from_at);
    SELECT * INTO this FROM @extschema@.dbmaint_metrics_by(NULL::text, from_at, to_at);
    SELECT * INTO last FROM @extschema@.dbmaint_metrics_by(NULL::text, previous_from_at, from_at);
    SELECT * INTO earlier FROM @extschema@.dbmaint_metrics_by(NULL::text,
        previous_from_at - (from_at - previous_from_at), previous_from_at);
    RETURN QUERY
    SELECT v.* FROM (VALUES
        ('database_size_bytes', 'bytes', this.last_database_size_bytes::float8,
         last.last_database_size_bytes::float8, NULL, 'At the end of the period.'),
        ('database_growth_bytes_per_day', 'bytes',
         (this.last_database_size_bytes - last.last_database_size_bytes)
             / (extract(epoch FROM to_at - from_at)::float8 / 86400),
         (last.last_database_size_bytes - earlier.last_database_size_bytes)
             / (extract(epoch FROM from_at - previous_from_at)::float8 / 86400), NULL,
         CASE WHEN last.last_database_size_bytes IS NULL
              THEN 'Not enough history: the size at the end of the period before is not known.'
              ELSE 'From the end of the period before to the end of this one.' END),
        ('min_disk_free_bytes', 'bytes', this.min_disk_free_bytes::float8, last.min_disk_free_bytes::float8, NULL,
         CASE WHEN this.min_disk_free_bytes IS NULL AND this.sample_count > 0
              THEN 'Not measured in this database: ask in the home database (dbmaint.home_database).'
              ELSE 'On the fullest file system of the tablespaces and the WAL.' END),
        ('min_disk_free_ratio', 'ratio', this.min_disk_free_ratio, last.min_disk_free_ratio,
         @extschema@.dbmaint_grade((- this.min_disk_free_ratio)::float8, -0.2::float8, -0.1::float8, -0.05::float8),
         CASE WHEN this.min_disk_free_ratio IS NULL AND this.sample_count > 0
              THEN 'Not measured in this database: ask in the home database (dbmaint.home_database).'
              ELSE 'Warning below 0.2, critical below 0.1, emergency below 0.05.' END)
        ) AS v(item, unit, value, previous, status, detail);
END
$$;
COMMENT ON FUNCTION dbmaint_report_growth(timestamptz, timestamptz, timestamptz, text) IS
'Section of the reviews: size of the database and its growth a day, and the least free space of the period.';

CREATE FUNCTION dbmaint_report_course(
    from_at timestamptz, to_at timestamptz, previous_from_at timestamptz, step text)
RETURNS SETOF dbmaint_report_figure
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT step || ' ' || to_char(p.hour AT TIME ZONE 'UTC', 'YYYY-MM-DD'), 'ms',
           p.mean_ms, p.mean_before_ms, p.status,
           format('p95 %s ms, %s statements.', round(p.p95_ms::numeric, 2), p.query_count)
      FROM (SELECT c.*, lag(c.mean_ms) OVER (ORDER BY c.now, c.hour) AS mean_before_ms,
                   @extschema@.dbmaint_grade(c.mean_ms::float8, 80::float8, 95::float8, 110::float8) AS status,
                   @extschema@.dbmaint_percentile(c.latency_histogram, 0.95::float8) AS p95_ms
              FROM (SELECT false AS now, m.hour, m.query_count, m.latency_histogram,
                           m.response_time_sum_ms / nullif(m.query_count, 0) AS mean_ms
                      FROM @extschema@.dbmaint_metrics_by(step::text, previous_from_at, from_at) AS m
                    UNION ALL
                    SELECT true, m.hour, m.query_count, m.latency_histogram,
                           m.response_time_sum_ms / nullif(m.query_count, 0)
                      FROM @extschema@.dbmaint_metrics_by(step::text, from_at, to_at) AS m) AS c) AS p
     WHERE p.now
     ORDER BY p.hour
$$;
COMMENT ON FUNCTION dbmaint_report_course(timestamptz, timestamptz, timestamptz, text) IS
'Section of the reviews: mean response time of each step (day, week or month) of the period beside the step before it. A week that a month cuts counts in both months with its part.';

CREATE FUNCTION dbmaint_report_anomalies(
    from_at timestamptz, to_at timestamptz, previous_from_at timestamptz, step text)
RETURNS SETOF dbmaint_report_figure
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    figure @extschema@.dbmaint_report_figure;
    days_judged int;
    days_unknown int;
    found_any boolean := false;
    a record;
BEGIN
    SELECT count(DISTINCT n.day) FILTER (WHERE n.status <> 'unknown'),
           count(DISTINCT n.day) FILTER (WHERE n.status = 'unknown')
      INTO days_judged, days_unknown
      FROM @extschema@.dbmaint_anomalies(from_at, to_at, 3::float8, 12) AS n;
    FOR a IN
        SELECT n.* FROM @extschema@.dbmaint_anomalies(from_at, to_at, 3::float8, 12) AS n
         WHERE n.status = 'anomaly'
    LOOP
        found_any := true;
        figure.item := a.metric;
        figure.unit := a.unit;
        figure.value := a.value;
        figure.previous := a.median;
        figure.status := 'warning';
        figure.detail := format('%s: %s the season''s band of %s to %s, around the median of %s %ss.',
            to_char(a.day, 'FMDay YYYY-MM-DD'),
            CASE WHEN a.value > a.high THEN 'above' ELSE 'below' END,
            round(a.low::numeric, 2), round(a.high::numeric, 2), a.days_before, to_char(a.day, 'FMDay'));
        RETURN NEXT figure;
    END LOOP;

    figure.unit := '1';
    figure.previous := NULL;
    IF days_judged > 0 AND NOT found_any THEN
        figure.item := 'none';
        figure.value := 0;
        figure.status := 'ok';
        figure.detail := format('%s days are within their seasons'' bands.', days_judged);
        RETURN NEXT figure;
    END IF;
    IF days_unknown > 0 OR days_judged = 0 THEN
        figure.item := 'days_not_judged';
        figure.value := days_unknown;
        figure.status := 'unknown';
        figure.detail := 'Not enough history: a day is judged by 4 or more of its weekday in the 12 weeks before it.';
        RETURN NEXT figure;
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_report_anomalies(timestamptz, timestamptz, timestamptz, text) IS
'Section of the reviews: days outside their season''s band, see dbmaint_anomalies(); previous is the season''s median.';

CREATE FUNCTION dbmaint_report(
    from_at timestamptz, to_at timestamptz, previous_from_at timestamptz, step text)
RETURNS SETOF dbmaint_report_line
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    sections CONSTANT text[] := ARRAY[
        'measured',
        'response_time',
        'volume',
        'statements',
        'indexes',
        'connections',
        'pools',
        'resources',
        'growth',
        'alerts',
        'course',
        'anomalies'];
    schema name := (SELECT n.nspname FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
                     WHERE t.oid = pg_typeof(NULL::@extschema@.dbmaint_hourly_metrics));
    nothing boolean;
    part text;
BEGIN
    PERFORM @extschema@.dbmaint_require_periods(from_at, to_at, previous_from_at);
    nothing := NOT EXISTS (SELECT FROM @extschema@.dbmaint_metrics_by(NULL::text, from_at, to_at));
    FOREACH part IN ARRAY sections LOOP
        RETURN QUERY EXECUTE format($q$
            SELECT $1, r.item, r.value, r.previous,
                   (r.value - r.previous) / nullif(abs(r.previous), 0), r.unit,
                   coalesce(r.status, CASE WHEN r.value IS NULL THEN 'unknown' END),
                   CASE WHEN r.value IS NULL AND ($6 OR r.detail IS NULL) THEN 'Not measured in this period.'
                        ELSE r.detail END
              FROM %I.%I($2::timestamptz, $3::timestamptz, $4::timestamptz, $5::text) AS r$q$,
            schema, 'dbmaint_report_' || part)
          USING part, from_at, to_at, previous_from_at, step, nothing;
    END LOOP;
END
$$;
COMMENT ON FUNCTION dbmaint_report(timestamptz, timestamptz, timestamptz, text) IS
'The figures of the period from_at to to_at beside those of the period from previous_from_at to from_at, section by section; step is that of the section course. change_ratio is 0.1 for a tenth more than before. The status is ok, warning, critical or emergency by the runbook''s limits, unknown where nothing was measured, and NULL where there is nothing to judge by.';

CREATE FUNCTION dbmaint_weekly_report(
    week_end date DEFAULT (now() AT TIME ZONE 'UTC')::date)
RETURNS SETOF dbmaint_report_line
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.* FROM @extschema@.dbmaint_report(
        ((week_end - 7)::timestamp AT TIME ZONE 'UTC')::timestamptz,
        (week_end::timestamp AT TIME ZONE 'UTC')::timestamptz,
        ((week_end - 14)::timestamp AT TIME ZONE 'UTC')::timestamptz, 'day'::text) AS r
$$;
COMMENT ON FUNCTION dbmaint_weekly_report(date) IS
'The weekly review: the seven days (of UTC) before week_end, by default the last seven that are over, beside the seven before them. See dbmaint_report().';

CREATE FUNCTION dbmaint_monthly_audit(
    month date DEFAULT (date_trunc('month', now() AT TIME ZONE 'UTC') - interval '1 day')::date)
RETURNS SETOF dbmaint_report_line
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.* FROM @extschema@.dbmaint_report(
        (date_trunc('month', month::timestamp) AT TIME ZONE 'UTC')::timestamptz,
        ((date_trunc('month', month::timestamp) + interval '1 month') AT TIME ZONE 'UTC')::timestamptz,
        ((date_trunc('month', month::timestamp) - interval '1 month') AT TIME ZONE 'UTC')::timestamptz, 'week'::text) AS r
$$;
COMMENT ON FUNCTION dbmaint_monthly_audit(date) IS
'The monthly audit: the month (of UTC) that holds the given day, by default the last one that is over, beside the month before it. See dbmaint_report().';

CREATE FUNCTION dbmaint_quarterly_review(
    quarter date DEFAULT (date_trunc('quarter', now() AT TIME ZONE 'UTC') - interval '1 day')::date)
RETURNS SETOF dbmaint_report_line
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.* FROM @extschema@.dbmaint_report(
        (date_trunc('quarter', quarter::timestamp) AT TIME ZONE 'UTC')::timestamptz,
        ((date_trunc('quarter', quarter::timestamp) + interval '3 months') AT TIME ZONE 'UTC')::timestamptz,
        ((date_trunc('quarter', quarter::timestamp) - interval '3 months') AT TIME ZONE 'UTC')::timestamptz, 'month'::text) AS r
$$;
COMMENT ON FUNCTION dbmaint_quarterly_review(date) IS
'The quarterly review: the quarter (of UTC) that holds the given day, by default the last one that is over, beside the quarter before it. See dbmaint_report().';

REVOKE ALL ON FUNCTION dbmaint_anomalies(timestamptz, timestamptz, float8, int),
    dbmaint_require_periods(timestamptz, timestamptz, timestamptz),
    dbmaint_report(timestamptz, timestamptz, timestamptz, text),
    dbmaint_report_measured(timestamptz, timestamptz, timestamptz, text),
    dbmaint_report_response_time(timestamptz, timestamptz, timestamptz, text),
    dbmaint_report_volume(timestamptz, timestamptz, timestamptz, text),
    dbmaint_report_connections(timestamptz, timestamptz, timestamptz, text),
    dbmaint_report_resources(timestamptz, timestamptz, timestamptz, text),
    dbmaint_report_growth(timestamptz, timestamptz, timestamptz, text),
    dbmaint_report_course(timestamptz, timestamptz, timestamptz, text),
    dbmaint_report_anomalies(timestamptz, timestamptz, timestamptz, text),
    dbmaint_weekly_report(date), dbmaint_monthly_audit(date), dbmaint_quarterly_review(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_anomalies(timestamptz, timestamptz, float8, int),
    dbmaint_require_periods(timestamptz, timestamptz, timestamptz),
    dbmaint_report(timestamptz, timestamptz, timestamptz, text),
    dbmaint_report_measured(timestamptz, timestamptz, timestamptz, text),
    dbmaint_report_response_time(timestamptz, timestamptz, timestamptz, text),
    dbmaint_report_volume(timestamptz, timestamptz, timestamptz, text),
    dbmaint_report_connections(timestamptz, timestamptz, timestamptz, text),
    dbmaint_report_resources(timestamptz, timestamptz, timestamptz, text),
    dbmaint_report_growth(timestamptz, timestamptz, timestamptz, text),
    dbmaint_report_course(timestamptz, timestamptz, timestamptz, text),
    dbmaint_report_anomalies(timestamptz, timestamptz, timestamptz, text),
    dbmaint_weekly_report(date), dbmaint_monthly_audit(date), dbmaint_quarterly_review(date) TO pg_monitor;
