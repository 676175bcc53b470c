--- Drives a browser, as a person does: opens a page, moves the mouse, types, looks at what there
-- is. Debian's chromedriver does it, by the protocol of WebDriver; chromium runs without a screen
-- and without a network. `browser.specs` ends it whatever becomes of the specs.
--
-- Nothing here pauses to be safe: what a spec waits for is a condition, with a bound.
local http = require "socket.http"
local json = require "dkjson"
local lfs = require "lfs"
local ltn12 = require "ltn12"
local socket = require "socket"
local busted = require "busted"

local patience = require "spec.patience"
local run = require "spec.cmd.run"

local browser = {}
browser.__index = browser

-- No machine is so slow: how long a spec waits for one thing, in seconds.
local GENEROUS = 30 * patience
local ANSWER = 120 * patience -- how long a browser may take to start, say
local LOOK = 0.01 -- between two looks, in seconds
local LEFT_ALONE = 600 * patience -- after which a browser of which nobody cares is ended

local open = {} -- the browsers that were started and not ended

local ARGUMENTS = {
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic",
  "--no-first-run", "--no-default-browser-check", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-extensions",
  "--force-device-scale-factor=1",
  -- Nothing has an address but this machine, by which chromedriver speaks to it.
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
}

-- ---- The protocol ----

local function list(values) return setmetatable(values, { __jsontype = "array" }) end

-- One request to chromedriver: its value, or nil and the name of an error and its message.
local function ask(self, method, path, body)
  local text, answer = body and json.encode(body), {}
  http.TIMEOUT = ANSWER
  local ok, status = http.request {
    url = ("http://127.0.0.1:%d%s"):format(self.port, path), method = method,
    headers = { ["content-type"] = "application/json", ["content-length"] = text and #text },
    source = text and ltn12.source.string(text), sink = ltn12.sink.table(answer),
  }
  if not ok then error("chromedriver does not answer: " .. tostring(status), 0) end
  local value = (json.decode(table.concat(answer), 1, nil) or {}).value
  if status == 200 then return value end
  if type(value) ~= "table" then value = {} end
  return nil, value.error or status, value.message
end

-- The same of the session, where it must work.
local function command(self, method, path, body)
  local value, kind, message = ask(self, method, "/session/" .. self.session .. path, body)
  if kind then error(("%s %s: %s: %s"):format(method, path, kind, message), 0) end
  return value
end

-- ---- Waiting ----

local function wait_until(condition, what)
  local give_up = socket.gettime() + GENEROUS
  while true do
    local found = table.pack(condition())
    if found[1] then return table.unpack(found, 1, found.n) end
    if socket.gettime() > give_up then
      error("still waiting for " .. (what or "a condition"), 0)
    end
    socket.sleep(LOOK)
  end
end

-- ---- Starting and ending ----

-- The process group of chromedriver has the browser's processes, too.
local function start_driver(self)
  local script = ([[
    cd %s || exit
    export HOME=$PWD XDG_CONFIG_HOME=$PWD XDG_CACHE_HOME=$PWD TMPDIR=$PWD
    setsid timeout %d chromedriver --port=0 >log 2>&1 </dev/null &
    echo $!]]):format(
    self.directory, LEFT_ALONE)
  local pipe <close> = assert(io.popen(script))
  self.group = assert(math.tointeger(tonumber(pipe:read("l"))))
  self.port = wait_until(function()
    local log <close> = io.open(self.directory .. "/log")
    return log and tonumber(log:read("a"):match("started successfully on port (%d+)"))
  end, "chromedriver's port")
end

local function start_session(self, size)
  local arguments = { "--user-data-dir=" .. self.directory .. "/profile",
    ("--window-size=%d,%d"):format(size[1], size[2]) }
  table.move(ARGUMENTS, 1, #ARGUMENTS, #arguments + 1, arguments)
  local answer, kind, message = ask(self, "POST", "/session", { capabilities = { alwaysMatch = {
    ["goog:chromeOptions"] = { args = list(arguments) },
    ["goog:loggingPrefs"] = { browser = "ALL", performance = "ALL" },
    unhandledPromptBehavior = "ignore",
  } } })
  if not answer then error(("no browser: %s: %s"):format(kind, message), 0) end
  self.session = answer.sessionId
  command(self, "POST", "/url", { url = "about:blank" }) -- not the page that new tabs have
end

--- Start a browser.
-- @tparam[opt] table size {width, height} of its window (1400 x 850)
-- @treturn table the browser, whose methods are below
function browser.start(size)
  local self = setmetatable({ directory = run.directory(), pages = 0 }, browser)
  open[#open + 1] = self
  start_driver(self)
  start_session(self, size or { 1400, 850 })
  return self
end

-- Nobody may wait for those that are dead.
local function lives(group)
  for id in lfs.dir("/proc") do
    local file <close> = id:find("^%d+$") and io.open(("/proc/%s/stat"):format(id))
    local state, of = (file and file:read("a") or ""):match("^%d+ %(.*%) (%a) %d+ (%d+)")
    if tonumber(of) == group and state ~= "Z" then return true end
  end
  return false
end

--- End the browser, and wait until its processes are gone.
function browser:close()
  for i = #open, 1, -1 do
    if open[i] == self then table.remove(open, i) end
  end
  if self.session then pcall(ask, self, "DELETE", "/session/" .. self.session) end
  if self.group then
    os.execute(("kill -KILL -%d 2>/dev/null"):format(self.group))
    wait_until(function() return not lives(self.group) end, "the end of the browser")
  end
  os.execute("rm -rf " .. self.directory)
end

-- ---- Pages ----

--- Open a page of this text: from a file, whose address may have a fragment, "#from=3".
-- @treturn string the address
function browser:open(text, fragment)
  self.pages = self.pages + 1
  local path = ("%s/page%d.html"):format(self.directory, self.pages)
  run.write(path, text)
  self.address = "file://" .. path .. (fragment or "")
  self:console() -- what the last page said is not of this one
  self:requests()
  command(self, "POST", "/url", { url = self.address })
  return self.address
end

--- Run the body of a function of JavaScript in the page.
-- @tparam string code which may `return` something, and finds what follows in `arguments`
-- @return what it returned; tables for objects and lists
function browser:script(code, ...)
  return command(self, "POST", "/execute/sync", { script = code, args = list { ... } })
end

--- Wait until an expression of JavaScript is true.
-- @return its value
function browser:wait_for(expression, ...)
  local arguments = table.pack(...)
  return wait_until(function()
    local value = self:script("return " .. expression, table.unpack(arguments, 1, arguments.n))
    return value
  end, expression)
end

--- The text that the first element of a CSS selector shows.
function browser:text(selector)
  return self:script("return document.querySelector(arguments[0]).innerText", selector)
end

--- The middle of what a selector finds, {x, y} in pixels of the window.
function browser:middle_of(selector)
  return self:script([[
    const box = document.querySelector(arguments[0]).getBoundingClientRect();
    return {x: box.left + box.width / 2, y: box.top + box.height / 2}]], selector)
end

-- ---- Hands ----

local function whole(number) return math.floor(number + 0.5) end

local function act(self, kind, id, actions)
  command(self, "POST", "/actions", { actions = list { {
    type = kind, id = id, actions = list(actions),
    parameters = kind == "pointer" and { pointerType = "mouse" } or nil,
  } } })
end

local function move(place, duration)
  return { type = "pointerMove", x = whole(place.x), y = whole(place.y), duration = duration or 0,
    origin = "viewport" }
end

local DOWN, UP = { type = "pointerDown", button = 0 }, { type = "pointerUp", button = 0 }

--- Move the mouse to a place, {x, y}.
function browser:point(place)
  act(self, "pointer", "mouse", { move(place) })
end

--- Click at a place, or at the middle of what a selector finds.
function browser:click(place)
  if type(place) == "string" then place = self:middle_of(place) end
  act(self, "pointer", "mouse", { move(place), DOWN, UP })
end

--- Press at a place, move to another by way of their middle, let go.
function browser:drag(from, to)
  local middle = { x = (from.x + to.x) / 2, y = (from.y + to.y) / 2 }
  act(self, "pointer", "mouse", { move(from), DOWN, move(middle), move(to), UP })
end

--- Turn the wheel at a place by so many pixels; negative: away from one, which zooms in.
function browser:wheel(place, pixels)
  act(self, "wheel", "wheel", { { type = "scroll", x = whole(place.x), y = whole(place.y),
    deltaX = 0, deltaY = pixels, duration = 0, origin = "viewport" } })
end

-- WebDriver's codes of keys that have no character.
local KEYS = { Shift = 0xE008, Escape = 0xE00C, Enter = 0xE007, Left = 0xE012, Up = 0xE013,
  Right = 0xE014, Down = 0xE015, PageUp = 0xE00E, PageDown = 0xE00F, Home = 0xE011, End = 0xE010 }

--- Press keys one after the other: characters, or names as "Escape".
function browser:keys(...)
  local actions = {}
  for _, key in ipairs { ... } do
    local value = KEYS[key] and utf8.char(KEYS[key]) or key
    actions[#actions + 1] = { type = "keyDown", value = value }
    actions[#actions + 1] = { type = "keyUp", value = value }
  end
  act(self, "key", "keyboard", actions)
end

--- Do something while a key is held.
function browser:holding(key, body)
  local value = utf8.char(KEYS[key])
  act(self, "key", "keyboard", { { type = "keyDown", value = value } })
  body()
  act(self, "key", "keyboard", { { type = "keyUp", value = value } })
end

--- Type a text.
function browser:type(text)
  local keys = {}
  for _, code in utf8.codes(text) do keys[#keys + 1] = utf8.char(code) end
  self:keys(table.unpack(keys))
end

-- ---- Ears ----

local function log(self, kind)
  return command(self, "POST", "/se/log", { type = kind })
end

--- What the console got since the page was opened, or since this was asked: errors of scripts, what
-- the policy of the page forbade, and the like.
-- @treturn table a list of texts
function browser:console()
  local texts = {}
  for i, entry in ipairs(log(self, "browser")) do texts[i] = entry.level .. " " .. entry.message end
  return texts
end

--- The addresses that were asked for since the page was opened, or since this was asked.
-- @treturn table a list of texts
function browser:requests()
  local addresses = {}
  for _, entry in ipairs(log(self, "performance")) do
    local message = json.decode(entry.message).message
    if message.method == "Network.requestWillBeSent" then
      addresses[#addresses + 1] = message.params.request.url
    end
  end
  return addresses
end

--- The text of a dialog that a script has opened, by `alert` say; nil if there is none.
function browser:dialog()
  local text = ask(self, "GET", "/session/" .. self.session .. "/alert/text")
  return text
end

--- Whether the system shows dark colours.
function browser:dark(is)
  command(self, "POST", "/goog/cdp/execute", { cmd = "Emulation.setEmulatedMedia", params = {
    features = list { { name = "prefers-color-scheme", value = is and "dark" or "light" } } } })
end

--- A picture of the window, as a PNG in a file.
function browser:picture(path)
  run.write(path, require "mime".unb64(command(self, "GET", "/screenshot")))
end

browser.wait_until = wait_until

-- ---- Specs ----

local absent

--- Why there is no browser here; false when there is one.
function browser.why_absent()
  if absent == nil then
    absent = false
    for _, program in ipairs { "chromium", "chromedriver", "setsid" } do
      if not os.execute("command -v " .. program .. " >/dev/null") then
        absent = program .. " is not installed"
      end
    end
  end
  return absent
end

--- Within a `describe`: an `it` for specs of one browser, which is passed to each, and is ended
-- with the last of them. They are pending where there is none.
function browser.specs()
  local shared
  busted.teardown(function()
    while #open > 0 do open[#open]:close() end
    shared = nil
    run.clean()
  end)
  return function(name, body)
    local reason = browser.why_absent()
    if reason then return busted.pending(("%s (no browser here: %s)"):format(name, reason)) end
    return busted.it(name, function()
      shared = shared or browser.start()
      local ok, err = pcall(body, shared)
      if ok then return end
      pcall(shared.close, shared) -- the next spec gets one that is as new
      shared = nil
      error(err, 0)
    end)
  end
end

return browser
