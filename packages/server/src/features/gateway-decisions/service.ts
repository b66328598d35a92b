import type { Platform } from "../../engines/platform.ts";
import type { GatewayGrantsService, GrantsOfServers } from "../gateway-grants/service.ts";
import type { GatewayPoliciesService } from "../gateway-policies/service.ts";
import type { GatewayServersService } from "../gateway-servers/service.ts";
import type { LedgerService } from "../ledger/service.ts";
import { createArgumentSeal, draftOf } from "./draft.ts";
import { createEndedCalls } from "./ended.ts";
import { createExports, type Exports } from "./export.ts";
import type { JudgingDeps } from "./judging.ts";
import { limits } from "./limits.ts";
import { type DecisionFilter, readPage, type StoredDecision, stepsThrough } from "./log.ts";
import { selectEnded } from "./store.ts";
import type { GatewayDecisionsService } from "./types.ts";
import { type DecisionView, decisionView } from "./wire.ts";

export { type ArgumentSeal, createArgumentSeal, draftOf } from "./draft.ts";
export * from "./types.ts";

export interface DecisionsDeps {
  readonly ledger: LedgerService;
  readonly policies: Pick<GatewayPoliciesService, "current" | "version">;
  readonly servers: Pick<GatewayServersService, "named">;
  readonly grants: Pick<GatewayGrantsService & GrantsOfServers, "byId" | "labelOf" | "idsOfServer">;
}

/** A page of the log as it is shown. */
export interface ShownPage {
  readonly decisions: DecisionView[];
  readonly nextBefore: string | null;
}

/** The decision log with what its own operations read. */
export interface GatewayDecisions extends GatewayDecisionsService {
  /** The newest first. A page may be short, or empty, and yet not the last: what fits is far between. */
  list(
    organizationId: string,
    filter: DecisionFilter,
    before: string | null,
    limit: number,
  ): Promise<ShownPage>;
  /** Everything that fits, in parts, the newest first. */
  all(
    organizationId: string,
    filter: DecisionFilter,
    before: string | null,
  ): AsyncGenerator<readonly DecisionView[]>;
  readonly exports: Exports;
  readonly judging: JudgingDeps;
  readonly servers: DecisionsDeps["servers"];
  start(): void;
  stop(): Promise<void>;
}

export function createDecisionsService(platform: Platform, deps: DecisionsDeps): GatewayDecisions {
  const { database } = platform;
  const { ledger, policies, servers, grants } = deps;
  const ended = createEndedCalls(platform, ledger);
  const grantsOfServer: GrantsOfServers["idsOfServer"] = (serverId, most) =>
    grants.idsOfServer(serverId, most);
  const argumentSeal = createArgumentSeal(platform.secrets);
  const judging = { argumentSeal, ledger, policies, grants, grantsOfServer };

  const shown = async (decisions: readonly StoredDecision[]): Promise<DecisionView[]> => {
    const ids = [...new Set(decisions.map(({ grantId }) => grantId))];
    const [ends, labels] = await Promise.all([
      selectEnded(
        database,
        decisions.map(({ id }) => id),
      ),
      Promise.all(ids.map(async (id) => [id, await grants.labelOf(id)] as const)),
    ]);
    const labelOf = new Map(labels);
    return decisions.map((each) => decisionView(each, labelOf.get(each.grantId) ?? null, ends.get(each.id)));
  };
  const newest = (organizationId: string, filter: DecisionFilter, after: string | null) =>
    stepsThrough(ledger, grantsOfServer, organizationId, filter, {
      ...{ order: "newest", after, firstLook: limits.firstLook },
    });

  return {
    record: (decision) => ledger.record(draftOf(decision, argumentSeal)),
    ended: (outcome) => ended.add(outcome),
    async list(organizationId, filter, before, limit) {
      const page = await readPage(newest(organizationId, filter, before), limit);
      return { decisions: await shown(page.decisions), nextBefore: page.nextBefore };
    },
    async *all(organizationId, filter, before) {
      for await (const { decisions } of newest(organizationId, filter, before))
        if (decisions.length > 0) yield await shown(decisions);
    },
    exports: createExports(platform),
    judging,
    servers,
    start: () => ended.start(),
    stop: () => ended.stop(),
  };
}
