import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { chooseCommand } from "../../../../src/cli/commands/cert.ts";
import { Output } from "../../../../src/cli/output.ts";
import { createCa } from "../../../../src/security/certificates/authority.ts";
import { readCertificate } from "../../../../src/security/certificates/read_certificate.ts";
import { verifyCertificate } from "../../../../src/security/certificates/verify_certificate.ts";

/** A folder, and `cert` in it. */
class Folder implements AsyncDisposable {
  readonly #parent = Deno.makeTempDirSync({ dir: "/tmp" });
  readonly path = `${this.#parent}/tls`;

  async cert(
    ...line: string[]
  ): Promise<{ code: number; out: string; err: string }> {
    let out = "";
    let err = "";
    const { command, args } = chooseCommand(line);
    const code = await command.runIn({
      args,
      readVariable: (name) => name === "PORTOLAN_DIR" ? this.path : undefined,
      createOutput: (json) =>
        new Output({
          json,
          write: (text) => out += text,
          writeError: (text) => err += text,
        }),
      onSignal: () => {},
      onUncaught: () => {},
      exit: () => {},
    });
    return { code, out, err };
  }

  /** Runs what must go well; returns what it printed. */
  async ok(...line: string[]): Promise<string> {
    const { code, out, err } = await this.cert(...line);
    assertEquals({ code, err }, { code: 0, err: "" });
    return out;
  }

  /** Runs what must fail with one line; returns that. */
  async fails(code: number, ...line: string[]): Promise<string> {
    const run = await this.cert(...line);
    assertEquals(run.code, code, run.err);
    assertMatch(run.err, /^cert[a-z0-9 ]*: Cannot [^\n]*[^.\n]\n$/);
    return run.err;
  }

  read(name: string): string {
    return Deno.readTextFileSync(`${this.path}/${name}`);
  }

  mode(name: string): number {
    return Deno.statSync(`${this.path}/${name}`).mode! & 0o777;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#parent, { recursive: true });
  }
}

Deno.test("cert lists its commands, and refuses others", async () => {
  await using folder = new Folder();
  const help = await folder.ok("--help");
  for (
    const command of [
      "ca",
      "server",
      "client",
      "p12",
      "inspect",
      "verify",
      "expiry",
      "revoke",
      "pin",
    ]
  ) {
    assertStringIncludes(help, `deno task cert ${command} --help`);
    assertStringIncludes(
      await folder.ok(command, "--help"),
      `Usage: deno task cert ${command} `,
    );
  }
  assertStringIncludes(
    await folder.fails(2, "srver", "localhost"),
    'Cannot run "srver": no such command (did you mean server?)',
  );
  await folder.fails(2);
});

Deno.test("cert ca makes an authority and tells how to trust it", async () => {
  await using folder = new Folder();
  const out = await folder.ok(
    "ca",
    "--common-name",
    "Harbour CA",
    "--days",
    "10",
  );
  assertStringIncludes(out, `wrote ${folder.path}/ca.pem\n`);
  assertStringIncludes(out, "CN=Harbour CA, until ");
  assertStringIncludes(out, `certutil -d sql:$HOME/.pki/nssdb`);
  assertEquals(folder.mode("ca-key.pem"), 0o600);
  assertEquals(folder.mode("ca.pem") & 0o444, 0o444);
  assertEquals(Deno.statSync(folder.path).mode! & 0o777, 0o700);
});

Deno.test("cert overwrites nothing without --force", async () => {
  await using folder = new Folder();
  await folder.ok("server", "localhost");
  const names = ["ca.pem", "ca-key.pem", "localhost.pem", "localhost-key.pem"];
  const before = names.map((name) => folder.read(name));
  assertStringIncludes(await folder.fails(1, "ca"), "it is there already");
  await folder.fails(1, "server", "localhost");
  await Deno.remove(`${folder.path}/localhost-key.pem`);
  await folder.fails(1, "server", "localhost");
  assertEquals(folder.read("localhost.pem"), before[2]);
  await folder.ok("server", "localhost", "--force");
  assert(folder.read("localhost.pem") !== before[2]);
  assertEquals(folder.mode("localhost-key.pem"), 0o600);
  assertEquals(folder.read("ca.pem"), before[0]);
  const left = Array.from(Deno.readDirSync(folder.path), ({ name }) => name);
  assertEquals(left.sort(), [".lock", ...names].sort());
});

Deno.test("cert server makes a certificate for names and addresses", async () => {
  await using folder = new Folder();
  await folder.ok("server", "*.quay.example", "::1", "--peer");
  const pem = folder.read("wildcard.quay.example.pem");
  const { names } = await verifyCertificate(pem, {
    ca: folder.read("ca.pem"),
    purpose: "peer",
  });
  assertEquals([names.dns, names.ip], [["*.quay.example"], ["::1"]]);
  const record = JSON.parse(
    await folder.ok(
      "server",
      "::1",
      "--json",
      "--out",
      `${folder.path}/six`,
      "--algorithm=ed25519",
    ),
  );
  assertEquals(record.type, "certificate");
  assertEquals(record.cert, `${folder.path}/six.pem`);
  assertEquals(record.names.ip, ["::1"]);
  assertStringIncludes(
    await folder.fails(2, "server", "localhost:8080"),
    'current value is "localhost:8080"',
  );
  await folder.fails(2, "server");
  await folder.fails(2, "server", "a", "--algorithm", "dsa");
  await folder.fails(2, "server", "a", "--days", "0");
});

Deno.test("cert client makes a certificate with SPIFFE ids", async () => {
  await using folder = new Folder();
  const [one, two] = ["spiffe://plant.example/pump/7", "spiffe://b.example/x"];
  await folder.ok("client", "a@b.example", "--spiffe", one, "--spiffe", two);
  const { subject, names } = await verifyCertificate(
    folder.read("a@b.example.pem"),
    { ca: folder.read("ca.pem"), purpose: "client" },
  );
  assertEquals(subject, "CN=a@b.example");
  assertEquals([names.uri, names.email], [[one, two], ["a@b.example"]]);
  await folder.fails(2, "client", "ada", "--spiffe", "http://x.example");
});

Deno.test("cert client never writes outside its folder", async () => {
  await using folder = new Folder();
  await folder.ok("client", "../../ada");
  assertEquals(
    (await readCertificate(folder.read("_._.._ada.pem"))).commonName,
    "../../ada",
  );
});

Deno.test("cert inspect shows every certificate of a file", async () => {
  await using folder = new Folder();
  await folder.ok("client", "ada", "--spiffe", "spiffe://a.example/ada");
  const chain = `${folder.path}/chain.pem`;
  const text = folder.read("ada.pem") + folder.read("ca.pem");
  await Deno.writeTextFile(chain, text);
  const out = await folder.ok("inspect", chain);
  for (
    const line of [
      "subject    CN=ada\n",
      "names      spiffe://a.example/ada\n",
      "good for   client\n",
      "left       396 days left\n",
      "key        ECDSA P-256\n",
      "\n\nsubject    CN=Portolan local CA ",
      "good for   signing others\n",
    ]
  ) assertStringIncludes(out, line);
  const lines = (await folder.ok("inspect", chain, "--json")).trim().split(
    "\n",
  );
  const certificate = await readCertificate(text);
  assertEquals(lines.length, 2);
  assertEquals(JSON.parse(lines[0]!).fingerprint, certificate.fingerprint);
  assertEquals(
    await folder.ok("pin", chain),
    `${certificate.publicKeyPin}\n`,
  );
  assertStringIncludes(
    await folder.fails(1, "inspect", `${folder.path}/absent.pem`),
    "there is no such file",
  );
  assertStringIncludes(
    await folder.fails(1, "inspect", `${folder.path}/ada-key.pem`),
    "unreadable",
  );
});

Deno.test("cert inspect shows a stranger's subject without its control characters", async () => {
  await using folder = new Folder();
  await folder.ok("ca");
  const { sign } = await import("../../../support/certificates.ts");
  const { pem } = await sign({ subject: "CN=\x1b]0;gotcha\x07ada" });
  await Deno.writeTextFile(`${folder.path}/evil.pem`, pem);
  const out = await folder.ok("inspect", `${folder.path}/evil.pem`);
  assertStringIncludes(out, "subject    CN=ada\n");
});

Deno.test("cert verify says why it refuses, and exits 1", async () => {
  await using folder = new Folder();
  await folder.ok("server", "hub.example");
  const cert = `${folder.path}/hub.example.pem`;
  const ca = ["--ca", `${folder.path}/ca.pem`];
  const name = ["--name", "hub.example", "--purpose", "server"];
  assertStringIncludes(
    await folder.ok("verify", cert, ...ca, ...name),
    `${cert}: ok: CN=hub.example, until `,
  );
  assertStringIncludes(
    await folder.fails(1, "verify", cert, ...ca, "--name", "other.example"),
    "wrong name: it is for hub.example and not for other.example",
  );
  const refused = await folder.cert(
    "verify",
    cert,
    ...ca,
    "--purpose",
    "client",
    "--json",
  );
  assertEquals(refused.code, 1);
  const { trusted, fault } = JSON.parse(refused.out);
  assertEquals({ trusted, fault }, { trusted: false, fault: "wrong purpose" });
  const { serialNumber, fingerprint, publicKeyPin } = await readCertificate(
    folder.read("hub.example.pem"),
  );
  for (
    const id of [
      serialNumber,
      serialNumber.toLowerCase().replaceAll(/..(?=.)/g, "$&:"),
      fingerprint.toUpperCase(),
      publicKeyPin,
    ]
  ) {
    assertStringIncludes(
      await folder.fails(1, "verify", cert, ...ca, "--deny", id),
      "denied",
    );
  }
});

Deno.test("cert revoke keeps the list of what was revoked", async () => {
  await using folder = new Folder();
  await folder.ok("client", "ada");
  await folder.ok("client", "bob");
  const ada = `${folder.path}/ada.pem`;
  const crl = [
    "--crl",
    `${folder.path}/crl.pem`,
    "--ca",
    `${folder.path}/ca.pem`,
  ];
  assertStringIncludes(await folder.ok("revoke"), "crl.pem: 0 revoked");
  await folder.ok("verify", ada, ...crl);
  await folder.ok("revoke", ada, "--reason", "keyCompromise");
  assertStringIncludes(await folder.ok("revoke", "0a:ff"), "2 revoked");
  assertStringIncludes(
    await folder.ok("revoke", ada),
    "was revoked before\n",
  );
  assertStringIncludes(await folder.fails(1, "verify", ada, ...crl), "revoked");
  await folder.ok("verify", `${folder.path}/bob.pem`, ...crl);
  assertStringIncludes(
    await folder.fails(1, "revoke", `${folder.path}/ca.pem`),
    "has not signed it",
  );
  const other = await createCa();
  const foreign = `${folder.path}/foreign.pem`;
  const { certPem } = await other.issue({ commonName: "x", purpose: "client" });
  await Deno.writeTextFile(foreign, certPem);
  await folder.fails(1, "revoke", foreign);
  await folder.fails(2, "revoke", "nobody");
  await Deno.writeTextFile(`${folder.path}/revoked.json`, "[{}]");
  assertStringIncludes(await folder.fails(1, "revoke"), "it is damaged");
});

Deno.test("cert revoke needs an authority", async () => {
  await using folder = new Folder();
  assertStringIncludes(
    await folder.fails(1, "revoke", "0aff"),
    "Cannot sign without an authority",
  );
});

Deno.test("cert expiry exits 1 if a certificate or a list ends soon", async () => {
  await using folder = new Folder();
  await folder.fails(1, "expiry");
  await folder.ok("server", "hub.example", "--days", "20");
  await folder.ok("revoke");
  const out = await folder.ok("expiry", "--days", "19");
  for (const file of ["ca.pem: 3649", "crl.pem: 89", "hub.example.pem: 19"]) {
    assertStringIncludes(out, `${folder.path}/${file} days left, until `);
  }
  assertEquals((await folder.cert("expiry")).code, 1);
  await folder.ok("expiry", `${folder.path}/ca.pem`);
  const { code, out: json } = await folder.cert(
    "expiry",
    `${folder.path}/hub.example.pem`,
    "--json",
  );
  const { daysLeft, soon } = JSON.parse(json);
  assertEquals({ code, daysLeft, soon }, { code: 1, daysLeft: 19, soon: true });
});

Deno.test("cert p12 packs with a password of its own, or one from a file", async () => {
  await using folder = new Folder();
  await folder.ok("client", "ada");
  const ada = `${folder.path}/ada.pem`;
  const out = await folder.ok("p12", ada);
  assertMatch(out, /\npassword, shown this once: [a-z2-9_]{24}\n$/);
  assertEquals(folder.mode("ada.p12"), 0o600);
  await folder.fails(1, "p12", ada);
  const password = `${folder.path}/password`;
  await Deno.writeTextFile(password, "Anchor-42\n");
  const own = await folder.ok(
    "p12",
    ada,
    "--password-file",
    password,
    "--force",
  );
  assertEquals(own, `wrote ${folder.path}/ada.p12\n`);
  await Deno.writeTextFile(password, "\n");
  await folder.fails(1, "p12", ada, "--password-file", password, "--force");
  assertStringIncludes(
    await folder.fails(1, "p12", ada, "--key", `${folder.path}/ca-key.pem`),
    "is the key of another certificate",
  );
});
