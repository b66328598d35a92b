/** OpenAPI path items of the lanes that run functions (`doors/functions/`). */

const parameter = (name: string, description: string, place: "path" | "header" = "path") => ({
  name,
  in: place,
  required: place === "path",
  description,
  schema: { type: "string" },
});
const app = parameter("app_id", "The app");
const name = parameter("name", "The function");
const answer = { description: "What the function answers", content: { "*/*": {} } };
const call = (method: string) => ({
  operationId: `functions.call.${method}`,
  summary:
    "Calls a function with an http trigger; /fn/<name>/… too, and on the app's own host name. Errors of Ambit have the common error body.",
  tags: ["functions"],
  parameters: [app, name, parameter("X-Butterbase-As-User", "For keys: the user to act as", "header")],
  responses: { 200: answer },
});

export const functionPaths = {
  "/v1/{app_id}/fn/{name}": Object.fromEntries(
    ["get", "post", "put", "patch", "delete"].map((method) => [method, call(method)]),
  ),
  "/v1/{app_id}/webhook/{name}": {
    post: {
      operationId: "functions.webhook",
      summary:
        "Runs a function with a webhook trigger. The signature is verified over the raw body; an event that was handled before is answered with duplicate: true.",
      tags: ["functions"],
      parameters: [app, name],
      responses: { 200: answer },
    },
  },
  "/v1/{app_id}/functions/{name}/logs/stream": {
    get: {
      operationId: "functions.logs_stream",
      summary: "The function's log as server-sent events: event log, id the time.",
      tags: ["functions"],
      parameters: [app, name],
      responses: { 200: { description: "Events", content: { "text/event-stream": {} } } },
    },
  },
};
