import { stripTypeScriptTypes } from "node:module";
import resumableSocket from "../client/resumable_socket.ts" with {
  type: "text",
};
import errors from "../proto/errors.ts" with { type: "text" };
import backoff from "../proto/resilience/backoff.ts" with { type: "text" };
import messages from "../proto/resume/messages.ts" with { type: "text" };
import resumableStream from "../proto/resume/resumable_stream.ts" with {
  type: "text",
};

/** Where web pages find the client of a gateway, and the modules that it is made of. */
const FOLDER = "/portolan/";

/** The modules by their paths, in TypeScript. */
const MODULES: ReadonlyMap<string, string> = new Map([
  ["client/resumable_socket.ts", resumableSocket],
  ["proto/errors.ts", errors],
  ["proto/resilience/backoff.ts", backoff],
  ["proto/resume/messages.ts", messages],
  ["proto/resume/resumable_stream.ts", resumableStream],
]);

/**
 * Answers a browser that imports the client of a gateway, `/portolan/client/resumable_socket.ts`: the very files of this
 * library, their types stripped.
 */
export function serveResumableSocket(request: Request): Response {
  const { pathname } = new URL(request.url);
  const source = pathname.startsWith(FOLDER)
    ? MODULES.get(pathname.slice(FOLDER.length))
    : undefined;
  if (source === undefined) {
    return new Response("This is a gateway for WebSockets\n", {
      status: pathname === "/health" ? 200 : 404,
    });
  }
  return new Response(stripTypeScriptTypes(source), {
    headers: {
      "content-type": "text/javascript; charset=utf-8",
      "access-control-allow-origin": "*",
    },
  });
}
