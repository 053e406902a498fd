/** What received.py does, in TypeScript. */
import { Receiver, Refused } from "pyairtable-webhooks/receiver";

declare const process: { env: Record<string, string | undefined> };

const receiver = new Receiver([process.env["SECRET"] ?? ""]);
const headers = JSON.parse(process.env["HEADERS"] ?? "") as Record<string, string>;
const body = process.env["BODY"] ?? "";
const delivery = await receiver.verify(headers, body);
console.log((delivery.json() as { id: string }).id);
const refused: unknown = await receiver.verify(headers, `${body} `).catch((error: unknown) => error);
if (refused instanceof Refused) console.log(refused.message);
