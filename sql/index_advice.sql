-- Indexes to drop and to repair: what is named, and what must never be.
CREATE EXTENSION dbmaint;
SET enable_seqscan = off;
SET jit = off;

-- unused: not below the traffic floor, and nothing that is needed
CREATE TABLE busy (id int PRIMARY KEY, u int UNIQUE, a int, b int, c int, d int NOT NULL, e int);
CREATE INDEX "unused ""quoted"" é" ON busy (a);
CREATE INDEX used ON busy (b);
CREATE INDEX clustered ON busy (c);
CREATE UNIQUE INDEX identity ON busy (d);
CREATE INDEX expression ON busy ((e + 1));
ALTER TABLE busy CLUSTER ON clustered;
ALTER TABLE busy REPLICA IDENTITY USING INDEX identity;
INSERT INTO busy SELECT i, i, i, i, i, i, i FROM generate_series(1, 100) AS i;
CREATE TABLE idle (id int);
CREATE INDEX idle_id ON idle (id);
CREATE TABLE parts (k int, v int) PARTITION BY RANGE (k);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
CREATE INDEX parts_k ON parts (k);
CREATE INDEX parts_v ON parts (v);
INSERT INTO parts SELECT i, i FROM generate_series(0, 19) AS i;
CREATE TABLE child (busy_id int REFERENCES busy (id), x int);
CREATE INDEX child_busy ON child (busy_id);
INSERT INTO child VALUES (1, 1);
CREATE TEMPORARY TABLE mine (id int);
CREATE INDEX mine_id ON mine (id);
SELECT pg_stat_force_next_flush();
-- reads count from when a snapshot first saw the index
SELECT FROM dbmaint_run_due(now() - interval '3 hours') WHERE collector = 'none';
CREATE PROCEDURE read_all() LANGUAGE plpgsql AS $$
DECLARE
    n int;
BEGIN
    FOR i IN 1..20 LOOP
        SELECT count(*) INTO n FROM busy WHERE b = i;
        SELECT count(*) INTO n FROM parts WHERE k = i % 10;
        SELECT count(*) INTO n FROM child WHERE x = i;
        SELECT count(*) INTO n FROM mine;
    END LOOP;
END
$$;
CALL read_all();
SELECT pg_stat_force_next_flush();
SELECT count(*) FROM dbmaint_unused_indexes(0, 1);
CREATE INDEX busy_new ON busy (d, a);
SELECT FROM dbmaint_run_due(now() - interval '2 hours') WHERE collector = 'none';
CREATE INDEX busy_newest ON busy (d, b);
SELECT schemaname, tablename, indexname, idx_scan, table_scans >= 20 AS scans, table_writes >= 1 AS writes,
       index_bytes > 0 AS bytes, regexp_replace(reason, 'read \d+ times since.*? UTC', 'read N times since T') AS reason, statement
  FROM dbmaint_unused_indexes(0, 20) ORDER BY indexname;
SELECT count(*) FROM dbmaint_unused_indexes();
SELECT indexname, idx_scan > 0 AS scanned FROM dbmaint_unused_indexes(1000000, 20) WHERE tablename IN ('busy', 'parts') ORDER BY 1;
SELECT count(*) FROM dbmaint_unused_indexes(0, 20, 1000000000);
-- a new index is judged by what was read since it was there
SELECT indexname, table_scans, counted_from BETWEEN now() - interval '2 hours 1 minute' AND now() - interval '1 hour 59 minutes' AS since FROM dbmaint_unused_indexes(0, 0) WHERE indexname LIKE 'busy_new%';
CALL read_all();
SELECT pg_stat_force_next_flush();
SELECT FROM dbmaint_run_due(now() - interval '1 hour') WHERE collector = 'none';
SELECT indexname, table_scans >= 20 AS scans FROM dbmaint_unused_indexes(0, 20) WHERE indexname LIKE 'busy_new%';
-- what snapshots saw used is no less so where the server began anew
SELECT pg_stat_reset();
SELECT indexname, idx_scan FROM dbmaint_unused_indexes(0, 20) WHERE tablename = 'busy' ORDER BY 1;
DROP INDEX busy_new, busy_newest;
SELECT dbmaint_unused_indexes(NULL);
SELECT dbmaint_unused_indexes(-1);
-- the statements run
SELECT statement FROM dbmaint_unused_indexes(0, 20) WHERE indexname LIKE 'unused%' OR indexname = 'parts_v' ORDER BY indexname \gexec
SELECT count(*) FROM pg_class WHERE relname LIKE 'unused%' OR relname = 'parts_v';

-- duplicates
CREATE TABLE dup (id int PRIMARY KEY, a int, b int, c text, d text COLLATE "C", e int, j jsonb);
CREATE INDEX dup_a ON dup (a);
CREATE INDEX dup_a2 ON dup (a);
CREATE INDEX dup_a_desc ON dup (a DESC);
CREATE INDEX dup_a_nulls ON dup (a NULLS FIRST);
CREATE INDEX dup_a_partial ON dup (a) WHERE b > 0;
CREATE INDEX dup_a_partial2 ON dup (a)   WHERE  b > 0;
CREATE INDEX dup_a_partial3 ON dup (a) WHERE b > 1;
CREATE INDEX dup_a_hash ON dup USING hash (a);
CREATE INDEX dup_ab ON dup (a, b);
CREATE INDEX dup_ba ON dup (b, a);
CREATE INDEX dup_ba_mixed ON dup (b, a DESC);
CREATE INDEX dup_a_incl ON dup (a) INCLUDE (e);
CREATE INDEX dup_c ON dup (c);
CREATE INDEX dup_c_pattern ON dup (c text_pattern_ops);
CREATE INDEX dup_c_collate ON dup (c COLLATE "C");
CREATE INDEX dup_expr ON dup (lower(c));
CREATE INDEX dup_expr2 ON dup (lower( c ));
CREATE INDEX dup_expr_more ON dup (lower(c), upper(c));
CREATE INDEX dup_expr_other ON dup (upper(c));
CREATE INDEX dup_id ON dup (id);
CREATE UNIQUE INDEX dup_id_unique ON dup (id);
CREATE UNIQUE INDEX dup_e ON dup (e);
CREATE UNIQUE INDEX dup_ea ON dup (e, a);
CREATE INDEX dup_j ON dup USING gin (j);
CREATE INDEX dup_j_path ON dup USING gin (j jsonb_path_ops);
CREATE UNIQUE INDEX dup_deferred_twin ON dup (b);
ALTER TABLE dup ADD CONSTRAINT dup_deferred UNIQUE (b) DEFERRABLE;
SELECT indexname, kind, covered_by, index_bytes > 0 AS bytes, reason, statement
  FROM dbmaint_duplicate_indexes() WHERE tablename = 'dup' ORDER BY indexname;
-- what covers another one is never on the list
SELECT count(*) FROM dbmaint_duplicate_indexes() AS a JOIN dbmaint_duplicate_indexes() AS b ON a.covered_by = quote_ident(b.indexname);
SELECT statement FROM dbmaint_duplicate_indexes() WHERE tablename = 'dup' ORDER BY indexname \gexec
SELECT count(*) FROM dbmaint_duplicate_indexes();
SELECT relname FROM pg_class WHERE relname LIKE 'dup\_%' ORDER BY 1;
-- partitioned: the parent's index, with all of its partitions
CREATE INDEX parts_kv ON parts (k, v);
CREATE INDEX parts_1_own ON parts_1 (k);
SELECT tablename, indexname, kind, covered_by, statement FROM dbmaint_duplicate_indexes() ORDER BY 1, 2;
-- what is needed of one partition keeps the whole
CREATE TABLE needed (a int NOT NULL, b int) PARTITION BY RANGE (a);
CREATE TABLE needed_1 PARTITION OF needed FOR VALUES FROM (0) TO (10);
CREATE TABLE needed_2 PARTITION OF needed FOR VALUES FROM (10) TO (20);
ALTER TABLE needed ADD PRIMARY KEY (a);
CREATE UNIQUE INDEX needed_u ON needed (a);
CREATE INDEX needed_b ON needed (b);
CREATE INDEX needed_b2 ON needed (b);
SELECT indexname, covered_by FROM dbmaint_duplicate_indexes() WHERE tablename LIKE 'needed%' ORDER BY 1;
ALTER TABLE needed_1 REPLICA IDENTITY USING INDEX needed_1_a_idx;
CLUSTER needed_2 USING needed_2_b_idx1;
SELECT indexname, covered_by, reason FROM dbmaint_duplicate_indexes() WHERE tablename LIKE 'needed%' ORDER BY 1;
CREATE TABLE adopted (a int NOT NULL) PARTITION BY RANGE (a);
CREATE TABLE adopted_1 (a int NOT NULL, CONSTRAINT adopted_1_uq UNIQUE (a));
ALTER TABLE adopted ATTACH PARTITION adopted_1 FOR VALUES FROM (0) TO (10);
CREATE UNIQUE INDEX adopted_u ON adopted (a);
ALTER TABLE adopted ADD PRIMARY KEY (a);
SELECT indexname, covered_by FROM dbmaint_duplicate_indexes() WHERE tablename LIKE 'adopted%' ORDER BY 1;
DROP TABLE needed, adopted;

-- parameters of the access method, columns beside the keys, NULLs that are equal
CREATE TABLE param (a int, b int, c int);
CREATE INDEX param_brin_1 ON param USING brin (a) WITH (pages_per_range = 1);
CREATE INDEX param_brin ON param USING brin (a);
CREATE INDEX param_brin_128 ON param USING brin (a) WITH (pages_per_range = 128, autosummarize = on);
CREATE INDEX param_a ON param (a) WITH (fillfactor = 70);
CREATE INDEX param_a_incl ON param (a) INCLUDE (b, c);
CREATE INDEX param_b ON param (b);
CREATE UNIQUE INDEX param_b_distinct ON param (b);
CREATE UNIQUE INDEX param_b_equal ON param (b) NULLS NOT DISTINCT;
CREATE INDEX param_c ON param (c) WITH (fillfactor = 70, deduplicate_items = off);
CREATE INDEX param_c2 ON param (c);
SELECT indexname, kind, covered_by, reason FROM dbmaint_duplicate_indexes() WHERE tablename = 'param' ORDER BY 1;
DROP INDEX param_b_distinct, param_b_equal;
CREATE UNIQUE INDEX param_b_equal ON param (b) NULLS NOT DISTINCT;
CREATE UNIQUE INDEX param_b_distinct ON param (b);
SELECT indexname, covered_by FROM dbmaint_duplicate_indexes() WHERE indexname LIKE 'param\_b\_%' ORDER BY 1;
DROP TABLE param;

-- a foreign key or a replica identity keeps its index
CREATE TABLE target (id int NOT NULL);
CREATE UNIQUE INDEX target_one ON target (id);
CREATE TABLE pointing (id int REFERENCES target (id));
CREATE UNIQUE INDEX target_two ON target (id);
SELECT indexname, covered_by, reason FROM dbmaint_duplicate_indexes() WHERE tablename = 'target';
ALTER TABLE target REPLICA IDENTITY USING INDEX target_two;
SELECT indexname FROM dbmaint_duplicate_indexes() WHERE tablename = 'target';

-- invalid ones
CREATE TABLE broken (a int, b int);
INSERT INTO broken VALUES (1, 1), (1, 2);
CREATE UNIQUE INDEX CONCURRENTLY broken_a ON broken (a);
SELECT schemaname, tablename, indexname, index_bytes > 0 AS bytes, reason, statement FROM dbmaint_invalid_indexes();
DELETE FROM broken WHERE b = 2;
SELECT statement FROM dbmaint_invalid_indexes() \gexec
SELECT count(*) FROM dbmaint_invalid_indexes();
CREATE TABLE "odd ""p""" (k int) PARTITION BY RANGE (k);
CREATE TABLE odd_1 PARTITION OF "odd ""p""" FOR VALUES FROM (0) TO (10);
CREATE TABLE odd_2 PARTITION OF "odd ""p""" FOR VALUES FROM (10) TO (20);
CREATE INDEX odd_k ON ONLY "odd ""p""" (k DESC);
SELECT indexname, reason, regexp_replace(statement, '_\d+_idx', '_N_idx', 'g') AS statement FROM dbmaint_invalid_indexes();
-- their names have oids in them
\set ECHO none
SELECT regexp_split_to_table(statement, '(?<=;) ') FROM dbmaint_invalid_indexes() \gexec
\set ECHO all
SELECT count(*) FROM dbmaint_invalid_indexes();
SELECT indisvalid FROM pg_index WHERE indexrelid = 'odd_k'::regclass;
-- names that look like the rest of the statement
CREATE ROLE index_advice_low;
CREATE TABLE "p USING x" (a int) PARTITION BY LIST (a);
CREATE TABLE "p1 USING x" PARTITION OF "p USING x" FOR VALUES IN (1) PARTITION BY LIST (a);
CREATE INDEX "i USING btree (a); ALTER ROLE index_advice_low SUPERUSER; --" ON ONLY "p USING x" (a);
SELECT regexp_replace(statement, '_\d+_idx', '_N_idx', 'g') AS statement FROM dbmaint_invalid_indexes();
\set ECHO none
SELECT regexp_split_to_table(statement, ';(?= ALTER INDEX)') FROM dbmaint_invalid_indexes() \gexec
\set ECHO all
SELECT count(*), (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = 'index_advice_low') AS rolsuper FROM dbmaint_invalid_indexes();
DROP TABLE "p USING x";
DROP ROLE index_advice_low;
DROP EXTENSION dbmaint;
