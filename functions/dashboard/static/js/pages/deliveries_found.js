// Deliveries of all webhooks, newest first.

import { deliveryPath, get, post } from "../api.js";
import { h, put } from "../dom.js";
import { link, remember, withQuery } from "../addresses.js";
import { filtered, listing } from "../list.js";
import { select, text } from "../forms.js";
import { may } from "../session.js";
import { portal } from "../portal.js";
import { actionButton, badge, empty, head, linkButton, time, toast } from "../ui.js";
import { answerOf, fromOf, STATUSES, TIMES } from "./deliveries.js";

export function show({ root, query, signal }) {
  const everybody = may("admin") && !portal;
  const controls = {
    status: select(STATUSES, query.has("status") ? query.get("status") : everybody ? "failed" : "", { "aria-label": "Status" }),
    since: select(TIMES, "", { "aria-label": "Time" }),
    type: text("", { placeholder: "Event type", "aria-label": "Event type" }),
    code: h("input", { type: "number", min: "100", max: "999", placeholder: "HTTP status", "aria-label": "HTTP status of an attempt" }),
    webhook: text("", { placeholder: "Webhook id", "aria-label": "Webhook id", spellcheck: "false" }),
    ...(everybody ? { owner: text("", { placeholder: "Owner", "aria-label": "Owner" }) } : {}),
  };
  if (everybody && !query.has("status")) remember({ status: "failed" });
  const heads = ["Delivery", "Webhook", ...(everybody ? ["Owner"] : []), "Status", "Attempts", "Last response", "When", ""];
  const list = filtered({
    controls,
    signal,
    build: (now, inner) => listing({
      heads,
      signal: inner,
      dense: true,
      load: (cursor) => get("/deliveries", { status: now.status, event_type: now.type, status_code: now.code, webhook_id: now.webhook, user_id: now.owner, from: fromOf(now.since), cursor, limit: 25 }, inner),
      row: (one) => row(one, everybody),
      none: () => (Object.values(now).some(Boolean) ? empty("No matching deliveries", "No delivery matches these filters.") : empty("No deliveries yet", "They appear here as soon as an event of a subscribed type is published.")),
      fails: (error) => error.status === 422 && empty("Narrow the search", error.message, linkButton("Show failed deliveries", withQuery("/deliveries", { status: "failed" }))),
    }),
  });
  put(root, head("Deliveries"), h("form.bar-of-tools", { onsubmit: (event) => event.preventDefault() }, Object.values(controls)), list.element);
}

function row(one, everybody) {
  const verb = one.status === "delivered" ? "Send again" : "Retry";
  const again = actionButton(verb, async () => {
    await post(`${deliveryPath(one.webhook_id, one.id)}/retry`);
    toast("Retry queued");
  }, { kind: "quiet", "aria-label": `${verb} ${one.id}` });
  return h("tr",
    h("td.wide-cell", h("a.strong", { href: link("webhooks", one.webhook_id, "deliveries", one.id) }, one.event_type), h("code.small.muted", one.id)),
    h("td", { "data-label": "Webhook" }, h("a", { href: link("webhooks", one.webhook_id) }, one.webhook_name)),
    everybody && h("td", { "data-label": "Owner" }, h("a", { href: withQuery("/webhooks", { owner: one.user_id }) }, one.user_id)),
    h("td", { "data-label": "Status" }, h("span", { title: one.waiting?.explanation ?? one.explanation ?? "" }, badge(one.status)), one.kind === "test" && badge("test")),
    h("td", { "data-label": "Attempts" }, one.attempt_count),
    h("td", { "data-label": "Last response" }, answerOf(one)),
    h("td", { "data-label": "When" }, time(one.created_at), one.next_attempt_at && h("p.muted.small", "next ", time(one.next_attempt_at))),
    h("td", one.kind !== "test" && again));
}
