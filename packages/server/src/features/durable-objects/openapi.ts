/** OpenAPI path items of the lane to instances (`doors/actors/`). */

const parameter = (name: string, description: string, place: "path" | "query" = "path") => ({
  name,
  in: place,
  required: place === "path",
  description,
  schema: { type: "string" },
});
const parameters = [
  parameter("app_id", "The app"),
  parameter("name", "The class, kebab-case"),
  parameter(
    "instance",
    "Name of the instance, such as a room or a user; it comes to be with its first request",
  ),
];
const answer = { description: "What the instance answers", content: { "*/*": {} } };
const call = (method: string) => ({
  operationId: `durable_objects.call.${method}`,
  summary:
    "A request to an instance; further path segments too, and at /_do/<name>/<instance> on the app's own host name. Who may call is the class's access mode. Errors of Ambit have the common error body.",
  tags: ["durable-objects"],
  parameters,
  responses: { 200: answer },
});
const connect = {
  ...call("get"),
  summary:
    "A request to an instance, or with Upgrade: websocket a connection to it; further path segments too, and at /_do/<name>/<instance> on the app's own host name. A browser brings its token as sub-protocol (bearer, <token>), as ?ticket= or as ?token=.",
  parameters: [
    ...parameters,
    parameter("ticket", "WebSockets only: a ticket from POST /v1/<app_id>/durable-objects/tickets", "query"),
    parameter("token", "WebSockets only: an access token", "query"),
  ],
  responses: { 101: { description: "Connected" }, 200: answer },
};

export const actorPaths = {
  "/v1/{app_id}/do/{name}/{instance}": Object.fromEntries([
    ["get", connect],
    ...["post", "put", "patch", "delete"].map((method) => [method, call(method)] as const),
  ]),
};
