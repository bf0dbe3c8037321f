import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { HomeNetwork } from "../../src/cli/home_network.ts";
import {
  canRoute,
  HOST,
  natHome,
  OUTSIDE,
  ROUTER,
  SECOND_HOST,
  SERVER,
  startWithin,
  within,
} from "../support/home_network.ts";
import { Program, run, task } from "../support/program.ts";
import { waitUntil } from "../support/wait.ts";

const ready = await canRoute("ping", "socat");
const WHO = "SYSTEM:echo $SOCAT_PEERADDR";
const ASKED = "SYSTEM:read question; echo $SOCAT_PEERADDR";

Deno.test({
  name: "natRouter() lets a home reach the Internet by ICMP, TCP and UDP",
  ignore: !ready,
  async fn() {
    await using home = await natHome();
    const { internet, home: inside } = home.network;
    const ping = await within(inside, "ping", "-c1", "-W5", SERVER);
    assertEquals(ping.code, 0, ping.stdout + ping.stderr);
    // In fragments, in both directions.
    const large = await within(
      inside,
      ...["ping", "-c1", "-W5", "-s", "4000", SERVER],
    );
    assertEquals(large.code, 0, large.stdout + large.stderr);
    await using _tcp = await startWithin(
      internet,
      "listening on",
      ...["socat", "-d", "-d", "TCP-LISTEN:80,fork,reuseaddr", WHO],
    );
    const tcp = await within(inside, "socat", "-t5", "-", `TCP:${SERVER}:80`);
    assertEquals(tcp.stdout, `${OUTSIDE}\n`);
    await using _udp = await startWithin(
      internet,
      "receiving on",
      ...["socat", "-d", "-d", `UDP-RECVFROM:53,bind=${SERVER},fork`, ASKED],
    );
    const udp = await run(
      ["ip", "netns", "exec", inside, "socat", "-t1", "-", `UDP:${SERVER}:53`],
      { input: "?\n" },
    );
    assertEquals(udp.stdout, `${OUTSIDE}\n`);
    assertEquals(
      home.router.dump().map(({ protocol, remote, state }) =>
        `${protocol} ${remote} ${state}`
      ).toSorted(),
      [
        `icmp ${SERVER}:0 replied`,
        `icmp ${SERVER}:0 replied`,
        `tcp ${SERVER}:80 closing`,
        `udp ${SERVER}:53 replied`,
      ],
    );
    assertEquals(home.router.refused.size, 0);
  },
});

Deno.test({
  name:
    "natRouter() tells a home that a port is closed, by the ICMP error about it",
  ignore: !ready,
  async fn() {
    await using home = await natHome();
    const script = `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
s.connect(("${SERVER}", 9))
s.send(b"?")
try: s.recv(1)
except ConnectionRefusedError: print("refused")`;
    const { stdout } = await within(home.network.home, "python3", "-c", script);
    assertEquals(stdout, "refused\n");
  },
});

Deno.test({
  name:
    "natRouter() leads a forwarded port to its host, from the Internet and by hairpin, and refuses others",
  ignore: !ready,
  async fn() {
    await using home = await natHome({
      forwards: [{
        protocol: "tcp",
        outsidePort: 80,
        insideAddress: HOST,
        insidePort: 8080,
      }],
      timeouts: { unsolicitedSynMs: 200 },
    });
    const { internet, home: inside } = home.network;
    await using _server = await startWithin(
      inside,
      "listening on",
      ...["socat", "-d", "-d", "TCP-LISTEN:8080,fork,reuseaddr", WHO],
    );
    const dial = (namespace: string, to: string) =>
      within(namespace, "socat", "-t5", "-", to);
    const outer = await dial(internet, `TCP:${OUTSIDE}:80,bind=${SERVER}`);
    assertEquals(outer.stdout, `${SERVER}\n`);
    const hairpin = await dial(
      inside,
      `TCP:${OUTSIDE}:80,bind=${SECOND_HOST}`,
    );
    assertEquals(hairpin.stdout, `${OUTSIDE}\n`);
    const other = await dial(internet, `TCP:${OUTSIDE}:81,bind=${SERVER}`);
    assertMatch(other.stderr, /Connection refused/);
    assertEquals([...home.router.refused.keys()], ["no mapping"]);
  },
});

Deno.test({
  name:
    "natRouter() that is closed leaves no rule, no device, no route and no proxy entry behind",
  ignore: !ready,
  async fn() {
    await using home = await natHome();
    const { network, router } = home;
    const look = async () =>
      await network.ip("-n", network.router, "rule", "show") +
      await network.ip("-n", network.router, "link", "show") +
      await network.ip("-n", network.router, "neigh", "show", "proxy") +
      await network.ip("-n", network.router, "route", "show");
    assertMatch(await look(), /natin\d/);
    await router.close();
    await router.stopped;
    const after = await look();
    assert(!/nat(in|out)\d|20000|203\.0\.113\.1\b/.test(after), after);
  },
});

Deno.test({
  name:
    "natRouter() refuses a device that is not there, and an address of the router's own",
  ignore: !ready,
  async fn() {
    await assertRejects(
      () => natHome({ outsideDevice: "none0" }),
      Error,
      "none0",
    );
    await assertRejects(
      () => natHome({ outside: [ROUTER] }),
      Error,
      "none of the router's own",
    );
  },
});

Deno.test({
  name: "natRouter() whose device is removed by others stops and says so",
  ignore: !ready,
  async fn() {
    await using home = await natHome();
    const { network, router } = home;
    const links = await network.ip("-n", network.router, "link", "show");
    const [device] = /natin\d+/.exec(links)!;
    await network.ip("-n", network.router, "link", "del", device);
    const error = await router.stopped.catch((error) => error);
    assertMatch(String(error), /Cannot read from TUN device/);
  },
});

Deno.test({
  name:
    "deno task nat --demo makes a home, prints its sessions, and removes everything when told to stop",
  ignore: !ready,
  async fn() {
    await using program = Program.start(task("nat", "--demo"));
    await program.until("how to try", () => program.output.includes("Ctrl-C"));
    const [, name = ""] = /exec (portolan-\S+)-home /.exec(program.output)!;
    const ping = await within(`${name}-home`, "ping", "-c1", "-W5", SERVER);
    assertEquals(ping.code, 0, ping.stdout + ping.stderr);
    await waitUntil(
      "the session",
      () => /^created icmp 192\.168\.1\.2:\d+ as 203/m.test(program.output),
    );
    assertEquals(await program.stop(), 0, program.errors);
    const { stdout } = await run(["ip", "netns", "list"]);
    assert(!stdout.includes(name), stdout);
  },
});

Deno.test({
  name:
    "deno task nat is the router between two devices, and prints its table on SIGUSR1",
  ignore: !ready,
  async fn() {
    await using network = await HomeNetwork.create();
    await using program = Program.start([
      ...["ip", "netns", "exec", network.router],
      ...task("nat", "--inside", "lan0/192.168.1.0/24"),
      ...["--outside", `wan0/${OUTSIDE}`, "--type", "symmetric", "--json"],
    ]);
    await program.until("it", () => program.output.includes("translating"));
    const ping = await within(network.home, "ping", "-c1", "-W5", SERVER);
    assertEquals(ping.code, 0, ping.stdout + ping.stderr);
    program.kill("SIGUSR1");
    await program.until("the table", () => program.output.includes("sessions"));
    const [begin, session, sum] = program.output.trim().split("\n")
      .map((line) => JSON.parse(line));
    assertEquals(begin, {
      type: "translating",
      inside: ["192.168.1.0/24"],
      outside: [OUTSIDE],
      natType: "symmetric",
    });
    assertEquals(session.state, "replied");
    assertEquals(session.remote, `${SERVER}:0`);
    assertEquals(sum, { type: "sessions", count: 1 });
    assertEquals(await program.stop(), 0, program.errors);
  },
});

Deno.test("deno task nat --forward passes TCP on by plain sockets", async () => {
  const echo = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    using conn = await echo.accept();
    await conn.readable.pipeTo(conn.writable).catch(() => {});
  })();
  try {
    await using program = await Program.serve(
      task("nat", "--forward", `tcp:0=127.0.0.1:${echo.addr.port}`),
    );
    using conn = await Deno.connect({ port: program.port });
    await conn.write(new TextEncoder().encode("ahoy"));
    const buffer = new Uint8Array(4);
    assertEquals(await conn.read(buffer), 4);
    assertEquals(new TextDecoder().decode(buffer), "ahoy");
    conn.close();
    assertEquals(await program.stop(), 0);
  } finally {
    echo.close();
    await serving;
  }
});

Deno.test("deno task nat says what is wrong with its command line", async () => {
  const cases: [string[], number, RegExp][] = [
    [[], 1, /--inside and --outside, --forward or --demo is needed/],
    [["--inside", "lan0"], 2, /DEVICE\/NETWORK is expected/],
    [["--inside", "lan0/192.168.1.0/40"], 2, /ADDRESS\/BITS of IPv4/],
    [["--outside", "wan0/x"], 2, /IPv4 address is expected/],
    [["--forward", "tcp:80"], 2, /PROTOCOL:\[ADDRESS:\]PORT=HOST:PORT/],
    [["--forward", "udp:80=127.0.0.1:80"], 1, /TCP alone/],
    [["--type", "round"], 2, /full-cone/],
    [["--inside", "lan0/192.168.1.0/24"], 1, /--outside are needed/],
  ];
  await Promise.all(cases.map(async ([args, code, message]) => {
    const ran = await run(task("nat", ...args));
    assertMatch(ran.stderr, message);
    assertEquals(ran.code, code, ran.stderr);
    assertEquals(ran.stderr.trim().split("\n").length, 1);
  }));
});
