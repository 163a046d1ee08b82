/*
 * src/history/report_totals.sql: the reviews' sections on statements and
 * indexes, from the days of daily_totals.sql.
 */

CREATE FUNCTION dbmaint_total_statement_days(
    from_at timestamptz, to_at timestamptz,
    OUT statement_id int, OUT calls float8, OUT total_time_ms float8,
    OUT observed_hours float8, OUT complete boolean)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    WITH days AS MATERIALIZED (
        SELECT d.* FROM @extschema@.dbmaint_statement_days($1, $2) AS d
    ), sums AS (
        SELECT v.id, sum(v.calls)::float8 AS calls, sum(v.us)::float8 / 1000 AS ms
          FROM days AS d
         CROSS JOIN LATERAL ROWS FROM (
                   @extschema@.dbmaint_unpack(d.statement_ids),
                   @extschema@.dbmaint_unpack(d.calls),
                   @extschema@.dbmaint_unpack(d.total_exec_time_us)) AS v(id, calls, us)
         GROUP BY v.id
    )
    SELECT nullif(s.id, 0)::int, coalesce(s.calls, 0), coalesce(s.ms, 0), h.hours, h.complete
      FROM sums AS s, (SELECT sum(d.observed_hours) AS hours, bool_and(d.complete) AS complete FROM days AS d) AS h
$$;
COMMENT ON FUNCTION dbmaint_total_statement_days(timestamptz, timestamptz) IS
'What each statement did on the days (of UTC) that began in the range, added up, and the hours that their snapshots cover; NULL for what is not kept apart. Part of dbmaint_report_statements().';

CREATE FUNCTION dbmaint_report_statements(
    from_at timestamptz, to_at timestamptz, previous_from_at timestamptz, step text)
RETURNS SETOF dbmaint_report_figure
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    WITH this AS MATERIALIZED (
        SELECT t.* FROM @extschema@.dbmaint_total_statement_days(from_at, to_at) AS t
    ), last AS MATERIALIZED (
        SELECT t.* FROM @extschema@.dbmaint_total_statement_days(previous_from_at, from_at) AS t
    ), threshold AS (
        SELECT extract(epoch FROM current_setting('dbmaint.slow_query_threshold')::interval)::float8 * 1000 AS ms
    ), sum_this AS (
        SELECT sum(t.calls) AS calls, sum(t.total_time_ms) AS ms, max(t.observed_hours) AS hours,
               bool_and(t.complete) AS complete, count(t.statement_id) FILTER (WHERE t.slow) AS slow,
               coalesce(sum(t.total_time_ms) FILTER (WHERE t.slow), 0) AS slow_ms, count(*) AS rows
          FROM (SELECT t.*, t.statement_id IS NOT NULL AND t.total_time_ms > l.ms * t.calls AS slow
                  FROM this AS t, threshold AS l) AS t
    ), sum_last AS (
        SELECT sum(t.calls) AS calls, sum(t.total_time_ms) AS ms, max(t.observed_hours) AS hours,
               count(t.statement_id) FILTER (WHERE t.slow) AS slow,
               coalesce(sum(t.total_time_ms) FILTER (WHERE t.slow), 0) AS slow_ms, count(*) AS rows
          FROM (SELECT t.*, t.statement_id IS NOT NULL AND t.total_time_ms > l.ms * t.calls AS slow
                  FROM last AS t, threshold AS l) AS t
    ), slowest AS (
        SELECT string_agg(coalesce(left(k.query, 60), 'query id ' || k.query_id, 'statement ' || s.statement_id), '; '
                          ORDER BY s.total_time_ms DESC, s.statement_id) AS names
          FROM (SELECT t.* FROM this AS t, threshold AS l
                 WHERE t.statement_id IS NOT NULL AND t.total_time_ms > l.ms * t.calls
                 ORDER BY t.total_time_ms DESC, t.statement_id LIMIT 3) AS s
          LEFT JOIN @extschema@.dbmaint_statements AS k ON k.statement_id = s.statement_id
    ), grown AS (
        SELECT t.statement_id, t.total_time_ms / t.observed_hours AS ms, t.calls / t.observed_hours AS calls,
               l.total_time_ms / l.observed_hours AS ms_before, l.calls / l.observed_hours AS calls_before,
               t.total_time_ms / nullif(t.calls, 0) AS mean, l.total_time_ms / nullif(l.calls, 0) AS mean_before,
               row_number() OVER (ORDER BY t.total_time_ms / t.observed_hours
                                           - coalesce(l.total_time_ms / l.observed_hours, 0) DESC, t.statement_id) AS place
          FROM this AS t LEFT JOIN last AS l ON l.statement_id = t.statement_id
         WHERE t.observed_hours > 0 AND EXISTS (SELECT FROM last AS p WHERE p.observed_hours > 0)
           AND t.total_time_ms / t.observed_hours > coalesce(l.total_time_ms / l.observed_hours, 0)
         ORDER BY place LIMIT 5
    )
    SELECT v.item, v.unit, v.value::float8, v.previous::float8, NULL::text,
           CASE WHEN t.rows = 0 THEN 'No snapshot of statements in this period: they need pg_stat_statements and are taken in the home database (dbmaint.home_database).'
                ELSE v.detail END
      FROM sum_this AS t, sum_last AS l, threshold AS h, slowest AS s,
           LATERAL (VALUES
               ('executions_per_day', '1', t.calls * 24 / nullif(t.hours, 0), l.calls * 24 / nullif(l.hours, 0),
                CASE WHEN t.complete THEN 'Executions that pg_stat_statements counted, a day of observed time.'
                     ELSE 'Some are not counted: pg_stat_statements forgot statements (reset, eviction, restart) or snapshots are missing.' END),
               ('execution_time_ms_per_day', 'ms', t.ms * 24 / nullif(t.hours, 0), l.ms * 24 / nullif(l.hours, 0),
                'Time of all executions, a day of observed time.'),
               ('mean_execution_ms', 'ms', t.ms / nullif(t.calls, 0), l.ms / nullif(l.calls, 0),
                'Of all executions, those inside of functions, too, if pg_stat_statements tracks them.'),
               ('slow_statements', '1', CASE WHEN t.rows > 0 THEN t.slow END, CASE WHEN l.rows > 0 THEN l.slow END,
                format('With a mean above dbmaint.slow_query_threshold (%s ms)', h.ms) || coalesce(': ' || s.names, '') || '.'),
               ('slow_statements_time_ratio', 'ratio', t.slow_ms / nullif(t.ms, 0), l.slow_ms / nullif(l.ms, 0),
                'Their share of the time of all.')
           ) AS v(item, unit, value, previous, detail)
    UNION ALL
    (SELECT 'grown: ' || coalesce('query id ' || k.query_id, 'statement ' || g.statement_id, 'all others'),
           'ms an hour', g.ms, g.ms_before, NULL,
           format('Calls an hour: %s, before: %s; mean: %s ms, before: %s. %s',
                  round(g.calls::numeric, 1), coalesce(round(g.calls_before::numeric, 1)::text, 'none'),
                  round(g.mean::numeric, 2), coalesce(round(g.mean_before::numeric, 2)::text || ' ms', 'none'),
                  CASE WHEN g.statement_id IS NULL THEN 'All that is not among the busiest of its day.'
                       ELSE left(k.query, 200) END)
      FROM grown AS g LEFT JOIN @extschema@.dbmaint_statements AS k ON k.statement_id = g.statement_id
     ORDER BY g.place)
$$;
COMMENT ON FUNCTION dbmaint_report_statements(timestamptz, timestamptz, timestamptz, text) IS
'Section of the reviews: executions and their time by pg_stat_statements, a day of observed time; the statements with a slow mean; and the five whose time grew most against the period before, in milliseconds an hour (previous is NULL for one that did not run, or was not among the busiest of a day). From dbmaint_statement_days().';

CREATE FUNCTION dbmaint_review_indexes(
    from_at timestamptz, to_at timestamptz,
    OUT days bigint, OUT complete boolean, OUT indexes bigint,
    OUT efficiency float8, OUT hit_ratio float8, OUT critical_indexes bigint,
    OUT critical_efficiency float8, OUT critical_hit_ratio float8,
    OUT unused bigint, OUT unused_names text,
    OUT critical_unused bigint, OUT critical_unused_names text,
    OUT added bigint, OUT added_names text, OUT dropped bigint, OUT dropped_names text,
    OUT grown_bytes float8, OUT known_by_month bigint)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    WITH me AS (
        SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()
    ), days AS (
        SELECT d.* FROM @extschema@.dbmaint_index_days($1, $2) AS d
    ), done AS MATERIALIZED (
        SELECT s.* FROM @extschema@.dbmaint_index_sums($1, $2) AS s
    ), table_scans AS (
        SELECT o.relation_oid, sum(t.seq_scan + t.idx_scan::numeric) AS scans
          FROM @extschema@.dbmaint_table_sums($1, $2) AS t, me,
               @extschema@.dbmaint_objects AS o
         WHERE o.database_oid = me.oid AND o.kind = 't' AND o.object_id = t.object_id
         GROUP BY o.relation_oid
    ), known AS (
        SELECT o.*, format('%I.%I', o.schemaname, o.indexname) AS name,
               o.last_seen_at IS NULL OR o.last_seen_at > $2 AS stays,
               EXISTS (SELECT FROM @extschema@.dbmaint_critical_indexes() AS p(pattern)
                        WHERE o.indexname LIKE p.pattern OR o.schemaname || '.' || o.indexname LIKE p.pattern) AS critical
          FROM @extschema@.dbmaint_objects AS o, me
         WHERE o.database_oid = me.oid AND o.kind = 'i' AND o.first_seen_at <= $2
           AND (o.last_seen_at IS NULL OR o.last_seen_at > $1)
           -- what belongs to an extension is the extension's business
           AND NOT EXISTS (SELECT FROM pg_depend AS x
                            WHERE x.classid = 'pg_class'::regclass AND x.objid = o.table_oid
                              AND x.objsubid = 0 AND x.deptype = 'e')
    ), judged AS (
        SELECT k.*, d.idx_tup_read::numeric AS tuples, d.idx_tup_fetch::numeric AS fetched, d.idx_blks_read::numeric AS read,
               d.idx_blks_hit::numeric AS hit, d.grown_bytes::numeric AS grown, coalesce(d.exact, true) AS exact,
               -- the table may have been read before a new one was there
               k.stays AND NOT n.added AND coalesce(d.idx_scan_at_most, 0) = 0 AND t.scans >= 100 AS unused,
               u.needed_by IS NOT NULL AS needed, n.added
          FROM known AS k
          -- the first snapshot found what had been there before
         CROSS JOIN LATERAL (SELECT k.first_seen_at > $1
                                    AND k.first_seen_at > (SELECT min(f.first_seen_at) FROM @extschema@.dbmaint_objects AS f, me
                                                            WHERE f.database_oid = me.oid AND f.kind = 'i') AS added) AS n
          LEFT JOIN done AS d ON d.object_id = k.object_id
          LEFT JOIN table_scans AS t ON t.relation_oid = k.table_oid
          LEFT JOIN @extschema@.dbmaint_user_index() AS u ON u.index_oid = k.relation_oid
    ), named AS (
        SELECT j.*, row_number() OVER (PARTITION BY j.unused AND NOT j.needed ORDER BY j.name) AS unused_place,
               row_number() OVER (PARTITION BY j.added ORDER BY j.name) AS added_place,
               row_number() OVER (PARTITION BY j.stays ORDER BY j.name) AS stays_place
          FROM judged AS j
    )
    SELECT h.days, h.complete, n.*
      FROM (SELECT count(*) AS days, bool_and(d.complete) AS complete FROM days AS d) AS h,
           (SELECT count(*) FILTER (WHERE j.stays),
                   ((sum(j.fetched) + min(o.fetched)) / nullif(sum(j.tuples) + min(o.tuples), 0))::float8,
                   ((sum(j.hit) + min(o.hit)) / nullif(sum(j.hit) + sum(j.read) + min(o.hit) + min(o.read), 0))::float8,
                   count(*) FILTER (WHERE j.critical AND j.stays),
                   (sum(j.fetched) FILTER (WHERE j.critical) / nullif(sum(j.tuples) FILTER (WHERE j.critical), 0))::float8,
                   (sum(j.hit) FILTER (WHERE j.critical)
                       / nullif(sum(j.hit + j.read) FILTER (WHERE j.critical), 0))::float8,
                   count(*) FILTER (WHERE j.unused AND NOT j.needed),
                   string_agg(j.name, ', ' ORDER BY j.name) FILTER (WHERE j.unused AND NOT j.needed AND j.unused_place <= 5),
                   count(*) FILTER (WHERE j.unused AND j.critical),
                   string_agg(j.name, ', ' ORDER BY j.name) FILTER (WHERE j.unused AND j.critical),
                   count(*) FILTER (WHERE j.added),
                   string_agg(j.name, ', ' ORDER BY j.name) FILTER (WHERE j.added AND j.added_place <= 5),
                   count(*) FILTER (WHERE NOT j.stays),
                   string_agg(j.name, ', ' ORDER BY j.name) FILTER (WHERE NOT j.stays AND j.stays_place <= 5),
                   (sum(j.grown) + min(o.grown))::float8,
                   count(*) FILTER (WHERE j.stays AND NOT j.exact)
              FROM named AS j,
                   -- what the busiest of closed days leave
                   (SELECT coalesce(sum(d.idx_tup_fetch), 0) AS fetched, coalesce(sum(d.idx_tup_read), 0) AS tuples,
                           coalesce(sum(d.idx_blks_hit), 0) AS hit, coalesce(sum(d.idx_blks_read), 0) AS read,
                           coalesce(sum(d.grown_bytes), 0) AS grown
                      FROM done AS d WHERE d.object_id IS NULL) AS o) AS n
$$;
COMMENT ON FUNCTION dbmaint_review_indexes(timestamptz, timestamptz) IS
'What all indexes of user tables, and the critical ones, did on the days (of UTC) that began in the range: idx_tup_fetch / idx_tup_read and the hit ratio of their blocks (from 0 to 1, NULL where nothing was read), how many that are not new were not used while their table was scanned 100 times or more and nothing but queries needs them, how many are new and gone, with at most five names of each, by how many bytes they grew, and of how many it is only known by month what they did on some day (see dbmaint_index_sums()): these count as unused if they were not used in its month. Part of dbmaint_report_indexes().';

CREATE FUNCTION dbmaint_report_indexes(
    from_at timestamptz, to_at timestamptz, previous_from_at timestamptz, step text)
RETURNS SETOF dbmaint_report_figure
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    SELECT v.item, v.unit, v.value::float8, v.previous::float8, v.status,
           CASE WHEN t.days = 0 THEN 'No snapshot of indexes in this period.' ELSE v.detail END
      FROM @extschema@.dbmaint_review_indexes(from_at, to_at) AS t,
           @extschema@.dbmaint_review_indexes(previous_from_at, from_at) AS l,
           LATERAL (VALUES
               ('index_efficiency_ratio', 'ratio', t.efficiency, l.efficiency, NULL,
                'idx_tup_fetch / idx_tup_read of all indexes. Bitmap and index-only scans make it low.'),
               ('index_hit_ratio', 'ratio', t.hit_ratio, l.hit_ratio, NULL,
                'Share of the blocks of all indexes that were in the buffer cache.'),
               ('critical_index_efficiency_ratio', 'ratio', t.critical_efficiency, l.critical_efficiency,
                CASE WHEN t.critical_efficiency IS NOT NULL THEN
                    (@extschema@.dbmaint_index_status((t.critical_efficiency * 100)::float8, t.critical_hit_ratio::float8, true)).status END,
                CASE WHEN t.critical_indexes = 0 THEN 'No index is named by dbmaint.critical_indexes.'
                     ELSE 'Target: above 0.9. Warning below 0.85, critical below 0.8, emergency below 0.7, unless the hit ratio shows bitmap and index-only scans.' END),
               ('critical_index_hit_ratio', 'ratio', t.critical_hit_ratio, l.critical_hit_ratio,
                CASE WHEN t.critical_hit_ratio IS NOT NULL THEN
                    (@extschema@.dbmaint_index_status(NULL::float8, t.critical_hit_ratio::float8, true)).status END,
                CASE WHEN t.critical_indexes = 0 THEN 'No index is named by dbmaint.critical_indexes.'
                     ELSE 'Warning below 0.85, critical below 0.8, emergency below 0.7.' END),
               ('critical_indexes_unused', '1',
                CASE WHEN t.days > 0 THEN t.critical_unused END,
                CASE WHEN l.days > 0 THEN l.critical_unused END,
                CASE WHEN t.days = 0 THEN NULL WHEN t.critical_unused > 0 THEN 'emergency'
                     WHEN t.critical_indexes > 0 THEN 'ok' END,
                CASE WHEN t.critical_indexes = 0 THEN 'No index is named by dbmaint.critical_indexes.'
                     ELSE coalesce('Not used while their tables were: ' || t.critical_unused_names || '.', 'All were used whose tables were.') END),
               ('unused_indexes', '1', CASE WHEN t.days > 0 THEN t.unused END, CASE WHEN l.days > 0 THEN l.unused END, NULL,
                coalesce(t.unused_names || CASE WHEN t.unused > 5 THEN ' and others' ELSE '' END || ': not used in the period while their tables were. Look at dbmaint_unused_indexes() before dropping one.',
                         'None that nothing but queries needs.')
                || CASE WHEN t.known_by_month > 0 THEN format(' Of %s it is only known by month what they or their tables did: they count if they were not used in the month.', t.known_by_month) ELSE '' END),
               ('indexes', '1', CASE WHEN t.days > 0 THEN t.indexes END, CASE WHEN l.days > 0 THEN l.indexes END, NULL,
                'At the end of the period, of user tables.'),
               ('new_indexes', '1', CASE WHEN t.days > 0 THEN t.added END, CASE WHEN l.days > 0 THEN l.added END, NULL,
                coalesce(t.added_names || CASE WHEN t.added > 5 THEN ' and others' ELSE '' END || '.', 'None.')),
               ('dropped_indexes', '1', CASE WHEN t.days > 0 THEN t.dropped END, CASE WHEN l.days > 0 THEN l.dropped END, NULL,
                coalesce(t.dropped_names || CASE WHEN t.dropped > 5 THEN ' and others' ELSE '' END || '.', 'None.')),
               ('index_growth_bytes', 'bytes', t.grown_bytes, l.grown_bytes, NULL, 'New indexes included.')
           ) AS v(item, unit, value, previous, status, detail)
$$;
COMMENT ON FUNCTION dbmaint_report_indexes(timestamptz, timestamptz, timestamptz, text) IS
'Section of the reviews: efficiency and hit ratio of all indexes and of the critical ones (dbmaint.critical_indexes), with the runbook''s limits for these, the unused, new and dropped ones, and growth. From dbmaint_index_days().';

REVOKE ALL ON FUNCTION dbmaint_total_statement_days(timestamptz, timestamptz),
    dbmaint_report_statements(timestamptz, timestamptz, timestamptz, text),
    dbmaint_review_indexes(timestamptz, timestamptz),
    dbmaint_report_indexes(timestamptz, timestamptz, timestamptz, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_total_statement_days(timestamptz, timestamptz),
    dbmaint_report_statements(timestamptz, timestamptz, timestamptz, text),
    dbmaint_review_indexes(timestamptz, timestamptz),
    dbmaint_report_indexes(timestamptz, timestamptz, timestamptz, text) TO pg_monitor;
