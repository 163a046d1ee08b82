-- src/alert/incidents.sql: what fires, since when, and what came of it.

CREATE TABLE dbmaint_incidents (
    incident_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    database_oid oid NOT NULL,
    metric text NOT NULL,
    instance text NOT NULL DEFAULT '',
    state text NOT NULL CHECK (state IN ('pending', 'firing', 'resolved')),
    severity text NOT NULL CHECK (severity IN ('warning', 'critical', 'emergency')),
    worst_severity text NOT NULL CHECK (worst_severity IN ('warning', 'critical', 'emergency')),
    comparison text NOT NULL CHECK (comparison IN ('>', '>=', '<', '<=')),
    threshold float8 NOT NULL,
    value float8,
    since_at timestamptz NOT NULL,
    fired_at timestamptz,
    resolved_at timestamptz,
    resolved_because text CHECK (resolved_because IN ('well', 'gone', 'no rule')),
    updated_at timestamptz NOT NULL,
    actions text[] NOT NULL DEFAULT '{}',
    flapping boolean NOT NULL DEFAULT false,
    silenced boolean NOT NULL DEFAULT false,
    acknowledged_at timestamptz,
    acknowledged_by text,
    acknowledge_note text,
    escalation_level int NOT NULL DEFAULT 1 CHECK (escalation_level BETWEEN 1 AND 3),
    escalated_at timestamptz,
    notified_at timestamptz,
    told_severity text CHECK (told_severity IN ('warning', 'critical', 'emergency')),
    attention_at timestamptz,
    cause text,
    evidence jsonb,
    evidence_at timestamptz,
    evidence_due_at timestamptz,
    evidence_completed_at timestamptz,
    breaching_from timestamptz[] NOT NULL,
    well_from timestamptz[] NOT NULL,
    holding boolean[] NOT NULL,
    flaps int[] NOT NULL,
    ended_at timestamptz[] NOT NULL,
    CHECK (state <> 'firing' OR fired_at IS NOT NULL),
    CHECK ((state = 'resolved') = (resolved_at IS NOT NULL))
);
CREATE INDEX dbmaint_incidents_updated_at_idx ON dbmaint_incidents (updated_at);
CREATE UNIQUE INDEX dbmaint_incidents_open_idx ON dbmaint_incidents (database_oid, metric, instance)
    WHERE state <> 'resolved';
CREATE INDEX dbmaint_incidents_attention_idx ON dbmaint_incidents (attention_at) WHERE attention_at IS NOT NULL;
COMMENT ON TABLE dbmaint_incidents IS
'The alerts that are pending or firing, and those that fired before. One incident is one episode of a metric and an instance, whatever severities it went through; one that was pending and never fired is deleted.';
COMMENT ON COLUMN dbmaint_incidents.incident_id IS
'Its number.';
COMMENT ON COLUMN dbmaint_incidents.database_oid IS
'The database whose rules it is of; incidents that came with a copy of a database are of another one.';
COMMENT ON COLUMN dbmaint_incidents.metric IS
'Of dbmaint_metrics() or dbmaint_series_metrics().';
COMMENT ON COLUMN dbmaint_incidents.instance IS
'What the metric is of; an empty text where it has no label.';
COMMENT ON COLUMN dbmaint_incidents.state IS
'pending: beyond a threshold, not for long enough; firing; resolved.';
COMMENT ON COLUMN dbmaint_incidents.severity IS
'Now, or when it resolved: warning, critical or emergency.';
COMMENT ON COLUMN dbmaint_incidents.worst_severity IS
'The worst there was.';
COMMENT ON COLUMN dbmaint_incidents.comparison IS
'Of the rule of that severity: the value is beyond the threshold if it is >, >=, < or <= it.';
COMMENT ON COLUMN dbmaint_incidents.threshold IS
'Of the rule of that severity, in the metric''s unit, as the rule is now, or was when it resolved.';
COMMENT ON COLUMN dbmaint_incidents.value IS
'What was read at updated_at, in the metric''s unit; NULL where that was not known.';
COMMENT ON COLUMN dbmaint_incidents.since_at IS
'The first reading beyond a threshold.';
COMMENT ON COLUMN dbmaint_incidents.fired_at IS
'When it fired; NULL while it is pending.';
COMMENT ON COLUMN dbmaint_incidents.resolved_at IS
'When it resolved.';
COMMENT ON COLUMN dbmaint_incidents.resolved_because IS
'well: the value was well for long enough; gone: the instance is no longer there or no longer worth a reading; no rule: its rules were dropped or disabled.';
COMMENT ON COLUMN dbmaint_incidents.updated_at IS
'The last transition.';
COMMENT ON COLUMN dbmaint_incidents.actions IS
'What to do, of the rule of that severity.';
COMMENT ON COLUMN dbmaint_incidents.flapping IS
'Whether it fired again and again within an hour, and therefore has to be well for longer before it resolves.';
COMMENT ON COLUMN dbmaint_incidents.silenced IS
'Whether a silence or a maintenance window kept it quiet when it was last looked at.';
COMMENT ON COLUMN dbmaint_incidents.acknowledged_at IS
'When somebody took it on; NULL if nobody did, or if it has become worse since.';
COMMENT ON COLUMN dbmaint_incidents.acknowledged_by IS
'The user who did.';
COMMENT ON COLUMN dbmaint_incidents.acknowledge_note IS
'What he had to say.';
COMMENT ON COLUMN dbmaint_incidents.escalation_level IS
'How far up it went, from 1 to 3, for want of somebody who acknowledged it.';
COMMENT ON COLUMN dbmaint_incidents.escalated_at IS
'When it got to that level, or got worse at it: the time to escalate begins then.';
COMMENT ON COLUMN dbmaint_incidents.notified_at IS
'When a notification was queued last; NULL if none was.';
COMMENT ON COLUMN dbmaint_incidents.told_severity IS
'The severity that the last notification of how bad it is told; NULL if there was none.';
COMMENT ON COLUMN dbmaint_incidents.attention_at IS
'When it is to be looked at again though nothing changes: reminders, escalation, the end of a silence, the rest of the evidence.';
COMMENT ON COLUMN dbmaint_incidents.cause IS
'The likely cause, in one line without query texts; NULL where none was found.';
COMMENT ON COLUMN dbmaint_incidents.evidence IS
'What a database administrator would look at first, as dbmaint_collect_evidence() found it when the alert fired.';
COMMENT ON COLUMN dbmaint_incidents.evidence_at IS
'When evidence was collected last, whether or not any was found.';
COMMENT ON COLUMN dbmaint_incidents.evidence_due_at IS
'When the minutes after the alert are to be added to it; NULL: that was begun, or there is nothing to add to.';
COMMENT ON COLUMN dbmaint_incidents.evidence_completed_at IS
'When the minutes after the alert were added to the evidence.';
COMMENT ON COLUMN dbmaint_incidents.breaching_from IS
'The state of the engine, as are the columns that follow, for warning, critical and emergency: since when the value is beyond the threshold, gaps in the data taken out; NULL if it is not.';
COMMENT ON COLUMN dbmaint_incidents.well_from IS
'Since when the value is well while the severity holds, gaps taken out; NULL if it is not.';
COMMENT ON COLUMN dbmaint_incidents.holding IS
'Whether the severity holds.';
COMMENT ON COLUMN dbmaint_incidents.flaps IS
'How often the severity came back within an hour.';
COMMENT ON COLUMN dbmaint_incidents.ended_at IS
'When the severity held last.';

CREATE TABLE dbmaint_incident_events (
    event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL,
    database_oid oid NOT NULL,
    at timestamptz NOT NULL,
    event text NOT NULL,
    severity text NOT NULL,
    value float8,
    threshold float8,
    by_user text,
    note text
);
CREATE INDEX dbmaint_incident_events_incident_idx ON dbmaint_incident_events (incident_id, event_id);
CREATE INDEX dbmaint_incident_events_at_idx ON dbmaint_incident_events (at);
COMMENT ON TABLE dbmaint_incident_events IS
'Every transition of an incident, and what was done about it.';
COMMENT ON COLUMN dbmaint_incident_events.event_id IS
'Its number; they ascend within an incident.';
COMMENT ON COLUMN dbmaint_incident_events.incident_id IS
'The incident.';
COMMENT ON COLUMN dbmaint_incident_events.database_oid IS
'The database that it is of.';
COMMENT ON COLUMN dbmaint_incident_events.at IS
'When.';
COMMENT ON COLUMN dbmaint_incident_events.event IS
'pending, firing, worse, better, resolved; flapping, steady; reminded, escalated; silenced, audible; acknowledged.';
COMMENT ON COLUMN dbmaint_incident_events.severity IS
'The severity after it.';
COMMENT ON COLUMN dbmaint_incident_events.value IS
'What was read then, in the metric''s unit; NULL where the event is not of a reading.';
COMMENT ON COLUMN dbmaint_incident_events.threshold IS
'The threshold of that severity; NULL where the event is not of a reading.';
COMMENT ON COLUMN dbmaint_incident_events.by_user IS
'Who did it, if somebody did.';
COMMENT ON COLUMN dbmaint_incident_events.note IS
'The note of an acknowledgement, the reason of a silence, why it resolved.';

REVOKE ALL ON dbmaint_incidents, dbmaint_incident_events FROM PUBLIC;
GRANT SELECT ON dbmaint_incidents, dbmaint_incident_events TO pg_monitor;
REVOKE ALL ON SEQUENCE dbmaint_incidents_incident_id_seq, dbmaint_incident_events_event_id_seq FROM PUBLIC;
COMMENT ON SEQUENCE dbmaint_incidents_incident_id_seq IS 'Numbers of incidents.';
COMMENT ON SEQUENCE dbmaint_incident_events_event_id_seq IS 'Numbers of the events of incidents.';
