// What was given up: by cause or one by one, and sending it again.

import { alive, held } from "../alive.js";
import { each, get, pages, post, webhookPath } from "../api.js";
import { fill, h, put } from "../dom.js";
import { plural } from "../format.js";
import { link, remember } from "../addresses.js";
import { actionButton, badge, empty, failure, growing, head, linkButton, report, segmented, skeleton, time, toast } from "../ui.js";
import { followAll, replay } from "../replaying.js";
import { t } from "../strings.js";

export async function show({ root, query, signal }) {
  const names = new Map();
  const body = h("div.stack");
  let view = query.get("view") === "list" ? "list" : "groups";
  const jobs = h("div.stack");
  const choose = segmented(t("View"), [["groups", t("By cause")], ["list", t("One by one")]], view, (chosen) => {
    view = chosen;
    remember({ view: chosen === "groups" ? "" : chosen });
    draw();
  });
  put(root, head(t("Dead letters"), { below: h("p.muted", t("Deliveries that were given up after the last attempt, or because a retry could not succeed.")), actions: [linkButton(t("Replays"), "#/replays"), choose] }), jobs, body);
  const draw = () => (view === "groups" ? groups({ body, names, jobs, signal, draw }) : letters({ body, names, query, jobs, signal, draw }));
  draw();
  alive(async () => {
    if (view !== "groups" || held() || body.querySelector("input:checked")) return;
    const now = await causes({ names, jobs, signal, draw });
    if (view === "groups" && !held() && !body.querySelector("input:checked")) fill(body, now);
  }, { every: 15, signal });
  followAll({ jobs, signal, done: draw }).catch(report);
}

/** Names of webhooks, read when they are first spoken of. */
async function named(names, ids, signal) {
  await each([...new Set(ids)].filter((id) => !names.has(id)), async (id) => {
    names.set(id, await get(webhookPath(id), {}, signal).then((one) => one.name, (error) => (error.name === "AbortError" ? Promise.reject(error) : id)));
  });
}

async function groups({ body, names, jobs, signal, draw }) {
  fill(body, skeleton(5));
  try {
    fill(body, await causes({ names, jobs, signal, draw }));
  } catch (error) {
    if (error.name !== "AbortError") fill(body, failure(error, draw));
  }
}

async function causes({ names, jobs, signal, draw }) {
  const merged = new Map();
  for await (const items of pages("/dead-letters/groups", { limit: null }, signal)) {
    for (const one of items) {
      const key = `${one.webhook_id} ${one.cause}`;
      const had = merged.get(key);
      merged.set(key, had ? { ...had, dead_letters: had.dead_letters + one.dead_letters, first_seen: had.first_seen < one.first_seen ? had.first_seen : one.first_seen } : one);
    }
    if (merged.size >= 200) break;
  }
  const all = [...merged.values()].filter((one) => one.dead_letters).sort((a, b) => b.dead_letters - a.dead_letters);
  await named(names, all.map((one) => one.webhook_id), signal);
  if (!all.length) return none();
  const picked = new Map();
  const keyOf = (one) => `${one.webhook_id} ${one.cause}`;
  const chosen = h("div.actions", { role: "status" });
  const say = () => {
    const of = grouped([...picked.values()]);
    const targets = [...of].map(([id, some]) => ({ webhook_id: id, reasons: some.map((one) => one.cause) }));
    fill(chosen, picked.size ? actionButton(t`Replay ${plural(picked.size, "selected cause")} …`, () => replay({ body: { targets }, name: nameOf(of, names), jobs, signal, done: draw }), { kind: "primary" }) : h("span.muted.small", t("Select causes to replay several at once.")));
  };
  const rows = all.map((one) => {
    const box = h("input", { type: "checkbox", "aria-label": t`Select ${names.get(one.webhook_id)}: ${one.cause}`, onchange: () => (box.checked ? picked.set(keyOf(one), one) : picked.delete(keyOf(one)), say()) });
    return group(one, box, names.get(one.webhook_id), { jobs, signal, draw });
  });
  say();
  const shared = common(all).map((one) => everywhere(one, { jobs, signal, draw }));
  return [shared.length ? h("section.stack", h("h2", t("At several webhooks")), h("ul.rows.card", shared)) : null, chosen, h("ul.rows.card", rows)];
}

/** Causes that several webhooks have. */
function common(groups) {
  const found = new Map();
  for (const one of groups) found.set(one.cause, [...(found.get(one.cause) ?? []), one]);
  return [...found.values()].filter((some) => some.length > 1);
}

/** All of one cause, whichever webhooks have it. */
function everywhere(some, { jobs, signal, draw }) {
  const [{ cause, explanation }] = some;
  const name = plural(some.length, "webhook");
  return h("li.row.group",
    h("div.big-count", h("strong", plural(some.reduce((sum, one) => sum + one.dead_letters, 0), t("dead letter")))),
    h("div.row-main", h("h3", explanation ?? cause), h("p.inline", name, h("code.muted", cause))),
    h("div.row-side", actionButton(t("Replay all …"), () => replay({ body: { reason: cause }, name: t("all webhooks with this cause"), jobs, signal, done: draw }), { "aria-label": t`Replay all … of ${name}: ${cause}` })));
}

function group(one, box, name, { jobs, signal, draw }) {
  return h("li.row.group", box,
    h("div.big-count", h("strong", plural(one.dead_letters, "dead letter"))),
    h("div.row-main", h("h2", one.explanation ?? one.cause), h("p.inline", h("a", { href: link("webhooks", one.webhook_id) }, name), h("code.muted", one.cause)),
      h("p.muted.small", t("first "), time(one.first_seen), t(", last "), time(one.last_seen), " · ", h("a", { href: link("webhooks", one.webhook_id, "deliveries", one.sample.delivery_id) }, t("show an example")))),
    h("div.row-side", actionButton(t("Replay all …"), () => replay({ body: { targets: [{ webhook_id: one.webhook_id, reasons: [one.cause] }] }, name, jobs, signal, done: draw }), { "aria-label": t`Replay all … of ${name}: ${one.cause}` })));
}

const none = () => empty(t("No dead letters"), t("Nothing has been given up, or everything has been replayed."));

function letters({ body, names, query, jobs, signal, draw }) {
  const chosen = new Map();
  const processed = h("select", { "aria-label": t("State"), onchange: () => list() }, h("option", { value: "false" }, t("Not replayed")), h("option", { value: "true" }, t("Replayed")), h("option", { value: "" }, t("All")));
  const reason = h("input", { type: "text", value: query.get("reason") ?? "", placeholder: t("Reason or cause"), "aria-label": t("Reason or cause"), onchange: () => list() });
  const selected = h("div.actions", { role: "status" });
  const holder = h("div");
  const say = () => fill(selected, chosen.size ? actionButton(t`Replay ${plural(chosen.size, "selected dead letter")} …`, () => many(chosen, names, jobs, signal, draw), { kind: "primary" }) : h("span.muted.small", t("Select dead letters to replay several.")));
  const list = () => {
    chosen.clear();
    say();
    fill(holder, growing(
      async (cursor) => {
        const page = await get("/dead-letters", { is_processed: processed.value, reason: reason.value.trim(), cursor, limit: 30 }, signal);
        await named(names, page.items.map((one) => one.webhook_id), signal);
        return page;
      },
      (items) => table(items, names, chosen, say),
      none));
  };
  fill(body, h("div.stack", h("div.bar-of-tools", processed, reason, selected), holder));
  list();
}

function table(items, names, chosen, say) {
  return h("div.scroll.flush", h("table.list.cards", h("thead", h("tr", ["", t("Dead letter"), t("Webhook"), t("Why"), t("Given up"), ""].map((name) => (name ? h("th", { scope: "col" }, name) : h("td"))))),
    h("tbody", items.map((one) => {
      const box = h("input", { type: "checkbox", "aria-label": t`Select ${one.id}`, disabled: one.is_processed, onchange: () => (box.checked ? chosen.set(one.id, one) : chosen.delete(one.id), say()) });
      const again = actionButton(t("Replay"), async () => {
        await post(`${webhookPath(one.webhook_id)}/dead-letters/${encodeURIComponent(one.id)}/replay`);
        toast(t("Replay queued"));
        again.replaceWith(badge("plain", t("replayed")));
        box.disabled = true;
      }, { kind: "quiet", "aria-label": t`Replay ${one.id}` });
      return h("tr", h("td", box),
        h("td.wide-cell", h("a.strong", { href: link("webhooks", one.webhook_id, "deliveries", one.id) }, one.event_type), h("code.small.muted", one.id)),
        h("td", { "data-label": t("Webhook") }, h("a", { href: link("webhooks", one.webhook_id) }, names.get(one.webhook_id))),
        h("td", { "data-label": t("Why") }, one.explanation ?? one.failure_reason, h("p.muted.small", plural(one.attempt_count, "attempt"))),
        h("td", { "data-label": t("Given up") }, time(one.created_at)),
        h("td", one.is_processed ? badge("plain", t("replayed")) : again));
    }))));
}

function many(chosen, names, jobs, signal, draw) {
  const of = grouped([...chosen.values()]);
  const targets = [...of].map(([id, some]) => ({ webhook_id: id, ids: some.map((one) => one.id) }));
  return replay({ body: { targets }, name: nameOf(of, names), jobs, signal, done: draw });
}

const nameOf = (of, names) => (of.size === 1 ? names.get([...of.keys()][0]) : plural(of.size, "webhook"));

/** Dead letters, or groups of them, by webhook. */
function grouped(some) {
  const found = new Map();
  for (const one of some) found.set(one.webhook_id, [...(found.get(one.webhook_id) ?? []), one]);
  return found;
}
