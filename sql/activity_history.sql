-- Activity: ticks become rows, rows become averages; with planted rows.
CREATE EXTENSION dbmaint;

-- three ticks in a minute; nothing is stored before it is over
SELECT dbmaint_sample_activity(t) >= 0 AS looked
  FROM unnest('{2026-01-01 00:00:00+00,2026-01-01 00:00:01+00,2026-01-01 00:00:59.999+00}'::timestamptz[]) AS t;
SELECT * FROM dbmaint_run_due('2026-01-01 00:00:59.999+00') WHERE collector IN ('activity_history', 'log', 'connections');
SELECT count(*) FROM dbmaint_activity_history;
SELECT * FROM dbmaint_run_due('2026-01-01 00:02:00+00') WHERE collector IN ('activity_history', 'log', 'connections');
SELECT from_at AT TIME ZONE 'UTC' AS from_at, to_at AT TIME ZONE 'UTC' AS to_at, samples, dropped,
       cardinality(databases) = cardinality(query_ids) AND cardinality(events) = cardinality(counts) AS parallel
  FROM dbmaint_activity_history ORDER BY 1;

-- of minutes that nobody stored the last three are kept; the row that fills is not stored
SELECT count(dbmaint_sample_activity('2026-01-01 01:00:30+00'::timestamptz + i * interval '1 minute'))
  FROM generate_series(0, 4) AS i;
SELECT count(*) FROM dbmaint_run_due('2026-01-01 01:04:59+00') WHERE collector = 'activity_history' AND status = 'ok';
SELECT from_at AT TIME ZONE 'UTC' AS from_at, samples FROM dbmaint_activity_history ORDER BY 1;
-- the clock was set back: the row is finished, a new one begins; one that is there already stays
SELECT dbmaint_sample_activity('2026-01-01 00:00:10+00') >= 0 AS looked;
SELECT count(*) FROM dbmaint_run_due('2026-01-01 01:06:00+00') WHERE collector = 'activity_history' AND status = 'ok';
SELECT from_at AT TIME ZONE 'UTC' AS from_at, samples FROM dbmaint_activity_history ORDER BY 1;
TRUNCATE dbmaint_activity_history;
DELETE FROM dbmaint_wait_events;

-- two minutes of 60 samples: two sessions that compute, one that waits, idle ones
SELECT d.oid AS me FROM pg_database AS d WHERE d.datname = current_database() \gset
SELECT dbmaint_store_activity('2026-01-01 10:00+00', '2026-01-01 10:01+00', 60, 0,
    ARRAY[:me, :me, :me, 4294967295, :me, 0, :me]::oid[],
    ARRAY[1, 1, 1, -7, 1, 0, 0]::bigint[],
    '{active,active,active,active,idle in transaction,active,idle}',
    '{NULL,Lock,IO,LWLock,NULL,Extension,NULL}',
    '{NULL,transactionid,DataFileRead,"quoted \" ''name''",NULL,é,NULL}',
    '{90,30,12,6,60,3,600}');
-- the same thing given twice is added up; an interval that is there stays
SELECT dbmaint_store_activity('2026-01-01 10:01+00', '2026-01-01 10:02+00', 60, 5,
    ARRAY[:me, :me]::oid[], '{1,1}', '{active,active}', '{NULL,NULL}', '{NULL,NULL}', '{20,10}');
SELECT dbmaint_store_activity('2026-01-01 10:01+00', '2026-01-01 10:02+00', 1, 0, '{}', '{}', '{}', '{}', '{}', '{}');
-- a minute in which nobody was there
SELECT dbmaint_store_activity('2026-01-01 10:02+00', '2026-01-01 10:03+00', 60, 0, '{}', '{}', '{}', '{}', '{}', '{}');
-- what another database left behind
INSERT INTO dbmaint_activity_history VALUES (1, '2026-01-01 10:00+00', '2026-01-01 10:01+00', 60, 0, '{1}', '{1}', '{1}', '{6000}');

SELECT * FROM dbmaint_wait_events ORDER BY event_id;
SELECT from_at AT TIME ZONE 'UTC' AS from_at, samples, dropped, query_ids, events, counts
  FROM dbmaint_activity_history WHERE database_oid = :me ORDER BY 1;
SELECT from_at AT TIME ZONE 'UTC' AS from_at, query_id, state, wait_event_type, wait_event, count
  FROM dbmaint_activity_samples ORDER BY 1, count DESC;

SELECT replace(database, current_database(), 'me') AS database, query_id, state, average_sessions,
       round(active_share_ratio::numeric, 3) AS share, cpu_sessions AS cpu, lock_sessions AS lock,
       lwlock_sessions AS lwlock, io_sessions AS io, client_sessions AS client, other_sessions AS other, top_wait
  FROM dbmaint_activity('2026-01-01 10:00+00', '2026-01-01 10:01+00');
SELECT query_id, state, average_sessions, cpu_sessions FROM dbmaint_activity('2026-01-01 10:00+00', '2026-01-01 10:03+00') WHERE query_id = 1;
SELECT wait_event_type, wait_event, average_sessions, round(share_ratio::numeric, 3) AS share
  FROM dbmaint_wait_profile('2026-01-01 10:00+00', '2026-01-01 10:01+00');
SELECT wait_event_type, wait_event, round(average_sessions::numeric, 3) AS average, round(share_ratio::numeric, 3) AS share
  FROM dbmaint_wait_profile('2026-01-01 10:00+00', '2026-01-01 10:03+00', 1);
SELECT * FROM dbmaint_wait_profile('2026-01-01 10:00+00', '2026-01-01 10:01+00', 12345);
-- nothing known is no row
SELECT * FROM dbmaint_activity('2025-01-01', '2025-01-02');
SELECT * FROM dbmaint_wait_profile('2025-01-01', '2025-01-02');
SELECT count(*) FROM dbmaint_activity();
SELECT count(*) FROM dbmaint_wait_profile();

-- bad input
SELECT * FROM dbmaint_activity('2026-01-02', '2026-01-01');
SELECT * FROM dbmaint_wait_profile(NULL, '2026-01-01');
SELECT dbmaint_sample_activity('infinity');
SELECT dbmaint_sample_activity('1999-01-01');
-- code of others would run as superuser
\set SHOW_CONTEXT never
CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER planted BEFORE INSERT ON dbmaint_wait_events FOR EACH ROW EXECUTE FUNCTION planted();
SELECT dbmaint_store_activity('2026-01-01 10:05+00', '2026-01-01 10:06+00', 1, 0, '{}', '{}', '{}', '{}', '{}', '{}');
DROP TRIGGER planted ON dbmaint_wait_events;
CREATE RULE planted AS ON INSERT TO dbmaint_activity_history DO INSTEAD NOTHING;
SELECT dbmaint_store_activity('2026-01-01 10:05+00', '2026-01-01 10:06+00', 1, 0, '{}', '{}', '{}', '{}', '{}', '{}');
DROP RULE planted ON dbmaint_activity_history;
DROP FUNCTION planted();

-- who may
SELECT c.relname FROM pg_class AS c
 WHERE c.relname ~ '^dbmaint_(activity|wait|record|log|connection)' AND c.relkind IN ('r', 'v')
   AND (NOT has_table_privilege('pg_monitor', c.oid, 'SELECT') OR c.relacl::text ~ '[{,]=');
CREATE ROLE dbmaint_plain;
SET ROLE dbmaint_plain;
SELECT * FROM dbmaint_activity();
SELECT * FROM dbmaint_wait_profile();
SELECT * FROM dbmaint_activity_samples;
SELECT dbmaint_sample_activity(now());
RESET ROLE;
GRANT pg_monitor TO dbmaint_plain;
SET ROLE dbmaint_plain;
SELECT count(*) FROM dbmaint_activity('2026-01-01 10:00+00', '2026-01-01 10:01+00');
SELECT dbmaint_sample_activity(now());
RESET ROLE;
DROP ROLE dbmaint_plain;
DROP EXTENSION dbmaint;
