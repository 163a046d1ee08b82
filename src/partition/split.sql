/*
 * src/partition/split.sql: dividing a partition by periods, online.
 */

CREATE FUNCTION dbmaint_capture_row()
RETURNS trigger
LANGUAGE C
AS 'MODULE_PATHNAME', 'dbmaint_capture_row';
COMMENT ON FUNCTION dbmaint_capture_row() IS
'Trigger of a table that is being split: notes what identifies each changed row in the table dbmaint_changed_OID beside it, which belongs to the same owner. Never fails; without that table it does nothing.';

CREATE FUNCTION dbmaint_refuse_write()
RETURNS trigger
LANGUAGE C
AS 'MODULE_PATHNAME', 'dbmaint_refuse_write';
COMMENT ON FUNCTION dbmaint_refuse_write() IS
'Trigger of a table that was split and stays as a table of its own: refuses what is written into it by its name, since it would not be seen in the partitioned table, which is the argument.';

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
'Has the runner divide a partition that holds more than one period, or the default partition, by the periods of its set, or by a period said. One row for each new partition: name, range (NULL: no bound; times in the set''s time zone), and the job (NULL with dry_run): see dbmaint_jobs. Of more than 1000 periods those with rows become partitions, the last ones first, and what lies between them one each. Rows are copied in batches while the table is read and written; then the new partitions take its place under a lock of about a millisecond each, for which the job waits politely. It needs as much free disk space as the partition has bytes (and ends where there is less), a primary key (or a unique index without NULLs), no foreign key that refers to its rows, no trigger, rule or foreign key that it alone has, no view or other thing that depends on it by itself, and must not be published by itself. The old partition stays as a table of its own unless drop_original; writes to it by its name are refused by a trigger, dbmaint_split_closed. Of the default partition, rows without a period stay in it. For the table''s owner; all is done with his rights.';

CREATE FUNCTION dbmaint_queue_partition_split(partition oid, owner oid, most_waiting int)
RETURNS text
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    here CONSTANT oid := @extschema@.dbmaint_current_database();
    id bigint;
BEGIN
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_job_queue'::name);
    id := (SELECT max(q.job_id) FROM @extschema@.dbmaint_job_queue AS q
            WHERE q.database_oid = here AND q.target_oid = $1 AND q.kind = 'partition_split');
    IF id IS NOT NULL THEN
        RETURN format('job %s will split it', id);
    END IF;
    id := (SELECT max(a.job_id) FROM @extschema@.dbmaint_job_attempts AS a
            WHERE a.database_oid = here AND a.target_oid = $1 AND a.kind = 'partition_split'
              AND a.state <> 'done' AND a.ended_at > clock_timestamp() - interval '1 hour');
    IF id IS NOT NULL THEN
        RETURN format('job %s could not split it, and another one is queued an hour later', id);
    END IF;
    id := @extschema@.dbmaint_add_job('partition_split'::text,
        (SELECT format('%I.%I', s.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace WHERE c.oid = $1),
        $1, '{"drop_original": true}'::jsonb, $2, $3);
    RETURN format('job %s is queued to split it', id);
END
$$;
COMMENT ON FUNCTION dbmaint_queue_partition_split(oid, oid, int) IS
'Queues a job of its owner that splits a default partition and drops the original, unless one waits, runs, or failed within an hour; says which. Called by the job of a policy with default_rows => ''move'' that finds many rows there.';

REVOKE ALL ON FUNCTION dbmaint_queue_partition_split(oid, oid, int) FROM PUBLIC;
