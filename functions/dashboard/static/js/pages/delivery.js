// One delivery: each attempt with what went out and came back, as text.

import { alive, held } from "../alive.js";
import { deliveryPath, get, post, webhookPath } from "../api.js";
import { fill, h, put } from "../dom.js";
import { write } from "../exact.js";
import { json, milliseconds, pretty } from "../format.js";
import { link } from "../addresses.js";
import { actionButton, badge, button, code, copy, facts, head, headersTable, idChip, time, toast, unsaved } from "../ui.js";
import { asCurl } from "../curl.js";
import { signatureCheck } from "./signature_check.js";
import { t } from "../strings.js";

const EVERY_SECONDS = 3; // while something is still to come
const SETTLED_MS = 15_000; // it may be sent again elsewhere
const SETTLED = ["delivered", "failed", "abandoned"];

/** `level`: of its heading, where it stands beside a list. */
export async function show({ root, params, signal, level = "h1" }) {
  const path = deliveryPath(params.webhook, params.delivery);
  const [found, webhook] = await Promise.all([get(path, {}, signal), get(webhookPath(params.webhook), {}, signal)]);
  let shown = found;
  let looked = Date.now();
  let asked = false; // for another attempt, which the record does not tell of at once
  const again = async () => {
    if (held() || !root.isConnected || (SETTLED.includes(shown.status) && !asked && Date.now() - looked < SETTLED_MS)) return;
    const now = await get(path, {}, signal);
    looked = Date.now();
    if (write(now) === write(shown) || held() || unsaved(root)) return;
    asked &&= now.attempts.length === shown.attempts.length;
    shown = now;
    draw(root, now, webhook, retried, level);
  };
  const retried = async () => {
    await post(`${path}/retry`);
    asked = true;
    toast(t("Retry queued"));
  };
  draw(root, found, webhook, retried, level);
  alive(again, { every: EVERY_SECONDS, signal });
}

function draw(root, one, webhook, retried, level) {
  const body = one.payload === null ? null : write(one.payload);
  const last = one.attempts.findLast((attempt) => attempt.request);
  fill(root,
    head(one.event_type, {
      level,
      above: [h("a", { href: "#/webhooks" }, t("Webhooks")), " / ", h("a", { href: `${link("webhooks", webhook.id)}?tab=deliveries` }, webhook.name)],
      below: [h("div.inline", badge(one.status), one.kind === "test" && badge("test"), idChip(one.id)), one.explanation && h("p", one.explanation), one.waiting && h("p.muted", one.waiting.explanation, t(" Next try "), time(one.waiting.until), "."), one.subscribed === false && h("p.muted", t("The webhook has no active subscription to this type now. It had one when the event came, so this is still sent. Pause the webhook to stop it."))],
      actions: [
        one.kind !== "test" && actionButton(one.status === "delivered" ? t("Send again") : t("Retry now"), retried, { kind: "primary" }),
        last && body && button(t("Copy as curl"), () => copy(asCurl(webhook.url, last.request.headers, body), t("Command copied")), { glyph: "copy" }),
      ].filter(Boolean),
    }),
    h("section.card", facts(
      [t("Event"), one.kind === "test" ? h("code", one.event_id) : h("a", { href: link("events", one.event_id) }, h("code", one.event_id))], [t("To"), h("code.address", webhook.url)],
      [t("Accepted"), time(one.created_at, { long: true })], [t("Attempts"), one.attempt_count], one.next_attempt_at && [t("Next attempt"), time(one.next_attempt_at, { long: true })])),
    h("section", { "aria-labelledby": "attempts" }, h("h2", { id: "attempts" }, t("Attempts")), one.attempts.length ? h("ol.timeline", one.attempts.toReversed().map((attempt, index) => timed(attempt, index === 0))) : h("p.muted", t("None yet."))),
    h("section", h("h2", t("Body")), body === null ? h("p.muted", t("No longer stored: bodies are deleted with their events after the retention time.")) : code(json(one.payload), { label: t("Body as sent, laid out") })),
    h("details.card", h("summary", h("strong", t("Check a signature"))), signatureCheck(last?.request.headers ?? {}, body)));
}

function timed(attempt, open) {
  const outcome = { success: t("delivered"), failure: t("failed"), unknown: t("cut off") }[attempt.outcome];
  const details = h("details", { open }, h("summary", h("span.inline", badge(attempt.outcome, outcome), h("strong", attempt.status_code !== null ? t`HTTP ${attempt.status_code}` : (attempt.error_code ?? "")), h("span.muted", milliseconds(attempt.duration_ms)), time(attempt.started_at))));
  const draw = () => !details.dataset.drawn && ((details.dataset.drawn = "1"), put(details, inside(attempt)));
  details.addEventListener("toggle", () => details.open && draw());
  if (open) draw();
  return h("li", { class: attempt.outcome }, h("span.number", attempt.number === null ? "–" : `#${attempt.number}`), details);
}

function inside(attempt) {
  const timings = Object.entries(attempt.timings).filter(([, value]) => value !== null && value !== undefined);
  return h("div.stack",
    attempt.explanation && h("p", attempt.explanation),
    attempt.remark && h("p.muted", attempt.remark),
    h("p.muted.small", t("Started "), time(attempt.started_at, { long: true }), timings.map(([name, value]) => ` · ${name.replace("_ms", "")} ${milliseconds(value)}`)),
    h("div.columns.two",
      h("section", h("h3", t("Request")), attempt.request ? headersTable(attempt.request.headers, t("Headers as sent")) : h("p.muted", t("Headers are stored for failed attempts only."))),
      h("section", h("h3", t("Response")), attempt.response ? [headersTable(attempt.response.headers, t("Headers as received")), code(pretty(attempt.response.body), { label: t("Response body") }), attempt.response.body_truncated && h("p.muted.small", t("Truncated: the rest was not stored."))] : h("p.muted", attempt.status_code === null ? t("No response.") : t("Not stored.")))));
}
