/**
 * Says so if the runtime has no QUIC, or not all that is asked for.
 *
 * @throws {Deno.errors.NotSupported} If so.
 */
export function refuseOptions<O extends object>(
  options: O,
  unsupported: (keyof O & string)[],
): void {
  if (!("QuicEndpoint" in Deno)) {
    throw new Deno.errors.NotSupported(
      "QUIC needs the runtime's flag --unstable-net",
    );
  }
  const asked = unsupported.find((name) => options[name] !== undefined);
  if (asked !== undefined) {
    throw new Deno.errors.NotSupported(
      `the runtime's QUIC has nothing for the option '${asked}'`,
    );
  }
}
