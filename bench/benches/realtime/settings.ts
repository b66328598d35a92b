/** What a run can be told with `--set name=value`. */
export interface Settings {
  /** Scenes to run; all when null. */
  readonly only: ReadonlySet<string> | null;
  /** In place of each scene's own number of clients. */
  readonly clients: number | null;
  /** Of drains, in changes. */
  readonly backlog: number | null;
  /** Of live scenes, in changes per second. */
  readonly rate: number | null;
  /** How long live scenes write. */
  readonly forMs: number;
  /** After this long a scene has failed. */
  readonly capMs: number;
  /** Processes that hold the clients. */
  readonly processes: number;
}

/** Throws for a name that means nothing, and for what is not a number where one is needed. */
export function readSettings(given: ReadonlyMap<string, string>): Settings {
  const known = ["only", "clients", "backlog", "rate", "seconds", "cap", "processes"];
  const unknown = [...given.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`--set ${unknown}: there are ${known.join(", ")}`);
  const number = (name: string): number | null => {
    const text = given.get(name);
    if (text === undefined) return null;
    if (!(Number(text) > 0)) throw new Error(`--set ${name} takes a number`);
    return Number(text);
  };
  const only = given.get("only");
  return {
    only: only === undefined ? null : new Set(only.split(",")),
    clients: number("clients"),
    backlog: number("backlog"),
    rate: number("rate"),
    forMs: (number("seconds") ?? 5) * 1_000,
    capMs: (number("cap") ?? 30) * 1_000,
    processes: number("processes") ?? 2,
  };
}
