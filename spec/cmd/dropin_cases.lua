-- What dropin_spec runs on lua5.4 and on greenlua: a list of cases, each a name
-- and what run.program takes.
local cases = {}
for _, part in ipairs { "command_line", "errors", "libraries" } do
  local list = require("spec.cmd.dropin." .. part)
  table.move(list, 1, #list, #cases + 1, cases)
end
return cases
