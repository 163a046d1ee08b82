/*-------------------------------------------------------------------------
 *
 * packed.c
 *	  The written form of a list of whole numbers.
 *
 * Pure: no server header, no memory, no clock.  See packed.h.
 *
 * src/packed/packed.c
 *
 *-------------------------------------------------------------------------
 */
#include "packed.h"

#include <string.h>

static uint64
zigzag(int64 value)
{
	return ((uint64) value << 1) ^ (uint64) (value >> 63);
}

static int64
unzigzag(uint64 value)
{
	return (int64) (value >> 1) ^ -(int64) (value & 1);
}

static size_t
varint_length(uint64 value)
{
	size_t		length = 1;

	while (value >= 0x80)
	{
		value >>= 7;
		length++;
	}
	return length;
}

static unsigned char *
write_varint(unsigned char *out, uint64 value)
{
	while (value >= 0x80)
	{
		*out++ = (unsigned char) (value | 0x80);
		value >>= 7;
	}
	*out++ = (unsigned char) value;
	return out;
}

/*
 * Read a number and move past it.  Refuses one that ends with the bytes, that
 * has more than 64 bits, or that could have been written shorter.
 */
static inline bool
read_varint(PackedCursor *cursor, uint64 *value)
{
	const unsigned char *at = cursor->at;
	uint64		result = 0;

	for (int shift = 0; shift < 64 && at < cursor->end; shift += 7)
	{
		unsigned char byte = *at++;

		if (shift == 63 && byte > 1)
			break;
		result |= (uint64) (byte & 0x7F) << shift;
		if ((byte & 0x80) == 0)
		{
			if (byte == 0 && shift > 0)
				break;
			cursor->at = at;
			*value = result;
			return true;
		}
	}
	cursor->problem = "A number is cut off or written too long.";
	return false;
}

/* Which form is the shortest, and how long are its numbers? */
static unsigned char
choose_form(const int64 *values, int32 count, size_t *length)
{
	size_t		plain = 0;
	size_t		ascending = 0;
	size_t		sparse = 0;
	uint64		gap = 0;
	bool		ascends = true;
	bool		negative = false;
	unsigned char form = PACKED_PLAIN;

	for (int32 i = 0; i < count && !negative; i++)
		negative = values[i] < 0;

	for (int32 i = 0; i < count; i++)
	{
		uint64		number = negative ? zigzag(values[i]) : (uint64) values[i];
		size_t		taken = varint_length(number);

		plain += taken;
		if (number == 0)
			gap++;
		else
		{
			sparse += varint_length(gap) + taken;
			gap = 0;
		}
		if (i == 0)
			ascending = taken;
		else if (ascends)
		{
			ascends = values[i] >= values[i - 1];
			ascending += varint_length((uint64) values[i] - (uint64) values[i - 1]);
		}
	}

	*length = plain;
	if (ascends && ascending < *length)
	{
		form = PACKED_ASCENDING;
		*length = ascending;
	}
	if (sparse < *length)
	{
		form = PACKED_SPARSE;
		*length = sparse;
	}
	return negative ? form | PACKED_NEGATIVE : form;
}

size_t
packed_encoded_size(const int64 *values, int32 count)
{
	size_t		length;

	(void) choose_form(values, count, &length);
	return 2 + varint_length((uint64) count) + length;
}

size_t
packed_encode(const int64 *values, int32 count, unsigned char *out)
{
	unsigned char *start = out;
	size_t		length;
	unsigned char form = choose_form(values, count, &length);
	bool		negative = (form & PACKED_NEGATIVE) != 0;
	uint64		gap = 0;

	*out++ = PACKED_VERSION;
	*out++ = form;
	out = write_varint(out, (uint64) count);

	for (int32 i = 0; i < count; i++)
	{
		uint64		number = negative ? zigzag(values[i]) : (uint64) values[i];

		switch (form & ~PACKED_NEGATIVE)
		{
			case PACKED_ASCENDING:
				if (i > 0)
					number = (uint64) values[i] - (uint64) values[i - 1];
				break;
			case PACKED_SPARSE:
				if (number == 0)
				{
					gap++;
					continue;
				}
				out = write_varint(out, gap);
				gap = 0;
				break;
		}
		out = write_varint(out, number);
	}
	return (size_t) (out - start);
}

static bool
broken(PackedCursor *cursor, const char *problem)
{
	cursor->problem = problem;
	return false;
}

/* Sparse: find where the next stored value is; at the end, past the list. */
static bool
read_gap(PackedCursor *cursor)
{
	uint64		gap;

	if (cursor->at == cursor->end)
	{
		cursor->next_nonzero = cursor->count;
		return true;
	}
	if (!read_varint(cursor, &gap))
		return false;
	if (gap >= (uint64) (cursor->count - cursor->index))
		return broken(cursor, "A value lies beyond the last one.");
	cursor->next_nonzero = cursor->index + (int32) gap;
	return true;
}

bool
packed_cursor_open(PackedCursor *cursor, const unsigned char *bytes,
				   size_t length)
{
	uint64		count;

	memset(cursor, 0, sizeof(PackedCursor));
	if (length == 0)
		return broken(cursor, "The version is missing.");
	if (bytes[0] != PACKED_VERSION)
		return broken(cursor, "The version is not 1.");
	if (length == 1)
		return broken(cursor, "The form is missing.");
	cursor->form = bytes[1] & ~PACKED_NEGATIVE;
	cursor->has_negative = (bytes[1] & PACKED_NEGATIVE) != 0;
	if (cursor->form > PACKED_SPARSE)
		return broken(cursor, "The form is none of the three.");

	cursor->at = bytes + 2;
	cursor->end = bytes + length;
	if (!read_varint(cursor, &count))
		return false;
	if (count > PACKED_COUNT_MAX)
		return broken(cursor, "The count is more than a list can have.");
	if (cursor->form != PACKED_SPARSE &&
		count > (uint64) (cursor->end - cursor->at))
		return broken(cursor, "The list is cut off.");
	cursor->count = (int32) count;

	if (cursor->form == PACKED_SPARSE)
		return read_gap(cursor);
	return true;
}

/* Turn a number to the value it stands for. */
static inline bool
decode_value(PackedCursor *cursor, uint64 number, int64 *value)
{
	if (cursor->has_negative)
		*value = unzigzag(number);
	else if (number > INT64_MAX)
		return broken(cursor, "A value is out of range.");
	else
		*value = (int64) number;
	return true;
}

static bool
next_ascending(PackedCursor *cursor, int64 *value)
{
	uint64		number;

	if (!read_varint(cursor, &number))
		return false;
	if (cursor->index == 0)
	{
		if (!decode_value(cursor, number, value))
			return false;
	}
	else
	{
		if (number > (uint64) INT64_MAX - (uint64) cursor->previous)
			return broken(cursor, "A value is out of range.");
		*value = (int64) ((uint64) cursor->previous + number);
	}
	cursor->previous = *value;
	cursor->index++;
	return true;
}

static bool
next_sparse(PackedCursor *cursor, int64 *value)
{
	uint64		number;

	if (cursor->index++ < cursor->next_nonzero)
		return true;
	if (!read_varint(cursor, &number) ||
		!decode_value(cursor, number, value))
		return false;
	if (number == 0)
		return broken(cursor, "A zero is among the other values.");
	return read_gap(cursor);
}

bool
packed_cursor_next(PackedCursor *cursor, int64 *value)
{
	uint64		number;
	bool		valid;

	*value = 0;
	if (cursor->index >= cursor->count)
	{
		if (cursor->problem == NULL && cursor->at != cursor->end)
			cursor->problem = "Something follows the last value.";
		return false;
	}
	if (cursor->problem != NULL)
		return false;

	if (cursor->form == PACKED_PLAIN)
	{
		valid = read_varint(cursor, &number) &&
			decode_value(cursor, number, value);
		cursor->index++;
	}
	else if (cursor->form == PACKED_ASCENDING)
		valid = next_ascending(cursor, value);
	else
		valid = next_sparse(cursor, value);

	if (!valid)
		*value = 0;
	return valid;
}

/*
 * Pass over n plain numbers: as many bytes without the continuation bit, which
 * are counted eight at a time.
 */
static bool
skip_plain(PackedCursor *cursor, int32 n)
{
	int32		left = n;

	while (left >= 8 && cursor->end - cursor->at >= 8)
	{
		uint64		word;

		memcpy(&word, cursor->at, sizeof(word));
		/* one bit a byte that ends a number, then their sum in the top byte */
		word = (~word >> 7) & UINT64_C(0x0101010101010101);
		left -= (int32) ((word * UINT64_C(0x0101010101010101)) >> 56);
		cursor->at += 8;
	}
	while (left > 0 && cursor->at < cursor->end)
	{
		if ((*cursor->at++ & 0x80) == 0)
			left--;
	}
	if (left > 0)
		return broken(cursor, "The list is cut off.");
	cursor->index += n;
	return true;
}

bool
packed_cursor_skip(PackedCursor *cursor, int32 n)
{
	int64		value;

	if (cursor->problem != NULL)
		return false;
	if (n > cursor->count - cursor->index)
		n = cursor->count - cursor->index;

	if (cursor->form == PACKED_PLAIN)
		return skip_plain(cursor, n);
	while (n > 0)
	{
		/* a run of zeroes in one step */
		if (cursor->form == PACKED_SPARSE && cursor->index < cursor->next_nonzero)
		{
			int32		zeroes = cursor->next_nonzero - cursor->index;

			if (zeroes > n)
				zeroes = n;
			cursor->index += zeroes;
			n -= zeroes;
			continue;
		}
		if (!packed_cursor_next(cursor, &value))
			return false;
		n--;
	}
	return true;
}
