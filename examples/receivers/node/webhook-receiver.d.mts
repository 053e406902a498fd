// Types of webhook-receiver.mjs, where they are told.

/** Not a delivery that is to be accepted. */
export class Refused extends Error {}

/** What was proved to come from the service. `body` is the bytes that were signed. */
export interface Delivery {
  body: Uint8Array;
  eventId: string;
  eventType: string;
  webhookId: string;
  deliveryId: string;
  attempt: number;
  /** The event. */
  json(): unknown;
}

export interface ReceiverOptions {
  prefix?: string;
  toleranceSeconds?: number;
  /** Keeps the key for so many seconds; true when it was there before. */
  seen?: (key: string, seconds: number) => boolean | Promise<boolean>;
  /** Milliseconds since 1970. */
  now?: () => number;
}

type Several = Record<string, string | string[] | undefined>;

export interface LambdaEvent {
  headers?: Record<string, string | undefined> | null;
  multiValueHeaders?: Record<string, string[] | undefined> | null;
  body?: string | null;
  isBase64Encoded?: boolean;
}

export class Receiver {
  constructor(secrets: readonly string[], options?: ReceiverOptions);
  verify(headers: Headers | Several, body: Uint8Array | string): Promise<Delivery>;
  verifyRequest(request: Request): Promise<Delivery>;
  verifyLambda(event: LambdaEvent): Promise<Delivery>;
}
