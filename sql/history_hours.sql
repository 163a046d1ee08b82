-- Hours whose samples have expired are packed: the same numbers, percentiles
-- of any range within 2 %, and nothing made twice.
CREATE EXTENSION dbmaint;
-- the packed columns are the hour's
SELECT h.attname, p.attname FROM pg_attribute AS h
  FULL JOIN (SELECT * FROM pg_attribute WHERE attrelid = 'dbmaint_packed_hours'::regclass AND attnum > 3) AS p ON p.attname = h.attname
 WHERE h.attrelid = 'dbmaint_hourly_metrics'::regclass AND h.attnum > 2 AND h.attname IS DISTINCT FROM p.attname;
-- the second of three days lacks its afternoon; some gauges begin in the
-- second hour; the hour at 3 has no statements
INSERT INTO performance_metrics ("timestamp", database_oid, sample_interval_ms,
       query_count, slow_query_count, failed_query_count, response_time_ms, max_ms, latency_histogram,
       total_connections, max_connections, active_connections, commits, blocks_read, blocks_hit, wal_bytes, deadlocks, longest_query_ms,
       database_size_bytes, memory_total_bytes, memory_available_bytes, disk_free_bytes, disk_free_ratio, cpu_busy_ratio, load_1m)
SELECT timestamptz '2026-01-01 00:00+00' + n * interval '10 minutes', d.oid, 600000.25,
       s.statements, s.statements / 5, 1, h.mean, h.longest, h.histogram,
       10 + n % 23, 100, CASE WHEN n >= 6 THEN n % 5 END, n, n % 7, 100 * n, 1000000000000 + n, 0, n / 7.0,
       CASE WHEN n % 4 = 0 THEN 1000000 + 1000 * n END, 8000000000, 2000000000 + n % 11, 5000000000 - n, 0.5 - n / 1e4, n % 10 / 10.0, n / 3.0
  FROM generate_series(0, 3 * 144 - 1) AS n,
       LATERAL (SELECT CASE WHEN n / 6 % 24 = 3 THEN 0 ELSE 40 + n % 9 END AS statements) AS s,
       LATERAL (SELECT avg(ms) AS mean, max(ms) AS longest, dbmaint_histogram_agg(ms) AS histogram
                  FROM generate_series(1, s.statements) AS i, LATERAL (SELECT exp((n * i * i % 1013)::float8 / 100)) AS t(ms)) AS h,
       pg_database AS d
 WHERE d.datname = current_database() AND n NOT BETWEEN 144 + 72 AND 287;
CREATE TABLE all_samples AS TABLE performance_metrics;
SELECT dbmaint_roll_up('2026-01-04 00:00+00');
SELECT dbmaint_roll_up('2026-01-04 00:00+00');
SELECT dbmaint_roll_up('2026-01-04 00:00+00');
CREATE TABLE hours_before AS SELECT * FROM dbmaint_metrics_by('hour');
-- not before the samples of a whole day have expired
SELECT dbmaint_pack_hours('2026-02-05 23:59+00', 10), (SELECT count(*) FROM dbmaint_packed_hours) AS packed;
SELECT dbmaint_pack_hours('2026-02-06 00:00+00', 10), (SELECT count(*) FROM dbmaint_packed_hours) AS packed;
SELECT dbmaint_roll_up('2026-02-07 00:00+00');
SELECT dbmaint_roll_up('2026-02-07 00:00+00');
SELECT dbmaint_roll_up('2026-02-08 12:00+00');
SELECT dbmaint_roll_up('2026-02-08 12:00+00');
SELECT day, hours, slow_query_count, deadlocks, rollbacks, array_length(latency_histogram, 1) AS histograms FROM dbmaint_packed_hours ORDER BY day;
SELECT count(*) FROM dbmaint_hourly_metrics;
-- every number of every hour, as near as it was promised; NULL stays NULL
CREATE TABLE hours_after AS SELECT * FROM dbmaint_metrics_by('hour');
CREATE FUNCTION numbers(history regclass) RETURNS TABLE (hour text, metric text, value float8) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT r.j->>''hour'', v.key, v.value::float8 FROM (SELECT to_jsonb(h) AS j FROM %s AS h) AS r, jsonb_each_text(r.j - ''hour'' - ''latency_histogram'' - ''response_time_histogram'') AS v', history);
END $$;
SELECT count(*) > 2000 AS many, count(*) FILTER (WHERE b.value IS DISTINCT FROM a.value) > 0 AS rounded,
       count(*) FILTER (WHERE (b.value IS NULL) <> (a.value IS NULL)) AS nulls,
       max(abs(b.value - a.value)) <= 0.50001 AS near,
       count(*) FILTER (WHERE metric LIKE '%\_ms' AND abs(b.value - a.value) > 0.000501) AS ms,
       count(*) FILTER (WHERE metric LIKE '%\_ratio' AND abs(b.value - a.value) > 0.0000005001) AS ratios,
       count(*) FILTER (WHERE metric LIKE 'avg\_%' AND metric NOT LIKE '%\_bytes' AND abs(b.value - a.value) > 0.000501) AS means
  FROM numbers('hours_before') AS b FULL JOIN numbers('hours_after') AS a USING (hour, metric);
SELECT metric, max(abs(b.value - a.value)) FROM numbers('hours_before') AS b JOIN numbers('hours_after') AS a USING (hour, metric)
 WHERE metric IN ('sample_count', 'query_count', 'wal_bytes', 'last_database_size_bytes', 'commits') GROUP BY metric ORDER BY metric;
SELECT count(*) FILTER (WHERE dbmaint_histogram_count(a.latency_histogram) IS DISTINCT FROM dbmaint_histogram_count(b.latency_histogram)) AS lost,
       count(*) FILTER (WHERE a.latency_histogram IS NULL) AS without,
       sum(pg_column_size(a.latency_histogram)) < sum(pg_column_size(b.latency_histogram)) / 2 AS smaller
  FROM hours_before AS b JOIN hours_after AS a USING (hour);
-- percentiles of every hour and of ranges that begin and end anywhere
TRUNCATE performance_metrics;
SELECT max(abs(dbmaint_percentile(a.latency_histogram, f) / dbmaint_percentile(b.latency_histogram, f) - 1)) < 0.028 AS near
  FROM hours_before AS b JOIN hours_after AS a USING (hour), unnest(ARRAY[0, 0.01, 0.5, 0.9, 0.95, 0.99, 1]) AS f;
CREATE FUNCTION exact(from_at timestamptz, to_at timestamptz, fraction float8) RETURNS float8 LANGUAGE sql AS $$
SELECT percentile_disc(fraction) WITHIN GROUP (ORDER BY t.ms)
  FROM all_samples AS s, LATERAL (SELECT (extract(epoch FROM s."timestamp" - '2026-01-01 00:00+00') / 600)::int) AS m(n),
       generate_series(1, s.query_count::int) AS i, LATERAL (SELECT round(exp((n * i * i % 1013)::numeric::float8 / 100)::numeric, 3)::float8) AS t(ms)
 WHERE s."timestamp" >= from_at AND s."timestamp" < to_at
$$;
SELECT count(*), bool_and(abs(r.p50_ms / exact(b, e, 0.5) - 1) <= 0.02) AS p50, bool_and(abs(r.p95_ms / exact(b, e, 0.95) - 1) <= 0.02) AS p95,
       bool_and(abs(r.p99_ms / exact(b, e, 0.99) - 1) <= 0.02) AS p99, bool_and(r.query_count = (SELECT sum(query_count) FROM all_samples WHERE "timestamp" >= b AND "timestamp" < e)) AS counts
  FROM generate_series(0, 60, 7) AS f, generate_series(4, 70, 11) AS l,
       LATERAL (SELECT timestamptz '2026-01-01 00:00+00' + f * interval '1 hour', timestamptz '2026-01-01 00:00+00' + (f + l) * interval '1 hour') AS t(b, e),
       LATERAL dbmaint_response_time(b, e) AS r;
-- a part of an hour of which the samples are gone is left out
SELECT hour, sample_count FROM dbmaint_metrics_by('hour', '2026-01-01 05:10+00', '2026-01-01 08:50+00');
-- whole days: their histograms are coarse, too
SELECT hour, query_count, dbmaint_histogram_count(latency_histogram) = query_count AS whole, latency_histogram::text LIKE '2|%' AS coarse FROM dbmaint_metrics_by('day');
-- share within a target, of samples and of statements
SELECT dbmaint_histogram_count_above(latency_histogram, 100) >= (SELECT sum(dbmaint_histogram_count_above(latency_histogram, 100)) FROM all_samples) AS never_less,
       dbmaint_histogram_count_above(latency_histogram, 104) <= (SELECT sum(dbmaint_histogram_count_above(latency_histogram, 100)) FROM all_samples) AS near
  FROM dbmaint_metrics_by(NULL);
-- forecasts see them
SELECT count(*), max(abs(h.value - b.query_count)) < 0.001 AS same FROM dbmaint_metric_history('query_count', '2026-01-01', '2026-01-05', '1 hour') AS h JOIN hours_before AS b ON b.hour = h.at
 WHERE b.sample_count = 6;
-- samples of a day that is packed already are not rolled up again, nor counted
INSERT INTO performance_metrics ("timestamp", database_oid, query_count) SELECT '2026-01-02 20:15+00', d.oid, 1000000 FROM pg_database AS d WHERE d.datname = current_database();
SELECT dbmaint_roll_up('2026-02-08 12:00+00');
SELECT count(*), sum(query_count) < 10000 AS as_before FROM dbmaint_metrics_by('hour', '2026-01-02 00:00+00', '2026-01-03 00:00+00');
TRUNCATE performance_metrics;
-- hours that a copy of a database brought along
INSERT INTO dbmaint_hourly_metrics (hour, database_oid, sample_count) VALUES ('2025-12-01 00:00+00', 1, 1);
UPDATE dbmaint_packed_hours SET database_oid = 1 WHERE day = '2026-01-01 00:00+00';
SELECT dbmaint_pack_hours('2026-02-08 12:00+00', 10);
SELECT min(hour), count(*) FROM dbmaint_metrics_by('hour');
-- values that no sampler writes do not stop it
TRUNCATE dbmaint_hourly_metrics, dbmaint_packed_hours, dbmaint_daily_metrics;
INSERT INTO dbmaint_hourly_metrics (hour, database_oid, sample_count, avg_load_1m, max_load_1m, response_time_sum_ms, wal_bytes, temp_bytes)
SELECT '2026-01-01 05:00+00', d.oid, 9223372036854775807, 'NaN', '-Infinity', 1e300, 9223372036854775807, -5 FROM pg_database AS d WHERE d.datname = current_database();
SELECT dbmaint_pack_hours('2026-02-08 12:00+00', 10);
SELECT hour, sample_count, avg_load_1m, max_load_1m, response_time_sum_ms, wal_bytes, temp_bytes, latency_histogram FROM dbmaint_metrics_by('hour');
-- kept as long as days, and away when the day is too old
SELECT history, time_column, kept FROM dbmaint_history_tables() WHERE history = 'dbmaint_packed_hours'::regclass;
SELECT dbmaint_expire_history('2028-01-01 00:00+00'), dbmaint_expire_history('2028-01-02 00:00+00');
-- time zones and settings of the session change nothing
SET TimeZone = 'Asia/Kolkata';
INSERT INTO dbmaint_hourly_metrics (hour, database_oid, sample_count)
SELECT h, d.oid, 1 FROM pg_database AS d, unnest(ARRAY['2026-01-01 00:00+00', '2026-01-01 23:00+00', '2026-01-02 00:00+00']::timestamptz[]) AS h WHERE d.datname = current_database();
SELECT dbmaint_pack_hours('2026-02-08 12:00+00', 10);
RESET TimeZone;
SELECT day, hours FROM dbmaint_packed_hours ORDER BY day;
SELECT dbmaint_pack_hours(NULL, 10), dbmaint_rolled_up_hours(NULL) IS NULL, dbmaint_rolled_up_hours('{NULL}') IS NULL;
DROP FUNCTION numbers, exact;
DROP TABLE all_samples, hours_before, hours_after;
DROP EXTENSION dbmaint;
