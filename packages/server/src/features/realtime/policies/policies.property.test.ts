import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Identity } from "../judge.ts";
import { identityOf, PolicyWorld, readerOf } from "./testing/policy-world.ts";

/** Random policies, rows, identities and changes of members, against Postgres' own row-level security. */
let world: PolicyWorld;
beforeAll(async () => {
  world = await PolicyWorld.start();
  await world.define(
    "create table job (id int primary key, owner text, team int, open boolean)",
    "create table member (id int primary key, team int, user_id text, active boolean)",
    "alter table job enable row level security",
    "alter table member enable row level security",
  );
});
afterAll(() => world?.stop());

const ROLE = "(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role')";
const TEAM = "(nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> '{app,team}')::int";

const atom = fc.constantFrom(
  "open",
  "owner is null",
  "team = 1",
  "team in (1, 2, null)",
  "team > 1",
  "owner <> 'a'",
  "owner = current_user_id()",
  "owner <> current_user_id()",
  `team = ${TEAM}`,
  `${ROLE} = 'admin'`,
  `owner = ${ROLE}`,
  "current_user_id() is not null",
);
const inMember = fc.constantFrom(
  "m.user_id = current_user_id()",
  "m.active",
  "m.active is not true",
  "m.user_id = job.owner",
  `m.team = ${TEAM}`,
  "m.team = job.team",
  "m.team = 1",
  "job.open",
  `${ROLE} = 'admin'`,
);
const exists = fc
  .array(inMember, { minLength: 1, maxLength: 3 })
  .map((parts) => `exists (select 1 from member m where ${parts.join(" and ")})`);
const subquery = fc.oneof(
  exists,
  exists.map((text) => `not ${text}`),
  inMember.map((part) => `team in (select m.team from member m where ${part})`),
);
const expression: fc.Memo<string> = fc.memo((depth) =>
  depth <= 1
    ? atom
    : fc.oneof(
        { weight: 2, arbitrary: atom },
        fc.tuple(expression(), expression()).map(([a, b]) => `(${a} and ${b})`),
        fc.tuple(expression(), expression()).map(([a, b]) => `(${a} or ${b})`),
        expression().map((a) => `(not ${a})`),
        fc
          .tuple(expression(), fc.constantFrom("is true", "is not true", "is not false"))
          .map(([a, b]) => `(${a} ${b})`),
      ),
);
const policy = fc.oneof(
  expression(3),
  fc.tuple(subquery, expression(2), fc.constantFrom("and", "or")).map(([a, b, op]) => `(${a}) ${op} ${b}`),
);
const memberPolicy = fc.constantFrom(
  null,
  "true",
  "active",
  "user_id = current_user_id()",
  `${ROLE} = 'admin' or user_id = current_user_id()`,
  `team = ${TEAM} and active is not false`,
);

const text = fc.constantFrom(null, "a", "b", "admin", "A", "");
const number = fc.constantFrom(null, 1, 2, 3);
const boolean = fc.constantFrom(null, true, false);
const jobs = fc.array(fc.tuple(text, number, boolean), { minLength: 6, maxLength: 12 });
const member = fc.record({ team: number, user_id: text, active: boolean });
const identity = fc
  .record({
    sub: fc.constantFrom("a", "b", "", "A"),
    role: text,
    team: fc.constantFrom(1, "2", " 1", null, "x", [1]),
  })
  .map(({ sub, role, team }) => identityOf({ sub, role, app: { team } }));
const identities = fc
  .array(identity, { minLength: 2, maxLength: 4 })
  .map((some): Identity[] => [...some, { claims: "", subject: "" }]);

type Member = { team: number | null; user_id: string | null; active: boolean | null };
const logged = ({ team, user_id, active }: Member) =>
  readerOf({
    team: team === null ? null : String(team),
    user_id,
    active: active === null ? null : active ? "t" : "f",
  });
const sql = (value: unknown) =>
  value === null ? "null" : typeof value === "string" ? `'${value}'` : String(value);
const insertMember = (id: number, { team, user_id, active }: Member) =>
  `insert into member values (${id}, ${sql(team)}, ${sql(user_id)}, ${sql(active)})`;

describe("compiled policies", () => {
  it("show exactly what row-level security shows, and go with the members", async () => {
    let compiled = 0;
    await fc.assert(
      fc.asyncProperty(
        policy,
        fc.option(policy, { freq: 3 }),
        memberPolicy,
        jobs,
        fc.array(member, { maxLength: 6 }),
        fc.array(fc.tuple(fc.nat(7), fc.option(member, { freq: 3 })), { maxLength: 6 }),
        identities,
        async (using, restricting, onMember, rows, members, changes, people) => {
          await world.define(
            "drop policy if exists p on job",
            "drop policy if exists r on job",
            "drop policy if exists p on member",
            "truncate job, member",
            `create policy p on job to butterbase_user using (${using})`,
            ...(restricting === null ? [] : [`create policy r on job as restrictive using (${restricting})`]),
            `alter table member ${onMember === null ? "disable" : "enable"} row level security`,
            ...(onMember === null
              ? []
              : [`create policy p on member to butterbase_user using (${onMember})`]),
            ...rows.map((cells, at) => `insert into job values (${at}, ${cells.map(sql).join(", ")})`),
            ...members.map((each, at) => insertMember(at, each)),
          );
          const rule = await world.compile("job");
          if ("refused" in rule) return;
          compiled += 1;
          const sets = await world.sets(rule);
          const index = rule.index<{ identity: Identity }>((source) => sets.get(source.key)!);
          const watchers = people.map((person) => ({ identity: person }));
          const kept = watchers.filter((watcher) => index.add(watcher));
          const views = () =>
            kept.map((watcher) =>
              rows.flatMap(([owner, team, open], at) => {
                const row = readerOf({
                  owner,
                  team: team === null ? null : String(team),
                  open: open === null ? null : open ? "t" : "f",
                });
                const among = [...index.seeing(row)!];
                expect(new Set(among).size).toBe(among.length);
                expect(index.sees(watcher.identity, row)).toBe(among.includes(watcher));
                return among.includes(watcher) ? [at] : [];
              }),
            );
          const compare = async () => {
            for (const [at, view] of views().entries()) {
              const shown = await world.selectAs(
                kept[at]!.identity,
                `select id from ${world.appId}.job order by id`,
              );
              expect(view).toEqual(shown?.map(([id]) => Number(id)));
            }
          };
          await compare();
          const held = new Map<number, Member>(members.entries());
          for (const [id, next] of changes) {
            const [before, now] = [held.get(id) ?? null, next];
            const seenBefore = views();
            const moved = new Set(
              [...sets.values()].flatMap((set) => [
                ...index.holding(
                  set.source,
                  set.apply(before === null ? null : logged(before), now === null ? null : logged(now)),
                ),
              ]),
            );
            // Whoever is not told of a change sees what they saw.
            for (const [at, view] of views().entries()) {
              if (!moved.has(kept[at]!)) expect(view).toEqual(seenBefore[at]);
            }
            await world.define(
              `delete from member where id = ${id}`,
              ...(now === null ? [] : [insertMember(id, now)]),
            );
            if (now === null) held.delete(id);
            else held.set(id, now);
          }
          if (rule.sources.length > 0) await compare();
          const fresh = await world.sets(rule);
          for (const [key, set] of sets) expect(set.bytes).toBe(fresh.get(key)!.bytes);
        },
      ),
      { seed: 6021, numRuns: 60 },
    );
    // Most of what is made up here is of a kind that compiles.
    expect(compiled).toBeGreaterThan(35);
  }, 120_000);
});
