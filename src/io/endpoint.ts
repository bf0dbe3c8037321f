/** A place to listen on or to connect to, taken apart from its URL. */
export type Endpoint =
  | {
    /** Plain TCP, or TLS over TCP. */
    scheme: "tcp" | "tls";
    /** Name or address; IPv6 without brackets. */
    hostname: string;
    /** 0 to 65535; 0 lets the system choose when listening. */
    port: number;
  }
  | {
    /** A Unix domain socket. */
    scheme: "unix";
    /** Path of the socket file. */
    path: string;
  }
  | {
    /** Inside this process, for tests. */
    scheme: "memory";
    /** Any non-empty name. */
    name: string;
  };

const FORMS =
  "tcp://HOST:PORT, tls://HOST:PORT, unix:/PATH or memory:NAME is expected";

function refuse(text: string, reason: string, cause?: unknown): never {
  throw new SyntaxError(
    `Cannot parse endpoint: ${reason}: current value is "${text}"`,
    { cause },
  );
}

/**
 * Reads an endpoint URL: `tcp://127.0.0.1:9999`, `tls://[::]:9443`, `unix:/run/hub.sock`, `memory:hub`.
 *
 * @throws {SyntaxError} If the text is none of these; the message says what is expected.
 *
 * @example Usage
 * ```ts
 * import { parseEndpoint } from "./endpoint.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseEndpoint("tcp://[::1]:9999"), {
 *   scheme: "tcp",
 *   hostname: "::1",
 *   port: 9999,
 * });
 * ```
 */
export function parseEndpoint(text: string): Endpoint {
  const colon = text.indexOf(":");
  const scheme = text.slice(0, colon);
  const rest = text.slice(colon + 1);
  switch (scheme) {
    case "tcp":
    case "tls": {
      const match = /^\/\/(\[[^\]/]+\]|[^:/?#[\]@\s]+):(\d{1,5})\/?$/.exec(
        rest,
      );
      if (match === null) refuse(text, FORMS);
      const port = Number(match[2]);
      if (port > 65535) refuse(text, "the port must be 0 to 65535");
      return { scheme, hostname: match[1]!.replace(/^\[|\]$/g, ""), port };
    }
    case "unix": {
      const path = rest.startsWith("///") ? rest.slice(2) : rest;
      if (path === "" || path.startsWith("//")) refuse(text, FORMS);
      return { scheme, path };
    }
    case "memory": {
      if (rest === "" || rest.startsWith("/")) refuse(text, FORMS);
      return { scheme, name: rest };
    }
    default:
      return refuse(text, FORMS);
  }
}

/**
 * Writes an endpoint as the URL that {@linkcode parseEndpoint} reads.
 *
 * @example Usage
 * ```ts
 * import { formatEndpoint } from "./endpoint.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   formatEndpoint({ scheme: "tls", hostname: "::", port: 9443 }),
 *   "tls://[::]:9443",
 * );
 * ```
 */
export function formatEndpoint(endpoint: Endpoint): string {
  switch (endpoint.scheme) {
    case "unix":
      return `unix:${endpoint.path}`;
    case "memory":
      return `memory:${endpoint.name}`;
    default:
      return `${endpoint.scheme}://${
        formatHost(endpoint.hostname)
      }:${endpoint.port}`;
  }
}

function formatHost(hostname: string): string {
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}
