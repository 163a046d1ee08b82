/*-------------------------------------------------------------------------
 *
 * likeness_extras.c
 *		What CREATE TABLE (LIKE ...) leaves out.
 *
 * Everything is looked up in the catalogs first, and a statement is made only
 * for what the model has: a plain table costs none.
 *
 * src/partition/likeness_extras.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "access/attmap.h"
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/indexing.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_publication_rel.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "partition/likeness_extras.h"
#include "partition/owner.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static const struct
{
	AclMode		mode;
	const char *name;
}			privileges[] =

{
	{ACL_SELECT, "SELECT"},
	{ACL_INSERT, "INSERT"},
	{ACL_UPDATE, "UPDATE"},
	{ACL_DELETE, "DELETE"},
	{ACL_TRUNCATE, "TRUNCATE"},
	{ACL_REFERENCES, "REFERENCES"},
	{ACL_TRIGGER, "TRIGGER"},
#ifdef ACL_MAINTAIN
	{ACL_MAINTAIN, "MAINTAIN"},
#endif
};

char *
likeness_bound_text(Oid owner, Oid partition)
{
	AsOwner		before;
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(partition));
	bool		isnull;
	Datum		bound;
	char	   *result;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", partition);
	bound = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_relpartbound, &isnull);
	owner_begin(owner, &before);
	result = isnull ? pstrdup("DEFAULT") :
		TextDatumGetCString(OidFunctionCall2(F_PG_GET_EXPR_PG_NODE_TREE_OID, bound, ObjectIdGetDatum(partition)));
	owner_end(&before);
	ReleaseSysCache(tuple);
	return result;
}

static char *
role_name(Oid role)
{
	return OidIsValid(role) ? pstrdup(quote_identifier(GetUserNameFromId(role, false))) : pstrdup("PUBLIC");
}

/* Grants what an entry of an access list has, with the right to grant or not. */
static void
grant(const PartitionSet *set, const AclItem *item, bool grantable, const char *quoted, const char *column)
{
	AclMode		mode = grantable ? ACLITEM_GET_GOPTIONS(*item) :
	ACLITEM_GET_PRIVS(*item) & ~ACLITEM_GET_GOPTIONS(*item);
	StringInfoData sql;

	initStringInfo(&sql);
	for (size_t i = 0; i < lengthof(privileges); i++)
	{
		if (mode & privileges[i].mode)
			appendStringInfo(&sql, "%s%s%s", sql.len == 0 ? "GRANT " : ", ", privileges[i].name,
							 column ? psprintf(" (%s)", quote_identifier(column)) : "");
	}
	if (sql.len == 0)
		return;
	appendStringInfo(&sql, " ON TABLE %s TO %s%s", quoted, role_name(item->ai_grantee),
					 grantable ? " WITH GRANT OPTION" : "");
	owner_run(set->owner, sql.data);
}

static Acl *
relation_acl(Oid relation, Oid owner, bool *is_default)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Datum		value;
	Acl		   *acl;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relation);
	value = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_relacl, is_default);
	acl = *is_default ? acldefault(OBJECT_TABLE, owner) : DatumGetAclPCopy(value);
	ReleaseSysCache(tuple);
	return acl;
}

/*
 * The model's privileges, and none that default privileges gave: a grant that
 * another role made is made by the owner.
 */
static void
copy_privileges(const Likeness *likeness, Relation model, Oid table, const char *quoted)
{
	const PartitionSet *set = likeness->set;
	bool		model_default;
	bool		table_default;
	Acl		   *wanted = relation_acl(RelationGetRelid(model), model->rd_rel->relowner, &model_default);
	Acl		   *given = relation_acl(table, set->owner, &table_default);

	if ((model_default && table_default && model->rd_rel->relowner == set->owner) ||
		aclequal(wanted, given))
		return;
	for (int i = 0; i < ACL_NUM(given); i++)
		owner_run(set->owner, psprintf("REVOKE ALL ON TABLE %s FROM %s", quoted, role_name(ACL_DAT(given)[i].ai_grantee)));
	for (int i = 0; i < ACL_NUM(wanted); i++)
	{
		AclItem		item = ACL_DAT(wanted)[i];

		/* what is its owner's of the model is the new owner's here */
		if (item.ai_grantee == model->rd_rel->relowner)
			item.ai_grantee = set->owner;
		/* the owner can grant anyway */
		grant(set, &item, false, quoted, NULL);
		if (item.ai_grantee != set->owner)
			grant(set, &item, true, quoted, NULL);
		else
		{
			ACLITEM_SET_PRIVS_GOPTIONS(item, ACLITEM_GET_GOPTIONS(item), 0);
			grant(set, &item, false, quoted, NULL);
		}
	}
}

/* Statistics target, options (n_distinct) and privileges of the columns. */
static void
copy_columns(const Likeness *likeness, Relation model, const char *quoted)
{
	const PartitionSet *set = likeness->set;
	TupleDesc	columns = RelationGetDescr(model);
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = 0; i < columns->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, i);
		HeapTuple	tuple;
		Datum		value;
		bool		isnull;

		if (column->attisdropped)
			continue;
		tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(RelationGetRelid(model)), Int16GetDatum(column->attnum));
		if (!HeapTupleIsValid(tuple))
			continue;
		/* 17 and newer have NULL for the default, older ones -1 */
		value = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attstattarget, &isnull);
		/* int16 since 17, int32 before: the sign says the same in both */
		if (!isnull && (int16) DatumGetInt32(value) >= 0)
			appendStringInfo(&sql, "%s ALTER COLUMN %s SET STATISTICS %d", sql.len == 0 ? "" : ",",
							 quote_identifier(NameStr(column->attname)), (int) (int16) DatumGetInt32(value));
		value = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attoptions, &isnull);
		if (!isnull)
		{
			Datum	   *options;
			int			count;

			deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &options, NULL, &count);
			for (int o = 0; o < count; o++)
			{
				char	   *option = TextDatumGetCString(options[o]);

				/* some servers keep a note of their own there */
				if (strncmp(option, "pg_", 3) != 0)
					appendStringInfo(&sql, "%s ALTER COLUMN %s SET (%s)", sql.len == 0 ? "" : ",",
									 quote_identifier(NameStr(column->attname)), option);
			}
		}
		value = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attacl, &isnull);
		if (!isnull)
		{
			Acl		   *acl = DatumGetAclP(value);

			for (int a = 0; a < ACL_NUM(acl); a++)
			{
				grant(set, &ACL_DAT(acl)[a], false, quoted, NameStr(column->attname));
				grant(set, &ACL_DAT(acl)[a], true, quoted, NameStr(column->attname));
			}
		}
		ReleaseSysCache(tuple);
	}
	if (sql.len > 0)
		owner_run(set->owner, psprintf("ALTER TABLE ONLY %s%s", quoted, sql.data));
}

static const char *
policy_command(char command)
{
	switch (command)
	{
		case ACL_SELECT_CHR:
			return "SELECT";
		case ACL_INSERT_CHR:
			return "INSERT";
		case ACL_UPDATE_CHR:
			return "UPDATE";
		case ACL_DELETE_CHR:
			return "DELETE";
		default:
			return "ALL";
	}
}

static void
append_expression(StringInfo sql, const char *what, HeapTuple tuple, AttrNumber column,
				  TupleDesc columns, Oid relation)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, column, columns, &isnull);

	if (!isnull)
		appendStringInfo(sql, " %s (%s)", what,
						 TextDatumGetCString(OidFunctionCall2(F_PG_GET_EXPR_PG_NODE_TREE_OID, value, ObjectIdGetDatum(relation))));
}

static char *
policy_statement(HeapTuple tuple, TupleDesc columns, const char *quoted)
{
	Form_pg_policy policy = (Form_pg_policy) GETSTRUCT(tuple);
	StringInfoData sql;
	bool		isnull;
	Datum	   *roles;
	int			count;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE POLICY %s ON %s AS %s FOR %s TO ", quote_identifier(NameStr(policy->polname)), quoted,
					 policy->polpermissive ? "PERMISSIVE" : "RESTRICTIVE", policy_command(policy->polcmd));
	deconstruct_array(DatumGetArrayTypeP(heap_getattr(tuple, Anum_pg_policy_polroles, columns, &isnull)),
					  OIDOID, sizeof(Oid), true, TYPALIGN_INT, &roles, NULL, &count);
	for (int i = 0; i < count; i++)
		appendStringInfo(&sql, "%s%s", i == 0 ? "" : ", ", role_name(DatumGetObjectId(roles[i])));
	append_expression(&sql, "USING", tuple, Anum_pg_policy_polqual, columns, policy->polrelid);
	append_expression(&sql, "WITH CHECK", tuple, Anum_pg_policy_polwithcheck, columns, policy->polrelid);
	return sql.data;
}

static void
copy_row_security(const Likeness *likeness, Relation model, const char *quoted)
{
	const PartitionSet *set = likeness->set;
	Relation	policies;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *statements = NIL;
	ListCell   *cell;

	policies = table_open(PolicyRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_policy_polrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationGetRelid(model)));
	scan = systable_beginscan(policies, PolicyPolrelidPolnameIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		AsOwner		before;

		owner_begin(set->owner, &before);
		statements = lappend(statements, policy_statement(tuple, RelationGetDescr(policies), quoted));
		owner_end(&before);
	}
	systable_endscan(scan);
	table_close(policies, AccessShareLock);

	foreach(cell, statements)
		owner_run(set->owner, lfirst(cell));
	if (model->rd_rel->relrowsecurity)
		owner_run(set->owner, psprintf("ALTER TABLE %s ENABLE ROW LEVEL SECURITY", quoted));
	if (model->rd_rel->relforcerowsecurity)
		owner_run(set->owner, psprintf("ALTER TABLE %s FORCE ROW LEVEL SECURITY", quoted));
}

char *
likeness_find_index(Relation model, Oid model_index, Oid table)
{
	Relation	wanted = relation_open(model_index, AccessShareLock);
	Relation	rel = relation_open(table, AccessShareLock);
	IndexInfo  *wanted_info = BuildIndexInfo(wanted);
	AttrMap    *map = attribute_map(RelationGetDescr(rel), RelationGetDescr(model));
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *cell;
	char	   *name = NULL;

	foreach(cell, indexes)
	{
		Relation	index = relation_open(lfirst_oid(cell), AccessShareLock);

		if (name == NULL &&
			CompareIndexInfo(BuildIndexInfo(index), wanted_info, index->rd_indcollation, wanted->rd_indcollation,
							 index->rd_opfamily, wanted->rd_opfamily, map))
			name = pstrdup(RelationGetRelationName(index));
		relation_close(index, NoLock);
	}
	relation_close(rel, NoLock);
	relation_close(wanted, NoLock);
	return name;
}

static void
copy_replica_identity(const Likeness *likeness, Relation model, Oid table, const char *quoted)
{
	const char *identity = NULL;

	switch (model->rd_rel->relreplident)
	{
		case REPLICA_IDENTITY_FULL:
			identity = "FULL";
			break;
		case REPLICA_IDENTITY_NOTHING:
			identity = "NOTHING";
			break;
		case REPLICA_IDENTITY_INDEX:
			{
				Oid			index = RelationGetReplicaIndex(model);
				char	   *name = OidIsValid(index) ? likeness_find_index(model, index, table) : NULL;

				if (name != NULL)
					identity = psprintf("USING INDEX %s", quote_identifier(name));
				break;
			}
		default:
			break;
	}
	if (identity != NULL)
		owner_run(likeness->set->owner, psprintf("ALTER TABLE %s REPLICA IDENTITY %s", quoted, identity));
}

/* The columns and rows that are published of the model. */
static void
append_published(StringInfo sql, Oid model, Oid publication)
{
	HeapTuple	tuple = SearchSysCache2(PUBLICATIONRELMAP, ObjectIdGetDatum(model), ObjectIdGetDatum(publication));
	bool		isnull;
	Datum		value;

	if (!HeapTupleIsValid(tuple))
		return;
	value = SysCacheGetAttr(PUBLICATIONRELMAP, tuple, Anum_pg_publication_rel_prattrs, &isnull);
	if (!isnull)
	{
		int2vector *columns = (int2vector *) DatumGetPointer(value);

		for (int i = 0; i < columns->dim1; i++)
			appendStringInfo(sql, "%s%s", i == 0 ? " (" : ", ", quote_identifier(get_attname(model, columns->values[i], false)));
		appendStringInfoChar(sql, ')');
	}
	value = SysCacheGetAttr(PUBLICATIONRELMAP, tuple, Anum_pg_publication_rel_prqual, &isnull);
	if (!isnull)
		appendStringInfo(sql, " WHERE (%s)",
						 TextDatumGetCString(OidFunctionCall2(F_PG_GET_EXPR_PG_NODE_TREE_OID, value, ObjectIdGetDatum(model))));
	ReleaseSysCache(tuple);
}

/*
 * A publication may be another role's than the table.  Whoever asked must own
 * it; where he does not, the table is made all the same, and he is told.
 */
static void
copy_publications(Likeness *likeness, Relation model, const char *quoted)
{
	List	   *publications = relation_publications(RelationGetRelid(model));
	ListCell   *cell;

	foreach(cell, publications)
	{
		Oid			publication = lfirst_oid(cell);
		char	   *name = get_publication_name(publication, false);
		Oid			role = publication_owned_by(publication, likeness->set->owner) ? likeness->set->owner : likeness->caller;
		StringInfoData sql;
		AsOwner		before;

		if (!publication_owned_by(publication, role))
		{
			likeness->remark = psprintf("not in publication \"%s\", of which the caller must be owner", name);
			continue;
		}
		initStringInfo(&sql);
		owner_begin(role, &before);
		appendStringInfo(&sql, "ALTER PUBLICATION %s ADD TABLE ONLY %s", quote_identifier(name), quoted);
		append_published(&sql, RelationGetRelid(model), publication);
		owner_end(&before);
		owner_run(role, sql.data);
	}
}

void
likeness_extras(Likeness *likeness, Relation model, Oid table, const char *quoted)
{
	char	   *comment = GetComment(RelationGetRelid(model), RelationRelationId, 0);

	if (comment != NULL)
		owner_run(likeness->set->owner, psprintf("COMMENT ON TABLE %s IS %s", quoted, quote_literal_cstr(comment)));
	copy_privileges(likeness, model, table, quoted);
	copy_columns(likeness, model, quoted);
	likeness_statistics(likeness->set->owner, model, table);
	copy_row_security(likeness, model, quoted);
	copy_replica_identity(likeness, model, table, quoted);
	copy_publications(likeness, model, quoted);
}
