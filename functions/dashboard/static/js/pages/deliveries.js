// A webhook's deliveries, newest first, by status, type and response.

import { deliveryPath, get, post, webhookPath } from "../api.js";
import { h } from "../dom.js";
import { recover } from "../replaying.js";
import { link } from "../addresses.js";
import { select, text } from "../forms.js";
import { filtered, listing } from "../list.js";
import { actionButton, badge, empty, time, toast } from "../ui.js";

export const STATUSES = [["", "All statuses"], ["delivered", "Delivered"], ["retrying", "Retrying"], ["pending", "Pending"], ["failed", "Failed"], ["abandoned", "Abandoned"]];
export const TIMES = [["", "Any time"], ["1", "Last hour"], ["24", "Last 24 hours"], ["168", "Last 7 days"]];

/** A number of hours as the API's `from`. */
export const fromOf = (hours) => (hours ? new Date(Date.now() - Number(hours) * 3_600_000).toISOString() : "");

export function deliveries(webhook, signal) {
  const jobs = h("div.stack");
  const controls = {
    status: select(STATUSES, "", { "aria-label": "Status" }),
    since: select(TIMES, "", { "aria-label": "Time" }),
    type: text("", { placeholder: "Event type", "aria-label": "Event type" }),
    code: h("input", { type: "number", min: "100", max: "999", placeholder: "HTTP status", "aria-label": "HTTP status of an attempt" }),
  };
  const list = filtered({
    controls,
    signal,
    build: (now, inner) => listing({
      heads: ["Delivery", "Status", "Attempts", "Last response", "When", ""],
      signal: inner,
      load: (cursor) => get(`${webhookPath(webhook.id)}/deliveries`, { status: now.status, event_type: now.type, status_code: now.code, from: fromOf(now.since), cursor, limit: 30 }, inner),
      row: (one) => row(webhook, one),
      none: () => (Object.values(now).some(Boolean) ? empty("No matching deliveries", "No delivery has this status, type, response and time.") : empty("No deliveries yet", "They appear here as soon as an event of a subscribed type is published.")),
    }),
  });
  const missed = actionButton("Recover …", () => recover({ webhook, jobs, signal, done: list.draw }), { title: "Send what this webhook missed in a time range" });
  return h("div.stack", h("form.bar-of-tools", { onsubmit: (event) => event.preventDefault() }, Object.values(controls), missed), jobs, list.element);
}

function row(webhook, one) {
  const again = actionButton(one.status === "delivered" ? "Send again" : "Retry", async () => {
    await post(`${deliveryPath(webhook.id, one.id)}/retry`);
    toast("Retry queued");
  }, { kind: "quiet", "aria-label": `${one.status === "delivered" ? "Send again" : "Retry"} ${one.id}` });
  return h("tr",
    h("td.wide-cell", h("a.strong", { href: link("webhooks", webhook.id, "deliveries", one.id) }, one.event_type), h("code.small.muted", one.id)),
    h("td", { "data-label": "Status" }, badge(one.status), one.kind === "test" && badge("test"), one.waiting && h("p.muted.small", one.waiting.explanation)),
    h("td", { "data-label": "Attempts" }, one.attempt_count),
    h("td", { "data-label": "Last response" }, answerOf(one)),
    h("td", { "data-label": "When" }, time(one.created_at), one.next_attempt_at && h("p.muted.small", "next ", time(one.next_attempt_at))),
    h("td", one.kind !== "test" && again));
}

export function answerOf(one) {
  if (one.last_status_code !== null) return h("code", `HTTP ${one.last_status_code}`);
  return one.last_error_code ? h("code", one.last_error_code) : h("span.muted", "–");
}
