# A runner and a notifier that crash at once, each time they start: they come
# back less and less often, take nobody's place meanwhile, and do their work
# when the cause is gone.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Jobs;
use Samplers;
use Test::More;
use Time::HiRes qw(usleep);

# one runner at a time: who has the only place must give it back
my $node = new_server('primary', conf => "dbmaint.max_runners = 1\n");
foreach my $database (qw(crashing well))
{
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, 'CREATE EXTENSION dbmaint; CREATE TABLE kept (id int PRIMARY KEY)');
	sampled_again($node, $database);
}

# What the process does ends it: the job calls a function that does, and so does
# the default of a column of the table in which results are noted.
$node->safe_psql('crashing', q{
	CREATE FUNCTION public.ends(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
	BEGIN
		IF pg_catalog.current_setting('application_name') LIKE 'dbmaint%' THEN
			PERFORM pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid());
		END IF;
		RETURN i;
	END $$;
	INSERT INTO kept VALUES (1);
	CREATE INDEX ending ON kept (public.ends(id));
	ALTER TABLE dbmaint_notification_attempts ADD COLUMN ending int DEFAULT public.ends(1);
});
is($node->safe_psql('crashing', q{SELECT public.ends(1)}), '1', 'the function spares others');

my $position = log_position($node);
my $job = enqueue($node, 'crashing', 'reindex', 'ending', '{"attempts": 50}');
my $message = $node->safe_psql('crashing', q{SELECT dbmaint_test_channel('log')});

# When they ended, in seconds of the day, by the server's log.
sub ends
{
	my ($process) = @_;
	my @at = map { my ($h, $m, $s) = split /:/; $h * 3600 + $m * 60 + $s }
	  log_since($node, $position) =~ /^\S+ ([\d:.]+) .* FATAL:  terminating background worker "dbmaint $process/mg;

	$at[$_] += 86400 foreach grep { $at[$_] < $at[0] } 1 .. $#at;
	return @at;
}

foreach my $process (qw(runner notifier))
{
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		last if ends($process) >= 4;
		usleep 100_000;
	}
	my @at = ends($process);
	my @pauses = map { $at[$_] - $at[ $_ - 1 ] } 1 .. $#at;

	cmp_ok(scalar(@at), '>=', 4, "the $process crashes again and again");
	ok(!(grep { $pauses[$_] < 2**$_ } 0 .. $#pauses), 'after 1 s, 2 s, 4 s at least: ' . join ', ', map { sprintf '%.1f s', $_ } @pauses);
	ok( $node->poll_query_until('well', "SELECT pid IS NULL AND state = 'failing' AND errors = rounds AND rounds >= 4
			AND next_due_at - last_round_at BETWEEN make_interval(secs => 2 ^ (rounds - 1)) AND make_interval(secs => 2 ^ rounds)
		FROM dbmaint_status() WHERE process = '$process' AND database = 'crashing'"),
		'dbmaint_status() says when it comes next');
}

# Others go on meanwhile, with the one place that runners have.
my $other = enqueue($node, 'well', 'vacuum', 'kept');
my $told = $node->safe_psql('well', q{SELECT dbmaint_test_channel('log')});
ends_as($node, 'well', $other, qr/^done$/, "another database's job is done");
ok($node->poll_query_until('well', "SELECT state = 'sent' FROM dbmaint_outbox WHERE message_id = $told"), 'its notification sent');
ok(sampled_again($node, $_, 2), "and $_ is sampled") foreach qw(crashing well);
is($node->safe_psql('crashing', "SELECT state FROM dbmaint_outbox WHERE message_id = $message"), 'queued', 'what could not be noted waits');

# The cause goes.
$node->safe_psql('crashing', q{
	ALTER TABLE dbmaint_notification_attempts DROP COLUMN ending;
	CREATE OR REPLACE FUNCTION public.ends(i int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT i';
});
ends_as($node, 'crashing', $job, qr/^(?:interrupted: [^;]*; ){4,}done$/, 'the job is done when its cause is gone');
ok($node->poll_query_until('crashing', "SELECT state = 'sent' FROM dbmaint_outbox WHERE message_id = $message"), 'the notification is sent');
foreach my $process (qw(runner notifier))
{
	ok($node->poll_query_until('well', "SELECT pid IS NULL AND state <> 'failing' AND next_due_at IS NULL
		FROM dbmaint_status() WHERE process = '$process' AND database = 'crashing'"), "the $process leaves in order");
}
my $again = enqueue($node, 'crashing', 'vacuum', 'kept');
ends_as($node, 'crashing', $again, qr/^done$/, 'and comes again without a pause');
is($node->safe_psql('crashing', "SELECT extract(epoch FROM started_at - enqueued_at) < 5 FROM dbmaint_job_history WHERE job_id = $again"), 't', 'within seconds');
$node->stop;
unlike(log_since($node, $position), qr/PANIC|TRAP|terminated by signal/, 'nobody took the server along');
done_testing();
