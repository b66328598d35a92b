import { accessSync, constants, lstatSync, readFileSync, readlinkSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The helper programs of the sandbox; null for one the host lacks. */
export interface Tools {
  readonly flock: string | null;
  readonly prlimit: string | null;
  readonly setpriv: string | null;
  readonly bwrap: string | null;
  readonly unshare: string | null;
  readonly true: string | null;
}

/** What the sandbox is planned from. Tests hand in another search path to see a poorer host. */
export interface Host {
  readonly platform: string;
  readonly arch: string;
  readonly uid: number;
  readonly gid: number;
  readonly tools: Tools;
  /** Hard limit of open files; Infinity where there is none. */
  readonly noFileHard: number;
  /** bwrap options that show the C library inside. */
  readonly libraries: readonly string[];
}

// Services are often started with a short PATH, and these live where PATH may not reach.
const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Reads the machine; runs nothing. */
export function readHost(path = `${process.env.PATH ?? ""}${delimiter}${usualPath}`): Host {
  const find = (name: string) => findProgram(name, path);
  return {
    platform: process.platform,
    arch: process.arch,
    uid: process.getuid?.() ?? -1,
    gid: process.getgid?.() ?? -1,
    tools: {
      flock: find("flock"),
      prlimit: find("prlimit"),
      setpriv: find("setpriv"),
      bwrap: find("bwrap"),
      unshare: find("unshare"),
      true: find("true"),
    },
    noFileHard: hardNoFile(),
    libraries: libraryBinds(),
  };
}

function findProgram(name: string, path: string): string | null {
  for (const dir of path.split(delimiter)) {
    if (!dir.startsWith("/")) continue;
    try {
      accessSync(join(dir, name), constants.X_OK);
      return join(dir, name);
    } catch {
      // Not in this directory.
    }
  }
  return null;
}

function hardNoFile(): number {
  try {
    const line = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"));
    const value = Number(line?.[1]);
    return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** Distributions differ in which of these are links into /usr; the inside must look the same for the loader. */
function libraryBinds(): string[] {
  const options: string[] = [];
  for (const path of ["/usr/lib", "/usr/lib64", "/lib", "/lib64"]) {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found?.isSymbolicLink()) options.push("--symlink", readlinkSync(path), path);
    else if (found?.isDirectory()) options.push("--ro-bind", path, path);
  }
  return options;
}
