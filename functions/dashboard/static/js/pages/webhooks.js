// All webhooks with their health, newest first; an admin's are everybody's, with their owners.

import { get } from "../api.js";
import { meter } from "../chart.js";
import { h, icon, put } from "../dom.js";
import { count, percent } from "../format.js";
import { link, withQuery } from "../addresses.js";
import { select, text } from "../forms.js";
import { filtered, listing } from "../list.js";
import { portal } from "../portal.js";
import { may } from "../session.js";
import { badge, button, causeOf, empty, head, idChip, linkButton, shortUrl, time } from "../ui.js";
import { t } from "../strings.js";

const A_PAGE = 25;
const MANY_WAIT = 100; // counted no further
const TYPING_MS = 250;
const STATUSES = [["", t("All statuses")], ["active", t("Active")], ["paused", t("Paused")], ["inactive", t("Inactive")], ["failed", t("Disabled by failures")]];

export function show({ root, signal }) {
  const everybody = may("admin") && !portal;
  const controls = {
    q: h("input", { type: "search", placeholder: t("Name, URL or id"), "aria-label": t("Search webhooks") }),
    status: select(STATUSES, "", { "aria-label": t("Status") }),
    ...(everybody ? { owner: text("", { placeholder: t("Owner"), "aria-label": t("Owner") }) } : {}),
  };
  const create = () => linkButton(t("New webhook"), "#/webhooks/new", { kind: "primary", glyph: "plus" });
  const all = () => {
    Object.values(controls).forEach((one) => (one.value = ""));
    list.anew();
  };
  const list = filtered({
    controls,
    signal,
    build: (now, inner) => listing({
      heads: [t("Webhook"), everybody && t("Owner"), t("State"), t("Success, 2 h"), t("Waiting"), !everybody && t("Changed"), t("Id")].filter(Boolean), // as many as fit
      signal: inner,
      dense: true,
      load: (cursor) => get("/webhooks", { limit: A_PAGE, include: "health", q: now.q, status: now.status, user_id: now.owner, cursor }, inner),
      row: (one) => row(one, everybody),
      none: () => (Object.values(now).some(Boolean) ? empty(t("No matching webhooks"), t("No webhook matches this search."), button(t("Show all"), all)) : empty(t("No webhooks yet"), t("Create one to send events to your endpoint."), create())),
    }),
  });
  let typed = null;
  controls.q.addEventListener("input", () => {
    clearTimeout(typed);
    typed = setTimeout(() => signal.aborted || list.anew(), TYPING_MS);
  });
  put(root, head(t("Webhooks"), { actions: [create()] }), h("form.bar-of-tools", { onsubmit: (event) => event.preventDefault() }, h("span.search", icon("search"), controls.q), controls.status, controls.owner), list.element);
}

function row(one, everybody) {
  return h("tr",
    h("td.wide-cell", h("a.strong", { href: link("webhooks", one.id) }, one.name), one.kind === "pull" ? h("span.muted", "pull") : shortUrl(one.url, everybody ? 36 : 40)),
    everybody && h("td", { "data-label": t("Owner") }, h("a", { href: withQuery("/webhooks", { owner: one.user_id }) }, one.user_id)),
    h("td", { "data-label": t("State") }, h("span.inline", { title: one.health.explanation ?? t("No problems") }, badge(one.health.health), causeOf(one.health))),
    h("td", { "data-label": t("Success, 2 h") }, one.health.attempts ? h("span.rate", meter(one.health.success_rate), percent(one.health.success_rate)) : h("span.muted", t("no attempts"))),
    h("td", { "data-label": t("Waiting") }, one.health.waiting ? `${count(one.health.waiting)}${one.health.waiting >= MANY_WAIT ? "+" : ""}` : h("span.muted", "0")),
    !everybody && h("td", { "data-label": t("Changed") }, time(one.updated_at)),
    h("td", { "data-label": t("Id") }, idChip(one.id, { short: true })));
}
