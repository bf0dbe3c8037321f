export {
  type AuthenticationContext,
  AuthenticationError,
  type AuthenticationFailure,
  type Authenticator,
  type Challenge,
  type Credentials,
  type Principal,
} from "./authentication.ts";
export {
  Authority,
  type CertificatePurpose,
  createCa,
  type CreateCaOptions,
  type IssueCertificateOptions,
  type IssuedCertificate,
  openCa,
} from "./certificates/authority.ts";
export {
  CertificateError,
  type CertificateFault,
} from "./certificates/certificate_error.ts";
export {
  isKeyOf,
  KEY_ALGORITHMS,
  type KeyAlgorithm,
} from "./certificates/certificate_key.ts";
export {
  type CertificateName,
  matchesCertificateName,
  parseCertificateName,
} from "./certificates/certificate_names.ts";
export {
  DEFAULT_CERTIFICATE_FOLDER,
  type DevelopmentCertificate,
  developmentCertificate,
  type DevelopmentCertificateOptions,
  howToTrust,
} from "./certificates/development_certificate.ts";
export { exportPkcs12, type Pkcs12Options } from "./certificates/pkcs12.ts";
export {
  type CertificateDetails,
  inspectCertificates,
  readCertificate,
} from "./certificates/read_certificate.ts";
export {
  type CreateRevocationListOptions,
  readRevocationList,
  REVOCATION_REASONS,
  type RevocationList,
  type RevocationReason,
  type RevokedCertificate,
} from "./certificates/revocation_list.ts";
export {
  RotatingIdentity,
  rotatingIdentity,
  type RotatingIdentityOptions,
} from "./certificates/rotating_identity.ts";
export {
  verifyCertificate,
  type VerifyCertificateOptions,
} from "./certificates/verify_certificate.ts";
export {
  certificateLogin,
  type CertificateLoginOptions,
  type CertificateRule,
} from "./certificate_login.ts";
export {
  customLogin,
  type CustomLoginOptions,
  type CustomLoginResult,
} from "./custom_login.ts";
export {
  type Device,
  deviceLogin,
  type DeviceLoginOptions,
  deviceProof,
  type DeviceProofOptions,
  type Devices,
  devicesFile,
  type DevicesFileOptions,
} from "./devices.ts";
export {
  DEFAULT_LOGIN_THROTTLE_LIMITS,
  LoginThrottle,
  type LoginThrottleLimits,
} from "../proto/security/login_throttle.ts";
export {
  DEFAULT_PASSWORD_COST,
  type DeriveKey,
  MAX_PASSWORD_BYTES,
  type PasswordCost,
  PasswordHasher,
  type PasswordHasherOptions,
  type PasswordHashOptions,
} from "./password_hash.ts";
export { passwords, type PasswordsOptions } from "./passwords.ts";
export {
  sessionsFile,
  sessionTokens,
  type SessionTokensOptions,
  withSession,
} from "./session_tokens.ts";
export {
  type Session,
  type SessionRecord,
  Sessions,
  type SessionsOptions,
  type SessionStore,
} from "./sessions.ts";
export {
  createTokenKey,
  publicTokenKey,
  rotateTokenKey,
  type TokenAlgorithm,
  type TokenKey,
  type TokenKeys,
  tokenKeys,
  tokenKeysFile,
  type TokenKeysFileOptions,
} from "./token_keys.ts";
export {
  type RevocableToken,
  type TokenRevocationList,
  TokenRevocations,
  tokenRevocationsFile,
  type TokenRevocationsFileOptions,
  type TokenRevocationsOptions,
} from "./token_revocations.ts";
export {
  type IssueOptions,
  type JwtTokens,
  jwtTokens,
  type JwtTokensOptions,
} from "./tokens.ts";
export {
  type Account,
  type Users,
  UsersFile,
  type UsersFileOptions,
} from "./users.ts";
export {
  type Action,
  type Decision,
  matchesPattern,
  MAX_RULES,
  parseRules,
  type Rule,
  Rules,
} from "../proto/security/rules.ts";
export {
  KeyedLimit,
  type KeyedLimitOptions,
} from "../proto/security/keyed_limit.ts";
export {
  type AuditFault,
  type AuditHead,
  type AuditRecord,
  AuditVerifier,
  type AuditVerifierOptions,
  type HashText,
} from "../proto/security/audit_chain.ts";
export {
  AuditError,
  type AuditEvent,
  auditHandshakes,
  type AuditSink,
  MAX_AUDIT_TEXT,
} from "./audit.ts";
export { type AuditFileOptions, openAuditLog } from "./audit_file.ts";
export {
  AuditLog,
  type AuditLogOptions,
  type AuditStore,
} from "./audit_log.ts";
export {
  type CheckpointKey,
  checkpointKey,
  type CheckpointVerifier,
  checkpointVerifier,
  MIN_CHECKPOINT_SECRET_BYTES,
} from "./checkpoint.ts";
export {
  authenticated,
  type AuthenticatedCallbacks,
  type AuthenticatedOptions,
  type SessionAnswers,
} from "./guarded.ts";
export {
  DEFAULT_LOGIN_LIMITS,
  Login,
  type LoginAnswers,
  type LoginLimits,
  type LoginOptions,
} from "./login.ts";
export { principalOf } from "./peer_session.ts";
export { readRules } from "./rules_file.ts";
export type { SourceOf } from "./source.ts";
