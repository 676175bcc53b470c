# greenlua: greenlets for Lua 5.4. `make help` lists the targets.

# ---- Settings, all of which may be given on the command line ----
PREFIX  = /usr/local
DESTDIR =
CC      = gcc
CFLAGS  = -O2 -g
ARCH    = $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
BUILD   = build
LUA     = lua5.4
V       = 0.1.0

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
             -DGREENLUA_VERSION='"$(V)"' $(CFLAGS)

# ---- What is built, in the order in which data flows ----
CMD_SRC     = $(wildcard cmd/*.c)
BINDING_SRC = $(wildcard lua_binding/*.c)
BINDING_LUA = $(wildcard lua_binding/*.lua)
CORE_SRC    = $(wildcard core/*.c)
CORE_ASM    = core/switch_$(ARCH).S

CMD_OBJ     = $(CMD_SRC:%.c=$(BUILD)/%.o)
BINDING_OBJ = $(BINDING_SRC:%.c=$(BUILD)/%.o) $(BUILD)/lua_binding/embedded.o
CORE_OBJ    = $(CORE_SRC:%.c=$(BUILD)/%.o) $(CORE_ASM:%.S=$(BUILD)/%.o)

.PHONY: all
all: deps $(BUILD)/greenlua $(BUILD)/greenlet.so

$(BUILD)/greenlua: $(CMD_OBJ) $(BINDING_OBJ) $(CORE_OBJ)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LUA_LIBS) -lev -lreadline

$(BUILD)/greenlet.so: $(BINDING_OBJ) $(CORE_OBJ)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) -shared -o $@ $^ -lev

$(BUILD)/libgreenlet.a: $(CORE_OBJ)
	ar rcs $@ $^

$(BUILD)/cmd/%.o: cmd/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LUA_CFLAGS) -MMD -c -o $@ $<

$(BUILD)/lua_binding/%.o: lua_binding/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LUA_CFLAGS) -MMD -c -o $@ $<

$(BUILD)/lua_binding/embedded.o: lua_binding/embedded.S $(BINDING_LUA)
	@mkdir -p $(@D)
	$(CC) $(ASFLAGS) -I. -c -o $@ $<

$(BUILD)/core/%.o: core/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -c -o $@ $<

$(BUILD)/core/%.o: core/%.S
	@mkdir -p $(@D)
	$(CC) $(ASFLAGS) -I. -c -o $@ $<

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/*/*/*.d)

# ---- Packages ----
# One stamp per machine: the check costs a second, and a build needs it once.
.PHONY: deps
deps: $(BUILD)/packages
$(BUILD)/packages: .ci/install-packages
	@mkdir -p $(@D)
	@.ci/install-packages build
	@touch $@

.PHONY: help
help:
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 18

.PHONY: clean
clean: ## remove everything that was built
	rm -rf $(BUILD)
