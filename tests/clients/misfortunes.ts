/** What misfortunes.py does, in TypeScript. */
import { connect, createWebhook, health, ServerError, testWebhook, ValidationError } from "pyairtable-webhooks";

declare const process: { env: Record<string, string | undefined> };

function check(holds: boolean, what: unknown): asserts holds {
  if (!holds) throw new Error(`not so: ${JSON.stringify(what)}`);
}

const client = connect(process.env["URL"] ?? "", "token");
check((await health({ client })).data.status === "ok", "health");
const refused = await createWebhook({ client, body: { name: "n", url: "https://example.com/" } }).catch((error) => error);
check(refused instanceof ValidationError && refused.errors[0]?.code === "url_name", refused);
const failed = await testWebhook({ client, path: { webhook_id: "wh_1" } }).catch((error) => error);
check(failed instanceof ServerError && failed.status === 500, failed);
