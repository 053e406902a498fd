// The service as a whole, for whoever may read its metrics: what Prometheus scrapes, in words.

import { alive } from "../alive.js";
import { call } from "../api.js";
import { fill, h, put, redraw } from "../dom.js";
import { depths, parse, rateOf, sumOf } from "../metrics.js";
import { count, milliseconds, stretch, words } from "../format.js";
import { link } from "../addresses.js";
import { badge, failure, head, idChip, skeleton } from "../ui.js";

const EVERY_SECONDS = 10;

export async function show({ root, signal }) {
  const body = h("div.stack.large", skeleton(8));
  put(root, head("Service", { below: h("p.muted", "All tenants together, since the service began; queues and circuits as of now.") }), body);
  const read = async () => {
    const [metrics, ready] = await Promise.all([call("GET", "/metrics", { root: true, signal }), call("GET", "/ready", { root: true, signal }).then((answer) => answer.body, () => ({ checks: {}, status: "unavailable" }))]);
    redraw(body, ...drawn(parse(metrics.body), ready));
  };
  const load = async () => {
    try {
      await read();
    } catch (error) {
      if (error.name !== "AbortError") fill(body, failure(error, load));
    }
  };
  load();
  alive(read, { every: EVERY_SECONDS, signal });
}

function drawn(samples, ready) {
  const all = (name) => samples.filter((one) => one.name === name);
  const sum = sumOf(samples);
  const tile = (name, value, more = null) => h("div.tile", h("span.tile-name", name), h("strong.tile-value", value), more && h("span.tile-more", more));
  const rate = rateOf(samples);
  const circuits = all("webhook_circuit_breaker_state").filter((one) => one.value > 0);
  return [
    h("div.tiles", tile("Events", count(sum("webhook_events_total"))), tile("Deliveries", count(sum("webhook_deliveries_total"))),
      tile("Attempts", count(sum("webhook_delivery_attempts_total")), rate === null ? null : `${(rate * 100).toFixed(1)} % succeeded`), tile("Latency, p99", quantile(all, 0.99), `p50 ${quantile(all, 0.5)}`),
      tile("Dead letters", count(sum("webhook_dead_letters_total"))), tile("Waiting", count(sum("webhook_parked_deliveries")))),
    h("div.columns.two",
      h("section.card", h("h2", "Queues"), h("div.scroll", h("table.list", h("thead", h("tr", ["Queue", "Visible", "In flight", "Delayed", "Oldest"].map((name, at) => h(`th${at ? ".number" : ""}`, { scope: "col" }, name)))), h("tbody", depths(samples).map((queue) => h("tr", h("td", words(queue.name)),
        ["visible", "in_flight", "delayed"].map((state) => h("td.number", count(queue[state]))), h("td.number", queue.age ? stretch(queue.age) : "–"))))))),
      h("section.card", h("h2", "Dependencies"), h("ul.plain", Object.entries(ready.checks).map(([name, said]) => h("li.inline", badge(said === "ok" ? "ok" : "failed", said), words(name)))), h("h2", "Webhooks"), h("ul.plain", all("webhook_registered").map((one) => h("li.inline", badge(one.labels.status), count(one.value)))))),
    h("div.columns.two", reasons("Waiting now, by reason", all("webhook_parked_deliveries"), "Deliveries"), reasons("Why attempts failed", all("webhook_delivery_failures_total")), reasons("Why deliveries waited so far", all("webhook_delivery_deferrals_total"))),
    circuits.length > 0 && h("section.card", h("h2", "Open circuits"), h("ul.plain", circuits.slice(0, 50).map((one) => h("li.inline", badge(one.value === 2 ? "open" : "half_open"), h("a", { href: link("webhooks", one.labels.webhook_id) }, "Show webhook"), idChip(one.labels.webhook_id))))),
  ];
}

function reasons(title, samples, counted = "Times") {
  const some = samples.filter((one) => one.value).sort((a, b) => b.value - a.value);
  return h("section.card", h("h2", title), some.length ? h("table.list", h("thead", h("tr", h("th", { scope: "col" }, "Reason"), h("th.number", { scope: "col" }, counted))), h("tbody", some.map((one) => h("tr", h("td", h("code", one.labels.reason)), h("td.number", count(one.value)))))) : h("p.muted", "None."));
}

function quantile(all, wanted) {
  const buckets = all("webhook_delivery_duration_seconds_bucket").map((one) => [one.labels.le === "+Inf" ? Infinity : Number(one.labels.le), one.value]).sort((a, b) => a[0] - b[0]);
  const total = buckets.at(-1)?.[1] ?? 0;
  const end = buckets.find(([, below]) => total && below >= wanted * total)?.[0];
  return end === undefined ? "–" : end === Infinity ? "> 30 s" : milliseconds(end * 1_000);
}
