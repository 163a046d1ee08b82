/*-------------------------------------------------------------------------
 *
 * dbmaint.c
 *		The composition root: wires the rooms together when the library is
 *		loaded, and does nothing else.
 *
 * src/dbmaint.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "activity/message_log.h"
#include "latency/latency.h"
#include "settings.h"
#include "shared.h"
#include "worker/worker.h"

DBMAINT_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	bool		preloading = process_shared_preload_libraries_in_progress;

	settings_define(preloading);

	/* pg_upgrade wants a server that nobody else uses */
	if (!preloading || IsBinaryUpgrade)
		return;

	shared_install();
	latency_install();
	message_log_install();
	worker_install();
}
