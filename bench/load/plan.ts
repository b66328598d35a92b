import type { RunAs } from "../../packages/server/src/engines/postgres/one-trip.ts";
import type { PostgresAddress } from "../harness/postgres.ts";

/** What a generator sends, again and again, over connections it keeps open. */
export type Plan =
  | {
      readonly kind: "http";
      readonly host: string;
      readonly port: number;
      /** Whole requests, head and body; the connections take them by turns. */
      readonly requests: readonly [string, ...string[]];
      readonly connections: number;
    }
  | {
      readonly kind: "sql";
      /** `user` is the login whose roles `as` may name. */
      readonly target: PostgresAddress & { readonly user: string };
      readonly as: RunAs;
      readonly text: string;
      readonly connections: number;
    };

/** What was seen while every connection sent its next request as soon as it had the last answer. */
export interface Window {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}
