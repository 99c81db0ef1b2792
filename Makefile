# Frontdesk. `make help` lists what one can ask for; README.md says what for.
#
# Everything that is built lands in build/, but for the extension, which PGXS builds beside its
# source. What a recipe would need more than a few lines for is a script in the room it belongs to:
# docker/{packages,local,manpage}, sql/cluster, sql/embed, server/api/embed, tests/pgtap/run, tests/lint/*.

FRONTDESK_VERSION := 1.1.0

PG_MAJOR  ?= 15
PG_CONFIG ?= $(firstword $(wildcard /usr/lib/postgresql/$(PG_MAJOR)/bin/pg_config) pg_config)
PREFIX    ?= /usr/local
DESTDIR   ?=
CC        := gcc
export PG_MAJOR PG_CONFIG

# Parsed on a bare machine too, where neither of these is there yet: hence asked for only when used.
PG_INCLUDE        = $(shell $(PG_CONFIG) --includedir)
PG_INCLUDE_SERVER = $(shell $(PG_CONFIG) --includedir-server)

B := build

# ---- flags ----

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla \
            -Wwrite-strings -Werror
HARDENED := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
            -fstack-clash-protection -fPIE -Wframe-larger-than=8192
# The sanitizers' own red zones make frames larger, and _FORTIFY_SOURCE hides reads from ASan.
SANITIZED := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
RACE_FREE := -O1 -fsanitize=thread -fno-omit-frame-pointer

LANGUAGE  = -std=gnu11 -D_GNU_SOURCE -Iserver -Ipg_extension/src -isystem $(PG_INCLUDE) \
            -DFRONTDESK_VERSION='"$(FRONTDESK_VERSION)"'
CFLAGS   ?= -O2 -g
LDFLAGS  ?=
LINK_HARDENED := -pie -Wl,-z,relro,-z,now
LIBS     := -Wl,--as-needed -lcivetweb -lcjson -lcurl -ljwt -lpq -lsodium -lcrypto -lcrypt -lpthread

# ---- what there is ----

# json_scan is pure C that the extension and the server share.
SOURCES    := $(sort $(wildcard server/*.c server/*/*.c)) pg_extension/src/json_scan.c
# The extension's pure C that the server does not share: tested without a PostgreSQL.
PURE       := $(patsubst %,pg_extension/src/%.c,bucket cursor histogram stats_acc stats_codec \
              stats_words)
MIGRATIONS := $(sort $(wildcard sql/migrations/*.sql))
# The version of the extension that is being worked on, and those that are released and frozen.
EXTENSION_VERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" pg_extension/frontdesk.control)
RELEASES   := $(patsubst sql/releases/%,%,$(sort $(wildcard sql/releases/*)))
# Those whose threads are watched by ThreadSanitizer too.
RACE_TESTS := test_body_clock test_group test_limiter test_log test_signature test_writer
UNIT_TESTS := $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/test_*.c)))

OBJECTS := $(SOURCES:%.c=$B/obj/%.o) $B/obj/migrations.o $B/obj/openapi.o
# What the tests link: all but the command line, built for each sanitizer. An archive, so that a test
# that includes a .c file to reach its statics, or makes up what one of them does, gets no second copy.
TESTED  := $(patsubst %.c,%.o,$(filter-out server/main.c,$(SOURCES)) $(PURE)) migrations.o openapi.o

.PHONY: all server extension run demo stop install test test-lint test-unit test-pgtap test-stress \
        test-http test-faults fuzz bench bench-ingest lint clean help packages packages-test \
        install-extension unit-programs
.DELETE_ON_ERROR:
.SUFFIXES:

##  make            build the server (build/frontdesk) and the extension
all: server extension
server: $B/frontdesk

$B/frontdesk: $(OBJECTS)
	$(CC) $(CFLAGS) $(LINK_HARDENED) $(LDFLAGS) -o $@ $^ $(LIBS)

$B/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(LANGUAGE) $(CFLAGS) $(WARNINGS) $(HARDENED) -MMD -MP -c -o $@ $<

$B/obj/migrations.o $B/obj/openapi.o: $B/obj/%.o: $B/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(LANGUAGE) $(CFLAGS) $(WARNINGS) $(HARDENED) -MMD -MP -c -o $@ $<

$B/openapi.c: server/api/embed server/api/openapi.json
	@mkdir -p $(@D)
	server/api/embed server/api/openapi.json > $@

$B/migrations.c: sql/embed $(MIGRATIONS) sql/migrations pg_extension/frontdesk.control
	@mkdir -p $(@D)
	sql/embed $(EXTENSION_VERSION) $(MIGRATIONS) > $@

# The server with a released version's schema and no later one: what tests begin an upgrade with.
$B/releases/%/migrations.c: sql/embed sql/releases/% $(MIGRATIONS)
	@mkdir -p $(@D)
	sql/embed $* $$(sed -n 's|.* \(sql/migrations/.*\)|\1|p' sql/releases/$*) > $@

.SECONDARY: $(RELEASES:%=$B/releases/%/migrations.c)
$B/releases/%/frontdesk: $B/releases/%/migrations.c $(OBJECTS)
	$(CC) $(LANGUAGE) $(CFLAGS) $(WARNINGS) $(HARDENED) $(LINK_HARDENED) $(LDFLAGS) -o $@ \
	    $(filter-out $B/obj/migrations.o,$^) $(LIBS)

extension: PGXS_MAKE = $(MAKE) --no-print-directory -C pg_extension PG_CONFIG=$(PG_CONFIG)
extension:
	+@$(PGXS_MAKE) -q > /dev/null || $(PGXS_MAKE)

# ---- running it ----

##  make run        install what is missing, build, start a private PostgreSQL, serve on PORT (3000)
##  make demo       the same, with simulated calls coming in
run demo: packages
	@echo 'Building build/frontdesk and the extension' >&2
	@$(MAKE) --no-print-directory -s -j$(shell nproc) all
	@$(MAKE) --no-print-directory -s install-extension
	@docker/local $@

##  make stop       stop what `make run` left running: the server and its PostgreSQL; data stays
stop:
	@docker/local stop

packages:
	@docker/packages run

# PostgreSQL loads extensions from its own folders only, which are root's. Nobody is asked for a
# password when what lies there is what was built.
install-extension: AS_ROOT = $(shell [ $$(id -u) = 0 ] || echo sudo)
install-extension: extension
	@$(MAKE) --no-print-directory -s -C pg_extension install PG_CONFIG=$(PG_CONFIG) \
	    DESTDIR=$(abspath $B/extension) > /dev/null
	@(cd $B/extension && for f in $$(find . -type f); do cmp -s $$f /$$f || exit 1; done) || \
	    $(AS_ROOT) $(MAKE) --no-print-directory -s -C $(CURDIR)/pg_extension install PG_CONFIG=$(PG_CONFIG)

##  make install    into PREFIX (/usr/local) and PostgreSQL's folders, below DESTDIR if given
install: all
	install -D -m 755 $B/frontdesk $(DESTDIR)$(PREFIX)/bin/frontdesk
	install -D -m 644 docker/completion.bash \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions/frontdesk
	docker/manpage $B/frontdesk > $B/frontdesk.1
	install -D -m 644 $B/frontdesk.1 $(DESTDIR)$(PREFIX)/share/man/man1/frontdesk.1
	@$(MAKE) --no-print-directory -C pg_extension install PG_CONFIG=$(PG_CONFIG) DESTDIR=$(DESTDIR)

# ---- testing it ----

##  make test       everything, from a clean clone: lint's own rules, unit, pgTAP, HTTP
test: packages-test
	@$(MAKE) --no-print-directory -j$(shell nproc) all unit-programs
	@$(MAKE) --no-print-directory install-extension
	@$(MAKE) --no-print-directory test-lint
	@$(MAKE) --no-print-directory test-unit
	@$(MAKE) --no-print-directory test-pgtap
	@$(MAKE) --no-print-directory test-stress
	@$(MAKE) --no-print-directory test-http

packages-test:
	@docker/packages test

# One cmocka program a file, under ASan and UBSan.
unit-programs: $(UNIT_TESTS:%=$B/asan/%) $(RACE_TESTS:%=$B/tsan/%)

test-unit: unit-programs
	@for t in $(UNIT_TESTS:%=$B/asan/%) $(RACE_TESTS:%=$B/tsan/%); do $$t || exit 1; done

test-pgtap: server install-extension
	@tests/pgtap/run

# Seconds here; tests/stress/run 60 looks harder.
test-stress: server install-extension
	@tests/stress/run

# Each wait in them has a deadline of its own; this one is for what nobody thought of.
test-http: server install-extension $B/bench/load $(RELEASES:%=$B/releases/%/frontdesk) \
           tests/http/node_modules/.package-lock.json
	@cd tests/http && timeout --foreground --kill-after=10 40m node --test --test-concurrency=2

##  make test-faults  what takes minutes: long outages, large accounts, hundreds of kills
test-faults: packages-test all install-extension bench-ingest \
             tests/http/node_modules/.package-lock.json
	@PGOPTIONS='-c tests.histories=10000' tests/pgtap/run tests/pgtap/random_orders.sql
	@cd tests/faults && node --test --test-concurrency=1 *_test.mjs

tests/http/node_modules/.package-lock.json: tests/http/package-lock.json
	@cd tests/http && npm ci --loglevel=error --no-audit --no-fund > /dev/null
	@touch $@

# ASan's own crypt_r hides that ours is needed.
$B/asan/%: $B/asan/tests/unit/%.o $B/asan/tested.a
	$(CC) $(SANITIZED) -o $@ $^ $(LIBS) -lcmocka -Wl,--no-as-needed -lcrypt

$B/tsan/%: $B/tsan/tests/unit/%.o $B/tsan/tested.a
	$(CC) $(RACE_FREE) -o $@ $^ $(LIBS) -lcmocka

$B/asan/tested.a: $(TESTED:%=$B/asan/%)
$B/tsan/tested.a: $(TESTED:%=$B/tsan/%)
$B/asan/tested.a $B/tsan/tested.a:
	rm -f $@
	$(AR) rcs $@ $^

$B/asan/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(LANGUAGE) $(SANITIZED) -g $(WARNINGS) -MMD -MP -c -o $@ $<

$B/tsan/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(LANGUAGE) $(RACE_FREE) -g $(WARNINGS) -MMD -MP -c -o $@ $<

$B/asan/migrations.o $B/asan/openapi.o: $B/asan/%.o: $B/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(LANGUAGE) $(SANITIZED) -g $(WARNINGS) -MMD -MP -c -o $@ $<

$B/tsan/migrations.o $B/tsan/openapi.o: $B/tsan/%.o: $B/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(LANGUAGE) $(RACE_FREE) -g $(WARNINGS) -MMD -MP -c -o $@ $<

# What tests/bench/ingest needs: a client, and a server that commits every event alone, on as many
# connections as it likes. Only its writer differs, and what sizes the writer's pool.
BENCH  := $(patsubst %.c,$B/obj/%.o,$(sort $(wildcard tests/bench/ingest/*.c)))
ALONE  := -DWRITER_LEADERS=8 -DWRITER_BATCH_EVENTS=1
DIFFER := server/ingest/writer server/api/serve

bench-ingest: $B/bench/load $B/bench/frontdesk-single

$B/bench/load: $(BENCH) $(filter-out $B/obj/server/main.o,$(OBJECTS))
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LINK_HARDENED) $(LDFLAGS) -o $@ $^ $(LIBS)

$B/bench/frontdesk-single: $(filter-out $(DIFFER:%=$B/obj/%.o),$(OBJECTS)) \
                           $(DIFFER:%=$B/bench/%.o)
	$(CC) $(CFLAGS) $(LINK_HARDENED) $(LDFLAGS) -o $@ $^ $(LIBS)

$B/bench/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(LANGUAGE) $(CFLAGS) $(WARNINGS) $(HARDENED) $(ALONE) -MMD -MP -c -o $@ $<

comma := ,
# What each fuzz target is made of, beside its own file. Leaks are found too: malloc is ASan's.
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/*.c)))
FUZZ_SECONDS ?= 60
FUZZED := -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
BASE_C := $(patsubst %,server/base/%.c,address arena buf clock codec crypto err text utf8)

$B/fuzz/call_stats_binary: $(PURE)
$B/fuzz/call_stats_text: $(PURE) $(patsubst %,pg_extension/src/%.c,call_stats_text json_build json_scan)
# With what PostgreSQL gives programs outside of its server. What only the server has is never called.
$B/fuzz/call_stats_text: FUZZED += -isystem $(PG_INCLUDE_SERVER)
$B/fuzz/call_stats_text: LIBS += -L$(shell $(PG_CONFIG) --pkglibdir) -lpgcommon -lpgport \
    $(patsubst %,-Wl$(comma)--defsym=%=abort,pg_lltoa j2date pg_detoast_datum \
    pg_detoast_datum_packed numeric_normalize JsonbToCString)
$B/fuzz/cursor: pg_extension/src/cursor.c
$B/fuzz/gate: server/http/gate.c server/http/request.c $(BASE_C)
$B/fuzz/json_scan: pg_extension/src/json_scan.c
$B/fuzz/query: $(patsubst %,server/http/%.c,cors fields params request response) $(BASE_C)
$B/fuzz/signature: server/retell/signature.c $(BASE_C)
$B/fuzz/token: server/auth/token.c server/auth/role.c pg_extension/src/json_scan.c $(BASE_C)
$B/fuzz/%: tests/fuzz/%.c tests/fuzz/fuzz.h Makefile
	@mkdir -p $(@D)
	clang $(LANGUAGE) $(FUZZED) -Itests/fuzz -o $@ $(filter %.c,$^) $(LIBS)

##  make fuzz       throw bytes at what reads a stranger's, FUZZ_SECONDS (60) for each target
fuzz: packages-test $(FUZZ_TARGETS:%=$B/fuzz/%)
	@for t in $(FUZZ_TARGETS); do mkdir -p $B/fuzz/found/$$t && printf '%s: ' $$t && \
	    $B/fuzz/$$t -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$B/fuzz/found/$$t- \
	    -print_final_stats=1 $B/fuzz/found/$$t tests/fuzz/corpus/$$t > $B/fuzz/$$t.log 2>&1 || \
	    { tail -n 40 $B/fuzz/$$t.log; exit 1; }; \
	    sed -n 's/^#\([0-9]*\).*DONE *\(cov: [0-9]* ft: [0-9]*\).*/\1 executions, \2, no crash/p' \
	    $B/fuzz/$$t.log; done

##  make bench      measure, in private clusters; tests/bench/run PART measures one part
bench: packages-test
	@$(MAKE) --no-print-directory -j$(shell nproc) all
	@$(MAKE) --no-print-directory install-extension
	@tests/bench/run

##  make lint       format, clang-tidy, cppcheck, shellcheck, and who may include whom
lint: packages-test $B/migrations.c $B/openapi.c
	@clang-format --dry-run -Werror $$(git ls-files '*.c' '*.h')
	@tests/lint/layers .
	@shellcheck $$(git grep -lE '^#!.*/(ba)?sh$$')
	@cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --inline-suppr \
	    -j $(shell nproc) --suppress=missingIncludeSystem -D_GNU_SOURCE -DFRONTDESK_VERSION='""' \
	    -DPG_VERSION_NUM=$(PG_MAJOR)0000 -D'cJSON_ArrayForEach(e,a)=while(e=a)' \
	    -Iserver -Ipg_extension/src server pg_extension/src tests/unit
	@printf '%s\n' $(SOURCES) $(UNIT_TESTS:%=tests/unit/%.c) | $(TIDY) $(LANGUAGE)
	@printf '%s\n' pg_extension/src/*.c | $(TIDY) -std=gnu11 -D_GNU_SOURCE -Ipg_extension/src \
	    -isystem $(PG_INCLUDE_SERVER) -DFRONTDESK_EXTENSION_VERSION='""'

# A process a file; what it says on stderr is how many warnings of other people's headers it left out.
TIDY = xargs -P $(shell nproc) -I FILE clang-tidy --quiet --warnings-as-errors='*' FILE -- 2> /dev/null

# Each check must fail when it should.
test-lint:
	@tests/lint/layers .
	@tests/lint/layers_test
	@tests/lint/releases .
	@tests/lint/releases_test

##  make clean      remove what was built; data and .env stay
clean:
	rm -rf $B
	@if [ -e "$$($(PG_CONFIG) --pgxs 2> /dev/null)" ]; then \
	    $(MAKE) --no-print-directory -C pg_extension clean PG_CONFIG=$(PG_CONFIG); fi

help:
	@sed -n 's/^##  //p' $(MAKEFILE_LIST)

-include $(OBJECTS:.o=.d) $(BENCH:.o=.d) $(DIFFER:%=$B/bench/%.d) \
    $(foreach s,asan tsan,$(TESTED:%.o=$B/$s/%.d) $(UNIT_TESTS:%=$B/$s/tests/unit/%.d))
