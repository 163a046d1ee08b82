-- Days of statements, indexes and tables: exact sums, made once, late
-- snapshots taken, and the same from the snapshots as from the rows. The
-- snapshots are written by hand, so every number is known.
CREATE EXTENSION dbmaint;
SET extra_float_digits = 0;
\set me '(SELECT oid FROM pg_database WHERE datname = current_database())'

CREATE FUNCTION statements(at timestamptz, before timestamptz, ids bigint[], n bigint DEFAULT 1, in_database oid DEFAULT NULL)
RETURNS void LANGUAGE sql AS $$
INSERT INTO dbmaint_statement_snapshots (taken_at, database_oid, previous_at, known_counters, statements, incomplete,
    statement_ids, calls, total_exec_time_us, rows, shared_blks_hit, shared_blks_read, temp_blks_written, max_exec_time_us, wal_bytes)
SELECT at, coalesce(in_database, d.oid), before, (1::bigint << 38) - 1, cardinality(ids), before IS NULL, ids,
       ARRAY(SELECT n FROM unnest(ids)), ARRAY(SELECT n * i * 1000 FROM unnest(ids) AS i), ARRAY(SELECT n * 2 FROM unnest(ids)),
       ARRAY(SELECT 90::bigint FROM unnest(ids)), ARRAY(SELECT 10::bigint FROM unnest(ids)), ARRAY(SELECT i % 2 FROM unnest(ids) AS i),
       ARRAY(SELECT n * i * 10 FROM unnest(ids) AS i), ARRAY(SELECT n * 100 FROM unnest(ids))
  FROM pg_database AS d WHERE d.datname = current_database()
$$;
INSERT INTO dbmaint_statements (statement_id, query_id, database_oid, user_oid, toplevel, first_seen_at, last_used_at, query)
OVERRIDING SYSTEM VALUE
SELECT i, i * 11, :me, 10, true, '2026-01-01', '2026-01-02', 'SELECT ' || i FROM generate_series(1, 1000) AS i;
-- the first day: one at midnight belongs to the day before
SELECT statements('2026-01-01 00:00+00', NULL, '{}');
SELECT statements('2026-01-01 12:00+00', '2026-01-01 00:00+00', '{1,2,3}');
SELECT statements('2026-01-02 00:00+00', '2026-01-01 12:00+00', '{2,3}', 10);
-- the second: a thousand statements
SELECT statements('2026-01-02 12:00+00', '2026-01-02 00:00+00', ARRAY(SELECT generate_series(1, 1000)));
-- the third: nothing ran
SELECT statements('2026-01-03 12:00+00', '2026-01-02 12:00+00', '{}');
-- what a copy of a database brought along
SELECT statements('2026-01-01 13:00+00', '2026-01-01 12:00+00', '{1}', 1000000, 1);

SELECT day, complete, observed_hours, statement_id, query_id, query, database = current_database() AS here, calls, total_time_ms,
       mean_time_ms, max_time_ms, "rows", shared_blocks_hit, shared_blocks_read, cache_hit_ratio, temp_blocks_written, wal_bytes
  FROM dbmaint_statement_daily('2025-12-31 00:00+00', '2026-01-02 00:00+00');
-- of a thousand the busiest, and the rest in one row: sums are those of all
CREATE TEMP TABLE second_day AS SELECT * FROM dbmaint_statement_daily('2026-01-02 00:00+00', '2026-01-03 00:00+00');
SELECT count(*) <= 231 AS bounded, bool_or(statement_id = 1000) AS slowest, count(*) FILTER (WHERE statement_id IS NULL) AS others,
       sum(calls) AS calls, sum(total_time_ms) AS ms, sum(wal_bytes) AS wal FROM second_day;
SELECT calls, query, database FROM second_day WHERE statement_id IS NULL;
CREATE TEMP TABLE from_snapshots AS SELECT * FROM dbmaint_statement_daily('-infinity', 'infinity');

-- rolled up: days that are over, in the order of kinds, a bounded number
SELECT dbmaint_roll_up_totals('2026-01-03 23:00+00', 1);
SELECT day, snapshots, observed_hours, complete, statement_ids, calls, total_exec_time_us FROM dbmaint_daily_statements;
SELECT dbmaint_roll_up_totals('2026-01-03 23:00+00', 5);
SELECT dbmaint_roll_up_totals('2026-01-03 23:00+00', 5);
SELECT day, snapshots, dbmaint_packed_count(statement_ids) <= 231 AS bounded FROM dbmaint_daily_statements ORDER BY day;
SELECT dbmaint_roll_up('2026-01-04 00:00+00');
SELECT dbmaint_roll_up('2026-01-04 00:00+00');
SELECT count(*) FROM (SELECT * FROM dbmaint_statement_daily('-infinity', 'infinity') EXCEPT SELECT * FROM from_snapshots) AS different;
SELECT count(*) = (SELECT count(*) FROM from_snapshots) AS same FROM dbmaint_statement_daily('-infinity', 'infinity');
-- a late one of yesterday is taken at once, one of the past with the next day
SELECT statements('2026-01-03 13:00+00', '2026-01-03 12:00+00', '{7}');
SELECT dbmaint_roll_up('2026-01-04 01:00+00');
SELECT statements('2026-01-02 13:00+00', '2026-01-02 12:00+00', '{7}', 5);
SELECT dbmaint_roll_up('2026-01-04 01:00+00');
SELECT dbmaint_roll_up('2026-01-05 01:00+00');
SELECT day, snapshots, dbmaint_packed_nth(calls, dbmaint_packed_position(statement_ids, 7)) AS calls FROM dbmaint_daily_statements ORDER BY day;
-- what snapshots leave behind stays when they are gone, or some of a day's
DELETE FROM dbmaint_statement_snapshots WHERE taken_at < '2026-01-03 12:30+00';
SELECT dbmaint_roll_up('2026-01-06 01:00+00');
SELECT count(DISTINCT day), sum(calls) FROM dbmaint_statement_daily('-infinity', 'infinity');
-- by ranges
SELECT count(DISTINCT day) FROM dbmaint_statement_daily('2026-01-01 00:00+00', '2026-01-03 00:00+00');
SELECT count(*) FROM dbmaint_statement_daily(NULL, 'infinity');

-- indexes and tables
CREATE FUNCTION indexes(at timestamptz, ms float8, ids bigint[], scans bigint[], tuples bigint[], fetched bigint[], hit bigint[], bytes bigint[], grown bigint[])
RETURNS void LANGUAGE sql AS $$
INSERT INTO dbmaint_index_snapshots (taken_at, database_oid, interval_ms, complete, restarts, object_ids, idx_scan, idx_tup_read, idx_tup_fetch, idx_blks_read, idx_blks_hit, index_bytes, grown_bytes)
SELECT at, d.oid, ms, ms IS NOT NULL, 0, ids, scans, tuples, fetched, NULL, hit, bytes, grown FROM pg_database AS d WHERE d.datname = current_database()
$$;
CREATE FUNCTION tables(at timestamptz, ms float8, ids bigint[], scans bigint[], ins bigint[], live bigint[], bytes bigint[])
RETURNS void LANGUAGE sql AS $$
INSERT INTO dbmaint_table_snapshots (taken_at, database_oid, interval_ms, complete, restarts, object_ids, seq_scan, n_tup_ins, n_live_tup, table_bytes)
SELECT at, d.oid, ms, ms IS NOT NULL, 0, ids, scans, ins, live, bytes FROM pg_database AS d WHERE d.datname = current_database()
$$;
CREATE FUNCTION object(kind "char", id int, name text, in_table int, first timestamptz, last timestamptz DEFAULT NULL)
RETURNS void LANGUAGE sql AS $$
INSERT INTO dbmaint_objects (database_oid, kind, object_id, relation_oid, table_oid, schemaname, tablename, indexname, first_seen_at, last_seen_at)
SELECT d.oid, kind, id, 4000000000 + CASE kind WHEN 't' THEN id ELSE 1000 + id END, 4000000000 + in_table, 'public', 'table ' || in_table,
       CASE kind WHEN 'i' THEN name END, first, last FROM pg_database AS d WHERE d.datname = current_database()
$$;
SELECT object('t', 1, NULL, 1, '2026-02-01 00:30+00'), object('t', 2, NULL, 2, '2026-02-01 00:30+00', '2026-02-02 00:30+00');
SELECT object('i', 1, 'Odd "one", and two', 1, '2026-02-01 00:30+00'), object('i', 2, 'unused', 1, '2026-02-01 00:30+00'), object('i', 3, 'gone', 2, '2026-02-01 00:30+00', '2026-02-02 00:30+00');
SELECT indexes('2026-02-01 00:30+00', NULL, '{1,2,3}', NULL, NULL, NULL, NULL, '{8192,8192,8192}', NULL);
SELECT indexes('2026-02-01 12:00+00', 41400000, '{1,3}', '{100,5}', '{1000,5}', '{900,5}', '{200,10}', '{16384,8192}', '{8192,0}');
SELECT indexes('2026-02-02 00:00+00', 43200000, '{1}', '{50}', '{0}', '{0}', '{100}', '{8192}', '{-8192}');
SELECT indexes('2026-02-02 12:00+00', 43200000, '{1}', '{7}', '{7}', '{7}', '{7}', '{8192}', NULL);
SELECT tables('2026-02-01 00:30+00', NULL, '{1,2}', NULL, NULL, '{10,20}', '{8192,8192}');
SELECT tables('2026-02-01 12:00+00', 41400000, '{1}', '{30}', '{5}', '{15}', '{16384}');
SELECT tables('2026-02-02 12:00+00', 43200000, '{1}', '{1}', '{1}', '{16}', '{16384}');
CREATE TEMP TABLE indexes_before AS SELECT * FROM dbmaint_index_daily;
CREATE TEMP TABLE tables_before AS SELECT * FROM dbmaint_table_daily;
SELECT day, complete, observed_hours, indexname, idx_scan, idx_tup_read, idx_tup_fetch, idx_blks_hit, index_bytes, grown_bytes FROM indexes_before;
SELECT day, complete, tablename, seq_scan, idx_scan, n_tup_ins, n_live_tup, table_bytes FROM tables_before;
SELECT dbmaint_roll_up_totals('2026-02-03 00:00+00', 10);
SELECT dbmaint_roll_up_totals('2026-02-03 00:00+00', 10);
TRUNCATE dbmaint_index_snapshots, dbmaint_table_snapshots;
(SELECT * FROM dbmaint_index_daily EXCEPT TABLE indexes_before) UNION ALL (TABLE indexes_before EXCEPT SELECT * FROM dbmaint_index_daily);
(SELECT * FROM dbmaint_table_daily EXCEPT TABLE tables_before) UNION ALL (TABLE tables_before EXCEPT SELECT * FROM dbmaint_table_daily);
SELECT day, indexname FROM dbmaint_index_daily('2026-02-02 00:00+00');
-- a session's time zone changes nothing
SET TimeZone = 'Asia/Kolkata';
SELECT count(*) FROM (SELECT * FROM dbmaint_index_daily EXCEPT TABLE indexes_before) AS different;
RESET TimeZone;

-- names stay as long as totals that have them: those of the dropped, too
SELECT history, time_column, kept, capped FROM dbmaint_history_tables()
 WHERE history::text ~ 'daily|object|statements$' ORDER BY history::text COLLATE "C";
DO 'BEGIN WHILE dbmaint_expire_history(''2028-01-01 12:00+00'', 100000) > 0 LOOP NULL; END LOOP; END';
SELECT count(DISTINCT day) AS days, count(*) > 150 AS many, count(*) FILTER (WHERE query IS NULL AND statement_id IS NOT NULL) AS nameless FROM dbmaint_statement_daily('-infinity', 'infinity');
DO 'BEGIN WHILE dbmaint_expire_history(''2028-01-30 00:00+00'', 100000) > 0 LOOP NULL; END LOOP; END';
SELECT indexname, sum(idx_scan) FROM dbmaint_index_daily GROUP BY 1 ORDER BY 1;
DO 'BEGIN WHILE dbmaint_expire_history(''2028-04-01 00:00+00'', 100000) > 0 LOOP NULL; END LOOP; END';
SELECT (SELECT count(*) FROM dbmaint_daily_indexes) AS indexes, (SELECT count(*) FROM dbmaint_daily_tables) AS tables,
       (SELECT count(*) FROM dbmaint_daily_statements) AS statements, (SELECT count(*) FROM dbmaint_statements) AS names,
       (SELECT string_agg(indexname, ',') FROM dbmaint_objects WHERE last_seen_at IS NOT NULL) AS dropped;

-- values that no sampler writes do not stop it
SELECT indexes('2026-02-01 12:00+00', 41400000, '{1}', '{9223372036854775807}', '{9223372036854775807}', NULL, NULL, NULL, '{-5}');
SELECT indexes('2026-02-01 13:00+00', 41400000, '{1}', '{9223372036854775807}', '{1}', NULL, NULL, NULL, NULL);
SELECT statements('2026-02-01 12:00+00', '2026-02-01 00:00+00', '{1,2}', 922337203685477);
SELECT statements('2026-02-01 13:00+00', '2026-02-01 12:00+00', '{1,2}', 922337203685477);
SELECT dbmaint_roll_up_totals('2026-02-03 00:00+00', 10);
SELECT idx_scan, idx_tup_read, grown_bytes FROM dbmaint_index_daily;
SELECT statement_id, calls, total_time_ms FROM dbmaint_statement_daily('-infinity', 'infinity');

-- the sampler's turn makes them; other people's code would run as superuser
CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER trap BEFORE INSERT ON dbmaint_daily_indexes FOR EACH ROW EXECUTE FUNCTION trap();
SELECT * FROM dbmaint_run_due('2026-06-02 00:00+00') WHERE collector = 'roll-up';
DROP TRIGGER trap ON dbmaint_daily_indexes;
DROP EXTENSION dbmaint;
