import type { Platform } from "../../engines/platform.ts";
import { describePgError } from "../../engines/postgres/pg-errors.ts";
import { errors } from "../../kernel/errors.ts";
import { newUuid } from "../../kernel/ids.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import { BUILTIN } from "./builtin.ts";
import { serverErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import type { Naming } from "./naming.ts";
import { noServer, type Registry } from "./registry.ts";
import { sealValues } from "./sealing.ts";
import { checkSettings, type GivenSettings, needsPerson } from "./settings.ts";
import type { AllowedCommands } from "./stdio-allow.ts";
import * as store from "./store.ts";
import type { Transport } from "./types.ts";

const RESERVED: ReadonlySet<string> = new Set(Object.values(BUILTIN));

/** What people and agents do with servers; each throws RESOURCE_NOT_FOUND for a server that is not the organisation's. */
export interface ServerManagement {
  list(organizationId: string): Promise<store.ListedServer[]>;
  get(organizationId: string, reference: string): Promise<store.ListedServer>;
  /**
   * Throws GATEWAY_SERVER_FIELDS, AUTH_PERSON_REQUIRED, GATEWAY_COMMAND_NOT_ALLOWED, EXTERNAL_ADDRESS_REFUSED,
   * EXTERNAL_NETWORK_ERROR, RESOURCE_ALREADY_EXISTS, QUOTA_GATEWAY_SERVERS.
   */
  add(
    by: KeyPrincipal,
    transport: Transport,
    given: GivenSettings & { name: string },
  ): Promise<store.ServerRow>;
  /** Holds from the next request on. Throws as `add` does. */
  update(by: KeyPrincipal, reference: string, given: GivenSettings): Promise<store.ListedServer>;
  /** Throws GATEWAY_BUILTIN_FIXED. */
  delete(by: KeyPrincipal, reference: string): Promise<store.ServerRow>;
}

export interface ManagementDeps {
  readonly registry: Registry;
  readonly naming: Naming;
  readonly allowed: AllowedCommands;
  /** Throws for a URL that must not be called. */
  readonly checkAddress: (url: string) => Promise<void>;
}

export function createManagement(platform: Platform, deps: ManagementDeps): ServerManagement {
  const { database, clock, metrics, secrets } = platform;
  const { registry, naming, allowed, checkAddress } = deps;

  /** What has to hold before anything is written. */
  const check = async (by: KeyPrincipal, transport: Transport, given: GivenSettings, isNew: boolean) => {
    checkSettings(transport, given, isNew);
    if (needsPerson(transport, given, isNew) && by.keyKind !== "person") throw errors.AUTH_PERSON_REQUIRED();
    const { name } = given;
    if (name !== undefined && RESERVED.has(name) && transport !== "builtin") throw taken(name);
    if (given.command !== undefined) allowed.pathOf(given.command);
    if (given.url !== undefined) await checkAddress(given.url);
  };
  const secretsOf = (id: string, { headers, env }: GivenSettings) => {
    const values = headers ?? env;
    return values === undefined
      ? {}
      : sealValues(secrets, id, headers === undefined ? values : lowerCased(values));
  };
  const listed = async (organizationId: string, id: string) => {
    const [row] = await store.selectListed(database, organizationId, id);
    if (row === undefined) throw noServer(id);
    return row;
  };
  const change = async (by: KeyPrincipal, reference: string, given: GivenSettings) => {
    const { id, transport } = (await naming.named(by.organizationId, reference)).row;
    await check(by, transport, given, false);
    await unlessTaken(given.name, () =>
      database.transaction(async (tx) => {
        const row = await store.holdServer(tx, by.organizationId, id);
        if (row === null) throw noServer(reference);
        const settings = { ...row, ...settingsOf(given), ...secretsOf(id, given) };
        await store.updateServer(tx, id, settings, new Date(clock()));
      }),
    );
    await registry.refresh(id);
    return listed(by.organizationId, id);
  };

  return {
    update: change,
    list: async (organizationId) => {
      await naming.builtin(organizationId);
      await naming.builtin(organizationId, "verbs");
      return store.selectListed(database, organizationId);
    },
    get: async (organizationId, reference) =>
      listed(organizationId, (await naming.named(organizationId, reference)).row.id),
    async add(by, transport, given) {
      if (transport === "builtin") return change(by, BUILTIN.merged, given);
      await check(by, transport, given, true);
      const id = newUuid();
      return unlessTaken(given.name, () =>
        database.transaction(async (tx) => {
          if ((await store.lockAndCount(tx, by.organizationId)) >= limits.servers) {
            metrics.limitsHit.inc({ limit: "gateway_servers" });
            throw serverErrors.QUOTA_GATEWAY_SERVERS();
          }
          const fresh = { id, organization_id: by.organizationId, transport, created_by: by.accountId };
          const settings = {
            ...NOTHING_SET,
            name: given.name,
            ...settingsOf(given),
            ...secretsOf(id, given),
          };
          return store.insertServer(tx, { ...settings, ...fresh }, new Date(clock()));
        }),
      );
    },
    async delete(by, reference) {
      const { row } = await naming.named(by.organizationId, reference);
      if (row.transport === "builtin") throw serverErrors.GATEWAY_BUILTIN_FIXED();
      await database.transaction(async (tx) => {
        if ((await store.holdServer(tx, by.organizationId, row.id)) === null) throw noServer(reference);
        await store.deleteServer(tx, row.id);
      });
      await registry.refresh(row.id);
      return row;
    },
  };
}

const NOTHING_SET = {
  url: null,
  command: null,
  args: [],
  sealed_secrets: null,
  secret_names: [],
  capture_values: false,
};

/** The columns that are given. Pure. */
function settingsOf({
  name,
  url,
  command,
  args,
  captureValues,
}: GivenSettings): Partial<store.ServerSettings> {
  return {
    ...(name === undefined ? {} : { name }),
    ...(url === undefined ? {} : { url }),
    ...(command === undefined ? {} : { command }),
    ...(args === undefined ? {} : { args }),
    ...(captureValues === undefined ? {} : { capture_values: captureValues }),
  };
}

const lowerCased = (headers: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

const taken = (name: string | undefined) =>
  errors.RESOURCE_ALREADY_EXISTS({ message: `There is an MCP server called ${name} already.` });

/** Two servers of one organisation can't have one name; the database sees to it. */
async function unlessTaken<T>(name: string | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (describePgError(error)?.kind === "unique") throw taken(name);
    throw error;
  }
}
