// Tenants that were erased, how far each erasure has come, and erasing one; for admins.

import { call, get } from "../api.js";
import { h, put } from "../dom.js";
import { count } from "../format.js";
import { field, form } from "../forms.js";
import { listing } from "../list.js";
import { badge, confirm, dialog, empty, head, button, time, toast } from "../ui.js";

const WHAT = "Webhooks, secrets, histories, events and figures of the time until now are erased. What waits is not sent. This cannot be undone.";

export function show({ root, signal }) {
  const list = listing({
    heads: ["Tenant", "Status", "Requested", "Webhooks", "Items erased", "Items read"],
    signal,
    dense: true,
    load: async (cursor) => {
      const page = await get("/erasures", { cursor, limit: 25 }, signal);
      return { ...page, items: page.items.map((one) => ({ ...one, id: one.tenant })) };
    },
    row,
    none: () => empty("No erased tenants", "Erased tenants stay listed here, so that they can be erased again after a restore."),
  });
  const erase = button("Erase a tenant", async () => {
    if (await asked()) list.again();
  }, { kind: "danger" });
  put(root, head("Erased tenants", { above: h("a", { href: "#/" }, "Overview"), actions: [erase] }), list.element);
}

function asked() {
  return dialog("Erase a tenant", (close) => {
    const tenant = h("input", { type: "text", autocomplete: "off", spellcheck: "false", placeholder: "user:42" });
    const submit = async () => {
      const named = tenant.value.trim();
      if (!(await confirm(`Erase ${named}?`, WHAT, "Erase", { type: named || "?" }))) return;
      await call("DELETE", `/tenants/${encodeURIComponent(named)}`);
      toast("The erasure has begun");
      close(true);
    };
    return form([field("tenant_id", "Tenant", tenant, { hint: "user:<id> or workspace:<id>" })], { verb: "Erase", submit, kind: "danger" });
  });
}

function row(one) {
  return h("tr",
    h("td.wide-cell", h("strong", one.tenant)),
    h("td", { "data-label": "Status" }, badge(one.status)),
    h("td", { "data-label": "Requested" }, time(one.requested_at)),
    h("td", { "data-label": "Webhooks" }, count(one.webhooks)),
    h("td", { "data-label": "Items erased" }, count(one.items_erased), one.items_unreadable > 0 && h("div.muted", `${count(one.items_unreadable)} unreadable`)),
    h("td", { "data-label": "Items read" }, count(one.items_read)));
}
