import { ranByStatus } from "../ran.ts";
import type { UpstreamFailure } from "../types.ts";

/** Failures of one server, told with the host as it was configured and nothing more. Pure. */
export interface Failures {
  /** `sent`: whether a byte of the request may have gone out. */
  ofError(error: unknown, sent: boolean, status: number | null): UpstreamFailure;
  /** A status that is no success, without a JSON-RPC message. */
  ofStatus(status: number): UpstreamFailure;
  /** An answer that is no MCP. */
  body(status: number, why: string): UpstreamFailure;
  /** The stream ended before the answer came. */
  cut(status: number | null): UpstreamFailure;
  tooLarge(status: number, bytes: number): UpstreamFailure;
  timeout(sent: boolean, status: number | null): UpstreamFailure;
  cancelled(sent: boolean): UpstreamFailure;
  /** There is nothing to authenticate with. */
  credentials(sent: boolean): UpstreamFailure;
  /** Too many exchanges are under way. */
  busy(): UpstreamFailure;
}

const ran = (sent: boolean) => (sent ? "maybe" : "no");

export function failuresOf(host: string): Failures {
  return {
    ofError(error, sent, status) {
      const { code, name, message } = error as { code?: string; name?: string; message?: string };
      if (!sent) {
        const refused = code === "EXTERNAL_ADDRESS_REFUSED" || code === "UND_ERR_INVALID_ARG";
        const why = refused ? `${message}` : `${host} could not be reached.`;
        return { kind: "connect", status: null, ran: "no", message: why };
      }
      if (code === "UND_ERR_HEADERS_TIMEOUT" || code === "UND_ERR_BODY_TIMEOUT")
        return this.timeout(true, status);
      const why = name === "HTTPParserError" ? "does not speak HTTP" : "broke the connection";
      return { kind: "broken", status, ran: "maybe", message: `${host} ${why}.` };
    },
    ofStatus(status) {
      if (status < 400) {
        const message = `${host} redirects (HTTP ${status}), which is not followed: register the URL it leads to.`;
        return { kind: "body", status, ran: "maybe", message };
      }
      return {
        kind: "refused",
        status,
        ran: ranByStatus(status),
        message: `${host} answered HTTP ${status}.`,
      };
    },
    body: (status, why) => ({
      kind: "body",
      status,
      ran: "maybe",
      message: `${host} gave an answer that is no MCP: ${why}.`,
    }),
    cut: (status) => ({
      kind: "broken",
      status,
      ran: "maybe",
      message: `${host} ended the stream before it had answered.`,
    }),
    tooLarge: (status, bytes) => ({
      kind: "too_large",
      status,
      ran: "maybe",
      message: `${host} sent a message of more than ${bytes} bytes.`,
    }),
    timeout: (sent, status) => ({
      kind: "timeout",
      status,
      ran: ran(sent),
      message: `${host} did not answer in time.`,
    }),
    cancelled: (sent) => ({
      kind: "broken",
      status: null,
      ran: ran(sent),
      message: "The request was cancelled.",
    }),
    credentials: (sent) => ({
      kind: "connect",
      status: null,
      ran: ran(sent),
      message: `The credentials for ${host} are not to be had.`,
    }),
    busy: () => ({
      kind: "refused",
      status: null,
      ran: "no",
      message: `Too many requests to ${host} are under way.`,
    }),
  };
}
