-- What has an end: growth from samples, time to exhaustion, statuses, sequences and keys, partitions.
CREATE EXTENSION dbmaint;
\set SHOW_CONTEXT never
\pset format unaligned
\pset fieldsep ' | '
CREATE SEQUENCE plain;
CREATE SEQUENCE up AS smallint;
CREATE SEQUENCE down INCREMENT -1;
CREATE SEQUENCE around MAXVALUE 10 CYCLE;
CREATE SEQUENCE shared;
CREATE TABLE "K é'""x" (
    id serial, big bigserial, small smallserial,
    always int GENERATED ALWAYS AS IDENTITY, big_always bigint GENERATED ALWAYS AS IDENTITY,
    lent int DEFAULT nextval('shared'), lent_small smallint DEFAULT nextval('shared'));
-- a bigint sequence over an integer column is bounded by the column
ALTER SEQUENCE "K é'""x_id_seq" AS bigint MAXVALUE 9223372036854775807;
SELECT setval('"K é''""x_id_seq"', 1900000000), setval('up', 100), setval('down', -1000), setval('shared', 30000), setval('plain', 5, false);
CREATE TEMP SEQUENCE mine;
-- what comes next counts, called or not; and a domain is what it is made of
CREATE DOMAIN number AS int CHECK (VALUE > 0);
CREATE DOMAIN small AS smallint;
CREATE DOMAIN smaller AS small NOT NULL;
CREATE DOMAIN large AS bigint;
CREATE SEQUENCE domains;
CREATE TABLE at_end (restarted serial, begun int GENERATED ALWAYS AS IDENTITY (START WITH 2147483600), put serial,
    descends int GENERATED ALWAYS AS IDENTITY (INCREMENT -1 MINVALUE -10 START WITH -10),
    of_domain number DEFAULT nextval('domains'), of_two smaller DEFAULT nextval('domains'), of_large large DEFAULT nextval('domains'));
ALTER SEQUENCE at_end_restarted_seq RESTART WITH 2147483600;
SELECT setval('at_end_put_seq', 2147483647, false), setval('domains', 32000);

SELECT resource, instance, used, limit_value, round(used_ratio::numeric, 4) AS used_ratio, status
  FROM dbmaint_capacity() WHERE resource IN ('sequence', 'integer_key') AND instance !~ 'dbmaint_'
 ORDER BY resource, instance COLLATE "C";
SELECT detail FROM dbmaint_capacity() WHERE instance LIKE '%x".lent';
SELECT detail FROM dbmaint_capacity() WHERE instance LIKE 'public.at_end.of_%' ORDER BY instance;
SELECT nextval('at_end_put_seq');
SELECT instance, used = limit_value AS ended, status FROM dbmaint_capacity() WHERE instance = 'public.at_end.put';
DROP TABLE at_end;
DROP SEQUENCE domains;
DROP DOMAIN number, smaller, small, large;

-- what is of the server is there, whoever is home
SELECT resource, count(*) > 0 AS some, bool_and(limit_value > 0 AND used >= 0) AS known, bool_and(growth_per_day IS NULL) AS no_growth_yet
  FROM dbmaint_capacity() WHERE resource NOT IN ('sequence', 'integer_key', 'partitions') GROUP BY resource ORDER BY resource;

-- samples: those from a thousandth on, every six hours when they changed, else daily
SELECT status FROM dbmaint_run_due('2026-01-01 00:00+00') WHERE collector = 'capacity';
SELECT resource, instance, used FROM dbmaint_capacity_samples WHERE resource IN ('sequence', 'integer_key') ORDER BY instance COLLATE "C";
SELECT count(*) FROM dbmaint_run_due('2026-01-01 01:00+00') WHERE status !~ '^(ok$|rolled up|expired)';
SELECT setval('up', 200);
SELECT count(*) FROM dbmaint_run_due('2026-01-01 02:00+00') WHERE status !~ '^(ok$|rolled up|expired)';
SELECT count(*) FROM dbmaint_run_due('2026-01-01 06:00+00') WHERE status !~ '^(ok$|rolled up|expired)';
SELECT count(*) FROM dbmaint_run_due('2026-01-02 00:00+00') WHERE status !~ '^(ok$|rolled up|expired)';
SELECT instance, array_agg(extract(day FROM at AT TIME ZONE 'UTC') || ' ' || to_char(at AT TIME ZONE 'UTC', 'HH24:MI') ORDER BY at) AS at
  FROM dbmaint_capacity_samples WHERE resource IN ('sequence', 'integer_key') GROUP BY instance ORDER BY instance COLLATE "C";
SELECT count(*) > 0 AS copied FROM dbmaint_capacity_samples WHERE database_oid <> (SELECT oid FROM pg_database WHERE datname = current_database());

-- growth: two million keys a day for ten days, with a wild sample, and what
-- another database left behind
TRUNCATE dbmaint_capacity_samples;
INSERT INTO dbmaint_capacity_samples (database_oid, at, resource, instance, used, limit_value)
SELECT d.oid, timestamptz '2021-03-01 00:00+00' - n * interval '6 hours', 'integer_key', $$public."K é'""x".id$$,
       CASE WHEN n = 17 THEN 1 ELSE 1900000000 - n * 500000 END, 2147483647
  FROM generate_series(0, 40) AS n, pg_database AS d WHERE d.datname IN (current_database(), 'template1');
SELECT used, growth_per_day, exhausted_at AT TIME ZONE 'UTC' AS exhausted_at, exhausted_earliest <= exhausted_at AS earliest,
       exhausted_latest >= exhausted_at AS latest, status, detail
  FROM dbmaint_capacity('30 days', '2021-03-01 00:00+00') WHERE instance LIKE '%x".id';
-- by when it ends: never, not within 10 years, in 30 days, in 7, in 1
CREATE FUNCTION with_growth(a_day numeric, OUT growth_per_day float8, OUT exhausted_at timestamp, OUT status text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM dbmaint_capacity_samples;
    INSERT INTO dbmaint_capacity_samples (database_oid, at, resource, instance, used, limit_value)
    SELECT d.oid, timestamptz '2021-03-01 00:00+00' - n * interval '1 day', 'sequence', 'public.plain', (1e15 - n * a_day), 9223372036854775807
      FROM generate_series(0, 10) AS n, pg_database AS d WHERE d.datname = current_database();
    SELECT c.growth_per_day, c.exhausted_at AT TIME ZONE 'UTC', c.status, c.detail INTO growth_per_day, exhausted_at, status, detail
      FROM dbmaint_capacity('30 days', '2021-03-01 00:00+00') AS c WHERE c.instance = 'public.plain';
END $$;
SELECT setval('plain', 1000000000000000);
SELECT w.* FROM unnest(ARRAY[0, -5, 1000, 3e17, 1e18, 2e18, 1e19]) WITH ORDINALITY AS a(a_day, n), with_growth(a_day) AS w ORDER BY n;

-- too little of it
DELETE FROM dbmaint_capacity_samples WHERE at < '2021-02-27';
SELECT growth_per_day, exhausted_at, status FROM dbmaint_capacity('30 days', '2021-03-01 00:00+00') WHERE instance = 'public.plain';
SELECT growth_per_day, status, detail FROM dbmaint_capacity() WHERE instance LIKE '%x".id';

-- the past is what was sampled until then: the value, the limit, the growth
CREATE FUNCTION at_times(name text, instants timestamptz[], OUT at timestamp, OUT used numeric, OUT limit_value numeric, OUT growth_per_day numeric,
                         OUT exhausted_at timestamp, OUT earliest boolean, OUT status text, OUT detail text)
RETURNS SETOF record LANGUAGE sql AS $$
    SELECT i.at AT TIME ZONE 'UTC', c.used, c.limit_value, round(c.growth_per_day::numeric, 3), c.exhausted_at AT TIME ZONE 'UTC', c.exhausted_earliest IS NOT NULL, c.status, c.detail
      FROM unnest(instants) WITH ORDINALITY AS i(at, n), dbmaint_capacity('40 days', i.at) AS c WHERE c.instance = name ORDER BY i.n
$$;
DELETE FROM dbmaint_capacity_samples;
INSERT INTO dbmaint_capacity_samples (database_oid, at, resource, instance, used, limit_value)
SELECT d.oid, timestamptz '2021-03-01 00:00+00' - n * interval '1 day', 'sequence', 'public.up', 3000 + greatest(0, 6 - n) * 4500, CASE WHEN n > 20 THEN 10000 ELSE 32767 END
  FROM generate_series(0, 30) AS n, pg_database AS d WHERE d.datname = current_database();
-- it grows since six days, is full in hours; of late; before that it did not grow, and was not there
SELECT * FROM at_times('public.up', '{2021-03-01 00:00+00,2021-02-26 00:00+00,2021-02-23 12:00+00,2021-02-05 00:00+00,2021-01-01 00:00+00}');
-- with less before it the slope alone sees it
DELETE FROM dbmaint_capacity_samples WHERE at < '2021-02-13';
SELECT * FROM at_times('public.up', '{2021-02-28 00:00+00}');
-- days are of 24 hours, whatever the session's clock does on 14 March
SET TimeZone = 'America/New_York';
SELECT * FROM with_growth(3e17);
SET TimeZone = 'Asia/Tokyo';
SELECT * FROM with_growth(3e17);
RESET TimeZone;
DROP FUNCTION at_times;

-- transaction ids: growth is that of their number, not of the oldest one's age
DELETE FROM dbmaint_capacity_samples;
INSERT INTO dbmaint_capacity_samples (database_oid, at, resource, instance, used, limit_value, counter)
SELECT d.oid, timestamptz '2021-03-01 00:00+00' - n * interval '1 day', 'transaction_ids', 'server', (n * 7919) % 1000, 2144483647,
       pg_snapshot_xmax(pg_current_snapshot())::text::numeric - n * 100000000
  FROM generate_series(0, 10) AS n, pg_database AS d WHERE d.datname = current_database();
SELECT round(growth_per_day / 100000000) AS growth, date_trunc('day', exhausted_at AT TIME ZONE 'UTC') AS exhausted_at, status
  FROM dbmaint_capacity('30 days', '2021-03-01 00:00+00') WHERE resource = 'transaction_ids';

-- partitions, by the time now
CREATE TABLE by_day (at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE "by'date" (at date) PARTITION BY RANGE (at);
CREATE TABLE by_list (at date) PARTITION BY LIST (at);
CREATE TABLE by_number (i int) PARTITION BY RANGE (i);
CREATE TABLE by_two (at timestamp, i int) PARTITION BY RANGE (at, i);
CREATE TABLE for_ever PARTITION OF by_two FOR VALUES FROM ('2020-01-01', 1) TO (MAXVALUE, MAXVALUE);
CREATE TABLE rest PARTITION OF "by'date" DEFAULT;
SELECT instance, used, limit_value, exhausted_at, status, detail FROM dbmaint_capacity() WHERE resource = 'partitions' ORDER BY instance COLLATE "C";
\set ECHO none
SELECT format('CREATE TABLE by_day_%1$s PARTITION OF by_day FOR VALUES FROM (%2$L) TO (%3$L)', 1 + n,
              date_trunc('day', now()) + n * interval '1 day', date_trunc('day', now()) + (n + 1) * interval '1 day')
  FROM generate_series(0, 9) AS n \gexec
\set ECHO all
SELECT s.days, c.used, c.limit_value, c.exhausted_at = date_trunc('day', now()) + interval '10 days' AS ends, c.status, c.detail
  FROM unnest(ARRAY[0, 8, 9, 11]) AS s(days), dbmaint_capacity('30 days', date_trunc('day', now()) + (s.days + 0.5) * interval '1 day') AS c
 WHERE c.resource = 'partitions' AND c.instance = 'public.by_day' ORDER BY 1;

-- who may read statistics may read sequences, too; of the past there are samples, or none
CREATE ROLE forecast_reader IN ROLE pg_monitor;
INSERT INTO dbmaint_capacity_samples (database_oid, at, resource, instance, used, limit_value)
SELECT d.oid, '2021-03-01 00:00+00', 'sequence', 'public.up', 77, 32767 FROM pg_database AS d WHERE d.datname = current_database();
SET ROLE forecast_reader;
SELECT instance, used, status, detail FROM dbmaint_capacity('30 days', '2021-03-02 00:00+00') WHERE instance IN ('public.up', 'public.down') ORDER BY 1;
SELECT instance, used FROM dbmaint_capacity() WHERE instance IN ('public.up', 'public.down') ORDER BY 1;
SELECT dbmaint_note_capacity(now(), true);
RESET ROLE;
DROP ROLE forecast_reader;

-- bad input
SELECT dbmaint_capacity('1 hour');
SELECT dbmaint_capacity(NULL);
SELECT dbmaint_capacity('30 days', '-infinity');
SELECT dbmaint_note_capacity(NULL, false);
DROP TABLE "K é'""x", by_day, "by'date", by_list, by_number, by_two;
DROP SEQUENCE plain, up, down, around, shared;
DROP FUNCTION with_growth;
DROP EXTENSION dbmaint;
