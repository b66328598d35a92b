import type { RunAs } from "../../packages/server/src/engines/postgres/one-trip.ts";
import { tenantRole } from "../../packages/server/src/engines/postgres/tenant.ts";
import { newDataDir, startAmbit } from "../harness/ambit.ts";
import type { Bench, Target } from "../harness/bench.ts";
import { postgresAddress, postgresVersion, withSuperuser } from "../harness/postgres.ts";
import { alternate, describeRounds, ROUNDS } from "../load/alternate.ts";
import { startGenerator } from "../load/generator.ts";
import type { Window } from "../load/plan.ts";
import { createNotesApp, insertNotes, signUp, type User } from "./notes-app.ts";

const CONNECTIONS = 10;
const OWNERS = 100;
const ROWS_EACH = 10;
const LEAST_RATIO = 0.35;

/** What the data API adds to a read: HTTP, the token, access, compiling, all over the same statement sent straight. */
export const dataRead: Bench = {
  name: "data-read",
  summary:
    "10 rows under row-level security over the data API against the same SQL sent straight to Postgres",
  async run({ resources, profileDir, report, note }) {
    const dataDir = newDataDir(resources);
    const profiling = profileDir === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileDir}`];
    const ambit = await startAmbit(resources, dataDir, profiling);
    const app = await createNotesApp(ambit);
    const user = await signUp(ambit, app, "reader");
    const others = Array.from({ length: OWNERS - 1 }, (_, index) => `other-${index}`);
    await insertNotes(ambit, app, [user.id, ...others], ROWS_EACH);

    const { host, port } = ambit;
    const request = `GET /v1/${app.id}/notes HTTP/1.1\r\nHost: ${host}:${port}\r\nAuthorization: Bearer ${user.token}\r\n\r\n`;
    const http = await startGenerator(resources, {
      kind: "http",
      host,
      port,
      requests: [request],
      connections: CONNECTIONS,
    });
    const sql = await startGenerator(resources, {
      kind: "sql",
      target: { ...postgresAddress(dataDir), user: app.id },
      as: identityOf(app.id, user),
      text: await lastStatement(dataDir, app.id),
      connections: CONNECTIONS,
    });
    if (JSON.parse(http.sample).length !== ROWS_EACH || http.sample !== sql.sample) {
      throw new Error(`the two sides read different rows:\n${http.sample}\n${sql.sample}`);
    }
    const compared = await alternate(http, sql, ROUNDS, (round, ours, straight) =>
      note(
        `${round}/${ROUNDS.rounds}: ${ours.perSecond.toFixed(0)}/s over HTTP, ${straight.perSecond.toFixed(0)}/s straight`,
      ),
    );
    const conditions =
      `${CONNECTIONS} connections, one request under way on each; ${ROWS_EACH} rows read of ${OWNERS * ROWS_EACH}, ` +
      `owner's policy with an index, an end user's access token; baseline: the statement Ambit sends, same role and claims, ` +
      `prepared, one round trip over the Unix socket; ${describeRounds(ROUNDS)}; ` +
      "load generator, Ambit and Postgres share the machine on both sides";
    const version = await postgresVersion(dataDir);
    const measure = (quantity: keyof Window, what: string, unit: string, target?: Target) => {
      const [value, baseline, ratio] = [compared.a(quantity), compared.b(quantity), compared.ratio(quantity)];
      report({ measure: `data-read.${what}`, value, baseline, ratio, unit, target, conditions }, version);
    };
    measure("perSecond", "per_second", "reads/s", { of: "ratio", bound: "≥", number: LEAST_RATIO });
    measure("p50Ms", "p50", "ms");
    measure("p99Ms", "p99", "ms");
  },
};

/** Who Ambit runs the user's statements as: their role, and the claims of their token. */
function identityOf(appId: string, { id, token }: User): RunAs {
  const claims = Buffer.from(token.split(".")[1]!, "base64url").toString();
  return { role: tenantRole(appId, "user"), claims, subject: id };
}

/** The statement Ambit last sent on the app's login, as Postgres shows it: what is compared is the very same. */
function lastStatement(dataDir: string, appId: string): Promise<string> {
  return withSuperuser(dataDir, async (client) => {
    const { rows } = await client.query<{ query: string; most: string }>(
      `select query, current_setting('track_activity_query_size') as most from pg_stat_activity
       where usename = $1 and query like '%notes%' order by query_start desc limit 1`,
      [appId],
    );
    const [found] = rows;
    if (found === undefined) throw new Error("Ambit sent no statement");
    const mostBytes = Number.parseInt(found.most, 10) * (found.most.endsWith("kB") ? 1_024 : 1);
    if (Buffer.byteLength(found.query) >= mostBytes - 1) throw new Error("Postgres cut the statement short");
    return found.query;
  });
}
