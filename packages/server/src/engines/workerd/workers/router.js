/** What answers on the program's own socket: its health. Classes and functions have sockets of their own. */
export default {
  /** @param {Request} request */
  fetch(request) {
    const url = request.url;
    if (url.startsWith("/_ambit/health", url.indexOf("/", 8))) return new Response("ok");
    return new Response("unknown DO", { status: 404 });
  },
};
