-- Into what dbmaint_split_partition() divides a partition, and what it refuses:
-- each with its SQLSTATE. No runner works here: nothing is divided.
SET client_min_messages = warning;
CREATE EXTENSION dbmaint;
RESET client_min_messages;
\set SHOW_CONTEXT never
CREATE FUNCTION attempt(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text;
BEGIN
    EXECUTE sql;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n  ', state || ': ' || message, nullif(detail, ''), nullif(hint, ''));
END $$;
\pset format unaligned
\pset tuples_only on

--
-- Plans.
--
-- months of a time zone, over both changes of its clocks; the session's plays no part
SET TimeZone = 'America/New_York';
CREATE TABLE zoned (id int, at timestamptz, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE zoned_2025 PARTITION OF zoned FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE zoned_2026_01 PARTITION OF zoned FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
INSERT INTO zoned VALUES (1, '2025-01-01'), (2, '2025-12-31 23:59:59.999999');
RESET TimeZone;
SELECT attempt($$SELECT dbmaint_split_partition('zoned_2025', '1 month', dry_run => true)$$);
SELECT count(*) FROM create_future_partitions('zoned', 1, '1 month', time_zone => 'America/New_York', as_of => '2026-01-10 00:00+00');
SELECT * FROM dbmaint_split_partition('zoned_2025', '1 month', dry_run => true);
SET TimeZone = 'Asia/Tokyo';
SELECT range_from, range_to FROM dbmaint_split_partition('zoned_2025', '1 month', dry_run => true) LIMIT 2;
RESET TimeZone;
-- without rows before March: the first one begins where the partition begins
DELETE FROM zoned WHERE id = 1;
INSERT INTO zoned VALUES (3, '2025-10-05');
SELECT * FROM dbmaint_split_partition('zoned_2025', '1 month', dry_run => true);
-- hours of the day on which the clocks go back
SELECT count(*), min(range_from), max(range_to) FROM dbmaint_split_partition('zoned_2025', '6 hours', dry_run => true);

-- dates: days, weeks
CREATE TABLE dated (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE dated_p20260301 PARTITION OF dated FOR VALUES FROM ('2026-03-01') TO ('2026-03-02');
CREATE TABLE dated_p20260302 PARTITION OF dated FOR VALUES FROM ('2026-03-02') TO ('2026-03-03');
CREATE TABLE dated_old PARTITION OF dated FOR VALUES FROM (MINVALUE) TO ('2026-03-01');
CREATE TABLE dated_rest PARTITION OF dated FOR VALUES FROM ('2026-03-03') TO (MAXVALUE);
SELECT attempt($$SELECT dbmaint_split_partition('dated_old', dry_run => true)$$);
INSERT INTO dated VALUES (1, '2026-02-26'), (2, '2026-03-05');
SELECT * FROM dbmaint_split_partition('dated_old', dry_run => true);
SELECT * FROM dbmaint_split_partition('dated_rest', dry_run => true);
INSERT INTO dated VALUES (3, '-infinity'), (4, 'infinity');
SELECT * FROM dbmaint_split_partition('dated_old', dry_run => true);
SELECT count(*), min(range_from), max(range_to), max(partition_name) FROM dbmaint_split_partition('dated_rest', dry_run => true);
SELECT * FROM dbmaint_split_partition('dated_rest', '1 century', dry_run => true) ORDER BY range_to LIMIT 2;
SELECT attempt($$SELECT dbmaint_split_partition('dated_old', '5 hours', dry_run => true)$$);

-- more than a thousand periods: those that have rows, and what is between them;
-- of more than a thousand parts the first one is the longer one
DELETE FROM dated WHERE at IN ('infinity', '-infinity');
INSERT INTO dated VALUES (5, '2020-01-01'), (6, '-infinity');
SELECT * FROM dbmaint_split_partition('dated_old', dry_run => true);
INSERT INTO dated SELECT 1000 + i, '2020-02-01'::date + i FROM generate_series(1, 1400) AS i;
SELECT partition_name, range_from, range_to, count(*) OVER () FROM dbmaint_split_partition('dated_old', dry_run => true) LIMIT 2;
-- a row far away; without an index that begins with the key the plan is the same
CREATE TABLE far (id int, at timestamptz NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE far_all PARTITION OF far FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
INSERT INTO far SELECT i, '2026-01-01 00:00+00'::timestamptz + i * interval '1 day' FROM generate_series(1, 100) AS i;
INSERT INTO far VALUES (0, '9999-12-31 00:00+00');
SELECT count(*) FROM create_future_partitions('far', 1, '1 month', time_zone => 'UTC');
SELECT * FROM dbmaint_split_partition('far_all', '1 month', dry_run => true);
CREATE INDEX ON far (at);
SELECT * FROM dbmaint_split_partition('far_all', '1 month', dry_run => true);
INSERT INTO far VALUES (-1, '-infinity'), (-2, 'infinity'), (-3, '0500-01-01 00:00+00 BC'), (-4, '290000-01-01 00:00+00');
SELECT range_from, range_to FROM dbmaint_split_partition('far_all', '1 month', dry_run => true) OFFSET 3;
DROP INDEX far_at_idx;
SELECT range_from, range_to FROM dbmaint_split_partition('far_all', '1 month', dry_run => true) OFFSET 3;

-- timestamps, quarters, a default partition with rows before, in a gap, behind and nowhere
CREATE TABLE local (id int NOT NULL, at timestamp, UNIQUE (id, at)) PARTITION BY RANGE (at);
CREATE TABLE local_2026_q1 PARTITION OF local FOR VALUES FROM ('2026-01-01') TO ('2026-04-01');
CREATE TABLE local_2026_q3 PARTITION OF local FOR VALUES FROM ('2026-07-01') TO ('2026-10-01');
CREATE TABLE local_default PARTITION OF local DEFAULT;
CREATE UNIQUE INDEX ON local_default (id);
SELECT attempt($$SELECT dbmaint_split_partition('local_default', dry_run => true)$$);
INSERT INTO local VALUES (1, NULL), (2, 'infinity'), (3, '-infinity');
SELECT attempt($$SELECT dbmaint_split_partition('local_default', dry_run => true)$$);
INSERT INTO local VALUES (4, '2024-02-29'), (5, '2026-05-05'), (6, '2026-06-30 23:59:59.999999'), (7, '2027-01-01'), (8, '290000-01-01');
SELECT * FROM dbmaint_split_partition('local_default', dry_run => true);
-- periods that others have a piece of
SELECT * FROM dbmaint_split_partition('local_default', '1 year', dry_run => true);
-- more than a thousand of them: the rest stays
INSERT INTO local SELECT 100 + i, '2000-01-01'::timestamp - i * interval '1 year' FROM generate_series(1, 1100) AS i;
SELECT count(*), min(range_from), max(range_to) FROM dbmaint_split_partition('local_default', dry_run => true);

-- numbers
CREATE TABLE counted (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE counted_0 PARTITION OF counted FOR VALUES FROM (0) TO (100);
CREATE TABLE counted_100 PARTITION OF counted FOR VALUES FROM (100) TO (200);
CREATE TABLE counted_many PARTITION OF counted FOR VALUES FROM (200) TO (650);
CREATE TABLE counted_default PARTITION OF counted DEFAULT;
INSERT INTO counted VALUES (0), (250), (600), (-1), (2147483647), (-2147483648);
SELECT attempt($$SELECT dbmaint_split_partition('counted_many', dry_run => true)$$);
SELECT * FROM dbmaint_split_partition('counted_many', '100', dry_run => true);
SELECT * FROM dbmaint_split_partition('counted_default', '100', dry_run => true);
SELECT * FROM dbmaint_split_partition('counted_0', '50', dry_run => true);
SELECT attempt($$SELECT dbmaint_split_partition('counted_0', '100', dry_run => true)$$);
CREATE TABLE large (id bigint PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE large_p0 PARTITION OF large FOR VALUES FROM (0) TO (1000000000000);
CREATE TABLE large_end PARTITION OF large FOR VALUES FROM (9223372036854000000) TO (MAXVALUE);
INSERT INTO large VALUES (1), (999999999999), (9223372036854000000), (9223372036854775807);
SELECT * FROM dbmaint_split_partition('large_p0', '250000000000', dry_run => true);
SELECT * FROM dbmaint_split_partition('large_end', '500000', dry_run => true);

INSERT INTO large VALUES (500000000000);
SELECT * FROM dbmaint_split_partition('large_p0', '1000', dry_run => true);
-- without an index that begins with the key: as with one
CREATE TABLE wide (id int, i bigint NOT NULL, j int, PRIMARY KEY (id, i, j)) PARTITION BY RANGE (i, j);
CREATE TABLE wide_all PARTITION OF wide FOR VALUES FROM (0, MINVALUE) TO (MAXVALUE, MAXVALUE);
CREATE TABLE wide_default PARTITION OF wide DEFAULT;
CREATE TABLE wide_gone PARTITION OF wide FOR VALUES FROM (-6500, MINVALUE) TO (-5500, MINVALUE);
INSERT INTO wide SELECT i, i * 1000 % 3000001, 1 FROM generate_series(1, 5000) AS i;
INSERT INTO wide SELECT -i, -i, 1 FROM generate_series(1, 9000, 300) AS i;
INSERT INTO wide VALUES (0, -9000000000, 1), (9999, 9223372036854775807, 1);
CREATE TEMPORARY TABLE without_index AS
    SELECT * FROM dbmaint_split_partition('wide_all', '500', dry_run => true) UNION ALL SELECT * FROM dbmaint_split_partition('wide_all', '50000', dry_run => true)
    UNION ALL SELECT * FROM dbmaint_split_partition('wide_default', '1000', dry_run => true);
CREATE INDEX ON wide (i);
SELECT count(*), count(i.partition_name), count(w.partition_name), min(w.range_from::bigint), max(w.range_to::bigint)
  FROM (SELECT * FROM dbmaint_split_partition('wide_all', '500', dry_run => true) UNION ALL SELECT * FROM dbmaint_split_partition('wide_all', '50000', dry_run => true)
        UNION ALL SELECT * FROM dbmaint_split_partition('wide_default', '1000', dry_run => true)) AS i
  FULL JOIN without_index AS w ON (i.partition_name, coalesce(i.range_from, ''), coalesce(i.range_to, '')) = (w.partition_name, coalesce(w.range_from, ''), coalesce(w.range_to, ''));

-- seconds and milliseconds
CREATE TABLE seconds (at int PRIMARY KEY) PARTITION BY RANGE (at);
CREATE TABLE seconds_2026_01 PARTITION OF seconds FOR VALUES FROM (1767225600) TO (1769904000);
CREATE TABLE seconds_2026_02 PARTITION OF seconds FOR VALUES FROM (1769904000) TO (1772323200);
CREATE TABLE seconds_default PARTITION OF seconds DEFAULT;
INSERT INTO seconds VALUES (1772323200), (1780000000), (0), (-1);
SELECT * FROM dbmaint_split_partition('seconds_default', dry_run => true);
SELECT * FROM dbmaint_split_partition('seconds_2026_01', '1 week', dry_run => true);
INSERT INTO seconds VALUES (1767225600);
SELECT * FROM dbmaint_split_partition('seconds_2026_01', '1 week', dry_run => true);
CREATE TABLE millis (at bigint PRIMARY KEY) PARTITION BY RANGE (at);
CREATE TABLE millis_2026 PARTITION OF millis FOR VALUES FROM (1767225600000) TO (1798761600000);
CREATE TABLE millis_2027 PARTITION OF millis FOR VALUES FROM (1798761600000) TO (1830297600000);
INSERT INTO millis VALUES (1790812800000);
SELECT * FROM dbmaint_split_partition('millis_2026', '1 month', dry_run => true);

-- UUIDs of version 7
CREATE TABLE events (id uuid PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE events_2026_01 PARTITION OF events FOR VALUES FROM ('019b76da-a800-7000-8000-000000000000') TO ('019c167f-cc00-7000-8000-000000000000');
CREATE TABLE events_2026_02 PARTITION OF events FOR VALUES FROM ('019c167f-cc00-7000-8000-000000000000') TO ('019ca6b1-dc00-7000-8000-000000000000');
CREATE TABLE events_default PARTITION OF events DEFAULT;
INSERT INTO events VALUES ('019cb000-0000-7abc-8def-0123456789ab'), ('019d5000-0000-7abc-8def-0123456789ab');
SELECT * FROM dbmaint_split_partition('events_default', dry_run => true);

-- several columns; NULLs in the second one keep rows of any period in the default partition
CREATE TABLE several (id int NOT NULL, at date NOT NULL, region int) PARTITION BY RANGE (at, region);
CREATE TABLE several_2026_01 PARTITION OF several FOR VALUES FROM ('2026-01-01', MINVALUE) TO ('2026-02-01', MINVALUE);
CREATE TABLE several_2026_02 PARTITION OF several FOR VALUES FROM ('2026-02-01', MINVALUE) TO ('2026-03-01', MINVALUE);
CREATE TABLE several_default PARTITION OF several DEFAULT;
CREATE UNIQUE INDEX ON several_default (id);
INSERT INTO several VALUES (1, '2026-01-05', NULL), (2, '2026-04-05', NULL), (3, '2026-05-05', 7);
SELECT * FROM dbmaint_split_partition('several_default', dry_run => true);

-- names of 63 bytes that need quotes
CREATE SCHEMA "Schema ""quoted""";
CREATE TABLE "Schema ""quoted"""."Ein ""sehr"" langer Name, länger als er sein müßte, endet: é" (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
SELECT count(*) FROM create_future_partitions('"Schema ""quoted"""."Ein ""sehr"" langer Name, länger als er sein müßte, endet: é"', 1, '1 month', as_of => '2026-01-10 00:00+00');
CREATE TABLE "Schema ""quoted"""."all 'the' rest" PARTITION OF "Schema ""quoted"""."Ein ""sehr"" langer Name, länger als er sein müßte, endet: é" DEFAULT;
INSERT INTO "Schema ""quoted"""."Ein ""sehr"" langer Name, länger als er sein müßte, endet: é" VALUES (1, '2026-04-01'), (2, '2026-05-01');
SELECT *, octet_length(partition_name) FROM dbmaint_split_partition('"Schema ""quoted"""."all ''the'' rest"', dry_run => true);
-- a name that is taken
CREATE VIEW seconds_2026_05 AS SELECT 1;
SELECT partition_name FROM dbmaint_split_partition('seconds_default', dry_run => true);

--
-- Refusals.
--
SELECT attempt(format('SELECT dbmaint_split_partition(%s, dry_run => true)', a)) FROM unnest(ARRAY[
    'NULL', '''local_default'', drop_original => NULL', '''local_default'', ''soon''', '''local_default'', ''-1 month''', '''local_default'', ''0 days''',
    '''local_default'', ''1 month 1 day''', '''counted_0'', ''1 month''', '''counted_0'', ''0''', '4294967295::oid::regclass', '''pg_class''', '''local''']) AS a;
SELECT attempt($$SELECT dbmaint_split_partition('local_default', dry_run => NULL)$$);
-- what is no partition of a set of ranges
CREATE TABLE listed (i int PRIMARY KEY) PARTITION BY LIST (i);
CREATE TABLE listed_1 PARTITION OF listed FOR VALUES IN (1);
CREATE TABLE inherited_from (at timestamptz);
CREATE TABLE inheriting () INHERITS (inherited_from);
CREATE INDEX local_at ON local (at);
SELECT r || ': ' || attempt(format('SELECT dbmaint_split_partition(%L, dry_run => true)', r)) FROM unnest(ARRAY['listed_1', 'inheriting', 'local_default_at_idx', 'dbmaint_jobs']) AS r;

CREATE TABLE d (id int, at date NOT NULL, u int, other int, v text) PARTITION BY RANGE (at);
CREATE TABLE d_2026_01 PARTITION OF d FOR VALUES FROM ('2026-01-01') TO ('2026-01-02');
CREATE TABLE d_2026_02 PARTITION OF d FOR VALUES FROM ('2026-01-02') TO ('2026-01-03');
CREATE TABLE d_big PARTITION OF d FOR VALUES FROM ('2026-01-03') TO ('2026-01-20');
INSERT INTO d VALUES (1, '2026-01-03', 1, 1), (2, '2026-01-10', 2, 1);
CREATE FUNCTION try() RETURNS text LANGUAGE sql AS $$ SELECT attempt('SELECT dbmaint_split_partition(''d_big'', ''1 day'', dry_run => true)') $$;
-- nothing that identifies rows
SELECT try();
CREATE UNIQUE INDEX ON d_big (u) WHERE u > 0;
CREATE UNIQUE INDEX ON d_big ((u + 0));
CREATE UNIQUE INDEX ON d_big (u);
SELECT try();
ALTER TABLE d ADD PRIMARY KEY (id, at) DEFERRABLE;
SELECT try();
ALTER TABLE d DROP CONSTRAINT d_pkey;
ALTER TABLE d_big ALTER u SET NOT NULL;
SELECT try();
ALTER TABLE d ADD PRIMARY KEY (id, at);
-- one that is checked at the end of a transaction
ALTER TABLE d_big ADD CONSTRAINT late UNIQUE (other, u) DEFERRABLE;
SELECT try();
ALTER TABLE d_big DROP CONSTRAINT late;
-- one that is not valid, of the partition or the table: values may be there twice
CREATE UNIQUE INDEX broken ON d_big (v);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass;
SELECT try();
DROP INDEX broken;
CREATE UNIQUE INDEX broken ON ONLY d (at, u);
SELECT try();
DROP INDEX broken;
-- referred to
CREATE TABLE refers (id int, at date, FOREIGN KEY (id, at) REFERENCES d);
SELECT try();
DROP TABLE refers;
CREATE TABLE refers (id int, at date, FOREIGN KEY (id, at) REFERENCES d_big (id, at));
SELECT try();
DROP TABLE refers;
-- what is its own
CREATE TABLE others (id int PRIMARY KEY);
INSERT INTO others VALUES (1);
ALTER TABLE d_big ADD CONSTRAINT own FOREIGN KEY (other) REFERENCES others;
SELECT try();
ALTER TABLE d_big DROP CONSTRAINT own;
ALTER TABLE d ADD CONSTRAINT shared FOREIGN KEY (other) REFERENCES others;
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
CREATE TRIGGER own AFTER INSERT ON d_big FOR EACH ROW EXECUTE FUNCTION nothing();
SELECT try();
DROP TRIGGER own ON d_big;
CREATE TRIGGER own AFTER INSERT ON d_big FOR EACH STATEMENT EXECUTE FUNCTION nothing();
SELECT try();
DROP TRIGGER own ON d_big;
CREATE RULE own AS ON DELETE TO d_big DO ALSO NOTHING;
SELECT try();
DROP RULE own ON d_big;
-- what would go on to mean it
CREATE VIEW "means" AS SELECT id FROM d_big;
SELECT try();
DROP VIEW means;
CREATE MATERIALIZED VIEW means AS SELECT id FROM d_big WITH NO DATA;
SELECT try();
DROP MATERIALIZED VIEW means;
CREATE FUNCTION means() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM d_big; END;
SELECT try();
DROP FUNCTION means();
CREATE FUNCTION means(d_big) RETURNS int LANGUAGE sql AS 'SELECT 1';
SELECT try();
DROP FUNCTION means(d_big);
CREATE POLICY means ON others USING (EXISTS (SELECT FROM d_big));
SELECT try();
DROP POLICY means ON others;
CREATE TRIGGER shared AFTER INSERT ON d FOR EACH ROW EXECUTE FUNCTION nothing();
SELECT try();
-- published
SET client_min_messages = error;
CREATE PUBLICATION published FOR TABLE d_big;
SELECT try();
DROP PUBLICATION published;
CREATE PUBLICATION published FOR ALL TABLES;
SELECT try();
DROP PUBLICATION published;
CREATE PUBLICATION published FOR TABLES IN SCHEMA public;
SELECT try();
DROP PUBLICATION published;
CREATE PUBLICATION published FOR TABLE d WITH (publish_via_partition_root);
SELECT try();
DROP PUBLICATION published;
RESET client_min_messages;
-- divided itself; foreign
CREATE TABLE d_divided PARTITION OF d FOR VALUES FROM ('2026-02-01') TO ('2026-03-01') PARTITION BY LIST (id);
SELECT attempt($$SELECT dbmaint_split_partition('d_divided', '1 day', dry_run => true)$$);
CREATE TABLE f (id int, at date NOT NULL) PARTITION BY RANGE (at);
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE f_big PARTITION OF f FOR VALUES FROM ('2026-01-01') TO ('2026-02-01') SERVER nowhere;
SELECT attempt($$SELECT dbmaint_split_partition('f_big', '1 day', dry_run => true)$$);
-- at an infinity, and within one period
CREATE TABLE f_end PARTITION OF f FOR VALUES FROM ('2026-03-01') TO ('infinity');
ALTER TABLE f_end ADD PRIMARY KEY (id);
SELECT attempt($$SELECT dbmaint_split_partition('f_end', '1 day', dry_run => true)$$);
SELECT attempt($$SELECT dbmaint_split_partition('d_2026_01', '1 day', dry_run => true)$$);
SELECT attempt($$SELECT dbmaint_split_partition('d_big', '1 month', dry_run => true)$$);
-- a period that nobody knows
CREATE TABLE alone (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE alone_default PARTITION OF alone DEFAULT;
INSERT INTO alone VALUES (1);
SELECT attempt($$SELECT dbmaint_split_partition('alone_default', dry_run => true)$$);
SELECT * FROM dbmaint_split_partition('alone_default', '10', dry_run => true);
-- a detach that was begun
CREATE TABLE going (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE going_0 PARTITION OF going FOR VALUES FROM (0) TO (100);
INSERT INTO going VALUES (1), (50);
UPDATE pg_inherits SET inhdetachpending = true WHERE inhrelid = 'going_0'::regclass;
SELECT attempt($$SELECT dbmaint_split_partition('going_0', '10', dry_run => true)$$);
UPDATE pg_inherits SET inhdetachpending = false WHERE inhrelid = 'going_0'::regclass;

-- whose it is
CREATE ROLE split_owner;
CREATE ROLE split_stranger;
GRANT USAGE, CREATE ON SCHEMA public TO split_owner;
SET ROLE split_stranger;
SELECT try();
SELECT attempt($$SELECT dbmaint_enqueue('partition_split', 'd_big', '{}')$$);
RESET ROLE;
ALTER TABLE d_big OWNER TO split_owner;
SELECT try();
SET ROLE split_owner;
SELECT try();
RESET ROLE;
ALTER TABLE d OWNER TO split_owner;
SET ROLE split_owner;
SELECT try();
SELECT DISTINCT job_id IS NOT NULL FROM dbmaint_split_partition('d_big', '1 day');
RESET ROLE;
SELECT kind, target, options, state, requested_by FROM dbmaint_jobs;
-- what is refused is not asked for
SELECT attempt($$SELECT dbmaint_split_partition('d_2026_01', '1 day')$$);
SELECT attempt($$SELECT dbmaint_enqueue('partition_split', 'd_big', '{"drop_original": 1}')$$);
SELECT attempt($$SELECT dbmaint_enqueue('partition_split', 'd_big', '{"cascade": true}')$$);
SELECT attempt($$SELECT dbmaint_enqueue('partition_split', 'others')$$);
SELECT count(*) FROM dbmaint_jobs;
-- a transaction that reads only may ask
BEGIN READ ONLY;
SELECT count(*) FROM dbmaint_split_partition('d_big', '1 day', dry_run => true);
SELECT attempt($$SELECT dbmaint_split_partition('d_big', '1 day')$$);
ROLLBACK;

-- the trigger's function does nothing elsewhere
CREATE TABLE plain (id int PRIMARY KEY);
CREATE TRIGGER a AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION dbmaint_capture_row();
CREATE TRIGGER b AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION dbmaint_capture_row('nonsense');
DO $$ BEGIN EXECUTE format('CREATE TRIGGER c AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION dbmaint_capture_row(%L)', 'others'::regclass::oid); END $$;
CREATE TRIGGER d AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION dbmaint_capture_row('4294967295999');
INSERT INTO plain VALUES (1);
SELECT * FROM others;
CREATE TRIGGER e BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION dbmaint_capture_row();
SELECT attempt('INSERT INTO plain VALUES (2)');

DROP OWNED BY split_owner, split_stranger CASCADE;
DROP ROLE split_owner, split_stranger;
