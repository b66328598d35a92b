import type { UpstreamFailure } from "../types.ts";

/**
 * A way to one MCP server on which whole JSON-RPC messages go both ways: a program's stdin and stdout, or an HTTP+SSE
 * connection. One channel is one session of the server's.
 */
export interface Channel {
  /**
   * Sends one message, serialised as JSON without line breaks. Returns a promise when the other side is slow: it resolves
   * when that has taken what it was sent, at the latest when the channel has closed. It rejects only with an
   * UpstreamError whose failure says that this message did not go out (`ran: "no"`); with a channel that has closed it
   * does nothing: the close listener has said why.
   */
  send(text: string): void | Promise<void>;
  /**
   * Registers the one receiver of the server's messages, in order; registering again replaces it. Each is the text of
   * one JSON object, exactly as it came. Register it in the same turn in which the channel was made: nothing is kept.
   */
  onMessage(listener: (text: string) => void): void;
  /**
   * Registers the one receiver of the end, whatever its reason; registering again replaces it. It is called once and
   * nothing comes after it; at once when the channel has ended already.
   */
  onClose(listener: (failure: UpstreamFailure) => void): void;
  /**
   * Optional: a message of the server's was dropped because it is larger than may be passed on. `id` is the id of the
   * answer it was, as far as one could see.
   */
  onTooLarge?(listener: (id: string | number | null) => void): void;
  /** Ends the channel and what is behind it; resolves when that is gone. Calling it again does no harm. */
  close(): Promise<void>;
}

/**
 * Opens a channel of its own: for stdio, a process of its own. Rejects with an UpstreamError (`connect`, or `refused`
 * when a limit does not let one more be opened). Aborting the signal gives up opening; an open channel does not care.
 */
export type ChannelFactory = (signal: AbortSignal) => Promise<Channel>;
