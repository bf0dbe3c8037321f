/**
 * File transfer beside socat and rsync, on this machine, in interleaved rounds. DIR should be a tmpfs, such as one that
 * `mount -t tmpfs tmpfs DIR` made; the runtime has no access below /dev.
 *
 *     deno run --allow-net=127.0.0.1 --allow-read=.,/tmp --allow-write=/tmp \
 *       --allow-run=deno,socat,rsync,cat,cmp,time benches/transfer.ts [DIR] [ROUNDS] [MIB]
 *
 * @module
 */

const [dir = "/tmp/portolan-bench", roundsText = "6", mibText = "1024"] =
  Deno.args;
const ROUNDS = Number(roundsText);
const MIB = Number(mibText);
const SMALL_FILES = 10_000;
const PORTS = { ours: 9780, rsync: 9781, socat: 9782 };

const paths = {
  big: `${dir}/source/big`,
  small: `${dir}/source/small`,
  ours: `${dir}/ours`,
  rsync: `${dir}/rsync`,
  socat: `${dir}/socat`,
};

function portolan(...args: string[]): string[] {
  return [
    ...["time", "-f", "%M %U %S"],
    ...["deno", "run", "-q", "--no-prompt", "--no-check", "--allow-net"],
    ...["--allow-read=/", "--allow-write=/", "src/cli/main.ts", ...args],
  ];
}

function start([command, ...args]: string[]): Deno.ChildProcess {
  const options = { args, stdout: "piped", stderr: "piped" } as const;
  return new Deno.Command(command!, options).spawn();
}

/** Runs a command to its end; the seconds it took, and what it wrote to its standard error. */
async function timed(
  command: string[],
): Promise<{ seconds: number; errors: string }> {
  const startMs = performance.now();
  const { success, stderr } = await start(command).output();
  const errors = new TextDecoder().decode(stderr);
  if (!success) throw new Error(`Cannot run ${command.join(" ")}: ${errors}`);
  return { seconds: (performance.now() - startMs) / 1000, errors };
}

async function firstLine(child: Deno.ChildProcess): Promise<string> {
  for await (const bytes of child.stdout) {
    return new TextDecoder().decode(bytes);
  }
  return "";
}

async function untilListening(port: number): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
  throw new Error(`Cannot see anybody listen on port ${port}`);
}

function remove(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function makeSources(): void {
  for (const path of Object.values(paths)) {
    if (path !== paths.big && path !== paths.socat) {
      Deno.mkdirSync(path, { recursive: true });
    }
  }
  const chunk = new Uint8Array(1 << 20);
  using big = Deno.openSync(paths.big, { create: true, write: true });
  for (let i = 0; i < MIB; i++) {
    for (let at = 0; at < chunk.length; at += 65_536) {
      crypto.getRandomValues(chunk.subarray(at, at + 65_536));
    }
    big.writeSync(chunk);
  }
  for (let i = 0; i < SMALL_FILES; i++) {
    if (i % 100 === 0) Deno.mkdirSync(`${paths.small}/${i / 100}`);
    const path = `${paths.small}/${Math.floor(i / 100)}/${i}`;
    Deno.writeFileSync(path, crypto.getRandomValues(new Uint8Array(4096)));
  }
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[middle]!
    : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

const seconds = {
  ours: [] as number[],
  rsync: [] as number[],
  socat: [] as number[],
  oursSmall: [] as number[],
  rsyncSmall: [] as number[],
};
const peaks: number[] = [];
const cpu: number[] = [];

async function ours(path: string): Promise<number> {
  const to = `127.0.0.1:${PORTS.ours}`;
  const { seconds, errors } = await timed(portolan("send", path, to));
  const [peak, user, system] = errors.trim().split(" ").map(Number);
  peaks.push(peak! / 1024);
  if (path === paths.big) cpu.push(user! + system!);
  return seconds;
}

async function rsync(path: string): Promise<number> {
  const to = `rsync://127.0.0.1:${PORTS.rsync}/bench/`;
  return (await timed(["rsync", "-a", "--whole-file", path, to])).seconds;
}

async function socat(): Promise<number> {
  const flags = ["-b", "262144", "-u"];
  const listen = `TCP-LISTEN:${PORTS.socat},bind=127.0.0.1,reuseaddr`;
  const sink = start([
    "socat",
    ...flags,
    listen,
    `OPEN:${paths.socat},creat,trunc`,
  ]);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const startMs = performance.now();
  const to = `TCP:127.0.0.1:${PORTS.socat}`;
  await timed(["socat", ...flags, `OPEN:${paths.big}`, to]);
  await sink.output();
  return (performance.now() - startMs) / 1000;
}

async function round(): Promise<void> {
  remove(`${paths.ours}/big`);
  seconds.ours.push(await ours(paths.big));
  remove(`${paths.rsync}/big`);
  seconds.rsync.push(await rsync(paths.big));
  remove(`${paths.rsync}/big`);
  seconds.socat.push(await socat());
  remove(paths.socat);
  remove(`${paths.ours}/small`);
  seconds.oursSmall.push(await ours(paths.small));
  remove(`${paths.rsync}/small`);
  seconds.rsyncSmall.push(await rsync(paths.small));
}

async function main(): Promise<void> {
  remove(dir === "/" ? "" : `${dir}/source`);
  makeSources();
  const config = `${dir}/rsyncd.conf`;
  Deno.writeTextFileSync(
    config,
    `port=${PORTS.rsync}\naddress=127.0.0.1\nuse chroot=no\nuid=root\ngid=root\n` +
      `[bench]\npath=${paths.rsync}\nread only=no\n`,
  );
  const daemon = start([
    "rsync",
    "--daemon",
    "--no-detach",
    `--config=${config}`,
  ]);
  const [, , , ...command] = portolan(
    "receive",
    paths.ours,
    "--port",
    `${PORTS.ours}`,
  );
  const receiver = start(command);
  try {
    await Promise.all([firstLine(receiver), untilListening(PORTS.rsync)]);
    for (let i = 0; i < ROUNDS; i++) await round();
    await timed(["cmp", paths.big, `${paths.ours}/big`]);
    const status = await start(["cat", `/proc/${receiver.pid}/status`])
      .output();
    const text = new TextDecoder().decode(status.stdout);
    report(Number(/VmHWM:\s+(\d+)/.exec(text)?.[1]) / 1024);
  } finally {
    receiver.kill("SIGTERM");
    daemon.kill("SIGTERM");
    await Promise.all([receiver.status, daemon.status]);
  }
}

function report(receiverPeak: number): void {
  const ratio = (a: number[], b: number[]) =>
    median(a.map((value, i) => value / b[i]!)).toFixed(2);
  const rate = (values: number[]) => (MIB / median(values)).toFixed(0);
  const small = (values: number[]) => median(values).toFixed(2);
  console.log(
    `${MIB} MiB, MiB/s (median of ${ROUNDS}): ours ${rate(seconds.ours)}, ` +
      `socat ${rate(seconds.socat)}, rsync ${rate(seconds.rsync)}`,
  );
  console.log(
    `ours / socat ${ratio(seconds.socat, seconds.ours)} (bar 0.6), ` +
      `ours / rsync ${ratio(seconds.rsync, seconds.ours)} (bar 1.5)`,
  );
  console.log(
    `${SMALL_FILES} files of 4 KiB, seconds: ours ${
      small(seconds.oursSmall)
    }, ` +
      `rsync ${small(seconds.rsyncSmall)}, rsync / ours ` +
      `${ratio(seconds.rsyncSmall, seconds.oursSmall)} (bar 1)`,
  );
  console.log(
    `peak memory, MB: sender ${Math.max(...peaks).toFixed(0)}, ` +
      `receiver ${receiverPeak.toFixed(0)} (bar 150); ` +
      `sender's CPU seconds ${median(cpu).toFixed(2)}`,
  );
}

await main();
