-- src/evidence/sections_history.sql: evidence by the history: statements,
-- changes, the metric itself and the host.

CREATE FUNCTION dbmaint_ascending_median(present float8[], members int)
RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN $1 IS NOT NULL THEN
               (coalesce($1[($2 + 1) / 2 - $2 + cardinality($1)], 0)
                + coalesce($1[($2 + 2) / 2 - $2 + cardinality($1)], 0)) / 2 END
$$;
COMMENT ON FUNCTION dbmaint_ascending_median(float8[], int) IS
'The median of so many numbers, none negative, of which the array has those that are not 0, ascending; NULL for NULL';

CREATE FUNCTION dbmaint_compare_with_baseline(since_at timestamptz, at timestamptz,
    measure text, this_database boolean,
    OUT statement_id int, OUT calls_before float8, OUT calls_now float8,
    OUT each_before float8, OUT each_now float8, OUT ms_before float8, OUT ms_now float8,
    OUT baseline text, OUT now_from timestamptz, OUT now_to timestamptz)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 5000
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    here CONSTANT oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    range_from timestamptz := greatest($1, $2 - interval '1 hour');
    range_to timestamptz := $2;
    now_hours float8 := @extschema@.dbmaint_observed_hours(range_from, range_to);
    days int[];
    hours float8[];
BEGIN
    IF now_hours IS NULL THEN
        -- it may have begun after the last snapshot
        SELECT s.taken_at - interval '1 microsecond', s.taken_at,
               extract(epoch FROM s.taken_at - s.previous_at)::float8 / 3600
          INTO range_from, range_to, now_hours
          FROM @extschema@.dbmaint_statement_snapshots AS s
         WHERE s.database_oid = here AND s.taken_at > $2 - interval '15 minutes' AND s.taken_at <= $2
         ORDER BY s.taken_at DESC LIMIT 1;
    END IF;
    IF now_hours IS NULL OR now_hours <= 0 THEN
        RETURN;
    END IF;
    -- a day of which less than a quarter of the hour is known says little
    SELECT array_agg(b.day ORDER BY b.day), array_agg(b.hours ORDER BY b.day) INTO days, hours
      FROM (SELECT r.day, @extschema@.dbmaint_observed_hours(r.from_at::timestamptz, r.to_at::timestamptz) AS hours
              FROM @extschema@.dbmaint_baseline_ranges($1, $2) AS r) AS b
     WHERE b.hours >= CASE WHEN b.day > 0 THEN 0.25 ELSE 0 END AND b.hours > 0;
    IF days[1] = 0 AND days[2] IS NOT NULL THEN
        days := days[2:];
        hours := hours[2:];
    END IF;

    RETURN QUERY
    WITH before AS (
        SELECT t.statement_id, array_agg(t.calls / h.hours ORDER BY t.calls / h.hours) AS calls,
               array_agg(m.each ORDER BY m.each) AS each,
               array_agg(m.each * t.calls / h.hours ORDER BY m.each * t.calls / h.hours) AS all_of_it,
               array_agg(t.total_exec_time_ms / t.calls ORDER BY t.total_exec_time_ms / t.calls) AS ms
          FROM unnest(days, hours) AS h(day, hours)
          JOIN @extschema@.dbmaint_baseline_ranges($1, $2) AS r ON r.day = h.day
         CROSS JOIN LATERAL @extschema@.dbmaint_total_statements(r.from_at::timestamptz, r.to_at::timestamptz) AS t
         CROSS JOIN LATERAL (SELECT CASE measure WHEN 'wal' THEN t.wal_bytes WHEN 'temp' THEN t.temp_blks_read + t.temp_blks_written
                                                 WHEN 'io' THEN t.shared_blks_read ELSE t.total_exec_time_ms END / t.calls) AS m(each)
         WHERE t.calls > 0
         GROUP BY t.statement_id
    ), present AS (
        SELECT t.statement_id, t.calls / now_hours AS calls, t.total_exec_time_ms / t.calls AS ms,
               CASE measure WHEN 'wal' THEN t.wal_bytes WHEN 'temp' THEN t.temp_blks_read + t.temp_blks_written
                            WHEN 'io' THEN t.shared_blks_read ELSE t.total_exec_time_ms END / t.calls AS each
          FROM @extschema@.dbmaint_total_statements(range_from, range_to) AS t
         WHERE t.calls > 0
    )
    SELECT coalesce(p.statement_id, b.statement_id),
           CASE WHEN days IS NOT NULL THEN @extschema@.dbmaint_ascending_median(coalesce(b.calls, '{}')::float8[], cardinality(days)) END,
           coalesce(p.calls, 0),
           @extschema@.dbmaint_ascending_median(b.each::float8[], cardinality(b.each)), p.each,
           @extschema@.dbmaint_ascending_median(b.ms::float8[], cardinality(b.ms)), p.ms,
           CASE WHEN days IS NULL THEN NULL WHEN days[1] = 0 THEN 'hour before'
                ELSE format('same hour of %s earlier days', cardinality(days)) END,
           range_from, range_to
      FROM present AS p FULL JOIN before AS b ON b.statement_id = p.statement_id
      LEFT JOIN @extschema@.dbmaint_statements AS k ON k.statement_id = coalesce(p.statement_id, b.statement_id)
     WHERE coalesce(k.toplevel, true) AND (NOT this_database OR coalesce(k.database_oid, here) = here)
       -- who looks is not what is looked for
       AND k.query NOT LIKE '%dbmaint\_collect\_evidence(%' IS NOT FALSE;
END
$$;
COMMENT ON FUNCTION dbmaint_compare_with_baseline(timestamptz, timestamptz, text, boolean) IS
'What each statement that clients run did since it was bad (an hour at most; the last snapshot, where there is none since), and before: on the median of the same hour of the seven days before, as far as there are snapshots of a quarter of it, else in the hour before. calls are per hour; each is what a call took of the measure: time (ms), wal (bytes), temp or io (blocks); ms its time. calls_before is NULL where nothing is known of before, each_before where it did not run then.';

CREATE FUNCTION dbmaint_evidence_statements(metric text, instance text, since_at timestamptz, at timestamptz)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    family CONSTANT text := @extschema@.dbmaint_metric_family($1);
    measure CONSTANT text := CASE WHEN family IN ('wal', 'temp', 'io') THEN family ELSE 'time' END;
BEGIN
    RETURN (
        WITH compared AS MATERIALIZED (
            SELECT c.*, coalesce(c.calls_before, 0) * coalesce(c.each_before, 0) AS before,
                   c.calls_now * coalesce(c.each_now, 0) AS now
              FROM @extschema@.dbmaint_compare_with_baseline($3, $4, measure, family = 'response') AS c
        ), weighed AS (
            -- of a mean, what each statement has in it: more calls of all of
            -- them do not make it longer
            SELECT c.*, CASE WHEN family = 'response' THEN c.before / nullif(sum(c.calls_before) OVER (), 0) ELSE c.before END AS weight_before,
                   CASE WHEN family = 'response' THEN c.now / nullif(sum(c.calls_now) OVER (), 0) ELSE c.now END AS weight_now
              FROM compared AS c
        ), changed AS (
            SELECT w.*, coalesce(w.weight_now, 0) - coalesce(w.weight_before, 0) AS change FROM weighed AS w
        ), shared AS (
            SELECT c.*, greatest(c.change, 0) / nullif(sum(greatest(c.change, 0)) OVER (), 0) AS share,
                   greatest(c.change, 0) / nullif(sum(c.weight_now) OVER (), 0) AS load,
                   sum(c.weight_before) OVER () AS all_before, sum(c.weight_now) OVER () AS all_now,
                   row_number() OVER (ORDER BY c.change DESC, c.statement_id) AS place,
                   -- both orders of changing one factor first, averaged
                   CASE WHEN c.each_before IS NULL OR c.calls_before = 0 THEN 'new'
                        WHEN (c.calls_now - c.calls_before) * (c.each_before + c.each_now) >= (c.each_now - c.each_before) * (c.calls_before + c.calls_now)
                        THEN 'more frequent' ELSE 'slower' END AS became
              FROM changed AS c
        ), top AS (
            SELECT s.*, k.query_id, d.datname, u.rolname, k.first_seen_at,
                   CASE WHEN k.database_oid = (SELECT b.oid FROM pg_database AS b WHERE b.datname = current_database())
                        THEN k.query_id END AS here_id
              FROM shared AS s
              LEFT JOIN @extschema@.dbmaint_statements AS k ON k.statement_id = s.statement_id
              LEFT JOIN pg_database AS d ON d.oid = k.database_oid
              LEFT JOIN pg_roles AS u ON u.oid = k.user_oid
             WHERE s.place <= 10 AND s.calls_now > 0
        )
        SELECT jsonb_strip_nulls(jsonb_build_object(
                   'measure', CASE measure WHEN 'wal' THEN 'bytes of WAL' WHEN 'temp' THEN 'blocks of temporary files'
                                           WHEN 'io' THEN 'blocks read' ELSE 'ms' END
                              || CASE WHEN family = 'response' THEN ' a call' ELSE ' an hour' END,
                   'baseline', coalesce(max(t.baseline), 'none'),
                   'from_at', max(t.now_from), 'to_at', max(t.now_to),
                   'before', @extschema@.dbmaint_brief(CASE WHEN max(t.baseline) IS NOT NULL THEN coalesce(max(t.all_before), 0) END::float8),
                   'now', @extschema@.dbmaint_brief(max(t.all_now)::float8),
                   -- of those that got slower, all together
                   'slower_load_ratio', (SELECT @extschema@.dbmaint_brief(sum(s.load)::float8) FROM shared AS s
                                          WHERE s.became = 'slower' AND s.change > 0 AND s.baseline IS NOT NULL),
                   'slower', (SELECT count(*) FROM shared AS s
                               WHERE s.became = 'slower' AND s.change > 0 AND s.baseline IS NOT NULL)))
               || jsonb_build_object('top', coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                   'query_id', t.query_id::text, 'statement_id', t.statement_id, 'database', t.datname, 'username', t.rolname,
                   'relation', m.relation, 'change', CASE WHEN t.baseline IS NOT NULL AND t.change > 0 THEN t.became END,
                   'calls_per_hour_before', @extschema@.dbmaint_brief(t.calls_before),
                   'calls_per_hour_now', @extschema@.dbmaint_brief(t.calls_now),
                   'mean_ms_before', @extschema@.dbmaint_brief(t.ms_before), 'mean_ms_now', @extschema@.dbmaint_brief(t.ms_now),
                   'each_before', CASE WHEN measure <> 'time' THEN @extschema@.dbmaint_brief(t.each_before) END,
                   'each_now', CASE WHEN measure <> 'time' THEN @extschema@.dbmaint_brief(t.each_now) END,
                   'share_ratio', CASE WHEN t.baseline IS NOT NULL THEN @extschema@.dbmaint_brief(t.share::float8) END,
                   'load_ratio', CASE WHEN t.baseline IS NOT NULL THEN @extschema@.dbmaint_brief(t.load::float8) END))
                   ORDER BY t.place), '[]'))
          FROM top AS t
          LEFT JOIN LATERAL @extschema@.dbmaint_query_relation(t.here_id::bigint) AS m ON t.place <= 5);
END
$$;
COMMENT ON FUNCTION dbmaint_evidence_statements(text, text, timestamptz, timestamptz) IS
'Evidence: the statements that contributed most to the increase, with their numbers before and now. share_ratio is the share of the increase of all that increased, load_ratio what part of all there is now it is. Of response times, what counts is the statement''s part of the mean, so only this database''s statements; else the total of time, WAL, temporary or read blocks. Known where snapshots are kept: in the home database.';

CREATE FUNCTION dbmaint_evidence_changes(metric text, instance text, since_at timestamptz, at timestamptz)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- what was changed an hour before may have worked only when it was used
    well_at CONSTANT timestamptz := $3 - interval '1 hour';
BEGIN
    RETURN (
        WITH change AS (
            SELECT c.changed_at, lower(c.seen_between) AS not_before, c.kind, c.attribute,
                   @extschema@.dbmaint_plain_name(regexp_replace(c.object, '^public\.', '')) AS object,
                   CASE WHEN c.kind = 'index' THEN @extschema@.dbmaint_plain_name(regexp_replace(
                       coalesce(substring(c.old_value FROM '(?n)^table: (.*)$'), substring(c.new_value FROM '(?n)^table: (.*)$'),
                                (SELECT format('%I.%I', n.nspname, t.relname)
                                   FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid
                                   JOIN pg_namespace AS o ON o.oid = x.relnamespace
                                   JOIN pg_class AS t ON t.oid = i.indrelid
                                   JOIN pg_namespace AS n ON n.oid = t.relnamespace
                                  WHERE format('%I.%I', o.nspname, x.relname) = c.object LIMIT 1)), '^public\.', ''))
                        WHEN c.kind NOT IN ('setting', 'session_setting', 'hba_rule', 'extension') THEN
                            @extschema@.dbmaint_plain_name(regexp_replace(c.object, '^public\.', '')) END AS relation,
                   -- definitions hold the text of queries
                   CASE WHEN c.kind IN ('setting', 'session_setting', 'extension')
                          OR c.attribute IN ('name', 'owner', 'valid', 'unique', 'options', 'tablespace', 'persistence') THEN left(c.old_value, 100) END AS old_value,
                   CASE WHEN c.kind IN ('setting', 'session_setting', 'extension')
                          OR c.attribute IN ('name', 'owner', 'valid', 'unique', 'options', 'tablespace', 'persistence') THEN left(c.new_value, 100) END AS new_value
              FROM @extschema@.dbmaint_changes AS c
             WHERE c.changed_at > well_at AND c.changed_at <= $4
             ORDER BY c.changed_at DESC LIMIT 20
        )
        SELECT jsonb_strip_nulls(jsonb_build_object('since_at', well_at,
                   'server_started_at', CASE WHEN @extschema@.dbmaint_is_live($4) AND pg_postmaster_start_time() > well_at THEN pg_postmaster_start_time() END,
                   'settings_loaded_at', CASE WHEN @extschema@.dbmaint_is_live($4) AND pg_conf_load_time() > well_at THEN pg_conf_load_time() END))
               || jsonb_build_object('list', coalesce(jsonb_agg(jsonb_strip_nulls(to_jsonb(c)) ORDER BY c.changed_at DESC, c.kind, c.object, c.attribute), '[]'))
          FROM change AS c);
END
$$;
COMMENT ON FUNCTION dbmaint_evidence_changes(text, text, timestamptz, timestamptz) IS
'Evidence: changes of settings, extensions and definitions from an hour before it was bad, newest first (20 at most), with values where those are not definitions; whether the server was started or its settings loaded since';

CREATE FUNCTION dbmaint_evidence_metric(metric text, instance text, since_at timestamptz, at timestamptz)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    here CONSTANT oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    result jsonb;
BEGIN
    -- one of the metric table's, so its name is a column's
    IF NOT EXISTS (SELECT FROM @extschema@.dbmaint_metrics() AS m WHERE m.metric = $1 AND m.metric <> 'latency_histogram') THEN
        RETURN NULL;
    END IF;
    EXECUTE format($query$
        WITH days AS (
            SELECT b.day, (SELECT avg(m.%1$I)::float8 FROM %2$I.performance_metrics AS m
                            WHERE m.database_oid = $1 AND m."timestamp" > b.from_at AND m."timestamp" <= b.to_at) AS value
              FROM %2$I.dbmaint_baseline_ranges($2, $3) AS b
        ), before AS (
            SELECT count(*) FILTER (WHERE d.day > 0) AS days,
                   coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY d.value) FILTER (WHERE d.day > 0),
                            max(d.value) FILTER (WHERE d.day = 0)) AS value
              FROM days AS d WHERE d.value IS NOT NULL
        ), present AS (
            SELECT avg(m.%1$I)::float8 AS mean, max(m.%1$I)::float8 AS highest,
                   (array_agg(m.%1$I::float8 ORDER BY m."timestamp" DESC))[1] AS last
              FROM %2$I.performance_metrics AS m
             WHERE m.database_oid = $1 AND m."timestamp" >= $2 AND m."timestamp" <= $3 AND m."timestamp" > $3 - interval '1 hour'
               AND m.%1$I IS NOT NULL
        )
        SELECT jsonb_strip_nulls(jsonb_build_object(
            'unit', (SELECT i.unit FROM %2$I.dbmaint_metrics() AS i WHERE i.metric = %1$L),
            'before', %2$I.dbmaint_brief(b.value::float8),
            'now', %2$I.dbmaint_brief(p.mean::float8), 'highest', %2$I.dbmaint_brief(p.highest::float8),
            'last', %2$I.dbmaint_brief(p.last::float8),
            'baseline', CASE WHEN b.days > 0 THEN format('same hour of %%s earlier days', b.days)
                             WHEN b.value IS NOT NULL THEN 'hour before' ELSE 'none' END))
          FROM before AS b, present AS p$query$, $1, (SELECT n.nspname FROM pg_namespace AS n JOIN pg_class AS c ON c.relnamespace = n.oid
                                                    WHERE c.oid = '@extschema@.performance_metrics'::regclass))
       INTO result USING here, $3, $4;
    RETURN result;
END
$$;
COMMENT ON FUNCTION dbmaint_evidence_metric(text, text, timestamptz, timestamptz) IS
'Evidence: the metric itself, where it is a column of performance_metrics: its mean since it was bad (an hour at most), and before';

CREATE FUNCTION dbmaint_mean_metrics(from_at timestamptz, to_at timestamptz,
    OUT load_1m float8, OUT cpu_busy_ratio float8, OUT memory_available_bytes float8,
    OUT disk_free_bytes float8, OUT disk_free_ratio float8, OUT io_waits float8, OUT lwlock_waits float8,
    OUT active_connections float8, OUT total_connections float8, OUT cache_hit_ratio float8,
    OUT queries_per_s float8, OUT commits_per_s float8, OUT blocks_read_per_s float8,
    OUT temp_bytes_per_s float8, OUT wal_bytes_per_s float8, OUT checkpoints_requested float8)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT avg(m.load_1m), avg(m.cpu_busy_ratio), avg(m.memory_available_bytes)::float8, avg(m.disk_free_bytes)::float8,
           avg(m.disk_free_ratio), avg(m.io_waits)::float8, avg(m.lwlock_waits)::float8,
           avg(m.active_connections)::float8, avg(m.total_connections)::float8,
           sum(m.blocks_hit)::float8 / nullif(sum(m.blocks_hit) + sum(m.blocks_read), 0)::float8,
           sum(m.query_count)::float8 * 1000 / nullif(sum(m.sample_interval_ms), 0),
           sum(m.commits)::float8 * 1000 / nullif(sum(m.sample_interval_ms), 0),
           sum(m.blocks_read)::float8 * 1000 / nullif(sum(m.sample_interval_ms), 0),
           sum(m.temp_bytes)::float8 * 1000 / nullif(sum(m.sample_interval_ms), 0),
           sum(m.wal_bytes)::float8 * 1000 / nullif(sum(m.sample_interval_ms), 0),
           sum(m.checkpoints_requested)::float8
      FROM @extschema@.performance_metrics AS m
     WHERE m.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
       AND m."timestamp" > $1 AND m."timestamp" <= $2
$$;
COMMENT ON FUNCTION dbmaint_mean_metrics(timestamptz, timestamptz) IS
'What the host and the server did in a range, on average of performance_metrics; NULL where that is not known. The host''s and the server''s numbers are the home database''s.';

CREATE FUNCTION dbmaint_evidence_host(metric text, instance text, since_at timestamptz, at timestamptz)
RETURNS jsonb
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH days AS MATERIALIZED (
        SELECT b.day, e.key, e.value::float8 AS value
          FROM @extschema@.dbmaint_baseline_ranges($3, $4) AS b,
               LATERAL @extschema@.dbmaint_mean_metrics(b.from_at::timestamptz, b.to_at::timestamptz) AS m,
               jsonb_each_text(to_jsonb(m)) AS e
         WHERE e.value IS NOT NULL
    ), before AS (
        SELECT d.key, coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY d.value) FILTER (WHERE d.day > 0),
                               max(d.value) FILTER (WHERE d.day = 0)) AS value
          FROM days AS d GROUP BY d.key
    ), present AS (
        SELECT e.key, e.value::float8 AS value
          FROM (SELECT greatest($3, $4 - interval '1 hour') AS from_at) AS s,
               LATERAL @extschema@.dbmaint_mean_metrics(
                   -- one sample at least
                   least(s.from_at, (SELECT max(m."timestamp") - interval '1 microsecond' FROM @extschema@.performance_metrics AS m
                                      WHERE m.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                                        AND m."timestamp" <= $4 AND m."timestamp" > $4 - interval '15 minutes'))::timestamptz, $4) AS m,
               jsonb_each_text(to_jsonb(m)) AS e
         WHERE e.value IS NOT NULL
    )
    SELECT jsonb_build_object(
        'baseline', (SELECT CASE WHEN count(DISTINCT d.day) FILTER (WHERE d.day > 0) > 0
                                 THEN format('same hour of %s earlier days', count(DISTINCT d.day) FILTER (WHERE d.day > 0))
                                 WHEN count(*) > 0 THEN 'hour before' ELSE 'none' END FROM days AS d),
        'before', coalesce((SELECT jsonb_object_agg(b.key, @extschema@.dbmaint_brief(b.value::float8)) FROM before AS b), '{}'),
        'now', coalesce((SELECT jsonb_object_agg(p.key, @extschema@.dbmaint_brief(p.value::float8)) FROM present AS p), '{}'))
$$;
COMMENT ON FUNCTION dbmaint_evidence_host(text, text, timestamptz, timestamptz) IS
'Evidence: the host''s load, memory and disk and what the server did, since it was bad (an hour at most) and before';

REVOKE ALL ON FUNCTION
    dbmaint_compare_with_baseline(timestamptz, timestamptz, text, boolean),
    dbmaint_evidence_statements(text, text, timestamptz, timestamptz),
    dbmaint_evidence_changes(text, text, timestamptz, timestamptz),
    dbmaint_evidence_metric(text, text, timestamptz, timestamptz),
    dbmaint_mean_metrics(timestamptz, timestamptz),
    dbmaint_evidence_host(text, text, timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    dbmaint_compare_with_baseline(timestamptz, timestamptz, text, boolean),
    dbmaint_evidence_statements(text, text, timestamptz, timestamptz),
    dbmaint_evidence_changes(text, text, timestamptz, timestamptz),
    dbmaint_evidence_metric(text, text, timestamptz, timestamptz),
    dbmaint_mean_metrics(timestamptz, timestamptz),
    dbmaint_evidence_host(text, text, timestamptz, timestamptz) TO pg_monitor;
