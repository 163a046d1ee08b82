-- src/history/history.sql: performance_metrics, its views, and its retention.

CREATE TABLE performance_metrics (
    "timestamp" timestamptz NOT NULL,
    database_oid oid NOT NULL,
    sample_interval_ms float8,
    response_time_ms float8,
    p50_ms float8,
    p95_ms float8,
    p99_ms float8,
    max_ms float8,
    query_count bigint,
    slow_query_count bigint,
    failed_query_count bigint,
    latency_histogram dbmaint_histogram,
    total_connections int,
    active_connections int,
    idle_connections int,
    idle_in_transaction_connections int,
    max_connections int,
    blocked_sessions int,
    oldest_transaction_ms float8,
    longest_query_ms float8,
    lwlock_waits int,
    io_waits int,
    client_waits int,
    other_waits int,
    database_connections int,
    commits bigint,
    rollbacks bigint,
    blocks_read bigint,
    blocks_hit bigint,
    cache_hit_ratio float8,
    deadlocks bigint,
    temp_files bigint,
    temp_bytes bigint,
    checksum_failures bigint,
    database_size_bytes bigint,
    wal_bytes bigint,
    checkpoints_timed bigint,
    checkpoints_requested bigint,
    load_1m float8,
    cpu_busy_ratio float8,
    memory_total_bytes bigint,
    memory_available_bytes bigint,
    disk_free_bytes bigint,
    disk_free_ratio float8,
    PRIMARY KEY (database_oid, "timestamp")
);
-- the runbooks' queries look for a range of time alone
CREATE INDEX performance_metrics_timestamp_idx ON performance_metrics ("timestamp");

COMMENT ON TABLE performance_metrics IS
'One row a sample: what this database and, in the home database, the server did since the previous sample. NULL means not known, or not read in this round.';
COMMENT ON COLUMN performance_metrics."timestamp" IS
'When the sample was taken.';
COMMENT ON COLUMN performance_metrics.database_oid IS
'The database that was measured; rows that a copy of a database brought along have another one''s.';
COMMENT ON COLUMN performance_metrics.sample_interval_ms IS
'Time since the previous sample, in milliseconds; NULL for the first one.';
COMMENT ON COLUMN performance_metrics.response_time_ms IS
'Mean response time of the interval''s statements, in milliseconds; NULL where none ended.';
COMMENT ON COLUMN performance_metrics.p50_ms IS
'Median response time of the interval, in milliseconds.';
COMMENT ON COLUMN performance_metrics.p95_ms IS
'95th percentile of the interval''s response times, in milliseconds.';
COMMENT ON COLUMN performance_metrics.p99_ms IS
'99th percentile of the interval''s response times, in milliseconds.';
COMMENT ON COLUMN performance_metrics.max_ms IS
'Longest response time of the interval, in milliseconds.';
COMMENT ON COLUMN performance_metrics.query_count IS
'Statements that clients finished in the interval.';
COMMENT ON COLUMN performance_metrics.slow_query_count IS
'Statements of the interval that took dbmaint.slow_query_threshold or longer.';
COMMENT ON COLUMN performance_metrics.failed_query_count IS
'Statements of the interval that failed or were cancelled; their time is in no other column.';
COMMENT ON COLUMN performance_metrics.latency_histogram IS
'The response times of the interval, for percentiles over any range: dbmaint_percentile(dbmaint_histogram_merge(latency_histogram), 0.95).';
COMMENT ON COLUMN performance_metrics.total_connections IS
'Client connections of the server.';
COMMENT ON COLUMN performance_metrics.active_connections IS
'Client connections that are running a statement.';
COMMENT ON COLUMN performance_metrics.idle_connections IS
'Client connections that wait for their client outside a transaction.';
COMMENT ON COLUMN performance_metrics.idle_in_transaction_connections IS
'Client connections that wait for their client inside a transaction.';
COMMENT ON COLUMN performance_metrics.max_connections IS
'The setting max_connections.';
COMMENT ON COLUMN performance_metrics.blocked_sessions IS
'Sessions that wait for a heavyweight lock.';
COMMENT ON COLUMN performance_metrics.oldest_transaction_ms IS
'Age of the oldest open transaction of a client, in milliseconds; 0 where none is open, NULL where only sessions with track_activities off have one.';
COMMENT ON COLUMN performance_metrics.longest_query_ms IS
'Age of the statement that has been running longest, in milliseconds; 0 where none is running, NULL where only sessions with track_activities off run one.';
COMMENT ON COLUMN performance_metrics.lwlock_waits IS
'Active sessions that wait for a lightweight lock.';
COMMENT ON COLUMN performance_metrics.io_waits IS
'Active sessions that wait for I/O.';
COMMENT ON COLUMN performance_metrics.client_waits IS
'Active sessions that wait for their client.';
COMMENT ON COLUMN performance_metrics.other_waits IS
'Active sessions that wait for anything else than a lock, a lightweight lock, I/O or their client.';
COMMENT ON COLUMN performance_metrics.database_connections IS
'Sessions connected to this database.';
COMMENT ON COLUMN performance_metrics.commits IS
'Transactions committed in this database in the interval.';
COMMENT ON COLUMN performance_metrics.rollbacks IS
'Transactions rolled back in this database in the interval.';
COMMENT ON COLUMN performance_metrics.blocks_read IS
'Blocks of this database read from outside the buffer cache in the interval.';
COMMENT ON COLUMN performance_metrics.blocks_hit IS
'Blocks of this database found in the buffer cache in the interval.';
COMMENT ON COLUMN performance_metrics.cache_hit_ratio IS
'blocks_hit / (blocks_hit + blocks_read), from 0 to 1; NULL where no block was touched.';
COMMENT ON COLUMN performance_metrics.deadlocks IS
'Deadlocks detected in this database in the interval.';
COMMENT ON COLUMN performance_metrics.temp_files IS
'Temporary files that statements of this database made in the interval.';
COMMENT ON COLUMN performance_metrics.temp_bytes IS
'Bytes written to temporary files in the interval.';
COMMENT ON COLUMN performance_metrics.checksum_failures IS
'Pages of this database whose checksum failed in the interval; NULL where data checksums are off.';
COMMENT ON COLUMN performance_metrics.database_size_bytes IS
'Size of this database on disk, in bytes.';
COMMENT ON COLUMN performance_metrics.wal_bytes IS
'WAL written in the interval, in bytes.';
COMMENT ON COLUMN performance_metrics.checkpoints_timed IS
'Checkpoints that began on schedule in the interval.';
COMMENT ON COLUMN performance_metrics.checkpoints_requested IS
'Checkpoints that were requested in the interval.';
COMMENT ON COLUMN performance_metrics.load_1m IS
'The host''s load average over one minute.';
COMMENT ON COLUMN performance_metrics.cpu_busy_ratio IS
'Share of the host''s CPU time that was not idle in the interval, from 0 to 1.';
COMMENT ON COLUMN performance_metrics.memory_total_bytes IS
'The host''s memory, in bytes.';
COMMENT ON COLUMN performance_metrics.memory_available_bytes IS
'Memory that the host can give to programs without swapping, in bytes.';
COMMENT ON COLUMN performance_metrics.disk_free_bytes IS
'Free space on the fullest file system that holds a tablespace or the WAL, in bytes.';
COMMENT ON COLUMN performance_metrics.disk_free_ratio IS
'disk_free_bytes as a share of that file system''s size, from 0 to 1.';

-- History is not dumped: no pg_extension_config_dump here.

CREATE VIEW dbmaint_samples AS
SELECT m.*
  FROM performance_metrics AS m
 WHERE m.database_oid OPERATOR(pg_catalog.=)
       (SELECT d.oid FROM pg_catalog.pg_database AS d
         WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database());
COMMENT ON VIEW dbmaint_samples IS
'The rows of performance_metrics that measured this database; leaves out what a copied database inherited from its original';

CREATE FUNCTION dbmaint_time_before(at timestamptz, lookback interval)
RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN lookback >= interval '1000 years' THEN '-infinity' ELSE at - lookback END
$$;
COMMENT ON FUNCTION dbmaint_time_before(timestamptz, interval) IS
'The time a lookback before another one; -infinity from a thousand years on, which is more than any history and soon more than a timestamptz can say';

CREATE FUNCTION dbmaint_response_time(
    lookback interval DEFAULT '15 minutes',
    OUT avg_response_time float8, OUT min_response_time float8,
    OUT max_response_time float8, OUT response_variance float8,
    OUT query_count bigint, OUT p50_ms float8, OUT p95_ms float8,
    OUT p99_ms float8, OUT max_ms float8, OUT slow_query_count bigint,
    OUT failed_query_count bigint)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF lookback IS NULL OR lookback <= interval '0' THEN
        RAISE EXCEPTION 'lookback must be a positive interval'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'For example: dbmaint_response_time(''15 minutes'').';
    END IF;

    SELECT r.* INTO avg_response_time, min_response_time, max_response_time,
           response_variance, query_count, p50_ms, p95_ms, p99_ms, max_ms,
           slow_query_count, failed_query_count
      FROM @extschema@.dbmaint_response_time(@extschema@.dbmaint_time_before(now(), lookback), 'infinity'::timestamptz) AS r;
END
$$;
COMMENT ON FUNCTION dbmaint_response_time(interval) IS
'Response time over the last lookback, in milliseconds: the mean over all statements; the least, greatest and standard deviation of the samples'' means, as in the runbooks; statements counted; percentiles of all statements, from the merged histograms. NULL times where nothing ran.';

CREATE FUNCTION dbmaint_response_time(
    from_at timestamptz, to_at timestamptz,
    OUT avg_response_time float8, OUT min_response_time float8,
    OUT max_response_time float8, OUT response_variance float8,
    OUT query_count bigint, OUT p50_ms float8, OUT p95_ms float8,
    OUT p99_ms float8, OUT max_ms float8, OUT slow_query_count bigint,
    OUT failed_query_count bigint)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT m.response_time_sum_ms / nullif(m.query_count, 0),
           m.min_response_time_ms, m.max_response_time_ms,
           m.stddev_response_time_ms, coalesce(m.query_count, 0),
           @extschema@.dbmaint_percentile(m.latency_histogram, 0.50::float8),
           @extschema@.dbmaint_percentile(m.latency_histogram, 0.95::float8),
           @extschema@.dbmaint_percentile(m.latency_histogram, 0.99::float8),
           m.max_ms, coalesce(m.slow_query_count, 0), coalesce(m.failed_query_count, 0)
      FROM (SELECT) AS always
      LEFT JOIN @extschema@.dbmaint_metrics_by(NULL::text, from_at, to_at) AS m ON true
$$;
COMMENT ON FUNCTION dbmaint_response_time(timestamptz, timestamptz) IS
'Response time from one time until before another, as dbmaint_response_time(interval) gives it; whole hours and days of it come from the roll-ups, so that a quarter takes no longer than a day.';

CREATE VIEW dbmaint_weekly_trend AS
SELECT pg_catalog.date_trunc('day', m.hour) AS day,
       pg_catalog.sum(m.response_time_sum_ms)
           OPERATOR(pg_catalog./) nullif(pg_catalog.sum(m.query_count), 0::pg_catalog.numeric)::pg_catalog.float8 AS avg_response_time,
       pg_catalog.min(m.min_response_time_ms) AS min_response_time,
       pg_catalog.max(m.max_response_time_ms) AS max_response_time,
       coalesce(pg_catalog.sum(m.query_count), 0)::bigint AS total_queries,
       dbmaint_percentile(dbmaint_histogram_merge(m.latency_histogram), 0.50::pg_catalog.float8) AS p50_ms,
       dbmaint_percentile(dbmaint_histogram_merge(m.latency_histogram), 0.95::pg_catalog.float8) AS p95_ms,
       dbmaint_percentile(dbmaint_histogram_merge(m.latency_histogram), 0.99::pg_catalog.float8) AS p99_ms,
       coalesce(pg_catalog.sum(m.slow_query_count), 0)::bigint AS slow_query_count
  FROM dbmaint_metrics_by('hour'::pg_catalog.text,
           pg_catalog.now() OPERATOR(pg_catalog.-) interval '7 days',
           'infinity'::pg_catalog.timestamptz) AS m
 GROUP BY 1
 ORDER BY 1;
COMMENT ON VIEW dbmaint_weekly_trend IS
'The runbooks'' weekly trend: response time of each of the last 7 days, in milliseconds, its mean and percentiles over all statements of the day; min and max are of the samples'' means. A day is the session''s, made of whole hours of UTC';

CREATE VIEW dbmaint_monthly_summary AS
SELECT w.week, w.avg_response_time, w.min_response_time, w.max_response_time,
       w.query_count, w.prev_week_avg,
       (w.avg_response_time OPERATOR(pg_catalog.-) w.prev_week_avg)
           OPERATOR(pg_catalog./) nullif(w.prev_week_avg, 0::pg_catalog.float8)
           OPERATOR(pg_catalog.*) 100::pg_catalog.float8 AS performance_change_pct,
       w.p50_ms, w.p95_ms, w.p99_ms
  FROM (SELECT g.*, pg_catalog.lag(g.avg_response_time) OVER (ORDER BY g.week) AS prev_week_avg
          FROM (SELECT pg_catalog.date_trunc('week', m.hour) AS week,
                       pg_catalog.sum(m.response_time_sum_ms)
                           OPERATOR(pg_catalog./) nullif(pg_catalog.sum(m.query_count), 0::pg_catalog.numeric)::pg_catalog.float8 AS avg_response_time,
                       pg_catalog.min(m.min_response_time_ms) AS min_response_time,
                       pg_catalog.max(m.max_response_time_ms) AS max_response_time,
                       coalesce(pg_catalog.sum(m.query_count), 0)::bigint AS query_count,
                       dbmaint_percentile(dbmaint_histogram_merge(m.latency_histogram), 0.50::pg_catalog.float8) AS p50_ms,
                       dbmaint_percentile(dbmaint_histogram_merge(m.latency_histogram), 0.95::pg_catalog.float8) AS p95_ms,
                       dbmaint_percentile(dbmaint_histogram_merge(m.latency_histogram), 0.99::pg_catalog.float8) AS p99_ms
                  FROM dbmaint_metrics_by('hour'::pg_catalog.text,
                           pg_catalog.now() OPERATOR(pg_catalog.-) interval '30 days',
                           'infinity'::pg_catalog.timestamptz) AS m
                 GROUP BY 1) AS g) AS w
 ORDER BY w.week;
COMMENT ON VIEW dbmaint_monthly_summary IS
'The runbooks'' monthly summary: response time of each week of the last 30 days, in milliseconds, over all statements of the week, and its change against the week before in per cent. A week is the session''s, made of whole hours of UTC';

CREATE FUNCTION dbmaint_history_tables(
    OUT history regclass, OUT time_column text, OUT kept interval,
    OUT capped bool)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.oid::regclass, t.time_column,
           greatest(coalesce(current_setting(t.setting, true), t.otherwise)::interval, n.kept),
           t.capped
      FROM (VALUES
            ('performance_metrics'::name, 'timestamp', 'dbmaint.retention', '35d', true),
            ('dbmaint_index_snapshots'::name, 'taken_at', 'dbmaint.retention', '35d', true),
            ('dbmaint_table_snapshots'::name, 'taken_at', 'dbmaint.retention', '35d', true),
            ('dbmaint_statement_snapshots', 'taken_at', 'dbmaint.retention', '35d', true),
            ('dbmaint_activity_history', 'from_at', 'dbmaint.retention', '35d', true),
            ('dbmaint_log_history', 'at', 'dbmaint.retention', '35d', true),
            ('dbmaint_connection_history', 'at', 'dbmaint.retention', '35d', true),
            ('dbmaint_pool_snapshots', 'taken_at', 'dbmaint.retention', '35d', true),
            ('dbmaint_recordings', 'recorded_at', 'dbmaint.retention', '35d', true),
            ('dbmaint_recorded_activity', 'at', 'dbmaint.retention', '35d', true),
            ('dbmaint_job_attempts', 'ended_at', 'dbmaint.retention', '35d', true),
            ('dbmaint_series_samples', 'taken_at', 'dbmaint.retention', '35d', true),
            ('dbmaint_incidents', 'updated_at', 'dbmaint.rollup_retention', '730d', false),
            ('dbmaint_incident_events', 'at', 'dbmaint.rollup_retention', '730d', false),
            ('dbmaint_backups', 'ended_at', 'dbmaint.rollup_retention', '730d', false),
            ('dbmaint_change_history', 'changed_at', 'dbmaint.rollup_retention', '730d', false),
            ('dbmaint_capacity_samples', 'at', 'dbmaint.rollup_retention', '730d', false),
            ('dbmaint_hourly_metrics', 'hour', 'dbmaint.rollup_retention', '730d', false),
            ('dbmaint_packed_hours', 'day', 'dbmaint.rollup_retention', '730d', false),
            ('dbmaint_daily_metrics', 'day', 'dbmaint.rollup_retention', '730d', false),
            ('dbmaint_daily_statements', 'day', 'dbmaint.rollup_retention', '730d', false),
            ('dbmaint_daily_indexes', 'day', 'dbmaint.rollup_retention', '730d', false),
            ('dbmaint_daily_tables', 'day', 'dbmaint.rollup_retention', '730d', false),
            ('dbmaint_outbox', 'queued_at', 'dbmaint.retention', '35d', false),
            ('dbmaint_notification_attempts', 'at', 'dbmaint.retention', '35d', false),
            ('dbmaint_monthly_indexes', 'month', 'dbmaint.rollup_retention', '730d', false),
            ('dbmaint_monthly_tables', 'month', 'dbmaint.rollup_retention', '730d', false),
            ('dbmaint_daily_pools', 'day', 'dbmaint.rollup_retention', '730d', false),
            ('dbmaint_pool_setting_history', 'changed_at', 'dbmaint.rollup_retention', '730d', false),
            ('dbmaint_pool_commands', 'sent_at', 'dbmaint.rollup_retention', '730d', false),
            -- names go after the last snapshot or daily total that has them
            ('dbmaint_objects', 'last_seen_at', 'dbmaint.rollup_retention', '730d', false),
            ('dbmaint_statements', 'last_used_at', 'dbmaint.rollup_retention', '730d', false),
            ('dbmaint_pool_names', 'last_seen_at', 'dbmaint.rollup_retention', '730d', false),
            ('dbmaint_series', 'last_seen_at', 'dbmaint.rollup_retention', '730d', false)
           ) AS t(history, time_column, setting, otherwise, capped)
      LEFT JOIN (SELECT v.history, coalesce(current_setting('dbmaint.retention', true), '35d')::interval AS snapshots,
                        coalesce(current_setting('dbmaint.rollup_retention', true), '730d')::interval AS totals, v.late
                   FROM (VALUES ('dbmaint_objects'::name, interval '31 days'),
                                -- for their last days, which are kept as long
                                ('dbmaint_monthly_indexes', interval '31 days'),
                                ('dbmaint_monthly_tables', interval '31 days'),
                                -- last_seen_at is up to a day before the last reading
                                ('dbmaint_series', interval '2 days'),
                                -- last_used_at is up to a week before the last use;
                                -- baselines know statements, too
                                ('dbmaint_statements', interval '70 days'),
                                -- last_seen_at is up to a day early
                                ('dbmaint_pool_names', interval '2 days')) AS v(history, late)) AS named
        ON named.history = t.history
     CROSS JOIN LATERAL (SELECT greatest(named.snapshots, named.totals) + named.late) AS n(kept)
      JOIN pg_extension AS e ON e.extname = 'dbmaint'
      JOIN pg_class AS c ON c.relname = t.history AND c.relnamespace = e.extnamespace
$$;
COMMENT ON FUNCTION dbmaint_history_tables() IS
'The tables of history that expire: the column that holds a row''s time, how long rows are kept, and whether the table shares dbmaint.max_history_size';

CREATE FUNCTION dbmaint_has_foreign_code(relation regclass)
RETURNS bool
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = relation)
        OR EXISTS (SELECT FROM pg_rewrite AS r WHERE r.ev_class = relation)
$$;
COMMENT ON FUNCTION dbmaint_has_foreign_code(regclass) IS
'Does a table of history have triggers or rules? They would run as the superuser that writes and expires history, which therefore leaves it alone.';

CREATE FUNCTION dbmaint_require_untriggered(table_name name)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    history regclass := (SELECT c.oid FROM pg_class AS c, pg_extension AS e
                          WHERE e.extname = 'dbmaint' AND c.relnamespace = e.extnamespace
                            AND c.relname = table_name);
BEGIN
    IF history IS NULL THEN
        RAISE EXCEPTION 'dbmaint has no table %', coalesce(quote_ident(table_name), 'NULL')
            USING ERRCODE = 'undefined_table',
                  HINT = 'Give the name of a table of the extension, without its schema.';
    END IF;
    -- whoever would add some has to wait for us from here on
    EXECUTE format('LOCK TABLE %s IN ROW EXCLUSIVE MODE', history);
    IF @extschema@.dbmaint_has_foreign_code(history) THEN
        RAISE EXCEPTION 'table % has triggers or rules', history
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'They would run with the rights of a superuser.',
                  HINT = 'Drop them.';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_require_untriggered(name) IS
'Raises an error if the extension''s table of that name has triggers or rules, which would run as the superuser that writes history; locks it against getting some until the transaction ends';

CREATE FUNCTION dbmaint_require_column(history regclass, time_column text)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute AS a
                     JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                    WHERE a.attrelid = history AND a.attname = time_column
                      AND a.attnum > 0 AND NOT a.attisdropped) THEN
        RAISE EXCEPTION 'there is no table % with a column %',
            coalesce(history::text, 'NULL'), coalesce(quote_ident(time_column), 'NULL')
            USING ERRCODE = 'undefined_column',
                  HINT = 'dbmaint_history_tables() lists the tables of history and their time columns.';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_require_column(regclass, text) IS
'Raises an error unless there is a table with that column.';

CREATE FUNCTION dbmaint_row_bytes(history regclass, time_column text)
RETURNS float8
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    columns text;
    bytes float8;
BEGIN
    PERFORM @extschema@.dbmaint_require_column(history, time_column);
    -- Each column by itself: what lies in the TOAST table counts, too.
    SELECT string_agg(format('coalesce(pg_column_size(r.%I), 0)', a.attname), ' + ')
      INTO columns
      FROM pg_attribute AS a
     WHERE a.attrelid = history AND a.attnum > 0 AND NOT a.attisdropped;
    EXECUTE format('SELECT avg(%s) + 100 FROM (SELECT * FROM %s ORDER BY %I DESC LIMIT 1000) AS r',
                   columns, history, time_column)
       INTO bytes;
    RETURN bytes;
END
$$;
COMMENT ON FUNCTION dbmaint_row_bytes(regclass, text) IS
'What a row of a table of history takes, in bytes: the mean of the newest thousand, with 100 bytes for tuple header, item pointer and index entries; NULL where there is none. Files do not shrink when rows go, so their size does not tell.';

CREATE FUNCTION dbmaint_expire_table(
    history regclass, time_column text, keep_from timestamptz,
    cap_bytes float8, batch_rows int)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    capped_from timestamptz;
    expired bigint;
BEGIN
    PERFORM @extschema@.dbmaint_require_column(history, time_column);
    IF cap_bytes IS NOT NULL THEN
        EXECUTE format('SELECT %2$I FROM %1$s ORDER BY %2$I DESC OFFSET $1 LIMIT 1',
                       history, time_column)
           INTO capped_from
          USING greatest((cap_bytes / @extschema@.dbmaint_row_bytes(history, time_column))::bigint - 1, 0);
        keep_from := greatest(keep_from, capped_from);
    END IF;

    EXECUTE format('DELETE FROM %1$s AS m WHERE m.ctid = ANY (ARRAY('
                   '    SELECT o.ctid FROM %1$s AS o WHERE o.%2$I < $1'
                   '     ORDER BY o.%2$I LIMIT $2 FOR UPDATE SKIP LOCKED))',
                   history, time_column)
     USING keep_from, batch_rows;
    GET DIAGNOSTICS expired = ROW_COUNT;
    RETURN expired;
END
$$;
COMMENT ON FUNCTION dbmaint_expire_table(regclass, text, timestamptz, float8, int) IS
'Deletes at most batch_rows rows of a table of history, the oldest, that are older than keep_from or too many for cap_bytes (NULL: no cap); returns how many. Part of dbmaint_expire_history().';

CREATE FUNCTION dbmaint_expire_history(
    at timestamptz DEFAULT now(), batch_rows int DEFAULT 10000)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    cap_bytes float8 := pg_size_bytes(coalesce(current_setting('dbmaint.max_history_size', true), '1GB'));
    total_bytes float8;
    t record;
    left_alone regclass;
    expired bigint := 0;
BEGIN
    IF at IS NULL OR batch_rows IS NULL OR batch_rows < 1 THEN
        RAISE EXCEPTION 'at must be a time, and batch_rows a positive number'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'For example: dbmaint_expire_history(now(), 10000).';
    END IF;

    SELECT sum(pg_total_relation_size(h.history))
      INTO total_bytes
      FROM @extschema@.dbmaint_history_tables() AS h
     WHERE h.capped;

    FOR t IN
        SELECT h.history, h.time_column, h.kept,
               -- each table may keep what is its share of the files' size
               CASE WHEN h.capped AND cap_bytes > 0 AND total_bytes > cap_bytes
                    THEN cap_bytes * pg_total_relation_size(h.history) / total_bytes END AS share
          FROM @extschema@.dbmaint_history_tables() AS h
    LOOP
        IF @extschema@.dbmaint_has_foreign_code(t.history) THEN
            left_alone := t.history;
            CONTINUE;
        END IF;
        expired := @extschema@.dbmaint_expire_table(
            t.history, t.time_column, at - t.kept, t.share, batch_rows);
        EXIT WHEN expired > 0;
    END LOOP;
    IF expired = 0 THEN
        -- not by age alone
        IF @extschema@.dbmaint_has_foreign_code('@extschema@.dbmaint_statement_plans'::regclass) THEN
            left_alone := '@extschema@.dbmaint_statement_plans'::regclass;
        ELSE
            expired := @extschema@.dbmaint_expire_plans(at, batch_rows);
        END IF;
    END IF;

    -- not before the others are done
    IF expired = 0 AND left_alone IS NOT NULL THEN
        RAISE EXCEPTION 'table % has triggers or rules', left_alone
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'They would run with the rights of a superuser.',
                  HINT = 'Drop them.';
    END IF;
    RETURN expired;
END
$$;
COMMENT ON FUNCTION dbmaint_expire_history(timestamptz, int) IS
'Deletes at most batch_rows rows of history, of one table of dbmaint_history_tables() or of the plans, that are older than it is kept at the given time, or do not fit into dbmaint.max_history_size, oldest first; returns how many. The sampler calls it until nothing is left, each time in a transaction of its own.';

REVOKE ALL ON performance_metrics, dbmaint_samples, dbmaint_weekly_trend, dbmaint_monthly_summary FROM PUBLIC;
GRANT SELECT ON performance_metrics, dbmaint_samples, dbmaint_weekly_trend, dbmaint_monthly_summary TO pg_monitor;
REVOKE ALL ON FUNCTION dbmaint_response_time(interval),
    dbmaint_time_before(timestamptz, interval),
    dbmaint_response_time(timestamptz, timestamptz), dbmaint_history_tables(),
    dbmaint_require_column(regclass, text), dbmaint_row_bytes(regclass, text),
    dbmaint_expire_history(timestamptz, int), dbmaint_expire_table(regclass, text, timestamptz, float8, int),
    dbmaint_has_foreign_code(regclass), dbmaint_require_untriggered(name) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_response_time(interval),
    dbmaint_time_before(timestamptz, interval),
    dbmaint_response_time(timestamptz, timestamptz), dbmaint_history_tables(),
    dbmaint_require_column(regclass, text), dbmaint_row_bytes(regclass, text),
    dbmaint_has_foreign_code(regclass) TO pg_monitor;
