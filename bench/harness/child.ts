import { fork } from "node:child_process";
import { once } from "node:events";
import { ensureOpen } from "./resources.ts";

/** By name; each has an argument and an answer of its own. */
export type Commands = Record<string, (argument: any) => unknown>;

/** What goes over the channel between the two processes. */
export interface Order {
  readonly command: string;
  readonly argument: unknown;
}
export type Answer = { readonly value: unknown } | { readonly problem: string };

/** A process of our own that carries out commands, one at a time. */
export interface Child<C extends Commands> {
  /** Rejects with what the command threw there, or when the process ends. */
  call<K extends keyof C & string>(
    command: K,
    argument: Parameters<C[K]>[0],
  ): Promise<Awaited<ReturnType<C[K]>>>;
}

/** Starts `file`, a module that ends in `serve(commands)`; the process ends with `resources`. */
export function startChild<C extends Commands>(resources: AsyncDisposableStack, file: URL): Child<C> {
  ensureOpen(resources);
  const child = fork(file.pathname);
  const exited = once(child, "exit");
  resources.defer(async () => {
    if (child.connected) child.disconnect();
    await exited;
  });
  return {
    async call(command, argument) {
      child.send({ command, argument } satisfies Order);
      const ended = exited.then(() => Promise.reject(new Error(`${file.pathname} ended`)));
      const [answer]: Answer[] = await Promise.race([once(child, "message"), ended]);
      if (answer === undefined || "problem" in answer) throw new Error(answer?.problem ?? "no answer");
      return answer.value as never;
    },
  };
}

/** In the child: carries out what the parent asks for, and ends with the parent. */
export function serve(commands: Commands): void {
  process.on("message", async ({ command, argument }: Order) => {
    try {
      process.send!({ value: await commands[command]!(argument) } satisfies Answer);
    } catch (error) {
      process.send!({ problem: String(error) } satisfies Answer);
    }
  });
  process.on("disconnect", () => process.exit());
}
