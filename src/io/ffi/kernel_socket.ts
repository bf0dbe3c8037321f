import { lastError, type Libc } from "./libc.ts";

/** An option's level and name. */
type KernelOption = readonly [level: number, name: number];

const SOL_SOCKET = 1;
const IPPROTO_TCP = 6;

/** The numbers of Linux on x86-64 and ARM64 (socket(7), tcp(7)). */
export const KERNEL = {
  reuseAddress: [SOL_SOCKET, 2],
  sendBuffer: [SOL_SOCKET, 7],
  receiveBuffer: [SOL_SOCKET, 8],
  keepAlive: [SOL_SOCKET, 9],
  linger: [SOL_SOCKET, 13],
  reusePort: [SOL_SOCKET, 15],
  acceptsConnections: [SOL_SOCKET, 30],
  noDelay: [IPPROTO_TCP, 1],
  keepAliveIdle: [IPPROTO_TCP, 4],
  keepAliveInterval: [IPPROTO_TCP, 5],
  keepAliveCount: [IPPROTO_TCP, 6],
  info: [IPPROTO_TCP, 11],
  congestion: [IPPROTO_TCP, 13],
  userTimeout: [IPPROTO_TCP, 18],
} as const satisfies Record<string, KernelOption>;

/** A socket by its descriptor: getsockopt(2) and setsockopt(2). Not to be kept, as descriptors are used again. */
export class KernelSocket {
  readonly #libc: Libc;
  readonly #fd: number;

  constructor(libc: Libc, fd: number) {
    this.#libc = libc;
    this.#fd = fd;
  }

  /** Sends RST and ends the connection at once: connect(2) to AF_UNSPEC "dissolves the association". */
  reset(): boolean {
    const unspecified = new Uint8Array(16);
    return this.#libc.connect(this.#fd, unspecified, unspecified.length) === 0;
  }

  /** Reads an option into at most `maxBytes`; undefined where the kernel refuses. */
  read(
    [level, name]: KernelOption,
    maxBytes: number,
  ): Uint8Array<ArrayBuffer> | undefined {
    const { getsockopt } = this.#libc;
    const bytes = new Uint8Array(maxBytes);
    const length = new Uint32Array([maxBytes]);
    const failed = getsockopt(this.#fd, level, name, bytes, length) !== 0;
    return failed ? undefined : bytes.slice(0, length[0]);
  }

  /** Reads an option that is an `int`. */
  readInteger(option: KernelOption): number | undefined {
    const bytes = this.read(option, 4);
    return bytes && new Int32Array(bytes.buffer)[0];
  }

  /** Writes an option; returns why the kernel refuses, if it does. */
  write(
    [level, name]: KernelOption,
    bytes: Uint8Array<ArrayBuffer>,
  ): string | undefined {
    const { setsockopt } = this.#libc;
    return setsockopt(this.#fd, level, name, bytes, bytes.length) === 0
      ? undefined
      : lastError(this.#libc);
  }

  /** Writes an option that is one `int` or several; returns why the kernel refuses, if it does. */
  writeIntegers(
    option: KernelOption,
    ...values: number[]
  ): string | undefined {
    return this.write(option, new Uint8Array(new Int32Array(values).buffer));
  }
}
