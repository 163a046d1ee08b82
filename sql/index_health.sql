-- The status of indexes: which signal decides, with and without history.
CREATE EXTENSION dbmaint;

-- the limits of the runbook, and that both signals have to agree
SELECT e.efficiency, h.hit_ratio, c.critical, s.*
  FROM (VALUES (100), (85), (84.9), (80), (79.9), (70), (69.9), (0), (NULL)) AS e(efficiency),
       (VALUES (0.99), (0.75), (NULL)) AS h(hit_ratio), (VALUES (true)) AS c(critical),
       LATERAL dbmaint_index_status(e.efficiency::float8, h.hit_ratio::float8, c.critical) AS s
 ORDER BY h.hit_ratio DESC NULLS LAST, e.efficiency DESC NULLS LAST;
SELECT dbmaint_index_status(10, 0.1, false), dbmaint_index_status(82, NULL, false), dbmaint_index_status(90, 0.69, true);

SHOW dbmaint.critical_indexes;
SELECT * FROM dbmaint_critical_indexes();

-- no history: the server's statistics
SET enable_seqscan = off;
SET jit = off;
SET enable_bitmapscan = off;
CREATE TABLE users (id int PRIMARY KEY, name text, mail text, age int);
CREATE INDEX idx_users_name ON users (name);
CREATE INDEX idx_users_mail ON users (mail);
CREATE INDEX idx_users_age ON users (age);
INSERT INTO users SELECT i, 'n' || i, 'm' || i, i % 10 FROM generate_series(1, 2000) AS i;
VACUUM ANALYZE users;
CREATE TABLE bad (a int);
INSERT INTO bad VALUES (1), (1);
CREATE UNIQUE INDEX CONCURRENTLY bad_a ON bad (a);
CREATE PROCEDURE work(statement text, times int) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..times LOOP EXECUTE statement USING i; END LOOP;
END
$$;
CALL work('SELECT id, mail FROM users WHERE name = ''n'' || $1', 400);
SELECT pg_stat_force_next_flush();
CREATE VIEW shown AS
SELECT h.indexname, h.status, h.decided_by, h.critical, h.idx_scan, h.scans_per_hour > 0 AS rate,
       h.idx_tup_read AS read, h.idx_tup_fetch AS fetched, h.index_efficiency AS efficiency,
       h.hit_ratio > 0.9 AS hits, h.index_bytes > 0 AS bytes, h.grown_bytes > 0 AS grew, h.valid,
       h.constraint_type, h.counted_by, h.advice
  FROM dbmaint_index_health('1 day') AS h ORDER BY h.indexname;
SELECT * FROM shown;

-- with history: what the snapshots of the last day counted, and no more
SELECT FROM dbmaint_run_due(now() - interval '3 hours') WHERE collector = 'none';
CALL work('SELECT id, mail FROM users WHERE name = ''n'' || $1', 500);
SET enable_indexscan = off;
SET enable_bitmapscan = on;
CALL work('SELECT count(*) FROM users WHERE age = $1 % 10', 500);
SELECT pg_stat_force_next_flush();
SELECT FROM dbmaint_run_due(now() - interval '1 hour') WHERE collector = 'none';
SELECT indexname, status, decided_by, idx_scan, read, fetched, efficiency, hits, counted_by, advice FROM shown;
SELECT counted_from BETWEEN now() - interval '3 hours 1 minute' AND now() - interval '2 hours 59 minutes' AS since,
       round(scans_per_hour) AS rate
  FROM dbmaint_index_health('1 day') WHERE indexname = 'idx_users_name';
SELECT DISTINCT counted_by FROM dbmaint_index_health('10 minutes');

-- critical indexes, by name, with schema, by pattern; unused; new; not there
CREATE INDEX idx_users_new ON users (age, id);
ALTER SYSTEM SET dbmaint.critical_indexes = 'idx_users_name', 'idx_users_new', 'public.idx_users_m%', 'idx_no_such', '"odd, ""name"', 'other.idx_users_age';
SELECT pg_reload_conf();
-- a session looks at the signal between two statements: wait for it
\o /dev/null
\set ECHO none
SELECT $$SELECT pg_sleep(CASE current_setting('dbmaint.critical_indexes') WHEN '' THEN 0.05 ELSE 0 END)$$ FROM generate_series(1, 200) \gexec
\set ECHO all
\o
SELECT * FROM dbmaint_critical_indexes();
SELECT indexname, status, decided_by, critical, regexp_replace(advice, '\d+ times', 'N times') AS advice FROM shown WHERE critical ORDER BY indexname;
SELECT instance, value FROM dbmaint_object_signals(now(), false) WHERE metric = 'critical_index_efficiency' AND instance ~ '(mail|new)$' ORDER BY 1;
-- reads count from when a snapshot first saw it
SELECT FROM dbmaint_run_due(now() - interval '29 minutes') WHERE collector = 'none';
SELECT indexname, status, decided_by FROM shown WHERE indexname = 'idx_users_new';
CALL work('SELECT count(*) FROM users WHERE name = ''n'' || $1', 100);
SELECT pg_stat_force_next_flush();
SELECT FROM dbmaint_run_due(now() + interval '2 minutes') WHERE collector = 'none';
SELECT indexname, status, decided_by FROM shown WHERE indexname = 'idx_users_new';
SELECT indexname, status, decided_by FROM dbmaint_index_health('10 minutes') WHERE indexname IN ('idx_users_new', 'idx_users_mail') ORDER BY 1;
-- the alert's value is the one that decided, so that its limits are met where the status is not ok
BEGIN;
ALTER FUNCTION dbmaint_index_totals(timestamptz, timestamptz) RENAME TO dbmaint_index_totals_really;
CREATE TABLE counted (relation_oid oid, idx_scan bigint, idx_tup_read bigint, idx_tup_fetch bigint, idx_blks_read bigint, idx_blks_hit bigint, grown_bytes bigint);
CREATE FUNCTION dbmaint_index_totals(timestamptz, timestamptz) RETURNS SETOF counted LANGUAGE sql AS 'SELECT * FROM public.counted';
CREATE FUNCTION judge(efficiency int, hit_percent int, blocks int, OUT status text, OUT decided_by text, OUT alert float8)
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM public.counted;
    INSERT INTO public.counted VALUES ('public.idx_users_name'::regclass, 900, 1000, 10 * efficiency, blocks - blocks * hit_percent / 100, blocks * hit_percent / 100, 0);
    SELECT h.status, h.decided_by INTO status, decided_by FROM public.dbmaint_index_health('1 day') AS h WHERE h.indexname = 'idx_users_name';
    SELECT s.value INTO alert FROM public.dbmaint_object_signals(now(), true) AS s WHERE s.metric = 'critical_index_efficiency' AND s.instance = 'public.idx_users_name';
END
$$;
SELECT c.*, j.*, (j.alert < 85) = (j.status <> 'ok') AS agree
  FROM (VALUES (100, 10, 900), (75, 10, 900), (100, 10, 2000), (10, 99, 2000), (10, 75, 2000), (75, 50, 2000), (90, 99, 2000)) AS c(efficiency, hit_percent, blocks),
       judge(c.efficiency, c.hit_percent, c.blocks) AS j;
ROLLBACK;
ALTER SYSTEM RESET dbmaint.critical_indexes;
SELECT pg_reload_conf();

-- bloat is asked for, and unknown where nothing can tell
SELECT count(*) FROM dbmaint_index_health('1 day', true) WHERE bloat_ratio IS NOT NULL;
SELECT dbmaint_index_bloat_ratio(0);
SELECT dbmaint_table_bloat_ratio(0);

-- bad input, and who may ask
SELECT dbmaint_index_health('-1 day');
SELECT dbmaint_index_health(NULL);
CREATE ROLE index_health_nobody;
CREATE ROLE index_health_monitor IN ROLE pg_monitor;
SET ROLE index_health_nobody;
SELECT count(*) FROM dbmaint_index_health();
SET ROLE index_health_monitor;
SELECT count(*) > 3 AS shown FROM dbmaint_index_health();
SELECT count(*) FROM dbmaint_unused_indexes(0, 1) WHERE tablename = 'users';
SELECT count(*) FROM dbmaint_duplicate_indexes();
SELECT count(*) FROM dbmaint_invalid_indexes();
SELECT count(*) FROM dbmaint_missing_indexes();
SELECT count(*) FROM dbmaint_foreign_keys_without_index();
SELECT count(*) > 3 AS shown FROM dbmaint_table_health();
SELECT count(*) > 3 AS shown FROM dbmaint_index_history;
RESET ROLE;
DROP ROLE index_health_nobody, index_health_monitor;
DROP EXTENSION dbmaint CASCADE;
