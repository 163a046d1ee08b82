# Nobody gains a right by a job: code in indexes, settings of roles and
# databases, and names are the requester's own affair.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Jobs;
use Samplers;
use Test::More;

my $node = new_server('primary');
$node->safe_psql('postgres', q{
	CREATE ROLE mallory LOGIN;
	CREATE ROLE victim;
	CREATE DATABASE of_mallory OWNER mallory;
});
$node->safe_psql('of_mallory', q{
	CREATE EXTENSION dbmaint;
	GRANT ALL ON SCHEMA public TO mallory;
	CREATE TABLE treasure (id int PRIMARY KEY);
	INSERT INTO treasure VALUES (1);
});

sub as_mallory { return $node->safe_psql('of_mallory', $_[0], extra_params => [ '-U', 'mallory' ]); }

sub value { return $node->safe_psql('of_mallory', $_[0]); }

# What an index's function of hers tries, and whom it finds itself to be.
my $attempts = q{
	CREATE TABLE public.seen (what text);
	GRANT INSERT ON public.seen TO PUBLIC;
	CREATE FUNCTION public.attack(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $f$
	DECLARE
		attempt text;
		found text := pg_catalog.format('user %s session %s superuser %s ', current_user, session_user,
			pg_catalog.current_setting('is_superuser'));
	BEGIN
		FOREACH attempt IN ARRAY ARRAY[
			'ALTER ROLE mallory SUPERUSER',
			'CREATE ROLE minion SUPERUSER',
			'SET ROLE postgres',
			'SET SESSION AUTHORIZATION postgres',
			'RESET SESSION AUTHORIZATION',
			'RESET ROLE',
			'DELETE FROM public.treasure',
			'SELECT pg_catalog.pg_read_file(''PG_VERSION'')',
			'COPY public.treasure TO PROGRAM ''true''',
			'UPDATE public.dbmaint_job_queue SET requester = 10',
			'CREATE TEMPORARY TABLE mine (id int)',
			'SELECT pg_catalog.set_config(''log_min_messages'', ''panic'', false)']
		LOOP
			BEGIN
				EXECUTE attempt;
				found := found OPERATOR(pg_catalog.||) 'did ' OPERATOR(pg_catalog.||) attempt OPERATOR(pg_catalog.||) ' ';
			EXCEPTION WHEN OTHERS THEN
				NULL;
			END;
		END LOOP;
		IF pg_catalog.current_setting('application_name') OPERATOR(pg_catalog.~~) 'dbmaint%' THEN
			RAISE WARNING '%', found;
		END IF;
		RETURN i;
	END $f$;
	CREATE TABLE public.bait (id int);
	INSERT INTO public.bait VALUES (1);
	CREATE INDEX bait_idx ON public.bait (public.attack(id));
};
as_mallory($attempts);
foreach my $kind (qw(reindex analyze vacuum))
{
	foreach my $role ('mallory', '')
	{
		my $who = $role || 'postgres';
		as_mallory('INSERT INTO public.bait VALUES (1); DELETE FROM public.bait') if $kind eq 'vacuum';
		as_mallory('INSERT INTO public.bait VALUES (1)');
		my $job = enqueue($node, 'of_mallory', $kind, 'bait', '{}', $role);
		ends_as($node, 'of_mallory', $job, qr/^done$/, "$kind of hers, asked for by $who");
		my $said = value("SELECT coalesce(output, '') FROM dbmaint_job_history WHERE job_id = $job");
		unlike($said, qr/did /, 'her function could do nothing it may not') or diag $said;
		like($said, $role ? qr/user mallory session mallory superuser off/ : qr/user mallory session postgres /, 'and ran as her') if $kind ne 'vacuum';
	}
}
is(value(q{SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolsuper}), 'postgres', 'there is one superuser still');
is(value('SELECT count(*) FROM treasure'), '1', 'and the treasure is untouched');

# Objects of hers that fit what the runner calls better.
as_mallory(q{
	CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'captured'; END $$;
	CREATE FUNCTION public.dbmaint_take_job(timestamp) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'captured'; END $$;
	CREATE FUNCTION public.dbmaint_put_back_job(bigint, text, text, text, text, timestamptz, timestamptz, float8, timestamptz, name) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'captured'; END $$;
	CREATE FUNCTION public.md5(jsonb) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'captured'; END $$;
	CREATE FUNCTION public.trap(oid, oid) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'captured'; END $$;
	CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = public.trap);
	ALTER DATABASE of_mallory SET search_path = public, pg_catalog;
	ALTER DATABASE of_mallory SET lock_timeout = '1ms';
	ALTER DATABASE of_mallory SET statement_timeout = '1ms';
	ALTER DATABASE of_mallory SET default_transaction_read_only = on;
	ALTER DATABASE of_mallory SET default_transaction_isolation = serializable;
});
$node->safe_psql('postgres', q{ALTER ROLE postgres SET role = victim});
$node->restart;
$node->safe_psql('postgres', q{SET ROLE NONE; ALTER ROLE postgres RESET role});
my $job;
{
	local $ENV{PGOPTIONS} = '-c statement_timeout=0 -c lock_timeout=0 -c search_path=pg_catalog,public -c default_transaction_read_only=off -c default_transaction_isolation=read\ committed';
	$job = enqueue($node, 'of_mallory', 'reindex', 'bait');
	ends_as($node, 'of_mallory', $job, qr/^done$/, 'the database\'s settings and objects change nothing');
}
$node->safe_psql('postgres', 'ALTER DATABASE of_mallory RESET ALL');
is(value(q{SELECT count(*) FROM dbmaint_job_history WHERE message LIKE '%captured%'}), '0', 'nothing was captured');
ok($node->poll_query_until('of_mallory', q{SELECT coalesce(sum(errors), 0) = 0 FROM dbmaint_status() WHERE process = 'runner'}), 'and the runner had no error');

# A name of hers is no SQL.
as_mallory(q{
	CREATE TABLE public."x; DROP TABLE treasure; --" (id int PRIMARY KEY);
	CREATE TABLE public."line
break ""quoted"" $$" (id int PRIMARY KEY, "col""umn" int);
});
foreach my $sql (
	q{SELECT dbmaint_enqueue('reindex', '"x; DROP TABLE treasure; --"')},
	q{SELECT dbmaint_enqueue('vacuum', E'"line\nbreak ""quoted"" $$"', '{"analyze": true}')},
	q{SELECT dbmaint_enqueue('analyze', E'"line\nbreak ""quoted"" $$"', '{"columns": ["col\"umn"]}')})
{
	ends_as($node, 'of_mallory', as_mallory($sql), qr/^done$/, "hostile names: $sql");
}
is(value('SELECT count(*) FROM treasure'), '1', 'the treasure is still there');

# A right that is lost, and one that is only given.
my $version = $node->safe_psql('postgres', q{SELECT current_setting('server_version_num')::int / 10000});
SKIP:
{
	skip 'MAINTAIN came with PostgreSQL 17', 3 if $version < 17;
	$node->safe_psql('of_mallory', 'GRANT MAINTAIN ON treasure TO mallory');
	foreach my $kind (qw(vacuum analyze reindex))
	{
		ends_as($node, 'of_mallory', enqueue($node, 'of_mallory', $kind, 'treasure', '{}', 'mallory'), qr/^done$/, "$kind by who may MAINTAIN");
	}
}

# Many jobs of hers keep nobody from his; the runner sees all of them at once.
as_mallory(q{DO $$ BEGIN
	FOR i IN 1 .. 400 LOOP
		EXECUTE format('CREATE TABLE public.m%s (id int)', i);
	END LOOP; END $$});
$job = value(q{
	BEGIN;
	SET LOCAL ROLE mallory;
	DO $$ BEGIN PERFORM public.dbmaint_enqueue('vacuum', 'public.m' || i) FROM pg_catalog.generate_series(1, 400) AS i; END $$;
	RESET ROLE;
	SELECT dbmaint_enqueue('vacuum', 'treasure');
	COMMIT});
ends_as($node, 'of_mallory', $job, qr/^done$/, 'another role\'s job is done');
cmp_ok(value(qq{SELECT count(*) FROM dbmaint_job_history WHERE requested_by = 'mallory' AND kind = 'vacuum'
		AND ended_at < (SELECT ended_at FROM dbmaint_job_history WHERE job_id = $job)
		AND ended_at > (SELECT enqueued_at FROM dbmaint_job_history WHERE job_id = $job)}), '<=', 2, 'in its turn');

$node->stop;
done_testing();
