// What the file has: `{events, other, problem}`. A program that dies while it writes leaves a part
// of a file; its lines are whole but the last, and each has one event.
const readTrace = (() => {
  function fromLines(text) {
    const events = [];
    let other = {};
    for (const line of text.split("\n")) {
      const piece = line.trim().replace(/,$/, "");
      if (piece.startsWith("],")) {
        try { other = JSON.parse(`{${piece.slice(2)}`).otherData; } catch (_) { /* cut off */ }
      } else if (piece.startsWith("{")) {
        try { events.push(JSON.parse(piece)); } catch (_) { /* the first line, or cut off */ }
      }
    }
    return { events, other };
  }

  function incomplete(text, error) {
    const { events, other } = fromLines(text);
    const part = events.length > 0
      ? "The trace in this file is not whole: it ends in the middle, as when the program was "
        + `killed while it wrote. This is what comes before, ${units.count(events.length)} lines.`
      : "There is no trace in this file that can be read; it may have been cut off.";
    return { events, other, problem: `${part} (${error.message})` };
  }

  return (text) => {
    if (text.trim() === "") {
      return { events: [], other: {}, problem: "There is no trace in this file: it ends before." };
    }
    let data;
    try { data = JSON.parse(text); } catch (error) { return incomplete(text, error); }
    if (!data || !Array.isArray(data.traceEvents)) {
      return { events: [], other: {}, problem: "What is in this file is not a trace." };
    }
    const other = data.otherData;
    return { events: data.traceEvents, other: other && typeof other === "object" ? other : {} };
  };
})();
