import { Readable } from "node:stream";
import { z } from "zod";
import { organizationKeyOf } from "../../kernel/access.ts";
import { HttpReply } from "../../kernel/http-reply.ts";
import { type AnyOperation, platformOperation } from "../../kernel/operation.ts";
import { limits } from "./limits.ts";
import { READS } from "./operations.ts";
import type { Ledger } from "./service.ts";
import { base64, checkpointShape, checkpointView } from "./shapes.ts";
import { seesValues } from "./visibility.ts";

const size = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const hashes = z.array(z.string()).describe("The proof (RFC 9162), base64, from the leaf upwards");

/** What is needed to verify the ledger without trusting the server. */
export function proofOperations(ledger: Ledger): AnyOperation[] {
  return [
    keyOperation(ledger),
    checkpointOperation(ledger),
    checkpointsOperation(ledger),
    inclusionOperation(ledger),
    consistencyOperation(ledger),
    exportOperation(ledger),
  ];
}

const keyOperation = (ledger: Ledger): AnyOperation =>
  platformOperation({
    ...READS,
    name: "ledger.key",
    title: "The ledger's public key",
    summary:
      "Gives the Ed25519 key that verifies the ledger's checkpoints, in the form `ambit ledger verify` takes.",
    input: z.object({}),
    output: z.object({
      public_key: z.string().describe("<name>+<key id>+<key>, as C2SP signed notes have it"),
      origin: z.string().describe("The ledger's name in its checkpoints"),
    }),
    http: { method: "GET", path: "/v1/ledger/key" },
    mcp: { tool: "manage_ledger", action: "key" },
    async run() {
      const { publicKey, origin } = await ledger.checkpoints.signer();
      return { public_key: publicKey, origin };
    },
  });

const checkpointOperation = (ledger: Ledger): AnyOperation =>
  platformOperation({
    ...READS,
    name: "ledger.checkpoint",
    title: "Sign a checkpoint",
    summary:
      "Waits until everything committed before the call has its place, and gives a signed checkpoint of the whole ledger. Keep it outside of this server: whatever it covers can't be changed unnoticed any more.",
    input: z.object({}),
    output: checkpointShape,
    errors: ["LEDGER_BEHIND", "LEDGER_BROKEN"],
    http: { method: "POST", path: "/v1/ledger/checkpoints" },
    mcp: { tool: "manage_ledger", action: "checkpoint" },
    run: async ({ signal }) => checkpointView(await ledger.checkpoints.current(signal)),
  });

const checkpointsOperation = (ledger: Ledger): AnyOperation =>
  platformOperation({
    ...READS,
    name: "ledger.list_checkpoints",
    title: "List checkpoints",
    summary:
      "Lists the ledger's signed checkpoints, the smallest first. Continue with after_size: the last size.",
    input: z.object({
      after_size: size.optional().describe("Only those of more entries"),
      limit: z.coerce.number().int().min(1).max(limits.pageCheckpoints).default(100),
    }),
    output: z.object({ checkpoints: z.array(checkpointShape) }),
    errors: ["LEDGER_BROKEN"],
    http: { method: "GET", path: "/v1/ledger/checkpoints" },
    mcp: { tool: "manage_ledger", action: "list_checkpoints" },
    async run(_call, { after_size, limit }) {
      const found = await ledger.checkpoints.list(after_size ?? -1, limit);
      return { checkpoints: found.map(checkpointView) };
    },
  });

const inclusionOperation = (ledger: Ledger): AnyOperation =>
  platformOperation({
    ...READS,
    name: "ledger.prove_inclusion",
    title: "Prove that an entry is in the ledger",
    summary:
      "Gives the inclusion proof of one of the organisation's entries, and the checkpoint it leads to.",
    input: z.object({
      id: z.string().max(limits.textChars).describe("The entry: led_…"),
      size: size.optional().describe("Size of the checkpoint to prove it against; default the latest"),
    }),
    output: z.object({
      index: z.number(),
      size: z.number(),
      leaf_hash: z.string(),
      hashes,
      checkpoint: checkpointShape,
    }),
    errors: ["RESOURCE_NOT_FOUND", "LEDGER_BEHIND", "LEDGER_BROKEN"],
    http: { method: "GET", path: "/v1/ledger/entries/:id/proof" },
    mcp: { tool: "manage_ledger", action: "prove_inclusion" },
    async run(call, input) {
      const { organizationId } = organizationKeyOf(call);
      const proof = await ledger.proofs.inclusion(organizationId, input.id, input.size, call.signal);
      return {
        ...{ index: proof.index, size: proof.size, leaf_hash: base64(proof.leafHash) },
        hashes: proof.hashes.map(base64),
        checkpoint: checkpointView(proof.checkpoint),
      };
    },
  });

const consistencyOperation = (ledger: Ledger): AnyOperation =>
  platformOperation({
    ...READS,
    name: "ledger.prove_consistency",
    title: "Prove that the ledger only grew",
    summary: "Gives the proof that the ledger of `from` entries is the beginning of that of `to` entries.",
    input: z.object({
      from: size.describe("Size of the earlier checkpoint"),
      to: size.optional().describe("Size of the later one; default the latest"),
    }),
    output: z.object({
      from: z.number(),
      to: z.number(),
      from_root: z.string(),
      to_root: z.string(),
      hashes,
    }),
    errors: ["RESOURCE_NOT_FOUND"],
    http: { method: "GET", path: "/v1/ledger/consistency" },
    mcp: { tool: "manage_ledger", action: "prove_consistency" },
    async run(_call, { from, to }) {
      const proof = await ledger.proofs.consistency(from, to);
      return {
        ...{ from: proof.from, to: proof.to },
        ...{ from_root: base64(proof.fromRoot), to_root: base64(proof.toRoot) },
        hashes: proof.hashes.map(base64),
      };
    },
  });

/** A stream, and therefore for the HTTP door alone. */
const exportOperation = (ledger: Ledger): AnyOperation =>
  platformOperation({
    ...READS,
    name: "ledger.export",
    title: "Export the ledger",
    summary:
      "Streams the whole ledger as lines of JSON, up to a fresh checkpoint: the organisation's own entries with their openings, the server's own without, those of others as hashes. `ambit ledger verify` needs this and the public key, and nothing else. A broken ledger is exported as it is.",
    input: z.object({}),
    output: z.any(),
    errors: ["LEDGER_BEHIND"],
    http: { method: "GET", path: "/v1/ledger/export" },
    async run(call) {
      const { organizationId, scopes } = organizationKeyOf(call);
      const lines = await ledger.export(organizationId, call.nowMs, call.signal, seesValues(scopes));
      const headers = {
        "content-type": "application/x-ndjson; charset=utf-8",
        "content-disposition": 'attachment; filename="ledger.jsonl"',
        "cache-control": "no-store",
      };
      return new HttpReply({
        headers,
        body: Readable.from(lines, { objectMode: false, highWaterMark: 64 * 1024 }),
      });
    },
  });
