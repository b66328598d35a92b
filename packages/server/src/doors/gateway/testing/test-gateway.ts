import { type CompiledPolicy, compile, type PolicyDocument } from "@ambit/policy";
import type {
  Admission,
  AskedFor,
  CallUnderWay,
  GatewayService,
  ToolAnswer,
  Verdict,
} from "../../../features/gateway/service.ts";
import type { GatewayServer } from "../../../features/gateway-servers/service.ts";
import { errors } from "../../../kernel/errors.ts";

export type CallEnd = Parameters<CallUnderWay["settle"]>[0];

/** A judge for tests of the door: the real policies, and everything else in memory and open to be looked at. */
export class TestGateway implements GatewayService {
  readonly grants = new Map<string, Admission>();
  readonly judged: AskedFor[] = [];
  readonly notes: Parameters<GatewayService["note"]>[1][] = [];
  readonly ends: { requestId: string; end: CallEnd }[] = [];
  readonly revoked = new Set<string>();
  /** What is kept of calls that a person approved. */
  keepsResult = false;
  sessionsLeft = Number.POSITIVE_INFINITY;
  /** Replaceable: how a decision becomes durable, and how an end is kept. */
  record: () => Promise<string> = async () => "led_1";
  settle: (end: CallEnd) => Promise<void> = async () => {};
  noted: () => Promise<void> = async () => {};
  /** Comes before the policy; null leaves the verdict to it. */
  verdict: (asked: AskedFor) => Verdict | Promise<Verdict> | null = () => null;

  /** A grant for one server, with a token. */
  add(
    token: string,
    serverId: string,
    policy: PolicyDocument | null,
    face: GatewayServer["face"] = null,
  ): Admission {
    const id = `gra_${token}`;
    const policyId = policy === null ? null : `policy of ${token}`;
    const compiled: CompiledPolicy | null = policy === null ? null : compile(policy);
    const admission = {
      grant: {
        ...{ id, organizationId: "org", serverId, policyId, label: token, accountId: "acc" },
        ...{ expiresAtMs: null, rotation: 0 },
      },
      server: {
        ...{ id: serverId, organizationId: "org", name: "server", capturesValues: false },
        transport: face === null ? ("http" as const) : ("builtin" as const),
        face,
      },
      policy:
        compiled === null ? null : { policyId: policyId!, name: "policy", serverId, version: 1, compiled },
    };
    this.grants.set(token, admission);
    return admission;
  }

  async admit(authorization: string | undefined, serverRef: string): Promise<Admission> {
    const admission = this.grants.get(authorization?.replace(/^Bearer /, "") ?? "");
    const { server, grant } = admission ?? {};
    const names = { merged: "ambit", verbs: "ambit-verbs" };
    const face = server?.face ?? null;
    const named = server?.id === serverRef || (face !== null && names[face] === serverRef);
    if (admission === undefined || !named || this.revoked.has(grant!.id)) {
      throw errors.AUTH_INVALID_TOKEN({ headers: { "WWW-Authenticate": "Bearer" } });
    }
    return admission;
  }

  async judge(admission: Admission, asked: AskedFor): Promise<Verdict> {
    this.judged.push(asked);
    const given = await this.verdict(asked);
    if (given !== null) return given;
    const denied = this.#denial(admission, asked);
    return denied ?? this.forward(asked);
  }

  /** Lets it through. */
  forward(asked: AskedFor): Extract<Verdict, { kind: "forward" }> {
    const recorded = this.record();
    recorded.catch(() => {});
    return {
      kind: "forward",
      recorded,
      call: {
        keepsResult: this.keepsResult,
        settle: (end) => {
          this.ends.push({ requestId: asked.requestId, end });
          return this.settle(end);
        },
      },
    };
  }

  async note(_admission: Admission, what: Parameters<GatewayService["note"]>[1]): Promise<void> {
    await this.noted();
    this.notes.push(what);
  }

  async openSession(): Promise<void> {
    if (this.sessionsLeft <= 0) throw errors.QUOTA_RATE_LIMIT({ headers: { "Retry-After": "60" } });
    this.sessionsLeft -= 1;
  }

  async stillHolds({ grant }: Admission): Promise<boolean> {
    return !this.revoked.has(grant.id);
  }

  async filterTools<T extends { readonly tools: readonly unknown[] }>(
    { policy }: Admission,
    result: T,
  ): Promise<T> {
    const tools = result.tools.filter((tool) => {
      const name = (tool as { name?: unknown } | null)?.name;
      return typeof name === "string" && policy !== null && policy.compiled.lists(name);
    });
    return { ...result, tools };
  }

  #denial({ policy, grant, server }: Admission, asked: AskedFor): Verdict | null {
    if (policy === null) return { kind: "refuse", message: "Denied by policy: the grant has no policy" };
    if (asked.method !== "tools/call") return null;
    const call = {
      ...{ tool: asked.tool!, args: asked.args!, grantId: grant.id, sessionId: asked.sessionId },
      ...{ serverId: server.id, tool_state: "approved" as const },
    };
    const judgement = policy.compiled.judge(call, 0);
    if (judgement.outcome === "allow") return null;
    return { kind: "answer", result: denial(judgement.outcome, judgement.rule) };
  }
}

export const denial = (outcome: "deny" | "hold", rule: string): ToolAnswer => ({
  isError: true,
  content: [{ type: "text", text: `Denied by policy: ${rule}` }],
  _meta: { "ambit/decision": { outcome, rule } },
});
