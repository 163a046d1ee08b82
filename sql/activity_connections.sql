-- Connection leaks: growth over days, with planted rows; the recorder's tables.
CREATE EXTENSION dbmaint;

-- the turn stores one row an hour
SELECT collector, status FROM dbmaint_run_due('2026-01-01 00:00+00') WHERE collector = 'connections';
SELECT count(*) FROM dbmaint_run_due('2026-01-01 00:59:59+00') WHERE collector = 'connections';
SELECT count(*) FROM dbmaint_run_due('2026-01-01 01:00+00') WHERE collector = 'connections';
SELECT at AT TIME ZONE 'UTC' AS at, cardinality(applications) = cardinality(sessions) AS parallel
  FROM dbmaint_connection_history ORDER BY 1;
TRUNCATE dbmaint_connection_history;

-- six days, two readings each: one grows, one varies, one came today, one is
-- missing in every second reading, one grows slowly and has an odd name
SELECT d.oid AS me FROM pg_database AS d WHERE d.datname = current_database() \gset
INSERT INTO dbmaint_connection_history
SELECT :me, date_trunc('day', now()) - i * interval '1 day' + h * interval '10 minutes',
       ARRAY['planted_leaky', 'planted_steady', 'planted "é'' %s']
           || CASE WHEN h = 0 THEN ARRAY['planted_often'] ELSE '{}' END
           || CASE WHEN i = 0 THEN ARRAY['planted_new'] ELSE '{}' END,
       ARRAY['u', 'u', 'u'] || CASE WHEN h = 0 THEN ARRAY['u'] ELSE '{}' END
           || CASE WHEN i = 0 THEN ARRAY['u'] ELSE '{}' END,
       ARRAY[20 - 2 * i + 5 * h, 10 + i % 2, 30 - i] || CASE WHEN h = 0 THEN ARRAY[50 - 5 * i] ELSE '{}' END
           || CASE WHEN i = 0 THEN ARRAY[1] ELSE '{}' END,
       ARRAY[1, 1, 1] || CASE WHEN h = 0 THEN ARRAY[1] ELSE '{}' END || CASE WHEN i = 0 THEN ARRAY[1] ELSE '{}' END,
       ARRAY[0, 0, 0] || CASE WHEN h = 0 THEN ARRAY[0] ELSE '{}' END || CASE WHEN i = 0 THEN ARRAY[0] ELSE '{}' END
  FROM generate_series(0, 5) AS i, generate_series(0, 1) AS h;
-- what another database left behind
INSERT INTO dbmaint_connection_history VALUES (1, now(), '{planted_leaky}', '{u}', '{0}', '{0}', '{0}');

SELECT application, days_known, least_first_day, least_last_day, round(sessions_per_day::numeric, 2) AS slope, growing
  FROM dbmaint_connection_growth(7) ORDER BY application COLLATE "C";
SELECT application, username, sessions, idle_sessions, idle_in_transaction_sessions, longest_idle_ms,
       client_addresses, sessions_per_day, growing, status, advice
  FROM dbmaint_connection_leaks() WHERE application LIKE 'planted%';
-- less than three days tell nothing
SELECT count(*), bool_and(growing IS NULL) FROM dbmaint_connection_growth(1);
SELECT count(*) FROM dbmaint_connection_leaks('10 minutes', '1 minute', 1) WHERE application LIKE 'planted%';

-- the recorder, which nobody writes here
SELECT count(*) >= 0 AS works FROM dbmaint_recorder();
SELECT dbmaint_recorder_freeze('it''s "é"') AS first \gset
SELECT dbmaint_recorder_freeze('', '1 second') = :first + 1 AS second;
SELECT reason, observations >= 0 AS observations FROM dbmaint_recordings ORDER BY recording_id;


-- bad input, rights
SELECT * FROM dbmaint_connection_leaks(NULL);
SELECT * FROM dbmaint_connection_leaks('-1 s');
SELECT * FROM dbmaint_connection_leaks('1 s', '1 s', 0);
SELECT * FROM dbmaint_recorder(NULL);
SELECT * FROM dbmaint_recorder('-1 minute');
SELECT dbmaint_recorder_freeze(NULL);
SELECT dbmaint_recorder_freeze('why', NULL);
CREATE ROLE dbmaint_plain;
SET ROLE dbmaint_plain;
SELECT * FROM dbmaint_connection_leaks();
SELECT * FROM dbmaint_recorder();
SELECT dbmaint_recorder_freeze('why');
SELECT * FROM dbmaint_connections();
SELECT * FROM dbmaint_locks();
SELECT * FROM dbmaint_blocked();
SELECT * FROM dbmaint_recordings;
SELECT * FROM dbmaint_recorded_activity;
RESET ROLE;
GRANT pg_monitor TO dbmaint_plain;
SET ROLE dbmaint_plain;
SELECT count(*) > 0 AS rows FROM dbmaint_connection_leaks();
SELECT count(*) >= 0 AS rows FROM dbmaint_recorder();
SELECT sum(connections) FILTER (WHERE database = current_database()) AS connections FROM dbmaint_connections();
SELECT count(*) AS locks FROM dbmaint_locks() WHERE relation LIKE '%dbmaint%';
SELECT count(*) AS blocked FROM dbmaint_blocked();
SELECT dbmaint_recorder_freeze('why');
RESET ROLE;
DROP ROLE dbmaint_plain;

-- all of it expires
SELECT history, time_column, kept, capped FROM dbmaint_history_tables()
 WHERE history::text ~ 'activity|log|connection|record' ORDER BY history::text COLLATE "C";
SELECT sum(dbmaint_expire_history(now() + interval '36 days', 1000)) > 10 AS expired FROM generate_series(1, 10);
SELECT (SELECT count(*) FROM dbmaint_connection_history) AS connections, (SELECT count(*) FROM dbmaint_recordings) AS recordings;
DROP EXTENSION dbmaint;
