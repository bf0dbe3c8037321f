/** How often a backend is checked, and when it counts as up or down. */
export interface HealthCheckOptions {
  /** Milliseconds between two checks. @default {2_000} */
  intervalMs?: number;
  /** The same while a change is near: some checks have contradicted the state. @default {intervalMs} */
  fastIntervalMs?: number;
  /** The same while the backend is down. @default {intervalMs} */
  downIntervalMs?: number;
  /** Intervals are longer or shorter by up to this share, so that checks do not come together; 0 to 1. @default {0.1} */
  jitter?: number;
  /** Checks in a row that must succeed until it is up. @default {2} */
  rise?: number;
  /** Checks in a row that must fail until it is down. @default {3} */
  fall?: number;
}

/** A backend that is checked has become another. */
export type HealthTransition = "up" | "down";

/**
 * Whether a backend is up, by what checks have found: it is up at first, down after `fall` failures in a row, and up again
 * after `rise` successes in a row. Pure.
 *
 * @example Usage
 * ```ts
 * import { HealthCheck } from "./health_check.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const check = new HealthCheck({ fall: 2, rise: 1 });
 * assertEquals(check.record(false), undefined);
 * assertEquals(check.record(false), "down");
 * assertEquals(check.record(true), "up");
 * ```
 */
export class HealthCheck {
  #options: Required<HealthCheckOptions>;
  #isUp = true;
  /** Checks in a row that contradict the state. */
  #against = 0;

  /**
   * Begins with a backend that is up.
   *
   * @throws {RangeError} If an option makes no sense.
   */
  constructor(options: HealthCheckOptions = {}) {
    this.#options = complete(options);
  }

  /** Goes on by other options. */
  retune(options: HealthCheckOptions): void {
    this.#options = complete(options);
  }

  /** Whether it is up. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** Takes what a check has found; returns the change that it brought about, if it did. */
  record(ok: boolean): HealthTransition | undefined {
    if (ok === this.#isUp) {
      this.#against = 0;
      return undefined;
    }
    this.#against++;
    const { rise, fall } = this.#options;
    if (this.#against < (this.#isUp ? fall : rise)) return undefined;
    this.#isUp = ok;
    this.#against = 0;
    return ok ? "up" : "down";
  }

  /** Milliseconds until the next check; `random` yields numbers in [0, 1). */
  nextMs(random: () => number): number {
    const { intervalMs, fastIntervalMs, downIntervalMs, jitter } =
      this.#options;
    const plain = this.#against > 0
      ? fastIntervalMs
      : this.#isUp
      ? intervalMs
      : downIntervalMs;
    return plain * (1 + jitter * (2 * random() - 1));
  }
}

function complete(options: HealthCheckOptions): Required<HealthCheckOptions> {
  const { intervalMs = 2_000 } = options;
  const whole = {
    intervalMs,
    fastIntervalMs: options.fastIntervalMs ?? intervalMs,
    downIntervalMs: options.downIntervalMs ?? intervalMs,
    jitter: options.jitter ?? 0.1,
    rise: options.rise ?? 2,
    fall: options.fall ?? 3,
  };
  for (const [name, value] of Object.entries(whole)) {
    if (name === "jitter" ? value >= 0 && value <= 1 : value > 0) continue;
    throw new RangeError(
      `Cannot check health: '${name}' must be ${
        name === "jitter" ? "from 0 to 1" : "greater than 0"
      }: current value is ${value}`,
    );
  }
  return whole;
}
