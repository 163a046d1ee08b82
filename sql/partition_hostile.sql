-- Input that nobody should have: partitions of other kinds beside new ones,
-- bounds at the ends of time, names at their limit, rows of a NULL key.  Each
-- refusal has its SQLSTATE and leaves nothing behind.
SET client_min_messages = warning;
CREATE EXTENSION dbmaint;
RESET client_min_messages;
\set SHOW_CONTEXT never
CREATE FUNCTION attempt(sql text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE sql;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ': ' || SQLERRM;
END $$;
-- what there is of a table, in the order of its ranges
CREATE FUNCTION members(parent regclass) RETURNS TABLE (name text, kind "char", persistence "char", bound text) LANGUAGE sql AS $$
    SELECT relname, relkind, relpersistence, pg_get_expr(relpartbound, c.oid) FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid WHERE inhparent = parent ORDER BY c.oid
$$;
SET datestyle = 'ISO';

-- a foreign partition: it is no model, the parent is
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE TABLE far (at date, v text) PARTITION BY RANGE (at);
CREATE FOREIGN TABLE far_2026_01 PARTITION OF far FOR VALUES FROM ('2026-01-01') TO ('2026-02-01') SERVER nowhere;
SELECT * FROM create_future_partitions('far', 1, as_of => '2026-01-15 00:00+00');
SELECT * FROM members('far');
-- a foreign table as the default partition cannot be asked for its rows
CREATE TABLE far_else (at date) PARTITION BY RANGE (at);
CREATE TABLE far_else_2026_01 PARTITION OF far_else FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE FOREIGN TABLE far_else_default PARTITION OF far_else DEFAULT SERVER nowhere;
SELECT attempt($$SELECT create_future_partitions('far_else', 1, as_of => '2026-01-15 00:00+00')$$);
SELECT count(*) FROM members('far_else');
-- unlogged ones: the next is as its sibling
CREATE TABLE light (at date) PARTITION BY RANGE (at);
CREATE UNLOGGED TABLE light_2026_01 PARTITION OF light FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
SELECT * FROM create_future_partitions('light', 1, as_of => '2026-01-15 00:00+00');
SELECT * FROM members('light');
SELECT partition_name, status FROM drop_old_partitions('light', 1, as_of => '2026-04-15 00:00+00');
-- temporary ones, of a temporary table and of one that is not
CREATE TEMPORARY TABLE brief (at date) PARTITION BY RANGE (at);
CREATE TEMPORARY TABLE brief_2026_01 PARTITION OF brief FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
SELECT attempt($$SELECT create_future_partitions('brief', 1, as_of => '2026-01-15 00:00+00')$$), attempt($$SELECT drop_old_partitions('brief', 1)$$);
SELECT attempt($$CREATE TEMPORARY TABLE light_temporary PARTITION OF light FOR VALUES FROM ('2027-01-01') TO ('2027-02-01')$$);
-- a table of a temporary schema that stands where the new one would
CREATE TEMPORARY TABLE light_2026_03 (i int);
SELECT * FROM create_future_partitions('light', 1, as_of => '2026-02-15 00:00+00');
SELECT * FROM members('light');

-- infinity and the ends of time
CREATE TABLE ages (at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE ages_before PARTITION OF ages FOR VALUES FROM ('-infinity') TO ('2026-01-01 00:00+00');
CREATE TABLE ages_2026_01 PARTITION OF ages FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00');
CREATE TABLE ages_after PARTITION OF ages FOR VALUES FROM ('2026-04-01 00:00+00') TO ('infinity');
SELECT * FROM create_future_partitions('ages', 1000, as_of => '2026-01-15 00:00+00');
SELECT * FROM create_future_partitions('ages', 1000, as_of => '2026-01-15 00:00+00');
-- the first and last moments that a clock may show
SELECT at, attempt(format('SELECT create_future_partitions(''ages'', 1, as_of => %L)', at))
  FROM unnest('{4714-11-24 00:00+00 BC, 0001-01-01 00:00+00, 294276-12-31 23:59:59.999999+00, infinity, -infinity}'::timestamptz[]) AS at;
SELECT partition_name, range_from, range_to FROM drop_old_partitions('ages', 1, dry_run => true, as_of => '2026-06-15 00:00+00');
SELECT attempt(format('SELECT drop_old_partitions(''ages'', 12000, as_of => %L)', at))
  FROM unnest('{4714-11-24 00:00+00 BC, 0001-01-01 00:00+00, 294276-12-31 23:59:59.999999+00, infinity, -infinity}'::timestamptz[]) AS at;
SELECT count(*) FROM members('ages');
CREATE TABLE last_days (at date) PARTITION BY RANGE (at);
CREATE TABLE last_days_1 PARTITION OF last_days FOR VALUES FROM ('5874897-12-30') TO ('5874897-12-31');
SELECT attempt($$SELECT create_future_partitions('last_days', 3, as_of => '294276-12-31 00:00+00')$$), attempt($$SELECT drop_old_partitions('last_days', 1)$$);
CREATE TABLE last_numbers (id bigint) PARTITION BY RANGE (id);
CREATE TABLE last_numbers_1 PARTITION OF last_numbers FOR VALUES FROM (9223372036854775605) TO (9223372036854775705);
INSERT INTO last_numbers VALUES (9223372036854775700);
SELECT * FROM create_future_partitions('last_numbers', 5);
SELECT * FROM drop_old_partitions('last_numbers', keep_values => 1);
CREATE TABLE first_numbers (id bigint) PARTITION BY RANGE (id);
CREATE TABLE first_numbers_1 PARTITION OF first_numbers FOR VALUES FROM (-9223372036854775808) TO (-9223372036854775708);
INSERT INTO first_numbers VALUES (-9223372036854775808);
SELECT * FROM create_future_partitions('first_numbers', 1);
SELECT * FROM drop_old_partitions('first_numbers', keep_values => 9223372036854775807);

-- counts and keeps beyond all types
SELECT a, attempt(format('SELECT create_future_partitions(''light'', %s)', a))
  FROM unnest('{-2147483648, 2147483647, 1001, -1}'::text[]) AS a;
SELECT a, attempt(format('SELECT drop_old_partitions(''light'', %s)', a))
  FROM unnest('{-2147483648, 2147483648, -9223372036854775808, 12001, interval ''178000000 years'', interval ''-1 us''}'::text[]) AS a;

-- names of 63 bytes, with quotes, in a schema with more of them
CREATE SCHEMA "a ""b"".c; --";
SELECT format('CREATE TABLE %I.%I ("at ""; x" date, v text) PARTITION BY RANGE ("at ""; x")', nspname, repeat('"', 63)),
       format('CREATE TABLE %I.%I PARTITION OF %I.%I DEFAULT', nspname, $$'; DROP TABLE light; --$$, nspname, repeat('"', 63)) FROM pg_namespace WHERE nspname LIKE 'a "b%' \gexec
SELECT oid AS quoted FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname LIKE 'a "b%') AND relkind = 'p' \gset
INSERT INTO "a ""b"".c; --"."'; DROP TABLE light; --" VALUES ('2026-01-05', ''), ('2030-01-01', ''), (NULL, 'no key');
SELECT partition_name, octet_length(partition_name), status FROM create_future_partitions(:quoted::oid::regclass, 2, '1 month', default_rows => 'move', as_of => '2026-01-15 00:00+00');
SELECT partition_name, octet_length(partition_name), status FROM create_future_partitions(:quoted::oid::regclass, 3, as_of => '2026-01-15 00:00+00');
SELECT partition_name, status FROM drop_old_partitions(:quoted::oid::regclass, 1, move_to_schema => 'public', as_of => '2026-03-01 00:00+00');
SELECT partition_name, status FROM drop_old_partitions(:quoted::oid::regclass, 1, as_of => '2026-04-01 00:00+00');
SELECT relname, relispartition, relnamespace = 'public'::regnamespace AS moved FROM pg_class WHERE relname LIKE '"""%' AND relkind = 'r' ORDER BY 1;

-- several columns: a row without one of them has no place but the default
-- partition, whether it is small or not
CREATE TABLE two (at date, part int, v text) PARTITION BY RANGE (at, part);
CREATE TABLE two_2026_01 PARTITION OF two FOR VALUES FROM ('2026-01-01', MINVALUE) TO ('2026-02-01', MINVALUE);
CREATE TABLE two_default PARTITION OF two DEFAULT;
INSERT INTO two VALUES ('2026-02-05', NULL, 'b'), ('2026-02-05', 1, 'a'), (NULL, 1, 'c');
SELECT attempt($$SELECT create_future_partitions('two', 1, as_of => '2026-01-15 00:00+00')$$);
SELECT attempt($$SELECT create_future_partitions('two', 1, default_rows => 'move', as_of => '2026-01-15 00:00+00')$$);
SELECT tableoid::regclass, * FROM two ORDER BY v;
SELECT * FROM members('two');
CREATE TABLE big_two (at date, "a part" int, v text) PARTITION BY RANGE (at, "a part");
CREATE TABLE big_two_2026_01 PARTITION OF big_two FOR VALUES FROM ('2026-01-01', MINVALUE) TO ('2026-02-01', MINVALUE);
CREATE TABLE big_two_default PARTITION OF big_two DEFAULT;
INSERT INTO big_two SELECT '2026-02-05', NULL, repeat('x', 1000) FROM generate_series(1, 2000);
SELECT partition_name, status FROM create_future_partitions('big_two', 3, as_of => '2026-01-15 00:00+00');
-- each of the others must begin and end with MINVALUE
CREATE TABLE max_key (at date, part int) PARTITION BY RANGE (at, part);
CREATE TABLE max_key_1 PARTITION OF max_key FOR VALUES FROM ('2026-01-01', MINVALUE) TO ('2026-01-31', MAXVALUE);
SELECT attempt($$SELECT create_future_partitions('max_key', 1, as_of => '2026-01-15 00:00+00')$$), attempt($$SELECT drop_old_partitions('max_key', 1)$$);

-- a partition that is not the owner's of the parent goes with the parent's owner's right, or not at all
CREATE ROLE regress_dbmaint_hostile;
CREATE ROLE regress_dbmaint_other;
GRANT USAGE, CREATE ON SCHEMA public TO regress_dbmaint_hostile, regress_dbmaint_other;
SET ROLE regress_dbmaint_hostile;
CREATE TABLE owned (at date) PARTITION BY RANGE (at);
CREATE TABLE owned_2026_01 PARTITION OF owned FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE owned_2026_02 PARTITION OF owned FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
RESET ROLE;
ALTER TABLE owned_2026_01 OWNER TO regress_dbmaint_other;
SET ROLE regress_dbmaint_hostile;
SELECT attempt($$SELECT drop_old_partitions('owned', 1, as_of => '2026-05-15 00:00+00')$$);
SELECT attempt($$SELECT drop_old_partitions('owned', 1, detach_only => true, as_of => '2026-05-15 00:00+00')$$);
RESET ROLE;
SET ROLE regress_dbmaint_other;
SELECT attempt($$SELECT create_future_partitions('owned', 1, as_of => '2026-02-15 00:00+00')$$), attempt($$SELECT create_future_partitions('owned', 1, dry_run => true)$$),
       attempt($$SELECT drop_old_partitions('owned', 1, dry_run => true)$$);
RESET ROLE;
SELECT * FROM members('owned');
DROP OWNED BY regress_dbmaint_hostile, regress_dbmaint_other CASCADE;
DROP ROLE regress_dbmaint_hostile, regress_dbmaint_other;

-- what has one transaction for several commands: nothing of the first is left when the second fails
BEGIN;
SELECT partition_name, status FROM create_future_partitions('light', 2, as_of => '2026-02-15 00:00+00');
SAVEPOINT before;
SELECT partition_name, status FROM create_future_partitions('light', 4, as_of => '2026-02-15 00:00+00');
ROLLBACK TO before;
SELECT partition_name, status FROM create_future_partitions('light', 2, as_of => '2026-02-15 00:00+00');
ROLLBACK;
SELECT name FROM members('light');
-- nothing of the work is left behind
SELECT conrelid::regclass, conname FROM pg_constraint WHERE conname IN ('dbmaint_range', 'dbmaint_excluded_ranges');
