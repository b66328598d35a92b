import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { quoteSetting, renderConfiguration } from "./configuration.ts";
import { chooseIdentity, findInPasswd, type Owner } from "./identity.ts";
import { limits } from "./limits.ts";
import { parsePidFile } from "./pid-file.ts";
import { nextRestartState, type RestartState, restartPauseMs } from "./restart.ts";
import { chooseSocketDir, socketPath } from "./socket.ts";

describe("chooseIdentity", () => {
  const accounts: Record<string, Owner> = {
    postgres: { uid: 101, gid: 104 },
    nobody: { uid: 65_534, gid: 65_534 },
  };
  const choose = (uid: number, dataOwner?: Owner, known = accounts) =>
    chooseIdentity({ self: { uid, gid: uid }, dataDir: "/d", dataOwner, account: (user) => known[user] });

  it("keeps an ordinary user", () => {
    expect(choose(1000)).toEqual({ uid: 1000, gid: 1000, switched: false });
    expect(choose(1000, { uid: 1000, gid: 5 })).toEqual({ uid: 1000, gid: 1000, switched: false });
  });

  it("makes root the owner of the data, else postgres, else nobody", () => {
    expect(choose(0, { uid: 7, gid: 8 })).toEqual({ uid: 7, gid: 8, switched: true });
    expect(choose(0)).toEqual({ uid: 101, gid: 104, switched: true });
    expect(choose(0, undefined, { nobody: accounts.nobody! })).toEqual({
      ...accounts.nobody,
      switched: true,
    });
  });

  it("never runs as root or in its group", () => {
    expect(choose(0, { uid: 7, gid: 0 })).toMatchObject({ gid: 7 });
    expect(() => choose(0, { uid: 0, gid: 0 })).toThrow(
      expect.objectContaining({ code: "POSTGRES_DATA_FOREIGN_OWNER" }),
    );
    expect(() => choose(0, undefined, {})).toThrow(
      expect.objectContaining({ code: "POSTGRES_NO_UNPRIVILEGED_USER" }),
    );
  });

  it("reads passwd files as Linux and macOS write them", () => {
    const passwd =
      "root:x:0:0:root:/root:/bin/sh\nnobody:*:-2:-2:Nobody:/:/usr/bin/false\n# note\nbob:x:7:8::/:\n";
    expect(findInPasswd(passwd, "nobody")).toEqual({ uid: 4_294_967_294, gid: 4_294_967_294 });
    expect(findInPasswd(passwd, 7)).toEqual({ uid: 7, gid: 8 });
    expect(findInPasswd(passwd, "carol")).toBeUndefined();
  });
});

describe("restarts", () => {
  const fresh: RestartState = { failures: 0, readySinceMs: 0 };

  it("are immediate at first, then wait twice as long each time, up to a bound", () => {
    let state = nextRestartState(fresh, "died", 5);
    const pauses = [restartPauseMs(state)];
    for (let attempt = 0; attempt < 8; attempt++) {
      state = nextRestartState(state, "restart failed", 10);
      pauses.push(restartPauseMs(state));
    }
    expect(pauses).toEqual([0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  });

  it("forgive deaths before a long life, and only those", () => {
    const events = fc.array(fc.constantFrom("died", "restart failed", "ready" as const), { maxLength: 30 });
    fc.assert(
      fc.property(events, fc.nat(100_000), (history, lifeMs) => {
        const before = history.reduce((state, event) => nextRestartState(state, event, 1), fresh);
        const ready = nextRestartState(before, "ready", 1_000);
        const died = nextRestartState(ready, "died", 1_000 + lifeMs);
        const expected =
          lifeMs >= limits.restartForgiveMs ? 0 : restartPauseMs({ ...ready, failures: ready.failures + 1 });
        expect(restartPauseMs(died)).toBe(expected);
      }),
    );
  });
});

describe("postmaster.pid", () => {
  const text = "5030\n/data/c\n1795331875\n5432\n/run/s p\n\n  2162714        59\nready   \n";

  it("is read as the postmaster writes it, as far as it has come", () => {
    expect(parsePidFile(text)).toEqual({ pid: 5030, port: 5432, socketDir: "/run/s p", status: "ready" });
    expect(parsePidFile("5030\n/data/c\n")).toEqual({
      pid: 5030,
      port: undefined,
      socketDir: undefined,
      status: "",
    });
  });

  it("never yields a number that a signal would carry further than one process", () => {
    for (const odd of ["", "\n", "0\n", "1\n", "-77\n/data\n", "abc\n", "12.5\n", "1e400\n"]) {
      expect(parsePidFile(odd), odd).toBeUndefined();
    }
    fc.assert(fc.property(fc.string(), (any) => (parsePidFile(any)?.pid ?? 2) > 1));
  });
});

describe("the socket directory", () => {
  it("is inside the state directory exactly as long as the socket's path fits", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^\/[a-zé]{1,120}$/), (stateDir) => {
        const chosen = chooseSocketDir(stateDir, ["/tmp"]);
        const inside = `${stateDir}/postgres.socket`;
        const fits = Buffer.byteLength(`${inside}/.s.PGSQL.5432`) <= limits.socketPathBytes;
        expect(chosen.startsWith(fits ? inside : "/tmp/ambit-")).toBe(true);
        expect(Buffer.byteLength(socketPath(chosen, 5432))).toBeLessThanOrEqual(limits.socketPathBytes);
      }),
    );
  });
});

describe("the managed configuration", () => {
  const place = { socketDir: "/s", clusterName: "ambit-1" };

  it("lets the caller override anything but the socket's place", () => {
    const settings = {
      shared_buffers: "1GB",
      port: "1",
      unix_socket_directories: "/elsewhere",
      "pg_stat.x": "y",
    };
    const text = renderConfiguration(settings, place);
    expect(text).toContain("\nshared_buffers = '1GB'\n");
    expect(text).toContain("\nport = '5432'\n");
    expect(text).toContain(`\nunix_socket_directories = '"/s"'\n`);
    expect(text).toContain("\npg_stat.x = 'y'\n");
  });

  it("keeps one setting to one line, whatever the value", () => {
    fc.assert(
      fc.property(
        fc.string().filter((value) => !value.includes("\0")),
        (value) => !/[\r\n]/.test(quoteSetting("x", value)),
      ),
    );
    for (const name of ["", "a b", "a=b", "a\nb", "a.b.c", "1a"]) {
      expect(() => renderConfiguration({ [name]: "1" }, place), name).toThrow(
        expect.objectContaining({ code: "POSTGRES_SETTING_INVALID" }),
      );
    }
    expect(() => quoteSetting("x", "a\0b")).toThrow(
      expect.objectContaining({ code: "POSTGRES_SETTING_INVALID" }),
    );
  });
});
