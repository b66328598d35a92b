import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonObject, PolicyDocument } from "@ambit/policy";
import type { Platform } from "../../../engines/platform.ts";
import { Database, type Target } from "../../../engines/postgres/database.ts";
import { createGuardedFetch } from "../../../kernel/guarded-fetch.ts";
import { newUuid } from "../../../kernel/ids.ts";
import { Metrics } from "../../../kernel/metrics.ts";
import type { KeyPrincipal, Role } from "../../../kernel/principal.ts";
import { type TestPlatform, testPlatform } from "../../../testing/platform.ts";
import { createExpiry } from "../../approvals/expiry.ts";
import { type ApprovalsService, createApprovalsService } from "../../approvals/service.ts";
import {
  createDecisionsService,
  type DecisionRecord,
  type UpstreamOutcome,
} from "../../gateway-decisions/service.ts";
import { createGrantsService, type GatewayGrants } from "../../gateway-grants/service.ts";
import { showLife, tidy } from "../../gateway-holds/housekeeping.ts";
import { createGatewayHoldsService, type GatewayHoldsService } from "../../gateway-holds/service.ts";
import { createPoliciesService, type GatewayPolicies } from "../../gateway-policies/service.ts";
import { createQuotasService, type GatewayQuotas } from "../../gateway-quotas/service.ts";
import type { BuiltinFace } from "../../gateway-servers/service.ts";
import { createKeysService } from "../../keys/service.ts";
import { createLedger } from "../../ledger/index.ts";
import { createMail } from "../../mail/index.ts";
import { createOrganizations } from "../../organizations/index.ts";
import { createOutbox } from "../../outbox/index.ts";
import {
  type Admission,
  type AskedFor,
  createGatewayService,
  type GatewayService,
  type Verdict,
} from "../service.ts";
import { createSweep } from "../sweep.ts";
import { type TestServers, testServers } from "./servers.ts";

/** One process of Ambit, as far as the gateway goes. */
export interface Node {
  readonly platform: Platform;
  readonly gateway: GatewayService;
  readonly holds: GatewayHoldsService;
  readonly approvals: ApprovalsService;
  readonly quotas: GatewayQuotas;
  readonly policies: GatewayPolicies;
  readonly servers: TestServers;
  readonly grants: GatewayGrants;
  /** What was said of how calls ended. */
  readonly ended: UpstreamOutcome[];
  /** What the background does in its time. */
  tidy(): Promise<void>;
  showLife(): Promise<void>;
  sweep(): Promise<void>;
}

/** What may be wrong with a node. */
export interface NodeOptions {
  /** What the log answers. */
  readonly record?: (decision: DecisionRecord) => Promise<string>;
  /** Where its counters think Postgres is. */
  readonly counters?: Partial<Target>;
  /** Called whenever it asks Postgres something. */
  readonly onStatement?: () => void;
}

export interface StandGrant {
  readonly id: string;
  readonly token: string;
  readonly serverId: string;
  readonly policyId: string;
}

/** The gateway on a real database, with real counters, policies, approvals and ledger. */
export interface GatewayStand extends TestPlatform, Node {
  /** Who made every grant; may decide on approvals. */
  readonly maker: KeyPrincipal;
  /** Another node on the same database, with connections of its own; as the test wants it. */
  node(as?: NodeOptions): Node;
  advance(ms: number): void;
  now(): number;
  member(role: Role): Promise<KeyPrincipal>;
  server(more?: { transport?: "http" | "builtin"; face?: BuiltinFace; captures?: boolean }): Promise<string>;
  /** A server, a policy and a grant. */
  grant(document: PolicyDocument, more?: { serverId?: string; expiresAtMs?: number }): Promise<StandGrant>;
  /** Takes its policy away. */
  detach(grant: StandGrant): Promise<void>;
  /** The policy's next version. */
  edit(grant: StandGrant, document: PolicyDocument, nodes?: readonly Node[]): Promise<void>;
  admit(grant: StandGrant, node?: Node): Promise<Admission>;
  call(grant: StandGrant, tool: string, args?: JsonObject, more?: CallMore): Promise<Verdict>;
  decide(
    by: KeyPrincipal,
    approvalId: string,
    decision: "approve" | "reject",
    reason?: string | null,
  ): ReturnType<ApprovalsService["decide"]>;
  /** Ends approvals whose time is over. */
  expire(): Promise<void>;
  /** How much of a counter is used, over all its windows. */
  used(key: string): Promise<number>;
  /** The ledger's entries about something, first ones first. */
  entries(subject: string): Promise<{ kind: string; data: Record<string, unknown>; sealed: object }[]>;
}

export interface CallMore extends Partial<AskedFor> {
  readonly node?: Node;
}

export async function gatewayStand(): Promise<GatewayStand> {
  const world = await testPlatform();
  // The start of a day: nothing but a test moves any window on.
  let nowMs = Math.floor(Date.now() / 86_400_000) * 86_400_000 + 1_000;
  const platform: Platform = { ...world.platform, clock: () => nowMs };
  const { database } = platform;
  const { organizationId } = world;
  const opened: Database[] = [];

  const first = nodeOn(platform);
  const member = async (role: Role): Promise<KeyPrincipal> => {
    const accountId = newUuid();
    const email = `${randomBytes(4).toString("hex")}@example.com`;
    await database.query("insert into ambit.accounts (id, email) values ($1, $2)", [accountId, email]);
    await database.query(
      "insert into ambit.members (organization_id, account_id, role) values ($1, $2, $3)",
      [organizationId, accountId, role],
    );
    const { key } = await first.keys.mint(database, {
      ...{ organizationId, accountId, kind: "person", scopes: ["*"] },
      ...{ name: email, scope: "both", expiresAtMs: null },
    });
    return (await first.keys.resolve(key))!;
  };
  const maker = await member("policy_manager");
  const stand: GatewayStand = {
    ...world,
    ...first.node,
    platform,
    maker,
    node(as = {}) {
      const open = (target: Target) => {
        const own = new Database(target, () => "", platform.log);
        opened.push(own);
        return as.onStatement === undefined ? own : listenedTo(own, as.onStatement);
      };
      const own = { ...platform, database: open(database.target), metrics: new Metrics() };
      const counters = as.counters && { ...own, database: open({ ...database.target, ...as.counters }) };
      return nodeOn(own, { ...as, counters }).node;
    },
    advance(ms) {
      nowMs += ms;
    },
    now: () => nowMs,
    member,
    async server({ transport = "http", face, captures = false } = {}) {
      if (transport === "builtin") return (await first.node.servers.builtin(organizationId, face)).id;
      const id = newUuid();
      await database.query(
        `insert into ambit.gateway_servers (id, organization_id, name, transport, url, capture_values, created_at, updated_at)
         values ($1, $2, $3, 'http', 'http://127.0.0.1:9/mcp', $4, now(), now())`,
        [id, organizationId, `server ${id}`, captures],
      );
      return id;
    },
    async grant(document, { serverId, expiresAtMs = null } = {}) {
      const server = (await first.node.servers.find(serverId ?? (await stand.server())))!;
      const policy = { name: `policy ${newUuid()}`, document };
      const { policyId } = await first.node.policies.create(maker, server, policy, nowMs);
      const made = { label: `laptop ${newUuid()}`, policyId, expiresAtMs };
      const { grantId: id, token } = await first.node.grants.create(maker, server, made, nowMs);
      return { id, token, serverId: server.id, policyId };
    },
    detach: ({ id }) => first.node.grants.update(organizationId, id, { policyId: null }, nowMs),
    async edit({ policyId }, document, nodes = []) {
      await first.node.policies.update(maker, policyId, { document, expectedVersion: null }, nowMs);
      // Other nodes learn of it within a second.
      if (nodes.length > 0) await sleep(850);
    },
    admit: (grant, node = first.node) =>
      node.gateway.admit(`Bearer ${grant.token}`, grant.serverId, "127.0.0.1"),
    async call(grant, tool, args = {}, { node = first.node, ...more } = {}) {
      const admission = await stand.admit(grant, node);
      return node.gateway.judge(admission, {
        ...{ requestId: newUuid(), method: "tools/call", tool, args },
        ...{ sessionId: null, requestState: null, opensUrls: false, ...more },
      });
    },
    decide: (by, id, decision, reason = null) =>
      first.node.approvals.decide(by, { id }, { decision, reason }, nowMs),
    async expire() {
      const expiry = createExpiry(first.ticket, first.node.approvals.tokens);
      expiry.start();
      expiry.wake();
      for (;;) {
        const due = await database.query(
          "select 1 from ambit.approvals where status = 'pending' and expires_at <= $1",
          [new Date(nowMs)],
        );
        if (due.length === 0) break;
        await sleep(5);
      }
      await expiry.stop();
    },
    async used(key) {
      const rows = await database.query<{ used: string }>(
        "select used from ambit.gateway_counters where key = $1",
        [key],
      );
      return rows.reduce((sum, { used }) => sum + Number(used), 0);
    },
    async entries(subject) {
      const rows = await database.query<{ entry: string }>(
        "select entry from ambit.ledger_entries where subject = $1 order by seq",
        [subject],
      );
      return rows.map(({ entry }) => JSON.parse(entry));
    },
    async stop() {
      await Promise.all(opened.map((each) => each.close()));
      await world.stop();
    },
  };
  return stand;
}

/** The database, and whoever wants to hear when it is asked. */
const listenedTo = (database: Database, heard: () => void): Database =>
  new Proxy(database, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (name === "query" || name === "transaction") heard();
        return value.apply(target, args);
      };
    },
  });

function nodeOn(
  platform: Platform,
  as: { record?: NodeOptions["record"]; counters?: Platform | undefined } = {},
) {
  const keys = createKeysService(platform);
  const ledger = createLedger(platform).service;
  const outbox = createOutbox(platform, { fetch: createGuardedFetch({ allowPrivate: [] }), ledger });
  const { service: approvals, ticket } = createApprovalsService(platform, {
    ...{ ledger, keys, outbox: outbox.service, mail: createMail(platform).service },
    organizations: createOrganizations(platform, keys).service,
  });
  const servers = testServers(platform);
  const policies = createPoliciesService(platform, { servers, ledger });
  const quotas = createQuotasService(as.counters ?? platform);
  const grants = createGrantsService(platform, { servers, policies, quotas });
  const { service: holds, context: holdsContext } = createGatewayHoldsService(platform, {
    ...{ approvals, ledger, quotas },
  });
  const ended: UpstreamOutcome[] = [];
  const log = createDecisionsService(platform, { ledger, policies, servers, grants });
  const decisions = {
    record: as.record ?? ((decision: DecisionRecord) => log.record(decision)),
    ended(outcome: UpstreamOutcome) {
      ended.push(outcome);
      log.ended(outcome);
    },
  };
  const { service: gateway, context } = createGatewayService(platform, {
    ...{ servers, policies, grants, quotas, decisions, holds },
  });
  const sweep = createSweep(context);
  const node: Node = {
    ...{ platform, gateway, holds, approvals, quotas, policies, servers, grants, ended },
    async tidy() {
      while (await tidy(holdsContext));
    },
    showLife: () => showLife(holdsContext),
    sweep: () => sweep.sweep(),
  };
  return { node, keys, ticket };
}
