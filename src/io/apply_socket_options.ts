import { closeQuietly } from "./close_quietly.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { EndpointError } from "./endpoint_error.ts";
import { SOCKET_OPTION_NAMES } from "./socket_option_table.ts";
import {
  type AskedOptions,
  completeOptions,
  describeOptions,
  isUnmet,
  type SocketOptions,
  type SocketOptionState,
  type SocketReport,
} from "./socket_options.ts";
import {
  type ConnectedSocket,
  connectionTarget,
  listenerTarget,
  type ListeningSocket,
  lookAtOption,
  type NodeSocket,
  setOption,
  type SocketTarget,
} from "./socket_target.ts";
import type {
  Conn,
  TransportConnectOptions,
  TransportListenOptions,
} from "./transport.ts";

/**
 * Sets options of a connection, by the C library where `--allow-ffi` grants it and by the runtime otherwise, and reads
 * back what the kernel made of them.
 *
 * @throws {RangeError} If a value is one that no kernel takes.
 * @throws {Deno.errors.NotSupported} With `strict`, if an option is not as asked for.
 *
 * @example Usage
 * ```ts
 * import { applySocketOptions } from "./apply_socket_options.ts";
 * import { assertArrayIncludes } from "@std/assert";
 *
 * using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * using conn = await Deno.connect({ port: listener.addr.port });
 * const { options } = applySocketOptions(conn, { keepAlive: true });
 * // "unverified" without --allow-ffi
 * assertArrayIncludes(["set", "unverified"], [options[0]?.state]);
 * ```
 */
export function applySocketOptions(
  socket: ConnectedSocket,
  options: SocketOptions,
): SocketReport {
  return apply(connectionTarget(socket), options);
}

/**
 * Sets the options that a road was given for a listener, which its connections inherit, and returns what the runtime
 * has to set on each of them; closes it where that fails. Does nothing where none was given.
 *
 * @throws {RangeError} If a value is one that no kernel takes.
 * @throws {Deno.errors.NotSupported} With `strict`, if an option is not as asked for.
 */
export function setListenerOptions(
  listener: ListeningSocket & { close(): void },
  { socket, backlog, reusePort }: TransportListenOptions,
  endpoint: Endpoint,
): SocketOptions {
  if (socket === undefined) return {};
  const { scheme } = endpoint;
  const asked = { ...socket, backlog, reusePort };
  try {
    apply(listenerTarget(listener, scheme, formatEndpoint(endpoint)), asked);
  } catch (error) {
    closeQuietly(listener);
    throw error;
  }
  return completeOptions(socket);
}

/**
 * Sets the options that a road was given for a dialled connection; closes it where that fails. Does nothing where none
 * was given.
 *
 * @throws {RangeError} If a value is one that no kernel takes.
 * @throws {Deno.errors.NotSupported} With `strict`, if an option is not as asked for.
 */
export function setConnectionOptions(
  conn: Conn,
  { socket }: TransportConnectOptions,
  endpoint: Endpoint,
): void {
  if (socket === undefined) return;
  try {
    apply(connectionTarget(conn, formatEndpoint(endpoint)), socket);
  } catch (error) {
    closeQuietly(conn);
    throw error;
  }
}

/**
 * What the options of a connection or a listener really are: all that it has, beside what was `asked` for. Without
 * `--allow-ffi` the kernel cannot be asked, and each entry says so.
 *
 * @example Usage
 * ```ts
 * import { effectiveOptions } from "./apply_socket_options.ts";
 * import { assertArrayIncludes } from "@std/assert";
 *
 * using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * const backlog = effectiveOptions(listener).find(({ option }) =>
 *   option === "backlog"
 * );
 * // undefined without --allow-ffi
 * assertArrayIncludes([511, undefined], [backlog?.actual]);
 * ```
 */
export function effectiveOptions(
  socket: ConnectedSocket | ListeningSocket,
  asked: AskedOptions = {},
): SocketOptionState[] {
  const target = "addr" in socket
    ? listenerTarget(socket, "tcp")
    : connectionTarget(socket);
  const complete = completeOptions(asked);
  return target.names.map((name) => lookAtOption(target, name, complete[name]));
}

/**
 * Closes a connection by RST: what is unsent is dropped, and the peer reads no end but an error. Needs `--allow-ffi` for
 * the C library, on Linux, save for sockets of `node:net`.
 *
 * @returns Whether it was reset; false if it could only be closed.
 *
 * @example Usage
 * ```ts
 * import { resetConnection } from "./apply_socket_options.ts";
 * import { assertEquals } from "@std/assert";
 *
 * using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * const conn = await Deno.connect({ port: listener.addr.port });
 * using accepted = await listener.accept();
 * const saw = accepted.read(new Uint8Array(1)).catch(({ name }) => name);
 * const isReset = resetConnection(conn);
 * assertEquals(await saw, isReset ? "ConnectionReset" : null);
 * ```
 */
export function resetConnection(
  socket: NodeSocket | Pick<Conn, "localAddr" | "remoteAddr" | "close">,
): boolean {
  if ("resetAndDestroy" in socket) {
    socket.resetAndDestroy();
    return true;
  }
  const { kernel } = connectionTarget(socket);
  const isReset = typeof kernel !== "string" && kernel[0]!.reset();
  closeQuietly(socket);
  return isReset;
}

/**
 * Reports options as unsupported where an endpoint has no TCP socket.
 *
 * @throws {EndpointError} With `strict`.
 */
export function reportWithoutSocket(
  endpoint: Endpoint,
  options: SocketOptions | undefined,
): void {
  const { scheme } = endpoint;
  if (options === undefined || /^(tcp|tls|wss?)$/.test(scheme)) return;
  const kernel = `${scheme} endpoints have no TCP socket`;
  const target = {
    endpoint: formatEndpoint(endpoint),
    names: SOCKET_OPTION_NAMES,
    kernel,
    setters: {},
  };
  try {
    apply(target, options);
  } catch (error) {
    throw new EndpointError("use", endpoint, error);
  }
}

function apply(target: SocketTarget, options: AskedOptions): SocketReport {
  const asked = completeOptions(options);
  const entries = SOCKET_OPTION_NAMES.filter((name) =>
    asked[name] !== undefined
  )
    .map((name) => setOption(target, name, asked[name]!));
  const report = { endpoint: target.endpoint, options: entries };
  options.report?.(report);
  const unmet = entries.filter(isUnmet);
  if (options.strict === true && unmet.length > 0) {
    throw new Deno.errors.NotSupported(describeOptions(unmet));
  }
  return report;
}
