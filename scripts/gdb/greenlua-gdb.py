"""gdb commands for greenlua: source this file in gdb (docs/manual/debugging.md).

    info greenlets    every living greenlet: what it waits for, and where
    greenlet bt G     the Lua stack and the C stack of one of them

Nothing is called in the process, so both work on a core file, too.
What belongs to greenlua is found by its debug information. Distributions' Lua
has none: its structures are read at the offsets that they have in Lua 5.4 on
64-bit machines (lua_binding/callinfo.h reads some of them as well).
"""

import collections
import os
import re
import struct
import subprocess
import tempfile

import gdb
import gdb.unwinder

STATES = ("new", "ready", "running", "waiting", "suspended", "dead")
DEEPEST = 1000  # frames of a Lua thread, and threads of a greenlet, in case of a loop


# ---- Memory ----

def memory(address, count):
    return gdb.selected_inferior().read_memory(address, count).tobytes()


def number(form, address):
    return struct.unpack("=" + form, memory(address, struct.calcsize(form)))[0]


def pointer(address):
    return number("Q", address)


def text_at(address):
    """A C string."""
    return gdb.Value(address).cast(gdb.lookup_type("char").pointer()).string(errors="replace")


def symbol_at(address):
    """The function or variable there, without offset."""
    found = gdb.execute("info symbol %#x" % address, to_string=True)
    if found.startswith("No symbol"):
        return "%#x" % address
    return found.split()[0].split(".")[0]  # name.lto_priv.0


def int_of(value):
    return int(value) & (1 << 64) - 1  # gdb 13 takes some pointers for negative


def container_of(node, kind, member):
    kind = gdb.lookup_type(kind)
    offset = next(f.bitpos // 8 for f in kind.fields() if f.name == member)
    return gdb.Value(int_of(node) - offset).cast(kind.pointer())


# ---- Values of Lua 5.4 ----

LIGHT_POINTER, LIGHT_FUNCTION = 0x02, 0x16
SHORT_STRING, LONG_STRING, TABLE = 0x44, 0x54, 0x45
LUA_CLOSURE, C_CLOSURE, USERDATA, THREAD = 0x46, 0x66, 0x47, 0x48
VALUE_BYTES = 16

Value = collections.namedtuple("Value", "bits kind")


def lua_value(address):
    return Value(pointer(address), number("B", address + 8))


def lua_string(address):
    short = number("B", address + 8) | 0x40 == SHORT_STRING
    length = number("B", address + 11) if short else pointer(address + 16)
    return memory(address + 24, length).decode("utf-8", "replace")


def table_fields(table):
    """Key and value of each field outside the array."""
    node = pointer(table + 24)
    for _ in range(1 << number("B", table + 11)):
        yield Value(pointer(node + 16), number("B", node + 9)), lua_value(node)
        node += 24


def user_value(handle, index):
    """A user value of a handle: they lie before it, one more in some (UV_MEMBERS)."""
    for count in (4, 5):
        block = handle - 40 - VALUE_BYTES * count
        if number("B", block + 8) | 0x40 == USERDATA and number("H", block + 10) == count:
            return lua_value(block + 40 + VALUE_BYTES * (index - 1))
    return Value(0, 0)


def source_name(source):
    """As luaO_chunkid."""
    if source[:1] in "@=":
        return source[1:]
    line = source.split("\n")[0]
    return '[string "%s%s"]' % (line[:40], "..." if line[:40] != source else "")


class Function:
    """A function by its value on a Lua stack."""

    def __init__(self, value):
        self.upvalues = []
        self.proto = None
        self.name = "?"
        if value.kind == LUA_CLOSURE:
            self.proto = pointer(value.bits + 24)
            self.source = source_name(lua_string(pointer(self.proto + 112)))
            self.line = number("i", self.proto + 44)
            self.name = "%s:%d" % (self.source, self.line)
        elif value.kind == C_CLOSURE:
            self.name = symbol_at(pointer(value.bits + 24))
            self.upvalues = [lua_value(value.bits + 32 + VALUE_BYTES * i)
                             for i in range(number("B", value.bits + 10))]
        elif value.kind == LIGHT_FUNCTION:
            self.name = symbol_at(value.bits)

    def current_line(self, saved_pc):
        """The line of the instruction before saved_pc: differences from one to the
        next, and the line itself now and then."""
        at = (saved_pc - pointer(self.proto + 64)) // 4 - 1
        count = number("i", self.proto + 28)
        if not 0 <= at < count:
            return None
        begin, line = -1, self.line
        known = pointer(self.proto + 96)
        for i in range(number("i", self.proto + 40)):
            instruction, its_line = struct.unpack("=ii", memory(known + 8 * i, 8))
            if instruction > at:
                break
            begin, line = instruction, its_line
        steps = memory(pointer(self.proto + 88), count)
        return line + sum(struct.unpack("=%db" % (at - begin), steps[begin + 1:at + 1]))


class LuaFrame:
    IS_C, IS_TAIL = 1 << 1, 1 << 5

    def __init__(self, info):
        self.info = info
        self.at = pointer(info)
        self.previous = pointer(info + 16)
        self.status = number("H", info + 62)
        self.function = Function(lua_value(self.at))

    def place(self):
        """file:line, or None where there is none."""
        if self.status & self.IS_C or not self.function.proto:
            return None
        line = self.function.current_line(pointer(self.info + 32))
        return "%s:%s" % (self.function.source, "?" if line is None else line)

    def where(self):
        function = self.function
        if not function.proto:
            return "in function %s" % function.name
        return "in function <%s>" % function.name if function.line else "in main chunk"

    def __str__(self):
        text = "%s: %s" % (self.place() or "[C]", self.where())
        return text + "\n(...tail calls...)" if self.status & self.IS_TAIL else text


class Thread:
    """A lua_State."""

    def __init__(self, address):
        self.address = address
        if number("B", address + 8) & 0x3f != THREAD & 0x3f:
            raise gdb.GdbError("%#x is no thread of Lua 5.4" % address)

    def frames(self):
        info = pointer(self.address + 32)
        for _ in range(DEEPEST):
            if pointer(info + 16) == 0:  # the host's, below all functions
                return
            frame = LuaFrame(info)
            yield frame
            info = frame.previous

    def active(self):
        """Does it run, or has it resumed one that does? It has not yielded, and a
        function is on it."""
        return number("B", self.address + 10) == 0 and any(True for _ in self.frames())

    def resumed(self, innermost):
        """The thread that the function on top has resumed: its argument, or what it
        wraps."""
        frame = next(self.frames(), None)
        if not frame or frame.function.proto:
            return None
        for value in [lua_value(frame.at + VALUE_BYTES)] + frame.function.upvalues[:2]:
            if value.kind == THREAD and value.bits != self.address:
                thread = Thread(value.bits)
                if thread.address == innermost or thread.active():
                    return thread
        return None


# ---- Greenlets ----

def runtimes():
    """The only runtime, or those that the C stacks of the threads lead to."""
    try:
        only = gdb.parse_and_eval("l_only_runtime")
    except gdb.error:
        raise gdb.GdbError("no debug information of greenlua: is it loaded, and not stripped?")
    if int_of(only):
        return [only]
    found = set()
    restore = selection()
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        frame = gdb.newest_frame()
        while frame:
            collect_runtimes(frame, found)
            frame = frame.older()
    restore()
    if not found:
        raise gdb.GdbError("several Lua states have greenlets, and no thread is in any of them")
    kind = gdb.lookup_type("struct runtime").pointer()
    return [gdb.Value(address).cast(kind) for address in found]


def collect_runtimes(frame, found):
    """Add those of the Lua states that a frame knows as L."""
    try:
        state = frame.read_var("L")
        if "lua_State" in str(state.type) and not state.is_optimized_out:
            found |= runtime_of(int_of(state))
    except (ValueError, RuntimeError, gdb.error):
        pass


def runtime_of(state):
    registry = lua_value(pointer(state + 24) + 64)
    return {value.bits + 32 for key, value in table_fields(registry.bits)
            if key.kind == LIGHT_POINTER and value.kind == USERDATA
            and symbol_at(key.bits) == "runtime_key"}


class Greenlet:
    def __init__(self, rt, g, role=None):
        self.rt, self.g, self.role = rt, g.dereference(), role
        self.pair = self.g["arg"].cast(gdb.lookup_type("struct pair").pointer()).dereference()
        self.handle = int_of(self.pair["handle"])

    def current(self):
        return int_of(self.rt["hub"]["current"]) == int_of(self.g.address)

    def state(self):
        return "running" if self.current() else STATES[int(self.g["state"])]

    def own_name(self):
        """The name that a script gave it, or None."""
        if not self.pair["handle"].dereference()["named"]:
            return None
        fields = user_value(self.handle, 1)
        for key, value in table_fields(fields.bits) if fields.kind == TABLE else ():
            if key.kind == LIGHT_POINTER and symbol_at(key.bits) == "name_key":
                return lua_string(value.bits) if value.kind in (SHORT_STRING, LONG_STRING) else "?"
        return None

    def run(self):
        if self.role:
            return {"main": "main chunk", "hub": "event loop"}[self.role]
        value = user_value(self.handle, 2)
        if value.kind == TABLE:  # {function, arguments ...}
            value = lua_value(pointer(value.bits + 16))
        return Function(value).name

    def title(self):
        """As tostring shows it, but for the class."""
        name = self.own_name()
        return "%#x %s<%s>" % (self.handle, '"%s" ' % name if name else "", self.run())

    def waits_for(self):
        wait = self.g["wait"]
        state = self.state()
        if state == "running":
            return ""
        if state == "new" or state == "ready" and not self.g["begun"]:
            return "its start"
        if state == "ready" and int(wait["result"]) >= 0:
            return "its turn"
        what, about = int_of(wait["what"]), int_of(wait["object"])
        what = text_at(what) if what else ""
        if not about:
            return what
        if what == "join of":
            other = gdb.Value(about).cast(gdb.lookup_type("struct greenlet").pointer())
            return "join of " + Greenlet(self.rt, other).title()
        if what == "wait for":
            return text_at(about)
        if what == "watcher":
            watcher = gdb.Value(about).cast(gdb.lookup_type("struct watcher").pointer())
            kind = str(watcher["kind"]).replace("WATCHER_", "").lower()
            return "%s watcher %#x" % (kind, about)
        return "%s %#x" % (what, about)

    def threads(self):
        """Its Lua threads, the innermost first; as chain in lua_binding/report.c."""
        base, at = int_of(self.pair["L"]), int_of(self.pair["at"])
        of_hub = self.role == "hub" and not self.rt["hub"]["nested"]
        if self.current():
            at = None
        elif of_hub or self.state() == "dead":
            at = base
        threads = []
        thread = Thread(base)
        while thread and len(threads) < DEEPEST:
            threads.insert(0, thread)
            thread = thread.resumed(at) if thread.address != at else None
        if at and threads[0].address != at:
            threads.insert(0, Thread(at))
        return threads

    def frames(self):
        if self.g["begun"] or self.role:
            for thread in self.threads():
                yield from thread.frames()

    def place(self):
        for frame in self.frames():
            place = frame.place()
            if place and not place.startswith("[greenlet"):
                return "%s: %s" % (place, frame.where())
        return "?"


def all_greenlets():
    for rt in runtimes():
        rt = rt.dereference()
        hub = rt["hub"]
        yield Greenlet(rt, hub["main"].address, "main")
        yield Greenlet(rt, hub["self"].address, "hub")
        head = hub["greenlets"].address
        node = hub["greenlets"]["next"]
        while int_of(node) != int_of(head):
            yield Greenlet(rt, container_of(node, "struct greenlet", "all"))
            node = node["next"]


def find_greenlet(word):
    if not word:
        raise gdb.GdbError("which greenlet? main, hub, or an address: see info greenlets")
    if word in ("main", "hub"):
        matches = lambda g: g.role == word
    else:
        address = int_of(gdb.parse_and_eval(word))
        matches = lambda g: address in (g.handle, int_of(g.g.address), int_of(g.pair["L"]))
    for g in all_greenlets():
        if matches(g):
            return g
    raise gdb.GdbError("%s is no living greenlet: see info greenlets" % word)


# ---- C stacks ----

Machine = collections.namedtuple("Machine", "sp pc kept bytes_kept")


def machine():
    """How switch_<arch>.S leaves a stack: registers by offset from its stack pointer."""
    name = gdb.selected_frame().architecture().name()
    if name.startswith("i386:x86-64"):
        kept = {"r15": 0, "r14": 8, "r13": 16, "r12": 24, "rbx": 32, "rbp": 40, "rip": 48}
        return Machine("rsp", "rip", kept, 56)
    if name.startswith("aarch64"):
        kept = {"x%d" % (19 + i): 64 + 8 * i for i in range(11)}
        return Machine("sp", "pc", dict(kept, pc=152), 160)
    raise gdb.GdbError("greenlua does not know the stacks of %s" % name)


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = gdb.Value(sp), gdb.Value(pc)


class StackUnwinder(gdb.unwinder.Unwinder):
    """Makes a resting stack the caller of the thread's innermost frame. No register
    changes, so it works on a core file; gdb's own unwinders do the rest."""

    def __init__(self, at):
        super().__init__("greenlua resting stack")
        self.machine = machine()
        newest = gdb.newest_frame()
        self.sp = int_of(newest.read_register(self.machine.sp))
        self.innermost = newest.pc()
        self.registers = {name: pointer(at + offset)
                          for name, offset in self.machine.kept.items()}
        self.registers[self.machine.sp] = at + self.machine.bytes_kept

    def __call__(self, frame):
        sp = int_of(frame.read_register(self.machine.sp))
        pc = int_of(frame.read_register(self.machine.pc))
        if sp != self.sp or pc != self.innermost:
            return None
        inner = self.registers[self.machine.sp] - 16  # or gdb suspects a corrupt stack
        info = frame.create_unwind_info(FrameId(inner, pc))
        for name, value in self.registers.items():
            kind = frame.read_register(name).type
            info.add_saved_register(name, gdb.Value(value).cast(kind))
        return info


def selection():
    """Returns a function that selects the frame that is selected now."""
    thread, level = gdb.selected_thread().num, gdb.selected_frame().level()

    def restore():
        gdb.invalidate_cached_frames()
        gdb.execute("thread %d" % thread, to_string=True)
        gdb.execute("frame %d" % level, to_string=True)
    return restore


def backtrace_at(at):
    """bt of the stack that rests at this stack pointer, as text."""
    restore = selection()
    unwinder = StackUnwinder(at)
    pc = unwinder.registers[unwinder.machine.pc]
    if symbol_at(pc) == "switch_entry":
        return "none: it has not run"
    if pc == 0:
        return "none: it is not in the core file (a kernel's has it, gdb's gcore skips it)"
    gdb.unwinder.register_unwinder(None, unwinder, replace=True)
    try:
        gdb.invalidate_cached_frames()
        text = gdb.execute("backtrace", to_string=True)
    finally:
        gdb.frame_unwinders.remove(unwinder)
        restore()
    # What comes first is the thread's own frame.
    lines = ("#1 " + text.partition("\n#1 ")[2]).splitlines()
    return "\n".join(re.sub(r"^#(\d+) +", lambda m: "#%-3d" % (int(m[1]) - 1), line)
                     for line in lines)


# Frames that were moved away are unwound at the addresses that they came from, since they
# have pointers to themselves: for that time they are put back there, as a switch would.

def moved_backtrace(stack):
    image, at = stack["image"].dereference(), int_of(stack["sp"])
    frames = memory(int_of(image["data"].address), int(image["bytes"]))
    low = int_of(stack["slot"]["top"]) - len(frames)
    others = memory(low, len(frames))
    inferior = gdb.selected_inferior()
    try:
        inferior.write_memory(low, frames)
    except gdb.MemoryError:
        return moved_in_core(at, low, frames)
    try:
        return backtrace_at(at)
    finally:
        inferior.write_memory(low, others)
        gdb.invalidate_cached_frames()


def moved_in_core(at, low, frames):
    """A core file cannot be written to; a copy of it can."""
    path = re.search(r"core dump file:\s+`(.*)', file type",
                     gdb.execute("info target", to_string=True))[1]
    restore = selection()
    with tempfile.TemporaryDirectory() as directory:
        copy = os.path.join(directory, "core")
        subprocess.run(["cp", "--sparse=always", "--", path, copy], check=True)
        with open(copy, "r+b") as core:
            core.seek(file_offset(core, low, len(frames)))
            core.write(frames)
        try:
            gdb.execute("core-file " + copy, to_string=True)
            return backtrace_at(at)
        finally:
            gdb.execute("core-file " + path, to_string=True)
            restore()


def file_offset(core, address, count):
    """Where a core file (64 bits, little endian as both machines are) has the memory."""
    header = core.read(64)
    table, size, entries = struct.unpack_from("<Q14xHH", header, 32)
    for i in range(entries):
        core.seek(table + i * size)
        kind, _, offset, begin, _, length = struct.unpack("<IIQQQQ", core.read(40))
        if kind == 1 and begin <= address and address + count <= begin + length:
            return offset + address - begin
    raise gdb.GdbError("the stack's place is not in the core file")


def c_stack(g):
    stack = g.g["stack"]
    if g.current():
        return gdb.execute("backtrace", to_string=True).rstrip()
    if g.pair["aside"]:
        return "none: it has yielded it while it waits"
    if not g.g["begun"] and g.role != "main":
        return "none: it has not run"
    if int_of(stack["image"]):
        return moved_backtrace(stack)
    return backtrace_at(int_of(stack["sp"]))


# ---- Commands ----

def need_process():
    if not gdb.selected_thread():
        raise gdb.GdbError("no process, nor a core file")
    try:
        ident = gdb.parse_and_eval("(char *)&lua_ident").string()
    except gdb.error:
        return  # a Lua without symbols: threads are checked one by one
    if "Lua 5.4" not in ident:
        raise gdb.GdbError("this reads stacks of Lua 5.4 only")


class InfoGreenlets(gdb.Command):
    """List all living greenlets: address, function, state, wait, place in Lua.

    The addresses are those that tostring(g) and reports show. A * marks the one
    that runs."""

    def __init__(self):
        super().__init__("info greenlets", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        need_process()
        for g in all_greenlets():
            wait = g.waits_for()
            print("%s %-4s %s  %s%s  at %s" % ("*" if g.current() else " ", g.role or "",
                  g.title(), g.state(), " for " + wait if wait else "", g.place()))


class GreenletPrefix(gdb.Command):
    """Commands for greenlets of greenlua: see info greenlets."""

    def __init__(self):
        super().__init__("greenlet", gdb.COMMAND_STACK, gdb.COMPLETE_NONE, True)


class GreenletBacktrace(gdb.Command):
    """Print the Lua stack and the C stack of a greenlet: greenlet bt G

    G is main, hub, or an address as info greenlets shows it, which may be an
    expression; that of its struct greenlet or of its lua_State will do, too."""

    def __init__(self):
        super().__init__("greenlet bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        need_process()
        g = find_greenlet(argument.strip())
        wait = g.waits_for()
        print("%s  %s%s" % (g.title(), g.state(), " for " + wait if wait else ""))
        print("Lua stack:")
        for frame in g.frames():
            for line in str(frame).splitlines():
                print("    " + line)
        print("C stack:")
        for line in c_stack(g).splitlines():
            print("    " + line)


InfoGreenlets()
GreenletPrefix()
GreenletBacktrace()
