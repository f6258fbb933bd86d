/** The pages of the demo's site: a small one about a lighthouse, with what real sites have. Pure. */

export type SitePage = { title: string; body: string };

const page = (title: string, paragraphs: readonly string[], links: Readonly<Record<string, string>>): SitePage => ({
  title,
  body: [
    `<h1>${title}</h1>`,
    ...paragraphs.map((text) => `<p>${text}</p>`),
    `<ul>${Object.entries(links)
      .map(([href, text]) => `<li><a href="${href}">${text}</a></li>`)
      .join('')}</ul>`,
  ].join('\n'),
});

/** Linked from the site and forbidden by its robots.txt. */
export const FORBIDDEN = ['/site/private/log', '/site/private/keys'] as const;
/** Linked from the site and not there. */
export const MISSING = '/site/shop';
/** Takes its time. */
export const SLOW = '/site/history/fog';
/** Answers 429 with a Retry-After to who asks for the first time. */
export const BUSY = '/site/visit/tickets';
/** Is not HTML. */
export const FILE = '/site/files/chart.pdf';
/** Four clicks from the start. */
export const DEEP = '/site/archive/1903';

export const PAGES: Readonly<Record<string, SitePage>> = {
  '/site/': page(
    'Kestrel Point Lighthouse',
    [
      'The lighthouse at Kestrel Point has warned ships of the reef since 1871. Its lamp is seen for nineteen miles.',
      'Volunteers look after the tower, the lamp and the fog horn, and open the lighthouse to visitors in summer.',
    ],
    {
      '/site/history': 'History',
      '/site/keepers/': 'The keepers',
      visit: 'Plan a visit',
      '/site/shop': 'Shop',
      '/site/private/log': 'Duty log',
      '#top': 'Back to the top',
      'mailto:keeper@kestrel-point.example': 'Write to us',
      'https://www.harbour.example/': 'The harbour',
    },
  ),
  '/site/history': page(
    'History',
    [
      'Before the lighthouse there was a fire in an iron basket. In one winter nine ships were lost on the reef.',
      'The tower was built of granite in three summers. The lamp burned oil until 1926, and is electric today.',
    ],
    { 'history/lamp': 'The lamp', 'history/fog': 'The fog horn', '/site/archive/': 'Archive', './': 'Start' },
  ),
  '/site/history/lamp': page(
    'The lamp',
    [
      'The lens of the lamp is as tall as a person, and floats on a bath of mercury so that a clockwork can turn it.',
      'Every lighthouse flashes in its own rhythm: ours gives two flashes every ten seconds.',
    ],
    { fog: 'The fog horn', '../history#lamp': 'History' },
  ),
  '/site/history/fog': page(
    'The fog horn',
    ['In fog no lamp is seen, so the horn sounds every thirty seconds. It ran on compressed air, and woke the whole village.'],
    { lamp: 'The lamp', '/site/private/keys': 'Keys of the engine room' },
  ),
  '/site/keepers/': page(
    'The keepers',
    ['Fourteen keepers have lived in the lighthouse. They wound the clockwork, trimmed the lamp and wrote down every ship.'],
    { ada: 'Ada', grace: 'Grace', '../keepers/ada#storm': 'The storm of 1903' },
  ),
  '/site/keepers/ada': page(
    'Ada',
    ['Ada kept the lamp for thirty years. In the storm of 1903 she rowed out to the reef twice, and saved eleven sailors.'],
    { grace: 'Grace', '/site/': 'Start' },
  ),
  '/site/keepers/grace': page(
    'Grace',
    ['Grace counted birds: 214 kinds rest at the lighthouse on their way. Her notebooks are in the archive.'],
    { ada: 'Ada', '/site/archive/': 'Archive' },
  ),
  '/site/visit': page(
    'Plan a visit',
    ['The tower has 168 steps. From the gallery visitors see the reef, the harbour and, on clear days, the next lighthouse.'],
    { 'visit/tickets': 'Tickets', '/site/files/chart.pdf': 'Chart of the bay', '/crm/companies': 'For members' },
  ),
  '/site/visit/tickets': page(
    'Tickets',
    ['Tickets are sold at the gate. Children under six climb the tower for nothing, if somebody carries them down again.'],
    { '/site/visit': 'Plan a visit' },
  ),
  '/site/archive/': page('Archive', ['Logs, letters and charts since 1871, sorted by year.'], { '1871': '1871' }),
  '/site/archive/1871': page('1871', ['First night of the lamp. Wind from the west, no ship in sight.'], { '1903': '1903' }),
  '/site/archive/1903': page('1903', ['The great storm. Ada rowed to the reef twice.'], { '/site/keepers/ada': 'Ada' }),
};

export function robotsTxt(crawlDelay: number): string {
  return [
    '# The lighthouse is glad of visitors who do not push.',
    'User-agent: *',
    ...['/site/private/', '/crm/', '/billing/', '/mailer/', '/registry/', '/summariser/', '/_demo/'].map((path) => `Disallow: ${path}`),
    ...(crawlDelay > 0 ? [`Crawl-delay: ${crawlDelay}`] : []),
    '',
    'User-agent: greedybot',
    'Disallow: /',
    '',
  ].join('\n');
}

/** As pages are: a script, a style, a menu on each, and tags that are not closed. */
export function html({ title, body }: SitePage): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${title} &middot; Kestrel Point</title>
<style>p { max-width: 40em }</style>
<script>document.title = "lighthouse lighthouse lighthouse";</script></head>
<BODY>
<nav><a href="/site/">Start</a> <a href="/site/visit">Visit</a></nav>
${body}
<footer><p>&copy; Friends of the lighthouse<br>Open in summer</footer>
</BODY>
</html>
`;
}
