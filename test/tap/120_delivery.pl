# Notifications arrive: what each receiver gets, field by field, and what
# becomes of every answer it may give.
use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use FindBin;
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Receiver;
use Test::More;

my $node = new_notifying_server('primary');
my $http = Receiver->new('http');

sub add
{
	my ($name, $kind, $target, $options) = @_;
	return sql($node, sprintf 'SELECT dbmaint_add_channel(%s, %s, %s, %s, %s)',
		map { literal($_) } $name, $kind, $target, 'warning', $options // '{}');
}

# Slack.
add('slack', 'slack', $http->url('slack/ok'));
queue($node, 'slack', 42, 'trigger', summary => 'a <b> & "c"');
my ($request) = $http->await('/slack/ok', 1);
is($request->{method}, 'POST', 'Slack: POST');
is(Receiver::header($request, 'Content-Type'), 'application/json', 'Slack: JSON');
my $body = Receiver::body($request);
is($body->{text}, 'a &lt;b&gt; &amp; "c"', 'Slack: text, escaped');
is($body->{attachments}[0]{fallback}, 'a &lt;b&gt; &amp; "c"', 'Slack: fallback');
is($body->{attachments}[0]{title}, 'query -42 on orders: 4 ms to 180 ms', 'Slack: the cause is the title');
like($body->{attachments}[0]{color}, qr/^#[0-9a-f]{6}$/, 'Slack: a colour');
like($body->{attachments}[0]{ts}, qr/^\d{10}$/, 'Slack: a time in seconds');
is_deeply([ sort keys %{ $body->{attachments}[0]{fields}[0] } ], [qw(short title value)], 'Slack: fields');
unlike(Receiver::bytes($request), qr/secret_text/, 'Slack: no query text');
ok(wait_for($node, "state = 'sent' AND status = 200 AND attempts = 1 AND message IS NULL FROM dbmaint_outbox WHERE channel = 'slack'"), 'Slack: sent');

# PagerDuty.
add('pager', 'pagerduty', '0123456789abcdef0123456789abcdef', '{"url": "' . $http->url('pd/202') . '"}');
queue($node, 'pager', 43, $_, severity => 'emergency') foreach qw(trigger acknowledge resolve);
my @events = map { Receiver::body($_) } $http->await('/pd/202', 3);
is_deeply([ map { $_->{event_action} } @events ], [qw(trigger acknowledge resolve)], 'PagerDuty: actions in order');
is_deeply([ map { $_->{routing_key} } @events ], [ ('0123456789abcdef0123456789abcdef') x 3 ], 'PagerDuty: routing key');
is_deeply([ map { $_->{dedup_key} } @events ], [ ('dbmaint/1/app/m/43') x 3 ], 'PagerDuty: one dedup key');
my $payload = $events[0]{payload};
is($payload->{severity}, 'critical', 'PagerDuty: an emergency is critical');
is($payload->{source}, 'db1:5432', 'PagerDuty: source');
is($payload->{timestamp}, '2026-01-02T03:14:05+00:00', 'PagerDuty: timestamp');
is($payload->{summary}, 'CRITICAL: response_time_ms is 120.5 ms (> 95 ms)', 'PagerDuty: summary');
is($payload->{component}, 'app', 'PagerDuty: component');
is($payload->{group}, 'main', 'PagerDuty: group');
is($payload->{class}, 'response_time_ms', 'PagerDuty: class');
is($payload->{custom_details}{evidence}{statements}[0]{calls}, 7, 'PagerDuty: evidence');
is($payload->{custom_details}{value}, 120.5, 'PagerDuty: a number is a number');
is_deeply([ sort keys %{ $events[2] } ], [qw(dedup_key event_action routing_key)], 'PagerDuty: resolve has three fields');

# Any webhook: headers, signature, template, id.
my $key = 'key of the signature';
my $options = '{"method": "PUT", "signing_key": "' . $key . '", "headers": {"Authorization": "Bearer s3cr3t", "X-Two": "2"}}';
add('hook', 'webhook', $http->url('hook/by/hook'), $options);
$http->behave('hook', '500');
queue($node, 'hook', 44, 'trigger', instance => "a\"b\\c\n\x{e4}");
ok($http->await('/hook/by/hook', 2) >= 2, 'webhook: tried again after 500');
$http->behave('hook', '200');
ok(wait_for($node, "state = 'sent' FROM dbmaint_outbox WHERE channel = 'hook'"), 'webhook: sent in the end');
my @requests = $http->requests('/hook/by/hook');
is($requests[0]{method}, 'PUT', 'webhook: method');
is(Receiver::header($requests[0], 'Authorization'), 'Bearer s3cr3t', 'webhook: header');
is(Receiver::header($requests[0], 'X-Two'), '2', 'webhook: another header');
is(Receiver::header($requests[0], 'X-Dbmaint-Signature'), 'sha256=' . hmac_sha256_hex(Receiver::bytes($requests[0]), $key), 'webhook: signature');
my %ids = map { Receiver::header($_, 'Idempotency-Key') => 1 } @requests;
is(scalar keys %ids, 1, 'webhook: one id over all attempts');
like((keys %ids)[0], qr/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'webhook: it is a UUID');
is(Receiver::body($requests[0])->{instance}, "a\"b\\c\n\x{e4}", 'webhook: names as they are');
is(Receiver::body($requests[0])->{message_id}, (keys %ids)[0], 'webhook: the id is in the message');
is(sql($node, "SELECT count(*) = attempts AND count(*) FILTER (WHERE outcome = 'retry' AND status = 500) = attempts - 1 FROM dbmaint_notifications WHERE channel = 'hook' GROUP BY attempts"),
	't', 'webhook: every attempt is shown');

# SMS: a short text; a form.
add('sms', 'sms', $http->url('sms/ok'), '{"content_type": "application/x-www-form-urlencoded", "body": "to=%2B491&text={{short}}"}');
queue($node, 'sms', 45, 'trigger', summary => 'a&b=c ' . ('x' x 300));
($request) = $http->await('/sms/ok', 1);
is(Receiver::header($request, 'Content-Type'), 'application/x-www-form-urlencoded', 'SMS: a form');
like($request->{body}, qr/^to=%2B491&text=a%26b%3Dc%20x{151}\.\.\.$/, 'SMS: 160 characters, escaped');

# NOTIFY and the log.
my ($out, $err) = ('', '');
my $position = -s $node->logfile;
queue($node, 'log', 46, 'trigger', summary => "two\nlines");
ok(wait_for($node, "state = 'sent' FROM dbmaint_outbox WHERE channel = 'log'"), 'log: sent');
like(slurp_file($node->logfile, $position), qr/LOG:  dbmaint trigger: two lines; likely cause: query -42/, 'log: one line');
my $in = "LISTEN dbmaint_alerts;\n\\echo listening\n";
my $psql = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(60));
$psql->pump until $out =~ /listening/;
queue($node, 'notify', 47, 'trigger');
ok(wait_for($node, "state = 'sent' FROM dbmaint_outbox WHERE channel = 'notify'"), 'NOTIFY: sent');
$in .= "SELECT 'seen';\n\\q\n";
$psql->finish;
my ($json) = $out =~ /Asynchronous notification "dbmaint_alerts" with payload "(.*)" received/;
is(JSON::PP->new->decode($json)->{incident}, 47, 'NOTIFY: a JSON payload');

# Answers.
my %answers = (
	'201' => 'sent', '202' => 'sent', '204' => 'sent',
	'301' => 'failed', '400' => 'failed', '404' => 'failed', '410' => 'failed',
	'429' => 'queued', '500' => 'queued', '503' => 'queued',
	'cut' => 'queued', 'half' => 'queued', 'hang' => 'queued', 'trickle' => 'queued', 'headers' => 'queued',
	'stream' => 'sent');
foreach my $answer (sort keys %answers)
{
	add("a$answer", 'webhook', $http->url("answer/$answer"));
	queue($node, "a$answer", 100, 'trigger', dedup_key => "k$answer");
}
foreach my $answer (sort keys %answers)
{
	my $state = $answers{$answer};
	ok(wait_for($node, "state = '$state' AND EXISTS (SELECT FROM dbmaint_notification_attempts AS a WHERE a.message_id = o.message_id) FROM dbmaint_outbox AS o WHERE channel = 'a$answer'"),
		"$answer: $state") or diag(state_of($node, "a$answer"));
}
is(sql($node, "SELECT status, error FROM dbmaint_outbox WHERE channel = 'a404'"), '404|the receiver answered 404', '404: says so');
is(sql($node, "SELECT error FROM dbmaint_outbox WHERE channel = 'a301'"), 'the receiver answered 301; redirects are not followed', '301: says so');
is(scalar(grep { ($_->{path} // '') =~ /redirected/ } $http->requests), 0, '301: not followed');
like(sql($node, "SELECT a.error FROM dbmaint_notification_attempts AS a JOIN dbmaint_outbox AS o USING (message_id) WHERE o.channel = 'ahang' LIMIT 1"), qr/[Tt]imeout/, 'a receiver that hangs is given up');
is(sql($node, "SELECT max(duration_ms) BETWEEN 1900 AND 3500 FROM dbmaint_notification_attempts JOIN dbmaint_outbox USING (message_id) WHERE channel = 'ahang'"), 't', 'in time');
my ($streamed) = map { $_->{streamed} } grep { defined $_->{streamed} } $http->requests;
ok(defined $streamed && $streamed < 50_000_000, 'a gigabyte is not read');
is(scalar($http->requests('/answer/404')), 1, '404 is not tried again');
add('s201', 'slack', $http->url('slack/201'));
add('sjson', 'slack', $http->url('slack/json'));
queue($node, $_, 101, 'trigger') foreach qw(s201 sjson);
ok(wait_for($node, "count(*) = 2 FROM dbmaint_outbox WHERE channel IN ('s201', 'sjson') AND state = 'failed'"), 'Slack answers 200 and ok, or it failed');

# Retry-After, in seconds and as a date.
foreach my $after ('3', 'date')
{
	add("after$after", 'webhook', $http->url("by/after$after"));
	$http->behave("after$after", "429:$after");
	queue($node, "after$after", 102, 'trigger', dedup_key => "after$after");
	$http->await("/by/after$after", 1);
	$http->behave("after$after", 'ok');
	my @tries = $http->await("/by/after$after", 2);
	cmp_ok($tries[1]{at} - $tries[0]{at}, '>', 1.9, "Retry-After $after is honoured");
}

# A test of a channel.
my $id = sql($node, "SELECT dbmaint_test_channel('hook')");
ok(wait_for($node, "state = 'sent' AND kind = 'test' AND incident_id IS NULL FROM dbmaint_notifications WHERE message_id = $id"), 'a test message is sent and shown');
# Nothing of a secret anywhere.
my $log = slurp_file($node->logfile);
my @noise = grep { /s3cr3t|0123456789abcdef|key of the signature/ && !/STATEMENT|statement:/ } split /\n/, $log;
is(scalar @noise, 0, 'no secret in the log') or diag(@noise);
is(sql($node, "SELECT count(*) FROM dbmaint_notifications WHERE error ~ '127.0.0.1|s3cr3t|0123456789'"), '0', 'nor in an error');
is(sql($node, "SELECT count(*) FROM pg_stat_activity WHERE query ~ 's3cr3t' AND pid <> pg_backend_pid()"), '0', 'nor in pg_stat_activity');
is(sql($node, "SELECT string_agg(DISTINCT last_error, ';') FROM dbmaint_status() WHERE last_error <> ''"), '', 'and the notifier had no error');
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
