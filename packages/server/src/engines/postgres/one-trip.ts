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
}

/** Rows as Postgres wrote them: text or null per column. */
export interface RawResult {
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
  readonly rows: readonly (string | null)[][];
  /** Rows changed or returned, from the command tag. */
  readonly rowCount: number;
  readonly command: string;
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

/** Prepared statements kept per connection; past that the connection starts over with none. */
const PREPARED_PER_CONNECTION = 256;

interface Prepared {
  settings: boolean;
  byText: Map<string, string>;
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
    const messages: Buffer[] = [];
    if (!prepared.settings) messages.push(serialize.parse({ name: SETTINGS_NAME, text: SETTINGS_TEXT }));
    const settings = [this.#as.role, this.#as.claims, this.#as.subject];
    messages.push(serialize.bind({ statement: SETTINGS_NAME, values: settings }), EXECUTE);
    const statement = this.#parse(messages, prepared);
    messages.push(
      serialize.bind({ statement, values: [...this.#statement.values] }),
      DESCRIBE,
      EXECUTE,
      SYNC,
    );
    // One buffer, one write: several small ones cost more than copying them together.
    connection.stream.write(Buffer.concat(messages));
  }

  #parse(messages: Buffer[], prepared: Prepared): string {
    const { text } = this.#statement;
    if (this.#statement.prepare === false) {
      messages.push(serialize.parse({ name: "", text }));
      return "";
    }
    const known = prepared.byText.get(text);
    if (known !== undefined) return known;
    if (prepared.byText.size >= PREPARED_PER_CONNECTION) {
      for (const old of prepared.byText.values()) messages.push(serialize.close({ type: "S", name: old }));
      prepared.byText.clear();
    }
    // A fresh number each time: after an error it is unknown whether the server kept the name.
    const name = `ambit_${prepared.next++}`;
    messages.push(serialize.parse({ name, text }));
    prepared.byText.set(text, name);
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
    if (this.#prepared) {
      if (this.#parsedNow !== undefined) this.#prepared.byText.delete(this.#parsedNow);
      // The settings statement was parsed unless it failed itself, which only a broken connection can cause.
      if (this.#completed > 0) this.#prepared.settings = true;
    }
    this.#reject(error);
  }

  handleReadyForQuery(): void {
    if (this.#prepared) this.#prepared.settings = true;
    const words = this.#tag.split(" ");
    this.#resolve({
      fields: this.#fields,
      rows: this.#rows,
      command: words[0] ?? "",
      rowCount: Number(words.at(-1)) || 0,
    });
  }

  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyInResponse(): void {}
  handleCopyData(): void {}
}

function preparedFor(connection: Connection): Prepared {
  let prepared = preparedOn.get(connection);
  if (prepared === undefined) {
    prepared = { settings: false, byText: new Map(), next: 0 };
    preparedOn.set(connection, prepared);
  }
  return prepared;
}
