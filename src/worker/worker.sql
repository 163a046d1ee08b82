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
'Every process of dbmaint: the launcher, a sampler for each database that it knows, and the errands (runner of jobs, notifier) that were ever wanted there. For an errand, rounds counts how often it was started, last_round_at says when, next_due_at when it is tried again after a failure. pid is NULL while none runs; last_round_cost_ms is the time that the last round took; errors counts steps that failed since the server started; next_due_at is NULL where nothing is due; missed_rounds counts turns that were skipped because they came too late. No rows where the library is not preloaded.';

CREATE FUNCTION dbmaint_run_due(
    at timestamptz, OUT collector text, OUT status text)
RETURNS SETOF record
LANGUAGE C VOLATILE CALLED ON NULL INPUT
AS 'MODULE_PATHNAME', 'dbmaint_run_due';
COMMENT ON FUNCTION dbmaint_run_due(timestamptz) IS
'One turn of this database''s sampler at the given time, as if it were now: runs the collectors that are due, writes the sample and expires history. Returns a row for each step, with "ok" or its error. Refused while a sampler is at work on the database.';

REVOKE ALL ON FUNCTION dbmaint_status(), dbmaint_run_due(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_status() TO pg_monitor;
