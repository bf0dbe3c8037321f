import { stripTypeScriptTypes } from "node:module";

/** Where web pages find the client of a gateway, and the modules that it is made of. */
const FOLDER = "/portolan/";

/** What may be asked for: no page reads other files by this. */
const MODULES: ReadonlySet<string> = new Set([
  "client/resumable_socket.ts",
  "proto/errors.ts",
  "proto/resilience/backoff.ts",
  "proto/resume/messages.ts",
  "proto/resume/resumable_stream.ts",
]);

/**
 * Answers a browser that imports the client of a gateway, `/portolan/client/resumable_socket.ts`: the very files of this
 * library, their types stripped. Where it was loaded from the disk, that needs permission to read it.
 */
export async function serveResumableSocket(
  request: Request,
): Promise<Response> {
  const { pathname } = new URL(request.url);
  const path = pathname.startsWith(FOLDER) ? pathname.slice(FOLDER.length) : "";
  if (!MODULES.has(path)) {
    return new Response("This is a gateway for WebSockets\n", {
      status: pathname === "/health" ? 200 : 404,
    });
  }
  return new Response(stripTypeScriptTypes(await loadText(path)), {
    headers: {
      "content-type": "text/javascript; charset=utf-8",
      "access-control-allow-origin": "*",
    },
  });
}

/** The text of a file of this library. Not known to the type checker, which takes it for code where it comes over HTTP. */
async function loadText(path: string): Promise<string> {
  const { href } = new URL(`../${path}`, import.meta.url);
  const { default: text } = await import(href, { with: { type: "text" } });
  return text;
}
