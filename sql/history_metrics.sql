-- The metric table, the columns of performance_metrics and their comments
-- are one; the runbooks' queries run as they stand.
CREATE EXTENSION dbmaint;

-- every metric is a column of its type, with its help as the comment
SELECT m.metric, m.help, col_description(a.attrelid, a.attnum)
  FROM dbmaint_metrics() AS m
  LEFT JOIN pg_attribute AS a
         ON a.attrelid = 'performance_metrics'::regclass AND a.attname = m.metric
 WHERE col_description(a.attrelid, a.attnum) IS DISTINCT FROM m.help;
-- and every column but the three that are no metrics is one
SELECT a.attname FROM pg_attribute AS a
 WHERE a.attrelid = 'performance_metrics'::regclass AND a.attnum > 0
   AND NOT a.attisdropped
   AND a.attname NOT IN (SELECT metric FROM dbmaint_metrics())
 ORDER BY a.attnum;
SELECT unit FROM dbmaint_metrics() GROUP BY unit ORDER BY unit COLLATE "C";
-- names carry their units
SELECT metric, unit FROM dbmaint_metrics()
 WHERE (unit = 'ms') <> (metric LIKE '%\_ms')
    OR (unit = 'bytes') <> (metric LIKE '%\_bytes')
    OR (unit = 'ratio') <> (metric LIKE '%\_ratio');
-- what is read by SQL is declared as a metric
SELECT p.proname, a.name
  FROM pg_proc AS p, unnest(p.proargnames) AS a(name)
 WHERE p.proname LIKE 'dbmaint\_read\_%' AND a.name <> 'stats_reset'
   AND a.name NOT IN (SELECT metric FROM dbmaint_metrics());

-- two samples, one with three statements, one with one; one without any
INSERT INTO performance_metrics ("timestamp", database_oid, response_time_ms, query_count, slow_query_count, failed_query_count, max_ms, latency_histogram)
SELECT now() - t.ago, d.oid, t.mean, t.n, t.slow, t.failed, t.longest, t.histogram
  FROM pg_database AS d,
       (VALUES (interval '1 minute', 10::float8, 3, 0, 1, 12::float8, '1|8000:1,10112:1,11904:1'::dbmaint_histogram),
               (interval '2 minutes', 110, 1, 1, 0, 110, '1|109568:1'),
               (interval '3 minutes', NULL, 0, 0, 0, NULL, NULL)) AS t(ago, mean, n, slow, failed, longest, histogram)
 WHERE d.datname = current_database();
-- what another database left behind is told apart
INSERT INTO performance_metrics ("timestamp", database_oid, response_time_ms, query_count)
VALUES (now() - interval '1 minute', 1, 5000, 1000);

-- the means are weighted by calls, the percentiles merged
SELECT avg_response_time, min_response_time, max_response_time,
       round(response_variance::numeric, 3) AS response_variance, query_count,
       round(p50_ms::numeric, 2) AS p50_ms, round(p99_ms::numeric, 1) AS p99_ms,
       max_ms, slow_query_count, failed_query_count
  FROM dbmaint_response_time('15 minutes');
SELECT avg_response_time, query_count, p95_ms FROM dbmaint_response_time('1 second');
SELECT sum(total_queries), max(max_response_time) FROM dbmaint_weekly_trend;
SELECT sum(query_count), bool_and(prev_week_avg IS NULL) FROM dbmaint_monthly_summary;

-- against the runbook's, in columns
SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute
 WHERE attrelid = 'dbmaint_weekly_trend'::regclass AND attnum > 0;
SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute
 WHERE attrelid = 'dbmaint_monthly_summary'::regclass AND attnum > 0;

-- the change from week to week
TRUNCATE performance_metrics;
INSERT INTO performance_metrics ("timestamp", database_oid, response_time_ms, query_count)
SELECT date_trunc('week', now()) - interval '6 days' + t.later, d.oid, t.mean, 10
  FROM pg_database AS d,
       (VALUES (interval '0', 100::float8), (interval '-7 days', 80)) AS t(later, mean)
 WHERE d.datname = current_database();
SELECT avg_response_time, prev_week_avg, performance_change_pct FROM dbmaint_monthly_summary;

-- the runbooks' own queries
SELECT count(*) FROM (
SELECT
    avg(response_time_ms) as avg_response_time,
    min(response_time_ms) as min_response_time,
    max(response_time_ms) as max_response_time,
    stddev(response_time_ms) as response_variance,
    count(*) as query_count
FROM performance_metrics
WHERE timestamp > NOW() - INTERVAL '15 minutes') AS q;
SELECT count(*) > 0 FROM (
SELECT
    date_trunc('day', timestamp) as day,
    avg(response_time_ms) as avg_response_time,
    min(response_time_ms) as min_response_time,
    max(response_time_ms) as max_response_time,
    count(*) as total_queries
FROM performance_metrics
WHERE timestamp > NOW() - INTERVAL '30 days'
GROUP BY date_trunc('day', timestamp)
ORDER BY day) AS q;
WITH monthly_stats AS (
    SELECT
        date_trunc('week', timestamp) as week,
        avg(response_time_ms) as avg_response_time,
        min(response_time_ms) as min_response_time,
        max(response_time_ms) as max_response_time,
        count(*) as query_count
    FROM performance_metrics
    WHERE timestamp > NOW() - INTERVAL '30 days'
    GROUP BY date_trunc('week', timestamp)
)
SELECT
    avg_response_time,
    query_count,
    LAG(avg_response_time) OVER (ORDER BY week) as prev_week_avg,
    ((avg_response_time - LAG(avg_response_time) OVER (ORDER BY week)) /
     LAG(avg_response_time) OVER (ORDER BY week)) * 100 as performance_change_pct
FROM monthly_stats
ORDER BY week;

-- bad input
SELECT dbmaint_response_time(NULL);
SELECT dbmaint_response_time('-1 hour');
DROP EXTENSION dbmaint;
