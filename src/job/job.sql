-- src/job/job.sql: the queue of jobs, what became of them, and who sees which.
-- The functions that only the library calls say so; nobody else may.

CREATE TABLE dbmaint_job_queue (
    job_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    database_oid oid NOT NULL,
    kind text NOT NULL,
    target text,
    target_oid oid NOT NULL,
    options jsonb NOT NULL,
    requester oid NOT NULL,
    requested_by text NOT NULL,
    enqueued_at timestamptz NOT NULL,
    next_attempt_at timestamptz NOT NULL,
    running bool NOT NULL DEFAULT false,
    started_at timestamptz,
    attempts int NOT NULL DEFAULT 0,
    attempts_before int NOT NULL DEFAULT 0,
    journal jsonb,
    sqlstate text,
    message text
);
COMMENT ON SEQUENCE dbmaint_job_queue_job_id_seq IS 'Numbers jobs.';
CREATE UNIQUE INDEX dbmaint_job_queue_waiting_idx ON dbmaint_job_queue
    (database_oid, requester, kind, target_oid,
     coalesce(target, ''::pg_catalog.text), pg_catalog.md5(options::pg_catalog.text))
    WHERE NOT running AND attempts OPERATOR(pg_catalog.=) 0;
COMMENT ON TABLE dbmaint_job_queue IS
'The jobs that wait or run; dbmaint_jobs shows them, dbmaint_enqueue() adds one. Written by the library alone.';
COMMENT ON COLUMN dbmaint_job_queue.job_id IS 'The job''s number.';
COMMENT ON COLUMN dbmaint_job_queue.database_oid IS
'The database that the job was asked for in; a copy of it does not run the job again.';
COMMENT ON COLUMN dbmaint_job_queue.kind IS 'What is to be done.';
COMMENT ON COLUMN dbmaint_job_queue.target IS
'The relation''s qualified name when it was last looked at; NULL where the kind needs no target.';
COMMENT ON COLUMN dbmaint_job_queue.target_oid IS
'The relation, whatever it is called now; 0 where the kind has none.';
COMMENT ON COLUMN dbmaint_job_queue.options IS 'As given to dbmaint_enqueue().';
COMMENT ON COLUMN dbmaint_job_queue.requester IS 'The role that asked, with whose rights the job runs.';
COMMENT ON COLUMN dbmaint_job_queue.requested_by IS 'The role''s name when it asked.';
COMMENT ON COLUMN dbmaint_job_queue.enqueued_at IS 'When it was asked for.';
COMMENT ON COLUMN dbmaint_job_queue.next_attempt_at IS 'Not to be begun before that time.';
COMMENT ON COLUMN dbmaint_job_queue.running IS
'Was an attempt begun, and not ended? Also true after a crash, until the next runner comes.';
COMMENT ON COLUMN dbmaint_job_queue.started_at IS 'When the last attempt began; NULL if none did.';
COMMENT ON COLUMN dbmaint_job_queue.attempts IS 'How many attempts were begun.';
COMMENT ON COLUMN dbmaint_job_queue.attempts_before IS
'How many of them went well and asked for another; they do not count against the option attempts.';
COMMENT ON COLUMN dbmaint_job_queue.journal IS
'What the kind noted before its first attempt, to know afterwards what is its own doing.';
COMMENT ON COLUMN dbmaint_job_queue.sqlstate IS 'The last attempt''s error; NULL if there was none.';
COMMENT ON COLUMN dbmaint_job_queue.message IS 'The last attempt''s error, in words.';

CREATE TABLE dbmaint_job_attempts (
    job_id bigint NOT NULL,
    attempt int NOT NULL,
    database_oid oid NOT NULL,
    kind text NOT NULL,
    target text,
    target_oid oid NOT NULL,
    options jsonb NOT NULL,
    requester oid NOT NULL,
    requested_by text NOT NULL,
    enqueued_at timestamptz NOT NULL,
    started_at timestamptz,
    ended_at timestamptz NOT NULL,
    duration_ms float8,
    state text NOT NULL,
    sqlstate text,
    message text,
    output text,
    next_attempt_at timestamptz,
    PRIMARY KEY (database_oid, job_id, attempt)
);
CREATE INDEX dbmaint_job_attempts_requester_idx ON dbmaint_job_attempts
    (database_oid, requester, ended_at);
COMMENT ON TABLE dbmaint_job_attempts IS
'What became of each attempt at a job; dbmaint_job_history shows it. Kept as long as dbmaint.retention says, of each role the last 10000.';
COMMENT ON COLUMN dbmaint_job_attempts.job_id IS 'The job''s number.';
COMMENT ON COLUMN dbmaint_job_attempts.attempt IS '1 for the first attempt; 0 for a job that was cancelled before one.';
COMMENT ON COLUMN dbmaint_job_attempts.database_oid IS 'The database that the job ran in.';
COMMENT ON COLUMN dbmaint_job_attempts.kind IS 'What was done.';
COMMENT ON COLUMN dbmaint_job_attempts.target IS 'The relation''s qualified name at the time; NULL where the kind needs no target.';
COMMENT ON COLUMN dbmaint_job_attempts.target_oid IS 'The relation''s oid; 0 where the kind has none.';
COMMENT ON COLUMN dbmaint_job_attempts.options IS 'As given to dbmaint_enqueue().';
COMMENT ON COLUMN dbmaint_job_attempts.requester IS 'The role that asked.';
COMMENT ON COLUMN dbmaint_job_attempts.requested_by IS 'The role''s name when it asked.';
COMMENT ON COLUMN dbmaint_job_attempts.enqueued_at IS 'When it asked.';
COMMENT ON COLUMN dbmaint_job_attempts.started_at IS 'When the attempt began; NULL if it never did.';
COMMENT ON COLUMN dbmaint_job_attempts.ended_at IS 'When it ended; for an interrupted one, when that was noticed.';
COMMENT ON COLUMN dbmaint_job_attempts.duration_ms IS 'How long it took, in milliseconds; NULL if that is not known.';
COMMENT ON COLUMN dbmaint_job_attempts.state IS
'done; failed; cancelled; skipped (the lock was not to be had, and there are no attempts left); interrupted (the server or the runner ended meanwhile); continued (this part is done, the job goes on).';
COMMENT ON COLUMN dbmaint_job_attempts.sqlstate IS 'The error''s code; NULL where there was none.';
COMMENT ON COLUMN dbmaint_job_attempts.message IS 'The error; NULL where there was none.';
COMMENT ON COLUMN dbmaint_job_attempts.output IS
'What the command said, at most 8 kB: warnings, notices, and with the option verbose all it has to tell; NULL if nothing.';
COMMENT ON COLUMN dbmaint_job_attempts.next_attempt_at IS 'When it is tried again; NULL: not.';

CREATE FUNCTION dbmaint_enqueue(kind text, target text, options jsonb DEFAULT '{}')
RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
AS 'MODULE_PATHNAME', 'dbmaint_enqueue';
COMMENT ON FUNCTION dbmaint_enqueue(text, text, jsonb) IS
'Asks for a job, which the database''s runner does after this transaction commits: vacuum, analyze or reindex (concurrently) of the relation that target names, or partition_create or partition_drop as its policy says (for its owner). For its owner, and since PostgreSQL 17 for who may MAINTAIN it. Returns the job''s number; a job of the caller''s that waits already, with the same kind, target and options, is returned again. Options of all kinds: timeout ("10min"; dbmaint.job_timeout), attempts (3), retry_after ("30s", doubled each time). vacuum: analyze, freeze, index_cleanup, truncate, process_toast, disable_page_skipping, parallel, verbose. analyze: columns, verbose. reindex: verbose.';

CREATE FUNCTION dbmaint_cancel_job(job_id bigint)
RETURNS bool
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dbmaint_cancel_job';
COMMENT ON FUNCTION dbmaint_cancel_job(bigint) IS
'Takes a waiting job out of the queue, or interrupts a running one, at once and whether or not this transaction commits. For the role that asked for it, its members, and superusers. False if the job has ended already; NULL for NULL.';

CREATE FUNCTION dbmaint_job_progress(job_id bigint, OUT pid int, OUT progress text, OUT done_ratio float8)
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'dbmaint_job_progress';
COMMENT ON FUNCTION dbmaint_job_progress(bigint) IS
'How far a running job is: the runner''s pid, what it is at in words, and the part of this phase that is done, from 0 to 1. NULL where that is not known, where the job does not run, and for those who may not see it.';

CREATE FUNCTION dbmaint_current_database()
RETURNS oid
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database() $$;
COMMENT ON FUNCTION dbmaint_current_database() IS 'The oid of this database.';

CREATE VIEW dbmaint_jobs WITH (security_barrier) AS
SELECT q.job_id, q.kind, q.target,
       CASE WHEN q.running THEN 'running'::pg_catalog.text
            WHEN q.attempts OPERATOR(pg_catalog.>) q.attempts_before THEN 'retrying'::pg_catalog.text
            ELSE 'pending'::pg_catalog.text END AS state,
       p.progress, p.done_ratio, p.pid,
       q.requested_by, q.enqueued_at, q.started_at,
       CASE WHEN NOT q.running THEN q.next_attempt_at END AS next_attempt_at,
       q.attempts, q.options, q.sqlstate, q.message
  FROM dbmaint_job_queue AS q
  LEFT JOIN LATERAL dbmaint_job_progress(q.job_id) AS p ON q.running
 WHERE q.database_oid OPERATOR(pg_catalog.=)
       (SELECT d.oid FROM pg_catalog.pg_database AS d
         WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
   AND (pg_catalog.pg_has_role(q.requester, 'USAGE'::pg_catalog.text)
        OR pg_catalog.pg_has_role('pg_monitor'::pg_catalog.name, 'USAGE'::pg_catalog.text));
COMMENT ON VIEW dbmaint_jobs IS
'The jobs that wait or run in this database: a role sees its own, pg_monitor all. state is pending, running, or retrying after an attempt that failed as message says; progress, done_ratio (0 to 1, of the present phase) and pid are of running ones, NULL where not known.';

CREATE VIEW dbmaint_job_history WITH (security_barrier) AS
SELECT a.job_id, a.attempt, a.kind, a.target, a.state, a.requested_by,
       a.enqueued_at, a.started_at, a.ended_at, a.duration_ms,
       a.sqlstate, a.message, a.output, a.next_attempt_at, a.options
  FROM dbmaint_job_attempts AS a
 WHERE a.database_oid OPERATOR(pg_catalog.=)
       (SELECT d.oid FROM pg_catalog.pg_database AS d
         WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
   AND (pg_catalog.pg_has_role(a.requester, 'USAGE'::pg_catalog.text)
        OR pg_catalog.pg_has_role('pg_monitor'::pg_catalog.name, 'USAGE'::pg_catalog.text));
COMMENT ON VIEW dbmaint_job_history IS
'Who asked for which job in this database, and what became of each attempt: a role sees its own, pg_monitor all. state is done, failed, cancelled, skipped (the lock was not to be had), interrupted (the server or the runner ended meanwhile) or continued; next_attempt_at is NULL unless it is tried again.';

CREATE FUNCTION dbmaint_jobs_due(at timestamptz)
RETURNS bool
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM @extschema@.dbmaint_job_queue AS q
                    WHERE q.database_oid = @extschema@.dbmaint_current_database()
                      -- what is of the future was written before the clock was set back
                      AND (q.running OR q.next_attempt_at <= at
                           OR coalesce(q.started_at, q.enqueued_at) > at))
$$;
COMMENT ON FUNCTION dbmaint_jobs_due(timestamptz) IS
'Is there work for the runner in this database: a job that is due, or one that was running when the server ended? Asked in every round of the sampler.';

CREATE FUNCTION dbmaint_add_job(
    kind text, target text, target_oid oid, options jsonb, requester oid, most_waiting int)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    here oid := @extschema@.dbmaint_current_database();
    found_id bigint;
BEGIN
    LOOP
        SELECT q.job_id INTO found_id
          FROM @extschema@.dbmaint_job_queue AS q
         WHERE q.database_oid = here AND q.requester = dbmaint_add_job.requester
           AND q.kind = dbmaint_add_job.kind AND q.target_oid = dbmaint_add_job.target_oid
           AND (dbmaint_add_job.target_oid <> 0
                OR q.target IS NOT DISTINCT FROM dbmaint_add_job.target)
           AND md5(q.options::text) = md5(dbmaint_add_job.options::text)
           AND NOT q.running;
        IF FOUND THEN
            RETURN found_id;
        END IF;

        IF (SELECT count(*) FROM @extschema@.dbmaint_job_queue AS q
             WHERE q.database_oid = here
               AND q.requester = dbmaint_add_job.requester AND NOT q.running) >= most_waiting THEN
            RAISE EXCEPTION 'too many jobs of role "%" are waiting', pg_get_userbyid(requester)
                USING ERRCODE = 'configuration_limit_exceeded',
                      DETAIL = format('At most %s may wait (dbmaint.max_pending_jobs).', most_waiting),
                      HINT = 'Wait until some are done, or cancel them with dbmaint_cancel_job().';
        END IF;

        INSERT INTO @extschema@.dbmaint_job_queue AS q
            (database_oid, kind, target, target_oid, options, requester, requested_by,
             enqueued_at, next_attempt_at)
        VALUES (here, kind, target, target_oid, options, requester,
                pg_get_userbyid(requester), clock_timestamp(), clock_timestamp())
        ON CONFLICT DO NOTHING
        RETURNING q.job_id INTO found_id;
        IF FOUND THEN
            RETURN found_id;
        END IF;
        -- another session was faster; by now its job can be seen, or is gone
    END LOOP;
END
$$;
COMMENT ON FUNCTION dbmaint_add_job(text, text, oid, jsonb, oid, int) IS
'Puts a job into the queue, or returns the one that waits there already. Called by dbmaint_enqueue(), which has checked all of it.';

CREATE FUNCTION dbmaint_take_job(at timestamptz)
RETURNS SETOF dbmaint_job_queue
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    here oid := @extschema@.dbmaint_current_database();
    candidate bigint;
BEGIN
    -- the roles take turns, so that one with many jobs keeps nobody from his
    FOR candidate IN
        SELECT f.job_id
          FROM (SELECT DISTINCT ON (q.requester) q.requester, q.job_id, q.next_attempt_at
                  FROM @extschema@.dbmaint_job_queue AS q
                 WHERE q.database_oid = here AND NOT q.running
                   AND (q.next_attempt_at <= at OR coalesce(q.started_at, q.enqueued_at) > at)
                 ORDER BY q.requester, q.next_attempt_at, q.job_id) AS f
         ORDER BY (SELECT max(a.ended_at) FROM @extschema@.dbmaint_job_attempts AS a
                    WHERE a.database_oid = here AND a.requester = f.requester) NULLS FIRST,
               f.next_attempt_at, f.job_id
    LOOP
        PERFORM FROM @extschema@.dbmaint_job_queue AS q
          WHERE q.job_id = candidate AND NOT q.running
            FOR UPDATE SKIP LOCKED;
        IF FOUND THEN
            RETURN QUERY UPDATE @extschema@.dbmaint_job_queue AS q
                SET running = true, started_at = at, attempts = q.attempts + 1
              WHERE q.job_id = candidate
          RETURNING q.*;
            RETURN;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION dbmaint_take_job(timestamptz) IS
'Marks the job that is due next as running and returns it; no row if none is. Called by the runner.';

CREATE FUNCTION dbmaint_take_left_job()
RETURNS SETOF dbmaint_job_queue
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    -- what a session has locked comes later, and nothing waits for it
    SELECT q.* FROM @extschema@.dbmaint_job_queue AS q
     WHERE q.database_oid = @extschema@.dbmaint_current_database() AND q.running
     ORDER BY q.job_id
     LIMIT 1
       FOR UPDATE SKIP LOCKED
$$;
COMMENT ON FUNCTION dbmaint_take_left_job() IS
'Returns a job that an earlier runner had begun and not ended; no row if there is none. Called by the runner before it looks for others.';

CREATE FUNCTION dbmaint_keep_job_journal(job_id bigint, journal jsonb)
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE @extschema@.dbmaint_job_queue AS q SET journal = $2 WHERE q.job_id = $1
$$;
COMMENT ON FUNCTION dbmaint_keep_job_journal(bigint, jsonb) IS
'Keeps what a kind has to know after an attempt. Called by the runner.';

CREATE FUNCTION dbmaint_cut_job_history(job dbmaint_job_queue)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- now and then; a job of many parts has one number and many attempts
    IF (job.job_id + job.attempts) % 64 = 0 THEN
        DELETE FROM @extschema@.dbmaint_job_attempts AS a
         WHERE a.database_oid = job.database_oid AND a.requester = job.requester
           AND a.ended_at < (SELECT b.ended_at FROM @extschema@.dbmaint_job_attempts AS b
                              WHERE b.database_oid = job.database_oid AND b.requester = job.requester
                              ORDER BY b.ended_at DESC
                             OFFSET 9999 LIMIT 1);
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_cut_job_history(dbmaint_job_queue) IS
'Deletes what is beyond the last 10000 attempts at jobs of the job''s requester, at about every 64th call. Called with each attempt that is noted.';

CREATE FUNCTION dbmaint_put_back_job(
    job_id bigint, state text, sqlstate text, message text, output text,
    started_at timestamptz, ended_at timestamptz, duration_ms float8,
    next_attempt_at timestamptz, target text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    job @extschema@.dbmaint_job_queue;
BEGIN
    SELECT q.* INTO job FROM @extschema@.dbmaint_job_queue AS q
     WHERE q.job_id = dbmaint_put_back_job.job_id
       FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    -- what was asked for once more meanwhile waits already
    IF next_attempt_at IS NOT NULL AND EXISTS (
            SELECT FROM @extschema@.dbmaint_job_queue AS q
             WHERE q.database_oid = job.database_oid AND q.requester = job.requester
               AND q.kind = job.kind AND q.target_oid = job.target_oid
               AND (job.target_oid <> 0 OR q.target IS NOT DISTINCT FROM job.target)
               AND md5(q.options::text) = md5(job.options::text)
               AND NOT q.running) THEN
        next_attempt_at := NULL;
    END IF;

    INSERT INTO @extschema@.dbmaint_job_attempts AS a
    VALUES (job.job_id, job.attempts, job.database_oid, job.kind, coalesce(target, job.target),
            job.target_oid, job.options, job.requester, job.requested_by, job.enqueued_at,
            coalesce(started_at, job.started_at), ended_at, duration_ms,
            CASE WHEN state = 'done' AND next_attempt_at IS NOT NULL THEN 'continued' ELSE state END,
            sqlstate, message, output, next_attempt_at)
    ON CONFLICT DO NOTHING;

    IF next_attempt_at IS NULL THEN
        DELETE FROM @extschema@.dbmaint_job_queue AS q WHERE q.job_id = job.job_id;
    ELSE
        UPDATE @extschema@.dbmaint_job_queue AS q
           SET running = false, next_attempt_at = dbmaint_put_back_job.next_attempt_at,
               target = coalesce(dbmaint_put_back_job.target, q.target),
               sqlstate = dbmaint_put_back_job.sqlstate, message = dbmaint_put_back_job.message,
               attempts_before = CASE WHEN state = 'done' THEN q.attempts ELSE q.attempts_before END
         WHERE q.job_id = job.job_id;
    END IF;

    PERFORM @extschema@.dbmaint_cut_job_history(job);
END
$$;
COMMENT ON FUNCTION dbmaint_put_back_job(bigint, text, text, text, text, timestamptz, timestamptz, float8, timestamptz, text) IS
'Writes what became of an attempt, and takes the job out of the queue unless it is to be tried again. Called by the runner.';

CREATE FUNCTION dbmaint_find_job(job_id bigint, OUT requester oid, OUT waiting bool, OUT running bool)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    (SELECT q.requester, NOT q.running, q.running
       FROM @extschema@.dbmaint_job_queue AS q
      WHERE q.job_id = $1 AND q.database_oid = @extschema@.dbmaint_current_database())
    UNION ALL
    (SELECT a.requester, false, false
       FROM @extschema@.dbmaint_job_attempts AS a
      WHERE a.job_id = $1 AND a.database_oid = @extschema@.dbmaint_current_database()
      LIMIT 1)
    LIMIT 1
$$;
COMMENT ON FUNCTION dbmaint_find_job(bigint) IS
'The role that asked for a job, and whether the job waits or runs; neither if it has ended. No row if nobody knows it. Called by dbmaint_cancel_job().';

CREATE FUNCTION dbmaint_drop_pending_job(job_id bigint, role text)
RETURNS bool
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    job @extschema@.dbmaint_job_queue;
BEGIN
    DELETE FROM @extschema@.dbmaint_job_queue AS q
     WHERE q.job_id = dbmaint_drop_pending_job.job_id AND NOT q.running
    RETURNING q.* INTO job;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO @extschema@.dbmaint_job_attempts AS a
    VALUES (job.job_id, CASE job.attempts WHEN 0 THEN 0 ELSE job.attempts + 1 END,
            job.database_oid, job.kind, job.target, job.target_oid, job.options, job.requester,
            job.requested_by, job.enqueued_at, NULL, clock_timestamp(), NULL, 'cancelled', NULL,
            format('cancelled by role "%s" before it began', role), NULL, NULL)
    ON CONFLICT DO NOTHING;
    PERFORM @extschema@.dbmaint_cut_job_history(job);
    RETURN true;
END
$$;
COMMENT ON FUNCTION dbmaint_drop_pending_job(bigint, text) IS
'Takes a job that does not run out of the queue and notes it as cancelled; false if it runs or is gone. Called by dbmaint_cancel_job().';

CREATE FUNCTION dbmaint_progress_of_job(
    job_id bigint, runner int, said text, caller oid,
    OUT pid int, OUT progress text, OUT done_ratio float8)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    done bigint;
    total bigint;
    locker int;
BEGIN
    PERFORM FROM @extschema@.dbmaint_job_queue AS q
      WHERE q.job_id = dbmaint_progress_of_job.job_id
        AND (pg_has_role(caller, q.requester, 'USAGE') OR pg_has_role(caller, 'pg_monitor', 'USAGE'));
    IF NOT FOUND THEN
        RETURN;
    END IF;
    pid := runner;

    SELECT 'vacuum: ' || v.phase,
           CASE v.phase WHEN 'scanning heap' THEN v.heap_blks_scanned
                        WHEN 'vacuuming heap' THEN v.heap_blks_vacuumed END, v.heap_blks_total
      INTO progress, done, total
      FROM pg_stat_progress_vacuum AS v WHERE v.pid = runner;
    IF progress IS NULL THEN
        SELECT 'analyze: ' || a.phase, a.sample_blks_scanned, a.sample_blks_total
          INTO progress, done, total
          FROM pg_stat_progress_analyze AS a WHERE a.pid = runner;
    END IF;
    IF progress IS NULL THEN
        -- The numbers of an earlier phase stay in the view, those of an earlier
        -- wait, too: what it waits for is not done, whatever they say.
        SELECT lower(c.command) || ': ' || c.phase,
               CASE WHEN c.phase LIKE 'waiting%' THEN greatest(0, least(c.lockers_done,
                        c.lockers_total - (c.current_locker_pid <> 0)::int))
                    WHEN c.phase LIKE '%loading%' THEN c.tuples_done
                    WHEN c.phase NOT LIKE '%sorting%' THEN c.blocks_done END,
               CASE WHEN c.phase LIKE 'waiting%' THEN c.lockers_total
                    WHEN c.phase LIKE '%loading%' THEN c.tuples_total
                    ELSE c.blocks_total END,
               CASE WHEN c.phase LIKE 'waiting%' THEN nullif(c.current_locker_pid, 0) END
          INTO progress, done, total, locker
          FROM pg_stat_progress_create_index AS c WHERE c.pid = runner;
    END IF;
    IF locker IS NOT NULL THEN
        progress := format('%s (waits for process %s)', progress, locker);
    END IF;
    -- what the job says of itself comes first
    progress := concat_ws('; ', nullif(said, ''), progress);
    progress := nullif(progress, '');
    -- least() would make 1 of what is not known
    done_ratio := CASE WHEN done < total THEN done::float8 / total
                       WHEN total > 0 AND done IS NOT NULL THEN 1 END;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION dbmaint_progress_of_job(bigint, int, text, oid) IS
'What the server''s progress views say of a runner; no row if the caller may not see the job. Called by dbmaint_job_progress().';

CREATE FUNCTION dbmaint_concurrent_leftovers(relation oid)
RETURNS SETOF oid
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    -- the table (of the index), its partitions, and their TOAST tables
    WITH RECURSIVE tables(oid) AS (
        SELECT coalesce((SELECT i.indrelid FROM pg_index AS i WHERE i.indexrelid = relation), relation)
         UNION
        SELECT h.inhrelid FROM pg_inherits AS h JOIN tables AS t ON h.inhparent = t.oid)
    SELECT i.indexrelid
      FROM tables AS t
      JOIN pg_class AS c ON c.oid = t.oid
      JOIN pg_index AS i ON i.indrelid = c.oid OR i.indrelid = nullif(c.reltoastrelid, 0)
      JOIN pg_class AS n ON n.oid = i.indexrelid
     WHERE NOT i.indisvalid AND n.relname ~ '_cc(new|old)[0-9]*$'
       -- the other one of the two, whose name it has, cut where it was too long
       AND EXISTS (
            SELECT FROM pg_index AS o
              JOIN pg_class AS m ON m.oid = o.indexrelid
             WHERE o.indrelid = i.indrelid AND o.indexrelid <> i.indexrelid
               AND starts_with(m.relname, regexp_replace(n.relname, '_cc(new|old)[0-9]*$', ''))
               AND o.indkey = i.indkey AND o.indclass = i.indclass
               AND pg_get_expr(o.indexprs, o.indrelid) IS NOT DISTINCT FROM pg_get_expr(i.indexprs, i.indrelid)
               AND pg_get_expr(o.indpred, o.indrelid) IS NOT DISTINCT FROM pg_get_expr(i.indpred, i.indrelid)
               AND (relation IN (i.indexrelid, o.indexrelid)
                    OR relation IN (SELECT pg_partition_ancestors(o.indexrelid))
                    OR NOT EXISTS (SELECT FROM pg_index AS x WHERE x.indexrelid = relation)))
     ORDER BY 1
$$;
COMMENT ON FUNCTION dbmaint_concurrent_leftovers(oid) IS
'Invalid indexes that are named as REINDEX CONCURRENTLY of the relation names what it builds or replaces, and are defined as the index that they would be or have been: of a table, its partitions and their TOAST tables, or of an index and its partitions.';

CREATE FUNCTION dbmaint_reindex_journal(relation oid)
RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(jsonb_agg(l.index_oid::bigint), '[]'::jsonb)
      FROM @extschema@.dbmaint_concurrent_leftovers(relation) AS l(index_oid)
$$;
COMMENT ON FUNCTION dbmaint_reindex_journal(oid) IS
'The oids of the invalid indexes that are there before a reindex: somebody else''s, and not ours to drop.';

CREATE FUNCTION dbmaint_reindex_leftovers(relation oid, journal jsonb, OUT name text, OUT owner oid)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('%I.%I', s.nspname, c.relname), c.relowner
      FROM @extschema@.dbmaint_concurrent_leftovers(relation) AS l(index_oid)
      JOIN pg_class AS c ON c.oid = l.index_oid
      JOIN pg_namespace AS s ON s.oid = c.relnamespace
     WHERE NOT journal @> to_jsonb(l.index_oid::bigint)
$$;
COMMENT ON FUNCTION dbmaint_reindex_leftovers(oid, jsonb) IS
'The invalid indexes that a reindex left, qualified and quoted, and their owners: all but those of its journal.';

REVOKE ALL ON TABLE dbmaint_job_queue, dbmaint_job_attempts, dbmaint_jobs, dbmaint_job_history FROM PUBLIC;
REVOKE ALL ON FUNCTION dbmaint_jobs_due(timestamptz), dbmaint_add_job(text, text, oid, jsonb, oid, int),
    dbmaint_take_job(timestamptz), dbmaint_take_left_job(), dbmaint_keep_job_journal(bigint, jsonb),
    dbmaint_cut_job_history(dbmaint_job_queue),
    dbmaint_put_back_job(bigint, text, text, text, text, timestamptz, timestamptz, float8, timestamptz, text),
    dbmaint_find_job(bigint), dbmaint_drop_pending_job(bigint, text),
    dbmaint_progress_of_job(bigint, int, text, oid), dbmaint_concurrent_leftovers(oid),
    dbmaint_reindex_journal(oid), dbmaint_reindex_leftovers(oid, jsonb), dbmaint_current_database()
    FROM PUBLIC;
GRANT SELECT ON TABLE dbmaint_job_queue, dbmaint_job_attempts TO pg_monitor;
GRANT EXECUTE ON FUNCTION dbmaint_jobs_due(timestamptz), dbmaint_current_database() TO pg_monitor;
-- whoever owns a table may have it maintained; C checks that, and who sees what
GRANT SELECT ON TABLE dbmaint_jobs, dbmaint_job_history TO PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_enqueue(text, text, jsonb), dbmaint_cancel_job(bigint),
    dbmaint_job_progress(bigint) TO PUBLIC;
