// Passkeys, an extra: the box shows where the browser can; what the device signed goes into the form's hidden field.
(function () {
  "use strict";
  if (!window.PublicKeyCredential || !navigator.credentials) return;

  function bytes(text) {
    var plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    var out = new Uint8Array(plain.length);
    for (var i = 0; i < plain.length; i++) out[i] = plain.charCodeAt(i);
    return out.buffer;
  }

  function text(buffer) {
    var plain = "", all = new Uint8Array(buffer);
    for (var i = 0; i < all.length; i++) plain += String.fromCharCode(all[i]);
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  function readied(options) {
    var key = options.publicKey;
    key.challenge = bytes(key.challenge);
    if (key.user) key.user.id = bytes(key.user.id);
    (key.excludeCredentials || []).concat(key.allowCredentials || []).forEach(function (one) { one.id = bytes(one.id); });
    return options;
  }

  function said(credential) {
    var from = credential.response, out = {};
    ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"].forEach(function (name) {
      if (from[name]) out[name] = text(from[name]);
    });
    return JSON.stringify({
      id: credential.id, rawId: text(credential.rawId), type: credential.type, response: out,
      clientExtensionResults: credential.getClientExtensionResults(),
      authenticatorAttachment: credential.authenticatorAttachment || null
    });
  }

  Array.prototype.forEach.call(document.querySelectorAll("[data-passkey]"), function (box) {
    var note = box.querySelector("[data-passkey-said]"), form = box.closest("form");
    box.hidden = false;
    box.querySelector("[data-passkey-go]").addEventListener("click", function () {
      note.hidden = true;
      var options = readied(JSON.parse(box.getAttribute("data-options")));
      var asked = box.getAttribute("data-passkey") === "create"
        ? navigator.credentials.create(options) : navigator.credentials.get(options);
      asked.then(function (credential) {
        form.elements.credential.value = said(credential);
        form.submit();
      }, function () {
        note.textContent = "没有完成。请再点一次；不行就用别的办法。";
        note.hidden = false;
      });
    });
  });
})();
