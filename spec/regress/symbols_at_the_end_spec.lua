-- Tokens at the end of what is typed.
--
-- Found by fuzzing. Cause: the lexer of the prompt looked for symbols of three bytes first, and took
-- what is left of a shorter text for one of these: `..` at the end lay behind the end.
-- Fix: a symbol is as long as its text.
local parts = require "spec.cmd.parts"

describe("the prompt's lexer", function()
  local lexer = parts.new().lexer

  it("ends symbols at the end of the text where that ends", function()
    for symbol in ("... .. == ~= <= >= // :: << >> = . : < & "):gmatch "%S+" do
      local list = lexer.list("a " .. symbol)
      assert.equal(symbol, list[2].text)
      assert.equal(#symbol + 2, list[2].last)
    end
  end)
end)
