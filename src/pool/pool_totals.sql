/*
 * src/pool/pool_totals.sql: days of PgBouncer's pools, kept long.
 *
 * The same machinery as for statements, indexes and tables: see
 * rollup_totals.sql, whose dbmaint_roll_up_totals() makes the rows.
 */

CREATE TABLE dbmaint_daily_pools (
    day timestamptz NOT NULL,
    database_oid oid NOT NULL,
    snapshots int NOT NULL,
    observed_hours float8,
    complete boolean NOT NULL,
    pool_ids dbmaint_packed NOT NULL,
    samples dbmaint_packed,
    busy_samples dbmaint_packed,
    exhausted_samples dbmaint_packed,
    avg_efficiency_pm dbmaint_packed,
    min_efficiency_pm dbmaint_packed,
    avg_utilization_pm dbmaint_packed,
    max_cl_active dbmaint_packed,
    max_cl_waiting dbmaint_packed,
    max_sv_active dbmaint_packed,
    max_maxwait_us dbmaint_packed,
    pool_size dbmaint_packed,
    queries dbmaint_packed,
    avg_query_us dbmaint_packed,
    avg_wait_us dbmaint_packed,
    PRIMARY KEY (database_oid, day)
);
COMMENT ON TABLE dbmaint_daily_pools IS
'One row a day (of UTC) of the history of PgBouncer''s pools, kept for dbmaint.rollup_retention; its columns are lists with a value for each pool, -1 where it is not known. dbmaint_pool_daily() has the rows.';
COMMENT ON COLUMN dbmaint_daily_pools.day IS
'When the day began; it holds the readings after that and not after the next day''s begin.';
COMMENT ON COLUMN dbmaint_daily_pools.database_oid IS
'The home database, which took the readings; rows that a copy of a database brought along have another one''s.';
COMMENT ON COLUMN dbmaint_daily_pools.snapshots IS
'How many readings were added up.';
COMMENT ON COLUMN dbmaint_daily_pools.observed_hours IS
'Hours between the readings and those before them, without gaps; NULL where that is not known.';
COMMENT ON COLUMN dbmaint_daily_pools.complete IS
'Whether no reading left pools out.';
COMMENT ON COLUMN dbmaint_daily_pools.pool_ids IS
'The pools, ascending; see dbmaint_pool_names. The other lists are in the same order.';
COMMENT ON COLUMN dbmaint_daily_pools.samples IS
'Readings that had the pool.';
COMMENT ON COLUMN dbmaint_daily_pools.busy_samples IS
'Of these, how many had an active server connection.';
COMMENT ON COLUMN dbmaint_daily_pools.exhausted_samples IS
'Of these, in how many clients waited and no server connection was free.';
COMMENT ON COLUMN dbmaint_daily_pools.avg_efficiency_pm IS
'Mean of 100 * cl_active / sv_active where a server connection was active, in thousandths of 1 (tenths of a per cent).';
COMMENT ON COLUMN dbmaint_daily_pools.min_efficiency_pm IS
'The lowest of these.';
COMMENT ON COLUMN dbmaint_daily_pools.avg_utilization_pm IS
'Mean share of the server connections that clients had, in thousandths.';
COMMENT ON COLUMN dbmaint_daily_pools.max_cl_active IS
'Most client connections.';
COMMENT ON COLUMN dbmaint_daily_pools.max_cl_waiting IS
'Most clients that waited.';
COMMENT ON COLUMN dbmaint_daily_pools.max_sv_active IS
'Most server connections that clients had.';
COMMENT ON COLUMN dbmaint_daily_pools.max_maxwait_us IS
'Longest wait of a client, in microseconds.';
COMMENT ON COLUMN dbmaint_daily_pools.pool_size IS
'Size of the pool at the day''s last reading.';
COMMENT ON COLUMN dbmaint_daily_pools.queries IS
'Queries of its database (all pools of a database have the same number).';
COMMENT ON COLUMN dbmaint_daily_pools.avg_query_us IS
'Mean duration of these, in microseconds.';
COMMENT ON COLUMN dbmaint_daily_pools.avg_wait_us IS
'Mean of the readings'' avg_wait_us.';

-- History is not dumped: no pg_extension_config_dump here.

CREATE FUNCTION dbmaint_total_pool_day(day timestamptz)
RETURNS SETOF dbmaint_daily_pools
LANGUAGE sql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    WITH taken AS (
        SELECT s.database_oid, count(*)::int AS snapshots, sum(s.interval_ms) / 3600000 AS observed_hours,
               bool_and(s.dropped = 0) AS complete
          FROM @extschema@.dbmaint_pool_snapshots AS s
         WHERE s.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
           AND s.taken_at > $1 AND s.taken_at <= $1 + interval '24 hours'
         GROUP BY s.database_oid
    ), sums AS (
        SELECT k.pool_id::bigint AS id,
               count(*) AS samples,
               count(h.pool_efficiency) AS busy_samples,
               count(*) FILTER (WHERE h.exhausted) AS exhausted_samples,
               avg(h.pool_efficiency) * 10 AS avg_efficiency_pm,
               min(h.pool_efficiency) * 10 AS min_efficiency_pm,
               avg(h.server_utilization) * 1000 AS avg_utilization_pm,
               max(h.cl_active) AS max_cl_active,
               max(h.cl_waiting) AS max_cl_waiting,
               max(h.sv_active) AS max_sv_active,
               max(h.maxwait_ms) * 1000 AS max_maxwait_us,
               (array_agg(h.pool_size ORDER BY h.taken_at DESC))[1] AS pool_size,
               sum(h.avg_queries_per_s * h.interval_ms / 1000) AS queries,
               sum(h.avg_query_ms * h.avg_queries_per_s * h.interval_ms) * 1000 / nullif(sum(h.avg_queries_per_s * h.interval_ms) FILTER (WHERE h.avg_query_ms IS NOT NULL), 0) AS avg_query_us,
               avg(h.avg_wait_ms) * 1000 AS avg_wait_us
          FROM taken AS t
          JOIN @extschema@.dbmaint_pool_names AS k ON k.database_oid = t.database_oid
          JOIN @extschema@.dbmaint_pool_history AS h
            ON h.database = k.pool_database AND h."user" = k.pool_user
         WHERE h.taken_at > $1 AND h.taken_at <= $1 + interval '24 hours'
         GROUP BY k.pool_id
    ), lists AS (
        SELECT coalesce(array_agg(s.id ORDER BY s.id), '{}'::bigint[])::@extschema@.dbmaint_packed AS ids,
               array_agg(least(coalesce(round(s.samples::numeric), -1), 9.2e18)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS samples,
               array_agg(least(coalesce(round(s.busy_samples::numeric), -1), 9.2e18)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS busy_samples,
               array_agg(least(coalesce(round(s.exhausted_samples::numeric), -1), 9.2e18)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS exhausted_samples,
               array_agg(least(coalesce(round(s.avg_efficiency_pm::numeric), -1), 9.2e18)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS avg_efficiency_pm,
               array_agg(least(coalesce(round(s.min_efficiency_pm::numeric), -1), 9.2e18)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS min_efficiency_pm,
               array_agg(least(coalesce(round(s.avg_utilization_pm::numeric), -1), 9.2e18)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS avg_utilization_pm,
               array_agg(least(coalesce(round(s.max_cl_active::numeric), -1), 9.2e18)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS max_cl_active,
               array_agg(least(coalesce(round(s.max_cl_waiting::numeric), -1), 9.2e18)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS max_cl_waiting,
               array_agg(least(coalesce(round(s.max_sv_active::numeric), -1), 9.2e18)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS max_sv_active,
               array_agg(least(coalesce(round(s.max_maxwait_us::numeric), -1), 9.2e18)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS max_maxwait_us,
               array_agg(least(coalesce(round(s.pool_size::numeric), -1), 9.2e18)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS pool_size,
               array_agg(least(coalesce(round(s.queries::numeric), -1), 9.2e18)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS queries,
               array_agg(least(coalesce(round(s.avg_query_us::numeric), -1), 9.2e18)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS avg_query_us,
               array_agg(least(coalesce(round(s.avg_wait_us::numeric), -1), 9.2e18)::bigint ORDER BY s.id)::@extschema@.dbmaint_packed AS avg_wait_us
          FROM sums AS s
    )
    SELECT $1, t.database_oid, t.snapshots, t.observed_hours, t.complete, l.*
      FROM taken AS t, lists AS l
$$;
COMMENT ON FUNCTION dbmaint_total_pool_day(timestamptz) IS
'The row of dbmaint_daily_pools for the day that begins at the given time, from its readings. No row where there is none.';

CREATE FUNCTION dbmaint_pool_days(from_at timestamptz, to_at timestamptz)
RETURNS SETOF dbmaint_daily_pools
LANGUAGE sql STABLE ROWS 30
SET search_path = pg_catalog, pg_temp
AS $$
    WITH me AS (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
    SELECT d.* FROM @extschema@.dbmaint_daily_pools AS d, me
     WHERE d.database_oid = me.oid AND d.day >= $1 AND d.day < $2
    UNION ALL
    SELECT t.*
      FROM (SELECT DISTINCT date_trunc('day', s.taken_at - interval '1 microsecond', 'UTC') AS day, s.database_oid
              FROM @extschema@.dbmaint_pool_snapshots AS s, me
             WHERE s.database_oid = me.oid AND s.taken_at > $1 AND s.taken_at <= least($2, '200000-01-01 00:00:00+00') + interval '24 hours') AS r,
           LATERAL @extschema@.dbmaint_total_pool_day(r.day) AS t
     WHERE r.day >= $1 AND r.day < $2
       AND NOT EXISTS (SELECT FROM @extschema@.dbmaint_daily_pools AS d
                        WHERE d.database_oid = r.database_oid AND d.day = r.day)
$$;
COMMENT ON FUNCTION dbmaint_pool_days(timestamptz, timestamptz) IS
'The rows of dbmaint_daily_pools of the days that began from one time until before another; of a day that is not rolled up yet (the present one), what its readings give so far.';

CREATE FUNCTION dbmaint_pool_daily(
    from_at timestamptz DEFAULT now() - interval '30 days', to_at timestamptz DEFAULT now(),
    OUT day timestamptz, OUT observed_hours float8, OUT pool_name text,
    OUT database text, OUT "user" text, OUT samples bigint, OUT busy_samples bigint,
    OUT exhausted_samples bigint, OUT pool_efficiency float8,
    OUT min_pool_efficiency float8, OUT server_utilization float8,
    OUT max_cl_active bigint, OUT max_cl_waiting bigint, OUT max_sv_active bigint,
    OUT max_wait_ms float8, OUT pool_size bigint, OUT queries bigint,
    OUT avg_query_ms float8, OUT avg_wait_ms float8)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 300
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    SELECT d.day, d.observed_hours,
           CASE WHEN k.pool_user = '' THEN k.pool_database ELSE k.pool_database || '.' || k.pool_user END,
           k.pool_database, k.pool_user, v.samples, v.busy_samples, v.exhausted_samples,
           nullif(v.avg_efficiency_pm, -1) / 10::float8, nullif(v.min_efficiency_pm, -1) / 10::float8,
           nullif(v.avg_utilization_pm, -1) / 1000::float8,
           nullif(v.max_cl_active, -1), nullif(v.max_cl_waiting, -1), nullif(v.max_sv_active, -1),
           nullif(v.max_maxwait_us, -1) / 1000::float8, nullif(v.pool_size, -1), nullif(v.queries, -1),
           nullif(v.avg_query_us, -1) / 1000::float8, nullif(v.avg_wait_us, -1) / 1000::float8
      FROM @extschema@.dbmaint_pool_days($1, $2) AS d
     CROSS JOIN LATERAL ROWS FROM (
               @extschema@.dbmaint_unpack(d.pool_ids),
               @extschema@.dbmaint_unpack(d.samples),
               @extschema@.dbmaint_unpack(d.busy_samples),
               @extschema@.dbmaint_unpack(d.exhausted_samples),
               @extschema@.dbmaint_unpack(d.avg_efficiency_pm),
               @extschema@.dbmaint_unpack(d.min_efficiency_pm),
               @extschema@.dbmaint_unpack(d.avg_utilization_pm),
               @extschema@.dbmaint_unpack(d.max_cl_active),
               @extschema@.dbmaint_unpack(d.max_cl_waiting),
               @extschema@.dbmaint_unpack(d.max_sv_active),
               @extschema@.dbmaint_unpack(d.max_maxwait_us),
               @extschema@.dbmaint_unpack(d.pool_size),
               @extschema@.dbmaint_unpack(d.queries),
               @extschema@.dbmaint_unpack(d.avg_query_us),
               @extschema@.dbmaint_unpack(d.avg_wait_us)
           ) AS v(pool_id, samples, busy_samples, exhausted_samples, avg_efficiency_pm, min_efficiency_pm,
                  avg_utilization_pm, max_cl_active, max_cl_waiting, max_sv_active, max_maxwait_us, pool_size, queries, avg_query_us, avg_wait_us)
      JOIN @extschema@.dbmaint_pool_names AS k
        ON k.database_oid = d.database_oid AND k.pool_id = v.pool_id::int
     ORDER BY d.day, k.pool_database, k.pool_user
$$;
COMMENT ON FUNCTION dbmaint_pool_daily(timestamptz, timestamptz) IS
'The days (of UTC) of PgBouncer''s pools that began from one time until before another, a row a pool: readings, how many had traffic or an exhausted pool; mean and lowest pool_efficiency (per cent, where a server connection was active), mean server_utilization (from 0 to 1); the most clients, waiting clients and active server connections; the longest wait; queries and their mean duration (of the whole database). NULL where not known. In the home database.';

REVOKE ALL ON dbmaint_daily_pools FROM PUBLIC;
GRANT SELECT ON dbmaint_daily_pools TO pg_monitor;
REVOKE ALL ON FUNCTION dbmaint_total_pool_day(timestamptz), dbmaint_pool_days(timestamptz, timestamptz),
    dbmaint_pool_daily(timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_total_pool_day(timestamptz), dbmaint_pool_days(timestamptz, timestamptz),
    dbmaint_pool_daily(timestamptz, timestamptz) TO pg_monitor;
