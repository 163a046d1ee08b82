/*-------------------------------------------------------------------------
 *
 * histogram.c
 *	  Bucket arithmetic, and the text and the bytes of a histogram.
 *
 * Pure: no server header, no memory, no clock.  See histogram.h.
 *
 *-------------------------------------------------------------------------
 */
#include "histogram.h"

#include <math.h>

#define SUB_BUCKETS		(1 << HISTOGRAM_SUB_BITS)

static uint64
add_saturating(uint64 a, uint64 b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Return the end of a bucket when the last one is as wide as its neighbours. */
static uint64
nominal_upper_bound(int bucket)
{
	int			shift = bucket < SUB_BUCKETS ? 0 : (bucket >> HISTOGRAM_SUB_BITS) - 1;

	return histogram_lower_bound(bucket) + ((uint64) 1 << shift);
}

uint64
histogram_lower_bound(int bucket)
{
	int			octave = bucket >> HISTOGRAM_SUB_BITS;

	if (octave == 0)
		return (uint64) bucket;
	return (uint64) (SUB_BUCKETS + (bucket & (SUB_BUCKETS - 1))) << (octave - 1);
}

uint64
histogram_upper_bound(int bucket)
{
	if (bucket == HISTOGRAM_BUCKETS - 1)
		return UINT64_MAX;
	return nominal_upper_bound(bucket);
}

static double
midpoint_ms(int bucket, bool coarse)
{
	int			last = coarse ? histogram_group_last(bucket) : bucket;

	return (double) (histogram_lower_bound(bucket) +
					 nominal_upper_bound(last) - 1) / 2000.0;
}

double
histogram_midpoint_ms(int bucket)
{
	return midpoint_ms(bucket, false);
}

uint64
histogram_microseconds(double ms)
{
	double		us = rint(ms * 1000.0);

	if (!(us > 0.0))
		return 0;
	/* 2^64 is the first double that the conversion cannot take */
	if (us >= 18446744073709551616.0)
		return UINT64_MAX;
	return (uint64) us;
}

uint64
histogram_total(const uint64 *counts)
{
	uint64		total = 0;

	for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
		total = add_saturating(total, counts[i]);
	return total;
}

double
histogram_percentile_ms(const uint64 *counts, bool coarse, double fraction)
{
	uint64		total = histogram_total(counts);
	uint64		seen = 0;
	uint64		rank;
	double		wanted;

	if (total == 0)
		return NAN;

	/* the comparisons also keep the conversion defined for any fraction */
	wanted = ceil(fraction * (double) total);
	if (!(wanted >= 1.0))
		rank = 1;
	else if (wanted >= (double) total)
		rank = total;
	else
		rank = (uint64) wanted;

	for (int i = 0; i < HISTOGRAM_BUCKETS - 1; i++)
	{
		seen = add_saturating(seen, counts[i]);
		if (seen >= rank)
			return midpoint_ms(i, coarse);
	}
	return midpoint_ms(HISTOGRAM_BUCKETS - 1, coarse);
}

uint64
histogram_count_above(const uint64 *counts, bool coarse, double ms)
{
	uint64		us;
	uint64		above = 0;
	int			bucket;

	if (isnan(ms) || (isinf(ms) && ms > 0.0))
		return 0;

	/*
	 * The first whole microsecond that is not below ms.  Rounding, then one
	 * step where that went down, is exact for a threshold such as 0.07 whose
	 * product with 1000 is a little more than 70.
	 */
	us = histogram_microseconds(ms);
	if (us < UINT64_MAX && (double) us / 1000.0 < ms)
		us++;

	bucket = histogram_bucket(us);
	if (coarse)
		bucket = histogram_group_first(bucket);
	for (int i = bucket; i < HISTOGRAM_BUCKETS; i++)
		above = add_saturating(above, counts[i]);
	return above;
}

static size_t
write_varint(uint64 value, unsigned char *out)
{
	size_t		length = 0;

	while (value >= 0x80)
	{
		out[length++] = (unsigned char) (value | 0x80);
		value >>= 7;
	}
	out[length++] = (unsigned char) value;
	return length;
}

/*
 * Read a number of at most 63 bits at *position and move past it.  Refuses
 * one that ends with the bytes, and one that could have been written shorter,
 * so that equal histograms have equal bytes.
 */
static bool
read_varint(const unsigned char *bytes, size_t length, size_t *position,
			uint64 *value)
{
	*value = 0;
	for (int shift = 0; shift < 63; shift += 7)
	{
		unsigned char byte;

		if (*position >= length)
			return false;
		byte = bytes[(*position)++];
		*value |= (uint64) (byte & 0x7F) << shift;
		if ((byte & 0x80) == 0)
			return byte != 0 || shift == 0;
	}
	return false;
}

size_t
histogram_encode(const uint64 *counts, unsigned char *out)
{
	size_t		length = 0;
	uint64		gap = 0;

	out[length++] = HISTOGRAM_VERSION;
	for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
	{
		if (counts[i] == 0)
		{
			gap++;
			continue;
		}
		length += write_varint(gap, out + length);
		length += write_varint(counts[i], out + length);
		gap = 0;
	}
	return length;
}

const char *
histogram_decode(const unsigned char *bytes, size_t length, uint64 *counts)
{
	size_t		position = 1;
	uint64		next = 0;		/* first bucket that may come now */
	uint64		total = 0;

	if (length == 0)
		return "The version is missing.";
	if (bytes[0] != HISTOGRAM_VERSION)
		return "The version is not 1.";

	while (position < length)
	{
		uint64		gap;
		uint64		count;

		if (!read_varint(bytes, length, &position, &gap) ||
			!read_varint(bytes, length, &position, &count))
			return "A number is cut off or written too long.";
		if (gap >= HISTOGRAM_BUCKETS - next)
			return "A bucket lies beyond the last one.";
		if (count == 0)
			return "The count of a bucket is zero.";
		if (count > HISTOGRAM_TOTAL_MAX - total)
			return "The counts add up to more than a bigint holds.";

		total += count;
		next += gap;
		counts[next] = add_saturating(counts[next], count);
		next++;
	}
	return NULL;
}

/*
 * Read a decimal number of at most 63 bits and move past it.  Only digits:
 * strtoull() would take blanks and signs as well.
 */
static bool
parse_number(const char **string, uint64 *value)
{
	const char *at = *string;

	*value = 0;
	for (; *at >= '0' && *at <= '9'; at++)
	{
		uint64		digit = (uint64) (*at - '0');

		if (*value > (HISTOGRAM_TOTAL_MAX - digit) / 10)
			return false;
		*value = *value * 10 + digit;
	}
	if (at == *string)
		return false;
	*string = at;
	return true;
}

const char *
histogram_parse(const char *string, uint64 *counts, bool *coarse)
{
	uint64		version;
	uint64		total = 0;
	int			previous = -1;

	if (!parse_number(&string, &version) || *string++ != '|')
		return "The text must begin with the version and a bar.";
	if (version != HISTOGRAM_VERSION && version != HISTOGRAM_COARSE_VERSION)
		return "The version is neither 1 nor 2.";
	*coarse = version == HISTOGRAM_COARSE_VERSION;
	if (*string == '\0')
		return NULL;

	for (;;)
	{
		uint64		bound;
		uint64		count;
		int			bucket;

		if (!parse_number(&string, &bound) || *string++ != ':' ||
			!parse_number(&string, &count))
			return "Each bucket must be a lower bound, a colon and a count, both whole numbers of a bigint's range.";

		bucket = histogram_bucket(bound);
		if (histogram_lower_bound(bucket) != bound ||
			(*coarse && histogram_group_first(bucket) != bucket))
			return "A number before a colon is not the lower bound of a bucket.";
		if (bucket <= previous)
			return "The buckets are not in ascending order.";
		if (count == 0)
			return "The count of a bucket is zero.";
		if (count > HISTOGRAM_TOTAL_MAX - total)
			return "The counts add up to more than a bigint holds.";

		total += count;
		counts[bucket] = count;
		previous = bucket;

		if (*string == '\0')
			return NULL;
		if (*string++ != ',')
			return "Something other than a comma follows a count.";
	}
}
