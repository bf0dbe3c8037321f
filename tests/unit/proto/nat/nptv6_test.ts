import { assertEquals, assertThrows } from "@std/assert";
import { formatIp, parseIp } from "../../../../src/proto/ip.ts";
import {
  internetChecksum,
  sumWords,
  write16,
} from "../../../../src/proto/ip_packet/checksum.ts";
import { writeIpv6Header } from "../../../../src/proto/ip_packet/ipv6.ts";
import { Nptv6 } from "../../../../src/proto/nat/nptv6.ts";
import { checkProperty, fc } from "../../../support/property.ts";

function translated(nptv6: Nptv6, address: string): string | undefined {
  const bytes = parseIp(address)!;
  return nptv6.outward(bytes) ? formatIp(bytes) : undefined;
}

Deno.test("Nptv6 translates the example of RFC 6296, section 3.2, both ways", () => {
  const nptv6 = new Nptv6("fd01:203:405::/48", "2001:db8:1::/48");
  const outside = "2001:db8:1:d550::1234";
  assertEquals(translated(nptv6, "fd01:203:405:1::1234"), outside);
  const bytes = parseIp(outside)!;
  assertEquals(nptv6.inward(bytes), true);
  assertEquals(formatIp(bytes), "fd01:203:405:1::1234");
});

Deno.test("Nptv6 refuses addresses of others, and those that have no room for the difference", () => {
  const nptv6 = new Nptv6("fd01:203:405::/48", "2001:db8:1::/48");
  assertEquals(translated(nptv6, "fd01:203:406:1::1234"), undefined);
  assertEquals(translated(nptv6, "fd01:203:405:ffff::1234"), undefined);
  assertThrows(() => new Nptv6("fd01::/65", "2001:db8::/48"), RangeError);
  assertThrows(() => new Nptv6("fd01::1/48", "2001:db8::/48"), SyntaxError);
  assertThrows(() => new Nptv6("10.0.0.0/8", "2001:db8::/48"), SyntaxError);
});

Deno.test("Nptv6 gives every address back, and changes no checksum", () => {
  for (
    const [inside, outside] of [
      ["fd01:203:405::/48", "2001:db8:1::/48"],
      ["fd00::/8", "2001:db8::/40"],
      ["fd01:203:405:678::/64", "2001:db8:1:2::/64"],
      ["fd01:203:405:670::/60", "2001:db8:1:20::/60"],
    ]
  ) {
    const nptv6 = new Nptv6(inside!, outside!);
    const bits = Number(outside!.split("/")[1]);
    const prefix = parseIp(inside!.split("/")[0]!)!;
    checkProperty(
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      (random) => {
        const address = random.map((byte, index) => {
          const mask = 0xff00 >> Math.min(Math.max(bits - index * 8, 0), 8) &
            0xff;
          return prefix[index]! & mask | byte & ~mask;
        });
        // A word of all ones stands for one of zeros, and is not given back.
        for (let at = 0; at < 16; at += 2) {
          if (address[at] === 255 && address[at + 1] === 255) address[at] = 1;
        }
        const copy = address.slice();
        if (!nptv6.outward(copy)) return;
        assertEquals(sumWords(copy) % 0xffff, sumWords(address) % 0xffff);
        assertEquals(nptv6.inward(copy), true);
        assertEquals(copy, address);
      },
    );
  }
});

Deno.test("Nptv6 translates packets, and what ICMPv6 errors quote, without touching a checksum", () => {
  const nptv6 = new Nptv6("fd01:203:405::/48", "2001:db8:1::/48");
  const host = parseIp("fd01:203:405:1::1234")!;
  const mapped = parseIp("2001:db8:1:d550::1234")!;
  const server = parseIp("2001:db8:ffff::1")!;
  const quoted = new Uint8Array(48);
  writeIpv6Header(quoted, {
    payloadBytes: 8,
    nextHeader: 17,
    source: mapped,
    destination: server,
    hopLimit: 64,
    trafficClass: 0,
  });
  const error = new Uint8Array(40 + 8 + quoted.length);
  writeIpv6Header(error, {
    payloadBytes: 8 + quoted.length,
    nextHeader: 58,
    source: server,
    destination: mapped,
    hopLimit: 64,
    trafficClass: 0,
  });
  error[40] = 1;
  error.set(quoted, 48);
  const check = () =>
    internetChecksum(
      error,
      40,
      error.length,
      sumWords(error, 8, 40) + 58 + error.length - 40,
    );
  write16(error, 42, check());
  assertEquals(nptv6.fromOutside(error), true);
  assertEquals(error.slice(24, 40), host);
  assertEquals(error.slice(48 + 8, 48 + 24), host);
  assertEquals(check() % 0xffff, 0);
  assertEquals(nptv6.fromOutside(error), false);
  assertEquals(nptv6.fromInside(error.subarray(0, 30)), false);
});
