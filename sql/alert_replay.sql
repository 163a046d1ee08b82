-- Series replayed against rules, round by round, and by dbmaint_backtest_rule():
-- both must fire and resolve when a plain reference in SQL says so.
\set SHOW_CONTEXT never
CREATE EXTENSION dbmaint;
TRUNCATE dbmaint_alert_rules;
CREATE TABLE fed (at timestamptz, metric text, instance text, value float8);
CREATE INDEX ON fed (at);
ALTER FUNCTION dbmaint_signals(timestamptz, boolean) RENAME TO dbmaint_signals_really;
CREATE FUNCTION dbmaint_signals(at timestamptz, home boolean, OUT metric text, OUT instance text, OUT value float8)
RETURNS SETOF record LANGUAGE sql AS 'SELECT f.metric, f.instance, f.value FROM fed AS f WHERE f.at = $1';
DO $$ BEGIN
    IF to_regprocedure('dbmaint_queue_notifications(bigint, text, timestamptz)') IS NOT NULL THEN
        ALTER FUNCTION dbmaint_queue_notifications(bigint, text, timestamptz) RENAME TO dbmaint_queue_really;
    END IF;
END $$;
CREATE FUNCTION dbmaint_queue_notifications(incident_id bigint, kind text, at timestamptz)
RETURNS int LANGUAGE sql AS 'SELECT 1';

-- 20 series of 400 minutes: each a slow wave with noise and missing readings
SELECT setseed(0.5);
INSERT INTO fed
SELECT '2026-01-01'::timestamptz + m * interval '1 minute', 'replication_lag_ms', 'series ' || s,
       round((100 + 40 * sin(m / (8.0 + s)) + 30 * (random() - 0.5))::numeric, 1)
  FROM generate_series(1, 20) AS s, generate_series(0, 399) AS m
 WHERE random() < 0.97 AND NOT (m BETWEEN 100 + s AND 103 + s);
SELECT count(*) > 7000 AS enough FROM fed;

-- one level a rule, so that the reference stays plain; long enough to resolve
-- that nothing comes back within an hour but for what flaps
CREATE TABLE rule (instance text, comparison text, threshold float8, sustained interval, resolve interval);
INSERT INTO rule
SELECT 'series ' || s, CASE WHEN s % 2 = 0 THEN '>' ELSE '<' END, 70 + 3 * s, (s % 6) * interval '1 minute', interval '1 hour'
  FROM generate_series(1, 20) AS s;
SELECT count(dbmaint_set_rule('replication_lag_ms', 'warning', r.comparison, r.threshold, r.sustained, r.instance,
                              jsonb_build_object('resolve_after', r.resolve, 'remind_every', NULL)::jsonb)) FROM rule AS r;
DO $$
DECLARE
    failed text;
BEGIN
    FOR m IN 0 .. 399 LOOP
        SELECT string_agg(r.status, '; ') INTO failed FROM dbmaint_run_due('2026-01-01'::timestamptz + m * interval '1 minute') AS r
         WHERE r.collector IN ('alerts', 'signals') AND r.status <> 'ok';
        IF failed IS NOT NULL THEN
            RAISE WARNING '%', failed;
        END IF;
        COMMIT;
    END LOOP;
END $$;

-- The reference: a list of readings, walked once, with nothing but sums of
-- time that was covered by readings at most 3 minutes apart.
CREATE FUNCTION reference(of_instance text, OUT fired timestamptz, OUT resolved timestamptz)
RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
    r rule;
    f record;
    last timestamptz;
    step interval;
    beyond interval;
    well interval;
    is_beyond boolean;
BEGIN
    SELECT * INTO r FROM rule WHERE instance = of_instance;
    FOR f IN SELECT * FROM fed WHERE instance = of_instance ORDER BY at LOOP
        step := coalesce(f.at - last, '0');
        IF step > interval '3 minutes' THEN
            IF fired IS NULL AND step > r.sustained THEN
                beyond := NULL;
            END IF;
            step := '0';
        END IF;
        last := f.at;
        is_beyond := CASE r.comparison WHEN '>' THEN f.value > r.threshold ELSE f.value < r.threshold END;
        beyond := CASE WHEN is_beyond THEN coalesce(beyond + step, '0') END;
        well := CASE WHEN NOT is_beyond THEN coalesce(well + step, '0') END;
        IF fired IS NULL AND beyond >= r.sustained THEN
            fired := f.at;
            well := NULL;
        ELSIF fired IS NOT NULL AND well >= r.resolve THEN
            resolved := f.at;
            RETURN NEXT;
            fired := NULL;
            resolved := NULL;
        ELSIF fired IS NULL THEN
            well := NULL;
        END IF;
    END LOOP;
    IF fired IS NOT NULL THEN
        RETURN NEXT;
    END IF;
END
$$;
CREATE VIEW expected AS SELECT r.instance, e.fired, e.resolved FROM rule AS r, reference(r.instance) AS e;
CREATE VIEW fired AS SELECT instance, fired_at, resolved_at FROM dbmaint_incidents WHERE fired_at IS NOT NULL;
CREATE VIEW tested AS
SELECT b.of_instance, b.fired_at, b.resolved_at
  FROM rule AS r, dbmaint_backtest_rule('replication_lag_ms', r.comparison, r.threshold, r.sustained, '2026-01-01', '2026-01-02', r.instance, r.resolve) AS b;
SELECT count(*) > 15 AS fired, count(resolved) > 3 AS resolved FROM expected;
(TABLE expected EXCEPT TABLE fired) UNION ALL (TABLE fired EXCEPT TABLE expected);
(TABLE expected EXCEPT TABLE tested) UNION ALL (TABLE tested EXCEPT TABLE expected);

-- a backtest of samples, and what it says
INSERT INTO performance_metrics ("timestamp", database_oid, response_time_ms)
SELECT '2025-06-01'::timestamptz + s * interval '10 seconds', d.oid, CASE WHEN s BETWEEN 100 AND 148 THEN 90 + s / 20.0 WHEN s = 20 THEN 500 ELSE 40 END
  FROM generate_series(0, 300) AS s, pg_database AS d WHERE d.datname = current_database() AND s NOT BETWEEN 200 AND 220;
SELECT * FROM dbmaint_backtest_rule('response_time_ms', '>', 80, '10 minutes', '2025-06-01', '2025-06-02');
SELECT * FROM dbmaint_backtest_rule('response_time_ms', '>', 80, '5 minutes', '2025-06-01', '2025-06-02');
SELECT * FROM dbmaint_backtest_rule('response_time_ms', '>', 80, '0', '2025-06-01', '2025-06-02', resolve_after => '0');
SELECT * FROM dbmaint_backtest_rule('response_time_ms', '>', 80, '5 minutes', '2025-06-01', '2025-06-01 00:24:00');
SELECT count(*) FROM dbmaint_backtest_rule('response_time_ms', '>', 80, '0', '2024-06-01', '2024-06-02');
SELECT dbmaint_backtest_rule('nothing', '>', 80, '0', '2025-06-01', '2025-06-02');
SELECT dbmaint_backtest_rule('p95_ms', '>', NULL, '0', '2025-06-01', '2025-06-02');
SELECT dbmaint_backtest_rule('p95_ms', '!', 1, '0', '2025-06-01', '2025-06-02');
SELECT dbmaint_backtest_rule('p95_ms', '>', 1, '0', '2025-06-02', '2025-06-01');
SELECT dbmaint_backtest_rule('p95_ms', '>', 1, '0', NULL, '2025-06-01');
SELECT * FROM dbmaint_backtest_readings('{}', '{}', '', 1, 0, 0, 0);
SELECT * FROM dbmaint_backtest_readings(ARRAY[now(), NULL], ARRAY['NaN'::float8, 3], '>', 1, 0, 0, 0);
SELECT * FROM dbmaint_backtest_readings(ARRAY[ARRAY[now()]], ARRAY[1], '>', 1, 0, 0, 0);
\set VERBOSITY terse
DROP EXTENSION dbmaint CASCADE;
