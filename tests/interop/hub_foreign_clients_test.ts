import { assert, assertEquals, assertMatch } from "@std/assert";
import { startHub } from "../../scenarios/hub/server.ts";
import { isInstalled } from "../support/installed.ts";
import { Program, run } from "../support/program.ts";

const CLIENTS = "scenarios/hub/clients";
const PYTHON = "/usr/bin/python3";

interface Language {
  name: string;
  /** Runs the client as a command. */
  command: string[];
  /** Runs a program that uses the client as a module. */
  evaluate: string[];
  /** Prints the frame of the JSON in the first argument, in hex. */
  printFrame: string;
  /** Connects to the port in the first argument, and prints what a ping gives back. */
  printPing: string;
}

const LANGUAGES: Language[] = [{
  name: "Python",
  command: [PYTHON, `${CLIENTS}/hub_client.py`],
  evaluate: [PYTHON, "-B", "-c"],
  printFrame: `
import json, sys
sys.path.append("${CLIENTS}")
from hub_client import frame
print(frame(json.loads(sys.argv[1])).hex())`,
  printPing: `
import sys
sys.path.append("${CLIENTS}")
from hub_client import HubClient
hub = HubClient("127.0.0.1", int(sys.argv[1]))
print(hub.ask(type="ping", timestamp="noon")["ping_timestamp"])
try:
    hub.ask(type="dance")
except RuntimeError as error:
    print(error)`,
}, {
  name: "Node",
  command: ["node", `${CLIENTS}/hub_client.mjs`],
  evaluate: ["node", "--input-type=module", "-e"],
  printFrame: `
import { frame } from "./${CLIENTS}/hub_client.mjs";
console.log(frame(JSON.parse(process.argv[1])).toString("hex"));`,
  printPing: `
import { HubClient } from "./${CLIENTS}/hub_client.mjs";
const hub = new HubClient("127.0.0.1", Number(process.argv[1]));
const answer = await hub.ask({ type: "ping", timestamp: "noon" });
console.log(answer.ping_timestamp);
await hub.ask({ type: "dance" }).catch(({ message }) => console.log(message));
hub.socket.destroy();`,
}];

const installed = new Map<string, boolean>();
for (const { name, command } of LANGUAGES) {
  installed.set(name, await isInstalled(command[0]!, "--version"));
}

async function printed(command: string[], ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run([...command, ...args]);
  assertEquals(code, 0, stderr);
  return stdout;
}

for (const language of LANGUAGES) {
  const { name, command, evaluate } = language;
  const ignore = !installed.get(name);

  Deno.test({
    name: `the hub's client in ${name} has 60 lines at most`,
    async fn() {
      const program = await Deno.readTextFile(command.at(-1)!);
      assert(program.trimEnd().split("\n").length <= 60);
    },
  });

  Deno.test({
    name: `the hub's client in ${name} makes the frames of hub-protocol.md`,
    ignore,
    async fn() {
      const page = await Deno.readTextFile("docs/hub-protocol.md");
      const vectors = [...page.matchAll(/^\| `([\da-f ]+)` +\| `(.+)` +\|$/gm)];
      assertEquals(vectors.length, 3);
      for (const [, hex, payload] of vectors) {
        const made = await printed(evaluate, language.printFrame, payload!);
        assertEquals(made.trim(), hex!.replace(" ", ""));
      }
    },
  });

  Deno.test({
    name: `the hub's client in ${name} is a module: it asks, and is refused`,
    ignore,
    async fn() {
      await using hub = await startHub({ listen: "tcp://127.0.0.1:0" });
      const port = hub.endpoint.split(":").at(-1)!;
      const [pong, refused] =
        (await printed(evaluate, language.printPing, port))
          .split("\n");
      assertEquals(pong, "noon");
      assertMatch(refused!, /^unknown_type: /);
    },
  });
}

for (const [from, to] of [LANGUAGES, LANGUAGES.toReversed()]) {
  Deno.test({
    name: `the hub carries what ${from!.name} says to ${to!.name}`,
    ignore: ![...installed.values()].every(Boolean),
    async fn() {
      await using hub = await startHub({ listen: "tcp://127.0.0.1:0" });
      const port = hub.endpoint.split(":").at(-1)!;
      await using listener = Program.start(
        [...to!.command, "127.0.0.1", port, "listener"],
      );
      await listener.prints("connected");
      for (const [name, text] of [["ann", "ahoy"], ["Åsa", "ahoj ⚓ 🚢"]]) {
        const said = await printed(
          from!.command,
          "127.0.0.1",
          port,
          name!,
          text!,
        );
        assertEquals(said, "connected\nheard by 1\n");
        await listener.prints(`${name}: ${text}`);
      }
      // A large message comes in many pieces.
      const long = "x".repeat(100_000);
      await printed(from!.command, "127.0.0.1", port, "ann", long);
      await listener.prints(`ann: ${long}`);
    },
  });
}
