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
CREATE TABLE packed_copied (p dbmaint_packed);
CREATE FUNCTION copy_binary(field bytea) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    message bytea := '\x5047434f50590aff0d0a00' || '\x00000000'::bytea || '\x00000000'::bytea
        || '\x0001'::bytea || int4send(length(field)) || field || '\xffff'::bytea;
    octal text := '';
BEGIN
    FOR i IN 0 .. length(message) - 1 LOOP
        octal := octal || format('\0%s%s%s', get_byte(message, i) >> 6,
                                 get_byte(message, i) >> 3 & 7, get_byte(message, i) & 7);
    END LOOP;
    TRUNCATE packed_copied;
    EXECUTE format('COPY packed_copied FROM PROGRAM %L (FORMAT binary)',
                   format('printf %%b ''%s''', octal));
    RETURN (SELECT p::text FROM packed_copied);
END $$;
SELECT count(*) AS lists, count(*) FILTER (WHERE copy_binary(dbmaint_packed_send(p)) <> a::text) AS changed
FROM packed_random WHERE n % 3 = 0;
-- one that is not in its shortest form is stored in it
SELECT copy_binary('\x01000100') AS zero;
SELECT dbmaint_packed_send(p) AS stored FROM packed_copied;
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
CREATE FUNCTION fuzz_text(rounds int) RETURNS TABLE (only_known_codes boolean, some_refused boolean, some_accepted boolean)
LANGUAGE plpgsql AS $$
DECLARE
    alphabet constant text := '0123456789,{}- +.x' || chr(9) || chr(10);
    base text;
    refused int := 0;
    accepted int := 0;
    unknown int := 0;
BEGIN
    FOR i IN 1 .. rounds LOOP
        base := (SELECT p::text FROM packed_random WHERE n = i % 301);
        FOR j IN 0 .. floor(random() * 3)::int LOOP
            base := overlay(base PLACING substr(alphabet, 1 + floor(random() * length(alphabet))::int,
                                                floor(random() * 3)::int)
                            FROM 1 + floor(random() * length(base))::int
                            FOR floor(random() * 2)::int);
        END LOOP;
        BEGIN
            IF base::dbmaint_packed::text::dbmaint_packed::text IS DISTINCT FROM base::dbmaint_packed::text THEN
                unknown := unknown + 1;
            END IF;
            accepted := accepted + 1;
        EXCEPTION
            WHEN invalid_text_representation THEN
                refused := refused + 1;
            WHEN OTHERS THEN
                RAISE WARNING '% for "%"', SQLSTATE, base;
                unknown := unknown + 1;
        END;
    END LOOP;
    RETURN QUERY SELECT unknown = 0, refused > 0, accepted > 0;
END $$;
SELECT * FROM fuzz_text(5000);

-- Stored bytes are never trusted: each reader takes any content and ends in a
-- value or in data_corrupted.  The cast stands in for a damaged page.
CREATE CAST (bytea AS dbmaint_packed) WITHOUT FUNCTION;
SELECT '\x'::bytea::dbmaint_packed;
SELECT dbmaint_packed_nth('\x010002018080'::bytea::dbmaint_packed, 2);
CREATE FUNCTION fuzz_stored(rounds int) RETURNS TABLE (only_known_codes boolean, some_refused boolean, some_accepted boolean)
LANGUAGE plpgsql AS $$
DECLARE
    bytes bytea;
    list dbmaint_packed;
    refused int := 0;
    accepted int := 0;
    unknown int := 0;
BEGIN
    FOR i IN 1 .. rounds LOOP
        bytes := (SELECT dbmaint_packed_send(p) FROM packed_random WHERE n = i % 301);
        FOR j IN 0 .. floor(random() * 3)::int LOOP
            bytes := set_byte(bytes, floor(random() * length(bytes))::int, floor(random() * 256)::int);
        END LOOP;
        bytes := substr(bytes, 1, greatest(0, length(bytes) - greatest(0, floor(random() * 6)::int - 3)));
        list := bytes::dbmaint_packed;
        BEGIN
            IF dbmaint_packed_nth(list, (random() * 50)::int) IS NULL
               AND dbmaint_packed_count(list) < 0
               OR dbmaint_packed_position(list, (random() * 50)::int) < 1 THEN
                unknown := unknown + 1;
            END IF;
            -- a small damage may make a long list of zeroes
            IF dbmaint_packed_count(list) > 100000 THEN
                CONTINUE;
            END IF;
            IF list::text::dbmaint_packed::text <> list::text
               OR length(dbmaint_packed_send(list)) > length(bytes)
               OR list::bigint[]::text <> list::text
               OR (SELECT count(*) FROM dbmaint_unpack(list)) <> dbmaint_packed_count(list) THEN
                unknown := unknown + 1;
            END IF;
            accepted := accepted + 1;
        EXCEPTION
            WHEN data_corrupted THEN
                refused := refused + 1;
            WHEN OTHERS THEN
                RAISE WARNING '% for "%"', SQLSTATE, bytes;
                unknown := unknown + 1;
        END;
    END LOOP;
    RETURN QUERY SELECT unknown = 0, refused > 0, accepted > 0;
END $$;
SELECT * FROM fuzz_stored(5000);
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

DROP TABLE packed_random, packed_copied, packed_large;
DROP FUNCTION copy_binary(bytea), fuzz_text(int), fuzz_stored(int);
