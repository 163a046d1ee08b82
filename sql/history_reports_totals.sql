-- The reviews' sections on statements and indexes: from snapshots as from the
-- days that they leave behind. Every number is known.
CREATE EXTENSION dbmaint;
SET extra_float_digits = -6;
CREATE TABLE t1 (id int PRIMARY KEY, v int);
CREATE INDEX "Odd, ""one""" ON t1 (v);
CREATE INDEX idle ON t1 (id, v);
CREATE TABLE t2 (id int);
CREATE INDEX quiet ON t2 (id);

-- a snapshot a day of two weeks: in the second, 1 takes twice as long a call,
-- 2 runs thrice as often, 4 is new, 5 is gone, 6 is others' slow one
INSERT INTO dbmaint_statements (statement_id, query_id, database_oid, user_oid, toplevel, first_seen_at, last_used_at, query)
OVERRIDING SYSTEM VALUE
SELECT v.id, v.id * 11, d.oid, 10, true, '2026-06-01', '2026-06-20', v.query
  FROM pg_database AS d, (VALUES (1, 'SELECT slower'), (2, 'SELECT busier'), (3, 'SELECT steady'), (4, 'SELECT ''new''' || repeat(' x', 200)), (5, 'SELECT gone'), (6, NULL)) AS v(id, query)
 WHERE d.datname = current_database();
INSERT INTO dbmaint_statement_snapshots (taken_at, database_oid, previous_at, known_counters, statements, incomplete, statement_ids, calls, total_exec_time_us)
SELECT timestamptz '2026-06-01 00:00+00' + n * interval '1 day', d.oid, timestamptz '2026-06-01 00:00+00' + (n - 1) * interval '1 day', 3, 5, false,
       CASE WHEN n <= 7 THEN '{1,2,3,5,6}' ELSE '{1,2,3,4,6}' END::bigint[],
       CASE WHEN n <= 7 THEN '{2400,2400,2400,24,24}' ELSE '{2400,7200,2400,240,24}' END::bigint[],
       CASE WHEN n <= 7 THEN '{2400000,4800000,2400000,24000,4800000}' ELSE '{4800000,14400000,2400000,48000000,4800000}' END::bigint[]
  FROM pg_database AS d, generate_series(1, 14) AS n WHERE d.datname = current_database();

-- tables and indexes: idle is not used while t1 is, quiet's table is quiet
INSERT INTO dbmaint_objects (database_oid, kind, object_id, relation_oid, table_oid, schemaname, tablename, indexname, first_seen_at, last_seen_at)
SELECT d.oid, v.kind::"char", v.id, coalesce(to_regclass(v.name), 4000000000)::oid, to_regclass(v.of_table)::oid, 'public', v.of_table,
       CASE v.kind WHEN 'i' THEN v.shown END, v.first, v.last
  FROM pg_database AS d,
       (VALUES ('t', 1, 't1', 't1', 't1', timestamptz '2026-06-01 00:00+00', NULL::timestamptz), ('t', 2, 't2', 't2', 't2', '2026-06-01 00:00+00', NULL),
               ('i', 1, 't1_pkey', 't1_pkey', 't1', '2026-06-01 00:00+00', NULL), ('i', 2, '"Odd, ""one"""', 'Odd, "one"', 't1', '2026-06-10 12:00+00', NULL),
               ('i', 3, 'idle', 'idle', 't1', '2026-06-01 00:00+00', NULL), ('i', 4, 'quiet', 'quiet', 't2', '2026-06-01 00:00+00', NULL),
               ('i', 5, 'no_more', 'no_more', 't1', '2026-06-01 00:00+00', '2026-06-11 12:00+00')) AS v(kind, id, name, shown, of_table, first, last)
 WHERE d.datname = current_database();
INSERT INTO dbmaint_index_snapshots (taken_at, database_oid, interval_ms, complete, restarts, object_ids, idx_scan, idx_tup_read, idx_tup_fetch, idx_blks_read, idx_blks_hit, index_bytes, grown_bytes)
SELECT timestamptz '2026-06-01 00:00+00' + n * interval '1 day', d.oid, 86400000, true, 0, '{1,2}'::bigint[],
       ARRAY[50, n]::bigint[], '{1000,10}'::bigint[], ARRAY[CASE WHEN n <= 7 THEN 950 ELSE 600 END, 10]::bigint[], ARRAY[CASE WHEN n <= 7 THEN 5 ELSE 30 END, 0]::bigint[], '{70,30}'::bigint[], '{16384,8192}'::bigint[], '{100,0}'::bigint[]
  FROM pg_database AS d, generate_series(1, 14) AS n WHERE d.datname = current_database();
INSERT INTO dbmaint_table_snapshots (taken_at, database_oid, interval_ms, complete, restarts, object_ids, seq_scan)
SELECT timestamptz '2026-06-01 00:00+00' + n * interval '1 day', d.oid, 86400000, true, 0, '{1,2}'::bigint[], '{3,1}'::bigint[]
  FROM pg_database AS d, generate_series(1, 14) AS n WHERE d.datname = current_database();

CREATE TEMP TABLE week AS SELECT * FROM dbmaint_weekly_report('2026-06-15') WHERE section IN ('statements', 'indexes');
SELECT section, item, value, previous, round(change_ratio::numeric, 3) AS change, unit, status, detail FROM week;
-- critical ones, by the setting
ALTER SYSTEM SET dbmaint.critical_indexes = 't1_pkey, public.id%';
SELECT pg_reload_conf();
\set ECHO none
SELECT $$DO 'BEGIN IF current_setting(''dbmaint.critical_indexes'') = '''' THEN PERFORM pg_sleep(0.02); END IF; END'$$
  FROM generate_series(1, 500) \gexec
\set ECHO all
SELECT item, value, previous, status, detail FROM dbmaint_weekly_report('2026-06-15') WHERE item LIKE 'critical%';
ALTER SYSTEM RESET dbmaint.critical_indexes;
SELECT pg_reload_conf();
\set ECHO none
SELECT $$DO 'BEGIN IF current_setting(''dbmaint.critical_indexes'') <> '''' THEN PERFORM pg_sleep(0.02); END IF; END'$$
  FROM generate_series(1, 500) \gexec
\set ECHO all

-- the same from the days, when the snapshots are gone
SELECT sum(dbmaint_roll_up('2026-06-15 01:00+00')) FROM generate_series(1, 90);
TRUNCATE dbmaint_statement_snapshots, dbmaint_index_snapshots, dbmaint_table_snapshots;
SELECT count(*) FROM (SELECT * FROM dbmaint_weekly_report('2026-06-15') WHERE section IN ('statements', 'indexes') EXCEPT TABLE week) AS different;
SELECT item, value, previous FROM dbmaint_monthly_audit('2026-06-15') WHERE section IN ('statements', 'indexes') AND value IS NOT NULL;
-- the period before has nothing: nothing has grown
SELECT item, value, previous, detail FROM dbmaint_weekly_report('2026-06-08') WHERE section = 'statements';
-- what was lost is said
UPDATE dbmaint_daily_statements SET complete = false WHERE day = '2026-06-10 00:00+00';
SELECT detail FROM dbmaint_weekly_report('2026-06-15') WHERE item = 'executions_per_day';
-- no history at all
SELECT section, item, value, previous, status, detail FROM dbmaint_weekly_report('2025-06-15') WHERE section IN ('statements', 'indexes');
DROP EXTENSION dbmaint;
