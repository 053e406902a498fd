// The newest events: from the list of them where the deployment has one, else those that the newest deliveries name.
// Publishing one is for trying things out.

import { alive, held } from "../alive.js";
import { get, post } from "../api.js";
import { beside } from "../beside.js";
import { fill, h, icon, put } from "../dom.js";
import { parse, write } from "../exact.js";
import { json, middle } from "../format.js";
import { area, field, form, select, text, Wrong } from "../forms.js";
import { filtered, listing } from "../list.js";
import { portal } from "../portal.js";
import { go, link, withQuery } from "../addresses.js";
import { listsEvents, may } from "../session.js";
import { badge, button, dialog, empty, failure, head, linkButton, skeleton, time, toast } from "../ui.js";
import { fromOf, TIMES } from "./deliveries.js";
import { t } from "../strings.js";

const READ = 100; // deliveries
const SHOWN = 30;
const OUTCOMES = [["", t("All outcomes")], ["queued", t("Queued")], ["no_match", t("No match")], ["missed", t("Missed")], ["unknown_event_type", t("Unknown type")]];

export const show = (page) => (listsEvents ? all(page) : lately(page));

function all({ root, signal }) {
  const everybody = may("admin") && !portal;
  const controls = {
    find: h("input", { type: "search", placeholder: t("Event or resource id"), "aria-label": t("Event or resource id"), spellcheck: "false" }),
    outcome: select(OUTCOMES, "", { "aria-label": t("Outcome") }),
    since: select(TIMES, "", { "aria-label": t("Time") }),
    type: text("", { placeholder: t("Event type"), "aria-label": t("Event type") }),
    workspace: text("", { placeholder: t("Workspace id"), "aria-label": t("Workspace id") }),
    ...(everybody ? { owner: text("", { placeholder: t("User"), "aria-label": t("User") }) } : {}),
  };
  const load = async (now, cursor, inner) => {
    const asked = { event_type: now.type, disposition: now.outcome, from: fromOf(now.since), workspace_id: now.workspace, user_id: now.owner, limit: 25 };
    let page = now.find && !cursor ? await get("/events", { ...asked, id: now.find }, inner) : null;
    const listed = !everybody || now.workspace || now.owner; // of everybody's there is no list
    if (!page || (listed && !page.items.length)) page = await get("/events", { ...asked, resource_id: now.find, cursor }, inner);
    // another scope may have one of the same id
    return { ...page, items: page.items.map((one) => ({ ...one, event_id: one.id, id: [one.id, one.workspace_id, one.user_id].join("|") })) };
  };
  const list = filtered({
    controls,
    signal,
    build: (now, inner) => listing({
      heads: [t("Event"), t("Resource"), t("Workspace"), ...(everybody ? [t("User")] : []), t("Outcome"), t("Deliveries"), t("Accepted")],
      signal: inner,
      dense: true,
      load: (cursor) => load(now, cursor, inner),
      row: (one) => row(one, everybody),
      none: () => (Object.values(now).some(Boolean) ? empty(t("No matching events"), t("No event matches these filters.")) : empty(t("No events yet"), t("Publish one on the event bus, with POST /api/v1/events, or here."))),
      fails: (error) => [403, 422].includes(error.status) && empty(t("Narrow the search"), error.message, linkButton(t("Clear the filters"), "#/events")),
    }),
  });
  beside(list.element, signal);
  put(root, head(t("Events"), { actions: publishing() }), h("form.bar-of-tools", { onsubmit: (event) => event.preventDefault() }, h("span.search", icon("search"), controls.find), Object.values(controls).slice(1)), list.element);
}

const publishing = () => (may("events:write") && !portal ? [button(t("Publish an event"), publish, { glyph: "plus" })] : []);

function row(one, everybody) {
  const more = (one.counts.queued ?? 0) - one.deliveries.length;
  const own = one.workspace_id === null ? { user_id: one.user_id } : { workspace_id: one.workspace_id };
  return h("tr",
    h("td.wide-cell", h("a.strong", { href: withQuery(`/events/${encodeURIComponent(one.event_id)}`, own) }, one.type), h("code.small.muted", { title: one.event_id }, middle(one.event_id, 26))),
    h("td", { "data-label": t("Resource") }, one.resource_id ? h("code.small", { title: one.resource_id }, middle(one.resource_id, 20)) : "–"),
    h("td", { "data-label": t("Workspace") }, one.workspace_id ?? "–"),
    everybody && h("td", { "data-label": t("User") }, one.user_id ?? "–"),
    h("td", { "data-label": t("Outcome") }, badge(one.disposition)),
    h("td", { "data-label": t("Deliveries") }, one.deliveries.length ? h("span.inline", one.deliveries.map(delivered), more > 0 && h("span.muted.small", `+${more}`)) : h("span.muted", "–")),
    h("td", { "data-label": t("Accepted") }, time(one.accepted_at)));
}

const delivered = (one) => h("a", { href: link("webhooks", one.webhook_id, "deliveries", one.id), title: one.webhook_name }, badge(one.status));

function lately({ root, signal }) {
  const id = text("", { placeholder: "evt_…", "aria-label": t("Event id"), spellcheck: "false", class: "mono" });
  const title = h("h2", t("Recent events"));
  const list = h("div", skeleton(4));
  put(root,
    head(t("Events"), { actions: publishing() }),
    h("form.bar-of-tools", { onsubmit: (event) => (event.preventDefault(), id.value.trim() && go(link("events", id.value.trim()))) }, id, h("button.button.primary", { type: "submit" }, t("Look up"))),
    title, list);
  let shown = "";
  const read = async () => {
    const { items, all } = await newest(signal);
    if (held() || shown === write(items)) return;
    shown = write(items);
    fill(title, all ? t("Recent events") : t("Recent events with failed deliveries"));
    fill(list, items.length ? table(byEvent(items)) : empty(t("No events yet"), t("Publish one on the event bus, with POST /api/v1/events, or here.")));
  };
  const first = () => read().catch((error) => error.name === "AbortError" || fill(list, failure(error, first)));
  first();
  alive(read, { every: 15, signal });
}

/** The newest deliveries; of so many webhooks that they are not merged, those that failed. */
async function newest(signal) {
  try {
    return { all: true, items: (await get("/deliveries", { limit: READ }, signal)).items.filter((one) => one.kind !== "test") };
  } catch (error) {
    if (error.status !== 422) throw error;
    return { all: false, items: (await get("/deliveries", { limit: READ, status: "failed" }, signal)).items };
  }
}

function byEvent(deliveries) {
  const events = new Map();
  for (const one of deliveries) {
    const event = events.get(one.event_id) ?? { id: one.event_id, type: one.event_type, at: one.created_at, deliveries: [] };
    event.deliveries.push(one);
    events.set(one.event_id, event);
  }
  return [...events.values()].slice(0, SHOWN);
}

const byName = (a, b) => a.webhook_name.localeCompare(b.webhook_name);
const table = (events) => h("div.scroll.flush", h("table.list.cards", h("thead", h("tr", [t("Event"), t("Accepted"), t("Deliveries")].map((name) => h("th", { scope: "col" }, name)))),
  h("tbody", events.map((one) => h("tr", h("td.wide-cell", h("a.strong", { href: link("events", one.id) }, one.type), h("code.small.muted", one.id)), h("td", { "data-label": t("Accepted") }, time(one.at)), h("td", { "data-label": t("Deliveries") }, h("span.inline", one.deliveries.sort(byName).slice(0, 6).map(delivered))))))));

async function publish() {
  const types = (await get("/event-types")).items.map((one) => one.name);
  await dialog(t("Publish an event"), (close) => {
    const type = select(types.map((name) => [name, name]), "record.created");
    const resource = text("rec_1");
    const workspace = text("");
    const data = area(json({ fields: { status: "open", amount: 1500 } }), { class: "mono", rows: "6", spellcheck: "false" });
    const submit = async () => {
      let parsed;
      try {
        parsed = parse(data.value || "{}");
      } catch (error) {
        throw new Wrong("data", t`is not valid JSON: ${error.message}`);
      }
      const place = workspace.value.trim();
      const answer = await post("/events", { type: type.value, resource_id: resource.value.trim() || null, data: parsed, ...(place ? { workspace_id: /^\d{1,15}$/.test(place) ? Number(place) : place } : {}) });
      close();
      toast(t("Published"));
      go(link("events", answer.events[0].id));
    };
    return h("div.stack", h("p.muted", t("This is a real event, published as you. Every subscribed webhook receives it.")),
      form([h("div.columns", field("type", t("Event type"), type), field("resource_id", t("Resource id"), resource, { optional: true }), field("workspace_id", t("Workspace id"), workspace, { optional: true })), field("data", t("Data"), data)], { verb: t("Publish"), submit, cancel: () => close() }));
  }, { wide: true });
}
