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

	return check_end();
}
