-- Pins the type dbmaint_histogram: its text and binary forms, what it refuses,
-- its functions and its aggregates.
SET extra_float_digits = 1;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dbmaint;
RESET client_min_messages;

-- Text form
SELECT '1|'::dbmaint_histogram;
SELECT '1|40:3,41:7,1024:2'::dbmaint_histogram;
SELECT '1|0:1,4261412864:9223372036854775806'::dbmaint_histogram;
SELECT ''::dbmaint_histogram;
SELECT '3|40:3'::dbmaint_histogram;
SELECT '2|65:3'::dbmaint_histogram;
SELECT '1|40:3,'::dbmaint_histogram;
SELECT '1|40:3 '::dbmaint_histogram;
SELECT '1|40:-3'::dbmaint_histogram;
SELECT '1|129:1'::dbmaint_histogram;
SELECT '1|4294967296:1'::dbmaint_histogram;
SELECT '1|41:1,40:1'::dbmaint_histogram;
SELECT '1|40:0'::dbmaint_histogram;
SELECT '1|40:9223372036854775808'::dbmaint_histogram;
SELECT '1|40:1,41:9223372036854775807'::dbmaint_histogram;

-- Functions
SELECT dbmaint_percentile('1|', 0.5) IS NULL AS empty,
       dbmaint_percentile(NULL, 0.5) IS NULL AS unknown,
       dbmaint_percentile('1|40:3', NULL) IS NULL AS unknown_fraction;
SELECT f AS fraction, dbmaint_percentile('1|40:3,41:6,1024:1', f) AS ms
FROM unnest(ARRAY[0, 0.3, 0.300001, 0.9, 0.95, 1]::float8[]) AS f;
SELECT dbmaint_percentile('1|0:1', 1) AS least,
       dbmaint_percentile('1|127:1', 1) AS last_exact,
       dbmaint_percentile('1|128:1', 1) AS first_of_two,
       dbmaint_percentile('1|4261412864:1', 1) AS last_bucket;
SELECT dbmaint_percentile('1|40:3', -0.1);
SELECT dbmaint_percentile('1|40:3', 95);
SELECT dbmaint_percentile('1|40:3', 'NaN');
SELECT dbmaint_histogram_count('1|') AS empty,
       dbmaint_histogram_count('1|40:3,1024:2') AS five,
       dbmaint_histogram_count('1|40:1,41:9223372036854775806') AS most;
SELECT ms, dbmaint_histogram_count_above('1|40:3,41:7,1024:2', ms)
FROM unnest(ARRAY['-1', 0, 0.04, 0.0405, 0.041, 0.0411, 1.024, 1.039, 1.04, 1e30, 'Infinity']::float8[]) AS ms;
SELECT dbmaint_histogram_count_above('1|40:3', 'NaN');

-- Aggregates
SELECT dbmaint_histogram_agg(ms) AS agg
FROM unnest(ARRAY[0, 0.0404, 0.0406, NULL, 1.03, 1e9]::float8[]) AS ms;
SELECT dbmaint_histogram_agg(NULL) IS NULL AS no_values,
       dbmaint_histogram_merge(NULL) IS NULL AS no_histograms;
SELECT dbmaint_histogram_agg(-0.001);
SELECT dbmaint_histogram_agg('NaN');
SELECT dbmaint_histogram_agg('Infinity');
SELECT dbmaint_histogram_merge(h)
FROM (VALUES ('1|40:3,41:7'::dbmaint_histogram), (NULL), ('1|'), ('1|0:1,41:1,1024:2')) AS v (h);
SELECT dbmaint_histogram_merge(h)
FROM (VALUES ('1|'::dbmaint_histogram), (NULL)) AS v (h);
SELECT n, dbmaint_histogram_merge(h) OVER (ORDER BY n)
FROM (VALUES (1, '1|40:3'::dbmaint_histogram), (2, '1|41:1'), (3, '1|40:1')) AS v (n, h);
SELECT dbmaint_histogram_merge(h)
FROM (VALUES ('1|40:9223372036854775807'::dbmaint_histogram), ('1|41:1')) AS v (h);
SELECT dbmaint_histogram_merge(h)
FROM (SELECT '1|40:9223372036854775807'::dbmaint_histogram AS h FROM generate_series(1, 4)) AS v;

-- Percentiles of random durations lie within 1/64 of the exact ones, merging
-- parts gives what building from all values gives, and so does a parallel plan.
SELECT setseed(0.42);
CREATE TABLE histogram_values AS
SELECT n % 7 AS part, round((exp(random() * 16) / 1000)::numeric, 3)::float8 AS ms
FROM generate_series(1, 20000) AS n;
SELECT count(*) AS fractions,
       count(*) FILTER (WHERE abs(approximate - exact) > exact / 64 + 1e-9) AS outside
FROM (SELECT f,
             (SELECT dbmaint_percentile(dbmaint_histogram_agg(ms), f) FROM histogram_values) AS approximate,
             (SELECT percentile_disc(f) WITHIN GROUP (ORDER BY ms) FROM histogram_values) AS exact
      FROM unnest(ARRAY[0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1]::float8[]) AS f) AS p;
SELECT bool_and(dbmaint_histogram_count_above(h, t) >= exact
                AND dbmaint_histogram_count_above(h, t * 65 / 64) <= exact) AS counts_above_agree
FROM (SELECT t, (SELECT dbmaint_histogram_agg(ms) FROM histogram_values) AS h,
             (SELECT count(*) FROM histogram_values WHERE ms >= t) AS exact
      FROM unnest(ARRAY[0.064, 0.5, 1, 10, 100, 1000, 8000]::float8[]) AS t) AS c;
SELECT (SELECT dbmaint_histogram_merge(h)::text
        FROM (SELECT dbmaint_histogram_agg(ms) AS h FROM histogram_values GROUP BY part) AS parts)
     = (SELECT dbmaint_histogram_agg(ms)::text FROM histogram_values) AS merged_same;
CREATE TABLE histogram_parts AS
SELECT n, dbmaint_histogram_agg(ms) AS h
FROM histogram_values, generate_series(1, 100) AS n WHERE part = n % 7 GROUP BY n;
CREATE TABLE histogram_serial AS
SELECT (SELECT dbmaint_histogram_agg(ms)::text FROM histogram_values) AS agg,
       (SELECT dbmaint_histogram_merge(h)::text FROM histogram_parts) AS merge;
BEGIN;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
CREATE FUNCTION pg_temp.plan_is_parallel(query text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        IF line ~ 'Partial Aggregate' THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END $$;
SELECT pg_temp.plan_is_parallel('SELECT dbmaint_histogram_agg(ms) FROM histogram_values') AS agg,
       pg_temp.plan_is_parallel('SELECT dbmaint_histogram_merge(h) FROM histogram_parts') AS merge;
SELECT dbmaint_histogram_agg(ms)::text = (SELECT agg FROM histogram_serial) AS agg_same
FROM histogram_values;
SELECT dbmaint_histogram_merge(h)::text = (SELECT merge FROM histogram_serial) AS merge_same
FROM histogram_parts;
ROLLBACK;

-- Round trip of random histograms through text, and through the binary form by
-- way of COPY.
CREATE TABLE histogram_random (n int, h dbmaint_histogram);
CREATE TABLE copied (v dbmaint_histogram);
\set ECHO none
\i sql/lib/damage.sql
\set ECHO all
INSERT INTO histogram_random
SELECT n, (SELECT dbmaint_histogram_agg(exp(random() * width + value * 0) / 1000)
           FROM generate_series(1, n % 40) AS value)
FROM (SELECT n, random() * 22 AS width FROM generate_series(0, 200) AS n) AS w;
INSERT INTO histogram_random VALUES
    (201, '1|'), (202, '1|4261412864:9223372036854775807'),
    (203, '1|0:1,63:127,64:128,127:16384,128:2097152,4194304:281474976710656');
SELECT count(*) AS histograms, count(*) FILTER (WHERE h::text::dbmaint_histogram::text <> h::text) AS changed
FROM histogram_random WHERE h IS NOT NULL;
SELECT count(*) AS histograms, count(*) FILTER (WHERE copy_binary(dbmaint_histogram_send(h)) <> h::text) AS changed
FROM histogram_random WHERE h IS NOT NULL;
\set VERBOSITY terse
SELECT copy_binary('');
SELECT copy_binary('\x03');
SELECT copy_binary('\x0200');
SELECT copy_binary('\x02ffff');
SELECT copy_binary('\x0100');
SELECT copy_binary('\x010080');
SELECT copy_binary('\x010000');
SELECT copy_binary('\x01008100');
SELECT copy_binary('\x01c00d01');
SELECT copy_binary('\x0100ffffffffffffffffff01');
SELECT copy_binary('\x0100ffffffffffffffff7f0001');
\set VERBOSITY default
SELECT dbmaint_histogram_send('1|') AS empty,
       dbmaint_histogram_send('1|0:1,1:127,3:128,4261412864:1') AS some;

-- Mutated text ends in a histogram or in one of the two error codes.
SELECT * FROM fuzz(5000,
    $$SELECT damaged(coalesce(h::text, '1|'), E'0123456789:,|1: -+.x\t\n') FROM histogram_random WHERE n = $1 % 204$$,
    $$SELECT h::text::dbmaint_histogram::text <> h::text OR dbmaint_histogram_count(h) < 0
        FROM (SELECT $1::dbmaint_histogram AS h) AS d$$,
    -- invalid_text_representation, numeric_value_out_of_range
    '{22P02,22003}');

-- Stored bytes are never trusted: each reader takes any content and ends in a
-- value or in data_corrupted.  The cast stands in for a damaged page.
CREATE CAST (bytea AS dbmaint_histogram) WITHOUT FUNCTION;
SELECT '\x'::bytea::dbmaint_histogram;
SELECT dbmaint_percentile('\x010080'::bytea::dbmaint_histogram, 0.5);
SELECT * FROM fuzz(5000,
    $$SELECT damaged(dbmaint_histogram_send(coalesce(h, '1|'))) FROM histogram_random WHERE n = $1 % 204$$,
    $$SELECT dbmaint_histogram_send(h) <> $1::bytea
             OR h::text::dbmaint_histogram::text <> h::text
             OR dbmaint_histogram_count(h) < 0
             OR dbmaint_percentile(h, random()) < 0
             OR dbmaint_histogram_count_above(h, random()) < 0
             OR (SELECT dbmaint_histogram_merge(v) FROM (VALUES (h)) AS m(v)) IS NULL
        FROM (SELECT $1::bytea::dbmaint_histogram AS h) AS d$$,
    -- data_corrupted
    '{XX001}');
DROP CAST (bytea AS dbmaint_histogram);

-- A large histogram survives being stored out of line and compressed.
CREATE TABLE histogram_large AS
SELECT dbmaint_histogram_merge(format('1|%s:%s', us, 1 + us * 1000003)::dbmaint_histogram) AS h
FROM (SELECT (64 + m) * (2 ^ e)::bigint AS us FROM generate_series(0, 25) AS e, generate_series(0, 63) AS m) AS b;
ALTER TABLE histogram_large ALTER h SET STORAGE external;
INSERT INTO histogram_large SELECT h FROM histogram_large;
SELECT count(*) AS rows, count(DISTINCT h::text) AS values,
       bool_and(dbmaint_histogram_count(h) = (SELECT sum(1 + (64 + m) * (2 ^ e)::bigint * 1000003)
                                              FROM generate_series(0, 25) AS e, generate_series(0, 63) AS m)) AS same_count
FROM histogram_large;

-- Everything carries a comment.
SELECT p.oid::regprocedure AS uncommented
FROM pg_proc AS p
WHERE p.proname ~ '^dbmaint_(histogram|percentile)' AND obj_description(p.oid, 'pg_proc') IS NULL;
SELECT obj_description('dbmaint_histogram'::regtype, 'pg_type') IS NOT NULL AS type_commented;

-- coarse histograms: the same values, fewer buckets, percentiles within 2 %
SELECT dbmaint_histogram_coarse('1|'), dbmaint_histogram_coarse('1|40:3,65:1,127:2,154:1,4194304:7'), '2|'::dbmaint_histogram;
SELECT h, h::text::dbmaint_histogram::text = h::text AS text, dbmaint_histogram_count(h) AS n,
       dbmaint_percentile(h, 0) AS p0, dbmaint_percentile(h, 0.5) AS p50, dbmaint_percentile(h, 1) AS p100, dbmaint_histogram_count_above(h, 0.127) AS above
  FROM (VALUES ('2|40:3,64:1,124:2,152:1'::dbmaint_histogram), ('2|4160749568:9223372036854775807')) AS v(h);
SELECT dbmaint_histogram_coarse(dbmaint_histogram_coarse('1|65:1')) AS twice;
-- merged with others it makes them coarse, in every order and in parallel
SELECT dbmaint_histogram_merge(h ORDER BY place), dbmaint_histogram_merge(h ORDER BY place DESC)
  FROM (VALUES (1, '1|65:1,67:2'::dbmaint_histogram), (2, '2|64:1'), (3, NULL), (4, '1|64:5')) AS v(place, h);
CREATE TABLE both_kinds AS
SELECT i, CASE WHEN i % 2 = 0 THEN h ELSE dbmaint_histogram_coarse(h) END AS h, h AS fine
  FROM (SELECT i, dbmaint_histogram_agg(exp((i * j * j % 1009)::float8 / 80)) AS h FROM generate_series(1, 400) AS i, generate_series(1, 50) AS j GROUP BY i) AS f;
SELECT max(abs(dbmaint_percentile(dbmaint_histogram_coarse(fine), f) / dbmaint_percentile(fine, f) - 1)) < 0.0282 AS near,
       bool_and(dbmaint_histogram_count(dbmaint_histogram_coarse(fine)) = dbmaint_histogram_count(fine)) AS whole,
       bool_and(dbmaint_histogram_send(dbmaint_histogram_coarse(fine)) = dbmaint_histogram_send(dbmaint_histogram_coarse(fine)::text::dbmaint_histogram)) AS one_form
  FROM both_kinds, unnest(ARRAY[0.0, 0.3, 0.5, 0.95, 0.99, 1.0]) AS f;
SELECT dbmaint_histogram_merge(h)::text = dbmaint_histogram_coarse(dbmaint_histogram_merge(fine))::text AS merged FROM both_kinds;
ALTER TABLE both_kinds SET (parallel_workers = 2);
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT dbmaint_histogram_merge(h)::text = dbmaint_histogram_coarse(dbmaint_histogram_merge(fine))::text AS merged FROM both_kinds;
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;
DROP TABLE both_kinds;
DROP TABLE histogram_values, histogram_parts, histogram_serial, histogram_random, histogram_large, copied;
DROP FUNCTION copy_binary(bytea), damaged(text, text), damaged(bytea), fuzz(int, text, text, text[]);
