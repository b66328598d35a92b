export { createRealtimeLane, type RealtimeDoorDeps } from "./realtime-door.ts";
export { attachUpgrades, type UpgradeLane } from "./upgrades.ts";
