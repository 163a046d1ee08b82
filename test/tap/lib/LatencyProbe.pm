# What dbmaint counted while some code ran: two samples around it, taken by a
# session that is itself not counted.  Wants a server with dbmaint preloaded,
# dbmaint.enabled = off, and the extension in the database.

package LatencyProbe;

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use RawClient;
use Test::More;

use constant INTERVAL_S => 10;

my @columns = qw(query_count failed_query_count response_time_ms p50_ms p95_ms
  p99_ms max_ms latency_histogram);

# A server for latency tests, with the extension in its database "app".
sub start_server
{
	my ($name, %options) = @_;
	my $preload = $options{preload} // 'dbmaint';
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(allows_streaming => $options{streaming});
	$node->append_conf('postgresql.conf', <<"CONF");
shared_preload_libraries = '$preload'
dbmaint.enabled = off
dbmaint.sample_interval = @{[INTERVAL_S]}s
autovacuum = off
max_prepared_transactions = 5
CONF
	$node->append_conf('postgresql.conf', $options{conf}) if $options{conf};
	$node->start;
	$node->safe_psql('postgres', 'CREATE DATABASE app');
	$node->safe_psql('app', 'CREATE EXTENSION dbmaint');
	return $node;
}

sub new
{
	my ($class, $node) = @_;
	my $client = RawClient->new($node, 'app',
		options => '-c dbmaint.track_latency=off');

	return bless { client => $client, node => $node, turn => 0 }, $class;
}

sub _turn
{
	my ($self) = @_;

	my ($at) = $self->{client}->rows(
		q(SELECT timestamptz '2030-01-01' + interval '1s' * )
		  . $self->{turn}++ * INTERVAL_S);
	my %status = map { @$_ } $self->{client}
	  ->rows("SELECT collector, status FROM dbmaint_run_due('$at->[0]')");
	die "response_time was not read: " . join ' ', %status
	  if ($status{response_time} // '') ne 'ok';
	return $at->[0];
}

# Runs the code; returns the sample that covers it.
sub sample
{
	my ($self, $code) = @_;

	$self->_turn;
	$code->();
	my $at = $self->_turn;
	my ($row) = $self->{client}->rows('SELECT ' . join(', ', @columns)
		  . qq( FROM performance_metrics WHERE "timestamp" = '$at'));
	my %sample;
	@sample{@columns} = @$row;
	return \%sample;
}

# Runs the code and checks how many statements it counted; returns the sample.
sub counts
{
	my ($self, $code, $queries, $failed, $name) = @_;
	my $sample = $self->sample($code);

	is("$sample->{query_count} counted, $sample->{failed_query_count} failed",
		"$queries counted, $failed failed", $name);
	return $sample;
}

# The time of the one statement that took longest, and all in all, in ms.
sub total_ms { return $_[1]{query_count} * ($_[1]{response_time_ms} // 0); }

# Evaluates a scalar in the probe's own session.
sub value
{
	my ($self, $sql) = @_;
	my ($row) = $self->{client}->rows($sql);
	return $row->[0];
}

# Waits until a backend has gone, and with it what it had to count.
sub wait_for_exit
{
	my ($self, $pid) = @_;

	$self->{node}->poll_query_until('postgres',
		"SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)")
	  or die "backend $pid does not end";
	return;
}

1;
