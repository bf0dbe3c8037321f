import { KERNEL, type KernelSocket } from "./ffi/kernel_socket.ts";

/** What an option can be. */
export type SocketOptionValue = boolean | number | string;

/** The name of an option of sockets. */
export type SocketOptionName =
  | "keepAlive"
  | "keepAliveIdleMs"
  | "keepAliveIntervalMs"
  | "keepAliveCount"
  | "userTimeoutMs"
  | "noDelay"
  | "resetOnClose"
  | "sendBufferBytes"
  | "receiveBufferBytes"
  | "congestionControl"
  | "reuseAddress"
  | "reusePort"
  | "backlog";

/** How the kernel keeps one option. */
export interface KernelOption {
  /** What it is; undefined where the kernel does not say. */
  read(socket: KernelSocket): SocketOptionValue | undefined;
  /** Sets it; returns why the kernel refuses, if it does. Absent where it is fixed when the socket is made. */
  write?(socket: KernelSocket, value: SocketOptionValue): string | undefined;
  /** Why the kernel may make something else of a value. */
  rounds?: string;
}

type Place = (typeof KERNEL)[keyof typeof KERNEL];

function flag(place: Place): Required<Omit<KernelOption, "rounds">> {
  return {
    read(socket) {
      const value = socket.readInteger(place);
      return value === undefined ? undefined : value !== 0;
    },
    write: (socket, value) => socket.writeIntegers(place, Number(value)),
  };
}

/** A number that is `unit` times what the kernel says, and written as `written` times what it is told. */
function number(place: Place, unit = 1, written = unit): KernelOption {
  return {
    read(socket) {
      const value = socket.readInteger(place);
      return value === undefined ? undefined : value * unit;
    },
    write: (socket, value) =>
      socket.writeIntegers(place, Math.ceil(Number(value) / written)),
  };
}

function seconds(place: Place): KernelOption {
  return { ...number(place, 1000), rounds: "the kernel counts whole seconds" };
}

/** The kernel doubles what it is asked for, for bookkeeping, and says the double (socket(7)). */
function buffer(place: Place, limit: string): KernelOption {
  return { ...number(place, 0.5, 1), rounds: `the limit is ${limit}` };
}

/** How the kernel keeps each option, by our names for them. */
export const KERNEL_OPTIONS = {
  keepAlive: flag(KERNEL.keepAlive),
  keepAliveIdleMs: seconds(KERNEL.keepAliveIdle),
  keepAliveIntervalMs: seconds(KERNEL.keepAliveInterval),
  keepAliveCount: number(KERNEL.keepAliveCount),
  userTimeoutMs: number(KERNEL.userTimeout),
  noDelay: flag(KERNEL.noDelay),
  resetOnClose: {
    read(socket) {
      const bytes = socket.read(KERNEL.linger, 8);
      if (bytes === undefined) return undefined;
      const [on, atMostSeconds] = new Int32Array(bytes.buffer);
      return on !== 0 && atMostSeconds === 0;
    },
    write: (socket, value) =>
      socket.writeIntegers(KERNEL.linger, Number(value), 0),
  },
  sendBufferBytes: buffer(KERNEL.sendBuffer, "net.core.wmem_max"),
  receiveBufferBytes: buffer(KERNEL.receiveBuffer, "net.core.rmem_max"),
  congestionControl: {
    read(socket) {
      const bytes = socket.read(KERNEL.congestion, 16);
      return bytes && new TextDecoder().decode(bytes).replace(/\0.*$/s, "");
    },
    write: (socket, value) =>
      socket.write(
        KERNEL.congestion,
        new TextEncoder().encode(String(value)),
      ),
  },
  reuseAddress: { read: flag(KERNEL.reuseAddress).read },
  reusePort: { read: flag(KERNEL.reusePort).read },
  backlog: {
    read(socket) {
      const bytes = socket.read(KERNEL.info, 104);
      // Of a listening socket, `tcpi_sacked` is the longest queue (tcp_get_info).
      return bytes && new DataView(bytes.buffer).getUint32(28, true);
    },
    rounds: "the limit is net.core.somaxconn",
  },
} satisfies Record<SocketOptionName, KernelOption>;

/** The names of all options. */
export const SOCKET_OPTION_NAMES = Object.keys(
  KERNEL_OPTIONS,
) as SocketOptionName[];
