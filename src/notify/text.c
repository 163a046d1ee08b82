/*-------------------------------------------------------------------------
 *
 * text.c
 *		Builds a text in a buffer of fixed size, escaped for where it goes.
 *
 * src/notify/text.c
 *
 *-------------------------------------------------------------------------
 */
#include "notify/text.h"

#include <stdio.h>
#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD"	/* U+FFFD */
#define ELLIPSIS "..."

/* what a line of a header may have (RFC 2047: 76 where it has encoded words) */
#define MAIL_LINE 76
#define ENCODED_WORD_BEGIN "=?UTF-8?B?"
#define ENCODED_WORD_END "?="

void
text_begin(Text *out, char *buffer, size_t size)
{
	out->data = buffer;
	out->length = 0;
	out->size = size;
	out->overflowed = false;
	buffer[0] = '\0';
}

void
text_add_bytes(Text *out, const char *bytes, size_t length)
{
	/* once something was left out, nothing may follow it */
	if (out->overflowed || length >= out->size - out->length)
	{
		out->overflowed = true;
		return;
	}
	memcpy(out->data + out->length, bytes, length);
	out->length += length;
	out->data[out->length] = '\0';
}

void
text_add(Text *out, const char *string)
{
	text_add_bytes(out, string, strlen(string));
}

void
text_add_number(Text *out, int64_t number)
{
	char		digits[24];

	snprintf(digits, sizeof(digits), "%lld", (long long) number);
	text_add(out, digits);
}

int
text_character_length(const char *string, const char *end)
{
	const unsigned char *s = (const unsigned char *) string;
	ptrdiff_t	left = end - string;

	if (left < 1)
		return 0;
	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xC2 && s[0] <= 0xDF)
		return left >= 2 && (s[1] & 0xC0) == 0x80 ? 2 : 0;
	if (s[0] >= 0xE0 && s[0] <= 0xEF)
	{
		if (left < 3 || (s[1] & 0xC0) != 0x80 || (s[2] & 0xC0) != 0x80)
			return 0;
		/* no second way to write a character, and no surrogates */
		if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F))
			return 0;
		return 3;
	}
	if (s[0] >= 0xF0 && s[0] <= 0xF4)
	{
		if (left < 4 || (s[1] & 0xC0) != 0x80 || (s[2] & 0xC0) != 0x80 ||
			(s[3] & 0xC0) != 0x80)
			return 0;
		if ((s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
			return 0;
		return 4;
	}
	return 0;
}

/* The code point of a valid character. */
static uint32_t
code_point(const char *string, int length)
{
	const unsigned char *s = (const unsigned char *) string;

	switch (length)
	{
		case 1:
			return s[0];
		case 2:
			return (uint32_t) (s[0] & 0x1F) << 6 | (s[1] & 0x3F);
		case 3:
			return (uint32_t) (s[0] & 0x0F) << 12 |
				(uint32_t) (s[1] & 0x3F) << 6 | (s[2] & 0x3F);
		default:
			return (uint32_t) (s[0] & 0x07) << 18 |
				(uint32_t) (s[1] & 0x3F) << 12 |
				(uint32_t) (s[2] & 0x3F) << 6 | (s[3] & 0x3F);
	}
}

/* Is it a control character, or one that would make text run backwards? */
static bool
is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7F && c < 0xA0) ||
		c == 0x2028 || c == 0x2029 ||	/* line and paragraph separators */
		(c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) ||
		c == 0x200E || c == 0x200F || c == 0xFEFF;
}

typedef void (*AddCharacter) (Text *out, const char *bytes, int length,
							  void *arg);

/*
 * Walks over at most `most` characters of the string and gives each, valid, to
 * the function; says by "..." that there were more.
 */
static void
each_character(Text *out, const char *string, size_t most, AddCharacter add,
			   void *arg)
{
	const char *end = string + strlen(string);
	const char *place = string;
	size_t		count = 0;

	/* would it fit whole?  If not, the dots are part of what fits. */
	for (const char *p = string; p < end && count <= most; count++)
	{
		int			length = text_character_length(p, end);

		p += length > 0 ? length : 1;
	}
	if (count > most)
		most = most > strlen(ELLIPSIS) ? most - strlen(ELLIPSIS) : 0;

	for (size_t i = 0; place < end && i < most; i++)
	{
		int			length = text_character_length(place, end);

		if (length > 0)
			add(out, place, length, arg);
		else
			add(out, REPLACEMENT, (int) strlen(REPLACEMENT), arg);
		place += length > 0 ? length : 1;
	}
	if (place < end)
	{
		for (const char *dot = ELLIPSIS; *dot != '\0'; dot++)
			add(out, dot, 1, arg);
	}
}

static void
add_plain(Text *out, const char *bytes, int length, void *arg)
{
	const bool *lines = arg;

	if (*lines && bytes[0] == '\n')
		text_add_bytes(out, "\n", 1);
	else if (is_control(code_point(bytes, length)))
		text_add_bytes(out, " ", 1);
	else
		text_add_bytes(out, bytes, (size_t) length);
}

void
text_add_plain(Text *out, const char *string, size_t most, bool lines)
{
	each_character(out, string, most, add_plain, &lines);
}

static void
add_json(Text *out, const char *bytes, int length, void *arg)
{
	const bool *ascii = arg;
	uint32_t	c = code_point(bytes, length);
	char		escape[16];

	if (c == '"' || c == '\\')
	{
		text_add_bytes(out, bytes[0] == '"' ? "\\\"" : "\\\\", 2);
		return;
	}
	if (c == '\n')
	{
		text_add_bytes(out, "\\n", 2);
		return;
	}
	if (!is_control(c) && (c < 0x80 || !*ascii))
	{
		text_add_bytes(out, bytes, (size_t) length);
		return;
	}
	if (c >= 0x10000)
		snprintf(escape, sizeof(escape), "\\u%04x\\u%04x",
				 (unsigned) (0xD800 + ((c - 0x10000) >> 10)),
				 (unsigned) (0xDC00 + ((c - 0x10000) & 0x3FF)));
	else
		snprintf(escape, sizeof(escape), "\\u%04x", (unsigned) c);
	text_add(out, escape);
}

void
text_add_json(Text *out, const char *string, size_t most, bool ascii)
{
	each_character(out, string, most, add_json, &ascii);
}

/* The name of a field; a comma before it unless it is the first. */
static void
begin_field(Text *out, const char *name)
{
	char		last = out->length > 0 ? out->data[out->length - 1] : '{';

	if (last != '{' && last != '[')
		text_add(out, ",");
	text_add(out, "\"");
	text_add_json(out, name, 256, false);
	text_add(out, "\":");
}

void
text_add_json_field(Text *out, const char *name, const char *value,
					size_t most)
{
	begin_field(out, name);
	text_add(out, "\"");
	text_add_json(out, value, most, false);
	text_add(out, "\"");
}

void
text_add_json_raw(Text *out, const char *name, const char *json)
{
	begin_field(out, name);
	text_add(out, json != NULL ? json : "null");
}

static void
add_form(Text *out, const char *bytes, int length, void *arg)
{
	static const char digits[] = "0123456789ABCDEF";

	(void) arg;
	for (int i = 0; i < length; i++)
	{
		unsigned char c = (unsigned char) bytes[i];
		char		escape[3] = {'%', digits[c >> 4], digits[c & 0x0F]};

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || strchr("-._~", c) != NULL)
			text_add_bytes(out, bytes + i, 1);
		else
			text_add_bytes(out, escape, 3);
	}
}

void
text_add_form(Text *out, const char *string, size_t most)
{
	each_character(out, string, most, add_form, NULL);
}

static void
add_slack(Text *out, const char *bytes, int length, void *arg)
{
	bool		ascii = false;

	(void) arg;
	if (bytes[0] == '&')
		text_add(out, "&amp;");
	else if (bytes[0] == '<')
		text_add(out, "&lt;");
	else if (bytes[0] == '>')
		text_add(out, "&gt;");
	else
		add_json(out, bytes, length, &ascii);
}

void
text_add_slack(Text *out, const char *string, size_t most)
{
	each_character(out, string, most, add_slack, NULL);
}

static const char base64[] =
"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void
add_base64(Text *out, const char *bytes, size_t length)
{
	const unsigned char *s = (const unsigned char *) bytes;

	for (size_t i = 0; i < length; i += 3)
	{
		uint32_t	group = (uint32_t) s[i] << 16;
		char		quad[4];

		if (i + 1 < length)
			group |= (uint32_t) s[i + 1] << 8;
		if (i + 2 < length)
			group |= s[i + 2];
		quad[0] = base64[group >> 18];
		quad[1] = base64[group >> 12 & 0x3F];
		quad[2] = i + 1 < length ? base64[group >> 6 & 0x3F] : '=';
		quad[3] = i + 2 < length ? base64[group & 0x3F] : '=';
		text_add_bytes(out, quad, 4);
	}
}

void
text_add_base64_lines(Text *out, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i += 57)
	{
		add_base64(out, bytes + i, length - i < 57 ? length - i : 57);
		text_add(out, "\r\n");
	}
}

/* Words cut between characters, each as long as a line with it may be. */
static void
add_encoded_words(Text *out, const char *value, size_t column)
{
	const char *end = value + strlen(value);

	while (value < end)
	{
		const char *cut = value;
		size_t		most = MAIL_LINE - column -
		strlen(ENCODED_WORD_BEGIN ENCODED_WORD_END);

		while (cut < end)
		{
			int			length = text_character_length(cut, end);

			/* the value was cleaned, so each is valid */
			length = length > 0 ? length : 1;
			if ((size_t) (cut + length - value) > most / 4 * 3)
				break;
			cut += length;
		}
		text_add(out, ENCODED_WORD_BEGIN);
		add_base64(out, value, (size_t) (cut - value));
		text_add(out, ENCODED_WORD_END);
		if (cut < end)
			text_add(out, "\r\n ");
		column = 1;
		value = cut;
	}
}

/* Plain ASCII, folded at blanks where a line would be too long. */
static void
add_folded(Text *out, const char *value, size_t column)
{
	while (*value != '\0')
	{
		size_t		blanks = strspn(value, " ");
		size_t		word = blanks + strcspn(value + blanks, " ");

		/* a line of blanks alone would end the headers for some */
		if (blanks > 0 && word > blanks && column + word > MAIL_LINE &&
			column > 1)
		{
			text_add(out, "\r\n");
			column = 0;
		}
		text_add_bytes(out, value, word);
		column += word;
		value += word;
	}
}

void
text_add_mail_header(Text *out, const char *name, const char *value,
					 size_t most)
{
	char		cleaned[4096];
	Text		clean;
	bool		plain = true;
	size_t		word = 0;

	text_begin(&clean, cleaned, sizeof(cleaned));
	text_add_plain(&clean, value, most, false);
	for (size_t i = 0; i < clean.length && plain; i++)
	{
		word = cleaned[i] == ' ' ? 0 : word + 1;
		/* no line may be longer than 998, and "=?" would be decoded */
		if ((unsigned char) cleaned[i] >= 0x80 || word > 200 ||
			(cleaned[i] == '=' && cleaned[i + 1] == '?'))
			plain = false;
	}

	text_add(out, name);
	text_add(out, ": ");
	if (plain)
		add_folded(out, cleaned, strlen(name) + 2);
	else
		add_encoded_words(out, cleaned, strlen(name) + 2);
	text_add(out, "\r\n");
}

bool
text_is_json_number(const char *string)
{
	const char *s = string;

	if (*s == '-')
		s++;
	if (*s == '0')
		s++;
	else if (*s >= '1' && *s <= '9')
		s += strspn(s, "0123456789");
	else
		return false;
	if (*s == '.')
	{
		size_t		digits = strspn(s + 1, "0123456789");

		if (digits == 0)
			return false;
		s += 1 + digits;
	}
	if (*s == 'e' || *s == 'E')
	{
		size_t		digits;

		s++;
		if (*s == '+' || *s == '-')
			s++;
		digits = strspn(s, "0123456789");
		if (digits == 0)
			return false;
		s += digits;
	}
	return *s == '\0';
}
