/**
 * Debian's HAProxy, for tests that compare with it, or put it before or behind us.
 *
 * @module
 */

import { Program } from "./program.ts";
import { temporaryFolder } from "./temporary_folder.ts";
import { waitUntil } from "./wait.ts";

/** A running HAProxy that takes connections at a Unix socket. */
export class Haproxy implements AsyncDisposable {
  /** The folder of its files. */
  readonly folder: string;
  readonly #program: Program;
  readonly #files: AsyncDisposable;

  private constructor(
    folder: string,
    program: Program,
    files: AsyncDisposable,
  ) {
    this.folder = folder;
    this.#program = program;
    this.#files = files;
  }

  /** Starts it with sections of a configuration, which may name its folder. */
  static async start(
    sections: (folder: string) => string,
  ): Promise<Haproxy> {
    const folder = await temporaryFolder();
    const { path } = folder;
    await Deno.writeTextFile(
      `${path}/haproxy.cfg`,
      `global
  stats socket ${path}/stats.sock mode 600 level admin
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout queue 5s
${sections(path)}
`,
    );
    const program = Program.start([
      "haproxy",
      "-db",
      "-f",
      `${path}/haproxy.cfg`,
    ]);
    const haproxy = new Haproxy(path, program, folder);
    let isUp = false;
    const look = async () => {
      try {
        await haproxy.ask("show info");
        isUp = true;
      } catch {
        setTimeout(look, 10);
      }
    };
    await look();
    await waitUntil(
      `HAProxy, which says: ${program.errors}`,
      () => isUp,
    );
    return haproxy;
  }

  /** Sends a command to its statistics socket. */
  async ask(command: string): Promise<string> {
    using conn = await Deno.connect({
      transport: "unix",
      path: `${this.folder}/stats.sock`,
    });
    await conn.write(new TextEncoder().encode(`${command}\n`));
    return await new Response(conn.readable).text();
  }

  /** A column of its statistics by server: `scur` is the connections now, `status` is UP or DOWN. */
  async statistics(backend: string, column: string): Promise<string[]> {
    const [head = "", ...rows] = (await this.ask("show stat")).split("\n");
    const names = head.replace(/^# /, "").split(",");
    const at = names.indexOf(column);
    return rows.map((row) => row.split(","))
      .filter(([name, server]) => name === backend && server !== "BACKEND")
      .map((row) => row[at]!);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
    await this.#files[Symbol.asyncDispose]();
  }
}
