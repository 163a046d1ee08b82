-- Ranges that end where timestamps do: all history is meant, and no lookback
-- is too long for it.
SET TimeZone = 'UTC';
CREATE EXTENSION dbmaint;
\set SHOW_CONTEXT never
INSERT INTO performance_metrics ("timestamp", database_oid, sample_interval_ms, query_count, response_time_ms, total_connections)
SELECT t.at, d.oid, 3600000, 1000, 10, 5
  FROM pg_database AS d, generate_series(timestamptz '2026-01-01 00:00+00', '2026-02-28 23:00+00', '1 hour') AS t(at)
 WHERE d.datname = current_database();
CREATE TABLE things (id int PRIMARY KEY);
SELECT count(*) > 0 AS taken FROM generate_series(timestamptz '2026-03-01 00:00+00', '2026-03-03 00:00+00', '6 hours') AS t(at), dbmaint_run_due(t.at);
CREATE FUNCTION attempt(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    found bigint;
BEGIN
    EXECUTE query INTO found;
    RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ': ' || SQLERRM;
END $$;

-- as far back as anybody says
SELECT f.call, l.lookback, attempt(format(f.call, l.lookback)) AS result
  FROM unnest(ARRAY['SELECT count(*) FROM dbmaint_index_health(%L)', 'SELECT count(*) FROM dbmaint_table_health(%L)',
                    'SELECT count(*) FROM dbmaint_log_errors(%L)', 'SELECT count(*) FROM dbmaint_recorder(%L)',
                    'SELECT query_count FROM dbmaint_response_time(%L::interval)', 'SELECT dbmaint_recorder_freeze(''all'', %L)']) WITH ORDINALITY AS f(call, n),
       unnest(ARRAY['999 years', '6000 years', '100000 years', '170000000 years', '0', '-100000 years']) WITH ORDINALITY AS l(lookback, m)
 WHERE attempt(format(f.call, l.lookback)) <> 'ok' ORDER BY f.n, l.m;
SELECT query_count FROM dbmaint_response_time('100000 years'::interval);
SELECT count(*), min(counted_by) AS counted_by FROM dbmaint_table_health('100000 years') WHERE tablename = 'things';
SELECT count(*), min(counted_by) AS counted_by FROM dbmaint_index_health('100000 years') WHERE tablename = 'things';
SELECT dbmaint_time_before('2026-01-01 00:00+00', '1 day') AT TIME ZONE 'UTC' AS day, dbmaint_time_before('2026-01-01 00:00+00', '1000 years') AS all_history;

-- from and to the ends of time, and beside them
WITH ends AS (
    SELECT e.at, n FROM unnest(ARRAY['-infinity', '4713-11-24 00:00:00+00 BC', '4713-12-31 12:00:00+00 BC', '2026-02-01 00:00+00', '294276-12-31 23:59:59+00', 'infinity']::timestamptz[]) WITH ORDINALITY AS e(at, n)
)
SELECT f.name, a.n, b.n, attempt(format('SELECT count(*) FROM %s(%L, %L)', f.name, a.at, b.at)) AS result
  FROM unnest(ARRAY['dbmaint_statement_daily', 'dbmaint_index_daily', 'dbmaint_table_daily', 'dbmaint_pool_daily', 'dbmaint_index_monthly', 'dbmaint_table_monthly',
                    'dbmaint_index_sums', 'dbmaint_table_sums', 'dbmaint_anomalies', 'dbmaint_response_time', 'dbmaint_total_statements', 'dbmaint_top_statements',
                    'dbmaint_index_totals', 'dbmaint_table_totals']) AS f(name), ends AS a, ends AS b
 WHERE a.n <= b.n AND attempt(format('SELECT count(*) FROM %s(%L, %L)', f.name, a.at, b.at)) <> 'ok';
SELECT count(*) FROM (SELECT * FROM dbmaint_anomalies('-infinity', 'infinity') EXCEPT SELECT * FROM dbmaint_anomalies('4713-11-24 00:00:00+00 BC', '294276-12-31 23:59:59+00')) AS different;
SELECT count(*) > 0 AS some, count(*) = (SELECT count(*) FROM dbmaint_index_daily('-infinity', 'infinity')) AS same FROM dbmaint_index_daily('4713-11-24 00:00:00+00 BC', '294276-12-31 23:59:59+00');
SELECT count(*) = (SELECT count(*) FROM dbmaint_metric_history('query_count', '-infinity', 'infinity', '1 day')) AS same FROM dbmaint_metric_history('query_count', '4713-11-24 00:00:00+00 BC', '294276-12-31 23:59:59+00', '1 day');
DROP TABLE things;
DROP FUNCTION attempt;
DROP EXTENSION dbmaint;
