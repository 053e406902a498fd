// A receiver of PyAirtable webhooks. Node 18 or newer, nothing to install:
//
//     WEBHOOK_SECRETS=whsec_... node receiver.mjs          # listens on PORT, 9000 unless set
//
// webhook-receiver.mjs beside it checks the signature and the timestamp. What comes twice is worked on once.

import { createServer } from "node:http";

import { Receiver, Refused } from "./webhook-receiver.mjs";

const REMEMBERED = 100_000;
const MAX_BODY_BYTES = 1_048_576;

/** Runs work once for each id. In production keep the ids where all your servers see them. */
const done = new Set();
function once(key, work) {
  if (done.has(key)) return false;
  work();
  done.add(key);
  if (done.size > REMEMBERED) done.delete(done.values().next().value);
  return true;
}

async function read(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const receiver = new Receiver((process.env.WEBHOOK_SECRETS ?? "").split(","));

const server = createServer(async (request, response) => {
  const body = await read(request);
  if (body === null) return response.writeHead(413, { Connection: "close" }).end("too large");
  let delivery;
  try {
    delivery = await receiver.verify(request.headers, body);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    console.log(`refused: ${error.message}`);
    return response.writeHead(401).end(error.message);
  }
  const event = delivery.json();
  // the same event may come for several webhooks
  const first = once(`${delivery.webhookId} ${delivery.eventId}`, () =>
    console.log(`accepted: ${event.id} ${event.type}`), // your work
  );
  if (!first) console.log(`duplicate: ${event.id}`);
  response.writeHead(200).end(first ? "ok" : "seen before");
});

server.listen(Number(process.env.PORT ?? 9000), process.env.HOST ?? "127.0.0.1", () => {
  console.log(`listening on http://${server.address().address}:${server.address().port}`);
});
