-- Runs the programs of scripts/bench with small counts, and checks that they work and that the
-- tables are what they should be of given figures. What they measure is not looked at.
--
-- The program is $GREENLUA, or build/greenlua; the directory is the project's root.

local run = require "spec.cmd.run"
local terminal = require "spec.terminal"

local BENCH = "scripts/bench/"

-- These files find one another, and the interpreter, by the global `arg`, as scripts do.
local function load_part(name)
  local saved = _G.arg
  _G.arg = { [-1] = run.greenlua, [0] = BENCH .. "run.lua" }
  local part = dofile(BENCH .. name .. ".lua")
  _G.arg = saved
  return part
end

local figures, report = load_part("figures"), load_part("report")
local runner, systems = load_part("runner"), load_part("systems")
local tables = load_part("tables")

-- What a script of BENCH prints on stdout and stderr, and its exit status.
local function bench(script, arguments, environment)
  local root = assert(report.capture("pwd")):match("[^\n]+")
  local result = run.program(run.greenlua, { shell = ("cd %s && %s %s %s %s"):format(
    run.quote(root), environment or "", run.quote(run.resolve(run.greenlua)), BENCH .. script,
    arguments) })
  return result.stdout, result.stderr, result.status
end

-- The cells of the first line of Markdown tables that begins with a cell.
local function cells_of(text, first)
  for line in text:gmatch("[^\n]+") do
    if line:sub(1, #first + 4) == "| " .. first .. " |" then
      local cells = {}
      for cell in line:gmatch("| ([^|]*) %f[|]") do cells[#cells + 1] = cell end
      return cells
    end
  end
end

describe("scripts/bench", function()
  teardown(run.clean)

  describe("run.lua", function()
    describe("--quick", function()
      local out, err, status
      setup(function() out, err, status = bench("run.lua", "--quick") end)

      it("runs every program without a failure", function()
        assert.equal("", err)
        assert.equal(0, status)
      end)

      it("shows every figure of greenlua", function()
        local may_lack = {}
        for _, command in ipairs(figures.runs) do may_lack[command.key] = command.needs ~= nil end
        for _, rows in ipairs({ figures.bars, figures.details }) do
          for _, row in ipairs(rows) do
            if not row.by and not may_lack[row[1]] then
              assert.truthy(cells_of(out, row[3]), "no row: " .. row[3])
            end
          end
        end
      end)

      it("shows the figures of every system that is there", function()
        local found = systems.look()
        if #found == 1 then return pending("no other system is there") end
        for _, command in ipairs(figures.runs) do
          for _, row in ipairs(figures.peers) do
            for i = 2, row[1] == command.key and #found or 1 do
              if systems.command(found[i], command) then
                assert.not_equal("-", cells_of(out, row[3])[i + 1], found[i].key .. ": " .. row[3])
              end
            end
          end
        end
      end)
    end)

    it("leaves out what is not installed, and says so", function()
      local out, err, status = bench("run.lua", "--quick switch", "PATH=/nonexistent")
      assert.equal("", err)
      assert.equal(0, status)
      assert.truthy(out:find("Not installed, and so left out: Lua coroutines (lua5.4), ", 1, true))
      assert.truthy(out:find("Go (golang-go)", 1, true))
      assert.truthy(cells_of(out, "a switch: two greenlets in turn by `sleep(0)`"))
    end)

    it("goes on when a program fails, and fails in the end", function()
      local result = run.program(run.greenlua, {
        files = { ["bin/luajit"] = "#!/bin/sh\n[ $1 = -v ] && echo LuaJIT 2.1\n" },
        shell = ([[PATH=$PWD/bin; /bin/chmod +x bin/luajit; cd %s && exec %s %srun.lua --quick \
          --systems luajit switch]]):format(
          run.quote(report.capture("pwd"):match("[^\n]+")), run.resolve(run.greenlua), BENCH),
      })
      assert.equal(1, result.status)
      assert.equal("luajit 'scripts/bench/switch.lua' 2000 10 failed\n",
        result.stderr:match("[^\n]*failed\n"))
      assert.equal("-", cells_of(result.stdout, "a switch between two tasks")[3])
    end)

    for _, arguments in ipairs({ "--quick --write", "--write switch", "--runs 0", "--systems",
                                 "--unknown", "nothing-of-that-name" }) do
      it("refuses " .. arguments, function()
        local out, err, status = bench("run.lua", arguments)
        assert.equal("", out)
        assert.equal(2, status)
        assert.truthy(err:find("^run.lua: "))
      end)
    end
  end)

  describe("the tables", function()
    local function figure(value, unit) return { value = value, unit = unit } end

    local function round(ours, theirs)
      return {
        greenlua = {
          spawn = { spawn = figure(ours, "ns") },
          turn = { turn = figure(ours, "ns") },
          parked = { bytes = figure(ours, "B"), tasks = figure(1000000, "n") },
        },
        go = {
          spawn = { spawn = figure(theirs, "ns") },
          parked = { bytes = figure(theirs, "B"), tasks = figure(30000, "n") },
        },
      }
    end

    local found = {}
    for _, system in ipairs(systems) do
      if system.key == "greenlua" or system.key == "go" then found[#found + 1] = system end
    end
    local text = tables.format({ round(300, 200), round(100, 200), round(200, 250) }, found)

    it("show medians, ranges and bars", function()
      assert.same({ "10,000 greenlets in turn: a switch", "200 ns", "100 to 300",
                    "at most 80: missed" },
        cells_of(text, "10,000 greenlets in turn: a switch"))
      assert.same({ "`spawn` + `join` of an empty new closure", "200 ns", "100 to 300", "" },
        cells_of(text, "`spawn` + `join` of an empty new closure"))
    end)

    it("show ratios of the figures of one round", function()
      assert.same({ "... to Go's", "0.80", "0.50 to 1.50", "at most 1: met" },
        cells_of(text, "... to Go's"))
    end)

    it("set systems beside each other, with a dash for what they lack", function()
      assert.same({ "spawn + join, an empty new closure", "200 ns", "200 ns" },
        cells_of(text, "spawn + join, an empty new closure"))
      assert.same({ "a switch, 10,000 tasks in turn", "200 ns", "-" },
        cells_of(text, "a switch, 10,000 tasks in turn"))
      assert.truthy(text:find("Go: 30,000 tasks instead of 1,000,000 in `parked`.", 1, true))
    end)

    it("leave out what was not measured", function()
      assert.is_nil(cells_of(text, "`Channel`: a value handed over, from `put` to `get`"))
    end)
  end)

  it("sums up rounds by the median, if it was there in each of them", function()
    local function of(round) return round.value end
    assert.same({ 2, 1, 9 }, { runner.sum_up({ { value = 9 }, { value = 1 }, { value = 2 } }, of) })
    assert.same({ 3, 2, 4 }, { runner.sum_up({ { value = 4 }, { value = 2 } }, of) })
    assert.is_nil(runner.sum_up({ { value = 4 }, {} }, of))
  end)

  it("replaces what stands between the markers of a document", function()
    local path = run.directory() .. "/document.md"
    local file = assert(io.open(path, "w"))
    file:write("before\n<!-- a: begin (by x) -->\nold\n<!-- a: end -->\nafter\n")
    file:close()
    report.write(path, "a", "new: 100 %1\n")
    file = assert(io.open(path))
    local text = file:read("a")
    file:close()
    assert.equal(
      "before\n<!-- a: begin (by x) -->\n\nnew: 100 %1\n\n<!-- a: end -->\nafter\n", text)
    assert.has_error(function() report.write(path, "b", "") end)
  end)

  it("profile.lua shows every figure", function()
    local out, err, status = bench("profile.lua", "--quick")
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal(3, select(2, out:gsub("more with a profile |", "")))
  end)

  it("trace.lua shows every figure", function()
    local out, err, status = bench("trace.lua", "--quick")
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal(2, select(2, out:gsub("more with a trace |", "")))
    assert.equal(2, select(2, out:gsub("more with the flight recorder |", "")))
    assert.is_truthy(out:find("| events written a second |", 1, true))
  end)

  it("prompt.lua shows every figure", function()
    local reason = terminal.why_absent()
    if reason then return pending(reason) end
    local out, err, status = bench("prompt.lua", "--quick")
    assert.equal("", err)
    assert.equal(0, status)
    assert.truthy(cells_of(out, "from the start to the first prompt"))
    assert.truthy(cells_of(out, "... more than without a prompt"))
  end)

  it("scaling.lua runs every program; its picture says nothing of the machine", function()
    local has_gnuplot = report.capture("gnuplot --version 2>&1")
    local picture = run.directory() .. "/scaling.svg"
    local out, err, status = bench("scaling.lua",
      "--quick" .. (has_gnuplot and " --svg " .. picture or ""))
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal(7, #cells_of(out, "10"))
    assert.equal(7, #cells_of(out, "100"))
    if not has_gnuplot then return end
    local file <close> = assert(io.open(picture))
    local svg = file:read("a")
    assert.truthy(svg:find("memory of one that waits (bytes)", 1, true))
    assert.truthy(svg:find("</svg>%s*$"))
    for _, place in ipairs({ "/tmp", "/usr/", "/home/", "/root" }) do
      assert.is_nil(svg:find(place, 1, true))
    end
  end)
end)
