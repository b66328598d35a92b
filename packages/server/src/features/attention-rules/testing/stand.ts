import type { Platform } from "../../../engines/platform.ts";
import { createGuardedFetch } from "../../../kernel/guarded-fetch.ts";
import { newUuid } from "../../../kernel/ids.ts";
import { Metrics } from "../../../kernel/metrics.ts";
import type { TestPlatform } from "../../../testing/platform.ts";
import { createApprovals } from "../../approvals/index.ts";
import { createAuth } from "../../auth/index.ts";
import { createKeysService } from "../../keys/service.ts";
import { createLedgerService, type JsonObject } from "../../ledger/service.ts";
import { createMail } from "../../mail/index.ts";
import { createMemory } from "../../memory/index.ts";
import type { MemoryService } from "../../memory/service.ts";
import { createOrganizations } from "../../organizations/index.ts";
import { createOutbox } from "../../outbox/index.ts";
import { createSnapshotsService, type SnapshotsService } from "../../snapshots/service.ts";
import { createSubstrate } from "../../substrate/index.ts";
import type { SubstrateService } from "../../substrate/service.ts";
import { createSubstrateLinks } from "../../substrate-links/index.ts";
import { type AttentionRulesService, createAttentionRulesService } from "../service.ts";

/** One node's substrate with everything rules need, as a process would have it. */
export interface Node {
  readonly platform: Platform;
  readonly rules: AttentionRulesService;
  readonly substrate: SubstrateService;
  readonly memory: MemoryService;
  readonly snapshots: SnapshotsService;
}

/** A node on a database. */
export function ruleNode(shared: Platform, apps: TestPlatform["apps"], clock = shared.clock): Node {
  const platform = { ...shared, clock, metrics: new Metrics() };
  const fetch = createGuardedFetch({ allowPrivate: [] });
  const keys = createKeysService(platform);
  const ledger = createLedgerService(platform);
  const mail = createMail(platform).service;
  const organizations = createOrganizations(platform, keys).service;
  const auth = createAuth(platform, { apps, mail, fetch }).service;
  const outbox = createOutbox(platform, { fetch, ledger }).service;
  const approvals = createApprovals(platform, { ledger, outbox, mail, organizations, keys }).service;
  const links = createSubstrateLinks(platform).service;
  const memory = createMemory(platform, { readerOf: (key) => links.readerOf(key) }).service;
  const substrate = createSubstrate(platform, {
    ...{ ledger, approvals, memory, outbox, links, keys, auth, apps },
  }).service;
  const snapshots = createSnapshotsService(platform, { memory });
  const rules = createAttentionRulesService({ platform, substrate, snapshots, memory });
  return { platform, rules, substrate, memory, snapshots };
}

/** An organisation of its own, with one member who administers it. */
export async function newOrganization({ database }: Platform) {
  const [organizationId, accountId] = [newUuid(), newUuid()];
  await database.query("insert into ambit.organizations (id, name) values ($1, 'O')", [organizationId]);
  await database.query("insert into ambit.accounts (id, email) values ($1, $2)", [
    accountId,
    `${accountId}@example.com`,
  ]);
  await database.query(
    "insert into ambit.members (organization_id, account_id, role) values ($1, $2, 'owner')",
    [organizationId, accountId],
  );
  return { organizationId, accountId };
}

/** Does a write as the organisation's member. */
export async function write(
  { substrate }: Node,
  editor: { organizationId: string; accountId: string },
  capability: string,
  payload: JsonObject,
  nowMs: number,
): Promise<JsonObject> {
  const proposer = {
    kind: "human",
    id: newUuid(),
    label: "test",
    sourceAppId: null,
    sourceRuleId: null,
  } as const;
  const answer = await substrate.propose(
    { ...proposer, accountId: editor.accountId },
    { organizationId: editor.organizationId, capability, payload },
    nowMs,
  );
  return answer.result ?? {};
}
