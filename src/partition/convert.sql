/*
 * src/partition/convert.sql: a plain table becomes a partitioned one, online.
 *
 * What is done under the lock is a list of statements, made from the catalogs
 * as they are then: a dry run shows the same list.
 */

CREATE FUNCTION dbmaint_conversion_obstacle(table_oid oid)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT o.obstacle
      FROM (-- what would go on to mean the old table, and cannot be made anew
            SELECT 1 AS place, format('%s depends on it or on its row type', pg_describe_object(d.classid, d.objid, d.objsubid)) AS obstacle
              FROM pg_class AS c
              JOIN pg_type AS y ON y.oid = c.reltype
              JOIN pg_depend AS d
                ON d.deptype = 'n'
               AND (d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
                    OR d.refclassid = 'pg_type'::regclass AND d.refobjid IN (y.oid, y.typarray))
             WHERE c.oid = $1
               AND NOT (d.classid = 'pg_class'::regclass AND d.objid = c.oid)
               AND NOT (d.classid = 'pg_constraint'::regclass AND EXISTS (SELECT FROM pg_constraint AS n WHERE n.oid = d.objid AND n.conrelid = c.oid))
               AND NOT (d.classid = 'pg_trigger'::regclass AND EXISTS (SELECT FROM pg_trigger AS n WHERE n.oid = d.objid AND n.tgrelid = c.oid))
               AND NOT (d.classid = 'pg_policy'::regclass AND EXISTS (SELECT FROM pg_policy AS n WHERE n.oid = d.objid AND n.polrelid = c.oid))
               AND NOT (d.classid = 'pg_publication_rel'::regclass AND EXISTS (SELECT FROM pg_publication_rel AS n WHERE n.oid = d.objid AND n.prrelid = c.oid))
               AND NOT (d.classid = 'pg_attrdef'::regclass AND EXISTS (SELECT FROM pg_attrdef AS n WHERE n.oid = d.objid AND n.adrelid = c.oid))
               AND NOT (d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
                        AND EXISTS (SELECT FROM pg_rewrite AS n JOIN pg_class AS v ON v.oid = n.ev_class
                                     WHERE n.oid = d.objid AND n.rulename = '_RETURN' AND v.relkind = 'v'))
            UNION ALL
            SELECT 2, format('its constraint %I is NOT VALID: ALTER TABLE %s VALIDATE CONSTRAINT %I', n.conname, n.conrelid::regclass, n.conname)
              FROM pg_constraint AS n WHERE n.conrelid = $1 AND n.contype IN ('c', 'f') AND NOT n.convalidated AND n.conname <> 'dbmaint_range'
            UNION ALL
            -- a job makes one of this name, and drops it
            SELECT 2, format('its constraint %I has the name of the one that is made meanwhile: give it another one', n.conname)
              FROM pg_constraint AS n
             WHERE n.conrelid = $1 AND n.conname = 'dbmaint_range'
               AND obj_description(n.oid, 'pg_constraint') IS DISTINCT FROM 'made by dbmaint_partition_table()'
            UNION ALL
            SELECT 3, format('foreign key %I of %s refers to it', n.conname, n.conrelid::regclass)
              FROM pg_constraint AS n WHERE n.confrelid = $1 AND n.contype = 'f'
            UNION ALL
            SELECT 4, format('it has the rule %I', n.rulename) FROM pg_rewrite AS n WHERE n.ev_class = $1
            UNION ALL
            SELECT 5, format('its trigger %I is for each row and has a transition table', n.tgname)
              FROM pg_trigger AS n
             WHERE n.tgrelid = $1 AND NOT n.tgisinternal AND n.tgtype::int & 1 = 1 AND (n.tgnewtable IS NOT NULL OR n.tgoldtable IS NOT NULL)
            UNION ALL
            SELECT 7, format('its owner may not create tables in its schema: GRANT CREATE ON SCHEMA %I TO %I', n.nspname, pg_get_userbyid(c.relowner))
              FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
             WHERE c.oid = $1 AND NOT has_schema_privilege(c.relowner, n.oid, 'CREATE')
            UNION ALL
            -- which knows it by its OID, and would write nothing any more
            SELECT 8, format('subscription %I writes into it, and would not write into another table of its name', s.subname)
              FROM pg_subscription_rel AS r JOIN pg_subscription AS s ON s.oid = r.srsubid
             WHERE r.srrelid = $1
            UNION ALL
            -- its rows would come from a table that subscribers do not have
            SELECT 6, format('publication %1$I has it without publish_via_partition_root: ALTER PUBLICATION %1$I SET (publish_via_partition_root = true)', p.pubname)
              FROM pg_publication AS p
             WHERE NOT p.pubviaroot
               AND (p.puballtables
                    OR EXISTS (SELECT FROM pg_publication_rel AS r WHERE r.prpubid = p.oid AND r.prrelid = $1)
                    OR EXISTS (SELECT FROM pg_publication_namespace AS n JOIN pg_class AS c ON c.relnamespace = n.pnnspid
                                WHERE n.pnpubid = p.oid AND c.oid = $1))) AS o
     ORDER BY o.place, o.obstacle
     LIMIT 1
$$;
COMMENT ON FUNCTION dbmaint_conversion_obstacle(oid) IS
'Why a table cannot become a partitioned one: what depends on it that cannot be made anew, and the like; NULL: nothing is in the way.';

CREATE FUNCTION dbmaint_conversion_statements(
    table_oid oid, column_name name, new_name name, bound text,
    OUT run_as oid, OUT statement text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    old record;
    row record;
    position record;
    parent text;
    partition text;
    key smallint;
BEGIN
    SELECT c.relname, s.nspname, c.relowner, t.spcname INTO old
      FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace
      LEFT JOIN pg_tablespace AS t ON t.oid = c.reltablespace
     WHERE c.oid = $1;
    parent := format('%I.%I', old.nspname, old.relname);
    partition := format('%I.%I', old.nspname, dbmaint_conversion_statements.new_name);
    key := (SELECT a.attnum FROM pg_attribute AS a WHERE a.attrelid = $1 AND a.attname = $2);
    run_as := old.relowner;

    statement := format('ALTER TABLE %s RENAME TO %I', parent, dbmaint_conversion_statements.new_name);
    RETURN NEXT;
    -- the new table has the names; the old one is where they came from
    FOR row IN SELECT i.indexrelid, c.relname, n.conname,
                      format('%s_%s', CASE WHEN octet_length(c.relname) <= 50 THEN c.relname::text ELSE left(c.relname, 12) END, i.indexrelid) AS other_name
                 FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
                 LEFT JOIN pg_constraint AS n ON n.conindid = i.indexrelid AND n.conrelid = $1 AND n.contype IN ('p', 'u', 'x')
                WHERE i.indrelid = $1 ORDER BY c.relname
    LOOP
        statement := CASE WHEN row.conname IS NULL THEN format('ALTER INDEX %I.%I RENAME TO %I', old.nspname, row.relname, row.other_name)
                          ELSE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', partition, row.conname, row.other_name) END;
        RETURN NEXT;
    END LOOP;
    FOR row IN SELECT t.tgname FROM pg_trigger AS t WHERE t.tgrelid = $1 AND NOT t.tgisinternal ORDER BY t.tgname LOOP
        statement := format('DROP TRIGGER %I ON %s', row.tgname, partition);
        RETURN NEXT;
    END LOOP;
    FOR row IN SELECT a.attname FROM pg_attribute AS a WHERE a.attrelid = $1 AND a.attidentity <> '' AND NOT a.attisdropped LOOP
        statement := format('ALTER TABLE %s ALTER COLUMN %I DROP IDENTITY', partition, row.attname);
        RETURN NEXT;
    END LOOP;

    statement := format('CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING INDEXES EXCLUDING CONSTRAINTS EXCLUDING IDENTITY) PARTITION BY RANGE (%I)%s',
                        parent, partition, dbmaint_conversion_statements.column_name, ' TABLESPACE ' || quote_ident(old.spcname));
    RETURN NEXT;
    -- a sequence goes on where it is, with its name
    FOR row IN SELECT a.attname, a.attidentity, n.nspname, c.relname, c.relacl, q.*
                 FROM pg_attribute AS a
                 JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = $1 AND d.refobjsubid = a.attnum
                                    AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
                 JOIN pg_class AS c ON c.oid = d.objid AND c.relkind = 'S'
                 JOIN pg_namespace AS n ON n.oid = c.relnamespace
                 JOIN pg_sequence AS q ON q.seqrelid = c.oid
                WHERE a.attrelid = $1 AND NOT a.attisdropped ORDER BY a.attnum
    LOOP
        IF row.attidentity = '' THEN
            statement := format('ALTER SEQUENCE %I.%I OWNED BY %s.%I', row.nspname, row.relname, parent, row.attname);
            RETURN NEXT;
        ELSE
            statement := format('ALTER TABLE %s ALTER COLUMN %I ADD GENERATED %s AS IDENTITY (SEQUENCE NAME %I.%I START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s%s)',
                                parent, row.attname, CASE row.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END,
                                row.nspname, row.relname, row.seqstart, row.seqincrement, row.seqmin, row.seqmax, row.seqcache,
                                CASE WHEN row.seqcycle THEN ' CYCLE' ELSE '' END);
            RETURN NEXT;
            EXECUTE format('SELECT last_value, is_called FROM %I.%I', row.nspname, row.relname) INTO position;
            statement := format('SELECT pg_catalog.setval(%L::pg_catalog.regclass, %s, %L::pg_catalog.bool)',
                                format('%I.%I', row.nspname, row.relname), position.last_value, position.is_called);
            RETURN NEXT;
            FOR statement IN SELECT format('GRANT %s ON SEQUENCE %I.%I TO %s%s', g.privilege_type, row.nspname, row.relname,
                                           CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
                                           CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
                               FROM aclexplode(row.relacl) AS g WHERE g.grantee <> old.relowner
            LOOP
                RETURN NEXT;
            END LOOP;
        END IF;
    END LOOP;

    FOR row IN SELECT n.conname, pg_get_constraintdef(n.oid) AS definition,
                      format('COMMENT ON CONSTRAINT %I ON %s IS ', n.conname, parent) || quote_literal(obj_description(n.oid, 'pg_constraint')) AS remark
                 FROM pg_constraint AS n
                WHERE n.conrelid = $1 AND n.contype IN ('c', 'f') AND n.convalidated AND NOT (n.contype = 'c' AND n.connoinherit)
                  AND n.conname <> 'dbmaint_range'
                ORDER BY n.contype, n.conname
    LOOP
        statement := format('ALTER TABLE %s ADD CONSTRAINT %I %s', parent, row.conname, row.definition);
        RETURN NEXT;
        statement := row.remark;
        IF statement IS NOT NULL THEN
            RETURN NEXT;
        END IF;
    END LOOP;
    -- a partitioned table has no unique index without the key
    FOR row IN SELECT n.conname, pg_get_constraintdef(n.oid) AS constraint_definition, pg_get_indexdef(i.indexrelid) AS definition,
                      coalesce('COMMENT ON CONSTRAINT ' || quote_ident(n.conname) || format(' ON %s IS ', parent) || quote_literal(obj_description(n.oid, 'pg_constraint')),
                               format('COMMENT ON INDEX %I.%I IS ', old.nspname, c.relname) || quote_literal(obj_description(c.oid, 'pg_class'))) AS remark
                 FROM pg_index AS i
                 JOIN pg_class AS c ON c.oid = i.indexrelid
                 LEFT JOIN pg_constraint AS n ON n.conindid = i.indexrelid AND n.conrelid = $1 AND n.contype IN ('p', 'u', 'x')
                WHERE i.indrelid = $1 AND i.indisvalid AND NOT i.indisexclusion
                  AND (NOT i.indisunique OR EXISTS (SELECT FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
                                                     WHERE k.attnum = key AND k.place <= i.indnkeyatts))
                ORDER BY i.indexrelid
    LOOP
        statement := CASE WHEN row.conname IS NULL THEN row.definition
                          ELSE format('ALTER TABLE %s ADD CONSTRAINT %I %s', parent, row.conname, row.constraint_definition) END;
        RETURN NEXT;
        statement := row.remark;
        IF statement IS NOT NULL THEN
            RETURN NEXT;
        END IF;
    END LOOP;
    statement := format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES %s', parent, partition, dbmaint_conversion_statements.bound);
    RETURN NEXT;
    statement := format('ALTER TABLE %s DROP CONSTRAINT dbmaint_range', partition);
    RETURN NEXT;
    FOR row IN SELECT t.tgname, t.tgenabled, pg_get_triggerdef(t.oid) AS definition,
                      format('COMMENT ON TRIGGER %I ON %s IS ', t.tgname, parent) || quote_literal(obj_description(t.oid, 'pg_trigger')) AS remark
                 FROM pg_trigger AS t WHERE t.tgrelid = $1 AND NOT t.tgisinternal ORDER BY t.tgname
    LOOP
        statement := row.definition;
        RETURN NEXT;
        statement := row.remark;
        IF statement IS NOT NULL THEN
            RETURN NEXT;
        END IF;
        IF row.tgenabled <> 'O' THEN
            statement := format('ALTER TABLE %s %s TRIGGER %I', parent,
                                CASE row.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, row.tgname);
            RETURN NEXT;
        END IF;
    END LOOP;
    -- views go on to show all rows
    FOR row IN SELECT v.relname, n.nspname, v.relowner, array_to_string(v.reloptions, ', ') AS options, pg_get_viewdef(v.oid) AS definition
                 FROM pg_class AS v JOIN pg_namespace AS n ON n.oid = v.relnamespace
                WHERE v.relkind = 'v'
                  AND EXISTS (SELECT FROM pg_rewrite AS w
                                JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                               WHERE w.ev_class = v.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = $1)
                ORDER BY n.nspname, v.relname
    LOOP
        run_as := row.relowner;
        statement := format('CREATE OR REPLACE VIEW %I.%I%s AS %s', row.nspname, row.relname, ' WITH (' || row.options || ')', rtrim(row.definition, ';'));
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION dbmaint_conversion_statements(oid, name, name, text) IS
'The statements that make a table a partition, called new_name and of the bound, of a partitioned table of its name, in order, with the role that runs each. The table has a CHECK dbmaint_range that says the same as the bound. What is not a statement here (privileges, row security, comments, publications) is copied as for every partition.';

CREATE FUNCTION dbmaint_conversion_plan(
    table_name regclass, column_name name, period text, time_zone text, epoch text,
    unique_per_partition boolean,
    OUT step text, OUT statement text)
RETURNS SETOF record
LANGUAGE C VOLATILE CALLED ON NULL INPUT
AS 'MODULE_PATHNAME', 'dbmaint_conversion_plan';
COMMENT ON FUNCTION dbmaint_conversion_plan(regclass, name, text, text, text, boolean) IS
'What dbmaint_partition_table() would do now with a table: statements in order, and the transaction (step) that each is in: check, validate or swap. For the table''s owner; an error where it cannot be done.';

CREATE FUNCTION dbmaint_partition_table(
    table_name regclass, column_name name, period text, time_zone text DEFAULT NULL,
    epoch text DEFAULT NULL, premake int DEFAULT 3, split boolean DEFAULT true,
    drop_original boolean DEFAULT false, unique_per_partition boolean DEFAULT false,
    dry_run boolean DEFAULT false,
    OUT step text, OUT statement text, OUT job_id bigint)
RETURNS SETOF record
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    id bigint;
BEGIN
    IF num_nulls($6, $7, $8, $9, $10) > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'premake, split, drop_original, unique_per_partition and dry_run must not be NULL';
    END IF;
    IF $6 NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'premake must be from 1 to 1000';
    END IF;
    IF NOT $10 THEN
        id := @extschema@.dbmaint_enqueue('partition_table'::text, $1::text,
            jsonb_strip_nulls(jsonb_build_object('column', $2, 'period', $3, 'time_zone', $4, 'epoch', $5, 'premake', $6,
                                                 'split', $7, 'drop_original', $8, 'unique_per_partition', $9)));
    END IF;
    RETURN QUERY SELECT p.step, p.statement, id FROM @extschema@.dbmaint_conversion_plan($1, $2, $3, $4, $5, $9) AS p;
    RETURN QUERY SELECT 'create'::text, format('SELECT * FROM create_future_partitions(%L, %s)', $1, $6), id;
    IF $7 THEN
        RETURN QUERY SELECT 'split'::text, format('SELECT * FROM dbmaint_split_partition(...%s)', CASE WHEN $8 THEN ', drop_original => true' ELSE '' END), id;
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_partition_table(regclass, name, text, text, text, int, boolean, boolean, boolean, boolean) IS
'Has the runner make a plain table a partitioned one by ranges of a column, online. First the table as it is becomes a partition of a new table of its name: a CHECK is added, looked through while all goes on, and under a lock of some milliseconds names, indexes, constraints, foreign keys, triggers, identity, views, privileges and policies go over to the new table. Then premake partitions are made, and, with split, the rows are divided by periods: see dbmaint_split_partition(), also for drop_original. One row a statement, with its step (check, validate, swap, create, split), and the job (NULL with dry_run): see dbmaint_jobs. period, time_zone and epoch as in create_future_partitions(). Unique constraints must have the column, unless unique_per_partition: those without are of each partition for itself then. Refused where foreign keys refer to the table, or functions, materialized views or rules depend on it. For the table''s owner; all is done with his rights.';
