import type { Connection, Submittable } from "pg";

/** A column of an answer, as the wire protocol describes it. */
export interface WireField {
  readonly name: string;
  readonly dataTypeID: number;
  readonly dataTypeModifier: number;
}

/** An answer cut at the bounds it was asked with. */
export interface BoundedResult {
  readonly fields: readonly WireField[];
  readonly rows: readonly (string | null)[][];
  /** There were more rows than are here. */
  readonly truncated: boolean;
  /** Rows changed, from the command tag; null for statements that answer rows, whose tag counts only the last batch. */
  readonly affected: number | null;
}

export interface Bounds {
  readonly rows: number;
  readonly bytes: number;
  /** Rows fetched at a time: what may be in memory beyond the bounds. */
  readonly batchRows: number;
}

type Wire = Connection & {
  parse(message: { name: string; text: string }): void;
  bind(message: { statement: string; values: readonly (string | null)[] }): void;
  describe(message: { type: "P"; name: string }): void;
  execute(message: { portal: string; rows: number }): void;
  flush(): void;
  sync(): void;
};

/**
 * One statement of unknown size over the extended protocol, which refuses stacked statements. Rows come in batches
 * (Execute with a row limit) and no further batch is fetched once a bound is reached.
 */
export class BoundedQuery implements Submittable {
  readonly #text: string;
  readonly #values: readonly (string | null)[];
  readonly #bounds: Bounds;
  readonly #resolve: (result: BoundedResult) => void;
  readonly #reject: (error: unknown) => void;
  #fields: readonly WireField[] = [];
  #rows: (string | null)[][] = [];
  #bytes = 0;
  #truncated = false;
  #tag: string | null = null;

  constructor(
    statement: { text: string; values: readonly (string | null)[] },
    bounds: Bounds,
    resolve: (result: BoundedResult) => void,
    reject: (error: unknown) => void,
  ) {
    this.#text = statement.text;
    this.#values = statement.values;
    this.#bounds = bounds;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  submit(connection: Connection): void {
    const wire = connection as Wire;
    wire.parse({ name: "", text: this.#text });
    wire.bind({ statement: "", values: this.#values });
    wire.describe({ type: "P", name: "" });
    this.#fetch(wire);
  }

  #fetch(wire: Wire): void {
    const wanted = this.#bounds.rows + 1 - this.#rows.length;
    wire.execute({ portal: "", rows: Math.min(wanted, this.#bounds.batchRows) });
    wire.flush();
  }

  handleRowDescription(message: { fields: WireField[] }): void {
    this.#fields = message.fields;
  }

  handleDataRow(message: { fields: (string | null)[] }): void {
    if (this.#truncated) return;
    for (const field of message.fields) this.#bytes += field === null ? 0 : Buffer.byteLength(field);
    if (this.#rows.length >= this.#bounds.rows || this.#bytes > this.#bounds.bytes) this.#truncated = true;
    else this.#rows.push(message.fields);
  }

  handlePortalSuspended(connection: Connection): void {
    const wire = connection as Wire;
    if (this.#truncated) wire.sync();
    else this.#fetch(wire);
  }

  handleCommandComplete(message: { text: string }, connection: Connection): void {
    this.#tag = message.text;
    (connection as Wire).sync();
  }

  handleEmptyQuery(connection: Connection): void {
    (connection as Wire).sync();
  }

  handleError(error: unknown, connection: Connection): void {
    (connection as Wire).sync();
    this.#reject(error);
  }

  handleReadyForQuery(): void {
    this.#resolve({
      fields: this.#fields,
      rows: this.#rows,
      truncated: this.#truncated,
      affected: this.#fields.length > 0 ? null : Number(this.#tag?.split(" ").at(-1)) || 0,
    });
  }

  handleCopyInResponse(): void {}
  handleCopyData(): void {}
}
