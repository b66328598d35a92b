import { randomBytes } from "node:crypto";
import type { Platform } from "../../../engines/platform.ts";
import { createGuardedFetch } from "../../../kernel/guarded-fetch.ts";
import { newUuid } from "../../../kernel/ids.ts";
import { Metrics } from "../../../kernel/metrics.ts";
import type { AnyOperation } from "../../../kernel/operation.ts";
import type { KeyKind, KeyPrincipal, Role } from "../../../kernel/principal.ts";
import { type Caller, callerOf } from "../../../testing/caller.ts";
import { type TestPlatform, testPlatform } from "../../../testing/platform.ts";
import { createApprovals } from "../../approvals/index.ts";
import { createAuth } from "../../auth/index.ts";
import { createKeysService } from "../../keys/service.ts";
import { createLedger } from "../../ledger/index.ts";
import type { JsonObject } from "../../ledger/service.ts";
import { createMail } from "../../mail/index.ts";
import { createMemory } from "../../memory/index.ts";
import { createOrganizations } from "../../organizations/index.ts";
import { createOutbox } from "../../outbox/index.ts";
import { createSubstrateLinks } from "../../substrate-links/index.ts";
import { createSubstrate } from "../index.ts";
import { checkConstraint, type ProposeAnswer, type Proposer } from "../service.ts";

/** One process of Ambit, as far as the substrate goes; everything real. */
function nodeOn(platform: Platform, apps: TestPlatform["apps"]) {
  const keys = createKeysService(platform);
  const organizations = createOrganizations(platform, keys).service;
  const mail = createMail(platform).service;
  const auth = createAuth(platform, { apps, mail });
  const ledger = createLedger(platform);
  const fetch = createGuardedFetch({ allowPrivate: [...platform.config.allowPrivateFetch] });
  const outbox = createOutbox(platform, { fetch, ledger: ledger.service });
  const approvals = createApprovals(platform, {
    ...{ ledger: ledger.service, outbox: outbox.service, mail, organizations, keys },
  });
  const links = createSubstrateLinks(platform);
  const memory = createMemory(platform, { readerOf: links.service.readerOf, checkConstraint });
  const substrate = createSubstrate(platform, {
    ...{ ledger: ledger.service, approvals: approvals.service, memory: memory.service },
    ...{ outbox: outbox.service, links: links.service, keys, auth: auth.service, apps },
  });
  const operations: AnyOperation[] = [
    ...substrate.feature.operations,
    ...memory.feature.operations,
    ...approvals.feature.operations,
    ...links.feature.operations,
    ...outbox.feature.operations,
    ...auth.feature.operations,
  ];
  return { keys, mail, auth, ledger, outbox, approvals, links, memory, substrate, operations };
}

export type Node = ReturnType<typeof nodeOn>;

/** A member of the organisation, with a key to call with. */
export interface Member extends Pick<Caller, "call" | "audited"> {
  readonly key: KeyPrincipal;
  readonly proposer: Proposer;
}

export interface Stand extends TestPlatform, Node {
  /** Moves the clock of every node to this instant, from where it goes on. */
  setTime(ms: number): void;
  now(): number;
  /** Another node on the same database. */
  node(): Node;
  member(role: Role, more?: { kind?: KeyKind; scopes?: string[]; organizationId?: string }): Promise<Member>;
  organization(): Promise<string>;
  /** Proposes as this member through the service. */
  propose(
    by: Member,
    capability: string,
    payload: JsonObject,
    more?: { idempotencyKey?: string; dangerouslySkipApproval?: boolean },
  ): Promise<ProposeAnswer>;
  /** The ledger's entries about a subject, first ones first. */
  entries(
    subject: string,
  ): Promise<{ kind: string; actor: JsonObject; data: JsonObject; sealed: JsonObject }[]>;
  /** A principle that is in force at once, as an owner would have approved it. */
  principle(
    by: Member,
    constraint: JsonObject,
    appliesTo?: JsonObject,
    title?: string,
  ): Promise<{ id: string; retire(): Promise<void> }>;
}

export async function substrateStand(): Promise<Stand> {
  const world = await testPlatform();
  let aheadMs = 0;
  const platform: Platform = { ...world.platform, clock: () => Date.now() + aheadMs };
  const { database, clock } = platform;
  const first = nodeOn(platform, world.apps);
  const stand: Stand = {
    ...world,
    ...first,
    platform,
    setTime(ms) {
      aheadMs = ms - Date.now();
    },
    now: clock,
    node: () => nodeOn({ ...platform, metrics: new Metrics() }, world.apps),
    async member(role, { kind = "person", scopes = ["*"], organizationId = world.organizationId } = {}) {
      const [accountId, email] = [newUuid(), `${randomBytes(4).toString("hex")}@example.com`];
      await database.query("insert into ambit.accounts (id, email) values ($1, $2)", [accountId, email]);
      await database.query(
        "insert into ambit.members (organization_id, account_id, role) values ($1, $2, $3)",
        [...[organizationId, accountId, role]],
      );
      const { key } = await first.keys.mint(database, {
        ...{ organizationId, accountId, kind, scopes, name: `${role}'s ${kind} key` },
        ...{ scope: "both", expiresAtMs: null },
      });
      const principal = (await first.keys.resolve(key))!;
      const proposer: Proposer = {
        ...{ kind: kind === "person" ? "human" : "agent", id: principal.keyId, accountId, label: "a key" },
        ...{ sourceAppId: null, sourceRuleId: null },
      };
      return { key: principal, proposer, ...callerOf(first.operations, principal, clock) };
    },
    async organization() {
      const id = newUuid();
      await database.query("insert into ambit.organizations (id, name) values ($1, 'Another')", [id]);
      return id;
    },
    propose: (by, capability, payload, more = {}) =>
      first.substrate.service.propose(
        by.proposer,
        { organizationId: by.key.organizationId, capability, payload, ...more },
        clock(),
      ),
    async entries(subject) {
      const rows = await database.query<{ entry: string }>(
        "select entry from ambit.ledger_entries where subject = $1 order by seq",
        [subject],
      );
      return rows.map(({ entry }) => JSON.parse(entry));
    },
    async principle(by, constraint_spec, applies_to = {}, title = "A principle") {
      const id = await executed(stand, by, "record_principle", { title, applies_to, constraint_spec });
      const reason = "no longer";
      return {
        id,
        retire: async () =>
          void (await executed(stand, by, "retire_principle", { principle_id: id, reason })),
      };
    },
  };
  return stand;
}

/** Proposes what waits, approves it as the same owner, and gives back the principle's id. */
async function executed(stand: Stand, by: Member, capability: string, payload: JsonObject): Promise<string> {
  const { action_id, requires_approval } = await stand.propose(by, capability, payload);
  if (requires_approval) await by.call("substrate.approve", { action_id });
  const action = (await stand.substrate.service.action(by.key.organizationId, action_id))!;
  if (action.status !== "executed") throw new Error(`${capability}: ${JSON.stringify(action)}`);
  return (action.result as { principle_id: string }).principle_id;
}
