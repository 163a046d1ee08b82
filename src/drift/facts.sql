-- src/drift/facts.sql: what there is: definitions and settings, as facts.
--
-- A fact is a name and a text.  What is kept of a relation is one object of
-- facts (jsonb); settings, access rules, extensions and the like are an
-- object of such objects, one a thing.  Comparing two of them is all that
-- changes.sql does.
--
-- Deparsing prints expressions and runs none.  What it prints depends on a
-- few settings of the session, so they are pinned.

CREATE FUNCTION dbmaint_relation_fingerprints(known bigint,
    OUT relation oid, OUT fingerprint bigint)
RETURNS SETOF record
LANGUAGE C STABLE CALLED ON NULL INPUT
AS 'MODULE_PATHNAME', 'dbmaint_relation_fingerprints';
COMMENT ON FUNCTION dbmaint_relation_fingerprints(bigint) IS
'A number for each table, view and index of the users that is another one when its definition may have changed. The first row, of relation 0, sums up all of them; no rows at all where that is the known one. Reads the catalogs alone, and locks no relation.';

CREATE FUNCTION dbmaint_setting_is_secret(name text)
RETURNS boolean
LANGUAGE C STABLE STRICT
AS 'MODULE_PATHNAME', 'dbmaint_setting_is_secret';
COMMENT ON FUNCTION dbmaint_setting_is_secret(text) IS
'True for a setting whose value the server shows only to superusers and members of pg_read_all_settings, and for one that may hold a password by its name';

CREATE FUNCTION dbmaint_cut_value(value text)
RETURNS text
LANGUAGE sql IMMUTABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN length(value) <= 10000 THEN value
                ELSE format('%s ... (%s characters, %s)', left(value, 10000), length(value),
                            left(encode(sha256(convert_to(value, getdatabaseencoding())), 'hex'), 16))
           END
$$;
COMMENT ON FUNCTION dbmaint_cut_value(text) IS
'A text of at most 10,000 characters as it is; the beginning of a longer one, with its length and a hash of all of it, so that a change behind the end is seen';

CREATE FUNCTION dbmaint_setting_text(value text, vartype text, unit text)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    amount numeric;
    base numeric;
    larger record;
BEGIN
    IF value IS NULL THEN
        RETURN NULL;
    ELSIF vartype = 'bool' THEN
        RETURN CASE WHEN value::boolean THEN 'on' ELSE 'off' END;
    ELSIF vartype = 'enum' THEN
        RETURN lower(value);
    ELSIF unit IS NULL THEN
        RETURN value;
    END IF;

    IF value ~ '^\s*[-+]?[0-9]+(\.[0-9]+)?\s*$' THEN
        amount := value::numeric;
        IF amount <= 0 THEN
            RETURN amount::text;
        END IF;
    END IF;
    IF unit LIKE '%B' THEN
        base := CASE WHEN unit = 'B' THEN 1
                     WHEN unit ~ '^[0-9]' THEN pg_size_bytes(unit)
                     ELSE pg_size_bytes('1' || unit) END;
        amount := coalesce(amount * base, pg_size_bytes(regexp_replace(value, '([0-9])\s*B\s*$', '\1')));
        FOR larger IN SELECT * FROM (VALUES ('TB', 1099511627776), ('GB', 1073741824), ('MB', 1048576),
                                            ('kB', 1024), ('B', 1)) AS u(name, factor) LOOP
            IF amount % larger.factor = 0 THEN
                RETURN trim_scale(amount / larger.factor) || larger.name;
            END IF;
        END LOOP;
    ELSE
        base := extract(epoch FROM ('1 ' || unit)::interval);
        amount := coalesce(amount * base, extract(epoch FROM value::interval)) * 1000000;
        FOR larger IN SELECT * FROM (VALUES ('d', 86400000000), ('h', 3600000000), ('min', 60000000),
                                            ('s', 1000000), ('ms', 1000), ('us', 1)) AS u(name, factor) LOOP
            IF amount % larger.factor = 0 THEN
                RETURN trim_scale(amount / larger.factor) || larger.name;
            END IF;
        END LOOP;
    END IF;
    RETURN value;
EXCEPTION WHEN data_exception THEN
    RETURN value;
END
$$;
COMMENT ON FUNCTION dbmaint_setting_text(text, text, text) IS
'A setting''s value as SHOW writes it, whether it comes from pg_settings (a number of units) or from a file (text), so that the two compare; what cannot be read is left as it is';

-- The state of the collector "changes": what was there when it last looked.
CREATE TABLE dbmaint_definitions (
    database_oid oid NOT NULL,
    object_oid oid NOT NULL,
    kind text NOT NULL,
    object text NOT NULL,
    parent_oid oid NOT NULL DEFAULT 0,
    fingerprint bigint,
    looked_at timestamptz,
    facts jsonb,
    PRIMARY KEY (database_oid, object_oid, kind)
);
COMMENT ON TABLE dbmaint_definitions IS
'What dbmaint_changes compares with: one row a table, view or index, and one each for the server''s settings, access rules, extensions and per-database settings. For the superuser alone.';
COMMENT ON COLUMN dbmaint_definitions.database_oid IS
'The database that was looked at; what a copied database inherited has its original''s.';
COMMENT ON COLUMN dbmaint_definitions.object_oid IS
'The relation; 0 for what is none.';
COMMENT ON COLUMN dbmaint_definitions.kind IS
'table, index, view and so on; relations: the sum of all of them; key: what hidden values are hashed with.';
COMMENT ON COLUMN dbmaint_definitions.object IS
'The relation''s name, quoted, with its schema.';
COMMENT ON COLUMN dbmaint_definitions.parent_oid IS
'The table of an index, else 0.';
COMMENT ON COLUMN dbmaint_definitions.fingerprint IS
'See dbmaint_relation_fingerprints(); NULL where it is to be looked at again.';
COMMENT ON COLUMN dbmaint_definitions.looked_at IS
'When this was looked at; NULL for single relations, which are looked at together.';
COMMENT ON COLUMN dbmaint_definitions.facts IS
'The definition, as names and texts.';

CREATE FUNCTION dbmaint_hide(value text)
RETURNS text
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'hidden, ' || left(encode(sha256(convert_to(k.object || value, getdatabaseencoding())), 'hex'), 8)
      FROM @extschema@.dbmaint_definitions AS k
     WHERE k.kind = 'key' AND k.object_oid = 0
       AND k.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
$$;
COMMENT ON FUNCTION dbmaint_hide(text) IS
'What is stored in place of a value that may be secret: 32 bits of its SHA-256 under a random key of this database, enough to see that it changed, and no more';

CREATE FUNCTION dbmaint_configured_settings(OUT name text, OUT vartype text,
    OUT unit text, OUT value text, OUT pending text)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    -- A session sees what the server runs with, but where it, its database
    -- or its role has a value of its own: then what the files say counts.
    WITH file AS (
        SELECT DISTINCT ON (lower(f.name)) lower(f.name) AS name, f.setting
          FROM pg_file_settings AS f
         WHERE f.name IS NOT NULL
         ORDER BY lower(f.name), f.seqno DESC
    )
    SELECT s.name, s.vartype, s.unit,
           CASE WHEN s.source IN ('default', 'configuration file', 'command line', 'environment variable')
                     THEN s.reset_val
                WHEN s.context = 'internal' THEN s.setting
                ELSE coalesce(f.setting, s.boot_val) END,
           CASE WHEN s.pending_restart THEN coalesce(f.setting, s.boot_val) END
      FROM pg_settings AS s
      LEFT JOIN file AS f ON f.name = lower(s.name)
     WHERE strpos(s.name, '.') = 0
       -- what follows from other settings, or from where the server is
       AND s.name NOT IN ('server_version_num', 'shared_memory_size', 'shared_memory_size_in_huge_pages',
                          'num_os_semaphores', 'huge_pages_status', 'in_hot_standby')
    UNION ALL
    -- those of libraries are known to the sessions that loaded them
    SELECT f.name, 'string', NULL, f.setting, NULL FROM file AS f WHERE strpos(f.name, '.') > 0
     ORDER BY 1
$$;
COMMENT ON FUNCTION dbmaint_configured_settings() IS
'The server''s settings as configured, whatever this session has set: the value, and the one that waits for a restart (else NULL), in the words of pg_settings or of the file that they come from. A custom setting (with a dot) as the files have it.';

CREATE FUNCTION dbmaint_facts_of_settings()
RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_object_agg(c.name, jsonb_strip_nulls(jsonb_build_object(
               'value', CASE WHEN c.secret AND c.value <> '' THEN @extschema@.dbmaint_hide(c.value)
                             WHEN length(c.value) > 10000 THEN @extschema@.dbmaint_cut_value(c.value)
                             ELSE coalesce(c.value, '') END,
               'pending_restart', CASE WHEN c.secret THEN @extschema@.dbmaint_hide(c.pending)
                             ELSE @extschema@.dbmaint_cut_value(c.pending) END)))
      FROM (SELECT s.name,
                   @extschema@.dbmaint_setting_text(s.value, s.vartype, s.unit) AS value,
                   @extschema@.dbmaint_setting_text(s.pending, s.vartype, s.unit) AS pending,
                   @extschema@.dbmaint_setting_is_secret(s.name) AS secret
              FROM @extschema@.dbmaint_configured_settings() AS s) AS c
$$;
COMMENT ON FUNCTION dbmaint_facts_of_settings() IS
'The server''s settings as configured: see dbmaint_configured_settings(). Values that only the privileged may see, and those of settings that may hold a password, are hidden: see dbmaint_hide().';

CREATE FUNCTION dbmaint_facts_of_hba()
RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    facts jsonb;
BEGIN
    -- 16 added columns to the view, hence to_jsonb
    WITH raw AS (
        SELECT to_jsonb(r) AS j, row_number() OVER () AS number
          FROM pg_hba_file_rules AS r
    ), rule AS (
        SELECT r.number,
               CASE WHEN r.j->>'type' IS NULL THEN 'line ' || (r.j->>'line_number')
                    ELSE concat_ws(' ', r.j->>'type',
                         (SELECT string_agg(v, ',') FROM jsonb_array_elements_text(nullif(r.j->'database', 'null')) AS v),
                         (SELECT string_agg(v, ',') FROM jsonb_array_elements_text(nullif(r.j->'user_name', 'null')) AS v),
                         r.j->>'address' || coalesce('/' || (r.j->>'netmask'), '')) END AS name,
               CASE WHEN r.j->>'error' IS NOT NULL THEN 'error: ' || (r.j->>'error')
                    ELSE concat_ws(' ', r.j->>'auth_method',
                         (SELECT string_agg(CASE WHEN split_part(v, '=', 1) ~* '(passw|secret|key)'
                                                 THEN split_part(v, '=', 1) || '=' || @extschema@.dbmaint_hide(v)
                                                 ELSE v END, ' ')
                            FROM jsonb_array_elements_text(nullif(r.j->'options', 'null')) AS v)) END AS method
          FROM raw AS r
    ), named AS (
        SELECT r.number, r.method,
               r.name || CASE WHEN n.nth > 1 THEN ' #' || n.nth ELSE '' END AS name
          FROM rule AS r
          JOIN (SELECT i.number, row_number() OVER (PARTITION BY i.name ORDER BY i.number) AS nth
                  FROM rule AS i) AS n ON n.number = r.number
    )
    SELECT jsonb_object_agg(n.name, jsonb_build_object('method', n.method))
           || jsonb_build_object('pg_hba.conf', jsonb_build_object(
                  'order', @extschema@.dbmaint_cut_value(string_agg(n.name, E'\n' ORDER BY n.number))))
      INTO facts
      FROM named AS n;
    RETURN coalesce(facts, '{}');
END
$$;
COMMENT ON FUNCTION dbmaint_facts_of_hba() IS
'The rules of pg_hba.conf as the files have them (the server uses them from the next reload on): the method of each, and their order. Passwords in options are hidden.';

CREATE FUNCTION dbmaint_facts_of_extensions()
RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(jsonb_object_agg(e.extname, jsonb_build_object(
               'version', e.extversion, 'schema', n.nspname)), '{}')
      FROM pg_extension AS e
      LEFT JOIN pg_namespace AS n ON n.oid = e.extnamespace
$$;
COMMENT ON FUNCTION dbmaint_facts_of_extensions() IS
'The extensions of this database, with version and schema';

CREATE FUNCTION dbmaint_facts_of_session_settings(elsewhere boolean)
RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(jsonb_object_agg(g.object, g.facts), '{}')
      FROM (SELECT concat_ws(' in ',
                       CASE WHEN s.setrole <> 0 THEN 'role ' || coalesce(quote_ident(r.rolname), s.setrole::text)
                            WHEN s.setdatabase = 0 THEN 'all roles' END,
                       CASE WHEN s.setdatabase <> 0 THEN 'database ' || coalesce(quote_ident(d.datname), s.setdatabase::text) END) AS object,
                   jsonb_object_agg(v.name,
                       CASE WHEN @extschema@.dbmaint_setting_is_secret(v.name)
                            THEN @extschema@.dbmaint_hide(v.value) ELSE @extschema@.dbmaint_cut_value(v.value) END) AS facts
              FROM pg_db_role_setting AS s
              LEFT JOIN pg_roles AS r ON r.oid = s.setrole
              LEFT JOIN pg_database AS d ON d.oid = s.setdatabase
             CROSS JOIN LATERAL (SELECT split_part(c, '=', 1) AS name, substr(c, strpos(c, '=') + 1) AS value
                                   FROM unnest(s.setconfig) AS c) AS v
             WHERE elsewhere = (d.datname IS DISTINCT FROM current_database())
             GROUP BY s.setrole, s.setdatabase, r.rolname, d.datname) AS g
$$;
COMMENT ON FUNCTION dbmaint_facts_of_session_settings(boolean) IS
'What ALTER DATABASE and ALTER ROLE set: for this database, or elsewhere: for other ones and for roles in every database. Settings that may hold a password are hidden.';

CREATE FUNCTION dbmaint_describe_relations(relations oid[],
    OUT relation oid, OUT kind text, OUT object text, OUT parent_oid oid,
    OUT facts jsonb)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '10ms'
SET quote_all_identifiers = off
SET DateStyle = 'ISO, YMD'
SET IntervalStyle = 'postgres'
SET TimeZone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = 'hex'
AS $$
BEGIN
    RETURN QUERY
    WITH wanted AS (
        SELECT c.oid, c.relkind, c.relname, c.relowner, c.relpersistence, c.reltablespace, c.relam,
               c.reloptions, c.relacl, c.relrowsecurity, c.relforcerowsecurity, c.relreplident,
               c.relispartition, c.relpartbound, n.nspname
          FROM pg_class AS c
          JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE c.oid = ANY (relations)
    ), fact AS (
        SELECT w.oid, v.name, v.value
          FROM wanted AS w
         CROSS JOIN LATERAL (VALUES
               ('owner', CASE WHEN w.relkind NOT IN ('i', 'I') THEN pg_get_userbyid(w.relowner)::text END),
               ('persistence', CASE w.relpersistence WHEN 'u' THEN 'unlogged' END),
               ('tablespace', (SELECT t.spcname::text FROM pg_tablespace AS t WHERE t.oid = w.reltablespace)),
               ('access method', CASE WHEN w.relkind IN ('r', 'm') THEN
                    (SELECT a.amname::text FROM pg_am AS a WHERE a.oid = w.relam AND a.amname <> 'heap') END),
               ('options', CASE WHEN w.relkind NOT IN ('i', 'I') THEN array_to_string(w.reloptions, ', ') END),
               ('privileges', (SELECT string_agg(a::text, ', ' ORDER BY a::text COLLATE "C") FROM unnest(w.relacl) AS a)),
               ('row security', CASE WHEN w.relforcerowsecurity THEN 'forced' WHEN w.relrowsecurity THEN 'enabled' END),
               ('replica identity', CASE WHEN w.relkind IN ('r', 'p', 'm') THEN
                    CASE w.relreplident WHEN 'n' THEN 'nothing' WHEN 'f' THEN 'full' WHEN 'i' THEN 'index' END END),
               ('partition key', CASE WHEN w.relkind = 'p' THEN pg_get_partkeydef(w.oid) END),
               ('partition bound', CASE WHEN w.relispartition AND w.relkind <> 'I' THEN pg_get_expr(w.relpartbound, w.oid) END),
               ('definition', CASE WHEN w.relkind IN ('v', 'm') THEN pg_get_viewdef(w.oid) END)) AS v(name, value)
        UNION ALL
        SELECT i.inhrelid, CASE WHEN w.relispartition THEN 'partition of' ELSE 'inherits' END,
               string_agg(format('%I.%I', n.nspname, p.relname), ', ' ORDER BY i.inhseqno)
          FROM wanted AS w
          JOIN pg_inherits AS i ON i.inhrelid = w.oid
          JOIN pg_class AS p ON p.oid = i.inhparent
          JOIN pg_namespace AS n ON n.oid = p.relnamespace
         GROUP BY i.inhrelid, w.relispartition
        UNION ALL
        SELECT w.oid, v.name, v.value
          FROM wanted AS w
          JOIN pg_index AS i ON i.indexrelid = w.oid
          JOIN pg_class AS c ON c.oid = i.indrelid
          JOIN pg_namespace AS n ON n.oid = c.relnamespace
         CROSS JOIN LATERAL (VALUES
               -- without the names, which may change and the index stay the same
               ('definition', (SELECT CASE WHEN starts_with(t.definition, t.head) THEN substr(t.definition, length(t.head) + 1)
                                           ELSE t.definition END
                                 FROM (SELECT pg_get_indexdef(w.oid) AS definition,
                                              format('CREATE %sINDEX %I ON %s%I.%I ', CASE WHEN i.indisunique THEN 'UNIQUE ' END,
                                                     w.relname, CASE WHEN w.relkind = 'I' THEN 'ONLY ' END, n.nspname, c.relname) AS head) AS t)),
               ('unique', CASE WHEN i.indisunique THEN 'yes' END),
               ('table', format('%I.%I', n.nspname, c.relname)),
               ('valid', CASE WHEN NOT i.indisvalid THEN 'no' END),
               ('clustered', CASE WHEN i.indisclustered THEN 'yes' END),
               ('replica identity', CASE WHEN i.indisreplident THEN 'yes' END)) AS v(name, value)
        UNION ALL
        SELECT w.oid, format('column %I', a.attname),
               concat_ws(' ', format_type(a.atttypid, a.atttypmod),
                   'collation ' || (SELECT quote_ident(l.collname) FROM pg_collation AS l
                                      JOIN pg_type AS t ON t.oid = a.atttypid AND t.typcollation <> l.oid
                                     WHERE l.oid = a.attcollation),
                   CASE WHEN a.attnotnull THEN 'not null' END,
                   CASE a.attidentity WHEN 'a' THEN 'identity always' WHEN 'd' THEN 'identity by default' END,
                   CASE a.attgenerated WHEN 's' THEN 'generated stored' WHEN 'v' THEN 'generated virtual' END,
                   CASE WHEN a.atthasdef THEN 'default' END,
                   (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef AS d
                     WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum),
                   (SELECT 'storage ' || CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external'
                                              WHEN 'm' THEN 'main' ELSE 'extended' END
                      FROM pg_type AS t WHERE t.oid = a.atttypid AND t.typstorage <> a.attstorage),
                   CASE a.attcompression WHEN 'p' THEN 'compression pglz' WHEN 'l' THEN 'compression lz4' END,
                   -- NULL from 17 on, -1 before
                   'statistics ' || nullif(a.attstattarget, -1),
                   -- late minor releases stamp every column with a version
                   'options ' || (SELECT string_agg(o, ', ') FROM unnest(a.attoptions) AS o WHERE o NOT LIKE 'pg\_attver=%'),
                   'privileges ' || (SELECT string_agg(p::text, ', ' ORDER BY p::text COLLATE "C") FROM unnest(a.attacl) AS p))
          FROM wanted AS w
          JOIN pg_attribute AS a ON a.attrelid = w.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE w.relkind IN ('r', 'p', 'f')
        UNION ALL
        -- NOT NULL is a fact of its column, whether the server has a constraint for it (18) or not
        SELECT w.oid, format('constraint %I', k.conname), pg_get_constraintdef(k.oid)
          FROM wanted AS w
          JOIN pg_constraint AS k ON k.conrelid = w.oid AND k.contype NOT IN ('n', 't')
        UNION ALL
        SELECT w.oid, format('trigger %I', t.tgname),
               concat_ws(', ', pg_get_triggerdef(t.oid),
                   CASE t.tgenabled WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'on replicas' WHEN 'A' THEN 'always' END)
          FROM wanted AS w
          JOIN pg_trigger AS t ON t.tgrelid = w.oid AND NOT t.tgisinternal
        UNION ALL
        SELECT w.oid, format('policy %I', p.polname),
               concat_ws(' ', CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,
                   CASE p.polcmd WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update'
                                 WHEN 'd' THEN 'delete' ELSE 'all' END,
                   'to ' || (SELECT string_agg(CASE WHEN o = 0 THEN 'public' ELSE pg_get_userbyid(o)::text END, ', ')
                               FROM unnest(p.polroles) AS o),
                   'using ' || pg_get_expr(p.polqual, p.polrelid),
                   'with check ' || pg_get_expr(p.polwithcheck, p.polrelid))
          FROM wanted AS w
          JOIN pg_policy AS p ON p.polrelid = w.oid
        UNION ALL
        SELECT w.oid, format('rule %I', r.rulename), pg_get_ruledef(r.oid)
          FROM wanted AS w
          JOIN pg_rewrite AS r ON r.ev_class = w.oid AND r.rulename <> '_RETURN'
        UNION ALL
        SELECT w.oid, format('statistics %I', s.stxname), pg_get_statisticsobjdef(s.oid)
          FROM wanted AS w
          JOIN pg_statistic_ext AS s ON s.stxrelid = w.oid
    )
    SELECT w.oid,
           CASE w.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'f' THEN 'foreign table'
                          WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'index' END,
           format('%I.%I', w.nspname, w.relname),
           coalesce((SELECT i.indrelid FROM pg_index AS i WHERE i.indexrelid = w.oid), 0::oid),
           coalesce(g.facts, '{}')
      FROM wanted AS w
      LEFT JOIN (SELECT f.oid, jsonb_object_agg(f.name,
                            CASE WHEN length(f.value) > 10000 THEN @extschema@.dbmaint_cut_value(f.value) ELSE f.value END) AS facts
                   FROM fact AS f
                  WHERE f.value <> ''
                  GROUP BY f.oid) AS g ON g.oid = w.oid;
END
$$;
COMMENT ON FUNCTION dbmaint_describe_relations(oid[]) IS
'The definitions of tables, views and indexes: kind, name, the table of an index (else 0), and the facts that make the definition. Leaves out what is gone. Deparsing may want a lock on a view''s tables, for which it waits 10 ms.';

REVOKE ALL ON dbmaint_definitions FROM PUBLIC;
REVOKE ALL ON FUNCTION
    dbmaint_relation_fingerprints(bigint), dbmaint_setting_is_secret(text),
    dbmaint_cut_value(text), dbmaint_setting_text(text, text, text), dbmaint_hide(text),
    dbmaint_configured_settings(), dbmaint_facts_of_settings(), dbmaint_facts_of_hba(),
    dbmaint_facts_of_extensions(), dbmaint_facts_of_session_settings(boolean),
    dbmaint_describe_relations(oid[])
FROM PUBLIC;
