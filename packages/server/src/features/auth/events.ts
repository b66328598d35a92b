import type { Log } from "../../kernel/log.ts";

/** Calls every listener; one that throws is logged and stops neither the others nor the caller. */
export interface Signal<T extends unknown[]> {
  on(listener: (...event: T) => void | Promise<void>): void;
  emit(...event: T): void;
}

export function createSignal<T extends unknown[]>(name: string, log: Log): Signal<T> {
  const listeners: ((...event: T) => void | Promise<void>)[] = [];
  return {
    on: (listener) => void listeners.push(listener),
    emit(...event) {
      for (const listener of listeners) {
        (async () => listener(...event))().catch((error) =>
          log.error({ err: error, signal: name }, "a listener failed"),
        );
      }
    },
  };
}
