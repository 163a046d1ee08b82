-- src/forecast/forecast.sql: where a metric goes from here.

CREATE FUNCTION dbmaint_theil_sen(x float8[], y float8[],
    confidence float8 DEFAULT 0.95,
    OUT points int, OUT slope float8, OUT slope_low float8,
    OUT slope_high float8, OUT intercept float8)
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_theil_sen';
COMMENT ON FUNCTION dbmaint_theil_sen(float8[], float8[], float8) IS
'A robust line through the points (x, y): the median slope of all pairs (Theil 1950, Sen 1968), which up to 29 % of outliers do not move; the slopes between which the true one lies with the confidence given (Sen''s interval by ranks); the median of y - slope * x. Pairs with a NULL, NaN or infinity are left out, points counts the others. NULL slopes where no two points differ in x. At most 2,000 points.';

CREATE FUNCTION dbmaint_recent_theil_sen(x float8[], y float8[], least_points int,
    confidence float8 DEFAULT 0.95,
    OUT points int, OUT slope float8, OUT slope_low float8,
    OUT slope_high float8, OUT intercept float8, OUT since float8)
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_recent_theil_sen';
COMMENT ON FUNCTION dbmaint_recent_theil_sen(float8[], float8[], int, float8) IS
'The line of dbmaint_theil_sen() through the points from the last break on, where at least so many are after it: since is the x of the first one, and points counts them. A break is where the distances from the line before differ from those after it by Pettitt''s test (1979, at 5 %) and in nine of ten pairs the same way; what is left is looked at again. x must ascend.';

CREATE FUNCTION dbmaint_project(series float8[], period int, steps int,
    confidence float8 DEFAULT 0.95,
    OUT step int, OUT expected float8, OUT low float8, OUT high float8,
    OUT season int, OUT since int, OUT shift float8)
RETURNS SETOF record
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_project';
COMMENT ON FUNCTION dbmaint_project(float8[], int, int, float8) IS
'Continues a series of evenly spaced values (NULL: not known) by the given number of steps: a Theil-Sen line, with a season of the period given, or of a seventh of it (a day in a week of hours), where there are three of it and each value is foretold better by the others of its phase than by the line alone; season is the one used, 0 for none. What was before a break (see dbmaint_recent_theil_sen()) is left out where after it there are 12 values and a third as many as steps; since is the place in the series, from 1, of the first value used. Where all of the last seven values (24 with a season of more than 7) are on one side of the line, it begins at their median: shift is what that moved it by, else 0, and the limits reach to where it would be without. The season is the median of each phase, the slope then that of pairs of the same phase (Hirsch, Slack and Smith 1982). low and high: a further value lies between them with the confidence given. Their distance from expected is the root of the sum of squares of (1) the residuals'' quantile of rank ceil((n + 1) p), p = (1 + confidence) / 2, each residual taken from the other values of its phase (the jackknife of Barber and others 2021), and (2) the distance from the series'' middle times that of Sen''s limits from the slope. No rows for fewer than two values.';

CREATE FUNCTION dbmaint_rolled_up_value(metric text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE metric
        WHEN 'p50_ms' THEN format('%I.dbmaint_percentile(r.latency_histogram, 0.50::float8)', n.nspname)
        WHEN 'p95_ms' THEN format('%I.dbmaint_percentile(r.latency_histogram, 0.95::float8)', n.nspname)
        WHEN 'p99_ms' THEN format('%I.dbmaint_percentile(r.latency_histogram, 0.99::float8)', n.nspname)
        WHEN 'cache_hit_ratio' THEN '(r.blocks_hit / nullif(r.blocks_hit::float8 + r.blocks_read, 0))'
        -- the greatest of an hour is not its samples' mean
        WHEN 'max_ms' THEN NULL
        WHEN 'sample_interval_ms' THEN 'r.sample_interval_ms / r.sample_count'
        ELSE (SELECT format('r.%I::float8', a.attname)
                FROM unnest(ARRAY['', 'avg_', 'last_', 'min_']) WITH ORDINALITY AS p(prefix, place)
                JOIN pg_attribute AS a ON a.attrelid = t.typrelid AND a.attnum > 0
                                      AND NOT a.attisdropped AND a.attname = p.prefix || metric
               ORDER BY p.place LIMIT 1) END
      FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
     WHERE t.oid = pg_typeof(NULL::@extschema@.dbmaint_hourly_metrics)
$$;
COMMENT ON FUNCTION dbmaint_rolled_up_value(text) IS
'The expression that gives a metric of an hour from a row r of dbmaint_hourly_metrics: its sum or mean, else its last or least value, a percentile of all statements, or the hit ratio of all blocks; NULL where only its greatest value is kept.';

CREATE FUNCTION dbmaint_metric_history(metric text, from_at timestamptz,
    to_at timestamptz, step interval,
    OUT at timestamptz, OUT value float8)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    me oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    known record;
    samples_from timestamptz;
    rolled_up text;
BEGIN
    SELECT m.metric, m.type = 'counter' OR m.metric LIKE '%\_count' AS amount INTO known
      FROM @extschema@.dbmaint_metrics() AS m
     WHERE m.metric = dbmaint_metric_history.metric;
    IF NOT FOUND THEN
        RAISE EXCEPTION '"%" is not a metric', metric
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'SELECT metric FROM dbmaint_metrics() lists them.';
    END IF;

    -- Samples where there are some, from the first hour on that has all of
    -- its; hours before that, where steps are made of hours.
    SELECT date_trunc('hour', min(m."timestamp"), 'UTC') INTO samples_from
      FROM @extschema@.performance_metrics AS m WHERE m.database_oid = me;
    IF extract(epoch FROM step) % 3600 = 0 THEN
        rolled_up := @extschema@.dbmaint_rolled_up_value(known.metric);
        IF EXISTS (SELECT FROM @extschema@.dbmaint_rolled_up_hours(ARRAY[date_trunc('day', samples_from, 'UTC')]) AS h
                    WHERE h.hour = samples_from) THEN
            samples_from := samples_from + interval '1 hour';
        END IF;
    END IF;

    -- an amount belongs to its interval: the rate, as so much a step
    RETURN QUERY EXECUTE format(
        CASE WHEN known.amount THEN
            'SELECT b.at, sum(b.value) / nullif(sum(b.ms), 0) * (extract(epoch FROM $3) * 1000)::float8'
        ELSE
            'SELECT b.at, sum(b.value * b.samples) / sum(b.samples)'
        END || '
           FROM (SELECT date_bin($3, s."timestamp", ''2001-01-01 00:00:00+00''::timestamptz) AS at,
                        s.%1$I::float8 AS value, s.sample_interval_ms AS ms, 1::float8 AS samples
                   FROM %3$s AS s
                  WHERE s.database_oid = $4 AND s."timestamp" >= greatest($1, $5) AND s."timestamp" < $2
                 UNION ALL
                 SELECT date_bin($3, r.hour, ''2001-01-01 00:00:00+00''::timestamptz),
                        %2$s, r.sample_interval_ms, r.sample_count::float8
                   FROM %4$s($7) AS r
                  WHERE $6 AND r.hour >= $1
                    AND r.hour < least($2, coalesce($5, ''infinity''::timestamptz))) AS b
          WHERE b.value > ''-infinity''::float8 AND b.value < ''infinity''::float8
          GROUP BY b.at', known.metric, coalesce(rolled_up, 'NULL::float8'),
               '@extschema@.performance_metrics'::regclass, '@extschema@.dbmaint_rolled_up_hours(timestamptz[])'::regprocedure::regproc)
        USING from_at, to_at, step, me, samples_from, rolled_up IS NOT NULL,
              ARRAY(SELECT d.day FROM @extschema@.dbmaint_daily_metrics AS d
                     WHERE rolled_up IS NOT NULL AND d.database_oid = me
                       AND d.day > greatest(from_at, '0001-01-01 00:00:00+00') - interval '24 hours' AND d.day < to_at
                    UNION
                    SELECT date_trunc('day', h.hour, 'UTC') FROM @extschema@.dbmaint_hourly_metrics AS h
                     WHERE rolled_up IS NOT NULL AND h.database_oid = me
                       AND h.hour >= from_at AND h.hour < to_at);
END
$$;
COMMENT ON FUNCTION dbmaint_metric_history(text, timestamptz, timestamptz, interval) IS
'What forecasts see of a metric: one row for each step of time (from Monday, 2001-01-01 00:00 UTC on) with a value in it. The mean of a state; of what was counted over the samples'' intervals the rate, as so much a step. Where the samples are gone, steps of whole hours are answered from the hourly roll-ups, with a state''s mean of each hour (the last value of a size, the least of free space; percentiles and the hit ratio are then those of the hour''s statements and blocks). Of a state of which only the greatest value is rolled up there are the samples alone. What is not a number is left out.';

CREATE FUNCTION dbmaint_forecast(metric text, horizon interval DEFAULT '30 days',
    as_of timestamptz DEFAULT now(), confidence float8 DEFAULT 0.95,
    OUT at timestamptz, OUT expected float8, OUT low float8, OUT high float8,
    OUT unit text, OUT status text, OUT detail text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- a Monday, so that a week of days begins with one
    origin CONSTANT timestamptz := '2001-01-01 00:00:00+00';
    least_points CONSTANT int := 12;
    known record;
    hourly boolean;
    step interval;
    to_at timestamptz;
    times timestamptz[];
    means float8[];
    series float8[];
    first_at timestamptz;
    points int;
    slots int;
    needed int;
    period int;
    steps int;
    before_break int;
    next record;
BEGIN
    IF horizon IS NULL OR horizon <= interval '0' OR horizon > interval '2 years' THEN
        RAISE EXCEPTION 'horizon must be a positive interval of at most 2 years'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'For example: dbmaint_forecast(''database_size_bytes'', ''90 days'').';
    END IF;
    IF as_of IS NULL OR NOT isfinite(as_of) THEN
        RAISE EXCEPTION 'as_of must be a finite time'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Leave it out for a forecast from now on.';
    END IF;
    IF confidence IS NULL OR NOT (confidence > 0 AND confidence < 1) THEN
        RAISE EXCEPTION 'confidence must be between 0 and 1'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'For example 0.95, for limits that 95 of 100 values keep to.';
    END IF;
    SELECT m.unit, m.type = 'counter' OR m.metric LIKE '%\_count' AS amount INTO known
      FROM @extschema@.dbmaint_metrics() AS m
     WHERE m.metric = dbmaint_forecast.metric;
    IF NOT FOUND THEN
        RAISE EXCEPTION '"%" is not a metric', metric
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'SELECT metric FROM dbmaint_metrics() lists them.';
    END IF;

    -- hours are told from hours of six weeks, days from days of two years
    hourly := horizon <= interval '7 days';
    -- not of days, which are 23 to 25 hours in many a session's time zone
    step := CASE WHEN hourly THEN interval '1 hour' ELSE interval '24 hours' END;
    to_at := date_bin(step, as_of, origin);
    SELECT min(h.at), count(*), array_agg(h.at), array_agg(h.value) INTO first_at, points, times, means
      FROM @extschema@.dbmaint_metric_history(metric,
               to_at - CASE WHEN hourly THEN 1008 ELSE 17520 END * interval '1 hour', to_at, step) AS h
     WHERE h.value IS NOT NULL;
    slots := coalesce(extract(epoch FROM to_at - first_at) / extract(epoch FROM step), 0);
    steps := ceil(extract(epoch FROM (as_of AT TIME ZONE 'UTC' + horizon) - (to_at AT TIME ZONE 'UTC')) / extract(epoch FROM step));
    needed := greatest(least_points, ceil(steps / 3.0));
    unit := CASE WHEN known.amount AND known.unit = '1' THEN ''
                 WHEN known.unit = '1' THEN '1' ELSE known.unit END
            || CASE WHEN known.amount AND known.unit <> '1' THEN ' ' ELSE '' END
            || CASE WHEN known.amount AND hourly THEN 'an hour' WHEN known.amount THEN 'a day' ELSE '' END;

    IF points < least_points OR slots < needed THEN
        at := to_at + steps * step;
        status := 'unknown';
        detail := format('Not enough history: %s %s with a value in the last %s; this needs %s with a value in the last %s.',
            points, CASE WHEN hourly THEN 'hours' ELSE 'days' END, slots, least_points, needed);
        RETURN NEXT;
        RETURN;
    END IF;

    SELECT array_agg(h.value ORDER BY g.at) INTO series
      FROM generate_series(first_at, to_at - step, step) AS g(at)
      LEFT JOIN unnest(times, means) AS h(at, value) ON h.at = g.at;
    -- three times around, or it is no season
    period := CASE WHEN hourly AND slots >= 3 * 168 THEN 168
                   WHEN hourly AND slots >= 3 * 24 THEN 24
                   WHEN NOT hourly AND slots >= 3 * 7 THEN 7 ELSE 0 END;

    FOR next IN
        SELECT p.step, p.expected, p.low, p.high, p.season, p.since, p.shift
          FROM @extschema@.dbmaint_project(series, period, steps, confidence) AS p
    LOOP
        before_break := coalesce(before_break, (SELECT count(*) FROM unnest(times) AS t(at) WHERE t.at < first_at + (next.since - 1) * step));
        -- no metric is less than nothing, and no share more than all
        at := to_at + (next.step - 1) * step;
        expected := greatest(next.expected, 0);
        low := greatest(next.low, 0);
        high := greatest(next.high, 0);
        IF known.unit = 'ratio' THEN
            expected := least(expected, 1);
            low := least(low, 1);
            high := least(high, 1);
        END IF;
        status := 'ok';
        detail := format('From %s %s, %s.', points - before_break, CASE WHEN hourly THEN 'hours' ELSE 'days' END,
            CASE next.season WHEN 0 THEN 'without a season' WHEN 24 THEN 'with a daily season'
                 ELSE 'with a weekly season' END)
            || CASE WHEN next.since > 1 THEN format(' What was before %s UTC was different and is left out.',
                   to_char((first_at + (next.since - 1) * step) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')) ELSE '' END
            || CASE WHEN next.shift <> 0 THEN ' The last values are off the line: it begins where they are, and may go back.' ELSE '' END;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION dbmaint_forecast(text, interval, timestamptz, float8) IS
'What a metric of dbmaint_metrics() will be: one row an hour for a horizon of up to 7 days, else one a day. at is the beginning of the hour or day (UTC), expected its mean (of what is counted: the sum in it, see unit), and it lies between low and high with the confidence given; how they are computed is said at dbmaint_project(). A season of a day or a week is found by itself after three of them. status is ok, or unknown with NULLs and the reason in detail: there must be 12 hours or days with values, and history a third as long as the horizon. Detail also says from when on history was used, where something changed, and when the last values are off the line.';

REVOKE ALL ON FUNCTION
    dbmaint_rolled_up_value(text),
    dbmaint_metric_history(text, timestamptz, timestamptz, interval),
    dbmaint_forecast(text, interval, timestamptz, float8)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    dbmaint_rolled_up_value(text),
    dbmaint_metric_history(text, timestamptz, timestamptz, interval),
    dbmaint_forecast(text, interval, timestamptz, float8)
TO pg_monitor;
