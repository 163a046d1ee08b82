-- src/object/advice_missing.sql: indexes that are not there.

CREATE FUNCTION dbmaint_foreign_key_indexes(foreign_key oid,
    OUT relname name, OUT indkey int2[], OUT prefix bigint)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    WITH parts AS (
        SELECT f.attnum, c.attcollation, f.operator, o.oprcom AS commutator
          FROM pg_constraint AS k
         CROSS JOIN LATERAL unnest(k.conkey, k.conpfeqop) AS f(attnum, operator)
          JOIN pg_attribute AS c ON c.attrelid = k.conrelid AND c.attnum = f.attnum
          JOIN pg_operator AS o ON o.oid = f.operator
         WHERE k.oid = foreign_key
    ), indexes AS (
        -- the server's text of a predicate would lock the table: "not null" alone is seen
        SELECT c.relname, i.*,
               regexp_replace(i.indpred::text, '\{NULLTEST :arg \{VAR :varno 1 :varattno (\d+) [^{}]*\} :nulltesttype 1 [^{}]*\}',
                              '<\1>', 'g') AS conditions
          FROM pg_constraint AS k
          JOIN pg_index AS i ON i.indrelid = k.conrelid AND i.indisvalid
          JOIN pg_class AS c ON c.oid = i.indexrelid
          JOIN pg_am AS m ON m.oid = c.relam AND m.amname IN ('btree', 'hash')
         WHERE k.oid = foreign_key
    )
    SELECT i.relname, i.indkey::int2[], coalesce(min(n) FILTER (WHERE NOT u.usable), i.indnkeyatts) AS prefix
      FROM indexes AS i
     CROSS JOIN generate_series(0, i.indnkeyatts - 1) AS n
     -- the check compares by the operators of the key, in the collations of its columns
     CROSS JOIN LATERAL (
           SELECT EXISTS (SELECT FROM parts AS p
                            JOIN pg_opclass AS o ON o.oid = i.indclass[n]
                            JOIN pg_amop AS a ON a.amopfamily = o.opcfamily
                                             AND a.amopopr IN (p.operator, p.commutator)
                           WHERE p.attnum = i.indkey[n]
                             AND i.indcollation[n] IN (0, p.attcollation)) AS usable) AS u
     -- what equals a value is not NULL
     WHERE i.indpred IS NULL
        OR i.conditions ~ '^(<\d+>|\{BOOLEXPR :boolop and :args \((<\d+> ?)+\)[^{}]*\})$'
           AND NOT EXISTS (SELECT FROM regexp_matches(i.conditions, '<(\d+)>', 'g') AS c(found)
                            WHERE c.found[1]::int2 NOT IN (SELECT p.attnum FROM parts AS p))
     GROUP BY i.relname, i.indexrelid, i.indkey, i.indnkeyatts
$$;
COMMENT ON FUNCTION dbmaint_foreign_key_indexes(oid) IS
'The valid indexes of a foreign key''s table that its check could use, with their columns, and how many of the first ones it finds rows by: those of the key, in its collations and with its operators; of partial indexes only those of all that is not NULL. Waits for no lock.';

CREATE FUNCTION dbmaint_foreign_keys_without_index(
    min_table_bytes bigint DEFAULT 0,
    OUT schemaname text, OUT tablename text, OUT constraint_name text,
    OUT columns text, OUT referenced_table text, OUT table_bytes bigint,
    OUT estimated_rows bigint, OUT referenced_deletes bigint,
    OUT referenced_updates bigint, OUT reason text, OUT statement text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
BEGIN
    RETURN QUERY
    WITH RECURSIVE leaves AS (
        SELECT c.oid AS root, c.oid FROM pg_class AS c WHERE c.relkind IN ('r', 'p')
           AND c.oid IN (SELECT k.conrelid FROM pg_constraint AS k WHERE k.contype = 'f' AND k.conparentid = 0)
         UNION ALL
        SELECT l.root, h.inhrelid FROM leaves AS l
          JOIN pg_class AS p ON p.oid = l.oid AND p.relkind = 'p'
          JOIN pg_inherits AS h ON h.inhparent = l.oid
    ), sizes AS (
        SELECT l.root, sum(@extschema@.dbmaint_relation_bytes(l.oid))::bigint AS bytes,
               sum(greatest(c.reltuples, 0))::bigint AS tuples
          FROM leaves AS l JOIN pg_class AS c ON c.oid = l.oid
         GROUP BY l.root
    )
    SELECT n.nspname::text, t.relname::text, k.conname::text, a.list,
           format('%I.%I', rn.nspname, r.relname), z.bytes, z.tuples,
           s.n_tup_del, s.n_tup_upd,
           format('Deleting from %I.%I, or changing its key, reads all of %I.%I%s for each row%s.%s',
                  rn.nspname, r.relname, n.nspname, t.relname,
                  CASE WHEN x.prefix > 0 THEN format(' with the same %s (by %I)', x.list, x.relname) ELSE '' END,
                  CASE k.confdeltype WHEN 'c' THEN ' (ON DELETE CASCADE)' WHEN 'n' THEN ' (ON DELETE SET NULL)'
                       WHEN 'd' THEN ' (ON DELETE SET DEFAULT)' ELSE '' END,
                  CASE WHEN t.relkind = 'p' THEN ' The statement blocks writes while it runs: on a large table build one on each partition, then attach them.'
                       ELSE '' END),
           CASE WHEN t.relkind = 'p' THEN format('CREATE INDEX ON %I.%I (%s);', n.nspname, t.relname, a.list)
                ELSE format('CREATE INDEX CONCURRENTLY ON %I.%I (%s);', n.nspname, t.relname, a.list) END
      FROM pg_constraint AS k
      JOIN pg_class AS t ON t.oid = k.conrelid
      JOIN pg_namespace AS n ON n.oid = t.relnamespace
      JOIN pg_class AS r ON r.oid = k.confrelid
      JOIN pg_namespace AS rn ON rn.oid = r.relnamespace
      JOIN sizes AS z ON z.root = t.oid
      LEFT JOIN @extschema@.dbmaint_table_statistics() AS s ON s.table_oid = r.oid
      CROSS JOIN LATERAL (
           SELECT string_agg(quote_ident(c.attname), ', ' ORDER BY u.n) AS list
             FROM unnest(k.conkey) WITH ORDINALITY AS u(attnum, n)
             JOIN pg_attribute AS c ON c.attrelid = k.conrelid AND c.attnum = u.attnum) AS a
      LEFT JOIN LATERAL (
           -- the index that finds the rows best: by most columns of the key, in any order
           SELECT i.relname, i.prefix,
                  (SELECT string_agg(quote_ident(c.attname), ', ' ORDER BY e.n)
                     FROM unnest(i.indkey) WITH ORDINALITY AS e(attnum, n)
                     JOIN pg_attribute AS c ON c.attrelid = k.conrelid AND c.attnum = e.attnum
                    WHERE e.n <= i.prefix) AS list
             FROM @extschema@.dbmaint_foreign_key_indexes(k.oid) AS i
            ORDER BY i.prefix DESC, i.relname LIMIT 1) AS x ON true
     WHERE k.contype = 'f' AND k.conparentid = 0
       AND t.relkind IN ('r', 'p') AND t.relpersistence <> 't'
       AND n.nspname NOT IN ('pg_catalog', 'information_schema')
       AND NOT EXISTS (SELECT FROM pg_depend AS d
                        WHERE d.classid = 'pg_class'::regclass AND d.objid = t.oid
                          AND d.objsubid = 0 AND d.deptype = 'e')
       AND z.bytes >= coalesce(min_table_bytes, 0)
       AND coalesce(x.prefix, 0) < cardinality(k.conkey)
     ORDER BY z.bytes DESC, 1, 2, 3;
END
$$;
COMMENT ON FUNCTION dbmaint_foreign_keys_without_index(bigint) IS
'Foreign keys whose columns are not the first ones of a valid index that their check can use (with their collations, over all rows or all that are not NULL), on tables of at least min_table_bytes (NULL: of any size), the largest first: the referenced table''s deletes and key changes read the whole table, or what an index on some of the columns finds. referenced_deletes and referenced_updates are what was counted of that table; of a partitioned one they are 0. Of partitions the parent''s key is shown.';

CREATE FUNCTION dbmaint_seq_scan_columns(
    OUT table_oid oid, OUT attnums int2[], OUT operators oid[],
    OUT executions bigint, OUT filtered bigint)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    home name;
BEGIN
    SELECT n.nspname INTO home
      FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
     WHERE e.extname = 'pg_qualstats';
    IF home IS NULL THEN
        RETURN;
    END IF;
    BEGIN
        RETURN QUERY EXECUTE format($query$
            WITH quals AS (
                SELECT q.lrelid, q.lattnum, q.opno, coalesce(q.qualid, q.qualnodeid) AS qual,
                       sum(q.execution_count)::bigint AS executions, sum(q.nbfiltered)::bigint AS filtered,
                       min(o.amopstrategy) AS strategy
                  FROM %I.pg_qualstats() AS q
                  JOIN pg_attribute AS a ON a.attrelid = q.lrelid AND a.attnum = q.lattnum AND NOT a.attisdropped
                  JOIN pg_type AS t ON t.oid = a.atttypid
                  JOIN pg_opclass AS c ON c.opcmethod = 403 AND c.opcdefault
                       AND c.opcintype = CASE WHEN a.atttypid = 'varchar'::regtype THEN 'text'::regtype::oid
                                              ELSE a.atttypid END
                  JOIN pg_amop AS o ON o.amopfamily = c.opcfamily AND o.amopopr = q.opno
                       AND o.amoppurpose = 's' AND o.amoplefttype = c.opcintype
                 WHERE q.dbid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                   AND q.eval_type = 'f' AND q.lrelid IS NOT NULL AND q.rrelid IS NULL
                   AND t.typnamespace = 'pg_catalog'::regnamespace
                   AND q.opno < 16384
                 GROUP BY 1, 2, 3, 4
            ), ranked AS (
                -- equality first; of ranges an index can use one
                SELECT q.*, row_number() OVER (PARTITION BY q.lrelid, q.qual, q.strategy = 3
                                               ORDER BY q.filtered DESC, q.lattnum) AS place
                  FROM quals AS q
            )
            SELECT r.lrelid, array_agg(r.lattnum ORDER BY r.strategy = 3 DESC, r.lattnum),
                   array_agg(r.opno ORDER BY r.strategy = 3 DESC, r.lattnum),
                   max(r.executions), max(r.filtered)
              FROM ranked AS r
             WHERE r.strategy = 3 OR r.place = 1
             GROUP BY r.lrelid, r.qual$query$, home);
    EXCEPTION WHEN OTHERS THEN
        RETURN;             -- not preloaded
    END;
END
$$;
COMMENT ON FUNCTION dbmaint_seq_scan_columns() IS
'What pg_qualstats saw tables being filtered by while an index could have done it: columns with the operators of one condition, those compared by equality first, then one range; how often, and rows thrown away. No rows where pg_qualstats is not installed or not preloaded. Operators and types of the server itself only.';

CREATE FUNCTION dbmaint_plan_is_safe(relation oid)
RETURNS bool
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_has_role(current_user, c.relowner, 'USAGE') AND c.relowner = current_user::regrole
           OR NOT (c.relrowsecurity OR c.relhasrules OR c.relhassubclass OR c.relispartition)
              AND NOT EXISTS (SELECT FROM pg_index AS i
                               WHERE i.indrelid = c.oid AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL))
              AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype = 'c')
              AND NOT EXISTS (SELECT FROM pg_statistic_ext AS x WHERE x.stxrelid = c.oid)
      FROM pg_class AS c
     WHERE c.oid = relation
$$;
COMMENT ON FUNCTION dbmaint_plan_is_safe(oid) IS
'Whether planning a query on a table runs no function that its owner chose: the planner evaluates what is immutable in indexes, constraints and policies, with the rights of who asks';

CREATE FUNCTION dbmaint_index_gain(
    table_oid oid, attnums int2[], operators oid[],
    OUT cost_without float8, OUT cost_with float8, OUT index_bytes bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '10ms'
AS $$
DECLARE
    home name;
    relation text;
    conditions text;
    columns text;
    query text;
    plan json;
    hypothetical oid;
BEGIN
    SELECT n.nspname INTO home
      FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
     WHERE e.extname = 'hypopg';
    IF home IS NULL OR NOT coalesce(@extschema@.dbmaint_plan_is_safe(table_oid), false) THEN
        RETURN;
    END IF;
    SELECT format('%I.%I', n.nspname, c.relname) INTO relation
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.oid = table_oid;
    -- a value the planner does not know
    SELECT string_agg(format('t.%I OPERATOR(pg_catalog.%s) (SELECT NULL::%s)',
                             a.attname, o.oprname, format_type(o.oprright, NULL)), ' AND ' ORDER BY u.n),
           string_agg(quote_ident(a.attname), ', ' ORDER BY u.n)
      INTO conditions, columns
      FROM unnest(attnums, operators) WITH ORDINALITY AS u(attnum, opno, n)
      JOIN pg_attribute AS a ON a.attrelid = table_oid AND a.attnum = u.attnum
      JOIN pg_operator AS o ON o.oid = u.opno;
    query := format('EXPLAIN (FORMAT JSON, COSTS ON) SELECT t.* FROM ONLY %s AS t WHERE %s', relation, conditions);

    BEGIN
        EXECUTE query INTO plan;
        cost_without := (plan -> 0 -> 'Plan' ->> 'Total Cost')::float8;
        EXECUTE format('SELECT h.indexrelid FROM %I.hypopg_create_index($1::text) AS h', home)
           INTO hypothetical
          USING format('CREATE INDEX ON %s (%s)', relation, columns);
        EXECUTE query INTO plan;
        cost_with := (plan -> 0 -> 'Plan' ->> 'Total Cost')::float8;
        EXECUTE format('SELECT %I.hypopg_relation_size($1::oid)', home) INTO index_bytes USING hypothetical;
    EXCEPTION WHEN OTHERS THEN
        cost_without := NULL;
        cost_with := NULL;
        index_bytes := NULL;
    END;
    IF hypothetical IS NOT NULL THEN
        EXECUTE format('SELECT %I.hypopg_drop_index($1::oid)', home) USING hypothetical;
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_index_gain(oid, int2[], oid[]) IS
'What the planner would pay for a filter by these columns and operators without an index on them, and with one that hypopg makes it believe in, and how large hypopg thinks it is; NULLs without hypopg, where the table is locked, or where planning could run its owner''s functions with the caller''s rights';

CREATE FUNCTION dbmaint_missing_indexes(
    min_table_bytes bigint DEFAULT 10485760, min_seq_scans bigint DEFAULT 10,
    OUT schemaname text, OUT tablename text, OUT table_bytes bigint,
    OUT seq_scans bigint, OUT tuples_per_scan float8, OUT idx_scans bigint,
    OUT counted_from timestamptz, OUT columns text,
    OUT filter_executions bigint, OUT filtered_tuples bigint,
    OUT cost_without float8, OUT cost_with float8, OUT gain_ratio float8,
    OUT index_bytes bigint, OUT reason text, OUT statement text)
RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    database_reset CONSTANT timestamptz := (
        SELECT pg_stat_get_db_stat_reset_time(d.oid) FROM pg_database AS d
         WHERE d.datname = current_database());
    with_qualstats CONSTANT bool := EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = 'pg_qualstats');
    with_hypopg CONSTANT bool := EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = 'hypopg');
    x record;
    gain record;
BEGIN
    IF min_table_bytes IS NULL OR min_seq_scans IS NULL OR min_table_bytes < 0 OR min_seq_scans < 1 THEN
        RAISE EXCEPTION 'min_table_bytes must not be negative, and min_seq_scans be at least 1'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'For example: dbmaint_missing_indexes(10485760, 10).';
    END IF;

    FOR x IN
        WITH read AS (
            SELECT c.oid, n.nspname, c.relname, c.relkind, s.seq_scan, s.seq_tup_read, s.idx_scan,
                   greatest(database_reset, s.stats_reset) AS since,
                   @extschema@.dbmaint_relation_bytes(c.oid) AS bytes
              FROM @extschema@.dbmaint_table_statistics() AS s
              JOIN pg_class AS c ON c.oid = s.table_oid
              JOIN pg_namespace AS n ON n.oid = c.relnamespace
             WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
               AND s.seq_scan >= min_seq_scans
               AND NOT EXISTS (SELECT FROM pg_depend AS d
                                WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                                  AND d.objsubid = 0 AND d.deptype = 'e')
        ), filters AS (
            SELECT q.table_oid, q.attnums, min(q.operators) AS operators,
                   sum(q.executions)::bigint AS executions, sum(q.filtered)::bigint AS filtered
              FROM @extschema@.dbmaint_seq_scan_columns() AS q
             GROUP BY q.table_oid, q.attnums
        ), wanted AS (
            -- what an index begins with that is there, or is proposed, needs none
            SELECT q.*, row_number() OVER (PARTITION BY q.table_oid ORDER BY q.filtered DESC, q.attnums) AS place
              FROM filters AS q
             WHERE NOT EXISTS (SELECT FROM filters AS w
                                WHERE w.table_oid = q.table_oid AND w.attnums <> q.attnums
                                  AND w.attnums[:cardinality(q.attnums)] = q.attnums
                                  AND w.operators[:cardinality(q.operators)] = q.operators)
               AND NOT EXISTS (SELECT FROM pg_index AS i
                                JOIN pg_class AS ic ON ic.oid = i.indexrelid AND ic.relam = 403
                               WHERE i.indrelid = q.table_oid AND i.indisvalid AND i.indpred IS NULL
                                 AND ARRAY(SELECT e.attnum::int2 FROM unnest(i.indkey) WITH ORDINALITY AS e(attnum, n)
                                            WHERE e.n <= cardinality(q.attnums)) @> q.attnums)
        )
        SELECT r.*, w.attnums, w.operators, w.executions, w.filtered,
               (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY u.n)
                  FROM unnest(w.attnums) WITH ORDINALITY AS u(attnum, n)
                  JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum = u.attnum) AS list
          FROM read AS r
          LEFT JOIN wanted AS w ON w.table_oid = r.oid AND w.place <= 3
         WHERE r.bytes >= min_table_bytes
         ORDER BY r.seq_tup_read DESC, r.nspname, r.relname, w.place
    LOOP
        schemaname := x.nspname;
        tablename := x.relname;
        table_bytes := x.bytes;
        seq_scans := x.seq_scan;
        tuples_per_scan := x.seq_tup_read::float8 / x.seq_scan;
        idx_scans := x.idx_scan;
        counted_from := x.since;
        columns := x.list;
        filter_executions := x.executions;
        filtered_tuples := x.filtered;
        cost_without := NULL;
        cost_with := NULL;
        gain_ratio := NULL;
        index_bytes := NULL;
        statement := NULL;
        reason := format('%s sequential scans read %s rows each, on average.', seq_scans, round(tuples_per_scan));

        IF columns IS NULL THEN
            reason := reason || CASE
                WHEN with_qualstats THEN ' pg_qualstats saw no filter by columns that an index could serve.'
                ELSE ' Which columns they filter by is known with the extension pg_qualstats; until then look at its statements in pg_stat_statements.' END;
        ELSE
            SELECT * INTO gain FROM @extschema@.dbmaint_index_gain(x.oid, x.attnums, x.operators) AS g;
            cost_without := gain.cost_without;
            cost_with := gain.cost_with;
            gain_ratio := 1 - gain.cost_with / nullif(gain.cost_without, 0);
            index_bytes := gain.index_bytes;
            reason := reason || format(' Filters by %s threw away %s rows.', columns, filtered_tuples);
            IF gain_ratio IS NULL AND NOT with_hypopg THEN
                reason := reason || ' What an index would gain is estimated with the extension hypopg.';
            ELSIF gain_ratio < 0.1 THEN
                reason := reason || ' The planner would hardly use an index on them.';
            END IF;
            IF gain_ratio IS NULL OR gain_ratio >= 0.1 THEN
                statement := format('CREATE INDEX CONCURRENTLY ON %I.%I (%s);', schemaname, tablename, columns);
            END IF;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION dbmaint_missing_indexes(bigint, bigint) IS
'Tables of at least min_table_bytes that at least min_seq_scans sequential scans read since counted_from, those with most rows read first. With the extension pg_qualstats up to three proposals a table: the columns that filters threw most rows away by and that no index begins with. With hypopg what the planner would pay with and without (cost_with, cost_without), gain_ratio (1 - with / without; NULL where it is not known) and the size of the index; a proposal that gains less than a tenth has no statement. Without them only the tables.';

REVOKE ALL ON FUNCTION dbmaint_foreign_key_indexes(oid),
    dbmaint_foreign_keys_without_index(bigint),
    dbmaint_seq_scan_columns(), dbmaint_plan_is_safe(oid),
    dbmaint_index_gain(oid, int2[], oid[]),
    dbmaint_missing_indexes(bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_foreign_key_indexes(oid),
    dbmaint_foreign_keys_without_index(bigint),
    dbmaint_seq_scan_columns(), dbmaint_plan_is_safe(oid),
    dbmaint_index_gain(oid, int2[], oid[]),
    dbmaint_missing_indexes(bigint, bigint) TO pg_monitor;
