/**
 * The servers that are measured: how each is started and what it speaks.
 *
 * @module
 */

import {
  cProgram,
  goProgram,
  installed,
  Running,
  script,
  SERVER_CORE,
} from "./process.ts";

/** A server under test. */
export interface Server {
  readonly name: string;
  /** What it is, for those who read the results. */
  readonly title: string;
  /**
   * `json`: echo messages in length-prefixed frames; `raw`: length-prefixed
   * frames come back; `hub`, `nats`: broadcasts.
   */
  readonly speaks: "json" | "raw" | "hub" | "nats";
  /** Whether it is this project's own code that is judged. */
  readonly ours?: boolean;
  /** The command that starts it on a port that the system chooses. */
  command(): Promise<string[]> | string[];
  /** What it prints when it is ready, with the port as the first group. */
  readonly ready?: RegExp;
}

const LISTENING = /listening tcp:\/\/127\.0\.0\.1:(\d+)/;

/** A server that runs and accepts connections. */
export interface Started extends AsyncDisposable {
  readonly port: number;
  readonly process: Running;
}

/** Starts a server on its core and waits until it is ready. */
export async function start(
  server: Server,
  core = SERVER_CORE,
): Promise<Started> {
  const process = new Running(core, await server.command());
  try {
    const match = await process.until(server.ready ?? LISTENING);
    return {
      port: Number(match[1]),
      process,
      [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
    };
  } catch (cause) {
    await process[Symbol.asyncDispose]();
    throw new Error(`Cannot start ${server.name}: ${process.errors.trim()}`, {
      cause,
    });
  }
}

/** A file of this folder, run by the same Deno. */
function deno(path: string, ...args: string[]): string[] {
  const file = new URL(path, import.meta.url).pathname;
  const flags = ["--allow-net=127.0.0.1", "--no-check"];
  return [Deno.execPath(), "run", ...flags, file, ...args];
}

/** The command of a task of deno.json, with exactly its permissions. */
async function taskCommand(name: string): Promise<string[]> {
  const file = new URL("../deno.json", import.meta.url);
  const { tasks } = JSON.parse(await Deno.readTextFile(file));
  const command: unknown = tasks?.[name]?.command ?? tasks?.[name];
  if (typeof command !== "string" || !command.startsWith("deno run ")) {
    throw new Error(
      `Cannot start the task ${name}: it is not one "deno run": ` +
        `current value is ${command}`,
    );
  }
  const args = command.slice("deno run ".length).split(" ").filter(Boolean);
  return [Deno.execPath(), "run", "--no-check", ...args];
}

const hubCommand = async () => [...await taskCommand("hub"), "--port", "0"];

/** The hub as users start it, for echo. */
export const HUB: Server = {
  name: "hub",
  title: "the hub",
  speaks: "json",
  ours: true,
  command: hubCommand,
};

/** The hub as users start it, for broadcasts. */
export const HUB_BROADCAST: Server = { ...HUB, speaks: "hub" };

/** Binary frames through `serve()`. */
export const BINARY: Server = {
  name: "serve",
  title: "serve(), callbacks",
  speaks: "raw",
  ours: true,
  command: () => deno("./servers/binary_echo.ts", "0", "callbacks"),
};

/** The same as a loop over the messages. */
export const BINARY_LOOP: Server = {
  name: "loop",
  title: "serve(), as a loop",
  speaks: "raw",
  command: () => deno("./servers/binary_echo.ts", "0", "loop"),
};

/** The same through web streams. */
export const BINARY_STREAMS: Server = {
  name: "streams",
  title: "serve(), web streams",
  speaks: "raw",
  command: () => deno("./servers/binary_echo.ts", "0", "streams"),
};

/** The bare Deno loop over JSON. */
export const FLOOR_JSON: Server = {
  name: "floor",
  title: "bare Deno loop",
  speaks: "json",
  command: () => deno("./peers/floor.ts", "0", "json"),
};

/** The bare Deno loop over frames. */
export const FLOOR_RAW: Server = {
  name: "floor",
  title: "bare Deno loop",
  speaks: "raw",
  command: () => deno("./peers/floor.ts", "0", "raw"),
};

/** The bare Deno loop that broadcasts. */
export const FLOOR_BROADCAST: Server = {
  name: "floor",
  title: "bare Deno loop",
  speaks: "raw",
  command: () => deno("./peers/floor_broadcast.ts", "0"),
};

/** Go's `net` and `encoding/json`. */
export const GO: Server = {
  name: "go",
  title: "Go net, encoding/json",
  speaks: "json",
  command: async () => [await goProgram("peer"), "0"],
};

/** Node's `net`. */
export const NODE: Server = {
  name: "node",
  title: "Node net",
  speaks: "json",
  command: async () => [...await script("node", "peer.mjs"), "0"],
};

/** Python with a thread per connection. */
export const PYTHON_THREADS: Server = {
  name: "python",
  title: "Python threads",
  speaks: "json",
  command: async () => [...await script("python3", "peer_threads.py"), "0"],
};

/** Python's asyncio. */
export const PYTHON_ASYNCIO: Server = {
  name: "asyncio",
  title: "Python asyncio",
  speaks: "raw",
  command: async () => [...await script("python3", "peer_asyncio.py"), "0"],
};

/** A byte echo in C: what the machine can do. */
export const C_ECHO: Server = {
  name: "c",
  title: "raw echo in C",
  speaks: "raw",
  command: async () => [await cProgram("echo"), "0"],
};

/** The NATS server. */
export const NATS: Server = {
  name: "nats",
  title: "nats-server",
  speaks: "nats",
  command: async () => [
    await installed("nats-server"),
    "-a",
    "127.0.0.1",
    "-p",
    "-1",
  ],
  ready: /Listening for client connections on 127\.0\.0\.1:(\d+)/,
};
