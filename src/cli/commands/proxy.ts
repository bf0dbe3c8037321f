/**
 * Passes connections on.
 *
 * @module
 */

import { parseEndpoint } from "../../io/endpoint.ts";
import { formatAddress } from "../../proto/address.ts";
import type { ProxyAddress } from "../../proto/proxy_protocol/header.ts";
import type { ProxyAccess, ProxyEvent } from "../../proxy/events.ts";
import { proxy } from "../../proxy/proxy.ts";
import { formatBytes } from "../format.ts";
import type { Output } from "../output.ts";
import { runMain } from "../run.ts";
import {
  CLIENT_TLS_FLAGS,
  readClientTls,
  readServerTls,
  SERVER_TLS_FLAGS,
} from "../tls_flags.ts";

/** Runs `deno task proxy`. */
export function run(args: readonly string[]): Promise<never> {
  return runMain({
    name: "proxy",
    summary: "Pass connections on to another endpoint, byte by byte.",
    positionals: [
      {
        name: "listen",
        help: "Where to listen, as an endpoint",
        required: true,
        check: parseEndpoint,
      },
      {
        name: "to",
        help: "Where connections go; with --route, those of no route",
        required: true,
        check: parseEndpoint,
      },
    ],
    options: {
      ...SERVER_TLS_FLAGS,
      ca: CLIENT_TLS_FLAGS.ca,
      route: {
        type: "list",
        placeholder: "NAME=ENDPOINT",
        help: "Where TLS connections go that ask for this host name, " +
          "or *.example.org for its subdomains; they are not decrypted",
        check: parseRoute,
      },
      sendProxy: {
        type: "string",
        choices: ["v1", "v2"],
        help: "Tell the target where connections come from, by PROXY headers",
      },
      trustProxy: {
        type: "list",
        placeholder: "NETWORK",
        help: "Proxies before this one, which tell by PROXY headers where " +
          "connections come from",
      },
      allow: {
        type: "list",
        placeholder: "NETWORK",
        help: "Who may connect, such as 192.0.2.0/24; without it, all",
      },
      deny: { type: "list", placeholder: "NETWORK", help: "Who may not" },
      maxConnections: {
        type: "integer",
        default: 9_000,
        min: 1,
        help: "Connections in all",
      },
      maxPerSource: {
        type: "integer",
        min: 1,
        help: "Connections per address",
      },
      idleSeconds: {
        type: "number",
        default: 600,
        min: 0.1,
        help: "Silence after which a connection is cut off",
      },
      drainSeconds: {
        type: "number",
        default: 10,
        min: 0.1,
        help: "Time for connections to end in when the proxy is told to",
      },
    },
    examples: [
      [
        "deno task proxy tcp://127.0.0.1:7000 tcp://127.0.0.1:7001",
        "Pass on, and print each connection when it ends",
      ],
      [
        "deno task proxy tls://0.0.0.0:443 tcp://127.0.0.1:8080 " +
        "--cert cert.pem --key key.pem",
        "End TLS",
      ],
      [
        "deno task proxy tcp://0.0.0.0:443 tcp://127.0.0.1:8443 " +
        "--route 'a.example.org=tcp://127.0.0.1:8444'",
        "Route TLS by the name that clients ask for",
      ],
      [
        "deno task proxy tcp://127.0.0.1:7000 unix:/run/app.sock " +
        "--send-proxy v2",
        "Tell the service where its clients come from",
      ],
    ],
  }, async (values, { output, listening, stopped }) => {
    const tls = await readServerTls(values, [values.listen], output);
    const { ca, sendProxy } = values;
    const shared = {
      tls: await readClientTls(ca === undefined ? {} : { ca }),
      ...(sendProxy === undefined
        ? {}
        : { proxyProtocol: sendProxy === "v1" ? 1 : 2 } as const),
    };
    const routes = values.route.map(parseRoute);
    await using front = await proxy({
      listen: values.listen,
      readHello: routes.length > 0,
      to: ({ hello }) => {
        const name = hello?.serverName;
        const route = routes.find(({ matches }) =>
          name !== undefined && matches(name)
        );
        return { to: route?.to ?? values.to, ...shared };
      },
      trustedProxies: values.trustProxy,
      ...(values.allow.length === 0 ? {} : { allow: values.allow }),
      deny: values.deny,
      limits: {
        maxConnections: values.maxConnections,
        maxConnectionsPerSource: values.maxPerSource ?? Infinity,
        idleMs: values.idleSeconds * 1000,
      },
      observe: (event) => tell(event, output),
      ...(tls === undefined ? {} : { tls }),
    });
    listening(front.endpoints);
    await stopped;
    await front.drain({ deadlineMs: values.drainSeconds * 1000 });
  }, args);
}

/** A host name, or all below one, and where its connections go. */
function parseRoute(
  text: string,
): { matches: (name: string) => boolean; to: string } {
  const [, name, to] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || to === undefined) {
    throw new SyntaxError(
      `Cannot parse route: NAME=ENDPOINT is expected: current value is "${text}"`,
    );
  }
  parseEndpoint(to);
  const wanted = name.toLowerCase();
  return {
    to,
    matches: wanted.startsWith("*.")
      ? (asked) => asked.endsWith(wanted.slice(1))
      : (asked) => asked === wanted,
  };
}

/** Prints what a proxy tells. */
export function tell(event: ProxyEvent, output: Output): void {
  switch (event.type) {
    case "relayed":
      return output.print(accessLine(event.access), accessRecord(event.access));
    case "turned away":
      return output.error(
        `turned away ${event.address} at ${event.endpoint}: ${event.reason}`,
      );
    case "connect failed":
      return output.error(
        event.error instanceof Error
          ? event.error.message
          : String(event.error),
      );
    case "refused":
      return output.error(
        `refused ${event.address} at ${event.endpoint}: ${event.limit}`,
      );
    case "accept failed":
      return output.error(
        `cannot accept at ${event.endpoint}: ${String(event.error)}`,
      );
  }
}

/** A line of an access log. */
export function accessLine(access: ProxyAccess): string {
  const { request, to, bytesIn, bytesOut, durationMs, ending } = access;
  const seconds = (durationMs / 1000).toFixed(3);
  return `${addressText(request.source)} -> ${to} in ${
    formatBytes(bytesIn)
  } out ${formatBytes(bytesOut)} ${seconds} s ${ending}`;
}

/** The same for programs. */
export function accessRecord(access: ProxyAccess): Record<string, unknown> {
  const { request, error: _, ...rest } = access;
  const { source, destination, hello } = request;
  return {
    type: "relayed",
    id: request.id,
    endpoint: request.endpoint,
    source: addressText(source),
    destination: addressText(destination),
    serverName: hello?.serverName,
    ...rest,
  };
}

/** An address of a request. */
export function addressText(address: ProxyAddress | undefined): string {
  if (address === undefined) return "unknown";
  return "path" in address
    ? `unix:${address.path}`
    : formatAddress(address.hostname, address.port);
}
