# make            build everything            make check       all tests
# make lint       format, layers, analyzers   make SAN=address,undefined unit
# make CC=clang   any compiler                make V=1         show commands

CC     ?= gcc
ifeq ($(origin CC),default)
CC     := gcc
endif
SAN    ?=
WERROR ?= -Werror
PREFIX ?= /usr/local
BUILD  ?= build/$(notdir $(CC))$(if $(SAN),-san)
ECHO   := $(if $(V),,@)

WARN   := -Wall -Wextra -Wpedantic $(WERROR) -Wshadow -Wconversion \
          -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes \
          -Wold-style-definition -Wcast-qual -Wcast-align -Wwrite-strings \
          -Wpointer-arith -Wformat=2 -Wundef -Wvla -Wswitch-enum \
          -Wimplicit-fallthrough -Wdouble-promotion -Wnull-dereference \
          -Wredundant-decls -Wnested-externs -Wdate-time
WARN   += $(if $(findstring clang,$(CC)),-Wcomma -Wloop-analysis \
          -Wunreachable-code-aggressive -Wassign-enum \
          -Wconditional-uninitialized -Wmissing-variable-declarations \
          -Wextra-semi-stmt -Wshift-sign-overflow,-Wlogical-op \
          -Wduplicated-cond -Wduplicated-branches -Wformat-overflow=2 \
          -Wformat-truncation=2 -Wformat-signedness -Wjump-misses-init \
          -Wstack-usage=16384)
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
          -fstack-clash-protection -fcf-protection
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE -I. -fPIC -fvisibility=hidden \
          -fno-omit-frame-pointer -fno-common $(CFLAGS) $(WARN) \
          $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all,$(HARDEN))
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(if $(SAN),-fsanitize=$(SAN)) $(LDFLAGS)
LIBS   := -lyaml -ljansson -lsqlite3 -lsodium -lm

SRC    := $(wildcard base/*.c flow/*.c exec/*.c store/*.c lib/*.c cli/*.c)
OBJ    := $(patsubst %.c,$(BUILD)/%.o,$(filter-out cli/main.c,$(SRC)))
LIB    := $(BUILD)/libleat.a
SUPPORT := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/support/*.c))
UNIT   := $(patsubst tests/unit/%.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))

all: $(LIB) $(if $(wildcard cli/main.c),build/bin/leat)

unit: $(UNIT)
	$(ECHO)for t in $^; do $$t || exit 1; done

# The plan beside Prefect 1.4, which PYTHON must have: not part of unit.
PYTHON ?= python3
peers: $(BUILD)/plan_driver
	$(PYTHON) tests/peers/prefect_plan.py $< $(FLOWS)

$(BUILD)/plan_driver: $(BUILD)/tests/peers/plan_driver.o $(LIB)
	@echo "LD   $@"
	$(ECHO)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

clean:
	rm -rf build

build/bin/leat: $(BUILD)/cli/main.o $(LIB)
	@mkdir -p $(@D)
	@echo "LD   $@"
	$(ECHO)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(LIB): $(OBJ)
	@echo "AR   $@"
	$(ECHO)rm -f $@ && ar rcs $@ $^

$(BUILD)/test_%: $(BUILD)/tests/unit/test_%.o $(SUPPORT) $(LIB)
	@echo "LD   $@"
	$(ECHO)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "CC   $<"
	$(ECHO)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

-include $(shell find build -name '*.d' 2>/dev/null)

.PHONY: all unit peers clean
.SECONDARY:
