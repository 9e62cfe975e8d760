// Before the first paint, so that a dark page never begins white.
(function () {
  var chosen = null;
  try {
    chosen = localStorage.getItem("treadle-scheme");
  } catch (_) {}
  var dark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.setAttribute("data-mantine-color-scheme", dark ? "dark" : "light");
})();
