import type { Random } from "./random.ts";

/** The oracle's own notion of who may see what: written a second time, in another language, on purpose. */

export interface Item {
  id: number;
  owner: string | null;
  tenant: string | null;
  team: number | null;
  is_public: boolean | null;
  hidden: boolean | null;
  secret: string | null;
  note: string;
}

export interface Looker {
  readonly name: string;
  readonly role: "anon" | "user" | "service";
  readonly claims: { sub: string; tenant: string } | null;
}

/** What decides at one moment. */
export interface World {
  readonly policies: ReadonlySet<PolicyName>;
  readonly masked: ReadonlySet<"anon" | "user">;
  /** `team/user`. */
  readonly members: ReadonlySet<string>;
}

export type PolicyName = "owner" | "tenant" | "team" | "flag" | "visible" | "anyone";

const TO_USER = new Set<PolicyName>(["owner", "tenant", "team"]);

/** Each policy as SQL and as a predicate; a comparison with null is not true. */
export const POLICIES: Record<
  PolicyName,
  { sql: string; test(item: Item, looker: Looker, world: World): boolean }
> = {
  owner: {
    sql: "to butterbase_user using (owner = current_user_id())",
    test: (item, { claims }) => item.owner === claims?.sub,
  },
  tenant: {
    sql: "to butterbase_user using (tenant = (current_setting('request.jwt.claims', true)::jsonb ->> 'tenant'))",
    test: (item, { claims }) => item.tenant === claims?.tenant,
  },
  team: {
    sql: "to butterbase_user using (exists (select 1 from members m where m.team = items.team and m.user_id = current_user_id()))",
    test: (item, { claims }, { members }) => members.has(`${item.team}/${claims?.sub}`),
  },
  flag: { sql: "using (is_public)", test: (item) => item.is_public === true },
  visible: {
    sql: "as restrictive to butterbase_anon, butterbase_user using (not hidden)",
    test: (item) => item.hidden === false,
  },
  anyone: {
    sql: "for select to butterbase_anon, butterbase_user using (team = 1)",
    test: (item) => item.team === 1,
  },
};

export const createPolicy = (name: PolicyName): string =>
  `create policy ${name} on items ${POLICIES[name].sql}`;

export function canSee(item: Item, looker: Looker, world: World): boolean {
  if (looker.role === "service") return true;
  const applying = [...world.policies].filter((name) => looker.role === "user" || !TO_USER.has(name));
  const permissive = applying.filter((name) => name !== "visible");
  if (applying.includes("visible") && !POLICIES.visible.test(item, looker, world)) return false;
  return permissive.some((name) => POLICIES[name].test(item, looker, world));
}

const OPEN_COLUMNS = ["id", "owner", "tenant", "team", "is_public", "hidden", "note"] as const;

export const columnsFor = (looker: Looker, world: World): readonly string[] =>
  looker.role !== "service" && world.masked.has(looker.role) ? OPEN_COLUMNS : [...OPEN_COLUMNS, "secret"];

export function shownTo(item: Item, looker: Looker, world: World): Record<string, unknown> {
  return Object.fromEntries(columnsFor(looker, world).map((column) => [column, item[column as keyof Item]]));
}

const sql = (value: unknown): string =>
  value === null ? "null" : typeof value === "string" ? `'${value}'` : String(value);

const USERS = ["u1", "u2", "u3"];

/** A random value for a column of an item. */
const VALUES: Record<string, (random: Random) => unknown> = {
  owner: (random) => random.pick([...USERS, null]),
  tenant: (random) => random.pick(["t1", "t2", null]),
  team: (random) => random.pick([1, 2, 3, null]),
  is_public: (random) => random.pick([true, false, false, null]),
  hidden: (random) => random.pick([true, false, false, false, null]),
  secret: (random) => `s${random.below(1000)}`,
};

let noteCounter = 0;
const note = () => `w${noteCounter++}`;

/** A statement that writes items. */
export function randomWrite(random: Random): string[] {
  const id = random.below(12);
  const columns = Object.keys(VALUES);
  switch (random.below(7)) {
    case 0:
    case 1: {
      const values = columns.map((column) => sql(VALUES[column]!(random)));
      return [
        `insert into items (id, ${columns.join(", ")}, note) values (${id}, ${values.join(", ")}, '${note()}')
         on conflict (id) do update set ${columns.map((column) => `${column} = excluded.${column}`).join(", ")}, note = excluded.note`,
      ];
    }
    case 2:
      return [`delete from items where id = ${id}`];
    case 3: {
      const ghost = 100 + random.below(5);
      return [
        `insert into items (id, owner, team, is_public, hidden, note) values (${ghost}, '${random.pick(USERS)}', ${random.below(4)}, ${random.chance(0.3)}, false, '${note()}')`,
        ...(random.chance(0.5)
          ? [`update items set owner = '${random.pick(USERS)}', note = '${note()}' where id = ${ghost}`]
          : []),
        `delete from items where id = ${ghost}`,
      ];
    }
    case 4: {
      const column = random.pick(columns);
      return [
        `update items set ${column} = ${sql(VALUES[column]!(random))} where id % 3 = ${random.below(3)}`,
      ];
    }
    default: {
      const column = random.pick(columns);
      return [
        `update items set ${column} = ${sql(VALUES[column]!(random))}, note = '${note()}' where id = ${id}`,
      ];
    }
  }
}
