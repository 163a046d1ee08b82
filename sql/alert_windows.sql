-- Silences and maintenance windows: when they are, across changes of the clock, and bad input.
\set SHOW_CONTEXT never
CREATE EXTENSION dbmaint;
-- New York: 2026-03-08 has no 02:30, 2026-11-01 has 01:30 twice
SELECT dbmaint_set_maintenance_window('night', ARRAY['Sunday', 'wed'], '02:30', '2 hours', 'America/New_York');
SELECT dbmaint_set_maintenance_window('late', ARRAY['sat'], '23:00', '4 hours', 'America/New_York', silences => false);
SELECT dbmaint_set_maintenance_window('twice', ARRAY['sun'], '01:30', '1 hour', 'America/New_York', enabled => false);
SELECT name, weekdays, starts, duration, time_zone, silences, enabled FROM dbmaint_maintenance_windows ORDER BY name;
SELECT name, starts_at, ends_at, starts_at AT TIME ZONE 'America/New_York' AS local, ends_at - starts_at AS lasts, silences
  FROM dbmaint_maintenance_window_times('2026-02-28 12:00+00', '2026-03-16 00:00+00');
SELECT name, starts_at, ends_at, starts_at AT TIME ZONE 'America/New_York' AS local, ends_at - starts_at AS lasts
  FROM dbmaint_maintenance_window_times('2026-10-31 00:00+00', '2026-11-02 00:00+00');
UPDATE dbmaint_maintenance_windows SET enabled = true WHERE name = 'twice';
SELECT starts_at, ends_at FROM dbmaint_maintenance_window_times('2026-10-31 00:00+00', '2026-11-02 00:00+00') WHERE name = 'twice';
-- the first instant is in it, the last is not
SELECT t.at, dbmaint_in_maintenance_window(t.at), dbmaint_silenced_until('p95_ms', '', t.at)
  FROM unnest(ARRAY['2026-03-08 07:29:59.999999+00', '2026-03-08 07:30+00', '2026-03-08 09:29:59.999999+00', '2026-03-08 09:30+00',
                    '2026-03-08 03:59+00', '2026-03-08 04:00+00']::timestamptz[]) AS t(at);
-- one of days, which is longer than a day and begins in another zone's day
SELECT dbmaint_set_maintenance_window('long', ARRAY['daily'], '00:00', '3 days', 'Pacific/Kiritimati');
SELECT bool_and(dbmaint_in_maintenance_window(t.at)) FROM generate_series('2026-03-01'::timestamptz, '2026-03-08', '37 minutes') AS t(at);
SELECT count(*) FROM dbmaint_maintenance_window_times('2026-03-05 12:00+00', '2026-03-05 12:01+00') WHERE name = 'long';
SELECT dbmaint_drop_maintenance_window('long');
-- against a plain reference: minute by minute over two changes of the clock
SELECT count(*) AS minutes, count(*) FILTER (WHERE dbmaint_in_maintenance_window(t.at)) AS open,
       count(*) FILTER (WHERE dbmaint_in_maintenance_window(t.at) <> EXISTS (
           SELECT FROM (VALUES (ARRAY[7, 3], time '02:30', 120), (ARRAY[6], time '23:00', 240), (ARRAY[7], time '01:30', 60)) AS w(days, starts, minutes),
                       generate_series(0, 240) AS m
            WHERE m < w.minutes
              -- the minute that was m minutes ago began it
              AND (t.at - m * interval '1 minute') = (((t.at - m * interval '1 minute') AT TIME ZONE 'America/New_York')::date + w.starts) AT TIME ZONE 'America/New_York'
              AND extract(isodow FROM (t.at - m * interval '1 minute') AT TIME ZONE 'America/New_York') = ANY (w.days))) AS wrong
  FROM (SELECT generate_series('2026-03-07 20:00+00'::timestamptz, '2026-03-08 20:00+00', '15 minutes')
        UNION ALL SELECT generate_series('2026-10-31 20:00+00'::timestamptz, '2026-11-01 20:00+00', '15 minutes')) AS t(at);
-- the same name again changes it
SELECT dbmaint_set_maintenance_window('night', ARRAY['mon'], '03:00', '1 hour', 'UTC');
SELECT weekdays, starts, duration, time_zone FROM dbmaint_maintenance_windows WHERE name = 'night';
SELECT dbmaint_drop_maintenance_window(name) FROM dbmaint_maintenance_windows;
SELECT dbmaint_in_maintenance_window();

-- silences: patterns, the first instant and the last, the longest one counts
SELECT dbmaint_silence('replication_*', 'replica_?', '2026-01-02', 'no ? here', '2026-01-01') AS a,
       dbmaint_silence('replication_lag_ms', 'replica_*', '2026-01-03', 'moving', '2026-01-01') AS b,
       dbmaint_silence('*', '*', '2026-01-01 06:00', 'all', '2026-01-01 05:00') AS c;
SELECT m.metric, m.instance, t.at, dbmaint_silenced_until(m.metric, m.instance, t.at)
  FROM (VALUES ('replication_lag_ms', 'replica_1'), ('replication_lag_bytes', 'replica_1'), ('p95_ms', '')) AS m(metric, instance),
       unnest(ARRAY['2025-12-31 23:59:59.999999', '2026-01-01', '2026-01-01 05:30', '2026-01-02 23:59', '2026-01-03']::timestamptz[]) AS t(at)
 ORDER BY 1, 2, 3;
SELECT dbmaint_end_silence(2, '2026-01-02');
SELECT dbmaint_silenced_until('replication_lag_ms', 'replica_1', '2026-01-02');
-- one that has not begun
SELECT dbmaint_silence('p95_ms', '*', '2026-02-02', 'later', '2026-02-01') AS d;
SELECT dbmaint_end_silence(4, '2026-01-05');
SELECT from_at, until_at, reason, created_by = session_user AS by_me FROM dbmaint_silences WHERE silence_id = 4;

-- bad input
SELECT dbmaint_end_silence(4, '2026-03-01');
SELECT dbmaint_end_silence(NULL);
SELECT dbmaint_silence('nothing_*', '*', now() + interval '1 hour', 'x');
SELECT dbmaint_silence(NULL, '*', now() + interval '1 hour', 'x');
SELECT dbmaint_silence('*', NULL, now() + interval '1 hour', 'x');
SELECT dbmaint_silence('*', '*', now() - interval '1 hour', 'x');
SELECT dbmaint_silence('*', '*', 'infinity', 'x');
SELECT dbmaint_silence('*', '*', now() + interval '1 hour', '');
SELECT dbmaint_set_maintenance_window('', ARRAY['mon'], '03:00', '1 hour');
SELECT string_agg(md5(i::text), '' ORDER BY i) AS huge FROM generate_series(1, 300) AS i \gset
SELECT dbmaint_set_maintenance_window(:'huge', ARRAY['mon'], '03:00', '1 hour');
INSERT INTO dbmaint_maintenance_windows VALUES (:'huge', ARRAY['mon'], '03:00', '1 hour', 'UTC');
SELECT dbmaint_set_maintenance_window(left(:'huge', 1025), ARRAY['mon'], '03:00', '1 hour');
SELECT dbmaint_set_maintenance_window(left(:'huge', 1024), ARRAY['mon'], '03:00', '1 hour');
SELECT dbmaint_drop_maintenance_window(left(:'huge', 1024));
SELECT dbmaint_drop_maintenance_window('not ' || left(:'huge', 10));
SELECT dbmaint_set_maintenance_window('w', ARRAY['mo'], '03:00', '1 hour');
SELECT dbmaint_set_maintenance_window('w', ARRAY['mon', NULL], '03:00', '1 hour');
SELECT dbmaint_set_maintenance_window('w', NULL, '03:00', '1 hour');
SELECT dbmaint_set_maintenance_window('w', ARRAY['mon'], NULL, '1 hour');
SELECT dbmaint_set_maintenance_window('w', ARRAY['mon'], '24:00', '1 hour');
SELECT dbmaint_set_maintenance_window('w', ARRAY['mon'], '03:00', '0');
SELECT dbmaint_set_maintenance_window('w', ARRAY['mon'], '03:00', '8 days');
SELECT dbmaint_set_maintenance_window('w', ARRAY['mon'], '03:00', '-12 months 361 days');
SELECT dbmaint_set_maintenance_window('w', ARRAY['mon'], '03:00', '1 hour', 'Mars/Olympus');
SELECT dbmaint_set_maintenance_window('w', ARRAY['mon'], '03:00', '1 hour', NULL);
SELECT dbmaint_set_maintenance_window('w', ARRAY['mon'], '03:00', '1 hour', 'UTC', NULL);
SELECT dbmaint_drop_maintenance_window('w');
DROP EXTENSION dbmaint;
