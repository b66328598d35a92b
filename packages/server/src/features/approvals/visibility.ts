import { APPROVAL_KINDS, type ApprovalKindName } from "./types.ts";

/** The kinds of approvals a key with these scopes may see: what waits in the substrate needs its scope. Pure. */
export function kindsFor(scopes: readonly string[]): readonly ApprovalKindName[] {
  return APPROVAL_KINDS.filter((kind) => kind !== "substrate_action" || scopes.includes("substrate"));
}
