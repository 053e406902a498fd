// A test delivery: what goes out, and what comes back.

import { get, post, webhookPath } from "../api.js";
import { fill, h } from "../dom.js";
import { parse } from "../exact.js";
import { json, milliseconds, pretty } from "../format.js";
import { link } from "../addresses.js";
import { area, field, form, select, Wrong } from "../forms.js";
import { badge, code, dialog, headersTable, skeleton } from "../ui.js";
import { t } from "../strings.js";

const SAMPLE = { fields: { name: "Test", status: "open" } };

/** Ask for the event, send it, and show both sides. */
export async function sendTest(webhook) {
  const types = await get("/event-types").catch(() => ({ items: [] }));
  return dialog(t`Test ${webhook.name}`, () => {
    const result = h("div.stack", { role: "status", "aria-live": "polite" });
    const type = select([["webhook.test", "webhook.test"], ...types.items.map((one) => [one.name, one.name])], "webhook.test");
    const data = area(json(SAMPLE), { class: "mono", rows: "7", spellcheck: "false" });
    const submit = async () => {
      let parsed;
      try {
        parsed = parse(data.value || "{}");
      } catch (error) {
        throw new Wrong("data", t`is not valid JSON: ${error.message}`);
      }
      fill(result, skeleton(3));
      try {
        fill(result, shown(webhook, await post(`${webhookPath(webhook.id)}/test`, { event_type: type.value, data: parsed })));
      } catch (error) {
        fill(result);
        throw error;
      }
    };
    return h("div.stack", h("p.muted", t("Sent immediately, signed like any delivery and marked as a test. Not retried, not counted in statistics, and listed among the deliveries for three days.")),
      form([field("event_type", t("Event type"), type), field("data", t("Data"), data)], { verb: t("Send now"), submit }), result);
  }, { wide: true });
}

function shown(webhook, trial) {
  const outcome = trial.succeeded ? "success" : "failure";
  return h("div.stack",
    h("p.inline", badge(outcome, trial.succeeded ? t("Delivered") : t("Failed")), trial.status_code !== null && h("strong", t`HTTP ${trial.status_code}`), h("span.muted", milliseconds(trial.duration_ms)), trial.error_message && h("span", trial.error_message), trial.delivery_id && h("a", { href: link("webhooks", webhook.id, "deliveries", trial.delivery_id) }, t("Show the delivery"))),
    trial.remark && h("p.muted", trial.remark),
    h("div.columns.two",
      h("section", h("h3", t("Request")), headersTable(trial.request.headers, t("Request headers")), code(pretty(trial.request.body), { label: t("Request body") })),
      h("section", h("h3", t("Response")), trial.response ? [headersTable(trial.response.headers, t("Response headers")), code(pretty(trial.response.body), { label: t("Response body") })] : h("p.muted", t("No response.")))));
}
