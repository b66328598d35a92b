import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isSameProcess, startToken } from "./process.ts";

let registrations = 0;

/**
 * Who uses the server: one empty file per use, named after the process and its start, so that a file left by a
 * killed process is never mistaken for a live one. Call these under the start lock.
 */
export class Holder {
  readonly #directory: string;
  readonly #name: string;

  constructor(directory: string) {
    this.#directory = directory;
    this.#name = `${process.pid}.${++registrations}.${startToken(process.pid)}`;
  }

  register(): void {
    writeFileSync(join(this.#directory, this.#name), "");
  }

  release(): void {
    rmSync(join(this.#directory, this.#name), { force: true });
  }

  /** Whether anybody else alive uses the server; files of dead processes are removed on the way. */
  hasCompany(): boolean {
    const others = readdirSync(this.#directory).filter((name) => name !== this.#name);
    return others.filter((name) => this.#isAlive(name)).length > 0;
  }

  #isAlive(name: string): boolean {
    const [pid, , token] = name.split(".");
    if (isSameProcess(Number(pid), token ?? "")) return true;
    rmSync(join(this.#directory, name), { force: true });
    return false;
  }
}
