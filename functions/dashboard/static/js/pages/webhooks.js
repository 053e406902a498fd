// All webhooks with their health, a page at a time; for words and status all of them are read.

import { get } from "../api.js";
import { meter } from "../chart.js";
import { fill, h, icon, put } from "../dom.js";
import { count, percent, plural } from "../format.js";
import { link, remember } from "../addresses.js";
import { actionButton, badge, button, causeOf, empty, failure, head, idChip, linkButton, shortUrl, skeleton, time } from "../ui.js";

const A_PAGE = 25;
const MANY_WAIT = 100; // counted no further
const STATUSES = [["", "All statuses"], ["active", "Active"], ["paused", "Paused"], ["inactive", "Inactive"], ["failed", "Disabled by failures"]];

export async function show({ root, query, signal }) {
  const state = { words: query.get("q") ?? "", status: query.get("status") ?? "", page: 0 };
  const known = reader(signal);
  const found = h("p.muted.small", { role: "status" });
  const list = h("div");
  const search = h("input", { type: "search", value: state.words, placeholder: "Name, URL or id", "aria-label": "Search webhooks", oninput: () => choose({ words: search.value }) });
  const status = h("select", { "aria-label": "Status", onchange: () => choose({ status: status.value }) }, STATUSES.map(([value, text]) => h("option", { value }, text)));
  status.value = state.status;
  put(root, head("Webhooks", { actions: [linkButton("New webhook", "#/webhooks/new", { kind: "primary", glyph: "plus" })] }), h("div.bar-of-tools", h("span.search", icon("search"), search), status, found), list);
  fill(list, skeleton(6));

  const choose = (changed) => {
    Object.assign(state, changed, { page: 0 });
    remember({ q: state.words, status: state.status });
    draw();
  };

  /** What is asked for last is what is shown, whatever comes when. */
  const draw = async () => {
    const asked = { ...state };
    const still = () => !signal.aborted && Object.keys(asked).every((name) => asked[name] === state[name]);
    const wanted = asked.words.toLowerCase().split(/\s+/).filter(Boolean);
    const filtered = wanted.length > 0 || asked.status !== "";
    const from = asked.page * A_PAGE;
    try {
      if (filtered) await known.all((some) => still() && fill(found, `${count(some)} read so far …`));
      else await known.upTo(from + A_PAGE);
    } catch (error) {
      if (error.name !== "AbortError" && still()) fill(list, failure(error, draw));
      return;
    }
    if (!still()) return;
    const fitting = filtered ? known.webhooks.filter((one) => (!asked.status || one.status === asked.status) && wanted.every((word) => `${one.name} ${one.url} ${one.id} ${one.description}`.toLowerCase().includes(word))) : known.webhooks;
    if (!known.webhooks.length) {
      fill(found);
      return fill(list, empty("No webhooks yet", "Create one to send events to your endpoint.", linkButton("New webhook", "#/webhooks/new", { kind: "primary", glyph: "plus" })));
    }
    const shown = fitting.slice(from, from + A_PAGE);
    fill(found, known.done ? plural(fitting.length, "webhook") : `${count(from + 1)} to ${count(from + shown.length)}, newest first`);
    if (!fitting.length) return fill(list, empty("No matching webhooks", "No webhook matches this search.", button("Show all", () => ((search.value = status.value = ""), choose({ words: "", status: "" })))));
    fill(list, table(shown), turner(known.done ? fitting.length : Infinity, state, draw));
  };
  await draw();
}

/** Webhooks with their health, read as far as they are needed. */
function reader(signal) {
  const known = { webhooks: [], done: false };
  let cursor;
  let last = Promise.resolve();
  const inTurn = (wanted, limit, progress = () => null) => (last = last.catch(() => null).then(async () => {
    while (!known.done && known.webhooks.length < wanted) {
      progress(known.webhooks.length);
      const page = await get("/webhooks", { limit, include: "health", cursor }, signal);
      known.webhooks.push(...page.items);
      cursor = page.next_cursor;
      known.done = !cursor;
    }
  }));
  known.upTo = (wanted) => inTurn(wanted, A_PAGE);
  known.all = (progress) => inTurn(Infinity, 100, progress);
  return known;
}

function table(webhooks) {
  return h("div.scroll.flush", h("table.list.cards.dense", h("thead", h("tr", ["Webhook", "State", "Success, 2 h", "Waiting", "Changed", "Id"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", webhooks.map((one) => h("tr",
      h("td.wide-cell", h("a.strong", { href: link("webhooks", one.id) }, one.name), shortUrl(one.url)),
      h("td", { "data-label": "State" }, h("span.inline", { title: one.health.explanation ?? "No problems" }, badge(one.health.health), causeOf(one.health))),
      h("td", { "data-label": "Success, 2 h" }, one.health.attempts ? h("span.rate", meter(one.health.success_rate), percent(one.health.success_rate)) : h("span.muted", "no attempts")),
      h("td", { "data-label": "Waiting" }, one.health.waiting ? `${count(one.health.waiting)}${one.health.waiting >= MANY_WAIT ? "+" : ""}` : h("span.muted", "0")),
      h("td", { "data-label": "Changed" }, time(one.updated_at)),
      h("td", { "data-label": "Id" }, idChip(one.id, { short: true })))))));
}

function turner(total, state, draw) {
  const last = Math.max(0, Math.ceil(total / A_PAGE) - 1);
  if (!last) return null;
  const turn = (by) => async () => {
    state.page += by;
    await draw();
    document.getElementById("main").scrollIntoView();
  };
  return h("nav.turner", { "aria-label": "Pages of the list" }, actionButton("Previous", turn(-1), { disabled: state.page === 0 }), h("span.muted", total === Infinity ? `Page ${state.page + 1}` : `${state.page + 1} of ${last + 1}`), actionButton("Next", turn(1), { disabled: state.page >= last }));
}
