/**
 * What a balancer shows of itself over HTTP.
 *
 * @module
 */

import { EndpointError } from "../../io/endpoint_error.ts";
import { parseEndpoint } from "../../io/endpoint.ts";
import { PROMETHEUS_CONTENT_TYPE } from "../../observe/prometheus.ts";
import type { Balancer } from "../../proxy/balance/balancer.ts";
import { balanceMetrics } from "../../proxy/balance/metrics.ts";
import PAGE from "./balance_page.html" with { type: "text" };

/**
 * The host and port to serve pages at.
 *
 * @throws {SyntaxError} If `text` is not `tcp://HOST:PORT`.
 */
export function parsePageEndpoint(
  text: string,
): { hostname: string; port: number } {
  const endpoint = parseEndpoint(text);
  if (endpoint.scheme === "tcp") return endpoint;
  throw new SyntaxError(
    `Cannot serve pages: tcp://HOST:PORT is expected: current value is "${text}"`,
  );
}

/**
 * Serves `/` for people, `/state` for programs and `/metrics` for Prometheus.
 *
 * @throws {EndpointError} If the endpoint cannot be listened on.
 */
export function servePages(
  endpoint: string,
  front: Balancer,
): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve(
      { ...parsePageEndpoint(endpoint), onListen() {} },
      (request) => respond(new URL(request.url).pathname, front),
    );
  } catch (error) {
    throw new EndpointError("listen on", parseEndpoint(endpoint), error);
  }
}

function respond(path: string, front: Balancer): Response {
  switch (path) {
    case "/":
      return new Response(PAGE, {
        headers: {
          "content-type": "text/html; charset=utf-8",
          "content-security-policy":
            "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'",
        },
      });
    case "/state": {
      const { policy, connections, queued, backends } = front;
      return Response.json({ policy, connections, queued, backends });
    }
    case "/metrics":
      return new Response(balanceMetrics(front), {
        headers: { "content-type": PROMETHEUS_CONTENT_TYPE },
      });
    default:
      return new Response("Here are /, /state and /metrics\n", { status: 404 });
  }
}
