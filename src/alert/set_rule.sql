-- src/alert/set_rule.sql: how rules are changed.

CREATE FUNCTION dbmaint_alert_metrics(
    OUT metric text, OUT unit text, OUT scope text, OUT label text, OUT help text)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT m.metric, m.unit, m.scope, NULL::text, m.help FROM @extschema@.dbmaint_metrics() AS m
     UNION ALL
    SELECT s.metric, s.unit, s.scope, s.label, s.help FROM @extschema@.dbmaint_series_metrics() AS s
$$;
COMMENT ON FUNCTION dbmaint_alert_metrics() IS
'What a rule can watch: name, unit, scope (database, or cluster: judged in the home database alone), what an instance is (NULL: there is one), and help';

CREATE FUNCTION dbmaint_require_metric(name text)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF name IS NULL OR NOT EXISTS (SELECT FROM @extschema@.dbmaint_alert_metrics() AS m WHERE m.metric = name) THEN
        RAISE EXCEPTION 'there is no metric %', coalesce('"' || name || '"', 'NULL')
            USING ERRCODE = 'undefined_object',
                  HINT = 'See dbmaint_alert_metrics().';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_require_metric(text) IS
'Raises an error if there is no metric of that name that a rule could watch';

CREATE FUNCTION dbmaint_apply_rule_options(INOUT rule dbmaint_alert_rules, options jsonb)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known CONSTANT text[] := ARRAY['resolve_after', 'resolve_threshold', 'of_metric', 'of_ratio',
        'traffic_metric', 'min_traffic', 'resolve_when_quiet', 'remind_every', 'escalate_after',
        'actions', 'enabled'];
    key text;
    value text;
BEGIN
    IF options IS NULL OR jsonb_typeof(options) <> 'object' THEN
        RAISE EXCEPTION 'options must be a JSON object'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'For example: {"resolve_after": "5 minutes", "min_traffic": 100}.';
    END IF;
    FOR key, value IN SELECT o.key, o.value FROM jsonb_each_text(options) AS o LOOP
        BEGIN
            CASE key
                WHEN 'resolve_after' THEN rule.resolve_after := value::interval;
                WHEN 'resolve_threshold' THEN rule.resolve_threshold := value::float8;
                WHEN 'of_metric' THEN rule.of_metric := value;
                WHEN 'of_ratio' THEN rule.of_ratio := value::float8;
                WHEN 'traffic_metric' THEN rule.traffic_metric := value;
                WHEN 'min_traffic' THEN rule.min_traffic := value::float8;
                WHEN 'resolve_when_quiet' THEN rule.resolve_when_quiet := value::boolean;
                WHEN 'remind_every' THEN rule.remind_every := value::interval;
                WHEN 'escalate_after' THEN rule.escalate_after := value::interval;
                WHEN 'enabled' THEN rule.enabled := value::boolean;
                WHEN 'actions' THEN
                    rule.actions := CASE jsonb_typeof(options -> 'actions') WHEN 'array'
                        THEN ARRAY(SELECT a FROM jsonb_array_elements_text(options -> 'actions') AS a)
                        WHEN 'null' THEN '{}'::text[] END;
                    IF rule.actions IS NULL OR array_position(rule.actions, NULL) IS NOT NULL THEN
                        RAISE invalid_parameter_value;
                    END IF;
                ELSE
                    RAISE EXCEPTION 'there is no option "%"', key
                        USING ERRCODE = 'invalid_parameter_value',
                              HINT = format('Options are %s.', array_to_string(known, ', '));
            END CASE;
        EXCEPTION WHEN data_exception THEN
            IF NOT key = ANY (known) THEN
                RAISE;
            END IF;
            RAISE EXCEPTION 'option "%" cannot be %', key, coalesce(options -> key, 'null'::jsonb)
                USING ERRCODE = 'invalid_parameter_value',
                      HINT = CASE WHEN key IN ('resolve_after', 'remind_every', 'escalate_after') THEN 'It is an interval, such as "5 minutes".'
                                  WHEN key IN ('resolve_when_quiet', 'enabled') THEN 'It is true or false.'
                                  WHEN key = 'actions' THEN 'It is an array of texts.'
                                  ELSE 'It is a number.' END;
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION dbmaint_apply_rule_options(dbmaint_alert_rules, jsonb) IS
'Part of dbmaint_set_rule(): the rule with the options put in';

CREATE FUNCTION dbmaint_validate_rule(rule dbmaint_alert_rules)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    label text;
    problem text;
BEGIN
    PERFORM @extschema@.dbmaint_require_metric(rule.metric);
    SELECT m.label INTO label FROM @extschema@.dbmaint_alert_metrics() AS m WHERE m.metric = rule.metric;
    IF rule.of_metric IS NOT NULL THEN
        PERFORM @extschema@.dbmaint_require_metric(rule.of_metric);
    END IF;
    IF rule.traffic_metric IS NOT NULL THEN
        PERFORM @extschema@.dbmaint_require_metric(rule.traffic_metric);
    END IF;

    problem := CASE
        WHEN rule.severity IS NULL OR rule.severity NOT IN ('warning', 'critical', 'emergency')
            THEN 'severity must be warning, critical or emergency'
        WHEN rule.comparison IS NULL OR rule.comparison NOT IN ('>', '>=', '<', '<=')
            THEN 'comparison must be >, >=, < or <='
        WHEN rule.threshold IS NULL AND rule.of_ratio IS NULL
            THEN 'threshold must be a number, unless the options have of_metric and of_ratio'
        WHEN rule.threshold IN ('NaN', 'Infinity', '-Infinity') OR rule.of_ratio IN ('NaN', 'Infinity', '-Infinity')
             OR rule.resolve_threshold IN ('NaN', 'Infinity', '-Infinity') OR rule.min_traffic IN ('NaN', 'Infinity', '-Infinity')
            THEN 'thresholds must be finite numbers'
        WHEN (rule.of_metric IS NULL) <> (rule.of_ratio IS NULL)
            THEN 'of_metric and of_ratio belong together'
        WHEN (rule.traffic_metric IS NULL) <> (rule.min_traffic IS NULL)
            THEN 'traffic_metric and min_traffic belong together'
        WHEN rule.sustained_for IS NULL OR extract(epoch FROM rule.sustained_for) NOT BETWEEN 0 AND 366 * 86400
            THEN 'sustained_for must be an interval of 0 to 366 days'
        WHEN rule.resolve_after IS NULL OR extract(epoch FROM rule.resolve_after) NOT BETWEEN 0 AND 366 * 86400
            THEN 'resolve_after must be an interval of 0 to 366 days'
        WHEN extract(epoch FROM rule.remind_every) NOT BETWEEN 60 AND 366 * 86400
            THEN 'remind_every must be an interval of 1 minute to 366 days'
        WHEN extract(epoch FROM rule.escalate_after) NOT BETWEEN 60 AND 366 * 86400
            THEN 'escalate_after must be an interval of 1 minute to 366 days'
        WHEN rule.resolve_threshold > rule.threshold AND rule.comparison IN ('>', '>=')
             OR rule.resolve_threshold < rule.threshold AND rule.comparison IN ('<', '<=')
            THEN 'resolve_threshold is beyond the threshold'
        WHEN rule.instance IS NULL OR rule.instance = '' AND label IS NOT NULL
            THEN 'instance must be a name or a pattern'
        WHEN octet_length(rule.instance) > 1024
            THEN 'instance must not be longer than 1,024 bytes'
        WHEN rule.instance <> '*' AND label IS NULL
            THEN format('metric "%s" has no instances', rule.metric)
        WHEN rule.resolve_when_quiet IS NULL OR rule.enabled IS NULL
            THEN 'resolve_when_quiet and enabled must be true or false'
    END;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION '%', problem
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'For example: dbmaint_set_rule(''response_time_ms'', ''critical'', ''>'', 95, ''5 minutes'').';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_validate_rule(dbmaint_alert_rules) IS
'Part of dbmaint_set_rule(): raises an error if the rule makes no sense';

CREATE FUNCTION dbmaint_set_rule(metric text, severity text, comparison text,
    threshold float8, sustained_for interval, instance text DEFAULT '*',
    options jsonb DEFAULT '{}')
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    rule @extschema@.dbmaint_alert_rules;
BEGIN
    LOCK TABLE @extschema@.dbmaint_alert_rules IN SHARE ROW EXCLUSIVE MODE;
    SELECT r.* INTO rule FROM @extschema@.dbmaint_effective_rules() AS r
     WHERE r.metric = $1 AND r.severity = $2 AND r.instance = $6;
    IF NOT FOUND THEN
        rule.metric := $1;
        rule.instance := $6;
        rule.severity := $2;
        rule.resolve_after := interval '2 minutes';
        rule.resolve_when_quiet := false;
        rule.actions := '{}';
        rule.enabled := true;
        SELECT d.remind_every, d.escalate_after INTO rule.remind_every, rule.escalate_after
          FROM @extschema@.dbmaint_default_rules() AS d WHERE d.severity = $2 LIMIT 1;
    END IF;
    -- what belongs to the threshold goes with the old one
    rule.comparison := $3;
    rule.threshold := $4;
    rule.sustained_for := $5;
    rule.resolve_threshold := NULL;
    rule.of_metric := NULL;
    rule.of_ratio := NULL;
    rule.seeded := false;
    rule := @extschema@.dbmaint_apply_rule_options(rule, options);
    PERFORM @extschema@.dbmaint_validate_rule(rule);

    DELETE FROM @extschema@.dbmaint_alert_rules AS r
     WHERE r.metric = $1 AND r.severity = $2 AND r.instance = $6 AND NOT r.seeded;
    INSERT INTO @extschema@.dbmaint_alert_rules SELECT rule.*;
END
$$;
COMMENT ON FUNCTION dbmaint_set_rule(text, text, text, float8, interval, text, jsonb) IS
'Changes the rule of a metric, severity and instance (a name, or a pattern with *), or adds one: an alert fires when the value was >, >=, < or <= the threshold for so long. options: resolve_after (interval), resolve_threshold, min_traffic and traffic_metric, resolve_when_quiet, of_metric and of_ratio (the threshold as a share of another metric; the tighter one counts), remind_every, escalate_after, actions (array), enabled. What is not given stays as it was, but for resolve_threshold, of_metric and of_ratio, which go with the old threshold; null clears.';

CREATE FUNCTION dbmaint_require_rule(metric text, severity text, instance text)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM @extschema@.dbmaint_effective_rules() AS r
                    WHERE r.metric = $1 AND (r.severity = $2 OR $2 IS NULL) AND r.instance = $3) THEN
        RAISE EXCEPTION 'there is no such rule'
            USING ERRCODE = 'undefined_object',
                  DETAIL = format('Metric %L, severity %L, instance %L.', $1, coalesce($2, 'any'), $3),
                  HINT = 'See dbmaint_alert_rules.';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_require_rule(text, text, text) IS
'Raises an error if there is no such rule; NULL is any severity';

CREATE FUNCTION dbmaint_drop_rule(metric text, severity text DEFAULT NULL,
    instance text DEFAULT '*')
RETURNS int
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    dropped int;
BEGIN
    PERFORM @extschema@.dbmaint_require_rule($1, $2, $3);
    DELETE FROM @extschema@.dbmaint_alert_rules AS r
     WHERE r.metric = $1 AND (r.severity = $2 OR $2 IS NULL) AND r.instance = $3;
    GET DIAGNOSTICS dropped = ROW_COUNT;
    RETURN dropped;
END
$$;
COMMENT ON FUNCTION dbmaint_drop_rule(text, text, text) IS
'Drops the rule of a metric and severity (NULL: of every severity) for an instance or pattern as it was set; returns how many. An alert that it holds resolves. One that came with the extension stays dropped, also by pg_dump and restore; dbmaint_reset_rule() brings it back.';

CREATE FUNCTION dbmaint_enable_rule(metric text, severity text DEFAULT NULL,
    instance text DEFAULT '*', enabled boolean DEFAULT true)
RETURNS int
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    changed int;
BEGIN
    IF enabled IS NULL THEN
        RAISE EXCEPTION 'enabled must be true or false'
            USING ERRCODE = 'null_value_not_allowed',
                  HINT = 'Leave it out to enable the rule.';
    END IF;
    PERFORM @extschema@.dbmaint_require_rule($1, $2, $3);
    UPDATE @extschema@.dbmaint_alert_rules AS r SET enabled = $4
     WHERE r.metric = $1 AND (r.severity = $2 OR $2 IS NULL) AND r.instance = $3 AND r.enabled <> $4;
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
END
$$;
COMMENT ON FUNCTION dbmaint_enable_rule(text, text, text, boolean) IS
'Enables the rule of a metric and severity (NULL: of every severity) for an instance or pattern as it was set, or disables it; returns how many changed';

CREATE FUNCTION dbmaint_disable_rule(metric text, severity text DEFAULT NULL,
    instance text DEFAULT '*')
RETURNS int
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT @extschema@.dbmaint_enable_rule($1, $2, $3, false)
$$;
COMMENT ON FUNCTION dbmaint_disable_rule(text, text, text) IS
'Disables the rule of a metric and severity (NULL: of every severity) for an instance or pattern as it was set; returns how many changed. An alert that it holds resolves.';

CREATE FUNCTION dbmaint_reset_rule(metric text, severity text DEFAULT NULL)
RETURNS int
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    restored int;
BEGIN
    IF NOT EXISTS (SELECT FROM @extschema@.dbmaint_default_rules() AS d
                    WHERE d.metric = $1 AND (d.severity = $2 OR $2 IS NULL)) THEN
        RAISE EXCEPTION 'the extension brings no such rule'
            USING ERRCODE = 'undefined_object',
                  DETAIL = format('Metric %L, severity %L.', $1, coalesce($2, 'any')),
                  HINT = 'See dbmaint_default_rules().';
    END IF;
    LOCK TABLE @extschema@.dbmaint_alert_rules IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM @extschema@.dbmaint_alert_rules AS r
     WHERE r.metric = $1 AND (r.severity = $2 OR $2 IS NULL) AND r.instance = '*';
    DELETE FROM @extschema@.dbmaint_dropped_rules AS t
     WHERE t.metric = $1 AND (t.severity = $2 OR $2 IS NULL) AND t.instance = '*';
    INSERT INTO @extschema@.dbmaint_alert_rules
    SELECT d.* FROM @extschema@.dbmaint_default_rules() AS d
     WHERE d.metric = $1 AND (d.severity = $2 OR $2 IS NULL);
    GET DIAGNOSTICS restored = ROW_COUNT;
    RETURN restored;
END
$$;
COMMENT ON FUNCTION dbmaint_reset_rule(text, text) IS
'Makes the rules of a metric, of one severity (NULL: of every severity), those that the extension brought, changed or dropped as they may be; returns how many. Rules for single instances stay.';

REVOKE ALL ON FUNCTION dbmaint_alert_metrics(), dbmaint_require_metric(text),
    dbmaint_apply_rule_options(dbmaint_alert_rules, jsonb), dbmaint_validate_rule(dbmaint_alert_rules),
    dbmaint_set_rule(text, text, text, float8, interval, text, jsonb),
    dbmaint_require_rule(text, text, text), dbmaint_drop_rule(text, text, text),
    dbmaint_enable_rule(text, text, text, boolean), dbmaint_disable_rule(text, text, text),
    dbmaint_reset_rule(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_alert_metrics(), dbmaint_require_metric(text),
    dbmaint_apply_rule_options(dbmaint_alert_rules, jsonb), dbmaint_validate_rule(dbmaint_alert_rules),
    dbmaint_require_rule(text, text, text) TO pg_monitor;
