import type { App } from "./operation.ts";

/** Under which names Ambit is reached. */
export interface Names {
  readonly baseDomain: string;
  /** The API's own URL, e.g. `http://127.0.0.1:4000`. */
  readonly publicUrl: string;
}

/** What follows the subdomain in a `Host` header, e.g. `.localhost:4000`. Pure. */
export function hostSuffix({ baseDomain, publicUrl }: Names): string {
  const { port } = new URL(publicUrl);
  return `.${baseDomain}${port === "" ? "" : `:${port}`}`;
}

/** The app's own host name as a `Host` header has it, e.g. `notes.localhost:4000`. Pure. */
export function hostOf(names: Names, app: Pick<App, "subdomain">): string {
  return `${app.subdomain}${hostSuffix(names)}`;
}

/** The app's own origin, e.g. `http://notes.localhost:4000`. Pure. */
export function originOf(names: Names, app: Pick<App, "subdomain">): string {
  return `${new URL(names.publicUrl).protocol}//${hostOf(names, app)}`;
}
