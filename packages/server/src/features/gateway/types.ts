import type { JsonObject } from "@ambit/policy";
import type { Grant } from "../gateway-grants/service.ts";
import type { CurrentPolicy } from "../gateway-policies/service.ts";
import type { GatewayServer } from "../gateway-servers/service.ts";

/** An authenticated request at a proxy URL, with what holds at this moment: one policy version for all of it. */
export interface Admission {
  readonly grant: Grant;
  readonly server: GatewayServer;
  /** Null: the grant has none, and everything is denied. */
  readonly policy: CurrentPolicy | null;
}

/** What a message asks for, as far as the judge is concerned. */
export interface AskedFor {
  readonly requestId: string;
  /** JSON-RPC method, or `(response)`. */
  readonly method: string;
  /** For tools/call. */
  readonly tool: string | null;
  readonly args: JsonObject | null;
  /** The upstream's session, where there is one; what counters of the scope `session` count. */
  readonly sessionId: string | null;
  /** `requestState` of a call that is made again; null without. */
  readonly requestState: string | null;
  /** Whether the caller can be sent to a page (2026-07-28 with `elicitation.url`). */
  readonly opensUrls: boolean;
}

/** What the door is to do. */
export type Verdict =
  /** Forward it; then `settle`, and answer only once `recorded` has resolved. */
  | { readonly kind: "forward"; readonly recorded: Promise<string>; readonly call: CallUnderWay }
  /** Answer this, it is recorded already. */
  | { readonly kind: "answer"; readonly result: ToolAnswer }
  /** The method is not a tool's, and the grant may not use it: a JSON-RPC error. */
  | { readonly kind: "refuse"; readonly message: string }
  /** An answer that is known: the JSON text of a JSON-RPC result, from before or (lists without a policy) an empty one. */
  | { readonly kind: "replay"; readonly result: string }
  | {
      readonly kind: "ask";
      readonly approvalUrl: string;
      readonly requestState: string;
      readonly message: string;
    }
  /** The requestState is not ours, not this caller's, or used: JSON-RPC -32602. */
  | { readonly kind: "bad_state"; readonly message: string };

/** A tool result that says what was decided (`spec`: `_meta["ambit/decision"]`). */
export interface ToolAnswer {
  readonly isError: true;
  readonly content: readonly [{ readonly type: "text"; readonly text: string }];
  readonly _meta: {
    readonly "ambit/decision": {
      readonly outcome: "deny" | "limit" | "hold";
      readonly rule: string;
      readonly retry_after_s?: number;
      readonly approval_id?: string;
      readonly approval_url?: string;
    };
  };
}

/** A call that was let through, until its end is known. */
export interface CallUnderWay {
  /**
   * Tells how it ended, once. `ran: "no"` gives its quota back; a call that a person approved is finished with its result
   * (JSON text of the JSON-RPC result), and only then may the answer leave.
   */
  settle(end: {
    readonly ran: "no" | "yes" | "maybe";
    readonly status: number;
    /** `isError`, a JSON-RPC error's code, or a failure's kind; null for a plain result. */
    readonly problem: string | null;
    readonly result: string | null;
  }): Promise<void>;
  /** Whether `settle` wants the result's text: only for calls that a person approved. */
  readonly keepsResult: boolean;
}

export interface GatewayService {
  /**
   * Who calls, and what holds for it. `serverRef` is what the path names: a UUID, or `ambit`. Throws GATEWAY_GRANT_INVALID
   * (401) for an unknown, revoked or expired grant, and for a path of another server.
   */
  admit(authorization: string | undefined, serverRef: string, ip: string): Promise<Admission>;
  /**
   * Judges one message and records it; everything but `forward` is recorded before it is returned. Rejects only when it
   * can't be recorded: fail closed. What can't be counted is denied.
   */
  judge(admission: Admission, asked: AskedFor): Promise<Verdict>;
  /** Records what was refused before there was anything to judge (`(malformed)`), or an open stream. */
  note(
    admission: Admission,
    what: {
      readonly requestId: string;
      readonly method: string | null;
      readonly outcome: "allow" | "error";
      readonly rule: string;
      readonly message: string | null;
    },
  ): Promise<void>;
  /** How many more sessions the grant may open now; takes one. Throws QUOTA_RATE_LIMIT. */
  openSession(admission: Admission): Promise<void>;
  /** Whether what was admitted still holds: for open streams, asked every half second. */
  stillHolds(admission: Admission): Promise<boolean>;
  /** The list as this grant may see it, in the same order, with every other field as it was; hidden, denied and changed tools taken out. */
  filterTools<T extends { readonly tools: readonly unknown[] }>(admission: Admission, result: T): Promise<T>;
}
