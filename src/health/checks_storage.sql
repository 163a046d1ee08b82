/*
 * src/health/checks_storage.sql: health checks of what is stored.
 *
 * A standby has the primary's rows but not its table statistics, so what is
 * judged by those is unknown there.
 */

CREATE FUNCTION dbmaint_check_database_size(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    bytes CONSTANT bigint := pg_database_size(current_database());
    free bigint;
    week_ago bigint;
BEGIN
    SELECT s.free_bytes INTO free
    FROM @extschema@.dbmaint_disk_space() s
    WHERE s.tablespace = (SELECT t.spcname FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace
                          WHERE d.datname = current_database());
    SELECT m.database_size_bytes INTO week_ago
    FROM @extschema@.performance_metrics m
    WHERE m.database_oid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
        AND m."timestamp" > now() - interval '7 days'
        AND m.database_size_bytes IS NOT NULL
    ORDER BY m."timestamp"
    LIMIT 1;

    value := pg_size_pretty(bytes);
    target := 'twice its size free on its disk';
    status := CASE WHEN free IS NULL THEN 'unknown' WHEN free < 2 * bytes THEN 'warning' ELSE 'ok' END;
    detail := coalesce(pg_size_pretty(free) || ' free.', 'The free space on its disk is not known here.');
    IF status = 'warning' THEN
        detail := detail || ' A rewrite or a local dump of the database may not fit: find what to archive, or add space.';
    END IF;
    IF week_ago IS NOT NULL THEN
        detail := detail || format(' %s since the first sample of the last 7 days.',
            CASE WHEN bytes < week_ago THEN 'Shrank by ' || pg_size_pretty(week_ago - bytes)
            ELSE 'Grew by ' || pg_size_pretty(bytes - week_ago) END);
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_database_size() IS
'Health check: size of this database, its growth in 7 days, and whether twice its size is free (the runbook''s condition for maintenance).';

CREATE FUNCTION dbmaint_check_tables_needing_vacuum(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tables int;
    large int;
    worst text;
BEGIN
    target := 'no table over 20 % dead';
    IF pg_is_in_recovery() THEN
        status := 'unknown';
        detail := 'This is a standby, which has no table statistics: ask the primary.';
        RETURN;
    END IF;
    WITH needing AS (
        SELECT format('%I.%I', t.schemaname, t.relname) AS name, t.n_dead_tup AS dead
        FROM pg_stat_user_tables t
        WHERE (t.n_dead_tup::numeric / nullif(t.n_live_tup + t.n_dead_tup, 0) * 100) > 20
    )
    SELECT count(*), count(*) FILTER (WHERE n.dead > 1000),
        (SELECT string_agg(w.name, ', ' ORDER BY w.dead DESC)
         FROM (SELECT * FROM needing ORDER BY dead DESC LIMIT 3) w)
    INTO tables, large, worst
    FROM needing n;

    value := tables;
    status := @extschema@.dbmaint_grade(tables::float8, 0::float8, NULL::float8, NULL::float8);
    IF tables = 0 THEN
        detail := 'Autovacuum keeps up.';
    ELSE
        detail := format('%s with over 1000 dead tuples; most in %s. VACUUM (ANALYZE) them;'
            ' lower their autovacuum_vacuum_scale_factor if they come back.', large, worst);
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_tables_needing_vacuum() IS
'Health check: user tables of which over 20 % of the tuples are dead, by the runbook''s formula (warning from the first).';

CREATE FUNCTION dbmaint_check_stale_statistics(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    threshold CONSTANT int := current_setting('autovacuum_analyze_threshold');
    tables int;
    worst text;
BEGIN
    target := 'no changed table analyzed over 7 days ago';
    IF pg_is_in_recovery() THEN
        status := 'unknown';
        detail := 'This is a standby, which has no table statistics: ask the primary.';
        RETURN;
    END IF;
    /* never analyzed: too few changes for autovacuum to care are none for us */
    WITH stale AS (
        SELECT format('%I.%I', t.schemaname, t.relname) AS name, t.n_mod_since_analyze AS changes
        FROM pg_stat_user_tables t
        WHERE (greatest(t.last_analyze, t.last_autoanalyze) < now() - interval '7 days'
               AND t.n_mod_since_analyze > 0)
            OR (t.last_analyze IS NULL AND t.last_autoanalyze IS NULL
                AND t.n_mod_since_analyze > threshold)
    )
    SELECT count(*),
        (SELECT string_agg(w.name, ', ' ORDER BY w.changes DESC)
         FROM (SELECT * FROM stale ORDER BY changes DESC LIMIT 3) w)
    INTO tables, worst
    FROM stale s;

    value := tables;
    status := @extschema@.dbmaint_grade(tables::float8, 0::float8, NULL::float8, NULL::float8);
    IF tables = 0 THEN
        detail := 'The planner''s statistics are recent.';
    ELSE
        detail := format('Most changed: %s. ANALYZE them; lower their'
            ' autovacuum_analyze_scale_factor if they come back.', worst);
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_stale_statistics() IS
'Health check: user tables that changed and were last analyzed over 7 days ago, or never (warning from the first).';

CREATE FUNCTION dbmaint_check_partitions(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    tables int;
    worst record;
BEGIN
    SELECT count(*) INTO tables FROM @extschema@.dbmaint_partition_policies AS p WHERE p.enabled;
    target := 'at least 2 periods made ahead';
    IF tables = 0 THEN
        status := 'ok';
        detail := 'No table has a partition policy: see dbmaint_set_partition_policy() and dbmaint_partition_health().';
        RETURN;
    END IF;
    SELECT h.parent_table, h.premade, h.status, h.detail INTO worst
      FROM @extschema@.dbmaint_partition_health(now()) AS h
     WHERE h.premake IS NOT NULL AND h.status <> 'ok'
       -- rows in a default partition may be there for good
       AND (h.status <> 'warning' OR h.premade IS NULL OR h.premade < least(2, h.premake) OR h.last_error IS NOT NULL)
     ORDER BY h.status <> 'critical', h.premade NULLS FIRST, h.parent_table LIMIT 1;
    SELECT min(w.premade)::text INTO value FROM @extschema@.dbmaint_partition_work(now()) AS w;
    IF worst.parent_table IS NULL THEN
        status := 'ok';
        detail := format('The tables with a partition policy (%s) have what they need.', tables);
    ELSE
        status := worst.status;
        detail := format('%s: %s', worst.parent_table, worst.detail);
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_partitions() IS
'Health check: do the tables with a partition policy have their partitions in time? value: the fewest periods that are made ahead; NULL where there is no policy, or it is not known.';

CREATE FUNCTION dbmaint_check_invalid_indexes(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    indexes int;
    names text;
BEGIN
    /* without it another user's build would look like an invalid index */
    PERFORM @extschema@.dbmaint_require_role('pg_read_all_stats'::name);
    WITH invalid AS (
        SELECT format('%I.%I', n.nspname, c.relname) AS name
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE NOT (i.indisvalid AND i.indisready AND i.indislive)
            AND c.relkind = 'i'
            AND NOT @extschema@.dbmaint_index_in_work(i.indexrelid, i.indrelid)
    )
    SELECT count(*),
        (SELECT string_agg(w.name, ', ' ORDER BY w.name)
         FROM (SELECT * FROM invalid ORDER BY name LIMIT 3) w)
    INTO indexes, names
    FROM invalid i;

    value := indexes;
    target := 'none';
    status := @extschema@.dbmaint_grade(indexes::float8, 0::float8, NULL::float8, NULL::float8);
    IF indexes = 0 THEN
        detail := 'Every index that is not being built now is valid.';
    ELSIF pg_is_in_recovery() THEN
        status := 'unknown';
        detail := format('%s: invalid, or being built on the primary now; ask the primary.', names);
    ELSE
        detail := format('%s: not used by queries, but every write pays for it.'
            ' REINDEX INDEX CONCURRENTLY repairs it; DROP INDEX CONCURRENTLY it if its name ends in _ccnew or _ccold.', names);
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_invalid_indexes() IS
'Health check: indexes left invalid, usually by a failed CREATE INDEX or REINDEX CONCURRENTLY; those on tables where a build runs now, and those that somebody works on, are not counted (warning from the first).';

CREATE FUNCTION dbmaint_check_cache_hit_ratio(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    blocks bigint;
    percent numeric;
    since timestamptz;
BEGIN
    SELECT d.blks_hit + d.blks_read, 100.0 * d.blks_hit / nullif(d.blks_hit + d.blks_read, 0), d.stats_reset
    INTO blocks, percent, since
    FROM pg_stat_database d
    WHERE d.datname = current_database();

    target := 'at least 90 % (critical below 80 %)';
    value := round(percent, 1) || ' %';
    IF blocks < 10000 THEN
        status := 'unknown';
        detail := format('Only %s blocks were read since %s, too few to judge: look again under load.', blocks,
                         coalesce('the statistics were reset', 'the statistics began'));
        RETURN;
    END IF;
    status := @extschema@.dbmaint_grade(-percent::float8, -90::float8, -80::float8, NULL::float8);
    detail := format('Of %s blocks since %s.', blocks,
                     coalesce('the statistics were reset at ' || date_trunc('second', since),
                              'the statistics began'));
    IF status <> 'ok' THEN
        detail := detail || ' Look for sequential scans of large tables in pg_stat_user_tables;'
            ' raise shared_buffers if the working set is larger.';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_cache_hit_ratio() IS
'Health check: blocks of this database found in shared buffers (warning below 90 %, critical below 80 %; unknown under 10,000 blocks).';

CREATE FUNCTION dbmaint_check_temp_files(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    gigabyte CONSTANT float8 := 1024.0 ^ 3;
    all_files bigint;
    all_bytes bigint;
    since timestamptz;
    files bigint;
    bytes bigint;
BEGIN
    SELECT d.temp_files, d.temp_bytes, d.stats_reset INTO all_files, all_bytes, since
    FROM pg_stat_database d
    WHERE d.datname = current_database();
    IF NOT pg_is_in_recovery() THEN
        SELECT sum(m.temp_files), sum(m.temp_bytes) INTO files, bytes
        FROM @extschema@.performance_metrics m
        WHERE m.database_oid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
            AND m."timestamp" > now() - interval '1 hour';
    END IF;

    target := 'at most 1 GB in the last hour (critical above 10 GB)';
    detail := format('%s files with %s since %s.', all_files, pg_size_pretty(all_bytes),
                     coalesce('the statistics were reset at ' || date_trunc('second', since),
                              'the statistics began'));
    /* no more than the limit ever is no more than it in the last hour */
    IF bytes IS NULL AND all_bytes <= gigabyte THEN
        files := all_files;
        bytes := all_bytes;
    END IF;
    value := format('%s in %s files', pg_size_pretty(bytes), files);
    status := @extschema@.dbmaint_grade(bytes::float8, gigabyte::float8, (10 * gigabyte)::float8, NULL::float8);
    IF status = 'unknown' THEN
        value := NULL;
        detail := detail || ' How much is recent is known once dbmaint has sampled this database: see the check sampler.';
    ELSIF status <> 'ok' THEN
        detail := detail || ' Sorts and hashes spill to disk: find the statements in'
            ' pg_stat_statements by temp_blks_written, then raise work_mem for them or index them.';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_temp_files() IS
'Health check: bytes written to temporary files by this database in the last hour (warning above 1 GB, critical above 10 GB).';

CREATE FUNCTION dbmaint_check_checksum_failures(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    failures bigint;
    databases text;
BEGIN
    target := 'none';
    SELECT sum(d.checksum_failures),
        string_agg(coalesce(d.datname, '(shared catalogs)'), ', ') FILTER (WHERE d.checksum_failures > 0)
    INTO failures, databases
    FROM pg_stat_database d;

    IF failures > 0 THEN
        value := failures;
        status := 'emergency';
        detail := format('Damaged pages in %s. Take a copy of the data directory before anything else, check the disk'
            ' and the server log, find the damage with pg_amcheck and restore from a backup.', databases);
    ELSIF current_setting('data_checksums') <> 'on' THEN
        status := 'unknown';
        detail := 'Data checksums are not enabled: pg_checksums --enable on the stopped server makes damage visible.';
    ELSE
        value := coalesce(failures, 0);
        status := 'ok';
        detail := 'Data checksums are enabled and no page failed.';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_checksum_failures() IS
'Health check: pages of the whole cluster that failed their checksum (emergency from the first; unknown where checksums are off).';

CREATE FUNCTION dbmaint_check_transaction_id_age(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wrap CONSTANT float8 := 2.0 ^ 31;
    worst record;
    share numeric;
BEGIN
    /* above its freeze age autovacuum must act: 20 % later it evidently cannot */
    SELECT d.datname, a.kind, a.age, a.freeze_age INTO worst
    FROM pg_database d
    CROSS JOIN LATERAL (VALUES
        ('transaction id', age(d.datfrozenxid)::float8,
         current_setting('autovacuum_freeze_max_age')::float8),
        ('multixact id', mxid_age(d.datminmxid)::float8,
         current_setting('autovacuum_multixact_freeze_max_age')::float8)) AS a(kind, age, freeze_age)
    ORDER BY greatest(a.age / a.freeze_age, a.age / (wrap / 2)) DESC
    LIMIT 1;

    share := round((100 * worst.age / wrap)::numeric, 1);
    value := worst.age;
    target := format('at most %s (critical above 50 %%, emergency above 75 %% of 2^31)',
                     round(1.2 * worst.freeze_age));
    status := @extschema@.dbmaint_grade(worst.age::float8, (1.2 * worst.freeze_age)::float8,
                                        greatest(wrap / 2, worst.freeze_age)::float8, (wrap * 3 / 4)::float8);
    detail := format('Oldest %s of database %s: %s %% of the way to the stop at wraparound.',
                     worst.kind, worst.datname, share);
    IF status <> 'ok' THEN
        detail := detail || format(' End what holds it back (long transactions, prepared ones, slots)'
            ' and run VACUUM (FREEZE) in %I on the tables with the greatest age(relfrozenxid).', worst.datname);
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_transaction_id_age() IS
'Health check: the oldest unfrozen transaction or multixact id of all databases (warning 20 % above autovacuum''s freeze age, critical above half, emergency above three quarters of 2^31).';

CREATE FUNCTION dbmaint_check_disk_space(OUT value text, OUT status text,
    OUT target text, OUT detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    worst record;
    percent numeric;
BEGIN
    SELECT s.tablespace, s.free_bytes, s.total_bytes INTO worst
    FROM @extschema@.dbmaint_disk_space() s
    WHERE s.free_bytes IS NOT NULL AND s.total_bytes > 0
    ORDER BY s.free_bytes::float8 / s.total_bytes
    LIMIT 1;

    target := 'at least 20 % free (critical below 10 %, emergency below 5 %)';
    percent := 100.0 * worst.free_bytes / worst.total_bytes;
    status := @extschema@.dbmaint_grade(-percent::float8, -20::float8, -10::float8, -5::float8);
    value := format('%s %% free', round(percent, 1));
    IF status = 'unknown' THEN
        value := NULL;
        detail := 'The platform does not tell the free space: look at the disks from outside.';
        RETURN;
    END IF;
    detail := format('%s of %s on the disk of %s.', pg_size_pretty(worst.free_bytes),
                     pg_size_pretty(worst.total_bytes), worst.tablespace);
    IF status <> 'ok' THEN
        detail := detail || ' The server stops when it cannot write: see the checks replication_slots and archiving'
            ' for WAL that is kept, archive old rows, or add space.';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_check_disk_space() IS
'Health check: the least free space of any tablespace''s disk (warning below 20 %, critical below 10 %, emergency below 5 %).';

REVOKE ALL ON FUNCTION dbmaint_check_database_size(), dbmaint_check_tables_needing_vacuum(),
    dbmaint_check_stale_statistics(), dbmaint_check_invalid_indexes(), dbmaint_check_partitions(),
    dbmaint_check_cache_hit_ratio(), dbmaint_check_temp_files(),
    dbmaint_check_checksum_failures(), dbmaint_check_transaction_id_age(),
    dbmaint_check_disk_space() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_check_database_size(), dbmaint_check_tables_needing_vacuum(),
    dbmaint_check_stale_statistics(), dbmaint_check_invalid_indexes(), dbmaint_check_partitions(),
    dbmaint_check_cache_hit_ratio(), dbmaint_check_temp_files(),
    dbmaint_check_checksum_failures(), dbmaint_check_transaction_id_age(),
    dbmaint_check_disk_space() TO pg_monitor;
