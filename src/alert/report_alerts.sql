-- src/alert/report_alerts.sql: the reviews' section on alerts, and the health check.

CREATE FUNCTION dbmaint_alert_figures(from_at timestamptz, to_at timestamptz,
    OUT incidents float8, OUT warning float8, OUT critical float8, OUT emergency float8,
    OUT acknowledge_ms float8, OUT acknowledged float8, OUT resolve_ms float8, OUT resolved float8)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN m.watched THEN count(i.incident_id) END,
           CASE WHEN m.watched THEN count(*) FILTER (WHERE i.worst_severity = 'warning') END,
           CASE WHEN m.watched THEN count(*) FILTER (WHERE i.worst_severity = 'critical') END,
           CASE WHEN m.watched THEN count(*) FILTER (WHERE i.worst_severity = 'emergency') END,
           1000 * extract(epoch FROM avg(a.at - i.fired_at)), count(a.at),
           1000 * extract(epoch FROM avg(i.resolved_at - i.fired_at)), count(i.resolved_at)
      FROM (SELECT coalesce(sum(h.sample_interval_ms) > 0, false) AS watched
              FROM @extschema@.dbmaint_metrics_by(NULL::text, from_at, to_at) AS h) AS m
      LEFT JOIN @extschema@.dbmaint_alert_history AS i ON i.fired_at >= from_at AND i.fired_at < to_at
      -- the first one: an acknowledgement ends when the alert gets worse
      LEFT JOIN LATERAL (SELECT min(e.at) AS at FROM @extschema@.dbmaint_incident_events AS e
                          WHERE e.incident_id = i.incident_id AND e.event = 'acknowledged') AS a ON true
     GROUP BY m.watched
$$;
COMMENT ON FUNCTION dbmaint_alert_figures(timestamptz, timestamptz) IS
'The alerts that fired from one time until before another: how many, by the worst severity that each got to, and the mean times to their acknowledgement and their end, in milliseconds, with how many those are of; NULL where nothing was measured';

CREATE FUNCTION dbmaint_report_alerts(
    from_at timestamptz, to_at timestamptz, previous_from_at timestamptz, step text)
RETURNS SETOF dbmaint_report_figure
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT v.*
      FROM @extschema@.dbmaint_alert_figures(from_at, to_at) AS this,
           @extschema@.dbmaint_alert_figures(previous_from_at, from_at) AS last,
           LATERAL (VALUES
        ('incidents', '1', this.incidents, last.incidents, NULL::text, 'Alerts that fired; see dbmaint_alert_history.'),
        ('emergency_incidents', '1', this.emergency, last.emergency, NULL, 'By the worst severity that each got to.'),
        ('critical_incidents', '1', this.critical, last.critical, NULL, 'By the worst severity that each got to.'),
        ('warning_incidents', '1', this.warning, last.warning, NULL, 'By the worst severity that each got to.'),
        ('mean_acknowledge_ms', 'ms', this.acknowledge_ms, last.acknowledge_ms, NULL,
         format('From firing to acknowledgement, of the %s that were acknowledged.', this.acknowledged)),
        ('mean_resolve_ms', 'ms', this.resolve_ms, last.resolve_ms, NULL,
         format('From firing to the end, of the %s that resolved.', this.resolved))
        ) AS v(item, unit, value, previous, status, detail)
$$;
COMMENT ON FUNCTION dbmaint_report_alerts(timestamptz, timestamptz, timestamptz, text) IS
'Section of the reviews: how many alerts fired, by severity, and the mean times until they were acknowledged and resolved.';

CREATE FUNCTION dbmaint_check_alerts(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    judged record;
    firing int;
    pending int;
    worst text;
    first bigint;
    what text;
    undelivered record;
BEGIN
    target := 'none firing';
    SELECT a.* INTO judged FROM @extschema@.dbmaint_alerting() AS a;
    IF judged.judged_at IS NULL THEN
        status := 'unknown';
        detail := 'No alert was judged in this database since the server started: see the check sampler.';
        RETURN;
    END IF;
    SELECT count(*) FILTER (WHERE i.state = 'firing'), count(*) FILTER (WHERE i.state = 'pending'),
           (array_agg(i.severity ORDER BY array_position(ARRAY['emergency', 'critical', 'warning'], i.severity))
               FILTER (WHERE i.state = 'firing'))[1],
           (array_agg(i.incident_id ORDER BY array_position(ARRAY['emergency', 'critical', 'warning'], i.severity), i.since_at)
               FILTER (WHERE i.state = 'firing'))[1]
      INTO firing, pending, worst, first
      FROM @extschema@.dbmaint_incidents AS i
     WHERE i.state <> 'resolved'
       AND i.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    SELECT @extschema@.dbmaint_alert_text(i.metric, i.instance,
               @extschema@.dbmaint_value_now(i.metric, i.instance, i.updated_at, i.value), i.comparison, i.threshold)
      INTO what FROM @extschema@.dbmaint_incidents AS i WHERE i.incident_id = first;
    value := format('%s firing, %s pending', firing, pending);
    status := coalesce(worst, 'ok');
    detail := CASE WHEN firing > 0 THEN what || '. See dbmaint_alerts().'
                   ELSE format('%s rules are watched.', judged.rules) END;

    -- alerts that nobody hears of look like none
    SELECT count(*) AS waiting, string_agg(DISTINCT n.channel, ', ') AS channels,
           coalesce((SELECT max(c.last_error) FROM @extschema@.dbmaint_channels AS c
                      WHERE c.failures > 0 AND c.name = ANY (array_agg(n.channel))),
                    (SELECT s.last_error FROM @extschema@.dbmaint_status() AS s
                      WHERE s.process = 'notifier' AND s.database = current_database())) AS error
      INTO undelivered
      FROM @extschema@.dbmaint_notifications AS n
     WHERE n.state = 'queued' AND n.queued_at < now() - interval '5 minutes'
       AND n.channel IN (SELECT c.name FROM @extschema@.dbmaint_channels AS c WHERE c.enabled);
    IF undelivered.waiting > 0 THEN
        status := CASE WHEN status = 'ok' THEN 'warning' ELSE status END;
        detail := concat_ws(' ', detail, format('Notifications wait for more than 5 minutes to be sent to %s:'
            ' see dbmaint_channels and dbmaint_status().', undelivered.channels),
            'Last error: ' || undelivered.error || '.');
    END IF;
    IF judged.failure IS NOT NULL THEN
        status := CASE WHEN status = 'emergency' THEN status ELSE 'critical' END;
        detail := format('The last turn of the alerts failed, so what it found is not told: %s. The server log has more. ',
                         judged.failure) || detail;
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_alerts() IS
'Health check: the alerts that fire (the worst severity of them) and are pending; at least warning where notifications wait for more than 5 minutes to be sent, critical where the last turn of the alerts failed; unknown where none was judged since the server started.';

REVOKE ALL ON FUNCTION dbmaint_alert_figures(timestamptz, timestamptz),
    dbmaint_report_alerts(timestamptz, timestamptz, timestamptz, text), dbmaint_check_alerts() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_alert_figures(timestamptz, timestamptz),
    dbmaint_report_alerts(timestamptz, timestamptz, timestamptz, text), dbmaint_check_alerts() TO pg_monitor;
