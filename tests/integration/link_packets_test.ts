import { assert, assertEquals } from "@std/assert";
import { canRoute, startWithin, within } from "../support/home_network.ts";
import { Program, run, task } from "../support/program.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const ready = await canRoute("python3", "cat");

async function ip(...args: string[]): Promise<void> {
  const { code, stderr } = await run(["ip", ...args]);
  assertEquals(code, 0, `ip ${args.join(" ")}: ${stderr}`);
}

/** Two network namespaces of names that nobody else has. */
async function namespaces(): Promise<
  [left: string, right: string] & AsyncDisposable
> {
  const tag = Deno.pid.toString(36);
  const names: [string, string] = [`plink${tag}l`, `plink${tag}r`];
  for (const name of names) await ip("netns", "add", name);
  return Object.assign(names, {
    async [Symbol.asyncDispose]() {
      for (const name of names) await ip("netns", "del", name);
    },
  });
}

/** A TCP connection of two kernels: sends a megabyte, and prints when all of it has come. */
const RECEIVE = `
import socket
s = socket.create_server(("10.99.7.2", 7000))
print("listening", flush=True)
c = s.accept()[0]
n = 0
while True:
    d = c.recv(65536)
    if not d: break
    n += len(d)
c.sendall(str(n).encode())
c.close()
`;
const SEND = `
import socket
s = socket.create_connection(("10.99.7.2", 7000))
s.sendall(bytes(1000000))
s.shutdown(socket.SHUT_WR)
print(s.recv(100).decode(), flush=True)
`;

Deno.test({
  name:
    "link between two devices lets the kernels see its losses and its delay",
  ignore: !ready,
  async fn() {
    await using both = await namespaces();
    await using folder = await temporaryFolder();
    const devices = both.map((name) => `${name.slice(1)}`);
    const control = `--control=unix:${folder.path}/link.sock`;
    await using program = await Program.serve(
      task(
        "link:packets",
        `tun:${devices[0]}`,
        `tun:${devices[1]}`,
        "--latency=10",
        "--seed=3",
        "--up=loss=2%",
        control,
      ),
    );
    for (const [index, name] of both.entries()) {
      const device = devices[index]!;
      const peer = ["peer", `10.99.7.${2 - index}`, "dev", device];
      await ip("link", "set", device, "netns", name);
      await ip("-n", name, "addr", "add", `10.99.7.${1 + index}`, ...peer);
      await ip("-n", name, "link", "set", device, "up");
    }
    await using _receiver = await startWithin(
      both[1],
      "listening",
      ...["python3", "-c", RECEIVE],
    );
    const startMs = performance.now();
    const sent = await within(both[0], "python3", "-c", SEND);
    assertEquals(sent.stdout.trim(), "1000000", sent.stderr);
    // The handshake, the first window and the answer are round trips of 20 ms.
    assert(performance.now() - startMs >= 60);
    const { stdout } = await run(task("link", "show", "--json", control));
    const { up } = JSON.parse(stdout);
    assert(up.counters.lost > 5, JSON.stringify(up.counters));
    const snmp = await within(both[0], "cat", "/proc/net/snmp");
    const [keys, values] = snmp.stdout.split("\n").filter((line) =>
      line.startsWith("Tcp:")
    ).map((line) => line.split(" "));
    const retransmitted = Number(values![keys!.indexOf("RetransSegs")]);
    assert(
      retransmitted >= 5,
      `the kernel sent ${retransmitted} segments again`,
    );
    assertEquals(await program.stop(), 0);
  },
});
