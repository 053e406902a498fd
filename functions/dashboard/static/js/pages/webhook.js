// One webhook: its health, subscriptions and deliveries, and everything that can be done with it.

import { alive, held } from "../alive.js";
import { KEY_SET, call, del, get, post, put as change, webhookPath } from "../api.js";
import { chart } from "../chart.js";
import { fill, h, put, redraw } from "../dom.js";
import { count, json, milliseconds, percent, plural, stretch, words } from "../format.js";
import { address, go, link, remember } from "../addresses.js";
import { actionButton, badge, causeOf, code, confirm, dialog, empty, facts, failure, head, headersTable, idChip, linkButton, segmented, skeleton, tabs, time, toast } from "../ui.js";
import { changes } from "./changes.js";
import { deliveries } from "./deliveries.js";
import { reading } from "./reading.js";
import { subscriptions } from "./subscriptions.js";
import { sendTest } from "./trial.js";
import { showSecret } from "./webhook_form.js";
import { t } from "../strings.js";

const RANGES = { day: [t("24 hours"), 24, "hour"], week: [t("7 days"), 168, "hour"], month: [t("30 days"), 720, "day"], quarter: [t("90 days"), 2_160, "day"] };

const LISTED = { cursor: "", show: "", status: "", since: "", type: "", code: "" }; // what another tab's list has in the address

export async function show({ root, params, query, signal }) {
  const path = webhookPath(params.webhook);
  const looked = get(`${path}/health`, {}, signal); // while the webhook is on its way, and once for heading and activity
  looked.catch(() => null);
  const { body: webhook, etag } = await call("GET", path, { signal });
  const again = () => go(location.hash);
  const health = h("span.inline", badge(webhook.status));
  const draw = (found) => fill(health, badge(found.health), causeOf(found), found.explanation && h("span.muted.small", found.explanation), found.failing_since && h("span.muted.small", t("Failing since "), time(found.failing_since)));
  const showHealth = async () => {
    try {
      draw(await looked);
    } catch (error) {
      if (error.name === "AbortError") return; // its status stays
    }
  };
  const first = webhook.kind === "pull" ? "reading" : "activity";
  put(root,
    head(webhook.name, {
      above: h("a", { href: "#/webhooks" }, t("Webhooks")),
      below: [webhook.kind === "pull" ? h("span.muted", t("Pull webhook: its events are read through the API")) : h("code.address", webhook.url), h("div.inline", health, idChip(webhook.id))],
      actions: actions(webhook, path, etag, again),
    }),
    webhook.status === "failed" && h("p.notice.bad", webhook.status_reason === "member_removed" ? t("Disabled: its owner has left the workspace. An admin can make it active again.") : t`Disabled: ${words(webhook.status_reason)}. Resume it once the receiver works; events of the meantime can be recovered.`),
    tabs(t("Parts of this webhook"), [
      webhook.kind === "pull" ? ["reading", t("Reading"), () => reading(webhook, signal)] : ["activity", t("Activity"), () => activity(path, looked, query, signal)],
      ["subscriptions", t("Subscriptions"), () => subscriptions(webhook, signal)],
      webhook.kind !== "pull" && ["deliveries", t("Deliveries"), () => deliveries(webhook, signal)],
      ["settings", t("Settings"), () => settings(webhook)],
      ["changes", t("Changes"), () => changes(webhook, signal)],
    ].filter(Boolean), query.get("tab") ?? first, (tab) => tab === (address().query.get("tab") ?? first) || remember({ tab: tab === first ? "" : tab, ...LISTED })));
  showHealth();
  alive(async () => {
    const [found, now] = await Promise.all([get(`${path}/health`, {}, signal), call("GET", path, { signal })]);
    if (now.etag !== etag && !held()) again(); // somebody changed it
    else draw(found);
  }, { every: 15, signal });
}

function actions(webhook, path, etag, again) {
  const set = (status, said) => async () => {
    await change(path, { status }, etag);
    toast(said);
    again();
  };
  return [
    webhook.kind !== "pull" && actionButton(t("Send test"), () => sendTest(webhook), { kind: "primary" }),
    webhook.status === "active" ? actionButton(t("Pause"), set("paused", webhook.kind === "pull" ? t("Paused. Events are kept, and can be read once you resume it.") : t("Paused. Deliveries wait until you resume it."))) : actionButton(t("Resume"), set("active", t("Resumed"))),
    linkButton(t("Edit"), link("webhooks", webhook.id, "edit")),
    actionButton(t("Rotate secret"), () => rotate(webhook, path, again)),
    actionButton(t("Delete"), () => remove(webhook, path), { kind: "danger-quiet" }),
  ].filter(Boolean);
}

async function rotate(webhook, path, again) {
  const hours = h("input", { type: "number", min: "0", max: "168", value: "24" });
  const yes = await dialog(t("Rotate the secret"), (close) => h("form", { onsubmit: (event) => (event.preventDefault(), close(true)) },
    h("p", t("Creates a new secret. During the overlap deliveries are signed with both, so the receiver can switch without missing one:")),
    h("dl.facts.one",
      h("div", h("dt", h("code", "webhook-signature")), h("dd", t("Carries both signatures; libraries accept either. Replace the secret any time during the overlap."))),
      h("div", h("dt", h("code", "X-…-Signature")), h("dd", t("Stays with the old secret until the overlap ends; "), h("code", "X-…-Signature-Next"), t(" carries the new one. Accept a delivery if either matches your secret, then replace the secret any time during the overlap.")))),
    h("label.field", h("span.label", t("Overlap, hours (0 to 168)")), hours),
    h("p.hint", t("0 ends the old secret immediately: for a secret that has leaked. Deliveries fail until the receiver has the new one.")),
    h("div.actions.end", h("button.button.primary", { type: "submit" }, t("Create new secret")))));
  if (!yes) return;
  const answer = await post(`${path}/regenerate-secret`, { overlap_hours: Number(hours.value) });
  await showSecret(answer.secret, answer.previous_secret_expires_at ? [t("The old secret is valid until "), time(answer.previous_secret_expires_at, { long: true }), "."] : t("The old secret is no longer valid."));
  again();
}

async function remove(webhook, path) {
  const text = t("It receives nothing any more, and waiting deliveries are given up. This cannot be undone. To stop for a while, pause it instead.");
  if (!(await confirm(t`Delete ${webhook.name}?`, text, t("Delete webhook"), { type: webhook.name }))) return;
  await del(path);
  toast(t("Deleted"));
  go("#/webhooks");
}

function activity(path, looked, query, signal) {
  const body = h("div.stack.large", skeleton(8));
  const holder = h("div.stack.large");
  let range = RANGES[query.get("range")] ? query.get("range") : "day";
  const read = async (known = null) => {
    const asked = range;
    const [, hours, interval] = RANGES[asked];
    const from = new Date(Date.now() - hours * 3_600_000).toISOString();
    const [metrics, health] = await Promise.all([get(`${path}/metrics`, { from, interval }, signal), known ?? get(`${path}/health`, {}, signal)]);
    if (asked === range) redraw(body, ...drawn(metrics, health, interval));
  };
  const load = async (known = null) => {
    try {
      await read(known);
    } catch (error) {
      if (error.name !== "AbortError") fill(body, failure(error, () => load()));
    }
  };
  const choose = segmented(t("Time"), Object.entries(RANGES).map(([key, [text]]) => [key, text]), range, (chosen) => {
    range = chosen;
    remember({ range: chosen === "day" ? "" : chosen });
    load();
  });
  load(looked);
  alive(async () => holder.isConnected && !held() && read(), { every: 15, signal });
  return put(holder, h("div.bar-of-tools.end", choose), body);
}

function drawn({ totals, series }, health, interval) {
  const reasons = Object.entries(totals.failure_reasons);
  return [
    h("div.tiles",
      tile(t("Deliveries"), count(totals.deliveries), plural(totals.attempts, "attempt")), tile(t("Success rate"), percent(totals.success_rate), t`${count(totals.failures)} failed`), tile(t("Latency, p95"), milliseconds(totals.latency_ms.p95), `p50 ${milliseconds(totals.latency_ms.p50)}`), tile(t("Dead letters"), count(totals.dead_letters), t("in this time range")),
      tile(t("Circuit"), words(health.circuit.state), circuitSays(health.circuit)),
      tile(t("Waiting"), `${count(health.backlog.waiting)}${health.backlog.more ? "+" : ""}`, t("deliveries on hold"))),
    totals.attempts + totals.deliveries === 0 && empty(t("No deliveries in this time range"), t("Send a test, or publish an event of a subscribed type.")),
    h("div.charts",
      chart({ title: t("Attempts"), kind: "bars", interval, format: count, series: [{ label: t("succeeded"), tone: "good" }, { label: t("failed"), tone: "bad" }], points: series.map((one) => ({ start: one.start, values: [one.successes, one.failures] })) }),
      chart({ title: t("Latency"), kind: "lines", interval, format: milliseconds, series: [{ label: "p50", tone: "accent" }, { label: "p95", tone: "soft" }, { label: "p99", tone: "faint" }], points: series.map((one) => ({ start: one.start, values: [one.latency_ms.p50, one.latency_ms.p95, one.latency_ms.p99] })) })),
    reasons.length > 0 && h("section.card", h("h2", t("Why attempts failed")), h("table.list", h("thead", h("tr", h("th", { scope: "col" }, t("Reason")), h("th.number", { scope: "col" }, t("Attempts")))), h("tbody", reasons.map(([reason, times]) => h("tr", h("td", h("code", reason)), h("td.number", count(times))))))),
  ];
}

/** When an open circuit lets the next delivery through. */
function circuitSays({ state, open_until: until }) {
  if (state === "closed") return t("deliveries are sent");
  return until && new Date(until) > Date.now() ? [t("next try "), time(until)] : t("probing next");
}

const tile = (name, value, more = null) => h("div.tile", h("span.tile-name", name), h("strong.tile-value", value), more && h("span.tile-more", more));

function settings(webhook) {
  return h("div.stack.large",
    h("section.card", h("h2", webhook.kind === "pull" ? t("Reading") : t("Delivery")), facts(
      ...(webhook.kind === "pull" ? [[t("Kind"), "pull"]] : [
        [t("Endpoint URL"), h("code", webhook.url)], [t("Retries"), webhook.max_retries], [t("Timeout"), stretch(webhook.timeout_seconds)],
        [t("Rate limit"), webhook.rate_limit_rps === null ? t("none") : t`${webhook.rate_limit_rps} a second`]]),
      webhook.static_egress && [t("Addresses"), t("static ones alone")],
      [t("Workspace"), webhook.workspace_id ?? t("none: the owner's events without a workspace")], [t("Owner"), webhook.user_id],
      [t("Description"), webhook.description || "–"], [t("Created"), time(webhook.created_at, { long: true })], [t("Changed"), time(webhook.updated_at, { long: true })],
      webhook.previous_secret_expires_at && [t("Previous secret valid until"), time(webhook.previous_secret_expires_at, { long: true })])),
    webhook.ed25519 && publicKeys(webhook),
    webhook.kind !== "pull" && h("section.card", h("h2", t("Custom headers")), headersTable(webhook.headers, t("Headers"))),
    Object.keys(webhook.metadata).length > 0 && h("section.card", h("h2", t("Metadata")), h("pre.plain", json(webhook.metadata))));
}

/** What a receiver of ed25519 signatures verifies them with, and what it has to heed. */
function publicKeys(webhook) {
  const whose = webhook.workspace_id === null ? { user_id: webhook.user_id } : { workspace_id: webhook.workspace_id };
  return h("section.card.stack", h("h2", webhook.public_keys.length > 1 ? t("Public keys") : t("Public key")),
    webhook.public_keys.map((one) => [code(one.key, { label: t("Public key") }), one.expires_at && h("p.muted", t("The key before it, which signs until "), time(one.expires_at, { long: true }), t(". Replace it by then."))]),
    h("p", t("The receiver verifies one of the "), h("code", "v1a,…"), t(" in "), h("code", "webhook-signature"), t(" with it, over "), h("code", "{webhook-id}.{webhook-timestamp}.{body}"), t(" (Standard Webhooks), and refuses timestamps that are more than five minutes off.")),
    h("p", t("All webhooks of this service are signed with the same key. Accept only bodies that have "), h("code", json(whose).replace(/\s+/g, " ").slice(2, -2)), "."),
    h("p.muted", t("As a key set, with the next key once there is one: "), h("code.breaks", String(KEY_SET))));
}
