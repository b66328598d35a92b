import type { SyscallTable } from "./syscalls.ts";

// linux/filter.h, linux/seccomp.h: the few words of classic BPF this filter needs.
const LOAD_WORD = 0x20;
const IF_EQUAL = 0x15;
const IF_AT_LEAST = 0x35;
const IF_ANY_BIT = 0x45;
const RETURN = 0x06;
const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const FAIL_WITH = 0x00050000;
const EPERM = 1;
const ENOSYS = 38;

// struct seccomp_data: nr, arch, instruction pointer, six arguments of 8 bytes (little-endian on both machines).
const NUMBER = 0;
const ARCH = 4;
const argument = (index: number) => 16 + 8 * index;

const AF_UNIX = 1;
/** CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const NEW_NAMESPACES = 0x7e020080;
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;

type Goal = "next" | "allow" | "deny" | "missing" | "kill";
interface Instruction {
  readonly code: number;
  readonly k: number;
  readonly yes?: Goal;
  readonly no?: Goal;
}

/**
 * The seccomp filter for workerd as a classic BPF program: every call is allowed but the denied ones, which fail with
 * EPERM; sockets of any family but AF_UNIX and new namespaces likewise. Calls of another architecture kill.
 * `clone3` answers ENOSYS: its flags can't be read by a filter, and the C library then uses `clone`.
 */
export function seccompFilter(table: SyscallTable): Buffer {
  const load = (k: number): Instruction => ({ code: LOAD_WORD, k });
  const equal = (k: number, yes: Goal, no: Goal = "next"): Instruction => ({ code: IF_EQUAL, k, yes, no });
  const body: Instruction[] = [load(ARCH), equal(table.auditArch, "next", "kill"), load(NUMBER)];
  if (table.foreignFrom !== null)
    body.push({ code: IF_AT_LEAST, k: table.foreignFrom, yes: "deny", no: "next" });
  for (const number of Object.values(table.denied)) body.push(equal(number, "deny"));
  body.push(equal(table.clone3, "missing"));
  // Each of these groups reads an argument, so it ends in a verdict; "no" skips the group.
  const groups: [number, Instruction[]][] = [
    [table.socket, [load(argument(0)), equal(AF_UNIX, "allow", "deny")]],
    [table.socketpair, [load(argument(0)), equal(AF_UNIX, "allow", "deny")]],
    [table.clone, [load(argument(0)), { code: IF_ANY_BIT, k: NEW_NAMESPACES, yes: "deny", no: "allow" }]],
    [table.ioctl, [load(argument(1)), equal(TIOCSTI, "deny"), equal(TIOCLINUX, "deny", "allow")]],
  ];
  const guards: { at: number; skip: number }[] = [];
  for (const [number, group] of groups) {
    guards.push({ at: body.length, skip: group.length });
    body.push(equal(number, "next"), ...group);
  }
  return assemble(body, new Map(guards.map(({ at, skip }) => [at, skip])));
}

/** Turns goals into offsets; the four verdicts follow the body. `skips`: how far a failed guard jumps. */
function assemble(body: readonly Instruction[], skips: ReadonlyMap<number, number>): Buffer {
  const verdicts: Exclude<Goal, "next">[] = ["allow", "deny", "missing", "kill"];
  const values = { allow: ALLOW, deny: FAIL_WITH | EPERM, missing: FAIL_WITH | ENOSYS, kill: KILL_PROCESS };
  const out = Buffer.alloc(8 * (body.length + verdicts.length));
  const jump = (at: number, goal: Goal) =>
    goal === "next" ? 0 : body.length + verdicts.indexOf(goal) - at - 1;
  const write = (at: number, code: number, yes: number, no: number, k: number) => {
    out.writeUInt16LE(code, at * 8);
    // Jumps are one byte; writeUInt8 throws if the list ever grows beyond it.
    out.writeUInt8(yes, at * 8 + 2);
    out.writeUInt8(no, at * 8 + 3);
    out.writeUInt32LE(k >>> 0, at * 8 + 4);
  };
  for (const [at, one] of body.entries())
    write(at, one.code, jump(at, one.yes ?? "next"), skips.get(at) ?? jump(at, one.no ?? "next"), one.k);
  for (const [index, verdict] of verdicts.entries())
    write(body.length + index, RETURN, 0, 0, values[verdict]);
  return out;
}
