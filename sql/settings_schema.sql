-- The extension in a schema whose name is a format of its own: nothing that
-- builds a statement takes the name for one.
SET client_min_messages = warning;
CREATE SCHEMA "Od d%I-s";
CREATE EXTENSION dbmaint SCHEMA "Od d%I-s";
\set SHOW_CONTEXT never
CREATE FUNCTION attempt(sql text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE sql;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ': ' || SQLERRM;
END $$;

-- two months of it, rolled up, and rounds of the collectors
INSERT INTO "Od d%I-s".performance_metrics ("timestamp", database_oid, sample_interval_ms, database_size_bytes, query_count, total_connections)
SELECT t.at, d.oid, 3600000, 1000000, 7200, 20
  FROM pg_database AS d, generate_series(timestamptz '2026-01-01 00:00+00', '2026-02-28 23:00+00', '1 hour') AS t(at)
 WHERE d.datname = current_database();
SELECT count(*) > 5 AS some, count(*) FILTER (WHERE r.status ~ 'error|failed') AS failed
  FROM generate_series(timestamptz '2026-03-01 00:00+00', '2026-03-02 00:00+00', '6 hours') AS t(at), "Od d%I-s".dbmaint_run_due(t.at) AS r;

-- forecasts
SELECT count(*), min(status) AS status, min(expected) AS expected FROM "Od d%I-s".dbmaint_forecast('database_size_bytes', '30 days', '2026-03-01 00:00+00');
SELECT count(*) > 30 AS many, count(*) FILTER (WHERE f.status NOT IN ('ok', 'unknown')) AS strange
  FROM "Od d%I-s".dbmaint_metrics() AS m, "Od d%I-s".dbmaint_forecast(m.metric, '2 days', '2026-03-01 00:00+00') AS f;
SELECT count(*) FROM "Od d%I-s".dbmaint_metric_history('query_count', '2026-01-01 00:00+00', '2026-03-01 00:00+00', '1 day');
-- alerts, their replay and their evidence
SELECT "Od d%I-s".dbmaint_last_reading('total_connections', '', '2026-01-01 00:00+00') IS NOT NULL AS read,
       "Od d%I-s".dbmaint_last_reading_at('total_connections', '', '2026-01-01 00:00+00', '2026-03-01 00:00+00') AT TIME ZONE 'UTC' AS at;
SELECT count(*) FROM "Od d%I-s".dbmaint_backtest_rule('total_connections', '>', 10, '5 minutes', '2026-01-01 00:00+00', '2026-03-01 00:00+00');
SELECT "Od d%I-s".dbmaint_evidence_metric('total_connections', '', '2026-02-20 10:00+00', '2026-02-20 10:30+00');
-- reviews, days and months
SELECT count(*) > 20 AS lines FROM "Od d%I-s".dbmaint_weekly_report('2026-02-23');
SELECT count(*) FROM "Od d%I-s".dbmaint_metrics_by('month', '-infinity', '2026-03-01 00:00+00');
SELECT count(*) FROM "Od d%I-s".dbmaint_anomalies('2026-02-22 00:00+00', '2026-02-23 00:00+00');

-- whatever can be called without arguments
SELECT p.proname, attempt(format('SELECT FROM %s()', p.oid::regproc)) AS error
  FROM pg_proc AS p JOIN pg_type AS t ON t.oid = p.prorettype
 WHERE p.pronamespace = '"Od d%I-s"'::regnamespace AND p.prokind = 'f' AND p.pronargs = p.pronargdefaults
   AND t.typname NOT LIKE '%trigger' AND attempt(format('SELECT FROM %s()', p.oid::regproc)) <> 'no error'
 ORDER BY 1;
-- whatever takes a range or a time
SELECT p.proname, attempt(c.call) AS error
  FROM pg_proc AS p
 CROSS JOIN LATERAL (SELECT CASE WHEN p.proargtypes[0] = 'timestamptz'::regtype AND p.pronargs - p.pronargdefaults <= 1
                                 THEN format('SELECT FROM %s(timestamptz ''2026-02-01 00:00+00'')', p.oid::regproc)
                                 WHEN p.proargtypes[0] = 'timestamptz'::regtype AND p.proargtypes[1] = 'timestamptz'::regtype AND p.pronargs - p.pronargdefaults <= 2
                                 THEN format('SELECT FROM %s(timestamptz ''2026-02-01 00:00+00'', timestamptz ''2026-03-01 00:00+00'')', p.oid::regproc) END) AS c(call)
 WHERE p.pronamespace = '"Od d%I-s"'::regnamespace AND p.prokind = 'f' AND c.call IS NOT NULL AND attempt(c.call) <> 'no error'
 ORDER BY 1;
DROP EXTENSION dbmaint;
DROP SCHEMA "Od d%I-s";
DROP FUNCTION attempt;
