import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, apiAs } from "../support/api.ts";
import { must } from "../support/app.ts";
import { newDataDir, postgresPid, type Server, startServer } from "../support/server.ts";
import { each } from "./history.ts";
import { leafHash, readCheckpoint, rootByPath, rootOf, rootsByProof } from "./rfc9162.ts";
import { connectAs, exportOf, firstOrganization, type Organization, socketOf } from "./stand.ts";
import { type Acknowledged, startWriters } from "./writers.ts";

const WRITERS = 8;
/** Entries whose proof is asked for, at most. */
const PROVEN = 400;
let first: Server;
let second: Server;
let organization: Organization;
const secondDir = newDataDir();

/** A second node on the first one's Postgres, as the same login. */
const startSecond = () => {
  const { host, port } = socketOf(first.dataDir);
  const DATABASE_URL = `postgres://ambit_server@localhost:${port}/ambit?host=${encodeURIComponent(host)}`;
  const AMBIT_MASTER_KEY = readFileSync(join(first.dataDir, "master.key"), "utf8").trim();
  return startServer({ DATABASE_URL, AMBIT_MASTER_KEY }, secondDir);
};
beforeAll(async () => {
  first = await startServer();
  second = await startSecond();
  organization = await firstOrganization(first);
}, 60_000);
afterAll(async () => {
  await second?.stop();
  await first.stop();
  for (const directory of [first.dataDir, secondDir]) await rm(directory, { recursive: true, force: true });
});

/** An entry as an outsider has it. */
interface Told {
  readonly index: number;
  readonly text: string;
  readonly id: string;
  readonly kind: string;
  readonly subject: string;
}
const WRITTEN: Record<Acknowledged["step"], readonly string[]> = {
  learned: ["substrate.action.executed"],
  asked: ["approval.requested", "substrate.action.proposed"],
  approved: ["approval.approved", "approval.executed", "substrate.action.executed"],
};

describe("many writers on two nodes, one of which is killed, and Postgres too", { timeout: 120_000 }, () => {
  let entries: Told[];
  let acknowledged: readonly Acknowledged[];
  /** Kept outside, as they were signed: notes of growing size. */
  const kept: string[] = [];
  let publicKey: string;
  let lateId: string;

  it("go on, and every checkpoint is signed by the one key", async () => {
    let alive: Api[] = [first, second].map(({ apiUrl }) => apiAs(apiUrl, organization.key));
    publicKey = must(await alive[0]!("GET", "/v1/ledger/key")).public_key;
    const writers = startWriters(WRITERS, () => alive);
    const keepOne = async (api: Api) => kept.push(must(await api("POST", "/v1/ledger/checkpoints", {})).note);
    await writers.progress(60);
    await keepOne(alive[1]!);

    // Whoever writes, nobody else has to wait for it; what commits late is placed late.
    const late = await commitLate(first.dataDir, organization.id);
    lateId = late.id;
    await writers.progress(30);
    await keepOne(alive[0]!);

    // The node that places entries: it was there first. Its Postgres goes on.
    alive = alive.slice(1);
    await first.kill();
    await writers.progress(60);
    await keepOne(alive[0]!);
    first = await startServer({}, first.dataDir);
    alive = [first, second].map(({ apiUrl }) => apiAs(apiUrl, organization.key));
    await writers.progress(40);
    await late.commit();

    process.kill(postgresPid(first.dataDir)!, "SIGKILL");
    await writers.progress(60);
    await keepOne(alive[0]!);
    await second.kill();
    await writers.progress(20);
    second = await startSecond();
    await writers.stop();
    acknowledged = writers.acknowledged;
    await keepOne(apiAs(second.apiUrl, organization.key));

    const lines = (await exportOf(first, organization))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    entries = lines
      .filter(({ entry }) => entry !== undefined)
      .map(({ i, entry: text }) => ({ index: i, text, ...JSON.parse(text) }));
    // Checkpoints made on schedule, too.
    for (const { checkpoint } of lines) if (checkpoint !== undefined) kept.push(checkpoint);
    kept.sort((one, other) => sizeOf(one) - sizeOf(other));
    expect(entries.map(({ index }) => index)).toEqual(entries.map((_, n) => n));
  });
  const sizeOf = (note: string) => readCheckpoint(note, publicKey).size;

  it("leave each acknowledged step with its entries, each of them once, and each with one place", async () => {
    const kindsOf = new Map<string, string[]>();
    for (const { subject, kind } of entries) kindsOf.set(subject, [...(kindsOf.get(subject) ?? []), kind]);
    for (const { step, actionId, approvalId } of acknowledged) {
      const kinds = [...(kindsOf.get(actionId) ?? []), ...(kindsOf.get(approvalId ?? "") ?? [])];
      for (const kind of WRITTEN[step])
        expect([step, kinds.filter((each) => each === kind)]).toEqual([step, [kind]]);
    }
    expect(new Set(entries.map(({ id }) => id)).size).toBe(entries.length);
    expect(entries.filter(({ id }) => id === lateId)).toHaveLength(1);

    const superuser = await connectAs(first.dataDir, "postgres");
    try {
      const [{ rows: unplaced }, { rows: actions }] = [
        await superuser.query(
          "select seq from ambit.ledger_entries except select seq from ambit.ledger_leaves",
        ),
        await superuser.query("select id, status from ambit.substrate_actions"),
      ];
      expect(unplaced).toEqual([]);
      // Also of what was never acknowledged: the action and its entry are both there, or neither.
      const ended = { executed: "substrate.action.executed", proposed: "substrate.action.proposed" };
      const told = new Map<string, string>();
      for (const { subject, kind } of entries) if (subject.startsWith("act_")) told.set(subject, kind);
      told.delete("act_late");
      expect([...told].sort()).toEqual(
        actions.map(({ id, status }) => [id, ended[status as keyof typeof ended]]).sort(),
      );
      expect(actions.length).toBeGreaterThan(WRITERS);
    } finally {
      await superuser.end();
    }
  });

  it("are in the order of their commits: what was answered before another was asked for comes before it", () => {
    const lastOf = new Map<string, number>();
    const firstOf = new Map<string, number>();
    for (const { subject, kind, index } of entries) {
      lastOf.set(`${subject} ${kind}`, index);
      firstOf.set(`${subject} ${kind}`, Math.min(index, firstOf.get(`${subject} ${kind}`) ?? index));
    }
    const steps = acknowledged.map((done) => {
      const key = `${done.actionId} ${WRITTEN[done.step].at(-1)}`;
      return { ...done, index: lastOf.get(key)! };
    });
    // By place from the end: whoever comes earlier must have been asked for before everyone after was answered.
    let earliestAnswer = Number.POSITIVE_INFINITY;
    for (const { index, askedMs, answeredMs } of steps.sort((one, other) => other.index - one.index)) {
      expect([index, askedMs <= earliestAnswer]).toEqual([index, true]);
      earliestAnswer = Math.min(earliestAnswer, answeredMs);
    }
    // The one that committed late stands among those that were written after it.
    const late = entries.find(({ id }) => id === lateId)!.index;
    expect(steps.filter(({ index }) => index < late).length).toBeGreaterThan(60);
  });

  it("are proven one by one, and the tree only ever grew, by an outsider's own reckoning", async () => {
    const leaves = entries.map(({ text }) => leafHash(text));
    const notes = [...new Set(kept)].map((note) => readCheckpoint(note, publicKey));
    expect(notes.length).toBeGreaterThan(4);
    for (const { size, root } of notes) expect([size, rootOf(leaves.slice(0, size))]).toEqual([size, root]);

    const [one, other] = [first, second].map(({ apiUrl }) => apiAs(apiUrl, organization.key));
    const bytes = (hashes: string[]) => hashes.map((hash) => Buffer.from(hash, "base64"));
    const { size, root } = notes.at(-1)!;
    // Every entry was in the roots above; the server's own proofs are asked for here and there.
    const stride = Math.ceil(entries.length / PROVEN);
    await each(Math.floor(entries.length / stride), 6, async (at) => {
      const n = at * stride;
      const { id, index } = entries[n]!;
      const proof = must(
        await (n % 2 === 0 ? one! : other!)("GET", `/v1/ledger/entries/${id}/proof?size=${size}`),
      );
      expect([proof.index, proof.size]).toEqual([index, size]);
      expect(rootByPath(index, size, leaves[n]!, bytes(proof.hashes))).toEqual(root);
    });
    for (const [at, older] of notes.entries()) {
      for (const newer of notes.slice(at + 1)) {
        const path = `/v1/ledger/consistency?from=${older.size}&to=${newer.size}`;
        const proof = must(await one!("GET", path));
        expect(rootsByProof(older.size, newer.size, older.root, bytes(proof.hashes))).toEqual([
          older.root,
          newer.root,
        ]);
      }
    }
  });
});

/** A transaction that has drawn its number in the ledger and takes its time. */
async function commitLate(dataDir: string, organizationId: string) {
  const client = await connectAs(dataDir, "ambit_server");
  const id = "led_01k00000000000000000000000";
  const at = "2026-01-01T00:00:00.000Z";
  const entry = `{"actor":{"id":null,"type":"system"},"app":null,"at":"${at}","data":{},"id":"${id}","kind":"late","org":"${organizationId}","sealed":{},"subject":"act_late","v":1}`;
  await client.query("begin");
  await client.query("select pg_current_xact_id()");
  await client.query(
    "insert into ambit.ledger_entries (id, organization_id, kind, subject, at, entry) values ($1, $2, 'late', 'act_late', $3, $4)",
    [id, organizationId, at, entry],
  );
  return {
    id,
    async commit() {
      await client.query("commit");
      await client.end();
    },
  };
}
