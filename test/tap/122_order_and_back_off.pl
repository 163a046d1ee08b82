# Receivers that fail: how often they are tried, that they delay nobody else,
# and that what is said of an incident arrives in its order.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Receiver;
use Samplers qw(sampled_again);
use Test::More;
use Time::HiRes qw(time);

my $node = new_notifying_server('primary');
my $http = Receiver->new('http');

sub add
{
	my ($name, $options) = @_;
	return sql($node, sprintf "SELECT dbmaint_add_channel('%s', 'webhook', '%s', 'warning', %s)", $name, $http->url("by/$name"), literal($options // '{}'));
}

# "incident kind" of all that came to a channel, one after another.
sub said { return join ', ', map { my $b = Receiver::body($_); "$b->{incident} $b->{kind}" } grep { $_->{mode} eq 'ok' } $http->requests("/by/$_[0]"); }

# A receiver that hangs, one that refuses, one that is well.
add($_) foreach qw(hangs fails well);
$http->behave('hangs', 'hang');
$http->behave('fails', '503');
queue($node, 'hangs', $_, 'trigger') foreach 1 .. 20;
queue($node, 'fails', $_, 'trigger') foreach 1 .. 20;
ok($http->await('/by/hangs', 1), 'a receiver hangs');
my $began = time;
queue($node, 'well', $_, 'trigger') foreach 1 .. 20;
$http->await('/by/well', 20);
cmp_ok(time - $began, '<', 8, 'another one gets its 20 meanwhile');
is(scalar($http->requests('/by/well')), 20, 'each once');
is(sql($node, "SELECT max(extract(epoch FROM sent_at - queued_at)) < 2 FROM dbmaint_outbox WHERE channel = 'well'"), 't', 'none waited for two seconds');
is(sql($node, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dbmaint notifier' AND xact_start IS NOT NULL AND now() - xact_start > interval '1 s'"), '0', 'no transaction is open meanwhile');
ok(sampled_again($node, 'postgres', 3), 'and the sampler goes on');
sleep 8;
my $tries = () = $http->requests('/by/fails');
cmp_ok($tries, '>=', 3, 'one that refuses is tried again');
cmp_ok($tries, '<=', 12, 'less and less often, all of its messages together');
is(sql($node, "SELECT failures > 1 AND paused_until > now() - interval '1 min' AND last_error = 'the receiver answered 503' AND last_sent_at IS NULL FROM dbmaint_channels WHERE name = 'fails'"), 't', 'dbmaint_channels says so');
my $log = slurp_file($node->logfile);
my $lines = () = $log =~ /notifications to channel "fails" fail/g;
is($lines, 1, 'and the log, once');
$http->behave('fails', 'ok');
ok(wait_for($node, "count(*) = 20 FROM dbmaint_outbox WHERE channel = 'fails' AND state = 'sent'"), 'all arrive when it is well again');
is(sql($node, "SELECT failures = 0 AND paused_until IS NULL AND last_sent_at IS NOT NULL FROM dbmaint_channels WHERE name = 'fails'"), 't', 'and nothing holds the channel');
like(slurp_file($node->logfile), qr/notifications to channel "fails" arrive again/, 'the log says so, too');
sql($node, "SELECT dbmaint_drop_channel('hangs')");

# Order, while the receiver fails now and then.
add('order');
$http->behave('order', '500');
queue($node, 'order', 100, 'trigger');
$http->await('/by/order', 1);
queue($node, 'order', 100, 'change', severity => 'warning');
queue($node, 'order', 100, 'reminder');
queue($node, 'order', 100, 'resolve');
queue($node, 'order', 101, 'trigger', dedup_key => 'dbmaint/1/app/m/100');
$http->behave('order', 'ok');
ok(wait_for($node, "count(*) = 3 FROM dbmaint_outbox WHERE channel = 'order' AND state = 'sent'"), 'an incident and the next of the same metric');
is(said('order'), '100 trigger, 100 resolve, 101 trigger', 'in their order, without what was superfluous');
# refused for good: its end is not told
$http->behave('order', '400');
queue($node, 'order', 102, 'trigger');
ok(wait_for($node, "state = 'failed' FROM dbmaint_outbox WHERE channel = 'order' AND incident_id = 102"), 'a trigger that is refused');
$http->behave('order', 'ok');
queue($node, 'order', 102, 'resolve');
ok(wait_for($node, "state = 'superseded' FROM dbmaint_outbox WHERE channel = 'order' AND incident_id = 102 AND kind = 'resolve'"), 'has no end to tell of');

# The gravest first.
add('grave', '{"rate_per_second": 2, "concurrency": 1}');
$http->behave('grave', '503');
queue($node, 'grave', 200, 'trigger', severity => 'warning');
$http->await('/by/grave', 1);
queue($node, 'grave', 201, 'trigger', severity => 'warning');
queue($node, 'grave', 202, 'trigger', severity => 'emergency');
queue($node, 'grave', 203, 'trigger', severity => 'critical');
$http->behave('grave', 'ok');
ok(wait_for($node, "count(*) = 4 FROM dbmaint_outbox WHERE channel = 'grave' AND state = 'sent'"), 'four of different severities');
my ($first) = split /, /, said('grave');
is($first, '202 trigger', 'the emergency is first');

# After a long outage: what waits there waits for minutes, emergencies do not.
sub pause
{
	my ($channel) = @_;
	ok(wait_for($node, "count(*) = 0 FROM dbmaint_outbox WHERE channel = '$channel' AND state = 'sending'"), "nothing is under way to $channel");
	# as after many failures; again if the notifier took one in between, and for
	# a notifier that does not know better
	ok($node->poll_query_until('postgres', qq{
		WITH later AS (UPDATE dbmaint_outbox SET next_attempt_at = clock_timestamp() + interval '5 min'
			WHERE channel = '$channel' AND state = 'queued' RETURNING 1),
		paused AS (UPDATE dbmaint_channel_states SET failures = 9, paused_until = clock_timestamp() + interval '5 min',
			last_failed_at = clock_timestamp() - interval '1 min'
			WHERE channel = '$channel' AND EXISTS (SELECT FROM later) RETURNING 1)
		SELECT count(*) = 1 FROM paused}), "$channel is paused for minutes");
	sql($node, q{SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE backend_type = 'dbmaint notifier'});
	return;
}
add('outage');
$http->behave('outage', '503');
queue($node, 'outage', 250, 'trigger', severity => 'warning');
$http->await('/by/outage', 1);
pause('outage');
$tries = () = $http->requests('/by/outage');
queue($node, 'outage', 251, 'trigger', severity => 'warning');
$began = time;
queue($node, 'outage', 252, 'trigger', severity => 'emergency');
ok(wait_for($node, "attempts = 1 AND state = 'queued' FROM dbmaint_outbox WHERE channel = 'outage' AND incident_id = 252"), 'an emergency is tried in the pause');
cmp_ok(time - $began, '<', 8, 'at once');
my @tried = $http->requests('/by/outage');
is(join(',', map { Receiver::body($_)->{incident} } @tried[ $tries .. $#tried ]), '252', 'alone');
is(sql($node, "SELECT paused_until > now() + interval '1 min' FROM dbmaint_channels WHERE name = 'outage'"), 't', 'it fails, and the pause stays');
sleep 8;
is(sql($node, "SELECT string_agg(attempts::text, ' ' ORDER BY incident_id) ~ '^[0-9]+ 0 [2-5]\$' FROM dbmaint_outbox WHERE channel = 'outage'"), 't', 'it is tried again, less and less often, and nothing else');
pause('outage');
$http->behave('outage', 'ok');
$began = time;
queue($node, 'outage', 250, 'change', severity => 'emergency');
ok(wait_for($node, "state = 'sent' FROM dbmaint_outbox WHERE channel = 'outage' AND incident_id = 250 AND kind = 'change'"), 'an alert that becomes one arrives');
cmp_ok(time - $began, '<', 8, 'at once');
like(said('outage'), qr/^250 trigger, (?:251 trigger, )?250 change/, 'after what was to be said before');

# The rate.
add('rate', '{"rate_per_second": 4}');
$began = time;
sql($node, "SELECT dbmaint_put_notification('rate', 300 + i, 'trigger', '{\"kind\": \"trigger\", \"severity\": \"warning\"}'::jsonb || jsonb_build_object('dedup_key', i::text, 'incident', i), clock_timestamp()) FROM generate_series(1, 20) AS i; SELECT dbmaint_want_notifier()");
ok($http->await('/by/rate', 20) == 20, '20 messages at 4 a second');
cmp_ok(time - $began, '>', 4, 'take their time');
cmp_ok(time - $began, '<', 12, 'and no more');

# Far more at once than the notifier keeps track of, for channels whose
# results come in the turn itself, while requests are under way to others.
my $position = -s $node->logfile;
add('busy');
add("hung$_") foreach 1 .. 3;
$http->behave("hung$_", 'hang') foreach 1 .. 3;
sql($node, "SELECT dbmaint_add_channel('local$_', 'notify', 'local$_')") foreach 1 .. 4;
# what is stored and no longer valid is a result at once, too
sql($node, "SELECT dbmaint_add_channel('broken', 'webhook', '" . $http->url('by/broken') . "')");
sql($node, q{UPDATE dbmaint_channel_secrets SET target = 'none' WHERE name = 'broken'});
sql($node, q{SELECT dbmaint_put_notification(c, 10000 + i, 'trigger', '{"kind": "trigger", "severity": "warning"}'::jsonb || jsonb_build_object('dedup_key', i::text, 'incident', i), clock_timestamp())
	FROM generate_series(1, 300) AS i, unnest('{local1,local2,local3,local4,log,notify}'::text[]) AS c;
	SELECT dbmaint_put_notification(c, 10000 + i, 'trigger', '{"kind": "trigger", "severity": "warning"}'::jsonb || jsonb_build_object('dedup_key', i::text, 'incident', i), clock_timestamp())
	FROM generate_series(1, 100) AS i, unnest('{busy,hung1,hung2,hung3,broken}'::text[]) AS c;
	SELECT dbmaint_want_notifier()});
ok(wait_for($node, "count(*) = 1800 FROM dbmaint_outbox WHERE channel IN ('local1', 'local2', 'local3', 'local4', 'log', 'notify') AND incident_id > 10000 AND state = 'sent'"), 'hundreds of local messages at once are sent, while others are under way');
is(sql($node, q{SELECT max(n) - min(n) <= 64 FROM (SELECT count(*) FILTER (WHERE sent_at <= s.half) AS n
	FROM dbmaint_outbox, (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY sent_at) AS half FROM dbmaint_outbox WHERE incident_id > 10000 AND channel ~ '^local') AS s
	WHERE incident_id > 10000 AND channel ~ '^local' GROUP BY channel) AS x}), 't', 'no channel is far before the others');
ok(wait_for($node, "count(*) = 100 FROM dbmaint_outbox WHERE channel = 'busy' AND state = 'sent'"), 'so are those of a receiver');
is(sql($node, "SELECT count(*) > 0 AND bool_and(state = 'queued') FROM dbmaint_outbox WHERE channel = 'broken'"), 't', 'what cannot be sent waits');
unlike(slurp_file($node->logfile, $position), qr/terminated by signal|more results/, 'and the server goes on');
sql($node, "UPDATE dbmaint_outbox SET queued_at = queued_at - interval '10 min' WHERE channel = 'broken'");
like(sql($node, "SELECT status || ' ' || detail FROM dbmaint_health() WHERE check_name = 'alerts'"),
	qr/^(?:warning|critical|emergency) .*Notifications wait for more than 5 minutes to be sent to broken: .*Last error: /, 'dbmaint_health() tells of what waits for long');
sql($node, "SELECT dbmaint_drop_channel('$_')") foreach qw(busy broken), map({ "local$_" } 1 .. 4), map({ "hung$_" } 1 .. 3);

# Turned off and on, changed in flight, the setting withdrawn.
add('off');
sql($node, "SELECT dbmaint_enable_channel('off', false)");
queue($node, 'off', 400, 'trigger');
queue($node, 'well', 401, 'trigger');
ok(wait_for($node, "state = 'sent' FROM dbmaint_outbox WHERE channel = 'well' AND incident_id = 401"), 'others go on while a channel is off');
is(state_of($node, 'off'), 'queued/0', 'what is for it waits');
sql($node, "SELECT dbmaint_enable_channel('off')");
ok(wait_for($node, "state = 'sent' FROM dbmaint_outbox WHERE channel = 'off'"), 'until it is on');
sql($node, q{ALTER SYSTEM SET dbmaint.notify_allowed_networks = ''});
sql($node, 'SELECT pg_reload_conf()');
queue($node, 'well', 402, 'trigger');
ok(wait_for($node, "error ~ 'loopback, private' FROM dbmaint_outbox WHERE channel = 'well' AND incident_id = 402"), 'an address that is no longer allowed is refused');
sql($node, q{ALTER SYSTEM RESET dbmaint.notify_allowed_networks});
sql($node, 'SELECT pg_reload_conf()');
ok(wait_for($node, "state = 'sent' FROM dbmaint_outbox WHERE channel = 'well' AND incident_id = 402"), 'and served when it is again');
# a log that takes no messages
sql($node, 'ALTER SYSTEM SET log_min_messages = fatal');
sql($node, 'SELECT pg_reload_conf()');
queue($node, 'log', 403, 'trigger');
ok(wait_for($node, "state = 'failed' AND error ~ 'log_min_messages is .fatal' FROM dbmaint_outbox WHERE channel = 'log' AND incident_id = 403"), 'a line that the log does not take has failed');
sql($node, 'ALTER SYSTEM RESET log_min_messages');
sql($node, 'SELECT pg_reload_conf()');
ok($node->poll_query_until('postgres', "SHOW log_min_messages", 'warning'), 'and');
queue($node, 'log', 404, 'trigger');
ok(wait_for($node, "state <> 'queued' AND state <> 'sending' FROM dbmaint_outbox WHERE channel = 'log' AND incident_id = 404"), 'one that it may take');
is(state_of($node, 'log'), 'sent/1', 'is sent');
# nothing to do: the process leaves
sql($node, "UPDATE dbmaint_outbox SET state = 'sent' WHERE state = 'queued'");
ok(wait_for($node, "count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'dbmaint notifier'"), 'a notifier without work leaves');
is(sql($node, "SELECT string_agg(last_error, ';') FROM dbmaint_status() WHERE last_error <> ''"), '', 'without an error');
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
