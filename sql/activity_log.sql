-- Log: messages are counted as they are logged; spikes, with planted rows.
CREATE EXTENSION dbmaint;

SELECT sqlstate, dbmaint_condition_name(sqlstate)
  FROM unnest('{00000,22012,40P01,XX002,ZZZZZ,2201,220122,"",é}'::text[]) AS sqlstate;
SELECT dbmaint_condition_name(NULL);

-- what is logged counts, what is caught or only told the client does not
SHOW log_min_messages;
CREATE VIEW mine AS
SELECT c.sqlstate, c.severity, c.messages, c.not_stored
  FROM dbmaint_log_counts() AS c, pg_database AS d
 WHERE d.datname = current_database() AND c.session_database_oid = d.oid AND c.sqlstate <> '00000'
 ORDER BY 1, 2;
SELECT 1 / 0;
SELECT 1 / 0;
DO $$BEGIN RAISE WARNING 'w' USING ERRCODE = '01P01'; RAISE NOTICE 'n'; RAISE INFO 'i'; END$$;
DO $$BEGIN PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN NULL; END$$;
DO $$BEGIN RAISE EXCEPTION 'of a user' USING ERRCODE = 'ZZ0Z9'; END$$;
SELECT * FROM mine;

-- a turn stores what is new, and nothing where nothing is
SELECT collector, status FROM dbmaint_run_due('2026-01-01 00:00+00') WHERE collector = 'log';
SELECT u.sqlstate, u.severity, u.count
  FROM dbmaint_log_history AS h, unnest(h.databases, h.sqlstates, h.severities, h.counts) AS u(database, sqlstate, severity, count), pg_database AS d
 WHERE d.datname = current_database() AND u.database = d.oid AND u.sqlstate <> '00000' ORDER BY 1, 2;
SELECT * FROM mine;
SELECT 1 / 0;
SELECT count(*) FROM dbmaint_run_due('2026-01-01 00:01+00') WHERE collector = 'log' AND status = 'ok';
SELECT count(*) FROM dbmaint_run_due('2026-01-01 00:02+00') WHERE collector = 'log' AND status = 'ok';
SELECT h.at AT TIME ZONE 'UTC' AS at, u.sqlstate, u.count
  FROM dbmaint_log_history AS h, unnest(h.databases, h.sqlstates, h.severities, h.counts) AS u(database, sqlstate, severity, count), pg_database AS d
 WHERE d.datname = current_database() AND u.database = d.oid AND u.sqlstate = '22012' ORDER BY 1;
SELECT * FROM mine;

-- a turn whose storing fails keeps the counts
CREATE RULE planted AS ON INSERT TO dbmaint_log_history DO INSTEAD NOTHING;
SELECT 1 / 0;
SELECT collector, status FROM dbmaint_run_due('2026-01-01 00:03+00') WHERE collector = 'log';
SELECT * FROM mine WHERE not_stored > 0;
DROP RULE planted ON dbmaint_log_history;
SELECT collector, status FROM dbmaint_run_due('2026-01-01 00:04+00') WHERE collector = 'log';
SELECT * FROM mine WHERE not_stored > 0;

-- nor is anything lost where the turn is rolled back
SELECT 1 / 0;
BEGIN;
SELECT status FROM dbmaint_run_due('2026-01-01 00:05+00') WHERE collector = 'log';
SELECT * FROM mine WHERE not_stored > 0;
SELECT status FROM dbmaint_run_due('2026-01-01 00:06+00') WHERE collector = 'log';
ROLLBACK;
SELECT * FROM mine WHERE not_stored > 0;
BEGIN;
SAVEPOINT before;
SELECT status FROM dbmaint_run_due('2026-01-01 00:07+00') WHERE collector = 'log';
SELECT * FROM mine WHERE not_stored > 0;
ROLLBACK TO before;
SELECT * FROM mine WHERE not_stored > 0;
COMMIT;
SELECT * FROM mine WHERE not_stored > 0;
SELECT status FROM dbmaint_run_due('2026-01-01 00:08+00') WHERE collector = 'log';
SELECT * FROM mine WHERE not_stored > 0;

-- planted: before and now
TRUNCATE dbmaint_log_history;
DELETE FROM performance_metrics;
SELECT d.oid AS me FROM pg_database AS d WHERE d.datname = current_database() \gset
SELECT dbmaint_store_log(now() - interval '1.5 hours', ARRAY[:me, :me, :me, 0]::oid[], '{F0001,HV00B,HV00C,HV00D}', '{ERROR,ERROR,WARNING,FATAL}', '{10,10,40,1}');
SELECT dbmaint_store_log(now() - interval '30 minutes', ARRAY[:me, :me, 4294967295, NULL]::oid[], '{F0001,HV00B,F0001,NULL}', '{ERROR,ERROR,ERROR,ERROR}', '{20,30,11,10}');
SELECT dbmaint_store_log(now() - interval '20 minutes', ARRAY[:me, 0, :me]::oid[], '{HV00C,HV00D,HV00E}', '{WARNING,FATAL,LOG}', '{100,9,1000}');
-- what another database left behind
INSERT INTO dbmaint_log_history VALUES (1, now() - interval '3 hours', '{1}', '{F0001}', '{ERROR}', '{5000}');
CREATE VIEW errors AS
SELECT sqlstate, condition_name, severity, message_count, round(per_hour) AS per_hour, previous_count, status,
       replace(databases::text, current_database(), 'me') AS databases,
       round(extract(epoch FROM now() - first_seen_at) / 60) AS first_min, round(extract(epoch FROM now() - last_seen_at) / 60) AS last_min
  FROM dbmaint_log_errors('1 hour') WHERE sqlstate ~ '^(F0|HV)' OR sqlstate IS NULL;
-- the time before is not all known
SELECT * FROM errors;
-- now it is
INSERT INTO performance_metrics ("timestamp", database_oid) VALUES (now() - interval '5 hours', :me);
SELECT * FROM errors;
-- what is not stored yet is in it, too
DO $$BEGIN RAISE WARNING 'w' USING ERRCODE = 'HV00R'; END$$;
SELECT sqlstate, message_count, last_min FROM errors WHERE sqlstate = 'HV00R';
SELECT sqlstate, message_count, per_hour, previous_count FROM dbmaint_log_errors('25 minutes') WHERE sqlstate ~ '^HV00[CD]';

-- bad input, rights
SELECT * FROM dbmaint_log_errors(NULL);
SELECT * FROM dbmaint_log_errors('-1 hour');
CREATE ROLE dbmaint_plain;
SET ROLE dbmaint_plain;
SELECT * FROM dbmaint_log_errors();
SELECT * FROM dbmaint_log_counts();
SELECT * FROM dbmaint_log_history;
SELECT dbmaint_condition_name('22012');
RESET ROLE;
GRANT pg_monitor TO dbmaint_plain;
SET ROLE dbmaint_plain;
SELECT count(*) > 0 AS rows FROM dbmaint_log_errors();
SELECT dbmaint_store_log(now(), '{}', '{}', '{}', '{}');
RESET ROLE;
DROP ROLE dbmaint_plain;
DROP VIEW mine, errors;
DROP EXTENSION dbmaint;
