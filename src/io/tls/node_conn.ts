import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { PeerIdentity } from "../peer_identity.ts";
import type { Conn } from "../transport.ts";

/** Decrypted bytes that a connection holds before it stops the kernel from handing it more. */
const STOP_READING_BYTES = 256 * 1024;
/** Decrypted bytes that a connection may hold at all: reached only where the runtime lets nobody stop it. */
export const MAX_HELD_BYTES = 4 * 1024 * 1024;

/** What the engine encrypts at once; of a longer write it would copy what is left for each such piece. */
const WRITE_BYTES = 48 * 1024;

/** What stops and starts reading: `node:tls` on this runtime goes on to read from the kernel while it is paused. */
interface Flow {
  readStop(): unknown;
  readStart(): unknown;
}

/** Gets a connection secured, or throws. */
type Handshake = (conn: NodeTlsConn, signal?: AbortSignal) => Promise<void>;

/** The errors that sockets of the runtime itself throw, by the codes of `node:net`. */
const ERRORS: Record<string, new (message: string) => Error> = {
  ECONNRESET: Deno.errors.ConnectionReset,
  EPIPE: Deno.errors.BrokenPipe,
  ETIMEDOUT: Deno.errors.TimedOut,
  ECONNREFUSED: Deno.errors.ConnectionRefused,
  EADDRINUSE: Deno.errors.AddrInUse,
  EADDRNOTAVAIL: Deno.errors.AddrNotAvailable,
  EACCES: Deno.errors.PermissionDenied,
  ERR_STREAM_DESTROYED: Deno.errors.BadResource,
  ERR_STREAM_PREMATURE_CLOSE: Deno.errors.ConnectionReset,
};

/** What a road throws, for an error of `node:net`. */
export function systemError(error: unknown): unknown {
  const { code = "", message } = error as Error & { code?: string };
  const known = ERRORS[code];
  if (known !== undefined) return new known(message);
  return code.startsWith("ERR_SSL")
    ? new Deno.errors.InvalidData(message)
    : error;
}

/** A connection of `node:tls`: a byte stream like those of the runtime, with the back-pressure that its socket lacks. */
export class NodeTlsConn implements Conn {
  readonly remoteAddr: Deno.NetAddr;
  readonly localAddr: Deno.NetAddr;
  /** The socket that carries the ciphertext. */
  readonly #raw: Socket;
  readonly #handshake: Handshake;
  #shaken: Promise<void> | undefined;
  #tls: TLSSocket | undefined;
  #flow: Flow | undefined;
  #identity: (() => PeerIdentity) | undefined;
  #known: PeerIdentity | undefined;
  /** Decrypted and not yet read. */
  readonly #chunks: Uint8Array[] = [];
  #held = 0;
  #stopped = false;
  #ended = false;
  #failure: unknown;
  #closed = false;
  #into: Uint8Array | undefined;
  #reading: PromiseWithResolvers<number | null> | undefined;

  /** Takes over a connected socket; `handshake` calls {@linkcode NodeTlsConn.secured} or throws. */
  constructor(raw: Socket, handshake: Handshake) {
    this.#raw = raw;
    this.#handshake = handshake;
    this.remoteAddr = address(raw.remoteAddress, raw.remotePort);
    this.localAddr = address(raw.localAddress, raw.localPort);
    raw.on("error", (error) => this.#failed(error));
    raw.on("close", () => this.#gone());
  }

  /** The socket that carries the ciphertext. */
  get raw(): Socket {
    return this.#raw;
  }

  /** Resolves once bytes may be read and written. Reading or writing begins it as well. */
  shake(signal?: AbortSignal): Promise<void> {
    return this.#shaken ??= this.#handshake(this, signal);
  }

  /** Begins to carry what `tls` decrypts; `identity` is asked once, if anybody wants to know. */
  secured(tls: TLSSocket, identity: () => PeerIdentity): void {
    this.#tls = tls;
    this.#identity = identity;
    const { _handle: handle } = this.#raw as { _handle?: Partial<Flow> };
    const { readStop, readStart } = handle ?? {};
    if (typeof readStop === "function" && typeof readStart === "function") {
      this.#flow = handle as Flow;
    }
    tls.on("end", () => this.#end());
    tls.on("error", (error) => this.#failed(error));
    tls.on("close", () => this.#gone());
    tls.on("data", (chunk: Uint8Array) => this.#received(chunk));
  }

  get identity(): PeerIdentity | undefined {
    return this.#known ??= this.#identity?.();
  }

  #received(chunk: Uint8Array): void {
    let rest = chunk;
    const into = this.#into;
    if (into !== undefined) {
      const count = Math.min(into.length, chunk.length);
      into.set(count === chunk.length ? chunk : chunk.subarray(0, count));
      rest = chunk.subarray(count);
      this.#settle()?.resolve(count);
    }
    if (rest.length === 0) return;
    this.#chunks.push(rest);
    this.#held += rest.length;
    if (this.#held > MAX_HELD_BYTES) {
      this.#failed(
        new Deno.errors.InvalidData(
          `The peer sent ${MAX_HELD_BYTES} bytes that nobody has read`,
        ),
      );
      this.#raw.destroy();
    } else if (this.#held > STOP_READING_BYTES && !this.#stopped) {
      this.#stopped = true;
      this.#flow?.readStop();
    }
  }

  #settle(): PromiseWithResolvers<number | null> | undefined {
    const reading = this.#reading;
    this.#reading = this.#into = undefined;
    return reading;
  }

  #end(): void {
    this.#ended = true;
    this.#settle()?.resolve(null);
  }

  #failed(error: unknown): void {
    this.#failure ??= systemError(error);
    this.#settle()?.reject(this.#failure);
  }

  #gone(): void {
    if (this.#ended) return;
    this.#failed(
      this.#closed
        ? new Deno.errors.BadResource("The connection is closed")
        : new Deno.errors.UnexpectedEof("The peer left without a goodbye"),
    );
  }

  read(into: Uint8Array): Promise<number | null> {
    if (this.#closed) return Promise.reject(closedError());
    if (this.#tls === undefined) {
      return this.shake().then(() => this.read(into));
    }
    if (this.#held > 0) return Promise.resolve(this.#take(into));
    if (this.#ended) return Promise.resolve(null);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#into = into;
    this.#reading = Promise.withResolvers();
    return this.#reading.promise;
  }

  #take(into: Uint8Array): number {
    const chunks = this.#chunks;
    let count = 0;
    let whole = 0;
    while (whole < chunks.length && count < into.length) {
      const chunk = chunks[whole]!;
      const room = into.length - count;
      if (chunk.length > room) {
        into.set(chunk.subarray(0, room), count);
        chunks[whole] = chunk.subarray(room);
        count += room;
      } else {
        into.set(chunk, count);
        count += chunk.length;
        whole++;
      }
    }
    chunks.splice(0, whole);
    this.#held -= count;
    if (this.#stopped && this.#held === 0) {
      this.#stopped = false;
      if (!this.#ended && this.#failure === undefined) this.#flow?.readStart();
    }
    return count;
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.#closed) return Promise.reject(closedError());
    const tls = this.#tls;
    if (tls === undefined) return this.shake().then(() => this.write(bytes));
    const taken = bytes.length > WRITE_BYTES
      ? bytes.subarray(0, WRITE_BYTES)
      : bytes;
    // With nothing before it the runtime encrypts it at once, so that its buffer is free; what fails is told by the next call.
    if (tls.writableLength === 0 && this.#failure === undefined) {
      tls.write(taken);
      return Promise.resolve(taken.length);
    }
    return new Promise((resolve, reject) => {
      tls.write(taken, (error) => {
        if (error) reject(this.#failure ?? systemError(error));
        else resolve(taken.length);
      });
    });
  }

  async closeWrite(): Promise<void> {
    if (this.#closed) throw closedError();
    await this.shake();
    await new Promise<void>((resolve) => this.#tls!.end(() => resolve()));
  }

  close(): void {
    if (this.#closed) throw closedError();
    this.#closed = true;
    this.#tls?.destroy();
    this.#raw.destroy();
    this.#gone();
  }
}

function closedError(): Error {
  return new Deno.errors.BadResource("The connection is closed");
}

function address(
  hostname: string | undefined,
  port: number | undefined,
): Deno.NetAddr {
  return { transport: "tcp", hostname: hostname ?? "", port: port ?? 0 };
}
