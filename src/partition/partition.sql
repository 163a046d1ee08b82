/*
 * src/partition/partition.sql: making and retiring partitions.
 *
 * The functions are for everybody, since each asks whether the caller is the
 * owner of the table; what they do to it they do as that owner.
 */

CREATE TABLE dbmaint_partition_sets (
    parent regclass PRIMARY KEY,
    time_zone text,
    epoch text CHECK (epoch OPERATOR(pg_catalog.=) ANY (ARRAY['seconds'::text, 'milliseconds'::text, 'none'::text])),
    period text
);
COMMENT ON TABLE dbmaint_partition_sets IS
'What was found out or said about partitioned tables, for later calls: it does not change with a session''s settings';
COMMENT ON COLUMN dbmaint_partition_sets.parent IS
'The partitioned table.';
COMMENT ON COLUMN dbmaint_partition_sets.time_zone IS
'The time zone of its calendar: where its days, weeks and months begin at midnight.';
COMMENT ON COLUMN dbmaint_partition_sets.epoch IS
'How its integer key says times: seconds or milliseconds since 1970, or none; NULL: it is found out.';
COMMENT ON COLUMN dbmaint_partition_sets.period IS
'The period that was said when it had to be; partitions that are there say more.';
SELECT pg_catalog.pg_extension_config_dump('dbmaint_partition_sets', '');

CREATE FUNCTION dbmaint_record_partition_set(parent oid, time_zone text, epoch text, period text)
RETURNS void
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    -- those that were dropped meanwhile, unless somebody else deletes them just now
    DELETE FROM @extschema@.dbmaint_partition_sets AS s
     WHERE s.parent IN (SELECT o.parent FROM @extschema@.dbmaint_partition_sets AS o
                         WHERE NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = o.parent)
                           FOR UPDATE SKIP LOCKED);
    INSERT INTO @extschema@.dbmaint_partition_sets AS s (parent, time_zone, epoch, period)
    VALUES ($1, $2, $3, $4)
        ON CONFLICT ON CONSTRAINT dbmaint_partition_sets_pkey DO UPDATE
       SET time_zone = coalesce(excluded.time_zone, s.time_zone),
           epoch = coalesce(excluded.epoch, s.epoch),
           period = coalesce(excluded.period, s.period);
$$;
COMMENT ON FUNCTION dbmaint_record_partition_set(oid, text, text, text) IS
'Writes a row of dbmaint_partition_sets; NULL leaves what is there. Called by create_future_partitions() as the extension''s owner.';

CREATE FUNCTION create_future_partitions(
    parent regclass, count int, period text DEFAULT NULL,
    time_zone text DEFAULT NULL, epoch text DEFAULT NULL,
    fill_gaps boolean DEFAULT false, default_rows text DEFAULT 'error',
    dry_run boolean DEFAULT false, lock_window interval DEFAULT '10 seconds',
    as_of timestamptz DEFAULT pg_catalog.now(),
    OUT partition_name text, OUT range_from text, OUT range_to text, OUT status text)
RETURNS SETOF record
LANGUAGE C VOLATILE CALLED ON NULL INPUT
AS 'MODULE_PATHNAME', 'dbmaint_create_future_partitions';
COMMENT ON FUNCTION create_future_partitions(regclass, int, text, text, text, boolean, text, boolean, interval, timestamptz) IS
'Makes sure that the partition of the present and count (0 to 1000) after it exist; again, it makes nothing. One row for each, and for each gap in the past: its name, its range (NULL: no bound; times in the set''s time zone), and status: created, exists, planned (with dry_run), or skipped and why. Period, bounds, names, place, owner, privileges, storage parameters, row security, replica identity, publications and sub-partitions are those of the partitions that exist; with none, period must be said (''1 month'', ''1 day''; of plain numbers ''1000000''). The parent must be partitioned by ranges of a column of type timestamptz, timestamp, date, smallint, integer, bigint (a number, or epoch => ''seconds'' or ''milliseconds'' since 1970) or uuid (version 7), or by several columns of which it is the first. time_zone is where days and months begin: once said or found out it is recorded, and no session''s TimeZone matters. fill_gaps makes the gaps of the past, too. default_rows says what to do when the default partition holds rows of a new one: ''error'', ''move'' them (no trigger fires; an error where they are published or a foreign key refers to them), ''skip'' that partition. Reads and writes of the parent go on; a default partition is locked until the caller commits. Locks are tried for lock_window. For the table''s owner; all is done with his rights.';

CREATE FUNCTION drop_old_partitions(
    parent regclass, keep_months int, dry_run boolean DEFAULT false,
    detach_only boolean DEFAULT false, move_to_schema name DEFAULT NULL,
    lock_window interval DEFAULT '10 seconds', as_of timestamptz DEFAULT pg_catalog.now(),
    OUT partition_name text, OUT range_from text, OUT range_to text,
    OUT size_bytes bigint, OUT status text)
RETURNS SETOF record
LANGUAGE C VOLATILE CALLED ON NULL INPUT
AS 'MODULE_PATHNAME', 'dbmaint_drop_old_partitions_months';
COMMENT ON FUNCTION drop_old_partitions(regclass, int, boolean, boolean, name, interval, timestamptz) IS
'Drops the partitions whose whole range is older than keep_months months (1 to 12000) of the set''s calendar; never the default partition, the one that holds the present, or the last one. One row for each: name, range (NULL: no lower bound), size_bytes with indexes and TOAST before it went, and status: dropped, detached, moved to a schema; would be dropped or would be detached (with dry_run). detach_only leaves them as tables of their own; move_to_schema does that, and moves them. An error where a foreign key refers to their rows; nothing is dropped by CASCADE. The parent is locked against all use until the caller commits; the locks are tried for lock_window, without making others wait longer than dbmaint.max_lock_wait. For the table''s owner; all is done with his rights.';

CREATE FUNCTION drop_old_partitions(
    parent regclass, keep interval, dry_run boolean DEFAULT false,
    detach_only boolean DEFAULT false, move_to_schema name DEFAULT NULL,
    lock_window interval DEFAULT '10 seconds', as_of timestamptz DEFAULT pg_catalog.now(),
    OUT partition_name text, OUT range_from text, OUT range_to text,
    OUT size_bytes bigint, OUT status text)
RETURNS SETOF record
LANGUAGE C VOLATILE CALLED ON NULL INPUT
AS 'MODULE_PATHNAME', 'dbmaint_drop_old_partitions_interval';
COMMENT ON FUNCTION drop_old_partitions(regclass, interval, boolean, boolean, name, interval, timestamptz) IS
'As drop_old_partitions(parent, keep_months), for the partitions whose whole range is older than keep. A literal needs its type: drop_old_partitions(''t'', interval ''90 days'').';

CREATE FUNCTION drop_old_partitions(
    parent regclass, keep_values bigint, dry_run boolean DEFAULT false,
    detach_only boolean DEFAULT false, move_to_schema name DEFAULT NULL,
    lock_window interval DEFAULT '10 seconds', as_of timestamptz DEFAULT pg_catalog.now(),
    OUT partition_name text, OUT range_from text, OUT range_to text,
    OUT size_bytes bigint, OUT status text)
RETURNS SETOF record
LANGUAGE C VOLATILE CALLED ON NULL INPUT
AS 'MODULE_PATHNAME', 'dbmaint_drop_old_partitions_values';
COMMENT ON FUNCTION drop_old_partitions(regclass, bigint, boolean, boolean, name, interval, timestamptz) IS
'As drop_old_partitions(parent, keep_months), of a table partitioned by plain numbers: for the partitions whose whole range is more than keep_values below the greatest key in use. Say keep_values => 1000000.';

REVOKE ALL ON dbmaint_partition_sets FROM PUBLIC;
GRANT SELECT ON dbmaint_partition_sets TO pg_monitor;
REVOKE ALL ON FUNCTION dbmaint_record_partition_set(oid, text, text, text) FROM PUBLIC;
