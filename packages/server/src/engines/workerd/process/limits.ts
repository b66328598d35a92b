/** A program that does not listen by then never will: a loop at the top level of a module. */
export const READY_TIMEOUT_MS = 5_000;
/** How often a start looks for workerd among the processes it set off. */
export const PID_POLL_MS = 2;
/** The wait for the lock and the building of the sandbox, generously. */
export const PID_TIMEOUT_MS = 15_000;
/** After a kill of the inner process, the outer ones end by themselves; later than this they are killed too. */
export const OUTER_KILL_AFTER_MS = 1_000;
/** Kept of standard error. */
export const STDERR_TAIL_BYTES = 16 * 1024;
/** A line on the control descriptor is about 50 bytes; more than this is nonsense. */
export const CONTROL_LINE_BYTES = 4 * 1024;
/** `sun_path` holds 107 bytes and a NUL; the directory leaves room for `/123456/s/fn-123.sock`. */
export const RUNTIME_DIR_BYTES = 70;
/** A runtime directory that doesn't say whose it is goes when it is older than this. */
export const OWNERLESS_AFTER_MS = 60_000;
