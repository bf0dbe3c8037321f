import { assert, assertEquals, assertThrows } from "@std/assert";
import { seededRandom } from "../../../../src/bytes/random.ts";
import { formatIp, parseIp } from "../../../../src/proto/ip.ts";
import {
  internetChecksum,
  sumWords,
  write16,
} from "../../../../src/proto/ip_packet/checksum.ts";
import {
  FRAGMENT_HEADER,
  parseIpv6Packet,
  writeIpv6Header,
} from "../../../../src/proto/ip_packet/ipv6.ts";
import {
  checksumAt,
  PROTOCOLS,
} from "../../../../src/proto/ip_packet/transport.ts";
import type { NatEvent } from "../../../../src/proto/nat/events.ts";
import {
  embedIpv4,
  extractIpv4,
} from "../../../../src/proto/nat/ipv4_embedded.ts";
import { Nat64, type Nat64Options } from "../../../../src/proto/nat/nat64.ts";
import { readIpv6Prefix } from "../../../../src/proto/nat/nptv6.ts";
import { readIpv4 } from "../../../../src/proto/nat/options.ts";
import { icmp, OUTSIDE, SERVER, show, udp } from "../../../support/nat.ts";

const HOST = "2001:db8::5";
const SERVER6 = "64:ff9b::c633:6401";

/** A packet of IPv6 whose body is given without its checksum. */
function packet6(protocol: number, body: number[], to = SERVER6, from = HOST) {
  const bytes = new Uint8Array(40 + body.length);
  writeIpv6Header(bytes, {
    payloadBytes: body.length,
    nextHeader: protocol,
    source: parseIp(from)!,
    destination: parseIp(to)!,
    hopLimit: 64,
    trafficClass: 0,
  });
  bytes.set(body, 40);
  const at = 40 + (protocol === PROTOCOLS.icmpv6 ? 2 : checksumAt(protocol));
  write16(bytes, at, checksum6(bytes, protocol));
  return bytes;
}

function checksum6(bytes: Uint8Array, protocol: number): number {
  const pseudo = sumWords(bytes, 8, 40) + protocol + bytes.length - 40;
  return internetChecksum(bytes, 40, bytes.length, pseudo);
}

const UDP = [0x13, 0x88, 0, 53, 0, 11, 0, 0, 1, 2, 3];

class TestNat64 {
  sent: string[] = [];
  received: Uint8Array<ArrayBuffer>[] = [];
  events: NatEvent[] = [];
  readonly nat: Nat64;

  constructor(options: Partial<Nat64Options> = {}) {
    this.nat = new Nat64({
      inside: "2001:db8::/64",
      outside: [OUTSIDE],
      random: seededRandom(1),
      toInside: (packet) => this.received.push(packet.slice()),
      toOutside: (packet) => this.sent.push(show(packet)),
      observe: (event) => this.events.push(event),
      ...options,
    });
  }
}

Deno.test("embedIpv4() and extractIpv4() do the examples of RFC 6052, section 2.4", () => {
  for (
    const [prefix, address] of [
      ["2001:db8::/32", "2001:db8:c000:221::"],
      ["2001:db8:100::/40", "2001:db8:1c0:2:21::"],
      ["2001:db8:122::/48", "2001:db8:122:c000:2:2100::"],
      ["2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"],
      ["2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100:0"],
      ["2001:db8:122:344::/96", "2001:db8:122:344::c000:221"],
      ["64:ff9b::/96", "64:ff9b::c000:221"],
    ]
  ) {
    const read = readIpv6Prefix(prefix!);
    const bytes = embedIpv4(read, readIpv4("192.0.2.33"));
    assertEquals(bytes, parseIp(address!), prefix);
    assertEquals(extractIpv4(read, bytes), readIpv4("192.0.2.33"));
    assertEquals(extractIpv4(read, parseIp("2001:db9::")!), undefined);
  }
  assertThrows(() => embedIpv4(readIpv6Prefix("2001:db8::/33"), 0), RangeError);
});

Deno.test("Nat64 translates UDP and its answer, with sound checksums, and tells whose it is", () => {
  const test = new TestNat64();
  test.nat.fromInside(packet6(PROTOCOLS.udp, UDP), 0);
  assertEquals(test.sent, [`udp ${OUTSIDE}:5000 > ${SERVER}:53`]);
  assertEquals(test.nat.dump()[0]?.inside, `[${HOST}]:5000`);
  for (const noChecksum of [false, true]) {
    const answer = udp(`${SERVER}:53`, `${OUTSIDE}:5000`, { noChecksum });
    test.nat.fromOutside(answer, 1);
    const packet = test.received.pop()!;
    assertEquals(formatIp(packet.subarray(8, 24)), SERVER6);
    assertEquals(formatIp(packet.subarray(24, 40)), HOST);
    assertEquals(checksum6(packet, PROTOCOLS.udp), 0);
  }
  test.nat.advance(400_000);
  assertEquals(test.nat.dump(), []);
  assertEquals(
    test.events.map((event) => "entry" in event && event.entry.inside),
    [`[${HOST}]:5000`, `[${HOST}]:5000`],
  );
});

Deno.test("Nat64 translates TCP and ICMP echo", () => {
  const test = new TestNat64();
  const syn = [0, 9, 0, 80, ...new Array(8).fill(0), 0x50, 2, 0, 0, 0, 0, 0, 0];
  test.nat.fromInside(packet6(PROTOCOLS.tcp, syn), 0);
  const echo = [128, 0, 0, 0, 0, 7, 0, 1, 65];
  test.nat.fromInside(packet6(PROTOCOLS.icmpv6, echo), 0);
  assertEquals(test.sent[0], `tcp ${OUTSIDE}:9 > ${SERVER}:80 syn`);
  assertEquals(test.sent[1], `icmp 8 ${OUTSIDE} > ${SERVER} #7`);
  test.nat.fromOutside(icmp(`${SERVER}:7`, OUTSIDE, 0), 0);
  const [reply] = test.received;
  assertEquals(reply?.[40], 129);
  assertEquals(checksum6(reply!, PROTOCOLS.icmpv6), 0);
});

Deno.test("Nat64 splits what is larger than every link of IPv6 takes", () => {
  const test = new TestNat64();
  test.nat.fromInside(packet6(PROTOCOLS.udp, UDP), 0);
  const payload = Uint8Array.from({ length: 1400 }, (_, index) => index);
  const whole = udp(`${SERVER}:53`, `${OUTSIDE}:5000`, { payload });
  test.nat.fromOutside(whole, 0);
  const parts: number[] = [];
  for (const bytes of test.received) {
    assert(bytes.length <= 1280);
    assertEquals(bytes[6], FRAGMENT_HEADER);
    const { payloadAt, protocol } = parseIpv6Packet(bytes)!;
    assertEquals(protocol, PROTOCOLS.udp);
    parts.push(...bytes.subarray(payloadAt));
  }
  assertEquals(parts.slice(8), [...payload]);
});

Deno.test("Nat64 drops what is not the inside's, what it cannot translate, and what is cut off", () => {
  const test = new TestNat64({ maxHosts: 1 });
  const good = packet6(PROTOCOLS.udp, UDP);
  for (
    const bytes of [
      good.slice(0, 39),
      good.slice(0, 45),
      packet6(PROTOCOLS.udp, UDP, "2001:db9::1"),
      packet6(PROTOCOLS.udp, UDP, SERVER6, "2001:db9::1"),
      packet6(PROTOCOLS.icmpv6, [1, 0, 0, 0, 0, 0, 0, 0]),
      packet6(47, [1, 0, 0, 0, 0, 0, 0, 0]),
    ]
  ) test.nat.fromInside(bytes, 0);
  assertEquals(test.sent, []);
  test.nat.fromInside(good.slice(), 0);
  test.nat.fromInside(
    packet6(PROTOCOLS.udp, UDP, SERVER6, "2001:db8::6"),
    0,
  );
  assertEquals(test.sent.length, 1);
});
