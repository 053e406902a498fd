// An admin's overview: the service at a glance, who is in trouble, and who causes it.

import { alive, held } from "../alive.js";
import { call, get } from "../api.js";
import { meter } from "../chart.js";
import { fill, h, put, redraw } from "../dom.js";
import { clockTime, count, percent, plural, stretch, words } from "../format.js";
import { link, remember, withQuery } from "../addresses.js";
import { depths, parse, sumOf } from "../metrics.js";
import { badge, causeOf, failure, head, segmented, skeleton, time } from "../ui.js";

const EVERY_SECONDS = 15;
const HOURS = { 1: "1 hour", 6: "6 hours", 24: "24 hours" };
const waitingOf = (tenant) => Object.values(tenant.waiting).reduce((sum, one) => sum + one, 0);
const COLUMNS = {
  owner: ["Tenant", (one) => one.user_id],
  deliveries: ["Deliveries", (one) => one.deliveries],
  failures: ["Failed attempts", (one) => one.failures],
  rate: ["Success", (one) => one.success_rate ?? 2],
  dead: ["Dead letters", (one) => one.dead_letters],
  waiting: ["Waiting", waitingOf],
  cause: ["Cause", (one) => one.cause ?? ""],
};
const UPWARDS = new Set(["owner", "rate", "cause"]);

export async function show({ root, query, signal }) {
  const state = { hours: HOURS[query.get("hours")] ? query.get("hours") : "1", by: COLUMNS[query.get("by")] ? query.get("by") : "failures" };
  const body = h("div.stack.large", skeleton(8));
  const updated = h("span.muted", { role: "status" });
  const range = segmented("Time", Object.entries(HOURS), state.hours, (hours) => {
    state.hours = hours;
    remember({ hours: hours === "1" ? "" : hours });
    first();
  });
  put(root, head("Overview", { below: h("span", "All tenants. ", updated), actions: [range] }), body);
  let last = null;
  const sorted = (by) => {
    state.by = by;
    remember({ by: by === "failures" ? "" : by });
    redraw(body, drawn(last, state, sorted));
  };
  const read = async () => {
    const asked = state.hours;
    const from = new Date(Date.now() - (Number(asked) - 1) * 3_600_000).toISOString();
    const [view, metrics] = await Promise.all([get("/tenants", { from }, signal), call("GET", "/metrics", { root: true, signal })]);
    if (asked !== state.hours) return;
    last = { view, samples: parse(metrics.body) };
    if (held()) return;
    redraw(body, drawn(last, state, sorted));
    fill(updated, `Updated ${clockTime(new Date())}`);
  };
  const first = () => read().catch((error) => error.name === "AbortError" || fill(body, failure(error, first)));
  alive(read, { every: EVERY_SECONDS, signal });
  await first();
}

function drawn({ view, samples }, state, sorted) {
  const sum = sumOf(samples);
  const total = (name) => view.items.reduce((all, one) => all + one[name], 0);
  const queues = depths(samples);
  const oldest = queues.toSorted((a, b) => b.age - a.age)[0];
  const failing = view.items.filter((one) => one.failures).length;
  return [
    h("div.tiles",
      tile("Deliveries", count(total("deliveries")), `in ${HOURS[state.hours]}`),
      tile("Success", percent(total("attempts") ? total("successes") / total("attempts") : null), plural(total("failures"), "failed attempt")),
      tile("Failing tenants", count(failing), `of ${count(view.items.length)}${view.is_complete ? "" : "+"}`, failing ? "warn" : ""),
      tile("On hold", count(sum("webhook_parked_deliveries")), "outside the queues", sum("webhook_parked_deliveries") ? "warn" : ""),
      tile("In queues", count(queues.reduce((all, one) => all + one.visible + one.in_flight + one.delayed, 0)), oldest?.age ? `oldest ${stretch(oldest.age)} (${words(oldest.name)})` : "age of the oldest unknown"),
      tile("Open circuits", count(samples.filter((one) => one.name === "webhook_circuit_breaker_state" && one.value > 0).length), "webhooks")),
    h("section", { "aria-labelledby": "tenants" }, h("h2", { id: "tenants" }, "Tenants"), tenants(view, state, sorted)),
    h("section", { "aria-labelledby": "trouble" }, h("h2", { id: "trouble" }, "Webhooks with problems"), attention(view)),
    h("p.muted.small", "Figures lag by a few seconds, and are of whole hours. Everything since the service began is under ", h("a", { href: "#/service" }, "Service"), ". To erase a tenant, go to ", h("a", { href: "#/erasures" }, "Erased tenants"), "."),
  ];
}

const tile = (name, value, more, tone = "") => h("div.tile", h("span.tile-name", name), h("strong.tile-value", { class: tone }, value), h("span.tile-more", more));

function tenants(view, state, sorted) {
  const value = COLUMNS[state.by][1];
  const way = UPWARDS.has(state.by) ? 1 : -1;
  const items = view.items.toSorted((a, b) => {
    const [one, other] = [value(a), value(b)];
    return way * (typeof one === "number" ? one - other : String(one).localeCompare(String(other)));
  });
  if (!items.length) return h("p.muted", "Nobody has a webhook yet.");
  const heads = Object.entries(COLUMNS).map(([name, [label]]) => h("th", { scope: "col", "aria-sort": name === state.by ? (way > 0 ? "ascending" : "descending") : null }, h("button.bare.sort", { type: "button", onclick: () => sorted(name) }, label)));
  return [
    h("div.scroll.flush", h("table.list.cards.dense", h("thead", h("tr", heads)), h("tbody", items.slice(0, 50).map((one) => h("tr",
      h("td.wide-cell", h("a.strong", { href: withQuery("/webhooks", { owner: one.user_id }) }, one.user_id), h("span.muted.small", plural(one.webhooks, "webhook"))),
      h("td", { "data-label": "Deliveries" }, count(one.deliveries)),
      h("td", { "data-label": "Failed attempts" }, one.failures ? h("a", { href: withQuery("/deliveries", { owner: one.user_id, status: "failed" }) }, count(one.failures)) : "0"),
      h("td", { "data-label": "Success" }, one.attempts ? h("span.rate", meter(one.success_rate), percent(one.success_rate)) : h("span.muted", "–")),
      h("td", { "data-label": "Dead letters" }, count(one.dead_letters)),
      h("td", { "data-label": "Waiting", title: Object.entries(one.waiting).map(([reason, amount]) => `${words(reason)}: ${count(amount)}`).join(", ") }, count(waitingOf(one))),
      h("td", { "data-label": "Cause" }, one.cause ? h("code.small", one.cause) : h("span.muted", "–"))))))),
    (items.length > 50 || !view.is_complete) && h("p.muted.small", "Only some are shown. Find a tenant by its webhooks: ", h("a", { href: "#/webhooks" }, "all webhooks"), "."),
  ];
}

function attention(view) {
  if (!view.attention.length) return h("p.muted", "None.");
  return [
    h("div.scroll.flush", h("table.list.cards.dense", h("thead", h("tr", ["Webhook", "Tenant", "State", "Failing since", "Success, 2 h", "Waiting"].map((name) => h("th", { scope: "col" }, name)))), h("tbody", view.attention.map((one) => h("tr",
      h("td.wide-cell", h("a.strong", { href: link("webhooks", one.webhook_id) }, one.webhook_name)),
      h("td", { "data-label": "Tenant" }, h("a", { href: withQuery("/webhooks", { owner: one.user_id }) }, one.user_id)),
      h("td", { "data-label": "State" }, h("span.inline", { title: one.explanation ?? "" }, badge(one.health), causeOf(one))),
      h("td", { "data-label": "Failing since" }, time(one.failing_since)),
      h("td", { "data-label": "Success, 2 h" }, one.attempts ? h("span.rate", meter(one.success_rate), percent(one.success_rate)) : h("span.muted", "no attempts")),
      h("td", { "data-label": "Waiting" }, count(one.waiting))))))),
    view.more_attention && h("p.muted.small", "There are more than these."),
  ];
}
