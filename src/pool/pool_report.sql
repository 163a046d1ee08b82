/*
 * src/pool/pool_report.sql: the reviews' section on PgBouncer, from the days
 * of pool_totals.sql and the settings as they were at the period's end.
 */

CREATE FUNCTION dbmaint_total_pool_days(
    from_at timestamptz, to_at timestamptz,
    OUT hours float8, OUT efficiency float8, OUT lowest_efficiency float8,
    OUT lowest_pool text, OUT lowest_day timestamptz, OUT utilization float8,
    OUT peak_clients bigint, OUT peak_clients_pool text, OUT peak_clients_day timestamptz,
    OUT peak_waiting bigint, OUT peak_waiting_pool text, OUT peak_waiting_day timestamptz,
    OUT fill_ratio float8, OUT fill_pool text, OUT fill_servers bigint, OUT fill_size bigint,
    OUT max_wait_ms float8, OUT exhausted bigint, OUT samples bigint, OUT exhausted_pools text,
    OUT query_ms float8, OUT queries float8)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    WITH days AS MATERIALIZED (
        SELECT d.* FROM @extschema@.dbmaint_pool_daily($1, $2) AS d
    ), databases AS (
        -- every pool of a database has its queries
        SELECT DISTINCT ON (d.day, d.database) d.queries, d.avg_query_ms FROM days AS d
         ORDER BY d.day, d.database, d.queries DESC NULLS LAST
    ), emptied AS (
        SELECT d.pool_name, sum(d.exhausted_samples) AS n FROM days AS d
         GROUP BY d.pool_name HAVING sum(d.exhausted_samples) > 0
    )
    SELECT (SELECT sum(h.observed_hours) FROM (SELECT DISTINCT d.day, d.observed_hours FROM days AS d) AS h),
           sum(d.pool_efficiency * d.busy_samples) / nullif(sum(d.busy_samples) FILTER (WHERE d.pool_efficiency IS NOT NULL), 0)::float8,
           min(d.min_pool_efficiency),
           (array_agg(d.pool_name ORDER BY d.min_pool_efficiency, d.day))[1],
           (array_agg(d.day ORDER BY d.min_pool_efficiency, d.day))[1],
           sum(d.server_utilization * d.samples) / nullif(sum(d.samples) FILTER (WHERE d.server_utilization IS NOT NULL), 0)::float8,
           max(d.max_cl_active),
           (array_agg(d.pool_name ORDER BY d.max_cl_active DESC NULLS LAST, d.day))[1],
           (array_agg(d.day ORDER BY d.max_cl_active DESC NULLS LAST, d.day))[1],
           max(d.max_cl_waiting),
           (array_agg(d.pool_name ORDER BY d.max_cl_waiting DESC NULLS LAST, d.day))[1],
           (array_agg(d.day ORDER BY d.max_cl_waiting DESC NULLS LAST, d.day))[1],
           max(d.max_sv_active / nullif(d.pool_size, 0)::float8),
           (array_agg(d.pool_name ORDER BY d.max_sv_active / nullif(d.pool_size, 0)::float8 DESC NULLS LAST, d.day))[1],
           (array_agg(d.max_sv_active ORDER BY d.max_sv_active / nullif(d.pool_size, 0)::float8 DESC NULLS LAST, d.day))[1],
           (array_agg(d.pool_size ORDER BY d.max_sv_active / nullif(d.pool_size, 0)::float8 DESC NULLS LAST, d.day))[1],
           max(d.max_wait_ms), sum(d.exhausted_samples)::bigint, sum(d.samples)::bigint,
           (SELECT string_agg(format('%s (%s)', e.pool_name, e.n), ', ' ORDER BY e.n DESC, e.pool_name)
              FROM (SELECT * FROM emptied AS m ORDER BY m.n DESC, m.pool_name LIMIT 3) AS e),
           (SELECT sum(b.queries * b.avg_query_ms) / nullif(sum(b.queries) FILTER (WHERE b.avg_query_ms IS NOT NULL), 0)::float8 FROM databases AS b),
           (SELECT sum(b.queries)::float8 FROM databases AS b)
      FROM days AS d
$$;
COMMENT ON FUNCTION dbmaint_total_pool_days(timestamptz, timestamptz) IS
'What PgBouncer''s pools did on the days (of UTC) that began in the range, all in all: means, peaks with their pool and day, and the pools that were exhausted most often. Part of dbmaint_report_pools().';

CREATE FUNCTION dbmaint_pool_setting_at(setting text, at timestamptz)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT h.value
      FROM @extschema@.dbmaint_pool_setting_history AS h
     WHERE h.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
       AND h.pool_database = '' AND h.setting = $1 AND h.changed_at < $2
     ORDER BY h.changed_at DESC LIMIT 1
$$;
COMMENT ON FUNCTION dbmaint_pool_setting_at(text, timestamptz) IS
'What a setting of PgBouncer itself was just before the time; NULL where no reading had told.';

CREATE FUNCTION dbmaint_report_pools(
    from_at timestamptz, to_at timestamptz, previous_from_at timestamptz, step text,
    OUT item text, OUT unit text, OUT value float8, OUT previous float8,
    OUT status text, OUT detail text)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    WITH this AS MATERIALIZED (
        SELECT t.* FROM @extschema@.dbmaint_total_pool_days(from_at, to_at) AS t
    ), last AS MATERIALIZED (
        SELECT t.* FROM @extschema@.dbmaint_total_pool_days(previous_from_at, from_at) AS t
    )
    SELECT v.item, v.unit, v.value, v.previous, v.status,
           CASE WHEN t.samples IS NULL
                THEN 'No reading of PgBouncer in this period: dbmaint.pgbouncer_conninfo tells where its console is, and the home database (dbmaint.home_database) reads it.'
                ELSE v.detail END
      FROM this AS t, last AS l,
           LATERAL (VALUES
               ('pool_efficiency', '%', t.efficiency, l.efficiency,
                @extschema@.dbmaint_grade((- t.efficiency)::float8, (-70)::float8, (-60)::float8, (-50)::float8),
                'Mean of 100 * cl_active / sv_active while a server connection was active; target above 75 %. Idle clients put it above 100 %.'),
               ('lowest_pool_efficiency', '%', t.lowest_efficiency, l.lowest_efficiency, NULL,
                format('Pool %s, on %s.', t.lowest_pool, to_char(t.lowest_day AT TIME ZONE 'UTC', 'FMDay YYYY-MM-DD'))),
               ('server_utilization', 'ratio', t.utilization, l.utilization, NULL,
                'Mean share of the server connections that clients had.'),
               ('peak_clients', '1', t.peak_clients::float8, l.peak_clients::float8, NULL,
                format('Pool %s, on %s.', t.peak_clients_pool, to_char(t.peak_clients_day AT TIME ZONE 'UTC', 'FMDay YYYY-MM-DD'))),
               ('peak_waiting_clients', '1', t.peak_waiting::float8, l.peak_waiting::float8, NULL,
                CASE WHEN t.peak_waiting > 0 THEN format('Pool %s, on %s.', t.peak_waiting_pool,
                          to_char(t.peak_waiting_day AT TIME ZONE 'UTC', 'FMDay YYYY-MM-DD'))
                     ELSE 'No reading found a client that waited.' END),
               ('longest_wait_ms', 'ms', t.max_wait_ms, l.max_wait_ms, NULL,
                'Of a client for a server connection, as far as readings saw it.'),
               ('exhausted_ratio', 'ratio', t.exhausted / nullif(t.samples, 0)::float8, l.exhausted / nullif(l.samples, 0)::float8,
                CASE WHEN t.exhausted > 0 THEN 'warning' WHEN t.exhausted = 0 THEN 'ok' END,
                CASE WHEN t.exhausted > 0
                     THEN format('Readings of pools in which clients waited and no server connection was free: %s of %s: %s.',
                                 t.exhausted, t.samples, t.exhausted_pools)
                     ELSE format('No pool was found exhausted in %s readings of one.', t.samples) END),
               ('peak_pool_fill_ratio', 'ratio', t.fill_ratio, l.fill_ratio, NULL,
                format('Pool %s: %s server connections of a pool_size of %s. %s', t.fill_pool, t.fill_servers, t.fill_size,
                       CASE WHEN t.fill_ratio >= 1 AND t.exhausted > 0
                            THEN 'It was full and clients waited: a larger pool, or shorter transactions.'
                            WHEN t.fill_ratio >= 1 THEN 'It was full, but nobody was found waiting: there is no reserve.'
                            WHEN t.fill_ratio < 0.5 THEN 'No pool was ever half full: pool_size could be smaller.'
                            ELSE 'There is room.' END)),
               ('queries_per_day', '1', t.queries * 24 / nullif(t.hours, 0), l.queries * 24 / nullif(l.hours, 0), NULL,
                'Through PgBouncer, a day of observed time.'),
               ('mean_query_ms', 'ms', t.query_ms, l.query_ms, NULL, 'Of queries through PgBouncer.')
           ) AS v(item, unit, value, previous, status, detail)
    UNION ALL
    SELECT s.item, s.unit, CASE WHEN n.value ~ '^\d+(\.\d+)?$' THEN n.value::float8 END,
           CASE WHEN n.previous ~ '^\d+(\.\d+)?$' THEN n.previous::float8 END, NULL,
           CASE WHEN n.value IS NULL THEN 'No reading of PgBouncer before the end of this period told.'
                WHEN n.previous IS NULL THEN 'At the end of the period: ' || n.value || '.'
                WHEN n.value <> n.previous THEN format('At the end of the period: %s; it was %s at its begin.', n.value, n.previous)
                ELSE format('%s all the time, or again.', n.value) END
      FROM (VALUES (1, 'default_pool_size', '1'), (2, 'max_client_conn', '1'), (3, 'query_timeout', 's'),
                   (4, 'server_idle_timeout', 's')) AS s(place, item, unit),
           LATERAL (SELECT @extschema@.dbmaint_pool_setting_at(s.item::text, to_at) AS value,
                           @extschema@.dbmaint_pool_setting_at(s.item::text, from_at) AS previous) AS n
$$;
COMMENT ON FUNCTION dbmaint_report_pools(timestamptz, timestamptz, timestamptz, text) IS
'Section of the reviews: PgBouncer''s pools, by the runbook''s limits of efficiency (warning below 70 %, critical below 60 %, emergency below 50 %); peaks with their pool and day; how often a pool was exhausted; how full the fullest was, and what that says of its size; and the settings that the runbook reviews, at the period''s end and begin. From dbmaint_pool_daily().';

REVOKE ALL ON FUNCTION dbmaint_total_pool_days(timestamptz, timestamptz),
    dbmaint_pool_setting_at(text, timestamptz),
    dbmaint_report_pools(timestamptz, timestamptz, timestamptz, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_total_pool_days(timestamptz, timestamptz),
    dbmaint_pool_setting_at(text, timestamptz),
    dbmaint_report_pools(timestamptz, timestamptz, timestamptz, text) TO pg_monitor;
