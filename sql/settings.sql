-- Settings: units, ranges, contexts; a bad value is refused and the old stays.
CREATE EXTENSION dbmaint;
SELECT name, setting, unit, context, vartype, min_val, max_val, boot_val
  FROM pg_settings WHERE name LIKE 'dbmaint.%' ORDER BY name COLLATE "C";
-- each is described
SELECT name FROM pg_settings WHERE name LIKE 'dbmaint.%' AND short_desc = '';
SHOW dbmaint.sample_interval;
SHOW dbmaint.retention;
SHOW dbmaint.max_history_size;
SHOW dbmaint.slow_query_threshold;
SHOW dbmaint.objects_interval;

-- out of range, not a number, unknown unit; 18 changed the words
\set VERBOSITY sqlstate
ALTER SYSTEM SET dbmaint.sample_interval = 0;
ALTER SYSTEM SET dbmaint.sample_interval = '2h';
ALTER SYSTEM SET dbmaint.sample_interval = 'often';
ALTER SYSTEM SET dbmaint.retention = '5min';
ALTER SYSTEM SET dbmaint.max_history_size = -1;
ALTER SYSTEM SET dbmaint.slow_query_threshold = 'NaN';
ALTER SYSTEM SET dbmaint.enabled = 'perhaps';
\set VERBOSITY default
ALTER SYSTEM SET dbmaint.databases = 'a,,b';
ALTER SYSTEM SET dbmaint.critical_indexes = '"open';
-- each entry is a pattern of LIKE
ALTER SYSTEM SET dbmaint.critical_indexes = 'fine', 'x\';
ALTER SYSTEM SET dbmaint.critical_indexes = 'x\\\';
ALTER SYSTEM SET dbmaint.critical_indexes = 'x\\', '\_%', '".', ' ';
ALTER SYSTEM SET dbmaint.critical_indexes = 'x\\', '\_%', '.', '"  "';
ALTER SYSTEM RESET dbmaint.critical_indexes;
ALTER SYSTEM SET dbmaint.home_database = 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx';
-- not here, not now
SET dbmaint.sample_interval = 5;
SET dbmaint.max_databases = 5;
-- names that nobody defined are reserved
SET dbmaint.sample_intervall = 5;
SHOW dbmaint.sample_interval;

-- what a plain user may not set
CREATE ROLE dbmaint_plain;
SET ROLE dbmaint_plain;
SET dbmaint.track_latency = off;
RESET ROLE;
DROP ROLE dbmaint_plain;
DROP EXTENSION dbmaint;
