/* The page without a reload: what is shown is asked for again, put in place, and called old when
   the agent does not answer. All state is in the address; the words are the body's. */
"use strict";

(() => {
  const OLD_AFTER_MS = 16000; // three refreshes that did not come
  const skew = Number(document.body.dataset.now) * 1000 - Date.now(); // the agent's clock and ours
  let heardAt = Date.now();
  let verdict = null; // as it was read out, or shown at first
  const { title } = document;

  const now = () => Date.now() + skew;
  const byId = (id) => document.getElementById(id);
  const say = (name, fields) => document.body.dataset[name].replace(/{(\w+)}/g, (_, field) => fields[field]);

  // -- what stays as a visitor left it ------------------------------------------------------------

  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) =>
    !(name === "data-age" || (name === "open" && node.tagName === "DETAILS"));
  // A form that somebody is filling in.
  Idiomorph.defaults.callbacks.beforeNodeMorphed = (node) => !node.dataset || !("kept" in node.dataset);

  // -- how long ago --------------------------------------------------------------------------------

  const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

  function age(seconds) {
    const ahead = seconds < 0;
    const whole = Math.abs(Math.round(seconds));
    if (whole < 1 || (ahead && whole < 3)) return say("justNow"); // rounding, not a clock that is wrong
    const [unit, size] = UNITS.find(([, each]) => whole >= each);
    return say(ahead ? "ahead" : "ago", { time: `${Math.floor(whole / size)} ${unit}` });
  }

  function showAges() {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const said = age((now() - Date.parse(time.dateTime)) / 1000);
      if (time.dataset.age !== said) time.dataset.age = said;
    }
  }

  // -- is what is shown still true -----------------------------------------------------------------

  const clock = (ms) => new Date(ms + skew).toISOString().slice(0, 19).replace("T", " ") + " UTC";

  function heard() {
    heardAt = Date.now();
    byId("pulse").textContent = say("asOf", { time: clock(heardAt).slice(11) });
    sayOld("");
  }

  function sayOld(words) {
    document.documentElement.classList.toggle("is-old", words !== "");
    const old = byId("old");
    if (old.textContent !== words) old.textContent = words;
    old.hidden = words === "";
    showTitle();
  }

  function whyOld(status) {
    const why = { 0: "silent", 401: "refused", 403: "refused", 404: "gone" }[status] ?? "failed";
    return say(why, { status, time: clock(heardAt) });
  }

  function watch() {
    const silent = Date.now() - heardAt > OLD_AFTER_MS && document.querySelector("[data-live]");
    if (silent && byId("old").hidden) sayOld(whyOld(0));
    showAges();
  }

  function showTitle() {
    const shown = document.querySelector("[data-title]")?.dataset.title ?? title;
    const whole = byId("old").hidden ? shown : say("oldTitle", { title: shown });
    if (document.title !== whole) document.title = whole;
  }

  // A verdict is read out when it changes, and only then.
  function sayVerdict() {
    const said = byId("said");
    const shown = document.querySelector("[data-verdict]")?.dataset.verdict;
    if (!said || !shown) return;
    if (verdict !== null && verdict !== shown) said.textContent = say("changed", { verdict: shown });
    verdict = shown;
  }

  // -- asking again --------------------------------------------------------------------------------

  document.addEventListener("htmx:configRequest", (event) => {
    const { detail } = event;
    if (event.target.matches("[data-live]")) {
      detail.path = location.pathname + location.search;
      detail.parameters = {};
    }
    detail.parameters.part ??= "live";
  });

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.target.matches("[data-live]")) event.preventDefault();
  });

  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (detail.successful) heard();
  });

  // A request that another one replaced has not failed.
  for (const failure of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) {
    document.addEventListener(failure, ({ detail }) => sayOld(whyOld(detail.xhr.status)));
  }

  document.addEventListener("htmx:afterSettle", () => {
    showAges();
    showTitle();
    sayVerdict();
  });

  // The address says what is looked for, so that it can be kept and sent.
  document.addEventListener("input", ({ target }) => {
    const form = target.form;
    if (form?.id !== "find") return;
    const query = new URLSearchParams(new FormData(form));
    for (const name of ["q", "class"]) if (!query.get(name)) query.delete(name);
    if (query.get("sort") === "worst") query.delete("sort");
    history.replaceState(null, "", location.pathname + (query.size ? `?${query}` : ""));
  });

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) document.querySelectorAll("[data-live]").forEach((each) => htmx.trigger(each, "refresh"));
  });

  heard();
  showAges();
  sayVerdict();
  setInterval(watch, 1000);
})();
