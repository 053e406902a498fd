// Lists by pages: what is chosen and which page it is stand in the address, so that Back comes back to them.

import { alive, held } from "./alive.js";
import { address, remember, withQuery } from "./addresses.js";
import { fill, h } from "./dom.js";
import { write } from "./exact.js";
import { failure, linkButton, skeleton } from "./ui.js";
import { t } from "./strings.js";

const EVERY_SECONDS = 15;

/** The rows of one page, read anew now and then: only rows that have changed are drawn anew.
 *
 *  load(cursor) gives {items, next_cursor}; row(item) a <tr>; `heads` name the columns, "" for none; fails(error) may
 *  say what to do about it; while busy() the rows stay as they are. */
export function listing({ heads, load, row, none, signal, dense = false, fails = null, busy = () => false }) {
  const host = h("div", skeleton(6));
  const cursor = address().query.get("cursor");
  const body = h("tbody");
  const foot = h("nav.turner", { "aria-label": t("Pages of the list") });
  const whole = h("div.scroll.flush", h(`table.list.cards${dense ? ".dense" : ""}`, h("thead", h("tr", heads.map((name) => (name ? h("th", { scope: "col" }, name) : h("td"))))), body));
  let rows = new Map();

  const show = ({ items, next_cursor: next }) => {
    const kept = new Map(items.map((one) => [one.id, drawn(one)]));
    const focus = place(document.activeElement, body);
    const wanted = [...kept.values()].map((one) => one.element);
    if (wanted.length !== body.children.length || wanted.some((one, at) => body.children[at] !== one)) body.replaceChildren(...wanted);
    rows = kept;
    focus?.();
    turn(foot, cursor, next);
    if (!items.length && !next) fill(host, none(), cursor ? foot : null);
    else if (!whole.isConnected || whole.parentNode !== host) fill(host, whole, foot);
  };
  const drawn = (one) => {
    const text = write(one);
    const had = rows.get(one.id);
    return had?.text === text ? had : { text, element: row(one) };
  };
  const first = async () => {
    try {
      show(await load(cursor));
    } catch (error) {
      if (error.name !== "AbortError") fill(host, fails?.(error) ?? failure(error, first));
    }
  };
  const again = async () => {
    const stays = () => held() || busy();
    if (stays()) return;
    const page = await load(cursor);
    if (!stays()) show(page);
  };
  first();
  alive(again, { every: EVERY_SECONDS, signal });
  return { element: host, again: first };
}

/** Where the focus is, by row and place within it; gives what puts it back. */
function place(element, body) {
  const row = element?.closest?.("tr");
  if (!row || !body.contains(row)) return null;
  const [at, within] = [[...body.children].indexOf(row), [...row.querySelectorAll("a, button, input")].indexOf(element)];
  return () => element.isConnected || body.children[at]?.querySelectorAll("a, button, input")[within]?.focus();
}

function turn(foot, cursor, next) {
  const { path, query } = address();
  const to = (value) => withQuery(path, { ...Object.fromEntries(query), cursor: value });
  fill(foot, cursor ? linkButton(t("Newest"), to(null)) : null, next ? linkButton(t("Older"), to(next)) : null);
}

/** Controls whose values stand in the address; `changed` is told when one was chosen. `controls`: {name: element} */
export function chosen(controls, changed) {
  const { query } = address();
  for (const [name, control] of Object.entries(controls)) {
    control.name = name;
    if (query.get(name) !== null) control.value = query.get(name);
    control.addEventListener("change", changed);
  }
  return () => Object.fromEntries(Object.entries(controls).map(([name, control]) => [name, control.value.trim()]));
}

/** A list under its controls: chosen anew, it begins at its first page. `build(values, signal)` gives a listing. */
export function filtered({ controls, build, signal }) {
  const host = h("div");
  let inner = null;
  let values = null;
  let drawn = null;
  const draw = () => {
    drawn = write(values());
    inner?.abort();
    inner = new AbortController();
    signal.addEventListener("abort", () => inner.abort(), { once: true });
    fill(host, build(values(), inner.signal).element);
  };
  const anew = () => {
    if (write(values()) === drawn) return; // leaving a field says "change" too, when a button below it is pressed
    remember({ ...values(), cursor: "" });
    draw();
  };
  values = chosen(controls, anew);
  draw();
  return { element: host, anew, draw };
}
