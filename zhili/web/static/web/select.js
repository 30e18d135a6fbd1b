// Ticking rows with the keyboard: j/k or arrows move, space ticks, shift+space ticks a stretch. An extra over tick boxes.
(function () {
  "use strict";
  document.querySelectorAll("[data-select]").forEach(function (form) {
    var boxes = Array.prototype.slice.call(form.querySelectorAll("tbody .rows__tick input"));
    if (!boxes.length) return;
    var head = form.querySelector("thead .rows__tick");
    var count = form.querySelector("[data-select-count]");
    var last = -1;
    var all = document.createElement("input");
    all.type = "checkbox";
    all.setAttribute("aria-label", "选中这一页全部");
    head.textContent = "";
    head.appendChild(all);

    function tell() {
      var n = boxes.filter(function (b) { return b.checked; }).length;
      boxes.forEach(function (b) { b.closest("tr").classList.toggle("rows__on", b.checked); });
      all.checked = n === boxes.length;
      all.indeterminate = n > 0 && n < boxes.length;
      if (count) { count.hidden = false; count.textContent = n ? "已选 " + n + " 行" : "还没有选"; }
    }
    function go(n) { if (boxes[n]) { boxes[n].focus(); } }

    all.addEventListener("change", function () { boxes.forEach(function (b) { b.checked = all.checked; }); tell(); });
    boxes.forEach(function (box, n) {
      box.addEventListener("change", tell);
      box.addEventListener("click", function (event) {
        if (event.shiftKey && last >= 0) {
          for (var i = Math.min(last, n); i <= Math.max(last, n); i++) boxes[i].checked = box.checked;
          tell();
        }
        last = n;
      });
      box.addEventListener("keydown", function (event) {
        if (event.key === "ArrowDown" || event.key === "j") { event.preventDefault(); go(n + 1); }
        if (event.key === "ArrowUp" || event.key === "k") { event.preventDefault(); go(n - 1); }
      });
    });
    tell();
  });
})();
