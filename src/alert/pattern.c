/*-------------------------------------------------------------------------
 *
 * pattern.c
 *		Which instances a rule is for.
 *
 * src/alert/pattern.c
 *
 *-------------------------------------------------------------------------
 */
#include "alert/pattern.h"

#include <stddef.h>

bool
pattern_matches(const char *pattern, const char *text)
{
	/* where to go on if what follows the last * does not match here */
	const char *after_star = NULL;
	const char *tried = NULL;

	for (;;)
	{
		if (*pattern == '*')
		{
			after_star = ++pattern;
			tried = text;

			continue;
		}
		if (*text == '\0' && *pattern == '\0')
			return true;
		if (*text != '\0')
		{
			const char *literal = pattern;

			if (*literal == '\\' && literal[1] != '\0')
				literal++;
			if (*literal == *text)
			{
				pattern = literal + 1;
				text++;

				continue;
			}
		}
		if (after_star == NULL || *tried == '\0')
			return false;
		pattern = after_star;
		text = ++tried;
	}
}

int
pattern_rank(const char *pattern)
{
	int			length = 0;
	bool		star = false;

	for (; *pattern != '\0'; pattern++, length++)
	{
		if (*pattern == '*')
			star = true;
		else if (*pattern == '\\' && pattern[1] != '\0')
			pattern++;
	}
	return star ? length : length + (1 << 30);
}
