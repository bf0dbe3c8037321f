import { formatAddress } from "../../proto/address.ts";
import { formatIp, parseIp } from "../../proto/ip.ts";
import { alarm, type Clock, sleep } from "../../io/clock.ts";
import { closeQuietly } from "../../io/close_quietly.ts";
import { parseEndpoint } from "../../io/endpoint.ts";
import type { LinkPacket } from "../../proto/link/impaired_link.ts";
import type { Timer } from "../../proto/timer_wheel.ts";
import type { LinkEvent } from "./events.ts";
import type { LinkPair, LinkSink } from "./link_pair.ts";

/** Datagrams that the kernel has not yet taken from one socket; those beyond are lost. */
const MAX_SENDING = 1024;

/** How long receiving rests when the system cannot. */
const RECEIVE_PAUSE_MS = 100;

/** Options of {@linkcode DatagramFront}. */
export interface DatagramFrontOptions {
  /** Where to listen: `udp://HOST:PORT`. */
  listen: string;
  /** Where datagrams go: `udp://HOST:PORT`. */
  to: string;
  /** Clients at a time. */
  maxSessions: number;
  /** Milliseconds of silence after which a session is over. */
  sessionIdleMs: number;
  /** Where time comes from. */
  clock: Clock;
  /** What lies between. */
  pair: LinkPair;
  /** Is told what happens. */
  observe(event: LinkEvent): void;
}

/** Whether an endpoint is one for datagrams. */
export function isDatagramEndpoint(url: string): boolean {
  return url.startsWith("udp://");
}

/**
 * Reads an endpoint for datagrams.
 *
 * @throws {SyntaxError} If the text is none.
 */
export function parseDatagramEndpoint(url: string): Deno.NetAddr {
  try {
    const endpoint = parseEndpoint(url.replace(/^udp:/, "tcp:"));
    if (isDatagramEndpoint(url) && "port" in endpoint) {
      const { hostname, port } = endpoint;
      return { transport: "udp", hostname, port };
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new SyntaxError(
    `Cannot parse endpoint: udp://HOST:PORT is expected: current value is "${url}"`,
  );
}

/** Sends datagrams of one socket, and loses those that its kernel is too slow for. */
class Sender {
  readonly #socket: Deno.DatagramConn;
  #sending = 0;

  constructor(socket: Deno.DatagramConn) {
    this.#socket = socket;
  }

  send(bytes: Uint8Array, to: Deno.NetAddr): void {
    if (this.#sending >= MAX_SENDING) return;
    this.#sending++;
    // Nobody listening there (ECONNREFUSED), or a closed socket: datagrams are lost without a word.
    this.#socket.send(bytes, to).catch(() => {}).finally(() => this.#sending--);
  }
}

/** The datagrams of one client: a socket of its own towards the target, so that answers find back. */
class Session {
  bytesUp = 0;
  bytesDown = 0;
  readonly id: number;
  readonly client: Deno.NetAddr;
  readonly startMs: number;
  movedMs: number;
  idle: Timer | undefined;
  readonly back: Deno.DatagramConn;
  readonly up: LinkSink;
  readonly down: LinkSink;

  constructor(
    id: number,
    client: Deno.NetAddr,
    { front, to, nowMs }: { front: Sender; to: Deno.NetAddr; nowMs: number },
  ) {
    this.id = id;
    this.client = client;
    this.startMs = this.movedMs = nowMs;
    this.back = Deno.listenDatagram({
      transport: "udp",
      hostname: to.hostname.includes(":") ? "::" : "0.0.0.0",
      port: 0,
    });
    const sender = new Sender(this.back);
    const sink = (arrived: (packet: LinkPacket<LinkSink>) => void) => ({
      lastArrivalMs: 0,
      arrived,
    });
    this.up = sink(({ bytes }) => sender.send(bytes, to));
    this.down = sink(({ bytes }) => front.send(bytes, client));
  }
}

/** Takes datagrams, keeps a session for each client, and lets them pass a link both ways. */
export class DatagramFront {
  /** Where it listens, with the port that the system chose. */
  readonly endpoint: string;
  readonly #options: DatagramFrontOptions;
  readonly #socket: Deno.DatagramConn;
  readonly #sender: Sender;
  readonly #to: Deno.NetAddr;
  readonly #sessions = new Map<string, Session>();
  readonly #running = new Set<Promise<void>>();
  #lastId = 0;
  #closed = false;

  /**
   * Listens.
   *
   * @throws {Deno.errors.NotSupported} Without the runtime's flag `--unstable-net`.
   * @throws {Error} If it cannot; `cause` is the runtime's error.
   */
  constructor(options: DatagramFrontOptions) {
    if (!("listenDatagram" in Deno)) {
      throw new Deno.errors.NotSupported(
        "Cannot listen for datagrams: the runtime's flag --unstable-net is needed",
      );
    }
    this.#options = options;
    const listen = parseDatagramEndpoint(options.listen);
    const to = parseDatagramEndpoint(options.to);
    try {
      this.#socket = Deno.listenDatagram({ ...listen, transport: "udp" });
    } catch (cause) {
      throw new Error(`Cannot listen on ${options.listen}`, { cause });
    }
    const { hostname, port } = this.#socket.addr as Deno.NetAddr;
    this.endpoint = `udp://${formatAddress(hostname, port)}`;
    const ip = parseIp(to.hostname === "localhost" ? "127.0.0.1" : to.hostname);
    this.#to = ip === undefined ? to : { ...to, hostname: formatIp(ip) };
    this.#sender = new Sender(this.#socket);
    options.observe({ type: "listening", endpoint: this.endpoint });
    this.#track(this.#receiveUp());
  }

  /** The sessions, by the address of each client. */
  get connections(): ReadonlyMap<string, unknown> {
    return this.#sessions;
  }

  #track(running: Promise<void>): void {
    const tracked = running.finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }

  async #receiveUp(): Promise<void> {
    const { pair, clock } = this.#options;
    for await (const [bytes, from] of this.#datagrams(this.#socket)) {
      const session = this.#session(from);
      if (session === undefined) continue;
      session.movedMs = clock.now();
      session.bytesUp += bytes.length;
      pair.send("up", { kind: "data", bytes, flow: session.up });
    }
  }

  async #receiveDown(session: Session): Promise<void> {
    const { pair, clock } = this.#options;
    for await (const [bytes, from] of this.#datagrams(session.back)) {
      if (!this.#isTarget(from)) continue;
      session.movedMs = clock.now();
      session.bytesDown += bytes.length;
      pair.send("down", { kind: "data", bytes, flow: session.down });
    }
  }

  /** Whoever else sends to a session's socket is not heard. */
  #isTarget({ hostname, port }: Deno.NetAddr): boolean {
    const to = this.#to;
    return port === to.port &&
      (hostname === to.hostname || parseIp(to.hostname) === undefined);
  }

  /** What a socket receives until it is closed; a refusal that a datagram of ours met is no end. */
  async *#datagrams(
    socket: Deno.DatagramConn,
  ): AsyncGenerator<[Uint8Array, Deno.NetAddr]> {
    for (;;) {
      try {
        const [bytes, from] = await socket.receive();
        yield [bytes, from as Deno.NetAddr];
      } catch (error) {
        const { BadResource, Interrupted, ConnectionRefused } = Deno.errors;
        if (error instanceof BadResource || error instanceof Interrupted) {
          return;
        }
        if (error instanceof ConnectionRefused) continue;
        // A lack of memory, say: it is waited out.
        await sleep(this.#options.clock, RECEIVE_PAUSE_MS);
      }
    }
  }

  #session(client: Deno.NetAddr): Session | undefined {
    const address = formatAddress(client.hostname, client.port);
    const known = this.#sessions.get(address);
    if (known !== undefined || this.#closed) return known;
    const { maxSessions, observe, clock } = this.#options;
    if (this.#sessions.size >= maxSessions) {
      observe({
        type: "refused",
        endpoint: this.endpoint,
        address,
        limit: "maxConnections",
      });
      return undefined;
    }
    let session: Session;
    try {
      session = new Session(++this.#lastId, client, {
        front: this.#sender,
        to: this.#to,
        nowMs: clock.now(),
      });
    } catch (error) {
      const { to } = this.#options;
      observe({ type: "connect failed", address, to, error });
      return undefined;
    }
    this.#sessions.set(address, session);
    this.#track(this.#receiveDown(session));
    this.#watchIdle(address, session);
    return session;
  }

  #watchIdle(address: string, session: Session): void {
    const { clock, sessionIdleMs } = this.#options;
    const waitMs = session.movedMs + sessionIdleMs - clock.now();
    if (waitMs <= 0) return this.#end(address, session, "idle");
    session.idle = alarm(clock, waitMs, () => {
      this.#watchIdle(address, session);
    });
  }

  #end(address: string, session: Session, ending: "idle" | "closed"): void {
    const { clock, observe } = this.#options;
    const { id, bytesUp, bytesDown, startMs, idle } = session;
    if (idle !== undefined) clock.cancel(idle);
    this.#sessions.delete(address);
    closeQuietly(session.back);
    const durationMs = clock.now() - startMs;
    observe({
      type: "ended",
      access: { id, address, bytesUp, bytesDown, durationMs, ending },
    });
  }

  /** Stops to listen, and ends every session. */
  async close(): Promise<void> {
    this.#closed = true;
    closeQuietly(this.#socket);
    for (const [address, session] of [...this.#sessions]) {
      this.#end(address, session, "closed");
    }
    await Promise.all(this.#running);
  }
}
