// The public API, wherever it is mounted: these files lie below <root>/dashboard/.

import { parse, write } from "./exact.js";
import { credentials } from "./session.js";
import { t } from "./strings.js";

const here = new URL(import.meta.url);
const ROOT = new URL(here.pathname.slice(0, here.pathname.lastIndexOf("/dashboard/") + 1), here);
const MOST_WAIT_SECONDS = 5;
const DOCUMENTS = new Set(["data", "filters", "metadata", "payload"]); // others' own; the rest are figures of the API

export const KEY_SET = new URL(".well-known/jwks.json", ROOT);
export const apiUrl = (path) => new URL(`api/v1${path}`, ROOT);

/** An answer other than 2xx (RFC 9457), or none at all (status 0). `errors`: [{field, message}]. */
export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || document.title || t("The request failed."));
    this.status = status;
    this.title = document.title || t("Request failed");
    this.errors = Array.isArray(document.errors) ? document.errors : [];
    this.requestId = document.request_id ?? null;
  }
}

let renewing = null;
let renew = async () => false;

/** What is asked when the service takes the credentials no longer: true when there are new ones. It is told whether
 *  something was to be changed, which somebody waits for. */
export const renewBy = (work) => (renew = work);

/** Once for however many calls were refused. */
const renewed = (changes) => (renewing ??= renew(changes).finally(() => (renewing = null)));

/** One call; {body, etag, location}. Raises Problem. `signingIn`: a 401 is the caller's own to tell. `reads`: it changes
 *  nothing. */
export async function call(method, path, { body, query, headers, signal, root = false, signingIn = false, reads = method === "GET" } = {}) {
  const url = root ? new URL(path.replace(/^\//, ""), ROOT) : apiUrl(path);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  const request = {
    method,
    headers: { ...credentials(), ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
    body: body === undefined ? undefined : write(body),
    signal,
    cache: "no-store",
    credentials: "omit",
    referrerPolicy: "no-referrer",
  };
  let answer = await send(url, request).catch((error) => {
    if (error.name === "AbortError" || method !== "GET") throw error;
    return pause(0.5, signal).then(() => send(url, request)); // asking again does no harm
  });
  if (method === "GET" && [429, 503].includes(answer.status)) {
    await pause(Math.min(Number(answer.headers.get("Retry-After")) || 1, MOST_WAIT_SECONDS), signal);
    answer = await send(url, request);
  }
  if (answer.status === 401 && !signingIn && (await renewed(!reads))) {
    answer = await send(url, { ...request, headers: { ...request.headers, ...credentials() } });
  }
  const text = await answer.text();
  const document = /json/.test(answer.headers.get("Content-Type") ?? "") ? parsed(text) : text;
  if (answer.ok) return { body: document, etag: answer.headers.get("ETag"), location: answer.headers.get("Location") };
  throw new Problem(answer.status, typeof document === "object" && document ? document : { title: t`HTTP ${answer.status}` });
}

async function send(url, request) {
  try {
    return await fetch(url, request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { title: t("No answer"), detail: t("The service cannot be reached. Check the connection, then try again.") });
  }
}

function parsed(text) {
  try {
    return text ? parse(text, DOCUMENTS) : null;
  } catch {
    return null;
  }
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1_000);
    signal?.addEventListener("abort", () => (clearTimeout(timer), reject(new DOMException("left", "AbortError"))));
  });
}

export const get = async (path, query, signal) => (await call("GET", path, { query, signal })).body;
export const post = async (path, body) => (await call("POST", path, { body })).body;
/** POST what only asks: nobody is asked to sign in again and again for it. */
export const asking = async (path, body) => (await call("POST", path, { body, reads: true })).body;

/** POST what makes something, for as long as one form is open: pressing twice, or again after a lost answer, makes one.
 *  What is changed in between is another request, and makes another. */
export function making(path) {
  const key = crypto.randomUUID();
  return async (body) => (await call("POST", path, { body, headers: { "Idempotency-Key": `${key}-${await digest(write(body))}` } })).body;
}

async function digest(text) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return [...bytes.slice(0, 6)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}


/** Change what is still as it was read, by its etag. Where an earlier try got through and only its answer was lost, this
 *  one finds everything as it should be. */
export async function put(path, body, etag) {
  try {
    return (await call("PUT", path, { body, headers: etag ? { "If-Match": etag } : {} })).body;
  } catch (error) {
    if (error.status !== 412) throw error;
    const now = await get(path);
    if (Object.entries(body).some(([name, value]) => write(value) !== write(now[name]))) throw error;
    return now;
  }
}
export const del = (path) => call("DELETE", path);

/** Pages of a list, as long as there are more; the first one smaller where it is waited for. */
export async function* pages(path, query, signal, first = 100) {
  let cursor;
  do {
    const page = await get(path, { limit: cursor ? 100 : first, ...query, cursor }, signal);
    yield page.items;
    cursor = page.next_cursor;
  } while (cursor);
}

/** Do it for each item, a few at a time. */
export async function each(items, work, atOnce = 6) {
  const queue = [...items];
  const worker = async () => {
    while (queue.length) await work(queue.shift());
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
}

const id = encodeURIComponent;
export const webhookPath = (webhookId) => `/webhooks/${id(webhookId)}`;
export const deliveryPath = (webhookId, deliveryId) => `${webhookPath(webhookId)}/deliveries/${id(deliveryId)}`;
