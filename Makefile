# greenlua: greenlets for Lua 5.4. `make help` lists the targets.

# ---- Settings, all of which may be given on the command line ----
PREFIX  = /usr/local
DESTDIR =
CC      = gcc
# Optimising across files takes a seventh off a switch (docs/performance.md).
CFLAGS  = -O2 -g $(if $(findstring clang,$(CC)),,-flto=auto)
AR      = $(if $(findstring gcc,$(CC)),$(CC)-ar,ar)
ARCH    = $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
BUILD   = build
LUA     = lua5.4
# What edits lines at the prompt: readline (GPL-3), or edit: libedit (BSD). The program
# is linked with neither, and loads it when a line is read. Change it in a clean tree.
LINE    = readline
# What draws in the pages of HTML that the program writes: version 3.5.
D3      = /usr/share/javascript/d3/d3.min.js
V       = 0.1.0
# Of that version, for the man page.
DATE    = 2026-11-22

WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Wpointer-arith -Wwrite-strings -Wvla -Wconversion -Wno-sign-conversion
ifdef CI
WARNINGS += -Werror
endif
LUA_CFLAGS = $(shell pkg-config --cflags lua5.4)
# The static library, exported whole: C modules find lua_* in the program, as
# they do in Debian's own lua5.4.
LUA_LIBS = -Wl,-E -Wl,--whole-archive -l:liblua5.4.a -Wl,--no-whole-archive -lm -ldl
ALL_CFLAGS = -std=gnu11 -I. $(WARNINGS) -fPIC -fno-strict-aliasing -fvisibility=hidden \
             -DGREENLUA_VERSION='"$(V)"' \
             $(if $(filter edit,$(LINE)),-DLINE_EDIT) $(CFLAGS)

# ---- What is built, in the order in which data flows ----
CMD_SRC     = $(filter-out $(if $(filter edit,$(LINE)),%_readline.c,%_libedit.c),$(wildcard cmd/*.c))
BINDING_SRC = $(wildcard lua_binding/*.c)
CMD_LUA     = $(wildcard cmd/*.lua)
BINDING_LUA = $(wildcard lua_binding/*.lua)
PAGES       = $(wildcard lua_binding/pages/*.html)
PAGE_PARTS  = $(wildcard lua_binding/pages/*.css lua_binding/pages/*.js lua_binding/pages/*.txt) $(D3)
CORE_SRC    = $(wildcard core/*.c)
CORE_ASM    = core/switch_$(ARCH).S

CMD_OBJ     = $(CMD_SRC:%.c=$(BUILD)/%.o) $(BUILD)/cmd/embedded.o
BINDING_OBJ = $(BINDING_SRC:%.c=$(BUILD)/%.o) $(BUILD)/lua_binding/embedded.o
CORE_OBJ    = $(CORE_SRC:%.c=$(BUILD)/%.o) $(CORE_ASM:%.S=$(BUILD)/%.o)

# Where docstrings are, and what reads them.
DOCUMENTED = $(BINDING_SRC) $(BINDING_LUA) $(CMD_SRC) $(CMD_LUA)
GENERATE   = $(wildcard scripts/docs/*.lua)

CORE_TEST_SRC = $(wildcard spec/core/*_test.c)
CORE_TESTS    = $(CORE_TEST_SRC:%.c=$(BUILD)/%)

.PHONY: all
all: deps $(BUILD)/greenlua $(BUILD)/greenlet.so ## build the program and the module (the default)

$(BUILD)/greenlua: $(CMD_OBJ) $(BINDING_OBJ) $(CORE_OBJ)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LUA_LIBS) -l:libev.a

$(BUILD)/greenlet.so: $(BINDING_OBJ) $(CORE_OBJ)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -shared -Wl,-z,nodelete -o $@ $^ -lev

$(BUILD)/libgreenlet.a: $(CORE_OBJ)
	$(AR) rcs $@ $^

$(BUILD)/cmd/%.o: cmd/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LUA_CFLAGS) -MMD -c -o $@ $<

$(BUILD)/lua_binding/%.o: lua_binding/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LUA_CFLAGS) -MMD -c -o $@ $<

$(BUILD)/cmd/embedded.o: $(CMD_LUA:%.lua=$(BUILD)/%.luac) $(CMD_LUA) $(BUILD)/cmd/docstrings.lua
$(BUILD)/lua_binding/embedded.o: $(BINDING_LUA:%.lua=$(BUILD)/%.luac) $(BINDING_LUA) $(PAGES:%=$(BUILD)/%)
$(BUILD)/%/embedded.o: %/embedded.S lua_binding/embed.inc
	@mkdir -p $(@D)
	$(CC) $(ASFLAGS) -DPRECOMPILED -DPAGES='"$(BUILD)/lua_binding/pages"' -I. -I$(BUILD) -c -o $@ $<

# Each page is one file, whatever it is made of.
$(BUILD)/lua_binding/pages/%.html: lua_binding/pages/%.html $(PAGE_PARTS) scripts/pages/assemble.lua
	@mkdir -p $(@D)
	$(LUA) scripts/pages/assemble.lua $< $@ $(PAGE_PARTS)

# It comes with the packages.
$(D3): | $(BUILD)/packages-build
	@test -e $@ || { echo "$@ is missing: D3=FILE names another d3.min.js" >&2; exit 1; }

# The Lua parts as bytecode, with the names and lines that tracebacks show, and who compiled them.
$(BUILD)/%.luac: %.lua $(BUILD)/lua_binding/compiler
	@mkdir -p $(@D)
	$(LUA) -e 'part = assert(load(assert(io.open("$<")):read("a"), "=[greenlet.$(*F)]"))' \
	  -e 'assert(assert(io.open("$@", "wb")):write(string.dump(part)))'

# What the prompt's help says, from the docstrings and the manual.
$(BUILD)/cmd/docstrings.lua: $(DOCUMENTED) $(GENERATE) $(wildcard docs/manual/*.md)
	@mkdir -p $(@D)
	$(LUA) scripts/docs/generate.lua help $@

$(BUILD)/lua_binding/compiler:
	@mkdir -p $(@D)
	$(LUA) -v | tr -d '\n' >$@

$(BUILD)/core/%.o: core/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -c -o $@ $<

$(BUILD)/core/%.o: core/%.S
	@mkdir -p $(@D)
	$(CC) $(ASFLAGS) -I. -c -o $@ $<

$(BUILD)/spec/core/%.o: spec/core/%.c | $(BUILD)/packages-build
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(TEST_CFLAGS) -MMD -c -o $@ $<

$(BUILD)/spec/core/%: $(BUILD)/spec/core/%.o $(BUILD)/libgreenlet.a
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(TEST_LDFLAGS) -o $@ $^ -lev -lpthread

.PRECIOUS: $(BUILD)/spec/core/%.o

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/*/*/*.d)

# ---- Packages ----
# One stamp per build directory: the check costs a second, and is needed once.
.PHONY: deps
deps: $(BUILD)/packages-build
$(BUILD)/packages-%: .ci/install-packages
	@mkdir -p $(@D)
	@LINE=$(LINE) .ci/install-packages $*
	@touch $@
$(CMD_OBJ) $(BINDING_OBJ) $(CORE_OBJ): | $(BUILD)/packages-build

# ---- Tests ----
# longjmp between frames of one stack must pass glibc's checks, too.
FORTIFY     = $(if $(filter -O0 -fsanitize=%,$(CFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
TEST_CFLAGS = -D_GNU_SOURCE $(FORTIFY)
# What runs a test program: nothing, valgrind, an emulator.
RUN         =
# Arguments of the random stress test: a seed, a number of greenlets.
STRESS      =
# What `test` runs, by itself and by what checks it in other ways; slots: the Lua
# specs in all modes of stacks.
SUITES      = test-core test-allocations test-lua

$(BUILD)/spec/core/memory_test: TEST_LDFLAGS = -Wl,--wrap=malloc,--wrap=calloc \
  -Wl,--wrap=realloc,--wrap=posix_memalign,--wrap=mmap,--wrap=mprotect,--wrap=madvise
$(BUILD)/spec/core/slot_test: TEST_LDFLAGS = -Wl,--wrap=mmap,--wrap=madvise,--wrap=mprotect

.PHONY: test
test: $(BUILD)/packages-test ## build all, run all tests (SUITES=test-core: some)
	@status=0; for suite in $(SUITES); do \
	  $(MAKE) --no-print-directory $$suite || status=1; done; exit $$status

# A program that ends without its summary line, or badly in spite of it, counts
# as one failure more.
.PHONY: test-core
test-core: $(CORE_TESTS) ## run the C tests of core (STRESS=seed, RUN=a wrapper)
	@passed=0; failed=0; for test in $(CORE_TESTS); do \
	  case $$test in *stress_test) args="$(STRESS)" ;; *) args= ;; esac; \
	  $(RUN) $$test $$args >$$test.log 2>&1; status=$$?; \
	  set -- $$(grep -E '^[0-9]+ passed, [0-9]+ failed$$' $$test.log | tail -n 1); \
	  p=$${1:-0}; f=$${3:-1}; [ $$status = 0 ] || [ $$f != 0 ] || f=1; \
	  [ $$f = 0 ] || { tail -n 60 $$test.log; echo "$$test: exit status $$status"; }; \
	  printf '%-14s %8d passed, %d failed\n' $$(basename $$test) $$p $$f; \
	  passed=$$((passed + p)); failed=$$((failed + f)); \
	done; echo "core: $$passed passed, $$failed failed"; [ $$failed = 0 ]

# The program runs the suites of its own module; its behaviour as a program is
# tested from outside, by the stock interpreter.
BUSTED       = $(LUA) /usr/bin/busted --output=plainTerminal
INSIDE_SPECS  = $(sort $(dir $(wildcard spec/lua_binding/*_spec.lua spec/regress/*_spec.lua)))
OUTSIDE_SPECS = $(sort $(dir $(wildcard spec/cmd/*_spec.lua spec/pages/*_spec.lua))) $(wildcard spec/*_spec.lua)

# What the Lua specs run, tags of those that cannot be run so, and how many times
# longer things may take. The tags: stock, which loads the module into a stock
# lua; memory, about limits of it; leaks, ends with memory in use on purpose;
# asan and valgrind, what these cannot run.
PROGRAM  = $(abspath $(BUILD)/greenlua)
WITHOUT  =
PATIENCE = 1

# What spec/cmd/signals_spec.lua runs.
INTERRUPTS = $(BUILD)/spec/reliability/interrupts

.PHONY: test-lua
test-lua: $(BUILD)/packages-test all $(INTERRUPTS) ## run the Lua specs
	@export GREENLUA=$(PROGRAM) SPEC_PATIENCE=$(PATIENCE) INTERRUPTS=$(abspath $(INTERRUPTS)) \
	  PAGES=$(abspath $(BUILD)/lua_binding/pages); status=0; \
	busted="$(BUSTED) $(WITHOUT:%=--exclude-tags=%)"; \
	$(if $(strip $(INSIDE_SPECS)),$$busted --lua=$$GREENLUA $(INSIDE_SPECS) || status=1;) \
	$(if $(strip $(OUTSIDE_SPECS)),$$busted $(OUTSIDE_SPECS) || status=1;) \
	exit $$status

# The C tests have each of these modes in themselves.
SLOTS = 1 2 4 64
.PHONY: slots
slots: ## run the Lua specs and examples with 1, 2, 4, 64 stacks, and with stacks that move at every switch
	@status=0; for slots in $(SLOTS); do echo "== $$slots stacks"; \
	  GREENLUA_STACK_SLOTS=$$slots $(MAKE) --no-print-directory test-lua || status=1; \
	done; echo "== stacks that move"; \
	GREENLUA_STACK_MOVE=1 $(MAKE) --no-print-directory test-lua || status=1; exit $$status

# What libedit does otherwise has the tag readline.
.PHONY: test-line-edit
test-line-edit: ## run the specs of the prompt with libedit in place of readline
	$(MAKE) LINE=edit BUILD=$(BUILD)/edit WITHOUT=readline INSIDE_SPECS= \
	  OUTSIDE_SPECS=spec/cmd/console test-lua

.PHONY: layers
layers: ## check that no layer includes one above it
	@! grep -nE '#include *[<"](lua|lauxlib|lualib|lua_binding/|cmd/)' core/* spec/core/*
	@! grep -nE '#include *[<"]cmd/' lua_binding/*.[ch]
	@! grep -nE '#include *("|<ev)' cmd/*.[ch] | \
	  grep -vE '#include *"(cmd/[a-z_]+\.h|lua_binding/binding\.h|lua\.h|lauxlib\.h|lualib\.h)"'
	@echo "layers: core, lua_binding and cmd include nothing above them"

# Every allocation fails, of a Lua state and of core: so many in a row; 0: as long as
# the script lasts. STEP: only each so many-th; 1 takes three times as long.
FAILURES = 1 2 3 0
STEP     = 3
ALLOCATIONS = $(BUILD)/allocations/spec/reliability/allocations
.PHONY: allocations
allocations: $(BUILD)/packages-test ## run small scripts in which each allocation fails in turn (FAILURES="1 2 3 0" in a row, 0: all; STEP=n)
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/allocations CFLAGS="-O1 -g" $(ALLOCATIONS)
	@status=0; for failures in $(FAILURES); do echo "== $$failures in a row"; \
	  $(ALLOCATIONS) -f $$failures -s $(STEP) spec/reliability/allocations/*.lua \
	  2>$(BUILD)/allocations/errors || status=1; done; exit $$status

# A few of them, in seconds.
QUICK = $(BUILD)/spec/reliability/allocations
.PHONY: test-allocations
test-allocations: $(BUILD)/packages-test $(QUICK) ## run small scripts in which two allocations in a row fail, each 61st
	@$(QUICK) -f 2 -s 61 spec/reliability/allocations/*.lua >$(QUICK).log 2>$(QUICK).errors; \
	status=$$?; [ $$status = 0 ] || cat $(QUICK).log; \
	echo "allocations: $$(tail -n 1 $(QUICK).log)"; exit $$status

$(BUILD)/spec/reliability/allocations: spec/reliability/allocations.c $(BINDING_OBJ) $(CORE_OBJ)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LUA_CFLAGS) -D_GNU_SOURCE -o $@ $^ -Wl,--wrap=malloc,--wrap=free \
	  -Wl,--wrap=calloc,--wrap=realloc,--wrap=posix_memalign,--wrap=mmap,--wrap=mprotect,--wrap=write \
	  $(LUA_LIBS) -l:libev.a

# Rounds of work of every class, and what the process holds between them.
SECONDS = 3600
.PHONY: soak
soak: $(BUILD)/packages-test all ## work for an hour (SECONDS=n): memory, descriptors and greenlets stay as many
	@$(BUILD)/greenlua spec/reliability/soak.lua $(SECONDS)

# A signal at so many random moments of a busy script, for each of three signals.
MOMENTS = 1000
.PHONY: interrupts
interrupts: $(INTERRUPTS) all ## send Ctrl-C, SIGTERM, SIGHUP at MOMENTS=1000 moments of a script, in three modes of stacks
	@status=0; for mode in SLOTS=64 SLOTS=1 MOVE=1; do for signal in INT TERM HUP; do \
	  echo "GREENLUA_STACK_$$mode"; env GREENLUA_STACK_$$mode $(INTERRUPTS) -n $(MOMENTS) -k $$signal \
	    $(BUILD)/greenlua spec/reliability/interrupts/busy.lua || status=1; \
	done; done; exit $$status

$(INTERRUPTS): spec/reliability/interrupts.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -o $@ $<

# ---- What watches the tests: SUITES, built and run otherwise ----
# What test-allocations makes fail are the allocations of a plain program.
WATCHED = SUITES="$(filter-out test-allocations,$(SUITES))" test
# An allocation that asks for too much is refused, as by malloc. What a move of a stack
# takes under AddressSanitizer grows with its size.
.PHONY: asan
asan: $(BUILD)/packages-test ## run all tests under AddressSanitizer (SUITES=test-core: the C tests)
	ASAN_OPTIONS=allocator_may_return_null=1 GREENLUA_STACK_SIZE=1m \
	  $(MAKE) BUILD=$(BUILD)/asan CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address" \
	  WITHOUT=stock,memory,leaks,asan PATIENCE=10 $(WATCHED)

.PHONY: ubsan
ubsan: $(BUILD)/packages-test ## run all tests under UndefinedBehaviorSanitizer
	$(MAKE) BUILD=$(BUILD)/ubsan CFLAGS="-O1 -g -fsanitize=undefined -fno-sanitize-recover=all" test

# The specs run a command that runs the program under valgrind: by the name `lua`,
# if that is what they call it. Lua points into the middle of its threads.
MEMCHECK = valgrind --quiet --error-exitcode=99 --leak-check=full --child-silent-after-fork=yes
MEMCHECK_LUA   = $(MEMCHECK) --show-leak-kinds=definite --errors-for-leak-kinds=definite
UNDER_VALGRIND = $(abspath $(BUILD))/valgrind/under
.PHONY: valgrind
valgrind: $(BUILD)/packages-check ## run all tests under valgrind (half an hour)
	@mkdir -p $(UNDER_VALGRIND)/bin
	@ln -sf ../greenlua $(UNDER_VALGRIND)/lua
	@ln -sf ../greenlua $(UNDER_VALGRIND)/greenlua
	@printf '#!/bin/sh\nPATH=%s:$$PATH exec %s $${0##*/} "$$@"\n' \
	  $(UNDER_VALGRIND) '$(MEMCHECK_LUA)' >$(UNDER_VALGRIND)/run
	@chmod +x $(UNDER_VALGRIND)/run
	@ln -sf ../run $(UNDER_VALGRIND)/bin/greenlua
	$(MAKE) BUILD=$(BUILD)/valgrind CFLAGS="-O1 -g -DGREENLUA_VALGRIND" RUN="$(MEMCHECK)" STRESS="1 60" \
	  PROGRAM=$(UNDER_VALGRIND)/bin/greenlua WITHOUT=stock,memory,leaks,valgrind PATIENCE=20 $(WATCHED)

.PHONY: clang
clang: $(BUILD)/packages-check ## build with clang, warnings being errors, and run all tests
	$(MAKE) BUILD=$(BUILD)/clang CC=clang CI=true test

# ---- Another architecture, on this machine ----
# Debian's arm64 libraries go into a directory of ours; apt's own lists and the
# system's architectures stay as they are.
SYSROOT = $(BUILD)/aarch64/sysroot
ARM64_PACKAGES = libev4 libev-dev liblua5.4-0 liblua5.4-dev libreadline8 libreadline-dev libtinfo6 \
                 lua-filesystem lua-system lua-term lua-lpeg lua-socket
ARM64_APT = apt-get -qq -o APT::Architectures::=$$(dpkg --print-architecture) \
            -o APT::Architectures::=arm64 -o APT::Sandbox::User=root -o Debug::NoLocking=1 \
            -o Dir::State::Lists=$(abspath $(SYSROOT))/apt/lists \
            -o Dir::Cache=$(abspath $(SYSROOT))/apt/cache
ARM64_LIBS = $(SYSROOT)/usr/lib/aarch64-linux-gnu $(SYSROOT)/lib/aarch64-linux-gnu
ARM64_LUA_CFLAGS = -I$(SYSROOT)/usr/include/lua5.4 -I$(SYSROOT)/usr/include/aarch64-linux-gnu
ARM64_RUN = qemu-aarch64 -L /usr/aarch64-linux-gnu \
            -E LD_LIBRARY_PATH=$(subst $(space),:,$(abspath $(ARM64_LIBS))) \
            -E LUA_CPATH_5_4=$(abspath $(SYSROOT))/usr/lib/aarch64-linux-gnu/lua/5.4/?.so
space := $(subst ,, )
AARCH64 = BUILD=$(BUILD)/aarch64 CC=aarch64-linux-gnu-gcc \
          CFLAGS="-O2 -g -isystem $(SYSROOT)/usr/include" LUA_CFLAGS="$(ARM64_LUA_CFLAGS)" \
          LDFLAGS="$(ARM64_LIBS:%=-L%) $(ARM64_LIBS:%=-Wl,-rpath-link,%)" \
          RUN="$(ARM64_RUN)"

.PHONY: aarch64-sysroot
aarch64-sysroot: $(SYSROOT)/ready ## unpack Debian's arm64 libraries
$(SYSROOT)/ready: $(BUILD)/packages-aarch64
	@mkdir -p $(SYSROOT)/apt/lists/partial $(SYSROOT)/apt/cache/archives/partial
	@echo "Unpacking arm64 libraries: $(ARM64_PACKAGES)"
	@$(ARM64_APT) update
	@cd $(SYSROOT)/apt && $(ARM64_APT) download $(ARM64_PACKAGES:%=%:arm64)
	@for deb in $(SYSROOT)/apt/*.deb; do dpkg -x $$deb $(SYSROOT); done
	@find $(SYSROOT) -lname '/*' | while read -r link; do \
	  ln -sfn "$(abspath $(SYSROOT))$$(readlink "$$link")" "$$link"; done
	@rm -rf $(SYSROOT)/apt
	@touch $@

# The programs of the outside specs would be run by the machine itself.
EMULATED = $(abspath $(BUILD))/aarch64/emulated
.PHONY: aarch64
aarch64: $(SYSROOT)/ready ## cross-compile for arm64, run the C tests and the inside Lua specs in an emulator
	@printf '#!/bin/sh\nexec %s "$$@"\n' \
	  '$(ARM64_RUN) $(abspath $(BUILD))/aarch64/greenlua' >$(EMULATED)
	@chmod +x $(EMULATED)
	$(MAKE) $(AARCH64) STRESS="1 100" PROGRAM=$(EMULATED) WITHOUT=stock,memory PATIENCE=10 \
	  OUTSIDE_SPECS= $(WATCHED)

# Both know what Lua's headers do not say (.ci/lint.h); core is read without it.
LINT = clang-tidy --quiet
LINT_CPP = -I. $(LUA_CFLAGS) -D_GNU_SOURCE -DGREENLUA_VERSION='"$(V)"'
CPPCHECK = cppcheck --quiet --error-exitcode=1 --inline-suppr --suppressions-list=.cppcheck \
           --enable=warning,style,performance,portability --std=c11 -I.
.PHONY: lint
lint: $(BUILD)/packages-check ## run clang-tidy and cppcheck on all C files
	@$(LINT) $(CORE_SRC) -- -std=gnu11 -I. -D_GNU_SOURCE
	@$(LINT) $(BINDING_SRC) $(wildcard cmd/*.c) -- -std=gnu11 -include .ci/lint.h $(LINT_CPP)
	@$(CPPCHECK) core lua_binding cmd
	@echo "lint: clang-tidy and cppcheck have nothing to say"

# Fetched from GitHub and Debian for the run. What cannot be fetched is not run.
REAL = $(BUILD)/real
.PHONY: real-programs
real-programs: $(BUILD)/packages-real all ## run suites of Lua, lpeg, Penlight, busted, luacheck as lua5.4 does
	@if scripts/real/fetch $(REAL); then $(LUA) scripts/real/run.lua $(BUILD)/greenlua $(REAL); \
	else echo "real-programs: not run, since their suites cannot be fetched"; fi

# ---- Fuzzing ----
# Inputs are changed at random, as guided by what they make run. Each fuzzer begins with the
# inputs in spec/fuzz/corpus and those of former runs; what it finds is in $(FUZZ_BUILD)/found.
FUZZ_BUILD   = $(BUILD)/fuzz
FUZZERS      = operations command_line parsers
FUZZ_TIME    = 600
# The longest input, in bytes.
FUZZ_LENGTH  = 500
FUZZ_OPTIONS = -handle_usr1=0 -timeout=25 -max_len=$(FUZZ_LENGTH)
FUZZ_PROGRAM = $(FUZZ_BUILD)/spec/fuzz/
FUZZ_COMMON  = $(addprefix $(BUILD)/spec/fuzz/,fuzz.o coverage.o clock.o) $(BINDING_OBJ) $(CORE_OBJ)

.PHONY: fuzz-build
fuzz-build: $(BUILD)/packages-check
	@$(MAKE) --no-print-directory --silent BUILD=$(FUZZ_BUILD) CC=clang \
	  CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address" \
	  $(FUZZERS:%=$(FUZZ_PROGRAM)%)

.PHONY: fuzz
fuzz: fuzz-build ## fuzz, each fuzzer for FUZZ_TIME=600 seconds (FUZZERS="operations command_line parsers")
	@status=0; mkdir -p $(FUZZ_BUILD)/found; for fuzzer in $(FUZZERS); do \
	  mkdir -p $(FUZZ_BUILD)/corpus/$$fuzzer; dict=spec/fuzz/$$fuzzer.dict; \
	  $(FUZZ_PROGRAM)$$fuzzer $(FUZZ_OPTIONS) -max_total_time=$(FUZZ_TIME) -detect_leaks=0 \
	    -print_final_stats=1 -artifact_prefix=$(FUZZ_BUILD)/found/$$fuzzer- \
	    $$([ -e $$dict ] && echo -dict=$$dict) \
	    $(FUZZ_BUILD)/corpus/$$fuzzer spec/fuzz/corpus/$$fuzzer || status=1; \
	done; exit $$status

.PHONY: fuzz-corpus
fuzz-corpus: fuzz-build ## run the inputs that are kept, and look for leaks (a minute)
	@mkdir -p $(FUZZ_BUILD)/found; for fuzzer in $(FUZZERS); do \
	  $(FUZZ_PROGRAM)$$fuzzer $(FUZZ_OPTIONS) -runs=0 \
	    -artifact_prefix=$(FUZZ_BUILD)/found/$$fuzzer- spec/fuzz/corpus/$$fuzzer \
	    >$(FUZZ_BUILD)/$$fuzzer.log 2>&1 || { tail -n 60 $(FUZZ_BUILD)/$$fuzzer.log; exit 1; }; \
	  echo "$$fuzzer: $$(ls spec/fuzz/corpus/$$fuzzer | wc -l) inputs"; \
	done

$(BUILD)/spec/fuzz/%.o: spec/fuzz/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LUA_CFLAGS) -MMD -c -o $@ $<

LINK_FUZZER = $(CC) $(ALL_CFLAGS) -fsanitize=fuzzer -o $@ $^ \
              -Wl,--wrap=clock_gettime,--wrap=epoll_wait $(LUA_LIBS) -l:libev.a
CMD_LIBRARY = $(filter-out %/main.o,$(CMD_OBJ))
$(BUILD)/spec/fuzz/operations: $(BUILD)/spec/fuzz/operations.o $(FUZZ_COMMON)
	$(LINK_FUZZER)
$(BUILD)/spec/fuzz/command_line: $(BUILD)/spec/fuzz/command_line.o $(FUZZ_COMMON) $(CMD_LIBRARY)
	$(LINK_FUZZER) -Wl,--wrap=dlopen
$(BUILD)/spec/fuzz/parsers: $(BUILD)/spec/fuzz/parsers.o $(FUZZ_COMMON) $(filter-out %/ask.o,$(CMD_LIBRARY))
	$(LINK_FUZZER)

.PHONY: check
check: $(BUILD)/packages-check ## all of the above but the longest, warnings being errors
	$(MAKE) CI=true BUILD=$(BUILD)/ci test
	$(MAKE) CI=true BUILD=$(BUILD)/ci SLOTS="1 2 4" slots
	$(MAKE) layers lint allocations fuzz-corpus clang asan ubsan aarch64 test-line-edit CI=true
	$(MAKE) valgrind OUTSIDE_SPECS= CI=true
	$(MAKE) CI=true BUILD=$(BUILD)/ci real-programs

.PHONY: coverage
coverage: deps ## which lines of core the C tests run
	$(MAKE) BUILD=$(BUILD)/coverage CFLAGS="-O0 -g --coverage" test-core
	@for source in $(CORE_SRC); do \
	  gcov -n -o $(BUILD)/coverage/$${source%.c}.o $$source | \
	  awk -v name=$$source 'index($$0, "File \x27" name) { mine = 1 } \
	    mine && /^Lines/ { sub("Lines executed:", ""); printf "%-20s %s\n", name, $$0; mine = 0 }'; \
	done

# ---- Documents ----
.PHONY: docs
docs: ## write docs/manual and docs/greenlua.1 from the docstrings
	$(LUA) scripts/docs/generate.lua manual .

# What runs at the moment shows in them: each time they are a little different.
.PHONY: pictures
pictures: $(BUILD)/packages-browser all ## make the pictures of timelines in docs/pictures (NAMES=herd: that one)
	$(LUA) scripts/pages/pictures.lua $(BUILD)/greenlua $(NAMES)

.PHONY: peers
peers: ## run the manual's programs in other languages, as far as these are installed
	$(LUA) spec/peers.lua

# ---- Use ----
.PHONY: demo
demo: all ## count the words of this project's documents, concurrently
	$(BUILD)/greenlua scripts/examples/wordcount.lua README.md $(wildcard docs/*.md docs/manual/*.md) core/*.h

# ---- Measuring ----
# What of the systems beside greenlua must be compiled, and can be.
PEERS  = scripts/bench/peers
BENCH  = $(BUILD)/bench
GO     = $(filter-out %/measure.go,$(wildcard $(PEERS)/go/*.go))
ERLANG = $(wildcard $(PEERS)/erlang/*.erl)

.PHONY: bench-peers
bench-peers: $(if $(shell command -v go),$(GO:$(PEERS)/%.go=$(BENCH)/%))
bench-peers: $(if $(shell command -v erlc),$(ERLANG:$(PEERS)/%.erl=$(BENCH)/%.beam))

$(BENCH)/go/%: $(PEERS)/go/%.go $(PEERS)/go/measure.go
	@mkdir -p $(@D)
	GOCACHE=$(abspath $(BENCH))/go-cache GO111MODULE=off go build -o $@ $^

$(BENCH)/erlang/%.beam: $(PEERS)/erlang/%.erl
	@mkdir -p $(@D)
	erlc -Werror -o $(@D) $<

.PHONY: bench
bench: all bench-peers ## measure, beside other systems; fill in docs/performance.md
	$(BUILD)/greenlua scripts/bench/run.lua --write
	$(MAKE) --no-print-directory bench-prompt bench-trace bench-profile
	@if command -v gnuplot >/dev/null; then $(MAKE) --no-print-directory bench-scaling; \
	else echo "gnuplot is not installed: docs/scaling.svg stays as it is"; fi

.PHONY: bench-prompt
bench-prompt: all ## measure the prompt: its start, beside stock lua's, and its greenlets
	$(BUILD)/greenlua scripts/bench/prompt.lua --write

.PHONY: bench-trace
bench-trace: all ## measure what tracing costs
	$(BUILD)/greenlua scripts/bench/trace.lua --write

.PHONY: bench-profile
bench-profile: all ## measure what a profile costs
	$(BUILD)/greenlua scripts/bench/profile.lua --write

.PHONY: bench-scaling
bench-scaling: all ## measure from 10 to 1,000,000 greenlets; draw docs/scaling.svg (needs gnuplot)
	$(BUILD)/greenlua scripts/bench/scaling.lua --write

DOC_DIR = $(DESTDIR)$(PREFIX)/share/doc/greenlua
MAN_DIR = $(DESTDIR)$(PREFIX)/share/man/man1
GDB_DIR = $(DESTDIR)$(PREFIX)/share/greenlua

.PHONY: install
install: all ## install below $(PREFIX), or $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/lua/5.4 $(DOC_DIR)/manual \
	  $(DOC_DIR)/pictures $(MAN_DIR) $(GDB_DIR)
	install -m 755 $(BUILD)/greenlua $(DESTDIR)$(PREFIX)/bin/greenlua
	install -m 644 $(BUILD)/greenlet.so $(DESTDIR)$(PREFIX)/lib/lua/5.4/greenlet.so
	install -m 644 scripts/gdb/greenlua-gdb.py $(GDB_DIR)
	install -m 644 README.md LICENSE $(wildcard docs/*.md docs/*.svg) $(DOC_DIR)
	install -m 644 $(wildcard docs/manual/*.md) $(DOC_DIR)/manual
	install -m 644 $(wildcard docs/pictures/*.png) $(DOC_DIR)/pictures
	install -m 644 docs/greenlua.1 $(MAN_DIR)

.PHONY: uninstall
uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/greenlua $(DESTDIR)$(PREFIX)/lib/lua/5.4/greenlet.so
	rm -f $(MAN_DIR)/greenlua.1
	rm -rf $(DOC_DIR) $(GDB_DIR)

.PHONY: help
help: ## say this
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 18

.PHONY: clean
clean: ## remove everything that was built
	rm -rf $(BUILD)
