# What the benchmarks share. Sourced by bash with $top, the root of the
# sources, already set. A benchmark calls bench_begin, makes clusters, prints a
# table, and never fails because something was slow.
#
# BENCH_BINDIR names a bin directory of test/private_server to use again,
# instead of building one for each benchmark.

. "$top/test/lib.sh"

# Build a private server and make the directory $work, removed at the end.
bench_begin()
{
	unset ${!PG@}
	export LC_ALL=C
	user=
	if [ "$(id -u)" -eq 0 ]; then
		user=$(find_server_user) || exit 1
	fi
	work=$(make_work_dir dbmaint-bench) || exit 1
	trap bench_end EXIT
	trap 'exit 130' INT TERM HUP
	mkdir "$work/home" "$work/socket"
	chmod 755 "$work"
	PRIVATE_HOME=$work/home

	bindir=${BENCH_BINDIR-}
	if [ -z "$bindir" ]; then
		bindir=$("$top/test/private_server" "$work/server") || exit 1
	fi
	PATH=$bindir:$PATH
	if [ -n "$user" ]; then
		chown "$user:" "$work" "$work/home" "$work/socket"
	fi
	cd "$work" || exit 1
	heading "$(basename "$0"): $(postgres --version | sed 's/.*) //; s/ .*//; s/^/PostgreSQL /'), $(nproc) CPUs"
}

bench_end()
{
	local data pid

	# the programs may be another run's, so each server is asked by its pid
	for data in "$work"/*/postmaster.pid; do
		[ -e "$data" ] || continue
		pid=$(head -n 1 "$data")
		kill -QUIT "$pid" 2>/dev/null
		wait_until "the end of server $pid" has_ended "$pid" || true
	done
	stop_private_processes "$work"
	cd /
	rm -rf "$work"
}

# Run a command again and again until it succeeds, its errors out of sight:
# wait_until WHAT COMMAND... Fails with a message about WHAT after WAIT_SECONDS.
wait_until()
{
	local what=$1 end=$((SECONDS + ${WAIT_SECONDS:-60}))

	shift
	until "$@" 2>/dev/null; do
		if [ "$SECONDS" -ge "$end" ]; then
			echo "waited in vain for $what" >&2
			return 1
		fi
		sleep 0.1
	done
}

has_ended()
{
	! kill -0 "$1" 2>/dev/null
}

heading()
{
	printf '\n== %s\n' "$*"
}

# Make the cluster NAME that preloads LIBRARIES; more settings on stdin.
# Clusters are told apart by their port, in one socket directory.
bench_initdb()
{
	local name=$1 libraries=$2

	as_user "$user" initdb -D "$work/$name" -U postgres -A trust --no-locale \
		-E UTF8 --no-sync >"$work/home/initdb.log" 2>&1 || bench_die initdb.log
	{
		cat <<-SETTINGS
			listen_addresses = ''
			unix_socket_directories = '$work/socket'
			shared_preload_libraries = '$libraries'
			fsync = off
			autovacuum = off
			max_wal_size = '4GB'
			checkpoint_timeout = '1h'
		SETTINGS
		cat
	} | as_user "$user" tee -a "$work/$name/postgresql.conf" >/dev/null
}

bench_start()
{
	local name=$1 port=$2

	as_user "$user" pg_ctl -D "$work/$name" -w -o "-p $port" \
		-l "$work/home/$name.log" start >/dev/null || bench_die "$name.log"
}

bench_stop()
{
	as_user "$user" pg_ctl -D "$work/$1" -w -m fast stop >/dev/null
}

bench_die()
{
	cat "$work/home/$1" >&2
	exit 1
}

# psql on the cluster at PORT, unaligned; then any of psql's arguments.
bench_sql()
{
	local port=$1

	shift
	psql -X -q -A -t -h "$work/socket" -p "$port" -U postgres \
		-v ON_ERROR_STOP=1 -d postgres "$@"
}

# Does the query on the cluster at PORT answer "t"?
bench_is_true()
{
	[ "$(bench_sql "$1" -c "SELECT ($2)")" = t ]
}

bench_pgbench()
{
	local port=$1

	shift
	as_user "$user" pgbench -h "$work/socket" -p "$port" -U postgres "$@" postgres
}

# The process of the sampler, when it has made its first rounds.
bench_sampler_pid()
{
	local sampler="FROM dbmaint_status() WHERE process = 'sampler' AND pid IS NOT NULL AND rounds >= 3"

	wait_until "the sampler's first rounds" bench_is_true "$1" "EXISTS (SELECT $sampler)" || return
	bench_sql "$1" -c "SELECT pid $sampler"
}

# CPU time that a process has used, in nanoseconds.
cpu_ns()
{
	if [ -r "/proc/$1/schedstat" ]; then
		cut -d ' ' -f 1 "/proc/$1/schedstat"
	else
		awk -v hz="$(getconf CLK_TCK)" '{sub(/.*\) /, ""); printf "%.0f\n", ($12 + $13) * 1e9 / hz}' "/proc/$1/stat"
	fi
}

# Median of the numbers on stdin, one a line.
median()
{
	sort -g | awk '{v[NR] = $1} END {if (NR) printf "%.10g\n", (v[int((NR + 1) / 2)] + v[int((NR + 2) / 2)]) / 2}'
}

# Least and greatest of the numbers on stdin, as "a .. b" in FORMAT.
spread()
{
	sort -g | awk -v f="${1:-%g}" '{v[NR] = $1} END {printf f " .. " f "\n", v[1], v[NR]}'
}

# Slope of the straight line through the points "x y" on stdin.
slope()
{
	awk '{n++; x += $1; y += $2; xx += $1 * $1; xy += $1 * $2}
		END {d = n * xx - x * x; printf "%.3f\n", d ? (n * xy - x * y) / d : 0}'
}

# Arithmetic: calc FORMAT EXPRESSION
calc()
{
	awk "BEGIN {printf \"$1\n\", $2}"
}
