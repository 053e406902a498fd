// API keys: made, shown once, and revoked.

import { del, get, making } from "../api.js";
import { fill, h, put } from "../dom.js";
import { field, form, select, text } from "../forms.js";
import { listing } from "../list.js";
import { may } from "../session.js";
import { actionButton, button, code, confirm, copy, dialog, empty, head, idChip, time, toast } from "../ui.js";

const SCOPES = [
  ["webhooks:read", "See webhooks and deliveries"],
  ["webhooks", "Manage webhooks, see and replay deliveries"],
  ["events:write", "Publish your own events"],
  ["events:write:any", "Publish anybody's events"],
  ["metrics:read", "Read the service's metrics"],
  ["portal-links", "Make portal links for any user"],
  ["admin", "See and manage everybody's webhooks"],
];
const DAYS = [["30", "30 days"], ["90", "90 days"], ["180", "180 days"], ["365", "a year"]];

export function show({ root, signal }) {
  const everybody = may("admin");
  const list = listing({
    heads: ["Key", ...(everybody ? ["User"] : []), "May", "Workspaces", "Last used", "Expires", ""],
    signal,
    load: (cursor) => get("/api-keys", { cursor, limit: 25 }, signal),
    row: (one) => row(one, everybody, async () => {
      if (!(await confirm(`Revoke ${one.name}?`, "Whatever uses this key is refused within seconds. This cannot be taken back.", "Revoke"))) return;
      await del(`/api-keys/${encodeURIComponent(one.id)}`);
      await list.again();
      toast("Revoked");
    }),
    none: () => empty("No API keys", "A key lets a program call the API without a token of yours that expires within hours.", button("Make a key", make, { kind: "primary", glyph: "plus" })),
  });
  const make = async () => {
    const made = await dialog("Make an API key", (close) => editor(close));
    if (!made) return;
    await dialog("Copy the key now", (close) => shown(made, close), { keep: true });
    await list.again();
  };
  put(root, head("API keys", { below: h("p.muted", "A key can do what you choose, and never more than you can. It works until it expires or is revoked."), actions: [button("Make a key", make, { kind: "primary", glyph: "plus" })] }), list.element);
}

function row(one, everybody, revoke) {
  return h("tr",
    h("td.wide-cell", h("strong", one.name), h("code.small", `${one.starts_with}…`), idChip(one.id, { short: true })),
    everybody && h("td", { "data-label": "User" }, String(one.user_id)),
    h("td", { "data-label": "May" }, one.scopes.map((scope) => h("div", h("code.small", scope)))),
    h("td", { "data-label": "Workspaces" }, one.workspace_ids.length ? one.workspace_ids.join(", ") : h("span.muted", "none")),
    h("td", { "data-label": "Last used" }, one.last_used_at ? time(one.last_used_at) : h("span.muted", "never")),
    h("td", { "data-label": "Expires" }, time(one.expires_at, { long: true })),
    h("td", actionButton("Revoke", revoke, { kind: "danger-quiet", "aria-label": `Revoke ${one.name}` })));
}

function editor(close) {
  const name = text("", { placeholder: "What will use it" });
  const days = select(DAYS, "90");
  const boxes = SCOPES.filter(([scope]) => may(scope)).map(([scope, told]) => [scope, h("input", { type: "checkbox", name: scope }), told]);
  const scopes = h("div.stack", { role: "group", "aria-label": "It may" }, boxes.map(([scope, box, told]) => h("label.check", box, h("span", told, " ", h("code.small", scope)))));
  const make = making("/api-keys");
  const submit = async () => {
    const chosen = boxes.filter(([, box]) => box.checked).map(([scope]) => scope);
    close(await make({ name: name.value.trim(), scopes: chosen, expires_in_days: Number(days.value) }));
  };
  return form([
    field("name", "Name", name),
    field("scopes", "It may", scopes),
    field("expires_in_days", "It expires after", days),
  ], { verb: "Make the key", submit, cancel: () => close(null) });
}

function shown(made, close) {
  return h("div.stack",
    h("p", "The key is not shown again. Send it in this header: ", h("code", "Authorization: Bearer …"), "."),
    code(made.key, { label: "API key" }),
    h("div.actions", button("Copy", () => copy(made.key), { glyph: "copy" }), button("I have copied it", () => close(true), { kind: "primary" })));
}
