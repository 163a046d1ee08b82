-- One turn at a given time: schedule, counters, errors, back-off, expiry.
CREATE EXTENSION dbmaint;

-- the first turn runs everything, and knows no interval
SELECT * FROM dbmaint_run_due('2026-01-01 00:00:00+00');
SELECT "timestamp" AT TIME ZONE 'UTC' AS at, sample_interval_ms, query_count,
       commits, max_connections = current_setting('max_connections')::int AS max_connections,
       database_size_bytes > 0 AS size, disk_free_bytes > 0 AS disk,
       memory_total_bytes > memory_available_bytes AS memory
  FROM dbmaint_samples;

-- before the interval has passed nothing is due, after it only what is due
SELECT * FROM dbmaint_run_due('2026-01-01 00:00:09.9+00');
SELECT * FROM dbmaint_run_due('2026-01-01 00:00:10+00');
-- late by 4 s: the grid stays, so the next is due after 6
SELECT count(*) FROM dbmaint_run_due('2026-01-01 00:00:24+00');
SELECT count(*) FROM dbmaint_run_due('2026-01-01 00:00:29.9+00');
SELECT count(*) FROM dbmaint_run_due('2026-01-01 00:00:30+00');
-- a pause of an hour costs one turn, not hundreds
SELECT count(*) FROM dbmaint_run_due('2026-01-01 01:00:05+00');
SELECT count(*) FROM dbmaint_run_due('2026-01-01 01:00:06+00');
SELECT count(*) FROM dbmaint_run_due('2026-01-01 01:00:10+00');
SELECT "timestamp" AT TIME ZONE 'UTC' AS at, sample_interval_ms,
       commits >= 0 AS commits, database_size_bytes IS NOT NULL AS size
  FROM dbmaint_samples ORDER BY 1;

-- the clock was set back: it goes on at once, and no interval is negative
SELECT count(*) FROM dbmaint_run_due('2025-12-31 00:00:00+00');
SELECT count(*) FROM dbmaint_run_due('2025-12-31 00:00:10+00');
SELECT "timestamp" AT TIME ZONE 'UTC' AS at, sample_interval_ms
  FROM dbmaint_samples WHERE "timestamp" < '2026-01-01' ORDER BY 1;

-- response times: counted between two turns, in this database
SELECT count(*) FROM dbmaint_run_due('2026-01-02 00:00:00+00');
SELECT pg_sleep(0.15);
SELECT 1 / 0;
SELECT count(*) FROM dbmaint_run_due('2026-01-02 00:00:10+00');
SELECT query_count, slow_query_count >= 1 AS slow, failed_query_count,
       p50_ms < p99_ms AS percentiles, max_ms >= 150 AS max,
       response_time_ms < max_ms AS mean,
       dbmaint_histogram_count(latency_histogram) = query_count AS histogram
  FROM dbmaint_samples WHERE "timestamp" = '2026-01-02 00:00:10+00';

-- statistics that were reset begin anew
SELECT pg_stat_reset();
SELECT count(*) FROM dbmaint_run_due('2026-01-02 00:00:20+00');
SELECT commits, blocks_hit, cache_hit_ratio, wal_bytes >= 0 AS wal FROM dbmaint_samples WHERE "timestamp" = '2026-01-02 00:00:20+00';
SELECT count(*) FROM dbmaint_run_due('2026-01-02 00:00:30+00');
SELECT commits >= 0 AS commits FROM dbmaint_samples WHERE "timestamp" = '2026-01-02 00:00:30+00';

-- an error in one collector costs that collector's readings
ALTER FUNCTION dbmaint_read_activity() RENAME TO hidden;
SELECT * FROM dbmaint_run_due('2026-01-02 00:00:40+00');
SELECT total_connections, max_connections, commits >= 0 AS commits FROM dbmaint_samples WHERE "timestamp" = '2026-01-02 00:00:40+00';
ALTER FUNCTION hidden() RENAME TO dbmaint_read_activity;
SELECT errors, last_error, missed_rounds > 300 AS missed FROM dbmaint_status() WHERE process = 'sampler' AND database = current_database();

-- a sample that cannot be written: back-off, doubling, and no loss
CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER trap BEFORE INSERT ON performance_metrics FOR EACH ROW EXECUTE FUNCTION trap();
SELECT collector, status FROM dbmaint_run_due('2026-01-02 00:00:50+00') WHERE status <> 'ok';
SELECT count(*) FROM dbmaint_run_due('2026-01-02 00:00:55+00');
SELECT count(*) > 0 AS retried FROM dbmaint_run_due('2026-01-02 00:01:00+00');
SELECT count(*) FROM dbmaint_run_due('2026-01-02 00:01:19+00');
DROP TRIGGER trap ON performance_metrics;
SELECT count(*) > 0 AS retried FROM dbmaint_run_due('2026-01-02 00:01:20+00');
SELECT sample_interval_ms, query_count > 10 AS all_of_them FROM dbmaint_samples WHERE "timestamp" = '2026-01-02 00:01:20+00';
DROP FUNCTION trap;

-- history expires by itself; how much the server logged is its affair
TRUNCATE dbmaint_log_history, dbmaint_connection_history, dbmaint_series_samples, dbmaint_outbox;
SELECT collector, status FROM dbmaint_run_due('2026-03-02 00:00:00+00') WHERE collector = 'history';
SELECT count(*) FROM performance_metrics;

-- a long message is cut between characters; another database's encoding
CREATE FUNCTION fail() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '%', 'x' || repeat('é', 200); END $$;
ALTER TABLE performance_metrics ADD CHECK (fail()) NOT VALID;
SELECT count(*) FROM dbmaint_run_due('2026-03-02 00:00:10+00');
SELECT length(last_error), octet_length(last_error) FROM dbmaint_status() WHERE process = 'sampler' AND database = current_database();
SELECT current_database() AS home \gset
CREATE DATABASE dbmaint_latin1 ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C';
\c dbmaint_latin1
CREATE EXTENSION dbmaint;
CREATE FUNCTION fail() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '%', convert_from('\xe9', 'LATIN1'); END $$;
ALTER TABLE performance_metrics ADD CHECK (fail()) NOT VALID;
SELECT count(*) > 0 AS run FROM dbmaint_run_due('2026-03-02 00:00:10+00');
\c :home
SELECT last_error FROM dbmaint_status() WHERE database = 'dbmaint_latin1';
DROP DATABASE dbmaint_latin1;

-- bad input
SELECT dbmaint_run_due(NULL);
SELECT dbmaint_run_due('infinity');
DROP EXTENSION dbmaint;
