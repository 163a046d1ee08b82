-- Forecasts of metrics: trend, season, amounts and states, too little history, and nonsense.
CREATE EXTENSION dbmaint;
\set SHOW_CONTEXT never
\set at '''2026-03-02 00:00:00+00'''

-- 60 days, a sample an hour: a size that grows, connections by the hour and
-- the weekday, 7,200 statements an hour
INSERT INTO performance_metrics ("timestamp", database_oid, sample_interval_ms, database_size_bytes, query_count, total_connections, cache_hit_ratio, p95_ms, memory_available_bytes)
SELECT t.at, d.oid, 3600000, 10000000 - n * 1000, 7200,
       20 + 10 * (extract(hour FROM t.at AT TIME ZONE 'UTC') BETWEEN 8 AND 17 AND extract(isodow FROM t.at AT TIME ZONE 'UTC') < 6)::int,
       least(0.9 + (1440 - n) * 0.0001, 1), 50 + (n * 7919 % 101) / 10.0, n
  FROM generate_series(1, 1440) AS n
 CROSS JOIN LATERAL (SELECT timestamptz :at - n * interval '1 hour') AS t(at)
  JOIN pg_database AS d ON d.datname = current_database();
-- what another database left behind is none of ours
INSERT INTO performance_metrics ("timestamp", database_oid, database_size_bytes)
SELECT timestamptz :at - n * interval '1 hour', 1, 1 FROM generate_series(1, 1440) AS n;

-- the trend is exact: 24,000 bytes a day
SELECT at AT TIME ZONE 'UTC' AS at, expected, low, high, unit, status, detail
  FROM dbmaint_forecast('database_size_bytes', '30 days', :at) ORDER BY at DESC LIMIT 1;
-- wild values do not move it, nor does what is no number
UPDATE performance_metrics SET database_size_bytes = 1e15, p95_ms = 'NaN'
 WHERE extract(doy FROM "timestamp") IN (10, 25, 40) AND database_oid <> 1;
UPDATE performance_metrics SET database_size_bytes = NULL
 WHERE extract(doy FROM "timestamp") IN (12, 13) AND database_oid <> 1;
SELECT at AT TIME ZONE 'UTC' AS at, expected
  FROM dbmaint_forecast('database_size_bytes', '30 days', :at) ORDER BY at DESC LIMIT 1;
SELECT count(*), bool_and(expected BETWEEN 50 AND 60 AND low BETWEEN 40 AND expected AND high BETWEEN expected AND 70) AS sane
  FROM dbmaint_forecast('p95_ms', '3 days', :at);

-- the season of the hours of a week: the office is full on Monday, empty on Saturday
SELECT to_char(at AT TIME ZONE 'UTC', 'Dy HH24:MI') AS at, expected, low, high, unit, detail
  FROM dbmaint_forecast('total_connections', '7 days', :at)
 WHERE extract(hour FROM at AT TIME ZONE 'UTC') IN (3, 12) ORDER BY dbmaint_forecast.at;

-- an amount is told by the hour and by the day, a state is not
SELECT expected, unit FROM dbmaint_forecast('query_count', '1 hour', :at);
SELECT DISTINCT expected, unit FROM dbmaint_forecast('query_count', '30 days', :at);
-- a share is at most all
SELECT max(expected) AS expected, max(high) AS high FROM dbmaint_forecast('cache_hit_ratio', '30 days', :at);
-- nothing is less than nothing
SELECT min(low) AS low, min(expected) AS expected, max(high) AS high FROM dbmaint_forecast('memory_available_bytes', '20 days', :at);

-- too little history is said, and nothing guessed
SELECT at AT TIME ZONE 'UTC' AS at, expected, low, high, status, detail FROM dbmaint_forecast('database_size_bytes', '400 days', :at);
SELECT expected, status, detail FROM dbmaint_forecast('load_1m', '30 days', :at);
SELECT expected, status, detail FROM dbmaint_forecast('database_size_bytes', '2 days', '2026-01-01 08:30+00');
SELECT expected, status FROM dbmaint_forecast('database_size_bytes', '2 hours', '2026-01-01 12:30+00') ORDER BY at LIMIT 1;

-- every metric can be asked for
SELECT count(*) > 30 AS many, count(*) FILTER (WHERE f.status NOT IN ('ok', 'unknown')) AS strange
  FROM dbmaint_metrics() AS m, dbmaint_forecast(m.metric, '10 days', :at) AS f;

-- when the samples are gone the hours remain, and a forecast sees them
SELECT sum(dbmaint_roll_up(:at)) > 1000 AS rolled_up FROM generate_series(1, 40);
CREATE TEMP TABLE before AS
SELECT m.metric, h.at, h.value FROM dbmaint_metrics() AS m,
       dbmaint_metric_history(m.metric, '2025-12-01 00:00+00', :at, '1 day') AS h;
DELETE FROM performance_metrics WHERE "timestamp" < timestamptz :at - interval '10 days 90 minutes';
CREATE TEMP TABLE after AS
SELECT m.metric, h.at, h.value FROM dbmaint_metrics() AS m,
       dbmaint_metric_history(m.metric, '2025-12-01 00:00+00', :at, '1 day') AS h;
-- these samples have no histograms and blocks to make percentiles and the hit ratio of
SELECT metric, count(*) AS days, count(a.value) AS still, count(*) FILTER (WHERE abs(a.value - b.value) > 1e-9 * abs(b.value)) AS different
  FROM before AS b LEFT JOIN after AS a USING (metric, at) WHERE b.value IS NOT NULL GROUP BY metric ORDER BY metric COLLATE "C";
SELECT at AT TIME ZONE 'UTC' AS at, expected, detail
  FROM dbmaint_forecast('memory_available_bytes', '20 days', :at) ORDER BY at DESC LIMIT 1;
SELECT status, detail FROM dbmaint_forecast('total_connections', '7 days', :at) LIMIT 1;
-- steps that hours are no part of have the samples alone
SELECT min(at AT TIME ZONE 'UTC') FROM dbmaint_metric_history('total_connections', '2025-12-01 00:00+00', :at, '90 minutes');
SELECT min(at AT TIME ZONE 'UTC') FROM dbmaint_metric_history('total_connections', '2025-12-01 00:00+00', :at, '2 hours');
-- no samples at all
TRUNCATE performance_metrics;
SELECT count(*), min(value), max(value) FROM dbmaint_metric_history('query_count', '2025-12-01 00:00+00', :at, '1 day');

-- hours and days are those of UTC, whatever the session's clock does: 1 GB
-- until the clocks went back on 25 October, 10 GB from then on
CREATE FUNCTION in_zones(metric text, horizon interval, as_of timestamptz, OUT zone text, OUT rows_told bigint, OUT first_at text, OUT last_at text,
                         OUT status text, OUT expected float8, OUT detail text)
RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
    FOREACH zone IN ARRAY ARRAY['UTC', 'Europe/Berlin', 'America/New_York', 'Pacific/Auckland', 'Asia/Kathmandu'] LOOP
        PERFORM set_config('TimeZone', zone, true);
        SELECT count(*), min(f.at) AT TIME ZONE 'UTC', max(f.at) AT TIME ZONE 'UTC', min(f.status), round(max(f.expected)), min(f.detail)
          INTO rows_told, first_at, last_at, status, expected, detail
          FROM dbmaint_forecast(in_zones.metric, horizon, as_of) AS f;
        RETURN NEXT;
    END LOOP;
    PERFORM set_config('TimeZone', 'UTC', true);
END $$;
TRUNCATE dbmaint_hourly_metrics, dbmaint_daily_metrics, dbmaint_packed_hours;
INSERT INTO performance_metrics ("timestamp", database_oid, sample_interval_ms, database_size_bytes)
SELECT t.at, d.oid, 3600000, CASE WHEN t.at < '2026-10-25 00:00+00' THEN 1e9 ELSE 1e10 END
  FROM pg_database AS d, generate_series(timestamptz '2026-10-05 00:00+00', '2026-11-20 23:00+00', '1 hour') AS t(at)
 WHERE d.datname = current_database();
SELECT * FROM in_zones('database_size_bytes', '8 days', '2026-11-21 00:00+00');
-- across the change of the clocks
SELECT * FROM in_zones('database_size_bytes', '30 days', '2026-10-20 00:00+00');
SELECT * FROM in_zones('database_size_bytes', '7 days', '2026-10-30 12:30+00');
TRUNCATE performance_metrics;
DROP FUNCTION in_zones;

-- bad input
SELECT dbmaint_forecast('no_such_metric');
SELECT dbmaint_forecast('database_size_bytes; DROP TABLE performance_metrics');
SELECT dbmaint_forecast(NULL);
SELECT dbmaint_forecast('p95_ms', '0');
SELECT dbmaint_forecast('p95_ms', '-1 day');
SELECT dbmaint_forecast('p95_ms', '100 years');
SELECT dbmaint_forecast('p95_ms', NULL);
SELECT dbmaint_forecast('p95_ms', '1 day', 'infinity');
SELECT dbmaint_forecast('p95_ms', '1 day', now(), 1.5);
SELECT dbmaint_metric_history('timestamp', now(), now(), '1 hour');
DROP EXTENSION dbmaint;
