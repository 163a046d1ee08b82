-- src/evidence/incident.sql: the evidence of an alert: completed when the
-- minutes after it are known, and explained.

CREATE FUNCTION dbmaint_complete_evidence(incident_id bigint, at timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '50ms'
SET jit = off
AS $$
DECLARE
    fired_at timestamptz;
    until_at timestamptz;
    recording bigint;
    completed jsonb;
    kept record;
    renewed record;
BEGIN
    IF $1 IS NULL OR $2 IS NULL OR NOT isfinite($2) THEN
        RAISE EXCEPTION 'incident_id and at must not be null'
            USING ERRCODE = 'null_value_not_allowed',
                  HINT = 'For example: dbmaint_complete_evidence(1, now()).';
    END IF;
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_incidents'::name);
    SELECT i.evidence INTO completed
      FROM @extschema@.dbmaint_incidents AS i
     WHERE i.incident_id = $1 AND (i.evidence_completed_at IS NULL OR i.evidence_completed_at = $2);
    IF jsonb_typeof(completed -> 'at') = 'string' THEN
        fired_at := (completed ->> 'at')::timestamptz;
        until_at := least($2, fired_at + interval '5 minutes');
        IF jsonb_typeof(completed #> '{recorder,recording_id}') = 'number' THEN
            recording := (completed #> '{recorder,recording_id}')::bigint;
            SELECT coalesce(g.to_at, g.recorded_at - interval '5 minutes') AS to_at INTO kept
              FROM @extschema@.dbmaint_recordings AS g WHERE g.recording_id = recording;
            IF kept.to_at < until_at THEN
                PERFORM @extschema@.dbmaint_extend_recording(recording, kept.to_at::timestamptz, until_at);
            END IF;
            SELECT g.from_at, g.to_at, g.observations INTO kept
              FROM @extschema@.dbmaint_recordings AS g WHERE g.recording_id = recording;
            completed := jsonb_set(completed, '{recorder}', @extschema@.dbmaint_fit_section(((completed -> 'recorder')
                || jsonb_build_object('from_at', kept.from_at, 'to_at', kept.to_at, 'observations', kept.observations, 'complete', true)
                || @extschema@.dbmaint_evidence_timeline(fired_at - interval '5 minutes', until_at))::jsonb, 6000));
        END IF;
        -- a change that was seen meanwhile may be the cause
        SELECT s.result INTO renewed
          FROM @extschema@.dbmaint_evidence_section('changes'::text, (completed ->> 'metric')::text, (completed ->> 'instance')::text,
                   (completed ->> 'since_at')::timestamptz, $2, 500) AS s;
        IF renewed.result IS NOT NULL THEN
            completed := completed || jsonb_build_object('changes', @extschema@.dbmaint_fit_section(renewed.result::jsonb, 6000));
        END IF;
    END IF;
    UPDATE @extschema@.dbmaint_incidents AS i
       SET evidence = completed, evidence_completed_at = $2,
           cause = coalesce(@extschema@.dbmaint_likely_cause(completed), i.cause)
     WHERE i.incident_id = $1 AND (i.evidence_completed_at IS NULL OR i.evidence_completed_at = $2);
END
$$;
COMMENT ON FUNCTION dbmaint_complete_evidence(bigint, timestamptz) IS
'Completes the evidence of an alert, five minutes after it fired: adds what the recorder holds since to its recording, and looks once more at what changed, which may say more of the cause. Does nothing for evidence that is complete, or an incident that is not there. The alert engine calls it.';

CREATE FUNCTION dbmaint_explain_alert(id bigint,
    OUT section text, OUT item text, OUT value text, OUT detail text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 60
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    alert record;
BEGIN
    SELECT i.metric, i.instance, i.state, i.severity, i.worst_severity, i.value, i.comparison, i.threshold,
           i.since_at, i.fired_at, i.resolved_at, i.acknowledged_at, i.acknowledged_by, i.cause, i.evidence, i.actions
      INTO alert
      FROM @extschema@.dbmaint_incidents AS i
     WHERE i.incident_id = $1
       AND i.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no alert %', coalesce($1::text, 'NULL')
            USING ERRCODE = 'undefined_object',
                  HINT = 'dbmaint_alerts() and dbmaint_alert_history have the numbers.';
    END IF;
    RETURN QUERY
    SELECT 'alert', v.item, @extschema@.dbmaint_plain_name(v.value::text), @extschema@.dbmaint_plain_name(v.detail::text)
      FROM (VALUES ('metric', alert.metric, nullif(alert.instance, '')),
                   ('state', alert.state, concat(alert.severity, CASE WHEN alert.worst_severity <> alert.severity THEN ', was ' || alert.worst_severity END)),
                   ('value', alert.value::text, concat(alert.comparison, ' ', alert.threshold)),
                   ('since', alert.since_at::text, 'fired at ' || alert.fired_at),
                   ('resolved', alert.resolved_at::text, NULL),
                   ('acknowledged', alert.acknowledged_at::text, 'by ' || alert.acknowledged_by)) AS v(item, value, detail)
     WHERE v.value IS NOT NULL;
    RETURN QUERY
    SELECT 'action', format('%s.', a.n), @extschema@.dbmaint_plain_name(a.action), NULL::text
      FROM unnest(alert.actions) WITH ORDINALITY AS a(action, n) ORDER BY a.n;
    IF alert.evidence IS NULL THEN
        RETURN QUERY SELECT 'evidence', 'none', NULL::text,
            CASE WHEN alert.fired_at IS NULL THEN 'It is collected when the alert fires.' ELSE 'Nothing could be collected when the alert fired.' END;
    END IF;
    RETURN QUERY SELECT e.section, e.item, e.value, e.detail FROM @extschema@.dbmaint_explain_evidence(alert.evidence::jsonb) AS e;
END
$$;
COMMENT ON FUNCTION dbmaint_explain_alert(bigint) IS
'An alert as rows to read: what it is of, what to do, the likely causes, and the evidence as dbmaint_explain_evidence() has it. An error for a number that no alert of this database has.';

REVOKE ALL ON FUNCTION dbmaint_complete_evidence(bigint, timestamptz), dbmaint_explain_alert(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_explain_alert(bigint) TO pg_monitor;
