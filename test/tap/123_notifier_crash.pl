# No notification is lost, and none arrives after its end, whatever dies when:
# the notifier, the whole server, at any moment, again and again.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Receiver;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_notifying_server('primary', init => { allows_streaming => 1 }, conf => "restart_after_crash = on\ndbmaint.notify_max_age = 1h\n");
my $http = Receiver->new('http');
sql($node, sprintf "SELECT dbmaint_add_channel('hook', 'webhook', '%s', 'warning', '{\"rate_per_second\": 1000}')", $http->url('by/hook'));
sql($node, sprintf "SELECT dbmaint_add_channel('slow', 'webhook', '%s')", $http->url('by/slow'));
$http->behave('slow', 'slow:0.3');
my $incident = 0;
my %committed;

# Queues trigger, or resolve of one before, as the alert engine would: each in
# a transaction that may fail when the server goes.
sub queue_some
{
	my ($count) = @_;
	for (1 .. $count)
	{
		my $i = ++$incident;
		my $message = sub {
			return literal(qq({"incident": $i, "dedup_key": "k$i", "kind": "$_[0]", "severity": "warning", "summary": "s"}));
		};
		my @calls;
		foreach my $channel (qw(hook slow))
		{
			push @calls, "SELECT dbmaint_put_notification('$channel', $i, '$_', " . $message->($_) . ', clock_timestamp())'
			  foreach qw(trigger resolve);
		}
		my ($status) = $node->psql('postgres', join(';', 'BEGIN', @calls, 'COMMIT'), on_error_stop => 1);
		$node->psql('postgres', 'SELECT dbmaint_want_notifier()');
		$committed{$i} = 1 if defined $status && $status == 0;
	}
	return;
}

foreach my $round (1 .. 6)
{
	queue_some(5);
	usleep(int(rand 300_000));
	ok(kill_9($node, 'notifier'), "kill -9 of the notifier, round $round");
}
foreach my $round (1 .. 5)
{
	queue_some(5);
	usleep(int(rand 300_000));
	$node->stop('immediate');
	$node->start;
	ok(wait_until_up($node), "an immediate stop, round $round");
}
foreach my $round (1 .. 4)
{
	queue_some(3);
	usleep(int(rand 200_000));
	sql($node, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'dbmaint notifier'");
	pass("a terminated notifier, round $round");
}
cmp_ok(scalar(keys %committed), '>=', 50, 'most were queued');
ok(wait_for($node, "count(*) = 0 FROM dbmaint_outbox WHERE state IN ('queued', 'sending')"), 'the outbox drains')
  or diag(sql($node, "SELECT channel, state, kind, count(*), max(error) FROM dbmaint_outbox GROUP BY 1, 2, 3"));
is(sql($node, "SELECT string_agg(DISTINCT state, ' ') FROM dbmaint_outbox"), 'sent', 'everything was sent');
foreach my $channel (qw(hook slow))
{
	my (%first, %last, %seen, %ids);
	my $place = 0;
	foreach my $request ($http->requests("/by/$channel"))
	{
		my $body = Receiver::body($request);
		my ($i, $kind) = @$body{qw(incident kind)};
		$place++;
		$first{$i}{$kind} //= $place;
		$last{$i}{$kind} = $place;
		$ids{"$i $kind"}{ Receiver::header($request, 'Idempotency-Key') } = 1;
		$seen{"$i $kind"}++;
	}
	is(scalar(grep { !$first{$_}{trigger} || !$first{$_}{resolve} } keys %committed), 0, "$channel: no notification was lost");
	is(scalar(grep { $last{$_}{trigger} > $first{$_}{resolve} } grep { $first{$_}{resolve} } keys %first), 0, "$channel: no trigger after its end");
	is(scalar(grep { keys %{ $ids{$_} } > 1 } keys %ids), 0, "$channel: what came twice has the same id");
	my $twice = grep { $seen{$_} > 1 } keys %seen;
	note "$channel: " . scalar(keys %seen) . " notifications, $twice of them twice or more";
}
is(sql($node, "SELECT count(*) FROM dbmaint_outbox AS o WHERE attempts <> (SELECT count(*) FROM dbmaint_notification_attempts AS a WHERE a.message_id = o.message_id)"), '0', 'each attempt is on record');

# A standby sends nothing; promoted, it sends what waits.
$http->behave('hook', '503');
queue_some(2);
ok(wait_for($node, "bool_or(attempts > 0) FROM dbmaint_outbox WHERE state <> 'sent' AND kind = 'trigger' AND channel = 'hook'"), 'some wait');
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base');
$standby->append_conf('postgresql.conf', "hot_standby = on\n");
$standby->set_standby_mode if $standby->can('set_standby_mode');
$standby->start;
is($standby->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'dbmaint notifier'"), '0', 'a standby has no notifier');
$node->stop;
$http->behave('hook', 'ok');
$standby->promote;
ok($standby->poll_query_until('postgres', "SELECT count(*) = 0 FROM dbmaint_outbox WHERE state IN ('queued', 'sending')"), 'promoted, it delivers what waits')
  or diag($standby->safe_psql('postgres', 'SELECT channel, state, attempts, error FROM dbmaint_outbox WHERE state <> \'sent\''));
$standby->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal (?!9:)/, 'nothing else crashed');
done_testing();
