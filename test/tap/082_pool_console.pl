# A console that is of another version, lies, hangs, or sends without end.
use strict;
use warnings;
use utf8;

use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/lib";
use FakeConsole;
use List::Util qw(shuffle);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;
use Time::HiRes qw(time usleep);

my $node = new_server('primary', conf => "dbmaint.pool_interval = 1s\n");
$node->safe_psql('postgres', 'CREATE EXTENSION dbmaint');

my $console;

sub sql
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

sub configure
{
	my ($conninfo) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET dbmaint.pgbouncer_conninfo = '$conninfo'");
	$node->reload;
	return;
}

# Waits for the state, at the connection that is configured from now on.
sub state_is
{
	my ($console, $state, $message, $name) = @_;
	my $now = sql('SELECT clock_timestamp()');

	configure($console->conninfo);
	ok( $node->poll_query_until('postgres',
			"SELECT state = '$state' AND tried_at > '$now' FROM dbmaint_pool_status()"),
		"$state: $name") or diag sql('SELECT * FROM dbmaint_pool_status()');
	like(sql('SELECT message FROM dbmaint_pool_status()'), $message, '... with its message') if $message;
	return;
}

# The answers of a version, with one pool of each database and user.
my @v17 = qw(database user cl_active cl_waiting cl_cancel_req sv_active sv_idle sv_used sv_tested sv_login maxwait maxwait_us pool_mode);
my @v18 = qw(database user cl_active cl_waiting cl_active_cancel_req cl_waiting_cancel_req sv_active sv_active_cancel
  sv_being_canceled sv_idle sv_used sv_tested sv_login maxwait maxwait_us pool_mode);
my @v24 = (@v18, 'load_balance_hosts');
my @stats = qw(database total_xact_count total_query_count avg_xact_count avg_query_count avg_xact_time avg_query_time avg_wait_time);
my @databases17 = qw(name host port database force_user pool_size reserve_pool pool_mode max_connections current_connections paused disabled);
my @databases24 = qw(name host port database force_user pool_size min_pool_size reserve_pool_size server_lifetime pool_mode
  load_balance_hosts max_connections current_connections max_client_connections current_client_connections paused disabled);

my %pool = (
	database => 'app', user => 'u', cl_active => 12, cl_waiting => 3, sv_active => 8, sv_idle => 0, sv_used => 1, sv_tested => 0,
	sv_login => 1, maxwait => 2, maxwait_us => 500, pool_mode => 'transaction', cl_cancel_req => 99);
my %stats = (database => 'app', avg_query_count => 50, avg_query_time => 1500, avg_wait_time => 250);
my %databases = (name => 'app', pool_size => 10, reserve_pool => 5, reserve_pool_size => 5, paused => 0);

sub table
{
	my ($columns, @rows) = @_;
	return [ $columns, map { my $row = $_; [ map { $row->{$_} } @$columns ] } @rows ];
}

sub answers
{
	my ($pools, $stats, $databases) = @_;
	return {
		'SHOW POOLS' => table($pools, { %pool, database => 'pgbouncer', user => 'pgbouncer' }, \%pool),
		'SHOW STATS' => table($stats, { %stats, database => 'pgbouncer' }, \%stats),
		'SHOW DATABASES' => table($databases, { %databases, name => 'pgbouncer' }, \%databases),
		'SHOW CONFIG' => [ [ 'key', 'value', 'default', 'changeable' ],
			[ 'default_pool_size', 10, 20, 'yes' ], [ 'auth_query', 'SELECT secret', '', 'yes' ] ]
	};
}

#
# Versions, shuffled columns, missing ones.
#
my $whole = 'app.u|app|u|transaction|12|3|8|0|1|0|1|2000.5|10|150|0.8|1.2|f|0.25|1.5|50';
my %versions = (
	'1.17' => [ \@v17, \@stats, \@databases17 ],
	'1.18' => [ \@v18, \@stats, \@databases17 ],
	'1.24' => [ \@v24, [ @stats, 'total_bind_count' ], \@databases24 ],
	'shuffled' => [ [ shuffle @v24 ], [ shuffle @stats ], [ shuffle @databases24 ] ]);
foreach my $version (sort keys %versions)
{
	$console = FakeConsole->new(answers(@{ $versions{$version} }));
	state_is($console, 'ok', undef, "columns of $version");
	is(sql('SELECT * FROM dbmaint_pools()'), $whole, '... the pool, without the console\'s own');
	is(sql('SELECT setting, value FROM dbmaint_pool_settings() WHERE database IS NULL'), 'default_pool_size|10', '... its settings');
	is(sql(q{SELECT value FROM dbmaint_pool_settings() WHERE database = 'app' AND setting = 'reserve_pool_size'}), 5,
		'... the database\'s, under their present name');
}
# the history came from the same answers
is( sql(q{SELECT DISTINCT pool_name, database, "user", pool_mode, cl_active, cl_waiting, sv_active, sv_idle, sv_used, sv_tested, sv_login,
	maxwait_ms, pool_size, pool_efficiency, server_utilization, multiplexing, exhausted, avg_wait_ms, avg_query_ms, avg_queries_per_s
	FROM dbmaint_pool_history}), $whole, 'the history has the same');

$console = FakeConsole->new(answers([qw(sv_active database)], ['database'], ['name']));
state_is($console, 'ok', undef, 'hardly any column');
is(sql('SELECT * FROM dbmaint_pools()'), 'app|app|||||8||||||||1||||||' =~ s/\|\|\|\|\|\|$/|||||/r, 'what is not told is not known')
  or diag sql('SELECT * FROM dbmaint_pools()');
$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM dbmaint_pool_history WHERE pool_name = 'app' AND cl_active IS NULL AND sv_active = 8}) or die;
is( sql(q{SELECT check_name, status FROM dbmaint_health() WHERE check_name ~ '^pool_'}),
	"pool_efficiency|ok\npool_waiting|unknown", 'the checks know what they do not know');
state_is($console = FakeConsole->new(answers([qw(cl_active user)], ['database'], ['name'])), 'ok', undef, 'not even the database');
like(($node->psql('postgres', 'SELECT * FROM dbmaint_pools()'))[2], qr/has no column "database"/, '... which is no answer');
state_is($console = FakeConsole->new({}), 'unusable answer', qr/invalid command 'SHOW POOLS'/, 'no such command');
my $empty = answers(\@v18, \@stats, \@databases17);
$empty->{'SHOW POOLS'} = [ \@v18 ];
state_is($console = FakeConsole->new($empty), 'ok', undef, 'no pools at all');
is(sql('SELECT count(*) FROM dbmaint_pools()'), 0, '... are none');

#
# Names and numbers that are meant to hurt.
#
my @names = ("quo'te", 'quo"te', "new\nline", 'back\\slash', '$(touch x)', '{braces,}', "\xc3\xa9t\xc3\xa9", "\xff\xfe", "\xe2\x82", 'x' x 5000,
	'NULL', '', '%s%n', "bell\a");
my $hostile = answers(\@v18, \@stats, \@databases17);
$hostile->{'SHOW POOLS'} = table(\@v18, map { { %pool, database => $_, user => $_ } } @names);
push @{ $hostile->{'SHOW POOLS'} }, [ map { 'x' } @v18 ], [ map { '99999999999999999999999' } @v18 ], [ map { '-1' } @v18 ],
  [ map { undef } @v18 ], [ map { '9223372036854775807' } @v18 ], [ map { '9223372036854775807' } @v18 ];
push @{ $hostile->{'SHOW DATABASES'} }, map { [ $_, map { "'; DROP TABLE dbmaint_pool_names; --" } 2 .. @databases17 ] } @names;
push @{ $hostile->{'SHOW CONFIG'} }, [ 'pool_mode', "'; SELECT 1; --", undef, "\xff" ], [ 'pool_mode', 'twice', '', '' ];
state_is($console = FakeConsole->new($hostile), 'ok', undef, 'hostile names');
# an empty name is a name; a row without a database is none; two become the same
is(sql('SELECT count(*), count(DISTINCT pool_name) FROM dbmaint_pools()'), '19|17', 'every pool is there');
$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM dbmaint_pool_history WHERE database = E'new\nline'}) or die;
is(sql(q{SELECT count(*) FROM dbmaint_pool_history WHERE taken_at = (SELECT max(taken_at) FROM dbmaint_pool_snapshots)}), 17, 'and kept, once');
is(sql(q{SELECT max(octet_length(database)) FROM dbmaint_pools()}), 255, 'long names are cut');
is(sql(q{SELECT count(*) FROM dbmaint_pools() WHERE database IN ('été', '??')}), 2, 'what is no text becomes question marks');
is(sql(q{SELECT count(*) FILTER (WHERE detail ~ 'The check failed') FROM dbmaint_health()}), 0, 'the checks get on with them');
is(sql(q{SELECT value FROM dbmaint_pool_setting_history WHERE setting = 'pool_mode' AND pool_database = '' ORDER BY changed_at DESC LIMIT 1}),
	"'; SELECT 1; --", 'a value is a value');

#
# Too much.
#
my $rss = sub { slurp_file('/proc/' . process_of($node, 'postgres') . '/status') =~ /^VmRSS:\s+(\d+)/m; $1 };
my $before = $rss->();
my $since = sql('SELECT clock_timestamp()');
my $many = answers(\@v18, \@stats, \@databases17);
$many->{'SHOW POOLS'} = table(\@v18, map { { %pool, database => "database$_" } } 1 .. 9000);
state_is($console = FakeConsole->new($many), 'ok', undef, '9,000 pools');
ok($node->poll_query_until('postgres', 'SELECT pools = 9000 FROM dbmaint_pool_status()'), '... all of them');
configure('');
sampled_again($node, 'postgres', 2);
$since = sql('SELECT clock_timestamp()');
my $endless = answers(\@v18, \@stats, \@databases17);
$endless->{'SHOW POOLS'} = sub {
	my ($self) = @_;
	my $row = FakeConsole::row(map { 1 } @v18);
	$self->transmit(FakeConsole::columns(@v18));
	$self->transmit($row x 1000) while 1;
};
state_is($console = FakeConsole->new($endless), 'unusable answer', qr/SHOW POOLS is too large/, 'rows without end');$endless->{'SHOW POOLS'} = sub {
	my ($self) = @_;
	$self->transmit(FakeConsole::columns(@v18));
	# a row of almost a gigabyte
	$self->transmit('D' . pack('N n N', 1_000_000_000, 1, 999_999_994));
	$self->transmit('x' x 1_000_000) while 1;
};
state_is($console = FakeConsole->new($endless), 'unusable answer', qr/SHOW POOLS is too large/, 'a row without end');$endless->{'SHOW POOLS'} = sub {
	my ($self) = @_;
	$self->transmit(FakeConsole::message('N', "SNOTICE\0C00000\0Mnothing\0\0") x 1000) while 1;
};
state_is($console = FakeConsole->new($endless), 'unusable answer', qr/SHOW POOLS is too large/, 'notices without end');
cmp_ok($rss->() - $before, '<', 100_000, 'none of it needs much memory: ' . ($rss->() - $before) . ' kB more');

#
# It hangs, at every point; it is slow; it is cut.
#
my %hangs = (
	'at the start' => sub { $_[0]->startup; sleep 600; },
	'at the login' => sub { $_[0]->startup; $_[0]->transmit(FakeConsole::message('R', pack('N', 0))); sleep 600; },
	'at the version' => sub { $_[0]->welcome; $_[0]->query; sleep 600; },
	'at the first answer' => sub { my ($s) = @_; $s->welcome; $s->answer($s->query, {}); $s->query; sleep 600; },
	'within a row' => sub {
		my ($s) = @_;
		$s->welcome;
		$s->answer($s->query, {});
		$s->query;
		$s->transmit(FakeConsole::columns(@v18) . substr FakeConsole::row(map { 1 } @v18), 0, 20);
		sleep 600;
	},
	'without reading' => sub { sleep 600; });
foreach my $where (sort keys %hangs)
{
	state_is($console = FakeConsole->new($hangs{$where}), 'no answer', qr/in time/, "it hangs $where");
}
state_is($console = FakeConsole->new(sub {
		my ($s) = @_;
		$s->welcome;
		$s->answer($s->query, {});
		$s->query;
		for my $byte (split //, FakeConsole::columns(@v18) x 100)
		{
			$s->transmit($byte);
			usleep 50_000;
		}
	}), 'no answer', qr/SHOW POOLS was not answered in time/, 'a byte at a time');
sampled_again($node, 'postgres', 2);
no_sample_waits($node, $since);

state_is($console = FakeConsole->new(sub { }), 'connection lost', qr/closed/, 'it closes at once');
state_is($console = FakeConsole->new(sub { $_[0]->welcome; $_[0]->query; }), 'connection lost', qr/closed/, 'it closes instead of an answer');
state_is($console = FakeConsole->new(sub { my ($s) = @_; $s->welcome; $s->answer($s->query, {}); $s->query; $s->transmit(FakeConsole::columns(@v18)); }),
	'connection lost', qr/closed/, 'it closes within an answer');
state_is($console = FakeConsole->new(sub { $_[0]->startup; $_[0]->error('FATAL', '08P01', 'no more connections allowed (max_client_conn)'); }),
	'no more connections', qr/no more connections/, 'it is full');
state_is($console = FakeConsole->new(sub { my ($s) = @_; $s->transmit("HTTP/1.1 400 Bad Request\r\n\r\n" x 10); sleep 1; }), 'connection lost', qr/./, 'a web server');
state_is($console = FakeConsole->new({ 'SHOW VERSION' => [ ['version'], ['Odyssey 1.3'] ] }), 'not a PgBouncer', qr/Odyssey/, 'another pooler');
state_is($console = FakeConsole->new({ 'SHOW VERSION' => sub { $_[0]->transmit(FakeConsole::message('N', "SNOTICE\0C00000\0MPgBouncer version 1.7\0\0")
			. FakeConsole::done('SHOW')) } }), 'unusable answer', qr/SHOW POOLS/, 'an old one says its version by a notice');
state_is($console = FakeConsole->new({ 'SHOW VERSION' => sub { $_[0]->transmit(FakeConsole::message('G', pack 'Cn', 0, 0)) } }),
	'unusable answer', qr/./, 'it wants to be copied to');

#
# A connection that was cut while nobody used it is made anew, and costs nothing.
#
my $turns = answers(\@v18, \@stats, \@databases17);
$console = FakeConsole->new(sub {
		my ($s) = @_;
		$s->welcome;
		$s->answer($s->query, $turns) foreach 1 .. 5;
	});
state_is($console, 'ok', undef, 'it closes after each reading');
my $errors = sql('SELECT errors FROM dbmaint_pool_status()');
my $now = sql('SELECT clock_timestamp()');
ok($node->poll_query_until('postgres', "SELECT count(*) > 3 FROM dbmaint_pool_snapshots WHERE taken_at > '$now'"), '... and is read all the same');
is(sql('SELECT errors FROM dbmaint_pool_status()'), $errors, '... without an error');

# It fails for long: it is tried less often, but once a minute.
$console->stop;
$node->poll_query_until('postgres', q{SELECT failures_in_a_row > 3 FROM dbmaint_pool_status()}) or die;
cmp_ok(sql('SELECT extract(epoch FROM clock_timestamp() - max(taken_at)) FROM dbmaint_pool_snapshots'), '>', 5, 'who fails again and again is left alone for longer');

$node->stop('fast');
unlike(slurp_file($node->logfile), qr/TRAP|PANIC|terminated by signal/, 'nothing crashed');
done_testing();
