import pg from "pg";
import { OneTrip, type RawResult } from "../../../packages/server/src/engines/postgres/one-trip.ts";
import { tenantRole } from "../../../packages/server/src/engines/postgres/tenant.ts";
import { postgresAddress } from "../../harness/postgres.ts";
import type { Stand } from "./stand.ts";

const CONNECTIONS = 8;

/**
 * The usual design: for each change and each subscriber one SELECT of the row, as that subscriber, under the table's
 * policies. Gives how many such questions are answered per second, with nothing else on the machine; nothing is sent.
 */
export async function questionsPerSecond(stand: Stand, forMs: number): Promise<number> {
  const target = { ...postgresAddress(stand.ambit.dataDir), user: "postgres" };
  const clients = Array.from({ length: CONNECTIONS }, () => new pg.Client(target));
  await Promise.all(clients.map((client) => client.connect()));
  try {
    const { rows } = await clients[0]!.query(`select coalesce(max(id), 0) as id from ${stand.appId}.owned`);
    const text = `select id from ${stand.appId}.owned where id = ${rows[0].id}`;
    const role = tenantRole(stand.appId, "user");
    let asked = 0;
    const startedAt = performance.now();
    await Promise.all(
      clients.map(async (client) => {
        while (performance.now() - startedAt < forMs) {
          const { id } = stand.users[asked++ % stand.users.length]!;
          const claims = JSON.stringify({ sub: id, app_id: stand.appId, role: "user" });
          await new Promise<RawResult>((resolve, reject) => {
            const as = { role, claims, subject: id };
            client.query(new OneTrip(as, { text, values: [] }, resolve, reject));
          });
        }
      }),
    );
    return (asked * 1_000) / (performance.now() - startedAt);
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}
