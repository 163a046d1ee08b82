/*
 * src/history/rollup_hours.sql: hours of performance_metrics that are older
 * than the samples, in few bytes.
 *
 * A row of dbmaint_hourly_metrics takes half a kilobyte without its
 * histograms, most of it eight bytes a number that needs two.  When the samples
 * of a day have expired, its hours are packed: one row a day of
 * dbmaint_packed_hours, whose columns are lists of the hours' values, and
 * coarse histograms.  Whole numbers stay what they were.  Others are rounded:
 * milliseconds to a microsecond, bytes to one, ratios to a millionth, means and
 * loads to a thousandth.
 *
 * The columns are those of dbmaint_hourly_metrics, and follow them.
 */

CREATE TABLE dbmaint_packed_hours (
    day timestamptz NOT NULL,
    database_oid oid NOT NULL,
    hours dbmaint_packed NOT NULL,
    PRIMARY KEY (database_oid, day)
);
COMMENT ON TABLE dbmaint_packed_hours IS
'One row a day (of UTC) of the hours of dbmaint_hourly_metrics whose samples have expired, kept for dbmaint.rollup_retention: lists with a value for each hour, see dbmaint_rolled_up_hours(). NULL: not known in any hour.';
COMMENT ON COLUMN dbmaint_packed_hours.day IS
'When the day began.';
COMMENT ON COLUMN dbmaint_packed_hours.database_oid IS
'The database that was measured; rows that a copy of a database brought along have another one''s.';
COMMENT ON COLUMN dbmaint_packed_hours.hours IS
'Which hours of the day there are, from 0 to 23, ascending. The other lists are in the same order.';

-- Run by the superuser who creates the extension, in a schema that may be
-- somebody else's: each operator says that it is the server's.
DO $$
DECLARE
    c record;
    hours CONSTANT pg_catalog.regclass := '@extschema@.dbmaint_packed_hours';
    form pg_catalog.regtype;
BEGIN
    FOR c IN
        SELECT a.attname, a.atttypid, pg_catalog.col_description(a.attrelid, a.attnum) AS description
          FROM pg_catalog.pg_attribute AS a
         WHERE a.attrelid OPERATOR(pg_catalog.=) '@extschema@.dbmaint_hourly_metrics'::pg_catalog.regclass
           AND a.attnum OPERATOR(pg_catalog.>) 2::pg_catalog.int2
         ORDER BY a.attnum
    LOOP
        form := CASE WHEN c.atttypid OPERATOR(pg_catalog.=) '@extschema@.dbmaint_histogram'::pg_catalog.regtype
                     THEN '@extschema@.dbmaint_histogram[]'::pg_catalog.regtype ELSE '@extschema@.dbmaint_packed'::pg_catalog.regtype END;
        EXECUTE pg_catalog.format('ALTER TABLE %s ADD COLUMN %I %s', hours, c.attname, form);
        EXECUTE pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L',
                                  hours, c.attname, pg_catalog.concat('Of each hour: ', c.description));
    END LOOP;
END
$$;

-- History is not dumped: no pg_extension_config_dump here.

CREATE FUNCTION dbmaint_packed_columns(
    OUT name name, OUT type regtype, OUT is_histogram boolean, OUT units_in_one float8)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.attname, a.atttypid::regtype, a.atttypid = pg_typeof(NULL::@extschema@.dbmaint_histogram),
           CASE WHEN a.atttypid <> 'float8'::regtype OR a.attname LIKE '%\_bytes' THEN 1
                WHEN a.attname LIKE '%\_ratio' THEN 1000000
                ELSE 1000 END
      FROM pg_type AS t
      JOIN pg_attribute AS a ON a.attrelid = t.typrelid AND a.attnum > 2 AND NOT a.attisdropped
     WHERE t.oid = pg_typeof(NULL::@extschema@.dbmaint_hourly_metrics)
     ORDER BY a.attnum
$$;
COMMENT ON FUNCTION dbmaint_packed_columns() IS
'The columns of dbmaint_hourly_metrics from the third on, in their order, and of which part of one (1000: thousandths) dbmaint_packed_hours keeps whole numbers.';

CREATE FUNCTION dbmaint_rolled_up_hours(days timestamptz[])
RETURNS SETOF dbmaint_hourly_metrics
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    me oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    schema name := (SELECT n.nspname FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
                     WHERE t.oid = pg_typeof(NULL::@extschema@.dbmaint_hourly_metrics));
BEGIN
    RETURN QUERY
    SELECT h.*
      FROM unnest(days) AS o(day)
      JOIN @extschema@.dbmaint_hourly_metrics AS h ON h.hour >= o.day AND h.hour < o.day + interval '24 hours'
     WHERE h.database_oid = me
       AND NOT EXISTS (SELECT FROM @extschema@.dbmaint_packed_hours AS p WHERE p.database_oid = me AND p.day = o.day);

    -- the statement has sixty columns: planned only where it is needed
    IF EXISTS (SELECT FROM @extschema@.dbmaint_packed_hours AS p WHERE p.database_oid = me AND p.day = ANY (days)) THEN
        RETURN QUERY EXECUTE (
            SELECT format('SELECT p.day + v.hour * interval ''1 hour'', p.database_oid, %s'
                          '  FROM unnest($2) AS o(day)'
                          '  JOIN %I.dbmaint_packed_hours AS p ON p.day = o.day'
                          ' CROSS JOIN LATERAL ROWS FROM (%2$I.dbmaint_unpack(p.hours), %s) AS v(hour, %s)'
                          ' WHERE p.database_oid = $1',
                          string_agg(CASE WHEN c.is_histogram THEN format('v.%I', c.name)
                                          ELSE format('(nullif(v.%I, ''-9223372036854775808''::bigint)%s)::%s', c.name,
                                                      CASE WHEN c.type = 'float8'::regtype THEN format(' / %s::float8', c.units_in_one) END,
                                                      c.type) END, ', '),
                          schema,
                          string_agg(CASE WHEN c.is_histogram THEN format('unnest(p.%I)', c.name)
                                          ELSE format('%I.dbmaint_unpack(p.%I)', schema, c.name) END, ', '),
                          string_agg(quote_ident(c.name), ', '))
              FROM @extschema@.dbmaint_packed_columns() AS c)
          USING me, days;
    END IF;
END
$$;
COMMENT ON FUNCTION dbmaint_rolled_up_hours(timestamptz[]) IS
'The hours of the days (of UTC) that begin at the given times, as far as they are rolled up: the rows of dbmaint_hourly_metrics, or what dbmaint_packed_hours has of older days. dbmaint_metrics_by() is what to ask: it knows the samples, too.';

CREATE FUNCTION dbmaint_pack_hours(at timestamptz, most_days int)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    me oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    schema name := (SELECT n.nspname FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
                     WHERE t.oid = pg_typeof(NULL::@extschema@.dbmaint_hourly_metrics));
    pack_to timestamptz := date_trunc('day', at - coalesce(current_setting('dbmaint.retention', true), '35d')::interval, 'UTC');
    days timestamptz[];
BEGIN
    days := ARRAY(
        SELECT DISTINCT date_trunc('day', h.hour, 'UTC') AS day
          FROM @extschema@.dbmaint_hourly_metrics AS h
         WHERE h.database_oid = me AND h.hour < pack_to
         ORDER BY day LIMIT most_days);
    IF cardinality(days) > 0 THEN
        EXECUTE (
            SELECT format('INSERT INTO %1$I.dbmaint_packed_hours (day, database_oid, hours, %2$s)'
                          'SELECT o.day, $1, v.*'
                          '  FROM unnest($2) AS o(day),'
                          '       LATERAL (SELECT array_agg(extract(hour FROM r.hour - o.day)::bigint ORDER BY r.hour)::%1$I.dbmaint_packed, %3$s'
                          '                  FROM %1$I.dbmaint_hourly_metrics AS r'
                          '                 WHERE r.database_oid = $1 AND r.hour >= o.day AND r.hour < o.day + interval ''24 hours'') AS v'
                          '    ON CONFLICT DO NOTHING',
                          schema,
                          string_agg(quote_ident(c.name), ', '),
                          string_agg(format(CASE
                              WHEN c.is_histogram
                                  THEN 'CASE WHEN count(r.%1$I) > 0 THEN array_agg(%2$I.dbmaint_histogram_coarse(r.%1$I) ORDER BY r.hour) END'
                              ELSE 'CASE WHEN count(r.%1$I) > 0 THEN array_agg(coalesce(%3$s, -9223372036854775808)::bigint ORDER BY r.hour) END::%2$I.dbmaint_packed'
                              END, c.name, schema,
                              CASE WHEN c.type = 'float8'::regtype
                                   -- NaN is the greatest; greatest() passes over NULL
                                   THEN format('CASE WHEN r.%1$I IS NOT NULL THEN least(greatest(round(r.%1$I * %2$s), -9.2e18), 9.2e18)::bigint END', c.name, c.units_in_one)
                                   ELSE format('r.%I', c.name) END), ', '))
              FROM @extschema@.dbmaint_packed_columns() AS c)
          USING me, days;
        DELETE FROM @extschema@.dbmaint_hourly_metrics AS h
         USING unnest(days) AS o(day)
         WHERE h.database_oid = me AND h.hour >= o.day AND h.hour < o.day + interval '24 hours';
        UPDATE @extschema@.dbmaint_daily_metrics AS d
           SET latency_histogram = @extschema@.dbmaint_histogram_coarse(d.latency_histogram),
               response_time_histogram = @extschema@.dbmaint_histogram_coarse(d.response_time_histogram)
         WHERE d.database_oid = me AND d.day = ANY (days);
    END IF;
    RETURN cardinality(days);
END
$$;
COMMENT ON FUNCTION dbmaint_pack_hours(timestamptz, int) IS
'Moves the hours of at most most_days days whose samples have expired at the given time (dbmaint.retention) from dbmaint_hourly_metrics to dbmaint_packed_hours, oldest first, and makes their days'' histograms coarse; returns how many days. Part of dbmaint_roll_up().';

REVOKE ALL ON dbmaint_packed_hours FROM PUBLIC;
GRANT SELECT ON dbmaint_packed_hours TO pg_monitor;
REVOKE ALL ON FUNCTION dbmaint_packed_columns(), dbmaint_rolled_up_hours(timestamptz[]),
    dbmaint_pack_hours(timestamptz, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_packed_columns(), dbmaint_rolled_up_hours(timestamptz[]) TO pg_monitor;
