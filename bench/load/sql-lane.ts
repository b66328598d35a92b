import pg from "pg";
import { OneTrip, type RawResult, type RunAs } from "../../packages/server/src/engines/postgres/one-trip.ts";
import type { Lane } from "./lane.ts";
import type { Plan } from "./plan.ts";

/** A connection to Postgres that runs one prepared statement as somebody, in one round trip each time. */
export class SqlLane implements Lane {
  readonly #client: pg.Client;
  readonly #as: RunAs;
  readonly #text: string;

  private constructor(client: pg.Client, as: RunAs, text: string) {
    this.#client = client;
    this.#as = as;
    this.#text = text;
  }

  static async connect({ target, as, text }: Extract<Plan, { kind: "sql" }>): Promise<SqlLane> {
    const client = new pg.Client(target);
    await client.connect();
    return new SqlLane(client, as, text);
  }

  /** Resolves to the first column of the first row. */
  async call(): Promise<string> {
    const { rows } = await new Promise<RawResult>((resolve, reject) => {
      this.#client.query(new OneTrip(this.#as, { text: this.#text, values: [] }, resolve, reject));
    });
    return rows[0]?.[0] ?? "";
  }
}
