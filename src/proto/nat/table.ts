import type { TimerWheel } from "../timer_wheel.ts";
import type { NatEnding, NatEvent, NatRefusal } from "./events.ts";
import { FairLru } from "./fair_lru.ts";
import type {
  NatBehavior,
  NatForward,
  NatLimits,
  NatTimeouts,
} from "./options.ts";
import { readIpv4 } from "./options.ts";
import { OutsideAddress, type PortPolicy } from "./outside_address.ts";
import { PROTOCOLS } from "../ip_packet/transport.ts";
import {
  endpointKey,
  type InsideHost,
  type InsidePort,
  type Mapping,
  portKey,
  Session,
} from "./session.ts";

/** What a {@linkcode NatTable} is made from. */
export interface NatTableOptions {
  outside: readonly number[];
  random: () => number;
  wheel: TimerWheel;
  mapping: NatBehavior;
  ports: PortPolicy;
  timeouts: NatTimeouts;
  limits: NatLimits;
  observe: ((event: NatEvent) => void) | undefined;
}

/** Who is mapped to what, and which sessions use it. */
export class NatTable {
  /** The outside addresses. */
  readonly outside: ReadonlyMap<number, OutsideAddress>;
  /** Sessions in all. */
  size = 0;
  readonly #options: NatTableOptions;
  readonly #outsides: readonly OutsideAddress[];
  readonly #hosts = new Map<number, InsideHost>();
  /** Sessions in which one side alone was heard: the first to go. */
  readonly #fresh = new FairLru<InsideHost, Session>();
  readonly #assured = new FairLru<InsideHost, Session>();
  readonly #expire = (session: Session, nowMs: number): void => {
    const endMs = session.endMs(this.#options.timeouts);
    if (endMs > nowMs) this.#options.wheel.arm(session, endMs);
    else this.#remove(session, "expired", nowMs);
  };

  constructor(options: NatTableOptions) {
    this.#options = options;
    this.#outsides = options.outside.map((address) =>
      new OutsideAddress(address, options.random)
    );
    this.outside = new Map(
      this.#outsides.map((outside) => [outside.address, outside]),
    );
  }

  /** Maps a port for good. */
  forward(forward: NatForward): void {
    const { insideAddress, insidePort, outsideAddress, outsidePort } = forward;
    const protocol = PROTOCOLS[forward.protocol];
    const outside = outsideAddress === undefined
      ? this.#outsides[0]!
      : this.outside.get(readIpv4(outsideAddress));
    if (outside === undefined) {
      throw new RangeError(
        `Cannot forward a port: the outside address must be one of the NAT's: current value is "${outsideAddress}"`,
      );
    }
    const inside = this.#insidePort(
      readIpv4(insideAddress),
      protocol,
      insidePort,
    );
    if (
      inside.forward !== undefined ||
      outside.mapping(protocol, outsidePort) !== undefined
    ) {
      throw new RangeError(
        `Cannot forward a port: each outside and each inside port can be forwarded once: current value is ${forward.protocol} port ${outsidePort} to ${insideAddress}:${insidePort}`,
      );
    }
    inside.forward = this.#map(inside, outside, outsidePort, 0, true);
  }

  /** The mapping that an inside port has for a remote endpoint. */
  mapping(
    address: number,
    protocol: number,
    port: number,
    remote: number,
    remotePort: number,
  ): Mapping | undefined {
    const inside = this.#hosts.get(address)?.ports.get(portKey(protocol, port));
    return inside?.forward ??
      inside?.mappings.get(this.#mappingKey(remote, remotePort));
  }

  /** Begins a session from the inside, with a mapping where there is none. */
  open(
    address: number,
    protocol: number,
    port: number,
    remote: number,
    remotePort: number,
    nowMs: number,
  ): Session | NatRefusal {
    const inside = this.#insidePort(address, protocol, port);
    const refusal = this.#makeRoom(inside.host, nowMs);
    const mapping = refusal ?? this.#mappingOf(inside, remote, remotePort);
    if (typeof mapping !== "string") {
      // Making room may have removed the last session, and with it the port, of this very host.
      this.#keep(inside);
      return this.#begin(mapping, remote, remotePort, nowMs);
    }
    this.#tidy(inside);
    return mapping;
  }

  /** Begins a session from the outside, through a mapping that there is. */
  admit(
    mapping: Mapping,
    remote: number,
    remotePort: number,
    nowMs: number,
  ): Session | NatRefusal {
    const refusal = this.#makeRoom(mapping.inside.host, nowMs);
    if (refusal !== undefined) return refusal;
    // Making room may have ended this very mapping.
    const { outside, inside: { protocol }, port } = mapping;
    if (outside.mapping(protocol, port) !== mapping) return "table full";
    return this.#begin(mapping, remote, remotePort, nowMs);
  }

  /** Notes that both sides of a session were heard. */
  assure(session: Session): void {
    if (session.isAssured) return;
    session.isAssured = true;
    this.#fresh.delete(session);
    this.#assured.add(session);
  }

  /** Moves the end of a session whose state has changed. */
  reschedule(session: Session): void {
    const { wheel, timeouts } = this.#options;
    wheel.arm(session, session.endMs(timeouts));
  }

  /** All sessions. */
  *sessions(): Generator<Session> {
    for (const { ports } of this.#hosts.values()) {
      for (const { mappings, forward } of ports.values()) {
        if (forward !== undefined) yield* forward.sessions.values();
        for (const { sessions } of mappings.values()) yield* sessions.values();
      }
    }
  }

  #mappingKey(remote: number, remotePort: number): number {
    const { mapping } = this.#options;
    if (mapping === "endpoint-independent") return 0;
    return mapping === "address-dependent"
      ? remote
      : endpointKey(remote, remotePort);
  }

  #insidePort(address: number, protocol: number, port: number): InsidePort {
    let host = this.#hosts.get(address);
    if (host === undefined) {
      const outside = this.#outsides[address % this.#outsides.length]!;
      host = { address, outside, ports: new Map(), mappings: 0 };
      this.#hosts.set(address, host);
    }
    const key = portKey(protocol, port);
    let inside = host.ports.get(key);
    if (inside === undefined) {
      inside = {
        host,
        protocol,
        port,
        mappings: new Map(),
        forward: undefined,
      };
      host.ports.set(key, inside);
    }
    return inside;
  }

  #mappingOf(
    inside: InsidePort,
    remote: number,
    remotePort: number,
  ): Mapping | NatRefusal {
    const key = this.#mappingKey(remote, remotePort);
    const known = inside.forward ?? inside.mappings.get(key);
    if (known !== undefined) return known;
    const { host, protocol, port } = inside;
    const { limits, ports } = this.#options;
    if (host.mappings >= limits.maxPortsPerHost) return "host limit";
    const found = host.outside.find(protocol, port, ports);
    if (found === undefined) return "ports exhausted";
    const mapping = this.#map(inside, host.outside, found, key, false);
    inside.mappings.set(key, mapping);
    return mapping;
  }

  #map(
    inside: InsidePort,
    outside: OutsideAddress,
    port: number,
    key: number,
    isForward: boolean,
  ): Mapping {
    const mapping: Mapping = {
      inside,
      outside,
      port,
      key,
      isForward,
      sessions: new Map(),
      remotes: new Map(),
    };
    inside.host.mappings++;
    outside.add(mapping);
    return mapping;
  }

  #begin(
    mapping: Mapping,
    remote: number,
    remotePort: number,
    nowMs: number,
  ): Session {
    const { wheel, timeouts } = this.#options;
    const session = new Session(
      mapping,
      remote,
      remotePort,
      nowMs,
      this.#expire,
    );
    mapping.sessions.set(endpointKey(remote, remotePort), session);
    mapping.remotes.set(remote, (mapping.remotes.get(remote) ?? 0) + 1);
    this.size++;
    this.#fresh.add(session);
    wheel.arm(session, session.endMs(timeouts));
    return session;
  }

  /**
   * Where a host has as many sessions as it may, its own least recently used one goes; where the table is full, that of
   * the host that has the most. Sessions in which both sides were heard go last, and never for a host that has more.
   */
  #makeRoom(host: InsideHost, nowMs: number): NatRefusal | undefined {
    const { maxSessions, maxSessionsPerHost } = this.#options.limits;
    const count = this.#fresh.count(host) + this.#assured.count(host);
    let victim: Session | undefined;
    if (count >= maxSessionsPerHost) {
      victim = this.#fresh.oldestOf(host);
      if (victim === undefined) return "host limit";
    } else if (this.size >= maxSessions) {
      const greedy = this.#fresh.greediest ?? this.#assured.greediest;
      if (greedy === undefined) return "table full";
      victim = this.#fresh.oldestOf(greedy);
      if (victim === undefined && this.#assured.count(greedy) > count + 1) {
        victim = this.#assured.oldestOf(greedy);
      }
      if (victim === undefined) return "table full";
    } else return undefined;
    this.#remove(victim, "evicted", nowMs);
    return undefined;
  }

  #remove(session: Session, ending: NatEnding, nowMs: number): void {
    const { observe, timeouts, wheel } = this.#options;
    const { mapping, remote, remotePort } = session;
    wheel.cancel(session);
    this.#fresh.delete(session);
    this.#assured.delete(session);
    this.size--;
    mapping.sessions.delete(endpointKey(remote, remotePort));
    const others = mapping.remotes.get(remote)! - 1;
    if (others > 0) mapping.remotes.set(remote, others);
    else mapping.remotes.delete(remote);
    if (mapping.sessions.size === 0 && !mapping.isForward) {
      mapping.inside.mappings.delete(mapping.key);
      mapping.inside.host.mappings--;
      mapping.outside.delete(mapping);
      this.#tidy(mapping.inside);
    }
    const entry = observe && session.describe(nowMs, timeouts);
    if (entry) observe({ type: "destroyed", entry, ending });
  }

  /** Forgets an inside port, and its host, of which nothing is left. */
  #tidy(inside: InsidePort): void {
    const { host, protocol, port } = inside;
    if (inside.mappings.size > 0 || inside.forward !== undefined) return;
    host.ports.delete(portKey(protocol, port));
    if (host.ports.size === 0) this.#hosts.delete(host.address);
  }

  #keep(inside: InsidePort): void {
    const { host, protocol, port } = inside;
    this.#hosts.set(host.address, host);
    host.ports.set(portKey(protocol, port), inside);
  }
}
