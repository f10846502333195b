/* What the console's pages do beside htmx: all of it can be done without. */
(function () {
  "use strict";

  function ready(root) {
    root.querySelectorAll("[data-copy], [data-print]").forEach(function (button) { button.hidden = false; });
  }

  /* After something was put into this page, what reads aloud and the keyboard go to where one has to look next. */
  function greet(part, boosted) {
    var wanted = part.matches("[autofocus]") ? part : part.querySelector("[autofocus]");
    if (wanted) wanted.focus();
    else if (boosted) document.querySelector("main").focus({ preventScroll: true });
  }

  function say(text) {
    var said = document.getElementById("said");
    if (said) said.textContent = text;
  }

  document.addEventListener("click", function (event) {
    var button = event.target.closest("[data-copy], [data-print]");
    if (button && button.hasAttribute("data-print")) window.print();
    if (button && button.hasAttribute("data-copy")) {
      var found = Array.from(document.querySelectorAll(button.dataset.copy));
      var text = found.map(function (each) { return each.value || each.textContent; }).join("\n");
      navigator.clipboard.writeText(text).then(function () {
        button.querySelector("span").textContent = button.dataset.done;
        say(button.dataset.done);
      });
    }
    document.querySelectorAll(".more details[open]").forEach(function (details) {
      if (!details.contains(event.target)) details.open = false;
    });
  });

  document.addEventListener("keydown", function (event) {
    var typing = event.target.closest("input, select, textarea");
    if (event.key === "Escape") {
      document.querySelectorAll(".more details[open]").forEach(function (details) {
        details.open = false;
        details.querySelector("summary").focus();
      });
    }
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      var filter = document.querySelector("form[data-filter] select");
      if (filter) { event.preventDefault(); filter.focus(); }
    }
  });

  document.addEventListener("htmx:afterSettle", function (event) {
    ready(document);
    greet(event.target, event.detail.boosted);
  });
  document.addEventListener("DOMContentLoaded", function () { ready(document); });
})();
