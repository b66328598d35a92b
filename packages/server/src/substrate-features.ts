import type { Platform } from "./engines/platform.ts";
import { createApprovals } from "./features/approvals/index.ts";
import type { AppsService } from "./features/apps/service.ts";
import { createAttentionRules } from "./features/attention-rules/index.ts";
import type { AuthService } from "./features/auth/service.ts";
import type { KeysService } from "./features/keys/service.ts";
import type { LedgerService } from "./features/ledger/service.ts";
import type { MailService } from "./features/mail/service.ts";
import { createMemory } from "./features/memory/index.ts";
import type { OrganizationsService } from "./features/organizations/service.ts";
import { createOutbox } from "./features/outbox/index.ts";
import type { RealtimeService } from "./features/realtime/service.ts";
import { createSnapshots } from "./features/snapshots/index.ts";
import { createSubstrate } from "./features/substrate/index.ts";
import { checkConstraint } from "./features/substrate/service.ts";
import { createSubstrateExport } from "./features/substrate-export/index.ts";
import type { createSubstrateLinks } from "./features/substrate-links/index.ts";
import { createSubstrateStream } from "./features/substrate-stream/index.ts";
import type { GuardedFetch } from "./kernel/guarded-fetch.ts";

/** What the features of the substrate use of the others. */
interface Surroundings {
  readonly apps: AppsService;
  readonly auth: AuthService;
  readonly fetch: GuardedFetch;
  readonly keys: KeysService;
  readonly ledger: LedgerService;
  readonly links: ReturnType<typeof createSubstrateLinks>;
  readonly mail: MailService;
  readonly organizations: OrganizationsService;
  readonly realtime: RealtimeService;
}

/** The features around an organisation's memory, wired to each other; those that others use come first. */
export function composeSubstrate(platform: Platform, around: Surroundings) {
  const { apps, auth, fetch, keys, ledger, links, mail, organizations, realtime } = around;
  const outbox = createOutbox(platform, { fetch, ledger });
  const approvals = createApprovals(platform, {
    ...{ ledger, mail, organizations, keys },
    outbox: outbox.service,
  });
  const memory = createMemory(platform, { readerOf: (key) => links.service.readerOf(key), checkConstraint });
  const substrate = createSubstrate(platform, {
    ...{ ledger, keys, auth, apps },
    ...{ approvals: approvals.service, memory: memory.service },
    ...{ outbox: outbox.service, links: links.service },
  });
  const snapshots = createSnapshots(platform, { memory: memory.service });
  const rules = createAttentionRules(platform, {
    ...{ substrate: substrate.service, snapshots: snapshots.service, memory: memory.service },
  });
  const stream = createSubstrateStream(platform, { realtime, keys, links: links.service });
  const exported = createSubstrateExport(platform, { links: links.service });
  return {
    approvals: approvals.service,
    memory: memory.service,
    substrate: substrate.service,
    stream: stream.service,
    features: [
      substrate.feature,
      approvals.feature,
      memory.feature,
      links.feature,
      outbox.feature,
      snapshots.feature,
      rules.feature,
      stream.feature,
      exported.feature,
    ],
  };
}
