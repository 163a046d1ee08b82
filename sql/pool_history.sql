-- Pools: readings become rows, rows become days and a review; settings; planted.
\set SHOW_CONTEXT never
CREATE EXTENSION dbmaint;

-- nothing is configured: nobody asks, and everybody says so
SELECT * FROM dbmaint_pools();
SELECT * FROM dbmaint_pool_settings();
SELECT configured, state, readings, errors, advice FROM dbmaint_pool_status();
SELECT count(*) FROM dbmaint_run_due('2026-01-05 00:00+00') WHERE collector = 'pool';
SELECT check_name, value, status, detail FROM dbmaint_health() WHERE check_name LIKE 'pool%';
SELECT * FROM dbmaint_pool_command('RELOAD');
SHOW dbmaint.pgbouncer_conninfo;
SELECT setting, boot_val, context, vartype FROM pg_settings WHERE name = 'dbmaint.pgbouncer_conninfo';
-- a value that is refused is not shown
\set VERBOSITY terse
ALTER SYSTEM SET dbmaint.pgbouncer_conninfo = E'password=secret\n';
SET dbmaint.pgbouncer_conninfo = 'password=secret';
\set VERBOSITY default

-- a reading: one pool that works, one that is quiet, one of which little is told
CREATE FUNCTION plant(at timestamptz, working bigint, waiting bigint) RETURNS void LANGUAGE sql AS $$
    SELECT dbmaint_store_pools(at, '{app,app,other}', '{u,"quo\"te",""}', '{transaction,session,""}',
        ARRAY[12, 3, -1], ARRAY[waiting, 0, -1], ARRAY[working, 0, 2], ARRAY[8 - working, 4, -1], '{0,0,-1}', '{0,0,-1}', '{0,1,-1}',
        ARRAY[waiting * 250, 0, -1], '{8,8,-1}', '{100,100,-1}', '{1500,1500,-1}', '{50,50,-1}',
        '{"",app}', '{default_pool_size,pool_size}', '{20,8}')
$$;
SELECT plant('2026-01-05 10:00+00', 4, 0);
\x on
SELECT * FROM dbmaint_pool_history;
\x off
-- the same reading, and one that lists a pool twice: neither counts twice
SELECT plant('2026-01-05 10:00+00', 8, 9);
SELECT dbmaint_store_pools('2026-01-05 10:01+00', '{app,app}', '{u,u}', '{transaction,transaction}', '{1,2}', '{0,0}', '{1,2}', '{0,0}',
    '{0,0}', '{0,0}', '{0,0}', '{0,0}', '{8,8}', '{0,0}', '{0,0}', '{0,0}', '{}', '{}', '{}');
-- no pools
SELECT dbmaint_store_pools('2026-01-05 10:02+00', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}');
SELECT taken_at, interval_ms, dropped, pool_ids, cl_active FROM dbmaint_pool_snapshots ORDER BY 1;
-- it is exhausted, ten minutes later: that is a gap
SELECT plant('2026-01-05 10:12+00', 8, 2), plant('2026-01-05 10:13+00', 4, 1);
SELECT taken_at, interval_ms, pool_name, cl_waiting, sv_active, sv_idle, maxwait_ms, exhausted FROM dbmaint_pool_history
 WHERE taken_at > '2026-01-05 10:10+00' ORDER BY 1, 3;
SELECT pool_id, pool_database, pool_user, pool_mode, first_seen_at, last_seen_at FROM dbmaint_pool_names ORDER BY 1;
-- seen again, two days later, in another mode
SELECT dbmaint_store_pools('2026-01-07 10:00+00', '{app}', '{u}', '{session}', '{12}', '{0}', '{2}', '{0}', '{0}', '{0}', '{0}', '{0}', '{10}', '{0}',
    '{1000}', '{10}', '{"",""}', '{default_pool_size,query_timeout}', '{40,30}');
SELECT pool_id, pool_mode, first_seen_at, last_seen_at FROM dbmaint_pool_names ORDER BY 1;
-- settings: a row a change; what is gone has none
SELECT * FROM (SELECT pool_database, setting, changed_at, value FROM dbmaint_pool_setting_history) AS h ORDER BY 3, 1, 2;

-- days, made on the spot and rolled up
SELECT day, observed_hours, pool_name, samples, busy_samples, exhausted_samples, pool_efficiency, min_pool_efficiency, server_utilization
  FROM dbmaint_pool_daily('2026-01-01', '2026-01-10');
SELECT day, pool_name, max_cl_active, max_cl_waiting, max_sv_active, max_wait_ms, pool_size, queries, avg_query_ms, avg_wait_ms
  FROM dbmaint_pool_daily('2026-01-01', '2026-01-10');
CREATE TABLE before AS SELECT * FROM dbmaint_pool_daily('2026-01-01', '2026-01-10');
SELECT dbmaint_roll_up_totals('2026-01-08 00:10+00', 100) AS rolled_up;
SELECT day, snapshots, complete FROM dbmaint_daily_pools ORDER BY 1;
(TABLE before EXCEPT SELECT * FROM dbmaint_pool_daily('2026-01-01', '2026-01-10'))
UNION ALL (SELECT * FROM dbmaint_pool_daily('2026-01-01', '2026-01-10') EXCEPT TABLE before);

-- the review
SELECT item, unit, round(value::numeric, 3) AS value, round(previous::numeric, 3) AS previous, status, detail
  FROM dbmaint_weekly_report('2026-01-12') WHERE section = 'pools';
-- a period without readings, and one before it with some
SELECT item, value, previous IS NOT NULL AS known_before, status, detail
  FROM dbmaint_weekly_report('2026-01-19') WHERE section = 'pools';

-- numbers at the end of their range
SELECT dbmaint_store_pools('2026-01-09 10:00+00', '{app}', '{u}', '{session}', ARRAY[9223372036854775807], ARRAY[9223372036854775807],
    ARRAY[9223372036854775807], ARRAY[9223372036854775807], ARRAY[9223372036854775807], ARRAY[9223372036854775807], ARRAY[9223372036854775807],
    ARRAY[9223372036854775807], ARRAY[9223372036854775807], ARRAY[9223372036854775807], ARRAY[9223372036854775807], ARRAY[9223372036854775807],
    '{""}', '{default_pool_size}', '{99999999999999999999999999}');
SELECT pool_efficiency, server_utilization, multiplexing, exhausted FROM dbmaint_pool_history WHERE taken_at = '2026-01-09 10:00+00';
SELECT count(*) FROM dbmaint_pool_daily('2026-01-09', '2026-01-10');
SELECT count(*) > 0 AS reviewed FROM dbmaint_weekly_report('2026-01-12') WHERE section = 'pools';

-- expiry: readings after dbmaint.retention, days and names after dbmaint.rollup_retention
SELECT DISTINCT ON (1) dbmaint_expire_history('2026-03-01') FROM generate_series(1, 100) ORDER BY 1 LIMIT 1;
SELECT (SELECT count(*) FROM dbmaint_pool_snapshots) AS snapshots, (SELECT count(*) FROM dbmaint_daily_pools) AS days,
       (SELECT count(*) FROM dbmaint_pool_names) AS names;
SELECT DISTINCT ON (1) dbmaint_expire_history('2029-01-01') FROM generate_series(1, 100) ORDER BY 1 LIMIT 1;
SELECT (SELECT count(*) FROM dbmaint_pool_snapshots) AS snapshots, (SELECT count(*) FROM dbmaint_daily_pools) AS days,
       (SELECT count(*) FROM dbmaint_pool_names) AS names, (SELECT count(*) FROM dbmaint_pool_setting_history) AS settings;

-- no trigger runs with the sampler's rights
CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE TRIGGER trap BEFORE INSERT ON dbmaint_pool_names FOR EACH ROW EXECUTE FUNCTION trap();
SELECT plant('2026-01-05 10:00+00', 4, 0);
DROP TRIGGER trap ON dbmaint_pool_names;
CREATE TRIGGER trap BEFORE INSERT ON dbmaint_pool_setting_history FOR EACH ROW EXECUTE FUNCTION trap();
SELECT plant('2026-01-05 10:00+00', 4, 0);
