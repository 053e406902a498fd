// Is this request a delivery of ours? One file, Node 18 or newer, nothing to install. Copy it, or `npm install` its folder.
//
//     const receiver = new Receiver(["whsec_..."]);   // while a secret is rotated: ["whsec_new", "whsec_old"]
//
//     app.post("/hook", express.raw({ type: "*/*" }), async (request, response) => {
//       const delivery = await receiver.verify(request.headers, request.body);            // Express
//     const delivery = await receiver.verifyRequest(request);                             // fetch: Workers, Deno, Next
//     const delivery = await receiver.verifyLambda(event);                                // API Gateway, function URL
//
// Each throws Refused, whose message says why: answer 401. A delivery may come twice, as everything that is sent at least
// once: do the work once for each webhookId and eventId.

import { createHmac, createPublicKey, timingSafeEqual, verify as verifySignature } from "node:crypto";

const TOLERANCE_SECONDS = 300;
const MAX_BODY_BYTES = 1_048_576;
const MAX_SIGNATURES = 10; // of one request: ours has six at most, and each may cost the work of checking one
const SPKI_OF_ED25519 = Buffer.from("302a300506032b6570032100", "hex"); // RFC 8410, before the key's 32 bytes

/** Not a delivery that is to be accepted. */
export class Refused extends Error {}

/**
 * Checks deliveries against the webhook's secrets, two of them while a rotation lasts.
 *
 * `whsec_...` and secrets of the former service are symmetric; `whpk_...` is the public key of a webhook that signs with
 * ed25519, the same for all webhooks of the service: accept only bodies whose `workspace_id`, or `user_id` without one, is
 * your webhook's. `seen(key, seconds)`, which may be async, refuses a request that somebody sends again: it keeps the key
 * for so long and says true when it was there before, as Redis' `SET NX EX` tells. Our own retries are signed anew and pass.
 */
export class Receiver {
  constructor(secrets, { prefix = "X-PyAirtable", toleranceSeconds = TOLERANCE_SECONDS, seen, now = Date.now } = {}) {
    if (!secrets.length || !secrets.every(Boolean)) throw new TypeError("a receiver needs the secret of its webhook");
    Object.assign(this, { secrets, prefix: prefix.toLowerCase(), toleranceSeconds, seen, now });
  }

  /** The delivery. `headers` is an object or Headers, `body` the bytes or the text as they came. */
  async verify(headers, body) {
    const entries = typeof headers.entries === "function" ? [...headers.entries()] : Object.entries(headers);
    const given = Object.fromEntries(entries.map(([name, value]) => [name.toLowerCase(), String(value)]));
    const bytes = Buffer.from(body);
    if (bytes.length > MAX_BODY_BYTES) throw new Refused("the body is too large");
    const { prefix } = this;
    const isStandard = "webhook-signature" in given;
    const stamp = given[isStandard ? "webhook-timestamp" : `${prefix}-timestamp`] ?? "";
    const signature = given[isStandard ? "webhook-signature" : `${prefix}-signature`] ?? "";
    const rotated = given[`${prefix}-signature-next`]; // by the new secret, during a rotation
    const seconds = this.now() / 1000;
    if (!/^[0-9]{1,12}$/.test(stamp) || Math.abs(seconds - Number(stamp)) > this.toleranceSeconds) {
      throw new Refused(`the timestamp is missing, or more than ${this.toleranceSeconds} seconds off`);
    }
    const eventId = given["webhook-id"] ?? given[`${prefix}-event-id`] ?? "";
    const fits = isStandard
      ? this.secrets.some((secret) => standardFits(secret, signature, Buffer.concat([Buffer.from(`${eventId}.${stamp}.`), bytes])))
      : this.secrets.some((secret) => [signature, rotated].some((each) => same(each, plain(secret, stamp, bytes))));
    if (!fits) throw new Refused("no signature fits the body and the secrets given");
    // Of what is signed alone: headers can be changed by whoever sends it again.
    if (this.seen && (await this.seen(plain(this.secrets[0], stamp, bytes), 2 * this.toleranceSeconds))) {
      throw new Refused("this request has been taken before");
    }
    return {
      body: bytes,
      eventId,
      eventType: given[`${prefix}-event-type`] ?? "",
      webhookId: given[`${prefix}-webhook-id`] ?? "",
      deliveryId: given[`${prefix}-delivery-id`] ?? "",
      attempt: Number(/^[0-9]{1,9}$/.exec(given[`${prefix}-attempt`] ?? "")?.[0] ?? 1),
      json: () => JSON.parse(bytes.toString()),
    };
  }

  /** The delivery of a fetch Request, whose body can still be read afterwards. */
  async verifyRequest(request) {
    return this.verify(request.headers, Buffer.from(await request.clone().arrayBuffer()));
  }

  /** The delivery of an event from API Gateway, a function URL or a load balancer. */
  async verifyLambda(event) {
    const headers =
      event.headers ??
      Object.fromEntries(Object.entries(event.multiValueHeaders ?? {}).map(([name, values]) => [name, values.at(-1)]));
    return this.verify(headers, Buffer.from(event.body ?? "", event.isBase64Encoded ? "base64" : "utf8"));
  }
}

/** Standard Webhooks: one of the signatures, over id, timestamp and body. */
function standardFits(secret, signatures, signed) {
  const given = signatures.split(" ", MAX_SIGNATURES).map((each) => each.split(","));
  const those = (version) => given.filter(([its]) => its === version).map(([, signature = ""]) => signature);
  if (secret.startsWith("whpk_")) {
    const key = Buffer.concat([SPKI_OF_ED25519, Buffer.from(secret.slice(5), "base64")]);
    const publicKey = createPublicKey({ key, format: "der", type: "spki" });
    return those("v1a").some((each) => verifySignature(null, signed, publicKey, Buffer.from(each, "base64")));
  }
  const key = secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : secret;
  const expected = createHmac("sha256", key).update(signed).digest("base64");
  return those("v1").some((each) => same(each, expected));
}

/** Our own scheme, over timestamp and body. */
function plain(secret, stamp, body) {
  return "sha256=" + createHmac("sha256", secret).update(`${stamp}.`).update(body).digest("hex");
}

function same(given, expected) {
  const [a, b] = [Buffer.from(given ?? ""), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
