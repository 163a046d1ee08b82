/*-------------------------------------------------------------------------
 *
 * packed.h
 *	  Lists of whole numbers, packed: the columns of a snapshot.
 *
 * A snapshot is one row whose columns are lists of the same length: what
 * changed, and by how much, one list a counter.  Such numbers are small, many
 * are zero, and keys ascend; so a list is stored in the shortest of three
 * forms, in the bytes
 *
 *		version, form, count, then as many numbers as the form has
 *
 * where each number is a LEB128 varint of at most 64 bits:
 *
 *		plain		the values
 *		ascending	the first value, then the difference to the one before
 *		sparse		for each value that is not zero the number of zeroes before
 *					it, and the value; zeroes at the end are left out
 *
 * A form in which some value is negative is marked so, and its values (but no
 * difference and no gap) are zigzag numbers.  Each list has one encoding
 * only: the shortest form, the first of those that are equally short.
 *
 * packed.c knows no server: no memory is allocated and nothing is raised.  The
 * functions at the end of this header are the exception; packed_type.c has
 * them, with the SQL type.
 *
 * Within the server, include postgres.h first.
 *
 * src/packed/packed.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_PACKED_H
#define DBMAINT_PACKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef C_H						/* c.h has these of its own */
typedef int64_t int64;
typedef uint64_t uint64;
typedef int32_t int32;
#endif

#define PACKED_VERSION		1

#define PACKED_PLAIN		0
#define PACKED_ASCENDING	1
#define PACKED_SPARSE		2
#define PACKED_NEGATIVE		0x80	/* flag: some value is negative */

/*
 * Zeroes take no bytes, so that the length of a list does not bound its
 * count; this does.
 */
#define PACKED_COUNT_MAX	(1 << 22)

/* Walks through the bytes of a list. */
typedef struct PackedCursor
{
	const unsigned char *at;
	const unsigned char *end;
	int32		count;			/* values of the list */
	int32		index;			/* values read */
	int32		next_nonzero;	/* sparse: where the next stored value is */
	int64		previous;		/* ascending */
	unsigned char form;
	bool		has_negative;
	const char *problem;		/* what is wrong with the bytes, or NULL */
} PackedCursor;

/* Return how many bytes the list takes. */
extern size_t packed_encoded_size(const int64 *values, int32 count);

/*
 * Write the list to out, which has room for packed_encoded_size() bytes.
 * Returns their number.  count is at most PACKED_COUNT_MAX.
 */
extern size_t packed_encode(const int64 *values, int32 count,
							unsigned char *out);

/*
 * Begin to read the list in length bytes, which may be any.  Returns false,
 * and sets problem, if they do not begin as a list does.
 */
extern bool packed_cursor_open(PackedCursor *cursor,
							   const unsigned char *bytes, size_t length);

/*
 * Read the next value.  Returns false at the end of the list, and where the
 * bytes are wrong; problem says which.  The value is then 0.
 */
extern bool packed_cursor_next(PackedCursor *cursor, int64 *value);

/*
 * Move past n values, or to the end of the list.  Returns false, and sets
 * problem, where the bytes are seen to be wrong; plain lists are passed over
 * without a look at their values.
 */
extern bool packed_cursor_skip(PackedCursor *cursor, int32 n);

/* Is the list stored as an ascending one? */
static inline bool
packed_cursor_ascends(const PackedCursor *cursor)
{
	return cursor->form == PACKED_ASCENDING;
}

#ifdef C_H

struct varlena;

/* Collects the values of a list, in the memory context of packed_begin(). */
typedef struct PackedBuilder
{
	int64	   *values;			/* up to the last one that is not zero */
	int32		filled;			/* how many of them */
	int32		room;
	int32		count;
} PackedBuilder;

/* Begin an empty list.  Memory is allocated when a value is not zero. */
extern void packed_begin(PackedBuilder *builder);

/* Append a value that is not zero; packed_add() is what callers use. */
extern void packed_add_nonzero(PackedBuilder *builder, int64 value);

/* Append a value.  Raises program_limit_exceeded past PACKED_COUNT_MAX. */
static inline void
packed_add(PackedBuilder *builder, int64 value)
{
	if (value == 0 && builder->count < PACKED_COUNT_MAX)
		builder->count++;
	else
		packed_add_nonzero(builder, value);
}

/*
 * Append a value at a position from 0 on, which is not before the end; what is
 * skipped is 0.
 */
static inline void
packed_add_at(PackedBuilder *builder, int32 position, int64 value)
{
	builder->count = position;
	packed_add(builder, value);
}

/* Append zeroes until there are so many values. */
static inline void
packed_pad(PackedBuilder *builder, int32 count)
{
	if (builder->count < count)
		builder->count = count;
}

/*
 * Return the list as a dbmaint_packed in the current memory context, and free
 * the builder's memory.  With null_if_zero, NULL for a list without a value
 * other than 0: a column that is null stands for zeroes.
 */
extern struct varlena *packed_finish(PackedBuilder *builder, bool null_if_zero);

/* Reads a dbmaint_packed. */
typedef struct PackedReader
{
	PackedCursor cursor;
	struct varlena *detoasted;	/* to free, or NULL */
} PackedReader;

/*
 * Begin to read a list, which may be toasted.  NULL is a list of no values.
 * Raises data_corrupted when it is not one, as the others do.
 */
extern void packed_open(PackedReader *reader, const struct varlena *packed);

/* Read the next value; false at the end, and then the value is 0. */
extern bool packed_next(PackedReader *reader, int64 *value);

/* Free what packed_open() allocated. */
extern void packed_close(PackedReader *reader);

/* Return the number of values; 0 for NULL. */
extern int32 packed_count(const struct varlena *packed);

/*
 * Return the value at a position from 1 on; 0 for NULL.  A position that the
 * list does not have gives 0 and sets *missing, which may be NULL.
 */
extern int64 packed_nth(const struct varlena *packed, int32 position,
						bool *missing);

/*
 * Return the first position, from 1 on, of a value; 0 where it does not
 * occur.  An ascending list is read up to the value only.
 */
extern int32 packed_find(const struct varlena *packed, int64 value);

/* Return all values, in the current memory context; NULL if there are none. */
extern int64 *packed_values(const struct varlena *packed, int32 *count);

#endif							/* C_H */

#endif							/* DBMAINT_PACKED_H */
