# A standby: what only looks is answered, what would change something is refused
# with its SQLSTATE, and after a promotion all goes on.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;

my $primary = new_server('primary', conf => "dbmaint.enabled = off\n", init => { allows_streaming => 1 });
$primary->safe_psql('postgres', q{
	CREATE EXTENSION dbmaint;
	CREATE TABLE t (at timestamptz NOT NULL) PARTITION BY RANGE (at);
	CREATE TABLE t_2026_01 PARTITION OF t FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2026-02-01 00:00+00');
	CREATE TABLE t_2026_02 PARTITION OF t FOR VALUES FROM ('2026-02-01 00:00+00') TO ('2026-03-01 00:00+00');
	SELECT dbmaint_set_partition_policy('t', 2, interval '1 month', time_zone => 'UTC');
});
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));

sub refused
{
	my ($sql, $state, $message, $what) = @_;
	my (undef, undef, $stderr) = $standby->psql('postgres', $sql, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return like($stderr, qr/ERROR:  $state: .*$message/, $what);
}

my $at = q{as_of => '2026-02-15 00:00+00'};
is($standby->safe_psql('postgres', "SELECT partition_name, status FROM create_future_partitions('t', 1, dry_run => true, $at)"),
	"t_2026_02|exists\nt_2026_03|planned", 'a dry run says what would be made');
is($standby->safe_psql('postgres', "SELECT partition_name, status FROM create_future_partitions('t', 0, $at)"), 't_2026_02|exists', 'what is there is found');
is($standby->safe_psql('postgres', q{SELECT partition_name, status FROM drop_old_partitions('t', 1, dry_run => true, as_of => '2026-03-15 00:00+00')}),
	't_2026_01|would be dropped', 'and what would be dropped');
is($standby->safe_psql('postgres', q{SELECT parent_table, partitions, missing, expired FROM dbmaint_partition_health('2026-03-15 00:00+00')}),
	'public.t|2|3|1', 'the health of the table is told');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM dbmaint_partitions('t')}), 2, 'its partitions are listed');

# PreventCommandIfReadOnly() comes first: a standby's transactions read only
refused("SELECT create_future_partitions('t', 1, $at)", '25006', 'create_future_partitions', 'making partitions is refused');
refused("SELECT create_future_partitions('t', 1, default_rows => 'move', fill_gaps => true, $at)", '25006', 'create_future_partitions', 'in any way');
refused(q{SELECT drop_old_partitions('t', 1, as_of => '2026-03-15 00:00+00')}, '25006', 'drop_old_partitions', 'retiring them, too');
refused(q{SELECT drop_old_partitions('t', 1, detach_only => true, as_of => '2026-03-15 00:00+00')}, '25006', 'drop_old_partitions', 'in any way');
refused(q{BEGIN READ WRITE; SELECT create_future_partitions('t', 1)}, '0A000|25001', 'read-write mode', 'nobody writes here');
refused(q{SELECT dbmaint_set_partition_policy('t', 3)}, '25006', 'read-only|recovery', 'so is a policy');
refused(q{SELECT dbmaint_drop_partition_policy('t')}, '25006', 'read-only|recovery', 'and its end');
refused(q{SELECT dbmaint_enqueue('partition_create', 't')}, '25006', 'read-only|recovery', 'and a job');
refused(q{SELECT create_future_partitions('pg_class', 1)}, '42809', 'not a partitioned table', 'what is wrong is wrong here as well');

$standby->promote;
is($standby->safe_psql('postgres', "SELECT partition_name, status FROM create_future_partitions('t', 1, $at)"),
	"t_2026_02|exists\nt_2026_03|created", 'after a promotion they are made');
is($standby->safe_psql('postgres', q{SELECT partition_name, status FROM drop_old_partitions('t', 1, as_of => '2026-03-15 00:00+00')}),
	't_2026_01|dropped', 'and retired');
is($primary->safe_psql('postgres', q{SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass}), 2, 'the old primary has what it had');

$standby->stop;
$primary->stop;
done_testing();
