// Notes without signal (U-40, U-41, C-14): kept in the browser's store until the server has answered each of them.
(function () {
  "use strict";
  var root = document.querySelector("[data-offline]");
  if (!root || !window.indexedDB || !window.Promise || !window.fetch) return;
  var SHELF = "zhili-offline-1";
  var WAITS = [5, 15, 60, 120, 300, 600]; // seconds between tries; after the last the person decides
  var PATIENCE = 15000;
  var base, list = null, tries = 0, timer = null, busy = false;
  function part(name) { return root.querySelector("[data-offline-" + name + "]"); }
  function field(name) { return document.getElementById("offline-" + name); }
  var form = part("form"), state = part("state"), wrong = part("error");

  function open() {
    return new Promise(function (done, fail) {
      var asked = indexedDB.open("zhili-field", 1);
      asked.onupgradeneeded = function () {
        asked.result.createObjectStore("queue", { keyPath: "id" });
        asked.result.createObjectStore("keep", { keyPath: "name" });
      };
      asked.onsuccess = function () { done(asked.result); };
      asked.onerror = function () { fail(asked.error); };
    });
  }
  function store(name, mode, work) {
    return new Promise(function (done, fail) {
      var deal = base.transaction(name, mode), asked = work(deal.objectStore(name));
      deal.oncomplete = function () { done(asked && asked.result); };
      deal.onerror = deal.onabort = function () { fail(deal.error); };
    });
  }
  function all() {
    return store("queue", "readonly", function (s) { return s.getAll(); }).then(function (rows) {
      return rows.sort(function (a, b) { return a.noted_at < b.noted_at ? -1 : 1; });
    });
  }
  function put(row) { return store("queue", "readwrite", function (s) { return s.put(row); }); }

  // A UUIDv7: the key of the note and of the claim it becomes.
  function key() {
    var b = crypto.getRandomValues(new Uint8Array(16)), t = Date.now();
    for (var i = 5; i >= 0; i--) { b[i] = t % 256; t = Math.floor(t / 256); }
    b[6] = b[6] & 15 | 112; b[8] = b[8] & 63 | 128;
    var h = Array.prototype.map.call(b, function (x) { return (x + 256).toString(16).slice(1); }).join("");
    return [h.slice(0, 8), h.slice(8, 12), h.slice(12, 16), h.slice(16, 20), h.slice(20)].join("-");
  }

  // The list of the own group: encrypted with a key that cannot leave the browser, both deleted when it expires.
  function forget() { list = null; return store("keep", "readwrite", function (s) { return s.delete("list"); }); }
  function keep(found) {
    if (!window.crypto.subtle) return Promise.resolve();
    var iv = crypto.getRandomValues(new Uint8Array(12));
    return crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]).then(function (secret) {
      var text = new TextEncoder().encode(JSON.stringify({ households: found.households, items: found.items }));
      return crypto.subtle.encrypt({ name: "AES-GCM", iv: iv }, secret, text).then(function (data) {
        return store("keep", "readwrite", function (s) { return s.put({ name: "list", key: secret, iv: iv, data: data, expires: found.expires, got: found.now }); });
      });
    });
  }
  function recall() {
    return store("keep", "readonly", function (s) { return s.get("list"); }).then(function (kept) {
      if (!kept) return null;
      var t = Date.now();
      if (t > Date.parse(kept.expires) || t < Date.parse(kept.got) - 864e5) return forget(); // also a clock set back
      return crypto.subtle.decrypt({ name: "AES-GCM", iv: kept.iv }, kept.key, kept.data).then(function (data) {
        list = JSON.parse(new TextDecoder().decode(data));
      }, forget);
    });
  }

  function ask(address, options) {
    var stop = window.AbortController ? new AbortController() : null;
    var late = window.setTimeout(function () { if (stop) stop.abort(); }, PATIENCE);
    options = options || {};
    options.credentials = "same-origin";
    options.redirect = "error";
    if (stop) options.signal = stop.signal;
    return fetch(address, options).then(function (r) {
      window.clearTimeout(late);
      if (!r.ok) throw new Error("status " + r.status);
      return r.json();
    }, function (error) { window.clearTimeout(late); throw error; });
  }
  function fetchList() {
    return ask(root.dataset.list).then(function (found) {
      list = found;
      return keep(found).then(function () { show(); return found.csrf; });
    });
  }

  function since(text) {
    var minutes = Math.max(0, Math.round((Date.now() - Date.parse(text)) / 60000));
    if (minutes < 60) return minutes + " 分钟";
    return minutes < 2880 ? Math.round(minutes / 60) + " 小时" : Math.round(minutes / 1440) + " 天";
  }
  function word(row) {
    if (row.state === "taken") return "已收到，编号 A-" + row.number;
    if (row.state === "refused") return "已收到，没有收下：" + row.message;
    return row.tries ? "待重试，试过 " + row.tries + " 次" : "未收到，还在手机里";
  }
  function title(code) {
    var found = list && list.items.filter(function (one) { return one.code === code; })[0];
    return found ? found.title : code;
  }
  function say(text, kind) { state.textContent = text; state.className = "message" + (kind ? " message--" + kind : ""); }

  function show() {
    return all().then(function (rows) {
      var left = rows.filter(function (row) { return row.state === "waiting"; });
      var size = new Blob([JSON.stringify(rows)]).size;
      part("count").textContent = rows.length ? "手机里 " + rows.length + " 条，占 " + (size < 1024 ? size + " 字节" : (size / 1024).toFixed(1) + " KB") + "；没有收到的 " + left.length + " 条" + (left.length ? "，最早的记于 " + since(left[0].noted_at) + "前" : "") : "还没有记录";
      var box = part("rows");
      box.textContent = "";
      rows.slice().reverse().slice(0, 200).forEach(function (row) {
        var li = document.createElement("li"), main = document.createElement("span"), small = document.createElement("small");
        li.className = "cell"; li.dataset.state = row.state; main.className = "cell__main";
        main.textContent = row.household + " 户 " + (row.title || title(row.item)) + (row.quantity ? " " + row.quantity : "");
        small.textContent = row.occurred_on + " · " + word(row);
        main.appendChild(small); li.appendChild(main); box.appendChild(li);
      });
      if (!left.length) say(rows.length ? "都已收到" : navigator.onLine ? "有信号。没有信号时也可以在这里记" : "没有信号。记下的先存在手机里", rows.length ? "" : "warning");
      else if (busy) say("正在送出，还有 " + left.length + " 条未收到", "warning");
      else say((navigator.onLine ? "待重试：" : "没有信号：") + "还有 " + left.length + " 条未收到" + (timer ? "，过一会儿自动再送" : "，请按“现在送出”或导出成表格"), "warning");
      if (list) fill();
    });
  }
  function fill() {
    var select = field("item"), chosen = select.value, names = document.getElementById("offline-households");
    select.textContent = ""; names.textContent = "";
    list.items.forEach(function (one) { select.appendChild(new Option(one.title + "（" + one.points + "）", one.code)); });
    if (chosen) select.value = chosen;
    list.households.forEach(function (one) { var o = document.createElement("option"); o.value = one.code; o.label = one.name; names.appendChild(o); });
    chose();
  }
  function chose() {
    var one = list && list.items.filter(function (x) { return x.code === field("item").value; })[0];
    part("quantity").hidden = !(one && one.of);
    part("of").textContent = one ? one.of : "";
  }

  function send(asked) {
    if (busy) return Promise.resolve();
    window.clearTimeout(timer); timer = null;
    if (asked) tries = 0;
    busy = true;
    return all().then(function (rows) {
      var left = rows.filter(function (row) { return row.state === "waiting"; }).slice(0, 50);
      if (!left.length) return;
      return show().then(fetchList).then(function (csrf) {
        var sent = left.map(function (row) { return { id: row.id, household: row.household, item: row.item, occurred_on: row.occurred_on, noted_at: row.noted_at, quantity: row.quantity }; });
        return ask(root.dataset.send, { method: "POST", headers: { "Content-Type": "application/json", "X-CSRFToken": csrf }, body: JSON.stringify({ sent_at: new Date().toISOString(), records: sent }) });
      }).then(function (answer) {
        tries = 0;
        return Promise.all(answer.answers.map(function (one) {
          var row = left.filter(function (x) { return x.id === one.id; })[0];
          if (!row) return null;
          row.state = one.taken ? "taken" : "refused"; row.number = one.number; row.message = one.message;
          return put(row);
        })).then(function () { return rows.length > left.length; });
      }, function () {
        return Promise.all(left.map(function (row) { row.tries = (row.tries || 0) + 1; return put(row); })).then(function () {
          if (tries < WAITS.length) timer = window.setTimeout(function () { timer = null; send(false); }, WAITS[tries++] * 1000);
        });
      });
    }).then(function (more) { busy = false; return show().then(function () { if (more === true) return send(false); }); }, function () { busy = false; return show(); });
  }

  form.addEventListener("submit", function (event) {
    event.preventDefault();
    var code = field("household").value.trim(), item = field("item").value, day = field("day").value;
    var counted = !part("quantity").hidden, quantity = counted ? field("quantity").value.trim() : "";
    var fault = !code ? "请填户编号" : !item ? "没有项目可选：请先在有信号的地方打开一次这一页" : !day ? "请选日期" : counted && !/^\d+(\.\d+)?$/.test(quantity) ? "请填数量，例如 2 或 0.5" : "";
    wrong.hidden = !fault; wrong.textContent = fault;
    if (fault) return;
    put({ id: key(), household: code, item: item, title: title(item), occurred_on: day, quantity: quantity, noted_at: new Date().toISOString(), state: "waiting", tries: 0 }).then(function () {
      field("household").value = ""; field("quantity").value = "";
      return show().then(function () { if (navigator.onLine) return send(true); });
    }, function () {
      wrong.hidden = false;
      wrong.textContent = "手机存储满了，这一条没有记下。请先送出或导出，再清掉已收到的。";
    });
  });
  field("item").addEventListener("change", chose);
  part("send").addEventListener("click", function () { send(true); });
  part("clear").addEventListener("click", function () {
    all().then(function (rows) {
      return Promise.all(rows.filter(function (row) { return row.state !== "waiting"; }).map(function (row) { return store("queue", "readwrite", function (s) { return s.delete(row.id); }); }));
    }).then(show);
  });
  part("export").addEventListener("click", function () {
    all().then(function (rows) {
      function cell(text) { text = String(text || ""); if (/^[=+\-@\t]/.test(text)) text = "'" + text; return '"' + text.replace(/"/g, '""') + '"'; }
      var lines = ["户编号,项目,日期,数量,说明"].concat(rows.filter(function (row) { return row.state !== "taken"; }).map(function (row) {
        return [row.household, row.item, row.occurred_on, row.quantity, "离线记录 " + row.id.slice(-8)].map(cell).join(",");
      }));
      var link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob(["\ufeff" + lines.join("\r\n")], { type: "text/csv" }));
      link.download = "离线记录.csv";
      link.click();
      window.setTimeout(function () { URL.revokeObjectURL(link.href); }, 10000);
    });
  });
  window.addEventListener("online", function () { send(true); });
  window.addEventListener("offline", show);

  function shelve() {
    if (!navigator.serviceWorker || !window.caches) return;
    navigator.serviceWorker.register(root.dataset.worker, { scope: "/m/field/" }).then(function () { return caches.open(SHELF); }).then(function (shelf) {
      var parts = Array.prototype.map.call(document.querySelectorAll("link[rel=stylesheet], script[src], link[rel=icon]"), function (x) { return x.href || x.src; });
      return shelf.addAll([location.pathname].concat(parts));
    }).then(function () { root.dataset.ready = "1"; }, function () {});
  }
  var now = new Date();
  field("day").value = new Date(now - now.getTimezoneOffset() * 60000).toISOString().slice(0, 10);
  open().then(function (found) {
    base = found;
    root.hidden = false;
    return recall().then(show).then(function () {
      if (navigator.onLine) { fetchList().catch(function () {}); shelve(); return send(false); }
    });
  }, function () { root.hidden = false; say("这个手机不能保存记录，请先记在纸上", "error"); });
})();
