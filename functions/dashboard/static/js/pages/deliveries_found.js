// Deliveries of all webhooks, newest first.

import { deliveryPath, get, post } from "../api.js";
import { beside } from "../beside.js";
import { h, put } from "../dom.js";
import { link, remember, withQuery } from "../addresses.js";
import { filtered, listing } from "../list.js";
import { select, text } from "../forms.js";
import { may } from "../session.js";
import { portal } from "../portal.js";
import { actionButton, badge, empty, head, linkButton, time, toast } from "../ui.js";
import { answerOf, fromOf, STATUSES, TIMES } from "./deliveries.js";
import { t } from "../strings.js";

export function show({ root, query, signal }) {
  const everybody = may("admin") && !portal;
  const controls = {
    status: select(STATUSES, query.has("status") ? query.get("status") : everybody ? "failed" : "", { "aria-label": t("Status") }),
    since: select(TIMES, "", { "aria-label": t("Time") }),
    type: text("", { placeholder: t("Event type"), "aria-label": t("Event type") }),
    code: h("input", { type: "number", min: "100", max: "999", placeholder: t("HTTP status"), "aria-label": t("HTTP status of an attempt") }),
    webhook: text("", { placeholder: t("Webhook id"), "aria-label": t("Webhook id"), spellcheck: "false" }),
    ...(everybody ? { owner: text("", { placeholder: t("Owner"), "aria-label": t("Owner") }) } : {}),
  };
  if (everybody && !query.has("status")) remember({ status: "failed" });
  const heads = [t("Delivery"), t("Webhook"), ...(everybody ? [t("Owner")] : []), t("Status"), t("Attempts"), t("Last response"), t("When"), ""];
  const list = filtered({
    controls,
    signal,
    build: (now, inner) => listing({
      heads,
      signal: inner,
      dense: true,
      load: (cursor) => get("/deliveries", { status: now.status, event_type: now.type, status_code: now.code, webhook_id: now.webhook, user_id: now.owner, from: fromOf(now.since), cursor, limit: 25 }, inner),
      row: (one) => row(one, everybody),
      none: () => (Object.values(now).some(Boolean) ? empty(t("No matching deliveries"), t("No delivery matches these filters.")) : empty(t("No deliveries yet"), t("They appear here as soon as an event of a subscribed type is published."))),
      fails: (error) => error.status === 422 && empty(t("Narrow the search"), error.message, linkButton(t("Show failed deliveries"), withQuery("/deliveries", { status: "failed" }))),
    }),
  });
  beside(list.element, signal);
  put(root, head(t("Deliveries")), h("form.bar-of-tools", { onsubmit: (event) => event.preventDefault() }, Object.values(controls)), list.element);
}

function row(one, everybody) {
  const verb = one.status === "delivered" ? t("Send again") : t("Retry");
  const again = actionButton(verb, async () => {
    await post(`${deliveryPath(one.webhook_id, one.id)}/retry`);
    toast(t("Retry queued"));
  }, { kind: "quiet", "aria-label": `${verb} ${one.id}` });
  return h("tr",
    h("td.wide-cell", h("a.strong", { href: link("webhooks", one.webhook_id, "deliveries", one.id) }, one.event_type), h("code.small.muted", one.id)),
    h("td", { "data-label": t("Webhook") }, h("a", { href: link("webhooks", one.webhook_id) }, one.webhook_name)),
    everybody && h("td", { "data-label": t("Owner") }, h("a", { href: withQuery("/webhooks", { owner: one.user_id }) }, one.user_id)),
    h("td", { "data-label": t("Status") }, h("span.inline", { title: one.waiting?.explanation ?? one.explanation ?? "" }, badge(one.status), one.kind === "test" && badge("test"))),
    h("td", { "data-label": t("Attempts") }, one.attempt_count),
    h("td", { "data-label": t("Last response") }, answerOf(one)),
    h("td", { "data-label": t("When") }, time(one.created_at), one.next_attempt_at && h("p.muted.small", t("next "), time(one.next_attempt_at))),
    h("td", one.kind !== "test" && again));
}
