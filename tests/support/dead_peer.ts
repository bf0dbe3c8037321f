/**
 * Programs that watch each other die, in network namespaces of their own where a cable is to be pulled.
 *
 * @module
 */

import { openLibc } from "../../src/io/ffi/libc.ts";
import { Program } from "./program.ts";

/** What the watching program is set to. */
export const DEAD_PEER = {
  idleMs: 1_000,
  keepAlive: {
    keepAliveIdleMs: 1_000,
    keepAliveIntervalMs: 1_000,
    keepAliveCount: 2,
  },
  userTimeoutMs: 1_500,
} as const;

const PROGRAM = new URL("programs/dead_peer.ts", import.meta.url).pathname;
const LIBC = `/lib/${Deno.build.arch}-linux-gnu/libc.so.6`;

/** Whether the C library may be called; says so if a test must do without it. */
export function hasLibc(): boolean {
  const reason = openLibc();
  if (typeof reason !== "string") return true;
  console.log(`skipped: the C library: ${reason}`);
  return false;
}

/** How the watching program noticed a death. */
export interface Noticed {
  /** Milliseconds since the epoch. */
  atMs: number;
  cause: string;
  reason?: string;
}

/** The watching program and its peer, all connections open. */
export class Watched implements AsyncDisposable {
  readonly watcher: Program;
  readonly peer: Program;

  private constructor(watcher: Program, peer: Program) {
    this.watcher = watcher;
    this.peer = peer;
  }

  /** Starts both, each behind a command such as `ip netns exec NAME`. */
  static async start(
    hostname: string,
    behind: { watcher: string[]; peer: string[] },
  ): Promise<Watched> {
    const deno = [
      Deno.execPath(),
      "run",
      "--no-prompt",
      "--allow-net",
      `--allow-ffi=${LIBC}`,
      PROGRAM,
    ];
    const watcher = Program.start([
      ...behind.watcher,
      ...deno,
      "watch",
      hostname,
    ]);
    await watcher.until("four endpoints", () => watcher.endpoints.length === 4);
    const peer = Program.start([
      ...behind.peer,
      ...deno,
      "talk",
      ...watcher.endpoints,
    ]);
    for (const name of ["idle", "keepAlive", "userTimeout", "nothing"]) {
      await watcher.prints(`opened ${name}`);
    }
    return new Watched(watcher, peer);
  }

  /** When and how `name` noticed; undefined while it has not. */
  noticed(name: string): Noticed | undefined {
    const found = new RegExp(`^ended ${name} (\\d+) (.*)$`, "m").exec(
      this.watcher.output,
    );
    if (found === null) return undefined;
    return { ...JSON.parse(found[2]!), atMs: Number(found[1]) };
  }

  /** Waits until `name` has noticed. */
  async notices(name: string): Promise<Noticed> {
    await this.watcher.until(
      `${name} to notice`,
      () => this.noticed(name) !== undefined,
    );
    return this.noticed(name)!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A stopped program takes no other signal.
    for (const program of [this.peer, this.watcher]) program.kill("SIGKILL");
    await this.peer.ended();
    await this.watcher.ended();
  }
}

/** Two network namespaces with a cable between them. */
export class Cable implements AsyncDisposable {
  readonly #near: string;
  readonly #far: string;

  private constructor(name: string) {
    this.#near = `${name}n`;
    this.#far = `${name}f`;
  }

  /** Address of the near end. */
  readonly address = "10.97.31.1";

  /** Lays a cable; undefined, with the reason printed, where that is not allowed. */
  static async lay(): Promise<Cable | undefined> {
    if (Deno.build.os !== "linux" || !await ip("-V")) {
      console.log(
        "skipped: the program ip (Debian package iproute2) is missing",
      );
      return undefined;
    }
    const cable = new Cable(`ptl${Deno.pid % 100_000}`);
    if (await cable.#lay()) return cable;
    await cable[Symbol.asyncDispose]();
    console.log("skipped: network namespaces and their links need root");
    return undefined;
  }

  async #lay(): Promise<boolean> {
    const [near, far] = [this.#near, this.#far];
    for (
      const command of [
        `netns add ${near}`,
        `netns add ${far}`,
        `link add name end netns ${near} type veth peer name end netns ${far}`,
        `-n ${near} addr add ${this.address}/24 dev end`,
        `-n ${far} addr add 10.97.31.2/24 dev end`,
        `-n ${near} link set end up`,
        `-n ${far} link set end up`,
      ]
    ) {
      if (!await ip(...command.split(" "))) return false;
    }
    return true;
  }

  /** What runs a command at the near end, and what at the far end. */
  get ends(): { watcher: string[]; peer: string[] } {
    const at = (name: string) => ["ip", "netns", "exec", name];
    return { watcher: at(this.#near), peer: at(this.#far) };
  }

  /** Pulls it out of the far end. */
  async pull(): Promise<void> {
    const isDone = await ip("-n", this.#far, "link", "set", "end", "down");
    if (!isDone) throw new Error("Cannot pull the cable: ip failed");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of [this.#near, this.#far]) await ip("netns", "del", name);
  }
}

async function ip(...args: string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("ip", { args }).output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
