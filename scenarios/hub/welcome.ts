import { parseEndpoint, type Style } from "../../mod.ts";
import { DEFAULT_HUB } from "./connect/session.ts";

/** What a newcomer may type next. */
export function welcome(endpoint: string, style: Style): string {
  // Who started this by npx may have no deno to type.
  const deno = /[\\/]_npx[\\/]/.test(Deno.execPath())
    ? `npx -y deno@${Deno.version.deno}`
    : "deno";
  const at = endpoint === DEFAULT_HUB ? "" : ` ${endpoint}`;
  const commands = [
    [`${deno} task connect${at}`, "talk to everybody who is connected"],
    [`${deno} task connect${at} --demo`, "see all that the hub can do"],
    [`${deno} task connect${at} --performance`, "see how fast it is"],
  ] as const;
  const address = parseEndpoint(endpoint);
  const ping = "port" in address
    ? [
      "",
      "Without a client of ours, as a 4-byte length and JSON:",
      "",
      `  ${
        style.cyan(
          `printf '\\0\\0\\0\\17{"type":"ping"}' | nc -N ${address.hostname} ${address.port}`,
        )
      }`,
    ]
    : [];
  return [
    "",
    "The hub runs. In a second terminal, try:",
    "",
    ...commands.flatMap(([command, does]) => [
      `  ${style.cyan(command)}`,
      `      ${style.dim(does)}`,
    ]),
    ...ping,
    "",
    "Every message is described in docs/hub-protocol.md. Ctrl-C ends the hub.",
  ].join("\n");
}
