// Events are found by their ids; the newest deliveries lead to the newest ones. Publishing one is for trying things out.

import { alive, held } from "../alive.js";
import { get, post } from "../api.js";
import { fill, h, put } from "../dom.js";
import { parse, write } from "../exact.js";
import { json } from "../format.js";
import { area, field, form, select, text, Wrong } from "../forms.js";
import { portal } from "../portal.js";
import { go, link } from "../addresses.js";
import { may } from "../session.js";
import { badge, button, dialog, empty, failure, head, skeleton, time, toast } from "../ui.js";

const READ = 100; // deliveries
const SHOWN = 30;

export function show({ root, signal }) {
  const id = text("", { placeholder: "evt_…", "aria-label": "Event id", spellcheck: "false", class: "mono" });
  const title = h("h2", "Recent events");
  const list = h("div", skeleton(4));
  put(root,
    head("Events", { actions: may("events:write") && !portal ? [button("Publish an event", publish, { glyph: "plus" })] : [] }),
    h("form.bar-of-tools", { onsubmit: (event) => (event.preventDefault(), id.value.trim() && go(link("events", id.value.trim()))) }, id, h("button.button.primary", { type: "submit" }, "Look up")),
    title, list);
  let shown = "";
  const read = async () => {
    const { items, all } = await newest(signal);
    if (held() || shown === write(items)) return;
    shown = write(items);
    fill(title, all ? "Recent events" : "Recent events with failed deliveries");
    fill(list, items.length ? table(byEvent(items)) : empty("No events yet", "Publish one on the event bus, with POST /api/v1/events, or here."));
  };
  const first = () => read().catch((error) => error.name === "AbortError" || fill(list, failure(error, first)));
  first();
  alive(read, { every: 15, signal });
}

/** The newest deliveries; of so many webhooks that they are not merged, those that failed. */
async function newest(signal) {
  try {
    return { all: true, items: (await get("/deliveries", { limit: READ }, signal)).items };
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
const table = (events) => h("div.scroll.flush", h("table.list.cards", h("thead", h("tr", ["Event", "Accepted", "Deliveries"].map((name) => h("th", { scope: "col" }, name)))),
  h("tbody", events.map((one) => h("tr", h("td.wide-cell", h("a.strong", { href: link("events", one.id) }, one.type), h("code.small.muted", one.id)), h("td", { "data-label": "Accepted" }, time(one.at)), h("td", { "data-label": "Deliveries" }, h("span.inline", one.deliveries.sort(byName).slice(0, 6).map((delivery) => h("a", { href: link("webhooks", delivery.webhook_id, "deliveries", delivery.id), title: delivery.webhook_name }, badge(delivery.status))))))))));

async function publish() {
  const types = (await get("/event-types")).items.map((one) => one.name);
  await dialog("Publish an event", (close) => {
    const type = select(types.map((name) => [name, name]), "record.created");
    const resource = text("rec_1");
    const workspace = text("");
    const data = area(json({ fields: { status: "open", amount: 1500 } }), { class: "mono", rows: "6", spellcheck: "false" });
    const submit = async () => {
      let parsed;
      try {
        parsed = parse(data.value || "{}");
      } catch (error) {
        throw new Wrong("data", `is not valid JSON: ${error.message}`);
      }
      const place = workspace.value.trim();
      const answer = await post("/events", { type: type.value, resource_id: resource.value.trim() || null, data: parsed, ...(place ? { workspace_id: /^\d{1,15}$/.test(place) ? Number(place) : place } : {}) });
      close();
      toast("Published");
      go(link("events", answer.events[0].id));
    };
    return h("div.stack", h("p.muted", "This is a real event, published as you. Every subscribed webhook receives it."),
      form([h("div.columns", field("type", "Event type", type), field("resource_id", "Resource id", resource, { optional: true }), field("workspace_id", "Workspace id", workspace, { optional: true })), field("data", "Data", data)], { verb: "Publish", submit, cancel: () => close() }));
  }, { wide: true });
}
