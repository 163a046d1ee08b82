-- The daily health check script of the runbook as one call, at its limits.
CREATE EXTENSION dbmaint;
SELECT check_name, value IS NULL AS no_value, "limit", status, detail FROM dbmaint_daily_check() WHERE check_name <> 'completed';
SELECT check_name, value ~ '^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$' AS time_stamp, "limit", status, detail FROM dbmaint_daily_check() WHERE check_name = 'completed';

-- the mean of the rows, as the script has it: at the limit, and above
INSERT INTO performance_metrics ("timestamp", database_oid, response_time_ms, query_count)
SELECT now() - i * interval '1 minute', d.oid, 80 + 10 * i, 1 + 1000 * i FROM pg_database AS d, generate_series(1, 3) AS i WHERE d.datname = current_database();
INSERT INTO performance_metrics ("timestamp", database_oid, response_time_ms, query_count)
SELECT now() - interval '16 minutes', d.oid, 100000, 1 FROM pg_database AS d WHERE d.datname = current_database();
INSERT INTO performance_metrics ("timestamp", database_oid, response_time_ms, query_count) VALUES (now(), 1, 100000, 1);
SELECT * FROM dbmaint_daily_check() WHERE check_name = 'response_time';
UPDATE performance_metrics SET response_time_ms = 100;
SELECT * FROM dbmaint_daily_check() WHERE check_name = 'response_time';
UPDATE performance_metrics SET response_time_ms = 100.01;
SELECT * FROM dbmaint_daily_check() WHERE check_name = 'response_time';
UPDATE performance_metrics SET response_time_ms = NULL;
SELECT * FROM dbmaint_daily_check() WHERE check_name = 'response_time';
