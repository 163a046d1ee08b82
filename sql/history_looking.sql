-- Sparklines, texts cut to a column, and a screen for \watch.
CREATE EXTENSION pg_stat_statements;
CREATE EXTENSION dbmaint;

SELECT dbmaint_sparkline(ARRAY[1, 2, 3, 4, 5, 6, 7, 8]);
-- gaps, infinities
SELECT dbmaint_sparkline('{1, NULL, 8, NaN, 4, Infinity, -Infinity}');
-- all equal, all zero, one, none
SELECT dbmaint_sparkline('{5, 5, 5}') AS equal, dbmaint_sparkline('{0, 0}') AS zero,
       dbmaint_sparkline('{-3}') AS one, '[' || dbmaint_sparkline('{NULL, NaN}') || ']' AS gaps,
       dbmaint_sparkline('{Infinity, -Infinity}') AS infinite,
       dbmaint_sparkline('{}') = '' AS empty, dbmaint_sparkline(NULL) IS NULL AS unknown;
-- the whole range of a double, and almost none of it
SELECT dbmaint_sparkline('{-1.7e308, 0, 1.7e308}') AS wide, dbmaint_sparkline('{1.7e308, 1.7e308, 1.6e308}', 2) AS mean,
       dbmaint_sparkline('{0, 5e-324}') AS narrow;
-- down to a width: the means of equal shares; gaps and infinities are no part of a mean
SELECT dbmaint_sparkline(ARRAY(SELECT n::float8 FROM generate_series(1, 16) AS n), 8);
SELECT dbmaint_sparkline('{1, 1, NULL, NULL, 1, NULL, NaN, 9, Infinity, 9, -Infinity, NULL}', 6);
SELECT length(dbmaint_sparkline(ARRAY(SELECT n::float8 FROM generate_series(1, 1000) AS n), w))
  FROM unnest(ARRAY[1, 7, 60, 999, 1000, 1001, 10000]) AS w;
-- of more dimensions, and of other numbers
SELECT dbmaint_sparkline('{{1, 2}, {3, 4}}'), dbmaint_sparkline(ARRAY[1, 2]::int[]::float8[]);
SELECT dbmaint_sparkline('{1}', 0);
SELECT dbmaint_sparkline('{1}', 10001);

-- width is what a terminal shows
SELECT '[' || dbmaint_clip(t, 6) || ']'
  FROM (VALUES ('short'), ('longer than that'), (''), (E'a\tb\nc\x1b[2J'), ('日本語四文字'), ('a日本語'), ('e' || U&'\0301' || 'galite')) AS v(t);
SELECT dbmaint_clip('x', 0) = '' AS nothing, dbmaint_clip(NULL, 5) IS NULL AS unknown;
SELECT dbmaint_clip('x', -1);
SELECT n, dbmaint_show_number(n)
  FROM unnest(ARRAY[NULL, 0, 1, 0.126, 9.94, 9.96, 42, 42.42, 99.6, 812.3, 9999, 12345, 999499, 1e6, 2.5e9, 7e13, -1.5, 'NaN', 'Infinity']::float8[]) AS n;

-- An hour of history, every ten seconds: in the second half it is busier.
INSERT INTO performance_metrics ("timestamp", database_oid, sample_interval_ms, query_count, slow_query_count, failed_query_count,
       response_time_ms, max_ms, latency_histogram, total_connections, active_connections, idle_in_transaction_connections, max_connections,
       blocked_sessions, lwlock_waits, io_waits, client_waits, other_waits, commits, blocks_read, blocks_hit, temp_bytes, wal_bytes,
       load_1m, cpu_busy_ratio, disk_free_ratio)
SELECT timestamptz '2026-01-01 11:00:00+00' + n * interval '10 s', d.oid, 10000, 8000 + t.busy * 100 * n, t.busy, 2,
       1.5, 90 + n, CASE WHEN t.busy = 1 THEN '1|512:7000,8192:900,65536:100' ELSE '1|512:7500,2048:500' END::dbmaint_histogram,
       40 + t.busy, 3 + t.busy * n / 60, 1, 100, t.busy, 0, n % 3, 0, 2, 7500, 4, 9996, 0, 12345678,
       0.75, 0.2 + n / 1000.0, 0.45
  FROM pg_database AS d, generate_series(1, 360) AS n, LATERAL (SELECT n / 181 AS busy) AS t
 WHERE d.datname = current_database();
SELECT * FROM dbmaint_top(80, 24, '2026-01-01 12:00:03+00');
SELECT * FROM dbmaint_top(140, 24, '2026-01-01 11:45:00+00');
-- before there was anything
SELECT * FROM dbmaint_top(60, 14, '2025-01-01 12:00:00+00');
-- in the first minutes sparklines begin with a gap
SELECT * FROM dbmaint_top(80, 24, '2026-01-01 11:06:00+00') OFFSET 1 LIMIT 2;

-- the hour's statements and waits, by their histories
INSERT INTO dbmaint_statements (statement_id, query_id, database_oid, user_oid, toplevel, first_seen_at, last_used_at, query)
OVERRIDING SYSTEM VALUE
SELECT v.id, v.id, coalesce(v.elsewhere, d.oid), 10, true, '2026-01-01', '2026-01-01', v.query
  FROM pg_database AS d, (VALUES (1, 'SELECT the slow one', NULL), (2, 'SELECT the frequent one', NULL), (3, 'SELECT elsewhere', 1::oid), (4, NULL, NULL)) AS v(id, query, elsewhere)
 WHERE d.datname = current_database();
INSERT INTO dbmaint_statement_snapshots (taken_at, database_oid, previous_at, known_counters, statements, incomplete, statement_ids, calls, total_exec_time_us)
SELECT v.at, d.oid, v.at - interval '5 minutes', 3, 4, false, '{1,2,3,4}'::bigint[], v.calls, v.us
  FROM pg_database AS d, (VALUES (timestamptz '2026-01-01 11:40+00', '{1,1000,1,1}'::bigint[], '{500000,300000,100000,100000}'::bigint[]),
                                 ('2026-01-01 10:40+00', '{1,1,1,1}', '{1,900000000,1,1}')) AS v(at, calls, us)
 WHERE d.datname = current_database();
SELECT dbmaint_store_activity('2026-01-01 11:30+00', '2026-01-01 11:31+00', 60, 0, '{1,1,1}', '{0,0,0}',
    '{active,active,idle}', '{IO,NULL,Client}', '{DataFileRead,NULL,ClientRead}', '{30,90,500}');
SELECT * FROM dbmaint_top(80, 24, '2026-01-01 12:00:03+00') OFFSET 7;
-- no more lines than there are
SELECT count(*) FROM dbmaint_top(80, 14, '2026-01-01 12:00:03+00');
SELECT count(*) FROM dbmaint_top(80, 16, '2026-01-01 12:00:03+00');
SELECT * FROM dbmaint_top(80, 24, '2026-01-01 13:00:03+00') OFFSET 7;

-- now: health and statements, too, in no more lines and columns than there are
SELECT pg_stat_statements_reset() IS NOT NULL AS reset;
SELECT 1 AS "日本語 and a	tab and quite some more text so that the line is longer than any screen of one hundred columns";
SELECT screen.width, screen.height, count(*) BETWEEN 9 AND screen.height - 6 AS fits,
       bool_and(dbmaint_clip(l, screen.width - 2) = l) AS clipped,
       bool_and(l !~ '[[:cntrl:]]') AS clean, bool_or(l ~ '日本語 and a tab') AS statement
  FROM (VALUES (80, 24), (100, 50), (60, 24)) AS screen(width, height), dbmaint_top(screen.width, screen.height) AS l
 GROUP BY 1, 2 ORDER BY 1;

-- who may not read others' texts sees none
CREATE ROLE regress_dbmaint_looker;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO regress_dbmaint_looker;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO regress_dbmaint_looker;
SET ROLE regress_dbmaint_looker;
SELECT count(*) FILTER (WHERE l ~ 'ments_reset|日本語') FROM dbmaint_top_statements_lines(now(), 100) AS l;
RESET ROLE;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM regress_dbmaint_looker;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM regress_dbmaint_looker;
DROP ROLE regress_dbmaint_looker;

-- without the extension, and with something else of its name
DROP EXTENSION pg_stat_statements;
SELECT * FROM dbmaint_top_statements_lines(now(), 3);
CREATE VIEW pg_stat_statements AS SELECT 1 / 0 AS calls;
SELECT * FROM dbmaint_top_statements_lines(now(), 3);
DROP VIEW pg_stat_statements;
CREATE SCHEMA "Other ""one""";
CREATE EXTENSION pg_stat_statements SCHEMA "Other ""one""";
SELECT count(*) > 0 AS found FROM dbmaint_top_statements_lines(now(), 3);
DROP EXTENSION pg_stat_statements;
DROP SCHEMA "Other ""one""";

-- bad input
SELECT dbmaint_top(10);
SELECT dbmaint_top(80, NULL);
SELECT dbmaint_top(80, 24, NULL);
DROP EXTENSION dbmaint;
