-- Latency: the histogram type.  A histogram keeps counts of durations by
-- bucket, so that percentiles can be taken over any set of samples merged,
-- which no average or stored percentile allows.

CREATE TYPE dbmaint_histogram;

CREATE FUNCTION dbmaint_histogram_in(cstring)
RETURNS dbmaint_histogram
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_histogram_in';
COMMENT ON FUNCTION dbmaint_histogram_in(cstring) IS
'Reads the text form of a dbmaint_histogram.';

CREATE FUNCTION dbmaint_histogram_out(dbmaint_histogram)
RETURNS cstring
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_histogram_out';
COMMENT ON FUNCTION dbmaint_histogram_out(dbmaint_histogram) IS
'Writes the text form of a dbmaint_histogram.';

CREATE FUNCTION dbmaint_histogram_recv(internal)
RETURNS dbmaint_histogram
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_histogram_recv';
COMMENT ON FUNCTION dbmaint_histogram_recv(internal) IS
'Reads the binary form of a dbmaint_histogram.';

CREATE FUNCTION dbmaint_histogram_send(dbmaint_histogram)
RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_histogram_send';
COMMENT ON FUNCTION dbmaint_histogram_send(dbmaint_histogram) IS
'Writes the binary form of a dbmaint_histogram: a version byte; in version 1 for each bucket in use the number of unused buckets before it and its count, as LEB128 numbers; in version 2, which is coarse, a bit stream of adaptive Rice codes (src/latency/coarse_histogram.c).';

CREATE TYPE dbmaint_histogram (
    INPUT = dbmaint_histogram_in,
    OUTPUT = dbmaint_histogram_out,
    RECEIVE = dbmaint_histogram_recv,
    SEND = dbmaint_histogram_send,
    INTERNALLENGTH = VARIABLE,
    STORAGE = extended
);
COMMENT ON TYPE dbmaint_histogram IS
'Counts of durations by bucket, each at most 1/64 wider than its lower bound (1/25 in a coarse one), from 1 microsecond to 71 minutes; written as version (1, or 2 for a coarse one), bar, then lower_bound_us:count of each bucket in use.';

CREATE FUNCTION dbmaint_percentile(histogram dbmaint_histogram, fraction float8)
RETURNS float8
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_percentile';
COMMENT ON FUNCTION dbmaint_percentile(dbmaint_histogram, float8) IS
'Returns the percentile at a fraction from 0 to 1 (0.95 for the 95th) by nearest rank, in milliseconds and within 1/128 of the true value, of a coarse histogram within 2 %; null for a histogram without values.';

CREATE FUNCTION dbmaint_histogram_count(histogram dbmaint_histogram)
RETURNS bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_histogram_count';
COMMENT ON FUNCTION dbmaint_histogram_count(dbmaint_histogram) IS
'Returns how many values a histogram holds.';

CREATE FUNCTION dbmaint_histogram_count_above(histogram dbmaint_histogram, ms float8)
RETURNS bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_histogram_count_above';
COMMENT ON FUNCTION dbmaint_histogram_count_above(dbmaint_histogram, float8) IS
'Returns how many values are not below a number of milliseconds; the bucket that holds the threshold, at most 1/64 wide (1/25 in a coarse histogram), counts as a whole.';

CREATE FUNCTION dbmaint_histogram_coarse(histogram dbmaint_histogram)
RETURNS dbmaint_histogram
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_histogram_coarse';
COMMENT ON FUNCTION dbmaint_histogram_coarse(dbmaint_histogram) IS
'Returns a histogram of the same values with a third of the buckets, stored in a fifth of the bytes: percentiles of it are within 2 %. Merged with others the result is coarse.';

CREATE FUNCTION dbmaint_histogram_merge_transition(state internal, histogram dbmaint_histogram)
RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_histogram_merge_transition';
COMMENT ON FUNCTION dbmaint_histogram_merge_transition(internal, dbmaint_histogram) IS
'Transition function of dbmaint_histogram_merge.';

CREATE FUNCTION dbmaint_histogram_agg_transition(state internal, ms float8)
RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_histogram_agg_transition';
COMMENT ON FUNCTION dbmaint_histogram_agg_transition(internal, float8) IS
'Transition function of dbmaint_histogram_agg.';

CREATE FUNCTION dbmaint_histogram_combine(state internal, other internal)
RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_histogram_combine';
COMMENT ON FUNCTION dbmaint_histogram_combine(internal, internal) IS
'Adds one state of a histogram aggregate to another.';

CREATE FUNCTION dbmaint_histogram_serialize(state internal)
RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_histogram_serialize';
COMMENT ON FUNCTION dbmaint_histogram_serialize(internal) IS
'Writes the state of a histogram aggregate for another process.';

CREATE FUNCTION dbmaint_histogram_deserialize(bytes bytea, state internal)
RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_histogram_deserialize';
COMMENT ON FUNCTION dbmaint_histogram_deserialize(bytea, internal) IS
'Reads the state of a histogram aggregate from another process.';

CREATE FUNCTION dbmaint_histogram_final(state internal)
RETURNS dbmaint_histogram
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_histogram_final';
COMMENT ON FUNCTION dbmaint_histogram_final(internal) IS
'Final function of the histogram aggregates.';

-- SSPACE is the dense array of counts: the planner must know that a hash
-- table of many groups is a large one.
CREATE AGGREGATE dbmaint_histogram_merge(histogram dbmaint_histogram) (
    SFUNC = dbmaint_histogram_merge_transition,
    STYPE = internal,
    SSPACE = 13832,
    FINALFUNC = dbmaint_histogram_final,
    COMBINEFUNC = dbmaint_histogram_combine,
    SERIALFUNC = dbmaint_histogram_serialize,
    DESERIALFUNC = dbmaint_histogram_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE dbmaint_histogram_merge(dbmaint_histogram) IS
'Adds histograms up to one that holds the values of all, coarse if one of them is; null when there are none.';

CREATE AGGREGATE dbmaint_histogram_agg(ms float8) (
    SFUNC = dbmaint_histogram_agg_transition,
    STYPE = internal,
    SSPACE = 13832,
    FINALFUNC = dbmaint_histogram_final,
    COMBINEFUNC = dbmaint_histogram_combine,
    SERIALFUNC = dbmaint_histogram_serialize,
    DESERIALFUNC = dbmaint_histogram_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE dbmaint_histogram_agg(float8) IS
'Builds a histogram from durations in milliseconds, each taken to the nearest microsecond; null when there are none.';
