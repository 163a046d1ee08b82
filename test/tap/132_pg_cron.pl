# The runbook's two calls, scheduled with pg_cron.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Samplers;
use Test::More;

my $library = `pg_config --pkglibdir`;
chomp $library;
plan skip_all => 'pg_cron is not installed' unless -e "$library/pg_cron.so";

# pg_cron connects by libpq, to where the test's server listens.
my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init;
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'dbmaint,pg_cron'
dbmaint.enabled = off
cron.database_name = 'postgres'
cron.host = '@{[$node->host]}'
cron.timezone = 'UTC'
});
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION dbmaint;
	CREATE EXTENSION pg_cron;
	CREATE ROLE app LOGIN;
	GRANT USAGE ON SCHEMA cron TO app;
	GRANT ALL ON SCHEMA public TO app;
	SET SESSION AUTHORIZATION app;
	SET TimeZone = 'UTC';
	CREATE TABLE transactions_partitioned (at timestamptz NOT NULL) PARTITION BY RANGE (at);
	DO $$
	BEGIN
		FOR i IN -14 .. 0 LOOP
			EXECUTE format('CREATE TABLE %I PARTITION OF transactions_partitioned FOR VALUES FROM (%L) TO (%L)', 'transactions_' || to_char(date_trunc('month', now()) + i * interval '1 month', 'YYYY_MM'),
				date_trunc('month', now()) + i * interval '1 month', date_trunc('month', now()) + (i + 1) * interval '1 month');
		END LOOP;
	END $$;
});

# By the owner, who is no superuser; every second where pg_cron can, else in
# the next minute.
my $version = $node->safe_psql('postgres', q{SELECT (string_to_array(extversion, '-'))[1] FROM pg_extension WHERE extname = 'pg_cron'});
my ($major, $minor) = split /\./, $version;
my $schedule = $major > 1 || $minor >= 5 ? '1 seconds' : '* * * * *';
note "pg_cron $version";
$node->safe_psql('postgres', qq{
	SET SESSION AUTHORIZATION app;
	SELECT cron.schedule('create', '$schedule', \$\$SELECT * FROM create_future_partitions('transactions_partitioned', 3)\$\$);
	SELECT cron.schedule('drop', '$schedule', \$\$SELECT * FROM drop_old_partitions('transactions_partitioned', 12)\$\$);
});
ok( $node->poll_query_until('postgres', q{
		SELECT count(*) FILTER (WHERE command ~ 'create_future' AND return_message = '4 rows') > 0
			AND count(*) FILTER (WHERE command ~ 'drop_old' AND return_message ~ '^[0-9]+ rows?$') > 0
		FROM cron.job_run_details WHERE status = 'succeeded'}),
	'both calls succeed')
  or diag($node->safe_psql('postgres', 'SELECT command, status, return_message FROM cron.job_run_details'));
is($node->safe_psql('postgres', q{
		SELECT count(*), min(relname) = 'transactions_' || to_char(date_trunc('month', now() AT TIME ZONE 'UTC') - interval '12 months', 'YYYY_MM'),
			max(relname) = 'transactions_' || to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + interval '3 months', 'YYYY_MM')
		FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid WHERE inhparent = 'transactions_partitioned'::regclass}),
	'16|t|t', 'three months ahead are there, and twelve back');
is($node->safe_psql('postgres', q{SELECT count(*) FROM cron.job_run_details WHERE status = 'failed'}), 0, 'none of them failed');
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT pg_get_userbyid(relowner)::text, ',') FROM pg_class WHERE relname ~ '^transactions_'}), 'app',
	'all is the owner\'s');

$node->stop;
done_testing();
