import { AmbitError } from "../../kernel/errors.ts";
import type { AuthEvent } from "../auth/service.ts";
import type { JsonObject } from "../ledger/service.ts";
import type { SubstrateContext } from "./context.ts";
import { propose } from "./propose.ts";
import { selectByKeys } from "./store.ts";
import type { Proposer } from "./types.ts";

/**
 * Mirrors the users of linked apps that ask for it as people of the organisation's memory: who signs up becomes an
 * entity, a verified address is added, and for who is deleted the entity's deletion is proposed. What fails is logged
 * and keeps nobody from signing up.
 */
export function mirrorUsers(context: SubstrateContext): void {
  const { auth, platform } = context;
  const quietly = (appId: string, work: () => Promise<void>) =>
    work().catch((err) => platform.log.warn({ err, appId }, "a user was not mirrored in the substrate"));
  auth.onEvent((event) => quietly(event.appId, () => mirrorEvent(context, event)));
  auth.onUserDeleted((appId, userId) => void quietly(appId, () => mirrorDeletion(context, appId, userId)));
}

/** The organisation and proposer an app's users are mirrored by; null when they are not. */
async function mirrorOf(
  { links, apps }: SubstrateContext,
  appId: string,
): Promise<{ organizationId: string; proposer: Proposer } | null> {
  const link = await links.find(appId);
  if (link === null || !(await links.mirrorsUsers(appId))) return null;
  const label = (await apps.find(appId))?.name ?? appId;
  const proposer = { kind: "app", id: appId, accountId: null, label, sourceAppId: appId, sourceRuleId: null };
  return { organizationId: link.organizationId, proposer: proposer as Proposer };
}

const keyOf = (appId: string, userId: string, what: string) => `app_user:${appId}:${userId}:${what}`;

async function mirrorEvent(
  context: SubstrateContext,
  { appId, event, user, isNewUser }: AuthEvent,
): Promise<void> {
  const isNew = isNewUser || event === "signup";
  if (!isNew && event !== "email_verified") return;
  const mirror = await mirrorOf(context, appId);
  if (mirror === null) return;
  const { organizationId, proposer } = mirror;
  const about = { organizationId, triggerContext: `auth.${event}` };
  const nowMs = context.platform.clock();
  const payload = personOf(appId, user);
  const idempotencyKey = keyOf(appId, user.id, isNew ? "signup" : "email_verified");
  try {
    await propose(
      context,
      proposer,
      { ...about, capability: "upsert_entity", payload, idempotencyKey },
      nowMs,
    );
  } catch (error) {
    const [loser, winner] = await sameAs(context, error, { organizationId, appId, userId: user.id });
    if (loser === undefined || winner === undefined) throw error;
    const reason = "A user of the app has proved to own this person's address.";
    const merge = { capability: "merge_entities", payload: { loser_id: loser, winner_id: winner, reason } };
    const mergeKey = keyOf(appId, user.id, "merge");
    await propose(context, proposer, { ...about, ...merge, idempotencyKey: mergeKey }, nowMs);
  }
}

/** The user's entity and the one that has the address already, when that is why it failed; else nothing. */
async function sameAs(
  context: SubstrateContext,
  error: unknown,
  user: { readonly organizationId: string; readonly appId: string; readonly userId: string },
): Promise<readonly string[]> {
  if (!(error instanceof AmbitError) || error.code !== "ENTITY_AMBIGUOUS") return [];
  const mirrored = await mirroredAs(context, user);
  const { candidates } = error.details as { candidates: readonly { entity_id: string }[] };
  const others = candidates.map(({ entity_id }) => entity_id).filter((id) => id !== mirrored);
  return mirrored === null || others.length !== 1 ? [] : [mirrored, others[0]!];
}

/** The entity a user was mirrored as, or null. */
async function mirroredAs(
  { platform }: SubstrateContext,
  {
    organizationId,
    appId,
    userId,
  }: { readonly organizationId: string; readonly appId: string; readonly userId: string },
): Promise<string | null> {
  const keys = ["signup", "email_verified"].map((what) => keyOf(appId, userId, what));
  const actions = await selectByKeys(platform.database, organizationId, keys);
  const ids = actions.map(({ result }) => result?.entity_id);
  return ids.find((id): id is string => typeof id === "string") ?? null;
}

/**
 * The person an app's user is. An address nobody has proved to own is no key: whoever signs up with another's would
 * otherwise become that person in the memory. Pure.
 */
export function personOf(appId: string, user: AuthEvent["user"]): JsonObject {
  const proved = user.email !== null && user.email_verified;
  return {
    type: "person",
    display_name: user.display_name ?? (proved ? user.email : null) ?? `User ${user.id}`,
    ...(proved ? { primary_email: user.email } : {}),
    linked_app_id: appId,
    linked_app_user_id: user.id,
  };
}

async function mirrorDeletion(context: SubstrateContext, appId: string, userId: string): Promise<void> {
  const mirror = await mirrorOf(context, appId);
  if (mirror === null) return;
  const { organizationId, proposer } = mirror;
  const id = await mirroredAs(context, { organizationId, appId, userId });
  if (id === null) return;
  await propose(
    context,
    proposer,
    {
      organizationId,
      capability: "delete_entity",
      payload: { id, reason: "The user was deleted from the app." },
      idempotencyKey: keyOf(appId, userId, "deleted"),
      triggerContext: "auth.user_deleted",
    },
    context.platform.clock(),
  );
}
