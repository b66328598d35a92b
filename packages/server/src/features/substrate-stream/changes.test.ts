import { describe, expect, it } from "vitest";
import { type Relation, UNCHANGED } from "../../engines/postgres/replication/pgoutput.ts";
import type { StreamEvent, Transaction } from "../../engines/postgres/replication/transactions.ts";
import { ChangeReader } from "./changes.ts";
import { TABLES } from "./tables.ts";

const relation = (table: string, schema = "ambit"): Relation => ({
  ...{ oid: 1, schema, table, replicaIdentity: "d" },
  columns: (TABLES[table]?.columns ?? ["organization_id", "id"]).map((name) => ({
    ...{ name, typeOid: 25, typmod: -1, isKey: ["organization_id", "id"].includes(name) },
  })),
});
const part = (events: StreamEvent[], more: Partial<Transaction> = {}): Transaction => ({
  ...{ commitLsn: 16n, endLsn: 17n, commitTime: new Date(0), xid: 7, part: 0, firstEvent: 0, final: true },
  ...more,
  events,
});
const record = relation("memory_records");
const row = (id: string, kind: string, subtype: string | null = null, app: string | null = null) => {
  return ["org", id, kind, subtype, app];
};
const key = (id: string) => ["org", id, UNCHANGED, UNCHANGED, UNCHANGED] as (string | typeof UNCHANGED)[];
const note = (content: object): StreamEvent => ({
  ...{ kind: "message", prefix: "ambit.memory", transactional: true },
  content: Buffer.from(JSON.stringify({ organization_id: "org", ...content })),
});
const before = (id: string, kind: string, subtype: string | null, app: string | null): StreamEvent =>
  note({ id, before: { kind, subtype, source_app_id: app, ends: null } });
const facts = (kind: string | null, subtype: string | null = null, sourceAppId: string | null = null) => ({
  ...{ kind, subtype, sourceAppId },
});

describe("ChangeReader", () => {
  it("names records after their kind and gives each change its place", () => {
    const changes = new ChangeReader().read(
      part([
        { kind: "insert", relation: record, new: row("ent_1", "entity", "person", "app_a") },
        { kind: "insert", relation: relation("notes", "app_x"), new: ["org", "1"] },
        { kind: "update", relation: record, old: null, new: row("dec_1", "decision", "principle") },
        { kind: "insert", relation: relation("substrate_actions"), new: ["org", "act_1", "app_a"] },
        { kind: "insert", relation: relation("auth_sessions"), new: ["org", "1"] },
        { kind: "delete", relation: record, old: key("com_1") },
      ]),
    );
    expect(changes.map(({ op, tbl, id, place }) => [op, tbl, id, place])).toEqual([
      ["insert", "entities", "ent_1", "0000000000000010-00000000"],
      ["update", "decisions", "dec_1", "0000000000000010-00000002"],
      ["insert", "action_ledger", "act_1", "0000000000000010-00000003"],
      ["delete", "commitments", "com_1", "0000000000000010-00000005"],
    ]);
    expect(changes.map((each) => [each.before, each.after])).toEqual([
      [null, facts("entity", "person", "app_a")],
      [facts("decision", "principle"), facts("decision", "principle")],
      [null, facts(null, null, "app_a")],
      [facts("commitment"), null],
    ]);
  });

  it("takes the old image from the message in front of the change, also over parts, and only there", () => {
    const reader = new ChangeReader();
    reader.read(part([before("ent_1", "entity", "person", "app_a")], { final: false }));
    const changes = reader.read(
      part(
        [
          { kind: "update", relation: record, old: null, new: row("ent_1", "entity", "company", "app_a") },
          before("ent_2", "entity", "fund", null),
          { kind: "delete", relation: record, old: key("ent_2") },
          { kind: "update", relation: record, old: null, new: row("ent_1", "entity", "company", "app_a") },
          before("ent_3", "entity", "left over", null),
        ],
        { part: 1, firstEvent: 1 },
      ),
    );
    expect(changes.map((each) => each.before)).toEqual([
      facts("entity", "person", "app_a"),
      facts("entity", "fund"),
      facts("entity", "company", "app_a"),
    ]);
    expect(changes[0]!.place).toBe("0000000000000010-00000001");
    const [next] = reader.read(part([{ kind: "delete", relation: record, old: key("ent_3") }]));
    expect(next!.before).toEqual(facts("entity"));
  });

  it("takes what a link joins from the message too, of both images", () => {
    const [was, is] = [[{ kind: "entity", subtype: "person" }, null], [{ kind: "decision", subtype: "x" }]];
    const changes = new ChangeReader().read(
      part([
        note({ id: "lnk_1", ends: was }),
        { kind: "insert", relation: record, new: row("lnk_1", "link", "knows") },
        note({
          ...{ id: "lnk_1", ends: is },
          before: { kind: "link", subtype: "knows", source_app_id: null, ends: was },
        }),
        { kind: "update", relation: record, old: null, new: row("lnk_1", "link", "knows") },
        { kind: "insert", relation: record, new: row("lnk_2", "link", "knows") },
      ]),
    );
    expect(changes.map((each) => [each.before?.ends, each.after?.ends])).toEqual([
      [undefined, was],
      [was, is],
      [undefined, undefined],
    ]);
  });
});
