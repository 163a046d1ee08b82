# The percentiles are right: within 2 % of statements of known duration, and of
# what pgbench itself logged of each transaction.
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

my $node = LatencyProbe::start_server('accuracy');
my $probe = LatencyProbe->new($node);
my $run = 0;

# Runs pgbench and returns what it logged, in ms and sorted.
sub pgbench
{
	my ($mode, $script, $jobs, $transactions) = @_;
	my $file = $node->basedir . "/script$run.sql";
	my $log = $node->basedir . "/log$run";
	my @ms;

	$run++;
	append_to_file($file, $script);
	$node->command_ok([ 'pgbench', '-n', '-M', $mode, '-c', $jobs, '-t', $transactions,
		'-D', 'turn=0', '-f', $file, '--log', "--log-prefix=$log", 'app' ],
		"pgbench -M $mode");
	for my $path (glob "$log.*")
	{
		push @ms, map { (split)[2] / 1000 } split /\n/, slurp_file($path);
	}
	return sort { $a <=> $b } @ms;
}

# The value at a rank, as dbmaint_percentile takes it, or some ranks beside it.
sub at_rank
{
	my ($sorted, $fraction, $beside) = @_;
	my $rank = ceil($fraction * @$sorted) + ($beside // 0);

	return $sorted->[ max(0, min($#$sorted, $rank - 1)) ];
}

sub close_to
{
	my ($got, $low, $high, $name) = @_;

	ok($got >= $low && $got <= $high, $name)
	  or diag(sprintf '%.3f is not in %.3f .. %.3f', $got, $low, $high);
	return;
}

for my $mode ('simple', 'extended', 'prepared')
{
	# What the witness adds to every transaction on its way to the server and
	# back, and what its own rank is uncertain by: half a percent of the ranks.
	my @idle = pgbench($mode, "SELECT 1;\n", 1, 500);
	my $way = at_rank(\@idle, 0.95);
	my $beside = ceil(0.005 * $n);
	my @logged;

	# Known durations: 72 % of 50 ms, 24 % of 100 ms, 4 % of 200 ms.
	my $sample = $probe->counts(
		sub {
			@logged = pgbench($mode, <<'SQL', $clients, $turns);
\set turn :turn + 1
\set ms case when :turn % 25 = 0 then 200 when :turn % 4 = 0 then 100 else 50 end
SELECT pg_sleep(:ms / 1000.0);
SQL
		},
		$n, 0, "$mode: each counted once");
	is(scalar @logged, $n, "$mode: each logged once");
	my %known = (0.50 => 50, 0.95 => 100, 0.99 => 200);
	for my $fraction (@fractions)
	{
		my $percent = $fraction * 100;
		my $got = $probe->value(
			"SELECT dbmaint_percentile('$sample->{latency_histogram}', $fraction)");

		is($got, $sample->{"p${percent}_ms"}, "$mode: p$percent is the histogram's");
		cmp_ok($got, '>=', $known{$fraction} * (1 - $tolerance),
			"$mode: p$percent is not below what was slept");
		close_to($got,
			at_rank(\@logged, $fraction, -$beside) * (1 - $tolerance) - $way,
			at_rank(\@logged, $fraction, $beside) * (1 + $tolerance),
			"$mode: p$percent of known durations is the witness's");
	}
	close_to($sample->{max_ms}, 200, max(@logged) * (1 + $tolerance),
		"$mode: the maximum");
	close_to($sample->{response_time_ms},
		sum(@logged) / $n * (1 - $tolerance) - $way,
		sum(@logged) / $n * (1 + $tolerance),
		"$mode: the mean");

	# Any duration from 20 to 120 ms.
	$sample = $probe->counts(
		sub {
			@logged = pgbench($mode, <<'SQL', $clients, $turns);
\set us random(20000, 120000)
SELECT pg_sleep(:us / 1000000.0);
SQL
		},
		$n, 0, "$mode: each counted once");
	for my $fraction (@fractions)
	{
		my $percent = $fraction * 100;
		close_to($sample->{"p${percent}_ms"},
			at_rank(\@logged, $fraction, -$beside) * (1 - $tolerance) - $way,
			at_rank(\@logged, $fraction, $beside) * (1 + $tolerance),
			"$mode: p$percent of random durations is the witness's");
	}

	# Four statements a transaction: pgbench logs their sum, and that is also
	# the sum of ours, less the four ways between.
	$sample = $probe->counts(
		sub {
			@logged = pgbench($mode, <<'SQL', 2, 20);
BEGIN;
SELECT pg_sleep(0.05);
SELECT pg_sleep(0.03);
COMMIT;
SQL
		},
		4 * 40, 0, "$mode: each of a block counted once");
	close_to($probe->total_ms($sample),
		sum(@logged) * (1 - $tolerance) - 4 * $way * @logged,
		sum(@logged) * (1 + $tolerance),
		"$mode: the sum of a block's statements");
}

# Percentiles over a range of samples are those of all its statements.
my @parts;
for my $ms (20, 40, 80)
{
	push @parts, $probe->sample(
		sub { $node->safe_psql('app', join "\n", ("SELECT pg_sleep($ms / 1000.0);") x 10); }
	)->{latency_histogram};
}
my $merged = 'SELECT dbmaint_histogram_merge(h::dbmaint_histogram) FROM unnest(array['
  . join(', ', map { "'$_'" } @parts) . ']) h';
is($probe->value("SELECT dbmaint_histogram_count(($merged))"), 30, 'merged: all are there');
for ([ 0.33, 20 ], [ 0.66, 40 ], [ 1.0, 80 ])
{
	my ($fraction, $ms) = @$_;
	close_to($probe->value("SELECT dbmaint_percentile(($merged), $fraction)"),
		$ms * (1 - $tolerance), $ms + 18, "merged: a third took $ms ms");
}

$node->stop;
done_testing();
