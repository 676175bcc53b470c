-- report.lua: what the programs that run the others share: running commands, saying on what
-- machine, and putting generated text into a document.

local report = {}

--- Quote text for the shell.
function report.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Run a shell command.
-- @return what it printed; nil and what went wrong if it failed
function report.capture(command)
  local pipe <close> = assert(io.popen(command))
  local text = pipe:read("a")
  local ok, how, code = pipe:close()
  if not ok then return nil, ("%s (%s %d): %s"):format(command, how, code, text) end
  return text
end

local function interpreter()
  local first = 0
  while arg[first - 1] do first = first - 1 end
  return arg[first]
end

--- The interpreter that runs this script, quoted for the shell.
function report.interpreter()
  return report.quote(interpreter())
end

--- The directory in which that interpreter was built, ending in a slash.
function report.build_directory()
  return interpreter():match("^.*/") or "build/"
end

--- The directory of this script, ending in a slash.
function report.directory()
  return arg[0]:match("^.*/") or "./"
end

local function first_match(path, pattern)
  local file <close> = io.open(path)
  return file and file:read("a"):match(pattern)
end

--- What the figures were measured on, in a sentence or two.
-- @param versions string: of what is measured
function report.host(versions)
  local cores = 0
  for line in io.lines("/proc/cpuinfo") do
    if line:find("^processor%s*:") then cores = cores + 1 end
  end
  return ("%s, %d cores, Linux %s, %s; load average at the start %s."):format(
    first_match("/proc/cpuinfo", "\nmodel name%s*: ([^\n]+)") or "Unknown CPU", cores,
    first_match("/proc/sys/kernel/osrelease", "[^\n]+"), versions,
    first_match("/proc/loadavg", "^%S+"))
end

--- The figures in the output of a benchmark program: lines `name value unit`.
-- @return table: {value, unit} by name
function report.figures(text)
  local figures = {}
  for name, value, unit in text:gmatch("(%S+) (%S+) (%S+)\n") do
    figures[name] = { value = tonumber(value), unit = unit }
  end
  return figures
end

--- Replace what stands between `<!-- name: begin ... -->` and `<!-- name: end -->`.
function report.write(path, name, text)
  local input = assert(io.open(path))
  local document = input:read("a")
  input:close()
  local _, from = document:find("<!%-%- " .. name .. ": begin[^\n]*\n")
  local to = document:find("<!-- " .. name .. ": end -->", 1, true)
  assert(from and to and from < to, path .. " has no markers for " .. name)
  document = document:sub(1, from) .. "\n" .. text .. "\n" .. document:sub(to)
  local output <close> = assert(io.open(path, "w"))
  assert(output:write(document))
end

--- The options --quick and --write, as they are in `arg`: a table.
function report.flags()
  local flags = {}
  for _, word in ipairs(arg) do
    local name = word:match("^%-%-(%l+)$")
    if name ~= "quick" and name ~= "write" then
      error(("usage: %s [--quick] [--write]"):format(arg[0]:match("[^/]*$")), 0)
    end
    flags[name] = true
  end
  return flags
end

--- Print a table of figures, and put it into docs/performance.md if `options` say so.
-- @param name string: of the place there
-- @param host string: what report.host said
-- @param counts string: how much was measured
-- @param rows table: its lines
function report.finish(name, host, counts, rows, options)
  local text = ("%s\n%s\n\n| Figure | | Bar |\n|---|---:|---|\n%s\n"):format(host,
    options.quick and "One quick run: the figures mean nothing." or counts,
    table.concat(rows, "\n"))
  io.write(text)
  if not options.write then return end
  report.write(report.directory() .. "../../docs/performance.md", name, text)
  io.write("\nwritten to docs/performance.md\n")
end

return report
