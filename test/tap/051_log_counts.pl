# Messages of the log are counted in every process, whatever happens to it.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;

# The logger has let the shared memory go, and the postmaster does so for a
# moment after a crash; both say something all the time here.
my $node = new_server(
	'primary',
	conf => q{
dbmaint.activity_history_interval = 1s
logging_collector = on
log_min_messages = debug3
log_rotation_size = 1MB
restart_after_crash = on
});
$node->safe_psql('postgres', 'CREATE EXTENSION dbmaint; CREATE DATABASE other');

sub counted
{
	my ($where) = @_;
	return $node->safe_psql('postgres', "SELECT coalesce(sum(messages), 0) FROM dbmaint_log_counts() WHERE $where");
}

# Runs the statements, most of which fail, in that many sessions at a time.
sub run_failing
{
	my ($database, $sessions, $sql) = @_;
	my @handles = map {
		my ($in, $out, $err) = ($sql, '', '');
		IPC::Run::start([ 'psql', '-Xq', '-d', $node->connstr($database) ], '<', \$in, '>', \$out, '2>', \$err)
	} (1 .. $sessions);
	$_->finish foreach @handles;
	return;
}

# errors of statements, by many at a time
run_failing('other', 8, "SELECT 1 / 0;\n" x 200);
my $other = $node->safe_psql('postgres', q{SELECT oid FROM pg_database WHERE datname = 'other'});
is(counted("sqlstate = '22012' AND severity = 'ERROR' AND session_database_oid = $other"), 1600, 'every error of eight sessions at a time is counted');
ok( $node->poll_query_until('postgres', q{SELECT coalesce(sum(u.count), 0) = 1600 FROM dbmaint_log_history AS h, unnest(h.sqlstates, h.counts) AS u(sqlstate, count) WHERE u.sqlstate = '22012'}),
	'and stored once');
is( $node->safe_psql('postgres', q{SELECT condition_name, severity, message_count, databases FROM dbmaint_log_errors() WHERE sqlstate = '22012'}),
	'division_by_zero|ERROR|1600|{other}', 'and told');

# before there is a session
$node->psql('nosuch', 'SELECT 1') foreach (1 .. 3);
is(counted(q{sqlstate = '3D000' AND severity = 'FATAL'}), 3, 'logins that fail are counted');
$node->psql('postgres', 'SELECT 1', connstr => $node->connstr('postgres') . " user=nosuch") foreach (1 .. 2);
is(counted(q{sqlstate = '28000' AND severity = 'FATAL'}), 2, 'whatever they fail for');
is( $node->safe_psql('postgres', q{SELECT message_count, per_hour > 0, previous_count IS NULL, status FROM dbmaint_log_errors('1 hour') WHERE sqlstate = '28000'}),
	'2|t|t|ok', 'and told at once');

# background workers, the postmaster, the logger
my $sampler = process_of($node, 'postgres');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($sampler)");
process_of($node, 'postgres', $sampler);
cmp_ok(counted(q{sqlstate = '57P01' AND severity = 'FATAL'}), '>=', 1, 'the end of a background worker is counted');
cmp_ok(counted(q{severity = 'DEBUG'}), '>', 100, 'so is what the server says about itself');
$node->safe_psql('postgres', 'SELECT pg_rotate_logfile()') foreach (1 .. 3);
cmp_ok(counted(q{severity = 'LOG' AND session_database_oid = 0}), '>=', 1, 'the own processes of the server are in no database');

# a crash: the counts begin anew, what was stored stays, and the server lives
my $stored = $node->safe_psql('postgres', 'SELECT count(*) FROM dbmaint_log_history');
my $session = session($node, 'postgres', 'SELECT 1');
kill 'KILL', $session->{pid};
$session->{handle}->finish;
ok($node->poll_query_until('postgres', 'SELECT true'), 'the server recovers, with the postmaster talking all the while');
is(counted(q{sqlstate = '22012'}), 0, 'counts begin anew');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM dbmaint_log_history'), '>=', $stored, 'what was stored stays');
is( $node->safe_psql('postgres', q{SELECT message_count FROM dbmaint_log_errors() WHERE sqlstate = '22012'}), '1600', 'and is still told');
my $seen = session($node, 'postgres', 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
run_failing('other', 1, 'SELECT 1 / 0;');
is( $node->safe_psql('postgres', q{SELECT message_count FROM dbmaint_log_errors() WHERE sqlstate = '22012'}), '1601', 'with what comes');
ok( $node->poll_query_until('postgres', q{SELECT sum(u.count) = 1601 FROM dbmaint_log_history AS h, unnest(h.sqlstates, h.counts) AS u(sqlstate, count) WHERE u.sqlstate = '22012'}), 'which is stored');
$seen->{in} .= "SELECT 'told ' || message_count FROM dbmaint_log_errors() WHERE sqlstate = '22012';\n";
$seen->{handle}->pump until $seen->{out} =~ /^told (\d+)\n/m;
is($1, 1601, 'and still told to who cannot see the row');
leave($seen);

# more kinds of messages than there is room for
$node->safe_psql('other', q{DO $$BEGIN FOR i IN 1..2000 LOOP RAISE WARNING 'w' USING ERRCODE = 'A' || to_char(i, 'FM0000'); END LOOP; END$$});
is(counted(q{severity = 'WARNING'}), 2000, 'none of them is lost');
my $rest = counted(q{severity = 'WARNING' AND sqlstate IS NULL AND session_database_oid IS NULL});
cmp_ok($rest, '>', 1400, 'those without room are counted together');
cmp_ok($rest, '<', 2000, 'but only those');
is( $node->safe_psql('postgres', q{SELECT sum(message_count) FROM dbmaint_log_errors() WHERE severity = 'WARNING' AND (sqlstate IS NULL OR sqlstate LIKE 'A%')}),
	'2000', 'they are told all the same');

# the room of a database that is gone is used again, once all is stored
$node->safe_psql('postgres', 'DROP DATABASE other');
ok( $node->poll_query_until('postgres', "SELECT coalesce(sum(not_stored), 0) = 0 FROM dbmaint_log_counts() WHERE session_database_oid = $other"),
	'all of it is stored');
$node->safe_psql('postgres', 'CREATE DATABASE another');
ok( $node->poll_query_until('postgres', "SELECT count(*) = 0 FROM dbmaint_log_counts() WHERE session_database_oid = $other"),
	'a database that is gone leaves room');
run_failing('postgres', 4, q{DO $$BEGIN RAISE EXCEPTION 'e' USING ERRCODE = 'B0001'; END$$;} . "\n");
is(counted(q{sqlstate = 'B0001'}), 4, 'which is used again');
ok( $node->safe_psql('postgres', q{SELECT databases = ARRAY['(dropped: ' || } . "$other" . q{ || ')'] FROM dbmaint_log_errors() WHERE sqlstate = '22012'}) eq 't',
	'its history stays');

# every condition of this server has a name
my $names = slurp_file(do { my $dir = `pg_config --sharedir`; chomp $dir; "$dir/errcodes.txt" });
my %name;
foreach (split /\n/, $names)
{
	$name{$1} //= $2 if /^([0-9A-Z]{5})\s+[EWS]\s+\w+\s+(\w+)\s*$/;
}
cmp_ok(scalar(keys %name), '>', 200, 'the server has a list of conditions');
my $pairs = join ', ', map { "('$_', '$name{$_}')" } sort keys %name;
is($node->safe_psql('postgres', "SELECT * FROM (VALUES $pairs) AS v(sqlstate, name) WHERE dbmaint_condition_name(sqlstate) IS DISTINCT FROM name"),
	'', 'each of them has its name here');

$node->stop;
my @logs = glob $node->data_dir . '/log/*';
cmp_ok(scalar(@logs), '>=', 1, 'the logger wrote');
is(scalar(grep { slurp_file($_) =~ /PANIC:|TRAP:|was terminated by signal (?!9)/ } @logs), 0, 'nothing crashed');
done_testing();
