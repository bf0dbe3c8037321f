/**
 * Who holds which name, when there are many hubs: no hub is in charge. A hub
 * that wants a name for a client asks every other, and each of them grants it
 * unless it holds the name itself or wants it with the better claim. A name is
 * kept where its client is, so it ends with its hub.
 *
 * @module
 */

/** How a claim came out; `unavailable` if a hub is there but does not answer. */
export type Verdict = "granted" | "taken" | "unavailable";

/** A name and when it was claimed: the earlier claim is the better one. */
export type Stamped = readonly [key: string, stampMs: number];

/** What hubs say to each other about names. */
export type ClaimMessage =
  /** May a client of mine have this name? */
  | { type: "claim"; key: string; stampMs: number }
  | { type: "verdict"; key: string; stampMs: number; granted: boolean }
  /** We have not heard of each other for a while: these are my names. */
  | { type: "names"; id: number; names: readonly Stamped[] }
  /** Here they are held too, and by the better claim. */
  | { type: "names_seen"; id: number; taken: readonly string[] };

/** What {@linkcode Claims} needs of its hub. */
export interface ClaimsHost {
  /** This hub. */
  readonly id: string;
  /** The other hubs that are there. */
  hubs(): Iterable<string>;
  send(hub: string, message: ClaimMessage): void;
  /** A name that a client here had belongs to another. */
  lose(key: string): void;
}

interface Claim {
  readonly stampMs: number;
  /** Hubs that have not said yes. */
  readonly waiting: Set<string>;
  readonly decide: (verdict: Verdict) => void;
  ticks: number;
}

/** Names that a hub has not taken note of. */
interface Exchange {
  readonly hub: string;
  readonly names: readonly Stamped[];
}

/** Ticks after which what is unanswered is said again. */
const RESEND_TICKS = 5;
/** Ticks after which a hub that is heard but does not answer counts as out of order. */
const MAX_TICKS = 100;
/** Names in one message, so that it stays well below a megabyte. */
const MAX_NAMES = 2000;

/** The names of one hub's clients, unique over all hubs. */
export class Claims {
  readonly #host: ClaimsHost;
  readonly #held = new Map<string, number>();
  readonly #claims = new Map<string, Claim>();
  readonly #exchanges = new Map<number, Exchange>();
  #lastStampMs = 0;
  #lastExchange = 0;
  #ticks = 0;

  constructor(host: ClaimsHost) {
    this.#host = host;
  }

  /** Asks for a name; `wallMs` is the time since 1970. */
  claim(key: string, wallMs: number): Promise<Verdict> {
    if (this.#held.has(key) || this.#claims.has(key)) {
      return Promise.resolve("taken");
    }
    const stampMs = this.#lastStampMs = Math.max(wallMs, this.#lastStampMs + 1);
    const { promise, resolve } = Promise.withResolvers<Verdict>();
    const claim: Claim = {
      stampMs,
      waiting: new Set(this.#host.hubs()),
      ticks: 0,
      decide: (verdict) => {
        this.#claims.delete(key);
        if (verdict === "granted") this.#held.set(key, stampMs);
        resolve(verdict);
      },
    };
    this.#claims.set(key, claim);
    for (const hub of claim.waiting) this.#ask(hub, key, claim);
    if (claim.waiting.size === 0) claim.decide("granted");
    return promise;
  }

  /** A name is free again. */
  release(key: string): void {
    this.#held.delete(key);
  }

  #ask(hub: string, key: string, { stampMs }: Claim): void {
    this.#host.send(hub, { type: "claim", key, stampMs });
  }

  /** Another hub has spoken. */
  receive(from: string, message: ClaimMessage): void {
    switch (message.type) {
      case "claim": {
        const { key, stampMs } = message;
        const granted = this.#yields(key, from, stampMs);
        this.#host.send(from, { type: "verdict", key, stampMs, granted });
        return;
      }
      case "verdict": {
        const claim = this.#claims.get(message.key);
        if (claim?.stampMs !== message.stampMs) return;
        if (!message.granted) return claim.decide("taken");
        claim.waiting.delete(from);
        if (claim.waiting.size === 0) claim.decide("granted");
        return;
      }
      case "names": {
        const taken = message.names
          .filter(([key, stampMs]) => !this.#cedes(key, from, stampMs))
          .map(([key]) => key);
        this.#host.send(from, { type: "names_seen", id: message.id, taken });
        return;
      }
      case "names_seen": {
        const exchange = this.#exchanges.get(message.id);
        if (exchange?.hub !== from) return;
        this.#exchanges.delete(message.id);
        const stamps = new Map(exchange.names);
        for (const key of message.taken) {
          // It may have changed hands here since.
          if (this.#held.get(key) === stamps.get(key)) this.#lose(key);
        }
      }
    }
  }

  /** Whether a name that another hub wants is free here; our own claim to it gives way to a better one. */
  #yields(key: string, hub: string, stampMs: number): boolean {
    if (this.#held.has(key)) return false;
    const claim = this.#claims.get(key);
    if (claim === undefined) return true;
    if (this.#isBetter(claim.stampMs, hub, stampMs)) return false;
    claim.decide("taken");
    return true;
  }

  /** Whether another hub keeps a name that it holds; if so it is given up here. */
  #cedes(key: string, hub: string, stampMs: number): boolean {
    const heldMs = this.#held.get(key);
    if (heldMs === undefined) return true;
    if (this.#isBetter(heldMs, hub, stampMs)) return false;
    this.#lose(key);
    return true;
  }

  /** Whether our claim of `ownMs` comes before another hub's; ids decide between equals. */
  #isBetter(ownMs: number, hub: string, stampMs: number): boolean {
    return ownMs < stampMs || ownMs === stampMs && this.#host.id < hub;
  }

  #lose(key: string): void {
    this.#held.delete(key);
    this.#host.lose(key);
  }

  /** A hub is there that was not: it is asked too, and told what is held. */
  appeared(hub: string): void {
    for (const [key, claim] of this.#claims) {
      claim.waiting.add(hub);
      this.#ask(hub, key, claim);
    }
    const names = [...this.#held];
    for (let at = 0; at < names.length; at += MAX_NAMES) {
      const id = ++this.#lastExchange;
      const exchange = { hub, names: names.slice(at, at + MAX_NAMES) };
      this.#exchanges.set(id, exchange);
      this.#tell(id, exchange);
    }
  }

  #tell(id: number, { hub, names }: Exchange): void {
    this.#host.send(hub, { type: "names", id, names });
  }

  /** A hub is gone: nobody waits for it. */
  disappeared(hub: string): void {
    for (const [id, exchange] of this.#exchanges) {
      if (exchange.hub === hub) this.#exchanges.delete(id);
    }
    for (const claim of [...this.#claims.values()]) {
      claim.waiting.delete(hub);
      if (claim.waiting.size === 0) claim.decide("granted");
    }
  }

  /** Says again what is unanswered. */
  tick(): void {
    for (const [key, claim] of this.#claims) {
      if (++claim.ticks > MAX_TICKS) claim.decide("unavailable");
      else if (claim.ticks % RESEND_TICKS === 0) {
        for (const hub of claim.waiting) this.#ask(hub, key, claim);
      }
    }
    if (++this.#ticks % RESEND_TICKS !== 0) return;
    for (const [id, exchange] of this.#exchanges) this.#tell(id, exchange);
  }
}
