import { sourceNetwork, unmapAddress } from "../proto/address.ts";
import { TokenBucket } from "../proto/token_bucket.ts";
import { type Clock, sleep } from "../io/clock.ts";
import { formatEndpoint } from "../io/endpoint.ts";
import type { ServerTlsOptions } from "../io/tls/options.ts";
import type { Conn, Listener } from "../io/transport.ts";
import type { ServerObserver } from "../observe/events.ts";
import type { ServerLimits } from "./limits.ts";

/** How long accepting rests when the process has run out of descriptors; Thousand Island and Ranch take the same. */
const DESCRIPTOR_PAUSE_MS = 100;

/** What the listeners of one server share: how many connections there are, and how many there may be. */
export class Admission {
  readonly limits: Required<ServerLimits>;
  /** Whether accepting waits while there are `maxConnections`. */
  readonly waits: boolean;
  readonly clock: Clock;
  #connections = 0;
  readonly #sources = new Map<string, number>();
  readonly #rate: TokenBucket | undefined;
  #room: PromiseWithResolvers<void> | undefined;

  constructor(
    limits: Required<ServerLimits>,
    waits: boolean,
    clock: Clock,
  ) {
    this.limits = limits;
    this.waits = waits;
    this.clock = clock;
    const rate = limits.acceptsPerSecond;
    if (rate !== Infinity) {
      this.#rate = new TokenBucket(rate, rate, clock.now());
    }
  }

  /** Whether another connection would exceed the limit. */
  get isFull(): boolean {
    return this.#connections >= this.limits.maxConnections;
  }

  /** Milliseconds to wait before the next accept. */
  paceMs(): number {
    return this.#rate?.take(1, this.clock.now()) ?? 0;
  }

  /** Resolves once a connection has ended. */
  room(): Promise<void> {
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  /** Counts a connection from `source`, or names the limit that forbids it. */
  enter(
    source: string | undefined,
  ): "maxConnections" | "maxConnectionsPerSource" | undefined {
    if (this.isFull) return "maxConnections";
    const limit = source === undefined ? undefined : this.countSource(source);
    if (limit === undefined) this.#connections++;
    return limit;
  }

  /** Counts a connection that has entered without its source. */
  countSource(source: string): "maxConnectionsPerSource" | undefined {
    if (this.limits.maxConnectionsPerSource !== Infinity) {
      const count = this.#sources.get(source) ?? 0;
      if (count >= this.limits.maxConnectionsPerSource) {
        return "maxConnectionsPerSource";
      }
      this.#sources.set(source, count + 1);
    }
    return undefined;
  }

  /** Counts the end of a connection from `source`. */
  leave(source: string | undefined): void {
    this.#connections--;
    const count = source === undefined ? undefined : this.#sources.get(source);
    if (count === 1) this.#sources.delete(source!);
    else if (count !== undefined) this.#sources.set(source!, count - 1);
    this.wake();
  }

  /** Lets those who wait for room look again. */
  wake(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}

/** What a connection is counted under: its network, or its endpoint where addresses say nothing. */
export function sourceOf(
  { remoteAddr }: Pick<Conn, "remoteAddr">,
  endpoint: string,
): string {
  return "hostname" in remoteAddr
    ? sourceNetwork(unmapAddress(remoteAddr.hostname))
    : endpoint;
}

/** Takes connections from one listener until it is closed. */
export class Acceptor {
  /** The endpoint's URL. */
  readonly endpoint: string;
  readonly #listener: Listener;
  readonly #admission: Admission;
  readonly #observe: ServerObserver;
  readonly #take: (conn: Conn, endpoint: string, listener: Listener) => void;
  readonly #closing = new AbortController();

  constructor(
    listener: Listener,
    admission: Admission,
    observe: ServerObserver,
    take: (conn: Conn, endpoint: string, listener: Listener) => void,
  ) {
    this.endpoint = formatEndpoint(listener.endpoint);
    this.#listener = listener;
    this.#admission = admission;
    this.#observe = observe;
    this.#take = take;
  }

  /** Accepts until closed; never rejects. */
  async run(): Promise<void> {
    const { clock } = this.#admission;
    let waiting = false;
    while (!this.#closed) {
      const paceMs = this.#admission.paceMs();
      if (paceMs > 0) {
        if (!waiting) this.#waits("acceptsPerSecond");
        waiting = true;
        await sleep(clock, paceMs, this.#closing.signal);
      } else {
        waiting = false;
      }
      if (this.#mustWait) await this.#room();
      if (!this.#closed) await this.#accept();
    }
  }

  get #mustWait(): boolean {
    return this.#admission.waits && this.#admission.isFull;
  }

  async #room(): Promise<void> {
    this.#waits("maxConnections");
    while (this.#admission.isFull && !this.#closed) {
      await this.#admission.room();
    }
  }

  get #closed(): boolean {
    return this.#closing.signal.aborted;
  }

  #waits(limit: "maxConnections" | "acceptsPerSecond"): void {
    this.#observe({ type: "waiting", endpoint: this.endpoint, limit });
  }

  async #accept(): Promise<void> {
    try {
      const conn = await this.#listener.accept();
      // Another listener may have taken the last place meanwhile.
      if (this.#mustWait) await this.#room();
      this.#take(conn, this.endpoint, this.#listener);
    } catch (error) {
      if (this.#closed) return;
      const failure = classify(error);
      if (failure === "connection") return;
      this.#observe({
        type: "accept failed",
        endpoint: this.endpoint,
        descriptors: failure === "descriptors",
        pauseMs: DESCRIPTOR_PAUSE_MS,
        error,
      });
      const { clock } = this.#admission;
      await sleep(clock, DESCRIPTOR_PAUSE_MS, this.#closing.signal);
    }
  }

  /** Takes new connections by other TLS options; false where there is no TLS. */
  async renew(tls: ServerTlsOptions): Promise<boolean> {
    if (this.#listener.renew === undefined) return false;
    await this.#listener.renew(tls);
    return true;
  }

  /** Stops listening; connections live on. */
  close(): void {
    if (this.#closed) return;
    this.#closing.abort();
    this.#listener.close();
    this.#admission.wake();
  }
}

/** accept(2), "Error handling": errors of the one connection are passed over, a lack of resources is waited out. */
function classify(error: unknown): "connection" | "descriptors" | "other" {
  if (
    error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.ConnectionReset ||
    // The runtime asks for the addresses of what it has accepted, and the peer may have reset it before.
    error instanceof Deno.errors.NotConnected
  ) return "connection";
  const code = (error as { code?: unknown } | null)?.code;
  return code === "EMFILE" || code === "ENFILE" ? "descriptors" : "other";
}
