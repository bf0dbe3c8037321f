/**
 * Debian's nginx, for tests that compare with it, or put it before or behind us.
 *
 * @module
 */

import { Program } from "./program.ts";
import { temporaryFolder } from "./temporary_folder.ts";
import { waitUntil } from "./wait.ts";

/** A running nginx. */
export class Nginx implements AsyncDisposable {
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

  /** Starts it with sections of a configuration, which may name its folder; one of them listens at `front.sock` there. */
  static async start(
    sections: (folder: string) => { http?: string; stream?: string },
  ): Promise<Nginx> {
    const files = await temporaryFolder();
    const { path } = files;
    const { http = "", stream = "" } = sections(path);
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    await Deno.writeTextFile(
      `${path}/nginx.conf`,
      `load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
master_process off;
pid ${path}/nginx.pid;
error_log ${path}/error.log;
events {}
http {
  access_log off;
${temporary.map((name) => `  ${name}_temp_path ${path}/${name};`).join("\n")}
${http}
}
stream {
${stream}
}
`,
    );
    const program = Program.start([
      "nginx",
      "-p",
      path,
      "-c",
      `${path}/nginx.conf`,
    ]);
    let isUp = false;
    const look = async () => {
      const found = await Deno.lstat(`${path}/front.sock`).catch(() => {});
      if (found) isUp = true;
      else setTimeout(look, 10);
    };
    await look();
    await waitUntil(`nginx, which says: ${program.errors}`, () => isUp);
    return new Nginx(path, program, files);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
    await this.#files[Symbol.asyncDispose]();
  }
}
