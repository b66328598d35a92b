import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../../kernel/log.ts";
import { type Host, type OsUser, readHost } from "../../workerd/sandbox/index.ts";
import type { ChannelLimits } from "../channel/limits.ts";
import { createSessionUpstream } from "../channel/sessions.ts";
import type { Channel } from "../channel/types.ts";
import { type Upstream, UpstreamError, type UpstreamTarget } from "../types.ts";
import { afterCrash, type Crashes, noCrashes } from "./backoff.ts";
import { programCommand, programEnvironment } from "./command.ts";
import { makeRunningDirectory, makeServerDirectory } from "./directory.ts";
import { endLeftovers, killEscaped } from "./leftovers.ts";
import { type StdioLimits, stdioLimits } from "./limits.ts";
import { livingPrograms, startProgram } from "./program.ts";
import { createStderrTail, redacted, secretsOf } from "./stderr.ts";
import { readUidMap, serverUser, type UserChoice } from "./user.ts";

export interface StdioOptions {
  /** Names the server's directory and its user: the same on every start. */
  readonly serverId: string;
  /** Ambit's data directory. */
  readonly dataDir: string;
  readonly log: Log;
  readonly limits?: Partial<StdioLimits>;
  readonly channelLimits?: Partial<ChannelLimits>;
  /** Called with the limit's name when one was hit, for the metrics. */
  onLimit?(limit: string): void;
}

/** Machines change only with a new start. */
let knownHost: Host | null = null;
/** Data directories in which leftovers were looked for. */
const cleared = new Set<string>();

/**
 * A server that is a program on this host. Nothing runs before it is needed: a client's session has a process of its own,
 * everybody else shares one. Programs run as a user of their own when Ambit is root, else as Ambit's, in a directory of
 * their own, and end with Ambit.
 */
export function createStdioUpstream(
  target: Extract<UpstreamTarget, { transport: "stdio" }>,
  options: StdioOptions,
): Upstream {
  const limits = { ...stdioLimits, ...options.limits };
  const log = options.log.child({ mcp_server: options.serverId });
  knownHost ??= readHost();
  const host = knownHost;
  const choice = serverUser(options.serverId, host.uid, readUidMap());
  sayHowItRuns(choice, host, log);
  endLeftoverPrograms(options.dataDir, log);
  const secrets = secretsOf(target.env, target.args);
  const stderr = createStderrTail(limits.stderrTailBytes, secrets);
  let crashes: Crashes = noCrashes;
  let running = 0;

  const start = async (user: OsUser | null, signal: AbortSignal): Promise<Channel> => {
    await waitOut(crashes, limits, signal);
    const startedMs = performance.now();
    const directory = makeServerDirectory(options.dataDir, options.serverId, user);
    const channel = await startProgram({
      command: programCommand(target, host.tools, limits, {
        ownUser: user !== null,
        noFileHard: host.noFileHard,
      }),
      directory,
      environment: programEnvironment(directory, process.env.PATH, target.env),
      user,
      runningDirectory: makeRunningDirectory(options.dataDir),
      limits,
      log,
      stderr,
      onExit(asked) {
        running -= 1;
        const nowMs = performance.now();
        if (!asked) crashes = afterCrash(crashes, nowMs - startedMs, nowMs, limits);
        if (running === 0 && user !== null) killEscaped(user.uid, livingPrograms);
      },
    });
    running += 1;
    return channel;
  };
  const upstream = createSessionUpstream(
    async (signal) => {
      if (choice.kind === "impossible") throw connectError(choice.why);
      const channel = await start(choice.kind === "own" ? choice.user : null, signal);
      if (!signal.aborted) return channel;
      void channel.close();
      throw connectError("Nobody waits for the program any more.");
    },
    {
      log,
      probesStateless: true,
      ...(options.channelLimits ? { limits: options.channelLimits } : {}),
      ...(options.onLimit ? { onLimit: options.onLimit } : {}),
    },
  );
  return {
    ...upstream,
    state() {
      const { problem, ...state } = upstream.state();
      if (problem === null) return { ...state, problem };
      return { ...state, problem: redacted([problem, stderr.text()].filter(Boolean).join("\n"), secrets) };
    },
  };
}

const connectError = (message: string) =>
  new UpstreamError({ kind: "connect", status: null, ran: "no", message });

/** After crashes a start has to wait; a long wait is a failure at once. */
async function waitOut(
  { inARow, notBeforeMs }: Crashes,
  limits: StdioLimits,
  signal: AbortSignal,
): Promise<void> {
  const waitMs = notBeforeMs - performance.now();
  if (waitMs <= 0) return;
  if (waitMs > limits.maxStartWaitMs)
    throw connectError(
      `The program ended by itself ${inARow} times in a row; it may start again in ${Math.ceil(waitMs / 1000)} s.`,
    );
  await sleep(waitMs, undefined, { signal }).catch(() => {
    throw connectError("Nobody waits for the program any more.");
  });
}

/**
 * Ends what an Ambit that was killed left running below this data directory; once per directory and process. Another
 * Ambit's programs run on as long as that Ambit does.
 */
export function endLeftoverPrograms(dataDir: string, log: Log): void {
  if (cleared.has(dataDir)) return;
  cleared.add(dataDir);
  const ended = endLeftovers(makeRunningDirectory(dataDir));
  if (ended > 0) log.warn({ processes: ended }, "ended programs that an earlier Ambit left running");
}

function sayHowItRuns(choice: UserChoice, host: Host, log: Log): void {
  if (choice.kind === "self")
    log.warn(
      { uid: host.uid },
      "programs run as Ambit's own user: only root can give each a user of its own",
    );
  if (!host.tools.setpriv || !host.tools.prlimit)
    log.warn("setpriv or prlimit not found: programs have fewer limits. Mend: apt-get install util-linux");
}
