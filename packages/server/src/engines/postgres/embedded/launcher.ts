import { join } from "node:path";
import { ensureReachable, makeStateDir, makeSubdirectory } from "./access.ts";
import { type Binaries, locatePackage, stageBinaries, useSystemBinaries } from "./binaries.ts";
import { type Cluster, createCluster, dataDirOf, dataOwner, hasCluster } from "./cluster.ts";
import { renderConfiguration, writeConfiguration } from "./configuration.ts";
import { explainSystemError, failures } from "./errors.ts";
import { Holder } from "./holders.ts";
import { chooseIdentity, findAccount, type OsIdentity } from "./identity.ts";
import { limits } from "./limits.ts";
import { acquireLock, acquireStartLock } from "./lock.ts";
import { type Log, rotateServerLog } from "./log.ts";
import { readPidFile } from "./pid-file.ts";
import { belongsToCluster, sendSignal } from "./process.ts";
import { ensureServer, type Server, stopServer } from "./server.ts";
import { chooseSocketDir, prepareSocketDir, removeSocketDir, shortName, temporaryDirs } from "./socket.ts";
import { Supervisor } from "./supervisor.ts";

export interface EmbeddedOptions {
  /** Ambit's data directory; the cluster lives in `<stateDir>/postgres`. */
  readonly stateDir: string;
  readonly log: Log;
  /** PostgreSQL settings, over the launcher's own. The socket's place cannot be changed. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Monotonic milliseconds; decides how quickly a server that keeps dying is restarted. */
  readonly now?: () => number;
  /** `bin` directory of an installed PostgreSQL to use instead of the packaged one; the variable PG_BIN if absent. */
  readonly pgBin?: string | undefined;
}

/** A running PostgreSQL. Connections need no password; only its user and root can reach the socket. */
export interface EmbeddedPostgres {
  /** Directory of the socket. */
  readonly host: string;
  readonly port: number;
  readonly user: "postgres";
  /** Process id of the server as it is now; a restart changes it. */
  readonly pid: number;
  /** True if the server was already running when it was asked for. */
  readonly adopted: boolean;
  /**
   * Ends the supervision, then the server, unless another live process uses it: fast shutdown first, by force at
   * last. Resolves within four seconds, when it is gone. Further calls give the same promise.
   */
  stop(): Promise<void>;
  /** `listener` is called when the server died and is back. */
  onRestart(listener: () => void): void;
}

/**
 * Gives a PostgreSQL for this state directory: adopts the one that is running, else starts it, creating binaries
 * and cluster on first use. Throws EmbeddedPostgresError for whatever the operator can mend. Any number of
 * processes may call it for one state directory; they share the server.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  if (process.platform === "win32") throw failures.windowsUnsupported();
  try {
    const stateDir = makeStateDir(options.stateDir);
    return await new Launch(stateDir, options).run();
  } catch (error) {
    throw explainSystemError(error, options.stateDir);
  }
}

class Launch {
  readonly #stateDir: string;
  readonly #options: EmbeddedOptions;
  readonly #lockFile: string;
  readonly #holder: Holder;

  constructor(stateDir: string, options: EmbeddedOptions) {
    this.#stateDir = stateDir;
    this.#options = options;
    this.#lockFile = join(stateDir, "postgres.lock");
    this.#holder = new Holder(makeSubdirectory(stateDir, "postgres.holders", 0o755));
  }

  async run(): Promise<EmbeddedPostgres> {
    const { log } = this.#options;
    const begun = performance.now();
    const release = await acquireStartLock(this.#lockFile, this.#stateDir);
    let cluster: Cluster;
    let server: Server;
    try {
      cluster = await this.#prepare();
      this.#holder.register();
      server = await ensureServer(cluster);
    } catch (error) {
      this.#holder.release();
      throw error;
    } finally {
      release();
    }
    const durationMs = Math.round(performance.now() - begun);
    log("info", server.adopted ? "adopted a running PostgreSQL" : "started PostgreSQL", {
      pid: server.pid,
      version: cluster.binaries.version,
      durationMs,
    });
    return this.#supervise(cluster, server);
  }

  /** Everything before the server: user, binaries, cluster, socket directory, configuration. */
  async #prepare(): Promise<Cluster> {
    const [stateDir, { log }] = [this.#stateDir, this.#options];
    const dataDir = dataDirOf(stateDir);
    const identity = chooseIdentity({
      self: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
      dataDir,
      dataOwner: dataOwner(dataDir),
      account: findAccount,
    });
    ensureReachable(stateDir, dataDir, identity, log);
    const cluster: Cluster = {
      stateDir,
      dataDir,
      identity,
      ownerUid: identity.uid,
      clusterName: `ambit-${shortName(stateDir)}`,
      socketDir: chooseSocketDir(stateDir, temporaryDirs(identity)),
      logFile: join(stateDir, "postgres.log"),
      binaries: await this.#binaries(identity),
    };
    prepareSocketDir(cluster.socketDir, identity);
    rotateServerLog(cluster.logFile);
    await this.#configure(cluster);
    return cluster;
  }

  async #binaries(identity: OsIdentity): Promise<Binaries> {
    const pgBin = this.#options.pgBin ?? process.env.PG_BIN;
    if (pgBin) return await useSystemBinaries(pgBin, identity);
    const source = locatePackage(`${process.platform}-${process.arch}`);
    return await stageBinaries(source, this.#stateDir, identity, this.#options.log);
  }

  async #configure(cluster: Cluster): Promise<void> {
    const { dataDir, binaries, identity } = cluster;
    const configuration = renderConfiguration(this.#options.settings ?? {}, cluster);
    if (!hasCluster(dataDir, binaries.major)) {
      const begun = performance.now();
      await createCluster(cluster, configuration);
      this.#options.log("info", "created the database cluster", {
        dataDir,
        durationMs: Math.round(performance.now() - begun),
      });
      return;
    }
    if (!writeConfiguration(dataDir, configuration, identity)) return;
    const running = readPidFile(dataDir)?.pid;
    // A server from before takes over what can change while it runs.
    if (running && belongsToCluster(running, cluster)) sendSignal(running, "SIGHUP");
  }

  #supervise(cluster: Cluster, first: Server): EmbeddedPostgres {
    const supervisor = new Supervisor(first, {
      ensure: (signal) => this.#restart(cluster, signal),
      log: this.#options.log,
      now: this.#options.now ?? (() => performance.now()),
    });
    const rotation = setInterval(() => rotateServerLog(cluster.logFile), limits.logCheckMs).unref();
    let stopped: Promise<void> | undefined;
    return {
      get host() {
        return supervisor.server.host;
      },
      get port() {
        return supervisor.server.port;
      },
      user: "postgres",
      get pid() {
        return supervisor.server.pid;
      },
      adopted: first.adopted,
      onRestart: (listener) => supervisor.onRestart(listener),
      stop: () => {
        clearInterval(rotation);
        stopped ??= supervisor.end().then(() => this.#stop(cluster));
        return stopped;
      },
    };
  }

  async #restart(cluster: Cluster, signal: AbortSignal): Promise<Server> {
    const release = await acquireStartLock(this.#lockFile, this.#stateDir, signal);
    try {
      // Never creates a cluster: if the data vanished, an empty database in their place would hide it.
      if (!hasCluster(cluster.dataDir, cluster.binaries.major)) {
        throw failures.startFailed(`${cluster.dataDir} is gone`, cluster.logFile);
      }
      prepareSocketDir(cluster.socketDir, cluster.identity);
      return await ensureServer(cluster, signal);
    } finally {
      release();
    }
  }

  async #stop(cluster: Cluster): Promise<void> {
    const release = await acquireLock(this.#lockFile, limits.stopLockMs);
    try {
      this.#holder.release();
      // Without the lock somebody is just starting, and so uses the server.
      if (!release || this.#holder.hasCompany()) {
        this.#options.log("info", "left PostgreSQL running for another process");
        return;
      }
      const pid = readPidFile(cluster.dataDir)?.pid;
      if (pid && belongsToCluster(pid, cluster)) await stopServer(cluster, pid);
      removeSocketDir(cluster.socketDir);
      this.#options.log("info", "stopped PostgreSQL", { pid });
    } finally {
      release?.();
    }
  }
}
