--- What greenlua installs by itself, for the module in a stock Lua.
-- Loaded into a stock `lua5.4`, the module leaves the globals alone: `pcall`, `xpcall` and the
-- functions of `coroutine` stop kills and Timeouts there, so that a loop round `pcall` may swallow
-- them. Nothing of Lua's `io` and `os` that waits is replaced, neither there nor in greenlua, where
-- all this has been done.
--
-- ```lua
-- local original = pcall
-- greenlet.monkey.patch_all()
-- print(pcall == original) -- it was greenlua's already
-- print(greenlet.pcall(pcall, error, greenlet.GreenletExit())) -- passes through pcall
-- ```
--
-- ```text
-- true
-- false	GreenletExit
-- ```
-- @module greenlet.monkey
-- @source gevent.monkey

local core = ...

--- Let kills, Timeouts and KeyboardInterrupt pass through `pcall` and its kin from now on.
-- Replaces `error`, `pcall`, `xpcall`, `coroutine.resume`, `wrap`, `yield`, `isyieldable` and
-- `close`, and `os.exit`, by those of greenlua. It may be called at any time; functions that were
-- kept in local variables before stay what they are. It loads the module itself, if need be.
-- @function greenlet.monkey.patch_all
-- @usage require "greenlet.monkey".patch_all()
return { patch_all = core.patch_all }
