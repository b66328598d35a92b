import type { Connection, Submittable } from "pg";
import { serialize } from "pg-protocol";

/**
 * A statement run as somebody, in one round trip and one implicit transaction.
 *
 * Parse/Bind/Execute of `set_config(…, is_local)` for the role and the claims, then the statement itself, then ONE
 * Sync: the settings end with the transaction, after success and after every error, and the extended protocol
 * refuses stacked statements by itself.
 */

/** SQL with `$n` parameters in text form. */
export interface Statement {
  readonly text: string;
  readonly values: readonly (string | null)[];
  /** Keep the plan on the connection; for statements whose text repeats. Default true. */
  readonly prepare?: boolean;
  /** Bounds on an answer of unknown size. */
  readonly bounds?: {
    /** No more rows are fetched than these; whether there were more is told. */
    readonly rows: number;
    /** What may arrive before the connection is cut: bounds a single huge value too. */
    readonly wireBytes: number;
  };
}

/** The answer was larger than `wireBytes`; the connection is gone. */
export class AnswerTooLarge extends Error {
  override name = "AnswerTooLarge";
}

/** Rows as Postgres wrote them: text or null per column. */
export interface RawResult {
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
  readonly rows: readonly (string | null)[][];
  /** Rows changed or returned, from the command tag. */
  readonly rowCount: number;
  readonly command: string;
  /** There were more rows than the statement's bounds let in. */
  readonly truncated?: boolean;
}

/** Who the statement runs as: a database role of the app, and what its policies see. */
export interface RunAs {
  readonly role: string;
  /** JSON text of the claims, `""` for none. */
  readonly claims: string;
  readonly subject: string;
}

const SETTINGS_NAME = "ambit_as";
const SETTINGS_TEXT =
  "select set_config('role',$1,true),set_config('request.jwt.claims',$2,true),set_config('request.jwt.claim.sub',$3,true)";

/**
 * Prepared statements kept per connection, by number and by the length of their texts together; past either the
 * connection starts over with none. For each the server holds a tree and a plan many times as large as the text.
 */
const PREPARED_PER_CONNECTION = 256;
const PREPARED_CHARS = 256 * 1024;

interface Prepared {
  settings: boolean;
  byText: Map<string, string>;
  /** Length of the texts in `byText`. */
  chars: number;
  /** Names the server may still hold and nobody will use again; the next trip closes them. */
  stale: string[];
  next: number;
}
const preparedOn = new WeakMap<object, Prepared>();

type CommandTag = { text: string };
type FieldsMessage = { fields: { name: string; dataTypeID: number }[] };
type RowMessage = { fields: (string | null)[] };

const EXECUTE = serialize.execute({ portal: "", rows: 0 });
const DESCRIBE = serialize.describe({ type: "P", name: "" });
const SYNC = serialize.sync();

/** The `pg` Submittable behind `runAs`. One use each. */
export class OneTrip implements Submittable {
  readonly #as: RunAs;
  readonly #statement: Statement;
  readonly #resolve: (result: RawResult) => void;
  readonly #reject: (error: unknown) => void;
  #fields: FieldsMessage["fields"] = [];
  #rows: (string | null)[][] = [];
  #completed = 0;
  #tag = "";
  #prepared: Prepared | undefined;
  #parsedNow: string | undefined;
  #suspended = false;
  #tooLarge = false;
  #stopMeter: () => void = () => {};

  constructor(
    as: RunAs,
    statement: Statement,
    resolve: (result: RawResult) => void,
    reject: (error: unknown) => void,
  ) {
    this.#as = as;
    this.#statement = statement;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  submit(connection: Connection): void {
    const prepared = preparedFor(connection);
    this.#prepared = prepared;
    // The server doesn't mind being asked to close what it does not hold.
    const messages = prepared.stale.splice(0).map((name) => serialize.close({ type: "S", name }));
    if (!prepared.settings) messages.push(serialize.parse({ name: SETTINGS_NAME, text: SETTINGS_TEXT }));
    const settings = [this.#as.role, this.#as.claims, this.#as.subject];
    messages.push(serialize.bind({ statement: SETTINGS_NAME, values: settings }), EXECUTE);
    const statement = this.#parse(messages, prepared);
    const { bounds } = this.#statement;
    // One row more than is wanted tells whether there are more.
    const execute = bounds === undefined ? EXECUTE : serialize.execute({ portal: "", rows: bounds.rows + 1 });
    messages.push(
      serialize.bind({ statement, values: [...this.#statement.values] }),
      DESCRIBE,
      execute,
      SYNC,
    );
    if (bounds !== undefined) this.#meter(connection, bounds.wireBytes);
    // One buffer, one write: several small ones cost more than copying them together.
    connection.stream.write(Buffer.concat(messages));
  }

  #meter({ stream }: Connection, wireBytes: number): void {
    let received = 0;
    const count = (chunk: Buffer) => {
      received += chunk.length;
      if (received <= wireBytes) return;
      this.#tooLarge = true;
      stream.destroy();
    };
    stream.on("data", count);
    this.#stopMeter = () => stream.off("data", count);
  }

  #parse(messages: Buffer[], prepared: Prepared): string {
    const { text } = this.#statement;
    if (this.#statement.prepare === false) {
      messages.push(serialize.parse({ name: "", text }));
      return "";
    }
    const known = prepared.byText.get(text);
    if (known !== undefined) return known;
    if (prepared.byText.size >= PREPARED_PER_CONNECTION || prepared.chars + text.length > PREPARED_CHARS) {
      prepared.stale.push(...prepared.byText.values());
      prepared.byText.clear();
      prepared.chars = 0;
    }
    // A fresh number each time: after an error it is unknown whether the server kept the name.
    const name = `ambit_${prepared.next++}`;
    messages.push(serialize.parse({ name, text }));
    prepared.byText.set(text, name);
    prepared.chars += text.length;
    this.#parsedNow = text;
    return name;
  }

  handleRowDescription(message: FieldsMessage): void {
    this.#fields = message.fields;
  }

  handleDataRow(message: RowMessage): void {
    if (this.#completed === 1) this.#rows.push(message.fields);
  }

  handleCommandComplete(message: CommandTag): void {
    this.#completed += 1;
    this.#tag = message.text;
  }

  handleError(error: unknown): void {
    this.#stopMeter();
    if (this.#prepared) {
      if (this.#parsedNow !== undefined) forget(this.#prepared, this.#parsedNow);
      // The settings statement was parsed unless it failed itself, which only a broken connection can cause.
      if (this.#completed > 0) this.#prepared.settings = true;
    }
    this.#reject(this.#tooLarge ? new AnswerTooLarge("the answer was too large", { cause: error }) : error);
  }

  handleReadyForQuery(): void {
    this.#stopMeter();
    if (this.#prepared) this.#prepared.settings = true;
    if (this.#suspended) {
      const rows = this.#rows.slice(0, this.#statement.bounds!.rows);
      this.#resolve({ fields: this.#fields, rows, command: "", rowCount: rows.length, truncated: true });
      return;
    }
    const words = this.#tag.split(" ");
    this.#resolve({
      fields: this.#fields,
      rows: this.#rows,
      command: words[0] ?? "",
      rowCount: Number(words.at(-1)) || 0,
    });
  }

  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {
    this.#suspended = true;
  }
  handleCopyInResponse(): void {}
  handleCopyData(): void {}
}

function forget(prepared: Prepared, text: string): void {
  const name = prepared.byText.get(text);
  if (name === undefined) return;
  prepared.byText.delete(text);
  prepared.chars -= text.length;
  prepared.stale.push(name);
}

function preparedFor(connection: Connection): Prepared {
  let prepared = preparedOn.get(connection);
  if (prepared === undefined) {
    prepared = { settings: false, byText: new Map(), chars: 0, stale: [], next: 0 };
    preparedOn.set(connection, prepared);
  }
  return prepared;
}
