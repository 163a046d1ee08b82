/*-------------------------------------------------------------------------
 *
 * histogram_type.c
 *	  The SQL type dbmaint_histogram, its functions and its aggregates.
 *
 * A value is a varlena with the bytes of histogram_encode(), or those of
 * histogram_encode_coarse().  Whatever reads one goes through histogram_unpack(), which trusts no byte of it: a damaged
 * page ends in an error, never in a read past the value's end.
 *
 * The aggregates keep a dense array, so that a row costs only the buckets it
 * has; the sparse form is made once, at the end.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "../compat.h"
#include "fmgr.h"
#include "histogram.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/expandeddatum.h"	/* the varlena macros, where they are not
									 * postgres.h's */

/* Before PostgreSQL 16 there are no soft errors: every one is thrown. */
#ifndef ereturn
#define ereturn(context, dummy_value, ...) ereport(ERROR, __VA_ARGS__)
#endif

typedef struct HistogramState
{
	uint64		counts[HISTOGRAM_BUCKETS];
	bool		coarse;			/* a coarse one was added: the sum is coarse */
} HistogramState;

PG_FUNCTION_INFO_V1(dbmaint_histogram_in);
PG_FUNCTION_INFO_V1(dbmaint_histogram_out);
PG_FUNCTION_INFO_V1(dbmaint_histogram_recv);
PG_FUNCTION_INFO_V1(dbmaint_histogram_send);
PG_FUNCTION_INFO_V1(dbmaint_percentile);
PG_FUNCTION_INFO_V1(dbmaint_histogram_count);
PG_FUNCTION_INFO_V1(dbmaint_histogram_count_above);
PG_FUNCTION_INFO_V1(dbmaint_histogram_coarse);
PG_FUNCTION_INFO_V1(dbmaint_histogram_merge_transition);
PG_FUNCTION_INFO_V1(dbmaint_histogram_agg_transition);
PG_FUNCTION_INFO_V1(dbmaint_histogram_combine);
PG_FUNCTION_INFO_V1(dbmaint_histogram_serialize);
PG_FUNCTION_INFO_V1(dbmaint_histogram_deserialize);
PG_FUNCTION_INFO_V1(dbmaint_histogram_final);

struct varlena *
histogram_pack(const uint64 *counts, bool coarse)
{
	unsigned char bytes[HISTOGRAM_ENCODED_MAX];
	struct varlena *result;
	size_t		length;

	if (histogram_total(counts) > HISTOGRAM_TOTAL_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("histogram holds too many values"),
				 errdetail("The counts add up to more than a bigint holds."),
				 errhint("Merge fewer histograms.")));

	length = coarse ? histogram_encode_coarse(counts, bytes) :
		histogram_encode(counts, bytes);
	result = (struct varlena *) palloc(VARHDRSZ + length);
	SET_VARSIZE(result, VARHDRSZ + length);
	memcpy(VARDATA(result), bytes, length);
	return result;
}

/* Add bytes of either version to counts. */
static const char *
decode(const char *bytes, size_t length, uint64 *counts, bool *coarse)
{
	*coarse = length > 0 && bytes[0] == HISTOGRAM_COARSE_VERSION;
	return (*coarse ? histogram_decode_coarse : histogram_decode)
		((const unsigned char *) bytes, length, counts);
}

bool
histogram_unpack(const struct varlena *histogram, uint64 *counts)
{
	struct varlena *plain = pg_detoast_datum_packed((struct varlena *) histogram);
	const char *problem;
	bool		coarse;

	problem = decode(VARDATA_ANY(plain), VARSIZE_ANY_EXHDR(plain), counts, &coarse);
	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored dbmaint_histogram is corrupted"),
				 errdetail("%s", problem),
				 errhint("Delete the row that holds it, or set the column to null, and check the storage.")));

	if (plain != histogram)
		pfree(plain);
	return coarse;
}

/* Unpack an argument to zeroed counts; returns whether it is coarse. */
static bool
unpack_argument(FunctionCallInfo fcinfo, int argument, uint64 *counts)
{
	memset(counts, 0, sizeof(uint64) * HISTOGRAM_BUCKETS);
	return histogram_unpack((struct varlena *) PG_GETARG_POINTER(argument), counts);
}

/* Add a histogram to a state. */
static void
add_to_state(HistogramState *state, struct varlena *histogram)
{
	if (histogram_unpack(histogram, state->counts))
		state->coarse = true;
}

/* Make a histogram of a state, which is changed where it is coarse. */
static struct varlena *
pack_state(HistogramState *state)
{
	if (state->coarse)
		histogram_coarsen(state->counts);
	return histogram_pack(state->counts, state->coarse);
}

Datum
dbmaint_histogram_in(PG_FUNCTION_ARGS)
{
	char	   *input = PG_GETARG_CSTRING(0);
	uint64		counts[HISTOGRAM_BUCKETS] = {0};
	bool		coarse;
	const char *problem;

	problem = histogram_parse(input, counts, &coarse);
	if (problem != NULL)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"",
						"dbmaint_histogram", input),
				 errdetail("%s", problem),
				 errhint("Write the version, a bar and the buckets in use as lower_bound_us:count in ascending order, such as \"1|40:3,41:7\".")));

	PG_RETURN_POINTER(histogram_pack(counts, coarse));
}

Datum
dbmaint_histogram_out(PG_FUNCTION_ARGS)
{
	uint64		counts[HISTOGRAM_BUCKETS];
	StringInfoData output;
	const char *separator = "";
	bool		coarse = unpack_argument(fcinfo, 0, counts);

	initStringInfo(&output);
	appendStringInfo(&output, "%d|",
					 coarse ? HISTOGRAM_COARSE_VERSION : HISTOGRAM_VERSION);
	for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
	{
		if (counts[i] == 0)
			continue;
		appendStringInfo(&output, "%s" UINT64_FORMAT ":" UINT64_FORMAT,
						 separator, histogram_lower_bound(i), counts[i]);
		separator = ",";
	}
	PG_RETURN_CSTRING(output.data);
}

Datum
dbmaint_histogram_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int			length = message->len - message->cursor;
	const char *bytes = pq_getmsgbytes(message, length);
	uint64		counts[HISTOGRAM_BUCKETS] = {0};
	bool		coarse;
	const char *problem;

	problem = decode(bytes, length, counts, &coarse);
	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary representation of type %s",
						"dbmaint_histogram"),
				 errdetail("%s", problem),
				 errhint("Send what dbmaint_histogram_send() returns.")));

	PG_RETURN_POINTER(histogram_pack(counts, coarse));
}

Datum
dbmaint_histogram_send(PG_FUNCTION_ARGS)
{
	uint64		counts[HISTOGRAM_BUCKETS];
	bool		coarse;

	/* through the counts, so that damage is not handed on */
	coarse = unpack_argument(fcinfo, 0, counts);
	PG_RETURN_BYTEA_P((bytea *) histogram_pack(counts, coarse));
}

Datum
dbmaint_histogram_coarse(PG_FUNCTION_ARGS)
{
	uint64		counts[HISTOGRAM_BUCKETS];

	unpack_argument(fcinfo, 0, counts);
	histogram_coarsen(counts);
	PG_RETURN_POINTER(histogram_pack(counts, true));
}

Datum
dbmaint_percentile(PG_FUNCTION_ARGS)
{
	double		fraction = PG_GETARG_FLOAT8(1);
	uint64		counts[HISTOGRAM_BUCKETS];
	double		result;
	bool		coarse;

	if (!(fraction >= 0.0 && fraction <= 1.0))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("percentile fraction %g is not between 0 and 1", fraction),
				 errhint("Write the 95th percentile as 0.95.")));

	coarse = unpack_argument(fcinfo, 0, counts);
	result = histogram_percentile_ms(counts, coarse, fraction);
	if (isnan(result))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(result);
}

Datum
dbmaint_histogram_count(PG_FUNCTION_ARGS)
{
	uint64		counts[HISTOGRAM_BUCKETS];

	unpack_argument(fcinfo, 0, counts);
	PG_RETURN_INT64((int64) histogram_total(counts));
}

Datum
dbmaint_histogram_count_above(PG_FUNCTION_ARGS)
{
	double		ms = PG_GETARG_FLOAT8(1);
	uint64		counts[HISTOGRAM_BUCKETS];
	bool		coarse;

	if (isnan(ms))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("threshold must not be NaN"),
				 errhint("Give the threshold in milliseconds.")));

	coarse = unpack_argument(fcinfo, 0, counts);
	PG_RETURN_INT64((int64) histogram_count_above(counts, coarse, ms));
}

/* Return the context an aggregate's state lives in. */
static MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return context;
}

/* Return the first argument's state, or a new one. */
static HistogramState *
state_argument(FunctionCallInfo fcinfo)
{
	MemoryContext context = aggregate_context(fcinfo);

	if (!PG_ARGISNULL(0))
		return (HistogramState *) PG_GETARG_POINTER(0);
	return (HistogramState *) MemoryContextAllocZero(context, sizeof(HistogramState));
}

/* Leave the state as it is, which may be none, for an input that is null. */
static Datum
return_state_unchanged(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

Datum
dbmaint_histogram_merge_transition(PG_FUNCTION_ARGS)
{
	HistogramState *state;

	if (PG_ARGISNULL(1))
		return return_state_unchanged(fcinfo);

	state = state_argument(fcinfo);
	add_to_state(state, (struct varlena *) PG_GETARG_POINTER(1));
	PG_RETURN_POINTER(state);
}

Datum
dbmaint_histogram_agg_transition(PG_FUNCTION_ARGS)
{
	HistogramState *state;
	double		ms;

	if (PG_ARGISNULL(1))
		return return_state_unchanged(fcinfo);

	ms = PG_GETARG_FLOAT8(1);
	if (!(ms >= 0.0) || isinf(ms))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("duration of %g ms cannot be counted", ms),
				 errhint("Durations are finite and not negative; leave the others out with a FILTER clause.")));

	state = state_argument(fcinfo);
	state->counts[histogram_bucket(histogram_microseconds(ms))]++;
	PG_RETURN_POINTER(state);
}

Datum
dbmaint_histogram_combine(PG_FUNCTION_ARGS)
{
	HistogramState *state;
	HistogramState *other;

	if (PG_ARGISNULL(1))
		return return_state_unchanged(fcinfo);

	state = state_argument(fcinfo);
	other = (HistogramState *) PG_GETARG_POINTER(1);
	for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
	{
		if (state->counts[i] > PG_UINT64_MAX - other->counts[i])
			state->counts[i] = PG_UINT64_MAX;
		else
			state->counts[i] += other->counts[i];
	}
	state->coarse = state->coarse || other->coarse;
	PG_RETURN_POINTER(state);
}

Datum
dbmaint_histogram_serialize(PG_FUNCTION_ARGS)
{
	HistogramState *state;

	(void) aggregate_context(fcinfo);
	state = (HistogramState *) PG_GETARG_POINTER(0);
	PG_RETURN_BYTEA_P((bytea *) pack_state(state));
}

Datum
dbmaint_histogram_deserialize(PG_FUNCTION_ARGS)
{
	HistogramState *state;

	(void) aggregate_context(fcinfo);
	state = (HistogramState *) palloc0(sizeof(HistogramState));
	add_to_state(state, (struct varlena *) PG_GETARG_POINTER(0));
	PG_RETURN_POINTER(state);
}

Datum
dbmaint_histogram_final(PG_FUNCTION_ARGS)
{
	HistogramState *state;

	(void) aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (HistogramState *) PG_GETARG_POINTER(0);
	PG_RETURN_POINTER(pack_state(state));
}
