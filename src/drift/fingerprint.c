/*-------------------------------------------------------------------------
 *
 * fingerprint.c
 *		One number a relation that changes when its definition may have.
 *
 * The number sums up the catalog rows that make the relation: each counts
 * with its place and with the transaction that wrote it (xmin).  A row that
 * is written, replaced or deleted changes the sum; what VACUUM and ANALYZE
 * write in place does not.  So does no freezing, which keeps xmin as it is
 * and only marks it.  The numbers are compared for equality alone, hence
 * wraparound does not matter; after pg_upgrade all differ, once.
 *
 * A changed number says that somebody should look, not that there is a
 * difference: TRUNCATE and REINDEX change it as well.  What was deleted and
 * made again by the same transaction is told apart, since a row's own oid or
 * attribute number is in the sum.
 *
 * No lock on the relations is taken, and nothing is deparsed or called.
 *
 * src/drift/fingerprint.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(dbmaint_relation_fingerprints);
PG_FUNCTION_INFO_V1(dbmaint_setting_is_secret);

typedef struct RelationPrint
{
	Oid			relation;
	uint64		print;
	char		status;			/* simplehash's */
} RelationPrint;

#define SH_PREFIX prints
#define SH_ELEMENT_TYPE RelationPrint
#define SH_KEY_TYPE Oid
#define SH_KEY relation
#define SH_HASH_KEY(tb, key) murmurhash32(key)
#define SH_EQUAL(tb, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/*
 * A catalog whose rows belong to relations: which one a row belongs to
 * (InvalidOid: none that matters), and what tells it from its siblings.
 */
typedef struct PrintSource
{
	Oid			catalog;
	Oid			(*belongs_to) (const void *form, uint32 *part);
} PrintSource;

static Oid
attribute_belongs_to(const void *form, uint32 *part)
{
	const FormData_pg_attribute *row = form;

	*part = (uint32) row->attnum;
	return row->attnum > 0 ? row->attrelid : InvalidOid;
}

static Oid
attrdef_belongs_to(const void *form, uint32 *part)
{
	const FormData_pg_attrdef *row = form;

	*part = row->oid;
	return row->adrelid;
}

static Oid
constraint_belongs_to(const void *form, uint32 *part)
{
	const FormData_pg_constraint *row = form;

	*part = row->oid;
	return row->conrelid;
}

/* Internal ones come with a foreign key, which is looked at itself. */
static Oid
trigger_belongs_to(const void *form, uint32 *part)
{
	const FormData_pg_trigger *row = form;

	*part = row->oid;
	return row->tgisinternal ? InvalidOid : row->tgrelid;
}

static Oid
policy_belongs_to(const void *form, uint32 *part)
{
	const FormData_pg_policy *row = form;

	*part = row->oid;
	return row->polrelid;
}

static Oid
rewrite_belongs_to(const void *form, uint32 *part)
{
	const FormData_pg_rewrite *row = form;

	*part = row->oid;
	return row->ev_class;
}

static Oid
inherits_belongs_to(const void *form, uint32 *part)
{
	const FormData_pg_inherits *row = form;

	*part = row->inhparent;
	return row->inhrelid;
}

static Oid
statistics_belongs_to(const void *form, uint32 *part)
{
	const FormData_pg_statistic_ext *row = form;

	*part = row->oid;
	return row->stxrelid;
}

static const PrintSource sources[] =
{
	{AttributeRelationId, attribute_belongs_to},
	{AttrDefaultRelationId, attrdef_belongs_to},
	{ConstraintRelationId, constraint_belongs_to},
	{TriggerRelationId, trigger_belongs_to},
	{PolicyRelationId, policy_belongs_to},
	{RewriteRelationId, rewrite_belongs_to},
	{InheritsRelationId, inherits_belongs_to},
	{StatisticExtRelationId, statistics_belongs_to},
};

/* splitmix64's finisher: every bit of the input moves half of the output's */
static uint64
mix(uint64 value)
{
	value ^= value >> 30;
	value *= UINT64CONST(0xBF58476D1CE4E5B9);
	value ^= value >> 27;
	value *= UINT64CONST(0x94D049BB133111EB);
	return value ^ (value >> 31);
}

/* What one row adds to its relation's sum; the order of rows is no matter. */
static uint64
row_print(Oid catalog, uint32 part, HeapTuple tuple)
{
	TransactionId xmin = HeapTupleHeaderGetRawXmin(tuple->t_data);

	return mix(mix(((uint64) catalog << 32) | part) + xmin);
}

/* A scan that takes no more than its own look at the catalog needs. */
static TableScanDesc
begin_scan(Relation rel)
{
	return table_beginscan_strat(rel, GetActiveSnapshot(), 0, NULL, true, false);
}

/*
 * The members of extensions: ours are ours to change, and the others change
 * with their extension, whose version is looked at.
 */
static prints_hash *
extension_relations(void)
{
	prints_hash *members = prints_create(CurrentMemoryContext, 32, NULL);
	Relation	rel = table_open(DependRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_depend_refclassid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(ExtensionRelationId));
	scan = systable_beginscan(rel, DependReferenceIndexId, true, NULL, 1, &key);
	while ((tuple = systable_getnext(scan)) != NULL)
	{
		Form_pg_depend row = (Form_pg_depend) GETSTRUCT(tuple);
		bool		found;

		if (row->classid == RelationRelationId &&
			row->deptype == DEPENDENCY_EXTENSION)
			prints_insert(members, row->objid, &found);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return members;
}

static bool
is_wanted_kind(char relkind)
{
	switch (relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_FOREIGN_TABLE:
		case RELKIND_VIEW:
		case RELKIND_MATVIEW:
		case RELKIND_INDEX:
		case RELKIND_PARTITIONED_INDEX:
			return true;
		default:
			return false;
	}
}

/*
 * Begins a sum for each relation of the users.  The schema's name is part of
 * the relation's, so a schema that is renamed changes the sums in it.
 */
static prints_hash *
begin_prints(void)
{
	prints_hash *prints = prints_create(CurrentMemoryContext, 1024, NULL);
	prints_hash *members = extension_relations();
	Oid			information_schema = get_namespace_oid("information_schema", true);
	Relation	rel = table_open(RelationRelationId, AccessShareLock);
	TableScanDesc scan = begin_scan(rel);
	HeapTuple	tuple;
	Oid			schema = InvalidOid;
	uint64		schema_print = 0;

	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_class row = (Form_pg_class) GETSTRUCT(tuple);
		RelationPrint *entry;
		bool		found;

		CHECK_FOR_INTERRUPTS();
		if (!is_wanted_kind(row->relkind) ||
			row->relpersistence == RELPERSISTENCE_TEMP ||
			row->relnamespace == PG_CATALOG_NAMESPACE ||
			row->relnamespace == PG_TOAST_NAMESPACE ||
			row->relnamespace == information_schema ||
			prints_lookup(members, row->oid) != NULL)
			continue;

		if (row->relnamespace != schema)
		{
			char	   *name = get_namespace_name(row->relnamespace);

			schema = row->relnamespace;
			schema_print = name == NULL ? 0 :
				hash_bytes_extended((unsigned char *) name, strlen(name), 0);
			if (name != NULL)
				pfree(name);
		}
		entry = prints_insert(prints, row->oid, &found);
		entry->print = mix(schema_print) +
			row_print(RelationRelationId, row->oid, tuple);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	prints_destroy(members);
	return prints;
}

/* Adds pg_index, and forgets the indexes of tables that are not looked at. */
static void
add_indexes(prints_hash * prints)
{
	Relation	rel = table_open(IndexRelationId, AccessShareLock);
	TableScanDesc scan = begin_scan(rel);
	HeapTuple	tuple;

	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_index row = (Form_pg_index) GETSTRUCT(tuple);
		RelationPrint *entry = prints_lookup(prints, row->indexrelid);

		CHECK_FOR_INTERRUPTS();
		if (entry == NULL)
			continue;
		if (prints_lookup(prints, row->indrelid) == NULL)
			prints_delete_item(prints, entry);
		else
			entry->print += row_print(IndexRelationId, row->indrelid, tuple);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
}

static void
add_rows(prints_hash * prints, const PrintSource *source)
{
	Relation	rel = table_open(source->catalog, AccessShareLock);
	TableScanDesc scan = begin_scan(rel);
	HeapTuple	tuple;

	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		uint32		part;
		Oid			relation = source->belongs_to(GETSTRUCT(tuple), &part);
		RelationPrint *entry;

		CHECK_FOR_INTERRUPTS();
		if (!OidIsValid(relation))
			continue;
		entry = prints_lookup(prints, relation);
		if (entry != NULL)
			entry->print += row_print(source->catalog, part, tuple);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
}

static void
put_print(ReturnSetInfo *rsinfo, Oid relation, uint64 print)
{
	Datum		values[2];
	bool		nulls[2] = {false};

	values[0] = ObjectIdGetDatum(relation);
	values[1] = Int64GetDatum((int64) print);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * SQL: dbmaint_relation_fingerprints(known bigint) -> (relation, fingerprint)
 *
 * The first row, of relation 0, sums up all.  No rows if that is the known one.
 */
Datum
dbmaint_relation_fingerprints(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	prints_hash *prints;
	prints_iterator iterator;
	RelationPrint *entry;
	uint64		total = 0;

	InitMaterializedSRF(fcinfo, 0);
	prints = begin_prints();
	add_indexes(prints);
	for (size_t i = 0; i < lengthof(sources); i++)
		add_rows(prints, &sources[i]);

	prints_start_iterate(prints, &iterator);
	while ((entry = prints_iterate(prints, &iterator)) != NULL)
		total += mix(entry->relation + mix(entry->print));

	if (PG_ARGISNULL(0) || (uint64) PG_GETARG_INT64(0) != total)
	{
		put_print(rsinfo, InvalidOid, total);
		prints_start_iterate(prints, &iterator);
		while ((entry = prints_iterate(prints, &iterator)) != NULL)
			put_print(rsinfo, entry->relation, entry->print);
	}
	prints_destroy(prints);
	return (Datum) 0;
}

/*
 * SQL: dbmaint_setting_is_secret(name text) -> boolean
 *
 * True for what the server shows to the privileged only, and for what may hold
 * a password by its name.
 */
Datum
dbmaint_setting_is_secret(PG_FUNCTION_ARGS)
{
	static const char *const words[] = {
		"conninfo", "passphrase", "password", "passwd", "secret", "token",
		"credential", "api_key", "apikey",
	};
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	bool		secret = (GetConfigOptionFlags(name, true) & GUC_SUPERUSER_ONLY) != 0;
	size_t		length = strlen(name);

	for (char *c = name; *c != '\0'; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	for (size_t i = 0; i < lengthof(words) && !secret; i++)
		secret = strstr(name, words[i]) != NULL;
	/* a command may have a password among its arguments */
	if (length >= 8 && strcmp(name + length - 8, "_command") == 0)
		secret = true;
	PG_RETURN_BOOL(secret);
}
