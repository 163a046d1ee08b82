/*-------------------------------------------------------------------------
 *
 * name.c
 *		The names of partitions.
 *
 * src/partition/name.c
 *
 *-------------------------------------------------------------------------
 */
#include "partition/name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* bytes between two fields of a date: "_", "-", "_q" */
#define SEPARATOR_MOST 3

#define ORDER_MOST 6

static const char *const month_names[] =
{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};

enum MonthNameCase
{
	MONTH_LOWER,
	MONTH_CAPITAL,
	MONTH_UPPER
};

/* The fields that a name may have, the most telling order first. */
static const NamePart orders[][ORDER_MOST] =
{
	{NAME_YEAR, NAME_MONTH, NAME_DAY, NAME_HOUR, NAME_MINUTE, NAME_SECOND},
	{NAME_YEAR, NAME_MONTH, NAME_DAY, NAME_HOUR, NAME_MINUTE},
	{NAME_YEAR, NAME_MONTH, NAME_DAY, NAME_HOUR},
	{NAME_YEAR, NAME_MONTH, NAME_DAY},
	{NAME_YEAR, NAME_MONTH},
	{NAME_YEAR, NAME_QUARTER},
	{NAME_ISO_YEAR, NAME_ISO_WEEK},
	{NAME_YEAR, NAME_MONTH_NAME},
	{NAME_MONTH_NAME, NAME_YEAR},
	{NAME_DAY, NAME_MONTH, NAME_YEAR},
	{NAME_MONTH, NAME_YEAR},
	{NAME_YEAR},
	{NAME_YEAR_SHORT, NAME_MONTH, NAME_DAY},
	{NAME_YEAR_SHORT, NAME_MONTH},
	{NAME_FROM, NAME_TO},
	{NAME_FROM},
};

/* NAME_LITERAL is 0, so what an order does not fill ends it */
static int
order_length(const NamePart *order)
{
	int			length = 0;

	while (length < ORDER_MOST && order[length] != NAME_LITERAL)
		length++;
	return length;
}

static NameFields
at_moment(const NameFields *fields, NameMoment moment)
{
	NameFields	result = *fields;

	if (moment != NAME_OF_BEGIN)
		result.local = moment == NAME_OF_END ? fields->local_end : fields->local_end - 1;
	return result;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The text of a field, in 32 bytes; how many digits, at least, is up to width. */
static void
field_text(NamePart part, int value, const NameFields *fields, char *text)
{
	CalendarDate date = calendar_date(fields->is_calendar ? fields->local : 0);
	int64_t		number = 0;
	int			width = 2;

	switch (part)
	{
		case NAME_YEAR:
			number = date.year;
			width = 4;
			break;
		case NAME_YEAR_SHORT:
			number = date.year % 100;
			break;
		case NAME_QUARTER:
			number = (date.month + 2) / 3;
			width = 1;
			break;
		case NAME_MONTH:
			number = date.month;
			break;
		case NAME_DAY:
			number = date.day;
			break;
		case NAME_ISO_YEAR:
		case NAME_ISO_WEEK:
			{
				int			week;

				calendar_iso_week(fields->local, &number, &week);
				width = part == NAME_ISO_YEAR ? 4 : 2;
				if (part == NAME_ISO_WEEK)
					number = week;
				break;
			}
		case NAME_HOUR:
			number = date.time / INT64_C(3600000000);
			break;
		case NAME_MINUTE:
			number = date.time / 60000000 % 60;
			break;
		case NAME_SECOND:
			number = date.time / 1000000 % 60;
			break;
		case NAME_FROM:
			number = fields->from;
			width = value;
			break;
		case NAME_TO:
			number = fields->to;
			width = value;
			break;
		case NAME_MONTH_NAME:
			strcpy(text, month_names[date.month - 1]);
			for (int i = 0; i < (value == MONTH_UPPER ? 3 : value == MONTH_CAPITAL); i++)
				text[i] -= 'a' - 'A';

			return;
		case NAME_LITERAL:
			break;
	}
	/* a minus cannot be told from a separator */
	if (number < 0)
		snprintf(text, 32, "m%0*" PRIu64, width, -(uint64_t) number);
	else
		snprintf(text, 32, "%0*" PRId64, width, number);
}

/* How the field stands at the beginning of text: its length, or 0. */
static int
match_field(NamePart part, const char *text, const NameFields *fields, int *value)
{
	char		wanted[32];

	*value = 0;
	if (part == NAME_MONTH_NAME)
	{
		for (*value = MONTH_LOWER; *value <= MONTH_UPPER; ++*value)
		{
			field_text(part, *value, fields, wanted);
			if (strncmp(text, wanted, 3) == 0)
				return 3;
		}
		return 0;
	}
	if (part == NAME_FROM || part == NAME_TO)
	{
		/* with as many zeros before it as there are */
		size_t		digits = strspn(text, "0123456789");

		*value = digits > 1 && text[0] == '0' && digits < 20 ? (int) digits : 1;
	}
	field_text(part, *value, fields, wanted);
	if (strncmp(text, wanted, strlen(wanted)) != 0)
		return 0;
	/* not a part of a longer number, which it would be by chance */
	if ((part == NAME_FROM || part == NAME_TO) && is_digit(text[strlen(wanted)]))
		return 0;
	return (int) strlen(wanted);
}

static void
add_part(NamePattern *pattern, NamePart part, int value)
{
	pattern->parts[pattern->count].part = part;
	pattern->parts[pattern->count].value = value;
	pattern->count++;
}

static void
add_literals(NamePattern *pattern, const char *text, int length)
{
	for (int i = 0; i < length; i++)
		add_part(pattern, NAME_LITERAL, (unsigned char) text[i]);
}

/* Matches the rest of an order from text on, and what is behind it. */
static bool
match_order(const NamePart *order, int length, const char *text,
			const NameFields *fields, NamePattern *pattern)
{
	int			before = pattern->count;

	if (length == 0)
	{
		/* digits behind it would have changed, too */
		if (is_digit(text[0]))
			return false;
		add_literals(pattern, text, (int) strlen(text));
		return true;
	}

	for (int skipped = 0; skipped <= SEPARATOR_MOST; skipped++)
	{
		int			value;
		int			matched = match_field(order[0], text + skipped, fields, &value);

		if (matched > 0)
		{
			add_literals(pattern, text, skipped);
			add_part(pattern, order[0], value);
			if (match_order(order + 1, length - 1, text + skipped + matched, fields, pattern))
				return true;
			pattern->count = before;
		}
		if (text[skipped] == '\0' || is_digit(text[skipped]))
			break;
	}
	return false;
}

/* Matches the order as near to the end of the name as it is found. */
static bool
match_name(const NamePart *order, const char *name, const NameFields *fields,
		   NamePattern *pattern)
{
	bool		is_number = order[0] == NAME_FROM;

	if (is_number ? !fields->is_number : !fields->is_calendar)
		return false;
	for (int start = (int) strlen(name) - 1; start >= 0; start--)
	{
		int			value;

		/* in the middle of a number */
		if (start > 0 && is_digit(name[start]) && is_digit(name[start - 1]))
			continue;
		if (match_field(order[0], name + start, fields, &value) == 0)
			continue;
		pattern->count = 0;
		add_literals(pattern, name, start);
		if (match_order(order, order_length(order), name + start, fields, pattern))
			return true;
	}
	return false;
}

static int
no_clip(const char *text, int length, int limit)
{
	(void) text;

	return length < limit ? length : limit;
}

/* The pattern's text, whole: a name is at most 63 bytes and 2 numbers more. */
static int
build_whole(const NamePattern *pattern, const NameFields *fields, char *text,
			size_t size, int *head)
{
	size_t		length = 0;
	NameFields	moment = at_moment(fields, pattern->moment);

	*head = -1;
	for (int i = 0; i < pattern->count; i++)
	{
		char		part[32];

		if (pattern->parts[i].part == NAME_LITERAL)
		{
			part[0] = (char) pattern->parts[i].value;
			part[1] = '\0';
		}
		else
		{
			if (*head < 0)
				*head = (int) length;
			field_text(pattern->parts[i].part, pattern->parts[i].value, &moment, part);
		}
		if (length + strlen(part) + 1 > size)
			break;
		strcpy(text + length, part);
		length += strlen(part);
	}
	text[length] = '\0';

	return (int) length;
}

/* The pattern of the last name by an order of fields, if it is that of the others, too. */
static bool
infer_order(const NamePart *order, NameMoment moment, const char *const *names,
			const NameFields *fields, int count, const NameFields *next, NamePattern *pattern)
{
	const int	last = count - 1;
	NameFields	of_last = at_moment(&fields[last], moment);
	char		built[NAME_BYTES + 1];
	int			others = 0;

	/*
	 * a number's begin and end are fields of their own; one name may end so
	 * by chance
	 */
	if (moment != NAME_OF_BEGIN && (order[0] == NAME_FROM || last == 0))
		return false;
	pattern->moment = moment;
	if (!match_name(order, names[last], &of_last, pattern))
		return false;
	for (int i = 0; i < last; i++)
	{
		name_build(pattern, &fields[i], no_clip, built);
		others += strcmp(built, names[i]) == 0;
	}
	name_build(pattern, next, no_clip, built);
	return (last == 0 || others > 0) && strcmp(built, names[last]) != 0;
}

bool
name_infer(const char *const *names, const NameFields *fields, int count,
		   const NameFields *next, NamePattern *pattern)
{
	for (int moment = 0; moment < NAME_MOMENTS && count > 0; moment++)
	{
		for (size_t o = 0; o < sizeof(orders) / sizeof(orders[0]); o++)
		{
			if (infer_order(orders[o], (NameMoment) moment, names, fields, count, next, pattern))
				return true;
		}
	}
	return false;
}

void
name_default(const char *parent, const Period *period, const NameFields *first,
			 NamePattern *pattern)
{
	static const NamePart day[] = {NAME_MONTH, NAME_DAY, NAME_HOUR, NAME_MINUTE, NAME_SECOND};
	int			parts = 0;

	pattern->moment = NAME_OF_BEGIN;
	pattern->count = 0;
	add_literals(pattern, parent, (int) strlen(parent));
	add_part(pattern, NAME_LITERAL, '_');
	if (!first->is_calendar)
	{
		add_part(pattern, NAME_FROM, 1);
		return;
	}

	add_part(pattern, NAME_YEAR, 0);
	switch (period->unit)
	{
		case PERIOD_MONTHS:
			parts = period->count % 12 == 0 ? 0 : 1;
			if (period->count % 12 != 0 && period->count % 3 == 0)
			{
				add_part(pattern, NAME_LITERAL, 'q');
				add_part(pattern, NAME_QUARTER, 0);
				return;
			}
			break;
		case PERIOD_DAYS:
			parts = 2;
			break;
		case PERIOD_USECS:
			parts = period->count % INT64_C(3600000000) == 0 ? 3 :
				period->count % 60000000 == 0 ? 4 : 5;
			break;
		case PERIOD_STEP:
			break;
	}
	for (int i = 0; i < parts; i++)
	{
		add_part(pattern, NAME_LITERAL, '_');
		add_part(pattern, day[i], 0);
	}
}

/* FNV-1a */
static uint32_t
hash_text(const char *text, int length)
{
	uint32_t	hash = 2166136261u;

	for (int i = 0; i < length; i++)
		hash = (hash ^ (unsigned char) text[i]) * 16777619u;
	return hash;
}

void
name_build(const NamePattern *pattern, const NameFields *fields, NameClip clip,
		   char *name)
{
	char		whole[NAME_MOST_PARTS + 64 * ORDER_MOST];
	char		hash[16];
	int			head;
	int			length = build_whole(pattern, fields, whole, sizeof(whole), &head);
	int			tail;

	if (length <= NAME_BYTES)
	{
		strcpy(name, whole);
		return;
	}

	/* what tells it from its siblings stays, if there is room */
	if (head > 0 && (whole[head - 1] == '_' || whole[head - 1] == '-'))
		head--;
	tail = head < 0 ? 0 : length - head;
	if (tail > NAME_BYTES - 20)
	{
		tail = 0;
		head = length;
	}
	snprintf(hash, sizeof(hash), "_%08" PRIx32, hash_text(whole, head < 0 ? length : head));
	head = clip(whole, head < 0 ? length : head, NAME_BYTES - tail - (int) strlen(hash));
	memcpy(name, whole, head);
	strcpy(name + head, hash);
	strcat(name, whole + length - tail);
}

void
name_number(const char *name, int number, NameClip clip, char *result)
{
	char		suffix[16];
	int			length = (int) strlen(name);

	snprintf(suffix, sizeof(suffix), "_%d", number);
	if (length + (int) strlen(suffix) > NAME_BYTES)
		length = clip(name, length, NAME_BYTES - (int) strlen(suffix));
	memmove(result, name, length);
	strcpy(result + length, suffix);
}
