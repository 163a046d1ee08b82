/*-------------------------------------------------------------------------
 *
 * coarse_histogram.c
 *	  Histograms for the long run: fewer buckets, in as few bits as their
 *	  counts allow.
 *
 * An octave has 21 groups of neighbouring buckets instead of 64 buckets, each
 * as wide as it may be without its middle being 2 % away from what it stands
 * for: two buckets from 64/64 of the octave's begin on, three from 76/64, four
 * from 100/64.
 *
 * The counts of neighbours are alike up to the noise of counting, which is
 * about the root of the count.  So what is written of each is how far it is
 * from the mean of the two before it, as a Rice code whose parameter follows
 * what was written lately (as in JPEG-LS, ITU-T T.87): at a thousand values a
 * group about 7 bits, where gap and count took 24.  Behind two empty groups
 * the length of the gap is written instead, as an Elias gamma code.
 *
 * Pure: no server header, no memory, no clock.  See histogram.h.
 *
 *-------------------------------------------------------------------------
 */
#include "histogram.h"

#include <string.h>

#define SUB_BUCKETS		(1 << HISTOGRAM_SUB_BITS)
#define OCTAVE_GROUPS	21
#define GROUPS			(SUB_BUCKETS + \
						 (HISTOGRAM_BUCKETS / SUB_BUCKETS - 1) * OCTAVE_GROUPS)

/* where in an octave groups of three and of four buckets begin */
#define THREES_FROM		12
#define FOURS_FROM		36
#define THREES_GROUP	(THREES_FROM / 2)
#define FOURS_GROUP		(THREES_GROUP + (FOURS_FROM - THREES_FROM) / 3)

/* a quotient that long is written as a gamma code */
#define UNARY_MAX		16
/* how fast the parameter follows: sums are halved after so many numbers */
#define MEMORY			8
#define PARAMETER_MAX	56

typedef struct BitCursor
{
	unsigned char *out;			/* writing */
	const unsigned char *in;	/* reading */
	size_t		bit;
	size_t		bits;			/* reading: how many there are */
	bool		failed;
} BitCursor;

/* What was written lately, which tells the next parameter. */
typedef struct Recent
{
	uint64		sum;
	uint64		numbers;
	uint64		before;			/* the count before the next one */
	uint64		before_that;
} Recent;

/* ---- groups ---- */

static int
group_of_bucket(int bucket)
{
	int			octave = bucket >> HISTOGRAM_SUB_BITS;
	int			place = bucket & (SUB_BUCKETS - 1);

	if (octave == 0)
		return bucket;
	if (place < THREES_FROM)
		place = place / 2;
	else if (place < FOURS_FROM)
		place = THREES_GROUP + (place - THREES_FROM) / 3;
	else
		place = FOURS_GROUP + (place - FOURS_FROM) / 4;
	return SUB_BUCKETS + (octave - 1) * OCTAVE_GROUPS + place;
}

static int
first_bucket(int group)
{
	int			octave;
	int			place;

	if (group < SUB_BUCKETS)
		return group;
	octave = 1 + (group - SUB_BUCKETS) / OCTAVE_GROUPS;
	place = (group - SUB_BUCKETS) % OCTAVE_GROUPS;
	if (place < THREES_GROUP)
		place = place * 2;
	else if (place < FOURS_GROUP)
		place = THREES_FROM + (place - THREES_GROUP) * 3;
	else
		place = FOURS_FROM + (place - FOURS_GROUP) * 4;
	return octave * SUB_BUCKETS + place;
}

int
histogram_group_first(int bucket)
{
	return first_bucket(group_of_bucket(bucket));
}

int
histogram_group_last(int bucket)
{
	return first_bucket(group_of_bucket(bucket) + 1) - 1;
}

void
histogram_coarsen(uint64 *counts)
{
	for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
	{
		int			first = histogram_group_first(i);

		if (first == i || counts[i] == 0)
			continue;
		counts[first] = counts[first] > UINT64_MAX - counts[i] ?
			UINT64_MAX : counts[first] + counts[i];
		counts[i] = 0;
	}
}

/* ---- bits ---- */

static void
write_bits(BitCursor *cursor, uint64 value, int bits)
{
	while (bits-- > 0)
	{
		unsigned char *byte = &cursor->out[cursor->bit / 8];

		if (cursor->bit % 8 == 0)
			*byte = 0;
		*byte |= (unsigned char) (((value >> bits) & 1) << (7 - cursor->bit % 8));
		cursor->bit++;
	}
}

static uint64
read_bits(BitCursor *cursor, int bits)
{
	uint64		value = 0;

	if ((size_t) bits > cursor->bits - cursor->bit)
	{
		cursor->failed = true;
		return 0;
	}
	while (bits-- > 0)
	{
		value = (value << 1) |
			((cursor->in[cursor->bit / 8] >> (7 - cursor->bit % 8)) & 1);
		cursor->bit++;
	}
	return value;
}

/* Elias gamma of value + 1: as many zeroes as bits follow the leading one. */
static void
write_gamma(BitCursor *cursor, uint64 value)
{
	int			bits = 0;

	while (((value + 1) >> bits) > 1)
		bits++;
	write_bits(cursor, 0, bits);
	write_bits(cursor, value + 1, bits + 1);
}

static uint64
read_gamma(BitCursor *cursor)
{
	int			bits = 0;

	while (!cursor->failed && read_bits(cursor, 1) == 0)
	{
		if (++bits > 63)
			cursor->failed = true;
	}
	if (cursor->failed)
		return 0;
	return (((uint64) 1 << bits) | read_bits(cursor, bits)) - 1;
}

static void
write_rice(BitCursor *cursor, uint64 value, int parameter)
{
	uint64		quotient = value >> parameter;

	for (uint64 i = 0; i < quotient && i < UNARY_MAX; i++)
		write_bits(cursor, 1, 1);
	if (quotient < UNARY_MAX)
		write_bits(cursor, 0, 1);
	else
		write_gamma(cursor, quotient - UNARY_MAX);
	write_bits(cursor, value, parameter);
}

static uint64
read_rice(BitCursor *cursor, int parameter)
{
	uint64		quotient = 0;

	while (quotient < UNARY_MAX && read_bits(cursor, 1) == 1)
		quotient++;
	if (quotient == UNARY_MAX)
		quotient += read_gamma(cursor);
	if (quotient > (UINT64_MAX >> parameter))
	{
		cursor->failed = true;
		return 0;
	}
	return (quotient << parameter) | read_bits(cursor, parameter);
}

/* ---- counts as numbers that are small where they are foreseen ---- */

static int
parameter(const Recent *recent)
{
	int			bits = 0;

	while (bits < PARAMETER_MAX && (recent->numbers << bits) < recent->sum)
		bits++;
	return bits;
}

static void
remember(Recent *recent, uint64 number, uint64 count)
{
	const uint64 most = (uint64) 1 << PARAMETER_MAX;

	recent->sum += number < most ? number : most;
	if (++recent->numbers == MEMORY)
	{
		recent->sum = (recent->sum + 1) / 2;
		recent->numbers /= 2;
	}
	recent->before_that = recent->before;
	recent->before = count;
}

/* No count is negative: beyond twice the foreseen one a number is the count. */
static uint64
fold(uint64 count, uint64 foreseen)
{
	if (count > 2 * foreseen)
		return count;
	return count > foreseen ? 2 * (count - foreseen) :
		count < foreseen ? 2 * (foreseen - count) - 1 : 0;
}

static uint64
unfold(uint64 number, uint64 foreseen)
{
	if (number > 2 * foreseen)
		return number;
	return number % 2 == 0 ? foreseen + number / 2 : foreseen - (number + 1) / 2;
}

static uint64
foresee(const Recent *recent)
{
	return (recent->before + recent->before_that + 1) / 2;
}

size_t
histogram_encode_coarse(const uint64 *counts, unsigned char *out)
{
	BitCursor	cursor = {.out = out + 1};
	Recent		recent = {.sum = 4,.numbers = 1};
	int			group = 0;
	int			last = GROUPS - 1;
	int			first;

	out[0] = HISTOGRAM_COARSE_VERSION;
	while (group < GROUPS && counts[first_bucket(group)] == 0)
		group++;
	if (group == GROUPS)
		return 1;
	while (counts[first_bucket(last)] == 0)
		last--;
	write_gamma(&cursor, (uint64) group);
	write_gamma(&cursor, (uint64) (last - group));

	for (first = group; group <= last; group++)
	{
		int			bits = parameter(&recent);
		uint64		count;
		uint64		number;

		if (group > first && recent.before == 0 && recent.before_that == 0)
		{
			int			gap = 0;

			while (counts[first_bucket(group)] == 0)
			{
				gap++;
				group++;
			}
			write_gamma(&cursor, (uint64) gap);
			count = counts[first_bucket(group)];
			number = count - 1;
		}
		else
		{
			count = counts[first_bucket(group)];
			number = fold(count, foresee(&recent));
		}
		write_rice(&cursor, number, bits);
		remember(&recent, number, count);
	}
	return 1 + (cursor.bit + 7) / 8;
}

const char *
histogram_decode_coarse(const unsigned char *bytes, size_t length,
						uint64 *counts)
{
	BitCursor	cursor = {.in = bytes + 1,.bits = (length - 1) * 8};
	Recent		recent = {.sum = 4,.numbers = 1};
	uint64		total = 0;
	uint64		group;
	uint64		first;
	uint64		last;

	if (length == 1)
		return NULL;
	first = read_gamma(&cursor);
	last = first + read_gamma(&cursor);
	if (cursor.failed || first >= GROUPS || last < first || last >= GROUPS)
		return "A bucket lies beyond the last one.";

	for (group = first; group <= last; group++)
	{
		int			bits = parameter(&recent);
		uint64		count;
		uint64		number;
		uint64	   *sum;

		if (group > first && recent.before == 0 && recent.before_that == 0)
		{
			uint64		gap = read_gamma(&cursor);

			if (gap > last - group)
				return "A bucket lies beyond the last one.";
			group += gap;
			number = read_rice(&cursor, bits);
			count = number == UINT64_MAX ? number : number + 1;
		}
		else
		{
			number = read_rice(&cursor, bits);
			count = unfold(number, foresee(&recent));
		}
		if (cursor.failed)
			return "A number is cut off or too great.";
		if (count > HISTOGRAM_TOTAL_MAX - total)
			return "The counts add up to more than a bigint holds.";
		if (count == 0 && (group == first || group == last))
			return "The first or last count is zero.";

		total += count;
		sum = &counts[first_bucket((int) group)];
		*sum = *sum > UINT64_MAX - count ? UINT64_MAX : *sum + count;
		remember(&recent, number, count);
	}

	/* only zeroes fill the last byte up, so that equals have equal bytes */
	if (cursor.bits - cursor.bit >= 8 ||
		read_bits(&cursor, (int) (cursor.bits - cursor.bit)) != 0)
		return "Something follows the last count.";
	return NULL;
}
