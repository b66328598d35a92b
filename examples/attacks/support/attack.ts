import type { Agent } from "./agent.ts";
import type { Handler, Stage } from "./stage.ts";

/** The kinds of attack, and the mistakes of gateways, that the library is about. */
export type AttackClass =
  | "tool poisoning"
  | "rug pull"
  | "prompt injection"
  | "exfiltration"
  | "runaway loop"
  | "typosquatting"
  | "compromised package"
  | "credential leak"
  | "protocol abuse"
  | "destructive call"
  | "unknown host"
  | "spending"
  | "wrong namespace"
  | "identity"
  | "approval"
  | "ssrf"
  | "policy evasion"
  | "mistakes of gateways";

/** How a server under attack is reached. */
export type Reached =
  | {
      readonly over: "http";
      readonly handler: Handler /** Below the server's path; default none. */;
      readonly path?: string;
    }
  | {
      readonly over: "stdio";
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
    }
  /** Ambit's own tools. */
  | { readonly over: "ambit" };

/** The server of one run, and the world in which harm shows. */
export interface Upstream<World> {
  readonly world: World;
  readonly reached: Reached;
  /** What authenticates at the server: with the gateway it is registered there, without it the client has it. */
  readonly credentials?: Readonly<Record<string, string>>;
  close?(): void | Promise<void>;
}

/** What stops an attack, and where that shows. */
export interface Stop {
  /** In words, for people. */
  readonly by: string;
  /** The line of the decision log; null where nobody was admitted whose decision it could be. */
  readonly decision: { readonly outcome: string; readonly rule: string } | null;
  /** What else the attack must have been answered: noted by `run` with `agent.refused`. */
  readonly refusal?: string;
}

/** One attack: it does harm without protection, and none behind Ambit. */
export interface Attack<World = unknown> {
  readonly name: string;
  readonly title: string;
  /** What it is, in two sentences. */
  readonly what: string;
  readonly class: AttackClass;
  /** The document that stops it, from policy.json; null where the gateway itself is the guard, and the policy allows everything. */
  readonly policy: object | null;
  readonly stop: Stop;
  /** Without Ambit: right at the server, or through a gateway that makes the mistakes of others. Default direct. */
  readonly without?: "direct" | "careless";
  /** What happens without, in a few words. */
  readonly harm: string;
  upstream(stage: Stage): Upstream<World> | Promise<Upstream<World>>;
  /** What the attacker, or the agent that was taken in, does. It must not judge whether it worked. */
  run(agent: Agent, world: World): Promise<void>;
  /** Whether the harm was done, by the state of the world. */
  succeeded(world: World): boolean | Promise<boolean>;
}

/** Where the gateway itself is the guard: nothing is forbidden. */
export const ALLOW_EVERYTHING = { version: "1", default: "allow" } as const;
