# The documents keep their word: every statement of docs/RUNBOOKS.md and every
# sql block of README.md runs on a live server, every heading of the runbooks
# has its section, every row says what does the item or "not yet", and no item
# has two rows.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Bouncer;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'there is no pgbouncer' unless Bouncer::program();

# The headings of each runbook, in its order.
my %headings = (
	'000_90822b904eac526e.txt' => [
		'Overview',
		'Performance Monitoring Checklist',
		'Daily Monitoring Procedures (Automated)',
		'1. Response Time Validation (Every 5 minutes)',
		'2. Connection Pool Efficiency Check (Every 1 minute)',
		'3. Index Performance Analysis (Every 30 minutes)',
		'Weekly Optimization Review',
		'Week 1-2: Performance Baseline Analysis',
		'Performance Trend Analysis',
		'Weekly Maintenance Tasks',
		'Week 3-4: Optimization Tuning',
		'Slow Query Optimization',
		'Performance Parameter Fine-tuning',
		'Monthly Performance Audit',
		'Comprehensive Performance Assessment',
		'Month-End Performance Review',
		'Capacity Planning Analysis',
		'Monthly Optimization Planning',
		'Emergency Response Procedures',
		'Performance Degradation Response',
		'Response Time Emergency (>110ms sustained)',
		'Connection Pool Emergency (<50% efficiency)',
		'Automated Maintenance Scripts',
		'Daily Health Check Script',
		'Weekly Optimization Script',
		'Performance Metrics Dashboard',
		'Key Performance Indicators (KPIs)',
		'Real-time Performance Dashboard',
		'Alert Integration',
		'Continuous Improvement Framework',
		'Performance Optimization Lifecycle',
		'Quarterly Performance Review',
		'Knowledge Management',
		'Maintenance Checklist Templates',
		'Daily Checklist',
		'Weekly Checklist',
		'Monthly Checklist',
	],
	'002_4df78c6e04722b41.txt' => [
		'Description', 'Prerequisites', 'Steps', 'Weekly Maintenance',
		'Monthly Maintenance', 'Rollback Procedures', 'Validation Checklist',
		'Related ADRs',
	],
	'003_60d7108f56c5fd9c.txt' => [
		'Overview',
		'Maintenance Schedule',
		'Daily Tasks',
		'Weekly Tasks',
		'Monthly Tasks',
		'Quarterly Tasks',
		'Routine Maintenance Scripts',
		'1. VACUUM and ANALYZE',
		'2. Monitor Table Bloat',
		'3. Check Autovacuum Status',
		'4. Tune Autovacuum for High-Traffic Tables',
		'Performance Monitoring',
		'1. Slow Query Analysis',
		'2. Connection Monitoring',
		'3. Lock Monitoring',
		'Backup and Recovery',
		'1. Regular Backups',
		'2. Point-in-Time Recovery Setup',
		'3. Restore Procedures',
		'Storage Management',
		'1. Check Database Size',
		'2. Table Sizes',
		'3. Reclaim Disk Space',
		'Partition Maintenance',
		'1. Create Future Partitions',
		'2. Drop Old Partitions',
		'3. Monitor Partition Health',
		'Emergency Procedures',
		'1. Kill Long-Running Query',
		'2. Release Locks',
		'3. Connection Limit Reached',
		'Health Checks',
		'Monitoring Checklist',
		'Tools',
	],
	'004_66189e578047e426.txt' => [
		'Overview',
		'Prerequisites',
		'Impact Assessment',
		'Step-by-Step Procedure',
		'Daily Tasks',
		'Automated Backup',
		'Verify Backup Restorable',
		'Weekly Tasks',
		'VACUUM and ANALYZE',
		'Update Statistics',
		'Monthly Tasks',
		'Reindex',
		'Check for Corruption',
		'Cleanup Old Data',
		'Quarterly Tasks',
		'Performance Tuning',
		'Connection Pool Review',
		'Validation',
		'Rollback Procedure',
		'Common Pitfalls',
		'Related Runbooks',
		'Escalation',
	],
);

my $source = $ENV{DBMAINT_SOURCE} || "$FindBin::RealBin/../..";
my $runbooks = slurp_file("$source/docs/RUNBOOKS.md");
my $readme = slurp_file("$source/README.md");

# The contents of a document's sql blocks, in their order.
sub sql_blocks
{
	my ($text) = @_;
	return $text =~ /^```sql\n(.*?)^```$/msg;
}

# Every heading, inside its own runbook, has a section with a table.
my %sections = ();
foreach my $part (split /^## /m, $runbooks)
{
	$sections{$1} = $part if $part =~ /^(\d{3}_\w+\.txt): /;
}
is_deeply([ sort keys %sections ],
	[ sort keys %headings ], 'there is a part for each runbook');
foreach my $runbook (sort keys %headings)
{
	my @tables = ();
	foreach my $section (split /^#{3,5} /m, $sections{$runbook} // '')
	{
		my ($heading) = $section =~ /^(.+)\n/;
		push @tables, $heading
		  if $section =~ /^\| --- \| --- \| --- \|\n\| /m;
	}
	is_deeply(\@tables, $headings{$runbook},
		"each heading of $runbook has its table");
}

# Every row names an item, says what is done, and has one statement or none.
# An item has one row in its section: of two, one is stale.
my @statements = ();
my @bad_rows = ();
my @repeated = ();
my %items = ();
my $rows = 0;
foreach my $line (split /\n/, $runbooks)
{
	%items = () if $line =~ /^#/;
	next unless $line =~ /^\|/;
	next if $line =~ /^\| (?:runbook item|---) \|/;
	$rows++;
	my ($item) = $line =~ /^\| ([^|]*) \|/;
	push @repeated, $item if $items{ $item // '' }++;
	if ($line =~ /^\| [^|]+ \| [^|]+ \| (?:(not yet)|`([^`|]+)`) \|$/)
	{
		push @statements, $2 if defined $2;
	}
	else
	{
		push @bad_rows, $line;
	}
}
cmp_ok($rows, '>', 400, 'the items of the runbooks are there');
is_deeply(\@bad_rows, [], 'every row holds one statement or "not yet"');
is_deeply(\@repeated, [], 'no item has two rows in its section');

my $node = PostgreSQL::Test::Cluster->new('runbooks');
$node->init;
$node->append_conf(
	'postgresql.conf', q{
shared_preload_libraries = 'pg_stat_statements,dbmaint'
dbmaint.sample_interval = '1s'
dbmaint.pool_interval = '1s'
dbmaint.home_database = 'runbooks'
max_worker_processes = 16
});
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE runbooks');
$node->safe_psql('postgres', 'CREATE DATABASE readme');
$node->safe_psql('postgres', 'CREATE DATABASE app');
$node->safe_psql('runbooks',
	q{CREATE EXTENSION pg_stat_statements; CREATE EXTENSION dbmaint;
	CREATE TABLE transactions_partitioned (id bigint, at timestamptz NOT NULL) PARTITION BY RANGE (at);
	SELECT create_future_partitions('transactions_partitioned', 0, '1 month')});

ok( $node->poll_query_until(
		'runbooks', q{
SELECT count(*) > 1 AND count(response_time_ms) > 0 AND count(total_connections) > 0
FROM performance_metrics}),
	'the sampler fills performance_metrics');
ok( $node->poll_query_until(
		'runbooks', q{
SELECT count(*) = 2 FROM dbmaint_health()
WHERE check_name IN ('sampler', 'response_time') AND status <> 'unknown'}),
	'health sees the sampler and its samples');

sub runs
{
	my ($database, $sql, $name) = @_;
	my ($stdout, $stderr) = ('', '');

	my $code = $node->psql(
		$database, $sql,
		on_error_die => 0,
		stdout => \$stdout,
		stderr => \$stderr);
	my $good = ok($code == 0 && $stderr !~ /^(?:psql:.*: )?ERROR:/m, $name);
	diag("$sql\n$stderr") unless $good;
	return $stdout;
}

# A PgBouncer with a client, for the rows on pools.
my $me = getpwuid $<;
my $bouncer = Bouncer->new($node,
	databases => { aiwfe_production => '' }, pool_mode => 'transaction')->start;
$node->safe_psql('postgres', "ALTER SYSTEM SET dbmaint.pgbouncer_conninfo = '"
	  . $bouncer->console(user => $me) . "'");
$node->reload;
my $pooled = IPC::Run::start(
	[ 'psql', '-XqAt', '-h', '127.0.0.1', '-p', $bouncer->{port}, 'aiwfe_production', '-c', 'SELECT pg_sleep(600)' ],
	'<', '/dev/null', '>', '/dev/null', '2>', '/dev/null');
ok( $node->poll_query_until(
		'runbooks', q{
SELECT count(*) > 0 FROM dbmaint_pool_history WHERE database = 'aiwfe_production' AND sv_active = 1}),
	'the sampler reads PgBouncer');

my %seen = ();
foreach my $sql (grep { !$seen{$_}++ } @statements)
{
	my $result = runs('runbooks', $sql, $sql);

	# a named check is there under its name
	if (my ($list) = $sql =~ /check_name (?:= |IN \()(.*?)\)?$/)
	{
		my $names = () = $list =~ /'\w+'/g;
		my @found = split /\n/, $result;
		is(scalar(@found), $names, "found by name: $list");
	}
}

my @blocks = sql_blocks($runbooks);
is(scalar(@blocks), 4, "the runbooks' own queries are there");
my ($pools_view) = $readme =~ /^(CREATE SCHEMA pgbouncer;\n.*;)$/m;
runs('runbooks', $pools_view, 'README.md says how pgbouncer.pools is made');
foreach my $block (@blocks)
{
	my ($title) = $block =~ /^-- (.*)$/m;
	my $result = runs('runbooks', $block, "as it stands: $title");
	isnt($result, '', "answers: $title");
}

# The settings table of README names each setting once, with its default and
# context. (Before README's own examples change a setting.)
my $known = $node->safe_psql('runbooks',
	q{SELECT name, context FROM pg_settings WHERE name LIKE 'dbmaint.%'});
my %context = map { split /\|/ } split /\n/, $known;
is_deeply([ sort $readme =~ /^\| `(dbmaint\.\w+)` \|/mg ],
	[ sort keys %context ], 'README.md documents each setting once');
foreach my $name (sort keys %context)
{
	my ($row) = $readme =~ /^(\| `\Q$name\E` \|.*)$/m;
	like($row // '', qr/ \| \Q$context{$name}\E \| /, "README.md has the context of $name");

	# these are not at their defaults here
	next if $name =~ /^dbmaint\.(?:sample_interval|pool_interval|home_database|pgbouncer_conninfo)$/;
	my $default = $node->safe_psql('runbooks', "SHOW $name");
	$default = "''" if $default eq '';
	like($row // '', qr/^\| \S+ \| `\Q$default\E` \| /, "README.md has the default of $name");
}

# README: in its order, in a database of its own, from CREATE EXTENSION on.
@blocks = sql_blocks($readme);
cmp_ok(scalar(@blocks), '>=', 5, 'README.md has its examples');
foreach my $block (@blocks)
{
	my ($title) = $block =~ /^(.*)$/m;
	runs('readme', $block, "README.md: $title");
}

$pooled->kill_kill;
$bouncer->stop;
$node->stop;
done_testing();
