import { formatAddress, unmapAddress } from "../../proto/address.ts";
import { formatIp, Networks, parseIp } from "../../proto/ip.ts";
import { writeProxyHeader } from "../../proto/proxy_protocol/write.ts";
import { alarm, type Clock } from "../../io/clock.ts";
import { closeQuietly } from "../../io/close_quietly.ts";
import type { ProxyRequest } from "../events.ts";
import { parseDatagramEndpoint } from "../link/datagram_front.ts";
import { DEFAULT_PROXY_LIMITS } from "../proxy_options.ts";
import type { BalanceOptions, BalanceTarget } from "./options.ts";
import type { BalanceDecision, Roster } from "./roster.ts";
import type { BalanceFront } from "./stream_balance.ts";

/** Milliseconds of silence after which a session is over, unless `idleMs` says otherwise. */
const SESSION_IDLE_MS = 60_000;

/** Datagrams that the kernel has not yet taken from one session; those beyond are lost. */
const MAX_SENDING = 256;

/** How long receiving rests when the system cannot. */
const RECEIVE_PAUSE_MS = 100;

/** The datagrams of one client, by a socket of its own towards its backend. */
interface Session {
  readonly request: ProxyRequest;
  readonly client: Deno.NetAddr;
  readonly front: Deno.DatagramConn;
  readonly socket: Deno.DatagramConn;
  readonly startMs: number;
  movedMs: number;
  /** When the backend was first sent something that it has not answered. */
  askedMs: number | undefined;
  to: Deno.NetAddr | undefined;
  backend: string;
  header: Uint8Array;
  why: string;
  sending: number;
  bytesIn: number;
  bytesOut: number;
  isAnswered: boolean;
  isOver: boolean;
}

/** Takes datagrams, and keeps a session for each client. */
export class DatagramBalance implements BalanceFront {
  readonly #options: BalanceOptions;
  readonly #roster: Roster;
  readonly #clock: Clock;
  readonly #allow: Networks | undefined;
  readonly #deny: Networks;
  readonly #idleMs: number;
  readonly #maxSessions: number;
  readonly #fronts: Deno.DatagramConn[] = [];
  readonly #sessions = new Map<string, Session>();
  readonly #byId = new Map<number, Session>();
  readonly #running = new Set<Promise<void>>();
  #lastId = 0;
  #isClosed = false;
  #sweep: ReturnType<typeof alarm> | undefined;

  constructor(options: BalanceOptions, roster: Roster, clock: Clock) {
    if (!("listenDatagram" in Deno)) {
      throw new Deno.errors.NotSupported(
        "Cannot listen for datagrams: the runtime's flag --unstable-net is needed",
      );
    }
    const { limits = {}, allow, deny = [], trustedProxies = [] } = options;
    const { maxConnectionsPerSource = Infinity } = limits;
    for (
      const [name, isUsed] of [
        ["trustedProxies", [...trustedProxies].length > 0],
        ["maxConnectionsPerSource", maxConnectionsPerSource !== Infinity],
      ] as const
    ) {
      if (!isUsed) continue;
      throw new Deno.errors.NotSupported(
        `Cannot balance datagrams: '${name}' is for connections alone`,
      );
    }
    this.#options = options;
    this.#roster = roster;
    this.#clock = clock;
    this.#allow = allow && new Networks(allow);
    this.#deny = new Networks(deny);
    this.#idleMs = limits.idleMs ?? SESSION_IDLE_MS;
    this.#maxSessions = limits.maxConnections ??
      DEFAULT_PROXY_LIMITS.maxConnections;
  }

  get endpoints(): string[] {
    return this.#fronts.map(({ addr }) => urlOf(addr as Deno.NetAddr));
  }

  get connections(): number {
    return this.#sessions.size;
  }

  start(): Promise<void> {
    try {
      for (const url of [this.#options.listen].flat()) {
        const address = parseDatagramEndpoint(url);
        this.#fronts.push(
          Deno.listenDatagram({ ...address, transport: "udp" }),
        );
      }
    } catch (error) {
      for (const front of this.#fronts) closeQuietly(front);
      return Promise.reject(error);
    }
    for (const front of this.#fronts) {
      const endpoint = urlOf(front.addr as Deno.NetAddr);
      this.#track(this.#receive(
        front,
        (bytes, from) => this.#fromClient(front, bytes, from),
      ));
      this.#roster.tell({ type: "listening", endpoint });
    }
    this.#sweepLater();
    return Promise.resolve();
  }

  #track(running: Promise<void>): void {
    const tracked = running.finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }

  /** Receives until the socket is closed; a refusal that a datagram of ours met is no end. */
  async #receive(
    socket: Deno.DatagramConn,
    take: (bytes: Uint8Array, from: Deno.NetAddr) => void,
  ): Promise<void> {
    for (;;) {
      try {
        const [bytes, from] = await socket.receive();
        take(bytes, from as Deno.NetAddr);
      } catch (error) {
        const { BadResource, Interrupted, ConnectionRefused } = Deno.errors;
        if (error instanceof BadResource || error instanceof Interrupted) {
          return;
        }
        if (error instanceof ConnectionRefused) continue;
        await new Promise<void>((resolve) =>
          alarm(this.#clock, RECEIVE_PAUSE_MS, resolve)
        );
      }
    }
  }

  #fromClient(
    front: Deno.DatagramConn,
    bytes: Uint8Array,
    from: Deno.NetAddr,
  ): void {
    const endpoint = urlOf(front.addr as Deno.NetAddr);
    const key = `${endpoint} ${from.hostname} ${from.port}`;
    const session = this.#sessions.get(key) ?? this.#open(front, from, key);
    if (session === undefined) return;
    session.movedMs = this.#clock.now();
    session.askedMs ??= session.movedMs;
    // While it waits for a backend, datagrams are lost, as on any full road.
    if (session.to === undefined || session.sending >= MAX_SENDING) return;
    session.bytesIn += bytes.length;
    session.sending++;
    const whole = session.header.length === 0
      ? bytes
      : Uint8Array.of(...session.header, ...bytes);
    session.socket.send(whole, session.to).catch(() => {}).finally(() =>
      session.sending--
    );
  }

  #open(
    front: Deno.DatagramConn,
    client: Deno.NetAddr,
    key: string,
  ): Session | undefined {
    const hostname = unmapAddress(client.hostname);
    const address = formatAddress(hostname, client.port);
    const local = front.addr as Deno.NetAddr;
    const endpoint = urlOf(local);
    if (this.#deny.has(hostname) || this.#allow?.has(hostname) === false) {
      const reason = `Cannot pass on ${hostname}: it is denied`;
      this.#roster.tell({ type: "turned away", endpoint, address, reason });
      return undefined;
    }
    if (this.#isClosed || this.#sessions.size >= this.#maxSessions) {
      const limit = "maxConnections";
      this.#roster.tell({ type: "refused", endpoint, address, limit });
      return undefined;
    }
    const id = ++this.#lastId;
    const nowMs = this.#clock.now();
    const session: Session = {
      request: {
        id,
        endpoint,
        source: { hostname, port: client.port },
        destination: {
          hostname: unmapAddress(local.hostname),
          port: local.port,
        },
      },
      client,
      front,
      socket: Deno.listenDatagram({
        transport: "udp",
        hostname: this.#family(),
        port: 0,
      }),
      startMs: nowMs,
      movedMs: nowMs,
      askedMs: undefined,
      to: undefined,
      backend: "",
      header: new Uint8Array(),
      why: "",
      sending: 0,
      bytesIn: 0,
      bytesOut: 0,
      isAnswered: false,
      isOver: false,
    };
    this.#sessions.set(key, session);
    this.#byId.set(id, session);
    this.#track(
      this.#receive(
        session.socket,
        (bytes, from) => this.#fromBackend(session, bytes, from),
      ).finally(() => this.#sessions.delete(key)),
    );
    this.#roster.input({ type: "connection", id, source: hostname });
    return session.isOver ? undefined : session;
  }

  /** The wildcard of the family of the backends; dual stack if one of them is IPv6. */
  #family(): string {
    return this.#roster.backends.some(({ name }) => name.includes("["))
      ? "::"
      : "0.0.0.0";
  }

  #fromBackend(session: Session, bytes: Uint8Array, from: Deno.NetAddr): void {
    const { to, front, client, request: { id } } = session;
    // Whoever else sends to a session's socket is not heard.
    if (
      to === undefined || from.port !== to.port ||
      parseIp(to.hostname) !== undefined &&
        unmapAddress(from.hostname) !== to.hostname
    ) return;
    const nowMs = this.#clock.now();
    session.movedMs = nowMs;
    session.bytesOut += bytes.length;
    if (!session.isAnswered) {
      session.isAnswered = true;
      const latencyMs = nowMs - (session.askedMs ?? session.startMs);
      this.#roster.input({ type: "answered", id, latencyMs });
    }
    front.send(bytes, client).catch(() => {});
  }

  decided(decision: BalanceDecision): void {
    const { id, why } = decision;
    const session = this.#byId.get(id);
    if (session === undefined) return;
    const { request } = session;
    switch (decision.type) {
      case "pick": {
        const target = this.#roster.target(decision.backend);
        session.why = why;
        session.backend = decision.backend;
        session.to = addressOf(target);
        session.header = headerOf(target, request);
        session.isAnswered = false;
        session.askedMs = undefined;
        return;
      }
      case "wait":
        session.to = undefined;
        return this.#roster.tell({ type: "queued", request, why });
      case "refuse": {
        this.#close(session);
        const { hostname, port } = session.client;
        return this.#roster.tell({
          type: "turned away",
          endpoint: request.endpoint,
          address: formatAddress(hostname, port),
          reason: `Cannot balance: no backend: ${why}`,
        });
      }
    }
  }

  /** Moves the sessions of backends that are down, and ends those that are silent. */
  #sweepLater(): void {
    const everyMs = Math.min(this.#idleMs / 4, 1_000);
    this.#sweep = alarm(this.#clock, everyMs, () => {
      const nowMs = this.#clock.now();
      const down = new Set(
        this.#roster.backends.filter(({ status }) => status === "down")
          .map(({ name }) => name),
      );
      for (const session of this.#byId.values()) {
        const { backend, movedMs, request: { id } } = session;
        if (nowMs - movedMs >= this.#idleMs) this.#end(session, "idle");
        else if (session.to !== undefined && down.has(backend)) {
          session.to = undefined;
          this.#roster.input({ type: "failed", id, latencyMs: 0 });
        }
      }
      this.#sweepLater();
    });
  }

  #end(session: Session, ending: "idle" | "aborted"): void {
    const { request, bytesIn, bytesOut, startMs, why, backend } = session;
    this.#close(session);
    const nowMs = this.#clock.now();
    const latencyMs = nowMs - (session.askedMs ?? nowMs);
    this.#roster.input({ type: "ended", id: request.id, ok: true, latencyMs });
    const durationMs = nowMs - startMs;
    const report = { ending, bytesIn, bytesOut, connectMs: 0, durationMs };
    this.#roster.tell({
      type: "relayed",
      access: { request, to: backend, ...report },
      why,
    });
  }

  #close(session: Session): void {
    session.isOver = true;
    this.#byId.delete(session.request.id);
    closeQuietly(session.socket);
  }

  /** Datagrams have no end to wait for: sessions go on until they are silent, at most until the deadline. */
  async drain(deadlineMs: number): Promise<void> {
    this.#isClosed = true;
    const silent = Promise.withResolvers<void>();
    const startMs = this.#clock.now();
    const look = () => {
      const nowMs = this.#clock.now();
      const isBusy = [...this.#byId.values()].some(({ movedMs }) =>
        nowMs - movedMs < DRAIN_QUIET_MS
      );
      if (!isBusy || nowMs - startMs >= deadlineMs) return silent.resolve();
      alarm(this.#clock, DRAIN_QUIET_MS / 4, look);
    };
    look();
    await silent.promise;
    await this.abort();
  }

  async abort(): Promise<void> {
    this.#isClosed = true;
    if (this.#sweep !== undefined) this.#clock.cancel(this.#sweep);
    for (const session of [...this.#byId.values()]) {
      this.#end(session, "aborted");
    }
    for (const front of this.#fronts) closeQuietly(front);
    await Promise.all(this.#running);
  }
}

/** A session that said nothing for as long does not hold up the end. */
const DRAIN_QUIET_MS = 200;

function urlOf({ hostname, port }: Deno.NetAddr): string {
  return `udp://${formatAddress(hostname, port)}`;
}

function addressOf({ to }: BalanceTarget): Deno.NetAddr {
  const address = parseDatagramEndpoint(to);
  const { hostname } = address;
  const ip = parseIp(hostname === "localhost" ? "127.0.0.1" : hostname);
  return ip === undefined ? address : { ...address, hostname: formatIp(ip) };
}

/** Before each datagram: there is no connection that could remember it. */
function headerOf(
  { proxyProtocol }: BalanceTarget,
  { source, destination }: ProxyRequest,
): Uint8Array {
  if (proxyProtocol === undefined) return new Uint8Array();
  return writeProxyHeader({
    version: 2,
    command: "proxy",
    transport: "datagram",
    source,
    destination,
  });
}
