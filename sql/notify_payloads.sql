-- What each kind of channel sends of a message, field by field; hostile names.
\set SHOW_CONTEXT never
CREATE EXTENSION dbmaint;
SELECT dbmaint_add_channel('team', 'slack', 'https://hooks.slack.com/services/T0/B0/x');
SELECT dbmaint_add_channel('pager', 'pagerduty', '0123456789abcdef0123456789abcdef');
SELECT dbmaint_add_channel('mail', 'email', 'dba-team@company.com, b@company.com', 'warning', '{"smtp": "smtp://mail.company.com", "from": "db1@company.com"}');
SELECT dbmaint_add_channel('text', 'sms', 'https://sms.example.com/');
SELECT dbmaint_add_channel('form', 'sms', 'https://sms.example.com/', 'warning', '{"content_type": "application/x-www-form-urlencoded", "body": "to=%2B491&text={{short}}&n={{value}}"}');
SELECT dbmaint_add_channel('hook', 'webhook', 'https://example.com/');
SELECT dbmaint_add_channel('tpl', 'webhook', 'https://example.com/', 'warning',
    '{"body": "{\"title\": \"[{{severity}}] {{metric}} {{instance}}\", \"value\": {{value}}, \"unit\": {{unit}}, \"limit\": {{threshold}}, \"cause\": {{cause}}, \"on\": \"{{cluster_name}}/{{host}}:{{port}}/{{database}}\", \"evidence\": {{evidence}}}"}');
CREATE TABLE message AS SELECT '{
  "incident": 42, "dedup_key": "dbmaint/7/app/response_time_ms/", "kind": "trigger", "state": "firing", "severity": "emergency",
  "metric": "response_time_ms", "instance": "", "value": 120.50, "unit": "ms", "threshold": 110, "comparison": ">",
  "since": "2026-01-02T03:04:05+00:00", "at": "2026-01-02T03:06:05+00:00", "sustained_seconds": 120,
  "summary": "EMERGENCY: response_time_ms is 120.5 ms (> 110 ms) <!channel> & more", "cause": "query -42 on orders: 4 ms to 180 ms, 71 % of the increase",
  "actions": ["PagerDuty alert", "Look at <locks>"], "escalation_level": 1,
  "server": {"cluster_name": "main", "host": "db1.company.com", "port": 5432, "database": "app"},
  "evidence": {"statements": [{"queryid": -42, "calls": 7}]}}'::jsonb AS m;

-- Slack: text always; & < > escaped; the colour, fields and time of an attachment
SELECT content_type, jsonb_pretty(body::jsonb) FROM message, dbmaint_preview_notification('team', m);
SELECT k AS kind, s AS severity, body::jsonb #>> '{attachments,0,color}' AS color
  FROM message, unnest('{trigger,resolve}'::text[]) AS k, unnest('{warning,critical,emergency}'::text[]) AS s,
       dbmaint_preview_notification('team', m || jsonb_build_object('kind', k, 'severity', s));
SELECT body::jsonb ? 'text' AS has_text, length(body::jsonb ->> 'text') AS text_length, length(body::jsonb #>> '{attachments,0,title}') AS title_length,
       length(body::jsonb #>> '{attachments,0,text}') AS attachment_length
  FROM message, dbmaint_preview_notification('team', m || jsonb_build_object('summary', repeat('s', 5000), 'cause', repeat('c', 5000), 'actions', jsonb_build_array(repeat('a', 5000))));

-- PagerDuty: trigger, acknowledge, resolve; severities; limits
SELECT content_type, jsonb_pretty(body::jsonb) FROM message, dbmaint_preview_notification('pager', m);
SELECT k AS kind, body::jsonb - 'payload' AS event FROM message, unnest('{trigger,change,reminder,escalation,acknowledge,resolve,test}'::text[]) AS k,
       dbmaint_preview_notification('pager', m || jsonb_build_object('kind', k));
SELECT s AS severity, body::jsonb #>> '{payload,severity}' AS pagerduty FROM message, unnest('{warning,critical,emergency}'::text[]) AS s,
       dbmaint_preview_notification('pager', m || jsonb_build_object('severity', s));
SELECT length(body::jsonb #>> '{payload,summary}') AS summary, length(body::jsonb ->> 'dedup_key') AS dedup_key, body::jsonb #> '{payload,custom_details,evidence}' IS NULL AS without_details, octet_length(body) < 512000 AS fits
  FROM message, dbmaint_preview_notification('pager', m || jsonb_build_object('summary', repeat('ä', 2000), 'dedup_key', repeat('k', 300), 'evidence', jsonb_build_object('x', repeat('y', 600000))));
-- a message with hardly anything in it is an event all the same
SELECT (body::jsonb -> 'payload') - 'custom_details' AS payload FROM dbmaint_preview_notification('pager', '{}');

-- mail: headers and body
SELECT body FROM message, dbmaint_preview_notification('mail', m || '{"message_id": "01234567-89ab-cdef-0123-456789abcdef"}');
SELECT convert_from(decode(replace(split_part(body, E'\r\n\r\n', 2), E'\r\n', ''), 'base64'), 'UTF8') AS text
  FROM message, dbmaint_preview_notification('mail', m);

-- SMS, forms, webhooks, templates
SELECT content_type, body FROM message, dbmaint_preview_notification('text', m);
SELECT length(body::jsonb ->> 'text') FROM message, dbmaint_preview_notification('text', m || jsonb_build_object('summary', repeat('é', 500)));
SELECT content_type, body FROM message, dbmaint_preview_notification('form', m);
SELECT content_type, body::jsonb = m AS the_message FROM message, dbmaint_preview_notification('hook', m);
SELECT jsonb_pretty(body::jsonb) FROM message, dbmaint_preview_notification('tpl', m);
SELECT jsonb_pretty(body::jsonb) FROM dbmaint_preview_notification('tpl', '{"value": "NaN", "cause": null}');
-- NOTIFY is below 8000 bytes, and ASCII
SELECT jsonb_pretty(body::jsonb) FROM message, dbmaint_preview_notification('notify', m);
SELECT octet_length(body) < 8000 AS fits, octet_length(body) = length(body) AS ascii, body::jsonb ->> 'incident' AS incident
  FROM message, dbmaint_preview_notification('notify', m || jsonb_build_object('summary', repeat('ä', 9000), 'cause', repeat('"', 9000), 'actions', jsonb_build_array(repeat(E'\n', 9000))));
SELECT body FROM message, dbmaint_preview_notification('log', m);

-- hostile names: every JSON parses, no header or line breaks out
CREATE TABLE hostile AS SELECT m || jsonb_build_object('instance', h, 'summary', h, 'cause', h, 'metric', h, 'dedup_key', h, 'unit', h, 'actions', jsonb_build_array(h),
       'server', jsonb_build_object('cluster_name', h, 'host', h, 'port', h, 'database', h)) AS m
  FROM message, (SELECT 'a"b\' || E'\n\r\t\x01\x1b[31m\x7f' || U&'\202E\2028\0085' || E'\r\nBcc: evil@example.com\r\n\r\nbody {{summary}} }} <!here> ''; DROP TABLE x; --' AS h) AS h;
SELECT channel, body::jsonb IS NOT NULL AS parses FROM hostile, unnest('{team,pager,text,hook,tpl,notify}'::text[]) AS channel, dbmaint_preview_notification(channel, m);
SELECT body::jsonb ->> 'title' = format('[emergency] %s %s', m ->> 'metric', m ->> 'instance') AS as_it_was FROM hostile, dbmaint_preview_notification('tpl', m);
SELECT body ~ '<!' AS rings FROM hostile, dbmaint_preview_notification('team', m);
SELECT split_part(line, ':', 1) AS header FROM hostile, dbmaint_preview_notification('mail', m), regexp_split_to_table(split_part(body, E'\r\n\r\n', 1), E'\r\n') AS line WHERE line !~ '^ ';
SELECT body ~ '[\x01-\x1f\x7f]' AS controls FROM hostile, dbmaint_preview_notification('log', m);
SELECT array_length(string_to_array(body, '&'), 1) AS fields FROM hostile, dbmaint_preview_notification('form', m);
-- no message
SELECT dbmaint_preview_notification('team', '[]');
SELECT dbmaint_preview_notification('team', '"x"');
SELECT body::jsonb ->> 'kind' AS kind FROM dbmaint_preview_notification('hook');
DROP TABLE message, hostile;
DROP EXTENSION dbmaint;
