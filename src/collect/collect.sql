-- src/collect/collect.sql: what the collectors read by SQL.
--
-- Each function returns one row whose columns are metrics (dbmaint_metrics());
-- counters are totals, from which the sampler takes the increase.
-- stats_reset says since when they count.

CREATE FUNCTION dbmaint_metrics(
    OUT metric text, OUT unit text, OUT type text, OUT scope text, OUT help text)
RETURNS SETOF record
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_metrics';
COMMENT ON FUNCTION dbmaint_metrics() IS
'The metric table: every column of performance_metrics that is measured, with its unit, its type (gauge or counter; of a counter the increase over the interval is stored), its scope (database, or cluster: stored by the home database alone) and its help';

CREATE FUNCTION dbmaint_client_sessions(
    OUT pid int, OUT database name, OUT username name, OUT state text, OUT hidden boolean,
    OUT wait_event_type text, OUT xact_start timestamptz, OUT query_start timestamptz,
    OUT state_change timestamptz)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT a.pid, a.datname, a.usename,
           -- locks are only read where somebody hides what he does
           CASE WHEN a.state IS DISTINCT FROM 'disabled' THEN a.state
                WHEN a.wait_event IS DISTINCT FROM 'ClientRead' THEN 'active'
                WHEN a.pid = ANY (ARRAY(SELECT l.pid FROM pg_locks AS l
                                         WHERE l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock'))
                     THEN 'idle in transaction'
                ELSE 'idle' END,
           coalesce(a.state = 'disabled', false), a.wait_event_type,
           a.xact_start, a.query_start, a.state_change
      FROM pg_stat_activity AS a
     WHERE a.backend_type = 'client backend';
END
$$;
COMMENT ON FUNCTION dbmaint_client_sessions() IS
'The server''s client connections as in pg_stat_activity. One whose track_activities is off is hidden: its state is told from what it waits for and whether it is in a transaction (COPY FROM STDIN that waits for data looks idle in transaction), and its times are NULL.';

CREATE FUNCTION dbmaint_read_activity(
    OUT total_connections int, OUT active_connections int,
    OUT idle_connections int, OUT idle_in_transaction_connections int,
    OUT max_connections int, OUT blocked_sessions int,
    OUT oldest_transaction_ms float8, OUT longest_query_ms float8,
    OUT lwlock_waits int, OUT io_waits int, OUT client_waits int,
    OUT other_waits int)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT count(*),
           count(*) FILTER (WHERE a.state = 'active'),
           count(*) FILTER (WHERE a.state = 'idle'),
           count(*) FILTER (WHERE a.state LIKE 'idle in transaction%'),
           current_setting('max_connections'),
           count(*) FILTER (WHERE a.wait_event_type = 'Lock'),
           -- what began while this statement looked has no negative age; none at
           -- all is known to be well, so that an alert on the last one resolves
           coalesce(max(greatest(extract(epoch FROM clock_timestamp() - a.xact_start), 0))
               FILTER (WHERE a.xact_start IS NOT NULL),
               CASE WHEN count(*) FILTER (WHERE a.hidden AND a.state <> 'idle') = 0 THEN 0 END) * 1000,
           coalesce(max(greatest(extract(epoch FROM clock_timestamp() - a.query_start), 0))
               FILTER (WHERE a.state = 'active' AND a.query_start IS NOT NULL),
               CASE WHEN count(*) FILTER (WHERE a.hidden AND a.state = 'active') = 0 THEN 0 END) * 1000,
           count(*) FILTER (WHERE a.state = 'active' AND a.wait_event_type = 'LWLock'),
           count(*) FILTER (WHERE a.state = 'active' AND a.wait_event_type = 'IO'),
           count(*) FILTER (WHERE a.state = 'active' AND a.wait_event_type = 'Client'),
           count(*) FILTER (WHERE a.state = 'active' AND a.wait_event_type NOT IN ('Lock', 'LWLock', 'IO', 'Client'))
      INTO total_connections, active_connections, idle_connections,
           idle_in_transaction_connections, max_connections, blocked_sessions,
           oldest_transaction_ms, longest_query_ms, lwlock_waits, io_waits,
           client_waits, other_waits
      FROM @extschema@.dbmaint_client_sessions() AS a;
END
$$;
COMMENT ON FUNCTION dbmaint_read_activity() IS
'What the collector "activity" reads: the server''s client connections by state, what they wait for, and the oldest transaction and statement in milliseconds (NULL where there are only such of sessions with track_activities off, which do not tell)';

CREATE FUNCTION dbmaint_read_database(
    OUT stats_reset timestamptz, OUT database_connections int,
    OUT commits bigint, OUT rollbacks bigint, OUT blocks_read bigint,
    OUT blocks_hit bigint, OUT deadlocks bigint, OUT temp_files bigint,
    OUT temp_bytes bigint, OUT checksum_failures bigint)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_catalog.pg_stat_get_db_stat_reset_time(d.oid),
           pg_catalog.pg_stat_get_db_numbackends(d.oid),
           pg_catalog.pg_stat_get_db_xact_commit(d.oid),
           pg_catalog.pg_stat_get_db_xact_rollback(d.oid),
           pg_catalog.pg_stat_get_db_blocks_fetched(d.oid)
               - pg_catalog.pg_stat_get_db_blocks_hit(d.oid),
           pg_catalog.pg_stat_get_db_blocks_hit(d.oid),
           pg_catalog.pg_stat_get_db_deadlocks(d.oid),
           pg_catalog.pg_stat_get_db_temp_files(d.oid),
           pg_catalog.pg_stat_get_db_temp_bytes(d.oid),
           pg_catalog.pg_stat_get_db_checksum_failures(d.oid)
      FROM pg_catalog.pg_database AS d
     WHERE d.datname = pg_catalog.current_database()
$$;
COMMENT ON FUNCTION dbmaint_read_database() IS
'What the collector "database" reads: this database''s cumulative statistics';

CREATE FUNCTION dbmaint_read_database_size(OUT database_size_bytes bigint)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT pg_catalog.pg_database_size(pg_catalog.current_database()) $$;
COMMENT ON FUNCTION dbmaint_read_database_size() IS
'What the collector "database_size" reads; it visits every file of the database, hence a collector of its own, at dbmaint.objects_interval';

CREATE FUNCTION dbmaint_read_server(
    OUT wal_bytes bigint, OUT checkpoints_timed bigint,
    OUT checkpoints_requested bigint)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT w.wal_bytes INTO wal_bytes FROM pg_catalog.pg_stat_wal AS w;
    -- 17 moved the checkpointer's counters to a view of their own
    IF pg_catalog.current_setting('server_version_num')::int >= 170000 THEN
        SELECT c.num_timed, c.num_requested
          INTO checkpoints_timed, checkpoints_requested
          FROM pg_catalog.pg_stat_checkpointer AS c;
    ELSE
        SELECT b.checkpoints_timed, b.checkpoints_req
          INTO checkpoints_timed, checkpoints_requested
          FROM pg_catalog.pg_stat_bgwriter AS b;
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_read_server() IS
'What the collector "server" reads: the server''s WAL and checkpoint counters';

CREATE FUNCTION dbmaint_disk_space(
    OUT tablespace text, OUT path text, OUT free_bytes bigint,
    OUT total_bytes bigint)
RETURNS SETOF record
LANGUAGE C STABLE
AS 'MODULE_PATHNAME', 'dbmaint_disk_space';
COMMENT ON FUNCTION dbmaint_disk_space() IS
'The file systems that hold the tablespaces and the WAL (named "pg_wal"): what is free for the server, and their size, in bytes; NULL where the operating system does not tell';

REVOKE ALL ON FUNCTION
    dbmaint_client_sessions(), dbmaint_read_activity(), dbmaint_read_database(),
    dbmaint_read_database_size(), dbmaint_read_server(), dbmaint_disk_space()
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_client_sessions(), dbmaint_disk_space() TO pg_monitor;
