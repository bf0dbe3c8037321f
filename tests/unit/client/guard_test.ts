import { assert, assertEquals, assertRejects } from "@std/assert";
import { seededRandom } from "../../../src/bytes/random.ts";
import { ConcurrencyLimitError } from "../../../src/client/bulkhead.ts";
import { Guard } from "../../../src/client/guard.ts";
import type {
  Attempt,
  GuardEvent,
  GuardOptions,
} from "../../../src/client/guard_options.ts";
import { BreakerOpenError } from "../../../src/client/guarded_server.ts";
import { RequestTimeoutError } from "../../../src/client/requests.ts";
import { VirtualClock } from "../../../src/sim/virtual_clock.ts";
import { turns } from "../../support/wait.ts";

const SEED = 21;

function bench(options: Partial<GuardOptions<string>> = {}) {
  const clock = new VirtualClock();
  const events: GuardEvent<string>[] = [];
  const guard = new Guard<string>({
    servers: ["a"],
    clock,
    random: seededRandom(SEED),
    observe: (event) => events.push(event),
    ...options,
  });
  return { clock, guard, events };
}

const refuse = () => Promise.reject(new Deno.errors.ConnectionRefused("No"));
const lose = () => Promise.reject(new Deno.errors.ConnectionReset("Lost"));

Deno.test("Guard.run() repeats what was refused, with delays", async () => {
  const { clock, guard, events } = bench({ backoff: { minMs: 50 } });
  const startedMs = clock.now();
  const timesMs: number[] = [];
  const run = guard.run(() => {
    timesMs.push(clock.now() - startedMs);
    return timesMs.length < 3 ? refuse() : "done";
  });
  await clock.advance(1000);
  assertEquals(await run, "done");
  assertEquals(timesMs.length, 3);
  const delays = events.map((event) =>
    event.type === "retry" ? event.delayMs : NaN
  );
  assertEquals(delays.length, 2);
  for (const delayMs of delays) {
    assert(delayMs >= 50 && delayMs <= 450, `${delays}, seed ${SEED}`);
  }
  assert(timesMs[1]! >= delays[0]!);
});

Deno.test("Guard.run() fails with the error of its last attempt", async () => {
  const { clock, guard } = bench();
  let attempts = 0;
  const run = assertRejects(
    () =>
      guard.run(() => {
        throw new Deno.errors.ConnectionRefused(`No ${++attempts}`);
      }),
    Deno.errors.ConnectionRefused,
    "No 3",
  );
  await clock.advance(10_000);
  await run;
  assertEquals(attempts, 3);
});

Deno.test("Guard.run() repeats what may have been carried out only if it may be", async () => {
  const { clock, guard } = bench();
  let attempts = 0;
  const count = () => {
    attempts++;
    return lose();
  };
  await assertRejects(() => guard.run(count), Deno.errors.ConnectionReset);
  assertEquals(attempts, 1);
  const run = assertRejects(
    () => guard.run(count, { idempotent: true }),
    Deno.errors.ConnectionReset,
  );
  await clock.advance(10_000);
  await run;
  assertEquals(attempts, 4);
});

Deno.test("Guard.run() does as its classifier says", async () => {
  const { clock, guard } = bench({
    breaker: { consecutiveFailures: 1 },
    classify: (error) =>
      (error as Error).message === "Busy"
        ? { ok: true, kind: "answered", retry: true, retryAfterMs: 2000 }
        : { ok: true, kind: "answered" },
  });
  const startedMs = clock.now();
  let attempts = 0;
  const run = guard.run(() => {
    if (++attempts === 1) throw new Error("Busy");
    return clock.now() - startedMs;
  });
  await clock.advance(5000);
  assert(await run >= 2000);
  await assertRejects(
    () => guard.run(() => Promise.reject(new Error("No such method"))),
    Error,
    "No such method",
  );
  assertEquals(guard.status()[0]!.breaker!.state, "closed");
});

Deno.test("Guard.run() ends attempts that take too long", async () => {
  const { clock, guard } = bench({ timeoutMs: 500 });
  let signal: AbortSignal | undefined;
  const run = assertRejects(
    () =>
      guard.run((attempt) => {
        signal = attempt.signal;
        return new Promise(() => {});
      }),
    RequestTimeoutError,
  );
  await clock.advance(499);
  assertEquals(signal!.aborted, false);
  await clock.advance(1);
  await run;
  assert(signal!.reason instanceof RequestTimeoutError);
  assertEquals(guard.status()[0]!.outstanding, 0);
});

Deno.test("Guard.run() takes no notice of what an attempt does after its end", async () => {
  const { clock, guard } = bench({ timeoutMs: 500 });
  const late = Promise.withResolvers<number>();
  const failing = Promise.withResolvers<number>();
  const runs = [late, failing].map(({ promise }) =>
    assertRejects(() => guard.run(() => promise), RequestTimeoutError)
  );
  await clock.advance(500);
  await Promise.all(runs);
  late.resolve(1);
  failing.reject(new Error("Late"));
  await turns();
  const [status] = guard.status();
  assertEquals(status!.outstanding, 0);
  assertEquals(status!.breaker!.consecutiveFailures, 2);
});

Deno.test("Guard.run() tells an attempt that ended what became of it", async () => {
  const { clock, guard } = bench({ timeoutMs: 500 });
  const kept: Attempt<string>[] = [];
  const run = assertRejects(() =>
    guard.run((attempt) => {
      kept.push(attempt);
      return new Promise(() => {});
    })
  );
  await clock.advance(500);
  await run;
  assert(kept[0]!.signal.aborted);
});

Deno.test("Guard.run() gives up when aborted, in an attempt and between two", async () => {
  const { clock, guard, events } = bench();
  const first = new AbortController();
  let given: AbortSignal | undefined;
  const running = guard.run((attempt) => {
    given = attempt.signal;
    return new Promise(() => {});
  }, { signal: first.signal });
  await turns();
  first.abort(new Error("Enough"));
  await assertRejects(() => running, Error, "Enough");
  assertEquals(given!.reason.message, "Enough");
  await assertRejects(
    () => guard.run(refuse, { signal: first.signal }),
    Error,
    "Enough",
  );

  const timedOut = new AbortController();
  let attempts = 0;
  const timing = guard.run(() => {
    attempts++;
    return new Promise(() => {});
  }, { idempotent: true, signal: timedOut.signal });
  await turns();
  timedOut.abort(new DOMException("Time is up", "TimeoutError"));
  await assertRejects(() => timing, DOMException, "Time is up");
  assertEquals([attempts, events], [1, []]);

  const second = new AbortController();
  const waiting = guard.run(refuse, { signal: second.signal });
  await turns();
  assertEquals(guard.status()[0]!.breaker!.consecutiveFailures, 1);
  second.abort(new Error("Now"));
  await assertRejects(() => waiting, Error, "Now");
  assertEquals(guard.status()[0]!.outstanding, 0);
  assertEquals(clock.armed, 0);
});

Deno.test("Guard fails fast while the breaker is open, and recovers", async () => {
  const { clock, guard, events } = bench({
    breaker: { consecutiveFailures: 2, openMs: 1000, probes: 1 },
    backoff: { maxAttempts: 1 },
  });
  for (let n = 0; n < 2; n++) await assertRejects(() => guard.run(lose));
  let calls = 0;
  const answer = () => ++calls;
  const error = await assertRejects(
    () => guard.run(answer),
    BreakerOpenError,
    "Cannot ask a: its circuit breaker is open: current value of 'retryAfterMs' is 1000",
  );
  assertEquals((error.cause as Error).message, "Lost");
  assertEquals(calls, 0);
  await clock.advance(1000);
  assertEquals(await guard.run(answer), 1);
  const states = events.map((event) =>
    event.type === "breaker" ? event.transition.to : event.type
  );
  assertEquals(states, ["open", "half-open", "closed"]);
});

Deno.test("Guard takes outcomes that were seen elsewhere", async () => {
  const { guard } = bench({ breaker: { consecutiveFailures: 1 } });
  guard.record("a", { ok: false, latencyMs: 0, kind: "connection lost" });
  guard.record("b", { ok: false, latencyMs: 0, kind: "connection lost" });
  await assertRejects(() => guard.run(() => 1), BreakerOpenError);
});

Deno.test("Guard continues from exported breakers", async () => {
  const breaker = { consecutiveFailures: 1 };
  const first = bench({ breaker });
  await assertRejects(() => first.guard.run(lose));
  const [status] = JSON.parse(JSON.stringify(first.guard.status()));
  assertEquals(status.breaker.state, "open");
  const { guard } = bench({ breaker, restore: () => status.breaker });
  await assertRejects(() => guard.run(() => 1), BreakerOpenError);
});

Deno.test("Guard does without a breaker if told so", async () => {
  const { guard } = bench({ breaker: false });
  for (let n = 0; n < 50; n++) await assertRejects(() => guard.run(lose));
  assertEquals(await guard.run(() => 1), 1);
  assertEquals(guard.status()[0]!.breaker, undefined);
});

Deno.test("Guard asks another server after a failure", async () => {
  const { clock, guard } = bench({ servers: ["a", "b", "c"] });
  for (let n = 0; n < 20; n++) {
    const asked: string[] = [];
    const run = guard.run(({ server }) => {
      asked.push(server);
      return asked.length < 3 ? refuse() : server;
    });
    await clock.advance(10_000);
    await run;
    assertEquals(new Set(asked).size, 3, `seed ${SEED}`);
  }
});

Deno.test("Guard leaves a broken server alone, and does not flood the last one", async () => {
  const { clock, guard, events } = bench({
    servers: ["a", "b", "c"],
    breaker: { consecutiveFailures: 3, openMs: 60_000 },
    backoff: { maxAttempts: 1 },
  });
  const broken = new Set(["b"]);
  let asked = new Map<string, number>();
  const ask = async (times: number) => {
    asked = new Map();
    for (let n = 0; n < times; n++) {
      await guard.run(({ server }) => {
        asked.set(server, (asked.get(server) ?? 0) + 1);
        return broken.has(server) ? refuse() : 1;
      }).catch(() => {});
      await clock.advance(1);
    }
  };
  await ask(300);
  assertEquals(asked.get("b"), 3, `seed ${SEED}`);
  assert(asked.get("a")! > 60 && asked.get("c")! > 60, `seed ${SEED}`);
  broken.add("c");
  await ask(300);
  await ask(300);
  assert(events.some((event) => event.type === "panic" && event.panic));
  // Its own share, and not that of the two others.
  assertEquals([...asked.keys()], ["a"]);
  assert(asked.get("a")! < 250, `${asked.get("a")}, seed ${SEED}`);
});

Deno.test("Guard spends no more on retries than its budget", async () => {
  const { clock, guard, events } = bench({
    breaker: false,
    budget: { minPerSecond: 1, windowMs: 10_000 },
  });
  let attempts = 0;
  const requests = Array.from(
    { length: 100 },
    () =>
      assertRejects(() =>
        guard.run(() => {
          attempts++;
          return refuse();
        })
      ),
  );
  await clock.advance(5000);
  await Promise.all(requests);
  assertEquals(attempts, 110);
  const spent = events.filter(({ type }) => type === "budget spent").length;
  assert(spent >= 90, `${spent}`);
});

Deno.test("Guard limits attempts at a time", async () => {
  const { clock, guard } = bench({
    limit: { limit: 2, maxWaiters: 1, waitMs: 100 },
  });
  const ends = [1, 2, 3].map(() => Promise.withResolvers<number>());
  let started = 0;
  const runs = ends.map(({ promise }) =>
    guard.run(() => {
      started++;
      return promise;
    })
  );
  await turns();
  assertEquals([guard.limit, started], [2, 2]);
  await assertRejects(() => guard.run(() => 1), ConcurrencyLimitError, "many");
  ends[0]!.resolve(1);
  await turns();
  assertEquals(started, 3);
  const late = assertRejects(
    () => guard.run(() => 1),
    ConcurrencyLimitError,
    "no turn came within 100 ms",
  );
  await clock.advance(100);
  await late;
  for (const [index, { resolve }] of ends.entries()) resolve(index);
  assertEquals(await Promise.all(runs), [1, 1, 2]);
  assertEquals(await guard.run(() => 9), 9);
});

Deno.test("Guard frees the place of who gives up just when its turn comes", async () => {
  for (let microtasks = 0; microtasks < 12; microtasks++) {
    const { guard } = bench({ limit: { limit: 1 }, hedge: { delayMs: 100 } });
    const first = Promise.withResolvers<number>();
    const running = guard.run(() => first.promise);
    const controller = new AbortController();
    const { signal } = controller;
    const options = { idempotent: true, signal };
    const waiting = guard.run(() => 2, options).catch(() => 0);
    first.resolve(1);
    for (let n = 0; n < microtasks; n++) await undefined;
    controller.abort();
    await Promise.all([running, waiting]);
    assertEquals(await guard.run(() => 3), 3);
  }
});

Deno.test("Guard does not repeat what it has turned away itself", async () => {
  const { guard } = bench({
    limit: { limit: 1, maxWaiters: 0 },
    classify: () => ({ ok: false, kind: "refused" }),
  });
  const first = Promise.withResolvers<number>();
  const running = guard.run(() => first.promise);
  await assertRejects(() => guard.run(() => 1), ConcurrencyLimitError);
  first.resolve(1);
  await running;
});

Deno.test("Guard hedges what may be carried out twice, on another server", async () => {
  const { clock, guard, events } = bench({
    servers: ["a", "b"],
    hedge: { delayMs: 100 },
  });
  const asked: string[] = [];
  const signals: AbortSignal[] = [];
  const work = ({ server, signal }: Attempt<string>) => {
    asked.push(server);
    signals.push(signal);
    return asked.length === 1 ? new Promise<string>(() => {}) : server;
  };
  const run = guard.run(work, { idempotent: true });
  await clock.advance(99);
  assertEquals(asked.length, 1);
  await clock.advance(1);
  assertEquals(await run, asked[1]);
  assertEquals(new Set(asked), new Set(["a", "b"]));
  assertEquals(signals.map(({ aborted }) => aborted), [true, false]);
  assertEquals(events, [{ type: "hedged", delayMs: 100 }]);
  assertEquals(guard.status().map(({ outstanding }) => outstanding), [0, 0]);
  const { breaker } = guard.status().find(({ server }) => server === asked[0])!;
  assertEquals(breaker!.consecutiveFailures, 0);

  asked.length = 0;
  const once = assertRejects(() => guard.run(work), RequestTimeoutError);
  await clock.advance(30_000);
  await once;
  assertEquals(asked.length, 1);
});

Deno.test("Guard hedges the slowest of what it has seen, and pays for it", async () => {
  const { clock, guard, events } = bench({
    hedge: { quantile: 0.9 },
    budget: { ratio: 0, minPerSecond: 0.2 },
    limit: { limit: 2, maxWaiters: 0 },
  });
  const work = ({ signal }: Attempt<string>) => {
    const { promise, reject } = Promise.withResolvers<number>();
    signal.addEventListener("abort", () => reject(signal.reason));
    return promise;
  };
  const timed = (ms: number) => async () => {
    await clock.advance(ms);
    return ms;
  };
  for (let n = 0; n < 60; n++) {
    await guard.run(timed(n % 10 === 0 ? 50 : 10));
  }
  assertEquals(events, []);
  for (let n = 0; n < 3; n++) {
    const controller = new AbortController();
    const { signal } = controller;
    const run = guard.run(work, { idempotent: true, signal });
    await clock.advance(200);
    if (n === 2) assertEquals(await guard.run(() => n), n);
    controller.abort(new Error("Enough"));
    await assertRejects(() => run, Error, "Enough");
  }
  const delays = events.map((event) =>
    event.type === "hedged" ? event.delayMs : NaN
  );
  // The reserve of two is spent then.
  assertEquals(delays.length, 2);
  assert(delays[0]! >= 10 && delays[0]! < 11, `${delays}`);
  // What was cut short counts as slow.
  assert(delays[1]! >= 50 && delays[1]! < 55, `${delays}`);
});

Deno.test("Guard.setServers() keeps what is known of those that stay", async () => {
  const { guard } = bench({
    servers: ["a", "b"],
    breaker: { consecutiveFailures: 1 },
  });
  guard.record("a", { ok: false, latencyMs: 0, kind: "refused" });
  guard.setServers(["a", "c"]);
  const states = guard.status().map(({ server, breaker }) => [
    server,
    breaker!.state,
  ]);
  assertEquals(states, [["a", "open"], ["c", "closed"]]);
  assertEquals(await guard.run(({ server }) => server), "c");
  guard.setServers([]);
  await assertRejects(() => guard.run(() => 1), RangeError, "Cannot choose");
});
