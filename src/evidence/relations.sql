-- src/evidence/relations.sql: the table that a statement is about.
--
-- Nothing is planned and no relation opened: names come from the text, the
-- rest from the catalogs and the sizes of files.

CREATE FUNCTION dbmaint_statement_relations(query text,
    OUT schema_name text, OUT relation_name text)
RETURNS SETOF record
LANGUAGE C STABLE STRICT ROWS 4
AS 'MODULE_PATHNAME', 'dbmaint_statement_relations';
COMMENT ON FUNCTION dbmaint_statement_relations(text) IS
'The tables and views that a statement''s text names, in their order, as its parse tree has them; $1 and the like may stand for any constant. schema_name is NULL where the text gives none. Names that WITH gives to queries are left out. Raises an error for a text that is no SQL, as one that was cut.';

CREATE FUNCTION dbmaint_stored_bytes(relation oid)
RETURNS bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE part AS (
        SELECT c.oid, c.relkind FROM pg_class AS c WHERE c.oid = $1
        UNION
        SELECT c.oid, c.relkind
          FROM part AS p
          JOIN pg_inherits AS i ON i.inhparent = p.oid
          JOIN pg_class AS c ON c.oid = i.inhrelid
         WHERE p.relkind IN ('p', 'I')
    )
    SELECT coalesce(sum(@extschema@.dbmaint_relation_bytes(l.oid::oid)), 0)::bigint
      FROM (SELECT p.oid FROM part AS p WHERE p.relkind NOT IN ('p', 'I') LIMIT 10000) AS l
$$;
COMMENT ON FUNCTION dbmaint_stored_bytes(oid) IS
'Size of a relation''s main fork by its files, that of all its partitions (10,000 at most) for a partitioned one; waits for no lock. In bytes; 0 for what stores nothing.';

CREATE FUNCTION dbmaint_plain_name(name text)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT regexp_replace($1, '[\u0001-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]', '?', 'g')
$$;
COMMENT ON FUNCTION dbmaint_plain_name(text) IS
'A name for a line of text: control characters, ends of lines and marks of direction are question marks.';

CREATE FUNCTION dbmaint_relation_name(relation oid)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT @extschema@.dbmaint_plain_name(
               CASE WHEN n.nspname = 'public' THEN format('%I', c.relname)
                    ELSE format('%I.%I', n.nspname, c.relname) END)
      FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.oid = $1
$$;
COMMENT ON FUNCTION dbmaint_relation_name(oid) IS
'A relation''s name for a line of text, quoted where SQL needs it, without the schema where that is public; NULL for what is gone.';

CREATE FUNCTION dbmaint_main_relation(query text, OUT relation text, OUT relation_oid oid)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    chosen record;
BEGIN
    IF query IS NULL THEN
        RETURN;
    END IF;
    WITH RECURSIVE named AS (
        SELECT DISTINCT r.schema_name, r.relation_name
          FROM @extschema@.dbmaint_statement_relations(query) AS r
    ), meant AS (
        -- without a schema, whose search_path it was is not known
        SELECT c.oid, c.relkind, c.relname,
               count(*) OVER (PARTITION BY r.schema_name, r.relation_name) AS candidates
          FROM named AS r
          JOIN pg_class AS c ON c.relname = r.relation_name AND c.relkind IN ('r', 'p', 'm', 'f', 'v')
          JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE r.schema_name = n.nspname
            OR r.schema_name IS NULL AND c.relpersistence <> 't'
    ), reached AS (
        SELECT m.oid, m.relkind, m.relname, m.candidates, 0 AS depth FROM meant AS m
        UNION
        -- a view is about the tables below it
        SELECT c.oid, c.relkind, c.relname, 1::bigint, v.depth + 1
          FROM reached AS v
          JOIN pg_rewrite AS w ON w.ev_class = v.oid
          JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                             AND d.refclassid = 'pg_class'::regclass
          JOIN pg_class AS c ON c.oid = d.refobjid AND c.oid <> v.oid AND c.relkind IN ('r', 'p', 'm', 'f', 'v')
         WHERE v.relkind = 'v' AND v.candidates = 1 AND v.depth < 5
    )
    SELECT t.oid, t.relname, t.candidates INTO chosen
      FROM (SELECT r.oid, r.relname, max(r.candidates) AS candidates, r.relkind
              FROM reached AS r GROUP BY r.oid, r.relname, r.relkind LIMIT 200) AS t
     ORDER BY t.relkind = 'v', @extschema@.dbmaint_stored_bytes(t.oid::oid) DESC, t.oid
     LIMIT 1;
    IF chosen.candidates = 1 THEN
        relation_oid := chosen.oid;
        relation := @extschema@.dbmaint_relation_name(chosen.oid::oid);
    ELSIF chosen.candidates > 1 THEN
        relation := @extschema@.dbmaint_plain_name(format('%I', chosen.relname));
    END IF;
EXCEPTION WHEN OTHERS THEN
    -- a text that was cut, or is of another version
    relation := NULL;
    relation_oid := NULL;
END
$$;
COMMENT ON FUNCTION dbmaint_main_relation(text) IS
'The largest of the tables that a statement''s text names, or that the views it names read. Where tables of several schemas have the name, and the text does not say which, it is the name alone, without an oid. NULL where there is none, or the text is not SQL.';

CREATE FUNCTION dbmaint_query_relation(query_id bigint, OUT relation text, OUT relation_oid oid)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    here CONSTANT oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    statement text;
    elsewhere boolean;
BEGIN
    IF query_id IS NULL THEN
        RETURN;
    END IF;
    SELECT CASE WHEN NOT k.truncated THEN k.query END, k.database_oid <> here
      INTO statement, elsewhere
      FROM @extschema@.dbmaint_statements AS k
     WHERE k.query_id = $1
     ORDER BY k.database_oid <> here, k.query IS NULL, k.truncated
     LIMIT 1;
    IF elsewhere THEN
        RETURN;
    END IF;
    IF statement IS NULL THEN
        BEGIN
            statement := @extschema@.dbmaint_find_query_text($1);
        EXCEPTION WHEN OTHERS THEN
            statement := NULL;
        END;
    END IF;
    SELECT m.relation, m.relation_oid INTO relation, relation_oid
      FROM @extschema@.dbmaint_main_relation(statement) AS m;
END
$$;
COMMENT ON FUNCTION dbmaint_query_relation(bigint) IS
'The main table of a statement of this database, by its query id: dbmaint_main_relation() of its text as it was kept, or as pg_stat_statements has it; NULL where that is not known.';

REVOKE ALL ON FUNCTION dbmaint_statement_relations(text), dbmaint_stored_bytes(oid),
    dbmaint_relation_name(oid), dbmaint_main_relation(text), dbmaint_query_relation(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_statement_relations(text), dbmaint_stored_bytes(oid),
    dbmaint_relation_name(oid), dbmaint_main_relation(text), dbmaint_query_relation(bigint) TO pg_monitor;
