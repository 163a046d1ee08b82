-- src/activity/activity.sql: what sessions did, and what they waited for.

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
    -- whoever would add some has to wait for us from here on
    EXECUTE format('LOCK TABLE %s IN ROW EXCLUSIVE MODE', history);
    IF EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = history)
       OR EXISTS (SELECT FROM pg_rewrite AS r WHERE r.ev_class = history) THEN
        RAISE EXCEPTION 'table % has triggers or rules', history
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'They would run with the rights of a superuser.',
                  HINT = 'Drop them.';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_require_untriggered(name) IS
'Raises an error if the extension''s table of that name has triggers or rules, which would run as the superuser that writes history; locks it against getting some until the transaction ends';

CREATE TABLE dbmaint_wait_events (
    event_id int PRIMARY KEY,
    state text NOT NULL,
    wait_event_type text,
    wait_event text,
    UNIQUE NULLS NOT DISTINCT (state, wait_event_type, wait_event)
);
COMMENT ON TABLE dbmaint_wait_events IS
'What a session can be seen doing: its state and what it waits for, by the number that dbmaint_activity_history has for it. A row is added when something is seen first.';
COMMENT ON COLUMN dbmaint_wait_events.event_id IS
'Number in dbmaint_activity_history.events.';
COMMENT ON COLUMN dbmaint_wait_events.state IS
'State as in pg_stat_activity; "disabled" where track_activities is off.';
COMMENT ON COLUMN dbmaint_wait_events.wait_event_type IS
'Type of the wait event; NULL: waits for nothing (uses the CPU), or is not active.';
COMMENT ON COLUMN dbmaint_wait_events.wait_event IS
'Name of the wait event; NULL as wait_event_type.';

CREATE TABLE dbmaint_activity_history (
    database_oid oid NOT NULL,
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL,
    samples int NOT NULL,
    dropped bigint NOT NULL,
    databases oid[] NOT NULL,
    query_ids bigint[] NOT NULL,
    events int[] NOT NULL,
    counts int[] NOT NULL,
    PRIMARY KEY (database_oid, from_at)
) WITH (toast_tuple_target = 128);
ALTER TABLE dbmaint_activity_history
    ALTER COLUMN databases SET STORAGE MAIN,
    ALTER COLUMN query_ids SET STORAGE MAIN,
    ALTER COLUMN events SET STORAGE MAIN,
    ALTER COLUMN counts SET STORAGE MAIN;
CREATE INDEX dbmaint_activity_history_from_at_idx ON dbmaint_activity_history (from_at);
COMMENT ON TABLE dbmaint_activity_history IS
'What the sessions of the whole server did, one row a minute (dbmaint.activity_history_interval), in the home database: the four arrays are parallel, one element for each different thing seen. dbmaint_activity_samples has it as rows.';
COMMENT ON COLUMN dbmaint_activity_history.database_oid IS
'The home database, which stored the row; rows that a copy of a database brought along have another one''s.';
COMMENT ON COLUMN dbmaint_activity_history.from_at IS
'Begin of the interval.';
COMMENT ON COLUMN dbmaint_activity_history.to_at IS
'End of the interval.';
COMMENT ON COLUMN dbmaint_activity_history.samples IS
'How often all sessions were looked at in the interval: a count divided by it is an average number of sessions. Fewer than dbmaint.activity_interval says where the server or the sampler was not running all the time.';
COMMENT ON COLUMN dbmaint_activity_history.dropped IS
'Observations that found no room under their own query id and were counted without one, or that were lost because an earlier row could not be stored in time.';
COMMENT ON COLUMN dbmaint_activity_history.databases IS
'OID of the session''s database; 0: none.';
COMMENT ON COLUMN dbmaint_activity_history.query_ids IS
'Query id, as in pg_stat_statements; 0: none, not known, or without room. Of idle sessions always 0.';
COMMENT ON COLUMN dbmaint_activity_history.events IS
'State and wait event: number in dbmaint_wait_events.';
COMMENT ON COLUMN dbmaint_activity_history.counts IS
'How often that was seen in all samples of the interval.';

CREATE FUNCTION dbmaint_sample_activity(at timestamptz)
RETURNS int
LANGUAGE C VOLATILE STRICT
AS 'MODULE_PATHNAME', 'dbmaint_sample_activity';
COMMENT ON FUNCTION dbmaint_sample_activity(timestamptz) IS
'Looks at all sessions once, as if it were the given time, as the home database''s sampler does every dbmaint.activity_interval; returns how many there were. The calling session is left out.';

CREATE FUNCTION dbmaint_store_activity(
    from_at timestamptz, to_at timestamptz, samples int, dropped bigint,
    databases oid[], query_ids bigint[], states text[], wait_event_types text[],
    wait_events text[], counts int[])
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_wait_events'::name);
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_activity_history'::name);

    INSERT INTO @extschema@.dbmaint_wait_events AS e (event_id, state, wait_event_type, wait_event)
    SELECT coalesce((SELECT max(k.event_id) FROM @extschema@.dbmaint_wait_events AS k), 0)
               + row_number() OVER (ORDER BY n.state, n.type, n.event),
           n.state, n.type, n.event
      FROM (SELECT u.state, u.type, u.event
              FROM unnest(states, wait_event_types, wait_events) AS u(state, type, event)
            EXCEPT
            SELECT k.state, k.wait_event_type, k.wait_event
              FROM @extschema@.dbmaint_wait_events AS k) AS n;

    INSERT INTO @extschema@.dbmaint_activity_history AS h
        (database_oid, from_at, to_at, samples, dropped, databases, query_ids, events, counts)
    SELECT d.oid, dbmaint_store_activity.from_at, dbmaint_store_activity.to_at,
           dbmaint_store_activity.samples, dbmaint_store_activity.dropped,
           a.databases, a.query_ids, a.events, a.counts
      FROM pg_database AS d,
           (SELECT coalesce(array_agg(s.database ORDER BY s.database, s.query_id, s.event_id), '{}') AS databases,
                   coalesce(array_agg(s.query_id ORDER BY s.database, s.query_id, s.event_id), '{}') AS query_ids,
                   coalesce(array_agg(s.event_id ORDER BY s.database, s.query_id, s.event_id), '{}') AS events,
                   coalesce(array_agg(s.count ORDER BY s.database, s.query_id, s.event_id), '{}') AS counts
              FROM (SELECT u.database, u.query_id, e.event_id, sum(u.count)::int AS count
                      FROM unnest(dbmaint_store_activity.databases, dbmaint_store_activity.query_ids,
                                  states, wait_event_types, wait_events, dbmaint_store_activity.counts)
                               AS u(database, query_id, state, type, event, count)
                      JOIN @extschema@.dbmaint_wait_events AS e
                        ON e.state = u.state
                       AND e.wait_event_type IS NOT DISTINCT FROM u.type
                       AND e.wait_event IS NOT DISTINCT FROM u.event
                     GROUP BY u.database, u.query_id, e.event_id) AS s) AS a
     WHERE d.datname = current_database()
        ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION dbmaint_store_activity(timestamptz, timestamptz, int, bigint, oid[], bigint[], text[], text[], text[], int[]) IS
'Stores what was seen in an interval as a row of dbmaint_activity_history; the collector "activity_history" calls it. The arrays are parallel. An interval that is stored already stays as it is.';

CREATE VIEW dbmaint_activity_samples AS
SELECT h.from_at, h.to_at, h.samples, u.database AS session_database_oid,
       nullif(u.query_id, 0::bigint) AS query_id, e.state, e.wait_event_type,
       e.wait_event, u.count
  FROM dbmaint_activity_history AS h
       CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(h.databases),
                                     pg_catalog.unnest(h.query_ids),
                                     pg_catalog.unnest(h.events),
                                     pg_catalog.unnest(h.counts))
                       AS u(database, query_id, event_id, count)
       JOIN dbmaint_wait_events AS e ON e.event_id OPERATOR(pg_catalog.=) u.event_id
 WHERE h.database_oid OPERATOR(pg_catalog.=)
       (SELECT d.oid FROM pg_catalog.pg_database AS d
         WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database());
COMMENT ON VIEW dbmaint_activity_samples IS
'dbmaint_activity_history as rows: in the interval that began at from_at, the server''s sessions were looked at samples times, and count times one of them was seen in that database, executing that statement (query_id; NULL: none or not known), in that state, waiting for that event (NULL: for nothing). Leaves out what a copied database inherited from its original.';

CREATE FUNCTION dbmaint_require_range(from_at timestamptz, to_at timestamptz)
RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF from_at IS NULL OR to_at IS NULL OR from_at >= to_at THEN
        RAISE EXCEPTION 'from_at must be a time before to_at'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = format('from_at is %s, to_at is %s.',
                                  coalesce(from_at::text, 'null'), coalesce(to_at::text, 'null')),
                  HINT = 'For example: (now() - interval ''1 hour'', now()).';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_require_range(timestamptz, timestamptz) IS
'Raises an error unless the first time is before the second';

CREATE FUNCTION dbmaint_activity_samples_taken(from_at timestamptz, to_at timestamptz)
RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT sum(h.samples)
      FROM @extschema@.dbmaint_activity_history AS h
     WHERE h.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
       AND h.from_at >= $1 AND h.from_at < $2
$$;
COMMENT ON FUNCTION dbmaint_activity_samples_taken(timestamptz, timestamptz) IS
'How often all sessions were looked at in the intervals that began in the range; NULL where there are none';

CREATE FUNCTION dbmaint_activity(
    from_at timestamptz DEFAULT now() - interval '1 hour',
    to_at timestamptz DEFAULT now(),
    OUT database text, OUT query_id bigint, OUT state text,
    OUT average_sessions float8, OUT active_share_ratio float8,
    OUT cpu_sessions float8, OUT lock_sessions float8,
    OUT lwlock_sessions float8, OUT io_sessions float8,
    OUT client_sessions float8, OUT other_sessions float8, OUT top_wait text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    taken float8;
BEGIN
    PERFORM @extschema@.dbmaint_require_range(from_at, to_at);
    taken := @extschema@.dbmaint_activity_samples_taken(from_at, to_at);

    RETURN QUERY
    WITH waits AS (
        SELECT s.session_database_oid AS oid, s.query_id AS query, s.state AS doing,
               s.state IN ('active', 'fastpath function call') AS active,
               coalesce(s.wait_event_type, 'CPU') AS type,
               coalesce(s.wait_event_type || ': ' || s.wait_event, 'CPU') AS wait,
               sum(s.count)::float8 AS seen
          FROM @extschema@.dbmaint_activity_samples AS s
         WHERE s.from_at >= dbmaint_activity.from_at AND s.from_at < dbmaint_activity.to_at
         GROUP BY 1, 2, 3, 4, 5, 6)
    SELECT CASE WHEN w.oid <> 0 THEN coalesce(d.datname::text, format('(dropped: %s)', w.oid)) END,
           w.query, w.doing, sum(w.seen) / taken,
           sum(w.seen) FILTER (WHERE w.active)
               / nullif(sum(sum(w.seen) FILTER (WHERE w.active)) OVER (), 0),
           coalesce(sum(w.seen) FILTER (WHERE w.type = 'CPU'), 0) / CASE WHEN w.active THEN taken END,
           coalesce(sum(w.seen) FILTER (WHERE w.type = 'Lock'), 0) / CASE WHEN w.active THEN taken END,
           coalesce(sum(w.seen) FILTER (WHERE w.type = 'LWLock'), 0) / CASE WHEN w.active THEN taken END,
           coalesce(sum(w.seen) FILTER (WHERE w.type = 'IO'), 0) / CASE WHEN w.active THEN taken END,
           coalesce(sum(w.seen) FILTER (WHERE w.type = 'Client'), 0) / CASE WHEN w.active THEN taken END,
           coalesce(sum(w.seen) FILTER (WHERE w.type NOT IN ('CPU', 'Lock', 'LWLock', 'IO', 'Client')), 0)
               / CASE WHEN w.active THEN taken END,
           CASE WHEN w.active THEN (array_agg(w.wait ORDER BY w.seen DESC, w.wait))[1] END
      FROM waits AS w LEFT JOIN pg_database AS d ON d.oid = w.oid
     GROUP BY w.oid, d.datname, w.query, w.doing, w.active
     ORDER BY w.active DESC, 4 DESC, 1, 2, 3;
END
$$;
COMMENT ON FUNCTION dbmaint_activity(timestamptz, timestamptz) IS
'What the server''s sessions did in the range, by database, query id and state; busiest first. average_sessions: how many were seen doing that at a time (observations divided by samples), which for active ones is the load they made. active_share_ratio: their share of all active ones, from 0 to 1. The other columns divide an active row''s average by what was waited for; CPU: for nothing; lock: for a lock that somebody else holds. query_id is NULL where not known (compute_query_id is off; the statement is still being parsed, which is also when it waits for the lock of a table; too many different ones) and for idle sessions. Parallel workers and other background processes count while they are active. NULL for what is not active. Answers in the home database only; intervals count by their begin. "(dropped: oid)" is a database that is no more.';

CREATE FUNCTION dbmaint_wait_profile(
    from_at timestamptz DEFAULT now() - interval '1 hour',
    to_at timestamptz DEFAULT now(), query_id bigint DEFAULT NULL,
    OUT wait_event_type text, OUT wait_event text,
    OUT average_sessions float8, OUT share_ratio float8)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    taken float8;
BEGIN
    PERFORM @extschema@.dbmaint_require_range(from_at, to_at);
    taken := @extschema@.dbmaint_activity_samples_taken(from_at, to_at);

    RETURN QUERY
    SELECT coalesce(s.wait_event_type, 'CPU'), coalesce(s.wait_event, 'CPU'),
           sum(s.count) / taken, sum(s.count)::float8 / sum(sum(s.count)) OVER ()::float8
      FROM @extschema@.dbmaint_activity_samples AS s
     WHERE s.from_at >= dbmaint_wait_profile.from_at AND s.from_at < dbmaint_wait_profile.to_at
       AND s.state IN ('active', 'fastpath function call')
       AND (dbmaint_wait_profile.query_id IS NULL OR s.query_id = dbmaint_wait_profile.query_id)
     GROUP BY 1, 2
     ORDER BY 3 DESC, 1, 2;
END
$$;
COMMENT ON FUNCTION dbmaint_wait_profile(timestamptz, timestamptz, bigint) IS
'What active sessions waited for in the range, all or those executing one query id: average number of sessions at a time, and share of all rows, from 0 to 1; "CPU" is who waited for nothing. Answers in the home database only.';

REVOKE ALL ON dbmaint_wait_events, dbmaint_activity_history, dbmaint_activity_samples FROM PUBLIC;
GRANT SELECT ON dbmaint_wait_events, dbmaint_activity_history, dbmaint_activity_samples TO pg_monitor;
REVOKE ALL ON FUNCTION
    dbmaint_require_untriggered(name), dbmaint_sample_activity(timestamptz),
    dbmaint_store_activity(timestamptz, timestamptz, int, bigint, oid[], bigint[], text[], text[], text[], int[]),
    dbmaint_require_range(timestamptz, timestamptz),
    dbmaint_activity_samples_taken(timestamptz, timestamptz),
    dbmaint_activity(timestamptz, timestamptz),
    dbmaint_wait_profile(timestamptz, timestamptz, bigint)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    dbmaint_require_range(timestamptz, timestamptz),
    dbmaint_activity_samples_taken(timestamptz, timestamptz),
    dbmaint_activity(timestamptz, timestamptz),
    dbmaint_wait_profile(timestamptz, timestamptz, bigint)
TO pg_monitor;
