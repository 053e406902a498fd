// Fields that explain themselves, and show what the service says of them where it belongs.

import { fill, h, put } from "./dom.js";
import { write } from "./exact.js";
import { button } from "./ui.js";
import { t } from "./strings.js";

let made = 0;

/** A labelled control. `name` is the API's own, so that its errors find it. */
export function field(name, label, control, { hint = null, optional = false } = {}) {
  made += 1;
  const id = `f${made}`;
  control.id ||= id;
  const error = h("p.field-error", { id: `${id}-error`, role: "alert" });
  const told = hint && h("p.hint", { id: `${id}-hint` }, hint);
  control.setAttribute("aria-describedby", [told && `${id}-hint`, `${id}-error`].filter(Boolean).join(" "));
  const row = h("div.field", { "data-field": name }, h("label.label", { for: control.id }, label, optional && h("span.optional", t(" optional"))), control, told, error);
  row.complain = (text) => {
    error.textContent = text;
    control.setAttribute("aria-invalid", String(Boolean(text)));
  };
  row.control = control;
  return row;
}

/** A form whose `submit()` may raise a Problem; each of its errors goes to the field it names. Left unsaved, it asks. */
export function form(rows, { verb, submit, cancel = null, kind = "primary" }) {
  const message = h("div.form-error", { role: "alert" });
  const send = h(`button.button.${kind}`, { type: "submit" }, verb);
  const whole = h("form.stack", { novalidate: true }, rows, message, h("div.actions", send, cancel && button(t("Cancel"), cancel)));
  whole.addEventListener("input", () => (whole.dataset.unsaved = ""));
  whole.addEventListener("submit", async (event) => {
    event.preventDefault();
    const fields = [...whole.querySelectorAll("[data-field]")];
    fields.forEach((row) => row.complain?.(""));
    fill(message);
    send.disabled = true;
    try {
      await submit();
      delete whole.dataset.unsaved;
    } catch (error) {
      place(error, fields, message);
    } finally {
      send.disabled = false;
    }
  });
  return whole;
}

function place(error, fields, message) {
  const left = [];
  let first = null;
  for (const { field: name, message: text } of error.errors ?? []) {
    const row = fields
      .filter((each) => [each.dataset.field, `body.${each.dataset.field}`].some((one) => name === one || name.startsWith(`${one}.`) || name.startsWith(`${one}[`)))
      .sort((a, b) => b.dataset.field.length - a.dataset.field.length)[0];
    if (!row?.complain) left.push(`${name}: ${text}`);
    else {
      const inside = name.slice(row.dataset.field.length).replace(/^\./, "");
      row.complain(inside ? `${inside}: ${text}` : text);
      first ??= row;
    }
  }
  if (!error.errors?.length) left.push(error.message);
  put(message, left.map((text) => h("p", text)));
  first?.control.focus();
}

/** A field's own complaint before anything is sent. */
export class Wrong extends Error {
  constructor(name, text) {
    super(text);
    this.errors = [{ field: name, message: text }];
  }
}

/** What a save sends: the parts of `now` that are not as they were in `before`. */
export const changes = (before, now) => Object.fromEntries(Object.entries(now).filter(([name, value]) => write(value) !== write(before[name])));

export const text = (value = "", more = {}) => h("input", { type: "text", value, autocomplete: "off", ...more });
export const area = (value = "", more = {}) => h("textarea", { value, rows: "3", ...more });
export const number = (value, more = {}) => h("input", { type: "number", value: value ?? "", inputmode: "decimal", ...more });
export const select = (options, chosen, more = {}) => {
  const control = h("select", more, options.map(([value, label]) => h("option", { value }, label)));
  control.value = chosen ?? options[0][0];
  return control;
};

/** Pairs of texts, added and taken away row by row; read() gives the object. */
export function pairs(object, names, { locked = () => false } = {}) {
  const list = h("div.pairs");
  const add = (name = "", value = "") => {
    const row = h("div.pair", text(name, { "aria-label": names[0], placeholder: names[0], readonly: locked(name) }), text(value, { "aria-label": names[1], placeholder: names[1] }), button(t("Remove"), () => (row.remove(), list.dispatchEvent(new Event("input", { bubbles: true }))), { kind: "quiet", "aria-label": t`Remove ${name || t("row")}` }));
    list.append(row);
    return row;
  };
  Object.entries(object ?? {}).forEach(([name, value]) => add(name, value));
  const control = h("div", { role: "group" }, list, button(t("Add"), () => add().querySelector("input").focus(), { kind: "quiet", glyph: "plus" }));
  control.read = () => Object.fromEntries([...list.children].map((row) => [...row.querySelectorAll("input")].map((one) => one.value)).filter(([name]) => name.trim()).map(([name, value]) => [name.trim(), value]));
  return control;
}
