import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { discard, type Server, startServer } from "../support/server.ts";
import { Forger, type Kept, type SizedNote } from "./forger.ts";
import { liveOn } from "./history.ts";
import {
  ambit,
  connectAs,
  exportOf,
  firstOrganization,
  newOrganization,
  type Organization,
  Witness,
} from "./stand.ts";

/** A server with a past, someone who kept its checkpoints, and someone who is about to rewrite it. */
export interface TamperedStand {
  readonly server: Server;
  readonly ours: Organization;
  readonly theirs: Organization;
  readonly forger: Forger;
  readonly witness: Witness;
  readonly publicKey: string;
  /** Every entry, as it really was. */
  readonly honest: readonly Kept[];
  /** The checkpoints the server had stored. */
  readonly stored: readonly SizedNote[];
  /** Those of them that were kept elsewhere. */
  readonly kept: readonly SizedNote[];
  /** One of our own entries in the middle of the past. */
  readonly victim: number;
  /** The server's export for an organisation, and what verifying it against some of the kept checkpoints says. */
  verify(organization?: Organization, kept?: readonly SizedNote[]): ReturnType<Witness["verify"]>;
  /** First and last of the entries that are signed together with this one and not before. */
  around(index: number): readonly [from: number, to: number];
  stop(): Promise<void>;
}

/** Starts it. Each round of its past ends with a checkpoint that is kept; the tree fills more than one tile. */
export async function tamperedStand({ rounds = 4, perRound = 40 } = {}): Promise<TamperedStand> {
  const server = await startServer();
  const directory = await mkdtemp(join(tmpdir(), "ambit-witness-"));
  const superuser = await connectAs(server.dataDir, "postgres");
  const stop = async () => {
    await superuser.end();
    await discard(server);
    await rm(directory, { recursive: true });
  };
  try {
    const ours = await firstOrganization(server);
    const theirs = await newOrganization(server, "Theirs");
    const cli = { AMBIT_MCP_URL: server.mcpUrl, AMBIT_API_KEY: ours.key };
    const publicKey = (await ambit(["ledger", "key"], cli)).stdout.trim();
    const witness = new Witness(directory, publicKey);
    const kept: SizedNote[] = [];
    for (let round = 0; round < rounds; round += 1) {
      await liveOn(ours, theirs, round, perRound);
      const { stdout: note } = await ambit(["ledger", "checkpoint"], cli);
      kept.push({ size: Number(note.split("\n")[1]), note });
    }
    const forger = new Forger(superuser);
    await forger.remember();
    const [honest, stored] = [await forger.history(), await forger.checkpoints()];
    const isOurs = (index: number) => honest[index]!.organization_id === ours.id;
    let victim = kept.at(-3)!.size + 4;
    while (!isOurs(victim) || honest[victim]!.kind !== "substrate.action.executed") victim += 1;
    return {
      ...{ server, ours, theirs, forger, witness, publicKey, honest, stored, kept, victim, stop },
      verify: async (organization = ours, checkpoints = []) =>
        witness.verify(
          await exportOf(server, organization),
          checkpoints.map(({ note }) => note),
        ),
      around(index) {
        const before = stored.findLast(({ size }) => size <= index)?.size ?? 0;
        return [before, stored.find(({ size }) => size > index)!.size - 1];
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
