# pg_upgrade of a cluster that is sampled: the library keeps still during the
# upgrade, history comes along, and sampling goes on.
#
# From the same version; or, where the environment variable DBMAINT_OLD_BINDIR
# names the programs of another version, into which dbmaint is installed, from
# that one.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $old_bindir = $ENV{DBMAINT_OLD_BINDIR} || undef;
my $settings = q{
shared_preload_libraries = 'pg_stat_statements,dbmaint'
dbmaint.sample_interval = 1s
compute_query_id = on
};

my $new = PostgreSQL::Test::Cluster->new('new');

# both ends alike: 18 made checksums the default
my ($help) = run_command([ $new->installed_command('initdb'), '--help' ]);
my @new_only = $help =~ /--no-data-checksums/ ? ('--no-data-checksums') : ();
my @same = ('--locale=C', '--encoding=UTF8');
$new->init(extra => [ @same, @new_only ]);

sub start_old
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name,
		$old_bindir ? (install_path => $old_bindir =~ s{/bin/?$}{}r) : ());
	$node->init(extra => [ @same, $old_bindir ? () : @new_only ]);
	$node->append_conf('postgresql.conf', $settings);
	$node->start;
	$node->safe_psql('postgres', 'CREATE TABLE copied AS SELECT 1 AS id');
	return $node;
}
my $old = start_old('old');

# The minor releases of November 2026 keep an option on every column that
# earlier ones, of whatever major version, cannot take over from any table.
if ($old_bindir)
{
	my ($dump) = run_command(
		[ $new->installed_command('pg_dump'), '--schema-only', $old->connstr('postgres') ]);
	if ($dump =~ /SET \(pg_attver/)
	{
		note('the old server is a later minor release than the new one can upgrade from;'
			  . ' upgrading from the same version instead');
		$old->stop;
		$old_bindir = undef;
		$old = start_old('old_same');
	}
}
$old->safe_psql('postgres', q{
	CREATE SCHEMA "Other";
	CREATE EXTENSION dbmaint SCHEMA "Other";
	CREATE DATABASE second;
});
$old->safe_psql('second', q{
	CREATE EXTENSION dbmaint;
	CREATE TABLE measured (latency dbmaint_histogram);
	INSERT INTO measured SELECT dbmaint_histogram_agg(x) FROM generate_series(1, 100) AS x;
});
my %history = (postgres => '"Other".performance_metrics', second => 'performance_metrics');
foreach my $database (sort keys %history)
{
	ok( $old->poll_query_until($database,
			"SELECT count(*) >= 2 FROM $history{$database} WHERE query_count IS NOT NULL"),
		"$database: sampled before the upgrade");
}

# The database's identity in its rows is its oid, which pg_upgrade keeps.
my %before;
$old->stop;
$old->append_conf('postgresql.conf', "dbmaint.enabled = off\n");
$old->start;
foreach my $database (sort keys %history)
{
	$before{$database} = $old->safe_psql($database,
		qq{SELECT count(*), max("timestamp"), min(database_oid), max(database_oid) FROM $history{$database}});
}
$old->stop;
$old->append_conf('postgresql.conf', "dbmaint.enabled = on\n");

# The new cluster preloads the library, as it will afterwards.
$new->append_conf('postgresql.conf', $settings);

my @upgrade = (
	$new->installed_command('pg_upgrade'), '--no-sync',
	'-d' => $old->data_dir,
	'-D' => $new->data_dir,
	'-b' => $old_bindir // $old->config_data('--bindir'),
	'-B' => $new->config_data('--bindir'),
	'-s' => $new->host,
	'-p' => $old->port,
	'-P' => $new->port);
# what the old programs may need beside them, for pg_upgrade to run them
local $ENV{LD_LIBRARY_PATH} = $old->config_data('--pkglibdir') if $old_bindir;
# it writes into the directory where it runs
chdir $PostgreSQL::Test::Utils::tmp_check
  or die "could not enter $PostgreSQL::Test::Utils::tmp_check: $!";
command_ok([ @upgrade, '--check' ], 'pg_upgrade --check');
my $upgraded = run_log([ @upgrade, '--retain' ]);
ok($upgraded, 'pg_upgrade');

# What the servers of the upgrade said.
my @logs = glob($new->data_dir . '/pg_upgrade_output.d/*/log/pg_upgrade_server.log');
ok(@logs > 0, 'the servers of the upgrade left logs');
if (!$upgraded)
{
	# the ends of its logs say why
	foreach my $log (glob($new->data_dir . '/pg_upgrade_output.d/*/log/pg_upgrade_dump_*.log'))
	{
		my @lines = split /\n/, slurp_file($log);
		diag(join("\n", $log, splice(@lines, @lines > 8 ? -8 : 0)));
	}
	done_testing();
	exit 1;
}
foreach my $log (@logs)
{
	unlike(slurp_file($log), qr/dbmaint (?:launcher|sampler)/,
		'the library kept still during the upgrade');
}

# Its settings are known to a server in binary upgrade, and nothing more.
$new->append_conf('postgresql.conf', "dbmaint.enabled = off\n");
$new->start;
foreach my $database (sort keys %history)
{
	is( $new->safe_psql($database,
			qq{SELECT count(*), max("timestamp"), min(database_oid), max(database_oid) FROM $history{$database}}),
		$before{$database},
		"$database: the history is there, and nothing came between");
	is( $new->safe_psql($database,
			"SELECT DISTINCT m.database_oid = d.oid FROM $history{$database} AS m, pg_database AS d WHERE d.datname = current_database()"),
		't',
		"$database: the history is still this database's");
}
$new->append_conf('postgresql.conf', "dbmaint.enabled = on\n");
$new->reload;
foreach my $database (sort keys %history)
{
	my ($count) = split /\|/, $before{$database};
	ok( $new->poll_query_until($database,
			"SELECT count(*) >= $count + 2 FROM $history{$database}"),
		"$database: samples after the upgrade");
}
is( $new->safe_psql('postgres', q{
		SELECT count(*) > 0, count(*) FILTER (WHERE detail LIKE 'The check failed%') FROM "Other".dbmaint_health()}),
	't|0',
	'health answers');
is( $new->safe_psql('second',
		'SELECT round(dbmaint_percentile(latency, 0.5)), dbmaint_histogram_count(latency) FROM measured'),
	'50|100',
	'stored histograms are read');
is( $new->safe_psql('second',
		'SELECT dbmaint_histogram_count(dbmaint_histogram_merge(latency_histogram)) > 0 FROM performance_metrics'),
	't',
	'and so are those of the history');

$new->stop;
done_testing();
