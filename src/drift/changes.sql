-- src/drift/changes.sql: notices and dates what changed.
--
-- What changed is known with the time of the look that saw it, and with the
-- time of the look before.  The first look is what later ones compare with.

CREATE TABLE dbmaint_change_history (
    database_oid oid NOT NULL,
    changed_at timestamptz NOT NULL,
    number int NOT NULL,
    not_before timestamptz,
    kind text NOT NULL,
    object text NOT NULL,
    attribute text NOT NULL,
    old_value text,
    new_value text,
    PRIMARY KEY (database_oid, changed_at, number)
);
CREATE INDEX dbmaint_change_history_changed_at_idx ON dbmaint_change_history (changed_at);
COMMENT ON TABLE dbmaint_change_history IS
'What the collector "changes" noticed; read it through dbmaint_changes.';
COMMENT ON COLUMN dbmaint_change_history.database_oid IS
'The database that noticed it.';
COMMENT ON COLUMN dbmaint_change_history.changed_at IS
'When the change was first seen.';
COMMENT ON COLUMN dbmaint_change_history.number IS
'Tells the changes of one look apart.';
COMMENT ON COLUMN dbmaint_change_history.not_before IS
'The look before, which did not see it yet; NULL where the clock was set back since.';
COMMENT ON COLUMN dbmaint_change_history.kind IS
'setting, hba_rule, session_setting, extension, table, foreign table, view, materialized view or index.';
COMMENT ON COLUMN dbmaint_change_history.object IS
'Its name.';
COMMENT ON COLUMN dbmaint_change_history.attribute IS
'What of it changed; created and dropped for all of it.';
COMMENT ON COLUMN dbmaint_change_history.old_value IS
'What was before; NULL where there was nothing.';
COMMENT ON COLUMN dbmaint_change_history.new_value IS
'What is now; NULL where there is nothing.';

CREATE VIEW dbmaint_changes AS
SELECT c.changed_at,
       pg_catalog.tstzrange(c.not_before, c.changed_at, '(]'::pg_catalog.text) AS seen_between,
       c.kind, c.object, c.attribute, c.old_value, c.new_value
  FROM dbmaint_change_history AS c
 WHERE c.database_oid OPERATOR(pg_catalog.=)
       (SELECT d.oid FROM pg_catalog.pg_database AS d
         WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
 ORDER BY c.changed_at DESC, c.number;
COMMENT ON VIEW dbmaint_changes IS
'What changed in this database''s schema and extensions, in what ALTER DATABASE and ALTER ROLE set, and, in the home database, in the server''s settings and access rules; newest first. changed_at is when it was first seen; it happened within seen_between. Values that may be secret are hidden: a few bits of a keyed hash tell that they changed.';

CREATE FUNCTION dbmaint_note_change(at timestamptz, since timestamptz,
    kind text, object text, attribute text, old_value text, new_value text)
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO @extschema@.dbmaint_change_history
           (database_oid, changed_at, number, not_before, kind, object, attribute, old_value, new_value)
    SELECT d.oid, at,
           coalesce((SELECT c.number + 1 FROM @extschema@.dbmaint_change_history AS c
                      WHERE c.database_oid = d.oid AND c.changed_at = at
                      ORDER BY c.number DESC LIMIT 1), 1),
           -- not known where the clock was set back
           CASE WHEN since < at THEN since END, kind, object, attribute, old_value, new_value
      FROM pg_database AS d
     WHERE d.datname = current_database()
$$;
COMMENT ON FUNCTION dbmaint_note_change(timestamptz, timestamptz, text, text, text, text, text) IS
'Writes one change, seen at a time and not at the one before';

CREATE FUNCTION dbmaint_note_facts(at timestamptz, mine oid, what text, facts jsonb)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    was record;
    change record;
BEGIN
    SELECT d.facts, d.looked_at INTO was
      FROM @extschema@.dbmaint_definitions AS d
     WHERE d.database_oid = mine AND d.object_oid = 0 AND d.kind = what;
    IF NOT FOUND THEN
        INSERT INTO @extschema@.dbmaint_definitions (database_oid, object_oid, kind, object, looked_at, facts)
        VALUES (mine, 0, what, '', at, facts);
        RETURN;
    ELSIF was.facts = facts THEN
        UPDATE @extschema@.dbmaint_definitions AS d SET looked_at = at
         WHERE d.database_oid = mine AND d.object_oid = 0 AND d.kind = what;
        RETURN;
    END IF;

    FOR change IN
        WITH old AS (
            SELECT o.key AS object, a.key AS attribute, a.value
              FROM jsonb_each(was.facts) AS o, jsonb_each_text(o.value) AS a
        ), new AS (
            SELECT o.key AS object, a.key AS attribute, a.value
              FROM jsonb_each(facts) AS o, jsonb_each_text(o.value) AS a
        ), differing AS (
            SELECT object, attribute, old.value AS old_value, new.value AS new_value
              FROM old FULL JOIN new USING (object, attribute)
             WHERE old.value IS DISTINCT FROM new.value
        )
        SELECT d.* FROM differing AS d
               -- a server of another version has other settings: those come
               -- and go with it; rules that come and go move the others
         WHERE NOT (what = 'setting' AND d.attribute = 'value' AND strpos(d.object, '.') = 0
                    AND (d.old_value IS NULL OR d.new_value IS NULL))
           AND NOT (what = 'hba_rule' AND d.attribute = 'order' AND (SELECT count(*) FROM differing) > 1)
         ORDER BY d.object COLLATE "C", d.attribute COLLATE "C"
    LOOP
        PERFORM @extschema@.dbmaint_note_change(at, was.looked_at, split_part(what, ' ', 1), change.object,
            change.attribute, change.old_value, change.new_value);
    END LOOP;
    UPDATE @extschema@.dbmaint_definitions AS d SET looked_at = at, facts = dbmaint_note_facts.facts
     WHERE d.database_oid = mine AND d.object_oid = 0 AND d.kind = what;
END
$$;
COMMENT ON FUNCTION dbmaint_note_facts(timestamptz, oid, text, jsonb) IS
'Compares objects of facts with those of the last look, notes what differs, and keeps them for the next';

CREATE FUNCTION dbmaint_note_settings(at timestamptz, mine oid)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- hundreds of values are read in a millisecond, but not rewritten
    print CONSTANT bigint := (SELECT hashtextextended(string_agg(concat_ws('=', s.name, s.value, s.pending), E'\n'), 0)
                                FROM @extschema@.dbmaint_configured_settings() AS s);
BEGIN
    UPDATE @extschema@.dbmaint_definitions AS d SET looked_at = at
     WHERE d.database_oid = mine AND d.object_oid = 0 AND d.kind = 'setting' AND d.fingerprint = print;
    IF NOT FOUND THEN
        PERFORM @extschema@.dbmaint_note_facts(at, mine, 'setting'::text, @extschema@.dbmaint_facts_of_settings());
        UPDATE @extschema@.dbmaint_definitions AS d SET fingerprint = print
         WHERE d.database_oid = mine AND d.object_oid = 0 AND d.kind = 'setting';
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_note_settings(timestamptz, oid) IS
'Notes what changed in the server''s settings';

CREATE FUNCTION dbmaint_definition_text(facts jsonb)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT @extschema@.dbmaint_cut_value(string_agg(f.key || ': ' || f.value, E'\n' ORDER BY f.key COLLATE "C"))
      FROM jsonb_each_text(facts) AS f
$$;
COMMENT ON FUNCTION dbmaint_definition_text(jsonb) IS
'A definition''s facts as lines of text';

CREATE FUNCTION dbmaint_note_relations(at timestamptz, since timestamptz, mine oid,
    first_look boolean, relations oid[], prints bigint[], created oid[], gone oid[])
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    this record;
    was record;
    fact record;
    renewed boolean;
BEGIN
    IF first_look THEN
        INSERT INTO @extschema@.dbmaint_definitions AS d
               (database_oid, object_oid, kind, object, parent_oid, fingerprint, facts)
        SELECT mine, r.relation, r.kind, r.object, r.parent_oid, p.print, r.facts
          FROM unnest(relations, prints) AS p(relation, print)
          JOIN @extschema@.dbmaint_describe_relations(relations) AS r ON r.relation = p.relation
            ON CONFLICT (database_oid, object_oid, kind) DO UPDATE
           SET object = excluded.object, parent_oid = excluded.parent_oid,
               fingerprint = excluded.fingerprint, facts = excluded.facts;
        RETURN;
    END IF;

    FOR this IN
        SELECT r.relation, r.kind, r.object, r.parent_oid, r.facts, p.print
          FROM unnest(relations, prints) AS p(relation, print)
          JOIN @extschema@.dbmaint_describe_relations(relations) AS r ON r.relation = p.relation
         ORDER BY r.relation
    LOOP
        SELECT d.object_oid, d.object, d.parent_oid, d.facts INTO was
          FROM @extschema@.dbmaint_definitions AS d
         WHERE d.database_oid = mine AND d.object_oid = this.relation AND d.kind = this.kind;
        renewed := false;
        IF NOT FOUND THEN
            -- dropped and made again, as REINDEX CONCURRENTLY does
            SELECT d.object_oid, d.object, d.parent_oid, d.facts INTO was
              FROM @extschema@.dbmaint_definitions AS d
             WHERE d.database_oid = mine AND d.object_oid = ANY (gone)
               AND d.kind = this.kind AND d.object = this.object;
            renewed := FOUND;
        END IF;

        IF was.object_oid IS NULL THEN
            -- the indexes of a new table are part of it, and those of
            -- partitions part of the partitioned table's
            IF this.parent_oid <> ALL (created)
               AND NOT (this.kind = 'index' AND this.facts ? 'partition of') THEN
                PERFORM @extschema@.dbmaint_note_change(at, since, this.kind, this.object,
                    'created'::text, NULL::text, @extschema@.dbmaint_definition_text(this.facts));
            END IF;
        ELSE
            IF renewed THEN
                DELETE FROM @extschema@.dbmaint_definitions AS d
                 WHERE d.database_oid = mine AND d.object_oid = was.object_oid AND d.kind = this.kind;
            END IF;
            IF renewed AND this.kind <> 'index' THEN
                PERFORM @extschema@.dbmaint_note_change(at, since, this.kind, this.object,
                    'dropped and created'::text, was.object_oid::text, this.relation::text);
            END IF;
            IF was.object <> this.object THEN
                PERFORM @extschema@.dbmaint_note_change(at, since, this.kind, this.object,
                    'name'::text, was.object, this.object);
            END IF;
            FOR fact IN
                SELECT key, o.value AS old_value, n.value AS new_value
                  FROM jsonb_each_text(was.facts) AS o
                  FULL JOIN jsonb_each_text(this.facts) AS n USING (key)
                 WHERE o.value IS DISTINCT FROM n.value
                   -- a table that was renamed is still the same
                   AND NOT (key = 'table' AND was.parent_oid = this.parent_oid)
                 ORDER BY key COLLATE "C"
            LOOP
                PERFORM @extschema@.dbmaint_note_change(at, since, this.kind, this.object,
                    fact.key, fact.old_value, fact.new_value);
            END LOOP;
        END IF;

        INSERT INTO @extschema@.dbmaint_definitions AS d
               (database_oid, object_oid, kind, object, parent_oid, fingerprint, facts)
        VALUES (mine, this.relation, this.kind, this.object, this.parent_oid, this.print, this.facts)
            ON CONFLICT (database_oid, object_oid, kind) DO UPDATE
           SET object = excluded.object, parent_oid = excluded.parent_oid,
               fingerprint = excluded.fingerprint, facts = excluded.facts;
    END LOOP;
END
$$;
COMMENT ON FUNCTION dbmaint_note_relations(timestamptz, timestamptz, oid, boolean, oid[], bigint[], oid[], oid[]) IS
'Describes the relations, compares them with the last look, notes what differs, and keeps them for the next. created are those that are new, gone those that are no more. A first look notes nothing.';

CREATE FUNCTION dbmaint_note_schema(at timestamptz, mine oid)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    batch CONSTANT int := 500;
    -- how much is done in one round; what is left is done in the next
    budget CONSTANT interval := current_setting('dbmaint.collector_timeout')::interval / 2;
    started CONSTANT timestamptz := clock_timestamp();
    version CONSTANT text := current_setting('server_version_num')::int / 10000;
    state record;
    first_look boolean;
    seen oid[];
    prints bigint[];
    moved oid[];
    moved_prints bigint[];
    created oid[];
    gone oid[];
    dropped record;
    failed int := 0;
    problem text;
    complete boolean := true;
BEGIN
    SELECT d.fingerprint, d.looked_at, d.facts INTO state
      FROM @extschema@.dbmaint_definitions AS d
     WHERE d.database_oid = mine AND d.object_oid = 0 AND d.kind = 'relations';
    -- another major version writes definitions in other words
    first_look := state.facts IS NULL OR state.facts->>'version' <> version
                  OR state.facts->>'complete' <> 'true';

    SELECT array_agg(f.relation), array_agg(f.fingerprint) INTO seen, prints
      FROM @extschema@.dbmaint_relation_fingerprints(state.fingerprint::bigint) AS f;
    IF seen IS NULL THEN
        UPDATE @extschema@.dbmaint_definitions AS d SET looked_at = at
         WHERE d.database_oid = mine AND d.object_oid = 0 AND d.kind = 'relations';
        RETURN;
    END IF;

    SELECT coalesce(array_agg(s.relation ORDER BY s.relation), '{}'),
           coalesce(array_agg(s.print ORDER BY s.relation), '{}'),
           coalesce(array_agg(s.relation) FILTER (WHERE d.object_oid IS NULL), '{}')
      INTO moved, moved_prints, created
      FROM unnest(seen, prints) AS s(relation, print)
      LEFT JOIN @extschema@.dbmaint_definitions AS d
             ON d.database_oid = mine AND d.object_oid = s.relation
     WHERE s.relation <> 0 AND d.fingerprint IS DISTINCT FROM s.print;
    SELECT coalesce(array_agg(d.object_oid), '{}') INTO gone
      FROM @extschema@.dbmaint_definitions AS d
     WHERE d.database_oid = mine AND d.object_oid <> 0
       AND NOT EXISTS (SELECT FROM unnest(seen) AS s(relation) WHERE s.relation = d.object_oid);

    FOR i IN 1 .. cardinality(moved) BY batch LOOP
        IF clock_timestamp() > started + budget OR failed > 20 THEN
            complete := false;
            EXIT;
        END IF;
        BEGIN
            PERFORM @extschema@.dbmaint_note_relations(at, state.looked_at::timestamptz, mine, first_look,
                moved[i : i + batch - 1], moved_prints[i : i + batch - 1], created, gone);
            CONTINUE;
        EXCEPTION WHEN OTHERS THEN
            NULL;
        END;
        -- A batch that fails, as when a view's table is locked, is done one
        -- by one: what fails then is left for the next round.
        FOR j IN i .. least(i + batch - 1, cardinality(moved)) LOOP
            EXIT WHEN clock_timestamp() > started + budget OR failed > 20;
            BEGIN
                PERFORM @extschema@.dbmaint_note_relations(at, state.looked_at::timestamptz, mine, first_look,
                    moved[j : j], moved_prints[j : j], created, gone);
            EXCEPTION WHEN OTHERS THEN
                failed := failed + 1;
                problem := SQLERRM;
            END;
        END LOOP;
    END LOOP;
    IF failed > 0 THEN
        RAISE WARNING 'dbmaint left % definitions for its next look', failed
            USING DETAIL = 'The last one: ' || problem;
    END IF;

    FOR dropped IN
        DELETE FROM @extschema@.dbmaint_definitions AS d
         WHERE d.database_oid = mine AND d.object_oid = ANY (gone)
        RETURNING d.kind, d.object, d.parent_oid, d.facts
    LOOP
        CONTINUE WHEN first_look OR dropped.parent_oid = ANY (gone)
                   OR (dropped.kind = 'index' AND dropped.facts ? 'partition of');
        PERFORM @extschema@.dbmaint_note_change(at, state.looked_at::timestamptz, dropped.kind::text,
            dropped.object::text, 'dropped'::text,
            @extschema@.dbmaint_definition_text(dropped.facts::jsonb), NULL::text);
    END LOOP;

    INSERT INTO @extschema@.dbmaint_definitions AS d
           (database_oid, object_oid, kind, object, fingerprint, looked_at, facts)
    VALUES (mine, 0, 'relations', '', CASE WHEN complete AND failed = 0 THEN prints[array_position(seen, 0::oid)] END,
            at, jsonb_build_object('version', version, 'complete', (complete OR NOT first_look)::text))
        ON CONFLICT (database_oid, object_oid, kind) DO UPDATE
       SET fingerprint = excluded.fingerprint, looked_at = excluded.looked_at, facts = excluded.facts;
END
$$;
COMMENT ON FUNCTION dbmaint_note_schema(timestamptz, oid) IS
'Notes what changed in the definitions of tables, views and indexes. Where nothing did, it reads the catalogs once and writes the time of the look.';

CREATE FUNCTION dbmaint_note_changes(at timestamptz, home boolean)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    mine CONSTANT oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    rules jsonb;
BEGIN
    IF at IS NULL OR home IS NULL THEN
        RAISE EXCEPTION 'at and home must not be NULL'
            USING ERRCODE = 'null_value_not_allowed',
                  HINT = 'Call dbmaint_run_due(now()) instead, which knows both.';
    END IF;

    LOCK TABLE @extschema@.dbmaint_change_history, @extschema@.dbmaint_definitions IN ROW EXCLUSIVE MODE;
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_change_history'::name);
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_definitions'::name);

    -- a copy of a database begins anew, with a key of its own
    IF NOT EXISTS (SELECT FROM @extschema@.dbmaint_definitions AS d
                    WHERE d.database_oid = mine AND d.object_oid = 0 AND d.kind = 'key') THEN
        DELETE FROM @extschema@.dbmaint_definitions AS d WHERE d.database_oid <> mine;
        INSERT INTO @extschema@.dbmaint_definitions (database_oid, object_oid, kind, object)
        VALUES (mine, 0, 'key', gen_random_uuid()::text);
    END IF;

    IF home THEN
        PERFORM @extschema@.dbmaint_note_settings(at, mine);
        -- a file that cannot be read costs its own facts alone
        BEGIN
            rules := @extschema@.dbmaint_facts_of_hba();
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'dbmaint does not see changes of access rules: %', SQLERRM;
        END;
        IF rules IS NOT NULL THEN
            PERFORM @extschema@.dbmaint_note_facts(at, mine, 'hba_rule'::text, rules);
        END IF;
        PERFORM @extschema@.dbmaint_note_facts(at, mine, 'session_setting elsewhere'::text,
            @extschema@.dbmaint_facts_of_session_settings(true));
    END IF;
    PERFORM @extschema@.dbmaint_note_facts(at, mine, 'session_setting'::text,
        @extschema@.dbmaint_facts_of_session_settings(false));
    PERFORM @extschema@.dbmaint_note_facts(at, mine, 'extension'::text, @extschema@.dbmaint_facts_of_extensions());
    PERFORM @extschema@.dbmaint_note_schema(at, mine);
END
$$;
COMMENT ON FUNCTION dbmaint_note_changes(timestamptz, boolean) IS
'What the collector "changes" does at a time: compares settings, access rules and per-role settings (those of the server in the home database alone), extensions and definitions with the last look, and writes what changed into dbmaint_change_history';

REVOKE ALL ON dbmaint_change_history, dbmaint_changes FROM PUBLIC;
GRANT SELECT ON dbmaint_change_history, dbmaint_changes TO pg_monitor;
REVOKE ALL ON FUNCTION
    dbmaint_note_change(timestamptz, timestamptz, text, text, text, text, text),
    dbmaint_note_facts(timestamptz, oid, text, jsonb), dbmaint_note_settings(timestamptz, oid),
    dbmaint_definition_text(jsonb),
    dbmaint_note_relations(timestamptz, timestamptz, oid, boolean, oid[], bigint[], oid[], oid[]),
    dbmaint_note_schema(timestamptz, oid), dbmaint_note_changes(timestamptz, boolean)
FROM PUBLIC;
