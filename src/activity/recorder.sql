-- src/activity/recorder.sql: the last minutes of all sessions in full.

CREATE FUNCTION dbmaint_recorder(
    last interval DEFAULT '5 minutes',
    OUT at timestamptz, OUT pid int, OUT backend_start timestamptz,
    OUT database text, OUT username text, OUT state text, OUT query_id bigint,
    OUT wait_event_type text, OUT wait_event text, OUT xact_start timestamptz,
    OUT blocked_by int)
RETURNS SETOF record
LANGUAGE C VOLATILE CALLED ON NULL INPUT
AS 'MODULE_PATHNAME', 'dbmaint_recorder';
COMMENT ON FUNCTION dbmaint_recorder(interval) IS
'What each session that was not idle did in the last minutes, look by look (dbmaint.activity_interval), oldest first, as far as dbmaint.recorder_size reaches back. blocked_by is one of the processes that it waited for, 0 a prepared transaction, NULL nobody or not known (32 waiting sessions are asked a look). query_id, wait event and xact_start are NULL where there is none; username and database where they are no more. Works in every database.';

CREATE TABLE dbmaint_recordings (
    recording_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    database_oid oid NOT NULL,
    recorded_at timestamptz NOT NULL,
    reason text NOT NULL,
    from_at timestamptz,
    to_at timestamptz,
    observations bigint NOT NULL
);
COMMENT ON SEQUENCE dbmaint_recordings_recording_id_seq IS
'Numbers of recordings; not dumped, as the recordings are not';
CREATE INDEX dbmaint_recordings_recorded_at_idx ON dbmaint_recordings (recorded_at);
COMMENT ON TABLE dbmaint_recordings IS
'Recordings that dbmaint_recorder_freeze() kept, one row each';
COMMENT ON COLUMN dbmaint_recordings.recording_id IS
'Number that dbmaint_recorder_freeze() returned.';
COMMENT ON COLUMN dbmaint_recordings.database_oid IS
'The database in which it was kept; rows that a copy of a database brought along have another one''s.';
COMMENT ON COLUMN dbmaint_recordings.recorded_at IS
'When it was kept.';
COMMENT ON COLUMN dbmaint_recordings.reason IS
'What for.';
COMMENT ON COLUMN dbmaint_recordings.from_at IS
'Time of the first observation; NULL if there is none.';
COMMENT ON COLUMN dbmaint_recordings.to_at IS
'Time of the last observation; NULL if there is none.';
COMMENT ON COLUMN dbmaint_recordings.observations IS
'Number of rows in dbmaint_recorded_activity.';

CREATE TABLE dbmaint_recorded_activity (
    recording_id bigint NOT NULL,
    at timestamptz NOT NULL,
    pid int NOT NULL,
    backend_start timestamptz NOT NULL,
    database text,
    username text,
    state text NOT NULL,
    query_id bigint,
    wait_event_type text,
    wait_event text,
    xact_start timestamptz,
    blocked_by int,
    database_oid oid NOT NULL,
    PRIMARY KEY (recording_id, at, pid)
);
CREATE INDEX dbmaint_recorded_activity_at_idx ON dbmaint_recorded_activity (at);
COMMENT ON TABLE dbmaint_recorded_activity IS
'What the recordings of dbmaint_recordings hold: the rows of dbmaint_recorder() as they were. No foreign key leads from one to the other, since its triggers would be in the way of writing without triggers.';
COMMENT ON COLUMN dbmaint_recorded_activity.recording_id IS
'The recording, in dbmaint_recordings.';
COMMENT ON COLUMN dbmaint_recorded_activity.at IS
'When the session was looked at.';
COMMENT ON COLUMN dbmaint_recorded_activity.pid IS
'Its process.';
COMMENT ON COLUMN dbmaint_recorded_activity.backend_start IS
'When the process began; with pid, it tells sessions apart.';
COMMENT ON COLUMN dbmaint_recorded_activity.database IS
'Its database; NULL if it was dropped meanwhile.';
COMMENT ON COLUMN dbmaint_recorded_activity.username IS
'Its user; NULL if dropped meanwhile.';
COMMENT ON COLUMN dbmaint_recorded_activity.state IS
'Its state, as in pg_stat_activity.';
COMMENT ON COLUMN dbmaint_recorded_activity.query_id IS
'The statement that it executed, or executed last; NULL if not known.';
COMMENT ON COLUMN dbmaint_recorded_activity.wait_event_type IS
'Type of what it waited for; NULL: for nothing.';
COMMENT ON COLUMN dbmaint_recorded_activity.wait_event IS
'What it waited for; NULL: for nothing.';
COMMENT ON COLUMN dbmaint_recorded_activity.xact_start IS
'When its transaction began; NULL: it was in none.';
COMMENT ON COLUMN dbmaint_recorded_activity.blocked_by IS
'One of the processes that it waited for; 0 a prepared transaction; NULL nobody, or not known.';
COMMENT ON COLUMN dbmaint_recorded_activity.database_oid IS
'The database in which it was kept, as in dbmaint_recordings.';

CREATE FUNCTION dbmaint_recorder_freeze(
    reason text, last interval DEFAULT '5 minutes')
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    home oid := (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database());
    recording bigint;
BEGIN
    IF reason IS NULL THEN
        RAISE EXCEPTION 'reason must not be null'
            USING ERRCODE = 'null_value_not_allowed',
                  HINT = 'Say what the recording is kept for.';
    END IF;
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_recordings'::name);
    PERFORM @extschema@.dbmaint_require_untriggered('dbmaint_recorded_activity'::name);

    INSERT INTO @extschema@.dbmaint_recordings (database_oid, recorded_at, reason, observations)
    VALUES (home, clock_timestamp(), reason, 0)
    RETURNING recording_id INTO recording;
    -- a backend that was seen twice at a time left and came back as another
    INSERT INTO @extschema@.dbmaint_recorded_activity
    SELECT recording, r.*, home FROM @extschema@.dbmaint_recorder(last) AS r
        ON CONFLICT DO NOTHING;
    UPDATE @extschema@.dbmaint_recordings AS g
       SET from_at = a.from_at, to_at = a.to_at, observations = a.observations
      FROM (SELECT min(o.at) AS from_at, max(o.at) AS to_at, count(*) AS observations
              FROM @extschema@.dbmaint_recorded_activity AS o
             WHERE o.recording_id = recording) AS a
     WHERE g.recording_id = recording;
    RETURN recording;
END
$$;
COMMENT ON FUNCTION dbmaint_recorder_freeze(text, interval) IS
'Keeps what the recorder holds of the last minutes, as rows of dbmaint_recorded_activity, and returns the recording''s number in dbmaint_recordings';

REVOKE ALL ON dbmaint_recordings, dbmaint_recorded_activity FROM PUBLIC;
GRANT SELECT ON dbmaint_recordings, dbmaint_recorded_activity TO pg_monitor;
REVOKE ALL ON FUNCTION dbmaint_recorder(interval), dbmaint_recorder_freeze(text, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dbmaint_recorder(interval) TO pg_monitor;
