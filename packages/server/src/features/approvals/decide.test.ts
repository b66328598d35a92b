import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ROLES } from "../../kernel/principal.ts";
import { type Ballot, decideBallot, fourEyesHold } from "./decide.ts";
import type { ApprovalDecision, Requester } from "./types.ts";

const ACCOUNTS = ["ada", "bob", "cy", "dee"] as const;
const account = fc.constantFrom(...ACCOUNTS);

const vote = fc.record({
  accountId: account,
  role: fc.constantFrom(...ROLES),
  keyKind: fc.constantFrom("person" as const, "agent" as const),
  decision: fc.constantFrom("approve" as const, "reject" as const),
  /** Passes between two votes. */
  afterMs: fc.integer({ min: 0, max: 40 }),
});
type Vote = typeof vote extends fc.Arbitrary<infer T> ? T : never;

const world = fc.record({
  requester: fc.option(account, { nil: null }),
  approvers: fc.integer({ min: 1, max: 3 }),
  fourEyes: fc.option(fc.boolean(), { nil: null }),
  deciders: fc.integer({ min: 0, max: 4 }),
  votes: fc.array(vote, { maxLength: 12 }),
});
type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

const EXPIRES_AT = 100;

/** Plays all votes through `decideBallot`, as the database would keep them. */
function play({ requester, approvers, fourEyes, deciders, votes }: World) {
  const asker: Requester = { type: "agent", id: "key", accountId: requester, label: "an agent" };
  let status: Ballot["approval"]["status"] = "pending";
  let decidedAt: Date | null = null;
  const decisions: ApprovalDecision[] = [];
  const log: string[] = [];
  let nowMs = 0;
  for (const { accountId, role, keyKind, decision, afterMs } of votes) {
    nowMs += afterMs;
    const outcome = decideBallot({
      approval: {
        status,
        approvers,
        requester: asker,
        decisions,
        expiresAt: new Date(EXPIRES_AT),
        decidedAt,
      },
      ...{ voter: { accountId, role, keyKind }, decision, fourEyes, deciders, people: new Map(), nowMs },
    });
    if (outcome.kind === "counted") {
      decisions.push({ decision, accountId, keyId: "k", reason: null, at: new Date(nowMs) });
      if (outcome.status !== "pending") decidedAt = new Date(nowMs);
      status = outcome.status;
      log.push(outcome.status);
    } else {
      if (outcome.kind === "expired") [status, decidedAt] = ["expired", new Date(nowMs)];
      log.push(outcome.error.code);
    }
  }
  return { status, log };
}

/** The same, naively: whoever may vote is written on a list; the list says everything. */
function model({ requester, approvers, fourEyes, deciders, votes }: World) {
  const yes = new Set<string>();
  const log: string[] = [];
  let over: string | null = null;
  let nowMs = 0;
  const ownAllowed = fourEyes === false || (fourEyes === null && deciders < 2);
  const say = (voter: Vote): string => {
    if (voter.keyKind === "agent") return "AUTH_PERSON_REQUIRED";
    if (voter.role === "viewer" || voter.role === "developer") return "AUTH_INSUFFICIENT_PERMISSIONS";
    if (over !== null) return "wrong_status";
    if (nowMs >= EXPIRES_AT) {
      over = "expired";
      return "wrong_status";
    }
    if (yes.has(voter.accountId)) return "APPROVAL_TWICE";
    if (voter.decision === "reject") {
      over = "rejected";
      return over;
    }
    if (voter.accountId === requester && !ownAllowed) return "AUTH_INSUFFICIENT_PERMISSIONS";
    yes.add(voter.accountId);
    if (yes.size === approvers) over = "approved";
    return over ?? "pending";
  };
  for (const voter of votes) {
    nowMs += voter.afterMs;
    log.push(say(voter));
  }
  return { status: over ?? "pending", log };
}

describe("decideBallot", () => {
  it("does what a naive list of votes does, whatever is voted", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(world, (given) => {
        const played = play(given);
        for (const line of played.log) seen.add(line);
        expect(played).toEqual(model(given));
      }),
      { seed: 20_260_101, numRuns: 5_000 },
    );
    // Every outcome has been reached, so that agreeing says something.
    expect([...seen].sort()).toEqual([
      "APPROVAL_TWICE",
      "AUTH_INSUFFICIENT_PERMISSIONS",
      "AUTH_PERSON_REQUIRED",
      "approved",
      "pending",
      "rejected",
      "wrong_status",
    ]);
  });

  it("says who decided and when", () => {
    const at = new Date("2026-02-03T04:05:06.000Z");
    const ballot: Ballot = {
      approval: {
        status: "rejected",
        approvers: 1,
        requester: { type: "agent", id: "k", accountId: null, label: "" },
        decisions: [{ decision: "reject", accountId: "a", keyId: "k", reason: null, at }],
        expiresAt: new Date(at.getTime() + 1),
        decidedAt: at,
      },
      voter: { accountId: "b", role: "owner", keyKind: "person" },
      decision: "approve",
      fourEyes: null,
      deciders: 2,
      people: new Map([["a", "ada@example.com"]]),
      nowMs: at.getTime(),
    };
    expect(decideBallot(ballot)).toMatchObject({
      error: {
        code: "wrong_status",
        status: 409,
        message: "This was rejected by ada@example.com at 2026-02-03T04:05:06.000Z.",
      },
    });
    const cancelled = { ...ballot.approval, status: "cancelled" as const, decisions: [] };
    expect(decideBallot({ ...ballot, approval: cancelled })).toMatchObject({
      error: { message: "What waited was taken back at 2026-02-03T04:05:06.000Z." },
    });
  });
});

describe("four eyes", () => {
  it("hold by default as soon as two members may decide, and as the owner says otherwise", () => {
    expect([0, 1, 2, 3].map((deciders) => fourEyesHold(null, deciders))).toEqual([false, false, true, true]);
    expect(fourEyesHold(true, 1)).toBe(true);
    expect(fourEyesHold(false, 5)).toBe(false);
  });
});
