import type { Client } from "../client.ts";

/** One thing a program promises, as a conversation. It checks what matters; the transcript catches the rest. */
export interface Case {
  readonly name: string;
  run(client: Client): Promise<void>;
}

/** Programs deployed together, as an app: at most five, and they see each other in `env`. */
export interface AppCases {
  readonly name: string;
  readonly programs: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Runs one case after the other, because one of them kills the process of all. */
  readonly alone?: boolean;
  /** Reached at `http://<subdomain>.<base domain>/_do/…` instead of `/v1/<app>/do/…`. */
  readonly byOwnName?: boolean;
  readonly cases: readonly Case[];
}
