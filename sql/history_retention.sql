-- Retention: by age, by size, in batches, and beside a publication.
CREATE EXTENSION dbmaint;
CREATE PUBLICATION everything FOR ALL TABLES;

CREATE FUNCTION fill(days int) RETURNS void LANGUAGE sql AS $$
INSERT INTO performance_metrics ("timestamp", database_oid, query_count)
SELECT timestamptz '2026-01-31 00:00+00' - make_interval(days => n), 1, n
  FROM generate_series(0, days - 1) AS n
$$;

SELECT fill(40);
-- 35 days by default; the row of the 35th day is not older than that
SELECT dbmaint_expire_history('2026-01-31 00:00+00');
SELECT count(*), max(query_count) FROM performance_metrics;
SELECT dbmaint_expire_history('2026-01-31 00:00+00');

-- oldest first, at most a batch at a time
SELECT dbmaint_expire_history('2026-02-10 00:00+00', 3);
SELECT count(*), max(query_count) FROM performance_metrics;

-- nothing to do on an empty table
TRUNCATE performance_metrics;
SELECT dbmaint_expire_history();

-- by size: the files exceed 1 MB, so the newest rows that fit into it stay
ALTER SYSTEM SET dbmaint.max_history_size = '1MB';
SELECT pg_reload_conf();
-- a session takes a new setting between two statements only
\set ECHO none
SELECT $$DO 'BEGIN IF current_setting(''dbmaint.max_history_size'') <> ''1MB'' THEN PERFORM pg_sleep(0.02); END IF; END'$$
  FROM generate_series(1, 500) \gexec
\set ECHO all
SHOW dbmaint.max_history_size;
INSERT INTO performance_metrics ("timestamp", database_oid, query_count)
SELECT timestamptz '2026-01-31 00:00+00' - make_interval(secs => n * 10), 1, n
  FROM generate_series(0, 29999) AS n;
SELECT pg_total_relation_size('performance_metrics') > 1024 * 1024 AS too_big;
DO $$
DECLARE n bigint; calls int := 0;
BEGIN
  LOOP
    n := dbmaint_expire_history('2026-01-31 00:00+00');
    EXIT WHEN n = 0;
    calls := calls + 1;
    IF n > 10000 THEN RAISE 'a batch of % rows', n; END IF;
  END LOOP;
  RAISE NOTICE 'in several batches: %', calls > 1;
END $$;
-- the newest stay, as many as fit
SELECT min(query_count), count(*) BETWEEN 1000 AND 10000 AS some,
       max(query_count) = count(*) - 1 AS newest
  FROM performance_metrics;
-- rewritten, what is left fits
VACUUM FULL performance_metrics;
SELECT pg_total_relation_size('performance_metrics') <= 1024 * 1024 AS fits;
ALTER SYSTEM RESET dbmaint.max_history_size;
SELECT pg_reload_conf();

-- bad input
\set SHOW_CONTEXT never
SELECT dbmaint_expire_history(NULL);
SELECT dbmaint_expire_history(now(), 0);
SELECT dbmaint_row_bytes(NULL, 'timestamp');
SELECT dbmaint_row_bytes('performance_metrics', NULL);
SELECT dbmaint_row_bytes('performance_metrics', 'a "column" that is not there');
SELECT dbmaint_row_bytes('performance_metrics', 'ctid');
SELECT dbmaint_row_bytes('performance_metrics_pkey', 'timestamp');
SELECT dbmaint_row_bytes(0::regclass, 'timestamp');
SELECT dbmaint_row_bytes('performance_metrics', 'timestamp') > 100 AS some_bytes,
       dbmaint_row_bytes('dbmaint_recordings', 'recorded_at') IS NULL AS no_row;
SELECT dbmaint_expire_table(NULL, 'timestamp', now(), 1, 1);
SELECT dbmaint_expire_table('performance_metrics', NULL, now(), 1, 1);
SELECT dbmaint_require_untriggered(NULL);
SELECT dbmaint_require_untriggered('a "table" that is not there');
SELECT dbmaint_require_untriggered('performance_metrics');
SELECT dbmaint_days_of(NULL::dbmaint_daily_tables, NULL, NULL, now(), now());
DROP PUBLICATION everything;
DROP FUNCTION fill;
DROP EXTENSION dbmaint;
