/**
 * Programs that a benchmark runs: compiled when they are C or Go, pinned to one
 * core each, and ended with it.
 *
 * @module
 */

/** The core of the server under test; the load has another. */
export const SERVER_CORE = 0;
/** The core of what makes the load and observes. */
export const LOAD_CORE = 1;

const PEERS = new URL("./peers/", import.meta.url).pathname;
const BUILD = new URL("../.portolan/bench/", import.meta.url).pathname;
const READY_MS = 30_000;
const STOP_MS = 10_000;

/** A compiler, runtime or program that this machine does not have. */
export class AbsentError extends Error {
  override name = "AbsentError";
}

/** The programs that are running; none may outlive the benchmark. */
const running = new Set<Deno.ChildProcess>();

/** Ends whatever is still running, at once. */
export function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

function pinned(core: number, command: string[]): Deno.Command {
  return new Deno.Command("taskset", {
    args: ["-c", String(core), ...command],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
}

/** A program that goes on while something else is measured. */
export class Running implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #read: Promise<unknown>;
  #output = "";
  #errors = "";
  #changed = Promise.withResolvers<void>();

  constructor(core: number, command: string[]) {
    this.#child = pinned(core, command).spawn();
    running.add(this.#child);
    this.#read = Promise.all([
      this.#collect(this.#child.stdout, (text) => this.#output += text),
      this.#collect(this.#child.stderr, (text) => this.#errors += text),
    ]);
  }

  async #collect(
    stream: ReadableStream<Uint8Array<ArrayBuffer>>,
    add: (text: string) => void,
  ): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      add(text);
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** What the program wrote to its standard error so far. */
  get errors(): string {
    return this.#errors;
  }

  /** Waits until the program has written something that `pattern` finds. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    let ended: string | undefined;
    const timer = setTimeout(() => {
      ended = `nothing like ${pattern} within ${READY_MS} ms`;
      this.#changed.resolve();
    }, READY_MS);
    void this.#child.status.then(({ code }) => {
      ended ??= `it ended with code ${code}`;
      this.#changed.resolve();
    });
    try {
      for (;;) {
        const changed = this.#changed.promise;
        const match = pattern.exec(this.#output) ?? pattern.exec(this.#errors);
        if (match !== null) return match;
        if (ended !== undefined) {
          throw new Error(`Cannot wait for a program: ${ended}`, {
            cause: this.#errors,
          });
        }
        await changed;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the program's standard input. */
  async closeInput(): Promise<void> {
    await this.#child.stdin.close();
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits for the end of the program: its exit code and all its output. */
  async ended(): Promise<{ code: number; output: string }> {
    const { code } = await this.#child.status;
    running.delete(this.#child);
    await this.#read;
    return { code, output: this.#output };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!running.has(this.#child)) return;
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS);
    await this.ended();
    clearTimeout(timer);
  }
}

/** Runs a program to its end and returns what it printed. */
export async function output(
  core: number,
  command: string[],
): Promise<string> {
  const program = new Running(core, command);
  const { code, output } = await program.ended();
  if (code !== 0) {
    throw new Error(
      `Cannot run ${command.join(" ")}: exit code ${code}: ` +
        program.errors.trim(),
    );
  }
  return output;
}

async function require(...command: string[]): Promise<void> {
  try {
    await output(LOAD_CORE, command);
  } catch (cause) {
    throw new AbsentError(`${command[0]} is not installed`, { cause });
  }
}

const compiled = new Map<string, Promise<string>>();

function compile(name: string, build: () => Promise<string>): Promise<string> {
  return compiled.getOrInsertComputed(name, async () => {
    await Deno.mkdir(BUILD, { recursive: true });
    return await build();
  });
}

/** The path of a C program of `peers/`, compiled. */
export function cProgram(name: string): Promise<string> {
  return compile(`${name}.c`, async () => {
    await require("gcc", "--version");
    const path = BUILD + name;
    const source = `${PEERS}${name}.c`;
    await output(LOAD_CORE, ["gcc", "-O2", "-Wall", "-o", path, source]);
    return path;
  });
}

/** The path of a Go program of `peers/`, compiled. */
export function goProgram(name: string): Promise<string> {
  return compile(`${name}.go`, async () => {
    await require("go", "version");
    const path = `${BUILD}${name}_go`;
    const source = `${PEERS}${name}.go`;
    await output(LOAD_CORE, ["go", "build", "-o", path, source]);
    return path;
  });
}

/** The command of a script of `peers/` for a runtime that must be there. */
export async function script(
  runtime: string,
  name: string,
): Promise<string[]> {
  await require(runtime, "--version");
  return [runtime, PEERS + name];
}

/** The name of a program that must be installed. */
export async function installed(name: string): Promise<string> {
  await require(name, "--version");
  return name;
}

/** Runs a load generator of `peers/` and returns what it measured. */
export async function measure(
  program: string,
  ...args: (string | number)[]
): Promise<Record<string, number>> {
  const path = await cProgram(program);
  return JSON.parse(await output(LOAD_CORE, [path, ...args.map(String)]));
}

/** Resident memory of a process, in KiB. */
export async function residentKib(pid: number): Promise<number> {
  const status = await output(LOAD_CORE, ["cat", `/proc/${pid}/status`]);
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]);
}

/** Clock ticks a second in which the system counts processor time. */
const TICKS_PER_SECOND = 100;

function seconds(ticks: (string | undefined)[]): number {
  return ticks.reduce((sum, field) => sum + Number(field), 0) /
    TICKS_PER_SECOND;
}

/** Processor time that a process has used, and that both cores have. */
export async function cpuSeconds(
  pid: number,
): Promise<{ process: number; cores: number }> {
  const files = [`/proc/${pid}/stat`, "/proc/stat"];
  const text = await output(LOAD_CORE, ["cat", ...files]);
  // The name in brackets may have spaces; user and system time follow as 12th
  // and 13th. Of a core: user, nice, system, idle, wait, irq, softirq, steal.
  const own = text.slice(text.indexOf(") ") + 2).split(" ");
  let cores = 0;
  for (const core of [SERVER_CORE, LOAD_CORE]) {
    const line = new RegExp(`^cpu${core} (.+)$`, "m").exec(text)?.[1] ?? "";
    const times = line.split(" ");
    cores += seconds([...times.slice(0, 3), times[7]]);
  }
  return { process: seconds(own.slice(11, 13)), cores };
}
