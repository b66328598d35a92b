import type { Platform } from "../../engines/platform.ts";
import type { Queryable } from "../../engines/postgres/database.ts";
import { quoteIdent } from "../../engines/postgres/quote.ts";
import { POLICY_ROLES } from "../../engines/postgres/tenant.ts";
import { errors } from "../../kernel/errors.ts";
import type { SchemaService } from "../schema/service.ts";
import { rlsErrors } from "./errors.ts";
import { acceptExpression } from "./expression.ts";
import { installFillTrigger, removeFillTrigger } from "./fill-trigger.ts";
import { type Isolation, isolate, ownerColumn } from "./isolation.ts";
import { limits } from "./limits.ts";
import { serviceBypassName } from "./names.ts";
import {
  type Command,
  createPolicySql,
  dropPolicySql,
  EVERYONE,
  isServiceBypass,
  type Policy,
  type PolicyRole,
  policyWarnings,
  refuseUnusable,
  rolesOf,
} from "./policy.ts";
import { pastOthers } from "./retry.ts";
import { type PolicyRow, type SecuredTable, selectPolicies, selectTable } from "./store.ts";
import { asRefusal, tryPolicy } from "./trial.ts";

/** A policy as a caller gives it. */
export interface PolicyOrder {
  readonly table: string;
  readonly name: string;
  readonly command: Command;
  /** Undefined: anonymous callers and end users both. */
  readonly role: PolicyRole | undefined;
  readonly restrictive: boolean;
  readonly using: string | null;
  readonly check: string | null;
  /** Also fill this column from the caller on insert. */
  readonly userColumn: string | undefined;
}

/** What an update of a policy changes; what is undefined stays. Null takes an expression away. */
export interface PolicyPatch {
  readonly command?: Command | undefined;
  readonly role?: PolicyRole | undefined;
  readonly restrictive?: boolean | undefined;
  readonly using?: string | null | undefined;
  readonly check?: string | null | undefined;
}

export interface RlsService {
  /** Switches row-level security on; returns what is odd about the table's policies. */
  enable(appId: string, table: string): Promise<string[]>;
  /** Creates the policy or replaces the one of that name. */
  createPolicy(appId: string, order: PolicyOrder): Promise<string[]>;
  updatePolicy(appId: string, table: string, name: string, patch: PolicyPatch): Promise<string[]>;
  /** Each end user reaches their own rows only. Returns the names of the policies for public rows, if asked for. */
  createUserIsolation(
    appId: string,
    isolation: Isolation,
  ): Promise<{ policy: string; publicReads: string[] }>;
  list(appId: string): Promise<{ policies: PolicyRow[]; tables: { name: string; rls: boolean }[] }>;
  /** Removes every policy of a table and switches row-level security off; returns how many there were. */
  disable(appId: string, table: string): Promise<number>;
  /** Removes one policy; returns how many are left. */
  deletePolicy(
    appId: string,
    table: string,
    name: string,
  ): Promise<{ remaining: number; warnings: string[] }>;
}

export function createRlsService({ database }: Platform, schema: SchemaService): RlsService {
  const onTable = <T>(
    appId: string,
    name: string,
    work: (tx: Queryable, table: SecuredTable) => Promise<T>,
  ) =>
    pastOthers(() =>
      schema.change(appId, "policy", async (tx) => work(tx, await requireTable(tx, appId, name))),
    );
  const after = async (tx: Queryable, appId: string, table: string) =>
    policyWarnings(table, (await requireTable(tx, appId, table)).policies);
  return {
    enable: (appId, name) =>
      onTable(appId, name, async (tx, table) => {
        await secure(tx, table);
        return policyWarnings(name, table.policies);
      }),
    createPolicy: (appId, order) =>
      onTable(appId, order.table, async (tx, table) => {
        const policy = await acceptOrder(appId, await schema.enums(appId), order);
        await put(tx, appId, table, policy);
        if (order.userColumn !== undefined) {
          await installFillTrigger(tx, table.name, ownerColumn(table, order.userColumn));
        }
        const switchedOn = table.rlsEnabled
          ? []
          : [`Row-level security was off for ${table.name}; it is on now.`];
        return [...switchedOn, ...(await after(tx, appId, table.name))];
      }),
    updatePolicy: (appId, name, policyName, patch) =>
      onTable(appId, name, async (tx, table) => {
        await put(
          tx,
          appId,
          table,
          await acceptPatch(appId, await schema.enums(appId), table, policyName, patch),
        );
        return after(tx, appId, name);
      }),
    createUserIsolation: (appId, isolation) =>
      onTable(appId, isolation.table, async (tx, table) => {
        await secure(tx, table);
        return isolate(tx, table, isolation);
      }),
    list: (appId) => selectPolicies(database, appId),
    disable: (appId, name) =>
      onTable(appId, name, async (tx, table) => {
        if (!table.rlsEnabled && table.policies.length === 0) {
          throw errors.RESOURCE_NOT_FOUND({
            message: `${name} has neither policies nor row-level security.`,
          });
        }
        for (const policy of table.policies) await tx.query(dropPolicySql(name, policy.name));
        await removeFillTrigger(tx, name);
        await tx.query(`alter table ${quoteIdent(name)} disable row level security`);
        return table.policies.length;
      }),
    deletePolicy: (appId, name, policyName) =>
      onTable(appId, name, async (tx, table) => {
        refuseProtected(table, policyName);
        requirePolicy(table, policyName);
        await tx.query(dropPolicySql(name, policyName));
        const warnings = await after(tx, appId, name);
        return { remaining: table.policies.length - 1, warnings };
      }),
  };
}

async function requireTable(tx: Queryable, appId: string, name: string): Promise<SecuredTable> {
  if (name.startsWith("_")) throw rlsErrors.VALIDATION_RESERVED_TABLE();
  const table = await selectTable(tx, appId, name);
  if (table === null)
    throw rlsErrors.VALIDATION_TABLE_NOT_FOUND({ message: `There is no table ${name.slice(0, 80)}.` });
  return table;
}

function requirePolicy(table: SecuredTable, name: string) {
  const policy = table.policies.find((candidate) => candidate.name === name);
  if (policy !== undefined) return policy;
  const names = table.policies.map((candidate) => candidate.name).join(", ") || "none";
  throw errors.RESOURCE_NOT_FOUND({
    message: `${table.name} has no policy ${name.slice(0, 80)}. Its policies: ${names}.`,
  });
}

/** Service keeps its access to a table for as long as the table has row-level security. */
function refuseProtected(table: SecuredTable, name: string): void {
  const existing = table.policies.find((policy) => policy.name === name);
  const protects =
    existing === undefined ? name === serviceBypassName(table.name) : isServiceBypass(existing);
  if (protects) throw rlsErrors.RLS_POLICY_PROTECTED();
}

/** Switches row-level security on and lets service through. Changes nothing that is so already. */
async function secure(tx: Queryable, table: SecuredTable): Promise<void> {
  const name = quoteIdent(table.name);
  if (!table.rlsEnabled) await tx.query(`alter table ${name} enable row level security`);
  if (table.policies.some(isServiceBypass)) return;
  await tx.query(
    `create policy ${quoteIdent(serviceBypassName(table.name))} on ${name} for all to ${POLICY_ROLES.service} using (true) with check (true)`,
  );
}

/** Puts a policy in the place of any other of that name, and tries it. */
async function put(tx: Queryable, appId: string, table: SecuredTable, policy: Policy): Promise<void> {
  refuseProtected(table, policy.name);
  refuseUnusable(policy);
  const replaced = table.policies.some(({ name }) => name === policy.name);
  if (!replaced && table.policies.length >= limits.policiesPerTable) throw rlsErrors.QUOTA_POLICY_LIMIT();
  await secure(tx, table);
  await tx.query(dropPolicySql(table.name, policy.name));
  await asRefusal(() => tx.query(createPolicySql(policy)));
  await tryPolicy(tx, appId, table, policy);
}

const accept = async (
  appId: string,
  enums: ReadonlySet<string>,
  field: string,
  text: string | null,
): Promise<string | null> => (text === null ? null : acceptExpression(appId, enums, field, text));

async function acceptOrder(appId: string, enums: ReadonlySet<string>, order: PolicyOrder): Promise<Policy> {
  return {
    table: order.table,
    name: order.name,
    command: order.command,
    roles: order.role === undefined ? EVERYONE : [order.role],
    restrictive: order.restrictive,
    using: await accept(appId, enums, "using_expression", order.using),
    check: await accept(appId, enums, "with_check_expression", order.check),
  };
}

async function acceptPatch(
  appId: string,
  enums: ReadonlySet<string>,
  table: SecuredTable,
  name: string,
  patch: PolicyPatch,
): Promise<Policy> {
  const stored = requirePolicy(table, name);
  const { using, check } = patch;
  return {
    table: table.name,
    name,
    command: patch.command ?? stored.command,
    roles: patch.role === undefined ? rolesOf(stored) : [patch.role],
    restrictive: patch.restrictive ?? stored.restrictive,
    using: using === undefined ? stored.using : await accept(appId, enums, "using_expression", using),
    check: check === undefined ? stored.check : await accept(appId, enums, "with_check_expression", check),
  };
}
