# make            build everything            make demo       the example flow
# make check      every test there is         make test       units and system
# make lint       format, layers, analyzers   make format     clang-format -i
# make fuzz T=60  each fuzzer, T seconds      make bench      the figures
# make sim SEEDS= SEED= V=1   simulated clusters: many seeds, or just one
# make cover      coverage of `make test`     make valgrind   units under it
# make install PREFIX= DESTDIR=               make clean
# make docker-check   the cluster in containers: some minutes, no part of check
# make peers PYTHON=   compare with Prefect 1.4, which that python has
# Variants: CC=clang, SAN=address,undefined, WERROR= (packagers), V=1 (commands)

ifeq ($(origin CC),default)
CC     := gcc
endif
WERROR ?= -Werror
BUILD  ?= build/$(notdir $(CC))$(if $(SAN),-san)
T      ?= 60
PYTHON ?= python3
ECHO   := $(if $(V),,@)
MAKEFLAGS += --no-print-directory $(if $(MAKELEVEL:0=),,-j$(shell nproc))

WARN   := -Wall -Wextra -Wpedantic $(WERROR) -Wshadow -Wconversion \
    -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla \
    -Wold-style-definition -Wcast-qual -Wcast-align -Wwrite-strings \
    -Wpointer-arith -Wformat=2 -Wswitch-enum -Wimplicit-fallthrough \
    -Wdouble-promotion -Wnull-dereference -Wredundant-decls -Wnested-externs \
    -Wdate-time $(if $(findstring clang,$(CC)),-Wcomma -Wloop-analysis \
    -Wunreachable-code-aggressive -Wassign-enum -Wconditional-uninitialized \
    -Wmissing-variable-declarations -Wextra-semi-stmt -Wshift-sign-overflow, \
    -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wformat-overflow=2 \
    -Wformat-truncation=2 -Wformat-signedness -Wjump-misses-init \
    -Wstack-usage=16384)
HARDEN := -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection \
    $(if $(filter x86_64,$(shell uname -m)),-fcf-protection)
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE -I. -isystem build/gen -fPIC -fvisibility=hidden \
    -fno-omit-frame-pointer -fno-common $(CPPFLAGS) $(CFLAGS) $(WARN) \
    $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all,$(HARDEN))
ALL_LDFLAGS = -Wl,-z,relro,-z,now,--as-needed $(SAN:%=-fsanitize=%) $(LDFLAGS)
LIBS   := -lczmq -lzmq -lprotobuf-c -lxxhash -lyaml -ljansson -lsqlite3 \
    -lsodium -lm

WIRE   := build/gen/wire.pb-c
SRC    := $(wildcard base/*.c flow/*.c exec/*.c store/*.c proto/*.c lib/*.c \
    cli/*.c)
DAEMON := $(wildcard broker/*.c agent/*.c)
MAIN   := cli/main.c broker/main.c agent/main.c
OBJ    := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(MAIN) \
    lib/zmq_late.c,$(SRC))) $(BUILD)/wire.pb-c.o
ALL    := $(BUILD)/all.a
# Stands for libzmq where that is opened only when it is needed
LATE   := $(BUILD)/lib/zmq_late.o
SUPPORT := $(BUILD)/support.a
BIN    := $(BUILD)/bin/leat $(patsubst %/main.c,$(BUILD)/bin/leat-%,$(filter \
    %/main.c,$(DAEMON)))
LIB    := $(BUILD)/lib/libleat.a $(if $(SAN),,$(BUILD)/lib/libleat.so.0)
FLOWS  := $(patsubst %.c,$(BUILD)/%,$(wildcard examples/*.c \
    tests/conformance/*.c))
BENCH  := $(patsubst %.c,$(BUILD)/%,$(wildcard bench/*.c))
UNIT   := $(patsubst tests/unit/%.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))
FUZZ   := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
C_FILES := $(SRC) $(DAEMON) $(wildcard examples/*.c tests/*/*.c bench/*.c)

# Whose daemons run sanitized too
CLUSTER := $(patsubst %,tests/system/%.sh,agent agent_calls bad_broker \
    bad_input broker_daemon cluster_api cluster_broker cluster_program \
    cluster_run conformance examples faults faults_calls faults_output full \
    hosts many million onlookers output protocol random_flows refusals)
VALGRIND := valgrind -q --error-exitcode=99 --leak-check=full \
    --show-leak-kinds=definite --errors-for-leak-kinds=definite
RUN     = LEAT=$(CURDIR)/$(BUILD)/bin/leat EXAMPLES=$(CURDIR)/$(BUILD)/examples \
    tests/run.sh

all: programs
	@for d in bin lib examples; do [ -L build/$$d ] || rm -rf build/$$d; \
	    ln -sfn $(notdir $(BUILD))/$$d build/$$d; done
programs: $(BIN) $(LIB) $(FLOWS) $(BENCH)
unit: $(UNIT)
	$(ECHO)$(RUN) $(UNIT)
test: programs $(UNIT)
	$(ECHO)$(RUN) $(UNIT) $(wildcard tests/system/*.sh)
cluster: programs
	$(ECHO)$(RUN) $(CLUSTER)
replay: $(FUZZ:%=$(BUILD)/replay/%)
	$(ECHO)$(RUN) $(foreach f,$(FUZZ),"$(BUILD)/replay/$f $(wildcard \
	    tests/fuzz/corpus-$f tests/data examples)")
sim: $(BUILD)/sim
	$(ECHO)SEEDS='$(SEEDS)' SEED='$(SEED)' FROM='$(FROM)' V='$(V)' $<
valgrind: $(UNIT)
	$(ECHO)WRAP='$(VALGRIND)' $(RUN) $^
check:
	@tools/deps.sh check
	+@tests/check.sh
demo:
	@tools/deps.sh
	+$(ECHO)$(MAKE) all
	build/bin/leat run examples/parallel.yaml -p stop=5
	build/bin/leat graph last
docker-check:
	$(ECHO)tests/docker.sh
fuzz:
	+$(ECHO)$(MAKE) CC=clang SAN=fuzzer-no-link,address,undefined \
	    BUILD=build/clang-fuzz $(FUZZ:%=build/fuzz/%)
	$(ECHO)tests/fuzz/run.sh $(T) $(FUZZ:%=build/fuzz/%)
cover:
	+$(ECHO)$(MAKE) BUILD=build/cover HARDEN= WARN= CFLAGS='-O0 -g --coverage' \
	    LDFLAGS=--coverage test
	$(ECHO)tools/cover.sh build/cover
peers: $(BUILD)/peers/plan_driver $(BIN)
	$(ECHO)$(PYTHON) tests/peers/prefect_plan.py $<
	$(ECHO)$(PYTHON) tests/peers/prefect_flows.py $(BIN)
bench: all
	$(ECHO)bench/run.sh
lint: lint-files $(C_FILES:%=build/lint/%.ok)
lint-files:
	$(ECHO)tests/lint.sh
format:
	clang-format -i $(C_FILES) $(wildcard */*.h tests/*/*.h)
install: all
	$(ECHO)DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' tools/install.sh $(BUILD)
clean:
	rm -rf build
help:
	@sed -n '/^#/!q; s/^# //p' Makefile
.PHONY: all programs unit test sim cluster replay valgrind check demo fuzz \
    cover bench peers lint lint-files format install clean help docker-check
.SECONDARY:

$(BUILD)/headers: Makefile
	@mkdir -p $(@D)
	@printf '#include <%s.h>\n' yaml jansson sqlite3 sodium czmq xxhash | \
	    $(CC) $(CPPFLAGS) -x c -E - >/dev/null || \
	    { echo 'A library or $(CC) is missing: run tools/deps.sh' >&2; exit 1; }
	@touch $@
# Its output trips our warnings; nobody reads it.
$(WIRE).c $(WIRE).h &: proto/wire.proto | $(BUILD)/headers
	@mkdir -p $(@D)
	$(ECHO)protoc-c --c_out=$(@D) -Iproto $<
$(BUILD)/wire.pb-c.o: $(WIRE).c
	$(ECHO)$(CC) $(filter-out -W%,$(ALL_CFLAGS)) -w -c -o $@ $<
$(BUILD)/%.o: %.c Makefile | $(BUILD)/headers $(WIRE).h
	@mkdir -p $(@D)
	@echo "CC   $<"
	$(ECHO)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/examples/%.o $(BUILD)/tests/conformance/%.o $(BUILD)/bench/%.o: \
    ALL_CFLAGS += -Ilib
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

$(ALL): $(OBJ) $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(MAIN),$(DAEMON)))
$(SUPPORT): $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/support/*.c))
$(ALL) $(SUPPORT):
	$(ECHO)rm -f $@ && ar rcs $@ $^
# What others link: one object that shows no names but the public ones.
$(BUILD)/lib/libleat.a: $(OBJ) $(LATE)
	@mkdir -p $(@D)
	@echo "AR   $@"
	$(ECHO)ld -r -o $(@:.a=.o) $^ && objcopy --localize-hidden $(@:.a=.o)
	$(ECHO)rm -f $@ && ar rcs $@ $(@:.a=.o)

LINK = @mkdir -p $(@D); echo "LD   $@"; $(if $(V),set -x;) \
    $(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o %.a,$^)
$(BUILD)/lib/libleat.so.0: $(OBJ) $(LATE)
	$(LINK) -shared -Wl,-z,defs,-soname,$(@F) $(LIBS)
	@ln -sf $(@F) $(@:.0=)
$(BUILD)/bin/leat: $(BUILD)/cli/main.o $(LATE) $(ALL)
$(filter-out %/leat,$(BIN)): $(BUILD)/bin/leat-%: $(BUILD)/%/main.o $(ALL)
$(BIN):
	$(LINK) -pie $(LIBS)
$(FLOWS): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/lib/libleat.a
	$(LINK) -pie $(LIBS)
$(BENCH): $(BUILD)/%: $(BUILD)/%.o $(ALL)
	$(LINK) -pie $(LIBS)
$(UNIT): $(BUILD)/test_%: $(BUILD)/tests/unit/test_%.o $(SUPPORT) $(ALL)
	$(LINK) -pie -lcmocka $(LIBS)
$(BUILD)/sim: $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/sim/*.c)) \
              $(SUPPORT) $(ALL)
	$(LINK) -pie $(LIBS)
$(BUILD)/peers/%: $(BUILD)/tests/peers/%.o $(ALL)
	$(LINK) -pie $(LIBS)
$(BUILD)/replay/%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/replay.o \
                   $(SUPPORT) $(ALL)
	$(LINK) -pie $(LIBS)
build/fuzz/%: $(BUILD)/tests/fuzz/fuzz_%.o $(SUPPORT) $(ALL)
	$(LINK) -pie -fsanitize=fuzzer $(LIBS)
# The object stands for all the headers that the file includes.
build/lint/%.c.ok: %.c .clang-tidy $(BUILD)/%.o
	@mkdir -p $(@D)
	@echo "LINT $<"
	$(ECHO)clang-tidy --quiet $< -- -std=c17 -D_GNU_SOURCE -I. -Ilib \
	    -isystem build/gen \
	    2>$@.log || { cat $@.log; exit 1; }
	$(ECHO)$(if $(filter base/% flow/%,$<),gcc $(ALL_CFLAGS) -fanalyzer -c \
	    -o /dev/null $<)
	@touch $@
