// Who did what to a webhook, and when.

import { get } from "../api.js";
import { h } from "../dom.js";
import { listing } from "../list.js";
import { words } from "../format.js";
import { empty, idChip, time } from "../ui.js";
import { t } from "../strings.js";

export function changes(webhook, signal) {
  return listing({
    heads: [t("What"), t("Who"), t("When")],
    signal,
    load: (cursor) => get("/audit", { webhook_id: webhook.id, cursor, limit: 25 }, signal),
    row: (one) => h("tr",
      h("td.wide-cell", h("strong", words(one.action.replace(".", " "))), one.changed.length ? h("span.muted", one.changed.join(", ")) : null, one.target === webhook.id ? null : idChip(one.target, { short: true })),
      h("td", { "data-label": t("Who") }, h("div", one.actor, one.api_key_id && h("div.muted", t("API key "), idChip(one.api_key_id, { short: true })), one.source_ip && h("div", h("code.small", one.source_ip)))),
      h("td", { "data-label": t("When") }, time(one.at))),
    none: () => empty(t("No changes"), t("Who changes, tests or replays this webhook is listed here.")),
  }).element;
}
