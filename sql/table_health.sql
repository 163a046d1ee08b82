-- The status of tables: dead rows, statistics, freeze age; sizes without a lock.
CREATE EXTENSION dbmaint;
CREATE TABLE good (id int PRIMARY KEY, v text);
INSERT INTO good SELECT i, repeat('x', 100) FROM generate_series(1, 1000) AS i;
CREATE TABLE dead (id int PRIMARY KEY, v int);
INSERT INTO dead SELECT i, 0 FROM generate_series(1, 5000) AS i;
CREATE TABLE few (id int);
INSERT INTO few SELECT i FROM generate_series(1, 100) AS i;
SELECT pg_stat_force_next_flush();
ANALYZE good, dead, few;
CREATE TABLE "never ""analyzed"" é" (id int);
INSERT INTO "never ""analyzed"" é" SELECT generate_series(1, 500);
CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1000);
CREATE TEMPORARY TABLE mine (id int);
CREATE MATERIALIZED VIEW stored AS SELECT 1 AS one;
SELECT pg_stat_force_next_flush();
UPDATE dead SET v = 1 WHERE id <= 2500;
DELETE FROM dead WHERE id > 4000;
DELETE FROM few WHERE id <= 60;
SELECT pg_stat_force_next_flush();
CREATE VIEW shown AS
SELECT h.tablename, h.status, h.decided_by, h.advice, h.statement
  FROM dbmaint_table_health('1 day') AS h WHERE h.tablename NOT LIKE 'dbmaint%' AND h.tablename <> 'performance_metrics'
 ORDER BY h.tablename;
SELECT * FROM shown;
SELECT h.tablename, h.live_tuples, h.dead_tuples, h.dead_ratio, h.modified_since_analyze AS modified, h.inserted, h.updated, h.deleted,
       h.last_analyze IS NOT NULL AS analyzed, h.last_vacuum IS NOT NULL AS vacuumed, h.freeze_age >= 0 AS age,
       h.multixact_age >= 0 AS mage, h.counted_by
  FROM dbmaint_table_health() AS h WHERE h.tablename IN ('good', 'dead', 'few', 'parts') ORDER BY 1;
SELECT h.table_bytes = pg_relation_size('good') AS heap, h.index_bytes = pg_indexes_size('good') AS indexes,
       h.toast_bytes = pg_total_relation_size(c.reltoastrelid) - pg_relation_size(c.reltoastrelid, 'vm') - pg_relation_size(c.reltoastrelid, 'fsm') AS toast,
       h.total_bytes = h.table_bytes + h.index_bytes + h.toast_bytes AS total
  FROM dbmaint_table_health() AS h, pg_class AS c WHERE h.tablename = 'good' AND c.oid = 'good'::regclass;

-- the statements run, and help
SELECT statement FROM shown WHERE statement IS NOT NULL ORDER BY tablename \gexec
SELECT tablename, status FROM shown;

-- by the history
SELECT FROM dbmaint_run_due(now() - interval '3 hours') WHERE collector = 'none';
UPDATE good SET v = 'y' WHERE id <= 20;
INSERT INTO good SELECT i, repeat('x', 1000) FROM generate_series(2001, 2100) AS i;
SET enable_seqscan = off;
SELECT v FROM good WHERE id = 5;
SET enable_seqscan = on;
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SELECT count(*) FROM good;
SELECT pg_stat_force_next_flush();
SELECT FROM dbmaint_run_due(now() - interval '1 hour') WHERE collector = 'none';
SELECT h.counted_by, h.inserted, h.updated, h.deleted, h.hot_ratio BETWEEN 0 AND 1 AS hot, h.seq_scans, h.seq_tup_read,
       h.idx_scans, h.grown_bytes > 0 AS grew
  FROM dbmaint_table_health('1 day') AS h WHERE h.tablename = 'good';
SELECT h.inserted FROM dbmaint_table_health('10 minutes') AS h WHERE h.tablename = 'good';

-- bloat, where it is asked for and from 8 MB on
CREATE TABLE bloated (id int PRIMARY KEY, v text);
INSERT INTO bloated SELECT i, 'x' FROM generate_series(1, 450000) AS i;
DELETE FROM bloated WHERE id % 10 <> 0;
-- else the count of what was deleted may come after VACUUM's
SELECT pg_stat_force_next_flush();
VACUUM ANALYZE bloated;
SELECT tablename, status, decided_by, bloat_ratio BETWEEN 0.75 AND 0.98 AS bloat, statement FROM dbmaint_table_health('1 day', true) WHERE bloat_ratio IS NOT NULL;
SELECT indexname, status, decided_by, bloat_ratio BETWEEN 0.8 AND 0.95 AS bloat, regexp_replace(advice, '^\d+ .B', 'N MB') AS advice
  FROM dbmaint_index_health('1 day', true) WHERE bloat_ratio IS NOT NULL;
SELECT count(*) FROM dbmaint_table_health('1 day') WHERE bloat_ratio IS NOT NULL;
SELECT count(*) FROM dbmaint_index_health('1 day') WHERE bloat_ratio IS NOT NULL;
DROP TABLE bloated;
-- room that the fillfactor leaves, or that no row fits in, is no bloat
CREATE TABLE roomy (id int, v text) WITH (fillfactor = 45);
INSERT INTO roomy SELECT i, repeat('x', 100) FROM generate_series(1, 30000) AS i;
CREATE TABLE wide (v text);
ALTER TABLE wide ALTER v SET STORAGE plain;
INSERT INTO wide SELECT repeat('x', 4100) FROM generate_series(1, 1200);
VACUUM ANALYZE roomy, wide;
SELECT tablename, status, bloat_ratio < 0.02 AS none FROM dbmaint_table_health('1 day', true) WHERE bloat_ratio IS NOT NULL;
SELECT free_ratio > 0.45 AS free, bloat_bytes < 0.02 * table_bytes AS none
  FROM unnest(ARRAY['roomy', 'wide']::regclass[]) AS t, dbmaint_table_bloat(t);
DROP TABLE roomy, wide;

-- nothing is being vacuumed; bad input
SELECT count(*) FROM dbmaint_autovacuum_activity();
SELECT dbmaint_table_health('0');
SELECT dbmaint_table_health(NULL);
DROP EXTENSION dbmaint CASCADE;
