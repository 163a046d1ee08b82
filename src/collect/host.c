/*-------------------------------------------------------------------------
 *
 * host.c
 *		Collector "host": load, CPU, memory and free disk space.
 *
 * Read from Linux's /proc and by statvfs; what a platform does not tell is
 * not known, never zero.
 *
 * src/collect/host.c
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include <sys/statvfs.h>

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_tablespace.h"
#include "collect/collect.h"
#include "collect/host.h"
#include "funcapi.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(dbmaint_disk_space);

/* Reads the beginning of a file; returns false if there is no such file. */
static bool
read_file(const char *path, char *buffer, size_t size)
{
	int			fd = OpenTransientFile(path, O_RDONLY);
	ssize_t		got;

	if (fd < 0)
		return false;
	got = read(fd, buffer, size - 1);
	CloseTransientFile(fd);
	if (got <= 0)
		return false;
	buffer[got] = '\0';
	return true;
}

static void
read_load(Readings *readings)
{
	char		buffer[128];
	double		load;

	if (read_file("/proc/loadavg", buffer, sizeof(buffer)) &&
		sscanf(buffer, "%lf", &load) == 1)
		reading_set(readings, METRIC_load_1m, load);
}

/* The first line of /proc/stat: ticks since boot, by what they went for. */
static void
read_cpu(Collection *collection)
{
	const SampleMemory *before = collection->before;
	SampleMemory *now = collection->now;
	char		buffer[512];
	double		ticks[8];
	double		total = 0;

	if (!read_file("/proc/stat", buffer, sizeof(buffer)) ||
		sscanf(buffer, "cpu %lf %lf %lf %lf %lf %lf %lf %lf",
			   &ticks[0], &ticks[1], &ticks[2], &ticks[3],
			   &ticks[4], &ticks[5], &ticks[6], &ticks[7]) != 8)
		return;

	for (size_t i = 0; i < lengthof(ticks); i++)
		total += ticks[i];
	now->cpu_total = total;
	now->cpu_idle = ticks[3] + ticks[4];	/* idle, and waiting for I/O */

	if (before->cpu_total > 0 && total > before->cpu_total)
	{
		double		idle = (now->cpu_idle - before->cpu_idle) /
		(total - before->cpu_total);

		reading_set(&collection->readings, METRIC_cpu_busy_ratio,
					Min(Max(1 - idle, 0), 1));
	}
}

static void
read_memory(Readings *readings)
{
	char		buffer[4096];
	char	   *line;
	double		kb;

	if (!read_file("/proc/meminfo", buffer, sizeof(buffer)))
		return;
	line = strstr(buffer, "MemTotal:");
	if (line != NULL && sscanf(line, "MemTotal: %lf", &kb) == 1)
		reading_set(readings, METRIC_memory_total_bytes, kb * 1024);
	line = strstr(buffer, "MemAvailable:");
	if (line != NULL && sscanf(line, "MemAvailable: %lf", &kb) == 1)
		reading_set(readings, METRIC_memory_available_bytes, kb * 1024);
}

/* A file system's free and whole size; false where it cannot be asked. */
static bool
read_disk(const char *path, int64 *free_bytes, int64 *total_bytes)
{
	struct statvfs fs;

	if (statvfs(path, &fs) != 0)
		return false;
	*free_bytes = (int64) fs.f_bavail * fs.f_frsize;
	*total_bytes = (int64) fs.f_blocks * fs.f_frsize;
	return true;
}

static void
tablespace_path(Oid tablespace, char path[MAXPGPATH])
{
	if (tablespace == DEFAULTTABLESPACE_OID || tablespace == GLOBALTABLESPACE_OID)
		strlcpy(path, DataDir, MAXPGPATH);
	else
		snprintf(path, MAXPGPATH, "%s/pg_tblspc/%u", DataDir, tablespace);
}

bool
host_free_bytes(Oid tablespace, int64 *free_bytes)
{
	char		path[MAXPGPATH];
	int64		total_bytes;

	tablespace_path(tablespace, path);
	return read_disk(path, free_bytes, &total_bytes);
}

typedef void (*PlaceVisitor) (const char *name, const char *path, void *arg);

/* Calls the visitor for each tablespace, and for the WAL. */
static void
visit_places(PlaceVisitor visit, void *arg)
{
	Relation	rel = table_open(TableSpaceRelationId, AccessShareLock);
	TableScanDesc scan = table_beginscan_catalog(rel, 0, NULL);
	HeapTuple	tuple;

	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_tablespace form = (Form_pg_tablespace) GETSTRUCT(tuple);
		char		path[MAXPGPATH];

		CHECK_FOR_INTERRUPTS();
		tablespace_path(form->oid, path);
		visit(NameStr(form->spcname), path, arg);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);

	visit("pg_wal", "pg_wal", arg);
}

/* Keeps the place with the smallest share of free space. */
static void
keep_fullest(const char *name, const char *path, void *arg)
{
	Readings   *readings = arg;
	int64		free_bytes;
	int64		total_bytes;
	double		ratio;

	(void) name;
	if (!read_disk(path, &free_bytes, &total_bytes) || total_bytes <= 0)
		return;
	ratio = (double) free_bytes / total_bytes;
	if (readings->known[METRIC_disk_free_ratio] &&
		readings->value[METRIC_disk_free_ratio] <= ratio)
		return;
	reading_set(readings, METRIC_disk_free_ratio, ratio);
	reading_set(readings, METRIC_disk_free_bytes, (double) free_bytes);
}

void
collect_host(Collection *collection)
{
	read_load(&collection->readings);
	read_cpu(collection);
	read_memory(&collection->readings);
	visit_places(keep_fullest, &collection->readings);
}

static void
put_place(const char *name, const char *path, void *arg)
{
	ReturnSetInfo *rsinfo = arg;
	Datum		values[4];
	bool		nulls[4] = {false};
	int64		free_bytes;
	int64		total_bytes;

	values[0] = CStringGetTextDatum(name);
	values[1] = CStringGetTextDatum(path);
	if (read_disk(path, &free_bytes, &total_bytes))
	{
		values[2] = Int64GetDatum(free_bytes);
		values[3] = Int64GetDatum(total_bytes);
	}
	else
		nulls[2] = nulls[3] = true;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* SQL: dbmaint_disk_space() -> (tablespace, path, free_bytes, total_bytes) */
Datum
dbmaint_disk_space(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	visit_places(put_place, fcinfo->resultinfo);
	return (Datum) 0;
}
