/**
 * What is wrong with debugging by `SSLKEYLOGFILE`, where it is set and may be read (`--allow-env=SSLKEYLOGFILE`): the
 * native engine then writes the keys of every connection of the process into that file, without asking.
 */
export function keyLogWarning(): string | undefined {
  const variable = "SSLKEYLOGFILE";
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  const file = state === "granted" ? Deno.env.get(variable) : undefined;
  return file === undefined || file === ""
    ? undefined
    : `TLS IS NOT SECRET: the keys of every connection are written to ${file}, because ${variable} is set`;
}
