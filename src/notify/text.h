/*-------------------------------------------------------------------------
 *
 * text.h
 *		Builds a text in a buffer of fixed size, escaped for where it goes.
 *
 * Whatever comes in may hold any byte: names of objects, and in a database of
 * the encoding SQL_ASCII any encoding.  What goes out is valid UTF-8, has no
 * control character that its format does not know, and never grows past the
 * buffer: text_overflowed() tells, and the rest is cut off at the end of a
 * character.  No function here allocates or fails.
 *
 * text.c knows no server.
 *
 * src/notify/text.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_NOTIFY_TEXT_H
#define DBMAINT_NOTIFY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Text
{
	char	   *data;			/* ends with a zero byte, always */
	size_t		length;
	size_t		size;			/* of the buffer */
	bool		overflowed;
} Text;

/* Begins an empty text in a buffer of at least one byte. */
extern void text_begin(Text *out, char *buffer, size_t size);

/* Adds bytes as they are, or nothing where they do not fit. */
extern void text_add_bytes(Text *out, const char *bytes, size_t length);
extern void text_add(Text *out, const char *string);
extern void text_add_number(Text *out, int64_t number);

/*
 * Adds at most `most` characters (not bytes) of the string, cleaned: invalid
 * UTF-8 becomes U+FFFD, control characters become blanks, but a newline
 * stays where the caller wants lines.  What was cut ends with "...".
 */
extern void text_add_plain(Text *out, const char *string, size_t most,
						   bool lines);

/*
 * The same as the inside of a JSON string.  With ascii, what is not ASCII is
 * written as \uXXXX, so that any encoding can hold it.
 */
extern void text_add_json(Text *out, const char *string, size_t most,
						  bool ascii);

/* "name":"value", with a comma before it unless an object or array begins. */
extern void text_add_json_field(Text *out, const char *name,
								const char *value, size_t most);

/* The same for what is JSON already; NULL gives null. */
extern void text_add_json_raw(Text *out, const char *name, const char *json);

/* Adds the string percent-encoded, as in a form; all but unreserved ones. */
extern void text_add_form(Text *out, const char *string, size_t most);

/* As Slack wants it, inside of a JSON string: &, < and > as entities. */
extern void text_add_slack(Text *out, const char *string, size_t most);

/*
 * Adds a header of a mail whose value is any text: "Name: value", folded, as
 * encoded words (RFC 2047) where it is not plain ASCII, ended by CR LF.
 */
extern void text_add_mail_header(Text *out, const char *name,
								 const char *value, size_t most);

/* Adds the bytes in base64, in lines of 76 ended by CR LF. */
extern void text_add_base64_lines(Text *out, const char *bytes, size_t length);

/* The length of the UTF-8 character that begins here, 0 if none does. */
extern int	text_character_length(const char *string, const char *end);

/* Is it a JSON number, as JSON writes it? */
extern bool text_is_json_number(const char *string);

#endif							/* DBMAINT_NOTIFY_TEXT_H */
