import { destroys, ofApp, reads, type Step } from "../step.ts";

const hello = { name: "hello" };
const spelt = { spelt: { name: "function_name" } } as const;
const helloCode = 'export const handler = () => new Response("hello")';
const counter = { name: "counter" };
const counterCode = `export class Counter {
  constructor(state) { this.state = state; }
  async fetch() { return new Response(String(await this.state.storage.get("count"))); }
}`;
const room = { ...counter, instance: "room" };

/** Apps' code: functions, Durable Objects, what they may reach, what they say. */
export const codeSteps: readonly Step[] = [
  ofApp("runtime_set_egress", "manage_runtime set_egress", { allow: ["*.example.com"] }, destroys),
  ofApp("runtime_get_egress", "manage_runtime get_egress", {}, reads),
  ofApp("runtime_set_logs", "manage_runtime set_logs", { enabled: true }, destroys),
  ofApp("runtime_get_logs_settings", "manage_runtime get_logs_settings", {}, reads),
  ofApp(
    "functions_deploy",
    "deploy_function",
    { name: "hello", code: helloCode },
    { ...destroys, furnishes: true },
  ),
  ofApp("functions_invoke", "invoke_function", { ...hello, body: {} }, { ...spelt, ...destroys }),
  ofApp("functions_list", "manage_function list", {}, reads),
  ofApp("functions_get", "manage_function get", hello, { ...spelt, ...reads }),
  ofApp("functions_logs", "manage_function get_logs", hello, { ...spelt, ...reads }),
  ofApp(
    "functions_update_env",
    "manage_function update_env",
    { ...hello, env: { NAME: "value" } },
    { ...spelt, ...destroys },
  ),
  ofApp(
    "functions_update_settings",
    "manage_function update_settings",
    { ...hello, allow_service_key_impersonation: false },
    { ...spelt, ...destroys },
  ),
  ofApp("functions_list_versions", "manage_function list_versions", hello, { ...spelt, ...reads }),
  ofApp(
    "functions_rollback",
    "manage_function rollback",
    { ...hello, version: 1 },
    { ...spelt, ...destroys },
  ),
  ofApp("functions_delete", "manage_function delete", hello, { ...spelt, ...destroys }),
  ofApp(
    "durable_objects_deploy",
    "manage_durable_objects deploy",
    { ...counter, code: counterCode, access_mode: "service_key" },
    { ...destroys, furnishes: true },
  ),
  ofApp("durable_objects_list", "manage_durable_objects list", {}, reads),
  ofApp("durable_objects_get", "manage_durable_objects get", counter, reads),
  ofApp(
    "durable_objects_set_env",
    "manage_durable_objects set_env",
    { key: "NAME", value: "value" },
    destroys,
  ),
  ofApp("durable_objects_list_env", "manage_durable_objects list_env", {}, reads),
  ofApp("durable_objects_delete_env", "manage_durable_objects delete_env", { key: "NAME" }, destroys),
  ofApp(
    "durable_objects_invoke",
    "manage_durable_object_instances invoke",
    { ...room, method: "GET", path: "/x" },
    { ...destroys, furnishes: true },
  ),
  ofApp(
    "durable_objects_write_storage",
    "manage_durable_object_instances write_storage",
    { ...room, key: "count", value: 7 },
    destroys,
  ),
  ofApp(
    "durable_objects_read_storage",
    "manage_durable_object_instances read_storage",
    { ...room, key: "count" },
    reads,
  ),
  ofApp("durable_objects_list_instances", "manage_durable_object_instances list_instances", counter, reads),
  ofApp("durable_objects_get_instance", "manage_durable_object_instances get_instance", room, reads),
  ofApp("durable_objects_export_instance", "manage_durable_object_instances export_instance", room, {
    find: (output, found) => {
      found.archive = output.archive;
    },
  }),
  ofApp(
    "durable_objects_import_instance",
    "manage_durable_object_instances import_instance",
    ({ archive }) => ({ ...counter, archive, instance: "copy" }),
    destroys,
  ),
  ofApp("durable_objects_delete_instance", "manage_durable_object_instances delete_instance", room, destroys),
  ofApp("durable_objects_list_versions", "manage_durable_object_instances list_versions", counter, reads),
  ofApp(
    "durable_objects_rollback",
    "manage_durable_object_instances rollback",
    { ...counter, version: 1 },
    destroys,
  ),
  ofApp("durable_objects_logs", "manage_durable_object_instances logs", counter, reads),
  ofApp("durable_objects_usage", "manage_durable_objects usage", counter, reads),
  ofApp("runtime_status", "manage_runtime status", {}, reads),
  ofApp("durable_objects_delete", "manage_durable_objects delete", counter, destroys),
];
