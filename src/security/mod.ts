export {
  type AuthenticationContext,
  AuthenticationError,
  type AuthenticationFailure,
  type Authenticator,
  type Challenge,
  type Credentials,
  type Principal,
} from "./authentication.ts";
