/*
 * src/history/rollup_months.sql: months of indexes and tables.
 *
 * Days of every index would grow with their number: 400 MB in two years for
 * 30,000.  So a day that is over for two days (snapshots that come late are
 * in it then) is closed: it is added to its month, which has every object, and
 * keeps apart those that did most.  Sums of days and of months are exact; what
 * one object did is known by day where it did much, and else by month.
 *
 * dbmaint_best_days() is what to read for sums over a range: whole months, days
 * and snapshots that have every object, and what is left of a closed day only
 * where there is nothing else.
 *
 * Rows of months have the shape of those of days, so that the same functions
 * read both.  What differs between indexes and tables stands in
 * dbmaint_month_kinds() and, where columns need it, in functions of their own.
 */

CREATE FUNCTION dbmaint_month_kinds(
    OUT kind text, OUT daily text, OUT monthly text, OUT snapshot text,
    OUT total_day text, OUT days text, OUT lasts text[], OUT measures text[], OUT most int[])
RETURNS SETOF record
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
    VALUES ('i', 'dbmaint_daily_indexes', 'dbmaint_monthly_indexes', 'dbmaint_index_snapshots',
            'dbmaint_total_index_day', 'dbmaint_index_days', ARRAY['index_bytes'],
            ARRAY['e.idx_scan', 'e.idx_blks_hit::float8 + e.idx_blks_read', 'e.idx_blks_read', 'abs(e.grown_bytes::float8)',
                  'CASE WHEN e.critical THEN 1 + e.idx_scan::float8 ELSE 0 END'],
            ARRAY[25, 15, 15, 15, 50]),
           ('t', 'dbmaint_daily_tables', 'dbmaint_monthly_tables', 'dbmaint_table_snapshots',
            'dbmaint_total_table_day', 'dbmaint_table_days', ARRAY['n_live_tup', 'n_dead_tup', 'table_bytes', 'toast_bytes'],
            ARRAY['e.seq_scan::float8 + e.idx_scan', 'e.seq_tup_read', 'e.n_tup_ins::float8 + e.n_tup_upd + e.n_tup_del',
                  'e.heap_blks_read', 'abs(e.grown_bytes::float8)'],
            ARRAY[15, 10, 20, 10, 10])
$$;
COMMENT ON FUNCTION dbmaint_month_kinds() IS
'What has months: its tables, the functions that make a day of snapshots and that give days, the columns of which the last value counts, and by which measures a closed day keeps how many apart (of indexes also the first 50 of dbmaint.critical_indexes).';

CREATE FUNCTION dbmaint_month_columns(kind text,
    OUT names text, OUT places text, OUT sums text, OUT lasts text, OUT unpacked text,
    OUT grouped text, OUT packed text, OUT assigned text, OUT excluded text, OUT known text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT string_agg(quote_ident(c.name), ', ' ORDER BY c.attnum),
           string_agg(format('t.list[%s]', c.place), ', ' ORDER BY c.attnum),
           string_agg(format('r.%I', c.name), ', ' ORDER BY c.place) FILTER (WHERE NOT c.is_last),
           string_agg(format('r.%I', c.name), ', ' ORDER BY c.place) FILTER (WHERE c.is_last),
           string_agg(format('%s.dbmaint_unpack(d.%I)', c.schema, c.name), ', ' ORDER BY c.attnum),
           string_agg(format(CASE WHEN c.is_last THEN 'max(CASE WHEN e.apart THEN e.%1$I ELSE 0 END) AS %1$I'
                                  ELSE 'least(greatest(sum(e.%1$I), -9223372036854775808), 9223372036854775807)::bigint AS %1$I' END, c.name), ', ' ORDER BY c.attnum),
           string_agg(format('array_agg(k.%1$I ORDER BY k.id)::%2$s.dbmaint_packed AS %1$I', c.name, c.schema), ', ' ORDER BY c.attnum),
           string_agg(format('%1$I = v.%1$I', c.name), ', ' ORDER BY c.attnum),
           string_agg(format('%1$I = excluded.%1$I', c.name), ', ' ORDER BY c.attnum),
           string_agg(format('coalesce(v.%1$I, 0) AS %1$I', c.name), ', ' ORDER BY c.attnum)
      FROM (SELECT a.attname AS name, a.attnum, a.attname = ANY (k.lasts) AS is_last, quote_ident(n.nspname) AS schema,
                   1 + row_number() OVER (ORDER BY a.attname = ANY (k.lasts), a.attnum) AS place
              FROM @extschema@.dbmaint_month_kinds() AS k
              JOIN pg_type AS t ON t.oid = pg_typeof(NULL::@extschema@.dbmaint_packed)
              JOIN pg_namespace AS n ON n.oid = t.typnamespace
              JOIN pg_class AS c ON c.relname = k.monthly AND c.relnamespace = n.oid
              JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.atttypid = t.oid AND a.attname <> 'object_ids'
             WHERE k.kind = $1) AS c
$$;
COMMENT ON FUNCTION dbmaint_month_columns(text) IS
'Pieces of queries over the lists of a kind''s days and months: their names, and what dbmaint_add_up() and dbmaint_close_day() make of each.';

CREATE FUNCTION dbmaint_add_up(kind text, rows text)
RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('SELECT t.snapshots::int, t.observed_hours, t.complete, t.list[1] AS object_ids, %s'
                  '  FROM (SELECT sum(r.snapshots) AS snapshots, sum(r.observed_hours) AS observed_hours, bool_and(r.complete) AS complete,'
                  '               %I.dbmaint_packed_total(r.object_ids, ARRAY[%s], ARRAY[%s]) AS list'
                  '          FROM (%s) AS r) AS t'
                  ' WHERE t.list IS NOT NULL',
                  c.places, n.nspname, c.sums, c.lasts, rows)
      FROM @extschema@.dbmaint_month_columns(kind) AS c,
           pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
     WHERE t.oid = pg_typeof(NULL::@extschema@.dbmaint_packed)
$$;
COMMENT ON FUNCTION dbmaint_add_up(text, text) IS
'A query that adds up the rows of days or months of a kind which another one gives, in their order: one row from snapshots on, or none.';

CREATE FUNCTION dbmaint_close_day(kind text, day timestamptz)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    me oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    schema name := (SELECT n.nspname FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
                     WHERE t.oid = pg_typeof(NULL::@extschema@.dbmaint_packed));
    k record;
    c record;
BEGIN
    SELECT m.*, (SELECT string_agg(format('%1$s > 0 AND row_number() OVER (ORDER BY %1$s DESC, e.id) <= %2$s', a.measure, a.most), ' OR ')
                   FROM unnest(m.measures, m.most) AS a(measure, most)) AS apart
      INTO k FROM @extschema@.dbmaint_month_kinds() AS m WHERE m.kind = dbmaint_close_day.kind;
    SELECT * INTO c FROM @extschema@.dbmaint_month_columns(kind);

    EXECUTE format('INSERT INTO %1$I.%2$I (month, database_oid, snapshots, observed_hours, complete, object_ids, %3$s) '
                   'SELECT date_trunc(''month'', $2, ''UTC''), $1, a.* FROM (%4$s) AS a '
                   'ON CONFLICT (database_oid, month) DO UPDATE SET snapshots = excluded.snapshots, observed_hours = excluded.observed_hours,'
                   ' complete = excluded.complete, object_ids = excluded.object_ids, %5$s',
                   schema, k.monthly, c.names,
                   @extschema@.dbmaint_add_up(kind, format(
                       'SELECT snapshots, observed_hours, complete, object_ids, %1$s FROM %2$I.%3$I'
                       ' WHERE database_oid = $1 AND month = date_trunc(''month'', $2, ''UTC'')'
                       ' UNION ALL SELECT snapshots, observed_hours, complete, object_ids, %1$s FROM %2$I.%4$I'
                       ' WHERE database_oid = $1 AND day = $2', c.names, schema, k.monthly, k.daily)),
                   c.excluded)
      USING me, day;

    EXECUTE format('UPDATE %1$I.%2$I AS d SET in_month = true, object_ids = v.ids, %3$s'
                   '  FROM (SELECT coalesce(array_agg(k.id ORDER BY k.id), ''{}'')::%1$I.dbmaint_packed AS ids, %4$s'
                   '          FROM (SELECT CASE WHEN e.apart THEN e.id ELSE 0 END AS id, %5$s'
                   '                  FROM (SELECT e.*, %6$s AS apart'
                   '                          FROM (SELECT v.id, %7$s, v.id = ANY ($3) AS critical'
                   '                                  FROM %1$I.%2$I AS d CROSS JOIN LATERAL ROWS FROM (%1$I.dbmaint_unpack(d.object_ids), %8$s) AS v(id, %9$s)'
                   '                                 WHERE d.database_oid = $1 AND d.day = $2) AS e) AS e'
                   '                 GROUP BY 1) AS k) AS v'
                   ' WHERE d.database_oid = $1 AND d.day = $2',
                   schema, k.daily, c.assigned, c.packed, c.grouped, k.apart, c.known, c.unpacked, c.names)
      USING me, day, ARRAY(SELECT o.object_id::bigint FROM @extschema@.dbmaint_objects AS o
                            WHERE k.kind = 'i' AND o.database_oid = me AND o.kind = 'i' AND o.last_seen_at IS NULL
                              AND EXISTS (SELECT FROM @extschema@.dbmaint_critical_indexes() AS p(pattern)
                                           WHERE o.indexname LIKE p.pattern OR o.schemaname || '.' || o.indexname LIKE p.pattern));
END
$$;
COMMENT ON FUNCTION dbmaint_close_day(text, timestamptz) IS
'Adds the day that begins at the given time to its month, and leaves of it those objects apart that did most, see dbmaint_month_kinds(), and the sum of the others under the id 0. Part of dbmaint_close_days().';

CREATE FUNCTION dbmaint_close_days(at timestamptz, most_days int)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    me oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    over_at timestamptz := date_trunc('day', at, 'UTC') - interval '72 hours';
    c record;
    closed bigint := 0;
BEGIN
    FOR c IN
        SELECT d.kind, d.day
          FROM (SELECT 'i' AS kind, d.day FROM @extschema@.dbmaint_daily_indexes AS d
                 WHERE d.database_oid = me AND NOT d.in_month AND d.day <= over_at
                UNION ALL
                SELECT 't', d.day FROM @extschema@.dbmaint_daily_tables AS d
                 WHERE d.database_oid = me AND NOT d.in_month AND d.day <= over_at) AS d
         ORDER BY d.day, d.kind LIMIT most_days
    LOOP
        PERFORM @extschema@.dbmaint_close_day(c.kind, c.day);
        closed := closed + 1;
    END LOOP;
    RETURN closed;
END
$$;
COMMENT ON FUNCTION dbmaint_close_days(timestamptz, int) IS
'Closes at most most_days days of indexes and tables that were over for two days at the given time, oldest first; returns how many. Part of dbmaint_roll_up().';

CREATE FUNCTION dbmaint_months_of(
    shape anyelement, kind text, from_at timestamptz, to_at timestamptz)
RETURNS SETOF anyelement
LANGUAGE plpgsql STABLE ROWS 24
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    me oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    schema name := (SELECT n.nspname FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
                     WHERE t.oid = pg_typeof(NULL::@extschema@.dbmaint_packed));
    k record;
    names text := (SELECT c.names FROM @extschema@.dbmaint_month_columns(kind) AS c);
BEGIN
    SELECT m.* INTO k FROM @extschema@.dbmaint_month_kinds() AS m WHERE m.kind = dbmaint_months_of.kind;
    RETURN QUERY EXECUTE format(
        'WITH open AS MATERIALIZED ('
        '    SELECT date_trunc(''month'', d.day, ''UTC'') AS month, d.* FROM %1$I.%2$I($2, ''infinity''::timestamptz) AS d'
        '     WHERE NOT d.in_month AND date_trunc(''month'', d.day, ''UTC'') < $3'
        ') SELECT n.month, $1, a.*, false'
        '    FROM (SELECT m.month FROM %1$I.%3$I AS m WHERE m.database_oid = $1 AND m.month >= $2 AND m.month < $3'
        '          UNION SELECT o.month FROM open AS o WHERE o.month >= $2) AS n,'
        '         LATERAL (%4$s) AS a'
        '   ORDER BY n.month',
        schema, k.days, k.monthly,
        @extschema@.dbmaint_add_up(kind, format(
            'SELECT m.month AS at, m.snapshots, m.observed_hours, m.complete, m.object_ids, %3$s FROM %1$I.%2$I AS m'
            '  WHERE m.database_oid = $1 AND m.month = n.month'
            ' UNION ALL (SELECT o.day, o.snapshots, o.observed_hours, o.complete, o.object_ids, %3$s FROM open AS o WHERE o.month = n.month ORDER BY o.day)',
            schema, k.monthly, names)))
      USING me, from_at, to_at;
END
$$;
COMMENT ON FUNCTION dbmaint_months_of(anyelement, text, timestamptz, timestamptz) IS
'The months (of UTC) of a kind that began from one time until before another, as rows of days (shape is a NULL of their type) that begin when the month does, with every object; the days that are not closed yet are added on the spot. Part of dbmaint_index_months() and dbmaint_table_months().';

CREATE FUNCTION dbmaint_index_months(from_at timestamptz, to_at timestamptz)
RETURNS SETOF dbmaint_daily_indexes
LANGUAGE sql STABLE ROWS 24
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT m.* FROM @extschema@.dbmaint_months_of(NULL::@extschema@.dbmaint_daily_indexes, 'i'::text, $1, $2) AS m
$$;
COMMENT ON FUNCTION dbmaint_index_months(timestamptz, timestamptz) IS
'The months (of UTC) of dbmaint_monthly_indexes that began in the range, with the days that are not in them yet; day is when the month began.';

CREATE FUNCTION dbmaint_table_months(from_at timestamptz, to_at timestamptz)
RETURNS SETOF dbmaint_daily_tables
LANGUAGE sql STABLE ROWS 24
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT m.* FROM @extschema@.dbmaint_months_of(NULL::@extschema@.dbmaint_daily_tables, 't'::text, $1, $2) AS m
$$;
COMMENT ON FUNCTION dbmaint_table_months(timestamptz, timestamptz) IS
'The months (of UTC) of dbmaint_monthly_tables that began in the range, with the days that are not in them yet; day is when the month began.';

CREATE FUNCTION dbmaint_best_days(
    shape anyelement, kind text, from_at timestamptz, to_at timestamptz)
RETURNS SETOF anyelement
LANGUAGE plpgsql STABLE ROWS 30
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
    me oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    schema name := (SELECT n.nspname FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
                     WHERE t.oid = pg_typeof(NULL::@extschema@.dbmaint_packed));
    k record;
    names text := (SELECT c.names FROM @extschema@.dbmaint_month_columns(kind) AS c);
BEGIN
    SELECT m.* INTO k FROM @extschema@.dbmaint_month_kinds() AS m WHERE m.kind = dbmaint_best_days.kind;
    RETURN QUERY EXECUTE format(
        'WITH months AS MATERIALIZED ('
        '    SELECT m.* FROM %1$I.dbmaint_months_of(NULL::%1$I.%2$I, $4, $2, date_trunc(''month'', greatest($3, ''0001-01-01 00:00:00+00''), ''UTC'')) AS m'
        '), days AS MATERIALIZED ('
        '    SELECT d.*, d.in_month AND %1$I.dbmaint_packed_nth(d.object_ids, 1) = 0 AS others'
        '      FROM %1$I.%3$I($2, $3) AS d'
        '     WHERE NOT EXISTS (SELECT FROM months AS m WHERE m.day = date_trunc(''month'', d.day, ''UTC''))'
        '), chosen AS MATERIALIZED ('
        '    SELECT d.*, d.others AND d.snapshots <= (SELECT count(*) FROM %1$I.%4$I AS s'
        '                                              WHERE s.database_oid = $1 AND s.taken_at > d.day'
        '                                                AND s.taken_at <= d.day + interval ''24 hours'') AS again FROM days AS d'
        ') SELECT m.* FROM months AS m'
        ' UNION ALL'
        ' SELECT c.day, c.database_oid, c.snapshots, c.observed_hours, c.complete, c.object_ids, %5$s, c.others'
        '   FROM chosen AS c WHERE NOT c.again'
        ' UNION ALL'
        ' SELECT t.* FROM chosen AS c, LATERAL %1$I.%6$I(c.day) AS t WHERE c.again'
        ' ORDER BY 1',
        schema, k.daily, k.days, k.snapshot, names, k.total_day)
      USING me, from_at, to_at, kind;
END
$$;
COMMENT ON FUNCTION dbmaint_best_days(anyelement, text, timestamptz, timestamptz) IS
'Rows that together cover the days (of UTC) that began in the range, with every object where that is possible: whole months, days that are not closed, and closed ones again from their snapshots. in_month says of which rows only what did most is known apart. Part of dbmaint_index_sums() and dbmaint_table_sums().';

CREATE FUNCTION dbmaint_index_sums(
    from_at timestamptz, to_at timestamptz,
    OUT object_id int, OUT idx_scan bigint, OUT idx_tup_read bigint,
    OUT idx_tup_fetch bigint, OUT idx_blks_read bigint, OUT idx_blks_hit bigint,
    OUT grown_bytes bigint, OUT idx_scan_at_most bigint, OUT exact boolean)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 3000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    WITH best AS MATERIALIZED (
        SELECT d.*, date_trunc('month', d.day, 'UTC') AS month
          FROM @extschema@.dbmaint_best_days(NULL::@extschema@.dbmaint_daily_indexes, 'i'::text, $1, $2) AS d
    ), sums AS (
        SELECT v.* FROM (SELECT @extschema@.dbmaint_packed_total(d.object_ids,
                                    ARRAY[d.idx_scan, d.idx_tup_read, d.idx_tup_fetch, d.idx_blks_read, d.idx_blks_hit, d.grown_bytes],
                                    NULL::@extschema@.dbmaint_packed[]) AS list
                           FROM best AS d) AS t
         CROSS JOIN LATERAL ROWS FROM (
                   @extschema@.dbmaint_unpack(t.list[1]), @extschema@.dbmaint_unpack(t.list[2]), @extschema@.dbmaint_unpack(t.list[3]),
                   @extschema@.dbmaint_unpack(t.list[4]), @extschema@.dbmaint_unpack(t.list[5]), @extschema@.dbmaint_unpack(t.list[6]),
                   @extschema@.dbmaint_unpack(t.list[7])) AS v(id, scans, tuples, fetched, read, hit, grown)
    ), partly AS MATERIALIZED (
        SELECT d.month, count(*) AS days FROM best AS d WHERE d.in_month GROUP BY d.month
    ), listed AS (
        SELECT d.month, v.id, count(*) AS days
          FROM best AS d CROSS JOIN LATERAL @extschema@.dbmaint_unpack(d.object_ids) AS v(id)
         WHERE d.in_month GROUP BY d.month, v.id
    ), hidden AS (
        -- what is not listed on some day may have done what its month did
        SELECT v.id, sum(coalesce(v.scans, 0)) AS scans
          FROM partly AS p
         CROSS JOIN LATERAL @extschema@.dbmaint_index_months(p.month, p.month + interval '1 day') AS m
         CROSS JOIN LATERAL ROWS FROM (@extschema@.dbmaint_unpack(m.object_ids), @extschema@.dbmaint_unpack(m.idx_scan)) AS v(id, scans)
          LEFT JOIN listed AS l ON l.month = p.month AND l.id = v.id
         WHERE coalesce(l.days, 0) < p.days
         GROUP BY v.id
    )
    SELECT nullif(coalesce(s.id, h.id), 0)::int, coalesce(s.scans, 0), coalesce(s.tuples, 0), coalesce(s.fetched, 0),
           coalesce(s.read, 0), coalesce(s.hit, 0), coalesce(s.grown, 0),
           CASE WHEN s.id IS DISTINCT FROM 0 THEN least(coalesce(s.scans, 0) + coalesce(h.scans, 0), 9223372036854775807)::bigint END,
           h.id IS NULL
      FROM sums AS s FULL JOIN hidden AS h ON h.id = s.id
$$;
COMMENT ON FUNCTION dbmaint_index_sums(timestamptz, timestamptz) IS
'What each index did on the days (of UTC) that began in the range, added up. Exact for every index in whole months, and in all days that have snapshots or are over for less than two days. Of other days only what did most is known apart: then exact is false for an index that may have done more, idx_scan_at_most is what its scans may be by its months, and a row with a NULL object_id has what all of these did together (its idx_scan_at_most is NULL). No row for an index that did nothing.';

CREATE FUNCTION dbmaint_table_sums(
    from_at timestamptz, to_at timestamptz,
    OUT object_id int, OUT seq_scan bigint, OUT idx_scan bigint)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 1000
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
    SELECT nullif(v.id, 0)::int, coalesce(v.seq_scan, 0), coalesce(v.idx_scan, 0)
      FROM (SELECT @extschema@.dbmaint_packed_total(d.object_ids, ARRAY[d.seq_scan, d.idx_scan], NULL::@extschema@.dbmaint_packed[]) AS list
              FROM @extschema@.dbmaint_best_days(NULL::@extschema@.dbmaint_daily_tables, 't'::text, $1, $2) AS d) AS t
     CROSS JOIN LATERAL ROWS FROM (
               @extschema@.dbmaint_unpack(t.list[1]), @extschema@.dbmaint_unpack(t.list[2]),
               @extschema@.dbmaint_unpack(t.list[3])) AS v(id, seq_scan, idx_scan)
$$;
COMMENT ON FUNCTION dbmaint_table_sums(timestamptz, timestamptz) IS
'Scans of each table on the days (of UTC) that began in the range, added up, as dbmaint_index_sums() does it: at least so many, where some days only tell apart what did most; NULL stands for all others of those days.';

CREATE FUNCTION dbmaint_index_monthly(
    from_at timestamptz DEFAULT '-infinity', to_at timestamptz DEFAULT now(),
    OUT month timestamptz, OUT complete boolean, OUT observed_hours float8, OUT object_id int,
    OUT relation_oid oid, OUT schemaname text, OUT tablename text, OUT indexname text,
    OUT idx_scan bigint, OUT idx_tup_read bigint, OUT idx_tup_fetch bigint,
    OUT idx_blks_read bigint, OUT idx_blks_hit bigint, OUT index_bytes bigint,
    OUT grown_bytes bigint)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 3000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT v.* FROM @extschema@.dbmaint_index_months($1, $2) AS d, LATERAL @extschema@.dbmaint_index_rows(d) AS v
     ORDER BY v.day, v.object_id
$$;
COMMENT ON FUNCTION dbmaint_index_monthly(timestamptz, timestamptz) IS
'Totals of every index in each month (of UTC) that began in the range and in which it changed: increases, its size at the last snapshot that has it, and by how much it grew; of the present month what is known so far. observed_hours is the time that was measured. Kept for dbmaint.rollup_retention. Names are the latest ones that a snapshot saw.';

CREATE FUNCTION dbmaint_table_monthly(
    from_at timestamptz DEFAULT '-infinity', to_at timestamptz DEFAULT now(),
    OUT month timestamptz, OUT complete boolean, OUT observed_hours float8, OUT object_id int,
    OUT relation_oid oid, OUT schemaname text, OUT tablename text, OUT seq_scan bigint,
    OUT seq_tup_read bigint, OUT idx_scan bigint, OUT n_tup_ins bigint, OUT n_tup_upd bigint,
    OUT n_tup_del bigint, OUT n_tup_hot_upd bigint, OUT heap_blks_read bigint,
    OUT heap_blks_hit bigint, OUT vacuum_count bigint, OUT autovacuum_count bigint,
    OUT analyze_count bigint, OUT autoanalyze_count bigint, OUT n_live_tup bigint,
    OUT n_dead_tup bigint, OUT table_bytes bigint, OUT toast_bytes bigint, OUT grown_bytes bigint)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT v.* FROM @extschema@.dbmaint_table_months($1, $2) AS d, LATERAL @extschema@.dbmaint_table_rows(d) AS v
     ORDER BY v.day, v.object_id
$$;
COMMENT ON FUNCTION dbmaint_table_monthly(timestamptz, timestamptz) IS
'Totals of every table in each month (of UTC) that began in the range and in which it or an index of it changed, as dbmaint_index_monthly() gives those of indexes.';

REVOKE ALL ON FUNCTION dbmaint_close_day(text, timestamptz), dbmaint_close_days(timestamptz, int),
    dbmaint_month_kinds(), dbmaint_month_columns(text), dbmaint_add_up(text, text),
    dbmaint_months_of(anyelement, text, timestamptz, timestamptz),
    dbmaint_best_days(anyelement, text, timestamptz, timestamptz),
    dbmaint_index_months(timestamptz, timestamptz), dbmaint_table_months(timestamptz, timestamptz),
    dbmaint_index_sums(timestamptz, timestamptz), dbmaint_table_sums(timestamptz, timestamptz),
    dbmaint_index_monthly(timestamptz, timestamptz), dbmaint_table_monthly(timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    dbmaint_month_kinds(), dbmaint_month_columns(text), dbmaint_add_up(text, text),
    dbmaint_months_of(anyelement, text, timestamptz, timestamptz),
    dbmaint_best_days(anyelement, text, timestamptz, timestamptz),
    dbmaint_index_months(timestamptz, timestamptz), dbmaint_table_months(timestamptz, timestamptz),
    dbmaint_index_sums(timestamptz, timestamptz), dbmaint_table_sums(timestamptz, timestamptz),
    dbmaint_index_monthly(timestamptz, timestamptz), dbmaint_table_monthly(timestamptz, timestamptz) TO pg_monitor;
