import type { Credentials } from "./authentication.ts";

/** What stands in place of a text that held a secret. */
export const REDACTED = "[redacted]";

/** A secret this short would be found in most texts by chance. */
const MIN_SECRET_CHARS = 4;

/** The parts of credentials that nobody else may learn. */
export function secretsOf(credentials: Credentials | undefined): string[] {
  switch (credentials?.type) {
    case "password":
      return [credentials.password];
    case "token":
      return [credentials.token];
    case "device proof":
      return [credentials.mac];
    default:
      return [];
  }
}

/** Who somebody says they are. */
export function claimedName(
  credentials: Credentials | undefined,
): string | undefined {
  switch (credentials?.type) {
    case "password":
      return credentials.user;
    case "device":
    case "device proof":
      return credentials.device;
    default:
      return undefined;
  }
}

/**
 * `text`, unless it holds one of the secrets or a part of a token; then none of it. The
 * whole text goes, because what is left around a secret tells its length and place.
 */
export function redact(
  text: string | undefined,
  secrets: readonly string[],
): string | undefined {
  if (text === undefined) return undefined;
  const isHeld = secrets.some((secret) =>
    secret.length >= MIN_SECRET_CHARS
      ? variants(secret).some((variant) => text.includes(variant))
      : secret !== "" && text === secret
  );
  return isHeld ? REDACTED : text;
}

/** A secret as it is, and as it is in JSON and in an address. */
function variants(secret: string): string[] {
  const plain = secret.toWellFormed();
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(plain),
    // The signed part of a token is as good as all of it for whoever reads claims.
    ...secret.split(".").filter((part) => part.length >= MIN_PART_CHARS),
  ];
}

/** The least length of a part of a token that is looked for by itself. */
const MIN_PART_CHARS = 16;
