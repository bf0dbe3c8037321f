import {
  SOCKET_OPTION_NAMES,
  type SocketOptionName,
  type SocketOptionValue,
} from "./socket_option_table.ts";

/**
 * Options of TCP sockets. The runtime itself sets `keepAlive`, `noDelay` and `reuseAddress`, and `node:net` the idle time
 * of keep-alive too; all others need `--allow-ffi` for the C library, on Linux. What is asked for and not to be had is
 * reported, and with `strict` refused.
 */
export interface SocketOptions {
  /** Whether the kernel probes a silent peer, and fails the connection when nothing answers. @default {false} */
  keepAlive?: boolean;
  /** Milliseconds of silence before the first probe; implies `keepAlive`. Linux: 7,200,000 unless told. */
  keepAliveIdleMs?: number;
  /** Milliseconds between probes; implies `keepAlive`. Linux: 75,000 unless told. */
  keepAliveIntervalMs?: number;
  /** Probes without an answer that fail the connection, 1 to 127; implies `keepAlive`. Linux: 9 unless told. */
  keepAliveCount?: number;
  /**
   * Milliseconds that data may stay unacknowledged, or probes unanswered, before the kernel fails the connection
   * (RFC 5482); it takes the place of `keepAliveCount`. 0 leaves it to the kernel: about 15 minutes.
   */
  userTimeoutMs?: number;
  /**
   * Whether small writes leave at once, without waiting for acknowledgements. The runtime leaves it off on the TLS
   * connections that it accepts. @default {true}
   */
  noDelay?: boolean;
  /**
   * Whether `close()` drops what is unsent and sends RST (SO_LINGER of 0). The runtime sends FIN before it, so a peer that
   * has got everything sees an orderly end first; `resetConnection` does without. @default {false}
   */
  resetOnClose?: boolean;
  /** Bytes that the kernel takes from us before the peer has them; switches off its own choice of the size. */
  sendBufferBytes?: number;
  /** Bytes that the kernel takes from the peer before we read them; switches off its own choice of the size. */
  receiveBufferBytes?: number;
  /** The kernel's algorithm, such as `reno`, `cubic` or `bbr`. */
  congestionControl?: string;
  /** Whether a listener may take a port on which old connections linger; the runtime always sets it. @default {true} */
  reuseAddress?: boolean;
  /** Whether to refuse to listen or connect where an option is not to be had as asked. @default {false} */
  strict?: boolean;
  /** Is told what became of the options, once for each listener and each dialled connection. */
  report?: (report: SocketReport) => void;
}

/** What became of one option. */
export interface SocketOptionState {
  /** Its name. */
  option: SocketOptionName;
  /** What was asked for; undefined if nothing was. */
  asked: SocketOptionValue | undefined;
  /** What the kernel says it is; undefined where the kernel cannot be asked. */
  actual: SocketOptionValue | undefined;
  /**
   * `set`: the kernel says what was asked for. `unverified`: the runtime took it, and nothing can read it back.
   * `differs`: the kernel made something else of it. `unsupported`: nothing here sets it. `default`: not asked for.
   */
  state: "set" | "unverified" | "differs" | "unsupported" | "default";
  /** Why it is not as asked for, or not read, and what would help. */
  reason?: string;
}

/** What became of the options of one listener or connection. */
export interface SocketReport {
  /** Where it listens, or what it was dialled to. */
  endpoint: string;
  /** The options that were asked for. */
  options: SocketOptionState[];
}

/** Options of {@linkcode SocketOptions} and those that have a place of their own beside it. */
export interface AskedOptions extends SocketOptions {
  /** Whether several listeners share the port. */
  reusePort?: boolean | undefined;
  /** Connections that the kernel holds until they are accepted. */
  backlog?: number | undefined;
}

/** The least and the greatest value of those that are numbers. */
const RANGES: Partial<Record<SocketOptionName, [min: number, max: number]>> = {
  keepAliveIdleMs: [1, 32_767_000],
  keepAliveIntervalMs: [1, 32_767_000],
  keepAliveCount: [1, 127],
  userTimeoutMs: [0, 2 ** 31 - 1],
  sendBufferBytes: [1, 2 ** 30],
  receiveBufferBytes: [1, 2 ** 30],
};

/** Whether an option is not as it was asked for. */
export function isUnmet({ state }: SocketOptionState): boolean {
  return state === "differs" || state === "unsupported";
}

/** Options that are not as they were asked for, in a few words, each reason once. */
export function describeOptions(states: readonly SocketOptionState[]): string {
  const byReason = Map.groupBy(states, ({ reason }) => reason);
  return Array.from(byReason, ([reason, those]) => {
    const names = those.map(({ option, asked, actual }) =>
      `${option} ${asked}${actual === undefined ? "" : ` is ${actual}`}`
    );
    return `${names.join(", ")}: ${reason}`;
  }).join("; ");
}

/**
 * The options with what they imply.
 *
 * @throws {RangeError} If a number is one that no kernel takes.
 */
export function completeOptions(options: AskedOptions): AskedOptions {
  for (const name of SOCKET_OPTION_NAMES) {
    const value = options[name];
    const range = RANGES[name];
    if (value === undefined || range === undefined) continue;
    const [min, max] = range;
    const isWhole = typeof value === "number" && Number.isInteger(value);
    if (isWhole && value >= min && value <= max) continue;
    throw new RangeError(
      `Cannot use socket options: '${name}' must be a whole number from ${min} to ${max}: current value is ${value}`,
    );
  }
  const { keepAlive, keepAliveIdleMs, keepAliveIntervalMs, keepAliveCount } =
    options;
  const isImplied = keepAlive === undefined &&
    (keepAliveIdleMs ?? keepAliveIntervalMs ?? keepAliveCount) !== undefined;
  return isImplied ? { ...options, keepAlive: true } : options;
}
