/*-------------------------------------------------------------------------
 *
 * http_headers.c
 *		The headers of a request: id, signature, and what the channel adds.
 *
 * src/notify/http_headers.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "common/hmac.h"
#include "common/sha2.h"
#include "lib/stringinfo.h"
#include "notify/notify.h"

#define SIGNATURE_HEADER "X-Dbmaint-Signature"

/* "sha256=" and the HMAC of the body in hexadecimal digits. */
static void
add_signature(StringInfo headers, const Channel *channel,
			  const Request *request)
{
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	pg_hmac_ctx *context = pg_hmac_create(PG_SHA256);
	bool		done;

	done = context != NULL &&
		pg_hmac_init(context, (const uint8 *) channel->signing_key,
					 strlen(channel->signing_key)) >= 0 &&
		pg_hmac_update(context, (const uint8 *) request->body.data,
					   request->body.length) >= 0 &&
		pg_hmac_final(context, digest, sizeof(digest)) >= 0;
	pg_hmac_free(context);
	if (!done)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("a notification could not be signed")));

	appendStringInfo(headers, "\n%s: sha256=",
					 channel->signature_header != NULL ?
					 channel->signature_header : SIGNATURE_HEADER);
	for (int i = 0; i < PG_SHA256_DIGEST_LENGTH; i++)
		appendStringInfo(headers, "%02x", digest[i]);
}

char *
http_headers(const Channel *channel, const Request *request,
			 const char *message_key)
{
	StringInfoData headers;

	initStringInfo(&headers);
	appendStringInfo(&headers, "Content-Type: %s\nIdempotency-Key: %s",
					 request->content_type, message_key);
	if (channel->signing_key != NULL)
		add_signature(&headers, channel, request);
	if (channel->headers != NULL)
		appendStringInfo(&headers, "\n%s", channel->headers);
	return headers.data;
}
