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
#include <stddef.h>
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
	/* where a text is changed in its own memory, they overlap */
	memmove(s->out, s->at, length);
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

/* Does a string that begins here have escapes, as E'...' has? */
static bool
follows_e(const Scanner *s)
{
	return (written(s, 0) == 'E' || written(s, 0) == 'e') &&
		!continues_identifier(written(s, 1));
}

/* A quoted string or identifier; a doubled quote is the next one's beginning. */
static void
copy_quoted(Scanner *s)
{
	char		quote = *s->at;
	bool		escapes = quote == '\'' && follows_e(s);

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

/* Comments between stars become a space, so that what follows is no other word. */
static void
skip_comment(Scanner *s)
{
	int			depth = 0;

	do
	{
		bool		begins = looking_at(s, "/*", 2);

		if (begins || looking_at(s, "*/", 2))
		{
			depth += begins ? 1 : -1;
			s->at += 2;
		}
		else
			s->at++;
	} while (depth > 0 && s->at < s->end);
	if (s->out > s->start && !is_blank(written(s, 0)))
		*s->out++ = ' ';
	else if (s->at < s->end && is_blank(*s->at))
		s->at++;
}

/* Writes a string that says nothing for what goes up to there. */
static void
replace(Scanner *s, const char *end, bool closed)
{
	static const char hidden[] = "'?'";
	size_t		length = (size_t) (end - s->at);

	if (closed && length == 2)
	{
		/* there is nothing in it */
		copy(s, length);
		return;
	}
	s->at = end;
	if (length > strlen(hidden))
		length = strlen(hidden);
	memcpy(s->out, hidden, length);
	s->out += length;
}

/*
 * Where standard_conforming_strings is off, a backslash before a quote keeps
 * the string open; a text does not say, so what follows counts as part of it.
 */
static void
hide_string(Scanner *s)
{
	bool		escapes = follows_e(s);
	bool		closed = false;
	const char *at = s->at + 1;

	while (at < s->end && !closed)
	{
		bool		last = s->end - at == 1;

		if (*at == '\\' && !last && escapes)
			at += 2;
		else if (*at == '\\' && !last && at[1] == '\'')
			at = s->end;
		else if (*at == '\'' && !last && at[1] == '\'')
			at += 2;
		else if (*at == '\'' && s->end - at > 2 && at[1] == '\n' && at[2] == '\'')
			at += 3;			/* it goes on in the next line */
		else
			closed = *at++ == '\'';
	}
	replace(s, at, closed);
}

static void
hide_dollar_quoted(Scanner *s, size_t length)
{
	const char *at = s->at + length;

	while ((size_t) (s->end - at) >= length && memcmp(at, s->at, length) != 0)
		at++;
	replace(s, (size_t) (s->end - at) >= length ? at + length : s->end, false);
}

/* Is that the last word that was written, in any case? */
static bool
wrote_word(const Scanner *s, const char *end, const char *word)
{
	size_t		length = strlen(word);

	if ((size_t) (end - s->start) < length ||
		(end - s->start > (ptrdiff_t) length && continues_identifier(end[-1 - (ptrdiff_t) length])))
		return false;
	for (size_t i = 0; i < length; i++)
	{
		if ((end[(ptrdiff_t) i - (ptrdiff_t) length] | 0x20) != word[i])
			return false;
	}
	return true;
}

/* Is what comes next, in a text with SET, the value of a setting? */
static bool
value_follows(const Scanner *s)
{
	const char *end = s->out;

	while (end > s->start && is_blank(end[-1]))
		end--;
	return end > s->start && (end[-1] == '=' || end[-1] == ',' || wrote_word(s, end, "to"));
}

/* A setting takes its value in double quotes, too. */
static void
hide_identifier(Scanner *s)
{
	const char *at = s->at + 1;

	while (at < s->end && (*at != '"' || (s->end - at > 1 && at[1] == '"')))
		at += *at == '"' ? 2 : 1;
	replace(s, at < s->end ? at + 1 : at, at < s->end);
}

/* Does the text begin with a word of what has a plan? */
static bool
has_plan(const char *line, size_t length)
{
	static const char *const words[] = {
		"select", "insert", "update", "delete", "merge", "with", "values", "table",
	};
	char		blank[1];
	Scanner		s = {line, line + length, blank, blank};
	size_t		word = 0;

	while (s.at < s.end && (is_blank(*s.at) || *s.at == '(' || looking_at(&s, "/*", 2)))
	{
		if (looking_at(&s, "/*", 2))
			skip_comment(&s);
		else
			s.at++;
	}
	while (s.at + word < s.end && continues_identifier(s.at[word]))
		word++;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
	{
		size_t		same = 0;

		while (same < word && words[i][same] != '\0' &&
			   (s.at[same] | 0x20) == words[i][same])
			same++;
		if (same == word && words[i][same] == '\0')
			return word > 0;
	}
	return false;
}

size_t
query_text_hide(char *line, size_t length)
{
	Scanner		s = {line, line + length, line, line};
	bool		sets = false;

	if (has_plan(line, length))
		return length;
	while (s.at < s.end)
	{
		size_t		dollar = dollar_quote_length(&s);

		if (*s.at == '\'')
			hide_string(&s);
		else if (*s.at == '"' && sets && value_follows(&s))
			hide_identifier(&s);
		else if (*s.at == '"')
			copy_quoted(&s);
		else if (looking_at(&s, "/*", 2))
			skip_comment(&s);
		else if (dollar > 0)
			hide_dollar_quoted(&s, dollar);
		else
		{
			/* of a word that ends here */
			sets = sets || (!continues_identifier(*s.at) && wrote_word(&s, s.out, "set"));
			copy(&s, 1);
		}
	}
	return (size_t) (s.out - s.start);
}
