import { rm } from "node:fs/promises";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { must } from "../support/app.ts";
import { discard, newDataDir, type Server, startServer } from "../support/server.ts";
import { connectAs, firstOrganization, proposed } from "./stand.ts";
import { allowedTo } from "./statements.ts";

const KEEPER =
  "select 'ambit_append_only_' || oid as name from pg_database where datname = current_database()";
const keeperOf = async (client: pg.Client): Promise<string> => (await client.query(KEEPER)).rows[0].name;

/** What is in the four tables, as one hash each. */
async function contentsOf(client: pg.Client): Promise<unknown> {
  const { rows } = await client.query(`select
    (select md5(string_agg(t::text, '|' order by seq)) from ambit.ledger_entries t) as entries,
    (select md5(string_agg(t::text, '|' order by index)) from ambit.ledger_leaves t) as leaves,
    (select md5(string_agg(t::text, '|' order by size)) from ambit.ledger_checkpoints t) as checkpoints,
    (select count(*)::int from ambit.ledger_entries) as n`);
  return rows[0];
}

/** What a server's own login may do with a ledger that it must not. Whatever was tried, the ledger is what it was. */
async function tryAll(server: Server, client: pg.Client): Promise<string[]> {
  const { owner } = await firstOrganization(server);
  await proposed(owner, "record_learning", { title: "kept", description: "x" });
  const { size } = must(await owner("POST", "/v1/ledger/checkpoints", {}));
  const before = await contentsOf(client);
  expect(before).toMatchObject({ n: size });
  const allowed = await allowedTo(client, await keeperOf(client));
  expect(await contentsOf(client)).toEqual(before);
  return allowed;
}

describe("the built-in server", () => {
  let server: Server;
  let client: pg.Client;
  beforeAll(async () => {
    server = await startServer();
    client = await connectAs(server.dataDir, "ambit_server");
  }, 60_000);
  afterAll(async () => {
    await client?.end();
    await discard(server);
  });

  it("is logged into, to serve requests, by a role that can't rewrite the ledger by any statement we know", async () => {
    const { rows } = await client.query(
      "select distinct usename from pg_stat_activity where datname = 'ambit' and usename is not null order by 1",
    );
    expect(rows).toEqual([{ usename: "ambit_server" }]);
    expect(await tryAll(server, client)).toEqual([]);
  });

  it("can't drop or rename the database from another one", async () => {
    const elsewhere = await connectAs(server.dataDir, "ambit_server", "postgres");
    try {
      for (const statement of ["drop database ambit with (force)", "alter database ambit rename to gone"]) {
        const refused = await elsewhere.query(statement).catch(({ code }) => code);
        expect([statement, refused]).toEqual([statement, "42501"]);
      }
    } finally {
      await elsewhere.end();
    }
  });
});

describe("a server of the operator's", () => {
  const operator = { ...inject("postgres"), database: "postgres" };
  const [login, database] = ["ledger_operator", "ledger_operator_db"];
  let admin: pg.Client;
  beforeAll(async () => {
    admin = new pg.Client(operator);
    await admin.connect();
    await admin.query(`create role ${login} login createrole replication`);
    for (const name of ["butterbase_anon", "butterbase_user", "butterbase_service"]) {
      // Another Ambit on this server may have made it.
      await admin.query(`create role ${name} nologin`).catch(() => {});
      await admin.query(`grant ${name} to ${login} with admin option`);
    }
  });
  afterAll(async () => {
    const { rows } = await admin.query(
      "select rolname from pg_roles where rolname like 'ambit\\_append%' and pg_has_role($1, oid, 'member with admin option')",
      [login],
    );
    await admin.query(`drop database if exists ${database} with (force)`);
    for (const { rolname } of rows) await admin.query(`drop role ${rolname}`).catch(() => {});
    await admin.query(`drop owned by ${login}; drop role ${login}`);
    await admin.end();
  });

  const url = (user: string) =>
    `postgres://${user}@localhost:${operator.port}/${database}?host=${encodeURIComponent(operator.host)}`;
  const allowedOn = async (env: Record<string, string>) => {
    await admin.query(`drop database if exists ${database} with (force)`);
    await admin.query(`create database ${database}`);
    await admin.query(`grant create on database ${database} to ${login} with grant option`);
    const dataDir = newDataDir();
    const server = await startServer({ DATABASE_URL: url(login), ...env }, dataDir);
    const client = new pg.Client({ ...operator, user: login, database });
    await client.connect();
    try {
      return await tryAll(server, client);
    } finally {
      await client.end();
      await server.stop();
      await rm(dataDir, { recursive: true });
    }
  };

  it("is closed to its one login, unless that gives itself the role it gave the tables to", {
    timeout: 60_000,
  }, async () => {
    const allowed = await allowedOn({});
    const { keeper } = /(?<keeper>ambit_append_only_\d+)/.exec(allowed[0]!)!.groups!;
    expect(allowed).toEqual([
      `alter role ${keeper} login`,
      `alter role ${keeper} rename to mine`,
      expect.stringMatching(`^drop role ${keeper}: 2BP01 .* cannot be dropped`),
      `grant ${keeper} to current_user; set role ${keeper}; delete from ambit.ledger_entries`,
    ]);
  });

  it("is closed to it altogether once the tables are made by another", { timeout: 60_000 }, async () => {
    expect(await allowedOn({ AMBIT_ADMIN_DATABASE_URL: url(operator.user) })).toEqual([]);
  });
});
