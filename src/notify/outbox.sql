-- src/notify/outbox.sql: what is to be sent, and what came of it.
--
-- A notification is a row of the outbox from the transaction that queues it
-- on: logged, so that a crash loses none, with an id that stays the same over
-- all attempts.  What the notifier does with it is in delivery.sql.

CREATE TABLE dbmaint_outbox (
    message_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_key uuid NOT NULL,
    database_oid oid NOT NULL,
    channel text NOT NULL,
    incident_id bigint,
    order_key text NOT NULL,
    kind text NOT NULL,
    severity text NOT NULL,
    priority int NOT NULL,
    state text NOT NULL,
    queued_at timestamptz NOT NULL,
    next_attempt_at timestamptz,
    attempts int NOT NULL,
    status int,
    error text,
    sent_at timestamptz,
    message jsonb
);
-- the next of a channel; when that is; what is before it; what an incident has.
-- Each has all that its query compares, so that no other looks as good where
-- the table was never analyzed.
CREATE INDEX dbmaint_outbox_next_idx ON dbmaint_outbox (database_oid, channel, priority, message_id) WHERE state = 'queued';
CREATE INDEX dbmaint_outbox_due_idx ON dbmaint_outbox (database_oid, channel, next_attempt_at) WHERE state = 'queued';
CREATE INDEX dbmaint_outbox_order_idx ON dbmaint_outbox (order_key, channel, database_oid, message_id) WHERE state IN ('queued', 'sending');
CREATE INDEX dbmaint_outbox_incident_idx ON dbmaint_outbox (incident_id, channel, database_oid, message_id);
CREATE INDEX dbmaint_outbox_queued_at_idx ON dbmaint_outbox (queued_at);
COMMENT ON TABLE dbmaint_outbox IS
'Every notification, whether it waits, was sent or will never be. dbmaint_notifications shows it.';
COMMENT ON COLUMN dbmaint_outbox.message_id IS
'Ascends with the order in which notifications were queued.';
COMMENT ON COLUMN dbmaint_outbox.message_key IS
'What the receiver knows it by (Idempotency-Key, Message-ID), the same with every attempt.';
COMMENT ON COLUMN dbmaint_outbox.database_oid IS
'The database; a copy of it does not send what it inherited.';
COMMENT ON COLUMN dbmaint_outbox.channel IS
'The name of the channel.';
COMMENT ON COLUMN dbmaint_outbox.incident_id IS
'The incident; NULL for a test.';
COMMENT ON COLUMN dbmaint_outbox.order_key IS
'On a channel, those of the same key are sent in their order: the dedup key of the incident.';
COMMENT ON COLUMN dbmaint_outbox.kind IS
'trigger, change, reminder, escalation, acknowledge, resolve or test.';
COMMENT ON COLUMN dbmaint_outbox.severity IS
'The severity it tells of.';
COMMENT ON COLUMN dbmaint_outbox.priority IS
'Of what waits for a channel, the lowest is sent first: 0 emergency and what has to be sent before one, 1 critical, 2 warning.';
COMMENT ON COLUMN dbmaint_outbox.state IS
'queued, sending, sent; failed: refused for good; expired: not sent for too long; superseded: a later one says more, or nobody knows of what it resolves; dropped: the channel was, or too many waited.';
COMMENT ON COLUMN dbmaint_outbox.queued_at IS
'When it was queued.';
COMMENT ON COLUMN dbmaint_outbox.next_attempt_at IS
'Not sent before; NULL where it will not be sent again.';
COMMENT ON COLUMN dbmaint_outbox.attempts IS
'How often sending began.';
COMMENT ON COLUMN dbmaint_outbox.status IS
'The last answer''s status, of HTTP or SMTP; NULL where there was none.';
COMMENT ON COLUMN dbmaint_outbox.error IS
'What went wrong last, without secrets.';
COMMENT ON COLUMN dbmaint_outbox.sent_at IS
'When the receiver took it.';
COMMENT ON COLUMN dbmaint_outbox.message IS
'What there is to say, while it waits.';
DO $$BEGIN
    EXECUTE pg_catalog.format('COMMENT ON SEQUENCE %s IS %L',
        pg_catalog.pg_get_serial_sequence('dbmaint_outbox', 'message_id'),
        'Numbers of dbmaint_outbox.');
END$$;

CREATE TABLE dbmaint_notification_attempts (
    message_id bigint NOT NULL,
    attempt int NOT NULL,
    database_oid oid NOT NULL,
    at timestamptz NOT NULL,
    duration_ms float8,
    outcome text NOT NULL,
    status int,
    error text,
    PRIMARY KEY (message_id, attempt)
);
CREATE INDEX dbmaint_notification_attempts_at_idx ON dbmaint_notification_attempts (at);
COMMENT ON TABLE dbmaint_notification_attempts IS
'Every attempt to send a notification.';
COMMENT ON COLUMN dbmaint_notification_attempts.message_id IS
'The notification, of dbmaint_outbox.';
COMMENT ON COLUMN dbmaint_notification_attempts.attempt IS
'1 for the first.';
COMMENT ON COLUMN dbmaint_notification_attempts.database_oid IS
'The database.';
COMMENT ON COLUMN dbmaint_notification_attempts.at IS
'When its result was known.';
COMMENT ON COLUMN dbmaint_notification_attempts.duration_ms IS
'How long it took, in milliseconds; NULL where that is not known.';
COMMENT ON COLUMN dbmaint_notification_attempts.outcome IS
'sent; retry: to be tried again; refused: never; interrupted: the notifier ended, so whether it arrived is not known.';
COMMENT ON COLUMN dbmaint_notification_attempts.status IS
'The answer''s status, of HTTP or SMTP; NULL where there was none.';
COMMENT ON COLUMN dbmaint_notification_attempts.error IS
'What went wrong, without secrets.';

CREATE FUNCTION dbmaint_notify_limit(setting text, otherwise text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(current_setting('dbmaint.notify_' || setting, true), otherwise)
$$;
COMMENT ON FUNCTION dbmaint_notify_limit(text, text) IS
'The value of a setting dbmaint.notify_*, or its default where the library is not loaded.';

CREATE FUNCTION dbmaint_this_database()
RETURNS oid
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()
$$;
COMMENT ON FUNCTION dbmaint_this_database() IS
'The oid of the current database.';

CREATE FUNCTION dbmaint_put_notification(
    channel text, incident_id bigint, kind text, message jsonb, at timestamptz)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    me oid := @extschema@.dbmaint_this_database();
    middle CONSTANT text[] := '{change,reminder,escalation}';
    subject text := coalesce($4 ->> 'dedup_key', 'dbmaint');
    urgency int := 3 - coalesce(@extschema@.dbmaint_severity_rank($4 ->> 'severity'), 1);
    key uuid := gen_random_uuid();
    id bigint;
BEGIN
    INSERT INTO @extschema@.dbmaint_outbox AS o
           (message_key, database_oid, channel, incident_id, order_key, kind, severity,
            priority, state, queued_at, next_attempt_at, attempts, message)
    VALUES (key, me, $1, $2, subject, $3, coalesce($4 ->> 'severity', 'warning'),
            urgency, 'queued', $5, $5, 0, $4 || jsonb_build_object('message_id', key))
    RETURNING o.message_id INTO id;

    -- what waits between the first word of an incident and the last is old news
    IF $3 = ANY (middle) OR $3 = 'resolve' THEN
        UPDATE @extschema@.dbmaint_outbox AS o
           SET state = 'superseded', message = NULL, next_attempt_at = NULL,
               error = 'a later notification says more'
         WHERE o.database_oid = me AND o.channel = $1 AND o.incident_id = $2
           AND o.message_id < id AND o.state = 'queued' AND o.kind = ANY (middle)
           AND ($3 <> 'resolve' OR EXISTS (
                SELECT FROM @extschema@.dbmaint_outbox AS p
                 WHERE p.database_oid = me AND p.channel = $1 AND p.incident_id = $2
                   AND p.message_id < o.message_id
                   AND (p.attempts > 0 OR p.state IN ('queued', 'sending', 'sent'))));
    END IF;

    -- so are incidents that came and went while nobody could be told
    IF $3 <> 'resolve' THEN
        UPDATE @extschema@.dbmaint_outbox AS o
           SET state = 'superseded', message = NULL, next_attempt_at = NULL,
               error = 'it came and went before it could be sent'
         WHERE o.database_oid = me AND o.channel = $1 AND o.order_key = subject
           AND o.state IN ('queued', 'sending') AND o.state = 'queued' AND o.incident_id < $2
           AND EXISTS (SELECT FROM @extschema@.dbmaint_outbox AS r
                        WHERE r.database_oid = me AND r.channel = $1 AND r.incident_id = o.incident_id
                          AND r.state = 'queued' AND r.kind = 'resolve'
                          AND r.queued_at < $5 - interval '1 minute')
           AND NOT EXISTS (SELECT FROM @extschema@.dbmaint_outbox AS p
                            WHERE p.database_oid = me AND p.channel = $1 AND p.incident_id = o.incident_id
                              AND (p.attempts > 0 OR p.state IN ('sending', 'sent')));
    END IF;

    -- what has to be said before an emergency is as urgent; what is under way
    -- becomes so when it fails
    IF urgency = 0 THEN
        UPDATE @extschema@.dbmaint_outbox AS o
           SET priority = 0, next_attempt_at = least(o.next_attempt_at, $5)
         WHERE o.database_oid = me AND o.channel = $1 AND o.order_key = subject
           AND o.state IN ('queued', 'sending') AND o.state = 'queued' AND o.message_id < id;
    END IF;

    -- counting costs, so not each time
    IF id % 100 = 0 THEN
        PERFORM @extschema@.dbmaint_tend_outbox($5);
    END IF;
    RETURN id;
END
$$;
COMMENT ON FUNCTION dbmaint_put_notification(text, bigint, text, jsonb, timestamptz) IS
'Puts a message into the outbox for one channel, and takes out what it makes superfluous; returns its number.';

CREATE FUNCTION dbmaint_tend_outbox(at timestamptz)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    me oid := @extschema@.dbmaint_this_database();
    oldest timestamptz := $1 - @extschema@.dbmaint_notify_limit('max_age'::text, '6h'::text)::interval;
    most int := @extschema@.dbmaint_notify_limit('max_queued'::text, '10000'::text)::int;
    channels text[];
    off text[];
    name text;
    too_many bigint[];
    touched bigint;
    sum_touched bigint := 0;
BEGIN
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_outbox'::name);

    -- the age of an end begins when its channel is on again
    off := ARRAY(SELECT c.name FROM @extschema@.dbmaint_channels AS c WHERE NOT c.enabled);
    UPDATE @extschema@.dbmaint_outbox AS o
       SET state = 'expired', message = NULL, next_attempt_at = NULL,
           error = concat_ws(': ', 'not sent within dbmaint.notify_max_age', o.error)
     WHERE o.database_oid = me AND o.state = 'queued' AND o.queued_at < oldest
       AND NOT (o.kind = 'resolve' AND o.channel = ANY (off));
    GET DIAGNOSTICS touched = ROW_COUNT;
    sum_touched := sum_touched + touched;

    channels := ARRAY(SELECT c.name FROM @extschema@.dbmaint_channels AS c);
    UPDATE @extschema@.dbmaint_outbox AS o
       SET state = 'dropped', message = NULL, next_attempt_at = NULL, error = 'the channel was dropped'
     WHERE o.database_oid = me AND o.state = 'queued' AND o.channel <> ALL (channels);
    GET DIAGNOSTICS touched = ROW_COUNT;
    sum_touched := sum_touched + touched;

    FOREACH name IN ARRAY channels LOOP
        too_many := ARRAY(
            SELECT q.message_id FROM @extschema@.dbmaint_outbox AS q
             WHERE q.database_oid = me AND q.channel = name AND q.state = 'queued'
             ORDER BY q.priority, q.message_id DESC OFFSET most);
        CONTINUE WHEN cardinality(too_many) = 0;
        UPDATE @extschema@.dbmaint_outbox AS o
           SET state = 'dropped', message = NULL, next_attempt_at = NULL,
               error = 'more than dbmaint.notify_max_queued waited for the channel'
         WHERE o.message_id = ANY (too_many) AND o.state = 'queued';
        GET DIAGNOSTICS touched = ROW_COUNT;
        sum_touched := sum_touched + touched;
    END LOOP;

    -- after the clock was set back
    UPDATE @extschema@.dbmaint_outbox AS o
       SET next_attempt_at = $1, queued_at = least(o.queued_at, $1)
     WHERE o.database_oid = me AND o.state = 'queued'
       AND o.next_attempt_at > $1 + interval '25 hours';
    RETURN sum_touched;
END
$$;
COMMENT ON FUNCTION dbmaint_tend_outbox(timestamptz) IS
'Takes out of the outbox what is too old, too much or for nobody; returns how many notifications that were.';

CREATE FUNCTION dbmaint_queue_notifications(
    incident_id bigint, kind text, at timestamptz)
RETURNS int
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    me oid := @extschema@.dbmaint_this_database();
    message jsonb;
    lean jsonb;
    texts jsonb;
    severity int;
    level int;
    known bool;
    c record;
    queued int := 0;
BEGIN
    IF $2 IS NULL OR $2 NOT IN ('trigger', 'change', 'reminder', 'escalation', 'acknowledge', 'resolve')
       OR $3 IS NULL OR NOT isfinite($3) THEN
        RAISE EXCEPTION 'no such kind of notification, or no time of it'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Kinds are trigger, change, reminder, escalation, acknowledge and resolve.';
    END IF;
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_outbox'::name);
    message := @extschema@.dbmaint_notification_message($1, $2, $3);
    severity := @extschema@.dbmaint_severity_rank(message ->> 'severity');
    level := coalesce((message ->> 'escalation_level')::int, 1);
    lean := message - 'evidence'::text;

    FOR c IN
        SELECT s.name, s.kind, @extschema@.dbmaint_severity_rank(s.min_severity) AS min_severity,
               s.escalation_level,
               coalesce((s.options ->> 'evidence')::bool, s.kind IN ('pagerduty', 'webhook')) AS evidence,
               coalesce((s.options ->> 'query_texts')::bool, false) AS query_texts
          FROM @extschema@.dbmaint_channels AS s
         -- a receiver keeps open what it is not told the end of, so the end
         -- waits for a channel that is off
         WHERE (s.enabled OR $2 = 'resolve') AND message IS NOT NULL
         ORDER BY s.name
    LOOP
        known := EXISTS (SELECT FROM @extschema@.dbmaint_outbox AS o
                          WHERE o.database_oid = me AND o.incident_id = $1 AND o.channel = c.name
                            AND o.kind <> 'resolve'
                            AND (o.attempts > 0 OR o.state IN ('queued', 'sending', 'sent')));
        CONTINUE WHEN NOT CASE
            WHEN $2 IN ('resolve', 'acknowledge') THEN known
            -- who was told how bad it was is told that it is better
            WHEN $2 = 'change' AND known THEN true
            ELSE severity >= c.min_severity AND level >= c.escalation_level END;
        IF c.query_texts AND texts IS NULL THEN
            texts := coalesce(@extschema@.dbmaint_notification_texts(nullif(message -> 'evidence', 'null'::jsonb)), '{}'::jsonb);
        END IF;
        PERFORM @extschema@.dbmaint_put_notification(c.name, $1, $2,
            CASE WHEN c.evidence THEN lean || jsonb_build_object('evidence', message -> 'evidence') ELSE lean END
            || CASE WHEN c.query_texts THEN jsonb_build_object('texts', texts) ELSE '{}' END, $3);
        queued := queued + 1;
    END LOOP;
    IF queued > 0 THEN
        PERFORM @extschema@.dbmaint_want_notifier();
    END IF;
    RETURN queued;
END
$$;
COMMENT ON FUNCTION dbmaint_queue_notifications(bigint, text, timestamptz) IS
'Queues a notification of the incident to every channel that is to be told, in the caller''s transaction; returns how many. A channel is told of its min_severity and up, from its escalation_level on; of a change of severity, an acknowledgement and the end, if it was told before. The end waits for one that is off. Texts of statements are added for channels whose options say query_texts.';

CREATE FUNCTION dbmaint_test_message(channel text, at timestamptz)
RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object(
        'incident', NULL, 'kind', 'test', 'state', 'test', 'severity', 'warning',
        'dedup_key', format('dbmaint/%s/%s/test/%s', (SELECT s.system_identifier FROM pg_control_system() AS s),
                            @extschema@.dbmaint_this_database(), $1),
        'metric', 'test', 'instance', '', 'value', NULL, 'unit', NULL, 'threshold', NULL,
        'comparison', NULL, 'since', to_jsonb($2), 'at', to_jsonb($2), 'sustained_seconds', NULL,
        'summary', format('test of channel %s of dbmaint on database %s: nothing is wrong', $1, current_database()),
        'cause', NULL, 'actions', jsonb_build_array('Nothing: this is a test.'), 'escalation_level', 1,
        'server', jsonb_build_object('cluster_name', current_setting('cluster_name'), 'host', NULL,
                                     'port', current_setting('port')::int, 'database', current_database()))
$$;
COMMENT ON FUNCTION dbmaint_test_message(text, timestamptz) IS
'The message that dbmaint_test_channel() sends.';

CREATE FUNCTION dbmaint_test_channel(name text)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    id bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM @extschema@.dbmaint_channels AS c WHERE c.name = $1) THEN
        RAISE EXCEPTION 'channel "%" does not exist', $1
            USING ERRCODE = 'undefined_object', HINT = 'dbmaint_channels shows those there are.';
    END IF;
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_outbox'::name);
    id := @extschema@.dbmaint_put_notification($1, NULL::bigint, 'test'::text,
              @extschema@.dbmaint_test_message($1, clock_timestamp()), clock_timestamp());
    PERFORM @extschema@.dbmaint_want_notifier();
    RETURN id;
END
$$;
COMMENT ON FUNCTION dbmaint_test_channel(text) IS
'Queues a test message to the channel, to be sent when the transaction commits, and returns its number; dbmaint_notifications shows what came of it. PagerDuty opens an incident for it.';

CREATE VIEW dbmaint_notifications AS
SELECT o.message_id, o.channel, o.incident_id, o.kind, o.severity, o.state,
       o.queued_at, a.attempt, a.at, a.duration_ms, a.outcome,
       CASE WHEN a.message_id IS NULL THEN o.status ELSE a.status END AS status,
       CASE WHEN a.message_id IS NULL THEN o.error ELSE a.error END AS error,
       o.attempts, o.sent_at,
       CASE WHEN o.state OPERATOR(pg_catalog.=) 'queued' THEN o.next_attempt_at END AS next_attempt_at
  FROM dbmaint_outbox AS o
  JOIN pg_catalog.pg_database AS d
    ON d.oid OPERATOR(pg_catalog.=) o.database_oid
   AND d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
  LEFT JOIN dbmaint_notification_attempts AS a
    ON a.message_id OPERATOR(pg_catalog.=) o.message_id;
COMMENT ON VIEW dbmaint_notifications IS
'Every attempt to send a notification, and those that had none yet: attempt, at, duration_ms (milliseconds), outcome, status (of HTTP or SMTP) and error are the attempt''s; state, attempts, sent_at and next_attempt_at are the notification''s as it is now. NULL where there is none.';

CREATE FUNCTION dbmaint_render_notification(
    name text, kind text, target text, options jsonb, keys jsonb, message jsonb,
    OUT content_type text, OUT body text)
LANGUAGE C STABLE CALLED ON NULL INPUT
AS 'MODULE_PATHNAME', 'dbmaint_render_notification';
COMMENT ON FUNCTION dbmaint_render_notification(text, text, text, jsonb, jsonb, jsonb) IS
'Writes the message as a channel of that kind and target would send it. Part of dbmaint_preview_notification().';

CREATE FUNCTION dbmaint_preview_notification(
    channel text, message jsonb DEFAULT NULL,
    OUT content_type text, OUT body text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c record;
BEGIN
    SELECT s.* INTO c FROM @extschema@.dbmaint_channels AS s WHERE s.name = $1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'channel "%" does not exist', $1
            USING ERRCODE = 'undefined_object', HINT = 'dbmaint_channels shows those there are.';
    END IF;
    SELECT r.content_type, r.body INTO content_type, body
      FROM @extschema@.dbmaint_render_notification(c.name, c.kind, c.target, c.options, c.keys,
               coalesce($2, @extschema@.dbmaint_test_message(c.name, now()))) AS r;
END
$$;
COMMENT ON FUNCTION dbmaint_preview_notification(text, jsonb) IS
'What the channel would send of the message, or of its test message: the content type and the body. For superusers: PagerDuty''s body holds the key.';

REVOKE ALL ON dbmaint_outbox, dbmaint_notification_attempts, dbmaint_notifications FROM PUBLIC;
GRANT SELECT ON dbmaint_notification_attempts, dbmaint_notifications TO pg_monitor;
REVOKE ALL ON FUNCTION dbmaint_notify_limit(text, text), dbmaint_this_database(),
    dbmaint_put_notification(text, bigint, text, jsonb, timestamptz),
    dbmaint_tend_outbox(timestamptz), dbmaint_queue_notifications(bigint, text, timestamptz),
    dbmaint_test_message(text, timestamptz), dbmaint_test_channel(text),
    dbmaint_render_notification(text, text, text, jsonb, jsonb, jsonb),
    dbmaint_preview_notification(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_notify_limit(text, text), dbmaint_this_database() TO pg_monitor;
