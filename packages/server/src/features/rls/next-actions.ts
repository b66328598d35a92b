import type { NextAction } from "../../kernel/operation.ts";

/** What to do after a change of policies. */

export const AFTER_ENABLE: NextAction[] = [
  {
    action: "create_user_isolation",
    description: "Let each end user reach only their own rows.",
    tool: "manage_rls",
    when: "Rows belong to the end user who makes them",
  },
  {
    action: "create_policy",
    description: "Say in SQL which rows which callers reach.",
    tool: "manage_rls",
    when: "Access follows other rules",
  },
];

export const AFTER_POLICY: NextAction[] = [
  {
    action: "select_rows",
    description:
      "Read the table with as_role user and as_user <id>, and once with as_role anon, to see what they see.",
    tool: "select_rows",
    when: "The policies are complete",
  },
  {
    action: "configure",
    description: "Broadcast changes over WebSocket; each connection gets only what its policies permit.",
    tool: "manage_realtime",
    when: "Clients should see changes as they happen",
  },
];
