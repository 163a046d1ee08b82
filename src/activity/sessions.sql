-- src/activity/sessions.sql: who is connected, locks and waits at this moment.

CREATE FUNCTION dbmaint_connections(
    OUT database text, OUT username text, OUT application text, OUT state text,
    OUT connections int, OUT longest_in_state_ms float8, OUT oldest_transaction_ms float8)
RETURNS SETOF record
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT a.datname::text, a.usename::text, a.application_name, a.state, count(*)::int,
           (extract(epoch FROM max(greatest(clock_timestamp() - a.state_change, interval '0'))
               FILTER (WHERE a.state_change IS NOT NULL)) * 1000)::float8,
           (extract(epoch FROM max(greatest(clock_timestamp() - a.xact_start, interval '0'))
               FILTER (WHERE a.xact_start IS NOT NULL)) * 1000)::float8
      FROM pg_stat_activity AS a
     WHERE a.backend_type = 'client backend'
     GROUP BY a.datname, a.usename, a.application_name, a.state
     ORDER BY count(*) DESC, 1, 2, 3, 4;
END
$$;
COMMENT ON FUNCTION dbmaint_connections() IS
'The server''s client connections now by database, user, application and state: how many, for how long the longest of them has been in that state, and the age of their oldest transaction, in milliseconds (NULL where none is in one)';

CREATE FUNCTION dbmaint_locks(
    OUT relation text, OUT lock_mode text, OUT granted int, OUT waiting int,
    OUT longest_wait_ms float8, OUT pids int[])
RETURNS SETOF record
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT coalesce(format('%I.%I', n.nspname, c.relname), format('(dropped: %s)', l.relation)),
           l.mode, (count(*) FILTER (WHERE l.granted))::int,
           (count(*) FILTER (WHERE NOT l.granted))::int,
           (extract(epoch FROM max(greatest(clock_timestamp() - l.waitstart, interval '0'))
               FILTER (WHERE NOT l.granted AND l.waitstart IS NOT NULL)) * 1000)::float8,
           array_agg(DISTINCT l.pid)
      FROM pg_locks AS l
           LEFT JOIN (pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace) ON c.oid = l.relation
     WHERE l.locktype = 'relation' AND l.pid IS DISTINCT FROM pg_backend_pid()
       AND l.database IN (0, (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()))
     GROUP BY n.nspname, c.relname, l.relation, l.mode
     ORDER BY 4 DESC, 3 DESC, 1, 2;
END
$$;
COMMENT ON FUNCTION dbmaint_locks() IS
'Locks on this database''s relations and on shared catalogs now, by relation and mode, without the calling session''s: how many are held and waited for, the longest wait in milliseconds (NULL where nobody waits), and by which processes (NULL in the list: a prepared transaction)';

CREATE FUNCTION dbmaint_blocked(
    OUT blocked_pid int, OUT blocked_user text, OUT blocked_query text,
    OUT waiting_ms float8, OUT lock_type text, OUT lock_mode text, OUT relation text,
    OUT blocking_pid int, OUT blocking_user text, OUT blocking_state text,
    OUT blocking_query text, OUT blocking_transaction_ms float8)
RETURNS SETOF record
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT w.pid, w.usename::text, w.query,
           CASE WHEN l.waitstart IS NOT NULL THEN
               (extract(epoch FROM greatest(clock_timestamp() - l.waitstart, interval '0')) * 1000)::float8 END,
           l.locktype, l.mode,
           CASE WHEN d.datname = current_database() THEN format('%I.%I', n.nspname, c.relname) END,
           b.pid, h.usename::text,
           CASE WHEN b.pid = 0 THEN 'prepared transaction' ELSE h.state END, h.query,
           CASE WHEN h.xact_start IS NOT NULL THEN
               (extract(epoch FROM greatest(clock_timestamp() - h.xact_start, interval '0')) * 1000)::float8 END
      FROM pg_locks AS l
           JOIN pg_stat_activity AS w ON w.pid = l.pid
           CROSS JOIN LATERAL (SELECT DISTINCT u.pid FROM unnest(pg_blocking_pids(l.pid)) AS u(pid)) AS b
           LEFT JOIN pg_stat_activity AS h ON h.pid = b.pid
           LEFT JOIN pg_database AS d ON d.oid = l.database
           LEFT JOIN (pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace) ON c.oid = l.relation
     WHERE NOT l.granted
     ORDER BY 4 DESC NULLS LAST, 1, 8;
END
$$;
COMMENT ON FUNCTION dbmaint_blocked() IS
'Every session of the server that waits for a lock now, with each process that it waits for: since when, for what (relation: NULL if it is none of this database), and what the other one is doing. Times in milliseconds. blocking_pid 0 is a prepared transaction.';

REVOKE ALL ON FUNCTION dbmaint_connections(), dbmaint_locks(), dbmaint_blocked() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_connections(), dbmaint_locks(), dbmaint_blocked() TO pg_monitor;
