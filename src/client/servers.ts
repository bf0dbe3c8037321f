import { formatEndpoint, parseEndpoint } from "../io/endpoint.ts";

/** Servers that are remembered; one of them could tell of others without an end. */
const MAX_SERVERS = 1000;

/** Servers that a client may connect to, in the order in which it tries them. */
export class ServerList {
  readonly #servers: string[];
  readonly #random: (() => number) | undefined;
  #next = 0;

  /**
   * Takes endpoint URLs; with `random` they are tried in random order.
   *
   * @throws {SyntaxError} If one is not a URL that is known.
   */
  constructor(servers: string[], random: (() => number) | undefined) {
    if (servers.length === 0) {
      throw new TypeError(
        "Cannot connect: 'to' must name a server: current value is []",
      );
    }
    this.#servers = servers.map(canonical);
    this.#random = random;
    this.#shuffle();
  }

  /** How many there are. */
  get size(): number {
    return this.#servers.length;
  }

  /** The server to try now; after the last comes the first again. */
  next(): string {
    if (this.#next === this.#servers.length) {
      this.#next = 0;
      this.#shuffle();
    }
    return this.#servers[this.#next++]!;
  }

  /** Adds servers that were learned; returns those that were not known. What is no endpoint URL is passed over. */
  learn(servers: string[]): string[] {
    const known = new Set(this.#servers);
    const learned = [
      ...new Set(servers.filter(isEndpoint).map(canonical)).difference(known),
    ].slice(0, Math.max(MAX_SERVERS - known.size, 0));
    this.#servers.push(...learned);
    return learned;
  }

  /** Fisher and Yates. */
  #shuffle(): void {
    if (this.#random === undefined) return;
    for (let left = this.#servers.length - 1; left > 0; left--) {
      const pick = Math.floor(this.#random() * (left + 1));
      const picked = this.#servers[pick]!;
      this.#servers[pick] = this.#servers[left]!;
      this.#servers[left] = picked;
    }
  }
}

/** Servers may tell anything; that is no reason to leave the one that did. */
function isEndpoint(server: string): boolean {
  try {
    parseEndpoint(server);
    return true;
  } catch {
    return false;
  }
}

function canonical(server: string): string {
  return formatEndpoint(parseEndpoint(server));
}
