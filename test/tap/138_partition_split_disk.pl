# A split copies a partition: it does not begin where the disk has too little
# room for that, and gives up what it copied when others take the room.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Jobs;
use Samplers;
use Splits;
use Test::More;

# A file system with as many bytes free as the test says.
my $files = PostgreSQL::Test::Utils::tempdir();
append_to_file("$files/statvfs.c", <<'C');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
static void say_free(struct statvfs *fs)
{
	FILE *file = fopen(getenv("FREE_BYTES"), "r");
	unsigned long long bytes;
	if (file && fscanf(file, "%llu", &bytes) == 1)
		fs->f_bavail = bytes / fs->f_frsize;
	if (file)
		fclose(file);
}
int statvfs(const char *path, struct statvfs *fs)
{
	int (*real)(const char *, struct statvfs *) = dlsym(RTLD_NEXT, "statvfs");
	int result = real(path, fs);
	if (result == 0)
		say_free(fs);
	return result;
}
int statvfs64(const char *path, struct statvfs64 *fs)
{
	return statvfs(path, (struct statvfs *) fs);
}
C
system_or_bail('gcc', '-shared', '-fPIC', '-o', "$files/statvfs.so", "$files/statvfs.c", '-ldl');

sub set_free
{
	my ($bytes) = @_;
	append_to_file("$files/free.new", $bytes);
	rename("$files/free.new", "$files/free") or die $!;
	return;
}

my $node = new_server('primary', conf => "restart_after_crash = on\n", stopped => 1);
{
	local $ENV{LD_PRELOAD} = "$files/statvfs.so";
	local $ENV{FREE_BYTES} = "$files/free";
	set_free(1 << 20);
	$node->start;
}
sub value { return $node->safe_psql('postgres', $_[0]); }
prepare_splits($node);
is(value(q{SELECT DISTINCT free_bytes FROM dbmaint_disk_space()}), 1 << 20, 'so much is free');

make_days('planned', 8000, 0);
my $before = partitions('planned');
my $job = value(q{SET ROLE app; SELECT dbmaint_enqueue('partition_split', 'planned_big', '{"period": "1 day", "attempts": 100, "retry_after": "100ms"}')});

sub is_told
{
	my ($what) = @_;
	ok($node->poll_query_until('postgres', qq{SELECT state = 'retrying' AND sqlstate = '53100'
		 AND message LIKE 'too little free disk space to split partition "planned_big"%' FROM dbmaint_jobs WHERE job_id = $job}), "$what is told")
	  or diag(value("SELECT state, sqlstate, message FROM dbmaint_jobs WHERE job_id = $job"));
	is(partitions('planned'), $before, "$what leaves all as it was");
	is(leftovers(), '', "$what leaves nothing behind");
	return;
}

is_told('a disk that is too full');

# in the middle of the first of two batches
my $gate = session($node, 'postgres', 'SELECT pg_advisory_lock(4711)');
set_free(1 << 40);
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted}), 'it copies when there is room');
set_free(100_000);
leave($gate);
is_told('a disk that others fill meanwhile');
set_free(1 << 40);
like(wait_for_end($job), qr/; done$/, 'it is split when there is room');
is_whole('planned', 22, 'and');

$node->stop;
done_testing();
