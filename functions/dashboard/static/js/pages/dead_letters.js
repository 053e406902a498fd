// What was given up: by cause or one by one, and sending it again.

import { alive, held } from "../alive.js";
import { each, get, pages, post, webhookPath } from "../api.js";
import { beside } from "../beside.js";
import { fill, h, put, redraw } from "../dom.js";
import { plural } from "../format.js";
import { link, remember, withQuery } from "../addresses.js";
import { select, text } from "../forms.js";
import { chosen, filtered, listing } from "../list.js";
import { portal } from "../portal.js";
import { may } from "../session.js";
import { actionButton, badge, empty, failure, head, linkButton, report, segmented, skeleton, time, toast } from "../ui.js";
import { followAll, replay } from "../replaying.js";
import { t } from "../strings.js";
import { fromOf, TIMES } from "./deliveries.js";

const A_READ = 20; // pages of 500 that are added up by cause
const SHOWN = 200; // causes
const STATES = [["", t("Not replayed")], ["replayed", t("Replayed")], ["all", t("All")]];
const PROCESSED = { "": false, replayed: true, all: null };

export function show({ root, query, signal }) {
  const everybody = may("admin") && !portal;
  const webhooks = new Map(); // those that were spoken of, by id
  const body = h("div.stack");
  const jobs = h("div.stack");
  let view = query.get("view") === "list" ? "list" : "groups";
  let inner = null;
  const send = (what) => replay({ ...what, jobs, signal, done: draw }); // it is followed whatever view is chosen meanwhile
  const draw = () => {
    inner?.abort();
    inner = new AbortController();
    signal.addEventListener("abort", () => inner.abort(), { once: true });
    const page = { body, webhooks, everybody, send, signal: inner.signal };
    if (view === "list") letters(page);
    else groups(page);
  };
  const choose = segmented(t("View"), [["groups", t("By cause")], ["list", t("One by one")]], view, (chosen) => {
    view = chosen;
    remember({ view: chosen === "groups" ? "" : chosen, cursor: "", show: "" });
    draw();
  });
  put(root, head(t("Dead letters"), { below: h("p.muted", t("Deliveries that were given up after the last attempt, or because a retry could not succeed.")), actions: [linkButton(t("Replays"), "#/replays"), choose] }), jobs, body);
  draw();
  followAll({ jobs, signal, done: draw }).catch(report);
}

/** Webhooks, read when they are first spoken of; one that is gone has its id alone. */
async function meet(webhooks, ids, signal) {
  await each([...new Set(ids)].filter((id) => !webhooks.has(id)), async (id) => {
    webhooks.set(id, await get(webhookPath(id), {}, signal).catch((error) => (error.name === "AbortError" ? Promise.reject(error) : { id, name: id, user_id: null })));
  });
}

const ownerOf = (webhook) => (webhook.user_id === null ? "–" : h("a", { href: withQuery("/webhooks", { owner: webhook.user_id }) }, webhook.user_id));
const ownerField = () => text("", { placeholder: t("Owner"), "aria-label": t("Owner") });

function groups({ body, everybody, ...page }) {
  const list = h("div.stack", skeleton(5));
  const controls = everybody ? { owner: ownerField() } : {};
  const values = chosen(controls, () => (remember(values()), first()));
  const read = () => causes({ ...page, everybody, owner: values().owner });
  const first = async () => {
    try {
      fill(list, await read());
    } catch (error) {
      if (error.name !== "AbortError") fill(list, failure(error, first));
    }
  };
  const busy = () => held() || list.querySelector("input:checked");
  fill(body, everybody && h("div.bar-of-tools", controls.owner), list);
  first();
  alive(async () => {
    if (busy()) return;
    const now = await read();
    if (!busy()) redraw(list, now);
  }, { every: 15, signal: page.signal });
}

async function causes({ webhooks, everybody, owner, send, signal }) {
  const merged = new Map();
  let left = A_READ;
  for await (const items of pages("/dead-letters/groups", { limit: null, user_id: owner }, signal)) {
    for (const one of items) {
      const key = `${one.webhook_id} ${one.cause}`;
      const had = merged.get(key);
      merged.set(key, had ? { ...had, dead_letters: had.dead_letters + one.dead_letters, first_seen: had.first_seen < one.first_seen ? had.first_seen : one.first_seen } : one);
    }
    left -= 1;
    if (merged.size >= SHOWN || !left) break;
  }
  const all = [...merged.values()].filter((one) => one.dead_letters).sort((a, b) => b.dead_letters - a.dead_letters);
  await meet(webhooks, all.map((one) => one.webhook_id), signal);
  if (!all.length) return none();
  const picked = new Map();
  const keyOf = (one) => `${one.webhook_id} ${one.cause}`;
  const selected = h("div.actions", { role: "status" });
  const say = () => {
    const of = grouped([...picked.values()]);
    const targets = [...of].map(([id, some]) => ({ webhook_id: id, reasons: some.map((one) => one.cause) }));
    fill(selected, picked.size ? actionButton(t`Replay ${plural(picked.size, "selected cause")} …`, () => send({ body: { targets }, name: nameOf(of, webhooks) }), { kind: "primary" }) : h("span.muted.small", t("Select causes to replay several at once.")));
  };
  const rows = all.map((one) => {
    const box = h("input", { type: "checkbox", "aria-label": t`Select ${webhooks.get(one.webhook_id).name}: ${one.cause}`, onchange: () => (box.checked ? picked.set(keyOf(one), one) : picked.delete(keyOf(one)), say()) });
    return group(one, box, webhooks.get(one.webhook_id), { everybody, send });
  });
  say();
  const shared = common(all).map((one) => everywhere(one, { owner, send }));
  return [shared.length ? h("section.stack", h("h2", t("At several webhooks")), h("ul.rows.card", shared)) : null, selected, h("ul.rows.card", rows), merged.size >= SHOWN || !left ? h("p.muted.small", t("The newest are counted. Older dead letters are listed one by one.")) : null];
}

/** Causes that several webhooks have. */
function common(groups) {
  const found = new Map();
  for (const one of groups) found.set(one.cause, [...(found.get(one.cause) ?? []), one]);
  return [...found.values()].filter((some) => some.length > 1);
}

/** All of one cause, whichever webhooks have it. */
function everywhere(some, { owner, send }) {
  const [{ cause, explanation }] = some;
  const name = plural(some.length, "webhook");
  return h("li.row.group",
    h("div.big-count", h("strong", plural(some.reduce((sum, one) => sum + one.dead_letters, 0), t("dead letter")))),
    h("div.row-main", h("h3", explanation ?? cause), h("p.inline", name, h("code.muted", cause))),
    h("div.row-side", actionButton(t("Replay all …"), () => send({ body: { reason: cause, ...(owner ? { user_id: owner } : {}) }, name: t("all webhooks with this cause") }), { "aria-label": t`Replay all … of ${name}: ${cause}` })));
}

function group(one, box, webhook, { everybody, send }) {
  const { name } = webhook;
  return h("li.row.group", box,
    h("div.big-count", h("strong", plural(one.dead_letters, "dead letter"))),
    h("div.row-main", h("h2", one.explanation ?? one.cause), h("p.inline", h("a", { href: link("webhooks", one.webhook_id) }, name), everybody && h("span.muted", "owner ", ownerOf(webhook)), h("code.muted", one.cause)),
      h("p.muted.small", t("first "), time(one.first_seen), t(", last "), time(one.last_seen), " · ", h("a", { href: link("webhooks", one.webhook_id, "deliveries", one.sample.delivery_id) }, t("show an example")))),
    h("div.row-side", actionButton(t("Replay all …"), () => send({ body: { targets: [{ webhook_id: one.webhook_id, reasons: [one.cause] }] }, name }), { "aria-label": t`Replay all … of ${name}: ${one.cause}` })));
}

const none = () => empty(t("No dead letters"), t("Nothing has been given up, or everything has been replayed."));

function letters({ body, webhooks, everybody, send, signal }) {
  const picked = new Map();
  const selected = h("div.actions", { role: "status" });
  const say = () => fill(selected, picked.size ? actionButton(t`Replay ${plural(picked.size, "selected dead letter")} …`, () => many(picked, webhooks, send), { kind: "primary" }) : h("span.muted.small", t("Select dead letters to replay several.")));
  const controls = {
    state: select(STATES, "", { "aria-label": t("State") }),
    since: select(TIMES, "", { "aria-label": t("Time") }),
    reason: text("", { placeholder: t("Reason or cause"), "aria-label": t("Reason or cause"), spellcheck: "false" }),
    type: text("", { placeholder: t("Event type"), "aria-label": t("Event type") }),
    ...(everybody ? { owner: ownerField() } : {}),
  };
  const list = filtered({
    controls,
    signal,
    build: (now, inner) => {
      picked.clear();
      say();
      return listing({
        heads: ["", t("Dead letter"), t("Webhook"), ...(everybody ? [t("Owner")] : []), t("Why"), t("Given up"), ""],
        signal: inner,
        load: async (cursor) => {
          const page = await get("/dead-letters", { is_processed: PROCESSED[now.state], reason: now.reason, event_type: now.type, user_id: now.owner, from: fromOf(now.since), cursor, limit: 25 }, inner);
          await meet(webhooks, page.items.map((one) => one.webhook_id), inner);
          return page;
        },
        row: (one) => row(one, webhooks.get(one.webhook_id), everybody, picked, say),
        none: () => (Object.values(now).some(Boolean) ? empty(t("No matching dead letters"), t("No dead letter matches these filters.")) : none()),
        busy: () => picked.size > 0,
      });
    },
  });
  beside(list.element, signal);
  fill(body, h("form.bar-of-tools", { onsubmit: (event) => event.preventDefault() }, Object.values(controls)), selected, list.element);
}

function row(one, webhook, everybody, picked, say) {
  const box = h("input", { type: "checkbox", "aria-label": t`Select ${one.id}`, disabled: one.is_processed, onchange: () => (box.checked ? picked.set(one.id, one) : picked.delete(one.id), say()) });
  const again = actionButton(t("Replay"), async () => {
    await post(`${webhookPath(one.webhook_id)}/dead-letters/${encodeURIComponent(one.id)}/replay`);
    toast(t("Replay queued"));
    again.replaceWith(badge("plain", t("replayed")));
    picked.delete(one.id);
    box.checked = false;
    box.disabled = true;
    say();
  }, { kind: "quiet", "aria-label": t`Replay ${one.id}` });
  return h("tr", h("td", box),
    h("td.wide-cell", h("a.strong", { href: link("webhooks", one.webhook_id, "deliveries", one.id) }, one.event_type), h("code.small.muted", one.id)),
    h("td", { "data-label": t("Webhook") }, h("a", { href: link("webhooks", one.webhook_id) }, webhook.name)),
    everybody && h("td", { "data-label": t("Owner") }, ownerOf(webhook)),
    h("td", { "data-label": t("Why") }, one.explanation ?? one.failure_reason, h("p.muted.small", plural(one.attempt_count, "attempt"))),
    h("td", { "data-label": t("Given up") }, time(one.created_at)),
    h("td", one.is_processed ? badge("plain", t("replayed")) : again));
}

function many(picked, webhooks, send) {
  const of = grouped([...picked.values()]);
  const targets = [...of].map(([id, some]) => ({ webhook_id: id, ids: some.map((one) => one.id) }));
  return send({ body: { targets }, name: nameOf(of, webhooks) });
}

const nameOf = (of, webhooks) => (of.size === 1 ? webhooks.get([...of.keys()][0]).name : plural(of.size, "webhook"));

/** Dead letters, or groups of them, by webhook. */
function grouped(some) {
  const found = new Map();
  for (const one of some) found.set(one.webhook_id, [...(found.get(one.webhook_id) ?? []), one]);
  return found;
}
