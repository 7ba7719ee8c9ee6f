// Hears from slod that there is something new, and passes it on: "news", "beat" (nothing new, but
// slod is there), or "look" (nobody knows, see for yourself). One connection for all pages of a
// browser, which opens six at most: this file is their shared worker, and where a browser has none,
// a part of each page.
"use strict";

const SILENCE = 25000;   // slod says something every 10 s
const AGAIN = 10000;

function hear(tell) {
  let events;
  let heard;
  function said(what) {
    heard = performance.now();
    tell(what);
  }
  function open() {
    heard = performance.now();
    events = new EventSource("/events");
    events.onmessage = () => said("news");
    events.addEventListener("beat", () => said("beat"));
    events.onerror = () => tell("look");   // it tries again by itself, unless it was refused
  }
  setInterval(() => {
    const quiet = performance.now() - heard;
    if (quiet < (events.readyState === EventSource.CLOSED ? AGAIN : SILENCE)) return;
    if (events.readyState !== EventSource.CLOSED) tell("look");
    events.close();
    open();
  }, 1000);
  open();
}

if ("onconnect" in globalThis) {
  const pages = new Set();
  let last;
  globalThis.onconnect = ({ ports: [page] }) => {
    pages.add(page);
    page.onmessage = () => pages.delete(page);   // it says goodbye
    if (last) page.postMessage(last === "beat" ? "news" : last);
  };
  hear((what) => {
    last = what;
    pages.forEach((page) => page.postMessage(what));
  });
}
