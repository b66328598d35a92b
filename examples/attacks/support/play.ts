import { randomBytes } from "node:crypto";
import { Agent, type Configured } from "./agent.ts";
import { type AmbitAccess, AmbitSide, type Decision } from "./ambit.ts";
import { ALLOW_EVERYTHING, type Attack, type Reached, type Upstream } from "./attack.ts";
import { CarelessGateway } from "./careless.ts";
import type { Stage } from "./stage.ts";

/** How an attack went, without Ambit and with it. */
export interface Played {
  readonly name: string;
  readonly title: string;
  readonly class: string;
  /** Whether there was harm. */
  readonly without: boolean;
  readonly with: boolean;
  readonly stoppedBy: string;
  /** The line of the decision log that was looked for and is there; null when it is missing, or none was to be. */
  readonly decision: Decision | null;
  readonly problems: readonly string[];
}

export interface Theatre {
  readonly stage: Stage;
  readonly ambit: AmbitAccess;
}

/**
 * Plays an attack without Ambit, behind it, and, where a policy is what stops it, behind it with a policy that allows
 * everything; each time with a world of its own. It went as it should when `problems` is empty.
 */
export async function play(theatre: Theatre, attack: Attack): Promise<Played> {
  const byPolicy = attack.policy !== null && attack.without !== "careless";
  const [without, open, guarded] = await Promise.all([
    withoutAmbit(theatre, attack),
    byPolicy ? behindAmbit(theatre, attack, ALLOW_EVERYTHING) : null,
    behindAmbit(theatre, attack, attack.policy ?? ALLOW_EVERYTHING),
  ]);
  const { harm, decisions, refusals } = guarded;
  const { decision: wanted, refusal } = attack.stop;
  const decision =
    wanted === null
      ? null
      : (decisions.find(({ outcome, rule }) => outcome === wanted.outcome && rule === wanted.rule) ?? null);
  const problems: string[] = [];
  if (!without) problems.push("did no harm without Ambit");
  if (open?.harm === false) problems.push("did no harm with a policy that allows everything");
  if (harm) problems.push("did harm behind Ambit");
  if (wanted !== null && decision === null) {
    const seen = [...new Set(decisions.map(({ outcome, rule }) => `${outcome} ${rule}`))].join(", ");
    problems.push(`the log has no ${wanted.outcome} ${wanted.rule}, but: ${seen}`);
  }
  if (refusal !== undefined && !refusals.includes(refusal)) {
    problems.push(`was not refused with ${refusal}, but with: ${refusals.join(", ")}`);
  }
  const { name, title, stop } = attack;
  return { name, title, class: attack.class, without, with: harm, stoppedBy: stop.by, decision, problems };
}

/** A secret of the user who runs agents and Ambit: in the environment of both. */
export const USER_ENVIRONMENT = { DEPLOY_TOKEN: "dt_production_7f3a" } as const;

/** The program that stdio servers of the library are started with. */
export const COMMAND = process.execPath;

async function withoutAmbit({ stage, ambit }: Theatre, attack: Attack): Promise<boolean> {
  const upstream = await attack.upstream(stage);
  const { reached, credentials = {} } = upstream;
  let configured: Configured;
  let careless: CarelessGateway | null = null;
  if (reached.over === "stdio") {
    // As desktop clients do: the program is started as the user who runs the agent, with all the user has.
    configured = {
      command: COMMAND,
      args: reached.args,
      env: { ...processEnv(), ...USER_ENVIRONMENT, ...reached.env },
    };
  } else if (reached.over === "ambit") {
    configured = { url: ambit.mcpUrl, headers: { authorization: `Bearer ${ambit.agentKey}` } };
  } else {
    const url = mounted(stage, attack, reached);
    if (attack.without === "careless") careless = new CarelessGateway(attack.policy ?? ALLOW_EVERYTHING, url);
    const own = careless === null ? url : stage.mount("careless", careless.handler);
    configured = { url: own, headers: { authorization: "Bearer alice", ...credentials } };
  }
  const second = async () =>
    "url" in configured
      ? { ...configured, headers: { ...configured.headers, authorization: "Bearer bob" } }
      : configured;
  return run(attack, upstream, new Agent(configured, { ambit: null, access: ambit, careless, second }));
}

async function behindAmbit({ stage, ambit: access }: Theatre, attack: Attack, document: object) {
  const upstream = await attack.upstream(stage);
  const { reached, credentials } = upstream;
  const name = `${attack.name} ${randomBytes(4).toString("hex")}`;
  const server = registered(stage, attack, reached, credentials);
  const ambit = await AmbitSide.setUp(access, name, server, document);
  const second = async () => configuredBy(await ambit.grant(name));
  const agent = new Agent(configuredBy(ambit.grants[0]!), { ambit, access, careless: null, second });
  const harm = await run(attack, upstream, agent);
  return { harm, decisions: await ambit.decisions(), refusals: agent.refusals };
}

function registered(
  stage: Stage,
  attack: Attack,
  reached: Reached,
  headers: Upstream<unknown>["credentials"],
) {
  switch (reached.over) {
    case "ambit":
      return "ambit";
    case "stdio":
      return { transport: "stdio", command: COMMAND, args: reached.args, env: reached.env };
    case "http":
      return {
        transport: "http",
        url: mounted(stage, attack, reached),
        ...(headers === undefined ? {} : { headers }),
      };
  }
}

const mounted = (
  stage: Stage,
  { name }: Attack,
  { handler, path = "" }: Extract<Reached, { over: "http" }>,
) => stage.mount(name, handler) + path;

const configuredBy = ({ proxy_url, token }: { readonly proxy_url: string; readonly token: string }) => ({
  url: proxy_url,
  headers: { authorization: `Bearer ${token}` },
});

async function run(attack: Attack, upstream: Upstream<unknown>, agent: Agent): Promise<boolean> {
  try {
    await attack.run(agent, upstream.world);
    return await attack.succeeded(upstream.world);
  } finally {
    await agent.close();
    await upstream.close?.();
  }
}

const processEnv = () =>
  Object.fromEntries(
    Object.entries(process.env).filter((each): each is [string, string] => each[1] !== undefined),
  );
