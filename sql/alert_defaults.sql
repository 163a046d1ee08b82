-- Every rule that comes with the extension at its threshold, to the number: a
-- value at it is what the comparison says, one just beyond it fires after what
-- it has to last, not a minute earlier. Readings are fed where collectors read.
\set SHOW_CONTEXT never
CREATE EXTENSION dbmaint;
CREATE TABLE fed (at timestamptz, metric text, instance text, value float8);
CREATE INDEX ON fed (at);
ALTER FUNCTION dbmaint_signals(timestamptz, boolean) RENAME TO dbmaint_signals_really;
CREATE FUNCTION dbmaint_signals(at timestamptz, home boolean, OUT metric text, OUT instance text, OUT value float8)
RETURNS SETOF record LANGUAGE sql AS 'SELECT f.metric, f.instance, f.value FROM fed AS f WHERE f.at = $1';
CREATE TABLE fed_activity (total_connections int, max_connections int, oldest_transaction_ms float8);
INSERT INTO fed_activity VALUES (1, 1000, 0);
ALTER FUNCTION dbmaint_read_activity() RENAME TO dbmaint_read_activity_really;
CREATE FUNCTION dbmaint_read_activity(OUT total_connections int, OUT max_connections int, OUT oldest_transaction_ms float8)
LANGUAGE sql AS 'TABLE fed_activity';
CREATE TABLE fed_blocks (hit bigint, read bigint);
INSERT INTO fed_blocks VALUES (0, 0);
ALTER FUNCTION dbmaint_read_database() RENAME TO dbmaint_read_database_really;
CREATE FUNCTION dbmaint_read_database(OUT stats_reset timestamptz, OUT blocks_hit bigint, OUT blocks_read bigint)
LANGUAGE sql AS $$SELECT '2025-01-01'::timestamptz, hit, read FROM fed_blocks$$;
DO $$ BEGIN
    IF to_regprocedure('dbmaint_queue_notifications(bigint, text, timestamptz)') IS NOT NULL THEN
        ALTER FUNCTION dbmaint_queue_notifications(bigint, text, timestamptz) RENAME TO dbmaint_queue_really;
    END IF;
END $$;
CREATE FUNCTION dbmaint_queue_notifications(incident_id bigint, kind text, at timestamptz)
RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION play(first timestamptz, rounds int, step interval) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    failed text;
BEGIN
    FOR m IN 0 .. rounds - 1 LOOP
        SELECT string_agg(r.status, '; ') INTO failed FROM dbmaint_run_due(first + m * step) AS r
         WHERE r.collector IN ('alerts', 'signals', 'activity', 'database') AND r.status <> 'ok';
        IF failed IS NOT NULL THEN
            RAISE WARNING '%', failed;
        END IF;
    END LOOP;
END
$$;

-- Each rule of a series: an instance whose value is the threshold, and one
-- whose value is just beyond it, for 18 minutes.
CREATE TABLE episode AS
SELECT r.metric, r.severity, format('%s %s', w.what, r.severity) AS instance, w.what, r.comparison, r.threshold, r.sustained_for,
       r.threshold + CASE WHEN w.what = 'at' THEN 0 WHEN r.comparison LIKE '>%' THEN 1e-9 ELSE -1e-9 END * greatest(abs(r.threshold), 1) AS value
  FROM dbmaint_alert_rules AS r, (VALUES ('at'), ('beyond')) AS w(what)
 WHERE r.metric IN (SELECT s.metric FROM dbmaint_series_metrics() AS s);
INSERT INTO fed SELECT '2026-01-01'::timestamptz + m * interval '1 minute', e.metric, e.instance, e.value
  FROM episode AS e, generate_series(1, 18) AS m;
-- pools have just enough traffic, and one too little
INSERT INTO fed SELECT DISTINCT '2026-01-01'::timestamptz + m * interval '1 minute', 'cl_active', e.instance, 5
  FROM episode AS e, generate_series(1, 18) AS m WHERE e.metric = 'pool_efficiency';
INSERT INTO fed SELECT '2026-01-01'::timestamptz + m * interval '1 minute', p.metric, 'idle', p.value
  FROM (VALUES ('pool_efficiency', 1), ('cl_active', 4.999)) AS p(metric, value), generate_series(1, 18) AS m;
SELECT play('2026-01-01', 19, '1 minute');

CREATE VIEW reached AS
SELECT e.*, (SELECT string_agg(format('%s after %s', v.severity, v.at - i.since_at), ', ' ORDER BY v.event_id)
               FROM dbmaint_incident_events AS v
              WHERE v.incident_id = i.incident_id AND v.event IN ('firing', 'worse', 'better')) AS did
  FROM episode AS e LEFT JOIN dbmaint_incidents AS i ON i.metric = e.metric AND i.instance = e.instance;
-- what is beyond fires, as the rule says and when; lower ones may come first
SELECT metric, severity, format('%s %s', comparison, threshold) AS beyond, did FROM reached WHERE what = 'beyond'
 ORDER BY metric COLLATE "C", array_position(ARRAY['warning', 'critical', 'emergency'], severity);
SELECT metric, severity, did FROM reached
 WHERE what = 'beyond' AND format(', %s,', did) NOT LIKE format('%%, %s after %s,%%', severity, sustained_for);
-- what is at the threshold is beyond it with >= and <= alone, else what lower rules say
SELECT r.metric, r.severity, r.did FROM reached AS r
 WHERE r.what = 'at' AND (coalesce(r.did, '') ~ r.severity) <> (r.comparison IN ('>=', '<='));
SELECT r.metric, r.severity, r.did FROM reached AS r
 WHERE r.what = 'at' AND r.comparison IN ('<', '>')
   AND (r.did IS NULL) <> NOT EXISTS (SELECT FROM dbmaint_alert_rules AS l WHERE l.metric = r.metric
        AND CASE r.comparison WHEN '<' THEN r.threshold < l.threshold ELSE r.threshold > l.threshold END);
SELECT count(*) AS of_the_idle_pool FROM dbmaint_incidents WHERE instance = 'idle';

-- Those of samples, one after the other, with a sample each 30 s, since more
-- would be a gap: connections by number and by share, the tighter one;
-- transactions by age.
CREATE TABLE judged (n serial, connections int, most int, transaction_ms float8, connections_did text, transaction_did text);
DO $$
DECLARE
    t record;
    first timestamptz := '2026-01-02';
BEGIN
    FOR t IN SELECT * FROM (VALUES (480, 1000, 1800000), (481, 1000, 1800000.001), (540, 1000, 14400000), (541, 1000, 14400000.001),
                                   (80, 100, 0), (81, 100, 0), (90, 100, 0), (91, 100, 0)) AS v(connections, most, ms) LOOP
        UPDATE fed_activity SET total_connections = t.connections, max_connections = t.most, oldest_transaction_ms = t.ms;
        PERFORM play(first, 2, '30 s');
        INSERT INTO judged (connections, most, transaction_ms, connections_did, transaction_did)
        SELECT t.connections, t.most, t.ms,
               (SELECT format('%s beyond %s', severity, threshold) FROM dbmaint_incidents WHERE metric = 'total_connections' AND state = 'firing'),
               (SELECT format('%s beyond %s', severity, threshold) FROM dbmaint_incidents WHERE metric = 'oldest_transaction_ms' AND state = 'firing');
        -- well again, for long enough that nothing flaps
        UPDATE fed_activity SET total_connections = 0, max_connections = 1000, oldest_transaction_ms = 0;
        PERFORM play(first + interval '1 minute', 6, '30 s');
        first := first + interval '3 hours';
    END LOOP;
END $$;
SELECT * FROM judged ORDER BY n;
SELECT count(*) FROM dbmaint_alerts() WHERE metric IN ('total_connections', 'oldest_transaction_ms');

-- The cache: 15 minutes, with at least 1,000 blocks found in it.
CREATE FUNCTION cache(first timestamptz, hit int, read int, minutes int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    since CONSTANT bigint := coalesce((SELECT max(event_id) FROM dbmaint_incident_events), 0);
BEGIN
    PERFORM play(first, 1, '0');
    FOR m IN 1 .. 2 * minutes + 1 LOOP
        UPDATE fed_blocks AS b SET hit = b.hit + $2, read = b.read + $3;
        PERFORM play(first + m * interval '30 s', 1, '0');
    END LOOP;
    RETURN (SELECT string_agg(format('%s after %s', v.severity, v.at - first - interval '30 s'), ', ' ORDER BY v.event_id)
              FROM dbmaint_incident_events AS v JOIN dbmaint_incidents AS i USING (incident_id)
             WHERE v.event_id > since AND i.metric = 'cache_hit_ratio' AND v.event IN ('firing', 'worse'));
END
$$;
SELECT cache('2026-01-05', 9000, 1000, 16) AS at_90, cache('2026-01-06', 8999, 1001, 14) AS below_for_14, cache('2026-01-07', 8999, 1001, 15) AS below_90;
SELECT cache('2026-01-08', 8000, 2000, 15) AS at_80, cache('2026-01-09', 7999, 2001, 15) AS below_80, cache('2026-01-10', 999, 9999, 16) AS without_traffic;

-- Response time and the disk are read in C: their rules on samples that are
-- written, a minute apart.
CREATE TABLE sampled AS
SELECT row_number() OVER () AS n, r.metric, r.severity, r.comparison, r.threshold, r.sustained_for, r.resolve_after, w.what, r.enabled,
       r.threshold + CASE WHEN w.what = 'at' THEN 0 WHEN r.comparison LIKE '>%' THEN 1e-9 ELSE -1e-9 END AS value,
       r.sustained_for + CASE w.what WHEN 'short' THEN interval '-1 minute' ELSE interval '0' END AS lasts
  FROM dbmaint_alert_rules AS r, (VALUES ('at'), ('short'), ('beyond')) AS w(what)
 WHERE r.metric IN ('response_time_ms', 'p95_ms', 'disk_free_ratio') AND NOT (w.what = 'short' AND r.sustained_for = '0');
INSERT INTO performance_metrics ("timestamp", database_oid, response_time_ms, p95_ms, disk_free_ratio)
SELECT '2025-01-01'::timestamptz + s.n * interval '1 day' + m * interval '1 minute', d.oid,
       CASE s.metric WHEN 'response_time_ms' THEN v.value END, CASE s.metric WHEN 'p95_ms' THEN v.value END, CASE s.metric WHEN 'disk_free_ratio' THEN v.value END
  FROM sampled AS s, generate_series(0, 20) AS m, pg_database AS d,
       LATERAL (SELECT CASE WHEN m * interval '1 minute' <= s.lasts THEN s.value WHEN s.comparison LIKE '>%' THEN 0 ELSE 1 END AS value) AS v
 WHERE d.datname = current_database();
SELECT s.metric, s.severity, s.comparison, s.threshold, s.what, s.lasts, b.fired_at - b.since_at AS fired_after, s.enabled
  FROM sampled AS s
  LEFT JOIN LATERAL dbmaint_backtest_rule(s.metric, s.comparison, s.threshold, s.sustained_for, '2025-01-01'::timestamptz + s.n * interval '1 day',
                                          '2025-01-02'::timestamptz + s.n * interval '1 day', '*', s.resolve_after) AS b ON true
 ORDER BY s.metric COLLATE "C", array_position(ARRAY['warning', 'critical', 'emergency'], s.severity), array_position(ARRAY['at', 'short', 'beyond'], s.what);

-- Nothing is left out.
SELECT DISTINCT metric FROM dbmaint_alert_rules
 WHERE metric NOT IN (SELECT metric FROM episode) AND metric NOT IN (SELECT metric FROM sampled)
   AND metric NOT IN ('total_connections', 'oldest_transaction_ms', 'cache_hit_ratio');
\set VERBOSITY terse
DROP EXTENSION dbmaint CASCADE;
