/**
 * A program of ours in a process of its own.
 *
 * @module
 */

import { within } from "./wait.ts";

/** How long starting a program may take: its types are not checked, but its modules may be compiled. */
const START_MS = 60_000;

/** What a program left behind. */
export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** The command line of `deno task NAME`, with this very Deno. */
export function task(name: string, ...args: string[]): string[] {
  return [Deno.execPath(), "task", "-q", name, ...args];
}

/** Runs a command to its end, with `input` as its standard input. */
export async function run(
  [command, ...args]: string[],
  options: Deno.CommandOptions & { input?: string | Uint8Array } = {},
): Promise<Ran> {
  const { input = "", ...rest } = options;
  const child = new Deno.Command(command!, {
    ...rest,
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1", ...rest.env },
  }).spawn();
  const writer = child.stdin.getWriter();
  const bytes = typeof input === "string"
    ? new TextEncoder().encode(input)
    : input;
  // A program may end without having read all of its input.
  const written = writer.write(bytes).then(() => writer.close()).catch(
    () => {},
  );
  const { code, stdout, stderr } = await within(
    `the end of ${command} ${args.join(" ")}`,
    child.output(),
    START_MS,
  );
  await written;
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

/** A program that runs while the test goes on. */
export class Program implements AsyncDisposable {
  /** What it printed so far. */
  output = "";
  /** What it wrote to its standard error so far. */
  errors = "";
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<unknown>;
  #changed = Promise.withResolvers<void>();

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#input = child.stdin.getWriter();
    this.#reading = Promise.all([
      this.#read(child.stdout, (text) => this.output += text),
      this.#read(child.stderr, (text) => this.errors += text),
    ]);
  }

  /** Starts a command. */
  static start(
    [command, ...args]: string[],
    options: Deno.CommandOptions = {},
  ): Program {
    return new Program(
      new Deno.Command(command!, {
        ...options,
        args,
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
        env: { NO_COLOR: "1", ...options.env },
      }).spawn(),
    );
  }

  /** Starts a command that prints `listening ENDPOINT`, and waits until it has. */
  static async serve(
    command: string[],
    options: Deno.CommandOptions = {},
  ): Promise<Program> {
    const program = Program.start(command, options);
    await program.until("an endpoint", () => program.endpoints.length > 0);
    return program;
  }

  /** Types into its standard input. */
  async type(text: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(text));
  }

  /** Ends its standard input. */
  async endInput(): Promise<void> {
    await this.#input.close();
  }

  /** Waits until it has printed all of these lines, beside others. */
  async prints(...lines: string[]): Promise<void> {
    for (const line of lines) {
      await this.until(
        `the line "${line}" in ${JSON.stringify(this.output)}`,
        () => `\n${this.output}`.includes(`\n${line}\n`),
      );
    }
  }

  /** The endpoints that it listens on. */
  get endpoints(): string[] {
    return Array.from(
      this.output.matchAll(/^listening (\S+)\n/gm),
      ([, endpoint]) => endpoint!,
    );
  }

  /** The port of its first endpoint. */
  get port(): number {
    return Number(/:(\d+)$/.exec(this.endpoints[0]!)?.[1]);
  }

  /** Waits until what it printed makes `isSo` true. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    const seen = async () => {
      while (!isSo()) await this.#changed.promise;
    };
    const ended = this.#child.status.then(async ({ code }) => {
      await this.#reading;
      if (!isSo()) {
        throw new Error(
          `Cannot see ${what}: the program ended with ${code}: ${this.errors}`,
        );
      }
    });
    await within(what, Promise.race([seen(), ended]), START_MS);
  }

  /** Sends it a signal. */
  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits for its end; returns its exit code. */
  async ended(): Promise<number> {
    const { code } = await within(
      "the end of the program",
      this.#child.status,
      START_MS,
    );
    await this.#reading;
    return code;
  }

  /** Asks it to end, and returns its exit code. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    this.kill(signal);
    return await this.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      // Not SIGKILL: that would end the task and leave the program behind.
      this.kill("SIGTERM");
    } catch {
      // It has ended.
    }
    await this.ended();
    // It may have ended before all was written.
    await this.#input.close().catch(() => {});
  }

  async #read(
    stream: ReadableStream<Uint8Array>,
    take: (text: string) => void,
  ): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      take(text);
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    }
  }
}
