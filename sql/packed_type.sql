-- Pins the type dbmaint_packed: its text and binary forms, what it refuses,
-- its casts and its functions.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dbmaint;
RESET client_min_messages;

-- Text form
SELECT '{}'::dbmaint_packed AS empty, ' { 1 , +2,-3,007 } '::dbmaint_packed AS blanks,
       '{-9223372036854775808,0,9223372036854775807}'::dbmaint_packed AS extremes;
SELECT ''::dbmaint_packed;
SELECT '{'::dbmaint_packed;
SELECT '{1,}'::dbmaint_packed;
SELECT '{1 2}'::dbmaint_packed;
SELECT '{1}2'::dbmaint_packed;
SELECT '{NULL}'::dbmaint_packed;
SELECT '{1.5}'::dbmaint_packed;
SELECT '{{1}}'::dbmaint_packed;
SELECT '{9223372036854775808}'::dbmaint_packed;
SELECT '{-9223372036854775809}'::dbmaint_packed;
SELECT '{99999999999999999999999}'::dbmaint_packed;

-- Casts
SELECT '{1,2,-3}'::bigint[]::dbmaint_packed AS packed, '{1,2,-3}'::dbmaint_packed::bigint[] AS plain,
       '{}'::bigint[]::dbmaint_packed AS empty, '{}'::dbmaint_packed::bigint[] AS empty_plain,
       NULL::bigint[]::dbmaint_packed AS unknown;
SELECT '{{1,2},{3,4}}'::bigint[]::dbmaint_packed;
SELECT '{1,NULL}'::bigint[]::dbmaint_packed;
SELECT '[5:6]={1,2}'::bigint[]::dbmaint_packed AS other_bounds;
SELECT array_fill(0::bigint, ARRAY[4194304 + 1])::dbmaint_packed;

-- Functions
SELECT * FROM dbmaint_unpack('{7,0,-7}') WITH ORDINALITY AS u (value, n);
SELECT dbmaint_unpack('{3,4}');
SELECT count(*) FROM dbmaint_unpack(NULL);
SELECT dbmaint_packed_count('{}') AS empty, dbmaint_packed_count('{0,0,5,0}') AS four,
       dbmaint_packed_count(NULL) IS NULL AS unknown;
SELECT n, dbmaint_packed_nth('{5,0,-6,0}', n) AS sparse, dbmaint_packed_nth('{10,11,12,13}', n) AS ascending,
       dbmaint_packed_nth('{9,8,200,7}', n) AS plain, dbmaint_packed_nth('{}', n) AS empty,
       dbmaint_packed_nth(NULL, n) AS column_of_zeroes
FROM unnest(ARRAY[-2147483648, -1, 0, 1, 2, 3, 4, 5, 2147483647, NULL]) AS n;
SELECT v, dbmaint_packed_position('{5,0,-6,0}', v) AS sparse, dbmaint_packed_position('{10,11,11,13}', v) AS ascending,
       dbmaint_packed_position('{}', v) AS empty, dbmaint_packed_position(NULL, v) AS unknown
FROM unnest(ARRAY[-9223372036854775808, -6, 0, 5, 10, 11, 12, 13, 14, NULL]) AS v;

-- The binary form: the shortest of three
SELECT dbmaint_packed_send('{}') AS empty, dbmaint_packed_send('{0,0,0}') AS zeroes,
       dbmaint_packed_send('{1,2,300}') AS plain, dbmaint_packed_send('{1000,1001,1002}') AS ascending,
       dbmaint_packed_send('{0,0,0,300,0,0}') AS sparse, dbmaint_packed_send('{1,-1,64}') AS negative;
SELECT pg_column_size(array_fill(0::bigint, ARRAY[4194304])::dbmaint_packed) AS most_zeroes;

-- Random lists of every kind go through text, arrays and the functions
-- unchanged; through the binary form by way of COPY.
SELECT setseed(0.42);
CREATE TABLE packed_random AS
SELECT n, a, a::dbmaint_packed AS p
FROM (SELECT n, coalesce(array_agg(CASE n % 5
                 WHEN 0 THEN (random() * 10 ^ width)::bigint
                 WHEN 1 THEN CASE WHEN random() < 0.1 THEN (random() * 10 ^ width)::bigint ELSE 0 END
                 WHEN 2 THEN 10 ^ width * i
                 WHEN 3 THEN ((random() - 0.5) * 10 ^ width)::bigint
                 ELSE -n END::bigint ORDER BY i) FILTER (WHERE i > 0), '{}') AS a
      FROM (SELECT n, (random() * 15)::int AS width, (n * 7) % 61 AS length FROM generate_series(0, 300) AS n) AS w,
           generate_series(0, length) AS i
      GROUP BY n) AS g;
SELECT count(*) AS lists,
       count(*) FILTER (WHERE p::text <> a::text OR p::text::dbmaint_packed::bigint[] <> a) AS text_changed,
       count(*) FILTER (WHERE p::bigint[] <> a OR dbmaint_packed_count(p) <> cardinality(a)) AS array_changed,
       count(*) FILTER (WHERE ARRAY(SELECT dbmaint_unpack(p)) <> a) AS rows_changed,
       count(*) FILTER (WHERE ARRAY(SELECT dbmaint_packed_nth(p, i) FROM generate_series(1, cardinality(a)) AS i) <> a) AS nth_changed,
       count(*) FILTER (WHERE EXISTS (SELECT FROM unnest(a) AS v WHERE dbmaint_packed_position(p, v) <> array_position(a, v))) AS position_changed,
       count(*) FILTER (WHERE dbmaint_packed_position(p, 4611686018427387904) IS NOT NULL) AS found_nothing
FROM packed_random;
CREATE TABLE copied (v dbmaint_packed);
\set ECHO none
\i sql/lib/damage.sql
\set ECHO all
SELECT count(*) AS lists, count(*) FILTER (WHERE copy_binary(dbmaint_packed_send(p)) <> a::text) AS changed
FROM packed_random WHERE n % 3 = 0;
-- one that is not in its shortest form is stored in it
SELECT copy_binary('\x01000100') AS zero;
SELECT dbmaint_packed_send(v) AS stored FROM copied;
\set VERBOSITY terse
SELECT copy_binary('');
SELECT copy_binary('\x01');
SELECT copy_binary('\x020000');
SELECT copy_binary('\x010300');
SELECT copy_binary('\x010000ff');
SELECT copy_binary('\x010005010203');
SELECT copy_binary('\x0100ffffffff7f01');
SELECT copy_binary('\x0102ffffff7f');
SELECT copy_binary('\x010001ffffffffffffffffff01');
SELECT copy_binary('\x010001ffffffffffffffffff02');
SELECT copy_binary('\x0100018000');
SELECT copy_binary('\x010102ffffffffffffffff7f01');
SELECT copy_binary('\x0102020205');
SELECT copy_binary('\x0102020000');
\set VERBOSITY default

-- Mutated text ends in a list or in one error code.
SELECT * FROM fuzz(5000,
    $$SELECT damaged(p::text, E'0123456789,{}- +.x\t\n') FROM packed_random WHERE n = $1 % 301$$,
    $$SELECT p::text::dbmaint_packed::text <> p::text FROM (SELECT $1::dbmaint_packed AS p) AS d$$,
    -- invalid_text_representation
    '{22P02}');

-- Stored bytes are never trusted: each reader takes any content and ends in a
-- value or in data_corrupted.  The cast stands in for a damaged page.
CREATE CAST (bytea AS dbmaint_packed) WITHOUT FUNCTION;
SELECT '\x'::bytea::dbmaint_packed;
SELECT dbmaint_packed_nth('\x010002018080'::bytea::dbmaint_packed, 2);
SELECT * FROM fuzz(5000,
    $$SELECT damaged(dbmaint_packed_send(p)) FROM packed_random WHERE n = $1 % 301$$,
    $$SELECT dbmaint_packed_nth(p, (random() * 50)::int) IS NULL AND dbmaint_packed_count(p) < 0
             OR dbmaint_packed_position(p, (random() * 50)::int) < 1
             -- a small damage may make a long list of zeroes
             OR CASE WHEN dbmaint_packed_count(p) <= 100000
                     THEN p::text::dbmaint_packed::text <> p::text
                          OR length(dbmaint_packed_send(p)) > length($1::bytea)
                          OR p::bigint[]::text <> p::text
                          OR (SELECT count(*) FROM dbmaint_unpack(p)) <> dbmaint_packed_count(p) END
        FROM (SELECT $1::bytea::dbmaint_packed AS p) AS d$$,
    -- data_corrupted
    '{XX001}');
DROP CAST (bytea AS dbmaint_packed);

-- A large list survives being stored out of line, compressed or not.
CREATE TABLE packed_large AS
SELECT array_agg(i * 7919 % 100003 ORDER BY i)::dbmaint_packed AS p FROM generate_series(1, 50000::bigint) AS i;
ALTER TABLE packed_large ALTER p SET STORAGE external;
INSERT INTO packed_large SELECT p FROM packed_large;
SELECT count(*) AS rows, count(DISTINCT p::text) AS values, min(dbmaint_packed_nth(p, 50000)) AS last,
       min(dbmaint_packed_position(p, 50000 * 7919 % 100003)) AS position,
       bool_and((SELECT sum(v) FROM dbmaint_unpack(p) AS v) = (SELECT sum(i * 7919 % 100003) FROM generate_series(1, 50000::bigint) AS i)) AS same_sum
FROM packed_large;

-- Everything carries a comment.
SELECT p.oid::regprocedure AS uncommented
FROM pg_proc AS p
WHERE p.proname ~ '^dbmaint_(packed|unpack)' AND obj_description(p.oid, 'pg_proc') IS NULL;
SELECT obj_description('dbmaint_packed'::regtype, 'pg_type') IS NOT NULL AS type_commented,
       (SELECT count(*) FROM pg_cast AS c
         WHERE 'dbmaint_packed'::regtype IN (castsource, casttarget)
           AND obj_description(c.oid, 'pg_cast') IS NOT NULL) AS casts_commented;

DROP TABLE packed_random, packed_large, copied;
DROP FUNCTION copy_binary(bytea), damaged(text, text), damaged(bytea), fuzz(int, text, text, text[]);
