-- src/notify/delivery.sql: what the notifier asks of the outbox, and tells it.
--
-- It claims rows, sends, and notes the result, each in a transaction of its
-- own.  A channel that fails is paused, but for emergencies: the first one may
-- be what the receiver is well again for, so each has its own first attempt at
-- once, and then waits as long as any other.

CREATE FUNCTION dbmaint_outbox_due(at timestamptz)
RETURNS bool
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    -- "sending" is what a notifier left behind, or is busy with
    SELECT EXISTS (SELECT FROM @extschema@.dbmaint_outbox AS o
                    WHERE o.database_oid = @extschema@.dbmaint_this_database() AND o.state = 'sending')
        OR EXISTS (SELECT FROM @extschema@.dbmaint_due_channels($1) AS c WHERE c.due_at <= $1)
$$;
COMMENT ON FUNCTION dbmaint_outbox_due(timestamptz) IS
'Is there anything to send at that time?';

CREATE FUNCTION dbmaint_pause_of(paused_until timestamptz, at timestamptz)
RETURNS timestamptz
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
    -- a pause from before the clock was set back does not count
    SELECT CASE WHEN $1 > $2 AND $1 < $2 + interval '25 hours' THEN $1 END
$$;
COMMENT ON FUNCTION dbmaint_pause_of(timestamptz, timestamptz) IS
'Until when a channel is paused at a time; NULL where it is not.';

CREATE FUNCTION dbmaint_due_channels(
    at timestamptz, OUT name text, OUT kind text, OUT target text,
    OUT options jsonb, OUT keys jsonb, OUT rate float8,
    OUT concurrency int, OUT failures int, OUT due_at timestamptz)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.name, c.kind, c.target, c.options, c.keys,
           (c.options ->> 'rate_per_second')::float8,
           (c.options ->> 'concurrency')::numeric::int, c.failures,
           CASE WHEN p.until IS NULL THEN n.next_at
                ELSE least(greatest(n.next_at, p.until), p.urgent_at) END
      FROM @extschema@.dbmaint_channels AS c
     CROSS JOIN LATERAL (SELECT @extschema@.dbmaint_pause_of(c.paused_until, $1),
                                least(c.paused_until, c.last_failed_at + interval '5 seconds')) AS q(until, briefly_until)
     -- an emergency waits for its own next attempt, and for seconds of the pause
     CROSS JOIN LATERAL (SELECT q.until, CASE WHEN q.until IS NOT NULL THEN
                                (SELECT greatest(min(o.next_attempt_at), q.briefly_until)
                                   FROM @extschema@.dbmaint_outbox AS o
                                  WHERE o.database_oid = @extschema@.dbmaint_this_database()
                                    AND o.channel = c.name AND o.state = 'queued' AND o.priority = 0
                                 HAVING count(*) > 0) END) AS p(until, urgent_at)
     CROSS JOIN LATERAL (SELECT min(o.next_attempt_at)
                           FROM @extschema@.dbmaint_outbox AS o
                          WHERE o.database_oid = @extschema@.dbmaint_this_database()
                            AND o.channel = c.name AND o.state = 'queued') AS n(next_at)
     WHERE c.enabled AND n.next_at IS NOT NULL
$$;
COMMENT ON FUNCTION dbmaint_due_channels(timestamptz) IS
'The channels for which notifications wait, with targets, keys and limits (NULL: the kind''s), and when the next one is to be sent: after the channel''s pause, but for emergencies, which wait for at most 5 seconds of it.';

CREATE FUNCTION dbmaint_claim_notifications(
    channel text, room int, at timestamptz, OUT message_id bigint,
    OUT message_key text, OUT kind text, OUT attempt int, OUT queued_at timestamptz,
    OUT message jsonb)
RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    me oid := @extschema@.dbmaint_this_database();
    oldest timestamptz := $3 - @extschema@.dbmaint_notify_limit('max_age'::text, '6h'::text)::interval;
    paused bool := EXISTS (SELECT FROM @extschema@.dbmaint_channel_states AS s
                            WHERE s.database_oid = me AND s.channel = $1
                              AND @extschema@.dbmaint_pause_of(s.paused_until, $3) IS NOT NULL);
    m record;
BEGIN
    FOR m IN
        SELECT o.message_id, o.message_key, o.kind, o.incident_id, o.attempts, o.queued_at, o.message
          FROM @extschema@.dbmaint_outbox AS o
         WHERE o.database_oid = me AND o.channel = $1 AND o.state = 'queued'
           AND o.next_attempt_at <= $3 AND o.queued_at >= oldest
           AND (o.priority = 0 OR NOT paused)
           AND NOT EXISTS (SELECT FROM @extschema@.dbmaint_outbox AS p
                            WHERE p.order_key = o.order_key AND p.channel = $1 AND p.database_oid = me
                              AND p.message_id < o.message_id AND p.state IN ('queued', 'sending'))
         ORDER BY o.priority, o.message_id
         LIMIT $2
           FOR UPDATE OF o SKIP LOCKED
    LOOP
        -- nobody there knows of it
        IF m.kind IN ('resolve', 'acknowledge') AND NOT EXISTS (
               SELECT FROM @extschema@.dbmaint_outbox AS p
                WHERE p.database_oid = me AND p.channel = $1 AND p.incident_id = m.incident_id
                  AND p.message_id < m.message_id AND p.kind NOT IN ('resolve', 'acknowledge')
                  AND (p.state = 'sent' OR (p.state <> 'failed' AND p.attempts > 0))) THEN
            UPDATE @extschema@.dbmaint_outbox AS o
               SET state = 'superseded', message = NULL, next_attempt_at = NULL,
                   error = 'nothing of the incident was sent before'
             WHERE o.message_id = m.message_id;
            CONTINUE;
        END IF;
        UPDATE @extschema@.dbmaint_outbox AS o
           SET state = 'sending', attempts = o.attempts + 1
         WHERE o.message_id = m.message_id;
        message_id := m.message_id;
        message_key := m.message_key;
        kind := m.kind;
        attempt := m.attempts + 1;
        queued_at := m.queued_at;
        message := m.message;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION dbmaint_claim_notifications(text, int, timestamptz) IS
'Takes at most room of a channel''s notifications to be sent now: the gravest first, never one before an earlier one of the same incident; while the channel is paused, emergencies alone. For the notifier.';

CREATE FUNCTION dbmaint_finish_notifications(
    message_ids bigint[], outcomes text[], statuses int[], errors text[],
    durations_ms float8[], waits_ms float8[], at timestamptz)
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    WITH r AS (
        SELECT u.*,
               -- did an emergency of the same incident come meanwhile?  It has the
               -- time of its round, which took some to commit.
               u.outcome = 'retry' AND EXISTS (
                   SELECT FROM @extschema@.dbmaint_outbox AS o
                     JOIN @extschema@.dbmaint_outbox AS e
                       ON e.order_key = o.order_key AND e.channel = o.channel AND e.database_oid = o.database_oid
                      AND e.message_id > o.message_id AND e.state = 'queued' AND e.severity = 'emergency'
                      AND e.queued_at > $7 - interval '5 seconds' - greatest(u.duration_ms, 0) * interval '1 millisecond'
                    WHERE o.message_id = u.message_id) AS urged
          FROM unnest($1, $2, $3, $4, $5, $6) AS u(message_id, outcome, status, error, duration_ms, wait_ms)
    ), updated AS (
        UPDATE @extschema@.dbmaint_outbox AS o
           SET state = CASE r.outcome WHEN 'sent' THEN 'sent' WHEN 'refused' THEN 'failed' ELSE 'queued' END,
               status = r.status, error = r.error,
               sent_at = CASE WHEN r.outcome = 'sent' THEN $7 END,
               message = CASE WHEN r.outcome = 'retry' THEN o.message END,
               next_attempt_at = CASE WHEN r.outcome = 'retry' THEN
                   $7 + CASE WHEN r.urged THEN least(r.wait_ms, 1000) ELSE r.wait_ms END * interval '1 millisecond' END,
               priority = CASE WHEN r.urged THEN 0 ELSE o.priority END
          FROM r
         WHERE o.message_id = ANY ($1) AND o.message_id = r.message_id AND o.state = 'sending'
        RETURNING o.message_id, o.attempts, o.database_oid, r.outcome, r.status, r.error, r.duration_ms
    )
    INSERT INTO @extschema@.dbmaint_notification_attempts
           (message_id, attempt, database_oid, at, duration_ms, outcome, status, error)
    SELECT u.message_id, u.attempts, u.database_oid, $7, u.duration_ms, u.outcome, u.status, u.error
      FROM updated AS u
    ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION dbmaint_finish_notifications(bigint[], text[], int[], text[], float8[], float8[], timestamptz) IS
'Notes what came of attempts: outcomes are sent, retry and refused. For the notifier.';

CREATE FUNCTION dbmaint_release_notifications(at timestamptz)
RETURNS bigint
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    WITH released AS (
        UPDATE @extschema@.dbmaint_outbox AS o
           SET state = 'queued', error = 'interrupted'
         WHERE o.database_oid = @extschema@.dbmaint_this_database() AND o.state = 'sending'
        RETURNING o.message_id, o.attempts, o.database_oid
    ), noted AS (
        INSERT INTO @extschema@.dbmaint_notification_attempts
               (message_id, attempt, database_oid, at, outcome, error)
        SELECT r.message_id, r.attempts, r.database_oid, $1, 'interrupted', 'interrupted'
          FROM released AS r
        ON CONFLICT DO NOTHING
    )
    SELECT count(*) FROM released
$$;
COMMENT ON FUNCTION dbmaint_release_notifications(timestamptz) IS
'Queues again what a notifier was sending when it ended; returns how many notifications that were. For the notifier, when it starts.';

CREATE FUNCTION dbmaint_note_channel(
    channel text, failures int, paused_until timestamptz, sent bool,
    error text, at timestamptz)
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO @extschema@.dbmaint_channel_states AS s
    VALUES (@extschema@.dbmaint_this_database(), $1, $2, $3, CASE WHEN $4 THEN $6 END,
            CASE WHEN $5 IS NOT NULL THEN $6 END, $5)
    ON CONFLICT ON CONSTRAINT dbmaint_channel_states_pkey DO UPDATE
       SET failures = excluded.failures, paused_until = excluded.paused_until,
           last_sent_at = coalesce(excluded.last_sent_at, s.last_sent_at),
           last_failed_at = coalesce(excluded.last_failed_at, s.last_failed_at),
           last_error = coalesce(excluded.last_error, s.last_error)
$$;
COMMENT ON FUNCTION dbmaint_note_channel(text, int, timestamptz, bool, text, timestamptz) IS
'Notes how delivery to a channel goes. For the notifier.';

REVOKE ALL ON FUNCTION dbmaint_outbox_due(timestamptz), dbmaint_pause_of(timestamptz, timestamptz),
    dbmaint_due_channels(timestamptz),
    dbmaint_claim_notifications(text, int, timestamptz),
    dbmaint_finish_notifications(bigint[], text[], int[], text[], float8[], float8[], timestamptz),
    dbmaint_release_notifications(timestamptz),
    dbmaint_note_channel(text, int, timestamptz, bool, text, timestamptz) FROM PUBLIC;
