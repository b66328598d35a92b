import { type Found, ofPlatform, reads, type Step } from "../step.ts";
import { propose } from "./substrate.ts";

const entity = ({ entityId }: Found) => ({ record_id: entityId });

/** Reading what the organisation knows. */
export const memorySteps: readonly Step[] = [
  ofPlatform(
    "memory_find_entities",
    "manage_substrate find_entities",
    ({ run }) => ({
      type: "person",
      q: run,
      primary_email: `ada-${run}@example.com`,
      limit: 1000,
      count: true,
    }),
    { ...reads, also: ["find_entities"] },
  ),
  ofPlatform(
    "memory_get_entity",
    "manage_substrate get_entity",
    ({ entityId }) => ({ entity_id: entityId }),
    {
      ...reads,
      also: ["get_entity"],
    },
  ),
  ofPlatform(
    "memory_list_source_artifacts",
    "manage_substrate list_source_artifacts",
    ({ run }) => ({ kind: "meeting", q: run, limit: 5, count: true }),
    {
      ...reads,
      before: async (owner, found) => {
        const artifact = { kind: "meeting", title: `Minutes of ${found.run}`, content: "We met." };
        found.artifactId = (await propose(owner, "upsert_source_artifact", artifact)).result.artifact_id;
        const decision = {
          title: `To meet ${found.run}`,
          kind: "operational",
          source_artifact_id: found.artifactId,
        };
        await propose(owner, "record_decision", decision);
      },
    },
  ),
  ofPlatform(
    "memory_get_source_artifact",
    "manage_substrate get_source_artifact",
    ({ artifactId }) => ({ artifact_id: artifactId }),
    reads,
  ),
  ofPlatform(
    "memory_search",
    "manage_substrate search_memory",
    ({ run }) => ({ q: `"to meet" ${run}`, kinds: "decisions", limit: 5, match: "and" }),
    { ...reads, also: ["search_memory"] },
  ),
  ofPlatform(
    "memory_list",
    "manage_substrate list_memory",
    ({ artifactId }) => ({
      kinds: "decisions",
      source_artifact_id: artifactId,
      superseded: false,
      before: "2100-01-01T00:00:00Z",
      limit: 5,
    }),
    reads,
  ),
  ofPlatform("memory_list_principles", "manage_substrate list_principles", { status: "active" }, reads),
  ofPlatform(
    "memory_get_principle",
    "manage_substrate get_principle",
    ({ principleId }) => ({ principle_id: principleId }),
    reads,
  ),
  ofPlatform("memory_get_record", "manage_substrate get_record", entity, reads),
  ofPlatform("memory_history", "manage_substrate get_history", entity, reads),
  ofPlatform("memory_links", "manage_substrate get_links", entity, reads),
  ofPlatform("snapshots_list", "manage_substrate snapshots", { days: 7 }, reads),
];
