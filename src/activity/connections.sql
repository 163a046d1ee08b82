-- src/activity/connections.sql: who keeps connections, and more each day.

CREATE TABLE dbmaint_connection_history (
    database_oid oid NOT NULL,
    at timestamptz NOT NULL,
    applications text[] NOT NULL,
    usernames text[] NOT NULL,
    sessions int[] NOT NULL,
    idle_sessions int[] NOT NULL,
    idle_in_transaction_sessions int[] NOT NULL,
    PRIMARY KEY (database_oid, at)
);
CREATE INDEX dbmaint_connection_history_at_idx ON dbmaint_connection_history (at);
COMMENT ON TABLE dbmaint_connection_history IS
'The server''s client connections by application and user, one row an hour, in the home database. The arrays are parallel.';
COMMENT ON COLUMN dbmaint_connection_history.database_oid IS
'The home database, which stored the row; rows that a copy of a database brought along have another one''s.';
COMMENT ON COLUMN dbmaint_connection_history.at IS
'When they were counted.';
COMMENT ON COLUMN dbmaint_connection_history.applications IS
'application_name.';
COMMENT ON COLUMN dbmaint_connection_history.usernames IS
'User.';
COMMENT ON COLUMN dbmaint_connection_history.sessions IS
'Connections of that application and user.';
COMMENT ON COLUMN dbmaint_connection_history.idle_sessions IS
'Of them, idle for over 10 minutes.';
COMMENT ON COLUMN dbmaint_connection_history.idle_in_transaction_sessions IS
'Of them, idle in a transaction for over a minute.';

CREATE FUNCTION dbmaint_count_sessions(
    idle_for interval, in_transaction_for interval,
    OUT application text, OUT username text, OUT sessions int,
    OUT idle_sessions int, OUT idle_in_transaction_sessions int,
    OUT longest_idle_ms float8, OUT longest_idle_in_transaction_ms float8,
    OUT client_addresses text[])
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH present AS (
        SELECT coalesce(a.application_name, '') AS application,
               coalesce(a.usename::text, '') AS username,
               a.state = 'idle' AS idle, a.state LIKE 'idle in transaction%' AS in_transaction,
               greatest(clock_timestamp() - a.state_change, interval '0') AS since,
               coalesce(host(a.client_addr), 'local') AS address
          FROM pg_stat_activity AS a
         WHERE a.backend_type = 'client backend' AND a.pid <> pg_backend_pid())
    SELECT p.application, p.username, count(*)::int,
           (count(*) FILTER (WHERE p.idle AND p.since >= idle_for))::int,
           (count(*) FILTER (WHERE p.in_transaction AND p.since >= in_transaction_for))::int,
           (extract(epoch FROM max(p.since) FILTER (WHERE p.idle)) * 1000)::float8,
           (extract(epoch FROM max(p.since) FILTER (WHERE p.in_transaction)) * 1000)::float8,
           array_agg(DISTINCT p.address)
      FROM present AS p
     GROUP BY p.application, p.username;
END
$$;
COMMENT ON FUNCTION dbmaint_count_sessions(interval, interval) IS
'The server''s client connections now, without the calling one, by application and user: how many, how many of them idle and idle in transaction for at least those times, the longest of each in milliseconds (NULL where there is none), and from where ("local": the server''s own machine)';

CREATE FUNCTION dbmaint_store_connections(at timestamptz)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_connection_history'::name);
    INSERT INTO @extschema@.dbmaint_connection_history
    SELECT d.oid, dbmaint_store_connections.at,
           coalesce(s.applications, '{}'), coalesce(s.usernames, '{}'), coalesce(s.sessions, '{}'),
           coalesce(s.idle, '{}'), coalesce(s.in_transaction, '{}')
      FROM pg_database AS d,
           (SELECT array_agg(r.application ORDER BY r.application, r.username) AS applications,
                   array_agg(r.username ORDER BY r.application, r.username) AS usernames,
                   array_agg(r.sessions ORDER BY r.application, r.username) AS sessions,
                   array_agg(r.idle_sessions ORDER BY r.application, r.username) AS idle,
                   array_agg(r.idle_in_transaction_sessions ORDER BY r.application, r.username) AS in_transaction
              FROM @extschema@.dbmaint_count_sessions(interval '10 minutes', interval '1 minute') AS r) AS s
     WHERE d.datname = current_database()
        ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION dbmaint_store_connections(timestamptz) IS
'Stores the client connections as a row of dbmaint_connection_history; the collector "connections" calls it every hour';

CREATE FUNCTION dbmaint_connection_growth(
    days int, OUT application text, OUT username text, OUT days_known int,
    OUT least_first_day int, OUT least_last_day int,
    OUT sessions_per_day float8, OUT growing boolean)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH history AS (
        SELECT date_trunc('day', h.at) AS day, h.at, h.applications, h.usernames, h.sessions
          FROM @extschema@.dbmaint_connection_history AS h
         WHERE h.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
           AND h.at > now() - make_interval(days => $1)
    ), days AS (
        SELECT h.day, count(*) AS readings FROM history AS h GROUP BY h.day
    ), seen AS (
        SELECT h.day, u.application, u.username, count(*) AS readings, min(u.sessions) AS least
          FROM history AS h,
               unnest(h.applications, h.usernames, h.sessions) AS u(application, username, sessions)
         GROUP BY h.day, u.application, u.username
    ), floors AS (
        -- who is missing in a reading had no connection then
        SELECT g.application, g.username, d.day,
               CASE WHEN s.readings = d.readings THEN s.least ELSE 0 END AS least
          FROM (SELECT DISTINCT k.application, k.username FROM seen AS k) AS g
               CROSS JOIN days AS d
               LEFT JOIN seen AS s ON s.day = d.day AND s.application = g.application
                                  AND s.username = g.username
    ), trends AS (
        SELECT f.application, f.username, count(*)::int AS days,
               (array_agg(f.least ORDER BY f.day))[1] AS first,
               (array_agg(f.least ORDER BY f.day DESC))[1] AS last,
               regr_slope(f.least, extract(epoch FROM f.day)::float8 / 86400) AS slope,
               regr_r2(f.least, extract(epoch FROM f.day)::float8 / 86400) AS fit
          FROM floors AS f
         GROUP BY f.application, f.username)
    SELECT t.application, t.username, t.days, t.first, t.last,
           CASE WHEN t.days >= 3 THEN t.slope END,
           CASE WHEN t.days >= 3 THEN t.slope >= 0.5 AND t.fit >= 0.5 AND t.last >= 1.1 * t.first END
      FROM trends AS t
$$;
COMMENT ON FUNCTION dbmaint_connection_growth(int) IS
'How the connections of each application and user grow, from the least number of each of the last days, below which a leak does not let it fall: slope of the least-squares line in sessions a day, and whether they grow (by half a session a day or more, on a line that explains half of the variance, and by a tenth in all). NULL with less than three days of history.';

CREATE FUNCTION dbmaint_connection_leaks(
    idle_for interval DEFAULT '10 minutes',
    in_transaction_for interval DEFAULT '1 minute', days int DEFAULT 7,
    OUT application text, OUT username text, OUT sessions int,
    OUT idle_sessions int, OUT idle_in_transaction_sessions int,
    OUT longest_idle_ms float8, OUT longest_idle_in_transaction_ms float8,
    OUT client_addresses text[], OUT sessions_per_day float8,
    OUT growing boolean, OUT status text, OUT advice text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF idle_for IS NULL OR idle_for < interval '0' OR in_transaction_for IS NULL
       OR in_transaction_for < interval '0' OR days IS NULL OR days NOT BETWEEN 1 AND 3650 THEN
        RAISE EXCEPTION 'the times must not be negative, and days must be from 1 to 3650'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'For example: dbmaint_connection_leaks(''10 minutes'', ''1 minute'', 7).';
    END IF;

    RETURN QUERY
    WITH joined AS (
        SELECT coalesce(r.application, g.application) AS application,
               coalesce(r.username, g.username) AS username,
               coalesce(r.sessions, 0) AS sessions, coalesce(r.idle_sessions, 0) AS idle,
               coalesce(r.idle_in_transaction_sessions, 0) AS in_transaction,
               r.longest_idle_ms AS idle_ms, r.longest_idle_in_transaction_ms AS in_transaction_ms,
               r.client_addresses[:10] AS addresses, g.sessions_per_day AS slope, g.growing AS grows,
               g.days_known, g.least_first_day, g.least_last_day
          FROM @extschema@.dbmaint_count_sessions(idle_for, in_transaction_for) AS r
               FULL JOIN @extschema@.dbmaint_connection_growth(days) AS g
                      ON g.application = r.application AND g.username = r.username)
    SELECT j.application, j.username, j.sessions, j.idle, j.in_transaction,
           j.idle_ms, j.in_transaction_ms, j.addresses, j.slope, j.grows,
           CASE WHEN j.in_transaction > 0 AND j.in_transaction_ms > 600000 THEN 'critical'
                WHEN j.in_transaction > 0 OR j.grows THEN 'warning'
                ELSE 'ok' END,
           concat_ws(' ',
               CASE WHEN j.in_transaction > 0 THEN
                   'Keeps transactions open while it does something else, which holds locks and stops vacuum: look for a missing commit or rollback after an error; set idle_in_transaction_session_timeout.' END,
               CASE WHEN j.grows THEN
                   format('Never under %s connections on the first day and never under %s on the last of %s: looks like connections that are not given back; look for code paths without close, and limit the pool.',
                          j.least_first_day, j.least_last_day, j.days_known) END,
               CASE WHEN j.idle > 0 AND j.in_transaction = 0 AND j.grows IS NOT TRUE THEN
                   CASE WHEN j.grows IS NULL
                        THEN 'Idle for long. Whether it grows is known after three days; until then, compare with the size of its pool.'
                        ELSE 'Idle for long, but not growing: the pool may be larger than it needs to be.' END END)
      FROM joined AS j
     WHERE j.idle > 0 OR j.in_transaction > 0 OR j.grows
     ORDER BY array_position(ARRAY['critical', 'warning', 'ok'],
                             CASE WHEN j.in_transaction > 0 AND j.in_transaction_ms > 600000 THEN 'critical'
                                  WHEN j.in_transaction > 0 OR j.grows THEN 'warning'
                                  ELSE 'ok' END),
              j.in_transaction DESC, j.slope DESC NULLS LAST, j.idle DESC, 1, 2;
END
$$;
COMMENT ON FUNCTION dbmaint_connection_leaks(interval, interval, int) IS
'Applications and users that look as if they leaked connections: with sessions idle for idle_for or longer, idle in a transaction for in_transaction_for or longer, or growing over the last days; worst first. client_addresses has at most 10. sessions_per_day and growing: see dbmaint_connection_growth(); NULL with less than three days of history, and outside the home database. status: critical for transactions idle for over 10 minutes, warning for shorter ones and for growth, else ok.';

REVOKE ALL ON dbmaint_connection_history FROM PUBLIC;
GRANT SELECT ON dbmaint_connection_history TO pg_monitor;
REVOKE ALL ON FUNCTION
    dbmaint_count_sessions(interval, interval), dbmaint_store_connections(timestamptz),
    dbmaint_connection_growth(int), dbmaint_connection_leaks(interval, interval, int)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    dbmaint_count_sessions(interval, interval), dbmaint_connection_growth(int),
    dbmaint_connection_leaks(interval, interval, int)
TO pg_monitor;
