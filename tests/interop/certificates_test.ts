import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import {
  type Authority,
  createCa,
  exportPkcs12,
  type IssuedCertificate,
  KEY_ALGORITHMS,
  openCa,
  readCertificate,
  readRevocationList,
  verifyCertificate,
} from "../../mod.ts";
import { isInstalled } from "../support/installed.ts";
import { type Ran, run } from "../support/program.ts";

const HAS_OPENSSL = await isInstalled("openssl", "version");
const HAS_CERTTOOL = await isInstalled("certtool", "--version");
const HAS_NSS = await isInstalled("certutil", "-H") &&
  await isInstalled("pk12util", "-H");
const HAS_CHROMIUM = HAS_NSS && await isInstalled("chromium", "--version");

const NAMES = [
  "localhost",
  "*.quay.example",
  "127.0.0.1",
  "::1",
  "2001:db8::5:0:0:7",
  "spiffe://harbour.example/hub",
];

/** An authority, a certificate of it, and both in files. */
class Files implements AsyncDisposable {
  private constructor(
    readonly path: string,
    readonly ca: Authority,
    readonly leaf: IssuedCertificate,
  ) {}

  static async make(
    algorithm: (typeof KEY_ALGORITHMS)[number] = "ecdsa-p256",
  ): Promise<Files> {
    const ca = await createCa({ organization: "Ropes & Knots", algorithm });
    const leaf = await ca.issue({ names: NAMES, purpose: "peer", algorithm });
    const path = await Deno.makeTempDir({ dir: "/tmp" });
    const files = new Files(path, ca, leaf);
    await files.write("ca.pem", ca.certPem);
    await files.write("leaf.pem", leaf.certPem);
    await files.write("leaf-key.pem", leaf.keyPem);
    return files;
  }

  async write(name: string, content: string | Uint8Array): Promise<string> {
    const data = typeof content === "string"
      ? new TextEncoder().encode(content)
      : content;
    await Deno.writeFile(`${this.path}/${name}`, data);
    return `${this.path}/${name}`;
  }

  /** Runs a program in the folder. */
  run(...command: string[]): Promise<Ran> {
    return run(command, { cwd: this.path, env: { HOME: this.path } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

for (const algorithm of KEY_ALGORITHMS) {
  Deno.test({
    name: `openssl verifies certificates with ${algorithm}, for every name`,
    ignore: !HAS_OPENSSL,
    async fn() {
      await using files = await Files.make(algorithm);
      const verify = (...options: string[]) =>
        files.run(
          ..."openssl verify -x509_strict -check_ss_sig -CAfile ca.pem"
            .split(" "),
          ...options,
          "leaf.pem",
        );
      for (
        const options of [
          ["-purpose", "sslserver", "-verify_hostname", "localhost"],
          ["-purpose", "sslserver", "-verify_hostname", "a.quay.example"],
          ["-purpose", "sslserver", "-verify_ip", "127.0.0.1"],
          ["-purpose", "sslserver", "-verify_ip", "2001:db8::5:0:0:7"],
          ["-purpose", "sslclient"],
        ]
      ) {
        const { code, stdout, stderr } = await verify(...options);
        assertEquals({ code, stdout, stderr }, {
          code: 0,
          stdout: "leaf.pem: OK\n",
          stderr: "",
        });
      }
      const other = await verify("-verify_hostname", "a.b.quay.example");
      assertStringIncludes(other.stderr, "hostname mismatch");
    },
  });
}

Deno.test({
  name: "openssl x509 reads the names that readCertificate() reads",
  ignore: !HAS_OPENSSL,
  async fn() {
    await using files = await Files.make();
    const x509 = async (...options: string[]) =>
      (await files.run("openssl", "x509", "-in", "leaf.pem", ...options))
        .stdout;
    assertStringIncludes(
      await x509("-noout", "-checkhost", "localhost"),
      "does match certificate",
    );
    assertStringIncludes(
      await x509("-noout", "-checkip", "::1"),
      "does match certificate",
    );
    assertStringIncludes(
      await x509("-noout", "-checkip", "::2"),
      "does NOT match certificate",
    );
    const { certificate } = files.leaf;
    const facts = await x509(
      ..."-noout -subject -issuer -serial -fingerprint -sha256 -nameopt RFC2253"
        .split(" "),
    );
    assertStringIncludes(facts, `subject=${certificate.subject}\n`);
    assertStringIncludes(facts, `issuer=${certificate.issuer}\n`);
    assertStringIncludes(facts, `serial=${certificate.serialNumber}\n`);
    const fingerprint = certificate.fingerprint.toUpperCase();
    assertStringIncludes(facts.replaceAll(":", ""), `=${fingerprint}\n`);
  },
});

Deno.test({
  name: "certtool verifies certificates, and refuses another authority's",
  ignore: !HAS_CERTTOOL,
  async fn() {
    await using files = await Files.make();
    const verify = (ca: string) =>
      files.run(
        ..."certtool --verify --verify-profile=medium".split(" "),
        ..."--infile leaf.pem --verify-hostname localhost".split(" "),
        "--load-ca-certificate",
        ca,
      );
    const verified = await verify("ca.pem");
    assertStringIncludes(
      verified.stdout,
      "Verified. The certificate is trusted",
    );
    assertEquals(verified.code, 0);
    await files.write("other.pem", (await createCa()).certPem);
    const refused = await verify("other.pem");
    assertStringIncludes(refused.stdout, "Not verified");
    assertEquals(refused.code, 1);
  },
});

Deno.test({
  name: "openssl refuses what a revocation list takes back",
  ignore: !HAS_OPENSSL,
  async fn() {
    await using files = await Files.make();
    const verify = () =>
      files.run(
        ..."openssl verify -x509_strict -crl_check -CAfile ca.pem -CRLfile crl.pem leaf.pem"
          .split(" "),
      );
    await files.write("crl.pem", await files.ca.createRevocationList([]));
    assertEquals((await verify()).stdout, "leaf.pem: OK\n");
    const { serialNumber } = files.leaf.certificate;
    const crl = await files.ca.createRevocationList([
      { serialNumber, reason: "keyCompromise" },
      { serialNumber: "9abc" },
    ]);
    await files.write("crl.pem", crl);
    assertStringIncludes((await verify()).stderr, "certificate revoked");
    const text = await files.run(
      ..."openssl crl -in crl.pem -noout -text -CAfile ca.pem".split(" "),
    );
    assertStringIncludes(text.stderr, "verify OK");
    assertStringIncludes(text.stdout, `Serial Number: ${serialNumber}\n`);
    assertStringIncludes(text.stdout, "Serial Number: 9ABC\n");
    assertStringIncludes(text.stdout, "Key Compromise");
    assertMatch(text.stdout, /CRL Number: *\n *\d+/);
  },
});

Deno.test({
  name: "readRevocationList() reads what openssl signed",
  ignore: !HAS_OPENSSL,
  async fn() {
    await using files = await Files.make("rsa-3072");
    await files.write("ca-key.pem", files.ca.keyPem);
    await files.write("index.txt", "");
    await files.write(
      "ca.cnf",
      "[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\ndefault_md = sha256\n",
    );
    const ca = "openssl ca -config ca.cnf -cert ca.pem -keyfile ca-key.pem";
    const revoked = await files.run(...`${ca} -revoke leaf.pem`.split(" "));
    assertEquals(revoked.code, 0, revoked.stderr);
    const made = await files.run(
      ...`${ca} -gencrl -crldays 1 -out crl.pem`.split(" "),
    );
    assertEquals(made.code, 0, made.stderr);
    const list = await readRevocationList(
      await Deno.readTextFile(`${files.path}/crl.pem`),
      files.ca.certPem,
    );
    assertEquals(
      list.serialNumbers,
      new Set([files.leaf.certificate.serialNumber]),
    );
  },
});

Deno.test({
  name: "verifyCertificate() and openCa() take what openssl made",
  ignore: !HAS_OPENSSL,
  async fn() {
    await using files = await Files.make();
    const make =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 " +
      "-nodes -keyout k.pem -out c.pem -days 2 -subj /C=DE/O=Dock/CN=Root " +
      "-addext keyUsage=critical,keyCertSign,cRLSign";
    assertEquals((await files.run(...make.split(" "))).code, 0);
    const key = "openssl ec -in k.pem -out sec1.pem";
    assertEquals((await files.run(...key.split(" "))).code, 0);
    const read = (name: string) => Deno.readTextFile(`${files.path}/${name}`);
    const sec1 = await read("sec1.pem");
    assertStringIncludes(sec1, "BEGIN EC PRIVATE KEY");
    const ca = await openCa(await read("c.pem"), sec1);
    assertEquals(ca.certificate.subject, "CN=Root,O=Dock,C=DE");
    const { certPem } = await ca.issue({ names: ["::1"], purpose: "server" });
    await verifyCertificate(certPem, { ca: ca.certPem, name: "::1" });
    await files.write("issued.pem", certPem);
    const verified = await files.run(
      ..."openssl verify -x509_strict -CAfile c.pem issued.pem".split(" "),
    );
    assertEquals(verified.stdout, "issued.pem: OK\n", verified.stderr);
  },
});

Deno.test({
  name: "verifyCertificate() refuses MD5 signatures and small keys of openssl",
  ignore: !HAS_OPENSSL,
  async fn() {
    await using files = await Files.make();
    const steps = [
      "openssl req -x509 -newkey rsa:2048 -nodes -keyout rk.pem -out r.pem -days 2 -subj /CN=Root",
      "openssl req -newkey rsa:2048 -nodes -keyout k.pem -out q.pem -subj /CN=leaf",
      "openssl x509 -req -in q.pem -CA r.pem -CAkey rk.pem -md5 -days 1 -out md5.pem",
      "openssl req -newkey ec -pkeyopt ec_paramgen_curve:secp224r1 -nodes -keyout k.pem -out q.pem -subj /CN=leaf",
      "openssl x509 -req -in q.pem -CA r.pem -CAkey rk.pem -days 1 -out small.pem",
    ];
    for (const step of steps) {
      const { code, stderr } = await files.run(...step.split(" "));
      assertEquals(code, 0, stderr);
    }
    const faultOf = async (name: string): Promise<string> => {
      const ca = await Deno.readTextFile(`${files.path}/r.pem`);
      const pem = await Deno.readTextFile(`${files.path}/${name}`);
      return await verifyCertificate(pem, { ca })
        .then(() => "none", ({ fault }) => fault);
    };
    assertEquals(await faultOf("md5.pem"), "weak signature");
    assertEquals(await faultOf("small.pem"), "weak key");
  },
});

for (const algorithm of ["ecdsa-p256", "rsa-3072", "ed25519"] as const) {
  Deno.test({
    name: `openssl and NSS open PKCS #12 with ${algorithm}`,
    ignore: !HAS_OPENSSL || !HAS_NSS,
    async fn() {
      await using files = await Files.make(algorithm);
      const password = "Änker-42";
      const p12 = await exportPkcs12({
        ...files.leaf,
        caPem: files.ca.certPem,
        password,
        friendlyName: "ada at the harbour",
      });
      await files.write("leaf.p12", p12);
      const opened = await files.run(
        ..."openssl pkcs12 -info -in leaf.p12 -nodes -passin".split(" "),
        `pass:${password}`,
      );
      assertEquals(opened.code, 0, opened.stderr);
      assertStringIncludes(opened.stderr, "MAC: sha256, Iteration 100000");
      assertStringIncludes(opened.stderr, "PBES2, PBKDF2, AES-256-CBC");
      assertStringIncludes(opened.stdout, "friendlyName: ada at the harbour");
      assertStringIncludes(opened.stdout, "BEGIN PRIVATE KEY");
      const { fingerprint } = await readCertificate(opened.stdout);
      assertEquals(fingerprint, files.leaf.certificate.fingerprint);
      const wrong = await files.run(
        ..."openssl pkcs12 -in leaf.p12 -nodes -passin pass:wrong".split(" "),
      );
      assertStringIncludes(wrong.stderr, "invalid password");
      // NSS of Debian 12 knows no Ed25519 keys.
      if (algorithm === "ed25519") return;
      await newDatabase(files);
      await files.write("password", password);
      const imported = await files.run(
        ..."pk12util -d sql:nss -i leaf.p12 -w password".split(" "),
      );
      assertEquals(imported.code, 0, imported.stdout + imported.stderr);
      const keys = await files.run("certutil", "-d", "sql:nss", "-K");
      assertStringIncludes(keys.stdout, "ada at the harbour");
    },
  });
}

Deno.test({
  name:
    "Chromium opens a page of a server of ours once it trusts the authority",
  ignore: !HAS_CHROMIUM,
  async fn() {
    await using files = await Files.make();
    const { certPem: cert, keyPem: key } = files.leaf;
    using listener = Deno.listenTls({
      hostname: "127.0.0.1",
      port: 0,
      cert,
      key,
    });
    const serving = servePages(listener);
    const port = listener.addr.port;
    await Deno.mkdir(`${files.path}/.pki`);
    const database = `${files.path}/.pki/nssdb`;
    await newDatabase(files, database);
    const look = (host: string) =>
      files.run(
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        `--user-data-dir=${files.path}/profile`,
        "--dump-dom",
        `https://${host}:${port}/`,
      );
    const refused = await look("localhost");
    assert(!refused.stdout.includes("ahoy"), refused.stdout);
    const trusted = await files.run(
      ...`certutil -d sql:${database} -A -t C,, -n portolan -i ca.pem`
        .split(" "),
    );
    assertEquals(trusted.code, 0, trusted.stderr);
    for (const host of ["localhost", "127.0.0.1"]) {
      const { stdout } = await look(host);
      assertStringIncludes(stdout, "ahoy");
    }
    listener.close();
    await serving;
  },
});

async function newDatabase(files: Files, path = "nss"): Promise<void> {
  await Deno.mkdir(path.startsWith("/") ? path : `${files.path}/${path}`);
  const { code, stderr } = await files.run(
    ...`certutil -d sql:${path} -N --empty-password`.split(" "),
  );
  assertEquals(code, 0, stderr);
}

/** Answers every request with one page, until the listener is closed. */
async function servePages(listener: Deno.TlsListener): Promise<void> {
  const page = "<p>ahoy</p>";
  const answer = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n" +
    `Content-Length: ${page.length}\r\nConnection: close\r\n\r\n${page}`;
  const answering: Promise<void>[] = [];
  try {
    for await (const conn of listener) {
      answering.push(
        (async () => {
          using _conn = conn;
          const read = await conn.read(new Uint8Array(8192));
          if (read !== null) await conn.write(new TextEncoder().encode(answer));
        })().catch(() => {}),
      );
    }
  } catch {
    // It was closed.
  }
  await Promise.all(answering);
}
