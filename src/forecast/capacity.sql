-- src/forecast/capacity.sql: what has an end, and when it is reached.
--
-- Each reader returns rows (resource, instance, used, limit_value, counter).
-- counter is what growth is told from where that is not used itself: the age
-- of transaction ids falls with every VACUUM, their number only rises.

CREATE TABLE dbmaint_capacity_samples (
    database_oid oid NOT NULL,
    at timestamptz NOT NULL,
    resource text NOT NULL,
    instance text NOT NULL,
    used numeric,
    limit_value numeric,
    counter numeric,
    PRIMARY KEY (database_oid, resource, instance, at)
);
CREATE INDEX dbmaint_capacity_samples_at_idx ON dbmaint_capacity_samples (at);
COMMENT ON TABLE dbmaint_capacity_samples IS
'How much of each resource was used: written when it changed, at most once an hour (sequences and keys: every 6 hours, and only from a thousandth of their limit on), and once a day in any case. The server''s resources are in the home database.';
COMMENT ON COLUMN dbmaint_capacity_samples.database_oid IS
'The database that measured.';
COMMENT ON COLUMN dbmaint_capacity_samples.at IS
'When.';
COMMENT ON COLUMN dbmaint_capacity_samples.resource IS
'As in dbmaint_capacity().';
COMMENT ON COLUMN dbmaint_capacity_samples.instance IS
'As in dbmaint_capacity().';
COMMENT ON COLUMN dbmaint_capacity_samples.used IS
'What was used, in the resource''s unit: bytes, connections, ids or values.';
COMMENT ON COLUMN dbmaint_capacity_samples.limit_value IS
'What there was in all.';
COMMENT ON COLUMN dbmaint_capacity_samples.counter IS
'What growth is told from, where that is not used: the next transaction or multixact id.';

CREATE FUNCTION dbmaint_server_resources(OUT resource text, OUT instance text,
    OUT used numeric, OUT limit_value numeric, OUT counter numeric, OUT detail text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    at_lsn CONSTANT pg_lsn := CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                                   ELSE pg_current_wal_lsn() END;
    -- the server refuses new ids three million before they wrap around
    ids CONSTANT numeric := 2147483647 - 3000000;
    kept CONSTANT numeric := (SELECT s.setting::numeric * 1048576 FROM pg_settings AS s
                               WHERE s.name = 'max_slot_wal_keep_size' AND s.setting::numeric >= 0);
    wal_free numeric;
BEGIN
    PERFORM @extschema@.dbmaint_require_role('pg_read_all_stats'::name);

    RETURN QUERY
    SELECT 'disk', s.tablespace, (s.total_bytes - s.free_bytes)::numeric, s.total_bytes::numeric, NULL::numeric,
           CASE WHEN s.total_bytes IS NULL THEN 'The operating system does not tell.' END
      FROM @extschema@.dbmaint_disk_space() AS s
     ORDER BY s.tablespace COLLATE "C";

    RETURN QUERY
    SELECT 'connections', 'server',
           greatest((SELECT count(*) FROM pg_stat_activity AS a WHERE a.backend_type = 'client backend'),
                    (SELECT max(m.total_connections) FROM @extschema@.dbmaint_samples AS m
                      WHERE m."timestamp" > now() - interval '1 day'))::numeric,
           (current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
               - coalesce(current_setting('reserved_connections', true)::int, 0))::numeric,
           NULL::numeric, 'The most of the last 24 hours, against what is not reserved.';

    RETURN QUERY
    SELECT 'transaction_ids', 'server', max(age(d.datfrozenxid))::numeric, ids,
           pg_snapshot_xmax(pg_current_snapshot())::text::numeric,
           format('The oldest are in database %s.', (array_agg(quote_ident(d.datname) ORDER BY age(d.datfrozenxid) DESC))[1])
      FROM pg_database AS d;
    RETURN QUERY
    SELECT 'multixact_ids', 'server', max(mxid_age(d.datminmxid))::numeric, ids,
           -- 32 bits, but the difference of two samples is what counts
           max((d.datminmxid::text::bigint + mxid_age(d.datminmxid)) % 4294967296)::numeric,
           format('The oldest are in database %s.', (array_agg(quote_ident(d.datname) ORDER BY mxid_age(d.datminmxid) DESC))[1])
      FROM pg_database AS d;

    SELECT s.free_bytes INTO wal_free FROM @extschema@.dbmaint_disk_space() AS s WHERE s.tablespace = 'pg_wal';
    RETURN QUERY
    SELECT 'retained_wal', s.slot_name::text,
           greatest(pg_wal_lsn_diff(at_lsn, s.restart_lsn), 0),
           coalesce(kept, greatest(pg_wal_lsn_diff(at_lsn, s.restart_lsn), 0) + wal_free),
           NULL::numeric,
           concat_ws(' ', CASE WHEN s.wal_status = 'lost' THEN 'The slot is lost: drop it.'
                               WHEN NOT s.active THEN 'Nobody reads from this slot.' END,
               CASE WHEN kept IS NULL THEN 'Against the free space for WAL, since max_slot_wal_keep_size sets no limit.'
                    ELSE 'Against max_slot_wal_keep_size, beyond which the slot is lost.' END)
      FROM pg_replication_slots AS s
     ORDER BY s.slot_name::text COLLATE "C";
END
$$;
COMMENT ON FUNCTION dbmaint_server_resources() IS
'What of the server has an end: disk (bytes, by tablespace, and pg_wal), connections, transaction_ids and multixact_ids (the oldest not frozen), retained_wal (bytes, by replication slot)';

CREATE FUNCTION dbmaint_sequence_positions(
    OUT sequence oid, OUT last_value bigint, OUT is_called boolean)
RETURNS SETOF record
LANGUAGE C STABLE
AS 'MODULE_PATHNAME', 'dbmaint_sequence_positions';
COMMENT ON FUNCTION dbmaint_sequence_positions() IS
'Where the sequences stand that the caller may read; all of them, where he has the privileges of pg_read_all_stats. Leaves out what is locked exclusively, gone, or another session''s; waits for nothing and keeps no lock.';

CREATE FUNCTION dbmaint_sequence_resources(OUT resource text, OUT instance text,
    OUT used numeric, OUT limit_value numeric, OUT counter numeric, OUT detail text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    WITH sequence AS (
        SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, s.seqincrement > 0 AS ascends,
               s.seqmin::numeric AS least, s.seqmax::numeric AS most, p.last_value::numeric AS last, p.is_called
          FROM pg_sequence AS s
          JOIN pg_class AS c ON c.oid = s.seqrelid AND c.relpersistence <> 't'
          JOIN pg_namespace AS n ON n.oid = c.relnamespace
          LEFT JOIN @extschema@.dbmaint_sequence_positions() AS p ON p.sequence = s.seqrelid
         WHERE NOT s.seqcycle
    ), feeds AS (
        -- the column that owns it (serial, identity, OWNED BY), and those
        -- whose default calls it
        SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS attnum
          FROM pg_depend AS d
         WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
           AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
        UNION
        SELECT d.refobjid, f.adrelid, f.adnum
          FROM pg_depend AS d
          JOIN pg_attrdef AS f ON f.oid = d.objid
         WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'n'
    ), bound AS (
        SELECT f.sequence, format('%I.%I.%I', n.nspname, c.relname, a.attname) AS name, b.most, b.least,
               format_type(a.atttypid, NULL) || CASE WHEN a.atttypid <> b.type THEN format(' (%s)', b.type) ELSE '' END AS type
          FROM feeds AS f
          JOIN pg_attribute AS a ON a.attrelid = f.relation AND a.attnum = f.attnum AND NOT a.attisdropped
          -- a partition's column is that of the partitioned table
          JOIN pg_class AS c ON c.oid = f.relation AND NOT c.relispartition
          JOIN pg_namespace AS n ON n.oid = c.relnamespace
          JOIN (VALUES ('int2'::regtype, 32767::numeric, -32768::numeric),
                       ('int4'::regtype, 2147483647, -2147483648)) AS b(type, most, least)
            ON b.type = (WITH RECURSIVE base AS (
                             SELECT t.oid, t.typbasetype FROM pg_type AS t WHERE t.oid = a.atttypid
                             UNION ALL
                             SELECT t.oid, t.typbasetype FROM base AS d JOIN pg_type AS t ON t.oid = d.typbasetype
                         ) SELECT d.oid FROM base AS d WHERE d.typbasetype = 0)
    ), row AS (
        SELECT coalesce(b.name, s.name) AS name, b.name IS NOT NULL AS key, b.type, s.name AS sequence,
               s.ascends, s.last, s.is_called,
               greatest(s.least, b.least) AS least, least(s.most, b.most) AS most
          FROM sequence AS s
          LEFT JOIN bound AS b ON b.sequence = s.oid
    )
    SELECT DISTINCT ON (r.key, r.name COLLATE "C")
           CASE WHEN r.key THEN 'integer_key' ELSE 'sequence' END, r.name,
           u.used, r.most - r.least + 1, NULL::numeric,
           CASE WHEN r.key THEN format('A column of type %s, fed by %s.', r.type, r.sequence) END
      FROM row AS r
     CROSS JOIN LATERAL (
               -- one not called yet gives its last value next
               SELECT CASE WHEN r.last IS NOT NULL THEN
                          greatest(CASE WHEN r.ascends THEN r.last - r.least ELSE r.most - r.last END + r.is_called::int, 0) END) AS u(used)
     ORDER BY r.key, r.name COLLATE "C", u.used DESC NULLS LAST;
END
$$;
COMMENT ON FUNCTION dbmaint_sequence_resources() IS
'What of this database''s numbers has an end: integer_key, a smallint or integer column, or one of a domain over these, whose default or identity is a sequence; sequence, one that feeds no such column. used and limit_value are counts of values from the sequence''s least (greatest, where it descends) on: used is how many are before the next one; NULL where the sequence may not be read. Sequences that cycle have no end and are left out.';

CREATE FUNCTION dbmaint_partition_resources(OUT instance text, OUT begun int,
    OUT ranges int, OUT ends_at timestamptz, OUT last_width interval,
    OUT has_default boolean, OUT detail text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '10ms'
SET DateStyle = 'ISO, YMD'
AS $$
DECLARE
    parent record;
BEGIN
    FOR parent IN
        SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, p.partdefid <> 0 AS has_default
          FROM pg_partitioned_table AS p
          JOIN pg_class AS c ON c.oid = p.partrelid AND NOT c.relispartition AND c.relpersistence <> 't'
          JOIN pg_namespace AS n ON n.oid = c.relnamespace
          JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0]
         WHERE p.partstrat = 'r'
           AND a.atttypid IN ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype)
         ORDER BY 2
    LOOP
        instance := parent.name;
        has_default := parent.has_default;
        begun := NULL;
        ranges := NULL;
        ends_at := NULL;
        last_width := NULL;
        detail := NULL;
        -- newer servers lock the partition to deparse its bound
        BEGIN
            WITH bound AS (
                SELECT pg_get_expr(c.relpartbound, c.oid) AS text
                  FROM pg_inherits AS i
                  JOIN pg_class AS c ON c.oid = i.inhrelid
                 WHERE i.inhparent = parent.oid
            ), range AS (
                SELECT CASE WHEN b.text LIKE 'FOR VALUES FROM (MINVALUE%' THEN '-infinity'::timestamptz
                            ELSE (regexp_match(b.text, 'FROM \(''([^'']*)'''))[1]::timestamptz END AS lower,
                       CASE WHEN b.text LIKE '% TO (MAXVALUE%' THEN 'infinity'::timestamptz
                            ELSE (regexp_match(b.text, 'TO \(''([^'']*)'''))[1]::timestamptz END AS upper
                  FROM bound AS b
                 WHERE b.text LIKE 'FOR VALUES FROM%'
            )
            SELECT count(*) FILTER (WHERE r.lower <= now()), count(*), max(r.upper),
                   (SELECT l.upper - l.lower FROM range AS l
                     WHERE isfinite(l.upper) AND isfinite(l.lower) ORDER BY l.upper DESC LIMIT 1)
              INTO begun, ranges, ends_at, last_width
              FROM range AS r;
        EXCEPTION WHEN lock_not_available THEN
            detail := 'A partition is locked.';
        END;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION dbmaint_partition_resources() IS
'The tables partitioned by ranges of time (date, timestamp or timestamptz as the first column of the key): how many ranges there are and have begun, when the last one ends (infinity: never), how long it is, and whether a default partition takes what comes after';

CREATE FUNCTION dbmaint_note_capacity(at timestamptz, home boolean)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    mine CONSTANT oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
BEGIN
    IF at IS NULL OR home IS NULL THEN
        RAISE EXCEPTION 'at and home must not be NULL'
            USING ERRCODE = 'null_value_not_allowed',
                  HINT = 'Call dbmaint_run_due(now()) instead, which knows both.';
    END IF;

    LOCK TABLE @extschema@.dbmaint_capacity_samples IN ROW EXCLUSIVE MODE;
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_capacity_samples'::name);

    INSERT INTO @extschema@.dbmaint_capacity_samples
           (database_oid, at, resource, instance, used, limit_value, counter)
    SELECT mine, dbmaint_note_capacity.at, r.resource, r.instance, r.used, r.limit_value, r.counter
      FROM (SELECT s.*, interval '1 hour' AS spacing
              FROM @extschema@.dbmaint_server_resources() AS s WHERE home
            UNION ALL
            SELECT s.*, interval '6 hours'
              FROM @extschema@.dbmaint_sequence_resources() AS s
             WHERE s.used >= s.limit_value / 1000) AS r
      LEFT JOIN LATERAL
           (SELECT l.at, l.used, l.limit_value, l.counter FROM @extschema@.dbmaint_capacity_samples AS l
             WHERE l.database_oid = mine AND l.resource = r.resource AND l.instance = r.instance
             ORDER BY l.at DESC LIMIT 1) AS last ON true
     WHERE r.used IS NOT NULL
       AND (last.at IS NULL
            OR dbmaint_note_capacity.at >= last.at + interval '24 hours'
            OR (dbmaint_note_capacity.at >= last.at + r.spacing
                AND (r.used, r.limit_value, r.counter) IS DISTINCT FROM (last.used, last.limit_value, last.counter))
            -- the clock was set back
            OR dbmaint_note_capacity.at < last.at)
        ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION dbmaint_note_capacity(timestamptz, boolean) IS
'What the collector "capacity" does at a time: writes what is used of each resource into dbmaint_capacity_samples, the server''s in the home database alone';

CREATE FUNCTION dbmaint_worse_status(a text, b text)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.name FROM (VALUES ('ok', 1), ('unknown', 2), ('warning', 3), ('critical', 4), ('emergency', 5)) AS s(name, rank)
     WHERE s.name IN (a, b) ORDER BY s.rank DESC LIMIT 1
$$;
COMMENT ON FUNCTION dbmaint_worse_status(text, text) IS
'The worse one of two statuses: ok, unknown, warning, critical, emergency; NULL counts for none';

CREATE FUNCTION dbmaint_capacity(lookback interval DEFAULT '30 days',
    as_of timestamptz DEFAULT now(),
    OUT resource text, OUT instance text, OUT used numeric,
    OUT limit_value numeric, OUT used_ratio float8, OUT growth_per_day float8,
    OUT exhausted_at timestamptz, OUT exhausted_earliest timestamptz,
    OUT exhausted_latest timestamptz, OUT status text, OUT detail text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- farther than this nothing is told
    farthest CONSTANT float8 := 3652.5;
    mine CONSTANT oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    -- of an hour ago and longer, what is read now tells nothing
    over CONSTANT boolean := as_of < now() - interval '1 hour';
    width interval;
    at_hand record;
    measured_at timestamptz;
    left_over float8;
    newest int;
    of_late float8;
    counter numeric;
    notes text[];
    past record;
    line record;
    freeze_age float8;
    held boolean;
BEGIN
    IF lookback IS NULL OR lookback < interval '1 day' OR lookback > interval '10 years' THEN
        RAISE EXCEPTION 'lookback must be an interval of 1 day to 10 years'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'For example: dbmaint_capacity(''90 days'').';
    END IF;
    IF as_of IS NULL OR NOT isfinite(as_of) THEN
        RAISE EXCEPTION 'as_of must be a finite time'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Leave it out for the time to exhaustion from now on.';
    END IF;
    width := lookback / 1000;

    FOR at_hand IN
        SELECT s.* FROM @extschema@.dbmaint_server_resources() AS s
        UNION ALL
        SELECT s.* FROM @extschema@.dbmaint_sequence_resources() AS s
    LOOP
        resource := at_hand.resource;
        instance := at_hand.instance;
        used := CASE WHEN NOT over THEN at_hand.used END;
        limit_value := at_hand.limit_value;
        counter := at_hand.counter;
        measured_at := now();
        -- what is said of the oldest ids and of a slot is of now
        notes := CASE WHEN over AND resource IN ('transaction_ids', 'multixact_ids', 'retained_wal') THEN '{}' ELSE ARRAY[at_hand.detail] END;
        growth_per_day := NULL;
        exhausted_at := NULL;
        exhausted_earliest := NULL;
        exhausted_latest := NULL;
        of_late := NULL;

        -- at most a thousand points, the last of each stretch of time
        SELECT coalesce(array_agg(p.x ORDER BY p.x), '{}') AS x, coalesce(array_agg(p.y ORDER BY p.x), '{}') AS y,
               (array_agg(p.used ORDER BY p.x DESC))[1] AS last_used,
               (array_agg(p.limit_value ORDER BY p.x DESC))[1] AS last_limit, max(p.at) AS last_at
          INTO past
          FROM (SELECT DISTINCT ON (date_bin(width, s.at, '2001-01-01 00:00:00+00'))
                       s.at, s.used, s.limit_value, coalesce(s.counter, s.used)::float8 AS y,
                       extract(epoch FROM s.at - as_of)::float8 / 86400 AS x
                  FROM @extschema@.dbmaint_capacity_samples AS s
                 WHERE s.database_oid = mine AND s.resource = at_hand.resource AND s.instance = at_hand.instance
                   AND s.at >= greatest(as_of, '0001-01-01 00:00:00+00') - lookback AND s.at <= as_of AND (over OR s.at < measured_at)
                 ORDER BY date_bin(width, s.at, '2001-01-01 00:00:00+00'), s.at DESC) AS p;
        IF used IS NOT NULL THEN
            past.x := past.x || (extract(epoch FROM measured_at - as_of) / 86400)::float8;
            past.y := past.y || coalesce(counter, used)::float8;
        ELSIF past.last_at IS NOT NULL THEN
            used := past.last_used;
            limit_value := past.last_limit;
            measured_at := past.last_at;
            notes := notes || CASE WHEN over THEN format('As it was at %s.', past.last_at)
                                   ELSE format('As it was at %s: it cannot be read now, or not by %I.', past.last_at, current_user) END;
        ELSE
            notes := notes || CASE WHEN over THEN 'It was not measured then.'
                                   ELSE format('It cannot be read now, or not by %I.', current_user) END;
        END IF;
        used_ratio := used / nullif(limit_value, 0);

        IF cardinality(past.x) >= 4 AND past.x[cardinality(past.x)] - past.x[1] >= 1 THEN
            -- growth changes: what was before it did tells nothing
            SELECT t.slope, t.slope_low, t.slope_high, t.intercept, t.since INTO line
              FROM @extschema@.dbmaint_recent_theil_sen(past.x::float8[], past.y::float8[], 4, 0.95::float8) AS t;
            IF past.x[cardinality(past.x)] - line.since < 1 THEN
                SELECT t.slope, t.slope_low, t.slope_high, t.intercept, past.x[1] AS since INTO line
                  FROM @extschema@.dbmaint_theil_sen(past.x::float8[], past.y::float8[], 0.95::float8) AS t;
            END IF;
            growth_per_day := line.slope;
            left_over := greatest(limit_value - used, 0);
            -- a slope of 0 or less never ends
            exhausted_at := CASE WHEN line.slope > 0 AND left_over <= farthest * line.slope
                                 THEN measured_at + left_over / line.slope * interval '24 hours' END;
            exhausted_earliest := CASE WHEN line.slope_high > 0 AND left_over <= farthest * line.slope_high
                                       THEN measured_at + left_over / line.slope_high * interval '24 hours' END;
            exhausted_latest := CASE WHEN line.slope_low > 0 AND left_over <= farthest * line.slope_low
                                     THEN measured_at + left_over / line.slope_low * interval '24 hours' END;
            IF line.since > past.x[1] THEN
                notes := notes || format('Growth is that since %s UTC, before which it was another.',
                    to_char((as_of + line.since * interval '24 hours') AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'));
            END IF;
            -- too recent for a break, and no reason to say that it does not grow
            newest := cardinality(past.x);
            SELECT t.slope INTO of_late
              FROM (SELECT least(min(i), newest - 3) AS oldest FROM generate_subscripts(past.x, 1) AS i WHERE past.x[i] >= past.x[newest] - 1) AS k,
                   @extschema@.dbmaint_theil_sen(past.x[k.oldest:]::float8[], past.y[k.oldest:]::float8[], 0.95::float8) AS t
             WHERE t.slope > greatest(line.slope_high, 0)
               AND NOT EXISTS (SELECT FROM generate_series(newest - 2, newest) AS i
                                WHERE past.y[i] <= line.intercept + line.slope * past.x[i]);
            IF of_late IS NOT NULL AND left_over <= farthest * of_late THEN
                exhausted_earliest := measured_at + left_over / of_late * interval '24 hours';
            END IF;
            notes := notes || CASE WHEN of_late IS NOT NULL THEN format('Of late it grows by %s a day.', @extschema@.dbmaint_brief(of_late::float8))
                                   WHEN line.slope_high <= 0 THEN 'It does not grow.'
                                   WHEN exhausted_earliest IS NULL THEN 'Not within 10 years.'
                                   WHEN growth_per_day <= 0 THEN 'Mostly it does not grow, but it may: see exhausted_earliest.'
                                   WHEN exhausted_at IS NULL THEN 'Hardly within 10 years, but see exhausted_earliest.' END;
        END IF;

        -- by what is used: the limits of the health checks
        held := false;
        IF resource IN ('transaction_ids', 'multixact_ids') THEN
            freeze_age := current_setting(CASE resource WHEN 'transaction_ids' THEN 'autovacuum_freeze_max_age'
                                               ELSE 'autovacuum_multixact_freeze_max_age' END)::float8;
            status := @extschema@.dbmaint_grade(used::float8, 1.2::float8 * freeze_age,
                greatest(2.0::float8 ^ 30, freeze_age), 0.75::float8 * 2.0::float8 ^ 31);
            -- below it autovacuum is not late, and will freeze them
            held := status = 'ok';
            IF exhausted_at IS NOT NULL THEN
                notes := notes || 'Exhausted then if nothing is frozen until then.'::text;
            END IF;
        ELSE
            status := CASE resource
                WHEN 'disk' THEN @extschema@.dbmaint_grade(used_ratio, 0.8::float8, 0.9::float8, 0.95::float8)
                WHEN 'connections' THEN @extschema@.dbmaint_grade(used_ratio, 0.8::float8, 0.9::float8, 0.99::float8)
                WHEN 'retained_wal' THEN @extschema@.dbmaint_grade(used_ratio, 0.5::float8, 0.8::float8, 0.95::float8)
                ELSE @extschema@.dbmaint_grade(used_ratio, 0.7::float8, 0.85::float8, 0.95::float8) END;
        END IF;
        -- by when it ends
        IF growth_per_day IS NULL THEN
            IF used IS NULL THEN
                status := 'unknown';
            ELSIF used_ratio < 0.001 THEN
                notes := notes || 'Less than a thousandth is used.'::text;
            ELSE
                notes := notes || format('Not enough history: growth needs 4 samples over a day, there are %s over %s days.',
                    cardinality(past.x), round(coalesce(past.x[cardinality(past.x)] - past.x[1], 0)::numeric, 1));
                status := @extschema@.dbmaint_worse_status(status, 'unknown'::text);
            END IF;
        ELSIF exhausted_at IS NOT NULL AND NOT held THEN
            status := @extschema@.dbmaint_worse_status(status,
                CASE WHEN exhausted_at <= as_of + interval '24 hours' THEN 'emergency'
                     WHEN exhausted_at <= as_of + interval '168 hours' THEN 'critical'
                     WHEN exhausted_at <= as_of + interval '720 hours' THEN 'warning' ELSE 'ok' END);
        END IF;
        IF of_late IS NOT NULL AND exhausted_earliest <= as_of + interval '168 hours' AND NOT held THEN
            status := @extschema@.dbmaint_worse_status(status, 'warning'::text);
        END IF;
        detail := array_to_string(notes, ' ');
        RETURN NEXT;
    END LOOP;

    resource := 'partitions';
    growth_per_day := NULL;
    exhausted_earliest := NULL;
    exhausted_latest := NULL;
    FOR at_hand IN SELECT p.* FROM @extschema@.dbmaint_partition_resources() AS p LOOP
        instance := at_hand.instance;
        used := at_hand.begun;
        limit_value := at_hand.ranges;
        used_ratio := used / nullif(limit_value, 0);
        exhausted_at := CASE WHEN isfinite(at_hand.ends_at) THEN at_hand.ends_at END;
        status := CASE WHEN at_hand.detail IS NOT NULL THEN 'unknown'
                       WHEN at_hand.ranges = 0 THEN CASE WHEN at_hand.has_default THEN 'warning' ELSE 'emergency' END
                       WHEN at_hand.ends_at = 'infinity' THEN 'ok'
                       WHEN at_hand.ends_at <= as_of THEN CASE WHEN at_hand.has_default THEN 'critical' ELSE 'emergency' END
                       WHEN at_hand.ends_at <= as_of + coalesce(at_hand.last_width, interval '0') THEN 'critical'
                       WHEN at_hand.ends_at <= as_of + 2 * coalesce(at_hand.last_width, interval '0') THEN 'warning'
                       ELSE 'ok' END;
        detail := coalesce(at_hand.detail,
            CASE WHEN at_hand.ranges = 0 THEN 'There are no ranges.'
                 WHEN at_hand.ends_at = 'infinity' THEN 'The last range never ends.'
                 ELSE format('%s ranges, of which %s have not begun.', at_hand.ranges, at_hand.ranges - at_hand.begun) END
            || CASE WHEN at_hand.ends_at = 'infinity' THEN ''
                    WHEN at_hand.has_default THEN ' After the last one rows go to the default partition.'
                    ELSE ' After the last one INSERT fails.' END);
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION dbmaint_capacity(interval, timestamptz) IS
'What has an end, and when it is reached. resource: disk (bytes), connections, transaction_ids, multixact_ids, retained_wal (bytes), sequence and integer_key (values), partitions (ranges of time that have begun, of all). growth_per_day is the Theil-Sen slope of the samples of the lookback, from the last change on that a day or more went by since (see dbmaint_recent_theil_sen()); exhausted_at is when it takes what is left, between exhausted_earliest and exhausted_latest with 95 % confidence (Sen''s interval; where it grows faster of late, over the last day and four samples, exhausted_earliest is by that); NULL: not within 10 years, or not known. status: warning, critical or emergency where it ends within 30 days, 7 days or 1 day (a warning, too, where it does within 7 days by its growth of late), or where too much is used: disk 80, 90, 95 %; connections 80, 90, 99 %; retained WAL 50, 80, 95 %; sequences and keys 70, 85, 95 %; ids from 1.2 times autovacuum''s freeze age, half and three quarters of 2^31 on (below the first, autovacuum is in time). Partitions: warning when less than two ranges of the last one''s length are left, critical less than one, emergency when inserts fail. unknown: not enough history, or not permitted; detail says which. For an as_of more than an hour ago used and limit_value are those of the last sample until then, of what there is now; partitions are those that there are now. The server''s resources have their history in the home database.';

REVOKE ALL ON dbmaint_capacity_samples FROM PUBLIC;
GRANT SELECT ON dbmaint_capacity_samples TO pg_monitor;
REVOKE ALL ON FUNCTION
    dbmaint_server_resources(), dbmaint_sequence_positions(),
    dbmaint_sequence_resources(), dbmaint_partition_resources(),
    dbmaint_note_capacity(timestamptz, boolean),
    dbmaint_capacity(interval, timestamptz)
FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    dbmaint_server_resources(), dbmaint_sequence_positions(),
    dbmaint_sequence_resources(), dbmaint_partition_resources(),
    dbmaint_capacity(interval, timestamptz)
TO pg_monitor;
