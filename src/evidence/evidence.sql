-- src/evidence/evidence.sql: gathers what a DBA would look at first.
--
-- dbmaint_collect_evidence() walks the only list of sections there is.  A
-- section is one function dbmaint_evidence_<name>(metric, instance, since_at,
-- at) that returns jsonb; it runs in a subtransaction and in its own time, and
-- what fails says so and costs itself alone.  sections_*.sql have them.
--
-- What sessions do now is looked at only if `at` is within a minute of the
-- clock; for another time, what the history has is all there is.  No section
-- holds a statement's text, opens a user's table, or plans a query on one.

CREATE FUNCTION dbmaint_metric_family(metric text)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN $1 IS NULL THEN 'other'
        WHEN $1 ~ 'pool|^(cl|sv)_|maxwait|server_utili|multiplexing' THEN 'pool'
        WHEN $1 ~ 'replica|slot|lag|standby|archiv' THEN 'replication'
        WHEN $1 ~ 'disk|database_size|tablespace|full|retained|wal_size|table_size' THEN 'disk'
        WHEN $1 ~ 'lwlock' THEN 'load'
        WHEN $1 ~ 'dead_|vacuum|freeze|bloat|xid|transaction_id|multixact|wraparound|stale|statistics|mod_since' THEN 'vacuum'
        WHEN $1 ~ 'index' THEN 'index'
        WHEN $1 ~ 'blocked|lock_wait|deadlock|(^|_)locks' THEN 'locks'
        WHEN $1 ~ 'in_transaction|oldest_transaction|long_transaction|prepared' THEN 'transactions'
        WHEN $1 ~ 'connection' THEN 'connections'
        WHEN $1 ~ '^(response_time_ms|p50_ms|p95_ms|p99_ms|max_ms)$|^(response|latency|slow_query|longest_query)' THEN 'response'
        WHEN $1 ~ 'wal_bytes|checkpoint' THEN 'wal'
        WHEN $1 ~ '^temp_' THEN 'temp'
        WHEN $1 ~ 'cache_hit|blocks_|io_waits' THEN 'io'
        WHEN $1 ~ 'cpu|load|memory|lwlock|active' THEN 'load'
        ELSE 'other'
    END
$$;
COMMENT ON FUNCTION dbmaint_metric_family(text) IS
'What kind of metric it is, by its name, as evidence and causes go by it: response, locks, connections, transactions, vacuum, index, disk, replication, pool, wal, temp, io, load or other';

CREATE FUNCTION dbmaint_baseline_ranges(since_at timestamptz, at timestamptz,
    OUT day int, OUT from_at timestamptz, OUT to_at timestamptz)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 8
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.day, h.hour - make_interval(days => d.day), h.hour - make_interval(days => d.day) + interval '1 hour'
      FROM generate_series(1, 7) AS d(day), (SELECT date_trunc('hour', $2) AS hour) AS h
    UNION ALL
    SELECT 0, $1 - interval '1 hour', $1
$$;
COMMENT ON FUNCTION dbmaint_baseline_ranges(timestamptz, timestamptz) IS
'With what evidence compares: the same hour of the seven days before (day 1 to 7), and the hour before it began (day 0), for where there is no history of those';

CREATE FUNCTION dbmaint_brief(number float8)
RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN $1 IN ('NaN', 'Infinity', '-Infinity') THEN NULL
                WHEN abs($1) >= 1000 OR $1 = 0 THEN round($1::numeric)
                ELSE trim_scale(round($1::numeric, greatest(0, 3 - ceil(log(abs($1)))::int))) END
$$;
COMMENT ON FUNCTION dbmaint_brief(float8) IS
'A number with three digits, or all before the point; NULL for what is none';

CREATE FUNCTION dbmaint_is_live(at timestamptz)
RETURNS boolean
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT $1 BETWEEN clock_timestamp() - interval '1 minute' AND clock_timestamp() + interval '1 minute'
$$;
COMMENT ON FUNCTION dbmaint_is_live(timestamptz) IS
'Whether what is seen now was so at the time: it is within a minute of the clock';

-- Looks: what collectors read every few minutes, read once more, so that the
-- evidence has the last seconds too.  They write, so they are done for those
-- who may; alerts of one round share them.

CREATE FUNCTION dbmaint_evidence_look_statements(metric text, instance text, since_at timestamptz, at timestamptz)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    last timestamptz := (SELECT max(s.taken_at) FROM @extschema@.dbmaint_statement_snapshots AS s
                          WHERE s.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                            AND s.taken_at > $4 - interval '2 days');
BEGIN
    -- where there is none, it is not the database that keeps them
    IF last < $4 THEN
        PERFORM * FROM @extschema@.dbmaint_take_snapshot($4);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION dbmaint_evidence_look_statements(text, text, timestamptz, timestamptz) IS
'Part of dbmaint_collect_evidence(): takes a snapshot of pg_stat_statements where this database keeps them';

CREATE FUNCTION dbmaint_evidence_look_changes(metric text, instance text, since_at timestamptz, at timestamptz)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    schema_at timestamptz;
    settings_at timestamptz;
BEGIN
    SELECT max(d.looked_at) FILTER (WHERE d.kind = 'relations'), max(d.looked_at) FILTER (WHERE d.kind = 'setting')
      INTO schema_at, settings_at
      FROM @extschema@.dbmaint_definitions AS d
     WHERE d.database_oid = (SELECT b.oid FROM pg_database AS b WHERE b.datname = current_database())
       AND d.object_oid = 0;
    IF schema_at < $4 THEN
        -- the home database is the one that looks at settings
        PERFORM @extschema@.dbmaint_note_changes($4, coalesce(settings_at >= schema_at, false));
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION dbmaint_evidence_look_changes(text, text, timestamptz, timestamptz) IS
'Part of dbmaint_collect_evidence(): looks for changes of settings and definitions, as the collector "changes" does';

CREATE FUNCTION dbmaint_evidence_snapshot_objects(at timestamptz)
RETURNS void
LANGUAGE C VOLATILE STRICT
AS 'MODULE_PATHNAME', 'dbmaint_evidence_snapshot_objects';
COMMENT ON FUNCTION dbmaint_evidence_snapshot_objects(timestamptz) IS
'Takes a snapshot of the statistics and sizes of tables and indexes, as the collectors "tables" and "indexes" do';

CREATE FUNCTION dbmaint_evidence_look_objects(metric text, instance text, since_at timestamptz, at timestamptz)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    last timestamptz := (SELECT max(s.taken_at) FROM @extschema@.dbmaint_table_snapshots AS s
                          WHERE s.database_oid = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                            AND s.taken_at > $4 - interval '2 days');
BEGIN
    IF @extschema@.dbmaint_metric_family($1) IN ('disk', 'index', 'vacuum') AND last < $4 THEN
        PERFORM @extschema@.dbmaint_evidence_snapshot_objects($4);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION dbmaint_evidence_look_objects(text, text, timestamptz, timestamptz) IS
'Part of dbmaint_collect_evidence(): takes a snapshot of tables and indexes for metrics of disks, tables and indexes';

CREATE FUNCTION dbmaint_evidence_budget()
RETURNS int
LANGUAGE C STABLE
AS 'MODULE_PATHNAME', 'dbmaint_evidence_budget';
COMMENT ON FUNCTION dbmaint_evidence_budget() IS
'Milliseconds that all sections of evidence may take: 3,000, in a sampler four fifths of what is left of dbmaint.evidence_timeout';

CREATE FUNCTION dbmaint_evidence_section(section text, metric text, instance text,
    since_at timestamptz, at timestamptz, limit_ms int, OUT result jsonb, OUT error text)
LANGUAGE C VOLATILE CALLED ON NULL INPUT
AS 'MODULE_PATHNAME', 'dbmaint_evidence_section';
COMMENT ON FUNCTION dbmaint_evidence_section(text, text, text, timestamptz, timestamptz, int) IS
'Calls dbmaint_evidence_<section>() in a subtransaction, for so many milliseconds at most: its result, or its error';

CREATE FUNCTION dbmaint_fit_section(section jsonb, most_bytes int)
RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    fitted jsonb := section;
    longest text;
BEGIN
    WHILE octet_length(fitted::text) > most_bytes LOOP
        SELECT e.key INTO longest
          FROM jsonb_each(CASE WHEN jsonb_typeof(fitted) = 'object' THEN fitted ELSE '{}' END) AS e
         WHERE jsonb_typeof(e.value) = 'array' AND e.value <> '[]'
         ORDER BY octet_length(e.value::text) DESC, e.key LIMIT 1;
        IF NOT FOUND THEN
            RETURN jsonb_build_object('error', 'too large to be kept');
        END IF;
        -- what comes first matters most
        fitted := fitted || jsonb_build_object('cut', true, longest,
            (SELECT coalesce(jsonb_agg(a.value ORDER BY a.n), '[]')
               FROM jsonb_array_elements(fitted -> longest) WITH ORDINALITY AS a(value, n)
              WHERE a.n <= jsonb_array_length(fitted -> longest) / 2));
    END LOOP;
    RETURN fitted;
END
$$;
COMMENT ON FUNCTION dbmaint_fit_section(jsonb, int) IS
'A section of evidence in so many bytes of text: the longest of its lists loses its second half until it fits, and "cut" says so';

CREATE FUNCTION dbmaint_collect_evidence(metric text, instance text,
    since_at timestamptz, at timestamptz)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '50ms'
SET jit = off
AS $$
DECLARE
    -- the first are those that may be over soonest
    sections CONSTANT text[] := ARRAY[
        'blocking', 'transactions', 'connections', 'recorder',
        'look_statements', 'statements', 'look_changes', 'changes',
        'look_objects', 'subject', 'waits', 'metric', 'host'];
    all_ms CONSTANT int := @extschema@.dbmaint_evidence_budget();
    section_ms CONSTANT int := least(1000, greatest(all_ms / 2, 1));
    -- 10 sections of this size and what else there is stay below 64 kB
    section_bytes CONSTANT int := 6000;
    began CONSTANT timestamptz := clock_timestamp();
    writable CONSTANT boolean := has_table_privilege('@extschema@.dbmaint_statement_snapshots', 'INSERT')
                                 AND current_setting('transaction_read_only') = 'off';
    section text;
    left_ms int;
    did record;
    evidence jsonb;
    missed jsonb := '{}';
BEGIN
    IF metric IS NULL OR at IS NULL OR NOT isfinite(at) OR NOT isfinite(coalesce(since_at, at))
       OR coalesce(since_at, at) > at THEN
        RAISE EXCEPTION 'metric and at must not be null, and since_at not after at'
            USING ERRCODE = 'invalid_parameter_value',
                  DETAIL = format('metric is %s, since_at is %s, at is %s.', coalesce(quote_literal(metric), 'null'),
                                  coalesce(since_at::text, 'null'), coalesce(at::text, 'null')),
                  HINT = 'For example: dbmaint_collect_evidence(''response_time_ms'', '''', now() - interval ''10 minutes'', now()).';
    END IF;
    instance := coalesce(left(instance, 500), '');
    since_at := coalesce(since_at, at);
    evidence := jsonb_build_object('version', 1, 'metric', left(metric, 100), 'instance', instance,
        'family', @extschema@.dbmaint_metric_family(metric), 'since_at', since_at, 'at', at,
        'live', @extschema@.dbmaint_is_live(at), 'database', current_database());

    FOREACH section IN ARRAY sections LOOP
        CONTINUE WHEN section LIKE 'look\_%' AND NOT (writable AND (evidence -> 'live')::boolean);
        left_ms := all_ms - (extract(epoch FROM clock_timestamp() - began) * 1000)::int;
        IF left_ms <= 0 THEN
            missed := missed || jsonb_build_object(section, format('no time left of %s ms', all_ms));
            CONTINUE;
        END IF;
        SELECT s.result, s.error INTO did
          FROM @extschema@.dbmaint_evidence_section(section, metric, instance, since_at, at,
                                                    least(section_ms, left_ms)) AS s;
        IF did.error IS NOT NULL THEN
            missed := missed || jsonb_build_object(section, left(did.error, 300));
        ELSIF did.result IS NOT NULL THEN
            evidence := evidence || jsonb_build_object(section, @extschema@.dbmaint_fit_section(did.result::jsonb, section_bytes));
        END IF;
    END LOOP;
    RETURN evidence || jsonb_build_object(
        'errors', @extschema@.dbmaint_fit_section(missed, 4000),
        'took_ms', round((extract(epoch FROM clock_timestamp() - began) * 1000)::numeric, 1));
END
$$;
COMMENT ON FUNCTION dbmaint_collect_evidence(text, text, timestamptz, timestamptz) IS
'What a DBA would look at first when a metric (of an instance; empty: the only one) has been bad since since_at (NULL: since at): an object with the sections statements, waits, blocking, transactions, changes, host, connections, recorder, metric and subject (the index, table, disk, slot or pool in question), each against the same hour of earlier days, or else the hour before, and with errors (by section). Statements are named by query id, never by text. At most 64 kB; a section takes a second, all take three (in a sampler four fifths of what is left of dbmaint.evidence_timeout, which is for all alerts of a round, and a section half of that), and no lock is waited for longer than 50 ms. For its owner, the last seconds are read too: it takes a snapshot of statements, looks for changes, and keeps what the recorder holds of the last five minutes (dbmaint_recordings). A metric that does not exist gives the general sections.';

REVOKE ALL ON FUNCTION dbmaint_baseline_ranges(timestamptz, timestamptz), dbmaint_is_live(timestamptz),
    dbmaint_evidence_look_statements(text, text, timestamptz, timestamptz),
    dbmaint_evidence_look_changes(text, text, timestamptz, timestamptz),
    dbmaint_evidence_snapshot_objects(timestamptz),
    dbmaint_evidence_look_objects(text, text, timestamptz, timestamptz),
    dbmaint_evidence_budget(), dbmaint_evidence_section(text, text, text, timestamptz, timestamptz, int),
    dbmaint_collect_evidence(text, text, timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_baseline_ranges(timestamptz, timestamptz), dbmaint_is_live(timestamptz),
    dbmaint_evidence_budget(), dbmaint_evidence_section(text, text, text, timestamptz, timestamptz, int),
    dbmaint_collect_evidence(text, text, timestamptz, timestamptz) TO pg_monitor;
