-- Weekly report, monthly audit, quarterly review: figures of a period beside
-- the one before, from roll-ups as from samples, and honest where there are
-- none.
SET extra_float_digits = -6;
CREATE EXTENSION dbmaint;

-- nothing was measured: every figure is unknown, and none is made up
SELECT section, item, value, previous, change_ratio, status, detail FROM dbmaint_weekly_report('2026-06-29');

-- Three quarters, a sample an hour: weekends are quiet, statements grow by a
-- hundredth a week, and so does the database.
INSERT INTO performance_metrics ("timestamp", database_oid, sample_interval_ms,
       query_count, slow_query_count, failed_query_count, response_time_ms, max_ms, latency_histogram,
       total_connections, active_connections, idle_in_transaction_connections, max_connections, blocked_sessions,
       commits, rollbacks, blocks_read, blocks_hit, deadlocks, temp_files, temp_bytes, wal_bytes, checkpoints_timed, checkpoints_requested,
       database_size_bytes, memory_total_bytes, memory_available_bytes, disk_free_bytes, disk_free_ratio, cpu_busy_ratio, load_1m)
SELECT t.at, d.oid, 3600000,
       t.queries, t.queries / 100, t.queries / 500,
       t.ms, t.ms * 3, ('1|' || '8192:' || t.queries * 9 / 10 || ',' || CASE WHEN t.slow THEN '131072:' ELSE '65536:' END || t.queries - t.queries * 9 / 10)::dbmaint_histogram,
       20 + t.hour + CASE WHEN t.day = '2026-06-17' AND t.hour = 14 THEN 55 ELSE 0 END, 3, t.hour % 2, 100, 0,
       t.queries, 2, 10, 990, CASE WHEN t.day = '2026-06-23' AND t.hour = 3 THEN 2 ELSE 0 END, 1, 1048576, 16777216, 12, 1,
       1000000000 + t.n * 100000, 8589934592, 4294967296 - t.hour, 100000000000 - t.n * 1000000::bigint, 0.5, 0.25 + t.hour / 100.0, 1.5
  FROM pg_database AS d,
       (SELECT g.at, n, g.at::date AS day, extract(hour FROM g.at)::int AS hour,
               CASE WHEN extract(isodow FROM g.at) >= 6 THEN 100 ELSE 1000 END
               * CASE WHEN g.at::date = '2026-06-24' THEN 3 ELSE 1 END
               + 10 * (n / 168) AS queries,
               CASE WHEN g.at::date = '2026-06-25' THEN 120 ELSE 20 + extract(isodow FROM g.at)::int END::float8 AS ms,
               g.at::date = '2026-06-25' AS slow
          FROM generate_series(0, 273 * 24 - 1) AS n, LATERAL (SELECT timestamptz '2025-10-01 00:00+00' + n * interval '1 hour') AS g(at)) AS t
 WHERE d.datname = current_database();

ANALYZE performance_metrics;
CREATE TEMP TABLE from_samples AS
SELECT 'week' AS report, r.* FROM dbmaint_weekly_report('2026-06-29') AS r
UNION ALL SELECT 'month', r.* FROM dbmaint_monthly_audit('2026-06-30') AS r
UNION ALL SELECT 'quarter', r.* FROM dbmaint_quarterly_review('2026-04-01') AS r;

SELECT section, item, value, previous, round(change_ratio::numeric, 3) AS change, unit, status, detail FROM from_samples WHERE report = 'week';
SELECT section, item, value, previous, round(change_ratio::numeric, 3) AS change, unit, status, detail FROM from_samples WHERE report = 'month';
SELECT section, item, value, previous, round(change_ratio::numeric, 3) AS change, unit, status, detail FROM from_samples WHERE report = 'quarter';

-- the same from the roll-ups, when the samples are gone
SELECT sum(dbmaint_roll_up('2026-07-01 00:00+00')) FROM generate_series(1, 138);
TRUNCATE performance_metrics;
CREATE TEMP TABLE from_roll_ups AS
SELECT 'week' AS report, r.* FROM dbmaint_weekly_report('2026-06-29') AS r
UNION ALL SELECT 'month', r.* FROM dbmaint_monthly_audit('2026-06-30') AS r
UNION ALL SELECT 'quarter', r.* FROM dbmaint_quarterly_review('2026-04-01') AS r;
SELECT count(*) FROM from_roll_ups;
SELECT s.report, s.section, s.item, s.value, r.value, s.previous, r.previous
  FROM (SELECT *, row_number() OVER (PARTITION BY report, section, item ORDER BY detail) AS n FROM from_samples) AS s
  FULL JOIN (SELECT *, row_number() OVER (PARTITION BY report, section, item ORDER BY detail) AS n FROM from_roll_ups) AS r
    USING (report, section, item, n)
 WHERE (s.unit, s.status, s.detail) IS DISTINCT FROM (r.unit, r.status, r.detail)
    OR abs(s.value - r.value) > 1e-9 * abs(s.value) OR (s.value IS NULL) <> (r.value IS NULL)
    OR abs(s.previous - r.previous) > 1e-9 * abs(s.previous) OR (s.previous IS NULL) <> (r.previous IS NULL);
-- whatever the session's time zone
SET TimeZone = 'America/New_York';
SELECT count(*) FROM (SELECT * FROM dbmaint_monthly_audit('2026-06-30') EXCEPT SELECT section, item, value, previous, change_ratio, unit, status, detail FROM from_roll_ups WHERE report = 'month') AS different;
-- and at whatever time of the day, in the week after the clocks went forward
CREATE TEMP TABLE midnight AS SELECT * FROM dbmaint_anomalies('2026-03-12 00:00+00', '2026-03-14 00:00+00', 3, 1);
SELECT day, median, days_before FROM midnight WHERE metric = 'query_count';
SELECT count(*) FROM (SELECT * FROM dbmaint_anomalies('2026-03-12 12:00+00', '2026-03-14 00:00+00', 3, 1) EXCEPT SELECT * FROM midnight) AS different;
RESET TimeZone;
SELECT count(*) FROM (SELECT * FROM dbmaint_anomalies('2026-03-12 00:00+00', '2026-03-14 00:00+00', 3, 1) EXCEPT SELECT * FROM midnight) AS different;

-- days against their seasons
SELECT * FROM dbmaint_anomalies('2026-06-22 00:00+00', '2026-06-27 00:00+00') WHERE metric IN ('query_count', 'response_time_ms');
-- a wider band; too short a history
SELECT day, metric FROM dbmaint_anomalies('2026-06-22 00:00+00', '2026-06-29 00:00+00', 1000) WHERE status = 'anomaly';
SELECT status, count(*), max(days_before) FROM dbmaint_anomalies('2025-10-01 00:00+00', '2025-10-31 00:00+00') GROUP BY status ORDER BY status;
-- half a day is no day
UPDATE dbmaint_daily_metrics SET sample_interval_ms = 40000000 WHERE day = '2026-06-24 00:00+00';
SELECT count(*) FROM dbmaint_anomalies('2026-06-24 00:00+00', '2026-06-25 00:00+00');

-- the period before was not measured
SELECT section, item, value, previous, change_ratio, status, detail FROM dbmaint_quarterly_review('2025-10-01')
 WHERE section IN ('measured', 'growth', 'anomalies') OR item = 'mean_ms';

-- the defaults are periods that are over
SELECT count(*) FROM dbmaint_weekly_report() WHERE section <> 'course';
SELECT count(*) > 30 FROM dbmaint_monthly_audit();
SELECT count(*) > 30 FROM dbmaint_quarterly_review();

-- a section is a function of the same shape
SELECT p.proname FROM pg_proc AS p
 WHERE p.proname LIKE 'dbmaint\_report\_%' AND p.pronamespace = 'public'::regnamespace
   AND (p.proargnames IS DISTINCT FROM ARRAY['from_at', 'to_at', 'previous_from_at', 'step']
        OR p.prorettype IS DISTINCT FROM 'dbmaint_report_figure'::regtype OR NOT p.proretset
        OR substr(p.proname, 16) NOT IN (SELECT section FROM from_samples));

-- bad input
-- (a section that is called by itself refuses what it cannot answer, too, or
-- has nothing to say)
\set SHOW_CONTEXT never
CREATE FUNCTION try(section name, period text) RETURNS TABLE (code text, message text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SELECT count(*) FROM %I(%s)', section, period);
EXCEPTION WHEN OTHERS THEN
    RETURN QUERY SELECT sqlstate, sqlerrm;
END $$;
SELECT p.period, t.*, count(*) AS sections
  FROM (VALUES ('NULL, NULL, NULL, NULL'),
               ($$'infinity', '-infinity', 'infinity', 'day'$$),
               ($$'2026-01-05', '2026-01-05', '2026-01-05', 'day'$$),
               ($$'2026-01-05', '2026-01-12', '2025-12-29', 'fortnight'$$)) AS p(period),
       pg_proc AS f, LATERAL try(f.proname, p.period) AS t
 WHERE f.prorettype = 'dbmaint_report_figure'::regtype
 GROUP BY p.period, t.code, t.message
 ORDER BY p.period, t.code, t.message;
DROP FUNCTION try;
SELECT count(*) FROM dbmaint_report(NULL, NULL, NULL, NULL);
SELECT dbmaint_weekly_report(NULL);
SELECT dbmaint_monthly_audit('infinity');
SELECT dbmaint_anomalies(now(), now(), 0);
SELECT dbmaint_anomalies(now(), now(), 3, NULL);
DROP EXTENSION dbmaint;
