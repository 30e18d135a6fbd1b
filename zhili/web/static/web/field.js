// Field work, an extra: scan a card with the camera where the browser can read QR codes; find and count on tick lists.
(function () {
  "use strict";
  var start = document.querySelector("[data-scan]");
  var box = document.querySelector("[data-scanner]");
  var input = document.getElementById("q");
  var running = null;

  function stop() {
    if (running) { running.getTracks().forEach(function (t) { t.stop(); }); running = null; }
    if (box) box.hidden = true;
    if (start) start.hidden = false;
  }

  function look(detector, video) {
    if (!running) return;
    detector.detect(video).then(function (codes) {
      if (codes.length) {
        stop();
        if (navigator.vibrate) navigator.vibrate(60);
        input.value = codes[0].rawValue;
        input.form.submit();
        return;
      }
      window.setTimeout(function () { look(detector, video); }, 120);
    }, stop);
  }

  if (start && box && input && window.BarcodeDetector && navigator.mediaDevices) {
    window.BarcodeDetector.getSupportedFormats().then(function (kinds) {
      if (kinds.indexOf("qr_code") < 0) return;
      start.hidden = false;
      start.addEventListener("click", function () {
        navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } }).then(function (stream) {
          running = stream;
          var video = box.querySelector("video");
          video.srcObject = stream;
          box.hidden = false;
          start.hidden = true;
          video.play().then(function () { look(new window.BarcodeDetector({ formats: ["qr_code"] }), video); });
        }, function () { input.focus(); });
      });
      box.querySelector("[data-scan-stop]").addEventListener("click", stop);
    }, function () {});
    window.addEventListener("pagehide", stop);
  }

  var list = document.querySelector("[data-ticklist]");
  if (list) {
    var search = list.querySelector("[data-ticklist-search]");
    var count = list.querySelector("[data-ticklist-count]");
    var rows = Array.prototype.slice.call(list.querySelectorAll("[data-find]"));
    search.hidden = false;
    search.querySelector("input").addEventListener("input", function (event) {
      var wanted = event.target.value.trim().toLowerCase();
      rows.forEach(function (row) { row.hidden = wanted !== "" && row.dataset.find.toLowerCase().indexOf(wanted) < 0; });
    });
    search.querySelector("input").addEventListener("keydown", function (event) {
      // Enter ticks the only one left instead of sending half a list.
      if (event.key !== "Enter") return;
      event.preventDefault();
      var left = rows.filter(function (row) { return !row.hidden; });
      if (left.length === 1) { var tick = left[0].querySelector("input"); tick.checked = !tick.checked; event.target.value = ""; rows.forEach(function (r) { r.hidden = false; }); tell(); }
    });
    list.addEventListener("change", tell);
    tell();
  }
  function tell() {
    var n = list.querySelectorAll("[data-find] input:checked").length;
    count.textContent = n ? "已勾 " + n : "";
  }
})();
