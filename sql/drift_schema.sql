-- Changes of definitions, extensions and per-database settings: noticed once, dated, and nothing else.
CREATE EXTENSION dbmaint;
\set SHOW_CONTEXT never
\pset format unaligned
\pset fieldsep ' | '
-- what one turn noticed; the database has another name in every test
CREATE FUNCTION noticed(at timestamptz, OUT kind text, OUT object text, OUT attribute text, OUT old_value text, OUT new_value text)
RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM dbmaint_run_due(at) AS r WHERE r.collector = 'changes' AND r.status <> 'ok') THEN
        RAISE 'the collector failed';
    END IF;
    RETURN QUERY
    SELECT c.kind, replace(c.object, current_database(), 'DB'), c.attribute,
           -- who runs the test, and how a server's version prints views and rights
           CASE WHEN c.attribute = 'privileges' THEN 'rights' ELSE replace(replace(c.old_value, current_user, 'ME'), 'parent.id', 'id') END,
           CASE WHEN c.attribute = 'privileges' THEN 'rights' ELSE replace(replace(c.new_value, current_user, 'ME'), 'parent.id', 'id') END
      FROM dbmaint_change_history AS c WHERE c.changed_at = at
       AND c.kind NOT IN ('setting', 'hba_rule') AND (c.kind <> 'session_setting' OR c.object LIKE '%database ' || quote_ident(current_database()))
     ORDER BY c.number;
END $$;

CREATE TABLE parent (id int PRIMARY KEY, v text DEFAULT 'x');
CREATE INDEX parent_v ON parent (lower(v));
-- the first look is what later ones compare with
SELECT * FROM noticed('2026-01-01 00:00+00');
SELECT * FROM noticed('2026-01-01 00:30+00');

-- columns, constraints, options, triggers, rights, policies, statistics
ALTER TABLE parent ADD COLUMN "N é'""x" numeric(10,2) NOT NULL DEFAULT 7, ALTER COLUMN v TYPE varchar(20), ALTER COLUMN v SET STATISTICS 500,
    ADD CONSTRAINT positive CHECK (id > 0), SET (fillfactor = 70), ENABLE ROW LEVEL SECURITY, REPLICA IDENTITY FULL;
CREATE TABLE child (id int REFERENCES parent, UNIQUE (id));
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER t AFTER INSERT ON parent FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE POLICY own ON parent FOR SELECT USING (id < 100);
GRANT SELECT ON parent TO pg_monitor;
CREATE STATISTICS parent_stats (dependencies) ON id, v FROM parent;
CREATE VIEW seen AS SELECT id FROM parent;
CREATE MATERIALIZED VIEW kept AS SELECT id FROM parent;
CREATE UNLOGGED TABLE fast (i int);
SELECT * FROM noticed('2026-01-01 01:00+00');
SELECT changed_at AT TIME ZONE 'UTC' AS changed_at, lower(seen_between) AT TIME ZONE 'UTC' AS "from",
       upper(seen_between) AT TIME ZONE 'UTC' AS "to", lower_inc(seen_between) AS from_inc
  FROM dbmaint_changes WHERE object = 'public.child';

-- what is taken away
ALTER TABLE parent DISABLE TRIGGER t;
DROP POLICY own ON parent;
ALTER TABLE parent DROP CONSTRAINT positive, ALTER COLUMN "N é'""x" DROP NOT NULL, ALTER COLUMN v DROP DEFAULT;
ALTER TABLE child DROP CONSTRAINT child_id_fkey;
DROP INDEX parent_v;
DROP VIEW seen;
DROP TABLE fast;
SELECT * FROM noticed('2026-01-01 01:30+00');

-- names: of a table, of a schema, of 63 bytes
ALTER TABLE child RENAME TO "Kind, ""klein""";
CREATE SCHEMA old;
CREATE TABLE old.äöüäöüäöüäöüäöüäöüäöüäöüäöüäöü1234 (i int);
SELECT * FROM noticed('2026-01-01 02:00+00');
ALTER SCHEMA old RENAME TO new;
SELECT * FROM noticed('2026-01-01 02:30+00');
DROP SCHEMA new CASCADE;
SELECT * FROM noticed('2026-01-01 03:00+00');

-- what is no change: writes, maintenance, rewrites, the same made again, what is temporary, and ours
INSERT INTO parent SELECT i, i FROM generate_series(1, 100) AS i;
VACUUM FULL parent;
VACUUM FREEZE parent;
VACUUM FREEZE pg_class, pg_attribute, pg_index, pg_constraint;
VACUUM FULL pg_class, pg_attribute;
ANALYZE;
REINDEX TABLE parent;
REINDEX TABLE CONCURRENTLY parent;
CLUSTER parent USING parent_pkey;
ALTER TABLE parent SET WITHOUT CLUSTER;
TRUNCATE "Kind, ""klein""";
REFRESH MATERIALIZED VIEW kept;
ALTER TABLE parent ADD COLUMN z int;
ALTER TABLE parent DROP COLUMN z;
CREATE TEMP TABLE mine (i int PRIMARY KEY);
CREATE TABLE gone_before_seen (i int);
DROP TABLE gone_before_seen;
ALTER TABLE performance_metrics SET (fillfactor = 90);
SELECT * FROM noticed('2026-01-01 03:30+00');
-- a table made again is another one, though it looks the same
DROP TABLE "Kind, ""klein""";
CREATE TABLE "Kind, ""klein""" (id int UNIQUE);
ALTER TABLE "Kind, ""klein""" RENAME CONSTRAINT "Kind, ""klein""_id_key" TO child_id_key;
SELECT kind, object, attribute, old_value ~ '^\d+$' AS old, new_value ~ '^\d+$' AS new FROM noticed('2026-01-01 04:00+00');

-- partitions: a row each, and one for an index of all of them
CREATE TABLE parted (at date, v int) PARTITION BY RANGE (at);
CREATE INDEX parted_at ON parted (at);
SELECT * FROM noticed('2026-01-01 04:30+00');
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
SELECT kind, object, attribute FROM noticed('2026-01-01 05:00+00');
CREATE INDEX parted_v ON parted (v);
DROP TABLE parted_2;
ALTER TABLE parted DETACH PARTITION parted_1;
SELECT * FROM noticed('2026-01-01 05:30+00');

-- extensions, with their version alone
CREATE EXTENSION pg_stat_statements VERSION '1.9';
SELECT * FROM noticed('2026-01-01 06:00+00');
ALTER EXTENSION pg_stat_statements UPDATE TO '1.10';
SELECT * FROM noticed('2026-01-01 06:30+00');
DROP EXTENSION pg_stat_statements;
SELECT * FROM noticed('2026-01-01 07:00+00');

-- settings of the database and of a role in it; what may be a password is hidden
SELECT format('ALTER DATABASE %I SET work_mem = ''8MB''', current_database()) \gexec
SELECT format('ALTER ROLE CURRENT_USER IN DATABASE %I SET "app.password" = ''geheim''', current_database()) \gexec
SELECT kind, regexp_replace(object, 'role \S+', 'role ME') AS object, attribute, old_value,
       regexp_replace(new_value, '[0-9a-f]{8}$', 'HASH') AS new_value FROM noticed('2026-01-01 07:30+00');
SELECT format('ALTER ROLE CURRENT_USER IN DATABASE %I SET "app.password" = ''geheimer''', current_database()) \gexec
SELECT format('ALTER DATABASE %I SET work_mem = ''16MB''', current_database()) \gexec
SELECT kind, regexp_replace(object, 'role \S+', 'role ME') AS object, attribute, old_value <> new_value AS differs,
       coalesce(new_value, '') LIKE '%geheim%' AS told FROM noticed('2026-01-01 08:00+00');
SELECT count(*) FROM dbmaint_definitions WHERE facts::text LIKE '%geheim%';
SELECT format('ALTER ROLE CURRENT_USER IN DATABASE %I RESET ALL', current_database()) \gexec
SELECT format('ALTER DATABASE %I RESET work_mem', current_database()) \gexec
SELECT count(*) FROM noticed('2026-01-01 08:30+00');

-- what this session, or its database, has set is no change of the server's settings
SET work_mem = '3MB';
SET lock_timeout = '1h';
SET TimeZone = 'Asia/Kathmandu';
SET DateStyle = 'German';
SELECT count(*) FROM noticed('2026-01-01 09:00+00');
SELECT count(*) FROM dbmaint_changes WHERE kind = 'setting';
RESET ALL;

-- the clock set back
CREATE TABLE late (i int);
SELECT count(*) > 0 AS ran FROM noticed('2025-12-31 00:00+00');
SELECT lower_inf(seen_between) AS since_ever, upper(seen_between) = changed_at AS till_then FROM dbmaint_changes WHERE object = 'public.late';

-- a definition that is too long is cut, and a change behind the cut is seen
CREATE VIEW long AS SELECT repeat('a', 3) AS a, 1 AS b;
\set ECHO none
SELECT format('CREATE OR REPLACE VIEW long AS SELECT %L::text AS a, 1 AS b', repeat('ä', 20000)) \gexec
\set ECHO all
SELECT attribute, length(new_value) < 10200 AS cut FROM noticed('2026-01-02 00:00+00') WHERE object = 'public.long';
\set ECHO none
SELECT format('CREATE OR REPLACE VIEW long AS SELECT %L::text AS a, 2 AS b', repeat('ä', 20000)) \gexec
\set ECHO all
SELECT attribute, old_value <> new_value AS differs, length(new_value) < 10200 AS cut FROM noticed('2026-01-02 00:30+00');

-- a table of ours with a trigger is not written to, and nothing is lost
CREATE TRIGGER trap BEFORE INSERT ON dbmaint_change_history FOR EACH ROW EXECUTE FUNCTION nothing();
DROP TABLE late;
SELECT status FROM dbmaint_run_due('2026-01-02 01:00+00') WHERE collector = 'changes';
DROP TRIGGER trap ON dbmaint_change_history;
SELECT kind, object, attribute FROM noticed('2026-01-02 01:30+00');

-- another major version, and a copy of a database, begin anew
UPDATE dbmaint_definitions SET facts = facts || '{"version": "14"}', fingerprint = 0 WHERE kind = 'relations';
UPDATE dbmaint_definitions SET fingerprint = 0, facts = '{"owner": "nobody"}' WHERE object_oid <> 0;
SELECT * FROM noticed('2026-01-02 02:00+00');
UPDATE dbmaint_definitions SET database_oid = 1;
UPDATE dbmaint_change_history SET database_oid = 1;
CREATE TABLE after_copy (i int);
SELECT * FROM noticed('2026-01-02 02:30+00');
SELECT count(*) FROM dbmaint_changes;
SELECT count(DISTINCT database_oid) FROM dbmaint_definitions;

-- values of settings as SHOW writes them, from numbers and from files
SELECT v, dbmaint_setting_text(v, t, u) FROM (VALUES
    ('16384', 'integer', '8kB'), ('128MB', 'integer', '8kB'), ('131072kB', 'integer', '8kB'), ('1.5GB', 'integer', 'MB'), ('64', 'integer', 'MB'),
    ('-1', 'integer', 'MB'), ('0', 'integer', 's'), ('300', 'integer', 's'), ('5min', 'integer', 's'), ('90', 'integer', 'min'), ('1.5h', 'integer', 's'),
    ('100us', 'real', 'ms'), ('250', 'integer', 'ms'), ('512B', 'integer', 'B'), ('yes', 'bool', NULL), ('off', 'bool', NULL), ('Replica', 'enum', NULL),
    ('100', 'integer', NULL), ('a,b', 'string', NULL), ('nonsense', 'integer', 'kB'), ('nonsense', 'bool', NULL), (NULL, 'bool', NULL)) AS s(v, t, u);

SELECT name FROM unnest(ARRAY['work_mem', 'archive_command', 'log_replication_commands', 'primary_conninfo', 'data_directory', 'app.PassWord', 'x.api_key', 'no.such', ''])
    AS name WHERE dbmaint_setting_is_secret(name);

SELECT dbmaint_note_changes(NULL, true);
DROP MATERIALIZED VIEW kept;
DROP VIEW long;
DROP TABLE parent, "Kind, ""klein""", parted, parted_1, after_copy;
DROP FUNCTION nothing, noticed;
DROP EXTENSION dbmaint;
