/** An option, and the value that cannot be had; undefined stands for every value. */
type Unsupported<O> = {
  [Name in keyof O & string]: readonly [Name, O[Name]?];
}[keyof O & string];

/**
 * Says so if the runtime has no QUIC, or not all that is asked for.
 *
 * @throws {Deno.errors.NotSupported} If so.
 */
export function refuseOptions<O extends object>(
  options: O,
  unsupported: readonly Unsupported<Required<O>>[],
): void {
  if (!("QuicEndpoint" in Deno)) {
    throw new Deno.errors.NotSupported(
      "QUIC needs the runtime's flag --unstable-net",
    );
  }
  for (const [name, value] of unsupported) {
    const given = options[name];
    if (given === undefined || (value !== undefined && given !== value)) {
      continue;
    }
    const what = value === undefined ? name : `${name}: ${value}`;
    throw new Deno.errors.NotSupported(
      `the runtime's QUIC has nothing for the option '${what}'`,
    );
  }
}
