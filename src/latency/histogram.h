/*-------------------------------------------------------------------------
 *
 * histogram.h
 *	  A log-linear histogram of durations: which bucket a duration falls in,
 *	  what a bucket stands for, and what can be read from a set of counts.
 *
 * A duration is a whole number of microseconds.  Below 2^6 every value has a
 * bucket of its own; from there each octave [2^e, 2^(e+1)) is cut into 64
 * buckets of equal width, so that no bucket is wider than 1/64 of its lower
 * bound (below 128 us that still means one bucket a value).  Octaves go up to
 * 2^31; the last bucket also takes everything from 2^32 us (71 minutes) up,
 * and a percentile that falls there is a lower limit of the true one.
 *
 * A coarse histogram, for what is kept for years, has a third of the buckets:
 * what stands for one is at most 2 % away.  Its counts are in the same arrays,
 * each in the first bucket of its group.
 *
 * Counts are plain arrays of HISTOGRAM_BUCKETS numbers, owned by the caller.
 * histogram.c and coarse_histogram.c know no server: no memory is allocated, nothing is raised, and
 * they can be compiled alone.  The functions at the end of this header are
 * the exception; histogram_type.c has them, with the SQL type.
 *
 * Within the server, include postgres.h first.
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_HISTOGRAM_H
#define DBMAINT_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef C_H						/* c.h has a uint64 of its own */
typedef uint64_t uint64;
#endif

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#endif

#define HISTOGRAM_SUB_BITS		6	/* 64 buckets an octave */
#define HISTOGRAM_BUCKETS		1728

/* What the encoded form can take at most: the version, then gap and count. */
#define HISTOGRAM_VERSION		1
#define HISTOGRAM_COARSE_VERSION	2
#define HISTOGRAM_ENCODED_MAX	(1 + HISTOGRAM_BUCKETS * (2 + 10))

/* A valid histogram never holds more values than a bigint can count. */
#define HISTOGRAM_TOTAL_MAX		((uint64) INT64_MAX)

/* Find the bucket that a duration in microseconds falls in. */
static inline int
histogram_bucket(uint64 us)
{
	uint32_t	value = us > UINT32_MAX ? UINT32_MAX : (uint32_t) us;
	int			shift;

	/* Setting bit 6 makes the values below 2^6 share the path, with shift 0. */
#if defined(__GNUC__) || defined(__clang__)
	shift = 31 - HISTOGRAM_SUB_BITS -
		__builtin_clz(value | (1U << HISTOGRAM_SUB_BITS));
#elif defined(_MSC_VER)
	{
		unsigned long top;

		_BitScanReverse(&top, value | (1U << HISTOGRAM_SUB_BITS));
		shift = (int) top - HISTOGRAM_SUB_BITS;
	}
#else
	for (shift = 0; (value >> shift) >= (2U << HISTOGRAM_SUB_BITS);)
		shift++;
#endif

	return (shift << HISTOGRAM_SUB_BITS) + (int) (value >> shift);
}

/* Return the least duration of a bucket, in microseconds. */
extern uint64 histogram_lower_bound(int bucket);

/* Return the end of a bucket, not part of it; the last one's is UINT64_MAX. */
extern uint64 histogram_upper_bound(int bucket);

/*
 * Return what stands for a bucket, in milliseconds: the middle of the whole
 * microseconds in it, hence the value itself where buckets hold one value.
 * The last bucket's is that of its part below 2^32 us.
 */
extern double histogram_midpoint_ms(int bucket);

/* Turn milliseconds, finite and not negative, to the nearest microsecond. */
extern uint64 histogram_microseconds(double ms);

/* Sum the counts; stops at UINT64_MAX instead of wrapping around. */
extern uint64 histogram_total(const uint64 *counts);

/*
 * Return the percentile at fraction (0..1) by nearest rank, in milliseconds:
 * what stands for the first bucket with ceil(fraction * total) values at or
 * before it (of coarse counts: the middle of the group).  NAN when there are
 * none.
 */
extern double histogram_percentile_ms(const uint64 *counts, bool coarse,
									  double fraction);

/*
 * Count the values that are not below a number of milliseconds.  The bucket
 * (the group) that holds the threshold counts as a whole, so nothing is ever
 * missed.  0 for NAN and infinity.
 */
extern uint64 histogram_count_above(const uint64 *counts, bool coarse,
									double ms);

/* Return the first and the last bucket of the group that has a bucket. */
extern int	histogram_group_first(int bucket);
extern int	histogram_group_last(int bucket);

/* Make counts coarse: move each into the first bucket of its group. */
extern void histogram_coarsen(uint64 *counts);

/*
 * Write the stored form of counts to out, which has room for
 * HISTOGRAM_ENCODED_MAX bytes, and return its length: the version, then for
 * each bucket in use the number of unused buckets before it and its count, as
 * LEB128.  The total must not exceed HISTOGRAM_TOTAL_MAX.
 */
extern size_t histogram_encode(const uint64 *counts, unsigned char *out);

/*
 * Add the histogram stored in length bytes to counts; a count stops at
 * UINT64_MAX.  Any bytes may be given: returns NULL when they were a
 * histogram, in the one way that histogram_encode() writes it, or else a
 * sentence that says what is wrong, with counts changed in part.
 */
extern const char *histogram_decode(const unsigned char *bytes, size_t length,
									uint64 *counts);

/*
 * Write the stored form of coarse counts, and read it, in the same way.
 */
extern size_t histogram_encode_coarse(const uint64 *counts, unsigned char *out);
extern const char *histogram_decode_coarse(const unsigned char *bytes,
										   size_t length, uint64 *counts);

/*
 * Read the text form, such as "1|40:3,1024:2", or "2|..." for coarse counts,
 * to counts, which must be zeroes.  Returns NULL, or a sentence that says what
 * is wrong.
 */
extern const char *histogram_parse(const char *string, uint64 *counts,
								   bool *coarse);

#ifdef C_H

struct varlena;

/*
 * Build a dbmaint_histogram from counts, in the current memory context.
 * Raises numeric_value_out_of_range beyond HISTOGRAM_TOTAL_MAX values.
 */
extern struct varlena *histogram_pack(const uint64 *counts, bool coarse);

/*
 * Add a dbmaint_histogram, which may be toasted, to counts; a count stops at
 * UINT64_MAX.  Returns whether it is coarse: then the sum has to be made so.
 * Raises data_corrupted when it is none.
 */
extern bool histogram_unpack(const struct varlena *histogram, uint64 *counts);

#endif							/* C_H */

#endif							/* DBMAINT_HISTOGRAM_H */
