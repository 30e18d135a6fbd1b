// Read a page aloud with the device's own voice (U-08). An extra: without script or voice the button stays hidden.
(function () {
  "use strict";
  var buttons = document.querySelectorAll("[data-read]");
  var voice = window.speechSynthesis;
  if (!voice || !window.SpeechSynthesisUtterance || !buttons.length) return;

  function textOf(node) {
    var copy = node.cloneNode(true);
    copy.querySelectorAll("button, script, svg, .no-read, .page__actions, [hidden]").forEach(function (x) { x.remove(); });
    copy.querySelectorAll("p, li, td, th, h1, h2, h3, dt, dd, label, legend, a").forEach(function (x) { x.append("。"); });
    return copy.textContent.replace(/\s+/g, " ").replace(/[。\s]{2,}/g, "。").trim();
  }

  function parts(text) {
    // Long texts stop half-way on many phones: sentences of at most 120 characters.
    return text.match(/[^。！？；]{1,120}[。！？；]?/g) || [];
  }

  buttons.forEach(function (button) {
    var label = button.querySelector("span") || button;
    var usual = label.textContent;
    button.hidden = false;
    button.addEventListener("click", function () {
      if (voice.speaking) { voice.cancel(); label.textContent = usual; return; }
      var target = document.querySelector(button.dataset.read);
      var sentences = target ? parts(textOf(target)) : [];
      sentences.forEach(function (sentence, n) {
        var said = new SpeechSynthesisUtterance(sentence);
        said.lang = "zh-CN";
        said.rate = 0.9;
        if (n === sentences.length - 1) said.onend = function () { label.textContent = usual; };
        voice.speak(said);
      });
      if (sentences.length) label.textContent = "停下";
    });
  });
  window.addEventListener("pagehide", function () { voice.cancel(); });
})();
