import { z } from "zod";
import { isHopByHop } from "../../engines/workerd/forward/request-head.ts";
import { isReservedHeader } from "../../engines/workerd/headers.ts";
import type { Answer } from "../../engines/workerd/types.ts";
import { errors } from "../../kernel/errors.ts";
import { limits } from "./limits.ts";

/** An answer that is all there. */
export interface HeldAnswer {
  readonly status: number;
  /** Flat: name, value, name, value. */
  readonly headers: readonly string[];
  readonly body: Buffer;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Said by the operation itself. */
const OURS = new Set(["host", "authorization", "x-request-id", "content-length"]);

function mayBeGiven(name: string, value: string): boolean {
  const lower = name.toLowerCase();
  const reserved = OURS.has(lower) || isReservedHeader(lower) || isHopByHop(lower);
  return !reserved && TOKEN.test(name) && VALUE.test(value);
}

/** Methods of such requests. */
export const CALL_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;

/** The headers of a request that an operation makes of its input, flat; what a caller may not say is left out. */
export function givenHeaders(
  host: string,
  given: readonly (readonly [string, string])[],
  body: unknown,
): string[] {
  const headers = ["host", host];
  const names = new Set(given.map(([name]) => name.toLowerCase()));
  if (body !== undefined && !names.has("content-type")) {
    headers.push("content-type", typeof body === "string" ? "text/plain; charset=utf-8" : "application/json");
  }
  for (const [name, value] of given) {
    if (mayBeGiven(name, value)) headers.push(name, value);
  }
  return headers;
}

/** The body of such a request: a text as it is, anything else as JSON. */
export function givenBody(method: string, body: unknown): Buffer | null {
  if (body === undefined || method === "GET") return null;
  return Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
}

/** A header of a flat list by its lower-case name. */
function headerOf(headers: readonly string[], name: string): string | null {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.length === name.length && headers[i]!.toLowerCase() === name) return headers[i + 1]!;
  }
  return null;
}

/** Headers by lower-case name; of a repeated one the values joined. */
function headersByName(flat: readonly string[]): Record<string, string> {
  const shown: Record<string, string> = {};
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!.toLowerCase();
    shown[name] = name in shown ? `${shown[name]}, ${flat[i + 1]}` : flat[i + 1]!;
  }
  return shown;
}

/** The whole body of an answer. @throws REQUEST_TOO_LARGE past the bound, having let the rest go */
export async function readAnswer(answer: Pick<Answer, "body">): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer.body) {
    bytes += (chunk as Buffer).length;
    if (bytes > limits.heldAnswerBytes) {
      answer.body.destroy();
      throw errors.REQUEST_TOO_LARGE({
        message: `The answer is larger than the ${limits.heldAnswerBytes} bytes that are taken here.`,
        remediation: "Call it at its own URL, where answers are streamed.",
      });
    }
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/** What an operation that calls user code shows of the answer. */
export const shownAnswer = z.object({
  status: z.number().describe("HTTP status of the answer"),
  headers: z.record(z.string(), z.string()),
  body: z.unknown().describe("JSON value, or text"),
  duration_ms: z.number(),
});

/** The whole answer of a call that began at `startedAt` (`performance.now()`). @throws REQUEST_TOO_LARGE */
export async function showAnswer(answer: Answer, startedAt: number): Promise<z.infer<typeof shownAnswer>> {
  const { status, headers } = answer;
  const body = await readAnswer(answer);
  return {
    status,
    headers: headersByName(headers),
    body: dataOf({ headers, body }),
    duration_ms: Math.round(performance.now() - startedAt),
  };
}

/** The JSON value of an answer, or its text; null for an empty one. */
export function dataOf({ headers, body }: Pick<HeldAnswer, "headers" | "body">): unknown {
  const text = body.toString("utf8");
  if (text === "") return null;
  const type = headerOf(headers, "content-type");
  if (type !== null && !/json/i.test(type)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
