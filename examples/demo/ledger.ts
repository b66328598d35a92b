import { verifyExport } from "@ambit/ledger";
import type { Client } from "@modelcontextprotocol/client";
import type { Ambit } from "../../packages/server/src/ambit.ts";
import { call, type Print } from "./agent.ts";
import { show } from "./checks.ts";
import { asMember } from "./member.ts";

/** What somebody would rather have written: a text of the export, and another in its place. */
export interface Forgery {
  readonly genuine: string;
  readonly forged: string;
  /** What that is, for the transcript. */
  readonly told: string;
}

/**
 * Exports the ledger and verifies it as anybody could who has the public key and a checkpoint, without the server. Then
 * alters one entry of it, and has that found.
 */
export async function verifyLedger(
  ambit: Ambit,
  agent: Client,
  { genuine: before, forged: after, told }: Forgery,
  print: Print,
): Promise<boolean> {
  print("");
  const ask = (action: string, shown: string) => call(agent, print, "manage_ledger", { action }, shown);
  const { public_key } = await ask("key", "the public key");
  const { note } = await ask("checkpoint", "a signed checkpoint, to be kept elsewhere");
  const exported = await asMember(ambit)<string>("GET", "/v1/ledger/export");
  const verify = (text: string) =>
    verifyExport(text.trimEnd().split("\n"), String(public_key), { checkpoints: [String(note)] });
  const genuine = await verify(exported);
  const altered = exported.replace(before, after);
  const forged = await verify(altered);
  const problem = forged.problems[0]?.message ?? "nothing";
  return show(print, null, [
    [genuine.ok, `the export of ${genuine.size} entries is what was signed: ${genuine.proven} proven`],
    [altered !== exported && !forged.ok, `with ${told} it is not: ${problem}`],
  ]);
}
