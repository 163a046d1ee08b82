-- src/collect/series.sql: readings that have an instance, and their history.

CREATE FUNCTION dbmaint_series_metrics(
    OUT metric text, OUT unit text, OUT scope text, OUT label text, OUT help text)
RETURNS SETOF record
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'dbmaint_series_metrics';
COMMENT ON FUNCTION dbmaint_series_metrics() IS
'The part of the metric table whose metrics have instances: name, unit, scope (database, or cluster: read by the home database alone), what an instance is (NULL: there is one, named by an empty text), and help. Their history is in dbmaint_series_samples.';

CREATE TABLE dbmaint_series (
    series_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    database_oid oid NOT NULL,
    metric text NOT NULL,
    instance text NOT NULL,
    scale int NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    UNIQUE (database_oid, metric, instance)
);
COMMENT ON TABLE dbmaint_series IS
'The number that each series, a metric of one instance, has in dbmaint_series_samples.';
COMMENT ON COLUMN dbmaint_series.series_id IS
'Its number.';
COMMENT ON COLUMN dbmaint_series.database_oid IS
'The database that reads it.';
COMMENT ON COLUMN dbmaint_series.metric IS
'As in dbmaint_series_metrics().';
COMMENT ON COLUMN dbmaint_series.instance IS
'What it is of; an empty text where the metric has no label.';
COMMENT ON COLUMN dbmaint_series.scale IS
'What its readings are multiplied by to be whole numbers.';
COMMENT ON COLUMN dbmaint_series.first_seen_at IS
'When it was first read.';
COMMENT ON COLUMN dbmaint_series.last_seen_at IS
'When it was last read, up to a day before.';

COMMENT ON SEQUENCE dbmaint_series_series_id_seq IS 'Numbers of series.';

CREATE TABLE dbmaint_series_samples (
    database_oid oid NOT NULL,
    taken_at timestamptz NOT NULL,
    series dbmaint_packed NOT NULL,
    readings dbmaint_packed NOT NULL,
    PRIMARY KEY (database_oid, taken_at)
);
CREATE INDEX dbmaint_series_samples_taken_at_idx ON dbmaint_series_samples (taken_at);
COMMENT ON TABLE dbmaint_series_samples IS
'The history of what has an instance, one row a round; dbmaint_series_readings unpacks it.';
COMMENT ON COLUMN dbmaint_series_samples.database_oid IS
'The database that read.';
COMMENT ON COLUMN dbmaint_series_samples.taken_at IS
'When.';
COMMENT ON COLUMN dbmaint_series_samples.series IS
'The numbers of the series, see dbmaint_series, in ascending order.';
COMMENT ON COLUMN dbmaint_series_samples.readings IS
'Their values, multiplied by the series'' scale.';

CREATE VIEW dbmaint_series_readings AS
SELECT s.taken_at, n.metric, n.instance,
       r.value::pg_catalog.float8 OPERATOR(pg_catalog./) n.scale::pg_catalog.float8 AS value
  FROM dbmaint_series_samples AS s
       CROSS JOIN LATERAL ROWS FROM (dbmaint_unpack(s.series), dbmaint_unpack(s.readings)) AS r(series_id, value)
       JOIN dbmaint_series AS n ON n.series_id OPERATOR(pg_catalog.=) r.series_id
 WHERE s.database_oid OPERATOR(pg_catalog.=) (SELECT d.oid FROM pg_catalog.pg_database AS d
         WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database());
COMMENT ON VIEW dbmaint_series_readings IS
'The history of what has an instance, a row a reading: when, the metric (see dbmaint_series_metrics()), the instance and the value in the metric''s unit. What was not known has no row. Faster for one metric: dbmaint_series_between().';

CREATE FUNCTION dbmaint_series_between(metric text, instance text,
    from_at timestamptz, to_at timestamptz,
    OUT at timestamptz, OUT of_instance text, OUT value float8)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT s.taken_at, n.instance,
           @extschema@.dbmaint_packed_nth(s.readings, p.position)::float8 / n.scale
      FROM @extschema@.dbmaint_series AS n
      JOIN @extschema@.dbmaint_series_samples AS s
        ON s.database_oid = n.database_oid AND s.taken_at >= from_at AND s.taken_at < to_at
     CROSS JOIN LATERAL (SELECT @extschema@.dbmaint_packed_position(s.series, n.series_id::bigint)) AS p(position)
     WHERE n.metric = $1 AND (n.instance = $2 OR $2 IS NULL) AND p.position IS NOT NULL
       AND n.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
     ORDER BY n.instance COLLATE "C", s.taken_at
$$;
COMMENT ON FUNCTION dbmaint_series_between(text, text, timestamptz, timestamptz) IS
'The readings of a metric that has instances, of one (NULL: of all of them), from one time until before another';

CREATE FUNCTION dbmaint_find_series(at timestamptz, metrics text[],
    instances text[], scales int[], OUT n int, OUT series_id int)
RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    mine CONSTANT oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
BEGIN
    UPDATE @extschema@.dbmaint_series AS s SET last_seen_at = dbmaint_find_series.at
      FROM unnest(metrics, instances) AS u(metric, instance)
     WHERE s.database_oid = mine AND s.metric = u.metric AND s.instance = u.instance
       AND s.last_seen_at < dbmaint_find_series.at - interval '1 day';
    INSERT INTO @extschema@.dbmaint_series AS s
           (database_oid, metric, instance, scale, first_seen_at, last_seen_at)
    SELECT DISTINCT ON (u.metric, u.instance) mine, u.metric, u.instance, u.scale,
           dbmaint_find_series.at, dbmaint_find_series.at
      FROM unnest(metrics, instances, scales) AS u(metric, instance, scale)
     WHERE NOT EXISTS (SELECT FROM @extschema@.dbmaint_series AS o
                        WHERE o.database_oid = mine AND o.metric = u.metric AND o.instance = u.instance);
    RETURN QUERY
    SELECT u.n::int, s.series_id
      FROM unnest(metrics, instances) WITH ORDINALITY AS u(metric, instance, n)
      JOIN @extschema@.dbmaint_series AS s
        ON s.database_oid = mine AND s.metric = u.metric AND s.instance = u.instance;
END
$$;
COMMENT ON FUNCTION dbmaint_find_series(timestamptz, text[], text[], int[]) IS
'The numbers of series, by the position of their names in the arguments; gives numbers to new ones. Part of a sampler''s round.';

REVOKE ALL ON dbmaint_series, dbmaint_series_samples, dbmaint_series_readings FROM PUBLIC;
GRANT SELECT ON dbmaint_series, dbmaint_series_samples, dbmaint_series_readings TO pg_monitor;
REVOKE ALL ON FUNCTION dbmaint_series_metrics(),
    dbmaint_series_between(text, text, timestamptz, timestamptz),
    dbmaint_find_series(timestamptz, text[], text[], int[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_series_metrics(),
    dbmaint_series_between(text, text, timestamptz, timestamptz) TO pg_monitor;
