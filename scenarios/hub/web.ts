/**
 * What browsers are answered that come to a WebSocket endpoint without wanting a WebSocket.
 *
 * @module
 */

import page from "./web/page.html" with { type: "text" };

/** The page's own style and script, its own WebSocket, and nothing else. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; " +
  "script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'";

/** Answers `/` with a page to talk by, and `/health` with whether the hub takes clients. */
export function answerBrowser(
  request: Request,
  hub: { readonly status: string },
): Response {
  const { pathname } = new URL(request.url);
  if (pathname === "/health") {
    const isUp = hub.status === "listening";
    return new Response(`${hub.status}\n`, { status: isUp ? 200 : 503 });
  }
  if (pathname !== "/") return new Response("Not found\n", { status: 404 });
  return new Response(page, {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": POLICY,
      "x-content-type-options": "nosniff",
    },
  });
}
