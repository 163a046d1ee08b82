-- The history of tables and indexes: increases add up to what the server counted.
CREATE EXTENSION dbmaint;
SET enable_seqscan = off;
-- which makes each plan look dear enough to be compiled
SET jit = off;
CREATE VIEW state AS
SELECT h.taken_at AT TIME ZONE 'UTC' AS at, h.interval_ms, h.complete, h.tablename AS name,
       h.seq_scan, h.n_tup_ins AS ins, h.n_tup_upd AS upd, h.n_tup_del AS del, h.n_live_tup AS live,
       h.n_dead_tup AS dead, h.table_bytes > 0 AS bytes, h.grown_bytes > 0 AS grown
  FROM dbmaint_table_history AS h WHERE h.tablename NOT LIKE 'dbmaint%' AND h.tablename <> 'performance_metrics';
CREATE VIEW index_state AS
SELECT h.taken_at AT TIME ZONE 'UTC' AS at, h.indexname AS name, h.idx_scan, h.idx_tup_read AS read,
       h.idx_tup_fetch AS fetch, h.idx_blks_hit > 0 AS hit, h.index_bytes = pg_relation_size(h.relation_oid) AS size
  FROM dbmaint_index_history AS h WHERE h.tablename NOT LIKE 'dbmaint%' AND h.tablename <> 'performance_metrics';

CREATE TABLE a (id int PRIMARY KEY, v text);
CREATE TABLE empty (id int);
INSERT INTO a SELECT i, repeat('x', 100) FROM generate_series(1, 1000) AS i;
SELECT pg_stat_force_next_flush();

-- the first snapshot knows sizes, but no increases
SELECT * FROM dbmaint_run_due('2026-01-01 00:00:00+00') WHERE collector IN ('tables', 'indexes');
SELECT * FROM state ORDER BY at, name;
SELECT * FROM index_state ORDER BY at, name;

-- what changed, and nothing else; an object that had nothing before is new
SELECT count(*) FROM a WHERE id BETWEEN 1 AND 10;
INSERT INTO a SELECT i, repeat('x', 100) FROM generate_series(1001, 3000) AS i;
UPDATE a SET v = 'y' WHERE id = 5;
DELETE FROM a WHERE id = 6;
CREATE TABLE later (id int);
INSERT INTO later VALUES (1), (2);
SELECT pg_stat_force_next_flush();
SELECT * FROM dbmaint_run_due('2026-01-01 00:29:59+00') WHERE collector IN ('tables', 'indexes');
SELECT * FROM dbmaint_run_due('2026-01-01 00:30:00+00') WHERE collector IN ('tables', 'indexes');
SELECT * FROM state WHERE at > '2026-01-01 00:00' ORDER BY at, name;
SELECT * FROM index_state WHERE at > '2026-01-01 00:00' ORDER BY at, name;
SELECT * FROM dbmaint_run_due('2026-01-01 01:00:00+00') WHERE collector IN ('tables', 'indexes');
SELECT count(*) FROM state WHERE at > '2026-01-01 00:30';

-- the sums are what the views say now
CREATE VIEW compared AS
SELECT s.relname, s.n_tup_ins - 1000 = sum(h.n_tup_ins) AS ins, s.n_tup_upd = sum(h.n_tup_upd) AS upd,
       s.n_tup_del = sum(h.n_tup_del) AS del, s.n_tup_hot_upd = sum(h.n_tup_hot_upd) AS hot,
       max(s.n_live_tup) = max(h.n_live_tup) AS live
  FROM pg_stat_user_tables AS s JOIN dbmaint_table_history AS h ON h.relation_oid = s.relid
 WHERE s.relname = 'a' GROUP BY s.relname, s.n_tup_ins, s.n_tup_upd, s.n_tup_del, s.n_tup_hot_upd;
SELECT * FROM compared;
SELECT s.idx_scan = sum(h.idx_scan) AS scans, s.idx_tup_read = sum(h.idx_tup_read) AS read,
       s.idx_tup_fetch = sum(h.idx_tup_fetch) AS fetch
  FROM pg_stat_user_indexes AS s JOIN dbmaint_index_history AS h ON h.relation_oid = s.indexrelid
 WHERE s.indexrelname = 'a_pkey' GROUP BY s.idx_scan, s.idx_tup_read, s.idx_tup_fetch;

-- statistics that were reset: what is counted since, never negative, and said so
SELECT pg_stat_reset_single_table_counters('a'::regclass);
UPDATE a SET v = 'z' WHERE id BETWEEN 11 AND 13;
INSERT INTO later VALUES (3);
SELECT pg_stat_force_next_flush();
SELECT * FROM dbmaint_run_due('2026-01-01 01:30:00+00') WHERE collector IN ('tables', 'indexes');
SELECT at, complete, name, ins, upd, del FROM state WHERE at > '2026-01-01 01:00' ORDER BY at, name;
SELECT taken_at AT TIME ZONE 'UTC' AS at, complete, restarts FROM dbmaint_table_snapshots ORDER BY 1;
SELECT pg_stat_reset();
SELECT pg_stat_force_next_flush();
SELECT * FROM dbmaint_run_due('2026-01-01 02:00:00+00') WHERE collector IN ('tables', 'indexes');
SELECT min(n_tup_ins) >= 0 AND min(seq_scan) >= 0 AND min(heap_blks_read) >= 0 AS not_negative, bool_or(complete) AS complete
  FROM dbmaint_table_history WHERE taken_at > '2026-01-01 01:30+00';

-- a TOAST table that VACUUM FULL made anew does not begin the table anew
CREATE TABLE wide (id int, v text);
ALTER TABLE wide ALTER v SET STORAGE EXTERNAL;
INSERT INTO wide SELECT i, repeat('x', 10000) FROM generate_series(1, 50) AS i;
SELECT pg_stat_force_next_flush();
SELECT FROM dbmaint_run_due('2026-01-01 02:30:00+00') WHERE collector = 'none';
DELETE FROM wide WHERE id > 40;
SELECT pg_stat_force_next_flush();
VACUUM FULL wide;
SELECT pg_stat_force_next_flush();
SELECT FROM dbmaint_run_due('2026-01-01 03:00:00+00') WHERE collector = 'none';
SELECT taken_at AT TIME ZONE 'UTC' AS at, n_tup_ins, n_tup_del, toast_bytes > table_bytes AS toast,
       grown_bytes > 0 AS grew, grown_bytes < 0 AS shrank, toast_blks_hit >= 0 AS hits
  FROM dbmaint_table_history WHERE tablename = 'wide' ORDER BY 1;

-- names: renamed, moved, odd, 63 bytes; gone ones stay as long as their history
CREATE SCHEMA "S ""q"" é";
CREATE TABLE "S ""q"" é"."T'; -- $$ %s" (i int);
CREATE INDEX "I \ "" ü" ON "S ""q"" é"."T'; -- $$ %s" (i);
CREATE TABLE abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk (i int);
INSERT INTO "S ""q"" é"."T'; -- $$ %s" VALUES (1);
INSERT INTO abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk VALUES (1);
ALTER TABLE a RENAME TO b;
DROP TABLE later;
SELECT pg_stat_force_next_flush();
SELECT FROM dbmaint_run_due('2026-01-01 03:30:00+00') WHERE collector = 'none';
SELECT kind, schemaname, tablename, indexname, former_name,
       first_seen_at AT TIME ZONE 'UTC' AS first_seen, last_seen_at AT TIME ZONE 'UTC' AS last_seen
  FROM dbmaint_objects WHERE tablename NOT LIKE 'dbmaint%' AND tablename <> 'performance_metrics' ORDER BY kind, schemaname COLLATE "C", tablename COLLATE "C";
ALTER SCHEMA "S ""q"" é" RENAME TO plain;
SELECT FROM dbmaint_run_due('2026-01-01 04:00:00+00') WHERE collector = 'none';
SELECT kind, schemaname, former_name FROM dbmaint_objects WHERE schemaname = 'plain' ORDER BY 1;

-- what has no statistics or no storage of its own breaks nothing
CREATE TEMPORARY TABLE mine (id int PRIMARY KEY);
INSERT INTO mine VALUES (1);
CREATE UNLOGGED TABLE fast (id int PRIMARY KEY);
INSERT INTO fast VALUES (1);
CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
INSERT INTO parts VALUES (1);
ANALYZE parts;
CREATE FOREIGN DATA WRAPPER none;
CREATE SERVER none FOREIGN DATA WRAPPER none;
CREATE FOREIGN TABLE away (id int) SERVER none;
CREATE MATERIALIZED VIEW stored AS SELECT 1 AS one;
SELECT pg_stat_force_next_flush();
SELECT * FROM dbmaint_run_due('2026-01-01 04:30:00+00') WHERE collector IN ('tables', 'indexes');
SELECT tablename, indexname FROM dbmaint_index_history WHERE taken_at > '2026-01-01 04:00+00' AND tablename NOT LIKE 'dbmaint%' AND tablename <> 'performance_metrics' ORDER BY 1, 2;
SELECT tablename, n_tup_ins, analyze_count, table_bytes > 0 AS bytes FROM dbmaint_table_history WHERE taken_at > '2026-01-01 04:00+00' AND tablename NOT LIKE 'dbmaint%' AND tablename <> 'performance_metrics' ORDER BY 1;

-- the clock was set back, and a time that has a snapshot
UPDATE b SET v = 'w' WHERE id = 20;
SELECT pg_stat_force_next_flush();
SELECT FROM dbmaint_run_due('2025-12-01 00:00:00+00') WHERE collector = 'none';
SELECT interval_ms, complete FROM dbmaint_table_snapshots WHERE taken_at = '2025-12-01 00:00:00+00';
SELECT n_tup_upd FROM dbmaint_table_history WHERE taken_at = '2025-12-01 00:00:00+00' AND tablename = 'b';
UPDATE b SET v = 'w' WHERE id = 21;
SELECT pg_stat_force_next_flush();
SELECT FROM dbmaint_run_due('2025-11-01 00:00:00+00') WHERE collector = 'none';
SELECT FROM dbmaint_run_due('2026-01-01 04:30:00+00') WHERE collector = 'none';

-- a round that is undone counts nothing away
UPDATE b SET v = 'w' WHERE id = 22;
SELECT pg_stat_force_next_flush();
BEGIN;
SELECT FROM dbmaint_run_due('2026-01-02 00:00:00+00') WHERE collector = 'none';
ROLLBACK;
SELECT FROM dbmaint_run_due('2026-01-03 00:00:00+00') WHERE collector = 'none';
SELECT taken_at AT TIME ZONE 'UTC' AS at, n_tup_upd FROM dbmaint_table_history WHERE taken_at > '2026-01-01 04:30+00' AND tablename = 'b';

-- totals of days
SELECT day, complete, n_tup_ins, n_tup_upd, n_tup_del, n_live_tup FROM dbmaint_table_daily WHERE tablename = 'b' ORDER BY day;
SELECT idx_scan > 0 AS scans FROM dbmaint_index_daily WHERE indexname = 'a_pkey' AND day = '2026-01-01';
SELECT n_tup_upd, idx_scan > 0 AS idx_scans FROM dbmaint_table_totals('2026-01-01 00:00+00', '2026-01-01 00:30+00') WHERE relation_oid = 'b'::regclass;

-- it expires, and the names after it and after the totals that have them
DO 'BEGIN WHILE dbmaint_expire_history(''2027-12-31 00:00+00'', 100000) > 0 LOOP NULL; END LOOP; END';
SELECT count(*) FROM dbmaint_table_snapshots;
SELECT count(*) FROM dbmaint_objects WHERE last_seen_at IS NOT NULL;
DO 'BEGIN WHILE dbmaint_expire_history(''2029-01-01 00:00+00'', 100000) > 0 LOOP NULL; END LOOP; END';
SELECT count(*) FROM dbmaint_objects WHERE last_seen_at IS NOT NULL;

SELECT dbmaint_relation_bytes('b'::regclass) = pg_relation_size('b') AS same, dbmaint_relation_bytes(0) AS gone,
       dbmaint_relation_bytes('mine'::regclass) AS temporary, dbmaint_relation_bytes('parts'::regclass) AS partitioned;
DROP EXTENSION dbmaint CASCADE;
