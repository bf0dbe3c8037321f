import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../src/bytes/random.ts";
import { NAT_TYPES, type NatType } from "../../src/proto/nat/options.ts";
import { checkProperty, fc } from "../support/property.ts";
import { icmp, OUTSIDE, show, tcp, TestNat, udp } from "../support/nat.ts";

const TYPES = Object.keys(NAT_TYPES) as NatType[];
const FLAGS = ["syn", "syn ack", "ack", "fin ack", "rst"];
const SERVERS = ["198.51.100.1", "198.51.100.2"];

/** One packet from an inside port to a remote one, or one from there to an outside port; then some time. */
const step = fc.record({
  isOut: fc.boolean(),
  kind: fc.constantFrom("udp", "tcp", "icmp"),
  host: fc.integer({ min: 2, max: 4 }),
  port: fc.integer({ min: 5000, max: 5004 }),
  server: fc.constantFrom(...SERVERS),
  remotePort: fc.integer({ min: 80, max: 82 }),
  flags: fc.constantFrom(...FLAGS),
  waitMs: fc.constantFrom(0, 0, 0, 1_000, 70_000, 250_000, 400_000),
});

Deno.test("Nat gives no outside port to two inside ports, lets in what the type lets in, and keeps every checksum right", () => {
  checkProperty(
    fc.tuple(
      fc.constantFrom(...TYPES),
      fc.array(step, { maxLength: 80 }),
      fc.integer({ min: 1, max: 12 }),
    ),
    ([type, steps, maxSessions]) => {
      const test = new TestNat({
        type,
        ports: [5000, 5009],
        limits: { maxSessions },
        random: seededRandom(maxSessions),
      });
      for (
        const { isOut, kind, host, port, server, remotePort, ...rest } of steps
      ) {
        const near = isOut ? `192.168.1.${host}:${port}` : `${OUTSIDE}:${port}`;
        const far = `${server}:${remotePort}`;
        const [from, to] = isOut ? [near, far] : [far, near];
        const packet = kind === "udp"
          ? udp(from, to)
          : kind === "tcp"
          ? tcp(from, to, rest.flags)
          : isOut
          ? icmp(from, server, 8)
          : icmp(`${server}:${port}`, OUTSIDE, 0);
        const before = test.nat.dump();
        const sent = isOut ? test.out(packet) : test.in(packet);
        for (const line of sent) {
          // An ICMP error of its own aside, everything is as it was, but for the inside end.
          if (line.includes("icmp 3/")) continue;
          assert(line.startsWith(isOut ? "out: " : "in: "), line);
          assert(line.includes(server), line);
          assertEquals(line.includes("192.168.1."), !isOut, line);
        }
        if (!isOut && sent.length > 0) {
          const own = before.filter((entry) =>
            entry.protocol === kind && entry.outside === near
          );
          const remotes = own.map((entry) => entry.remote);
          const { filtering } = NAT_TYPES[type];
          assert(
            own.length > 0 && (filtering === "endpoint-independent" ||
              remotes.some((remote) =>
                filtering === "address-dependent" || kind === "icmp"
                  ? remote.startsWith(`${server}:`)
                  : remote === far
              )),
            `${show(packet)} was let in by ${JSON.stringify(own)}`,
          );
        }
        const owners = new Map<string, string>();
        const mapped = new Map<string, string>();
        const entries = test.nat.dump();
        for (const { protocol, outside, inside, remote } of entries) {
          const key = `${protocol} ${outside}`;
          assertEquals(owners.get(key) ?? inside, inside, "overloaded");
          owners.set(key, inside);
          const seenBy = NAT_TYPES[type].mapping === "endpoint-independent"
            ? ""
            : remote;
          const mapping = `${protocol} ${inside} ${seenBy}`;
          assertEquals(mapped.get(mapping) ?? outside, outside, "two ports");
          mapped.set(mapping, outside);
        }
        assert(entries.length <= maxSessions, "too many sessions");
        assertEquals(entries.length, test.nat.size);
        test.wait(rest.waitMs);
      }
      test.wait(8_000_000);
      assertEquals(test.nat.size, 0);
    },
  );
});
