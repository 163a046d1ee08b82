/*
 * src/partition/split.sql: dividing a partition by periods, online.
 */

CREATE FUNCTION dbmaint_capture_row()
RETURNS trigger
LANGUAGE C
AS 'MODULE_PATHNAME', 'dbmaint_capture_row';
COMMENT ON FUNCTION dbmaint_capture_row() IS
'Trigger of a table that is being split: notes what identifies each changed row in the table dbmaint_changed_OID beside it, which belongs to the same owner. Never fails; without that table it does nothing.';

CREATE FUNCTION dbmaint_split_plan(partition regclass, period text,
    OUT partition_name text, OUT range_from text, OUT range_to text)
RETURNS SETOF record
LANGUAGE C VOLATILE CALLED ON NULL INPUT
AS 'MODULE_PATHNAME', 'dbmaint_split_plan';
COMMENT ON FUNCTION dbmaint_split_plan(regclass, text) IS
'The partitions into which dbmaint_split_partition() would divide a partition now: name and range (NULL: no bound; times in the set''s time zone). For the table''s owner; an error where it cannot be done.';

CREATE FUNCTION dbmaint_split_partition(
    partition regclass, period text DEFAULT NULL, drop_original boolean DEFAULT false,
    dry_run boolean DEFAULT false,
    OUT partition_name text, OUT range_from text, OUT range_to text, OUT job_id bigint)
RETURNS SETOF record
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    id bigint;
BEGIN
    IF dbmaint_split_partition.drop_original IS NULL OR dbmaint_split_partition.dry_run IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'drop_original and dry_run must not be NULL';
    END IF;
    IF NOT dbmaint_split_partition.dry_run THEN
        id := @extschema@.dbmaint_enqueue('partition_split'::text, $1::text,
            jsonb_strip_nulls(jsonb_build_object('period', $2, 'drop_original', $3)));
    END IF;
    -- what cannot be done is an error now, and not the job's
    RETURN QUERY SELECT p.partition_name, p.range_from, p.range_to, id
      FROM @extschema@.dbmaint_split_plan($1, $2) AS p;
END
$$;
COMMENT ON FUNCTION dbmaint_split_partition(regclass, text, boolean, boolean) IS
'Has the runner divide a partition that holds more than one period, or the default partition, by the periods of its set, or by a period said. One row for each new partition: name, range (NULL: no bound; times in the set''s time zone), and the job (NULL with dry_run): see dbmaint_jobs. Rows are copied in batches while the table is read and written; then the new partitions take its place under a lock of some milliseconds each, for which the job waits politely. It needs as much disk as the partition, a primary key (or a unique index without NULLs), no foreign key that refers to its rows. The old partition stays as a table of its own unless drop_original. Of the default partition, rows without a period stay in it. For the table''s owner; all is done with his rights.';
