# Changes of settings and access rules over reloads and restarts, by the live
# sampler of the home database; locked tables and sequences stop no look.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;

my $node = new_server('primary', conf => q{
dbmaint.objects_interval = 1s
dbmaint.home_database = 'postgres'
});
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql($_, 'CREATE EXTENSION dbmaint') foreach qw(postgres other);

# Waits until the database has been looked at twice more.
sub looked_at
{
	my ($database) = @_;
	my $state = "FROM dbmaint_definitions WHERE kind = 'relations'";
	foreach (1 .. 2)
	{
		my $last = $node->safe_psql($database, "SELECT coalesce(max(looked_at), '-infinity') $state");
		$node->poll_query_until($database, "SELECT count(*) = 1 $state AND looked_at > '$last'")
		  or die 'no look at the definitions';
	}
	return;
}

# Waits for a change that meets the condition, and returns what it says.
sub change
{
	my ($condition, $database) = @_;
	$node->poll_query_until($database // 'postgres', "SELECT count(*) >= 1 FROM dbmaint_changes WHERE $condition")
	  or return 'no such change';
	return $node->safe_psql($database // 'postgres',
		"SELECT kind, object, attribute, old_value, new_value FROM dbmaint_changes WHERE $condition ORDER BY 2, 3 LIMIT 1");
}

sub changes
{
	my ($database) = @_;
	return $node->safe_psql($database // 'postgres',
		'SELECT changed_at, kind, object, attribute, old_value, new_value FROM dbmaint_changes');
}

looked_at($_) foreach qw(postgres other);
is(changes($_), '', "the first look at $_ notes nothing") foreach qw(postgres other);

# A reload: what the sampler itself has pinned counts as the files have it.
$node->append_conf('postgresql.conf', "work_mem = 9MB\nlock_timeout = 7s\nextra_float_digits = 2\nTimeZone = 'Asia/Kathmandu'\ncustom.colour = 'blue'\n");
$node->reload;
is(change("object = 'work_mem'"), 'setting|work_mem|value|4MB|9MB', 'a setting by reload');
is(change("object = 'lock_timeout'"), 'setting|lock_timeout|value|0|7s', 'one that the sampler has pinned');
is(change("object = 'extra_float_digits'"), 'setting|extra_float_digits|value|1|2', 'another one');
like(change("object = 'TimeZone'"), qr{^setting\|TimeZone\|value\|[^|]+\|Asia/Kathmandu$}, 'and the time zone');
is(change("object = 'custom.colour'"), 'setting|custom.colour|value||blue', 'a custom one that came');

# ALTER SYSTEM, and what waits for a restart.
$node->safe_psql('postgres', 'ALTER SYSTEM SET max_connections = 77');
$node->reload;
like(change("object = 'max_connections'"), qr/^setting\|max_connections\|pending_restart\|\|77$/, 'a setting that waits for a restart');

# Secrets.
$node->safe_psql('postgres', q{ALTER SYSTEM SET primary_conninfo = 'host=x password=geheim'});
$node->safe_psql('postgres', q{ALTER SYSTEM SET log_directory = 'geheim'});
$node->reload;
like(change("object = 'primary_conninfo'"), qr/^setting\|primary_conninfo\|value\|\|hidden, [0-9a-f]{8}$/, 'a connection string is hidden');
like(change("object = 'log_directory'"), qr/^setting\|log_directory\|value\|hidden, [0-9a-f]{8}\|hidden, [0-9a-f]{8}$/, 'so is what only superusers see');
is( $node->safe_psql('postgres', q{SELECT count(*) FROM dbmaint_definitions WHERE facts::text LIKE '%geheim%'}),
	0, 'and in what is kept');

# A restart: nothing but what waited for it.
$node->safe_psql('postgres', 'ALTER SYSTEM RESET primary_conninfo; ALTER SYSTEM RESET log_directory');
$node->reload;
change("object = 'log_directory' AND changed_at > (SELECT min(changed_at) FROM dbmaint_changes WHERE object = 'log_directory')");
looked_at('postgres');
my $before = $node->safe_psql('postgres', 'SELECT now()');
$node->restart;
is(change("object = 'max_connections' AND attribute = 'value'"), 'setting|max_connections|value|100|77', 'the restart that it waited for');
looked_at('postgres');
is( $node->safe_psql('postgres', "SELECT object, attribute FROM dbmaint_changes WHERE changed_at > '$before' ORDER BY 1, 2"),
	"max_connections|pending_restart\nmax_connections|value", 'nothing else');
ok($node->safe_psql('postgres', "SELECT bool_and(lower(seen_between) < changed_at AND upper(seen_between) = changed_at) FROM dbmaint_changes"),
	'each is dated between two looks');

# What a database has set is not the server's.
$node->safe_psql('postgres', 'ALTER DATABASE postgres SET work_mem = \'1MB\'; ALTER DATABASE other SET jit = on');
is(change("kind = 'session_setting' AND object = 'database postgres'"), 'session_setting|database postgres|work_mem||1MB', 'a setting of a database');
is(change("kind = 'session_setting' AND object = 'database other'"), 'session_setting|database other|jit||on', 'of another one, in the home database');
is(change("kind = 'session_setting'", 'other'), 'session_setting|database other|jit||on', 'and in itself');
$node->restart;
$before = $node->safe_psql('postgres', 'SELECT now()');
looked_at('postgres');
is($node->safe_psql('postgres', "SELECT count(*) FROM dbmaint_changes WHERE changed_at > '$before'"), 0,
	'a sampler that starts with it sees no change of the server');

# Access rules: one that comes, one whose password is hidden, their order.
my $hba = slurp_file($node->data_dir . '/pg_hba.conf');
append_to_file($node->data_dir . '/pg_hba.conf', qq{host "a b",other all 10.0.0.0/8 ldap ldapserver=x ldapbasedn=y ldapbindpasswd=geheim\nlocal other nobody reject\n});
$node->reload;
like(change("kind = 'hba_rule' AND object LIKE '%10.0.0.0%'"),
	qr{^hba_rule\|host a b,other all 10\.0\.0\.0/255\.0\.0\.0\|method\|\|ldap .*ldapbindpasswd=hidden, [0-9a-f]{8}}, 'an access rule');
is(change("kind = 'hba_rule' AND object LIKE 'local other%'"), 'hba_rule|local other nobody|method||reject', 'another one');
is($node->safe_psql('postgres', q{SELECT count(*) FROM dbmaint_changes WHERE concat(old_value, new_value) LIKE '%geheim%'}), 0, 'no password is told');
is($node->safe_psql('postgres', q{SELECT count(*) FROM dbmaint_changes WHERE attribute = 'order'}), 0, 'rules that come say nothing of the order');
unlink $node->data_dir . '/pg_hba.conf';
append_to_file($node->data_dir . '/pg_hba.conf', qq{local other nobody reject\n$hba});
append_to_file($node->data_dir . '/pg_hba.conf', qq{host "a b",other all 10.0.0.0/8 ldap ldapserver=x ldapbasedn=y ldapbindpasswd=geheim\n});
like(change("attribute = 'order'"), qr/^hba_rule\|pg_hba\.conf\|order\|/, 'the order of rules');
append_to_file($node->data_dir . '/pg_hba.conf', "nonsense\n");
like(change("new_value LIKE 'error: %'"), qr/^hba_rule\|line \d+\|method\|\|error: /, 'a line that is wrong');

rename $node->data_dir . '/pg_hba.conf', $node->data_dir . '/hidden';
my $position = log_position($node);
$node->safe_psql('postgres', 'CREATE TABLE without_rules (i int)');
like(change("object = 'public.without_rules'"), qr/^table\|public\.without_rules\|created/, 'a file that is gone costs no other change');
like(log_since($node, $position), qr/WARNING:  dbmaint does not see changes of access rules/, 'and is told in the log');
rename $node->data_dir . '/hidden', $node->data_dir . '/pg_hba.conf';

# The server's own are the home database's.
is($node->safe_psql('other', q{SELECT count(*) FROM dbmaint_changes WHERE kind IN ('setting', 'hba_rule')}), 0,
	'another database says nothing of the server');

# Locks: a look does not wait, and what it could not see it sees later.
$node->safe_psql('postgres', q{
	CREATE TABLE locked (i int);
	CREATE VIEW of_locked AS SELECT i FROM locked;
	CREATE TABLE free (id serial, at date) PARTITION BY RANGE (at);
	CREATE TABLE free_1 PARTITION OF free FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')});
change("object = 'public.of_locked'");
my $session = session($node, 'postgres',
	'BEGIN; LOCK TABLE locked, free, free_1, performance_metrics IN ACCESS EXCLUSIVE MODE; ALTER SEQUENCE free_id_seq RESTART');
leave($session);
$session = session($node, 'postgres', 'BEGIN; LOCK TABLE locked, free, free_1 IN ACCESS EXCLUSIVE MODE; ALTER SEQUENCE free_id_seq RESTART');
$node->safe_psql('postgres', 'ALTER VIEW of_locked RENAME TO renamed; CREATE TABLE beside (i int)');
is(change("object = 'public.beside'"), 'table|public.beside|created||column i: integer' . "\nowner: " . $node->safe_psql('postgres', 'SELECT current_user'),
	'a look beside locks');
ok(sampled_again($node, 'postgres', 2), 'samples continue');
is($node->safe_psql('postgres', q{SELECT count(*) FROM dbmaint_capacity() WHERE resource IN ('integer_key', 'partitions') AND instance LIKE '%free%'}), 2,
	'capacity is told beside locks');
leave($session);
is(change("object = 'public.renamed'"), 'view|public.renamed|name|public.of_locked|public.renamed', 'what was locked is seen later');

# Tables that come and go while they are looked at.
my $churn = q{DO $$ BEGIN FOR i IN 1 .. 40 LOOP
	EXECUTE format('CREATE TABLE churn_%s (id serial PRIMARY KEY, t text UNIQUE)', i); COMMIT;
	EXECUTE format('DROP TABLE churn_%s', i); COMMIT; END LOOP; END $$};
$node->safe_psql('postgres', $churn) foreach (1 .. 5);
looked_at('postgres');
is($node->safe_psql('postgres', q{SELECT count(*) FROM dbmaint_status() WHERE last_error LIKE 'changes:%' OR last_error LIKE 'capacity:%'}), 0,
	'no look failed');
is( $node->safe_psql('postgres', q{
		SELECT count(*) FROM dbmaint_definitions AS d
		WHERE d.object_oid <> 0 AND NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = d.object_oid)}),
	0, 'nothing is kept of what is gone');

# Samples of capacity: the server's in the home database alone.
is( $node->safe_psql('postgres', q{SELECT string_agg(DISTINCT resource, ' ' ORDER BY resource) FROM dbmaint_capacity_samples}),
	'connections disk multixact_ids transaction_ids', 'what the home database measures');
is($node->safe_psql('other', 'SELECT count(*) FROM dbmaint_capacity_samples'), 0, 'and no other');

$node->stop;
done_testing();
