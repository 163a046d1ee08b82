/*
 * src/history/rollup.sql: hours and days of performance_metrics, kept long.
 *
 * A roll-up row holds what the samples of an hour or a day held, so that any
 * range can be answered from it as from them: counts are added up, histograms
 * merged, of gauges the mean and the extremes are kept.  Hours and days are
 * those of UTC: a row is made once and read in sessions of every time zone.
 *
 * The columns are written down once, in dbmaint_hourly_metrics.  What each
 * is made of follows from its name: avg_, max_, min_ or last_ and a metric's
 * name, or a metric's name alone for its sum; the few that are made otherwise
 * stand in dbmaint_roll_up_list().  A metric is rolled up when such columns
 * are added; sql/history_rollup.sql fails when one is forgotten.
 *
 * A roll-up of other history is a function of its own, called by
 * dbmaint_roll_up(); see rollup_totals.sql.
 *
 * Hours whose samples have expired are packed, see
 * rollup_hours.sql.
 *
 * This piece comes before history.sql, whose views read it.  Its functions
 * name performance_metrics in their bodies only.
 */

CREATE TABLE dbmaint_hourly_metrics (
    hour timestamptz NOT NULL,
    database_oid oid NOT NULL,
    sample_count bigint NOT NULL,
    sample_interval_ms float8,
    query_count bigint,
    slow_query_count bigint,
    failed_query_count bigint,
    response_time_sum_ms float8,
    avg_response_time_ms float8,
    min_response_time_ms float8,
    max_response_time_ms float8,
    stddev_response_time_ms float8,
    max_ms float8,
    commits bigint,
    rollbacks bigint,
    blocks_read bigint,
    blocks_hit bigint,
    deadlocks bigint,
    temp_files bigint,
    temp_bytes bigint,
    checksum_failures bigint,
    avg_database_connections float8,
    max_database_connections int,
    last_database_size_bytes bigint,
    avg_total_connections float8,
    max_total_connections int,
    avg_active_connections float8,
    max_active_connections int,
    avg_idle_connections float8,
    max_idle_connections int,
    avg_idle_in_transaction_connections float8,
    max_idle_in_transaction_connections int,
    max_connections int,
    avg_blocked_sessions float8,
    max_blocked_sessions int,
    max_oldest_transaction_ms float8,
    max_longest_query_ms float8,
    avg_lwlock_waits float8,
    max_lwlock_waits int,
    avg_io_waits float8,
    max_io_waits int,
    avg_client_waits float8,
    max_client_waits int,
    avg_other_waits float8,
    max_other_waits int,
    wal_bytes bigint,
    checkpoints_timed bigint,
    checkpoints_requested bigint,
    avg_load_1m float8,
    max_load_1m float8,
    avg_cpu_busy_ratio float8,
    max_cpu_busy_ratio float8,
    max_memory_total_bytes bigint,
    avg_memory_available_bytes float8,
    min_memory_available_bytes bigint,
    min_disk_free_bytes bigint,
    min_disk_free_ratio float8,
    response_time_histogram dbmaint_histogram,
    latency_histogram dbmaint_histogram
);

COMMENT ON TABLE dbmaint_hourly_metrics IS
'One row an hour of performance_metrics, until dbmaint_packed_hours has it. A column named as a metric is its sum over the hour; avg_, min_, max_ and last_ are of the hour''s samples. NULL means not known.';
COMMENT ON COLUMN dbmaint_hourly_metrics.hour IS
'When the hour (in dbmaint_daily_metrics the day) began, in UTC; it holds the samples from then on and before the next one.';
COMMENT ON COLUMN dbmaint_hourly_metrics.database_oid IS
'The database that was measured; rows that a copy of a database brought along have another one''s.';
COMMENT ON COLUMN dbmaint_hourly_metrics.sample_count IS
'How many samples were rolled up.';
COMMENT ON COLUMN dbmaint_hourly_metrics.sample_interval_ms IS
'Time that the samples measured, in milliseconds: less than the hour has where sampling paused.';
COMMENT ON COLUMN dbmaint_hourly_metrics.response_time_sum_ms IS
'Response times of all statements added up, in milliseconds; by query_count it is their mean.';
COMMENT ON COLUMN dbmaint_hourly_metrics.avg_response_time_ms IS
'Mean of the samples'' mean response times, in milliseconds, however many statements each had.';
COMMENT ON COLUMN dbmaint_hourly_metrics.stddev_response_time_ms IS
'Standard deviation of the samples'' mean response times, in milliseconds; NULL for fewer than two.';
COMMENT ON COLUMN dbmaint_hourly_metrics.max_ms IS
'Longest response time of a statement, in milliseconds.';
COMMENT ON COLUMN dbmaint_hourly_metrics.max_connections IS
'The setting max_connections, its greatest value.';
COMMENT ON COLUMN dbmaint_hourly_metrics.last_database_size_bytes IS
'Size of this database on disk when it was last read, in bytes.';
COMMENT ON COLUMN dbmaint_hourly_metrics.response_time_histogram IS
'The samples'' mean response times: how many samples were within any target.';
COMMENT ON COLUMN dbmaint_hourly_metrics.latency_histogram IS
'The response times of all statements, for percentiles over any range: dbmaint_percentile(dbmaint_histogram_merge(latency_histogram), 0.95).';
COMMENT ON COLUMN dbmaint_hourly_metrics.query_count IS 'Sum of the samples: statements that clients finished in the interval.';
COMMENT ON COLUMN dbmaint_hourly_metrics.slow_query_count IS 'Sum of the samples: statements of the interval that took dbmaint.slow_query_threshold or longer.';
COMMENT ON COLUMN dbmaint_hourly_metrics.failed_query_count IS 'Sum of the samples: statements of the interval that failed or were cancelled.';
COMMENT ON COLUMN dbmaint_hourly_metrics.min_response_time_ms IS 'Least of the samples: mean response time of the interval''s statements, in milliseconds.';
COMMENT ON COLUMN dbmaint_hourly_metrics.max_response_time_ms IS 'Greatest of the samples: mean response time of the interval''s statements, in milliseconds.';
COMMENT ON COLUMN dbmaint_hourly_metrics.commits IS 'Sum of the samples: transactions committed in this database in the interval.';
COMMENT ON COLUMN dbmaint_hourly_metrics.rollbacks IS 'Sum of the samples: transactions rolled back in this database in the interval.';
COMMENT ON COLUMN dbmaint_hourly_metrics.blocks_read IS 'Sum of the samples: blocks of this database read from outside the buffer cache in the interval.';
COMMENT ON COLUMN dbmaint_hourly_metrics.blocks_hit IS 'Sum of the samples: blocks of this database found in the buffer cache in the interval.';
COMMENT ON COLUMN dbmaint_hourly_metrics.deadlocks IS 'Sum of the samples: deadlocks detected in this database in the interval.';
COMMENT ON COLUMN dbmaint_hourly_metrics.temp_files IS 'Sum of the samples: temporary files that statements of this database made in the interval.';
COMMENT ON COLUMN dbmaint_hourly_metrics.temp_bytes IS 'Sum of the samples: bytes written to temporary files in the interval.';
COMMENT ON COLUMN dbmaint_hourly_metrics.checksum_failures IS 'Sum of the samples: pages of this database whose checksum failed in the interval.';
COMMENT ON COLUMN dbmaint_hourly_metrics.avg_database_connections IS 'Mean of the samples: sessions connected to this database.';
COMMENT ON COLUMN dbmaint_hourly_metrics.max_database_connections IS 'Greatest of the samples: sessions connected to this database.';
COMMENT ON COLUMN dbmaint_hourly_metrics.avg_total_connections IS 'Mean of the samples: client connections of the server.';
COMMENT ON COLUMN dbmaint_hourly_metrics.max_total_connections IS 'Greatest of the samples: client connections of the server.';
COMMENT ON COLUMN dbmaint_hourly_metrics.avg_active_connections IS 'Mean of the samples: client connections that are running a statement.';
COMMENT ON COLUMN dbmaint_hourly_metrics.max_active_connections IS 'Greatest of the samples: client connections that are running a statement.';
COMMENT ON COLUMN dbmaint_hourly_metrics.avg_idle_connections IS 'Mean of the samples: client connections that wait for their client outside a transaction.';
COMMENT ON COLUMN dbmaint_hourly_metrics.max_idle_connections IS 'Greatest of the samples: client connections that wait for their client outside a transaction.';
COMMENT ON COLUMN dbmaint_hourly_metrics.avg_idle_in_transaction_connections IS 'Mean of the samples: client connections that wait for their client inside a transaction.';
COMMENT ON COLUMN dbmaint_hourly_metrics.max_idle_in_transaction_connections IS 'Greatest of the samples: client connections that wait for their client inside a transaction.';
COMMENT ON COLUMN dbmaint_hourly_metrics.avg_blocked_sessions IS 'Mean of the samples: sessions that wait for a heavyweight lock.';
COMMENT ON COLUMN dbmaint_hourly_metrics.max_blocked_sessions IS 'Greatest of the samples: sessions that wait for a heavyweight lock.';
COMMENT ON COLUMN dbmaint_hourly_metrics.max_oldest_transaction_ms IS 'Greatest of the samples: age of the oldest open transaction of a client, in milliseconds.';
COMMENT ON COLUMN dbmaint_hourly_metrics.max_longest_query_ms IS 'Greatest of the samples: age of the statement that has been running longest, in milliseconds.';
COMMENT ON COLUMN dbmaint_hourly_metrics.avg_lwlock_waits IS 'Mean of the samples: active sessions that wait for a lightweight lock.';
COMMENT ON COLUMN dbmaint_hourly_metrics.max_lwlock_waits IS 'Greatest of the samples: active sessions that wait for a lightweight lock.';
COMMENT ON COLUMN dbmaint_hourly_metrics.avg_io_waits IS 'Mean of the samples: active sessions that wait for I/O.';
COMMENT ON COLUMN dbmaint_hourly_metrics.max_io_waits IS 'Greatest of the samples: active sessions that wait for I/O.';
COMMENT ON COLUMN dbmaint_hourly_metrics.avg_client_waits IS 'Mean of the samples: active sessions that wait for their client.';
COMMENT ON COLUMN dbmaint_hourly_metrics.max_client_waits IS 'Greatest of the samples: active sessions that wait for their client.';
COMMENT ON COLUMN dbmaint_hourly_metrics.avg_other_waits IS 'Mean of the samples: active sessions that wait for anything else than a lock, a lightweight lock, I/O or their client.';
COMMENT ON COLUMN dbmaint_hourly_metrics.max_other_waits IS 'Greatest of the samples: active sessions that wait for anything else than a lock, a lightweight lock, I/O or their client.';
COMMENT ON COLUMN dbmaint_hourly_metrics.wal_bytes IS 'Sum of the samples: WAL written in the interval, in bytes.';
COMMENT ON COLUMN dbmaint_hourly_metrics.checkpoints_timed IS 'Sum of the samples: checkpoints that began on schedule in the interval.';
COMMENT ON COLUMN dbmaint_hourly_metrics.checkpoints_requested IS 'Sum of the samples: checkpoints that were requested in the interval.';
COMMENT ON COLUMN dbmaint_hourly_metrics.avg_load_1m IS 'Mean of the samples: the host''s load average over one minute.';
COMMENT ON COLUMN dbmaint_hourly_metrics.max_load_1m IS 'Greatest of the samples: the host''s load average over one minute.';
COMMENT ON COLUMN dbmaint_hourly_metrics.avg_cpu_busy_ratio IS 'Mean of the samples: share of the host''s CPU time that was not idle in the interval, from 0 to 1.';
COMMENT ON COLUMN dbmaint_hourly_metrics.max_cpu_busy_ratio IS 'Greatest of the samples: share of the host''s CPU time that was not idle in the interval, from 0 to 1.';
COMMENT ON COLUMN dbmaint_hourly_metrics.max_memory_total_bytes IS 'Greatest of the samples: the host''s memory, in bytes.';
COMMENT ON COLUMN dbmaint_hourly_metrics.avg_memory_available_bytes IS 'Mean of the samples: memory that the host can give to programs without swapping, in bytes.';
COMMENT ON COLUMN dbmaint_hourly_metrics.min_memory_available_bytes IS 'Least of the samples: memory that the host can give to programs without swapping, in bytes.';
COMMENT ON COLUMN dbmaint_hourly_metrics.min_disk_free_bytes IS 'Least of the samples: free space on the fullest file system that holds a tablespace or the WAL, in bytes.';
COMMENT ON COLUMN dbmaint_hourly_metrics.min_disk_free_ratio IS 'Least of the samples: disk_free_bytes as a share of that file system''s size, from 0 to 1.';

CREATE TABLE dbmaint_daily_metrics (LIKE dbmaint_hourly_metrics INCLUDING COMMENTS);
ALTER TABLE dbmaint_daily_metrics RENAME COLUMN hour TO day;
COMMENT ON TABLE dbmaint_daily_metrics IS
'One row a day (in UTC) of performance_metrics, kept for dbmaint.rollup_retention. A column named as a metric is its sum over the day; avg_, min_, max_ and last_ are of the day''s samples. NULL means not known.';

ALTER TABLE dbmaint_hourly_metrics ADD PRIMARY KEY (database_oid, hour);
ALTER TABLE dbmaint_daily_metrics ADD PRIMARY KEY (database_oid, day);

-- History is not dumped: no pg_extension_config_dump here.

CREATE FUNCTION dbmaint_roll_up_list(of_samples boolean)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT string_agg(
        CASE
            WHEN s.name IS NOT NULL
                THEN format(CASE WHEN of_samples THEN s.from_samples ELSE s.from_roll_ups END, n.nspname)
            WHEN m.metric IS NOT NULL AND a.atttypid = 'bigint'::regtype
                THEN format('CASE WHEN sum(r.%1$I) > 9223372036854775807 THEN 9223372036854775807 ELSE sum(r.%1$I) END::bigint', a.attname)
            WHEN m.metric IS NOT NULL
                THEN format('sum(r.%I)', a.attname)
            WHEN p.prefix = 'last'
                THEN format('(array_agg(r.%1$I ORDER BY r.%2$I DESC) FILTER (WHERE r.%1$I IS NOT NULL))[1]',
                            p.source, CASE WHEN of_samples THEN 'timestamp' ELSE 'hour' END)
            WHEN p.prefix = 'avg' AND NOT of_samples
                THEN format('sum(r.%1$I * r.sample_count) / nullif(sum(r.sample_count) FILTER (WHERE r.%1$I IS NOT NULL), 0)::float8',
                            a.attname)
            ELSE format('%s(r.%I)', p.prefix, p.source)
        END, ', ' ORDER BY a.attnum)
      FROM pg_type AS t
      JOIN pg_namespace AS n ON n.oid = t.typnamespace
      JOIN pg_attribute AS a ON a.attrelid = t.typrelid AND a.attnum > 2 AND NOT a.attisdropped
      LEFT JOIN (VALUES
            ('sample_count'::name, 'count(*)', 'sum(r.sample_count)::bigint'),
            ('response_time_sum_ms', 'sum(r.response_time_ms * r.query_count)', 'sum(r.response_time_sum_ms)'),
            -- a sample without statements has no mean: those that have one weigh
            ('avg_response_time_ms', 'avg(r.response_time_ms)',
             'sum(r.avg_response_time_ms * %1$I.dbmaint_histogram_count(r.response_time_histogram))'
             ' / nullif(sum(%1$I.dbmaint_histogram_count(r.response_time_histogram)), 0)::float8'),
            -- the parts' squares about zero, less the whole''s
            ('stddev_response_time_ms', 'stddev(r.response_time_ms)',
             'sqrt(greatest(sum(coalesce(r.stddev_response_time_ms, 0) ^ 2 * (%1$I.dbmaint_histogram_count(r.response_time_histogram) - 1)'
             '                  + r.avg_response_time_ms ^ 2 * %1$I.dbmaint_histogram_count(r.response_time_histogram))'
             '              - sum(r.avg_response_time_ms * %1$I.dbmaint_histogram_count(r.response_time_histogram)) ^ 2'
             '                / nullif(sum(%1$I.dbmaint_histogram_count(r.response_time_histogram)), 0)::float8, 0)'
             '     / nullif(sum(%1$I.dbmaint_histogram_count(r.response_time_histogram)) - 1, 0)::float8)'),
            ('max_ms', 'max(r.max_ms)', 'max(r.max_ms)'),
            ('max_connections', 'max(r.max_connections)', 'max(r.max_connections)'),
            ('response_time_histogram',
             '%1$I.dbmaint_histogram_agg(r.response_time_ms) FILTER (WHERE r.response_time_ms >= 0 AND r.response_time_ms < ''Infinity'')',
             '%1$I.dbmaint_histogram_merge(r.response_time_histogram)'),
            ('latency_histogram', '%1$I.dbmaint_histogram_merge(r.latency_histogram)',
             '%1$I.dbmaint_histogram_merge(r.latency_histogram)')
           ) AS s(name, from_samples, from_roll_ups) ON s.name = a.attname
      LEFT JOIN @extschema@.dbmaint_metrics() AS m ON m.metric = a.attname
     CROSS JOIN LATERAL (SELECT split_part(a.attname, '_', 1),
                                CASE WHEN of_samples THEN substr(a.attname, strpos(a.attname, '_') + 1)
                                     ELSE a.attname END) AS p(prefix, source)
     WHERE t.oid = pg_typeof(NULL::@extschema@.dbmaint_hourly_metrics)
$$;
COMMENT ON FUNCTION dbmaint_roll_up_list(boolean) IS
'The expressions that make the columns of a roll-up row from the third on: of samples (rows of performance_metrics) or else of roll-up rows, both called r. Means of roll-up rows weigh by their samples.';

CREATE FUNCTION dbmaint_metrics_by(
    step text, from_at timestamptz DEFAULT '-infinity',
    to_at timestamptz DEFAULT 'infinity')
RETURNS SETOF dbmaint_hourly_metrics
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    me oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    by_hour boolean := step IS NOT DISTINCT FROM 'hour';
    begins timestamptz;
    ends timestamptz;
    open_days timestamptz[];
    open_hours timestamptz[];
    pieces text;
BEGIN
    IF step NOT IN ('hour', 'day', 'week', 'month', 'quarter', 'year') THEN
        RAISE EXCEPTION 'there are no roll-ups by "%"', step
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'A step is hour, day, week, month, quarter or year, or NULL for the range as a whole.';
    END IF;
    IF from_at IS NULL OR to_at IS NULL THEN
        RAISE EXCEPTION 'from_at and to_at must be times'
            USING ERRCODE = 'null_value_not_allowed',
                  HINT = 'Leave them out, or give -infinity and infinity, for all that there is.';
    END IF;

    -- no further than there is history
    begins := date_trunc('day', least(
        (SELECT min(m."timestamp") FROM @extschema@.performance_metrics AS m WHERE m.database_oid = me),
        (SELECT min(h.hour) FROM @extschema@.dbmaint_hourly_metrics AS h WHERE h.database_oid = me),
        (SELECT min(p.day) FROM @extschema@.dbmaint_packed_hours AS p WHERE p.database_oid = me)), 'UTC');
    ends := date_trunc('day', greatest(
        (SELECT max(m."timestamp") FROM @extschema@.performance_metrics AS m WHERE m.database_oid = me),
        (SELECT max(h.hour) FROM @extschema@.dbmaint_hourly_metrics AS h WHERE h.database_oid = me),
        (SELECT max(p.day) FROM @extschema@.dbmaint_packed_hours AS p WHERE p.database_oid = me)), 'UTC')
        + interval '24 hours';
    IF begins IS NULL THEN
        RETURN;
    END IF;
    begins := greatest(begins, from_at);
    ends := least(ends, to_at);
    IF begins >= ends THEN
        RETURN;
    END IF;

    -- Days that no daily row answers, and their hours that no hourly row does
    -- but samples can.
    open_days := ARRAY(
        SELECT g.day
          FROM generate_series(date_trunc('day', begins, 'UTC'), ends, interval '24 hours') AS g(day)
         WHERE g.day < ends
           AND (by_hour OR g.day < begins OR g.day + interval '24 hours' > ends
                OR NOT EXISTS (SELECT FROM @extschema@.dbmaint_daily_metrics AS d
                                WHERE d.database_oid = me AND d.day = g.day)));
    open_hours := ARRAY(
        SELECT g.hour
          FROM unnest(open_days) AS o(day),
               generate_series(o.day, o.day + interval '23 hours', interval '1 hour') AS g(hour)
         WHERE g.hour + interval '1 hour' > begins AND g.hour < ends
           AND (g.hour < begins OR g.hour + interval '1 hour' > ends
                OR NOT EXISTS (SELECT FROM @extschema@.dbmaint_hourly_metrics AS h
                                WHERE h.database_oid = me AND h.hour = g.hour)
                   AND NOT EXISTS (SELECT FROM @extschema@.dbmaint_packed_hours AS p
                                    WHERE p.database_oid = me AND p.day = o.day))
           -- not EXISTS, which would become a join of all hours with all samples
           AND (SELECT true FROM @extschema@.performance_metrics AS m
                 WHERE m.database_oid = me
                   AND m."timestamp" >= greatest(g.hour, begins)
                   AND m."timestamp" < least(g.hour + interval '1 hour', ends)
                 ORDER BY m."timestamp" LIMIT 1));

    pieces := format($q$
        SELECT d.* FROM %1$I.dbmaint_daily_metrics AS d
         WHERE d.database_oid = $1 AND d.day >= $2 AND d.day < $3 AND d.day <> ALL ($4)
        UNION ALL
        SELECT h.* FROM %1$I.dbmaint_rolled_up_hours($4) AS h
         WHERE h.hour >= $2 AND h.hour <= $3 - interval '1 hour'
        UNION ALL
        SELECT o.hour, $1, s.*
          FROM unnest($5) AS o(hour),
               LATERAL (SELECT %2$s FROM %1$I.performance_metrics AS r
                         WHERE r.database_oid = $1
                           AND r."timestamp" >= greatest(o.hour, $2)
                           AND r."timestamp" < least(o.hour + interval '1 hour', $3)) AS s
        $q$,
        (SELECT n.nspname FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
          WHERE t.oid = pg_typeof(NULL::@extschema@.dbmaint_hourly_metrics)),
        @extschema@.dbmaint_roll_up_list(true));

    RETURN QUERY EXECUTE CASE
        WHEN by_hour THEN pieces || ' ORDER BY 1'
        ELSE format('SELECT %s, $1, %s FROM (%s) AS r(hour) %s',
                    CASE WHEN step IS NULL THEN 'min(r.hour)'
                         ELSE format('date_trunc(%L, r.hour, ''UTC'')', step) END,
                    @extschema@.dbmaint_roll_up_list(false), pieces,
                    CASE WHEN step IS NULL THEN 'HAVING count(*) > 0'
                         ELSE 'GROUP BY 1 ORDER BY 1' END)
        END
      USING me, begins, ends, open_days, open_hours;
END
$$;
COMMENT ON FUNCTION dbmaint_metrics_by(text, timestamptz, timestamptz) IS
'What this database measured from one time until before another, one row each step (hour, day, week, month, quarter or year of UTC; NULL: one row in all), which begins at "hour". Whole days are answered from dbmaint_daily_metrics, whole hours from dbmaint_hourly_metrics (dbmaint_packed_hours, where samples have expired), and the rest from performance_metrics, with the numbers that the samples alone would give, but for histograms older than dbmaint.retention, whose percentiles are within 2 %; where the samples of a part of an hour have expired, that part is left out.';

CREATE FUNCTION dbmaint_roll_up_metrics(at timestamptz, most_hours int)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    me oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    schema name := (SELECT n.nspname FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
                     WHERE t.oid = pg_typeof(NULL::@extschema@.dbmaint_hourly_metrics));
    this_hour timestamptz := date_trunc('hour', at, 'UTC');
    today timestamptz := date_trunc('day', at, 'UTC');
    keep_from timestamptz := at - coalesce(current_setting('dbmaint.rollup_retention', true), '730d')::interval;
    look_from timestamptz := this_hour - interval '25 hours';
    hours timestamptz[];
    days timestamptz[];
BEGIN
    -- Once a day, and when there is something to catch up with, all samples
    -- are looked at; else those of a day, where late ones mostly are.
    IF coalesce((SELECT max(d.day) FROM @extschema@.dbmaint_daily_metrics AS d
                  WHERE d.database_oid = me AND d.day < today), '-infinity') < today - interval '24 hours' THEN
        look_from := '-infinity';
    END IF;

    -- More samples than were rolled up: some are new, or came late.  Fewer are
    -- what retention left.
    hours := ARRAY(
        SELECT s.hour
          FROM (SELECT date_trunc('hour', m."timestamp", 'UTC') AS hour, count(*) AS samples
                  FROM @extschema@.performance_metrics AS m
                 WHERE m.database_oid = me AND m."timestamp" >= look_from AND m."timestamp" < this_hour
                 GROUP BY 1) AS s
         WHERE s.samples > coalesce((SELECT h.sample_count FROM @extschema@.dbmaint_hourly_metrics AS h
                                      WHERE h.database_oid = me AND h.hour = s.hour), 0)
           -- what would expire at once would be made for ever
           AND s.hour >= keep_from
           -- the hours of a day are packed once
           AND NOT EXISTS (SELECT FROM @extschema@.dbmaint_packed_hours AS p
                            WHERE p.database_oid = me AND p.day = date_trunc('day', s.hour, 'UTC'))
         ORDER BY s.hour LIMIT most_hours);
    IF cardinality(hours) > 0 THEN
        DELETE FROM @extschema@.dbmaint_hourly_metrics AS h
         WHERE h.database_oid = me AND h.hour = ANY (hours);
        EXECUTE format($q$
            INSERT INTO %1$I.dbmaint_hourly_metrics
            SELECT o.hour, $1, s.*
              FROM unnest($2) AS o(hour),
                   LATERAL (SELECT %2$s FROM %1$I.performance_metrics AS r
                             WHERE r.database_oid = $1
                               AND r."timestamp" >= o.hour
                               AND r."timestamp" < o.hour + interval '1 hour') AS s
            ON CONFLICT DO NOTHING$q$, schema, @extschema@.dbmaint_roll_up_list(true))
          USING me, hours;
        IF cardinality(hours) = most_hours THEN
            RETURN most_hours;
        END IF;
    END IF;

    -- From the hours: the samples of a day's beginning may be gone at its end.
    days := ARRAY(
        SELECT s.day
          FROM (SELECT date_trunc('day', h.hour, 'UTC') AS day, sum(h.sample_count) AS samples
                  FROM @extschema@.dbmaint_hourly_metrics AS h
                 WHERE h.database_oid = me AND h.hour < today
                   AND h.hour >= date_trunc('day', least(look_from, hours[1]), 'UTC')
                 GROUP BY 1) AS s
         WHERE s.samples > coalesce((SELECT d.sample_count FROM @extschema@.dbmaint_daily_metrics AS d
                                      WHERE d.database_oid = me AND d.day = s.day), 0)
           AND s.day >= keep_from
         ORDER BY s.day);
    IF cardinality(days) > 0 THEN
        DELETE FROM @extschema@.dbmaint_daily_metrics AS d
         WHERE d.database_oid = me AND d.day = ANY (days);
        EXECUTE format($q$
            INSERT INTO %1$I.dbmaint_daily_metrics
            SELECT o.day, $1, s.*
              FROM unnest($2) AS o(day),
                   LATERAL (SELECT %2$s FROM %1$I.dbmaint_hourly_metrics AS r
                             WHERE r.database_oid = $1
                               AND r.hour >= o.day AND r.hour < o.day + interval '24 hours') AS s
            ON CONFLICT DO NOTHING$q$, schema, @extschema@.dbmaint_roll_up_list(false))
          USING me, days;
    END IF;
    RETURN cardinality(hours) + cardinality(days);
END
$$;
COMMENT ON FUNCTION dbmaint_roll_up_metrics(timestamptz, int) IS
'Rolls performance_metrics up, oldest first: at most most_hours of the hours that were over at the given time and are not rolled up with all their samples, then the days of which no hour is left; returns how many hours and days. Part of dbmaint_roll_up().';

CREATE FUNCTION dbmaint_roll_up(at timestamptz DEFAULT now())
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- at most: two days of samples are read in a part of a second
    most_hours CONSTANT int := 48;
    -- a day of many snapshots takes a second
    most_days CONSTANT int := 1;
    most_packed_days CONSTANT int := 10;
    rolled_up bigint;
BEGIN
    IF at IS NULL OR NOT isfinite(at) THEN
        RAISE EXCEPTION 'at must be a finite time'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'For example: dbmaint_roll_up(now()).';
    END IF;
    rolled_up := @extschema@.dbmaint_roll_up_metrics(at, most_hours);
    IF rolled_up = 0 THEN
        rolled_up := @extschema@.dbmaint_roll_up_totals(at, most_days);
    END IF;
    -- not before all samples and snapshots of a day are rolled up
    IF rolled_up = 0 THEN
        rolled_up := @extschema@.dbmaint_pack_hours(at, most_packed_days);
    END IF;
    IF rolled_up = 0 THEN
        rolled_up := @extschema@.dbmaint_close_days(at, most_days);
    END IF;
    RETURN rolled_up;
END
$$;
COMMENT ON FUNCTION dbmaint_roll_up(timestamptz) IS
'Rolls up the hours and days that were over at the given time and are not rolled up yet, a bounded number, oldest first, then packs the hours of days whose samples have expired, and adds days of indexes and tables to their months; returns how many. Samples that came late are taken in the next call if they are of the last day, else once a day. The sampler calls it until nothing is left, before history expires, each time in a transaction of its own.';

REVOKE ALL ON dbmaint_hourly_metrics, dbmaint_daily_metrics FROM PUBLIC;
GRANT SELECT ON dbmaint_hourly_metrics, dbmaint_daily_metrics TO pg_monitor;
REVOKE ALL ON FUNCTION dbmaint_roll_up_list(boolean),
    dbmaint_metrics_by(text, timestamptz, timestamptz),
    dbmaint_roll_up_metrics(timestamptz, int),
    dbmaint_roll_up(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_roll_up_list(boolean),
    dbmaint_metrics_by(text, timestamptz, timestamptz) TO pg_monitor;
