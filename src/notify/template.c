/*-------------------------------------------------------------------------
 *
 * template.c
 *		Fills a template in.
 *
 * src/notify/template.c
 *
 *-------------------------------------------------------------------------
 */
#include "notify/message.h"

#include <string.h>

#define VALUE_MOST 32768
#define SHORT_MOST 160
#define DETAILS_BYTES 16384
#define NAME_MOST 32

/* A value to put in. */
typedef struct Value
{
	const char *string;			/* NULL: unknown */
	MemberType	type;
	size_t		most;			/* characters */
} Value;

/*
 * Looks the placeholder's name up; details are written to the buffer.  Returns
 * false if there is none of the name.
 */
static bool
find_value(const char *name, const Message *message, char *details,
		   Value *value)
{
	value->string = NULL;
	value->most = VALUE_MOST;
	for (int i = 0; i < message_member_count; i++)
	{
		if (strcmp(name, message_members[i].name) == 0)
		{
			value->type = message_members[i].type;
			if (message != NULL)
				value->string = message_get(message, &message_members[i]);
			return true;
		}
	}

	value->type = MEMBER_TEXT;
	if (strcmp(name, "short") == 0)
	{
		value->most = SHORT_MOST;
		if (message != NULL)
			value->string = message->summary;
		return true;
	}
	if (strcmp(name, "details") == 0)
	{
		Text		out;

		text_begin(&out, details, DETAILS_BYTES);
		if (message != NULL)
			message_add_details(&out, message);
		value->string = details;
		return true;
	}
	if (strcmp(name, "message") == 0)
	{
		value->type = MEMBER_JSON;
		if (message != NULL)
			value->string = message->json;
		return true;
	}
	return false;
}

/* As a JSON value of its own. */
static void
add_json_value(Text *out, const Value *value)
{
	if (value->string == NULL)
		text_add(out, "null");
	else if (value->type == MEMBER_JSON)
		text_add(out, value->string);
	else if (value->type == MEMBER_NUMBER)
		text_add(out, text_is_json_number(value->string) ? value->string : "null");
	else
	{
		text_add(out, "\"");
		text_add_json(out, value->string, value->most, false);
		text_add(out, "\"");
	}
}

static void
add_value(Text *out, const Value *value, TemplateFormat format,
		  bool in_string)
{
	const char *string = message_text(value->string);

	if (format == TEMPLATE_FORM)
		text_add_form(out, string, value->most);
	else if (format == TEMPLATE_PLAIN)
		text_add_plain(out, string, value->most, true);
	else if (in_string)
		text_add_json(out, string, value->most, false);
	else
		add_json_value(out, value);
}

/* Copies the name between the braces, without blanks around it. */
static bool
copy_name(const char *begin, const char *end, char *name)
{
	while (begin < end && *begin == ' ')
		begin++;
	while (end > begin && end[-1] == ' ')
		end--;
	if (begin == end || end - begin >= NAME_MOST)
		return false;
	memcpy(name, begin, (size_t) (end - begin));
	name[end - begin] = '\0';
	return true;
}

/* How many bytes of the template stand for themselves, up to a placeholder. */
static size_t
literal_length(const char *place, bool *in_string)
{
	const char *c = place;

	while (*c != '\0' && strncmp(c, "{{", 2) != 0)
	{
		if (*in_string && *c == '\\' && c[1] != '\0')
			c++;
		else if (*c == '"')
			*in_string = !*in_string;
		c++;
	}
	return (size_t) (c - place);
}

const char *
template_render(const char *template, TemplateFormat format,
				const Message *message, Text *out)
{
	bool		in_string = false;
	char		details[DETAILS_BYTES];

	while (*template != '\0')
	{
		size_t		literal = literal_length(template, &in_string);
		const char *end;
		char		name[NAME_MOST];
		Value		value;

		text_add_bytes(out, template, literal);
		template += literal;
		if (*template == '\0')
			break;

		end = strstr(template, "}}");
		if (end == NULL)
			return "has a placeholder that does not end with }}";
		if (!copy_name(template + 2, end, name) ||
			!find_value(name, message, details, &value))
			return "has a placeholder that is none";
		add_value(out, &value, format, in_string);
		template = end + 2;
	}
	return NULL;
}
