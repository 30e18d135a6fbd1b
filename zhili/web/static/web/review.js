// Reviewing with the keyboard, an extra over the form: j/k move, x ticks, a approves, r goes to the reason.
(function () {
  "use strict";
  var form = document.querySelector("[data-review]");
  if (!form) return;
  var rows = Array.prototype.slice.call(form.querySelectorAll("[data-review-row]"));
  var count = form.querySelector("[data-review-count]");
  var at = -1;

  function tell() {
    var n = form.querySelectorAll("[data-review-row] input[name=claim]:checked").length;
    if (count) count.textContent = n ? "已选 " + n + " 条" : "还没有选";
    rows.forEach(function (row) { row.classList.toggle("queue__on", row.querySelector("input[name=claim]").checked); });
  }
  function go(n) {
    at = Math.max(0, Math.min(rows.length - 1, n));
    rows.forEach(function (row, i) { row.classList.toggle("queue__at", i === at); });
    var box = rows[at].querySelector("input[name=claim]");
    box.focus();
    rows[at].scrollIntoView({ block: "nearest" });
  }
  form.addEventListener("change", tell);
  document.addEventListener("keydown", function (event) {
    var tag = event.target.tagName;
    var typing = tag === "TEXTAREA" || tag === "SELECT" || (tag === "INPUT" && event.target.type !== "checkbox");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !rows.length) return;
    if (event.key === "j") { event.preventDefault(); go(at + 1); }
    if (event.key === "k") { event.preventDefault(); go(at - 1); }
    if (event.key === "x" && at >= 0) { var box = rows[at].querySelector("input[name=claim]"); box.checked = !box.checked; tell(); }
    if (event.key === "a" || event.key === "r") {
      // Nothing ticked: the row one stands on is meant. A decision itself always takes a second key: Enter.
      if (at >= 0 && !form.querySelector("input[name=claim]:checked")) { rows[at].querySelector("input[name=claim]").checked = true; tell(); }
    }
    if (event.key === "a") { event.preventDefault(); form.querySelector("button[value=approve]").focus(); }
    if (event.key === "r") { event.preventDefault(); form.querySelector("[name=reason]").focus(); }
  });
  var help = document.querySelector("[data-review-help]");
  if (help) help.hidden = false;
  tell();
})();
