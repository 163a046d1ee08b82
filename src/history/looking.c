/*-------------------------------------------------------------------------
 *
 * looking.c
 *		Draws numbers as a line of blocks, and fits text into a column.
 *
 * What is shown on a terminal comes from elsewhere in part (texts of
 * statements, names): dbmaint_clip() lets no control character through, and
 * measures what a terminal shows, not bytes or characters.
 *
 * src/history/looking.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"

#define SPARK_LEVELS 8
#define SPARK_WIDTH_MAX 10000
#define SPARK_GAP (-1)

PG_FUNCTION_INFO_V1(dbmaint_sparkline);
PG_FUNCTION_INFO_V1(dbmaint_clip);

/* U+2581 to U+2588 */
static const char *const utf8_levels[SPARK_LEVELS] = {
	"\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83", "\xe2\x96\x84",
	"\xe2\x96\x85", "\xe2\x96\x86", "\xe2\x96\x87", "\xe2\x96\x88"
};

/* for databases whose encoding has no blocks */
static const char *const ascii_levels[SPARK_LEVELS] = {
	"_", ".", "-", ":", "=", "+", "*", "#"
};

/*
 * The mean of the finite values from first until before end; an infinite one
 * where there are only such; NAN where there is nothing.
 */
static double
mean_of(const double *values, int first, int end)
{
	double		mean = 0;
	double		infinite = NAN;
	int			count = 0;

	for (int i = first; i < end; i++)
	{
		if (isinf(values[i]))
			infinite = values[i];
		else if (!isnan(values[i]))
		{
			/* in this form no sum can overflow */
			count++;
			mean += values[i] / count - mean / count;
		}
	}
	return count > 0 ? mean : infinite;
}

/* Makes cells of the values, each the mean of its share; returns how many. */
static int
down_sample(double *values, int count, int width)
{
	if (width >= count)
		return count;
	for (int cell = 0; cell < width; cell++)
	{
		int			first = (int) ((int64) cell * count / width);
		int			end = (int) ((int64) (cell + 1) * count / width);

		/* in place: a cell never lies behind its share */
		values[cell] = mean_of(values, first, end);
	}
	return width;
}

/*
 * The level of a value between least and greatest.  Where all are equal it is
 * the middle, or the lowest for zero.
 */
static int
level_of(double value, double least, double greatest)
{
	double		share;

	if (isnan(value))
		return SPARK_GAP;
	if (isinf(value))
		return value > 0 ? SPARK_LEVELS - 1 : 0;
	if (!(greatest > least))
		return value == 0 ? 0 : (SPARK_LEVELS - 1) / 2;
	/* the range of two doubles may be none; and half of the least one is not */
	if (isinf(greatest - least))
		share = (value / 2 - least / 2) / (greatest / 2 - least / 2);
	else
		share = (value - least) / (greatest - least);
	return Max(0, Min((int) (share * SPARK_LEVELS), SPARK_LEVELS - 1));
}

/* SQL: dbmaint_sparkline(float8[], width int) */
Datum
dbmaint_sparkline(PG_FUNCTION_ARGS)
{
	const char *const *levels = GetDatabaseEncoding() == PG_UTF8 ? utf8_levels : ascii_levels;
	ArrayType  *array;
	Datum	   *elements;
	bool	   *nulls;
	double	   *values;
	double		least = INFINITY;
	double		greatest = -INFINITY;
	int			count;
	StringInfoData line;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(1) &&
		(PG_GETARG_INT32(1) < 1 || PG_GETARG_INT32(1) > SPARK_WIDTH_MAX))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("width of a sparkline must be from 1 to %d",
						SPARK_WIDTH_MAX),
				 errhint("Leave it out, or give NULL, for one block a value.")));

	array = PG_GETARG_ARRAYTYPE_P(0);
	deconstruct_array(array, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &elements, &nulls, &count);
	values = palloc_array(double, Max(count, 1));
	for (int i = 0; i < count; i++)
		values[i] = nulls[i] ? NAN : DatumGetFloat8(elements[i]);
	if (!PG_ARGISNULL(1))
		count = down_sample(values, count, PG_GETARG_INT32(1));

	for (int i = 0; i < count; i++)
	{
		if (isnan(values[i]) || isinf(values[i]))
			continue;
		least = Min(least, values[i]);
		greatest = Max(greatest, values[i]);
	}

	initStringInfo(&line);
	for (int i = 0; i < count; i++)
	{
		int			level = level_of(values[i], least, greatest);

		appendStringInfoString(&line, level == SPARK_GAP ? " " : levels[level]);
	}
	PG_RETURN_TEXT_P(cstring_to_text_with_len(line.data, line.len));
}

/* SQL: dbmaint_clip(string text, width int) */
Datum
dbmaint_clip(PG_FUNCTION_ARGS)
{
	text	   *string = PG_GETARG_TEXT_PP(0);
	const char *at = VARDATA_ANY(string);
	int			left = VARSIZE_ANY_EXHDR(string);
	int			room = PG_GETARG_INT32(1);
	int			encoding = GetDatabaseEncoding();
	StringInfoData line;

	if (room < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("width must not be negative")));

	initStringInfo(&line);
	while (left > 0)
	{
		int			length = pg_encoding_mblen(encoding, at);
		int			shown = length <= left ? pg_encoding_dsplen(encoding, at) : -1;

		/*
		 * Control characters, among them those that move the cursor; and what
		 * is cut off, as texts in another encoding than the database's are.
		 */
		if (shown < 0 || (length == 1 && ((unsigned char) *at < ' ' || *at == 0x7f)))
		{
			length = Min(length, left);
			if (room < 1)
				break;
			appendStringInfoChar(&line, ' ');
			room--;
		}
		else
		{
			if (shown > room)
				break;
			appendBinaryStringInfo(&line, at, length);
			room -= shown;
		}
		at += length;
		left -= length;
	}
	appendStringInfoSpaces(&line, room);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(line.data, line.len));
}
