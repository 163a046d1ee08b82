/*
 * src/pool/pool.sql: PgBouncer's pools, live and as they were.
 *
 * A reading is one row of dbmaint_pool_snapshots, whose columns are lists with
 * a value for each pool, since rows for each would take ten times as much; -1
 * in a list stands for what PgBouncer did not tell.  dbmaint_pool_history has
 * them as rows, in the shape of dbmaint_pools(), which asks PgBouncer now.
 */

CREATE TABLE dbmaint_pool_names (
    database_oid oid NOT NULL,
    pool_id int NOT NULL,
    pool_database text NOT NULL,
    pool_user text NOT NULL,
    pool_mode text,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    PRIMARY KEY (database_oid, pool_id),
    UNIQUE (database_oid, pool_database, pool_user)
);
COMMENT ON TABLE dbmaint_pool_names IS
'The pools of PgBouncer, by the number that the snapshots have for them.';
COMMENT ON COLUMN dbmaint_pool_names.database_oid IS
'The home database, which read them; rows that a copy of a database brought along have another one''s.';
COMMENT ON COLUMN dbmaint_pool_names.pool_id IS
'Number in dbmaint_pool_snapshots.pool_ids.';
COMMENT ON COLUMN dbmaint_pool_names.pool_database IS
'Name by which clients ask PgBouncer for the database; cut to 255 bytes.';
COMMENT ON COLUMN dbmaint_pool_names.pool_user IS
'User of the pool; cut to 255 bytes.';
COMMENT ON COLUMN dbmaint_pool_names.pool_mode IS
'session, transaction or statement, as in the last reading; NULL where not known.';
COMMENT ON COLUMN dbmaint_pool_names.first_seen_at IS
'The first reading that had it.';
COMMENT ON COLUMN dbmaint_pool_names.last_seen_at IS
'When a reading had it last; written once a day, so it is up to a day early.';

CREATE TABLE dbmaint_pool_snapshots (
    database_oid oid NOT NULL,
    taken_at timestamptz NOT NULL,
    interval_ms float8,
    dropped int NOT NULL,
    pool_ids dbmaint_packed NOT NULL,
    cl_active dbmaint_packed,
    cl_waiting dbmaint_packed,
    sv_active dbmaint_packed,
    sv_idle dbmaint_packed,
    sv_used dbmaint_packed,
    sv_tested dbmaint_packed,
    sv_login dbmaint_packed,
    maxwait_us dbmaint_packed,
    pool_size dbmaint_packed,
    avg_wait_us dbmaint_packed,
    avg_query_us dbmaint_packed,
    avg_queries dbmaint_packed,
    PRIMARY KEY (database_oid, taken_at)
);
CREATE INDEX dbmaint_pool_snapshots_taken_at_idx ON dbmaint_pool_snapshots (taken_at);
COMMENT ON TABLE dbmaint_pool_snapshots IS
'One row a reading of PgBouncer (every dbmaint.pool_interval, in the home database); its columns are lists with a value for each pool, -1 where it is not known. dbmaint_pool_history has them as rows. No row where PgBouncer could not be read.';
COMMENT ON COLUMN dbmaint_pool_snapshots.database_oid IS
'The home database, which read it; rows that a copy of a database brought along have another one''s.';
COMMENT ON COLUMN dbmaint_pool_snapshots.taken_at IS
'When PgBouncer was read.';
COMMENT ON COLUMN dbmaint_pool_snapshots.interval_ms IS
'Time since the reading before, in milliseconds; NULL where that is more than three times dbmaint.pool_interval, or there is none.';
COMMENT ON COLUMN dbmaint_pool_snapshots.dropped IS
'Pools that were not stored because there are over 20,000 names already.';
COMMENT ON COLUMN dbmaint_pool_snapshots.pool_ids IS
'The pools, ascending; see dbmaint_pool_names. The other lists are in the same order.';
COMMENT ON COLUMN dbmaint_pool_snapshots.cl_active IS
'Client connections that have a server connection, or want none at the moment.';
COMMENT ON COLUMN dbmaint_pool_snapshots.cl_waiting IS
'Client connections that have sent a query and wait for a server connection.';
COMMENT ON COLUMN dbmaint_pool_snapshots.sv_active IS
'Server connections that a client has.';
COMMENT ON COLUMN dbmaint_pool_snapshots.sv_idle IS
'Server connections that are free.';
COMMENT ON COLUMN dbmaint_pool_snapshots.sv_used IS
'Server connections that have been free for longer than server_check_delay.';
COMMENT ON COLUMN dbmaint_pool_snapshots.sv_tested IS
'Server connections that run the check or the reset query.';
COMMENT ON COLUMN dbmaint_pool_snapshots.sv_login IS
'Server connections that are being made.';
COMMENT ON COLUMN dbmaint_pool_snapshots.maxwait_us IS
'How long the first client of the queue has waited, in microseconds.';
COMMENT ON COLUMN dbmaint_pool_snapshots.pool_size IS
'How many server connections the pool may have, without the reserve.';
COMMENT ON COLUMN dbmaint_pool_snapshots.avg_wait_us IS
'Mean wait of the database''s clients for a server connection, in microseconds, as SHOW STATS has it.';
COMMENT ON COLUMN dbmaint_pool_snapshots.avg_query_us IS
'Mean duration of the database''s queries, in microseconds, as SHOW STATS has it.';
COMMENT ON COLUMN dbmaint_pool_snapshots.avg_queries IS
'Queries of the database, a second, as SHOW STATS has it.';

CREATE TABLE dbmaint_pool_setting_history (
    database_oid oid NOT NULL,
    pool_database text NOT NULL,
    setting text NOT NULL,
    changed_at timestamptz NOT NULL,
    value text,
    PRIMARY KEY (database_oid, pool_database, setting, changed_at)
);
CREATE INDEX dbmaint_pool_setting_history_changed_at_idx ON dbmaint_pool_setting_history (changed_at);
COMMENT ON TABLE dbmaint_pool_setting_history IS
'The settings of PgBouncer that concern its pools (SHOW CONFIG, SHOW DATABASES), a row for each change that a reading found, and one when it was seen first. dbmaint_pool_settings() asks now.';
COMMENT ON COLUMN dbmaint_pool_setting_history.database_oid IS
'The home database, which read it; rows that a copy of a database brought along have another one''s.';
COMMENT ON COLUMN dbmaint_pool_setting_history.pool_database IS
'PgBouncer''s name of the database whose setting it is; empty: PgBouncer''s own.';
COMMENT ON COLUMN dbmaint_pool_setting_history.setting IS
'Its name.';
COMMENT ON COLUMN dbmaint_pool_setting_history.changed_at IS
'The reading that found it so.';
COMMENT ON COLUMN dbmaint_pool_setting_history.value IS
'What it is since then, as PgBouncer shows it (times in seconds); NULL: there is no such setting any more.';

CREATE TABLE dbmaint_pool_commands (
    command_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    database_oid oid NOT NULL,
    sent_at timestamptz NOT NULL,
    sent_by name NOT NULL,
    statement text NOT NULL,
    succeeded boolean,
    answer text
);
CREATE INDEX dbmaint_pool_commands_sent_at_idx ON dbmaint_pool_commands (sent_at);
COMMENT ON TABLE dbmaint_pool_commands IS
'What dbmaint_pool_command() sent to PgBouncer: who, when, what, and what it answered. The server''s log has the same, also where the transaction was rolled back.';
COMMENT ON SEQUENCE dbmaint_pool_commands_command_id_seq IS
'Numbers of the commands.';
COMMENT ON COLUMN dbmaint_pool_commands.command_id IS
'Number of the command.';
COMMENT ON COLUMN dbmaint_pool_commands.database_oid IS
'The database from which it was sent; rows that a copy of a database brought along have another one''s.';
COMMENT ON COLUMN dbmaint_pool_commands.sent_at IS
'When it was sent.';
COMMENT ON COLUMN dbmaint_pool_commands.sent_by IS
'The role that had logged in (session_user).';
COMMENT ON COLUMN dbmaint_pool_commands.statement IS
'The statement, as PgBouncer got it.';
COMMENT ON COLUMN dbmaint_pool_commands.succeeded IS
'Whether PgBouncer did it.';
COMMENT ON COLUMN dbmaint_pool_commands.answer IS
'What it answered, or why nobody did.';

-- History is not dumped: no pg_extension_config_dump here.

CREATE FUNCTION dbmaint_pools(
    OUT pool_name text, OUT database text, OUT "user" text, OUT pool_mode text,
    OUT cl_active bigint, OUT cl_waiting bigint, OUT sv_active bigint,
    OUT sv_idle bigint, OUT sv_used bigint, OUT sv_tested bigint,
    OUT sv_login bigint, OUT maxwait_ms float8, OUT pool_size bigint,
    OUT pool_efficiency float8, OUT server_utilization float8,
    OUT multiplexing float8, OUT exhausted boolean, OUT avg_wait_ms float8,
    OUT avg_query_ms float8, OUT avg_queries_per_s float8)
RETURNS SETOF record
LANGUAGE C VOLATILE ROWS 20
AS 'MODULE_PATHNAME', 'dbmaint_pools';
COMMENT ON FUNCTION dbmaint_pools() IS
'The pools of PgBouncer now, asked on a connection of its own (dbmaint.pgbouncer_conninfo) within 2 seconds; without the console''s own. pool_name is database.user. pool_efficiency is the runbook''s 100 * cl_active / sv_active: per cent, NULL where no server connection is active, far above 100 in transaction mode, where idle clients need none. server_utilization is the share of all server connections that clients have, from 0 to 1; multiplexing the clients of each server connection. exhausted: clients wait and no server connection is free. Waits and durations are in milliseconds, means of PgBouncer''s stats_period for the whole database; avg_wait_ms is, before PgBouncer 1.23, the wait of all clients a second. NULL where PgBouncer does not tell. No rows where no PgBouncer is configured; an error where it cannot be read.';

CREATE FUNCTION dbmaint_pool_settings(
    OUT database text, OUT setting text, OUT value text,
    OUT default_value text, OUT changeable boolean)
RETURNS SETOF record
LANGUAGE C VOLATILE ROWS 50
AS 'MODULE_PATHNAME', 'dbmaint_pool_settings';
COMMENT ON FUNCTION dbmaint_pool_settings() IS
'The settings of PgBouncer that concern its pools, asked now: of PgBouncer itself (SHOW CONFIG; database is NULL) with their defaults and whether a reload changes them, and those of each database (SHOW DATABASES), where they hold for it. Times are in seconds, 0 is mostly "no limit". default_value and changeable are NULL where PgBouncer does not tell. Nothing of authentication, files or addresses. No rows where no PgBouncer is configured; an error where it cannot be read.';

CREATE FUNCTION dbmaint_pool_status(
    OUT configured boolean, OUT state text, OUT tried_at timestamptz,
    OUT read_at timestamptz, OUT cost_ms float8, OUT pools int,
    OUT readings bigint, OUT errors bigint, OUT failures_in_a_row int,
    OUT version text, OUT message text, OUT advice text)
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'dbmaint_pool_status';
COMMENT ON FUNCTION dbmaint_pool_status() IS
'What became of reading PgBouncer: ok, or why not (not configured, not read yet, unreachable, no answer, authentication failed, console access denied, TLS failed, not a PgBouncer, ...) with its message and what to do; when it was tried and when it worked last; the time from question to answer; its version and the number of pools. Counts since the server started. Answers in every database, from shared memory, without asking PgBouncer.';

CREATE FUNCTION dbmaint_send_pool_command(
    command text, target text, value text, timeout_ms int,
    OUT statement text, OUT succeeded boolean, OUT answer text)
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'dbmaint_send_pool_command';
COMMENT ON FUNCTION dbmaint_send_pool_command(text, text, text, int) IS
'Sends a command to PgBouncer, for a superuser, or only checks it where timeout_ms is 0. Part of dbmaint_pool_command(), which notes it as well.';

CREATE FUNCTION dbmaint_pool_command(
    command text, target text DEFAULT NULL, value text DEFAULT NULL,
    timeout interval DEFAULT '10 s',
    OUT command_id bigint, OUT succeeded boolean, OUT answer text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    timeout_ms CONSTANT float8 := extract(epoch FROM timeout) * 1000;
    checked record;
    sent record;
BEGIN
    IF timeout_ms IS NULL OR timeout_ms NOT BETWEEN 1 AND 600000 THEN
        RAISE EXCEPTION 'timeout must be from 1 ms to 10 min'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- noted first: what cannot be noted must not be sent
    SELECT s.* INTO checked
      FROM @extschema@.dbmaint_send_pool_command(command::text, target::text, value::text, 0) AS s;
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_pool_commands'::name);
    INSERT INTO @extschema@.dbmaint_pool_commands AS c (database_oid, sent_at, sent_by, statement)
    SELECT d.oid, clock_timestamp(), session_user, checked.statement
      FROM pg_database AS d WHERE d.datname = current_database()
    RETURNING c.command_id INTO dbmaint_pool_command.command_id;

    SELECT s.* INTO sent
      FROM @extschema@.dbmaint_send_pool_command(command::text, target::text, value::text, timeout_ms::int) AS s;
    succeeded := sent.succeeded;
    answer := sent.answer;
    UPDATE @extschema@.dbmaint_pool_commands AS c
       SET succeeded = sent.succeeded, answer = sent.answer
     WHERE c.command_id = dbmaint_pool_command.command_id;
END
$$;
COMMENT ON FUNCTION dbmaint_pool_command(text, text, text, interval) IS
'Sends PgBouncer a command, for superusers, and notes it in dbmaint_pool_commands and in the server''s log: PAUSE or RESUME (target: a database; NULL: all), RELOAD, or SET of a setting that concerns pools (target: its name, value: its value), which lasts until PgBouncer restarts or reloads. Returns whether PgBouncer did it, and its answer. A PAUSE that clients do not let happen within the timeout is undone by RESUME. The user of dbmaint.pgbouncer_conninfo must be one of PgBouncer''s admin_users.';

CREATE FUNCTION dbmaint_store_pool_settings(
    at timestamptz, databases text[], settings text[], texts text[])
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = off
SET jit = off
AS $$
BEGIN
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_pool_setting_history'::name);
    INSERT INTO @extschema@.dbmaint_pool_setting_history (database_oid, pool_database, setting, changed_at, value)
    SELECT me.oid, coalesce(n.database, k.pool_database), coalesce(n.setting, k.setting), at, n.value
      FROM (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()) AS me
     CROSS JOIN
           ((SELECT DISTINCT ON (u.database, u.setting) u.database, u.setting, u.value
               FROM unnest(databases, settings, texts) AS u(database, setting, value)
              ORDER BY u.database, u.setting, u.value) AS n
             FULL JOIN
            (SELECT DISTINCT ON (h.pool_database, h.setting) h.pool_database, h.setting, h.value
               FROM @extschema@.dbmaint_pool_setting_history AS h
              WHERE h.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
              ORDER BY h.pool_database, h.setting, h.changed_at DESC) AS k
               ON k.pool_database = n.database AND k.setting = n.setting)
     WHERE n.value IS DISTINCT FROM k.value
        ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION dbmaint_store_pool_settings(timestamptz, text[], text[], text[]) IS
'Notes the settings of PgBouncer that are not what they were at the last reading. Part of dbmaint_store_pools().';

CREATE FUNCTION dbmaint_store_pools(
    at timestamptz, databases text[], users text[], modes text[],
    cl_active bigint[], cl_waiting bigint[], sv_active bigint[], sv_idle bigint[],
    sv_used bigint[], sv_tested bigint[], sv_login bigint[], maxwait_us bigint[],
    pool_size bigint[], avg_wait_us bigint[], avg_query_us bigint[], avg_queries bigint[],
    setting_databases text[], settings text[], setting_texts text[])
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
-- nobody knows how many pools there will be: thousands must not be joined in loops
SET enable_nestloop = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    me CONSTANT oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    most_names CONSTANT int := 20000;
    previous_at timestamptz;
BEGIN
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_pool_names'::name);
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_pool_snapshots'::name);
    SELECT max(s.taken_at) INTO previous_at
      FROM @extschema@.dbmaint_pool_snapshots AS s WHERE s.database_oid = me AND s.taken_at < at;

    -- one pass, since there may be thousands of pools
    WITH read AS MATERIALIZED (
        SELECT DISTINCT ON (u.database, u."user") u.*, k.pool_id, k.pool_mode, k.last_seen_at
          FROM unnest(databases, users, modes, dbmaint_store_pools.cl_active, dbmaint_store_pools.cl_waiting,
                      dbmaint_store_pools.sv_active, dbmaint_store_pools.sv_idle, dbmaint_store_pools.sv_used,
                      dbmaint_store_pools.sv_tested, dbmaint_store_pools.sv_login, dbmaint_store_pools.maxwait_us,
                      dbmaint_store_pools.pool_size, dbmaint_store_pools.avg_wait_us, dbmaint_store_pools.avg_query_us,
                      dbmaint_store_pools.avg_queries) WITH ORDINALITY
                   AS u(database, "user", mode, cl_active, cl_waiting, sv_active, sv_idle, sv_used, sv_tested, sv_login,
                        maxwait_us, pool_size, avg_wait_us, avg_query_us, avg_queries, place)
          LEFT JOIN @extschema@.dbmaint_pool_names AS k
            ON k.database_oid = me AND k.pool_database = u.database AND k.pool_user = u."user"
         ORDER BY u.database, u."user", u.place
    ), added AS (
        INSERT INTO @extschema@.dbmaint_pool_names AS n
            (database_oid, pool_id, pool_database, pool_user, pool_mode, first_seen_at, last_seen_at)
        SELECT me, m.last_id + row_number() OVER (ORDER BY r.database, r."user"),
               r.database, r."user", nullif(r.mode, ''), at, at
          FROM read AS r, (SELECT coalesce(max(k.pool_id), 0) AS last_id
                             FROM @extschema@.dbmaint_pool_names AS k WHERE k.database_oid = me) AS m
         WHERE r.pool_id IS NULL
         ORDER BY r.database, r."user"
         LIMIT (SELECT greatest(most_names - count(*), 0)
                  FROM @extschema@.dbmaint_pool_names AS k WHERE k.database_oid = me)
        RETURNING n.pool_id, n.pool_database, n.pool_user
    ), renewed AS (
        UPDATE @extschema@.dbmaint_pool_names AS n
           SET last_seen_at = greatest(n.last_seen_at, at), pool_mode = nullif(r.mode, '')
          FROM read AS r
         WHERE n.database_oid = me AND n.pool_id = r.pool_id
           AND (r.last_seen_at < at - interval '1 day' OR r.pool_mode IS DISTINCT FROM nullif(r.mode, ''))
    )
    INSERT INTO @extschema@.dbmaint_pool_snapshots
        (database_oid, taken_at, interval_ms, dropped, pool_ids,
         cl_active, cl_waiting, sv_active, sv_idle, sv_used, sv_tested, sv_login, maxwait_us, pool_size, avg_wait_us, avg_query_us, avg_queries)
    SELECT me, at,
           CASE WHEN at - previous_at <= 3 * coalesce(current_setting('dbmaint.pool_interval', true), '1min')::interval
                THEN extract(epoch FROM at - previous_at)::float8 * 1000 END,
           (count(*) FILTER (WHERE p.id IS NULL))::int,
           coalesce(array_agg(p.id ORDER BY p.id) FILTER (WHERE p.id IS NOT NULL), '{}'::bigint[])::@extschema@.dbmaint_packed,
           (array_agg(p.cl_active ORDER BY p.id) FILTER (WHERE p.id IS NOT NULL))::@extschema@.dbmaint_packed,
           (array_agg(p.cl_waiting ORDER BY p.id) FILTER (WHERE p.id IS NOT NULL))::@extschema@.dbmaint_packed,
           (array_agg(p.sv_active ORDER BY p.id) FILTER (WHERE p.id IS NOT NULL))::@extschema@.dbmaint_packed,
           (array_agg(p.sv_idle ORDER BY p.id) FILTER (WHERE p.id IS NOT NULL))::@extschema@.dbmaint_packed,
           (array_agg(p.sv_used ORDER BY p.id) FILTER (WHERE p.id IS NOT NULL))::@extschema@.dbmaint_packed,
           (array_agg(p.sv_tested ORDER BY p.id) FILTER (WHERE p.id IS NOT NULL))::@extschema@.dbmaint_packed,
           (array_agg(p.sv_login ORDER BY p.id) FILTER (WHERE p.id IS NOT NULL))::@extschema@.dbmaint_packed,
           (array_agg(p.maxwait_us ORDER BY p.id) FILTER (WHERE p.id IS NOT NULL))::@extschema@.dbmaint_packed,
           (array_agg(p.pool_size ORDER BY p.id) FILTER (WHERE p.id IS NOT NULL))::@extschema@.dbmaint_packed,
           (array_agg(p.avg_wait_us ORDER BY p.id) FILTER (WHERE p.id IS NOT NULL))::@extschema@.dbmaint_packed,
           (array_agg(p.avg_query_us ORDER BY p.id) FILTER (WHERE p.id IS NOT NULL))::@extschema@.dbmaint_packed,
           (array_agg(p.avg_queries ORDER BY p.id) FILTER (WHERE p.id IS NOT NULL))::@extschema@.dbmaint_packed
      FROM (SELECT r.*, coalesce(r.pool_id, a.pool_id)::bigint AS id
              FROM read AS r LEFT JOIN added AS a ON a.pool_database = r.database AND a.pool_user = r."user") AS p
        ON CONFLICT DO NOTHING;

    PERFORM @extschema@.dbmaint_store_pool_settings(
        at::timestamptz, setting_databases::text[], settings::text[], setting_texts::text[]);
END
$$;
COMMENT ON FUNCTION dbmaint_store_pools(timestamptz, text[], text[], text[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], text[], text[], text[]) IS
'Stores a reading of PgBouncer; the collector "pool" calls it. The arrays of pools are parallel, -1 stands for what is not known; so are those of settings. A pool that is listed twice counts once, and a reading that is stored already stays as it is.';

CREATE VIEW dbmaint_pool_history AS
SELECT h.taken_at, h.interval_ms,
       CASE WHEN h.pool_user OPERATOR(pg_catalog.=) ''::pg_catalog.text THEN h.pool_database
            ELSE pg_catalog.concat(h.pool_database, '.', h.pool_user) END AS pool_name,
       h.pool_database AS database, h.pool_user AS "user", h.pool_mode,
       h.cl_active, h.cl_waiting, h.sv_active, h.sv_idle, h.sv_used, h.sv_tested, h.sv_login,
       h.maxwait_us::pg_catalog.float8 OPERATOR(pg_catalog./) 1000::pg_catalog.float8 AS maxwait_ms,
       h.pool_size,
       100::pg_catalog.float8 OPERATOR(pg_catalog.*) h.cl_active::pg_catalog.float8
           OPERATOR(pg_catalog./) nullif(h.sv_active, 0::bigint)::pg_catalog.float8 AS pool_efficiency,
       h.sv_active::pg_catalog.float8
           OPERATOR(pg_catalog./) nullif(h.servers, 0::pg_catalog.float8) AS server_utilization,
       h.cl_active::pg_catalog.float8
           OPERATOR(pg_catalog./) nullif(h.servers, 0::pg_catalog.float8) AS multiplexing,
       h.cl_waiting OPERATOR(pg_catalog.>) 0::bigint AND h.sv_idle OPERATOR(pg_catalog.=) 0::bigint
           AND coalesce(h.sv_used, 0::bigint) OPERATOR(pg_catalog.=) 0::bigint AS exhausted,
       h.avg_wait_us::pg_catalog.float8 OPERATOR(pg_catalog./) 1000::pg_catalog.float8 AS avg_wait_ms,
       h.avg_query_us::pg_catalog.float8 OPERATOR(pg_catalog./) 1000::pg_catalog.float8 AS avg_query_ms,
       h.avg_queries::pg_catalog.float8 AS avg_queries_per_s
  FROM (SELECT s.taken_at, s.interval_ms, k.pool_database, k.pool_user, k.pool_mode,
               nullif(v.cl_active, -1::bigint) AS cl_active,
               nullif(v.cl_waiting, -1::bigint) AS cl_waiting,
               nullif(v.sv_active, -1::bigint) AS sv_active,
               nullif(v.sv_idle, -1::bigint) AS sv_idle,
               nullif(v.sv_used, -1::bigint) AS sv_used,
               nullif(v.sv_tested, -1::bigint) AS sv_tested,
               nullif(v.sv_login, -1::bigint) AS sv_login,
               nullif(v.maxwait_us, -1::bigint) AS maxwait_us,
               nullif(v.pool_size, -1::bigint) AS pool_size,
               nullif(v.avg_wait_us, -1::bigint) AS avg_wait_us,
               nullif(v.avg_query_us, -1::bigint) AS avg_query_us,
               nullif(v.avg_queries, -1::bigint) AS avg_queries,
               coalesce(nullif(v.sv_active, -1::bigint), 0::bigint)::pg_catalog.float8
                   OPERATOR(pg_catalog.+) coalesce(nullif(v.sv_idle, -1::bigint), 0::bigint)::pg_catalog.float8
                   OPERATOR(pg_catalog.+) coalesce(nullif(v.sv_used, -1::bigint), 0::bigint)::pg_catalog.float8
                   OPERATOR(pg_catalog.+) coalesce(nullif(v.sv_tested, -1::bigint), 0::bigint)::pg_catalog.float8
                   OPERATOR(pg_catalog.+) coalesce(nullif(v.sv_login, -1::bigint), 0::bigint)::pg_catalog.float8 AS servers
          FROM dbmaint_pool_snapshots AS s
         CROSS JOIN LATERAL ROWS FROM (
                   dbmaint_unpack(s.pool_ids),
                   dbmaint_unpack(s.cl_active),
                   dbmaint_unpack(s.cl_waiting),
                   dbmaint_unpack(s.sv_active),
                   dbmaint_unpack(s.sv_idle),
                   dbmaint_unpack(s.sv_used),
                   dbmaint_unpack(s.sv_tested),
                   dbmaint_unpack(s.sv_login),
                   dbmaint_unpack(s.maxwait_us),
                   dbmaint_unpack(s.pool_size),
                   dbmaint_unpack(s.avg_wait_us),
                   dbmaint_unpack(s.avg_query_us),
                   dbmaint_unpack(s.avg_queries)
               ) AS v(pool_id, cl_active, cl_waiting, sv_active, sv_idle, sv_used, sv_tested,
                      sv_login, maxwait_us, pool_size, avg_wait_us, avg_query_us, avg_queries)
          JOIN dbmaint_pool_names AS k
            ON k.database_oid OPERATOR(pg_catalog.=) s.database_oid
               AND k.pool_id OPERATOR(pg_catalog.=) v.pool_id::int
         WHERE s.database_oid OPERATOR(pg_catalog.=)
               (SELECT d.oid FROM pg_catalog.pg_database AS d
                 WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())) AS h;
COMMENT ON VIEW dbmaint_pool_history IS
'The pools of PgBouncer at each reading, a row each, with the columns of dbmaint_pools(); pool_mode is that of the last reading. interval_ms is the time since the reading before, in milliseconds (NULL after a gap). In the home database.';

REVOKE ALL ON dbmaint_pool_names, dbmaint_pool_snapshots, dbmaint_pool_setting_history,
    dbmaint_pool_commands, dbmaint_pool_history FROM PUBLIC;
GRANT SELECT ON dbmaint_pool_names, dbmaint_pool_snapshots, dbmaint_pool_setting_history,
    dbmaint_pool_commands, dbmaint_pool_history TO pg_monitor;
REVOKE ALL ON FUNCTION dbmaint_pools(), dbmaint_pool_settings(), dbmaint_pool_status(),
    dbmaint_send_pool_command(text, text, text, int),
    dbmaint_pool_command(text, text, text, interval),
    dbmaint_store_pool_settings(timestamptz, text[], text[], text[]),
    dbmaint_store_pools(timestamptz, text[], text[], text[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], text[], text[], text[])
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_pools(), dbmaint_pool_settings(), dbmaint_pool_status() TO pg_monitor;
