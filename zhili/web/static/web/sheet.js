// Keying in a sheet, an extra over the form: Enter goes to the next box, and what a row code means stands beside it.
(function () {
  "use strict";
  var form = document.querySelector("[data-sheet]");
  if (!form) return;
  var titles = {};
  Array.prototype.forEach.call(document.querySelectorAll("#codes option"), function (one) {
    titles[one.value.toUpperCase()] = one.label || one.textContent;
  });
  var boxes = Array.prototype.slice.call(form.querySelectorAll("tbody input"));

  form.addEventListener("keydown", function (event) {
    if (event.key !== "Enter" || event.target.tagName !== "INPUT" || event.isComposing) return;
    var at = boxes.indexOf(event.target);
    if (at < 0 && event.target.id !== "household") return;
    event.preventDefault();
    var row = event.target.closest("tr");
    // An empty row code ends the sheet.
    if (event.target.hasAttribute("data-code") && !event.target.value.trim()) {
      form.querySelector("button[value=check]").focus();
      return;
    }
    var next = boxes[at + 1];
    if (next) next.focus();
    else form.querySelector("button[value=check]").focus();
    if (next && row && next.closest("tr") !== row) next.scrollIntoView({ block: "nearest" });
  });
  // ↓ and ↑ leave the rest of a line empty: to the first box of the next one.
  form.addEventListener("keydown", function (event) {
    if ((event.key !== "ArrowDown" && event.key !== "ArrowUp") || event.target.tagName !== "INPUT") return;
    var row = event.target.closest("tr");
    // In the box of the row code the arrows choose from the list.
    if (!row || event.target.hasAttribute("data-code") || event.isComposing) return;
    var other = event.key === "ArrowDown" ? row.nextElementSibling : row.previousElementSibling;
    if (!other) return;
    event.preventDefault();
    other.querySelector("input").focus();
  });
  form.addEventListener("change", function (event) {
    if (!event.target.hasAttribute("data-code")) return;
    var said = event.target.closest("tr").querySelector("[data-said]");
    var code = event.target.value.trim().toUpperCase();
    said.textContent = code ? titles[code] || "表上没有这个行号" : "";
  });
  var first = form.querySelector(".keying__wrong input") || boxes[0];
  if (first && !form.querySelector("#household")) first.focus();
})();
