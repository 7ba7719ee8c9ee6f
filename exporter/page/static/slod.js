// Keeps a page up to date without a flicker: hears that there is something new, fetches the page
// again, and changes only what differs. Without this script everything works, by reloading.
"use strict";

document.documentElement.classList.add("script");

const live = document.getElementById("live");
const PATIENCE = 10000;
let heard = new Date();   // when it was last known that slod is there
let fetching = false;
let again = false;

function say(text, lost) {
  if (live.textContent !== text) live.textContent = text;
  live.classList.toggle("lost", lost);
}

function lost() {
  say(`not connected since ${heard.toISOString().slice(11, 19)} UTC`, true);
}

async function refresh(address = location.href) {
  if (fetching) { again = true; return; }
  fetching = true;
  try {
    const answer = await fetch(address, {
      headers: { "X-Requested-With": "slod" }, signal: AbortSignal.timeout(PATIENCE),
    });
    if (answer.ok || answer.status === 404) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.title = fresh.title;
      keepFocus(() => morph(document.getElementById("main"), fresh.getElementById("main")));
      document.dispatchEvent(new Event("slod:fresh"));
      heard = new Date();
      say("", false);
    } else if (answer.status === 401) {
      location.reload();
    } else {
      lost();
    }
  } catch {
    lost();
  } finally {
    fetching = false;
    if (again) { again = false; refresh(); }
  }
}

// --- change only what differs ------------------------------------------------------------------

function same(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id ?? "") === (b.id ?? "");
}

function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  attributes(old, fresh);
  const known = new Map();
  for (const child of old.children) if (child.id) known.set(child.id, child);
  let at = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const named = wanted.id ? known.get(wanted.id) : undefined;
    if (named) {
      if (named === at) at = at.nextSibling;
      else old.insertBefore(named, at);
      morph(named, wanted);
    } else if (at && same(at, wanted) && !at.id) {
      const next = at.nextSibling;
      morph(at, wanted);
      at = next;
    } else {
      old.insertBefore(document.importNode(wanted, true), at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

// What is moved, or made anew, loses the focus.
const FOCUSED = "a, button, input, summary, [tabindex]";

function keepFocus(change) {
  const was = document.activeElement;
  const home = was?.closest("[id]:not(#main)");
  const place = home ? [...home.querySelectorAll(FOCUSED)].indexOf(was) : -1;
  change();
  if (document.activeElement === was || !home) return;
  const anew = document.getElementById(home.id);
  const there = place < 0 ? anew : anew?.querySelectorAll(FOCUSED)[place];
  (was.isConnected ? was : there)?.focus({ preventScroll: true });
}

// What the reader has done to the page stays: what is open, what is typed, what a chart points at.
const OWN = new Set(["open", "data-own"]);

function attributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !OWN.has(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (OWN.has(name) || (name === "value" && old === document.activeElement)) continue;
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (old instanceof HTMLInputElement && old !== document.activeElement) old.value = fresh.value;
}

// --- hear that there is something new ----------------------------------------------------------

let first = true;
let stale = false;

function hears(what) {
  // The first word says what there is, and the page that was just loaded has that.
  const known = first && what === "news" && performance.now() < 3000;
  if (what !== "look") first = false;
  const well = !live.textContent;
  if (what !== "look" && well) heard = new Date();
  if (known || (what === "beat" && well)) return;
  if (document.hidden) stale = true;
  else refresh();
}

function listen() {
  if (!globalThis.SharedWorker) { hear(hears); return; }
  const { port } = new SharedWorker("/static/events.js");
  port.onmessage = ({ data }) => hears(data);
  addEventListener("pagehide", () => port.postMessage("bye"), { once: true });
}

addEventListener("pageshow", ({ persisted }) => { if (persisted) { listen(); refresh(); } });
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && stale) { stale = false; refresh(); }
});

// --- filters at once ---------------------------------------------------------------------------

let typing;
document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-live]");
  if (!form) return;
  clearTimeout(typing);
  typing = setTimeout(() => {
    const wanted = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    const query = wanted.toString();
    history.replaceState(null, "", query ? `${form.action.split("?")[0]}?${query}` : form.action);
    refresh();
  }, 120);
});
document.addEventListener("submit", (event) => {
  if (event.target.matches("form[data-live]")) event.preventDefault();
});

listen();
