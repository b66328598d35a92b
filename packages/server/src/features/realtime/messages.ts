/** Messages in the log that say something about changes rather than being one. */

/** Written by every change of tables, grants and policies, inside its transaction. */
export const NOTICE_PREFIX = "ambit.change";

/** Written by this feature to learn when everything before it has been read. */
export const MARK_PREFIX = "ambit.mark";

/** A notice's content. `resync` names tables whose changes are not all in the log before it. */
export interface Notice {
  readonly app: string;
  readonly what: string;
  readonly resync?: readonly string[];
}

/** `what` of the notices this feature writes itself. */
export const OWN_NOTICE = "realtime";

/** The notice in a message's content, or null if it is not one. */
export function readNotice(content: Buffer): Notice | null {
  try {
    const { app, what, resync } = JSON.parse(content.toString());
    if (typeof app !== "string" || typeof what !== "string") return null;
    return {
      app,
      what,
      ...(Array.isArray(resync) ? { resync: resync.filter((name) => typeof name === "string") } : {}),
    };
  } catch {
    return null;
  }
}
