/**
 * Hole punching (RFC 5128) between two homes behind NATs of every type, without a network.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { seededRandom } from "../../src/bytes/random.ts";
import { formatIpv4, Ipv4Packet } from "../../src/proto/ip_packet/ipv4.ts";
import { Nat } from "../../src/proto/nat/nat.ts";
import { NAT_TYPES, type NatType } from "../../src/proto/nat/options.ts";
import { SERVER, tcp, udp } from "../support/nat.ts";

const TYPES = Object.keys(NAT_TYPES) as NatType[];

/** What a host, or the server, got: from which endpoint. */
type Mail = string[];

/** Two homes and a server; what is sent arrives at once. */
class World {
  readonly mail = new Map<string, Mail>();
  readonly #homes: Map<string, Nat>;

  constructor(types: readonly [NatType, NatType]) {
    this.#homes = new Map(types.map((type, index) => {
      const outside = `203.0.113.${index + 1}`;
      const nat = new Nat({
        inside: [`192.168.${index + 1}.0/24`],
        outside: [outside],
        type,
        random: seededRandom(index + 1),
        toInside: (packet) => this.#receive(packet),
        toOutside: (packet) => this.#route(packet.slice()),
      });
      return [outside, nat];
    }));
  }

  /** Sends from a host of a home. */
  send(home: number, packet: Uint8Array<ArrayBuffer>): void {
    this.#homes.get(`203.0.113.${home}`)!.fromInside(packet, 0);
  }

  /** What an address got since. */
  take(address: string): Mail {
    const mail = this.mail.get(address) ?? [];
    this.mail.delete(address);
    return mail;
  }

  #route(bytes: Uint8Array<ArrayBuffer>): void {
    const to = formatIpv4(Ipv4Packet.parse(bytes)!.destination);
    const home = this.#homes.get(to);
    if (home === undefined) this.#receive(bytes);
    else home.fromOutside(bytes, 0);
  }

  #receive(bytes: Uint8Array<ArrayBuffer>): void {
    const packet = Ipv4Packet.parse(bytes)!;
    const to = formatIpv4(packet.destination);
    const mail = this.mail.get(to) ?? [];
    this.mail.set(to, mail);
    mail.push(`${formatIpv4(packet.source)}:${packet.sourcePort}`);
  }
}

const HOSTS = ["192.168.1.2", "192.168.2.2"] as const;

/** Whether both hosts hear each other, after a server has told each where the other seems to be. */
function punches(a: NatType, b: NatType): boolean {
  const world = new World([a, b]);
  const seen = HOSTS.map((host, index) => {
    world.send(index + 1, udp(`${host}:5000`, `${SERVER}:3478`));
    return world.take(SERVER)[0]!;
  });
  // Each sends to where the other is said to be, and, once it has heard, to where it heard from.
  const peer = [seen[1]!, seen[0]!];
  const heard = [false, false];
  for (let round = 0; round < 3; round++) {
    for (const [index, host] of HOSTS.entries()) {
      world.send(index + 1, udp(`${host}:5000`, peer[index]!));
      for (const [other, address] of HOSTS.entries()) {
        const [from] = world.take(address);
        if (from === undefined) continue;
        heard[other] = true;
        peer[other] = from;
      }
    }
  }
  return heard[0]! && heard[1]!;
}

Deno.test("UDP hole punching works between all types of NAT but a symmetric one and one that filters by port", () => {
  for (const a of TYPES) {
    for (const b of TYPES) {
      const strict = [a, b].filter((type) =>
        type === "symmetric" || type === "port-restricted"
      );
      const fails = strict.length === 2 && strict.includes("symmetric");
      assertEquals(punches(a, b), !fails, `${a} and ${b}`);
    }
  }
});

Deno.test("TCP hole punching works by simultaneous open, as no NAT answers the SYN that comes too early", () => {
  const world = new World(["port-restricted", "port-restricted"]);
  const outside = ["203.0.113.1:5000", "203.0.113.2:5000"] as const;
  world.send(1, tcp(`${HOSTS[0]}:5000`, outside[1], "syn"));
  assertEquals(world.mail.size, 0);
  world.send(2, tcp(`${HOSTS[1]}:5000`, outside[0], "syn"));
  assertEquals(world.take(HOSTS[0]), [outside[1]]);
  world.send(1, tcp(`${HOSTS[0]}:5000`, outside[1], "syn ack"));
  assertEquals(world.take(HOSTS[1]), [outside[0]]);
  world.send(2, tcp(`${HOSTS[1]}:5000`, outside[0], "ack"));
  assertEquals(world.take(HOSTS[0]), [outside[1]]);
});
