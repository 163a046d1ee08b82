-- A new partition has everything that its sibling has, and is what the server
-- itself would have made.
SET client_min_messages = warning;
CREATE EXTENSION dbmaint;
RESET client_min_messages;
CREATE ROLE likeness_owner;
CREATE ROLE likeness_reader;
CREATE ROLE likeness_writer;
GRANT CREATE, USAGE ON SCHEMA public TO likeness_owner;

CREATE TABLE other (id int PRIMARY KEY);
CREATE TABLE event (
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL,
    other_id int REFERENCES other,
    payload text COLLATE "C" DEFAULT 'none',
    size int GENERATED ALWAYS AS (length(payload)) STORED,
    tags text[] CHECK (cardinality(tags) < 10),
    PRIMARY KEY (id, at),
    CONSTRAINT payload_short CHECK (length(payload) < 1000)
) PARTITION BY RANGE (at);
CREATE INDEX event_payload ON event (payload) INCLUDE (size) WITH (fillfactor = 70) WHERE payload <> 'none';
CREATE STATISTICS event_statistics ON other_id, payload FROM event;
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
CREATE TRIGGER noted BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION noted();
COMMENT ON COLUMN event.payload IS 'what was said';
ALTER TABLE event OWNER TO likeness_owner;
CREATE TABLE event_2026_01 PARTITION OF event FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00');
ALTER TABLE event_2026_01 OWNER TO likeness_owner;

-- beside what the server makes
SELECT partition_name, status FROM create_future_partitions('event', 1, as_of => '2026-01-15 00:00+00');
SET ROLE likeness_owner;
CREATE TABLE event_2026_03 PARTITION OF event FOR VALUES FROM ('2026-03-01 00:00+00') TO ('2026-04-01 00:00+00');
RESET ROLE;
CREATE FUNCTION described(relation regclass) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT 'column ' || concat_ws(' ', a.attnum, a.attname, a.atttypid::regtype, a.attnotnull, a.atthasdef, a.attidentity, a.attgenerated, a.attstorage,
                     a.attcompression, a.attislocal, a.attinhcount, a.attcollation::regcollation, pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum))
      FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attrelid = relation AND a.attnum > 0
    UNION ALL
    SELECT 'constraint ' || concat_ws(' ', regexp_replace(conname, '2026_\d\d', 'X'), contype, convalidated, conislocal, coninhcount, connoinherit, regexp_replace(pg_get_constraintdef(oid), '2026_\d\d', 'X'))
      FROM pg_constraint WHERE conrelid = relation AND contype <> 'n'
    UNION ALL
    SELECT 'index ' || concat_ws(' ', regexp_replace(pg_get_indexdef(indexrelid), '2026_\d\d', 'X', 'g'), indisvalid, indisprimary,
           (SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = indexrelid))
      FROM pg_index WHERE indrelid = relation
    UNION ALL
    SELECT 'trigger ' || concat_ws(' ', CASE WHEN tgisinternal THEN 'internal' ELSE tgname END, tgfoid::regproc, tgenabled, tgparentid <> 0) FROM pg_trigger WHERE tgrelid = relation
    UNION ALL
    SELECT 'statistics ' || concat_ws(' ', stxkeys, stxkind) FROM pg_statistic_ext WHERE stxrelid = relation
    UNION ALL
    SELECT 'relation ' || concat_ws(' ', relkind, relpersistence, relowner::regrole, replace(relacl::text, 'arwdxtm', 'arwdxt'), reloptions, relreplident, relrowsecurity, relforcerowsecurity,
           relispartition, relhasindex, relchecks, relam, (SELECT amname FROM pg_am WHERE oid = relam)) FROM pg_class WHERE oid = relation
$$;
-- nothing differs, but for a flag of the primary key that means nothing on a leaf
SELECT 'ours' AS whose, * FROM (SELECT * FROM described('event_2026_02') EXCEPT ALL SELECT * FROM described('event_2026_03')) AS d
UNION ALL
SELECT 'the server''s', * FROM (SELECT * FROM described('event_2026_03') EXCEPT ALL SELECT * FROM described('event_2026_02')) AS d
ORDER BY 1, 2;
INSERT INTO other VALUES (1);
INSERT INTO event (at, other_id, tags) SELECT '2026-02-02 00:00+00', 1, '{a}' FROM generate_series(1, 3);
SELECT id, payload, size FROM event_2026_02 ORDER BY id;
DROP TABLE event_2026_03;

-- everything else that a sibling may have
ALTER TABLE event_2026_02 SET (autovacuum_vacuum_scale_factor = 0.01, fillfactor = 80, toast.autovacuum_enabled = false);
ALTER TABLE event_2026_02 ALTER COLUMN payload SET STATISTICS 500, ALTER COLUMN other_id SET (n_distinct = -0.5, n_distinct_inherited = -0.25),
    ALTER COLUMN payload SET STORAGE EXTERNAL, ALTER COLUMN tags SET COMPRESSION pglz;
ALTER TABLE event_2026_02 ADD CONSTRAINT only_here CHECK (other_id > 0), ADD CONSTRAINT its_range CHECK (at >= '2026-02-01 00:00+00');
CREATE UNIQUE INDEX event_2026_02_only_here ON event_2026_02 (at, id) WITH (fillfactor = 60);
COMMENT ON TABLE event_2026_02 IS 'events, it''s said';
COMMENT ON INDEX event_2026_02_only_here IS 'for replication';
ALTER TABLE event_2026_02 REPLICA IDENTITY USING INDEX event_2026_02_only_here;
ALTER TABLE event_2026_02 ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY readers ON event_2026_02 FOR SELECT TO likeness_reader, likeness_writer USING (other_id = 1);
CREATE POLICY nobody ON event_2026_02 AS RESTRICTIVE FOR UPDATE USING (false) WITH CHECK (payload <> 'x');
GRANT SELECT ON event_2026_02 TO likeness_reader, PUBLIC;
GRANT INSERT, UPDATE ON event_2026_02 TO likeness_writer WITH GRANT OPTION;
GRANT SELECT (id), UPDATE (payload) ON event_2026_02 TO likeness_writer;
REVOKE TRUNCATE ON event_2026_02 FROM likeness_owner;
ALTER DEFAULT PRIVILEGES FOR ROLE likeness_owner GRANT DELETE ON TABLES TO likeness_reader;
CREATE PUBLICATION some_events FOR TABLE event_2026_02 (id, at) WHERE (id > 10 AND at > '2000-01-01');
CREATE PUBLICATION all_tables FOR ALL TABLES;
SELECT partition_name, status FROM create_future_partitions('event', 1, as_of => '2026-02-15 00:00+00');
SELECT 'the old one' AS whose, * FROM (SELECT regexp_replace(d, '2026_\d\d', 'X') FROM described('event_2026_02') AS d EXCEPT ALL SELECT regexp_replace(d, '2026_\d\d', 'X') FROM described('event_2026_03') AS d) AS d
UNION ALL
SELECT 'the new one', * FROM (SELECT regexp_replace(d, '2026_\d\d', 'X') FROM described('event_2026_03') AS d EXCEPT ALL SELECT regexp_replace(d, '2026_\d\d', 'X') FROM described('event_2026_02') AS d) AS d
ORDER BY 1, 2;
SELECT c.reloptions, t.reloptions AS toast, obj_description(c.oid, 'pg_class'), c.relreplident,
       (SELECT indexrelid::regclass FROM pg_index WHERE indrelid = c.oid AND indisreplident) AS identity
  FROM pg_class AS c JOIN pg_class AS t ON t.oid = c.reltoastrelid WHERE c.relname = 'event_2026_03';
SELECT obj_description(indexrelid, 'pg_class') FROM pg_index WHERE indrelid = 'event_2026_03'::regclass AND indisreplident;
SELECT attname, nullif(to_jsonb(a)->>'attstattarget', '-1') AS target,
       (SELECT array_agg(o) FROM unnest(attoptions) AS o WHERE o !~ '^pg_') AS options, attstorage, attcompression, attacl
  FROM pg_attribute AS a WHERE attrelid = 'event_2026_03'::regclass AND attname IN ('id', 'payload', 'tags', 'other_id') ORDER BY 1;
-- without MAINTAIN (m), which owners have from 17 on
SELECT replace(relacl::text, 'arwdxtm', 'arwdxt') AS relacl FROM pg_class WHERE oid = 'event_2026_02'::regclass;
SELECT replace(relacl::text, 'arwdxtm', 'arwdxt') AS relacl FROM pg_class WHERE oid = 'event_2026_03'::regclass;
SELECT polname, polcmd, polpermissive, polroles::regrole[], pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)
  FROM pg_policy WHERE polrelid = 'event_2026_03'::regclass ORDER BY 1;
SELECT pubname, attnames, rowfilter FROM pg_publication_tables WHERE tablename = 'event_2026_03' AND pubname = 'some_events';
-- an owner who does not own the publication is told
SET ROLE likeness_owner;
SELECT partition_name, status FROM create_future_partitions('event', 1, as_of => '2026-03-15 00:00+00');
RESET ROLE;
DROP PUBLICATION some_events, all_tables;

-- unlogged, in another schema, with another tablespace than the session's
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE likeness_space LOCATION '';
CREATE SCHEMA parts;
CREATE TABLE placed (at date) PARTITION BY RANGE (at);
CREATE UNLOGGED TABLE parts.placed_2026_01 PARTITION OF placed FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
SET default_tablespace = 'likeness_space';
SELECT * FROM create_future_partitions('placed', 1, as_of => '2026-01-15 00:00+00');
RESET default_tablespace;
SELECT oid::regclass, relpersistence, reltablespace FROM pg_class WHERE relname = 'placed_2026_02';

ALTER TABLE parts.placed_2026_02 SET TABLESPACE likeness_space;
SELECT partition_name, status FROM create_future_partitions('placed', 2, as_of => '2026-01-15 00:00+00');
SELECT spcname FROM pg_class AS c JOIN pg_tablespace AS t ON t.oid = c.reltablespace WHERE relname = 'placed_2026_03';
DROP TABLE parts.placed_2026_02, parts.placed_2026_03;
DROP TABLESPACE likeness_space;

-- a foreign partition is no model
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE placed_2026_03 PARTITION OF placed FOR VALUES FROM ('2026-03-01') TO ('2026-04-01') SERVER nowhere;
SELECT partition_name, status FROM create_future_partitions('placed', 3, default_rows => 'error', as_of => '2026-01-15 00:00+00');
SELECT oid::regclass, relkind FROM pg_class WHERE relname = 'placed_2026_04';

-- sub-partitions: by list, by hash, by default; by the same column, in days
CREATE TABLE tree (at timestamptz, region text, id int) PARTITION BY RANGE (at);
CREATE TABLE tree_2026_01 PARTITION OF tree FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00') PARTITION BY LIST (region);
CREATE TABLE tree_2026_01_eu PARTITION OF tree_2026_01 FOR VALUES IN ('de', 'fr', 'it''s') PARTITION BY HASH (id);
CREATE TABLE tree_2026_01_eu_0 PARTITION OF tree_2026_01_eu FOR VALUES WITH (MODULUS 2, REMAINDER 0) WITH (fillfactor = 50);
CREATE TABLE tree_2026_01_eu_1 PARTITION OF tree_2026_01_eu FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE something_else PARTITION OF tree_2026_01 DEFAULT;
CREATE INDEX ON tree (id);
SELECT partition_name, status FROM create_future_partitions('tree', 1, as_of => '2026-01-15 00:00+00');
SELECT c.relname, c.relkind, pg_get_expr(c.relpartbound, c.oid), c.reloptions,
       (SELECT count(*) FROM pg_index AS i JOIN pg_inherits AS h ON h.inhrelid = i.indexrelid WHERE i.indrelid = c.oid) AS attached_indexes
  FROM pg_partition_tree('tree_2026_02') AS t JOIN pg_class AS c ON c.oid = t.relid ORDER BY c.relname;
CREATE TABLE calendar (at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE calendar_2026_02 PARTITION OF calendar FOR VALUES FROM ('2026-02-01 00:00+00') TO ('2026-03-01 00:00+00') PARTITION BY RANGE (at);
SELECT count(*) FROM create_future_partitions('calendar_2026_02', 27, '1 day', as_of => '2026-02-01 00:00+00');
SELECT partition_name, status FROM create_future_partitions('calendar', 1, as_of => '2026-02-15 00:00+00');
SELECT count(*), min(c.relname), max(c.relname), min(pg_get_expr(c.relpartbound, c.oid)) FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid WHERE i.inhparent = 'calendar_2026_03'::regclass;
INSERT INTO calendar SELECT generate_series('2026-03-01 00:00+00'::timestamptz, '2026-03-31 23:00+00', '1 hour');
-- a sub-partitioned one without partitions is no model
CREATE TABLE leafless (at date, i int) PARTITION BY RANGE (at);
CREATE TABLE leafless_2026_01 PARTITION OF leafless FOR VALUES FROM ('2026-01-01') TO ('2026-02-01') PARTITION BY LIST (i);
SELECT partition_name, status FROM create_future_partitions('leafless', 1, as_of => '2026-01-15 00:00+00');
INSERT INTO leafless VALUES ('2026-02-02', 1);
-- what is copied means the same in a session of any format and time zone
CREATE TABLE formats (id int, at timestamptz NOT NULL, upd timestamptz, f float8, d date, CONSTRAINT modern CHECK (upd > '2020-03-04 00:00+05:30')) PARTITION BY RANGE (at);
CREATE TABLE formats_2026_10 PARTITION OF formats FOR VALUES FROM ('2026-10-01 00:00+00') TO ('2026-11-01 00:00+00') PARTITION BY RANGE (upd);
CREATE TABLE formats_2026_10_new PARTITION OF formats_2026_10 FOR VALUES FROM ('2020-01-01 00:00+05:30') TO (MAXVALUE) PARTITION BY RANGE (f);
CREATE TABLE formats_2026_10_new_f PARTITION OF formats_2026_10_new FOR VALUES FROM (0.1234567890123456) TO (MAXVALUE) PARTITION BY RANGE (d);
CREATE TABLE formats_2026_10_new_f_d PARTITION OF formats_2026_10_new_f FOR VALUES FROM ('2020-02-01') TO (MAXVALUE);
CREATE POLICY modern ON formats_2026_10 USING (upd > '2020-05-06 00:00+05:30' AND age(upd) > '-1 year 1 day -02:03');
SET timezone = 'Asia/Kolkata'; SET datestyle = 'SQL, DMY'; SET extra_float_digits = -10; SET intervalstyle = sql_standard;
SELECT partition_name, status FROM create_future_partitions('formats', 1, time_zone => 'UTC', as_of => '2026-10-15 00:00+00');
SET timezone = 'UTC'; SET datestyle = 'ISO'; RESET extra_float_digits; SET intervalstyle = postgres;
SELECT relid, pg_get_expr(relpartbound, oid) FROM pg_partition_tree('formats_2026_11'), pg_class WHERE oid = relid;
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'formats_2026_11'::regclass AND contype = 'c';
SELECT pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polrelid = 'formats_2026_11'::regclass;
RESET timezone; RESET datestyle; RESET intervalstyle;
CREATE FUNCTION sub_ranges(relation regclass) RETURNS TABLE (partition regclass, bound text) LANGUAGE sql AS
$$SELECT t.relid, pg_get_expr(c.relpartbound, c.oid) FROM pg_partition_tree(relation) AS t JOIN pg_class AS c ON c.oid = t.relid WHERE t.relid <> relation ORDER BY t.level, t.relid::text$$;
-- statistics targets of extended statistics and of columns of indexes
CREATE TABLE measured (at date, a int, b int) PARTITION BY RANGE (at);
CREATE TABLE measured_2026_10 PARTITION OF measured FOR VALUES FROM ('2026-10-01') TO ('2026-11-01');
CREATE INDEX measured_sum ON measured_2026_10 (a, (a + b), (b - a));
CREATE INDEX measured_product ON measured_2026_10 ((a * b));
ALTER INDEX measured_sum ALTER COLUMN 2 SET STATISTICS 400, ALTER COLUMN 3 SET STATISTICS 0;
CREATE STATISTICS measured_first (ndistinct) ON a, b FROM measured_2026_10;
CREATE STATISTICS measured_second (mcv) ON a, b FROM measured_2026_10;
ALTER STATISTICS measured_second SET STATISTICS 500;
SELECT partition_name, status FROM create_future_partitions('measured', 1, as_of => '2026-10-15 00:00+00');
SELECT pg_get_indexdef(i.indexrelid, a.attnum, false) AS column, to_jsonb(a)->>'attstattarget' AS target FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indexrelid
 WHERE i.indrelid = 'measured_2026_11'::regclass AND (to_jsonb(a)->>'attstattarget')::int >= 0 AND i.indkey[a.attnum - 1] = 0 ORDER BY 1;
SELECT stxkind, nullif(to_jsonb(s)->>'stxstattarget', '-1') AS target FROM pg_statistic_ext AS s WHERE stxrelid = 'measured_2026_11'::regclass ORDER BY stxkind::text;
-- sub-partitions take all rows of the new period: those of the same key in uneven parts, at the same distance from its beginning
CREATE TABLE uneven (at date, i int) PARTITION BY RANGE (at);
CREATE TABLE uneven_2026_10 PARTITION OF uneven FOR VALUES FROM ('2026-10-01') TO ('2026-11-01') PARTITION BY RANGE (at);
CREATE TABLE uneven_2026_10_a PARTITION OF uneven_2026_10 FOR VALUES FROM ('2026-10-01') TO ('2026-10-15');
CREATE TABLE uneven_2026_10_b PARTITION OF uneven_2026_10 FOR VALUES FROM ('2026-10-15') TO ('2026-10-31') WITH (fillfactor = 50);
CREATE TABLE uneven_2026_10_c PARTITION OF uneven_2026_10 FOR VALUES FROM ('2026-10-31') TO ('2026-11-01');
SELECT partition_name, status FROM create_future_partitions('uneven', 2, as_of => '2026-10-15 00:00+00');
SELECT * FROM sub_ranges('uneven_2026_11') UNION ALL SELECT * FROM sub_ranges('uneven_2026_12');
INSERT INTO uneven SELECT generate_series('2026-10-01'::date, '2026-12-31', '1 day');
-- with times of a zone whose clocks change, under a list
CREATE TABLE zoned (at timestamptz, region text) PARTITION BY RANGE (at);
CREATE TABLE zoned_2026_10 PARTITION OF zoned FOR VALUES FROM ('2026-10-01 00:00 America/New_York') TO ('2026-11-01 00:00 America/New_York') PARTITION BY LIST (region);
CREATE TABLE zoned_2026_10_eu PARTITION OF zoned_2026_10 FOR VALUES IN ('eu') PARTITION BY RANGE (at);
CREATE TABLE zoned_2026_10_eu_1 PARTITION OF zoned_2026_10_eu FOR VALUES FROM (MINVALUE) TO ('2026-10-08 00:00 America/New_York');
CREATE TABLE zoned_2026_10_eu_2 PARTITION OF zoned_2026_10_eu FOR VALUES FROM ('2026-10-08 00:00 America/New_York') TO (MAXVALUE);
SET timezone = 'America/New_York'; SET datestyle = 'ISO';
SELECT partition_name, status FROM create_future_partitions('zoned', 1, time_zone => 'America/New_York', as_of => '2026-10-15 00:00+00');
SELECT * FROM sub_ranges('zoned_2026_11');
RESET timezone; RESET datestyle;
-- of a date that follows from the key, or that goes along with it, one takes all
CREATE TABLE derived (at timestamp, i int) PARTITION BY RANGE (at);
CREATE TABLE derived_2026_10 PARTITION OF derived FOR VALUES FROM ('2026-10-01') TO ('2026-11-01') PARTITION BY RANGE ((at::date));
CREATE TABLE derived_2026_10_a PARTITION OF derived_2026_10 FOR VALUES FROM ('2026-10-01') TO ('2026-10-16');
CREATE TABLE derived_2026_10_b PARTITION OF derived_2026_10 FOR VALUES FROM ('2026-10-16') TO ('2026-11-01') WITH (fillfactor = 50);
SELECT partition_name, status FROM create_future_partitions('derived', 2, as_of => '2026-10-15 00:00+00');
SELECT * FROM sub_ranges('derived_2026_11') UNION ALL SELECT * FROM sub_ranges('derived_2026_12');
CREATE TABLE along (at timestamptz, day date) PARTITION BY RANGE (at);
CREATE TABLE along_2026_10 PARTITION OF along FOR VALUES FROM ('2026-10-01 00:00+00') TO ('2026-11-01 00:00+00') PARTITION BY RANGE (day);
CREATE TABLE along_2026_10_a PARTITION OF along_2026_10 FOR VALUES FROM ('2026-10-01') TO ('2026-10-16');
CREATE TABLE along_2026_10_b PARTITION OF along_2026_10 FOR VALUES FROM ('2026-10-16') TO ('2026-11-02');
SELECT partition_name, status FROM create_future_partitions('along', 1, as_of => '2026-10-15 00:00+00');
SELECT * FROM sub_ranges('along_2026_11');
-- of numbers of an order, which no other partition has; and of weekdays, which all have
CREATE TABLE orders (at timestamp, id int) PARTITION BY RANGE (at);
CREATE TABLE orders_2026_09 PARTITION OF orders FOR VALUES FROM ('2026-09-01') TO ('2026-10-01') PARTITION BY RANGE (id);
CREATE TABLE orders_2026_09_a PARTITION OF orders_2026_09 FOR VALUES FROM (0) TO (1000);
CREATE TABLE orders_2026_10 PARTITION OF orders FOR VALUES FROM ('2026-10-01') TO ('2026-11-01') PARTITION BY RANGE (id);
CREATE TABLE orders_2026_10_a PARTITION OF orders_2026_10 FOR VALUES FROM (1000) TO (2000);
SELECT partition_name, status FROM create_future_partitions('orders', 1, as_of => '2026-10-15 00:00+00');
SELECT * FROM sub_ranges('orders_2026_11');
CREATE TABLE weekdays (at timestamp) PARTITION BY RANGE (at);
CREATE TABLE weekdays_2026_09 PARTITION OF weekdays FOR VALUES FROM ('2026-09-01') TO ('2026-10-01') PARTITION BY RANGE (extract(isodow FROM at));
CREATE TABLE weekdays_2026_09_week PARTITION OF weekdays_2026_09 FOR VALUES FROM (1) TO (6);
CREATE TABLE weekdays_2026_09_end PARTITION OF weekdays_2026_09 FOR VALUES FROM (6) TO (8);
CREATE TABLE weekdays_2026_10 PARTITION OF weekdays FOR VALUES FROM ('2026-10-01') TO ('2026-11-01') PARTITION BY RANGE (extract(isodow FROM at));
CREATE TABLE weekdays_2026_10_week PARTITION OF weekdays_2026_10 FOR VALUES FROM (1) TO (6);
CREATE TABLE weekdays_2026_10_end PARTITION OF weekdays_2026_10 FOR VALUES FROM (6) TO (8);
SELECT partition_name, status FROM create_future_partitions('weekdays', 1, as_of => '2026-10-15 00:00+00');
SELECT * FROM sub_ranges('weekdays_2026_11');
-- times in numbers are times in sub-partitions, too; and there is an end to their number
CREATE TABLE numbered (id int, ts bigint) PARTITION BY RANGE (ts);
CREATE TABLE numbered_1 PARTITION OF numbered FOR VALUES FROM (1795132800) TO (1795219200) PARTITION BY RANGE (ts);
DO $$ BEGIN FOR i IN 0 .. 47 LOOP EXECUTE format('CREATE TABLE numbered_1_%s PARTITION OF numbered_1 FOR VALUES FROM (%s) TO (%s)', i, 1795132800 + 1800 * i, 1795132800 + 1800 * (i + 1)); END LOOP; END $$;
SELECT partition_name, status FROM create_future_partitions('numbered', 1, '1 day', time_zone => 'UTC', as_of => '2026-11-20 12:00+00');
SELECT count(*), min(bound), max(bound) FROM sub_ranges((SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'numbered'::regclass ORDER BY inhrelid DESC LIMIT 1));
CREATE TABLE minced (at date, id int) PARTITION BY RANGE (id);
CREATE TABLE minced_0 PARTITION OF minced FOR VALUES FROM (0) TO (10000) PARTITION BY RANGE (id);
CREATE TABLE minced_0_0 PARTITION OF minced_0 FOR VALUES FROM (0) TO (1);
CREATE TABLE minced_0_1 PARTITION OF minced_0 FOR VALUES FROM (1) TO (2);
SELECT partition_name, status FROM create_future_partitions('minced', 1);
-- rows are moved into sub-partitions
CREATE TABLE deep (at date, region text, id int) PARTITION BY RANGE (at);
CREATE TABLE deep_2026_10 PARTITION OF deep FOR VALUES FROM ('2026-10-01') TO ('2026-11-01') PARTITION BY LIST (region);
CREATE TABLE deep_2026_10_eu PARTITION OF deep_2026_10 FOR VALUES IN ('eu') PARTITION BY HASH (id);
CREATE TABLE deep_2026_10_eu_0 PARTITION OF deep_2026_10_eu FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE deep_default PARTITION OF deep DEFAULT;
INSERT INTO deep VALUES ('2026-11-05', 'eu', 1);
SELECT partition_name, status FROM create_future_partitions('deep', 1, default_rows => 'move', as_of => '2026-10-15 00:00+00');
SELECT tableoid::regclass, * FROM deep;
SELECT conrelid::regclass, conname FROM pg_constraint WHERE conname = 'dbmaint_range';

DROP OWNED BY likeness_writer, likeness_owner CASCADE;
DROP OWNED BY likeness_reader CASCADE;
DROP ROLE likeness_owner, likeness_reader, likeness_writer;
