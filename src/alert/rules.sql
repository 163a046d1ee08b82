-- src/alert/rules.sql: the rules, and those that come with the extension.
--
-- The install script seeds the rules.  A seeded row is not dumped: a restored
-- database gets it from CREATE EXTENSION.  What the user changes or adds is an
-- entered row, which is dumped; it replaces the seeded one of its key.  A key
-- that was dropped is in dbmaint_dropped_rules, which is dumped, too.  The
-- triggers see to that whatever SQL it is that changes the table.

CREATE TABLE dbmaint_alert_rules (
    metric text NOT NULL CHECK (octet_length(metric) <= 63),
    -- as long as a name whose every byte is escaped; longer ones do not fit into the index
    instance text NOT NULL DEFAULT '*' CHECK (octet_length(instance) <= 1024),
    severity text NOT NULL CHECK (severity IN ('warning', 'critical', 'emergency')),
    comparison text NOT NULL CHECK (comparison IN ('>', '>=', '<', '<=')),
    threshold float8 CHECK (threshold > '-Infinity' AND threshold < 'Infinity'),
    of_metric text,
    of_ratio float8 CHECK (of_ratio > '-Infinity' AND of_ratio < 'Infinity'),
    -- by their seconds, which is what counts: a comparison takes months for 30 days; numerics, as extract() is
    sustained_for interval NOT NULL DEFAULT '0' CHECK (extract(epoch FROM sustained_for) BETWEEN 0.0 AND 31622400.0),
    resolve_after interval NOT NULL DEFAULT '2 minutes' CHECK (extract(epoch FROM resolve_after) BETWEEN 0.0 AND 31622400.0),
    resolve_threshold float8 CHECK (resolve_threshold > '-Infinity' AND resolve_threshold < 'Infinity'),
    traffic_metric text,
    min_traffic float8 CHECK (min_traffic > '-Infinity' AND min_traffic < 'Infinity'),
    resolve_when_quiet boolean NOT NULL DEFAULT false,
    remind_every interval CHECK (extract(epoch FROM remind_every) BETWEEN 60.0 AND 31622400.0),
    escalate_after interval CHECK (extract(epoch FROM escalate_after) BETWEEN 60.0 AND 31622400.0),
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
'Which instances: a name, in which * stands for any characters and \ makes the next one literal. Of several rules of one severity that match an instance, the one without * wins, then the longest.';
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

CREATE FUNCTION dbmaint_rules_changed()
RETURNS trigger
LANGUAGE C
AS 'MODULE_PATHNAME', 'dbmaint_rules_changed';
COMMENT ON FUNCTION dbmaint_rules_changed() IS
'Trigger: tells the sampler, when the transaction commits, that rules, silences or maintenance windows changed';

CREATE FUNCTION dbmaint_matches_pattern(pattern text, string text)
RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_matches_pattern';
COMMENT ON FUNCTION dbmaint_matches_pattern(text, text) IS
'Does a string match the pattern of a rule or silence, in which * stands for any characters and \ makes the next one literal?';

CREATE FUNCTION dbmaint_pattern_rank(pattern text)
RETURNS int
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_pattern_rank';
COMMENT ON FUNCTION dbmaint_pattern_rank(text) IS
'Of several patterns that match, the one with the greatest rank is to be taken: one without *, then the longest';

CREATE FUNCTION dbmaint_default_rules()
RETURNS SETOF dbmaint_alert_rules
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH remind(severity, every, escalate) AS (VALUES
        ('warning', interval '4 hours', NULL::interval),
        ('critical', interval '1 hour', interval '30 minutes'),
        ('emergency', interval '15 minutes', interval '15 minutes')
    ), actions(metric, severity, what) AS (VALUES
        -- the runbook's response actions
        ('response_time_ms', 'warning', ARRAY['Check connection pool utilization', 'Review active query patterns', 'Validate index usage effectiveness', 'Monitor memory and CPU utilization']),
        ('response_time_ms', 'critical', ARRAY['Immediate Slack alert to database team', 'Check for slow query patterns', 'Validate connection pool health', 'Review recent configuration changes']),
        ('response_time_ms', 'emergency', ARRAY['PagerDuty alert for immediate response', 'Execute performance degradation runbook', 'Consider emergency optimization procedures', 'Escalate to senior database administrator']),
        ('pool_efficiency', 'warning', ARRAY['Review connection usage patterns', 'Check for connection leaks in application', 'Monitor query execution times', 'Validate pool configuration parameters']),
        ('pool_efficiency', 'critical', ARRAY['Immediate investigation of connection bottlenecks', 'Check for blocked or long-running transactions', 'Review application connection management', 'Consider temporary pool size increase']),
        ('pool_efficiency', 'emergency', ARRAY['Immediate database team notification', 'Execute connection pool recovery procedures', 'Check for database locks or deadlocks', 'Implement emergency connection scaling']),
        ('critical_index_efficiency', 'warning', ARRAY['Analyze query patterns using affected indexes', 'Check for table bloat affecting index performance', 'Review query optimizer statistics', 'Consider index maintenance (REINDEX if needed)']),
        ('critical_index_efficiency', 'critical', ARRAY['Immediate index performance investigation', 'Check for query plan changes', 'Analyze table statistics and update if needed', 'Consider emergency index optimization']),
        ('critical_index_efficiency', 'emergency', ARRAY['Critical database performance alert', 'Execute index recovery procedures', 'Check for index corruption or bloat', 'Implement emergency query optimization']),
        -- ours
        ('total_connections', NULL, ARRAY['See who is connected: dbmaint_connections()', 'Look for connection leaks: dbmaint_connection_leaks()', 'Put a pool before the server, or raise max_connections and restart']),
        ('free_connections', NULL, ARRAY['See who is connected: dbmaint_connections()', 'Terminate idle connections that nobody needs', 'A superuser can still connect, by the reserved connections']),
        ('dead_ratio_pct', NULL, ARRAY['VACUUM (ANALYZE) the table', 'Look for what holds dead rows back: long transactions, prepared ones, replication slots', 'Lower its autovacuum_vacuum_scale_factor if it comes back']),
        ('statistics_age_days', NULL, ARRAY['ANALYZE the table', 'Lower its autovacuum_analyze_scale_factor if it comes back']),
        ('invalid_indexes', NULL, ARRAY['See dbmaint_invalid_indexes()', 'REINDEX INDEX CONCURRENTLY repairs it; DROP INDEX CONCURRENTLY it if its name ends in _ccnew or _ccold']),
        ('cache_hit_ratio', NULL, ARRAY['Look for sequential scans of large tables: dbmaint_table_health()', 'Raise shared_buffers if the working set is larger']),
        ('longest_lock_wait_ms', NULL, ARRAY['See who waits for whom: dbmaint_blocked()', 'Cancel or terminate who blocks: pg_cancel_backend(), pg_terminate_backend()']),
        ('idle_in_transaction_ms', NULL, ARRAY['Find the session: dbmaint_connections()', 'Set idle_in_transaction_session_timeout']),
        ('oldest_transaction_ms', NULL, ARRAY['Find the session by xact_start in pg_stat_activity', 'End it: VACUUM removes nothing that it might see']),
        ('transaction_id_age_ratio', NULL, ARRAY['End what holds it back: long transactions, prepared ones, replication slots', 'VACUUM (FREEZE) the tables with the greatest age(relfrozenxid)']),
        ('multixact_id_age_ratio', NULL, ARRAY['End long transactions', 'VACUUM (FREEZE) the tables with the greatest mxid_age(relminmxid)']),
        ('freeze_overdue_ratio', NULL, ARRAY['See why autovacuum does not get there: its workers, its cost limits, locks', 'End long transactions, prepared ones, unused replication slots']),
        ('replication_lag_ms', NULL, ARRAY['Look at write_lag, flush_lag and replay_lag in pg_stat_replication', 'Look for long queries on the standby that hold replay back']),
        ('replication_lag_bytes', NULL, ARRAY['Look at the network and at the standby''s disk', 'Look for long queries on the standby that hold replay back']),
        ('slot_inactive', NULL, ARRAY['Start its consumer', 'pg_drop_replication_slot() it if nobody needs it']),
        ('slot_lost', NULL, ARRAY['Rebuild its consumer and drop the slot', 'Raise max_slot_wal_keep_size in time']),
        ('slot_retained_bytes', NULL, ARRAY['Start its consumer, or see why it is slow', 'Drop the slot before WAL fills the disk; max_slot_wal_keep_size bounds it']),
        ('archive_failing', NULL, ARRAY['Run archive_command by hand as the server''s user', 'See the server log; WAL is kept until it succeeds']),
        ('archive_waiting_files', NULL, ARRAY['Look at the archive''s network and disk']),
        ('damaged_pages', NULL, ARRAY['Take a copy of the data directory before anything else', 'Check the disk and the server log', 'Find the damage with pg_amcheck and restore from a backup']),
        ('disk_free_ratio', NULL, ARRAY['See what grows: dbmaint_capacity(), dbmaint_table_health()', 'Look for replication slots that keep WAL, for old logs and temporary files', 'Add space']),
        ('days_until_full', NULL, ARRAY['See what grows: dbmaint_capacity(), dbmaint_table_health()', 'Archive or add space in time']),
        ('sequence_used_ratio', NULL, ARRAY['See dbmaint_capacity()', 'ALTER the column and its sequence to bigint while there is time']),
        ('prepared_transaction_age_ms', NULL, ARRAY['COMMIT PREPARED or ROLLBACK PREPARED what pg_prepared_xacts shows', 'Look at the transaction manager']),
        ('backup_age_hours', NULL, ARRAY['See why the last backup failed', 'Make one now', 'What makes backups should call dbmaint_note_backup() at its end']),
        ('premade_partitions', NULL, ARRAY['Create partitions before the last range is over']),
        ('sampler_late_ratio', NULL, ARRAY['See dbmaint_status() and the server log', 'Look at the load of the host'])
    )
    SELECT r.metric, '*', r.severity, r.comparison, r.threshold, r.of_metric, r.of_ratio,
           r.sustained_for, r.resolve_after, NULL::float8, r.traffic_metric, r.min_traffic,
           r.resolve_when_quiet, m.every, m.escalate,
           coalesce((SELECT a.what FROM actions AS a
                      WHERE a.metric = CASE r.metric WHEN 'p95_ms' THEN 'response_time_ms' WHEN 'pool_exhausted' THEN 'pool_efficiency'
                                              ELSE r.metric END
                        AND (a.severity = r.severity OR a.severity IS NULL)), '{}'),
           r.enabled, true
      FROM (VALUES
        -- the runbook's thresholds, to the number
        ('response_time_ms', 'warning', '>', 80::float8, NULL::text, NULL::float8, interval '10 minutes', interval '2 minutes', NULL::text, NULL::float8, false, true),
        ('response_time_ms', 'critical', '>', 95, NULL, NULL, '5 minutes', '2 minutes', NULL, NULL, false, true),
        ('response_time_ms', 'emergency', '>', 110, NULL, NULL, '2 minutes', '2 minutes', NULL, NULL, false, true),
        ('pool_efficiency', 'warning', '<', 70, NULL, NULL, '5 minutes', '2 minutes', 'cl_active', 5, true, true),
        ('pool_efficiency', 'critical', '<', 60, NULL, NULL, '2 minutes', '2 minutes', 'cl_active', 5, true, true),
        ('pool_efficiency', 'emergency', '<', 50, NULL, NULL, '0', '2 minutes', 'cl_active', 5, true, true),
        ('pool_exhausted', 'emergency', '>=', 1, NULL, NULL, '0', '2 minutes', NULL, NULL, false, true),
        ('critical_index_efficiency', 'warning', '<', 85, NULL, NULL, '0', '0', NULL, NULL, false, true),
        ('critical_index_efficiency', 'critical', '<', 80, NULL, NULL, '0', '0', NULL, NULL, false, true),
        ('critical_index_efficiency', 'emergency', '<', 70, NULL, NULL, '0', '0', NULL, NULL, false, true),
        ('total_connections', 'warning', '>', 480, 'max_connections', 0.8, '0', '2 minutes', NULL, NULL, false, true),
        ('total_connections', 'critical', '>', 540, 'max_connections', 0.9, '0', '2 minutes', NULL, NULL, false, true),
        ('free_connections', 'emergency', '<', 1, NULL, NULL, '0', '2 minutes', NULL, NULL, false, true),
        ('dead_ratio_pct', 'warning', '>', 20, NULL, NULL, '0', '0', NULL, NULL, false, true),
        ('statistics_age_days', 'warning', '>', 7, NULL, NULL, '0', '0', NULL, NULL, false, true),
        -- its dashboard draws the 95th percentile against the same limits
        ('p95_ms', 'warning', '>', 80, NULL, NULL, '10 minutes', '2 minutes', NULL, NULL, false, false),
        ('p95_ms', 'critical', '>', 95, NULL, NULL, '5 minutes', '2 minutes', NULL, NULL, false, false),
        -- what one wants to know on the first day
        ('cache_hit_ratio', 'warning', '<', 0.9, NULL, NULL, '15 minutes', '5 minutes', 'blocks_hit', 1000, false, true),
        ('cache_hit_ratio', 'critical', '<', 0.8, NULL, NULL, '15 minutes', '5 minutes', 'blocks_hit', 1000, false, true),
        ('longest_lock_wait_ms', 'warning', '>', 10000, NULL, NULL, '0', '1 minute', NULL, NULL, false, true),
        ('longest_lock_wait_ms', 'critical', '>', 60000, NULL, NULL, '0', '1 minute', NULL, NULL, false, true),
        ('idle_in_transaction_ms', 'warning', '>', 600000, NULL, NULL, '0', '1 minute', NULL, NULL, false, true),
        ('idle_in_transaction_ms', 'critical', '>', 3600000, NULL, NULL, '0', '1 minute', NULL, NULL, false, true),
        ('oldest_transaction_ms', 'warning', '>', 1800000, NULL, NULL, '0', '1 minute', NULL, NULL, false, true),
        ('oldest_transaction_ms', 'critical', '>', 14400000, NULL, NULL, '0', '1 minute', NULL, NULL, false, true),
        ('freeze_overdue_ratio', 'warning', '>', 1.2, NULL, NULL, '0', '2 minutes', NULL, NULL, false, true),
        ('transaction_id_age_ratio', 'critical', '>', 0.5, NULL, NULL, '0', '2 minutes', NULL, NULL, false, true),
        ('transaction_id_age_ratio', 'emergency', '>', 0.75, NULL, NULL, '0', '2 minutes', NULL, NULL, false, true),
        ('multixact_id_age_ratio', 'critical', '>', 0.5, NULL, NULL, '0', '2 minutes', NULL, NULL, false, true),
        ('multixact_id_age_ratio', 'emergency', '>', 0.75, NULL, NULL, '0', '2 minutes', NULL, NULL, false, true),
        ('replication_lag_ms', 'warning', '>', 30000, NULL, NULL, '1 minute', '2 minutes', NULL, NULL, false, true),
        ('replication_lag_ms', 'critical', '>', 300000, NULL, NULL, '1 minute', '2 minutes', NULL, NULL, false, true),
        ('replication_lag_bytes', 'warning', '>', 1073741824, NULL, NULL, '5 minutes', '2 minutes', NULL, NULL, false, true),
        ('replication_lag_bytes', 'critical', '>', 10737418240, NULL, NULL, '5 minutes', '2 minutes', NULL, NULL, false, true),
        ('slot_inactive', 'warning', '>=', 1, NULL, NULL, '10 minutes', '2 minutes', NULL, NULL, false, true),
        ('slot_lost', 'critical', '>=', 1, NULL, NULL, '0', '2 minutes', NULL, NULL, false, true),
        ('slot_retained_bytes', 'warning', '>', 10737418240, NULL, NULL, '5 minutes', '2 minutes', NULL, NULL, false, true),
        ('slot_retained_bytes', 'critical', '>', 53687091200, NULL, NULL, '5 minutes', '2 minutes', NULL, NULL, false, true),
        ('archive_failing', 'critical', '>=', 1, NULL, NULL, '5 minutes', '2 minutes', NULL, NULL, false, true),
        ('archive_waiting_files', 'warning', '>', 10, NULL, NULL, '10 minutes', '2 minutes', NULL, NULL, false, true),
        ('archive_waiting_files', 'critical', '>', 100, NULL, NULL, '10 minutes', '2 minutes', NULL, NULL, false, true),
        ('damaged_pages', 'emergency', '>', 0, NULL, NULL, '0', '0', NULL, NULL, false, true),
        ('disk_free_ratio', 'warning', '<', 0.2, NULL, NULL, '5 minutes', '2 minutes', NULL, NULL, false, true),
        ('disk_free_ratio', 'critical', '<', 0.1, NULL, NULL, '2 minutes', '2 minutes', NULL, NULL, false, true),
        ('disk_free_ratio', 'emergency', '<', 0.05, NULL, NULL, '0', '2 minutes', NULL, NULL, false, true),
        ('days_until_full', 'warning', '<', 14, NULL, NULL, '0', '0', NULL, NULL, false, true),
        ('days_until_full', 'critical', '<', 3, NULL, NULL, '0', '0', NULL, NULL, false, true),
        ('sequence_used_ratio', 'warning', '>', 0.75, NULL, NULL, '0', '0', NULL, NULL, false, true),
        ('sequence_used_ratio', 'critical', '>', 0.9, NULL, NULL, '0', '0', NULL, NULL, false, true),
        ('sequence_used_ratio', 'emergency', '>', 0.97, NULL, NULL, '0', '0', NULL, NULL, false, true),
        ('prepared_transaction_age_ms', 'warning', '>', 600000, NULL, NULL, '0', '1 minute', NULL, NULL, false, true),
        ('prepared_transaction_age_ms', 'critical', '>', 3600000, NULL, NULL, '0', '1 minute', NULL, NULL, false, true),
        ('invalid_indexes', 'warning', '>', 0, NULL, NULL, '0', '0', NULL, NULL, false, true),
        ('backup_age_hours', 'warning', '>', 26, NULL, NULL, '0', '0', NULL, NULL, false, true),
        ('backup_age_hours', 'critical', '>', 50, NULL, NULL, '0', '0', NULL, NULL, false, true),
        ('premade_partitions', 'warning', '<', 2, NULL, NULL, '0', '0', NULL, NULL, false, true),
        ('premade_partitions', 'critical', '<', 1, NULL, NULL, '0', '0', NULL, NULL, false, true),
        ('sampler_late_ratio', 'warning', '>', 3, NULL, NULL, '0', '5 minutes', NULL, NULL, false, true),
        ('sampler_late_ratio', 'critical', '>', 30, NULL, NULL, '0', '5 minutes', NULL, NULL, false, true)
       ) AS r(metric, severity, comparison, threshold, of_metric, of_ratio, sustained_for, resolve_after, traffic_metric, min_traffic, resolve_when_quiet, enabled)
      JOIN remind AS m ON m.severity = r.severity
$$;
COMMENT ON FUNCTION dbmaint_default_rules() IS
'The rules that come with the extension: the thresholds of the runbooks to the number, with their response actions, and those that a database administrator wants on the first day. Nobody has to have what is watched: a metric without readings neither fires nor resolves.';

CREATE FUNCTION dbmaint_enter_rule()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- a seeded row that has an entered one beside it is dead
    IF OLD.seeded AND EXISTS (SELECT FROM @extschema@.dbmaint_alert_rules AS r
                               WHERE r.metric = OLD.metric AND r.instance = OLD.instance
                                 AND r.severity = OLD.severity AND NOT r.seeded) THEN
        RETURN NULL;
    END IF;
    NEW.seeded := false;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION dbmaint_enter_rule() IS
'Trigger: makes an entered rule of one that came with the extension and is changed';

CREATE FUNCTION dbmaint_remember_dropped_rule()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO @extschema@.dbmaint_dropped_rules AS t (metric, instance, severity)
    SELECT d.metric, d.instance, d.severity FROM @extschema@.dbmaint_default_rules() AS d
     WHERE d.metric = OLD.metric AND d.instance = OLD.instance AND d.severity = OLD.severity
       AND NOT EXISTS (SELECT FROM @extschema@.dbmaint_alert_rules AS r
                        WHERE r.metric = OLD.metric AND r.instance = OLD.instance
                          AND r.severity = OLD.severity)
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION dbmaint_remember_dropped_rule() IS
'Trigger: remembers that a rule which came with the extension is no longer there, so that a restore does not bring it back';

CREATE FUNCTION dbmaint_replace_seeded_rule()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM @extschema@.dbmaint_alert_rules AS r
     WHERE r.metric = NEW.metric AND r.instance = NEW.instance AND r.severity = NEW.severity AND r.seeded;
    IF TG_TABLE_NAME = 'dbmaint_alert_rules' THEN
        DELETE FROM @extschema@.dbmaint_dropped_rules AS t
         WHERE t.metric = NEW.metric AND t.instance = NEW.instance AND t.severity = NEW.severity;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION dbmaint_replace_seeded_rule() IS
'Trigger: what is entered, or dropped, replaces the rule that came with the extension; a restore enters and drops again';

CREATE FUNCTION dbmaint_drop_all_rules()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO @extschema@.dbmaint_dropped_rules AS t (metric, instance, severity)
    SELECT d.metric, d.instance, d.severity FROM @extschema@.dbmaint_default_rules() AS d
        ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION dbmaint_drop_all_rules() IS
'Trigger: remembers that all rules that came with the extension were dropped by TRUNCATE';

CREATE TRIGGER dbmaint_enter BEFORE UPDATE ON dbmaint_alert_rules
    FOR EACH ROW EXECUTE FUNCTION dbmaint_enter_rule();
CREATE TRIGGER dbmaint_remember AFTER UPDATE OR DELETE ON dbmaint_alert_rules
    FOR EACH ROW EXECUTE FUNCTION dbmaint_remember_dropped_rule();
CREATE TRIGGER dbmaint_replace AFTER INSERT ON dbmaint_alert_rules
    FOR EACH ROW WHEN (NOT NEW.seeded) EXECUTE FUNCTION dbmaint_replace_seeded_rule();
CREATE TRIGGER dbmaint_replace AFTER INSERT ON dbmaint_dropped_rules
    FOR EACH ROW EXECUTE FUNCTION dbmaint_replace_seeded_rule();
CREATE TRIGGER dbmaint_truncate AFTER TRUNCATE ON dbmaint_alert_rules
    FOR EACH STATEMENT EXECUTE FUNCTION dbmaint_drop_all_rules();
CREATE TRIGGER dbmaint_changed AFTER INSERT OR UPDATE OR DELETE ON dbmaint_alert_rules
    FOR EACH STATEMENT EXECUTE FUNCTION dbmaint_rules_changed();
CREATE TRIGGER dbmaint_changed AFTER INSERT OR UPDATE OR DELETE ON dbmaint_dropped_rules
    FOR EACH STATEMENT EXECUTE FUNCTION dbmaint_rules_changed();

INSERT INTO dbmaint_alert_rules SELECT * FROM dbmaint_default_rules();

CREATE FUNCTION dbmaint_effective_rules()
RETURNS SETOF dbmaint_alert_rules
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    -- where triggers were disabled, a seeded row may be left beside an entered one
    SELECT r.* FROM @extschema@.dbmaint_alert_rules AS r
     WHERE NOT r.seeded
        OR (NOT EXISTS (SELECT FROM @extschema@.dbmaint_alert_rules AS e
                         WHERE e.metric = r.metric AND e.instance = r.instance
                           AND e.severity = r.severity AND NOT e.seeded)
            AND NOT EXISTS (SELECT FROM @extschema@.dbmaint_dropped_rules AS t
                             WHERE t.metric = r.metric AND t.instance = r.instance AND t.severity = r.severity))
$$;
COMMENT ON FUNCTION dbmaint_effective_rules() IS
'The rules that count, enabled or not: entered ones, and of those that came with the extension what was neither changed nor dropped';

CREATE FUNCTION dbmaint_load_rules(
    OUT metric text, OUT level bigint, OUT pattern text, OUT comparison text,
    OUT threshold float8, OUT of_metric text, OUT of_ratio float8,
    OUT sustained_us bigint, OUT resolve_us bigint, OUT resolve_threshold float8,
    OUT traffic_metric text, OUT min_traffic float8, OUT resolve_when_quiet boolean)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.metric, array_position(ARRAY['warning', 'critical', 'emergency'], r.severity)::bigint - 1,
           r.instance, r.comparison, r.threshold, r.of_metric, r.of_ratio,
           (extract(epoch FROM r.sustained_for) * 1000000)::bigint,
           (extract(epoch FROM r.resolve_after) * 1000000)::bigint,
           r.resolve_threshold, r.traffic_metric, r.min_traffic, r.resolve_when_quiet
      FROM @extschema@.dbmaint_effective_rules() AS r
     WHERE r.enabled
     ORDER BY r.metric COLLATE "C", r.instance COLLATE "C"
$$;
COMMENT ON FUNCTION dbmaint_load_rules() IS
'The rules that are enabled, as the sampler wants them: level 0 is a warning, times are in microseconds';

CREATE FUNCTION dbmaint_rule_of(of_metric text, of_instance text, of_severity text)
RETURNS SETOF dbmaint_alert_rules
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    -- as dbmaint_effective_rules(), of the few rows of one metric
    SELECT r.* FROM @extschema@.dbmaint_alert_rules AS r
     WHERE r.metric = $1 AND r.severity = $3 AND r.enabled
       AND @extschema@.dbmaint_matches_pattern(r.instance, $2)
       AND (NOT r.seeded
            OR (NOT EXISTS (SELECT FROM @extschema@.dbmaint_alert_rules AS e
                             WHERE e.metric = r.metric AND e.instance = r.instance
                               AND e.severity = r.severity AND NOT e.seeded)
                AND NOT EXISTS (SELECT FROM @extschema@.dbmaint_dropped_rules AS t
                                 WHERE t.metric = r.metric AND t.instance = r.instance AND t.severity = r.severity)))
     ORDER BY @extschema@.dbmaint_pattern_rank(r.instance) DESC, r.instance COLLATE "C"
     LIMIT 1
$$;
COMMENT ON FUNCTION dbmaint_rule_of(text, text, text) IS
'The rule that judges an instance of a metric for a severity; no row where there is none';

REVOKE ALL ON dbmaint_alert_rules, dbmaint_dropped_rules FROM PUBLIC;
GRANT SELECT ON dbmaint_alert_rules, dbmaint_dropped_rules TO pg_monitor;
REVOKE ALL ON FUNCTION dbmaint_default_rules(), dbmaint_effective_rules(), dbmaint_load_rules(),
    dbmaint_rule_of(text, text, text), dbmaint_matches_pattern(text, text), dbmaint_pattern_rank(text),
    dbmaint_rules_changed(), dbmaint_enter_rule(), dbmaint_remember_dropped_rule(), dbmaint_replace_seeded_rule(), dbmaint_drop_all_rules() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_default_rules(), dbmaint_effective_rules(), dbmaint_load_rules(),
    dbmaint_rule_of(text, text, text), dbmaint_matches_pattern(text, text), dbmaint_pattern_rank(text) TO pg_monitor;
