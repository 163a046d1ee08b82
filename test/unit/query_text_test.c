/*-------------------------------------------------------------------------
 *
 * query_text_test.c
 *	  What becomes of a statement's white space, comments and quotes; prints
 *	  TAP.  Needs no server:
 *
 *	  cc -g -fsanitize=address,undefined test/unit/query_text_test.c \
 *		 src/statement/query_text.c -o query_text_test && ./query_text_test
 *
 *	  Random data comes from a fixed seed, or from the one given as argument.
 *
 *-------------------------------------------------------------------------
 */
#include "statement/query_text.h"
#include "check.h"

/* Normalize memory of exactly this size, so that a read beyond it shows. */
static char *
normalize(const char *text, size_t length)
{
	char	   *in = malloc(length ? length : 1);
	char	   *out = malloc(length ? length : 1);
	char	   *result;
	size_t		written;

	memcpy(in, text, length);
	written = query_text_normalize(length ? in : in + 1, length, out);
	if (written > length)
		abort();
	result = malloc(written + 1);
	memcpy(result, out, written);
	result[written] = '\0';
	free(in);
	free(out);
	return result;
}

/* Hide what is in memory of exactly this size. */
static char *
hide(const char *text)
{
	char	   *line = normalize(text, strlen(text));
	size_t		length = strlen(line);
	char	   *exact = malloc(length ? length : 1);
	char	   *result = malloc(length + 1);
	size_t		left;

	memcpy(exact, line, length);
	left = query_text_hide(exact, length);
	if (left > length)
		abort();
	memcpy(result, exact, left);
	result[left] = '\0';
	free(exact);
	free(line);
	return result;
}

static void
hides(const char *text, const char *expected, const char *name)
{
	char	   *got = hide(text);
	int			same = strcmp(got, expected) == 0;

	printf("%s %d - %s\n", same ? "ok" : "not ok", ++tests, name);
	if (!same)
		printf("# got [%s], expected [%s]\n", got, expected);
	failures += !same;
	free(got);
}

static void
is(const char *text, const char *expected, const char *name)
{
	char	   *got = normalize(text, strlen(text));
	int			same = strcmp(got, expected) == 0;

	printf("%s %d - %s\n", same ? "ok" : "not ok", ++tests, name);
	if (!same)
		printf("# got [%s], expected [%s]\n", got, expected);
	failures += !same;
	free(got);
}

/* Texts of the characters that matter: bounded, and normal when normalized. */
static void
test_fuzz(void)
{
	static const char alphabet[] = "'\"$aE-/* \n\t\\1_;\xc3";
	int			broken = 0;

	for (int round = 0; round < 300000; round++)
	{
		char		text[40];
		size_t		length = next_random() % sizeof(text);
		char	   *once;
		char	   *twice;

		for (size_t i = 0; i < length; i++)
			text[i] = alphabet[next_random() % (sizeof(alphabet) - 1)];

		once = normalize(text, length);
		twice = normalize(once, strlen(once));
		if (strcmp(once, twice) != 0 && broken++ < 5)
			printf("# [%.*s] becomes [%s], then [%s]\n", (int) length, text, once, twice);
		free(once);
		free(twice);
	}
	printf("%s %d - what is normal stays as it is\n", broken ? "not ok" : "ok", ++tests);
	failures += broken != 0;
}

/*
 * A constant of any bytes, told by either way to write one, or the value of a
 * setting in double quotes, leaves nothing of itself; cut anywhere, too.
 */
static void
test_secrets(void)
{
	static const char alphabet[] = "'\"$aE-/* \n\\1_;";
	static const char *const before[] = {
		"ALTER ROLE x PASSWORD ", "DO ", "/* c */ CALL p(1,", "SET a TO b; DO\n", "COPY \"o'k\" FROM -- it's\n",
	};
	int			broken = 0;

	for (int round = 0; round < 200000; round++)
	{
		char		text[200];
		size_t		length;
		size_t		inside = next_random() % 30;
		int			way = (int) (next_random() % 4);
		char	   *got;

		strcpy(text, way == 3 ? "SET a.b TO " : before[next_random() % 5]);
		strcat(text, way == 0 ? "'" : way == 1 ? "E'" : way == 2 ? "$q$" : "\"");
		length = strlen(text);
		for (size_t i = 0; i < inside; i++)
		{
			char		c = next_random() % 3 == 0 ? '#' :
			alphabet[next_random() % (sizeof(alphabet) - 1)];

			if (way < 2 && c == '\'')
				text[length++] = '\'';
			else if (way == 1 && c == '\\')
				text[length++] = '\\';
			else if (way == 2 && c == '$')
				c = '#';
			else if (way == 3 && c == '"')
				text[length++] = '"';
			text[length++] = c;
		}
		strcpy(text + length, way < 2 ? "', 1)" : way == 2 ? "$q$, 1)" : "\", 1)");
		length = strlen(text);
		if (next_random() % 4 == 0)
			text[length - next_random() % 10] = '\0';
		got = hide(text);
		if (strchr(got, '#') != NULL)
		{
			if (broken++ < 5)
				printf("# [%s] becomes [%s]\n", text, got);
		}
		free(got);
	}
	printf("%s %d - nothing is left of a constant\n", broken ? "not ok" : "ok", ++tests);
	failures += broken != 0;
}

int
main(int argc, char **argv)
{
	check_begin(argc, argv);

	is("", "", "nothing");
	is(" \n\t ", "", "white space alone");
	is("  SELECT\n\t 1  ,\r\n\f\v2 \n", "SELECT 1 , 2", "white space");
	is("SELECT 1 -- one\n , 2--two", "SELECT 1 , 2", "line comments");
	is("-- first\nSELECT 1", "SELECT 1", "a comment before");
	is("SELECT 1 - -1, 2 -1", "SELECT 1 - -1, 2 -1", "minus signs");
	is("SELECT /* a  \n b */ 1", "SELECT /* a b */ 1", "comments between stars stay");
	is("SELECT /* a /* b */ '  c */ '  d'", "SELECT /* a /* b */ ' c */ '  d'", "they nest");
	is("SELECT '/*  --  ' ,  2", "SELECT '/*  --  ' , 2", "strings are left alone");
	is("SELECT 'it''s  so'  ,  1", "SELECT 'it''s  so' , 1", "doubled quotes");
	is("SELECT \"a  \"\"b  -- \"  ,  1", "SELECT \"a  \"\"b  -- \" , 1", "identifiers");
	is("SELECT 'a\\'  ,  'b'", "SELECT 'a\\' , 'b'", "a backslash is one");
	is("SELECT E'a\\'  --b'  ,  1", "SELECT E'a\\'  --b' , 1", "but not in an escape string");
	is("SELECT E'a''  --b'  ,  1", "SELECT E'a''  --b' , 1", "where quotes double, too");
	is("SELECT xE'a\\'  ,  'b'", "SELECT xE'a\\' , 'b'", "which begins a word");
	is("SELECT 'a'\n  'b'", "SELECT 'a'\n'b'", "a string on two lines");
	is("SELECT 'a' -- c\n  'b'", "SELECT 'a'\n'b'", "with a comment");
	is("SELECT 'a'  'b'", "SELECT 'a' 'b'", "on one line it is an error before and after");
	is("DO $$ a  -- b\n $$  ,  1", "DO $$ a  -- b\n $$ , 1", "dollar quotes");
	is("DO $x$ a  $$  b $x$  ,  1", "DO $x$ a  $$  b $x$ , 1", "with a tag");
	is("SELECT $1  ,  $2  -- $$", "SELECT $1 , $2", "parameters are none");
	is("SELECT a$$  ,  b$$", "SELECT a$$ , b$$", "nor are dollars in a word");
	is("SELECT 'open  end", "SELECT 'open  end", "an open string");
	is("SELECT $$open  end", "SELECT $$open  end", "an open dollar quote");
	is("SELECT /* open  end", "SELECT /* open end", "an open comment");
	is("SELECT 1 /", "SELECT 1 /", "a lone slash");
	is("SELECT E'\\", "SELECT E'\\", "a lone backslash");
	is("SELECT '\xc3\xa9  \xc3\xa9'  ,  \xc3\xa9", "SELECT '\xc3\xa9  \xc3\xa9' , \xc3\xa9", "other letters");
	test_fuzz();

	hides("SELECT 'a', $1", "SELECT 'a', $1", "what has a plan stays as it is");
	hides(" ((wITh x AS (SELECT E'a') TABLE x))", "((wITh x AS (SELECT E'a') TABLE x))", "in parentheses, in any case");
	hides("/* c */ VALUES ('a')", "/* c */ VALUES ('a')", "after a comment");
	hides("SELECTED 'a'", "SELECTED '?'", "another word does not");
	hides("TABLE$1 'a'", "TABLE$1 '?'", "nor one that goes on");
	hides("SEL\x0c" "CT 'a'", "SEL CT '?'", "nor half a word");
	hides("'a'", "'?'", "nor a constant");
	hides("", "", "nor nothing");
	hides("EXPLAIN SELECT 'a', \"b\", 1", "EXPLAIN SELECT '?', \"b\", 1", "constants of EXPLAIN");
	hides("ALTER ROLE x PASSWORD 'it''s' VALID UNTIL ''", "ALTER ROLE x PASSWORD '?' VALID UNTIL ''", "a password");
	hides("ALTER ROLE x PASSWORD 'open", "ALTER ROLE x PASSWORD '?'", "one that is cut");
	hides("ALTER ROLE x PASSWORD 'o", "ALTER ROLE x PASSWORD '?", "to the last byte");
	hides("ALTER ROLE x PASSWORD '", "ALTER ROLE x PASSWORD '", "before the first");
	hides("DO $$ BEGIN PERFORM f('s'); END $$", "DO '?'", "the body of DO");
	hides("DO LANGUAGE plpgsql $a$ $$s$$ $b$ $a$ ", "DO LANGUAGE plpgsql '?'", "by its tag");
	hides("DO $a$ open $a", "DO '?'", "with half a tag");
	hides("DO 'BEGIN f(''s''); END'", "DO '?'", "as a string");
	hides("CALL p(E'a\\'b', 'c', U&'\\0441', B'1', n'x')", "CALL p(E'?', '?', U&'?', B'?', n'?')", "all kinds of strings");
	hides("CALL p(e'a\\\\', 'c')", "CALL p(e'?', '?')", "a backslash that is one");
	hides("SET x = 'a\\'s', 'b'", "SET x = '?'", "where the setting says whether a string ends, all the rest");
	hides("SET x = 'a\\\\b', 'c'", "SET x = '?', '?'", "but not for any backslash");
	hides("SET x = 'a'\n 'b', c", "SET x = '?', c", "a string on two lines");
	hides("SET x = E'a' --c\n 'b\\'c', 'd'", "SET x = E'?', '?'", "with escapes in both");
	hides("ALTER TABLE \"a'b\" RENAME TO \"c\"", "ALTER TABLE \"a'b\" RENAME TO \"c\"", "quotes in an identifier");
	hides("SET x = \"a'b\", 'c'", "SET x = '?', '?'", "a setting's value in double quotes");
	hides("set \"x\".y to \"a\"\"b\" , \"c", "set \"x\".y to '?' , '?", "in any case, a list, one that is cut");
	hides("ALTER ROLE \"x\" SET \"y.z\" TO\"abc\"", "ALTER ROLE \"x\" SET \"y.z\" TO'?'", "of a role");
	hides("SET x = \"", "SET x = '", "before the first byte of one");
	hides("ALTER TABLE \"reset\" OWNER TO \"set\"", "ALTER TABLE \"reset\" OWNER TO \"set\"", "another word is not SET");
	hides("SET x = a/* PASSWORD 's' /* it's */ */$$b$$", "SET x = a '?'", "a comment is a space");
	hides("/* 'a' */ SET x = y -- 'b'", "SET x = y", "comments go");
	hides("SET x = a$$s$$", "SET x = a$$s$$", "dollars in a word are none");
	hides("SET x /* open 's'", "SET x ", "an open comment");
	test_secrets();

	return check_end();
}
