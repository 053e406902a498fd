/** Answers that are errors, as exceptions. */

/** One wrong field: where, what would be right, and a stable code. */
export interface FieldError {
  field: string;
  message: string;
  code: string;
}

interface Told {
  type?: string;
  title?: string;
  detail?: string;
  request_id?: string;
  errors?: FieldError[] | null;
}

/** The service refused a request, or failed at it. What never got an answer is an error of `fetch` instead. */
export class ApiError extends Error {
  readonly type: string;
  readonly title: string;
  readonly detail: string;
  readonly requestId: string;
  readonly errors: FieldError[];

  constructor(
    readonly status: number,
    told: Told,
    readonly retryAfterSeconds?: number,
  ) {
    super(`${status} ${told.title ?? ""}: ${told.detail ?? ""} (request ${told.request_id ?? ""})`);
    this.name = new.target.name;
    this.type = told.type ?? "about:blank";
    this.title = told.title ?? "";
    this.detail = told.detail ?? "";
    this.requestId = told.request_id ?? "";
    this.errors = told.errors ?? [];
  }
}

/** 400: the request is not well-formed. */
export class BadRequestError extends ApiError {}
/** 401: there is no valid token or API key. */
export class UnauthorizedError extends ApiError {}
/** 403: the caller may not do this. */
export class ForbiddenError extends ApiError {}
/** 404: it does not exist, or is somebody else's. */
export class NotFoundError extends ApiError {}
/** 409: the present state of things does not allow it. */
export class ConflictError extends ApiError {}
/** 412: somebody changed it since the version of If-Match. */
export class VersionConflictError extends ApiError {}
/** 413: the body has too many bytes. */
export class TooLargeError extends ApiError {}
/** 422: `errors` has each wrong field. */
export class ValidationError extends ApiError {}
/** 429: `retryAfterSeconds` says how long to wait. */
export class TooManyRequestsError extends ApiError {}
/** 5xx: the service failed. */
export class ServerError extends ApiError {}
/** 503: something that the service stands on did not answer. */
export class UnavailableError extends ServerError {}

const KINDS: Record<number, typeof ApiError> = {
  400: BadRequestError,
  401: UnauthorizedError,
  403: ForbiddenError,
  404: NotFoundError,
  409: ConflictError,
  412: VersionConflictError,
  413: TooLargeError,
  422: ValidationError,
  429: TooManyRequestsError,
  503: UnavailableError,
};

/** The exception for an answer that is an error. */
export async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text();
  let told: Told = { detail: text.slice(0, 200) };
  try {
    const found: unknown = JSON.parse(text);
    if (found !== null && typeof found === "object") told = found;
  } catch {
    // a proxy's page
  }
  const kind = KINDS[response.status] ?? (response.status >= 500 ? ServerError : ApiError);
  return new kind(response.status, told, retryAfterSeconds(response));
}

/** What Retry-After says. The service gives seconds. */
export function retryAfterSeconds(response: Response): number | undefined {
  const given = response.headers.get("retry-after") ?? "";
  return /^\d+$/.test(given) ? Number(given) : undefined;
}
