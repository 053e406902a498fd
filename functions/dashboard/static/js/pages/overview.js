// How everything does: figures over a time, and what needs somebody's attention first.

import { each, get, pages, webhookPath } from "../api.js";
import { chart, meter } from "../chart.js";
import { fill, h, put } from "../dom.js";
import { ago, count, milliseconds, percent, plural } from "../format.js";
import { link, remember } from "../router.js";
import { badge, button, failure, head, linkButton, segmented, skeleton } from "../ui.js";

const RANGES = { day: ["24 hours", 24, "hour"], week: ["7 days", 168, "hour"], month: ["30 days", 720, "day"] };
const AT_FIRST = 24; // webhooks whose figures are read before anybody asks for more
const SHOWN_AFTER = 4; // of them, until the rest comes
const LIVE_MS = 15_000;
const WORST = ["disabled", "failing", "degraded", "paused", "inactive", "healthy"];

export async function show({ root, query, signal }) {
  const state = { range: RANGES[query.get("range")] ? query.get("range") : "day", live: true, most: AT_FIRST, complete: false };
  const updated = h("span.muted", { role: "status" });
  const live = h("label.switch", h("input", { type: "checkbox", checked: true, onchange: (event) => (state.live = event.target.checked) }), h("span", "Live"));
  const body = h("div.stack.large");
  const { items: webhooks, next_cursor: more } = await get("/webhooks", { limit: AT_FIRST }, signal);
  if (!webhooks.length) return put(root, head("Overview"), guide());

  const ranges = segmented("Time", Object.entries(RANGES).map(([key, [text]]) => [key, text]), state.range, (range) => {
    state.range = range;
    remember({ range: range === "day" ? "" : range });
    refresh();
  });
  put(root, head("Overview", { below: updated, actions: [live, ranges] }), body);
  fill(body, skeleton(8));

  let running = false;
  const refresh = async () => {
    if (running) return;
    running = true;
    const range = state.range;
    try {
      if (more && !state.complete && state.most > webhooks.length) {
        await readOn(webhooks, signal);
        state.complete = true;
      }
      const all = more && !state.complete ? `${webhooks.length}+` : count(webhooks.length);
      const draw = (found) => range === state.range && fill(body, ...drawn(found, range, all, state, refresh));
      draw(await read(webhooks.slice(0, state.most), range, signal, body.querySelector(".tiles") ? null : draw));
      fill(updated, `Updated ${new Date().toLocaleTimeString()}`);
    } catch (error) {
      if (error.name !== "AbortError") fill(body, failure(error, refresh));
    }
    running = false;
    live.querySelector("input").checked = state.live; // reading hundreds is for once, not for each quarter of a minute
    if (range !== state.range) refresh();
  };
  refresh();
  const pace = Math.max(LIVE_MS, webhooks.length * 500);
  const timer = setInterval(() => state.live && !document.hidden && refresh(), Math.min(pace, 60_000));
  signal.addEventListener("abort", () => clearInterval(timer));
}

/** All that are behind the first page. */
async function readOn(webhooks, signal) {
  const known = new Set(webhooks.map((one) => one.id));
  for await (const items of pages("/webhooks", {}, signal)) webhooks.push(...items.filter((one) => !known.has(one.id)));
}

/** Figures and health of each, the dead letters; `some` is shown the first few already. */
async function read(webhooks, range, signal, some) {
  const [, hours, interval] = RANGES[range];
  const from = new Date(Date.now() - hours * 3_600_000).toISOString();
  const found = [];
  let fault = null;
  const letters = await get("/dead-letters", { is_processed: false, limit: 100 }, signal);
  await each(webhooks, async (webhook) => {
    try {
      const [metrics, health] = await Promise.all([get(`${webhookPath(webhook.id)}/metrics`, { from, interval }, signal), get(`${webhookPath(webhook.id)}/health`, {}, signal)]);
      found.push({ webhook, metrics, health });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      fault = error; // one that was deleted meanwhile, or did not answer: the others still count
    }
    if (found.length === SHOWN_AFTER) some?.({ found: [...found], letters });
  }, 3);
  if (!found.length && fault) throw fault;
  return { found, letters };
}

function drawn({ found, letters }, range, all, state, refresh) {
  const interval = RANGES[range][2];
  const points = summed(found.map((one) => one.metrics.series));
  const total = (name) => points.reduce((sum, point) => sum + point[name], 0);
  const [successes, failures] = [total("successes"), total("failures")];
  const waiting = found.reduce((sum, one) => sum + one.health.backlog.waiting, 0);
  const open = found.filter((one) => one.health.circuit.state !== "closed").length;
  const rate = successes + failures ? successes / (successes + failures) : null;
  const p95 = weighted(found.map((one) => one.metrics.totals), "p95");
  const dead = letters.items.length;
  return [
    all !== count(found.length) && h("p.notice", `Figures of ${plural(found.length, "webhook")} of your ${all}. `, button("Read them all", () => ((state.most = Infinity), (state.live = false), refresh()), { kind: "quiet" })),
    h("div.tiles",
      tile("Deliveries", count(total("deliveries")), plural(successes + failures, "attempt")),
      tile("Success rate", percent(rate), `${count(failures)} failed`, rate !== null && rate < 0.95 ? (rate < 0.5 ? "bad" : "warn") : ""),
      tile("Latency, p95", milliseconds(p95), `p50 ${milliseconds(weighted(found.map((one) => one.metrics.totals), "p50"))}`),
      tile("Dead letters", letters.next_cursor ? `${dead}+` : count(dead), dead ? "not replayed yet" : "none", dead ? "warn" : "", "#/dead-letters"),
      tile("Open circuits", count(open), open ? "held back" : "all closed", open ? "bad" : ""),
      tile("Waiting", found.some((one) => one.health.backlog.more) ? `${count(waiting)}+` : count(waiting), "parked deliveries", waiting ? "warn" : "")),
    attention(found),
    h("div.charts",
      chart({ title: "Attempts", kind: "bars", interval, format: count, series: [{ label: "succeeded", tone: "good" }, { label: "failed", tone: "bad" }], points: points.map((point) => ({ start: point.start, values: [point.successes, point.failures] })) }),
      chart({ title: "Latency", kind: "lines", interval, format: milliseconds, series: [{ label: "p50", tone: "accent" }, { label: "p95", tone: "soft" }], points: points.map((point) => ({ start: point.start, values: [weighted(point.all, "p50"), weighted(point.all, "p95")] })) })),
    found.length > 1 && h("p.muted.small", "Latencies of several webhooks are averages weighted by their attempts. Figures are some seconds behind."),
  ];
}

function tile(name, value, more, tone = "", href = null) {
  const inside = [h("span.tile-name", name), h("strong.tile-value", { class: tone }, value), h("span.tile-more", more)];
  return href ? h("a.tile", { href }, inside) : h("div.tile", inside);
}

/** Webhooks that do not do well, the worst first; how many do. */
function attention(found) {
  const worst = (one) => WORST.indexOf(one.health.health);
  const bad = found.filter((one) => one.health.health !== "healthy").sort((a, b) => worst(a) - worst(b) || (a.metrics.totals.success_rate ?? 1) - (b.metrics.totals.success_rate ?? 1));
  if (!bad.length) return h("section.card.calm", h("p", badge("healthy", "All healthy"), ` ${found.length === 1 ? "Your webhook does" : `All ${count(found.length)} webhooks do`} well.`));
  return h("section.card", { "aria-labelledby": "attention" }, h("h2", { id: "attention" }, "Needs attention"),
    h("ul.rows", bad.slice(0, 8).map(({ webhook, health, metrics }) => h("li.row",
      h("div.row-main", h("a.strong", { href: link("webhooks", webhook.id) }, webhook.name), h("p.muted.small", health.explanation ?? "")),
      h("div.row-side", h("span.rate", meter(metrics.totals.success_rate), percent(metrics.totals.success_rate)), h("span.muted.small", health.last_success_at ? `last success ${ago(health.last_success_at)}` : "no success yet"), badge(health.health))))),
    bad.length > 8 && h("p.muted", `and ${bad.length - 8} more: `, h("a", { href: "#/webhooks" }, "all webhooks")));
}

function summed(all) {
  const points = new Map();
  for (const one of all.flat()) {
    const point = points.get(one.start) ?? { start: one.start, deliveries: 0, successes: 0, failures: 0, all: [] };
    for (const name of ["deliveries", "successes", "failures"]) point[name] += one[name];
    point.all.push(one);
    points.set(one.start, point);
  }
  return [...points.values()].sort((a, b) => a.start.localeCompare(b.start));
}

function weighted(figures, name) {
  const some = figures.filter((one) => one.latency_ms[name] !== null);
  const attempts = some.reduce((sum, one) => sum + one.attempts, 0);
  return attempts ? some.reduce((sum, one) => sum + one.latency_ms[name] * one.attempts, 0) / attempts : null;
}

function guide() {
  const step = (number, title, text) => h("li", h("span.step", { "aria-hidden": "true" }, number), h("div", h("h2", title), h("p", text)));
  return h("section.guide.card", h("p.lead", "A webhook sends your events to an address of yours, signed, and again until it is taken."),
    h("ol", step(1, "Create a webhook", "Give the address that should hear of events. You get a secret to check signatures with, shown once."),
      step(2, "Subscribe it", "Choose the event types, and filters where not every event matters. Both are on the same form."),
      step(3, "Send a test event", "See the request as it goes out and what your server answers, before anything real happens.")),
    h("div.actions", linkButton("Create the first webhook", "#/webhooks/new", { kind: "primary", glyph: "plus" })));
}
