-- Roll-ups by hour and day: complete, made once, late samples taken, and the
-- same answers as from the samples.
CREATE EXTENSION dbmaint;

-- A metric is in the roll-ups, alone or as a mean, an extreme or the last
-- value.  Those left out follow from what is there: percentiles from the
-- histograms, the hit ratio from the blocks.
SELECT m.metric FROM dbmaint_metrics() AS m
 WHERE m.metric NOT IN ('p50_ms', 'p95_ms', 'p99_ms', 'cache_hit_ratio')
   AND NOT EXISTS (SELECT FROM pg_attribute AS a
                    WHERE a.attrelid = 'dbmaint_hourly_metrics'::regclass AND a.attnum > 0
                      AND a.attname IN (m.metric, 'avg_' || m.metric, 'max_' || m.metric,
                                        'min_' || m.metric, 'last_' || m.metric));
-- and every column of them is made of a metric, but these
SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_attribute AS a
 WHERE a.attrelid = 'dbmaint_hourly_metrics'::regclass AND a.attnum > 0
   AND a.attname NOT IN (SELECT p || m.metric FROM dbmaint_metrics() AS m,
                                unnest(ARRAY['', 'avg_', 'max_', 'min_', 'last_']) AS p);
-- the day's columns are the hour's
SELECT h.attname, d.attname FROM pg_attribute AS h
  FULL JOIN pg_attribute AS d ON d.attnum = h.attnum AND d.attrelid = 'dbmaint_daily_metrics'::regclass
 WHERE h.attrelid = 'dbmaint_hourly_metrics'::regclass AND h.attnum > 0
   AND (h.attname, h.atttypid) IS DISTINCT FROM (d.attname, d.atttypid);

-- Samples every 20 minutes from one time on: each of n statements, of which
-- the response times differ from sample to sample; some have none.
CREATE FUNCTION fill(from_at timestamptz, samples int) RETURNS void LANGUAGE sql AS $$
INSERT INTO performance_metrics ("timestamp", database_oid, sample_interval_ms,
       query_count, slow_query_count, failed_query_count, response_time_ms, max_ms, latency_histogram,
       total_connections, max_connections, commits, blocks_read, blocks_hit, wal_bytes,
       database_size_bytes, memory_total_bytes, memory_available_bytes, disk_free_bytes, disk_free_ratio, cpu_busy_ratio)
SELECT from_at + n * interval '20 minutes', d.oid, 1200000,
       s.statements, s.statements / 5, 1, h.mean, h.longest, h.histogram,
       10 + n % 23, 100, n, n % 7, 100 * n, 1000000 + n,
       CASE WHEN n % 4 = 0 THEN 1000000 + 1000 * n END, 8000000000, 2000000000 + n % 11, 5000000000 - n, 0.5 - n / 1e4, n % 10 / 10.0
  FROM generate_series(0, samples - 1) AS n,
       LATERAL (SELECT n % 9 AS statements) AS s,
       LATERAL (SELECT avg(ms) AS mean, max(ms) AS longest, dbmaint_histogram_agg(ms) AS histogram
                  FROM generate_series(1, s.statements) AS i, LATERAL (SELECT (n * i * i % 1013)::float8 / 4) AS t(ms)) AS h,
       pg_database AS d
 WHERE d.datname = current_database()
$$;
-- three days and a half
SELECT fill('2026-01-01 00:00+00', 3 * 72 + 36);
-- what another database left behind
INSERT INTO performance_metrics ("timestamp", database_oid, query_count)
VALUES ('2026-01-01 00:10+00', 1, 5000), ('2025-12-01 00:10+00', 1, 5000);

-- nothing was over; then one hour, whatever the session's time zone
SELECT dbmaint_roll_up('2026-01-01 00:59:59.999+00');
SET TimeZone = 'Asia/Kolkata';
SELECT dbmaint_roll_up('2026-01-01 01:00:00+00');
SELECT dbmaint_roll_up('2026-01-01 01:30:00+00');
RESET TimeZone;
SELECT hour, sample_count, sample_interval_ms, query_count, slow_query_count, failed_query_count,
       response_time_sum_ms, max_total_connections, avg_total_connections, max_connections,
       blocks_hit, last_database_size_bytes, min_disk_free_bytes, avg_load_1m
  FROM dbmaint_hourly_metrics;
SELECT count(*) FROM dbmaint_daily_metrics;

-- a part at a time, oldest first; then nothing is left
SELECT dbmaint_roll_up('2026-01-04 12:10+00');
SELECT max(hour) FROM dbmaint_hourly_metrics;
SELECT count(*), max(day) FROM dbmaint_daily_metrics;
SELECT dbmaint_roll_up('2026-01-04 12:10+00');
SELECT dbmaint_roll_up('2026-01-04 12:10+00');
SELECT count(*), min(hour), max(hour), sum(sample_count) FROM dbmaint_hourly_metrics;
SELECT day, sample_count, query_count, dbmaint_histogram_count(latency_histogram) = query_count AS whole,
       dbmaint_histogram_count(response_time_histogram) AS means, last_database_size_bytes
  FROM dbmaint_daily_metrics ORDER BY day;

-- The same answers as from the samples.
CREATE FUNCTION from_samples(from_at timestamptz, to_at timestamptz,
    OUT samples bigint, OUT queries bigint, OUT sum_ms numeric, OUT mean numeric, OUT low float8, OUT high float8, OUT deviation numeric,
    OUT p50 float8, OUT p95 float8, OUT p99 float8, OUT longest float8, OUT connections int, OUT avg_connections numeric, OUT wal numeric, OUT size bigint, OUT disk bigint, OUT cpu numeric)
LANGUAGE sql AS $$
SELECT count(*), sum(query_count), round(sum(response_time_ms * query_count)::numeric, 6), round(avg(response_time_ms)::numeric, 9), min(response_time_ms), max(response_time_ms), round(stddev(response_time_ms)::numeric, 9),
       dbmaint_percentile(dbmaint_histogram_merge(latency_histogram), 0.5), dbmaint_percentile(dbmaint_histogram_merge(latency_histogram), 0.95), dbmaint_percentile(dbmaint_histogram_merge(latency_histogram), 0.99),
       max(max_ms), max(total_connections), round(avg(total_connections), 9), sum(wal_bytes), (array_agg(database_size_bytes ORDER BY "timestamp" DESC) FILTER (WHERE database_size_bytes IS NOT NULL))[1], min(disk_free_bytes), round(avg(cpu_busy_ratio)::numeric, 9)
  FROM dbmaint_samples WHERE "timestamp" >= from_at AND "timestamp" < to_at
$$;
CREATE FUNCTION from_roll_ups(from_at timestamptz, to_at timestamptz,
    OUT samples bigint, OUT queries bigint, OUT sum_ms numeric, OUT mean numeric, OUT low float8, OUT high float8, OUT deviation numeric,
    OUT p50 float8, OUT p95 float8, OUT p99 float8, OUT longest float8, OUT connections int, OUT avg_connections numeric, OUT wal numeric, OUT size bigint, OUT disk bigint, OUT cpu numeric)
LANGUAGE sql AS $$
SELECT sample_count, query_count, round(response_time_sum_ms::numeric, 6), round(avg_response_time_ms::numeric, 9), min_response_time_ms, max_response_time_ms, round(stddev_response_time_ms::numeric, 9),
       dbmaint_percentile(latency_histogram, 0.5), dbmaint_percentile(latency_histogram, 0.95), dbmaint_percentile(latency_histogram, 0.99),
       max_ms, max_total_connections, round(avg_total_connections::numeric, 9), wal_bytes, last_database_size_bytes, min_disk_free_bytes, round(avg_cpu_busy_ratio::numeric, 9)
  FROM dbmaint_metrics_by(NULL, from_at, to_at)
$$;
-- hundreds of ranges that begin and end in the midst of hours, and not
CREATE TEMP TABLE ranges AS
SELECT '2026-01-01 00:00+00'::timestamptz + a * interval '7 hours 10 minutes' AS from_at,
       '2026-01-01 00:00+00'::timestamptz + a * interval '7 hours 10 minutes' + b * interval '200 minutes' AS to_at
  FROM generate_series(0, 11) AS a, generate_series(1, 25) AS b;
SELECT count(*) AS ranges,
       count(*) FILTER (WHERE s IS DISTINCT FROM r) AS different
  FROM (SELECT from_samples(from_at, to_at) AS s, from_roll_ups(from_at, to_at) AS r FROM ranges) AS q
 WHERE (s).samples > 0;
SELECT * FROM from_samples('2026-01-01 10:20+00', '2026-01-04 03:40+00') \gx
SELECT * FROM from_roll_ups('2026-01-01 10:20+00', '2026-01-04 03:40+00') \gx
-- all of them are used: days, hours, samples
UPDATE dbmaint_daily_metrics SET query_count = 1000000;
UPDATE dbmaint_hourly_metrics SET query_count = 1000;
SELECT (from_roll_ups('2026-01-01 10:20+00', '2026-01-04 03:40+00')).queries;
SELECT hour, query_count FROM dbmaint_metrics_by('hour', '2026-01-04 09:20+00');
SELECT hour, query_count FROM dbmaint_metrics_by('day', '2026-01-03 23:20+00') ORDER BY hour;
SELECT hour, query_count FROM dbmaint_metrics_by('month');
SELECT count(*) FROM dbmaint_metrics_by(NULL, '2027-01-01');
SELECT count(*) FROM dbmaint_metrics_by('day', '2026-01-02', '2026-01-02');

-- made again where more samples came, and only there
INSERT INTO performance_metrics ("timestamp", database_oid, query_count)
SELECT t.at, d.oid, 7 FROM pg_database AS d, (VALUES (timestamptz '2026-01-04 11:15+00'), ('2026-01-02 05:15+00')) AS t(at)
 WHERE d.datname = current_database();
-- of the last day at once
SELECT dbmaint_roll_up('2026-01-04 12:20+00');
SELECT hour, sample_count, query_count FROM dbmaint_hourly_metrics WHERE hour >= '2026-01-04 10:00+00';
-- the others when a day is over, with their days
SELECT dbmaint_roll_up('2026-01-05 00:05+00');
SELECT hour, sample_count, query_count FROM dbmaint_hourly_metrics WHERE query_count <> 1000 ORDER BY hour;
SELECT day, sample_count, query_count <> 1000000 AS made_again FROM dbmaint_daily_metrics ORDER BY day;
SELECT dbmaint_roll_up('2026-01-05 00:05+00');

-- what samples leave behind stays when they are gone, or some of an hour's
DELETE FROM performance_metrics WHERE "timestamp" < '2026-01-02 13:30+00';
SELECT dbmaint_roll_up('2026-01-06 00:05+00');
SELECT count(*), sum(sample_count) FROM dbmaint_hourly_metrics;
SELECT sum(sample_count) FROM dbmaint_daily_metrics;
-- a part of an hour of which the samples are gone is left out
SELECT sample_count FROM dbmaint_metrics_by(NULL, '2026-01-01 10:20+00', '2026-01-01 12:00+00');
TRUNCATE performance_metrics;
SELECT hour, sample_count FROM dbmaint_metrics_by('day');
SELECT dbmaint_roll_up('2026-01-06 01:05+00');

-- roll-ups expire by their own age
SELECT dbmaint_expire_history('2028-01-03 00:00+00', 20);
SELECT count(*) FROM dbmaint_hourly_metrics;
SELECT dbmaint_roll_up('2028-01-03 10:30+00');
SELECT dbmaint_expire_history('2028-01-03 10:30+00');
SELECT dbmaint_expire_history('2028-01-03 10:30+00');
SELECT day, hours FROM dbmaint_packed_hours ORDER BY day;
SELECT min(day), max(day) FROM dbmaint_daily_metrics;
SELECT dbmaint_expire_history('2030-01-03 00:00+00');
SELECT dbmaint_expire_history('2030-01-03 00:00+00');
-- what would expire at once is not made, though samples are kept longer
SELECT fill('2026-01-01 00:00+00', 72);
SELECT dbmaint_roll_up('2028-01-01 10:30+00');
SELECT count(*), min(hour) FROM dbmaint_hourly_metrics;
SELECT count(*) FROM dbmaint_daily_metrics;
-- the hours are packed, the samples still there: they are not made again
SELECT dbmaint_roll_up('2028-01-01 10:30+00');
SELECT day, hours FROM dbmaint_packed_hours;
SELECT dbmaint_roll_up('2028-01-01 10:30+00');
TRUNCATE performance_metrics;

-- the sampler's turn rolls up before it expires
TRUNCATE dbmaint_hourly_metrics, dbmaint_packed_hours, dbmaint_daily_metrics;
SELECT fill('2026-01-01 00:00+00', 6 * 72);
SELECT * FROM dbmaint_run_due('2026-06-01 00:00+00') WHERE collector IN ('roll-up', 'history');
SELECT count(*) FROM performance_metrics;
SELECT sum(sample_count) FROM dbmaint_metrics_by('hour', to_at => '2026-05-01');
SELECT sum(sample_count) FROM dbmaint_daily_metrics;
-- other people's code on the tables would run as superuser
CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER trap BEFORE INSERT ON dbmaint_daily_metrics FOR EACH ROW EXECUTE FUNCTION trap();
SELECT * FROM dbmaint_run_due('2026-06-02 00:00+00') WHERE collector IN ('roll-up', 'history');
DROP TRIGGER trap ON dbmaint_daily_metrics;
SELECT * FROM dbmaint_run_due('2026-06-02 00:10+00') WHERE collector IN ('roll-up', 'history');

-- values that no sampler writes do not stop it
TRUNCATE performance_metrics, dbmaint_hourly_metrics, dbmaint_packed_hours, dbmaint_daily_metrics;
INSERT INTO performance_metrics ("timestamp", database_oid, query_count, response_time_ms, wal_bytes, load_1m, temp_bytes)
SELECT timestamptz '2026-07-01 00:00+00' + n * interval '1 minute', d.oid, q, ms, w, ms, NULL
  FROM pg_database AS d,
       (VALUES (1, 9223372036854775807, 'NaN'::float8, 9223372036854775807), (2, 9223372036854775807, 'Infinity', 1),
               (3, NULL, -1, NULL), (4, 1, NULL, -5)) AS t(n, q, ms, w)
 WHERE d.datname = current_database();
SELECT dbmaint_roll_up('2026-07-02 00:00+00');
SELECT query_count, response_time_sum_ms, wal_bytes, temp_bytes, max_load_1m, dbmaint_histogram_count(response_time_histogram) AS means FROM dbmaint_daily_metrics;

-- an empty history
TRUNCATE performance_metrics, dbmaint_hourly_metrics, dbmaint_packed_hours, dbmaint_daily_metrics;
SELECT dbmaint_roll_up('2026-07-02 00:00+00');
SELECT count(*) FROM dbmaint_metrics_by(NULL);
SELECT * FROM dbmaint_response_time('-infinity', 'infinity');

-- bad input
\set SHOW_CONTEXT never
SELECT dbmaint_roll_up(NULL);
SELECT dbmaint_roll_up('infinity');
SELECT dbmaint_metrics_by('fortnight');
SELECT dbmaint_metrics_by('day', NULL, now());
DROP FUNCTION trap, fill, from_samples, from_roll_ups;
DROP EXTENSION dbmaint;
