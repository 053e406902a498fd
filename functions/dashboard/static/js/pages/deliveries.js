// A webhook's deliveries, newest first, by status, type and answer.

import { deliveryPath, get, post, webhookPath } from "../api.js";
import { fill, h } from "../dom.js";
import { recover } from "../replaying.js";
import { link, remember } from "../addresses.js";
import { actionButton, badge, empty, growing, time, toast } from "../ui.js";

const STATUSES = [["", "All statuses"], ["delivered", "Delivered"], ["retrying", "Retrying"], ["pending", "Pending"], ["failed", "Failed"], ["abandoned", "Abandoned"]];
const TIMES = [["", "Any time"], ["1", "Last hour"], ["24", "Last 24 hours"], ["168", "Last 7 days"]];

export function deliveries(webhook, query, signal) {
  const list = h("div");
  const jobs = h("div.stack");
  const of = (name) => query.get(name) ?? "";
  const choice = (name, label, options) => {
    const control = h("select", { name, "aria-label": label, onchange: () => draw() }, options.map(([value, text]) => h("option", { value }, text)));
    control.value = of(name);
    return control;
  };
  const status = choice("status", "Status", STATUSES);
  const since = choice("since", "Time", TIMES);
  const type = h("input", { type: "text", value: of("type"), placeholder: "Event type", "aria-label": "Event type", onchange: () => draw() });
  const code = h("input", { type: "number", min: "100", max: "999", value: of("code"), placeholder: "HTTP status", "aria-label": "HTTP status of an attempt", onchange: () => draw() });

  const draw = () => {
    remember({ status: status.value, since: since.value, type: type.value.trim(), code: code.value });
    const from = since.value ? new Date(Date.now() - Number(since.value) * 3_600_000).toISOString() : "";
    const filters = { status: status.value, event_type: type.value.trim(), status_code: code.value, from };
    const any = Object.values(filters).some(Boolean);
    fill(list, growing(
      (cursor) => get(`${webhookPath(webhook.id)}/deliveries`, { ...filters, cursor, limit: 30 }, signal),
      (items) => table(webhook, items),
      () => (any ? empty("No matching deliveries", "No delivery has this status, type, response and time.") : empty("No deliveries yet", "They appear here as soon as an event of a subscribed type is published."))));
  };
  draw();
  return h("div.stack", h("form.bar-of-tools", { onsubmit: (event) => (event.preventDefault(), draw()) }, status, since, type, code, h("button.button", { type: "submit" }, "Refresh"), actionButton("Recover …", () => recover({ webhook, jobs, signal, done: draw }), { title: "Send what this webhook missed in a time range" })), jobs, list);
}

function table(webhook, items) {
  return h("div.scroll.flush", h("table.list.cards", h("thead", h("tr", ["Delivery", "Status", "Attempts", "Last response", "When", ""].map((text) => (text ? h("th", { scope: "col" }, text) : h("td"))))),
    h("tbody", items.map((one) => row(webhook, one)))));
}

function row(webhook, one) {
  const again = actionButton(one.status === "delivered" ? "Send again" : "Retry", async () => {
    await post(`${deliveryPath(webhook.id, one.id)}/retry`);
    toast("Retry queued");
  }, { kind: "quiet", "aria-label": `${one.status === "delivered" ? "Send again" : "Retry"} ${one.id}` });
  return h("tr",
    h("td.wide-cell", h("a.strong", { href: link("webhooks", webhook.id, "deliveries", one.id) }, one.event_type), h("code.small.muted", one.id)),
    h("td", { "data-label": "Status" }, badge(one.status), one.waiting && h("p.muted.small", one.waiting.explanation)),
    h("td", { "data-label": "Attempts" }, one.attempt_count),
    h("td", { "data-label": "Last response" }, answerOf(one)),
    h("td", { "data-label": "When" }, time(one.created_at), one.next_attempt_at && h("p.muted.small", "next ", time(one.next_attempt_at))),
    h("td", again));
}

export function answerOf(one) {
  if (one.last_status_code !== null) return h("code", `HTTP ${one.last_status_code}`);
  return one.last_error_code ? h("code", one.last_error_code) : h("span.muted", "–");
}
