/*-------------------------------------------------------------------------
 *
 * name_test.c
 *	  Names of partitions: patterns found and continued, names cut; prints
 *	  TAP.  Linked with src/partition/name.c and src/partition/grid.c, needs no
 *	  server:
 *
 *	  cc -g -fsanitize=address,undefined -Isrc test/unit/name_test.c \
 *		 src/partition/name.c src/partition/grid.c -o name_test && ./name_test
 *
 *-------------------------------------------------------------------------
 */
#include "partition/name.h"
#include "check.h"

static int
clip_utf8(const char *text, int length, int limit)
{
	if (length <= limit)
		return length;
	while (limit > 0 && ((unsigned char) text[limit] & 0xC0) == 0x80)
		limit--;
	return limit;
}

static NameFields
on(int year, int month, int day, int hour)
{
	NameFields	fields = {true, 0, 0, 0, false, 0};

	fields.local = calendar_days(year, month, day) * USECS_A_DAY + hour * INT64_C(3600000000);
	return fields;
}

/* Of a range from the one day to the other. */
static NameFields
days(int year, int month, int day, int to_year, int to_month, int to_day)
{
	NameFields	fields = on(year, month, day, 0);

	fields.local_end = on(to_year, to_month, to_day, 0).local;
	return fields;
}

static NameFields
ids(int64_t from, int64_t to)
{
	NameFields	fields = {false, 0, from, to, true, 0};

	return fields;
}

/* Two names and their fields; what the third is called. */
static void
continues(const char *first, NameFields a, const char *second, NameFields b,
		  NameFields next, const char *wanted)
{
	const char *names[] = {first, second};
	NameFields	fields[] = {a, b};
	NamePattern pattern;
	char		built[NAME_BYTES + 1] = "no pattern";

	if (name_infer(names, fields, 2, &next, &pattern))
		name_build(&pattern, &next, clip_utf8, built);
	CHECK(strcmp(built, wanted) == 0, "\"%s\" instead of \"%s\"", built, wanted);

	/* the last one alone says as much */
	if (wanted[0] != 'n' && name_infer(names + 1, fields + 1, 1, &next, &pattern))
	{
		name_build(&pattern, &next, clip_utf8, built);
		CHECK(strcmp(built, wanted) == 0, "alone: \"%s\" instead of \"%s\"", built, wanted);
	}
}

static void
patterns(void)
{
	continues("t_2026_01", on(2026, 1, 1, 0), "t_2026_02", on(2026, 2, 1, 0), on(2026, 3, 1, 0), "t_2026_03");
	continues("t_p2026_01", on(2026, 1, 1, 0), "t_p2026_02", on(2026, 2, 1, 0), on(2027, 12, 1, 0), "t_p2027_12");
	continues("t202611", on(2026, 11, 1, 0), "t202612", on(2026, 12, 1, 0), on(2027, 1, 1, 0), "t202701");
	continues("t-2026-01-30x", on(2026, 1, 30, 0), "t-2026-01-31x", on(2026, 1, 31, 0), on(2026, 2, 1, 0), "t-2026-02-01x");
	continues("t2024_2026_01", on(2026, 1, 1, 0), "t2024_2026_02", on(2026, 2, 1, 0), on(2026, 3, 1, 0), "t2024_2026_03");
	continues("t_y2026m01", on(2026, 1, 1, 0), "t_y2026m02", on(2026, 2, 1, 0), on(2026, 3, 1, 0), "t_y2026m03");
	continues("t_2025q4", on(2025, 10, 1, 0), "t_2026q1", on(2026, 1, 1, 0), on(2026, 4, 1, 0), "t_2026q2");
	continues("t_2020w53", on(2020, 12, 28, 0), "t_2021w01", on(2021, 1, 4, 0), on(2021, 1, 11, 0), "t_2021w02");
	continues("t_2025", on(2025, 1, 1, 0), "t_2026", on(2026, 1, 1, 0), on(2027, 1, 1, 0), "t_2027");
	continues("jan_2026", on(2026, 1, 1, 0), "feb_2026", on(2026, 2, 1, 0), on(2026, 3, 1, 0), "mar_2026");
	continues("t_2026Jan", on(2026, 1, 1, 0), "t_2026Feb", on(2026, 2, 1, 0), on(2026, 3, 1, 0), "t_2026Mar");
	continues("t_20260131_22", on(2026, 1, 31, 22), "t_20260131_23", on(2026, 1, 31, 23), on(2026, 2, 1, 0), "t_20260201_00");
	continues("t_2601", on(2026, 1, 1, 0), "t_2602", on(2026, 2, 1, 0), on(2026, 3, 1, 0), "t_2603");
	continues("t_0", ids(0, 1000), "t_1000", ids(1000, 2000), ids(2000, 3000), "t_2000");
	continues("t_0_1000", ids(0, 1000), "t_1000_2000", ids(1000, 2000), ids(2000, 3000), "t_2000_3000");
	continues("t_000100", ids(100, 200), "t_000200", ids(200, 300), ids(300, 400), "t_000300");
	continues("t_m1000", ids(-1000, 0), "t_0", ids(0, 1000), ids(1000, 2000), "t_1000");
	continues("\xC3\xA9t\xC3\xA9_2026_01", on(2026, 1, 1, 0), "\xC3\xA9t\xC3\xA9_2026_02", on(2026, 2, 1, 0), on(2026, 3, 1, 0), "\xC3\xA9t\xC3\xA9_2026_03");

	/* too little, or nothing that goes on */
	continues("t_2026_a", on(2026, 1, 1, 0), "t_2026_b", on(2026, 2, 1, 0), on(2026, 3, 1, 0), "no pattern");
	continues("old", on(2026, 1, 1, 0), "new", on(2026, 2, 1, 0), on(2026, 3, 1, 0), "no pattern");
	continues("other", on(2026, 1, 1, 0), "t_2026_02", on(2026, 2, 1, 0), on(2026, 3, 1, 0), "no pattern");
	continues("", on(2026, 1, 1, 0), "", on(2026, 2, 1, 0), on(2026, 3, 1, 0), "no pattern");
}

static void
names_of_ends(void)
{
	const char *names[] = {"t_20261201"};
	NameFields	november = days(2026, 11, 1, 2026, 12, 1);
	NameFields	december = days(2026, 12, 1, 2027, 1, 1);
	NamePattern pattern;

	continues("t_20261101", days(2026, 10, 1, 2026, 11, 1), "t_20261201", november, december, "t_20270101");
	continues("t_2026_11", days(2026, 10, 1, 2026, 11, 1), "t_2026_12", november, december, "t_2027_01");
	continues("t_20261031", days(2026, 10, 1, 2026, 11, 1), "t_20261130", november, december, "t_20261231");
	continues("t_2026_10_04", days(2026, 9, 28, 2026, 10, 5), "t_2026_10_11", days(2026, 10, 5, 2026, 10, 12), days(2026, 10, 12, 2026, 10, 19), "t_2026_10_18");

	/*
	 * what may be either is of the beginning, and one alone says nothing of
	 * ends
	 */
	continues("t_2026_10", days(2026, 10, 1, 2026, 11, 1), "t_2026_11", november, december, "t_2026_12");
	CHECK(!name_infer(names, &november, 1, &december, &pattern), "one name is enough");
}

static void
one_name_that_changed(void)
{
	const char *names[] = {"t_2026_01", "renamed", "t_2026_03"};
	NameFields	fields[] = {on(2026, 1, 1, 0), on(2026, 2, 1, 0), on(2026, 3, 1, 0)};
	NameFields	next = on(2026, 4, 1, 0);
	NamePattern pattern;
	char		built[NAME_BYTES + 1];

	CHECK(name_infer(names, fields, 3, &next, &pattern), "no pattern");
	name_build(&pattern, &next, clip_utf8, built);
	CHECK(strcmp(built, "t_2026_04") == 0, "%s", built);
}

static void
defaults(void)
{
	static const struct
	{
		Period		period;
		const char *wanted;
	}			cases[] = {
		{{PERIOD_MONTHS, 1}, "t_2026_04"}, {{PERIOD_MONTHS, 3}, "t_2026q2"}, {{PERIOD_MONTHS, 12}, "t_2026"},
		{{PERIOD_DAYS, 7}, "t_2026_04_01"}, {{PERIOD_USECS, INT64_C(3600000000)}, "t_2026_04_01_05"},
		{{PERIOD_USECS, INT64_C(900000000)}, "t_2026_04_01_05_00"}, {{PERIOD_USECS, 1000000}, "t_2026_04_01_05_00_00"},
	};
	NameFields	fields = on(2026, 4, 1, 5);
	NameFields	negative = ids(INT64_MIN + 1, 0);
	Period		step = {PERIOD_STEP, 10};
	NamePattern pattern;
	char		built[NAME_BYTES + 1];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		name_default("t", &cases[i].period, &fields, &pattern);
		name_build(&pattern, &fields, clip_utf8, built);
		CHECK(strcmp(built, cases[i].wanted) == 0, "\"%s\" instead of \"%s\"", built, cases[i].wanted);
	}
	name_default("t", &step, &negative, &pattern);
	name_build(&pattern, &negative, clip_utf8, built);
	CHECK(strcmp(built, "t_m9223372036854775807") == 0, "%s", built);
}

/* A parent of every length: names are short enough, whole, and all different. */
static void
long_names(void)
{
	char		parent[NAME_BYTES + 1];

	for (int length = 1; length <= NAME_BYTES; length++)
	{
		char		names[24][NAME_BYTES + 1];
		NamePattern pattern;
		Period		month = {PERIOD_MONTHS, 1};
		int			bytes = 0;

		/* characters of two bytes, and one of one byte where they do not fit */
		while (bytes + 2 <= length)
		{
			memcpy(parent + bytes, "\xC3\xA9", 2);
			bytes += 2;
		}
		if (bytes < length)
			parent[bytes++] = 'x';
		parent[bytes] = '\0';

		for (int i = 0; i < 24; i++)
		{
			NameFields	fields = on(2026 + i / 12, 1 + i % 12, 1, 0);
			char		numbered[NAME_BYTES + 1];

			name_default(parent, &month, &fields, &pattern);
			name_build(&pattern, &fields, clip_utf8, names[i]);
			CHECK(strlen(names[i]) <= NAME_BYTES, "%d bytes", (int) strlen(names[i]));
			CHECK(clip_utf8(names[i], (int) strlen(names[i]), NAME_BYTES) == (int) strlen(names[i]), "cut");
			for (char *c = names[i]; *c != '\0'; c++)
				CHECK((unsigned char) *c != 0xC3 || (unsigned char) c[1] == 0xA9, "half a character");
			for (int j = 0; j < i; j++)
				CHECK(strcmp(names[i], names[j]) != 0, "twice: %s", names[i]);
			name_number(names[i], 3, clip_utf8, numbered);
			CHECK(strlen(numbered) <= NAME_BYTES && strcmp(numbered, names[i]) != 0, "%s", numbered);
		}
	}
}

int
main(int argc, char **argv)
{
	check_begin(argc, argv);
	run(patterns, "patterns are found and continued");
	run(names_of_ends, "names of the ends of ranges, too");
	run(one_name_that_changed, "one that was renamed does not matter");
	run(defaults, "names where there is no pattern");
	run(long_names, "names have at most 63 bytes and differ");
	return check_end();
}
