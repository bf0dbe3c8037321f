/** A place to listen on or to connect to, taken apart from its URL. */
export type Endpoint =
  | {
    /** Plain TCP, TLS over TCP, or QUIC over UDP. */
    scheme: "tcp" | "tls" | "quic";
    /** Name or address; IPv6 without brackets. */
    hostname: string;
    /** 0 to 65535; 0 lets the system choose when listening. */
    port: number;
  }
  | {
    /** WebSocket over TCP, or over TLS. */
    scheme: "ws" | "wss";
    /** Name or address; IPv6 without brackets. */
    hostname: string;
    /** 0 to 65535; 0 lets the system choose when listening. */
    port: number;
    /** What is asked for, query included: begins with a slash. */
    path: string;
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
  "tcp://HOST:PORT, tls://HOST:PORT, quic://HOST:PORT, ws://HOST:PORT/PATH, wss://HOST:PORT/PATH, unix:/PATH or memory:NAME is expected";

const AUTHORITY = String.raw`^//(\[[^\]/]+\]|[^:/?#[\]@\s]+)`;

/** A host and a port, which the web's schemes have defaults for, and a path. */
const WEB_ADDRESS = new RegExp(
  String.raw`${AUTHORITY}(?::(\d{1,5}))?(/[^\s#]*)?$`,
);
const SOCKET_ADDRESS = new RegExp(String.raw`${AUTHORITY}:(\d{1,5})/?$`);

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
    case "tls":
    case "quic": {
      const match = SOCKET_ADDRESS.exec(rest);
      if (match === null) refuse(text, FORMS);
      const [, host, port] = match;
      return { scheme, ...readAuthority(text, host!, Number(port)) };
    }
    case "ws":
    case "wss": {
      const match = WEB_ADDRESS.exec(rest);
      if (match === null) refuse(text, FORMS);
      const [, host, port = scheme === "ws" ? 80 : 443, path = "/"] = match;
      return { scheme, ...readAuthority(text, host!, Number(port)), path };
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

function readAuthority(
  text: string,
  host: string,
  port: number,
): { hostname: string; port: number } {
  if (port > 65535) refuse(text, "the port must be 0 to 65535");
  return { hostname: host.replace(/^\[|\]$/g, ""), port };
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
    default: {
      const { scheme, hostname, port } = endpoint;
      const path = "path" in endpoint && endpoint.path !== "/"
        ? endpoint.path
        : "";
      return `${scheme}://${formatHost(hostname)}:${port}${path}`;
    }
  }
}

function formatHost(hostname: string): string {
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}
