import pg from "pg";
import { limits } from "./limits.ts";

/** Where the server takes connections: the directory of its socket, and the port in the socket's name. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** SQLSTATE of a server that runs, but has every connection in use. */
const TOO_MANY_CONNECTIONS = "53300";

/** Whether a server takes connections and queries there. */
export async function answers(address: Address): Promise<boolean> {
  const client = new pg.Client({
    ...address,
    user: "postgres",
    database: "postgres",
    ssl: false,
    application_name: "ambit-launcher",
    connectionTimeoutMillis: limits.answerMs,
    query_timeout: limits.answerMs,
  });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("select 1");
    return true;
  } catch (error) {
    return (error as { code?: string }).code === TOO_MANY_CONNECTIONS;
  } finally {
    void client.end().catch(() => {});
  }
}
