// What Prometheus scrapes, read.

/** Prometheus' text: [{name, labels, value}] */
export function parse(text) {
  const found = [];
  for (const line of text.split("\n")) {
    const [, name, inside = "", value] = /^([a-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/i.exec(line) ?? [];
    if (name) found.push({ name, labels: Object.fromEntries([...inside.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, label]) => [key, label])), value: Number(value) });
  }
  return found;
}

/** sum(name): over all labels. */
export const sumOf = (samples) => (name) => samples.reduce((total, one) => total + (one.name === name ? one.value : 0), 0);

/** The share of attempts that succeeded; null without any. */
export function rateOf(samples) {
  const sum = sumOf(samples);
  return sum("webhook_delivery_attempts_total") ? sum("webhook_delivery_successes_total") / sum("webhook_delivery_attempts_total") : null;
}

/** Queues with what is in them, and the age of the oldest in seconds where it is known. */
export function depths(samples) {
  const queues = new Map();
  for (const { name, labels, value } of samples) {
    if (!["webhook_queue_messages", "webhook_queue_oldest_message_age_seconds"].includes(name)) continue;
    const queue = queues.get(labels.queue) ?? { name: labels.queue, visible: 0, in_flight: 0, delayed: 0, age: 0 };
    queue[labels.state ?? "age"] = value;
    queues.set(labels.queue, queue);
  }
  return [...queues.values()];
}
