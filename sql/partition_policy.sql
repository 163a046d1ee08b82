-- Policies: what they refuse, each with its SQLSTATE; what they find at a time.
SET client_min_messages = warning;
CREATE EXTENSION dbmaint;
RESET client_min_messages;
\set SHOW_CONTEXT never
CREATE FUNCTION attempt(sql text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE sql;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ': ' || SQLERRM;
END $$;
\pset format unaligned

CREATE TABLE m (id int, at timestamptz NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE m_2026_01 PARTITION OF m FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00');
CREATE TABLE m_2026_02 PARTITION OF m FOR VALUES FROM ('2026-02-01 00:00+00') TO ('2026-03-01 00:00+00');
CREATE TABLE m_2026_03 PARTITION OF m FOR VALUES FROM ('2026-03-01 00:00+00') TO ('2026-04-01 00:00+00');
CREATE TABLE n (id bigint NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE n_0 PARTITION OF n FOR VALUES FROM (0) TO (1000);
CREATE TABLE n_1 PARTITION OF n FOR VALUES FROM (1000) TO (2000);
CREATE TABLE none (at date) PARTITION BY RANGE (at);
CREATE TABLE listed (i int) PARTITION BY LIST (i);
CREATE TABLE plain (at date);

SELECT a, attempt(format('SELECT dbmaint_set_partition_policy(%s)', a)) FROM unnest(ARRAY[
    'NULL', '''m'', NULL', '''m'', 0', '''m'', -1', '''m'', 1001', '''m'', 3, interval ''-1 day''', '''m'', 3, interval ''9000 years''',
    '''m'', 3, interval ''1 day'', 5', '''m'', 3, keep_values => 5', '''m'', 3, keep_values => 0', '''m'', default_rows => ''drop''',
    '''m'', default_rows => NULL', '''m'', fill_gaps => NULL', '''m'', detach_only => NULL', '''m'', enabled => NULL',
    '''m'', time_zone => ''Mars/Olympus''', '''m'', epoch => ''fortnights''', '''m'', move_to_schema => ''nowhere''',
    '''none''', '''none'', period => ''soon''', '''listed''', '''plain''', '''n''', '4294967295::oid::regclass']) AS a;
SELECT count(*) FROM dbmaint_partition_policies;
-- who is not the owner; a transaction that only reads
CREATE ROLE regress_dbmaint_policy;
SET ROLE regress_dbmaint_policy;
SELECT attempt('SELECT dbmaint_set_partition_policy(''m'')'), attempt('SELECT dbmaint_drop_partition_policy(''m'')'),
       attempt('SELECT dbmaint_enqueue(''partition_drop'', ''m'')');
RESET ROLE;
DROP ROLE regress_dbmaint_policy;
BEGIN READ ONLY;
SELECT attempt('SELECT dbmaint_set_partition_policy(''m'')');
ROLLBACK;

-- an index of some rows does not say which is the greatest
CREATE INDEX n_some ON n (id) WHERE id < 0;
SELECT attempt('SELECT dbmaint_set_partition_policy(''n'', 1, keep_values => 400)');
DROP INDEX n_some;
-- what is found at a time
CREATE INDEX ON n (id);
INSERT INTO n VALUES (1500);
SELECT dbmaint_set_partition_policy('m', 2, interval '1 month', time_zone => 'UTC'), dbmaint_set_partition_policy('n', 1, keep_values => 400);
SELECT parent, premake, keep, keep_values, default_rows, enabled FROM dbmaint_partition_policies ORDER BY 1;
SELECT at, instance, premade, missing, expired, left_over, error
  FROM unnest('{2026-01-15 00:00+00, 2026-03-15 00:00+00, 2026-05-01 00:00+00}'::timestamptz[]) AS at, dbmaint_partition_work(at) ORDER BY 1, 2;
SELECT parent_table, period, partitions, premade, premade_until, premade_for, missing, keep, expired, status FROM dbmaint_partition_health('2026-03-15 00:00+00');
SELECT parent_table, partition_name, bound, is_default FROM dbmaint_partitions('m');
-- queued once
SELECT dbmaint_queue_partition_jobs('2026-03-15 00:00+00', true);
SELECT dbmaint_queue_partition_jobs('2026-03-15 00:00+00', true);
SELECT kind, target, state FROM dbmaint_jobs ORDER BY target;
-- replaced, and ended
SELECT dbmaint_set_partition_policy('m', 5, enabled => false);
SELECT premake, keep, enabled FROM dbmaint_partition_policies WHERE parent = 'm'::regclass;
SELECT dbmaint_drop_partition_policy('m'), dbmaint_drop_partition_policy('m'), dbmaint_drop_partition_policy(NULL);
