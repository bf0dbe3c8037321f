import { assertEquals, assertThrows } from "@std/assert";
import {
  checkExchange,
  type CheckSpec,
} from "../../../../src/proto/balance/check_exchange.ts";
import { HealthCheck } from "../../../../src/proto/balance/health_check.ts";
import { utf8 } from "../../../support/three_ways.ts";

Deno.test("HealthCheck changes after so many in a row, and begins anew after the first that does not fit", () => {
  const check = new HealthCheck({ fall: 3, rise: 2 });
  const seen = [false, false, true, false, false, false, true, false, true]
    .map((ok) => check.record(ok));
  assertEquals(seen.indexOf("down"), 5);
  assertEquals(check.isUp, false);
  assertEquals(check.record(true), "up");
});

Deno.test("HealthCheck waits by its state, with jitter", () => {
  const check = new HealthCheck({
    intervalMs: 1000,
    fastIntervalMs: 100,
    downIntervalMs: 5000,
    fall: 2,
  });
  const next = () => Math.round(check.nextMs(() => 0.5));
  assertEquals(next(), 1000);
  assertEquals(Math.round(check.nextMs(() => 0)), 900);
  check.record(false);
  assertEquals(next(), 100);
  check.record(false);
  assertEquals(next(), 5000);
  check.retune({ intervalMs: 10 });
  assertEquals(next(), 10);
  for (const wrong of [{ jitter: 2 }, { fall: 0 }, { intervalMs: NaN }]) {
    assertThrows(() => new HealthCheck(wrong), RangeError, "Cannot check");
  }
});

Deno.test("checkExchange() judges answers however they are split", () => {
  for (
    const [spec, good, bad] of [
      [{ type: "http" }, "HTTP/1.1 204 No Content\r\n", "HTTP/1.1 500 No\r\n"],
      [{ type: "http" }, "HTTP/1.0 302 Found\r\n", "SSH-2.0-it\r\n"],
      [{ type: "redis" }, "+PONG\r\n", "-NOAUTH Authentication required\r\n"],
      [{ type: "exchange", expect: "ready" }, "220 ready", undefined],
    ] satisfies [CheckSpec, string, string | undefined][]
  ) {
    const { judge } = checkExchange(spec, "it.example")!;
    for (let at = 0; at < good.length; at++) {
      assertEquals(judge(utf8(good.slice(0, at))), undefined);
    }
    assertEquals(judge(utf8(good)), true);
    if (bad !== undefined) {
      assertThrows(() => judge(utf8(bad)), Error, "Cannot take the answer");
    }
    assertThrows(() => judge(utf8("x".repeat(20_000))), Error);
  }
  assertEquals(checkExchange({ type: "tcp" }, "it"), undefined);
  const { request } = checkExchange({ type: "http", path: "/up" }, "it")!;
  const [first, host] = new TextDecoder().decode(request).split("\r\n");
  assertEquals([first, host], ["GET /up HTTP/1.1", "Host: it"]);
});
