import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Exchange, Outcome, ProgramKey, Target } from "../../engines/workerd/types.ts";

/** Changes the headers of user code's answer before the caller gets them; flat lists. */
export type OnHeaders = (status: number, headers: readonly string[]) => string[];

/** What this door asks of the engine beyond a plain exchange. */
export interface ActorEngine {
  forward(
    key: ProgramKey,
    target: Target,
    exchange: Exchange,
    response: ServerResponse,
    options?: { readonly onHeaders?: OnHeaders },
  ): Promise<Outcome>;
  upgrade(
    key: ProgramKey,
    target: Target,
    exchange: Exchange,
    socket: Duplex,
    head: Buffer,
    options?: {
      /** Selected when user code selects none of the offered sub-protocols. */
      readonly selectProtocol?: string;
      /** Of an answer that is no upgrade. */
      readonly onHeaders?: OnHeaders;
      /** Aborted when the connection may not stand any more: it is closed with 1008 and the reason's message. */
      readonly signal?: AbortSignal;
    },
  ): Promise<Outcome>;
}
