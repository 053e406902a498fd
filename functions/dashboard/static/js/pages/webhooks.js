// All webhooks: found by words and status, each with its health.

import { each, get, pages, webhookPath } from "../api.js";
import { meter } from "../chart.js";
import { fill, h, icon, put } from "../dom.js";
import { count, percent, plural } from "../format.js";
import { link, remember } from "../router.js";
import { badge, button, empty, head, idChip, linkButton, report, skeleton, time } from "../ui.js";

const A_PAGE = 25;
const STATUSES = [["", "All statuses"], ["active", "Active"], ["paused", "Paused"], ["inactive", "Inactive"], ["failed", "Disabled by failures"]];

export async function show({ root, query, signal }) {
  const state = { words: query.get("q") ?? "", status: query.get("status") ?? "", page: 0, all: [], done: false };
  const healths = new Map();
  const found = h("p.muted.small", { role: "status" });
  const list = h("div");
  const search = h("input", { type: "search", value: state.words, placeholder: "Name, address, id", "aria-label": "Search webhooks", oninput: () => choose({ words: search.value }) });
  const status = h("select", { "aria-label": "Status", onchange: () => choose({ status: status.value }) }, STATUSES.map(([value, text]) => h("option", { value }, text)));
  status.value = state.status;
  put(root, head("Webhooks", { actions: [linkButton("New webhook", "#/webhooks/new", { kind: "primary", glyph: "plus" })] }), h("div.bar-of-tools", h("span.search", icon("search"), search), status, found), list);
  fill(list, skeleton(6));

  const choose = (changed) => {
    Object.assign(state, changed, { page: 0 });
    remember({ q: state.words, status: state.status });
    draw();
  };

  const draw = () => {
    const wanted = state.words.toLowerCase().split(/\s+/).filter(Boolean);
    const fitting = state.all.filter((one) => (!state.status || one.status === state.status) && wanted.every((word) => `${one.name} ${one.url} ${one.id} ${one.description}`.toLowerCase().includes(word)));
    fill(found, state.done ? plural(fitting.length, "webhook") : `${count(state.all.length)} so far …`);
    if (!state.all.length && state.done) return fill(list, empty("No webhooks yet", "Create one to have events sent to an address of yours.", linkButton("New webhook", "#/webhooks/new", { kind: "primary", glyph: "plus" })));
    if (!fitting.length && state.done) return fill(list, empty("Nothing fits", "No webhook has these words and this status.", button("Show all", () => ((search.value = status.value = ""), choose({ words: "", status: "" })))));
    const shown = fitting.slice(state.page * A_PAGE, (state.page + 1) * A_PAGE);
    fill(list, table(shown, healths), turner(fitting.length, state, draw));
    look(shown);
  };

  const look = (shown) => each(shown.filter((one) => !healths.has(one.id)), async ({ id }) => {
    healths.set(id, null);
    try {
      healths.set(id, await get(`${webhookPath(id)}/health`, {}, signal));
      const cells = list.querySelector(`tr[data-id="${CSS.escape(id)}"]`);
      if (cells) showHealth(cells, healths.get(id));
    } catch (error) {
      healths.delete(id);
      if (error.name !== "AbortError" && error.status !== 404) report(error);
    }
  });

  for await (const items of pages("/webhooks", {}, signal, A_PAGE)) {
    const first = !state.all.length;
    state.all.push(...items);
    if (first) draw();
  }
  state.done = true;
  draw();
}

function table(webhooks, healths) {
  return h("div.scroll.flush", h("table.list.cards", h("thead", h("tr", ["Webhook", "Status", "Health", "Recent success", "Waiting", "Changed"].map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", webhooks.map((one) => {
      const row = h("tr", { "data-id": one.id },
        h("td.wide-cell", h("a.strong", { href: link("webhooks", one.id) }, one.name), h("span.address", one.url), idChip(one.id, { short: true })),
        h("td", { "data-label": "Status" }, badge(one.status)),
        h("td", { "data-label": "Health", "data-part": "health" }, h("span.bar.pending")),
        h("td", { "data-label": "Recent success", "data-part": "rate" }),
        h("td", { "data-label": "Waiting", "data-part": "waiting" }),
        h("td", { "data-label": "Changed" }, time(one.updated_at)));
      if (healths.get(one.id)) showHealth(row, healths.get(one.id));
      return row;
    }))));
}

function showHealth(row, health) {
  const part = (name) => row.querySelector(`[data-part="${name}"]`);
  fill(part("health"), h("span", { title: health.explanation ?? "Nothing to complain about" }, badge(health.health)));
  fill(part("rate"), health.recent.attempts ? h("span.rate", meter(health.recent.success_rate), percent(health.recent.success_rate)) : h("span.muted", "no attempts"));
  fill(part("waiting"), health.backlog.waiting ? `${count(health.backlog.waiting)}${health.backlog.more ? "+" : ""}` : h("span.muted", "0"));
}

function turner(total, state, draw) {
  const last = Math.max(0, Math.ceil(total / A_PAGE) - 1);
  if (!last) return null;
  const turn = (by) => () => ((state.page += by), draw(), document.getElementById("main").scrollIntoView());
  return h("nav.turner", { "aria-label": "Pages of the list" }, button("Previous", turn(-1), { disabled: state.page === 0 }), h("span.muted", `${state.page + 1} of ${last + 1}`), button("Next", turn(1), { disabled: state.page >= last }));
}
