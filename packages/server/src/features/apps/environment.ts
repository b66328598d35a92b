import type { Platform } from "../../engines/platform.ts";
import type { Secrets } from "../../kernel/secrets.ts";
import type { AppRow } from "./store.ts";

/** The one region of a self-hosted server. */
const REGION = "local";
const PURPOSE = "app-env";

export const sealAppVariable = (secrets: Secrets, appId: string, name: string, value: string): string =>
  secrets.seal(PURPOSE, value, `${appId}/${name}`);

/** What all code of an app finds in its environment: the app's own variables, and what the server says of the app. */
export function environmentOf(
  { secrets, publicUrl }: Pick<Platform, "secrets" | "publicUrl">,
  app: Pick<AppRow, "id" | "name" | "subdomain" | "env">,
): Record<string, string> {
  const own = Object.entries(app.env).map(([name, sealed]) => [
    name,
    secrets.open(PURPOSE, sealed, `${app.id}/${name}`),
  ]);
  return {
    ...Object.fromEntries(own),
    BUTTERBASE_APP_ID: app.id,
    BUTTERBASE_API_URL: publicUrl(),
    BUTTERBASE_APP_NAME: app.name,
    BUTTERBASE_SUBDOMAIN: app.subdomain,
    BUTTERBASE_REGION: REGION,
  };
}
