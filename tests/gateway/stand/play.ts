import type { Json, JsonObject, PolicyCall } from "@ambit/policy";
import fc from "fast-check";
import { expect } from "vitest";
import { calls as anyCall, documents } from "../../../packages/policy/src/testing/generate.ts";
import { type Api, apiAs } from "../../support/api.ts";
import { must } from "../../support/app.ts";
import { addPolicy } from "../../support/gateway.ts";
import { type Inbox, inboxOf } from "./approvals.ts";
import { call, openSession, type Told, times } from "./calls.ts";
import { Dice } from "./dice.ts";
import type { Grant, World } from "./world.ts";

/** A grant with what it calls with. */
interface Holder {
  grant: Grant;
  readonly session: string;
  /** As the upstream calls it. */
  readonly upstreamSession: string;
}

/** A call that was made, and the counters as they were before. */
export interface Made {
  readonly told: Told;
  readonly asked: PolicyCall;
  /** The same for the same call of the same grant. */
  readonly key: string;
  readonly counters: ReadonlyMap<string, number>;
  readonly fromMs: number;
  readonly toMs: number;
}

/** JSON with its keys in order, so that the same call is the same text. */
export function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.entries(value as JsonObject).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`).join(",")}}`;
}

/** People manage and agents call, at random, on two nodes, one after the other. */
export class Play {
  readonly made: Made[] = [];
  /** Every version of a policy that was ever written (`<policy>/<version>`), as it was written. */
  readonly written = new Map<string, object>();
  /** Approvals of calls that were held, by the call. */
  readonly held = new Map<string, string>();
  readonly holders: Holder[] = [];
  readonly #world: World;
  readonly #inbox: Inbox;
  readonly #dice: Dice;
  readonly #tools: readonly string[];
  readonly #documents: readonly object[];
  readonly #calls: readonly PolicyCall[];
  readonly #versions = new Map<string, number>();
  readonly #policies: string[] = [];
  readonly #undecided = new Set<string>();
  readonly #acts: readonly (() => Promise<unknown>)[];

  /** `tools`: what the upstream has. */
  constructor(world: World, tools: readonly string[], seed: number) {
    this.#world = world;
    this.#inbox = inboxOf(world);
    this.#dice = new Dice(seed);
    this.#tools = tools;
    this.#documents = fc.sample(documents, { numRuns: 40, seed }) as object[];
    this.#calls = fc.sample(anyCall, { numRuns: 60, seed });
    this.#acts = [
      ...[() => this.#edit(), () => this.#edit(), () => this.#attach(), () => this.#rotate()],
      ...[() => this.#replacePolicy(), () => this.#decide(), () => this.#decide(), () => this.#join()],
      ...[() => this.#rename(), () => this.#look()],
    ];
  }

  async begin(): Promise<void> {
    for (const _ of times(3, () => 0)) this.#policies.push(await this.#newPolicy());
    for (const _ of times(2, () => 0)) await this.#join();
  }

  async step(): Promise<void> {
    if (this.#dice.chance(0.3)) await this.#dice.pick(this.#acts)();
    else await this.#call();
  }

  get #owner(): Api {
    return this.#world.staff.owner.api;
  }

  async #newPolicy(): Promise<string> {
    const document = this.#dice.pick(this.#documents);
    const id = await addPolicy(this.#owner, this.#world.server.server_id, document);
    this.#versions.set(id, 1);
    this.written.set(`${id}/1`, document);
    return id;
  }

  async #edit(): Promise<void> {
    const id = this.#dice.pick(this.#policies);
    const document = this.#dice.pick(this.#documents);
    const before = this.#versions.get(id)!;
    const version = await this.#world.edit(id, document, this.#dice.int(2));
    // The same document again makes no version.
    expect([before, before + 1]).toContain(version);
    if (version > before) this.written.set(`${id}/${version}`, document);
    this.#versions.set(id, version);
  }

  async #attach(): Promise<void> {
    const { grant } = this.#dice.pick(this.holders);
    const policy_id = this.#dice.chance(0.15) ? null : this.#dice.pick(this.#policies);
    const api = apiAs(this.#world.urls()[this.#dice.int(2)]!, this.#world.staff.manager.key);
    must(await api("PUT", `/v1/gateway/grants/${grant.grant_id}/policy`, { policy_id }));
  }

  async #rotate(): Promise<void> {
    const holder = this.#dice.pick(this.holders);
    const path = `/v1/gateway/grants/${holder.grant.grant_id}/rotate`;
    holder.grant = { ...holder.grant, token: must(await this.#owner("POST", path, {})).token };
  }

  /** One that is in use stays, and its deletion is refused. */
  async #replacePolicy(): Promise<void> {
    const index = this.#dice.int(this.#policies.length);
    const old = this.#policies[index]!;
    this.#policies[index] = await this.#newPolicy();
    const { status } = await this.#owner("DELETE", `/v1/gateway/policies/${old}`);
    expect([200, 409]).toContain(status);
  }

  async #decide(): Promise<void> {
    const waiting = [...this.#undecided];
    if (waiting.length === 0) return;
    const id = this.#dice.pick(waiting);
    const decision = this.#dice.pick(["approve", "approve", "reject"] as const);
    must(await this.#inbox.decide(id, decision, this.#world.staff.admin, this.#dice.int(2)));
    this.#undecided.delete(id);
  }

  async #join(): Promise<void> {
    if (this.holders.length === 5) return;
    const grant = await this.#world.grant(null);
    const path = `/v1/gateway/grants/${grant.grant_id}/policy`;
    must(await this.#owner("PUT", path, { policy_id: this.#dice.pick(this.#policies) }));
    const session = await openSession(this.#world.at(grant));
    const opened = this.#world.upstream.arrivals.filter(({ method }) => method === "initialize").length;
    this.holders.push({ grant, session, upstreamSession: `session-${opened}` });
  }

  async #rename(): Promise<void> {
    const { grant } = this.#dice.pick(this.holders);
    const name = `name ${this.#dice.int(1e9)}`;
    const expires_at = this.#dice.pick([null, "2100-01-01T00:00:00Z"]);
    must(await this.#owner("PATCH", `/v1/gateway/grants/${grant.grant_id}`, { label: name, expires_at }));
    must(await this.#owner("PATCH", `/v1/gateway/servers/${grant.server_id}`, { name }));
  }

  /** What only looks changes nothing either. */
  async #look(): Promise<void> {
    const { server_id } = this.#world.server;
    const body = { server_id, document: this.#dice.pick(this.#documents) };
    must(await this.#owner("POST", "/v1/gateway/policies/simulate", body));
    must(await this.#owner("POST", "/v1/gateway/policies/validate", body));
    must(await this.#owner("POST", `/v1/gateway/servers/${server_id}/scan`, {}));
  }

  async #call(): Promise<void> {
    const holder = this.#dice.pick(this.holders);
    const { tool, args } = this.#dice.pick(this.#calls);
    const { grant, session, upstreamSession } = holder;
    const inSession = this.#dice.chance(0.4);
    const at = this.#world.at(grant, this.#dice.int(2));
    const era = this.#dice.pick(["session", "stateless"] as const);
    const counters = await this.#counters();
    const fromMs = Date.now();
    const make = () => call(at, tool, args, inSession ? { session } : { era });
    let told = await make();
    // A token that was rotated on one node, and is not known on the other yet.
    while (told.status === 401 && Date.now() - fromMs < 2_000) told = await make();
    const asked: PolicyCall = {
      ...{ tool, args, grantId: grant.grant_id, serverId: grant.server_id },
      sessionId: inSession ? upstreamSession : null,
      tool_state: this.#tools.includes(tool) ? "approved" : "changed",
    };
    const key = canonical([grant.grant_id, tool, args] as unknown as Json);
    this.made.push({ told, asked, key, counters, fromMs, toMs: Date.now() });
    if (told.outcome !== "hold" || this.held.get(key) === told.decision.approval_id) return;
    this.held.set(key, told.decision.approval_id);
    this.#undecided.add(told.decision.approval_id);
  }

  async #counters(): Promise<ReadonlyMap<string, number>> {
    const { rows } = await this.#world.nodes.database.query(
      "select key, window_start, used from ambit.gateway_counters",
    );
    return new Map(
      rows.map(({ key, window_start, used }) => [`${window_start.getTime()} ${key}`, Number(used)]),
    );
  }
}
