--- greenlet.monkey: what greenlua installs by itself, for stock Lua.

local core = ...

return { patch_all = core.patch_all }
