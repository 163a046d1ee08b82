-- src/worker/worker.sql: what the processes do, and one turn by hand.

CREATE FUNCTION dbmaint_status(
    OUT process text, OUT pid int, OUT database text, OUT state text,
    OUT last_round_at timestamptz, OUT last_round_cost_ms float8,
    OUT rounds bigint, OUT errors bigint, OUT last_error text,
    OUT next_due_at timestamptz, OUT missed_rounds bigint)
RETURNS SETOF record
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'dbmaint_status';
COMMENT ON FUNCTION dbmaint_status() IS
'Every process of dbmaint: the launcher, a sampler for each database that it knows, and the errands (runner of jobs, notifier) that were ever wanted there; and, where dbmaint.pgbouncer_conninfo is set, a row "pool" for what the home database''s sampler does with PgBouncer (state: ok, or why it cannot be read; see dbmaint_pool_status()). For an errand, rounds counts how often it was started, last_round_at says when, next_due_at when it is tried again after a failure. pid is NULL while none runs; last_round_cost_ms is the time that the last round took; errors counts steps that failed since the server started; next_due_at is NULL where nothing is due; missed_rounds counts turns that were skipped because they came too late. No rows where the library is not preloaded.';

CREATE FUNCTION dbmaint_run_due(
    at timestamptz, OUT collector text, OUT status text)
RETURNS SETOF record
LANGUAGE C VOLATILE CALLED ON NULL INPUT
AS 'MODULE_PATHNAME', 'dbmaint_run_due';
COMMENT ON FUNCTION dbmaint_run_due(timestamptz) IS
'One turn of this database''s sampler at the given time, as if it were now: runs the collectors that are due, writes the sample and expires history. Returns a row for each step, with "ok" or its error. Refused while a sampler is at work on the database.';

CREATE FUNCTION dbmaint_alerting(
    OUT judged_at timestamptz, OUT rules int, OUT series int, OUT pending int,
    OUT firing int, OUT judged_ms float8, OUT failure text)
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'dbmaint_alerting';
COMMENT ON FUNCTION dbmaint_alerting() IS
'The last turn of this database''s alerts: when, by how many rules that are enabled, how many readings of what has instances a turn judged at most, how many alerts are pending and firing, how long judging took in milliseconds, and what failed of loading rules and writing alerts in that turn (NULL: nothing). NULL where there was none since the server started.';

CREATE FUNCTION dbmaint_home_problem()
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format(CASE WHEN d.oid IS NULL THEN 'dbmaint.home_database names "%s", and there is no such database'
                       WHEN s.state IS NULL OR s.state = 'not installed'
                       THEN 'dbmaint.home_database names "%s", where the extension is not installed or dbmaint.databases wants no sampler'
                       ELSE 'dbmaint.home_database names "%s", which is not sampled' END, h.name)
           || ': nobody reads what concerns the whole server, and no alert on it fires. Name a database that is sampled,'
              ' or none for the first one, and reload; see dbmaint_status().'
      FROM (SELECT current_setting('dbmaint.home_database', true) AS name,
                   current_setting('dbmaint.sample_interval', true)::interval AS pause) AS h
      LEFT JOIN pg_database AS d ON d.datname = h.name
      LEFT JOIN @extschema@.dbmaint_status() AS s ON s.process = 'sampler' AND s.database = d.datname
     WHERE h.name <> '' AND current_setting('dbmaint.enabled', true)::boolean AND NOT pg_is_in_recovery()
       -- one that has not been sampled yet will be
       AND (d.oid IS NULL OR s.state IS NULL OR s.state = 'not installed'
            OR s.last_round_at < clock_timestamp() - greatest(10 * h.pause, interval '5 minutes'))
$$;
COMMENT ON FUNCTION dbmaint_home_problem() IS
'Why nobody reads what concerns the whole server, and what to do: dbmaint.home_database names no database that is sampled. NULL where one is.';

REVOKE ALL ON FUNCTION dbmaint_home_problem() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_home_problem() TO pg_monitor;
REVOKE ALL ON FUNCTION dbmaint_status(), dbmaint_run_due(timestamptz), dbmaint_alerting() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_status(), dbmaint_alerting() TO pg_monitor;
