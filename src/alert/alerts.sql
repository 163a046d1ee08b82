-- src/alert/alerts.sql: what fires now, what fired, and who took it on.

CREATE FUNCTION dbmaint_show_value(value float8, unit text)
RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN value IS NULL THEN 'unknown'
                WHEN unit = 'bytes' THEN pg_size_pretty(value::numeric)
                WHEN unit = 'ms' AND value >= 10000 THEN round((value / 1000)::numeric, 1) || ' s'
                ELSE trim_scale(round(value::numeric, CASE WHEN abs(value) < 10 THEN 3 ELSE 1 END))
                     || CASE unit WHEN 'percent' THEN ' %' WHEN '1' THEN '' WHEN 'ratio' THEN '' ELSE ' ' || unit END END
$$;
COMMENT ON FUNCTION dbmaint_show_value(float8, text) IS
'A value with its unit for people to read';

CREATE FUNCTION dbmaint_show_duration(duration interval)
RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN s.seconds < 120 THEN s.seconds || ' s'
                WHEN s.seconds < 7200 THEN s.seconds / 60 || ' min'
                WHEN s.seconds < 172800 THEN s.seconds / 3600 || ' h'
                ELSE s.seconds / 86400 || ' days' END
      FROM (SELECT greatest(extract(epoch FROM duration), 0)::bigint AS seconds) AS s
$$;
COMMENT ON FUNCTION dbmaint_show_duration(interval) IS
'A duration in one unit for people to read';

CREATE FUNCTION dbmaint_is_beyond(value float8, comparison text, threshold float8)
RETURNS boolean
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE comparison WHEN '>' THEN value > threshold WHEN '>=' THEN value >= threshold
                           WHEN '<' THEN value < threshold WHEN '<=' THEN value <= threshold END
$$;
COMMENT ON FUNCTION dbmaint_is_beyond(float8, text, float8) IS
'Is a value beyond a threshold? NULL where it is not known';

CREATE FUNCTION dbmaint_alert_text(of_metric text, instance text, value float8,
    comparison text, threshold float8)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('%s%s is %s, %s%s %s', of_metric, CASE WHEN instance <> '' THEN ' of ' || instance END,
                  @extschema@.dbmaint_show_value(value, m.unit),
                  CASE WHEN NOT @extschema@.dbmaint_is_beyond($3, $4, $5) THEN 'no longer ' END,
                  CASE comparison WHEN '>' THEN 'above' WHEN '>=' THEN 'at least'
                                  WHEN '<' THEN 'below' ELSE 'at most' END,
                  @extschema@.dbmaint_show_value(threshold, m.unit))
      FROM (SELECT) AS always
      LEFT JOIN @extschema@.dbmaint_alert_metrics() AS m ON m.metric = of_metric
$$;
COMMENT ON FUNCTION dbmaint_alert_text(text, text, float8, text, float8) IS
'A value and the threshold that it is beyond, or was, in words';

CREATE FUNCTION dbmaint_last_reading(metric text, instance text, from_at timestamptz)
RETURNS float8
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    last_at CONSTANT timestamptz := @extschema@.dbmaint_last_reading_at($1, $2, $3, 'infinity'::timestamptz);
    value float8;
BEGIN
    IF EXISTS (SELECT FROM @extschema@.dbmaint_metrics() AS m WHERE m.metric = $1) THEN
        EXECUTE format('SELECT p.%I::float8 FROM %s AS p'
                       ' WHERE p."timestamp" = $1 AND p.database_oid ='
                       '       (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())',
                       $1, '@extschema@.performance_metrics'::regclass)
           INTO value USING last_at;
    ELSE
        SELECT s.value INTO value
          FROM @extschema@.dbmaint_series_between($1, $2, last_at, last_at + interval '1 microsecond') AS s;
    END IF;
    RETURN value;
END
$$;
COMMENT ON FUNCTION dbmaint_last_reading(text, text, timestamptz) IS
'The last reading of an instance of a metric since a time; NULL where there is none';

CREATE FUNCTION dbmaint_value_now(metric text, instance text, from_at timestamptz, otherwise float8)
RETURNS float8
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(@extschema@.dbmaint_last_reading($1, $2, $3), $4)
$$;
COMMENT ON FUNCTION dbmaint_value_now(text, text, timestamptz, float8) IS
'The value of an alert to be told now: the last reading since its last transition, else the value of that';

CREATE FUNCTION dbmaint_alerts(
    OUT severity text, OUT metric text, OUT instance text, OUT value float8,
    OUT threshold float8, OUT since timestamptz, OUT sustained_for interval,
    OUT message text, OUT actions text[], OUT evidence jsonb,
    OUT incident_id bigint, OUT state text, OUT acknowledged boolean,
    OUT silenced boolean)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT i.severity, i.metric, i.instance, v.value, i.threshold, i.since_at,
           greatest(now() - i.since_at, interval '0'),
           @extschema@.dbmaint_alert_text(i.metric, i.instance, v.value, i.comparison, i.threshold)
               || coalesce('; ' || i.cause, ''),
           i.actions, i.evidence, i.incident_id, i.state, i.acknowledged_at IS NOT NULL,
           i.state = 'firing' AND @extschema@.dbmaint_silenced_until(i.metric, i.instance, now()) IS NOT NULL
      FROM @extschema@.dbmaint_incidents AS i
     CROSS JOIN LATERAL (SELECT @extschema@.dbmaint_value_now(i.metric, i.instance, i.updated_at, i.value)) AS v(value)
     WHERE i.state <> 'resolved'
       AND i.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
     ORDER BY i.state, array_position(ARRAY['emergency', 'critical', 'warning'], i.severity), i.since_at, i.incident_id
$$;
COMMENT ON FUNCTION dbmaint_alerts() IS
'The alerts that fire or are pending now, the worst first: value is the last reading, sustained_for how long it has been beyond a threshold, message the likely cause, too, actions what to do, evidence what was found when it fired. silenced: a silence or a maintenance window keeps it quiet now.';

CREATE VIEW dbmaint_alert_history AS
SELECT i.incident_id, i.metric, i.instance, i.state, i.severity, i.worst_severity,
       i.since_at, i.fired_at, i.resolved_at, i.resolved_because,
       i.resolved_at OPERATOR(pg_catalog.-) i.fired_at AS fired_for,
       i.comparison, i.threshold, i.value, i.flapping, i.silenced,
       i.acknowledged_at, i.acknowledged_by, i.acknowledge_note,
       i.acknowledged_at OPERATOR(pg_catalog.-) i.fired_at AS acknowledged_after,
       i.escalation_level, i.notified_at, i.cause
  FROM dbmaint_incidents AS i
 WHERE i.fired_at IS NOT NULL
   AND i.database_oid OPERATOR(pg_catalog.=) (SELECT d.oid FROM pg_catalog.pg_database AS d
         WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database());
COMMENT ON VIEW dbmaint_alert_history IS
'Every alert of this database that fired, with how bad it got, how long it lasted, who took it on and after how long, and the likely cause. Its events are in dbmaint_incident_events, its evidence in dbmaint_incidents.';

CREATE FUNCTION dbmaint_do_acknowledge_alert(id bigint, note text, at timestamptz)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    i @extschema@.dbmaint_incidents;
BEGIN
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_incidents'::name);
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_incident_events'::name);
    SELECT n.* INTO i FROM @extschema@.dbmaint_incidents AS n
     WHERE n.incident_id = id
       AND n.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
       FOR UPDATE;
    IF NOT FOUND OR i.state <> 'firing' THEN
        RAISE EXCEPTION 'alert % does not fire', coalesce(id::text, 'NULL')
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = CASE i.state WHEN 'pending' THEN 'It is pending.'
                                        WHEN 'resolved' THEN format('It resolved at %s.', i.resolved_at)
                                        ELSE 'There is none of that number.' END,
                  HINT = 'See dbmaint_alerts().';
    END IF;
    IF i.acknowledged_at IS NOT NULL AND note IS NULL THEN
        RETURN;
    END IF;
    UPDATE @extschema@.dbmaint_incidents AS n
       SET acknowledged_at = coalesce(n.acknowledged_at, dbmaint_do_acknowledge_alert.at),
           acknowledged_by = coalesce(n.acknowledged_by, session_user),
           acknowledge_note = coalesce(note, n.acknowledge_note)
     WHERE n.incident_id = id;
    PERFORM @extschema@.dbmaint_note_incident_event(id, dbmaint_do_acknowledge_alert.at, 'acknowledged'::text,
                                                    session_user::text, note);
    -- who was told that it fires need not look who takes it on
    IF i.acknowledged_at IS NULL AND i.notified_at IS NOT NULL THEN
        PERFORM @extschema@.dbmaint_tell(id, 'acknowledge'::text, dbmaint_do_acknowledge_alert.at);
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_do_acknowledge_alert(bigint, text, timestamptz) IS
'Part of dbmaint_acknowledge_alert(), which runs it as the superuser.';

CREATE FUNCTION dbmaint_acknowledge_alert(id bigint, note text DEFAULT NULL,
    at timestamptz DEFAULT now())
RETURNS void
LANGUAGE C VOLATILE CALLED ON NULL INPUT
AS 'MODULE_PATHNAME', 'dbmaint_run_granted';
COMMENT ON FUNCTION dbmaint_acknowledge_alert(bigint, text, timestamptz) IS
'Takes an alert that fires on: reminders and escalation stop, until it gets worse. Who was told of the alert is told so. A second call changes the note alone. May be granted.';

CREATE FUNCTION dbmaint_host_name()
RETURNS text
LANGUAGE C STABLE
AS 'MODULE_PATHNAME', 'dbmaint_host_name';
COMMENT ON FUNCTION dbmaint_host_name() IS
'The name of the host that the server runs on; NULL where the operating system does not tell';

CREATE FUNCTION dbmaint_notification_texts(evidence jsonb)
RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '50ms'
AS $$
BEGIN
    RETURN @extschema@.dbmaint_evidence_texts(evidence);
EXCEPTION WHEN OTHERS THEN
    -- a notification is worth more than its texts
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION dbmaint_notification_texts(jsonb) IS
'Part of dbmaint_queue_notifications(), for channels that may have texts: dbmaint_evidence_texts(), or NULL where that fails';

CREATE FUNCTION dbmaint_notification_message(incident_id bigint, kind text, at timestamptz)
RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object(
        'incident', i.incident_id,
        -- not the database's name: a receiver must know the end of what began under another
        'dedup_key', concat_ws('/', 'dbmaint', (SELECT c.system_identifier FROM pg_control_system() AS c),
                               i.database_oid, i.metric, i.instance),
        'kind', $2,
        'state', i.state,
        'severity', i.severity,
        'metric', i.metric,
        'instance', i.instance,
        'value', v.value,
        'unit', m.unit,
        'threshold', CASE WHEN i.threshold <> 'NaN' THEN i.threshold END,
        'comparison', i.comparison,
        'since', i.since_at,
        'at', $3,
        'sustained_seconds', greatest(extract(epoch FROM coalesce(i.resolved_at, $3) - i.since_at), 0),
        'summary', CASE $2 WHEN 'resolve' THEN 'RESOLVED'
                           WHEN 'acknowledge' THEN concat_ws(' by ', 'ACKNOWLEDGED', i.acknowledged_by)
                           ELSE upper(i.severity) END || ': '
            || CASE WHEN $2 = 'resolve'
                    THEN format('%s%s is %s after %s', i.metric, CASE WHEN i.instance <> '' THEN ' of ' || i.instance END,
                                CASE i.resolved_because WHEN 'well' THEN 'well (' || @extschema@.dbmaint_show_value(v.value, m.unit) || ')'
                                                        WHEN 'gone' THEN 'gone' ELSE 'no longer watched' END,
                                @extschema@.dbmaint_show_duration(i.resolved_at - i.since_at))
                    ELSE @extschema@.dbmaint_alert_text(i.metric, i.instance, v.value, i.comparison, i.threshold)
                         || CASE WHEN NOT @extschema@.dbmaint_is_beyond(v.value, i.comparison, i.threshold) THEN ' after ' ELSE ' for ' END
                         || @extschema@.dbmaint_show_duration($3 - i.since_at)
                         || coalesce('; ' || i.cause, '') END,
        'cause', i.cause,
        'actions', to_jsonb(i.actions),
        'escalation_level', i.escalation_level,
        'server', jsonb_build_object('cluster_name', nullif(current_setting('cluster_name'), ''),
                                     'host', @extschema@.dbmaint_host_name(),
                                     'port', current_setting('port')::int,
                                     'database', current_database()),
        'evidence', i.evidence)
      FROM @extschema@.dbmaint_incidents AS i
      LEFT JOIN @extschema@.dbmaint_alert_metrics() AS m ON m.metric = i.metric
     -- of a transition the value that made it, else what is read now
     CROSS JOIN LATERAL (SELECT CASE WHEN i.updated_at = $3 OR i.state = 'resolved' THEN i.value
                                     ELSE @extschema@.dbmaint_value_now(i.metric, i.instance, i.updated_at, i.value) END) AS v(value)
     WHERE i.incident_id = $1
$$;
COMMENT ON FUNCTION dbmaint_notification_message(bigint, text, timestamptz) IS
'What a notification about an incident says (kind: trigger, change, reminder, escalation, acknowledge, resolve), for the channels to put into their formats: the value is the one of the transition that it tells, else what was read last; the summary is one line, and nothing of it has query texts (dbmaint_evidence_texts() has). NULL where there is no such incident.';

CREATE FUNCTION dbmaint_rule_states(
    OUT metric text, OUT instance text, OUT severity text, OUT state text,
    OUT firing int, OUT pending int, OUT last_read_at timestamptz, OUT detail text)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH read AS (
        SELECT s.metric, max(s.last_seen_at) AS at
          FROM @extschema@.dbmaint_series AS s
         WHERE s.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
         GROUP BY s.metric
    ), column_read AS (
        SELECT m.metric, @extschema@.dbmaint_last_reading_at(m.metric, ''::text, now() - interval '1 day', 'infinity'::timestamptz) AS at
          FROM @extschema@.dbmaint_metrics() AS m
         WHERE EXISTS (SELECT FROM @extschema@.dbmaint_effective_rules() AS r WHERE r.metric = m.metric)
    ), home AS MATERIALIZED (
        SELECT @extschema@.dbmaint_home_problem() AS problem
    )
    SELECT r.metric, r.instance, r.severity,
           CASE WHEN NOT r.enabled THEN 'disabled' WHEN f.firing > 0 THEN 'firing' WHEN f.pending > 0 THEN 'pending'
                WHEN coalesce(s.at, c.at) IS NULL OR m.scope = 'cluster' AND h.problem IS NOT NULL THEN 'unknown' ELSE 'inactive' END,
           f.firing, f.pending, coalesce(s.at, c.at),
           CASE WHEN r.enabled AND m.scope = 'cluster' AND h.problem IS NOT NULL THEN h.problem
                WHEN r.enabled AND coalesce(s.at, c.at) IS NULL THEN
                CASE WHEN m.scope = 'cluster' THEN 'Not read here: there is none, it is not reported, or another database is the home database.'
                     ELSE 'Not read: there is none, or it is not reported.' END END
      FROM @extschema@.dbmaint_effective_rules() AS r
      LEFT JOIN @extschema@.dbmaint_alert_metrics() AS m ON m.metric = r.metric
      LEFT JOIN read AS s ON s.metric = r.metric
      LEFT JOIN column_read AS c ON c.metric = r.metric
     CROSS JOIN home AS h
     CROSS JOIN LATERAL (
           SELECT count(*) FILTER (WHERE i.state = 'firing')::int AS firing,
                  count(*) FILTER (WHERE i.state = 'pending')::int AS pending
             FROM @extschema@.dbmaint_incidents AS i
            WHERE i.state <> 'resolved' AND i.metric = r.metric AND i.severity = r.severity
              AND i.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
              AND @extschema@.dbmaint_matches_pattern(r.instance, i.instance)) AS f
     ORDER BY r.metric COLLATE "C", r.instance COLLATE "C", array_position(ARRAY['warning', 'critical', 'emergency'], r.severity)
$$;
COMMENT ON FUNCTION dbmaint_rule_states() IS
'Each rule and how it stands: firing, pending, inactive, disabled, or unknown where its metric has no readings or nobody reads it any more; how many alerts it has; when the metric was read last (of what has instances up to a day before, else within the last day)';

REVOKE ALL ON dbmaint_alert_history FROM PUBLIC;
GRANT SELECT ON dbmaint_alert_history TO pg_monitor;
REVOKE ALL ON FUNCTION dbmaint_show_value(float8, text), dbmaint_show_duration(interval),
    dbmaint_is_beyond(float8, text, float8),
    dbmaint_alert_text(text, text, float8, text, float8),
    dbmaint_last_reading(text, text, timestamptz),
    dbmaint_value_now(text, text, timestamptz, float8), dbmaint_alerts(),
    dbmaint_acknowledge_alert(bigint, text, timestamptz),
    dbmaint_do_acknowledge_alert(bigint, text, timestamptz), dbmaint_host_name(),
    dbmaint_notification_texts(jsonb),
    dbmaint_notification_message(bigint, text, timestamptz), dbmaint_rule_states() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_show_value(float8, text), dbmaint_show_duration(interval),
    dbmaint_is_beyond(float8, text, float8),
    dbmaint_alert_text(text, text, float8, text, float8),
    dbmaint_last_reading(text, text, timestamptz),
    dbmaint_value_now(text, text, timestamptz, float8), dbmaint_alerts(),
    dbmaint_host_name(), dbmaint_notification_texts(jsonb),
    dbmaint_notification_message(bigint, text, timestamptz),
    dbmaint_rule_states() TO pg_monitor;
