/** What may be done to one of a few calls. */
export const ACTIONS = ["call", "crash", "fail", "run", "approve", "reject"] as const;
export type Action = (typeof ACTIONS)[number];

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

type Stage = "none" | "pending" | "approved" | "running" | "executed" | "rejected" | "expired" | "unknown";

/** What becomes of one call by the rules, told again without tables, nodes or hashes. */
export class CallModel {
  stage: Stage = "none";
  /** When the stage began. */
  sinceMs = 0;
  #approvedMs = 0;
  /** Quota that is held or spent. */
  used = 0;

  #to(stage: Stage, nowMs: number): void {
    this.stage = stage;
    this.sinceMs = nowMs;
  }

  /** Time passes, and what is over is written down. */
  passes(nowMs: number): void {
    const age = nowMs - this.sinceMs;
    if (this.stage === "pending" && age >= DAY_MS) this.#ends("expired", nowMs);
    else if (this.stage === "approved" && nowMs - this.#approvedMs >= DAY_MS) this.#ends("expired", nowMs);
    else if (this.stage === "running" && age >= 2 * MINUTE_MS) this.#to("unknown", nowMs);
    else if (this.stage === "executed" && age >= 10 * MINUTE_MS) this.#to("none", nowMs);
    else if (this.stage === "expired" && age >= 10 * MINUTE_MS) this.#to("none", nowMs);
    else if (this.stage === "rejected" && age >= DAY_MS) this.#to("none", nowMs);
  }

  #ends(stage: "expired" | "rejected", nowMs: number): void {
    this.used -= 1;
    this.#to(stage, nowMs);
  }

  /** The call is made; the kind of answer. `forward` has claimed it. */
  call(nowMs: number): "hold" | "forward" | "deny" | "replay" {
    switch (this.stage) {
      case "none":
        this.used += 1;
        this.#to("pending", nowMs);
        return "hold";
      case "pending":
        return "hold";
      case "approved":
        this.#to("running", nowMs);
        return "forward";
      case "executed":
        return "replay";
      case "unknown":
        this.#to("none", nowMs);
        return "deny";
      default:
        return "deny";
    }
  }

  decide(what: "approve" | "reject", nowMs: number): boolean {
    if (this.stage !== "pending") return false;
    if (what === "reject") this.#ends("rejected", nowMs);
    else this.#to("approved", nowMs);
    if (what === "approve") this.#approvedMs = nowMs;
    return true;
  }

  /** What a claimed call came to; nothing when its node died. */
  settles(how: "run" | "fail" | "crash", nowMs: number): void {
    if (how === "run") this.#to("executed", nowMs);
    if (how === "fail") this.#to("approved", nowMs);
  }
}
