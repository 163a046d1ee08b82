-- The queue of jobs: who may ask for which, options, merges, limits, cancels.
-- No runner runs here; what it calls is called by hand.
CREATE EXTENSION dbmaint;
CREATE ROLE dbmaint_owner;
CREATE ROLE dbmaint_other;
CREATE ROLE dbmaint_watcher IN ROLE pg_monitor;
CREATE SCHEMA app AUTHORIZATION dbmaint_owner;
GRANT USAGE ON SCHEMA app TO PUBLIC;
SET ROLE dbmaint_owner;
CREATE TABLE app.orders (id int PRIMARY KEY, note text);
CREATE INDEX orders_note_idx ON app.orders (note);
CREATE TABLE app."Odd ""name" (id int);
CREATE VIEW app.some AS SELECT * FROM app.orders;
CREATE SEQUENCE app.numbers;
CREATE MATERIALIZED VIEW app.summary AS SELECT count(*) FROM app.orders;
CREATE TABLE app.parts (id int) PARTITION BY RANGE (id);
CREATE TABLE app.part_1 PARTITION OF app.parts FOR VALUES FROM (0) TO (10);
CREATE INDEX parts_idx ON app.parts (id);
CREATE UNLOGGED TABLE app.scratch (id int);
CREATE TABLE app.booking (during int4range, EXCLUDE USING gist (during WITH &&));
RESET ROLE;
CREATE TEMPORARY TABLE mine (id int);

-- targets are found as the caller's search_path says, and called by their names
SET ROLE dbmaint_owner;
SET search_path = app, public;
SELECT dbmaint_enqueue('vacuum', 'orders');
SELECT dbmaint_enqueue('analyze', '"Odd ""name"');
SELECT dbmaint_enqueue('vacuum', 'summary'), dbmaint_enqueue('vacuum', 'parts'),
       dbmaint_enqueue('vacuum', 'scratch'), dbmaint_enqueue('reindex', 'orders_note_idx'),
       dbmaint_enqueue('reindex', 'parts_idx'), dbmaint_enqueue('reindex', 'parts');
RESET search_path;
SELECT job_id, kind, target, state, requested_by, attempts, options FROM dbmaint_jobs ORDER BY 1;

-- the same again is the same job; other options are another, whatever their order
SELECT dbmaint_enqueue('vacuum', 'app.orders') AS merged,
       dbmaint_enqueue('vacuum', 'app.orders', NULL) AS no_options,
       dbmaint_enqueue('vacuum', 'app.orders', '{"freeze": true, "timeout": "1h"}') AS other,
       dbmaint_enqueue('vacuum', 'app.orders', '{"timeout":"1h","freeze":true}') AS other_again;
SELECT dbmaint_enqueue('vacuum', 'app.orders'::regclass::oid::text) AS by_number;

-- what no job can do
SELECT dbmaint_enqueue('vacuum', 'app.some');
SELECT dbmaint_enqueue('analyze', 'app.numbers');
SELECT dbmaint_enqueue('vacuum', 'app.orders_note_idx');
SELECT dbmaint_enqueue('reindex', 'app.booking_during_excl');
SELECT dbmaint_enqueue('vacuum', 'app.missing');
SELECT dbmaint_enqueue('vacuum', '-');
SELECT dbmaint_enqueue('vacuum', '1');
SELECT dbmaint_enqueue('vacuum', '');
SELECT dbmaint_enqueue('vacuum', NULL);
SELECT dbmaint_enqueue(NULL, 'app.orders');
SELECT dbmaint_enqueue('vacuum full', 'app.orders');
RESET ROLE;
SELECT dbmaint_enqueue('reindex', 'pg_catalog.pg_class');
\set VERBOSITY sqlstate
SELECT dbmaint_enqueue('vacuum', 'mine');
SELECT dbmaint_enqueue('vacuum', (SELECT reltoastrelid::regclass::text FROM pg_class WHERE oid = 'app.orders'::regclass));
SELECT dbmaint_enqueue('reindex', (SELECT i.indexrelid::regclass::text FROM pg_index AS i JOIN pg_class AS c ON i.indrelid = c.reltoastrelid WHERE c.oid = 'app.orders'::regclass));
\set VERBOSITY default
-- but a superuser may have the catalog vacuumed
SELECT dbmaint_enqueue('vacuum', 'pg_class') > 0 AS catalog;

-- options
SELECT dbmaint_enqueue('vacuum', 'app.orders', '[]');
SELECT dbmaint_enqueue('vacuum', 'app.orders', '{"full": true}');
SELECT dbmaint_enqueue('vacuum', 'app.orders', '{"freeze": "yes"}');
SELECT dbmaint_enqueue('vacuum', 'app.orders', '{"parallel": 2.5}');
SELECT dbmaint_enqueue('vacuum', 'app.orders', '{"parallel": 99999999999}');
SELECT dbmaint_enqueue('vacuum', 'app.orders', '{"index_cleanup": "on); DROP TABLE app.orders; --"}');
SELECT dbmaint_enqueue('vacuum', 'app.orders', '{"timeout": 5}');
SELECT dbmaint_enqueue('vacuum', 'app.orders', '{"timeout": "soon"}');
SELECT dbmaint_enqueue('vacuum', 'app.orders', '{"attempts": 0}');
SELECT dbmaint_enqueue('analyze', 'app.orders', '{"columns": []}');
SELECT dbmaint_enqueue('analyze', 'app.orders', '{"columns": ["note", 1]}');
SELECT dbmaint_enqueue('analyze', 'app.orders', '{"columns": ["note", "price"]}');
SELECT dbmaint_enqueue('analyze', 'app.orders', '{"columns": ["ctid"]}');
SELECT dbmaint_enqueue('analyze', 'app.orders', '{"columns": ["note", "id", "note"]}');
SELECT dbmaint_enqueue('reindex', 'app.orders', '{"concurrently": false}');
SELECT dbmaint_enqueue('analyze', 'app.orders', jsonb_build_object('columns', (SELECT jsonb_agg(repeat('x', 63)) FROM generate_series(1, 1600))));
SELECT dbmaint_enqueue('analyze', 'app.orders', jsonb_build_object('columns', (SELECT jsonb_agg(repeat('x', 63)) FROM generate_series(1, 3000))));

-- another role owns nothing of it, sees none of it and cancels none of it
SET ROLE dbmaint_other;
SELECT dbmaint_enqueue('vacuum', 'app.orders');
SELECT dbmaint_enqueue('reindex', 'app.orders_note_idx');
SELECT dbmaint_enqueue('vacuum', 'pg_class');
SELECT count(*) FROM dbmaint_jobs;
SELECT count(*) FROM dbmaint_job_history;
SELECT dbmaint_cancel_job(1);
SELECT dbmaint_job_progress(1);
SELECT * FROM dbmaint_job_queue;
SELECT dbmaint_add_job('vacuum', 'x', 1::oid, '{}', 10::oid, 5);
SELECT dbmaint_take_job(now());
SELECT dbmaint_put_back_job(1, '', '', '', '', now(), now(), 0, now(), '');
SELECT dbmaint_drop_pending_job(1, '');
-- a function that hides what leaks from rows of others
CREATE FUNCTION pg_temp.leak(text) RETURNS bool LANGUAGE plpgsql COST 0.0000001
AS $$ BEGIN RAISE NOTICE 'seen: %', $1; RETURN true; END $$;
SELECT count(*) FROM dbmaint_jobs WHERE pg_temp.leak(target);
SELECT count(*) FROM dbmaint_job_history WHERE pg_temp.leak(target);

-- nobody but a superuser has the runner for longer than the setting allows
SET ROLE dbmaint_owner;
SELECT dbmaint_enqueue('vacuum', 'app.orders', '{"timeout": "6h"}') > 0 AS asked;
SELECT dbmaint_enqueue('vacuum', 'app.orders', '{"timeout": "361min"}');
RESET ROLE;
BEGIN;
SELECT dbmaint_enqueue('vacuum', 'app.orders', '{"timeout": "20d"}') > 0 AS asked;
ROLLBACK;

-- pg_monitor sees all, and changes nothing
SET ROLE dbmaint_watcher;
SELECT count(*), min(job_id), max(job_id) FROM dbmaint_jobs;
SELECT dbmaint_cancel_job(1);
RESET ROLE;

-- cancelled before it began: gone, and noted; once is enough
SET ROLE dbmaint_owner;
SELECT dbmaint_cancel_job(2), dbmaint_cancel_job(2);
SELECT dbmaint_cancel_job(12345);
SELECT dbmaint_cancel_job(NULL);
SELECT job_id, attempt, kind, target, state, requested_by, started_at, sqlstate, message
  FROM dbmaint_job_history;
SELECT count(*) FROM dbmaint_jobs WHERE job_id = 2;
-- with the transaction that did it
BEGIN;
SELECT dbmaint_cancel_job(3);
ROLLBACK;
SELECT count(*) FROM dbmaint_jobs WHERE job_id = 3;
BEGIN;
SELECT dbmaint_enqueue('analyze', 'app.scratch') AS undone \gset
ROLLBACK;
SELECT count(*) FROM dbmaint_jobs WHERE job_id = :undone;
RESET ROLE;
-- in a read-only transaction there is no asking
BEGIN READ ONLY;
SELECT dbmaint_enqueue('vacuum', 'app.orders');
ROLLBACK;

-- the runner takes the roles in turn, and of a role's jobs the oldest
SET ROLE dbmaint_other;
CREATE TEMPORARY TABLE t (id int);
RESET ROLE;
CREATE TABLE other (id int);
ALTER TABLE other OWNER TO dbmaint_other;
SET ROLE dbmaint_other;
SELECT dbmaint_enqueue('vacuum', 'other') AS others \gset
RESET ROLE;
DELETE FROM dbmaint_job_attempts;
DELETE FROM dbmaint_job_queue WHERE kind = 'vacuum' AND target = 'pg_catalog.pg_class';
SELECT job_id AS first, target, attempts, running FROM dbmaint_take_job(now() + '1 s') \gset
SELECT :first = 1 AS oldest;
SELECT dbmaint_put_back_job(:first, 'done', NULL, NULL, NULL, now(), now(), 1.5, NULL, NULL);
SELECT job_id = :others AS others_turn FROM dbmaint_take_job(now() + '1 s');
SELECT dbmaint_put_back_job(:others, 'failed', '55P03', 'canceling statement due to lock timeout', 'WARNING', now(), now(), 1.5, now() + '1 min', NULL);
SELECT requested_by, target FROM dbmaint_take_job(now() + '1 s');
SELECT job_id, state FROM dbmaint_jobs WHERE state = 'running';
-- one that failed is not due before its time, unless the clock was set back
SELECT kind, target, state, attempts, sqlstate, message, progress, pid FROM dbmaint_jobs WHERE job_id = :others;
UPDATE dbmaint_job_queue SET next_attempt_at = 'infinity' WHERE job_id <> :others AND NOT running;
SELECT count(*) FROM dbmaint_take_job(now() + '59 s');
SELECT count(*) FROM dbmaint_take_job(now() - interval '1 hour');
SELECT attempts, message FROM dbmaint_jobs WHERE job_id = :others;
-- asked for once more while it runs, it need not be tried again
SET ROLE dbmaint_other;
SELECT dbmaint_enqueue('vacuum', 'other') > :others AS another;
RESET ROLE;
SELECT dbmaint_put_back_job(:others, 'failed', '55P03', 'canceling statement due to lock timeout', NULL, now(), now(), 1.5, now() + '1 min', NULL);
SELECT attempt, state, next_attempt_at IS NOT NULL AS again FROM dbmaint_job_history WHERE job_id = :others ORDER BY 1;
SELECT count(*), count(*) FILTER (WHERE job_id = :others) AS same FROM dbmaint_jobs WHERE requested_by = 'dbmaint_other';
-- a part that is done does not count as an attempt that failed
SELECT job_id AS parts FROM dbmaint_take_job(now() - interval '1 hour') \gset
SELECT dbmaint_put_back_job(:parts, 'done', NULL, NULL, NULL, now(), now(), 1, now() + '1 s', NULL);
SELECT state, attempts, message FROM dbmaint_jobs WHERE job_id = :parts;
SELECT state FROM dbmaint_job_history WHERE job_id = :parts;

-- is there work?
SELECT dbmaint_jobs_due(now() + '1 s') AS running_ones_count;
UPDATE dbmaint_job_queue SET running = false, next_attempt_at = 'infinity' WHERE target_oid <> 0;
SELECT dbmaint_jobs_due(now() + '1 s') AS none;

-- the limit of a role
\set SHOW_CONTEXT never
DELETE FROM dbmaint_job_queue;
ALTER SYSTEM SET dbmaint.max_pending_jobs = 2;
SELECT pg_reload_conf();
SELECT pg_sleep(0.5);
\c -
SET ROLE dbmaint_owner;
SELECT dbmaint_enqueue('vacuum', 'app.orders') > 0, dbmaint_enqueue('analyze', 'app.orders') > 0;
SELECT dbmaint_enqueue('vacuum', 'app.orders') > 0 AS merged;
SELECT dbmaint_enqueue('reindex', 'app.orders');
RESET ROLE;
SELECT dbmaint_enqueue('vacuum', 'app.orders') > 0 AS another_role;
ALTER SYSTEM RESET dbmaint.max_pending_jobs;
SELECT pg_reload_conf();

-- of a role's history the last 10000 attempts are kept
DELETE FROM dbmaint_job_attempts;
DELETE FROM dbmaint_job_queue;
INSERT INTO dbmaint_job_attempts (job_id, attempt, database_oid, kind, target_oid, options, requester, requested_by, enqueued_at, ended_at, state)
SELECT -n, 1, d.oid, 'vacuum', 0, '{}', 'dbmaint_owner'::regrole, 'dbmaint_owner', now(), now() - n * interval '1 min', 'done'
  FROM generate_series(1, 10100) AS n, pg_database AS d WHERE d.datname = current_database();
INSERT INTO dbmaint_job_queue (job_id, database_oid, kind, target_oid, options, requester, requested_by, enqueued_at, next_attempt_at, running, attempts)
OVERRIDING SYSTEM VALUE
SELECT 6399, d.oid, 'vacuum', 0, '{}', 'dbmaint_owner'::regrole, 'dbmaint_owner', now(), now(), true, 1
  FROM pg_database AS d WHERE d.datname = current_database();
SELECT dbmaint_put_back_job(6399, 'done', NULL, NULL, NULL, now(), now(), 1, NULL, NULL);
SELECT count(*), max(job_id), min(job_id) FROM dbmaint_job_history;
-- also when they never began
INSERT INTO dbmaint_job_attempts (job_id, attempt, database_oid, kind, target_oid, options, requester, requested_by, enqueued_at, ended_at, state)
SELECT -n, 0, d.oid, 'vacuum', 0, '{}', 'dbmaint_owner'::regrole, 'dbmaint_owner', now(), now() - n * interval '1 min', 'cancelled'
  FROM pg_database AS d, generate_series(20001, 20100) AS n WHERE d.datname = current_database();
INSERT INTO dbmaint_job_queue (job_id, database_oid, kind, target_oid, options, requester, requested_by, enqueued_at, next_attempt_at) OVERRIDING SYSTEM VALUE
SELECT 6464, d.oid, 'vacuum', 0, '{}', 'dbmaint_owner'::regrole, 'dbmaint_owner', now(), now()
  FROM pg_database AS d WHERE d.datname = current_database();
SELECT dbmaint_cancel_job(6464);
SELECT count(*), max(job_id) FROM dbmaint_job_history;
-- and it expires like other history
SELECT history, kept FROM dbmaint_history_tables() WHERE history = 'dbmaint_job_attempts'::regclass;

-- a table on which somebody put a trigger is not written as superuser
CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER act BEFORE INSERT ON dbmaint_job_queue FOR EACH ROW EXECUTE FUNCTION act();
SELECT dbmaint_enqueue('vacuum', 'app.orders');
DROP TRIGGER act ON dbmaint_job_queue;

-- whose database was copied, has the original's jobs, and does not run them
SELECT dbmaint_enqueue('vacuum', 'app.orders') > 0 AS asked;
UPDATE dbmaint_job_queue SET database_oid = 1;
SELECT dbmaint_jobs_due('infinity'), count(*) FROM dbmaint_take_job('infinity');
SELECT count(*) FROM dbmaint_jobs;

DROP EXTENSION dbmaint;
DROP FUNCTION act();
DROP TABLE other;
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
DROP ROLE dbmaint_owner, dbmaint_other, dbmaint_watcher;
