import { expect } from "vitest";
import { eventually } from "../../support/actors.ts";
import type { Answer } from "../../support/api.ts";
import { must } from "../../support/app.ts";
import type { Caller, TellEntry } from "../../support/substrate.ts";
import { type CallOptions, call, type Told } from "./calls.ts";
import type { Grant, World } from "./world.ts";

/** What suites do with calls that wait for a person. */
export interface Inbox {
  /** Makes a call that must be held; its approval's id. */
  hold(grant: Grant, tool: string, args: object, node?: number, options?: CallOptions): Promise<string>;
  decide(id: string, decision: "approve" | "reject", by?: Caller, node?: number): Promise<Answer>;
  approve(id: string, node?: number): Promise<void>;
  get(id: string): Promise<any>;
  /** How much of a grant's counter is used in its present window, as people are shown it. */
  used(grant: Grant, counter: string): Promise<number>;
  /** Kinds of the ledger's entries about an approval, in their order. */
  story(id: string): Promise<string[]>;
  /** Moves times of a held call: as if that much time had passed, in seconds. */
  ages(id: string, seconds: number): Promise<void>;
}

export const approvalOf = (told: Told): string => {
  expect(told.outcome, told.text).toBe("hold");
  return told.decision.approval_id;
};

export function inboxOf(world: World): Inbox {
  const { staff, nodes } = world;
  const inbox: Inbox = {
    hold: async (grant, tool, args, node = 0, options = {}) =>
      approvalOf(await call(world.at(grant, node), tool, args, options)),
    decide: (id, decision, by = staff.admin, node = 0) =>
      world.api(node, by)(
        "POST",
        `/v1/approvals/${id}/${decision}`,
        decision === "approve" ? {} : { reason: "not today" },
      ),
    async approve(id, node) {
      expect(must(await inbox.decide(id, "approve", staff.admin, node)).status).toBe("approved");
    },
    get: async (id) => must(await world.api(nodes.others.length, staff.admin)("GET", `/v1/approvals/${id}`)),
    async used(grant, counter) {
      const shown = must(
        await world.api(nodes.others.length, staff.owner)("GET", `/v1/gateway/grants/${grant.grant_id}`),
      );
      return shown.used.find((each: any) => each.counter === counter)?.used ?? 0;
    },
    async story(id) {
      const path = `/v1/ledger/entries?subject=${id}&limit=50`;
      const { entries } = must(await world.api(nodes.others.length, staff.owner)("GET", path));
      return entries.map(({ entry }: { entry: TellEntry }) => entry.kind).reverse();
    },
    async ages(id, seconds) {
      const by = [id, `${seconds} seconds`];
      await nodes.database.query(
        `update ambit.gateway_holds set created_at = created_at - $2::interval, expires_at = expires_at - $2::interval,
           approved_until = approved_until - $2::interval, running_since = running_since - $2::interval,
           running_until = running_until - $2::interval, ended_at = ended_at - $2::interval where approval_id = $1`,
        by,
      );
      await nodes.database.query(
        "update ambit.approvals set expires_at = expires_at - $2::interval where id = $1",
        by,
      );
    },
  };
  return inbox;
}

/** Resolves once an approval has this status. */
export const becomes = (inbox: Inbox, id: string, status: string): Promise<unknown> =>
  eventually(async () => (await inbox.get(id)).status === status, `the approval to be ${status}`);
