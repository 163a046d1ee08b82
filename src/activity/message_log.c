/*-------------------------------------------------------------------------
 *
 * message_log.c
 *		The hook that counts messages, and who reads the counts.
 *
 * src/activity/message_log.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/transam.h"
#include "access/xact.h"
#include "activity/message_log.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "port/atomics.h"
#include "step/query.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/pg_shmem.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#define TRANCHE_NAME "dbmaint_message_log"

#define ENTRIES 512
#define MOST_PROBES 32

/* what an entry is worth in an array of totals; the last is for the rest */
#define OVERFLOW_ENTRY ENTRIES

/* A SQLSTATE has 30 bits; this one tells an entry in use from a free one. */
#define KEY_USED UINT64CONST(0x80000000)
#define KEY_FREE UINT64CONST(0)
#define KEY_FORGOTTEN UINT64CONST(0x40000000)	/* ends no search */

typedef enum Severity
{
	SEVERITY_DEBUG,
	SEVERITY_LOG,
	SEVERITY_INFO,
	SEVERITY_NOTICE,
	SEVERITY_WARNING,
	SEVERITY_ERROR,
	SEVERITY_FATAL,
	SEVERITY_PANIC
} Severity;

#define SEVERITIES (SEVERITY_PANIC + 1)

typedef struct MessageEntry
{
	pg_atomic_uint64 key;		/* database and SQLSTATE */
	pg_atomic_uint64 counts[SEVERITIES];
	uint64		stored[SEVERITIES]; /* of counts; under the lock */
	uint64		stored_before[SEVERITIES];	/* without what was stored last */
} MessageEntry;

typedef struct MessageLog
{
	LWLock	   *lock;			/* between those who read; no hook takes it */
	FullTransactionId storer;	/* the last transaction that stored some */
	bool		is_stored;		/* it has committed */
	MessageEntry entries[ENTRIES + 1];
} MessageLog;

/* A count that somebody reads. */
typedef struct MessageCount
{
	int			entry;
	Severity	severity;
	uint64		key;
	uint64		total;
	uint64		stored;
	uint64		stored_before;
} MessageCount;

PG_FUNCTION_INFO_V1(dbmaint_log_counts);

/* Where this transaction stored some; invalid: nowhere. */
static SubTransactionId storing_subid = InvalidSubTransactionId;

static MessageLog *message_log = NULL;
static emit_log_hook_type prev_emit_log = NULL;

static uint64
make_key(Oid database_oid, int sqlstate)
{
	return ((uint64) database_oid << 32) | KEY_USED | (uint32) sqlstate;
}

static Severity
severity_of(int elevel)
{
	switch (elevel)
	{
		case LOG:
		case LOG_SERVER_ONLY:
			return SEVERITY_LOG;
		case INFO:
			return SEVERITY_INFO;
		case NOTICE:
			return SEVERITY_NOTICE;
		case WARNING:
		case WARNING_CLIENT_ONLY:
			return SEVERITY_WARNING;
		case ERROR:
			return SEVERITY_ERROR;
		case FATAL:
			return SEVERITY_FATAL;
		case PANIC:
			return SEVERITY_PANIC;
		default:
			return SEVERITY_DEBUG;
	}
}

static const char *
severity_name(Severity severity)
{
	static const char *const names[SEVERITIES] = {
		"DEBUG", "LOG", "INFO", "NOTICE", "WARNING", "ERROR", "FATAL", "PANIC"
	};

	return names[severity];
}

/*
 * The key's entry, taken if there is none; that of the rest if there is no
 * room.  When an entry was forgotten meanwhile, two processes may take one
 * each for the same key: who reads adds them up.
 */
static MessageEntry *
find_entry(uint64 key)
{
	uint32		start = murmurhash32((uint32) key ^ murmurhash32((uint32) (key >> 32)));
	MessageEntry *forgotten = NULL;

	for (int i = 0; i < MOST_PROBES; i++)
	{
		MessageEntry *entry = &message_log->entries[(start + i) % ENTRIES];
		uint64		held = pg_atomic_read_u64(&entry->key);

		if (held == key)
			return entry;
		if (held == KEY_FORGOTTEN && forgotten == NULL)
			forgotten = entry;
		if (held == KEY_FREE && forgotten != NULL)
			break;
		if (held == KEY_FREE &&
			(pg_atomic_compare_exchange_u64(&entry->key, &held, key) ||
			 held == key))
			return entry;
	}
	if (forgotten != NULL)
	{
		uint64		held = KEY_FORGOTTEN;

		if (pg_atomic_compare_exchange_u64(&forgotten->key, &held, key) ||
			held == key)
			return forgotten;
	}
	return &message_log->entries[OVERFLOW_ENTRY];
}

/*
 * Counts a message that the server is about to log.  A process that let the
 * shared memory go (the logger) counts nothing.
 */
static void
message_log_emit(ErrorData *edata)
{
	if (prev_emit_log)
		prev_emit_log(edata);

	if (edata->output_to_server && message_log != NULL &&
		UsedShmemSegAddr != NULL)
	{
		MessageEntry *entry = find_entry(make_key(MyDatabaseId, edata->sqlerrcode));

		pg_atomic_fetch_add_u64(&entry->counts[severity_of(edata->elevel)], 1);
	}
}

void
message_log_install(void)
{
	prev_emit_log = emit_log_hook;
	emit_log_hook = message_log_emit;
}

void
message_log_shared_request(void)
{
	RequestAddinShmemSpace(sizeof(MessageLog));
	RequestNamedLWLockTranche(TRANCHE_NAME, 1);
}

/*
 * The postmaster lets its shared memory go before it makes it anew after a
 * crash, and may log in between.
 */
static void
detach(int code, Datum arg)
{
	(void) code;
	(void) arg;
	message_log = NULL;
}

void
message_log_shared_attach(void)
{
	bool		found;
	MessageLog *shared = ShmemInitStruct("dbmaint message log",
										 sizeof(MessageLog), &found);

	if (!found)
	{
		shared->lock = &GetNamedLWLockTranche(TRANCHE_NAME)->lock;
		shared->storer = InvalidFullTransactionId;
		shared->is_stored = true;
		for (int i = 0; i <= ENTRIES; i++)
		{
			MessageEntry *entry = &shared->entries[i];

			pg_atomic_init_u64(&entry->key, KEY_FREE);
			for (int s = 0; s < SEVERITIES; s++)
			{
				pg_atomic_init_u64(&entry->counts[s], 0);
				entry->stored[s] = entry->stored_before[s] = 0;
			}
		}
	}
	on_shmem_exit(detach, (Datum) 0);
	message_log = shared;
}

static bool
is_among(Oid oid, const Oid *oids, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (oids[i] == oid)
			return true;
	}
	return false;
}

void
message_log_forget_others(const Oid *existing, int count)
{
	LWLockAcquire(message_log->lock, LW_EXCLUSIVE);
	for (int i = 0; i < ENTRIES; i++)
	{
		MessageEntry *entry = &message_log->entries[i];
		uint64		key = pg_atomic_read_u64(&entry->key);
		Oid			database_oid = key >> 32;
		bool		pending = false;

		if (!OidIsValid(database_oid) || is_among(database_oid, existing, count))
			continue;
		for (int s = 0; s < SEVERITIES; s++)
			pending = pending || !message_log->is_stored ||
				pg_atomic_read_u64(&entry->counts[s]) != entry->stored[s];
		if (pending)
			continue;
		for (int s = 0; s < SEVERITIES; s++)
		{
			pg_atomic_write_u64(&entry->counts[s], 0);
			entry->stored[s] = entry->stored_before[s] = 0;
		}
		pg_write_barrier();
		pg_atomic_write_u64(&entry->key, KEY_FORGOTTEN);
	}
	LWLockRelease(message_log->lock);
}

/*
 * Reads the counts that are not 0, and who stored what of them last.  The array
 * is in the current memory context.
 */
static MessageCount *
read_counts(int *count, FullTransactionId *storer, bool *is_stored)
{
	MessageCount *found = palloc_array(MessageCount, (ENTRIES + 1) * SEVERITIES);
	int			n = 0;

	LWLockAcquire(message_log->lock, LW_SHARED);
	*storer = message_log->storer;
	*is_stored = message_log->is_stored;
	for (int i = 0; i <= ENTRIES; i++)
	{
		MessageEntry *entry = &message_log->entries[i];

		for (int s = 0; s < SEVERITIES; s++)
		{
			MessageCount *c = &found[n];

			c->entry = i;
			c->severity = s;
			c->key = pg_atomic_read_u64(&entry->key);
			c->total = pg_atomic_read_u64(&entry->counts[s]);
			c->stored = entry->stored[s];
			c->stored_before = entry->stored_before[s];
			if (c->total > 0)
				n++;
		}
	}
	LWLockRelease(message_log->lock);
	*count = n;
	return found;
}

/*
 * Does the snapshot have the row that was stored last?  Else what it has would
 * be neither in the history nor among what is still to come.
 */
static bool
is_seen(FullTransactionId storer, bool is_stored, Snapshot snapshot)
{
	TransactionId xid = XidFromFullTransactionId(storer);

	if (!FullTransactionIdIsValid(storer) || TransactionIdIsCurrentTransactionId(xid))
		return true;
	/* so long ago that the number may have come round */
	if (U64FromFullTransactionId(ReadNextFullTransactionId()) - U64FromFullTransactionId(storer) > PG_INT32_MAX)
		return true;
	if (XidInMVCCSnapshot(xid, snapshot))
		return false;
	return is_stored || TransactionIdDidCommit(xid);
}

/* Notes that the counts are stored, if the transaction commits. */
static void
mark_stored(const MessageCount *counts, int count)
{
	FullTransactionId storer = GetTopFullTransactionId();

	LWLockAcquire(message_log->lock, LW_EXCLUSIVE);
	for (int i = 0; i <= ENTRIES; i++)
		memcpy(message_log->entries[i].stored_before, message_log->entries[i].stored, sizeof(message_log->entries[i].stored));
	for (int i = 0; i < count; i++)
	{
		MessageEntry *entry = &message_log->entries[counts[i].entry];

		if (pg_atomic_read_u64(&entry->key) == counts[i].key)
			entry->stored[counts[i].severity] = counts[i].total;
	}
	message_log->storer = storer;
	message_log->is_stored = false;
	storing_subid = GetCurrentSubTransactionId();
	LWLockRelease(message_log->lock);
}

/* What this transaction stored is stored, or it is not. */
static void
settle(bool committed)
{
	storing_subid = InvalidSubTransactionId;
	if (message_log == NULL)
		return;
	LWLockAcquire(message_log->lock, LW_EXCLUSIVE);
	if (!committed)
	{
		for (int i = 0; i <= ENTRIES; i++)
			memcpy(message_log->entries[i].stored, message_log->entries[i].stored_before, sizeof(message_log->entries[i].stored));
		message_log->storer = InvalidFullTransactionId;
	}
	message_log->is_stored = true;
	LWLockRelease(message_log->lock);
}

static void
message_log_xact_callback(XactEvent event, void *arg)
{
	(void) arg;
	if (storing_subid == InvalidSubTransactionId)
		return;
	if (event == XACT_EVENT_PRE_PREPARE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has stored counts of log messages"),
				 errhint("Commit the transaction instead.")));
	if (event == XACT_EVENT_COMMIT)
		settle(true);
	else if (event == XACT_EVENT_ABORT)
		settle(false);
}

static void
message_log_subxact_callback(SubXactEvent event, SubTransactionId subid,
							 SubTransactionId parent, void *arg)
{
	(void) arg;
	if (storing_subid == InvalidSubTransactionId || storing_subid != subid)
		return;
	if (event == SUBXACT_EVENT_COMMIT_SUB)
		storing_subid = parent;
	else if (event == SUBXACT_EVENT_ABORT_SUB)
		settle(false);
}

/* Database, SQLSTATE and severity of a count; the first two NULL for the rest. */
static void
identify(const MessageCount *count, Datum *values, bool *nulls)
{
	nulls[0] = nulls[1] = count->entry == OVERFLOW_ENTRY;
	nulls[2] = false;
	values[0] = ObjectIdGetDatum((Oid) (count->key >> 32));
	values[1] = CStringGetTextDatum(unpack_sql_state((int) (count->key & ~KEY_USED & PG_UINT32_MAX)));
	values[2] = CStringGetTextDatum(severity_name(count->severity));
}

void
collect_log(Collection *collection)
{
	static const Oid elements[4] = {OIDOID, TEXTOID, TEXTOID, INT8OID};
	Oid			types[5] = {TIMESTAMPTZOID};
	Datum		values[5];
	Datum	   *columns[4];
	bool	   *nulls[4];
	static bool registered = false;
	FullTransactionId storer;
	bool		is_stored;
	int			found;
	int			count = 0;
	MessageCount *counts = read_counts(&found, &storer, &is_stored);

	/* another transaction stores what there is; the next turn has the rest */
	if (!is_stored)
		return;
	for (int i = 0; i < found; i++)
	{
		if (counts[i].total > counts[i].stored)
			counts[count++] = counts[i];
	}
	if (count == 0)
		return;
	if (!registered)
	{
		RegisterXactCallback(message_log_xact_callback, NULL);
		RegisterSubXactCallback(message_log_subxact_callback, NULL);
		registered = true;
	}

	for (int c = 0; c < 4; c++)
	{
		columns[c] = palloc0_array(Datum, count);
		nulls[c] = palloc0_array(bool, count);
	}
	for (int i = 0; i < count; i++)
	{
		Datum		identity[3];
		bool		unknown[3];

		identify(&counts[i], identity, unknown);
		for (int c = 0; c < 3; c++)
		{
			columns[c][i] = identity[c];
			nulls[c][i] = unknown[c];
		}
		columns[3][i] = Int64GetDatum(counts[i].total - counts[i].stored);
	}

	values[0] = TimestampTzGetDatum(collection->at);
	for (int c = 0; c < 4; c++)
	{
		types[1 + c] = get_array_type(elements[c]);
		values[1 + c] = query_array(columns[c], nulls[c], count, elements[c]);
	}
	query_begin(psprintf("SELECT %s.dbmaint_store_log($1, $2, $3, $4, $5)",
						 collection->schema), 5, types, values, NULL);
	query_end();
	mark_stored(counts, count);
}

/* SQL: dbmaint_log_counts(), see message_log.sql */
Datum
dbmaint_log_counts(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MessageCount *counts;
	FullTransactionId storer;
	bool		is_stored;
	bool		seen;
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	if (message_log == NULL)
		return (Datum) 0;
	counts = read_counts(&count, &storer, &is_stored);
	seen = is_seen(storer, is_stored, GetActiveSnapshot());
	for (int i = 0; i < count; i++)
	{
		Datum		values[5];
		bool		nulls[5] = {false};

		identify(&counts[i], values, nulls);
		values[3] = Int64GetDatum(counts[i].total);
		values[4] = Int64GetDatum(counts[i].total - (seen ? counts[i].stored : counts[i].stored_before));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
