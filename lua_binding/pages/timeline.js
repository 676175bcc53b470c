"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const trace = JSON.parse(document.getElementById("trace").textContent);
  document.getElementById("summary").textContent = `${trace.traceEvents.length} events`;
});
