// The signatures of a delivery, checked in the browser: the secret goes nowhere.

const encoder = new TextEncoder();

async function hmac(key, text) {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, encoder.encode(text)));
}

const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const base64 = (bytes) => btoa(String.fromCharCode(...bytes));

const decoded = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const standardKey = (secret) => (secret.startsWith("whsec_") ? decoded(secret.slice(6)) : encoder.encode(secret));

/** {plain, standard}: what the two headers must be. Raises for a secret that is no base64 after whsec_. */
export async function signatures(secret, { id, timestamp, body }) {
  const plain = `sha256=${hex(await hmac(encoder.encode(secret), `${timestamp}.${body}`))}`;
  const standard = `v1,${base64(await hmac(standardKey(secret), `${id}.${timestamp}.${body}`))}`;
  return { plain, standard };
}

/** Which of the given signatures hold: the plain one, its successor, or any in the list of the standard's header. */
export async function check(secret, { id, timestamp, body, given }) {
  const expected = await signatures(secret, { id, timestamp, body });
  const parts = given.split(/\s+/).filter(Boolean);
  const held = parts.filter((part) => part === expected.plain || part === expected.standard);
  return { expected, held, holds: held.length > 0 };
}

/** Whether any of the given ed25519 signatures holds. Raises for what is no public key. */
export async function checkPublic(publicKey, { id, timestamp, body, given }) {
  const key = await crypto.subtle.importKey("raw", decoded(publicKey.slice(5)), "Ed25519", false, ["verify"]);
  const signed = encoder.encode(`${id}.${timestamp}.${body}`);
  const parts = given.split(/\s+/).filter((part) => part.startsWith("v1a,"));
  const verdicts = await Promise.all(parts.map((part) => crypto.subtle.verify("Ed25519", key, decoded(part.slice(4)), signed)));
  return verdicts.some(Boolean);
}
