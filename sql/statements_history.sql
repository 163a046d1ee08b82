-- Snapshots of statements: what is found, what is counted, what is lost, and
-- who may read it.
CREATE EXTENSION dbmaint;
\set VERBOSITY terse

-- without pg_stat_statements in the database there is nothing to read, and an
-- object that only has its name is never called
SELECT status FROM dbmaint_run_due('2026-01-01 00:00+00') WHERE collector = 'statements';
SELECT * FROM dbmaint_take_snapshot();
CREATE FUNCTION impostor() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'captured'; END $$;
CREATE FUNCTION pg_stat_statements(showtext boolean, OUT userid oid, OUT dbid oid, OUT toplevel bool, OUT queryid bigint, OUT query text, OUT calls bigint)
RETURNS SETOF record LANGUAGE sql AS 'SELECT 1::oid, 1::oid, true, 1::bigint, ''x'', public.impostor()';
CREATE VIEW pg_stat_statements AS SELECT * FROM pg_stat_statements(true);
SELECT * FROM dbmaint_take_snapshot();
CREATE SCHEMA "Stat's ""ments";
CREATE EXTENSION pg_stat_statements SCHEMA "Stat's ""ments";
SELECT statements, incomplete FROM dbmaint_take_snapshot('2026-01-01 00:01+00');
SELECT previous_at, statements, incomplete, was_reset, evictions, restarted, vanished, statement_ids
  FROM dbmaint_statement_snapshots;
-- one of ours, that the extension's owner was talked into owning
ALTER EXTENSION pg_stat_statements ADD FUNCTION pg_stat_statements(boolean);
SELECT incomplete FROM dbmaint_take_snapshot('2026-01-01 00:02+00');
ALTER EXTENSION pg_stat_statements DROP FUNCTION pg_stat_statements(boolean);
DROP VIEW pg_stat_statements;
DROP FUNCTION pg_stat_statements(boolean);

-- what runs between two snapshots is counted once, and its text is kept
CREATE TABLE numbers ("it's a ""long"" name of sixty-three bytes, which is the most here" int);
SELECT FROM dbmaint_take_snapshot('2026-01-01 00:03+00');
INSERT INTO numbers SELECT generate_series(1, 10);
SELECT   count(*)  -- how many
  FROM	numbers
 WHERE "it's a ""long"" name of sixty-three bytes, which is the most here" > 3;
SELECT   count(*)  -- how many
  FROM	numbers
 WHERE "it's a ""long"" name of sixty-three bytes, which is the most here" > 4;
SELECT FROM dbmaint_take_snapshot('2026-01-01 00:04+00');
SELECT FROM dbmaint_take_snapshot('2026-01-01 00:05+00');
SELECT count(*) FROM numbers WHERE "it's a ""long"" name of sixty-three bytes, which is the most here" > 5;
SELECT FROM dbmaint_take_snapshot('2026-01-01 00:06+00');
SELECT h.taken_at AT TIME ZONE 'UTC' AS at, h.taken_at - h.previous_at AS after, h.incomplete,
       h.calls, h."rows", h.total_exec_time_ms > 0 AS took, h.min_exec_time_ms <= h.max_exec_time_ms AS in_order,
       h.wal_records > 0 AS wal, k.query, k.truncated, k.first_seen_at AT TIME ZONE 'UTC' AS first_seen
  FROM dbmaint_statement_history AS h
  JOIN dbmaint_statements AS k USING (statement_id)
 WHERE k.query LIKE '%numbers%' AND k.database_oid = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND h.taken_at > '2026-01-01 00:03+00'
 ORDER BY k.query, h.taken_at;

-- the function, the view and the sums agree; and both with the source
CREATE VIEW source AS
SELECT p.queryid, to_jsonb(p) AS p FROM "Stat's ""ments".pg_stat_statements AS p
 WHERE p.dbid = (SELECT oid FROM pg_database WHERE datname = current_database());
SELECT queryid AS query FROM source WHERE p ->> 'query' LIKE 'SELECT count(*) FROM numbers WHERE%' OR p ->> 'query' LIKE 'SELECT   count(*)%' LIMIT 1 \gset
SELECT count(*) AS rows, bool_and(to_jsonb(h) - '{query_id}'::text[] = to_jsonb(f)) AS same
  FROM dbmaint_statement_history AS h
  JOIN dbmaint_statement_history(:query, '2026-01-01', '2026-01-02') AS f USING (taken_at, statement_id)
 WHERE h.query_id = :query;
SELECT t.snapshots, t.calls, t.calls = (p ->> 'calls')::bigint AS calls, t."rows" = (p ->> 'rows')::bigint AS rows,
       abs(t.total_exec_time_ms - (p ->> 'total_exec_time')::float8) <= 0.001 AS total,
       abs(t.min_exec_time_ms - (p ->> 'min_exec_time')::float8) <= 0.001 AS min,
       abs(t.max_exec_time_ms - (p ->> 'max_exec_time')::float8) <= 0.001 AS max,
       abs(t.stddev_exec_time_ms - (p ->> 'stddev_exec_time')::float8) <= 0.002 AS stddev,
       t.shared_blks_hit = (p ->> 'shared_blks_hit')::bigint AS hit
  FROM dbmaint_total_statements('2026-01-01', '2026-01-02') AS t
  JOIN dbmaint_statements AS k USING (statement_id), source
 WHERE k.query_id = :query AND source.queryid = :query;
SELECT count(*) FROM dbmaint_total_statements('2026-01-01 00:05+00', '2026-01-01 00:05+00');
SELECT count(*) FROM dbmaint_total_statements(NULL, '2026-01-02');
SELECT count(*) FROM dbmaint_unpack_statements('2026-01-01', '2026-01-02', '{}');
SELECT count(*) FROM dbmaint_unpack_statements('2026-01-01', '2026-01-02', '{-1,2147483647}');
SELECT count(*) FROM dbmaint_unpack_statements('2026-01-01', '2026-01-02', '{NULL}');

-- the standard deviation of many executions in many snapshots is that of all
CREATE FUNCTION take_turns(rounds int, at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. rounds LOOP
        FOR j IN 1 .. i LOOP
            EXECUTE format('SELECT sum(g) FROM generate_series(1, %s) AS g', 10 ^ (1 + (i + j) % 5));
        END LOOP;
        PERFORM public.dbmaint_take_snapshot(at + i * interval '1 min');
    END LOOP;
END $$;
SET pg_stat_statements.track = 'all';
SELECT take_turns(12, '2026-01-03 00:00+00');
RESET pg_stat_statements.track;
SELECT t.calls, t.snapshots, (p ->> 'calls')::bigint AS source,
       abs(t.stddev_exec_time_ms / (p ->> 'stddev_exec_time')::float8 - 1) < 0.01 AS same_stddev,
       abs(t.total_exec_time_ms - (p ->> 'total_exec_time')::float8) <= 0.001 AS same_total
  FROM dbmaint_total_statements('2026-01-03', '2026-01-04') AS t
  JOIN dbmaint_statements AS k USING (statement_id)
  JOIN source ON source.queryid = k.query_id AND (p ->> 'toplevel')::boolean = k.toplevel
 WHERE k.query LIKE 'SELECT sum(g)%' AND k.database_oid = (SELECT oid FROM pg_database WHERE datname = current_database());

-- a reset of this database's statements: what was not counted is lost and said
-- to be, what ran since is counted, and nothing is negative
SELECT count(*) FROM numbers;
SELECT FROM dbmaint_take_snapshot('2026-01-05 00:00+00');
SELECT count(*) FROM numbers;
SELECT count(*) FROM numbers;
SELECT FROM dbmaint_take_snapshot('2026-01-05 00:01+00');
SELECT FROM "Stat's ""ments".pg_stat_statements_reset(0, (SELECT oid FROM pg_database WHERE datname = current_database()), 0);
SELECT count(*) FROM numbers;
SELECT FROM dbmaint_take_snapshot('2026-01-05 00:02+00');
SELECT h.taken_at AT TIME ZONE 'UTC' AS at, h.incomplete, h.calls, s.restarted > 0 AS restarted, s.vanished > 0 AS vanished
  FROM dbmaint_statement_history AS h
  JOIN dbmaint_statements AS k USING (statement_id)
  JOIN dbmaint_statement_snapshots AS s USING (taken_at)
 WHERE k.query = 'SELECT count(*) FROM numbers' AND h.taken_at > '2026-01-05' AND k.database_oid = (SELECT oid FROM pg_database WHERE datname = current_database())
 ORDER BY 1;

-- the clock was set back: the interval is unknown, what ran in it is not
SELECT count(*) FROM numbers;
SELECT FROM dbmaint_take_snapshot('2025-12-31 00:00+00');
SELECT previous_at, statements > 0 AS counted FROM dbmaint_statement_snapshots WHERE taken_at = '2025-12-31 00:00+00';
-- a snapshot that fails counts for nothing, and the next one has it all
SELECT FROM dbmaint_take_snapshot('2025-12-31 00:00+00');
SELECT count(*) FROM numbers;
BEGIN;
SELECT FROM dbmaint_take_snapshot('2026-01-06 00:00+00');
ROLLBACK;
BEGIN;
SELECT FROM dbmaint_take_snapshot('2026-01-06 00:01+00');
SELECT count(*) FROM numbers;
SELECT FROM dbmaint_take_snapshot('2026-01-06 00:02+00');
COMMIT;
SELECT h.taken_at AT TIME ZONE 'UTC' AS at, h.calls
  FROM dbmaint_statement_history AS h JOIN dbmaint_statements AS k USING (statement_id)
 WHERE k.query = 'SELECT count(*) FROM numbers' AND h.taken_at > '2026-01-06' AND k.database_oid = (SELECT oid FROM pg_database WHERE datname = current_database())
 ORDER BY 1;
SELECT FROM dbmaint_take_snapshot(NULL);
SELECT FROM dbmaint_take_snapshot('infinity');

-- a statement that lost its entry, or its text, gets it again after a while
SELECT statement_id AS lost FROM dbmaint_statements AS k
 WHERE k.query = 'SELECT count(*) FROM numbers' AND k.database_oid = (SELECT oid FROM pg_database WHERE datname = current_database()) \gset
DELETE FROM dbmaint_statements WHERE statement_id = :lost;
SELECT count(*) FROM numbers;
SELECT FROM dbmaint_take_snapshot('2026-01-15 00:00+00');
SELECT count(*), bool_and(statement_id <> :lost) AS anew FROM dbmaint_statements AS k
 WHERE k.query = 'SELECT count(*) FROM numbers' AND k.database_oid = (SELECT oid FROM pg_database WHERE datname = current_database());

-- who put a trigger on the history gets nothing
CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'captured'; END $$;
CREATE TRIGGER spy BEFORE INSERT ON dbmaint_statements FOR EACH ROW EXECUTE FUNCTION spy();
SELECT FROM dbmaint_take_snapshot('2026-01-16 00:00+00');
DROP TRIGGER spy ON dbmaint_statements;

-- pg_stat_statements keeps the constants of what has no plan: none is kept here
DO $body$ BEGIN PERFORM 'https://hooks.example/T0P/SECRET', 'password=T0P SECRET'; END $body$;
CREATE ROLE regress_statements_secret PASSWORD 'T0P''SECRET';
ALTER ROLE regress_statements_secret /* PASSWORD 'T0P SECRET 0' */ PASSWORD E'T0P\'SECRET' -- was 'T0P SECRET 1'
;
COMMENT ON ROLE regress_statements_secret IS $$T0P SECRET$$;
DROP ROLE regress_statements_secret;
SELECT FROM dbmaint_take_snapshot('2026-01-17 00:00+00');
SELECT count(*) AS secrets FROM dbmaint_statements WHERE query ~ 'T0P|SECRET';
SELECT query FROM dbmaint_statements WHERE query ~ '^(DO|ALTER ROLE|COMMENT ON ROLE) ' AND query ~ '^DO ''|regress_statements_secret'
 GROUP BY query ORDER BY query COLLATE "C";

-- the collector does the same, at its interval
SELECT collector, status FROM dbmaint_run_due('2026-02-01 00:00+00') WHERE collector = 'statements';
SELECT collector, status FROM dbmaint_run_due('2026-02-01 00:04:59+00') WHERE collector = 'statements';
SELECT collector, status FROM dbmaint_run_due('2026-02-01 00:05:00+00') WHERE collector = 'statements';
SELECT taken_at AT TIME ZONE 'UTC' AS at FROM dbmaint_statement_snapshots WHERE taken_at >= '2026-02-01' ORDER BY 1;

-- texts are for those who may see everybody's statements
CREATE ROLE regress_statements_nobody;
CREATE ROLE regress_statements_monitor IN ROLE pg_monitor;
GRANT USAGE ON SCHEMA public TO regress_statements_nobody, regress_statements_monitor;
SET ROLE regress_statements_nobody;
SELECT count(*) FROM dbmaint_statements;
SELECT count(*) FROM dbmaint_statement_history;
SELECT count(*) FROM dbmaint_total_statements('2026-01-01', '2026-01-02');
SELECT count(*) FROM dbmaint_top_statements();
SELECT count(*) FROM dbmaint_slow_queries;
SELECT dbmaint_find_query_text(1);
SELECT FROM dbmaint_take_snapshot();
SET ROLE regress_statements_monitor;
SELECT count(*) > 0 AS texts FROM dbmaint_statements WHERE query IS NOT NULL;
SELECT count(*) > 0 AS history FROM dbmaint_statement_history WHERE taken_at < '2026-01-02';
SELECT count(*) > 0 AS totals FROM dbmaint_total_statements('2026-01-01', '2026-01-02');
SELECT FROM dbmaint_take_snapshot();
SELECT dbmaint_set_baseline('x', '2026-01-01', '2026-01-02');
RESET ROLE;
-- one who was granted it, but would see only his own statements
GRANT EXECUTE ON FUNCTION dbmaint_take_snapshot(timestamptz) TO regress_statements_nobody;
SET ROLE regress_statements_nobody;
SELECT FROM dbmaint_take_snapshot();
RESET ROLE;
DROP OWNED BY regress_statements_nobody, regress_statements_monitor;
DROP ROLE regress_statements_nobody, regress_statements_monitor;

-- a statement that is offered again, for want of its text, takes no id
SELECT dbmaint_store_statements('2026-01-20', '{10,10}', '{1,1}', '{101,102}', '{t,t}', ARRAY[NULL, 'SELECT 2'], '{f,f}')
  FROM generate_series(1, 5);
SELECT dbmaint_store_statements('2026-01-21', '{10,10}', '{1,1}', '{101,102}', '{t,t}', '{"SELECT 1","SELECT 3"}', '{t,t}');
SELECT dbmaint_store_statements('2026-01-21', '{10}', '{1}', '{103}', '{t}', '{"SELECT 4"}', '{f}');
SELECT query_id, max(statement_id) OVER () - min(statement_id) OVER () AS ids_spanned, query, truncated
  FROM dbmaint_statements WHERE database_oid = 1 ORDER BY query_id;
DELETE FROM dbmaint_statements WHERE database_oid = 1;

-- everything carries a comment
SELECT p.oid::regprocedure AS uncommented FROM pg_proc AS p
  JOIN pg_depend AS d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
  JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'dbmaint'
 WHERE obj_description(p.oid, 'pg_proc') IS NULL;
SELECT c.relname, a.attname AS uncommented FROM pg_class AS c
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
 WHERE c.relname IN ('dbmaint_statements', 'dbmaint_statement_snapshots', 'dbmaint_baselines', 'dbmaint_statement_plans')
   AND col_description(c.oid, a.attnum) IS NULL;

-- dropped while it is in use
DROP EXTENSION pg_stat_statements CASCADE;
SELECT FROM dbmaint_take_snapshot();
SELECT collector, status FROM dbmaint_run_due('2026-02-01 00:10:00+00') WHERE collector = 'statements';
