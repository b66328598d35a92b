import { createApprovals } from "../../packages/server/src/features/approvals/index.ts";
import { createAppsService } from "../../packages/server/src/features/apps/service.ts";
import { createAuth } from "../../packages/server/src/features/auth/index.ts";
import { createKeysService } from "../../packages/server/src/features/keys/service.ts";
import { createMail } from "../../packages/server/src/features/mail/index.ts";
import { createMemory } from "../../packages/server/src/features/memory/index.ts";
import { createOrganizations } from "../../packages/server/src/features/organizations/index.ts";
import { createOutbox } from "../../packages/server/src/features/outbox/index.ts";
import { createSubstrate } from "../../packages/server/src/features/substrate/index.ts";
import { checkConstraint, type Proposer } from "../../packages/server/src/features/substrate/service.ts";
import { createSubstrateLinks } from "../../packages/server/src/features/substrate-links/index.ts";
import { createGuardedFetch } from "../../packages/server/src/kernel/guarded-fetch.ts";
import { newSortableId, newUuid } from "../../packages/server/src/kernel/ids.ts";
import type { BenchContext } from "../harness/bench.ts";
import { alternate, describeRounds, ROUNDS } from "../load/alternate.ts";
import type { Generator } from "../load/generator.ts";
import { runClosedLoop } from "../load/lane.ts";
import type { LedgerStand } from "./ledger-stand.ts";

const WRITERS = 16;
const CAPABILITY = "record_learning";
const PAYLOAD = {
  title: "Invoices from Acme come late",
  description: "Three of the last four invoices came more than two weeks after the delivery they were for.",
  resolution_taken: "Ask for the invoice when confirming the delivery.",
};

/** What the verdict, the action and the ledger add to a write of the memory. */
export async function measureProposals(context: BenchContext, stand: LedgerStand): Promise<void> {
  const { propose, write } = await substrateOn(stand);
  const compared = await alternate(looped(propose), looped(write), ROUNDS, (round, mine, other) =>
    context.note(
      `proposals, ${round}/${ROUNDS.rounds}: ${mine.perSecond.toFixed(0)}/s, p50 ${mine.p50Ms.toFixed(2)} ms; the write alone ${other.perSecond.toFixed(0)}/s`,
    ),
  );
  const conditions =
    `${WRITERS} at once, ${CAPABILITY}, approved and executed at once: verdict, memory, action and ledger in one ` +
    `transaction; baseline: the same write to the memory in a transaction, with nothing around it; ` +
    `${describeRounds(ROUNDS)}; proposers, sequencer and Postgres share the machine`;
  const measures = [
    ["perSecond", "per_second", "proposals/s"],
    ["p50Ms", "p50", "ms"],
    ["p99Ms", "p99", "ms"],
  ] as const;
  for (const [quantity, what, unit] of measures) {
    const [value, baseline, ratio] = [compared.a(quantity), compared.b(quantity), compared.ratio(quantity)];
    context.report(
      { measure: `ledger.proposals_${what}`, value, baseline, ratio, unit, conditions },
      stand.version,
    );
  }
}

const looped = (call: () => Promise<unknown>): Generator => {
  const lane = { call: async () => String(await call()) };
  return { sample: "", run: (forMs) => runClosedLoop(Array(WRITERS).fill(lane), forMs) };
};

/** The substrate with everything it stands on, and an organisation to write for. */
async function substrateOn({ platform, ledger }: LedgerStand) {
  const { database } = platform;
  const organizationId = newUuid();
  await database.query("insert into ambit.organizations (id, name) values ($1, 'Bench')", [organizationId]);
  const keys = createKeysService(platform);
  const apps = createAppsService(platform);
  const organizations = createOrganizations(platform, keys).service;
  const mail = createMail(platform).service;
  const auth = createAuth(platform, { apps, mail }).service;
  const outbox = createOutbox(platform, { fetch: createGuardedFetch({ allowPrivate: [] }), ledger }).service;
  const approvals = createApprovals(platform, { ledger, outbox, mail, organizations, keys }).service;
  const links = createSubstrateLinks(platform).service;
  const memory = createMemory(platform, { readerOf: links.readerOf, checkConstraint }).service;
  const { service } = createSubstrate(platform, {
    ...{ ledger, approvals, memory, outbox, links, keys, auth, apps },
  });
  const proposer: Proposer = {
    ...{ kind: "agent", id: newUuid(), accountId: newUuid(), label: "bench" },
    ...{ sourceAppId: null, sourceRuleId: null },
  };
  return {
    propose: () =>
      service.propose(proposer, { organizationId, capability: CAPABILITY, payload: PAYLOAD }, Date.now()),
    write: () =>
      database.transaction((tx) => {
        const nowMs = Date.now();
        const work = { organizationId, actionId: newSortableId("act", nowMs), sourceAppId: null, nowMs };
        return memory.execute(tx, work, CAPABILITY, PAYLOAD);
      }),
  };
}
