// What is shown stays true: one ticker for all that a page refreshes, and for times that say how long ago.

import { fill, h } from "./dom.js";
import { ago, clockTime } from "./format.js";
import { t } from "./strings.js";

const SLOWEST = 16; // times the usual pause, after failures
const SOONEST_MS = 250;
const TIMES_MS = 10_000;

const tasks = new Set();
let timer = null;
const stale = h("p.notice.stale", { role: "status", hidden: true });

/** Do `work` every so many seconds for as long as the page is shown; now and then while it fails, not at all in a
 *  hidden tab. `work` raises what went wrong: what is on the page stays, and it is said since when that stands. */
export function alive(work, { every, signal }) {
  const task = { work, every: every * 1_000, due: Date.now() + every * 1_000, since: Date.now(), failures: 0, busy: false };
  tasks.add(task);
  signal.addEventListener("abort", () => (tasks.delete(task), say()));
  arm();
}

function arm() {
  clearTimeout(timer);
  const waiting = [...tasks].filter((one) => !one.busy);
  if (document.hidden || !waiting.length) return;
  const next = Math.min(...waiting.map((one) => one.due));
  timer = setTimeout(tick, Math.max(next - Date.now(), SOONEST_MS));
}

function tick() {
  for (const task of tasks) if (!task.busy && task.due <= Date.now()) run(task);
  arm();
}

async function run(task) {
  task.busy = true;
  try {
    await task.work();
    Object.assign(task, { failures: 0, since: Date.now(), error: null });
  } catch (error) {
    if (error.name !== "AbortError") Object.assign(task, { failures: task.failures + 1, error });
  }
  task.busy = false;
  task.due = Date.now() + task.every * Math.min(2 ** task.failures, SLOWEST);
  say();
  arm();
}

/** Above the page, for as long as something on it could not be read anew. */
function say() {
  const [worst] = [...tasks].filter((one) => one.failures).sort((a, b) => a.since - b.since);
  stale.hidden = !worst;
  if (!worst) return fill(stale);
  fill(stale, t`Not updated since ${clockTime(worst.since)}: ${worst.error.message}`);
  const main = document.getElementById("main");
  if (stale.parentNode !== main) main?.prepend(stale);
}

/** Whether a list must stay as it is for a moment: a button goes from under a finger, a dialog stands over it. */
let pressed = false;
addEventListener("pointerdown", () => (pressed = true), true);
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => setTimeout(() => (pressed = false)), true);
export const held = () => pressed || document.querySelector("dialog[open]") !== null;

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return clearTimeout(timer);
  for (const task of tasks) if (Date.now() - task.since >= task.every) task.due = Date.now();
  tick();
});

const times = { every: TIMES_MS, due: 0, since: Date.now(), failures: 0, busy: false, work: async () => {
  for (const one of document.querySelectorAll("time[data-ago]")) {
    const now = ago(one.dateTime);
    if (one.textContent !== now) one.textContent = now;
  }
} };
tasks.add(times);
