-- The likely cause, from evidence written by hand: each candidate, which of
-- them wins, and what is no evidence at all.
CREATE EXTENSION dbmaint;
\set VERBOSITY terse
SET extra_float_digits = 0;
CREATE TABLE cases (n int GENERATED ALWAYS AS IDENTITY, what text, e jsonb);
INSERT INTO cases (what, e) VALUES
('blocked by an idle transaction', '{"family": "response", "blocking": {"active": 15, "roots": [{"pid": 4711, "state": "idle in transaction", "state_ms": 720000, "transaction_ms": 730000, "waiting": 14, "relation": "accounts", "longest_wait_ms": 600000}]}}'),
('for a moment only', '{"family": "response", "blocking": {"active": 2, "roots": [{"pid": 4711, "state": "active", "waiting": 1, "longest_wait_ms": 20}]}}'),
('by one that works', '{"family": "locks", "blocking": {"active": 9, "roots": [{"pid": 12, "state": "active", "query_id": "-5", "transaction_ms": 8000, "waiting": 1, "longest_wait_ms": 5000}]}}'),
('by a prepared transaction', '{"family": "locks", "blocking": {"active": 0, "roots": [{"pid": 0, "state": "prepared transaction", "waiting": 3, "relation": "s.t", "longest_wait_ms": 5000}]}}'),
('it is over', '{"family": "response", "blocking": {"active": 3, "roots": [], "recorded": [{"pid": 7, "state": "idle in transaction", "looks": 60, "load_ratio": 0.7, "relation": "t", "first_at": "2026-01-08T10:00:00+00:00", "last_at": "2026-01-08T10:01:00+00:00"}]}}'),
('the statement waits there, too', '{"family": "response", "blocking": {"active": 10, "roots": [{"pid": 4711, "state": "idle in transaction", "state_ms": 61000, "waiting": 6, "relation": "accounts", "longest_wait_ms": 60000}]}, "statements": {"baseline": "hour before", "top": [{"query_id": "5", "relation": "accounts", "change": "slower", "mean_ms_before": 1, "mean_ms_now": 60000, "share_ratio": 0.99, "load_ratio": 0.99}]}}'),
('the statement is elsewhere', '{"family": "response", "blocking": {"active": 10, "roots": [{"pid": 4711, "state": "idle in transaction", "state_ms": 61000, "waiting": 6, "relation": "accounts", "longest_wait_ms": 60000}]}, "statements": {"baseline": "hour before", "top": [{"query_id": "-4823", "relation": "orders", "change": "slower", "mean_ms_before": 4, "mean_ms_now": 180, "share_ratio": 0.71, "load_ratio": 0.69}]}}'),
('too small a part', '{"family": "response", "statements": {"baseline": "hour before", "top": [{"query_id": "5", "change": "slower", "share_ratio": 0.2, "load_ratio": 0.2}]}}'),
('hardly any increase', '{"family": "response", "statements": {"baseline": "hour before", "top": [{"query_id": "5", "change": "slower", "share_ratio": 0.9, "load_ratio": 0.05}]}}'),
('an index that came is not why', '{"family": "response", "statements": {"baseline": "hour before", "top": [{"query_id": "5", "relation": "t", "change": "slower", "mean_ms_before": 1, "mean_ms_now": 2, "share_ratio": 0.9, "load_ratio": 0.5}]}, "changes": {"list": [{"kind": "index", "object": "t_new", "relation": "t", "attribute": "created", "changed_at": "2026-01-08T10:00:00+00:00"}, {"kind": "index", "object": "u_idx", "relation": "u", "attribute": "dropped", "changed_at": "2026-01-08T10:00:00+00:00"}]}}'),
('a setting that does nothing', '{"family": "response", "changes": {"list": [{"kind": "setting", "object": "log_line_prefix", "attribute": "value", "old_value": "a", "new_value": "b", "changed_at": "2026-01-08T10:00:00+00:00"}]}}'),
('a setting alone', '{"family": "response", "changes": {"list": [{"kind": "setting", "object": "work_mem", "attribute": "value", "old_value": "4MB", "new_value": "64kB", "changed_at": "2026-01-08T10:00:00+00:00"}]}}'),
('a setting of a role', '{"family": "response", "changes": {"list": [{"kind": "session_setting", "object": "role app", "attribute": "enable_indexscan", "new_value": "off", "changed_at": "2026-01-08T10:00:00+00:00"}]}}'),
('an application', '{"family": "connections", "connections": {"now": 200, "before": 40, "baseline": "same hour of 5 earlier days", "top": [{"application": "web", "username": "app", "now": 180, "before": 20, "idle": 150, "share_ratio": 0.95}]}}'),
('without history', '{"family": "connections", "connections": {"now": 200, "top": [{"application": "it''s", "username": "a b", "now": 180}, {"application": "x", "username": "u", "now": 20}]}}'),
('nobody stands out', '{"family": "connections", "connections": {"now": 200, "top": [{"application": "a", "username": "u", "now": 80}, {"application": "b", "username": "u", "now": 60}]}}'),
('sessions pile up', '{"family": "connections", "blocking": {"active": 90, "roots": [{"pid": 1, "state": "idle in transaction", "state_ms": 90000, "waiting": 85, "relation": "t", "longest_wait_ms": 80000}]}, "connections": {"now": 100, "before": 20, "baseline": "last count before", "top": [{"application": "web", "username": "app", "now": 90, "before": 10, "idle": 1, "share_ratio": 1}]}}'),
('idle in transaction', '{"family": "transactions", "metric": "idle_in_transaction_ms", "transactions": {"oldest": [{"pid": 3, "state": "active", "transaction_ms": 900000}, {"pid": 4, "state": "idle in transaction", "state_ms": 500000, "transaction_ms": 600000, "application": "batch", "query_id": "9", "relation": "t"}]}}'),
('prepared', '{"family": "transactions", "metric": "prepared_transaction_age_ms", "transactions": {"oldest": [], "xmin_holders": [{"kind": "prepared transaction", "name": "x''y", "since_at": "2026-01-08T10:00:00+00:00", "xmin_age": 3}]}}'),
('dead rows are held', '{"family": "vacuum", "metric": "dead_ratio_pct", "subject": {"tables": [{"relation": "orders", "dead_tuples": 5000, "autovacuum": "on", "last_vacuum_at": "2026-01-08T10:10:00+00:00"}]}, "transactions": {"xmin_holders": [{"kind": "session", "pid": 8, "state": "idle in transaction", "state_ms": 720000, "transaction_ms": 720000, "since_at": "2026-01-08T10:00:00+00:00", "xmin_age": 40}]}}'),
('it began after the vacuum', '{"family": "vacuum", "metric": "dead_ratio_pct", "subject": {"tables": [{"relation": "orders", "dead_tuples": 5000, "autovacuum": "off for the table", "last_vacuum_at": "2026-01-08T09:10:00+00:00"}]}, "transactions": {"xmin_holders": [{"kind": "session", "pid": 8, "state": "idle in transaction", "state_ms": 7200, "transaction_ms": 7200, "since_at": "2026-01-08T10:00:00+00:00", "xmin_age": 40}]}}'),
('by a slot', '{"family": "vacuum", "metric": "dead_ratio_pct", "subject": {"tables": [{"relation": "orders", "dead_tuples": 5000, "autovacuum": "on"}]}, "transactions": {"xmin_holders": [{"kind": "replication slot", "name": "s", "state": "inactive", "xmin_age": 40}]}}'),
('ids', '{"family": "vacuum", "metric": "transaction_id_age_ratio", "subject": {"tables": []}, "transactions": {"xmin_holders": [{"kind": "standby", "name": "s", "xmin_age": 50000000}]}}'),
('an invalid index', '{"family": "index", "metric": "critical_index_efficiency", "instance": "public.i", "subject": {"indexes": [{"index": "i", "valid": false}]}}'),
('a dropped index', '{"family": "index", "metric": "critical_index_efficiency", "instance": "public.i", "changes": {"list": [{"kind": "index", "object": "i", "relation": "t", "attribute": "dropped", "changed_at": "2026-01-08T10:00:00+00:00"}]}}'),
('a table that grew', '{"family": "disk", "subject": {"relations": [{"relation": "events", "kind": "table", "grown_bytes": 3221225472}, {"relation": "e_idx", "kind": "index", "grown_bytes": 536870912}], "slots": [{"slot": "s", "active": false, "retained_bytes": 268435456}], "wal_bytes": 1073741824, "max_wal_size_bytes": 1073741824, "temp_file_bytes": 0}}'),
('a slot', '{"family": "disk", "subject": {"relations": [], "slots": [{"slot": "a b", "active": false, "retained_bytes": 12884901888}], "wal_bytes": 14958954496, "max_wal_size_bytes": 2073741824}}'),
('the archiver', '{"family": "disk", "subject": {"slots": [], "wal_bytes": 14958954496, "max_wal_size_bytes": 1073741824, "archiver": {"failing": true, "last_failed_at": "2026-01-08T10:00:00+00:00"}}}'),
('not what filled it', '{"family": "disk", "subject": {"relations": [{"relation": "events", "kind": "table", "grown_bytes": 3145728}], "free_bytes_before": 10737418240, "free_bytes_now": 1073741824}}'),
('a standby', '{"family": "replication", "metric": "replication_lag_bytes", "instance": "s2", "subject": {"slots": [], "standbys": [{"application": "s1", "not_replayed_bytes": 1}, {"application": "s2", "not_sent_bytes": 0, "not_flushed_bytes": 10, "not_replayed_bytes": 104857600}]}}'),
('an inactive slot', '{"family": "replication", "metric": "slot_inactive", "instance": "s", "subject": {"slots": [{"slot": "other", "active": true, "retained_bytes": 9}, {"slot": "s", "active": false, "retained_bytes": 1048576}]}}'),
('archiving', '{"family": "replication", "metric": "archive_failing", "instance": "", "subject": {"slots": [], "archiver": {"failing": true, "last_failed_at": "2026-01-08T10:00:00+00:00"}}}'),
('a pool', '{"family": "pool", "metric": "cl_waiting", "subject": {"pools": [{"pool": "shop.app", "cl_waiting": 40, "sv_active": 20, "pool_size": 20, "exhausted": true}]}}'),
('a pool with room', '{"family": "pool", "subject": {"pools": [{"pool": "shop.app", "cl_waiting": 0, "sv_active": 2, "exhausted": false}]}}'),
('nothing', '{"family": "response"}');
SELECT what, dbmaint_likely_cause(e) AS cause FROM cases ORDER BY n;
-- all of them, with their weights
SELECT c.weight, c.cause FROM cases, dbmaint_causes(e) AS c WHERE what LIKE 'the statement%' ORDER BY n, c.weight DESC;

-- not evidence, or damaged: no error, no guess
SELECT t, dbmaint_likely_cause(t::jsonb) FROM unnest(ARRAY[NULL, '{}', '[]', '1', '"x"', 'null', '{"family": 1}', '{"family": {"a": []}}',
    '{"family": "response", "blocking": 1, "statements": [], "changes": "x", "recorder": null}',
    '{"family": "response", "blocking": {"roots": {"a": 1}, "active": "many"}}',
    '{"family": "response", "blocking": {"roots": [1, "x", null, [], {}, {"waiting": "a", "longest_wait_ms": {}}]}}',
    '{"family": "response", "statements": {"top": [{"query_id": {}, "change": [], "share_ratio": 1e400, "load_ratio": 1e300}]}}',
    '{"family": "vacuum", "metric": "dead", "subject": {"tables": [{"last_vacuum_at": "yesterday, more or less", "dead_tuples": 1}]}, "transactions": {"xmin_holders": [{"since_at": "never", "xmin_age": 1}]}}',
    '{"family": "disk", "subject": {"relations": [{"grown_bytes": 1e30}]}}']) AS t;
-- every number and text of good evidence replaced by something else
SELECT count(dbmaint_likely_cause(regexp_replace(e::text, '": ("[^"]*"|[\d.]+)', '": ' || r, 'g')::jsonb)) AS answers
  FROM cases, unnest(ARRAY['null', '[]', '{}', '"x"', '-1', '1e200', '""', 'true', '"2026-01-08T99:99:99"']) AS r;
-- names are on one line, and the line is short
SELECT cause, length(cause) FROM dbmaint_likely_cause(jsonb_build_object('family', 'locks', 'blocking', jsonb_build_object('roots',
    jsonb_build_array(jsonb_build_object('pid', 1, 'state', E'idle\r\nin', 'waiting', 2, 'longest_wait_ms', 1000, 'relation', E'"a\nb\u2028\u202E"' || repeat('x', 1000)))))) AS cause;

-- texts by id: only what is asked for, and known
INSERT INTO dbmaint_statements (query_id, database_oid, user_oid, toplevel, first_seen_at, last_used_at, query)
SELECT v.id, d.oid, 10, true, now(), now(), v.query FROM pg_database AS d, (VALUES (-5::bigint, 'SELECT ''secret'''), (6, NULL), (9223372036854775807, repeat('y', 5000)), (8, 'SELECT other')) AS v(id, query)
 WHERE d.datname = current_database();
SELECT key, length(value), left(value, 20) FROM jsonb_each_text(dbmaint_evidence_texts(
    '{"a": [{"query_id": "-5"}, {"query_id": 9223372036854775807}], "b": {"c": {"query_id": "6"}}, "query_id": ["8"], "d": {"query_id": "99999999999999999999"}, "e": {"query_id": "9999999999999999999"}, "f": {"query_id": "1; DROP"}}')) ORDER BY 1;
SELECT dbmaint_evidence_texts(NULL), dbmaint_evidence_texts('{}'), dbmaint_evidence_texts('1');

-- as rows
SELECT x.* FROM cases, dbmaint_explain_evidence(e) AS x WHERE what = 'the statement is elsewhere';
SELECT count(*) FROM dbmaint_explain_evidence(NULL);
SELECT * FROM dbmaint_explain_evidence('{"errors": {"waits": "too\nlong"}, "host": {"now": {"a": 1, "b": 2}, "before": {"a": 3}}, "waits": 7, "blocking": {"roots": [1, "x", null, {}]}}');
SELECT dbmaint_metric_family(m) AS family, array_agg(m ORDER BY m) FROM (SELECT metric AS m FROM dbmaint_metrics()) AS k GROUP BY 1 ORDER BY 1;
SELECT dbmaint_duration_text(v) FROM unnest(ARRAY[0, 0.123, 4, 9.999, 180, 9999, 12345, 720000, 7300000, 300000000, NULL]::float8[]) AS v;
SELECT dbmaint_ms_since(clock_timestamp() + interval '1 hour'), dbmaint_ms_since(NULL) IS NULL AS unknown;
SELECT dbmaint_brief(v) FROM unnest(ARRAY[0, 0.00012345, 0.71234, 4.5678, 87.034, 999.4, 123456.7, -5.4321, 'NaN', 'Infinity', NULL]::float8[]) AS v;
