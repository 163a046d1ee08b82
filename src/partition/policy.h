/*-------------------------------------------------------------------------
 *
 * policy.h
 *		What is to be done with a set again and again: a row of
 *		dbmaint_partition_policies.
 *
 * src/partition/policy.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef DBMAINT_POLICY_H
#define DBMAINT_POLICY_H

#include "history/history.h"
#include "partition/create.h"
#include "partition/drop.h"

typedef struct Policy
{
	CreateRequest create;
	DropRequest drop;
	bool		keeps;			/* old ones are retired */
} Policy;

/*
 * Reads the policy of a set, into the current memory context; false if there
 * is none, or it is disabled.  Its requests have the time and the rights of
 * the owner given.
 */
extern bool policy_find(const Extension *extension, Oid parent, Oid owner,
						TimestampTz at, Policy *policy);

/* Can the greatest key in use be found by an index? */
extern bool policy_key_indexed(const PartitionSet *set);

#endif							/* DBMAINT_POLICY_H */
