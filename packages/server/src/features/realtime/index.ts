import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import { realtimeErrors } from "./errors.ts";
import { realtimeOperations } from "./operations.ts";
import { roomErrors } from "./rooms/index.ts";
import {
  createRealtimeService,
  type EventHandler,
  type RealtimeDeps,
  type RealtimeService,
} from "./service.ts";

/** No app has functions for events. */
const noHandler: EventHandler = async () => null;

const noEnums: RealtimeDeps["enums"] = async () => new Set();

/** Live changes of tables. `onEvent` runs the functions that answer clients' events. */
export function createRealtime(
  platform: Platform,
  { onEvent = noHandler, enums = noEnums, onChanged = () => {} }: Partial<RealtimeDeps> = {},
): { feature: Feature; service: RealtimeService } {
  const service = createRealtimeService(platform, { onEvent, enums, onChanged });
  const feature: Feature = {
    name: "realtime",
    operations: realtimeOperations(platform, service),
    errors: { ...realtimeErrors.entries, ...roomErrors.entries },
    tools: [
      {
        name: "manage_realtime",
        title: "Manage realtime",
        description:
          'Switches live changes of tables on (configure) and off (disable), and shows what is on (get). Clients connect to websocket_url, send {"type":"subscribe","table":"messages"} and receive {"type":"change","table":"messages","op":"INSERT","record":{…}} for the rows that row-level security lets them see; explain says why somebody sees a row or not. put_rule, list_rules and delete_rule say who may be in which rooms and broadcast channels.',
      },
    ],
    start: () => service.start(),
    stop: () => service.stop(),
  };
  return { feature, service };
}
