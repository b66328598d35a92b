export { attachRealtimeDoor, type RealtimeDoorDeps } from "./realtime-door.ts";
