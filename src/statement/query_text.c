/*-------------------------------------------------------------------------
 *
 * query_text.c
 *	  The text of a statement on one line.
 *
 * Pure: no server header, no memory.  The rules are those of PostgreSQL's
 * scan.l for white space, comments and quotes; what is not closed reaches to
 * the end.
 *
 * src/statement/query_text.c
 *
 *-------------------------------------------------------------------------
 */
#include "query_text.h"

#include <stdbool.h>
#include <string.h>

typedef struct Scanner
{
	const char *at;
	const char *end;
	char	   *start;			/* of what was written */
	char	   *out;
} Scanner;

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
continues_identifier(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9') || c == '_' || c == '$' || (c & 0x80) != 0;
}

/* Do the next bytes begin so? */
static bool
looking_at(const Scanner *s, const char *what, size_t length)
{
	return (size_t) (s->end - s->at) >= length && memcmp(s->at, what, length) == 0;
}

/* The last byte that was written, past some; 0 where there is none. */
static char
written(const Scanner *s, int back)
{
	return s->out - s->start > back ? s->out[-1 - back] : '\0';
}

static void
copy(Scanner *s, size_t length)
{
	if (length > (size_t) (s->end - s->at))
		length = (size_t) (s->end - s->at);
	memcpy(s->out, s->at, length);
	s->out += length;
	s->at += length;
}

/* White space and line comments become one space. */
static void
copy_blanks(Scanner *s)
{
	bool		newline = false;

	while (s->at < s->end)
	{
		if (looking_at(s, "--", 2))
		{
			while (s->at < s->end && *s->at != '\n' && *s->at != '\r')
				s->at++;
		}
		else if (is_blank(*s->at))
		{
			newline = newline || *s->at == '\n' || *s->at == '\r';
			s->at++;
		}
		else
			break;
	}
	if (s->out == s->start || s->at == s->end)
		return;
	/* two strings on two lines are one; on one line they are an error */
	*s->out++ = newline && written(s, 0) == '\'' && *s->at == '\'' ? '\n' : ' ';
}

/* A quoted string or identifier; a doubled quote is the next one's beginning. */
static void
copy_quoted(Scanner *s)
{
	char		quote = *s->at;
	bool		escapes = quote == '\'' &&
	(written(s, 0) == 'E' || written(s, 0) == 'e') &&
	!continues_identifier(written(s, 1));

	copy(s, 1);
	while (s->at < s->end)
	{
		if (*s->at == '\\' && escapes)
			copy(s, 2);
		else if (*s->at == quote && escapes && s->end - s->at > 1 && s->at[1] == quote)
			copy(s, 2);
		else if (*s->at == quote)
		{
			copy(s, 1);
			return;
		}
		else
			copy(s, 1);
	}
}

/* The length of a dollar quote that begins here; 0 if none does. */
static size_t
dollar_quote_length(const Scanner *s)
{
	const char *at = s->at + 1;

	if (*s->at != '$' || continues_identifier(written(s, 0)))
		return 0;
	if (at < s->end && *at >= '0' && *at <= '9')
		return 0;
	while (at < s->end && *at != '$' && continues_identifier(*at))
		at++;
	return at < s->end && *at == '$' ? (size_t) (at + 1 - s->at) : 0;
}

static void
copy_dollar_quoted(Scanner *s, size_t length)
{
	const char *quote = s->at;

	copy(s, length);
	while (s->at < s->end && !looking_at(s, quote, length))
		copy(s, 1);
	copy(s, length);
}

/* Comments between stars are kept: they may be hints.  They nest. */
static void
copy_comment(Scanner *s)
{
	int			depth = 0;

	do
	{
		if (looking_at(s, "/*", 2))
		{
			depth++;
			copy(s, 2);
		}
		else if (looking_at(s, "*/", 2))
		{
			depth--;
			copy(s, 2);
		}
		else if (is_blank(*s->at))
		{
			if (!is_blank(written(s, 0)))
				*s->out++ = ' ';
			s->at++;
		}
		else
			copy(s, 1);
	} while (depth > 0 && s->at < s->end);
}

size_t
query_text_normalize(const char *query, size_t length, char *out)
{
	Scanner		s = {query, query + length, out, out};

	while (s.at < s.end)
	{
		size_t		dollar = dollar_quote_length(&s);

		if (is_blank(*s.at) || looking_at(&s, "--", 2))
			copy_blanks(&s);
		else if (*s.at == '\'' || *s.at == '"')
			copy_quoted(&s);
		else if (looking_at(&s, "/*", 2))
			copy_comment(&s);
		else if (dollar > 0)
			copy_dollar_quoted(&s, dollar);
		else
			copy(&s, 1);
	}
	return (size_t) (s.out - s.start);
}
