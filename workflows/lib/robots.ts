/** What a site's robots.txt says to us. Pure. */
import robotsParser from 'robots-parser';

// Its types speak of an ES module with a default; it is CommonJS, and the default is the module itself.
const parse = robotsParser as unknown as typeof robotsParser.default;

export type Robots = { allows(url: string): boolean /** Milliseconds between two requests; 0: none asked for. */; pause: number };

/**
 * RFC 9309: where there is no robots.txt (4xx) everything is allowed; where it cannot be had, nothing is. Throws then.
 * `agent`: our User-Agent. `text`: the body of the answer.
 */
export function robotsOf({ status, url }: { status: number; url: string }, text: string, agent: string): Robots {
  const has = status >= 200 && status < 300;
  if (!has && (status < 400 || status >= 500)) throw new Error(`${url} was answered ${status}, so nothing of that site may be read`);
  const rules = parse(url, has ? text : '');
  return { allows: (page) => rules.isAllowed(page, agent) ?? false, pause: Math.ceil((rules.getCrawlDelay(agent) ?? 0) * 1_000) };
}
