-- src/alert/rules.sql: the rules, and those that come with the extension.
--
-- The install script seeds the rules.  A seeded row is not dumped: a restored
-- database gets it from CREATE EXTENSION.  What the user changes or adds is an
-- entered row, which is dumped; it replaces the seeded one of its key.  A key
-- that was dropped is in dbmaint_dropped_rules, which is dumped, too.  The
-- triggers see to that whatever SQL it is that changes the table.

CREATE TABLE dbmaint_alert_rules (
    metric text NOT NULL,
    instance text NOT NULL DEFAULT '*',
    severity text NOT NULL CHECK (severity IN ('warning', 'critical', 'emergency')),
    comparison text NOT NULL CHECK (comparison IN ('>', '>=', '<', '<=')),
    threshold float8 CHECK (threshold > '-Infinity' AND threshold < 'Infinity'),
    of_metric text,
    of_ratio float8 CHECK (of_ratio > '-Infinity' AND of_ratio < 'Infinity'),
    sustained_for interval NOT NULL DEFAULT '0' CHECK (sustained_for >= interval '0' AND sustained_for <= interval '366 days'),
    resolve_after interval NOT NULL DEFAULT '2 minutes' CHECK (resolve_after >= interval '0' AND resolve_after <= interval '366 days'),
    resolve_threshold float8 CHECK (resolve_threshold > '-Infinity' AND resolve_threshold < 'Infinity'),
    traffic_metric text,
    min_traffic float8 CHECK (min_traffic > '-Infinity' AND min_traffic < 'Infinity'),
    resolve_when_quiet boolean NOT NULL DEFAULT false,
    remind_every interval CHECK (remind_every >= interval '1 minute' AND remind_every <= interval '366 days'),
    escalate_after interval CHECK (escalate_after >= interval '1 minute' AND escalate_after <= interval '366 days'),
    actions text[] NOT NULL DEFAULT '{}',
    enabled boolean NOT NULL DEFAULT true,
    seeded boolean NOT NULL DEFAULT false,
    PRIMARY KEY (metric, instance, severity, seeded),
    CHECK (threshold IS NOT NULL OR of_ratio IS NOT NULL),
    CHECK ((of_metric IS NULL) = (of_ratio IS NULL)),
    CHECK ((traffic_metric IS NULL) = (min_traffic IS NULL))
);
COMMENT ON TABLE dbmaint_alert_rules IS
'When an alert fires: one row a metric, instance and severity. Change rules by dbmaint_set_rule(), which checks them, or by UPDATE; the sampler sees it in its next round. pg_dump keeps what was changed, added, disabled and dropped.';
COMMENT ON COLUMN dbmaint_alert_rules.metric IS
'Of dbmaint_metrics() or dbmaint_series_metrics().';
COMMENT ON COLUMN dbmaint_alert_rules.instance IS
'Which instances: a name, in which * stands for any characters, ? for one, and \ makes the next one literal. Of several rules of one severity that match an instance, the one without * or ? wins, then the longest.';
COMMENT ON COLUMN dbmaint_alert_rules.severity IS
'warning, critical or emergency.';
COMMENT ON COLUMN dbmaint_alert_rules.comparison IS
'A value that is >, >=, < or <= the threshold is beyond it.';
COMMENT ON COLUMN dbmaint_alert_rules.threshold IS
'In the metric''s unit; NULL where of_ratio alone says it.';
COMMENT ON COLUMN dbmaint_alert_rules.of_metric IS
'Another metric of the same instance, or one without instances, for of_ratio.';
COMMENT ON COLUMN dbmaint_alert_rules.of_ratio IS
'The threshold as a share of of_metric; with a threshold as well, the tighter one of the two counts.';
COMMENT ON COLUMN dbmaint_alert_rules.sustained_for IS
'How long the value has to be beyond the threshold without a break before the alert fires; 0: at once.';
COMMENT ON COLUMN dbmaint_alert_rules.resolve_after IS
'How long the value has to be well without a break before the severity ends.';
COMMENT ON COLUMN dbmaint_alert_rules.resolve_threshold IS
'A value is well if it is not beyond this one; NULL: if it is not beyond the threshold.';
COMMENT ON COLUMN dbmaint_alert_rules.traffic_metric IS
'What min_traffic is of: a metric of the same instance, or one without instances.';
COMMENT ON COLUMN dbmaint_alert_rules.min_traffic IS
'With less traffic than this the value is not judged; NULL: always judged.';
COMMENT ON COLUMN dbmaint_alert_rules.resolve_when_quiet IS
'Whether too little traffic means that all is well, so that an alert resolves; else it neither fires nor resolves.';
COMMENT ON COLUMN dbmaint_alert_rules.remind_every IS
'How often to notify again while it fires and nobody acknowledged it; NULL: never.';
COMMENT ON COLUMN dbmaint_alert_rules.escalate_after IS
'After how long without acknowledgement it goes one level up, of three; NULL: never.';
COMMENT ON COLUMN dbmaint_alert_rules.actions IS
'What to do, in order.';
COMMENT ON COLUMN dbmaint_alert_rules.enabled IS
'Whether it is watched.';
COMMENT ON COLUMN dbmaint_alert_rules.seeded IS
'Whether the extension brought it and nobody changed it.';

CREATE TABLE dbmaint_dropped_rules (
    metric text NOT NULL,
    instance text NOT NULL,
    severity text NOT NULL,
    PRIMARY KEY (metric, instance, severity)
);
COMMENT ON TABLE dbmaint_dropped_rules IS
'Rules that come with the extension and were dropped, so that they stay so after pg_dump and restore.';
COMMENT ON COLUMN dbmaint_dropped_rules.metric IS
'As in dbmaint_alert_rules.';
COMMENT ON COLUMN dbmaint_dropped_rules.instance IS
'As in dbmaint_alert_rules.';
COMMENT ON COLUMN dbmaint_dropped_rules.severity IS
'As in dbmaint_alert_rules.';

SELECT pg_catalog.pg_extension_config_dump('dbmaint_alert_rules', 'WHERE NOT seeded');
SELECT pg_catalog.pg_extension_config_dump('dbmaint_dropped_rules', '');

REVOKE ALL ON dbmaint_alert_rules, dbmaint_dropped_rules FROM PUBLIC;
GRANT SELECT ON dbmaint_alert_rules, dbmaint_dropped_rules TO pg_monitor;
