// Replays and recoveries: how far each has come, and stopping one.

import { get } from "../api.js";
import { h, put } from "../dom.js";
import { cancelJob, nameOf, progressOf, underWay } from "../jobs.js";
import { link, withQuery } from "../addresses.js";
import { filtered, listing } from "../list.js";
import { select, text } from "../forms.js";
import { may } from "../session.js";
import { portal } from "../portal.js";
import { actionButton, badge, empty, head, idChip, time, toast } from "../ui.js";
import { t } from "../strings.js";

const STATUSES = [["", t("All statuses")], ["running", t("Running")], ["pending", t("Pending")], ["completed", t("Completed")], ["failed", t("Failed")], ["cancelled", t("Cancelled")]];

export function show({ root, signal }) {
  const everybody = may("admin") && !portal;
  const controls = {
    status: select(STATUSES, "", { "aria-label": t("Status") }),
    ...(everybody ? { owner: text("", { placeholder: t("Owner"), "aria-label": t("Owner") }) } : {}),
  };
  const list = filtered({
    controls,
    signal,
    build: (now, inner) => {
      const made = listing({
        heads: [t("Replay"), t("Webhook"), ...(everybody ? [t("Owner")] : []), t("Status"), t("Progress"), t("Started"), ""],
        signal: inner,
        dense: true,
        load: (cursor) => get("/replays", { status: now.status, user_id: now.owner, cursor, limit: 25 }, inner),
        row: (one) => row(one, everybody, async () => {
          if (!(await cancelJob(one))) return;
          await made.again();
          toast(t("Replay cancelled"));
        }),
        none: () => empty(t("No replays"), t("Replays of dead letters and recoveries are listed here.")),
      });
      return made;
    },
  });
  put(root, head(t("Replays"), { above: h("a", { href: "#/dead-letters" }, t("Dead letters")) }), h("form.bar-of-tools", { onsubmit: (event) => event.preventDefault() }, Object.values(controls)), list.element);
}

function row(one, everybody, cancel) {
  return h("tr",
    h("td.wide-cell", h("strong", one.kind === "recovery" ? t("Recovery") : t("Replay")), one.reason && h("code.small", one.reason), idChip(one.id, { short: true })),
    h("td", { "data-label": t("Webhook") }, one.webhook_id ? h("a", { href: link("webhooks", one.webhook_id) }, nameOf(one)) : nameOf(one)),
    everybody && h("td", { "data-label": t("Owner") }, h("a", { href: withQuery("/webhooks", { owner: one.user_id }) }, one.user_id)),
    h("td", { "data-label": t("Status") }, badge(one.status)),
    h("td", { "data-label": t("Progress") }, progressOf(one)),
    h("td", { "data-label": t("Started") }, time(one.created_at)),
    h("td", underWay(one) ? actionButton(t("Cancel"), cancel, { kind: "quiet", "aria-label": t`Cancel ${one.id}` }) : null));
}
