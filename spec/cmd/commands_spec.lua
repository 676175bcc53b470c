-- The commands of the prompt: their names, their errors, and :help.
local run = require "spec.cmd.run"
local commands = require "spec.cmd.commands"
local output, prints = commands.output, commands.prints

describe("commands", function()
  teardown(run.clean)

  it("leave Lua alone", function()
    prints([[
      > ::label::
      Lua
      > x = 1
      Lua
    ]], [[run("::label::", "x = 1")]])
  end)

  it("are named by the beginning of a name, if that is the only one", function()
    prints([[
      > :q
      quit
      > :t
      :t may be :time, :tree
      > :quit now
      usage: :quit
    ]], [[run(":q", ":t", ":quit now")]])
  end)

  it("complain of an unknown name, with the nearest", function()
    prints([[
      > :klil 3
      no command :klil; did you mean :kill?
      > :xyzzy
      no command :xyzzy; :help lists them
      > :
      a command's name follows the colon; :help lists them
    ]], [[run(":klil 3", ":xyzzy", ":")]])
  end)

  it("complain in red where there are colours", function()
    assert.equal("> :x\n\27[31mno command :x; :help lists them\27[0m\n",
      output [[console.colour = true run(":x")]])
  end)

  it("let errors of the user's code pass, as they are", function()
    prints([[
      > :time error("oh", 0)
      raised	oh
      > :kill error("x")
      stdin:1: x
    ]], [[
      greenlet.get_hub().exception_stream = false
      run(':time error("oh", 0)', ':kill error("x")')]])
  end)

  describe(":help", function()
    it("lists all commands, and the topics", function()
      local text = output [[run(":help", "?")]]
      local first, second = text:match("^> :help\n(.*)> %?\n(.*)$")
      assert.equal(first, second)
      local names = "bt doc graph help jobs kill load ps quit save source time tree unwatch watch why"
      for name in names:gmatch("%a+") do
        assert.matches("\n:" .. name .. " ", first)
      end
      assert.matches("\nTopics of :help: locks%.\n$", first)
    end)

    it("tells of a command, a topic, a function", function()
      prints([[
        > :help quit
        :quit
        leave; as Ctrl-D, but asks nothing
        > :help :jobs
        :jobs
        Commands take a job as %1; in Lua it is jobs[1], a greenlet.
        > :help locks
        All about locks.
        > :help greenlet.spawn
        Start a greenlet.
        It runs soon.
        > :help nosuch
        nothing is known of nosuch
      ]], [[
        run(":help quit", ":help :jobs", ":help locks", ":help greenlet.spawn", ":help nosuch")]])
    end)
  end)
end)
