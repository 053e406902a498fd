// What replay jobs say of themselves, and stopping one.

import { post } from "./api.js";
import { count, plural } from "./format.js";
import { confirm } from "./ui.js";
import { t } from "./strings.js";

export const underWay = (job) => ["pending", "running"].includes(job.status);

/** To whom it sends. */
export const nameOf = (job) => (job.webhook_id ? job.webhook_name ?? job.webhook_id : job.webhooks ? plural(job.webhooks, "webhook") : t("All webhooks"));

/** "40 of 120 replayed, 3 skipped" */
export function progressOf(job) {
  if (job.total === null) return t("Counting …");
  return `${t`${count(job.replayed)} of ${count(job.total)} replayed`}${job.skipped ? t`, ${count(job.skipped)} skipped` : ""}${job.left_out ? t`, ${count(job.left_out)} left out` : ""}${job.error ? `: ${job.error}` : ""}`;
}

/** Stop a job, after a question; true when it was. */
export async function cancelJob(job) {
  if (!(await confirm(t("Cancel this replay?"), t("No further deliveries are sent. Those already sent stay sent."), t("Cancel replay")))) return false;
  await post(`/replays/${encodeURIComponent(job.id)}/cancel`);
  return true;
}
