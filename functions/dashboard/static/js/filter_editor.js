// Filters by rules or as JSON, tried out on a sample or on the last events while they are written.

import { asking } from "./api.js";
import { fill, h, put } from "./dom.js";
import { parse, write } from "./exact.js";
import { json, plural } from "./format.js";
import { Wrong } from "./forms.js";
import { badge, button, segmented, time } from "./ui.js";
import { t } from "./strings.js";

const PAUSE_MS = 350;
const OPERATORS = ["equals", "not_equals", "greater_than", "greater_than_or_equal", "less_than", "less_than_or_equal", "in", "not_in", "contains", "not_contains", "starts_with", "ends_with", "exists", "not_exists", "blank", "not_blank", "before", "before_or_equal", "after", "after_or_equal"];
const CHANGES = ["changed", "changed_from", "changed_to"];
const ELEMENTS = { any: t("any element"), all: t("all elements"), none: t("no element") };
const ALONE = new Set(["exists", "not_exists", "blank", "not_blank", "changed"]);
const LISTS = new Set(["in", "not_in"]);
const TIMES = new Set(["before", "before_or_equal", "after", "after_or_equal"]);
const TEXTS = new Set(["equals", "not_equals", "in", "not_in", "contains", "not_contains", "starts_with", "ends_with"]);
const SAMPLE = { type: "record.created", resource_id: "rec_1", data: { fields: { status: "open", amount: 1500 } } };

/** {element, read(), test()}. `eventType()` is what the subscription has at the moment. */
export function filterEditor({ filters, webhook, eventType }) {
  const source = h("textarea.mono", { rows: "8", spellcheck: "false", "aria-label": t("Filters as JSON"), value: filters ? json(filters) : "", placeholder: '{"fields": {"status": "open"}}' });
  const sample = h("textarea.mono", { rows: "8", spellcheck: "false", "aria-label": t("Sample event as JSON"), value: json({ ...SAMPLE, ...(ALL.test(eventType()) ? {} : { type: eventType() }), ...(webhook.workspace_id === null ? { user_id: webhook.user_id } : { workspace_id: webhook.workspace_id }) }) });
  const complaint = h("p.field-error", { role: "alert" });
  const result = h("div.trial-result", { role: "status", "aria-live": "polite" });
  const left = h("div");
  const right = h("div");
  let mode = showable(filters) ? "rules" : "json";
  let on = "last";
  let rules = null;
  let timer = null;
  let turn = 0;

  const document = () => (mode === "rules" ? rules.read() : parsed(source.value, "filters"));
  const test = () => {
    clearTimeout(timer);
    timer = setTimeout(run, PAUSE_MS);
  };
  const run = async () => {
    turn += 1;
    const mine = turn;
    complaint.textContent = "";
    try {
      const asked = { filters: document() };
      if (on === "sample") asked.event = parsed(sample.value, "event") ?? {};
      else Object.assign(asked, { last: 10 }, eventType() ? { event_type: eventType() } : {});
      const answer = await asking("/filters/test", asked);
      if (mine === turn) fill(result, shown(answer, on));
    } catch (error) {
      if (mine !== turn) return;
      fill(result);
      complaint.textContent = (error.errors?.length ? error.errors.map((one) => `${one.field}: ${one.message}`) : [error.message]).join("; ");
    }
  };

  const drawLeft = () => {
    if (mode === "rules") {
      rules = builder(parsed(source.value, "filters"), test);
      fill(left, rules.element);
    } else fill(left, source, h("p.hint", t("Parts: fields, conditions, user_id, time_range. All of them must match.")));
  };
  source.addEventListener("input", test);
  sample.addEventListener("input", test);
  const modes = segmented(t("How filters are written"), [["rules", t("Rules")], ["json", "JSON"]], mode, (chosen) => {
    if (chosen === mode) return true;
    try {
      const now = document();
      if (chosen === "rules" && !showable(now)) throw new Error(t("Rules cannot show these filters completely, so they stay as JSON."));
      source.value = now === null ? "" : json(now);
    } catch (error) {
      clearTimeout(timer); // its answer would clear what is said here
      complaint.textContent = error.message;
      return false;
    }
    mode = chosen;
    drawLeft();
    test();
    return true;
  });
  const events = segmented(t("What it is tried on"), [["last", t("Last events")], ["sample", t("A sample")]], on, (chosen) => {
    on = chosen;
    fill(right, on === "sample" ? sample : h("p.hint", t("The last ten events of this type that went to your webhooks.")));
    test();
  });
  drawLeft();
  fill(right, h("p.hint", t("The last ten events of this type that went to your webhooks.")));
  const element = h("div.field.filter-editor", { "data-field": "filters" }, h("div.columns.two", h("section", h("div.section-head", h("h3", t("Filters")), modes), left), h("section", h("div.section-head", h("h3", t("Tried on")), events), right, result)), complaint);
  element.complain = (text) => (complaint.textContent = text);
  element.control = source;
  test();
  return { element, read: document, test };
}

const ALL = /^$|\*/;

function parsed(text, name) {
  if (!text.trim()) return null;
  try {
    return parse(text);
  } catch (error) {
    throw new Wrong(name, t`is not valid JSON yet (${error.message})`);
  }
}

/** Whether the rows of rules, untouched, give these filters back exactly. */
const showable = (filters) => filters === null || (ruled(filters) && write(builder(filters, () => {}).read()) === write(filters));

/** Whether filters look like one group of rules. */
function ruled(filters) {
  if (filters === null) return true;
  if (typeof filters !== "object") return false;
  const names = Object.keys(filters);
  if (names.some((name) => name !== "conditions") || !filters.conditions) return names.length === 0;
  const { operator, rules } = filters.conditions;
  return ["and", "or"].includes(operator) && Array.isArray(rules) && rules.every((rule) => typeof rule?.field === "string");
}

function builder(filters, changed) {
  const group = (ruled(filters) ? filters?.conditions : null) ?? { operator: "and", rules: [] };
  const mode = h("select", { "aria-label": t("How rules combine"), onchange: changed }, h("option", { value: "and" }, t("All of these match")), h("option", { value: "or" }, t("Any of these matches")));
  mode.value = group.operator;
  const list = h("div.rules");
  const none = h("p.hint", t("No rules: every event of this type is sent."));
  const add = (rule = NEW) => {
    const row = ruleRow(rule, changed);
    row.append(button(t("Remove"), () => (row.remove(), show(), list.dispatchEvent(new Event("input", { bubbles: true })), changed()), { kind: "quiet", "aria-label": t("Remove this rule") }));
    list.append(row);
    show();
    return row.querySelector("input");
  };
  const show = () => {
    none.hidden = list.children.length > 0;
    mode.hidden = list.children.length < 2;
  };
  show();
  group.rules.forEach(add);
  const element = put(h("div.stack.tight"), mode, list, none, h("div", button(t("Add a rule"), () => add().focus(), { kind: "quiet", glyph: "plus" })));
  const read = () => {
    const rules = [...list.children].map((row) => row.read()).filter((rule) => rule.field);
    return rules.length ? { conditions: { operator: mode.value, rules } } : null;
  };
  return { element, read };
}

const NEW = { field: "", operator: "equals", value: "" };

/** A rule to be edited; `inner` is one that is asked of a list's elements. */
function ruleRow(rule, changed, inner = false) {
  const label = (text) => (inner ? t`Element ${text.toLowerCase()}` : text);
  const name = h("input", { type: "text", value: rule.field, placeholder: inner ? t("name, or . for the element") : t("status or data.fields.x"), "aria-label": inner ? t("Name in the element") : t("Field"), spellcheck: "false", oninput: changed });
  const choices = [...OPERATORS.map((one) => [one, one.replaceAll("_", " ")]), ...(inner ? [] : [...CHANGES.map((one) => [one, one.replaceAll("_", " ")]), ...Object.entries(ELEMENTS)])];
  const operator = h("select", { "aria-label": label(t("Operator")) }, choices.map(([one, shown]) => h("option", { value: one }, shown)));
  operator.value = rule.operator;
  const value = h("input", { type: "text", value: written(rule.value), placeholder: t("value"), "aria-label": label(t("Value")), spellcheck: "false", oninput: changed });
  const ignore = h("input", { type: "checkbox", checked: rule.ignore_case === true, onchange: changed });
  const ignoring = h("label.check", ignore, t(" Ignore case"));
  const row = h(inner ? "div.rule.inner" : "div.rule", name, operator, value, ignoring);
  let where = rule.where && !rule.where.rules && !rule.where.where ? ruleRow(rule.where, changed, true) : null;
  const fit = () => {
    const ofElements = operator.value in ELEMENTS;
    if (ofElements) where ??= ruleRow(NEW, changed, true);
    if (where) ofElements ? ignoring.after(where) : where.remove();
    value.hidden = ofElements || ALONE.has(operator.value);
    value.placeholder = LISTS.has(operator.value) ? t("one, two, 3") : TIMES.has(operator.value) ? "2024-05-05 or 2024-05-05T12:00:00+02:00" : t("value");
    ignoring.hidden = !TEXTS.has(operator.value);
  };
  operator.addEventListener("change", () => (fit(), changed()));
  fit();
  row.read = () => {
    const one = { field: name.value.trim(), operator: operator.value };
    if (operator.value in ELEMENTS) return { ...one, where: where.read() };
    if (!ALONE.has(operator.value)) one.value = LISTS.has(operator.value) ? listed(value.value) : scalar(value.value);
    return ignore.checked && TEXTS.has(operator.value) ? { ...one, ignore_case: true } : one;
  };
  return row;
}

/** 12, true and null are what they look like; "12" in quotes is text. */
function scalar(text) {
  const plain = text.trim();
  if (/^(-?\d+(\.\d+)?([eE][+-]?\d+)?|true|false|null|".*")$/.test(plain)) {
    try {
      return parse(plain);
    } catch {
      return text;
    }
  }
  return text;
}

/** Texts between commas, or a JSON list. */
function listed(text) {
  if (/^\s*\[/.test(text)) return parsed(text, "filters");
  return text.split(",").map((part) => scalar(part.trim())).filter((part) => part !== "");
}

/** A value as it is typed; as JSON where anything else would be read as another value. */
function written(value) {
  if (value === undefined) return "";
  if (Array.isArray(value)) {
    const plain = value.map(written).join(", ");
    return !/^\s*\[/.test(plain) && write(listed(plain)) === write(value) ? plain : write(value);
  }
  return typeof value === "string" && scalar(value) === value && !/[\r\n]/.test(value) ? value : write(value);
}

function shown(answer, on) {
  if (!answer.items.length) return h("p.muted", t("No events of this type yet: try a sample."));
  const head = on === "sample" ? null : h("p", h("strong", t`${answer.matched} of ${plural(answer.items.length, "event")}`), t(" would be sent."));
  return [head, h("ul.trials", answer.items.map((one) => h("li", badge(one.matched ? "success" : "plain", one.matched ? t("sent") : t("not sent")), on === "sample" ? null : h("span", h("code", one.event_type), " ", time(one.accepted_at)), one.rule && h("p.muted.small", one.rule))))];
}
