import type { Secrets } from "../../kernel/secrets.ts";
import { serverErrors } from "./errors.ts";
import type { ServerRow } from "./store.ts";

const PURPOSE = "gateway-server";

/** Seals a server's headers or environment; what is kept of them otherwise are the names. */
export function sealValues(
  secrets: Secrets,
  serverId: string,
  values: Readonly<Record<string, string>>,
): Pick<ServerRow, "sealed_secrets" | "secret_names"> {
  const names = Object.keys(values).sort();
  if (names.length === 0) return { sealed_secrets: null, secret_names: [] };
  return { sealed_secrets: secrets.seal(PURPOSE, JSON.stringify(values), serverId), secret_names: names };
}

/** What `sealValues` sealed. Throws GATEWAY_SECRETS_LOST. */
export function openValues(
  secrets: Secrets,
  { id, sealed_secrets }: Pick<ServerRow, "id" | "sealed_secrets">,
): Readonly<Record<string, string>> {
  if (sealed_secrets === null) return {};
  try {
    return JSON.parse(secrets.open(PURPOSE, sealed_secrets, id)) as Record<string, string>;
  } catch (error) {
    throw serverErrors.GATEWAY_SECRETS_LOST({ cause: error });
  }
}
