-- Channels: what is refused when it is entered, what is a secret, what a change does.
\set SHOW_CONTEXT never
CREATE EXTENSION dbmaint;
SELECT name, kind, min_severity, escalation_level, enabled, target, options, keys, problem FROM dbmaint_channels ORDER BY name;

-- good ones
SELECT dbmaint_add_channel('team', 'slack', 'https://hooks.slack.com/services/T0/B0/secret', 'critical');
SELECT dbmaint_add_channel('pager', 'pagerduty', '0123456789abcdef0123456789ABCDEF', 'emergency', '{"escalation_level": 2}');
SELECT dbmaint_add_channel('mail', 'email', 'dba-team@company.com, second@company.com', 'critical',
    '{"smtp": "smtp://mail.company.com", "from": "db1@company.com", "username": "db1", "password": "secret"}');
SELECT dbmaint_add_channel('text', 'sms', 'https://sms.example.com/send?from=db', 'critical',
    '{"headers": {"Authorization": "Bearer secret"}, "body": "{\"to\": \"+1\", \"token\": \"secret\", \"text\": \"{{short}}\"}"}');
SELECT dbmaint_add_channel('hook', 'webhook', 'https://example.com/hook', 'warning',
    '{"method": "PUT", "signing_key": "secret", "rate_per_second": 0.5, "concurrency": 2}');
SELECT dbmaint_add_channel('listen', 'notify', 'Other Channel');
SELECT dbmaint_add_channel('second log', 'log', NULL, 'emergency');
SELECT name, kind, min_severity, escalation_level, enabled, target, options, keys, problem FROM dbmaint_channels ORDER BY name COLLATE "C";

-- names, kinds, severities
SELECT dbmaint_add_channel('team', 'log', '');
SELECT dbmaint_add_channel('log', 'log', '');
SELECT dbmaint_add_channel('', 'log', '');
SELECT dbmaint_add_channel(NULL, 'log', '');
SELECT dbmaint_add_channel(E'a\nb', 'log', '');
SELECT dbmaint_add_channel(repeat('x', 64), 'log', '');
SELECT dbmaint_add_channel('x', 'fax', '');
SELECT dbmaint_add_channel('x', NULL, '');
SELECT dbmaint_add_channel('x', 'log', '', 'bad');
SELECT dbmaint_add_channel('x', 'log', '', NULL);
SELECT dbmaint_add_channel('x', 'log', '', 'warning', NULL);
SELECT dbmaint_add_channel('x', 'log', '', 'warning', '[]');
SELECT dbmaint_add_channel('x', 'log', 'somewhere');
SELECT dbmaint_add_channel('x', 'notify', '');
SELECT dbmaint_add_channel('x', 'notify', repeat('x', 64));
SELECT dbmaint_add_channel('x', 'slack', NULL);

-- no message repeats what may be a secret
CREATE FUNCTION refused(target text, kind text DEFAULT 'webhook', options jsonb DEFAULT '{}')
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    detail text;
    hint text;
BEGIN
    PERFORM dbmaint_add_channel('x', kind, target, 'warning', options);
    PERFORM dbmaint_drop_channel('x');
    RETURN 'accepted';
EXCEPTION WHEN invalid_parameter_value THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', CASE WHEN concat(message, detail, hint) LIKE '%s3cr3t%' THEN 'TELLS' END, message, nullif(hint, ''));
END
$$;
SELECT u AS url, refused(u) FROM unnest(ARRAY[
    'ftp://s3cr3t.example/', 'file:///etc/passwd', 'gopher://s3cr3t.example/', 's3cr3t', 'http://', 'https://user:s3cr3t@example.com/',
    E'https://example.com/s3cr3t\r\nX: y', 'https://example.com/s3cr3t x', 'https://example.com:99999/s3cr3t', 'https://example.com/#s3cr3t',
    'http://127.0.0.1/s3cr3t', 'http://localhost/s3cr3t', 'http://[::1]/s3cr3t', 'http://10.1.2.3/s3cr3t', 'http://192.168.0.1/',
    'http://169.254.169.254/latest/meta-data/', 'http://[::ffff:169.254.169.254]/', 'http://[fd00:ec2::254]/', 'http://0x7f.1/', 'http://127.1/',
    'http://2130706433/', 'http://0.0.0.0/', 'http://[64:ff9b::7f00:1]/', 'smtp://example.com', 'https://' || repeat('s3cr3t', 400),
    'https://example.com/fine']) AS u;
SELECT t AS target, refused(t, 'pagerduty') FROM unnest(ARRAY['short', repeat('x', 33), repeat('-', 32), repeat('a', 32)]) AS t;
SELECT t AS target, refused(t, 'email', '{"smtp": "smtps://mail.example.com", "from": "a@b"}')
  FROM unnest(ARRAY['', 'a', 'a@b,', 'a@b c@d', E'a@b\r\nBcc: c@d', '<a@b>', 'a@b, c@d', repeat('a@b,', 20) || 'a@b']) AS t;
SELECT o AS options, refused('a@b', 'email', o) FROM unnest(ARRAY[
    '{}', '{"smtp": "smtp://m.example"}', '{"smtp": "http://m.example", "from": "a@b"}', '{"smtp": "smtp://m.example", "from": "a@b\r\nX: y"}',
    '{"smtp": "smtp://u:s3cr3t@m.example", "from": "a@b"}', '{"smtp": "smtp://10.0.0.1", "from": "a@b"}',
    '{"smtp": "smtp://m.example", "from": "a@b", "password": "s3cr3t"}',
    '{"smtp": "smtp://m.example", "from": "a@b", "username": "u", "password": "s3cr3t\nx"}',
    '{"smtp": "smtp://m.example", "from": "a@b", "username": "u", "password": "s3cr3t", "insecure_plaintext": true}',
    '{"smtp": "smtp://m.example", "from": "a@b", "insecure_plaintext": true}']::jsonb[]) AS o;
SELECT o AS options, refused('https://example.com/', 'webhook', o) FROM unnest(ARRAY[
    '{"methods": "GET"}', '{"method": "GET"}', '{"method": 1}', '{"rate_per_second": 0}', '{"rate_per_second": "s3cr3t"}', '{"concurrency": 1.5}',
    '{"concurrency": 17}', '{"escalation_level": 0}', '{"escalation_level": 4}', '{"evidence": "no"}', '{"query_texts": null}',
    '{"headers": "s3cr3t"}', '{"headers": {"X": 1}}', '{"headers": {"X": "s3cr3t\r\nY: z"}}', '{"headers": {"X\nY": "z"}}', '{"headers": {"X: Y": "z"}}',
    '{"headers": {"Host": "s3cr3t"}}', '{"headers": {"content-length": "5"}}', '{"headers": {"Idempotency-Key": "x"}}', '{"headers": {"X Y": "z"}}',
    '{"headers": {"X": "ä"}}', '{"headers": {"": "x"}}', '{"headers": {"X-Token": "s3cr3t", "Y": ""}}', '{"headers": [["X", "Y"]]}',
    '{"body": "{{s3cr3t}}"}', '{"body": "{{summary"}', '{"body": "{\"a\": {{summary}}}"}', '{"body": "{\"a\": x{{summary}}}"}', '{"body": "{{summary}} {{summary}}"}',
    '{"body": "{\"a\": \"{{evidence}}\", \"b\": {{evidence}}, \"c\": {{value}}, \"d\": \"{{value}}\"}"}', '{"body": "s3cr3t"}',
    '{"body": "a={{summary}}"}', '{"body": "a={{summary}}", "content_type": "application/x-www-form-urlencoded"}',
    '{"body": "{{summary}}", "content_type": "text/plain; charset=utf-8"}', '{"body": "x", "content_type": "text/xml"}',
    '{"content_type": "text/plain"}', '{"body": "{}", "content_type": "application/json\r\nX: y"}', '{"body": "{}", "content_type": "application/vnd.x+json"}',
    '{"signing_key": ""}', '{"signing_key": "s3cr3t", "signature_header": "X-Hub-Signature-256"}', '{"signature_header": "X: y"}',
    '{"ca_file": "relative"}', '{"ca_file": "/nonexistent"}', '{"target_file": "/nonexistent"}', '{"password": "s3cr3t"}', '{"": 1}', '{"a,b": 1}']::jsonb[]) AS o;
-- files instead of what is a secret
SELECT refused(NULL, 'webhook', '{"target_file": "relative"}');
SELECT refused(NULL, 'webhook', '{"target_file": "/nonexistent"}');
SELECT refused(NULL, 'webhook', '{"target_file": "/dev/null"}');
SELECT refused(NULL, 'webhook', '{"target_file": "/"}');
SELECT refused(NULL, 'webhook', '{"target_file": "/etc/passwd"}');
SELECT refused(NULL, 'webhook', '{"target_file": 5}');

-- a change leaves what it does not name
SELECT dbmaint_change_channel('hook', min_severity => 'critical', options => '{"method": null, "concurrency": 4}');
SELECT dbmaint_change_channel('hook', target => 'https://example.com/other');
SELECT dbmaint_change_channel('log', options => '{"rate_per_second": 5}');
SELECT dbmaint_enable_channel('notify', false);
SELECT dbmaint_enable_channel('pager', false);
SELECT dbmaint_drop_channel('team');
SELECT name, kind, min_severity, enabled, target, options, keys FROM dbmaint_channels ORDER BY name COLLATE "C";
SELECT dbmaint_enable_channel('notify');
SELECT dbmaint_drop_channel('notify');
SELECT dbmaint_drop_channel('notify');
SELECT dbmaint_change_channel('notify', min_severity => 'critical');
SELECT dbmaint_enable_channel('notify');
SELECT dbmaint_test_channel('notify');
SELECT dbmaint_preview_notification('notify');
SELECT dbmaint_change_channel('hook', options => '[]');
SELECT dbmaint_change_channel('hook', min_severity => 'x');
SELECT dbmaint_change_channel('hook', target => 'http://127.0.0.1/');
SELECT count(*) FROM dbmaint_channels WHERE name = 'notify';
SELECT dbmaint_add_channel('notify', 'notify', 'back', 'emergency');
SELECT name, enabled, target, min_severity FROM dbmaint_channels WHERE name = 'notify';
-- what came with the extension is not dumped, what became of it is
SELECT name, seeded, dropped, enabled FROM dbmaint_channel_settings WHERE name IN ('log', 'notify') ORDER BY 1, 2;

-- a template must give JSON however the type is written
SELECT t AS content_type, refused('https://example.com/', 'webhook', jsonb_build_object('content_type', t, 'body', b))
  FROM unnest(ARRAY['Application/JSON', 'application/json; charset=utf-8', 'application/vnd.x+JSON', 'Text/Plain', 'Application/X-WWW-form-urlencoded']) AS t,
       unnest(ARRAY['{"text": {{summary}}', '{"text": {{summary}}}']) AS b;
-- a whole number is stored as one, however it was written, and read so where it is not
SELECT dbmaint_add_channel('whole', 'notify', 'x', 'warning', '{"escalation_level": 1.0, "concurrency": 2.00, "rate_per_second": 1.50}');
SELECT escalation_level, options FROM dbmaint_channels WHERE name = 'whole';
SELECT dbmaint_change_channel('whole', options => '{"escalation_level": 3.0}');
SELECT escalation_level, options FROM dbmaint_channels WHERE name = 'whole';
UPDATE dbmaint_channel_settings SET options = '{"escalation_level": 2.0, "concurrency": 3.0}' WHERE name = 'whole';
SELECT escalation_level FROM dbmaint_channels WHERE name = 'whole';
SELECT dbmaint_test_channel('whole') IS NOT NULL AS queued;
SELECT rate, concurrency FROM dbmaint_due_channels(now() + interval '1 minute') WHERE name = 'whole';
SELECT dbmaint_drop_channel('whole');
SELECT dbmaint_add_channel('x', 'notify', 'x', 'warning', '{"concurrency": 2.5}');

-- rights: a monitor sees no secrets, nor does one who may read all data
CREATE ROLE dbmaint_plain;
GRANT pg_monitor, pg_read_all_data TO dbmaint_plain;
SET ROLE dbmaint_plain;
SELECT name, target, options, keys FROM dbmaint_channels WHERE concat(target, options, keys) ~* 'secret|hooks|company.com|/other|Bearer';
SELECT name, target, keys FROM dbmaint_channels WHERE target IS NOT NULL OR keys IS NOT NULL ORDER BY name COLLATE "C";
SELECT count(*) FROM dbmaint_channel_secrets;
SELECT dbmaint_add_channel('mine', 'notify', 'x');
SELECT dbmaint_test_channel('log');
SELECT dbmaint_preview_notification('pager');
SELECT dbmaint_queue_notifications(1, 'trigger', now());
RESET ROLE;
SELECT count(*) FROM dbmaint_channel_secrets;
DROP ROLE dbmaint_plain;
-- nor does a copy of the database have them
UPDATE dbmaint_channel_secrets SET database_oid = 1;
SELECT name, target, keys, problem FROM dbmaint_channels WHERE problem IS NOT NULL ORDER BY name COLLATE "C";

-- no trigger of somebody else's runs with our rights
CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''ran''; RETURN NEW; END';
CREATE TRIGGER planted BEFORE INSERT OR UPDATE ON dbmaint_channel_settings FOR EACH ROW EXECUTE FUNCTION planted();
SELECT dbmaint_add_channel('another', 'notify', 'x');
DROP TRIGGER planted ON dbmaint_channel_settings;
DROP FUNCTION planted();
DROP FUNCTION refused(text, text, jsonb);
DROP EXTENSION dbmaint;
