/* Leadswitch web tracking. First party, no cookie, nothing sent about a visitor who has not said who they are.
 *
 *   <script async src="PUBLIC_URL/webhooks/CONNECTION/KEY/leadswitch.js" data-consent="required"></script>
 *   leadswitch.consent(true);                  // when data-consent="required": after the visitor agreed
 *   leadswitch.identify("ada@example.com");    // after they gave you their address: what they saw before goes along
 */
(function () {
  "use strict";
  var script = document.currentScript;
  if (!script || window.leadswitch) return;
  var collector = script.src.replace(/\/leadswitch\.js.*$/, "");
  var refused = navigator.doNotTrack === "1" || navigator.globalPrivacyControl === true;
  var KEY = "leadswitch", IDLE_MS = 30 * 60 * 1000, KEPT = 50, DAYS_MS = 90 * 24 * 3600 * 1000;
  var FILES = /\.(pdf|docx?|xlsx?|pptx?|csv|zip|epub)$/i;

  function id() {
    var bytes = new Uint8Array(12);
    crypto.getRandomValues(bytes);
    return Array.prototype.map.call(bytes, function (b) { return ("0" + b.toString(16)).slice(-2); }).join("");
  }
  function load() {
    try { return JSON.parse(localStorage.getItem(KEY)) || {}; } catch (error) { return {}; }
  }
  function save(state) {
    try { localStorage.setItem(KEY, JSON.stringify(state)); } catch (error) { /* storage is full or shut: this page only */ }
  }
  var state = load();
  if (script.dataset.consent !== "required") state.consent = true;
  function allowed() { return state.consent === true && !refused; }

  function session(now) {
    if (!state.session || now - (state.seen || 0) > IDLE_MS) state.session = id();
    state.seen = now;
    return state.session;
  }
  function note(kind, url, more) {
    if (!allowed()) return;
    var now = Date.now();
    var event = { i: id(), k: kind, u: url.split(/[?#]/)[0], s: session(now), at: now };
    for (var name in more || {}) event[name] = more[name];
    state.visitor = state.visitor || id();
    state.events = (state.events || []).filter(function (one) { return now - one.at < DAYS_MS; }).concat(event).slice(-KEPT);
    save(state);
    send();
  }
  function send() {
    if (!state.known || !(state.events || []).length) return;
    var body = JSON.stringify({ v: state.visitor, m: state.email, e: state.events });
    // text/plain needs no preflight; a beacon outlives the page
    var sent = navigator.sendBeacon ? navigator.sendBeacon(collector, new Blob([body], { type: "text/plain" })) : false;
    if (!sent) fetch(collector, { method: "POST", body: body, keepalive: true, headers: { "content-type": "text/plain" } });
    state.events = [];
    delete state.email;
    save(state);
  }
  function page() {
    var from = "";
    try { from = document.referrer ? new URL(document.referrer).hostname : ""; } catch (error) { from = ""; }
    note("page", location.href, { r: from });
  }

  window.leadswitch = {
    identify: function (email) {
      if (!allowed() || typeof email !== "string" || email.indexOf("@") < 1) return;
      state.known = true;
      state.email = email;
      note("identify", location.href);
    },
    consent: function (given) {
      state = given ? state : {};
      state.consent = given === true;
      save(state);
      if (given) page();
    },
    download: function (url) { note("download", url); },
    video: function (url, percent) { note("video", url, { p: Math.round(percent) }); }
  };

  document.addEventListener("click", function (event) {
    var link = event.target && event.target.closest ? event.target.closest("a[href]") : null;
    if (link && FILES.test(link.pathname)) note("download", link.href);
  }, true);
  document.addEventListener("ended", function (event) {
    if (event.target && event.target.tagName === "VIDEO") note("video", event.target.currentSrc, { p: 100 });
  }, true);
  var push = history.pushState;
  history.pushState = function () {
    var before = location.href;
    push.apply(this, arguments);
    if (location.href.split("#")[0] !== before.split("#")[0]) page();
  };
  page();
})();
