/** What an error of the AWS SDK means to a person: which of a few things is wrong, and what to do about it. Pure. */
import { CliError, EXIT } from '../errors.ts';

export type AwsFault = 'credentials' | 'expired' | 'refused' | 'region' | 'endpoint' | 'permission' | 'other';

const NAMES: ReadonlyArray<[AwsFault, RegExp]> = [
  ['expired', /^(ExpiredToken|ExpiredTokenException|RequestExpired|TokenRefreshRequired)$/],
  ['credentials', /^(CredentialsProviderError|ProviderError|TokenProviderError)$/],
  [
    'refused',
    /^(UnrecognizedClientException|InvalidClientTokenId|SignatureDoesNotMatch|InvalidSignatureException|AuthFailure|MissingAuthenticationToken\w*)$/,
  ],
  ['permission', /^(AccessDenied|AccessDeniedException|UnauthorizedOperation)$/],
];
const NETWORK = /^(ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EPIPE)$/;

type SdkError = Error & { code?: string; errors?: SdkError[]; $metadata?: { httpStatusCode?: number } };

export function awsFault(error: unknown): AwsFault {
  const { name, message, code, errors } = error as SdkError;
  if (/region is missing/i.test(message)) return 'region';
  const known = NAMES.find(([, pattern]) => pattern.test(name));
  if (known) return /expired/i.test(message) && known[0] === 'credentials' ? 'expired' : known[0];
  const codes = [code, ...(errors ?? []).map((one) => one.code)];
  if (name === 'TimeoutError' || codes.some((one) => one !== undefined && NETWORK.test(one))) return 'endpoint';
  return 'other';
}

export type AwsPlace = { endpoint: string | undefined; region: string | undefined; profile: string | undefined };

export const REMEDIES: Readonly<Record<AwsFault, (place: AwsPlace) => string>> = {
  credentials: ({ endpoint }) =>
    `Name a profile (AWS_PROFILE=…; aws configure, aws sso login) or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY${endpoint === undefined ? '; for an emulator, AWS_ENDPOINT_URL' : ''}`,
  expired: ({ profile }) =>
    `Renew them: aws sso login${profile === undefined ? '' : ` --profile ${profile}`}, or new values in AWS_SESSION_TOKEN and its kin`,
  refused: () => 'These credentials are not known there: look at AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL',
  region: () => 'Set AWS_REGION to the region of the stack',
  endpoint: ({ endpoint }) =>
    endpoint === undefined
      ? 'Look at the network, and at AWS_REGION'
      : `Nothing answers at ${endpoint}: start what should, or correct AWS_ENDPOINT_URL (unset it for AWS itself)`,
  permission: () => 'These credentials may not do that: docs/deploy.md lists the permissions',
  other: () => 'See npx holdfast doctor',
};

const SAID: Readonly<Record<AwsFault, string>> = {
  credentials: 'there are no AWS credentials',
  expired: 'the AWS credentials have expired',
  refused: 'the AWS credentials were refused',
  region: 'no AWS region is set',
  endpoint: 'the AWS endpoint does not answer',
  permission: 'the AWS credentials may not do that',
  other: 'AWS answered with an error',
};

export const placeOf = (config: { endpoint?: string; region?: string }, env: Readonly<Record<string, string | undefined>>): AwsPlace => ({
  endpoint: config.endpoint,
  region: config.region,
  profile: env.AWS_PROFILE || undefined,
});

export function awsError(what: string, error: unknown, place: AwsPlace): CliError {
  const fault = awsFault(error);
  const { name, message, code } = error as SdkError;
  return new CliError(EXIT.unreachable, `${what}: ${SAID[fault]} (${code ?? name}${message ? `: ${message.split('\n')[0]}` : ''})`, {
    remedy: REMEDIES[fault](place),
    cause: error,
  });
}
