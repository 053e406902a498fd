// A receiver of PyAirtable webhooks. Node 18 or newer, nothing to install:
//
//     WEBHOOK_SECRETS=whsec_... node receiver.mjs          # listens on PORT, 9000 unless set
//
// It checks both signatures of every delivery (one is enough: keep the one you prefer), refuses timestamps more than five
// minutes off, and knows a delivery again that comes twice.

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const TOLERANCE_SECONDS = 300;
const REMEMBERED = 100_000;
const MAX_BODY_BYTES = 1_048_576;

class Refused extends Error {}

/**
 * Throws Refused unless each signature was made with one of the secrets, over this body, within five minutes.
 * `secrets` are two while a rotation lasts; `body` is the bytes as they came.
 */
export function verify(secrets, headers, body, now = Date.now() / 1000) {
  for (const name of ["webhook-timestamp", "x-pyairtable-timestamp"]) {
    const timestamp = headers[name] ?? "";
    if (!/^[0-9]+$/.test(timestamp) || Math.abs(now - Number(timestamp)) > TOLERANCE_SECONDS) {
      throw new Refused(`${name} is missing, or more than five minutes off`);
    }
  }
  if (!secrets.some((secret) => standardSignatureFits(secret, headers, body))) {
    throw new Refused("webhook-signature does not fit");
  }
  if (!secrets.some((secret) => plainSignatureFits(secret, headers, body))) {
    throw new Refused("x-pyairtable-signature does not fit");
  }
}

/** Standard Webhooks: one of the signatures in webhook-signature, over id, timestamp and body. */
export function standardSignatureFits(secret, headers, body) {
  const key = secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : secret;
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`;
  const expected = "v1," + createHmac("sha256", key).update(signed).update(body).digest("base64");
  return (headers["webhook-signature"] ?? "").split(" ").some((given) => same(given, expected));
}

/** X-PyAirtable-Signature, over timestamp and body; during a rotation -Next has the new secret's. */
export function plainSignatureFits(secret, headers, body) {
  const signed = `${headers["x-pyairtable-timestamp"]}.`;
  const expected = "sha256=" + createHmac("sha256", secret).update(signed).update(body).digest("hex");
  const given = [headers["x-pyairtable-signature"], headers["x-pyairtable-signature-next"]];
  return given.some((each) => same(each, expected));
}

function same(given, expected) {
  const [a, b] = [Buffer.from(given ?? ""), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

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

const secrets = (process.env.WEBHOOK_SECRETS ?? "").split(",");

const server = createServer(async (request, response) => {
  const body = await read(request);
  if (body === null) return response.writeHead(413, { Connection: "close" }).end("too large");
  try {
    verify(secrets, request.headers, body);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    console.log(`refused: ${error.message}`);
    return response.writeHead(401).end(error.message);
  }
  const event = JSON.parse(body);
  // webhook-id is the event's id; the same event may come for several webhooks
  const first = once(`${request.headers["x-pyairtable-webhook-id"]} ${request.headers["webhook-id"]}`, () =>
    console.log(`accepted: ${event.id} ${event.type}`), // your work
  );
  if (!first) console.log(`duplicate: ${event.id}`);
  response.writeHead(200).end(first ? "ok" : "seen before");
});

server.listen(Number(process.env.PORT ?? 9000), process.env.HOST ?? "127.0.0.1", () => {
  console.log(`listening on http://${server.address().address}:${server.address().port}`);
});
