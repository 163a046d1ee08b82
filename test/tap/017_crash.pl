# A crash of a sampler, of a client or of the whole server loses nothing that
# was committed, and sampling goes on by itself.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;

my $node = new_server('primary', conf => "restart_after_crash = on\n");
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql($_, 'CREATE EXTENSION dbmaint') foreach qw(postgres other);
ok(sampled_again($node, $_, 2), "$_ is sampled") foreach qw(postgres other);

# Both databases' samples up to now, as one value, and whether they are there.
sub history_of
{
	my ($database, $until) = @_;
	return $node->safe_psql($database, qq{
SELECT count(*) || ' ' || md5(string_agg(s::text, ',' ORDER BY "timestamp"))
  FROM dbmaint_samples AS s WHERE "timestamp" <= '$until'});
}

# Runs the crash, and sees what is left and what comes after.
sub survives
{
	my ($what, $crash) = @_;
	my %until = map { $_ => last_sample($node, $_) } qw(postgres other);
	my %history = map { $_ => history_of($_, $until{$_}) } keys %until;
	my $started = $node->safe_psql('postgres', 'SELECT pid FROM pg_stat_activity WHERE backend_type = \'dbmaint launcher\'');

	$crash->();
	ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'dbmaint launcher' AND pid <> $started"),
		"$what: a new launcher");
	foreach my $database (sort keys %until)
	{
		is(history_of($database, $until{$database}), $history{$database}, "$database keeps what was committed");
		ok(sampled_since($node, $database, $until{$database}, 3), 'and is sampled again');
		is($node->safe_psql($database, "SELECT count(*) FROM dbmaint_samples WHERE \"timestamp\" > '$until{$database}' AND (query_count < 0 OR commits < 0 OR wal_bytes < 0 OR sample_interval_ms <= 0 OR response_time_ms < 0)"),
			'0', 'with sane readings');
	}
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'dbmaint %'"), '3', 'there is one of each process');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM dbmaint_status() WHERE errors > 0'), '0', 'without an error');
	return;
}

survives('kill -9 of a sampler', sub { kill 'KILL', process_of($node, 'other') });
survives('kill -9 of the sampler of the home database', sub { kill 'KILL', process_of($node, 'postgres') });
survives('kill -9 of the launcher', sub { kill 'KILL', launcher_of($node) });
survives(
	'kill -9 of a client',
	sub {
		my $session = session($node, 'other', 'BEGIN; SELECT count(*) FROM performance_metrics; INSERT INTO performance_metrics ("timestamp", database_oid) VALUES (now(), 1)');
		kill 'KILL', $session->{pid};
		eval { leave($session) };
	});
is($node->safe_psql('other', 'SELECT count(*) FROM performance_metrics WHERE database_oid = 1'), '0', 'what it had not committed is gone');
survives('an immediate stop', sub { $node->stop('immediate'); $node->start; });
survives('an immediate restart in the middle of DDL', sub {
	my $session = session($node, 'other', 'BEGIN; DROP EXTENSION dbmaint');
	$node->stop('immediate');
	eval { leave($session) };
	$node->start;
});

# A process that held a database is killed: nobody waits for it.
$node->safe_psql('postgres', 'CREATE DATABASE held');
$node->safe_psql('held', 'CREATE EXTENSION dbmaint');
ok(sampled_again($node, 'held'), 'one more database');
my $session = session($node, 'postgres', 'BEGIN; ALTER DATABASE held RENAME TO still_held');
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'held' AND backend_type = 'dbmaint sampler'"),
	'a transaction that renames it keeps its sampler away');
is($node->safe_psql('postgres', "SELECT pg_terminate_backend($session->{pid}, 10000)"), 't', 'its session is terminated');
eval { leave($session) };
ok(sampled_again($node, 'held', 2), 'and it is sampled again');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal (?!9:)/, 'nothing else crashed');
done_testing();
