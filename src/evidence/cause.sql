/*
 * src/evidence/cause.sql: what the evidence says is the likely cause.
 *
 * Each candidate has a weight from 0 to 1: the part of what is bad now that it
 * explains.
 *
 *   blocking      sessions that wait for it / active sessions (connections,
 *                 where those are too many); 1 for metrics of locks
 *   statement     its increase / all there is now (a quarter of the increase
 *                 at least; halved if it waits on the relation that is blocked)
 *   running       the same in sessions that execute it, as looks saw it before
 *                 it ends, times 0.9; times 0.2 if calls of it have ended
 *   setting       the increase of all statements that got slower / all there
 *                 is now, times 0.95, where no single one stands for them; 0.1
 *                 where nothing is known of statements
 *   change        of an index: 0.1 where nothing is known of statements
 *   connections   an application's increase / all connections; half of its
 *                 share of them where nothing is known of before
 *   transaction   0.9 for metrics of transactions
 *   dead rows     0.95 for who holds them since before the last vacuum, 0.9
 *                 where autovacuum is off, 0.5 for who has held them five
 *                 minutes while none ran
 *   disk          its bytes / all bytes that grew or are kept
 *   replication   0.8
 *   pool          0.4 where clients wait and no server connection is free
 *
 * The heaviest of 0.1 or more is it; of equals, the first in this list.  What
 * changed on the statement's table, or a setting that plans or runs statements,
 * is told with a statement that got slower.  Else there is "no cause found".
 *
 * Evidence may come from anywhere: what is not of the expected type is taken
 * for missing.
 */

CREATE FUNCTION dbmaint_json_number(value jsonb)
RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN jsonb_typeof($1) = 'number' AND abs($1::numeric) < 1e300 THEN $1::float8 END
$$;
COMMENT ON FUNCTION dbmaint_json_number(jsonb) IS
'The number that it is; NULL for anything else';

CREATE FUNCTION dbmaint_json_list(value jsonb)
RETURNS SETOF jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT e FROM jsonb_array_elements(CASE WHEN jsonb_typeof($1) = 'array' THEN $1 ELSE '[]' END) AS e
$$;
COMMENT ON FUNCTION dbmaint_json_list(jsonb) IS
'The elements of the list that it is, in their order; none for anything else';

CREATE FUNCTION dbmaint_duration_text(ms float8)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN $1 < 1000 THEN trim_scale(CASE WHEN abs($1) < 10 THEN round($1::numeric, 2) ELSE round($1::numeric) END) || ' ms'
                WHEN $1 < 10000 THEN trim_scale(round($1::numeric / 1000, 1)) || ' s'
                WHEN $1 < 120000 THEN round($1 / 1000) || ' s'
                WHEN $1 < 7200000 THEN round($1 / 60000) || ' min'
                WHEN $1 < 172800000 THEN round($1 / 3600000) || ' h'
                ELSE round($1 / 86400000) || ' days' END
$$;
COMMENT ON FUNCTION dbmaint_duration_text(float8) IS
'Milliseconds in words: 4 ms, 12 s, 12 min, 3 h, 5 days';

CREATE FUNCTION dbmaint_time_text(value jsonb)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN jsonb_typeof($1) = 'string' AND $1 #>> '{}' ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d'
                THEN to_char(($1 #>> '{}')::timestamptz, 'YYYY-MM-DD HH24:MI:SSOF') END
$$;
COMMENT ON FUNCTION dbmaint_time_text(jsonb) IS
'A time in evidence to the second, in the session''s time zone; NULL for anything else';

CREATE FUNCTION dbmaint_session_text(session jsonb)
RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN $1 ->> 'state' = 'prepared transaction' OR $1 ->> 'kind' = 'prepared transaction'
                THEN concat_ws(' ', 'a prepared transaction', quote_literal($1 ->> 'name'))
                WHEN $1 ->> 'kind' = 'replication slot' THEN concat_ws(' ', 'replication slot', quote_ident($1 ->> 'name'), '(' || ($1 ->> 'state') || ')')
                WHEN $1 ->> 'kind' = 'standby' THEN concat_ws(' ', 'standby', quote_ident($1 ->> 'name'))
                WHEN $1 ->> 'state' LIKE 'idle in transaction%'
                THEN format('pid %s (%s%s)', $1 ->> 'pid', $1 ->> 'state',
                            coalesce(' for ' || @extschema@.dbmaint_duration_text(@extschema@.dbmaint_json_number(coalesce($1 -> 'state_ms', $1 -> 'transaction_ms'))), ''))
                ELSE format('pid %s (%s%s)', $1 ->> 'pid',
                            coalesce('query ' || ($1 ->> 'query_id'), $1 ->> 'process', $1 ->> 'state', 'no state known'),
                            coalesce(', in a transaction for ' || @extschema@.dbmaint_duration_text(@extschema@.dbmaint_json_number($1 -> 'transaction_ms')), '')) END
$$;
COMMENT ON FUNCTION dbmaint_session_text(jsonb) IS
'A session, prepared transaction, slot or standby of evidence in words';

CREATE FUNCTION dbmaint_setting_bears_on(setting text, family text)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE $2
        WHEN 'connections' THEN $1 ~ 'connections$|timeout|^tcp_|^authentication'
        WHEN 'pool' THEN $1 ~ 'connections$|timeout'
        WHEN 'vacuum' THEN $1 ~ 'vacuum|^maintenance_work_mem$|^track_counts$'
        WHEN 'disk' THEN $1 ~ '^(max|min)_wal_size|^wal_|slot|^archive_|^temp_|^log_'
        WHEN 'replication' THEN $1 ~ '^wal_|slot|^archive_|^synchronous|standby|^primary_|^max_wal'
        WHEN 'locks' THEN $1 ~ 'timeout|lock'
        WHEN 'transactions' THEN $1 ~ 'timeout'
        WHEN 'index' THEN $1 ~ '^enable_|_cost$|statistics'
        ELSE $1 ~ ('^(work_mem|hash_mem_multiplier|temp_buffers|shared_buffers|huge_pages|effective_|maintenance_work_mem|'
                   || 'enable_|seq_page_cost|random_page_cost|cpu_|parallel_|max_parallel|min_parallel|jit|plan_cache_mode|geqo|'
                   || 'from_collapse_limit|join_collapse_limit|cursor_tuple_fraction|constraint_exclusion|default_statistics_target|'
                   || 'synchronous_|fsync|full_page_writes|wal_|max_wal_size|checkpoint|commit_|bgwriter|backend_flush|io_|'
                   || 'log_statement|log_min_duration|track_|autovacuum|vacuum|default_transaction|idle_|statement_timeout|lock_timeout)')
    END
$$;
COMMENT ON FUNCTION dbmaint_setting_bears_on(text, text) IS
'Whether a setting of the server can make a metric of that family (dbmaint_metric_family()) worse';

CREATE FUNCTION dbmaint_change_text(change jsonb)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN $1 IS NULL THEN NULL
           WHEN $1 ->> 'kind' IN ('setting', 'session_setting') THEN
               concat_ws(' ', 'setting', CASE WHEN $1 ->> 'kind' = 'setting' THEN $1 ->> 'object' ELSE ($1 ->> 'attribute') || ' of ' || ($1 ->> 'object') END, 'changed',
                         'from ' || nullif($1 ->> 'old_value', ''), 'to ' || nullif($1 ->> 'new_value', ''))
           WHEN $1 ->> 'attribute' IN ('created', 'dropped') THEN format('%s %s was %s', $1 ->> 'kind', $1 ->> 'object', $1 ->> 'attribute')
           ELSE format('%s of %s %s changed', $1 ->> 'attribute', $1 ->> 'kind', $1 ->> 'object') END
           -- when it was seen; when it was not yet, if that is long before
           || coalesce(CASE WHEN @extschema@.dbmaint_time_text($1 -> 'not_before') IS NOT NULL
                             AND ($1 ->> 'changed_at')::timestamptz > ($1 ->> 'not_before')::timestamptz + interval '1 minute'
                            THEN format(' between %s and ', @extschema@.dbmaint_time_text($1 -> 'not_before'))
                            ELSE ' at ' END || @extschema@.dbmaint_time_text($1 -> 'changed_at'), '')
$$;
COMMENT ON FUNCTION dbmaint_change_text(jsonb) IS
'A change of evidence in words';

CREATE FUNCTION dbmaint_causes_of_sessions(evidence jsonb, OUT weight float8, OUT rank int, OUT cause text)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH e AS (
        SELECT $1 ->> 'family' AS family, $1 -> 'blocking' AS blocking, $1 -> 'transactions' AS transactions,
               $1 -> 'connections' AS connections
    ), blocker AS (
        SELECT r AS root, @extschema@.dbmaint_json_number(r -> 'waiting') AS waiting,
               CASE WHEN e.family = 'connections' THEN @extschema@.dbmaint_json_number(e.connections -> 'now')
                    ELSE greatest(@extschema@.dbmaint_json_number(e.blocking -> 'active'), 1) END AS of_sessions,
               (SELECT max(@extschema@.dbmaint_json_number(k -> 'load_ratio')) FROM @extschema@.dbmaint_json_list(e.blocking -> 'recorded') AS k
                 WHERE k -> 'pid' = r -> 'pid') AS recorded
          FROM e, @extschema@.dbmaint_json_list(e.blocking -> 'roots') AS r
         -- everybody waits for a moment
         WHERE @extschema@.dbmaint_json_number(r -> 'longest_wait_ms') >= 500
    )
    SELECT least(CASE WHEN e.family = 'locks' THEN 1
                      WHEN e.family = 'connections' THEN b.waiting / nullif(b.of_sessions, 0)
                      ELSE greatest(b.waiting / b.of_sessions, b.recorded) END, 1), 1,
           format('blocked by %s%s: %s', @extschema@.dbmaint_session_text(b.root::jsonb), coalesce(' on ' || (b.root ->> 'relation'), ''),
                  CASE WHEN b.waiting = 1 THEN '1 session waits' ELSE b.waiting || ' sessions wait' END)
      FROM e, blocker AS b
     WHERE e.family IN ('locks', 'response', 'load', 'connections', 'pool', 'other')
    UNION ALL
    SELECT CASE WHEN e.family = 'locks' THEN 0.99 ELSE @extschema@.dbmaint_json_number(k -> 'load_ratio') END, 1,
           format('blocked by %s%s from %s to %s', @extschema@.dbmaint_session_text(k::jsonb), coalesce(' on ' || (k ->> 'relation'), ''),
                  @extschema@.dbmaint_time_text(k -> 'first_at'), @extschema@.dbmaint_time_text(k -> 'last_at'))
      FROM e, @extschema@.dbmaint_json_list(e.blocking -> 'recorded') AS k
     WHERE e.family IN ('locks', 'response', 'load', 'pool', 'other')
       AND @extschema@.dbmaint_json_number(k -> 'looks') >= 2
       AND NOT EXISTS (SELECT FROM blocker AS b WHERE b.root -> 'pid' = k -> 'pid')
    UNION ALL
    SELECT 0.9, 6, format('%s%s%s%s', @extschema@.dbmaint_session_text(t::jsonb),
               CASE WHEN t ->> 'kind' = 'prepared transaction' THEN ' since ' || @extschema@.dbmaint_time_text(t -> 'since_at') END,
               coalesce(' of application ' || quote_literal(t ->> 'application'), ''),
               CASE WHEN t ->> 'state' LIKE 'idle in transaction%' AND t ? 'query_id' THEN
                   format(', last query %s%s', t ->> 'query_id', coalesce(' on ' || (t ->> 'relation'), ''))
                    WHEN t ? 'relation' THEN ' on ' || (t ->> 'relation') ELSE '' END)
      FROM e, @extschema@.dbmaint_json_list(CASE WHEN $1 ->> 'metric' ~ 'prepared' THEN e.transactions -> 'xmin_holders' ELSE e.transactions -> 'oldest' END)
                  WITH ORDINALITY AS o(t, n)
     WHERE e.family = 'transactions'
       AND CASE WHEN $1 ->> 'metric' ~ 'prepared' THEN t ->> 'kind' = 'prepared transaction'
                WHEN $1 ->> 'metric' ~ 'idle' THEN t ->> 'state' LIKE 'idle in transaction%' ELSE true END
    UNION ALL
    SELECT CASE WHEN e.connections ? 'baseline' THEN
                    (@extschema@.dbmaint_json_number(a -> 'now') - @extschema@.dbmaint_json_number(a -> 'before'))
                    / nullif(@extschema@.dbmaint_json_number(e.connections -> 'now'), 0)
                ELSE 0.5 * @extschema@.dbmaint_json_number(a -> 'now') / nullif(@extschema@.dbmaint_json_number(e.connections -> 'now'), 0) END, 5,
           format('application %s (user %s): ', quote_literal(a ->> 'application'), quote_ident(a ->> 'username'))
           || CASE WHEN e.connections ? 'baseline' THEN
                  format('%s to %s connections, %s %% of the increase', a ->> 'before', a ->> 'now',
                         round(100 * @extschema@.dbmaint_json_number(a -> 'share_ratio')))
                   ELSE format('%s of %s connections', a ->> 'now', e.connections ->> 'now') END
           || CASE WHEN @extschema@.dbmaint_json_number(a -> 'idle') > 0 THEN format(', %s of them idle', a ->> 'idle') ELSE '' END
      FROM e, @extschema@.dbmaint_json_list(e.connections -> 'top') AS a
     WHERE e.family = 'connections'
       AND CASE WHEN e.connections ? 'baseline' THEN @extschema@.dbmaint_json_number(a -> 'share_ratio') >= 0.5
                ELSE @extschema@.dbmaint_json_number(a -> 'now') >= 0.5 * @extschema@.dbmaint_json_number(e.connections -> 'now') END
$$;
COMMENT ON FUNCTION dbmaint_causes_of_sessions(jsonb) IS
'Part of dbmaint_causes(): blocking sessions, long transactions, applications with many connections';

CREATE FUNCTION dbmaint_causes_of_statements(evidence jsonb, OUT weight float8, OUT rank int, OUT cause text)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH e AS (
        SELECT $1 ->> 'family' AS family, $1 -> 'statements' AS statements, $1 -> 'recorder' AS recorder, $1 -> 'changes' AS changes,
               coalesce($1 ->> 'family', '') IN ('response', 'load', 'wal', 'temp', 'io', 'pool', 'other', 'connections') AS applies,
               ARRAY(SELECT r ->> 'relation' FROM @extschema@.dbmaint_json_list($1 #> '{blocking,roots}') AS r
                      WHERE @extschema@.dbmaint_json_number(r -> 'longest_wait_ms') >= 500 AND r ? 'relation') AS blocked
    ), setting AS (
        SELECT c AS change, n
          FROM e, @extschema@.dbmaint_json_list(e.changes -> 'list') WITH ORDINALITY AS o(c, n)
         WHERE CASE c ->> 'kind' WHEN 'setting' THEN c ->> 'attribute' = 'value' AND @extschema@.dbmaint_setting_bears_on((c ->> 'object')::text, e.family::text)
                                 WHEN 'session_setting' THEN @extschema@.dbmaint_setting_bears_on((c ->> 'attribute')::text, e.family::text)
                                 ELSE false END
    ), statement AS (
        SELECT s, @extschema@.dbmaint_json_number(s -> 'share_ratio') AS share,
               @extschema@.dbmaint_json_number(s -> 'load_ratio') AS load,
               'query ' || (s ->> 'query_id') || coalesce(' on ' || (s ->> 'relation'), '') AS name
          FROM e, @extschema@.dbmaint_json_list(e.statements -> 'top') AS s
         WHERE s ? 'query_id' AND s ? 'change'
    ), related AS (
        -- what else is known of a statement that got slower: an index that went
        -- before one that came, its table, then settings, the newest first
        SELECT s.s ->> 'query_id' AS query_id, k.change,
               row_number() OVER (PARTITION BY s.s ->> 'query_id' ORDER BY k.rank, k.n) AS place
          FROM statement AS s, LATERAL (
                   SELECT c AS change, n, CASE WHEN c ->> 'kind' = 'index' AND c ->> 'attribute' IN ('dropped', 'valid') THEN 1
                                               WHEN c ->> 'kind' = 'index' THEN 2 ELSE 3 END AS rank
                     FROM e, @extschema@.dbmaint_json_list(e.changes -> 'list') WITH ORDINALITY AS o(c, n)
                    WHERE c ->> 'relation' = s.s ->> 'relation' AND c ->> 'attribute' <> 'created' AND c ->> 'attribute' NOT IN ('privileges', 'owner')
                   UNION ALL
                   SELECT t.change, t.n, 4 FROM setting AS t) AS k
         WHERE s.s ->> 'change' = 'slower'
    )
    SELECT s.load * CASE WHEN s.s ->> 'relation' = ANY (e.blocked) THEN 0.5 ELSE 1 END, 2,
           CASE s.s ->> 'change'
               WHEN 'new' THEN format('new %s: %s, %s calls an hour', s.name,
                       @extschema@.dbmaint_duration_text(@extschema@.dbmaint_json_number(s.s -> 'mean_ms_now')), s.s ->> 'calls_per_hour_now')
               WHEN 'more frequent' THEN format('%s: %s to %s calls an hour', s.name, s.s ->> 'calls_per_hour_before', s.s ->> 'calls_per_hour_now')
               ELSE format('%s: %s to %s', s.name, coalesce(s.s ->> 'each_before' || ' ' || (e.statements ->> 'measure'),
                                @extschema@.dbmaint_duration_text(@extschema@.dbmaint_json_number(s.s -> 'mean_ms_before'))),
                           coalesce(s.s ->> 'each_now', @extschema@.dbmaint_duration_text(@extschema@.dbmaint_json_number(s.s -> 'mean_ms_now')))) END
           || format(', %s %% of the increase', round(100 * s.share))
           || coalesce('; ' || @extschema@.dbmaint_change_text(r.change::jsonb), '')
      FROM e, statement AS s LEFT JOIN related AS r ON r.query_id = s.s ->> 'query_id' AND r.place = 1
     WHERE e.applies AND s.share >= 0.25 AND s.load >= 0.1
    UNION ALL
    -- one that has ended calls, too, is judged by those first
    SELECT CASE WHEN EXISTS (SELECT FROM @extschema@.dbmaint_json_list(e.statements -> 'top') AS s WHERE s ->> 'query_id' = q ->> 'query_id') THEN 0.2 ELSE 0.9 END
           * @extschema@.dbmaint_json_number(q -> 'load_ratio'), 3,
           format('query %s%s: %s to %s sessions at a time execute it, %s %% of the increase', q ->> 'query_id', coalesce(' on ' || (q ->> 'relation'), ''),
                  q ->> 'sessions_before', q ->> 'sessions_now', round(100 * @extschema@.dbmaint_json_number(q -> 'share_ratio')))
           || coalesce('; ' || (SELECT @extschema@.dbmaint_change_text(c::jsonb)
                                  FROM @extschema@.dbmaint_json_list(e.changes -> 'list') WITH ORDINALITY AS o(c, n)
                                 WHERE c ->> 'relation' = q ->> 'relation' AND c ->> 'kind' = 'index' AND c ->> 'attribute' = 'dropped'
                                 ORDER BY n LIMIT 1), '')
      FROM e, @extschema@.dbmaint_json_list(e.recorder -> 'running') AS q
     WHERE e.applies AND e.family NOT IN ('wal', 'temp', 'connections')
       AND @extschema@.dbmaint_json_number(q -> 'share_ratio') >= 0.25 AND @extschema@.dbmaint_json_number(q -> 'load_ratio') >= 0.1
       AND @extschema@.dbmaint_json_number(q -> 'sessions_now') - @extschema@.dbmaint_json_number(q -> 'sessions_before') >= 0.5
       AND NOT EXISTS (SELECT FROM statement AS s WHERE s.s ->> 'query_id' = q ->> 'query_id' AND s.share >= 0.25 AND s.load >= 0.1)
    UNION ALL
    SELECT CASE WHEN @extschema@.dbmaint_json_number(e.statements -> 'slower') >= 2
                 AND @extschema@.dbmaint_json_number(e.statements -> 'slower_load_ratio') >= 0.1
                THEN 0.95 * @extschema@.dbmaint_json_number(e.statements -> 'slower_load_ratio')
                WHEN coalesce(e.statements ->> 'baseline', 'none') = 'none' OR NOT e.applies THEN 0.1 END, 4,
           @extschema@.dbmaint_change_text(t.change::jsonb)
           || CASE WHEN @extschema@.dbmaint_json_number(e.statements -> 'slower') >= 2
                   THEN format(': %s statements are slower', e.statements ->> 'slower') ELSE '' END
      FROM e, setting AS t
     -- of several, nobody can tell which
     WHERE t.n = (SELECT min(u.n) FROM setting AS u)
    UNION ALL
    SELECT CASE WHEN e.family = 'index' AND c ->> 'object' = regexp_replace($1 ->> 'instance', '^public\.', '') THEN 0.9 ELSE 0.1 END, 4,
           @extschema@.dbmaint_change_text(c::jsonb)
      FROM e, @extschema@.dbmaint_json_list(e.changes -> 'list') AS c
     WHERE c ->> 'kind' = 'index' AND c ->> 'attribute' IN ('dropped', 'valid')
       AND (e.applies AND coalesce(e.statements ->> 'baseline', 'none') = 'none'
            OR e.family = 'index' AND c ->> 'object' = regexp_replace($1 ->> 'instance', '^public\.', ''))
    UNION ALL
    SELECT 0.1, 4, 'the server was started at ' || @extschema@.dbmaint_time_text(e.changes -> 'server_started_at')
      FROM e
     WHERE e.family IN ('response', 'io', 'load') AND e.changes ? 'server_started_at'
$$;
COMMENT ON FUNCTION dbmaint_causes_of_statements(jsonb) IS
'Part of dbmaint_causes(): statements that took more, with what changed of their tables, and changes by themselves';

CREATE FUNCTION dbmaint_causes_of_subject(evidence jsonb, OUT weight float8, OUT rank int, OUT cause text)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH e AS (
        SELECT $1 ->> 'family' AS family, $1 ->> 'metric' AS metric, $1 ->> 'instance' AS instance, $1 -> 'subject' AS subject
    ), tables AS (
        SELECT t, e.metric ~ 'age|xid|freeze' AND e.metric !~ 'statistics' AS of_ids FROM e, @extschema@.dbmaint_json_list(e.subject -> 'tables') WITH ORDINALITY AS o(t, n)
         WHERE e.family = 'vacuum' AND n = 1
    ), holder AS (
        SELECT h, @extschema@.dbmaint_json_number(h -> 'transaction_ms') AS ms, @extschema@.dbmaint_json_number(h -> 'xmin_age') AS age,
               (CASE WHEN jsonb_typeof(h -> 'since_at') = 'string' THEN h ->> 'since_at' END)::timestamptz AS since_at, n
          FROM e, @extschema@.dbmaint_json_list($1 #> '{transactions,xmin_holders}') WITH ORDINALITY AS o(h, n)
         WHERE e.family = 'vacuum'
    ), grown AS (
        SELECT @extschema@.dbmaint_json_number(g -> 'grown_bytes') AS bytes, 1 AS n,
               format('%s %s grew by %s', g ->> 'kind', coalesce(g ->> 'relation', '(dropped)'), pg_size_pretty(@extschema@.dbmaint_json_number(g -> 'grown_bytes')::bigint)) AS what
          FROM e, @extschema@.dbmaint_json_list(e.subject -> 'relations') AS g WHERE e.family = 'disk'
        UNION ALL
        SELECT @extschema@.dbmaint_json_number(s -> 'retained_bytes'), 2,
               format('replication slot %s%s keeps %s of WAL', quote_ident(s ->> 'slot'), CASE WHEN s -> 'active' = 'false' THEN ' (inactive)' ELSE '' END,
                      pg_size_pretty(@extschema@.dbmaint_json_number(s -> 'retained_bytes')::bigint))
          FROM e, @extschema@.dbmaint_json_list(e.subject -> 'slots') WITH ORDINALITY AS o(s, n) WHERE e.family = 'disk' AND n = 1
        UNION ALL
        -- beyond what the server keeps by itself, and a slot
        SELECT @extschema@.dbmaint_json_number(e.subject -> 'wal_bytes') - @extschema@.dbmaint_json_number(e.subject -> 'max_wal_size_bytes')
               - coalesce(@extschema@.dbmaint_json_number(e.subject #> '{slots,0,retained_bytes}'), 0), 3,
               format('WAL takes %s', pg_size_pretty(@extschema@.dbmaint_json_number(e.subject -> 'wal_bytes')::bigint))
               || CASE WHEN e.subject #> '{archiver,failing}' = 'true' THEN coalesce(', and archiving has failed, last at ' || @extschema@.dbmaint_time_text(e.subject #> '{archiver,last_failed_at}'), '') ELSE '' END
          FROM e WHERE e.family = 'disk'
        UNION ALL
        SELECT @extschema@.dbmaint_json_number(e.subject -> 'temp_file_bytes'), 4,
               format('temporary files take %s', pg_size_pretty(@extschema@.dbmaint_json_number(e.subject -> 'temp_file_bytes')::bigint))
          FROM e WHERE e.family = 'disk'
    ), total AS (
        SELECT greatest(sum(k.bytes), (SELECT @extschema@.dbmaint_json_number(e.subject -> 'free_bytes_before') - @extschema@.dbmaint_json_number(e.subject -> 'free_bytes_now') FROM e)) AS bytes
          FROM grown AS k WHERE k.bytes > 0
    )
    SELECT CASE WHEN h.since_at < (CASE WHEN jsonb_typeof(t -> 'last_vacuum_at') = 'string' THEN t ->> 'last_vacuum_at' END)::timestamptz OR h.h ->> 'kind' <> 'session' AND h.since_at IS NULL THEN 0.95
                WHEN h.ms >= 300000 THEN 0.5 END, 6 + h.n::int,
           format('dead rows of %s are held by %s', t ->> 'relation', @extschema@.dbmaint_session_text(h.h::jsonb))
      FROM tables AS s(t, of_ids), holder AS h
     WHERE NOT s.of_ids AND h.age >= 1 AND $1 ->> 'metric' !~ 'statistics|analyze|mod_since'
       AND @extschema@.dbmaint_json_number(t -> 'dead_tuples') > 0
    UNION ALL
    SELECT 0.9, 6, format('autovacuum is %s%s', t ->> 'autovacuum', CASE WHEN t ->> 'autovacuum' LIKE '%table' THEN ' ' || (t ->> 'relation') ELSE '' END)
      FROM tables AS s(t, of_ids) WHERE t ->> 'autovacuum' LIKE 'off%'
    UNION ALL
    SELECT 0.8, 6 + h.n::int, format('transaction ids are held by %s, %s transactions old', @extschema@.dbmaint_session_text(h.h::jsonb), h.age)
      FROM e, holder AS h
     WHERE e.metric ~ 'age|xid|freeze' AND e.metric !~ 'statistics' AND h.age >= 10000000
    UNION ALL
    SELECT 0.9, 6, format('index %s is invalid', i ->> 'index')
      FROM e, @extschema@.dbmaint_json_list(e.subject -> 'indexes') AS i
     WHERE e.family = 'index' AND i -> 'valid' = 'false'
    UNION ALL
    SELECT g.bytes / nullif(total.bytes, 0), 10 + g.n, g.what || format(', %s %% of what grew or is kept', round(100 * g.bytes / nullif(total.bytes, 0)))
      FROM grown AS g, total
     WHERE g.bytes >= 1048576
    UNION ALL
    SELECT 0.4, 9, format('pool %s: %s clients wait, and all %s server connections are in use', quote_literal(p ->> 'pool'), p ->> 'cl_waiting', p ->> 'sv_active')
           || coalesce(format(' (pool_size %s)', p ->> 'pool_size'), '')
      FROM e, @extschema@.dbmaint_json_list(e.subject -> 'pools') WITH ORDINALITY AS o(p, n)
     WHERE e.family = 'pool' AND n = 1 AND p -> 'exhausted' = 'true'
    UNION ALL
    SELECT 0.8, CASE WHEN e.metric ~ 'slot' THEN 11 ELSE 13 END,
           format('replication slot %s%s keeps %s of WAL', quote_ident(s ->> 'slot'), CASE WHEN s -> 'active' = 'false' THEN ' is inactive and' ELSE '' END,
                  pg_size_pretty(@extschema@.dbmaint_json_number(s -> 'retained_bytes')::bigint))
      FROM e, @extschema@.dbmaint_json_list(e.subject -> 'slots') WITH ORDINALITY AS o(s, n)
     WHERE e.family = 'replication' AND e.metric !~ 'archiv' AND CASE WHEN e.metric ~ 'slot' AND e.instance <> '' THEN s ->> 'slot' = e.instance ELSE s -> 'active' = 'false' AND n = 1 END
    UNION ALL
    SELECT 0.8, 12,
           format('standby %s has not %s %s of WAL', quote_ident(s ->> 'application'), l.what, pg_size_pretty(l.bytes::bigint))
      FROM e, @extschema@.dbmaint_json_list(e.subject -> 'standbys') WITH ORDINALITY AS o(s, n),
           LATERAL (SELECT v.what, v.bytes
                      FROM (VALUES ('been sent', @extschema@.dbmaint_json_number(s -> 'not_sent_bytes'), 1),
                                   ('flushed', @extschema@.dbmaint_json_number(s -> 'not_flushed_bytes'), 2),
                                   ('replayed', @extschema@.dbmaint_json_number(s -> 'not_replayed_bytes'), 3)) AS v(what, bytes, n)
                     -- what it has not been sent it cannot have flushed
                     WHERE v.bytes >= 0.5 * @extschema@.dbmaint_json_number(s -> 'not_replayed_bytes') ORDER BY v.n LIMIT 1) AS l
     WHERE e.family = 'replication' AND e.metric !~ 'slot|archiv' AND l.bytes > 0
       AND CASE WHEN e.instance <> '' THEN s ->> 'application' = e.instance ELSE n = 1 END
    UNION ALL
    SELECT 0.8, 11, 'archiving has failed, last at ' || @extschema@.dbmaint_time_text(e.subject #> '{archiver,last_failed_at}')
      FROM e WHERE e.family = 'replication' AND e.metric ~ 'archiv' AND e.subject #> '{archiver,failing}' = 'true'
$$;
COMMENT ON FUNCTION dbmaint_causes_of_subject(jsonb) IS
'Part of dbmaint_causes(): who keeps dead rows or WAL, what grew, invalid indexes, standbys that are behind';

CREATE FUNCTION dbmaint_causes(evidence jsonb, OUT weight float8, OUT cause text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
BEGIN
    RETURN QUERY
    SELECT round(c.weight::numeric, 3)::float8, left(@extschema@.dbmaint_plain_name(c.cause), 300)
      FROM (SELECT s.weight, s.rank, s.cause FROM @extschema@.dbmaint_causes_of_sessions(evidence) AS s
            UNION ALL
            SELECT s.weight, s.rank, s.cause FROM @extschema@.dbmaint_causes_of_statements(evidence) AS s
            UNION ALL
            SELECT s.weight, s.rank, s.cause FROM @extschema@.dbmaint_causes_of_subject(evidence) AS s) AS c
     WHERE c.weight >= 0.1 AND c.cause IS NOT NULL
     ORDER BY round(c.weight::numeric, 3) DESC, c.rank, c.cause;
EXCEPTION WHEN data_exception THEN
    -- evidence that nobody collected
    RETURN;
END
$$;
COMMENT ON FUNCTION dbmaint_causes(jsonb) IS
'What may be the cause by the evidence, the likeliest first: weight is the part of what is bad that it explains, from 0.1 to 1. No rows where nothing explains a tenth of it.';

CREATE FUNCTION dbmaint_likely_cause(evidence jsonb)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN $1 IS NOT NULL THEN
               coalesce((SELECT c.cause FROM @extschema@.dbmaint_causes($1) AS c LIMIT 1), 'no cause found') END
$$;
COMMENT ON FUNCTION dbmaint_likely_cause(jsonb) IS
'The first of dbmaint_causes() in one line of at most 300 characters without query texts, or "no cause found"; NULL for NULL';

REVOKE ALL ON FUNCTION dbmaint_time_text(jsonb), dbmaint_change_text(jsonb),
    dbmaint_causes_of_sessions(jsonb), dbmaint_causes_of_statements(jsonb), dbmaint_causes_of_subject(jsonb),
    dbmaint_causes(jsonb), dbmaint_likely_cause(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_time_text(jsonb), dbmaint_change_text(jsonb),
    dbmaint_causes_of_sessions(jsonb), dbmaint_causes_of_statements(jsonb), dbmaint_causes_of_subject(jsonb),
    dbmaint_causes(jsonb), dbmaint_likely_cause(jsonb) TO pg_monitor;
