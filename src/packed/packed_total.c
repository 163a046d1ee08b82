/*-------------------------------------------------------------------------
 *
 * packed_total.c
 *		The aggregate dbmaint_packed_total: rows of lists, added up by key.
 *
 * A day of 48 snapshots of 30,000 indexes has ten million numbers.  Unnested
 * and added up in SQL they take seconds; here a list is read at once and its
 * numbers are added in place.
 *
 * src/packed/packed_total.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "packed/packed.h"
#include "utils/array.h"
#include "utils/expandeddatum.h"	/* the varlena macros, where they are not
									 * postgres.h's */
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* keys in a block: keys are small numbers, mostly without great gaps */
#define BLOCK_KEYS 64

PG_FUNCTION_INFO_V1(dbmaint_packed_total_transition);
PG_FUNCTION_INFO_V1(dbmaint_packed_total_final);

/* The totals of some neighbouring keys. */
typedef struct Block
{
	bool		present[BLOCK_KEYS];
	int64		values[FLEXIBLE_ARRAY_MEMBER];	/* by list, then by key */
} Block;

typedef struct TotalState
{
	MemoryContext context;
	Oid			list_type;
	int			sums;			/* lists whose values are added */
	int			lists;			/* and those of which the last value counts */
	Block	  **blocks;			/* by key, or NULL */
	int32		block_count;
} TotalState;

/* The lists of one row, which may be NULL. */
typedef struct RowLists
{
	int			count;
	Datum	   *lists;
	bool	   *nulls;
} RowLists;

static RowLists
array_argument(FunctionCallInfo fcinfo, int argument)
{
	RowLists	row = {0};
	ArrayType  *array;

	if (PG_ARGISNULL(argument))
		return row;
	array = PG_GETARG_ARRAYTYPE_P(argument);
	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_INT,
					  &row.lists, &row.nulls, &row.count);
	return row;
}

static TotalState *
make_state(FunctionCallInfo fcinfo, int sums, int lasts)
{
	MemoryContext context;
	TotalState *state;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	state = MemoryContextAllocZero(context, sizeof(TotalState));
	state->context = context;
	state->list_type = get_fn_expr_argtype(fcinfo->flinfo, 1);
	state->sums = sums;
	state->lists = sums + lasts;
	return state;
}

/* The block of a key, and the key's place in it. */
static Block *
find_block(TotalState *state, int64 key, int *place)
{
	Block	  **block;

	if (key < 0 || key > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("key " INT64_FORMAT " is out of range", key),
				 errhint("Keys are numbers from 0 to %d.", PG_INT32_MAX)));

	if (key / BLOCK_KEYS >= state->block_count)
	{
		int32		count = (int32) (key / BLOCK_KEYS) + 256;
		Block	  **blocks = MemoryContextAllocZero(state->context,
													sizeof(Block *) * (Size) count);

		if (state->blocks != NULL)
		{
			memcpy(blocks, state->blocks,
				   sizeof(Block *) * (Size) state->block_count);
			pfree(state->blocks);
		}
		state->blocks = blocks;
		state->block_count = count;
	}

	block = &state->blocks[key / BLOCK_KEYS];
	if (*block == NULL)
		*block = MemoryContextAllocZero(state->context,
										offsetof(Block, values) +
										sizeof(int64) * BLOCK_KEYS * (Size) state->lists);
	*place = (int) (key % BLOCK_KEYS);
	return *block;
}

/* What is beyond a bigint stays at its end. */
static inline int64
add_saturating(int64 a, int64 b)
{
	if (b > 0 && a > PG_INT64_MAX - b)
		return PG_INT64_MAX;
	if (b < 0 && a < PG_INT64_MIN - b)
		return PG_INT64_MIN;
	return a + b;
}

/* Take one list: add its values, or put them in the place of former ones. */
static void
take_list(TotalState *state, int list, const int64 *keys, int32 key_count,
		  const struct varlena *packed)
{
	int32		count;
	int64	   *values = packed == NULL ? NULL : packed_values(packed, &count);

	if (packed != NULL && count != key_count)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("lists of a row have %d and %d values", key_count, count),
				 errhint("Delete the row that holds them.")));
	if (packed == NULL && list < state->sums)
		return;

	for (int32 i = 0; i < key_count; i++)
	{
		int64		value = values == NULL ? 0 : values[i];
		int			place;
		int64	   *total;

		if (value == 0 && list < state->sums)
			continue;
		total = find_block(state, keys[i], &place)->values + list * BLOCK_KEYS + place;
		*total = list < state->sums ? add_saturating(*total, value) : value;
	}
	if (values != NULL)
		pfree(values);
}

Datum
dbmaint_packed_total_transition(PG_FUNCTION_ARGS)
{
	TotalState *state = PG_ARGISNULL(0) ? NULL : (TotalState *) PG_GETARG_POINTER(0);
	RowLists	sums = array_argument(fcinfo, 2);
	RowLists	lasts = array_argument(fcinfo, 3);
	int64	   *keys;
	int32		key_count;

	if (state == NULL)
		state = make_state(fcinfo, sums.count, lasts.count);
	if (sums.count != state->sums || sums.count + lasts.count != state->lists)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("rows have different numbers of lists"),
				 errhint("Give NULL for a list whose values are all 0.")));
	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(state);

	keys = packed_values((struct varlena *) PG_GETARG_POINTER(1), &key_count);
	for (int32 i = 0; i < key_count; i++)
	{
		int			place;

		CHECK_FOR_INTERRUPTS();
		find_block(state, keys[i], &place)->present[place] = true;
	}
	for (int i = 0; i < state->lists; i++)
	{
		const RowLists *row = i < state->sums ? &sums : &lasts;
		int			at = i < state->sums ? i : i - state->sums;

		take_list(state, i, keys, key_count,
				  row->nulls[at] ? NULL : (struct varlena *) DatumGetPointer(row->lists[at]));
	}
	PG_RETURN_POINTER(state);
}

/* The keys for list -1, else that list's totals. */
static struct varlena *
finish_list(const TotalState *state, int list)
{
	PackedBuilder builder;

	packed_begin(&builder);
	for (int32 b = 0; b < state->block_count; b++)
	{
		const Block *block = state->blocks[b];

		for (int i = 0; block != NULL && i < BLOCK_KEYS; i++)
		{
			if (block->present[i])
				packed_add(&builder, list < 0 ? (int64) b * BLOCK_KEYS + i :
						   block->values[list * BLOCK_KEYS + i]);
		}
	}
	return packed_finish(&builder, list >= 0);
}

Datum
dbmaint_packed_total_final(PG_FUNCTION_ARGS)
{
	const TotalState *state;
	Datum	   *lists;
	bool	   *nulls;
	int			dimension;
	int			lower_bound = 1;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (TotalState *) PG_GETARG_POINTER(0);
	dimension = 1 + state->lists;
	lists = palloc_array(Datum, dimension);
	nulls = palloc_array(bool, dimension);
	for (int i = 0; i < dimension; i++)
	{
		struct varlena *list = finish_list(state, i - 1);

		lists[i] = PointerGetDatum(list);
		nulls[i] = list == NULL;
	}
	PG_RETURN_ARRAYTYPE_P(construct_md_array(lists, nulls, 1, &dimension, &lower_bound,
											 state->list_type, -1, false, TYPALIGN_INT));
}
