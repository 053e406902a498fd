// Creating a webhook, and changing one.

import { call, get, making, put as change, webhookPath } from "../api.js";
import { h, put } from "../dom.js";
import { parse } from "../exact.js";
import { json, stretch } from "../format.js";
import { area, changes, field, form, number, pairs, select, text, Wrong } from "../forms.js";
import { go, link } from "../addresses.js";
import { button, code, copy, dialog, head, toast } from "../ui.js";
import { portal } from "../portal.js";
import { hasStaticEgress } from "../session.js";
import { t } from "../strings.js";

const MASK = /^\*+$/;

export async function show({ root, params, signal }) {
  const types = await get("/event-types", {}, signal).catch((error) => (error.name === "AbortError" ? Promise.reject(error) : { items: [] }));
  if (!params.webhook) return create(root, types.items);
  const { body, etag } = await call("GET", webhookPath(params.webhook), { signal });
  return edit(root, body, etag);
}

function create(root, types) {
  const at = controls({ max_retries: 9, timeout_seconds: 15 });
  const events = eventPicker(types);
  const secret = text("", { placeholder: "whsec_…", class: "mono" });
  const kind = select([["push", t("Push: events are sent to a URL")], ["pull", t("Pull: you read events through the API")]], "push");
  const rows = [
    field("name", t("Name"), at.name, { hint: t("Shown in lists.") }),
    field("kind", t("Kind"), kind, { hint: t("Pull needs no public endpoint. The kind cannot be changed later.") }),
    sending(field("url", t("Endpoint URL"), at.url, { hint: t("Events are sent here by POST. HTTPS, reachable from the internet.") })),
    events,
    h("details.more-fields", h("summary", t("Limits, headers and more")), h("div.stack", details(at), field("secret", t("Existing secret"), secret, { optional: true, hint: t("A secret that your receiver already checks (at least 24 bytes). Leave empty to generate one.") }))),
  ];
  const make = making("/webhooks");
  const submit = async () => {
    const subscriptions = events.read().map((event_type) => ({ event_type }));
    const body = { ...read(at, kind.value), subscriptions, ...(secret.value.trim() ? { secret: secret.value.trim() } : {}) };
    const made = await make(body);
    if (made.secret) await showSecret(made.secret);
    if (whole.isConnected) go(link("webhooks", made.id)); // else somebody has gone on meanwhile
    toast(made.notice ?? (kind.value === "pull" ? t("Webhook created.") : t("Webhook created. Send it a test event.")));
  };
  const whole = form(rows, { verb: t("Create webhook"), submit, cancel: () => history.back() });
  kind.addEventListener("change", () => suit(whole, kind.value));
  put(root, head(t("New webhook"), { above: h("a", { href: "#/webhooks" }, t("Webhooks")) }), h("div.card.narrow", whole));
}

function edit(root, webhook, etag) {
  const at = controls(webhook);
  const rows = [field("name", t("Name"), at.name), sending(field("url", t("Endpoint URL"), at.url, { hint: t("Waiting deliveries go to the new URL. On another server, give the values of headers anew.") })), details(at)];
  const before = read(at, webhook.kind);
  const submit = async () => {
    const changed = changes(before, read(at, webhook.kind));
    if (Object.keys(changed).length) await change(webhookPath(webhook.id), changed, etag).catch((error) => {
      throw error.status === 412 ? new Error(t("This webhook was changed since you opened it. Your edits are still here: open it in another tab to compare.")) : error;
    });
    if (whole.isConnected) go(link("webhooks", webhook.id)); // else somebody has gone on meanwhile
    toast(t("Saved"));
  };
  const whole = form(rows, { verb: t("Save"), submit, cancel: () => go(link("webhooks", webhook.id)) });
  put(root, head(t`Edit ${webhook.name}`, { above: [h("a", { href: "#/webhooks" }, t("Webhooks")), " / ", h("a", { href: link("webhooks", webhook.id) }, webhook.name)] }), h("div.card.narrow", suit(whole, webhook.kind)));
}

const sending = (row) => ((row.dataset.sending = ""), row);

/** Only what its kind has. */
function suit(whole, kind) {
  for (const row of whole.querySelectorAll("[data-sending]")) row.hidden = kind === "pull";
  return whole;
}

function controls(webhook) {
  const masked = (value) => MASK.test(value ?? "");
  return {
    name: text(webhook.name, { maxlength: "200", required: true }),
    url: text(webhook.url ?? "", { type: "url", placeholder: "https://example.com/webhooks", spellcheck: "false" }),
    description: area(webhook.description, { rows: "2" }),
    max_retries: number(webhook.max_retries, { min: "0", max: "15", step: "1" }),
    timeout_seconds: number(webhook.timeout_seconds, { min: "1", max: "30", step: "1" }),
    rate_limit_rps: number(webhook.rate_limit_rps, { min: "0", step: "any", placeholder: t("no limit") }),
    // one that has it can be freed of it also where it is not offered any more
    static_egress: hasStaticEgress || webhook.static_egress ? h("input", { type: "checkbox", checked: webhook.static_egress === true }) : null,
    workspace_id: text(webhook.workspace_id ?? ""),
    headers: pairs(webhook.headers, [t("Header"), t("Value")], { locked: (name) => masked(webhook.headers?.[name]) }),
    metadata: area(webhook.metadata && Object.keys(webhook.metadata).length ? json(webhook.metadata) : "", { class: "mono", rows: "4", spellcheck: "false", placeholder: "{ }" }),
    ed25519: h("input", { type: "checkbox", checked: webhook.ed25519 === true }),
    given: webhook,
  };
}

function details(at) {
  const covers = h("span");
  const say = () => (covers.textContent = ` ${covered(Number(at.max_retries.value))}`);
  at.max_retries.addEventListener("input", say);
  say();
  return [
    field("description", t("Description"), at.description, { optional: true }),
    h("div.columns", { "data-sending": "" },
      field("max_retries", t("Retries"), at.max_retries, { hint: [t("0 to 15."), covers] }),
      field("timeout_seconds", t("Timeout, seconds"), at.timeout_seconds, { hint: t("1 to 30, for the whole attempt.") }),
      field("rate_limit_rps", t("Rate limit, per second"), at.rate_limit_rps, { optional: true, hint: t("Deliveries beyond it wait.") })),
    at.static_egress && sending(field("static_egress", t("Static addresses"), at.static_egress, { hint: t("Deliver from the addresses that an allow list can name: GET /egress-addresses tells them.") })),
    portal ? null : field("workspace_id", t("Workspace id"), at.workspace_id, { optional: true, hint: "Receives the events of this workspace. Empty: your own events that have no workspace." }),
    sending(field("headers", t("Headers"), at.headers, { optional: true, hint: t("Sent with every delivery, such as Authorization. Values are encrypted and never shown again; a value of stars stays as it is.") })),
    field("metadata", t("Metadata"), at.metadata, { optional: true, hint: t("A JSON object of your own, up to 4 KB.") }),
    h("label.check", at.ed25519, h("span", t("Sign with ed25519 too"), h("span.hint", t("For a receiver that should hold no secret: it verifies deliveries by the service's public key.")))),
  ];
}

function read(at, kind) {
  const body = { name: at.name.value.trim(), url: at.url.value.trim(), description: at.description.value, headers: at.headers.read(), ed25519: at.ed25519.checked };
  for (const name of ["max_retries", "timeout_seconds"]) body[name] = at[name].value === "" ? NaN : Number(at[name].value);
  for (const [name, label] of [["max_retries", t("a number from 0 to 15")], ["timeout_seconds", t("a number from 1 to 30")]]) if (Number.isNaN(body[name])) throw new Wrong(name, t`must be ${label}`);
  body.rate_limit_rps = at.rate_limit_rps.value === "" ? null : Number(at.rate_limit_rps.value);
  if (at.static_egress) body.static_egress = at.static_egress.checked;
  const before = at.given.workspace_id ?? null;
  const workspace = at.workspace_id.value.trim();
  if (String(before ?? "") !== workspace) body.workspace_id = workspace === "" ? null : /^\d{1,15}$/.test(workspace) ? Number(workspace) : workspace;
  try {
    body.metadata = parse(at.metadata.value.trim() || "{}");
  } catch (error) {
    throw new Wrong("metadata", t`is not valid JSON: ${error.message}`);
  }
  if (kind === "pull") {
    for (const name of ["url", "headers", "max_retries", "timeout_seconds", "rate_limit_rps", "static_egress"]) delete body[name];
    body.kind = kind;
  }
  return body;
}

function eventPicker(types) {
  // a family can be chosen as a whole where a pattern covers it; what speaks of webhooks themselves comes last
  const open = types.filter((one) => one.name !== "webhook.test");
  const family = (one) => (one.covered_by.includes("*") ? one.name.split(".")[0] : t("webhooks themselves"));
  const families = [...new Set(open.map(family))];
  const box = (value, label, hint) => h("label.check", h("input", { type: "checkbox", value }), h("span", h("code", label), hint && h("span.hint", hint)));
  const every = box("*", "*", t("All events, including types added later"));
  const choices = h("div.picker", families.map((name) => h("fieldset", h("legend", name), open.some((one) => one.covered_by.includes(`${name}.*`)) && box(`${name}.*`, `${name}.*`, t("All of these")), open.filter((one) => family(one) === name).map((one) => box(one.name, one.name, one.description)))));
  const row = h("div.field", { "data-field": "subscriptions", role: "group", "aria-label": t("Events") }, h("span.label", t("Events")), h("p.hint", t("Filters can be added afterwards.")), every, choices, h("p.field-error", { role: "alert" }));
  row.complain = (said) => (row.querySelector(".field-error").textContent = said);
  row.control = every.querySelector("input");
  row.read = () => {
    const chosen = [...row.querySelectorAll("input:checked")].map((one) => one.value);
    return chosen.includes("*") ? ["*"] : chosen.filter((name) => name.endsWith(".*") || !chosen.includes(`${name.split(".")[0]}.*`));
  };
  return row;
}

/** Shown once: the dialog stays until somebody says that it is saved. */
export function showSecret(secret, more = null) {
  return dialog(t("Signing secret"), (close) => [
    h("p", t("Your server verifies signatures with it. "), h("strong", t("It is shown only once")), t(": store it where your server can read it.")),
    more && h("p", more),
    code(secret, { label: t("Signing secret") }),
    h("div.actions.end", button(t("Copy"), () => copy(secret, t("Secret copied")), { glyph: "copy" }), button(t("I saved the secret"), () => close(true), { kind: "primary" })),
  ], { keep: true });
}

function covered(retries) {
  if (!(retries > 0)) return t("No retries.");
  let seconds = 0;
  for (let at = 0; at < Math.min(retries, 15); at += 1) seconds += Math.min(5 * 6 ** at, 86_400);
  return t`Retries cover ${stretch(seconds)}.`;
}
