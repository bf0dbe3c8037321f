import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  abortable,
  deadline,
  debounce,
  delay,
  MuxAsyncIterator,
  poll,
  pooledMap,
  retry,
  RetryError,
  tee,
} from "@std/async";

async function* numbers(...values: number[]): AsyncGenerator<number> {
  yield* values;
}

Deno.test("deadline() rejects with TimeoutError when time is up", async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const error = await assertRejects(() => deadline(promise, 1), DOMException);
  assertEquals(error.name, "TimeoutError");
  resolve(1);
  assertEquals(await deadline(promise, 60_000), 1);
});

Deno.test("delay() and abortable() reject with the signal's reason", async () => {
  const controller = new AbortController();
  const reason = new Error("enough");
  const waiting = delay(60_000, { signal: controller.signal });
  const never = abortable(new Promise(() => {}), controller.signal);
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => waiting), reason);
  assertStrictEquals(await assertRejects(() => never), reason);
});

Deno.test("retry() gives up after maxAttempts, with the cause", async () => {
  let attempts = 0;
  const error = await assertRejects(
    () =>
      retry(() => {
        throw new Error(`no ${++attempts}`);
      }, { maxAttempts: 3, minTimeout: 0, maxTimeout: 1 }),
    RetryError,
  );
  assertEquals((error.cause as Error).message, "no 3");
});

Deno.test("debounce() makes the last call alone", () => {
  const seen: number[] = [];
  const debounced = debounce((n: number) => void seen.push(n), 60_000);
  debounced(1);
  debounced(2);
  assertEquals(debounced.pending, true);
  debounced.flush();
  assertEquals([seen, debounced.pending], [[2], false]);
});

Deno.test("MuxAsyncIterator yields what all its iterables yield", async () => {
  const mux = new MuxAsyncIterator<number>();
  mux.add(numbers(1, 2));
  mux.add(numbers(3));
  assertEquals((await Array.fromAsync(mux)).sort(), [1, 2, 3]);
});

Deno.test("pooledMap() keeps the order and the limit", async () => {
  let running = 0;
  let most = 0;
  const doubled = pooledMap(2, [1, 2, 3, 4], async (n) => {
    most = Math.max(most, ++running);
    await delay(1);
    running--;
    return n * 2;
  });
  assertEquals(await Array.fromAsync(doubled), [2, 4, 6, 8]);
  assertEquals(most, 2);
});

Deno.test("poll() and tee() give every result", async () => {
  let count = 0;
  assertEquals(await poll(() => ++count, (n) => n === 3, { interval: 0 }), 3);
  const branches = tee(numbers(1, 2), 2);
  assertEquals(await Promise.all(branches.map((it) => Array.fromAsync(it))), [
    [1, 2],
    [1, 2],
  ]);
});
