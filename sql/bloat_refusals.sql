-- What the bloat functions refuse, and say about it; what they take all the same.
CREATE EXTENSION dbmaint;
SET client_min_messages = warning;
CREATE SCHEMA "Ünïted";
SET search_path = "Ünïted", public;
CREATE TABLE plain (id int PRIMARY KEY, tags int[]);
INSERT INTO plain SELECT i, ARRAY[i] FROM generate_series(1, 1000) AS i;

-- other kinds of relations
CREATE VIEW seen AS SELECT 1 AS one;
CREATE SEQUENCE counter;
CREATE TABLE parts (id int) PARTITION BY RANGE (id);
CREATE INDEX parts_id ON parts (id);
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER away FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE abroad (id int) SERVER away;
CREATE TYPE pair AS (a int, b int);
SELECT dbmaint_table_bloat('seen');
SELECT dbmaint_table_bloat('counter');
SELECT dbmaint_table_bloat('parts');
SELECT dbmaint_table_bloat('parts_id');
SELECT dbmaint_table_bloat('abroad');
SELECT dbmaint_table_bloat('pair');
SELECT dbmaint_table_bloat('plain_pkey');
SELECT dbmaint_index_bloat('plain');
SELECT dbmaint_index_bloat('seen');
SELECT dbmaint_index_bloat('parts_id');
SELECT dbmaint_index_bloat('parts');
CREATE INDEX plain_hash ON plain USING hash (id);
CREATE INDEX plain_gin ON plain USING gin (tags);
SELECT dbmaint_index_bloat('plain_hash');
SELECT dbmaint_index_bloat('plain_gin');
CREATE TABLE twice (id int);
INSERT INTO twice VALUES (1), (1);
CREATE UNIQUE INDEX CONCURRENTLY twice_id ON twice (id);
SELECT dbmaint_index_bloat('twice_id');
SELECT dbmaint_table_bloat(4294967294::oid);
SELECT dbmaint_index_bloat(0::oid);
\set VERBOSITY sqlstate
SELECT dbmaint_table_bloat('parts');
SELECT dbmaint_index_bloat('plain_hash');
SELECT dbmaint_index_bloat('twice_id');
SELECT dbmaint_index_bloat(0::oid);
\set VERBOSITY default

-- arguments
SELECT dbmaint_table_bloat('plain', 0);
SELECT dbmaint_table_bloat('plain', NULL);
SELECT dbmaint_index_bloat('plain_pkey', 1000001);
SELECT dbmaint_index_bloat('plain_pkey', -2147483648);
SELECT dbmaint_bloat(-1);
SELECT dbmaint_bloat(NULL, 1);
SELECT dbmaint_bloat(0, 0);
SELECT dbmaint_bloat(0, NULL);
SELECT b IS NULL AS nothing FROM dbmaint_table_bloat(NULL) AS b;
SELECT b IS NULL AS nothing FROM dbmaint_index_bloat(NULL) AS b;
SELECT count(*) FROM dbmaint_bloat(9223372036854775807);

-- tables without a page, without a row, temporary, unlogged
CREATE TABLE empty (id int PRIMARY KEY);
SELECT * FROM dbmaint_table_bloat('empty');
SELECT * FROM dbmaint_index_bloat('empty_pkey');
CREATE TEMP TABLE mine (id int PRIMARY KEY, pad text);
INSERT INTO mine SELECT i, 'x' FROM generate_series(1, 20000) AS i;
SELECT live_ratio > 0.8 AS full FROM dbmaint_table_bloat('mine', 50);
SELECT leaf_density_ratio > 0.8 AS dense FROM dbmaint_index_bloat('mine_pkey', 40);
DELETE FROM mine;
SELECT live_ratio, dead_ratio > 0.8 AS dead FROM dbmaint_table_bloat('mine');
CREATE UNLOGGED TABLE fast (id int);
INSERT INTO fast SELECT i FROM generate_series(1, 1000) AS i;
SELECT live_ratio > 0.5 AS full FROM dbmaint_table_bloat('fast');
CREATE TABLE "Robert'); DROP TABLE ""plain"";--äöü_of_63_bytes_and_not_one_moreX" (id int);
INSERT INTO "Robert'); DROP TABLE ""plain"";--äöü_of_63_bytes_and_not_one_moreX" VALUES (1);
SELECT table_bytes FROM dbmaint_table_bloat('"Robert''); DROP TABLE ""plain"";--äöü_of_63_bytes_and_not_one_moreX"');

-- rows that others cannot see yet, or that are being deleted, in the same transaction
BEGIN;
CREATE TABLE now (id int);
INSERT INTO now SELECT i FROM generate_series(1, 1000) AS i;
SELECT live_ratio > 0.5 AS live, dead_ratio > 0.5 AS dead FROM dbmaint_table_bloat('now');
DELETE FROM plain;
SELECT live_ratio > 0.5 AS live, dead_ratio > 0.5 AS dead FROM dbmaint_table_bloat('plain');
ROLLBACK;
SELECT live_ratio > 0.5 AS live, dead_ratio > 0.5 AS dead FROM dbmaint_table_bloat('plain');

-- for whom: members of pg_stat_scan_tables, as with pgstattuple; no right on the table is asked for
CREATE ROLE regress_bloat_reader IN ROLE pg_stat_scan_tables;
CREATE ROLE regress_bloat_other;
GRANT USAGE ON SCHEMA "Ünïted" TO regress_bloat_reader, regress_bloat_other;
GRANT SELECT ON plain TO regress_bloat_other;
SET ROLE regress_bloat_reader;
SELECT live_ratio > 0.5 AS full FROM dbmaint_table_bloat('plain');
SELECT leaf_density_ratio > 0.5 AS dense FROM dbmaint_index_bloat('plain_pkey');
SELECT count(*) > 50 AS many FROM dbmaint_bloat(0);
SET ROLE regress_bloat_other;
SELECT dbmaint_table_bloat('plain');
SELECT dbmaint_index_bloat('plain_pkey');
SELECT dbmaint_bloat();
RESET ROLE;
REVOKE ALL ON SCHEMA "Ünïted" FROM regress_bloat_reader, regress_bloat_other;
REVOKE ALL ON plain FROM regress_bloat_other;
DROP ROLE regress_bloat_reader, regress_bloat_other;
