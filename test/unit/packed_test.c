/*-------------------------------------------------------------------------
 *
 * packed_test.c
 *	  Properties of the written form of lists, on edge cases and random data;
 *	  prints TAP.  Needs no server:
 *
 *	  cc -g -fsanitize=address,undefined test/unit/packed_test.c \
 *		 src/packed/packed.c -o packed_test && ./packed_test
 *
 *	  Random data comes from a fixed seed, or from the one given as argument.
 *
 *-------------------------------------------------------------------------
 */
#include "packed/packed.h"
#include "check.h"

#define COUNT_MOST 300

/* Lists of every kind: dense, sparse, ascending, constant, of both signs. */
static int32
random_list(int64 *values)
{
	int32		count = (int32) (next_random() % COUNT_MOST);
	int			bits = 1 + (int) (next_random() % 63);
	uint64		kind = next_random() % 6;
	int64		value = 0;

	for (int32 i = 0; i < count; i++)
	{
		int64		number = (int64) random_magnitude(bits);

		switch (kind)
		{
			case 0:
				value = number;
				break;
			case 1:
				value = next_random() % 20 ? 0 : number;
				break;
			case 2:
				value = value > INT64_MAX - number % 1000 ? value : value + number % 1000;
				break;
			case 3:
				value = next_random() % 2 ? number : -number - 1;
				break;
			case 4:
				value = i == 0 ? -number : value + (int64) (next_random() % 3);
				break;
			default:
				value = i == 0 ? number : value;
				break;
		}
		values[i] = value;
	}
	return count;
}

/*
 * Decode memory of exactly this size, so that a read beyond it shows.  Returns
 * the count, or -1; values may be NULL.
 */
static int32
decode_exactly(const unsigned char *bytes, size_t length, int64 *values,
			   int32 room)
{
	unsigned char *copy = malloc(length ? length : 1);
	PackedCursor cursor;
	int32		count = 0;
	int64		value;

	memcpy(copy, bytes, length);
	if (packed_cursor_open(&cursor, length ? copy : copy + 1, length))
	{
		while (packed_cursor_next(&cursor, &value))
		{
			if (count < room)
				values[count] = value;
			count++;
		}
		CHECK(cursor.problem != NULL || count == cursor.count,
			  "%d of %d", count, cursor.count);
	}
	free(copy);
	return cursor.problem != NULL ? -1 : count;
}

static void
check_list(const int64 *values, int32 count, size_t expected)
{
	size_t		size = packed_encoded_size(values, count);
	unsigned char *bytes = malloc(size);
	static int64 decoded[1000];

	CHECK(packed_encode(values, count, bytes) == size, "count %d", count);
	CHECK(expected == 0 || size == expected, "%zu bytes", size);
	CHECK(decode_exactly(bytes, size, decoded, 1000) == count, "count %d", count);
	CHECK(memcmp(values, decoded, sizeof(int64) * (size_t) count) == 0, "count %d", count);

	/* every shorter one is refused, and so is a longer one */
	for (size_t length = 0; length < size && size < 50; length++)
	{
		int32		got = decode_exactly(bytes, length, decoded, 1000);

		/* the zeroes at the end of a sparse list hide what was cut off */
		CHECK(got == -1 || bytes[1] % 128 == PACKED_SPARSE, "%zu of %zu", length, size);
	}
	bytes = realloc(bytes, size + 1);
	bytes[size] = 0;
	CHECK(decode_exactly(bytes, size + 1, decoded, 1000) == -1, "count %d", count);
	free(bytes);
}

static void
test_forms(void)
{
	static const int64 most[] = {INT64_MAX};
	static const int64 least[] = {INT64_MIN};
	static const int64 upwards[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
	static const int64 downwards[] = {INT64_MAX, INT64_MIN};
	static const int64 mixed[] = {-5, 0, 7};
	int64		values[1000] = {0};

	check_list(values, 0, 3);
	check_list(values, 1, 3);	/* zeroes take nothing */
	check_list(values, 1000, 4);
	values[999] = 1;
	check_list(values, 1000, 4 + 3);
	for (int i = 0; i < 1000; i++)
		values[i] = 1000000 + i;
	check_list(values, 1000, 4 + 3 + 999);
	for (int i = 0; i < 1000; i++)
		values[i] = 1 + i % 100;
	check_list(values, 1000, 4 + 1000);
	values[500] = -1;			/* 63 of 100 fit into a byte as zigzag */
	check_list(values, 1000, 4 + 1000 + 370);
	check_list(most, 1, 3 + 9);
	check_list(least, 1, 3 + 10);
	check_list(upwards, 5, 0);
	check_list(downwards, 2, 0);
	check_list(mixed, 3, 3 + 3);
}

static void
test_round_trip(void)
{
	int64		values[COUNT_MOST];

	for (int round = 0; round < 50000; round++)
	{
		int32		count = random_list(values);

		check_list(values, count, 0);
	}
}

static void
test_skip(void)
{
	int64		values[COUNT_MOST];
	static unsigned char bytes[COUNT_MOST * 20];

	for (int round = 0; round < 50000; round++)
	{
		int32		count = random_list(values);
		size_t		length = packed_encode(values, count, bytes);
		unsigned char *copy = malloc(length);
		PackedCursor cursor;
		int32		at = 0;

		memcpy(copy, bytes, length);
		CHECK(packed_cursor_open(&cursor, copy, length), "round %d", round);
		while (at < count)
		{
			int32		step = (int32) (next_random() % 40);
			int64		value;

			CHECK(packed_cursor_skip(&cursor, step), "round %d", round);
			at += step;
			if (at >= count)
				break;
			CHECK(packed_cursor_next(&cursor, &value), "round %d", round);
			CHECK(value == values[at], "round %d position %d", round, at);
			at++;
		}
		free(copy);
	}
}

static void
test_fuzz(void)
{
	static unsigned char bytes[COUNT_MOST * 20];
	static unsigned char again[COUNT_MOST * 20];
	static int64 values[COUNT_MOST];
	int			accepted = 0;
	int			refused = 0;

	for (int round = 0; round < 500000; round++)
	{
		size_t		length;
		int32		count;
		PackedCursor cursor;
		unsigned char *copy;

		if (next_random() % 2)
		{
			length = next_random() % 30;
			for (size_t i = 0; i < length; i++)
				bytes[i] = (unsigned char) (next_random() & (next_random() % 2 ? 0xFF : 0x83));
			if (length > 0 && next_random() % 8)
				bytes[0] = PACKED_VERSION;
			if (length > 1 && next_random() % 8)
				bytes[1] = (unsigned char) (next_random() % 3 | (next_random() % 2 ? PACKED_NEGATIVE : 0));
			if (length > 2 && next_random() % 2)
				bytes[2] = (unsigned char) (next_random() % (length - 2));
		}
		else
		{
			count = random_list(values);
			length = packed_encode(values, count, bytes);
			for (uint64 n = next_random() % 3; n > 0; n--)
				bytes[next_random() % length] ^= (unsigned char) (1U << next_random() % 8);
			if (next_random() % 4 == 0)
				length = next_random() % (length + 1);
		}

		/* skipping reads nothing beyond the end either */
		copy = malloc(length ? length : 1);
		memcpy(copy, bytes, length);
		if (packed_cursor_open(&cursor, length ? copy : copy + 1, length))
		{
			CHECK(cursor.count >= 0 && cursor.count <= PACKED_COUNT_MAX, "%d", cursor.count);
			CHECK(cursor.form == PACKED_SPARSE || cursor.count <= (int32) length, "%d", cursor.count);
			(void) packed_cursor_skip(&cursor, (int32) (next_random() % COUNT_MOST));
		}
		free(copy);

		count = decode_exactly(bytes, length, values, COUNT_MOST);
		if (count < 0)
		{
			refused++;
			continue;
		}
		accepted++;
		if (count <= COUNT_MOST)
		{
			/* what was accepted is no shorter than the form that we choose */
			CHECK(packed_encoded_size(values, count) <= length, "round %d", round);
			CHECK(packed_encode(values, count, again) <= length, "round %d", round);
		}
	}
	CHECK(accepted > 10000 && refused > 10000, "%d, %d", accepted, refused);
}

static void
test_limits(void)
{
	unsigned char bytes[] = {PACKED_VERSION, PACKED_SPARSE, 0x80, 0x80, 0x80, 0x02};

	CHECK(decode_exactly(bytes, sizeof(bytes), NULL, 0) == PACKED_COUNT_MAX, "at the limit");
	bytes[2] = 0x81;
	CHECK(decode_exactly(bytes, sizeof(bytes), NULL, 0) == -1, "beyond the limit");
	bytes[1] = PACKED_PLAIN;
	bytes[2] = 0x80;
	CHECK(decode_exactly(bytes, sizeof(bytes), NULL, 0) == -1, "more than there is");
}

int
main(int argc, char **argv)
{
	check_begin(argc, argv);

	run(test_forms, "each list takes its shortest form");
	run(test_round_trip, "lists survive being written and read");
	run(test_skip, "skipping finds what reading finds");
	run(test_fuzz, "any bytes are read or refused, within their bounds");
	run(test_limits, "the count is bounded");

	return check_end();
}
