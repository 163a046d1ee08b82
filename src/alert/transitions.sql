-- src/alert/transitions.sql: what the engine writes when an alert changes, and
-- what it does while one fires.

CREATE FUNCTION dbmaint_load_incidents(at timestamptz,
    OUT incident_id bigint, OUT metric text, OUT instance text, OUT phase bigint,
    OUT level bigint, OUT since_at timestamptz, OUT flapping boolean,
    OUT breaching_from timestamptz[], OUT well_from timestamptz[],
    OUT holding boolean[], OUT flaps int[], OUT ended_at timestamptz[],
    OUT last_at timestamptz, OUT comparison text, OUT threshold float8)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT i.incident_id, i.metric, i.instance,
           CASE i.state WHEN 'firing' THEN 2 WHEN 'pending' THEN 1 ELSE 0 END::bigint,
           array_position(ARRAY['warning', 'critical', 'emergency'], i.severity)::bigint - 1,
           i.since_at, i.flapping, i.breaching_from, i.well_from, i.holding, i.flaps, i.ended_at,
           CASE WHEN i.state = 'resolved' THEN i.updated_at
                -- what is well without a reading is gone or quiet, as every round saw it
                WHEN w.well_at >= i.since_at AND (r.read_at < w.well_at OR r.read_at IS NULL) THEN
                     greatest(i.updated_at, (SELECT max(s.taken_at) FROM @extschema@.dbmaint_series_samples AS s
                                              WHERE s.database_oid = i.database_oid AND s.taken_at < at),
                              (SELECT max(p."timestamp") FROM @extschema@.performance_metrics AS p
                                WHERE p.database_oid = i.database_oid AND p."timestamp" < at))
                ELSE greatest(i.updated_at, r.read_at) END,
           i.comparison, i.threshold
      FROM (SELECT DISTINCT ON (n.metric, n.instance) n.*
              FROM @extschema@.dbmaint_incidents AS n
             WHERE n.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
               -- who flaps is remembered for an hour
               AND (n.state <> 'resolved' OR n.resolved_at > at - interval '1 hour')
             ORDER BY n.metric, n.instance, (n.state = 'resolved'), n.incident_id DESC) AS i
     CROSS JOIN LATERAL (SELECT max(u.at) AS well_at FROM unnest(i.well_from) AS u(at)) AS w
     CROSS JOIN LATERAL (SELECT CASE WHEN i.state <> 'resolved' THEN
               @extschema@.dbmaint_last_reading_at(i.metric, i.instance, least(i.updated_at, w.well_at), at) END AS read_at) AS r
$$;
COMMENT ON FUNCTION dbmaint_load_incidents(timestamptz) IS
'What the engine must know at its start: of each metric and instance the open incident, else the one that resolved last, in the hour before; last_at is the last reading before the time';

CREATE FUNCTION dbmaint_last_reading_at(metric text, instance text,
    from_at timestamptz, to_at timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    mine CONSTANT oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    last_at timestamptz;
    number bigint;
BEGIN
    IF EXISTS (SELECT FROM @extschema@.dbmaint_metrics() AS m WHERE m.metric = $1) THEN
        EXECUTE format('SELECT p."timestamp" FROM %s AS p'
                       ' WHERE p.database_oid = $1 AND p."timestamp" >= $2 AND p."timestamp" < $3'
                       '   AND p.%I IS NOT NULL ORDER BY p."timestamp" DESC LIMIT 1',
                       '@extschema@.performance_metrics'::regclass, $1)
           INTO last_at USING mine, from_at, to_at;
        RETURN last_at;
    END IF;
    SELECT s.series_id INTO number FROM @extschema@.dbmaint_series AS s
     WHERE s.database_oid = mine AND s.metric = $1 AND s.instance = $2;
    SELECT s.taken_at INTO last_at FROM @extschema@.dbmaint_series_samples AS s
     WHERE s.database_oid = mine AND s.taken_at >= from_at AND s.taken_at < to_at
       AND @extschema@.dbmaint_packed_position(s.series, number) IS NOT NULL
     ORDER BY s.taken_at DESC LIMIT 1;
    RETURN last_at;
END
$$;
COMMENT ON FUNCTION dbmaint_last_reading_at(text, text, timestamptz, timestamptz) IS
'When an instance of a metric was read last, from one time until before another; NULL where it was not';

CREATE FUNCTION dbmaint_note_incident_event(incident bigint, at timestamptz,
    event text, by_user text, note text)
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO @extschema@.dbmaint_incident_events AS e
           (incident_id, database_oid, at, event, severity, value, threshold, by_user, note)
    SELECT i.incident_id, i.database_oid, $2, $3, i.severity,
           CASE WHEN $3 IN ('pending', 'firing', 'worse', 'better', 'resolved') THEN i.value END,
           CASE WHEN $3 IN ('pending', 'firing', 'worse', 'better', 'resolved') THEN i.threshold END, $4, $5
      FROM @extschema@.dbmaint_incidents AS i WHERE i.incident_id = $1
$$;
COMMENT ON FUNCTION dbmaint_note_incident_event(bigint, timestamptz, text, text, text) IS
'Writes an event of an incident, with what it is now';

CREATE FUNCTION dbmaint_not_after(at timestamptz, latest timestamptz)
RETURNS timestamptz
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN at > latest THEN latest ELSE at END
$$;
COMMENT ON FUNCTION dbmaint_not_after(timestamptz, timestamptz) IS
'A time, or the latest one that it can be; NULL stays NULL';

CREATE FUNCTION dbmaint_next_attention(incident bigint, at timestamptz)
RETURNS timestamptz
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    -- what is of the future was written before the clock was set back
    SELECT least(@extschema@.dbmaint_not_after(i.evidence_due_at, $2 + interval '5 minutes'),
                 CASE WHEN i.state <> 'firing' THEN NULL
                      WHEN i.silenced THEN @extschema@.dbmaint_silenced_until(i.metric, i.instance, $2)
                      WHEN i.acknowledged_at IS NULL
                      THEN least(@extschema@.dbmaint_not_after(i.notified_at, $2) + r.remind_every,
                                 CASE WHEN i.escalation_level < 3
                                      THEN @extschema@.dbmaint_not_after(i.escalated_at, $2) + r.escalate_after END) END)
      FROM @extschema@.dbmaint_incidents AS i
      LEFT JOIN LATERAL @extschema@.dbmaint_rule_of(i.metric, i.instance, i.severity) AS r ON true
     WHERE i.incident_id = $1
$$;
COMMENT ON FUNCTION dbmaint_next_attention(bigint, timestamptz) IS
'When something is to be done about an incident though nothing changes; NULL: never';

CREATE FUNCTION dbmaint_tell(incident bigint, kind text, at timestamptz)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE @extschema@.dbmaint_incidents AS i
       SET notified_at = $3,
           -- who is told that somebody takes it on is not told how bad it is
           told_severity = CASE WHEN $2 = 'acknowledge' THEN i.told_severity ELSE i.severity END
     WHERE i.incident_id = $1;
    PERFORM @extschema@.dbmaint_queue_notifications($1, $2, $3);
END
$$;
COMMENT ON FUNCTION dbmaint_tell(bigint, text, timestamptz) IS
'Queues the notifications of an incident (kind: trigger, change, reminder, escalation, acknowledge, resolve), and notes when, and of which severity';

CREATE FUNCTION dbmaint_tell_transition(incident bigint, change text, at timestamptz)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    i @extschema@.dbmaint_incidents;
    silent boolean;
BEGIN
    SELECT n.* INTO i FROM @extschema@.dbmaint_incidents AS n WHERE n.incident_id = $1;
    IF change = 'resolved' THEN
        -- who was told that it fires is told that it does no more, silence or not
        IF i.notified_at IS NOT NULL THEN
            PERFORM @extschema@.dbmaint_tell($1, 'resolve'::text, $3);
        END IF;
        RETURN;
    END IF;

    silent := @extschema@.dbmaint_silenced_until(i.metric, i.instance, $3) IS NOT NULL;
    IF silent <> i.silenced THEN
        UPDATE @extschema@.dbmaint_incidents AS n SET silenced = silent WHERE n.incident_id = $1;
        PERFORM @extschema@.dbmaint_note_incident_event($1, $3,
            CASE WHEN silent THEN 'silenced' ELSE 'audible' END, NULL::text, NULL::text);
    END IF;
    IF silent THEN
        RETURN;
    ELSIF i.notified_at IS NULL THEN
        UPDATE @extschema@.dbmaint_incidents AS n SET escalated_at = $3 WHERE n.incident_id = $1;
        PERFORM @extschema@.dbmaint_tell($1, 'trigger'::text, $3);
    ELSE
        PERFORM @extschema@.dbmaint_tell($1, 'change'::text, $3);
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_tell_transition(bigint, text, timestamptz) IS
'Queues what a transition of an incident is to be told by, unless it is silenced';

CREATE FUNCTION dbmaint_note_transition(incident bigint, of_metric text,
    of_instance text, change text, at timestamptz, new_severity text,
    new_comparison text, new_threshold float8, new_value float8,
    since timestamptz, new_flapping boolean, because text, new_evidence jsonb,
    new_cause text, looked boolean, new_breaching timestamptz[],
    new_well timestamptz[], new_holding boolean[], new_flaps int[],
    new_ended timestamptz[])
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ranks CONSTANT text[] := ARRAY['warning', 'critical', 'emergency'];
    phase CONSTANT text := CASE WHEN change = 'resolved' THEN 'resolved'
                                WHEN true = ANY (new_holding) THEN 'firing' ELSE 'pending' END;
    told CONSTANT boolean := change IN ('firing', 'worse', 'better', 'resolved');
    before @extschema@.dbmaint_incidents;
    what_to_do text[];
BEGIN
    IF change = 'cancelled' THEN
        DELETE FROM @extschema@.dbmaint_incident_events AS e WHERE e.incident_id = incident;
        DELETE FROM @extschema@.dbmaint_incidents AS i WHERE i.incident_id = incident;
        RETURN NULL;
    END IF;

    SELECT r.actions INTO what_to_do FROM @extschema@.dbmaint_rule_of(of_metric, of_instance, new_severity) AS r;
    SELECT i.* INTO before FROM @extschema@.dbmaint_incidents AS i WHERE i.incident_id = incident FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO @extschema@.dbmaint_incidents AS i
               (database_oid, metric, instance, state, severity, worst_severity, comparison, threshold,
                since_at, updated_at, breaching_from, well_from, holding, flaps, ended_at, fired_at, resolved_at)
        SELECT d.oid, of_metric, of_instance, phase, new_severity, new_severity, coalesce(new_comparison, '>'),
               coalesce(new_threshold, 'NaN'), since, $5, new_breaching, new_well, new_holding, new_flaps, new_ended,
               CASE WHEN phase = 'firing' THEN $5 END, CASE WHEN phase = 'resolved' THEN $5 END
          FROM pg_database AS d WHERE d.datname = current_database()
        RETURNING i.* INTO before;
    END IF;

    UPDATE @extschema@.dbmaint_incidents AS i
       SET state = phase, severity = new_severity,
           worst_severity = CASE WHEN array_position(ranks, new_severity) > array_position(ranks, i.worst_severity)
                                 THEN new_severity ELSE i.worst_severity END,
           comparison = coalesce(new_comparison, i.comparison), threshold = coalesce(new_threshold, i.threshold),
           value = CASE WHEN change = 'moved' THEN coalesce(new_value, i.value) ELSE new_value END,
           since_at = since, updated_at = $5, actions = coalesce(what_to_do, i.actions), flapping = new_flapping,
           fired_at = CASE WHEN phase = 'firing' THEN coalesce(i.fired_at, $5) ELSE i.fired_at END,
           resolved_at = CASE WHEN phase = 'resolved' THEN $5 END,
           resolved_because = CASE WHEN phase = 'resolved' THEN because END,
           -- who took on a warning did not take on an emergency
           acknowledged_at = CASE WHEN change <> 'worse' THEN i.acknowledged_at END,
           acknowledged_by = CASE WHEN change <> 'worse' THEN i.acknowledged_by END,
           acknowledge_note = CASE WHEN change <> 'worse' THEN i.acknowledge_note END,
           -- nor had anybody time to take the worse one on
           escalated_at = CASE WHEN change <> 'worse' THEN i.escalated_at
                               WHEN i.escalated_at IS NOT NULL THEN $5 END,
           cause = coalesce(new_cause, i.cause), evidence = coalesce(new_evidence, i.evidence),
           evidence_at = CASE WHEN looked THEN $5 ELSE i.evidence_at END,
           evidence_due_at = CASE WHEN NOT looked THEN i.evidence_due_at
                                  WHEN new_evidence IS NOT NULL THEN $5 + interval '5 minutes' END,
           evidence_completed_at = CASE WHEN NOT looked THEN i.evidence_completed_at END,
           breaching_from = new_breaching, well_from = new_well, holding = new_holding,
           flaps = new_flaps, ended_at = new_ended
     WHERE i.incident_id = before.incident_id;

    IF told OR change = 'pending' THEN
        PERFORM @extschema@.dbmaint_note_incident_event(before.incident_id, $5, change, NULL::text,
                                                        CASE WHEN change = 'resolved' THEN because END);
    END IF;
    IF new_flapping <> before.flapping THEN
        PERFORM @extschema@.dbmaint_note_incident_event(before.incident_id, $5,
            CASE WHEN new_flapping THEN 'flapping' ELSE 'steady' END, NULL::text, NULL::text);
    END IF;
    IF told THEN
        PERFORM @extschema@.dbmaint_tell_transition(before.incident_id, change, $5);
    END IF;
    UPDATE @extschema@.dbmaint_incidents AS i
       SET attention_at = @extschema@.dbmaint_next_attention(i.incident_id, $5)
     WHERE i.incident_id = before.incident_id;
    RETURN before.incident_id;
END
$$;
COMMENT ON FUNCTION dbmaint_note_transition(bigint, text, text, text, timestamptz, text, text, float8, float8, timestamptz, boolean, text, jsonb, text, boolean, timestamptz[], timestamptz[], boolean[], int[], timestamptz[]) IS
'Writes a transition of an incident (NULL: of a new one), with its event and the notifications that it queues; returns its number. change is pending, cancelled, firing, worse, better, resolved, or moved, which only keeps the state. Part of a sampler''s round.';

CREATE FUNCTION dbmaint_look_for_evidence(metric text, instance text,
    since_at timestamptz, at timestamptz, OUT evidence jsonb, OUT cause text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    evidence := @extschema@.dbmaint_collect_evidence(metric, instance, since_at, at);
    cause := @extschema@.dbmaint_likely_cause(evidence);
END
$$;
COMMENT ON FUNCTION dbmaint_look_for_evidence(text, text, timestamptz, timestamptz) IS
'The evidence of an alert that fires now, and the likely cause in one line; part of a sampler''s round, with a time limit of dbmaint.evidence_timeout';

CREATE FUNCTION dbmaint_attend_incident(incident bigint, at timestamptz)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    ranks CONSTANT text[] := ARRAY['warning', 'critical', 'emergency'];
    i @extschema@.dbmaint_incidents;
    rule @extschema@.dbmaint_alert_rules;
    silent boolean;
BEGIN
    -- the clock was set back
    UPDATE @extschema@.dbmaint_incidents AS n
       SET notified_at = @extschema@.dbmaint_not_after(n.notified_at, $2),
           escalated_at = @extschema@.dbmaint_not_after(n.escalated_at, $2),
           evidence_due_at = @extschema@.dbmaint_not_after(n.evidence_due_at, $2 + interval '5 minutes')
     WHERE n.incident_id = incident
       AND (n.notified_at > $2 OR n.escalated_at > $2 OR n.evidence_due_at > $2 + interval '5 minutes');
    SELECT n.* INTO i FROM @extschema@.dbmaint_incidents AS n WHERE n.incident_id = incident FOR UPDATE;
    SELECT r.* INTO rule FROM @extschema@.dbmaint_rule_of(i.metric, i.instance, i.severity) AS r;
    silent := @extschema@.dbmaint_silenced_until(i.metric, i.instance, $2) IS NOT NULL;
    IF silent <> i.silenced AND i.state = 'firing' THEN
        UPDATE @extschema@.dbmaint_incidents AS n SET silenced = silent WHERE n.incident_id = incident;
        PERFORM @extschema@.dbmaint_note_incident_event(incident, $2,
            CASE WHEN silent THEN 'silenced' ELSE 'audible' END, NULL::text, NULL::text);
    END IF;

    IF silent OR i.state <> 'firing' THEN
        NULL;
    ELSIF i.notified_at IS NULL THEN
        UPDATE @extschema@.dbmaint_incidents AS n SET escalated_at = $2 WHERE n.incident_id = incident;
        PERFORM @extschema@.dbmaint_tell(incident, 'trigger'::text, $2);
    ELSIF i.told_severity <> i.severity THEN
        -- what changed in a silence is told at its end, and one that got worse escalates from then on
        IF array_position(ranks, i.severity) > array_position(ranks, i.told_severity) THEN
            UPDATE @extschema@.dbmaint_incidents AS n SET escalated_at = $2 WHERE n.incident_id = incident;
        END IF;
        PERFORM @extschema@.dbmaint_tell(incident, 'change'::text, $2);
    ELSIF i.acknowledged_at IS NULL AND i.escalation_level < 3
          AND $2 >= i.escalated_at + rule.escalate_after THEN
        UPDATE @extschema@.dbmaint_incidents AS n
           SET escalation_level = n.escalation_level + 1, escalated_at = $2
         WHERE n.incident_id = incident;
        PERFORM @extschema@.dbmaint_note_incident_event(incident, $2, 'escalated'::text, NULL::text,
                                                        format('level %s', i.escalation_level + 1));
        PERFORM @extschema@.dbmaint_tell(incident, 'escalation'::text, $2);
    ELSIF i.acknowledged_at IS NULL AND $2 >= i.notified_at + rule.remind_every THEN
        PERFORM @extschema@.dbmaint_note_incident_event(incident, $2, 'reminded'::text, NULL::text, NULL::text);
        PERFORM @extschema@.dbmaint_tell(incident, 'reminder'::text, $2);
    END IF;
    -- claimed here, so that what cannot be completed is not tried for ever
    UPDATE @extschema@.dbmaint_incidents AS n SET evidence_due_at = NULL
     WHERE n.incident_id = incident AND n.evidence_due_at <= $2;
    UPDATE @extschema@.dbmaint_incidents AS n
       SET attention_at = @extschema@.dbmaint_next_attention(n.incident_id, $2)
     WHERE n.incident_id = incident;
END
$$;
COMMENT ON FUNCTION dbmaint_attend_incident(bigint, timestamptz) IS
'Does what is due about an incident: the beginning or end of a silence, the notifications that one held back, escalation, reminder';

CREATE FUNCTION dbmaint_attend_incidents(at timestamptz, every_one boolean,
    OUT next_at timestamptz, OUT left_over boolean, OUT failure text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    mine CONSTANT oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    incident bigint;
BEGIN
    left_over := false;
    FOREACH incident IN ARRAY ARRAY(
        SELECT n.incident_id FROM @extschema@.dbmaint_incidents AS n
         WHERE n.database_oid = mine
           AND (n.attention_at <= $1
                OR every_one AND n.evidence_due_at > $1 + interval '5 minutes'
                OR every_one AND n.state = 'firing'
                   AND (n.attention_at IS DISTINCT FROM @extschema@.dbmaint_next_attention(n.incident_id, $1)
                        OR n.silenced <> (@extschema@.dbmaint_silenced_until(n.metric, n.instance, $1) IS NOT NULL)
                        OR (n.notified_at IS NULL OR n.told_severity <> n.severity) AND NOT n.silenced))
         ORDER BY n.incident_id) LOOP
        -- somebody who takes one on, in a transaction that lasts, keeps no other one waiting
        PERFORM FROM @extschema@.dbmaint_incidents AS n WHERE n.incident_id = incident FOR UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            left_over := true;
            CONTINUE;
        END IF;
        BEGIN
            PERFORM @extschema@.dbmaint_attend_incident(incident, $1);
        EXCEPTION WHEN OTHERS THEN
            left_over := true;
            failure := coalesce(failure, format('incident %s: %s', incident, SQLERRM));
        END;
    END LOOP;
    next_at := (SELECT min(n.attention_at) FROM @extschema@.dbmaint_incidents AS n
                 WHERE n.database_oid = mine AND n.attention_at IS NOT NULL);
END
$$;
COMMENT ON FUNCTION dbmaint_attend_incidents(timestamptz, boolean) IS
'Does what is due about the incidents that fire; with every_one, looks at all of them, since silences, rules or the clock were changed. One that is locked, or fails, is left for the next time (left_over) and keeps no other; failure is the first error. next_at is when something is due again. Part of a sampler''s round.';

CREATE FUNCTION dbmaint_complete_due_evidence(at timestamptz)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    i record;
BEGIN
    FOR i IN
        SELECT n.incident_id FROM @extschema@.dbmaint_incidents AS n
         WHERE n.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
           AND n.evidence_at > $1 - interval '1 hour'
           AND n.evidence_due_at IS NULL AND n.evidence IS NOT NULL AND n.evidence_completed_at IS NULL
           FOR UPDATE SKIP LOCKED
    LOOP
        PERFORM @extschema@.dbmaint_complete_evidence(i.incident_id, $1);
    END LOOP;
END
$$;
COMMENT ON FUNCTION dbmaint_complete_due_evidence(timestamptz) IS
'Adds to the evidence of alerts that fired 5 minutes ago what came after; of those that dbmaint_attend_incidents() found to be due, once more if it failed. Part of a sampler''s round.';

REVOKE ALL ON FUNCTION dbmaint_load_incidents(timestamptz),
    dbmaint_last_reading_at(text, text, timestamptz, timestamptz),
    dbmaint_note_incident_event(bigint, timestamptz, text, text, text),
    dbmaint_not_after(timestamptz, timestamptz),
    dbmaint_next_attention(bigint, timestamptz), dbmaint_tell(bigint, text, timestamptz),
    dbmaint_tell_transition(bigint, text, timestamptz),
    dbmaint_note_transition(bigint, text, text, text, timestamptz, text, text, float8, float8, timestamptz, boolean, text, jsonb, text, boolean, timestamptz[], timestamptz[], boolean[], int[], timestamptz[]),
    dbmaint_look_for_evidence(text, text, timestamptz, timestamptz),
    dbmaint_attend_incident(bigint, timestamptz), dbmaint_attend_incidents(timestamptz, boolean),
    dbmaint_complete_due_evidence(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_load_incidents(timestamptz),
    dbmaint_last_reading_at(text, text, timestamptz, timestamptz),
    dbmaint_not_after(timestamptz, timestamptz),
    dbmaint_next_attention(bigint, timestamptz) TO pg_monitor;
