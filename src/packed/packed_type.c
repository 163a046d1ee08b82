/*-------------------------------------------------------------------------
 *
 * packed_type.c
 *	  The SQL type dbmaint_packed, its functions and casts, and the builder
 *	  and reader for C.
 *
 * A value is a varlena with the bytes of packed_encode().  No byte of one is
 * trusted: a damaged page ends in an error, never in a read past the value's
 * end or in an allocation that its length does not warrant.
 *
 * src/packed/packed_type.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "packed/packed.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/expandeddatum.h"	/* the varlena macros, where they are not
									 * postgres.h's */
#include "utils/tuplestore.h"

/* Before PostgreSQL 16 there are no soft errors: every one is thrown. */
#ifndef ereturn
#define ereturn(context, dummy_value, ...) ereport(ERROR, __VA_ARGS__)
#endif

PG_FUNCTION_INFO_V1(dbmaint_packed_in);
PG_FUNCTION_INFO_V1(dbmaint_packed_out);
PG_FUNCTION_INFO_V1(dbmaint_packed_recv);
PG_FUNCTION_INFO_V1(dbmaint_packed_send);
PG_FUNCTION_INFO_V1(dbmaint_packed_from_array);
PG_FUNCTION_INFO_V1(dbmaint_packed_to_array);
PG_FUNCTION_INFO_V1(dbmaint_unpack);
PG_FUNCTION_INFO_V1(dbmaint_packed_count);
PG_FUNCTION_INFO_V1(dbmaint_packed_nth);
PG_FUNCTION_INFO_V1(dbmaint_packed_position);

void
packed_begin(PackedBuilder *builder)
{
	memset(builder, 0, sizeof(PackedBuilder));
}

void
packed_add_nonzero(PackedBuilder *builder, int64 value)
{
	if (builder->count >= PACKED_COUNT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("list has more than %d values", PACKED_COUNT_MAX),
				 errhint("Use more than one list.")));

	if (builder->count >= builder->room)
	{
		int32		room = Max(64, builder->room * 2);

		while (room <= builder->count)
			room *= 2;
		if (builder->values == NULL)
			builder->values = palloc_array(int64, room);
		else
			builder->values = repalloc(builder->values, sizeof(int64) * room);
		builder->room = room;
	}
	if (builder->filled < builder->count)
		memset(builder->values + builder->filled, 0,
			   sizeof(int64) * (builder->count - builder->filled));
	builder->values[builder->count++] = value;
	builder->filled = builder->count;
}

/* Make a dbmaint_packed of the values. */
static struct varlena *
pack(const int64 *values, int32 count)
{
	size_t		length = packed_encoded_size(values, count);
	struct varlena *result = palloc(VARHDRSZ + length);

	SET_VARSIZE(result, VARHDRSZ + length);
	length = packed_encode(values, count, (unsigned char *) VARDATA(result));
	Assert(VARSIZE(result) == VARHDRSZ + length);
	return result;
}

struct varlena *
packed_finish(PackedBuilder *builder, bool null_if_zero)
{
	struct varlena *result = NULL;

	if (builder->filled == 0 && null_if_zero)
		return NULL;

	/* zeroes at the end were only counted */
	if (builder->filled < builder->count)
	{
		int32		count = builder->count;

		builder->count = count - 1;
		packed_add_nonzero(builder, 0);
	}
	result = pack(builder->values, builder->count);
	if (builder->values != NULL)
		pfree(builder->values);
	packed_begin(builder);
	return result;
}

static void
refuse_stored(const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("stored dbmaint_packed is corrupted"),
			 errdetail("%s", problem),
			 errhint("Delete the row that holds it, or set the column to null, and check the storage.")));
}

void
packed_open(PackedReader *reader, const struct varlena *packed)
{
	struct varlena *plain;

	memset(reader, 0, sizeof(PackedReader));
	if (packed == NULL)
		return;

	plain = pg_detoast_datum_packed((struct varlena *) packed);
	if (plain != packed)
		reader->detoasted = plain;
	if (!packed_cursor_open(&reader->cursor,
							(const unsigned char *) VARDATA_ANY(plain),
							VARSIZE_ANY_EXHDR(plain)))
		refuse_stored(reader->cursor.problem);
}

bool
packed_next(PackedReader *reader, int64 *value)
{
	if (packed_cursor_next(&reader->cursor, value))
		return true;
	if (reader->cursor.problem != NULL)
		refuse_stored(reader->cursor.problem);
	return false;
}

void
packed_close(PackedReader *reader)
{
	if (reader->detoasted != NULL)
		pfree(reader->detoasted);
	memset(reader, 0, sizeof(PackedReader));
}

int32
packed_count(const struct varlena *packed)
{
	PackedReader reader;
	int32		count;

	packed_open(&reader, packed);
	count = reader.cursor.count;
	packed_close(&reader);
	return count;
}

int64
packed_nth(const struct varlena *packed, int32 position, bool *missing)
{
	PackedReader reader;
	int64		value = 0;
	bool		found = packed == NULL;

	packed_open(&reader, packed);
	if (position >= 1 && position <= reader.cursor.count)
	{
		if (!packed_cursor_skip(&reader.cursor, position - 1))
			refuse_stored(reader.cursor.problem);
		found = packed_next(&reader, &value);
	}
	packed_close(&reader);
	if (missing != NULL)
		*missing = !found;
	return value;
}

int32
packed_find(const struct varlena *packed, int64 value)
{
	PackedReader reader;
	int64		current;
	int32		position = 0;
	int32		found = 0;

	packed_open(&reader, packed);
	while (found == 0 && packed_next(&reader, &current))
	{
		position++;
		if (current == value)
			found = position;
		else if (current > value && packed_cursor_ascends(&reader.cursor))
			break;
	}
	packed_close(&reader);
	return found;
}

int64 *
packed_values(const struct varlena *packed, int32 *count)
{
	PackedReader reader;
	int64	   *values = NULL;

	packed_open(&reader, packed);
	*count = reader.cursor.count;
	if (*count > 0)
	{
		values = palloc_array(int64, *count);
		for (int32 i = 0; i < *count; i++)
			packed_next(&reader, &values[i]);
	}
	/* what follows the last value is damage, too */
	if (packed != NULL)
	{
		int64		none;

		(void) packed_next(&reader, &none);
	}
	packed_close(&reader);
	return values;
}

static const char *
skip_blanks(const char *at)
{
	while (*at == ' ' || (*at >= '\t' && *at <= '\r'))
		at++;
	return at;
}

/* Read a whole number and move past it. */
static bool
parse_number(const char **string, int64 *value)
{
	const char *at = *string;
	bool		negative = *at == '-';
	uint64		limit = (uint64) PG_INT64_MAX + (negative ? 1 : 0);
	uint64		number = 0;
	const char *digits;

	if (*at == '-' || *at == '+')
		at++;
	for (digits = at; *at >= '0' && *at <= '9'; at++)
	{
		uint64		digit = (uint64) (*at - '0');

		if (number > (limit - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	if (at == digits)
		return false;
	*value = negative ? (int64) (0 - number) : (int64) number;
	*string = at;
	return true;
}

/* Read the text form; returns NULL, or a sentence that says what is wrong. */
static const char *
parse_list(const char *at, PackedBuilder *builder)
{
	at = skip_blanks(at);
	if (*at++ != '{')
		return "The text must begin with a brace.";
	at = skip_blanks(at);
	if (*at == '}')
		at++;
	else
	{
		for (;;)
		{
			int64		value;

			if (builder->count >= PACKED_COUNT_MAX)
				return "The list has more values than it can.";
			if (!parse_number(&at, &value))
				return "Each value must be a whole number of a bigint's range.";
			packed_add(builder, value);
			at = skip_blanks(at);
			if (*at == '}')
				break;
			if (*at++ != ',')
				return "Something other than a comma or a brace follows a value.";
			at = skip_blanks(at);
		}
		at++;
	}
	if (*skip_blanks(at) != '\0')
		return "Something follows the closing brace.";
	return NULL;
}

Datum
dbmaint_packed_in(PG_FUNCTION_ARGS)
{
	char	   *input = PG_GETARG_CSTRING(0);
	PackedBuilder builder;
	const char *problem;

	packed_begin(&builder);
	problem = parse_list(input, &builder);
	if (problem != NULL)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"",
						"dbmaint_packed", input),
				 errdetail("%s", problem),
				 errhint("Write whole numbers in braces, separated by commas, such as \"{1,2,-3}\".")));

	PG_RETURN_POINTER(packed_finish(&builder, false));
}

Datum
dbmaint_packed_out(PG_FUNCTION_ARGS)
{
	PackedReader reader;
	StringInfoData output;
	const char *separator = "";
	int64		value;

	packed_open(&reader, (struct varlena *) PG_GETARG_POINTER(0));
	initStringInfo(&output);
	appendStringInfoChar(&output, '{');
	while (packed_next(&reader, &value))
	{
		appendStringInfo(&output, "%s" INT64_FORMAT, separator, value);
		separator = ",";
	}
	appendStringInfoChar(&output, '}');
	packed_close(&reader);
	PG_RETURN_CSTRING(output.data);
}

Datum
dbmaint_packed_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int			length = message->len - message->cursor;
	const char *bytes = pq_getmsgbytes(message, length);
	PackedBuilder builder;
	PackedCursor cursor;
	int64		value;

	/* through the values, so that each list has one form only */
	packed_begin(&builder);
	if (packed_cursor_open(&cursor, (const unsigned char *) bytes, length))
	{
		while (packed_cursor_next(&cursor, &value))
			packed_add(&builder, value);
	}
	if (cursor.problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary representation of type %s",
						"dbmaint_packed"),
				 errdetail("%s", cursor.problem),
				 errhint("Send what dbmaint_packed_send() returns.")));

	PG_RETURN_POINTER(packed_finish(&builder, false));
}

/* Build the list anew from a stored one. */
static struct varlena *
repack(const struct varlena *packed)
{
	int32		count;
	int64	   *values = packed_values(packed, &count);

	return pack(values, count);
}

Datum
dbmaint_packed_send(PG_FUNCTION_ARGS)
{
	/* through the values, so that damage is not handed on */
	PG_RETURN_BYTEA_P((bytea *) repack((struct varlena *) PG_GETARG_POINTER(0)));
}

Datum
dbmaint_packed_from_array(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	int			count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("array must have one dimension"),
				 errhint("A dbmaint_packed is a plain list.")));
	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("array must not contain nulls"),
				 errhint("Leave them out with array_remove(), or write 0.")));
	if (count > PACKED_COUNT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("list has more than %d values", PACKED_COUNT_MAX),
				 errhint("Use more than one list.")));

	PG_RETURN_POINTER(pack((const int64 *) ARR_DATA_PTR(array), count));
}

Datum
dbmaint_packed_to_array(PG_FUNCTION_ARGS)
{
	int32		count;
	int64	   *values = packed_values((struct varlena *) PG_GETARG_POINTER(0),
									   &count);
	Datum	   *elements = palloc_array(Datum, Max(count, 1));

	for (int32 i = 0; i < count; i++)
		elements[i] = Int64GetDatum(values[i]);
	PG_RETURN_ARRAYTYPE_P(construct_array(elements, count, INT8OID, sizeof(int64),
										  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

Datum
dbmaint_unpack(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	PackedReader reader;
	int64		value;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	if (PG_ARGISNULL(0))
		return (Datum) 0;

	packed_open(&reader, (struct varlena *) PG_GETARG_POINTER(0));
	while (packed_next(&reader, &value))
	{
		Datum		datum = Int64GetDatum(value);
		bool		isnull = false;

		CHECK_FOR_INTERRUPTS();
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, &datum, &isnull);
	}
	packed_close(&reader);
	return (Datum) 0;
}

Datum
dbmaint_packed_count(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(packed_count((struct varlena *) PG_GETARG_POINTER(0)));
}

Datum
dbmaint_packed_nth(PG_FUNCTION_ARGS)
{
	int64		value;
	bool		missing;

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(0))
		PG_RETURN_INT64(0);

	value = packed_nth((struct varlena *) PG_GETARG_POINTER(0),
					   PG_GETARG_INT32(1), &missing);
	if (missing)
		PG_RETURN_NULL();
	PG_RETURN_INT64(value);
}

Datum
dbmaint_packed_position(PG_FUNCTION_ARGS)
{
	int32		position = packed_find((struct varlena *) PG_GETARG_POINTER(0),
									   PG_GETARG_INT64(1));

	if (position == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT32(position);
}
