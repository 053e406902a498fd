// How everything does: figures over a time, and what needs somebody's attention first.

import { alive, held } from "../alive.js";
import { get } from "../api.js";
import { chart, meter } from "../chart.js";
import { fill, h, put, redraw } from "../dom.js";
import { clockTime, count, milliseconds, percent, plural, words } from "../format.js";
import { portal } from "../portal.js";
import { go, link, remember } from "../addresses.js";
import { may } from "../session.js";
import { badge, causeOf, failure, head, linkButton, segmented, skeleton, time } from "../ui.js";
import { t } from "../strings.js";

const RANGES = { day: [t("24 hours"), 24, "hour"], week: [t("7 days"), 168, "hour"], month: [t("30 days"), 720, "day"] };
const EVERY_SECONDS = 15;

export async function show(page) {
  if (may("admin") && !portal) return (await import("./everybody.js")).show(page);
  const { root, query, signal } = page;
  const state = { range: RANGES[query.get("range")] ? query.get("range") : "day", live: true };
  const updated = h("span.muted", { role: "status" });
  const live = h("label.switch", h("input", { type: "checkbox", checked: true, onchange: (event) => (state.live = event.target.checked) }), h("span", t("Live")));
  const body = h("div.stack.large", skeleton(8));
  const ranges = segmented(t("Time"), Object.entries(RANGES).map(([key, [text]]) => [key, text]), state.range, (range) => {
    state.range = range;
    remember({ range: range === "day" ? "" : range });
    refresh();
  });

  const read = async () => {
    const range = state.range;
    const letters = deadLetters(signal);
    const overview = await figures(range, signal);
    if (range !== state.range) return; // another time was chosen meanwhile, and is on its way
    redraw(body, ...drawn(overview, letters));
    fill(updated, t`Updated ${clockTime(new Date())}`);
  };
  const refresh = async () => {
    try {
      await read();
    } catch (error) {
      if (error.name !== "AbortError") fill(body, failure(error, refresh));
    }
  };

  const letters = deadLetters(signal);
  const first = await figures(state.range, signal);
  if (!first.webhooks) {
    alive(async () => (await figures(state.range, signal)).webhooks && go("#/"), { every: EVERY_SECONDS, signal });
    return put(root, head(t("Overview")), guide());
  }
  put(root, head(t("Overview"), { below: updated, actions: [live, ranges] }), body, limits(signal));
  fill(body, ...drawn(first, letters));
  fill(updated, t`Updated ${clockTime(new Date())}`);
  alive(async () => state.live && !held() && read(), { every: EVERY_SECONDS, signal });
}

function figures(range, signal) {
  const [, hours, interval] = RANGES[range];
  return get("/overview", { from: new Date(Date.now() - hours * 3_600_000).toISOString(), interval }, signal);
}

/** Asked for beside the figures, and shown when it comes. */
const deadLetters = (signal) => get("/dead-letters/groups", {}, signal).catch(() => null);

function drawn({ totals, series, interval, open_circuits: open, waiting, webhooks, attention, more_attention: more }, letters) {
  const parked = Object.values(waiting).reduce((sum, one) => sum + one, 0);
  const [reason] = Object.entries(waiting).sort((a, b) => b[1] - a[1])[0] ?? [];
  const rate = totals.success_rate;
  return [
    h("div.tiles",
      tile(t("Deliveries"), count(totals.deliveries), plural(totals.attempts, "attempt")),
      tile(t("Success rate"), percent(rate), t`${count(totals.failures)} failed`, rate !== null && rate < 0.95 ? (rate < 0.5 ? "bad" : "warn") : ""),
      tile(t("Latency, p95"), milliseconds(totals.latency_ms.p95), `p50 ${milliseconds(totals.latency_ms.p50)}`),
      deadTile(letters),
      tile(t("Open circuits"), count(open), open ? t("deliveries on hold") : t("all closed"), open ? "bad" : ""),
      tile(t("Waiting"), count(parked), reason ? t`most: ${words(reason)}` : "nothing", parked ? "warn" : "")),
    needs(attention, more, webhooks),
    h("div.charts",
      chart({ title: t("Attempts"), kind: "bars", interval, format: count, series: [{ label: t("succeeded"), tone: "good" }, { label: t("failed"), tone: "bad" }], points: series.map((one) => ({ start: one.start, values: [one.successes, one.failures] })) }),
      chart({ title: t("Latency"), kind: "lines", interval, format: milliseconds, series: [{ label: "p50", tone: "accent" }, { label: "p95", tone: "soft" }], points: series.map((one) => ({ start: one.start, values: [one.latency_ms.p50, one.latency_ms.p95] })) })),
    h("p.muted.small", t("Figures lag by a few seconds.")),
  ];
}

/** What there may be, and how much of it there is; asked for when it is opened. */
function limits(signal) {
  const inside = h("div");
  const read = async () => {
    const { items } = await get("/limits", {}, signal);
    const name = (one) => [one.description, one.workspace_id && h("span.muted", t` Workspace ${one.workspace_id}`)];
    const line = (one) => h("tr", h("td", name(one)), h("td.number", one.used === null ? "" : count(one.used)), h("td.number", one.limit === null ? "none" : count(one.limit)));
    const columns = [t("Limit"), t("Used"), t("At most")].map((text, at) => h(`th${at ? ".number" : ""}`, { scope: "col" }, text));
    fill(inside, h("div.scroll", h("table.list", h("thead", h("tr", columns)), h("tbody", items.map(line)))));
  };
  const load = async () => {
    fill(inside, skeleton(4));
    try {
      await read();
    } catch (error) {
      if (error.name !== "AbortError") fill(inside, failure(error, load));
    }
  };
  const whole = h("details.card", { ontoggle: () => whole.open && load() }, h("summary", t("Limits")), inside);
  alive(async () => whole.open && read(), { every: EVERY_SECONDS, signal });
  return whole;
}

function tile(name, value, more, tone = "", href = null) {
  const inside = [h("span.tile-name", name), h("strong.tile-value", { class: tone }, value), h("span.tile-more", more)];
  return href ? h("a.tile", { href }, inside) : h("div.tile", inside);
}

function deadTile(letters) {
  const made = tile(t("Dead letters"), "…", "", "", "#/dead-letters");
  letters.then((found) => {
    const dead = found?.items.reduce((sum, one) => sum + one.dead_letters, 0);
    made.replaceWith(tile(t("Dead letters"), found ? `${count(dead)}${found.next_cursor ? "+" : ""}` : "–", found ? (dead ? t("not replayed yet") : t("none")) : t("unavailable"), dead ? "warn" : "", "#/dead-letters"));
  });
  return made;
}

/** Webhooks that do not do well, the worst first; else how many do. */
function needs(attention, more, webhooks) {
  if (!attention.length) return h("section.card.calm", h("p", badge("healthy", t("All healthy")), t` ${plural(webhooks, "webhook")}, none with problems.`));
  const list = (some) => h("ul.rows", some.map((one) => h("li.row",
    h("div.row-main", h("a.strong", { href: link("webhooks", one.webhook_id) }, one.webhook_name), h("p.muted.small", one.explanation ?? "")),
    h("div.row-side", one.attempts ? h("span.rate", meter(one.success_rate), percent(one.success_rate)) : h("span.muted.small", t("no recent attempts")), one.failing_since && h("span.muted.small", t("failing since "), time(one.failing_since)), causeOf(one), badge(one.health)))));
  const [first, rest] = [attention.slice(0, 8), attention.slice(8)];
  const others = rest.length > 0 && h("details.others", h("summary", t`${rest.length} more`), list(rest));
  return h("section.card", { "aria-labelledby": "attention" }, h("h2", { id: "attention" }, t("Needs attention")), list(first), others,
    more && h("p.muted", t("The worst are shown. The list of "), h("a", { href: "#/webhooks" }, t("all webhooks")), t(" has the others.")));
}

function guide() {
  const step = (number, title, text) => h("li", h("span.step", { "aria-hidden": "true" }, number), h("div", h("h2", title), h("p", text)));
  return h("section.guide.card", h("p.lead", t("A webhook sends your events to an endpoint of yours, signed, with retries until they are received.")),
    h("ol", step(1, t("Create a webhook"), t("Enter the URL that receives events. You get a signing secret, shown once.")),
      step(2, t("Subscribe it"), t("Choose event types on the same form. Filters can narrow them down.")),
      step(3, t("Send a test event"), t("See the request and the response of your server before anything real is sent."))),
    h("div.actions", linkButton(t("Create the first webhook"), "#/webhooks/new", { kind: "primary", glyph: "plus" })));
}
