import {
  EndpointError,
  parseEndpoint,
  PROMETHEUS_CONTENT_TYPE,
  prometheusText,
} from "../../mod.ts";
import type { Hub } from "./server.ts";

/**
 * The host and port to serve a page at.
 *
 * @throws {SyntaxError} If `endpoint` is not `tcp://HOST:PORT`.
 */
export function metricsAddress(
  endpoint: string,
): { hostname: string; port: number } {
  const parsed = parseEndpoint(endpoint);
  if (parsed.scheme === "tcp") return parsed;
  throw new SyntaxError(
    `Cannot serve metrics: tcp://HOST:PORT is expected: current value is "${endpoint}"`,
  );
}

/**
 * Serves over HTTP: `/metrics` is the hub's counters for Prometheus, and `/health` is 200 while the hub takes clients,
 * 503 otherwise, for load balancers.
 *
 * @throws {EndpointError} If the endpoint cannot be listened on.
 */
export function serveMetrics(
  endpoint: string,
  hub: Hub,
): Deno.HttpServer<Deno.NetAddr> {
  const { hostname, port } = metricsAddress(endpoint);
  try {
    return Deno.serve(
      { hostname, port, onListen() {} },
      (request) => respond(request, hub),
    );
  } catch (error) {
    throw new EndpointError("listen on", parseEndpoint(endpoint), error);
  }
}

function respond(request: Request, hub: Hub): Response {
  switch (new URL(request.url).pathname) {
    case "/metrics":
      return new Response(prometheusText(hub), {
        headers: { "content-type": PROMETHEUS_CONTENT_TYPE },
      });
    case "/health":
      return new Response(`${hub.status}\n`, {
        status: hub.status === "listening" ? 200 : 503,
      });
    default:
      return new Response("Here are /metrics and /health\n", { status: 404 });
  }
}
