import { serverErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import type { Transport } from "./types.ts";

/** What a caller says about a server; left out: as it is. */
export interface GivenSettings {
  readonly name?: string | undefined;
  readonly url?: string | undefined;
  readonly command?: string | undefined;
  readonly args?: readonly string[] | undefined;
  /** Each replaces all there were. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly captureValues?: boolean | undefined;
}

const FIELDS_OF: Readonly<Record<Transport, readonly (keyof GivenSettings)[]>> = {
  http: ["url", "headers"],
  stdio: ["command", "args", "env"],
  builtin: [],
};
const FIELDS = ["url", "headers", "command", "args", "env"] as const;

/** Throws GATEWAY_SERVER_FIELDS, naming every field that does not fit the transport. Pure. */
export function checkSettings(transport: Transport, given: GivenSettings, complete: boolean): void {
  const details: { path: string; message: string }[] = [];
  for (const field of FIELDS) {
    if (given[field] === undefined || FIELDS_OF[transport].includes(field)) continue;
    details.push({ path: field, message: `a server of the transport ${transport} has none` });
  }
  const [needed] = FIELDS_OF[transport];
  if (complete && needed !== undefined && given[needed] === undefined) {
    details.push({ path: needed, message: `a server of the transport ${transport} needs it` });
  }
  if (given.url?.includes("#")) details.push({ path: "url", message: "a fragment is not sent to servers" });
  details.push(...secretProblems("headers", given.headers, headerProblem, limits.headers));
  details.push(...secretProblems("env", given.env, variableProblem, limits.envVariables));
  if (details.length === 0) return;
  const message = details.map(({ path, message: problem }) => `${path}: ${problem}`).join("; ");
  throw serverErrors.GATEWAY_SERVER_FIELDS({ message: `${message}.`, details });
}

/** Whether only a person may do this: programs, credentials, and where credentials are sent. Pure. */
export const needsPerson = (transport: Transport, given: GivenSettings, isNew: boolean): boolean =>
  transport === "stdio" ||
  (given.headers !== undefined && (!isNew || Object.keys(given.headers).length > 0)) ||
  (given.url !== undefined && !isNew);

function secretProblems(
  field: string,
  secrets: Readonly<Record<string, string>> | undefined,
  problemOf: (name: string, value: string) => string | null,
  most: number,
): { path: string; message: string }[] {
  if (secrets === undefined) return [];
  const entries = Object.entries(secrets);
  const problems: { path: string; message: string }[] = [];
  if (entries.length > most) problems.push({ path: field, message: `at most ${most} are kept` });
  const chars = entries.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (chars > limits.secretsChars) {
    problems.push({
      path: field,
      message: `names and values together have more than ${limits.secretsChars} characters`,
    });
  }
  const names = new Set<string>();
  for (const [name, value] of entries) {
    const known = field === "headers" ? name.toLowerCase() : name;
    const problem = names.has(known) ? "is there twice" : problemOf(name, value);
    names.add(known);
    if (problem !== null) problems.push({ path: `${field}.${name.slice(0, 100)}`, message: problem });
  }
  return problems;
}

/** RFC 9110 §5.6.2 */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Printable ASCII, spaces and tabs within. */
const FIELD_VALUE = /^[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?$/;
/** Belong to the connection or the protocol; the gateway sets them itself. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  ...[
    "host",
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
  ],
  ...[
    "content-length",
    "content-type",
    "content-encoding",
    "accept",
    "accept-encoding",
    "expect",
    "last-event-id",
  ],
]);

function headerProblem(name: string, value: string): string | null {
  const known = name.toLowerCase();
  if (!TOKEN.test(name) || name.length > limits.headerNameChars) return "is no name of a header";
  if (OWN_HEADERS.has(known) || known.startsWith("mcp-")) return "is set by the gateway itself";
  if (value.length > limits.secretChars) return `is longer than ${limits.secretChars} characters`;
  return FIELD_VALUE.test(value) ? null : "has a value that is no value of a header";
}

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
/**
 * Variables with which a program can be made to run other code than the operator allowed, and those the gateway sets. What
 * a command does with its arguments and its other variables is for the operator to know who lists it.
 */
const RESERVED =
  /^(PATH|HOME|IFS|ENV|BASH_ENV|SHELLOPTS|BASHOPTS|PS4|NODE_OPTIONS|NODE_PATH|PYTHON(PATH|HOME|STARTUP|INSPECT)|PERL5(OPT|LIB|DB)|RUBY(OPT|LIB)|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|DOTNET_STARTUP_HOOKS|GCONV_PATH|(LD|DYLD|AMBIT|BUTTERBASE|BASH_FUNC)_.*)$/i;

function variableProblem(name: string, value: string): string | null {
  if (!VARIABLE.test(name)) return "is no name of a variable";
  if (RESERVED.test(name)) return "must not be set for a program";
  if (value.length > limits.secretChars) return `is longer than ${limits.secretChars} characters`;
  return value.includes("\0") ? "has a value with a null character" : null;
}
