/*-------------------------------------------------------------------------
 *
 * histogram_test.c
 *	  Properties of the bucket arithmetic and of both written forms, on every
 *	  bucket and on random data; prints TAP.  Needs no server:
 *
 *	  cc -g -fsanitize=address,undefined test/unit/histogram_test.c \
 *		 src/latency/histogram.c src/latency/coarse_histogram.c -lm -o histogram_test && ./histogram_test
 *
 *	  Random data comes from a fixed seed, or from the one given as argument.
 *
 *-------------------------------------------------------------------------
 */
#include "latency/histogram.h"
#include "check.h"

#include <math.h>

static void
random_counts(uint64 *counts)
{
	int			used = (int) (next_random() % 60);
	int			bits = 1 + (int) (next_random() % 56);

	memset(counts, 0, sizeof(uint64) * HISTOGRAM_BUCKETS);
	for (int i = 0; i < used; i++)
		counts[next_random() % HISTOGRAM_BUCKETS] = random_magnitude(bits);
}

/* ---- buckets ---- */

static void
test_boundaries(void)
{
	uint64		expected = 0;

	for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
	{
		uint64		lower = histogram_lower_bound(i);
		uint64		upper = histogram_upper_bound(i);

		CHECK(lower == expected, "bucket %d begins at %" PRIu64, i, lower);
		CHECK(upper > lower, "bucket %d is empty", i);
		CHECK(histogram_bucket(lower) == i, "bucket %d", i);
		CHECK(histogram_bucket(upper - 1) == i, "bucket %d", i);
		if (i < HISTOGRAM_BUCKETS - 1)
			CHECK(histogram_bucket(upper) == i + 1, "bucket %d", i);
		if (i > 0)
			CHECK(histogram_bucket(lower - 1) == i - 1, "bucket %d", i);
		expected = upper;
	}
	CHECK(expected == UINT64_MAX, "the last bucket ends at %" PRIu64, expected);
	CHECK(histogram_bucket(UINT64_MAX) == HISTOGRAM_BUCKETS - 1, "last");
	CHECK(histogram_bucket(UINT64_C(1) << 32) == HISTOGRAM_BUCKETS - 1, "2^32");
	CHECK(histogram_lower_bound(HISTOGRAM_BUCKETS - 1) == (UINT64_C(127) << 25),
		  "last");
}

static void
test_width(void)
{
	for (int i = 0; i < HISTOGRAM_BUCKETS - 1; i++)
	{
		uint64		lower = histogram_lower_bound(i);
		uint64		width = histogram_upper_bound(i) - lower;

		if (lower < 128)
			CHECK(width == 1, "bucket %d", i);
		else
			CHECK(width * 64 <= lower, "bucket %d", i);
	}
}

static void
test_midpoint(void)
{
	double		previous = -1.0;

	for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
	{
		double		lower = (double) histogram_lower_bound(i) / 1000.0;
		double		ms = histogram_midpoint_ms(i);

		CHECK(ms > previous, "bucket %d", i);
		CHECK(ms >= lower, "bucket %d", i);
		CHECK(ms <= lower * (1.0 + 1.0 / 128) + 1e-12, "bucket %d", i);
		CHECK(histogram_bucket((uint64) (ms * 1000.0 + 1e-6)) == i, "bucket %d", i);
		if (i < 128)
			CHECK(ms == i / 1000.0, "bucket %d", i);
		previous = ms;
	}
}

/* The definition, without any trick: count the octave down by shifting. */
static int
slow_bucket(uint64 us)
{
	int			octave = 0;

	if (us > UINT32_MAX)
		return HISTOGRAM_BUCKETS - 1;
	if (us < 64)
		return (int) us;
	while ((us >> octave) >= 128)
		octave++;
	return 64 + 64 * octave + (int) ((us >> octave) - 64);
}

static void
test_monotonic(void)
{
	int			previous = 0;

	for (uint64 us = 0; us < 2000000; us++)
	{
		int			bucket = histogram_bucket(us);

		CHECK(bucket == previous || bucket == previous + 1, "%" PRIu64, us);
		CHECK(bucket == slow_bucket(us), "%" PRIu64, us);
		previous = bucket;
	}
	for (int i = 0; i < 2000000; i++)
	{
		uint64		a = random_magnitude(64);
		uint64		b = random_magnitude(64);

		CHECK(histogram_bucket(a) == slow_bucket(a), "%" PRIu64, a);
		CHECK(a > b || histogram_bucket(a) <= histogram_bucket(b),
			  "%" PRIu64 " %" PRIu64, a, b);
	}
}

static void
test_microseconds(void)
{
	for (uint64 us = 0; us < 1000000; us++)
		CHECK(histogram_microseconds((double) us / 1000.0) == us, "%" PRIu64, us);
	CHECK(histogram_microseconds(-1.0) == 0, "negative");
	CHECK(histogram_microseconds(NAN) == 0, "NaN");
	CHECK(histogram_microseconds(INFINITY) == UINT64_MAX, "infinity");
	CHECK(histogram_microseconds(1e300) == UINT64_MAX, "huge");
	CHECK(histogram_microseconds(18446744073709551.616) == UINT64_MAX, "2^64");
}

/* ---- what is read from counts ---- */

static int
compare_uint64(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return (x > y) - (x < y);
}

static void
test_percentile(void)
{
	static const double fractions[] = {0, 0.001, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1};

	for (int round = 0; round < 2000; round++)
	{
		static uint64 values[3000];
		uint64		counts[HISTOGRAM_BUCKETS] = {0};
		int			n = 1 + (int) (next_random() % (round % 10 ? 40 : 3000));
		int			bits = 1 + (int) (next_random() % 32);

		for (int i = 0; i < n; i++)
		{
			values[i] = random_magnitude(bits);
			counts[histogram_bucket(values[i])]++;
		}
		qsort(values, (size_t) n, sizeof(uint64), compare_uint64);
		CHECK(histogram_total(counts) == (uint64) n, "n %d", n);

		for (size_t f = 0; f < sizeof(fractions) / sizeof(fractions[0]) + 5; f++)
		{
			double		fraction = (double) (next_random() >> 11) / 9007199254740992.0;
			double		rank;
			uint64		exact;
			double		ms;

			if (f < sizeof(fractions) / sizeof(fractions[0]))
				fraction = fractions[f];
			rank = ceil(fraction * n);
			exact = values[rank < 1 ? 0 : (int) rank - 1];
			ms = histogram_percentile_ms(counts, false, fraction);
			CHECK(ms == histogram_midpoint_ms(histogram_bucket(exact)),
				  "n %d fraction %g", n, fraction);
			CHECK(fabs(ms * 1000.0 - (double) exact) <= (double) exact / 64.0 + 1e-9,
				  "n %d fraction %g: %g for %" PRIu64, n, fraction, ms, exact);
		}
	}
}

static void
test_percentile_extremes(void)
{
	uint64		counts[HISTOGRAM_BUCKETS] = {0};

	CHECK(isnan(histogram_percentile_ms(counts, false, 0.5)), "empty");
	CHECK(histogram_total(counts) == 0, "empty");
	counts[0] = 1;
	CHECK(histogram_percentile_ms(counts, false, 0.0) == 0.0, "zero");
	CHECK(histogram_percentile_ms(counts, false, 1.0) == 0.0, "zero");

	/* no fraction may be undefined behaviour or leave the array */
	counts[5] = HISTOGRAM_TOTAL_MAX - 1;
	CHECK(histogram_percentile_ms(counts, false, 1.0) == 0.005, "many");
	CHECK(histogram_percentile_ms(counts, false, NAN) == 0.0, "NaN");
	CHECK(histogram_percentile_ms(counts, false, -1e300) == 0.0, "below");
	CHECK(histogram_percentile_ms(counts, false, INFINITY) == 0.005, "above");

	counts[7] = counts[9] = UINT64_MAX;
	CHECK(histogram_total(counts) == UINT64_MAX, "saturates");
	CHECK(histogram_percentile_ms(counts, false, 1.0) <= 0.009, "saturated");
	CHECK(histogram_count_above(counts, false, 0.0) == UINT64_MAX, "saturates");
}

static void
test_count_above(void)
{
	for (int round = 0; round < 20000; round++)
	{
		uint64		values[50];
		uint64		counts[HISTOGRAM_BUCKETS] = {0};
		int			n = 1 + (int) (next_random() % 50);
		uint64		threshold = random_magnitude(33);
		double		ms = (double) threshold / 1000.0;
		uint64		exact = 0;
		uint64		generous = 0;
		uint64		above;

		for (int i = 0; i < n; i++)
		{
			values[i] = next_random() % 3 == 0 ? threshold : random_magnitude(33);
			counts[histogram_bucket(values[i])]++;
			exact += values[i] >= threshold;
			generous += histogram_bucket(values[i]) >= histogram_bucket(threshold);
		}
		above = histogram_count_above(counts, false, ms);
		CHECK(above >= exact, "threshold %" PRIu64, threshold);
		CHECK(above == generous, "threshold %" PRIu64, threshold);
		CHECK(histogram_count_above(counts, false, -1.0) == (uint64) n, "negative");
		CHECK(histogram_count_above(counts, false, INFINITY) == 0, "infinity");
		CHECK(histogram_count_above(counts, false, NAN) == 0, "NaN");
	}

	/* between two whole microseconds, the upper one counts */
	for (int us = 0; us < 128; us++)
	{
		uint64		counts[HISTOGRAM_BUCKETS] = {0};

		counts[us] = 1;
		CHECK(histogram_count_above(counts, false, us / 1000.0) == 1, "%d us", us);
		CHECK(histogram_count_above(counts, false, (us + 0.25) / 1000.0) == 0, "%d us", us);
		CHECK(histogram_count_above(counts, false, (us - 0.25) / 1000.0) == 1, "%d us", us);
	}
}

/* ---- the stored form ---- */

/* Decode from memory of exactly this size, so that a read beyond it shows. */
static const char *
decode_exactly(const unsigned char *bytes, size_t length, uint64 *counts)
{
	unsigned char *copy = malloc(length ? length : 1);
	const char *problem;

	memcpy(copy, bytes, length);
	problem = histogram_decode(length ? copy : copy + 1, length, counts);
	free(copy);
	return problem;
}

static void
test_encode_round_trip(void)
{
	static unsigned char bytes[HISTOGRAM_ENCODED_MAX];
	uint64		counts[HISTOGRAM_BUCKETS];
	uint64		decoded[HISTOGRAM_BUCKETS];

	for (int round = 0; round < 50000; round++)
	{
		size_t		length;

		random_counts(counts);
		length = histogram_encode(counts, bytes);
		memset(decoded, 0, sizeof(decoded));
		CHECK(decode_exactly(bytes, length, decoded) == NULL, "round %d", round);
		CHECK(memcmp(counts, decoded, sizeof(counts)) == 0, "round %d", round);
	}

	/* everything in use, and everything in the last bucket */
	for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
		counts[i] = HISTOGRAM_TOTAL_MAX / HISTOGRAM_BUCKETS;
	memset(decoded, 0, sizeof(decoded));
	CHECK(decode_exactly(bytes, histogram_encode(counts, bytes), decoded) == NULL, "full");
	CHECK(memcmp(counts, decoded, sizeof(counts)) == 0, "full");

	memset(counts, 0, sizeof(counts));
	counts[HISTOGRAM_BUCKETS - 1] = HISTOGRAM_TOTAL_MAX;
	memset(decoded, 0, sizeof(decoded));
	CHECK(decode_exactly(bytes, histogram_encode(counts, bytes), decoded) == NULL, "last");
	CHECK(memcmp(counts, decoded, sizeof(counts)) == 0, "last");

	/* adding goes on and stops at the top */
	for (int i = 0; i < 3; i++)
		(void) histogram_decode(bytes, histogram_encode(counts, bytes), decoded);
	CHECK(decoded[HISTOGRAM_BUCKETS - 1] == UINT64_MAX, "saturates");
}

static void
test_decode_fuzz(void)
{
	static unsigned char bytes[HISTOGRAM_ENCODED_MAX];
	static unsigned char again[HISTOGRAM_ENCODED_MAX];
	int			accepted = 0;
	int			refused = 0;

	for (int round = 0; round < 500000; round++)
	{
		uint64		counts[HISTOGRAM_BUCKETS] = {0};
		size_t		length;

		if (next_random() % 2)
		{
			length = next_random() % 30;
			for (size_t i = 0; i < length; i++)
				bytes[i] = (unsigned char) (next_random() & (next_random() % 2 ? 0xFF : 0x83));
			if (length > 0 && next_random() % 4)
				bytes[0] = HISTOGRAM_VERSION;
		}
		else
		{
			random_counts(counts);
			length = histogram_encode(counts, bytes);
			for (uint64 n = next_random() % 3; n > 0; n--)
				bytes[next_random() % length] ^= (unsigned char) (1U << next_random() % 8);
			if (next_random() % 4 == 0)
				length = next_random() % (length + 1);
			memset(counts, 0, sizeof(counts));
		}

		if (decode_exactly(bytes, length, counts) != NULL)
		{
			refused++;
			continue;
		}
		accepted++;
		CHECK(histogram_total(counts) <= HISTOGRAM_TOTAL_MAX, "round %d", round);
		CHECK(histogram_encode(counts, again) == length &&
			  memcmp(bytes, again, length) == 0, "round %d: not the only form", round);
	}
	CHECK(accepted > 10000 && refused > 10000, "%d, %d", accepted, refused);
}

/* ---- coarse histograms ---- */

static void
test_groups(void)
{
	int			groups = 0;

	for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
	{
		int			first = histogram_group_first(i);
		int			last = histogram_group_last(i);
		double		lower = (double) histogram_lower_bound(first);
		double		highest = (double) histogram_lower_bound(last) +
		(double) (histogram_lower_bound(last) - histogram_lower_bound(last - (last > 0)));

		CHECK(first <= i && i <= last, "bucket %d", i);
		CHECK(first == i || histogram_group_first(i - 1) == first, "bucket %d", i);
		CHECK(last == i || histogram_group_last(i + 1) == last, "bucket %d", i);
		if (first != i)
			continue;
		groups++;
		/* the middle is within 2 % of either end */
		if (last < HISTOGRAM_BUCKETS - 1)
			CHECK((highest - lower) / 2 <= 0.02 * lower || first == last, "bucket %d", i);
	}
	CHECK(groups == 610, "%d groups", groups);
}

static void
test_coarse_percentile(void)
{
	for (int round = 0; round < 20000; round++)
	{
		uint64		counts[HISTOGRAM_BUCKETS] = {0};
		uint64		coarse[HISTOGRAM_BUCKETS];
		int			n = 1 + (int) (next_random() % 50);
		double		fraction = (double) (next_random() % 1001) / 1000;
		double		fine;
		double		ms;
		uint64		values[50];
		uint64		rank;

		for (int i = 0; i < n; i++)
		{
			values[i] = random_magnitude(32);
			counts[histogram_bucket(values[i])]++;
		}
		memcpy(coarse, counts, sizeof(counts));
		histogram_coarsen(coarse);
		CHECK(histogram_total(coarse) == (uint64) n, "round %d", round);
		for (int i = 1; i < n; i++)
		{
			for (int j = i; j > 0 && values[j] < values[j - 1]; j--)
			{
				uint64		value = values[j];

				values[j] = values[j - 1];
				values[j - 1] = value;
			}
		}
		rank = (uint64) ceil(fraction * n);
		fine = (double) values[rank > 0 ? rank - 1 : 0] / 1000;
		ms = histogram_percentile_ms(coarse, true, fraction);
		CHECK(fabs(ms - fine) <= 0.02 * fine, "%g instead of %g", ms, fine);

		/* nothing that is not below the threshold is missed */
		CHECK(histogram_count_above(coarse, true, fine) >=
			  histogram_count_above(counts, false, fine), "%g", fine);
		CHECK(histogram_count_above(coarse, true, fine) <=
			  histogram_count_above(counts, false, fine * 0.96), "%g", fine);
	}
}

static const char *
decode_coarse_exactly(const unsigned char *bytes, size_t length, uint64 *counts)
{
	unsigned char *copy = malloc(length);
	const char *problem;

	memcpy(copy, bytes, length);
	problem = histogram_decode_coarse(copy, length, counts);
	free(copy);
	return problem;
}

/* counts that neighbours foretell, as those of real durations */
static void
random_shape(uint64 *counts)
{
	int			begin = (int) (next_random() % HISTOGRAM_BUCKETS);
	uint64		most = random_magnitude(40);
	int			width = 1 + (int) (next_random() % 600);

	memset(counts, 0, sizeof(uint64) * HISTOGRAM_BUCKETS);
	for (int i = begin; i < begin + width && i < HISTOGRAM_BUCKETS; i++)
		counts[i] = most / 2 + next_random() % (most / 4 + 1);
}

static void
test_coarse_round_trip(void)
{
	static unsigned char bytes[HISTOGRAM_ENCODED_MAX];
	uint64		counts[HISTOGRAM_BUCKETS];
	uint64		decoded[HISTOGRAM_BUCKETS];

	for (int round = 0; round < 50000; round++)
	{
		size_t		length;

		if (next_random() % 2)
			random_counts(counts);
		else
			random_shape(counts);
		histogram_coarsen(counts);
		length = histogram_encode_coarse(counts, bytes);
		CHECK(length <= HISTOGRAM_ENCODED_MAX, "round %d", round);
		memset(decoded, 0, sizeof(decoded));
		CHECK(decode_coarse_exactly(bytes, length, decoded) == NULL, "round %d", round);
		CHECK(memcmp(counts, decoded, sizeof(counts)) == 0, "round %d", round);
	}

	/* everything in use, alternating with nothing, and the last bucket alone */
	for (int kind = 0; kind < 3; kind++)
	{
		memset(counts, 0, sizeof(counts));
		for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
		{
			if (i == histogram_group_first(i) && (kind == 0 || i % 8 == 0))
				counts[i] = HISTOGRAM_TOTAL_MAX / HISTOGRAM_BUCKETS;
		}
		if (kind == 2)
		{
			memset(counts, 0, sizeof(counts));
			counts[histogram_group_first(HISTOGRAM_BUCKETS - 1)] = HISTOGRAM_TOTAL_MAX;
		}
		memset(decoded, 0, sizeof(decoded));
		CHECK(decode_coarse_exactly(bytes, histogram_encode_coarse(counts, bytes), decoded) == NULL, "%d", kind);
		CHECK(memcmp(counts, decoded, sizeof(counts)) == 0, "%d", kind);
	}
}

static void
test_coarse_fuzz(void)
{
	static unsigned char bytes[HISTOGRAM_ENCODED_MAX];
	static unsigned char again[HISTOGRAM_ENCODED_MAX];
	int			accepted = 0;
	int			refused = 0;

	for (int round = 0; round < 300000; round++)
	{
		uint64		counts[HISTOGRAM_BUCKETS] = {0};
		size_t		length;

		if (next_random() % 2)
		{
			length = 1 + next_random() % 30;
			for (size_t i = 0; i < length; i++)
				bytes[i] = (unsigned char) next_random();
			bytes[0] = HISTOGRAM_COARSE_VERSION;
		}
		else
		{
			random_shape(counts);
			histogram_coarsen(counts);
			length = histogram_encode_coarse(counts, bytes);
			for (uint64 n = next_random() % 3; n > 0; n--)
			{
				if (length > 1)
					bytes[1 + next_random() % (length - 1)] ^= (unsigned char) (1U << next_random() % 8);
			}
			if (next_random() % 4 == 0)
				length = 1 + next_random() % length;
			memset(counts, 0, sizeof(counts));
		}

		if (decode_coarse_exactly(bytes, length, counts) != NULL)
		{
			refused++;
			continue;
		}
		accepted++;
		CHECK(histogram_total(counts) <= HISTOGRAM_TOTAL_MAX, "round %d", round);
		CHECK(histogram_encode_coarse(counts, again) == length &&
			  memcmp(bytes, again, length) == 0, "round %d: not the only form", round);
	}
	CHECK(accepted > 10000 && refused > 10000, "%d, %d", accepted, refused);
}

/* ---- the text form ---- */

static void
format_text(const uint64 *counts, char *string, size_t size)
{
	size_t		length = (size_t) snprintf(string, size, "1|");
	const char *separator = "";

	for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
	{
		if (counts[i] == 0)
			continue;
		length += (size_t) snprintf(string + length, size - length,
									"%s%" PRIu64 ":%" PRIu64,
									separator, histogram_lower_bound(i), counts[i]);
		separator = ",";
	}
}

static void
test_parse_refusals(void)
{
	static const char *const good[] = {
		"1|", "1|0:1", "1|40:3,41:7,1024:2", "1|4261412864:9223372036854775807",
		"1|0:1,4261412864:9223372036854775806",
		"2|", "2|63:1,64:1,66:1,152:2", "2|4160749568:1"
	};
	static const char *const bad[] = {
		"", "1", "|", "0|", "3|", "11|", " 1|", "1 |", "1| ", "1|,", "1|40", "1|40:",
		"1|:3", "1|40:3,", "1|40:3,,41:1", "1|40:3 ", "1|40:3x", "1|40: 3", "1|40:+3",
		"1|40:-3", "1|-1:3", "1|40:0", "1|41:1,40:1", "1|40:1,40:1", "1|129:1",
		"1|4294967296:1", "1|18446744073709551615:1", "1|40:9223372036854775808",
		"1|40:18446744073709551617", "1|40:99999999999999999999999999",
		"1|40:1,41:9223372036854775807", "1|40:1.5", "1|40:0x3", "1|40:1;41:1", "-1|",
		"18446744073709551617|40:1", "1||40:1", "1|4\xD9\xA0:1",
		"2|65:1", "2|154:1", "2|160:1"
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
	{
		uint64		counts[HISTOGRAM_BUCKETS] = {0};
		bool		coarse;

		CHECK(histogram_parse(good[i], counts, &coarse) == NULL, "%s", good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		uint64		counts[HISTOGRAM_BUCKETS] = {0};
		bool		coarse;

		CHECK(histogram_parse(bad[i], counts, &coarse) != NULL, "%s", bad[i]);
	}
}

static void
test_parse_fuzz(void)
{
	static char string[HISTOGRAM_BUCKETS * 40];
	static const char alphabet[] = "0123456789:,| -+.\t\nex1";
	int			accepted = 0;
	int			refused = 0;

	for (int round = 0; round < 200000; round++)
	{
		uint64		counts[HISTOGRAM_BUCKETS];
		uint64		parsed[HISTOGRAM_BUCKETS] = {0};
		uint64		mutations = next_random() % 3;
		char	   *copy;
		size_t		length;
		bool		coarse;

		random_counts(counts);
		format_text(counts, string, sizeof(string));
		length = strlen(string);
		for (uint64 n = 0; n < mutations; n++)
		{
			if (next_random() % 4 == 0)
				length = next_random() % (length + 1);
			else if (length > 0)
			{
				char		c = alphabet[next_random() % (sizeof(alphabet) - 1)];

				if (next_random() % 8 == 0)
					c = (char) (1 + next_random() % 255);
				string[next_random() % length] = c;
			}
		}
		copy = malloc(length + 1);
		memcpy(copy, string, length);
		copy[length] = '\0';

		if (histogram_parse(copy, parsed, &coarse) != NULL)
		{
			CHECK(mutations > 0, "%s", copy);
			refused++;
		}
		else
		{
			accepted++;
			CHECK(histogram_total(parsed) <= HISTOGRAM_TOTAL_MAX, "%s", copy);
			if (mutations == 0)
				CHECK(memcmp(counts, parsed, sizeof(counts)) == 0, "%s", copy);

			/* what was read, written and read again is the same */
			memcpy(counts, parsed, sizeof(counts));
			memset(parsed, 0, sizeof(parsed));
			format_text(counts, string, sizeof(string));
			CHECK(histogram_parse(string, parsed, &coarse) == NULL, "%s", string);
			CHECK(memcmp(counts, parsed, sizeof(counts)) == 0, "%s", string);
		}
		free(copy);
	}
	CHECK(accepted > 10000 && refused > 10000, "%d, %d", accepted, refused);
}

int
main(int argc, char **argv)
{
	check_begin(argc, argv);

	run(test_boundaries, "every bucket begins where the one before it ends");
	run(test_width, "no bucket is wider than 1/64 of its lower bound");
	run(test_midpoint, "what stands for a bucket lies in it");
	run(test_monotonic, "a longer duration never falls in an earlier bucket");
	run(test_microseconds, "milliseconds become the nearest microsecond");
	run(test_percentile, "percentiles agree with those of sorted values");
	run(test_percentile_extremes, "no counts and no fraction are undefined");
	run(test_count_above, "no value at or above the threshold is missed");
	run(test_encode_round_trip, "the stored form gives the counts back");
	run(test_decode_fuzz, "damaged bytes are refused or the only form");
	run(test_groups, "the middle of a group is within 2 % of all in it");
	run(test_coarse_percentile, "percentiles of coarse counts are within 2 %");
	run(test_coarse_round_trip, "the coarse form gives the counts back");
	run(test_coarse_fuzz, "damaged coarse bytes are refused or the only form");
	run(test_parse_refusals, "the text form is strict");
	run(test_parse_fuzz, "damaged text is refused or read back the same");
	return check_end();
}
