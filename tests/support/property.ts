import fc from "npm:fast-check@4.10.2";

export { fc };

/**
 * Checks a property on random inputs. A failure prints the seed and the smallest failing input; set `PORTOLAN_SEED` to
 * that seed to see it again.
 */
export function checkProperty<T>(
  inputs: fc.Arbitrary<T>,
  holds: (input: T) => void,
  numRuns = 300,
): void {
  const seed = Deno.env.get("PORTOLAN_SEED");
  fc.assert(fc.property(inputs, holds), {
    numRuns,
    ...(seed === undefined ? {} : { seed: Number(seed) }),
  });
}

/** The same for a property that takes its time. */
export async function checkAsyncProperty<T>(
  inputs: fc.Arbitrary<T>,
  holds: (input: T) => Promise<void>,
  numRuns = 100,
): Promise<void> {
  const seed = Deno.env.get("PORTOLAN_SEED");
  await fc.assert(fc.asyncProperty(inputs, holds), {
    numRuns,
    ...(seed === undefined ? {} : { seed: Number(seed) }),
  });
}
