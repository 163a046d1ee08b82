-- A default partition that holds rows of a new range: 'error', 'skip', 'move'.
SET client_min_messages = warning;
CREATE EXTENSION dbmaint;
RESET client_min_messages;
\set SHOW_CONTEXT never
CREATE TABLE m (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz, v text, w text GENERATED ALWAYS AS (v || '!') STORED) PARTITION BY RANGE (at);
CREATE TABLE m_2026_01 PARTITION OF m FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00');
CREATE TABLE m_default (w text GENERATED ALWAYS AS (v || '!') STORED, v text, id bigint NOT NULL, at timestamptz);
ALTER TABLE m ATTACH PARTITION m_default DEFAULT;
INSERT INTO m (at, v) VALUES ('2026-02-05 00:00+00', 'feb'), ('2026-02-28 23:59:59.999999+00', 'feb'), ('2026-04-01 00:00+00', 'apr'), (NULL, 'no key'), ('infinity', 'never');

-- without rows in the way
SELECT partition_name, status FROM create_future_partitions('m', 0, as_of => '2026-03-15 00:00+00');
-- with
SELECT * FROM create_future_partitions('m', 3, as_of => '2026-01-15 00:00+00');
SELECT count(*) FROM pg_inherits WHERE inhparent = 'm'::regclass;
SELECT * FROM create_future_partitions('m', 3, default_rows => 'skip', as_of => '2026-01-15 00:00+00');
SELECT * FROM create_future_partitions('m', 4, default_rows => 'skip', as_of => '2026-01-15 00:00+00');
SELECT * FROM create_future_partitions('m', 4, default_rows => 'move', dry_run => true, as_of => '2026-01-15 00:00+00');
SELECT * FROM create_future_partitions('m', 4, default_rows => 'move', as_of => '2026-01-15 00:00+00');
SELECT tableoid::regclass, id, at AT TIME ZONE 'UTC' AS at, v, w FROM m ORDER BY id;
-- nothing of the work is left behind
SELECT conrelid::regclass, conname FROM pg_constraint WHERE conname IN ('dbmaint_range', 'dbmaint_excluded_ranges');

-- a default partition of many pages: scanned for its rows before and after it is locked, and once for five new ones
CREATE TABLE big (at date, filler text) PARTITION BY RANGE (at);
CREATE TABLE big_default PARTITION OF big DEFAULT;
INSERT INTO big SELECT '2020-01-01', repeat('x', 1000) FROM generate_series(1, 2000);
BEGIN;
SELECT partition_name, status FROM create_future_partitions('big', 4, '1 month', as_of => '2026-01-15 00:00+00');
SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'big_default';
COMMIT;
SELECT conrelid::regclass, conname FROM pg_constraint WHERE conname IN ('dbmaint_range', 'dbmaint_excluded_ranges');
-- the partitions beside whose rows there are share one scan, too; a CHECK that is called so is the owner's
ALTER TABLE big_default ADD CONSTRAINT dbmaint_excluded_ranges CHECK (at < '2100-01-01') NOT VALID;
CREATE INDEX ON big (at);
INSERT INTO big VALUES ('2026-08-01');
SET enable_seqscan = off;
BEGIN;
SELECT seq_scan AS before FROM pg_stat_xact_user_tables WHERE relname = 'big_default' \gset
SELECT partition_name, status FROM create_future_partitions('big', 8, default_rows => 'skip', as_of => '2026-01-15 00:00+00');
SELECT seq_scan - :before AS scans FROM pg_stat_xact_user_tables WHERE relname = 'big_default';
COMMIT;
RESET enable_seqscan;
SELECT conrelid::regclass, conname, convalidated FROM pg_constraint WHERE conname ~ 'dbmaint_range|dbmaint_excluded_ranges';
ALTER TABLE big_default DROP CONSTRAINT dbmaint_excluded_ranges;

-- a default partition that is partitioned itself
CREATE TABLE sub (at date, i int) PARTITION BY RANGE (at);
CREATE TABLE sub_default PARTITION OF sub DEFAULT PARTITION BY LIST (i);
CREATE TABLE sub_default_1 PARTITION OF sub_default FOR VALUES IN (1);
INSERT INTO sub VALUES ('2026-01-01', 1), ('2026-03-01', 1);
SELECT partition_name, status FROM create_future_partitions('sub', 1, '1 month', default_rows => 'move', as_of => '2026-01-15 00:00+00');
SELECT tableoid::regclass, at FROM sub ORDER BY at;

-- rows that a foreign key refers to are not moved
CREATE TABLE referred (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE referred_default PARTITION OF referred DEFAULT;
CREATE TABLE refers (id int, at date, FOREIGN KEY (id, at) REFERENCES referred ON DELETE CASCADE);
INSERT INTO referred VALUES (1, '2026-01-05');
INSERT INTO refers VALUES (1, '2026-01-05');
SELECT * FROM create_future_partitions('referred', 1, '1 month', default_rows => 'move', as_of => '2026-01-15 00:00+00');
SELECT count(*) FROM refers;
-- no trigger fires for a row that is moved: none would where it goes in; and each fires again as before
CREATE TABLE counted (at date, v text) PARTITION BY RANGE (at);
CREATE TABLE counted_default PARTITION OF counted DEFAULT;
CREATE TABLE counts (what text, rows int);
CREATE FUNCTION count_rows() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.counts VALUES (TG_NAME || ' ' || TG_OP, 1); RETURN NULL; END$$;
CREATE TRIGGER counter AFTER INSERT OR DELETE ON counted FOR EACH ROW EXECUTE FUNCTION count_rows();
CREATE TRIGGER statements AFTER INSERT OR DELETE ON counted_default FOR EACH STATEMENT EXECUTE FUNCTION count_rows();
CREATE TRIGGER keeper BEFORE DELETE ON counted_default FOR EACH ROW EXECUTE FUNCTION count_rows();
CREATE TRIGGER always AFTER DELETE ON counted_default FOR EACH ROW EXECUTE FUNCTION count_rows();
CREATE TRIGGER off AFTER DELETE ON counted_default FOR EACH ROW EXECUTE FUNCTION count_rows();
CREATE TRIGGER replica AFTER DELETE ON counted_default FOR EACH ROW EXECUTE FUNCTION count_rows();
ALTER TABLE counted_default ENABLE ALWAYS TRIGGER always, DISABLE TRIGGER off, ENABLE REPLICA TRIGGER replica;
INSERT INTO counted VALUES ('2026-01-05'), ('2026-01-06'), ('2026-04-06');
SELECT what, count(*) FROM counts GROUP BY 1 ORDER BY 1;
SELECT partition_name, status FROM create_future_partitions('counted', 1, '1 month', default_rows => 'move', as_of => '2026-01-15 00:00+00');
SELECT what, count(*) FROM counts GROUP BY 1 ORDER BY 1;
SELECT tableoid::regclass, at FROM counted ORDER BY at;
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'counted_default'::regclass ORDER BY 1;
-- nor are rows that are published: subscribers would be told of the half of it
SET client_min_messages = error;
CREATE PUBLICATION p_root FOR TABLE counted WITH (publish_via_partition_root);
SELECT * FROM create_future_partitions('counted', 3, default_rows => 'move', as_of => '2026-01-15 00:00+00');
DROP PUBLICATION p_root;
CREATE PUBLICATION p_default FOR TABLE counted_default WITH (publish = 'delete');
SELECT * FROM create_future_partitions('counted', 3, default_rows => 'move', as_of => '2026-01-15 00:00+00');
DROP PUBLICATION p_default;
CREATE PUBLICATION p_schema FOR TABLES IN SCHEMA public;
SELECT * FROM create_future_partitions('counted', 3, default_rows => 'move', as_of => '2026-01-15 00:00+00');
DROP PUBLICATION p_schema;
CREATE PUBLICATION p_all FOR ALL TABLES;
SELECT * FROM create_future_partitions('counted', 3, default_rows => 'move', as_of => '2026-01-15 00:00+00');
SELECT partition_name, status FROM create_future_partitions('counted', 3, default_rows => 'skip', as_of => '2026-01-15 00:00+00');
DROP PUBLICATION p_all;
CREATE PUBLICATION p_other FOR TABLE counts;
SELECT partition_name, status FROM create_future_partitions('counted', 3, default_rows => 'move', as_of => '2026-01-15 00:00+00');
DROP PUBLICATION p_other;
RESET client_min_messages;
-- a row whose expression is NULL has no partition but the default one, as one without a column has not
CREATE SCHEMA elsewhere;
CREATE FUNCTION elsewhere.half(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT nullif(i, 0) / 2';
CREATE TABLE expressed (at date, i int, b text, "T" text) PARTITION BY RANGE (at, (elsewhere.half(i)), b, (nullif("T", '')));
CREATE TABLE expressed_default PARTITION OF expressed DEFAULT;
INSERT INTO expressed VALUES ('2026-01-05', 2, 'b', 'moves'), ('2026-01-05', 0, 'b', 'no half'), ('2026-01-05', 2, NULL, 'no b'), ('2026-01-05', 2, 'no T', ''), (NULL, 2, 'b', 'no date');
SELECT partition_name, status FROM create_future_partitions('expressed', 1, '1 month', default_rows => 'move', as_of => '2026-01-15 00:00+00');
SELECT tableoid::regclass, at, i, b, "T" FROM expressed ORDER BY 1, 2, 3, 4, 5;
INSERT INTO expressed VALUES ('2026-02-05', 0, 'b', 'no half'), ('2026-02-05', 2, 'b', 'in place');
INSERT INTO expressed_default VALUES ('2026-03-05', 0, 'b', 'no half');
SELECT partition_name, status FROM create_future_partitions('expressed', 3, as_of => '2026-01-15 00:00+00');
SELECT tableoid::regclass, at, "T" FROM expressed WHERE at > '2026-01-31' ORDER BY 1, 2, 3;
