import { lastErrno, lastError, type Libc, openLibc } from "./ffi/libc.ts";

const TUNSETIFF = 0x400454can;
const IFF_TUN = 0x0001;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const TUNSETOFFLOAD = 0x400454d0n;
const TUN_F_CSUM = 1;
const TUN_F_TSO4 = 2;
const TUN_F_TSO6 = 4;
const O_RDWR = 0x2;
const O_NONBLOCK = 0x800;
const O_CLOEXEC = 0x80000;
const IFNAMSIZ = 16;
const IFREQ_BYTES = 40;
const POLLIN = 1;
const POLLFD_BYTES = 8;
const EINTR = 4;
const EAGAIN = 11;

/** Bytes before each packet of a device with `offload`: a `virtio_net_hdr`. */
export const OFFLOAD_HEADER_BYTES = 10;

/** Options of {@linkcode Tun.open}. */
export interface TunOptions {
  /**
   * Whether the kernel may leave to us what it leaves to network cards: a read then brings up to 64 KiB of a TCP stream
   * as one packet, and checksums that cover the pseudo header alone. Each packet has a header of
   * {@linkcode OFFLOAD_HEADER_BYTES}, which is given back with it when it is written.
   *
   * @default {false}
   */
  offload?: boolean;
}

/** The longest name of a network device. */
const MAX_NAME_BYTES = IFNAMSIZ - 1;

/**
 * A TUN device of Linux: a network device whose packets this process reads and writes. Needs root, and the C library by
 * `--allow-ffi`. The device is there until it is closed, in whatever network namespace it was moved to meanwhile; it has
 * to be set up (`ip link set NAME up`) before packets come.
 */
export class Tun implements Disposable {
  /** Its name. */
  readonly name: string;
  readonly #libc: Libc;
  readonly #descriptor: number;
  #isOpen = true;

  private constructor(libc: Libc, descriptor: number, name: string) {
    this.#libc = libc;
    this.#descriptor = descriptor;
    this.name = name;
  }

  /**
   * Makes a device; `%d` in its name becomes a number that is free.
   *
   * @throws {Error} If there is no C library to be had, or the kernel refuses.
   */
  static open(name: string, { offload = false }: TunOptions = {}): Tun {
    const encoded = new TextEncoder().encode(name);
    if (encoded.length === 0 || encoded.length > MAX_NAME_BYTES) {
      throw new RangeError(
        `Cannot make TUN device: the name must have 1 to ${MAX_NAME_BYTES} bytes: current value is "${name}"`,
      );
    }
    const libc = openLibc();
    if (typeof libc === "string") {
      throw new Error(
        `Cannot make TUN device: the C library: ${libc}: current value is "${name}"`,
      );
    }
    const path = new TextEncoder().encode("/dev/net/tun\0");
    const descriptor = libc.open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) {
      throw new Error(
        `Cannot make TUN device: /dev/net/tun: ${
          lastError(libc)
        }: current value is "${name}"`,
      );
    }
    const request = new Uint8Array(IFREQ_BYTES);
    request.set(encoded);
    const flags = IFF_TUN | IFF_NO_PI | (offload ? IFF_VNET_HDR : 0);
    new DataView(request.buffer).setUint16(IFNAMSIZ, flags, true);
    if (libc.ioctl(descriptor, TUNSETIFF, request) < 0) {
      const reason = lastError(libc);
      libc.close(descriptor);
      throw new Error(
        `Cannot make TUN device: it needs root: ${reason}: current value is "${name}"`,
      );
    }
    const offloads = BigInt(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6);
    if (offload && libc.ioctlNumber(descriptor, TUNSETOFFLOAD, offloads) < 0) {
      const reason = lastError(libc);
      libc.close(descriptor);
      throw new Error(
        `Cannot make TUN device: offloading: ${reason}: current value is "${name}"`,
      );
    }
    const end = request.indexOf(0);
    return new Tun(
      libc,
      descriptor,
      new TextDecoder().decode(request.subarray(0, end)),
    );
  }

  /** The descriptor, for {@linkcode TunWaiter}. */
  get descriptor(): number {
    return this.#descriptor;
  }

  /**
   * Reads one packet, and returns its bytes; 0 if none waits.
   *
   * @throws {Error} If the device is gone.
   */
  read(into: Uint8Array<ArrayBuffer>): number {
    if (!this.#isOpen) return 0;
    const count = Number(
      this.#libc.read(this.#descriptor, into, BigInt(into.length)),
    );
    if (count >= 0) return count;
    const errno = lastErrno(this.#libc);
    if (errno === EAGAIN || errno === EINTR) return 0;
    throw new Error(
      `Cannot read from TUN device: errno ${errno}: current value is "${this.name}"`,
    );
  }

  /** Writes one packet; false if the kernel does not take it, as it does not while the device is down. */
  write(packet: Uint8Array<ArrayBuffer>): boolean {
    return this.#isOpen && Number(
          this.#libc.write(this.#descriptor, packet, BigInt(packet.length)),
        ) === packet.length;
  }

  /** Removes the device; does nothing if it was closed. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#libc.close(this.#descriptor);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Waits until one of some devices has a packet. Close it after the wait that it ends, and the devices after it. */
export class TunWaiter {
  readonly #libc: Libc;
  readonly #polled: Uint8Array<ArrayBuffer>;
  readonly #event: number;

  /** Waits for these devices. */
  constructor(devices: readonly Tun[]) {
    const libc = openLibc();
    if (typeof libc === "string") {
      throw new Error(`Cannot wait for TUN devices: the C library: ${libc}`);
    }
    this.#libc = libc;
    this.#event = libc.eventfd(0, O_NONBLOCK | O_CLOEXEC);
    const descriptors = [this.#event, ...devices.map((tun) => tun.descriptor)];
    this.#polled = new Uint8Array(descriptors.length * POLLFD_BYTES);
    const view = new DataView(this.#polled.buffer);
    for (const [index, descriptor] of descriptors.entries()) {
      view.setInt32(index * POLLFD_BYTES, descriptor, true);
      view.setInt16(index * POLLFD_BYTES + 4, POLLIN, true);
    }
  }

  /** Resolves when a packet waits, after `timeoutMs`, or after `wake`; -1 waits for as long as it takes. */
  async wait(timeoutMs: number): Promise<void> {
    const count = BigInt(this.#polled.length / POLLFD_BYTES);
    await this.#libc.poll(this.#polled, count, Math.min(timeoutMs, 0x7fffffff));
  }

  /** Ends all waits from now on. */
  wake(): void {
    this.#libc.write(this.#event, new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]), 8n);
  }

  /** Gives back what it holds. */
  close(): void {
    this.#libc.close(this.#event);
  }
}
