import { setImmediate } from "node:timers";

/** How long a test waits for what must come. */
const PATIENCE_MS = 10_000;

/** Lets everything that is ready run, including what that makes ready. */
export async function turns(count = 4): Promise<void> {
  for (let turn = 0; turn < count; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** `promise`, or an error that names `what` was waited for in vain. */
export async function within<T>(
  what: string,
  promise: Promise<T>,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`Cannot see ${what} within ${patienceMs} ms`)),
    patienceMs,
  );
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves once `isSo()`; fails after a while, naming `what` was waited for. */
export async function waitUntil(
  what: string,
  isSo: () => boolean,
  patienceMs = PATIENCE_MS,
): Promise<void> {
  const untilMs = performance.now() + patienceMs;
  while (!isSo()) {
    if (performance.now() > untilMs) {
      throw new Error(`Cannot see ${what} within ${patienceMs} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Waits until a growing number has stopped growing, and returns it. */
export async function stalled(value: () => number): Promise<number> {
  for (let last = NaN, still = 0; still < 25;) {
    await new Promise((resolve) => setTimeout(resolve, 4));
    still = value() === last ? still + 1 : 0;
    last = value();
  }
  return value();
}
