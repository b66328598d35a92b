export { createRealtimeLane, type RealtimeDoorDeps } from "./realtime-door.ts";
export { createSubstrateLane, type SubstrateLaneDeps } from "./substrate-lane.ts";
export { attachUpgrades, type UpgradeLane } from "./upgrades.ts";
