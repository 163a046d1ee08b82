# The percentiles are right, by three witnesses: a statement took no less than
# it slept and no more than pgbench logged for it, and within 2 % what the
# server's own log says.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use LatencyProbe;
use List::Util qw(max min sum);
use POSIX qw(ceil);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# Half a bucket is 0.8 %, and the promise 2 %.
my $tolerance = 0.02;
my @fractions = (0.50, 0.95, 0.99);
my $clients = 8;
my $turns = 50;
my $n = $clients * $turns;

# The witnesses read their clocks at other moments than we do, and a process
# that loses the CPU in between moves up: by so many ranks, half a percent.
my $beside = ceil(0.005 * $n);

my $node = LatencyProbe::start_server('accuracy', conf => <<'CONF');
log_statement = none
log_min_duration_statement = 0
log_line_prefix = '%p %d '
CONF
my $probe = LatencyProbe->new($node);
$probe->value('SET log_min_duration_statement = -1; SELECT 1');
my $run = 0;

# Runs pgbench; returns the milliseconds that it logged, one a transaction, and
# those in the server's log, one a statement: in the extended protocol Bind and
# Execute together.
sub pgbench
{
	my ($mode, $script, $connections, $transactions) = @_;
	my $file = $node->basedir . "/script$run.sql";
	my $log = $node->basedir . "/log$run";
	my $offset = -s $node->logfile;
	my (@client, @server, %bind);

	$run++;
	append_to_file($file, $script);
	$node->command_ok([ 'pgbench', '-n', '-M', $mode, '-c', $connections,
		'-t', $transactions, '-D', 'turn=0', '-f', $file, '--log',
		"--log-prefix=$log", 'app' ], "pgbench -M $mode");
	for my $path (glob "$log.*")
	{
		push @client, map { (split)[2] / 1000 } split /\n/, slurp_file($path);
	}
	for (split /\n/, slurp_file($node->logfile, $offset))
	{
		my ($pid, $ms, $step) = /^(\d+) app LOG:  duration: ([\d.]+) ms  (\w+)/
		  or next;
		$bind{$pid} = $ms if $step eq 'bind';
		push @server, $ms + (delete $bind{$pid} // 0) if $step =~ /^(statement|execute)$/;
	}
	return ([ sort { $a <=> $b } @client ], [ sort { $a <=> $b } @server ]);
}

# The value at a rank, as dbmaint_percentile takes it, or some ranks beside it.
sub at_rank
{
	my ($sorted, $fraction, $beside_it) = @_;
	my $rank = ceil($fraction * @$sorted) + $beside_it;

	return $sorted->[ max(0, min($#$sorted, $rank - 1)) ];
}

sub within
{
	my ($got, $low, $high, $name) = @_;

	ok($got >= $low * (1 - $tolerance) && $got <= $high * (1 + $tolerance), $name)
	  or diag(sprintf '%.3f is not within 2 %% of %.3f .. %.3f', $got, $low, $high);
	return;
}

# Checks a sample against the witnesses, who each give all values in order.
sub check_sample
{
	my ($name, $sample, $slept, $client, $server) = @_;

	is(scalar @$client, $n, "$name: pgbench logged each");
	is(scalar @$server, $n, "$name: the server logged each");
	for my $fraction (@fractions)
	{
		my $percent = $fraction * 100;
		my $got = $probe->value(
			"SELECT dbmaint_percentile('$sample->{latency_histogram}', $fraction)");

		is($got, $sample->{"p${percent}_ms"}, "$name: p$percent is the histogram's");
		within($got, at_rank($slept, $fraction, 0), at_rank($client, $fraction, $beside),
			"$name: p$percent is between sleep and pgbench");
		within($got, at_rank($server, $fraction, -$beside),
			at_rank($server, $fraction, $beside),
			"$name: p$percent is the server log's");
	}
	within($sample->{max_ms}, $slept->[-1], $client->[-1], "$name: the maximum");
	within($sample->{response_time_ms}, sum(@$slept) / $n, sum(@$client) / $n,
		"$name: the mean is between sleep and pgbench");
	within($sample->{response_time_ms}, (sum(@$server) / $n) x 2,
		"$name: the mean is the server log's");
	return;
}

# Scripts, and what each makes of a client and its turn: 72 % of 50 ms, 24 % of
# 100 ms and 4 % of 200 ms; and all from 20 to 119 ms.
my @scripts = (
	[ 'three durations',
		'case when :turn % 25 = 0 then 200 when :turn % 4 = 0 then 100 else 50 end',
		sub { $_[1] % 25 == 0 ? 200 : $_[1] % 4 == 0 ? 100 : 50 } ],
	[ 'many durations', '20 + (:turn * 37 + :client_id * 13) % 100',
		sub { 20 + ($_[1] * 37 + $_[0] * 13) % 100 } ],
);

for my $mode ('simple', 'extended', 'prepared')
{
	for (@scripts)
	{
		my ($name, $expression, $duration) = @$_;
		my @slept;
		my ($client, $server);

		for my $c (0 .. $clients - 1)
		{
			push @slept, map { $duration->($c, $_) } 1 .. $turns;
		}
		@slept = sort { $a <=> $b } @slept;
		my $sample = $probe->counts(
			sub {
				($client, $server) = pgbench($mode, <<"SQL", $clients, $turns);
\\set turn :turn + 1
\\set ms $expression
SELECT pg_sleep(:ms / 1000.0);
SQL
			},
			$n, 0, "$mode: each counted once");
		check_sample("$mode, $name", $sample, \@slept, $client, $server);
	}

	# Four statements a transaction: pgbench logs their sum.
	my ($client, $server);
	my $sample = $probe->counts(
		sub {
			($client, $server) = pgbench($mode, <<'SQL', 2, 20);
BEGIN;
SELECT pg_sleep(0.05);
SELECT pg_sleep(0.03);
COMMIT;
SQL
		},
		4 * 40, 0, "$mode: each of a block counted once");
	within($probe->total_ms($sample), 80 * 40, sum(@$client),
		"$mode: a block's statements are between sleep and pgbench");
	within($probe->total_ms($sample), (sum(@$server)) x 2,
		"$mode: a block's statements are the server log's");
}

# Percentiles over a range of samples are those of all its statements.
my (@parts, @longest);
for my $ms (20, 40, 80)
{
	my $sample = $probe->sample(
		sub { $node->safe_psql('app', join "\n", ("SELECT pg_sleep($ms / 1000.0);") x 10); });
	push @parts, $sample->{latency_histogram};
	push @longest, $probe->value(
		"SELECT dbmaint_percentile('$sample->{latency_histogram}', 1.0)");
}
my $merged = $probe->value(
	'SELECT dbmaint_histogram_merge(h::dbmaint_histogram) FROM unnest(array['
	  . join(', ', map { "'$_'" } @parts) . ']) h');
is($probe->value("SELECT dbmaint_histogram_count('$merged')"), 30, 'merged: all are there');
for ([ 0.33, 20, 1 ], [ 0.66, 40, 2 ], [ 1.0, 80, 3 ])
{
	my ($fraction, $ms, $samples) = @$_;
	within($probe->value("SELECT dbmaint_percentile('$merged', $fraction)"),
		$ms, max(@longest[ 0 .. $samples - 1 ]), "merged: a third took $ms ms");
}
is($probe->value("SELECT dbmaint_percentile('$merged', 1.0)"), max(@longest),
	'merged: the longest is the longest of the samples');

$node->stop;
done_testing();
