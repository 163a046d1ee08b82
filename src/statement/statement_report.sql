-- src/statement/statement_report.sql: questions about the history of
-- statements: what takes the time, what is slow, what changed, and how it is
-- planned.
--
-- A range covers the snapshots that were taken after its beginning and not
-- after its end.  Times are in milliseconds.

CREATE FUNCTION dbmaint_observed_hours(from_at timestamptz, to_at timestamptz)
RETURNS float8
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT extract(epoch FROM sum(s.taken_at - s.previous_at))::float8 / 3600
      FROM @extschema@.dbmaint_statement_snapshots AS s
     WHERE s.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
       AND s.taken_at > from_at AND s.taken_at <= to_at
$$;
COMMENT ON FUNCTION dbmaint_observed_hours(timestamptz, timestamptz) IS
'The hours that the snapshots of statements of a range cover: the sum of the times between each and the one before; NULL where there are none.';

CREATE FUNCTION dbmaint_top_statements(
    from_at timestamptz DEFAULT now() - interval '1 hour',
    to_at timestamptz DEFAULT now(), order_by text DEFAULT 'total_time',
    max_rows int DEFAULT 20,
    OUT query_id bigint, OUT query text, OUT database name, OUT username name,
    OUT toplevel boolean, OUT calls bigint, OUT total_time_ms float8,
    OUT mean_time_ms float8, OUT min_time_ms float8, OUT max_time_ms float8,
    OUT stddev_time_ms float8, OUT percent_of_total float8, OUT "rows" bigint,
    OUT shared_blocks_hit bigint, OUT shared_blocks_read bigint,
    OUT cache_hit_ratio float8, OUT temp_blocks bigint, OUT io_time_ms float8,
    OUT wal_bytes bigint, OUT plan_time_ms float8, OUT statement_id int)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 20
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    orders CONSTANT text[] := ARRAY['total_time', 'mean_time', 'max_time',
        'stddev_time', 'calls', 'rows', 'blocks_hit', 'blocks_read',
        'temp_blocks', 'io_time', 'wal_bytes', 'plan_time'];
BEGIN
    IF order_by IS NULL OR order_by <> ALL (orders) THEN
        RAISE EXCEPTION 'cannot order statements by %', coalesce(quote_literal(order_by), 'NULL')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = format('Order them by one of %s.', array_to_string(orders, ', '));
    END IF;
    IF max_rows < 0 THEN
        RAISE EXCEPTION 'max_rows must not be negative'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'NULL stands for all rows.';
    END IF;

    RETURN QUERY
    SELECT k.query_id, k.query, d.datname, u.rolname, k.toplevel, t.calls,
           t.total_exec_time_ms, t.total_exec_time_ms / nullif(t.calls, 0),
           t.min_exec_time_ms, t.max_exec_time_ms, t.stddev_exec_time_ms,
           -- the time of what a function runs is in that of its caller, too
           CASE WHEN sum(t.total_exec_time_ms) FILTER (WHERE k.toplevel IS NOT FALSE) OVER () > 0 THEN
               least(t.total_exec_time_ms / sum(t.total_exec_time_ms) FILTER (WHERE k.toplevel IS NOT FALSE) OVER () * 100, 100) END,
           t."rows", t.shared_blks_hit, t.shared_blks_read,
           t.shared_blks_hit::float8 / nullif(t.shared_blks_hit + t.shared_blks_read, 0),
           t.temp_blks_read + t.temp_blks_written, b.io_time, t.wal_bytes,
           t.total_plan_time_ms, t.statement_id
      FROM @extschema@.dbmaint_total_statements($1, $2) AS t
     CROSS JOIN LATERAL (SELECT t.shared_blk_read_time_ms + t.shared_blk_write_time_ms
               + coalesce(t.local_blk_read_time_ms + t.local_blk_write_time_ms, 0)
               + coalesce(t.temp_blk_read_time_ms + t.temp_blk_write_time_ms, 0)) AS b(io_time)
      LEFT JOIN @extschema@.dbmaint_statements AS k ON k.statement_id = t.statement_id
      LEFT JOIN pg_database AS d ON d.oid = k.database_oid
      LEFT JOIN pg_roles AS u ON u.oid = k.user_oid
     ORDER BY CASE order_by
                  WHEN 'total_time' THEN t.total_exec_time_ms
                  WHEN 'mean_time' THEN t.total_exec_time_ms / nullif(t.calls, 0)
                  WHEN 'max_time' THEN t.max_exec_time_ms
                  WHEN 'stddev_time' THEN t.stddev_exec_time_ms
                  WHEN 'calls' THEN t.calls
                  WHEN 'rows' THEN t."rows"
                  WHEN 'blocks_hit' THEN t.shared_blks_hit
                  WHEN 'blocks_read' THEN t.shared_blks_read
                  WHEN 'temp_blocks' THEN t.temp_blks_read + t.temp_blks_written
                  WHEN 'io_time' THEN b.io_time
                  WHEN 'wal_bytes' THEN t.wal_bytes
                  WHEN 'plan_time' THEN t.total_plan_time_ms
              END DESC NULLS LAST,
              t.total_exec_time_ms DESC, t.statement_id
     LIMIT max_rows;
END
$$;
COMMENT ON FUNCTION dbmaint_top_statements(timestamptz, timestamptz, text, int) IS
'The statements that did most in a range, by total_time, mean_time, max_time, stddev_time, calls, rows, blocks_hit, blocks_read, temp_blocks, io_time, wal_bytes or plan_time; at most max_rows (NULL: all). Times are of executions, in milliseconds; percent_of_total is the share of the time of all statements that clients sent; that of one that a function ran (toplevel is false, with pg_stat_statements.track = all) is of the same, in which its caller has it, too, and at most 100 where the caller has not ended. min and max are NULL where they are not known (see dbmaint_statement_snapshots), io_time_ms is 0 unless track_io_timing is on. The names are NULL where the database or user is no more, the query where its text was not kept.';

CREATE FUNCTION dbmaint_slow_queries(
    from_at timestamptz, to_at timestamptz DEFAULT now(),
    threshold_ms float8 DEFAULT NULL,
    OUT query text, OUT calls bigint, OUT total_time float8,
    OUT mean_time float8, OUT max_time float8, OUT "rows" bigint,
    OUT percent_of_total float8, OUT database name, OUT username name,
    OUT query_id bigint)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 20
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.query, t.calls, t.total_time_ms, t.mean_time_ms, t.max_time_ms,
           t."rows", t.percent_of_total, t.database, t.username, t.query_id
      FROM @extschema@.dbmaint_top_statements($1, $2, 'total_time'::text, NULL::int) AS t
     WHERE t.mean_time_ms > coalesce($3,
               extract(epoch FROM current_setting('dbmaint.slow_query_threshold')::interval)::float8 * 1000)
     ORDER BY t.total_time_ms DESC
$$;
COMMENT ON FUNCTION dbmaint_slow_queries(timestamptz, timestamptz, float8) IS
'The statements whose mean time in a range was above a threshold (NULL: dbmaint.slow_query_threshold), those first that took most time in all. Columns as in the runbooks; times in milliseconds; percent_of_total is the share of the time of all statements, slow or not, as in dbmaint_top_statements().';

CREATE VIEW dbmaint_slow_queries AS
SELECT q.query, q.calls, q.total_time, q.mean_time, q.max_time, q."rows",
       q.percent_of_total, q.database, q.username, q.query_id
  FROM dbmaint_slow_queries(pg_catalog.now() OPERATOR(pg_catalog.-) interval '1 day',
                            pg_catalog.now(), NULL::pg_catalog.float8) AS q;
COMMENT ON VIEW dbmaint_slow_queries IS
'The statements whose mean time over the last day was above dbmaint.slow_query_threshold, those first that took most time in all; times in milliseconds. The function of the same name takes any range and threshold.';

CREATE TABLE dbmaint_baselines (
    -- longer names do not fit into the index
    name text NOT NULL CONSTRAINT dbmaint_baselines_name_length CHECK (octet_length(name) <= 1024),
    database_oid oid NOT NULL,
    set_at timestamptz NOT NULL,
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL,
    observed_hours float8 NOT NULL,
    statement_ids dbmaint_packed NOT NULL,
    calls dbmaint_packed,
    total_exec_time_us dbmaint_packed,
    PRIMARY KEY (database_oid, name)
);
COMMENT ON TABLE dbmaint_baselines IS
'What each statement did in a range that was good, to compare with: dbmaint_set_baseline() adds the snapshots up, so a baseline outlives them. It stays until its row is deleted by hand; what it says of a statement that nobody ran for dbmaint.rollup_retention loses its text, as the statement goes. Not dumped, as the statements are not.';
COMMENT ON COLUMN dbmaint_baselines.name IS
'What the user calls it.';
COMMENT ON COLUMN dbmaint_baselines.database_oid IS
'The database whose snapshots were added up.';
COMMENT ON COLUMN dbmaint_baselines.set_at IS
'When it was set.';
COMMENT ON COLUMN dbmaint_baselines.from_at IS
'Beginning of the range.';
COMMENT ON COLUMN dbmaint_baselines.to_at IS
'End of the range.';
COMMENT ON COLUMN dbmaint_baselines.observed_hours IS
'Hours that the snapshots of the range cover.';
COMMENT ON COLUMN dbmaint_baselines.statement_ids IS
'The statements that ran, ascending.';
COMMENT ON COLUMN dbmaint_baselines.calls IS
'How often each ran; NULL stands for zeroes.';
COMMENT ON COLUMN dbmaint_baselines.total_exec_time_us IS
'How long each ran in all, in microseconds; NULL stands for zeroes.';

CREATE FUNCTION dbmaint_pack_totals(
    from_at timestamptz, to_at timestamptz, OUT observed_hours float8,
    OUT statement_ids dbmaint_packed, OUT calls dbmaint_packed,
    OUT total_exec_time_us dbmaint_packed)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT @extschema@.dbmaint_observed_hours($1, $2),
           coalesce(array_agg(t.statement_id::bigint ORDER BY t.statement_id), '{}'::bigint[])::@extschema@.dbmaint_packed,
           array_agg(t.calls ORDER BY t.statement_id)::@extschema@.dbmaint_packed,
           array_agg(round(t.total_exec_time_ms * 1000)::bigint ORDER BY t.statement_id)::@extschema@.dbmaint_packed
      FROM @extschema@.dbmaint_total_statements($1, $2) AS t
$$;
COMMENT ON FUNCTION dbmaint_pack_totals(timestamptz, timestamptz) IS
'What each statement did in a range, as the columns of dbmaint_baselines.';

CREATE FUNCTION dbmaint_set_baseline(name text, from_at timestamptz, to_at timestamptz)
RETURNS int
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    totals record;
BEGIN
    IF octet_length($1) > 1024 THEN
        RAISE EXCEPTION 'the name of a baseline must not be longer than 1,024 bytes'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = format('It has %s bytes and begins "%s".', octet_length($1), left($1, 40)),
                  HINT = 'For example: ''before the release''.';
    END IF;
    SELECT * INTO totals FROM @extschema@.dbmaint_pack_totals($2, $3);
    IF coalesce(btrim($1), '') = '' OR totals.observed_hours IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = CASE WHEN coalesce(btrim($1), '') = '' THEN 'a baseline needs a name'
                           ELSE 'there is no snapshot of statements in the range' END,
            HINT = 'For example: dbmaint_set_baseline(''before the release'', now() - interval ''1 day'', now()).';
    END IF;

    INSERT INTO @extschema@.dbmaint_baselines AS b
           (name, database_oid, set_at, from_at, to_at, observed_hours, statement_ids, calls, total_exec_time_us)
    SELECT $1, d.oid, now(), $2, $3, totals.observed_hours, totals.statement_ids,
           totals.calls, totals.total_exec_time_us
      FROM pg_database AS d WHERE d.datname = current_database()
        ON CONFLICT ON CONSTRAINT dbmaint_baselines_pkey DO UPDATE
       SET set_at = excluded.set_at, from_at = excluded.from_at, to_at = excluded.to_at,
           observed_hours = excluded.observed_hours, statement_ids = excluded.statement_ids,
           calls = excluded.calls, total_exec_time_us = excluded.total_exec_time_us;
    RETURN @extschema@.dbmaint_packed_count(totals.statement_ids);
END
$$;
COMMENT ON FUNCTION dbmaint_set_baseline(text, timestamptz, timestamptz) IS
'Keeps what each statement did in a range under a name, for dbmaint_compare_with(); sets it anew where the name is taken. Returns how many statements ran. It writes, so it is for the superuser and whom he grants it; to delete one, delete its row of dbmaint_baselines.';

CREATE TYPE dbmaint_comparison AS (
    query_id bigint,
    query text,
    database name,
    username name,
    change text,
    change_ms_per_hour float8,
    from_calls_ms_per_hour float8,
    from_mean_ms_per_hour float8,
    before_calls_per_hour float8,
    after_calls_per_hour float8,
    before_mean_ms float8,
    after_mean_ms float8,
    before_ms_per_hour float8,
    after_ms_per_hour float8,
    statement_id int
);
COMMENT ON TYPE dbmaint_comparison IS
'What a statement did in one range beside another, see dbmaint_compare().';

CREATE FUNCTION dbmaint_compare_lists(
    before_ids dbmaint_packed, before_calls dbmaint_packed,
    before_us dbmaint_packed, before_hours float8,
    after_from timestamptz, after_to timestamptz)
RETURNS SETOF dbmaint_comparison
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH h AS MATERIALIZED (
        -- once, not for each statement
        SELECT @extschema@.dbmaint_observed_hours($5, $6) AS after_hours
    ), sides AS (
        SELECT coalesce(b.id, a.statement_id) AS id,
               coalesce(b.calls, 0) / $4 AS c0,
               coalesce(a.calls, 0) / h.after_hours AS c1,
               b.us / 1000.0::float8 / nullif(b.calls, 0) AS m0,
               a.total_exec_time_ms / nullif(a.calls, 0) AS m1,
               coalesce(b.us, 0) / 1000.0::float8 / $4 AS t0,
               coalesce(a.total_exec_time_ms, 0) / h.after_hours AS t1
          FROM (SELECT l.id::int AS id, coalesce(l.calls, 0) AS calls, coalesce(l.us, 0) AS us
                  FROM ROWS FROM (@extschema@.dbmaint_unpack($1), @extschema@.dbmaint_unpack($2),
                                  @extschema@.dbmaint_unpack($3)) AS l(id, calls, us)) AS b
          FULL JOIN @extschema@.dbmaint_total_statements($5, $6) AS a ON a.statement_id = b.id
         CROSS JOIN h
    ), split AS (
        SELECT s.*, s.t1 - s.t0 AS change,
               -- both orders of changing one factor first, averaged; what was
               -- not there before has no mean that could have changed
               CASE WHEN s.m0 IS NULL OR s.m1 IS NULL THEN s.t1 - s.t0
                    ELSE (s.c1 - s.c0) * (s.m0 + s.m1) / 2 END AS from_calls
          FROM sides AS s
    )
    SELECT k.query_id, k.query, d.datname, u.rolname,
           CASE WHEN s.m0 IS NULL THEN 'new'
                WHEN s.m1 IS NULL THEN 'gone'
                WHEN s.change = 0 THEN 'same'
                WHEN abs(s.from_calls) >= abs(s.change - s.from_calls)
                THEN CASE WHEN s.from_calls > 0 THEN 'more frequent' ELSE 'less frequent' END
                WHEN s.change > s.from_calls THEN 'slower'
                ELSE 'faster' END,
           s.change, s.from_calls, s.change - s.from_calls,
           s.c0, s.c1, s.m0, s.m1, s.t0, s.t1, s.id
      FROM split AS s
      LEFT JOIN @extschema@.dbmaint_statements AS k ON k.statement_id = s.id
      LEFT JOIN pg_database AS d ON d.oid = k.database_oid
      LEFT JOIN pg_roles AS u ON u.oid = k.user_oid
     ORDER BY s.change DESC, s.id
$$;
COMMENT ON FUNCTION dbmaint_compare_lists(dbmaint_packed, dbmaint_packed, dbmaint_packed, float8, timestamptz, timestamptz) IS
'Part of dbmaint_compare() and dbmaint_compare_with(): compares packed totals of so many hours with a range.';

CREATE FUNCTION dbmaint_compare(
    before_from timestamptz, before_to timestamptz,
    after_from timestamptz, after_to timestamptz)
RETURNS SETOF dbmaint_comparison
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    totals record;
BEGIN
    SELECT * INTO totals FROM @extschema@.dbmaint_pack_totals($1, $2);
    IF totals.observed_hours IS NULL OR @extschema@.dbmaint_observed_hours($3, $4) IS NULL THEN
        RAISE EXCEPTION 'there is no snapshot of statements in one of the ranges'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'dbmaint_statement_snapshots says when snapshots were taken; the first one after a start of the server covers no time.';
    END IF;
    RETURN QUERY
    SELECT * FROM @extschema@.dbmaint_compare_lists(
        totals.statement_ids, totals.calls, totals.total_exec_time_us, totals.observed_hours, $3, $4);
END
$$;
COMMENT ON FUNCTION dbmaint_compare(timestamptz, timestamptz, timestamptz, timestamptz) IS
'What got slower or more frequent from one range to another, the largest contribution first; what got less comes last. All is per hour that the snapshots cover, so ranges of any length compare. With calls c and mean time m before (0) and after (1), change_ms_per_hour = c1*m1 - c0*m0 is the sum of from_calls_ms_per_hour = (c1-c0)*(m0+m1)/2 and from_mean_ms_per_hour = (m1-m0)*(c0+c1)/2; of a statement that ran in one range only, all of it is from calls. change names the larger part: new, gone, more frequent, less frequent, slower, faster, or same.';

CREATE FUNCTION dbmaint_compare_with(
    baseline text, from_at timestamptz DEFAULT now() - interval '1 hour',
    to_at timestamptz DEFAULT now())
RETURNS SETOF dbmaint_comparison
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found_baseline record;
BEGIN
    SELECT b.* INTO found_baseline
      FROM @extschema@.dbmaint_baselines AS b
     WHERE b.name = $1
       AND b.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no baseline %', coalesce(quote_literal($1), 'NULL')
            USING ERRCODE = 'undefined_object',
                  HINT = 'dbmaint_baselines lists them; dbmaint_set_baseline() makes one.';
    END IF;
    IF @extschema@.dbmaint_observed_hours($2, $3) IS NULL THEN
        RAISE EXCEPTION 'there is no snapshot of statements in the range'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'dbmaint_statement_snapshots says when snapshots were taken.';
    END IF;
    RETURN QUERY
    SELECT * FROM @extschema@.dbmaint_compare_lists(
        found_baseline.statement_ids, found_baseline.calls,
        found_baseline.total_exec_time_us, found_baseline.observed_hours, $2, $3);
END
$$;
COMMENT ON FUNCTION dbmaint_compare_with(text, timestamptz, timestamptz) IS
'Compares a range with a baseline; columns as of dbmaint_compare().';

CREATE TABLE dbmaint_statement_plans (
    query_id bigint NOT NULL,
    database_oid oid NOT NULL,
    noticed_at timestamptz NOT NULL,
    noticed_by name NOT NULL,
    plan text NOT NULL,
    PRIMARY KEY (database_oid, query_id, noticed_at)
);
COMMENT ON TABLE dbmaint_statement_plans IS
'Plans that dbmaint_explain() saw: a row when a query''s plan was another one than the time before, so that a change can be dated. Plans that were followed by others are kept for dbmaint.retention, the newest of a query for as long as dbmaint_statements knows it, see dbmaint_expire_plans().';
COMMENT ON COLUMN dbmaint_statement_plans.query_id IS
'queryid of pg_stat_statements.';
COMMENT ON COLUMN dbmaint_statement_plans.database_oid IS
'The database in which it was planned.';
COMMENT ON COLUMN dbmaint_statement_plans.noticed_at IS
'When the plan was seen first after another one.';
COMMENT ON COLUMN dbmaint_statement_plans.noticed_by IS
'Who explained it: the plan may depend on rights and settings.';
COMMENT ON COLUMN dbmaint_statement_plans.plan IS
'The generic plan, without costs, which change with every analyze.';

CREATE FUNCTION dbmaint_find_query_text(query_id bigint)
RETURNS text
LANGUAGE C VOLATILE STRICT
AS 'MODULE_PATHNAME', 'dbmaint_find_query_text';
COMMENT ON FUNCTION dbmaint_find_query_text(bigint) IS
'The whole text of a query that ran in this database, from pg_stat_statements as the caller may see it; NULL where it is not there.';

CREATE FUNCTION dbmaint_is_explainable(query text)
RETURNS boolean
LANGUAGE C VOLATILE STRICT
AS 'MODULE_PATHNAME', 'dbmaint_is_explainable';
COMMENT ON FUNCTION dbmaint_is_explainable(text) IS
'Whether a text is exactly one SELECT, INSERT, UPDATE, DELETE or MERGE under the settings of this session. A text that was one statement in another session may be several in this one, as standard_conforming_strings decides where a string ends.';

CREATE FUNCTION dbmaint_explain(
    query_id bigint, with_search_path text DEFAULT current_setting('search_path'))
RETURNS SETOF text
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    here CONSTANT oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    statement text;
    with_costs text;
    without_costs text;
    line text;
    lines text[] := '{}';
    shape text[] := '{}';
    last_plan text;
BEGIN
    IF current_setting('server_version_num')::int < 160000 THEN
        RAISE EXCEPTION 'this server cannot explain a statement without its parameters'
            USING ERRCODE = 'feature_not_supported',
                  DETAIL = 'EXPLAIN (GENERIC_PLAN) came with PostgreSQL 16.',
                  HINT = 'Upgrade, or EXPLAIN the query in dbmaint_statements with values in the place of $1 and so on.';
    END IF;

    SELECT k.query INTO statement
      FROM @extschema@.dbmaint_statements AS k
     WHERE k.query_id = $1 AND k.database_oid = here AND NOT k.truncated AND k.query IS NOT NULL
     LIMIT 1;
    statement := coalesce(statement, @extschema@.dbmaint_find_query_text($1));
    IF statement IS NULL THEN
        RAISE EXCEPTION 'query % is not known in this database', coalesce($1::text, 'NULL')
            USING ERRCODE = 'undefined_object',
                  HINT = 'Call it in the database where the query ran, with pg_stat_statements installed there; dbmaint_top_statements() has the names.';
    END IF;
    IF NOT @extschema@.dbmaint_is_explainable(statement) THEN
        RAISE EXCEPTION 'query % cannot be explained', $1
            USING ERRCODE = 'feature_not_supported',
                  DETAIL = 'Only SELECT, INSERT, UPDATE, DELETE and MERGE have plans.';
    END IF;

    with_costs := 'EXPLAIN (GENERIC_PLAN) ' || statement;
    without_costs := 'EXPLAIN (GENERIC_PLAN, COSTS OFF) ' || statement;
    -- from here on, what others made may be found first: names with schema only
    PERFORM set_config('search_path', $2, true);
    FOR line IN EXECUTE with_costs LOOP
        lines := pg_catalog.array_append(lines, line);
    END LOOP;
    FOR line IN EXECUTE without_costs LOOP
        shape := pg_catalog.array_append(shape, line);
    END LOOP;
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);

    -- in the caller's name, too: the table's owner, or whom he grants INSERT
    IF has_table_privilege('@extschema@.dbmaint_statement_plans', 'INSERT')
       AND current_setting('transaction_read_only') = 'off' THEN
        SELECT p.plan INTO last_plan
          FROM @extschema@.dbmaint_statement_plans AS p
         WHERE p.database_oid = here AND p.query_id = $1
         ORDER BY p.noticed_at DESC LIMIT 1;
        IF last_plan IS DISTINCT FROM array_to_string(shape, E'\n') THEN
            INSERT INTO @extschema@.dbmaint_statement_plans (query_id, database_oid, noticed_at, noticed_by, plan)
            VALUES ($1, here, clock_timestamp(), current_user, array_to_string(shape, E'\n'));
        END IF;
    END IF;
    RETURN QUERY SELECT unnest(lines);
END
$$;
COMMENT ON FUNCTION dbmaint_explain(bigint, text) IS
'The generic plan of a query of this database, as EXPLAIN (GENERIC_PLAN) gives it to the caller, with the caller''s rights, settings and search_path; from PostgreSQL 16 on. Nothing is executed, but the planner may call functions that the query declares immutable: look at the text of a query of somebody you do not trust first. A plan that is another one than the time before is kept in dbmaint_statement_plans where the caller may insert there.';

CREATE FUNCTION dbmaint_expire_plans(at timestamptz, batch_rows int)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    keep_from CONSTANT timestamptz := at - coalesce(current_setting('dbmaint.retention', true), '35d')::interval;
    -- elsewhere than in the home database no statement is known: there the
    -- newest plan stays as long as a statement that nobody runs would
    keep_unknown_from CONSTANT timestamptz := at - (SELECT h.kept FROM @extschema@.dbmaint_history_tables() AS h
                                                     WHERE h.history = '@extschema@.dbmaint_statements'::regclass);
    expired bigint;
BEGIN
    DELETE FROM @extschema@.dbmaint_statement_plans AS m
     WHERE m.ctid = ANY (ARRAY(
               SELECT o.ctid FROM @extschema@.dbmaint_statement_plans AS o
                WHERE o.noticed_at < keep_from
                  AND (EXISTS (SELECT FROM @extschema@.dbmaint_statement_plans AS n
                                WHERE n.database_oid = o.database_oid AND n.query_id = o.query_id
                                  AND n.noticed_at > o.noticed_at)
                       OR o.noticed_at < keep_unknown_from
                          AND NOT EXISTS (SELECT FROM @extschema@.dbmaint_statements AS k
                                           WHERE k.database_oid = o.database_oid AND k.query_id = o.query_id))
                ORDER BY o.noticed_at LIMIT batch_rows FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS expired = ROW_COUNT;
    RETURN expired;
END
$$;
COMMENT ON FUNCTION dbmaint_expire_plans(timestamptz, int) IS
'Deletes at most batch_rows plans that are older than dbmaint.retention and were followed by others, or whose statement is no longer known; returns how many. Part of dbmaint_expire_history().';

REVOKE ALL ON dbmaint_slow_queries, dbmaint_baselines, dbmaint_statement_plans FROM PUBLIC;
GRANT SELECT ON dbmaint_slow_queries, dbmaint_baselines, dbmaint_statement_plans TO pg_monitor;
REVOKE ALL ON FUNCTION
    dbmaint_observed_hours(timestamptz, timestamptz),
    dbmaint_top_statements(timestamptz, timestamptz, text, int),
    dbmaint_slow_queries(timestamptz, timestamptz, float8),
    dbmaint_pack_totals(timestamptz, timestamptz),
    dbmaint_set_baseline(text, timestamptz, timestamptz),
    dbmaint_compare_lists(dbmaint_packed, dbmaint_packed, dbmaint_packed, float8, timestamptz, timestamptz),
    dbmaint_compare(timestamptz, timestamptz, timestamptz, timestamptz),
    dbmaint_compare_with(text, timestamptz, timestamptz),
    dbmaint_find_query_text(bigint),
    dbmaint_is_explainable(text),
    dbmaint_explain(bigint, text),
    dbmaint_expire_plans(timestamptz, int)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    dbmaint_observed_hours(timestamptz, timestamptz),
    dbmaint_top_statements(timestamptz, timestamptz, text, int),
    dbmaint_slow_queries(timestamptz, timestamptz, float8),
    dbmaint_pack_totals(timestamptz, timestamptz),
    dbmaint_compare_lists(dbmaint_packed, dbmaint_packed, dbmaint_packed, float8, timestamptz, timestamptz),
    dbmaint_compare(timestamptz, timestamptz, timestamptz, timestamptz),
    dbmaint_compare_with(text, timestamptz, timestamptz),
    dbmaint_find_query_text(bigint),
    dbmaint_is_explainable(text),
    dbmaint_explain(bigint, text)
TO pg_monitor;
