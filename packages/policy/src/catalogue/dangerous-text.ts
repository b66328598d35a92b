/** Expressions (RE2 syntax) for what no call should send unseen. They stop the obvious, not someone who hides it. */
export const DANGEROUS = {
  sql: {
    /** What takes away, hands out rights, leaves the database, or hides a second statement. */
    denied: [
      "(?i)\\b(drop|truncate|alter|grant|revoke)\\b",
      "(?i)\\bdelete\\s+from\\b",
      "(?is)\\b(copy\\b.*\\b(program|to|from)\\b|pg_read_file|pg_write_file|lo_export|lo_import|dblink|xp_cmdshell|load_file|into\\s+(out|dump)file)",
      ";\\s*\\S",
    ],
    message:
      "Statements that destroy, change rights, reach beyond the database or come several at once are not allowed.",
    /** What changes something; everything else reads. */
    asked:
      "(?i)\\b(insert|update|delete|merge|replace|upsert|create|call|do|execute|exec|set|lock|vacuum|into|comment|reindex|refresh|cluster|notify|nextval|setval|pg_terminate_backend|pg_cancel_backend)\\b",
  },
  shell: {
    denied: [
      "\\brm\\s+(-\\S+\\s+)*(-[a-zA-Z]*[rRf]|--recursive|--force)",
      "(?s)\\b(mkfs|wipefs|fdisk|shred)\\b|\\bdd\\s+.*\\bof=|>\\s*/dev/(sd|nvme|disk|mem)",
      "\\b(shutdown|reboot|halt|poweroff)\\b|\\bkill\\s+-9\\s+-?1\\b|:\\s*\\(\\s*\\)\\s*\\{",
      "(?s)(curl|wget)\\b.*\\|\\s*(sudo\\s+)?(ba|z|da|k)?sh\\b",
      "(?s)\\bgit\\s+push\\b.*(\\s--force|\\s-f\\b|\\s\\+)|\\bgit\\s+reset\\s+--hard",
      "\\.ssh\\b|\\.aws/credentials|/etc/(passwd|shadow|sudoers)|169\\.254\\.169\\.254",
    ],
    message:
      "Commands that wipe, take the machine down, run what they download or read credentials are not allowed.",
  },
  code: {
    denied: [
      "\\brm\\s+-[a-zA-Z]*[rRf]|\\brmtree\\b|\\brmSync\\b|\\bunlinkSync\\b",
      "\\bchild_process\\b|\\bos\\.system\\b|\\bsubprocess\\b|\\bpopen\\b",
      "\\.ssh\\b|\\.aws/credentials|/etc/(passwd|shadow|sudoers)|169\\.254\\.169\\.254",
    ],
    message: "Code that starts programs, wipes directories or reads credentials is not allowed.",
  },
} as const;
