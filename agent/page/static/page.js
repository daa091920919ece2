/* The page without a reload: what is shown is asked for again, put in place, and called old when
   the agent does not answer. All state is in the address. */
"use strict";

(() => {
  const OLD_AFTER_MS = 16000; // three refreshes that did not come
  const skew = Number(document.body.dataset.now) * 1000 - Date.now(); // the agent's clock and ours
  let heardAt = Date.now();
  let verdict = null;

  const now = () => Date.now() + skew;
  const byId = (id) => document.getElementById(id);

  // -- what stays as a visitor left it ------------------------------------------------------------

  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) =>
    !(name === "data-age" || (name === "open" && node.tagName === "DETAILS"));

  // -- how long ago --------------------------------------------------------------------------------

  const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

  function age(seconds) {
    const ahead = seconds < 0;
    const whole = Math.abs(Math.round(seconds));
    if (whole < 1) return "now";
    const [unit, size] = UNITS.find(([, each]) => whole >= each);
    const words = `${Math.floor(whole / size)} ${unit}`;
    return ahead ? `in ${words}` : `${words} ago`;
  }

  function showAges() {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const said = age((now() - Date.parse(time.dateTime)) / 1000);
      if (time.dataset.age !== said) time.dataset.age = said;
    }
  }

  // -- is what is shown still true -----------------------------------------------------------------

  function heard() {
    heardAt = Date.now();
    setOld(null);
  }

  function setOld(since) {
    document.documentElement.classList.toggle("is-old", since !== null);
    const old = byId("old");
    const words = since === null ? "" : `The agent has not answered since ${since}. What is shown is from then.`;
    if (old.textContent !== words) old.textContent = words;
    old.hidden = since === null;
  }

  function clock(ms) {
    return new Date(ms + skew).toISOString().slice(0, 19).replace("T", " ") + " UTC";
  }

  function watch() {
    if (Date.now() - heardAt > OLD_AFTER_MS && document.querySelector("[data-live]")) setOld(clock(heardAt));
    showAges();
  }

  function showPulse() {
    byId("pulse").textContent = `As of ${clock(heardAt).slice(11)}`;
  }

  // A verdict is read out when it changes, and only then.
  function sayVerdict() {
    const said = byId("said");
    const shown = byId("headline")?.dataset.verdict;
    if (!said || !shown) return;
    if (verdict !== null && verdict !== shown) said.textContent = `The verdict is now: ${shown}`;
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
    if (!detail.successful) return setOld(clock(heardAt));
    heard();
    showPulse();
  });

  document.addEventListener("htmx:afterSettle", () => {
    showAges();
    sayVerdict();
  });

  // The address says what is looked for, so that it can be kept and sent.
  document.addEventListener("input", ({ target }) => {
    const form = target.form;
    if (form?.id !== "find") return;
    const query = new URLSearchParams(new FormData(form));
    if (!query.get("q")) query.delete("q");
    if (query.get("sort") === "worst") query.delete("sort");
    history.replaceState(null, "", location.pathname + (query.size ? `?${query}` : ""));
  });

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) document.querySelectorAll("[data-live]").forEach((each) => htmx.trigger(each, "refresh"));
  });

  showAges();
  showPulse();
  sayVerdict();
  setInterval(watch, 1000);
})();
