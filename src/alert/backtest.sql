-- src/alert/backtest.sql: when would a rule have fired?

CREATE FUNCTION dbmaint_readings_between(metric text, from_at timestamptz, to_at timestamptz,
    OUT instance text, OUT at timestamptz, OUT value float8)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM @extschema@.dbmaint_require_metric($1);
    IF EXISTS (SELECT FROM @extschema@.dbmaint_metrics() AS m WHERE m.metric = $1) THEN
        RETURN QUERY EXECUTE format(
            'SELECT '''', p."timestamp", p.%1$I::float8 FROM %2$s AS p'
            ' WHERE p.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())'
            '   AND p."timestamp" >= $1 AND p."timestamp" < $2 AND p.%1$I IS NOT NULL'
            ' ORDER BY p."timestamp"', $1, '@extschema@.performance_metrics'::regclass)
        USING from_at, to_at;
    ELSE
        RETURN QUERY
        SELECT s.of_instance, s.at, s.value
          FROM @extschema@.dbmaint_series_between($1, NULL::text, from_at, to_at) AS s;
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_readings_between(text, timestamptz, timestamptz) IS
'The stored readings of any metric, from one time until before another, by instance (an empty text where it has none) and time';

CREATE FUNCTION dbmaint_backtest_readings(times timestamptz[], readings float8[],
    comparison text, threshold float8, sustained_us bigint, resolve_us bigint, gap_us bigint,
    OUT since_at timestamptz, OUT fired_at timestamptz, OUT resolved_at timestamptz,
    OUT worst float8)
RETURNS SETOF record
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_backtest_readings';
COMMENT ON FUNCTION dbmaint_backtest_readings(timestamptz[], float8[], text, float8, bigint, bigint, bigint) IS
'When an alert would have fired and resolved on readings in the order of their times, by the sampler''s own state machine; times in microseconds, and longer than gap_us between two readings is a gap';

CREATE FUNCTION dbmaint_backtest_rule(metric text, comparison text, threshold float8,
    sustained_for interval, from_at timestamptz, to_at timestamptz,
    instance text DEFAULT '*', resolve_after interval DEFAULT '2 minutes',
    OUT of_instance text, OUT since_at timestamptz, OUT fired_at timestamptz,
    OUT resolved_at timestamptz, OUT fired_for interval, OUT worst_value float8)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rule @extschema@.dbmaint_alert_rules;
BEGIN
    rule.metric := $1;
    rule.severity := 'warning';
    rule.comparison := $2;
    rule.threshold := $3;
    rule.sustained_for := $4;
    rule.instance := '*';
    rule.resolve_after := $8;
    rule.resolve_when_quiet := false;
    rule.enabled := true;
    PERFORM @extschema@.dbmaint_validate_rule(rule);
    IF from_at IS NULL OR to_at IS NULL OR from_at >= to_at OR instance IS NULL THEN
        RAISE EXCEPTION 'from_at must be before to_at, and instance a name or a pattern'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'For example: dbmaint_backtest_rule(''response_time_ms'', ''>'', 95, ''5 minutes'', now() - interval ''7 days'', now()).';
    END IF;

    RETURN QUERY
    WITH reading AS (
        SELECT r.*, r.at - lag(r.at) OVER (PARTITION BY r.instance ORDER BY r.at) AS spacing
          FROM @extschema@.dbmaint_readings_between($1, $5, $6) AS r
         WHERE @extschema@.dbmaint_matches_pattern($7, r.instance)
    ), series AS (
        -- what is no gap: three times what was usual then, as in the sampler
        SELECT r.instance, array_agg(r.at ORDER BY r.at) AS times, array_agg(r.value ORDER BY r.at) AS readings,
               coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY r.spacing), interval '0') AS usual
          FROM reading AS r
         GROUP BY r.instance
    )
    SELECT s.instance, b.since_at, b.fired_at, b.resolved_at, b.resolved_at - b.fired_at, b.worst
      FROM series AS s
     CROSS JOIN LATERAL @extschema@.dbmaint_backtest_readings(
               s.times, s.readings, $2, $3,
               (extract(epoch FROM $4) * 1000000)::bigint, (extract(epoch FROM $8) * 1000000)::bigint,
               (extract(epoch FROM greatest(s.usual * 3, s.usual + interval '5 seconds')) * 1000000)::bigint) AS b
     ORDER BY b.fired_at, s.instance COLLATE "C";
END
$$;
COMMENT ON FUNCTION dbmaint_backtest_rule(text, text, float8, interval, timestamptz, timestamptz, text, interval) IS
'When a rule would have fired on the stored history from one time until before another, so that a threshold is chosen and not guessed: a row an episode, with when it began, fired and resolved (NULL: still firing at the end) and its worst value. resolve_after as in dbmaint_set_rule(); minimum traffic is not looked at.';

REVOKE ALL ON FUNCTION dbmaint_readings_between(text, timestamptz, timestamptz),
    dbmaint_backtest_readings(timestamptz[], float8[], text, float8, bigint, bigint, bigint),
    dbmaint_backtest_rule(text, text, float8, interval, timestamptz, timestamptz, text, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_readings_between(text, timestamptz, timestamptz),
    dbmaint_backtest_readings(timestamptz[], float8[], text, float8, bigint, bigint, bigint),
    dbmaint_backtest_rule(text, text, float8, interval, timestamptz, timestamptz, text, interval) TO pg_monitor;
