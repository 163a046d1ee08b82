-- dbmaint_bloat(): every large relation, the worst first, within a budget of
-- pages; what it calls wasted is what a rewrite gives back.
CREATE EXTENSION dbmaint;
SET client_min_messages = warning;

-- (INSERT, since CREATE TABLE AS leaves empty pages at the end, from 16 on)
CREATE TABLE holes (id int, pad text);
INSERT INTO holes SELECT i, repeat('x', 100) FROM generate_series(1, 60000) AS i;
CREATE INDEX holes_id ON holes (id);
DELETE FROM holes WHERE id % 4 <> 0;
VACUUM holes;
CREATE TABLE "Full ""of"" it" (id int, pad text);
INSERT INTO "Full ""of"" it" SELECT i, repeat('x', 100) FROM generate_series(1, 50000) AS i;
CREATE TABLE alone AS SELECT i AS id FROM generate_series(1, 700) AS i;
-- one row a page: 40 % are free, and no rewrite can help that
ALTER TABLE alone ADD pad text, ALTER pad SET STORAGE plain;
UPDATE alone SET pad = repeat('x', 4500);
VACUUM FULL alone;
-- narrow rows, then wide ones; and both on every page
CREATE TABLE layers (id int, pad text);
ALTER TABLE layers ALTER pad SET STORAGE plain;
INSERT INTO layers SELECT i, 'x' FROM generate_series(1, 60000) AS i;
INSERT INTO layers SELECT i, repeat('x', 4200) FROM generate_series(1, 600) AS i;
CREATE TABLE mixed (id int, pad text);
ALTER TABLE mixed ALTER pad SET STORAGE plain;
INSERT INTO mixed SELECT i, repeat('x', CASE WHEN i % 20 = 0 THEN 4200 ELSE 10 END) FROM generate_series(1, 20000) AS i;
VACUUM FULL layers, mixed;
CREATE TABLE roomy (id int, pad text) WITH (fillfactor = 50);
INSERT INTO roomy SELECT i, repeat('x', 100) FROM generate_series(1, 30000) AS i;
CREATE TABLE docs (id int, doc text);
ALTER TABLE docs ALTER doc SET STORAGE external;
INSERT INTO docs SELECT i, repeat(md5(i::text), 65 + 7919 * i % 300) FROM generate_series(1, 1000) AS i;
DELETE FROM docs WHERE id % 2 = 1;
CREATE MATERIALIZED VIEW summary AS SELECT * FROM holes;
INSERT INTO holes SELECT i, 'x' FROM generate_series(1, 10) AS i;
CREATE TABLE keys (hash text);
INSERT INTO keys SELECT md5(i::text) FROM generate_series(1, 40000) AS i;
CREATE INDEX keys_sparse ON keys (hash) WITH (fillfactor = 50);
CREATE INDEX keys_full ON keys (hash);

CREATE TABLE found AS
SELECT CASE WHEN kind = 'toast' OR of_table::text LIKE 'pg_toast.%' THEN kind || ' of ' ||
        coalesce((SELECT c.oid::regclass::text FROM pg_class AS c WHERE c.reltoastrelid = b.of_table), b.of_table::text)
        ELSE relation::text END AS name, *
FROM dbmaint_bloat(1000000, 1000000) AS b WHERE relation::oid >= 16384;
SELECT name, kind, CASE WHEN kind = 'index' AND of_table::text NOT LIKE 'pg_toast.%' THEN of_table END AS of_table,
    sampled_pages * 8192 = size_bytes - CASE kind WHEN 'index' THEN 8192 ELSE 0 END AS whole,
    wasted_bytes = wasted_bytes_low AND wasted_bytes = wasted_bytes_high AS certain,
    CASE WHEN kind <> 'materialized view' THEN round(wasted_ratio::numeric, 1) END AS wasted, status
FROM found ORDER BY name COLLATE "C";
SELECT wasted_bytes = max(wasted_bytes) OVER () AS worst_first FROM dbmaint_bloat(0) LIMIT 1;
SELECT bool_and(ordered) AS in_order FROM (
    SELECT wasted_bytes <= lag(wasted_bytes, 1, wasted_bytes) OVER (ORDER BY n) AS ordered
    FROM dbmaint_bloat(0, 1000000) WITH ORDINALITY AS b (relation, kind, of_table, size_bytes, sampled_pages,
        wasted_bytes, low, high, ratio, status, n)) AS b;

-- the promise kept: rewritten, they are as much smaller, within 2 points
VACUUM FULL holes, docs, alone, layers, mixed, roomy, "Full ""of"" it";
REINDEX TABLE keys;
SELECT f.name, abs(f.size_bytes - pg_relation_size(CASE f.kind WHEN 'toast' THEN c.reltoastrelid ELSE f.relation::oid END)
        - f.wasted_bytes) < greatest(0.02 * f.size_bytes, 16384) AS kept
FROM found AS f LEFT JOIN pg_class AS c ON c.oid = f.of_table
WHERE kind <> 'materialized view' AND name NOT LIKE 'index of%' ORDER BY name COLLATE "C";

-- of a sample, too, in any order of the rows
DELETE FROM mixed WHERE id % 3 = 0;
VACUUM layers, mixed;
SELECT t, bool_and(abs(b.bloat_bytes - w.bloat_bytes) < 0.04 * b.table_bytes) AS near
  FROM unnest(ARRAY['layers', 'mixed']::regclass[]) AS t, dbmaint_table_bloat(t, 100000) AS w,
    generate_series(1, 10) AS seed, dbmaint_table_bloat(t, 400, seed) AS b GROUP BY t ORDER BY t::text;

-- a budget: not one page more, and each above the least gets its share
CREATE TABLE dear AS SELECT * FROM dbmaint_bloat(1000000, 1000) WHERE relation::oid >= 16384;
SELECT sum(sampled_pages) <= 1000 AS kept, min(sampled_pages) >= 30 AS enough,
    bool_and(wasted_bytes BETWEEN wasted_bytes_low AND wasted_bytes_high) AS ordered,
    bool_and(wasted_bytes_high <= size_bytes AND wasted_bytes_low >= 0) AS bounded,
    count(*) FILTER (WHERE wasted_bytes_low < wasted_bytes_high) > 3 AS uncertain
FROM dear;
-- too small a one: the largest are known, the rest say so and come last
SELECT status, sum(sampled_pages) <= 100 AS kept, bool_and((wasted_bytes IS NULL) = (status <> 'ok')) AS known
FROM dbmaint_bloat(100000, 100) GROUP BY status ORDER BY status;
SELECT array_agg(DISTINCT status) AS last FROM (SELECT status FROM dbmaint_bloat(100000, 100) OFFSET 3) AS rest;

-- a broken one costs its own row
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'holes_id'::regclass;
SELECT relation, wasted_bytes, status FROM dbmaint_bloat(0, 1000000) WHERE status <> 'ok';

-- in a transaction that did more, and temporary tables are not among them
BEGIN;
CREATE TEMP TABLE mine AS SELECT i FROM generate_series(1, 10000) AS i;
CREATE TABLE fresh (i int);
INSERT INTO fresh SELECT i FROM generate_series(1, 10000) AS i;
SELECT relation, wasted_ratio, status FROM dbmaint_bloat(0, 1000000) WHERE relation::text IN ('mine', 'fresh');
COMMIT;
SELECT count(*) AS locks_left FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'
    AND relation IN (SELECT oid FROM pg_class WHERE relname IN ('holes', 'docs', 'keys'));
