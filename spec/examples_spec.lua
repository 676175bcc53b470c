-- Runs every script of scripts/examples, and every example in README.md, with the real program
-- and checks what it prints. The figures come from elsewhere: from arithmetic, or from other
-- tools (tr, sort, uniq).
--
-- The program is $GREENLUA, or build/greenlua; the directory is the project's root.

local markdown = require "spec.markdown"

local PROGRAM = os.getenv("GREENLUA") or "build/greenlua"
local EXAMPLES = "scripts/examples/"
-- No example may take longer; `timeout` ends it with status 124.
local patience = require "spec.patience"
local SECONDS = 20 * patience

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

-- Makes a file that is removed after the test.
local files = {}
local function make_file(content)
  local path = os.tmpname()
  files[#files + 1] = path
  local file <close> = assert(io.open(path, "wb"))
  file:write(content or "")
  return path
end

-- Runs a shell command; returns what it printed on stdout and stderr, and its exit status.
local function shell(command, input)
  local out, err = make_file(), make_file()
  local _, _, status = os.execute(("{ %s\n} <%s >%s 2>%s"):format(
    command, quote(input and make_file(input) or "/dev/null"), out, err))
  return read(out), read(err), status
end

local function run(script, arguments, input)
  local out, err, status = shell(("timeout %d %s %s %s"):format(
    SECONDS, quote(PROGRAM), quote(script), arguments or ""), input)
  -- They are correct, but for those that end by a deadlock.
  if status ~= 3 then assert.is_nil(err:find("deadlock: ", 1, true), err) end
  return out, err, status
end

local function lines_of(text)
  local lines = {}
  for line in text:gmatch("[^\n]*") do lines[#lines + 1] = line end
  if lines[#lines] == "" then lines[#lines] = nil end
  return lines
end

-- Describes one script; `example(arguments, input)` runs it.
local described = {}
local function describe_example(name, f)
  described[name] = true
  describe(EXAMPLES .. name, function()
    f(function(arguments, input) return run(EXAMPLES .. name, arguments, input) end)
  end)
end

local function it_refuses(example, ...)
  for _, arguments in ipairs {...} do
    it("refuses " .. (arguments == "" and "no arguments" or arguments), function()
      local out, err, status = example(arguments)
      assert.equal("", out)
      assert.matches("^usage: ", err)
      assert.equal(2, status)
    end)
  end
end

local function assert_contains(text, part)
  assert.is_truthy(text:find(part, 1, true), ("%q is not in:\n%s"):format(part, text))
end

after_each(function()
  for _, path in ipairs(files) do os.remove(path) end
  files = {}
end)

describe_example("wordcount.lua", function(example)
  local TEXTS = "LICENSE Makefile scripts/examples/life.lua"

  it("counts as tr, sort and uniq do", function()
    local words = ("cat %s | tr -cs A-Za-z '\\n' | tr A-Z a-z | grep ."):format(TEXTS)
    local expected = shell(words .. " | sort | uniq -c | sort -k1,1nr -k2,2 | sed 10q")
    local different = shell(words .. " | sort -u | wc -l")
    local out, err, status = example(TEXTS)
    assert.equal("", err)
    assert.equal(0, status)
    local top = lines_of(out)
    local heading = table.remove(top, 4) -- after a line for each of the three files
    assert.equal(tonumber(different), tonumber(heading:match("^%d+")))
    local counted = lines_of((expected:gsub(" +(%d+) ", "%1 ")))
    assert.equal(10, #counted)
    for i, line in ipairs(counted) do
      assert.equal(line, (top[i + 3]:gsub("^ +", "")))
    end
  end)

  it("tells the words of each file", function()
    local expected = shell("tr -cs A-Za-z '\\n' < LICENSE | grep -c .")
    assert_contains(example(TEXTS), ("%6d words in LICENSE\n"):format(tonumber(expected)))
  end)

  it("finishes a short file before a long one", function()
    local long, short = make_file(("word\n"):rep(20000)), make_file("one two three\n")
    local out = example(long .. " " .. short)
    assert.equal("     3 words in " .. short, lines_of(out)[1])
    assert.equal(" 20000 words in " .. long, lines_of(out)[2])
    assert_contains(out, "4 different words")
  end)

  it("reports what it cannot read and counts the rest", function()
    local out, err, status = example("no-such-file LICENSE scripts")
    assert.equal(1, status)
    assert_contains(err, "wordcount.lua: no-such-file: No such file or directory\n")
    assert_contains(err, "wordcount.lua: scripts: Is a directory\n")
    assert.equal(2, #lines_of(err))
    assert_contains(out, " words in LICENSE\n")
  end)

  it("counts nothing in an empty file", function()
    local empty = make_file("")
    local out, _, status = example(empty)
    assert.equal(("     0 words in %s\n0 different words; the most frequent:\n"):format(empty), out)
    assert.equal(0, status)
  end)

  it_refuses(example, "")
end)

describe_example("sieve.lua", function(example)
  it("finds the primes up to 100", function()
    local out, err, status = example("100")
    assert.equal("", err)
    assert.equal(0, status)
    local primes = {}
    for number in out:match("^[%d%s]*\n"):gmatch("%d+") do primes[#primes + 1] = number end
    assert.equal("2 3 5 7 11 13 17 19 23 29 31 37 41 43 47 53 59 61 67 71 73 79 83 89 97",
      table.concat(primes, " "))
  end)

  it("finds as many as there are", function()
    assert_contains(example("2"), "1 primes up to 2,")
    assert_contains(example("1000"), "168 primes up to 1000,")
    assert_contains(example("5000"), "669 primes up to 5000,")
  end)

  it_refuses(example, "1", "ten", "2.5", "10 10")
end)

describe_example("prefork.lua", function(example)
  -- Valgrind 3.19 does not know pidfd_open.
  it("counts primes by processes, however many #valgrind", function()
    for workers = 1, 4 do
      local out, err, status = example("--upto 10000 --workers " .. workers)
      assert.equal("", err)
      assert.equal(0, status)
      assert.equal(("1229 primes up to 10000, %d workers, 0 crashes\n"):format(workers), out)
    end
  end)

  it("starts a worker again that has crashed #valgrind", function()
    local out, err, status = example("--upto 100 --workers 3 --crash 2")
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal("worker 2: killed by signal 9, started again\n"
      .. "25 primes up to 100, 3 workers, 1 crash\n", out)
  end)

  it_refuses(example, "--workers 0", "--upto x", "--many 3")
end)

describe_example("worker_pool.lua", function(example)
  it("prints the results in the order in which they come", function()
    local out, err, status = example("", "1 + 2 + 3 + 4 + 5 + 6 + 7 + 8\n6 * 7\n2 ^ 10\n")
    assert.equal("", err)
    assert.equal(0, status)
    local lines = lines_of(out)
    assert.matches("^worker %d: 6 %* 7 = 42$", lines[1])
    assert.matches("^worker %d: 2 ^ 10 = 1024%.0$", lines[2])
    assert.matches("^worker %d: 1 .* 8 = 36$", lines[3])
    assert.matches("^3 jobs done, 0 failed, 4 workers, %d+%.%d%d seconds$", lines[4])
  end)

  it("reports the jobs that fail and does the others", function()
    local out, err, status = example("--workers 2", "1 // 0\n(1\n\nos.exit(7)\n1 + 1\n")
    assert.equal(1, status)
    assert_contains(out, "1 + 1 = 2\n1 jobs done, 3 failed, 2 workers")
    assert_contains(err, "1 // 0: job:1: attempt to ")
    assert_contains(err, "(1: ")
    assert_contains(err, "os.exit(7): not arithmetic\n")
  end)

  it("keeps to the rate", function()
    local out = example("--rate 20", ("1\n"):rep(11))
    local seconds = tonumber(out:match("11 jobs done.*, ([%d.]+) seconds"))
    assert.is_true(seconds >= 0.49, out) -- ten waits of 1/20 s
  end)

  it("has the workers work at the same time", function()
    local jobs = (("1" .. (" + 1"):rep(20)) .. "\n"):rep(20) -- 0.2 s each
    local out = example("--workers 20 --rate 1000", jobs)
    local seconds = tonumber(out:match("20 jobs done.*, ([%d.]+) seconds"))
    assert.is_true(seconds < 2, out) -- one after the other would take 4
  end)

  it("does nothing without jobs", function()
    local out, _, status = example("")
    assert.matches("^0 jobs done, 0 failed", out)
    assert.equal(0, status)
  end)

  it_refuses(example, "--workers", "--workers 0", "--workers 1.5", "--rate fast", "--colour 1", "5")
end)

describe_example("philosophers.lua", function(example)
  -- How often the one ate that ate least, of `count`.
  local function fewest_meals(count, arguments)
    local out, err, status = example(arguments)
    assert.equal("", err)
    assert.equal(0, status)
    local lines, fewest = lines_of(out), math.huge
    assert.equal(count, #lines)
    for i, line in ipairs(lines) do
      local number, meals = line:match("^philosopher (%d+) ate (%d+) times$")
      assert.equal(i, tonumber(number))
      fewest = math.min(fewest, tonumber(meals))
    end
    return fewest
  end

  -- How long that takes depends on the machine: longer and longer, if need be.
  local function assert_all_eat(count, way)
    local seconds, meals = 0.1, 0
    while meals < 2 and seconds < SECONDS / 4 do
      meals = fewest_meals(count, ("%s %d %g"):format(way, count, seconds))
      seconds = 2 * seconds
    end
    assert.is_true(meals >= 2, "somebody does not eat")
  end

  it("lets everybody eat", function() assert_all_eat(7, "") end)

  for _, way in ipairs { "--order", "--waiter", "--patience" } do
    it("lets everybody eat with " .. way, function() assert_all_eat(4, way) end)
    it("feeds two, who share both forks, with " .. way, function() assert_all_eat(2, way) end)
  end

  it("reports the deadlock of the naive way, and who has what is waited for", function()
    local out, err, status = example("--deadlock 3")
    assert.equal("", out)
    assert.equal(3, status)
    assert_contains(err, "LoopExit")
    assert_contains(err, 'cycle: "philosopher 1" -> "philosopher 2" -> "philosopher 3" -> "philosopher 1"')
    for i = 1, 3 do
      assert_contains(err, ("  philosopher %d   waits for lock "):format(i))
      assert_contains(err, ("held by philosopher %d   "):format(i))
    end
    assert_contains(err, "philosophers.lua:") -- where they wait
  end)

  it_refuses(example, "1", "many", "5 long", "5 -1", "--dead", "5 1 1")
end)

describe_example("bank.lua", function(example)
  it("ends with the report of a deadlock", function()
    local out, err, status = example()
    assert.equal("", out)
    assert.equal(3, status)
    assert_contains(err, "\ngreenlua: deadlock: 3 greenlets wait and nothing can wake them\n" ..
      'cycle: "bank-a" -> "bank-b" -> "bank-a"\n  bank-a   waits for lock "B" held by bank-b   ')
    assert_contains(err, '   holds lock "B" (scripts/examples/bank.lua:')
    assert_contains(err, "\nalso: main waits for join of bank-a   scripts/examples/bank.lua:")
  end)

  it("comes to its end with --order", function()
    local out, err, status = example("--order")
    assert.same({ "A has 80, B has 70\n", "", 0 }, { out, err, status })
  end)

  it_refuses(example, "--odrer")
end)

describe_example("foreman.lua", function(example)
  it("says who keeps whom waiting", function()
    local out, err, status = example("3")
    assert.equal('worker 2, worker 3 wait for lock "lathe", which worker 1 has\n'
      .. 'worker 3 waits for lock "lathe", which worker 2 has\n'
      .. "nobody waits: worker 3 has the lathe\n", out)
    assert.equal("", err)
    assert.equal(0, status)
  end)

  it("takes as many as there are", function()
    local lines = lines_of((example("100")))
    assert.equal(100, #lines)
    assert.equal('worker 100 waits for lock "lathe", which worker 99 has', lines[99])
  end)

  it_refuses(example, "1", "1001", "x", "2.5")
end)

describe_example("barrier.lua", function(example)
  it("sorts, and shows each round", function()
    assert.equal("3 1 2\n1 3 2\n1 2 3\n1 2 3\n", (example("3 1 2")))
    assert.equal("7\n7\n", (example("7")))
  end)

  it("sorts as sort does", function()
    local list = {}
    for i = 1, 60 do list[i] = math.random(-100, 100) end
    local numbers = table.concat(list, " ")
    local expected = shell(("echo %s | tr ' ' '\\n' | sort -n"):format(numbers))
    local out, err, status = example(numbers)
    assert.equal("", err)
    assert.equal(0, status)
    local lines = lines_of(out)
    assert.equal(61, #lines)
    assert.equal(expected, (lines[61]:gsub(" ", "\n")) .. "\n")
  end)

  it_refuses(example, "one", "1 2 x")
end)

describe_example("readers_writer.lua", function(example)
  it("adds up right, and lets many read at a time", function()
    local out, err, status = example()
    assert.equal("", err)
    assert.equal("160 sums, 0 wrong; 20 transfers; at most ", out:match("^.*most "))
    assert.is_true(tonumber(out:match("(%d+) read")) > 1, out)
    assert.equal(0, status)
  end)

  it("adds up wrong without the lock", function()
    local out, _, status = example("--unlocked")
    assert.not_matches(" 0 wrong", out)
    assert.equal(1, status)
  end)

  it("lets many writers come to their turn", function()
    assert_contains(example("30 10"), "600 sums, 0 wrong; 100 transfers")
    assert_contains(example("0 3"), "0 sums, 0 wrong; 30 transfers; at most 0 read")
  end)

  it_refuses(example, "many", "1 -1", "1 2 3", "--lock")
end)

describe_example("futures.lua", function(example)
  it("computes as soon as it can, in the order in which it can", function()
    local out, err, status = example("-", "c = b + a\nb = after(0.02, a) + 1\na = after(0.01, 20)\nd = 3\n")
    assert.equal("", err)
    assert.equal("d = 3\na = 20\nb = 21\nc = 41\n", out)
    assert.equal(0, status)
  end)

  it("hands errors on to whoever needs the result, and notices circles", function()
    local out, _, status = example("-", "a = b\nb = c * 2\nc = nowhere\nd = e\ne = d\nf = max(1, 2)\ng = (\n")
    assert.equal(1, status)
    local lines = lines_of(out)
    assert.equal("f = 2", lines[1])
    assert.same({ "a: nothing called nowhere", "b: nothing called nowhere",
                  "c: nothing called nowhere", "d: defined in a circle", "e: defined in a circle" },
      { table.unpack(lines, 2, 6) })
    assert.matches("^g: .*unexpected symbol", lines[7])
  end)

  it("refuses what it cannot read", function()
    local _, err, status = example("no-such-file")
    assert_contains(err, "futures.lua: cannot read no-such-file")
    assert.equal(1, status)
    _, err, status = example("-", "what is this\n")
    assert_contains(err, "not a definition: what is this")
    assert.equal(1, status)
  end)

  it("computes its sample", function()
    local out, _, status = example()
    assert_contains(out, "area = 42\nchicken: defined in a circle\n")
    assert.equal(0, status)
  end)

  it_refuses(example, "a b")
end)

describe_example("circuit_breaker.lua", function(example)
  it("opens after three failures, probes, and closes after a success", function()
    local out, err, status = example()
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal([[
call 6 failed: open
call 7 failed: open
call 8 failed: open
call 9 failed: open
call 10 succeeded: closed
]], out)
  end)

  it("stays closed while failures are few", function()
    assert.equal("", (example("2 3")))
    assert.equal("", (example("9 1")))
  end)

  it_refuses(example, "1", "a b", "1 2 3")
end)

describe_example("ping_pong.lua", function(example)
  it("counts the rounds", function()
    local out, err, status = example("1234")
    assert.equal("", err)
    assert.equal(0, status)
    assert.matches("^1234 rounds, pong counted 1234\n[%d.]+ ns per switch\n$", out)
  end)

  it_refuses(example, "0", "x", "1.5", "1 2")
end)

describe_example("supervisor.lua", function(example)
  it("restarts a service that fails, and it goes on where it was", function()
    local numbers = make_file("1\ntwo\n3\n4.5\n\n10\n")
    local out, err, status = example(numbers)
    assert.equal("", err)
    assert.equal(0, status)
    assert.same({
      numbers .. " failed: line 2: not a number: two",
      numbers .. ": restart 1",
      numbers .. " failed: line 5: not a number: ",
      numbers .. ": restart 2",
      numbers .. ": the sum is 18.5",
    }, lines_of(out))
  end)

  it("gives up one that fails too often, and only that", function()
    local good, bad = make_file("1\n2\nx\n"), make_file("a\nb\nc\nd\n1\n")
    local out, _, status = example(good .. " " .. bad)
    assert.equal(1, status)
    assert_contains(out, bad .. " failed: line 4: not a number: d\n" .. bad .. " is given up\n")
    assert_contains(out, good .. ": the sum is 3\n")
    local restarts = select(2, out:gsub(": restart", ""))
    assert.equal(4, restarts) -- one of the good, three of the bad
  end)

  it("runs its samples", function()
    local out, _, status = example()
    assert.equal(0, status)
    assert_contains(out, "steady: the sum is 6\n")
    assert_contains(out, "shaky: the sum is 90\n")
  end)

  it("reports a file that cannot be read", function()
    for _, path in ipairs {"no-such-file", "scripts"} do
      local out, err, status = example(path)
      assert.equal("", out)
      assert_contains(err, "supervisor.lua: cannot read " .. path)
      assert.equal(1, status)
    end
  end)
end)

describe_example("bounded_buffer.lua", function(example)
  it("copies a file, a few lines at a time", function()
    local out, err, status = example("LICENSE")
    assert.equal(read("LICENSE"), out)
    local count = shell("wc -l < LICENSE")
    assert.equal(("%d lines, at most 4 of them in the buffer\n"):format(tonumber(count)), err)
    assert.equal(0, status)
  end)

  it("copies any bytes", function()
    for _, content in ipairs {"", "\n", "no newline", "\0\r\n\xff\n\n"} do
      local out, _, status = example(make_file(content))
      assert.equal(content, out)
      assert.equal(0, status)
    end
  end)

  it("copies itself without a file", function()
    assert.equal(read(EXAMPLES .. "bounded_buffer.lua"), (example()))
  end)

  it("reports a file that cannot be read", function()
    local _, err, status = example("no-such-file")
    assert.equal("bounded_buffer.lua: no-such-file: No such file or directory\n", err)
    assert.equal(1, status)
    _, err, status = example("scripts")
    assert.equal("bounded_buffer.lua: scripts: Is a directory\n", err)
    assert.equal(1, status)
  end)

  it_refuses(example, "a b")
end)

describe_example("life.lua", function(example)
  -- The last generation, as text.
  local function last(out) return out:match(".*generation %d+\n(.*)$") end

  it("moves a glider by one cell in four generations", function()
    local out, err, status = example("8 6 8")
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal("generation 0\n.#......\n..#.....\n###.....\n"
      .. ("........\n"):rep(3) .. "generation 8\n"
      .. "........\n........\n...#....\n....#...\n..###...\n........\n", out)
  end)

  it("brings a glider round a field without borders", function()
    local out = example("8 8 32") -- 8 cells to the right and 8 down
    assert.equal(out:match("^generation 0\n(.*)generation 32\n"), last(out))
  end)

  it("reads a pattern", function()
    local blinker = make_file("!Name: Blinker\n.....\n\n  O\n  O\n  O\n\n")
    assert.equal(".....\n.....\n.....\n.###.\n.....\n.....\n", last((example(blinker .. " 1"))))
    assert.equal(".....\n.....\n..#..\n..#..\n..#..\n.....\n", last((example(blinker .. " 10"))))
  end)

  it("leaves a still life alone", function()
    local block = make_file("....\n.**.\n.**.\n....\n")
    assert.equal("....\n.##.\n.##.\n....\n", last((example(block .. " 5"))))
  end)

  it("reports a file that is no pattern, or that cannot be read", function()
    local _, err, status = example("LICENSE")
    assert.equal("life.lua: LICENSE: not a cell: M\n", err)
    assert.equal(1, status)
    for _, path in ipairs {"no-such-file", "scripts"} do
      _, err, status = example(path)
      assert_contains(err, "life.lua: cannot read " .. path)
      assert.equal(1, status)
    end
  end)

  it_refuses(example, "8", "8 8", "2 8 1", "8 8 -1", "8 8 x")
end)

describe_example("timeouts.lua", function(example)
  it("shows what each limit does", function()
    local out, err, status = example()
    assert.equal("", err)
    assert.equal(0, status)
    local lines = lines_of(out)
    assert.same({
      "one call:\tTimeout: 0.02 seconds",
      "a value:\tno answer",
      "nested:\tTimeout: 0.02 seconds\tthe inner one",
      "nested:\tTimeout: 0.02 seconds\tthe outer one",
      "kill:\tcleaned up",
      "kill:\tdead\tGreenletExit",
    }, table.move(lines, 1, 6, 1, {}))
    assert.matches("^retry:\t.*: No such file or directory$", lines[7])
    assert.matches("^retry:\topened after [2-9] tries$", lines[#lines])
  end)

  it("opens a file that is there", function()
    local out, err, status = example("LICENSE")
    assert_contains(out, "retry:\topened after 1 tries\n")
    assert.equal("", err)
    assert.equal(0, status)
  end)

  it("gives up at the deadline", function()
    local out, err, status = example("no-such-file")
    assert_contains(out, "retry:\tno-such-file: No such file or directory\n")
    assert.equal("timeouts.lua: gave up: Timeout: 0.5 seconds\n", err)
    assert.equal(1, status)
  end)

  it_refuses(example, "a b")
end)

describe_example("rate_limiter.lua", function(example)
  local function requests(n, client)
    local lines = {}
    for i = 1, n do lines[i] = client .. " " .. i .. "\n" end
    return table.concat(lines)
  end

  it("serves a burst at once, and then so many a second, in order", function()
    local out, err, status = example("--rate 50 --burst 3", requests(8, "ann"))
    assert.equal("", err)
    assert.equal(0, status)
    local lines = lines_of(out)
    for i = 1, 8 do assert.equal("ann gets " .. i, lines[i]) end
    local seconds = tonumber(lines[9]:match("^ann: 8 requests, 0 refused, ([%d.]+) seconds$"))
    assert.is_true(seconds >= 0.09, out) -- five had to wait for 1/50 s each
  end)

  it("has a bucket for each client", function()
    local out = example("--rate 1 --burst 2", requests(2, "ann") .. requests(2, "bob"))
    for _, name in ipairs {"ann", "bob"} do
      local seconds = out:match(name .. ": 2 requests, 0 refused, ([%d.]+) seconds")
      assert.is_true(tonumber(seconds) < 1, out) -- with one for both it would be more
    end
  end)

  it("refuses what is too much, if told to", function()
    local out = example("--refuse --burst 3 --rate 0.1", requests(5, "ann"))
    assert_contains(out, "ann gets 3\nann is refused 4\nann is refused 5\n")
    assert_contains(out, "ann: 5 requests, 2 refused")
  end)

  it("needs no requests", function() assert.equal("", (example(""))) end)

  it_refuses(example, "--rate", "--rate 0", "--burst 0.5", "--colour 1", "5")
end)

describe_example("pubsub.lua", function(example)
  local MESSAGES = "news.art A\nnews.sport.ball B\nnews C\n\nweather D\n"

  it("sends messages to those whose patterns match", function()
    local out, err, status = example("all='#' one='news.*' any='news.#' ball='*.sport.*'", MESSAGES)
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal([[
all: news.art A
one: news.art A
any: news.art A
all: news.sport.ball B
any: news.sport.ball B
ball: news.sport.ball B
all: news C
any: news C
all: weather D
all: 4 messages, 0 lost
one: 1 messages, 0 lost
any: 3 messages, 0 lost
ball: 1 messages, 0 lost
]], out)
  end)

  it("does not let a slow subscriber hold up the others", function()
    local messages = {}
    for i = 1, 100 do messages[i] = "t " .. i .. "\n" end
    local out = example("slow!=t fast=t", table.concat(messages))
    assert_contains(out, "fast: 100 messages, 0 lost\n")
    local got, lost = out:match("slow: (%d+) messages, (%d+) lost\n")
    assert.equal(100, got + lost)
    assert.is_true(tonumber(lost) > 0)
    assert_contains(out, "slow: t 99\n") -- the last two had room
    assert_contains(out, "slow: t 100\n")
  end)

  it_refuses(example, "name", "=x", "a=b c")
end)

describe_example("actors.lua", function(example)
  it("answers, in the order of the messages", function()
    local out, err, status = example("", "adder 20\nadder 22\nadder ?\nshelf Emma\ncatalogue ?\n")
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal("adder: the sum is 42\ncatalogue: Emma at 1\n", out)
  end)

  it("starts an actor again, alone, one for one", function()
    local out = example("", "shelf Emma\nadder 1\nadder x\nadder ?\nshelf ?\n")
    assert.equal("root: adder failed: not a number: x\nadder: the sum is 0\nshelf: 1 books\n", out)
  end)

  it("starts all of them again, all for one", function()
    for _, name in ipairs {"shelf", "catalogue"} do
      local out = example("", ("adder 1\nshelf Emma\n%s !\nshelf ?\ncatalogue ?\nadder ?\n"):format(name))
      assert.equal(("library: %s failed: told to fail\nshelf: 0 books\ncatalogue: no books\n")
        :format(name) .. "adder: the sum is 1\n", out)
    end
  end)

  it("has a supervisor give up, which its own starts again", function()
    local out, _, status = example("", ("shelf !\n"):rep(4) .. "shelf Emma\nshelf ?\n")
    assert.equal(("library: shelf failed: told to fail\n"):rep(4)
      .. "root: library failed: too many failures\nshelf: 1 books\n", out)
    assert.equal(0, status)
  end)

  it("gives up when the root does", function()
    local out, _, status = example("", ("adder !\n"):rep(5) .. "adder ?\n")
    assert.equal(("root: adder failed: told to fail\n"):rep(4)
      .. "adder: no answer\nroot failed: too many failures\n", out)
    assert.equal(1, status)
  end)

  it("reports messages for nobody", function()
    local _, err, status = example("", "nobody x\n\n")
    assert.equal("actors.lua: no such actor: nobody x\nactors.lua: no such actor: \n", err)
    assert.equal(0, status)
  end)

  it_refuses(example, "x")
end)

describe_example("retry.lua", function(example)
  it("tries until the command succeeds", function()
    local path = make_file()
    os.remove(path)
    local out, err, status = example(quote(("test -e %s || { touch %s; exit 3; }"):format(path, path)))
    assert.equal("", err)
    assert.equal(0, status)
    assert.matches("^try 1: exit status 3, again in 0%.%d%d s\ntry 2: done\n$", out)
  end)

  it("doubles the pauses, more or less", function()
    local out, _, status = example("--pause 0.02 --tries 4 false")
    assert.equal(1, status)
    local pause = 0.02
    for try = 1, 3 do
      local seconds = tonumber(out:match(("try %d: exit status 1, again in ([%%d.]+) s\n"):format(try)))
      assert.is_true(seconds <= pause + 0.005 and seconds >= pause / 2 - 0.005, out)
      pause = 2 * pause
    end
    assert_contains(out, "try 4: exit status 1, given up\n")
  end)

  it("ends at the deadline", function()
    local out, _, status = example("--deadline 0.2 --tries 1000 --pause 0.01 false")
    assert.equal(124, status)
    assert_contains(out, "given up: Timeout: 0.2 seconds\n")
  end)

  it("does not try again what cannot be run", function()
    local out, _, status = example("no-such-command")
    assert.equal("try 1: exit status 127, given up\n", out)
    assert.equal(127, status)
  end)

  it("gives the status of the last try", function()
    assert.equal(7, select(3, example("--tries 1 'exit 7'")))
    assert.equal(128 + 15, select(3, example("--tries 1 'kill -TERM $$'")))
  end)

  it_refuses(example, "", "a b", "--tries 1", "--tries x false", "--pause -1 false")
end)

describe_example("work_stealing.lua", function(example)
  it("sorts as sort does, whoever does the work", function()
    for _, name in ipairs {"LICENSE", "Makefile", "README.md"} do
      local expected = shell("LC_ALL=C sort " .. name)
      local lines = tonumber((shell("wc -l < " .. name)))
      for _, workers in ipairs {"1", "2", "7", "50"} do
        local out, err, status = example("--workers " .. workers .. " " .. name)
        assert.equal(expected, out)
        assert.equal(0, status)
        local tasks, count = 0, 0
        for done in err:gmatch("worker %d+: (%d+) tasks") do
          tasks, count = tasks + done, count + 1
        end
        assert.equal(tonumber(workers), count)
        assert.is_true(tasks >= lines / 16, err) -- at most eight lines, or half of that, each
      end
    end
  end)

  it("has work stolen, if there are others", function()
    local _, err = example("Makefile")
    for worker = 2, 4 do assert.matches("worker " .. worker .. ": %d+ tasks, [1-9]%d* of them", err) end
    _, err = example("--workers 1 Makefile")
    assert.matches("worker 1: %d+ tasks, 0 of them stolen\n$", err)
  end)

  it("sorts nothing, and one line", function()
    assert.equal("", (example(make_file(""))))
    assert.equal("x\n", (example(make_file("x"))))
  end)

  it("reports a file that cannot be read", function()
    for _, path in ipairs {"no-such-file", "scripts"} do
      local out, err, status = example(path)
      assert.equal("", out)
      assert_contains(err, "work_stealing.lua: cannot read " .. path)
      assert.equal(1, status)
    end
  end)

  it_refuses(example, "", "--workers 0 LICENSE", "--workers x LICENSE", "--workers 2", "a b")
end)

describe_example("map_reduce.lua", function(example)
  -- What other tools say: "files word", most files first.
  local function expected(names)
    local lines = shell(("for f in %s; do tr -cs A-Za-z '\\n' < $f | tr A-Z a-z | grep . | sort -u; done"
      .. " | sort | uniq -c | sort -k1,1nr"):format(names))
    local files = {}
    for count, word in lines:gmatch("(%d+) (%a+)\n") do files[word] = tonumber(count) end
    return files
  end

  it("counts files and words as tr, sort and uniq do", function()
    local names = "LICENSE Makefile README.md scripts/examples/life.lua"
    local files = expected(names)
    for _, reducers in ipairs {"1", "3", "20"} do
      local out, err, status = example("--reducers " .. reducers .. " " .. names)
      assert.equal("", err)
      assert.equal(0, status)
      local lines = lines_of(out)
      assert.equal(10, #lines)
      local before = math.huge
      for _, line in ipairs(lines) do
        local count, times, word = line:match("^ *(%d+) files, +(%d+) times: (%a+)$")
        assert.equal(files[word], tonumber(count))
        assert.is_true(tonumber(count) <= before)
        before = tonumber(count)
        local same = shell(("cat %s | tr -cs A-Za-z '\\n' | tr A-Z a-z | grep -cx %s"):format(names, word))
        assert.equal(tonumber(same), tonumber(times))
      end
    end
  end)

  it("reports what it cannot read and counts the rest", function()
    local out, err, status = example("no-such-file LICENSE scripts")
    assert.equal(1, status)
    assert_contains(err, "map_reduce.lua: no-such-file: No such file or directory\n")
    assert_contains(err, "map_reduce.lua: scripts: Is a directory\n")
    assert_contains(out, " 1 files, ")
  end)

  it("finds nothing in an empty file", function() assert.equal("", (example(make_file("")))) end)

  it_refuses(example, "", "--reducers 0 LICENSE", "--reducers", "--reducers x LICENSE")
end)

describe_example("fan_out.lua", function(example)
  local FILES = "README.md LICENSE Makefile docs/manual/*.md scripts/examples/*.lua"

  it("finds what grep finds, in its order", function()
    for _, text in ipairs {"greenlet", "the", "WARRANTY", "%d+", "[", "-- "} do
      local expected = shell(("grep -Fn -e %s %s"):format(quote(text), FILES))
      local out, err, status = example(quote(text) .. " " .. FILES)
      assert.equal("", err)
      assert.equal(expected, out)
      assert.equal(expected == "" and 1 or 0, status)
    end
  end)

  it("finds the same with --unordered, a short file before a long one", function()
    local function sorted(text)
      local lines = lines_of(text)
      table.sort(lines)
      return lines
    end
    local out = example("--unordered the " .. FILES)
    assert.same(sorted((example("the " .. FILES))), sorted(out))
    local long, short = make_file(("word\n"):rep(5000)), make_file("word\n")
    out = example(("--unordered word %s %s"):format(long, short))
    assert.equal(short .. ":1:word", lines_of(out)[1])
  end)

  it("has status 1 when there is nothing to be found", function()
    local out, err, status = example("'no such words' " .. "LICENSE")
    assert.equal("", out .. err)
    assert.equal(1, status)
  end)

  it("reports what it cannot read and searches the rest", function()
    local out, err, status = example("WARRANTY no-such-file LICENSE scripts")
    assert.equal(2, status)
    assert.equal("fan_out.lua: no-such-file: No such file or directory\n"
      .. "fan_out.lua: scripts: Is a directory\n", err)
    assert_contains(out, "LICENSE:15:")
  end)

  it_refuses(example, "", "word", "--unordered word")
end)

describe_example("tail.lua", function(example)
  it("prints a line as soon as it is complete", function()
    local path = make_file("first\nsec")
    local out, err = shell(([[
      await() { until [ "$(cat %s.out)" = "$1" ] || ! kill -0 $pid; do sleep 0.01; done; }
      : >%s.out
      timeout %d %s %stail.lua %s 1000 >%s.out & pid=$!
      await 'first'
      printf 'ond\nthird\nla' >>%s
      await "$(printf 'first\nsecond\nthird')"
      kill $pid
      cat %s.out; rm %s.out
    ]]):format(path, path, SECONDS, quote(PROGRAM), EXAMPLES, path, path, path, path, path))
    assert.equal("first\nsecond\nthird\n", out)
    assert.equal("", err)
  end)

  it("prints all when time is up", function()
    local out, err, status = example(make_file("first\nlast") .. " 0.05")
    assert.equal("first\nlast", out)
    assert.equal("", err)
    assert.equal(0, status)
  end)

  it("runs its demonstration", function()
    local out, err, status = example()
    local lines = lines_of(out)
    assert.equal(5, #lines)
    for i, line in ipairs(lines) do assert.matches("^%d%d:%d%d:%d%d: line " .. i .. "$", line) end
    assert.equal("", err)
    assert.equal(0, status)
  end)

  it("reports a file that cannot be read", function()
    for _, path in ipairs {"no-such-file", "scripts"} do
      local out, err, status = example(path)
      assert.equal("", out)
      assert_contains(err, "tail.lua: cannot read " .. path)
      assert.equal(1, status)
    end
  end)

  it_refuses(example, "LICENSE soon", "LICENSE -1", "a 1 b")
end)

describe_example("pipeline.lua", function(example)
  local STEPS = {0, 1, 7, 2, 5, 8, 16, 3, 19, 6, 14, 9} -- A006577 of the OEIS

  it("prints all results in order", function()
    for _, arguments in ipairs {"", "12 1 1", "12 12 12"} do
      local out, err, status = example(arguments)
      local lines = lines_of(out)
      for number, steps in ipairs(STEPS) do
        assert.equal(("%d takes %d steps"):format(number, steps), lines[number])
      end
      assert.equal(13, #lines)
      assert.equal("", err)
      assert.equal(0, status)
    end
  end)

  it("holds up the source", function()
    local out = example("12 1 1")
    -- One in each queue and one in each stage.
    assert.is_true(tonumber(out:match("at most (%d+) numbers ahead")) <= 4, out)
  end)

  it_refuses(example, "0", "x", "1.5", "3 0", "3 3 -1", "1 1 1 1")
end)

describe_example("dispatcher.lua", function(example)
  it("finds the factors of all numbers", function()
    for workers = 1, 3 do
      local out, err, status = example("--workers " .. workers .. " 12 35 97 1001 2 4096")
      local lines = lines_of(out)
      assert.equal(("6 of 6 numbers, %d workers"):format(workers), table.remove(lines))
      table.sort(lines)
      assert.same({"1001 = 7 * 11 * 13", "12 = 2 * 2 * 3", "2 = 2", "35 = 5 * 7",
        "4096 = 2 * 2 * 2 * 2 * 2 * 2 * 2 * 2 * 2 * 2 * 2 * 2", "97 = 97"}, lines)
      assert.equal("", err)
      assert.equal(0, status)
    end
  end)

  it("stops when time is up", function()
    -- The first takes ten seconds; whether the second is done depends on the machine.
    local out, err, status = example("--seconds 0.01 10000000019 6")
    local done = out:match("^6 = 2 %* 3\n") and 1 or 0
    assert_contains(out, done .. " of 2 numbers, 3 workers\n")
    assert.equal("", err)
    assert.equal(1, status)
  end)

  it_refuses(example, "", "1", "x", "--workers 0 6", "--workers 1.5 6", "--foo 1 6", "--seconds")
end)

describe_example("hedged.lua", function(example)
  it("asks a second server when the first is slow", function()
    local out, err, status = example("--patience 0.5 100 0.01 100")
    assert.same({"server 1 is asked", "server 2 is asked", "server 2 has answered: 42",
      "server 1 is told to stop", "2 of 3 servers were asked"}, lines_of(out))
    assert.equal("", err)
    assert.equal(0, status)
  end)

  it("asks one only when that is fast", function()
    assert.same({"server 1 is asked", "server 1 has answered: 42", "1 of 2 servers were asked"},
      lines_of((example("--patience 10 0 100"))))
  end)

  it("waits when all are asked", function()
    local out = example("--patience 0.01 0.3 100")
    assert_contains(out, "server 1 has answered: 42\nserver 2 is told to stop\n2 of 2")
  end)

  it_refuses(example, "", "x", "1 x", "-1", "--patience", "--patience x 1", "--patience -1 1")
end)

describe_example("crawler.lua", function(example)
  -- By going through all pages, one after the other.
  local function expected(pages)
    local links, linked, most = 0, {}, 1
    for page = 1, pages do linked[page] = 0 end
    for page = 1, pages do
      for _, target in ipairs { 2 * page, 2 * page + 1, page // 3 } do
        if linked[target] then links, linked[target] = links + 1, linked[target] + 1 end
      end
    end
    for page = 2, pages do if linked[page] > linked[most] then most = page end end
    return ("%d pages, %d links; page %d is linked to most: by %d pages\n"):format(pages, links, most,
      linked[most])
  end

  for arguments, pages in pairs { [""] = 24, ["1"] = 1, ["7 1"] = 7, ["50 20"] = 50, ["2 1000"] = 2 } do
    it("finds all pages and links with arguments " .. arguments, function()
      assert.same({ expected(pages), "", 0 }, { example(arguments) })
    end)
  end

  it_refuses(example, "0", "x", "1001", "5 0", "5 1 1")
end)

-- ---- Five situations, and what becomes of each when it is mended ----

describe_example("starving.lua", function(example)
  local answered = "%d of 15 requests were answered before their statistics were done\n"

  it("answers none while somebody computes", function()
    assert.same({ answered:format(0), "", 0 }, { example() })
  end)

  it("answers all meanwhile with --fixed", function()
    assert.same({ answered:format(15), "", 0 }, { example("--fixed") })
  end)

  it_refuses(example, "--fix", "--fixed 1")
end)

describe_example("convoy.lua", function(example)
  it("sends one line at a time", function()
    assert.same({ "15 lines were sent, at most 1 at a time\n", "", 0 }, { example() })
  end)

  it("sends as many as there are workers with --fixed", function()
    assert.same({ "15 lines were sent, at most 5 at a time\n", "", 0 }, { example("--fixed") })
  end)

  it_refuses(example, "--fix", "--fixed 1")
end)

describe_example("slow_consumer.lua", function(example)
  it("has a queue that is mostly full", function()
    local out, err, status = example()
    local full = tonumber(out:match("^18 lines, 1 writers; (%d+) times the queue was full\n$"))
    assert.is_true(full >= 9, out)
    assert.same({ "", 0 }, { err, status })
  end)

  it("writes all with --fixed", function()
    local out, err, status = example("--fixed")
    assert.matches("^18 lines, 4 writers; %d+ times the queue was full\n$", out)
    assert.same({ "", 0 }, { err, status })
  end)

  it_refuses(example, "--fix", "--fixed 1")
end)

describe_example("herd.lua", function(example)
  it("has all look for each job", function()
    assert.same({ "4 jobs were done, 32 times somebody looked for one\n", "", 0 }, { example() })
  end)

  it("has one look for each job with --fixed", function()
    assert.same({ "4 jobs were done, 4 times somebody looked for one\n", "", 0 },
      { example("--fixed") })
  end)

  it_refuses(example, "--fix", "--fixed 1")
end)

describe_example("deadlock.lua", function(example)
  it("ends with the report of a deadlock", function()
    local out, err, status = example()
    assert.same({ "", 3 }, { out, status })
    assert_contains(err, "warning: deadlock: 2 greenlets wait for each other, while others run\n")
    assert_contains(err, '\ncycle: "copier" -> "fax" -> "copier"\n')
    assert_contains(err, '   holds lock "scanner" (scripts/examples/deadlock.lua:')
  end)

  it("comes to its end with --fixed", function()
    assert.same({ "copier, fax and clerk are done\n", "", 0 }, { example("--fixed") })
  end)

  it_refuses(example, "--fix", "--fixed 1")
end)

describe_example("hot_spots.lua", function(example)
  it("finds who works, and what the others wait for", function()
    for _, seconds in ipairs {"", "0.5"} do
      local out, err, status = example(seconds)
      assert.equal("", err)
      assert.equal("most CPU time: greedy\nin the function: crunch\n"
        .. "most waiting for: lock \"table\"\n", out)
      assert.equal(0, status)
    end
  end)

  it_refuses(example, "x", "0", "-1", "1 x")
end)

describe("scripts/examples", function()
  local names = lines_of((shell("cd " .. EXAMPLES .. " && ls *.lua")))

  it("has a description here for every script", function()
    assert.is_true(#names >= 10)
    for _, name in ipairs(names) do assert.is_true(described[name], name .. " has none") end
  end)

  it("says in each script what it shows, how to use it, and what it prints", function()
    for _, name in ipairs(names) do
      local header = read(EXAMPLES .. name):match("^(.-)\n[^-]")
      assert.equal(1, (header:find("-- " .. name .. ": ", 1, true)), name)
      assert_contains(header, "\n-- Shows: ")
      assert_contains(header, "\n-- Usage: greenlua " .. name)
      assert.matches("\n%-%-     %$ [^\n]*greenlua " .. name:gsub("%p", "%%%0"), header)
    end
  end)

  it("needs nothing of stderr where all is well", function()
    for _, name in ipairs {"sieve.lua", "ping_pong.lua", "philosophers.lua", "life.lua", "barrier.lua",
                          "futures.lua", "readers_writer.lua", "circuit_breaker.lua", "pipeline.lua"} do
      local _, err, status = run(EXAMPLES .. name)
      assert.equal("", err)
      assert.equal(0, status)
    end
  end)
end)

describe("README.md", function()
  markdown.describe("README.md", PROGRAM, 2)
end)
