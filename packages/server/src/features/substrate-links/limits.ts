/** Limits of links between apps and the substrate. */
export const limits = {
  /** Types of entities in one read scope. */
  entityTypes: 20,
} as const;
