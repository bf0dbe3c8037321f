import { unmapAddress } from "../../proto/address.ts";
import { KERNEL, KernelSocket } from "./kernel_socket.ts";
import type { Libc } from "./libc.ts";

/** The two ends of a connection, as `Deno.Conn` and every road's connection tell them. */
export interface SocketAddresses {
  /** Our address. */
  readonly localAddr: Deno.Addr;
  /** The peer's address. */
  readonly remoteAddr: Deno.Addr;
}

const RLIMIT_NOFILE = 7;
const AF_INET = 2;
const AF_INET6 = 10;

/** Where the last search ended: the kernel hands out neighbouring descriptors. */
let lastFound = 0;

/**
 * Finds the socket of a connection by the addresses of its two ends, as the runtime shows the descriptor of some
 * connections and not of others. For one use: the descriptor of a closed one may soon be another connection's.
 */
export function findConnection(
  libc: Libc,
  { localAddr, remoteAddr }: SocketAddresses,
): KernelSocket | undefined {
  if (!("hostname" in localAddr && "hostname" in remoteAddr)) return undefined;
  const address = new SocketAddress();
  const limit = descriptorLimit(libc);
  for (let count = 0; count < limit; count++) {
    const fd = (lastFound + count) % limit;
    if (
      address.read(libc.getsockname, fd) && address.is(localAddr) &&
      address.read(libc.getpeername, fd) && address.is(remoteAddr)
    ) {
      lastFound = fd;
      return new KernelSocket(libc, fd);
    }
  }
  return undefined;
}

/** Finds the sockets that listen at an address; several where workers of this process share a port. */
export function findListeners(libc: Libc, addr: Deno.Addr): KernelSocket[] {
  const found: KernelSocket[] = [];
  if (!("hostname" in addr)) return found;
  const address = new SocketAddress();
  const limit = descriptorLimit(libc);
  for (let fd = 0; fd < limit; fd++) {
    if (!(address.read(libc.getsockname, fd) && address.is(addr))) continue;
    const socket = new KernelSocket(libc, fd);
    if (socket.readInteger(KERNEL.acceptsConnections) !== 1) continue;
    found.push(socket);
    if (socket.readInteger(KERNEL.reusePort) === 0) break;
  }
  return found;
}

function descriptorLimit({ getrlimit }: Libc): number {
  const limits = new BigUint64Array(2);
  getrlimit(RLIMIT_NOFILE, limits);
  return Number(limits[0]! < 1_048_576n ? limits[0] : 1_048_576n);
}

/** The kernel's `sockaddr`. */
class SocketAddress {
  readonly #bytes = new Uint8Array(128);
  readonly #length = new Uint32Array(1);
  readonly #family = new Uint16Array(this.#bytes.buffer, 0, 1);

  read(call: Libc["getsockname"], fd: number): boolean {
    this.#length[0] = this.#bytes.length;
    return call(fd, this.#bytes, this.#length) === 0;
  }

  is({ hostname, port }: Deno.NetAddr): boolean {
    const family = this.#family[0];
    if (family !== AF_INET && family !== AF_INET6) return false;
    if (this.#bytes[2]! << 8 !== (port & 0xff00)) return false;
    if (this.#bytes[3] !== (port & 0xff)) return false;
    return this.#host() === canonical(hostname);
  }

  #host(): string {
    if (this.#family[0] === AF_INET) {
      return this.#bytes.subarray(4, 8).join(".");
    }
    const groups = Array.from(
      { length: 8 },
      (_, at) =>
        (this.#bytes[8 + 2 * at]! << 8 | this.#bytes[9 + 2 * at]!).toString(16),
    );
    return canonical(groups.join(":"));
  }
}

/** One spelling for each address: IPv4-mapped ones as IPv4, IPv6 without a zone and as URLs write it. */
function canonical(hostname: string): string {
  const plain = unmapAddress(hostname.split("%", 1)[0]!);
  if (!plain.includes(":")) return plain;
  const text = new URL(`http://[${plain}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(text);
  if (mapped === null) return text;
  return mapped.slice(1).map((group) => parseInt(group, 16))
    .flatMap((group) => [group >> 8, group & 0xff]).join(".");
}
