import { requestApi } from "./api.ts";
import type { Connection } from "./connection.ts";
import { limits } from "./limits.ts";
import { explainAnswer, Problem, parse } from "./problem.ts";

/** Requests something of the ledger's API on the server of a connection. Throws Problem for anything but success. */
export const requestLedger = (
  connection: Connection,
  method: "GET" | "POST",
  what: string,
  signal: AbortSignal,
): Promise<Response> => requestApi(connection, method, `/v1/ledger/${what}`, { signal });

/** The JSON object the ledger's API answers with, which has these texts. Throws Problem. */
export async function callLedger<Name extends string>(
  connection: Connection,
  method: "GET" | "POST",
  what: string,
  texts: readonly Name[],
): Promise<Readonly<Record<Name, string>>> {
  const response = await requestLedger(connection, method, what, AbortSignal.timeout(limits.callMs));
  const text = await response.text();
  const answer = parse(text) as Record<string, unknown> | null;
  if (texts.some((name) => typeof answer?.[name] !== "string"))
    throw new Problem(explainAnswer(response.status, text));
  return answer as Record<Name, string>;
}
