// Sending many again: how many and how long, before; how far it has come, after.

import { alive } from "./alive.js";
import { asking, get, making, webhookPath } from "./api.js";
import { fill, h } from "./dom.js";
import { plural, stretch } from "./format.js";
import { cancelJob, nameOf, progressOf, underWay } from "./jobs.js";
import { field, form, number, select } from "./forms.js";
import { actionButton, badge, dialog } from "./ui.js";
import { t } from "./strings.js";

const LOOK_SECONDS = 1;
const PATH = "/dead-letters/bulk-replay";

/** Count, confirm, start, and follow in `jobs` what is one replay, of however many webhooks. `body`: what the API takes;
 *  `name`: to whom. `done` is told when it has ended. */
export async function replay({ body, name, jobs, signal, done }) {
  const rate = rateField(t("The rate limit of each webhook applies as well."));
  const wanted = () => ({ ...body, rate_per_second: Number(rate.control.value) });
  const make = making(PATH);
  const job = await dialog(t("Replay"), (close) => {
    const preview = h("p.notice", { role: "status" }, t("Counting …"));
    const count = async () => fill(preview, await asking(PATH, { ...wanted(), dry_run: true }).then(foreseen, (error) => error.message));
    rate.control.addEventListener("change", count);
    count();
    return form([
      h("p", t("Sends these deliveries to "), h("strong", name), t(" again, each with a full set of attempts. Those delivered in the meantime are skipped.")), preview, rate,
    ], { verb: t("Replay"), submit: async () => close(await make(wanted())), cancel: () => close() });
  });
  if (!job) return;
  await followJob({ job, name, jobs, signal });
  if (!signal.aborted) done?.();
}

const rateField = (hint = null) => field("rate_per_second", t("Maximum per second"), number(50, { min: "0.1", max: "1000", step: "any" }), { hint });

function foreseen(found) {
  const what = `${plural(found.count, "dead letter")}${found.webhooks > 1 ? t` of ${plural(found.webhooks, "webhook")}` : ""}`;
  const letters = plural(found.left_out, "dead letter");
  const left = found.left_out === 1 ? t` ${letters} of webhooks that are inactive, disabled or deleted stays.` : t` ${letters} of webhooks that are inactive, disabled or deleted stay.`;
  return `${inTime(found, what)}${found.left_out ? left : ""}`;
}

const counted = (found) => inTime(found, plural(found.count, "delivery", "deliveries"));
const inTime = (found, what) => t`${found.is_exact ? "" : t("More than ")}${what}, in about ${stretch(found.duration_seconds)}.`;

/** What a webhook did not get in a time: given up, or missed while it was inactive or disabled. */
export async function recover({ webhook, jobs, signal, done }) {
  const hours = select([["1", t("the last hour")], ["24", t("the last 24 hours")], ["72", t("the last 3 days")], ["168", t("the last 7 days")], ["720", t("the last 30 days")]], "24");
  const rate = rateField();
  const now = Date.now(); // the same for a second try, so that it is the same request
  const body = () => ({ from: new Date(now - Number(hours.value) * 3_600_000).toISOString(), rate_per_second: Number(rate.control.value) });
  const path = `${webhookPath(webhook.id)}/recover`;
  const make = making(path);
  const job = await dialog(t("Recover missed events"), (close) => {
    const preview = h("p.notice", { role: "status" });
    const count = async () => {
      fill(preview, t("Counting …"));
      fill(preview, await asking(path, { ...body(), dry_run: true }).then((found) => counted(found), (error) => error.message));
    };
    [hours, rate.control].forEach((one) => one.addEventListener("change", count));
    count();
    return form([
      h("p", t("Sends deliveries that were given up, and events that were not queued while the webhook was inactive or disabled. Those already delivered are skipped.")), preview,
      h("div.columns", field("from", t("Time range"), hours), rate),
    ], { verb: t("Recover"), submit: async () => close(await make(body())), cancel: () => close() });
  });
  if (!job) return;
  await followJob({ job, name: webhook.name, jobs, signal });
  if (!signal.aborted) done?.();
}

/** A line with a bar that moves until the job has ended. */
export async function followJob({ job, name, jobs, signal }) {
  const bar = h("progress", { "aria-label": t`Replay to ${name}` });
  const said = h("span");
  const line = h("div.card.job", { role: "status" }, h("span.inline", badge(job.status), h("strong", name)), bar, said);
  jobs.prepend(line);
  const following = new AbortController();
  signal.addEventListener("abort", () => following.abort(), { once: true });
  const cancel = actionButton(t("Cancel"), async () => (await cancelJob(job)) && draw(await read()), { kind: "quiet", "aria-label": t`Cancel the replay to ${name}` });
  line.append(cancel);
  const read = () => get(`/replays/${encodeURIComponent(job.id)}`, {}, signal);
  const ended = new Promise((resolve) => following.signal.addEventListener("abort", resolve, { once: true }));
  const draw = (now) => {
    if (now.total !== null) Object.assign(bar, { max: Math.max(now.total, 1), value: now.total ? now.replayed + now.skipped : 1 });
    fill(said, progressOf(now));
    line.querySelector(".badge").replaceWith(badge(now.status));
    if (underWay(now)) return;
    cancel.remove();
    following.abort();
  };
  draw(job);
  if (!following.signal.aborted) alive(async () => draw(await read()), { every: LOOK_SECONDS, signal: following.signal });
  return ended;
}

/** What is still under way when a page is opened. */
export async function followAll({ jobs, signal, done, webhookId = null }) {
  const found = await Promise.all(["pending", "running"].map((status) => get("/replays", { status, webhook_id: webhookId, limit: 10 }, signal)));
  await Promise.all(found.flatMap((page) => page.items).map(async (job) => {
    await followJob({ job, name: nameOf(job), jobs, signal });
    if (!signal.aborted) done?.();
  }));
}
