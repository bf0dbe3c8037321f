/**
 * What tests of several hubs share.
 *
 * @module
 */

import type { Heard, HubClient } from "./hub_client.ts";
import { within } from "./wait.ts";

const ROOT = new URL("../../", import.meta.url);

/** The command of `deno task hub` without the task around it, which would not pass on every signal. */
export async function hubCommand(...args: string[]): Promise<string[]> {
  const { tasks } = JSON.parse(
    await Deno.readTextFile(new URL("deno.json", ROOT)),
  );
  const [, ...flags] = String(tasks.hub.command).split(" ");
  return [Deno.execPath(), ...flags, ...args];
}

/** Asks for the statistics, over whatever else comes, until they show so many hubs. */
export async function untilHubs(
  client: HubClient,
  hubs: number,
): Promise<Heard[]> {
  const heard: Heard[] = [];
  const ask = async () => {
    for (;;) {
      await client.say({ type: "get_stats" });
      let message: Heard;
      while ((message = await client.hear()).type !== "server_stats") {
        heard.push(message);
      }
      if (message["hubs"] === hubs && message["partial"] !== true) return heard;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  return await within(`${hubs} hubs`, ask(), 20_000);
}
