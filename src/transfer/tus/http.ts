import { parseEndpoint } from "../../io/endpoint.ts";
import { EndpointError } from "../../io/endpoint_error.ts";
import type { ServeTusOptions } from "./serve_tus.ts";

/** The address of a server, checked. */
export function readEndpoint({ listen, tls }: ServeTusOptions): URL {
  const url = URL.canParse(listen) ? new URL(listen) : undefined;
  if (!/^https?:$/.test(url?.protocol ?? "") || url!.search || url!.hash) {
    throw new SyntaxError(
      `Cannot serve tus: http://HOST:PORT/PATH is expected: current value is "${listen}"`,
    );
  }
  if ((url!.protocol === "https:") !== (tls !== undefined)) {
    throw new SyntaxError(
      `Cannot serve tus at ${listen}: a certificate goes with https: alone`,
    );
  }
  return url!;
}

/** Serves HTTP or HTTPS there, until `signal` is aborted. */
export function listen(
  url: URL,
  { tls, signal }: ServeTusOptions & { signal: AbortSignal },
  serve: (
    request: Request,
    info: Deno.ServeHandlerInfo<Deno.NetAddr>,
  ) => Promise<Response>,
): Deno.HttpServer<Deno.NetAddr> {
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  const standard = url.protocol === "https:" ? 443 : 80;
  const port = url.port === "" ? standard : Number(url.port);
  try {
    const quiet = { signal, onListen() {} };
    return Deno.serve({ hostname, port, ...quiet, ...tls }, serve);
  } catch (error) {
    const endpoint = parseEndpoint(`tcp://${url.hostname}:${port}`);
    throw new EndpointError("listen on", endpoint, error);
  }
}
