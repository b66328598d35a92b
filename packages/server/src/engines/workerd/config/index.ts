export { ConfigError } from "./capnp-text.ts";
export { actorSocket, functionSocket, listeningSockets, SCHEME_HEADER, SOCKETS } from "./layout.ts";
export { renderConfig } from "./render.ts";
export { newTokens, type ProcessTokens } from "./tokens.ts";
