import type { Platform } from "../../engines/platform.ts";
import type { ApprovalsService } from "../approvals/service.ts";
import { CAPABILITIES, type Capability, type Mode } from "./capabilities.ts";
import { substrateErrors } from "./errors.ts";
import * as store from "./settings-store.ts";
import { approversOf, type Policy } from "./verdict.ts";

/** A capability and what holds for it in an organisation. */
export interface CapabilityView {
  readonly name: string;
  readonly title: string;
  readonly mode: Mode;
  readonly default_mode: Mode;
  /** How many people must approve when it waits. */
  readonly approvers: number;
  readonly reversible: boolean;
  readonly yolo_eligible: boolean;
  readonly side_effect: boolean;
  readonly phase: number;
  readonly set_by_owner: boolean;
}

export interface SettingsView {
  readonly yolo_mode: boolean;
  /** Whether members are kept from approving what they proposed; null: as soon as two members may decide. */
  readonly four_eyes: boolean | null;
  readonly capabilities: readonly CapabilityView[];
}

/** What owners set about proposals. */
export interface Settings {
  get(organizationId: string): Promise<SettingsView>;
  setYolo(organizationId: string, on: boolean, nowMs: number): Promise<SettingsView>;
  /** Null: back to the default. Throws CAPABILITY_UNKNOWN. */
  setPolicy(
    organizationId: string,
    capability: string,
    policy: Policy | null,
    nowMs: number,
  ): Promise<CapabilityView>;
}

export function createSettings(
  { database }: Pick<Platform, "database">,
  approvals: Pick<ApprovalsService, "settings">,
): Settings {
  const get = async (organizationId: string): Promise<SettingsView> => {
    const [yolo_mode, policies, { fourEyes }] = await Promise.all([
      store.selectYoloMode(database, organizationId),
      store.selectPolicies(database, organizationId),
      approvals.settings(organizationId),
    ]);
    const byName = new Map(policies.map((policy) => [policy.capability, policy]));
    return {
      yolo_mode,
      four_eyes: fourEyes,
      capabilities: [...CAPABILITIES.values()].map((each) =>
        capabilityView(each, byName.get(each.name) ?? null),
      ),
    };
  };
  return {
    get,
    async setYolo(organizationId, on, nowMs) {
      await store.upsertYoloMode(database, organizationId, on, new Date(nowMs));
      return get(organizationId);
    },
    async setPolicy(organizationId, name, policy, nowMs) {
      const capability = CAPABILITIES.get(name);
      if (capability === undefined) throw substrateErrors.CAPABILITY_UNKNOWN();
      if (policy === null) await store.deletePolicy(database, organizationId, name);
      else
        await store.upsertPolicy(database, organizationId, { capability: name, ...policy }, new Date(nowMs));
      return capabilityView(capability, policy);
    },
  };
}

/** What holds for a capability under what an owner has set, if anything. Pure. */
export function capabilityView(capability: Capability, policy: Policy | null): CapabilityView {
  return {
    name: capability.name,
    title: capability.title,
    mode: policy?.mode ?? capability.defaultMode,
    default_mode: capability.defaultMode,
    approvers: approversOf(policy),
    reversible: capability.reversible,
    yolo_eligible: capability.yoloEligible,
    side_effect: capability.sideEffect,
    phase: capability.phase,
    set_by_owner: policy !== null,
  };
}
