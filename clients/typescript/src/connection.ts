/** How requests get there: again where that is harmless, and with errors as exceptions. */

import { type Client, createClient } from "./generated/client/index.js";
import { KEYED } from "./keyed.js";
import { errorOf, retryAfterSeconds } from "./problems.js";

/** What each operation takes as its `client`. */
export type Connected = Client;

export interface ConnectOptions {
  /** How often what failed is tried again: 4. */
  retries?: number;
  /** A longer Retry-After is thrown instead: 60. */
  maxWaitSeconds?: number;
  /** For each try: 40. */
  timeoutSeconds?: number;
  /** Instead of the global one. */
  fetch?: typeof globalThis.fetch;
  /** Instead of a timer. */
  sleep?: (seconds: number) => Promise<void>;
}

const ANYWAY = [429, 503]; // nothing was done
const HARMLESS = [...ANYWAY, 500, 502, 504]; // for what may be done twice
const FIRST_WAIT_SECONDS = 0.5;
const LONGEST_WAIT_SECONDS = 20;

/**
 * A client of the service at `url`, which calls by a token or an API key.
 *
 * What fails is tried again, with growing pauses or as Retry-After says, where that does nothing twice: reads, changes and
 * deletions, whatever has an Idempotency-Key, and what was refused for now. POSTs that take such a key get one.
 */
export function connect(url: string, token: string, options: ConnectOptions = {}): Connected {
  return createClient({
    baseUrl: url.replace(/\/$/, ""),
    auth: () => token,
    throwOnError: true,
    fetch: retrying(options),
  });
}

function retrying(options: ConnectOptions): typeof globalThis.fetch {
  const { retries = 4, maxWaitSeconds = 60, timeoutSeconds = 40, sleep = pause } = options;
  return async (input, init) => {
    const request = new Request(input, init);
    if (request.method === "POST" && KEYED.test(new URL(request.url).pathname)) {
      if (!request.headers.has("idempotency-key")) request.headers.set("idempotency-key", crypto.randomUUID());
    }
    const isHarmless = request.method !== "POST" || request.headers.has("idempotency-key");
    for (let done = 0; ; done++) {
      let wait = backoff(done);
      try {
        const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeoutSeconds * 1000)]);
        const response = await (options.fetch ?? globalThis.fetch)(request.clone(), { signal });
        if (response.ok) return response;
        const asked = retryAfterSeconds(response) ?? 0;
        if (!(isHarmless ? HARMLESS : ANYWAY).includes(response.status) || done >= retries || asked > maxWaitSeconds) {
          throw new Refused(await errorOf(response));
        }
        await response.body?.cancel();
        wait = Math.max(wait, asked);
      } catch (error) {
        if (error instanceof Refused) throw error.cause;
        if (request.signal.aborted || done >= retries || !(isHarmless || wasNeverSent(error))) throw error;
      }
      await sleep(wait);
    }
  };
}

/** Tells our own errors from those of `fetch`. */
class Refused extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause });
  }
}

function wasNeverSent(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause as { code?: string } | undefined) : undefined;
  return ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"].includes(cause?.code ?? "");
}

/** Half of it is up to chance, so that callers who failed together do not come back together. */
function backoff(done: number): number {
  return Math.min(FIRST_WAIT_SECONDS * 2 ** done, LONGEST_WAIT_SECONDS) * (0.5 + Math.random() / 2);
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}
