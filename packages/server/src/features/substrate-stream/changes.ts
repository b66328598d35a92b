import type { Relation, Row } from "../../engines/postgres/replication/pgoutput.ts";
import type { StreamEvent, Transaction } from "../../engines/postgres/replication/transactions.ts";
import { placeOf } from "../realtime/service.ts";
import { kindOfId, MEMORY_TBL, TABLES } from "./tables.ts";

/** Written in front of a record's change where the logged row does not tell enough; see the migration. */
export const MEMORY_PREFIX = "ambit.memory";

export type ChangeOp = "insert" | "update" | "delete";

/** What of a row decides who may hear of it. */
export interface RowFacts {
  readonly kind: string | null;
  readonly subtype: string | null;
  readonly sourceAppId: string | null;
  /** Of a link: the records it joins, null for one that was not there; absent when that is not known. */
  readonly ends?: readonly (Pick<RowFacts, "kind" | "subtype"> | null)[];
}

/** What a message says of the change that follows it. */
interface Note {
  readonly before: RowFacts | null;
  /** Of a link's new image. */
  readonly ends: RowFacts["ends"] | null;
}

/** One committed change of the substrate. */
export interface SubstrateChange {
  readonly organizationId: string;
  readonly op: ChangeOp;
  readonly tbl: string;
  readonly id: string;
  /** Null: there was no such row before. */
  readonly before: RowFacts | null;
  /** Null: there is no such row after. */
  readonly after: RowFacts | null;
  /** Its place in the log; texts sort in commit order. */
  readonly place: string;
}

type RowEvent = Extract<StreamEvent, { kind: ChangeOp }>;

/** Takes the substrate's changes out of the log. Keeps what a transaction's earlier parts said about its later ones. */
export class ChangeReader {
  readonly #notes = new Map<string, Note>();

  /** The changes in a transaction, or in a part of one, in the order they were made. */
  read(transaction: Transaction): SubstrateChange[] {
    const changes: SubstrateChange[] = [];
    for (const [at, event] of transaction.events.entries()) {
      if (event.kind === "message") this.#note(event.prefix, event.content);
      else if (event.kind !== "truncate" && event.relation.schema === "ambit") {
        const { commitLsn, commitTime, firstEvent } = transaction;
        const change = this.#change(event, () => placeOf(commitLsn, commitTime, firstEvent + at).seq);
        if (change !== null) changes.push(change);
      }
    }
    if (transaction.final) this.#notes.clear();
    return changes;
  }

  /** Forgets what a transaction said whose end will not come. */
  reset(): void {
    this.#notes.clear();
  }

  #note(prefix: string, content: Buffer): void {
    if (prefix !== MEMORY_PREFIX) return;
    const { organization_id, id, before = null, ends = null } = JSON.parse(content.toString());
    this.#notes.set(`${organization_id}/${id}`, { before: before === null ? null : factsOf(before), ends });
  }

  #change(event: RowEvent, place: () => string): SubstrateChange | null {
    const { relation, kind: op } = event;
    const table = TABLES[relation.table];
    if (table === undefined) return null;
    const row = op === "delete" ? event.old : event.new;
    const organizationId = valueIn(relation, row, "organization_id");
    const id = valueIn(relation, row, "id");
    if (organizationId === null || id === null) return null;
    const key = `${organizationId}/${id}`;
    const image: RowFacts = {
      kind: table.tbl === null ? (valueIn(relation, row, "kind") ?? kindOfId(id)) : null,
      subtype: valueIn(relation, row, "subtype"),
      sourceAppId: valueIn(relation, row, "source_app_id"),
    };
    const note = this.#notes.get(key);
    this.#notes.delete(key);
    const before = op === "insert" ? null : (note?.before ?? image);
    const after = op === "delete" ? null : note?.ends ? { ...image, ends: note.ends } : image;
    const tbl = table.tbl ?? MEMORY_TBL[(after ?? before)!.kind ?? ""];
    return tbl === undefined ? null : { organizationId, op, tbl, id, before, after, place: place() };
  }
}

/** The old image in a message. */
function factsOf(given: {
  kind: string;
  subtype: string | null;
  source_app_id: string | null;
  ends: RowFacts["ends"] | null;
}): RowFacts {
  const { kind, subtype, source_app_id: sourceAppId, ends } = given;
  return { kind, subtype, sourceAppId, ...(ends ? { ends } : {}) };
}

/** A column's text; null when it is null, not in the log, or not a column. */
function valueIn(relation: Relation, row: Row, column: string): string | null {
  const value = row[relation.columns.findIndex(({ name }) => name === column)];
  return typeof value === "string" ? value : null;
}
