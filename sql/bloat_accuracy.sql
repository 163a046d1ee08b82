-- The estimates of samples against what pgstattuple and pgstatindex count:
-- within 2 points for every seed, with the truth in the interval.  (How many
-- pages of an index are deleted is a question of yes or no to 1000 pages: 5.)
CREATE EXTENSION dbmaint;
CREATE EXTENSION pgstattuple;
SET client_min_messages = warning;

-- Ten samples of a table: are all ratios within 2 points of the truth?
CREATE FUNCTION right_table(t regclass, pages int DEFAULT 1000,
    OUT sampled bool, OUT live bool, OUT dead bool, OUT free bool, OUT in_interval bool, OUT total bool)
LANGUAGE sql AS $$
    SELECT bool_and(b.sampled_pages = pages AND pages * 8192 < b.table_bytes),
        bool_and(abs(b.live_ratio - p.tuple_percent / 100) < 0.02),
        bool_and(abs(b.dead_ratio - p.dead_tuple_percent / 100) < 0.02),
        bool_and(abs(b.free_ratio - p.free_percent / 100) < 0.02),
        count(*) FILTER (WHERE p.free_percent / 100 BETWEEN b.free_ratio_low - 0.0006 AND b.free_ratio_high + 0.0006) >= 8,
        bool_and(b.table_bytes = p.table_len)
    FROM pgstattuple(t) AS p, generate_series(1, 10) AS seed, dbmaint_table_bloat(t, pages, seed) AS b
$$;
CREATE FUNCTION right_index(i regclass, pages int DEFAULT 1000,
    OUT sampled bool, OUT density bool, OUT in_interval bool, OUT deleted bool, OUT bloat bool)
LANGUAGE sql AS $$
    SELECT bool_and(b.sampled_pages = pages AND pages * 8192 < b.index_bytes),
        bool_and(abs(b.leaf_density_ratio - p.avg_leaf_density / 100) < 0.02),
        count(*) FILTER (WHERE p.avg_leaf_density / 100 BETWEEN b.leaf_density_low - 0.0006 AND b.leaf_density_high + 0.0006) >= 8,
        bool_and(abs(b.empty_pages + b.deleted_pages - p.empty_pages - p.deleted_pages) < 0.06 * p.index_size / 8192),
        bool_and(abs(b.bloat_bytes - 8192 * (p.empty_pages + p.deleted_pages
            + greatest(p.leaf_pages * (1 - p.avg_leaf_density / 90), 0))) < 0.06 * p.index_size)
    FROM pgstatindex(i) AS p, generate_series(1, 10) AS seed, dbmaint_index_bloat(i, pages, seed) AS b
$$;

-- CREATE TABLE AS and COPY leave pages at the end that pgstattuple counts as
-- nothing at all on 16 and later; INSERT does not.

-- full, narrow rows; not known to be visible, then known
CREATE TABLE narrow (a int);
INSERT INTO narrow SELECT i FROM generate_series(1, 400000) AS i;
SELECT * FROM right_table('narrow');
VACUUM narrow;
SELECT * FROM right_table('narrow');
-- half of it deleted everywhere: dead, then free
DELETE FROM narrow WHERE a % 2 = 0;
SELECT * FROM right_table('narrow');
VACUUM narrow;
SELECT * FROM right_table('narrow');

-- bloat in one range
CREATE TABLE clustered (id int, pad text);
INSERT INTO clustered SELECT i, repeat('x', 100) FROM generate_series(1, 150000) AS i;
CREATE INDEX clustered_id ON clustered (id);
DELETE FROM clustered WHERE id BETWEEN 40000 AND 100000;
SELECT * FROM right_table('clustered');
VACUUM clustered;
SELECT * FROM right_table('clustered');
SELECT * FROM right_table('clustered', 300);

-- rows of all widths, some pages changed since VACUUM
CREATE TABLE ragged (id int, pad text);
ALTER TABLE ragged ALTER pad SET STORAGE plain;
INSERT INTO ragged SELECT i, repeat('x', 1 + i * 7919 % 3000) FROM generate_series(1, 10000) AS i;
DELETE FROM ragged WHERE id % 3 = 0;
VACUUM ragged;
UPDATE ragged SET pad = pad || 'y' WHERE id % 50 = 1;
SELECT * FROM right_table('ragged');

-- all visible, and the free space map knows nothing of it
BEGIN;
CREATE TABLE frozen (id int, pad text DEFAULT repeat('x', 4500));
ALTER TABLE frozen ALTER pad SET STORAGE plain;
COPY frozen (id) FROM PROGRAM 'seq 1 1500' WITH (FREEZE);
COMMIT;
SELECT sampled, live, dead FROM right_table('frozen');
SELECT bool_and(abs(b.free_ratio - whole.free_ratio) < 0.02) AS free, min(b.free_ratio) > 0.4 AS much
FROM dbmaint_table_bloat('frozen', 1000000) AS whole, generate_series(1, 10) AS seed, dbmaint_table_bloat('frozen', 1000, seed) AS b;

-- TOAST, and a materialized view
CREATE TABLE toasted (id int, doc text);
ALTER TABLE toasted ALTER doc SET STORAGE external;
INSERT INTO toasted SELECT i, repeat(md5(i::text), 150) FROM generate_series(1, 3000) AS i;
DELETE FROM toasted WHERE id BETWEEN 500 AND 1500;
SELECT reltoastrelid AS toast FROM pg_class WHERE relname = 'toasted' \gset
SELECT * FROM right_table(:toast);
VACUUM toasted;
SELECT * FROM right_table(:toast);
CREATE MATERIALIZED VIEW summary AS SELECT id, pad FROM clustered;
SELECT sampled, live, dead FROM right_table('summary');

-- indexes: built anew, filled at random, with a range deleted, thinned out
CREATE TABLE keys AS SELECT i AS id, md5(i::text) AS hash FROM generate_series(1, 150000) AS i;
CREATE INDEX keys_built ON keys (hash);
SELECT * FROM right_index('keys_built');
CREATE TABLE inserted (hash text);
CREATE INDEX inserted_hash ON inserted (hash);
INSERT INTO inserted SELECT hash FROM keys;
SELECT * FROM right_index('inserted_hash');
DELETE FROM inserted WHERE hash < '6';
VACUUM inserted;
SELECT * FROM right_index('inserted_hash');
DELETE FROM keys WHERE id % 3 <> 0;
VACUUM keys;
SELECT * FROM right_index('keys_built');

-- small ones are read whole: exact, without an interval
CREATE TABLE small (id int, pad text);
INSERT INTO small SELECT i, repeat('x', i % 200) FROM generate_series(1, 5000) AS i;
DELETE FROM small WHERE id % 7 < 2;
SELECT b.sampled_pages * 8192 = b.table_bytes AS whole,
    abs(b.live_ratio - p.tuple_percent / 100) < 0.0001 AS live,
    abs(b.dead_ratio - p.dead_tuple_percent / 100) < 0.0001 AS dead,
    abs(b.free_ratio - p.free_percent / 100) < 0.001 AS free,
    b.free_ratio_low = b.free_ratio AND b.free_ratio_high = b.free_ratio AS certain
FROM pgstattuple('small') AS p, dbmaint_table_bloat('small') AS b;
SELECT b.sampled_pages = p.index_size / 8192 - 1 AS whole,
    abs(b.leaf_density_ratio - p.avg_leaf_density / 100) < 0.001 AS density,
    b.empty_pages = p.empty_pages AND b.deleted_pages = p.deleted_pages AS pages,
    b.leaf_density_low = b.leaf_density_ratio AND b.leaf_density_high = b.leaf_density_ratio AS certain
FROM pgstatindex('clustered_id') AS p, dbmaint_index_bloat('clustered_id', 5000) AS b;

-- of 100 samples, the truth is in the interval of 90 and more
SELECT t, count(*) FILTER (WHERE p.free_percent / 100 BETWEEN b.free_ratio_low - 0.0006 AND b.free_ratio_high + 0.0006) >= 90 AS covered
FROM unnest(ARRAY['narrow', 'clustered', 'ragged']::regclass[]) AS t, pgstattuple(t) AS p,
    generate_series(1, 100) AS seed, dbmaint_table_bloat(t, 200, seed) AS b
GROUP BY t ORDER BY t::text;
SELECT i, count(*) FILTER (WHERE p.avg_leaf_density / 100 BETWEEN b.leaf_density_low - 0.0006 AND b.leaf_density_high + 0.0006) >= 90 AS covered
FROM unnest(ARRAY['inserted_hash', 'keys_built']::regclass[]) AS i, pgstatindex(i) AS p,
    generate_series(1, 100) AS seed, dbmaint_index_bloat(i, 200, seed) AS b
GROUP BY i ORDER BY i::text;

-- the same seed, the same pages; no seed, others
SELECT count(DISTINCT dbmaint_table_bloat('ragged', 100, 42)) AS of_one_seed FROM generate_series(1, 5);
SELECT count(DISTINCT dbmaint_table_bloat('ragged', 100)) > 1 AS of_none FROM generate_series(1, 5);
SELECT free_ratio_high - free_ratio_low > 0.5 AS one_page_tells_little FROM dbmaint_table_bloat('ragged', 1, 1);
