/*-------------------------------------------------------------------------
 *
 * message_load.c
 *		Makes messages of JSON objects, in UTF-8.
 *
 * src/notify/message_load.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "catalog/namespace.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "notify/notify.h"
#include "utils/numeric.h"

char *
string_to_utf8(const char *string)
{
	int			encoding = GetDatabaseEncoding();
	int			length = (int) strlen(string);
	int			size = length * MAX_CONVERSION_GROWTH + 1;
	int			done = 0;
	Oid			proc;
	StringInfoData utf8;
	char	   *part;

	/* what SQL_ASCII holds is cleaned where it is written */
	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return pstrdup(string);
	proc = FindDefaultConversionProc(encoding, PG_UTF8);
	if (!OidIsValid(proc))
		return pstrdup(string);

	initStringInfo(&utf8);
	part = palloc(size);
	while (done < length)
	{
		int			converted =
		pg_do_encoding_conversion_buf(proc, encoding, PG_UTF8,
									  (unsigned char *) unconstify(char *, string) + done,
									  length - done,
									  (unsigned char *) part, size, true);

		appendStringInfoString(&utf8, part);
		done += converted;
		if (done < length)
		{
			/* a character that Unicode does not have */
			appendStringInfoChar(&utf8, '?');
			done += Min(pg_mblen(string + done), length - done);
		}
	}
	pfree(part);
	return utf8.data;
}

char *
jsonb_value_string(const JsonbValue *value)
{
	return string_to_utf8(pnstrdup(value->val.string.val, value->val.string.len));
}

/* The string that a member of a message is; NULL for null. */
static char *
member_string(JsonbValue *value)
{
	StringInfoData lines;
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	item;

	if (value == NULL)
		return NULL;
	switch (value->type)
	{
		case jbvString:
			return jsonb_value_string(value);
		case jbvNumeric:
			return numeric_normalize(value->val.numeric);
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		case jbvBinary:
			break;
		default:
			return NULL;
	}

	/* a list of strings is lines */
	initStringInfo(&lines);
	iterator = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		if (token == WJB_ELEM && item.type == jbvString)
			appendStringInfo(&lines, "%s%s", lines.len > 0 ? "\n" : "",
							 jsonb_value_string(&item));
	}
	return lines.data;
}

/* JSON as text, in UTF-8 that is valid. */
static char *
clean_json(JsonbContainer *container)
{
	char	   *json = string_to_utf8(JsonbToCString(NULL, container, -1));
	size_t		size = 3 * strlen(json) + 1;
	Text		out;

	text_begin(&out, palloc(size), size);
	text_add_plain(&out, json, size, true);
	return out.data;
}

void
message_load(Message *message, Jsonb *json)
{
	memset(message, 0, sizeof(Message));
	for (int i = 0; i < message_member_count; i++)
	{
		const MessageMember *member = &message_members[i];
		JsonbContainer *container = &json->root;
		JsonbValue *value;
		const char *string = NULL;

		if (!JB_ROOT_IS_OBJECT(json))
			break;
		if (member->parent != NULL)
		{
			value = getKeyJsonValueFromContainer(container, member->parent,
												 strlen(member->parent), NULL);
			if (value == NULL || value->type != jbvBinary ||
				!JsonContainerIsObject(value->val.binary.data))
				continue;
			container = value->val.binary.data;
		}
		value = getKeyJsonValueFromContainer(container, member->name,
											 strlen(member->name), NULL);
		if (member->type != MEMBER_JSON)
			string = member_string(value);
		else if (value != NULL && value->type == jbvBinary)
			string = clean_json(value->val.binary.data);
		memcpy((char *) message + member->offset, &string, sizeof(string));
	}
	message->json = clean_json(&json->root);
}
