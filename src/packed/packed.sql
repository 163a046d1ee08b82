-- Packed lists: the type of a snapshot's columns.  A snapshot is one row whose
-- columns are lists of the same length; dbmaint_packed keeps the small numbers,
-- the zeroes and the ascending keys of such lists in a few bytes.

CREATE TYPE dbmaint_packed;

CREATE FUNCTION dbmaint_packed_in(cstring)
RETURNS dbmaint_packed
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_packed_in';
COMMENT ON FUNCTION dbmaint_packed_in(cstring) IS
'Reads the text form of a dbmaint_packed.';

CREATE FUNCTION dbmaint_packed_out(dbmaint_packed)
RETURNS cstring
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_packed_out';
COMMENT ON FUNCTION dbmaint_packed_out(dbmaint_packed) IS
'Writes the text form of a dbmaint_packed.';

CREATE FUNCTION dbmaint_packed_recv(internal)
RETURNS dbmaint_packed
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_packed_recv';
COMMENT ON FUNCTION dbmaint_packed_recv(internal) IS
'Reads the binary form of a dbmaint_packed.';

CREATE FUNCTION dbmaint_packed_send(dbmaint_packed)
RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_packed_send';
COMMENT ON FUNCTION dbmaint_packed_send(dbmaint_packed) IS
'Writes the binary form of a dbmaint_packed: a version byte, a byte for the form (0 the values, 1 the differences of ascending ones, 2 gaps of zeroes and the values between them; plus 128 where some value is negative and all are zigzag numbers), the count, and the form''s numbers, as LEB128 numbers.';

CREATE TYPE dbmaint_packed (
    INPUT = dbmaint_packed_in,
    OUTPUT = dbmaint_packed_out,
    RECEIVE = dbmaint_packed_recv,
    SEND = dbmaint_packed_send,
    INTERNALLENGTH = VARIABLE,
    STORAGE = extended
);
COMMENT ON TYPE dbmaint_packed IS
'A list of whole numbers of a bigint''s range, at most 4,194,304 of them, stored in few bytes where they are small, mostly zero, or ascending; written as an array of bigint is, without NULLs.';

CREATE FUNCTION dbmaint_packed(numbers bigint[])
RETURNS dbmaint_packed
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_packed_from_array';
COMMENT ON FUNCTION dbmaint_packed(bigint[]) IS
'Packs an array of one dimension and without NULLs; also as a cast.';
CREATE CAST (bigint[] AS dbmaint_packed)
    WITH FUNCTION dbmaint_packed(bigint[]) AS ASSIGNMENT;
COMMENT ON CAST (bigint[] AS dbmaint_packed) IS
'Packs an array of one dimension and without NULLs.';

CREATE FUNCTION dbmaint_packed_array(list dbmaint_packed)
RETURNS bigint[]
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_packed_to_array';
COMMENT ON FUNCTION dbmaint_packed_array(dbmaint_packed) IS
'Returns the values of a list as an array; also as a cast.';
CREATE CAST (dbmaint_packed AS bigint[])
    WITH FUNCTION dbmaint_packed_array(dbmaint_packed) AS ASSIGNMENT;
COMMENT ON CAST (dbmaint_packed AS bigint[]) IS
'The values of a list as an array.';

CREATE FUNCTION dbmaint_unpack(list dbmaint_packed)
RETURNS SETOF bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 1000
AS 'MODULE_PATHNAME', 'dbmaint_unpack';
COMMENT ON FUNCTION dbmaint_unpack(dbmaint_packed) IS
'Returns the values of a list as rows, in their order; no rows for NULL. WITH ORDINALITY gives their positions.';

CREATE FUNCTION dbmaint_packed_count(list dbmaint_packed)
RETURNS int
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_packed_count';
COMMENT ON FUNCTION dbmaint_packed_count(dbmaint_packed) IS
'Returns how many values a list has; NULL for NULL.';

CREATE FUNCTION dbmaint_packed_nth(list dbmaint_packed, n int)
RETURNS bigint
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_packed_nth';
COMMENT ON FUNCTION dbmaint_packed_nth(dbmaint_packed, int) IS
'Returns the value at a position from 1 on; NULL where the list has no such position or the position is NULL. Of a NULL list it is 0, since a column of a snapshot whose values are all 0 is stored as NULL.';

CREATE FUNCTION dbmaint_packed_position(list dbmaint_packed, value bigint)
RETURNS int
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_packed_position';
COMMENT ON FUNCTION dbmaint_packed_position(dbmaint_packed, bigint) IS
'Returns the first position, from 1 on, of a value in a list; NULL where it does not occur. In a list that is stored as ascending it looks no further than the value.';

CREATE FUNCTION dbmaint_packed_total_transition(state internal, keys dbmaint_packed,
    sums dbmaint_packed[], lasts dbmaint_packed[])
RETURNS internal
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT
AS 'MODULE_PATHNAME', 'dbmaint_packed_total_transition';
COMMENT ON FUNCTION dbmaint_packed_total_transition(internal, dbmaint_packed, dbmaint_packed[], dbmaint_packed[]) IS
'Transition function of dbmaint_packed_total.';

CREATE FUNCTION dbmaint_packed_total_final(state internal)
RETURNS dbmaint_packed[]
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT
AS 'MODULE_PATHNAME', 'dbmaint_packed_total_final';
COMMENT ON FUNCTION dbmaint_packed_total_final(internal) IS
'Final function of dbmaint_packed_total.';

CREATE AGGREGATE dbmaint_packed_total(keys dbmaint_packed, sums dbmaint_packed[], lasts dbmaint_packed[]) (
    SFUNC = dbmaint_packed_total_transition,
    STYPE = internal,
    SSPACE = 1000000,
    FINALFUNC = dbmaint_packed_total_final
);
COMMENT ON AGGREGATE dbmaint_packed_total(dbmaint_packed, dbmaint_packed[], dbmaint_packed[]) IS
'Adds lists up by key: each row has a list of keys (from 0 to 2147483647) and, in their order, lists whose values are added (at most to the ends of a bigint) and lists of which the last row''s value counts; NULL is a list of zeroes. The result is the ascending list of all keys, then those of the totals in the order of the arguments; NULL without rows.';
