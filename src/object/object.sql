-- src/object/object.sql: the history of tables and indexes.
--
-- One row a snapshot; its columns are lists of the same length (NULL stands
-- for zeroes), one value for each object that changed.  take.c writes it.

CREATE TABLE dbmaint_objects (
    database_oid oid NOT NULL,
    kind "char" NOT NULL,
    object_id int NOT NULL,
    relation_oid oid NOT NULL,
    table_oid oid NOT NULL,
    schemaname text NOT NULL,
    tablename text NOT NULL,
    indexname text,
    first_seen_at timestamptz NOT NULL,
    renamed_at timestamptz,
    former_name text,
    last_seen_at timestamptz,
    PRIMARY KEY (database_oid, kind, object_id)
);
COMMENT ON TABLE dbmaint_objects IS
'The dictionary of the history of tables and indexes: one row for each that was ever seen with something counted or stored. A dropped one stays as long as its history and daily totals.';
COMMENT ON COLUMN dbmaint_objects.database_oid IS
'The database of the object; rows that a copy of a database brought along have another one''s.';
COMMENT ON COLUMN dbmaint_objects.kind IS
't for a table (or materialized view), i for an index.';
COMMENT ON COLUMN dbmaint_objects.object_id IS
'What snapshots call it: a small number of its own.';
COMMENT ON COLUMN dbmaint_objects.relation_oid IS
'Its oid in pg_class.';
COMMENT ON COLUMN dbmaint_objects.table_oid IS
'Oid of the index''s table; of a table, its own.';
COMMENT ON COLUMN dbmaint_objects.schemaname IS
'Its schema, when it was seen last.';
COMMENT ON COLUMN dbmaint_objects.tablename IS
'The table''s name, when the object was named last.';
COMMENT ON COLUMN dbmaint_objects.indexname IS
'The index''s name, when it was seen last; NULL for a table.';
COMMENT ON COLUMN dbmaint_objects.first_seen_at IS
'The first snapshot that had it.';
COMMENT ON COLUMN dbmaint_objects.renamed_at IS
'The last snapshot that found another name or schema than before; NULL where none did.';
COMMENT ON COLUMN dbmaint_objects.former_name IS
'Its name before that, quoted, with its schema.';
COMMENT ON COLUMN dbmaint_objects.last_seen_at IS
'The first snapshot that found it gone; NULL while it is there.';

CREATE TABLE dbmaint_index_snapshots (
    taken_at timestamptz NOT NULL,
    database_oid oid NOT NULL,
    interval_ms float8,
    complete bool NOT NULL,
    restarts int NOT NULL,
    object_ids dbmaint_packed NOT NULL,
    idx_scan dbmaint_packed,
    idx_tup_read dbmaint_packed,
    idx_tup_fetch dbmaint_packed,
    idx_blks_read dbmaint_packed,
    idx_blks_hit dbmaint_packed,
    index_bytes dbmaint_packed,
    grown_bytes dbmaint_packed,
    PRIMARY KEY (database_oid, taken_at)
);
COMMENT ON TABLE dbmaint_index_snapshots IS
'One row a snapshot of the statistics of the indexes of user tables; its columns are lists with a value for each that changed (NULL: all are 0). dbmaint_index_history has them as rows.';
COMMENT ON COLUMN dbmaint_index_snapshots.taken_at IS
'When the snapshot was taken.';
COMMENT ON COLUMN dbmaint_index_snapshots.database_oid IS
'The database that was read; rows that a copy of a database brought along have another one''s.';
COMMENT ON COLUMN dbmaint_index_snapshots.interval_ms IS
'Time since the snapshot before, in milliseconds; 0 where the clock was set back; NULL for a first one, which knows no increases.';
COMMENT ON COLUMN dbmaint_index_snapshots.complete IS
'Whether the increases are all that happened in the interval: false for a first snapshot, and where statistics were reset. What was done to an object between a snapshot and its drop is in no interval, since the server forgets it, and does not make one incomplete: dbmaint_objects.last_seen_at says where that may be.';
COMMENT ON COLUMN dbmaint_index_snapshots.restarts IS
'Objects whose counters began anew in the interval; theirs is the increase since then.';
COMMENT ON COLUMN dbmaint_index_snapshots.object_ids IS
'The objects that changed, ascending; see dbmaint_objects.';
COMMENT ON COLUMN dbmaint_index_snapshots.idx_scan IS
'Increase since the snapshot before: scans begun on it.';
COMMENT ON COLUMN dbmaint_index_snapshots.idx_tup_read IS
'Increase since the snapshot before: index entries that its scans returned.';
COMMENT ON COLUMN dbmaint_index_snapshots.idx_tup_fetch IS
'Increase since the snapshot before: live table rows that plain scans of it fetched (bitmap scans count in bitmap_tup_fetch of the table).';
COMMENT ON COLUMN dbmaint_index_snapshots.idx_blks_read IS
'Increase since the snapshot before: its blocks read from outside the buffer cache.';
COMMENT ON COLUMN dbmaint_index_snapshots.idx_blks_hit IS
'Increase since the snapshot before: its blocks found in the buffer cache.';
COMMENT ON COLUMN dbmaint_index_snapshots.index_bytes IS
'At the time of the snapshot: its size, in bytes.';
COMMENT ON COLUMN dbmaint_index_snapshots.grown_bytes IS
'By how much it grew since the snapshot before, in bytes; negative where it shrank.';

CREATE TABLE dbmaint_table_snapshots (
    taken_at timestamptz NOT NULL,
    database_oid oid NOT NULL,
    interval_ms float8,
    complete bool NOT NULL,
    restarts int NOT NULL,
    object_ids dbmaint_packed NOT NULL,
    seq_scan dbmaint_packed,
    seq_tup_read dbmaint_packed,
    bitmap_tup_fetch dbmaint_packed,
    n_tup_ins dbmaint_packed,
    n_tup_upd dbmaint_packed,
    n_tup_del dbmaint_packed,
    n_tup_hot_upd dbmaint_packed,
    heap_blks_read dbmaint_packed,
    heap_blks_hit dbmaint_packed,
    toast_blks_read dbmaint_packed,
    toast_blks_hit dbmaint_packed,
    vacuum_count dbmaint_packed,
    autovacuum_count dbmaint_packed,
    analyze_count dbmaint_packed,
    autoanalyze_count dbmaint_packed,
    n_live_tup dbmaint_packed,
    n_dead_tup dbmaint_packed,
    n_mod_since_analyze dbmaint_packed,
    n_ins_since_vacuum dbmaint_packed,
    table_bytes dbmaint_packed,
    toast_bytes dbmaint_packed,
    grown_bytes dbmaint_packed,
    PRIMARY KEY (database_oid, taken_at)
);
COMMENT ON TABLE dbmaint_table_snapshots IS
'One row a snapshot of the statistics of user tables and materialized views; its columns are lists with a value for each that changed (NULL: all are 0). dbmaint_table_history has them as rows.';
COMMENT ON COLUMN dbmaint_table_snapshots.taken_at IS
'When the snapshot was taken.';
COMMENT ON COLUMN dbmaint_table_snapshots.database_oid IS
'The database that was read; rows that a copy of a database brought along have another one''s.';
COMMENT ON COLUMN dbmaint_table_snapshots.interval_ms IS
'Time since the snapshot before, in milliseconds; 0 where the clock was set back; NULL for a first one, which knows no increases.';
COMMENT ON COLUMN dbmaint_table_snapshots.complete IS
'Whether the increases are all that happened in the interval: false for a first snapshot, and where statistics were reset. What was done to an object between a snapshot and its drop is in no interval, since the server forgets it, and does not make one incomplete: dbmaint_objects.last_seen_at says where that may be.';
COMMENT ON COLUMN dbmaint_table_snapshots.restarts IS
'Objects whose counters began anew in the interval; theirs is the increase since then.';
COMMENT ON COLUMN dbmaint_table_snapshots.object_ids IS
'The objects that changed, ascending; see dbmaint_objects.';
COMMENT ON COLUMN dbmaint_table_snapshots.seq_scan IS
'Increase since the snapshot before: sequential scans begun on it.';
COMMENT ON COLUMN dbmaint_table_snapshots.seq_tup_read IS
'Increase since the snapshot before: live rows that sequential scans read.';
COMMENT ON COLUMN dbmaint_table_snapshots.bitmap_tup_fetch IS
'Increase since the snapshot before: live rows that bitmap scans and the like fetched; the rest of pg_stat_user_tables.idx_tup_fetch is in the history of its indexes.';
COMMENT ON COLUMN dbmaint_table_snapshots.n_tup_ins IS
'Increase since the snapshot before: rows inserted.';
COMMENT ON COLUMN dbmaint_table_snapshots.n_tup_upd IS
'Increase since the snapshot before: rows updated.';
COMMENT ON COLUMN dbmaint_table_snapshots.n_tup_del IS
'Increase since the snapshot before: rows deleted.';
COMMENT ON COLUMN dbmaint_table_snapshots.n_tup_hot_upd IS
'Increase since the snapshot before: rows updated without a new index entry.';
COMMENT ON COLUMN dbmaint_table_snapshots.heap_blks_read IS
'Increase since the snapshot before: its blocks read from outside the buffer cache.';
COMMENT ON COLUMN dbmaint_table_snapshots.heap_blks_hit IS
'Increase since the snapshot before: its blocks found in the buffer cache.';
COMMENT ON COLUMN dbmaint_table_snapshots.toast_blks_read IS
'Increase since the snapshot before: blocks of its TOAST table read from outside the buffer cache.';
COMMENT ON COLUMN dbmaint_table_snapshots.toast_blks_hit IS
'Increase since the snapshot before: blocks of its TOAST table found in the buffer cache.';
COMMENT ON COLUMN dbmaint_table_snapshots.vacuum_count IS
'Increase since the snapshot before: times it was vacuumed by hand.';
COMMENT ON COLUMN dbmaint_table_snapshots.autovacuum_count IS
'Increase since the snapshot before: times autovacuum vacuumed it.';
COMMENT ON COLUMN dbmaint_table_snapshots.analyze_count IS
'Increase since the snapshot before: times it was analyzed by hand.';
COMMENT ON COLUMN dbmaint_table_snapshots.autoanalyze_count IS
'Increase since the snapshot before: times autovacuum analyzed it.';
COMMENT ON COLUMN dbmaint_table_snapshots.n_live_tup IS
'At the time of the snapshot: estimated live rows.';
COMMENT ON COLUMN dbmaint_table_snapshots.n_dead_tup IS
'At the time of the snapshot: estimated dead rows.';
COMMENT ON COLUMN dbmaint_table_snapshots.n_mod_since_analyze IS
'At the time of the snapshot: estimated rows changed since it was analyzed.';
COMMENT ON COLUMN dbmaint_table_snapshots.n_ins_since_vacuum IS
'At the time of the snapshot: estimated rows inserted since it was vacuumed.';
COMMENT ON COLUMN dbmaint_table_snapshots.table_bytes IS
'At the time of the snapshot: its size without indexes and TOAST, in bytes.';
COMMENT ON COLUMN dbmaint_table_snapshots.toast_bytes IS
'At the time of the snapshot: size of its TOAST table without that one''s index, in bytes.';
COMMENT ON COLUMN dbmaint_table_snapshots.grown_bytes IS
'By how much it grew since the snapshot before, in bytes; negative where it shrank.';

-- History is not dumped: no pg_extension_config_dump here.

CREATE VIEW dbmaint_index_history AS
SELECT s.taken_at, s.interval_ms, s.complete, v.object_id::int AS object_id,
       o.relation_oid, o.schemaname, o.tablename, o.indexname,
       CASE WHEN s.interval_ms IS NOT NULL THEN coalesce(v.idx_scan, 0::bigint) END AS idx_scan,
       CASE WHEN s.interval_ms IS NOT NULL THEN coalesce(v.idx_tup_read, 0::bigint) END AS idx_tup_read,
       CASE WHEN s.interval_ms IS NOT NULL THEN coalesce(v.idx_tup_fetch, 0::bigint) END AS idx_tup_fetch,
       CASE WHEN s.interval_ms IS NOT NULL THEN coalesce(v.idx_blks_read, 0::bigint) END AS idx_blks_read,
       CASE WHEN s.interval_ms IS NOT NULL THEN coalesce(v.idx_blks_hit, 0::bigint) END AS idx_blks_hit,
       coalesce(v.index_bytes, 0::bigint) AS index_bytes,
       CASE WHEN s.interval_ms IS NOT NULL THEN coalesce(v.grown_bytes, 0::bigint) END AS grown_bytes
  FROM dbmaint_index_snapshots AS s
 CROSS JOIN LATERAL ROWS FROM (
           dbmaint_unpack(s.object_ids),
           dbmaint_unpack(s.idx_scan),
           dbmaint_unpack(s.idx_tup_read),
           dbmaint_unpack(s.idx_tup_fetch),
           dbmaint_unpack(s.idx_blks_read),
           dbmaint_unpack(s.idx_blks_hit),
           dbmaint_unpack(s.index_bytes),
           dbmaint_unpack(s.grown_bytes)
       ) AS v(object_id, idx_scan, idx_tup_read, idx_tup_fetch, idx_blks_read, idx_blks_hit, index_bytes, grown_bytes)
  LEFT JOIN dbmaint_objects AS o
         ON o.database_oid OPERATOR(pg_catalog.=) s.database_oid
            AND o.kind OPERATOR(pg_catalog.=) 'i'::"char"
            AND o.object_id OPERATOR(pg_catalog.=) v.object_id::int
 WHERE s.database_oid OPERATOR(pg_catalog.=)
       (SELECT d.oid FROM pg_catalog.pg_database AS d
         WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database());
COMMENT ON VIEW dbmaint_index_history IS
'One row for each index and snapshot in which it changed: what was counted since the snapshot before (NULL for a first one, which knows no increases), and its size then. Names are the latest ones that a snapshot saw.';

CREATE VIEW dbmaint_table_history AS
SELECT s.taken_at, s.interval_ms, s.complete, v.object_id::int AS object_id,
       o.relation_oid, o.schemaname, o.tablename,
       CASE WHEN s.interval_ms IS NOT NULL THEN coalesce(v.seq_scan, 0::bigint) END AS seq_scan,
       CASE WHEN s.interval_ms IS NOT NULL THEN coalesce(v.seq_tup_read, 0::bigint) END AS seq_tup_read,
       CASE WHEN s.interval_ms IS NOT NULL THEN coalesce(v.bitmap_tup_fetch, 0::bigint) END AS bitmap_tup_fetch,
       CASE WHEN s.interval_ms IS NOT NULL THEN coalesce(v.n_tup_ins, 0::bigint) END AS n_tup_ins,
       CASE WHEN s.interval_ms IS NOT NULL THEN coalesce(v.n_tup_upd, 0::bigint) END AS n_tup_upd,
       CASE WHEN s.interval_ms IS NOT NULL THEN coalesce(v.n_tup_del, 0::bigint) END AS n_tup_del,
       CASE WHEN s.interval_ms IS NOT NULL THEN coalesce(v.n_tup_hot_upd, 0::bigint) END AS n_tup_hot_upd,
       CASE WHEN s.interval_ms IS NOT NULL THEN coalesce(v.heap_blks_read, 0::bigint) END AS heap_blks_read,
       CASE WHEN s.interval_ms IS NOT NULL THEN coalesce(v.heap_blks_hit, 0::bigint) END AS heap_blks_hit,
       CASE WHEN s.interval_ms IS NOT NULL THEN coalesce(v.toast_blks_read, 0::bigint) END AS toast_blks_read,
       CASE WHEN s.interval_ms IS NOT NULL THEN coalesce(v.toast_blks_hit, 0::bigint) END AS toast_blks_hit,
       CASE WHEN s.interval_ms IS NOT NULL THEN coalesce(v.vacuum_count, 0::bigint) END AS vacuum_count,
       CASE WHEN s.interval_ms IS NOT NULL THEN coalesce(v.autovacuum_count, 0::bigint) END AS autovacuum_count,
       CASE WHEN s.interval_ms IS NOT NULL THEN coalesce(v.analyze_count, 0::bigint) END AS analyze_count,
       CASE WHEN s.interval_ms IS NOT NULL THEN coalesce(v.autoanalyze_count, 0::bigint) END AS autoanalyze_count,
       coalesce(v.n_live_tup, 0::bigint) AS n_live_tup,
       coalesce(v.n_dead_tup, 0::bigint) AS n_dead_tup,
       coalesce(v.n_mod_since_analyze, 0::bigint) AS n_mod_since_analyze,
       coalesce(v.n_ins_since_vacuum, 0::bigint) AS n_ins_since_vacuum,
       coalesce(v.table_bytes, 0::bigint) AS table_bytes,
       coalesce(v.toast_bytes, 0::bigint) AS toast_bytes,
       CASE WHEN s.interval_ms IS NOT NULL THEN coalesce(v.grown_bytes, 0::bigint) END AS grown_bytes
  FROM dbmaint_table_snapshots AS s
 CROSS JOIN LATERAL ROWS FROM (
           dbmaint_unpack(s.object_ids),
           dbmaint_unpack(s.seq_scan),
           dbmaint_unpack(s.seq_tup_read),
           dbmaint_unpack(s.bitmap_tup_fetch),
           dbmaint_unpack(s.n_tup_ins),
           dbmaint_unpack(s.n_tup_upd),
           dbmaint_unpack(s.n_tup_del),
           dbmaint_unpack(s.n_tup_hot_upd),
           dbmaint_unpack(s.heap_blks_read),
           dbmaint_unpack(s.heap_blks_hit),
           dbmaint_unpack(s.toast_blks_read),
           dbmaint_unpack(s.toast_blks_hit),
           dbmaint_unpack(s.vacuum_count),
           dbmaint_unpack(s.autovacuum_count),
           dbmaint_unpack(s.analyze_count),
           dbmaint_unpack(s.autoanalyze_count),
           dbmaint_unpack(s.n_live_tup),
           dbmaint_unpack(s.n_dead_tup),
           dbmaint_unpack(s.n_mod_since_analyze),
           dbmaint_unpack(s.n_ins_since_vacuum),
           dbmaint_unpack(s.table_bytes),
           dbmaint_unpack(s.toast_bytes),
           dbmaint_unpack(s.grown_bytes)
       ) AS v(object_id, seq_scan, seq_tup_read, bitmap_tup_fetch, n_tup_ins, n_tup_upd, n_tup_del, n_tup_hot_upd, heap_blks_read, heap_blks_hit, toast_blks_read, toast_blks_hit, vacuum_count, autovacuum_count, analyze_count, autoanalyze_count, n_live_tup, n_dead_tup, n_mod_since_analyze, n_ins_since_vacuum, table_bytes, toast_bytes, grown_bytes)
  LEFT JOIN dbmaint_objects AS o
         ON o.database_oid OPERATOR(pg_catalog.=) s.database_oid
            AND o.kind OPERATOR(pg_catalog.=) 't'::"char"
            AND o.object_id OPERATOR(pg_catalog.=) v.object_id::int
 WHERE s.database_oid OPERATOR(pg_catalog.=)
       (SELECT d.oid FROM pg_catalog.pg_database AS d
         WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database());
COMMENT ON VIEW dbmaint_table_history IS
'One row for each table and snapshot in which it changed: what was counted since the snapshot before (NULL for a first one, which knows no increases), and what it was then. Index scans are in dbmaint_index_history.';

CREATE FUNCTION dbmaint_known_objects(object_kind text,
    OUT object_id int, OUT relation_oid oid)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT o.object_id, CASE WHEN o.last_seen_at IS NULL THEN o.relation_oid END
      FROM @extschema@.dbmaint_objects AS o
     WHERE o.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
       AND o.kind = object_kind::"char"
       AND (o.last_seen_at IS NULL
            OR o.object_id = (SELECT max(m.object_id)
                                FROM @extschema@.dbmaint_objects AS m
                               WHERE m.database_oid = o.database_oid AND m.kind = o.kind))
$$;
COMMENT ON FUNCTION dbmaint_known_objects(text) IS
'The objects of a kind that were there at the last snapshot, and the greatest number given so far (with a NULL oid if its object is gone); part of the collectors "tables" and "indexes".';

CREATE FUNCTION dbmaint_name_objects(at timestamptz, object_kind text,
    object_ids int[], relation_oids oid[])
RETURNS oid[]
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    table_oids oid[];
BEGIN
    WITH given AS (
        SELECT u.object_id, u.place, c.oid AS relation_oid, coalesce(t.oid, c.oid) AS table_oid,
               n.nspname::text AS schemaname,
               coalesce(t.relname, c.relname)::text AS tablename,
               CASE WHEN object_kind = 'i' THEN c.relname::text END AS indexname
          FROM unnest(object_ids, relation_oids) WITH ORDINALITY AS u(object_id, relation_oid, place)
          LEFT JOIN pg_class AS c ON c.oid = u.relation_oid
          LEFT JOIN pg_namespace AS n ON n.oid = c.relnamespace
          LEFT JOIN pg_index AS i ON i.indexrelid = c.oid AND object_kind = 'i'
          LEFT JOIN pg_class AS t ON t.oid = i.indrelid
    ), written AS (
        INSERT INTO @extschema@.dbmaint_objects AS o
               (database_oid, kind, object_id, relation_oid, table_oid,
                schemaname, tablename, indexname, first_seen_at)
        SELECT d.oid, object_kind::"char", g.object_id, g.relation_oid,
               g.table_oid, g.schemaname, g.tablename, g.indexname, at
          FROM given AS g, pg_database AS d
         WHERE d.datname = current_database()
           AND g.schemaname IS NOT NULL
            ON CONFLICT (database_oid, kind, object_id) DO UPDATE
           SET schemaname = excluded.schemaname, tablename = excluded.tablename,
               indexname = excluded.indexname, table_oid = excluded.table_oid,
               renamed_at = at,
               former_name = format('%I.%I', o.schemaname, coalesce(o.indexname, o.tablename))
         WHERE (o.schemaname, o.tablename, o.indexname)
               IS DISTINCT FROM (excluded.schemaname, excluded.tablename, excluded.indexname)
    )
    SELECT array_agg(coalesce(g.table_oid, 0) ORDER BY g.place)
      INTO table_oids
      FROM given AS g;

    -- an index is not read again because its table has a new name
    IF object_kind = 't' THEN
        UPDATE @extschema@.dbmaint_objects AS o
           SET schemaname = n.nspname, tablename = c.relname
          FROM unnest(relation_oids) AS u(relation_oid)
          JOIN pg_class AS c ON c.oid = u.relation_oid
          JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE o.kind = 'i' AND o.table_oid = u.relation_oid
           AND o.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
           AND (o.schemaname, o.tablename) IS DISTINCT FROM (n.nspname::text, c.relname::text);
    END IF;

    RETURN table_oids;
END
$$;
COMMENT ON FUNCTION dbmaint_name_objects(timestamptz, text, int[], oid[]) IS
'Writes the names of new and renamed objects into dbmaint_objects; returns the oid of each one''s table, 0 of what was gone meanwhile. Part of the collectors "tables" and "indexes".';

CREATE FUNCTION dbmaint_bury_objects(at timestamptz, object_kind text, object_ids int[])
RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE @extschema@.dbmaint_objects AS o
       SET last_seen_at = at
     WHERE o.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
       AND o.kind = object_kind::"char"
       AND o.object_id = ANY (object_ids)
$$;
COMMENT ON FUNCTION dbmaint_bury_objects(timestamptz, text, int[]) IS
'Notes in dbmaint_objects that the objects are gone. Part of the collectors "tables" and "indexes".';

CREATE FUNCTION dbmaint_relation_bytes(relation oid)
RETURNS bigint
LANGUAGE C STABLE STRICT
AS 'MODULE_PATHNAME', 'dbmaint_relation_bytes';
COMMENT ON FUNCTION dbmaint_relation_bytes(oid) IS
'Size of a relation''s main fork in bytes, by its files: unlike pg_relation_size it waits for no lock. 0 for what stores nothing, NULL for what is gone, temporary, or in a file that pg_class does not tell (some system catalogs).';

REVOKE ALL ON dbmaint_objects, dbmaint_index_snapshots, dbmaint_table_snapshots,
    dbmaint_index_history, dbmaint_table_history FROM PUBLIC;
GRANT SELECT ON dbmaint_objects, dbmaint_index_snapshots, dbmaint_table_snapshots,
    dbmaint_index_history, dbmaint_table_history TO pg_monitor;
REVOKE ALL ON FUNCTION dbmaint_known_objects(text),
    dbmaint_name_objects(timestamptz, text, int[], oid[]),
    dbmaint_bury_objects(timestamptz, text, int[]),
    dbmaint_relation_bytes(oid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_relation_bytes(oid) TO pg_monitor;
