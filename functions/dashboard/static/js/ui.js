// The parts that every page is made of.

import { fill, h, icon } from "./dom.js";
import { ago, local, middle, utc, words } from "./format.js";
import { t } from "./strings.js";

const TONES = {
  active: "good", healthy: "good", delivered: "good", success: "good", completed: "good", closed: "good", queued: "good", recorded: "good", ok: "good",
  retrying: "warn", degraded: "warn", paused: "warn", half_open: "warn", missed: "warn", abandoned: "warn", unknown: "warn",
  failed: "bad", failing: "bad", disabled: "bad", failure: "bad", open: "bad", unknown_event_type: "bad",
};

export function badge(state, text = words(state)) {
  return h(`span.badge.${TONES[state] ?? "plain"}`, text);
}

/** What most attempts of a webhook in trouble failed with, such as http_500. */
export const causeOf = ({ health, cause }) => ["disabled", "failing", "degraded"].includes(health) && cause && h("code.small", cause);

/** A time in the reader's zone; UTC on hover. */
export function time(iso, { long = false } = {}) {
  if (!iso) return h("span.muted", "–");
  return h("time", { datetime: iso, title: long ? utc(iso) : `${local(iso)} · ${utc(iso)}`, "data-ago": !long }, long ? local(iso) : ago(iso));
}

/** A URL on one line, whole on hover. */
export const shortUrl = (url, most = 56) => h("span.address", { title: url }, middle(url, most));

/** An id that is copied by a click. */
export function idChip(id, { short = false } = {}) {
  const text = short && id.length > 16 ? `${id.slice(0, 8)}…${id.slice(-4)}` : id;
  return h("button.id", { type: "button", title: t`Copy ${id}`, onclick: () => copy(id) }, h("span.offscreen", t("Copy ")), h("code", text), icon("copy"));
}

export async function copy(text, what = t("Copied")) {
  try {
    await navigator.clipboard.writeText(text);
    toast(what);
  } catch {
    const area = h("textarea.offscreen", { value: text, "aria-hidden": "true" });
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    toast(document.execCommand("copy") ? what : t("Copying is blocked by the browser: select the text and copy it."));
    area.remove();
  }
}

export function button(text, onclick, { kind = "", glyph = null, ...more } = {}) {
  return h(`button.button${kind ? `.${kind}` : ""}`, { type: "button", onclick, ...more }, glyph && icon(glyph), text);
}

/** A button that works while its promise does, and cannot be pressed twice. */
export function actionButton(text, work, options = {}) {
  const made = button(text, async () => {
    made.disabled = true;
    try {
      await work();
    } catch (error) {
      report(error);
    } finally {
      made.disabled = false;
    }
  }, options);
  return made;
}

export const linkButton = (text, href, { kind = "", glyph = null } = {}) =>
  h(`a.button${kind ? `.${kind}` : ""}`, { href }, glyph && icon(glyph), text);

/** The head of a page; its heading takes the focus when the page is opened. */
export function head(title, { above = null, below = null, actions = [], level = "h1" } = {}) {
  return h("header.head", h("div.head-text", above && h("p.crumbs", above), h(level, { tabindex: "-1" }, title), below && h("div.head-below", below)), actions.length ? h("div.actions", actions) : null);
}

export function empty(title, text, ...actions) {
  return h("div.empty", h("h2", title), h("p", text), actions.length ? h("div.actions", actions) : null);
}

export function skeleton(lines = 4) {
  return h("div.skeleton", { role: "status", "aria-label": t("Loading") }, Array.from({ length: lines }, () => h("span.bar")));
}

/** What went wrong, and what to do next. */
export function failure(error, again) {
  const next = {
    0: t("Check the connection, then try again."),
    403: t("The token lacks the scope for this. Sign in with one that has it."),
    404: t("It was deleted, or belongs to another user."),
    429: t("Too many requests. Wait a moment, then try again."),
  }[error.status] ?? t("Try again. If this persists, the request id helps to find the cause.");
  return h("div.failure", { role: "alert" },
    h("h2", error.title ?? t("Something went wrong")), h("p", error.message), error.status === 0 ? null : h("p.muted", next),
    error.requestId && h("p.muted", t("Request id "), idChip(error.requestId)),
    again && button(t("Try again"), again));
}

const toasts = h("div.toasts", { role: "status", "aria-live": "polite" });

export function toast(text, tone = "") {
  const host = document.querySelector("dialog[open]") ?? document.body;
  if (toasts.parentNode !== host) host.append(toasts);
  const one = h("p.toast", { class: tone }, text);
  toasts.append(one);
  setTimeout(() => one.remove(), tone === "bad" ? 8_000 : 3_500);
}

/** Show an error that belongs to no field. */
export function report(error) {
  if (error?.name === "AbortError") return;
  toast(error?.message ?? String(error), "bad");
}

/** A modal dialog; `build(close)` gives its content. Resolves with what it was closed with. */
export function dialog(title, build, { wide = false, keep = false } = {}) {
  return new Promise((resolve) => {
    let result;
    const heading = h("h2", title);
    const box = h(`dialog${wide ? ".wide" : ""}`, { "aria-label": title });
    const close = (value) => {
      result = value;
      box.close();
    };
    const leave = async () => (await mayLeave(box)) && close();
    const stay = (event) => {
      if (!keep && !unsaved(box)) return;
      event.preventDefault();
      if (!keep) leave();
    };
    // a browser lets "cancel" be prevented once only, and the focus may be nowhere
    const press = (event) => event.key === "Escape" && [...document.querySelectorAll("dialog[open]")].at(-1) === box && stay(event);
    box.addEventListener("cancel", (event) => event.target === box && stay(event));
    document.addEventListener("keydown", press);
    box.addEventListener("close", () => {
      document.removeEventListener("keydown", press);
      box.remove();
      resolve(result);
    });
    const x = keep ? null : h("button.bare", { type: "button", "aria-label": t("Close"), onclick: leave }, icon("close"));
    box.append(h("div.dialog-head", heading, x), h("div.dialog-body", build(close)));
    document.body.append(box);
    box.showModal();
  });
}

/** Whether a form holds what was typed and not saved. */
export const unsaved = (within = document) => within.querySelector("form[data-unsaved]") !== null;

/** Ask before what was typed is lost; true when it may be, or when nothing was typed. */
export async function mayLeave(within = document) {
  return !unsaved(within) || Boolean(await confirm(t("Leave without saving?"), t("Your changes are not saved."), t("Leave")));
}

/** Ask before something that cannot be taken back; with `type`, only after that word was typed. */
export function confirm(title, text, verb, { type = null, danger = true } = {}) {
  return dialog(title, (close) => {
    const yes = h(`button.button.${danger ? "danger" : "primary"}`, { type: "submit", disabled: Boolean(type) }, verb);
    const typed = type && h("input", { type: "text", autocomplete: "off", spellcheck: "false", oninput: () => (yes.disabled = typed.value.trim() !== type.trim()) });
    return h("form", { onsubmit: (event) => (event.preventDefault(), close(true)) },
      h("p", text),
      type && h("label.field", h("span.label", t("To confirm, type "), h("strong", type)), typed),
      h("div.actions.end", button(t("Cancel"), () => close(false)), yes));
  });
}

/** Text as it is, with a button that copies it. */
export function code(text, { label = t("Text"), limit = 200_000 } = {}) {
  const shown = text.length > limit ? `${text.slice(0, limit)}\n… (${text.length - limit} more characters)` : text;
  return h("div.code", h("button.bare.code-copy", { type: "button", "aria-label": t`Copy: ${label}`, onclick: () => copy(text) }, icon("copy")), h("pre", { tabindex: "0", "aria-label": label, role: "region" }, shown || " "));
}

/** Names and values. */
export const facts = (...pairs) => h("dl.facts", pairs.filter(Boolean).map(([name, value]) => h("div", h("dt", name), h("dd", value))));

export function headersTable(headers, label) {
  const rows = Array.isArray(headers) ? headers : Object.entries(headers ?? {});
  if (!rows.length) return h("p.muted", t("No headers."));
  return h("div.scroll", { tabindex: "0", role: "region", "aria-label": label }, h("table.headers", h("tbody", rows.map(([name, value]) => h("tr", h("th", { scope: "row" }, name), h("td", value))))));
}

/** One of several, as pressed buttons; `onchoose` may answer false to keep what is chosen. */
export function segmented(label, options, chosen, onchoose) {
  const group = h("div.segmented", { role: "group", "aria-label": label });
  const draw = (now) => fill(group, options.map(([value, text]) => h("button", { type: "button", "aria-pressed": String(value === now), onclick: () => onchoose(value) !== false && draw(value) }, text)));
  draw(chosen);
  return group;
}

/** Tabs whose content is made when they are opened. tabs: [[key, text, make]] */
export function tabs(label, all, chosen, onchoose) {
  const panel = h("div.panel", { role: "tabpanel", tabindex: "-1" });
  const list = h("div.tabs", { role: "tablist", "aria-label": label });
  const open = (key, focus = false) => {
    const [name, , make] = all.find(([each]) => each === key) ?? all[0];
    fill(list, all.map(([each, text]) => h("button", { type: "button", role: "tab", id: `tab-${each}`, "aria-selected": String(each === name), tabindex: each === name ? "0" : "-1", onclick: () => open(each) }, text)));
    panel.setAttribute("aria-labelledby", `tab-${name}`);
    onchoose(name);
    fill(panel, make());
    const selected = list.querySelector("[aria-selected=true]");
    if (focus) selected.focus();
    requestAnimationFrame(() => (list.scrollLeft = selected.offsetLeft + selected.offsetWidth - list.offsetLeft - list.clientWidth)); // on a phone not all fit
  };
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = all.findIndex(([key]) => `tab-${key}` === document.activeElement.id);
    open(all[(at + step + all.length) % all.length][0], true);
  });
  open(chosen);
  return h("div", list, panel);
}

/** A list that grows by a button. `load(cursor)` gives {items, next_cursor}; `draw(items)` elements. */
export function growing(load, draw, none, host = h("div")) {
  const holder = h("div");
  const foot = h("div.more");
  let any = false;
  const next = async (cursor) => {
    fill(foot, skeleton(cursor ? 1 : 4));
    try {
      const page = await load(cursor);
      any ||= page.items.length > 0;
      if (page.items.length) holder.append(...[draw(page.items)].flat());
      if (page.next_cursor) fill(foot, actionButton(page.items.length ? t("Show more") : t("Search further back"), () => next(page.next_cursor)));
      else fill(foot, any ? null : none());
    } catch (error) {
      if (error.name !== "AbortError") fill(foot, failure(error, () => next(cursor)));
    }
  };
  next();
  return put2(host, holder, foot);
}

function put2(host, ...children) {
  host.replaceChildren(...children);
  return host;
}
