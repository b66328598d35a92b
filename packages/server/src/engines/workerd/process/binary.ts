import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { workerdErrors } from "../errors.ts";

const packages: Readonly<Record<string, string>> = {
  "linux-x64": "@cloudflare/workerd-linux-64",
  "linux-arm64": "@cloudflare/workerd-linux-arm64",
  "darwin-x64": "@cloudflare/workerd-darwin-64",
  "darwin-arm64": "@cloudflare/workerd-darwin-arm64",
};

/** Path of the program. Throws RUNTIME_UNSUPPORTED, with the mend, when there is none for this machine. */
export function locateWorkerd(
  platform: string = process.platform,
  arch: string = process.arch,
  resolve: (id: string) => string = createRequire(import.meta.url).resolve,
): string {
  const name = packages[`${platform}-${arch}`];
  if (!name) throw workerdErrors.RUNTIME_UNSUPPORTED();
  const path = locate(name, resolve);
  if (path) return path;
  throw workerdErrors.RUNTIME_UNSUPPORTED({
    remediation: `Install the optional package ${name} (npm install without --omit=optional) and start Ambit again.`,
  });
}

function locate(name: string, resolve: (id: string) => string): string | null {
  try {
    const path = join(dirname(resolve(`${name}/package.json`)), "bin", "workerd");
    return existsSync(path) ? path : null;
  } catch {
    return null;
  }
}
