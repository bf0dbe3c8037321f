import type { Endpoint } from "./endpoint.ts";

/** A byte stream between two programs. `Deno.Conn` is one; so is each end of a `memory:` pair. */
export interface Conn {
  /** Reads into `into`; the number of bytes read, or null at the end of the stream. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes some of `bytes`; the number of bytes taken. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends the writing direction; the other may go on. */
  closeWrite(): Promise<void>;
  /** Ends both directions at once; a read or write in flight fails. */
  close(): void;
  /** The peer's address. */
  readonly remoteAddr: Deno.Addr;
  /** Our address. */
  readonly localAddr: Deno.Addr;
}

/** Takes connections at one endpoint. */
export interface Listener {
  /** Where it really listens: the port is filled in. */
  readonly endpoint: Endpoint;
  /** The next connection. Rejects with `Deno.errors.BadResource` once closed. */
  accept(): Promise<Conn>;
  /** Stops listening; connections live on. */
  close(): void;
}

/** Options of {@linkcode Transport.listen}. */
export interface TransportListenOptions {
  /** Connections that the kernel holds until they are accepted; it has a limit of its own. @default {4096} */
  backlog?: number;
  /** Several processes or workers share the port (Linux; needs `--unstable-net`). @default {false} */
  reusePort?: boolean;
  /** Certificate chain in PEM, for `tls`. */
  cert?: string;
  /** Private key in PEM, for `tls`. */
  key?: string;
}

/** Options of {@linkcode Transport.connect}. */
export interface TransportConnectOptions {
  /** Gives up when aborted. */
  signal?: AbortSignal;
  /** Certificates to trust beside the system's, in PEM, for `tls`. */
  caCerts?: string[];
  /** Certificate chain of the client in PEM, for `tls`. */
  cert?: string;
  /** Private key of the client in PEM, for `tls`. */
  key?: string;
}

/** One kind of road: how to listen and to connect. Implement it to add another. */
export interface Transport {
  /** Opens a listener. Errors say which endpoint and why. */
  listen(
    endpoint: Endpoint,
    options: TransportListenOptions,
  ): Listener | Promise<Listener>;
  /** Opens a connection. Errors say which endpoint and why. */
  connect(
    endpoint: Endpoint,
    options: TransportConnectOptions,
  ): Promise<Conn>;
}
