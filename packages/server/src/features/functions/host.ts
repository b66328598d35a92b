import type { Platform } from "../../engines/platform.ts";
import type { App } from "../../kernel/operation.ts";

/** The host name under which the app is reached, as a `Host` header has it. */
export function hostOf(
  { config, publicUrl }: Pick<Platform, "config" | "publicUrl">,
  app: Pick<App, "subdomain">,
): string {
  const { port } = new URL(publicUrl());
  return `${app.subdomain}.${config.baseDomain}${port === "" ? "" : `:${port}`}`;
}
