/*-------------------------------------------------------------------------
 *
 * register.c
 *		Makes the processes known to the postmaster.
 *
 * src/worker/register.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "postmaster/bgworker.h"
#include "worker/errand.h"
#include "worker/worker.h"

#define LAUNCHER_RESTART_S 5

static void
describe_worker(BackgroundWorker *worker, const char *type,
				const char *function)
{
	memset(worker, 0, sizeof(BackgroundWorker));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	strlcpy(worker->bgw_library_name, "dbmaint",
			sizeof(worker->bgw_library_name));
	strlcpy(worker->bgw_function_name, function,
			sizeof(worker->bgw_function_name));
	strlcpy(worker->bgw_type, type, sizeof(worker->bgw_type));
}

void
worker_install(void)
{
	BackgroundWorker worker;

	describe_worker(&worker, "dbmaint launcher", CppAsString(launcher_main));
	strlcpy(worker.bgw_name, "dbmaint launcher", sizeof(worker.bgw_name));
	worker.bgw_restart_time = LAUNCHER_RESTART_S;
	RegisterBackgroundWorker(&worker);

	leave_install();
}

static bool
start_on_database(const char *type, const char *function, Oid database_oid,
				  const char *datname, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker;

	describe_worker(&worker, type, function);
	snprintf(worker.bgw_name, sizeof(worker.bgw_name), "%s %s", type, datname);
	worker.bgw_flags |= WORKER_INTERRUPTIBLE;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = ObjectIdGetDatum(database_oid);
	worker.bgw_notify_pid = MyProcPid;
	return RegisterDynamicBackgroundWorker(&worker, handle);
}

bool
worker_start_sampler(Oid database_oid, const char *datname,
					 BackgroundWorkerHandle **handle)
{
	return start_on_database("dbmaint sampler", CppAsString(sampler_main),
							 database_oid, datname, handle);
}

bool
worker_start_errand(ErrandKind kind, Oid database_oid, const char *datname,
					BackgroundWorkerHandle **handle)
{
	return start_on_database(psprintf("dbmaint %s", errand_infos[kind].name),
							 errand_infos[kind].function,
							 database_oid, datname, handle);
}
