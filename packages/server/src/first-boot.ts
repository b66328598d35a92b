import { type Credentials, readCredentials, writeCredentials } from "./data-directory.ts";
import type { Platform } from "./engines/platform.ts";
import type { KeysService } from "./features/keys/service.ts";
import * as organizations from "./features/organizations/service.ts";

/** The account the first keys belong to, until someone gives it an address of their own. */
const OWNER_EMAIL = "owner@localhost";

/**
 * Makes the first organisation, its owner and both first keys when the database has none, and brings
 * `credentials.json` up to date. The file is durable before the transaction commits: a crash in between leaves keys
 * that open nothing, never an organisation whose keys nobody has.
 */
export async function prepareCredentials(
  platform: Platform,
  keys: KeysService,
): Promise<{ credentials: Credentials; firstBoot: boolean }> {
  const { dataDir } = platform.config;
  const urls = { api_url: platform.publicUrl(), mcp_url: `${platform.publicUrl()}/mcp` };
  const made = await organizations.initialise(
    platform,
    async (tx, organizationId, accountId) => {
      const mint = (kind: "person" | "agent", name: string) =>
        keys.mint(tx, {
          organizationId,
          accountId,
          kind,
          name,
          scope: "both",
          scopes: ["*"],
          expiresAtMs: null,
        });
      const person = await mint("person", "first person key");
      const agent = await mint("agent", "first agent key");
      const credentials = { ...urls, api_key: person.key, agent_key: agent.key };
      writeCredentials(dataDir, credentials);
      return credentials;
    },
    OWNER_EMAIL,
  );
  if (made !== null) return { credentials: made, firstBoot: true };
  const known = readCredentials(dataDir);
  const credentials = { ...urls, api_key: known.api_key ?? null, agent_key: known.agent_key ?? null };
  writeCredentials(dataDir, credentials);
  return { credentials, firstBoot: false };
}
