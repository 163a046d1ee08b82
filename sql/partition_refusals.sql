-- What create_future_partitions() and drop_old_partitions() refuse: each with
-- its SQLSTATE, and nothing half done.
SET client_min_messages = warning;
CREATE EXTENSION dbmaint;
RESET client_min_messages;
\set VERBOSITY verbose
\set SHOW_CONTEXT never
CREATE FUNCTION attempt(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text;
BEGIN
    EXECUTE sql;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n  ', state || ': ' || message, nullif(detail, ''), nullif(hint, ''));
END $$;
\pset format unaligned
\pset tuples_only on

CREATE TABLE m (id int, at timestamptz NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE m_2026_01 PARTITION OF m FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00');
CREATE TABLE m_2026_02 PARTITION OF m FOR VALUES FROM ('2026-02-01 00:00+00') TO ('2026-03-01 00:00+00');

-- NULLs, and counts that make no sense
SELECT attempt(format('SELECT create_future_partitions(%s)', a)) FROM unnest(ARRAY[
    'NULL, 3', '''m'', NULL', '''m'', -1', '''m'', 1001', '''m'', 2147483647', '''m'', 1, fill_gaps => NULL',
    '''m'', 1, default_rows => NULL', '''m'', 1, default_rows => ''drop''', '''m'', 1, dry_run => NULL',
    '''m'', 1, lock_window => NULL', '''m'', 1, lock_window => ''-1 s''', '''m'', 1, lock_window => ''2 days''',
    '''m'', 1, as_of => NULL', '''m'', 1, as_of => ''infinity''', '''m'', 1, time_zone => ''Mars/Olympus''',
    '''m'', 1, epoch => ''fortnights''', '''m'', 1, ''0 days''', '''m'', 1, ''-1 month''', '''m'', 1, ''1 month 1 day''',
    '''m'', 1, ''soon''', '''m'', 1, ''100000 years''', '''nowhere''::regclass, 1', '4294967295::oid::regclass, 1']) AS a;
SELECT attempt(format('SELECT drop_old_partitions(%s)', a)) FROM unnest(ARRAY[
    'NULL, 3', '''m'', NULL::int', '''m'', 0', '''m'', -1', '''m'', 2147483647', '''m'', interval ''0''', '''m'', interval ''-1 day''',
    '''m'', interval ''1 month -1 day''', '''m'', NULL::interval', '''m'', interval ''9000 years''', '''m'', keep_values => 0', '''m'', keep_values => 5',
    '''m'', 1, dry_run => NULL', '''m'', 1, detach_only => NULL', '''m'', 1, as_of => ''9999-01-01''', '''m'', 1, as_of => ''-infinity''',
    '''m'', 1, move_to_schema => ''nowhere''']) AS a;

-- what is no set of ranges
CREATE TABLE plain (at timestamptz);
CREATE INDEX plain_at ON plain (at);
CREATE VIEW looked AS SELECT * FROM plain;
CREATE SEQUENCE counted;
CREATE TABLE inherited_from (at timestamptz);
CREATE TABLE inheriting () INHERITS (inherited_from);
CREATE TABLE listed (i int) PARTITION BY LIST (i);
CREATE TABLE hashed (i int) PARTITION BY HASH (i);
CREATE TABLE expressed (at timestamptz) PARTITION BY RANGE ((date_trunc('day', at AT TIME ZONE 'UTC')));
CREATE TABLE texts (t text) PARTITION BY RANGE (t);
CREATE TABLE numerics (n numeric) PARTITION BY RANGE (n);
CREATE TEMPORARY TABLE temporary_one (at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE not_first (a int, b int) PARTITION BY RANGE (a, b);
CREATE TABLE not_first_1 PARTITION OF not_first FOR VALUES FROM (1, 1) TO (1, 10);
CREATE TABLE not_min (a int, b int) PARTITION BY RANGE (a, b);
CREATE TABLE not_min_1 PARTITION OF not_min FOR VALUES FROM (1, 1) TO (2, 10);
CREATE TABLE random_uuids (id uuid) PARTITION BY RANGE (id);
CREATE TABLE random_uuids_1 PARTITION OF random_uuids
    FOR VALUES FROM ('10000000-0000-0000-0000-000000000000') TO ('20000000-0000-4711-0000-000000000000');
CREATE TABLE irregular (i int) PARTITION BY RANGE (i);
CREATE TABLE irregular_1 PARTITION OF irregular FOR VALUES FROM (0) TO (100);
CREATE TABLE irregular_2 PARTITION OF irregular FOR VALUES FROM (100) TO (150);
CREATE TABLE elsewhere (at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE elsewhere_1 PARTITION OF elsewhere FOR VALUES FROM ('2026-01-01 00:00+09') TO ('2026-01-02 00:00+09');
SELECT r || ': ' || attempt(format('SELECT create_future_partitions(%L, 1)', r)) FROM unnest(ARRAY['plain', 'plain_at', 'looked', 'counted',
    'inherited_from', 'm_2026_01', 'pg_class', 'listed', 'hashed', 'expressed', 'texts', 'numerics', 'temporary_one',
    'not_first', 'not_min', 'random_uuids', 'irregular', 'elsewhere']) AS r;
SELECT r || ': ' || attempt(format('SELECT drop_old_partitions(%L, 1)', r)) FROM unnest(ARRAY['plain', 'm_2026_01', 'listed', 'elsewhere', 'irregular']) AS r;
-- numbers as periods of times and the other way round
SELECT attempt($$SELECT create_future_partitions('irregular', 1, '1 month')$$);
SELECT attempt($$SELECT create_future_partitions('irregular', 1, '0')$$);
SELECT attempt($$SELECT create_future_partitions('irregular', 1, '99999999999999999999')$$);
-- a date cannot begin at an hour
CREATE TABLE dates (at date) PARTITION BY RANGE (at);
SELECT attempt($$SELECT create_future_partitions('dates', 1, '6 hours', as_of => '2026-01-01 07:00+00')$$);
-- more than a thousand
SELECT attempt($$SELECT create_future_partitions('m', 1000, as_of => '2026-01-01 00:00+00', dry_run => true)$$);
SELECT attempt($$SELECT create_future_partitions('m', 1000, fill_gaps => true, as_of => '2030-01-01 00:00+00', dry_run => true)$$);
SELECT attempt($$SELECT create_future_partitions('m', 1, '1 second', fill_gaps => true, as_of => '2030-01-01 00:00+00', dry_run => true)$$);

-- not the owner's: refused before anything is locked
CREATE ROLE partition_stranger;
CREATE ROLE partition_owner;
GRANT USAGE, CREATE ON SCHEMA public TO partition_owner, partition_stranger;
ALTER TABLE m OWNER TO partition_owner;
SET ROLE partition_stranger;
SELECT attempt($$SELECT create_future_partitions('m', 1)$$);
SELECT attempt($$SELECT drop_old_partitions('m', 1)$$);
SELECT attempt($$SELECT * FROM dbmaint_partition_sets$$);
SELECT attempt($$SELECT dbmaint_record_partition_set(1, 'UTC', NULL, NULL)$$);
RESET ROLE;
-- an owner's own, without any right on what the extension records
SET ROLE partition_owner;
SELECT attempt($$SELECT create_future_partitions('m', 1, as_of => '2026-02-15 00:00+00')$$);
RESET ROLE;
ALTER TABLE m_2026_01 OWNER TO partition_owner;
ALTER TABLE m_2026_02 OWNER TO partition_owner;
SET ROLE partition_owner;
SELECT * FROM create_future_partitions('m', 1, as_of => '2026-02-15 00:00+00');
RESET ROLE;
SELECT relname, relowner::regrole FROM pg_class WHERE relname LIKE 'm\_%' ORDER BY 1;
SELECT parent, time_zone FROM dbmaint_partition_sets;
-- the owner lost the right to create in the schema
REVOKE CREATE ON SCHEMA public FROM partition_owner;
SELECT attempt($$SELECT create_future_partitions('m', 2, as_of => '2026-02-15 00:00+00')$$);
GRANT CREATE ON SCHEMA public TO partition_owner;
-- what is recorded is written under no foreign trigger
CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'ran as %', current_user; END$$;
CREATE TRIGGER trap BEFORE INSERT OR UPDATE ON dbmaint_partition_sets FOR EACH ROW EXECUTE FUNCTION trap();
SELECT attempt($$SELECT create_future_partitions('m', 2, time_zone => 'GMT', as_of => '2026-02-15 00:00+00')$$);
DROP TRIGGER trap ON dbmaint_partition_sets;

-- a transaction that reads only: asking is allowed
BEGIN READ ONLY;
SELECT * FROM create_future_partitions('m', 1, as_of => '2026-02-15 00:00+00');
SELECT * FROM create_future_partitions('m', 2, dry_run => true, as_of => '2026-02-15 00:00+00');
SAVEPOINT a;
SELECT attempt($$SELECT create_future_partitions('m', 2, as_of => '2026-02-15 00:00+00')$$);
SELECT attempt($$SELECT drop_old_partitions('m', 1, as_of => '2026-05-15 00:00+00')$$);
COMMIT;

-- DDL that an event trigger forbids
CREATE FUNCTION forbid() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no DDL for %', current_user; END$$;
CREATE EVENT TRIGGER forbid ON ddl_command_start EXECUTE FUNCTION forbid();
SELECT attempt($$SELECT create_future_partitions('m', 2, as_of => '2026-02-15 00:00+00')$$);
SELECT attempt($$SELECT drop_old_partitions('m', 1, as_of => '2026-05-15 00:00+00')$$);
DROP EVENT TRIGGER forbid;

-- nothing half done
SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_class AS c WHERE c.relname LIKE 'm\_%' ORDER BY 1;
SELECT count(*) FROM pg_class WHERE relname ~ '^(plain|listed|hashed|texts|numerics|irregular|elsewhere|not_first|not_min)_' AND relkind = 'r';

-- a key in another order than that of its type
CREATE FUNCTION descending(a date, b date) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT date_cmp(b, a)';
CREATE OPERATOR CLASS date_descending FOR TYPE date USING btree AS
    OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 descending(date, date);
CREATE TABLE backwards (at date) PARTITION BY RANGE (at date_descending);
CREATE TABLE backwards_2026_01 PARTITION OF backwards FOR VALUES FROM ('2026-02-01') TO ('2026-01-01');
SELECT attempt($$SELECT create_future_partitions('backwards', 1, '1 month', as_of => '2026-01-15 00:00+00')$$);
DROP TABLE backwards;
DROP OPERATOR FAMILY date_descending USING btree;
-- a present that no calendar has, and the last number
CREATE TABLE at_the_end (at timestamptz) PARTITION BY RANGE (at);
SELECT attempt($$SELECT create_future_partitions('at_the_end', 1, '1 month', time_zone => 'UTC', as_of => '294276-12-01 00:00+00')$$);
CREATE TABLE at_the_end_2026_01 PARTITION OF at_the_end FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00');
SELECT attempt($$SELECT create_future_partitions('at_the_end', 1, as_of => '294276-12-01 00:00+00')$$);

-- the owner's code gains nothing
CREATE TABLE trapped (at timestamptz, v text) PARTITION BY RANGE (at);
CREATE TABLE trapped_2026_01 PARTITION OF trapped FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00');
CREATE TABLE trapped_default PARTITION OF trapped DEFAULT;
ALTER TABLE trapped OWNER TO partition_owner;
ALTER TABLE trapped_2026_01 OWNER TO partition_owner;
ALTER TABLE trapped_default OWNER TO partition_owner;
SET ROLE partition_owner;
CREATE FUNCTION who_runs(v text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE 'runs as %, search_path %', current_user, current_setting('search_path');
    BEGIN
        EXECUTE 'RESET ROLE';
    EXCEPTION WHEN OTHERS THEN
        RAISE NOTICE '%', SQLSTATE;
    END;
    RETURN true;
END $$;
ALTER TABLE trapped ADD CHECK (who_runs(v));
\set VERBOSITY terse
INSERT INTO trapped VALUES ('2026-02-02 00:00+00', 'x');
RESET ROLE;
SELECT * FROM create_future_partitions('trapped', 1, default_rows => 'move', as_of => '2026-01-15 00:00+00');
SELECT current_user = session_user;

DROP OWNED BY partition_owner, partition_stranger CASCADE;
DROP ROLE partition_owner, partition_stranger;
