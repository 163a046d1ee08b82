/*-------------------------------------------------------------------------
 *
 * sequence.c
 *		How far each sequence has come, without waiting and without keeping
 *		a lock.
 *
 * pg_sequence_last_value() keeps its lock until the transaction ends: ten
 * thousand sequences would fill the server's lock table.  Here each is locked
 * only if that needs no waiting, read, and let go.
 *
 * src/forecast/sequence.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xlog.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_sequence.h"
#include "commands/sequence.h"
#include "funcapi.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(dbmaint_sequence_positions);

/* Reads the sequence's only row; false where there is none to read. */
static bool
read_position(Relation rel, int64 *last_value, bool *is_called)
{
	Buffer		buffer;
	Page		page;
	ItemId		item;
	bool		found;

	/* an unlogged one has no file on a standby */
	if (RelationGetNumberOfBlocks(rel) == 0)
		return false;
	buffer = ReadBuffer(rel, 0);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	item = PageGetItemId(page, FirstOffsetNumber);
	found = PageGetMaxOffsetNumber(page) >= FirstOffsetNumber &&
		ItemIdIsNormal(item);
	if (found)
	{
		HeapTupleData tuple;
		Form_pg_sequence_data row;

		tuple.t_data = (HeapTupleHeader) PageGetItem(page, item);
		row = (Form_pg_sequence_data) GETSTRUCT(&tuple);
		*last_value = row->last_value;
		*is_called = row->is_called;
	}
	UnlockReleaseBuffer(buffer);
	return found;
}

/*
 * As for pg_sequences, and whoever may read statistics: our samples tell those
 * the same.  Not what is gone.
 */
static bool
may_read(Oid sequence)
{
	bool		missing = false;

	if (has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS))
		return true;
	return pg_class_aclcheck_ext(sequence, GetUserId(), ACL_SELECT | ACL_USAGE,
								 &missing) == ACLCHECK_OK && !missing;
}

/* Opens the sequence unless it is gone, somebody's temporary one, or locked. */
static Relation
try_open(Oid sequence)
{
	Relation	rel;

	if (!ConditionalLockRelationOid(sequence, AccessShareLock))
		return NULL;
	rel = try_relation_open(sequence, NoLock);
	if (rel == NULL)
	{
		UnlockRelationOid(sequence, AccessShareLock);
		return NULL;
	}
	if (rel->rd_rel->relkind != RELKIND_SEQUENCE || RELATION_IS_OTHER_TEMP(rel) ||
		(RecoveryInProgress() && rel->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT))
	{
		relation_close(rel, AccessShareLock);
		return NULL;
	}
	return rel;
}

/*
 * SQL: dbmaint_sequence_positions() -> (sequence, last_value, is_called)
 */
Datum
dbmaint_sequence_positions(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Relation	catalog;
	TableScanDesc scan;
	HeapTuple	tuple;

	InitMaterializedSRF(fcinfo, 0);
	catalog = table_open(SequenceRelationId, AccessShareLock);
	scan = table_beginscan_strat(catalog, GetActiveSnapshot(), 0, NULL, true, false);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Oid			sequence = ((Form_pg_sequence) GETSTRUCT(tuple))->seqrelid;
		Datum		values[3];
		bool		nulls[3] = {false};
		int64		last_value;
		bool		is_called;
		bool		found;
		Relation	rel;

		CHECK_FOR_INTERRUPTS();
		if (!may_read(sequence))
			continue;
		rel = try_open(sequence);
		if (rel == NULL)
			continue;
		found = read_position(rel, &last_value, &is_called);
		relation_close(rel, AccessShareLock);
		if (!found)
			continue;

		values[0] = ObjectIdGetDatum(sequence);
		values[1] = Int64GetDatum(last_value);
		values[2] = BoolGetDatum(is_called);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	table_endscan(scan);
	table_close(catalog, AccessShareLock);
	return (Datum) 0;
}
