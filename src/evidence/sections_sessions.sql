-- src/evidence/sections_sessions.sql: evidence of what sessions do: locks,
-- transactions, connections, waits, and what the recorder holds.

CREATE FUNCTION dbmaint_ms_since(since timestamptz)
RETURNS bigint
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    -- greatest() passes over NULL
    SELECT CASE WHEN $1 IS NOT NULL
                THEN (extract(epoch FROM greatest(clock_timestamp() - $1, interval '0')) * 1000)::bigint END
$$;
COMMENT ON FUNCTION dbmaint_ms_since(timestamptz) IS
'Milliseconds from a time until now, at least 0; NULL for NULL';

CREATE FUNCTION dbmaint_recorded_between(from_at timestamptz, to_at timestamptz,
    OUT at timestamptz, OUT pid int, OUT state text, OUT query_id bigint, OUT wait text,
    OUT xact_start timestamptz, OUT blocked_by int, OUT username text)
RETURNS SETOF record
LANGUAGE plpgsql VOLATILE ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- the setting is there where there is a ring
    IF current_setting('dbmaint.recorder_size', true) IS NOT NULL AND from_at < clock_timestamp() THEN
        RETURN QUERY
        SELECT r.at, r.pid, r.state, r.query_id, r.wait_event_type || ': ' || r.wait_event,
               r.xact_start, r.blocked_by, r.username
          FROM @extschema@.dbmaint_recorder((clock_timestamp() - from_at)::interval) AS r
         WHERE r.at > from_at AND r.at <= to_at AND r.pid <> pg_backend_pid();
        IF FOUND THEN
            RETURN;
        END IF;
    END IF;
    RETURN QUERY
    SELECT DISTINCT ON (r.at, r.pid) r.at, r.pid, r.state, r.query_id, r.wait_event_type || ': ' || r.wait_event,
           r.xact_start, r.blocked_by, r.username
      FROM @extschema@.dbmaint_recorded_activity AS r
     WHERE r.at > from_at AND r.at <= to_at
       AND r.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
     ORDER BY r.at, r.pid, r.recording_id;
END
$$;
COMMENT ON FUNCTION dbmaint_recorded_between(timestamptz, timestamptz) IS
'What the recorder''s ring holds of a range, without the calling session; of a range that it holds nothing of, what recordings kept. wait is type and name of the wait event, NULL for none.';

CREATE FUNCTION dbmaint_looks_between(from_at timestamptz, to_at timestamptz)
RETURNS float8
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT greatest(extract(epoch FROM $2 - $1)
                    / nullif(extract(epoch FROM current_setting('dbmaint.activity_interval', true)::interval), 0), 1)::float8
$$;
COMMENT ON FUNCTION dbmaint_looks_between(timestamptz, timestamptz) IS
'How often sessions were looked at in a range, by dbmaint.activity_interval; at least once';

CREATE FUNCTION dbmaint_evidence_blocking_now()
RETURNS jsonb
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE l AS MATERIALIZED (
        SELECT k.pid, k.locktype, k.mode, k.granted, k.waitstart, k.relation,
               k.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()) AS here
          FROM pg_locks AS k
    ), a AS MATERIALIZED (
        SELECT s.pid, s.usename, s.application_name, s.datname, s.state, s.query_id, s.xact_start,
               s.state_change, s.backend_type
          FROM pg_stat_activity AS s
    ), waiting AS MATERIALIZED (
        -- who waits for a row waits for its writer's transaction, with a lock
        -- of the row; who inserts a key that is there, without
        SELECT w.pid, w.locktype, w.mode, w.waitstart,
               coalesce(CASE WHEN w.here THEN w.relation END,
                        (SELECT t.relation FROM l AS t
                          WHERE t.pid = w.pid AND t.granted AND t.here AND t.locktype = 'tuple' LIMIT 1),
                        (SELECT min(t.relation) FROM l AS t JOIN pg_class AS c ON c.oid = t.relation
                          WHERE w.locktype = 'transactionid' AND t.pid = w.pid AND t.granted AND t.here
                            AND t.locktype = 'relation' AND t.mode = 'RowExclusiveLock' AND c.relkind IN ('r', 'p')
                         HAVING count(DISTINCT t.relation) = 1)) AS relation
          FROM l AS w
         WHERE NOT w.granted AND w.pid <> pg_backend_pid()
         ORDER BY w.waitstart NULLS LAST, w.pid
         -- each is asked of all partitions of the lock table
         LIMIT 64
    ), edge AS MATERIALIZED (
        SELECT w.pid, b.pid AS blocker
          FROM (SELECT DISTINCT pid FROM waiting) AS w,
               LATERAL (SELECT DISTINCT u.pid FROM unnest(pg_blocking_pids(w.pid)) AS u(pid)) AS b
    ), chain AS (
        SELECT e.pid, e.blocker, 1 AS depth FROM edge AS e
        UNION
        SELECT c.pid, e.blocker, c.depth + 1
          FROM chain AS c JOIN edge AS e ON e.pid = c.blocker
         WHERE c.depth < 10
    ), root AS (
        SELECT c.blocker AS pid, count(DISTINCT c.pid) AS waiting, min(w.waitstart) AS waitstart,
               mode() WITHIN GROUP (ORDER BY w.relation) AS relation,
               (array_agg(w.mode ORDER BY c.depth, w.waitstart))[1] AS mode
          FROM chain AS c JOIN waiting AS w ON w.pid = c.pid
         WHERE NOT EXISTS (SELECT FROM edge AS e WHERE e.pid = c.blocker)
         GROUP BY c.blocker
         ORDER BY 2 DESC, 1
         LIMIT 10
    )
    SELECT jsonb_build_object(
        'waiting', (SELECT count(DISTINCT k.pid) FROM l AS k WHERE NOT k.granted AND k.pid <> pg_backend_pid()),
        'active', (SELECT count(*) FROM a WHERE a.state = 'active' AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()),
        'roots', coalesce((SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                'pid', r.pid, 'waiting', r.waiting, 'state', CASE WHEN r.pid = 0 THEN 'prepared transaction' ELSE a.state END,
                'process', nullif(a.backend_type, 'client backend'),
                'username', a.usename, 'application', nullif(a.application_name, ''), 'database', a.datname,
                'query_id', a.query_id::text, 'relation', @extschema@.dbmaint_relation_name(r.relation::oid),
                'lock_mode', r.mode, 'transaction_ms', @extschema@.dbmaint_ms_since(a.xact_start::timestamptz),
                'state_ms', @extschema@.dbmaint_ms_since(a.state_change::timestamptz),
                'longest_wait_ms', @extschema@.dbmaint_ms_since(r.waitstart::timestamptz))) ORDER BY r.waiting DESC, r.pid)
             FROM root AS r LEFT JOIN a ON a.pid = r.pid), '[]'),
        'tree', coalesce((SELECT jsonb_agg(t.item ORDER BY t.waitstart NULLS LAST, t.pid)
             FROM (SELECT w.waitstart, w.pid, jsonb_strip_nulls(jsonb_build_object(
                       'pid', w.pid, 'blocked_by', (SELECT jsonb_agg(e.blocker ORDER BY e.blocker) FROM edge AS e WHERE e.pid = w.pid),
                       'query_id', a.query_id::text, 'application', nullif(a.application_name, ''),
                       'relation', @extschema@.dbmaint_relation_name(w.relation::oid),
                       'lock_type', w.locktype, 'lock_mode', w.mode, 'since_at', w.waitstart,
                       'waiting_ms', @extschema@.dbmaint_ms_since(w.waitstart::timestamptz))) AS item
                     FROM waiting AS w LEFT JOIN a ON a.pid = w.pid
                    ORDER BY w.waitstart NULLS LAST, w.pid LIMIT 20) AS t), '[]'))
$$;
COMMENT ON FUNCTION dbmaint_evidence_blocking_now() IS
'Part of dbmaint_evidence_blocking(): who waits for a lock now (64 of them at most are followed), for whom, and at whom each chain ends';

CREATE FUNCTION dbmaint_evidence_blocking_recorded(from_at timestamptz, to_at timestamptz)
RETURNS jsonb
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE r AS MATERIALIZED (
        SELECT * FROM @extschema@.dbmaint_recorded_between($1, $2)
    ), edge AS MATERIALIZED (
        SELECT r.at, r.pid, r.blocked_by, r.query_id FROM r WHERE r.blocked_by IS NOT NULL
    ), chain AS (
        SELECT e.at, e.pid, e.blocked_by AS blocker, 1 AS depth FROM edge AS e
        UNION
        SELECT c.at, c.pid, e.blocked_by, c.depth + 1
          FROM chain AS c JOIN edge AS e ON e.at = c.at AND e.pid = c.blocker
         WHERE c.depth < 10
    ), root AS (
        SELECT c.blocker AS pid, count(*) AS seen, count(DISTINCT c.at) AS looks,
               min(c.at) AS first_at, max(c.at) AS last_at, count(DISTINCT c.pid) AS waiting,
               mode() WITHIN GROUP (ORDER BY w.query_id) AS waiting_query
          FROM chain AS c JOIN r AS w ON w.at = c.at AND w.pid = c.pid
         WHERE NOT EXISTS (SELECT FROM edge AS e WHERE e.at = c.at AND e.pid = c.blocker)
         GROUP BY c.blocker
         ORDER BY 2 DESC, 1
         LIMIT 5
    ), active AS (
        SELECT count(*) AS seen FROM r WHERE r.state = 'active'
    )
    SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
               'pid', t.pid, 'state', CASE WHEN t.pid = 0 THEN 'prepared transaction' ELSE b.state END,
               'username', b.username, 'query_id', b.query_id::text,
               'transaction_at', b.xact_start, 'waiting', t.waiting, 'looks', t.looks,
               'first_at', t.first_at, 'last_at', t.last_at, 'waiting_query_id', t.waiting_query::text,
               'relation', (SELECT q.relation FROM @extschema@.dbmaint_query_relation(t.waiting_query::bigint) AS q),
               'load_ratio', @extschema@.dbmaint_brief((t.seen::float8 / nullif(active.seen, 0))::float8)))
               ORDER BY t.seen DESC, t.pid)
      FROM root AS t CROSS JOIN active
      LEFT JOIN LATERAL (SELECT r.state, r.username, r.query_id, r.xact_start
                           FROM r WHERE r.pid = t.pid AND r.at <= t.last_at
                          ORDER BY r.at DESC LIMIT 1) AS b ON true
$$;
COMMENT ON FUNCTION dbmaint_evidence_blocking_recorded(timestamptz, timestamptz) IS
'Part of dbmaint_evidence_blocking(): at whom chains of waiting sessions ended in a range, by the recorder. load_ratio: what part of the active sessions seen waited for it.';

CREATE FUNCTION dbmaint_evidence_blocking(metric text, instance text, since_at timestamptz, at timestamptz)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    present jsonb;
BEGIN
    IF @extschema@.dbmaint_is_live($4) THEN
        present := @extschema@.dbmaint_evidence_blocking_now();
    END IF;
    RETURN coalesce(present, '{}') || jsonb_strip_nulls(jsonb_build_object('recorded',
        @extschema@.dbmaint_evidence_blocking_recorded(greatest($3, $4 - interval '5 minutes')::timestamptz, $4)));
END
$$;
COMMENT ON FUNCTION dbmaint_evidence_blocking(text, text, timestamptz, timestamptz) IS
'Evidence: who waits for whom, now and as recorded in the last five minutes';

CREATE FUNCTION dbmaint_xmin_holders(OUT kind text, OUT name text, OUT pid int,
    OUT state text, OUT application text, OUT username text, OUT query_id bigint,
    OUT since_at timestamptz, OUT xmin_age bigint)
RETURNS SETOF record
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT 'session', NULL::text, a.pid, a.state, nullif(a.application_name, ''), a.usename::text, a.query_id, a.xact_start,
           greatest(age(a.backend_xmin), age(a.backend_xid))::bigint
      FROM pg_stat_activity AS a
     WHERE (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
       AND a.pid <> pg_backend_pid() AND a.backend_type NOT IN ('walsender', 'autovacuum worker')
    UNION ALL
    SELECT 'prepared transaction', p.gid, NULL, NULL, NULL, p.owner::text, NULL, p.prepared, age(p.transaction)::bigint
      FROM pg_prepared_xacts AS p
    UNION ALL
    SELECT 'replication slot', s.slot_name::text, s.active_pid, CASE WHEN s.active THEN 'active' ELSE 'inactive' END,
           NULL, NULL, NULL, NULL, greatest(age(s.xmin), age(s.catalog_xmin))::bigint
      FROM pg_replication_slots AS s
     WHERE s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL
    UNION ALL
    SELECT 'standby', nullif(r.application_name, ''), r.pid, r.state, NULL, r.usename::text, NULL, NULL, age(r.backend_xmin)::bigint
      FROM pg_stat_replication AS r
     WHERE r.backend_xmin IS NOT NULL
     ORDER BY 9 DESC, 8 NULLS LAST, 3
     LIMIT 10;
END
$$;
COMMENT ON FUNCTION dbmaint_xmin_holders() IS
'Who keeps vacuum from removing dead rows, the oldest first, 10 at most: sessions, prepared transactions, replication slots and standbys that need rows as of an old transaction. xmin_age is in transactions.';

CREATE FUNCTION dbmaint_evidence_transactions(metric text, instance text, since_at timestamptz, at timestamptz)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT @extschema@.dbmaint_is_live($4) THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT jsonb_build_object(
        'oldest', coalesce((SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                'pid', o.pid, 'state', o.state, 'username', o.usename, 'application', nullif(o.application_name, ''),
                'database', o.datname, 'query_id', o.query_id::text,
                'relation', CASE WHEN o.datname = current_database() THEN
                    (SELECT q.relation FROM @extschema@.dbmaint_query_relation(o.query_id::bigint) AS q) END,
                'transaction_ms', @extschema@.dbmaint_ms_since(o.xact_start::timestamptz),
                'state_ms', @extschema@.dbmaint_ms_since(o.state_change::timestamptz))) ORDER BY o.xact_start, o.pid)
              FROM (SELECT a.* FROM pg_stat_activity AS a
                     WHERE a.xact_start IS NOT NULL AND a.pid <> pg_backend_pid()
                       AND a.backend_type IN ('client backend', 'autovacuum worker')
                     ORDER BY a.xact_start, a.pid LIMIT 5) AS o), '[]'),
        'xmin_holders', coalesce((SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                'kind', h.kind, 'name', h.name, 'pid', h.pid, 'state', h.state, 'username', h.username,
                'application', h.application, 'query_id', h.query_id::text, 'since_at', h.since_at,
                'transaction_ms', @extschema@.dbmaint_ms_since(h.since_at::timestamptz),
                'xmin_age', h.xmin_age)) ORDER BY h.xmin_age DESC, h.since_at NULLS LAST, h.pid)
              FROM @extschema@.dbmaint_xmin_holders() AS h), '[]')));
END
$$;
COMMENT ON FUNCTION dbmaint_evidence_transactions(text, text, timestamptz, timestamptz) IS
'Evidence: the transactions that have been open longest, and who keeps vacuum from removing dead rows';

CREATE FUNCTION dbmaint_evidence_connections(metric text, instance text, since_at timestamptz, at timestamptz)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    here CONSTANT oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    days int;
    latest timestamptz;
BEGIN
    IF NOT @extschema@.dbmaint_is_live($4) THEN
        RETURN NULL;
    END IF;
    SELECT count(DISTINCT b.day) INTO days
      FROM @extschema@.dbmaint_baseline_ranges($3, $4) AS b
      JOIN @extschema@.dbmaint_connection_history AS h
        ON h.database_oid = here AND h.at >= b.from_at AND h.at < b.to_at
     WHERE b.day > 0;
    -- counted once an hour: the last one before it was bad
    SELECT max(h.at) INTO latest
      FROM @extschema@.dbmaint_connection_history AS h
     WHERE h.database_oid = here AND h.at <= $3 AND h.at > $3 - interval '1 day';

    RETURN (
        WITH known AS (
            SELECT b.day, h.applications, h.usernames, h.sessions
              FROM @extschema@.dbmaint_baseline_ranges($3, $4) AS b
              JOIN @extschema@.dbmaint_connection_history AS h
                ON h.database_oid = here AND h.at >= b.from_at AND h.at < b.to_at
             WHERE days > 0 AND b.day > 0
            UNION ALL
            SELECT 0, h.applications, h.usernames, h.sessions
              FROM @extschema@.dbmaint_connection_history AS h
             WHERE days = 0 AND h.database_oid = here AND h.at = latest
        ), counted AS (
            SELECT u.application, u.username, k.day, max(u.sessions) AS sessions
              FROM known AS k, unnest(k.applications, k.usernames, k.sessions) AS u(application, username, sessions)
             GROUP BY u.application, u.username, k.day
        ), before AS (
            -- a day on which it was not there counts
            SELECT c.application, c.username,
                   percentile_cont(0.5) WITHIN GROUP (ORDER BY p.sessions) AS sessions
              FROM (SELECT application, username, array_agg(sessions) AS seen FROM counted GROUP BY 1, 2) AS c,
                   unnest(c.seen || array_fill(0, ARRAY[greatest(days, 1) - cardinality(c.seen)])) AS p(sessions)
             GROUP BY c.application, c.username
        ), present AS (
            SELECT coalesce(a.application_name, '') AS application, coalesce(a.usename::text, '') AS username,
                   count(*) AS sessions, count(*) FILTER (WHERE a.state = 'idle') AS idle,
                   count(*) FILTER (WHERE a.state = 'active') AS active,
                   count(*) FILTER (WHERE a.state LIKE 'idle in transaction%') AS in_transaction,
                   array_agg(DISTINCT coalesce(host(a.client_addr), 'local')) AS addresses
              FROM pg_stat_activity AS a
             WHERE a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
             GROUP BY 1, 2
        ), joined AS (
            SELECT coalesce(p.application, b.application) AS application, coalesce(p.username, b.username) AS username,
                   coalesce(p.sessions, 0) AS sessions, p.idle, p.active, p.in_transaction, p.addresses,
                   CASE WHEN days > 0 OR latest IS NOT NULL THEN coalesce(b.sessions, 0) END AS before
              FROM present AS p FULL JOIN before AS b ON b.application = p.application AND b.username = p.username
        ), shared AS (
            SELECT j.*, j.sessions - coalesce(j.before, 0) AS more,
                   sum(j.sessions) OVER () AS all_sessions, sum(j.before) OVER () AS all_before,
                   sum(greatest(j.sessions - j.before, 0)) OVER () AS all_more
              FROM joined AS j
        )
        SELECT jsonb_strip_nulls(jsonb_build_object(
            'now', coalesce(max(s.all_sessions), 0), 'before', max(s.all_before),
            'max_connections', current_setting('max_connections')::int,
            'baseline', CASE WHEN days > 0 THEN format('same hour of %s earlier days', days)
                             WHEN latest IS NOT NULL THEN 'last count before' END,
            'baseline_at', CASE WHEN days = 0 THEN latest END))
            || jsonb_build_object('top', coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
                'application', s.application, 'username', s.username, 'now', s.sessions, 'before', s.before,
                'idle', s.idle, 'active', s.active, 'idle_in_transaction', s.in_transaction,
                'addresses', to_jsonb(s.addresses[:3]),
                'share_ratio', @extschema@.dbmaint_brief((CASE WHEN s.more > 0 THEN s.more / nullif(s.all_more, 0) END)::float8)))
                ORDER BY s.more DESC, s.sessions DESC, s.application, s.username) FILTER (WHERE s.place <= 10), '[]'))
          FROM (SELECT h.*, row_number() OVER (ORDER BY h.more DESC, h.sessions DESC, h.application, h.username) AS place
                  FROM shared AS h) AS s);
END
$$;
COMMENT ON FUNCTION dbmaint_evidence_connections(text, text, timestamptz, timestamptz) IS
'Evidence: client connections by application and user, now and before: the median of the same hour of earlier days, else the last count (once an hour, in the home database) before it was bad';

CREATE FUNCTION dbmaint_extend_recording(recording bigint, from_at timestamptz, to_at timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    home CONSTANT oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
BEGIN
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_recordings'::name);
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_recorded_activity'::name);
    IF current_setting('dbmaint.recorder_size', true) IS NULL OR from_at >= clock_timestamp() THEN
        RETURN;
    END IF;
    INSERT INTO @extschema@.dbmaint_recorded_activity
    SELECT recording, r.*, home
      FROM @extschema@.dbmaint_recorder((clock_timestamp() - from_at)::interval) AS r
     WHERE r.at > from_at AND r.at <= to_at
        ON CONFLICT DO NOTHING;
    UPDATE @extschema@.dbmaint_recordings AS g
       SET from_at = a.from_at, to_at = a.to_at, observations = a.observations
      FROM (SELECT min(o.at) AS from_at, max(o.at) AS to_at, count(*) AS observations
              FROM @extschema@.dbmaint_recorded_activity AS o
             WHERE o.recording_id = recording) AS a
     WHERE g.recording_id = recording;
END
$$;
COMMENT ON FUNCTION dbmaint_extend_recording(bigint, timestamptz, timestamptz) IS
'Adds what the recorder holds of a range to a recording of dbmaint_recordings';

CREATE FUNCTION dbmaint_keep_recording(at timestamptz)
RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    home CONSTANT oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    recording bigint;
    kept_until timestamptz;
BEGIN
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_recordings'::name);
    -- alerts that come together share one; it goes on from where it ends
    SELECT g.recording_id, coalesce(g.to_at, g.recorded_at - interval '5 minutes') INTO recording, kept_until
      FROM @extschema@.dbmaint_recordings AS g
     WHERE g.database_oid = home AND g.reason = 'evidence'
       AND g.recorded_at > $1 - interval '5 minutes' AND g.recorded_at <= $1
     ORDER BY g.recorded_at DESC, g.recording_id DESC LIMIT 1;
    IF NOT FOUND THEN
        INSERT INTO @extschema@.dbmaint_recordings AS g (database_oid, recorded_at, reason, observations)
        VALUES (home, $1, 'evidence', 0)
        RETURNING g.recording_id INTO recording;
        kept_until := $1 - interval '5 minutes';
    END IF;
    PERFORM @extschema@.dbmaint_extend_recording(recording, kept_until, $1);
    RETURN recording;
END
$$;
COMMENT ON FUNCTION dbmaint_keep_recording(timestamptz) IS
'Keeps what the recorder holds of the five minutes before a time as a recording, and returns its number; goes on with one that evidence made in the last five minutes';

CREATE FUNCTION dbmaint_evidence_running(since_at timestamptz, at timestamptz)
RETURNS jsonb
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH spans AS (
        SELECT greatest($1, $2 - interval '5 minutes') AS now_from, $1 - interval '5 minutes' AS before_from
    ), r AS MATERIALIZED (
        SELECT o.query_id, o.at > s.now_from AS now
          FROM spans AS s,
               @extschema@.dbmaint_recorded_between(least(s.before_from, s.now_from)::timestamptz, $2) AS o
         WHERE o.state = 'active' AND o.query_id IS NOT NULL
           -- who waits for a lock is not what is slow
           AND o.wait IS DISTINCT FROM 'Lock' AND coalesce(o.wait NOT LIKE 'Lock:%', true)
           AND (o.at > s.now_from OR o.at BETWEEN s.before_from AND $1)
    ), by_query AS (
        SELECT r.query_id,
               count(*) FILTER (WHERE r.now) / @extschema@.dbmaint_looks_between(min(s.now_from)::timestamptz, $2) AS now,
               count(*) FILTER (WHERE NOT r.now) / @extschema@.dbmaint_looks_between(min(s.before_from)::timestamptz, $1) AS before
          FROM r, spans AS s
         GROUP BY r.query_id
    ), shared AS (
        SELECT q.*, greatest(q.now - q.before, 0) / nullif(sum(greatest(q.now - q.before, 0)) OVER (), 0) AS share,
               greatest(q.now - q.before, 0) / nullif(sum(q.now) OVER (), 0) AS load
          FROM by_query AS q
         ORDER BY q.now - q.before DESC, q.query_id
         LIMIT 5
    )
    SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
               'query_id', s.query_id::text, 'relation', coalesce(m.relation, k.relation),
               'sessions_before', @extschema@.dbmaint_brief(s.before::float8),
               'sessions_now', @extschema@.dbmaint_brief(s.now::float8),
               'share_ratio', @extschema@.dbmaint_brief(s.share::float8),
               'load_ratio', @extschema@.dbmaint_brief(s.load::float8)))
               ORDER BY s.now - s.before DESC, s.query_id), '[]')
      FROM shared AS s
      LEFT JOIN LATERAL @extschema@.dbmaint_query_relation(s.query_id::bigint) AS m ON s.now > 0
      -- a text is known when it ends; until then, what it has locked tells
      LEFT JOIN LATERAL (SELECT @extschema@.dbmaint_relation_name(c.oid::oid) AS relation
                           FROM pg_stat_activity AS a
                           JOIN pg_locks AS l ON l.pid = a.pid AND l.locktype = 'relation' AND l.granted
                           JOIN pg_class AS c ON c.oid = l.relation AND c.relkind IN ('r', 'p', 'm')
                          WHERE a.query_id = s.query_id AND a.datname = current_database()
                            AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                            AND c.relnamespace <> 'pg_catalog'::regnamespace
                          ORDER BY @extschema@.dbmaint_stored_bytes(c.oid::oid) DESC, c.oid LIMIT 1) AS k
             ON s.now > 0 AND m.relation IS NULL AND @extschema@.dbmaint_is_live($2)
$$;
COMMENT ON FUNCTION dbmaint_evidence_running(timestamptz, timestamptz) IS
'Part of dbmaint_evidence_recorder(): the statements that most sessions were executing, beside those that waited for locks, since it was bad and in the five minutes before; statements that have not ended yet are in no other list';

CREATE FUNCTION dbmaint_evidence_recorder(metric text, instance text, since_at timestamptz, at timestamptz)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    recording bigint;
    kept jsonb := '{}';
BEGIN
    IF @extschema@.dbmaint_is_live($4) AND current_setting('transaction_read_only') = 'off'
       AND has_table_privilege('@extschema@.dbmaint_recorded_activity', 'INSERT') THEN
        recording := @extschema@.dbmaint_keep_recording($4);
        SELECT jsonb_build_object('recording_id', g.recording_id, 'from_at', g.from_at, 'to_at', g.to_at,
                                  'observations', g.observations, 'complete', false)
          INTO kept
          FROM @extschema@.dbmaint_recordings AS g WHERE g.recording_id = recording;
    END IF;
    RETURN jsonb_build_object('running', @extschema@.dbmaint_evidence_running($3, $4)) || kept
        || @extschema@.dbmaint_evidence_timeline($4 - interval '5 minutes', $4);
END
$$;
COMMENT ON FUNCTION dbmaint_evidence_recorder(text, text, timestamptz, timestamptz) IS
'Evidence: the last five minutes by the recorder; in full as the recording of that number in dbmaint_recorded_activity';

CREATE FUNCTION dbmaint_evidence_timeline(from_at timestamptz, to_at timestamptz)
RETURNS jsonb
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object('timeline', coalesce(jsonb_agg(jsonb_build_object(
               'at', t.at, 'active', t.active, 'waiting', t.waiting, 'idle_in_transaction', t.idle) ORDER BY t.at), '[]'))
      FROM (SELECT s.at, @extschema@.dbmaint_brief(avg(s.active)::float8) AS active,
                   @extschema@.dbmaint_brief(avg(s.waiting)::float8) AS waiting,
                   @extschema@.dbmaint_brief(avg(s.idle)::float8) AS idle
              FROM (SELECT date_bin(interval '15 seconds', r.at, timestamptz '2000-01-01 00:00:00+00') AS at,
                           count(*) FILTER (WHERE r.state = 'active') AS active,
                           count(*) FILTER (WHERE r.wait LIKE 'Lock:%') AS waiting,
                           count(*) FILTER (WHERE r.state LIKE 'idle in transaction%') AS idle
                      FROM @extschema@.dbmaint_recorded_between($1, $2) AS r
                     GROUP BY r.at) AS s
             GROUP BY s.at) AS t
$$;
COMMENT ON FUNCTION dbmaint_evidence_timeline(timestamptz, timestamptz) IS
'Part of dbmaint_evidence_recorder(): sessions that were active, waited for locks and were idle in transactions, on average of the looks that saw any, by 15 seconds';

CREATE FUNCTION dbmaint_evidence_waits(metric text, instance text, since_at timestamptz, at timestamptz)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    now_from CONSTANT timestamptz := greatest($3, $4 - interval '5 minutes');
    days int[];
BEGIN
    SELECT array_agg(b.day ORDER BY b.day) INTO days
      FROM @extschema@.dbmaint_baseline_ranges($3, $4) AS b
     WHERE @extschema@.dbmaint_activity_samples_taken(b.from_at::timestamptz, b.to_at::timestamptz) > 0;
    IF days[2] IS NOT NULL OR days[1] > 0 THEN
        days := array_remove(days, 0);
    END IF;

    RETURN (
        WITH before AS (
            SELECT u.wait, sum(u.sessions) / coalesce(cardinality(days), 1) AS sessions
              FROM (SELECT CASE p.wait_event_type WHEN 'CPU' THEN 'CPU' ELSE p.wait_event_type || ': ' || p.wait_event END AS wait,
                           p.average_sessions AS sessions
                      FROM @extschema@.dbmaint_baseline_ranges($3, $4) AS b,
                           LATERAL @extschema@.dbmaint_wait_profile(b.from_at::timestamptz, b.to_at::timestamptz, NULL::bigint) AS p
                     WHERE b.day = ANY (days)
                    UNION ALL
                    SELECT coalesce(r.wait, 'CPU'), 1 / @extschema@.dbmaint_looks_between($3 - interval '5 minutes', $3)
                      FROM @extschema@.dbmaint_recorded_between($3 - interval '5 minutes', $3) AS r
                     WHERE days IS NULL AND r.state = 'active') AS u
             GROUP BY u.wait
        ), present AS (
            SELECT coalesce(r.wait, 'CPU') AS wait,
                   count(*) / @extschema@.dbmaint_looks_between(now_from, $4) AS sessions
              FROM @extschema@.dbmaint_recorded_between(now_from, $4) AS r
             WHERE r.state = 'active'
             GROUP BY 1
        ), joined AS (
            SELECT coalesce(p.wait, b.wait) AS wait, coalesce(b.sessions, 0) AS before, coalesce(p.sessions, 0) AS now
              FROM present AS p FULL JOIN before AS b ON b.wait = p.wait
        )
        SELECT jsonb_build_object(
            'baseline', CASE WHEN days IS NULL THEN 'five minutes before' WHEN days = '{0}' THEN 'hour before'
                             ELSE format('same hour of %s earlier days', cardinality(days)) END,
            'sessions_before', @extschema@.dbmaint_brief(coalesce(sum(j.before), 0)::float8),
            'sessions_now', @extschema@.dbmaint_brief(coalesce(sum(j.now), 0)::float8),
            'top', coalesce(jsonb_agg(jsonb_build_object('wait', j.wait,
                'sessions_before', @extschema@.dbmaint_brief(j.before::float8),
                'sessions_now', @extschema@.dbmaint_brief(j.now::float8))
                ORDER BY j.now - j.before DESC, j.wait) FILTER (WHERE j.place <= 10), '[]'))
          FROM (SELECT k.*, row_number() OVER (ORDER BY k.now - k.before DESC, k.wait) AS place FROM joined AS k) AS j);
END
$$;
COMMENT ON FUNCTION dbmaint_evidence_waits(text, text, timestamptz, timestamptz) IS
'Evidence: what active sessions waited for ("CPU": for nothing), as average numbers of sessions, since it was bad (the last five minutes at most) and before';

REVOKE ALL ON FUNCTION dbmaint_ms_since(timestamptz), dbmaint_recorded_between(timestamptz, timestamptz),
    dbmaint_looks_between(timestamptz, timestamptz), dbmaint_evidence_blocking_now(),
    dbmaint_evidence_blocking_recorded(timestamptz, timestamptz),
    dbmaint_evidence_blocking(text, text, timestamptz, timestamptz), dbmaint_xmin_holders(),
    dbmaint_evidence_transactions(text, text, timestamptz, timestamptz),
    dbmaint_evidence_connections(text, text, timestamptz, timestamptz),
    dbmaint_extend_recording(bigint, timestamptz, timestamptz), dbmaint_keep_recording(timestamptz),
    dbmaint_evidence_running(timestamptz, timestamptz),
    dbmaint_evidence_recorder(text, text, timestamptz, timestamptz),
    dbmaint_evidence_timeline(timestamptz, timestamptz),
    dbmaint_evidence_waits(text, text, timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_ms_since(timestamptz), dbmaint_recorded_between(timestamptz, timestamptz),
    dbmaint_looks_between(timestamptz, timestamptz), dbmaint_evidence_blocking_now(),
    dbmaint_evidence_blocking_recorded(timestamptz, timestamptz),
    dbmaint_evidence_blocking(text, text, timestamptz, timestamptz), dbmaint_xmin_holders(),
    dbmaint_evidence_transactions(text, text, timestamptz, timestamptz),
    dbmaint_evidence_connections(text, text, timestamptz, timestamptz),
    dbmaint_evidence_running(timestamptz, timestamptz),
    dbmaint_evidence_recorder(text, text, timestamptz, timestamptz),
    dbmaint_evidence_timeline(timestamptz, timestamptz),
    dbmaint_evidence_waits(text, text, timestamptz, timestamptz) TO pg_monitor;
