-- src/object/advice_indexes.sql: indexes to drop or to repair.
--
-- What is said of an index never depends on a lock: catalogs and statistics
-- are read, files are asked for sizes.  A statement to drop is given only
-- where nothing but queries needs the index.

CREATE FUNCTION dbmaint_unused_indexes(
    max_scans bigint DEFAULT 0, min_table_scans bigint DEFAULT 1000,
    min_bytes bigint DEFAULT 0,
    OUT schemaname text, OUT tablename text, OUT indexname text,
    OUT idx_scan bigint, OUT last_used_at timestamptz,
    OUT counted_from timestamptz, OUT table_scans bigint,
    OUT table_writes bigint, OUT index_bytes bigint, OUT reason text,
    OUT statement text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    standbys bigint;
BEGIN
    IF max_scans IS NULL OR min_table_scans IS NULL OR min_bytes IS NULL
       OR max_scans < 0 OR min_table_scans < 0 OR min_bytes < 0 THEN
        RAISE EXCEPTION 'limits must be numbers that are not negative'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'For example: dbmaint_unused_indexes(0, 1000, 0).';
    END IF;
    SELECT count(*) INTO standbys FROM pg_stat_get_wal_senders();

    RETURN QUERY
    WITH indexes AS (
        -- a partition's index can be dropped with all of them only
        SELECT u.root_oid, max(s.last_idx_scan) AS used_at, min(o.known_from) AS since,
               -- statistics may have begun anew, and snapshots are not of this moment
               sum(greatest(s.idx_scan, o.index_scans))::bigint AS scans,
               sum(coalesce(o.table_scans, 0))::bigint AS reads,
               sum(t.n_tup_ins + t.n_tup_upd + t.n_tup_del)::bigint AS writes,
               sum(u.bytes)::bigint AS bytes,
               bool_and(u.valid) AS valid, bool_or(u.needed_by IS NOT NULL) AS needed
          FROM @extschema@.dbmaint_user_index() AS u
          JOIN @extschema@.dbmaint_index_statistics() AS s ON s.index_oid = u.index_oid
          JOIN @extschema@.dbmaint_table_statistics() AS t ON t.table_oid = u.table_oid
          LEFT JOIN @extschema@.dbmaint_observed_use('-infinity'::timestamptz) AS o ON o.index_oid = u.index_oid
         GROUP BY u.root_oid
    )
    SELECT u.schemaname, u.tablename, u.indexname, i.scans, i.used_at, i.since,
           i.reads, i.writes, i.bytes,
           concat_ws(' ',
               format('%s while its table was read %s times since %s.',
                      CASE WHEN i.scans = 0 THEN 'Not used' ELSE format('Used %s times', i.scans) END,
                      i.reads, date_trunc('second', i.since)),
               CASE WHEN f.names IS NOT NULL THEN
                   format('It finds the rows of the foreign key %s when referenced rows are deleted or their key changes.', f.names) END,
               CASE WHEN x.indexprs IS NOT NULL THEN
                   'The planner has statistics of its expressions, which go with it.' END,
               CASE WHEN standbys > 0 THEN
                   'Standbys count their own scans: ask them, too.' END),
           CASE WHEN u.relkind = 'I' THEN format('DROP INDEX %I.%I;', u.schemaname, u.indexname)
                ELSE format('DROP INDEX CONCURRENTLY %I.%I;', u.schemaname, u.indexname) END
      FROM indexes AS i
      JOIN @extschema@.dbmaint_user_index() AS u ON u.index_oid = i.root_oid
      JOIN pg_index AS x ON x.indexrelid = u.index_oid
      LEFT JOIN LATERAL (
               SELECT string_agg(quote_ident(k.conname), ', ' ORDER BY k.conname) AS names
                 FROM pg_constraint AS k
                WHERE k.contype = 'f' AND k.conrelid = u.table_oid AND k.conparentid = 0
                  AND x.indkey[0] = ANY (k.conkey)) AS f ON true
     WHERE i.valid AND NOT i.needed AND u.valid AND u.needed_by IS NULL
       AND i.since IS NOT NULL AND i.scans <= max_scans AND i.reads >= min_table_scans AND i.bytes >= min_bytes
     ORDER BY i.bytes DESC, 1, 2, 3;
END
$$;
COMMENT ON FUNCTION dbmaint_unused_indexes(bigint, bigint, bigint) IS
'Indexes that were scanned at most max_scans times, though their table was read (by sequential or index scans) at least min_table_scans times since counted_from, with at least min_bytes, largest first. Reads count in the snapshots that are kept, from the first one that saw the index: where there are none, or too few, nothing is named. idx_scan is the greater of what the server and the snapshots counted; table_writes is what the server counted. Never an index that a constraint, a foreign key, a replica identity, CLUSTER or uniqueness needs, nor an invalid one. The index of a partitioned table is judged by all of its partitions together. last_used_at is NULL before PostgreSQL 16.';

CREATE FUNCTION dbmaint_index_shape(
    OUT index_oid oid, OUT method oid, OUT keys text[], OUT descending int[],
    OUT expressions text, OUT predicate text, OUT columns int[],
    OUT is_unique bool, OUT enforces bool, OUT nulls_equal bool, OUT options text)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    SELECT i.indexrelid, c.relam, k.keys, k.descending,
           regexp_replace(i.indexprs::text, ' :location -?[0-9]+', '', 'g'),
           regexp_replace(i.indpred::text, ' :location -?[0-9]+', '', 'g'),
           string_to_array(i.indkey::text, ' ')::int[], i.indisunique,
           i.indisunique AND i.indimmediate, i.indisunique AND i.indnullsnotdistinct,
           concat_ws(' ', o.options, p.options)
      FROM pg_index AS i
      JOIN pg_class AS c ON c.oid = i.indexrelid
      CROSS JOIN LATERAL (
           SELECT array_agg(format('%s %s %s', i.indkey[n], i.indclass[n], i.indcollation[n]) ORDER BY n) AS keys,
                  array_agg(i.indoption[n]::int ORDER BY n) AS descending
             FROM generate_series(0, i.indnkeyatts - 1) AS n) AS k
      CROSS JOIN LATERAL (
           SELECT string_agg(a.attnum || a.attoptions::text, ' ' ORDER BY a.attnum) AS options
             FROM pg_attribute AS a
            WHERE a.attrelid = i.indexrelid AND a.attoptions IS NOT NULL) AS o
      -- how full its pages are and when it is tidied up makes it no other index
      CROSS JOIN LATERAL (
           SELECT string_agg(r, ' ' ORDER BY r COLLATE "C") AS options
             FROM unnest(c.reloptions) AS r
            WHERE r !~ '^(fillfactor|deduplicate_items|fastupdate|gin_pending_list_limit|buffering|autosummarize)='
              AND r <> 'pages_per_range=128') AS p
$$;
COMMENT ON FUNCTION dbmaint_index_shape() IS
'What makes two indexes the same: access method; a column, operator class and collation a key; sort order a key; expressions and predicate without where in the text they stood; all columns; whether it is unique, at once, and among NULLs; and the options of operator classes and of the access method, as far as they change what it is. Reads catalogs only, so it waits for no lock.';

CREATE FUNCTION dbmaint_duplicate_indexes(
    OUT schemaname text, OUT tablename text, OUT indexname text,
    OUT kind text, OUT covered_by text, OUT index_bytes bigint,
    OUT reason text, OUT statement text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    btree CONSTANT oid := 403;
BEGIN
    RETURN QUERY
    WITH trees AS (
        -- a partition's index that is needed keeps all that it is attached to
        SELECT u.root_oid,
               coalesce(min(u.needed_by) FILTER (WHERE u.needed_by <> 'its uniqueness'), min(u.needed_by)) AS needed_by
          FROM @extschema@.dbmaint_user_index() AS u
         GROUP BY u.root_oid
    ), indexes AS (
        SELECT u.index_oid, u.table_oid, u.root_oid, u.schemaname, u.tablename, u.indexname, u.relkind,
               t.needed_by, s.method, s.keys, s.descending,
               ARRAY(SELECT d # 3 FROM unnest(s.descending) WITH ORDINALITY AS r(d, n) ORDER BY n) AS ascending,
               s.expressions, s.predicate, s.columns, s.enforces, s.nulls_equal, s.options,
               cardinality(s.keys) AS width
          FROM @extschema@.dbmaint_user_index() AS u
          JOIN trees AS t ON t.root_oid = u.root_oid
          JOIN @extschema@.dbmaint_index_shape() AS s ON s.index_oid = u.index_oid
         WHERE u.valid
    ), pairs AS (
        SELECT d.index_oid AS dropped, k.index_oid AS kept, d.width = k.width AS exact,
               d.descending <> k.descending[:d.width] AS backwards,
               NOT d.columns @> k.columns AS wider
          FROM indexes AS d
          JOIN indexes AS k ON k.table_oid = d.table_oid AND k.index_oid <> d.index_oid
           AND k.method = d.method
           AND k.keys[:d.width] = d.keys
           AND k.relkind = d.relkind
           -- who takes NULLs for equal refuses what others refuse, and more
           AND (k.nulls_equal OR NOT d.nulls_equal)
         -- a partition's index goes with its parent's
         WHERE d.root_oid = d.index_oid
           AND (d.width = k.width OR d.method = btree)
           AND (d.descending = k.descending[:d.width] OR d.ascending = k.descending[:d.width] AND d.method = btree)
           AND d.predicate IS NOT DISTINCT FROM k.predicate
           -- a list of expressions ends with a parenthesis
           AND (d.expressions IS NOT DISTINCT FROM k.expressions OR d.expressions IS NULL
                OR starts_with(k.expressions, left(d.expressions, -1) || ' '))
           AND d.columns <@ k.columns
           AND d.options IS NOT DISTINCT FROM k.options
           -- only queries need it, or a uniqueness that the other one enforces
           AND (d.needed_by IS NULL
                OR d.needed_by = 'its uniqueness' AND k.enforces AND d.width = k.width)
           -- of two that are the same in all of this, one has to stay
           AND (d.width < k.width
                OR NOT (d.columns @> k.columns)
                OR k.nulls_equal AND NOT d.nulls_equal
                -- nobody can drop one partition's alone
                OR k.root_oid <> k.index_oid
                OR d.needed_by IS NULL AND k.needed_by IS NOT NULL
                OR d.needed_by = 'its uniqueness' AND k.needed_by <> 'its uniqueness'
                OR d.needed_by IS NOT DISTINCT FROM k.needed_by AND d.index_oid > k.index_oid)
    )
    SELECT DISTINCT ON (b.bytes, d.index_oid)
           d.schemaname, d.tablename, d.indexname,
           CASE WHEN p.exact THEN 'exact' ELSE 'prefix' END,
           format('%I', k.indexname), b.bytes,
           concat_ws(' ',
               CASE WHEN p.exact AND p.wider THEN format('%I has the same keys and further columns', k.indexname)
                    WHEN p.exact THEN format('%I does the same', k.indexname)
                    ELSE format('%I begins with the same columns', k.indexname) END
               || CASE WHEN p.backwards THEN ', read backwards' ELSE '' END
               || CASE WHEN k.needed_by IS NOT NULL THEN format(', and %s needs it.', k.needed_by) ELSE '.' END,
               CASE WHEN NOT p.exact OR p.wider THEN 'It is larger, so a query that scans much of the index reads more.' END),
           CASE WHEN d.relkind = 'I' THEN format('DROP INDEX %I.%I;', d.schemaname, d.indexname)
                ELSE format('DROP INDEX CONCURRENTLY %I.%I;', d.schemaname, d.indexname) END
      FROM pairs AS p
      JOIN indexes AS d ON d.index_oid = p.dropped
      JOIN indexes AS k ON k.index_oid = p.kept
      CROSS JOIN LATERAL (SELECT sum(u.bytes)::bigint AS bytes
                            FROM @extschema@.dbmaint_user_index() AS u
                           WHERE u.root_oid = d.index_oid) AS b
     -- what covers it must stay
     WHERE NOT EXISTS (SELECT FROM pairs AS q WHERE q.dropped = k.root_oid)
     ORDER BY b.bytes DESC, d.index_oid, p.exact DESC, k.width, k.index_oid;
END
$$;
COMMENT ON FUNCTION dbmaint_duplicate_indexes() IS
'Indexes that another valid index of the same table makes superfluous, largest first. kind is exact (the same keys), or prefix (a B-tree that begins with its keys). Compared are access method and operator classes with their options, collations, sort order (as it is, or backwards throughout), expressions, predicate, and columns (those of INCLUDE must be in the other one, too). Never one that a constraint, a foreign key, a replica identity or CLUSTER needs; a unique one only if the other enforces the same. What is needed of one partition keeps the whole of a partitioned index. covered_by is never listed itself.';

CREATE FUNCTION dbmaint_create_partition_index(parent_index oid, partition oid)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '10ms'
AS $$
DECLARE
    p record;
    i record;
    definition text;
    head text;
    name text;
BEGIN
    SELECT n.nspname, c.relname, c.relkind INTO p
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.oid = partition;
    SELECT n.nspname, c.relname, x.indisunique, t.relname AS tablename INTO i
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      JOIN pg_index AS x ON x.indexrelid = c.oid
      JOIN pg_class AS t ON t.oid = x.indrelid
     WHERE c.oid = parent_index;
    -- the server's own text of a definition locks the table
    BEGIN
        definition := pg_get_indexdef(parent_index);
    EXCEPTION WHEN OTHERS THEN
        RETURN NULL;
    END;
    -- names may hold any text, so what is cut off is known to the letter
    head := format('CREATE %sINDEX %I ON ONLY %I.%I USING ',
                   CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, i.relname, i.nspname, i.tablename);
    IF starts_with(definition, head) IS NOT TRUE THEN
        RETURN NULL;
    END IF;
    definition := ' USING ' || substr(definition, length(head) + 1);
    name := format('%s_%s_idx', left(p.relname, 32), parent_index);
    RETURN format('CREATE %sINDEX %s%I ON %I.%I%s; ALTER INDEX %I.%I ATTACH PARTITION %I.%I;',
                  CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END,
                  CASE WHEN p.relkind = 'p' THEN '' ELSE 'CONCURRENTLY ' END,
                  name, p.nspname, p.relname, definition,
                  i.nspname, i.relname, p.nspname, name);
END
$$;
COMMENT ON FUNCTION dbmaint_create_partition_index(oid, oid) IS
'The statements that give a partition the index that a partitioned one lacks; NULL where the table is locked, or the index is another one meanwhile';

CREATE FUNCTION dbmaint_index_in_work(index_oid oid, table_oid oid)
RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM pg_stat_progress_create_index AS b
                    WHERE b.datname = current_database()
                      AND (b.relid = $2 OR b.index_relid = $1))
        -- of a table's rebuild that is at another index now, such as one of its TOAST table
        OR EXISTS (SELECT FROM pg_locks AS l
                    WHERE l.locktype = 'relation' AND l.relation = $1 AND l.granted
                      AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                      AND l.mode IN ('ShareUpdateExclusiveLock', 'AccessExclusiveLock'))
$$;
COMMENT ON FUNCTION dbmaint_index_in_work(oid, oid) IS
'Is an invalid index being built or worked on now? Of an index and its table';

CREATE FUNCTION dbmaint_invalid_indexes(
    OUT schemaname text, OUT tablename text, OUT indexname text,
    OUT index_bytes bigint, OUT reason text, OUT statement text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
BEGIN
    -- without it another user's build would look like an invalid index
    PERFORM @extschema@.dbmaint_require_role('pg_read_all_stats'::name);
    RETURN QUERY
    SELECT u.schemaname, u.tablename, u.indexname, u.bytes,
           concat_ws(' ',
               CASE WHEN u.relkind = 'I' THEN
                   format('%s of the %s partitions of its table have no valid index that is attached to it.',
                          p.partitions - p.attached, p.partitions)
               WHEN u.indexname ~ '_cc(new|old)[0-9]*$' THEN
                   'A REINDEX CONCURRENTLY that failed left it: nothing uses it, every write may pay for it.'
               ELSE 'A CREATE INDEX CONCURRENTLY or REINDEX CONCURRENTLY that failed left it: no query uses it, every write may pay for it.' END,
               CASE WHEN u.needed_by IS NOT NULL THEN format('It is there for %s.', u.needed_by) END,
               CASE WHEN pg_is_in_recovery() THEN 'This is a standby: it may be being built on the primary.' END),
           CASE WHEN u.relkind = 'I' THEN p.statement
                WHEN u.indexname ~ '_cc(new|old)[0-9]*$' AND u.constraint_type IS NULL
                     THEN format('DROP INDEX CONCURRENTLY %I.%I;', u.schemaname, u.indexname)
                ELSE format('REINDEX INDEX CONCURRENTLY %I.%I;', u.schemaname, u.indexname) END
      FROM @extschema@.dbmaint_user_index() AS u
      CROSS JOIN LATERAL (
           SELECT count(*) AS partitions, count(*) FILTER (WHERE a.valid) AS attached,
                  string_agg(CASE WHEN a.valid IS NULL
                                  THEN @extschema@.dbmaint_create_partition_index(u.index_oid, t.oid)
                                  -- attached again, it makes the parent look again
                                  WHEN NOT a.valid
                                  THEN format('REINDEX INDEX CONCURRENTLY %I.%I; ALTER INDEX %I.%I ATTACH PARTITION %I.%I;',
                                              n.nspname, a.relname, u.schemaname, u.indexname, n.nspname, a.relname) END,
                             ' ' ORDER BY t.relname) AS statement
             FROM pg_inherits AS h
             JOIN pg_class AS t ON t.oid = h.inhrelid
             JOIN pg_namespace AS n ON n.oid = t.relnamespace
             LEFT JOIN LATERAL (
                  SELECT i.indisvalid AS valid, c.relname
                    FROM pg_index AS i
                    JOIN pg_class AS c ON c.oid = i.indexrelid
                    JOIN pg_inherits AS g ON g.inhrelid = i.indexrelid
                   WHERE i.indrelid = t.oid AND g.inhparent = u.index_oid) AS a ON true
            WHERE h.inhparent = u.table_oid AND u.relkind = 'I' AND t.relkind <> 'f') AS p
     WHERE NOT u.valid
       -- not what is being built now, and not what somebody is working on
       AND NOT @extschema@.dbmaint_index_in_work(u.index_oid, u.table_oid)
     ORDER BY u.bytes DESC, 1, 2, 3;
END
$$;
COMMENT ON FUNCTION dbmaint_invalid_indexes() IS
'Indexes that no query uses because building them failed, largest first, and how to repair or drop them; not those on tables where an index is being built now, nor those that somebody is working on. Of a partitioned index, what its partitions lack.';

REVOKE ALL ON FUNCTION dbmaint_unused_indexes(bigint, bigint, bigint),
    dbmaint_index_shape(), dbmaint_duplicate_indexes(),
    dbmaint_create_partition_index(oid, oid), dbmaint_index_in_work(oid, oid),
    dbmaint_invalid_indexes() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_unused_indexes(bigint, bigint, bigint),
    dbmaint_index_shape(), dbmaint_duplicate_indexes(),
    dbmaint_create_partition_index(oid, oid), dbmaint_index_in_work(oid, oid),
    dbmaint_invalid_indexes() TO pg_monitor;
