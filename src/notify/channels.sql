-- src/notify/channels.sql: where notifications go.
--
-- What is entered is kept by pg_dump, but for targets and keys: those stay in
-- this database of this server (dbmaint_channel_secrets, whose row security
-- shows nothing even to pg_read_all_data).

CREATE TABLE dbmaint_channel_settings (
    name text NOT NULL,
    seeded bool NOT NULL,
    dropped bool NOT NULL,
    kind text NOT NULL,
    target text,
    min_severity text NOT NULL,
    options jsonb NOT NULL,
    enabled bool NOT NULL,
    PRIMARY KEY (name, seeded)
);
COMMENT ON TABLE dbmaint_channel_settings IS
'The channels as they were entered, without targets and keys. dbmaint_channels shows them; dbmaint_add_channel() and its kin write them.';
COMMENT ON COLUMN dbmaint_channel_settings.name IS
'The channel''s name.';
COMMENT ON COLUMN dbmaint_channel_settings.seeded IS
'Came with the extension. What is changed of such a channel makes a second row, which counts and is dumped.';
COMMENT ON COLUMN dbmaint_channel_settings.dropped IS
'A channel that came with the extension and is not wanted.';
COMMENT ON COLUMN dbmaint_channel_settings.kind IS
'slack, pagerduty, email, sms, webhook, notify or log.';
COMMENT ON COLUMN dbmaint_channel_settings.target IS
'Of a notify channel, the name for LISTEN; of log, empty. NULL where the target is a secret.';
COMMENT ON COLUMN dbmaint_channel_settings.min_severity IS
'The least severity that the channel is told of.';
COMMENT ON COLUMN dbmaint_channel_settings.options IS
'The options that are no secrets.';
COMMENT ON COLUMN dbmaint_channel_settings.enabled IS
'Does it get new notifications, and are those that wait sent? The end of an alert that it was told of waits for it in any case.';
SELECT pg_catalog.pg_extension_config_dump('dbmaint_channel_settings', 'WHERE NOT seeded');

-- the runbook's warnings go to the log and to whoever listens
INSERT INTO dbmaint_channel_settings
VALUES ('log', true, false, 'log', '', 'warning', '{}', true),
       ('notify', true, false, 'notify', 'dbmaint_alerts', 'warning', '{}', true);

CREATE TABLE dbmaint_channel_secrets (
    database_oid oid NOT NULL,
    name text NOT NULL,
    target text,
    keys jsonb,
    PRIMARY KEY (database_oid, name)
);
ALTER TABLE dbmaint_channel_secrets ENABLE ROW LEVEL SECURITY;
COMMENT ON TABLE dbmaint_channel_secrets IS
'Targets and keys of channels. Readable by superusers alone, never dumped; a copy of the database does not use them.';
COMMENT ON COLUMN dbmaint_channel_secrets.database_oid IS
'The database in which it was entered.';
COMMENT ON COLUMN dbmaint_channel_secrets.name IS
'The channel''s name.';
COMMENT ON COLUMN dbmaint_channel_secrets.target IS
'URL, integration key or addresses; NULL where a file has it.';
COMMENT ON COLUMN dbmaint_channel_secrets.keys IS
'The options that are secrets: password, signing_key, headers, body.';

CREATE TABLE dbmaint_channel_states (
    database_oid oid NOT NULL,
    channel text NOT NULL,
    failures int NOT NULL,
    paused_until timestamptz,
    last_sent_at timestamptz,
    last_failed_at timestamptz,
    last_error text,
    PRIMARY KEY (database_oid, channel)
);
COMMENT ON TABLE dbmaint_channel_states IS
'How delivery goes, a row a channel that was used; not dumped.';
COMMENT ON COLUMN dbmaint_channel_states.database_oid IS
'The database.';
COMMENT ON COLUMN dbmaint_channel_states.channel IS
'The channel''s name.';
COMMENT ON COLUMN dbmaint_channel_states.failures IS
'Attempts that failed since the last success, such as are tried again.';
COMMENT ON COLUMN dbmaint_channel_states.paused_until IS
'Nothing is sent before; NULL where nothing holds it.';
COMMENT ON COLUMN dbmaint_channel_states.last_sent_at IS
'The last success.';
COMMENT ON COLUMN dbmaint_channel_states.last_failed_at IS
'The last failure.';
COMMENT ON COLUMN dbmaint_channel_states.last_error IS
'What it was; no secrets.';

CREATE VIEW dbmaint_channels WITH (security_barrier) AS
SELECT s.name, s.kind, s.min_severity,
       coalesce((s.options OPERATOR(pg_catalog.->>) 'escalation_level')::numeric::int, 1) AS escalation_level,
       s.enabled,
       CASE WHEN s.target IS NOT NULL THEN s.target
            WHEN me.rolsuper THEN x.target END AS target,
       s.options,
       CASE WHEN me.rolsuper THEN x.keys END AS keys,
       CASE WHEN s.target IS NULL AND x.target IS NULL
             AND NOT s.options OPERATOR(pg_catalog.?) 'target_file'
            THEN 'no target: dumps and copies leave it out; give it with dbmaint_change_channel()' END AS problem,
       coalesce(t.failures, 0) AS failures, t.paused_until, t.last_sent_at,
       t.last_failed_at, t.last_error
  FROM dbmaint_channel_settings AS s
  JOIN pg_catalog.pg_database AS d ON d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
  JOIN pg_catalog.pg_authid AS me ON me.rolname OPERATOR(pg_catalog.=) current_user
  LEFT JOIN dbmaint_channel_secrets AS x
    ON x.database_oid OPERATOR(pg_catalog.=) d.oid AND x.name OPERATOR(pg_catalog.=) s.name
  LEFT JOIN dbmaint_channel_states AS t
    ON t.database_oid OPERATOR(pg_catalog.=) d.oid AND t.channel OPERATOR(pg_catalog.=) s.name
 WHERE NOT s.dropped
   AND NOT (s.seeded AND EXISTS (SELECT FROM dbmaint_channel_settings AS o
                                  WHERE o.name OPERATOR(pg_catalog.=) s.name AND NOT o.seeded));
COMMENT ON VIEW dbmaint_channels IS
'The channels that notifications go to, and how delivery goes. target and keys are shown to superusers alone, but for the targets of notify and log; problem says what is missing, NULL where nothing is; paused_until is set while a receiver fails or asks to wait.';

CREATE FUNCTION dbmaint_severity_rank(severity text)
RETURNS int
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE severity WHEN 'warning' THEN 1 WHEN 'critical' THEN 2 WHEN 'emergency' THEN 3 END
$$;
COMMENT ON FUNCTION dbmaint_severity_rank(text) IS
'1 for warning, 2 for critical, 3 for emergency; NULL for anything else.';

CREATE FUNCTION dbmaint_validate_channel(
    name text, kind text, target text, min_severity text, options jsonb)
RETURNS void
LANGUAGE C VOLATILE CALLED ON NULL INPUT
AS 'MODULE_PATHNAME', 'dbmaint_validate_channel';
COMMENT ON FUNCTION dbmaint_validate_channel(text, text, text, text, jsonb) IS
'Raises an error that says what is wrong with a channel; reads the files that its options name. The message holds no target and no key.';

CREATE FUNCTION dbmaint_write_channel(
    name text, kind text, target text, min_severity text, options jsonb,
    enabled bool)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    secret_names CONSTANT text[] := '{password,signing_key,headers,body}';
    whole_names CONSTANT text[] := '{escalation_level,concurrency}';
    kept jsonb;
    open_target bool := $2 IN ('notify', 'log');
    this_database oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    here bool;
BEGIN
    PERFORM @extschema@.dbmaint_validate_channel($1, $2, $3, $4, $5);
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_channel_settings'::name);
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_channel_secrets'::name);
    -- 2.0 is a whole number, but its text is none
    SELECT coalesce(jsonb_object_agg(o.key, CASE WHEN o.key = ANY (whole_names)
                                                 THEN to_jsonb(o.value::numeric::int) ELSE o.value END), '{}')
      INTO kept
      FROM jsonb_each($5) AS o WHERE o.key <> ALL (secret_names);

    UPDATE @extschema@.dbmaint_channel_settings AS s
       SET dropped = false, kind = $2, min_severity = $4, enabled = $6,
           target = CASE WHEN open_target THEN coalesce($3, '') END,
           options = kept
     WHERE s.name = $1 AND NOT s.seeded;
    here := FOUND;
    IF NOT here THEN
        INSERT INTO @extschema@.dbmaint_channel_settings AS s
        VALUES ($1, false, false, $2, CASE WHEN open_target THEN coalesce($3, '') END,
                $4, kept, $6);
    END IF;

    DELETE FROM @extschema@.dbmaint_channel_secrets AS x
     WHERE x.database_oid = this_database AND x.name = $1;
    IF NOT open_target THEN
        INSERT INTO @extschema@.dbmaint_channel_secrets
        VALUES (this_database, $1, $3,
                (SELECT jsonb_object_agg(o.key, o.value) FROM jsonb_each($5) AS o
                  WHERE o.key = ANY (secret_names)));
    END IF;
    PERFORM @extschema@.dbmaint_want_notifier();
END
$$;
COMMENT ON FUNCTION dbmaint_write_channel(text, text, text, text, jsonb, bool) IS
'Checks a channel and stores it, its secrets apart. Part of dbmaint_add_channel() and dbmaint_change_channel().';

CREATE FUNCTION dbmaint_want_notifier()
RETURNS void
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'dbmaint_want_notifier';
COMMENT ON FUNCTION dbmaint_want_notifier() IS
'Asks for the process that delivers this database''s notifications, when the transaction commits. Does nothing where the library is not preloaded.';

CREATE FUNCTION dbmaint_add_channel(
    name text, kind text, target text, min_severity text DEFAULT 'warning',
    options jsonb DEFAULT '{}')
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM @extschema@.dbmaint_channels AS c WHERE c.name = $1) THEN
        RAISE EXCEPTION 'channel "%" exists already', $1
            USING ERRCODE = 'duplicate_object',
                  HINT = 'Change it with dbmaint_change_channel(), or drop it first with dbmaint_drop_channel().';
    END IF;
    PERFORM @extschema@.dbmaint_write_channel($1, $2, $3, $4, $5, true);
END
$$;
COMMENT ON FUNCTION dbmaint_add_channel(text, text, text, text, jsonb) IS
'Adds a channel for notifications of at least min_severity (warning, critical, emergency). Kinds and targets: slack, the URL of an incoming webhook; pagerduty, an integration key; email, addresses; sms and webhook, a URL; notify, a name for LISTEN; log, empty. The statement holds the target, so the server''s log may: with the option target_file it is read from a file of mode 0600, and target is NULL. The documentation lists the options.';

CREATE FUNCTION dbmaint_change_channel(
    name text, target text DEFAULT NULL, min_severity text DEFAULT NULL,
    options jsonb DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c record;
    changed jsonb;
BEGIN
    SELECT s.* INTO c FROM @extschema@.dbmaint_channels AS s WHERE s.name = $1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'channel "%" does not exist', $1
            USING ERRCODE = 'undefined_object', HINT = 'dbmaint_channels shows those there are.';
    END IF;
    IF jsonb_typeof($4) <> 'object' THEN
        RAISE EXCEPTION 'options must be a JSON object' USING ERRCODE = 'invalid_parameter_value';
    END IF;

    changed := c.options || coalesce(c.keys, '{}') || coalesce($4, '{}');
    -- an option set to null is no longer there
    SELECT coalesce(jsonb_object_agg(o.key, o.value), '{}') INTO changed
      FROM jsonb_each(changed) AS o WHERE o.value <> 'null';
    IF $2 IS NOT NULL AND NOT coalesce($4 ? 'target_file', false) THEN
        changed := changed - 'target_file';
    END IF;
    PERFORM @extschema@.dbmaint_write_channel(
        $1, c.kind, CASE WHEN $2 IS NOT NULL THEN $2
                         WHEN NOT changed ? 'target_file' THEN c.target END,
        coalesce($3, c.min_severity), changed, c.enabled);
END
$$;
COMMENT ON FUNCTION dbmaint_change_channel(text, text, text, jsonb) IS
'Changes what is given of a channel, and leaves what is NULL. Options are merged; one given as null goes.';

CREATE FUNCTION dbmaint_enable_channel(name text, enabled bool DEFAULT true)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known bool;
BEGIN
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_channel_settings'::name);
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_outbox'::name);
    IF $2 IS NULL OR NOT EXISTS (SELECT FROM @extschema@.dbmaint_channels AS c WHERE c.name = $1) THEN
        RAISE EXCEPTION 'channel "%" does not exist', $1
            USING ERRCODE = 'undefined_object', HINT = 'dbmaint_channels shows those there are.';
    END IF;
    -- ends that waited for the channel are as good as new
    UPDATE @extschema@.dbmaint_outbox AS o SET queued_at = clock_timestamp(), next_attempt_at = clock_timestamp()
     WHERE $2 AND o.database_oid = @extschema@.dbmaint_this_database() AND o.channel = $1
       AND o.state = 'queued' AND o.kind = 'resolve'
       AND EXISTS (SELECT FROM @extschema@.dbmaint_channels AS c WHERE c.name = $1 AND NOT c.enabled);
    UPDATE @extschema@.dbmaint_channel_settings AS s SET enabled = $2
     WHERE s.name = $1 AND NOT s.seeded;
    known := FOUND;
    IF NOT known THEN
        INSERT INTO @extschema@.dbmaint_channel_settings
        SELECT s.name, false, false, s.kind, s.target, s.min_severity, s.options, $2
          FROM @extschema@.dbmaint_channel_settings AS s WHERE s.name = $1;
    END IF;
    PERFORM @extschema@.dbmaint_want_notifier();
END
$$;
COMMENT ON FUNCTION dbmaint_enable_channel(text, bool) IS
'Turns a channel on or off. One that is off gets no new notifications, but for the ends of alerts that it was told of; what waits is sent when it is on again, ends however old they are, the rest unless it is too old by then.';

CREATE FUNCTION dbmaint_drop_channel(name text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    this_database oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
BEGIN
    IF NOT EXISTS (SELECT FROM @extschema@.dbmaint_channels AS c WHERE c.name = $1) THEN
        RAISE EXCEPTION 'channel "%" does not exist', $1
            USING ERRCODE = 'undefined_object', HINT = 'dbmaint_channels shows those there are.';
    END IF;
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_channel_settings'::name);
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_channel_secrets'::name);
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_channel_states'::name);
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_outbox'::name);

    DELETE FROM @extschema@.dbmaint_channel_settings AS s WHERE s.name = $1 AND NOT s.seeded;
    -- what came with the extension would come back with a restore
    INSERT INTO @extschema@.dbmaint_channel_settings
    SELECT s.name, false, true, s.kind, s.target, s.min_severity, s.options, false
      FROM @extschema@.dbmaint_channel_settings AS s WHERE s.name = $1;
    DELETE FROM @extschema@.dbmaint_channel_secrets AS x WHERE x.name = $1;
    DELETE FROM @extschema@.dbmaint_channel_states AS t WHERE t.channel = $1;
    UPDATE @extschema@.dbmaint_outbox AS o
       SET state = 'dropped', message = NULL, error = 'the channel was dropped'
     WHERE o.database_oid = this_database AND o.channel = $1 AND o.state = 'queued';
END
$$;
COMMENT ON FUNCTION dbmaint_drop_channel(text) IS
'Drops a channel and what waits to be sent to it.';

REVOKE ALL ON dbmaint_channel_settings, dbmaint_channel_secrets, dbmaint_channel_states, dbmaint_channels FROM PUBLIC;
GRANT SELECT ON dbmaint_channels, dbmaint_channel_states TO pg_monitor;
REVOKE ALL ON FUNCTION dbmaint_validate_channel(text, text, text, text, jsonb),
    dbmaint_write_channel(text, text, text, text, jsonb, bool),
    dbmaint_want_notifier(), dbmaint_add_channel(text, text, text, text, jsonb),
    dbmaint_change_channel(text, text, text, jsonb),
    dbmaint_enable_channel(text, bool), dbmaint_drop_channel(text) FROM PUBLIC;
