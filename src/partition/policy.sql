/*
 * src/partition/policy.sql: what is done with partitioned tables again and
 * again, and how they are.
 *
 * The sampler asks dbmaint_queue_partition_jobs() now and then; the runner does
 * the jobs, src/partition/job_create.c and job_drop.c.
 */

CREATE TABLE dbmaint_partition_policies (
    parent regclass PRIMARY KEY,
    premake int NOT NULL CHECK (premake OPERATOR(pg_catalog.>=) 1),
    keep interval,
    keep_values bigint,
    default_rows text NOT NULL CHECK (default_rows OPERATOR(pg_catalog.=) ANY (ARRAY['error'::text, 'move'::text, 'skip'::text])),
    fill_gaps boolean NOT NULL,
    detach_only boolean NOT NULL,
    move_to_schema name,
    enabled boolean NOT NULL
);
COMMENT ON TABLE dbmaint_partition_policies IS
'Which partitions the runner makes and retires: one row a partitioned table. Changed by dbmaint_set_partition_policy() and dbmaint_drop_partition_policy(), which the table''s owner may call.';
COMMENT ON COLUMN dbmaint_partition_policies.parent IS
'The partitioned table.';
COMMENT ON COLUMN dbmaint_partition_policies.premake IS
'How many periods after the present one have their partition.';
COMMENT ON COLUMN dbmaint_partition_policies.keep IS
'Partitions whose whole range is older are retired; NULL: none is, or keep_values says which.';
COMMENT ON COLUMN dbmaint_partition_policies.keep_values IS
'Of a table partitioned by plain numbers: those whose whole range is so far below the greatest key in use; NULL: none, or keep says which.';
COMMENT ON COLUMN dbmaint_partition_policies.default_rows IS
'What becomes of rows of the default partition that belong into a new one: error, move or skip, as in create_future_partitions(); many are moved by a job that splits the default partition.';
COMMENT ON COLUMN dbmaint_partition_policies.fill_gaps IS
'Whether missing partitions of the past are made, too.';
COMMENT ON COLUMN dbmaint_partition_policies.detach_only IS
'Whether old partitions are only detached, and stay as tables of their own.';
COMMENT ON COLUMN dbmaint_partition_policies.move_to_schema IS
'The schema that detached partitions move to; NULL: they are dropped, or stay where they are with detach_only.';
COMMENT ON COLUMN dbmaint_partition_policies.enabled IS
'Whether anything is done.';
SELECT pg_catalog.pg_extension_config_dump('dbmaint_partition_policies', '');

CREATE TABLE dbmaint_retiring_partitions (
    partition_oid oid PRIMARY KEY,
    database_oid oid NOT NULL,
    parent_oid oid NOT NULL,
    partition_name text NOT NULL,
    range_from text,
    range_to text,
    size_bytes bigint,
    noted_at timestamptz NOT NULL
);
COMMENT ON TABLE dbmaint_retiring_partitions IS
'Partitions that the runner is about to detach, or has detached and not dropped yet: what is left here after a crash is brought to its end by the next job. Written by the library alone.';
COMMENT ON COLUMN dbmaint_retiring_partitions.partition_oid IS 'The partition.';
COMMENT ON COLUMN dbmaint_retiring_partitions.database_oid IS 'Its database: in a copy of it nothing is dropped.';
COMMENT ON COLUMN dbmaint_retiring_partitions.parent_oid IS 'The partitioned table.';
COMMENT ON COLUMN dbmaint_retiring_partitions.partition_name IS
'Its name, qualified and quoted: one that was renamed since is left alone.';
COMMENT ON COLUMN dbmaint_retiring_partitions.range_from IS 'Where its range begins; NULL: it has no lower bound.';
COMMENT ON COLUMN dbmaint_retiring_partitions.range_to IS 'Where its range ends.';
COMMENT ON COLUMN dbmaint_retiring_partitions.size_bytes IS 'Its size with indexes and TOAST.';
COMMENT ON COLUMN dbmaint_retiring_partitions.noted_at IS 'When it was noted.';

CREATE FUNCTION dbmaint_set_partition_policy(
    parent regclass, premake int DEFAULT 3, keep interval DEFAULT NULL,
    keep_values bigint DEFAULT NULL, period text DEFAULT NULL,
    time_zone text DEFAULT NULL, epoch text DEFAULT NULL,
    default_rows text DEFAULT 'error', fill_gaps boolean DEFAULT false,
    detach_only boolean DEFAULT false, move_to_schema name DEFAULT NULL,
    enabled boolean DEFAULT true)
RETURNS void
LANGUAGE C VOLATILE CALLED ON NULL INPUT
AS 'MODULE_PATHNAME', 'dbmaint_set_partition_policy';
COMMENT ON FUNCTION dbmaint_set_partition_policy(regclass, int, interval, bigint, text, text, text, text, boolean, boolean, name, boolean) IS
'Has the runner make the partitions of a table premake (1 to 1000) periods ahead, and retire those that are older than keep (or, of plain numbers, more than keep_values below the greatest key); with neither none is retired. Replaces the policy that was there. period, time_zone, epoch, default_rows and fill_gaps as in create_future_partitions(), detach_only and move_to_schema as in drop_old_partitions(). For the table''s owner; the jobs are done with his rights.';

CREATE FUNCTION dbmaint_drop_partition_policy(parent regclass)
RETURNS boolean
LANGUAGE C VOLATILE STRICT
AS 'MODULE_PATHNAME', 'dbmaint_drop_partition_policy';
COMMENT ON FUNCTION dbmaint_drop_partition_policy(regclass) IS
'Ends a policy: nothing is done with the table any more. False if there was none; NULL for NULL. For the table''s owner.';

CREATE FUNCTION dbmaint_record_partition_policy(
    parent oid, premake int, keep interval, keep_values bigint, default_rows text,
    fill_gaps boolean, detach_only boolean, move_to_schema name, enabled boolean)
RETURNS boolean
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    -- those of tables that were dropped meanwhile, unless somebody else deletes them just now
    DELETE FROM @extschema@.dbmaint_partition_policies AS p
     WHERE p.parent IN (SELECT o.parent FROM @extschema@.dbmaint_partition_policies AS o
                         WHERE NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = o.parent)
                           FOR UPDATE SKIP LOCKED);
    INSERT INTO @extschema@.dbmaint_partition_policies AS p
           (parent, premake, keep, keep_values, default_rows, fill_gaps, detach_only, move_to_schema, enabled)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT ON CONSTRAINT dbmaint_partition_policies_pkey DO UPDATE
       SET premake = excluded.premake, keep = excluded.keep, keep_values = excluded.keep_values,
           default_rows = excluded.default_rows, fill_gaps = excluded.fill_gaps,
           detach_only = excluded.detach_only, move_to_schema = excluded.move_to_schema,
           enabled = excluded.enabled;
    SELECT true;
$$;
COMMENT ON FUNCTION dbmaint_record_partition_policy(oid, int, interval, bigint, text, boolean, boolean, name, boolean) IS
'Writes a row of dbmaint_partition_policies. Called by dbmaint_set_partition_policy() as the extension''s owner.';

CREATE FUNCTION dbmaint_forget_partition_policy(parent oid)
RETURNS boolean
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH gone AS (
        DELETE FROM @extschema@.dbmaint_partition_policies AS p WHERE p.parent = $1 RETURNING 1)
    SELECT EXISTS (SELECT FROM gone);
$$;
COMMENT ON FUNCTION dbmaint_forget_partition_policy(oid) IS
'Deletes a row of dbmaint_partition_policies; false if there was none. Called by dbmaint_drop_partition_policy() as the extension''s owner.';

CREATE FUNCTION dbmaint_partition_facts(
    parent oid, premake int, keep interval, keep_values bigint, fill_gaps boolean, at timestamptz,
    OUT partitions int, OUT default_partition oid, OUT period text, OUT time_zone text,
    OUT range_from text, OUT range_to text, OUT gaps int, OUT premade int,
    OUT premade_until timestamptz, OUT missing int, OUT expired int, OUT nullable boolean,
    OUT detach_pending boolean, OUT error text)
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET lock_timeout = '1ms'
AS 'MODULE_PATHNAME', 'dbmaint_partition_facts';
COMMENT ON FUNCTION dbmaint_partition_facts(oid, int, interval, bigint, boolean, timestamptz) IS
'What is known of a partitioned table at a time: ranges, period, gaps in the past, how many periods after the present one have their partition, and until when; how many partitions a policy of these numbers misses, and how many are too old for it (NULL: keep and keep_values are). NULL where it is not known; error says why. Waits for no lock.';

CREATE FUNCTION dbmaint_retirement_state(partition_oid oid, parent_oid oid, partition_name text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN c.oid IS NULL THEN 'gone'
                WHEN i.inhparent = $2 AND i.inhdetachpending THEN 'pending'
                WHEN i.inhparent IS NOT NULL THEN 'attached'
                WHEN format('%I.%I', s.nspname, c.relname) <> $3 THEN 'renamed'
                ELSE 'detached' END
      FROM (VALUES ($1)) AS v(oid)
      LEFT JOIN pg_class AS c ON c.oid = v.oid
      LEFT JOIN pg_namespace AS s ON s.oid = c.relnamespace
      LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid
$$;
COMMENT ON FUNCTION dbmaint_retirement_state(oid, oid, text) IS
'How far the retirement of a partition is: attached, pending (DETACH CONCURRENTLY was begun), detached, renamed (and not ours any more) or gone.';

CREATE FUNCTION dbmaint_note_retiring(partition_oid oid, parent_oid oid, range_from text, range_to text, size_bytes bigint)
RETURNS text
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO @extschema@.dbmaint_retiring_partitions AS r
           (partition_oid, database_oid, parent_oid, partition_name, range_from, range_to, size_bytes, noted_at)
    SELECT $1, @extschema@.dbmaint_current_database(), $2, format('%I.%I', s.nspname, c.relname),
           $3, $4, $5, clock_timestamp()
      FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace
     WHERE c.oid = $1
        ON CONFLICT ON CONSTRAINT dbmaint_retiring_partitions_pkey DO UPDATE
       SET database_oid = excluded.database_oid, parent_oid = excluded.parent_oid,
           partition_name = excluded.partition_name, range_from = excluded.range_from,
           range_to = excluded.range_to, size_bytes = excluded.size_bytes, noted_at = excluded.noted_at
    RETURNING r.partition_name
$$;
COMMENT ON FUNCTION dbmaint_note_retiring(oid, oid, text, text, bigint) IS
'Notes a partition that is to be detached and dropped; returns its name. Called by the runner.';

CREATE FUNCTION dbmaint_forget_retiring(partition_oid oid)
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$ DELETE FROM @extschema@.dbmaint_retiring_partitions AS r WHERE r.partition_oid = $1 $$;
COMMENT ON FUNCTION dbmaint_forget_retiring(oid) IS
'Forgets what dbmaint_note_retiring() noted. Called by the runner.';

CREATE FUNCTION dbmaint_left_retiring(parent_oid oid)
RETURNS SETOF dbmaint_retiring_partitions
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.* FROM @extschema@.dbmaint_retiring_partitions AS r
     WHERE r.parent_oid = $1 AND r.database_oid = @extschema@.dbmaint_current_database()
     ORDER BY r.noted_at, r.partition_oid
$$;
COMMENT ON FUNCTION dbmaint_left_retiring(oid) IS
'The partitions of a table whose retirement was begun and not ended.';

CREATE FUNCTION dbmaint_partition_work(at timestamptz,
    OUT parent oid, OUT instance text, OUT owner oid, OUT premade int, OUT missing int,
    OUT expired int, OUT left_over boolean, OUT error text)
RETURNS SETOF record
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.oid, format('%I.%I', s.nspname, c.relname), c.relowner,
           f.premade, f.missing, f.expired,
           EXISTS (SELECT FROM @extschema@.dbmaint_retiring_partitions AS r
                    WHERE r.parent_oid = c.oid AND r.database_oid = @extschema@.dbmaint_current_database()),
           f.error
      FROM @extschema@.dbmaint_partition_policies AS p
      JOIN pg_class AS c ON c.oid = p.parent
      JOIN pg_namespace AS s ON s.oid = c.relnamespace
     CROSS JOIN LATERAL @extschema@.dbmaint_partition_facts(c.oid, p.premake, p.keep, p.keep_values, p.fill_gaps, $1) AS f
     WHERE p.enabled
$$;
COMMENT ON FUNCTION dbmaint_partition_work(timestamptz) IS
'What the policies find at a time: how many partitions are made ahead, how many are missing, how many too old, whether the retirement of some was interrupted; error where it is not known.';

CREATE FUNCTION dbmaint_queue_partition_jobs(at timestamptz, home boolean)
RETURNS int
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    here CONSTANT oid := @extschema@.dbmaint_current_database();
    most CONSTANT int := current_setting('dbmaint.max_pending_jobs');
    work record;
    job_kind text;
    queued int := 0;
BEGIN
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_job_queue'::name);
    FOR work IN SELECT w.* FROM @extschema@.dbmaint_partition_work(dbmaint_queue_partition_jobs.at) AS w LOOP
        -- one that waits or runs is enough
        IF EXISTS (SELECT FROM @extschema@.dbmaint_job_queue AS q
                    WHERE q.database_oid = here AND q.target_oid = work.parent
                      AND q.kind IN ('partition_create', 'partition_drop')) THEN
            CONTINUE;
        END IF;
        -- first what is missing, then what is too old; what was tried gets a
        -- pause, in which the other has its turn
        SELECT k.kind INTO job_kind
          FROM (VALUES (1, 'partition_create', work.missing > 0),
                       (2, 'partition_drop', work.expired > 0 OR work.left_over)) AS k(place, kind, wanted)
         WHERE k.wanted
           AND NOT EXISTS (SELECT FROM @extschema@.dbmaint_job_attempts AS a
                            WHERE a.database_oid = here AND a.target_oid = work.parent AND a.kind = k.kind
                              AND a.ended_at > dbmaint_queue_partition_jobs.at - CASE a.state WHEN 'done' THEN interval '2 minutes' ELSE interval '15 minutes' END
                              AND a.ended_at <= dbmaint_queue_partition_jobs.at)
         ORDER BY k.place LIMIT 1;
        IF job_kind IS NULL THEN
            CONTINUE;
        END IF;
        BEGIN
            PERFORM @extschema@.dbmaint_add_job(job_kind, work.instance, work.parent, '{}'::jsonb, work.owner, most);
            queued := queued + 1;
        EXCEPTION WHEN configuration_limit_exceeded THEN
            NULL; -- its owner has too many jobs; they have their turn first
        END;
    END LOOP;
    RETURN queued;
END
$$;
COMMENT ON FUNCTION dbmaint_queue_partition_jobs(timestamptz, boolean) IS
'Part of a sampler''s round: queues the jobs that the policies want; returns how many.';

CREATE FUNCTION dbmaint_partitions(parent regclass DEFAULT NULL,
    OUT parent_table text, OUT partition_name text, OUT size_bytes bigint,
    OUT bound text, OUT is_default boolean, OUT detach_pending boolean)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    child record;
BEGIN
    FOR child IN
        SELECT p.oid AS parent_oid, format('%I.%I', ps.nspname, p.relname) AS parent_name,
               c.oid, c.relkind, format('%I.%I', cs.nspname, c.relname) AS name,
               i.inhdetachpending
          FROM pg_inherits AS i
          JOIN pg_class AS p ON p.oid = i.inhparent AND p.relkind = 'p'
          JOIN pg_namespace AS ps ON ps.oid = p.relnamespace
          JOIN pg_class AS c ON c.oid = i.inhrelid
          JOIN pg_namespace AS cs ON cs.oid = c.relnamespace
         WHERE p.relpersistence <> 't'
           AND (dbmaint_partitions.parent IS NULL OR p.oid = dbmaint_partitions.parent)
         ORDER BY 2, 5
    LOOP
        parent_table := child.parent_name;
        partition_name := child.name;
        detach_pending := child.inhdetachpending;
        BEGIN
            -- NULL for one that was dropped meanwhile
            size_bytes := (SELECT sum(pg_total_relation_size(t.relid))::bigint FROM pg_partition_tree(child.oid) AS t);
            IF child.relkind <> 'p' THEN
                size_bytes := pg_total_relation_size(child.oid);
            END IF;
            bound := (SELECT pg_get_expr(c.relpartbound, c.oid) FROM pg_class AS c WHERE c.oid = child.oid);
        EXCEPTION WHEN lock_not_available THEN
            size_bytes := NULL;
            bound := NULL;
        END;
        is_default := bound = 'DEFAULT';
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION dbmaint_partitions(regclass) IS
'The partitions of a partitioned table, or of all in this database (NULL): size_bytes with indexes and TOAST, those of its own partitions included; bound as the server writes it. NULL where it is not known, as of one that is dropped just then.';

CREATE FUNCTION dbmaint_partition_health(at timestamptz DEFAULT pg_catalog.now(),
    OUT parent_table text, OUT period text, OUT partitions int, OUT size_bytes bigint,
    OUT range_from text, OUT range_to text, OUT gaps int,
    OUT default_partition text, OUT rows_in_default float8,
    OUT premade int, OUT premade_until timestamptz, OUT premade_for interval,
    OUT premake int, OUT missing int, OUT keep text, OUT expired int,
    OUT detach_pending text, OUT last_done_at timestamptz, OUT last_error text,
    OUT last_error_at timestamptz, OUT status text, OUT detail text)
RETURNS SETOF record
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '1s'
AS $$
#variable_conflict use_column
DECLARE
    here CONSTANT oid := @extschema@.dbmaint_current_database();
    row record;
BEGIN
    FOR row IN
        SELECT c.oid, format('%I.%I', s.nspname, c.relname) AS name, p.premake, p.keep, p.keep_values,
               p.enabled, f.*
          FROM pg_partitioned_table AS t
          JOIN pg_class AS c ON c.oid = t.partrelid
          JOIN pg_namespace AS s ON s.oid = c.relnamespace
          LEFT JOIN @extschema@.dbmaint_partition_policies AS p ON p.parent = c.oid
         CROSS JOIN LATERAL @extschema@.dbmaint_partition_facts(c.oid, p.premake, p.keep, p.keep_values, p.fill_gaps, dbmaint_partition_health.at) AS f
         WHERE t.partstrat = 'r' AND (NOT c.relispartition OR p.parent IS NOT NULL) AND c.relpersistence <> 't'
         ORDER BY 2
    LOOP
        parent_table := row.name;
        period := row.period;
        range_from := row.range_from;
        range_to := row.range_to;
        gaps := row.gaps;
        premade := row.premade;
        premade_until := row.premade_until;
        premade_for := CASE WHEN isfinite(row.premade_until) THEN greatest(row.premade_until - dbmaint_partition_health.at, interval '0') END;
        premake := row.premake;
        missing := CASE WHEN row.premake IS NOT NULL THEN row.missing END;
        keep := coalesce(row.keep::text, row.keep_values::text);
        expired := row.expired;
        SELECT count(*) FILTER (WHERE i.inhrelid IS DISTINCT FROM row.default_partition)::int,
               string_agg(format('%I.%I', s.nspname, c.relname), ', ' ORDER BY s.nspname, c.relname) FILTER (WHERE i.inhdetachpending)
          INTO partitions, detach_pending
          FROM pg_inherits AS i
          JOIN pg_class AS c ON c.oid = i.inhrelid
          JOIN pg_namespace AS s ON s.oid = c.relnamespace
         WHERE i.inhparent = row.oid;
        default_partition := NULL;
        rows_in_default := NULL;
        IF row.default_partition IS NOT NULL THEN
            -- what ANALYZE saw and what came since; an empty file has none for sure
            SELECT format('%I.%I', s.nspname, c.relname),
                   CASE WHEN c.relkind = 'r' AND pg_relation_size(c.oid) = 0 THEN 0
                        WHEN c.relkind = 'r' THEN greatest(c.reltuples, pg_stat_get_live_tuples(c.oid), 1)::float8 END
              INTO default_partition, rows_in_default
              FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace
             WHERE c.oid = row.default_partition;
        END IF;
        BEGIN
            size_bytes := (SELECT coalesce(sum(pg_total_relation_size(t.relid)), 0)::bigint FROM pg_partition_tree(row.oid) AS t WHERE t.isleaf);
        EXCEPTION WHEN lock_not_available THEN
            size_bytes := NULL;
        END;
        last_done_at := (SELECT max(a.ended_at) FROM @extschema@.dbmaint_job_attempts AS a
                          WHERE a.database_oid = here AND a.target_oid = row.oid
                            AND a.kind IN ('partition_create', 'partition_drop') AND a.state = 'done');
        -- an error counts until a job of its kind went well
        last_error := NULL;
        last_error_at := NULL;
        SELECT a.message, a.ended_at INTO last_error, last_error_at
          FROM @extschema@.dbmaint_job_attempts AS a
         WHERE a.database_oid = here
           AND (a.target_oid = row.oid AND a.kind IN ('partition_create', 'partition_drop')
                OR a.target_oid = row.default_partition AND a.kind = 'partition_split')
           AND a.state IN ('failed', 'skipped', 'interrupted')
           AND NOT EXISTS (SELECT FROM @extschema@.dbmaint_job_attempts AS b
                            WHERE b.database_oid = here AND b.target_oid = a.target_oid AND b.kind = a.kind
                              AND b.state = 'done' AND b.ended_at > a.ended_at)
         ORDER BY a.ended_at DESC LIMIT 1;

        status := CASE
            WHEN row.premake IS NULL AND row.error IS NOT NULL THEN 'unknown'
            WHEN detach_pending IS NOT NULL THEN 'critical'
            WHEN row.error IS NOT NULL THEN 'warning'
            WHEN row.premade < 1 AND (row.premake IS NOT NULL OR row.default_partition IS NULL) THEN 'critical'
            WHEN row.premade < least(2, coalesce(row.premake, 2)) OR last_error IS NOT NULL OR rows_in_default > 0 THEN 'warning'
            ELSE 'ok' END;
        detail := concat_ws(' ',
            CASE WHEN row.error IS NOT NULL THEN format('Not known: %s.', rtrim(row.error, '.')) END,
            CASE WHEN detach_pending IS NOT NULL THEN
                format('A detach of %s was interrupted: ALTER TABLE %s DETACH PARTITION %s FINALIZE.', detach_pending, row.name, detach_pending) END,
            CASE WHEN row.premade < 1 THEN 'The next period has no partition.'
                 WHEN row.premade < 2 AND coalesce(row.premake, 2) > 1 THEN 'Only the next period has a partition.' END,
            CASE WHEN rows_in_default > 0 THEN 'The default partition holds rows: create_future_partitions(..., default_rows => ''move'', fill_gaps => true) moves those that belong elsewhere.' END,
            CASE WHEN row.gaps > 0 THEN format('%s gaps in the past.', row.gaps) END,
            CASE WHEN row.nullable AND row.default_partition IS NULL THEN 'Rows without a key are refused: the key may be NULL, and there is no default partition.' END,
            CASE WHEN last_error IS NOT NULL THEN format('The last job failed: %s.', rtrim(last_error, '.')) END,
            CASE WHEN row.premake IS NULL THEN 'No policy: dbmaint_set_partition_policy() has partitions made in time.'
                 WHEN NOT row.enabled THEN 'The policy is disabled.' END);
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION dbmaint_partition_health(timestamptz) IS
'One row a table partitioned by ranges: its partitions (but the default one) and their size with indexes and TOAST; the period; gaps in the past; an estimate of the rows in the default partition; how many periods after the present one have their partition (premade), until when, and for how long that is; what the policy wants and misses (NULL: there is none), and how many partitions are too old for it; partitions whose detach was begun and not ended; when a job last went well, and the last error that no success followed. status is ok, warning (less than two premade, rows in the default partition, a job that failed), critical (none premade, a detach pending) or unknown, and detail says why. NULL where it is not known.';

REVOKE ALL ON TABLE dbmaint_partition_policies, dbmaint_retiring_partitions FROM PUBLIC;
GRANT SELECT ON TABLE dbmaint_partition_policies, dbmaint_retiring_partitions TO pg_monitor;
REVOKE ALL ON FUNCTION dbmaint_record_partition_policy(oid, int, interval, bigint, text, boolean, boolean, name, boolean),
    dbmaint_forget_partition_policy(oid),
    dbmaint_partition_facts(oid, int, interval, bigint, boolean, timestamptz),
    dbmaint_retirement_state(oid, oid, text), dbmaint_note_retiring(oid, oid, text, text, bigint),
    dbmaint_forget_retiring(oid), dbmaint_left_retiring(oid),
    dbmaint_partition_work(timestamptz), dbmaint_queue_partition_jobs(timestamptz, boolean),
    dbmaint_partitions(regclass), dbmaint_partition_health(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_partition_facts(oid, int, interval, bigint, boolean, timestamptz),
    dbmaint_partition_work(timestamptz), dbmaint_partitions(regclass),
    dbmaint_partition_health(timestamptz) TO pg_monitor;
