-- Health: one row a check in order, one failing check costs no other, statuses by their limits.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dbmaint;
SET TimeZone = 'UTC';
\set SHOW_CONTEXT never

-- the names and their order
SELECT check_name FROM dbmaint_health();

-- every check says what to do, and knows its status
SELECT check_name, value, status, target, detail FROM dbmaint_health()
WHERE status NOT IN ('ok', 'warning', 'critical', 'emergency', 'unknown')
   OR coalesce(detail, '') = '' OR detail NOT LIKE '%.' OR target IS NULL;

-- nothing failed
SELECT check_name, detail FROM dbmaint_health() WHERE detail LIKE 'The check failed%';

-- functions and list agree
SELECT p.proname, h.check_name
FROM (SELECT proname FROM pg_proc WHERE proname LIKE 'dbmaint\_check\_%') p
FULL JOIN dbmaint_health() h ON p.proname = 'dbmaint_check_' || h.check_name
WHERE p.proname IS NULL OR h.check_name IS NULL;

-- each has a comment and a fixed search_path, none is for PUBLIC, all are for pg_monitor
SELECT p.oid::regprocedure
FROM pg_proc p
WHERE (p.proname LIKE 'dbmaint\_check\_%'
       OR p.proname IN ('dbmaint_health', 'dbmaint_grade', 'dbmaint_require_role'))
  AND (obj_description(p.oid, 'pg_proc') IS NULL
       OR NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)
       OR EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0)
       OR NOT has_function_privilege('pg_monitor', p.oid, 'EXECUTE'));

-- limits are exceeded, not reached; a missing limit does not apply
SELECT n, dbmaint_grade(n, 80, 95, 110), dbmaint_grade(n, 80, NULL, NULL)
FROM unnest(ARRAY[NULL, 0, 80, 80.1, 95, 95.1, 110, 110.1]) n;

-- a check that fails is a row that says so, the others stay
BEGIN;
CREATE OR REPLACE FUNCTION dbmaint_check_disk_space(OUT value text, OUT status text, OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RAISE EXCEPTION 'broken on purpose' USING HINT = 'Mend it.';
END $$;
SELECT * FROM dbmaint_health() WHERE check_name = 'disk_space';
SELECT count(*), count(*) FILTER (WHERE detail LIKE 'The check failed%') FROM dbmaint_health();
ROLLBACK;

-- a cancelled check cancels the whole call
BEGIN;
CREATE OR REPLACE FUNCTION dbmaint_check_disk_space(OUT value text, OUT status text, OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'query_canceled', MESSAGE = 'cancelled';
END $$;
SELECT count(*) FROM dbmaint_health();
ROLLBACK;

-- response time: weighted by calls, the mean decides
BEGIN;
DELETE FROM performance_metrics;
SELECT value, status FROM dbmaint_check_response_time();
CREATE FUNCTION pg_temp.seed(age interval, ms float8, calls int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO performance_metrics ("timestamp", database_oid, response_time_ms, query_count, latency_histogram)
    SELECT now() - age, (SELECT oid FROM pg_database WHERE datname = current_database()),
        ms, calls, (SELECT dbmaint_histogram_agg(ms) FROM generate_series(1, calls));
$$;
SELECT pg_temp.seed('20 minutes', 500, 10);
SELECT value, status FROM dbmaint_check_response_time();
SELECT pg_temp.seed('10 minutes', NULL, 0);
SELECT value, status FROM dbmaint_check_response_time();
SELECT pg_temp.seed('5 minutes', 10, 90);
SELECT split_part(value, ',', 1) AS mean, status FROM dbmaint_check_response_time();
-- the mean of the means would be 255 ms
SELECT pg_temp.seed('4 minutes', 500, 10);
SELECT split_part(value, ',', 1) AS mean, abs(substring(value FROM 'p95 ([0-9.]+)')::numeric - 500) < 10 AS p95, status,
    detail LIKE '%One statement in twenty%' AS says_p95
FROM dbmaint_check_response_time();
SELECT pg_temp.seed('3 minutes', 100, 100);
SELECT split_part(value, ',', 1) AS mean, status FROM dbmaint_check_response_time();
SELECT pg_temp.seed('2 minutes', 110, 400);
SELECT split_part(value, ',', 1) AS mean, status FROM dbmaint_check_response_time();
SELECT pg_temp.seed('1 minutes', 300, 200);
SELECT split_part(value, ',', 1) AS mean, status FROM dbmaint_check_response_time();
-- another database's history, or a clone's ancestor's, is not ours
UPDATE performance_metrics SET database_oid = 1;
SELECT value, status FROM dbmaint_check_response_time();
ROLLBACK;

-- deadlocks and temporary files: the last hour decides
BEGIN;
DELETE FROM performance_metrics;
INSERT INTO performance_metrics ("timestamp", database_oid, deadlocks, temp_files, temp_bytes)
SELECT now() - age, (SELECT oid FROM pg_database WHERE datname = current_database()), deadlocks, files, bytes
FROM (VALUES (interval '2 hours', 99, 99, 99 * 2::bigint ^ 30),
    ('30 minutes', 0, 0, 0), ('20 minutes', 1, 2, 2 * 2::bigint ^ 30)) v (age, deadlocks, files, bytes);
SELECT value, status FROM dbmaint_check_deadlocks();
SELECT value, status FROM dbmaint_check_temp_files();
UPDATE performance_metrics SET deadlocks = deadlocks * 11, temp_bytes = temp_bytes * 6;
SELECT value, status FROM dbmaint_check_deadlocks();
SELECT value, status FROM dbmaint_check_temp_files();
DELETE FROM performance_metrics WHERE deadlocks > 0;
SELECT value, status FROM dbmaint_check_deadlocks();
SELECT value, status FROM dbmaint_check_temp_files();
ROLLBACK;

-- dead tuples, by the runbook's formula: over 20 %, not 20; what a session
-- counted comes before ANALYZE and VACUUM, which would have it twice
CREATE TABLE health_dead (id int) WITH (autovacuum_enabled = off);
INSERT INTO health_dead SELECT generate_series(1, 50000);
DELETE FROM health_dead WHERE id <= 10000;
SELECT pg_stat_force_next_flush();
ANALYZE health_dead;
SELECT detail LIKE '%health_dead%' AS needs_vacuum FROM dbmaint_check_tables_needing_vacuum();
DELETE FROM health_dead WHERE id <= 10100;
SELECT pg_stat_force_next_flush();
ANALYZE health_dead;
SELECT value::int > 0 AS counted, status, detail LIKE '%health_dead%' AS needs_vacuum FROM dbmaint_check_tables_needing_vacuum();
VACUUM health_dead;
SELECT detail LIKE '%health_dead%' AS needs_vacuum FROM dbmaint_check_tables_needing_vacuum();

-- stale statistics: the limit moved to now, since no test waits 7 days
INSERT INTO health_dead SELECT generate_series(1, 100000);
SELECT pg_stat_force_next_flush();
ANALYZE health_dead;
DO $$BEGIN EXECUTE replace(pg_get_functiondef('dbmaint_check_stale_statistics'::regproc), '''7 days''', '''0 days'''); END$$;
SELECT coalesce(detail LIKE '%health_dead%', false) AS unchanged_is_stale FROM dbmaint_check_stale_statistics();
INSERT INTO health_dead SELECT generate_series(1, 100000);
SELECT pg_stat_force_next_flush();
SELECT value::int > 0 AS counted, status, detail LIKE '%health_dead%' AS changed_is_stale FROM dbmaint_check_stale_statistics();
DO $$BEGIN EXECUTE replace(pg_get_functiondef('dbmaint_check_stale_statistics'::regproc), '''0 days''', '''7 days'''); END$$;
SELECT detail LIKE '%health_dead%' AS recent_is_stale FROM dbmaint_check_stale_statistics();
DROP TABLE health_dead;

-- invalid index
CREATE TABLE health_twice (id int);
INSERT INTO health_twice VALUES (1), (1);
\set VERBOSITY terse
CREATE UNIQUE INDEX CONCURRENTLY "Health index" ON health_twice (id);
SELECT value, status, detail LIKE '%public."Health index":%' AS named FROM dbmaint_check_invalid_indexes();
DROP TABLE health_twice;
SELECT value, status FROM dbmaint_check_invalid_indexes();

-- an object of the same name in the caller's path does not matter
CREATE TEMP VIEW pg_stat_activity AS SELECT 1 AS pid;
SELECT count(*) FROM dbmaint_health() WHERE detail LIKE 'The check failed%';
DROP VIEW pg_temp.pg_stat_activity;

-- who may
CREATE ROLE regress_health_reader;
CREATE ROLE regress_health_monitor IN ROLE pg_monitor;
SET ROLE regress_health_reader;
SELECT * FROM dbmaint_health();
SELECT * FROM dbmaint_check_total_connections();
SET ROLE regress_health_monitor;
SELECT check_name, detail FROM dbmaint_health() WHERE detail LIKE 'The check failed%';
RESET ROLE;

-- allowed to call but not to see: unknown and what to grant, not a wrong number
BEGIN;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO regress_health_reader;
SET LOCAL ROLE regress_health_reader;
SELECT check_name, value, status, detail LIKE '%GRANT pg_monitor TO regress_health_reader;' AS what_to_do
FROM dbmaint_health() WHERE detail LIKE 'The check failed%' AND check_name <> 'archiving';
\set VERBOSITY default
SELECT * FROM dbmaint_check_blocked_sessions();
ROLLBACK;
DROP ROLE regress_health_reader, regress_health_monitor;
