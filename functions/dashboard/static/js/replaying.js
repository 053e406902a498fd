// Sending many again: how many and how long, before; how far it has come, after.

import { alive } from "./alive.js";
import { each, get, post, webhookPath } from "./api.js";
import { fill, h } from "./dom.js";
import { plural, stretch } from "./format.js";
import { cancelJob, progressOf, underWay } from "./jobs.js";
import { actionButton, badge, button, dialog } from "./ui.js";

const LOOK_SECONDS = 1;
const AT_ONCE = 15; // jobs under way; an owner may have 20 (docs/limits.md), and others may be among them

/** Count, confirm, start, and follow in `jobs`. `targets`: [{webhookId, name, selection}], of which each webhook's are
 *  one job; selection: {ids} or {reason, ...}. `done` is told when all have ended. */
export async function replay({ targets, jobs, signal, done }) {
  const rate = h("input", { type: "number", min: "0.1", max: "1000", step: "any", value: "50" });
  const [first] = targets;
  const webhooks = new Set(targets.map((one) => one.webhookId)).size;
  const yes = await dialog("Replay", (close) => {
    const preview = h("p.notice", { role: "status" }, "Counting …");
    const count = async () => fill(preview, await foreseen(targets, Number(rate.value)).catch((error) => error.message));
    rate.addEventListener("change", count);
    count();
    return h("form", { onsubmit: (event) => (event.preventDefault(), close(true)) },
      h("p", "Sends these deliveries to ", h("strong", webhooks === 1 ? first.name : plural(webhooks, "webhook")), " again, each with a full set of attempts. Those delivered in the meantime are skipped."), preview,
      h("label.field", h("span.label", "Maximum per second"), rate, h("span.hint", webhooks === 1 ? "The webhook's own rate limit applies as well." : "For each webhook; its own rate limit applies as well.")),
      h("div.actions.end", button("Cancel", () => close(false)), h("button.button.primary", { type: "submit" }, "Replay")));
  });
  if (!yes) return;
  let started = 0;
  await each(targets, async ({ webhookId, name, selection }) => {
    try {
      const job = await post(`${webhookPath(webhookId)}/dead-letters/bulk-replay`, { ...selection, rate_per_second: Number(rate.value) });
      started += 1;
      await followJob({ job, name, jobs, signal });
    } catch (error) {
      jobs.prepend(h("p.notice.bad", `${name}: ${error.message}`)); // the others go on
    }
  }, AT_ONCE);
  if (!signal.aborted && started) done?.();
}

async function foreseen(targets, rate) {
  const found = { count: 0, is_exact: true, duration_seconds: 0 };
  await each(targets, async ({ webhookId, selection }) => {
    const one = await foreseenOf(webhookId, selection, rate);
    found.count += one.count;
    found.is_exact &&= one.is_exact;
    found.duration_seconds = Math.max(found.duration_seconds, one.duration_seconds); // webhooks are replayed side by side
  }, 4);
  return counted(found, targets.every((one) => one.selection.ids) ? ["dead letter", "dead letters"] : undefined);
}

async function foreseenOf(webhookId, selection, rate) {
  if (!selection.ids) return post(`${webhookPath(webhookId)}/recover`, { ...selection, rate_per_second: rate, dry_run: true });
  const webhook = await get(webhookPath(webhookId));
  const amount = selection.ids.length;
  return { count: amount, is_exact: true, duration_seconds: amount / Math.min(rate, webhook.rate_limit_rps ?? Infinity) };
}

const counted = (found, [one, many] = ["delivery", "deliveries"]) => `${found.is_exact ? "" : "More than "}${plural(found.count, one, many)}, in about ${stretch(found.duration_seconds)}.`;

/** What a webhook did not get in a time: given up, or missed while it was inactive or disabled. */
export async function recover({ webhook, jobs, signal, done }) {
  const hours = h("select", null, [["1", "the last hour"], ["24", "the last 24 hours"], ["72", "the last 3 days"], ["168", "the last 7 days"], ["720", "the last 30 days"]].map(([value, text]) => h("option", { value }, text)));
  hours.value = "24";
  const rate = h("input", { type: "number", min: "0.1", max: "1000", step: "any", value: "50" });
  const body = () => ({ from: new Date(Date.now() - Number(hours.value) * 3_600_000).toISOString(), rate_per_second: Number(rate.value) });
  const path = `${webhookPath(webhook.id)}/recover`;
  const yes = await dialog("Recover missed events", (close) => {
    const preview = h("p.notice", { role: "status" });
    const count = async () => {
      fill(preview, "Counting …");
      fill(preview, await post(path, { ...body(), dry_run: true }).then((found) => counted(found), (error) => error.message));
    };
    [hours, rate].forEach((one) => one.addEventListener("change", count));
    count();
    return h("form", { onsubmit: (event) => (event.preventDefault(), close(true)) },
      h("p", "Sends deliveries that were given up, and events that were not queued while the webhook was inactive or disabled. Those already delivered are skipped."), preview,
      h("div.columns", h("label.field", h("span.label", "Time range"), hours), h("label.field", h("span.label", "Maximum per second"), rate)),
      h("div.actions.end", button("Cancel", () => close(false)), h("button.button.primary", { type: "submit" }, "Recover")));
  });
  if (!yes) return;
  await followJob({ job: await post(path, body()), name: webhook.name, jobs, signal });
  if (!signal.aborted) done?.();
}

/** A line with a bar that moves until the job has ended. */
export async function followJob({ job, name, jobs, signal }) {
  const bar = h("progress", { "aria-label": `Replay to ${name}` });
  const said = h("span");
  const line = h("div.card.job", { role: "status" }, h("span.inline", badge(job.status), h("strong", name)), bar, said);
  jobs.prepend(line);
  const following = new AbortController();
  signal.addEventListener("abort", () => following.abort(), { once: true });
  const cancel = actionButton("Cancel", async () => (await cancelJob(job)) && draw(await read()), { kind: "quiet", "aria-label": `Cancel the replay to ${name}` });
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
    await followJob({ job, name: job.webhook_name ?? job.webhook_id, jobs, signal });
    if (!signal.aborted) done?.();
  }));
}
