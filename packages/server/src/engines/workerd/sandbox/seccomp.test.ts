import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readHost } from "./host.ts";
import { seccompFilter } from "./seccomp.ts";
import { type SyscallTable, syscallsOf } from "./syscalls.ts";

const allow = 0x7fff0000;
const eperm = 0x00050001;
const enosys = 0x00050026;
const kill = 0x80000000;

/** Runs the program as the kernel would, on one call. */
function verdict(filter: Buffer, call: { arch: number; number: number; args?: number[] }): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call.number >>> 0, 0);
  data.writeUInt32LE(call.arch >>> 0, 4);
  for (const [index, value] of (call.args ?? []).entries()) data.writeUInt32LE(value >>> 0, 16 + 8 * index);
  let accumulator = 0;
  for (let at = 0; ; at++) {
    const code = filter.readUInt16LE(at * 8);
    const k = filter.readUInt32LE(at * 8 + 4);
    const jump = (yes: boolean) => {
      at += filter.readUInt8(at * 8 + (yes ? 2 : 3));
    };
    if (code === 0x06) return k;
    if (code === 0x20) accumulator = data.readUInt32LE(k);
    else if (code === 0x15) jump(accumulator === k);
    else if (code === 0x35) jump(accumulator >= k);
    else if (code === 0x45) jump((accumulator & k) !== 0);
    else throw new Error(`unknown instruction ${code}`);
  }
}

describe.each(["x64", "arm64"])("the filter for %s", (machine) => {
  const table = syscallsOf(machine) as SyscallTable;
  const filter = seccompFilter(table);
  const ask = (number: number, ...args: number[]) => verdict(filter, { arch: table.auditArch, number, args });

  it("denies what is on the list and nothing near it", () => {
    const denied = new Set(Object.values(table.denied));
    const special = new Set([table.socket, table.socketpair, table.clone, table.clone3, table.ioctl]);
    for (let number = 0; number < 500; number++) {
      if (special.has(number)) continue;
      expect(ask(number), `call ${number}`).toBe(denied.has(number) ? eperm : allow);
    }
  });

  it("has the calls that reach out of a sandbox on its list", () => {
    expect(Object.keys(table.denied)).toEqual(
      expect.arrayContaining([
        ...["mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "mount_setattr"],
        ...["unshare", "setns", "ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd"],
        ...["bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "keyctl", "add_key", "request_key"],
        ...["kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "reboot"],
        ...["open_by_handle_at", "name_to_handle_at", "acct", "swapon", "swapoff", "quotactl", "mknodat"],
        ...["settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "personality"],
      ]),
    );
  });

  it("allows Unix sockets only", () => {
    for (const call of [table.socket, table.socketpair]) {
      expect(ask(call, 1)).toBe(allow);
      for (const family of [0, 2, 10, 16, 17, 38, 40]) expect(ask(call, family)).toBe(eperm);
    }
  });

  it("allows threads and processes, but no new namespaces", () => {
    const thread = 0x3d0f00;
    expect(ask(table.clone, thread)).toBe(allow);
    expect(ask(table.clone, 17)).toBe(allow);
    for (const flag of [0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000])
      expect(ask(table.clone, thread | flag)).toBe(eperm);
    expect(ask(table.clone3)).toBe(enosys);
  });

  it("keeps hands off terminals", () => {
    expect(ask(table.ioctl, 0, 0x5401)).toBe(allow);
    expect(ask(table.ioctl, 0, 0x5412)).toBe(eperm);
    expect(ask(table.ioctl, 0, 0x541c)).toBe(eperm);
  });

  it("kills on calls of another architecture", () => {
    expect(verdict(filter, { arch: 0x40000003, number: 1 })).toBe(kill);
    expect(ask(0x40000000 + 1)).toBe(table.foreignFrom === null ? allow : eperm);
  });
});

it("knows no other machine", () => {
  expect(syscallsOf("s390x")).toBeNull();
});

const { tools } = readHost();
const table = syscallsOf(process.arch);

describe.skipIf(!tools.bwrap || !table)("in the kernel", () => {
  const dir = mkdtempSync(join(tmpdir(), "ambit-seccomp-"));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, "filter"), seccompFilter(table as SyscallTable));

  /** As root of a user namespace, so that only the filter stands in the way. */
  function run(filtered: boolean, ...command: string[]) {
    const fd = openSync(join(dir, "filter"), "r");
    const root = ["--unshare-user", "--uid", "0", "--gid", "0", "--cap-add", "ALL", "--bind", "/", "/"];
    const filter = filtered ? ["--seccomp", "3"] : [];
    const result = spawnSync(tools.bwrap ?? "", [...root, ...filter, "--", ...command], {
      stdio: ["ignore", "pipe", "pipe", fd],
      encoding: "utf8",
    });
    closeSync(fd);
    return result;
  }

  it.each([
    ["unshare", ["unshare", "--uts", "true"]],
    ["chroot", ["chroot", "/", "true"]],
    ["mount", ["mount", "-t", "tmpfs", "none", "/tmp"]],
  ])("%s works without the filter and fails with it", (_name, command) => {
    expect(run(false, ...command).status).toBe(0);
    const denied = run(true, ...command);
    expect(denied.status).not.toBe(0);
    expect(denied.stderr).toMatch(/not permitted|permission denied/i);
  });

  it("sockets to the network fail, Unix sockets and threads work", () => {
    const script = `
      const net = require("node:net"), { Worker } = require("node:worker_threads");
      const unix = net.createServer().listen("\\0ambit-seccomp-" + process.pid, () => {
        unix.close();
        net.createServer().on("error", (error) => {
          new Worker("require('node:worker_threads').parentPort.postMessage('thread')", { eval: true })
            .once("message", (text) => console.log(error.code, text));
        }).listen(0, "127.0.0.1", () => { console.log("network"); process.exit(); });
      });`;
    expect(run(false, process.execPath, "-e", script).stdout.trim()).toBe("network");
    expect(run(true, process.execPath, "-e", script).stdout.trim()).toBe("EPERM thread");
  });
});
