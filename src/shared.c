/*-------------------------------------------------------------------------
 *
 * shared.c
 *		Makes dbmaint's shared memory, and finds things in it.
 *
 * src/shared.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "activity/activity.h"
#include "activity/message_log.h"
#include "settings.h"
#include "shared.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/procarray.h"
#include "storage/shmem.h"

#define TRANCHE_NAME "dbmaint"

SharedState *shared_state = NULL;

static shmem_request_hook_type prev_shmem_request_hook = NULL;
static shmem_startup_hook_type prev_shmem_startup_hook = NULL;

static Size
shared_size(void)
{
	return add_size(offsetof(SharedState, slots),
					mul_size(setting_max_databases, sizeof(DatabaseSlot)));
}

static void
shared_request(void)
{
	if (prev_shmem_request_hook)
		prev_shmem_request_hook();

	RequestAddinShmemSpace(shared_size());
	RequestAddinShmemSpace(latency_shared_size(setting_max_databases));
	RequestNamedLWLockTranche(TRANCHE_NAME, 1);
	activity_shared_request();
	message_log_shared_request();
}

static void
shared_startup(void)
{
	bool		found;

	if (prev_shmem_startup_hook)
		prev_shmem_startup_hook();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared_state = ShmemInitStruct("dbmaint", shared_size(), &found);
	if (!found)
	{
		memset(shared_state, 0, shared_size());
		shared_state->lock = &GetNamedLWLockTranche(TRANCHE_NAME)->lock;
		shared_state->slot_count = setting_max_databases;
		pg_atomic_init_u32(&shared_state->catalog_generation, 0);
	}
	latency_shared_attach(setting_max_databases);
	activity_shared_attach();
	message_log_shared_attach();
	LWLockRelease(AddinShmemInitLock);
}

void
shared_install(void)
{
	prev_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = shared_request;
	prev_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = shared_startup;
}

void
shared_require(void)
{
	if (shared_state == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("dbmaint is not loaded into the server"),
				 errhint("Add dbmaint to shared_preload_libraries and restart the server.")));
}

DatabaseSlot *
shared_slot_find(Oid database_oid)
{
	Assert(LWLockHeldByMe(shared_state->lock));

	for (int i = 0; i < shared_state->slot_count; i++)
	{
		if (shared_state->slots[i].database_oid == database_oid)
			return &shared_state->slots[i];
	}
	return NULL;
}

DatabaseSlot *
shared_slot_claim(Oid database_oid)
{
	DatabaseSlot *slot = shared_slot_find(database_oid);

	if (slot == NULL)
	{
		slot = shared_slot_find(InvalidOid);
		if (slot != NULL)
		{
			memset(slot, 0, sizeof(DatabaseSlot));
			slot->database_oid = database_oid;
		}
	}
	return slot;
}

void
shared_wake_process(int pid)
{
	PGPROC	   *proc = pid != 0 ? BackendPidGetProc(pid) : NULL;

	if (proc != NULL)
		SetLatch(&proc->procLatch);
}

void
shared_wake_launcher(void)
{
	if (shared_state != NULL)
		shared_wake_process(shared_state->launcher_pid);
}
