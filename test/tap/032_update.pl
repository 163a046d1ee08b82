# ALTER EXTENSION UPDATE: what an update makes is, member by member, what a
# fresh installation makes; until then the sampler keeps still and says why.
#
# There is one release only, so an older one is made up: the script of this
# one without a table's column, a view and a function, and with one function
# that does something else.  The update script has the statements left out.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init;
$node->append_conf(
	'postgresql.conf', q{
shared_preload_libraries = 'pg_stat_statements,dbmaint'
# a round that fails is not tried again for a minute
dbmaint.sample_interval = 60s
});

# the tests' private server, so its directory is ours to write to
my $directory = $node->config_data('--sharedir') . '/extension';
my @fixture = ("$directory/dbmaint--0.9.sql", "$directory/dbmaint--0.9--1.0.sql");
END { unlink @fixture if @fixture; }

# The statements of a script, without comments between them.
sub statements
{
	my ($script) = @_;
	my @found;

	$script =~ s/^\\echo .*$//mg;
	while ($script =~ m{\G(?:\s|--[^\n]*\n|/\*.*?\*/)*
		((?:'[^']*'|\$(\w*)\$.*?\$\g2\$|--[^\n]*\n|/\*.*?\*/|[^;'])+?;)}gcsx)
	{
		push @found, $1;
	}
	die 'the script does not end with a statement'
	  if substr($script, pos($script) // 0) =~ /\S/;
	return @found;
}

my @older;
my @update;
my %changed;

# Leaves a name out of a list of objects in REVOKE or GRANT.
sub without
{
	my ($list, $name) = @_;
	$list =~ s/(\bON\s+(?:FUNCTION\s+)?)\Q$name\E\b(?:\([^()]*\))?,\s*/$1/
	  or $list =~ s/,\s*\b\Q$name\E\b(?:\([^()]*\))?//;
	return $list;
}

my $grade_is_old = 0;
foreach my $statement (statements(slurp_file("$directory/dbmaint--1.0.sql")))
{
	my $old = $statement;

	if ($statement =~ /^CREATE TABLE performance_metrics\b/)
	{
		$old =~ s/^\s*(disk_free_ratio float8),\n//m and $changed{column}++;
		push @update, "ALTER TABLE performance_metrics ADD COLUMN $1;";
	}
	elsif ($statement =~ /^CREATE VIEW dbmaint_samples\b/)
	{
		# it lists every column, and the new one comes last
		push @update, $statement =~ s/^CREATE VIEW/CREATE OR REPLACE VIEW/r;
		$changed{samples}++;
	}
	elsif ($statement =~ /^COMMENT ON COLUMN performance_metrics\.disk_free_ratio\b/)
	{
		push @update, $statement;
		$old = undef;
	}
	elsif ($statement =~ /^(?:CREATE VIEW dbmaint_monthly_summary\b|COMMENT ON VIEW dbmaint_monthly_summary\b)/)
	{
		push @update, $statement;
		$changed{view}++;
		$old = undef;
	}
	elsif ($statement =~ /^(?:CREATE|COMMENT ON) FUNCTION dbmaint_response_time\(/)
	{
		push @update, $statement;
		$changed{function}++;
		$old = undef;
	}
	elsif ($statement =~ /^CREATE FUNCTION dbmaint_grade\(/)
	{
		$old =~ s/\$\$.*\$\$/\$\$ SELECT 'unknown' \$\$/s and $changed{body}++;
		$old =~ s/IMMUTABLE PARALLEL SAFE/STABLE/ and $changed{volatility}++;
		push @update, $statement =~ s/^CREATE FUNCTION/CREATE OR REPLACE FUNCTION/r;
	}
	elsif ($statement =~ /^COMMENT ON FUNCTION dbmaint_grade\(/)
	{
		$old =~ s/ IS\s.*/ IS 'An older one.';/s;
		push @update, $statement;
		$changed{comment}++;
	}
	elsif ($statement =~ /^(?:REVOKE|GRANT)\b.*\b(?:dbmaint_monthly_summary|dbmaint_response_time)\b/s)
	{
		$old = without(without($statement, 'dbmaint_monthly_summary'), 'dbmaint_response_time');
		$old = undef if $old =~ /\b(?:dbmaint_monthly_summary|dbmaint_response_time)\b/;
		push @update, $statement;
		$changed{rights}++;
	}
	push @older, $old if defined $old;
}
is(join(' ', sort grep { $changed{$_} } keys %changed),
	'body column comment function rights samples view volatility',
	'an older release is made up');
append_to_file($fixture[0], join("\n", @older) . "\n");
append_to_file($fixture[1], join("\n", @update) . "\n");

$node->start;

# Each member, with all there is to know of it that does not differ by oid.
my $describe = q{
	WITH member AS (
		SELECT d.classid, d.objid, pg_describe_object(d.classid, d.objid, 0) AS object,
			c.relname AS catalog
		FROM pg_depend AS d
		JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'dbmaint'
		JOIN pg_class AS c ON c.oid = d.classid
		WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
	), fact AS (
		SELECT m.object, 'comment' AS fact, obj_description(m.objid, m.catalog) AS value FROM member AS m
		UNION ALL
		SELECT m.object, 'initial rights of column ' || i.objsubid, (SELECT array_agg(a ORDER BY a::text) FROM unnest(i.initprivs) AS a)::text
		FROM member AS m JOIN pg_init_privs AS i ON (i.classoid, i.objoid) = (m.classid, m.objid)
		UNION ALL
		SELECT m.object, 'rights', (SELECT array_agg(a ORDER BY a::text) FROM unnest(coalesce(p.proacl, c.relacl, t.typacl)) AS a)::text
		FROM member AS m
		LEFT JOIN pg_proc AS p ON m.catalog = 'pg_proc' AND p.oid = m.objid
		LEFT JOIN pg_class AS c ON m.catalog = 'pg_class' AND c.oid = m.objid
		LEFT JOIN pg_type AS t ON m.catalog = 'pg_type' AND t.oid = m.objid
		UNION ALL
		SELECT m.object, 'owner', coalesce(p.proowner, c.relowner, t.typowner)::regrole::text
		FROM member AS m
		LEFT JOIN pg_proc AS p ON m.catalog = 'pg_proc' AND p.oid = m.objid
		LEFT JOIN pg_class AS c ON m.catalog = 'pg_class' AND c.oid = m.objid
		LEFT JOIN pg_type AS t ON m.catalog = 'pg_type' AND t.oid = m.objid
		UNION ALL
		SELECT m.object, 'definition', pg_get_functiondef(p.oid)
		FROM member AS m JOIN pg_proc AS p ON m.catalog = 'pg_proc' AND p.oid = m.objid AND p.prokind <> 'a'
		UNION ALL
		SELECT m.object, 'aggregate', concat_ws(' ', pg_get_function_arguments(p.oid), p.proparallel, a.aggkind, a.aggtransfn, a.aggfinalfn,
			a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggtranstype::regtype, a.aggtransspace, a.agginitval)
		FROM member AS m JOIN pg_proc AS p ON m.catalog = 'pg_proc' AND p.oid = m.objid
		JOIN pg_aggregate AS a ON a.aggfnoid = p.oid
		UNION ALL
		SELECT m.object, 'type', concat_ws(' ', t.typlen, t.typbyval, t.typtype, t.typcategory, t.typispreferred, t.typdelim, t.typinput,
			t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typmodout, t.typanalyze, t.typalign, t.typstorage, t.typcollation)
		FROM member AS m JOIN pg_type AS t ON m.catalog = 'pg_type' AND t.oid = m.objid
		UNION ALL
		SELECT m.object, 'relation', concat_ws(' ', c.relkind, c.relpersistence, c.relrowsecurity, c.relreplident, c.relhasrules,
			c.relhastriggers, c.reloptions, pg_get_viewdef(c.oid))
		FROM member AS m JOIN pg_class AS c ON m.catalog = 'pg_class' AND c.oid = m.objid
		UNION ALL
		SELECT m.object, 'column ' || a.attnum, concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attstorage,
			a.attacl, pg_get_expr(f.adbin, f.adrelid), col_description(a.attrelid, a.attnum))
		FROM member AS m JOIN pg_attribute AS a ON m.catalog = 'pg_class' AND a.attrelid = m.objid AND a.attnum > 0
		LEFT JOIN pg_attrdef AS f ON (f.adrelid, f.adnum) = (a.attrelid, a.attnum)
		UNION ALL
		SELECT m.object, 'index', pg_get_indexdef(i.indexrelid)
		FROM member AS m JOIN pg_index AS i ON m.catalog = 'pg_class' AND i.indrelid = m.objid
		UNION ALL
		SELECT m.object, 'constraint', k.conname || ' ' || pg_get_constraintdef(k.oid)
		FROM member AS m JOIN pg_constraint AS k ON m.catalog = 'pg_class' AND k.conrelid = m.objid
		UNION ALL
		SELECT 'extension', 'itself', concat_ws(' ', e.extversion, e.extnamespace::regnamespace, e.extrelocatable,
			(SELECT array_agg(c::regclass ORDER BY c::regclass::text) FROM unnest(e.extconfig) AS c), e.extcondition)
		FROM pg_extension AS e WHERE e.extname = 'dbmaint'
	)
	SELECT object, fact, value FROM fact ORDER BY object COLLATE "C", fact COLLATE "C", value COLLATE "C"
};

$node->safe_psql('postgres', 'CREATE DATABASE fresh; CREATE DATABASE updated');
$node->safe_psql('fresh', 'CREATE SCHEMA s; CREATE EXTENSION dbmaint SCHEMA s');
$node->safe_psql('updated', q{
	CREATE SCHEMA s;
	CREATE EXTENSION dbmaint SCHEMA s VERSION '0.9';
	INSERT INTO s.performance_metrics ("timestamp", database_oid, query_count)
	SELECT now() - interval '1 hour', oid, 42 FROM pg_database WHERE datname = current_database();
});
my $fresh = $node->safe_psql('fresh', $describe);
isnt($node->safe_psql('updated', $describe), $fresh, 'the older release is another one');

# The versions do not match: no samples, and a reason.
my $status = "FROM s.dbmaint_status() WHERE database = 'updated'";
ok($node->poll_query_until('updated', "SELECT last_error LIKE '%extension version 0.9 does not match version 1.0 of the library%' $status"),
	'dbmaint_status() says why there are no samples');
is($node->safe_psql('updated', 'SELECT count(*) FROM s.performance_metrics'),
	1, 'nothing was written meanwhile');
ok($node->poll_query_until('fresh', 'SELECT count(*) > 0 FROM s.performance_metrics'),
	'the other database is sampled');
my ($code, $stdout, $stderr) = $node->psql('updated',
	q{SELECT DISTINCT status FROM s.dbmaint_run_due(now())});
like($stdout . $stderr, qr/being sampled by another process|does not match/, 'a turn by hand does not help');

# the back-off does not keep the sampler from seeing the update
$node->safe_psql('updated', 'ALTER EXTENSION dbmaint UPDATE');
my $wait = time;
ok($node->poll_query_until('updated', "SELECT rounds > 0 $status"), 'it samples after the update');
cmp_ok(time - $wait, '<', 15, 'at once');
$node->append_conf('postgresql.conf', 'dbmaint.sample_interval = 1s');
$node->reload;
ok($node->poll_query_until('updated', 'SELECT count(*) > 3 FROM s.performance_metrics'),
	'and goes on');

is($node->safe_psql('updated', $describe), $fresh, 'an updated installation is a fresh one, member by member');
is($node->safe_psql('updated', 'SELECT count(*), min(disk_free_ratio) FROM s.performance_metrics WHERE query_count = 42'),
	'1|', 'its history is still there');
is($node->safe_psql('updated', q{SELECT count(*) FROM s.dbmaint_health() WHERE detail LIKE 'The check failed%'}),
	0, 'health answers');

# What is dumped of it is what is dumped of a fresh one.
my %dump;
foreach my $database ('fresh', 'updated')
{
	($dump{$database}) = run_command([ 'pg_dump', '--schema=s', $node->connstr($database) ]);
	# 18 has a random key there
	$dump{$database} =~ s/^\\(?:un)?restrict .*$//mg;
}
is($dump{updated}, $dump{fresh}, 'it is dumped as a fresh one is');

# no way back, and it can be dropped
($code, $stdout, $stderr) = $node->psql('updated', q{ALTER EXTENSION dbmaint UPDATE TO '0.9'});
like($stderr, qr/has no update path/, 'there is no way back');
$node->safe_psql('updated', 'DROP EXTENSION dbmaint');
is($node->safe_psql('updated', q{SELECT count(*) FROM pg_proc WHERE pronamespace = 's'::regnamespace}),
	0, 'DROP EXTENSION drops what the update made, too');

$node->stop;
done_testing();
