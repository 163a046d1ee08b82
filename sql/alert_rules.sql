-- Rules: those of the runbooks to the number, changes by functions and by SQL, bad input.
\set SHOW_CONTEXT never
CREATE EXTENSION dbmaint;

-- the thresholds of the runbooks
SELECT metric, severity, comparison, threshold, of_ratio, of_metric, sustained_for, min_traffic, enabled
  FROM dbmaint_alert_rules
 WHERE metric IN ('response_time_ms', 'p95_ms', 'pool_efficiency', 'pool_exhausted', 'critical_index_efficiency',
                  'total_connections', 'free_connections', 'dead_ratio_pct', 'statistics_age_days')
 ORDER BY metric COLLATE "C", array_position(ARRAY['warning', 'critical', 'emergency'], severity);
-- and their response actions
SELECT metric, severity, unnest(actions) AS action
  FROM dbmaint_alert_rules
 WHERE metric IN ('response_time_ms', 'pool_efficiency', 'critical_index_efficiency')
 ORDER BY metric COLLATE "C", array_position(ARRAY['warning', 'critical', 'emergency'], severity);
-- those of the first day
SELECT metric, string_agg(format('%s %s %s', severity, comparison, threshold), ', '
                          ORDER BY array_position(ARRAY['warning', 'critical', 'emergency'], severity)) AS limits,
       max(sustained_for) AS longest
  FROM dbmaint_alert_rules
 WHERE metric NOT IN ('response_time_ms', 'p95_ms', 'pool_efficiency', 'pool_exhausted', 'critical_index_efficiency',
                      'total_connections', 'free_connections', 'dead_ratio_pct', 'statistics_age_days')
 GROUP BY metric ORDER BY metric COLLATE "C";
-- all watch what there is, say what to do, and remind; what is worse than a warning goes up
SELECT metric FROM dbmaint_alert_rules WHERE metric NOT IN (SELECT metric FROM dbmaint_alert_metrics());
SELECT DISTINCT metric FROM dbmaint_alert_rules WHERE actions = '{}' ORDER BY 1;
SELECT severity, min(remind_every), max(remind_every), min(escalate_after), max(escalate_after)
  FROM dbmaint_alert_rules GROUP BY severity ORDER BY 2 DESC;
SELECT bool_and(seeded), count(*) = (SELECT count(*) FROM dbmaint_default_rules()) FROM dbmaint_alert_rules;

-- a change keeps what is not said
SELECT dbmaint_set_rule('response_time_ms', 'critical', '>', 120, '3 minutes');
SELECT threshold, sustained_for, resolve_after, cardinality(actions) AS actions, remind_every, seeded
  FROM dbmaint_alert_rules WHERE metric = 'response_time_ms' AND severity = 'critical';
SELECT dbmaint_set_rule('response_time_ms', 'critical', '>=', 130, '0',
    options => '{"resolve_after": "10 min", "resolve_threshold": 100, "min_traffic": 50, "traffic_metric": "query_count",
                 "resolve_when_quiet": true, "remind_every": null, "escalate_after": "2 h", "actions": ["Call Ann"], "enabled": false}');
SELECT comparison, threshold, resolve_after, resolve_threshold, min_traffic, traffic_metric, resolve_when_quiet,
       remind_every, escalate_after, actions, enabled
  FROM dbmaint_alert_rules WHERE metric = 'response_time_ms' AND severity = 'critical';
-- what belongs to the threshold goes with it
SELECT dbmaint_set_rule('total_connections', 'warning', '>', 90, '1 minute');
SELECT threshold, of_metric, of_ratio FROM dbmaint_alert_rules WHERE metric = 'total_connections' AND severity = 'warning';
SELECT dbmaint_set_rule('total_connections', 'warning', '>', NULL, '1 minute', options => '{"of_metric": "max_connections", "of_ratio": 0.5}');
SELECT threshold, of_metric, of_ratio FROM dbmaint_alert_rules WHERE metric = 'total_connections' AND severity = 'warning';
-- one for some instances, one for one of them
SELECT dbmaint_set_rule('pool_efficiency', 'warning', '<', 40, '1 minute', 'test.*');
SELECT dbmaint_set_rule('pool_efficiency', 'warning', '<', 30, '1 minute', 'test.batch');
SELECT i.instance, r.threshold FROM (VALUES ('app.web'), ('test.web'), ('test.batch')) AS i(instance),
       dbmaint_rule_of('pool_efficiency', i.instance, 'warning') AS r;
SELECT count(*) FROM dbmaint_rule_of('pool_efficiency', 'x', 'no such');
SELECT dbmaint_matches_pattern('a*c\*', 'abbc*'), dbmaint_matches_pattern('a*c\*', 'abbcx'), dbmaint_matches_pattern('*', ''),
       dbmaint_matches_pattern('', 'x'), dbmaint_matches_pattern('ä*', 'äö'), dbmaint_matches_pattern('\', '\');

-- disabling, dropping, and back
SELECT dbmaint_disable_rule('pool_efficiency'), dbmaint_disable_rule('pool_efficiency');
SELECT count(*) FROM dbmaint_rule_of('pool_efficiency', 'app.web', 'warning');
SELECT dbmaint_enable_rule('pool_efficiency', 'warning');
SELECT threshold FROM dbmaint_rule_of('pool_efficiency', 'app.web', 'warning');
SELECT dbmaint_drop_rule('pool_efficiency', 'critical');
SELECT dbmaint_drop_rule('pool_efficiency', NULL, 'test.*');
SELECT * FROM dbmaint_dropped_rules;
SELECT dbmaint_set_rule('pool_efficiency', 'critical', '<', 55, '2 minutes');
SELECT count(*) AS dropped FROM dbmaint_dropped_rules;
SELECT dbmaint_reset_rule('pool_efficiency');
SELECT severity, instance, threshold, seeded FROM dbmaint_alert_rules WHERE metric = 'pool_efficiency' ORDER BY threshold DESC;

-- plain SQL does the same
UPDATE dbmaint_alert_rules SET threshold = 21 WHERE metric = 'dead_ratio_pct';
DELETE FROM dbmaint_alert_rules WHERE metric = 'statistics_age_days';
UPDATE dbmaint_alert_rules SET severity = 'critical' WHERE metric = 'invalid_indexes';
SELECT metric, severity, threshold, seeded FROM dbmaint_alert_rules WHERE metric IN ('dead_ratio_pct', 'statistics_age_days', 'invalid_indexes') ORDER BY 1;
SELECT * FROM dbmaint_dropped_rules ORDER BY 1;
-- what a restore does: rows come back to a table that is seeded
SELECT dbmaint_reset_rule('dead_ratio_pct'), dbmaint_reset_rule('statistics_age_days');
INSERT INTO dbmaint_alert_rules (metric, severity, comparison, threshold) VALUES ('dead_ratio_pct', 'warning', '>', 21);
INSERT INTO dbmaint_dropped_rules VALUES ('statistics_age_days', '*', 'warning');
SELECT metric, threshold, seeded FROM dbmaint_alert_rules WHERE metric IN ('dead_ratio_pct', 'statistics_age_days');
-- with the triggers disabled, too
SELECT dbmaint_reset_rule('dead_ratio_pct'), dbmaint_reset_rule('statistics_age_days');
SET session_replication_role = replica;
INSERT INTO dbmaint_alert_rules (metric, severity, comparison, threshold) VALUES ('dead_ratio_pct', 'warning', '>', 22);
INSERT INTO dbmaint_dropped_rules VALUES ('statistics_age_days', '*', 'warning');
RESET session_replication_role;
SELECT metric, threshold, seeded FROM dbmaint_effective_rules() WHERE metric IN ('dead_ratio_pct', 'statistics_age_days');
UPDATE dbmaint_alert_rules SET threshold = 23 WHERE metric = 'dead_ratio_pct';
SELECT metric, threshold, seeded FROM dbmaint_effective_rules() WHERE metric IN ('dead_ratio_pct', 'statistics_age_days');
BEGIN;
TRUNCATE dbmaint_alert_rules;
SELECT count(*) = (SELECT count(*) FROM dbmaint_default_rules()) AS all_dropped FROM dbmaint_dropped_rules;
ROLLBACK;

-- bad input
SELECT dbmaint_set_rule('no_such_metric', 'warning', '>', 1, '0');
SELECT dbmaint_set_rule(NULL, 'warning', '>', 1, '0');
SELECT dbmaint_set_rule('p99_ms', 'error', '>', 1, '0');
SELECT dbmaint_set_rule('p99_ms', 'warning', '=', 1, '0');
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', NULL, '0');
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 'NaN', '0');
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 'Infinity', '0');
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 1, '-1 s');
-- a month is 30 days to a comparison, and more to the engine
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 1, '-12 months 360 days');
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 1, '0', options => '{"resolve_after": "-12 months 361 days"}');
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 1, '0', options => '{"remind_every": "-12 months 361 days"}');
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 1, '0', options => '{"escalate_after": "-12 months 361 days"}');
\set VERBOSITY terse
INSERT INTO dbmaint_alert_rules (metric, severity, comparison, threshold, sustained_for) VALUES ('p99_ms', 'warning', '>', 1, '-12 months 360 days');
\set VERBOSITY default
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 1, NULL);
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 1, '0', 'orders');
SELECT dbmaint_set_rule('dead_ratio_pct', 'warning', '>', 1, '0', NULL);
-- huge instances: as long as can be, longer, and such as no compression makes short
SELECT dbmaint_set_rule('dead_ratio_pct', 'warning', '>', 1, '0', string_agg(md5(i::text), '')) FROM generate_series(1, 32) AS i;
SELECT length(instance), dbmaint_drop_rule(metric, severity, instance) FROM dbmaint_alert_rules WHERE length(instance) > 100;
SELECT dbmaint_set_rule('dead_ratio_pct', 'warning', '>', 1, '0', repeat('x', 1025));
SELECT dbmaint_set_rule('dead_ratio_pct', 'warning', '>', 1, '0', string_agg(md5(i::text), '')) FROM generate_series(1, 320) AS i;
SELECT dbmaint_set_rule('dead_ratio_pct', 'warning', '>', 1, '0', repeat('ä', 513));
\set VERBOSITY sqlstate
INSERT INTO dbmaint_alert_rules (metric, instance, severity, comparison, threshold) SELECT 'dead_ratio_pct', string_agg(md5(i::text), ''), 'warning', '>', 1 FROM generate_series(1, 320) AS i;
INSERT INTO dbmaint_alert_rules (metric, instance, severity, comparison, threshold) SELECT string_agg(md5(i::text), ''), '*', 'warning', '>', 1 FROM generate_series(1, 320) AS i;
\set VERBOSITY default
SELECT count(*) FROM dbmaint_rule_of('dead_ratio_pct', repeat('x', 100000), 'warning');
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 1, '0', options => '[]');
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 1, '0', options => NULL);
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 1, '0', options => '{"for": 1}');
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 1, '0', options => '{"resolve_after": "soon"}');
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 1, '0', options => '{"resolve_after": null}');
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 1, '0', options => '{"resolve_threshold": 2}');
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 1, '0', options => '{"min_traffic": 2}');
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 1, '0', options => '{"min_traffic": 2, "traffic_metric": "x"}');
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 1, '0', options => '{"of_ratio": "1e999", "of_metric": "p95_ms"}');
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 1, '0', options => '{"actions": "call"}');
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 1, '0', options => '{"actions": [null]}');
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 1, '0', options => '{"enabled": "perhaps"}');
SELECT dbmaint_set_rule('p99_ms', 'warning', '>', 1, '0', options => '{"remind_every": "1 s"}');
SELECT dbmaint_drop_rule('p99_ms');
SELECT dbmaint_enable_rule('response_time_ms', 'warning', 'x');
SELECT dbmaint_enable_rule('response_time_ms', enabled => NULL);
SELECT dbmaint_reset_rule('p99_ms');
INSERT INTO dbmaint_alert_rules (metric, severity, comparison) VALUES ('p99_ms', 'warning', '>');
SELECT count(*) FROM dbmaint_alert_rules WHERE metric = 'p99_ms';
DROP EXTENSION dbmaint;
