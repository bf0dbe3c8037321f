import { formatAddress } from "../proto/address.ts";
import {
  findConnection,
  findListeners,
  type SocketAddresses,
} from "./ffi/descriptor.ts";
import type { KernelSocket } from "./ffi/kernel_socket.ts";
import { type Libc, openLibc } from "./ffi/libc.ts";
import {
  KERNEL_OPTIONS,
  type KernelOption,
  SOCKET_OPTION_NAMES,
  type SocketOptionName,
  type SocketOptionValue,
} from "./socket_option_table.ts";
import type { SocketOptionState } from "./socket_options.ts";

/** A socket of `node:net`, as far as options need it. */
export interface NodeSocket {
  /** Our address. */
  readonly localAddress?: string | undefined;
  /** Our port. */
  readonly localPort?: number | undefined;
  /** The peer's address. */
  readonly remoteAddress?: string | undefined;
  /** The peer's port. */
  readonly remotePort?: number | undefined;
  /** Sets keep-alive, with its idle time. */
  setKeepAlive(on: boolean, idleMs?: number): unknown;
  /** Sets TCP_NODELAY. */
  setNoDelay(on: boolean): unknown;
  /** Closes with RST. */
  resetAndDestroy(): unknown;
}

/** A connection whose options can be looked at: a `Deno.Conn`, one of a road, a peer, a client, a `node:net` socket. */
export type ConnectedSocket = SocketAddresses | NodeSocket;

/** A listener whose options can be looked at, such as a `Deno.Listener`. */
export interface ListeningSocket {
  /** Where it listens. */
  readonly addr: Deno.Addr;
}

/** Sets options by the runtime; throws where it cannot. */
type Setters = { [N in SocketOptionName]?: (value: SocketOptionValue) => void };

/** What the options of one socket can be set and read by. */
export interface SocketTarget {
  endpoint: string;
  names: SocketOptionName[];
  /** Sockets of the kernel, or why there are none. */
  kernel: KernelSocket[] | string;
  setters: Setters;
}

const LISTENER_NAMES: readonly string[] = [
  "reuseAddress",
  "reusePort",
  "backlog",
];
const CONNECTION_NAMES = SOCKET_OPTION_NAMES.filter((name) =>
  !LISTENER_NAMES.includes(name)
);

/** What a connection's options can be set and read by. */
export function connectionTarget(
  socket: ConnectedSocket,
  endpoint?: string,
): SocketTarget {
  const addresses = "localAddr" in socket ? socket : addressesOf(socket);
  return {
    endpoint: endpoint ?? formatAddr(addresses.remoteAddr),
    names: CONNECTION_NAMES,
    kernel: kernelSockets((libc) => {
      const found = findConnection(libc, addresses);
      return found === undefined ? [] : [found];
    }),
    setters: settersOf(socket),
  };
}

/** What a listener's options can be set and read by. */
export function listenerTarget(
  { addr }: ListeningSocket,
  scheme: string,
  endpoint = formatAddr(addr),
): SocketTarget {
  const byRuntime = () => {};
  return {
    endpoint,
    names: SOCKET_OPTION_NAMES,
    kernel: kernelSockets((libc) => findListeners(libc, addr)),
    setters: {
      reusePort: byRuntime,
      backlog: byRuntime,
      reuseAddress(value) {
        if (value === false) throw new Error("The runtime always sets it");
      },
      ...(scheme === "tcp" ? { keepAlive: byRuntime, noDelay: byRuntime } : {}),
    },
  };
}

function kernelSockets(
  find: (libc: Libc) => KernelSocket[],
): KernelSocket[] | string {
  const libc = openLibc();
  if (typeof libc === "string") return libc;
  const found = find(libc);
  return found.length === 0 ? "no TCP socket of this process" : found;
}

function settersOf(socket: ConnectedSocket): Setters {
  const setters: Setters = {};
  // TLS connections of the runtime have no such methods.
  if (!("setKeepAlive" in socket)) return setters;
  const { setKeepAlive, setNoDelay } = socket as NodeSocket;
  setters.keepAlive = (on) => setKeepAlive.call(socket, on === true);
  setters.noDelay = (on) => setNoDelay.call(socket, on === true);
  if (!("localAddr" in socket)) {
    setters.keepAliveIdleMs = (ms) => socket.setKeepAlive(true, Number(ms));
  }
  return setters;
}

function addressesOf(socket: NodeSocket): SocketAddresses {
  const address = (hostname = "", port = 0): Deno.Addr => ({
    transport: "tcp",
    hostname,
    port,
  });
  return {
    localAddr: address(socket.localAddress, socket.localPort),
    remoteAddr: address(socket.remoteAddress, socket.remotePort),
  };
}

function formatAddr(addr: Deno.Addr): string {
  return "hostname" in addr
    ? `tcp://${formatAddress(addr.hostname, addr.port)}`
    : addr.transport;
}

/** Sets an option, and tells what became of it. */
export function setOption(
  target: SocketTarget,
  name: SocketOptionName,
  value: SocketOptionValue,
): SocketOptionState {
  const { kernel, setters } = target;
  const { write }: KernelOption = KERNEL_OPTIONS[name];
  try {
    if (typeof kernel === "string" || write === undefined) {
      setters[name]?.(value);
    } else {
      for (const socket of kernel) {
        const refusal = write(socket, value);
        if (refusal !== undefined) throw new Error(refusal);
      }
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const { actual } = lookAtOption(target, name, undefined);
    return { option: name, asked: value, actual, state: "unsupported", reason };
  }
  return lookAtOption(target, name, value);
}

/** Tells what an option is beside what was `asked` for. */
export function lookAtOption(
  { kernel, setters }: SocketTarget,
  option: SocketOptionName,
  asked: SocketOptionValue | undefined,
): SocketOptionState {
  const { read, rounds }: KernelOption = KERNEL_OPTIONS[option];
  const actual = typeof kernel === "string" ? undefined : read(kernel[0]!);
  const entry = { option, asked, actual };
  if (actual === undefined) {
    const reason = typeof kernel === "string" ? kernel : "not readable";
    if (asked === undefined) return { ...entry, state: "default", reason };
    return option in setters
      ? { ...entry, state: "unverified", reason }
      : { ...entry, state: "unsupported", reason };
  }
  if (asked === undefined) return { ...entry, state: "default" };
  return actual === asked ? { ...entry, state: "set" } : {
    ...entry,
    state: "differs",
    reason: rounds ?? "the kernel made it so",
  };
}
