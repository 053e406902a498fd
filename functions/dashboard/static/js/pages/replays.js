// Replays and recoveries: how far each has come, and stopping one.

import { get } from "../api.js";
import { h, put } from "../dom.js";
import { cancelJob, nameOf, progressOf, underWay } from "../jobs.js";
import { link, withQuery } from "../addresses.js";
import { filtered, listing } from "../list.js";
import { select } from "../forms.js";
import { may } from "../session.js";
import { portal } from "../portal.js";
import { actionButton, badge, empty, head, idChip, time, toast } from "../ui.js";

const STATUSES = [["", "All statuses"], ["running", "Running"], ["pending", "Pending"], ["completed", "Completed"], ["failed", "Failed"], ["cancelled", "Cancelled"]];

export function show({ root, signal }) {
  const everybody = may("admin") && !portal;
  const controls = { status: select(STATUSES, "", { "aria-label": "Status" }) };
  const list = filtered({
    controls,
    signal,
    build: (now, inner) => {
      const made = listing({
        heads: ["Replay", "Webhook", ...(everybody ? ["Owner"] : []), "Status", "Progress", "Started", ""],
        signal: inner,
        dense: true,
        load: (cursor) => get("/replays", { status: now.status, cursor, limit: 25 }, inner),
        row: (one) => row(one, everybody, async () => {
          if (!(await cancelJob(one))) return;
          await made.again();
          toast("Replay cancelled");
        }),
        none: () => empty("No replays", "Replays of dead letters and recoveries are listed here."),
      });
      return made;
    },
  });
  put(root, head("Replays", { above: h("a", { href: "#/dead-letters" }, "Dead letters") }), h("div.bar-of-tools", controls.status), list.element);
}

function row(one, everybody, cancel) {
  return h("tr",
    h("td.wide-cell", h("strong", one.kind === "recovery" ? "Recovery" : "Replay"), one.reason && h("code.small", one.reason), idChip(one.id, { short: true })),
    h("td", { "data-label": "Webhook" }, one.webhook_id ? h("a", { href: link("webhooks", one.webhook_id) }, nameOf(one)) : nameOf(one)),
    everybody && h("td", { "data-label": "Owner" }, h("a", { href: withQuery("/webhooks", { owner: one.user_id }) }, one.user_id)),
    h("td", { "data-label": "Status" }, badge(one.status)),
    h("td", { "data-label": "Progress" }, progressOf(one)),
    h("td", { "data-label": "Started" }, time(one.created_at)),
    h("td", underWay(one) ? actionButton("Cancel", cancel, { kind: "quiet", "aria-label": `Cancel ${one.id}` }) : null));
}
