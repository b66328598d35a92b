export { createBuiltinUpstream } from "./builtin.ts";
export { gatewayDoorErrors } from "./errors.ts";
export { createGatewayLane, type GatewayLane } from "./lane.ts";
export type { BuiltinRequest, BuiltinServer, GatewayDoorDeps } from "./types.ts";
