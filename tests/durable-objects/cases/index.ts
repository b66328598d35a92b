import { alarms } from "./alarms.ts";
import { counting } from "./counting.ts";
import { crashes } from "./crashes.ts";
import { failures } from "./failures.ts";
import { gates } from "./gates.ts";
import { keys } from "./keys.ts";
import { language } from "./language.ts";
import { platform } from "./platform.ts";
import { rooms } from "./rooms.ts";
import { rpc } from "./rpc.ts";
import { sql } from "./sql.ts";
import { streams } from "./streams.ts";
import type { AppCases } from "./types.ts";

/** Every app of the suite. The slow one first, so that the others run beside it. */
export const APPS: readonly AppCases[] = [
  rpc,
  rooms,
  counting,
  alarms,
  sql,
  keys,
  gates,
  failures,
  streams,
  platform,
  language,
  crashes,
];
