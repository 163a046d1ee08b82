# Shell functions that deps, run, suite, demo, private_server and the matrix
# share. Sourced by bash with $top, the root of the sources, already set.

# Print the pg_config to build against, by the Makefile's rule; fail when the
# machine has none.
find_pg_config()
{
	local candidate

	if [ -n "${PG_CONFIG-}" ]; then
		command -v "$PG_CONFIG" && return
		echo "PG_CONFIG=$PG_CONFIG: no such program; run \"make deps\" or name another one" >&2
		return 1
	fi
	for candidate in /usr/lib/postgresql/15/bin/pg_config \
		$(ls -1 /usr/lib/postgresql/*/bin/pg_config 2>/dev/null | sort -Vr); do
		if [ -x "$candidate" ]; then
			echo "$candidate"
			return
		fi
	done
	command -v pg_config && return
	echo "no pg_config found: run \"make deps\" first" >&2
	return 1
}

# Print the user to run servers as: they refuse root.
find_server_user()
{
	local user

	for user in postgres nobody; do
		if id -u "$user" >/dev/null 2>&1; then
			echo "$user"
			return
		fi
	done
	echo "running as root, and there is no user postgres or nobody to run servers as" >&2
	return 1
}

# Run a command as the given user, or as it is where that is empty.
as_user()
{
	local user=$1

	shift
	if [ -n "$user" ]; then
		setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups \
			--reset-env -- env PATH="$PATH" HOME="${PRIVATE_HOME:-/nonexistent}" "$@"
	else
		"$@"
	fi
}

# Make a temporary directory whose name is short enough for sockets in it, and
# that the user who runs the servers may enter.
make_work_dir()
{
	local parent=${TMPDIR:-/tmp}

	if [ ${#parent} -gt 30 ] || [ ! -w "$parent" ]; then
		parent=/tmp
	fi
	mktemp -d "$parent/$1.XXXXXX"
}

# Copy the sources, without what was built, to a directory.
copy_sources()
{
	mkdir -p "$1"
	case "$(cd "$1" && pwd -P)/" in
		"$(cd "$top" && pwd -P)"/*)
			echo "cannot copy the sources into themselves: $1; is TMPDIR inside of them?" >&2
			return 1
			;;
	esac
	# 1 is tar's word for a file that somebody edits at this moment
	tar -C "$top" --exclude=./.git --exclude='*.o' --exclude='*.so' \
		--exclude='*.bc' --exclude=./dbmaint--1.0.sql --exclude=./results \
		--exclude='./tmp_check*' --exclude=./output_iso -cf - . 2>/dev/null |
		tar -C "$1" --no-same-owner -xf -
}

# Stop every process that runs a program of the private server tree in $1:
# first the servers, in order, then whatever is left.
stop_private_processes()
{
	local dir=$1 pass pidfile process pid left

	find "$dir" -name postmaster.pid -type f 2>/dev/null |
		while read -r pidfile; do
			pid=$(head -n 1 "$pidfile" 2>/dev/null)
			case "$(readlink "/proc/${pid:-0}/exe" 2>/dev/null)" in
				"$dir"/*) kill -QUIT "$pid" 2>/dev/null ;;
			esac
		done
	for pass in $(seq 1 100); do
		left=
		for process in /proc/[0-9]*; do
			case "$(readlink "$process/exe" 2>/dev/null)" in
				"$dir"/*)
					left=yes
					if [ "$pass" -gt 50 ]; then
						kill -KILL "${process#/proc/}" 2>/dev/null
					fi
					;;
			esac
		done
		if [ -z "$left" ]; then
			return
		fi
		sleep 0.1
	done
}
