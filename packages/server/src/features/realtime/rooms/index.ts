/** Rooms, broadcast channels, their rules, and the bus between nodes. */
export { BUS_PREFIX, Bus, type BusPorts } from "./bus.ts";
export { roomErrors } from "./errors.ts";
export { type RoomFrame, roomFrames } from "./frames.ts";
export { createRooms, type Rooms, type RoomsPorts } from "./rooms.ts";
export { ruleOperations } from "./rule-operations.ts";
export { createRulesService, type RulesPorts, type RulesService } from "./rule-service.ts";
export type { LogPort, NodeBus, RoomClient } from "./types.ts";
export { READ_ONLY_TEXT } from "./words.ts";
