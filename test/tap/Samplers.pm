# What the tests of the launcher and the samplers share.
package Samplers;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(new_server last_sample sampled_since sampled_again
  process_of launcher_of no_sample_waits log_position log_since session leave);

# A server that preloads dbmaint and samples once a second; what has a history
# of its own is collected once, and hourly from then on.
sub new_server
{
	my ($name, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(%{ $options{init} // {} });
	$node->append_conf(
		'postgresql.conf', qq{
shared_preload_libraries = 'dbmaint'
dbmaint.sample_interval = 1s
dbmaint.statements_interval = 1h
dbmaint.objects_interval = 1h
dbmaint.activity_history_interval = 1h
dbmaint.signals_interval = 1h
autovacuum = off
} . ($options{conf} // ''));
	$node->start unless $options{stopped};
	return $node;
}

# The time of the database's newest sample of its own.
sub last_sample
{
	my ($node, $database) = @_;
	return $node->safe_psql($database,
		q{SELECT coalesce(max("timestamp"), '-infinity') FROM dbmaint_samples});
}

# Waits for that many samples after the time.
sub sampled_since
{
	my ($node, $database, $time, $count) = @_;
	return $node->poll_query_until($database,
		qq{SELECT count(*) >= $count FROM dbmaint_samples WHERE "timestamp" > '$time'});
}

# Waits for that many (1) samples more.
sub sampled_again
{
	my ($node, $database, $count) = @_;
	return sampled_since($node, $database, last_sample($node, $database),
		$count // 1);
}

# No sample since then came so late, of one a second, that it must have waited
# for PgBouncer, which is given two seconds; a busy machine delays it, too.
sub no_sample_waits
{
	my ($node, $since) = @_;
	my $late_ms = $node->safe_psql('postgres', qq{
		SELECT round(max(extract(epoch FROM late) * 1000)) FROM (
			SELECT "timestamp" - lag("timestamp") OVER (ORDER BY "timestamp") - interval '1 s' AS late, "timestamp" AS at
			FROM dbmaint_samples) AS s WHERE at > '$since'});
	return cmp_ok($late_ms, '<', 1500, "no sample waited for it: $late_ms ms late at most");
}

# Waits for the database's sampler, returns its pid; never the one given.
sub process_of
{
	my ($node, $database, $not_pid) = @_;
	my $sampler = "FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler' AND datname = '$database' AND pid <> "
	  . ($not_pid // 0);

	$node->poll_query_until('postgres', "SELECT count(*) = 1 $sampler")
	  or return 0;
	return $node->safe_psql('postgres', "SELECT pid $sampler");
}

# The same for the launcher.
sub launcher_of
{
	my ($node, $not_pid) = @_;
	my $launcher = "FROM pg_stat_activity WHERE backend_type = 'dbmaint launcher' AND pid <> "
	  . ($not_pid // 0);

	$node->poll_query_until('postgres', "SELECT count(*) = 1 $launcher")
	  or return 0;
	return $node->safe_psql('postgres', "SELECT pid $launcher");
}

sub log_position
{
	my ($node) = @_;
	return -s $node->logfile;
}

sub log_since
{
	my ($node, $position) = @_;
	return slurp_file($node->logfile, $position);
}

# A client session that has sent its statements and stays connected.
sub session
{
	my ($node, $database, $sql) = @_;
	my $session = { node => $node, in => '', out => '' };
	$session->{handle} = IPC::Run::start(
		[ 'psql', '-XqAt', '-d', $node->connstr($database) ],
		'<', \$session->{in}, '>', \$session->{out}, '2>', \$session->{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	$session->{in} .= "$sql;\nSELECT 'at ' || pg_backend_pid();\n";
	$session->{handle}->pump until $session->{out} =~ /^at (\d+)\n/m;
	$session->{pid} = $1;
	return $session;
}

sub leave
{
	my ($session) = @_;
	$session->{in} .= "\\q\n";
	$session->{handle}->finish;
	return;
}

1;
