// Both signatures of a delivery, checked in the browser: the secret goes nowhere.

const encoder = new TextEncoder();

async function hmac(key, text) {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, encoder.encode(text)));
}

const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const base64 = (bytes) => btoa(String.fromCharCode(...bytes));

function standardKey(secret) {
  if (!secret.startsWith("whsec_")) return encoder.encode(secret);
  return Uint8Array.from(atob(secret.slice(6)), (character) => character.charCodeAt(0));
}

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
