/**
 * What an operation returns when HTTP wants more than a JSON body: a redirect, a page, extra headers.
 * Other doors see only `body`.
 */
export class HttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** A string is sent as it is, a stream as it comes (set content-type); anything else as JSON. */
  readonly body: unknown;

  constructor(reply: { status?: number; headers?: Record<string, string | string[]>; body?: unknown }) {
    this.status = reply.status ?? 200;
    this.headers = reply.headers ?? {};
    this.body = reply.body ?? "";
  }
}
