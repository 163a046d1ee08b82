-- Indexes that are not there: foreign keys, and large tables that are scanned.
CREATE EXTENSION dbmaint;
CREATE TABLE parent (a int, b int, c text, PRIMARY KEY (a, b), UNIQUE (c));
CREATE TABLE "Child ""q"" é" (id int PRIMARY KEY, "pa ""x" int, pb int, pc text,
    CONSTRAINT "no ""index" FOREIGN KEY ("pa ""x", pb) REFERENCES parent ON DELETE CASCADE,
    CONSTRAINT by_c FOREIGN KEY (pc) REFERENCES parent (c));
CREATE TABLE covered (pa int, pb int, pc text,
    CONSTRAINT any_order FOREIGN KEY (pa, pb) REFERENCES parent,
    CONSTRAINT hashed FOREIGN KEY (pc) REFERENCES parent (c));
CREATE INDEX ON covered (pb, pa, pc);
CREATE INDEX ON covered USING hash (pc);
CREATE TABLE partly (pa int, pb int, pc text,
    CONSTRAINT one_column FOREIGN KEY (pa, pb) REFERENCES parent,
    CONSTRAINT partial_index FOREIGN KEY (pc) REFERENCES parent (c) ON DELETE SET NULL);
CREATE INDEX ON partly (pa);
CREATE INDEX ON partly (pc) WHERE pa > 0;
CREATE TABLE parts (pc text REFERENCES parent (c), k int) PARTITION BY RANGE (k);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
INSERT INTO parent VALUES (1, 1, 'x');
INSERT INTO "Child ""q"" é" SELECT i, 1, 1, 'x' FROM generate_series(1, 500) AS i;
SELECT schemaname, tablename, constraint_name, columns, referenced_table, table_bytes > 0 AS bytes, reason, statement
  FROM dbmaint_foreign_keys_without_index() ORDER BY tablename, constraint_name;
SELECT count(*) FROM dbmaint_foreign_keys_without_index(1);
SELECT statement FROM dbmaint_foreign_keys_without_index() ORDER BY tablename, constraint_name \gexec
SELECT count(*) FROM dbmaint_foreign_keys_without_index();

-- what the check can use: its collation and operators, and all that is not NULL
CREATE TABLE spoken (c text COLLATE "POSIX" PRIMARY KEY);
CREATE TABLE speaks (c text COLLATE "POSIX", d text COLLATE "POSIX", e text COLLATE "POSIX",
    CONSTRAINT other_collation FOREIGN KEY (c) REFERENCES spoken,
    CONSTRAINT its_collation FOREIGN KEY (d) REFERENCES spoken,
    CONSTRAINT pattern_ops FOREIGN KEY (e) REFERENCES spoken);
CREATE INDEX ON speaks (c COLLATE "C");
CREATE INDEX ON speaks (d);
CREATE INDEX ON speaks (e text_pattern_ops);
CREATE TABLE not_null (a bigint, b int, n int, o int,
    CONSTRAINT both_not_null FOREIGN KEY (a, b) REFERENCES parent,
    CONSTRAINT not_null FOREIGN KEY (n, b) REFERENCES parent,
    CONSTRAINT other_not_null FOREIGN KEY (o, b) REFERENCES parent);
CREATE INDEX ON not_null (b, a) WHERE a IS NOT NULL AND b IS NOT NULL;
CREATE INDEX ON not_null (n, b) WHERE n IS NOT NULL;
CREATE INDEX ON not_null (o, b) WHERE o IS NOT NULL AND n IS NOT NULL;
CREATE INDEX ON not_null (o, b) WHERE o IS NOT NULL OR b IS NOT NULL;
CREATE INDEX ON not_null (o, b) WHERE o IS NULL;
SELECT tablename, constraint_name, reason FROM dbmaint_foreign_keys_without_index() ORDER BY 1, 2;
DROP TABLE speaks, spoken, not_null;

-- large tables read by sequential scans; neither pg_qualstats nor hypopg here
CREATE TABLE scanned (id int PRIMARY KEY, v text);
INSERT INTO scanned SELECT i, repeat('x', 500) FROM generate_series(1, 5000) AS i;
CREATE TABLE small (id int);
SELECT pg_stat_force_next_flush();
DO $$
DECLARE
    n int;
BEGIN
    FOR i IN 1..12 LOOP
        SELECT count(*) INTO n FROM scanned WHERE v = 'y';
        SELECT count(*) INTO n FROM small;
    END LOOP;
END
$$;
SELECT pg_stat_force_next_flush();
SELECT tablename, seq_scans >= 12 AS scans, tuples_per_scan > 4000 AS tuples, columns, gain_ratio, reason LIKE '% pg_qualstats; %' AS hint, statement
  FROM dbmaint_missing_indexes(1000000, 10);
SELECT count(*) FROM dbmaint_missing_indexes();
SELECT dbmaint_missing_indexes(-1, 10);
SELECT dbmaint_missing_indexes(1, 0);
SELECT * FROM dbmaint_index_gain('scanned'::regclass, '{2}', '{98}');

-- what takes a lock on a user's table gives up at once
SELECT p.proname, c AS setting FROM pg_proc AS p, unnest(p.proconfig) AS c
 WHERE c LIKE 'lock_timeout=%' AND p.proname ~ '_(bloat_ratio|index_gain|partition_index)$' ORDER BY 1;

-- planning must run no function of the owner's
CREATE FUNCTION trap(text) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
CREATE ROLE index_missing_owner;
SELECT dbmaint_plan_is_safe('scanned'::regclass) AS mine;
ALTER TABLE scanned OWNER TO index_missing_owner;
SELECT dbmaint_plan_is_safe('scanned'::regclass) AS plain;
ALTER TABLE small OWNER TO index_missing_owner;
CREATE INDEX ON small (id) WHERE trap('x');
SELECT dbmaint_plan_is_safe('small'::regclass) AS index;
ALTER TABLE scanned ENABLE ROW LEVEL SECURITY;
SELECT dbmaint_plan_is_safe('scanned'::regclass) AS policies;
DROP TABLE scanned, small;
DROP ROLE index_missing_owner;
DROP EXTENSION dbmaint;
