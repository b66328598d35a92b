import { ask } from "./callbacks.js";

/**
 * The organisation's substrate, for the code of a linked app: what it writes is proposed in the app's name, and what
 * it reads is what the app's link lets it read. Every method throws an AmbitError when Ambit refuses.
 * @param {Record<string, string>} identity header that says on whose behalf
 */
export function substrateOf(identity) {
  const to = (path, question) => ask(identity, `/substrate/${path}`, question ?? {});
  const rows = async (path, question) => (await to(path, question)).rows;
  const row = async (path, id, options) => (await to(path, { ...options, id })).row;
  const propose = (capability, payload, options) => to("propose", { ...options, capability, payload });
  return {
    /** `{action_id, verdict, requires_approval, result?}`; options: `idempotency_key`, `trigger_context`. */
    propose,
    /** The row, or null; options: `as_of`. */
    getEntity: (id, options) => row("entities/get", id, options),
    findEntities: (query) => rows("entities/find", query),
    /** `patch`: `display_name`, `primary_email`, `attrs_patch`, `if_updated_at`. */
    patchEntity: (id, patch, options) => propose("patch_entity", { ...patch, id }, options),
    mergeEntities: (loserId, winnerId, reason, options) =>
      propose("merge_entities", { loser_id: loserId, winner_id: winnerId, reason }, options),
    deleteEntity: (id, reason, options) => propose("delete_entity", { id, reason }, options),
    searchMemory: (q, options) => rows("memory/search", { ...options, q }),
    listMemory: (query) => rows("memory/list", query),
    listSourceArtifacts: (query) => rows("source-artifacts/list", query),
    getSourceArtifact: (id, options) => row("source-artifacts/get", id, options),
    /** What this app proposed, newest first. */
    listActions: (query) => rows("actions/list", query),
    getAction: (id) => row("actions/get", id),
    /** A ticket for the live stream, for the app's clients: `{ticket, expires_in}`. */
    wsTicket: () => to("ws-ticket"),
  };
}
