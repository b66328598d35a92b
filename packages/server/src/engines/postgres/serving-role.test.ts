import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { ensureDatabase } from "./bootstrap.ts";
import type { Target } from "./database.ts";
import { closeAppendOnly, prepareServingRole, SERVING_ROLE } from "./serving-role.ts";

const LOGIN = `operator_${randomBytes(4).toString("hex")}`;
let admin: Target;
const as = async <T>(target: Target, work: (client: pg.Client) => Promise<T>): Promise<T> => {
  const client = new pg.Client({ ...target });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
};
const TABLES = `create schema if not exists ambit;
  create table ambit.grows (seq bigint generated always as identity primary key, v text);
  create table ambit.other (v text)`;
const FORBIDDEN = [
  "update ambit.grows set v = 'x'",
  "delete from ambit.grows",
  "truncate ambit.grows",
  "alter table ambit.grows add column w text",
  "drop table ambit.grows",
  "alter table ambit.grows set schema public",
  "drop schema ambit cascade",
  "create trigger t before insert on ambit.grows for each row execute function suppress_redundant_updates_trigger()",
  "create rule r as on insert to ambit.grows do instead nothing",
  "alter table ambit.grows disable trigger all",
  "alter table ambit.grows enable row level security",
  "set session_replication_role = replica",
  "insert into ambit.grows (seq, v) overriding system value values (1, 'x') on conflict (seq) do update set v = 'x'",
  "insert into ambit.grows (seq, v) overriding system value values (1000000, 'x')",
  "merge into ambit.grows g using (select 1) s on true when matched then delete",
  "alter sequence ambit.grows_seq_seq restart",
];

beforeAll(async () => {
  admin = await ensureDatabase(inject("postgres"), `serving_${randomBytes(6).toString("hex")}`);
});
afterAll(async () => {
  await as({ ...admin, database: "postgres" }, async (client) => {
    await client.query(`drop database if exists ${admin.database} with (force)`);
    await client.query(`drop role if exists ${LOGIN}`);
  });
});

/** Every way to change what is there, tried as `target`; each must be refused for want of permission. */
const expectClosed = (target: Target) =>
  as(target, async (client) => {
    await client.query("insert into ambit.grows (v) values ('kept')");
    for (const statement of FORBIDDEN) {
      const refused = await client.query(statement).then(
        () => `ran: ${statement}`,
        (error) => error.code,
      );
      expect([statement, refused]).toEqual([statement, "42501"]);
    }
    const { rows } = await client.query("select v from ambit.grows");
    expect(rows).toEqual([{ v: "kept" }]);
  });

describe("the serving role", () => {
  it("takes over what a superuser made, and can neither change nor drop what only grows", async () => {
    await as(admin, (client) => client.query(TABLES));
    const [target, again] = await Promise.all([prepareServingRole(admin), prepareServingRole(admin)]);
    expect(target).toEqual(again);
    expect(target.user).toBe(SERVING_ROLE);
    await as(target, async (client) => {
      const { rows } = await client.query("select rolsuper from pg_roles where rolname = current_user");
      expect(rows).toEqual([{ rolsuper: false }]);
      // What was made before is the serving role's own now.
      await client.query("alter table ambit.other add column w int");
    });
    await closeAppendOnly(admin, SERVING_ROLE, ["grows", "not_there_yet"]);
    await closeAppendOnly(admin, SERVING_ROLE, ["grows", "not_there_yet"]);
    await expectClosed(target);
    await as(target, async (client) => {
      const become = await client
        .query(
          "select 'set role ' || quote_ident(rolname) as sql from pg_roles where rolname like 'ambit_append_only_%'",
        )
        .then(({ rows }) => client.query(rows[0].sql))
        .catch((error) => error.code);
      expect(become).toBe("42501");
    });
  });

  it("a login of the operator's gives the tables away too", async () => {
    const name = `operator_${randomBytes(6).toString("hex")}`;
    await as({ ...admin, database: "postgres" }, async (client) => {
      await client.query(`create role ${LOGIN} login createrole`);
      await client.query(`create database ${name} owner ${LOGIN}`);
    });
    const target = { ...admin, user: LOGIN, database: name };
    try {
      await as(target, (client) => client.query(TABLES));
      await closeAppendOnly(target, LOGIN, ["grows"]);
      await expectClosed(target);
    } finally {
      await as({ ...admin, database: "postgres" }, async (client) => {
        const { rows } = await client.query("select oid from pg_database where datname = $1", [name]);
        await client.query(`drop database ${name} with (force)`);
        await client.query(`drop role ambit_append_only_${rows[0].oid}`);
      });
    }
  });
});
