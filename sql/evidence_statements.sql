-- Evidence by fed history: which statements took more, against which baseline,
-- of which table; what changed, the metric and the host.
CREATE EXTENSION dbmaint;
\set VERBOSITY terse
SET extra_float_digits = 0;

-- the tables that a text names, without planning anything
SELECT q, array(SELECT concat_ws('.', r.schema_name, r.relation_name) FROM dbmaint_statement_relations(q) AS r) AS relations
  FROM unnest(ARRAY[
    'SELECT * FROM a JOIN b.c USING (x) WHERE d > interval $1 AND e = date $2 AND f IN ($3 /*, ... */) LIMIT $4',
    'WITH a AS (SELECT * FROM inner_one), z AS MATERIALIZED (DELETE FROM gone RETURNING *) SELECT * FROM a, z, s.a FOR UPDATE OF a',
    'UPDATE "We""ird" SET i = $1 WHERE EXISTS (SELECT FROM x$1y)',
    'MERGE INTO t1 USING t2 ON true WHEN MATCHED THEN DELETE',
    'INSERT INTO i SELECT $1::numeric(10,2), (SELECT max(x) FROM sub) ON CONFLICT DO NOTHING',
    'EXPLAIN SELECT $1 FROM e; VACUUM ANALYZE k, l; TRUNCATE o, p; LOCK TABLE q IN SHARE MODE; COPY c FROM STDIN',
    'SELECT ''it''''s $1'', $$FROM nope$$ FROM ok -- FROM comment',
    'SET work_mem = $1', 'SELECT $1', '', ';']) WITH ORDINALITY AS u(q, n) ORDER BY n;
SELECT * FROM dbmaint_statement_relations('SELECT * FROM a WHERE b = ''cut of');
SELECT * FROM dbmaint_statement_relations(NULL);

CREATE TABLE orders AS SELECT i AS id, repeat('x', 100) AS note FROM generate_series(1, 1000) AS i;
CREATE TABLE few (id int);
CREATE VIEW both_of_them AS SELECT o.id FROM orders AS o JOIN few AS f USING (id);
CREATE VIEW of_view AS SELECT * FROM both_of_them;
CREATE TABLE parts (id int) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (1000000);
INSERT INTO parts SELECT i FROM generate_series(1, 20000) AS i;
CREATE SCHEMA s1;
CREATE SCHEMA s2;
CREATE TABLE s1.twice (id int);
CREATE TABLE s2.twice (id int);
CREATE TABLE s1."we""ird
name" (id int);
SELECT q, m.relation, m.relation_oid IS NOT NULL AS has_oid
  FROM unnest(ARRAY['SELECT FROM few, orders', 'SELECT FROM few', 'SELECT FROM both_of_them', 'SELECT FROM of_view', 'SELECT FROM orders, parts',
                    'SELECT FROM twice', 'SELECT FROM s2.twice', E'SELECT FROM s1."we""ird\nname"', 'SELECT FROM nowhere', 'cut of', '', NULL]) WITH ORDINALITY AS u(q, n),
       LATERAL dbmaint_main_relation(q) AS m ORDER BY n;
-- nor does a text break it
SELECT relation FROM dbmaint_main_relation('SELECT ' || repeat('(', 100000) || '1');

-- a week of snapshots at the same hour, and now
INSERT INTO dbmaint_statements (statement_id, query_id, database_oid, user_oid, toplevel, first_seen_at, last_used_at, query)
OVERRIDING SYSTEM VALUE
SELECT v.id, v.id * -11, CASE WHEN v.id = 8 THEN 1 ELSE d.oid END, 10, v.id <> 9, '2026-01-01', '2026-01-08', v.query
  FROM pg_database AS d, (VALUES (1, 'SELECT steady FROM few'), (2, 'SELECT note FROM orders WHERE id = $1'), (3, 'SELECT busier FROM parts'),
       (4, 'SELECT new FROM s1.twice'), (5, 'SELECT gone FROM few'), (6, NULL), (8, 'SELECT elsewhere FROM orders'), (9, 'SELECT nested FROM few')) AS v(id, query)
 WHERE d.datname = current_database();
CREATE FUNCTION snapshot(at timestamptz, covers interval, ids bigint[], calls bigint[], us bigint[], wal bigint[] DEFAULT NULL)
RETURNS void LANGUAGE sql AS $$
INSERT INTO dbmaint_statement_snapshots (taken_at, database_oid, previous_at, known_counters, statements, incomplete, statement_ids, calls, total_exec_time_us, wal_bytes)
SELECT at, d.oid, at - covers, (1::bigint << 38) - 1, cardinality(ids), false, ids, calls, us, wal FROM pg_database AS d WHERE d.datname = current_database()
$$;
-- before: 2 takes 4 ms; one day it took 400 ms, which a median does not see
SELECT snapshot('2026-01-08 10:30+00'::timestamptz - make_interval(days => d), '30 min', '{1,2,3,5,8,9}', '{600,50,10,20,100,50}',
                CASE WHEN d = 3 THEN '{600000,20000000,10000,2000,400000,200000}' ELSE '{600000,200000,10000,2000,400000,200000}' END::bigint[],
                '{0,5000,0,0,0,0}')
  FROM generate_series(1, 5) AS d;
-- ten minutes of 180 ms
SELECT snapshot('2026-01-08 10:25+00', '5 min', '{1,2,3,4,6,8,9}', '{100,10,100,1,1,900,10}', '{100000,1800000,100000,20000,1000,900000000,9000000}', '{0,1000,0,0,0,0,0}');
SELECT snapshot('2026-01-08 10:30+00', '5 min', '{1,2,3,4,6,8,9}', '{100,10,100,1,1,900,10}', '{100000,1800000,100000,20000,1000,900000000,9000000}', '{0,1000,0,0,0,0,0}');

SELECT statement_id, calls_before, calls_now, ms_before, ms_now, baseline
  FROM dbmaint_compare_with_baseline('2026-01-08 10:20+00', '2026-01-08 10:30+00', 'time', false) ORDER BY 1;
CREATE TABLE found AS SELECT dbmaint_collect_evidence('response_time_ms', '', '2026-01-08 10:20+00', '2026-01-08 10:30+00') AS e;
SELECT dbmaint_likely_cause(e) FROM found;
SELECT (e -> 'statements') - 'top' FROM found;
SELECT s - '{database,username,statement_id}'::text[] AS statement FROM found, jsonb_array_elements(e #> '{statements,top}') AS s;
SELECT array(SELECT jsonb_object_keys(e - 'took_ms')) AS keys, e -> 'errors' AS errors, e -> 'live' AS live, e::text ~* 'select' AS has_text FROM found;
SELECT key, value FROM found, jsonb_each(dbmaint_evidence_texts(e)) ORDER BY 1;
-- of the whole server, the other database's is the worst; its table is not known here
SELECT dbmaint_likely_cause(dbmaint_collect_evidence('cpu_busy_ratio', NULL, '2026-01-08 10:20+00', '2026-01-08 10:30+00'));
-- WAL, by what each wrote
SELECT dbmaint_likely_cause(dbmaint_collect_evidence('wal_bytes', '', '2026-01-08 10:20+00', '2026-01-08 10:30+00'));
-- what changed of the table is told with its statement
INSERT INTO dbmaint_change_history (database_oid, changed_at, number, not_before, kind, object, attribute, old_value, new_value)
SELECT d.oid, v.at, v.n, v.at - v.seen, v.kind, v.object, v.attribute, v.old, v.new
  FROM pg_database AS d, (VALUES
       ('2026-01-08 10:10+00'::timestamptz, 1, interval '30 s', 'index', 'public.few_idx', 'dropped', E'definition: USING btree (id)\ntable: public.few', NULL),
       ('2026-01-08 10:15+00', 1, interval '30 min', 'index', 'public.orders_idx', 'dropped', E'definition: USING btree (id) WHERE (note = ''secret''::text)\ntable: public.orders', NULL),
       ('2026-01-08 10:16+00', 1, interval '30 s', 'setting', 'work_mem', 'value', '4MB', '64kB'),
       ('2026-01-08 10:17+00', 1, interval '30 s', 'view', 'public.v', 'definition', 'SELECT secret', 'SELECT another'),
       ('2026-01-08 09:10+00', 1, interval '30 s', 'setting', 'jit', 'value', 'off', 'on'),
       ('2026-01-08 10:40+00', 1, interval '30 s', 'setting', 'jit', 'value', 'on', 'off')) AS v(at, n, seen, kind, object, attribute, old, new)
 WHERE d.datname = current_database();
UPDATE found SET e = dbmaint_collect_evidence('response_time_ms', '', '2026-01-08 10:20+00', '2026-01-08 10:30+00');
SELECT dbmaint_likely_cause(e) FROM found;
SELECT c FROM found, jsonb_array_elements(e #> '{changes,list}') AS c;
SELECT c.* FROM found, dbmaint_causes(e) AS c;
DELETE FROM dbmaint_change_history WHERE kind = 'index';
SELECT dbmaint_likely_cause(dbmaint_collect_evidence('response_time_ms', '', '2026-01-08 10:20+00', '2026-01-08 10:30+00'));
-- several statements that got slower, none of them by itself: the setting
DELETE FROM dbmaint_statement_snapshots WHERE taken_at > '2026-01-08';
SELECT snapshot('2026-01-08 10:30+00', '10 min', '{1,2,3,5}', '{200,17,4,7}', '{1000000,950000,900000,900000}');
SELECT * FROM dbmaint_causes(dbmaint_collect_evidence('response_time_ms', '', '2026-01-08 10:20+00', '2026-01-08 10:30+00'));
-- began after the last snapshot
SELECT e ->> 'from_at', e ->> 'to_at', e ->> 'baseline'
  FROM dbmaint_evidence_statements('response_time_ms', '', '2026-01-08 10:31+00', '2026-01-08 10:32+00') AS e;
-- no earlier days: the hour before; nothing at all
DELETE FROM dbmaint_statement_snapshots WHERE taken_at < '2026-01-08';
SELECT snapshot('2026-01-08 10:10+00', '10 min', '{1,2,3,5}', '{200,17,4,7}', '{200000,68000,4000,700}');
SELECT e ->> 'baseline', e #>> '{top,0,mean_ms_before}', e #>> '{top,0,mean_ms_now}'
  FROM dbmaint_evidence_statements('response_time_ms', '', '2026-01-08 10:20+00', '2026-01-08 10:30+00') AS e;
DELETE FROM dbmaint_statement_snapshots WHERE taken_at < '2026-01-08 10:20+00';
DELETE FROM dbmaint_change_history;
SELECT e ->> 'baseline' AS baseline, e #> '{top,0}' ? 'share_ratio' AS share FROM dbmaint_evidence_statements('response_time_ms', '', '2026-01-08 10:20+00', '2026-01-08 10:30+00') AS e;
SELECT dbmaint_likely_cause(dbmaint_collect_evidence('response_time_ms', '', '2026-01-08 10:20+00', '2026-01-08 10:30+00'));
TRUNCATE dbmaint_statement_snapshots, dbmaint_statements;
SELECT e - 'took_ms' - 'database' AS evidence, dbmaint_likely_cause(e) FROM dbmaint_collect_evidence('response_time_ms', '', '2026-01-08 10:20+00', '2026-01-08 10:30+00') AS e;

-- the metric and the host, against the same hour
INSERT INTO performance_metrics ("timestamp", database_oid, sample_interval_ms, response_time_ms, query_count, cpu_busy_ratio, commits)
SELECT t, d.oid, 60000, CASE WHEN t > '2026-01-08 10:20+00' THEN 95 ELSE 12 END, 600, CASE WHEN t > '2026-01-08 10:20+00' THEN 0.9 ELSE 0.2 END, 60
  FROM pg_database AS d, generate_series('2026-01-06 10:00+00'::timestamptz, '2026-01-08 10:30+00', '1 minute') AS t
 WHERE d.datname = current_database();
SELECT dbmaint_evidence_metric('response_time_ms', '', '2026-01-08 10:21+00', '2026-01-08 10:30+00');
SELECT dbmaint_evidence_metric('"timestamp"; DROP TABLE few', '', '2026-01-08 10:21+00', '2026-01-08 10:30+00'), dbmaint_evidence_metric(NULL, NULL, NULL, NULL);
SELECT dbmaint_evidence_host('cpu_busy_ratio', '', '2026-01-08 10:21+00', '2026-01-08 10:30+00');

-- bad input
SELECT dbmaint_collect_evidence(NULL, '', '2026-01-08 10:20+00', '2026-01-08 10:30+00');
SELECT dbmaint_collect_evidence('x', '', '2026-01-08 10:20+00', NULL);
SELECT dbmaint_collect_evidence('x', '', '2026-01-08 10:40+00', '2026-01-08 10:30+00');
SELECT dbmaint_collect_evidence('x', '', '-infinity', '2026-01-08 10:30+00');
SELECT e ->> 'family', e -> 'errors', dbmaint_likely_cause(e) FROM dbmaint_collect_evidence(E'no such ''metric"\n', repeat(E'\U0001F600"\n', 1000), NULL, '2026-01-08 10:30+00') AS e;
SELECT * FROM dbmaint_evidence_section(NULL, NULL, NULL, NULL, NULL, NULL);
SELECT * FROM dbmaint_evidence_section('no such', NULL, NULL, NULL, NULL, 100);

-- a section that fails or takes too long costs itself alone
ALTER FUNCTION dbmaint_evidence_host(text, text, timestamptz, timestamptz) RENAME TO hidden;
CREATE FUNCTION dbmaint_evidence_host(text, text, timestamptz, timestamptz) RETURNS jsonb LANGUAGE sql AS 'SELECT pg_sleep(60); SELECT jsonb_build_object()';
ALTER FUNCTION dbmaint_evidence_metric(text, text, timestamptz, timestamptz) RENAME TO hidden_metric;
SELECT e -> 'errors' AS errors, e ? 'statements' AS statements, (e ->> 'took_ms')::numeric < 10000 AS soon
  FROM dbmaint_collect_evidence('response_time_ms', '', '2026-01-08 10:20+00', '2026-01-08 10:30+00') AS e;
DROP FUNCTION dbmaint_evidence_host(text, text, timestamptz, timestamptz);
-- what is too large loses the end of its lists
SELECT octet_length(f::text) <= 300 AS fits, f -> 'cut' AS cut, f #>> '{a,0}' AS first, jsonb_array_length(f -> 'b') AS b
  FROM dbmaint_fit_section((SELECT jsonb_build_object('a', jsonb_agg(i), 'b', '[1, 2]'::jsonb) FROM generate_series(1, 1000) AS i), 300) AS f;
SELECT dbmaint_fit_section(jsonb_build_object('a', repeat('x', 1000)), 300), dbmaint_fit_section('[1]', 300), dbmaint_fit_section(NULL, 300);
