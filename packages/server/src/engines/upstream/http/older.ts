import { createSessionUpstream } from "../channel/sessions.ts";
import { openSseChannel } from "../sse/channel.ts";
import type { Upstream, UpstreamFailure, UpstreamListener, UpstreamRequest } from "../types.ts";
import type { Lane } from "./lane.ts";

/** Sessions over the older transport live on one node; their ids are made here, and say so everywhere. */
const PREFIX = "ambit-sse-";

/** Whether a session is one over the older transport. Pure. */
export const isOlderSession = (sessionId: string | null): boolean => sessionId?.startsWith(PREFIX) === true;

/** Whether a refused `initialize` means that the server may only know the older transport. Pure. */
export const mayBeOlder = ({ kind, status }: UpstreamFailure): boolean =>
  kind === "refused" && (status === 400 || status === 404 || status === 405);

/** A server over the older transport; nothing is connected before the first session. */
export function createOlder(lane: Lane, onLimit: (limit: string) => void): Upstream {
  const upstream = createSessionUpstream((signal) => openSseChannel(lane, signal), {
    log: lane.log,
    probesStateless: false,
    limits: { maxChannels: lane.limits.olderSessions, requestIdleMs: lane.limits.idleMs },
    onLimit,
  });
  const bare = (sessionId: string) => sessionId.slice(PREFIX.length);
  return {
    ...upstream,
    send(request: UpstreamRequest, listener: UpstreamListener) {
      if (request.sessionId === null) upstream.send(request, naming(listener));
      else upstream.send({ ...request, sessionId: bare(request.sessionId) }, listener);
    },
    listen: (session, listener) =>
      upstream.listen({ ...session, sessionId: bare(session.sessionId) }, listener),
    endSession: (sessionId) => upstream.endSession(bare(sessionId)),
  };
}

function naming(listener: UpstreamListener): UpstreamListener {
  return {
    ...passing(listener),
    onHead: (head) =>
      listener.onHead(head.sessionId === null ? head : { ...head, sessionId: PREFIX + head.sessionId }),
  };
}

/** The same listener as an object that can be spread. */
export function passing(listener: UpstreamListener): UpstreamListener {
  return {
    onHead: (head) => listener.onHead(head),
    onMessage: (message) => listener.onMessage(message),
    onEnd: () => listener.onEnd(),
    onFailure: (failure) => listener.onFailure(failure),
  };
}
