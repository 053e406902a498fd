// A webhook's deliveries, newest first, by status, type and response.

import { deliveryPath, get, post, webhookPath } from "../api.js";
import { beside } from "../beside.js";
import { h } from "../dom.js";
import { recover } from "../replaying.js";
import { link } from "../addresses.js";
import { select, text } from "../forms.js";
import { filtered, listing } from "../list.js";
import { actionButton, badge, empty, time, toast } from "../ui.js";
import { t } from "../strings.js";

export const STATUSES = [["", t("All statuses")], ["delivered", t("Delivered")], ["retrying", t("Retrying")], ["pending", t("Pending")], ["failed", t("Failed")], ["abandoned", t("Abandoned")]];
export const TIMES = [["", t("Any time")], ["1", t("Last hour")], ["24", t("Last 24 hours")], ["168", t("Last 7 days")]];

/** A number of hours as the API's `from`. */
export const fromOf = (hours) => (hours ? new Date(Date.now() - Number(hours) * 3_600_000).toISOString() : "");

export function deliveries(webhook, signal) {
  const jobs = h("div.stack");
  const controls = {
    status: select(STATUSES, "", { "aria-label": t("Status") }),
    since: select(TIMES, "", { "aria-label": t("Time") }),
    type: text("", { placeholder: t("Event type"), "aria-label": t("Event type") }),
    code: h("input", { type: "number", min: "100", max: "999", placeholder: t("HTTP status"), "aria-label": t("HTTP status of an attempt") }),
  };
  const list = filtered({
    controls,
    signal,
    build: (now, inner) => listing({
      heads: [t("Delivery"), t("Status"), t("Attempts"), t("Last response"), t("When"), ""],
      signal: inner,
      load: (cursor) => get(`${webhookPath(webhook.id)}/deliveries`, { status: now.status, event_type: now.type, status_code: now.code, from: fromOf(now.since), cursor, limit: 30 }, inner),
      row: (one) => row(webhook, one),
      none: () => (Object.values(now).some(Boolean) ? empty(t("No matching deliveries"), t("No delivery has this status, type, response and time.")) : empty(t("No deliveries yet"), t("They appear here as soon as an event of a subscribed type is published."))),
    }),
  });
  const missed = actionButton(t("Recover …"), () => recover({ webhook, jobs, signal, done: list.draw }), { title: t("Send what this webhook missed in a time range") });
  beside(list.element, signal);
  return h("div.stack", h("form.bar-of-tools", { onsubmit: (event) => event.preventDefault() }, Object.values(controls), missed), jobs, list.element);
}

function row(webhook, one) {
  const again = actionButton(one.status === "delivered" ? t("Send again") : t("Retry"), async () => {
    await post(`${deliveryPath(webhook.id, one.id)}/retry`);
    toast(t("Retry queued"));
  }, { kind: "quiet", "aria-label": `${one.status === "delivered" ? t("Send again") : t("Retry")} ${one.id}` });
  return h("tr",
    h("td.wide-cell", h("a.strong", { href: link("webhooks", webhook.id, "deliveries", one.id) }, one.event_type), h("code.small.muted", one.id)),
    h("td", { "data-label": t("Status") }, h("span.inline", badge(one.status), one.kind === "test" && badge("test")), one.waiting && h("p.muted.small", one.waiting.explanation)),
    h("td", { "data-label": t("Attempts") }, one.attempt_count),
    h("td", { "data-label": t("Last response") }, answerOf(one)),
    h("td", { "data-label": t("When") }, time(one.created_at), one.next_attempt_at && h("p.muted.small", t("next "), time(one.next_attempt_at))),
    h("td", one.kind !== "test" && again));
}

export function answerOf(one) {
  if (one.last_status_code !== null) return h("code", t`HTTP ${one.last_status_code}`);
  return one.last_error_code ? h("code", one.last_error_code) : h("span.muted", "–");
}
