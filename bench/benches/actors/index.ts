import { newDataDir, startAmbit } from "../../harness/ambit.ts";
import { apiOf } from "../../harness/api.ts";
import type { Bench } from "../../harness/bench.ts";
import { postgresVersion } from "../../harness/postgres.ts";
import { measureDeploys } from "./deploys.ts";
import { measureSleepers } from "./sleepers.ts";
import { compareSockets } from "./sockets.ts";
import { compareThroughput } from "./throughput.ts";

/** What Ambit costs actors and functions: the same code on a bare workerd, in the same run. */
export const actors: Bench = {
  name: "actors",
  summary:
    "actors, functions and their WebSockets through Ambit against a bare workerd; deploys; sleeping apps",
  async run(context) {
    const { resources, profileDir } = context;
    const dataDir = newDataDir(resources);
    const profiling = profileDir === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileDir}`];
    const ambit = await startAmbit(resources, dataDir, profiling);
    const version = await postgresVersion(dataDir);
    const api = apiOf(ambit, ambit.apiKey);
    const { app_id: id } = await api("POST", "/init", { name: "bench" });
    const app = { id, api };
    await compareThroughput(context, ambit, app, version);
    await compareSockets(context, ambit, app, version);
    await measureDeploys(context, ambit, app, version);
    await measureSleepers(context, ambit, api, version);
  },
};
