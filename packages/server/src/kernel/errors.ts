/**
 * One error type for everything a caller can be told, and the catalogues it comes from.
 *
 * Every feature declares its errors once (`defineErrors`); the HTTP body, the MCP result, the WebSocket frame
 * and the reference docs are all rendered from that declaration.
 */

/** One line of a catalogue: what the code means, which HTTP status carries it, and how the caller mends it. */
export interface ErrorEntry {
  readonly status: number;
  readonly message: string;
  readonly remediation: string;
}

/** What one occurrence may add to its catalogue entry. */
export interface ErrorOccurrence {
  message?: string;
  remediation?: string;
  details?: unknown;
  /** Extra response headers, e.g. `Retry-After`. */
  headers?: Record<string, string>;
  cause?: unknown;
}

/** The body every door sends for an error. Clients treat a body as structured only if all first three are present. */
export interface ErrorBody {
  error: { code: string; message: string; remediation: string; documentation_url: string; details?: unknown };
}

/** An error meant for the caller. Anything else that is thrown becomes INTERNAL_ERROR and is logged. */
export class AmbitError extends Error {
  readonly code: string;
  readonly status: number;
  readonly remediation: string;
  readonly details: unknown;
  readonly headers: Record<string, string>;

  constructor(code: string, entry: ErrorEntry, occurrence: ErrorOccurrence = {}) {
    super(occurrence.message ?? entry.message, { cause: occurrence.cause });
    this.name = "AmbitError";
    this.code = code;
    this.status = entry.status;
    this.remediation = occurrence.remediation ?? entry.remediation;
    this.details = occurrence.details;
    this.headers = occurrence.headers ?? {};
  }

  /** The wire form; `documentationBase` is the API's own URL, e.g. `http://127.0.0.1:4000`. */
  toBody(documentationBase: string): ErrorBody {
    const anchor = this.code.toLowerCase().replaceAll("_", "-");
    return {
      error: {
        code: this.code,
        message: this.message,
        remediation: this.remediation,
        documentation_url: `${documentationBase}/docs/errors#${anchor}`,
        ...(this.details === undefined ? {} : { details: this.details }),
      },
    };
  }
}

/** A catalogue turned into constructors: `errors.APP_PAUSED({details})` makes the error ready to throw. */
export type ErrorCatalogue<T extends Record<string, ErrorEntry>> = {
  readonly [K in keyof T]: (occurrence?: ErrorOccurrence) => AmbitError;
} & { readonly entries: T };

/** Declares a feature's errors. Keys are the stable codes. */
export function defineErrors<const T extends Record<string, ErrorEntry>>(entries: T): ErrorCatalogue<T> {
  const made: Record<string, unknown> = { entries };
  for (const [code, entry] of Object.entries(entries)) {
    made[code] = (occurrence?: ErrorOccurrence) => new AmbitError(code, entry, occurrence);
  }
  return made as ErrorCatalogue<T>;
}

/** Errors every door and the pipeline itself can give. */
export const errors = defineErrors({
  AUTH_REQUIRED: {
    status: 401,
    message: "This needs an authenticated caller.",
    remediation:
      "Send `Authorization: Bearer <key>`; the first keys are in credentials.json in the data directory.",
  },
  AUTH_INVALID_API_KEY: {
    status: 401,
    message: "The API key is unknown, revoked or expired.",
    remediation: "Use a live key, or have a person mint one: POST /api-keys.",
  },
  AUTH_INVALID_TOKEN: {
    status: 401,
    message: "The bearer token is not one this server issued.",
    remediation: "Send an API key (bb_sk_…) or an access token of this app.",
  },
  AUTH_INVALID_END_USER_JWT: {
    status: 401,
    message: "The access token is not valid for this app.",
    remediation: "Log in again: POST /auth/<app_id>/login.",
  },
  AUTH_END_USER_JWT_EXPIRED: {
    status: 401,
    message: "The access token has expired.",
    remediation: "Exchange the refresh token: POST /auth/<app_id>/refresh.",
  },
  AUTH_INSUFFICIENT_PERMISSIONS: {
    status: 403,
    message: "The caller may not do this.",
    remediation: "Ask a member of the organisation for a role or a key that allows it.",
  },
  AUTH_PERSON_REQUIRED: {
    status: 403,
    message: "Only a person may do this; agent keys, grants, functions and actors are refused.",
    remediation: "Have a person repeat the call with a key of kind `person`.",
  },
  VALIDATION_INVALID_SCHEMA: {
    status: 400,
    message: "The request does not have the expected shape.",
    remediation: "Correct the fields named in `details` and try again.",
  },
  VALIDATION_INVALID_JSON: {
    status: 400,
    message: "The body is not valid JSON.",
    remediation: "Send one JSON value encoded as UTF-8 with Content-Type: application/json.",
  },
  RESOURCE_NOT_FOUND: {
    status: 404,
    message: "There is no such thing here.",
    remediation: "Check the path and the id; list what exists first.",
  },
  RESOURCE_ALREADY_EXISTS: {
    status: 409,
    message: "That name is taken.",
    remediation: "Choose another name, or use the existing one.",
  },
  REQUEST_TOO_LARGE: {
    status: 413,
    message: "The request body is larger than this server accepts.",
    remediation: "Send less at once, for example fewer rows per request.",
  },
  REQUEST_TIMEOUT: {
    status: 504,
    message: "The operation did not finish within its time limit.",
    remediation: "Ask for less at once; add an index or a filter.",
  },
  REQUEST_CANCELLED: {
    status: 499,
    message: "The caller went away before the operation had finished.",
    remediation: "Look up what is there before trying again; a statement that was under way has been undone.",
  },
  REQUEST_ERROR: {
    status: 400,
    message: "The request could not be understood.",
    remediation: "Check method, path and headers against the reference (GET /openapi.json).",
  },
  QUOTA_RATE_LIMIT: {
    status: 429,
    message: "Too many requests.",
    remediation: "Wait for the number of seconds in Retry-After and try again.",
  },
  APP_PAUSED: {
    status: 503,
    message: "The app is paused.",
    remediation: 'A developer resumes it: PATCH /v1/<app_id>/config/pause {"paused": false}.',
  },
  DATABASE_UNAVAILABLE: {
    status: 503,
    message: "The database is not answering right now.",
    remediation: "Try again in a moment; GET /health/ready tells when it is back.",
  },
  INTERNAL_ERROR: {
    status: 500,
    message: "Something went wrong on the server.",
    remediation: "Try again; if it stays, look up the request id in the server's log.",
  },
});

/** What the data plane of a paused app answers; `reason` is what the developer gave. */
export function pausedError(reason: string | null): AmbitError {
  return errors.APP_PAUSED({
    ...(reason === null ? {} : { message: `The app is paused: ${reason}` }),
    details: { reason },
    headers: { "Retry-After": "60" },
  });
}
