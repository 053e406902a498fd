/** What scenario.py does, in TypeScript. */
import {
  ApiError,
  type Connected,
  ConflictError,
  connect,
  createApiKey,
  createSubscription,
  createWebhook,
  deleteSubscription,
  deleteWebhook,
  type Event,
  every,
  type Filters,
  getDelivery,
  getEvent,
  getLimits,
  getOverview,
  getReplay,
  getSubscription,
  getWebhook,
  getWebhookHealth,
  getWebhookMetrics,
  groupFailures,
  health,
  listApiKeys,
  listAudit,
  listDeadLetters,
  listDeliveries,
  listEventTypes,
  listReplays,
  listSubscriptions,
  listWebhooks,
  NotFoundError,
  publishEvents,
  ready,
  recoverWebhook,
  regenerateSecret,
  replayDeadLetter,
  retryDelivery,
  revokeApiKey,
  searchDeliveries,
  testFilters,
  testWebhook,
  UnauthorizedError,
  updateSubscription,
  updateWebhook,
  ValidationError,
  VersionConflictError,
} from "pyairtable-webhooks";

declare const process: { env: Record<string, string | undefined> };

const PATIENCE_SECONDS = 90;
const { URL: url = "", TOKEN: token = "", GOOD: good = "", BAD: bad = "" } = process.env;

const step = (name: string): void => console.log(name);

function check(holds: boolean, what: unknown = ""): asserts holds {
  if (!holds) throw new Error(`not so: ${JSON.stringify(what)}`);
}

const same = (one: unknown, other: unknown): void => check(JSON.stringify(one) === JSON.stringify(other), [one, other]);

async function refused<E extends ApiError>(kind: new (...given: never[]) => E, call: Promise<unknown>): Promise<E> {
  try {
    await call;
  } catch (error) {
    if (error instanceof kind) return error;
    throw error;
  }
  throw new Error(`no ${kind.name}`);
}

async function eventually<T>(read: () => Promise<T | null | undefined | false>): Promise<T> {
  const ends = Date.now() + PATIENCE_SECONDS * 1000;
  for (;;) {
    try {
      const found = await read();
      if (found) return found;
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error;
    }
    check(Date.now() < ends, "it does not come");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const sorted = (values: Iterable<string>): string[] => [...new Set(values)].sort();
const record = (type: string, amount: number): Event => ({ type, data: { fields: { amount, status: "open" } } });
const wrong = (error: ApiError): string[][] => error.errors.map((each) => [each.field, each.code]);

async function statusOf(client: Connected, eventId: string, webhookId: string): Promise<string | undefined> {
  const { data } = await getEvent({ client, path: { event_id: eventId } });
  return data.webhooks.find((each) => each.webhook_id === webhookId)?.status;
}

async function webhooks(client: Connected): Promise<[string, string]> {
  check((await listEventTypes({ client })).data.items.some((each) => each.name === "record.created"));
  step("event types");
  const bad_one = { name: "n", url: "ftp://example.com/", subscriptions: [{ event_type: "no.such" }] };
  const error = await refused(ValidationError, createWebhook({ client, body: bad_one }));
  same(sorted(error.errors.map((each) => each.code)), ["not_allowed", "url_scheme"]);
  step("a wrong webhook is refused with a code for each field");
  const headers = { "idempotency-key": crypto.randomUUID() };
  const body = { name: "Good", url: good, metadata: { team: "blue" } };
  const made = await createWebhook({ client, body, headers });
  check(made.data.secret?.startsWith("whsec_") ?? false);
  const path = { webhook_id: made.data.id };
  check(made.response.headers.get("location")?.endsWith(path.webhook_id) ?? false);
  step("create a webhook");
  same((await createWebhook({ client, body, headers })).data.id, path.webhook_id);
  step("create it again with its key");
  await refused(ConflictError, createWebhook({ client, body: { name: "Other", url: good }, headers }));
  step("its key for another one is a conflict");
  const read = await getWebhook({ client, path });
  same(read.data.metadata["team"], "blue");
  step("get it");
  const version = { "if-match": read.response.headers.get("etag") ?? "" };
  const changed = await updateWebhook({ client, path, body: { name: "Better" }, headers: version });
  same([changed.data.name, changed.data.url], ["Better", good]);
  step("change its name");
  await refused(VersionConflictError, updateWebhook({ client, path, body: { name: "Worse" }, headers: version }));
  step("an old version is a conflict");
  const failing = { name: "Failing", url: bad, max_retries: 0, subscriptions: [{ event_type: "record.deleted" }] };
  const failingId = (await createWebhook({ client, body: failing })).data.id;
  step("create a failing webhook");
  const third = { webhook_id: (await createWebhook({ client, body: { name: "Third", url: good } })).data.id };
  step("create a third");
  const listed = await all(every((cursor) => listWebhooks({ client, query: { limit: 1, cursor } })));
  same(sorted(listed.map((each) => each.id)), sorted([path.webhook_id, failingId, third.webhook_id]));
  step("list them page by page");
  same((await listWebhooks({ client, query: { q: "better" } })).data.items.map((each) => each.id), [path.webhook_id]);
  step("search for one");
  await deleteWebhook({ client, path: third });
  await refused(NotFoundError, getWebhook({ client, path: third }));
  step("delete the third");
  return [path.webhook_id, failingId];
}

async function subscriptions(client: Connected, webhookId: string): Promise<void> {
  const path = { webhook_id: webhookId };
  const headers = { "idempotency-key": crypto.randomUUID() };
  const body = { event_type: "record.*" };
  const made = (await createSubscription({ client, path, body, headers })).data;
  step("subscribe");
  same((await createSubscription({ client, path, body, headers })).data.id, made.id);
  step("subscribe again with its key");
  const filters: Filters = {
    conditions: {
      operator: "and",
      rules: [
        { field: "amount", operator: "greater_than", value: 1000 },
        { operator: "not", rules: [{ field: "status", operator: "equals", value: "closed" }] },
      ],
    },
  };
  const own = { ...path, subscription_id: made.id };
  await updateSubscription({ client, path: own, body: { filters } });
  step("give it a filter");
  const rules = (await getSubscription({ client, path: own })).data.filters?.conditions?.rules ?? [];
  same(rules.map((each) => ("rules" in each ? "group" : each.operator)), ["greater_than", "group"]);
  step("read the filter back");
  const other = (await createSubscription({ client, path, body: { event_type: "table.created" } })).data.id;
  const listed = await all(every((cursor) => listSubscriptions({ client, path, query: { limit: 1, cursor } })));
  same(sorted(listed.map((each) => each.id)), sorted([made.id, other]));
  step("list subscriptions");
  const gone = { ...path, subscription_id: other };
  await deleteSubscription({ client, path: gone });
  await refused(NotFoundError, getSubscription({ client, path: gone }));
  step("unsubscribe");
  for (const [amount, matches] of [[2000, true], [5, false]] as const) {
    const tried = await testFilters({ client, body: { filters, event: { ...record("record.created", amount) } } });
    same(tried.data.items[0]?.matched, matches);
  }
  step("try the filter");
  const empty: Filters = { conditions: { operator: "and", rules: [] } };
  const trial = testFilters({ client, body: { filters: empty, event: { ...record("record.created", 1) } } });
  same(wrong(await refused(ValidationError, trial)), [["filters.conditions.rules", "too_short"]]);
  step("a wrong filter is refused");
}

async function deliveries(client: Connected, webhookId: string, failingId: string): Promise<void> {
  const path = { webhook_id: webhookId };
  const publish = async (body: Event | Event[] | { events: Event[] }, headers = {}): Promise<string[]> =>
    (await publishEvents({ client, body, headers })).data.events.map((each) => each.id);
  const [first = ""] = await publish(record("record.created", 2000));
  step("publish an event");
  const two = { events: [record("record.updated", 3000), record("record.updated", 5)] };
  const [second = "", filtered = ""] = await publish(two);
  step("publish two at once");
  const headers = { "idempotency-key": crypto.randomUUID() };
  const [third = ""] = await publish([record("record.created", 4000)], headers);
  same(await publish([record("record.created", 4000)], headers), [third]);
  step("publish once, though asked twice");
  same(wrong(await refused(ValidationError, publish(record("no.such", 1)))), [["type", "not_allowed"]]);
  step("an unknown event type is refused");
  for (const id of [first, second, third]) {
    await eventually(async () => (await statusOf(client, id, webhookId)) === "delivered");
  }
  step("they are delivered");
  await eventually(async () => (await statusOf(client, filtered, webhookId)) === "not_queued");
  step("the filter kept one back");
  const listed = await all(
    every((cursor) => listDeliveries({ client, path, query: { limit: 2, status: "delivered", cursor } })),
  );
  same(sorted(listed.map((each) => each.event_id)), sorted([first, second, third]));
  step("list deliveries page by page");
  const one = { ...path, delivery_id: listed[0]?.id ?? "" };
  same((await getDelivery({ client, path: one })).data.attempts.map((each) => each.status_code), [200]);
  step("see an attempt");
  await retryDelivery({ client, path: one });
  await eventually(async () => (await getDelivery({ client, path: one })).data.attempts.length === 2);
  step("send one again");
  const found = await all(every((cursor) => searchDeliveries({ client, query: { ...path, cursor } })));
  same(sorted(found.map((each) => each.webhook_name)), ["Better"]);
  step("search deliveries");
  same((await testWebhook({ client, path, body: { event_type: "record.created" } })).data.status_code, 200);
  step("test the webhook");
  await publish(record("record.deleted", 1));
  const failing = { webhook_id: failingId };
  const letter = await eventually(async () => (await listDeadLetters({ client, path: failing })).data.items[0]);
  same(letter.last_status_code, 500);
  step("a delivery is given up");
  same((await groupFailures({ client, path: failing })).data.items.map((each) => each.count), [1]);
  step("see why");
  const reason = letter.failure_reason;
  const estimate = (await recoverWebhook({ client, path: failing, body: { reason, dry_run: true } })).data;
  check(estimate.kind === "estimate" && estimate.count === 1, estimate);
  step("ask how much a recovery would send");
  const replay = (await recoverWebhook({ client, path: failing, body: { reason } })).data;
  check(replay.kind !== "estimate", replay);
  const started = { replay_id: replay.id };
  await eventually(async () => (await getReplay({ client, path: started })).data.status === "completed");
  step("recover");
  await eventually(async () => (await statusOf(client, letter.event_id, failingId)) === "delivered");
  step("it is delivered now");
  same((await listReplays({ client })).data.items.map((each) => each.id), [replay.id]);
  step("list replays");
  const again = replayDeadLetter({ client, path: { ...failing, dead_letter_id: letter.id } });
  await refused(ConflictError, again);
  step("what is delivered is not replayed");
}

async function around(client: Connected, webhookId: string): Promise<void> {
  const path = { webhook_id: webhookId };
  check(Boolean((await getWebhookHealth({ client, path })).data.health));
  step("health of a webhook");
  check((await getWebhookMetrics({ client, path })).data.series.length > 0);
  step("its metrics");
  same((await getOverview({ client })).data.webhooks, 2);
  step("overview");
  check((await getLimits({ client })).data.items.length > 0);
  step("limits");
  check((await regenerateSecret({ client, path })).data.secret?.startsWith("whsec_") ?? false);
  step("rotate the secret");
  const audit = await all(every((cursor) => listAudit({ client, query: { cursor } })));
  check(audit.some((each) => each.action === "webhook.created"));
  step("audit log");
  const made = (await createApiKey({ client, body: { name: "reader", scopes: ["webhooks:read"] } })).data;
  const reader = connect(url, made.key);
  await eventually(async () => (await getWebhook({ client: reader, path })).data);
  step("call with an API key");
  await revokeApiKey({ client, path: { key_id: made.id } });
  same((await listApiKeys({ client })).data.items, []);
  step("revoke it");
}

const stranger = connect(url, "not-a-token", { retries: 0 });
same((await health({ client: stranger })).data.status, "ok");
step("health");
same((await ready({ client: stranger })).data.status, "ok");
step("ready");
const error = await refused(UnauthorizedError, listWebhooks({ client: stranger }));
same([error.status, error.type], [401, "/problems/unauthorized"]);
step("a stranger is refused");
const client = connect(url, token);
const [webhookId, failingId] = await webhooks(client);
await subscriptions(client, webhookId);
await deliveries(client, webhookId, failingId);
await around(client, webhookId);
for (const each of await all(every((cursor) => listWebhooks({ client, query: { limit: 1, cursor } })))) {
  await deleteWebhook({ client, path: { webhook_id: each.id } });
}
same((await listWebhooks({ client })).data.items, []);
step("delete all");
