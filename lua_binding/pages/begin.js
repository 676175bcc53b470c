// Begin when the page is there; why it cannot, if so, is said on it.
function whenReady(begin) {
  document.addEventListener("DOMContentLoaded", () => {
    try {
      begin();
    } catch (error) {
      const problem = document.getElementById("problem");
      problem.textContent = `This page failed: ${error.message}`;
      problem.hidden = false;
      throw error;
    }
  });
}
