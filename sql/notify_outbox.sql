-- The outbox: who is told what, in which order, what makes what superfluous, what is too old.
\set SHOW_CONTEXT never
CREATE EXTENSION dbmaint;
-- an alert room of one table
CREATE TABLE incident (incident_id bigint PRIMARY KEY, severity text, level int, key text);
CREATE OR REPLACE FUNCTION dbmaint_notification_message(incident_id bigint, kind text, at timestamptz)
RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('incident', i.incident_id, 'dedup_key', i.key, 'kind', $2, 'severity', i.severity,
               'escalation_level', i.level, 'at', $3, 'summary', 'alert', 'evidence', '{"e": 1}'::jsonb)
      FROM public.incident AS i WHERE i.incident_id = $1
$$;
CREATE FUNCTION tell(incident bigint, kind text, minute int, severity text DEFAULT NULL, level int DEFAULT NULL, key text DEFAULT NULL)
RETURNS int LANGUAGE sql AS $$
    INSERT INTO incident VALUES (incident, coalesce(severity, 'warning'), coalesce(level, 1), coalesce(key, 'key ' || incident))
    ON CONFLICT (incident_id) DO UPDATE SET severity = coalesce($4, incident.severity), level = coalesce($5, incident.level);
    SELECT dbmaint_queue_notifications(incident, kind, '2026-01-01 00:00+00'::timestamptz + minute * interval '1 minute')
$$;
CREATE VIEW outbox AS
SELECT o.message_id, o.channel, o.incident_id AS incident, o.kind, o.severity, o.state, o.attempts, o.error FROM dbmaint_outbox AS o;
-- what a notifier would do: claims all there is, and gives the outcome
CREATE FUNCTION deliver(channel text, minute int, outcome text DEFAULT 'sent', room int DEFAULT 100)
RETURNS TABLE (incident bigint, kind text, attempt int) LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz := '2026-01-01 00:00+00'::timestamptz + minute * interval '1 minute';
    ids bigint[];
BEGIN
    RETURN QUERY WITH c AS MATERIALIZED (SELECT * FROM dbmaint_claim_notifications($1, room, at))
        SELECT (c.message ->> 'incident')::bigint, c.kind, c.attempt FROM c;
    ids := ARRAY(SELECT o.message_id FROM dbmaint_outbox AS o WHERE o.channel = $1 AND o.state = 'sending' ORDER BY 1);
    PERFORM dbmaint_finish_notifications(ids, array_fill(outcome, ARRAY[cardinality(ids)]), array_fill(200, ARRAY[cardinality(ids)]),
        array_fill(CASE WHEN outcome <> 'sent' THEN 'why' END, ARRAY[cardinality(ids)]), array_fill(1.5::float8, ARRAY[cardinality(ids)]),
        array_fill(60000::float8, ARRAY[cardinality(ids)]), at);
END
$$;

-- the runbook's routing
SELECT dbmaint_add_channel('slack', 'slack', 'https://hooks.slack.com/services/x', 'critical');
SELECT dbmaint_add_channel('mail', 'email', 'a@b.example', 'critical', '{"smtp": "smtp://m.example", "from": "a@b.example"}');
SELECT dbmaint_add_channel('sms', 'sms', 'https://sms.example.com/', 'critical');
SELECT dbmaint_add_channel('pager', 'pagerduty', '0123456789abcdef0123456789abcdef', 'emergency');
SELECT dbmaint_add_channel('boss', 'webhook', 'https://boss.example.com/', 'warning', '{"escalation_level": 3, "query_texts": true}');
SELECT tell(1, 'trigger', 0, 'warning') AS told;
SELECT tell(2, 'trigger', 0, 'critical') AS told;
SELECT tell(3, 'trigger', 0, 'emergency') AS told;
SELECT incident, severity, string_agg(channel, ' ' ORDER BY channel) AS channels FROM outbox GROUP BY 1, 2 ORDER BY 1;
-- query texts leave only where the channel says so; evidence where it can be read
SELECT tell(3, 'escalation', 1, level => 3) AS told;
SELECT channel, message ? 'evidence' AS evidence, message ? 'texts' AS texts, message ->> 'message_id' = message_key::text AS id
  FROM dbmaint_outbox WHERE incident_id = 3 AND kind = 'escalation' ORDER BY channel;
-- an end goes to all who were told, whatever the severity is by then, and to nobody else
SELECT tell(2, 'change', 2, 'warning') AS told;
SELECT tell(2, 'resolve', 3) AS told;
SELECT tell(1, 'resolve', 3) AS told;
SELECT tell(1, 'acknowledge', 3) AS told;
SELECT incident, kind, string_agg(channel, ' ' ORDER BY channel) AS channels FROM outbox WHERE kind IN ('change', 'resolve', 'acknowledge') AND incident < 3 GROUP BY 1, 2 ORDER BY 1, 2;
-- no such incident, no such kind, no time
SELECT dbmaint_queue_notifications(99, 'trigger', now());
SELECT dbmaint_queue_notifications(1, 'fire', now());
SELECT dbmaint_queue_notifications(1, NULL, now());
SELECT dbmaint_queue_notifications(1, 'trigger', NULL);
SELECT dbmaint_queue_notifications(1, 'trigger', 'infinity');

-- the gravest first; of an incident one at a time, in order
SELECT * FROM deliver('log', 5, room => 2);
SELECT * FROM deliver('log', 5);
SELECT * FROM deliver('log', 5);
SELECT * FROM deliver('log', 5);
SELECT * FROM deliver('log', 5);
SELECT channel, state, count(*) FROM outbox WHERE channel = 'log' GROUP BY 1, 2 ORDER BY 1, 2;
-- what is sent leaves no text behind
SELECT count(*) FILTER (WHERE message IS NULL) AS without, count(*) FROM dbmaint_outbox WHERE state = 'sent';
-- a failure is tried again, and holds back what follows in its incident alone
TRUNCATE dbmaint_outbox;
DELETE FROM incident;
SELECT tell(10, 'trigger', 0), tell(10, 'resolve', 1), tell(11, 'trigger', 1);
SELECT * FROM deliver('log', 2, 'retry');
SELECT * FROM deliver('log', 2);
SELECT name, due_at AT TIME ZONE 'UTC' AS due_at FROM dbmaint_due_channels('2026-01-01 00:02+00') WHERE name = 'log';
SELECT dbmaint_outbox_due('2026-01-01 00:00:30+00'), dbmaint_outbox_due('2026-01-01 00:02+00');
SELECT * FROM deliver('log', 3);
SELECT * FROM deliver('log', 3);
SELECT channel, incident_id, kind, state, attempt, outcome, status, error, attempts, duration_ms FROM dbmaint_notifications WHERE channel = 'log' ORDER BY message_id, attempt;
-- one that is refused for good is not tried again, and its end has nobody to tell
SELECT tell(12, 'trigger', 4), tell(12, 'resolve', 5);
SELECT * FROM deliver('log', 6, 'refused');
SELECT * FROM deliver('log', 6);
SELECT kind, state, attempts, error FROM outbox WHERE channel = 'log' AND incident = 12 ORDER BY message_id;

-- a pause is for all but emergencies, which wait for 5 seconds of it, and for
-- what has to be sent before one
TRUNCATE dbmaint_outbox;
DELETE FROM incident;
SELECT tell(13, 'trigger', 0, 'warning'), tell(14, 'trigger', 0, 'warning');
SELECT * FROM deliver('log', 1, 'retry', room => 1);
UPDATE dbmaint_outbox SET next_attempt_at = '2026-01-01 00:05+00' WHERE attempts = 1;
SELECT dbmaint_note_channel('log', 9, '2026-01-01 00:06+00', false, 'down', '2026-01-01 00:01+00');
CREATE FUNCTION due(minute int) RETURNS timestamp LANGUAGE sql AS
$$ SELECT d.due_at AT TIME ZONE 'UTC'
     FROM dbmaint_due_channels('2026-01-01 00:00+00'::timestamptz + minute * interval '1 minute') AS d WHERE d.name = 'log' $$;
SELECT * FROM due(2);
SELECT tell(13, 'change', 2, 'emergency');
SELECT priority, incident_id, kind, next_attempt_at AT TIME ZONE 'UTC' AS next_attempt_at FROM dbmaint_outbox WHERE channel = 'log' ORDER BY message_id;
SELECT * FROM due(2);
SELECT * FROM deliver('log', 3, 'retry');
SELECT * FROM deliver('log', 3);
-- it has been tried: from now on it waits as long as any other
SELECT priority, incident_id, kind, next_attempt_at AT TIME ZONE 'UTC' AS next_attempt_at FROM dbmaint_outbox WHERE channel = 'log' ORDER BY message_id;
SELECT dbmaint_note_channel('log', 10, '2026-01-01 00:07+00', false, 'down', '2026-01-01 00:03+00');
SELECT tell(15, 'trigger', 3, 'emergency');
SELECT * FROM due(3);
SELECT * FROM deliver('log', 4);
SELECT * FROM deliver('log', 5);
SELECT * FROM deliver('log', 5);
SELECT * FROM due(4);
SELECT * FROM deliver('log', 7);
-- the emergency comes while what is before it is under way
SELECT tell(16, 'trigger', 7, 'warning');
SELECT count(*) FROM dbmaint_claim_notifications('log', 1, '2026-01-01 00:07+00');
SELECT tell(16, 'change', 8, 'emergency');
SELECT dbmaint_finish_notifications(ARRAY[message_id], '{retry}', '{500}', '{down}', '{60001}', '{300000}', '2026-01-01 00:09+00') FROM dbmaint_outbox WHERE state = 'sending';
SELECT priority, kind, next_attempt_at AT TIME ZONE 'UTC' AS next_attempt_at FROM dbmaint_outbox WHERE channel = 'log' AND incident_id = 16 ORDER BY message_id;
DROP FUNCTION due;
SELECT dbmaint_note_channel('log', 0, NULL, true, NULL, '2026-01-01 00:09+00');

-- what waits between the first word and the last is superfluous
TRUNCATE dbmaint_outbox;
DELETE FROM incident;
SELECT tell(20, 'trigger', 0), tell(20, 'change', 1, 'critical'), tell(20, 'reminder', 2), tell(20, 'change', 3, 'emergency'), tell(20, 'resolve', 4);
SELECT channel, kind, severity, state, error FROM outbox WHERE channel IN ('log', 'slack', 'pager') ORDER BY channel, message_id;
SELECT * FROM deliver('log', 5);
SELECT * FROM deliver('log', 5);
-- for the pager the change was the first word
SELECT * FROM deliver('pager', 5);
SELECT * FROM deliver('pager', 5);
-- an acknowledgement does not replace what it acknowledges
SELECT tell(21, 'trigger', 6), tell(21, 'acknowledge', 7), tell(21, 'reminder', 8);
SELECT * FROM deliver('log', 9);
SELECT * FROM deliver('log', 9);
SELECT * FROM deliver('log', 9);
-- incidents of the same key are told of in order; those that came and went unseen are not
TRUNCATE dbmaint_outbox;
DELETE FROM incident;
SELECT tell(30, 'trigger', 0, key => 'k'), tell(30, 'resolve', 0), tell(31, 'trigger', 1, key => 'k');
SELECT * FROM deliver('log', 1);
SELECT tell(31, 'resolve', 2), tell(32, 'trigger', 3, key => 'k'), tell(32, 'resolve', 4), tell(33, 'trigger', 6, key => 'k');
SELECT incident, kind, state, error FROM outbox WHERE channel = 'log' ORDER BY message_id;
SELECT * FROM deliver('log', 7);
SELECT * FROM deliver('log', 7);
SELECT * FROM deliver('log', 7);
SELECT * FROM deliver('log', 7);

-- too old, too many, for nobody
TRUNCATE dbmaint_outbox;
DELETE FROM incident;
SELECT tell(40, 'trigger', 0);
SELECT * FROM deliver('log', 361);
SELECT dbmaint_tend_outbox('2026-01-01 06:01+00') > 0 AS touched;
SELECT state, error FROM outbox WHERE channel = 'log';
INSERT INTO dbmaint_outbox (message_key, database_oid, channel, incident_id, order_key, kind, severity, priority, state, queued_at, next_attempt_at, attempts, message)
SELECT gen_random_uuid(), d.oid, c, 100 + i, 'key ' || i, 'trigger', CASE WHEN i % 100 = 0 THEN 'emergency' ELSE 'warning' END,
       CASE WHEN i % 100 = 0 THEN 0 ELSE 2 END, 'queued', '2026-01-01 11:40+00', '2026-01-01 11:40+00', 0, '{}'
  FROM generate_series(1, 10200) AS i, unnest('{log,notify}'::text[]) AS c, pg_database AS d WHERE d.datname = current_database();
SELECT dbmaint_tend_outbox('2026-01-01 12:00+00') > 0 AS touched;
SELECT state, severity, count(*) FROM outbox WHERE channel = 'log' AND incident > 100 GROUP BY 1, 2 ORDER BY 1, 2;
SELECT min(incident) FROM outbox WHERE channel = 'log' AND state = 'queued' AND severity = 'warning';
SELECT dbmaint_drop_channel('notify');
SELECT state, error, count(*) FROM outbox WHERE channel = 'notify' AND incident > 100 GROUP BY 1, 2 ORDER BY 1;
-- one that is off gets nothing, and what waits for it waits
SELECT dbmaint_enable_channel('log', false);
SELECT tell(20000, 'trigger', 721);
SELECT count(*) FROM dbmaint_due_channels('2026-01-01 12:30+00') WHERE name = 'log';

-- but for the end of what it was told of, however long it is off
TRUNCATE dbmaint_outbox, dbmaint_notification_attempts;
DELETE FROM incident;
SELECT dbmaint_enable_channel('log');
SELECT tell(45, 'trigger', 0), tell(46, 'trigger', 0);
SELECT * FROM deliver('log', 1, room => 1);
SELECT dbmaint_enable_channel('log', false);
SELECT tell(47, 'trigger', 2);
SELECT tell(45, 'change', 3, 'critical'), tell(45, 'acknowledge', 4), tell(45, 'resolve', 5), tell(46, 'resolve', 5), tell(47, 'resolve', 5);
SELECT dbmaint_tend_outbox('2026-01-02 00:00+00') > 0 AS touched;
SELECT incident, kind, state FROM outbox WHERE channel = 'log' ORDER BY message_id;
SELECT count(*) FROM dbmaint_due_channels('2026-01-02 00:00+00') WHERE name = 'log';
SELECT dbmaint_enable_channel('log');
SELECT m.incident_id, m.kind FROM dbmaint_claim_notifications('log', 100, now() + interval '1 minute') AS c JOIN dbmaint_outbox AS m USING (message_id);
SELECT incident, kind, state FROM outbox WHERE channel = 'log' ORDER BY message_id;
-- turned on twice, nothing is younger than it is
UPDATE dbmaint_outbox SET state = 'queued', queued_at = '2026-01-01 00:00+00';
SELECT dbmaint_enable_channel('log');
SELECT count(*) FROM dbmaint_outbox WHERE queued_at > '2026-01-01 00:00+00';
-- dropped with its channel
SELECT dbmaint_add_channel('gone', 'notify', 'gone');
SELECT tell(48, 'trigger', 0);
SELECT * FROM deliver('gone', 1);
SELECT dbmaint_enable_channel('gone', false);
SELECT tell(48, 'resolve', 5);
SELECT dbmaint_drop_channel('gone');
SELECT kind, state, error FROM outbox WHERE channel = 'gone' ORDER BY message_id;

-- what a notifier that ended left behind; a copy of the database sends nothing
TRUNCATE dbmaint_outbox, dbmaint_notification_attempts;
DELETE FROM incident;
SELECT dbmaint_enable_channel('log');
SELECT tell(50, 'trigger', 0), tell(51, 'trigger', 0);
SELECT message_id IS NOT NULL AS claimed, kind, attempt FROM dbmaint_claim_notifications('log', 1, '2026-01-01 00:01+00');
SELECT dbmaint_outbox_due('2025-01-01 00:00+00');
SELECT dbmaint_release_notifications('2026-01-01 00:02+00');
SELECT incident, state, attempts, error FROM outbox WHERE channel = 'log' ORDER BY 1;
SELECT attempt, outcome, error FROM dbmaint_notification_attempts;
SELECT * FROM deliver('log', 3);
UPDATE dbmaint_outbox SET database_oid = 1, state = 'queued';
SELECT count(*) FROM dbmaint_claim_notifications('log', 10, '2026-01-01 00:01+00');
SELECT dbmaint_outbox_due('2026-01-01 00:01+00');
SELECT count(*) FROM dbmaint_notifications;

-- history: what is told of expires
SELECT history, time_column FROM dbmaint_history_tables() WHERE history::text ~ 'outbox|notification' ORDER BY 1;
-- rights
CREATE ROLE dbmaint_plain;
GRANT pg_monitor TO dbmaint_plain;
SET ROLE dbmaint_plain;
SELECT count(*) FROM dbmaint_notifications;
SELECT message FROM dbmaint_outbox;
SELECT dbmaint_claim_notifications('log', 1, now());
SELECT dbmaint_due_channels(now());
RESET ROLE;
DROP ROLE dbmaint_plain;
CREATE RULE planted AS ON INSERT TO dbmaint_outbox DO ALSO NOTHING;
SELECT tell(60, 'trigger', 0);
SELECT dbmaint_test_channel('log');
DROP RULE planted ON dbmaint_outbox;
DROP VIEW outbox;
DROP FUNCTION tell(bigint, text, int, text, int, text), deliver(text, int, text, int);
DROP EXTENSION dbmaint;
DROP TABLE incident;
