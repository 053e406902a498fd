// What became of an event, webhook by webhook, and why.

import { alive, held } from "../alive.js";
import { del, get } from "../api.js";
import { fill, h, put } from "../dom.js";
import { json, plural, words } from "../format.js";
import { link } from "../addresses.js";
import { may } from "../session.js";
import { actionButton, badge, code, confirm, empty, facts, growing, head, idChip, linkButton, skeleton, time, toast } from "../ui.js";
import { t } from "../strings.js";

const FRESH_TRIES = 12;
const EVERY_SECONDS = 2;
const SETTLED_MS = 15_000;
const BY_OUTCOME = ["failed", "abandoned", "retrying", "pending", "recorded", "delivered"];
const SETTLED = new Set(["delivered", "failed", "abandoned", "recorded", "not_queued"]);

export async function show({ root, params, query, signal }) {
  const path = `/events/${encodeURIComponent(params.event)}`;
  const chosen = { workspace_id: query.get("workspace_id"), user_id: query.get("user_id") };
  put(root, skeleton(6));
  const event = await patiently(() => get(path, { ...chosen, limit: 50 }, signal), signal);
  if (!event) {
    fill(root, head(t("No such event"), { above: h("a", { href: "#/events" }, t("Events")) }), empty(t("Event not found"), t("Events show up within seconds of being published and are stored for the retention time. Ids are case sensitive."), linkButton(t("All events"), "#/events")));
    return;
  }
  draw(root, event, path, chosen, signal);
  follow(root, event, path, chosen, signal);
}

/** One that was published just now is recorded within seconds. */
async function patiently(read, signal) {
  for (let tries = 0; tries < FRESH_TRIES; tries += 1) {
    try {
      return await read();
    } catch (error) {
      if (error.status !== 404) throw error;
      await new Promise((resolve) => setTimeout(resolve, 400));
      if (signal.aborted) throw new DOMException("left", "AbortError");
    }
  }
  return null;
}

function draw(root, event, path, chosen, signal) {
  const counts = Object.entries(event.counts).map(([name, amount]) => `${amount} ${words(name)}`).join(", ");
  let first = event;
  const results = growing(
    async (cursor) => {
      const page = first ?? (await get(path, { ...chosen, limit: 50, cursor }, signal));
      first = null;
      return { items: page.webhooks, next_cursor: page.next_cursor };
    },
    outcomes,
    () => empty(t("No webhook received it"), t("None was subscribed when it was published. A subscription applies to later events."), linkButton(t("Webhooks"), "#/webhooks")));
  fill(root,
    head(event.type, { above: h("a", { href: "#/events" }, t("Events")), below: h("div.inline", badge(event.disposition), idChip(event.id)), actions: event.payload && (may("admin") || may("events:write")) ? [actionButton(t("Erase payload"), () => erase(root, event, path, chosen, signal), { kind: "quiet" })] : [] }),
    h("section.card", facts([t("Accepted"), time(event.accepted_at, { long: true })], [t("Workspace"), event.workspace_id ?? "–"], [t("User"), event.user_id ?? "–"], counts && [t("Outcomes"), counts], event.retention_days !== null && [t("Kept"), event.retention_days ? plural(event.retention_days, "day") : t("until delivered")])),
    event.repeats.length > 0 && h("section", h("h2", t("Published again")), repeats(event.repeats)),
    h("section", h("h2", t("Webhooks")), results),
    h("section", h("h2", t("Payload")), event.payload ? code(json(event.payload), { label: t("Payload") }) : h("p.muted", t("It is no longer kept."))),
    event.redact.length > 0 && h("p.muted.small", t`Receivers got these fields, and their values are not kept: ${event.redact.join(", ")}`));
}

async function erase(root, event, path, chosen, signal) {
  if (!(await confirm(t("Erase this payload?"), t("What waits is not sent, and nothing of it can be sent again. What became of the event stays listed."), t("Erase payload")))) return;
  await del(`${path}?${new URLSearchParams(Object.entries(chosen).filter(([, value]) => value))}`);
  toast(t("Payload erased"));
  draw(root, await get(path, { ...chosen, limit: 50 }, signal), path, chosen, signal);
}

/** What else came under its id, or its Idempotency-Key. */
function repeats(items) {
  const said = (one) => (one.outcome === "duplicate" ? t("The same event. It was not sent again.") : t`Another event, which was refused. It differs in ${one.differs.join(", ")}.`);
  return h("div.scroll.flush", h("table.list.cards", h("thead", h("tr", [t("First time"), t("What was published")].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", items.map((one) => h("tr", h("td", { "data-label": t("First time") }, time(one.at)), h("td.wide-cell", { "data-label": t("What was published") }, said(one)))))));
}

/** What went wrong first; webhooks that it was not queued for are folded away. */
function outcomes(items) {
  const queued = items.filter((one) => one.status !== "not_queued").sort((a, b) => BY_OUTCOME.indexOf(a.status) - BY_OUTCOME.indexOf(b.status));
  const others = items.filter((one) => one.status === "not_queued");
  return [
    queued.length > 0 && table(queued),
    others.length > 0 && h("details.others", { open: queued.length === 0 }, h("summary", t`Not queued for ${plural(others.length, "webhook")}`), table(others)),
  ].filter(Boolean);
}

function table(items) {
  return h("div.scroll.flush", h("table.list.cards", h("thead", h("tr", [t("Webhook"), t("Outcome"), t("Why"), t("Attempts")].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", items.map((one) => h("tr",
      h("td.wide-cell", h("a.strong", { href: link("webhooks", one.webhook_id) }, one.webhook_name), one.delivery_id && h("a.small", { href: link("webhooks", one.webhook_id, "deliveries", one.delivery_id) }, t("Show the delivery"))),
      h("td", { "data-label": t("Outcome") }, badge(one.status)),
      h("td", { "data-label": t("Why") }, one.explanation ?? words(one.reason ?? ""), one.evaluated_now && h("p.muted.small", t("Determined from the webhook as it is now.")), one.next_attempt_at && h("p.muted.small", t("next attempt "), time(one.next_attempt_at))),
      h("td", { "data-label": t("Attempts") }, one.attempt_count))))));
}

/** Look again: soon while something is under way, and now and then after that, since it may be sent again. */
function follow(root, event, path, chosen, signal) {
  let now = event;
  let looked = Date.now();
  const said = (one) => one.webhooks.map((each) => each.status + each.attempt_count).join();
  alive(async () => {
    if (held() || (now.webhooks.every((one) => SETTLED.has(one.status)) && Date.now() - looked < SETTLED_MS)) return;
    const next = await get(path, { ...chosen, limit: 50 }, signal);
    looked = Date.now();
    if (said(next) === said(now) || held()) return;
    now = next;
    draw(root, now, path, chosen, signal);
  }, { every: EVERY_SECONDS, signal });
}
