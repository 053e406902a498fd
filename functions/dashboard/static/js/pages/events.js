// Events are found by their ids; the newest deliveries lead to the newest ones. Publishing one is for trying things out.

import { each, get, post, webhookPath } from "../api.js";
import { fill, h, put } from "../dom.js";
import { parse } from "../exact.js";
import { json } from "../format.js";
import { area, field, form, select, text, Wrong } from "../forms.js";
import { portal } from "../portal.js";
import { go, link } from "../addresses.js";
import { may } from "../session.js";
import { badge, button, dialog, empty, head, skeleton, time, toast } from "../ui.js";

const LOOKED_AT = 25; // webhooks, the newest
const WEBHOOKS = 12; // of them, whose deliveries are read
const SHOWN = 30;

export async function show({ root, signal }) {
  const id = text("", { placeholder: "evt_…", "aria-label": "Event id", spellcheck: "false", class: "mono" });
  const list = h("div", skeleton(4));
  const lately = h("h2", "Recent events");
  put(root,
    head("Events", { actions: may("events:write") && !portal ? [button("Publish an event", publish, { glyph: "plus" })] : [] }),
    h("form.bar-of-tools", { onsubmit: (event) => (event.preventDefault(), id.value.trim() && go(link("events", id.value.trim()))) }, id, h("button.button.primary", { type: "submit" }, "Look up")),
    lately, list);
  const { items: newest, next_cursor: more } = await get("/webhooks", { limit: LOOKED_AT, include: "health" }, signal);
  const webhooks = newest.sort((a, b) => Boolean(b.health.attempts) - Boolean(a.health.attempts)).slice(0, WEBHOOKS); // where something was sent comes first
  if (more || newest.length > WEBHOOKS) fill(lately, `Recent events of ${WEBHOOKS} of your webhooks`);
  const events = new Map();
  let left = webhooks.length;
  const draw = () => {
    const shown = [...events.values()].sort((a, b) => b.at.localeCompare(a.at)).slice(0, SHOWN);
    const more = left ? h("div.more", skeleton(1)) : null; // each webhook answers in its own time
    if (shown.length) fill(list, table(shown), more);
    return shown.length;
  };
  await each(webhooks, async (webhook) => {
    const { items } = await get(`${webhookPath(webhook.id)}/deliveries`, { limit: 15 }, signal);
    for (const one of items) {
      const event = events.get(one.event_id) ?? { id: one.event_id, type: one.event_type, at: one.created_at, outcomes: [] };
      event.outcomes.push([webhook, one]);
      events.set(one.event_id, event);
    }
    left -= 1;
    if (items.length || !left) draw();
  }, 3);
  if (!draw()) fill(list, empty("No events yet", "Publish one on the event bus, with POST /api/v1/events, or here."));
}

const byName = ([a], [b]) => a.name.localeCompare(b.name);
const table = (events) => h("div.scroll.flush", h("table.list.cards", h("thead", h("tr", ["Event", "Accepted", "Deliveries"].map((name) => h("th", { scope: "col" }, name)))),
  h("tbody", events.map((one) => h("tr", h("td.wide-cell", h("a.strong", { href: link("events", one.id) }, one.type), h("code.small.muted", one.id)), h("td", { "data-label": "Accepted" }, time(one.at)), h("td", { "data-label": "Deliveries" }, h("span.inline", one.outcomes.sort(byName).slice(0, 6).map(([webhook, delivery]) => h("a", { href: link("webhooks", webhook.id, "deliveries", delivery.id), title: webhook.name }, badge(delivery.status))))))))));

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
