import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
} from "@std/assert";
import {
  createCa,
  type IssuedCertificate,
} from "../../../../src/security/certificates/authority.ts";
import {
  type RotatingIdentity,
  rotatingIdentity,
} from "../../../../src/security/certificates/rotating_identity.ts";
import { verifyCertificate } from "../../../../src/security/certificates/verify_certificate.ts";
import { VirtualClock } from "../../../../src/sim/virtual_clock.ts";
import { waitUntil } from "../../../support/wait.ts";

const LIFETIME_MS = 3_600_000;
const START_MS = Date.UTC(2030, 0, 1);

class Machine {
  readonly clock = new VirtualClock();
  readonly renewed: IssuedCertificate[] = [];
  readonly errors: unknown[] = [];
  /** What the time of day is ahead of the timers, as after a sleep. */
  aheadMs = 0;

  readonly options = {
    names: ["spiffe://example.org/hub"],
    lifetimeMs: LIFETIME_MS,
    clock: this.clock,
    timeOfDay: () => START_MS + this.aheadMs + this.clock.now() - 1000,
    onRenew: (issued: IssuedCertificate) => this.renewed.push(issued),
    onError: (error: unknown) => this.errors.push(error),
  };
}

function validMs({ current: { certificate } }: RotatingIdentity): number {
  return certificate.notAfter.getTime() - START_MS;
}

Deno.test("rotatingIdentity() replaces its certificate after two thirds of its life", async () => {
  const machine = new Machine();
  const { clock, renewed } = machine;
  const authority = await createCa({ nowMs: START_MS });
  using identity = await rotatingIdentity({ ...machine.options, authority });
  const first = identity.current;
  assertEquals(validMs(identity), LIFETIME_MS);
  await clock.advance(LIFETIME_MS * 2 / 3 - 1);
  assertEquals(renewed, []);
  for (let round = 1; round <= 3; round++) {
    await clock.advance(round === 1 ? 1 : LIFETIME_MS * 2 / 3);
    await waitUntil("a new certificate", () => renewed.length === round);
    assertEquals(identity.current, renewed.at(-1));
    assertAlmostEquals(
      validMs(identity),
      LIFETIME_MS * (1 + round * 2 / 3),
      1,
    );
    const certificate = await verifyCertificate(identity.current.certPem, {
      ca: authority.certPem,
      name: "spiffe://example.org/hub",
      purpose: "peer",
      nowMs: machine.options.timeOfDay(),
    });
    assert(certificate.publicKeyPin !== first.certificate.publicKeyPin);
  }
});

Deno.test("rotatingIdentity() renews soon after a machine wakes up", async () => {
  const machine = new Machine();
  const authority = await createCa({ nowMs: START_MS });
  using identity = await rotatingIdentity({ ...machine.options, authority });
  machine.aheadMs = 10 * LIFETIME_MS;
  await machine.clock.advance(60_000);
  await waitUntil("a new certificate", () => machine.renewed.length === 1);
  assertEquals(validMs(identity), 11 * LIFETIME_MS + 60_000);
});

Deno.test("rotatingIdentity() says that it cannot renew, and tries again", async () => {
  const machine = new Machine();
  const authority = await createCa({
    nowMs: START_MS,
    validMs: LIFETIME_MS / 2,
  });
  using identity = await rotatingIdentity({ ...machine.options, authority });
  const first = identity.current;
  await machine.clock.advance(LIFETIME_MS * 2 / 3);
  await waitUntil("the error", () => machine.errors.length === 1);
  await machine.clock.advance(LIFETIME_MS / 30);
  await waitUntil("another try", () => machine.errors.length === 2);
  assertEquals(identity.current, first);
});

Deno.test("rotatingIdentity() leaves no timer behind when it is closed", async () => {
  const machine = new Machine();
  const authority = await createCa({ nowMs: START_MS });
  const identity = await rotatingIdentity({ ...machine.options, authority });
  assertEquals(machine.clock.armed, 1);
  identity.close();
  identity.close();
  assertEquals(machine.clock.armed, 0);
});

Deno.test("rotatingIdentity() refuses a lifetime of less than a second", async () => {
  const authority = await createCa();
  await assertRejects(
    () => rotatingIdentity({ authority, names: ["a"], lifetimeMs: 999 }),
    RangeError,
    "current value is 999",
  );
});
