// How the events of a pull webhook are read, and how far its consumers have come.

import { alive, held } from "../alive.js";
import { apiUrl, del, get, webhookPath } from "../api.js";
import { fill, h } from "../dom.js";
import { actionButton, code, confirm, empty, failure, skeleton, time, toast } from "../ui.js";
import { t } from "../strings.js";

export function reading(webhook, signal) {
  const path = webhookPath(webhook.id);
  const list = h("div", skeleton(3));
  const load = async () => {
    try {
      const { items } = await get(`${path}/consumers`, {}, signal);
      fill(list, items.length ? table(items) : empty(t("No consumers yet"), t("A consumer appears here after its first commit.")));
    } catch (error) {
      if (error.name !== "AbortError") fill(list, failure(error, load));
    }
  };
  const remove = (one) => async () => {
    if (!(await confirm(t`Delete ${one.name}?`, t("The next time this name reads, it starts with the oldest event that is still kept."), t("Delete consumer")))) return;
    await del(`${path}/consumers/${encodeURIComponent(one.name)}`);
    toast(t("Deleted"));
    await load();
  };
  const table = (items) => h("div.scroll.flush", h("table.list.cards", h("thead", h("tr", [t("Consumer"), t("Read up to"), t("Committed"), ""].map((name) => (name ? h("th", { scope: "col" }, name) : h("td"))))),
    h("tbody", items.map((one) => h("tr",
      h("td.wide-cell", h("code.strong", one.name)),
      h("td", { "data-label": t("Read up to") }, time(one.reached_at)),
      h("td", { "data-label": t("Committed") }, time(one.committed_at)),
      h("td", actionButton(t("Delete"), remove(one), { kind: "quiet" })))))));
  load();
  alive(async () => !held() && list.isConnected && load(), { every: 15, signal });
  return h("div.stack.large", h("section", h("h2", t("Consumers")), list), h("section.card.stack", h("h2", t("Read its events")), how(path)));
}

function how(path) {
  const of = (rest) => String(apiUrl(`${path}${rest}`));
  const auth = '-H "Authorization: Bearer $TOKEN"';
  return [
    h("p", t("Events stay readable for as long as the service keeps them, whether you have read them or not. This asks for the next ones, and waits up to 20 seconds for one to come:")),
    code(`curl "${of("/events?consumer=NAME&wait=20")}" ${auth}`, { label: t("Read") }),
    h("p", t("When you have processed them, commit the answer's "), h("code", "next_cursor"), t(". The consumer goes on from there:")),
    code(`curl -X POST "${of("/consumers/NAME/commit")}" ${auth} \\\n  -H "Content-Type: application/json" -d '{"cursor": "NEXT_CURSOR"}'`, { label: t("Commit") }),
    h("p.muted", t("An event may come twice, with the same event_id. Each has the headers of a delivery, signed with the webhook's secret. An event can be read 5 seconds after it was recorded.")),
  ];
}
