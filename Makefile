# dbmaint: build, install, test. "make help" lists the targets.

# The server to build against: PostgreSQL 15 where it is installed, else the
# newest one of Debian's, else whatever pg_config is in PATH.
ifndef PG_CONFIG
PG_CONFIG := $(firstword \
	$(wildcard /usr/lib/postgresql/15/bin/pg_config) \
	$(shell ls -1 /usr/lib/postgresql/*/bin/pg_config 2>/dev/null | sort -Vr) \
	pg_config)
else
export PG_CONFIG
endif

MODULE_big = dbmaint
EXTENSION = dbmaint
EXTVERSION = 1.0
PGFILEDESC = "dbmaint - a careful database administrator inside the server"

# Every C file of the rooms, in an order that no file system decides.
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c)))

# The install script is these pieces, joined in this order.
SQL_PIECES = \
	src/dbmaint.sql \
	src/latency/latency.sql \
	src/packed/packed.sql \
	src/history/rollup.sql \
	src/history/rollup_hours.sql \
	src/history/history.sql \
	src/collect/collect.sql \
	src/collect/series.sql \
	src/collect/signals.sql \
	src/statement/statement.sql \
	src/statement/statement_report.sql \
	src/activity/activity.sql \
	src/activity/recorder.sql \
	src/activity/message_log.sql \
	src/activity/connections.sql \
	src/activity/sessions.sql \
	src/drift/facts.sql \
	src/drift/changes.sql \
	src/bloat/bloat.sql \
	src/object/object.sql \
	src/object/statistics.sql \
	src/object/index_health.sql \
	src/object/table_health.sql \
	src/object/advice_indexes.sql \
	src/object/advice_missing.sql \
	src/pool/pool.sql \
	src/history/rollup_totals.sql \
	src/history/daily_totals.sql \
	src/partition/partition.sql \
	src/notify/channels.sql \
	src/notify/outbox.sql \
	src/notify/delivery.sql \
	src/history/rollup_months.sql \
	src/pool/pool_totals.sql \
	src/job/job.sql \
	src/partition/policy.sql \
	src/partition/split.sql \
	src/partition/convert.sql \
	src/worker/worker.sql \
	src/health/checks_activity.sql \
	src/health/checks_server.sql \
	src/health/checks_storage.sql \
	src/health/checks_pool.sql \
	src/health/health.sql \
	src/forecast/forecast.sql \
	src/forecast/capacity.sql \
	src/alert/rules.sql \
	src/alert/set_rule.sql \
	src/alert/silences.sql \
	src/alert/incidents.sql \
	src/alert/transitions.sql \
	src/alert/alerts.sql \
	src/alert/backtest.sql \
	src/evidence/relations.sql \
	src/evidence/evidence.sql \
	src/evidence/sections_sessions.sql \
	src/evidence/sections_history.sql \
	src/evidence/sections_subject.sql \
	src/evidence/cause.sql \
	src/evidence/explain.sql \
	src/evidence/incident.sql \
	src/health/daily_check.sql \
	src/history/report.sql \
	src/history/report_totals.sql \
	src/alert/report_alerts.sql \
	src/pool/pool_report.sql \
	src/history/looking.sql

DATA_built = $(EXTENSION)--$(EXTVERSION).sql

# Libraries of their own for what links network libraries: only the process
# that needs one loads it.  Sources are src/<room>/module/*.c.
#	NETWORK_MODULES	the rooms that have one; the library is dbmaint_<room>
#	MODULE_LIBS_<room>	what it links
#	MODULE_CPPFLAGS_<room>	where the headers are
#	MODULE_PARTS_<room>	files of the room that it has a copy of: the server
#				shows none of one library's functions to another one
NETWORK_MODULES = notify pool
MODULE_LIBS_notify = -lcurl
MODULE_PARTS_pool = src/pool/answer.o src/pool/reason.o
MODULE_CPPFLAGS_pool = -I$(shell $(PG_CONFIG) --includedir)
MODULE_LIBS_pool = -L$(shell $(PG_CONFIG) --libdir) -lpq -lpthread
NETWORK_LIBRARIES = $(NETWORK_MODULES:%=dbmaint_%$(DLSUFFIX))

PG_CPPFLAGS = -I$(srcdir)/src -DDBMAINT_VERSION='"$(EXTVERSION)"'

# The hooks run with every statement: calls go straight through the table of
# addresses, and keep no frame pointer.
PG_CFLAGS = -fno-plt -fomit-frame-pointer

# Strict flags for our own builds and CI; never an error in what users build.
# USE_ASSERT_CHECKING makes our Asserts run on a server built without them; the
# server's headers are not ours to mend, hence -isystem; and parameters that go
# unused are what the server's callbacks give us.
ifeq ($(WERROR),1)
PG_CPPFLAGS += -DUSE_ASSERT_CHECKING -isystem $(shell $(PG_CONFIG) --includedir-server)
PG_CFLAGS += -Wall -Wextra -Wno-unused-parameter -Wshadow -Wmissing-prototypes \
	-Wstrict-prototypes -Wvla -Wformat=2 -Werror
endif

# Nothing here is inlined into queries, so no LLVM bitcode is built.
override with_llvm := no

PGXS := $(wildcard $(shell $(PG_CONFIG) --pgxs 2>/dev/null))

.DEFAULT_GOAL := all

# Stock installcheck runs every test in one database; ours, like make test,
# gives each a fresh one.
NO_INSTALLCHECK = 1

ifneq ($(PGXS),)
include $(PGXS)
else
all install clean:
	@echo 'No PostgreSQL server development files: run "make deps", or name' >&2
	@echo 'the server to build against: make PG_CONFIG=/path/to/pg_config' >&2
	@exit 1
endif

$(OBJS): $(sort $(wildcard src/*.h src/*/*.h src/*.def)) Makefile

define NETWORK_MODULE_RULES
MODULE_OBJS_$(1) = $$(patsubst %.c,%.o,$$(sort $$(wildcard src/$(1)/module/*.c)))
$$(MODULE_OBJS_$(1)): $$(sort $$(wildcard src/*.h src/*/*.h src/*/module/*.h src/*.def)) Makefile
$$(MODULE_OBJS_$(1)): override CPPFLAGS += $$(MODULE_CPPFLAGS_$(1))
dbmaint_$(1)$$(DLSUFFIX): $$(MODULE_OBJS_$(1)) $$(MODULE_PARTS_$(1))
	$$(CC) $$(CFLAGS) $$^ $$(LDFLAGS) $$(LDFLAGS_SL) -shared -o $$@ $$(MODULE_LIBS_$(1))
endef
$(foreach room,$(NETWORK_MODULES),$(eval $(call NETWORK_MODULE_RULES,$(room))))

all: $(NETWORK_LIBRARIES)
install: install-network-libraries
clean: clean-network-libraries

.PHONY: install-network-libraries clean-network-libraries
install-network-libraries: $(NETWORK_LIBRARIES)
	$(if $(NETWORK_LIBRARIES),$(MKDIR_P) '$(DESTDIR)$(pkglibdir)')
	$(if $(NETWORK_LIBRARIES),$(INSTALL_SHLIB) $(NETWORK_LIBRARIES) '$(DESTDIR)$(pkglibdir)/')
clean-network-libraries:
	rm -f $(NETWORK_LIBRARIES) $(foreach room,$(NETWORK_MODULES),$(MODULE_OBJS_$(room)))

$(DATA_built): $(SQL_PIECES) Makefile
	cat $(SQL_PIECES) >$@.tmp
	mv $@.tmp $@

.PHONY: help deps demo test check-unit matrix bench lint format check-format

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' \
		$(firstword $(MAKEFILE_LIST))

# The rules of these come from PGXS; the lines give them a word in the help.
all: ## build the library and the install script (WERROR=1: strictly)
install: ## install into the server that PG_CONFIG names (DESTDIR is honoured)
clean: ## remove what was built

deps: ## install the Debian packages that are missing (nothing when all are there)
	@test/deps

demo: deps ## a private server under load for half a minute, then its health
	@test/demo

test: deps ## build and run every test on private servers (ONLY="unit regress:latency tap:003")
	@test/run $(or $(ONLY),$(TESTS))

check-unit: ## run the unit tests of the pure files alone
	@test/run unit

matrix: ## run the whole test suite on PostgreSQL 15, 17, 18 and 19 (VERSIONS="17 18"; needs root)
	@test/matrix/run $(VERSIONS)

bench: deps ## print the medians and ratios of the benchmarks in test/bench
	@for script in $(sort $(wildcard test/bench/*)); do \
		if [ -f "$$script" ] && [ -x "$$script" ]; then "$$script" || exit 1; fi; \
	done

lint: ## check sources, META.json and layout, and run cppcheck where it is installed
	@status=0; test/lint/run || status=1; test/lint/run_cppcheck || status=1; exit $$status

format: ## indent src with pg_bsd_indent and PostgreSQL's options
	@test/lint/find-typedefs
	@test/lint/format

check-format: ## show what "make format" would change, and fail if it would
	@test/lint/format --check

installcheck: ## run the SQL tests on the running server that PGHOST and PGPORT name (it must preload dbmaint)
	@test/regress $(sort $(basename $(notdir $(wildcard sql/*.sql))))
