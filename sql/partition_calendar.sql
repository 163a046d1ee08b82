-- Sets whose clock is walked over changes of the clocks, leap days, ends of
-- months, week 53 and ends of years, in zones of every kind.  After each call
-- the catalog is asked: is there a partition for the present and for so many
-- periods after it, is there no gap and no overlap, is each bound where
-- date_trunc() in the set's zone puts it, does a second call make nothing?  At
-- the end a row goes in for every instant of the walk.
SET client_min_messages = warning;
CREATE EXTENSION dbmaint;
RESET client_min_messages;
SET datestyle = 'ISO';

-- Instants of keys without a zone are written as if their clock showed UTC.
CREATE TABLE walks (
    walk_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    zone text, key text, period interval,
    unit text,                  -- of date_trunc(); NULL: counted from origin
    begins timestamptz, ends timestamptz, step interval, ahead int,
    origin timestamp,           -- where a first partition is made by hand
    name text);
CREATE TABLE faults (walk_id int, at timestamptz, what text);
CREATE TABLE done (walk_id int, calls int, partitions int, instants int);

CREATE FUNCTION calendar_zone(walk walks) RETURNS text LANGUAGE sql IMMUTABLE AS
$$SELECT CASE walk.key WHEN 'timestamptz' THEN walk.zone ELSE 'UTC' END$$;

-- The beginning of the period that an instant lies in.
CREATE FUNCTION period_of(walk walks, at timestamptz) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF walk.unit = 'elapsed' THEN
        RETURN date_bin(walk.period, at, timezone(calendar_zone(walk), timestamp '2000-01-01'));
    ELSIF walk.unit IS NOT NULL THEN
        RETURN date_trunc(walk.unit, at, calendar_zone(walk));
    END IF;
    RETURN (SELECT max(p) FROM (SELECT timezone(calendar_zone(walk), walk.origin + k * walk.period) AS p FROM generate_series(0, 60) AS k) AS points WHERE p <= at);
END $$;

CREATE FUNCTION ranges() RETURNS TABLE (partition oid, range_from timestamptz, range_to timestamptz) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT c.oid, (bound[1] || CASE WHEN zoned THEN '' ELSE ' UTC' END)::timestamptz, (bound[2] || CASE WHEN zoned THEN '' ELSE ' UTC' END)::timestamptz
      FROM pg_inherits, pg_class AS c, regexp_match(pg_get_expr(c.relpartbound, c.oid), $q$FROM \('(.*)'\) TO \('(.*)'\)$q$) AS bound,
           (SELECT atttypid = 'timestamptz'::regtype AS zoned FROM pg_attribute WHERE attrelid = 'walked'::regclass AND attnum = 1) AS z
     WHERE inhparent = 'walked'::regclass AND c.oid = inhrelid;
END $$;

CREATE FUNCTION check_ranges(walk walks, clock timestamptz, calls int) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    present timestamptz := CASE WHEN walk.key = 'timestamptz' THEN clock ELSE clock AT TIME ZONE walk.zone AT TIME ZONE 'UTC' END;
BEGIN
    RETURN QUERY
        WITH r AS MATERIALIZED (SELECT *, lag(range_to) OVER (ORDER BY range_from) AS before FROM ranges())
        SELECT format('%s partitions hold the present', count(*)) FROM r WHERE range_from <= present AND present < range_to HAVING count(*) <> 1
        UNION ALL SELECT format('%s partitions ahead', count(*)) FROM r WHERE range_from > present HAVING count(*) < walk.ahead
        UNION ALL SELECT format('%s is after a gap or an overlap', partition::regclass) FROM r WHERE before <> range_from
        UNION ALL SELECT format('%s is from %s to %s', partition::regclass, range_from, range_to) FROM r
         WHERE period_of(walk, range_from) <> range_from OR period_of(walk, range_to) <> range_to OR period_of(walk, range_to - interval '1 us') <> range_from
        UNION ALL SELECT format('%s of %s', partition::regclass, range_from) FROM r
         WHERE walk.name IS NOT NULL AND partition::regclass::text <> to_char(range_from AT TIME ZONE calendar_zone(walk), walk.name)
        UNION ALL SELECT 'recorded: ' || coalesce((SELECT time_zone FROM dbmaint_partition_sets WHERE parent = 'walked'::regclass), 'nothing')
         WHERE calls > 0 AND NOT EXISTS (SELECT FROM dbmaint_partition_sets WHERE parent = 'walked'::regclass AND time_zone = walk.zone);
END $$;

CREATE PROCEDURE walk_clocks() LANGUAGE plpgsql AS $$
DECLARE
    walk walks;
    first text[];
    clock timestamptz;
    calls int;
    partitions int;
    instants int;
BEGIN
    FOR walk IN SELECT * FROM walks ORDER BY walk_id LOOP
        EXECUTE format('CREATE TABLE walked (at %s) PARTITION BY RANGE (at)', walk.key);
        IF walk.origin IS NOT NULL THEN
            first := ARRAY[walk.origin, walk.origin + walk.period];
            IF walk.key = 'timestamptz' THEN
                first := ARRAY[timezone(walk.zone, walk.origin), timezone(walk.zone, walk.origin + walk.period)];
            END IF;
            EXECUTE format('CREATE TABLE %I PARTITION OF walked FOR VALUES FROM (%L) TO (%L)', coalesce(to_char(walk.origin, walk.name), 'walked_first'),
                first[1], first[2]);
        END IF;
        clock := walk.begins;
        calls := 0;
        WHILE clock <= walk.ends LOOP
            -- whoever calls has a time zone of his own
            PERFORM set_config('TimeZone', (ARRAY['Pacific/Chatham', 'America/St_Johns', 'Asia/Tokyo'])[calls % 3 + 1], false);
            PERFORM create_future_partitions('walked', walk.ahead, as_of => clock, fill_gaps => walk.step > walk.period,
                period => CASE WHEN calls = 0 AND walk.origin IS NULL THEN walk.period::text END,
                time_zone => CASE WHEN calls = 0 THEN walk.zone END);
            INSERT INTO faults SELECT walk.walk_id, clock, what FROM check_ranges(walk, clock, calls) AS what;
            INSERT INTO faults SELECT walk.walk_id, clock, format('a second call: %s %s', partition_name, status)
              FROM create_future_partitions('walked', walk.ahead, as_of => clock, fill_gaps => walk.step > walk.period) WHERE status <> 'exists';
            clock := clock + walk.step;
            calls := calls + 1;
        END LOOP;

        -- the server itself finds a partition for every instant, or fails
        EXECUTE format('INSERT INTO walked SELECT (at %s)::%s FROM generate_series($1, $2, $3) AS at',
            CASE WHEN walk.key <> 'timestamptz' THEN format('AT TIME ZONE %L', walk.zone) END, walk.key)
          USING walk.begins, walk.ends, (walk.ends - walk.begins) / 100;
        GET DIAGNOSTICS instants = ROW_COUNT;
        EXECUTE format('INSERT INTO faults SELECT $1.walk_id, min(t.at), ''rows in '' || r.partition::regclass FROM (SELECT tableoid, at %s AS at FROM walked) AS t
            JOIN ranges() AS r ON r.partition = t.tableoid WHERE period_of($1, t.at) <> r.range_from GROUP BY r.partition',
            CASE WHEN walk.key <> 'timestamptz' THEN $q$::timestamp AT TIME ZONE 'UTC'$q$ END)
          USING walk;
        SELECT count(*) INTO partitions FROM ranges();
        INSERT INTO done VALUES (walk.walk_id, calls, partitions, instants);
        DROP TABLE walked;
        COMMIT;
    END LOOP;
END $$;

-- the changes of the clocks; where there is none, leap days and ends of years
CREATE TABLE turns (zone text, at timestamptz);
INSERT INTO turns VALUES
    ('Europe/Berlin', '2024-03-31 01:00+00'), ('Europe/Berlin', '2024-10-27 01:00+00'),
    ('America/New_York', '2024-03-10 07:00+00'), ('America/New_York', '2024-11-03 06:00+00'),
    -- half an hour
    ('Australia/Lord_Howe', '2024-04-06 15:00+00'), ('Australia/Lord_Howe', '2024-10-05 15:30+00'),
    -- at midnight: a day without its first hour, and one whose last comes twice
    ('America/Sao_Paulo', '2018-02-18 02:00+00'), ('America/Sao_Paulo', '2018-11-04 03:00+00'),
    -- a quarter of an hour, for good, at the turn of a year
    ('Asia/Kathmandu', '1985-12-31 18:30+00'),
    ('UTC', '2024-02-29 00:00+00'), ('UTC', '2025-12-31 23:59:59.999999+00');

INSERT INTO walks (zone, key, period, unit, begins, ends, step, ahead)
SELECT zone, key, period, unit, at - before, at + before, step, ahead
  FROM turns, (VALUES
    (interval '1 hour', 'elapsed', interval '2 hours', interval '50 minutes', 2),
    ('6 hours', 'elapsed', '13 hours', '5 hours', 1),
    ('1 day', 'day', '2 days', '22 hours 59 minutes', 2),
    ('1 week', 'week', '15 days', '6 days 23 hours', 1),
    ('1 month', 'month', '65 days', '29 days 1 hour', 1)) AS p (period, unit, before, step, ahead),
    unnest('{timestamptz,timestamp,date}'::text[]) AS key
 WHERE key = 'timestamptz' OR (key = 'timestamp' AND period IN ('1 hour', '1 day')) OR (key = 'date' AND period IN ('1 day', '1 week'));
-- where hours of the clock are elapsed ones, both are the same
INSERT INTO walks (zone, key, period, unit, begins, ends, step, ahead)
SELECT zone, 'timestamptz', '1 hour', 'hour', at - interval '2 hours', at + interval '2 hours', '1 hour', 0
  FROM turns WHERE zone NOT IN ('Australia/Lord_Howe', 'Asia/Kathmandu');
-- whole days that somebody calls hours
INSERT INTO walks (zone, key, period, unit, begins, ends, step, ahead)
SELECT zone, key, '24 hours', 'day', at - interval '2 days', at + interval '2 days', '20 hours', 1
  FROM turns, unnest('{timestamptz,timestamp,date}'::text[]) AS key WHERE zone IN ('Europe/Berlin', 'America/Sao_Paulo');
-- leap days, ends of months and years, week 53 of 2020 and of 2026
INSERT INTO walks (zone, key, period, unit, begins, ends, step, ahead)
SELECT zone, key, period, unit, begins, ends, step, ahead
  FROM unnest('{Europe/Berlin,America/New_York,Australia/Lord_Howe,America/Sao_Paulo,Asia/Kathmandu,UTC}'::text[]) AS zone,
    (VALUES
    ('timestamptz', interval '1 day', 'day', timestamptz '2024-02-27 10:00+00', timestamptz '2024-03-02 10:00+00', interval '12 hours', 0),
    ('date', '1 week', 'week', '2020-12-20 12:00+00', '2021-01-12 12:00+00', '3 days', 1),
    ('timestamptz', '7 days', 'week', '2026-12-20 12:00+00', '2027-01-12 12:00+00', '5 days', 2),
    ('timestamptz', '1 month', 'month', '2023-12-31 09:00+00', '2024-03-01 09:00+00', '1 month', 3),
    ('timestamp', '3 months', 'quarter', '2023-06-30 23:00+00', '2025-01-01 01:00+00', '100 days', 1),
    ('timestamptz', '3 months', 'quarter', '2018-06-30 23:00+00', '2020-01-01 01:00+00', '100 days', 1),
    ('timestamptz', '1 year', 'year', '2018-12-31 23:00+00', '2025-01-01 03:00+00', '300 days', 1),
    ('date', '10 years', 'decade', '1969-12-31 23:00+00', '2001-01-01 03:00+00', '5 years', 1),
    -- a clock that was asleep: the gaps are filled
    ('timestamptz', '1 day', 'day', '2019-02-10 12:00+00', '2019-02-24 12:00+00', '7 days', 1)) AS p (key, period, unit, begins, ends, step, ahead);
-- grids that begin elsewhere: the last day of a month, a fiscal year, a week
-- from Sunday or Thursday, a day from six, an even day; found out from one range
INSERT INTO walks (zone, key, period, origin, begins, ends, step, ahead, name)
SELECT zone, key, period, origin, (origin + interval '1 hour') AT TIME ZONE zone, (origin + 6 * period) AT TIME ZONE zone, step, 1, name
  FROM unnest('{Australia/Lord_Howe,America/Sao_Paulo}'::text[]) AS zone,
    (VALUES
    ('timestamptz', interval '1 month', timestamp '2017-10-31', interval '23 days', NULL),
    ('date', '1 month', '2023-12-31', '23 days', NULL),
    ('timestamp', '1 year', '2019-04-06', '250 days', NULL),
    ('timestamptz', '1 week', '2018-10-28', '4 days', NULL),
    ('timestamptz', '1 week', '2018-02-01', '6 days', NULL),
    ('timestamptz', '1 day', '2024-03-28 06:00', '20 hours', NULL),
    ('timestamptz', '1 day', '2024-10-24 12:30', '20 hours', NULL),
    ('timestamptz', '2 days', '2018-10-31', '1 day', NULL),
    ('timestamptz', '1 week', '2020-12-14', '6 days', '"walked_"IYYY"w"IW'),
    ('date', '1 week', '2026-12-14', '6 days', '"walked_"IYYY"w"IW'),
    ('timestamptz', '1 month', '2018-01-01', '29 days', '"walked_p"YYYY_MM'),
    ('timestamptz', '1 day', '2018-11-01', '23 hours', '"walked_"YYYYMMDD')) AS p (key, period, origin, step, name);

CALL walk_clocks();
SELECT * FROM faults ORDER BY walk_id, at, what;
SELECT key, period::text, coalesce(unit, 'from its origin') AS unit, count(*) AS walks, sum(calls) AS calls, sum(partitions) AS partitions, sum(instants) AS instants
  FROM walks JOIN done USING (walk_id) GROUP BY walks.period, 1, 2, 3 ORDER BY walks.period, 2, 1, 3;
