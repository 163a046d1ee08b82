-- What is asked of the history of statements: top, slow, compared, planned.
-- The snapshots are written by hand, so every number is known.
CREATE EXTENSION dbmaint;
\set VERBOSITY terse
SET extra_float_digits = 0;
INSERT INTO dbmaint_statements (statement_id, query_id, database_oid, user_oid, toplevel, first_seen_at, last_used_at, query)
OVERRIDING SYSTEM VALUE
SELECT v.id, v.id * 11, d.oid, 10, true, '2026-01-01', '2026-01-02', v.query
  FROM pg_database AS d, (VALUES (1, 'SELECT steady'), (2, 'SELECT slower'), (3, 'SELECT busier'), (4, 'SELECT new'), (5, 'SELECT gone'), (7, NULL)) AS v(id, query)
 WHERE d.datname = current_database();
-- one of a database and a user that are no more
INSERT INTO dbmaint_statements (statement_id, query_id, database_oid, user_oid, toplevel, first_seen_at, last_used_at, query)
OVERRIDING SYSTEM VALUE VALUES (6, 66, 1000000, 1000000, false, '2026-01-01', '2026-01-02', 'SELECT elsewhere');

CREATE FUNCTION snapshot(at timestamptz, before timestamptz, ids bigint[], calls bigint[], us bigint[],
    rows bigint[] DEFAULT NULL, hit bigint[] DEFAULT NULL, read bigint[] DEFAULT NULL,
    max_us bigint[] DEFAULT NULL, deviation bigint[] DEFAULT NULL, in_database oid DEFAULT NULL)
RETURNS void LANGUAGE sql AS $$
INSERT INTO dbmaint_statement_snapshots (taken_at, database_oid, previous_at, known_counters, statements, incomplete,
    statement_ids, calls, total_exec_time_us, rows, shared_blks_hit, shared_blks_read, max_exec_time_us, exec_deviation_us)
SELECT at, coalesce(in_database, d.oid), before, (1::bigint << 38) - 1, cardinality(ids), before IS NULL, ids, calls, us, rows, hit, read, max_us, deviation
  FROM pg_database AS d WHERE d.datname = current_database()
$$;
SELECT snapshot('2026-01-01 00:00+00', NULL, '{}', '{}', '{}');
-- the first hour: everything but 4
SELECT snapshot('2026-01-01 00:30+00', '2026-01-01 00:00+00', '{1,2,3,5}', '{100,50,10,20}', '{100000,50000,10000,2000}',
                '{1,2,3,4}', '{90,0,10,0}', '{10,0,0,0}', '{5000,0,0,0}', '{3000,0,0,0}');
SELECT snapshot('2026-01-01 01:00+00', '2026-01-01 00:30+00', '{1,2,3,6,7}', '{100,50,10,1,1}', '{300000,50000,10000,200000,1000}',
                '{1,2,3,4,5}', '{90,0,10,0,0}', NULL, '{4000,0,0,150000,1000}', '{1000,0,0,0,0}');
-- the next two: 2 takes five times as long, 3 runs ten times as often
SELECT snapshot('2026-01-01 03:00+00', '2026-01-01 01:00+00', '{1,2,3,4,6,7}', '{400,200,400,2,2,2}', '{800000,1000000,400000,800000,400000,2000}');
-- what a copy of a database brought along is not this one's
SELECT snapshot('2026-01-01 02:00+00', '2026-01-01 01:00+00', '{1}', '{1000000}', '{1000000000}', in_database => 1);

SELECT dbmaint_observed_hours('2026-01-01 00:00+00', '2026-01-01 01:00+00') AS one,
       dbmaint_observed_hours('-infinity', 'infinity') AS three,
       dbmaint_observed_hours('2026-02-01', '2026-02-02') AS none;
SELECT query_id, query, database IS NOT NULL AS database, username IS NOT NULL AS username, toplevel, calls,
       total_time_ms, mean_time_ms, min_time_ms, max_time_ms, stddev_time_ms, percent_of_total
  FROM dbmaint_top_statements('2026-01-01 00:00+00', '2026-01-01 01:00+00');
SELECT query_id, "rows", shared_blocks_hit, shared_blocks_read, cache_hit_ratio, temp_blocks, io_time_ms, wal_bytes, plan_time_ms, statement_id
  FROM dbmaint_top_statements('2026-01-01 00:00+00', '2026-01-01 01:00+00');
-- the deviation of 1: of 100 calls of 1 ms with d = 3 ms and of 100 of 3 ms
-- with d = 1 ms it is sqrt((9 + 1 + 100 * 100 / 200 * 2^2) / 200) = 1.02470 ms
SELECT stddev_exec_time_ms, min_plan_time_ms, local_blk_read_time_ms, jit_deform_count, jit_functions
  FROM dbmaint_total_statements('2026-01-01 00:00+00', '2026-01-01 01:00+00') WHERE statement_id = 1;
SELECT o AS order_by, (SELECT array_agg(query_id) FROM dbmaint_top_statements('2026-01-01 00:00+00', '2026-01-01 01:00+00', o, 3)) AS first
  FROM unnest(ARRAY['total_time', 'mean_time', 'max_time', 'stddev_time', 'calls', 'rows', 'blocks_hit', 'blocks_read',
                    'temp_blocks', 'io_time', 'wal_bytes', 'plan_time']) AS o;
-- what a function ran is in its caller's time: shares are of what clients sent
BEGIN;
UPDATE dbmaint_statements SET toplevel = false WHERE statement_id IN (2, 6);
SELECT statement_id, toplevel, total_time_ms, percent_of_total FROM dbmaint_top_statements('2026-01-01 00:00+00', '2026-01-01 01:00+00');
UPDATE dbmaint_statements SET toplevel = false WHERE statement_id <> 7;
SELECT statement_id, toplevel, percent_of_total FROM dbmaint_top_statements('2026-01-01 00:00+00', '2026-01-01 01:00+00') WHERE statement_id IN (1, 7);
UPDATE dbmaint_statements SET toplevel = false;
SELECT count(*), count(percent_of_total) AS known FROM dbmaint_top_statements('2026-01-01 00:00+00', '2026-01-01 01:00+00');
ROLLBACK;
SELECT count(*) FROM dbmaint_top_statements('2026-01-01 00:00+00', '2026-01-01 01:00+00', 'calls', NULL);
SELECT count(*) FROM dbmaint_top_statements('2026-02-01', '2026-02-02');
SELECT * FROM dbmaint_top_statements(order_by => 'calls; DROP TABLE x');
SELECT * FROM dbmaint_top_statements(order_by => NULL);
SELECT * FROM dbmaint_top_statements(max_rows => -1);
SELECT count(*) FROM dbmaint_top_statements(max_rows => 0);

-- slow: by the setting, and by any threshold
SHOW dbmaint.slow_query_threshold;
SELECT query, calls, total_time, mean_time, max_time, "rows", percent_of_total, database, username, query_id
  FROM dbmaint_slow_queries('2026-01-01 00:00+00', '2026-01-01 01:00+00');
SELECT query, calls, total_time, mean_time FROM dbmaint_slow_queries('2026-01-01 00:00+00', '2026-01-01 01:00+00', 0.9);
SELECT count(*) FROM dbmaint_slow_queries;
SELECT snapshot(now() - interval '1 hour', now() - interval '2 hours', '{1,2}', '{1,1}', '{200000,50000}');
SELECT query, calls, total_time, mean_time, round(percent_of_total) AS percent FROM dbmaint_slow_queries;

-- compared: per hour, largest contribution first, split into calls and mean
SELECT query_id, change, change_ms_per_hour AS change_ms, from_calls_ms_per_hour AS calls_ms, from_mean_ms_per_hour AS mean_ms,
       before_calls_per_hour AS c0, after_calls_per_hour AS c1, before_mean_ms AS m0, after_mean_ms AS m1
  FROM dbmaint_compare('2026-01-01 00:00+00', '2026-01-01 01:00+00', '2026-01-01 01:00+00', '2026-01-01 03:00+00');
SELECT bool_and(abs(change_ms_per_hour - from_calls_ms_per_hour - from_mean_ms_per_hour) < 1e-9) AS adds_up,
       bool_and(abs(after_ms_per_hour - before_ms_per_hour - change_ms_per_hour) < 1e-9) AS is_the_difference
  FROM dbmaint_compare('2026-01-01 00:00+00', '2026-01-01 01:00+00', '2026-01-01 01:00+00', '2026-01-01 03:00+00');
SELECT count(*), count(*) FILTER (WHERE change = 'same') AS same
  FROM dbmaint_compare('2026-01-01 00:00+00', '2026-01-01 01:00+00', '2026-01-01 00:00+00', '2026-01-01 01:00+00');
SELECT * FROM dbmaint_compare('2026-02-01', '2026-02-02', '2026-01-01 01:00+00', '2026-01-01 03:00+00');
SELECT * FROM dbmaint_compare('2026-01-01 01:00+00', '2026-01-01 03:00+00', '2026-02-01', '2026-02-02');

-- a baseline outlives the snapshots that it was made of
SELECT dbmaint_set_baseline('it''s good', '2026-01-01 00:00+00', '2026-01-01 01:00+00');
SELECT name, from_at AT TIME ZONE 'UTC' AS from_at, observed_hours, statement_ids, calls, total_exec_time_us FROM dbmaint_baselines;
CREATE TABLE compared AS
SELECT * FROM dbmaint_compare('2026-01-01 00:00+00', '2026-01-01 01:00+00', '2026-01-01 01:00+00', '2026-01-01 03:00+00');
DELETE FROM dbmaint_statement_snapshots WHERE taken_at <= '2026-01-01 01:00+00';
SELECT count(*) FROM (TABLE compared EXCEPT SELECT * FROM dbmaint_compare_with('it''s good', '2026-01-01 01:00+00', '2026-01-01 03:00+00')) AS x;
SELECT dbmaint_set_baseline('it''s good', '2026-01-01 01:00+00', '2026-01-01 03:00+00');
SELECT count(*), min(observed_hours) FROM dbmaint_baselines;
SELECT dbmaint_set_baseline('empty', '2026-02-01', '2026-02-02');
SELECT dbmaint_set_baseline(NULL, '2026-01-01 01:00+00', '2026-01-01 03:00+00');
SELECT dbmaint_set_baseline('', '2026-01-01 01:00+00', '2026-01-01 03:00+00');
SELECT dbmaint_set_baseline('  ', '2026-01-01 01:00+00', '2026-01-01 03:00+00');
SELECT string_agg(md5(i::text), '' ORDER BY i) AS huge FROM generate_series(1, 300) AS i \gset
SELECT dbmaint_set_baseline(:'huge', '2026-01-01 01:00+00', '2026-01-01 03:00+00');
SELECT dbmaint_set_baseline(left(:'huge', 1025), '2026-01-01 01:00+00', '2026-01-01 03:00+00');
SELECT dbmaint_set_baseline(left(:'huge', 1024), '2026-01-01 01:00+00', '2026-01-01 03:00+00');
UPDATE dbmaint_baselines SET name = :'huge' WHERE octet_length(name) = 1024;
DELETE FROM dbmaint_baselines WHERE octet_length(name) = 1024;
SELECT * FROM dbmaint_compare_with('no such', '2026-01-01 01:00+00', '2026-01-01 03:00+00');
SELECT * FROM dbmaint_compare_with('it''s good', '2026-02-01', '2026-02-02');

-- damaged rows end in an error, not in a wrong sum
UPDATE dbmaint_statement_snapshots SET calls = '{1,2}' WHERE taken_at = '2026-01-01 03:00+00';
SELECT count(*) FROM dbmaint_total_statements('2026-01-01 01:00+00', '2026-01-01 03:00+00');
UPDATE dbmaint_statement_snapshots SET statement_ids = '{-1}', calls = '{1}', total_exec_time_us = NULL WHERE taken_at = '2026-01-01 03:00+00';
SELECT count(*) FROM dbmaint_total_statements('2026-01-01 01:00+00', '2026-01-01 03:00+00');
-- sums stop at the end of their range
UPDATE dbmaint_statement_snapshots SET statement_ids = '{1}', calls = '{9223372036854775807}', total_exec_time_us = '{9223372036854775807}' WHERE database_oid <> 1;
SELECT calls, total_exec_time_ms > 9e15 AS total FROM dbmaint_total_statements('-infinity', 'infinity');

-- what is one statement that has a plan
SELECT q, dbmaint_is_explainable(q) FROM unnest(ARRAY['SELECT $1', 'WITH a AS (SELECT 1) TABLE a', 'VALUES ($1)', 'INSERT INTO x VALUES ($1)',
    'UPDATE x SET y = $1', 'DELETE FROM x', 'DROP TABLE x', 'SELECT 1; DROP TABLE x', 'EXPLAIN SELECT 1', '']) AS q;
SELECT dbmaint_is_explainable(E'SELECT ''a\\''; DROP TABLE x; --''');
SELECT dbmaint_is_explainable('SELECT (');

-- expiry takes snapshots and statements, too
SELECT time_column, kept, capped FROM dbmaint_history_tables() WHERE history IN ('dbmaint_statements'::regclass, 'dbmaint_statement_snapshots'::regclass);
DROP TABLE compared;

-- of plans, those go that were followed by others; the newest of a statement
-- stays for as long as the statement is known, whatever its age
INSERT INTO dbmaint_statement_plans (query_id, database_oid, noticed_at, noticed_by, plan)
SELECT v.query_id, d.oid, v.noticed_at, 'me', 'Result'
  FROM pg_database AS d, (VALUES (11, timestamptz '2026-01-01 00:00+00'), (11, '2026-01-02 00:00+00'), (11, '2026-01-10 00:00+00'), (11, '2026-02-09 00:00+00'),
                                 (22, '2025-01-01 00:00+00'), (999, '2026-01-01 00:00+00'), (999, '2026-01-02 00:00+00')) AS v(query_id, noticed_at)
 WHERE d.datname = current_database();
INSERT INTO dbmaint_statement_plans (query_id, database_oid, noticed_at, noticed_by, plan)
VALUES (11, 1, '2026-01-05 00:00+00', 'me', 'the same query of a database that is no more');
CREATE VIEW plans AS SELECT query_id, database_oid <> 1 AS here, noticed_at AT TIME ZONE 'UTC' AS noticed_at FROM dbmaint_statement_plans;
TRUNCATE dbmaint_statement_snapshots;
SELECT dbmaint_expire_history('2026-02-10 00:00+00', 2) FROM generate_series(1, 3);
SELECT * FROM plans ORDER BY 1, 2, 3;
SELECT dbmaint_expire_plans('2030-01-01 00:00+00', 100);
SELECT * FROM plans ORDER BY 1, 2, 3;
CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'captured'; END $$;
CREATE TRIGGER spy BEFORE DELETE ON dbmaint_statement_plans FOR EACH ROW EXECUTE FUNCTION spy();
SELECT dbmaint_expire_history('2026-02-10 00:00+00');
DROP TRIGGER spy ON dbmaint_statement_plans;
-- when the statement goes, so does its plan; a baseline is the user's
SELECT dbmaint_expire_history('2030-01-01 00:00+00') FROM generate_series(1, 3);
SELECT (SELECT count(*) FROM dbmaint_statements) AS statements, (SELECT count(*) FROM plans) AS plans,
       (SELECT count(*) FROM dbmaint_baselines) AS baselines;
