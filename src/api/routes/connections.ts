/** `/v1/connections`: whether calls go to the APIs behind them, and how a person stops them and lets them go again. */
import type { AdmissionKey, ShownConnection } from '../../engine/admission-ports.ts';
import { connectionOf, forAllTenants } from '../connections.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../problem.ts';
import { ConnectionQuery, ConnectionsQuery, HoldRequest, NoQuery, ReleaseRequest } from '../requests.ts';
import { ConnectionItem, Connections, OneConnection } from '../schemas.ts';
import { route } from '../table.ts';
import { time } from '../views.ts';

export const listConnections = route({
  method: 'GET',
  path: '/v1/connections',
  operation: 'listConnections',
  tag: 'Connections',
  summary: 'The connections that are deployed',
  description: 'By name. Those of their calls that are made for accounts are not in it.',
  scope: 'read',
  query: ConnectionsQuery,
  answers: { 200: { description: 'A page of them.', schema: Connections } },
  problems: [],
  async handle({ query: { limit, after }, bearer }, { connections }) {
    forAllTenants(bearer);
    const { items, next } = await connections.list({ limit, ...(after === undefined ? {} : { after }) });
    return { status: 200, body: { items: items.map(view), ...(next === undefined ? {} : { next }) } };
  },
});

export const getConnection = route({
  method: 'GET',
  path: '/v1/connections/{connection}',
  operation: 'getConnection',
  tag: 'Connections',
  summary: 'A connection, or one account of it',
  scope: 'read',
  query: ConnectionQuery,
  answers: { 200: { description: 'Its state.', schema: OneConnection } },
  problems: ['E_UNKNOWN_CONNECTION'],
  async handle({ params, query: { account, limit, after }, bearer }, deps) {
    forAllTenants(bearer);
    const connection = connectionOf(deps, params);
    if (account !== undefined) return { status: 200, body: view(await deps.connections.show({ connection, account })) };
    const page = { limit, ...(after === undefined ? {} : { after: accountAt(after) }) };
    const [own, { items, next }] = await Promise.all([deps.connections.show({ connection }), deps.connections.accounts(connection, page)]);
    const accounts = { items: items.map(view), ...(next === undefined ? {} : { next: cursorAt(next) }) };
    return { status: 200, body: { ...view(own), accounts } };
  },
});

export const holdConnection = route({
  method: 'POST',
  path: '/v1/connections/{connection}/hold',
  operation: 'holdConnection',
  tag: 'Connections',
  summary: 'Send nothing more until it is released',
  description:
    'Calls in flight are finished; all others wait, use up no attempt, and keep their deadline. Without an account it is all of them. Held again, the newest name and reason count.',
  scope: 'operate',
  query: NoQuery,
  body: { json: HoldRequest },
  answers: { 200: { description: 'It is held.', schema: ConnectionItem } },
  problems: ['E_UNKNOWN_CONNECTION'],
  async handle({ request, params, body: { why, account }, bearer }, deps) {
    forAllTenants(bearer);
    const key = keyOf(connectionOf(deps, params), account);
    const by = bearer.name;
    const held = await deps.connections.hold(key, { by, why });
    operated(deps, request.id, { what: 'hold', ...key, by, why });
    return { status: 200, body: view(held) };
  },
});

export const releaseConnection = route({
  method: 'POST',
  path: '/v1/connections/{connection}/release',
  operation: 'releaseConnection',
  tag: 'Connections',
  summary: 'Let the calls of a connection that was held go again',
  description: 'Slowly at first, and not before a gate or a breaker lets them. Runs that wait look again within some minutes.',
  scope: 'operate',
  query: NoQuery,
  body: { json: ReleaseRequest, absent: {} },
  answers: { 200: { description: 'It is released.', schema: ConnectionItem } },
  problems: ['E_UNKNOWN_CONNECTION', 'E_NOT_HELD'],
  async handle({ request, params, body: { why, account }, bearer }, deps) {
    forAllTenants(bearer);
    const key = keyOf(connectionOf(deps, params), account);
    const { released, connection } = await deps.connections.release(key);
    if (!released) {
      const who = account === undefined ? key.connection : `the account ${JSON.stringify(account.slice(0, 64))} of ${key.connection}`;
      throw new Problem('E_NOT_HELD', `nobody holds ${who}: it is ${connection.state}`, { connectionState: connection.state });
    }
    operated(deps, request.id, { what: 'release', ...key, by: bearer.name, ...(why === undefined ? {} : { why }) });
    return { status: 200, body: view(connection) };
  },
});

type Operated = AdmissionKey & { what: 'hold' | 'release'; by: string; why?: string };

function operated({ observe }: Pick<ApiDeps, 'observe'>, requestId: string | undefined, what: Operated): void {
  observe?.({ type: 'api.operated', ...(requestId === undefined ? {} : { requestId }), ...what });
}

/** The first of them may be '', which no cursor can be. */
const cursorAt = (account: string): string => Buffer.from(`:${account}`).toString('base64url');
const accountAt = (cursor: string): string => Buffer.from(cursor, 'base64url').toString().slice(1);

const keyOf = (connection: string, account: string | undefined): AdmissionKey => ({
  connection,
  ...(account === undefined ? {} : { account }),
});

function view({ gate, hold, slowStart, breaker, budget, rate, ...rest }: ShownConnection): ConnectionItem {
  const { until, ...counts } = breaker;
  return {
    ...rest,
    ...(gate === undefined ? {} : { gate: { until: time(gate.until) } }),
    ...(hold === undefined ? {} : { hold: { ...hold, since: time(hold.since) } }),
    ...(slowStart === undefined ? {} : { slowStart: { until: time(slowStart.until) } }),
    breaker: { ...counts, ...(until === undefined ? {} : { until: time(until) }) },
    budget: { ...budget, windowEnds: time(budget.windowEnds) },
    rate: rate.map(({ nextAt, ...limit }) => ({ ...limit, ...(nextAt === undefined ? {} : { nextAt: time(nextAt) }) })),
  };
}
