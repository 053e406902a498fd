// The subscriptions of a webhook: adding, changing and deleting them.

import { alive, held } from "../alive.js";
import { call, del, get, making, pages, put as change, webhookPath } from "../api.js";
import { fill, h } from "../dom.js";
import { write } from "../exact.js";
import { json } from "../format.js";
import { changes, field, form, text } from "../forms.js";
import { filterEditor } from "../filter_editor.js";
import { actionButton, badge, button, confirm, dialog, empty, failure, idChip, skeleton, toast } from "../ui.js";
import { t } from "../strings.js";

export function subscriptions(webhook, signal) {
  const path = `${webhookPath(webhook.id)}/subscriptions`;
  const list = h("div", skeleton(4));
  let drawn = null;
  const read = async () => {
    const found = [];
    for await (const items of pages(path, {}, signal)) found.push(...items);
    if (drawn === write(found)) return;
    drawn = write(found);
    const none = empty(t("No subscriptions yet"), t("Without a subscription this webhook receives no events."), button(t("Subscribe"), () => open(null), { kind: "primary", glyph: "plus" }));
    fill(list, found.length ? table(found) : none);
  };
  const load = async () => {
    try {
      await read();
    } catch (error) {
      drawn = null;
      if (error.name !== "AbortError") fill(list, failure(error, load));
    }
  };

  const open = async (id) => {
    const types = (await get("/event-types")).items;
    const { body: one, etag } = id ? await call("GET", `${path}/${encodeURIComponent(id)}`) : { body: null, etag: null };
    const make = making(path);
    const saved = await dialog(one ? t("Change the subscription") : t("Subscribe"), (close) => editor({ webhook, one, types, save: async (body) => {
      if (!one) await make(body);
      else if (Object.keys(body).length) await change(`${path}/${encodeURIComponent(id)}`, body, etag);
      close(true);
    }, cancel: () => close(false) }), { wide: true });
    if (!saved) return;
    await load(); // before it is said to be saved, so that no button goes from under a finger afterwards
    toast(one ? t("Saved. Applies from the next event on.") : t("Subscribed. Applies from the next event on."));
  };

  const table = (found) => h("div.scroll.flush", h("table.list.cards", h("thead", h("tr", [t("Event type"), t("Resource"), t("Filters"), t("State"), ""].map((name) => (name ? h("th", { scope: "col" }, name) : h("td"))))),
    h("tbody", found.map((one) => h("tr",
      h("td.wide-cell", h("code.strong", one.event_type), idChip(one.id, { short: true })),
      h("td", { "data-label": t("Resource") }, one.resource_id ? h("code", one.resource_id) : h("span.muted", t("any"))),
      h("td", { "data-label": t("Filters") }, one.filters ? h("details", h("summary", t("Filtered")), h("pre.plain", json(one.filters))) : h("span.muted", t("none"))),
      h("td", { "data-label": t("State") }, badge(one.is_active ? "active" : "paused", one.is_active ? t("on") : t("off"))),
      h("td", h("div.actions", actionButton(t("Change"), () => open(one.id), { kind: "quiet", "aria-label": t`Change ${one.event_type}` }), actionButton(t("Delete"), async () => {
        if (!(await confirm(t("Delete this subscription?"), t`This webhook no longer receives ${one.event_type}, unless another subscription covers it. Deliveries that wait are still sent.`, t("Delete")))) return;
        await del(`${path}/${encodeURIComponent(one.id)}`);
        await load();
        toast(t("Deleted"));
      }, { kind: "danger-quiet", "aria-label": t`Delete ${one.event_type}` }))))))));

  load();
  alive(async () => !held() && list.isConnected && read(), { every: 15, signal });
  return h("div.stack", h("div.bar-of-tools.end", actionButton(t("Add a subscription"), () => open(null), { glyph: "plus" })), list);
}

function editor({ webhook, one, types, save, cancel }) {
  const patterns = ["*", ...new Set(types.flatMap((type) => [type.name, ...type.covered_by]).filter((name) => name !== "*"))];
  const list = h("datalist", { id: "event-patterns" }, patterns.map((value) => h("option", { value })));
  const type = text(one?.event_type ?? "", { list: "event-patterns", placeholder: t("record.created, record.* or *"), spellcheck: "false", class: "mono" });
  const resource = text(one?.resource_id ?? "", { spellcheck: "false" });
  const active = h("input", { type: "checkbox", checked: one ? one.is_active : true });
  const filters = filterEditor({ filters: one?.filters ?? null, webhook, eventType: () => type.value.trim() });
  type.addEventListener("input", () => filters.test());
  const read = () => ({ event_type: type.value.trim(), resource_id: resource.value.trim() || null, is_active: active.checked, filters: filters.read() });
  const before = one ? read() : {};
  const submit = () => save(changes(before, read()));
  return form([
    h("div.columns", field("event_type", t("Event type"), type, { hint: [t("A type, a family as "), h("code", "record.*"), t(", or "), h("code", "*"), t(" for all.")] }), list, field("resource_id", t("Resource id"), resource, { optional: true, hint: t("Only events of this one.") })),
    h("label.check", active, h("span", t("Active"))),
    filters.element,
  ], { verb: one ? t("Save") : t("Subscribe"), submit, cancel });
}
