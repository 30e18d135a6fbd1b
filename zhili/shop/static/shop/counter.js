// The counter, an extra: steps and a running total, a pad for the PIN, and a form that outlives a network that drops.
// Nothing here decides anything: the server works out every figure, and the visit's key makes a second sending harmless.
(function () {
  "use strict";
  var TRIES = 5, WAITS = [2, 4, 8, 15], TIMEOUT = 15000, UNSURE = "counter-unsure";

  function all(root, what) { return Array.prototype.slice.call(root.querySelectorAll(what)); }
  function remember(value) { try { if (value) sessionStorage.setItem(UNSURE, value); else sessionStorage.removeItem(UNSURE); } catch (e) { return; } }
  function shown(hundredths) { return String(hundredths / 100); }

  function total(form) {
    var balance = form.dataset.balance === "" ? null : Number(form.dataset.balance), words = form.querySelector("[data-sum]");
    var goods = all(form, "[data-good]").filter(function (row) { return row.querySelector("input.control"); });
    function tell() {
      var sum = 0, kinds = 0;
      goods.forEach(function (row) {
        var n = parseInt(row.querySelector("input.control").value, 10) || 0;
        row.classList.toggle("good--on", n > 0);
        if (n > 0) { kinds += 1; sum += n * Number(row.dataset.points); }
      });
      words.hidden = kinds === 0;
      words.classList.toggle("sum__words--short", balance !== null && sum > balance);
      words.textContent = kinds + " 种，共 " + shown(sum) + " 分" + (balance === null ? "" : sum > balance ? "，超出 " + shown(sum - balance) + " 分" : "，还剩 " + shown(balance - sum) + " 分");
    }
    goods.forEach(function (row) {
      var input = row.querySelector("input.control");
      all(row, ".good__step").forEach(function (button) {
        button.hidden = false;
        button.addEventListener("click", function () {
          var n = (parseInt(input.value, 10) || 0) + (button.hasAttribute("data-more") ? 1 : -1);
          input.value = n > 0 ? n : "";
          tell();
        });
      });
      input.addEventListener("input", tell);
    });
    tell();
  }

  function ways(root) {
    var radios = all(root, "[data-way]");
    function tell() {
      all(root, "[data-way-of]").forEach(function (box) {
        var radio = radios.filter(function (one) { return one.dataset.way === box.dataset.wayOf; })[0];
        box.hidden = !(radio && radio.checked);
      });
    }
    radios.forEach(function (one) { one.addEventListener("change", tell); });
    if (radios.length) tell();
  }

  function pad(box) {
    var input = document.getElementById(box.dataset.pad);
    if (!input) return;
    ["1", "2", "3", "4", "5", "6", "7", "8", "9", "清空", "0", "退一格"].forEach(function (key) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = key;
      button.addEventListener("click", function () {
        if (key === "清空") input.value = "";
        else if (key === "退一格") input.value = input.value.slice(0, -1);
        else if (input.value.length < 6) input.value += key;
      });
      box.appendChild(button);
    });
    box.hidden = false;
  }

  function once(form) {
    var state = form.querySelector("[data-state]"), busy = false, timer = null, tries = 0, last = null;
    function say(words, tone) { state.hidden = false; state.className = "message sending" + (tone ? " message--" + tone : ""); state.textContent = words; }
    function buttons(off) { all(form, "button").forEach(function (one) { one.disabled = off; }); }

    function send() {
      window.clearTimeout(timer);
      timer = null;
      busy = true;
      tries += 1;
      say(tries === 1 ? "正在送出，请稍等" : "正在送出，第 " + tries + " 次");
      remember(location.pathname + location.search);
      var body = new FormData(form), stop = new AbortController();
      body.set(last.name, last.value);
      var late = window.setTimeout(function () { stop.abort(); }, TIMEOUT);
      fetch(location.href, { method: "POST", body: body, credentials: "same-origin", signal: stop.signal }).then(function (answer) {
        window.clearTimeout(late);
        if (answer.status >= 500 || answer.status === 429) throw new Error("not now");
        if (answer.redirected) {
          say("已收到");
          remember("");
          location.replace(answer.url);
          return null;
        }
        return answer.text().then(function (text) {
          var page = new DOMParser().parseFromString(text, "text/html"), main = page.getElementById("content");
          if (!main) throw new Error("no page");
          remember("");
          document.getElementById("content").replaceWith(main);
          begin(main);
          var words = main.querySelector("[role=alert]");
          if (words) { words.focus(); words.scrollIntoView({ block: "center" }); }
        });
      }).catch(function () {
        window.clearTimeout(late);
        busy = false;
        if (tries >= TRIES) {
          buttons(false);
          last.querySelector && (last.textContent = "再送一次");
          say("未收到：送了 " + tries + " 次都没有回音。单子还在这一页，有网了点“再送一次”，不会重复扣分。", "error");
          tries = 0;
          return;
        }
        var seconds = WAITS[Math.min(tries - 1, WAITS.length - 1)];
        say("待重试：网络断了，还不知道收到没有。" + seconds + " 秒后再送一次（已送 " + tries + " 次）。不会重复扣分。", "warning");
        timer = window.setTimeout(send, seconds * 1000);
      });
    }

    form.addEventListener("submit", function (event) {
      var button = event.submitter;
      if (!button || (button.value !== "confirm" && button.value !== "hand") || !window.fetch || !window.AbortController) return;
      event.preventDefault();
      if (busy) return;
      last = button;
      buttons(true);
      send();
    });
    window.addEventListener("online", function () { if (timer !== null) send(); });
  }

  function begin(root) {
    all(root, "form[data-total]").forEach(total);
    all(root, "form[data-once]").forEach(function (form) { once(form); });
    all(root, "[data-pad]").forEach(pad);
    ways(root);
    var unsure = root.querySelector("[data-unsure]"), kept = "";
    try { kept = sessionStorage.getItem(UNSURE) || ""; } catch (e) { kept = ""; }
    if (unsure && kept) {
      unsure.hidden = false;
      unsure.querySelector("[data-unsure-link]").href = kept;
      remember("");
    }
  }
  begin(document);
})();
