import type { PeerCertificate } from "../io/peer_identity.ts";
import {
  type AuthenticationContext,
  AuthenticationError,
  type Authenticator,
  type Credentials,
  type Principal,
} from "./authentication.ts";
import { entriesOf } from "./json_file.ts";
import { checkRoles } from "./names.ts";

/**
 * Who the holder of a certificate is. All patterns that a rule has must match; in the first five `*` stands for a part
 * of a name, and `**` for the rest of it.
 */
export interface CertificateRule {
  /** A URI of the certificate, such as a SPIFFE id; `*` stops at `/`. */
  readonly uri?: string;
  /** A DNS name of the certificate; `*` stops at `.`. */
  readonly dns?: string;
  /** A mail address of the certificate; `*` stops at `@`. */
  readonly email?: string;
  /** The distinguished name of the holder, as RFC 4514 writes it; `*` stops at `,`. */
  readonly subject?: string;
  /** The common name of the holder. */
  readonly commonName?: string;
  /** SHA-256 of the certificate in hexadecimal, with or without colons. */
  readonly fingerprint?: string;
  /** SHA-256 of the public key in base64. */
  readonly publicKeyPin?: string;
  /** The name of the principal; the name that the first pattern matched when left out. */
  readonly id?: string;
  /** What the holder may be. */
  readonly roles: readonly string[];
}

/** Options of {@linkcode certificateLogin}. */
export interface CertificateLoginOptions {
  /** The rules; the first that matches decides, and who matches none is refused. */
  map: readonly CertificateRule[];
}

/** How a kind of name is looked up and compared. */
interface NameKind {
  values(certificate: PeerCertificate): readonly (string | undefined)[];
  /** What `*` does not stand for; undefined where it stands for itself. */
  readonly stop?: string;
  /** Whether a backslash makes the next character a part of the name. */
  readonly escapes?: boolean;
  /** Brings names and patterns to one form. */
  readonly form?: (name: string) => string;
}

/** In the order in which the name of the principal is taken. */
const KINDS = {
  uri: { values: ({ names }) => names.uri, stop: "/" },
  dns: {
    values: ({ names }) => names.dns,
    stop: ".",
    form: (name) => name.toLowerCase(),
  },
  email: { values: ({ names }) => names.email, stop: "@" },
  subject: {
    values: ({ subject }) => [subject],
    stop: ",",
    escapes: true,
  },
  commonName: { values: ({ commonName }) => [commonName], stop: "" },
  fingerprint: {
    values: ({ fingerprint }) => [fingerprint],
    form: (name) => name.replaceAll(":", "").toLowerCase(),
  },
  publicKeyPin: { values: ({ publicKeyPin }) => [publicKeyPin] },
} as const satisfies Record<string, NameKind>;

/** Returns the name that a pattern matched. */
type Matcher = (certificate: PeerCertificate) => string | undefined;

/**
 * Logs in the holders of client certificates, which the road has verified. Nothing is asked of the peer.
 *
 * @throws {TypeError} If a rule has no pattern, so that it would let in everybody, or has parts that no rule has.
 *
 * @example Usage
 * ```ts
 * import { certificateLogin } from "./certificate_login.ts";
 * import { AuthenticationError } from "./authentication.ts";
 * import { assertRejects } from "@std/assert";
 *
 * const door = certificateLogin({
 *   map: [
 *     { uri: "spiffe://example.org/ns/prod/**", roles: ["web"] },
 *     { subject: "CN=ada,**", id: "ada", roles: ["admin"] },
 *   ],
 * });
 * await assertRejects(
 *   () => door.authenticate({ type: "certificate" }, {
 *     source: "192.0.2.1",
 *     identity: undefined,
 *     signal: new AbortController().signal,
 *     nowMs: 0,
 *     memory: new Map(),
 *   }),
 *   AuthenticationError,
 * );
 * ```
 */
export function certificateLogin(
  { map }: CertificateLoginOptions,
): Authenticator {
  const rules = map.map(checkRule)
    .map((rule) => ({ rule, matchers: matchersOf(rule) }));
  const decide = (
    credentials: Credentials,
    { identity, nowMs }: AuthenticationContext,
  ): Principal => {
    const certificate = identity?.certificate;
    if (credentials.type !== "certificate" || certificate === undefined) {
      throw new AuthenticationError(
        "denied",
        "the peer showed no certificate",
      );
    }
    const expiresAtMs = certificate.notAfter.getTime();
    if (nowMs >= expiresAtMs) {
      throw new AuthenticationError("expired", "the certificate has expired");
    }
    for (const { rule, matchers } of rules) {
      const matched = matchers.map((match) => match(certificate));
      if (matched.includes(undefined)) continue;
      const { id = matched[0]!, roles } = rule;
      return { id, roles, method: "certificate", expiresAtMs };
    }
    throw new AuthenticationError(
      "denied",
      `no rule is for the certificate of ${certificate.subject}`,
    );
  };
  return {
    name: "certificate",
    accepts: ["certificate"],
    authenticate: (credentials, context) =>
      Promise.try(decide, credentials, context),
  };
}

/** A pattern with a wrong name would let in more than was meant: rules may come from a file. */
function checkRule(rule: CertificateRule): CertificateRule {
  const allowed = ["id", "roles", ...Object.keys(KINDS)];
  for (const [name, value] of entriesOf(rule, "a rule for certificates")) {
    const isText = name === "roles" || typeof value === "string";
    if (allowed.includes(name) && isText) continue;
    throw new TypeError(
      `Cannot use "${name}" in a rule for certificates: allowed are the texts ` +
        allowed.join(", "),
    );
  }
  return { ...rule, roles: checkRoles(rule.roles, rule.id ?? "a rule") };
}

function matchersOf(rule: CertificateRule): Matcher[] {
  const matchers = Object.entries<NameKind>(KINDS).flatMap(([kind, how]) => {
    const pattern = rule[kind as keyof typeof KINDS];
    return pattern === undefined ? [] : [matcherOf(pattern, how)];
  });
  if (matchers.length === 0) {
    throw new TypeError(
      "Cannot use a rule for certificates: it must have a pattern: allowed " +
        `are ${Object.keys(KINDS).join(", ")}`,
    );
  }
  return matchers;
}

function matcherOf(pattern: string, how: NameKind): Matcher {
  const { values, stop, escapes = false, form = (name) => name } = how;
  const isMatch = stop === undefined
    ? (name: string) => name === form(pattern)
    : (name: string) => wildcard(form(pattern), stop, escapes).test(name);
  return (certificate) =>
    values(certificate).find((name) =>
      name !== undefined && isMatch(form(name))
    );
}

function wildcard(pattern: string, stop: string, escapes: boolean): RegExp {
  const except = (end: string) =>
    escapes ? `(?:[^${end}\\\\]|\\\\[^])+` : `[^${end}]+`;
  const source = pattern.split(/(\*\*?)/).map((piece) =>
    piece === "**"
      ? except("")
      : piece === "*"
      ? except(stop)
      : RegExp.escape(piece)
  );
  return new RegExp(`^${source.join("")}$`);
}
