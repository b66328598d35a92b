import { randomBytes } from "node:crypto";
import type { Platform } from "../../../engines/platform.ts";
import { createGuardedFetch } from "../../../kernel/guarded-fetch.ts";
import { newUuid } from "../../../kernel/ids.ts";
import { Metrics } from "../../../kernel/metrics.ts";
import type { Feature } from "../../../kernel/operation.ts";
import type { KeyKind, KeyPrincipal, Role } from "../../../kernel/principal.ts";
import { type TestPlatform, testPlatform } from "../../../testing/platform.ts";
import { createKeysService, type KeysService } from "../../keys/service.ts";
import { createLedger } from "../../ledger/index.ts";
import { createMail } from "../../mail/index.ts";
import type { MailService } from "../../mail/service.ts";
import { createOrganizations } from "../../organizations/index.ts";
import { createOutbox } from "../../outbox/index.ts";
import { createApprovals } from "../index.ts";
import type { ApprovalRequest, ApprovalsDeps, ApprovalsService, Requester } from "../service.ts";
import { createPriceTool, type PriceTool } from "./price-tool.ts";

/** One process of Ambit, as far as approvals go. */
export interface Node {
  readonly service: ApprovalsService;
  readonly feature: Feature;
  readonly mail: MailService;
  readonly keys: KeysService;
  /** What the node's service was made of. */
  readonly deps: ApprovalsDeps;
}

/** A member of the organisation with a key. */
export interface Member {
  readonly email: string;
  readonly key: KeyPrincipal;
  /** The key itself. */
  readonly token: string;
}

/** Approvals on a real database, with a real tool behind them and real members in front. */
export interface Stand extends TestPlatform, Node {
  readonly tool: PriceTool;
  readonly outboxFeature: Feature;
  /** Moves the clock of every node. */
  advance(ms: number): void;
  now(): number;
  /** Another node on the same database. */
  node(): Node;
  member(role: Role, more?: { kind?: KeyKind; scopes?: string[]; organizationId?: string }): Promise<Member>;
  /** Another key of the same member. */
  keyOf(member: Member, kind: KeyKind, scopes?: string[]): Promise<Member>;
  organization(): Promise<string>;
  /** Asks for a price as an agent; returns the approval's id. */
  ask(more?: Partial<ApprovalRequest> & { item?: string; price?: number }): Promise<string>;
  /** The ledger's entries about an approval, first ones first. */
  entries(id: string): Promise<{ kind: string; actor: unknown; data: unknown }[]>;
}

export const AGENT: Requester = { type: "agent", id: newUuid(), accountId: null, label: "pricing agent" };

/** `ports` of this machine may be called by webhooks. */
export async function approvalsStand(ports: readonly number[] = []): Promise<Stand> {
  const world = await testPlatform();
  let aheadMs = 0;
  const allowPrivate = ports.map((port) => `127.0.0.1:${port}`);
  const config = { ...world.platform.config, allowPrivateFetch: allowPrivate };
  const platform: Platform = { ...world.platform, config, clock: () => Date.now() + aheadMs };
  const tool = await createPriceTool(platform);
  const nodeOn = (on: Platform) => {
    const keys = createKeysService(on);
    const organizations = createOrganizations(on, keys).service;
    const ledger = createLedger(on).service;
    const outbox = createOutbox(on, { fetch: createGuardedFetch({ allowPrivate }), ledger });
    const mail = createMail(on).service;
    const deps = { ledger, outbox: outbox.service, mail, organizations, keys };
    const approvals = createApprovals(on, deps);
    approvals.service.register(tool);
    return { ...approvals, deps, mail, keys, outboxFeature: outbox.feature };
  };
  const first = nodeOn(platform);
  const { database } = platform;
  const mint = async (
    who: { email: string; accountId: string; organizationId: string },
    kind: KeyKind,
    scopes: string[],
  ): Promise<Member> => {
    const { key } = await first.keys.mint(database, {
      ...{ organizationId: who.organizationId, accountId: who.accountId, kind, scopes },
      ...{ name: `${who.email}'s`, scope: "both", expiresAtMs: null },
    });
    return { email: who.email, token: key, key: (await first.keys.resolve(key))! };
  };
  let asked = 0;
  const stand: Stand = {
    ...world,
    ...first,
    platform,
    tool,
    advance(ms) {
      aheadMs += ms;
    },
    now: platform.clock,
    node: () => nodeOn({ ...platform, metrics: new Metrics() }),
    async member(role, { kind = "person", scopes = ["*"], organizationId = world.organizationId } = {}) {
      const [accountId, email] = [newUuid(), `${randomBytes(4).toString("hex")}@example.com`];
      await database.query("insert into ambit.accounts (id, email) values ($1, $2)", [accountId, email]);
      await database.query(
        "insert into ambit.members (organization_id, account_id, role) values ($1, $2, $3)",
        [organizationId, accountId, role],
      );
      return mint({ email, accountId, organizationId }, kind, scopes);
    },
    keyOf: ({ email, key }, kind, scopes = ["*"]) =>
      mint({ email, accountId: key.accountId, organizationId: key.organizationId }, kind, scopes),
    async organization() {
      const id = newUuid();
      await database.query("insert into ambit.organizations (id, name) values ($1, 'Another')", [id]);
      return id;
    },
    ask: ({ item = "tea", price = 3, ...more } = {}) =>
      database.transaction((tx) =>
        first.service.request(
          tx,
          {
            ...{ organizationId: world.organizationId, kind: "tool_call", subject: `call_${++asked}` },
            ...{ title: `Set the price of ${item}`, reason: "approve_if: the price changes" },
            ...{ requester: AGENT, request: { tool: "set_price", item, price }, approvers: 1 },
            ...more,
          },
          platform.clock(),
        ),
      ),
    async entries(id) {
      const rows = await database.query<{ entry: string }>(
        "select entry from ambit.ledger_entries where subject = $1 order by seq",
        [id],
      );
      return rows.map(({ entry }) => JSON.parse(entry));
    },
  };
  return stand;
}
