// Keeps the page for places without signal openable: the page and its style and script, nothing with data in it.
"use strict";
var SHELF = "zhili-offline-1";
self.addEventListener("install", function () { self.skipWaiting(); });
self.addEventListener("activate", function (event) { event.waitUntil(self.clients.claim()); });
self.addEventListener("fetch", function (event) {
  var url = new URL(event.request.url);
  var page = url.pathname === "/m/field/offline/";
  if (event.request.method !== "GET" || url.origin !== self.location.origin || !(page || url.pathname.indexOf("/static/") === 0)) return;
  event.respondWith(fetch(event.request).catch(function (error) {
    return caches.open(SHELF).then(function (shelf) { return shelf.match(event.request, { ignoreSearch: page }); })
      .then(function (found) { if (found) return found; throw error; });
  }));
});
