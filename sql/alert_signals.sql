-- What the collectors of alerts read, of things that are there: every instance
-- by its quoted name, and what is at its limit.
\set SHOW_CONTEXT never
CREATE EXTENSION dbmaint;
CREATE VIEW signal AS SELECT s.* FROM dbmaint_signals(now(), true) AS s;
CREATE VIEW object_signal AS SELECT s.* FROM dbmaint_object_signals(now(), false) AS s;
-- each series that has a collector here is named, but for those of PgBouncer,
-- standbys, slots, archiving, checksums and disks, see test/tap/102_alert_sources.pl
SELECT s.metric FROM dbmaint_series_metrics() AS s
 WHERE s.metric <> 'damaged_pages' AND NOT EXISTS (SELECT FROM signal AS g WHERE g.metric = s.metric)
   AND NOT EXISTS (SELECT FROM object_signal AS g WHERE g.metric = s.metric)
 ORDER BY 1;
SELECT metric, instance, value >= 0 AS known FROM signal
 WHERE metric NOT LIKE 'slot%' AND metric NOT LIKE 'replication%' AND metric NOT LIKE 'archive%' AND metric <> 'damaged_pages'
   AND (instance IS NULL OR instance IN ('', current_database()))
 ORDER BY 1, 2;
-- ages as shares of what the server allows, and of what autovacuum is told
SELECT abs(s.value * 2147483648 - age(d.datfrozenxid)) < 100 AS near, f.value < 1 AS in_time
  FROM signal AS s, signal AS f, pg_database AS d
 WHERE s.metric = 'transaction_id_age_ratio' AND s.instance = d.datname AND d.datname = current_database()
   AND f.metric = 'freeze_overdue_ratio' AND f.instance = d.datname;
-- another than the home database reads nothing of the server
SELECT * FROM dbmaint_signals(now(), false);

-- tables: over 1,000 dead rows, and old statistics
CREATE SCHEMA "Odd ""one""";
CREATE TABLE "Odd ""one"""."ta""ble
of two lines" (i int) WITH (autovacuum_enabled = off);
INSERT INTO "Odd ""one"""."ta""ble
of two lines" SELECT generate_series(1, 4004);
DELETE FROM "Odd ""one"""."ta""ble
of two lines" WHERE i <= 1001;
-- as many changes as make autovacuum look are old, fewer are not
CREATE TABLE few (i int) WITH (autovacuum_enabled = off);
INSERT INTO few SELECT generate_series(1, 1000);
DELETE FROM few;
SELECT pg_stat_force_next_flush();
SELECT metric, instance, value FROM object_signal WHERE metric = 'dead_ratio_pct' ORDER BY 1, 2;
SELECT metric, instance, value < 1 AS since_today FROM object_signal WHERE metric = 'statistics_age_days' AND instance NOT LIKE 'public.dbmaint%' ORDER BY 1, 2;
SELECT round(s.value) FROM dbmaint_object_signals(now() + interval '30 days', false) AS s WHERE metric = 'statistics_age_days' AND instance = 'public.few';
ANALYZE few;
INSERT INTO few SELECT generate_series(1, 50);
SELECT pg_stat_force_next_flush();
SELECT count(*) FROM object_signal WHERE metric = 'statistics_age_days' AND instance = 'public.few';
INSERT INTO few VALUES (51);
SELECT pg_stat_force_next_flush();
SELECT count(*) FROM object_signal WHERE metric = 'statistics_age_days' AND instance = 'public.few';

-- sequences from a half on
CREATE SEQUENCE half MAXVALUE 100;
SELECT setval('half', 49);
CREATE SEQUENCE "three ""quarters""" AS smallint MAXVALUE 100;
SELECT setval('"three ""quarters"""', 76);
SELECT instance, value FROM object_signal WHERE metric = 'sequence_used_ratio' ORDER BY 2 NULLS FIRST;
SELECT setval('half', 50);
SELECT instance, value FROM object_signal WHERE metric = 'sequence_used_ratio' ORDER BY 2 NULLS FIRST;
SELECT value FROM object_signal WHERE metric = 'invalid_indexes';

-- partitions that are made ahead: a month's, a year's, none, and what has no end
CREATE FUNCTION make_ranges(parent text, first timestamptz, width interval, count int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %I (at timestamptz) PARTITION BY RANGE (at)', parent);
    FOR n IN 0 .. count - 1 LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', parent || ' ' || n, parent, first + n * width, first + (n + 1) * width);
    END LOOP;
END
$$;
SELECT make_ranges('by "day"', now() - interval '12 hours', '1 day', 4);
SELECT make_ranges('ends tomorrow', now() - interval '9 days', '10 days', 1);
SELECT make_ranges('over', now() - interval '30 days', '20 days', 1);
SELECT make_ranges('long over', now() - interval '90 days', '20 days', 2);
SELECT make_ranges('far', now() - interval '1 day', '70 days', 1);
SELECT make_ranges('empty', now(), '1 day', 0);
CREATE TABLE endless (at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE endless_1 PARTITION OF endless FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
SELECT instance, value FROM object_signal WHERE metric = 'premade_partitions' ORDER BY 2 NULLS FIRST, 1;
SELECT instance, value FROM dbmaint_object_signals(now() + interval '10 days', false) WHERE metric = 'premade_partitions' AND instance LIKE '%far%';

-- by policy whatever the key is: numbers, seconds, UUIDs of version 7, a month
CREATE TABLE numbers (id bigint NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE numbers_0 PARTITION OF numbers FOR VALUES FROM (0) TO (1000);
CREATE TABLE numbers_1 PARTITION OF numbers FOR VALUES FROM (1000) TO (2000);
CREATE TABLE numbers_2 PARTITION OF numbers FOR VALUES FROM (2000) TO (3000);
CREATE INDEX ON numbers (id);
CREATE TABLE seconds (at bigint NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE uuids (id uuid NOT NULL) PARTITION BY RANGE (id);
DO $$
DECLARE
    day CONSTANT bigint := extract(epoch FROM date_trunc('day', now(), 'UTC'));
    uuid7 CONSTANT text := '%s-%s-7000-8000-000000000000';
    ms text;
    next_ms text;
BEGIN
    FOR i IN 0 .. 1 LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF seconds FOR VALUES FROM (%s) TO (%s)', 'seconds_' || i, day + i * 86400, day + (i + 1) * 86400);
        ms := lpad(to_hex((day + i * 86400) * 1000), 12, '0');
        next_ms := lpad(to_hex((day + (i + 1) * 86400) * 1000), 12, '0');
        EXECUTE format('CREATE TABLE %I PARTITION OF uuids FOR VALUES FROM (%L) TO (%L)', 'uuids_' || i,
            format(uuid7, left(ms, 8), right(ms, 4)), format(uuid7, left(next_ms, 8), right(next_ms, 4)));
    END LOOP;
END
$$;
CREATE TABLE noindex (id int NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE noindex_0 PARTITION OF noindex FOR VALUES FROM (0) TO (1000);
CREATE TABLE noindex_1 PARTITION OF noindex FOR VALUES FROM (1000) TO (2000);
CREATE VIEW premade AS SELECT g.instance, g.value FROM object_signal AS g WHERE g.metric = 'premade_partitions' AND g.instance ~ 'numbers|seconds|uuids|noindex|ends' ORDER BY 1;
-- no policy, no alert but that of times
INSERT INTO numbers VALUES (500);
SELECT * FROM premade;
SELECT dbmaint_set_partition_policy('numbers', 2), dbmaint_set_partition_policy('seconds', 3, time_zone => 'UTC'),
       dbmaint_set_partition_policy('uuids', 1, time_zone => 'UTC'), dbmaint_set_partition_policy('"ends tomorrow"', 1, time_zone => 'UTC');
-- what there is enough of is not told: numbers, and UUIDs, of which the next day is all that is wanted
SELECT * FROM premade;
INSERT INTO numbers VALUES (1500);
SELECT * FROM premade;
INSERT INTO numbers VALUES (2500);
SELECT * FROM premade;
-- a job may try first, unless one has failed
SELECT dbmaint_queue_partition_jobs(now(), false);
SELECT * FROM premade;
SELECT s.instance, s.value FROM dbmaint_object_signals(now() + interval '16 minutes', false) AS s WHERE s.metric = 'premade_partitions' AND s.instance = 'public.numbers';
UPDATE dbmaint_job_queue SET message = 'it failed' WHERE target = 'public.numbers';
SELECT * FROM premade;
DELETE FROM dbmaint_job_queue;
-- the greatest key is not looked for without an index
ALTER TABLE noindex ADD PRIMARY KEY (id);
SELECT dbmaint_set_partition_policy('noindex', 2);
ALTER TABLE noindex DROP CONSTRAINT noindex_pkey;
SELECT * FROM premade WHERE instance ~ 'noindex';
SELECT dbmaint_drop_partition_policy('noindex');
SELECT * FROM premade WHERE instance ~ 'noindex';
SELECT dbmaint_set_partition_policy('numbers', 2, enabled => false);
SELECT * FROM premade;

-- backups that somebody tells of
SELECT metric, round(value::numeric, 2) AS hours FROM signal WHERE metric = 'backup_age_hours';
SELECT dbmaint_note_backup(now() - interval '30 hours', 'pg_dump to tape') > 0 AS noted;
SELECT metric, round(value::numeric, 2) AS hours FROM signal WHERE metric = 'backup_age_hours';
SELECT metric, round(value::numeric, 2) AS hours FROM dbmaint_signals(now(), false);
SELECT metric, value FROM dbmaint_signals(now() - interval '31 hours', false);
SELECT dbmaint_note_backup() > 0 AS noted;
SELECT metric, round(value::numeric, 2) AS hours FROM signal WHERE metric = 'backup_age_hours';
SELECT note, noted_by = session_user AS by_me, ended_at <= now() AS before_now FROM dbmaint_backups ORDER BY backup_id;
SELECT dbmaint_note_backup(NULL);
SELECT dbmaint_note_backup('infinity');
\set VERBOSITY sqlstate
SELECT dbmaint_note_backup(now() + interval '1 hour');
\set VERBOSITY default

-- a disk that fills up, by what was sampled: what is free was used twice over
-- in the last fortnight, and will be gone in a week
INSERT INTO dbmaint_capacity_samples (database_oid, at, resource, instance, used, limit_value, counter)
SELECT d.oid, now() - h * interval '1 hour', r.resource, r.instance, r.used - (r.limit_value - r.used) * h / 168.0, r.limit_value, NULL
  FROM pg_database AS d, generate_series(0, 336) AS h,
       (SELECT s.* FROM dbmaint_server_resources() AS s WHERE s.resource = 'disk' ORDER BY s.instance LIMIT 1) AS r
 WHERE d.datname = current_database();
SELECT metric, instance = (SELECT min(instance) FROM dbmaint_capacity_samples) AS the_disk, round(value::numeric, 1)
  FROM dbmaint_capacity_signals(now(), true) ORDER BY 2;

-- values that are none
SELECT dbmaint_backtest_readings(ARRAY[now(), now() + interval '1 s'], ARRAY['NaN', 'Infinity']::float8[], '>', 1, 0, 0, 1000000);
\set VERBOSITY terse
DROP SCHEMA "Odd ""one""" CASCADE;
DROP EXTENSION dbmaint CASCADE;
