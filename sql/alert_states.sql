-- What alerts do, minute after minute: readings are fed in place of what the
-- collector "signals" reads, and notifications noted in place of being queued.
\set SHOW_CONTEXT never
CREATE EXTENSION dbmaint;
TRUNCATE dbmaint_alert_rules;
CREATE TABLE fed (at timestamptz, metric text, instance text, value float8);
CREATE TABLE told (n serial, at timestamptz, incident bigint, kind text, severity text, level int, summary text);
ALTER FUNCTION dbmaint_signals(timestamptz, boolean) RENAME TO dbmaint_signals_really;
CREATE FUNCTION dbmaint_signals(at timestamptz, home boolean, OUT metric text, OUT instance text, OUT value float8)
RETURNS SETOF record LANGUAGE sql AS 'SELECT f.metric, f.instance, f.value FROM fed AS f WHERE f.at = $1';
DO $$ BEGIN
    IF to_regprocedure('dbmaint_queue_notifications(bigint, text, timestamptz)') IS NOT NULL THEN
        ALTER FUNCTION dbmaint_queue_notifications(bigint, text, timestamptz) RENAME TO dbmaint_queue_really;
    END IF;
END $$;
CREATE FUNCTION dbmaint_queue_notifications(incident_id bigint, kind text, at timestamptz)
RETURNS int LANGUAGE sql AS $$
    INSERT INTO public.told (at, incident, kind, severity, level, summary)
    SELECT $3, $1, $2, m ->> 'severity', (m ->> 'escalation_level')::int, m ->> 'summary'
      FROM public.dbmaint_notification_message($1, $2, $3) AS m
    RETURNING 1
$$;
-- Feeds a reading a minute from a time on (NULL: the instance is there and its
-- value not known; NaN: no reading at all) and returns what happened.
CREATE FUNCTION play(start text, metric text, instance text, readings float8[], OUT minute text, OUT event text,
                     OUT severity text, OUT value float8, OUT told text, OUT note text)
RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
    first CONSTANT timestamptz := '2026-01-01 ' || start;
    at timestamptz;
    failed text;
    seen bigint := coalesce((SELECT max(event_id) FROM dbmaint_incident_events), 0);
    heard int := coalesce((SELECT max(n) FROM told), 0);
BEGIN
    FOR i IN 1 .. cardinality(readings) LOOP
        at := first + (i - 1) * interval '1 minute';
        IF readings[i] IS DISTINCT FROM 'NaN' THEN
            INSERT INTO fed VALUES (at, metric, instance, readings[i]);
        END IF;
        SELECT string_agg(r.status, '; ') INTO failed FROM dbmaint_run_due(at) AS r WHERE r.collector IN ('alerts', 'signals') AND r.status <> 'ok';
        IF failed IS NOT NULL THEN
            RAISE WARNING '%', failed;
        END IF;
    END LOOP;
    RETURN QUERY
    SELECT to_char(coalesce(e.at, t.at), 'HH24:MI'), e.event, coalesce(e.severity, t.severity), e.value, t.kind || coalesce(' ' || nullif(t.level, 1), ''), e.note
      FROM (SELECT * FROM dbmaint_incident_events WHERE event_id > seen) AS e
      FULL JOIN (SELECT * FROM told WHERE n > heard) AS t
        ON t.at = e.at AND t.incident = e.incident_id
       AND t.kind = CASE e.event WHEN 'firing' THEN 'trigger' WHEN 'worse' THEN 'change' WHEN 'better' THEN 'change' WHEN 'resolved' THEN 'resolve'
                                 WHEN 'reminded' THEN 'reminder' WHEN 'escalated' THEN 'escalation' WHEN 'audible' THEN 'trigger' END
     ORDER BY coalesce(e.at, t.at), e.event_id;
END
$$;

-- the runbook's ladder for pools: below 70 for 5 minutes, 60 for 2, 50 at once
SELECT dbmaint_set_rule('maxwait_ms', 'warning', '>', 80, '10 minutes', options => '{"actions": ["Look at it"]}');
SELECT dbmaint_set_rule('maxwait_ms', 'critical', '>', 95, '5 minutes');
SELECT dbmaint_set_rule('maxwait_ms', 'emergency', '>', 110, '2 minutes');
-- one incident: pending, critical, worse, better, well for 2 minutes, resolved
SELECT * FROM play('00:00', 'maxwait_ms', 'app', ARRAY[50, 100, 100, 100, 100, 100, 100, 100, 120, 120, 120, 120, 85, 85, 85, 85, 85, 70, 70, 70, 70]);
SELECT metric, instance, state, severity, worst_severity, since_at, fired_at, resolved_at, resolved_because, actions FROM dbmaint_incidents;
SELECT summary FROM told ORDER BY n;
-- too short: pending, and no trace is left
SELECT * FROM play('01:00', 'maxwait_ms', 'app', ARRAY[100, 100, 100, 100, 50]);
-- and with the last minute missing
SELECT * FROM play('01:10', 'maxwait_ms', 'app', ARRAY[90, 90, 90]);
SELECT severity, metric, instance, value, threshold, message, actions, state, acknowledged, silenced FROM dbmaint_alerts();
SELECT count(*) FROM dbmaint_alert_history;
SELECT * FROM play('01:13', 'maxwait_ms', 'app', ARRAY[50]);
SELECT count(*) FROM dbmaint_incidents WHERE state <> 'resolved';

-- a gap neither fires nor resolves, and is not counted
SELECT dbmaint_set_rule('slot_retained_bytes', 'critical', '>', 10, '5 minutes', options => '{"escalate_after": null}');
SELECT * FROM play('02:00', 'slot_retained_bytes', 'app', ARRAY[20, 20, 20, 'NaN', 'NaN', 'NaN', 'NaN', 20, 20, 20, 20, 20]::float8[]);
SELECT * FROM play('02:12', 'slot_retained_bytes', 'app', ARRAY[5, 'NaN', 'NaN', 'NaN', 'NaN', 'NaN', 'NaN', 5, 5, 5]::float8[]);
-- longer than what it has to last, and it begins anew
SELECT * FROM play('02:30', 'slot_retained_bytes', 'app', ARRAY[20, 20, 20, 20, 20]);
SELECT * FROM play('02:50', 'slot_retained_bytes', 'app', ARRAY[20, 20, 20, 20]);
SELECT * FROM play('02:54', 'slot_retained_bytes', 'app', ARRAY[20, 20]);
-- not known is no reading; gone is, where the source names all there are
SELECT * FROM play('02:56', 'slot_retained_bytes', 'app', ARRAY[NULL, NULL, NULL, NULL, NULL]::float8[]);
SELECT state FROM dbmaint_alerts() WHERE metric = 'slot_retained_bytes';
SELECT * FROM play('03:01', 'slot_retained_bytes', NULL, ARRAY[NULL, NULL, NULL, NULL, NULL]::float8[]);
SELECT resolved_because FROM dbmaint_incidents ORDER BY incident_id DESC LIMIT 1;

-- hysteresis: between the two thresholds it stays as it is
SELECT dbmaint_set_rule('replication_lag_bytes', 'warning', '>', 100, '0', options => '{"resolve_threshold": 50, "resolve_after": "1 minute", "remind_every": null}');
SELECT * FROM play('04:00', 'replication_lag_bytes', 's1', ARRAY[101, 100, 60, 51, 49, 60, 49, 49]);

-- flapping: each time it has to be well for longer
SELECT dbmaint_set_rule('slot_inactive', 'warning', '>=', 1, '0', options => '{"resolve_after": "0", "remind_every": null}');
SELECT * FROM play('05:00', 'slot_inactive', 's', ARRAY[1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
SELECT flapping, flaps FROM dbmaint_incidents WHERE metric = 'slot_inactive' ORDER BY incident_id DESC LIMIT 1;

-- too little traffic is not judged; where that means well, it resolves
SELECT dbmaint_set_rule('pool_efficiency', 'emergency', '<', 50, '0', options => '{"traffic_metric": "cl_active", "min_traffic": 5, "resolve_after": "0", "escalate_after": null, "remind_every": null}');
INSERT INTO fed SELECT '2026-01-01 06:00'::timestamptz + i * interval '1 minute', 'cl_active', 'app', n FROM unnest(ARRAY[4, 5, 4, 0]) WITH ORDINALITY AS u(n, i);
SELECT * FROM play('06:01', 'pool_efficiency', 'app', ARRAY[40, 40, 90, NULL]::float8[]);
SELECT dbmaint_set_rule('pool_efficiency', 'emergency', '<', 50, '0', options => '{"resolve_when_quiet": true}');
INSERT INTO fed SELECT '2026-01-01 06:04'::timestamptz + i * interval '1 minute', 'cl_active', 'app', n FROM unnest(ARRAY[5, 0]) WITH ORDINALITY AS u(n, i);
SELECT * FROM play('06:05', 'pool_efficiency', 'app', ARRAY[40, NULL]::float8[]);
-- a threshold that is a share of another metric
SELECT dbmaint_set_rule('cl_active', 'warning', '>', 480, '0', 'app', '{"of_metric": "server_utilization", "of_ratio": 0.8, "remind_every": null, "resolve_after": "0"}');
INSERT INTO fed SELECT '2026-01-01 06:10'::timestamptz + i * interval '1 minute', 'server_utilization', 'app', n FROM unnest(ARRAY[1000, 100, 100]) WITH ORDINALITY AS u(n, i);
SELECT * FROM play('06:11', 'cl_active', 'app', ARRAY[480, 81, 80]);

-- reminders, escalation in three levels, acknowledgement, and worse than that
SELECT dbmaint_set_rule('archive_failing', 'critical', '>=', 1, '0', options => '{"remind_every": "10 minutes", "escalate_after": "15 minutes"}');
SELECT dbmaint_set_rule('archive_failing', 'emergency', '>=', 2, '0', options => '{"remind_every": "5 minutes", "escalate_after": null}');
SELECT * FROM play('08:00', 'archive_failing', '', array_fill(1, ARRAY[45]));
SELECT escalation_level FROM dbmaint_incidents WHERE metric = 'archive_failing';
SELECT dbmaint_acknowledge_alert(incident_id, 'on it', '2026-01-01 08:45') FROM dbmaint_incidents WHERE metric = 'archive_failing';
SELECT acknowledged, state FROM dbmaint_alerts() WHERE metric = 'archive_failing';
SELECT * FROM play('08:46', 'archive_failing', '', array_fill(1, ARRAY[30]));
SELECT * FROM play('09:16', 'archive_failing', '', ARRAY[2, 2, 2, 2, 2, 2, 0, 0, 0]);
SELECT acknowledged_at, resolved_at - fired_at AS lasted FROM dbmaint_alert_history WHERE metric = 'archive_failing';
SELECT to_char(e.at, 'HH24:MI'), e.event, e.severity, e.note, e.by_user = session_user AS by_me FROM dbmaint_incident_events AS e JOIN dbmaint_incidents AS i USING (incident_id) WHERE i.metric = 'archive_failing' AND e.event = 'acknowledged';

-- a silence: watched, not told; what still fires then is told
SELECT dbmaint_silence('damaged_*', '*', '2026-01-01 10:05', 'a disk is replaced', '2026-01-01 10:00') AS silence;
SELECT dbmaint_set_rule('damaged_pages', 'warning', '>', 0, '0', options => '{"resolve_after": "0", "remind_every": null}');
SELECT * FROM play('10:01', 'damaged_pages', 'a', ARRAY[1, 1, 0, 1, 1, 1, 0, 0, 0]);
-- told before, silenced, resolved: that is told
SELECT * FROM play('10:10', 'damaged_pages', 'b', ARRAY[1]);
SELECT dbmaint_silence('damaged_pages', 'b', '2026-01-01 11:00', 'known', '2026-01-01 10:10') > 0 AS silenced;
SELECT * FROM play('10:11', 'damaged_pages', 'b', ARRAY[1, 0]);
-- ended early
SELECT * FROM play('10:13', 'damaged_pages', 'b', ARRAY[1]);
SELECT dbmaint_end_silence(max(silence_id), '2026-01-01 10:14') FROM dbmaint_silences;
SELECT * FROM play('10:14', 'damaged_pages', 'b', ARRAY[1, 0, 0, 0]);
-- a maintenance window
SELECT dbmaint_set_maintenance_window('thursdays', ARRAY['thu'], '10:20', '5 minutes', 'UTC');
SELECT * FROM play('10:19', 'damaged_pages', 'c', ARRAY[0, 1, 1, 1, 1, 1, 1]);
SELECT dbmaint_drop_maintenance_window('thursdays');
-- what gets worse in a silence is told at its end; what got worse and better again is no news
SELECT dbmaint_set_rule('damaged_pages', 'critical', '>', 5, '0', options => '{"resolve_after": "0", "remind_every": null, "escalate_after": "10 minutes"}');
SELECT * FROM play('10:26', 'damaged_pages', 'd', ARRAY[1]);
SELECT dbmaint_silence('damaged_pages', 'd', '2026-01-01 10:40', 'later', '2026-01-01 10:27') > 0 AS silenced;
SELECT * FROM play('10:27', 'damaged_pages', 'd', ARRAY[1] || array_fill(9, ARRAY[13]));
SELECT severity, told_severity, to_char(notified_at, 'HH24:MI') AS told FROM dbmaint_incidents WHERE instance = 'd' AND state = 'firing' AND metric = 'damaged_pages';
SELECT * FROM play('10:41', 'damaged_pages', 'd', array_fill(9, ARRAY[11]));
SELECT dbmaint_silence('damaged_pages', 'd', '2026-01-01 10:56', 'again', '2026-01-01 10:52') > 0 AS silenced;
SELECT * FROM play('10:52', 'damaged_pages', 'd', ARRAY[9, 1, 1, 9, 9, 0]);
DELETE FROM dbmaint_silences;
-- what gets worse, taken on or not, has the time of its new severity before it escalates
SELECT dbmaint_set_rule('damaged_pages', 'emergency', '>', 50, '0', options => '{"resolve_after": "0", "remind_every": null, "escalate_after": "5 minutes"}');
SELECT * FROM play('10:58', 'damaged_pages', 'e', array_fill(1, ARRAY[20]) || array_fill(9, ARRAY[3]));
SELECT dbmaint_acknowledge_alert(max(incident_id), 'on it', '2026-01-01 11:21') FROM dbmaint_incidents;
SELECT * FROM play('11:21', 'damaged_pages', 'e', array_fill(9, ARRAY[20]) || array_fill(90, ARRAY[6]));
DELETE FROM dbmaint_incidents WHERE metric = 'damaged_pages' AND instance IN ('d', 'e');
DELETE FROM dbmaint_alert_rules WHERE metric = 'damaged_pages';

-- what is told later tells the value of then, and that it is well by now
SELECT dbmaint_set_rule('replication_lag_bytes', 'critical', '>', 100, '0', 's2', '{"remind_every": "2 minutes", "resolve_after": "10 minutes", "escalate_after": null}');
SELECT * FROM play('11:55', 'replication_lag_bytes', 's2', ARRAY[200, 300, 400, 50, 60]);
SELECT t.at - i.since_at AS after, t.kind, t.summary FROM told AS t JOIN dbmaint_incidents AS i ON i.incident_id = t.incident WHERE i.instance = 's2' ORDER BY t.n;
SELECT value, message, threshold FROM dbmaint_alerts() WHERE instance = 's2';
SELECT status, detail FROM dbmaint_check_alerts();
-- rules that are changed meanwhile: the threshold, and when to remind
SELECT dbmaint_set_rule('replication_lag_bytes', 'critical', '>=', 30, '0', 's2', '{"remind_every": null}');
SELECT * FROM play('12:00', 'replication_lag_bytes', 's2', ARRAY[60, 60, 60, 60, 60]);
SELECT message, threshold FROM dbmaint_alerts() WHERE instance = 's2';
UPDATE dbmaint_alert_rules SET remind_every = '8 minutes', escalate_after = '11 minutes' WHERE instance = 's2';
SELECT * FROM play('12:05', 'replication_lag_bytes', 's2', ARRAY[60, 60, 60, 60, 60]);
SELECT dbmaint_drop_rule('replication_lag_bytes', NULL, 's2');

-- a rule that is disabled or dropped while it fires
SELECT * FROM play('12:20', 'longest_lock_wait_ms', '', ARRAY[1]);
SELECT dbmaint_set_rule('longest_lock_wait_ms', 'warning', '>', 0, '0');
SELECT dbmaint_set_rule('longest_lock_wait_ms', 'critical', '>', 0, '0');
SELECT * FROM play('12:21', 'longest_lock_wait_ms', '', ARRAY[1]);
SELECT dbmaint_disable_rule('longest_lock_wait_ms', 'critical');
SELECT * FROM play('12:22', 'longest_lock_wait_ms', '', ARRAY[1]);
UPDATE dbmaint_alert_rules SET threshold = 5 WHERE metric = 'longest_lock_wait_ms';
SELECT * FROM play('12:23', 'longest_lock_wait_ms', '', ARRAY[1, 6]);
DELETE FROM dbmaint_alert_rules WHERE metric = 'longest_lock_wait_ms';
SELECT * FROM play('12:25', 'longest_lock_wait_ms', '', ARRAY['NaN'::float8]);
SELECT resolved_because FROM dbmaint_incidents WHERE metric = 'longest_lock_wait_ms';

-- rows that somebody deleted, a trigger on the tables, a notification that fails
SELECT dbmaint_set_rule('idle_in_transaction_ms', 'warning', '>', 0, '0', options => '{"resolve_after": "0"}');
SELECT * FROM play('12:30', 'idle_in_transaction_ms', '', ARRAY[1]);
DELETE FROM dbmaint_incidents WHERE metric = 'idle_in_transaction_ms';
SELECT * FROM play('12:31', 'idle_in_transaction_ms', '', ARRAY[1, 0]);
CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER trap BEFORE INSERT ON dbmaint_incidents FOR EACH ROW EXECUTE FUNCTION trap();
SELECT * FROM play('12:33', 'idle_in_transaction_ms', '', ARRAY[1]);
SELECT failure FROM dbmaint_alerting();
SELECT status, detail FROM dbmaint_health() WHERE check_name = 'alerts' \gset alerts_
SELECT :'alerts_status' AS status, :'alerts_detail' LIKE 'The last turn of the alerts failed%has triggers%' AS told;
DROP TRIGGER trap ON dbmaint_incidents;
ALTER TABLE told ADD CONSTRAINT never CHECK (at < '2026-01-01 12:34');
SELECT * FROM play('12:34', 'idle_in_transaction_ms', '', ARRAY[1]);
SELECT count(*) FROM dbmaint_alerts() WHERE metric = 'idle_in_transaction_ms';
ALTER TABLE told DROP CONSTRAINT never;
SELECT * FROM play('12:35', 'idle_in_transaction_ms', '', ARRAY[1, 0]);

-- the clock was set back by a year: times of the future are of now
SELECT dbmaint_set_rule('slot_lost', 'critical', '>=', 1, '0', options => '{"remind_every": "10 minutes", "escalate_after": "15 minutes"}');
SELECT * FROM play('12:40', 'slot_lost', 's', ARRAY[1]);
UPDATE dbmaint_incidents SET notified_at = '2027-01-01', escalated_at = '2027-01-01', attention_at = '2027-01-01', evidence_due_at = '2027-01-01' WHERE metric = 'slot_lost';
SELECT left_over, failure FROM dbmaint_attend_incidents('2026-01-01 12:45', true);
SELECT to_char(notified_at, 'YYYY HH24:MI') AS notified, to_char(escalated_at, 'YYYY HH24:MI') AS escalated, to_char(evidence_due_at, 'YYYY HH24:MI') AS evidence_due,
       to_char(attention_at, 'YYYY HH24:MI') AS attention FROM dbmaint_incidents WHERE metric = 'slot_lost';
SELECT * FROM play('12:50', 'slot_lost', 's', array_fill(1, ARRAY[11]));

-- what it cannot do
SELECT dbmaint_acknowledge_alert(NULL);
SELECT dbmaint_acknowledge_alert(-1, 'x');
SELECT dbmaint_acknowledge_alert((SELECT min(incident_id) FROM dbmaint_incidents), 'x');
-- EXECUTE is all that who is on call needs for what may be granted; nothing else comes with it
CREATE ROLE regress_alert_on_call;
SET ROLE regress_alert_on_call;
SELECT dbmaint_silence('*', '*', '2026-02-01', 'x', '2026-01-31');
SELECT dbmaint_note_backup('2026-01-01');
SELECT dbmaint_acknowledge_alert(1);
RESET ROLE;
GRANT EXECUTE ON FUNCTION dbmaint_acknowledge_alert(bigint, text, timestamptz), dbmaint_silence(text, text, timestamptz, text, timestamptz),
    dbmaint_end_silence(bigint, timestamptz), dbmaint_note_backup(timestamptz, text) TO regress_alert_on_call;
SELECT * FROM play('12:10', 'idle_in_transaction_ms', '', ARRAY[1]);
SELECT incident_id AS granted, fired_at + interval '1 minute' AS granted_at FROM dbmaint_incidents WHERE state = 'firing' ORDER BY incident_id DESC LIMIT 1 \gset
SET ROLE regress_alert_on_call;
SELECT dbmaint_silence('*', '*', '2026-02-01', 'x', '2026-01-31') AS granted_silence \gset
SELECT dbmaint_end_silence(:granted_silence, '2026-01-31 12:00');
SELECT dbmaint_end_silence(NULL);
SELECT dbmaint_note_backup('2026-01-01', 'by hand') > 0 AS noted;
SELECT dbmaint_note_backup(NULL);
SELECT dbmaint_acknowledge_alert(:granted, 'mine', :'granted_at');
SELECT current_user;
SELECT dbmaint_do_acknowledge_alert(:granted, 'mine', '2026-01-01 12:11');
SELECT count(*) FROM dbmaint_incidents;
BEGIN READ ONLY;
SELECT dbmaint_silence('*', '*', '2026-02-01', 'x', '2026-01-31');
ROLLBACK;
RESET ROLE;
SELECT acknowledge_note, acknowledged_by = session_user AS by_me FROM dbmaint_incidents WHERE incident_id = :granted;
SELECT until_at = '2026-01-31 12:00' AS ended, created_by = session_user AS by_me FROM dbmaint_silences WHERE silence_id = :granted_silence;
SELECT note, noted_by = session_user AS by_me FROM dbmaint_backups WHERE note = 'by hand';
-- nor does it run what others planted
CREATE TRIGGER trap BEFORE INSERT ON dbmaint_silences FOR EACH ROW EXECUTE FUNCTION trap();
SET ROLE regress_alert_on_call;
SELECT dbmaint_silence('*', '*', '2026-02-01', 'x', '2026-01-31');
RESET ROLE;
DROP TRIGGER trap ON dbmaint_silences;
DROP OWNED BY regress_alert_on_call;
DROP ROLE regress_alert_on_call;
-- the screen, the reviews, the health check
SELECT dbmaint_top_alerts_line('2026-01-01 08:50'), dbmaint_top_alerts_line('2026-01-01 23:00') IS NOT NULL AS now, dbmaint_top_alerts_line('2025-12-31');
SELECT item, value, previous FROM dbmaint_report_alerts('2026-01-01', '2026-01-02', '2025-12-31', 'day');
SELECT value ~ '^\d+ firing, \d+ pending$' AS value, status, target, detail LIKE '%See dbmaint_alerts().' AS detail FROM dbmaint_check_alerts();
SELECT failure FROM dbmaint_alerting();
-- how the rules stand
SELECT DISTINCT state FROM dbmaint_rule_states();
DROP EXTENSION dbmaint CASCADE;
