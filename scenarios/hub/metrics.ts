import {
  EndpointError,
  type ObservedServer,
  parseEndpoint,
  PROMETHEUS_CONTENT_TYPE,
  prometheusText,
  type ServerStatus,
} from "../../mod.ts";

/** What a hub shows of itself, or several shown as one. */
export interface Observed extends ObservedServer {
  readonly status: ServerStatus;
}

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
 * Serves over HTTP what `observe` returns: `/metrics` is the hub's counters for Prometheus, and `/health` is 200 while the hub takes clients,
 * 503 otherwise, for load balancers.
 *
 * @throws {EndpointError} If the endpoint cannot be listened on.
 */
export function serveMetrics(
  endpoint: string,
  observe: () => Observed | Promise<Observed>,
): Deno.HttpServer<Deno.NetAddr> {
  const { hostname, port } = metricsAddress(endpoint);
  try {
    return Deno.serve(
      { hostname, port, onListen() {} },
      async (request) => respond(request, await observe()),
    );
  } catch (error) {
    throw new EndpointError("listen on", parseEndpoint(endpoint), error);
  }
}

function respond(request: Request, hub: Observed): Response {
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
