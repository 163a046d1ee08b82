/*-------------------------------------------------------------------------
 *
 * kept_text.c
 *		What is kept of a statement's text: on one line, in the database's
 *		encoding, not too long, and without what may be secret.
 *
 * src/statement/kept_text.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/namespace.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "statement/query_text.h"
#include "statement/statement.h"

/* what is looked at of a text before its encoding is known to be good */
#define RAW_TEXT_MAX (4 * QUERY_TEXT_MAX)

/* Appends the bytes, with a question mark for each that is not valid. */
static void
append_valid(StringInfo out, const char *bytes, int length, int encoding)
{
	while (length > 0)
	{
		int			valid = pg_encoding_verifymbstr(encoding, bytes, length);

		appendBinaryStringInfo(out, bytes, valid);
		bytes += valid;
		length -= valid;
		if (length > 0)
		{
			appendStringInfoChar(out, '?');
			bytes++;
			length--;
		}
	}
}

/* Appends only what is ASCII. */
static void
append_ascii(StringInfo out, const char *bytes, int length)
{
	for (int i = 0; i < length; i++)
		appendStringInfoChar(out, IS_HIGHBIT_SET(bytes[i]) ? '?' : bytes[i]);
}

/*
 * Appends the bytes as the database's encoding has them, with a question mark
 * for each character that it does not.
 */
static void
append_converted(StringInfo out, const char *bytes, int length, int encoding,
				 Oid conversion)
{
	int			target = GetDatabaseEncoding();

	while (length > 0)
	{
		int			done;

		enlargeStringInfo(out, length * MAX_CONVERSION_GROWTH + 1);
		done = pg_do_encoding_conversion_buf(conversion, encoding, target,
											 (unsigned char *) unconstify(char *, bytes),
											 length,
											 (unsigned char *) out->data + out->len,
											 length * MAX_CONVERSION_GROWTH + 1,
											 true);
		out->len += strlen(out->data + out->len);
		bytes += done;
		length -= done;
		if (length > 0)
		{
			int			skipped = Min(pg_encoding_mblen_bounded(encoding, bytes), length);

			appendStringInfoChar(out, '?');
			bytes += skipped;
			length -= skipped;
		}
	}
}

char *
query_text_keep(const char *bytes, size_t length, int encoding, bool *truncated)
{
	int			target = GetDatabaseEncoding();
	char	   *line;
	size_t		line_length;
	StringInfoData out;
	Oid			conversion;

	*truncated = length > RAW_TEXT_MAX;
	length = Min(length, RAW_TEXT_MAX);
	line = palloc(length + 1);
	line_length = query_text_normalize(bytes, length, line);
	line_length = query_text_hide(line, line_length);

	initStringInfo(&out);
	if (encoding == target || encoding == PG_SQL_ASCII || target == PG_SQL_ASCII)
		append_valid(&out, line, line_length, target);
	else if (OidIsValid(conversion = FindDefaultConversionProc(encoding, target)))
		append_converted(&out, line, line_length, encoding, conversion);
	else
		append_ascii(&out, line, line_length);
	pfree(line);

	if (out.len > QUERY_TEXT_MAX)
	{
		out.len = pg_mbcliplen(out.data, out.len, QUERY_TEXT_MAX);
		out.data[out.len] = '\0';
		*truncated = true;
	}
	return out.data;
}
