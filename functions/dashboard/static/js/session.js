// Who looks: a token, or on the local stack a user's name. Kept for this tab alone, embedded nowhere.

let key = "session";
const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";

/** Whether the deployment trusts X-User-ID: the local stack. */
export const trustsUserId = meta("auth-mode") === "header";
export const hasStaticEgress = meta("static-egress") === "true";
export const listsEvents = meta("list-events") === "true";
export const frameAncestors = meta("frame-ancestors").split(",").filter(Boolean);

let current = null;
let keeps = true;

/** Who came by a portal link is somebody else than who signed in, though the pages are the same. */
export function keepApart() {
  key = "portal session";
}

/** Embedded, nothing is written down. */
export function forgetful() {
  keeps = false;
  current = null;
}

export function restore() {
  try {
    current = JSON.parse(sessionStorage.getItem(key) ?? "null");
  } catch {
    current = null;
  }
}

let channel = null;
const ANSWER_MS = 200;

/** Ask the other tabs who looks: a link opened in a new tab is signed in. Told of a sign-out in one, all end; told of
 *  another session of the same user, all go on with it. */
export async function inherit(ended, renewed = () => null) {
  if (!("BroadcastChannel" in window)) return;
  channel = new BroadcastChannel(`webhooks ${key} ${new URL(".", location.href).pathname}`);
  let arrived = () => null;
  channel.addEventListener("message", ({ data }) => {
    if (data.asked && current) channel.postMessage({ session: current });
    if (data.session && !current) (begin(data.session), arrived());
    if (data.renewed && current && data.renewed.userId === current.userId) (begin(data.renewed), renewed());
    if (data.ended && current) (end(), ended());
  });
  if (current) return;
  const answered = new Promise((resolve) => (arrived = resolve));
  channel.postMessage({ asked: true });
  await Promise.race([answered, new Promise((resolve) => setTimeout(resolve, ANSWER_MS))]);
}

/** Here and in the other tabs. */
export function signOut() {
  end();
  channel?.postMessage({ ended: true });
}

/** Tell the other tabs of a session that has just begun. */
export const share = () => channel?.postMessage({ renewed: current });

/** {token} of the platform, {token, userId, scopes, expiresAt} of a portal link, or {userId, workspaceId} */
export function begin(session) {
  current = session;
  if (!keeps) return;
  try {
    sessionStorage.setItem(key, JSON.stringify(session));
  } catch {
    // a browser that keeps nothing asks again after a reload
  }
}

export function end() {
  current = null;
  try {
    sessionStorage.removeItem(key);
  } catch {
    // nothing was kept
  }
}

export const remembered = () => current;
export const signedIn = () => current !== null;

export function credentials() {
  if (!current) return {};
  if (current.token) return { Authorization: `Bearer ${current.token}` };
  return { "X-User-ID": current.userId, ...(current.workspaceId ? { "X-Workspace-ID": current.workspaceId } : {}) };
}

/** What the token says of itself: for what is offered; the API decides what may be done. */
export function claims(token = current?.token) {
  try {
    const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(part), (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return {};
  }
}

export function may(scope) {
  if (!current) return false;
  if (!current.token) return ["webhooks", "events:write", "metrics:read", "api-keys", "webhooks:read"].includes(scope);
  const scopes = current.scopes ?? String(claims().scope ?? "").split(" ");
  const including = { "events:write": ["events:write:any"], "webhooks:read": ["webhooks", "admin"], webhooks: ["admin"], "api-keys": ["admin"], "portal-links": ["admin"], "metrics:read": ["admin"] };
  return [scope, ...(including[scope] ?? [])].some((one) => scopes.includes(one));
}

export const who = () => (current?.token ? String(current.userId ?? claims().sub ?? "token") : String(current?.userId ?? ""));

/** Of a token, in ms since 1970. */
export const expiresAt = () => (current?.expiresAt ?? (current?.token ? Number(claims().exp ?? 0) * 1_000 || null : null));
