// Keeps a page fresh. The server says when something has changed, or a while has passed; the page is then
// fetched anew and what differs is put in place, so that focus, selection and scrolling stay where they
// are. While somebody fills in a form the page stays as it is: what they decide on is what they saw.
"use strict";

const lost = document.getElementById("lost");
const { events, every } = document.body.dataset;
let source = null;
let timer = null;
let fetching = false;
let stale = false;

/** Whether somebody has written or chosen something that was not sent yet. */
function isTyping() {
  const chosen = (option) => option.selected !== option.defaultSelected;
  return [...document.querySelectorAll("main form :is(input, textarea, select)")].some((field) => {
    if (field.type === "hidden") return false;
    if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
    if (field.options) return [...field.options].some((option) => option.defaultSelected) && [...field.options].some(chosen);
    return field.value !== field.defaultValue;
  });
}

/** Makes one element like another, touching only what differs. Children with an id are kept. */
function become(now, then) {
  // What somebody opened stays open.
  const isTheirs = (name) => name === "open" && now.nodeName === "DETAILS";
  for (const { name } of [...now.attributes]) if (!then.hasAttribute(name) && !isTheirs(name)) now.removeAttribute(name);
  for (const { name, value } of then.attributes) if (now.getAttribute(name) !== value && !isTheirs(name)) now.setAttribute(name, value);
  let place = now.firstChild;
  for (const wanted of [...then.childNodes]) {
    const known = wanted.id && [...now.children].find((child) => child.id === wanted.id);
    if (known && known !== place) now.insertBefore(known, place);
    const here = known || place;
    const isSame = here && here.nodeName === wanted.nodeName && (here.id || "") === (wanted.id || "");
    if (!isSame) {
      now.insertBefore(wanted, place);
      continue;
    }
    if (here.nodeType === Node.ELEMENT_NODE) become(here, wanted);
    else if (here.data !== wanted.data) here.data = wanted.data;
    place = here.nextSibling;
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

/** Fetches the page anew; once more if something changed meanwhile. */
async function refresh() {
  stale = true;
  if (fetching || isTyping()) return;
  fetching = true;
  try {
    while (stale) {
      stale = false;
      const answer = await fetch(location.href);
      if (!answer.ok) throw new Error(answer.statusText);
      // Somebody who has to sign in again is led there.
      if (answer.redirected) { location.assign(answer.url); return; }
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (isTyping()) return;
      become(document.querySelector("main"), fresh.querySelector("main"));
      document.title = fresh.title;
      count();
      if (!events) lost.hidden = true;
    }
  } catch {
    lost.hidden = false;
  } finally {
    fetching = false;
  }
}

/** Counts on what has been running since some time, worded as the server words it. */
function count() {
  for (const running of document.querySelectorAll("[data-since]")) {
    const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(running.dataset.since)) / 1000));
    const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
    const two = (number) => String(number).padStart(2, "0");
    if (hours) running.textContent = `${hours} h ${two(minutes)} min`;
    else if (minutes) running.textContent = `${minutes} min ${two(seconds % 60)} s`;
    else running.textContent = `${seconds} s`;
  }
}

function listen() {
  source = new EventSource(events);
  source.addEventListener("open", () => { lost.hidden = true; });
  source.addEventListener("snapshot", refresh);
  source.addEventListener("end", () => {
    stop();
    document.removeEventListener("visibilitychange", follow);
    refresh();
  });
  source.addEventListener("error", () => {
    lost.hidden = false;
    // A refusal is final for the browser, not for us.
    if (source && source.readyState === EventSource.CLOSED) setTimeout(() => { stop(); follow(); refresh(); }, 5000);
  });
}

function stop() {
  if (source) source.close();
  source = null;
  clearInterval(timer);
  timer = null;
}

/** Follows only while somebody looks: browsers allow few open connections. */
function follow() {
  if (document.hidden) { stop(); return; }
  if (events && !source) listen();
  if (every && !timer) timer = setInterval(refresh, Number(every) * 1000);
}

// What was said once is not said again when the page is loaded again.
const address = new URL(location.href);
if (address.searchParams.has("done")) {
  address.searchParams.delete("done");
  history.replaceState(null, "", address);
}
if (events || every) {
  document.addEventListener("visibilitychange", follow);
  setInterval(count, 1000);
  follow();
}
