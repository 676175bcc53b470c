local greenlet = require "greenlet"

describe("__new of a class", function()
  it("refuses what is no class", function()
    for _, class in ipairs { greenlet.Greenlet, greenlet.greenlet, greenlet.Timeout } do
      for _, value in ipairs { {}, { __meta = 1 }, "x", 5 } do
        assert.matches("class expected", select(2, pcall(class.__new, value)))
      end
      assert.matches("class expected", select(2, pcall(class.__new)))
    end
  end)
end)
