import type { KeyPrincipal } from "../../kernel/principal.ts";
import type { MemoryReader } from "../memory/service.ts";

/** An app that uses its organisation's substrate. */
export interface SubstrateLink {
  readonly appId: string;
  readonly organizationId: string;
}

export interface SubstrateLinksService {
  /** The app's link, or null when it is not linked. */
  find(appId: string): Promise<SubstrateLink | null>;
  /** What a key may see: an app's key what its link lets the app see, any other everything of its organisation. */
  readerOf(key: KeyPrincipal): Promise<MemoryReader>;
  /** What an app's code may see; throws SUBSTRATE_NOT_LINKED. */
  readerOfApp(appId: string): Promise<MemoryReader>;
  /** Whether the app's sign-ups, verifications and deletions are mirrored as people. */
  mirrorsUsers(appId: string): Promise<boolean>;
}
