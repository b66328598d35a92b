import type { Connection } from "./connection.ts";
import { limits } from "./limits.ts";
import { explain, explainAnswer, Problem, parse } from "./problem.ts";

/** One place of a document that is wrong or doubtful. */
export interface Detail {
  readonly pointer: string;
  readonly message: string;
}

/** What the server refused, in one line; with its stable code, and the places of a document where it names them. */
export class Refusal extends Problem {
  readonly status: number;
  readonly errorCode: string | null;
  readonly details: readonly Detail[];
  constructor(status: number, text: string) {
    const body = parse(text) as { error?: { code?: unknown; details?: unknown } } | null;
    const { code, details } = body?.error ?? {};
    super(code === "AUTH_PERSON_REQUIRED" ? PERSON_NEEDED : explainAnswer(status, text));
    this.status = status;
    this.errorCode = typeof code === "string" ? code : null;
    this.details = Array.isArray(details) ? details.filter(isDetail) : [];
  }
}

const PERSON_NEEDED =
  "This takes a person's key. Add --person to use the one in the data directory, or set AMBIT_API_KEY to one.";

function isDetail(value: unknown): value is Detail {
  const { pointer, message } = (value ?? {}) as Partial<Record<keyof Detail, unknown>>;
  return typeof pointer === "string" && typeof message === "string";
}

/** Asks the API of the server behind a connection. Throws Problem for anything but success. */
export async function requestApi(
  { url, key }: Connection,
  method: string,
  path: string,
  { body, signal }: { readonly body?: unknown; readonly signal: AbortSignal },
): Promise<Response> {
  const target = new URL(path, url).href;
  const init: RequestInit = {
    method,
    redirect: "error",
    signal,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  };
  try {
    const response = await fetch(target, init);
    if (response.ok) return response;
    throw new Refusal(response.status, await response.text());
  } catch (error) {
    throw error instanceof Problem ? error : new Problem(explain(error, target));
  }
}

/** The JSON object the API answers with. Throws Problem; a Refusal where the server refused. */
export async function callApi<T extends object>(
  connection: Connection,
  method: string,
  path: string,
  body?: unknown,
): Promise<T> {
  const signal = AbortSignal.timeout(limits.callMs);
  const response = await requestApi(connection, method, path, { body, signal });
  let text: string;
  try {
    text = await response.text();
  } catch (error) {
    throw new Problem(explain(error, response.url));
  }
  const answer = parse(text);
  if (typeof answer !== "object" || answer === null) throw new Problem(explainAnswer(response.status, text));
  return answer as T;
}

/** A path with the parameters that are there, encoded. */
export function withQuery(
  path: string,
  parameters: Readonly<Record<string, string | number | undefined>>,
): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) query.set(name, String(value));
  }
  return query.size === 0 ? path : `${path}?${query}`;
}

/** All pages of a list, one after another, up to `most` entries or `limits.pages` pages. Throws Problem. */
export async function allPages<T>(
  connection: Connection,
  path: string,
  field: string,
  most: number,
  parameters: Readonly<Record<string, string | undefined>> = {},
): Promise<{ readonly entries: readonly T[]; readonly isCut: boolean }> {
  const entries: T[] = [];
  let before: string | undefined;
  for (let pages = 1; ; pages++) {
    const limit = Math.min(limits.pageEntries, most - entries.length);
    const page = await callApi<Record<string, unknown>>(
      connection,
      "GET",
      withQuery(path, { ...parameters, limit, before }),
    );
    const found = page[field];
    if (!Array.isArray(found)) throw new Problem(`The server's answer has no ${field}.`);
    entries.push(...(found as T[]));
    const next = page.next_before;
    if (typeof next !== "string") return { entries, isCut: false };
    if (entries.length >= most || pages >= limits.pages) return { entries, isCut: true };
    before = next;
  }
}
