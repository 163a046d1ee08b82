-- src/activity/message_log.sql: what the server's log says, counted.

CREATE FUNCTION dbmaint_condition_name(sqlstate text)
RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_condition_name';
COMMENT ON FUNCTION dbmaint_condition_name(text) IS
'The name of a SQLSTATE as in the server''s documentation; NULL for one that the server does not define';

CREATE FUNCTION dbmaint_log_counts(
    OUT session_database_oid oid, OUT sqlstate text, OUT severity text,
    OUT messages bigint, OUT not_stored bigint)
RETURNS SETOF record
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'dbmaint_log_counts';
COMMENT ON FUNCTION dbmaint_log_counts() IS
'Messages that the server wrote to its log since it started, by the database of the session (0: none, as for the server''s own processes and logins that failed early), SQLSTATE and severity, and how many of them are not in dbmaint_log_history yet. What log_min_messages keeps out of the log is not counted. Database and SQLSTATE are NULL for messages of kinds that found no room. No rows where the library is not preloaded.';

CREATE TABLE dbmaint_log_history (
    database_oid oid NOT NULL,
    at timestamptz NOT NULL,
    databases oid[] NOT NULL,
    sqlstates text[] NOT NULL,
    severities text[] NOT NULL,
    counts bigint[] NOT NULL,
    PRIMARY KEY (database_oid, at)
);
CREATE INDEX dbmaint_log_history_at_idx ON dbmaint_log_history (at);
COMMENT ON TABLE dbmaint_log_history IS
'How many messages the server wrote to its log, one row for each minute (dbmaint.activity_history_interval) in which there were any, in the home database. The four arrays are parallel.';
COMMENT ON COLUMN dbmaint_log_history.database_oid IS
'The home database, which stored the row; rows that a copy of a database brought along have another one''s.';
COMMENT ON COLUMN dbmaint_log_history.at IS
'End of the interval, which began at the row before or, where there was nothing to count, later.';
COMMENT ON COLUMN dbmaint_log_history.databases IS
'OID of the session''s database; 0: none; NULL: not known, for want of room.';
COMMENT ON COLUMN dbmaint_log_history.sqlstates IS
'SQLSTATE; NULL: not known, for want of room.';
COMMENT ON COLUMN dbmaint_log_history.severities IS
'DEBUG, LOG, INFO, NOTICE, WARNING, ERROR, FATAL or PANIC.';
COMMENT ON COLUMN dbmaint_log_history.counts IS
'Messages in the interval.';

CREATE FUNCTION dbmaint_store_log(
    at timestamptz, databases oid[], sqlstates text[], severities text[], counts bigint[])
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_log_history'::name);
    INSERT INTO @extschema@.dbmaint_log_history
    SELECT d.oid, dbmaint_store_log.at, dbmaint_store_log.databases,
           dbmaint_store_log.sqlstates, dbmaint_store_log.severities, dbmaint_store_log.counts
      FROM pg_database AS d WHERE d.datname = current_database();
END
$$;
COMMENT ON FUNCTION dbmaint_store_log(timestamptz, oid[], text[], text[], bigint[]) IS
'Stores counts of log messages as a row of dbmaint_log_history; the collector "log" calls it. The arrays are parallel.';

CREATE FUNCTION dbmaint_log_errors(
    lookback interval DEFAULT '1 hour',
    OUT sqlstate text, OUT condition_name text, OUT severity text,
    OUT message_count bigint, OUT per_hour float8, OUT previous_count bigint,
    OUT status text, OUT databases text[], OUT first_seen_at timestamptz,
    OUT last_seen_at timestamptz)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    home oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    known_from timestamptz;
    from_at timestamptz;
    previous_from_at timestamptz;
BEGIN
    IF lookback IS NULL OR lookback <= interval '0' THEN
        RAISE EXCEPTION 'lookback must be a positive interval'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'For example: dbmaint_log_errors(''1 hour'').';
    END IF;
    from_at := @extschema@.dbmaint_time_before(now(), lookback);
    previous_from_at := @extschema@.dbmaint_time_before(from_at, lookback);
    -- there is no row for a quiet minute, so samples say how far back we know
    SELECT least((SELECT min(s."timestamp") FROM @extschema@.dbmaint_samples AS s),
                 (SELECT min(h.at) FROM @extschema@.dbmaint_log_history AS h
                   WHERE h.database_oid = home))
      INTO known_from;

    RETURN QUERY
    WITH messages AS (
        SELECT h.at, u.database, u.sqlstate, u.severity, u.count
          FROM @extschema@.dbmaint_log_history AS h,
               unnest(h.databases, h.sqlstates, h.severities, h.counts)
                   AS u(database, sqlstate, severity, count)
         WHERE h.database_oid = home
        UNION ALL
        SELECT now(), c.session_database_oid, c.sqlstate, c.severity, c.not_stored
          FROM @extschema@.dbmaint_log_counts() AS c
         WHERE c.not_stored > 0
    ), kinds AS (
        SELECT m.sqlstate, m.severity,
               sum(m.count) FILTER (WHERE m.at > from_at) AS recent,
               CASE WHEN known_from <= previous_from_at THEN
                   coalesce(sum(m.count) FILTER (WHERE m.at <= from_at
                                                   AND m.at > previous_from_at), 0) END AS previous,
               array_agg(DISTINCT m.database) FILTER (WHERE m.at > from_at) AS oids,
               min(m.at) AS first_at, max(m.at) AS last_at
          FROM messages AS m
         WHERE m.severity IN ('WARNING', 'ERROR', 'FATAL', 'PANIC')
         GROUP BY m.sqlstate, m.severity)
    SELECT k.sqlstate, @extschema@.dbmaint_condition_name(k.sqlstate), k.severity,
           k.recent::bigint,
           (k.recent * 3600)::float8 / extract(epoch FROM least(lookback,
               greatest(now() - known_from, interval '1 second')))::float8,
           k.previous::bigint,
           CASE WHEN k.recent < 10 THEN 'ok'
                WHEN k.previous IS NULL THEN 'unknown'
                WHEN k.recent > 3 * k.previous THEN 'spike'
                ELSE 'ok' END,
           ARRAY(SELECT coalesce(d.datname::text, format('(dropped: %s)', o.oid)) AS name
                   FROM unnest(k.oids) AS o(oid) LEFT JOIN pg_database AS d ON d.oid = o.oid
                  WHERE o.oid <> 0 ORDER BY name),
           k.first_at, k.last_at
      FROM kinds AS k
     WHERE k.recent > 0
     ORDER BY array_position(ARRAY['PANIC', 'FATAL', 'ERROR', 'WARNING'], k.severity),
              k.recent DESC, k.sqlstate;
END
$$;
COMMENT ON FUNCTION dbmaint_log_errors(interval) IS
'Warnings and errors of the server''s log in the last lookback, worst first, by SQLSTATE and severity, up to this moment: how many, how many an hour (of the time that is known, if that is less), how many in the same time before (NULL where history does not reach back that far), in which databases; first and last seen in all history, to the minute. status is "spike" for 10 or more that are over three times as many as before, "unknown" for 10 or more where before is not known. SQLSTATE is NULL for kinds that found no room. Messages that log_min_messages keeps out of the log are not counted. Complete in the home database only.';

REVOKE ALL ON dbmaint_log_history FROM PUBLIC;
GRANT SELECT ON dbmaint_log_history TO pg_monitor;
REVOKE ALL ON FUNCTION
    dbmaint_log_counts(),
    dbmaint_store_log(timestamptz, oid[], text[], text[], bigint[]),
    dbmaint_log_errors(interval)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_log_counts(), dbmaint_log_errors(interval) TO pg_monitor;
