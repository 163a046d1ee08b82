# A database's owner can neither break nor capture what runs in it as superuser.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;

my $node = new_server('primary');
$node->safe_psql('postgres', q{
CREATE ROLE owner LOGIN CREATEDB;
CREATE ROLE nobody_much LOGIN;
CREATE DATABASE hostile OWNER owner;
CREATE DATABASE impersonated OWNER owner;});

# The owner may create in the extension's schema and in others.
sub as_owner
{
	my ($database, $sql) = @_;
	local $ENV{PGOPTIONS} = '-c statement_timeout=0 -c search_path=public';
	return $node->safe_psql($database, $sql, extra_params => [ '-U', 'owner' ]);
}
$node->safe_psql('hostile', 'CREATE EXTENSION dbmaint');
ok(sampled_again($node, 'hostile'), 'sampled before');

my $trap = q{
INSERT INTO public.captured VALUES (current_user);
IF current_setting('is_superuser')::boolean THEN RAISE EXCEPTION 'captured'; END IF;};
as_owner('hostile', q{
CREATE TABLE public.captured (who name);
GRANT ALL ON public.captured TO PUBLIC;
CREATE SCHEMA evil;
GRANT USAGE ON SCHEMA evil TO PUBLIC;});
foreach my $schema (qw(evil public))
{
	foreach my $function (
		'now() RETURNS timestamptz',
		'count(int) RETURNS bigint',
		'current_setting(text) RETURNS text',
		'current_database() RETURNS name',
		'pg_stat_get_db_numbackends(oid) RETURNS int',
		'pg_total_relation_size(regclass) RETURNS bigint',
		'int4eq(int, int) RETURNS boolean',
		'clock_timestamp() RETURNS timestamptz',
		# resolved before ours, if called with fewer or other arguments
		'dbmaint_expire_history(timestamptz) RETURNS bigint',
		'dbmaint_expire_history(timestamp) RETURNS bigint',
		'dbmaint_expire_history(timestamptz, bigint) RETURNS bigint',
		'dbmaint_expire_history(timestamptz, numeric) RETURNS bigint',
		'dbmaint_read_activity(VARIADIC int[]) RETURNS bigint')
	{
		as_owner('hostile', "CREATE FUNCTION $schema.$function LANGUAGE plpgsql AS \$\$ BEGIN $trap RETURN NULL; END \$\$");
	}
	as_owner('hostile', "CREATE FUNCTION $schema.operate(timestamptz, timestamptz) RETURNS boolean LANGUAGE plpgsql AS \$\$ BEGIN $trap RETURN NULL; END \$\$;
CREATE FUNCTION $schema.operate(oid, oid) RETURNS boolean LANGUAGE plpgsql AS \$\$ BEGIN $trap RETURN NULL; END \$\$;
CREATE FUNCTION $schema.operate(text, text) RETURNS boolean LANGUAGE plpgsql AS \$\$ BEGIN $trap RETURN NULL; END \$\$;
CREATE FUNCTION $schema.operate(float8, float8) RETURNS boolean LANGUAGE plpgsql AS \$\$ BEGIN $trap RETURN NULL; END \$\$;");
	foreach my $operator ('=', '<', '>', '<=', '<>')
	{
		as_owner('hostile', "CREATE OPERATOR $schema.$operator (LEFTARG = $_, RIGHTARG = $_, FUNCTION = $schema.operate)")
		  foreach qw(timestamptz oid text float8);
	}
	as_owner('hostile', "CREATE DOMAIN $schema.float8 AS text CHECK (false); CREATE DOMAIN $schema.timestamptz AS text CHECK (false);")
	  if $schema eq 'evil';
}
as_owner('hostile', 'CREATE TABLE evil.performance_metrics (i int); CREATE TABLE evil.pg_stat_activity (i int); CREATE TABLE evil.pg_database (i int);');

my @settings = (
	'search_path = evil, public, pg_catalog', 'role = owner',
	'default_transaction_read_only = on', 'default_transaction_isolation = serializable',
	'default_transaction_deferrable = on',
	'statement_timeout = 1', 'lock_timeout = 1',
	'idle_in_transaction_session_timeout = 1', 'idle_session_timeout = 1',
	'row_security = off', "TimeZone = 'Asia/Kathmandu'",
	'stats_fetch_consistency = snapshot', 'synchronous_commit = remote_apply',
	"DateStyle = 'German, DMY'", 'IntervalStyle = iso_8601', 'transform_null_equals = on',
	'array_nulls = off', "bytea_output = 'escape'", 'extra_float_digits = -15',
	"client_encoding = 'LATIN1'", "application_name = 'psql'",
	"local_preload_libraries = 'nosuch'", "default_table_access_method = 'heap'",
	'client_min_messages = error', "temp_tablespaces = ''", 'work_mem = 64',
	'enable_seqscan = off', 'enable_indexscan = off',
	'constraint_exclusion = on', 'cursor_tuple_fraction = 0', 'jit_above_cost = 0',
	'backslash_quote = off', 'quote_all_identifiers = on', 'plan_cache_mode = force_generic_plan',
	'check_function_bodies = off', "xmloption = 'document'", 'parallel_setup_cost = 0');
push @settings, 'transaction_timeout = 1' if $node->pg_version >= 17;
# a release candidate of 19 is less than 19
push @settings, 'standard_conforming_strings = off' if "" . $node->pg_version !~ /^19/;
push @settings, ($node->pg_version >= 16 ? 'debug_parallel_query' : 'force_parallel_mode') . ' = on';
as_owner('hostile', join('', map { "ALTER DATABASE hostile SET $_;\n" } @settings));

# the rest only a superuser can set
$node->safe_psql('postgres', $_)
  foreach (
	'ALTER DATABASE hostile SET session_replication_role = replica',
	'ALTER DATABASE hostile SET track_activities = on',
	"ALTER DATABASE hostile SET plpgsql.extra_errors = 'all'",
	'ALTER DATABASE hostile SET zero_damaged_pages = on',
	'ALTER ROLE ALL SET statement_timeout = 1',
	'ALTER ROLE ALL SET search_path = evil, public, pg_catalog');
$ENV{PGOPTIONS} = '-c statement_timeout=0 -c search_path=public';
$node->safe_psql('postgres', "ALTER ROLE CURRENT_USER IN DATABASE hostile SET default_transaction_read_only = on");

# what the sampler says of itself, from a database that nobody spoilt
$node->safe_psql('postgres', 'CREATE EXTENSION dbmaint');
my $status = "FROM dbmaint_status() WHERE database = 'hostile'";
sub rounds_after_restart
{
	my ($what) = @_;
	my $sampler = process_of($node, 'hostile');
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($sampler, 5000)");
	my $next = process_of($node, 'hostile', $sampler);
	ok($next, "$what: a sampler starts");
	my ($rounds, $errors) = split /\|/, $node->safe_psql('postgres', "SELECT rounds, errors $status");
	ok($node->poll_query_until('postgres', "SELECT rounds >= $rounds + 2 $status"), 'it has rounds');
	is($node->safe_psql('postgres', "SELECT CASE WHEN errors > $errors THEN last_error ELSE 'no error' END $status"), 'no error', 'without an error');
	ok($node->poll_query_until('postgres', "SELECT application_name = 'dbmaint sampler hostile' AND usename = (SELECT rolname FROM pg_roles WHERE oid = 10) FROM pg_stat_activity WHERE backend_type = 'dbmaint sampler' AND datname = 'hostile'"),
		'under its own name');
	return;
}
rounds_after_restart('hostile settings');

# Expiry runs at once in a new slot; there is something to expire, and a cap.
$ENV{PGOPTIONS} = '-c role=none -c statement_timeout=0 -c lock_timeout=0 -c search_path=pg_catalog,pg_temp -c default_transaction_read_only=off -c idle_in_transaction_session_timeout=0 -c synchronous_commit=local -c session_replication_role=origin -c idle_session_timeout=0 -c local_preload_libraries= -c client_encoding=UTF8';
# a parallel worker has the database's transaction_timeout until it has ours
$ENV{PGOPTIONS} .= ' -c max_parallel_workers_per_gather=0';
$ENV{PGOPTIONS} .= ' -c transaction_timeout=0' if $node->pg_version >= 17;
is($node->safe_psql('hostile', 'SELECT count(*) FROM public.captured'), '0', 'nothing captured it');
is($node->safe_psql('hostile', 'SELECT count(*) >= 3 FROM public.performance_metrics'), 't', 'samples are there');
is($node->safe_psql('hostile', 'SELECT count(*) FROM (SELECT * FROM public.performance_metrics ORDER BY "timestamp" DESC LIMIT 1) AS m WHERE commits IS NULL OR sample_interval_ms IS NULL'), '0', 'with readings');
is($node->safe_psql('hostile', "SELECT count(*) FROM public.performance_metrics WHERE \"timestamp\" > clock_timestamp() OR \"timestamp\" < clock_timestamp() - interval '10 min'"), '0', 'at the right time');
$node->safe_psql('hostile', "INSERT INTO public.performance_metrics (\"timestamp\", database_oid) VALUES ('2001-01-01', 1)");
$node->safe_psql('postgres', "ALTER DATABASE hostile SET dbmaint.track_latency = on; ALTER DATABASE hostile ALLOW_CONNECTIONS false");
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'hostile'");
$node->safe_psql('postgres', 'ALTER DATABASE hostile ALLOW_CONNECTIONS true');
$node->restart;
ok($node->poll_query_until('hostile', "SELECT count(*) = 0 FROM public.performance_metrics WHERE \"timestamp\" < '2002-01-01'"),
	'history expires by our function');
is($node->safe_psql('hostile', 'SELECT count(*) FROM public.captured'), '0', 'nothing captured that');
is($node->safe_psql('postgres', "SELECT coalesce(max(last_error), 'no error') FROM public.dbmaint_status() WHERE database = 'hostile'"), 'no error', 'and nothing failed');

# the session itself handed to somebody else
$node->safe_psql('impersonated', 'SET search_path = public; CREATE EXTENSION dbmaint');
as_owner('impersonated', 'ALTER DATABASE impersonated SET session_authorization = nobody_much');
my $sampler = process_of($node, 'impersonated');
my $position = log_position($node);
$node->safe_psql('postgres', "SELECT pg_terminate_backend($sampler, 5000)");
process_of($node, 'impersonated', $sampler);
ok($node->poll_query_until('postgres', "SELECT rounds >= 4 FROM public.dbmaint_status() WHERE database = 'impersonated'"), 'session_authorization: it has rounds');
is($node->safe_psql('postgres', "SELECT coalesce(max(last_error), 'no error') FROM public.dbmaint_status() WHERE database = 'impersonated'"), 'no error', 'without an error');
as_owner('postgres', 'DROP DATABASE impersonated');

# commits wait for no standby
$node->safe_psql('postgres', "ALTER SYSTEM SET synchronous_standby_names = 'absent'");
$node->reload;
ok($node->poll_query_until('postgres', "SHOW synchronous_standby_names", 'absent'), 'a synchronous standby that is absent');
my $rounds = $node->safe_psql('postgres', "SELECT rounds FROM public.dbmaint_status() WHERE database = 'hostile'");
ok($node->poll_query_until('postgres', "SELECT rounds >= $rounds + 3 FROM public.dbmaint_status() WHERE database = 'hostile'"), 'delays no sample');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
done_testing();
