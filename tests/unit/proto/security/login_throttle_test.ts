import { assertEquals, assertLessOrEqual } from "@std/assert";
import {
  DEFAULT_LOGIN_THROTTLE_LIMITS,
  LoginThrottle,
} from "../../../../src/proto/security/login_throttle.ts";

/** Fails as often as the throttle allows until `untilMs`; returns when. */
function guess(
  throttle: LoginThrottle,
  { account = "ada", source = "attacker", untilMs = 60_000, fromMs = 0 } = {},
): number[] {
  const times: number[] = [];
  for (let nowMs = fromMs; nowMs <= untilMs;) {
    const delayMs = throttle.delayMs(account, source, nowMs);
    if (delayMs === 0) {
      throttle.failed(account, source, nowMs);
      times.push(nowMs);
    }
    nowMs += delayMs;
  }
  return times;
}

Deno.test("LoginThrottle.delayMs() doubles with each failure after the free ones", () => {
  assertEquals(
    guess(new LoginThrottle()),
    [0, 0, 0, 0, 1000, 3000, 7000, 15_000, 31_000],
  );
});

Deno.test("LoginThrottle.delayMs() has a longest wait, after which all is forgotten in time", () => {
  const throttle = new LoginThrottle();
  const times = guess(throttle, { untilMs: 3_000_000 });
  assertEquals(times.at(-1)! - times.at(-2)!, 300_000);
  const last = times.at(-1)!;
  assertEquals(throttle.delayMs("ada", "attacker", last + 3_600_000), 0);
  assertEquals(
    guess(throttle, { fromMs: last + 3_600_000, untilMs: last + 3_600_000 })
      .length,
    4,
  );
});

Deno.test("LoginThrottle slows down one source that tries many accounts", () => {
  const throttle = new LoginThrottle();
  for (let n = 0; n < 4; n++) throttle.failed(`name ${n}`, "sprayer", 0);
  assertEquals(throttle.delayMs("another", "sprayer", 0), 1000);
  // A login of its own does not clear it.
  throttle.succeeded("sprayer's own", "sprayer", 1000);
  assertEquals(throttle.delayMs("another", "sprayer", 0), 1000);
});

Deno.test("LoginThrottle forgets typing errors after the right password", () => {
  const throttle = new LoginThrottle();
  for (let n = 0; n < 3; n++) throttle.failed("ada", "home", 0);
  throttle.succeeded("ada", "home", 0);
  for (let n = 0; n < 3; n++) throttle.failed("ada", "home", 1);
  assertEquals(throttle.delayMs("ada", "home", 1), 0);
});

Deno.test("LoginThrottle slows down many sources that try one account, and nobody else", () => {
  const throttle = new LoginThrottle();
  throttle.succeeded("ada", "home", 0);
  for (let n = 0; n < 1000; n++) throttle.failed("ada", `bot ${n}`, 0);
  assertEquals(throttle.delayMs("ada", "bot 7", 0), 60_000);
  assertEquals(throttle.delayMs("ada", "home", 0), 0);
  assertEquals(throttle.delayMs("ada", "a new place", 0), 0);
  assertEquals(throttle.delayMs("bob", "elsewhere", 0), 0);
  // Their wait is not begun again by what others do.
  throttle.failed("ada", "bot 8", 30_000);
  assertEquals(throttle.delayMs("ada", "bot 7", 30_000), 30_000);
});

Deno.test("LoginThrottle makes a known source wait a second at most", () => {
  const throttle = new LoginThrottle();
  throttle.succeeded("ada", "home", 0);
  for (let n = 0; n < 10_000; n++) throttle.failed("ada", "home", 0);
  assertEquals(throttle.delayMs("ada", "home", 0), 1000);
  assertEquals(throttle.delayMs("ada", "home", 1000), 0);
  assertEquals(throttle.isKnown("ada", "home"), true);
  assertEquals(throttle.isKnown("bob", "home"), false);
});

Deno.test("LoginThrottle keeps its memory bounded", () => {
  const { maxSources, maxAccounts } = DEFAULT_LOGIN_THROTTLE_LIMITS;
  const throttle = new LoginThrottle();
  for (let n = 0; n < 50_000; n++) {
    throttle.failed(`account ${n}`, `source ${n}`, n);
  }
  assertEquals(throttle.size, maxSources + maxAccounts);
  for (let n = 0; n < 100; n++) throttle.succeeded("ada", `place ${n}`, n);
  assertLessOrEqual(throttle.size, maxSources + maxAccounts + 16);
  assertEquals(throttle.isKnown("ada", "place 83"), false);
  assertEquals(throttle.isKnown("ada", "place 84"), true);
  for (let n = 0; n < 20_000; n++) throttle.succeeded(`user ${n}`, "nat", n);
  assertLessOrEqual(throttle.size, maxSources + 2 * maxAccounts);
});

Deno.test("LoginThrottle makes nobody wait for a clock that was set back", () => {
  const throttle = new LoginThrottle();
  for (let n = 0; n < 4; n++) throttle.failed("ada", "home", 1e9);
  assertEquals(throttle.delayMs("ada", "home", 0), 1000);
});
