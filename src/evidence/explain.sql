-- src/evidence/explain.sql: evidence as rows to read, and the texts of the
-- statements that it names.

CREATE FUNCTION dbmaint_evidence_texts(evidence jsonb)
RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- 20 texts of 1 kB: what a message can hold
    most_texts CONSTANT int := 20;
    most_characters CONSTANT int := 1000;
BEGIN
    RETURN CASE WHEN evidence IS NOT NULL THEN coalesce((
        SELECT jsonb_object_agg(t.id, left(t.query, most_characters))
          FROM (SELECT q.id, k.query
                  FROM (SELECT v.id #>> '{}' AS id, min(v.n) AS n
                          FROM jsonb_path_query(evidence, 'strict $.**.query_id') WITH ORDINALITY AS v(id, n)
                         WHERE jsonb_typeof(v.id) IN ('string', 'number') AND v.id #>> '{}' ~ '^-?\d{1,19}$'
                         GROUP BY 1) AS q
                 CROSS JOIN LATERAL (SELECT s.query FROM @extschema@.dbmaint_statements AS s
                                      WHERE s.query IS NOT NULL
                                        AND s.query_id = CASE WHEN q.id::numeric BETWEEN -9223372036854775808 AND 9223372036854775807
                                                              THEN q.id::numeric::bigint END
                                      ORDER BY s.database_oid <> (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()),
                                               s.truncated, s.statement_id LIMIT 1) AS k
                 ORDER BY q.n LIMIT most_texts) AS t), '{}') END;
END
$$;
COMMENT ON FUNCTION dbmaint_evidence_texts(jsonb) IS
'The texts of the statements that evidence names, as an object by query id: the first 20 that are known, 1,000 characters of each. They reveal what others run: for channels that may have them. NULL for NULL.';

CREATE FUNCTION dbmaint_value_text(value jsonb)
RETURNS text
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT @extschema@.dbmaint_plain_name(CASE jsonb_typeof($1)
        WHEN 'object' THEN (SELECT string_agg(format('%s: %s', replace(e.key, '_', ' '), e.value #>> '{}'), ', ')
                              FROM jsonb_each($1) AS e WHERE e.value <> 'null')
        WHEN 'array' THEN (SELECT string_agg(a #>> '{}', ', ' ORDER BY n) FROM jsonb_array_elements($1) WITH ORDINALITY AS u(a, n))
        ELSE $1 #>> '{}' END)
$$;
COMMENT ON FUNCTION dbmaint_value_text(jsonb) IS
'A value of evidence on one line';

CREATE FUNCTION dbmaint_explain_evidence(evidence jsonb,
    OUT section text, OUT item text, OUT value text, OUT detail text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 50
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    sections CONSTANT text[] := ARRAY['metric', 'statements', 'waits', 'blocking', 'transactions',
                                      'changes', 'host', 'connections', 'subject', 'recorder', 'errors'];
    names CONSTANT text[] := ARRAY['query_id', 'wait', 'pool', 'pid', 'object', 'application', 'relation', 'index', 'slot', 'name', 'at'];
    present text;
    content jsonb;
    listed record;
BEGIN
    IF evidence IS NULL OR jsonb_typeof(evidence) <> 'object' THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT 'cause', CASE WHEN c.n IS NULL THEN 'none' ELSE format('%s.', c.n) END, coalesce(c.cause, 'no cause found'),
           CASE WHEN c.cause IS NOT NULL THEN format('explains %s %%', round((100 * c.weight)::numeric)) END
      FROM (SELECT 1) AS one LEFT JOIN @extschema@.dbmaint_causes(evidence) WITH ORDINALITY AS c(weight, cause, n) ON c.n <= 5
     ORDER BY c.n;

    FOREACH present IN ARRAY sections LOOP
        content := evidence -> present;
        CONTINUE WHEN content IS NULL OR jsonb_typeof(content) <> 'object';
        -- single values, then lists, a row an element
        RETURN QUERY
        SELECT present, replace(e.key, '_', ' '), @extschema@.dbmaint_value_text(e.value), NULL::text
          FROM jsonb_each(content) AS e
         WHERE jsonb_typeof(e.value) NOT IN ('array', 'object', 'null')
         ORDER BY e.key;
        -- before and now of the host beside each other
        RETURN QUERY
        SELECT present, replace(coalesce(n.key, b.key), '_', ' '), n.value, 'before: ' || b.value
          FROM jsonb_each_text(CASE WHEN jsonb_typeof(content -> 'now') = 'object' THEN content -> 'now' ELSE '{}' END) AS n
          FULL JOIN jsonb_each_text(CASE WHEN jsonb_typeof(content -> 'before') = 'object' THEN content -> 'before' ELSE '{}' END) AS b
            ON b.key = n.key
         ORDER BY 2;
        FOR listed IN
            SELECT e.key, e.value FROM jsonb_each(content) AS e
             WHERE jsonb_typeof(e.value) IN ('array', 'object') AND NOT (jsonb_typeof(e.value) = 'object' AND e.key IN ('now', 'before'))
             ORDER BY e.key
        LOOP
            RETURN QUERY
            SELECT present, replace(listed.key, '_', ' ') || CASE WHEN jsonb_typeof(listed.value) = 'array' THEN format(' %s.', i.n) ELSE '' END,
                   coalesce((SELECT @extschema@.dbmaint_value_text(i.item -> k.name)
                               FROM unnest(names) WITH ORDINALITY AS k(name, n)
                              WHERE jsonb_typeof(i.item) = 'object' AND i.item ? k.name ORDER BY k.n LIMIT 1),
                            CASE WHEN jsonb_typeof(i.item) <> 'object' THEN @extschema@.dbmaint_value_text(i.item) END),
                   CASE WHEN jsonb_typeof(i.item) = 'object' THEN @extschema@.dbmaint_value_text(i.item) END
              FROM jsonb_array_elements(CASE WHEN jsonb_typeof(listed.value) = 'array' THEN listed.value
                                             ELSE jsonb_build_array(listed.value) END) WITH ORDINALITY AS i(item, n)
             ORDER BY i.n;
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION dbmaint_explain_evidence(jsonb) IS
'Evidence of dbmaint_collect_evidence() as rows to read: the likely causes with what each explains, then section by section single values and what its lists hold. No rows for NULL.';

REVOKE ALL ON FUNCTION dbmaint_evidence_texts(jsonb), dbmaint_explain_evidence(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_evidence_texts(jsonb), dbmaint_explain_evidence(jsonb) TO pg_monitor;
