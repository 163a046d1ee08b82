-- The daily health check script of the runbook as one call, at its limits.
CREATE EXTENSION dbmaint;
SELECT check_name, value IS NULL AS no_value, "limit", status, detail FROM dbmaint_daily_check() WHERE check_name <> 'completed';
SELECT check_name, value ~ '^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$' AS time_stamp, "limit", status, detail FROM dbmaint_daily_check() WHERE check_name = 'completed';

-- the mean of the rows, as the script has it: at the limit, and above
INSERT INTO performance_metrics ("timestamp", database_oid, response_time_ms, query_count)
SELECT now() - i * interval '1 minute', d.oid, 80 + 10 * i, 1 + 1000 * i FROM pg_database AS d, generate_series(1, 3) AS i WHERE d.datname = current_database();
INSERT INTO performance_metrics ("timestamp", database_oid, response_time_ms, query_count)
SELECT now() - interval '16 minutes', d.oid, 100000, 1 FROM pg_database AS d WHERE d.datname = current_database();
INSERT INTO performance_metrics ("timestamp", database_oid, response_time_ms, query_count) VALUES (now(), 1, 100000, 1);
SELECT * FROM dbmaint_daily_check() WHERE check_name = 'response_time';
UPDATE performance_metrics SET response_time_ms = 100;
SELECT * FROM dbmaint_daily_check() WHERE check_name = 'response_time';
UPDATE performance_metrics SET response_time_ms = 100.001;
SELECT * FROM dbmaint_daily_check() WHERE check_name = 'response_time';
UPDATE performance_metrics SET response_time_ms = NULL;
SELECT * FROM dbmaint_daily_check() WHERE check_name = 'response_time';
UPDATE performance_metrics SET response_time_ms = 99.99;

-- pools by the last reading: at the limit, below, none at work, another database's, and one too old
CREATE FUNCTION read_pools(ago interval, clients bigint[], servers bigint[]) RETURNS void LANGUAGE sql AS $$
    SELECT dbmaint_store_pools(now() - ago, array_fill('app'::text, ARRAY[n]), names, array_fill('transaction'::text, ARRAY[n]),
        clients, none, servers, none, none, none, none, none, none, none, none, none, '{}', '{}', '{}')
      FROM (SELECT cardinality(clients) AS n, ARRAY(SELECT 'user ' || i FROM generate_series(1, cardinality(clients)) AS i) AS names,
                   array_fill(0::bigint, ARRAY[cardinality(clients)]) AS none) AS s
$$;
CREATE VIEW pool_check AS SELECT value, "limit", status, detail FROM dbmaint_daily_check() WHERE check_name = 'connection_pool';
SELECT read_pools('14 minutes', '{80000, 75000, 5}', '{100000, 100000, 0}');
SELECT * FROM pool_check;
SELECT read_pools('13 minutes', '{74990, 75000, 74999}', '{100000, 100000, 100000}');
SELECT * FROM pool_check;
SELECT read_pools('12 minutes', '{5, 0}', '{0, 0}');
SELECT * FROM pool_check;
UPDATE dbmaint_pool_snapshots SET database_oid = 1 WHERE taken_at = (SELECT max(taken_at) FROM dbmaint_pool_snapshots);
SELECT value, status FROM pool_check;
UPDATE dbmaint_pool_snapshots SET taken_at = taken_at - interval '1 minute';
SELECT value, status FROM pool_check;
UPDATE dbmaint_pool_snapshots SET taken_at = taken_at - interval '1 hour';
SELECT value, status FROM pool_check;

-- critical indexes by the history of the last day: both at their limits, then each past one
CREATE TABLE daily (a int, b int);
CREATE INDEX "daily A" ON daily (a);
CREATE INDEX daily_b ON daily (b);
INSERT INTO dbmaint_objects (database_oid, kind, object_id, relation_oid, table_oid, schemaname, tablename, indexname, first_seen_at)
SELECT d.oid, 'i', n, c.oid, 'daily'::regclass, 'public', 'daily', c.relname, now() - interval '2 days'
  FROM pg_database AS d, (VALUES (1, '"daily A"'::regclass), (2, 'daily_b')) AS i(n, index) JOIN pg_class AS c ON c.oid = i.index
 WHERE d.datname = current_database();
INSERT INTO dbmaint_index_snapshots (taken_at, database_oid, interval_ms, complete, restarts, object_ids, idx_scan, idx_tup_read, idx_tup_fetch, idx_blks_read, idx_blks_hit, index_bytes, grown_bytes)
SELECT now() - interval '1 hour', d.oid, 3600000, true, 0, '{1,2}'::bigint[], '{5000,5000}'::bigint[], '{100000,100000}'::bigint[], '{85000,99000}'::bigint[], '{9999,0}'::bigint[], '{90001,100000}'::bigint[], '{8192,8192}'::bigint[], '{0,0}'::bigint[]
  FROM pg_database AS d WHERE d.datname = current_database();
CREATE VIEW index_checks AS SELECT check_name, value, "limit", status, detail FROM dbmaint_daily_check() WHERE check_name LIKE 'critical%';
ALTER SYSTEM SET dbmaint.critical_indexes = '"daily A"', 'daily_b';
SELECT pg_reload_conf();
-- a session looks at the signal between two statements: wait for it
\o /dev/null
\set ECHO none
SELECT $$SELECT pg_sleep(CASE WHEN current_setting('dbmaint.critical_indexes') LIKE '%daily A%' THEN 0 ELSE 0.05 END)$$ FROM generate_series(1, 600) \gexec
\set ECHO all
\o
SELECT * FROM index_checks;
UPDATE dbmaint_index_snapshots SET idx_tup_fetch = '{84999,85000}'::bigint[];
SELECT * FROM index_checks;
UPDATE dbmaint_index_snapshots SET idx_tup_fetch = '{85000,85000}'::bigint[], idx_blks_read = '{0,10000}'::bigint[], idx_blks_hit = '{100000,90000}'::bigint[];
SELECT * FROM index_checks;
UPDATE dbmaint_index_snapshots SET idx_tup_fetch = '{84999,84000}'::bigint[], idx_blks_hit = '{5,6}'::bigint[], idx_blks_read = '{95,94}'::bigint[];
SELECT value, status, detail FROM index_checks;
-- one that is not there, and one that nobody used
ALTER SYSTEM SET dbmaint.critical_indexes = 'daily_b', '"no such"';
SELECT pg_reload_conf();
\o /dev/null
\set ECHO none
SELECT $$SELECT pg_sleep(CASE WHEN current_setting('dbmaint.critical_indexes') LIKE '%no such%' THEN 0 ELSE 0.05 END)$$ FROM generate_series(1, 600) \gexec
\set ECHO all
\o
UPDATE dbmaint_index_snapshots SET idx_tup_read = '{5,0}'::bigint[], idx_tup_fetch = '{0,0}'::bigint[], idx_blks_read = '{5,0}'::bigint[], idx_blks_hit = '{0,0}'::bigint[];
SELECT * FROM index_checks;
ALTER SYSTEM RESET dbmaint.critical_indexes;
SELECT pg_reload_conf();
