-- Days of indexes and tables that are closed, and their months: bounded lists,
-- exact sums, every object in its month, and answers that say what is only
-- known by month.
CREATE EXTENSION dbmaint;
-- only the configuration can name critical indexes; 400 to 409 are in the
-- middle, so that hardly one of them would be listed for what it did
ALTER SYSTEM SET dbmaint.critical_indexes = '"public.index 777"', '"index 40_"', 'nothing%';
SELECT pg_reload_conf();
\set ECHO none
SELECT $$DO 'BEGIN IF current_setting(''dbmaint.critical_indexes'') = '''' THEN PERFORM pg_sleep(0.02); END IF; END'$$
  FROM generate_series(1, 500) \gexec
\set ECHO all
SELECT * FROM dbmaint_critical_indexes();
\set me '(SELECT oid FROM pg_database WHERE datname = current_database())'
-- the shapes are one
SELECT d.attname, m.attname FROM pg_attribute AS d
  FULL JOIN (SELECT * FROM pg_attribute WHERE attrelid = 'dbmaint_monthly_indexes'::regclass) AS m ON m.attnum = d.attnum
 WHERE d.attrelid = 'dbmaint_daily_indexes'::regclass AND d.attnum > 0 AND (d.attname, d.atttypid) IS DISTINCT FROM (m.attname, m.atttypid);
SELECT d.attname, m.attname FROM pg_attribute AS d
  FULL JOIN (SELECT * FROM pg_attribute WHERE attrelid = 'dbmaint_monthly_tables'::regclass) AS m ON m.attnum = d.attnum
 WHERE d.attrelid = 'dbmaint_daily_tables'::regclass AND d.attnum > 0 AND (d.attname, d.atttypid) IS DISTINCT FROM (m.attname, m.atttypid);

-- 1000 indexes on 400 tables, of which 780 and 395 change; from 25 January to
-- 10 March, two snapshots a day, one of them at midnight
INSERT INTO dbmaint_objects (database_oid, kind, object_id, relation_oid, table_oid, schemaname, tablename, indexname, first_seen_at)
SELECT d.oid, k.kind::"char", i, k.first + i, 3000000001 + (i - 1) % 400, 'public', 'table ' || (i - 1) % 400 + 1, CASE k.kind WHEN 'i' THEN 'index ' || i END, '2026-01-01'
  FROM pg_database AS d, (VALUES ('t', 3000000000, 400), ('i', 4000000000, 1000)) AS k(kind, first, n), generate_series(1, k.n) AS i
 WHERE d.datname = current_database();
CREATE FUNCTION list(n int, skip int, expression text) RETURNS dbmaint_packed LANGUAGE plpgsql AS $$
DECLARE l bigint[];
BEGIN
    EXECUTE format('SELECT array_agg((%s)::bigint ORDER BY i) FROM generate_series(1, $1) AS i WHERE i %% 50 <> $2', expression) INTO l USING n, skip;
    RETURN l;
END $$;
-- index i is scanned i times less on later days; every 50th pauses in turn
INSERT INTO dbmaint_index_snapshots (taken_at, database_oid, interval_ms, complete, restarts, object_ids, idx_scan, idx_tup_read, idx_tup_fetch, idx_blks_read, idx_blks_hit, index_bytes, grown_bytes)
SELECT timestamptz '2026-01-25 00:00+00' + n * interval '12 hours', :me, CASE WHEN n > 0 THEN 43200000 END, n > 0, 0, list(780, n % 50, 'i'), list(780, n % 50, 'CASE WHEN i = 777 THEN 0 ELSE (780 - i) / 3 END'),
       list(780, n % 50, 'i * 7'), list(780, n % 50, 'i * 5'), list(780, n % 50, format('(i * %s) %% 101', n + 3)), list(780, n % 50, 'i * 3'),
       list(780, n % 50, format('8192 * (i + %s)', n)), list(780, n % 50, format('8192 * (i %% 3 - 1) * (%s %% 5)', n))
  FROM generate_series(0, 90) AS n;
INSERT INTO dbmaint_table_snapshots (taken_at, database_oid, interval_ms, complete, restarts, object_ids, seq_scan, seq_tup_read, n_tup_ins, n_tup_upd, heap_blks_read, heap_blks_hit, autovacuum_count, n_live_tup, table_bytes, grown_bytes)
SELECT timestamptz '2026-01-25 00:00+00' + n * interval '12 hours', :me, CASE WHEN n > 0 THEN 43200000 END, n > 0, 0, list(395, n % 50, 'i'), list(395, n % 50, '396 - i'),
       list(395, n % 50, 'i * 100'), list(395, n % 50, format('(i * %s) %% 97', n + 1)), list(395, n % 50, 'i'), list(395, n % 50, 'i * 2'), list(395, n % 50, '396 - i'),
       list(395, n % 50, 'i % 2'), list(395, n % 50, format('i * 1000 + %s', n)), list(395, n % 50, format('8192 * (i + %s)', n)), list(395, n % 50, '8192')
  FROM generate_series(0, 90) AS n;

-- the truth, from the snapshots
CREATE TABLE index_truth AS
SELECT date_trunc('day', h.taken_at - interval '1 microsecond', 'UTC') AS day, h.object_id, sum(coalesce(h.idx_scan, 0))::bigint AS idx_scan, sum(coalesce(h.idx_tup_read, 0))::bigint AS idx_tup_read,
       sum(coalesce(h.idx_tup_fetch, 0))::bigint AS idx_tup_fetch, sum(coalesce(h.idx_blks_read, 0))::bigint AS idx_blks_read, sum(coalesce(h.idx_blks_hit, 0))::bigint AS idx_blks_hit,
       (array_agg(h.index_bytes ORDER BY h.taken_at DESC))[1] AS index_bytes, sum(coalesce(h.grown_bytes, 0))::bigint AS grown_bytes, max(h.taken_at) AS last_at
  FROM dbmaint_index_history AS h GROUP BY 1, 2;
CREATE TABLE table_truth AS
SELECT date_trunc('day', h.taken_at - interval '1 microsecond', 'UTC') AS day, h.object_id, sum(coalesce(h.seq_scan, 0))::bigint AS seq_scan, sum(coalesce(h.seq_tup_read, 0))::bigint AS seq_tup_read,
       sum(coalesce(h.n_tup_ins, 0))::bigint AS n_tup_ins, sum(coalesce(h.n_tup_upd, 0))::bigint AS n_tup_upd, sum(coalesce(h.heap_blks_read, 0))::bigint AS heap_blks_read,
       sum(coalesce(h.autovacuum_count, 0))::bigint AS autovacuum_count, sum(coalesce(h.grown_bytes, 0))::bigint AS grown_bytes
  FROM dbmaint_table_history AS h GROUP BY 1, 2;
CREATE FUNCTION index_days_differ(from_at timestamptz) RETURNS bigint LANGUAGE sql AS $$
SELECT count(*) FROM (SELECT day, object_id, idx_scan, idx_tup_read, idx_tup_fetch, idx_blks_read, idx_blks_hit, index_bytes, grown_bytes FROM index_truth WHERE day >= from_at
                      EXCEPT SELECT day, object_id, idx_scan, idx_tup_read, idx_tup_fetch, idx_blks_read, idx_blks_hit, index_bytes, grown_bytes FROM dbmaint_index_daily(from_at, 'infinity')) AS d $$;
SELECT index_days_differ('-infinity'), (SELECT count(*) FROM dbmaint_index_daily) = (SELECT count(*) FROM index_truth) AS as_many;

-- days are rolled up; those over for two days are closed, one at a time
SELECT dbmaint_roll_up_totals('2026-03-11 01:00+00', 1000);
SELECT index_days_differ('-infinity'), count(*), bool_or(in_month) AS closed FROM dbmaint_daily_indexes;
SELECT dbmaint_roll_up('2026-03-11 01:00+00'), (SELECT count(*) FROM dbmaint_daily_indexes WHERE in_month) AS indexes, (SELECT count(*) FROM dbmaint_daily_tables WHERE in_month) AS tables;
-- as a crash in between would leave it: the rest the next time
SELECT sum(dbmaint_roll_up('2026-03-11 01:00+00')) FROM generate_series(1, 200);
SELECT dbmaint_roll_up('2026-03-11 01:00+00');
SELECT in_month, count(*), min(day), max(day), max(dbmaint_packed_count(object_ids)) FROM dbmaint_daily_indexes GROUP BY 1 ORDER BY 1;
SELECT in_month, count(*), min(day), max(day), max(dbmaint_packed_count(object_ids)) FROM dbmaint_daily_tables GROUP BY 1 ORDER BY 1;
SELECT month, snapshots, observed_hours, complete, dbmaint_packed_count(object_ids) FROM dbmaint_monthly_indexes ORDER BY 1;
SELECT index_days_differ('2026-03-09 00:00+00') AS of_open_days;

-- sums of closed days are exact, and so is each index that is listed
SELECT count(*) AS days, count(*) FILTER (WHERE (t.*) IS DISTINCT FROM (d.*)) AS different
  FROM (SELECT day, sum(idx_scan), sum(idx_tup_read), sum(idx_tup_fetch), sum(idx_blks_read), sum(idx_blks_hit), sum(grown_bytes) FROM index_truth GROUP BY day) AS t
  FULL JOIN (SELECT day, sum(idx_scan), sum(idx_tup_read), sum(idx_tup_fetch), sum(idx_blks_read), sum(idx_blks_hit), sum(grown_bytes) FROM dbmaint_index_daily GROUP BY day) AS d USING (day);
SELECT count(*) AS days, count(*) FILTER (WHERE (t.*) IS DISTINCT FROM (d.*)) AS different
  FROM (SELECT day, sum(seq_scan), sum(seq_tup_read), sum(n_tup_ins), sum(n_tup_upd), sum(heap_blks_read), sum(autovacuum_count), sum(grown_bytes) FROM table_truth GROUP BY day) AS t
  FULL JOIN (SELECT day, sum(seq_scan), sum(seq_tup_read), sum(n_tup_ins), sum(n_tup_upd), sum(heap_blks_read), sum(autovacuum_count), sum(grown_bytes) FROM dbmaint_table_daily GROUP BY day) AS d USING (day);
SELECT count(*) > 1500 AS many, count(t.day) = count(*) AS all_exact FROM dbmaint_index_daily('2026-01-01 00:00+00', '2026-03-01 00:00+00') AS d
  LEFT JOIN index_truth AS t USING (day, object_id, idx_scan, idx_tup_read, idx_tup_fetch, idx_blks_read, idx_blks_hit, index_bytes, grown_bytes) WHERE d.object_id IS NOT NULL;
-- which: most scanned, most read, most touched, most grown, critical
SELECT day, count(*), sum(index_bytes) FILTER (WHERE object_id IS NULL) AS others_bytes, count(*) FILTER (WHERE object_id BETWEEN 400 AND 409) AS critical, count(*) FILTER (WHERE object_id BETWEEN 410 AND 419) AS neighbours, bool_or(object_id = 1) AS scanned, bool_or(object_id = 780) AS touched
  FROM dbmaint_index_daily('2026-02-05 00:00+00', '2026-02-06 00:00+00') GROUP BY day;
SELECT (SELECT min(d.idx_scan) FROM dbmaint_index_daily('2026-02-05 00:00+00', '2026-02-06 00:00+00') AS d WHERE object_id <= 25) AS least_listed;
SELECT object_id, indexname, idx_scan, index_bytes FROM dbmaint_index_daily('2026-02-05 00:00+00', '2026-02-06 00:00+00') LIMIT 3;
SELECT object_id, tablename, seq_scan, n_live_tup, table_bytes FROM dbmaint_table_daily('2026-02-05 00:00+00', '2026-02-06 00:00+00') LIMIT 3;

-- months: every object, the open days with them
CREATE TABLE months AS SELECT * FROM dbmaint_index_monthly();
SELECT month, count(*), complete, observed_hours FROM months GROUP BY 1, 3, 4 ORDER BY 1;
SELECT count(*) FROM (
    SELECT date_trunc('month', day, 'UTC'), object_id, sum(idx_scan)::bigint, sum(idx_tup_read)::bigint, sum(idx_tup_fetch)::bigint, sum(idx_blks_read)::bigint, sum(idx_blks_hit)::bigint,
           (array_agg(index_bytes ORDER BY last_at DESC))[1], sum(grown_bytes)::bigint FROM index_truth GROUP BY 1, 2
    EXCEPT SELECT month, object_id, idx_scan, idx_tup_read, idx_tup_fetch, idx_blks_read, idx_blks_hit, index_bytes, grown_bytes FROM months) AS different;
SELECT count(*) FROM (
    SELECT date_trunc('month', day, 'UTC'), object_id, sum(seq_scan)::bigint, sum(seq_tup_read)::bigint, sum(n_tup_ins)::bigint, sum(n_tup_upd)::bigint, sum(heap_blks_read)::bigint,
           sum(autovacuum_count)::bigint, sum(grown_bytes)::bigint FROM table_truth GROUP BY 1, 2
    EXCEPT SELECT month, object_id, seq_scan, seq_tup_read, n_tup_ins, n_tup_upd, heap_blks_read, autovacuum_count, grown_bytes FROM dbmaint_table_monthly()) AS different;
-- "not used for months", of all
SELECT count(*) AS never_used, min(o.object_id), max(o.object_id) FROM dbmaint_objects AS o WHERE o.kind = 'i' AND NOT EXISTS (SELECT FROM months AS m WHERE m.object_id = o.object_id AND m.idx_scan > 0);
SELECT month, tablename, indexname, idx_scan FROM months WHERE object_id = 777 ORDER BY month;

-- a late snapshot: of an open day it is taken, of a closed one it is too late
SELECT index_days_differ('2026-03-10 00:00+00');
INSERT INTO dbmaint_index_snapshots (taken_at, database_oid, interval_ms, complete, restarts, object_ids, idx_scan)
SELECT t, :me, 1, true, 0, '{5}', '{1000000}' FROM unnest(ARRAY['2026-02-05 13:00+00', '2026-03-10 13:00+00']::timestamptz[]) AS t;
SELECT dbmaint_roll_up('2026-03-11 02:00+00');
SELECT dbmaint_roll_up('2026-03-11 02:00+00');
SELECT day, idx_scan >= 1000000 AS taken FROM dbmaint_index_daily('2026-02-05 00:00+00', 'infinity') WHERE object_id = 5 AND day IN ('2026-02-05 00:00+00', '2026-03-10 00:00+00');
DELETE FROM dbmaint_index_snapshots WHERE interval_ms = 1;
DELETE FROM dbmaint_daily_indexes WHERE day = '2026-03-10 00:00+00';
SELECT dbmaint_roll_up('2026-03-11 02:00+00');

-- sums over ranges: whole months by month, other days by snapshots
CREATE FUNCTION sums_differ(from_at timestamptz, to_at timestamptz, OUT indexes bigint, OUT others bigint, OUT inexact bigint, OUT wrong bigint, OUT unlike bigint, OUT beyond bigint) LANGUAGE sql AS $$
WITH s AS MATERIALIZED (SELECT * FROM dbmaint_index_sums(from_at, to_at)),
     t AS (SELECT object_id, sum(idx_scan) AS idx_scan, sum(idx_blks_read) AS idx_blks_read, sum(grown_bytes) AS grown_bytes FROM index_truth WHERE day >= from_at AND day < to_at GROUP BY 1)
SELECT count(s.object_id), count(*) FILTER (WHERE s.exact IS NOT NULL AND s.object_id IS NULL), count(*) FILTER (WHERE NOT s.exact),
       count(*) FILTER (WHERE s.exact AND s.object_id IS NOT NULL AND (s.idx_scan, s.idx_blks_read, s.grown_bytes) IS DISTINCT FROM (t.idx_scan, t.idx_blks_read, t.grown_bytes) OR s.exact IS NULL AND t.object_id IS NOT NULL),
       (sum(s.idx_scan) IS DISTINCT FROM sum(t.idx_scan) OR sum(s.idx_blks_read) IS DISTINCT FROM sum(t.idx_blks_read) OR sum(s.grown_bytes) IS DISTINCT FROM sum(t.grown_bytes))::int,
       count(*) FILTER (WHERE s.object_id IS NOT NULL AND coalesce(t.idx_scan, 0) NOT BETWEEN s.idx_scan AND s.idx_scan_at_most)
  FROM s FULL JOIN t ON t.object_id = s.object_id
$$;
SELECT * FROM sums_differ('2026-02-01 00:00+00', '2026-03-01 00:00+00');
SELECT * FROM sums_differ('2026-02-05 00:00+00', '2026-02-12 00:00+00');
SELECT * FROM sums_differ('2026-01-20 00:00+00', '2026-03-20 00:00+00');
CREATE TABLE report_before AS SELECT item, value, detail FROM dbmaint_report_indexes('2026-02-01 00:00+00', '2026-03-01 00:00+00', '2026-01-01 00:00+00', 'week');
CREATE TABLE week_before AS SELECT item, value, previous, status, detail FROM dbmaint_report_indexes('2026-02-16 00:00+00', '2026-02-23 00:00+00', '2026-02-09 00:00+00', 'day');
SELECT item, value FROM report_before WHERE value IS NOT NULL;
-- without snapshots: months as before, of other days what is known and what may be
TRUNCATE dbmaint_index_snapshots, dbmaint_table_snapshots;
SELECT * FROM sums_differ('2026-02-01 00:00+00', '2026-03-01 00:00+00');
SELECT * FROM sums_differ('2026-03-09 00:00+00', '2026-03-11 00:00+00');
SELECT * FROM sums_differ('2026-02-05 00:00+00', '2026-02-12 00:00+00');
SELECT * FROM sums_differ('2026-01-30 00:00+00', '2026-03-02 00:00+00');
SELECT count(*) FROM (SELECT item, value, detail FROM dbmaint_report_indexes('2026-02-01 00:00+00', '2026-03-01 00:00+00', '2026-01-01 00:00+00', 'week') EXCEPT TABLE report_before) AS different;
SELECT item, value, previous, detail FROM (SELECT item, value, previous, status, detail FROM dbmaint_report_indexes('2026-02-16 00:00+00', '2026-02-23 00:00+00', '2026-02-09 00:00+00', 'day') EXCEPT TABLE week_before) AS different ORDER BY item;
SELECT b.item, b.value, b.previous FROM week_before AS b WHERE b.item LIKE '%unused%' OR b.item = 'index_efficiency_ratio' ORDER BY item;
SELECT (SELECT count(*) FROM dbmaint_table_sums('2026-02-05 00:00+00', '2026-02-12 00:00+00') WHERE object_id IS NULL) AS others,
       (SELECT sum(seq_scan) FROM dbmaint_table_sums('2026-02-05 00:00+00', '2026-02-12 00:00+00')) = (SELECT sum(seq_scan) FROM table_truth WHERE day >= '2026-02-05 00:00+00' AND day < '2026-02-12 00:00+00') AS exact;

-- a copy of a database keeps its own; a session's time zone changes nothing
SET TimeZone = 'Pacific/Auckland';
SELECT count(*) FROM (SELECT * FROM dbmaint_index_monthly() EXCEPT TABLE months) AS different;
SELECT dbmaint_close_days('2026-03-12 00:00+00', 10), dbmaint_close_days('2026-03-13 00:00+00', 10);
RESET TimeZone;
SELECT count(*) FROM (SELECT * FROM dbmaint_index_monthly() EXCEPT TABLE months) AS different;
SELECT max(day) FROM dbmaint_daily_indexes WHERE in_month;
INSERT INTO dbmaint_daily_indexes (day, database_oid, snapshots, complete, object_ids, idx_scan) VALUES ('2026-02-05 00:00+00', 1, 1, true, '{1}', '{5}');
SELECT dbmaint_close_days('2026-03-13 00:00+00', 10), (SELECT count(*) FROM dbmaint_monthly_indexes WHERE database_oid = 1) AS theirs;
-- values that no sampler writes do not stop it
INSERT INTO dbmaint_daily_indexes (day, database_oid, snapshots, complete, object_ids, idx_scan, grown_bytes)
SELECT '2025-06-01 00:00+00'::timestamptz + i * interval '1 day', :me, 1, true, '{}', NULL, NULL FROM generate_series(0, 1) AS i;
UPDATE dbmaint_daily_indexes SET object_ids = '{1,2}', idx_scan = '{9223372036854775807,1}', grown_bytes = '{-9223372036854775808,0}', observed_hours = 'NaN' WHERE day IN ('2025-06-01 00:00+00', '2025-06-02 00:00+00') AND database_oid = :me;
INSERT INTO dbmaint_daily_indexes (day, database_oid, snapshots, complete, object_ids) SELECT '2025-06-03 00:00+00', :me, 1, true, '{}';
SELECT dbmaint_close_days('2026-03-12 00:00+00', 10);
SELECT object_id, idx_scan, grown_bytes, observed_hours FROM dbmaint_index_monthly('2025-06-01 00:00+00', '2025-07-01 00:00+00');
SELECT day, object_id, idx_scan, grown_bytes FROM dbmaint_index_daily('2025-06-01 00:00+00', '2025-07-01 00:00+00');
-- nothing asked, nothing answered
SELECT count(*) FROM dbmaint_index_sums(NULL, NULL);
SELECT count(*) FROM dbmaint_index_monthly(NULL);
SELECT count(*) FROM dbmaint_index_sums('-infinity', 'infinity') WHERE object_id IS NOT NULL;
-- months stay as long as their last days
SELECT history, time_column, kept FROM dbmaint_history_tables() WHERE history::text LIKE '%monthly%' ORDER BY 1;
DROP TABLE index_truth, table_truth, months, report_before, week_before;
DROP FUNCTION list, index_days_differ, sums_differ;
DROP EXTENSION dbmaint;
ALTER SYSTEM RESET dbmaint.critical_indexes;
SELECT pg_reload_conf();
