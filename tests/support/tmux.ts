/**
 * A real terminal, driven by tmux.
 *
 * @module
 */

/** Whether tmux is installed. */
export async function hasTmux(): Promise<boolean> {
  try {
    return (await new Deno.Command("tmux", { args: ["-V"] }).output()).success;
  } catch {
    return false;
  }
}

/** How long a test waits for what must come. */
const DEADLINE_MS = 30_000;
const POLL_MS = 30;

/** A terminal in which a command runs. */
export class Tmux implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Opens a terminal of 80 by 24 and runs a shell command in it. */
  static async run(command: string): Promise<Tmux> {
    const tmux = new Tmux(await Deno.makeTempDir({ prefix: "portolan-tmux-" }));
    const size = ["-x", "80", "-y", "24"];
    await tmux.#do(
      "-f",
      "/dev/null",
      "-u",
      "new-session",
      "-d",
      ...size,
      command,
    );
    return tmux;
  }

  /** Sends keys by tmux's names, such as `Enter` and `C-c`. */
  async press(...keys: string[]): Promise<void> {
    await this.#do("send-keys", ...keys);
  }

  /** Types text as it is. */
  async type(text: string): Promise<void> {
    await this.#do("send-keys", "-l", text);
  }

  /** Changes the size of the terminal. */
  async resize(columns: number, rows: number): Promise<void> {
    const size = ["-x", String(columns), "-y", String(rows)];
    await this.#do("resize-window", ...size);
  }

  /** Rows on the screen, without blanks and empty rows at the end. */
  async screen(): Promise<string[]> {
    const rows = (await this.#do("capture-pane", "-p")).split("\n")
      .map((row) => row.trimEnd());
    while (rows.at(-1) === "") rows.pop();
    return rows;
  }

  /** Column and row of the cursor, from 0. */
  async cursor(): Promise<{ column: number; row: number }> {
    const format = "#{cursor_x} #{cursor_y}";
    const text = await this.#do("display-message", "-p", format);
    const [column = NaN, row = NaN] = text.trim().split(" ").map(Number);
    return { column, row };
  }

  /** Waits until the screen is as it should be, and returns it. */
  async until(
    what: string,
    isSo: (rows: string[]) => boolean,
  ): Promise<string[]> {
    const deadline = performance.now() + DEADLINE_MS;
    for (;;) {
      const rows = await this.screen();
      if (isSo(rows)) return rows;
      if (performance.now() > deadline) {
        throw new Error(`Cannot see ${what}:\n${rows.join("\n")}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** Ends the terminal and what runs in it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#do("kill-server");
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #do(...args: string[]): Promise<string> {
    const { success, stdout, stderr } = await new Deno.Command("tmux", {
      args: ["-S", `${this.#folder}/socket`, ...args],
    }).output();
    const decoder = new TextDecoder();
    if (!success) {
      throw new Error(`Cannot run tmux ${args[0]}: ${decoder.decode(stderr)}`);
    }
    return decoder.decode(stdout);
  }
}
