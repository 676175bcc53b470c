-- The traces of the five situations in scripts/examples: each shows its situation, and with --fixed
-- it does not. docs/manual/timeline.md explains the pictures that are made of them.
--
-- What is compared are counts and the order of things: the same however slow the machine is.
local run = require "spec.cmd.run"
local timeline = require "spec.timeline"

local is = timeline.is

local function trace(name, argument)
  return timeline.of("scripts/examples/" .. name .. ".lua", argument)
end

local function named(lanes, name, count)
  local list = {}
  for i = 1, count do list[i] = assert(lanes[("%s %d"):format(name, i)], name) end
  return list
end

-- Of how many of these lanes the slice that ends at this moment, or goes on, is of the kind.
local function count_at(lanes, moment, cat, what)
  local count = 0
  for _, lane in ipairs(lanes) do
    if is(lane:before(moment), cat, what) then count = count + 1 end
  end
  return count
end

local function is_alive_at(lane, moment)
  return lane:before(moment) ~= nil
end

-- Half a nanosecond before it ends: sums of microseconds are not exact.
local function end_of(slice) return slice.ts + slice.dur - 0.0005 end

describe("the trace of", function()
  teardown(run.clean)

  describe("starving.lua", function()
    it("has servers that are ready while the listener computes", function()
      local lanes = trace("starving")
      for _, server in ipairs(named(lanes, "server", 3)) do
        assert.is_true(server:time("ready") > lanes.listener:time("run") / 2)
      end
    end)

    it("has a listener that gives way with --fixed", function()
      local lanes = trace("starving", "--fixed")
      assert.is_true(#lanes.listener:all("run") >= 2 * 5)
    end)
  end)

  describe("convoy.lua", function()
    local function sends_of(workers)
      local sends = {}
      for _, worker in ipairs(workers) do
        for _, slice in ipairs(worker:all("wait", "sleep")) do sends[#sends + 1] = slice end
      end
      return sends
    end

    it("has one worker that sends, and all the others wait for the lock", function()
      local workers = named(trace("convoy"), "worker", 5)
      local sends, others = sends_of(workers), 0
      assert.equal(15, #sends)
      for _, send in ipairs(sends) do
        local moment, alive = end_of(send), 0
        for _, worker in ipairs(workers) do
          if is_alive_at(worker, moment) then alive = alive + 1 end
        end
        assert.equal(alive - 1, count_at(workers, moment, "wait", "log"))
        others = others + alive - 1
      end
      assert.equal(11 * 4 + 3 + 2 + 1, others) -- the last five end one after the other
    end)

    it("counts those that are ready while the hub waits", function()
      local lanes, all = trace("convoy")
      local list = {}
      for _, lane in pairs(lanes) do list[#list + 1] = lane end
      for _, poll in ipairs(lanes.hub:all("wait", "poll")) do
        local moment = end_of(poll)
        if poll.dur > 1000 then -- the counters need not be exact to the microsecond
          assert.equal(count_at(list, moment, "ready"), all:counted(moment).ready)
        end
      end
    end)

    it("has nobody who waits for the lock with --fixed, and several who send", function()
      local workers = named(trace("convoy", "--fixed"), "worker", 5)
      assert.equal(15, #sends_of(workers))
      for _, worker in ipairs(workers) do assert.equal(0, #worker:all("wait", "log")) end
      local first = workers[1]:all("wait", "sleep")[1]
      assert.equal(5, count_at(workers, end_of(first), "wait", "sleep"))
    end)
  end)

  describe("slow_consumer.lua", function()
    -- Of the readers that are alive while something is written, which share waits to put.
    local function share_of_waiting(lanes)
      local readers, waiting, alive = named(lanes, "reader", 3), 0, 0
      for _, slice in ipairs(lanes["writer 1"]:all("wait", "sleep")) do
        waiting = waiting + count_at(readers, end_of(slice), "wait", "lines")
        for _, reader in ipairs(readers) do
          if is_alive_at(reader, end_of(slice)) then alive = alive + 1 end
        end
      end
      return waiting / alive
    end

    it("has readers that wait to put while the writer writes", function()
      assert.is_true(share_of_waiting(trace("slow_consumer")) > 1 / 3)
    end)

    it("has a writer who never waits for a line, but for the first one", function()
      local writer = trace("slow_consumer")["writer 1"]
      assert.is_true(#writer:all("wait", "lines") <= 4)
      assert.equal(18, #writer:all("wait", "sleep"))
    end)

    it("has several writers that write at the same time with --fixed", function()
      local writers, most = named(trace("slow_consumer", "--fixed"), "writer", 4), 0
      for _, slice in ipairs(writers[1]:all("wait", "sleep")) do
        most = math.max(most, count_at(writers, end_of(slice), "wait", "sleep"))
      end
      assert.is_true(most > 1)
    end)
  end)

  describe("herd.lua", function()
    -- The slices in which somebody found a job: a sleep follows.
    local function finds_of(workers)
      local finds = {}
      for _, worker in ipairs(workers) do
        for i, slice in ipairs(worker.slices) do
          if is(worker.slices[i + 1], "wait", "sleep") then finds[#finds + 1] = slice end
        end
      end
      return finds
    end

    -- How often somebody ran who waited for that afterwards.
    local function count_turns(workers, what)
      local count = 0
      for _, worker in ipairs(workers) do
        for i, slice in ipairs(worker.slices) do
          if is(slice, "run") and is(worker.slices[i + 1], "wait", what) then count = count + 1 end
        end
      end
      return count
    end

    it("has all ready for each job, of whom one finds it and the others wait again", function()
      local workers = named(trace("herd"), "worker", 8)
      local finds = finds_of(workers)
      assert.equal(4, #finds)
      for _, find in ipairs(finds) do assert.equal(7, count_at(workers, end_of(find), "ready")) end
      -- At first all, then seven in vain, and one after its job.
      assert.equal(8 + 4 * (7 + 1), count_turns(workers, "arrived"))
    end)

    it("has one ready for each job with --fixed", function()
      local workers = named(trace("herd", "--fixed"), "worker", 8)
      local finds = finds_of(workers)
      assert.equal(4, #finds)
      for _, find in ipairs(finds) do assert.equal(0, count_at(workers, end_of(find), "ready")) end
      assert.equal(8 + 4, count_turns(workers, "jobs"))
    end)
  end)

  describe("deadlock.lua", function()
    local function last_wait(lane)
      local waits = lane:all("wait")
      return waits[#waits]
    end

    it("has two that wait at last for the lock that the other one has", function()
      local lanes = trace("deadlock")
      local copier, fax = last_wait(lanes.copier), last_wait(lanes.fax)
      assert.matches("printer", copier.name)
      assert.matches("scanner", fax.name)
      assert.is_true(end_of(copier) > fax.ts and end_of(fax) > copier.ts)
      local clerk = last_wait(lanes.clerk)
      assert.is_true(end_of(copier) >= end_of(clerk) and end_of(fax) >= end_of(clerk))
    end)

    it("has both wait for something else at last with --fixed", function()
      local lanes = trace("deadlock", "--fixed")
      assert.equal("sleep", last_wait(lanes.copier).name)
      assert.equal("sleep", last_wait(lanes.fax).name)
    end)
  end)
end)
